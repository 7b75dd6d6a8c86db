"""Greedy non-maximum suppression of boxes that are sorted already."""

from __future__ import annotations

import numpy as np

from .builder import Builder, Tensor
from .dims import Dim, DimLike, prod
from .ranges import numbers

__all__ = ["gather_rows", "kept_first", "sorted_rows", "suppress"]


def sorted_rows(g: Builder, score: Tensor, valid: Tensor) -> Tensor:
    """Positions (batch, boxes) in the order of falling scores, those not valid last; of equals the first is first.

    `score` broadcasts against `valid` (batch, boxes).
    """
    key = g.op("Where", valid, score, g.const(-np.inf, score.dt))
    _, order = g.multi("TopK", 2, key, g.dim(valid.dims[1]), axis=1, largest=1, sorted=1)
    return g.with_dims("Identity", valid.dims, order)


def gather_rows(g: Builder, x: Tensor, places: Tensor) -> Tensor:
    """``x[i, places[i, j]]`` for x (batch, boxes, width) and places (batch, any)."""
    batch, count, width = x.dims
    starts = g.reshape(numbers(g, batch), (batch, 1)) * g.dim(count)
    return g.op("Gather", g.reshape(x, (prod((batch, count)), width)), places + starts, axis=0)


def suppress(
    g: Builder,
    boxes: Tensor,
    candidates: Tensor,
    threshold: float,
    groups: Tensor | None = None,
    limit: DimLike | None = None,
) -> Tensor:
    """Which boxes remain where each suppresses those behind it that overlap it by more than `threshold`.

    ONNX's NonMaxSuppression: the intersection over the union of (x0, y0, x1, y1) in single precision. Boxes whose
    corners are the wrong way round have no area.

    Parameters
    ----------
    boxes : (batch, boxes, 4), the best first.
    candidates : (batch, boxes), bool: those that take part.
    groups : (batch, boxes), int64: boxes suppress only others of their group.
    limit : the number of boxes, of a group, that remain at most.

    Returns
    -------
    Tensor : (batch, boxes), bool.
    """
    batch, count = candidates.dims
    corners = g.cast(boxes, np.float32)
    low, high = g.slice(corners, [2], [0], [2]), g.slice(corners, [2], [2], [4])
    corners = g.op("Concat", low, g.op("Max", low, high), axis=2)
    rank = g.cast(g.dim(count) - numbers(g, count), np.float32)
    nothing = g.const(0, np.float32)
    if groups is None:
        scores = g.unsqueeze(g.op("Where", candidates, rank, nothing), 1)
    else:
        known = g.op("Unique", g.reshape(groups, (prod(groups.dims),)))
        member = g.op("Equal", g.unsqueeze(groups, 1), g.reshape(known, (1, known.dims[0], 1)))
        scores = g.op("Where", g.op("And", member, g.unsqueeze(candidates, 1)), rank, nothing)
    if threshold < 0:  # every box overlaps every other one by more than that
        limit, threshold = 1, 0.0
    selected = g.op(
        "NonMaxSuppression",
        corners,
        scores,
        g.dim(count if limit is None else limit),
        g.const([min(threshold, 1.0)], np.float32),
        g.const([0.0], np.float32),
    )
    found = Dim.symbol(g.unique("selected"))
    selected = g.with_dims("Identity", (found, 3), selected)
    g.learn(selected)
    image, place = (g.squeeze(g.slice(selected, [1], [k], [k + 1]), 1) for k in (0, 2))
    total = prod((batch, count))
    marks = g.with_dims(
        "ScatterElements",
        (total,),
        g.fill((total,), 0, np.int32),
        image * g.dim(count) + place,
        g.fill((found,), 1, np.int32),
        axis=0,
    )
    return g.cast(g.reshape(marks, (batch, count)), np.bool_)


def kept_first(g: Builder, keep: Tensor, places: Tensor) -> Tensor:
    """The `places` (batch, boxes) of boxes that remain, in their order and without gaps; then -1."""
    batch, count = keep.dims
    rank = g.op("CumSum", g.cast(keep, np.int64), g.const(np.int64(1))) - np.int64(1)
    slot = g.op("Where", keep, rank, g.dim(count))  # all others share one more slot, which is cut off
    empty = g.fill((batch, count + 1), -1, np.int64)
    filled = g.with_dims("ScatterElements", empty.dims, empty, slot, places, axis=1)
    return g.slice(filled, [1], [0], [count])
