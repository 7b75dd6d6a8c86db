"""DLPack: sharing memory with other libraries, without copies."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import MXNetError
from ..context import Context

if TYPE_CHECKING:
    from .ndarray import NDArray

__all__ = ["capsule", "device", "from_dlpack", "to_dlpack_for_read", "to_dlpack_for_write"]

_CPU, _CUDA = 1, 2  # DLDeviceType


def capsule(x: NDArray, write: bool = False, **options: Any) -> Any:
    """A capsule that shares the memory of `x`.

    Parameters
    ----------
    write : whether the memory may be written to.
    options : those of ``__dlpack__`` in the Python array API standard.

    Raises
    ------
    MXNetError : the array is on a GPU, and ONNX Runtime was built without DLPack.
    """
    x._version.foreign = True
    if write:
        x._version.count += 1
    if isinstance(x._raw, np.ndarray):
        return x._raw.__dlpack__(**options)
    try:
        return x._raw._ortvalue.to_dlpack()
    except AttributeError:
        raise MXNetError(
            f"an array on {x.context} cannot be shared: this build of ONNX Runtime has no DLPack; use "
            "as_in_context(cpu())"
        ) from None


def device(x: NDArray) -> tuple[int, int]:
    """DLPack's numbers of the array's device."""
    return (_CUDA, x.context.device_id) if x.context.on_gpu else (_CPU, 0)


def to_dlpack_for_read(data: NDArray) -> Any:
    """A DLPack capsule that shares the array's memory, for reading."""
    return capsule(data)


def to_dlpack_for_write(data: NDArray) -> Any:
    """A DLPack capsule that shares the array's memory, for reading and writing."""
    return capsule(data, write=True)


class _Capsule:
    """What NumPy's from_dlpack expects around a capsule."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (_CPU, 0)


def _writable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same memory, to be written to.

    NumPy marks what comes in a capsule of the first version as read-only, because such a capsule cannot say whether it
    is; by convention, who must not be written to gives none.
    """
    if array.flags.writeable:
        return array
    buffer: Any = (ctypes.c_byte * array.nbytes).from_address(array.ctypes.data)
    buffer.owner = array
    return np.ndarray(array.shape, array.dtype, buffer)


def from_dlpack(dlpack: Any) -> NDArray:
    """An array that shares the memory of a DLPack capsule, or of an object with ``__dlpack__`` (a PyTorch tensor).

    Raises
    ------
    MXNetError : the memory is not the CPU's.
    """
    from .ndarray import wrap

    if hasattr(dlpack, "__dlpack__"):
        kind, number = map(int, dlpack.__dlpack_device__())
        if kind != _CPU:
            raise MXNetError(
                f"from_dlpack: expected memory of the CPU, got device {number} of DLPack's type {kind}"
            )
        dlpack = dlpack.__dlpack__()
    found = np.from_dlpack(_Capsule(dlpack))
    result = wrap(_writable(found) if found.flags.c_contiguous else np.array(found), Context("cpu", 0))
    result._version.shared = result._version.foreign = True
    return result
