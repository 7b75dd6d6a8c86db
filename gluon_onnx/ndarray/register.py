"""The functions of `nd` and its name spaces, made from the operator registry."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any

from ..base import _Null
from ..context import Context
from ..graph.errors import ArgumentError, UnsupportedOperatorError
from ..graph.ops import Operator, find, names
from ..graph.ops.schema import REQUIRED
from ..graph.symbol import bind_arguments, check_count
from .dispatch import invoke
from .ndarray import NDArray

__all__ = ["function", "lookup", "members", "signature", "signature_text"]

PREFIXES = {
    "contrib": "_contrib_",
    "linalg": "_linalg_",
    "random": "_random_",
    "image": "_image_",
    "sparse": "_sparse_",
    "_internal": "_",
}
_made: dict[str, Callable[..., Any]] = {}


def signature_text(op: Operator) -> str:
    """The signature of an operator's functions, as MXNet prints it."""
    inputs = [f"*{op.variadic}"] if op.variadic else list(op.inputs)
    params = [
        p if v.default is REQUIRED else f"{p}={v.default!r}" for p, v in op.params.items() if p != op.num_args
    ]
    return f"({', '.join([*inputs, *params, 'out=None', 'name=None'])})"


def signature(op: Operator, tensor: str, bound: bool = False) -> inspect.Signature:
    """What `inspect` and editors show of an operator's functions.

    Parameters
    ----------
    tensor : name of the class of the inputs.
    bound : of a method, which has `self` in place of the first input.
    """
    plain, keyword, empty = Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY, Parameter.empty
    own = [Parameter("self", plain)] if bound else []
    if op.variadic is not None:
        own.append(Parameter(op.variadic, Parameter.VAR_POSITIONAL, annotation=tensor))
    for n in op.inputs[1:] if bound and op.variadic is None else op.inputs if op.variadic is None else ():
        rest = f"{tensor} | None" if n in op.optional else tensor
        after = own and own[-1].default is None
        own.append(Parameter(n, plain, annotation=rest, default=None if n in op.optional or after else empty))
    kind = keyword if op.variadic else plain
    for n, p in op.params.items():
        if n != op.num_args and n not in {o.name for o in own}:
            if p.default is REQUIRED and any(o.default is not empty for o in own):
                kind = keyword  # Python allows no argument without a default after one that has it
            own.append(
                Parameter(n, kind, annotation=p.kind, default=empty if p.default is REQUIRED else p.default)
            )
    taken = {o.name for o in own}
    own += [Parameter(n, keyword, default=None) for n in ("out", "name") if n not in taken]
    return inspect.Signature(own, return_annotation=tensor)


def function(name: str) -> Callable[..., Any]:
    """The eager function of the operator called `name`."""
    made = _made.get(name)
    if made is not None:
        return made
    op = find(name)

    def call(
        *args: Any, out: Any = None, name: str | None = None, attr: Any = None, ctx: Any = None, **kwargs: Any
    ) -> Any:
        given = {k: v for k, v in kwargs.items() if v is not _Null}
        given.pop("__layout__", None)
        positional, named, params = bind_arguments(op, called, args, given, NDArray)
        if op.variadic is not None:
            inputs = positional
            if op.num_args and op.num_args not in params:
                params[op.num_args] = len(inputs)
        else:
            attrs = op.parse(params)
            present = op.argument_names(attrs)
            check_count(op, called, positional, present)
            for k, x in zip(op.positions(attrs), positional, strict=False):
                named.setdefault(k, x)
            missing = [k for k in present if k not in named]
            if missing:
                raise ArgumentError(
                    f"operator {called}: arguments {missing} are missing; inputs are {present}"
                )
            inputs = [named[k] for k in present]
        if ctx is not None and ctx is not _Null and "ctx" in op.params:
            params["ctx"] = ctx if isinstance(ctx, str) else str(Context(ctx))
        if isinstance(out, NDArray) and "shape" in op.params and not op.inputs:
            _like_target(op, params, out)
        return invoke(op, inputs, params, out)

    called = name
    call.__name__ = call.__qualname__ = name.removeprefix("_contrib_").removeprefix("_linalg_")
    call.__doc__ = f"{name}{signature_text(op)}\n\n{op.doc}"
    call.__module__ = "gluon_onnx.ndarray"
    call.__signature__ = signature(op, "NDArray")  # type: ignore[attr-defined]
    _made[name] = call
    return call


def _like_target(op: Operator, params: dict[str, Any], out: NDArray) -> None:
    """What an operator that makes an array takes from the array it is to be written into."""
    if not params.get("shape"):
        params["shape"] = out.shape
    if "dtype" in op.params and op.params["dtype"].default is None and not params.get("dtype"):
        params["dtype"] = out._raw_dtype.name


def lookup(namespace: str, name: str, factory: Callable[[str], Any] = function) -> Any:
    """The function `name` of a name space ("" is `nd` itself).

    Raises
    ------
    AttributeError : no operator has that name; the message lists the nearest.
    """
    if name.startswith("__"):
        raise AttributeError(name)
    prefix = PREFIXES.get(namespace, "")
    candidates = (
        [prefix + name, name] if namespace in ("_internal", "image", "linalg", "random") else [prefix + name]
    )
    if namespace == "_internal":
        candidates = [name]
    error: Exception | None = None
    for candidate in candidates:
        try:
            return factory(candidate)
        except UnsupportedOperatorError as e:
            error = error or e
    raise AttributeError(f"no operator {name!r}{f' in {namespace}' if namespace else ''}: {error}") from None


def members(namespace: str) -> list[str]:
    """Names of the operators in a name space."""
    prefix = PREFIXES.get(namespace, "")
    if not prefix:
        return [n for n in names() if not n.startswith("_")]
    return [
        n if namespace == "_internal" else n.removeprefix(prefix) for n in names() if n.startswith(prefix)
    ]
