"""Gradient rules of sampling at computed places: both the images and the places have gradients."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import DimLike, prod
from ...interpolation import bilinear, image_starts, pixels
from ...ranges import numbers
from ...windows import Window, window_of
from ..engine import Gradient, attribute, rule, tensor, through

__all__: list[str] = []


def _unscaled(g: Builder, place: Tensor, size: DimLike, corners: bool) -> Tensor:
    """Places from -1 to 1 in pixels."""
    extent = g.cast(g.dim(size), place.dt)
    if corners:
        return (place + 1.0) * (extent - 1.0) * 0.5
    return ((place + 1.0) * extent - 1.0) * 0.5


def _reflected(g: Builder, place: Tensor, low: float, high: Tensor) -> Tensor:
    """Places outside of an axis thrown back at its ends, as often as it takes."""
    span = g.op("Max", high - low, 1e-9)
    turns = (place - low) / (span * 2.0)
    there = (turns - g.op("Floor", turns)) * (span * 2.0)
    return span - g.op("Abs", there - span) + low


def _inside(
    g: Builder, there: Tensor, size: DimLike, padding: str, corners: bool
) -> tuple[Tensor, Tensor | None]:
    """Whole places (floating) moved inside of an axis as int64, and which lie inside (None: their value counts)."""
    last = g.cast(g.dim(size - 1), there.dt)
    counted = None
    if padding == "reflection":
        low = 0.0 if corners else -0.5
        there = g.op("Round", _reflected(g, there, low, last - low))
    elif padding == "zeros":
        counted = g.op("And", g.op("GreaterOrEqual", there, 0.0), g.op("LessOrEqual", there, last))
    return g.cast(g.op("Min", g.op("Max", there, 0.0), last), np.int64), counted


def _cubic(g: Builder, part: Tensor) -> list[Tensor]:
    """Keys' weights (a = -0.75) of the four elements around a place that lies `part` behind the second."""
    a = -0.75
    found: list[Tensor] = []
    for distance in (part + 1.0, part, 1.0 - part, 2.0 - part):
        square = distance * distance
        if distance is part or len(found) == 2:
            found.append((distance * (a + 2) - (a + 3)) * square + 1.0)
        else:
            found.append(((distance * a - 5 * a) * distance + 8 * a) * distance - 4 * a)
    return found


def _elements(
    g: Builder, place: Tensor, size: DimLike, mode: str, padding: str, corners: bool
) -> list[tuple[Tensor, Tensor | None]]:
    """The elements of an axis that the value at each place is made of: positions, and weights (None: one)."""
    last = g.cast(g.dim(size - 1), place.dt)
    if mode == "nearest":
        place = g.op("Round", place)
    if padding == "border" and mode != "cubic":  # of cubic ones only the elements are moved inside
        place = g.op("Min", g.op("Max", place, 0.0), last)
    elif padding == "reflection":
        low = 0.0 if corners else -0.5
        place = _reflected(g, place, low, last - low)
    if mode == "nearest":
        parts: list[tuple[Tensor, Tensor | None]] = [(g.op("Round", place), None)]
    else:
        below = g.op("Floor", place)
        part = place - below
        weights = _cubic(g, part) if mode == "cubic" else [1.0 - part, part]
        first = -1.0 if mode == "cubic" else 0.0
        parts = [(below + (first + k), w) for k, w in enumerate(weights)]
    found: list[tuple[Tensor, Tensor | None]] = []
    for there, weight in parts:
        position, counted = _inside(g, there, size, padding, corners)
        if counted is not None:
            mask = g.cast(counted, place.dt)
            weight = mask if weight is None else weight * mask
        found.append((position, weight))
    return found


def _sampled(g: Builder, images: Tensor, grid: Tensor, mode: str, padding: str, corners: bool) -> Tensor:
    """The values of images of any rank at the places of a grid."""
    batch, channels, *sizes = images.dims
    rank = len(sizes)
    rows = g.reshape(g.transpose(images, [0, *range(2, rank + 2), 1]), (prod((batch, *sizes)), channels))
    starts = g.reshape(numbers(g, batch) * g.dim(prod(sizes)), (batch, *(1,) * rank))
    axes = []
    for k, size in enumerate(sizes):
        part = g.squeeze(g.slice(grid, [rank + 1], [rank - 1 - k], [rank - k]), rank + 1)
        axes.append(_elements(g, _unscaled(g, part, size, corners), size, mode, padding, corners))
    total: Tensor | None = None
    for chosen in itertools.product(*axes):
        place, weight = starts, None
        for k, (position, w) in enumerate(chosen):
            place = place + position * g.dim(prod(sizes[k + 1 :]))
            weight = w if weight is None else weight if w is None else weight * w
        value = g.op("Gather", rows, place, axis=0)
        value = value if weight is None else value * g.unsqueeze(weight, weight.ndim)
        total = value if total is None else total + value
    assert total is not None
    return g.transpose(total, [0, rank + 1, *range(1, rank + 1)])


