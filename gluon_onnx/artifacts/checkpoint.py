"""Checkpoints: arrays and texts in a file of the safetensors format, written so that there is always a whole one."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from ..base import MXNetError
from ..graph.exporters._files import replaced_file

__all__ = ["Checkpoint", "is_ort_checkpoint", "read_checkpoint", "write_checkpoint"]

Array = np.ndarray[Any, Any]

_CODES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32", "I16": "int16",
    "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
_NAMES = {name: code for code, name in _CODES.items()}
_PREFIX = 8  # bytes of the header's size
_METADATA = "__metadata__"
ORT_IDENTIFIER = b"ODTC"


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Attributes
    ----------
    arrays : by name; views of the mapped file.
    notes : texts by name.
    """

    arrays: Mapping[str, Array]
    notes: Mapping[str, str]


def is_ort_checkpoint(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as a checkpoint of ONNX Runtime's on-device training."""
    with open(path, "rb") as stream:
        return stream.read(8)[4:] == ORT_IDENTIFIER


def write_checkpoint(
    path: str | os.PathLike[str], arrays: Mapping[str, Array], notes: Mapping[str, str]
) -> None:
    """Write a file that takes the place of the one that is there only when it is complete and on the disk.

    Raises
    ------
    OSError : the file cannot be written; what was there before is still there.
    """
    header: dict[str, Any] = {_METADATA: dict(notes)}
    offset = 0
    for name, array in arrays.items():
        end = offset + array.nbytes
        header[name] = {
            "dtype": _NAMES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with saving(path) as stream:
        stream.write(len(text).to_bytes(_PREFIX, "little") + text)
        for array in arrays.values():
            stream.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


@contextmanager
def saving(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """`replaced_file` for a checkpoint: an error says that it is one, and that the old file is unchanged."""
    try:
        with replaced_file(path) as stream:
            yield stream
    except OSError as e:
        target = os.fspath(path)
        kept = "; the checkpoint that was there before is unchanged" if os.path.exists(target) else ""
        raise OSError(e.errno, f"the checkpoint could not be saved: {e.strerror or e}{kept}", target) from e


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a file.

    Raises
    ------
    MXNetError : the file is truncated, or no checkpoint.
    OSError : it cannot be read.
    """
    where = os.fspath(path)
    size = os.path.getsize(where)
    with open(where, "rb") as stream:
        prefix = stream.read(_PREFIX)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < _PREFIX or length < 2:
            raise MXNetError(f"{where}: not a checkpoint, or a truncated one: it has {size} bytes")
        if _PREFIX + length > size:
            raise MXNetError(
                f"{where}: not a checkpoint, or a truncated one: its header would end at byte {_PREFIX + length}, "
                f"the file has {size}"
            )
        try:
            header = json.loads(stream.read(length))
            notes = dict(header.pop(_METADATA, {}))
            entries = {str(n): _entry(e) for n, e in header.items()}
        except (ValueError, TypeError, KeyError, AttributeError) as e:
            raise MXNetError(f"{where}: not a checkpoint: its header cannot be read ({e})") from e
    start = _PREFIX + length
    needed = start + max((end for *_, end in entries.values()), default=0)
    if needed > size:
        raise MXNetError(f"{where}: truncated checkpoint: expected {needed} bytes, the file has {size}")
    data = np.memmap(where, np.uint8, "r") if size > start else np.empty(0, np.uint8)
    arrays = {
        name: data[start + begin : start + end].view(dt).reshape(shape).view(np.ndarray)
        for name, (dt, shape, begin, end) in entries.items()
    }
    return Checkpoint(arrays, notes)


def _entry(entry: Any) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    dt, shape = np.dtype(_CODES[entry["dtype"]]), tuple(int(d) for d in entry["shape"])
    begin, end = (int(x) for x in entry["data_offsets"])
    if begin < 0 or min(shape, default=0) < 0 or end - begin != math.prod(shape) * dt.itemsize:
        raise ValueError(f"an array {dt}{list(shape)} cannot have {end - begin} bytes")
    return dt, shape, begin, end
