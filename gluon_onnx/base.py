"""What every part of the package shares: the error class and type aliases."""

from __future__ import annotations

import os as _os
from typing import Any

import numpy as _np

from .graph.errors import GraphError

__all__ = [
    "MXNetError",
    "NotImplementedForSymbol",
    "NotSupportedForSparseNDArray",
    "_Null",
    "_as_list",
    "data_dir",
    "integer_types",
    "mx_real_t",
    "numeric_types",
    "py_str",
    "string_types",
]

MXNetError = GraphError  # the name under which MXNet's programs catch errors


class _NullType:
    """The default of operator parameters that were not given."""

    def __repr__(self) -> str:
        return "_Null"


_Null: Any = _NullType()

numeric_types = (float, int, _np.generic)
integer_types = (int, _np.integer)
string_types = (str,)
mx_real_t = _np.float32  # the default element type


class NotImplementedForSymbol(MXNetError):
    """What needs values was asked of a symbol, which has none."""



class NotSupportedForSparseNDArray(MXNetError):
    """A function was called on a sparse array. Kept for programs that catch it: arrays are dense here."""


def py_str(x: bytes | str) -> str:
    """UTF-8 bytes as a string; a string as it is."""
    return x if isinstance(x, str) else x.decode("utf-8")


def data_dir() -> str:
    """The folder for downloaded data: $MXNET_HOME, or ``~/.mxnet``."""
    return _os.environ.get("MXNET_HOME") or _os.path.join(_os.path.expanduser("~"), ".mxnet")


def _as_list(obj: Any) -> list[Any]:
    """A list or tuple as a list, anything else as the only element of one."""
    return list(obj) if isinstance(obj, list | tuple) else [obj]
