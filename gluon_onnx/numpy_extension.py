"""`mx.npx`: not part of this package, but for the switches that it shares with `mx.util`."""

from __future__ import annotations

from typing import NoReturn

from .context import cpu, cpu_pinned, current_context, gpu, gpu_memory_info, num_gpus
from .ndarray import load, save, waitall
from .util import is_np_array, is_np_shape, reset_np, set_np

__all__ = [
    "cpu",
    "cpu_pinned",
    "current_context",
    "gpu",
    "gpu_memory_info",
    "is_np_array",
    "is_np_shape",
    "load",
    "num_gpus",
    "reset_np",
    "save",
    "set_np",
    "waitall",
]


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}: MXNet's NumPy interface (mx.np, mx.npx) is "
        "not part of gluon_onnx; use mx.nd and mx.sym"
    )
