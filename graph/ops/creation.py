"""Operators that make arrays from nothing, or from the shape of one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike, prod
from ..errors import ShapeError
from ..shapes import TypeContext
from ._axes import axis_of, positions
from .registry import operator
from .schema import DType, Ints

__all__: list[str] = []

_FLOAT32 = DType("float32")


@operator("_zeros", differentiable=False, free_shape=True)
def zeros(g: Builder, *, shape: Ints = (), ctx: str = "", dtype: DType = _FLOAT32) -> Tensor:
    """_zeros(shape=(), ctx='', dtype='float32')

    Zeros.
    """
    return g.fill(shape, 0, dtype)


@operator("_ones", differentiable=False, free_shape=True)
def ones(g: Builder, *, shape: Ints = (), ctx: str = "", dtype: DType = _FLOAT32) -> Tensor:
    """_ones(shape=(), ctx='', dtype='float32')

    Ones.
    """
    return g.fill(shape, 1, dtype)


@operator("_full", differentiable=False, free_shape=True)
def full(
    g: Builder, *, shape: Ints | None = None, ctx: str = "", dtype: DType = _FLOAT32, value: float
) -> Tensor:
    """_full(shape=None, ctx='', dtype='float32', value)

    Every element is `value`.
    """
    return g.fill(shape or (), np.float64(value).astype(dtype), dtype)


@operator("_eye", differentiable=False)
def eye(g: Builder, *, N: int, M: int = 0, k: int = 0, ctx: str = "", dtype: DType = _FLOAT32) -> Tensor:
    """_eye(N, M=0, k=0, ctx='', dtype='float32')

    A matrix of N rows and M columns (0: N) with ones on its diagonal number `k` (above the main one if positive).
    """
    rows, columns = np.arange(N, dtype=np.int64)[:, None], np.arange(M or N, dtype=np.int64)[None]
    return g.cast(g.op("Equal", g.const(rows + k), g.const(columns)), dtype)


def sequence(start: float, stop: float | None, step: float, repeat: int, dtype: str) -> np.ndarray[Any, Any]:
    """``start, start + step, ...`` before `stop`, each `repeat` times, computed in the element type as MXNet does."""
    first, end = (0.0, start) if stop is None else (start, stop)
    if step == 0 or repeat < 1:
        raise ShapeError(
            f"parameters 'step' and 'repeat': expected step != 0 and repeat > 0, got {step} and {repeat}"
        )
    count = max(math.ceil((end - first) / step), 0)
    dt = np.dtype(dtype)
    with np.errstate(all="ignore"):  # what an integer type cannot hold wraps around
        numbers = np.arange(count).astype(dt) * np.float64(step).astype(dt) + np.float64(first).astype(dt)
        return np.repeat(numbers.astype(dt), repeat)


@operator("_arange", differentiable=False)
def arange(
    g: Builder,
    *,
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool = False,
    ctx: str = "",
    dtype: DType = _FLOAT32,
) -> Tensor:
    """_arange(start, stop=None, step=1.0, repeat=1, infer_range=False, ctx='', dtype='float32')

    Numbers from `start` up to and without `stop` in steps, each `repeat` times; from 0 to `start` without `stop`.
    """
    if infer_range:
        raise ShapeError(
            "parameter 'infer_range': a range whose end follows from how it is used is not supported"
        )
    return g.op("Identity", g.const(sequence(start, stop, step, repeat, dtype)))


@operator("_linspace", differentiable=False)
def linspace(
    g: Builder,
    *,
    start: float,
    stop: float | None = None,
    num: int,
    endpoint: bool = True,
    ctx: str = "",
    dtype: DType = _FLOAT32,
) -> Tensor:
    """_linspace(start, stop=None, num, endpoint=True, ctx='', dtype='float32')

    `num` numbers at equal distances from `start` to `stop`, which is among them if `endpoint`.
    """
    if stop is None:
        raise ShapeError("parameter 'stop': expected a number")
    return g.op("Identity", g.const(np.linspace(start, stop, num, endpoint=endpoint).astype(dtype)))


for _op in (zeros, ones, full, eye, arange, linspace):
    _op.infer_type(lambda t, a: t.set(0, a.dtype))


@operator("_contrib_arange_like", differentiable=False)
def arange_like(
    g: Builder,
    data: Tensor,
    *,
    start: float = 0.0,
    step: float = 1.0,
    repeat: int = 1,
    ctx: str = "",
    axis: int | None = None,
) -> Tensor:
    """_contrib_arange_like(data, start=0.0, step=1.0, repeat=1, ctx='', axis=None)

    ``start, start + step, ...``, each `repeat` times, in the shape of `data` or along one `axis` of it.
    """
    dims: tuple[DimLike, ...] = data.dims if axis is None else (data.dims[axis_of(axis, data.ndim)],)
    if repeat < 1:
        raise ShapeError(f"parameter 'repeat': expected a positive number, got {repeat}")
    place = positions(g, prod(dims))
    if repeat > 1:
        place = g.op("Div", place, g.const(repeat, np.int64))
    return g.reshape(g.cast(place, data.dt) * step + start, dims)


@arange_like.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["data", 0])
