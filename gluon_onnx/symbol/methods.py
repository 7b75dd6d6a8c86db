"""Methods of Symbol that are operators."""

from __future__ import annotations

from typing import Any

from ..graph.ops import find
from ..ndarray.methods import METHODS
from ..ndarray.register import signature
from .register import function
from .symbol import Symbol

__all__ = ["install"]


def _method(name: str) -> Any:
    def method(self: Symbol, *args: Any, **kwargs: Any) -> Any:
        return function(name)(self, *args, **kwargs)

    method.__name__ = name
    method.__qualname__ = f"Symbol.{name}"
    op = find(name)
    method.__doc__ = f"The operator `{name}` with this symbol as its first argument.\n\n{op.doc}"
    method.__signature__ = signature(op, "Symbol", bound=True)  # type: ignore[attr-defined]
    return method


def _transpose(self: Symbol, *axes: Any, **kwargs: Any) -> Any:
    """The symbol with its axes permuted; in reverse order without arguments."""
    if len(axes) == 1 and isinstance(axes[0], list | tuple):
        axes = tuple(axes[0])
    if axes:
        kwargs["axes"] = axes
    return function("transpose")(self, **kwargs)


def _expand_dims(self: Symbol, axis: int, inplace: bool = False, **kwargs: Any) -> Any:
    """The symbol with a new axis of length 1."""
    return function("expand_dims")(self, axis=axis, **kwargs)


def _squeeze(self: Symbol, axis: Any = None, inplace: bool = False, **kwargs: Any) -> Any:
    """The symbol without axes of length 1."""
    return function("squeeze")(self, axis=axis, **kwargs)


def _flatten(self: Symbol, inplace: bool = False, **kwargs: Any) -> Any:
    """The symbol as a matrix: the first axis and all others together."""
    return function("Flatten")(self, **kwargs)


def _split_v2(self: Symbol, *args: Any, **kwargs: Any) -> Any:
    """See `sym.split_v2`."""
    from .functions import split_v2

    return split_v2(self, *args, **kwargs)


def install() -> None:
    """Give Symbol its operator methods."""
    special = {
        "transpose": _transpose,
        "expand_dims": _expand_dims,
        "squeeze": _squeeze,
        "flatten": _flatten,
        "split_v2": _split_v2,
    }
    for name, method in special.items():
        setattr(Symbol, name, method)
    for name in METHODS:
        if not hasattr(Symbol, name):
            setattr(Symbol, name, _method(name))
