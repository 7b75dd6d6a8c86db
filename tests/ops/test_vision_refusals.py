"""What operators of vision and detection refuse, and how they say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gluon_onnx as mx
from gluon_onnx import nd


def _zeros(*shapes: tuple[int, ...]) -> list[Any]:
    return [nd.zeros(shape) for shape in shapes]


_CALLS: dict[str, tuple[Callable[[], Any], str]] = {
    "not images": (
        lambda: nd.contrib.AdaptiveAvgPooling2D(*_zeros((2, 3, 4)), output_size=2),
        r"'data': expected \(batch, channels, height, width\), got shape \(2, 3, 4\)",
    ),
    "no size": (
        lambda: nd.contrib.BilinearResize2D(*_zeros((1, 1, 4, 4)), height=0, width=3),
        "'height': expected a length above 0, got 0",
    ),
    "scale missing": (
        lambda: nd.contrib.BilinearResize2D(*_zeros((1, 1, 4, 4)), mode="odd_scale"),
        "'scale_height': mode 'odd_scale' needs it",
    ),
    "crop outside": (
        lambda: nd.Crop(*_zeros((1, 1, 4, 4)), num_args=1, offset=(2, 0), h_w=(3, 3)),
        r"'offset': 3 x 3 elements from \(2, 0\) on reach out of images of 4 x 4",
    ),
    "crop larger": (
        lambda: nd.Crop(*_zeros((1, 1, 4, 4)), num_args=1, h_w=(5, 3)),
        "images of 4 x 4 cannot be cropped to 5 x 3",
    ),
    "heads": (
        lambda: nd.contrib.interleaved_matmul_selfatt_qk(*_zeros((3, 2, 10)), heads=2),
        "features of argument 'queries_keys_values': expected a multiple of 6, got 10",
    ),
    "grid of another batch": (
        lambda: nd.BilinearSampler(*_zeros((2, 1, 4, 4), (3, 2, 4, 4))),
        r"'grid': expected shape \(2, 2, height, width\), got \(3, 2, 4, 4\)",
    ),
    "affine maps": (
        lambda: nd.GridGenerator(*_zeros((2, 5)), transform_type="affine", target_shape=(2, 2)),
        r"'data': expected affine maps \(batch, 6\), got shape \(2, 5\)",
    ),
    "boxes": (
        lambda: nd.contrib.box_iou(*_zeros((2, 4), (3, 5))),
        r"'rhs': expected two or more axes, the last of length 4, got shape \(3, 5\)",
    ),
    "score among coordinates": (
        lambda: nd.contrib.box_nms(*_zeros((4, 6)), score_index=3),
        "'score_index': expected one of 6 columns, none of 2 to 5, got 3",
    ),
    "coordinates outside": (
        lambda: nd.contrib.box_nms(*_zeros((4, 6)), coord_start=3),
        "'coord_start': 3 to 6 are not columns of 6",
    ),
    "class is the score": (
        lambda: nd.contrib.box_nms(*_zeros((4, 6)), id_index=1),
        "'id_index': column 1 is that of the scores",
    ),
    "anchors": (
        lambda: nd.contrib.MultiBoxTarget(*_zeros((2, 3, 4), (1, 2, 5), (1, 2, 3))),
        r"'anchor': expected shape \(1, anchors, 4\), got \(2, 3, 4\)",
    ),
    "movements": (
        lambda: nd.contrib.MultiBoxDetection(*_zeros((1, 2, 3), (1, 10), (1, 3, 4))),
        r"'loc_pred': expected shape \(1, 12\), got \(1, 10\)",
    ),
    "regions": (
        lambda: nd.ROIPooling(*_zeros((1, 2, 4, 4), (3, 4)), pooled_size=(2, 2), spatial_scale=1.0),
        r"'rois': expected regions \(regions, 5\), got shape \(3, 4\)",
    ),
    "one pooled size": (
        lambda: nd.contrib.ROIAlign(*_zeros((1, 2, 4, 4), (3, 5)), pooled_size=(2,), spatial_scale=1.0),
        r"'pooled_size': expected two lengths above 0, got \(2,\)",
    ),
    "channels of bins": (
        lambda: nd.contrib.PSROIPooling(
            *_zeros((1, 7, 4, 4), (3, 5)), spatial_scale=1.0, output_dim=2, pooled_size=2
        ),
        r"'data': expected 2 \* 2 \* 2 channels, got shape \(1, 7, 4, 4\)",
    ),
    "offsets": (
        lambda: nd.contrib.DeformableConvolution(
            *_zeros((1, 2, 5, 5), (1, 18, 5, 5), (3, 2, 3, 3)), kernel=(3, 3), num_filter=3, no_bias=True
        ),
        r"'offset': expected shape \(1, 18, 3, 3\), got \(1, 18, 5, 5\)",
    ),
    "several images": (
        lambda: nd.contrib.Proposal(*_zeros((2, 2, 3, 3), (2, 4, 3, 3), (2, 3)), scales=(1,), ratios=(1,)),
        "'cls_prob': expected one image.*see MultiProposal",
    ),
    "anchors of a cell": (
        lambda: nd.contrib.MultiProposal(*_zeros((2, 6, 3, 3), (2, 12, 3, 3), (2, 3)), scales=(1, 2)),
        "expected 12 channels, two for each of 3 ratios and 2 scales",
    ),
    "even kernel": (
        lambda: nd.Correlation(*_zeros((1, 1, 5, 5), (1, 1, 5, 5)), kernel_size=2),
        "expected numbers above 0, the first odd, got 2, 1 and 1",
    ),
    "patches do not fit": (
        lambda: nd.Correlation(*_zeros((1, 1, 5, 5), (1, 1, 5, 5)), max_displacement=3),
        "patches and displacements of 3 elements do not fit into 5 with its padding",
    ),
    "marks": (
        lambda: nd.contrib.hawkesll(*_zeros((2, 3), (3,), (3,), (2, 3), (2, 4), (2, 4), (2,), (2,))),
        "'marks'.*expected int32, got float32",
    ),
    "bytes": (
        lambda: nd.contrib.dequantize(*_zeros((2, 3), (1,), (1,))),
        "'data': expected uint8 or int8, got float32",
    ),
}


@pytest.mark.parametrize("name", _CALLS)
def test_refused(name: str) -> None:
    call, match = _CALLS[name]
    with pytest.raises(mx.MXNetError, match=match):
        call()
