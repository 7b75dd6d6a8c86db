"""Augmenters: images (height, width, channels) in, changed images out.

They draw from the modules `random` and `numpy.random` in MXNet's order, so that equal seeds give equal images. Those
that change colors expect floating-point images (see `CastAug`) and change them in place.
"""

from __future__ import annotations

import json
import math
import random
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..ndarray import NDArray
from .image import (
    _get_interp_method,
    center_crop,
    color_normalize,
    imresize,
    random_crop,
    random_size_crop,
    resize_short,
)

__all__ = [
    "Augmenter",
    "BrightnessJitterAug",
    "CastAug",
    "CenterCropAug",
    "ColorJitterAug",
    "ColorNormalizeAug",
    "ContrastJitterAug",
    "CreateAugmenter",
    "ForceResizeAug",
    "HorizontalFlipAug",
    "HueJitterAug",
    "LightingAug",
    "RandomCropAug",
    "RandomGrayAug",
    "RandomOrderAug",
    "RandomSizedCropAug",
    "ResizeAug",
    "SaturationJitterAug",
    "SequentialAug",
]

_LUMA = (0.299, 0.587, 0.114)  # shares of red, green and blue in brightness (ITU-R BT.601)
_TO_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.321), (0.211, -0.523, 0.311))
_FROM_YIQ = ((1.0, 0.956, 0.621), (1.0, -0.272, -0.647), (1.0, -1.107, 1.705))
_GRAY = (0.21, 0.72, 0.07)
_IMAGENET_MEAN, _IMAGENET_STD = (123.68, 116.28, 103.53), (58.395, 57.12, 57.375)
# Principal components of the colors of ImageNet (Krizhevsky et al., 2012).
_EIGENVALUES = (55.46, 4.794, 1.148)
_EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))


class Augmenter:
    """Base of augmenters: a subclass defines ``__call__(src)``, which returns the new image.

    Parameters
    ----------
    kwargs : what `dumps` tells of this augmenter.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = {k: _plain(v) for k, v in kwargs.items()}

    def dumps(self) -> Any:
        """The augmenter's name and parameters as JSON."""
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __call__(self, src: NDArray) -> NDArray:
        """The changed image."""
        raise TypeError(f"{type(self).__name__} must define __call__(src)")


def _plain(value: Any) -> Any:
    if isinstance(value, NDArray):
        value = value.asnumpy()
    return value.tolist() if isinstance(value, np.ndarray) else value


class SequentialAug(Augmenter):
    """Several augmenters, one after the other."""

    def __init__(self, ts: Sequence[Augmenter]) -> None:
        super().__init__()
        self.ts = ts

    def dumps(self) -> Any:
        """The augmenter's name, and what its augmenters tell."""
        return [type(self).__name__.lower(), [t.dumps() for t in self.ts]]

    def __call__(self, src: NDArray) -> NDArray:
        for t in self.ts:
            src = t(src)
        return src


class RandomOrderAug(SequentialAug):
    """Several augmenters in random order."""

    def __init__(self, ts: Sequence[Augmenter]) -> None:
        super().__init__(list(ts))

    def __call__(self, src: NDArray) -> NDArray:
        assert isinstance(self.ts, list)
        random.shuffle(self.ts)
        return super().__call__(src)


