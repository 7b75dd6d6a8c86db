"""`mx.nd.sparse`: eager functions of the operators in this name space, on dense arrays.

The classes of sparse arrays exist so that programs can ask ``isinstance(x, CSRNDArray)``; making one is an error.
"""

from __future__ import annotations

from typing import Any, NoReturn

from ..base import MXNetError
from . import creation
from .ndarray import NDArray
from .register import lookup, members

__all__ = [
    "BaseSparseNDArray",
    "CSRNDArray",
    "RowSparseNDArray",
    "array",
    "csr_matrix",
    "empty",
    "row_sparse_array",
    "zeros",
]


def _refuse(what: str) -> NoReturn:
    raise MXNetError(f"{what}: sparse arrays are not supported, arrays are dense (storage type 'default')")


class BaseSparseNDArray(NDArray):
    """The base class of sparse arrays. No array is an instance of it."""

    __slots__ = ()

    def __new__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse(cls.__name__)


class CSRNDArray(BaseSparseNDArray):
    """The class of compressed sparse row matrices. No array is an instance of it."""

    __slots__ = ()


class RowSparseNDArray(BaseSparseNDArray):
    """The class of arrays with few rows that are not zero. No array is an instance of it."""

    __slots__ = ()


def csr_matrix(arg1: Any, shape: Any = None, ctx: Any = None, dtype: Any = None) -> NoReturn:
    """Not available, as arrays are dense.

    Raises
    ------
    MXNetError : always.
    """
    _refuse("csr_matrix")


def row_sparse_array(arg1: Any, shape: Any = None, ctx: Any = None, dtype: Any = None) -> NoReturn:
    """Not available, as arrays are dense.

    Raises
    ------
    MXNetError : always.
    """
    _refuse("row_sparse_array")


def array(source_array: Any, ctx: Any = None, dtype: Any = None) -> NoReturn:
    """Not available, as arrays are dense: use `nd.array`.

    Raises
    ------
    MXNetError : always.
    """
    _refuse("sparse.array")


def zeros(stype: str, shape: Any, ctx: Any = None, dtype: Any = None, **kwargs: Any) -> NDArray:
    """An array of zeros.

    Raises
    ------
    MXNetError : `stype` is not "default".
    """
    if stype != "default":
        _refuse(f"zeros of storage type {stype!r}")
    return creation.zeros(shape, ctx, dtype, **kwargs)


def empty(stype: str, shape: Any, ctx: Any = None, dtype: Any = None) -> NDArray:
    """An array with any content.

    Raises
    ------
    MXNetError : `stype` is not "default".
    """
    if stype != "default":
        _refuse(f"empty of storage type {stype!r}")
    return creation.empty(shape, ctx, dtype)


def __getattr__(name: str) -> Any:
    return lookup("sparse", name)


def __dir__() -> list[str]:
    return sorted({*__all__, *members("sparse")})
