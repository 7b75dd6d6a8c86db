"""Devices: `cpu()` is ONNX Runtime's CPU provider, `gpu(i)` its CUDA provider."""

from __future__ import annotations

import warnings
from typing import ClassVar, Self

from ._runtime import devices
from .graph.scopes import Nested

__all__ = ["Context", "cpu", "cpu_pinned", "current_context", "gpu", "gpu_memory_info", "num_gpus"]


class _ContextType(type):
    """What the class `Context` itself has."""

    @property
    def default_ctx(cls) -> Context:
        """Deprecated form of `current_context()`; assigning to it sets the default."""
        warnings.warn(_DEFAULT_CTX, DeprecationWarning, stacklevel=2)
        return _current.get()

    @default_ctx.setter
    def default_ctx(cls, value: Context) -> None:
        warnings.warn(_DEFAULT_CTX, DeprecationWarning, stacklevel=2)
        _current.set(value)


_DEFAULT_CTX = "Context.default_ctx is deprecated: use current_context(), or a context as a context manager"


class Context(metaclass=_ContextType):
    """A device. A context manager: arrays made inside live on it by default.

    Parameters
    ----------
    device_type : "cpu", "gpu", "cpu_pinned", "cpu_shared", or another Context to copy.
    device_id : number of the device among those of its type.
    """

    devtype2str: ClassVar[dict[int, str]] = {1: "cpu", 2: "gpu", 3: "cpu_pinned", 5: "cpu_shared"}
    devstr2type: ClassVar[dict[str, int]] = {v: k for k, v in devtype2str.items()}

    __slots__ = ("device_id", "device_typeid")
    device_id: int
    device_typeid: int

    def __init__(self, device_type: str | Context, device_id: int = 0) -> None:
        if isinstance(device_type, Context):
            self.device_typeid, self.device_id = device_type.device_typeid, device_type.device_id
        else:
            if device_type not in self.devstr2type:
                raise ValueError(
                    f"device_type: expected one of {list(self.devstr2type)}, got {device_type!r}"
                )
            self.device_typeid, self.device_id = self.devstr2type[device_type], int(device_id)

    @property
    def device_type(self) -> str:
        """The device's type as a string."""
        return self.devtype2str[self.device_typeid]

    @property
    def on_gpu(self) -> bool:
        """Whether arrays of this context live in GPU memory."""
        return self.device_typeid == 2

    def __hash__(self) -> int:
        return hash((self.device_typeid, self.device_id))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Context)
            and self.device_typeid == other.device_typeid
            and self.device_id == other.device_id
        )

    def __repr__(self) -> str:
        return f"{self.device_type}({self.device_id})"

    __str__ = __repr__

    def __reduce__(self) -> tuple[type[Context], tuple[str, int]]:
        return Context, (self.device_type, self.device_id)

    def __enter__(self) -> Self:
        _current.push(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.pop()

    def empty_cache(self) -> None:
        """Release cached memory. ONNX Runtime's arenas shrink by themselves; nothing to do."""


_current: Nested[Context] = Nested("gluon_onnx_context", Context("cpu", 0))


def cpu(device_id: int = 0) -> Context:
    """The CPU."""
    return Context("cpu", device_id)


def cpu_pinned(device_id: int = 0) -> Context:
    """Page-locked CPU memory in MXNet; plain CPU memory here."""
    return Context("cpu_pinned", device_id)


def gpu(device_id: int = 0) -> Context:
    """The GPU numbered `device_id`. Making the context costs nothing; using it needs CUDA."""
    return Context("gpu", device_id)


def current_context() -> Context:
    """The innermost context, `cpu(0)` by default."""
    return _current.get()


def num_gpus() -> int:
    """Number of GPUs that ONNX Runtime's CUDA provider can use."""
    return devices.num_gpus()


def gpu_memory_info(device_id: int = 0) -> tuple[int, int]:
    """Free and total memory of a GPU in bytes.

    Raises
    ------
    MXNetError : there is no such GPU.
    """
    return devices.gpu_memory_info(device_id)
