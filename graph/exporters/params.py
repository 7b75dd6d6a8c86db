"""Writer of MXNet's binary array files (``.params``), in the layout that MXNet 0.12 to 1.9 reads."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from ..errors import FormatError
from ..importers.params import DTYPE_OF_FLAG, LIST_MAGIC, MAX_NDIM, V2_MAGIC, V3_MAGIC, Csr, RowSparse
from ._files import replaced_file

__all__ = ["write_params"]

# The flags from 8 to 11 are mshadow's but not MXNet 1.x's: it refuses files that have them.
_FLAG_OF_DTYPE = {dtype: flag for flag, dtype in DTYPE_OF_FLAG.items() if not 8 <= flag <= 11}
_CPU = struct.pack("<ii", 1, 0)
_Array = np.ndarray[Any, Any] | RowSparse | Csr


def write_params(
    path: str | os.PathLike[str],
    arrays: Sequence[_Array],
    names: Sequence[str] | None = None,
    *,
    np_shape: bool = False,
) -> None:
    """Write arrays as ``mx.nd.save`` does.

    The file is replaced when everything is written; a failure leaves an existing file as it was.

    Parameters
    ----------
    path : where to.
    arrays : NumPy arrays (float16, bfloat16, float32, float64, int8, uint8, int32, int64, bool), or sparse
        ones.
    names : a name for each array; None writes a plain list. Those of ``Module`` checkpoints begin with "arg:"
        or "aux:".
    np_shape : write the records of NumPy shape semantics. Only they can hold arrays of shape (), and MXNet
        reads them only inside ``mx.util.np_shape(True)``.

    Raises
    ------
    FormatError : if the format cannot hold one of the arrays or names; nothing is written then.
    OSError : if the file cannot be written.
    """
    labels = [f"tensor {i}" for i in range(len(arrays))]
    if names is not None:
        _check_names(path, names, len(arrays))
        labels = [f"{label} {name!r}" for label, name in zip(labels, names, strict=True)]
    heads = [
        _head(f"{os.fspath(path)}: {label}", array, np_shape)
        for label, array in zip(labels, arrays, strict=True)
    ]
    with replaced_file(path) as stream:
        stream.write(struct.pack("<QQQ", LIST_MAGIC, 0, len(arrays)))
        for head, array in zip(heads, arrays, strict=True):
            stream.write(head)
            for part in _parts(array):
                _write_elements(stream, part)
        stream.write(struct.pack("<Q", len(names or ())))
        for name in names or ():
            encoded = name.encode()
            stream.write(struct.pack("<Q", len(encoded)) + encoded)


def _check_names(path: str | os.PathLike[str], names: Sequence[str], count: int) -> None:
    where = os.fspath(path)
    if len(names) != count:
        raise FormatError(f"{where}: expected {count} names, one for each array, found {len(names)}")
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise FormatError(f"{where}: the name of tensor {index} must be a string, found {name!r}")
        if name in seen:
            raise FormatError(
                f"{where}: tensor {index} has the name {name!r}, which another tensor has already"
            )
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise FormatError(
                f"{where}: the name {name!r} of tensor {index} has no UTF-8 form: {error.reason}"
            ) from None
        seen.add(name)


def _parts(array: _Array) -> tuple[np.ndarray[Any, Any], ...]:
    """Elements, then index arrays, in the order of the file."""
    if isinstance(array, RowSparse):
        return array.data, array.indices
    if isinstance(array, Csr):
        return array.data, array.indptr, array.indices
    return (array,)


def _head(where: str, array: _Array, np_shape: bool) -> bytes:
    """All of a record that precedes its elements."""
    data, *aux = _parts(array)
    if not isinstance(array, np.ndarray):
        _check_sparse(where, array, np_shape)
    elif array.ndim == 0 and not np_shape:
        raise FormatError(
            f"{where}: an array of shape () needs np_shape=True; otherwise give it the shape (1,)"
        )
    if len(array.shape) > MAX_NDIM:
        raise FormatError(f"{where}: expected at most {MAX_NDIM} dimensions, found {len(array.shape)}")
    stype = 1 if isinstance(array, RowSparse) else 2 if isinstance(array, Csr) else 0
    head = struct.pack("<Ii", V3_MAGIC if np_shape else V2_MAGIC, stype)
    if aux:
        head += _shape(data.shape)
    head += _shape(array.shape) + _CPU + struct.pack("<i", _flag(where, data.dtype))
    return head + b"".join(struct.pack("<i", _flag(where, part.dtype)) + _shape(part.shape) for part in aux)


def _check_sparse(where: str, array: RowSparse | Csr, np_shape: bool) -> None:
    if np_shape:
        raise FormatError(f"{where}: MXNet cannot hold sparse arrays under NumPy shape semantics")
    data, shape, indices = array.data, tuple(array.shape), array.indices
    if isinstance(array, Csr):
        fits = len(shape) == 2 and data.ndim == 1 and array.indptr.shape == (shape[0] + 1,)
        kinds = array.indptr.dtype.kind + indices.dtype.kind
    else:
        fits = len(shape) >= 1 and data.ndim == len(shape) and data.shape[1:] == shape[1:]
        kinds = indices.dtype.kind
    if not fits or indices.shape != data.shape[:1] or kinds.strip("iu"):
        raise FormatError(
            f"{where}: the parts of this sparse array of shape {shape} do not fit together: "
            + ", ".join(f"{part.dtype} {part.shape}" for part in _parts(array))
        )


def _shape(shape: Sequence[int]) -> bytes:
    return struct.pack(f"<i{len(shape)}q", len(shape), *shape)


def _flag(where: str, dtype: np.dtype[Any]) -> int:
    flag = _FLAG_OF_DTYPE.get(dtype.newbyteorder("<") if dtype.kind in "iufb" else dtype)
    if flag is None:
        legal = ", ".join(sorted(dtype.name for dtype in _FLAG_OF_DTYPE))
        raise FormatError(f"{where}: MXNet's format has no type {dtype.name}; expected one of {legal}")
    return flag


def _write_elements(stream: BinaryIO, array: np.ndarray[Any, Any]) -> None:
    if array.dtype.kind in "iuf":
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    if array.size:
        stream.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
