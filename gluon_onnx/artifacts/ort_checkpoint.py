"""Checkpoints of ONNX Runtime's on-device training: FlatBuffers with the identifier ODTC."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from flatbuffers import number_types
from flatbuffers.table import Table

from ..base import MXNetError
from .checkpoint import ORT_IDENTIFIER, Checkpoint, saving
from .manifest import Manifest
from .wire import ELEMENT_NUMBERS

__all__ = [
    "OrtCheckpoint",
    "as_checkpoint",
    "as_ort_checkpoint",
    "read_ort_checkpoint",
    "write_ort_checkpoint",
]

Array = np.ndarray[Any, Any]

VERSION = 2  # the only one that release 1.19 reads
GROUP = "group0"
_ELEMENTS = {number: name for name, number in ELEMENT_NUMBERS.items()}


@dataclass
class OrtCheckpoint:
    """What such a file holds.

    Attributes
    ----------
    trainable, frozen : parameters by name.
    states : momenta by parameter, in their order.
    step : number of updates done.
    learning_rate : the initial one.
    properties : numbers and texts of the user.
    """

    trainable: dict[str, Array]
    frozen: dict[str, Array]
    states: dict[str, list[Array]] = field(default_factory=dict)
    step: int = 0
    learning_rate: float = 0.001
    properties: dict[str, Any] = field(default_factory=dict)


# -- reading -------------------------------------------------------------------------------------------------------
# Fields are found by their number in the schema; a field that is absent has its default.


class _Reader:
    """A table of a FlatBuffer."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def _offset(self, slot: int) -> int:
        return int(self.table.Offset(4 + 2 * slot))

    def child(self, slot: int) -> _Reader | None:
        at = self._offset(slot)
        if not at:
            return None
        return _Reader(Table(self.table.Bytes, self.table.Indirect(at + self.table.Pos)))

    def children(self, slot: int) -> list[_Reader]:
        at = self._offset(slot)
        if not at:
            return []
        start = self.table.Vector(at)
        return [
            _Reader(Table(self.table.Bytes, self.table.Indirect(start + 4 * i)))
            for i in range(self.table.VectorLen(at))
        ]

    def text(self, slot: int) -> str:
        at = self._offset(slot)
        return self.table.String(at + self.table.Pos).decode() if at else ""

    def number(self, slot: int, flags: Any, default: Any) -> Any:
        at = self._offset(slot)
        return self.table.Get(flags, at + self.table.Pos) if at else default

    def vector(self, slot: int, flags: Any) -> Array:
        at = self._offset(slot)
        if not at:
            return np.empty(0, flags.py_type)
        found: Array = self.table.GetVectorAsNumpy(flags, at)
        return found


def _array(t: _Reader, where: str) -> tuple[str, Array]:
    """Name and value of a tensor."""
    name, number = t.text(0), t.number(3, number_types.Int32Flags, 0)
    if number not in _ELEMENTS:
        raise MXNetError(
            f"{where}: parameter {name!r} has the element type {number}, which NumPy does not have"
        )
    if t.number(6, number_types.Int64Flags, -1) >= 0:
        raise MXNetError(f"{where}: parameter {name!r} is in a file of its own, which is not supported")
    shape = [int(d) for d in t.vector(2, number_types.Int64Flags)]
    return name, t.vector(4, number_types.Uint8Flags).view(_ELEMENTS[number]).reshape(shape)


def read_ort_checkpoint(path: str | os.PathLike[str]) -> OrtCheckpoint:
    """Read a file.

    Raises
    ------
    MXNetError : it is truncated, damaged, or of another version.
    """
    where = os.fspath(path)
    with open(where, "rb") as stream:
        raw = bytearray(stream.read())
    try:
        root = _Reader(Table(raw, flatbuffers.encode.Get(flatbuffers.packer.uoffset, raw, 0)))
        version = root.number(0, number_types.Int32Flags, 0)
        if version != VERSION:
            raise MXNetError(f"{where}: version {version} of ONNX Runtime's checkpoints; expected {VERSION}")
        state = root.child(1)
        if state is None:
            raise MXNetError(f"{where}: the checkpoint has no parameters")
        trainable, frozen = (dict(_array(t, where) for t in state.children(slot)) for slot in (0, 1))
        found = OrtCheckpoint(trainable, frozen)
        for group in root.children(2)[:1]:
            found.step = group.number(1, number_types.Int64Flags, 0)
            found.learning_rate = group.number(2, number_types.Float32Flags, 0.001)
            for s in group.children(3):
                found.states[s.text(0)] = [_array(t, where)[1] for t in s.children(1)]
        bag = root.child(3)
        if bag is not None:
            for slot, flags in ((0, number_types.Int64Flags), (1, number_types.Float32Flags)):
                found.properties |= {p.text(0): p.number(1, flags, 0) for p in bag.children(slot)}
            found.properties |= {p.text(0): p.text(1) for p in bag.children(2)}
        return found
    except (IndexError, ValueError, TypeError, OverflowError, struct.error) as e:
        raise MXNetError(f"{where}: truncated or damaged checkpoint of ONNX Runtime ({e})") from e


# -- writing -------------------------------------------------------------------------------------------------------


def _vector(b: Any, items: list[int]) -> int:
    b.StartVector(4, len(items), 4)
    for item in reversed(items):
        b.PrependUOffsetTRelative(item)
    return int(b.EndVector())


