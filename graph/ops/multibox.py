"""Anchors, targets and detections of the single-shot detector (W. Liu et al., "SSD", 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike, prod
from ..errors import ShapeError
from ..loops import repeat
from ..ranges import numbers
from ..shapes import ShapeContext
from ..suppression import gather_rows, sorted_rows, suppress
from ._numeric import same_type
from .boxes import any_of, columns, overlaps
from .registry import operator
from .schema import Floats
from .spatial import require_images
from .stops import blocked

__all__: list[str] = []

_VARIANCES = (0.1, 0.1, 0.2, 0.2)


def _single(values: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.asarray(values, np.float32)


@operator("_contrib_MultiBoxPrior")
def multibox_prior(
    g: Builder,
    data: Tensor,
    *,
    sizes: Floats = (1.0,),
    ratios: Floats = (1.0,),
    clip: bool = False,
    steps: Floats = (-1.0, -1.0),
    offsets: Floats = (0.5, 0.5),
) -> Tensor:
    """MultiBoxPrior(data, sizes=(1,), ratios=(1,), clip=False, steps=(-1, -1), offsets=(0.5, 0.5))

    Anchors (1, height * width * anchors, 4), (x0, y0, x1, y1) in units of the image, around every pixel of the feature
    map `data`: one of each size with the first ratio, then one of the first size with each other ratio. The pixels lie
    `steps` (y, x) apart, evenly over the image where these are negative; `offsets` (y, x) is where in a pixel. `clip`
    moves the corners into the image. No gradient.
    """
    require_images(data)
    for name, values in (("steps", steps), ("offsets", offsets)):
        if len(values) != 2:
            raise ShapeError(f"parameter {name!r}: expected two numbers (y, x), got {values}")
    if not sizes or not ratios or min(ratios) <= 0:
        raise ShapeError(
            f"parameters 'sizes' and 'ratios': expected numbers above 0, got {sizes} and {ratios}"
        )
    rows, cols = data.dims[2:]
    height, width = (g.cast(g.dim(n), np.float32) for n in (rows, cols))
    y, x = numbers(g, rows, np.float32) + offsets[0], numbers(g, cols, np.float32) + offsets[1]
    y = y * (1.0 / height if steps[0] <= 0 else steps[0])
    x = x * (1.0 / width if steps[1] <= 0 else steps[1])
    roots = np.sqrt(_single([*ratios[:1] * len(sizes), *ratios[1:]]))
    lengths = _single([*sizes, *sizes[:1] * (len(ratios) - 1)])
    half_height = lengths / roots / np.float32(2)
    half_width = g.const(lengths) * height / width * roots / 2.0
    half = g.op("Concat", *(g.unsqueeze(s, 1) for s in (half_width, g.const(half_height))), axis=1)
    anchors = len(lengths)
    grid = (rows, cols, 1, 1)
    centre = g.op(
        "Concat",
        g.expand(g.reshape(x, (1, cols, 1, 1)), grid),
        g.expand(g.reshape(y, (rows, 1, 1, 1)), grid),
        axis=3,
    )
    boxes = g.reshape(
        g.op("Concat", centre - half, centre + half, axis=3), (1, prod((rows, cols, anchors)), 4)
    )
    return g.cast(g.op("Clip", boxes, 0.0, 1.0) if clip else boxes, data.dt)


def _ious(g: Builder, anchors: Sequence[Tensor], truths: Sequence[Tensor]) -> Tensor:
    """The intersection over the union of anchors (anchors, 1) and boxes (batch, 1, boxes)."""
    width, height = overlaps(g, anchors, truths)
    shared = width * height
    union = (
        (anchors[2] - anchors[0]) * (anchors[3] - anchors[1])
        + (truths[2] - truths[0]) * (truths[3] - truths[1])
        - shared
    )
    none = g.op("Equal", union, 0.0)
    ratio = shared / g.op("Where", none, g.const(1, union.dt), union)
    return g.op("Where", none, g.const(0, union.dt), ratio)


def _best_pairs(g: Builder, ious: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes and anchors matched to each other, the best overlap first, one for each box.

    Returns the box of every anchor, (batch, anchors), -1 for none, and whether it has one.
    """
    batch, anchors, boxes = ious.dims
    total = prod((anchors, boxes))
    cell = numbers(g, total)
    anchor_of, box_of = cell / g.dim(boxes), g.op("Mod", cell, g.dim(boxes))
    anchor = numbers(g, anchors)

    def body(b: Builder, step: Tensor, left: Tensor, match: Tensor) -> Sequence[Tensor]:
        best = b.op("ArgMax", left, axis=1, keepdims=1)
        good = b.op("Greater", b.op("GatherElements", left, best, axis=1), 1e-6)
        a, t = best / b.dim(boxes), b.op("Mod", best, b.dim(boxes))
        match = b.op("Where", b.op("And", b.op("Equal", anchor, a), good), t, match)
        taken = b.op("Or", b.op("Equal", anchor_of, a), b.op("Equal", box_of, t))
        return any_of(b, good), b.op("Where", taken, b.const(-1, left.dt), left), match

    states = [
        ("left", g.reshape(ious, (batch, total)), (batch, total)),
        ("match", g.fill((batch, anchors), -1, np.int64), (batch, anchors)),
    ]
    _, match = repeat(g, g.squeeze(g.dim(boxes), 0), g.const(np.bool_(True)), states, body)
    return match, g.op("GreaterOrEqual", match, np.int64(0))


