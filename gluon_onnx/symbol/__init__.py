"""`mx.sym`: symbolic graphs."""

from __future__ import annotations

from typing import Any

from . import _internal, contrib, image, linalg, op, random, sparse
from .functions import (
    arange,
    concatenate,
    eye,
    full,
    histogram,
    hypot,
    linspace,
    maximum,
    minimum,
    ones,
    pow,
    power,
    split_v2,
    zeros,
)
from .methods import install
from .register import lookup, members
from .symbol import Group, Symbol, Variable, fromjson, is_onnx, load, load_json, var

__all__ = [
    "Group",
    "Symbol",
    "Variable",
    "_internal",
    "arange",
    "concatenate",
    "contrib",
    "eye",
    "fromjson",
    "full",
    "histogram",
    "hypot",
    "image",
    "is_onnx",
    "linalg",
    "linspace",
    "load",
    "load_json",
    "maximum",
    "minimum",
    "ones",
    "op",
    "pow",
    "power",
    "random",
    "sparse",
    "split_v2",
    "var",
    "zeros",
]

install()


def __getattr__(name: str) -> Any:
    if name == "Custom":
        from ..operator import symbol_custom

        return symbol_custom
    return lookup("", name)


def __dir__() -> list[str]:
    return sorted({*globals(), *members("")})
