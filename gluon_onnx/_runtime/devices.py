"""Which devices ONNX Runtime can use. CUDA is looked for only when a GPU is asked for."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from typing import Any

import onnxruntime

from ..graph.errors import GraphError

__all__ = ["Device", "gpu_memory_info", "memory", "providers", "num_gpus", "require_gpu"]

Device = tuple[str, int]  # ("cpu", 0), ("gpu", i)

onnxruntime.set_default_logger_severity(3)  # errors only

forked = False  # whether this process was forked from one that used this package


def _cuda_library() -> ctypes.CDLL | None:
    """NVIDIA's driver library, or None."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


@lru_cache(maxsize=1)
def num_gpus() -> int:
    """Number of CUDA devices that sessions can be made on; 0 without driver or provider."""
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return 0
    cuda = _cuda_library()
    if cuda is None or cuda.cuInit(0) != 0:
        return 0
    count = ctypes.c_int()
    return count.value if cuda.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


@lru_cache(maxsize=1)
def _load_cuda() -> None:
    """Load CUDA's libraries from NVIDIA's or PyTorch's wheels, where they are installed."""
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()


def require_gpu(device_id: int) -> None:
    """Raise unless the GPU numbered `device_id` can be used.

    Raises
    ------
    GraphError : says what is missing.
    """
    if forked:
        raise GraphError(
            f"gpu({device_id}): CUDA cannot be used in a forked process, as a DataLoader's worker is"
        )
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise GraphError(f"gpu({device_id}): this ONNX Runtime has no CUDA provider; install onnxruntime-gpu")
    if num_gpus() == 0:
        raise GraphError(f"gpu({device_id}): no CUDA device or driver was found")
    if not 0 <= device_id < num_gpus():
        raise GraphError(f"gpu({device_id}): there are {num_gpus()} GPUs, numbered from 0")
    _load_cuda()


def providers(device: Device) -> list[Any]:
    """The execution providers of sessions on a device.

    Raises
    ------
    GraphError : the device cannot be used; says what is missing.
    """
    if device[0] != "gpu":
        return ["CPUExecutionProvider"]
    require_gpu(device[1])
    return [("CUDAExecutionProvider", {"device_id": device[1]}), "CPUExecutionProvider"]


def memory(device: Device) -> tuple[str, int]:
    """ONNX Runtime's name and number of a GPU's memory.

    Raises
    ------
    GraphError : the device cannot be used; says what is missing.
    """
    require_gpu(device[1])
    return "cuda", device[1]


def gpu_memory_info(device_id: int) -> tuple[int, int]:
    """Free and total memory of a GPU in bytes.

    Raises
    ------
    GraphError : the device cannot be used; says what is missing.
    """
    require_gpu(device_id)
    cuda = _cuda_library()
    device, context = ctypes.c_int(), ctypes.c_void_p()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    if (
        cuda is None
        or cuda.cuDeviceGet(ctypes.byref(device), device_id)
        or cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)
    ):
        raise GraphError(f"gpu({device_id}): CUDA's driver cannot make a context on it")
    try:
        cuda.cuCtxPushCurrent_v2(context)
        failed = cuda.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
        cuda.cuCtxPopCurrent_v2(ctypes.byref(context))
    finally:
        cuda.cuDevicePrimaryCtxRelease_v2(device)
    if failed:
        raise GraphError(f"gpu({device_id}): CUDA's driver does not tell its memory (error {failed})")
    return free.value, total.value
