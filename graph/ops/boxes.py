"""Boxes: overlaps, encodings, matching and suppression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..builder import Builder, CustomFunction, Tensor
from ..dims import Dim, DimLike, prod
from ..errors import ShapeError
from ..loops import repeat
from ..ranges import numbers
from ..shapes import ShapeContext
from ..suppression import gather_rows, kept_first, sorted_rows, suppress
from ._numeric import same_type
from .registry import operator
from .stops import blocked

__all__ = ["any_of", "columns", "overlaps", "to_corners"]

_Format = Literal["center", "corner"]


def columns(g: Builder, x: Tensor, first: int = 0, count: int = 4) -> list[Tensor]:
    """Single elements of the last axis, which is left out."""
    axis = x.ndim - 1
    return [g.squeeze(g.slice(x, [axis], [k], [k + 1]), axis) for k in range(first, first + count)]


def _stacked(g: Builder, *parts: Tensor) -> Tensor:
    return g.op("Concat", *(g.unsqueeze(p, p.ndim) for p in parts), axis=parts[0].ndim)


def to_corners(g: Builder, x: Tensor) -> Tensor:
    """(centre x, centre y, width, height) as (x0, y0, x1, y1)."""
    centre = g.slice(x, [x.ndim - 1], [0], [2])
    half = g.slice(x, [x.ndim - 1], [2], [4]) / 2.0
    return g.op("Concat", centre - half, centre + half, axis=x.ndim - 1)


def _to_centers(g: Builder, x: Tensor) -> Tensor:
    low, high = g.slice(x, [x.ndim - 1], [0], [2]), g.slice(x, [x.ndim - 1], [2], [4])
    return g.op("Concat", (low + high) / 2.0, high - low, axis=x.ndim - 1)


def _area(g: Builder, width: Tensor, height: Tensor) -> Tensor:
    wrong = g.op("Or", g.op("Less", width, 0.0), g.op("Less", height, 0.0))
    return g.op("Where", wrong, g.const(0, width.dt), width * height)


def overlaps(g: Builder, lhs: Sequence[Tensor], rhs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Width and height, at least zero, of what two boxes (x0, y0, x1, y1) share."""
    return tuple(  # type: ignore[return-value]
        g.op("Max", g.op("Min", lhs[k + 2], rhs[k + 2]) - g.op("Max", lhs[k], rhs[k]), 0.0) for k in (0, 1)
    )


def _require_boxes(x: Tensor, name: str, rank: int | None = None) -> None:
    if x.dims[-1:] != (4,) or x.ndim < 2 or (rank is not None and x.ndim != rank):
        raise ShapeError(
            f"argument {name!r}: expected {rank or 'two or more'} axes, the last of length 4, got shape {x.dims}"
        )


@operator("_contrib_box_iou")
def box_iou(g: Builder, lhs: Tensor, rhs: Tensor, *, format: _Format = "corner") -> Tensor:
    """box_iou(lhs, rhs, format="corner")

    The intersection over the union of each box of `lhs` with each of `rhs`: the leading axes of `lhs`, then those of
    `rhs`. Boxes are (x0, y0, x1, y1) or, in format "center", (centre x, centre y, width, height). It has no gradient.
    """
    same_type("box_iou", lhs, rhs)
    _require_boxes(lhs, "lhs")
    _require_boxes(rhs, "rhs")
    lhs, rhs = blocked(g, lhs, rhs)
    flat = [
        g.reshape(lhs, (prod(lhs.dims[:-1]), 1, 4)),
        g.reshape(rhs, (1, prod(rhs.dims[:-1]), 4)),
    ]
    corners = [columns(g, x if format == "corner" else to_corners(g, x)) for x in flat]
    areas = []
    for x, c in zip(flat, corners, strict=True):
        sides = (c[2] - c[0], c[3] - c[1]) if format == "corner" else columns(g, x, 2, 2)
        areas.append(_area(g, *sides))
    width, height = overlaps(g, *corners)
    shared = width * height
    nothing = g.op("LessOrEqual", shared, 0.0)
    union = g.op("Where", nothing, g.const(1, shared.dt), areas[0] + areas[1] - shared)
    ratio = g.op("Where", nothing, g.const(0, shared.dt), shared / union)
    return g.reshape(ratio, (*lhs.dims[:-1], *rhs.dims[:-1]))


