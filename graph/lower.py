"""Lowering: from a Symbol, or one operator, to a Program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .autodiff.recompute import RECOMPUTE
from .builder import Builder, Opaque, Tensor
from .dims import DimLike
from .errors import GraphError
from .infer import has_free_shape, infer_shapes
from .ops.control import ControlOperator
from .ops.registry import Operator
from .ops.schema import Attrs
from .program import Program, finish, without_inputs
from .shapes import ShapeContext
from .symbol import Entry, Node, Symbol

__all__ = ["TensorSpec", "lower_operator", "lower_symbol"]

TensorSpec = tuple["np.dtype[Any]", Sequence[DimLike]]  # element type and shape


def lower_symbol(symbol: Symbol, specs: Mapping[str, TensorSpec], train: bool = False) -> Program:
    """The program of a symbol. Its inputs are the symbol's variables in depth-first order.

    Parameters
    ----------
    specs : element type and shape of every variable, by name. Labels of loss layers may be left out (see
        `Symbol.list_labels`); then the program does not have them as inputs, and must not be differentiated.
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
    labels = set(symbol.list_labels()).intersection(missing) if missing else set()
    missing = [n for n in missing if n not in labels]
    if missing:
        raise GraphError(f"no shape and element type given for the arguments {missing}")
    free = _free_shapes(symbol, nodes, specs)
    inputs: dict[str, Tensor] = {}
    for node in nodes:
        if node.op is None and node.name not in labels:
            if node.name not in inputs:
                dt, dims = specs[node.name]
                inputs[node.name] = g.input(node.name, dt, dims)
            values[node, 0] = inputs[node.name]
    for node in nodes:
        if node.op is not None:
            if labels:
                _add_labels(g, node, values, inputs)
            _lower_node(g, node, values, free.get(node))
    _check_outputs(symbol, values)
    program = finish(g, [values[e] for e in symbol.heads], names=symbol.list_outputs())
    return without_inputs(program, labels) if labels else program


def _lower_node(
    g: Builder, node: Node, values: dict[Entry, Tensor], free: Mapping[str, Any] | None, path: str = ""
) -> None:
    """Emit one node; its outputs go into `values`."""
    op, inputs = node.op, [values[e] for e in node.inputs]
    assert op is not None
    block = node.attrs.get("__recompute__")
    with g.scope(path + node.name, op=op.name, **({RECOMPUTE: block} if block else {})):
        if isinstance(op, ControlOperator):
            bodies = [_Body(body, f"{path}{node.name}/") for body in node.bodies]
            results = op.lower_bodies(g, inputs, node.parsed, bodies)
        else:
            results = op.lower(g, inputs, node.parsed, node.argument_names(), free)
    for i, r in enumerate(results):
        values[node, i] = r


class _Body:
    """A body of control flow; the names of its nodes begin with `path`."""

    def __init__(self, symbol: Symbol, path: str) -> None:
        self.symbol = symbol
        self.path = path
        self.stochastic = symbol.stochastic

    def __call__(self, g: Builder, inputs: Sequence[Tensor]) -> list[Tensor]:
        nodes = self.symbol.nodes()
        variables = [n for n in nodes if n.op is None]
        values: dict[Entry, Tensor] = {(n, 0): t for n, t in zip(variables, inputs, strict=True)}
        specs: dict[str, TensorSpec] = {
            n.name: (t.dt, t.dims) for n, t in zip(variables, inputs, strict=True)
        }
        free = _free_shapes(self.symbol, nodes, specs)
        for node in nodes:
            if node.op is not None:
                _lower_node(g, node, values, free.get(node), self.path)
                if g.updates:
                    raise GraphError(
                        f"operator {node.op.name} (node {self.path + node.name!r}) changes its states, which "
                        "is not possible inside of control flow"
                    )
        return [values[e] for e in self.symbol.heads]


def _check_outputs(symbol: Symbol, values: Mapping[Entry, Tensor]) -> None:
    """Outputs must be arrays. (Operators of ONNX may also have sequences, optionals and texts.)"""
    for entry, name in zip(symbol.heads, symbol.list_outputs(), strict=True):
        t = values[entry]
        if t.dt.kind == "O" and (t.type is None or not isinstance(t, Opaque) or not t.is_tensor):
            raise GraphError(
                f"the output {name!r} is {t.type or 'of unknown type'}; only numbers can be an array"
            )


def _free_shapes(
    symbol: Symbol, nodes: Sequence[Node], specs: Mapping[str, TensorSpec]
) -> dict[Node, dict[str, Any]]:
    """Parameter `shape` of the nodes in which some sizes follow from where the result is used."""
    open_nodes = [n for n in nodes if has_free_shape(n)]
    if not open_nodes:
        return {}
    shapes = infer_shapes(symbol, {name: tuple(dims) for name, (_, dims) in specs.items()})
    found: dict[Node, dict[str, Any]] = {}
    for node in open_nodes:
        shape = shapes.get((node, 0))
        if shape is not None and None not in shape:  # otherwise the zeros stand for themselves
            found[node] = {"shape": shape}
    return found


def _add_labels(g: Builder, node: Node, values: dict[Entry, Tensor], inputs: dict[str, Tensor]) -> None:
    """Inputs for those variables of a loss layer that have no value; their shapes follow from the others."""
    missing = [(n, e) for n, e in zip(node.argument_names(), node.inputs, strict=True) if e not in values]
    if not missing:
        return
    op = node.op
    assert op is not None
    where = f"operator {op.name} (node {node.name!r})"
    known = [values[e].dims if e in values else None for e in node.inputs]
    context = ShapeContext(where, node.argument_names(), known, [None] * op.outputs(node.parsed))
    if op.shape_rule is not None:
        op.shape_rule(context, node.parsed)
    for name, entry in missing:
        shape = context[name]
        if shape is None or None in shape:
            raise GraphError(f"{where}: the shape of {entry[0].name!r} cannot be inferred")
        label = entry[0].name
        if label not in inputs:
            inputs[label] = g.input(label, np.float32, [d for d in shape if d is not None])
        values[entry] = inputs[label]


def lower_operator(
    op: Operator,
    attrs: Attrs,
    specs: Sequence[TensorSpec],
    train: bool = False,
    dynamic: Sequence[str] = (),
) -> Program:
    """The program of one operator call.

    Parameters
    ----------
    specs : the inputs, then the `dynamic` parameters: numbers as float64 without axes, tuples as vectors.
    """
    g = Builder()
    g.train = train
    count = len(specs) - len(dynamic)
    names = op.argument_names(attrs, count)
    if len(names) != count:
        raise GraphError(f"operator {op.name}: expected inputs {names}, got {count} arrays")
    with g.scope("", op=op.name):
        inputs = [g.input(n, dt, dims) for n, (dt, dims) in zip(names, specs[:count], strict=True)]
        scalars = {p: g.input(f"param_{p}", *spec) for p, spec in zip(dynamic, specs[count:], strict=True)}
        results = op.lower(g, inputs, attrs, names, scalars)
    return finish(g, results, names=[f"output{i}" for i in range(len(results))])