def _hard_negatives(
    g: Builder, cls_pred: Tensor, best: Tensor, positive: Tensor, ratio: float, threshold: float
) -> Tensor:
    """The anchors that are background and least look like it: `ratio` times as many as there are positive ones."""
    anchors = positive.dims[1]
    found = g.reduce("Sum", g.cast(positive, np.int64), [1], keepdims=True)
    wanted = g.cast(g.cast(found, np.float32) * ratio, np.int64)
    wanted = g.op("Min", wanted, g.dim(anchors) - found)
    background = g.squeeze(g.slice(g.op("Softmax", cls_pred, axis=1), [1], [0], [1]), 1)
    eligible = g.op("And", g.op("Less", best, threshold), g.op("Not", positive))
    order = sorted_rows(g, -background, eligible)
    place = g.expand(numbers(g, anchors), order.dims)
    rank = g.with_dims("ScatterElements", order.dims, g.fill(order.dims, 0, np.int64), order, place, axis=1)
    return g.op("And", eligible, g.op("Less", rank, wanted))


@operator(
    "_contrib_MultiBoxTarget",
    outputs=3,
    output_names=("loc_target", "loc_mask", "cls_target"),
)
def multibox_target(
    g: Builder,
    anchor: Tensor,
    label: Tensor,
    cls_pred: Tensor,
    *,
    overlap_threshold: float = 0.5,
    ignore_label: float = -1.0,
    negative_mining_ratio: float = -1.0,
    negative_mining_thresh: float = 0.5,
    minimum_negative_samples: int = 0,
    variances: Floats = _VARIANCES,
) -> tuple[Tensor, Tensor, Tensor]:
    """MultiBoxTarget(anchor, label, cls_pred, overlap_threshold=0.5, ignore_label=-1, negative_mining_ratio=-1,
    negative_mining_thresh=0.5, minimum_negative_samples=0, variances=(0.1, 0.1, 0.2, 0.2))

    What a detector should say of each of the anchors (1, anchors, 4), given the boxes `label` (batch, boxes, (class,
    x0, y0, x1, y1, ...)), which end at the first of class -1, and its own `cls_pred` (batch, classes, anchors).

    Each box gets the anchor that overlaps it most (pairs are made in the order of their overlap), and each other
    anchor the box that it overlaps by more than `overlap_threshold`. The others are background: all of them, or with a
    `negative_mining_ratio` so many times the matched ones, those that overlap boxes by less than
    `negative_mining_thresh` and look least like background; the rest is `ignore_label`.

    The results are moves from anchors to boxes over `variances`, ones where these count, both (batch, anchors * 4), and
    classes (batch, anchors), 0 for background. Images without a box are ignored. `minimum_negative_samples` has no
    effect in MXNet. No gradients.
    """
    for x, name in ((label, "label"), (cls_pred, "cls_pred")):
        same_type("MultiBoxTarget", anchor, x)
        if x.ndim != 3:
            raise ShapeError(f"argument {name!r}: expected three axes, got shape {x.dims}")
    if anchor.ndim != 3 or anchor.dims[0] != 1 or anchor.dims[2] != 4:
        raise ShapeError(f"argument 'anchor': expected shape (1, anchors, 4), got {anchor.dims}")
    if label.dims[2] < 5:
        raise ShapeError(f"argument 'label': expected five columns or more, got shape {label.dims}")
    if len(variances) != 4:
        raise ShapeError(f"parameter 'variances': expected four numbers, got {variances}")
    anchor, label, cls_pred = blocked(g, anchor, label, cls_pred)
    dt, batch, anchors = anchor.dt, label.dims[0], anchor.dims[1]
    kinds = columns(g, label, 0, 1)[0]
    ended = g.op("CumSum", g.cast(g.op("Equal", kinds, -1.0), np.int64), g.const(np.int64(1)))
    known = g.op("Equal", ended, np.int64(0))
    corners = columns(g, g.reshape(anchor, (anchors, 4)))
    ious = _ious(
        g,
        [g.unsqueeze(c, 1) for c in corners],
        [g.unsqueeze(c, 1) for c in columns(g, label, 1, 4)],
    )
    ious = g.op("Where", g.unsqueeze(known, 1), ious, g.const(-1, dt))
    match, positive = _best_pairs(g, ious)
    best, nearest = g.reduce("Max", ious, [2]), g.op("ArgMax", ious, axis=2, keepdims=0)
    if overlap_threshold > 0:
        near = g.op("And", g.op("Greater", best, overlap_threshold), g.op("Not", positive))
        match = g.op("Where", near, nearest, match)
        positive = g.op("Or", positive, near)
    if negative_mining_ratio > 0:
        negative = _hard_negatives(g, cls_pred, best, positive, negative_mining_ratio, negative_mining_thresh)
    else:
        negative = g.op("Not", positive)
    negative = g.op("And", negative, g.slice(known, [1], [0], [1]))
    chosen = gather_rows(g, label, g.op("Max", match, np.int64(0)))
    kind = columns(g, chosen, 0, 1)[0] + 1.0
    rest = g.op("Where", negative, g.const(0, dt), g.const(ignore_label, dt))
    moves = _moves(g, corners, columns(g, chosen, 1, 4), variances)
    mask = g.expand(g.unsqueeze(g.cast(positive, dt), 2), (batch, anchors, 4))
    targets = g.op("Where", g.unsqueeze(positive, 2), moves, g.const(0, dt))
    flat = (batch, anchors * 4)
    return g.reshape(targets, flat), g.reshape(mask, flat), g.op("Where", positive, kind, rest)


