"""Random changes of images (height, width, channels) and of their colours.

Values of uint8 are clipped to 0 ... 255 and their fractions cut off after each change; other types are not clipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..errors import ShapeError
from ..loops import either
from ..random import bernoulli, normal, uniform
from ..sampling import permutation
from ..shapes import ShapeContext
from .image import mirrored, require_single_image
from .registry import operator
from .schema import Floats

__all__: list[str] = []

_GREY = np.array([0.299, 0.587, 0.114], np.float32)
# The main axes of the colours of ImageNet's images, and how far these spread along them.
_COLOURS = np.array(
    [
        [55.46 * -0.5675, 4.794 * 0.7192, 1.148 * 0.4009],
        [55.46 * -0.5808, 4.794 * -0.0045, 1.148 * -0.8140],
        [55.46 * -0.5836, 4.794 * -0.6948, 1.148 * 0.4203],
    ],
    np.float32,
)


def _work(g: Builder, data: Tensor) -> Tensor:
    """`data` in float32, as a tensor of `g`."""
    return g.op("Identity", data) if data.dt == np.float32 else g.cast(data, np.float32)


def _saturated(g: Builder, x: Tensor, dt: np.dtype[Any]) -> Tensor:
    return g.cast(g.op("Clip", x, 0.0, 255.0) if dt == np.uint8 else x, dt)


def _brightness(g: Builder, data: Tensor, factor: Tensor) -> Tensor:
    return _saturated(g, _work(g, data) * factor, data.dt)


def _grey(g: Builder, x: Tensor) -> Tensor:
    """The brightness of every pixel: shape (height, width, 1)."""
    return x if x.dims[2] == 1 else g.op("MatMul", x, _GREY.reshape(3, 1))


def _contrast(g: Builder, data: Tensor, factor: Tensor) -> Tensor:
    x = _work(g, data)
    mean = g.reduce("Mean", _grey(g, x), [0, 1, 2], keepdims=True)
    return _saturated(g, (x - mean) * factor + mean, data.dt)


def _saturation(g: Builder, data: Tensor, factor: Tensor) -> Tensor:
    if data.dims[2] == 1:
        return g.op("Identity", data)
    x = _work(g, data)
    grey = _grey(g, x)
    return _saturated(g, (x - grey) * factor + grey, data.dt)


def _hue(g: Builder, data: Tensor, turn: Tensor) -> Tensor:
    """The colour circle turned; 1 is a full turn. Greatest and least channel of a pixel stay as they are."""
    if data.dims[2] == 1:
        return g.op("Identity", data)
    x = _work(g, data)
    red, green, blue = (g.slice(x, [2], [c], [c + 1]) for c in range(3))
    most, least = g.reduce("Max", x, [2], keepdims=True), g.reduce("Min", x, [2], keepdims=True)
    spread = most - least
    grey = g.op("LessOrEqual", spread, 255 * float(np.finfo(np.float32).eps))
    inverse = 1.0 / g.op("Where", grey, g.const(np.float32(1)), spread)
    sixth = g.op(
        "Where",
        g.op("Equal", most, red),
        (green - blue) * inverse,
        g.op(
            "Where", g.op("Equal", most, green), (blue - red) * inverse + 2.0, (red - green) * inverse + 4.0
        ),
    )
    place = (sixth * 2.0 + turn * 12.0) + np.array([0, 8, 4], np.float32)
    place = place - g.op("Floor", place * (1 / 12)) * 12.0
    height = g.op("Clip", g.op("Min", place - 3.0, 9.0 - place), -1.0, 1.0)
    middle = (most + least) * 0.5
    turned = middle - spread * 0.5 * height
    return _saturated(g, g.op("Where", grey, middle, turned), data.dt)


def _lighting(g: Builder, data: Tensor, alpha: Tensor) -> Tensor:
    if data.dims[2] == 1:
        return g.op("Identity", data)
    shift = g.op("MatMul", g.reshape(alpha, (1, 3)), _COLOURS.T)
    return _saturated(g, _work(g, data) + shift, data.dt)


def _between(g: Builder, low: float, high: float) -> Tensor:
    if high < low:
        raise ShapeError(f"expected limits in order, got {low} ... {high}")
    return uniform(g, (1,)) * (high - low) + low


def _limits(min_factor: float, max_factor: float) -> None:
    for name, value in (("min_factor", min_factor), ("max_factor", max_factor)):
        if value < 0:
            raise ShapeError(f"parameter {name!r}: expected a factor of 0 or more, got {value}")


@operator("_image_random_flip_left_right", stochastic=True)
def random_flip_left_right(g: Builder, data: Tensor) -> Tensor:
    """random_flip_left_right(data)

    The columns in reverse order, with a probability of one half.
    """
    require_single_image(data)
    return g.op("Where", bernoulli(g, (1,), 0.5), mirrored(g, data, 1), data)


@operator("_image_random_flip_top_bottom", stochastic=True)
def random_flip_top_bottom(g: Builder, data: Tensor) -> Tensor:
    """random_flip_top_bottom(data)

    The rows in reverse order, with a probability of one half.
    """
    require_single_image(data)
    return g.op("Where", bernoulli(g, (1,), 0.5), mirrored(g, data, 0), data)


@operator("_image_random_brightness", stochastic=True)
def random_brightness(g: Builder, data: Tensor, *, min_factor: float, max_factor: float) -> Tensor:
    """random_brightness(data, min_factor, max_factor)

    Multiply by a factor between the limits.
    """
    require_single_image(data)
    _limits(min_factor, max_factor)
    return _brightness(g, data, _between(g, min_factor, max_factor))


@operator("_image_random_contrast", stochastic=True)
def random_contrast(g: Builder, data: Tensor, *, min_factor: float, max_factor: float) -> Tensor:
    """random_contrast(data, min_factor, max_factor)

    Multiply the distance from the image's mean brightness by a factor between the limits.
    """
    require_single_image(data)
    _limits(min_factor, max_factor)
    return _contrast(g, data, _between(g, min_factor, max_factor))


@operator("_image_random_saturation", stochastic=True)
def random_saturation(g: Builder, data: Tensor, *, min_factor: float, max_factor: float) -> Tensor:
    """random_saturation(data, min_factor, max_factor)

    Multiply the distance from each pixel's brightness by a factor between the limits. (MXNet takes the blue
    channel's part of the brightness alone for it.)
    """
    require_single_image(data)
    _limits(min_factor, max_factor)
    return _saturation(g, data, _between(g, min_factor, max_factor))


@operator("_image_random_hue", stochastic=True)
def random_hue(g: Builder, data: Tensor, *, min_factor: float, max_factor: float) -> Tensor:
    """random_hue(data, min_factor, max_factor)

    Turn the colour circle by a number of turns between the limits.
    """
    require_single_image(data)
    _limits(min_factor, max_factor)
    return _hue(g, data, _between(g, min_factor, max_factor))


@operator("_image_random_color_jitter", stochastic=True)
def random_color_jitter(
    g: Builder, data: Tensor, *, brightness: float, contrast: float, saturation: float, hue: float
) -> Tensor:
    """random_color_jitter(data, brightness, contrast, saturation, hue)

    Random changes in random order, those with a parameter above 0: of brightness, contrast and saturation by a
    factor up to that far from 1, of the hue by up to that many turns.
    """
    require_single_image(data)
    wanted: list[tuple[Callable[[Builder, Tensor, Tensor], Tensor], Tensor]] = []
    for change, limit, middle in (
        (_brightness, brightness, 1.0),
        (_contrast, contrast, 1.0),
        (_saturation, saturation, 1.0),
        (_hue, hue, 0.0),
    ):
        if limit > 0:
            wanted.append((change, _between(g, middle - limit, middle + limit)))
    if len(wanted) < 2:
        return wanted[0][0](g, data, wanted[0][1]) if wanted else g.op("Identity", data)
    order = permutation(g, len(wanted))
    for k in range(len(wanted)):
        data = _one_of(g, data, g.slice(order, [0], [k], [k + 1]), wanted)
    return data


def _one_of(
    g: Builder,
    data: Tensor,
    number: Tensor,
    changes: list[tuple[Callable[[Builder, Tensor, Tensor], Tensor], Tensor]],
) -> Tensor:
    """The change whose place in the list is `number`."""
    change, amount = changes[-1]
    if len(changes) == 1:
        return change(g, data, amount)
    here = g.op("Equal", number, np.int64(len(changes) - 1))
    return either(
        g, here, lambda b: change(b, data, amount), lambda b: _one_of(b, data, number, changes[:-1])
    )


@operator("_image_adjust_lighting")
def adjust_lighting(g: Builder, data: Tensor, *, alpha: Floats) -> Tensor:
    """adjust_lighting(data, alpha)

    Add the main axes of the colours of ImageNet's images, times the three numbers `alpha` and the spread
    along each (Krizhevsky et al., 2012).
    """
    require_single_image(data)
    if len(alpha) != 3:
        raise ShapeError(f"parameter 'alpha': expected three numbers, got {alpha}")
    return _lighting(g, data, g.const(np.asarray(alpha, np.float32)))


@operator("_image_random_lighting", stochastic=True)
def random_lighting(g: Builder, data: Tensor, *, alpha_std: float = 0.05) -> Tensor:
    """random_lighting(data, alpha_std=0.05)

    `adjust_lighting` by normally distributed numbers of the standard deviation given.
    """
    require_single_image(data)
    return _lighting(g, data, normal(g, (3,)) * alpha_std)


@random_flip_left_right.infer_shape
@random_flip_top_bottom.infer_shape
@random_brightness.infer_shape
@random_contrast.infer_shape
@random_saturation.infer_shape
@random_hue.infer_shape
@random_color_jitter.infer_shape
@random_lighting.infer_shape
@adjust_lighting.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    s.unify_all()
