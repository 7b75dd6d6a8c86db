"""Pooling of regions of interest into grids of one size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ..autodiff.engine import Gradient, tensor
from ..builder import Builder, CustomFunction, Tensor
from ..dims import Dim, DimLike, prod
from ..errors import ShapeError
from ..loops import scan
from ..ranges import numbers
from ..shapes import ShapeContext
from ._axes import quotient
from ._numeric import same_type
from .boxes import columns
from .registry import Operator, operator
from .schema import Ints
from .spatial import require_images
from .stops import blocked
from .unary import rounded

__all__ = ["check_regions", "grid_of", "region_shapes", "sampled_places"]


def check_regions(op: str, data: Tensor, rois: Tensor, width: int) -> None:
    """Refuse anything but images and regions (regions, width) of their element type."""
    require_images(data)
    same_type(op, data, rois)
    if rois.ndim != 2 or rois.dims[1] != width:
        raise ShapeError(f"argument 'rois': expected regions (regions, {width}), got shape {rois.dims}")


def grid_of(pooled_size: Ints) -> tuple[int, int]:
    """The rows and columns of the result."""
    if len(pooled_size) != 2 or min(pooled_size) < 1:
        raise ShapeError(f"parameter 'pooled_size': expected two lengths above 0, got {pooled_size}")
    return pooled_size[0], pooled_size[1]


def region_shapes(op: Operator, width: int, rows: Any, channels: Any = None) -> None:
    """Give an operator the rule for the shapes of its regions (regions, width) and its result."""

    def rule(s: ShapeContext, a: Any) -> None:
        data, rois = s["data"], s["rois"]
        count = rois[0] if rois is not None else s[0][0] if s[0] is not None else None
        s.set("rois", (count, width))
        if data is not None:
            s.set(0, (count, data[1] if channels is None else channels(a), *rows(a)))

    op.infer_shape(rule)


def _of_image(g: Builder, image: Tensor, weights: Tensor, batch: DimLike) -> Tensor:
    """Weights (..., regions, bins, rows) of the rows of each region's image as weights of the rows of all images.

    Regions of an image that does not exist have weights of zero.
    """
    *lead, regions, bins, rows = weights.dims
    mine = g.cast(g.op("Equal", g.unsqueeze(image, 1), numbers(g, batch)), weights.dt)
    spread = g.unsqueeze(weights, weights.ndim - 1) * g.reshape(mine, (regions, 1, batch, 1))
    return g.reshape(spread, (*lead, prod((regions, bins)), prod((batch, rows))))


def _weighted(
    g: Builder, data: Tensor, image: Tensor, down: Tensor, across: Tensor, *bounds: Tensor
) -> Tensor:
    """Sums over the image of each region with weights for its rows, (regions, bins, rows), and for its columns.

    `bounds` are the first and the end of the rows, then of the columns, that have weights at all: (regions, 1). Returns
    (regions, channels, bins down, bins across).
    """
    batch, channels = data.dims[:2]
    known = g.op("And", g.op("GreaterOrEqual", image, np.int64(0)), g.op("Less", image, g.dim(batch)))
    pixels = g.transpose(data, [0, 2, 3, 1])
    index = g.unsqueeze(g.op("Where", known, image, g.const(np.int64(0))), 1)
    rows, cols = down.dims[1], across.dims[1]

    def region(b: Builder, place: Tensor, dw: Tensor, aw: Tensor, *cut: Tensor) -> Sequence[Tensor]:
        h, w = (Dim.symbol(b.unique(f"region_{side}")) for side in ("rows", "columns"))
        part = b.with_dims(
            "Slice",
            (1, h, w, channels),
            pixels,
            b.op("Concat", place, cut[0], cut[2], axis=0),
            b.op("Concat", place + b.ints(1), cut[1], cut[3], axis=0),
            b.ints(0, 1, 2),
        )
        dw = b.with_dims("Slice", (rows, h), dw, cut[0], cut[1], b.ints(1))
        aw = b.with_dims("Slice", (cols, w), aw, cut[2], cut[3], b.ints(1))
        lines = b.op("MatMul", dw, b.reshape(part, (h, w * channels)))
        return [b.op("MatMul", aw, b.reshape(lines, (rows, w, channels)))]

    _, (found,) = scan(g, region, [], [index, down, across, *bounds], name="region")
    found = g.op("Where", g.unsqueeze(known, 1, 2, 3), found, g.const(0, data.dt))
    return g.transpose(found, [0, 3, 1, 2])


def _weighted_vjp(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    """All regions share one product with the rows of all images, which adds up what they give to each."""
    data, image, down, across, *bounds = map(tensor, n.inputs)

    def gradient() -> Tensor:
        batch, channels, height, width = data.dims
        lines = g.op("MatMul", g.transpose(dy, [0, 2, 1, 3]), g.unsqueeze(across, 1))
        lines = g.reshape(lines, (prod(down.dims[:2]), prod((channels, width))))
        weights = g.transpose(_of_image(g, image, down, batch), [1, 0])
        total = g.reshape(g.op("MatMul", weights, lines), (batch, height, channels, width))
        return g.transpose(total, [0, 2, 1, 3])

    return (gradient, *(None,) * (len(bounds) + 3))


_WEIGHTED = CustomFunction("WeightedRegions", _weighted, _weighted_vjp)


def _weighted_parts(g: Builder, data: Tensor, image: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """The same where every bin has channels of its own: `data` is (batch, channels, bins, bins, height, width)."""
    batch, channels, rows, cols, height, width = data.dims
    regions = down.dims[0]
    lines = g.reshape(
        g.transpose(data, [2, 0, 4, 1, 3, 5]),
        (rows, prod((batch, height)), prod((channels, cols, width))),
    )
    weights = _of_image(g, image, g.unsqueeze(g.transpose(down, [1, 0, 2]), 2), batch)
    sums = g.reshape(g.op("MatMul", weights, lines), (rows, regions, channels, cols, width))
    found = g.reduce("Sum", sums * g.reshape(across, (regions, 1, cols, width)), [4])
    return g.transpose(found, [1, 2, 0, 3])


def sampled_places(g: Builder, start: Tensor, size: Tensor, bins: int, samples: int) -> tuple[Tensor, Tensor]:
    """Places evenly spread over each bin of each region along an axis, and which of them count.

    Parameters
    ----------
    start, size : of the regions (regions,), in pixels.
    samples : places in a bin; below 1 so many that they are at most a pixel apart.

    Returns
    -------
    (regions, bins, places) twice, and the number of places of each region (regions, 1, 1).
    """
    step = size / float(bins)
    wide = g.unsqueeze(step, 1, 2)
    if samples > 0:
        number: Tensor = g.const(np.full((1, 1, 1), samples), start.dt)
        index = g.const(np.arange(samples), start.dt)
    else:
        number = g.op("Max", g.op("Ceil", wide), 1.0)
        most = g.cast(g.reduce("Max", number, [0, 1, 2]), np.int64)
        length = Dim.symbol(g.unique("samples"))
        index = g.with_dims("Range", (length,), g.const(np.int64(0)), most, g.const(np.int64(1)))
        g.learn(index)
        index = g.cast(index, start.dt)
    bin_ = g.reshape(g.const(np.arange(bins), start.dt), (bins, 1))
    places = g.unsqueeze(start, 1, 2) + bin_ * wide + (index + 0.5) * wide / number
    return places, g.op("Less", index, number)


def _linear_weights(
    g: Builder, start: Tensor, size: Tensor, bins: int, samples: int, length: DimLike
) -> Tensor:
    """Weights (regions, bins, length) with which the mean of linear interpolations is a sum of elements.

    Places more than an element outside do not count, those nearer have the value of the edge.
    """
    places, counted = sampled_places(g, start, size, bins, samples)
    end = g.cast(g.dim(length), start.dt)
    inside = g.op("And", g.op("GreaterOrEqual", places, -1.0), g.op("LessOrEqual", places, end))
    inside = g.op("And", inside, counted)
    moved = g.unsqueeze(g.op("Min", g.op("Max", places, 0.0), end - 1.0), 3)
    part = g.op("Max", 1.0 - g.op("Abs", moved - numbers(g, length, start.dt)), 0.0)
    part = g.op("Where", g.unsqueeze(inside, 3), part, g.const(0, start.dt))
    number = g.cast(g.reduce("Sum", g.cast(counted, np.int32), [counted.ndim - 1], keepdims=True), start.dt)
    return g.reduce("Sum", part, [2]) / number


def _extent(g: Builder, start: Tensor, size: Tensor, length: DimLike) -> tuple[Tensor, Tensor]:
    """The first element and the end (regions, 1) of those that linear interpolation inside a region reads."""
    last = g.dim(length - 1)
    limit = g.cast(last, start.dt)
    first, end = (
        g.cast(g.op("Min", g.op("Max", g.op("Floor", side), 0.0), limit), np.int64)
        for side in (start, start + size)
    )
    stop = g.op("Min", g.op("Max", end, first) + np.int64(2), last + np.int64(1))
    return g.unsqueeze(first, 1), g.unsqueeze(stop, 1)


@operator("_contrib_ROIAlign")
def roi_align(
    g: Builder,
    data: Tensor,
    rois: Tensor,
    *,
    pooled_size: Ints,
    spatial_scale: float,
    sample_ratio: int = -1,
    position_sensitive: bool = False,
    aligned: bool = False,
) -> Tensor:
    """ROIAlign(data, rois, pooled_size, spatial_scale, sample_ratio=-1, position_sensitive=False, aligned=False)

    Regions (image, x0, y0, x1, y1) of the images `data` as grids of `pooled_size` (height, width): means of bilinear
    interpolations at `sample_ratio` ** 2 places in each bin, or at places at most a pixel apart (K. He et al., "Mask
    R-CNN", 2017).

    Coordinates are multiplied by `spatial_scale`; regions are at least a pixel large or, if `aligned`, moved by half a
    pixel. With `position_sensitive` each bin has channels of its own, (channels, height, width) of them in `data`.
    Regions of image -1 are zero. The gradient goes to `data` alone.
    """
    check_regions("ROIAlign", data, rois, 5)
    (rois,) = blocked(g, rois)
    bins = grid_of(pooled_size)
    image, *corners = columns(g, rois, 0, 5)
    x0, y0, x1, y1 = (c * spatial_scale - 0.5 if aligned else c * spatial_scale for c in corners)
    width, height = x1 - x0, y1 - y0
    if not aligned:
        width, height = g.op("Max", width, 1.0), g.op("Max", height, 1.0)
    down = _linear_weights(g, y0, height, bins[0], sample_ratio, data.dims[2])
    across = _linear_weights(g, x0, width, bins[1], sample_ratio, data.dims[3])
    place = g.cast(image, np.int64)
    if not position_sensitive:
        bounds: list[Tensor] = []
        for start, extent, length in ((y0, height, data.dims[2]), (x0, width, data.dims[3])):
            bounds += _extent(g, start, extent, length)
        return g.custom(_WEIGHTED, data, place, down, across, *bounds)[0]
    channels = quotient(data.dims[1], bins[0] * bins[1], "channels of argument 'data'")
    parts = g.reshape(data, (data.dims[0], channels, *bins, *data.dims[2:]))
    return _weighted_parts(g, parts, place, down, across)


@roi_align.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    data, rois = s["data"], s["rois"]
    count = rois[0] if rois is not None else None
    s.set("rois", (count, 5))
    if data is None or len(data) != 4 or len(a.pooled_size) != 2:
        return
    channels = data[1]
    if a.position_sensitive and channels is not None:
        channels = channels // prod(a.pooled_size)
    s.set(0, (count, channels, *a.pooled_size))


def _box_weights(g: Builder, first: Tensor, end: Tensor, length: DimLike, dt: np.dtype[Any]) -> Tensor:
    """One over the number of elements from `first` to before `end` (regions, bins) there, else zero."""
    place = numbers(g, length)
    first, end = g.unsqueeze(first, 2), g.unsqueeze(end, 2)
    inside = g.op("And", g.op("GreaterOrEqual", place, first), g.op("Less", place, end))
    number = g.op("Max", end - first, np.int64(1))
    return g.cast(inside, dt) / g.cast(number, dt)


def _bounds(
    g: Builder, start: Tensor, step: Tensor, shift: Tensor | None, bins: int, length: DimLike
) -> tuple[Tensor, Tensor]:
    """First element and end of each bin (regions, bins), inside the axis."""
    index, wide, near = g.const(np.arange(bins + 1), step.dt), g.unsqueeze(step, 1), g.unsqueeze(start, 1)
    edges = index * wide
    found = []
    for kind, k in (("Floor", 0), ("Ceil", 1)):
        edge = g.slice(edges, [1], [k], [k + bins])
        whole = g.cast(g.op(kind, edge + near if shift is None else edge), np.int64)
        if shift is not None:
            whole = whole + g.unsqueeze(shift, 1)
        found.append(g.op("Min", g.op("Max", whole, np.int64(0)), g.dim(length)))
    return found[0], found[1]


@operator("_contrib_PSROIPooling")
def psroi_pooling(
    g: Builder,
    data: Tensor,
    rois: Tensor,
    *,
    spatial_scale: float,
    output_dim: int,
    pooled_size: int,
    group_size: int = 0,
) -> Tensor:
    """PSROIPooling(data, rois, spatial_scale, output_dim, pooled_size, group_size=0)

    Position-sensitive means over the bins of regions (image, x0, y0, x1, y1): each bin of a square grid of
    `pooled_size` has channels of its own, (`output_dim`, `group_size`, `group_size`) of them in `data`; `group_size` is
    `pooled_size` if 0 (J. Dai et al., "R-FCN", 2016). The gradient goes to `data` alone.
    """
    check_regions("PSROIPooling", data, rois, 5)
    (rois,) = blocked(g, rois)
    group = group_size or pooled_size
    batch, channels, height, width = data.dims
    if channels != output_dim * group * group:
        raise ShapeError(
            f"argument 'data': expected {output_dim} * {group} * {group} channels, got shape {data.dims}"
        )
    image, *corners = columns(g, rois, 0, 5)
    x0, y0, x1, y1 = (
        (rounded(g, c) if k < 2 else rounded(g, c) + 1.0) * spatial_scale for k, c in enumerate(corners)
    )
    weights = []
    for start, end, length in ((y0, y1, height), (x0, x1, width)):
        step = g.op("Max", end - start, 0.1) / float(pooled_size)
        first, stop = _bounds(g, start, step, None, pooled_size, length)
        weights.append(_box_weights(g, first, stop, length, data.dt))
    parts = g.reshape(data, (batch, output_dim, group, group, height, width))
    if group != pooled_size:
        places = np.minimum(np.arange(pooled_size) * group // pooled_size, group - 1)
        parts = g.op("Gather", g.op("Gather", parts, places, axis=2), places, axis=3)
    return _weighted_parts(g, parts, g.cast(image, np.int64), weights[0], weights[1])


region_shapes(psroi_pooling, 5, lambda a: (a.pooled_size,) * 2, lambda a: a.output_dim)


class _Bins:
    """The bins of all regions, and their maxima, region by region.

    The maximum over the columns of each bin is taken first, then that over its rows.
    """

    def __init__(self, g: Builder, data: Tensor, image: Tensor, bounds: Sequence[Tensor]) -> None:
        self.g, self.dims = g, data.dims
        batch, _, height, width = data.dims
        self.pixels = g.transpose(data, [0, 2, 3, 1])
        known = g.op("And", g.op("GreaterOrEqual", image, np.int64(0)), g.op("Less", image, g.dim(batch)))
        top, bottom, left, right = bounds
        filled = g.op(
            "And", g.unsqueeze(g.op("Less", top, bottom), 2), g.unsqueeze(g.op("Less", left, right), 1)
        )
        # (regions, rows, columns, 1): whether there is anything in a bin.
        self.filled = g.unsqueeze(g.op("And", filled, g.unsqueeze(known, 1, 2)), 3)
        self.image = g.op("Where", known, image, g.const(np.int64(0)))
        self.counts = (int(top.dims[1]), int(left.dims[1]))
        # An empty bin is one of one element here, so that there is a maximum.
        self.bounds: list[Tensor] = []
        for first, end, length in ((top, bottom, height), (left, right, width)):
            first = g.op("Min", first, g.dim(length - 1))
            self.bounds += [first, g.op("Max", end, first + np.int64(1))]

    def _each(self, results: Callable[..., Sequence[Tensor]]) -> tuple[Tensor, ...]:
        """``results(builder, image, top, bottom, left, right)`` of every region, stacked."""
        return scan(self.g, results, [], [self.g.unsqueeze(self.image, 1), *self.bounds], name="region")[1]

    def _columns(
        self, b: Builder, image: Tensor, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """For each bin across, its pixels (rows of the region, columns of the bin, channels) and first column."""
        first, last = b.reduce("Min", top, [0], keepdims=True), b.reduce("Max", bottom, [0], keepdims=True)
        rows, found = Dim.symbol(b.unique("region_rows")), []
        channels = self.dims[1]
        for k in range(self.counts[1]):
            x, end = b.slice(left, [0], [k], [k + 1]), b.slice(right, [0], [k], [k + 1])
            width = Dim.symbol(b.unique("bin_columns"))
            part = b.with_dims(
                "Slice",
                (1, rows, width, channels),
                self.pixels,
                b.op("Concat", image, first, x, axis=0),
                b.op("Concat", image + b.ints(1), last, end, axis=0),
                b.ints(0, 1, 2),
            )
            found.append((b.squeeze(part, 0), x))
        return found

    def _rows(self, b: Builder, lines: Tensor, top: Tensor, bottom: Tensor) -> list[tuple[Tensor, Tensor]]:
        """For each bin down, its part of `lines` (bins across, rows of the region, channels) and its first row."""
        origin, found = b.reduce("Min", top, [0], keepdims=True), []
        for k in range(self.counts[0]):
            y, end = b.slice(top, [0], [k], [k + 1]), b.slice(bottom, [0], [k], [k + 1])
            height = Dim.symbol(b.unique("bin_rows"))
            dims = (lines.dims[0], height, lines.dims[2])
            found.append((b.with_dims("Slice", dims, lines, y - origin, end - origin, b.ints(1)), y))
        return found

    def maxima(self) -> Tensor:
        """(regions, bins down, bins across, channels)."""

        def region(b: Builder, image: Tensor, *bounds: Tensor) -> Sequence[Tensor]:
            columns = self._columns(b, image, *bounds)
            lines = b.op("Concat", *(b.reduce("Max", b.unsqueeze(x, 0), [2]) for x, _ in columns), axis=0)
            parts = self._rows(b, lines, bounds[0], bounds[1])
            return [b.op("Concat", *(b.unsqueeze(b.reduce("Max", x, [1]), 0) for x, _ in parts), axis=0)]

        return self._each(region)[0]

    def places(self) -> Tensor:
        """The pixel in its image of each maximum, the first one: (regions, bins down, bins across, channels)."""
        width = self.g.dim(self.dims[3])

        def region(b: Builder, image: Tensor, *bounds: Tensor) -> Sequence[Tensor]:
            columns = self._columns(b, image, *bounds)
            lines = b.op("Concat", *(b.reduce("Max", b.unsqueeze(x, 0), [2]) for x, _ in columns), axis=0)
            best = [b.op("ArgMax", b.unsqueeze(x, 0), axis=2, keepdims=0) + start for x, start in columns]
            across = b.op("Concat", *best, axis=0)
            origin = b.reduce("Min", bounds[0], [0], keepdims=True)
            found = []
            for part, y in self._rows(b, lines, bounds[0], bounds[1]):
                row = b.op("ArgMax", part, axis=1, keepdims=1) + y
                column = b.op("GatherElements", across, row - origin, axis=1)
                found.append(b.transpose(row * width + column, [1, 0, 2]))
            return [b.op("Concat", *found, axis=0)]

        return self._each(region)[0]


def _max_pooled(g: Builder, data: Tensor, image: Tensor, *bounds: Tensor) -> Tensor:
    bins = _Bins(g, data, image, bounds)
    found = g.op("Where", bins.filled, bins.maxima(), g.const(0, data.dt))
    return g.transpose(found, [0, 3, 1, 2])


def _max_pooled_vjp(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    """The gradient of each bin goes to its maximum."""
    data, image, *bounds = map(tensor, n.inputs)

    def gradient() -> Tensor:
        bins = _Bins(g, data, image, bounds)
        channels, plane = data.dims[1], prod(data.dims[2:])
        layer = g.unsqueeze(bins.image, 1, 2, 3) * g.dim(channels) + numbers(g, channels)
        place = layer * g.dim(plane) + bins.places()
        share = g.op("Where", bins.filled, g.transpose(dy, [0, 2, 3, 1]), g.const(0, dy.dt))
        wide = g.cast(share, np.float32) if dy.dt.itemsize == 2 else share
        total, count = prod(data.dims), prod(dy.dims)
        summed = g.with_dims(
            "ScatterElements",
            (total,),
            g.fill((total,), 0, wide.dt),
            g.reshape(place, (count,)),
            g.reshape(wide, (count,)),
            axis=0,
            reduction="add",
        )
        return g.cast(g.reshape(summed, data.dims), dy.dt)

    return (gradient, *(None,) * (len(bounds) + 1))


_MAX_POOLED = CustomFunction("ROIPooling", _max_pooled, _max_pooled_vjp)


@operator("ROIPooling")
def roi_pooling(g: Builder, data: Tensor, rois: Tensor, *, pooled_size: Ints, spatial_scale: float) -> Tensor:
    """ROIPooling(data, rois, pooled_size, spatial_scale)

    Regions (image, x0, y0, x1, y1) of the images `data` as grids of `pooled_size` (height, width): the maximum of each
    bin (R. Girshick, "Fast R-CNN", 2015).

    Coordinates are multiplied by `spatial_scale` and rounded; both ends belong to a region. Bins overlap where they do
    not divide it. Empty bins, and regions of an image that does not exist, are zero. The gradient goes to `data` alone.
    """
    check_regions("ROIPooling", data, rois, 5)
    (rois,) = blocked(g, rois)
    bins = grid_of(pooled_size)
    image, *corners = columns(g, rois, 0, 5)
    x0, y0, x1, y1 = (g.cast(rounded(g, c * spatial_scale), np.int64) for c in corners)
    bounds: list[Tensor] = []
    for start, end, count, length in ((y0, y1, bins[0], data.dims[2]), (x0, x1, bins[1], data.dims[3])):
        size = g.op("Max", end - start + np.int64(1), np.int64(1))
        step = g.cast(size, data.dt) / float(count)
        bounds += _bounds(g, start, step, start, count, length)
    return g.custom(_MAX_POOLED, data, g.cast(image, np.int64), *bounds)[0]


region_shapes(roi_pooling, 5, lambda a: a.pooled_size)
