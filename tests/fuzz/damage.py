"""Damaged files: of their bytes, of a JSON document, and of the fields of a protocol buffer."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from .seeds import MODELS, PARAMS, SYMBOLS

__all__ = ["FORMATS"]

_INTEGERS = [
    0,
    1,
    -1,
    2,
    7,
    13,
    26,
    127,
    255,
    2**15,
    2**31 - 1,
    2**31,
    -(2**31),
    2**32,
    2**62,
    2**63 - 1,
    -(2**63),
]
_TEXTS = [
    "",
    "x",
    "y",
    "w",
    "../x",
    "/etc/passwd",
    "a/b\\c",
    "\0",
    "é" * 9,
    "1",
    "(1,)",
    "(1, 2",
    "-1",
    "nan",
    "9" * 99,
]
_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    3,
    2**40,
    0.5,
    "",
    "x",
    "null",
    [],
    [0],
    [0, 0],
    [[0, 0]],
    {},
    {"a": 1},
]


def _bytes(draw: Callable[[Any], Any], content: bytes) -> bytes:
    """A few bytes flipped, set, cut out, doubled or put in."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 6))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        kind = draw(st.sampled_from(["flip", "set", "word", "cut", "insert", "double", "end"]))
        if kind == "flip":
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set":
            data[at] = draw(st.sampled_from([0, 1, 127, 128, 255]))
        elif kind == "word":
            size, form = draw(st.sampled_from([(4, "<I"), (8, "<Q")]))
            data[at : at + size] = struct.pack(form, draw(st.sampled_from(_INTEGERS)) % (1 << 8 * size))
        elif kind == "cut":
            del data[at : at + draw(st.integers(1, 64))]
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=16))
        elif kind == "double":
            data[at:at] = data[at : at + draw(st.integers(1, 256))]
        else:
            del data[at:]
    return bytes(data)


def _document(draw: Callable[[Any], Any], content: bytes) -> bytes:
    """Members of a JSON document replaced, removed or moved."""
    graph = copy.deepcopy(json.loads(content))
    for _ in range(draw(st.integers(1, 4))):
        place: Any = graph
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.integers(0, 5)):
                place = place[key]
                continue
            kind = draw(st.sampled_from(["value", "text", "delete", "other"]))
            if kind == "delete":
                del place[key]
            elif kind == "other":
                place[key] = copy.deepcopy(place[draw(st.sampled_from(keys))])
            else:
                place[key] = copy.deepcopy(draw(st.sampled_from(_VALUES if kind == "value" else _TEXTS)))
            break
    return json.dumps(graph).encode()


def _message(draw: Callable[[Any], Any], model: Any) -> bytes:
    """Fields of a model changed, removed, repeated or moved."""
    model = copy.deepcopy(model)
    for _ in range(draw(st.integers(1, 4))):
        place = model
        while True:
            fields = [f for f, _ in place.ListFields()]
            if not fields:
                break
            field = draw(st.sampled_from(fields))
            inner = field.message_type is not None
            value = getattr(place, field.name)
            if inner and draw(st.integers(0, 7)):
                place = value if not field.is_repeated else value[draw(st.integers(0, len(value) - 1))]
                continue
            if not field.is_repeated:
                _set(draw, place, field)
            else:
                _shuffle(draw, place, field, value)
            break
    return bytes(model.SerializeToString())


def _scalar(draw: Callable[[Any], Any], field: Any) -> Any:
    kind = field.cpp_type
    if kind == field.CPPTYPE_ENUM:
        return draw(st.sampled_from([v.number for v in field.enum_type.values]))
    if kind == field.CPPTYPE_INT32:
        return draw(st.sampled_from([v for v in _INTEGERS if -(2**31) <= v < 2**31]))
    if kind == field.CPPTYPE_INT64:
        return draw(st.sampled_from([v for v in _INTEGERS if -(2**63) <= v < 2**63]))
    if kind in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64):
        return draw(st.sampled_from([v for v in _INTEGERS if 0 <= v < 2**32]))
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return draw(st.sampled_from([0.0, -1.0, 1e30, float("nan"), float("inf")]))
    text = draw(st.sampled_from(_TEXTS))
    return text if field.type == field.TYPE_STRING else text.encode()


def _set(draw: Callable[[Any], Any], place: Any, field: Any) -> None:
    place.ClearField(field.name)
    if field.message_type is None and draw(st.booleans()):
        setattr(place, field.name, _scalar(draw, field))


def _shuffle(draw: Callable[[Any], Any], place: Any, field: Any, value: Any) -> None:
    kind = draw(st.sampled_from(["delete", "repeat", "reverse", "set"]))
    items = list(value)
    at = draw(st.integers(0, len(items) - 1))
    if kind == "delete":
        del value[at]
        return
    if kind == "set" and field.message_type is None:
        value[at] = _scalar(draw, field)
        return
    changed = (
        items[::-1] if kind == "reverse" else [*items[: at + 1], copy.deepcopy(items[at]), *items[at + 1 :]]
    )
    changed = copy.deepcopy(changed)
    place.ClearField(field.name)
    getattr(place, field.name).extend(changed)


@st.composite
def _damaged(
    draw: Callable[[Any], Any], files: list[Any], structured: Any, plain: Callable[[Any], bytes]
) -> bytes:
    file = draw(st.sampled_from(files))
    if structured is not None and draw(st.integers(0, 3)):
        return bytes(structured(draw, file))
    return _bytes(draw, plain(file))


#: Strategies of damaged files, by format.
FORMATS: dict[str, st.SearchStrategy[bytes]] = {
    "symbol": _damaged(SYMBOLS, _document, bytes),
    "params": _damaged(PARAMS, None, bytes),
    "onnx": _damaged(MODELS, _message, lambda m: bytes(m.SerializeToString())),
}
