"""Gradient rules of pooling over regions of interest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import Dim
from ...interpolation import image_starts, neighbours, pixels
from ..engine import Gradient, rule, through

__all__: list[str] = []


def _samples(
    b: Builder, start: Tensor, size: Tensor, bins: int, samples: int, length: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Places (regions, bins, places) of an axis, moved inside; which lie near it; and which are there at all."""
    step = b.unsqueeze(size * (1.0 / bins), 1, 2)
    if samples > 0:
        number: Tensor = b.const(np.full((1, 1, 1), samples), start.dt)
        index = b.const(np.arange(samples), start.dt)
    else:  # as many as there are pixels in a bin, in each region
        number = b.op("Max", b.op("Ceil", step), 1.0)
        most = b.cast(b.reduce("Max", number, [0, 1, 2]), np.int64)
        length_ = Dim.symbol(b.unique("samples"))
        index = b.with_dims("Range", (length_,), b.const(np.int64(0)), most, b.const(np.int64(1)))
        b.learn(index)
        index = b.cast(index, start.dt)
    bin_ = b.reshape(b.const(np.arange(bins), start.dt), (bins, 1))
    place = b.unsqueeze(start, 1, 2) + bin_ * step + (index + 0.5) * step / number
    near = b.op("And", b.op("GreaterOrEqual", place, -1.0), b.op("LessOrEqual", place, length))
    there = b.op("Less", index, number)
    return b.op("Min", b.op("Max", place, 0.0), length - 1.0), near, there


def _roi_align(b: Builder, a: dict[str, Any], x: Tensor, rois: Tensor, images: Tensor) -> Tensor:
    half = a.get("coordinate_transformation_mode", "half_pixel") == "half_pixel"
    scale, samples = float(a.get("spatial_scale", 1.0)), int(a.get("sampling_ratio", 0))
    bins = int(a.get("output_height", 1)), int(a.get("output_width", 1))
    corners = [b.squeeze(b.slice(rois, [1], [k], [k + 1]), 1) * scale for k in range(4)]
    corners = [c - 0.5 for c in corners] if half else corners
    found = []
    for k, (begin, end) in enumerate(((corners[1], corners[3]), (corners[0], corners[2]))):
        size = end - begin
        size = size if half else b.op("Max", size, 1.0)
        place, near, there = _samples(b, begin, size, bins[k], samples, b.cast(b.dim(x.dims[2 + k]), x.dt))
        own = (2, 4) if k == 0 else (1, 3)  # (regions, bins down, bins across, places down, places across)
        found.append([b.unsqueeze(t, *own) for t in (place, near)] + [b.unsqueeze(there, *own)])
    (y, near_y, rows), (z, near_z, columns) = found
    starts = b.op("Gather", b.reshape(image_starts(b, x, 1), (x.dims[0],)), images, axis=0)
    starts, lines = b.unsqueeze(starts, 1, 2, 3, 4), pixels(b, x)
    width, parts = b.dim(x.dims[3]), []
    across = neighbours(b, z, x.dims[3])
    for row, row_weight in neighbours(b, y, x.dims[2]):
        for column, column_weight in across:
            weight = row_weight * column_weight
            parts.append(
                b.op("Gather", lines, starts + row * width + column, axis=0) * b.unsqueeze(weight, 5)
            )
    counted = b.op("And", rows, columns)
    near = b.unsqueeze(b.op("And", near_y, near_z), 5)
    zero = b.const(0, x.dt)
    if a.get("mode", "avg") == "max":
        best = b.op("Where", near, b.op("Max", *parts), zero)
        best = b.op("Where", b.unsqueeze(counted, 5), best, b.const(np.finfo(x.dt).min, x.dt))
        return b.transpose(b.reduce("Max", best, [3, 4]), [0, 3, 1, 2])
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    number = b.reduce("Sum", b.cast(counted, x.dt), [3, 4], keepdims=True)
    used = b.unsqueeze(b.cast(counted, x.dt) / number, 5)
    mean = b.reduce("Sum", b.op("Where", near, total * used, zero), [3, 4])
    return b.transpose(mean, [0, 3, 1, 2])


@rule("RoiAlign")
def roi_align(g: Builder, n: ir.Node, dy: Tensor) -> Sequence[Gradient]:
    """That of interpolated places: the images have gradients, and the regions too."""
    a = {k: v.value for k, v in n.attributes.items()}
    return through(g, n, lambda b, *operands: _roi_align(b, a, *operands), dy)


@rule("MaxRoiPool")
def max_roi_pool(g: Builder, n: ir.Node, dy: Tensor) -> Sequence[Gradient]:
    """That of MXNet's ROIPooling, which computes the same. Regions are rounded and have none."""
    from ...ops import (
        find,
    )  # which register their own gradients with the engine, and so are imported after it

    a = {k: v.value for k, v in n.attributes.items()}
    op = find("ROIPooling")
    attrs = op.parse({"pooled_size": tuple(a["pooled_shape"]), "spatial_scale": a.get("spatial_scale", 1.0)})

    def expand(b: Builder, x: Tensor, rois: Tensor) -> Sequence[Tensor]:
        return op.lower(b, [x, rois], attrs, ["data", "rois"])[:1]

    return through(g, n, expand, dy)
