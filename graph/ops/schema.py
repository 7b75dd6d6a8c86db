"""Operator parameters: read from annotations, parsed from and written as MXNet's string attributes."""

from __future__ import annotations

import ast
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NewType, Union

import numpy as np

from ..errors import AttributeParseError

__all__ = [
    "Attrs",
    "DType",
    "ELEMENT_TYPES",
    "Floats",
    "Ints",
    "OptInts",
    "Param",
    "REQUIRED",
    "Scalar",
    "format_value",
    "param_of",
]

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "required"})()

DType = NewType("DType", str)  # the name of an element type: "float32"
Ints = tuple[int, ...]
Floats = tuple[float, ...]
OptInts = tuple[int | None, ...]  # entries may be None (slices)
# A number that does not change what is compiled: an eager call passes it as an input of the program.
Scalar = Annotated[float, "dynamic"]

ELEMENT_TYPES = {
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "uint8",
    "int8",
    "int32",
    "int64",
    "bool",
    "int16",
    "uint16",
    "uint32",
    "uint64",
}
_MISSING = (None, "None", "none", "")


class Attrs:
    """Parsed parameters of one operator node, as attributes; hashable."""

    __slots__ = ("_hash", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)
        self._hash = hash(tuple(self.values.items()))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Attrs) and self.values == other.values

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Attrs({self.values})"


class Param:
    """One parameter of an operator.

    Attributes
    ----------
    kind : what a value must be, in words.
    default : `REQUIRED` where there is none.
    dynamic : whether the value may change without compiling again.
    """

    def __init__(
        self, name: str, kind: str, parse: Callable[[Any], Any], default: Any, dynamic: bool, optional: bool
    ):
        self.name = name
        self.kind = kind
        self._parse = parse
        self.default = default
        self.dynamic = dynamic
        self.optional = optional

    def parse(self, value: Any) -> Any:
        """The value in its Python form.

        Raises
        ------
        AttributeParseError : `value` is not of this parameter's kind.
        """
        if self.optional and (value is None or (isinstance(value, str) and value in _MISSING)):
            return None
        try:
            return self._parse(value)
        except (ValueError, TypeError, SyntaxError, OverflowError, RecursionError, MemoryError) as e:
            raise AttributeParseError(f"parameter {self.name!r}: expected {self.kind}, got {value!r}") from e


def _int(value: Any) -> int:
    if isinstance(value, str):
        return int({"True": 1, "False": 0}.get(value, value))
    result = int(value)
    if result != value:
        raise ValueError(value)
    return result


def _float(value: Any) -> float:
    return float(value)


def _bool(value: Any) -> bool:
    if isinstance(value, str):
        return (
            {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}[value.lower()]
            if value.lower() in ("true", "false", "1", "0", "yes", "no")
            else bool(int(value))
        )
    if isinstance(value, bool | np.bool_ | int | np.integer | float):
        return bool(value)
    raise ValueError(value)


def _str(value: Any) -> str:
    return str(value)


def _dtype(value: Any) -> str:
    name = value if isinstance(value, str) else np.dtype(value).name
    if name not in ELEMENT_TYPES:
        name = np.dtype(name).name
        if name not in ELEMENT_TYPES:
            raise ValueError(name)
    return name


def _sequence(item: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def parse(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str):
            text = value.strip().replace("L", "")
            if text.startswith(("(", "[")) or "," in text:
                value = ast.literal_eval(text if text.startswith(("(", "[")) else f"({text})")
            else:
                value = ast.literal_eval(text)
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if isinstance(value, int | float | np.integer | np.floating):
            value = (value,)
        return tuple(item(v) for v in value)

    return parse


def _or_none(item: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else item(value)


def _choice(options: tuple[Any, ...]) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        if isinstance(value, type):
            value = np.dtype(value).name  # an element type, given as NumPy's class
        for option in options:
            if value == option or str(value) == str(option):
                return option
        raise ValueError(value)

    return parse


def param_of(name: str, annotation: Any, default: Any) -> Param:
    """The parameter that a keyword-only argument of a lowering function declares."""
    dynamic = typing.get_origin(annotation) is Annotated
    if dynamic:
        annotation = typing.get_args(annotation)[0]
    optional = False
    if typing.get_origin(annotation) in (Union, types.UnionType):
        members = [t for t in typing.get_args(annotation) if t is not type(None)]
        optional = len(members) < len(typing.get_args(annotation))
        (annotation,) = members
        if typing.get_origin(annotation) is Annotated:
            dynamic, annotation = True, typing.get_args(annotation)[0]
    kind, parse = _kind(annotation)
    return Param(name, kind + (" or None" if optional else ""), parse, default, dynamic, optional)


def _kind(annotation: Any) -> tuple[str, Callable[[Any], Any]]:
    simple: dict[Any, tuple[str, Callable[[Any], Any]]] = {
        int: ("an integer", _int),
        float: ("a number", _float),
        bool: ("a boolean", _bool),
        str: ("a string", _str),
        DType: ("an element type", _dtype),
        Ints: ("a tuple of integers", _sequence(_int)),
        Floats: ("a tuple of numbers", _sequence(_float)),
        OptInts: ("a tuple of integers or None", _sequence(_or_none(_int))),
    }
    if typing.get_origin(annotation) is Literal:
        options = typing.get_args(annotation)
        return f"one of {', '.join(map(repr, options))}", _choice(options)
    return simple[annotation]


def format_value(value: Any) -> str:
    """A parameter's value as the string that MXNet keeps in a node's attributes."""
    if isinstance(value, list | tuple):
        return str(tuple(v.item() if isinstance(v, np.generic) else v for v in value))
    if isinstance(value, type | np.dtype):
        return np.dtype(value).name
    return str(value)
