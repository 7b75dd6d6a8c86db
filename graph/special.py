"""Functions that ONNX lacks, written in its operators.

Each is precise to the last digits of the element type it is computed in. Those marked so compute in float64
whatever the type of their argument, and round the result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .builder import Builder, Tensor

__all__ = ["cube_root", "digamma", "erfinv", "expm1", "gamma", "log1p", "log_gamma", "polynomial"]

_WIDE = np.dtype(np.float64)
_SHIFT = 8  # arguments below 9 are moved up by so much, where the asymptotic series have 16 digits


def polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """A polynomial by Horner's rule, coefficients from the highest power down."""
    result = x * coefficients[0] + coefficients[1]
    for c in coefficients[2:]:
        result = result * x + c
    return result


def expm1(g: Builder, x: Tensor) -> Tensor:
    """``exp(x) - 1`` without cancellation: (u - 1) x / log(u) with u = exp(x), after Kahan."""
    u = g.op("Exp", x)
    less = u - 1.0
    tiny = g.op("Equal", less, 0.0)
    plain = g.op("Or", g.op("GreaterOrEqual", x, 1.0), g.op("LessOrEqual", x, -2.0))
    log = g.op("Log", g.op("Where", g.op("Or", tiny, plain), g.const(2.0, x.dt), u))
    return g.op("Where", tiny, x, g.op("Where", plain, less, less * x / log))


def log1p(g: Builder, x: Tensor) -> Tensor:
    """``log(1 + x)`` without cancellation: log(u) x / (u - 1) with u = 1 + x, after Kahan."""
    u = x + 1.0
    less = u - 1.0
    tiny, plain = g.op("Equal", less, 0.0), g.op("GreaterOrEqual", x, 1.0)
    one = g.const(1.0, x.dt)
    ratio = g.op("Where", plain, one, x / g.op("Where", tiny, one, less))
    return g.op("Where", tiny, x, g.op("Log", u) * ratio)


def cube_root(g: Builder, x: Tensor) -> Tensor:
    """The real cube root."""
    return g.op("Sign", x) * g.op("Pow", g.op("Abs", x), g.const(1.0 / 3.0, x.dt))


class _Reflected:
    """An argument of the gamma functions as one that is at least 1/2, and what the reflection formulas need.

    Attributes
    ----------
    left : whether x < 1/2, where the formulas apply.
    z : 1 - x there, else x.
    angle : pi times the fractional part of x there, else pi / 4.
    floor : the integer part of x there, else 0.
    """

    def __init__(self, g: Builder, x: Tensor) -> None:
        self.left = g.op("Less", x, 0.5)
        self.z = g.op("Where", self.left, 1.0 - x, x)
        inside = g.op("Where", self.left, x, g.const(0.25, x.dt))
        self.floor = g.op("Floor", inside)
        self.angle = (inside - self.floor) * math.pi


