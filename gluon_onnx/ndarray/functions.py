"""Arithmetic functions of `nd` that take arrays and numbers in either place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import numeric_types
from ..graph.ops import find
from .dispatch import invoke
from .ndarray import NDArray

__all__ = [
    "add",
    "divide",
    "equal",
    "greater",
    "greater_equal",
    "histogram",
    "lesser",
    "lesser_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "modulo",
    "multiply",
    "not_equal",
    "power",
    "subtract",
    "true_divide",
]


def _binary(
    name: str, op: str, scalar_op: str, reverse_op: str | None, python: Callable[[Any, Any], Any]
) -> Any:
    """A function of two arrays or numbers; `reverse_op` serves a number on the left (None: the operator commutes)."""

    def function(lhs: Any, rhs: Any) -> Any:
        if isinstance(lhs, NDArray) and isinstance(rhs, NDArray):
            return invoke(find(op), [lhs, rhs], {})
        if isinstance(lhs, NDArray) and isinstance(rhs, numeric_types):
            return invoke(find(scalar_op), [lhs], {"scalar": float(rhs)})
        if isinstance(lhs, numeric_types) and isinstance(rhs, NDArray):
            return invoke(find(reverse_op or scalar_op), [rhs], {"scalar": float(lhs)})
        if isinstance(lhs, numeric_types) and isinstance(rhs, numeric_types):
            return python(lhs, rhs)
        raise TypeError(
            f"{name} takes NDArrays and numbers, got {type(lhs).__name__} and {type(rhs).__name__}"
        )

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Elementwise {name} of two arrays (broadcast) or of an array and a number."
    return function


def _flag(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], int]:
    return lambda a, b: 1 if f(a, b) else 0


add = _binary("add", "broadcast_add", "_plus_scalar", None, lambda a, b: a + b)
subtract = _binary("subtract", "broadcast_sub", "_minus_scalar", "_rminus_scalar", lambda a, b: a - b)
multiply = _binary("multiply", "broadcast_mul", "_mul_scalar", None, lambda a, b: a * b)
divide = _binary("divide", "broadcast_div", "_div_scalar", "_rdiv_scalar", lambda a, b: a / b)
true_divide = divide
modulo = _binary("modulo", "broadcast_mod", "_mod_scalar", "_rmod_scalar", lambda a, b: a % b)
_power = _binary("power", "broadcast_power", "_power_scalar", "_rpower_scalar", lambda a, b: a**b)


def power(base: Any, exp: Any) -> Any:
    """`base` to the power `exp`: two arrays (broadcast), or an array and a number."""
    return _power(base, exp)


maximum = _binary("maximum", "broadcast_maximum", "_maximum_scalar", None, max)
minimum = _binary("minimum", "broadcast_minimum", "_minimum_scalar", None, min)
equal = _binary("equal", "broadcast_equal", "_equal_scalar", None, _flag(lambda a, b: a == b))
not_equal = _binary("not_equal", "broadcast_not_equal", "_not_equal_scalar", None, _flag(lambda a, b: a != b))
greater = _binary(
    "greater", "broadcast_greater", "_greater_scalar", "_lesser_scalar", _flag(lambda a, b: a > b)
)
greater_equal = _binary(
    "greater_equal",
    "broadcast_greater_equal",
    "_greater_equal_scalar",
    "_lesser_equal_scalar",
    _flag(lambda a, b: a >= b),
)
lesser = _binary("lesser", "broadcast_lesser", "_lesser_scalar", "_greater_scalar", _flag(lambda a, b: a < b))
lesser_equal = _binary(
    "lesser_equal",
    "broadcast_lesser_equal",
    "_lesser_equal_scalar",
    "_greater_equal_scalar",
    _flag(lambda a, b: a <= b),
)
logical_and = _binary(
    "logical_and", "broadcast_logical_and", "_logical_and_scalar", None, _flag(np.logical_and)
)
logical_or = _binary("logical_or", "broadcast_logical_or", "_logical_or_scalar", None, _flag(np.logical_or))
logical_xor = _binary(
    "logical_xor", "broadcast_logical_xor", "_logical_xor_scalar", None, _flag(np.logical_xor)
)


def histogram(
    a: NDArray, bins: int | NDArray = 10, range: tuple[float, float] | None = None
) -> list[NDArray]:
    """Counts of values in bins, and the edges of the bins.

    Parameters
    ----------
    bins : the number of bins of equal width, or their ascending edges.
    range : the outer edges; the smallest and largest value by default.
    """
    if isinstance(bins, NDArray):
        counts, edges = invoke(find("_histogram"), [a, bins], {})
    else:
        if range is None:
            range = (
                float(invoke(find("min"), [a], {}).asscalar()),
                float(invoke(find("max"), [a], {}).asscalar()),
            )
        counts, edges = invoke(find("_histogram"), [a], {"bin_cnt": bins, "range": range})
    return [counts, edges]
