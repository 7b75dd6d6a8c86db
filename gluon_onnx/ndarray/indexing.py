"""Indexing and assignment of NDArrays with MXNet's rules.

A basic index that selects one contiguous block is a view, every other index a copy. An index that would leave
no axes leaves one of length 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._runtime.session import from_numpy, to_numpy
from .._tape import state
from ..base import MXNetError
from ..graph.ops import find

if TYPE_CHECKING:
    from .ndarray import NDArray

__all__ = ["get", "set"]


def _plain(key: Any) -> Any:
    """An index with NDArrays (of any element type) as integer NumPy arrays."""
    from .ndarray import NDArray

    if isinstance(key, tuple):
        return tuple(_plain(k) for k in key)
    if isinstance(key, NDArray):
        value = to_numpy(key._raw)
        return value if value.dtype == bool else value.astype(np.int64)
    if isinstance(key, list):
        value = np.asarray([k.asnumpy() if isinstance(k, NDArray) else k for k in key])
        return value if value.dtype == bool else value.astype(np.int64)
    if isinstance(key, np.ndarray) and key.dtype.kind == "f":
        return key.astype(np.int64)
    return key


def _is_basic(key: Any) -> bool:
    parts = key if isinstance(key, tuple) else (key,)
    return all(k is None or k is Ellipsis or isinstance(k, int | np.integer | slice) for k in parts)


def _checked(x: NDArray, key: Any) -> Any:
    """A plain key, after the checks that MXNet makes."""
    key = _plain(key)
    parts = key if isinstance(key, tuple) else (key,)
    for k in parts:
        if isinstance(k, slice) and k.step == 0:
            raise ValueError("slice step cannot be zero")
        if isinstance(k, str | float | dict):
            raise IndexError(f"an array of shape {x.shape} cannot be indexed with {k!r}")
    return key


def get(x: NDArray, key: Any) -> NDArray:
    """``x[key]``.

    Raises
    ------
    IndexError : the index is out of range or not an index.
    """
    key = _checked(x, key)
    recorded = state.recording and x._place is not None
    if recorded:
        return _recorded(x, key)
    if not isinstance(x._raw, np.ndarray):
        from .ndarray import wrap

        value = to_numpy(x._raw)[key]
        return wrap(from_numpy(np.array(value if np.ndim(value) else np.reshape(value, 1)), ("gpu", x._ctx.device_id)), x._ctx)
    value = np.asarray(x._raw[key])
    if value.ndim == 0:
        value = x._raw[(*key, None) if isinstance(key, tuple) else (key, None)] if _is_basic(key) else value.reshape(1)
    if _is_basic(key) and value.flags.c_contiguous and value.size and np.shares_memory(value, x._raw):
        return x._view(value)
    from .ndarray import wrap

    return wrap(np.array(value, order="C"), x._ctx)


def _recorded(x: NDArray, key: Any) -> NDArray:
    """The same by operators that autograd records."""
    from .dispatch import invoke
    from .ndarray import wrap

    parts = key if isinstance(key, tuple) else (key,)
    if _is_basic(key) and not any(k is Ellipsis or k is None for k in parts):
        begin: list[int | None] = []
        end: list[int | None] = []
        step: list[int | None] = []
        for k, n in zip(parts, x.shape, strict=False):
            if isinstance(k, slice):
                begin.append(k.start)
                end.append(k.stop)
                step.append(k.step)
            else:
                if not -n <= k < n:
                    raise IndexError(f"index {k} is out of range for an axis of length {n}")
                begin.append(int(k) % n)
                end.append(int(k) % n + 1)
                step.append(None)
        if len(parts) > x.ndim:
            raise IndexError(f"{len(parts)} indices for an array of shape {x.shape}")
        piece = invoke(find("slice"), [x], {"begin": tuple(begin), "end": tuple(end), "step": tuple(step)})
        kept = [n for i, n in enumerate(piece.shape) if i >= len(parts) or isinstance(parts[i], slice)]
        return piece if len(kept) == piece.ndim else piece.reshape(tuple(kept) or (1,))
    positions = np.arange(x.size, dtype=np.int64).reshape(x.shape)[key]
    index = wrap(np.ascontiguousarray(positions).reshape(-1), x._ctx)
    taken = invoke(find("take"), [invoke(find("Reshape"), [x], {"shape": (-1,)}), index], {"axis": 0, "mode": "clip"})
    result: NDArray = taken.reshape(positions.shape or (1,))
    return result


def set(x: NDArray, key: Any, value: Any) -> None:
    """``x[key] = value``; the value is broadcast and converted to the array's element type.

    Raises
    ------
    IndexError : the index is out of range or not an index.
    MXNetError : the value does not broadcast to the selection.
    """
    from .ndarray import NDArray

    key = _checked(x, key)
    source = to_numpy(value._raw) if isinstance(value, NDArray) else np.asarray(value)
    target = x._raw if isinstance(x._raw, np.ndarray) else to_numpy(x._raw).copy()
    selection = target[key]
    try:
        if np.ndim(source) > np.ndim(selection):
            source = source.reshape(source.shape[np.ndim(source) - np.ndim(selection):]) \
                if all(n == 1 for n in source.shape[: np.ndim(source) - np.ndim(selection)]) else source
        with np.errstate(all="ignore"):
            target[key] = source
    except ValueError as e:
        raise MXNetError(f"cannot assign a value of shape {np.shape(source)} to a selection of shape "
                         f"{np.shape(selection)}: {e}") from e
    x._version.count += 1
    if not isinstance(x._raw, np.ndarray):
        x._write(target)
