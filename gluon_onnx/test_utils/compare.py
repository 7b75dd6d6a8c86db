"""Comparisons of arrays that tell where and by how much they differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ndarray import NDArray
from .tolerance import Tolerance, get_atol, get_etol, get_rtol, get_tols

__all__ = [
    "almost_equal",
    "assert_allclose",
    "assert_almost_equal",
    "assert_almost_equal_ignore_nan",
    "assert_almost_equal_with_err",
    "assert_exception",
    "checkShapes",
    "compare_ndarray_tuple",
    "find_max_violation",
    "locationError",
    "same",
    "same_array",
    "same_symbol_structure",
]

Index = tuple[np.intp, ...]


def to_numpy(x: Any) -> np.ndarray[Any, Any]:
    """`x` as a NumPy array."""
    return x.asnumpy() if isinstance(x, NDArray) else np.asarray(x)


def find_max_violation(a: Any, b: Any, rtol: float, atol: float) -> tuple[Index, float]:
    """Where two arrays differ most, measured in units of the tolerance, and by how many of them.

    Returns
    -------
    The index, and ``|a - b| / (atol + rtol * |b|)`` there. Equal infinities do not differ; a NaN differs from
    everything, infinitely.
    """
    a, b = np.broadcast_arrays(to_numpy(a), to_numpy(b))
    with np.errstate(all="ignore"):
        x, y = a.astype(np.float64), b.astype(np.float64)
        difference = np.where(x == y, 0.0, np.abs(x - y))
        violation = difference / (atol + rtol * np.abs(y) + 1e-20)
    violation = np.where(np.isnan(violation), np.inf, violation)
    where = np.unravel_index(int(np.argmax(violation)), violation.shape)
    return tuple(where), float(violation[where])


def same(a: Any, b: Any) -> bool:
    """Whether two arrays have the same shape and elements."""
    return bool(np.array_equal(to_numpy(a), to_numpy(b)))


_CHUNK = 1 << 16  # elements


def checkShapes(a: Any, b: Any) -> None:
    """Fail unless two arrays have the same shape.

    Raises
    ------
    AssertionError : they have not.
    """
    if a.shape != b.shape:
        raise AssertionError(f"shapes differ: a.shape = {a.shape}, b.shape = {b.shape}")


def almost_equal(
    a: Any,
    b: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    use_broadcast: bool = True,
) -> bool:
    """Whether ``|a - b| <= atol + rtol * |b|`` everywhere; by default with the tolerances of float64."""
    a, b = to_numpy(a), to_numpy(b)
    if not use_broadcast:
        checkShapes(a, b)
    tolerances = get_rtol(rtol), get_atol(atol), equal_nan
    if a.shape != b.shape or a.size <= _CHUNK or not (a.flags.c_contiguous and b.flags.c_contiguous):
        return bool(np.allclose(a, b, *tolerances))
    x, y = a.reshape(-1), b.reshape(-1)  # in pieces that stay in the cache: several times as fast
    return all(
        np.allclose(x[i : i + _CHUNK], y[i : i + _CHUNK], *tolerances) for i in range(0, x.size, _CHUNK)
    )


def locationError(a: Any, b: Any, index: Any, names: Sequence[str], maxError: bool = False) -> str:
    """One line on the elements of two arrays at `index`."""
    which = "maximum error" if maxError else "error"
    return f"Location of {which}: {_plain(index)}, {names[0]}={a[index]:.8f}, {names[1]}={b[index]:.8f}"


def _plain(index: Any) -> Any:
    return tuple(int(i) for i in index) if isinstance(index, tuple) else index


def _report(
    a: np.ndarray[Any, Any],
    b: np.ndarray[Any, Any],
    rtol: float,
    atol: float,
    names: Sequence[str],
    equal_nan: bool,
    listed: int,
) -> str:
    """What to say of two arrays of one shape that differ: the worst element, how many, and some of them."""
    bad = ~np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)
    index, worst = find_max_violation(np.where(bad, a, 0), np.where(bad, b, 0), rtol, atol)
    lines = [
        f"Error {worst:f} exceeds tolerance rtol={rtol:e}, atol={atol:e} "
        f"(mismatch {100 * bad.sum() / max(a.size, 1):f}%).",
        locationError(a, b, index, names, maxError=True),
    ]
    lines += [locationError(a, b, i, names) for i in map(tuple, np.argwhere(bad)[:listed])]
    with np.printoptions(threshold=8, edgeitems=3):
        lines += [f" {name}: {x!r}" for name, x in zip(names, (a, b), strict=False)]
    return "\n".join(lines)


def assert_almost_equal(
    a: Any,
    b: Any,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    names: Sequence[str] = ("a", "b"),
    equal_nan: bool = False,
    use_broadcast: bool = True,
    mismatches: tuple[int, int] = (10, 10),
) -> None:
    """Fail unless ``|a - b| <= atol + rtol * |b|`` everywhere.

    Parameters
    ----------
    a, b : arrays (NDArray, NumPy) or numbers; they broadcast unless `use_broadcast` is false.
    rtol, atol : a number, a table from element type to number, or None for the element types' defaults.
    equal_nan : whether a NaN equals a NaN.
    mismatches : how many elements the message lists; the second number is there for compatibility.

    Raises
    ------
    AssertionError : an element is off, or the shapes do not fit. The message says where and by how much.
    """
    if not use_broadcast:
        checkShapes(a, b)
    rtol, atol = get_tols(a, b, rtol, atol)
    x, y = to_numpy(a), to_numpy(b)
    if x.dtype == np.bool_ and y.dtype == np.bool_:
        np.testing.assert_equal(x, y)
        return
    try:
        x, y = np.broadcast_arrays(x, y)
    except ValueError:
        raise AssertionError(
            f"shapes do not fit: {names[0]} has {x.shape}, {names[1]} has {y.shape}"
        ) from None
    if not almost_equal(x, y, rtol, atol, equal_nan=equal_nan):
        raise AssertionError(_report(x, y, rtol, atol, names, equal_nan, mismatches[0]))


def assert_allclose(a: Any, b: Any, rtol: float = 1e-07, atol: float = 0, equal_nan: bool = True) -> None:
    """`assert_almost_equal` with NumPy's default tolerances."""
    assert_almost_equal(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)