@rule("GridSample")
def grid_sample(g: Builder, n: ir.Node, dy: Tensor) -> Sequence[Gradient]:
    """That of gathered neighbours and their weights."""
    mode, padding = attribute(n, "mode", "linear"), attribute(n, "padding_mode", "zeros")
    corners = bool(attribute(n, "align_corners", 0))

    def bilinear_images(b: Builder, images: Tensor, grid: Tensor) -> Tensor:
        sizes = images.dims[2:]
        places = []
        for k, size in ((1, sizes[0]), (0, sizes[1])):
            part = b.squeeze(b.slice(grid, [3], [k], [k + 1]), 3)
            place = _unscaled(b, part, size, corners)
            if padding == "border":
                last = b.cast(b.dim(size - 1), place.dt)
                place = b.op("Min", b.op("Max", place, 0.0), last)
            places.append(place)
        values = bilinear(b, pixels(b, images), image_starts(b, images, 3), sizes, *places)
        return b.transpose(values, [0, 3, 1, 2])

    if mode == "linear" and padding in ("zeros", "border") and tensor(n.inputs[0]).ndim == 4:
        return through(g, n, bilinear_images, dy)
    return through(g, n, lambda b, x, grid: _sampled(b, x, grid, mode, padding, corners), dy)


def _places(g: Builder, window: Window, offset: Tensor, axis: int) -> Tensor:
    """Where each element of each window lies along an axis: (batch, groups, elements, height, width)."""
    kernel, size = window.kernel, offset.dims[4 + axis]
    shape: list[DimLike] = [1, 1, 1, 1, 1]
    shape[3 + axis] = size
    corner = numbers(g, size) * np.int64(window.strides[axis]) - np.int64(window.before[axis])
    points = np.arange(kernel[axis], dtype=np.int64) * window.dilations[axis]
    points = np.repeat(points, kernel[1]) if axis == 0 else np.tile(points, kernel[0])
    base = g.reshape(corner, shape) + points.reshape(1, 1, -1, 1, 1)
    return g.cast(base, offset.dt) + g.squeeze(g.slice(offset, [3], [axis], [axis + 1]), 3)


@rule("DeformConv")
def deform_conv(g: Builder, n: ir.Node, *dys: Tensor) -> Sequence[Gradient]:
    """That of the product of the weight with sampled elements."""
    group, parts = int(attribute(n, "group", 1)), int(attribute(n, "offset_group", 1))
    attributes = {k: a.value for k, a in n.attributes.items()}

    def expand(
        b: Builder,
        x: Tensor,
        w: Tensor,
        offset: Tensor,
        bias: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        batch, channels, *size = x.dims
        filters, per_group, *kernel = w.dims
        window = window_of(attributes, size, [int(k) for k in kernel])
        points, sizes = prod(kernel), offset.dims[2:]
        moves = b.reshape(offset, (batch, parts, points, 2, *sizes))
        images = b.reshape(x, (batch * parts, channels // parts, *size))
        starts = b.reshape(image_starts(b, images, 1), (batch, parts, 1, 1, 1))
        places = [_places(b, window, moves, axis) for axis in (0, 1)]
        taken = bilinear(b, pixels(b, images), starts, size, *places)
        if mask is not None:
            taken = taken * b.reshape(mask, (batch, parts, points, *sizes, 1))
        rows = b.transpose(taken, [0, 1, 5, 2, 3, 4])  # (batch, parts, channels, elements, height, width)
        cells = prod(sizes)
        rows = b.reshape(rows, (batch, group, per_group * points, cells))
        weight = b.reshape(w, (1, group, filters // group, per_group * points))
        y = b.reshape(b.op("MatMul", weight, rows), (batch, filters, *sizes))
        return y if bias is None else y + b.reshape(bias, (filters, 1, 1))

    return through(g, n, expand, *dys)
