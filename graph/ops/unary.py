"""Elementwise functions of one array."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from ..autodiff.engine import tensor
from ..builder import Builder, CustomFunction, Tensor
from ..special import cube_root, digamma, erfinv, expm1, gamma, log1p, log_gamma
from ._numeric import Array, holds, is_integer, real, require_number
from ._scalars import number
from .registry import Operator, operator
from .schema import Scalar

__all__ = ["negated", "rounded", "signs", "truncated", "unary_operator"]

Lowering = Callable[[Builder, Tensor], Tensor]
Kernel = Callable[[Array], Array | None]


def unary_operator(
    name: str, says: str, lowering: Lowering, kernel: Kernel | None = None, sparse: bool = True, slope: bool = True
) -> Operator:
    """Register an operator ``name(data)``; `sparse` ones have an alias for MXNet's sparse arrays."""

    def lower(g: Builder, data: Tensor) -> Tensor:
        require_number(name, data=data)
        return lowering(g, data)

    lower.__doc__ = f"{name}(data)\n\n{says}"
    op = operator(name, *([f"_sparse_{name}"] if sparse else []), elementwise=True, differentiable=slope)(lower)
    if kernel is not None:
        op.numpy(kernel)
    return op


def _onnx(op_type: str) -> Lowering:
    """A function of real numbers that is one ONNX operator."""
    return lambda g, x: real(g, x, lambda v: g.op(op_type, v))


def _scaled(op_type: str, factor: float) -> Lowering:
    return lambda g, x: real(g, x, lambda v: g.op(op_type, v) * factor)


def _custom(name: str, expand: Lowering, derivative: Callable[[Builder, Tensor, Tensor], Tensor]) -> Lowering:
    """A function of real numbers that is expanded late, with ``dx = dy * derivative(g, x, y)``."""

    def vjp(g: Builder, n: ir.Node, dy: Tensor) -> Tensor:
        return dy * derivative(g, tensor(n.inputs[0]), tensor(n.outputs[0]))

    function = CustomFunction(name, expand, vjp)
    return lambda g, x: real(g, x, lambda v: g.custom(function, v)[0])


def _floats(function: Callable[[Array], Array]) -> Kernel:
    """A NumPy kernel for arrays of float32 and float64."""
    return lambda x: function(x) if x.dtype in (np.float32, np.float64) else None


# -- exponentials, logarithms, roots --------------------------------------------------------------------------
_CBRT = _custom("Cbrt", cube_root, lambda g, x, y: 1.0 / (y * y * 3.0))


def _reciprocal_cube_root(g: Builder, x: Tensor) -> Tensor:
    # At zero from x itself, whose sign tells that of infinity.
    return g.op("Where", g.op("Equal", x, 0.0), g.op("Reciprocal", x), g.op("Reciprocal", cube_root(g, x)))


unary_operator("exp", "The exponential of each element.", _onnx("Exp"))
unary_operator("log", "The natural logarithm of each element.", _onnx("Log"))
unary_operator("log10", "The logarithm to base 10 of each element.", _scaled("Log", 1.0 / math.log(10.0)))
unary_operator("log2", "The logarithm to base 2 of each element.", _scaled("Log", 1.0 / math.log(2.0)))
unary_operator("expm1", "``exp(x) - 1`` of each element, precise near zero.",
               _custom("Expm1", expm1, lambda g, x, y: g.op("Exp", x)))
unary_operator("log1p", "``log(1 + x)`` of each element, precise near zero.",
               _custom("Log1p", log1p, lambda g, x, y: 1.0 / (x + 1.0)))
unary_operator("sqrt", "The square root of each element.", _onnx("Sqrt"), _floats(np.sqrt))
unary_operator("rsqrt", "One divided by the square root of each element.",
               _custom("Rsqrt", lambda g, x: g.op("Reciprocal", g.op("Sqrt", x)), lambda g, x, y: y / x * -0.5))
unary_operator("cbrt", "The cube root of each element.", _CBRT)
unary_operator("rcbrt", "One divided by the cube root of each element.",
               _custom("Rcbrt", _reciprocal_cube_root, lambda g, x, y: y / (x * -3.0)), sparse=False)
unary_operator("reciprocal", "One divided by each element.", _onnx("Reciprocal"), sparse=False)
unary_operator("square", "The square of each element.", lambda g, x: x * x, lambda x: np.asarray(x * x))

# -- error and gamma functions --------------------------------------------------------------------------------
_DIGAMMA = CustomFunction("Digamma", digamma)  # differentiated as it is expanded


def _digamma(g: Builder, x: Tensor) -> Tensor:
    return g.custom(_DIGAMMA, x)[0]