def _moves(g: Builder, anchors: Sequence[Tensor], boxes: Sequence[Tensor], variances: Floats) -> Tensor:
    """Targets (batch, anchors, 4): how far and by how much the anchors must move and grow."""
    parts = []
    for k in (0, 1):
        size, centre = anchors[k + 2] - anchors[k], (anchors[k] + anchors[k + 2]) * 0.5
        parts.append(((boxes[k] + boxes[k + 2]) * 0.5 - centre) / size / variances[k])
    for k in (0, 1):
        ratio = (boxes[k + 2] - boxes[k]) / (anchors[k + 2] - anchors[k])
        parts.append(g.op("Log", ratio) / variances[k + 2])
    return g.op("Concat", *(g.unsqueeze(p, 2) for p in parts), axis=2)


@multibox_target.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    anchor, label = s["anchor"], s["label"]
    count = anchor[1] if anchor is not None and len(anchor) == 3 else None
    batch = label[0] if label is not None else None
    s.set("anchor", (1, count, 4))
    s.set("cls_pred", (batch, None, count))
    wide: DimLike | None = None if count is None else count * 4
    for i, size in enumerate((wide, wide, count)):
        s.set(i, (batch, size))


def _decoded(g: Builder, loc: Tensor, anchor: Tensor, variances: Floats, clip: bool) -> Tensor:
    x0, y0, x1, y1 = columns(g, anchor)
    dx, dy, dw, dh = columns(g, loc)
    width, height = x1 - x0, y1 - y0
    x, y = dx * variances[0] * width + (x0 + x1) / 2.0, dy * variances[1] * height + (y0 + y1) / 2.0
    half_width = g.op("Exp", dw * variances[2]) * width / 2.0
    half_height = g.op("Exp", dh * variances[3]) * height / 2.0
    parts = (x - half_width, y - half_height, x + half_width, y + half_height)
    boxes = g.op("Concat", *(g.unsqueeze(p, 2) for p in parts), axis=2)
    return g.op("Clip", boxes, 0.0, 1.0) if clip else boxes


