"""A Program: an ONNX graph with notes on what its inputs and outputs are. It can be run, differentiated, saved."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from .builder import CUSTOM_DOMAIN, IR_VERSION, OPSET, Builder, Tensor
from .errors import GraphError
from .verify import checked

__all__ = ["RANDOM_KEY", "Program", "bake", "detach", "finish", "random_key"]

RANDOM_KEY = "random_key"  # name of the input that stochastic operators draw from: uint32, shape (2,)


@dataclass(eq=False)
class Program:
    """An ONNX graph and what its inputs and outputs mean.

    Attributes
    ----------
    inputs, outputs : tensors in call order. State updates are the last outputs.
    nodes : in topological order.
    updates : (output index, input index) of every state input that a run replaces.
    uses_random_key : the last input is the random key.
    """

    inputs: list[Tensor]
    outputs: list[Tensor]
    nodes: list[ir.Node]
    constants: list[Tensor]
    updates: list[tuple[int, int]] = field(default_factory=list)
    uses_random_key: bool = False

    @cached_property
    def visible(self) -> int:
        """Number of outputs that are results, not state updates."""
        return len(self.outputs) - len(self.updates)

    @property
    def input_names(self) -> list[str]:
        return [str(t.name) for t in self.inputs]

    @property
    def output_names(self) -> list[str]:
        return [str(t.name) for t in self.outputs]

    def expanded(self) -> Program:
        """The same program with every macro node replaced by ONNX nodes."""
        if all(n.domain != CUSTOM_DOMAIN for n in self.nodes):
            return self
        builder = Builder()
        values = open_inputs(builder, self)
        builder.replay(self.nodes, values, expand_custom=True)
        return reseal(builder, self, values)

    def to_ir(self) -> ir.Model:
        """The program as a model of onnx_ir; the program must not be used afterwards."""
        opsets = {"": OPSET}
        for node in self.nodes:
            for domain, version in _domains(node).items():
                opsets[domain] = max(version, opsets.get(domain, 1))
        graph = ir.Graph(
            self.inputs,
            self.outputs,
            nodes=self.nodes,
            initializers=self.constants,
            opset_imports=opsets,
            name="gluon",
        )
        return ir.Model(graph, ir_version=IR_VERSION, producer_name="gluon-onnx")

    def owned(self) -> ir.Model:
        """A model of onnx_ir of its own that ONNX Runtime has kernels for, with all macro nodes expanded."""
        from .passes.kernels import with_kernels
        from .passes.opsets import opset_with_kernels

        fresh = with_kernels(self.expanded())
        if fresh is self:  # nodes can be owned by one onnx_ir graph only
            builder = Builder()
            values = open_inputs(builder, self)
            builder.replay(self.nodes, values)
            fresh = reseal(builder, self, values)
        model = fresh.to_ir()
        nodes = list(model.graph.all_nodes())
        for node in nodes:
            _trim(node)
        model.graph.opset_imports[""] = opset_with_kernels(nodes)
        return model

    @cached_property
    def model(self) -> onnx.ModelProto:
        """The program as an ONNX model that ONNX Runtime has kernels for, with all macro nodes expanded."""
        return ir.serde.serialize_model(self.owned())

    def detached(self, least: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray[Any, Any]]]:
        """The model without its large constants, and these by name.

        Parameters
        ----------
        least : size in bytes from which on a constant is large. In the model it is declared as external data.
        """
        return detach(self.owned(), least)


def detach(model: ir.Model, least: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray[Any, Any]]]:
    """A model made of a program, without its large constants; see `Program.detached`."""
    large: dict[str, np.ndarray[Any, Any]] = {}
    for name, value in model.graph.initializers.items():
        assert isinstance(value, Tensor) and value.const is not None
        if value.const.nbytes >= least and value.const.dtype.kind in "fiub":
            large[name] = value.const
            value.const_value = ir.ExternalTensor(
                "memory",
                0,
                value.const.nbytes,
                ir.DataType.from_numpy(value.dt),
                shape=ir.Shape(value.const.shape),
                name=name,
            )
    return ir.serde.serialize_model(model), large


def _domains(node: ir.Node) -> dict[str, int]:
    """Domains other than ONNX's own that a node and its subgraphs need, and their versions."""
    found = {node.domain: node.version or 1} if node.domain else {}
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            for inner in attribute.as_graph():
                found.update(_domains(inner))
    return found


def _trim(node: ir.Node) -> None:
    """Leave out empty inputs at the end: they keep ONNX Runtime from fusing a Conv with what follows."""
    n = len(node.inputs)
    while n and node.inputs[n - 1] is None:
        n -= 1
    if n != len(node.inputs):
        node.resize_inputs(n)


def open_inputs(builder: Builder, program: Program) -> dict[ir.Value, Tensor]:
    """Inputs in `builder` like those of `program`; returns the map from its tensors to the new ones."""
    return {t: builder.input(str(t.name), t.dt, t.dims) for t in program.inputs}


