"""Transforms of images, as blocks.

Images are NDArrays of shape (height, width, channels) until `ToTensor` makes them (channels, height, width).
Those that change no values of a batch one by one also take batches with an axis in front. What is random in
`RandomApply` comes from the module `random`, in crops and rotations from `random` and `numpy.random`, and
elsewhere from `mx.random`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .... import image
from ....base import numeric_types
from ....ndarray import NDArray
from ...block import Block
from ...hybrid_block import HybridBlock
from ...nn import Lambda, Sequential

__all__ = [
    "Cast",
    "CenterCrop",
    "Compose",
    "CropResize",
    "Normalize",
    "RandomApply",
    "RandomBrightness",
    "RandomColorJitter",
    "RandomContrast",
    "RandomFlipLeftRight",
    "RandomFlipTopBottom",
    "RandomHue",
    "RandomLighting",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSaturation",
    "Resize",
    "Rotate",
    "ToTensor",
]


class Compose(Sequential):
    """Transforms one after another.

    Parameters
    ----------
    transforms : list of callables
        Blocks, or functions of an image.
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        super().__init__()
        for transform in transforms:
            self.add(transform if isinstance(transform, Block) else Lambda(transform))


class Cast(HybridBlock):
    """Change the element type.

    Parameters
    ----------
    dtype : str or NumPy type
    """

    def __init__(self, dtype: Any = "float32") -> None:
        super().__init__()
        self._dtype = np.dtype(dtype).name

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return F.cast(x, dtype=self._dtype)


class ToTensor(HybridBlock):
    """Move the channels to the front and scale 0 ... 255 to 0 ... 1, as float32 (operator ``_image_to_tensor``)."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return F.image.to_tensor(x)


class Normalize(HybridBlock):
    """Subtract a mean from tensors (channels, height, width) and divide by a deviation.

    Parameters
    ----------
    mean, std : float or tuple of float
        One for all channels or one for each.
    """

    def __init__(self, mean: Any = 0.0, std: Any = 1.0) -> None:
        super().__init__()
        self._mean = mean
        self._std = std

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return F.image.normalize(x, mean=self._mean, std=self._std)


class Rotate(Block):
    """Rotate float32 tensors (channels, height, width) about their middle; see `mx.image.imrotate`.

    Parameters
    ----------
    rotation_degrees : float
    zoom_in : bool
        Enlarge so that no corner is empty.
    zoom_out : bool
        Shrink so that nothing is cut off.
    """

    def __init__(self, rotation_degrees: Any, zoom_in: bool = False, zoom_out: bool = False) -> None:
        super().__init__()
        self._args = rotation_degrees, zoom_in, zoom_out

    def forward(self, x: NDArray) -> NDArray:
        return image.imrotate(_as_float32(x), *self._args)


class RandomRotation(Block):
    """Rotate float32 tensors by random angles.

    Parameters
    ----------
    angle_limits : (float, float)
        Smallest and largest angle in degrees.
    zoom_in, zoom_out : bool
        See `Rotate`.
    rotate_with_proba : float
        Probability that a tensor or a batch is rotated at all.

    Raises
    ------
    ValueError
        For limits that are not in order, or a probability outside 0 ... 1.
    """

    def __init__(
        self,
        angle_limits: tuple[float, float],
        zoom_in: bool = False,
        zoom_out: bool = False,
        rotate_with_proba: float = 1.0,
    ) -> None:
        super().__init__()
        lower, upper = angle_limits
        if lower >= upper:
            raise ValueError(f"`angle_limits` must be an ordered tuple, got {angle_limits}")
        if not 0 <= rotate_with_proba <= 1:
            raise ValueError(f"rotate_with_proba must be a probability between 0 and 1, got {rotate_with_proba}")
        self._args = (lower, upper), zoom_in, zoom_out
        self._rotate_with_proba = rotate_with_proba

    def forward(self, x: NDArray) -> NDArray:
        if np.random.random() > self._rotate_with_proba:
            return x
        return image.random_rotate(_as_float32(x), *self._args)


def _as_float32(x: NDArray) -> NDArray:
    if x.dtype is not np.float32:
        raise TypeError("This transformation only supports float32. Consider calling it after ToTensor")
    return x


class RandomResizedCrop(Block):
    """Cut out a rectangle of random size and shape, and resize it.

    Parameters
    ----------
    size : int or (width, height)
    scale : (float, float)
        Limits of its share of the image's area.
    ratio : (float, float)
        Limits of its width divided by its height.
    interpolation : int
        See `mx.image.imresize`.
    """

    def __init__(
        self,
        size: Any,
        scale: Any = (0.08, 1.0),
        ratio: tuple[float, float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: int = 1,
    ) -> None:
        super().__init__()
        self._args = _pair(size), scale, ratio, interpolation

    def forward(self, x: NDArray) -> NDArray:
        return image.random_size_crop(x, *self._args)[0]


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, numeric_types) else tuple(size)


class CropResize(HybridBlock):
    """Cut out a given rectangle, and resize it if asked to.

    Parameters
    ----------
    x, y : int
        Its left upper corner.
    width, height : int
        Its size.
    size : int or (width, height), optional
        New size.
    interpolation : int, optional
        See `mx.image.imresize`.
    """

    def __init__(
        self, x: int, y: int, width: int, height: int, size: Any = None, interpolation: int | None = None
    ) -> None:
        super().__init__()
        self._box = {"x": x, "y": y, "width": width, "height": height}
        self._size = size
        self._interpolation = interpolation

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        out = F.image.crop(x, **self._box)
        if not self._size:
            return out
        interp = 1 if self._interpolation is None else self._interpolation
        return F.image.resize(out, size=self._size, keep_ratio=False, interp=interp)


class CenterCrop(Block):
    """Cut out the middle; of a smaller image one that is scaled up.

    Parameters
    ----------
    size : int or (width, height)
    interpolation : int
        See `mx.image.imresize`.
    """

    def __init__(self, size: Any, interpolation: int = 1) -> None:
        super().__init__()
        self._args = _pair(size), interpolation

    def forward(self, x: NDArray) -> NDArray:
        return image.center_crop(x, *self._args)[0]


class Resize(HybridBlock):
    """Resize images (operator ``_image_resize``).

    Parameters
    ----------
    size : int or (width, height)
    keep_ratio : bool
        Make the shorter side as long as an integer `size`, instead of both.
    interpolation : int
        See `mx.image.imresize`.
    """

    def __init__(self, size: Any, keep_ratio: bool = False, interpolation: int = 1) -> None:
        super().__init__()
        self._keep = keep_ratio
        self._size = size
        self._interpolation = interpolation

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return F.image.resize(x, size=self._size, keep_ratio=self._keep, interp=self._interpolation)


class RandomFlipLeftRight(HybridBlock):
    """Mirror left and right with a probability of one half."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return F.image.random_flip_left_right(x)


