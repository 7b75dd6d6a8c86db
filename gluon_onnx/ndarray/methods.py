"""Methods of NDArray that are operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._tape import state
from ..graph.ops import find
from .ndarray import NDArray
from .register import function, signature

__all__ = ["METHODS", "install"]

METHODS = [
    "abs",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "argmax",
    "argmax_channel",
    "argmin",
    "argsort",
    "broadcast_axes",
    "broadcast_like",
    "broadcast_to",
    "cbrt",
    "ceil",
    "clip",
    "cos",
    "cosh",
    "degrees",
    "depth_to_space",
    "diag",
    "exp",
    "expand_dims",
    "expm1",
    "fix",
    "flatten",
    "flip",
    "floor",
    "log",
    "log10",
    "log1p",
    "log2",
    "log_softmax",
    "max",
    "mean",
    "min",
    "nanprod",
    "nansum",
    "norm",
    "one_hot",
    "ones_like",
    "pad",
    "pick",
    "prod",
    "radians",
    "rcbrt",
    "reciprocal",
    "relu",
    "repeat",
    "reshape_like",
    "rint",
    "round",
    "rsqrt",
    "shape_array",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "size_array",
    "slice",
    "slice_axis",
    "slice_like",
    "softmax",
    "softmin",
    "sort",
    "space_to_depth",
    "split",
    "split_v2",
    "sqrt",
    "square",
    "squeeze",
    "sum",
    "swapaxes",
    "take",
    "tan",
    "tanh",
    "tile",
    "topk",
    "transpose",
    "trunc",
    "zeros_like",
]


def _method(name: str) -> Any:
    def method(self: NDArray, *args: Any, **kwargs: Any) -> Any:
        return function(name)(self, *args, **kwargs)

    method.__name__ = name
    method.__qualname__ = f"NDArray.{name}"
    op = find(name)
    method.__doc__ = f"The operator `{name}` with this array as its first argument.\n\n{op.doc}"
    method.__signature__ = signature(op, "NDArray", bound=True)  # type: ignore[attr-defined]
    return method


def _transpose(self: NDArray, *axes: Any, **kwargs: Any) -> Any:
    """The array with its axes permuted; in reverse order without arguments."""
    if len(axes) == 1 and isinstance(axes[0], list | tuple):
        axes = tuple(axes[0])
    if axes:
        kwargs["axes"] = axes
    return function("transpose")(self, **kwargs)


def _reshaped(self: NDArray, result_of: str, inplace: bool, **params: Any) -> Any:
    """The result of an operator that changes the shape only; `inplace`: in this array's memory where it can be."""
    recorded = state.recording and self._place is not None
    if not inplace or recorded or not isinstance(self._raw, np.ndarray):
        return function(result_of)(self, **params)
    shape = function(result_of)(self.detach(), **params).shape
    return self._view(self._raw.reshape(shape))


def _squeeze(self: NDArray, axis: Any = None, inplace: bool = False) -> Any:
    """The array without axes of length 1; a view with `inplace`."""
    return _reshaped(self, "squeeze", inplace, axis=axis)


def _expand_dims(self: NDArray, axis: int, inplace: bool = False) -> Any:
    """The array with a new axis of length 1; a view with `inplace`."""
    return _reshaped(self, "expand_dims", inplace, axis=axis)


def _flatten(self: NDArray, inplace: bool = False) -> Any:
    """The array as a matrix: the first axis and all others together; a view with `inplace`."""
    return _reshaped(self, "Flatten", inplace)


def _broadcast_to(self: NDArray, shape: Any) -> Any:
    """The array repeated along axes of length 1, and along new axes before the first, to a shape."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    missing = len(shape) - self.ndim
    x = self.reshape((1,) * missing + self.shape) if missing > 0 else self
    return function("broadcast_to")(x, shape=shape)


def _split_v2(self: NDArray, *args: Any, **kwargs: Any) -> Any:
    """See `nd.split_v2`."""
    from .creation import split_v2

    return split_v2(self, *args, **kwargs)


def _broadcast_like(self: NDArray, other: NDArray, **kwargs: Any) -> Any:
    """The array broadcast to the shape of another; see operator `broadcast_like`."""
    return function("broadcast_like")(self, other, **kwargs)


def _slice_assign(self: NDArray, rhs: NDArray, begin: Any, end: Any, step: Any = None) -> NDArray:
    """Write `rhs` into the slice from `begin` to `end`; the array itself."""
    params = {"begin": begin, "end": end, "step": step or ()}
    result: NDArray = function("_slice_assign")(self, rhs, out=self, **params)
    return result


def _slice_assign_scalar(self: NDArray, value: float, begin: Any, end: Any, step: Any = None) -> NDArray:
    """Write a number into the slice from `begin` to `end`; the array itself."""
    params = {"scalar": value, "begin": begin, "end": end, "step": step or ()}
    result: NDArray = function("_slice_assign_scalar")(self, out=self, **params)
    return result


def install() -> None:
    """Give NDArray its operator methods."""
    special = {
        "transpose": _transpose,
        "squeeze": _squeeze,
        "expand_dims": _expand_dims,
        "flatten": _flatten,
        "broadcast_to": _broadcast_to,
        "broadcast_like": _broadcast_like,
        "slice_assign": _slice_assign,
        "slice_assign_scalar": _slice_assign_scalar,
        "split_v2": _split_v2,
    }
    for name, method in special.items():
        setattr(NDArray, name, method)
    for name in METHODS:
        if not hasattr(NDArray, name):
            setattr(NDArray, name, _method(name))
