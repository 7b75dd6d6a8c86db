"""Attributes of ONNX nodes as the strings that a Symbol's node has, and back.

Numbers, tuples of numbers and texts are written as MXNet writes them. Tensors, graphs and whatever else has no such
form is written as its bytes: ``onnx:`` and the base64 form of the AttributeProto.
"""

from __future__ import annotations

import ast
import base64
import binascii
import math
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, EncodeError

from .errors import AttributeParseError

__all__ = ["read_attribute", "write_attribute"]

_PROTO = "onnx:"
_Kind = onnx.AttributeProto
_SHORT = 1024  # length of texts whose attributes are kept
_WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def write_attribute(attribute: onnx.AttributeProto, kind: int | None) -> str:
    """The text of an attribute.

    Parameters
    ----------
    kind : the type that the operator declares for it; None where that is not known.
    """
    text = _plain(attribute)
    if text is not None and not text.startswith(_PROTO) and not attribute.doc_string:
        try:
            same = _parsed(attribute.name, text, kind).SerializeToString() == attribute.SerializeToString()
        except (ValueError, SyntaxError, TypeError):
            same = False
        if same:
            return text
    return _PROTO + base64.b64encode(attribute.SerializeToString()).decode("ascii")


def _plain(a: onnx.AttributeProto) -> str | None:
    if a.type == _Kind.INT:
        return str(a.i)
    if a.type == _Kind.FLOAT:
        return _number(a.f)
    if a.type == _Kind.INTS:
        return str(tuple(a.ints))
    if a.type == _Kind.FLOATS:
        return "(" + ", ".join(map(_number, a.floats)) + ("," if len(a.floats) == 1 else "") + ")"
    if a.type == _Kind.STRING:
        try:
            return a.s.decode("utf-8")
        except UnicodeDecodeError:
            return None
    return None


def _number(value: float) -> str:
    """The shortest text of a single-precision number that is no integer's."""
    text = str(np.float32(value))
    return text if any(c in text for c in ".en") else f"{text}.0"


def read_attribute(name: str, text: str, kind: int | None) -> onnx.AttributeProto:
    """The attribute that a text stands for; it must not be changed.

    What comes from a file is not checked any further: see `importers.onnx_file.check_attribute`.

    Raises
    ------
    AttributeParseError : it stands for none of the declared type.
    """
    return (_cached if len(text) <= _SHORT else _read)(name, text, kind)


def _read(name: str, text: str, kind: int | None) -> onnx.AttributeProto:
    try:
        found = _decoded(name, text) if text.startswith(_PROTO) else _parsed(name, text, kind)
    except (ValueError, SyntaxError, TypeError, OverflowError, RecursionError, MemoryError) as e:
        expected = f"{_Kind.AttributeType.Name(kind)} " if kind else ""
        shown = text if len(text) < 80 else f"{text[:77]}..."
        raise AttributeParseError(f"attribute {name!r}: expected {expected}text, got {shown!r}") from e
    if kind and found.type != kind:
        names = [_Kind.AttributeType.Name(k) for k in (kind, found.type)]
        raise AttributeParseError(f"attribute {name!r}: expected {names[0]}, got {names[1]}")
    return found


_cached = lru_cache(maxsize=4096)(_read)


def _decoded(name: str, text: str) -> onnx.AttributeProto:
    found = onnx.AttributeProto()
    try:
        found.ParseFromString(base64.b64decode(text[len(_PROTO) :], validate=True))
    except (binascii.Error, DecodeError, EncodeError) as e:
        raise ValueError(str(e)) from e
    if found.name != name:
        raise ValueError(f"it is the attribute {found.name!r}")
    return found


def _parsed(name: str, text: str, kind: int | None) -> onnx.AttributeProto:
    value: Any = text
    if kind != _Kind.STRING:
        try:
            value = _WORDS[text] if text in _WORDS else _literal(text)
        except (ValueError, SyntaxError):
            if kind is not None:
                raise
    found = onnx.AttributeProto(name=name)
    if isinstance(value, str) and kind in (None, _Kind.STRING):
        found.type, found.s = _Kind.STRING, value.encode("utf-8")
    elif isinstance(value, tuple):
        whole = kind == _Kind.INTS or (kind is None and all(type(v) is int for v in value))
        found.type = _Kind.INTS if whole else _Kind.FLOATS
        if whole:
            found.ints.extend(_integer(v) for v in value)
        else:
            found.floats.extend(float(v) for v in value)
    elif kind == _Kind.FLOAT or (kind is None and isinstance(value, float)):
        found.type, found.f = _Kind.FLOAT, float(value)
    elif kind in (None, _Kind.INT):
        found.type, found.i = _Kind.INT, _integer(value)
    else:
        raise ValueError(text)
    return found


def _literal(text: str) -> Any:
    if text.startswith("(") and ("nan" in text or "inf" in text):
        return tuple(
            _WORDS[v] if v in _WORDS else float(v) for v in text.strip("()").replace(" ", "").split(",") if v
        )
    if len(text) > 1 << 20:
        raise ValueError("too long")
    value = ast.literal_eval(text)
    return tuple(value) if isinstance(value, list) else value


def _integer(value: Any) -> int:
    if type(value) is bool or int(value) != value:
        raise ValueError(value)
    return int(value)
