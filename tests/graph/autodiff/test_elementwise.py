"""Gradient rules of elementwise operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gluon_onnx.graph import special
from gluon_onnx.graph.autodiff import vjp
from gluon_onnx.graph.builder import Builder, Tensor
from tests.graph.autodiff.slopes import Slope, check_first, check_second, check_torch, gradients, mxnet, row

_NAN, _INF = math.nan, math.inf
#: Away from kinks, of both signs; inside (-1, 1); above 1.
_ANY = np.array([[-2.3, -0.7, -0.2], [0.15, 0.6, 2.4]])
_INNER = np.array([-0.9, -0.3, 0.05, 0.4, 0.8])
_POSITIVE = np.array([0.2, 0.7, 1.6, 3.5])
_ABOVE = np.array([1.2, 2.0, 5.5])


def onnx(op_type: str, **attributes: Any) -> Callable[..., Tensor]:
    """A function that is one ONNX operator."""
    return lambda g, *x: g.op(op_type, *x, **attributes)


def _t(path: str, *args: Any, **options: Any) -> Callable[..., Any]:
    """A function of PyTorch by its path, with options."""

    def call(*x: Any) -> Any:
        import torch

        found = torch
        for part in path.split("."):
            found = getattr(found, part)
        return found(*x, *args, **options)

    return call


_UNARY = [
    row("abs", onnx("Abs"), _ANY, torch=_t("abs")),
    row("neg", onnx("Neg"), _ANY, torch=_t("neg")),
    row("relu", onnx("Relu"), _ANY, torch=_t("relu")),
    row("sigmoid", onnx("Sigmoid"), _ANY, torch=_t("sigmoid")),
    row("tanh", onnx("Tanh"), _ANY, torch=_t("tanh")),
    row("exp", onnx("Exp"), _ANY, torch=_t("exp")),
    row("log", onnx("Log"), _POSITIVE, torch=_t("log")),
    row("sqrt", onnx("Sqrt"), _POSITIVE, torch=_t("sqrt")),
    row("reciprocal", onnx("Reciprocal"), _ANY, torch=_t("reciprocal")),
    row("erf", onnx("Erf"), _ANY, torch=_t("erf")),
    row("sin", onnx("Sin"), _ANY, torch=_t("sin")),
    row("cos", onnx("Cos"), _ANY, torch=_t("cos")),
    row("tan", onnx("Tan"), _INNER, torch=_t("tan")),
    row("asin", onnx("Asin"), _INNER, torch=_t("asin")),
    row("acos", onnx("Acos"), _INNER, torch=_t("acos")),
    row("atan", onnx("Atan"), _ANY, torch=_t("atan")),
    row("sinh", onnx("Sinh"), _ANY, torch=_t("sinh")),
    row("cosh", onnx("Cosh"), _ANY, torch=_t("cosh")),
    row("asinh", onnx("Asinh"), _ANY, torch=_t("asinh")),
    row("acosh", onnx("Acosh"), _ABOVE, torch=_t("acosh")),
    row("atanh", onnx("Atanh"), _INNER, torch=_t("atanh")),
    row("softplus", onnx("Softplus"), _ANY, torch=_t("nn.functional.softplus")),
    row("softsign", onnx("Softsign"), _ANY, torch=_t("nn.functional.softsign")),
    row("leaky_relu", onnx("LeakyRelu", alpha=0.25), _ANY, torch=_t("nn.functional.leaky_relu", 0.25)),
    row("elu", onnx("Elu", alpha=0.5), _ANY, torch=_t("nn.functional.elu", 0.5)),
    row("selu", onnx("Selu"), _ANY),
    row("gelu", onnx("Gelu"), _ANY, torch=_t("nn.functional.gelu")),
    row("gelu_tanh", onnx("Gelu", approximate="tanh"), _ANY, torch=_t("nn.functional.gelu", approximate="tanh")),
    row("mish", onnx("Mish"), _ANY, torch=_t("nn.functional.mish")),
    row("swish", onnx("Swish", alpha=1.0), _ANY, torch=_t("nn.functional.silu")),
    row("swish_alpha", onnx("Swish", alpha=0.5), _ANY),
    row("hard_swish", onnx("HardSwish"), [-4.0, -2.5, 0.3, 2.5, 4.0], torch=_t("nn.functional.hardswish")),
    row("hard_sigmoid", onnx("HardSigmoid", alpha=0.25, beta=0.5), [-4.0, -1.5, 0.3, 1.5, 4.0]),
    row("thresholded_relu", onnx("ThresholdedRelu", alpha=0.5), _ANY, torch=_t("nn.functional.threshold", 0.5, 0.0)),
    row("shrink", onnx("Shrink", lambd=0.5), _ANY, torch=_t("nn.functional.hardshrink", 0.5)),
    row("cast_like", lambda g, x: g.op("CastLike", x, x), _ANY),
    row("floor", onnx("Floor"), _ANY, torch=_t("floor")),
    row("expm1", mxnet("expm1"), _ANY, torch=_t("expm1")),
    row("log1p", mxnet("log1p"), _INNER, torch=_t("log1p")),
    row("cbrt", mxnet("cbrt"), _ANY),
    row("rcbrt", mxnet("rcbrt"), _ANY),
    row("rsqrt", mxnet("rsqrt"), _POSITIVE, torch=_t("rsqrt")),
    row("gammaln", mxnet("gammaln"), _POSITIVE, torch=_t("lgamma")),
    row("gammaln_negative", mxnet("gammaln"), [-0.6, -1.3, -2.8], torch=_t("lgamma")),
    row("gamma", mxnet("gamma"), [-1.3, 0.3, 1.7, 3.2]),
    row("digamma", special.digamma, [-1.3, 0.3, 1.7, 12.5]),
    row("erfinv", mxnet("erfinv"), _INNER, torch=_t("erfinv")),
    row("smooth_l1", mxnet("smooth_l1", scalar=2.0), _ANY),
]
_A, _B = np.array([[0.6, 2.3, 1.4]]), np.array([[1.1], [-0.8]])
_BINARY = [
    row("add", onnx("Add"), _A, _B, torch=_t("add")),
    row("sub", onnx("Sub"), _A, _B, torch=_t("sub")),
    row("mul", onnx("Mul"), _A, _B, torch=_t("mul")),
    row("div", onnx("Div"), _A, _B, torch=_t("div")),
    row("pow", onnx("Pow"), _A, _B, torch=_t("pow")),
    row("square", lambda g, x: g.op("Pow", x, 2.0), _ANY, torch=_t("square")),
    row("fmod", onnx("Mod", fmod=1), [7.3, -7.3, 5.6], [3.0, 3.0, -2.5], torch=_t("fmod")),
    row("mod", mxnet("broadcast_mod"), [[7.3], [-7.3]], [3.0, -2.5], torch=_t("remainder")),
    row("hypot", mxnet("broadcast_hypot"), _A, _B, torch=_t("hypot")),
    row("max", onnx("Max"), _A, _B, torch=_t("maximum")),
    row("min", onnx("Min"), _A, _B, torch=_t("minimum")),
    row("max3", onnx("Max"), _A, _B, [1.3, 0.2, 0.1]),
    row("min3", onnx("Min"), _A, _B, [1.3, 0.2, 0.1]),
    row("sum3", onnx("Sum"), _A, _B, [1.3, 0.2, 0.1]),
    row("mean3", onnx("Mean"), _ANY, _A, [1.3, 0.2, 0.1]),
    row("where", onnx("Where"), [[True, False, True]], _A, _B, torch=_t("where")),
    row("clip", onnx("Clip"), _ANY, -0.5, 0.9),
    row("clip_low", onnx("Clip"), _ANY, -0.5),
    row("prelu", onnx("PRelu"), _ANY, [0.3, 0.2, -0.1]),
    row("one_operand_twice", lambda g, x: x * x / (x + 3.0), _ANY),
]


@pytest.mark.parametrize("slope", [*_UNARY, *_BINARY])
def test_first_derivative(slope: Slope) -> None:
    check_first(slope)


@pytest.mark.parametrize("slope", [*_UNARY, *_BINARY])
def test_second_derivative(slope: Slope) -> None:
    check_second(slope)


@pytest.mark.parametrize("slope", [r for r in [*_UNARY, *_BINARY] if r.values[0].torch is not None])
def test_as_in_torch(slope: Slope) -> None:
    check_torch(slope)


_CORNERS = [
    ("abs", onnx("Abs"), [[0.0, -0.0]], [[0, 0]]),
    ("relu", onnx("Relu"), [[0.0, -0.0, _NAN, _INF]], [[0, 0, _NAN, 1]]),
    ("leaky_relu", onnx("LeakyRelu", alpha=0.25), [[0.0]], [[0.25]]),
    ("elu", onnx("Elu", alpha=0.5), [[0.0]], [[0.5]]),
    ("hard_sigmoid", onnx("HardSigmoid", alpha=0.25, beta=0.5), [[-2.0, 2.0]], [[0, 0]]),
    ("sqrt", onnx("Sqrt"), [[0.0]], [[_INF]]),
    ("cbrt", mxnet("cbrt"), [[0.0]], [[_INF]]),
    ("clip", onnx("Clip"), [[-1.0, 2.0, -3.0, 4.0, _NAN], -1.0, 2.0], [[1, 1, 0, 0, 1], 1, 1]),
    ("max_of_equals", onnx("Max"), [[1.0, 2.0], [1.0, 2.0]], [[1, 1], [0, 0]]),
    ("min_of_equals", onnx("Min"), [[1.0, 2.0], [1.0, 2.0]], [[1, 1], [0, 0]]),
    ("max_of_nan", onnx("Max"), [[_NAN, 1.0], [1.0, _NAN]], [[0, 0], [0, 0]]),
    ("max_of_three", onnx("Max"), [[1.0, 1.0], [3.0, 0.0], [3.0, 1.0]], [[0, 1], [1, 0], [0, 0]]),
    ("min_of_three", onnx("Min"), [[3.0, 1.0], [1.0, 2.0], [1.0, 1.0]], [[0, 1], [1, 0], [0, 0]]),
    ("pow_of_zero", onnx("Pow"), [[0.0, 0.0, 0.0], [2.0, 1.0, 3.0]], [[0, 1, 0], [0, 0, 0]]),
    ("pow_of_negative", onnx("Pow"), [[-2.0, -2.0], [3.0, 2.0]], [[12, -4], [_NAN, _NAN]]),
    ("square_of_negative", lambda g, x: g.op("Pow", x, 2.0), [[-3.0, 0.0]], [[-6, 0]]),
    ("mod_by_zero", mxnet("broadcast_mod"), [[3.0, -3.0], [0.0, 2.0]], [[1, 1], [-_INF, 2]]),
    ("round", mxnet("round"), [[0.5, 1.2]], [[0, 0]]),
    ("round_straight_through", mxnet("_contrib_round_ste"), [[0.5, 1.2]], [[1, 1]]),
    ("smooth_l1", mxnet("smooth_l1", scalar=1.0), [[1.0, -1.0, 0.0]], [[1, -1, 0]]),
]  # fmt: skip


@pytest.mark.parametrize(("build", "inputs", "expected"), [pytest.param(*c[1:], id=c[0]) for c in _CORNERS])
def test_corners(build: Callable[..., Tensor], inputs: list[Any], expected: list[Any]) -> None:
    """Kinks, ties, limits and NaN: MXNet's conventions."""
    found = gradients(build, [np.asarray(x) for x in inputs])
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("x", "expected"), [(-0.7, math.exp(-1.4)), (0.4, 1.0), (0.0, 1.0)])
def test_celu(x: float, expected: float) -> None:
    """ONNX has Celu for float32 only."""
    (found,) = gradients(onnx("Celu", alpha=0.5), [np.float32([x])])
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


