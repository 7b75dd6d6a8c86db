"""Proposals of a region proposal network (S. Ren et al., "Faster R-CNN", 2015)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike, prod
from ..errors import ShapeError
from ..ranges import numbers
from ..shapes import ShapeContext
from ..suppression import gather_rows, kept_first, sorted_rows, suppress
from ._numeric import same_type
from .boxes import columns
from .registry import operator
from .schema import Floats
from .spatial import require_images
from .stops import blocked

__all__: list[str] = []


def _anchors(stride: int, scales: Floats, ratios: Floats) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Boxes around the first cell of the feature map, (anchors, 4): for each ratio of height to width, each scale."""
    single = np.float32
    centre = single(0.5) * single(stride - 1)
    found = []
    for ratio in ratios:
        area = np.floor(single(stride * stride) / single(ratio))
        width = np.floor(np.sqrt(area) + single(0.5))
        for scale in scales:
            w = width * single(scale)
            h = np.floor(w / single(scale) * single(ratio) + single(0.5)) * single(scale)
            half_w, half_h = single(0.5) * (w - single(1)), single(0.5) * (h - single(1))
            found.append([centre - half_w, centre - half_h, centre + half_w, centre + half_h])
    return np.asarray(found, np.float32)


def _flat(g: Builder, x: Tensor, anchors: int, parts: int) -> Tensor:
    """(batch, anchors * parts, height, width) as (batch, height * width * anchors, parts)."""
    batch, _, height, width = x.dims
    split = g.transpose(g.reshape(x, (batch, anchors, parts, height, width)), [0, 3, 4, 1, 2])
    return g.reshape(split, (batch, prod((height, width, anchors)), parts))


def _predicted(g: Builder, anchors: Tensor, deltas: Tensor, info: Tensor, iou_loss: bool) -> list[Tensor]:
    """The sides (batch, boxes) of the boxes that movements make of anchors, moved into the image."""
    x0, y0, x1, y1 = columns(g, anchors)
    moves = columns(g, deltas)
    if iou_loss:
        sides = [side + move for side, move in zip((x0, y0, x1, y1), moves, strict=True)]
    else:
        width, height = x1 - x0 + 1.0, y1 - y0 + 1.0
        x, y = x0 + (width - 1.0) * 0.5, y0 + (height - 1.0) * 0.5
        x, y = moves[0] * width + x, moves[1] * height + y
        half_width = (g.op("Exp", moves[2]) * width - 1.0) * 0.5
        half_height = (g.op("Exp", moves[3]) * height - 1.0) * 0.5
        sides = [x - half_width, y - half_height, x + half_width, y + half_height]
    height, width = (side - 1.0 for side in columns(g, g.unsqueeze(info, 1), 0, 2))
    return [g.op("Max", g.op("Min", side, height if k % 2 else width), 0.0) for k, side in enumerate(sides)]