def reseal(builder: Builder, program: Program, values: dict[ir.Value, Tensor]) -> Program:
    """The copy of `program` in `builder` as a program with the same names and notes."""
    outputs = [builder._copied(t, values) for t in program.outputs]
    result = finish(builder, outputs, names=program.output_names)
    result.updates = list(program.updates)
    result.uses_random_key = program.uses_random_key
    return result


def bake(program: Program, values: Mapping[str, np.ndarray[Any, Any]]) -> Program:
    """The program with some inputs fixed to values, which become initializers of the same names.

    Raises
    ------
    GraphError : a value is for a state that the program updates.
    """
    states = {program.input_names[i] for _, i in program.updates}
    if states & set(values):
        raise GraphError(f"the program updates {sorted(states & set(values))}; they cannot be fixed")
    builder = Builder()
    mapped: dict[ir.Value, Tensor] = {}
    for t in program.inputs:
        name = str(t.name)
        if name in values:
            mapped[t] = builder.named_const(name, values[name])
        else:
            mapped[t] = builder.input(name, t.dt, t.dims)
    builder.replay(program.nodes, mapped, expand_custom=True)
    outputs = [builder._copied(t, mapped) for t in program.outputs]
    result = finish(builder, outputs, names=program.output_names)
    place = {n: i for i, n in enumerate(result.input_names)}
    result.updates = [(o, place[program.input_names[i]]) for o, i in program.updates]
    return result


def without_inputs(program: Program, names: Collection[str]) -> Program:
    """The program with its macro nodes expanded, less some inputs that nothing reads then.

    Raises
    ------
    GraphError : one of the inputs is read.
    """
    builder = Builder()
    values: dict[ir.Value, Tensor] = {
        t: builder.input(str(t.name), t.dt, t.dims) for t in program.inputs if t.name not in names
    }
    hidden = Builder(builder)
    values.update((t, hidden.input(str(t.name), t.dt, t.dims)) for t in program.inputs if t.name in names)
    builder.replay(program.nodes, values, expand_custom=True)
    read = {v for node in builder.nodes for v in node.inputs}
    wrong = [t.name for t in hidden.inputs if t in read]
    if wrong:
        raise GraphError(f"the inputs {wrong} cannot be left out: they are read")
    result = reseal(builder, program, values)
    place = {n: i for i, n in enumerate(result.input_names)}
    result.updates = [(o, place[program.input_names[i]]) for o, i in program.updates]
    return result


def finish(builder: Builder, outputs: Sequence[Tensor], names: Sequence[str] | None = None) -> Program:
    """Close a builder: results and state updates become outputs, nodes that nothing needs are left out.

    Parameters
    ----------
    outputs : result tensors; each may be an input, a constant, or occur twice.
    names : names for the results; a name that is taken gets a number.
    """
    results = list(outputs) + list(builder.updates.values())
    taken: set[Tensor] = set(builder.inputs) | set(builder.constants.values())
    sealed: list[Tensor] = []
    wanted = list(names or []) + [""] * len(results)
    for tensor, name in zip(results, wanted, strict=False):
        if tensor in taken:
            tensor = builder.same(tensor)
        taken.add(tensor)
        if name and tensor.name != name:
            tensor.name = builder.unique(name)
        sealed.append(tensor)
    nodes, constants = _reachable(builder, sealed)
    positions = {t: i for i, t in enumerate(builder.inputs)}
    updates = [(len(outputs) + k, positions[state]) for k, state in enumerate(builder.updates)]
    random = bool(builder.inputs) and builder.inputs[-1].name == RANDOM_KEY
    return checked(Program(list(builder.inputs), sealed, nodes, constants, updates, random), "finish")


def _reachable(builder: Builder, outputs: Sequence[Tensor]) -> tuple[list[ir.Node], list[Tensor]]:
    needed: set[ir.Value] = set(outputs)
    nodes = []
    for node in reversed(builder.nodes):
        if any(v in needed for v in node.outputs):
            nodes.append(node)
            needed.update(reads(node))
    nodes.reverse()
    return nodes, [c for c in builder.constants.values() if c in needed]


def reads(node: ir.Node) -> list[ir.Value]:
    """The values that a node reads: its inputs, and what its subgraphs take from the graphs around them."""
    found = [v for v in node.inputs if v is not None]
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            found += _captured(attribute.as_graph())
    return found


def _captured(graph: ir.Graph) -> list[ir.Value]:
    """Values of outer graphs that a subgraph reads."""
    inner: set[ir.Value] = {*graph.inputs, *graph.initializers.values()}
    read: dict[ir.Value, None] = {}
    for node in graph:
        inner.update(node.outputs)
        read.update(dict.fromkeys(reads(node)))
    read.update(dict.fromkeys(graph.outputs))
    return [v for v in read if v not in inner]


def random_key(builder: Builder) -> Tensor:
    """The program's random key, made on first use; it stays the last input."""
    for t in builder.inputs:
        if t.name == RANDOM_KEY:
            return t
    return builder.input(RANDOM_KEY, np.uint32, (2,))
