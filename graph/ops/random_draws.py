"""Random arrays: of a given shape, or like another array."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..builder import Builder, Tensor
from ..errors import AttributeParseError
from ..sampling import integers_below
from ..shapes import TypeContext
from ._distributions import FloatType, draw, positive
from .registry import operator
from .schema import Ints, Scalar

__all__: list[str] = []

_RANDOM: dict[str, Any] = {"stochastic": True, "differentiable": False}


def _type(dtype: str | None) -> str:
    return "float32" if dtype in (None, "None") else str(dtype)


@operator("_random_uniform", "uniform", "random_uniform", **_RANDOM)
def random_uniform(
    g: Builder,
    *,
    low: Scalar = 0.0,
    high: Scalar = 1.0,
    shape: Ints | None = None,
    ctx: str = "",
    dtype: FloatType | None = None,
) -> Tensor:
    """_random_uniform(low=0, high=1, shape=None, ctx='', dtype=None)

    Uniform in [low, high).
    """
    return draw(g, "uniform", shape or (1,), _type(dtype), low, high)


@operator("_random_normal", "normal", "random_normal", **_RANDOM)
def random_normal(
    g: Builder,
    *,
    loc: Scalar = 0.0,
    scale: Scalar = 1.0,
    shape: Ints | None = None,
    ctx: str = "",
    dtype: FloatType | None = None,
) -> Tensor:
    """_random_normal(loc=0, scale=1, shape=None, ctx='', dtype=None)

    Normal with mean `loc` and standard deviation `scale`.
    """
    return draw(g, "normal", shape or (1,), _type(dtype), loc, scale)


@operator("_random_exponential", "random_exponential", **_RANDOM)
def random_exponential(
    g: Builder, *, lam: Scalar = 1.0, shape: Ints | None = None, ctx: str = "", dtype: FloatType | None = None
) -> Tensor:
    """_random_exponential(lam=1, shape=None, ctx='', dtype=None)

    Exponential with rate `lam`, which is one over the mean.
    """
    return draw(g, "exponential", shape or (1,), _type(dtype), lam)


@operator("_random_gamma", "random_gamma", **_RANDOM)
def random_gamma(
    g: Builder,
    *,
    alpha: Scalar = 1.0,
    beta: Scalar = 1.0,
    shape: Ints | None = None,
    ctx: str = "",
    dtype: FloatType | None = None,
) -> Tensor:
    """_random_gamma(alpha=1, beta=1, shape=None, ctx='', dtype=None)

    Gamma with shape `alpha` and scale `beta`: the mean is ``alpha * beta``.
    """
    return draw(g, "gamma", shape or (1,), _type(dtype), alpha, beta)


@operator("_random_poisson", "random_poisson", **_RANDOM)
def random_poisson(
    g: Builder, *, lam: Scalar = 1.0, shape: Ints | None = None, ctx: str = "", dtype: FloatType | None = None
) -> Tensor:
    """_random_poisson(lam=1, shape=None, ctx='', dtype=None)

    Poisson with mean `lam`, as floating-point numbers.
    """
    return draw(g, "poisson", shape or (1,), _type(dtype), lam)


@operator("_random_negative_binomial", "random_negative_binomial", **_RANDOM)
def random_negative_binomial(
    g: Builder,
    *,
    k: int = 1,
    p: Scalar = 1.0,
    shape: Ints | None = None,
    ctx: str = "",
    dtype: FloatType | None = None,
) -> Tensor:
    """_random_negative_binomial(k=1, p=1, shape=None, ctx='', dtype=None)

    The number of failures before `k` successes of probability `p`, as floating-point numbers.
    """
    return draw(g, "negative_binomial", shape or (1,), _type(dtype), float(k), p)


@operator("_random_generalized_negative_binomial", "random_generalized_negative_binomial", **_RANDOM)
def random_generalized_negative_binomial(
    g: Builder,
    *,
    mu: Scalar = 1.0,
    alpha: Scalar = 1.0,
    shape: Ints | None = None,
    ctx: str = "",
    dtype: FloatType | None = None,
) -> Tensor:
    """_random_generalized_negative_binomial(mu=1, alpha=1, shape=None, ctx='', dtype=None)

    Negative binomial with mean `mu` and variance ``mu + alpha * mu ** 2``, as floating-point numbers.
    """
    return draw(g, "generalized_negative_binomial", shape or (1,), _type(dtype), mu, alpha)


@operator("_random_randint", "random_randint", **_RANDOM)
def random_randint(
    g: Builder,
    *,
    low: int,
    high: int,
    shape: Ints | None = None,
    ctx: str = "",
    dtype: Literal["None", "int32", "int64"] | None = None,
) -> Tensor:
    """_random_randint(low, high, shape=None, ctx='', dtype=None)

    Whole numbers, uniform in [low, high), of type int32 unless `dtype` is int64.
    """
    value = integers_below(g, shape or (1,), high - low) + g.const(np.int64(low))
    return g.cast(value, "int64" if dtype == "int64" else "int32")


@random_randint.check
def _(a: Any) -> None:
    bits = 64 if a.dtype == "int64" else 32
    if not -(1 << (bits - 1)) <= a.low < a.high <= 1 << (bits - 1) or a.high - a.low >= 1 << 63:
        raise AttributeParseError(
            f"operator _random_randint: low={a.low}, high={a.high} is not a range of int{bits}"
        )


@random_uniform.check
def _(a: Any) -> None:
    if not a.low <= a.high:
        raise AttributeParseError(
            f"operator _random_uniform: expected low <= high, got low={a.low}, high={a.high}"
        )


@random_negative_binomial.check
def _(a: Any) -> None:
    if a.k < 0 or not 0 < a.p <= 1:
        raise AttributeParseError(
            f"operator _random_negative_binomial: expected k >= 0 and 0 < p <= 1, got k={a.k}, p={a.p}"
        )


def _own_type(t: TypeContext, a: Any) -> None:
    t.set(0, a.dtype if a.dtype not in (None, "None") else "float32")


for _op in (
    random_uniform,
    random_normal,
    random_exponential,
    random_gamma,
    random_poisson,
    random_negative_binomial,
    random_generalized_negative_binomial,
):
    _op.infer_type(_own_type)


@random_randint.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set(0, a.dtype if a.dtype not in (None, "None") else "int32")


# -- like another array --------------------------------------------------------------------------------------


@operator("_random_uniform_like", **_RANDOM)
def random_uniform_like(g: Builder, data: Tensor, *, low: Scalar = 0.0, high: Scalar = 1.0) -> Tensor:
    """_random_uniform_like(data, low=0, high=1)

    Uniform in [low, high), in the shape and type of `data`.
    """
    return draw(g, "uniform", data.dims, data.dt, low, high)


@operator("_random_normal_like", **_RANDOM)
def random_normal_like(g: Builder, data: Tensor, *, loc: Scalar = 0.0, scale: Scalar = 1.0) -> Tensor:
    """_random_normal_like(data, loc=0, scale=1)

    Normal with mean `loc` and standard deviation `scale`, in the shape and type of `data`.
    """
    return draw(g, "normal", data.dims, data.dt, loc, scale)


@operator("_random_exponential_like", **_RANDOM)
def random_exponential_like(g: Builder, data: Tensor, *, lam: Scalar = 1.0) -> Tensor:
    """_random_exponential_like(data, lam=1)

    Exponential with rate `lam`, in the shape and type of `data`.
    """
    return draw(g, "exponential", data.dims, data.dt, lam)


@operator("_random_gamma_like", **_RANDOM)
def random_gamma_like(g: Builder, data: Tensor, *, alpha: Scalar = 1.0, beta: Scalar = 1.0) -> Tensor:
    """_random_gamma_like(data, alpha=1, beta=1)

    Gamma with shape `alpha` and scale `beta`, in the shape and type of `data`.
    """
    return draw(g, "gamma", data.dims, data.dt, alpha, beta)


@operator("_random_poisson_like", **_RANDOM)
def random_poisson_like(g: Builder, data: Tensor, *, lam: Scalar = 1.0) -> Tensor:
    """_random_poisson_like(data, lam=1)

    Poisson with mean `lam`, in the shape and type of `data`.
    """
    return draw(g, "poisson", data.dims, data.dt, lam)


@operator("_random_negative_binomial_like", **_RANDOM)
def random_negative_binomial_like(g: Builder, data: Tensor, *, k: int = 1, p: Scalar = 1.0) -> Tensor:
    """_random_negative_binomial_like(data, k=1, p=1)

    The number of failures before `k` successes of probability `p`, in the shape and type of `data`.
    """
    return draw(g, "negative_binomial", data.dims, data.dt, float(k), p)


@operator("_random_generalized_negative_binomial_like", **_RANDOM)
def random_generalized_negative_binomial_like(
    g: Builder, data: Tensor, *, mu: Scalar = 1.0, alpha: Scalar = 1.0
) -> Tensor:
    """_random_generalized_negative_binomial_like(data, mu=1, alpha=1)

    Negative binomial with mean `mu` and variance ``mu + alpha * mu ** 2``, in the shape and type of `data`.
    """
    return draw(g, "generalized_negative_binomial", data.dims, data.dt, mu, alpha)


for _op in (random_normal, random_normal_like):
    positive(_op, "scale", zero=True)
for _op in (random_exponential, random_exponential_like):
    positive(_op, "lam")
for _op in (random_gamma, random_gamma_like):
    positive(_op, "alpha", "beta")
for _op in (random_poisson, random_poisson_like):
    positive(_op, "lam", zero=True)
for _op in (random_generalized_negative_binomial, random_generalized_negative_binomial_like):
    positive(_op, "mu", "alpha", zero=True)
random_uniform_like.check(random_uniform.check_rule)  # type: ignore[arg-type]
random_negative_binomial_like.check(random_negative_binomial.check_rule)  # type: ignore[arg-type]
