"""Numbers as bytes and back, with the ranges that they stand for."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..builder import Builder, Tensor
from ..errors import ShapeError, TypeInferenceError
from ..shapes import ShapeContext, TypeContext
from .registry import operator

__all__: list[str] = []

_SINGLE = np.dtype(np.float32)
_Calibrated = tuple[Tensor, Tensor]


def _one(name: str, x: Tensor) -> None:
    if x.dims != (1,):
        raise ShapeError(f"argument {name!r}: expected shape (1,), got {x.dims}")


def _require(data: Tensor, *allowed: str) -> None:
    if data.dt.name not in allowed:
        raise TypeInferenceError(f"argument 'data': expected {' or '.join(allowed)}, got {data.dt.name}")


def _largest(g: Builder, low: Tensor, high: Tensor) -> Tensor:
    return g.op("Max", g.op("Abs", low), g.op("Abs", high))


def _unsigned(g: Builder, data: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, ...]:
    """Bytes from 0 at `low` to 255 at `high`."""
    scale = 255.0 / (high - low)
    placed = g.op("Floor", (data - low) * scale + 0.5)
    byte = g.cast(g.op("Clip", placed, 0.0, 255.0), np.uint8)
    return byte, g.op("Identity", low), g.op("Identity", high)


def _signed(g: Builder, data: Tensor, largest: Tensor, shown: Tensor) -> tuple[Tensor, ...]:
    """Bytes from -127 to 127, 0 at 0: rounded, halves away from it."""
    size = g.op("Floor", g.op("Min", g.op("Abs", data) * (127.0 / largest) + 0.5, 127.0))
    return g.cast(g.op("Sign", data) * size, np.int8), -shown, g.op("Identity", shown)


def _extremes(g: Builder, data: Tensor) -> _Calibrated:
    axes = range(data.ndim)
    return tuple(g.reshape(g.reduce(kind, data, axes), (1,)) for kind in ("Min", "Max"))  # type: ignore[return-value]


def _given(g: Builder, low: float | None, high: float | None) -> _Calibrated | None:
    if low is None or high is None:
        return None
    return g.const([low], np.float32), g.const([high], np.float32)


def _byte_type(out_type: str, low: float | None, high: float | None) -> np.dtype[Any]:
    """The element type of bytes; 'auto' is unsigned where calibration found nothing below zero."""
    if out_type == "auto":
        out_type = "uint8" if low is not None and high is not None and low >= 0 else "int8"
    return np.dtype(out_type)


def _shapes(s: ShapeContext, a: Any) -> None:
    s.set("data", s[0])
    s.set(0, s["data"])
    for name in ("min_range", "max_range"):
        s.set(name, (1,))
    for i in range(1, len(s.outputs)):
        s.set(i, (1,))


@operator("_contrib_quantize", outputs=3, differentiable=False)
def quantize(
    g: Builder,
    data: Tensor,
    min_range: Tensor,
    max_range: Tensor,
    *,
    out_type: Literal["int8", "uint8"] = "uint8",
) -> tuple[Tensor, ...]:
    """quantize(data, min_range, max_range, out_type="uint8")

    float32 numbers as bytes, and the range that these stand for: 'uint8' from `min_range` at 0 to `max_range` at 255,
    'int8' symmetrically around zero, the larger of both at 127.
    """
    _require(data, "float32")
    _one("min_range", min_range)
    _one("max_range", max_range)
    if out_type == "uint8":
        return _unsigned(g, data, min_range, max_range)
    largest = _largest(g, min_range, max_range)
    return _signed(g, data, largest, largest)


@quantize.infer_type
def _(t: TypeContext, a: Any) -> None:
    for place in ("data", "min_range", "max_range", 1, 2):
        t.set(place, _SINGLE)
    t.set(0, a.out_type)


@operator("_contrib_quantize_v2", outputs=3, differentiable=False)
def quantize_v2(
    g: Builder,
    data: Tensor,
    *,
    out_type: Literal["auto", "int8", "uint8"] = "int8",
    min_calib_range: float | None = None,
    max_calib_range: float | None = None,
) -> tuple[Tensor, ...]:
    """quantize_v2(data, out_type="int8", min_calib_range=None, max_calib_range=None)

    As `quantize`, with the range given as parameters or, without them, that of the data. Bytes stay as they are.
    """
    _require(data, "float32", "uint8", "int8")
    bounds = _given(g, min_calib_range, max_calib_range)
    wanted = _byte_type(out_type, min_calib_range, max_calib_range)
    if data.dt != _SINGLE:
        if data.dt != wanted:
            raise TypeInferenceError(f"argument 'data': {data.dt.name} cannot become {wanted.name}")
        low, high = bounds or _given(g, *((0, 255) if data.dt == np.uint8 else (-127, 127)))  # type: ignore[misc]
        return g.op("Identity", data), g.op("Identity", low), g.op("Identity", high)
    low, high = bounds or _extremes(g, data)
    if wanted == np.uint8:
        return _unsigned(g, data, low, high)
    largest = _largest(g, low, high)
    return _signed(g, data, largest, largest)


@operator("_contrib_requantize", outputs=3, differentiable=False)
def requantize(
    g: Builder,
    data: Tensor,
    min_range: Tensor,
    max_range: Tensor,
    *,
    out_type: Literal["auto", "int8", "uint8"] = "int8",
    min_calib_range: float | None = None,
    max_calib_range: float | None = None,
) -> tuple[Tensor, ...]:
    """requantize(data, min_range, max_range, out_type="int8", min_calib_range=None, max_calib_range=None)

    int32 numbers, which stand for the range from `min_range` to `max_range`, as int8, which stand for the calibrated
    range or, without one, for that of the data.
    """
    _require(data, "int32")
    _one("min_range", min_range)
    _one("max_range", max_range)
    if _byte_type(out_type, min_calib_range, max_calib_range) != np.int8:
        raise TypeInferenceError("parameter 'out_type': MXNet requantizes to int8 only")
    level = _largest(g, min_range, max_range) * (1.0 / float(2**31 - 1))
    low, high = _given(g, min_calib_range, max_calib_range) or tuple(
        g.cast(e, _SINGLE) * level for e in _extremes(g, data)
    )
    largest = _largest(g, low, high)
    return _signed(g, g.cast(data, _SINGLE) * level, largest, largest)


@requantize.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set("data", np.int32)
    for place in ("min_range", "max_range", 1, 2):
        t.set(place, _SINGLE)
    t.set(0, _byte_type(a.out_type, a.min_calib_range, a.max_calib_range))


@operator("_contrib_dequantize", differentiable=False)
def dequantize(
    g: Builder,
    data: Tensor,
    min_range: Tensor,
    max_range: Tensor,
    *,
    out_type: Literal["float32"] = "float32",
) -> Tensor:
    """dequantize(data, min_range, max_range, out_type="float32")

    Bytes as the numbers that they stand for: the inverse of `quantize`.
    """
    _require(data, "uint8", "int8")
    _one("min_range", min_range)
    _one("max_range", max_range)
    numbers = g.cast(data, _SINGLE)
    if data.dt == np.uint8:
        return numbers * ((max_range - min_range) / 255.0) + min_range
    return numbers * (_largest(g, min_range, max_range) / 127.0)


@dequantize.infer_type
def _(t: TypeContext, a: Any) -> None:
    for place in ("min_range", "max_range", 0):
        t.set(place, _SINGLE)


@operator("_contrib_quantize_asym", outputs=3, differentiable=False)
def quantize_asym(
    g: Builder, data: Tensor, *, min_calib_range: float | None = None, max_calib_range: float | None = None
) -> tuple[Tensor, ...]:
    """quantize_asym(data, min_calib_range=None, max_calib_range=None)

    ``floor(data * scale + shift + 0.5)`` as uint8, and (scale, shift), which place the calibrated range, or that of the
    data, on the numbers from 0 to 255.
    """
    _require(data, "float32")
    low, high = _given(g, min_calib_range, max_calib_range) or _extremes(g, data)
    scale = 255.0 / (high - low)
    shift = 255.0 - high * scale
    placed = g.op("Clip", g.op("Floor", data * scale + shift + 0.5), 0.0, 255.0)
    return g.cast(placed, np.uint8), g.op("Identity", scale), g.op("Identity", shift)


@quantize_v2.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set(0, _byte_type(a.out_type, a.min_calib_range, a.max_calib_range))
    t.set(1, _SINGLE)
    t.set(2, _SINGLE)


@quantize_asym.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set("data", _SINGLE)
    t.set(0, np.uint8)
    t.set(1, _SINGLE)
    t.set(2, _SINGLE)


for _op in (quantize, quantize_v2, requantize, dequantize, quantize_asym):
    _op.infer_shape(_shapes)
