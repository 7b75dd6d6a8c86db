"""What inference rules of operators see: partial shapes and element types that they may refine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .dims import DimLike, PartialShape
from .errors import ShapeError, TypeInferenceError

__all__ = ["ShapeContext", "TypeContext", "is_complete", "unify"]


def is_complete(shape: PartialShape) -> bool:
    """Whether rank and every dimension are known."""
    return shape is not None and None not in shape


def unify(a: PartialShape, b: PartialShape, where: str) -> PartialShape:
    """What two partial shapes say together.

    Raises
    ------
    ShapeError : they contradict each other; `where` names the place.
    """
    if a is None or b is None:
        return b if a is None else a
    if len(a) != len(b):
        raise ShapeError(f"{where}: expected shape {_text(b)}, got {_text(a)}")
    merged: list[DimLike | None] = []
    for x, y in zip(a, b, strict=True):
        if x is not None and y is not None and x != y:
            raise ShapeError(f"{where}: expected shape {_text(b)}, got {_text(a)}")
        merged.append(y if x is None else x)
    return tuple(merged)


def _text(shape: PartialShape) -> str:
    if shape is None:
        return "unknown"
    return (
        "(" + ", ".join("?" if d is None else str(d) for d in shape) + ("," if len(shape) == 1 else "") + ")"
    )


class ShapeContext:
    """Partial shapes of one node's inputs (by name) and outputs (by number)."""

    def __init__(
        self,
        where: str,
        names: Sequence[str],
        inputs: Sequence[PartialShape],
        outputs: Sequence[PartialShape],
    ) -> None:
        self.where = where
        self.names = list(names)
        self.inputs = list(inputs)
        self.outputs = list(outputs)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __getitem__(self, name: str | int) -> PartialShape:
        if isinstance(name, int):
            return self.outputs[name]
        return self.inputs[self.names.index(name)] if name in self.names else None

    def set(self, name: str | int, shape: PartialShape) -> None:
        """Refine an input (by name) or output (by number); names that are not present are ignored.

        Raises
        ------
        ShapeError : `shape` contradicts what is known.
        """
        if isinstance(name, int):
            self.outputs[name] = unify(self.outputs[name], shape, f"{self.where}, output {name}")
        elif name in self.names:
            i = self.names.index(name)
            self.inputs[i] = unify(self.inputs[i], shape, f"{self.where}, argument {name!r}")

    def unify_all(self) -> None:
        """Give all inputs and outputs one shape."""
        merged: PartialShape = None
        for i, s in enumerate(self.inputs):
            merged = unify(s, merged, f"{self.where}, argument {self.names[i]!r}")
        for i, s in enumerate(self.outputs):
            merged = unify(s, merged, f"{self.where}, output {i}")
        self.inputs = [merged] * len(self.inputs)
        self.outputs = [merged] * len(self.outputs)


class TypeContext:
    """Element types (None: unknown) of one node's inputs (by name) and outputs (by number)."""

    def __init__(
        self,
        where: str,
        names: Sequence[str],
        inputs: Sequence[np.dtype[Any] | None],
        outputs: Sequence[np.dtype[Any] | None],
    ) -> None:
        self.where = where
        self.names = list(names)
        self.inputs = list(inputs)
        self.outputs = list(outputs)

    def __getitem__(self, name: str | int) -> np.dtype[Any] | None:
        if isinstance(name, int):
            return self.outputs[name]
        return self.inputs[self.names.index(name)] if name in self.names else None

    def set(self, name: str | int, dt: Any) -> None:
        """Refine an element type; None says nothing.

        Raises
        ------
        TypeInferenceError : `dt` contradicts what is known.
        """
        if dt is None:
            return
        dt = np.dtype(dt)
        if isinstance(name, int):
            known, place = self.outputs[name], f"output {name}"
        elif name in self.names:
            known, place = self.inputs[self.names.index(name)], f"argument {name!r}"
        else:
            return
        if known is not None and known != dt:
            raise TypeInferenceError(f"{self.where}, {place}: expected {dt.name}, got {known.name}")
        if isinstance(name, int):
            self.outputs[name] = dt
        else:
            self.inputs[self.names.index(name)] = dt

    def unify_all(self, names: Sequence[str | int] | None = None) -> None:
        """Give the inputs and outputs listed (default: all) one element type."""
        places: list[str | int] = (
            list(names) if names is not None else [*self.names, *range(len(self.outputs))]
        )
        dt = next((self[p] for p in places if self[p] is not None), None)
        for p in places:
            self.set(p, dt)