unary_operator("erf", "The error function of each element.", _onnx("Erf"), sparse=False)
unary_operator("erfinv", "The inverse of the error function; infinite at -1 and 1.",
               _custom("Erfinv", erfinv, lambda g, x, y: g.op("Exp", y * y) * (0.5 * math.sqrt(math.pi))), sparse=False)
unary_operator("gamma", "The gamma function of each element.",
               _custom("Gamma", gamma, lambda g, x, y: y * _digamma(g, x)))
unary_operator("gammaln", "The logarithm of the absolute value of the gamma function of each element.",
               _custom("LogGamma", log_gamma, lambda g, x, y: _digamma(g, x)))

# -- trigonometric and hyperbolic functions -----------------------------------------------------------------
for _name, _op_type, _says in (
    ("sin", "Sin", "The sine of each element, in radians."),
    ("cos", "Cos", "The cosine of each element, in radians."),
    ("tan", "Tan", "The tangent of each element, in radians."),
    ("arcsin", "Asin", "The inverse sine of each element, in [-pi/2, pi/2]."),
    ("arccos", "Acos", "The inverse cosine of each element, in [0, pi]."),
    ("arctan", "Atan", "The inverse tangent of each element, in [-pi/2, pi/2]."),
    ("sinh", "Sinh", "The hyperbolic sine of each element."),
    ("cosh", "Cosh", "The hyperbolic cosine of each element."),
    ("tanh", "Tanh", "The hyperbolic tangent of each element."),
    ("arcsinh", "Asinh", "The inverse hyperbolic sine of each element."),
    ("arccosh", "Acosh", "The inverse hyperbolic cosine of each element; NaN below 1."),
    ("arctanh", "Atanh", "The inverse hyperbolic tangent of each element; NaN outside of [-1, 1]."),
    ("sigmoid", "Sigmoid", "``1 / (1 + exp(-x))`` of each element."),
):
    unary_operator(_name, _says, _onnx(_op_type))
unary_operator("degrees", "Each element, in radians, as degrees.",
               lambda g, x: real(g, x, lambda v: v * (180.0 / math.pi)))
unary_operator("radians", "Each element, in degrees, as radians.",
               lambda g, x: real(g, x, lambda v: v * (math.pi / 180.0)))
unary_operator("softsign", "``x / (1 + abs(x))`` of each element.", _onnx("Softsign"), sparse=False)


