"""Functions of single images, NDArrays of shape (height, width, channels), with OpenCV's arithmetic.

Random ones draw from the modules `random` and `numpy.random`, as MXNet's do.
"""

from __future__ import annotations

import math
import os
import random
import warnings
from numbers import Number
from typing import Any

import numpy as np

from ..base import MXNetError
from ..ndarray import NDArray, array

Box = tuple[int, int, int, int]  # x0, y0, width, height


def _cv2() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise ImportError("mx.image needs OpenCV: pip install opencv-python-headless") from error
    return cv2


def _image(values: np.ndarray[Any, Any], like: NDArray | None = None) -> NDArray:
    if values.ndim == 2:
        values = values[..., np.newaxis]  # OpenCV drops the axis of a single channel
    return array(values, ctx=like.context if like is not None else None, dtype=values.dtype)


def imdecode(buf: Any, flag: int = 1, to_rgb: bool = True, **kwargs: Any) -> NDArray:
    """Decode an image (operator ``_cvimdecode``).

    Parameters
    ----------
    buf : bytes, bytearray, numpy.ndarray or NDArray of uint8
        The contents of an image file.
    flag : {0, 1}
        Grey or three channels.
    to_rgb : bool
        Channels in the order RGB instead of OpenCV's BGR.
    out : NDArray, optional
        Array to write to.

    Returns
    -------
    NDArray of uint8, shape (height, width, 1 or 3)

    Raises
    ------
    ValueError
        For a `buf` of another type.
    MXNetError
        When it holds no image.
    """
    out = kwargs.pop("out", None)
    if kwargs:
        raise TypeError(f"imdecode got unknown arguments {sorted(kwargs)}")
    if isinstance(buf, NDArray):
        buf = buf.asnumpy()
    if not isinstance(buf, (bytes, bytearray, np.ndarray)):
        raise ValueError(f"buf must be bytes, bytearray, numpy.ndarray or NDArray, got {type(buf).__name__}")
    contents = np.frombuffer(buf, np.uint8)
    if not contents.size:
        raise MXNetError("imdecode: the buffer is empty")
    cv2 = _cv2()
    # The picture as it is stored: a camera's note of its orientation is ignored, as in MXNet.
    mode = cv2.IMREAD_COLOR if flag else cv2.IMREAD_GRAYSCALE
    decoded = cv2.imdecode(contents, mode | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None:
        raise MXNetError(f"imdecode: the {contents.size} bytes are no image that OpenCV can decode")
    if flag and to_rgb:
        decoded = decoded[..., ::-1]
    result = _image(decoded)
    if out is None:
        return result
    out[:] = result
    taken: NDArray = out
    return taken


def imread(filename: str | os.PathLike[str], flag: int = 1, to_rgb: bool = True) -> NDArray:
    """Read an image file (operator ``_cvimread``); see `imdecode`.

    Raises
    ------
    MXNetError
        When the file cannot be read or holds no image.
    """
    try:
        with open(filename, "rb") as stream:
            contents = stream.read()
        return imdecode(contents, flag, to_rgb)
    except (OSError, MXNetError) as error:
        raise MXNetError(f"imread: cannot read {os.fspath(filename)}: {error}") from error


def imresize(src: NDArray, w: int, h: int, interp: int = 1) -> NDArray:
    """Resize an image (operator ``_cvimresize``).

    Parameters
    ----------
    src : NDArray, shape (height, width, channels)
    w, h : int
        New width and height.
    interp : int
        0 nearest, 1 bilinear, 2 bicubic, 3 area, 4 Lanczos over 8x8 pixels, 9 the best of area, bicubic and
        bilinear for the sizes, 10 a random one.

    Raises
    ------
    MXNetError
        For sizes below 1, another method, or an array that is no image.
    """
    if interp not in (0, 1, 2, 3, 4, 9, 10):
        raise MXNetError(f"imresize: interp must be 0 to 4, 9 or 10, got {interp}")
    if w < 1 or h < 1:
        raise MXNetError(f"imresize: width and height must be 1 or more, got {w} and {h}")
    if src.ndim != 3:
        raise MXNetError(f"imresize: expected an image (height, width, channels), got shape {src.shape}")
    method = _get_interp_method(interp, (src.shape[0], src.shape[1], h, w))
    return _image(_cv2().resize(src.asnumpy(), (int(w), int(h)), interpolation=method), src)


def copyMakeBorder(
    src: NDArray,
    top: int,
    bot: int,
    left: int,
    right: int,
    type: int = 0,
    value: float = 0.0,
    values: tuple[float, ...] = (),
) -> NDArray:
    """Pad an image (operator ``_cvcopyMakeBorder``).

    Parameters
    ----------
    src : NDArray, shape (height, width, channels)
    top, bot, left, right : int
        Widths of the margins.
    type : int
        OpenCV's kind of border, 0 for one colour.
    value : float
        That colour, the same in all channels.
    values : tuple of float
        That colour channel by channel.
    """
    colour = list(values) if len(values) else [value] * 3
    return _image(_cv2().copyMakeBorder(src.asnumpy(), top, bot, left, right, type, value=colour), src)


def scale_down(src_size: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Return `size`, (width, height), made smaller at the same ratio until it fits into `src_size`.

    Examples
    --------
    >>> scale_down((640, 480), (720, 120))
    (640, 106)
    """
    width: float
    height: float
    (width, height), (src_width, src_height) = size, src_size
    if src_height < height:
        width, height = float(width * src_height) / height, src_height
    if src_width < width:
        width, height = src_width, float(height * src_width) / width
    return int(width), int(height)


def _get_interp_method(interp: int, sizes: tuple[int, ...] = ()) -> int:
    """Return OpenCV's number of a method; `sizes` are old height and width, new height and width."""
    if interp == 9:
        if not sizes:
            return 2
        old_height, old_width, height, width = sizes
        if height > old_height and width > old_width:
            return 2
        return 3 if height < old_height and width < old_width else 1
    if interp == 10:
        return random.randint(0, 4)
    if interp not in (0, 1, 2, 3, 4):
        raise ValueError(f"Unknown interp method {interp}")
    return interp


def resize_short(src: NDArray, size: int, interp: int = 2) -> NDArray:
    """Resize an image so that its shorter side is `size` pixels long."""
    height, width = src.shape[:2]
    if height > width:
        new_height, new_width = size * height // width, size
    else:
        new_height, new_width = size, size * width // height
    return imresize(src, new_width, new_height, interp)


def fixed_crop(
    src: NDArray, x0: int, y0: int, w: int, h: int, size: tuple[int, int] | None = None, interp: int = 2
) -> NDArray:
    """Cut out a rectangle and resize it to `size`, (width, height), if given."""
    out = src[y0 : y0 + h, x0 : x0 + w]
    return out if size is None or (w, h) == tuple(size) else imresize(out, *size, interp=interp)


def random_crop(src: NDArray, size: tuple[int, int], interp: int = 2) -> tuple[NDArray, Box]:
    """Cut out a rectangle of `size`, (width, height), at random; of a smaller image one that is scaled up.

    Returns
    -------
    (image, (x0, y0, width, height))
    """
    height, width = src.shape[:2]
    new_width, new_height = scale_down((width, height), size)
    x0 = random.randint(0, width - new_width)
    y0 = random.randint(0, height - new_height)
    return fixed_crop(src, x0, y0, new_width, new_height, size, interp), (x0, y0, new_width, new_height)


def center_crop(src: NDArray, size: tuple[int, int], interp: int = 2) -> tuple[NDArray, Box]:
    """Cut out the middle of `size`, (width, height); of a smaller image one that is scaled up.

    Returns
    -------
    (image, (x0, y0, width, height))
    """
    height, width = src.shape[:2]
    new_width, new_height = scale_down((width, height), size)
    x0, y0 = (width - new_width) // 2, (height - new_height) // 2
    return fixed_crop(src, x0, y0, new_width, new_height, size, interp), (x0, y0, new_width, new_height)


def color_normalize(src: NDArray, mean: Any, std: Any = None) -> NDArray:
    """Subtract `mean` and divide by `std`, in place."""
    if mean is not None:
        src -= mean
    if std is not None:
        src /= std
    return src


def random_size_crop(
    src: NDArray, size: tuple[int, int], area: Any, ratio: tuple[float, float], interp: int = 2, **kwargs: Any
) -> tuple[NDArray, Box]:
    """Cut out a rectangle of random area and ratio of width to height, and resize it to `size`.

    After ten attempts that do not fit into the image the middle is cut out.

    Parameters
    ----------
    src : NDArray, shape (height, width, channels)
    size : (width, height)
    area : (min, max) or float
        Share of the image's area; a number is the smallest, with 1 as the largest.
    ratio : (min, max)
        Width divided by height.
    interp : int
        See `imresize`.

    Returns
    -------
    (image, (x0, y0, width, height))
    """
    if "min_area" in kwargs:
        warnings.warn(
            "`min_area` is deprecated. Please use `area` instead.", DeprecationWarning, stacklevel=2
        )
        area = kwargs.pop("min_area")
    if kwargs:
        raise TypeError(f"random_size_crop got unknown arguments {sorted(kwargs)}")
    if isinstance(area, Number):
        area = (area, 1.0)
    height, width = src.shape[:2]
    for _ in range(10):
        target = random.uniform(area[0], area[1]) * height * width
        new_ratio = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
        new_width, new_height = round(math.sqrt(target * new_ratio)), round(math.sqrt(target / new_ratio))
        if new_width <= width and new_height <= height:
            x0 = random.randint(0, width - new_width)
            y0 = random.randint(0, height - new_height)
            box = x0, y0, new_width, new_height
            return fixed_crop(src, *box, size, interp), box
    return center_crop(src, size, interp)


def imrotate(src: NDArray, rotation_degrees: Any, zoom_in: bool = False, zoom_out: bool = False) -> NDArray:
    """Rotate images about their middle, with bilinear interpolation and zeros around them.

    Parameters
    ----------
    src : NDArray of float32, shape (channels, height, width) or (batch, channels, height, width)
    rotation_degrees : float, or NDArray of shape (batch,)
    zoom_in : bool
        Enlarge so that no corner is empty.
    zoom_out : bool
        Shrink so that nothing is cut off.

    Raises
    ------
    TypeError
        For another element type, or several angles for one image.
    ValueError
        For both zooms, another number of axes, or another number of angles than images.
    """
    if zoom_in and zoom_out:
        raise ValueError("`zoom_in` and `zoom_out` cannot be both True")
    if src.dtype is not np.float32:
        raise TypeError(
            f"Only `float32` images are supported by this function, got {np.dtype(src.dtype).name}"
        )
    if src.ndim not in (3, 4):
        raise ValueError(f"Only 3D and 4D are supported by this function, got shape {src.shape}")
    if src.ndim == 3 and not isinstance(rotation_degrees, Number):
        raise TypeError("When a single image is passed the rotation angle is required to be a scalar.")
    images = src.asnumpy() if src.ndim == 4 else src.asnumpy()[np.newaxis]
    if isinstance(rotation_degrees, Number):
        angles = np.full(len(images), rotation_degrees, np.float32)
    else:
        angles = np.asarray(rotation_degrees.asnumpy(), np.float32)
    if len(images) != len(angles):
        raise ValueError(
            f"{len(images)} images, but {len(angles)} rotation angles: the numbers must be equal"
        )
    rotated = np.stack(
        [
            _rotate(image, angle, zoom_in, zoom_out)
            for image, angle in zip(images, np.radians(angles.astype(np.float64)), strict=True)
        ]
    )
    return array(rotated if src.ndim == 4 else rotated[0], ctx=src.context, dtype=np.float32)


def _rotate(image: np.ndarray[Any, Any], angle: float, zoom_in: bool, zoom_out: bool) -> np.ndarray[Any, Any]:
    """One image (channels, height, width)."""
    _, height, width = image.shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    zoom = _zoom(height, width, angle, zoom_in) if zoom_in or zoom_out else 1.0
    # Where each pixel comes from. As in MXNet it is scaled by the sides, so a zoom is about the middle.
    source_x = (x * math.cos(angle) - y * math.sin(angle)) * zoom + (width - 1) / 2
    source_y = (x * math.sin(angle) + y * math.cos(angle)) * zoom + (height - 1) / 2
    return _sample(image, source_x, source_y)


def _zoom(height: int, width: int, angle: float, zoom_in: bool) -> float:
    """Factor of distances from the middle, from the box around the rotated image."""
    cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
    box_width, box_height = width * cos + height * sin, width * sin + height * cos
    if zoom_in:
        return min(width / box_width, height / box_height)
    return max(box_width / width, box_height / height)


def _sample(
    image: np.ndarray[Any, Any], x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Bilinear interpolation; pixels outside are zero."""
    _, height, width = image.shape
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    total = np.zeros(image.shape[:1] + x.shape)
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        weight = (1 - np.abs(x - column)) * (1 - np.abs(y - row))
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        total += np.where(inside, weight, 0) * image[:, row.clip(0, height - 1), column.clip(0, width - 1)]
    return total.astype(image.dtype)


def random_rotate(
    src: NDArray, angle_limits: tuple[float, float], zoom_in: bool = False, zoom_out: bool = False
) -> NDArray:
    """Rotate images by random angles within `angle_limits`, in degrees; see `imrotate`."""
    if src.ndim == 3:
        return imrotate(src, float(np.random.uniform(*angle_limits)), zoom_in, zoom_out)
    return imrotate(src, array(np.random.uniform(*angle_limits, size=src.shape[0])), zoom_in, zoom_out)