def _table(b: Any, size: int, *fields: Callable[[], None]) -> int:
    b.StartObject(size)
    for add in fields:
        add()
    return int(b.EndObject())


def _ref(b: Any, slot: int, offset: int) -> Callable[[], None]:
    return lambda: b.PrependUOffsetTRelativeSlot(slot, offset, 0)


def _tensor(b: Any, name: str, array: Array) -> int:
    raw = b.CreateByteVector(np.ascontiguousarray(array).tobytes())
    dims = b.CreateNumpyVector(np.array(array.shape, np.int64))
    text = b.CreateString(name)
    return _table(
        b,
        7,
        _ref(b, 0, text),
        _ref(b, 2, dims),
        lambda: b.PrependInt32Slot(3, ELEMENT_NUMBERS[array.dtype.name], 0),
        _ref(b, 4, raw),
    )


def _number(b: Any, slot: int, value: float) -> Callable[[], None]:
    if isinstance(value, int):
        return lambda: b.PrependInt64Slot(slot, value, 0)
    return lambda: b.PrependFloat32Slot(slot, value, 0)


def _properties(b: Any, values: Mapping[str, Any]) -> int:
    kinds: list[list[int]] = [[], [], []]
    for key, value in values.items():
        name = b.CreateString(key)
        if isinstance(value, int | float):
            kinds[isinstance(value, float)].append(_table(b, 2, _ref(b, 0, name), _number(b, 1, value)))
        else:
            kinds[2].append(_table(b, 2, _ref(b, 0, name), _ref(b, 1, b.CreateString(str(value)))))
    vectors = [_vector(b, items) for items in kinds]
    return _table(b, 3, *(_ref(b, slot, v) for slot, v in enumerate(vectors)))


def write_ort_checkpoint(path: str | os.PathLike[str], checkpoint: OrtCheckpoint) -> None:
    """Write a file, which takes the place of the old one when it is complete.

    Raises
    ------
    OSError : it cannot be written; the old file is unchanged.
    """
    b = flatbuffers.Builder(1 << 16)
    bag = _properties(b, checkpoint.properties)
    entries = []
    for name, momenta in checkpoint.states.items():
        tensors = _vector(b, [_tensor(b, f"momentum{i}", x) for i, x in enumerate(momenta)])
        entries.append(_table(b, 2, _ref(b, 0, b.CreateString(name)), _ref(b, 1, tensors)))
    states, group_name = _vector(b, entries), b.CreateString(GROUP)
    group = _table(
        b,
        4,
        _ref(b, 0, group_name),
        lambda: b.PrependInt64Slot(1, checkpoint.step, 0),
        lambda: b.PrependFloat32Slot(2, checkpoint.learning_rate, 0.0),
        _ref(b, 3, states),
    )
    groups = _vector(b, [group])
    trainable, frozen = (
        _vector(b, [_tensor(b, n, x) for n, x in part.items()])
        for part in (checkpoint.trainable, checkpoint.frozen)
    )
    module = _table(b, 4, _ref(b, 0, trainable), _ref(b, 1, frozen))
    root = _table(
        b,
        4,
        lambda: b.PrependInt32Slot(0, VERSION, 0),
        _ref(b, 1, module),
        _ref(b, 2, groups),
        _ref(b, 3, bag),
    )
    b.Finish(root, ORT_IDENTIFIER)
    with saving(path) as stream:
        stream.write(b.Output())


# -- the other form ------------------------------------------------------------------------------------------------

_NOTES = "gluon_onnx"  # the property that holds what such a file has no place for


def as_checkpoint(found: OrtCheckpoint, manifest: Manifest) -> Checkpoint:
    """The same in our form; states that are not there yet are zero."""
    arrays = {**found.trainable, **found.frozen}
    for p in manifest.parameters:
        momenta = found.states.get(p.name) or [np.zeros(p.shape, p.dtype) for _ in p.states]
        arrays.update(zip(p.states, momenta, strict=False))
    properties = {k: v for k, v in found.properties.items() if k != _NOTES}
    try:
        notes: dict[str, str] = json.loads(found.properties.get(_NOTES, "{}"))
    except ValueError as e:
        raise MXNetError(f"the property {_NOTES!r} of the checkpoint is damaged ({e})") from e
    return Checkpoint(arrays, {"properties": json.dumps(properties), **notes, "step": str(found.step)})


def as_ort_checkpoint(
    arrays: Mapping[str, Array], notes: Mapping[str, str], manifest: Manifest
) -> OrtCheckpoint:
    """The same in ONNX Runtime's form."""
    trainable = {p.name: arrays[p.name] for p in manifest.parameters if p.trainable}
    frozen = {p.name: arrays[p.name] for p in manifest.parameters if not p.trainable}
    states = {
        p.name: [arrays[s] for s in p.states]
        or [np.zeros(p.shape, p.dtype)]  # gradient descent has an unused one
        for p in manifest.parameters
        if p.trainable
    }
    rest = {k: v for k, v in notes.items() if k != "step"}
    step, rate = int(notes["step"]), manifest.optimizer.learning_rate
    return OrtCheckpoint(trainable, frozen, states, step, rate, {_NOTES: json.dumps(rest)})
