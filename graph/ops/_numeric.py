"""What elementwise operators share: checks of element types, and the types that they compute in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..errors import ShapeError, TypeInferenceError

__all__ = ["Array", "holds", "is_integer", "real", "require_number", "same_shape", "same_type"]

Array = np.ndarray[Any, Any]


def is_integer(dt: np.dtype[Any]) -> bool:
    """Whether an element type holds integers or booleans."""
    return dt.kind in "iub"


def require_number(op: str, **inputs: Tensor) -> None:
    """Refuse booleans, which have no arithmetic.

    Raises
    ------
    TypeInferenceError : an input is boolean; the message names it.
    """
    for name, x in inputs.items():
        if x.dt == np.bool_:
            raise TypeInferenceError(f"operator {op}, argument {name!r}: expected numbers, got bool")


def same_type(op: str, lhs: Tensor, rhs: Tensor) -> None:
    """Refuse operands of different element types, which MXNet does not convert.

    Raises
    ------
    TypeInferenceError : they differ.
    """
    if lhs.dt != rhs.dt:
        raise TypeInferenceError(f"operator {op}, argument 'rhs': expected {lhs.dt.name} like 'lhs', got {rhs.dt.name}")


def same_shape(op: str, lhs: Tensor, rhs: Tensor) -> None:
    """Refuse operands of different shapes, for operators that do not broadcast.

    Raises
    ------
    ShapeError : they differ.
    """
    if lhs.dims != rhs.dims:
        raise ShapeError(f"operator {op}, argument 'rhs': expected shape {lhs.dims} like 'lhs', got {rhs.dims}")


def real(g: Builder, data: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """``function(data)`` for a function of real numbers: integers go through float32 and are cut off, as in MXNet."""
    if is_integer(data.dt):
        return g.cast(function(g.cast(data, np.float32)), data.dt)
    return function(data)


def holds(g: Builder, condition: Tensor, dt: Any) -> Tensor:
    """A boolean tensor as zeros and ones."""
    return g.cast(condition, dt)