class ResizeAug(Augmenter):
    """`resize_short`: the shorter side becomes `size`."""

    def __init__(self, size: int, interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size = size
        self.interp = interp

    def __call__(self, src: NDArray) -> NDArray:
        return resize_short(src, self.size, self.interp)


class ForceResizeAug(Augmenter):
    """Resize to `size`, (width, height), whatever the ratio."""

    def __init__(self, size: tuple[int, int], interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size = size
        self.interp = interp

    def __call__(self, src: NDArray) -> NDArray:
        width, height = self.size
        method = _get_interp_method(self.interp, (src.shape[0], src.shape[1], height, width))
        return imresize(src, width, height, interp=method)


class RandomCropAug(Augmenter):
    """`random_crop` to `size`, (width, height)."""

    def __init__(self, size: tuple[int, int], interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size = size
        self.interp = interp

    def __call__(self, src: NDArray) -> NDArray:
        return random_crop(src, self.size, self.interp)[0]


class CenterCropAug(Augmenter):
    """`center_crop` to `size`, (width, height)."""

    def __init__(self, size: tuple[int, int], interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size = size
        self.interp = interp

    def __call__(self, src: NDArray) -> NDArray:
        return center_crop(src, self.size, self.interp)[0]


class RandomSizedCropAug(Augmenter):
    """`random_size_crop`: a rectangle of random area and ratio, resized to `size`, (width, height)."""

    def __init__(
        self, size: tuple[int, int], area: Any, ratio: tuple[float, float], interp: int = 2, **kwargs: Any
    ) -> None:
        if "min_area" in kwargs:
            warnings.warn(
                "`min_area` is deprecated. Please use `area` instead.", DeprecationWarning, stacklevel=2
            )
            area = kwargs.pop("min_area")
        if kwargs:
            raise TypeError(f"RandomSizedCropAug got unknown arguments {sorted(kwargs)}")
        super().__init__(size=size, area=area, ratio=ratio, interp=interp)
        self.size = size
        self.area = area
        self.ratio = ratio
        self.interp = interp

    def __call__(self, src: NDArray) -> NDArray:
        return random_size_crop(src, self.size, self.area, self.ratio, self.interp)[0]


class BrightnessJitterAug(Augmenter):
    """Multiply by a random number between ``1 - brightness`` and ``1 + brightness``."""

    def __init__(self, brightness: float) -> None:
        super().__init__(brightness=brightness)
        self.brightness = brightness

    def __call__(self, src: NDArray) -> NDArray:
        src *= 1.0 + random.uniform(-self.brightness, self.brightness)
        return src


class ContrastJitterAug(Augmenter):
    """Change differences from the mean brightness by a random factor of ``1 - contrast`` to ``1 + contrast``."""

    def __init__(self, contrast: float) -> None:
        super().__init__(contrast=contrast)
        self.contrast = contrast

    def __call__(self, src: NDArray) -> NDArray:
        alpha = 1.0 + random.uniform(-self.contrast, self.contrast)
        gray = src * nd.array([[_LUMA]])
        shift = nd.sum(gray) * (3.0 * (1.0 - alpha) / gray.size)
        src *= alpha
        src += shift
        return src


class SaturationJitterAug(Augmenter):
    """Change differences from each pixel's gray by a random factor of ``1 - saturation`` to ``1 + saturation``."""

    def __init__(self, saturation: float) -> None:
        super().__init__(saturation=saturation)
        self.saturation = saturation

    def __call__(self, src: NDArray) -> NDArray:
        alpha = 1.0 + random.uniform(-self.saturation, self.saturation)
        gray = nd.sum(src * nd.array([[_LUMA]]), axis=2, keepdims=True)
        src *= alpha
        src += gray * (1.0 - alpha)
        return src


class HueJitterAug(Augmenter):
    """Turn colors about the axis of grays by a random angle of at most ``hue`` half turns (in the space YIQ)."""

    def __init__(self, hue: float) -> None:
        super().__init__(hue=hue)
        self.hue = hue

    def __call__(self, src: NDArray) -> NDArray:
        angle = random.uniform(-self.hue, self.hue) * math.pi
        c, s = math.cos(angle), math.sin(angle)
        turn = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
        matrix = (np.array(_FROM_YIQ) @ turn @ np.array(_TO_YIQ)).T
        result: NDArray = nd.dot(src, nd.array(matrix))
        return result


class ColorJitterAug(RandomOrderAug):
    """Brightness, contrast and saturation in random order; 0 leaves one of them out."""

    def __init__(self, brightness: float, contrast: float, saturation: float) -> None:
        ts: list[Augmenter] = []
        if brightness > 0:
            ts.append(BrightnessJitterAug(brightness))
        if contrast > 0:
            ts.append(ContrastJitterAug(contrast))
        if saturation > 0:
            ts.append(SaturationJitterAug(saturation))
        super().__init__(ts)


class LightingAug(Augmenter):
    """Add noise along the principal components of colors.

    Parameters
    ----------
    alphastd : float
        Standard deviation of the noise.
    eigval, eigvec : arrays of shapes (3,) and (3, 3)
        Variances and directions (columns) of the components.
    """

    def __init__(self, alphastd: float, eigval: Any, eigvec: Any) -> None:
        super().__init__(alphastd=alphastd, eigval=eigval, eigvec=eigvec)
        self.alphastd = alphastd
        self.eigval = eigval
        self.eigvec = eigvec

    def __call__(self, src: NDArray) -> NDArray:
        alpha = np.random.normal(0, self.alphastd, size=(3,))
        src += nd.array(np.dot(np.asarray(self.eigvec) * alpha, self.eigval))
        return src


class ColorNormalizeAug(Augmenter):
    """`color_normalize`: subtract `mean`, divide by `std`; None leaves one of them out."""

    def __init__(self, mean: Any, std: Any) -> None:
        super().__init__(mean=mean, std=std)
        self.mean = mean if mean is None or isinstance(mean, NDArray) else nd.array(mean)
        self.std = std if std is None or isinstance(std, NDArray) else nd.array(std)

    def __call__(self, src: NDArray) -> NDArray:
        return color_normalize(src, self.mean, self.std)


class RandomGrayAug(Augmenter):
    """Make an image gray with probability `p`."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: NDArray) -> NDArray:
        if random.random() < self.p:
            src = nd.dot(src, nd.array([[share] * 3 for share in _GRAY]))
        return src


class HorizontalFlipAug(Augmenter):
    """Exchange left and right with probability `p`."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: NDArray) -> NDArray:
        if random.random() < self.p:
            src = nd.flip(src, axis=1)
        return src


class CastAug(Augmenter):
    """Convert to an element type."""

    def __init__(self, typ: str = "float32") -> None:
        super().__init__(type=typ)
        self.typ = typ

    def __call__(self, src: NDArray) -> NDArray:
        return src.astype(self.typ)


def CreateAugmenter(
    data_shape: tuple[int, int, int],
    resize: int = 0,
    rand_crop: bool = False,
    rand_resize: bool = False,
    rand_mirror: bool = False,
    mean: Any = None,
    std: Any = None,
    brightness: float = 0,
    contrast: float = 0,
    saturation: float = 0,
    hue: float = 0,
    pca_noise: float = 0,
    rand_gray: float = 0,
    inter_method: int = 2,
) -> list[Augmenter]:
    """The usual augmenters for training of classifiers.

    Parameters
    ----------
    data_shape : (channels, height, width)
        Of the results.
    resize : int
        First resize the shorter side to this length.
    rand_crop : bool
        Cut out a random rectangle, not the middle.
    rand_resize : bool
        Of random area and ratio; needs `rand_crop`.
    rand_mirror : bool
        Exchange left and right for every second image.
    mean, std : True or array of 1 or 3 elements, optional
        For `ColorNormalizeAug`; True stands for ImageNet's.
    brightness, contrast, saturation, hue, pca_noise, rand_gray : float
        Parameters of the augmenters of these names; 0 leaves them out.
    inter_method : int
        See `imresize`.

    Raises
    ------
    ValueError : `rand_resize` without `rand_crop`, or a mean or std of another form.
    """
    if rand_resize and not rand_crop:
        raise ValueError("CreateAugmenter: rand_resize=True needs rand_crop=True")
    size = data_shape[2], data_shape[1]
    found: list[Augmenter] = [ResizeAug(resize, inter_method)] if resize > 0 else []
    if rand_resize:
        found.append(RandomSizedCropAug(size, 0.08, (3.0 / 4.0, 4.0 / 3.0), inter_method))
    else:
        found.append((RandomCropAug if rand_crop else CenterCropAug)(size, inter_method))
    if rand_mirror:
        found.append(HorizontalFlipAug(0.5))
    found.append(CastAug())
    if brightness or contrast or saturation:
        found.append(ColorJitterAug(brightness, contrast, saturation))
    if hue:
        found.append(HueJitterAug(hue))
    if pca_noise > 0:
        found.append(LightingAug(pca_noise, np.array(_EIGENVALUES), np.array(_EIGENVECTORS)))
    if rand_gray > 0:
        found.append(RandomGrayAug(rand_gray))
    mean, std = _statistics("mean", mean, _IMAGENET_MEAN), _statistics("std", std, _IMAGENET_STD)
    if mean is not None or std is not None:
        found.append(ColorNormalizeAug(mean, std))
    return found


def _statistics(name: str, given: Any, usual: tuple[float, ...]) -> Any:
    if given is True:
        return nd.array(usual)
    if given is not None and (not isinstance(given, np.ndarray | NDArray) or given.shape[0] not in (1, 3)):
        raise ValueError(
            f"CreateAugmenter: {name} must be True or an array of 1 or 3 elements, got {given!r}"
        )
    return given