@operator("_contrib_box_encode", outputs=2)
def box_encode(
    g: Builder, samples: Tensor, matches: Tensor, anchors: Tensor, refs: Tensor, means: Tensor, stds: Tensor
) -> tuple[Tensor, Tensor]:
    """box_encode(samples, matches, anchors, refs, means, stds)

    Regression targets of `anchors` (batch, n, 4) for the boxes of `refs` (batch, m, 4) that `matches` (batch, n) says:
    moves of the centre in sizes of the anchor and logarithms of the ratios of sizes, minus `means` over `stds`; zero
    where `samples` (batch, n) is not above 0.5. The second result is one where it is, else zero. No gradients.
    """
    same = (samples, matches, anchors, refs, means, stds)
    for other in same[1:]:
        same_type("box_encode", samples, other)
    samples, matches, anchors, refs, means, stds = blocked(g, *same)
    _require_boxes(anchors, "anchors", 3)
    _require_boxes(refs, "refs", 3)
    shape = anchors.dims[:2]
    for name, x in (("samples", samples), ("matches", matches)):
        if x.dims != shape:
            raise ShapeError(f"argument {name!r}: expected shape {shape}, got {x.dims}")
    chosen = gather_rows(g, refs, g.cast(matches, np.int64))
    spans = []
    for x in (chosen, anchors):
        x0, y0, x1, y1 = columns(g, x)
        width, height = x1 - x0, y1 - y0
        spans.append((x0 + width * 0.5, y0 + height * 0.5, width, height))
    (rx, ry, rw, rh), (ax, ay, aw, ah) = spans
    moves = _stacked(g, (rx - ax) / aw, (ry - ay) / ah, g.op("Log", rw / aw), g.op("Log", rh / ah))
    valid = g.unsqueeze(g.op("Greater", samples, 0.5), 2)
    targets = g.op("Where", valid, (moves - means) / stds, g.const(0, anchors.dt))
    return targets, g.expand(g.cast(valid, anchors.dt), anchors.dims)


@box_encode.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    for name in ("means", "stds"):
        s.set(name, (4,))
    for i in (0, 1):
        s.set(i, s["anchors"])


@operator("_contrib_box_decode")
def box_decode(
    g: Builder,
    data: Tensor,
    anchors: Tensor,
    *,
    std0: float = 1.0,
    std1: float = 1.0,
    std2: float = 1.0,
    std3: float = 1.0,
    clip: float = -1.0,
    format: _Format = "center",
) -> Tensor:
    """box_decode(data, anchors, std0=1.0, std1=1.0, std2=1.0, std3=1.0, clip=-1.0, format="center")

    The boxes (x0, y0, x1, y1) that `data` (batch, n, 4), times the deviations `std0` to `std3`, makes of `anchors`
    (1, n, 4), which are in `format`: the inverse of `box_encode`. Logarithms of sizes are at most `clip`, if that is
    above 0. It has no gradient.
    """
    same_type("box_decode", data, anchors)
    _require_boxes(data, "data", 3)
    _require_boxes(anchors, "anchors", 3)
    data, anchors = blocked(g, data, anchors)
    if anchors.dims[:2] != (1, data.dims[1]):
        raise ShapeError(f"argument 'anchors': expected shape (1, {data.dims[1]}, 4), got {anchors.dims}")
    x, y, width, height = columns(g, anchors)
    if format == "corner":
        width, height = width - x, height - y
        x, y = x + width * 0.5, y + height * 0.5
    dx, dy, dw, dh = columns(g, data)
    cx, cy = dx * std0 * width + x, dy * std1 * height + y
    dw, dh = dw * std2, dh * std3
    if clip > 0:
        dw, dh = g.op("Min", dw, clip), g.op("Min", dh, clip)
    half_width, half_height = g.op("Exp", dw) * width * 0.5, g.op("Exp", dh) * height * 0.5
    return _stacked(g, cx - half_width, cy - half_height, cx + half_width, cy + half_height)