def _proposed(
    g: Builder,
    cls_prob: Tensor,
    bbox_pred: Tensor,
    im_info: Tensor,
    *,
    before: int,
    after: int,
    threshold: float,
    min_size: int,
    scales: Floats,
    ratios: Floats,
    stride: int,
    iou_loss: bool,
) -> tuple[Tensor, Tensor]:
    """Boxes (batch, after, 4) and their scores (batch, after, 1)."""
    for name, x in (("bbox_pred", bbox_pred), ("im_info", im_info)):
        same_type("Proposal", cls_prob, x)
        if x.dims[0] != cls_prob.dims[0]:
            raise ShapeError(f"argument {name!r}: expected {cls_prob.dims[0]} images, got shape {x.dims}")
    require_images(cls_prob, "cls_prob")
    batch, channels, rows, cols = cls_prob.dims
    base = _anchors(stride, scales, ratios)
    count = len(base)
    if channels != 2 * count:
        raise ShapeError(
            f"argument 'cls_prob': expected {2 * count} channels, two for each of {len(ratios)} ratios and "
            f"{len(scales)} scales, got shape {cls_prob.dims}"
        )
    if bbox_pred.dims != (batch, 4 * count, rows, cols) or im_info.dims != (batch, 3):
        raise ShapeError(
            f"expected bbox_pred ({batch}, {4 * count}, {rows}, {cols}) and im_info ({batch}, 3), got "
            f"{bbox_pred.dims} and {im_info.dims}"
        )
    cls_prob, bbox_pred, info = blocked(g, cls_prob, bbox_pred, im_info)
    dt, total = cls_prob.dt, prod((rows, cols, count))
    x, y = (numbers(g, n, dt) * float(stride) for n in (cols, rows))
    cells: tuple[DimLike, ...] = (rows, cols, count)
    shifts = [
        g.expand(g.reshape(x, (1, cols, 1)), cells),
        g.expand(g.reshape(y, (rows, 1, 1)), cells),
    ]
    shift = g.op("Concat", *(g.unsqueeze(s, 3) for s in shifts * 2), axis=3)
    anchors = g.reshape(shift + g.const(base, dt), (1, total, 4))
    sides = _predicted(g, anchors, _flat(g, bbox_pred, count, 4), info, iou_loss)
    score = _flat(g, g.slice(cls_prob, [1], [count], [2 * count]), count, 1)
    (score,) = columns(g, score, 0, 1)
    height, width, scale = columns(g, g.unsqueeze(info, 1), 0, 3)
    # Cells of the feature map that lie in the padding of a batch count for nothing.
    real_rows, real_cols = (g.op("Floor", side / float(stride)) for side in (height, width))
    row = g.reshape(g.expand(g.reshape(numbers(g, rows, dt), (rows, 1, 1)), cells), (total,))
    column = g.reshape(g.expand(g.reshape(numbers(g, cols, dt), (1, cols, 1)), cells), (total,))
    padded = g.op("Or", g.op("GreaterOrEqual", row, real_rows), g.op("GreaterOrEqual", column, real_cols))
    least = scale * float(min_size)
    small = g.op(
        "Or", g.op("Less", sides[2] - sides[0] + 1.0, least), g.op("Less", sides[3] - sides[1] + 1.0, least)
    )
    half = least / 2.0
    sides = [
        g.op("Where", small, side - half if k < 2 else side + half, side) for k, side in enumerate(sides)
    ]
    score = g.op("Where", g.op("Or", padded, small), g.const(-1, dt), score)
    everything = g.expand(g.const(True, np.bool_), score.dims)
    order = sorted_rows(g, score, everything)
    boxes = g.op("Concat", *(g.unsqueeze(s, 2) for s in (*sides, score)), axis=2)
    ranked = gather_rows(g, boxes, order)
    taken = (
        everything if before <= 0 else g.expand(g.op("Less", numbers(g, total), np.int64(before)), score.dims)
    )
    most = after if before <= 0 else min(after, before)
    # Both ends belong to a box.
    low, high = g.slice(ranked, [2], [0], [2]), g.slice(ranked, [2], [2], [4]) + 1.0
    keep = suppress(g, g.op("Concat", low, high, axis=2), taken, threshold, limit=most)
    return _repeated(g, ranked, keep, after)


