"""Random numbers: `mx.random`."""

from __future__ import annotations

from typing import Any

from . import ndarray
from ._runtime import random_state
from .ndarray import NDArray

__all__ = ["normal", "seed", "uniform"]


def seed(seed_state: int, ctx: Any = "all") -> None:
    """Start the random stream of number `seed_state`."""
    random_state.seed(seed_state)


def _shape(shape: Any, out: NDArray | None) -> Any:
    if shape is None:
        return out.shape if out is not None else (1,)
    return (shape,) if isinstance(shape, int) else tuple(shape)


def uniform(low: float = 0, high: float = 1, shape: Any = None, dtype: Any = None, ctx: Any = None, out: Any = None) -> Any:
    """Uniform in [low, high)."""
    return ndarray.random_uniform(low=low, high=high, shape=_shape(shape, out), dtype=dtype or "float32", ctx=ctx, out=out)


def normal(loc: float = 0, scale: float = 1, shape: Any = None, dtype: Any = None, ctx: Any = None, out: Any = None) -> Any:
    """Normal with mean `loc` and deviation `scale`."""
    return ndarray.random_normal(loc=loc, scale=scale, shape=_shape(shape, out), dtype=dtype or "float32", ctx=ctx, out=out)
