"""Operators that repeat elements: tiles, padding, broadcasting."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike, prod
from ..errors import ShapeError
from ._axes import axes_of, axis_of
from .registry import operator
from .schema import Ints

__all__: list[str] = []

Array = np.ndarray[Any, Any]


@operator("tile")
def tile(g: Builder, data: Tensor, *, reps: Ints) -> Tensor:
    """tile(data, reps)

    `data` repeated ``reps[i]`` times along axis i; the shorter of shape and `reps` gets ones in front.
    """
    if any(r < 0 for r in reps):
        raise ShapeError(f"parameter 'reps': expected numbers from 0, got {reps}")
    rank = max(len(reps), data.ndim)
    counts = [1] * (rank - len(reps)) + list(reps)
    x = g.reshape(data, [1] * (rank - data.ndim) + list(data.dims))
    if all(c == 1 for c in counts):
        return x
    return g.with_dims("Tile", [d * c for d, c in zip(x.dims, counts, strict=True)], x, g.ints(*counts))


@tile.numpy
def _(data: Array, reps: Ints) -> Array | None:
    return np.array(np.tile(data, reps)) if all(r > 0 for r in reps) else None


@operator("repeat")
def repeat(g: Builder, data: Tensor, *, repeats: int, axis: int | None = None) -> Tensor:
    """repeat(data, repeats, axis=None)

    Every element `repeats` times in a row along `axis`, or of the flat array.
    """
    if repeats < 0:
        raise ShapeError(f"parameter 'repeats': expected a number from 0, got {repeats}")
    x = g.reshape(data, (prod(data.dims),)) if axis is None else data
    a = 0 if axis is None else axis_of(axis, data.ndim)
    before, rest = x.dims[: a + 1], x.dims[a + 1 :]
    wide = g.expand(g.reshape(x, (*before, 1, *rest)), (*before, repeats, *rest))
    return g.reshape(wide, (*before[:-1], before[-1] * repeats, *rest))


@repeat.numpy
def _(data: Array, repeats: int, axis: int | None) -> Array | None:
    if repeats < 1 or (axis is not None and not -data.ndim <= axis < data.ndim):
        return None
    return np.repeat(data, repeats, axis)


@operator("Pad", "pad")
def pad(
    g: Builder,
    data: Tensor,
    *,
    mode: Literal["constant", "edge", "reflect"],
    pad_width: Ints,
    constant_value: float = 0.0,
) -> Tensor:
    """Pad(data, mode, pad_width, constant_value=0)

    `pad_width` elements before and after each axis (two numbers an axis): a constant, the edge repeated, or
    the elements mirrored at the edge.
    """
    if len(pad_width) != 2 * data.ndim:
        raise ShapeError(f"'pad_width': expected two numbers for each of {data.ndim} axes, got {pad_width}")
    if any(p < 0 for p in pad_width):
        raise ShapeError(f"parameter 'pad_width': expected numbers from 0, got {pad_width}")
    before, after = pad_width[::2], pad_width[1::2]
    widest = [max(b, a) for b, a in zip(before, after, strict=True)]
    if mode == "reflect" and any(p > 0 and p >= d for p, d in zip(widest, data.dims, strict=True)):
        raise ShapeError(f"parameter 'pad_width': {pad_width} mirrors more than the shape {data.dims} has")
    dims: list[DimLike] = [b + d + a for b, d, a in zip(before, data.dims, after, strict=True)]
    if mode == "constant":
        value = g.const(np.asarray(constant_value).astype(data.dt)) if constant_value != 0 else None
        return g.with_dims("Pad", dims, data, g.ints(*before, *after), value)
    return g.with_dims("Pad", dims, data, g.ints(*before, *after), mode=mode)


@operator("broadcast_to")
def broadcast_to(g: Builder, data: Tensor, *, shape: Ints = ()) -> Tensor:
    """broadcast_to(data, shape=())

    Axes of length 1 repeated to the lengths of `shape`; 0 in `shape` keeps a length.
    """
    if len(shape) != data.ndim:
        raise ShapeError(f"parameter 'shape': expected {data.ndim} numbers, got {shape}")
    return _broadcast(g, data, [d if s == 0 else s for s, d in zip(shape, data.dims, strict=True)])


def _broadcast(g: Builder, data: Tensor, dims: list[DimLike]) -> Tensor:
    for d, n in zip(data.dims, dims, strict=True):
        if d not in (1, n):
            raise ShapeError(f"the shape {data.dims} cannot be broadcast to {tuple(dims)}")
    return g.expand(data, dims)


@broadcast_to.numpy
def _(data: Array, shape: Ints) -> Array | None:
    if len(shape) != data.ndim or any(
        s not in (0, n) and n != 1 for s, n in zip(shape, data.shape, strict=True)
    ):
        return None
    return np.array(
        np.broadcast_to(data, [s or n for s, n in zip(shape, data.shape, strict=True)]), order="C"
    )


@operator("broadcast_axis", "broadcast_axes")
def broadcast_axis(g: Builder, data: Tensor, *, axis: Ints = (), size: Ints = ()) -> Tensor:
    """broadcast_axis(data, axis=(), size=())

    Axes of length 1 repeated `size` times.
    """
    if len(axis) != len(size):
        raise ShapeError(f"parameters 'axis' {axis} and 'size' {size} must have one length")
    dims = list(data.dims)
    for a, n in zip(axes_of(axis, data.ndim), size, strict=True):
        if dims[a] != 1:
            raise ShapeError(f"parameter 'axis': axis {a} has length {dims[a]}, not 1")
        dims[a] = n
    return g.expand(data, dims)


@broadcast_axis.numpy
def _(data: Array, axis: Ints, size: Ints) -> Array | None:
    if len(axis) != len(size) or any(not -data.ndim <= a < data.ndim or data.shape[a] != 1 for a in axis):
        return None
    dims = list(data.shape)
    for a, n in zip(axis, size, strict=True):
        dims[a] = n
    return np.array(np.broadcast_to(data, dims), order="C")


@operator("broadcast_like")
def broadcast_like(
    g: Builder, lhs: Tensor, rhs: Tensor, *, lhs_axes: Ints | None = None, rhs_axes: Ints | None = None
) -> Tensor:
    """broadcast_like(lhs, rhs, lhs_axes=None, rhs_axes=None)

    `lhs` with axes of length 1 repeated to the lengths of `rhs`: all of them, or ``lhs_axes[i]`` to that of
    ``rhs_axes[i]``.
    """
    if lhs_axes is None or rhs_axes is None:
        if lhs.ndim != rhs.ndim:
            raise ShapeError(
                f"'lhs' and 'rhs' must have one number of axes, got shapes {lhs.dims} and {rhs.dims}"
            )
        return _broadcast(g, lhs, list(rhs.dims))
    if len(lhs_axes) != len(rhs_axes) or not lhs_axes:
        raise ShapeError(f"'lhs_axes' {lhs_axes} and 'rhs_axes' {rhs_axes} must have one length above 0")
    dims = list(lhs.dims)
    for a, b in zip(axes_of(lhs_axes, lhs.ndim, "lhs_axes"), rhs_axes, strict=True):
        if dims[a] != 1:
            raise ShapeError(f"parameter 'lhs_axes': axis {a} has length {dims[a]}, not 1")
        dims[a] = rhs.dims[axis_of(b, rhs.ndim, "rhs_axes")]
    return g.expand(lhs, dims)


@broadcast_like.infer_type
def _(t: Any, a: Any) -> None:
    t.unify_all(["lhs", 0])
