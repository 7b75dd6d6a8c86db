"""Operators that read or write elements at given positions."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike, prod
from ..errors import ShapeError
from ..shapes import ShapeContext, TypeContext
from ._axes import axes_of, axis_of, clipped, integers, positions, wrapped
from .registry import operator
from .schema import DType, Ints

__all__ = ["rows_at"]

Array = np.ndarray[Any, Any]
_FLOAT32 = DType("float32")


def _inside(g: Builder, indices: Tensor, size: DimLike, mode: str) -> Tensor:
    """Positions in ``[0, size)``; in mode "raise" those outside become ones that Gather refuses."""
    places = integers(g, indices)
    if mode == "clip":
        return clipped(g, places, size)
    if mode == "wrap":
        return wrapped(g, places, size)
    return g.op("Where", g.op("Less", places, 0), g.dim(size), places)


@operator("take")
def take(
    g: Builder, a: Tensor, indices: Tensor, *, axis: int = 0, mode: Literal["clip", "raise", "wrap"] = "clip"
) -> Tensor:
    """take(a, indices, axis=0, mode="clip")

    The parts of `a` at `indices` along `axis`, whose place the axes of `indices` take. Positions outside are
    moved to the nearest one ("clip"), counted modulo the length ("wrap") or an error ("raise"). Fractions are
    cut off.
    """
    k = axis_of(axis, a.ndim)
    return g.op("Gather", a, _inside(g, indices, a.dims[k], mode), axis=k)


@take.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["a", 0])


@take.numpy
def _(a: Array, indices: Array, axis: int, mode: str) -> Array | None:
    if not -a.ndim <= axis < a.ndim or mode == "raise" or not a.size or not indices.size:
        return None
    return np.take(a, indices.astype(np.int64), axis, mode="wrap" if mode == "wrap" else "clip")


@operator("batch_take")
def batch_take(g: Builder, a: Tensor, indices: Tensor) -> Tensor:
    """batch_take(a, indices)

    ``a[i, indices[i]]`` of a matrix; positions outside are moved to the nearest one.
    """
    places = clipped(g, integers(g, indices), a.dims[-1])
    rows = g.reshape(a, (prod(a.dims[:-1]), a.dims[-1]))
    if prod(indices.dims) != rows.dims[0]:
        raise ShapeError(f"argument 'indices': expected {rows.dims[0]} positions, got shape {indices.dims}")
    return g.reshape(g.op("GatherElements", rows, g.reshape(places, (rows.dims[0], 1)), axis=1), indices.dims)


@batch_take.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set("indices", np.int32)
    t.unify_all(["a", 0])


@operator("pick", "choose_element_0index")
def pick(
    g: Builder,
    data: Tensor,
    index: Tensor,
    *,
    axis: int | None = -1,
    keepdims: bool = False,
    mode: Literal["clip", "wrap"] = "clip",
) -> Tensor:
    """pick(data, index, axis=-1, keepdims=False, mode="clip")

    One element along `axis` for every position of the other axes. `index` has the shape of `data` without
    `axis`, or with it as length 1.
    """
    if axis is None:
        raise ShapeError("parameter 'axis': expected an axis, got None")
    k = axis_of(axis, data.ndim)
    kept = (*data.dims[:k], 1, *data.dims[k + 1 :])
    flat = (*data.dims[:k], *data.dims[k + 1 :])
    if index.dims not in (kept, flat) and not (data.ndim == 1 and index.dims == (1,)):
        raise ShapeError(f"argument 'index': expected shape {flat} or {kept}, got {index.dims}")
    places = g.reshape(_inside(g, index, data.dims[k], mode), kept)
    picked = g.op("GatherElements", data, places, axis=k)
    return picked if keepdims else g.reshape(picked, flat or (1,))


@pick.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["data", 0])


@pick.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    data, index = s["data"], s["index"]
    if data is None or a.axis is None or not -len(data) <= a.axis < len(data):
        return
    k = a.axis % len(data)
    keep = index is not None and len(index) == len(data) and len(data) > 1
    s.set("index", (*data[:k], *((1,) if keep else ()), *data[k + 1 :]) or (1,))
    others = s["index"]
    assert others is not None
    if len(data) > 1:
        rest = (*others[:k], *others[k + 1 :]) if keep else others
        s.set("data", (*rest[:k], data[k], *rest[k:]))
        s.set(0, (*rest[:k], *((1,) if a.keepdims else ()), *rest[k:]))


@pick.numpy
def _(data: Array, index: Array, axis: int | None, keepdims: bool, mode: str) -> Array | None:
    if axis is None or not -data.ndim <= axis < data.ndim:
        return None
    n, k = data.shape[axis], axis % data.ndim
    kept = (*data.shape[:k], 1, *data.shape[k + 1 :])
    if index.shape not in (kept, (*data.shape[:k], *data.shape[k + 1 :])) or not n:
        return None
    places = index.astype(np.int64).reshape(kept)
    picked = np.take_along_axis(data, places % n if mode == "wrap" else places.clip(0, n - 1), k)
    return picked if keepdims else picked.reshape((*data.shape[:k], *data.shape[k + 1 :]) or (1,))


@operator("one_hot", differentiable=False)
def one_hot(
    g: Builder,
    indices: Tensor,
    *,
    depth: int,
    on_value: float = 1.0,
    off_value: float = 0.0,
    dtype: DType = _FLOAT32,
) -> Tensor:
    """one_hot(indices, depth, on_value=1.0, off_value=0.0, dtype="float32")

    A new last axis of length `depth`: `on_value` where its position is the index, else `off_value`. An index
    outside gives `off_value` everywhere.
    """
    hit = g.op("Equal", g.unsqueeze(integers(g, indices), indices.ndim), positions(g, depth))
    if (on_value, off_value) == (1.0, 0.0):
        return g.cast(hit, dtype)
    on, off = (g.const(np.asarray(v).astype(dtype)) for v in (on_value, off_value))
    return g.op("Where", hit, on, off)


@one_hot.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set(0, a.dtype)


@one_hot.numpy
def _(indices: Array, depth: int, on_value: float, off_value: float, dtype: str) -> Array | None:
    if dtype == "bfloat16" or depth < 1:
        return None
    hit = indices.astype(np.int64)[..., None] == np.arange(depth)
    return np.where(hit, np.asarray(on_value).astype(dtype), np.asarray(off_value).astype(dtype))


def _points(g: Builder, indices: Tensor, ndim: int) -> Tensor:
    """Indices whose first axis runs over the axes indexed, as ONNX wants them: that axis last."""
    count = indices.dims[0]
    if indices.ndim < 2 or not isinstance(count, int) or count > ndim:
        raise ShapeError(f"argument 'indices': expected shape (at most {ndim}, n, ...), got {indices.dims}")
    return g.transpose(integers(g, indices), [*range(1, indices.ndim), 0])


@operator("gather_nd")
def gather_nd(g: Builder, data: Tensor, indices: Tensor) -> Tensor:
    """gather_nd(data, indices)

    ``data[indices[0], indices[1], ...]``: the first axis of `indices` runs over the leading axes of `data`.
    """
    return g.op("GatherND", data, _points(g, indices, data.ndim))


@operator("scatter_nd")
def scatter_nd(g: Builder, data: Tensor, indices: Tensor, *, shape: Ints) -> Tensor:
    """scatter_nd(data, indices, shape)

    Zeros of `shape` with ``result[indices[0], indices[1], ...] = data``. Which of several values for one
    place stays is not defined.
    """
    return _written(g, g.fill(shape, 0, data.dt), data, indices)


@operator("_scatter_set_nd")
def scatter_set_nd(g: Builder, lhs: Tensor, rhs: Tensor, indices: Tensor, *, shape: Ints) -> Tensor:
    """_scatter_set_nd(lhs, rhs, indices, shape)

    `lhs`, of `shape`, with ``lhs[indices[0], indices[1], ...]`` replaced by `rhs`.
    """
    if lhs.dims != shape:
        raise ShapeError(f"argument 'lhs': expected shape {shape}, got {lhs.dims}")
    return _written(g, lhs, rhs, indices)


def _written(g: Builder, base: Tensor, data: Tensor, indices: Tensor) -> Tensor:
    points = _points(g, indices, base.ndim)
    depth = points.dims[-1]
    assert isinstance(depth, int)
    dims = (*indices.dims[1:], *base.dims[depth:])
    if data.dims != dims:
        raise ShapeError(
            f"values at 'indices' of shape {indices.dims}: expected shape {dims}, got {data.dims}"
        )
    return g.with_dims("ScatterND", base.dims, base, points, data)


@gather_nd.infer_type
@scatter_nd.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["data", 0])


@scatter_set_nd.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["lhs", "rhs", 0])


def rows_at(g: Builder, index: Tensor) -> Tensor:
    """A vector of positions as the index matrix of GatherND and ScatterND."""
    return g.reshape(integers(g, index), (prod(index.dims), 1))


@operator("_contrib_index_copy")
def index_copy(g: Builder, old_tensor: Tensor, index_vector: Tensor, new_tensor: Tensor) -> Tensor:
    """_contrib_index_copy(old_tensor, index_vector, new_tensor)

    `old_tensor` with its rows ``index_vector[i]`` replaced by the rows i of `new_tensor`.
    """
    expected = (prod(index_vector.dims), *old_tensor.dims[1:])
    if new_tensor.dims != expected:
        raise ShapeError(f"argument 'new_tensor': expected shape {expected}, got {new_tensor.dims}")
    return g.with_dims("ScatterND", old_tensor.dims, old_tensor, rows_at(g, index_vector), new_tensor)


@index_copy.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["old_tensor", "new_tensor", 0])


@operator("fill_element_0index", differentiable=False)
def fill_element_0index(g: Builder, lhs: Tensor, mhs: Tensor, rhs: Tensor) -> Tensor:
    """fill_element_0index(lhs, mhs, rhs)

    The matrix `lhs` with ``lhs[i, rhs[i]] = mhs[i]``.
    """
    if lhs.ndim != 2 or mhs.dims != lhs.dims[:1] or rhs.dims != lhs.dims[:1]:
        shapes = f"{lhs.dims}, {mhs.dims}, {rhs.dims}"
        raise ShapeError(f"expected a matrix and two vectors with its number of rows, got {shapes}")
    column = (lhs.dims[0], 1)
    return g.op("ScatterElements", lhs, g.reshape(integers(g, rhs), column), g.reshape(mhs, column), axis=1)


@fill_element_0index.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["lhs", "mhs", 0])


@operator("_contrib_boolean_mask")
def boolean_mask(g: Builder, data: Tensor, index: Tensor, *, axis: int = 0) -> Tensor:
    """_contrib_boolean_mask(data, index, axis=0)

    The parts of `data` along `axis` where `index` is not 0. The result's length is known at run time only.
    """
    k = axis_of(axis, data.ndim)
    if index.ndim != 1 or index.dims[0] != data.dims[k]:
        raise ShapeError(f"argument 'index': expected shape ({data.dims[k]},), got {index.dims}")
    return g.op("Compress", data, g.cast(index, bool), axis=k)


@boolean_mask.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["data", 0])


@operator("_contrib_index_array", differentiable=False)
def index_array(g: Builder, data: Tensor, *, axes: Ints | None = None) -> Tensor:
    """_contrib_index_array(data, axes=None)

    The position of every element, as int64 along a new last axis; of the axes named, or all.
    """
    wanted = range(data.ndim) if axes is None else axes_of(axes, data.ndim, "axes")
    parts = []
    for a in wanted:
        row = g.reshape(positions(g, data.dims[a]), [n if i == a else 1 for i, n in enumerate(data.dims)])
        parts.append(g.unsqueeze(g.expand(row, data.dims), data.ndim))
    return parts[0] if len(parts) == 1 else g.op("Concat", *parts, axis=data.ndim)


@index_array.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set(0, np.int64)


def _sizes(shape: Ints | None) -> list[int]:
    if not shape or any(n <= 0 for n in shape[1:]):
        raise ShapeError(f"parameter 'shape': expected lengths (the first may be -1), got {shape}")
    return list(shape)


@operator("_ravel_multi_index", "ravel_multi_index", differentiable=False)
def ravel_multi_index(g: Builder, data: Tensor, *, shape: Ints | None = None) -> Tensor:
    """_ravel_multi_index(data, shape=None)

    Positions in the flat array for those in an array of `shape`, whose axes run along axis 0 of `data`.
    """
    sizes = _sizes(shape)
    if data.ndim != 2 or data.dims[0] != len(sizes):
        raise ShapeError(f"argument 'data': expected shape ({len(sizes)}, n), got {data.dims}")
    strides = np.cumprod([1, *sizes[:0:-1]])[::-1].astype(np.int64)
    places = g.op("MatMul", g.const(strides.reshape(1, -1)), integers(g, data))
    return g.cast(g.reshape(places, data.dims[1:]), data.dt)


@operator("_unravel_index", "unravel_index", differentiable=False)
def unravel_index(g: Builder, data: Tensor, *, shape: Ints | None = None) -> Tensor:
    """_unravel_index(data, shape=None)

    Positions in an array of `shape`, along a new axis 0, for those in the flat array.
    """
    sizes = _sizes(shape)
    rest, parts = integers(g, data), []
    for n in sizes[:0:-1]:
        parts.append(g.op("Mod", rest, n))
        rest = rest / n
    parts.append(rest)
    return g.cast(g.op("Concat", *(g.unsqueeze(p, 0) for p in parts[::-1]), axis=0), data.dt)
