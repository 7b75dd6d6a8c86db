"""Gradient rules of sampling at computed places: both the images and the places have gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import DimLike, prod
from ...errors import NotDifferentiableError
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


@rule("GridSample")
def grid_sample(g: Builder, n: ir.Node, dy: Tensor) -> Sequence[Gradient]:
    """That of four gathered neighbours and their weights."""
    mode, padding = attribute(n, "mode", "linear"), attribute(n, "padding_mode", "zeros")
    if (
        mode not in ("linear", "bilinear")
        or padding not in ("zeros", "border")
        or tensor(n.inputs[0]).ndim != 4
    ):
        raise NotDifferentiableError(
            "no gradient rule for the ONNX operator 'GridSample' unless it samples images linearly, with zeros or "
            f"the border around them; got mode {mode!r}, padding_mode {padding!r}"
        )
    corners = bool(attribute(n, "align_corners", 0))

    def expand(b: Builder, images: Tensor, grid: Tensor) -> Tensor:
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

    return through(g, n, expand, dy)


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
