"""Methods of NDArray that are operators."""

from __future__ import annotations

from typing import Any

from .ndarray import NDArray
from .register import function

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
    method.__doc__ = f"The operator `{name}` with this array as its first argument."
    return method


def _transpose(self: NDArray, *axes: Any, **kwargs: Any) -> Any:
    """The array with its axes permuted; in reverse order without arguments."""
    if len(axes) == 1 and isinstance(axes[0], list | tuple):
        axes = tuple(axes[0])
    if axes:
        kwargs["axes"] = axes
    return function("transpose")(self, **kwargs)


def _squeeze(self: NDArray, axis: Any = None, inplace: bool = False) -> Any:
    """The array without axes of length 1."""
    return function("squeeze")(self, axis=axis)


def _expand_dims(self: NDArray, axis: int, inplace: bool = False) -> Any:
    """The array with a new axis of length 1."""
    return function("expand_dims")(self, axis=axis)


def _flatten(self: NDArray, inplace: bool = False) -> Any:
    """The array as a matrix: the first axis and all others together."""
    return function("Flatten")(self)


def _split_v2(self: NDArray, *args: Any, **kwargs: Any) -> Any:
    """See `nd.split_v2`."""
    from .creation import split_v2

    return split_v2(self, *args, **kwargs)


def install() -> None:
    """Give NDArray its operator methods."""
    for name in METHODS:
        if not hasattr(NDArray, name):
            setattr(NDArray, name, _method(name))
    special = {
        "transpose": _transpose,
        "squeeze": _squeeze,
        "expand_dims": _expand_dims,
        "flatten": _flatten,
        "split_v2": _split_v2,
    }
    for name, method in special.items():
        setattr(NDArray, name, method)
