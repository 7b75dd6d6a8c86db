"""`mx.nd`: eager arrays and operators."""

from __future__ import annotations

from typing import Any

from . import contrib, image, linalg, random, sparse
from . import _internal as _internal
from . import op as op
from .creation import (
    arange,
    array,
    concatenate,
    empty,
    eye,
    from_dlpack,
    from_numpy,
    full,
    linspace,
    moveaxis,
    ones,
    onehot_encode,
    split_v2,
    to_dlpack_for_read,
    to_dlpack_for_write,
    waitall,
    zeros,
)
from .functions import (
    add,
    divide,
    equal,
    greater,
    greater_equal,
    lesser,
    lesser_equal,
    logical_and,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    modulo,
    multiply,
    not_equal,
    power,
    subtract,
    true_divide,
)
from .methods import install
from .ndarray import NDArray
from .register import lookup, members
from .serialize import load, load_frombuffer, save

install()


def __getattr__(name: str) -> Any:
    return lookup("", name)


def __dir__() -> list[str]:
    return sorted({*globals(), *members("")})
