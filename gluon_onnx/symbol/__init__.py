"""`mx.sym`: symbolic graphs."""

from __future__ import annotations

from typing import Any

from . import _internal as _internal
from . import contrib, image, linalg, random, sparse
from . import op as op
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
from .symbol import Group, NotImplementedForSymbol, Symbol, Variable, fromjson, load, load_json, var

install()


def __getattr__(name: str) -> Any:
    return lookup("", name)


def __dir__() -> list[str]:
    return sorted({*globals(), *members("")})
