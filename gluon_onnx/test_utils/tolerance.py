"""Tolerances by element type, and the choice of one for a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = [
    "Tolerance",
    "default_atols",
    "default_dtype",
    "default_numeric_eps",
    "default_rtols",
    "effective_dtype",
    "get_atol",
    "get_etol",
    "get_rtol",
    "get_tolerance",
    "get_tols",
]

Tolerance = float | Mapping[Any, float] | None

_EXACT = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
_RELATIVE = {"float16": 1e-2, "float32": 1e-4, "float64": 1e-5, **dict.fromkeys(_EXACT, 0.0)}
_ABSOLUTE = {"float16": 1e-1, "float32": 1e-3, "float64": 1e-20, **dict.fromkeys(_EXACT, 0.0)}
# Powers of two: adding one to an input drops no bits.
_STEPS = {"float16": 2.0**-6, "float32": 2.0**-9, "float64": 2.0**-14}


def _by_dtype(table: Mapping[str, float]) -> dict[np.dtype[Any], float]:
    return {np.dtype(name): value for name, value in table.items()}


def default_dtype() -> type[np.float32]:
    """The element type that tests use unless told otherwise."""
    return np.float32


def default_rtols() -> dict[np.dtype[Any], float]:
    """Relative tolerances by element type."""
    return _by_dtype(_RELATIVE)


def default_atols() -> dict[np.dtype[Any], float]:
    """Absolute tolerances by element type."""
    return _by_dtype(_ABSOLUTE)


def default_numeric_eps() -> dict[np.dtype[Any], float]:
    """Step widths of finite differences by element type."""
    return _by_dtype(_STEPS)


def effective_dtype(dat: Any) -> np.dtype[Any]:
    """The element type whose tolerance suits `dat`: its own, as ONNX Runtime computes in full precision."""
    dtype: np.dtype[Any] = np.dtype(dat.dtype)
    return dtype


def get_tolerance(dat: Any, tol: Tolerance, default_tol: Mapping[np.dtype[Any], float]) -> float:
    """The tolerance for `dat`: a number as it is, else the entry of its element type, else the default's.

    Raises
    ------
    KeyError : there is no entry for the element type.
    """
    if tol is not None and not isinstance(tol, Mapping):
        return tol
    dtype = effective_dtype(dat)
    for table in (tol or {}, default_tol):
        for key, value in table.items():
            if np.dtype(key) == dtype:
                return value
    raise KeyError(f"no tolerance is known for element type {dtype}; give rtol and atol as numbers")


def get_tols(x: Any, y: Any, rtol: Tolerance, atol: Tolerance) -> tuple[float, float]:
    """Relative and absolute tolerance for comparing `x` with `y`: the larger of both."""
    arrays = [v if hasattr(v, "dtype") else np.asarray(v) for v in (x, y)]
    return (
        max(get_tolerance(v, rtol, default_rtols()) for v in arrays),
        max(get_tolerance(v, atol, default_atols()) for v in arrays),
    )


def get_rtol(rtol: float | None = None, dtype: Any = np.float64) -> float:
    """`rtol`, or the default of an element type."""
    return default_rtols()[np.dtype(dtype)] if rtol is None else rtol


def get_atol(atol: float | None = None, dtype: Any = np.float64) -> float:
    """`atol`, or the default of an element type."""
    return default_atols()[np.dtype(dtype)] if atol is None else atol


def get_etol(etol: float | None = None) -> float:
    """`etol`, or 0: the fraction of elements that may differ."""
    return 0.0 if etol is None else etol