def any_of(g: Builder, condition: Tensor) -> Tensor:
    """Whether a condition holds anywhere: a bool without axes."""
    return g.op("Greater", g.op("ReduceMax", g.cast(condition, np.int32), keepdims=0), np.int32(0))


@operator("_contrib_bipartite_matching", outputs=2)
def bipartite_matching(
    g: Builder, data: Tensor, *, is_ascend: bool = False, threshold: float, topk: int = -1
) -> tuple[Tensor, Tensor]:
    """bipartite_matching(data, is_ascend=False, threshold, topk=-1)

    Pairs of rows and columns of the scores `data` (..., rows, columns): the best score first, then the best among the
    remaining rows and columns, as long as it is above `threshold` (below, with `is_ascend`, where the lowest is best).
    The results are the column of each row and the row of each column, -1 for none. With a `topk` above 0 the pair
    after it is the last one. No gradients.
    """
    if data.ndim < 2:
        raise ShapeError(f"argument 'data': expected two axes or more, got shape {data.dims}")
    (data,) = blocked(g, data)
    rows, cols = data.dims[-2:]
    batch, total = prod(data.dims[:-2]), prod((rows, cols))
    scores = g.reshape(-data if is_ascend else data, (batch, total))
    limit = g.const(-threshold if is_ascend else threshold, data.dt)
    row, column = numbers(g, rows), numbers(g, cols)
    cell = numbers(g, total)
    row_of, column_of = cell / g.dim(cols), g.op("Mod", cell, g.dim(cols))

    def body(b: Builder, step: Tensor, left: Tensor, by_row: Tensor, by_column: Tensor) -> Sequence[Tensor]:
        best = b.op("ArgMax", left, axis=1, keepdims=1)
        good = b.op("Greater", b.op("GatherElements", left, best, axis=1), limit)
        r, c = best / b.dim(cols), b.op("Mod", best, b.dim(cols))
        by_row = b.op("Where", b.op("And", b.op("Equal", row, r), good), c, by_row)
        by_column = b.op("Where", b.op("And", b.op("Equal", column, c), good), r, by_column)
        taken = b.op("Or", b.op("Equal", row_of, r), b.op("Equal", column_of, c))
        left = b.op("Where", taken, b.const(-np.inf, left.dt), left)
        return any_of(b, good), left, by_row, by_column

    most = g.squeeze(g.op("Min", g.dim(rows), g.dim(cols)), 0)
    if topk > 0:
        most = g.op("Min", most, np.int64(topk + 1))
    states = [
        ("left", scores, (batch, total)),
        ("by_row", g.fill((batch, rows), -1, np.int64), (batch, rows)),
        ("by_column", g.fill((batch, cols), -1, np.int64), (batch, cols)),
    ]
    _, by_row, by_column = repeat(g, most, g.const(np.bool_(True)), states, body)
    lead = data.dims[:-2]
    return (
        g.cast(g.reshape(by_row, (*lead, rows)), data.dt),
        g.cast(g.reshape(by_column, (*lead, cols)), data.dt),
    )


def _converted(g: Builder, rows: Tensor, *, first: int, to_center: int) -> Tensor:
    """Rows with their boxes in the other format, except for those that begin below zero."""
    width = rows.dims[2]
    box = g.slice(rows, [2], [first], [first + 4])
    changed = _to_centers(g, box) if to_center else to_corners(g, box)
    below = g.op("Less", g.slice(box, [2], [0], [1]), 0.0)
    changed = g.op("Where", below, box, changed)
    parts = [g.slice(rows, [2], [0], [first])] if first else []
    parts.append(changed)
    if first + 4 != width:
        parts.append(g.slice(rows, [2], [first + 4], [width]))
    return g.op("Concat", *parts, axis=2) if len(parts) > 1 else changed


_CONVERTED = CustomFunction("BoxFormat", _converted, lambda g, n, dy: dy)