@operator("hard_sigmoid", elementwise=True)
def hard_sigmoid(g: Builder, data: Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    """hard_sigmoid(data, alpha=0.2, beta=0.5)

    ``alpha * x + beta``, limited to [0, 1]. The gradient is zero at both limits.
    """
    require_number("hard_sigmoid", data=data)
    return real(g, data, lambda v: g.op("HardSigmoid", v, alpha=alpha, beta=beta))


# -- rounding, signs ------------------------------------------------------------------------------------------
def _stepwise(name: str, says: str, lowering: Lowering, kernel: Callable[[Array], Array]) -> None:
    """Register an operator without slope that leaves integers as they are."""

    def lower(g: Builder, x: Tensor) -> Tensor:
        return g.op("Identity", x) if is_integer(x.dt) else lowering(g, x)

    unary_operator(name, says, lower, lambda x: kernel(x) if x.dtype.kind == "f" else x.copy(), slope=False)


def truncated(g: Builder, x: Tensor) -> Tensor:
    """The integer part of floating-point numbers."""
    return g.op("Sign", x) * g.op("Floor", g.op("Abs", x))


def rounded(g: Builder, x: Tensor) -> Tensor:
    """Floating-point numbers rounded to integers, halves away from zero."""
    size = g.op("Abs", x)
    whole = g.op("Floor", size)
    return g.op("Sign", x) * (whole + holds(g, g.op("GreaterOrEqual", size - whole, 0.5), x.dt))


def _rint(g: Builder, x: Tensor) -> Tensor:
    low = g.op("Floor", x)
    return g.op("Where", g.op("LessOrEqual", x - low, 0.5), low, g.op("Ceil", x))


def signs(g: Builder, x: Tensor) -> Tensor:
    """-1, 0 or 1; 0 for NaN, where ONNX says NaN."""
    if is_integer(x.dt):
        return g.op("Sign", x)
    return holds(g, g.op("Greater", x, 0.0), x.dt) - holds(g, g.op("Less", x, 0.0), x.dt)


_stepwise("ceil", "Each element rounded up.", lambda g, x: g.op("Ceil", x), np.ceil)
_stepwise("floor", "Each element rounded down.", lambda g, x: g.op("Floor", x), np.floor)
_stepwise("trunc", "The integer part of each element.", truncated, np.trunc)
_stepwise("fix", "Each element rounded towards zero.", truncated, np.trunc)
_stepwise("round", "Each element rounded to the nearest integer, halves away from zero.", rounded,
          lambda x: np.sign(x) * np.floor(np.abs(x)) + np.sign(x) * (np.abs(x) - np.floor(np.abs(x)) >= 0.5))
_stepwise("rint", "Each element rounded to the nearest integer, halves down.", _rint,
          lambda x: np.where(x - np.floor(x) <= 0.5, np.floor(x), np.ceil(x)))
unary_operator("sign", "-1, 0 or 1 for negative, zero and positive elements.", signs,
               lambda x: (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype), slope=False)
unary_operator("abs", "The absolute value of each element.", lambda g, x: g.op("Abs", x), np.abs)


def negated(g: Builder, x: Tensor) -> Tensor:
    """``-x``; unsigned integers wrap around."""
    return g.const(0, x.dt) - x if x.dt.kind == "u" else -x


unary_operator("negative", "Each element with the other sign.", negated, np.negative)


def _relu(g: Builder, x: Tensor) -> Tensor:
    return g.op("Max", x, g.const(0, x.dt)) if is_integer(x.dt) else g.op("Relu", x)


unary_operator("relu", "``max(x, 0)`` of each element.", _relu, lambda x: np.maximum(x, x.dtype.type(0)))
unary_operator("logical_not", "1 for each element that is zero, else 0.",
               lambda g, x: holds(g, g.op("Equal", x, g.const(0, x.dt)), x.dt),
               lambda x: (x == 0).astype(x.dtype), sparse=False, slope=False)


@operator("_copy", "identity", elementwise=True)
def identity(g: Builder, data: Tensor) -> Tensor:
    """identity(data)

    A copy of `data`.
    """
    return g.op("Identity", data)


@operator("zeros_like", "_sparse_zeros_like", elementwise=True, differentiable=False)
def zeros_like(g: Builder, data: Tensor) -> Tensor:
    """zeros_like(data)

    Zeros with the shape and element type of `data`.
    """
    return g.fill(data.dims, 0, data.dt)


@operator("ones_like", elementwise=True, differentiable=False)
def ones_like(g: Builder, data: Tensor) -> Tensor:
    """ones_like(data)

    Ones with the shape and element type of `data`.
    """
    return g.fill(data.dims, 1, data.dt)


identity.numpy(np.copy)
zeros_like.numpy(lambda data: np.zeros(data.shape, data.dtype))
ones_like.numpy(lambda data: np.ones(data.shape, data.dtype))


# -- functions with parameters --------------------------------------------------------------------------------
@operator("clip", "_sparse_clip", elementwise=True)
def clip(g: Builder, data: Tensor, *, a_min: Scalar, a_max: Scalar) -> Tensor:
    """clip(data, a_min, a_max)

    Each element limited to [`a_min`, `a_max`]. The gradient passes at both limits.
    """
    require_number("clip", data=data)
    return g.op("Clip", data, number(g, a_min, data.dt), number(g, a_max, data.dt))


@operator("smooth_l1", elementwise=True)
def smooth_l1(g: Builder, data: Tensor, *, scalar: Scalar = 1.0) -> Tensor:
    """smooth_l1(data, scalar=1.0)

    ``(scalar * x) ** 2 / 2`` where ``abs(x) <= 1 / scalar ** 2``, else ``abs(x) - 0.5 / scalar ** 2``.
    """
    require_number("smooth_l1", data=data)

    def loss(x: Tensor) -> Tensor:
        sigma = number(g, scalar, x.dt)
        squared, size = sigma * sigma, g.op("Abs", x)
        limit = 1.0 / squared
        return g.op("Where", g.op("Greater", size, limit), size - limit * 0.5, x * x * squared * 0.5)

    return real(g, data, loss)


@operator("_contrib_quadratic", elementwise=True)
def quadratic(g: Builder, data: Tensor, *, a: Scalar = 0.0, b: Scalar = 0.0, c: Scalar = 0.0) -> Tensor:
    """_contrib_quadratic(data, a=0.0, b=0.0, c=0.0)

    ``a * x ** 2 + b * x + c``.
    """
    require_number("_contrib_quadratic", data=data)
    return data * data * number(g, a, data.dt) + data * number(g, b, data.dt) + number(g, c, data.dt)


@operator("_contrib_div_sqrt_dim", elementwise=True)
def div_sqrt_dim(g: Builder, data: Tensor) -> Tensor:
    """_contrib_div_sqrt_dim(data)

    `data` divided by the square root of the length of its last axis.
    """
    length = data.dims[-1]
    if isinstance(length, int):
        return data / math.sqrt(length)
    return data / g.cast(g.op("Sqrt", g.cast(g.dim(length), np.float32)), data.dt)
