"""Axes, bounds and positions: what shape and indexing operators have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike
from ..errors import NeedsStaticShape, ShapeError

__all__ = [
    "axes_of",
    "axis_of",
    "bounds",
    "clipped",
    "integers",
    "positions",
    "quotient",
    "same_shape",
    "wrapped",
]


def axis_of(axis: int, ndim: int, name: str = "axis") -> int:
    """A possibly negative axis as a number from 0.

    Raises
    ------
    ShapeError : there is no such axis; `name` is the parameter that names it.
    """
    if not -ndim <= axis < ndim:
        raise ShapeError(f"parameter {name!r}: axis {axis} is out of range for {ndim} axes")
    return axis % ndim


def axes_of(axes: Iterable[int], ndim: int, name: str = "axis") -> list[int]:
    """Possibly negative axes as numbers from 0.

    Raises
    ------
    ShapeError : an axis does not exist or occurs twice.
    """
    result = [axis_of(a, ndim, name) for a in axes]
    if len(set(result)) < len(result):
        raise ShapeError(f"parameter {name!r}: an axis occurs twice in {tuple(axes)}")
    return result


def bounds(
    begin: int | None, end: int | None, step: int | None, size: DimLike
) -> tuple[DimLike, DimLike, int]:
    """First position, end and step of a Python slice over an axis.

    The end is -1 where a negative step reaches position 0.

    Raises
    ------
    ShapeError : the step is 0.
    """
    step = 1 if step is None else step
    if step == 0:
        raise ShapeError("parameter 'step': a step cannot be 0")
    if isinstance(size, int):
        return slice(begin, end, step).indices(size)
    if step > 0:
        return _clamped(begin, 0, 0, size, size), _clamped(end, size, 0, size, size), step
    return _clamped(begin, size - 1, -1, size - 1, size), _clamped(end, -1, -1, size - 1, size), step


def _clamped(value: int | None, default: DimLike, low: DimLike, high: DimLike, size: DimLike) -> DimLike:
    if value is None:
        return default
    place = value + size if value < 0 else value
    if place < low:
        return low
    return high if place > high else place


def quotient(d: DimLike, parts: int, what: str) -> DimLike:
    """``d / parts``.

    Raises
    ------
    ShapeError : it is not an integer; `what` names the dimension.
    """
    result = d // parts
    if result * parts == d:
        return result
    if isinstance(d, int):
        raise ShapeError(f"{what}: expected a multiple of {parts}, got {d}")
    raise NeedsStaticShape(f"{what}: whether {d} is a multiple of {parts}")


def integers(g: Builder, indices: Tensor) -> Tensor:
    """Indices of any element type as int64; fractions are cut off."""
    return g.cast(indices, np.int64)


def clipped(g: Builder, indices: Tensor, size: DimLike) -> Tensor:
    """int64 positions moved into ``[0, size)``: the nearest one inside."""
    return g.op("Min", g.op("Max", indices, 0), g.dim(size - 1))


def wrapped(g: Builder, indices: Tensor, size: DimLike) -> Tensor:
    """int64 positions moved into ``[0, size)``: modulo its length."""
    return g.op("Mod", indices, g.dim(size))


def positions(g: Builder, size: DimLike) -> Tensor:
    """``0, 1, ..., size - 1`` as int64, shape (size,)."""
    if isinstance(size, int):
        return g.const(np.arange(size, dtype=np.int64))
    return g.with_dims(
        "Range", (size,), g.const(0, np.int64), g.squeeze(g.dim(size), 0), g.const(1, np.int64)
    )


def same_shape(shapes: Sequence[tuple[DimLike, ...]], but: int = -1) -> bool:
    """Whether shapes agree in rank and in all axes except `but`."""
    first = [d for i, d in enumerate(shapes[0]) if i != but]
    return all(len(s) == len(shapes[0]) and [d for i, d in enumerate(s) if i != but] == first for s in shapes)