def _require_columns(width: DimLike, coord_start: int, score_index: int, id_index: int) -> None:
    """Refuse columns that do not exist or mean two things."""
    used = {"score_index": score_index, **({"id_index": id_index} if id_index >= 0 else {})}
    if isinstance(width, Dim) or not 0 <= coord_start <= width - 4:
        raise ShapeError(
            f"parameter 'coord_start': {coord_start} to {coord_start + 3} are not columns of {width}"
        )
    for name, place in used.items():
        if not 0 <= place < width or coord_start <= place < coord_start + 4:
            raise ShapeError(
                f"parameter {name!r}: expected one of {width} columns, none of {coord_start} to {coord_start + 3}, "
                f"got {place}"
            )
    if id_index == score_index:
        raise ShapeError(f"parameter 'id_index': column {id_index} is that of the scores")


@operator("_contrib_box_nms", "_contrib_box_non_maximum_suppression", outputs=2, visible=1)
def box_nms(
    g: Builder,
    data: Tensor,
    *,
    overlap_thresh: float = 0.5,
    valid_thresh: float = 0.0,
    topk: int = -1,
    coord_start: int = 2,
    score_index: int = 1,
    id_index: int = -1,
    background_id: int = -1,
    force_suppress: bool = False,
    in_format: _Format = "corner",
    out_format: _Format = "corner",
) -> tuple[Tensor, Tensor]:
    """box_nms(data, overlap_thresh=0.5, valid_thresh=0.0, topk=-1, coord_start=2, score_index=1, id_index=-1,
    background_id=-1, force_suppress=False, in_format="corner", out_format="corner")

    The rows of `data` (..., boxes, columns) that greedy suppression leaves, best score first; then rows of -1.

    Rows take part whose score is above `valid_thresh` and, with an `id_index`, whose class is not `background_id`; of
    them the `topk` best, if that is not negative. A box suppresses those behind it, of its class unless
    `force_suppress`, whose intersection with it over the union is above `overlap_thresh`. A `topk` of 0 leaves
    everything as it is. The gradient goes back to the rows that are left.
    """
    if data.ndim < 2:
        raise ShapeError(f"argument 'data': expected two axes or more, got shape {data.dims}")
    count, width = data.dims[-2:]
    _require_columns(width, coord_start, score_index, id_index)
    batch = prod(data.dims[:-2])
    x = g.reshape(data, (batch, count, width))
    if topk == 0:
        every = g.cast(numbers(g, prod((batch, count))), data.dt)
        return g.op("Identity", data), g.reshape(every, (*data.dims[:-1], 1))
    (fixed,) = blocked(g, x)
    (score,) = columns(g, fixed, score_index, 1)
    valid = g.op("Greater", score, valid_thresh)
    if id_index >= 0:
        (kind,) = columns(g, fixed, id_index, 1)
        background = g.op("Equal", kind, g.const(background_id, kind.dt))
        valid = g.op("And", valid, g.op("Not", background))
    order = sorted_rows(g, score, valid)
    ranked = gather_rows(g, fixed, order)
    some = g.reduce("Sum", g.cast(valid, np.int64), [1], keepdims=True)
    candidates = g.op("Less", numbers(g, count), some if topk < 0 else g.op("Min", some, np.int64(topk)))
    boxes = g.slice(ranked, [2], [coord_start], [coord_start + 4])
    groups = None
    if id_index >= 0 and not force_suppress:
        groups = g.cast(columns(g, ranked, id_index, 1)[0], np.int64)
    corners = boxes if in_format == "corner" else to_corners(g, boxes)
    keep = suppress(g, corners, candidates, overlap_thresh, groups)
    record = kept_first(g, keep, order)
    filled = g.op("GreaterOrEqual", record, np.int64(0))
    rows = gather_rows(g, x, g.op("Max", record, np.int64(0)))
    rows = g.op("Where", g.unsqueeze(filled, 2), rows, g.const(-1, data.dt))
    if in_format != out_format:
        rows = g.custom(_CONVERTED, rows, first=coord_start, to_center=int(out_format == "center"))[0]
    starts = g.reshape(numbers(g, batch), (batch, 1)) * g.dim(count)
    where = g.cast(g.op("Where", filled, record + starts, record), data.dt)
    return g.reshape(rows, data.dims), g.reshape(where, (*data.dims[:-1], 1))
