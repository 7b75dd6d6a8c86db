"""Lowering: from a Symbol, or one operator, to a Program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .builder import Builder, Tensor
from .dims import DimLike
from .errors import GraphError
from .ops.registry import Operator
from .ops.schema import Attrs
from .program import Program, finish
from .symbol import Entry, Symbol

__all__ = ["TensorSpec", "lower_operator", "lower_symbol"]

TensorSpec = tuple["np.dtype[Any]", Sequence[DimLike]]  # element type and shape


def lower_symbol(symbol: Symbol, specs: Mapping[str, TensorSpec], train: bool = False) -> Program:
    """The program of a symbol. Its inputs are the symbol's variables in depth-first order.

    Parameters
    ----------
    specs : element type and shape of every variable, by name.
    train : lower operators as in training.

    Raises
    ------
    GraphError : a variable has no spec.
    NeedsStaticShape : an operator needs the value of a symbolic dimension.
    """
    g = Builder()
    g.train = train
    values: dict[Entry, Tensor] = {}
    nodes = symbol.nodes()
    missing = [n.name for n in nodes if n.op is None and n.name not in specs]
    if missing:
        raise GraphError(f"no shape and element type given for the arguments {missing}")
    inputs: dict[str, Tensor] = {}
    for node in nodes:
        if node.op is None:
            if node.name not in inputs:
                dt, dims = specs[node.name]
                inputs[node.name] = g.input(node.name, dt, dims)
            values[node, 0] = inputs[node.name]
    for node in nodes:
        if node.op is None:
            continue
        with g.scope(node.name, op=node.op.name):
            results = node.op.lower(g, [values[e] for e in node.inputs], node.parsed, node.argument_names())
        for i, r in enumerate(results):
            values[node, i] = r
    return finish(g, [values[e] for e in symbol.heads], names=symbol.list_outputs())


def lower_operator(
    op: Operator,
    attrs: Attrs,
    specs: Sequence[TensorSpec],
    train: bool = False,
    dynamic: Sequence[str] = (),
) -> Program:
    """The program of one operator call: inputs, then the `dynamic` parameters as float64 scalars."""
    g = Builder()
    g.train = train
    names = op.argument_names(attrs, len(specs))
    if len(names) != len(specs):
        raise GraphError(f"operator {op.name}: expected inputs {names}, got {len(specs)} arrays")
    with g.scope("", op=op.name):
        inputs = [g.input(n, dt, dims) for n, (dt, dims) in zip(names, specs, strict=True)]
        scalars = {p: g.input(f"param_{p}", np.float64, ()) for p in dynamic}
        results = op.lower(g, inputs, attrs, names, scalars)
    return finish(g, results, names=[f"output{i}" for i in range(len(results))])
