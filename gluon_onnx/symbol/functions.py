"""Functions of `sym` that are not operators under their own name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base import numeric_types
from .register import function
from .symbol import Symbol

__all__ = [
    "arange",
    "concatenate",
    "eye",
    "full",
    "histogram",
    "hypot",
    "linspace",
    "maximum",
    "minimum",
    "ones",
    "pow",
    "power",
    "split_v2",
    "zeros",
]


def _binary(name: str, op: str, scalar_op: str, reverse_op: str, python: Callable[[Any, Any], Any]) -> Any:
    def apply(left: Any, right: Any) -> Any:
        if isinstance(left, Symbol) and isinstance(right, Symbol):
            return function(op)(left, right)
        if isinstance(left, Symbol) and isinstance(right, numeric_types):
            return function(scalar_op)(left, scalar=right)
        if isinstance(left, numeric_types) and isinstance(right, Symbol):
            return function(reverse_op)(right, scalar=left)
        if isinstance(left, numeric_types) and isinstance(right, numeric_types):
            return python(left, right)
        raise TypeError(
            f"{name} takes Symbols and numbers, got {type(left).__name__} and {type(right).__name__}"
        )

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Elementwise {name} of two symbols, or of a symbol and a number."
    return apply


_pow = _binary("pow", "_Power", "_PowerScalar", "_RPowerScalar", lambda a, b: a**b)


def pow(base: Any, exp: Any) -> Any:
    """`base` to the power `exp`: two symbols, or a symbol and a number."""
    return _pow(base, exp)


power = pow
maximum = _binary("maximum", "_Maximum", "_MaximumScalar", "_MaximumScalar", max)
minimum = _binary("minimum", "_Minimum", "_MinimumScalar", "_MinimumScalar", min)
hypot = _binary("hypot", "_Hypot", "_HypotScalar", "_HypotScalar", np.hypot)


def _shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def zeros(shape: int | Sequence[int], dtype: Any = None, **kwargs: Any) -> Symbol:
    """A tensor of zeros."""
    result: Symbol = function("_zeros")(shape=_shape(shape), dtype=dtype or np.float32, **kwargs)
    return result


def ones(shape: int | Sequence[int], dtype: Any = None, **kwargs: Any) -> Symbol:
    """A tensor of ones."""
    result: Symbol = function("_ones")(shape=_shape(shape), dtype=dtype or np.float32, **kwargs)
    return result


def full(shape: int | Sequence[int], val: float, dtype: Any = None, **kwargs: Any) -> Symbol:
    """A tensor with every element `val`."""
    result: Symbol = function("_full")(
        shape=_shape(shape), dtype=dtype or np.float32, value=float(val), **kwargs
    )
    return result


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool = False,
    name: str | None = None,
    dtype: Any = None,
) -> Symbol:
    """Evenly spaced values in ``[start, stop)``, each `repeat` times."""
    result: Symbol = function("_arange")(
        start=start,
        stop=stop,
        step=step,
        repeat=repeat,
        infer_range=infer_range,
        name=name,
        dtype=dtype or np.float32,
    )
    return result


def linspace(
    start: float, stop: float, num: int, endpoint: bool = True, name: str | None = None, dtype: Any = None
) -> Symbol:
    """`num` evenly spaced values from `start` to `stop`."""
    step = (stop - start) / (num - 1 if endpoint else num) if num > 1 else 1.0
    result: Symbol = function("_linspace")(
        start=start, stop=stop, step=step, num=num, endpoint=endpoint, name=name, dtype=dtype or np.float32
    )
    return result


def eye(N: int, M: int = 0, k: int = 0, dtype: Any = None, **kwargs: Any) -> Symbol:
    """A matrix with ones on diagonal `k`."""
    result: Symbol = function("_eye")(N=N, M=M, k=k, dtype=dtype or np.float32, **kwargs)
    return result


def concatenate(symbols: Sequence[Symbol], axis: int = 0, **kwargs: Any) -> Symbol:
    """Symbols joined along an existing axis."""
    result: Symbol = function("Concat")(*symbols, dim=axis, **kwargs)
    return result


def split_v2(
    ary: Symbol, indices_or_sections: int | Sequence[int], axis: int = 0, squeeze_axis: bool = False
) -> Symbol:
    """Split along an axis into equal sections (an integer) or at the given indices."""
    if isinstance(indices_or_sections, int):
        result: Symbol = function("_split_v2")(
            ary, sections=indices_or_sections, indices=(), axis=axis, squeeze_axis=squeeze_axis
        )
    else:
        result = function("_split_v2")(
            ary, indices=(0, *indices_or_sections), axis=axis, squeeze_axis=squeeze_axis
        )
    return result


def histogram(a: Symbol, bins: Any = 10, range: Any = None, **kwargs: Any) -> Symbol:
    """Counts of values in bins: an integer number of bins over `range`, or a symbol of bin edges."""
    result: Symbol = (
        function("_histogram")(a, bins, **kwargs)
        if isinstance(bins, Symbol)
        else function("_histogram")(data=a, bin_cnt=bins, range=range, **kwargs)
    )
    return result
