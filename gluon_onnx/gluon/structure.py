"""Nested lists of arrays or symbols as flat lists and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ndarray import NDArray
from ..symbol import Symbol

__all__ = ["Structure", "flatten", "regroup"]

# None for an absent value, -1 for one tensor, n for a symbol of n outputs, a list for nested values.
Structure = Any


def flatten(values: Any, what: str) -> tuple[list[Any], Structure]:
    """All tensors in `values`, and the structure to put them back into.

    Raises
    ------
    ValueError : a leaf is neither NDArray, Symbol nor None; `what` says whose value it is.
    """
    if values is None:
        return [], None
    if isinstance(values, NDArray):
        return [values], -1
    if isinstance(values, Symbol):
        n = len(values.list_outputs())
        return [values], -1 if n == 1 else n
    if not isinstance(values, list | tuple):
        raise ValueError(
            f"{what} must be (nested lists of) NDArrays or Symbols, got {values!r} of type "
            f"{type(values).__name__}"
        )
    flat: list[Any] = []
    structure: list[Structure] = []
    for v in values:
        items, part = flatten(v, what)
        flat.extend(items)
        structure.append(part)
    return flat, structure


def regroup(flat: Sequence[Any], structure: Structure) -> tuple[Any, Sequence[Any]]:
    """Tensors in the given structure, and those that are left."""
    if structure is None:
        return None, flat
    if structure == -1:
        return flat[0], flat[1:]
    if isinstance(structure, int):
        return list(flat[:structure]), flat[structure:]
    result = []
    for part in structure:
        value, flat = regroup(flat, part)
        result.append(value)
    return result, flat
