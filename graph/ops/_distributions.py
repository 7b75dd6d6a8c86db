"""What the random operators of all forms share: the distributions, and checks of their parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from ..autodiff.engine import stops
from ..builder import CUSTOM_DOMAIN, Builder, CustomFunction, Tensor
from ..dims import DimLike
from ..errors import AttributeParseError
from ..random import normal, uniform, working_type
from ..sampling import exponential, gamma, poisson
from ._scalars import number
from .registry import Operator
from .schema import Attrs

__all__ = ["DISTRIBUTIONS", "FloatType", "constant", "draw", "draw_for_each", "positive"]

FloatType = Literal["None", "float16", "float32", "float64"]

_CONSTANT = CustomFunction("Parameter", lambda g, x: g.op("Identity", x))
stops("Parameter", domain=CUSTOM_DOMAIN)  # nothing flows through a draw


def constant(g: Builder, x: Tensor) -> Tensor:
    """`x`, through which no gradient flows."""
    return g.custom(_CONSTANT, x)[0]


#: ``draw(g, dims, *parameters)`` for parameters that broadcast to `dims`, of type float32 or float64.
Draw = Callable[..., Tensor]


def _uniform(g: Builder, dims: Sequence[DimLike], low: Tensor, high: Tensor) -> Tensor:
    return uniform(g, dims, low.dt) * (high - low) + low


def _normal(g: Builder, dims: Sequence[DimLike], loc: Tensor, scale: Tensor) -> Tensor:
    return normal(g, dims, loc.dt) * scale + loc


def _exponential(g: Builder, dims: Sequence[DimLike], lam: Tensor) -> Tensor:
    return exponential(g, dims, lam.dt) / lam


def _gamma(g: Builder, dims: Sequence[DimLike], alpha: Tensor, beta: Tensor) -> Tensor:
    return gamma(g, g.expand(alpha, dims)) * beta


def _poisson(g: Builder, dims: Sequence[DimLike], lam: Tensor) -> Tensor:
    return poisson(g, g.expand(lam, dims))


def _negative_binomial(g: Builder, dims: Sequence[DimLike], k: Tensor, p: Tensor) -> Tensor:
    """A Poisson variable whose mean is gamma distributed; before no success there is no failure."""
    none = g.op("Equal", k, 0.0)
    mean = gamma(g, g.expand(g.op("Where", none, g.const(1, k.dt), k), dims)) * ((1.0 - p) / p)
    return poisson(g, g.op("Where", none, g.const(0, k.dt), mean))


def _generalized(g: Builder, dims: Sequence[DimLike], mu: Tensor, alpha: Tensor) -> Tensor:
    """The same, with variance ``mu + alpha * mu ** 2``: with alpha zero a Poisson variable of mean mu."""
    plain = g.op("Equal", alpha, 0.0)
    spread = g.op("Where", plain, g.const(1, alpha.dt), alpha)
    mixed = gamma(g, g.expand(1.0 / spread, dims)) * (mu * spread)
    return poisson(g, g.op("Where", plain, g.expand(mu, dims), mixed))


DISTRIBUTIONS: dict[str, Draw] = {
    "uniform": _uniform,
    "normal": _normal,
    "exponential": _exponential,
    "gamma": _gamma,
    "poisson": _poisson,
    "negative_binomial": _negative_binomial,
    "generalized_negative_binomial": _generalized,
}


def draw(g: Builder, kind: str, dims: Sequence[DimLike], dt: Any, *parameters: Any) -> Tensor:
    """Elements of one distribution, whose parameters are numbers, in shape `dims` and type `dt`."""
    dt = np.dtype(dt)
    values = [number(g, p, working_type(dt)) for p in parameters]
    return g.cast(DISTRIBUTIONS[kind](g, tuple(dims), *values), dt)


def draw_for_each(
    g: Builder, kind: str, shape: Sequence[int], dtype: str | None, *parameters: Tensor
) -> Tensor:
    """For each element of the parameters, elements of its distribution in shape `shape`."""
    dt = np.dtype(dtype if dtype not in (None, "None") else "float32")
    work = working_type(dt)
    dims = parameters[0].dims
    values = []
    for p in parameters:
        values.append(g.reshape(g.cast(constant(g, p), work), (*dims, *(1,) * len(shape))))
    return g.cast(DISTRIBUTIONS[kind](g, (*dims, *shape), *values), dt)


def positive(op: Operator, *names: str, zero: bool = False) -> None:
    """Check that parameters of `op` are positive, or at least zero."""

    def rule(a: Attrs) -> None:
        for name in names:
            value = a.values[name]
            if not (value >= 0 if zero else value > 0):
                expected = "a number from 0 on" if zero else "a positive number"
                raise AttributeParseError(
                    f"operator {op.name}: parameter {name!r}: expected {expected}, got {value!r}"
                )

    op.check(rule)
