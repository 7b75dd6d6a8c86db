"""Where the parts of the library lie: `mx.libinfo`."""

from __future__ import annotations

from typing import NoReturn

from . import __version__
from .base import MXNetError

__all__ = ["__version__", "find_include_path", "find_lib_path"]


def _no_library(what: str) -> NoReturn:
    raise MXNetError(f"gluon_onnx has no {what}: it is Python code on ONNX Runtime")


def find_lib_path(prefix: str = "libmxnet") -> NoReturn:
    """Paths of MXNet's native library, which does not exist here.

    Raises
    ------
    MXNetError : always.
    """
    _no_library(f"native library {prefix!r}")


def find_include_path() -> NoReturn:
    """Path of MXNet's C headers, which do not exist here.

    Raises
    ------
    MXNetError : always.
    """
    _no_library("C headers")
