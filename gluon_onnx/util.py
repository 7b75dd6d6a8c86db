"""Switches of array semantics, environment variables and device queries: `mx.util`."""

from __future__ import annotations

import ctypes
import functools
import inspect
import os
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, NoReturn, TypeVar

from .base import MXNetError
from .context import Context, gpu_memory_info, num_gpus

__all__ = [
    "get_cuda_compute_capability",
    "get_gpu_count",
    "get_gpu_memory",
    "getenv",
    "is_np_array",
    "is_np_shape",
    "np_array",
    "np_shape",
    "reset_np",
    "set_module",
    "set_np",
    "set_np_shape",
    "setenv",
    "use_np",
    "use_np_array",
    "use_np_shape",
]

T = TypeVar("T")

_np_shape: ContextVar[bool] = ContextVar("gluon_onnx_np_shape", default=False)


def is_np_shape() -> bool:
    """Whether shapes mean what they do in NumPy: () is a scalar's, 0 an empty axis, and -1 an unknown length.

    Otherwise () is an unknown shape and 0 an unknown length.
    """
    return _np_shape.get()


def set_np_shape(active: bool) -> bool:
    """Switch NumPy's meaning of shapes on or off in this thread; returns the previous state."""
    previous = _np_shape.get()
    _np_shape.set(bool(active))
    return previous


class _ShapeScope:
    """A scope with or without NumPy's meaning of shapes; None leaves it as it is."""

    def __init__(self, active: bool | None) -> None:
        self._active = active
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self._tokens.append(_np_shape.set(_np_shape.get() if self._active is None else bool(self._active)))

    def __exit__(self, *_: object) -> None:
        _np_shape.reset(self._tokens.pop())


def np_shape(active: bool | None = True) -> _ShapeScope:
    """A scope with (or without) NumPy's meaning of shapes; see `is_np_shape`."""
    return _ShapeScope(active)


def _decorate(target: T, wrap: Callable[[Callable[..., Any]], Callable[..., Any]], name: str) -> T:
    """`wrap` applied to a function, or to everything of a class that runs code."""
    if not inspect.isclass(target):
        if not callable(target):
            raise TypeError(f"{name} decorates functions and classes, got {target!r}")
        return wrap(target)  # type: ignore[return-value]
    for key, member in list(vars(target).items()):
        if isinstance(member, staticmethod | classmethod):
            setattr(target, key, type(member)(wrap(member.__func__)))
        elif isinstance(member, property):
            get, set_, delete = (f and wrap(f) for f in (member.fget, member.fset, member.fdel))
            setattr(target, key, property(get, set_, delete, member.__doc__))
        elif inspect.isfunction(member):
            setattr(target, key, wrap(member))
    return target


def use_np_shape(func: T) -> T:
    """Decorate a function or a class: its code runs with NumPy's meaning of shapes."""

    def wrap(f: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(f)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with np_shape(True):
                return f(*args, **kwargs)

        return wrapper

    return _decorate(func, wrap, "use_np_shape")


def _no_numpy_interface(what: str) -> NoReturn:
    raise MXNetError(
        f"{what}: MXNet's NumPy interface (mx.np, mx.npx) is not part of gluon_onnx; use mx.nd and "
        "mx.sym, whose arrays convert with asnumpy() and nd.array()"
    )


def is_np_array() -> bool:
    """Whether blocks work on arrays of `mx.np`: they never do."""
    return False


class _ArrayScope:
    def __enter__(self) -> None:
        """Nothing changes: the classic interface is the only one."""

    def __exit__(self, *_: object) -> None:
        """Nothing to restore."""


def np_array(active: bool = True) -> _ArrayScope:
    """A scope without (the only possibility) MXNet's NumPy interface.

    Raises
    ------
    MXNetError : `active` asks for it.
    """
    if active:
        _no_numpy_interface("np_array")
    return _ArrayScope()


def set_np(shape: bool = True, array: bool = True) -> None:
    """Switch the NumPy interface on, of which only the meaning of shapes exists.

    Raises
    ------
    MXNetError : `array` asks for the arrays too.
    """
    if array:
        _no_numpy_interface("set_np")
    set_np_shape(shape)


def reset_np() -> None:
    """Back to the classic meaning of shapes."""
    set_np_shape(False)


def _refuse(func: T, name: str) -> T:
    def wrap(f: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(f)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            _no_numpy_interface(f"{getattr(f, '__qualname__', f)} is decorated with {name}")

        return wrapper

    return _decorate(func, wrap, name)


def use_np_array(func: T) -> T:
    """Decorate code written for `mx.np`. It can be defined, so that a module which has some can be imported.

    Calling it raises MXNetError.
    """
    return _refuse(func, "use_np_array")


def use_np(func: T) -> T:
    """Decorate code written for `mx.np`. It can be defined, so that a module which has some can be imported.

    Calling it raises MXNetError.
    """
    return _refuse(func, "use_np")


def set_module(module: str | None) -> Callable[[T], T]:
    """Decorate a function or class: its ``__module__`` becomes `module`."""

    def decorate(target: T) -> T:
        if module is not None:
            target.__module__ = module
        return target

    return decorate


def getenv(name: str) -> str | None:
    """An environment variable's value, or None."""
    return os.environ.get(name)


def setenv(name: str, value: str | None) -> None:
    """Set an environment variable, or remove it (None)."""
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def get_gpu_count() -> int:
    """Number of GPUs that can be used."""
    return num_gpus()


def get_gpu_memory(gpu_dev_id: int) -> tuple[int, int]:
    """Free and total memory of a GPU in bytes."""
    return gpu_memory_info(gpu_dev_id)


def get_cuda_compute_capability(ctx: Context) -> int:
    """The CUDA compute capability of a GPU as a number: 90 for 9.0.

    Raises
    ------
    ValueError : `ctx` is not a GPU.
    MXNetError : the CUDA driver is missing or refuses.
    """
    if not ctx.on_gpu:
        raise ValueError(f"expected a gpu context, got {ctx!r}")
    name = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError as e:
        raise MXNetError(f"{ctx}: the CUDA driver ({name}) cannot be loaded: {e}") from e
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    codes = [
        driver.cuInit(0),
        driver.cuDeviceGet(ctypes.byref(device), ctx.device_id),
        driver.cuDeviceGetAttribute(ctypes.byref(major), 75, device),  # COMPUTE_CAPABILITY_MAJOR
        driver.cuDeviceGetAttribute(ctypes.byref(minor), 76, device),
    ]  # COMPUTE_CAPABILITY_MINOR
    if any(codes):
        raise MXNetError(f"{ctx}: the CUDA driver refuses, with codes {codes}")
    return major.value * 10 + minor.value
