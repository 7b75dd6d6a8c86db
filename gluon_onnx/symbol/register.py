"""The functions of `sym` and its name spaces, made from the operator registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base import _Null
from ..graph.ops import find
from ..graph.symbol import compose
from ..ndarray.register import PREFIXES, members, signature, signature_text
from ..ndarray.register import lookup as _lookup
from .symbol import Symbol

__all__ = ["function", "lookup", "members"]

#: Prefixes of operators that automatic names leave out, as MXNet's name spaces do.
_STRIPPED = tuple(PREFIXES[space] for space in ("contrib", "linalg", "image", "sparse"))

_made: dict[str, Callable[..., Any]] = {}


def function(name: str) -> Callable[..., Any]:
    """The symbolic function of the operator called `name`."""
    made = _made.get(name)
    if made is not None:
        return made
    op = find(name)

    def call(*args: Any, name: str | None = None, attr: Any = None, out: Any = None, **kwargs: Any) -> Any:
        given = {k: v for k, v in kwargs.items() if v is not _Null}
        if given.get("ctx") is not None:
            given["ctx"] = str(given["ctx"])
        return compose(Symbol, called, args, given, name, attr, hint)

    called = name
    hint = next((name.removeprefix(p) for p in _STRIPPED if name.startswith(p)), name)
    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{name}{signature_text(op)}\n\n{op.doc}"
    call.__module__ = "gluon_onnx.symbol"
    call.__signature__ = signature(op, "Symbol")  # type: ignore[attr-defined]
    _made[name] = call
    return call


def lookup(namespace: str, name: str) -> Any:
    """The function `name` of a name space ("" is `sym` itself)."""
    return _lookup(namespace, name, function)
