"""`mx.sym.contrib`: symbolic functions of the operators in this name space."""

from __future__ import annotations

from typing import Any

from ..ndarray.zipfian import zipfian
from .control import cond, foreach, while_loop
from .random import uniform
from .register import lookup, members
from .symbol import Symbol

__all__ = ["cond", "foreach", "isfinite", "isinf", "isnan", "rand_zipfian", "while_loop"]

_INFINITY = float("inf")


def isinf(data: Symbol) -> Symbol:
    """1 for each element that is infinite, else 0."""
    result: Symbol = abs(data) == _INFINITY
    return result


def isnan(data: Symbol) -> Symbol:
    """1 for each element that is NaN, else 0."""
    result: Symbol = data != data  # only NaN differs from itself
    return result


def isfinite(data: Symbol) -> Symbol:
    """1 for each element that is neither infinite nor NaN, else 0."""
    result: Symbol = abs(data) < _INFINITY
    return result


def rand_zipfian(true_classes: Symbol, num_sampled: int, range_max: int) -> tuple[Symbol, Symbol, Symbol]:
    """Draw candidate classes for a sampled loss, frequent ones (of low numbers) more often, with replacement.

    Parameters
    ----------
    true_classes : Symbol
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
    return zipfian(uniform, true_classes, num_sampled, range_max)


def __getattr__(name: str) -> Any:
    return lookup("contrib", name)


def __dir__() -> list[str]:
    return sorted({*members("contrib"), *__all__})