def _repeated(g: Builder, rows: Tensor, keep: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The rows that remain, from the first on again where they are too few: boxes and scores."""
    batch, total = keep.dims
    place = g.expand(numbers(g, total), (batch, total))
    first = kept_first(g, keep, place)
    number = g.reduce("Sum", g.cast(keep, np.int64), [1], keepdims=True)
    turn = g.op("Mod", numbers(g, count), number)
    chosen = gather_rows(g, rows, g.op("GatherElements", first, turn, axis=1))
    return g.slice(chosen, [2], [0], [4]), g.slice(chosen, [2], [4], [5])


def _shapes(s: ShapeContext, a: Any) -> None:
    prob = s["cls_prob"]
    batch = prob[0] if prob is not None and len(prob) == 4 else None
    if prob is not None and len(prob) == 4:
        s.set("bbox_pred", (batch, None if prob[1] is None else prob[1] * 2, *prob[2:]))
    s.set("im_info", (batch, 3))


def _visible(a: Any) -> int:
    return 2 if a.output_score else 1


_SCALES, _RATIOS = (4.0, 8.0, 16.0, 32.0), (0.5, 1.0, 2.0)
_OPTIONS: dict[str, Any] = {"outputs": 2, "visible": _visible, "output_names": ("output", "score")}


@operator("_contrib_MultiProposal", **_OPTIONS)
def multi_proposal(
    g: Builder,
    cls_prob: Tensor,
    bbox_pred: Tensor,
    im_info: Tensor,
    *,
    rpn_pre_nms_top_n: int = 6000,
    rpn_post_nms_top_n: int = 300,
    threshold: float = 0.7,
    rpn_min_size: int = 16,
    scales: Floats = _SCALES,
    ratios: Floats = _RATIOS,
    feature_stride: int = 16,
    output_score: bool = False,
    iou_loss: bool = False,
) -> tuple[Tensor, Tensor]:
    """MultiProposal(cls_prob, bbox_pred, im_info, rpn_pre_nms_top_n=6000, rpn_post_nms_top_n=300, threshold=0.7,
    rpn_min_size=16, scales=(4, 8, 16, 32), ratios=(0.5, 1, 2), feature_stride=16, output_score=False, iou_loss=False)

    Regions (image, x0, y0, x1, y1) that probably hold an object, `rpn_post_nms_top_n` of each image, and with
    `output_score` their scores.

    Each cell of the feature map has an anchor for every ratio and scale, `feature_stride` pixels apart. `bbox_pred`
    (batch, anchors * 4, height, width) moves them: centres in sizes of the anchor and logarithms of sizes or, with
    `iou_loss`, corners in pixels. `cls_prob` (batch, 2 * anchors, height, width) has the scores in its second half, and
    `im_info` (batch, 3) height, width and scale of the images. Regions below `rpn_min_size` pixels, times the scale,
    come last. Of the `rpn_pre_nms_top_n` best those that overlap a better one by more than `threshold` are left out;
    where too few remain they are repeated. No gradients.
    """
    boxes, score = _proposed(
        g, cls_prob, bbox_pred, im_info, before=rpn_pre_nms_top_n, after=rpn_post_nms_top_n, threshold=threshold,
        min_size=rpn_min_size, scales=scales, ratios=ratios, stride=feature_stride, iou_loss=iou_loss,
    )  # fmt: skip
    batch = cls_prob.dims[0]
    image = g.expand(g.reshape(numbers(g, batch, boxes.dt), (batch, 1, 1)), (batch, rpn_post_nms_top_n, 1))
    total = batch * rpn_post_nms_top_n
    regions = g.op("Concat", image, boxes, axis=2)
    return g.reshape(regions, (total, 5)), g.reshape(score, (total, 1))


@operator("_contrib_Proposal", **_OPTIONS)
def proposal(
    g: Builder,
    cls_prob: Tensor,
    bbox_pred: Tensor,
    im_info: Tensor,
    *,
    rpn_pre_nms_top_n: int = 6000,
    rpn_post_nms_top_n: int = 300,
    threshold: float = 0.7,
    rpn_min_size: int = 16,
    scales: Floats = _SCALES,
    ratios: Floats = _RATIOS,
    feature_stride: int = 16,
    output_score: bool = False,
    iou_loss: bool = False,
) -> tuple[Tensor, Tensor]:
    """Proposal(cls_prob, bbox_pred, im_info, rpn_pre_nms_top_n=6000, rpn_post_nms_top_n=300, threshold=0.7,
    rpn_min_size=16, scales=(4, 8, 16, 32), ratios=(0.5, 1, 2), feature_stride=16, output_score=False, iou_loss=False)

    MultiProposal of one image.
    """
    if cls_prob.dims[0] != 1:
        raise ShapeError(
            f"argument 'cls_prob': expected one image, got shape {cls_prob.dims}; see MultiProposal"
        )
    boxes, score = _proposed(
        g, cls_prob, bbox_pred, im_info, before=rpn_pre_nms_top_n, after=rpn_post_nms_top_n, threshold=threshold,
        min_size=rpn_min_size, scales=scales, ratios=ratios, stride=feature_stride, iou_loss=iou_loss,
    )  # fmt: skip
    image = g.fill((1, rpn_post_nms_top_n, 1), 0, boxes.dt)
    regions = g.op("Concat", image, boxes, axis=2)
    return g.reshape(regions, (rpn_post_nms_top_n, 5)), g.reshape(score, (rpn_post_nms_top_n, 1))


for _op in (multi_proposal, proposal):
    _op.infer_shape(_shapes)
