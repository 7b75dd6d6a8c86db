"""Indexing and assignment of NDArrays with MXNet's rules, which are NumPy's with these differences.

An index that would leave no axes leaves one of length 1. Index arrays may be floats, whose fractions are cut
off. A basic index that selects one contiguous block gives a view, every other one a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._runtime.session import to_numpy
from .._tape import state
from ..base import MXNetError
from ..graph.errors import ShapeError
from ..graph.ops import find

if TYPE_CHECKING:
    from .ndarray import NDArray

__all__ = ["IN_PLACE", "get", "set"]

IN_PLACE = "Inplace operations (+=, -=, x[:]=, etc) are not supported when recording with autograd"  # as MXNet says it

_EVERYTHING = slice(None)
Array = np.ndarray[Any, Any]


def get(x: NDArray, key: Any) -> NDArray:
    """``x[key]``.

    Raises
    ------
    IndexError : a position is out of range, or there are too many indices.
    ValueError : something in the key is not an index.
    """
    from .ndarray import wrap

    if (isinstance(key, slice) and key == _EVERYTHING) or (isinstance(key, tuple) and not key):
        return x
    parts = _parts(key)
    recorded = state.recording and x._place is not None
    if recorded or not isinstance(x._raw, np.ndarray):
        return _by_operators(x, parts)
    value = x._raw[parts]
    basic = _is_basic(parts)
    if np.ndim(value) == 0:
        value = x._raw[(*parts, None)] if basic else np.reshape(value, 1)
    if basic and value.flags.c_contiguous:
        return x._view(value)
    return wrap(np.array(value, order="C"), x._ctx)


def set(x: NDArray, key: Any, value: Any) -> None:
    """``x[key] = value``; the value is broadcast and converted to the element type of `x`.

    Raises
    ------
    IndexError : a position is out of range, or there are too many indices.
    ValueError : something in the key is not an index.
    ShapeError : the value does not broadcast to the selection.
    TypeError : the value is not a number or an array of numbers.
    MXNetError : autograd records the value, and it would become a part of `x` only, or `x` is a variable.
    """
    from .ndarray import NDArray

    parts = _parts(key)
    if not x.size:
        return
    if state.recording and isinstance(value, NDArray) and value._place is not None:
        _set_recorded(x, parts, value)
        return
    source = _numbers(value)
    if not isinstance(x._raw, np.ndarray):
        _set_on_device(x, parts, source)
        return
    parts, source = _broadcast(x._raw, parts, source)
    with np.errstate(all="ignore"):  # numbers that the element type cannot hold are converted as in C
        x._raw[parts] = source
    x._version.count += 1


def _parts(key: Any) -> tuple[Any, ...]:
    """A key as a tuple of integers, slices, None, Ellipsis and index arrays that NumPy understands."""
    parts = tuple(map(_part, key)) if isinstance(key, tuple) else (_part(key),)
    if sum(p is Ellipsis for p in parts) > 1:
        raise IndexError("an index can hold only one ellipsis ('...')")
    return parts


def _part(part: Any) -> Any:
    from .ndarray import NDArray

    if part is None or part is Ellipsis:
        return part
    if isinstance(part, slice):
        if part.step == 0:
            raise ValueError("slice step cannot be zero")
        return part
    if isinstance(part, bool | np.bool_):
        return np.asarray(part)
    if isinstance(part, int | np.integer):
        return int(part)
    if isinstance(part, NDArray):
        part = to_numpy(part._raw)
    elif isinstance(part, list | tuple | range):
        part = np.asarray(
            [to_numpy(p._raw) if isinstance(p, NDArray) else p for p in part] or np.empty(0, np.int64)
        )
    if isinstance(part, np.ndarray) and part.dtype.kind in "biuf":
        return part if part.dtype == bool else part.astype(np.int64)
    what = f"{part!r} of type {type(part).__name__}"
    raise ValueError(
        f"an array cannot be indexed with {what}; expected integers, slices, None, ..., arrays of them"
    )


def _is_basic(parts: Sequence[Any]) -> bool:
    return not any(isinstance(p, np.ndarray) for p in parts)


def _explicit(parts: Sequence[Any], shape: Sequence[int]) -> list[Any]:
    """A basic key with one entry for each axis (and those that are None)."""
    given = [p for p in parts if p is not Ellipsis]
    missing = len(shape) - sum(p is not None for p in given)
    if missing < 0:
        raise IndexError(f"too many indices ({len(shape) - missing}) for an array with {len(shape)} axes")
    at = next((i for i, p in enumerate(parts) if p is Ellipsis), len(given))
    return [*given[:at], *[_EVERYTHING] * missing, *given[at:]]


def _by_operators(x: NDArray, parts: tuple[Any, ...]) -> NDArray:
    """``x[parts]`` by operators, which autograd records and a GPU runs.

    Positions are inputs of the operators, so that different ones share what is compiled.
    """
    from .ndarray import array

    if not _is_basic(parts):
        places = _places(x.shape, parts)
        index = array(places.reshape(-1), x._ctx, np.int64)
        return _shaped(
            _invoked("take", _invoked("Reshape", x, shape=(-1,)), index, axis=0, mode="clip"), places.shape
        )
    explicit = _explicit(parts, x.shape)
    indices = [p for p in explicit if p is not None]
    for axis, (p, n) in enumerate(zip(indices, x.shape, strict=True)):
        if isinstance(p, int) and not -n <= p < n:
            raise IndexError(f"index {p} is out of bounds for axis {axis} with size {n}")
    slices = [p if isinstance(p, slice) else _EVERYTHING for p in indices]
    piece = x
    if any(s != _EVERYTHING for s in slices):
        begin, end, step = (tuple(getattr(s, name) for s in slices) for name in ("start", "stop", "step"))
        piece = _invoked("slice", piece, begin=begin, end=end, step=step)
    for axis, p in enumerate(indices):
        if isinstance(p, int):
            index = array([p % x.shape[axis]], x._ctx, np.int64)
            piece = _invoked("take", piece, index, axis=axis, mode="clip")
    lengths = iter(piece.shape)
    kept = [(1 if p is None else next(lengths), p) for p in explicit]
    return _shaped(piece, tuple(n for n, p in kept if not isinstance(p, int)))


def _invoked(name: str, *inputs: NDArray, **params: Any) -> NDArray:
    """The result of an operator with one output."""
    from .dispatch import invoke

    result: NDArray = invoke(find(name), inputs, params)
    return result


def _shaped(x: NDArray, shape: tuple[int, ...]) -> NDArray:
    shape = shape or (1,)
    if x.shape == shape:
        return x
    if not x.size:
        from .ndarray import wrap

        return wrap(np.empty(shape, x._raw_dtype), x._ctx)
    return _invoked("Reshape", x, shape=shape)


def _places(shape: Sequence[int], parts: tuple[Any, ...]) -> Array:
    """Where the selected elements stand in the flat array, in the shape of the selection."""
    places: Any = 0
    for axis, n in enumerate(shape):
        steps = np.arange(n, dtype=np.int64) * int(np.prod(shape[axis + 1 :]))
        grid = np.broadcast_to(steps.reshape([n if i == axis else 1 for i in range(len(shape))]), shape)
        places = places + grid[parts]
    return np.asarray(places)


def _numbers(value: Any) -> Array:
    """A value to assign as a NumPy array."""
    from .ndarray import NDArray

    if isinstance(value, NDArray):
        return to_numpy(value._raw)
    if isinstance(value, list | tuple):
        value = [v.asnumpy() if isinstance(v, NDArray) else v for v in value]
    try:
        result = np.asarray(value)
    except ValueError as e:
        raise TypeError(f"a value to assign must be a number or an array of numbers: {e}") from e
    if result.dtype.kind not in "biuf" and result.dtype.name != "bfloat16":
        raise TypeError(
            f"a value to assign must be a number or an array of numbers, got {type(value).__name__}"
        )
    return result


def _broadcast(target: Array, parts: tuple[Any, ...], source: Array) -> tuple[tuple[Any, ...], Array]:
    """The key and the value, which NumPy can broadcast to the selection.

    Leading axes of length 1 are dropped. A value may also have the shape of the selection without the new
    axes.
    """
    keys = [parts]
    if None in [p for p in parts if not isinstance(p, np.ndarray)] and _is_basic(parts):
        keys.append(tuple(p for p in parts if p is not None))
    for key in keys:
        shape = np.broadcast_to(False, target.shape)[key].shape
        extra = max(source.ndim - len(shape), 0)
        if all(n == 1 for n in source.shape[:extra]):
            value = source.reshape(source.shape[extra:])
            if all(n in (1, m) for n, m in zip(value.shape[::-1], shape[::-1], strict=False)):
                return key, value
    shape = np.broadcast_to(False, target.shape)[parts].shape
    raise ShapeError(f"cannot assign a value of shape {source.shape} to a selection of shape {shape}")


def _set_recorded(x: NDArray, parts: tuple[Any, ...], value: NDArray) -> None:
    """``x[:] = value`` by operators, which autograd records."""
    if not all(p is Ellipsis or (isinstance(p, slice) and p == _EVERYTHING) for p in parts):
        raise MXNetError(
            f"{IN_PLACE}: the result of a recorded computation cannot become a part of an array; join the parts "
            "with concat or stack"
        )
    if x._place is not None:
        raise MXNetError(f"{IN_PLACE}: the result of a recorded computation cannot become a variable's value")
    x._receive(_fitted(value, x.shape, x._raw_dtype), "x[:] = value")


def _fitted(value: NDArray, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray:
    """`value` in a shape and an element type, by operators that autograd records."""
    extra = value.ndim - len(shape)
    if extra > 0 and all(n == 1 for n in value.shape[:extra]):
        value = _invoked("Reshape", value, shape=value.shape[extra:])
    if value.shape != shape:
        whole = (1,) * (len(shape) - value.ndim) + value.shape
        if len(whole) != len(shape) or any(n not in (1, m) for n, m in zip(whole, shape, strict=True)):
            raise ShapeError(f"cannot assign a value of shape {value.shape} to a selection of shape {shape}")
        value = _invoked("broadcast_to", _invoked("Reshape", value, shape=whole), shape=shape)
    if value._raw_dtype != dtype:
        value = _invoked("Cast", value, dtype=dtype.name)
    return _invoked("_copy", value)


def _set_on_device(x: NDArray, parts: tuple[Any, ...], source: Array) -> None:
    """Assignment to an array on a GPU, which runs there."""
    from .ndarray import array

    grid = np.broadcast_to(np.zeros((), x._raw_dtype), x.shape)
    parts, source = _broadcast(grid, parts, source)
    places = _places(x.shape, parts)
    if not places.size:
        return
    with np.errstate(all="ignore"):
        values = np.ascontiguousarray(np.broadcast_to(source.astype(x._raw_dtype), places.shape)).reshape(-1)
    paused, state.recording = state.recording, False
    try:
        flat, index = _invoked("Reshape", x, shape=(-1,)), array(places.reshape(1, -1), x._ctx, np.int64)
        written = _invoked(
            "_scatter_set_nd", flat, array(values, x._ctx, values.dtype), index, shape=flat.shape
        )
        x._write(_invoked("Reshape", written, shape=x.shape)._raw)
    finally:
        state.recording = paused
