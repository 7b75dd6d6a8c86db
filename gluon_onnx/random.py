"""Random numbers: `mx.random`."""

from __future__ import annotations

from typing import Any

from ._runtime import random_state
from .base import integer_types
from .ndarray.random import (
    exponential,
    gamma,
    generalized_negative_binomial,
    multinomial,
    negative_binomial,
    normal,
    poisson,
    randint,
    randn,
    shuffle,
    uniform,
)

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
    "seed",
    "shuffle",
    "uniform",
]


def seed(seed_state: int, ctx: Any = "all") -> None:
    """Start the stream of random numbers that belongs to `seed_state`.

    From here on every draw (eager, in compiled blocks, dropout) is determined by the seed and by what is called in
    which order, on every device. NumPy's and Python's generators are not touched.

    Parameters
    ----------
    seed_state : the seed; its lowest 32 bits count.
    ctx : a device or 'all'. All devices share one stream, so that it makes no difference.

    Raises
    ------
    ValueError : the seed is not an integer.
    """
    if not isinstance(seed_state, integer_types):
        raise ValueError(f"random.seed: seed_state must be an integer, got {seed_state!r}")
    random_state.seed(int(seed_state))
