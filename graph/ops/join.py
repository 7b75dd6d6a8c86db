"""Operators that join arrays, and that split one."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from ..builder import Builder, Tensor
from ..dims import DimLike, PartialShape
from ..errors import ShapeError, TypeInferenceError
from ..onnx_infer import TypeAndShape
from ..shapes import ShapeContext, unify
from ._axes import axis_of, quotient, same_shape
from .registry import operator, same_type
from .schema import Ints

__all__ = ["joined"]

Array = np.ndarray[Any, Any]


def joined(g: Builder, data: tuple[Tensor, ...], axis: int) -> Tensor:
    """Tensors one behind the other along `axis`.

    Raises
    ------
    ShapeError, TypeInferenceError : they differ in another axis, or in element type.
    """
    if not data:
        raise ShapeError("expected at least one array")
    axis = axis_of(axis, data[0].ndim, "dim")
    if not same_shape([x.dims for x in data], but=axis):
        shapes = ", ".join(str(x.dims) for x in data)
        raise ShapeError(f"shapes must agree in all axes but {axis}, got {shapes}")
    if any(x.dt != data[0].dt for x in data):
        raise TypeInferenceError(f"expected one element type, got {', '.join(x.dt.name for x in data)}")
    if len(data) == 1:
        return data[0]
    total: DimLike = 0
    for x in data:
        total = total + x.dims[axis]
    dims = (*data[0].dims[:axis], total, *data[0].dims[axis + 1 :])
    return g.with_dims("Concat", dims, *data, axis=axis)


@operator("Concat", "concat", "_sparse_concat", num_args="num_args")
def concat(g: Builder, *data: Tensor, num_args: int, dim: int = 1) -> Tensor:
    """Concat(*data, dim=1)

    Arrays one behind the other along axis `dim`; all other axes must agree.
    """
    return joined(g, data, dim)


@operator("_rnn_param_concat", num_args="num_args")
def rnn_param_concat(g: Builder, *data: Tensor, num_args: int, dim: int = 1) -> Tensor:
    """_rnn_param_concat(*data, dim=1)

    `Concat` for the parameters of a recurrent layer.
    """
    return joined(g, data, dim)


@concat.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    _joined_shapes(s, a, 1)


@rnn_param_concat.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    _joined_shapes(s, a, 2)


def _joined_shapes(s: ShapeContext, a: Any, most: int) -> None:
    """Shapes of arrays and their concatenation; up to `most` arrays whose length is unknown have the same one."""
    known = [x for x in (*s.inputs, *s.outputs) if x is not None]
    if not known or not -len(known[0]) <= a.dim < len(known[0]):
        return
    rank = len(known[0])
    axis = a.dim % rank
    common = [
        next((x[i] for x in known if len(x) == rank and x[i] is not None), None) if i != axis else None
        for i in range(rank)
    ]
    for name in s.names:
        s.set(name, tuple(common))
    s.set(0, tuple(common))
    lengths = [x[axis] if x is not None else None for x in s.inputs]
    out = s[0]
    whole = out[axis] if out is not None else None
    missing = [name for name, n in zip(s.names, lengths, strict=True) if n is None]
    if whole is not None and 0 < len(missing) <= most:
        rest: DimLike = whole
        for n in lengths:
            rest = rest if n is None else rest - n
        for name in missing:
            s.set(name, (*common[:axis], rest // len(missing), *common[axis + 1 :]))


@concat.numpy
def _(*data: Array, num_args: int, dim: int) -> Array | None:
    n = data[0].ndim
    if not -n <= dim < n or not same_type(data) or not same_shape([x.shape for x in data], but=dim % n):
        return None
    return np.concatenate(data, dim)


@operator("stack", num_args="num_args")
def stack(g: Builder, *data: Tensor, axis: int = 0, num_args: int) -> Tensor:
    """stack(*data, axis=0)

    Arrays of one shape along a new axis.
    """
    if not data:
        raise ShapeError("expected at least one array")
    if not same_shape([x.dims for x in data]):
        raise ShapeError(f"expected one shape, got {', '.join(str(x.dims) for x in data)}")
    a = axis_of(axis, data[0].ndim + 1)
    dims = (*data[0].dims[:a], 1, *data[0].dims[a:])
    return joined(g, tuple(g.reshape(x, dims) for x in data), a)


@stack.numpy
def _(*data: Array, axis: int, num_args: int) -> Array | None:
    n = data[0].ndim
    if not -n - 1 <= axis <= n or not same_type(data) or not same_shape([x.shape for x in data]):
        return None
    return np.stack(data, axis)


def _pieces(g: Builder, data: Tensor, axis: int, ends: list[DimLike], squeeze: bool) -> tuple[Tensor, ...]:
    """`data` cut at `ends`, the last of which is its length; with `squeeze` without the axis."""
    sizes: list[DimLike] = [e - b for b, e in zip([0, *ends[:-1]], ends, strict=True)]
    if any(isinstance(n, int) and n <= 0 for n in sizes):
        raise ShapeError(f"the pieces of axis {axis} (length {data.dims[axis]}) would have lengths {sizes}")
    shapes = [(*data.dims[:axis], n, *data.dims[axis + 1 :]) for n in sizes]
    if len(ends) == 1:
        parts: tuple[Tensor, ...] = (data,)
    else:
        types: list[TypeAndShape] = [(data.dt, s) for s in shapes]
        parts = g.emit("Split", "", [data, g.shape_tensor(sizes)], [ir.AttrInt64("axis", axis)], types)
    if not squeeze:
        return parts
    if any(n != 1 for n in sizes):
        raise ShapeError(f"parameter 'squeeze_axis': pieces must have length 1, got {sizes}")
    return tuple(
        g.reshape(p, (*s[:axis], *s[axis + 1 :]) or (1,)) for p, s in zip(parts, shapes, strict=True)
    )


@operator("SliceChannel", "split", outputs=lambda a: a.num_outputs)
def slice_channel(
    g: Builder, data: Tensor, *, num_outputs: int, axis: int = 1, squeeze_axis: bool = False
) -> tuple[Tensor, ...]:
    """SliceChannel(data, num_outputs, axis=1, squeeze_axis=False)

    `num_outputs` equal pieces along `axis`; with `squeeze_axis`, which needs pieces of length 1, without it.
    """
    a = axis_of(axis, data.ndim)
    if num_outputs < 1:
        raise ShapeError(f"parameter 'num_outputs': expected a positive number, got {num_outputs}")
    size = quotient(data.dims[a], num_outputs, f"axis {a} (for num_outputs)")
    return _pieces(g, data, a, [size * (i + 1) for i in range(num_outputs)], squeeze_axis)


@slice_channel.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    data = s["data"]
    part: PartialShape = None
    for i in range(a.num_outputs):
        part = unify(s[i], part, f"{s.where}, output {i}")
    rank = len(data) if data is not None else None if part is None else len(part) + a.squeeze_axis
    if rank is None or not -rank <= a.axis < rank or (a.squeeze_axis and rank == 1):
        return
    k = a.axis % rank
    if part is not None:
        length = 1 if a.squeeze_axis else part[k]
        after = part[k:] if a.squeeze_axis else part[k + 1 :]
        s.set("data", (*part[:k], None if length is None else length * a.num_outputs, *after))
    data = s["data"]
    if data is not None and a.squeeze_axis and data[k] in (None, a.num_outputs):
        for i in range(a.num_outputs):
            s.set(i, (*data[:k], *data[k + 1 :]))


def _sections(a: Any) -> int:
    return int(a.sections) if a.sections > 0 else len(a.indices)


@operator("_split_v2", outputs=_sections)
def split_v2(
    g: Builder, data: Tensor, *, indices: Ints, axis: int = 1, squeeze_axis: bool = False, sections: int = 0
) -> tuple[Tensor, ...]:
    """_split_v2(data, indices, axis=1, squeeze_axis=False, sections=0)

    Pieces along `axis`: `sections` equal ones, or those that begin at `indices` (the first is 0).
    """
    a = axis_of(axis, data.ndim)
    size = data.dims[a]
    if sections > 0:
        part = quotient(size, sections, f"axis {a} (for sections)")
        return _pieces(g, data, a, [part * (i + 1) for i in range(sections)], squeeze_axis)
    if not indices or indices[0] != 0:
        raise ShapeError(f"parameter 'indices': expected numbers that begin with 0, got {indices}")
    return _pieces(g, data, a, [*indices[1:], size], squeeze_axis)
