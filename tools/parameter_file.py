"""Files of arrays: MXNet's ``.params``, and safetensors. Elements are read in pieces, when they are asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..graph.errors import FormatError
from ..graph.importers.params import read_params
from .model_file import Parameter, numpy_type
from .tables import counted

if TYPE_CHECKING:
    import onnx

    from ..graph.importers.params import TensorRecord
    from .model_file import ModelFile

__all__ = ["add_checkpoint", "pieces", "read_parameters", "read_safetensors"]

_TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
}  # fmt: skip
_ORT_IDENTIFIER = b"ODTC"  # in checkpoints of ONNX Runtime's on-device training, which are flatbuffers
_LONGEST_HEADER = 100_000_000


def pieces(
    path: str | os.PathLike[str], dtype: np.dtype[Any], size: int, offset: int, count: int
) -> Iterator[npt.NDArray[Any]]:
    """Vectors of up to `count` elements of `size` in all that lie in a file, read one after the other.

    Read, not mapped: pages of a mapped file stay in memory for as long as there is room.
    """
    with open(path, "rb") as stream:
        stream.seek(offset)
        for start in range(0, size, count):
            wanted = min(count, size - start) * dtype.itemsize
            found = stream.read(wanted)
            if len(found) < wanted:
                raise FormatError(
                    f"{os.fspath(path)}: the file is cut short: byte {stream.tell()} is its last"
                )
            yield np.frombuffer(found, dtype)


def read_parameters(path: Path) -> dict[str, Parameter]:
    """The arrays of a ``.params`` file; ``arg:`` and ``aux:`` are taken off their names.

    A plain list of arrays gets its numbers as names.

    Raises
    ------
    FormatError : the file is damaged, or two arrays have the same name.
    """

    def parameter(record: TensorRecord, name: str) -> Parameter:
        plain = name.removeprefix("arg:").removeprefix("aux:")
        size = prod(record.data_shape)
        return Parameter(
            plain,
            record.dtype.name,
            record.shape,
            record.nbytes,
            lambda: stored(record),
            lambda count: pieces(path, record.dtype, size, record.offset, count),
            name.startswith("aux:"),
        )

    file = read_params(path)
    records = file.as_dict() if file.names else {str(i): record for i, record in enumerate(file.arrays)}
    found: dict[str, Parameter] = {}
    for name, record in records.items():
        made = parameter(record, name)
        if found.setdefault(made.name, made) is not made:
            raise FormatError(
                f"{path}: both arg:{made.name} and aux:{made.name}, or one without prefix, are there"
            )
    return found


def stored(record: TensorRecord) -> npt.NDArray[Any]:
    """The elements that a record stores, of a sparse one too."""
    value = record.value()
    if value is None:
        return np.empty(0, np.float32)
    return value if isinstance(value, np.ndarray) else value.data


def read_safetensors(path: Path) -> dict[str, Parameter]:
    """The arrays of a safetensors file.

    Raises
    ------
    FormatError : the file is damaged; names the array.
    """
    total = path.stat().st_size
    with path.open("rb") as stream:
        start = 8 + int.from_bytes(stream.read(8), "little")
        if total < 8 or not 8 < start <= min(total, _LONGEST_HEADER):
            raise FormatError(
                f"{path}: not a safetensors file: its header would end at byte {start} of {total}"
            )
        try:
            header = json.loads(stream.read(start - 8))
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{path}: not a safetensors file: its header is not JSON") from error
    if not isinstance(header, dict):
        raise FormatError(f"{path}: not a safetensors file: its header is not an object")
    header.pop("__metadata__", None)
    return {name: _entry(path, name, item, start, total) for name, item in header.items()}


def add_checkpoint(model: ModelFile, path: Path) -> None:
    """Take the parameters of a model of training artifacts, which are its inputs, from the checkpoint beside it."""
    with path.open("rb") as stream:
        if stream.read(8)[4:] == _ORT_IDENTIFIER:
            model.notes.append(f"{path} is of ONNX Runtime's on-device training: it was not read")
            return
    if model.proto is None:
        return
    stored = read_safetensors(path)
    names = {tensor.name for tensor in model.inputs}
    found = {name: parameter for name, parameter in stored.items() if name in names}
    model.parameters.update(found)
    model.inputs = [tensor for tensor in model.inputs if tensor.name not in found]
    model.params_path = path
    _make_constants(model.proto.graph, found, path)
    if len(stored) > len(found):
        rest = counted(len(stored) - len(found), "array")
        model.notes.append(
            f"{path} also holds {rest} that this model does not read, as states of the optimizer"
        )


def _make_constants(graph: onnx.GraphProto, found: Mapping[str, Parameter], path: Path) -> None:
    """Make inputs of a graph constants whose external data lies in a checkpoint beside the model."""
    from onnx import TensorProto, helper

    kept = [value for value in graph.input if value.name not in found]
    del graph.input[:]
    graph.input.extend(kept)
    for name, parameter in found.items():
        number = helper.np_dtype_to_tensor_dtype(numpy_type(parameter.dtype))
        stored = TensorProto(name=name, data_type=number, dims=parameter.shape)
        stored.data_location = TensorProto.EXTERNAL
        for key, value in (
            ("location", path.name),
            ("offset", parameter.offset),
            ("length", parameter.nbytes),
        ):
            stored.external_data.add(key=key, value=str(value))
        graph.initializer.append(stored)


def _entry(path: Path, name: str, item: Any, start: int, total: int) -> Parameter:
    """One array of a safetensors file."""
    try:
        dtype = numpy_type(_TYPES[item["dtype"]])
        shape = tuple(map(int, item["shape"]))
        begin, end = map(int, item["data_offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: tensor {name!r}: its type, shape or offsets are malformed") from error
    nbytes = prod(shape) * dtype.itemsize
    if min((0, *shape)) < 0 or not 0 <= begin <= end <= total - start or end - begin != nbytes:
        raise FormatError(
            f"{path}: tensor {name!r}: {nbytes} bytes of {dtype.name} {shape} cannot lie at {begin} to {end}"
        )

    def blocks(count: int) -> Iterator[npt.NDArray[Any]]:
        return pieces(path, dtype, prod(shape), start + begin, count)

    def load() -> npt.NDArray[Any]:
        return next(blocks(prod(shape) or 1), np.empty(0, dtype)).reshape(shape)

    return Parameter(name, dtype.name, shape, nbytes, load, blocks, offset=start + begin)
