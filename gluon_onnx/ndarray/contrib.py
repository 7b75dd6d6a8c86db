"""`mx.nd.contrib`: eager functions of the operators in this name space."""

from __future__ import annotations

from typing import Any

import numpy as np

from .ndarray import NDArray
from .register import lookup, members
from .updates import (
    adamw_update,
    mp_adamw_update,
    multi_adamw_update,
    multi_lamb_update,
    multi_mp_adamw_update,
    multi_mp_lamb_update,
)

__all__ = [
    "adamw_update",
    "isfinite",
    "isinf",
    "isnan",
    "mp_adamw_update",
    "multi_adamw_update",
    "multi_lamb_update",
    "multi_mp_adamw_update",
    "multi_mp_lamb_update",
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


def __getattr__(name: str) -> Any:
    return lookup("contrib", name)


def __dir__() -> list[str]:
    return sorted({*members("contrib"), *__all__})