#: Arguments, digamma and trigamma, by mpmath.
_PSI = [
    (1.0, -0.57721566490153286, 1.6449340668482264),
    (1.7, 0.20854787487349392, 0.79323283016399840),
    (0.25, -4.2274535333762654, 17.197329154507110),
    (-1.3, 2.8825405488661673, 14.536876244137081),
    (1e9, 20.723265836446411, 1.0000000005e-9),
]


@pytest.mark.parametrize(("x", "psi", "slope"), _PSI)
def test_digamma(x: float, psi: float, slope: float) -> None:
    """Values of the slope of gammaln, and of its slope, to 13 digits."""
    (found,) = gradients(mxnet("gammaln"), [np.array([x])])
    np.testing.assert_allclose(found, [psi], rtol=1e-13)
    (found,) = gradients(special.digamma, [np.array([x])])
    np.testing.assert_allclose(found, [slope], rtol=1e-12)


def test_second_derivative_of_arcsinh() -> None:
    """-x / (x * x + 1) ** 1.5; MXNet 1.9.1 gives it with the wrong sign."""
    x = np.array([0.5, 2.0])

    def slope(g: Builder, v: Tensor) -> Tensor:
        found = vjp(g, [g.op("Asinh", v)], [g.fill(v.dims, 1, v.dt)], [v])[0]
        assert found is not None
        return found

    (found,) = gradients(slope, [x])
    np.testing.assert_allclose(found, -x / (x * x + 1) ** 1.5, rtol=1e-13)
