"""Elementwise operators of an array and a number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..shapes import TypeContext
from ._numeric import Array, holds
from ._scalars import number
from .binary import ARITHMETIC, COMPARISONS, Binary, Kernel2
from .registry import Operator, operator
from .schema import Attrs, Scalar

__all__: list[str] = []


def _working_type(dt: np.dtype[Any], is_int: bool) -> np.dtype[Any]:
    """The type that an array and a number are computed in: booleans become int64; with a fraction, integers float64."""
    if dt == np.bool_:
        return np.dtype(np.int64 if is_int else np.float64)
    return np.dtype(np.float64) if dt.kind in "iu" and not is_int else dt


def _register(
    name: str,
    alias: str,
    says: str,
    lowering: Binary,
    kernel: Kernel2 | None,
    predicate: bool = False,
    swap: bool = False,
) -> Operator:
    """Register an operator ``name(data, scalar, is_int)``; `swap` puts the number on the left."""

    def lower(g: Builder, data: Tensor, *, scalar: Scalar = 1.0, is_int: bool = True) -> Tensor:
        x = g.cast(data, _working_type(data.dt, is_int))
        s = number(g, scalar, x.dt)
        y = lowering(g, s, x) if swap else lowering(g, x, s)
        return holds(g, y, x.dt) if predicate else y

    def run(data: Array, scalar: float, is_int: bool) -> Array | None:
        dt = _working_type(data.dtype, is_int)
        if dt.kind in "iu" and not (math.isfinite(scalar) and _fits(scalar, dt)):
            return None
        assert kernel is not None
        x, s = data.astype(dt, copy=False), np.asarray(scalar, np.float64).astype(dt)
        y = kernel(s, x) if swap else kernel(x, s)
        return y.astype(dt) if predicate else y

    lower.__doc__ = (
        f"{name}(data, scalar=1.0, is_int=True)\n\n{says}, where one operand is the number `scalar`, `data` the other: "
        f"{'lhs is the number' if swap else 'lhs is the array'}. For integer arrays it is cut off to an integer; "
        "without `is_int` they become float64 instead."
    )
    op = operator(name, *([alias] if alias else []), elementwise=True, differentiable=not predicate)(lower)
    op.infer_type(_result_type)
    if kernel is not None:
        op.numpy(run)
    return op


def _fits(scalar: float, dt: np.dtype[Any]) -> bool:
    info = np.iinfo(dt)
    return info.min <= int(scalar) <= info.max


def _result_type(t: TypeContext, a: Attrs) -> None:
    data, out = t["data"], t[0]
    if data is not None:
        t.set(0, _working_type(data, a.is_int))
    elif out is not None and out.kind == "f" and (a.is_int or out != np.float64):
        t.set("data", out)


def _title(name: str) -> str:
    return "_" + "".join(part.title() for part in name.split("_")) + "Scalar"


for _short, _name, _swap in (
    ("plus", "add", False),
    ("minus", "sub", False),
    ("rminus", "sub", True),
    ("mul", "mul", False),
    ("div", "div", False),
    ("rdiv", "div", True),
    ("mod", "mod", False),
    ("rmod", "mod", True),
    ("power", "power", False),
    ("rpower", "power", True),
    ("maximum", "maximum", False),
    ("minimum", "minimum", False),
    ("hypot", "hypot", False),
):
    _alias = f"_R{_short[1:].title()}Scalar" if _swap else _title(_short)
    _register(f"_{_short}_scalar", _alias, *ARITHMETIC[_name], swap=_swap)
for _name, (_says, _lowering, _kernel) in COMPARISONS.items():
    _register(
        f"_{_name}_scalar",
        _title(_name),
        f"Whether ``{_says}``, as 1 or 0",
        _lowering,
        _kernel,
        predicate=True,
    )
_register("_scatter_plus_scalar", "", *ARITHMETIC["add"])
_register("_scatter_minus_scalar", "", *ARITHMETIC["sub"])
