"""Batches of arrays for the models of training artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from .manifest import Model, Value

__all__ = ["feeds_of"]

Array = np.ndarray[Any, Any]


def feeds_of(model: Model, batch: Mapping[str, Any] | Sequence[Any]) -> dict[str, Array]:
    """The arrays of a batch by the names of a model's inputs.

    Parameters
    ----------
    batch : arrays (NumPy's, or what has ``asnumpy()``) by name, or inputs and then labels in order.

    Raises
    ------
    MXNetError : an array is missing or not known, or has another element type or shape than the model expects.
    """
    wanted = [*model.named("data"), *model.named("label")]
    names = [v.name for v in wanted]
    if not isinstance(batch, Mapping):
        arrays = list(batch) if isinstance(batch, list | tuple) else [batch]
        if len(arrays) != len(names):
            raise MXNetError(f"a batch has {len(names)} arrays, {_listed(wanted)}; got {len(arrays)}")
        batch = dict(zip(names, arrays, strict=True))
    if set(batch) != set(names):
        raise MXNetError(f"a batch has {_listed(wanted)}; got {sorted(batch)}")
    sizes: dict[str, tuple[int, str]] = {}
    return {v.name: _checked(v, batch[v.name], sizes) for v in wanted}


def _listed(values: Sequence[Value]) -> str:
    return ", ".join(f"{v.role} {v.name!r}" for v in values)


def _checked(v: Value, given: Any, sizes: dict[str, tuple[int, str]]) -> Array:
    array = np.asarray(given.asnumpy() if hasattr(given, "asnumpy") else given)
    shape = ", ".join(map(str, v.shape)) + ("," if len(v.shape) == 1 else "")
    what = f"{v.role} {v.name!r}: expected {v.dtype} of shape ({shape})"
    if array.dtype.name != v.dtype:
        raise MXNetError(f"{what}, got element type {array.dtype.name}")
    if array.ndim != len(v.shape):
        raise MXNetError(f"{what}, got shape {array.shape}")
    for size, d in zip(array.shape, v.shape, strict=True):
        if isinstance(d, int) and size != d:
            raise MXNetError(f"{what}, got shape {array.shape}")
        if isinstance(d, str):
            known, owner = sizes.setdefault(d, (size, v.name))
            if known != size:
                raise MXNetError(f"{what}, got shape {array.shape}, but {d!r} is {known} in {owner!r}")
    return np.ascontiguousarray(array).reshape(array.shape)
