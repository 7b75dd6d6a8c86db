"""Sequences and optional values: those with known elements have been taken apart when the graph was read."""

from __future__ import annotations

from typing import NoReturn

import onnx_ir as ir

from ...builder import Builder, Tensor
from ...errors import NotDifferentiableError
from ..engine import rule

__all__: list[str] = []


@rule("ConcatFromSequence", "OptionalGetElement", "SequenceAt")
def element(g: Builder, n: ir.Node, *dys: Tensor | None) -> NoReturn:
    where = n.metadata_props.get("node") or n.name
    raise NotDifferentiableError(
        f"no gradient passes through the ONNX operator {n.op_type!r} (in node {where!r}): it takes tensors from a "
        "sequence, or an optional value, whose elements are not known before the graph runs"
    )


@rule("Optional", "SequenceConstruct", "SequenceErase", "SequenceInsert", "SequenceMap", "SplitToSequence")
def container(g: Builder, n: ir.Node, *dys: Tensor | None) -> NoReturn:
    where = n.metadata_props.get("node") or n.name
    raise NotDifferentiableError(
        f"the ONNX operator {n.op_type!r} (in node {where!r}) makes a sequence, or an optional value: those have no "
        "gradients, only tensors have"
    )
