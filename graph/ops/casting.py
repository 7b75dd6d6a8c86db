"""Operators that change the element type."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..errors import ShapeError
from ..shapes import TypeContext
from ._numeric import Array
from .registry import operator
from .schema import DType

__all__: list[str] = []


def _cast(g: Builder, x: Tensor, dtype: str) -> Tensor:
    dt = np.dtype(dtype)
    return g.op("Identity", x) if x.dt == dt else g.cast(x, dt)


@operator("Cast", "cast", elementwise=True)
def cast(g: Builder, data: Tensor, *, dtype: DType) -> Tensor:
    """Cast(data, dtype)

    `data` as element type `dtype`. Fractions are cut off for integers.
    """
    return _cast(g, data, dtype)


@operator("amp_cast", elementwise=True)
def amp_cast(g: Builder, data: Tensor, *, dtype: DType) -> Tensor:
    """amp_cast(data, dtype)

    `data` as element type `dtype` if it is floating-point, else unchanged: automatic mixed precision inserts it.
    """
    return _cast(g, data, dtype) if data.dt.kind == "f" else g.op("Identity", data)


@cast.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set(0, a.dtype)


@amp_cast.infer_type
def _(t: TypeContext, a: Any) -> None:
    data = t["data"]
    if data is not None:
        t.set(0, a.dtype if data.kind == "f" else data)


@cast.numpy
def _(data: Array, dtype: str) -> Array | None:
    dt = np.dtype(dtype)
    return data.astype(dt) if data.dtype.kind != "f" or dt.kind == "f" else None


@operator("amp_multicast", outputs=lambda a: a.num_outputs, num_args="num_outputs")
def amp_multicast(g: Builder, *data: Tensor, num_outputs: int, cast_narrow: bool = False) -> tuple[Tensor, ...]:
    """amp_multicast(*data, num_outputs, cast_narrow=False)

    Several arrays as the widest element type among them, or with `cast_narrow` as the narrowest.
    """
    if len(data) != num_outputs:
        raise ShapeError(f"parameter 'num_outputs': expected the number of arrays, {len(data)}, got {num_outputs}")
    choose = min if cast_narrow else max
    dt = choose((x.dt for x in data), key=lambda t: t.itemsize)
    return tuple(_cast(g, x, dt.name) for x in data)


@amp_multicast.infer_type
def _(t: TypeContext, a: Any) -> None:
    known = [t[n] for n in t.names]
    if all(known):
        choose = min if a.cast_narrow else max
        dt = choose((k for k in known if k is not None), key=lambda k: k.itemsize)
        for i in range(len(t.outputs)):
            t.set(i, dt)
