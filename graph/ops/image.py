"""Images, (height, width, channels) or batches of them, and image tensors, (channels, height, width)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..dims import Dim
from ..errors import NeedsStaticShape, ShapeError
from ..shapes import ShapeContext, TypeContext
from .registry import operator
from .schema import Floats

__all__ = ["mirrored", "require_image", "require_single_image"]

Array = np.ndarray[Any, Any]
_FIRST = np.iinfo(np.int64).min


def require_image(data: Tensor) -> None:
    """Refuse what is neither an image nor a batch of images.

    Raises
    ------
    ShapeError : the number of axes is not 3 or 4.
    """
    if data.ndim not in (3, 4):
        raise ShapeError(
            f"argument 'data': expected (height, width, channels), or (N, ...) of them, got {data.dims}"
        )


def channels_of(data: Tensor, axis: int) -> int:
    """The number of channels, 1 or 3, along an axis.

    Raises
    ------
    ShapeError : it is another one.
    """
    channels = data.dims[axis]
    if isinstance(channels, Dim):
        raise NeedsStaticShape(f"the number of channels is the symbol {channels}")
    if channels not in (1, 3):
        raise ShapeError(f"argument 'data': expected 1 or 3 channels on axis {axis}, got shape {data.dims}")
    return channels


def require_single_image(data: Tensor) -> int:
    """The number of channels of a single image (height, width, channels).

    Raises
    ------
    ShapeError : there are not three axes, or the last one is not 1 or 3 long.
    """
    if data.ndim != 3:
        raise ShapeError(f"argument 'data': expected shape (height, width, channels), got {data.dims}")
    return channels_of(data, 2)


@operator("_image_to_tensor")
def to_tensor(g: Builder, data: Tensor) -> Tensor:
    """to_tensor(data)

    Images (height, width, channels) of 0 ... 255, or batches of them, as float32 tensors
    (channels, height, width) of 0 ... 1.
    """
    require_image(data)
    front = g.transpose(data, [0, 3, 1, 2] if data.ndim == 4 else [2, 0, 1])
    work = np.float64 if data.dt == np.float64 else np.float32
    return g.cast(g.cast(front, work) / 255.0, np.float32)


@to_tensor.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set(0, np.float32)


@to_tensor.numpy
def _(data: Array) -> Array | None:
    if data.ndim not in (3, 4) or data.dtype.name == "bfloat16":
        return None
    front = np.ascontiguousarray(np.moveaxis(data, -1, -3))
    wide: Array = front.astype(np.float64 if data.dtype == np.float64 else np.float32)
    scaled: Array = np.divide(wide, 255, dtype=wide.dtype)
    return scaled.astype(np.float32)


def _by_channel(name: str, values: Floats, channels: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    if len(values) != 1 and channels != len(values):
        raise ShapeError(f"parameter {name!r}: expected 1 or {channels} numbers (channels), got {values}")
    return np.asarray(values, np.float32).reshape(-1, 1, 1)


@operator("_image_normalize")
def normalize(
    g: Builder,
    data: Tensor,
    *,
    mean: Floats = (0.0, 0.0, 0.0, 0.0),
    std: Floats = (1.0, 1.0, 1.0, 1.0),
) -> Tensor:
    """normalize(data, mean=(0, 0, 0, 0), std=(1, 1, 1, 1))

    ``(data - mean) / std`` of tensors (channels, height, width) or batches of them, with one number for all
    channels or one for each.
    """
    if data.ndim not in (3, 4):
        raise ShapeError(
            f"argument 'data': expected (channels, height, width), or (N, ...) of them, got {data.dims}"
        )
    channels = channels_of(data, data.ndim - 3)
    shift, scale = _by_channel("mean", mean, channels), _by_channel("std", std, channels)
    if data.dt.kind in "iu":
        return g.cast((g.cast(data, np.float32) - shift) / scale, data.dt)
    return (data - shift.astype(data.dt)) / scale.astype(data.dt)


@normalize.numpy
def _(data: Array, mean: Floats, std: Floats) -> Array | None:
    if data.dtype != np.float32 or data.ndim not in (3, 4) or data.shape[-3] not in (1, 3):
        return None
    if not {len(mean), len(std)} <= {1, data.shape[-3]}:
        return None
    shift, scale = (np.asarray(v, np.float32).reshape(-1, 1, 1) for v in (mean, std))
    return (data - shift) / scale


@normalize.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    s.unify_all()


@operator("_image_crop")
def crop(g: Builder, data: Tensor, *, x: int, y: int, width: int, height: int) -> Tensor:
    """crop(data, x, y, width, height)

    The rectangle of `width` and `height` whose left upper corner is at column `x` and row `y`.
    """
    require_image(data)
    rows, columns = data.dims[-3:-1]
    channels_of(data, data.ndim - 1)
    for name, begin, length, size in (("width", x, width, columns), ("height", y, height, rows)):
        if begin < 0 or length < 1 or begin + length > size:
            raise ShapeError(f"parameter {name!r}: {length} from {begin} on is not within 0 ... {size}")
    return g.slice(data, [data.ndim - 3, data.ndim - 2], [y, x], [y + height, x + width])


@crop.numpy
def _(data: Array, x: int, y: int, width: int, height: int) -> Array | None:
    if data.ndim not in (3, 4) or data.shape[-1] not in (1, 3) or min(x, y, width - 1, height - 1) < 0:
        return None
    if x + width > data.shape[-2] or y + height > data.shape[-3]:
        return None
    return data[..., y : y + height, x : x + width, :].copy()


def mirrored(g: Builder, data: Tensor, axis: int) -> Tensor:
    """`data` with its elements along `axis` in reverse order."""
    last = g.ints(-1)
    return g.with_dims("Slice", data.dims, data, last, g.ints(_FIRST), g.ints(axis), last)


@operator("_image_flip_left_right")
def flip_left_right(g: Builder, data: Tensor) -> Tensor:
    """flip_left_right(data)

    An image (height, width, channels) with its columns in reverse order.
    """
    require_single_image(data)
    return mirrored(g, data, 1)


@operator("_image_flip_top_bottom")
def flip_top_bottom(g: Builder, data: Tensor) -> Tensor:
    """flip_top_bottom(data)

    An image (height, width, channels) with its rows in reverse order.
    """
    require_single_image(data)
    return mirrored(g, data, 0)


@flip_left_right.numpy
def _(data: Array) -> Array | None:
    return data[:, ::-1].copy() if data.ndim == 3 and data.shape[-1] in (1, 3) else None


@flip_top_bottom.numpy
def _(data: Array) -> Array | None:
    return data[::-1].copy() if data.ndim == 3 and data.shape[-1] in (1, 3) else None


@flip_left_right.infer_shape
@flip_top_bottom.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    s.unify_all()