def assert_almost_equal_with_err(
    a: Any,
    b: Any,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    etol: float | None = None,
    names: Sequence[str] = ("a", "b"),
    equal_nan: bool = False,
    mismatches: tuple[int, int] = (10, 10),
) -> None:
    """`assert_almost_equal`, but a fraction `etol` of the elements may be off.

    Raises
    ------
    AssertionError : more than that are.
    """
    if get_etol(etol) <= 0:
        assert_almost_equal(a, b, rtol=rtol, atol=atol, names=names, equal_nan=equal_nan)
        return
    rtol, atol = get_tols(a, b, rtol, atol)
    x, y = np.broadcast_arrays(to_numpy(a), to_numpy(b))
    off = 1.0 - float(np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan).mean())
    if off > get_etol(etol):
        raise AssertionError(
            f"{100 * off:f}% of the elements are off, etol allows {100 * get_etol(etol):f}%.\n"
            + _report(x, y, rtol, atol, names, equal_nan, mismatches[0])
        )


def assert_almost_equal_ignore_nan(
    a: Any, b: Any, rtol: Tolerance = None, atol: Tolerance = None, names: Sequence[str] = ("a", "b")
) -> None:
    """`assert_almost_equal` on the elements that are NaN in neither array."""
    x, y = np.array(to_numpy(a)), np.array(to_numpy(b))
    nan = np.isnan(x) | np.isnan(y)
    x[nan] = y[nan] = 0
    assert_almost_equal(x, y, rtol, atol, names)


def assert_exception(
    f: Callable[..., Any], exception_type: type[BaseException], *args: Any, **kwargs: Any
) -> None:
    """Fail unless ``f(*args, **kwargs)`` raises an exception of the given type.

    Raises
    ------
    AssertionError : it returns. Other exceptions pass through.
    """
    try:
        f(*args, **kwargs)
    except exception_type:
        return
    raise AssertionError(f"{getattr(f, '__name__', f)!s} did not raise {exception_type.__name__}")


def same_array(array1: NDArray, array2: NDArray) -> bool:
    """Whether two NDArrays share memory: a change of one shows in the other. Both are left as they were."""
    before = array1.asnumpy()
    array1[:] += 1
    changed = same(array1, array2)
    array1[:] = before
    return changed and same(array1, array2)


def same_symbol_structure(sym1: Any, sym2: Any) -> bool:
    """Whether two symbols have the same operators in the same order."""

    def operators(symbol: Any) -> list[str]:
        return ["null" if node.op is None else node.op.name for node in symbol.nodes()]

    return operators(sym1) == operators(sym2)


def compare_ndarray_tuple(t1: Any, t2: Any, rtol: Tolerance = None, atol: Tolerance = None) -> None:
    """Compare arrays in nested tuples; a None on either side is skipped.

    Raises
    ------
    AssertionError : a pair differs, or two tuples differ in length.
    """
    if t1 is None or t2 is None:
        return
    if isinstance(t1, tuple | list):
        if len(t1) != len(t2):
            raise AssertionError(f"tuples of {len(t1)} and {len(t2)} arrays")
        for s1, s2 in zip(t1, t2, strict=True):
            compare_ndarray_tuple(s1, s2, rtol, atol)
    else:
        assert_almost_equal(t1, t2, rtol=rtol, atol=atol)