@operator("_contrib_MultiBoxDetection")
def multibox_detection(
    g: Builder,
    cls_prob: Tensor,
    loc_pred: Tensor,
    anchor: Tensor,
    *,
    clip: bool = True,
    threshold: float = 0.01,
    background_id: int = 0,
    nms_threshold: float = 0.5,
    force_suppress: bool = False,
    variances: Floats = _VARIANCES,
    nms_topk: int = -1,
) -> Tensor:
    """MultiBoxDetection(cls_prob, loc_pred, anchor, clip=True, threshold=0.01, background_id=0, nms_threshold=0.5,
    force_suppress=False, variances=(0.1, 0.1, 0.2, 0.2), nms_topk=-1)

    Detections (batch, anchors, (class, probability, x0, y0, x1, y1)) of a detector that gave `cls_prob` (batch,
    classes, anchors) and the moves `loc_pred` (batch, anchors * 4) of `anchor` (1, anchors, 4), over `variances`.

    Each anchor is what it most probably is, of the classes from 1 on, numbered from 0 in the result; it is left out
    where that is below `threshold`. The others are sorted by probability; those behind the `nms_topk` best, and those
    that overlap a better one of their class (or, with `force_suppress`, of any) by `nms_threshold` or more, get class
    -1. Behind the last one rows are -1. The background is always class 0, whatever `background_id` says. No gradients.
    """
    for name, x, rank in (("cls_prob", cls_prob, 3), ("loc_pred", loc_pred, 2), ("anchor", anchor, 3)):
        same_type("MultiBoxDetection", cls_prob, x)
        if x.ndim != rank:
            raise ShapeError(f"argument {name!r}: expected {rank} axes, got shape {x.dims}")
    batch, classes, count = cls_prob.dims
    if loc_pred.dims != (batch, count * 4):
        raise ShapeError(f"argument 'loc_pred': expected shape ({batch}, {count * 4}), got {loc_pred.dims}")
    if anchor.dims != (1, count, 4):
        raise ShapeError(f"argument 'anchor': expected shape (1, {count}, 4), got {anchor.dims}")
    if len(variances) != 4:
        raise ShapeError(f"parameter 'variances': expected four numbers, got {variances}")
    cls_prob, loc_pred, anchor = blocked(g, cls_prob, loc_pred, anchor)
    objects = g.slice(cls_prob, [1], [1], [classes])
    score, kind = g.reduce("Max", objects, [1]), g.op("ArgMax", objects, axis=1, keepdims=0)
    valid = g.op("GreaterOrEqual", score, threshold)
    boxes = _decoded(g, g.reshape(loc_pred, (batch, count, 4)), anchor, variances, clip)
    heads = (g.unsqueeze(g.cast(kind, score.dt), 2), g.unsqueeze(score, 2))
    rows = g.op("Concat", *heads, boxes, axis=2)
    number = g.reduce("Sum", g.cast(valid, np.int64), [1], keepdims=True)
    place = numbers(g, count)
    inside = g.op("Less", place, number)
    if not 0 < nms_threshold <= 1:  # no suppression: in the order of the anchors
        order = sorted_rows(g, g.cast(-place, np.float32), valid)
        return _filled(g, gather_rows(g, rows, order), inside)
    order = sorted_rows(g, score, valid)
    if nms_topk > 0:  # behind the best, detections stay where they were, without a class
        unsorted = sorted_rows(g, g.cast(-place, np.float32), valid)
        best = g.op("Less", place, np.int64(nms_topk))
        order = g.op("Where", best, order, unsorted)
        candidates = g.op("And", inside, best)
    else:
        candidates = inside
    ranked = gather_rows(g, rows, order)
    groups = None if force_suppress else g.cast(columns(g, ranked, 0, 1)[0], np.int64)
    # What overlaps by the threshold exactly goes, too.
    below = float(np.nextafter(np.float32(nms_threshold), np.float32(0)))
    keep = suppress(g, g.slice(ranked, [2], [2], [6]), candidates, below, groups)
    named = g.op("Where", g.unsqueeze(keep, 2), g.slice(ranked, [2], [0], [1]), g.const(-1, ranked.dt))
    ranked = g.op("Concat", named, g.slice(ranked, [2], [1], [6]), axis=2)
    return _filled(g, ranked, inside)


def _filled(g: Builder, rows: Tensor, inside: Tensor) -> Tensor:
    return g.op("Where", g.unsqueeze(inside, 2), rows, g.const(-1, rows.dt))


@multibox_detection.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    prob = s["cls_prob"]
    if prob is None or len(prob) != 3:
        return
    batch, _, count = prob
    s.set("loc_pred", (batch, None if count is None else count * 4))
    s.set("anchor", (1, count, 4))
    s.set(0, (batch, count, 6))
