"""Detours around kernels that ONNX Runtime lacks in double precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.passes.kernels import ABSENT, DETOURS, with_kernels
from gluon_onnx.graph.program import finish

_STREAM = np.random.RandomState(9)
_UNARY = [
    "Asinh", "Atan", "Cosh", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Selu", "Sinh",
    "Softplus", "Softsign", "Swish", "Tan", "ThresholdedRelu",
]  # fmt: skip
_VALUES = np.concatenate([np.linspace(-8, 8, 61), [0.0, -0.0, 9.5, -9.5]])


def _random(*shape: int) -> np.ndarray[Any, Any]:
    return _STREAM.standard_normal(shape)


def _positive(*shape: int) -> np.ndarray[Any, Any]:
    return _STREAM.uniform(0.5, 2.0, shape)


def _op(op: str, **attributes: Any) -> Callable[..., Tensor]:
    return lambda g, *x: g.op(op, *x, **attributes)


def _resize(scales: list[float], **attributes: Any) -> Callable[..., Tensor]:
    return lambda g, x: g.op("Resize", x, None, g.const(np.asarray(scales, np.float32)), **attributes)


_IMAGE = _random(2, 4, 5, 6)
_FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
_CASES: list[tuple[str, Callable[..., Tensor], tuple[np.ndarray[Any, Any], ...]]] = [
    *((op, _op(op), (_VALUES,)) for op in _UNARY),
    *((op, _op(op), (np.linspace(-0.99, 0.99, 41),)) for op in ("Acos", "Asin", "Atanh")),
    ("Acosh", _op("Acosh"), (np.linspace(1, 20, 41),)),
    ("Gelu-tanh", _op("Gelu", approximate="tanh"), (_VALUES,)),
    ("Elu-alpha", _op("Elu", alpha=0.5), (_VALUES,)),
    ("PRelu", _op("PRelu"), (_random(3, 4), _random(4))),
    (
        "Conv",
        _op("Conv", pads=[1, 0, 2, 1], strides=[2, 1], group=2),
        (_IMAGE, _random(6, 2, 3, 2), _random(6)),
    ),
    ("Conv-same", _op("Conv", auto_pad="SAME_LOWER", strides=[1, 2]), (_IMAGE, _random(3, 4, 2, 2))),
    (
        "ConvTranspose",
        _op("ConvTranspose", strides=[2, 3], pads=[1, 0, 0, 2], group=2),
        (_IMAGE, _random(4, 3, 3, 2)),
    ),
    (
        "ConvTranspose-padding",
        _op("ConvTranspose", strides=[2, 2], dilations=[2, 1], output_padding=[1, 1]),
        (_IMAGE, _random(4, 2, 2, 3), _random(2)),
    ),
    ("AveragePool", _op("AveragePool", kernel_shape=[2, 3], strides=[2, 2]), (_IMAGE,)),
    ("AveragePool-pads", _op("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), (_IMAGE,)),
    (
        "AveragePool-ceil",
        _op(
            "AveragePool",
            kernel_shape=[3, 3],
            strides=[2, 2],
            pads=[1, 1, 1, 1],
            ceil_mode=1,
            count_include_pad=1,
        ),
        (_IMAGE,),
    ),
    ("LpPool", _op("LpPool", kernel_shape=[2, 2], p=3), (_IMAGE,)),
    ("GlobalAveragePool", _op("GlobalAveragePool"), (_IMAGE,)),
    ("GlobalMaxPool", _op("GlobalMaxPool"), (_IMAGE,)),
    ("GlobalLpPool", _op("GlobalLpPool", p=2), (_IMAGE,)),
    ("LRN", _op("LRN", size=3, alpha=0.2), (_IMAGE,)),
    ("InstanceNormalization", _op("InstanceNormalization"), (_IMAGE, _positive(4), _random(4))),
    ("GroupNormalization", _op("GroupNormalization", num_groups=2), (_IMAGE, _positive(4), _random(4))),
    ("MeanVarianceNormalization", _op("MeanVarianceNormalization"), (_IMAGE,)),
    ("Resize-repeat", _resize([1, 1, 2, 3], **_FLOOR), (_IMAGE,)),
    ("Resize-nearest", _resize([1, 1, 1.5, 2]), (_IMAGE,)),
    ("Resize-linear", _resize([1, 1, 2, 0.5], mode="linear"), (_IMAGE,)),
    ("Resize-cubic", _resize([1, 1, 2, 2], mode="cubic"), (_IMAGE,)),
]


def _run(build: Callable[..., Tensor], arrays: tuple[np.ndarray[Any, Any], ...]) -> np.ndarray[Any, Any]:
    g = Builder()
    tensors = [g.input(f"x{i}", x.dtype, x.shape) for i, x in enumerate(arrays)]
    model = finish(g, [build(g, *tensors)]).model
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    result: np.ndarray[Any, Any] = session.run(None, {f"x{i}": x for i, x in enumerate(arrays)})[0]
    return result


@pytest.mark.parametrize(("build", "arrays"), [pytest.param(b, a, id=n) for n, b, a in _CASES])
def test_agrees_with_single_precision(
    build: Callable[..., Tensor], arrays: tuple[np.ndarray[Any, Any], ...]
) -> None:
    """The session is made, and the values are those of the kernel that exists for float32."""
    rounded = tuple(a.astype(np.float32) for a in arrays)
    found = _run(build, tuple(a.astype(np.float64) for a in rounded))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, _run(build, rounded), rtol=2e-5, atol=2e-5)


def test_every_detour_has_a_case() -> None:
    assert {name.partition("-")[0] for name, _, _ in _CASES} == set(DETOURS)


@pytest.mark.parametrize(
    "op", sorted(set(DETOURS) - {"GroupNormalization"})
)  # that one runs, in single precision
def test_is_needed(op: str) -> None:
    """ONNX Runtime refuses the operator in double precision."""
    build, arrays = next((b, a) for name, b, a in _CASES if name.partition("-")[0] == op)
    g = Builder()
    wide = [g.input(f"x{i}", np.float64, x.shape) for i, x in enumerate(arrays)]
    model = ir.serde.serialize_model(finish(g, [build(g, *wide)]).to_ir())
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    with pytest.raises(Exception, match=r"Could not find an implementation|bound to different types"):
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("op", sorted(ABSENT))
def test_absent_operators(op: str, dtype: str) -> None:
    """Those without any kernel, against ONNX's definition."""
    build, arrays = next((b, a) for name, b, a in _CASES if name == op)
    x = arrays[0].astype(dtype)
    wide = x.astype(np.float64)
    expected = (
        wide / (1 + np.exp(-wide)) if op == "Swish" else np.sqrt((wide**2).sum(axis=(2, 3), keepdims=True))
    )
    np.testing.assert_allclose(
        _run(build, (x,)), expected, rtol=2e-3 if dtype == "float16" else 1e-5, atol=1e-6
    )


def test_even_lrn() -> None:
    """ONNX Runtime takes odd sizes only; in double precision there is no such limit."""
    x = _random(1, 5, 2)
    total = np.stack([(x[:, max(c - 1, 0) : c + 3] ** 2).sum(axis=1) for c in range(5)], axis=1)
    found = _run(_op("LRN", size=4, alpha=0.25, beta=0.5), (x,))
    np.testing.assert_allclose(found, x / np.sqrt(1 + 0.25 / 4 * total), rtol=1e-12)


def test_erf_is_precise() -> None:
    x = np.linspace(-7, 7, 2001)
    expected = np.array([math.erf(v) for v in x])
    np.testing.assert_allclose(_run(_op("Erf"), (x,)), expected, rtol=0, atol=5e-16)


def test_nothing_to_do() -> None:
    g = Builder()
    program = finish(g, [g.op("Erf", g.input("x", np.float32, (3,)))])
    assert with_kernels(program) is program
