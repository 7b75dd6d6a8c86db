"""`mx.sym.random`: draws from random distributions, and the other operators of this name space.

The parameters of a distribution are numbers or symbols, with the meaning that they have in `mx.nd.random`.
"""

from __future__ import annotations

from typing import Any

from ..base import _Null, numeric_types
from .register import function, lookup, members
from .symbol import Symbol

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

Number = float | Symbol


def _draw(kind: str, parameters: dict[str, Any], shape: Any, dtype: Any, kwargs: Any) -> Symbol:
    """Compose the operator for numbers or the one for symbols.

    Raises
    ------
    ValueError : parameters are neither all numbers nor all symbols.
    """
    options = {"shape": shape, "dtype": dtype, **kwargs}
    values = list(parameters.values())
    if all(isinstance(v, Symbol) for v in values):
        return function(f"_sample_{kind}")(*values, **options)  # type: ignore[no-any-return]
    if all(isinstance(v, numeric_types) for v in values):
        return function(f"_random_{kind}")(**parameters, **options)  # type: ignore[no-any-return]
    given = ", ".join(f"{k}: {type(v).__name__}" for k, v in parameters.items())
    raise ValueError(f"random.{kind}: parameters must be all numbers or all Symbols, got {given}")


def uniform(
    low: Number = 0, high: Number = 1, shape: Any = _Null, dtype: Any = _Null, **kwargs: Any
) -> Symbol:
    """Uniform in [low, high).

    Parameters
    ----------
    low, high : bounds, numbers or symbols.
    shape : what is drawn, or what is drawn for each element of the parameters.
    dtype : 'float16', 'float32' (default) or 'float64'.
    """
    return _draw("uniform", {"low": low, "high": high}, shape, dtype, kwargs)


def normal(
    loc: Number = 0, scale: Number = 1, shape: Any = _Null, dtype: Any = _Null, **kwargs: Any
) -> Symbol:
    """Normal with mean `loc` and standard deviation `scale`; the other parameters are those of `uniform`."""
    return _draw("normal", {"loc": loc, "scale": scale}, shape, dtype, kwargs)


def randn(*shape: int, **kwargs: Any) -> Symbol:
    """Normal numbers in the shape that the arguments list: ``randn(2, 3, loc=5, scale=1, dtype=...)``."""
    loc, scale = kwargs.pop("loc", 0), kwargs.pop("scale", 1)
    return normal(loc, scale, shape if shape else _Null, **kwargs)


def poisson(lam: Number = 1, shape: Any = _Null, dtype: Any = _Null, **kwargs: Any) -> Symbol:
    """Poisson with mean `lam`, as floating-point numbers; the other parameters are those of `uniform`."""
    return _draw("poisson", {"lam": lam}, shape, dtype, kwargs)


def exponential(scale: Number = 1, shape: Any = _Null, dtype: Any = _Null, **kwargs: Any) -> Symbol:
    """Exponential with mean `scale`; the other parameters are those of `uniform`."""
    return _draw("exponential", {"lam": 1.0 / scale}, shape, dtype, kwargs)


def gamma(
    alpha: Number = 1, beta: Number = 1, shape: Any = _Null, dtype: Any = _Null, **kwargs: Any
) -> Symbol:
    """Gamma with shape `alpha` and scale `beta`; the other parameters are those of `uniform`."""
    return _draw("gamma", {"alpha": alpha, "beta": beta}, shape, dtype, kwargs)


def negative_binomial(
    k: Number = 1, p: Number = 1, shape: Any = _Null, dtype: Any = _Null, **kwargs: Any
) -> Symbol:
    """The number of failures before `k` successes of probability `p`; the other parameters are those of `uniform`."""
    return _draw("negative_binomial", {"k": k, "p": p}, shape, dtype, kwargs)


def generalized_negative_binomial(
    mu: Number = 1, alpha: Number = 1, shape: Any = _Null, dtype: Any = _Null, **kwargs: Any
) -> Symbol:
    """Negative binomial with mean `mu` and variance ``mu + alpha * mu ** 2``; the rest is as in `uniform`."""
    return _draw("generalized_negative_binomial", {"mu": mu, "alpha": alpha}, shape, dtype, kwargs)


def randint(low: int, high: int, shape: Any = _Null, dtype: Any = _Null, **kwargs: Any) -> Symbol:
    """Whole numbers, uniform in [low, high), of type int32 or, with ``dtype='int64'``, int64."""
    return function("_random_randint")(low=low, high=high, shape=shape, dtype=dtype, **kwargs)  # type: ignore[no-any-return]


def multinomial(
    data: Symbol, shape: Any = _Null, get_prob: bool = True, dtype: Any = "int32", **kwargs: Any
) -> Symbol:
    """Categories drawn with the probabilities along the last axis of `data`, of shape (*data.shape[:-1], *shape).

    With `get_prob` (the default here, unlike in `mx.nd.random`) the logarithms of their probabilities are a second
    result.
    """
    return function("_sample_multinomial")(data, shape=shape, get_prob=get_prob, dtype=dtype, **kwargs)  # type: ignore[no-any-return]


def shuffle(data: Symbol, **kwargs: Any) -> Symbol:
    """`data` with the parts along its first axis in random order."""
    return function("_shuffle")(data, **kwargs)  # type: ignore[no-any-return]


def __getattr__(name: str) -> Any:
    return lookup("random", name)


def __dir__() -> list[str]:
    return sorted({*__all__, *members("random")})