class RandomFlipTopBottom(HybridBlock):
    """Mirror top and bottom with a probability of one half."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return F.image.random_flip_top_bottom(x)


class _Factor(HybridBlock):
    """A transform with a factor from max(0, 1 - change) to 1 + change."""

    def __init__(self, change: float) -> None:
        super().__init__()
        self._limits = {"min_factor": max(0, 1 - change), "max_factor": 1 + change}


class RandomBrightness(_Factor):
    """Multiply brightness by a random factor.

    Parameters
    ----------
    brightness : float
        The factor lies between ``max(0, 1 - brightness)`` and ``1 + brightness``.
    """

    def __init__(self, brightness: float) -> None:
        super().__init__(brightness)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return F.image.random_brightness(x, **self._limits)


class RandomContrast(_Factor):
    """Multiply the distance from mean grey by a random factor.

    Parameters
    ----------
    contrast : float
        The factor lies between ``max(0, 1 - contrast)`` and ``1 + contrast``.
    """

    def __init__(self, contrast: float) -> None:
        super().__init__(contrast)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return F.image.random_contrast(x, **self._limits)


class RandomSaturation(_Factor):
    """Multiply the distance from the grey image by a random factor.

    Parameters
    ----------
    saturation : float
        The factor lies between ``max(0, 1 - saturation)`` and ``1 + saturation``.
    """

    def __init__(self, saturation: float) -> None:
        super().__init__(saturation)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return F.image.random_saturation(x, **self._limits)


class RandomHue(_Factor):
    """Turn the hue by a random factor.

    Parameters
    ----------
    hue : float
        The factor lies between ``max(0, 1 - hue)`` and ``1 + hue``.
    """

    def __init__(self, hue: float) -> None:
        super().__init__(hue)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return F.image.random_hue(x, **self._limits)


class RandomColorJitter(HybridBlock):
    """Change brightness, contrast, saturation and hue at random, in random order.

    Parameters
    ----------
    brightness, contrast, saturation, hue : float
        How far each factor may lie from 1.
    """

    def __init__(
        self, brightness: float = 0, contrast: float = 0, saturation: float = 0, hue: float = 0
    ) -> None:
        super().__init__()
        self._changes = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return F.image.random_color_jitter(x, **self._changes)


class RandomLighting(HybridBlock):
    """Add random multiples of the main colours of ImageNet (Krizhevsky et al., 2012).

    Parameters
    ----------
    alpha : float
        Standard deviation of the multiples.
    """

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self._alpha = alpha

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return F.image.random_lighting(x, alpha_std=self._alpha)


class RandomApply(Sequential):
    """Apply a transform or leave the image as it is.

    Parameters
    ----------
    transforms : callable
        For instance a `Compose`.
    p : float
        Probability that it is applied.
    """

    def __init__(self, transforms: Callable[[Any], Any], p: float = 0.5) -> None:
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, x: Any) -> Any:
        return x if self.p < random.random() else self.transforms(x)
