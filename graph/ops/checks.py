"""Operators that check arrays, and one that clears them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..errors import ShapeError
from ..shapes import TypeContext
from .registry import operator

__all__: list[str] = []


@operator("_contrib_allclose", differentiable=False)
def allclose(
    g: Builder, a: Tensor, b: Tensor, *, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = True
) -> Tensor:
    """_contrib_allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=True)

    Whether all elements are equal within ``atol + rtol * abs(b)``: 1 or 0 as uint8, without axes.
    """
    if a.dims != b.dims:
        raise ShapeError(f"argument 'b': expected shape {a.dims}, got {b.dims}")
    exact = np.float32 if a.dt in (np.float16, np.float32) else np.float64
    x, y = g.cast(a, exact), g.cast(b, exact)
    near = g.op("LessOrEqual", g.op("Abs", x - y), g.op("Abs", y) * rtol + atol)
    good = g.op("Or", g.op("Equal", x, y), near)
    if equal_nan:
        good = g.op("Or", good, g.op("And", g.op("IsNaN", x), g.op("IsNaN", y)))
    return g.reduce("Min", g.cast(good, np.uint8), range(good.ndim))


@allclose.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["a", "b"])
    t.set(0, np.uint8)


def _finite(g: Builder, x: Tensor) -> Tensor:
    """One element: 1.0 where all of `x` is finite, else 0.0."""
    bad = g.op("Or", g.op("IsNaN", x), g.op("IsInf", x))
    return g.reshape(1.0 - g.reduce("Max", g.cast(bad, np.float32), range(x.ndim)), (1,))


@operator("all_finite", differentiable=False)
def all_finite(g: Builder, data: Tensor, *, init_output: bool = True) -> Tensor:
    """all_finite(data, init_output=True)

    Whether no element is infinite or NaN: 1 or 0 as float32, shape (1,). `init_output` has no meaning here,
    where results are always new arrays.
    """
    return _finite(g, data)


@operator("multi_all_finite", differentiable=False)
def multi_all_finite(g: Builder, *data: Tensor, num_arrays: int = 1, init_output: bool = True) -> Tensor:
    """multi_all_finite(*data, num_arrays=1, init_output=True)

    Whether no element of any array is infinite or NaN: 1 or 0 as float32, shape (1,).
    """
    if len(data) != num_arrays:
        raise ShapeError(
            f"parameter 'num_arrays': expected the number of arrays, {len(data)}, got {num_arrays}"
        )
    result = _finite(g, data[0])
    for x in data[1:]:
        result = g.op("Min", result, _finite(g, x))
    return result


@all_finite.infer_type
@multi_all_finite.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set(0, np.float32)


@operator("reset_arrays", outputs=0, differentiable=False)
def reset_arrays(g: Builder, *data: Tensor, num_arrays: int) -> tuple[Tensor, ...]:
    """reset_arrays(*data, num_arrays)

    Every array filled with zeros in place.
    """
    for x in data:
        g.update(x, g.fill(x.dims, 0, x.dt))
    return ()
