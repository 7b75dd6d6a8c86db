"""Operators that cut blocks out of an array, and that write into them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike
from ..errors import ShapeError
from ._axes import axes_of, axis_of, bounds, positions
from ._scalars import number
from .registry import operator
from .schema import Ints, OptInts, Scalar

__all__: list[str] = []

Array = np.ndarray[Any, Any]
Range = tuple[DimLike, DimLike, int]  # begin, end, step


def _ranges(data: Tensor, begin: OptInts, end: OptInts, step: OptInts) -> list[Range]:
    """What begin, end and step mean on the leading axes of `data`."""
    if len(begin) != len(end) or (step and len(step) != len(begin)):
        raise ShapeError(f"parameters 'begin' {begin}, 'end' {end} and 'step' {step} must have one length")
    if len(begin) > data.ndim:
        raise ShapeError(f"parameter 'begin': {len(begin)} entries for {data.ndim} axes")
    steps = step or (None,) * len(begin)
    return [bounds(b, e, s, n) for b, e, s, n in zip(begin, end, steps, data.dims, strict=False)]


def _length(r: Range) -> DimLike:
    begin, end, step = r
    count = (end - begin + (step - 1)) // step if step > 0 else (begin - end + (-step - 1)) // -step
    return max(count, 0) if isinstance(count, int) else count


def _cut(g: Builder, data: Tensor, ranges: list[Range]) -> Tensor:
    """The block that `ranges` select of the leading axes."""
    dims = [*map(_length, ranges), *data.dims[len(ranges) :]]
    axes = [i for i, r in enumerate(ranges) if r != (0, data.dims[i], 1)]
    if not axes:
        return data
    begin = g.shape_tensor([ranges[i][0] for i in axes])
    end = g.shape_tensor([np.iinfo(np.int64).min if ranges[i][1] == -1 else ranges[i][1] for i in axes])
    return g.with_dims("Slice", dims, data, begin, end, g.ints(*axes), g.ints(*(ranges[i][2] for i in axes)))


@operator("slice", "crop", "_sparse_slice")
def slice_(g: Builder, data: Tensor, *, begin: OptInts, end: OptInts, step: OptInts = ()) -> Tensor:
    """slice(data, begin, end, step=())

    ``data[begin:end:step]`` on the leading axes; None leaves a bound open.
    """
    return _cut(g, data, _ranges(data, begin, end, step))


@slice_.numpy
def _(data: Array, begin: OptInts, end: OptInts, step: OptInts) -> Array | None:
    if len(begin) != len(end) or (step and len(step) != len(begin)) or len(begin) > data.ndim or 0 in step:
        return None
    result = data[
        tuple(slice(b, e, s) for b, e, s in zip(begin, end, step or (None,) * len(begin), strict=True))
    ]
    return np.array(result, order="C")


@operator("slice_axis")
def slice_axis(g: Builder, data: Tensor, *, axis: int, begin: int, end: int | None) -> Tensor:
    """slice_axis(data, axis, begin, end)

    ``data[begin:end]`` along one axis; `end` may be None.
    """
    a = axis_of(axis, data.ndim)
    size = data.dims[a]
    first: DimLike = begin + size if begin < 0 else begin
    last: DimLike = size if end is None else end + size if end < 0 else end
    if last > size or first < 0 or first >= last:
        raise ShapeError(
            f"begin={begin}, end={end} select nothing of axis {a} (length {size}), or more than it has"
        )
    return _cut(g, data, [(0, n, 1) for n in data.dims[:a]] + [(first, last, 1)])


@slice_axis.numpy
def _(data: Array, axis: int, begin: int, end: int | None) -> Array | None:
    if not -data.ndim <= axis < data.ndim:
        return None
    n = data.shape[axis]
    first, last = begin + n if begin < 0 else begin, n if end is None else end + n if end < 0 else end
    if not 0 <= first < last <= n:
        return None
    return data[(slice(None),) * (axis % data.ndim) + (slice(first, last),)].copy("C")


@operator("slice_like")
def slice_like(g: Builder, data: Tensor, shape_like: Tensor, *, axes: Ints = ()) -> Tensor:
    """slice_like(data, shape_like, axes=())

    `data` cut to the lengths of `shape_like` along `axes` (all, if none are named).
    """
    if not axes and data.ndim != shape_like.ndim:
        raise ShapeError(f"argument 'shape_like': expected {data.ndim} axes, got shape {shape_like.dims}")
    wanted = axes_of(axes, data.ndim, "axes") if axes else range(data.ndim)
    ranges: list[Range] = [(0, n, 1) for n in data.dims]
    for a in wanted:
        if a >= shape_like.ndim:
            raise ShapeError(f"parameter 'axes': 'shape_like' of shape {shape_like.dims} has no axis {a}")
        size = shape_like.dims[a]
        if size != data.dims[a] and size > data.dims[a]:
            raise ShapeError(f"axis {a}: cannot cut length {size} out of {data.dims[a]}")
        ranges[a] = (0, size, 1)
    return _cut(g, data, ranges)


@slice_like.infer_type
def _(t: Any, a: Any) -> None:
    t.unify_all(["data", 0])


@slice_like.numpy
def _(data: Array, shape_like: Array, axes: Ints) -> Array | None:
    if any(not -data.ndim <= a < data.ndim for a in axes) or (not axes and data.ndim != shape_like.ndim):
        return None
    wanted = [a % data.ndim for a in axes] or range(data.ndim)
    if any(a >= shape_like.ndim or shape_like.shape[a] > data.shape[a] for a in wanted):
        return None
    return data[tuple(slice(shape_like.shape[a] if a in wanted else None) for a in range(data.ndim))].copy(
        "C"
    )


def _assign(g: Builder, lhs: Tensor, rhs: Tensor, ranges: list[Range], axis: int) -> Tensor:
    """`lhs` with `rhs` in the place that ``ranges[axis:]`` select; the earlier axes are already cut."""
    if axis == len(ranges):
        return rhs
    begin, end, step = ranges[axis]
    size = lhs.dims[axis]
    whole: list[Range] = [(0, n, 1) for n in lhs.dims[:axis]]
    if (begin, end, step) == (0, size, 1):
        return _assign(g, lhs, rhs, ranges, axis + 1)
    inner = _assign(g, _cut(g, lhs, [*whole, ranges[axis]]), rhs, ranges, axis + 1)
    if step == 1:
        parts = [_cut(g, lhs, [*whole, r]) for r in ((0, begin, 1), (end, size, 1)) if r[0] != r[1]]
        before = parts[:1] if begin != 0 else []
        return g.with_dims("Concat", lhs.dims, *before, inner, *parts[len(before) :], axis=axis)
    rows = _cut(g, positions(g, size), [ranges[axis]])
    perm = [axis, *range(axis), *range(axis + 1, lhs.ndim)]
    result = g.op(
        "ScatterND", g.transpose(lhs, perm), g.reshape(rows, (rows.dims[0], 1)), g.transpose(inner, perm)
    )
    return g.transpose(result, [*range(1, axis + 1), 0, *range(axis + 1, lhs.ndim)])


@operator("_slice_assign", "_crop_assign")
def slice_assign(
    g: Builder, lhs: Tensor, rhs: Tensor, *, begin: OptInts, end: OptInts, step: OptInts = ()
) -> Tensor:
    """_slice_assign(lhs, rhs, begin, end, step=())

    `lhs` with ``lhs[begin:end:step]`` replaced by `rhs`, which has exactly that shape.
    """
    ranges = _ranges(lhs, begin, end, step)
    dims = (*map(_length, ranges), *lhs.dims[len(ranges) :])
    if rhs.dims != dims:
        raise ShapeError(f"argument 'rhs': expected shape {dims}, got {rhs.dims}")
    return _assign(g, lhs, rhs, ranges, 0)


@operator("_slice_assign_scalar", "_crop_assign_scalar")
def slice_assign_scalar(
    g: Builder, data: Tensor, *, scalar: Scalar = 0.0, begin: OptInts, end: OptInts, step: OptInts = ()
) -> Tensor:
    """_slice_assign_scalar(data, scalar=0, begin, end, step=())

    `data` with every element of ``data[begin:end:step]`` replaced by a number.
    """
    ranges = _ranges(data, begin, end, step)
    dims = (*map(_length, ranges), *data.dims[len(ranges) :])
    return _assign(g, data, g.expand(number(g, scalar, data.dt), dims), ranges, 0)
