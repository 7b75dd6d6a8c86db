"""Random arrays whose distributions are given by arrays, and random choices."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike, prod
from ..errors import AttributeParseError, ShapeError
from ..random import uniform, working_type
from ..sampling import permutation, unique_log_uniform
from ..shapes import ShapeContext, TypeContext
from ._distributions import FloatType, draw_for_each
from .registry import operator
from .schema import Ints

__all__: list[str] = []

_RANDOM: dict[str, Any] = {"stochastic": True, "differentiable": False}


def _same(**inputs: Tensor) -> None:
    (first, x), *others = inputs.items()
    for name, y in others:
        if y.dims != x.dims:
            raise ShapeError(f"argument {name!r}: expected the shape of {first!r}, {x.dims}, got {y.dims}")


@operator("_sample_uniform", "sample_uniform", **_RANDOM)
def sample_uniform(
    g: Builder, low: Tensor, high: Tensor, *, shape: Ints = (), dtype: FloatType | None = None
) -> Tensor:
    """_sample_uniform(low, high, shape=(), dtype=None)

    For each element of `low` and `high`, numbers uniform in [low, high): the shape is (*low.shape, *shape).
    """
    _same(low=low, high=high)
    return draw_for_each(g, "uniform", shape, dtype, low, high)


@operator("_sample_normal", "sample_normal", **_RANDOM)
def sample_normal(
    g: Builder, mu: Tensor, sigma: Tensor, *, shape: Ints = (), dtype: FloatType | None = None
) -> Tensor:
    """_sample_normal(mu, sigma, shape=(), dtype=None)

    For each element of `mu` and `sigma`, normal numbers with this mean and standard deviation.
    """
    _same(mu=mu, sigma=sigma)
    return draw_for_each(g, "normal", shape, dtype, mu, sigma)


@operator("_sample_exponential", "sample_exponential", **_RANDOM)
def sample_exponential(
    g: Builder, lam: Tensor, *, shape: Ints = (), dtype: FloatType | None = None
) -> Tensor:
    """_sample_exponential(lam, shape=(), dtype=None)

    For each element of `lam`, exponential numbers of this rate.
    """
    return draw_for_each(g, "exponential", shape, dtype, lam)


@operator("_sample_gamma", "sample_gamma", **_RANDOM)
def sample_gamma(
    g: Builder, alpha: Tensor, beta: Tensor, *, shape: Ints = (), dtype: FloatType | None = None
) -> Tensor:
    """_sample_gamma(alpha, beta, shape=(), dtype=None)

    For each element of `alpha` and `beta`, gamma distributed numbers of this shape and scale.
    """
    _same(alpha=alpha, beta=beta)
    return draw_for_each(g, "gamma", shape, dtype, alpha, beta)


@operator("_sample_poisson", "sample_poisson", **_RANDOM)
def sample_poisson(g: Builder, lam: Tensor, *, shape: Ints = (), dtype: FloatType | None = None) -> Tensor:
    """_sample_poisson(lam, shape=(), dtype=None)

    For each element of `lam`, Poisson numbers of this mean.
    """
    return draw_for_each(g, "poisson", shape, dtype, lam)


@operator("_sample_negative_binomial", "sample_negative_binomial", **_RANDOM)
def sample_negative_binomial(
    g: Builder, k: Tensor, p: Tensor, *, shape: Ints = (), dtype: FloatType | None = None
) -> Tensor:
    """_sample_negative_binomial(k, p, shape=(), dtype=None)

    For each element of `k` and `p`, numbers of failures before `k` successes of probability `p`.
    """
    _same(k=k, p=p)
    return draw_for_each(g, "negative_binomial", shape, dtype, k, p)


@operator("_sample_generalized_negative_binomial", "sample_generalized_negative_binomial", **_RANDOM)
def sample_generalized_negative_binomial(
    g: Builder, mu: Tensor, alpha: Tensor, *, shape: Ints = (), dtype: FloatType | None = None
) -> Tensor:
    """_sample_generalized_negative_binomial(mu, alpha, shape=(), dtype=None)

    For each element of `mu` and `alpha`, negative binomial numbers with this mean and variance
    ``mu + alpha * mu ** 2``.
    """
    _same(mu=mu, alpha=alpha)
    return draw_for_each(g, "generalized_negative_binomial", shape, dtype, mu, alpha)


def _shape(s: ShapeContext, a: Any) -> None:
    known = next((x for x in s.inputs if x is not None), None)
    for name in s.names:
        s.set(name, known)


def _type(t: TypeContext, a: Any) -> None:
    t.unify_all(t.names)
    t.set(0, a.dtype if a.dtype not in (None, "None") else "float32")


for _op in (
    sample_uniform,
    sample_normal,
    sample_exponential,
    sample_gamma,
    sample_poisson,
    sample_negative_binomial,
    sample_generalized_negative_binomial,
):
    _op.infer_shape(_shape)
    _op.infer_type(_type)


# -- choices -------------------------------------------------------------------------------------------------


def _choose(g: Builder, odds: Tensor, count: DimLike) -> Tensor:
    """`count` categories for each row of probabilities: int64, (rows, count), by bisection of their running sums."""
    rows, size = odds.dims[0], int(odds.dims[1])
    work = g.cast(odds, working_type(odds.dt))
    sums = g.op("CumSum", work, g.const(np.int64(1)))
    total = g.slice(sums, [1], [size - 1], [size])
    # From where the whole sum is reached a draw always falls below, however it is rounded.
    sums = g.op("Where", g.op("GreaterOrEqual", sums, total), g.const(np.inf, sums.dt), sums)
    value = uniform(g, (rows, count), sums.dt) * total
    low = g.fill((rows, count), 0, np.int64)  # the answer lies from here on
    step = 1 << max(size - 1, 0).bit_length()
    while step > 1:
        step //= 2
        probe = g.op("Min", low + g.const(np.int64(step - 1)), g.const(np.int64(size - 1)))
        below = g.op("LessOrEqual", g.op("GatherElements", sums, probe, axis=1), value)
        low = low + g.cast(below, np.int64) * g.const(np.int64(step))
    return g.op("Min", low, g.const(np.int64(size - 1)))


@operator(
    "_sample_multinomial", "sample_multinomial", stochastic=True, outputs=lambda a: 2 if a.get_prob else 1
)
def sample_multinomial(
    g: Builder,
    data: Tensor,
    *,
    shape: Ints = (),
    get_prob: bool = False,
    dtype: Literal["float16", "float32", "float64", "int32", "uint8"] = "int32",
) -> tuple[Tensor, ...]:
    """_sample_multinomial(data, shape=(), get_prob=False, dtype='int32')

    For each row of probabilities along the last axis of `data`, categories drawn with them: the shape is
    (*data.shape[:-1], *shape), (1,) if that is empty. With `get_prob` the logarithms of their probabilities are a
    second result, through which gradients flow.
    """
    if data.ndim < 1:
        raise ShapeError("argument 'data': expected at least one axis")
    lead = data.dims[:-1]
    odds = g.reshape(data, (prod(lead), data.dims[-1]))
    chosen = _choose(g, odds, prod(shape))
    dims = (*lead, *shape) or (1,)
    result = g.cast(g.reshape(chosen, dims), dtype)
    if not get_prob:
        return (result,)
    return result, g.reshape(g.op("Log", g.op("GatherElements", odds, chosen, axis=1)), dims)


@sample_multinomial.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set(0, a.dtype)
    if a.get_prob:
        t.unify_all(["data", 1])


@operator("_shuffle", "shuffle", **_RANDOM)
def shuffle(g: Builder, data: Tensor) -> Tensor:
    """_shuffle(data)

    `data` with the parts along its first axis in random order.
    """
    return g.op("Gather", data, permutation(g, data.dims[0]), axis=0)


@operator("_sample_unique_zipfian", outputs=2, **_RANDOM)
def sample_unique_zipfian(g: Builder, *, range_max: int, shape: Ints | None = None) -> tuple[Tensor, Tensor]:
    """_sample_unique_zipfian(range_max, shape=None)

    For each of ``shape[0]`` rows, draws from an approximately Zipfian distribution over 0, 1, ... ``range_max - 1``
    until ``shape[1]`` different numbers have come. Returns these numbers and the number of draws of each row: int64.
    """
    assert shape is not None
    return unique_log_uniform(g, shape[0], shape[1], range_max)


@sample_unique_zipfian.check
def _(a: Any) -> None:
    if a.shape is None or len(a.shape) != 2 or not 0 < a.shape[1] <= a.range_max:
        raise AttributeParseError(
            "operator _sample_unique_zipfian: parameter 'shape': expected (rows, numbers) with at most "
            f"range_max={a.range_max} numbers, got {a.shape}"
        )


@sample_unique_zipfian.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set(0, np.int64)
    t.set(1, np.int64)
