"""The legal form of a program, as something that can be executed.

A program is legal if every value is defined before it is read and only once, names are unique, the types and
shapes that its tensors claim are those that inference gives, macro nodes are registered, and updates pair an
output with an input of the same type and shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import onnx_ir as ir

from .builder import CUSTOM_DOMAIN, CustomFunction, Opaque, Tensor
from .errors import GraphError, NeedsStaticShape, VerificationError
from .onnx_infer import infer_node

if TYPE_CHECKING:
    from .program import Program

__all__ = ["checked", "verify", "verifying"]

_active: ContextVar[bool] = ContextVar("gluon_onnx_verify", default=False)


@contextmanager
def verifying() -> Iterator[None]:
    """Inside, `checked` verifies every program that it is given."""
    token = _active.set(True)
    try:
        yield
    finally:
        _active.reset(token)


def checked(program: Program, where: str) -> Program:
    """`program`, verified where that is switched on; `where` names the step that made it."""
    if _active.get():
        try:
            verify(program)
        except VerificationError as e:
            raise VerificationError(f"after {where}: {e}") from e
    return program


def verify(program: Program) -> None:
    """Raise unless the program is legal.

    Raises
    ------
    VerificationError : names the node and what is wrong with it.
    """
    defined: set[ir.Value] = set()
    names: set[str] = set()

    def define(value: ir.Value, what: str) -> None:
        if value in defined:
            raise VerificationError(f"{what}: value {value.name!r} is defined twice")
        if not value.name or value.name in names:
            raise VerificationError(f"{what}: the name {value.name!r} is empty or taken")
        defined.add(value)
        names.add(value.name)

    for t in program.inputs:
        define(t, "inputs")
    for t in program.constants:
        if t.const is None:
            raise VerificationError(f"constant {t.name!r} has no value")
        define(t, "constants")
    for node in program.nodes:
        what = f"node {node.name!r} ({node.domain or 'ai.onnx'}::{node.op_type})"
        for v in node.inputs:
            if v is not None and v not in defined:
                raise VerificationError(f"{what} reads {v.name!r} before it is defined")
        if node.domain == CUSTOM_DOMAIN:
            if node.op_type not in CustomFunction.registry:
                raise VerificationError(f"{what}: no macro of that name is registered")
        else:
            _check_types(node, what)
        for v in node.outputs:
            if v.name:
                define(v, what)
    for t in program.outputs:
        if t not in defined:
            raise VerificationError(f"output {t.name!r} is not defined")
    if len(set(program.outputs)) != len(program.outputs) or set(program.outputs) & set(program.inputs):
        raise VerificationError("an output occurs twice, or is an input")
    for o, i in program.updates:
        new, old = program.outputs[o], program.inputs[i]
        if new.dt != old.dt or not _compatible(new, old.dims):
            raise VerificationError(
                f"output {new.name!r} ({new.dt}{list(new.dims)}) cannot update input {old.name!r} "
                f"({old.dt}{list(old.dims)})"
            )


def _check_types(node: ir.Node, what: str) -> None:
    inputs = [v if isinstance(v, Tensor) else None for v in node.inputs]
    if any(isinstance(v, Opaque) for v in node.outputs):
        return
    if any(a.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for a in node.attributes.values()):
        return  # subgraphs are checked by ONNX's own checker
    attributes = {k: a.value for k, a in node.attributes.items()}
    try:
        types = infer_node(
            node.op_type, node.domain, inputs, attributes, [bool(v.name) for v in node.outputs]
        )
    except NeedsStaticShape:
        return
    except GraphError as e:
        raise VerificationError(f"{what}: {e}") from e
    for v, (dt, dims) in zip(node.outputs, types, strict=True):
        if not v.name:
            continue
        assert isinstance(v, Tensor)
        if v.dt != dt:
            raise VerificationError(f"{what}: output {v.name!r} claims type {v.dt}, inference says {dt}")
        if not _compatible(v, tuple(dims)):
            raise VerificationError(
                f"{what}: output {v.name!r} claims shape {list(v.dims)}, inference says {list(dims)}"
            )


def _compatible(t: Tensor, dims: object) -> bool:
    """Whether the integers in both shapes agree (symbols may have several names)."""
    assert isinstance(dims, tuple)
    if len(t.dims) != len(dims):
        return False
    return all(a == b for a, b in zip(t.dims, dims, strict=True) if isinstance(a, int) and isinstance(b, int))
