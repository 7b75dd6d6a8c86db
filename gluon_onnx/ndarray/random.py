"""`mx.nd.random`: draws from random distributions, and the other operators of this name space.

The parameters of a distribution are numbers, and then the result has shape `shape`; or they are arrays of one shape,
and then each of their elements gives `shape` elements of the result: its shape is (*parameter.shape, *shape).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import _Null, numeric_types
from .ndarray import NDArray
from .register import function, lookup, members

__all__ = [
    "exponential",
    "gamma",
    "generalized_negative_binomial",
    "multinomial",
    "negative_binomial",
    "normal",
    "poisson",
    "randint",
    "randn",
    "shuffle",
    "uniform",
]

Number = float | NDArray


def _draw(
    kind: str, parameters: dict[str, Any], shape: Any, dtype: Any, ctx: Any, out: Any, kwargs: Any
) -> Any:
    """Call the operator for numbers or the one for arrays.

    Raises
    ------
    ValueError : parameters are neither all numbers nor all arrays.
    """
    options = {"shape": shape, "dtype": dtype, **kwargs}
    values = list(parameters.values())
    if all(isinstance(v, NDArray) for v in values):
        return function(f"_sample_{kind}")(*values, out=out, **options)
    if all(isinstance(v, numeric_types) for v in values):
        return function(f"_random_{kind}")(ctx=ctx, out=out, **parameters, **options)
    given = ", ".join(f"{k}: {type(v).__name__}" for k, v in parameters.items())
    raise ValueError(f"random.{kind}: parameters must be all numbers or all NDArrays, got {given}")


def uniform(
    low: Number = 0,
    high: Number = 1,
    shape: Any = _Null,
    dtype: Any = _Null,
    ctx: Any = None,
    out: Any = None,
    **kwargs: Any,
) -> NDArray:
    """Uniform in [low, high).

    Parameters
    ----------
    low, high : bounds, numbers or arrays.
    shape : what is drawn, or what is drawn for each element of the parameters. Default: that of `out`, or (1,).
    dtype : 'float16', 'float32' (default) or 'float64'.
    ctx : device of the result, where the parameters are numbers; default: the current one.
    out : an array to write the result into.
    """
    result: NDArray = _draw("uniform", {"low": low, "high": high}, shape, dtype, ctx, out, kwargs)
    return result


def normal(
    loc: Number = 0,
    scale: Number = 1,
    shape: Any = _Null,
    dtype: Any = _Null,
    ctx: Any = None,
    out: Any = None,
    **kwargs: Any,
) -> NDArray:
    """Normal with mean `loc` and standard deviation `scale`; the other parameters are those of `uniform`."""
    result: NDArray = _draw("normal", {"loc": loc, "scale": scale}, shape, dtype, ctx, out, kwargs)
    return result


def randn(*shape: int, **kwargs: Any) -> NDArray:
    """Normal numbers in the shape that the arguments list; `loc`, `scale`, `dtype`, `ctx`, `out` are as in `normal`."""
    loc, scale = kwargs.pop("loc", 0), kwargs.pop("scale", 1)
    return normal(loc, scale, shape if shape else _Null, **kwargs)


def poisson(
    lam: Number = 1, shape: Any = _Null, dtype: Any = _Null, ctx: Any = None, out: Any = None, **kwargs: Any
) -> NDArray:
    """Poisson with mean `lam`, as floating-point numbers; the other parameters are those of `uniform`."""
    result: NDArray = _draw("poisson", {"lam": lam}, shape, dtype, ctx, out, kwargs)
    return result


def exponential(
    scale: Number = 1, shape: Any = _Null, dtype: Any = _Null, ctx: Any = None, out: Any = None, **kwargs: Any
) -> NDArray:
    """Exponential with mean `scale`; the other parameters are those of `uniform`."""
    result: NDArray = _draw("exponential", {"lam": 1.0 / scale}, shape, dtype, ctx, out, kwargs)
    return result


def gamma(
    alpha: Number = 1,
    beta: Number = 1,
    shape: Any = _Null,
    dtype: Any = _Null,
    ctx: Any = None,
    out: Any = None,
    **kwargs: Any,
) -> NDArray:
    """Gamma with shape `alpha` and scale `beta`; the other parameters are those of `uniform`."""
    result: NDArray = _draw("gamma", {"alpha": alpha, "beta": beta}, shape, dtype, ctx, out, kwargs)
    return result


def negative_binomial(
    k: Number = 1,
    p: Number = 1,
    shape: Any = _Null,
    dtype: Any = _Null,
    ctx: Any = None,
    out: Any = None,
    **kwargs: Any,
) -> NDArray:
    """The number of failures before `k` successes of probability `p`; the other parameters are those of `uniform`."""
    result: NDArray = _draw("negative_binomial", {"k": k, "p": p}, shape, dtype, ctx, out, kwargs)
    return result


def generalized_negative_binomial(
    mu: Number = 1,
    alpha: Number = 1,
    shape: Any = _Null,
    dtype: Any = _Null,
    ctx: Any = None,
    out: Any = None,
    **kwargs: Any,
) -> NDArray:
    """Negative binomial with mean `mu` and variance ``mu + alpha * mu ** 2``; the rest is as in `uniform`."""
    result: NDArray = _draw(
        "generalized_negative_binomial", {"mu": mu, "alpha": alpha}, shape, dtype, ctx, out, kwargs
    )
    return result


def randint(
    low: int,
    high: int,
    shape: Any = _Null,
    dtype: Any = _Null,
    ctx: Any = None,
    out: Any = None,
    **kwargs: Any,
) -> NDArray:
    """Whole numbers, uniform in [low, high), of type int32 or, with ``dtype='int64'``, int64.

    Raises
    ------
    ValueError : a bound is not a number.
    """
    for name, value in (("low", low), ("high", high)):
        if not isinstance(value, int | np.integer):
            raise ValueError(f"random.randint: {name} must be an integer, got {type(value).__name__}")
    result: NDArray = function("_random_randint")(
        low=low, high=high, shape=shape, dtype=dtype, ctx=ctx, out=out, **kwargs
    )
    return result


def multinomial(
    data: NDArray,
    shape: Any = _Null,
    get_prob: bool = False,
    out: Any = None,
    dtype: Any = "int32",
    **kwargs: Any,
) -> Any:
    """Categories drawn with the probabilities along the last axis of `data`.

    Parameters
    ----------
    data : probabilities, shape (..., categories); each row adds up to 1.
    shape : what is drawn for each row; default: one category.
    get_prob : also return the logarithms of the probabilities of what was drawn, through which gradients flow.
    dtype : element type of the categories.

    Returns
    -------
    NDArray of shape (*data.shape[:-1], *shape), or a list of two such arrays.
    """
    return function("_sample_multinomial")(
        data, shape=shape, get_prob=get_prob, out=out, dtype=dtype, **kwargs
    )


def shuffle(data: NDArray, **kwargs: Any) -> NDArray:
    """`data` with the parts along its first axis in random order; `data` itself stays as it is."""
    return function("_shuffle")(data, **kwargs)  # type: ignore[no-any-return]


def __getattr__(name: str) -> Any:
    return lookup("random", name)


def __dir__() -> list[str]:
    return sorted({*__all__, *members("random")})
