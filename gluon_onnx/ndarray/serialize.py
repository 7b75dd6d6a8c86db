"""`nd.save` and `nd.load`: MXNet's binary array files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._runtime.session import to_numpy
from ..context import Context
from ..graph.exporters.params import write_params
from ..graph.importers.params import ParamsFile, TensorRecord, read_params
from .ndarray import NDArray, wrap

__all__ = ["load", "load_frombuffer", "save"]


def _array(record: TensorRecord) -> NDArray:
    return wrap(np.array(record.numpy(), order="C"), Context("cpu", 0))


def _collect(file: ParamsFile) -> Any:
    if file.names:
        return {name: _array(record) for name, record in zip(file.names, file.arrays, strict=True)}
    return [_array(record) for record in file.arrays]


def load(fname: str | os.PathLike[str]) -> Any:
    """The arrays of a file: a dict where they have names, else a list.

    Raises
    ------
    FormatError : the file is not an array file, or is damaged; the message names tensor and offset.
    """
    return _collect(read_params(os.fspath(fname)))


def load_frombuffer(buf: bytes) -> Any:
    """The same from bytes in memory."""
    return _collect(read_params(buf))


def save(fname: str | os.PathLike[str], data: NDArray | Sequence[NDArray] | Mapping[str, NDArray]) -> None:
    """Write arrays to a file that MXNet 1.x reads. The file is replaced as a whole, or not at all.

    Parameters
    ----------
    data : one array, a list of arrays, or a dict from names to arrays.
    """
    names = None
    if isinstance(data, NDArray):
        data = [data]
    if isinstance(data, Mapping):
        names, data = list(data), list(data.values())
    for x in data:
        if not isinstance(x, NDArray):
            raise TypeError(f"save expects NDArrays, got {type(x).__name__}")
    write_params(os.fspath(fname), [to_numpy(x._raw) for x in data], names)
