"""Sorting, and the k largest elements."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import onnx_ir as ir

from ..builder import Builder, Tensor
from ..dims import DimLike, prod
from ..errors import ShapeError
from ..shapes import TypeContext
from ._axes import axis_of
from .registry import operator
from .schema import DType

__all__: list[str] = []

_FLOAT32 = DType("float32")


def _top(g: Builder, x: Tensor, axis: int, k: DimLike, ascending: bool) -> tuple[Tensor, Tensor]:
    """The first `k` elements along `axis` in order, and their positions; of equals the first comes first."""
    dims = (*x.dims[:axis], k, *x.dims[axis + 1 :])
    attributes = [
        ir.AttrInt64("axis", axis),
        ir.AttrInt64("largest", int(not ascending)),
        ir.AttrInt64("sorted", 1),
    ]
    values, places = g.emit("TopK", "", [x, g.dim(k)], attributes, [(x.dt, dims), (np.dtype(np.int64), dims)])
    return values, places


def _along(g: Builder, data: Tensor, axis: int | None) -> tuple[Tensor, int]:
    """`data` and the axis to sort, or its flat form where no axis is given."""
    if axis is None:
        return g.reshape(data, (prod(data.dims),)), 0
    return data, axis_of(axis, data.ndim)


@operator("sort", outputs=2, visible=1)
def sort(g: Builder, data: Tensor, *, axis: int | None = -1, is_ascend: bool = True) -> tuple[Tensor, Tensor]:
    """sort(data, axis=-1, is_ascend=True)

    The elements in order along `axis`, or of the flat array. (The second output, which is not visible, has
    their positions.)
    """
    x, a = _along(g, data, axis)
    values, places = _top(g, x, a, x.dims[a], is_ascend)
    return values, places


@sort.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["data", 0])
    t.set(1, np.int64)


@operator("argsort", differentiable=False)
def argsort(
    g: Builder, data: Tensor, *, axis: int | None = -1, is_ascend: bool = True, dtype: DType = _FLOAT32
) -> Tensor:
    """argsort(data, axis=-1, is_ascend=True, dtype="float32")

    The positions that would sort `data` along `axis`, or the flat array; those of equal elements in their
    order.
    """
    x, a = _along(g, data, axis)
    return g.cast(_top(g, x, a, x.dims[a], is_ascend)[1], dtype)


@argsort.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set(0, a.dtype)


def _outputs(a: Any) -> int:
    return 1 if a.ret_typ in ("indices", "mask") else 2


@operator("topk", outputs=_outputs, visible=lambda a: 2 if a.ret_typ == "both" else 1)
def topk(
    g: Builder,
    data: Tensor,
    *,
    axis: int | None = -1,
    k: int = 1,
    ret_typ: Literal["both", "indices", "mask", "value"] = "indices",
    is_ascend: bool = False,
    dtype: DType = _FLOAT32,
) -> Tensor | tuple[Tensor, Tensor]:
    """topk(data, axis=-1, k=1, ret_typ="indices", is_ascend=False, dtype="float32")

    The `k` largest (or, with `is_ascend`, smallest) elements along `axis`, or of the flat array, in order:
    their values, their positions (as `dtype`), both, or a mask of ones in their places. All elements where
    `k` is below 1.
    """
    x, a = _along(g, data, axis)
    size = x.dims[a]
    if k > 0 and k > size:
        raise ShapeError(f"parameter 'k': expected at most {size}, the length of axis {a}, got {k}")
    values, places = _top(g, x, a, k if k > 0 else size, is_ascend)
    if ret_typ == "mask":
        zeros, ones = g.fill(x.dims, 0, x.dt), g.fill(places.dims, 1, x.dt)
        return g.reshape(g.op("ScatterElements", zeros, places, ones, axis=a), data.dims)
    if ret_typ == "indices":
        return g.cast(places, dtype)
    return values, g.cast(places, dtype)


@topk.infer_type
def _(t: TypeContext, a: Any) -> None:
    if a.ret_typ == "indices":
        t.set(0, a.dtype)
    else:
        t.unify_all(["data", 0])
        if a.ret_typ != "mask":
            t.set(1, a.dtype)
