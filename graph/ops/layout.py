"""Operators that change the order or number of axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..dims import prod
from ..errors import NeedsStaticShape, ShapeError
from ..shapes import ShapeContext
from ._axes import axes_of, axis_of, quotient
from .registry import operator
from .schema import Ints

__all__: list[str] = []

Array = np.ndarray[Any, Any]


@operator("transpose")
def transpose(g: Builder, data: Tensor, *, axes: Ints = ()) -> Tensor:
    """transpose(data, axes=())

    The axes of `data` in another order; reversed without `axes`.
    """
    if not axes:
        return g.transpose(data, range(data.ndim)[::-1])
    if len(axes) != data.ndim:
        raise ShapeError(f"parameter 'axes': expected {data.ndim} axes, got {axes}")
    return g.transpose(data, axes_of(axes, data.ndim, "axes"))


@transpose.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    data, out = s["data"], s[0]
    rank = len(data) if data is not None else len(out) if out is not None else 0
    perm = list(a.axes) or list(range(rank))[::-1]
    if sorted(perm) != list(range(rank)):
        return
    if data is not None:
        s.set(0, tuple(data[p] for p in perm))
    if out is not None:
        s.set("data", tuple(out[perm.index(i)] for i in range(rank)))


@transpose.numpy
def _(data: Array, axes: Ints) -> Array | None:
    if axes and sorted(axes) != list(range(data.ndim)):
        return None
    return np.array(data.transpose(axes or None), order="C")


@operator("SwapAxis", "swapaxes")
def swap_axis(g: Builder, data: Tensor, *, dim1: int = 0, dim2: int = 0) -> Tensor:
    """SwapAxis(data, dim1=0, dim2=0)

    Two axes exchanged.
    """
    a, b = axis_of(dim1, data.ndim, "dim1"), axis_of(dim2, data.ndim, "dim2")
    perm = list(range(data.ndim))
    perm[a], perm[b] = b, a
    return g.transpose(data, perm)


@operator("expand_dims")
def expand_dims(g: Builder, data: Tensor, *, axis: int) -> Tensor:
    """expand_dims(data, axis)

    A new axis of length 1 at place `axis` of the result.
    """
    a = axis_of(axis, data.ndim + 1)
    return g.reshape(data, (*data.dims[:a], 1, *data.dims[a:]))


@expand_dims.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    data, out = s["data"], s[0]
    if out is not None and -len(out) <= a.axis < len(out):
        k = a.axis % len(out)
        s.set("data", (*out[:k], *out[k + 1 :]))
    if data is not None and -len(data) - 1 <= a.axis <= len(data):
        k = a.axis % (len(data) + 1)
        s.set(0, (*data[:k], 1, *data[k:]))


@expand_dims.numpy
def _(data: Array, axis: int) -> Array | None:
    if not -data.ndim - 1 <= axis <= data.ndim:
        return None
    return np.expand_dims(data, axis).copy()


@operator("squeeze")
def squeeze(g: Builder, data: Tensor, *, axis: Ints | None = None) -> Tensor:
    """squeeze(data, axis=None)

    Without the axes of length 1, all or those named. One axis always stays.
    """
    if axis is None:
        drop = [i for i, d in enumerate(data.dims) if d == 1]
    else:
        drop = axes_of(axis, data.ndim)
        for i in drop:
            if data.dims[i] != 1:
                raise ShapeError(f"parameter 'axis': axis {i} has length {data.dims[i]}, not 1")
    return g.reshape(data, [d for i, d in enumerate(data.dims) if i not in drop] or [1])


@squeeze.numpy
def _(data: Array, axis: Ints | None) -> Array | None:
    axes = range(data.ndim) if axis is None else [a % data.ndim for a in axis if -data.ndim <= a < data.ndim]
    if axis is not None and (len(set(axes)) < len(axis) or any(data.shape[a] != 1 for a in axes)):
        return None
    kept = [n for i, n in enumerate(data.shape) if i not in axes or n != 1]
    return data.reshape(kept or [1]).copy()


@operator("reshape_like")
def reshape_like(
    g: Builder,
    lhs: Tensor,
    rhs: Tensor,
    *,
    lhs_begin: int | None = None,
    lhs_end: int | None = None,
    rhs_begin: int | None = None,
    rhs_end: int | None = None,
) -> Tensor:
    """reshape_like(lhs, rhs, lhs_begin=None, lhs_end=None, rhs_begin=None, rhs_end=None)

    `lhs` with its axes ``[lhs_begin, lhs_end)`` in the shape of the axes ``[rhs_begin, rhs_end)`` of `rhs`.
    """
    a, b = _range(lhs_begin, lhs_end, lhs.ndim, "lhs")
    c, d = _range(rhs_begin, rhs_end, rhs.ndim, "rhs")
    if prod(lhs.dims[a:b]) != prod(rhs.dims[c:d]):
        raise ShapeError(f"{lhs.dims[a:b]} of 'lhs' cannot take the shape {rhs.dims[c:d]} of 'rhs'")
    return g.reshape(lhs, (*lhs.dims[:a], *rhs.dims[c:d], *lhs.dims[b:]))


def _range(begin: int | None, end: int | None, ndim: int, name: str) -> tuple[int, int]:
    a, b = 0 if begin is None else begin, ndim if end is None else end
    a, b = a + ndim if a < 0 else a, b + ndim if b < 0 else b
    if not 0 <= a <= b <= ndim:
        given = f"{name}_begin={begin}, {name}_end={end}"
        raise ShapeError(f"{given}: expected 0 <= begin <= end <= {ndim}")
    return a, b


@reshape_like.infer_type
def _(t: Any, a: Any) -> None:
    t.unify_all(["lhs", 0])


@operator("depth_to_space")
def depth_to_space(g: Builder, data: Tensor, *, block_size: int) -> Tensor:
    """depth_to_space(data, block_size)

    Channels as blocks of ``block_size * block_size`` positions: (N, C, H, W) to (N, C / b**2, H * b, W * b).
    """
    b = _block(data, block_size)
    n, c, h, w = data.dims
    rest = quotient(c, b * b, "axis 1 (for block_size**2)")
    split = g.reshape(data, (n, b, b, rest, h, w))
    return g.reshape(g.transpose(split, [0, 3, 4, 1, 5, 2]), (n, rest, h * b, w * b))


@operator("space_to_depth")
def space_to_depth(g: Builder, data: Tensor, *, block_size: int) -> Tensor:
    """space_to_depth(data, block_size)

    Blocks of ``block_size * block_size`` positions as channels: (N, C, H, W) to (N, C * b**2, H / b, W / b).
    """
    b = _block(data, block_size)
    n, c, h, w = data.dims
    rows, columns = quotient(h, b, "axis 2 (for block_size)"), quotient(w, b, "axis 3 (for block_size)")
    split = g.reshape(data, (n, c, rows, b, columns, b))
    return g.reshape(g.transpose(split, [0, 3, 5, 1, 2, 4]), (n, c * (b * b), rows, columns))


def _block(data: Tensor, block_size: int) -> int:
    if data.ndim != 4:
        raise ShapeError(f"argument 'data': expected 4 axes, got shape {data.dims}")
    if block_size < 1:
        raise ShapeError(f"parameter 'block_size': expected a positive number, got {block_size}")
    return block_size


@operator("reverse", "flip")
def reverse(g: Builder, data: Tensor, *, axis: Ints) -> Tensor:
    """reverse(data, axis)

    The elements in reverse order along `axis`.
    """
    axes = axes_of(axis, data.ndim)
    last, before_first = g.ints(*[-1] * len(axes)), g.ints(*[np.iinfo(np.int64).min] * len(axes))
    return g.with_dims("Slice", data.dims, data, last, before_first, g.ints(*axes), last)


@reverse.numpy
def _(data: Array, axis: Ints) -> Array | None:
    if not all(-data.ndim <= a < data.ndim for a in axis) or len({a % data.ndim for a in axis}) < len(axis):
        return None
    return np.array(np.flip(data, axis), order="C")


@operator("shape_array", differentiable=False)
def shape_array(g: Builder, data: Tensor) -> Tensor:
    """shape_array(data)

    The shape of `data` as int64.
    """
    return g.shape_tensor(data.dims)


@operator("size_array", differentiable=False)
def size_array(g: Builder, data: Tensor) -> Tensor:
    """size_array(data)

    The number of elements of `data` as int64, shape (1,).
    """
    return g.dim(prod(data.dims))


@shape_array.infer_type
@size_array.infer_type
def _(t: Any, a: Any) -> None:
    t.set(0, np.int64)


@shape_array.numpy
def _(data: Array) -> Array:
    return np.array(data.shape, np.int64)


@size_array.numpy
def _(data: Array) -> Array:
    return np.array([data.size], np.int64)


@operator("diag")
def diag(g: Builder, data: Tensor, *, k: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """diag(data, k=0, axis1=0, axis2=1)

    A vector as the diagonal `k` of a matrix of zeros; else the diagonals `k` of the matrices along `axis1`
    and `axis2`, as a last axis. `k` counts to the right of the main diagonal.
    """
    if data.ndim == 1:
        return _diagonal_matrix(g, data, k)
    a, b = axes_of((axis1, axis2), data.ndim, "axis1, axis2")
    rest = [i for i in range(data.ndim) if i not in (a, b)]
    x = g.transpose(data, [*rest, a, b])
    h, w = x.dims[-2:]
    if not isinstance(h, int) or not isinstance(w, int):
        raise NeedsStaticShape(f"diag of the symbolic shape {data.dims}")
    row, column = max(-k, 0), max(k, 0)
    count = min(h - row, w - column)
    if count < 1:
        raise ShapeError(f"parameter 'k': a matrix of {h} rows and {w} columns has no diagonal {k}")
    first = row * w + column
    flat = g.reshape(x, (*x.dims[:-2], h * w))
    return g.slice(flat, [flat.ndim - 1], [first], [first + (count - 1) * (w + 1) + 1], [w + 1])


def _diagonal_matrix(g: Builder, data: Tensor, k: int) -> Tensor:
    size = data.dims[0]
    if not isinstance(size, int):
        raise NeedsStaticShape(f"diag of the symbolic shape {data.dims}")
    side = size + abs(k)
    column = g.with_dims("Pad", (side,), data, g.ints(max(-k, 0), max(k, 0)))
    return g.op("Where", g.const(np.eye(side, k=k, dtype=bool)), g.unsqueeze(column, 1), g.const(0, data.dt))
