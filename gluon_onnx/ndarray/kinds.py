"""What may be the element type and the shape of an array."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ..graph.errors import ShapeError
from ..graph.ops.schema import ELEMENT_TYPES

__all__ = ["dims", "element_type"]


def element_type(dtype: Any, default: Any = np.float32) -> np.dtype[Any]:
    """The element type that a name, a class or None (`default`) stands for.

    Raises
    ------
    TypeError : it is none that an array can have.
    """
    found: np.dtype[Any] | None = None
    with suppress(TypeError):
        found = np.dtype(default if dtype is None else dtype)
    if found is None or found.name not in ELEMENT_TYPES:
        raise TypeError(f"element type: expected one of {', '.join(sorted(ELEMENT_TYPES))}, got {dtype!r}")
    return found


def dims(shape: int | Sequence[int]) -> tuple[int, ...]:
    """A shape as a tuple of integers.

    Raises
    ------
    ShapeError : it is not an integer or a sequence of integers that are not negative.
    """
    given: Any = (shape,) if isinstance(shape, int | np.integer) else shape
    entries: list[Any] = list(given) if isinstance(given, Sequence | np.ndarray) else [None]
    if any(not isinstance(n, int | np.integer) or n < 0 for n in entries):
        raise ShapeError(f"shape: expected a number of elements or a tuple of them, got {shape!r}")
    return tuple(int(n) for n in entries)
