"""Detours around the trigonometric and hyperbolic kernels that ONNX Runtime has for single precision only."""

from __future__ import annotations

import math

import numpy as np

from ..builder import Builder, Tensor
from ..special import expm1, log1p
from .kernels import Attributes, detour

__all__: list[str] = []


@detour("Tan")
def _tan(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    return g.op("Sin", x) / g.op("Cos", x)


def _arc_tangent(g: Builder, x: Tensor) -> Tensor:
    """The single-precision result y, and atan(tan(atan(x) - y)) from the addition theorem, which is tiny."""
    outer = g.op("Greater", g.op("Abs", x), 1.0)
    z = g.op("Where", outer, 1.0 / g.op("Where", outer, x, g.const(1.0, x.dt)), x)
    y = g.cast(g.op("Atan", g.cast(z, np.float32)), x.dt)
    sin, cos = g.op("Sin", y), g.op("Cos", y)
    y = y + (z * cos - sin) / (cos + z * sin)
    return g.op("Where", outer, g.op("Sign", x) * (0.5 * math.pi) - y, y)


@detour("Atan")
def _atan(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    return _arc_tangent(g, x)


@detour("Asin")
def _asin(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    return _arc_tangent(g, x / g.op("Sqrt", (1.0 - x) * (x + 1.0)))


@detour("Acos")
def _acos(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    return _arc_tangent(g, g.op("Sqrt", (1.0 - x) / (x + 1.0))) * 2.0


def _half_exp(g: Builder, x: Tensor) -> Tensor:
    """``exp(x / 2)``, whose square overflows later than ``exp(x)``."""
    return g.op("Exp", x * 0.5)


@detour("Sinh")
def _sinh(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    size = g.op("Abs", x)
    less = expm1(g, g.op("Min", size, g.const(40.0, x.dt)))
    half = _half_exp(g, size)
    large = half * 0.5 * half
    return g.op("Sign", x) * g.op("Where", g.op("Less", size, 40.0), (less + less / (less + 1.0)) * 0.5, large)


@detour("Cosh")
def _cosh(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    half = _half_exp(g, g.op("Abs", x))
    return half * 0.5 * half + 0.5 / half / half


_LARGE = 1e8  # beyond, x * x + 1 rounds to x * x


def _log_twice(g: Builder, x: Tensor) -> Tensor:
    return g.op("Log", x) + math.log(2.0)


@detour("Asinh")
def _asinh(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    size = g.op("Abs", x)
    bounded = g.op("Min", size, g.const(_LARGE, x.dt))
    square = bounded * bounded
    small = log1p(g, bounded + square / (g.op("Sqrt", square + 1.0) + 1.0))
    return g.op("Sign", x) * g.op("Where", g.op("Less", size, _LARGE), small, _log_twice(g, size))


@detour("Acosh")
def _acosh(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    above = g.op("Min", x, g.const(_LARGE, x.dt)) - 1.0
    small = log1p(g, above + g.op("Sqrt", above * (above + 2.0)))
    return g.op("Where", g.op("Less", x, _LARGE), small, _log_twice(g, x))


@detour("Atanh")
def _atanh(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    size = g.op("Abs", x)
    return g.op("Sign", x) * log1p(g, size * 2.0 / (1.0 - size)) * 0.5
