"""Boxes, anchors and regions of interest."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.cases._spec import Case, Spec, boxes, case, distinct, ints, normal, values

_SIX = [
    [0, 0.9, 0.1, 0.1, 0.5, 0.5],
    [0, 0.8, 0.12, 0.1, 0.52, 0.5],
    [1, 0.75, 0.1, 0.12, 0.5, 0.52],
    [0, 0.3, 0.6, 0.6, 0.9, 0.9],
    [-1, 0.85, 0.1, 0.1, 0.5, 0.5],
    [1, 0.05, 0.6, 0.62, 0.9, 0.9],
]
_TWO = [[2, 0.6, 0.0, 0.0, 0.3, 0.3], [2, 0.7, 0.0, 0.05, 0.3, 0.35]]


def _fixed(op: str, tag: str, *inputs: Spec, grad: Any = False, **attrs: Any) -> Case:
    return case(op, *inputs, tag=tag, attrs=attrs, grad=grad)


def _nms() -> list[Case]:
    data = values(_SIX)
    batch = values([_SIX, [*_TWO, *_SIX[2:]]])
    plain: dict[str, dict[str, Any]] = {
        "default": {},
        "classes": {"id_index": 0},
        "force": {"id_index": 0, "force_suppress": True},
        "background": {"id_index": 0, "background_id": 1},
        "background0": {"id_index": 0, "background_id": 0},
        "valid": {"valid_thresh": 0.4, "id_index": 0},
        "topk": {"topk": 2},
        "topk_classes": {"topk": 3, "id_index": 0, "valid_thresh": 0.1},
        "overlap": {"overlap_thresh": 0.9},
        "overlap0": {"overlap_thresh": 0.0, "id_index": 0},
        "corner_to_center": {"out_format": "center"},
        "center": {"in_format": "center", "out_format": "center"},
        "center_to_corner": {"in_format": "center"},
        "nothing_valid": {"valid_thresh": 0.95},
    }
    rows = [_fixed("_contrib_box_nms", tag, data, **attrs) for tag, attrs in plain.items()]
    rows += [
        _fixed("_contrib_box_nms", "batch", batch, id_index=0, topk=3, grad=True),
        _fixed("_contrib_box_nms", "gradient", data, id_index=0, grad=True),
        _fixed(
            "_contrib_box_nms",
            "indices",
            values([[0.1, 0.1, 0.5, 0.5, 0.3, 7.0], [0.1, 0.12, 0.5, 0.5, 0.6, 8.0]]),
            coord_start=0,
            score_index=4,
        ),
        _fixed("_contrib_box_nms", "extra_columns", values([[*r, 5.5, -2.5] for r in _SIX]), id_index=0),
        _fixed("_contrib_box_nms", "many", Spec((12, 6), "uniform", (0.0, 1.0)), overlap_thresh=0.3),
        _fixed(
            "_contrib_bipartite_matching",
            "descending",
            values([[0.5, 0.6], [0.1, 0.2], [0.3, 0.4]]),
            threshold=1e-12,
            is_ascend=False,
        ),
        _fixed(
            "_contrib_bipartite_matching",
            "ascending",
            values([[0.5, 0.6], [0.1, 0.2], [0.3, 0.4]]),
            threshold=0.55,
            is_ascend=True,
        ),
        _fixed(
            "_contrib_bipartite_matching",
            "topk",
            values([[[0.5, 0.6], [0.1, 0.2]], [[0.9, 0.8], [0.3, 0.95]]]),
            threshold=0.15,
            topk=1,
        ),
        _fixed("_contrib_bipartite_matching", "wide", distinct(2, 3, 5, scale=0.1), threshold=-0.5),
    ]
    return rows


def _pairs() -> list[Case]:
    refs = boxes(1, 3, 4)
    return [
        _fixed("_contrib_box_iou", "corner", boxes(3, 4), boxes(2, 4)),
        _fixed("_contrib_box_iou", "center", boxes(3, 4), boxes(2, 4), format="center"),
        _fixed("_contrib_box_iou", "batch", boxes(2, 3, 4), boxes(4, 4)),
        _fixed(
            "_contrib_box_iou",
            "apart",
            values([[0.0, 0.0, 1.0, 1.0]]),
            values([[2.0, 2.0, 3.0, 3.0], [0.0, 0.0, 0.0, 0.0], [0.5, 0.5, 1.5, 1.5]]),
        ),
        _fixed(
            "_contrib_box_encode",
            "plain",
            values([[1, -1, 1, 0, 1]]),
            values([[0, 1, 2, 2, 0]]),
            boxes(1, 5, 4),
            refs,
            values([0.0, 0.1, 0.0, -0.1]),
            values([0.1, 0.1, 0.2, 0.2]),
        ),
        _fixed(
            "_contrib_box_decode",
            "corner",
            normal(1, 3, 4, scale=0.3),
            boxes(1, 3, 4),
            format="corner",
            std0=0.1,
            std1=0.1,
            std2=0.2,
            std3=0.2,
        ),
        _fixed("_contrib_box_decode", "center", normal(2, 3, 4, scale=0.3), boxes(1, 3, 4)),
        _fixed("_contrib_box_decode", "clip", normal(1, 3, 4), boxes(1, 3, 4), format="corner", clip=0.25),
    ]


def _multibox() -> list[Case]:
    feature = normal(1, 2, 2, 3)
    anchors = boxes(1, 4, 4)
    near = values(
        [
            [
                [0.1, 0.1, 0.4, 0.4],
                [0.5, 0.5, 0.9, 0.9],
                [0.05, 0.6, 0.35, 0.95],
                [0.6, 0.1, 0.9, 0.3],
                [0.1, 0.1, 0.45, 0.5],
            ]
        ]
    )
    truth = values(
        [
            [[1, 0.12, 0.1, 0.42, 0.4], [0, 0.55, 0.5, 0.9, 0.95], [-1, -1, -1, -1, -1]],
            [[2, 0.05, 0.55, 0.35, 0.95], [-1, -1, -1, -1, -1], [-1, -1, -1, -1, -1]],
        ]
    )
    none = values([[[-1.0] * 5] * 3])
    rows = [
        _fixed("_contrib_MultiBoxPrior", "default", feature),
        _fixed("_contrib_MultiBoxPrior", "sizes", feature, sizes=(0.5, 0.25)),
        _fixed("_contrib_MultiBoxPrior", "ratios", feature, sizes=(0.4, 0.2), ratios=(1, 2, 0.5)),
        _fixed("_contrib_MultiBoxPrior", "clip", feature, sizes=(0.9,), ratios=(1, 3), clip=True),
        _fixed(
            "_contrib_MultiBoxPrior", "steps", feature, sizes=(0.3,), steps=(0.4, 0.3), offsets=(0.25, 0.75)
        ),
        _fixed("_contrib_MultiBoxTarget", "default", near, truth, normal(2, 4, 5)),
        _fixed("_contrib_MultiBoxTarget", "overlap", near, truth, normal(2, 4, 5), overlap_threshold=0.9),
        _fixed(
            "_contrib_MultiBoxTarget",
            "variances",
            near,
            truth,
            normal(2, 4, 5),
            variances=(0.2, 0.2, 0.1, 0.3),
        ),
        _fixed(
            "_contrib_MultiBoxTarget",
            "mining",
            near,
            truth,
            normal(2, 4, 5),
            negative_mining_ratio=1.0,
            negative_mining_thresh=0.5,
        ),
        _fixed(
            "_contrib_MultiBoxTarget",
            "mining3",
            near,
            truth,
            normal(2, 4, 5),
            negative_mining_ratio=3.0,
            negative_mining_thresh=0.4,
            ignore_label=-2.0,
        ),
        _fixed(
            "_contrib_MultiBoxTarget",
            "minimum_negatives",
            near,
            truth,
            normal(2, 4, 5),
            negative_mining_ratio=0.1,
            minimum_negative_samples=2,
        ),
        _fixed("_contrib_MultiBoxTarget", "no_truth", near, none, normal(1, 4, 5)),
    ]
    scores = values(
        [
            [[0.1, 0.2, 0.6, 0.05], [0.7, 0.1, 0.1, 0.9], [0.2, 0.7, 0.3, 0.05]],
            [[0.9, 0.3, 0.2, 0.1], [0.05, 0.6, 0.1, 0.1], [0.05, 0.1, 0.7, 0.8]],
        ]
    )
    moves = Spec((2, 16), "normal", (0.5,))
    for tag, attrs in {
        "default": {},
        "threshold": {"threshold": 0.65},
        "nms": {"nms_threshold": 0.1},
        "force": {"nms_threshold": 0.1, "force_suppress": True},
        "topk": {"nms_topk": 2},
        "background": {"background_id": 2},
        "no_clip": {"clip": False, "variances": (0.5, 0.5, 0.4, 0.4)},
    }.items():
        rows.append(_fixed("_contrib_MultiBoxDetection", tag, scores, moves, anchors, **attrs))
    return rows


def _nothing(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {"out0": np.zeros((2, 2, 2, 2)), "grad0": np.zeros_like(inputs[0])}


def _regions() -> list[Case]:
    data = distinct(2, 2, 8, 8, scale=0.1)
    rois = values([[0, 0, 0, 7, 7], [1, 2, 1, 5, 6], [0, 3, 3, 3, 3], [1, 1.4, 2.6, 6.5, 7.4]])
    tenth = values([[0, 0, 0, 70, 70], [1, 20, 10, 50, 60]])
    rows = [
        case("ROIPooling", data, rois, tag="plain", pooled_size=(3, 2), spatial_scale=1.0, grad=(0,)),
        case("ROIPooling", data, tenth, tag="scale", pooled_size=(2, 2), spatial_scale=0.1, grad=(0,)),
        case(
            "ROIPooling",
            data,
            values([[0, 6, 6, 20, 20], [1, -3, -3, 2, 2], [1, 5, 5, 2, 2]]),
            tag="outside",
            pooled_size=(2, 2),
            spatial_scale=1.0,
            grad=(0,),
        ),
        case("_contrib_ROIAlign", data, rois, tag="plain", pooled_size=(2, 3), spatial_scale=1.0, grad=(0,)),
        case("_contrib_ROIAlign", data, tenth, tag="scale", pooled_size=(2, 2), spatial_scale=0.1, grad=(0,)),
        case(
            "_contrib_ROIAlign",
            data,
            rois,
            tag="sample_ratio",
            pooled_size=(2, 2),
            spatial_scale=1.0,
            sample_ratio=2,
            grad=(0,),
        ),
        case(
            "_contrib_ROIAlign",
            data,
            values([[0, 0, 0, 14, 14], [1, 3, 2, 9, 13]]),
            tag="aligned",
            pooled_size=(2, 2),
            spatial_scale=0.5,
            sample_ratio=2,
            aligned=True,
            grad=(0,),
        ),
        case(
            "_contrib_ROIAlign",
            data,
            values([[-1, 0, 0, 7, 7], [-1, 2, 1, 5, 6]]),
            tag="no_image",
            pooled_size=(2, 2),
            spatial_scale=1.0,
            grad=(0,),
            mxnet_wrong="on a CPU it leaves such a region as it was in memory",
            oracle="none",
            expect=_nothing,
        ),
        case(
            "_contrib_ROIAlign",
            normal(2, 8, 6, 6),
            rois,
            tag="position_sensitive",
            pooled_size=(2, 2),
            spatial_scale=0.75,
            sample_ratio=2,
            position_sensitive=True,
            grad=(0,),
        ),
        case(
            "_contrib_ROIAlign",
            data,
            values([[0, -2, -2, 3, 3], [1, 6, 6, 12, 12]]),
            tag="outside",
            pooled_size=(2, 2),
            spatial_scale=1.0,
            sample_ratio=2,
            grad=(0,),
        ),
        case(
            "_contrib_RROIAlign",
            normal(2, 2, 8, 8),
            values([[0, 4, 4, 4, 2, 30], [1, 3, 4, 5, 3, -45]]),
            tag="plain",
            pooled_size=(2, 2),
            spatial_scale=1.0,
            sampling_ratio=2,
            grad=False,
        ),
        case(
            "_contrib_PSROIPooling",
            normal(2, 8, 6, 6),
            values([[0, 0, 0, 5, 5], [1, 1, 2, 4, 5]]),
            tag="plain",
            spatial_scale=1.0,
            output_dim=2,
            pooled_size=2,
            group_size=2,
            grad=(0,),
        ),
        case(
            "_contrib_PSROIPooling",
            normal(1, 8, 6, 6),
            values([[0, 0, 0, 11, 11]]),
            tag="default_group",
            spatial_scale=0.5,
            output_dim=2,
            pooled_size=2,
            grad=(0,),
        ),
        case(
            "_contrib_DeformablePSROIPooling",
            normal(1, 8, 6, 6),
            values([[0, 0, 0, 5, 5]]),
            normal(1, 2, 2, 2),
            tag="plain",
            spatial_scale=1.0,
            output_dim=2,
            group_size=2,
            pooled_size=2,
            part_size=2,
            sample_per_part=2,
            trans_std=0.1,
            grad=(0, 2),
        ),
        case(
            "_contrib_DeformablePSROIPooling",
            normal(2, 16, 6, 6),
            values([[0, 0, 0, 5, 5], [1, 1, 2, 9, 7]]),
            normal(2, 4, 3, 3),
            tag="classes",
            spatial_scale=0.75,
            output_dim=4,
            group_size=2,
            pooled_size=3,
            sample_per_part=3,
            trans_std=0.2,
            grad=(0, 2),
        ),
        case(
            "_contrib_DeformablePSROIPooling",
            normal(1, 8, 6, 6),
            values([[0, 0, 0, 5, 5]]),
            tag="no_trans",
            spatial_scale=1.0,
            output_dim=2,
            group_size=2,
            pooled_size=2,
            sample_per_part=2,
            no_trans=True,
            grad=(0,),
        ),
    ]
    return rows


def _edge_value(image: np.ndarray, y: float, x: float) -> float:
    """An image at a fractional place; up to an element outside it is that of the edge, further zero."""
    height, width = image.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0.0), height - 1), min(max(x, 0.0), width - 1)
    rows, cols = np.abs(y - np.arange(height)), np.abs(x - np.arange(width))
    return float(np.maximum(1 - rows, 0) @ image @ np.maximum(1 - cols, 0))


def _mask_row(tag: str, samples: int, aligned: bool) -> Case:
    classes, size = 3, (2, 3)

    def expect(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
        rois, masks, matches, kinds = (v.astype("float64") for v in inputs)
        result = np.zeros((*matches.shape, classes, *size))
        for b, r in np.ndindex(*matches.shape):
            corners = rois[b, r] - 0.5 * aligned
            start, extent = corners[1::-1], corners[:1:-1] - corners[1::-1]
            extent = extent if aligned else np.maximum(extent, 1)
            step = extent / size
            count = np.full(2, samples) if samples > 0 else np.ceil(step).astype(int)
            for i, j in np.ndindex(*size):
                places = [
                    start[k] + step[k] * (bin_ + (np.arange(count[k]) + 0.5) / count[k])
                    for k, bin_ in enumerate((i, j))
                ]
                mask = masks[b, int(matches[b, r])]
                found = [_edge_value(mask, y, x) for y in places[0] for x in places[1]]
                result[b, r, :, i, j] = np.mean(found)
        own = kinds[:, :, None] == np.arange(classes)
        return {"out0": result, "out1": np.broadcast_to(own[..., None, None], result.shape) * 1.0}

    boxes_ = [[[0, 0, 5, 4], [1.2, 2.1, 6.7, 5.5]], [[-2, 3, 3.5, 9], [4, 4, 4.5, 4.25]]]
    return case(
        "_contrib_mrcnn_mask_target",
        values(boxes_),
        ints(0, 2, 2, 3, 6, 7),
        values([[0, 2], [1, 1]]),
        values([[1, 0], [2, -1]]),
        tag=tag,
        num_rois=2,
        num_classes=classes,
        mask_size=size,
        sample_ratio=samples,
        aligned=aligned,
        grad=False,
        mxnet_wrong="it has this operator on NVIDIA devices only",
        oracle="none",
        expect=expect,
    )


def _masks() -> list[Case]:
    return [_mask_row("plain", 2, False), _mask_row("aligned", 2, True), _mask_row("adaptive", -1, False)]


def _proposals() -> list[Case]:
    rows = []
    attrs: dict[str, Any] = {
        "rpn_pre_nms_top_n": 12,
        "rpn_post_nms_top_n": 6,
        "threshold": 0.7,
        "rpn_min_size": 4,
        "scales": (0.5, 1.0),
        "ratios": (0.5, 1.0, 2.0),
        "feature_stride": 16,
    }
    for tag, more in {
        "default": {},
        "scores": {"output_score": True},
        "iou_loss": {"iou_loss": True, "output_score": True},
        "min_size": {"rpn_min_size": 20, "output_score": True},
        "few": {"rpn_pre_nms_top_n": 4, "rpn_post_nms_top_n": 6, "output_score": True},
        "nms": {"threshold": 0.3, "output_score": True},
    }.items():
        inputs = (
            distinct(1, 12, 3, 4, scale=0.01),
            normal(1, 24, 3, 4, scale=0.2),
            values([[48.0, 64.0, 1.0]]),
        )
        rows.append(_fixed("_contrib_Proposal", tag, *inputs, **{**attrs, **more}))
        inputs = (
            distinct(2, 12, 3, 4, scale=0.01),
            normal(2, 24, 3, 4, scale=0.2),
            values([[48.0, 64.0, 1.0], [40.0, 60.0, 1.5]]),
        )
        rows.append(_fixed("_contrib_MultiProposal", tag, *inputs, **{**attrs, **more}))
    return rows


CASES: list[Case] = [*_nms(), *_pairs(), *_multibox(), *_regions(), *_masks(), *_proposals()]
