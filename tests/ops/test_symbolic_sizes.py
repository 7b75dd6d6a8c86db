"""Operators of vision and detection in programs whose sizes are known at run time only.

One program serves all sizes; it must give what a program made for each gives, gradients included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest

from gluon_onnx.graph.autodiff.engine import joint
from gluon_onnx.graph.builder import Builder
from gluon_onnx.graph.dims import Dim, DimLike
from gluon_onnx.graph.ops import find
from gluon_onnx.graph.program import Program, finish

Array = np.ndarray[Any, Any]
N, C, H, W, K, R = (Dim.symbol(name) for name in "nchwkr")
SIZES = [
    {"n": 2, "c": 2, "h": 5, "w": 6, "k": 4, "r": 3},
    {"n": 3, "c": 1, "h": 4, "w": 9, "k": 5, "r": 1},
]
#: (operator, parameters, shapes, inputs whose gradients are compared, {input: how it is drawn instead of uniformly})
Row = tuple[str, dict[str, Any], list[tuple[DimLike, ...]], list[int], dict[int, Any]]


def _regions(width: int) -> Any:
    def draw(stream: np.random.RandomState, sizes: dict[str, int]) -> Array:
        found = stream.uniform(0, 4, size=(sizes["r"], width))
        found[:, 0] = stream.randint(0, sizes["n"], size=sizes["r"])
        found[:, 3:5] = np.maximum(found[:, 3:5], found[:, 1:3])
        return found

    return draw


def _pages(stream: np.random.RandomState, sizes: dict[str, int]) -> Array:
    return np.array([[sizes["h"] * 16, sizes["w"] * 16, 1.0]] * sizes["n"])


def _labels(stream: np.random.RandomState, sizes: dict[str, int]) -> Array:
    boxes = np.sort(stream.uniform(size=(sizes["n"], sizes["r"], 2, 2)), axis=2).reshape(-1, sizes["r"], 4)
    return np.concatenate([stream.randint(0, 2, size=(*boxes.shape[:2], 1)), boxes], axis=2)


def _matches(stream: np.random.RandomState, sizes: dict[str, int]) -> Array:
    return stream.randint(0, sizes["r"], size=(sizes["n"], sizes["k"]))


def _marks(stream: np.random.RandomState, sizes: dict[str, int]) -> Array:
    return stream.randint(0, sizes["k"], size=(sizes["n"], sizes["r"])).astype(np.int32)


def _long(stream: np.random.RandomState, sizes: dict[str, int]) -> Array:
    return np.full(sizes["n"], 6.0)


_GRID = {"pooled_size": (2, 3), "spatial_scale": 1.0}
_SQUARE = {"spatial_scale": 1.0, "pooled_size": 2}
_CONV = {"kernel": (3, 3), "pad": (1, 1), "num_filter": 3}
_AFFINE = {"transform_type": "affine", "target_shape": (3, 4)}
_IMAGES = (N, C, H, W)
_OFFSET, _WEIGHT = (N, 18, H, W), (3, 2, 3, 3)
ROWS: list[Row] = [
    ("BatchNorm_v1", {}, [(N, 3, H, W), *[(3,)] * 4], [0, 1], {}),
    ("_contrib_AdaptiveAvgPooling2D", {"output_size": (3, 2)}, [_IMAGES], [0], {}),
    ("_contrib_BilinearResize2D", {"height": 5, "width": 7}, [(N, C, 4, 6)], [0], {}),
    ("_contrib_BilinearResize2D", {"mode": "like"}, [_IMAGES, (N, 1, K, R)], [], {}),
    ("Crop", {"num_args": 1, "h_w": (2, 2), "center_crop": True}, [_IMAGES], [0], {}),
    ("Crop", {"num_args": 2}, [_IMAGES, (N, C, 3, 2)], [0], {}),
    ("_contrib_interleaved_matmul_selfatt_qk", {"heads": 2}, [(K, N, 12)], [0], {}),
    ("_contrib_interleaved_matmul_selfatt_valatt", {"heads": 2}, [(K, N, 12), (2 * N, K, K)], [0, 1], {}),
    ("_contrib_interleaved_matmul_encdec_qk", {"heads": 2}, [(K, N, 4), (R, N, 8)], [0, 1], {}),
    ("_contrib_interleaved_matmul_encdec_valatt", {"heads": 2}, [(R, N, 8), (2 * N, K, R)], [0, 1], {}),
    ("_contrib_quantize_v2", {}, [(N, K)], [], {}),
    ("GridGenerator", _AFFINE, [(N, 6)], [0], {}),
    ("GridGenerator", {"transform_type": "warp"}, [(N, 2, H, W)], [0], {}),
    ("BilinearSampler", {}, [_IMAGES, (N, 2, 3, K)], [0, 1], {}),
    ("SpatialTransformer", {**_AFFINE, "sampler_type": "bilinear"}, [_IMAGES, (N, 6)], [0, 1], {}),
    ("_contrib_box_iou", {}, [(N, K, 4), (R, 4)], [0], {}),
    ("_contrib_box_encode", {}, [(N, K), (N, K), (N, K, 4), (N, R, 4), (4,), (4,)], [], {1: _matches}),
    ("_contrib_box_decode", {}, [(N, K, 4), (1, K, 4)], [0], {}),
    ("_contrib_bipartite_matching", {"threshold": 0.1}, [(N, K, R)], [0], {}),
    ("_contrib_box_nms", {"id_index": 0, "topk": 3}, [(N, K, 6)], [0], {}),
    ("_contrib_box_nms", {"in_format": "center"}, [(N, K, 6)], [0], {}),
    ("_contrib_MultiBoxPrior", {"sizes": (0.5, 0.2), "ratios": (1, 2)}, [_IMAGES], [0], {}),
    (
        "_contrib_MultiBoxTarget",
        {"negative_mining_ratio": 1.0},
        [(1, K, 4), (N, R, 5), (N, 3, K)],
        [2],
        {1: _labels},
    ),
    ("_contrib_MultiBoxDetection", {"nms_topk": 2}, [(N, 3, K), (N, 4 * K), (1, K, 4)], [0], {}),
    ("ROIPooling", _GRID, [_IMAGES, (R, 5)], [0], {1: _regions(5)}),
    ("_contrib_ROIAlign", _GRID, [_IMAGES, (R, 5)], [0], {1: _regions(5)}),
    (
        "_contrib_ROIAlign",
        {**_GRID, "position_sensitive": True},
        [(N, 12, H, W), (R, 5)],
        [0],
        {1: _regions(5)},
    ),
    ("_contrib_RROIAlign", _GRID, [_IMAGES, (R, 6)], [0], {1: _regions(6)}),
    ("_contrib_PSROIPooling", {**_SQUARE, "output_dim": 3}, [(N, 12, H, W), (R, 5)], [0], {1: _regions(5)}),
    (
        "_contrib_DeformablePSROIPooling",
        {**_SQUARE, "output_dim": 2, "group_size": 2, "trans_std": 0.1, "sample_per_part": 2},
        [(N, 8, H, W), (R, 5), (R, 4, 2, 2)],
        [0, 2],
        {1: _regions(5)},
    ),
    ("_contrib_DeformableConvolution", _CONV, [(N, 2, H, W), _OFFSET, _WEIGHT, (3,)], [0, 1, 2, 3], {}),
    (
        "_contrib_ModulatedDeformableConvolution",
        _CONV,
        [(N, 2, H, W), _OFFSET, (N, 9, H, W), _WEIGHT, (3,)],
        [0, 1, 2, 3, 4],
        {},
    ),
    (
        "_contrib_MultiProposal",
        {"scales": (1.0,), "ratios": (1.0, 2.0), "rpn_post_nms_top_n": 4, "rpn_min_size": 1},
        [(N, 4, H, W), (N, 8, H, W), (N, 3)],
        [0],
        {2: _pages},
    ),
    ("Correlation", {"max_displacement": 1, "pad_size": 1}, [_IMAGES, _IMAGES], [0, 1], {}),
    (
        "Correlation",
        {"max_displacement": 1, "pad_size": 1, "is_multiply": False, "kernel_size": 3},
        [_IMAGES, _IMAGES],
        [0, 1],
        {},
    ),
    (
        "_contrib_hawkesll",
        {},
        [(N, K), (K,), (K,), (N, K), (N, R), (N, R), (N,), (N,)],
        [0, 1],
        {5: _marks, 6: _long, 7: _long},
    ),
]


def _lowered(row: Row, arrays: Sequence[Array], shapes: Sequence[Sequence[DimLike]]) -> Program:
    op = find(row[0])
    attrs = op.parse(row[1])
    g = Builder()
    g.train = True
    inputs = [g.input(f"x{i}", a.dtype, s) for i, (a, s) in enumerate(zip(arrays, shapes, strict=True))]
    results = op.lower(g, inputs, attrs, op.argument_names(attrs, len(inputs)))
    return finish(g, list(results)[: op.visible(attrs)])


def _run(program: Program, feeds: Sequence[Array]) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        program.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found: list[Array] = session.run(None, dict(zip(program.input_names, feeds, strict=True)))
    return found


def _size(d: DimLike, sizes: dict[str, int]) -> int:
    if isinstance(d, int):
        return d
    (term,) = d.terms.items()
    return term[1] * int(np.prod([sizes[str(atom)] for atom in term[0]]))


def _arrays(row: Row, sizes: dict[str, int]) -> list[Array]:
    stream = np.random.RandomState(4)
    found = []
    for i, shape in enumerate(row[2]):
        dims = [_size(d, sizes) for d in shape]
        drawn = row[4][i](stream, sizes) if i in row[4] else stream.uniform(size=dims)
        found.append(drawn if drawn.dtype == np.int32 else drawn.astype(np.float32))
    return found


@pytest.mark.parametrize("row", ROWS, ids=[f"{i}-{row[0]}" for i, row in enumerate(ROWS)])
def test_symbolic_sizes(row: Row) -> None:
    first = _arrays(row, SIZES[0])
    general = _lowered(row, first, row[2])
    floats = [i for i, t in enumerate(general.outputs[: general.visible]) if t.dt.kind == "f"]
    gradient = joint(general, row[3], floats) if row[3] else None
    for sizes in SIZES:
        arrays = _arrays(row, sizes)
        special = _lowered(row, arrays, [a.shape for a in arrays])
        found, expected = _run(general, arrays), _run(special, arrays)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        if gradient is None:
            continue
        heads = [
            np.random.RandomState(i).standard_normal(found[i].shape).astype(found[i].dtype) for i in floats
        ]
        feeds = [*arrays, *heads]
        for a, b in zip(_run(gradient, feeds), _run(joint(special, row[3], floats), feeds), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
