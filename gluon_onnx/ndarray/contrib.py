"""`mx.nd.contrib`: eager functions of the operators in this name space."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..context import Context
from .control import cond, foreach, while_loop
from .ndarray import NDArray
from .random import uniform
from .register import lookup, members
from .updates import (
    adamw_update,
    mp_adamw_update,
    multi_adamw_update,
    multi_lamb_update,
    multi_mp_adamw_update,
    multi_mp_lamb_update,
)
from .zipfian import zipfian

__all__ = [
    "adamw_update",
    "cond",
    "foreach",
    "isfinite",
    "isinf",
    "isnan",
    "mp_adamw_update",
    "multi_adamw_update",
    "multi_lamb_update",
    "multi_mp_adamw_update",
    "multi_mp_lamb_update",
    "rand_zipfian",
    "while_loop",
]


def isinf(data: NDArray) -> NDArray:
    """1 for each element that is infinite, else 0."""
    result: NDArray = abs(data) == np.inf
    return result


def isnan(data: NDArray) -> NDArray:
    """1 for each element that is NaN, else 0."""
    result: NDArray = data != data  # only NaN differs from itself
    return result


def isfinite(data: NDArray) -> NDArray:
    """1 for each element that is neither infinite nor NaN, else 0."""
    result: NDArray = abs(data) < np.inf
    return result


def rand_zipfian(
    true_classes: NDArray, num_sampled: int, range_max: int, ctx: Context | None = None
) -> tuple[NDArray, NDArray, NDArray]:
    """Draw candidate classes for a sampled loss, frequent ones (of low numbers) more often, with replacement.

    Parameters
    ----------
    true_classes : NDArray
        The classes of the targets, in any shape.
    num_sampled : int
        How many candidates to draw.
    range_max : int
        Number of classes. Class k has the probability ``log((k + 2) / (k + 1)) / log(range_max + 1)``.

    Returns
    -------
    (samples, expected_count_true, expected_count_sample)
        Candidates (int64), and how often the true classes and they are expected among them (float64).
    """
    ctx = ctx or true_classes.context
    return zipfian(partial(uniform, ctx=ctx), true_classes.as_in_context(ctx), num_sampled, range_max)


def __getattr__(name: str) -> Any:
    return lookup("contrib", name)


def __dir__() -> list[str]:
    return sorted({*members("contrib"), *__all__})
