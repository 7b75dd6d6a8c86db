"""Just enough of protobuf's wire format to look into ONNX models and to complete them.

With it a training session, which runs on machines without ONNX's own package, makes an inference model of its
parameters. Messages are merged by concatenation, as protobuf defines it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from ..base import MXNetError

__all__ = ["ELEMENT_NUMBERS", "NodeInfo", "nodes", "with_outputs", "write_complete"]

Array = np.ndarray[Any, Any]

#: ONNX's numbers of element types.
ELEMENT_NUMBERS = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9,
    "float16": 10, "float64": 11, "uint32": 12, "uint64": 13,
}  # fmt: skip

# Numbers of fields in onnx.proto.
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_VALUE_NAME = 1
_NODE_OUTPUT, _NODE_NAME, _NODE_OP, _NODE_METADATA = 2, 3, 4, 9
_DIMS, _TYPE, _NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 8, 9, 13, 14

_FIXED = {1: 8, 5: 4}  # bytes of a value by wire type
_VARINT, _BYTES = 0, 2
_FEW = 1_500_000_000  # bytes of parameters up to which they are in the model itself


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number, and the position behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """(number, value, value with its tag) of each field of a message; numbers come without a value."""
    at = 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            begin, (_, at) = at, _varint(data, at)
        elif kind == _BYTES:
            size, begin = _varint(data, at)
            at = begin + size
        elif kind in _FIXED:
            begin, at = at, at + _FIXED[kind]
        else:
            raise IndexError(f"wire type {kind}")
        if at > len(data):
            raise IndexError("a field ends behind the message")
        yield tag >> 3, data[begin:at], data[start:at]


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _integer(field: int, value: int) -> bytes:
    return _number(field << 3 | _VARINT) + _number(value)


def _head(field: int, size: int) -> bytes:
    return _number(field << 3 | _BYTES) + _number(size)


def _text(field: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _head(field, len(raw)) + raw


def _first(message: memoryview, field: int) -> str:
    return next((bytes(value).decode() for number, value, _ in _fields(message) if number == field), "")


def _read(model: bytes, what: str, look: Callable[[memoryview], Any]) -> Any:
    """What `look` finds in a model's graph.

    Raises
    ------
    MXNetError : the bytes are no model.
    """
    try:
        graphs = [value for number, value, _ in _fields(memoryview(model)) if number == _MODEL_GRAPH]
        if len(graphs) != 1:
            raise IndexError("no graph")
        return look(graphs[0])
    except (IndexError, UnicodeDecodeError) as e:
        raise MXNetError(f"{what}: not an ONNX model, or a damaged one ({e})") from e


@dataclass(frozen=True)
class NodeInfo:
    """A node of a model: its operator, the names of its outputs, and its notes (which node it came from)."""

    name: str
    op_type: str
    outputs: tuple[str, ...]
    notes: Mapping[str, str]


def _node(message: memoryview) -> NodeInfo:
    found: dict[int, list[memoryview]] = {}
    for number, value, _ in _fields(message):
        found.setdefault(number, []).append(value)

    def texts(field: int) -> list[str]:
        return [bytes(v).decode() for v in found.get(field, [])]

    notes = {_first(v, 1): _first(v, 2) for v in found.get(_NODE_METADATA, [])}
    name, op_type = ("".join(texts(field)[:1]) for field in (_NODE_NAME, _NODE_OP))
    return NodeInfo(name, op_type, tuple(filter(None, texts(_NODE_OUTPUT))), notes)


def nodes(model: bytes, what: str) -> list[NodeInfo]:
    """The nodes of a model's main graph, in order.

    Raises
    ------
    MXNetError : the bytes are no model; `what` is the file's name.
    """

    def look(graph: memoryview) -> list[NodeInfo]:
        return [_node(value) for number, value, _ in _fields(graph) if number == _GRAPH_NODE]

    found: list[NodeInfo] = _read(model, what, look)
    return found


def with_outputs(model: bytes, names: Sequence[str]) -> bytes:
    """The model with further values as outputs."""
    more = b"".join(_text(_GRAPH_OUTPUT, _text(_VALUE_NAME, name)) for name in names)
    return model + _text(_MODEL_GRAPH, more)


def _tensor(name: str, array: Array, place: tuple[str, int] | None) -> bytes:
    """A TensorProto but for its values, which are at an offset of another file or follow as raw data."""
    out = b"".join(_integer(_DIMS, d) for d in array.shape)
    out += _integer(_TYPE, ELEMENT_NUMBERS[array.dtype.name]) + _text(_NAME, name)
    if place is None:
        return out + _head(_RAW, array.nbytes)
    entries = {"location": place[0], "offset": str(place[1]), "length": str(array.nbytes)}
    out += b"".join(_text(_EXTERNAL, _text(1, k) + _text(2, v)) for k, v in entries.items())
    return out + _integer(_LOCATION, 1)


def write_complete(
    model: bytes,
    what: str,
    values: Mapping[str, Array],
    outputs: Collection[str] | None,
    stream: BinaryIO,
    data: tuple[str, BinaryIO] | None = None,
) -> None:
    """Write a model in which inputs have become initializers.

    Parameters
    ----------
    what : the model's name for messages.
    values : the inputs' values.
    outputs : names of the outputs to keep; all by default.
    data : name and stream of a file for the values. Without it they are in the model itself.

    Raises
    ------
    MXNetError : the bytes are no model.
    """

    def look(graph: memoryview) -> list[memoryview]:
        kept = []
        for number, value, whole in _fields(graph):
            if number == _GRAPH_INPUT and _first(value, _VALUE_NAME) in values:
                continue
            if number == _GRAPH_OUTPUT and outputs is not None and _first(value, _VALUE_NAME) not in outputs:
                continue
            kept.append(whole)
        return kept

    kept = _read(model, what, look)
    for number, _, whole in _fields(memoryview(model)):
        if number != _MODEL_GRAPH:
            stream.write(whole)
    stream.write(_head(_MODEL_GRAPH, sum(map(len, kept))))
    for part in kept:
        stream.write(part)
    offset = 0
    for name, value in values.items():
        array = np.ascontiguousarray(value).reshape(value.shape)
        raw = array.reshape(-1).view(np.uint8).data
        head = _tensor(name, array, None if data is None else (data[0], offset))
        size = len(head) + (array.nbytes if data is None else 0)
        inner = _head(_GRAPH_INITIALIZER, size)
        stream.write(_head(_MODEL_GRAPH, len(inner) + size) + inner + head)
        (stream if data is None else data[1]).write(raw)
        offset += array.nbytes


def fits_inside(values: Mapping[str, Array]) -> bool:
    """Whether parameters are few enough to be in the model itself; protobuf ends at 2 GiB."""
    return sum(v.nbytes for v in values.values()) <= _FEW