def _shifted(g: Builder, z: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Whether z < 9, z or there z + 8, and the factors z, z + 1, ... by which the gamma function grows there."""
    small = g.op("Less", z, 9.0)
    bounded = g.op("Where", small, z, g.const(1.0, z.dt))
    return small, g.op("Where", small, z + float(_SHIFT), z), [bounded + float(k) for k in range(_SHIFT)]


# Coefficients of Stirling's series for log(gamma) and of its derivative in powers of 1 / z ** 2, highest first.
_STIRLING = (1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12)
_DIGAMMA = (1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12)


def _stirling(g: Builder, z: Tensor) -> Tensor:
    inverse = 1.0 / z
    series = inverse * polynomial(inverse * inverse, _STIRLING)
    return (z - 0.5) * (g.op("Log", z) - 1.0) + series + (0.5 * math.log(2.0 * math.pi) - 0.5)


def _product(factors: Sequence[Tensor]) -> Tensor:
    result = factors[0]
    for f in factors[1:]:
        result = result * f
    return result


def log_gamma(g: Builder, x: Tensor) -> Tensor:
    """``log(abs(gamma(x)))``; in float64."""
    wide = g.cast(x, _WIDE)
    part = _Reflected(g, wide)
    small, z, factors = _shifted(g, part.z)
    zero = g.const(0.0, _WIDE)
    right = _stirling(g, z) - g.op("Where", small, g.op("Log", _product(factors)), zero)
    left = math.log(math.pi) - g.op("Log", g.op("Sin", part.angle)) - right
    return g.cast(g.op("Where", part.left, left, right), x.dt)


def gamma(g: Builder, x: Tensor) -> Tensor:
    """The gamma function; NaN at negative integers; in float64."""
    wide = g.cast(x, _WIDE)
    part = _Reflected(g, wide)
    small, z, factors = _shifted(g, part.z)
    right = g.op("Exp", _stirling(g, z)) / g.op("Where", small, _product(factors), g.const(1.0, _WIDE))
    half = part.floor * 0.5
    odd = half - g.op("Floor", half)  # 0 or 1/2
    sine = g.op("Sin", part.angle) * (1.0 - odd * 4.0)
    pole = g.op("And", g.op("Less", wide, 0.0), g.op("Equal", part.angle, 0.0))
    left = g.op("Where", pole, g.const(math.nan, _WIDE), math.pi / (sine * right))
    return g.cast(g.op("Where", part.left, left, right), x.dt)


def digamma(g: Builder, x: Tensor) -> Tensor:
    """The derivative of ``log(gamma(x))``; in float64."""
    wide = g.cast(x, _WIDE)
    part = _Reflected(g, wide)
    small, z, factors = _shifted(g, part.z)
    steps = 1.0 / factors[0]
    for f in factors[1:]:
        steps = steps + 1.0 / f
    inverse = 1.0 / z
    square = inverse * inverse
    right = g.op("Log", z) - inverse * 0.5 - square * polynomial(square, _DIGAMMA)
    right = right - g.op("Where", small, steps, g.const(0.0, _WIDE))
    left = right - g.op("Cos", part.angle) / g.op("Sin", part.angle) * math.pi
    return g.cast(g.op("Where", part.left, left, right), x.dt)


# erfinv(x) / x as polynomials, highest power first: with w = -log(1 - x ** 2), up to w = 6.25 in powers of w - 3.125,
# then of sqrt(w) - 3.25 up to sqrt(w) = 4 and of sqrt(w) - 5.1 beyond. The form is that of Giles, "Approximating the
# erfinv function" (2010); the coefficients interpolate at Chebyshev points.
_ERFINV_CENTRE = (
    -2.3623696985661074e-22, -1.6787330615256772e-19, 1.1027771591500033e-18, 1.1125794759379465e-17,
    -1.290702354613073e-16, 2.166994626283574e-17, 6.5819553059292389e-15, -4.0554139746886005e-14,
    -8.1065944564384951e-14, 2.6335724924608484e-12, -1.2977505202014967e-11, -5.4154417754696635e-11,
    1.0512202440121784e-9, -4.1126331042976139e-9, -2.9070386660191429e-8, 4.2347877672780653e-7,
    -1.3654691796592068e-6, -1.3882523361276876e-5, 0.00018673420802124272, -0.00074070253416694011,
    -0.0060336708714270113, 0.24015818242558971, 1.6536545626831027,
)  # fmt: skip
_ERFINV_MIDDLE = (
    9.2843322254205719e-8, -2.6973136820661625e-7, 1.3250759477977463e-8, 1.497191022600222e-6,
    -4.0089569669322788e-6, 2.9264777314239854e-6, 1.2472740144742725e-5, -4.7319187369358216e-5,
    6.8285613985309953e-5, 2.4031286377073694e-5, -0.00035503764895782256, 0.00095328936185524614,
    -0.0016882755445265592, 0.0024914420969979908, -0.0037512085080305409, 0.0053709145535735936,
    1.0052589676941647, 3.0838856104922206,
)  # fmt: skip
_ERFINV_TAIL = (
    1.7422241973165926e-11, 1.5444362705036378e-11, -3.2622076062751852e-10, 9.6013801356094701e-10,
    -1.9777220364908395e-9, 4.1038621706518803e-9, -8.2047948665607336e-9, 1.6672935870122125e-8,
    -4.540835681521847e-8, 1.7908112986565954e-7, -8.310777457335586e-7, 3.8899509443299189e-6,
    -1.7162632251698988e-5, 6.6800066939292842e-5, -0.00018651301732665357, -0.00019885886855627269,
    1.0102665645022913, 4.9509348530788739,
)  # fmt: skip


def erfinv(g: Builder, x: Tensor) -> Tensor:
    """The inverse of the error function; infinite at -1 and 1, NaN beyond; in float64."""
    wide = g.cast(x, _WIDE)
    end = g.op("Equal", g.op("Abs", wide), 1.0)
    v = g.op("Where", end, g.const(0.0, _WIDE), wide)
    w = -g.op("Log", (1.0 - v) * (v + 1.0))
    root = g.op("Sqrt", g.op("Max", w, g.const(6.25, _WIDE)))
    tail = g.op("Where", g.op("Less", root, 4.0), polynomial(root - 3.25, _ERFINV_MIDDLE),
                polynomial(root - 5.1, _ERFINV_TAIL))
    y = v * g.op("Where", g.op("Less", w, 6.25), polynomial(w - 3.125, _ERFINV_CENTRE), tail)
    return g.cast(g.op("Where", end, wide * math.inf, y), x.dt)
