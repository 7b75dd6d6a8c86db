"""Softmax and its relatives."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..builder import Builder, Tensor
from ..errors import ShapeError
from ..ranges import numbers
from ..shapes import ShapeContext, TypeContext
from .registry import operator

__all__: list[str] = []

_Float = Literal["float16", "float32", "float64"]


def _scaled(g: Builder, data: Tensor, temperature: float | None, dtype: str | None) -> Tensor:
    """The data as the result's type, divided by the temperature."""
    x = g.cast(data, dtype) if dtype is not None else data
    return x if temperature is None or temperature == 1.0 else x / temperature


def _result_type(t: TypeContext, a: Any) -> None:
    if a.dtype is not None:
        t.set(0, a.dtype)
    else:
        t.unify_all(["data", 0])


@operator("softmax", present=lambda a: ["data", "length"] if a.use_length else ["data"])
def softmax(
    g: Builder,
    data: Tensor,
    length: Tensor | None = None,
    *,
    axis: int = -1,
    temperature: float | None = None,
    dtype: _Float | None = None,
    use_length: bool | None = False,
) -> Tensor:
    """softmax(data, length=None, axis=-1, temperature=None, dtype=None, use_length=False)

    ``exp(x / temperature)`` divided by its sum along `axis`. With `use_length`, only the first `length` elements along
    the axis take part and the others are zero; `length` has the shape of `data` without the axis.
    """
    x = _scaled(g, data, temperature, dtype)
    if length is None:
        return g.op("Softmax", x, axis=axis)
    axis %= x.ndim
    valid = _within(g, x, length, axis)
    y = g.op("Softmax", g.op("Where", valid, x, g.const(np.finfo(x.dt).min, x.dt)), axis=axis)
    return g.op("Where", valid, y, g.const(0, x.dt))


def _within(g: Builder, x: Tensor, length: Tensor, axis: int) -> Tensor:
    """Which elements lie before the length of their row along `axis`."""
    rest = (*x.dims[:axis], *x.dims[axis + 1 :])
    if length.dims != rest and not (length.ndim == 1 and rest in ((), (1,))):
        raise ShapeError(f"argument 'length': expected shape {rest}, got {length.dims}")
    place = g.reshape(numbers(g, x.dims[axis]), (x.dims[axis], *(1,) * (x.ndim - axis - 1)))
    limit = g.reshape(g.cast(length, np.int64), (*x.dims[:axis], 1, *x.dims[axis + 1 :]))
    return g.op("Less", place, limit)


@softmax.infer_type
def _(t: TypeContext, a: Any) -> None:
    _result_type(t, a)


@softmax.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    s.set("data", s[0])
    s.set(0, s["data"])
    data = s["data"]
    if data is not None and "length" in s:
        axis = a.axis % len(data)
        s.set("length", (*data[:axis], *data[axis + 1 :]))


def _unary_shape(s: ShapeContext, a: Any) -> None:
    s.unify_all()


@operator("log_softmax")
def log_softmax(
    g: Builder,
    data: Tensor,
    *,
    axis: int = -1,
    temperature: float | None = None,
    dtype: _Float | None = None,
    use_length: bool | None = False,
) -> Tensor:
    """log_softmax(data, axis=-1, temperature=None, dtype=None, use_length=False)

    The logarithm of softmax, computed without overflow. `use_length` has no effect, as in MXNet.
    """
    return g.op("LogSoftmax", _scaled(g, data, temperature, dtype), axis=axis)


@operator("softmin")
def softmin(
    g: Builder,
    data: Tensor,
    *,
    axis: int = -1,
    temperature: float | None = None,
    dtype: _Float | None = None,
    use_length: bool | None = False,
) -> Tensor:
    """softmin(data, axis=-1, temperature=None, dtype=None, use_length=False)

    softmax of ``-data``. `use_length` has no effect, as in MXNet.
    """
    return g.op("Softmax", -_scaled(g, data, temperature, dtype), axis=axis)


for _op in (log_softmax, softmin):
    _op.infer_shape(_unary_shape)
    _op.infer_type(_result_type)


@operator("SoftmaxActivation", elementwise=True)
def softmax_activation(
    g: Builder, data: Tensor, *, mode: Literal["channel", "instance"] = "instance"
) -> Tensor:
    """SoftmaxActivation(data, mode='instance')

    softmax over axis 1 (``channel``) or over the last axis (``instance``).
    """
    return g.op("Softmax", data, axis=1 if mode == "channel" else -1)
