"""Reading ONNX models: as Symbols, whose nodes are operators called ``onnx.<OpType>``, and as open graphs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from ..builder import OPSET, Builder, Tensor
from ..dims import Dim, DimLike
from ..errors import FormatError, GraphError, UnsupportedOperatorError
from ..infer import dtype_name
from ..onnx_attributes import write_attribute
from ..onnx_infer import AnyType, number_of
from ..onnx_nodes import anonymous, captured_names, emit_nodes, plain_domain, type_of
from ..onnx_versions import is_known, schema_of
from ..ops.onnx_operator import ABSENT, CAPTURED, OPSETS, OUTPUTS, TYPES, OnnxOperator, write_type
from ..ops.registry import find
from ..program import RANDOM_KEY, Program, finish
from ..symbol import Entry, Node, Symbol
from .onnx_file import OnnxFile, read_file

__all__ = ["Imported", "OnnxModel", "import_onnx", "read_onnx"]

Array = np.ndarray[Any, Any]

_SETTING = number_of(onnx.defs.OpSchema.DifferentiationCategory.NonDifferentiable)
#: Operators whose results have shapes that do not follow from types.
_UNSHAPED = frozenset(["ConcatFromSequence", "If", "Loop", "OptionalGetElement", "Reshape", "SequenceAt"])
_FEW = 1024  # elements up to which a value that is not learnt is a constant of the graph


@dataclass(eq=False)
class OnnxModel:
    """A model as a Symbol.

    Attributes
    ----------
    symbol : its outputs have the names that they have in the model.
    inputs : names of the inputs without a value, in the model's order.
    specs : element types and shapes that the model declares for them; None for a dimension that it leaves open.
    params : values of the variables that are no inputs.
    trainable : names of those that a gradient can improve.
    """

    symbol: Symbol
    inputs: list[str]
    specs: dict[str, tuple[np.dtype[Any], tuple[int | str | None, ...]]]
    params: dict[str, Array]
    trainable: set[str] = field(default_factory=set)


def import_onnx(source: onnx.ModelProto | str | os.PathLike[str], cls: type[Symbol] = Symbol) -> OnnxModel:
    """Read a model as a Symbol.

    Initializers become variables with values where an operator can learn them: floating-point arrays with at least
    one axis that are read where ONNX differentiates. So does everything of more than 1024 elements, though it does
    not learn. All others (shapes, axes, numbers, nodes that are constants) say what the graph computes and stay in it.

    Parameters
    ----------
    cls : the class of the symbol.

    Raises
    ------
    FormatError : the model is not valid, or has inputs or outputs that are no arrays.
    UnsupportedOperatorError : names all operators that cannot be translated to the pinned opset, with their nodes.
    """
    return _Importer(read_file(source), cls).model()


class _Importer:
    """Turns the main graph of one model into nodes of a Symbol."""

    def __init__(self, file: OnnxFile, cls: type[Symbol]) -> None:
        self.file = file
        self.graph = file.model.graph
        self.cls = cls
        self.entries: dict[str, Entry] = {}
        self.constants = _constants(file)
        self.learnt, self.states = self._roles()
        self.params: dict[str, Array] = {}
        self.types = _declared(self.graph)
        self.results = {v.name for v in self.graph.output}

    def model(self) -> OnnxModel:
        if RANDOM_KEY in self.constants or any(v.name == RANDOM_KEY for v in self.graph.input):
            raise FormatError(
                f"{self.file.name}: rename {RANDOM_KEY!r}: programs that draw numbers have an input of that name"
            )
        specs = self._inputs()
        for name, value in self.constants.items():
            if self._is_variable(name, value):
                self.params[name] = value
                self.entries[name] = (_variable(name, value.dtype, value.shape), 0)
            elif name in self.file.values:
                self._constant(name, value)
        self._check_supported()
        for node in self.graph.node:
            if not (node.op_type == "Constant" and node.output[0] in self.params):
                self._node(node)
        heads = [self.entries[self._numeric(v)] for v in self.graph.output]
        symbol = self.cls(heads)
        used = {n.name for n in symbol.nodes() if n.op is None}
        params = {n: v for n, v in self.params.items() if n in used}
        trainable = {n for n, v in params.items() if n not in self.states and self._learns(n, v)}
        return OnnxModel(symbol, list(specs), specs, params, trainable)

    def _inputs(self) -> dict[str, tuple[np.dtype[Any], tuple[int | str | None, ...]]]:
        specs: dict[str, tuple[np.dtype[Any], tuple[int | str | None, ...]]] = {}
        for v in self.graph.input:
            if v.name in self.file.values:
                continue
            kind = type_of(v)
            self._numeric(v)
            if isinstance(kind, tuple):
                dims = tuple(d if isinstance(d, int | str) else None for d in kind[1])
                dt = kind[0]
            else:
                dims, dt = (), np.dtype(ir.DataType(v.type.tensor_type.elem_type).numpy())
            specs[v.name] = dt, dims
            self.entries[v.name] = (_variable(v.name, dt, dims), 0)
        return specs

    def _numeric(self, v: onnx.ValueInfoProto) -> str:
        """The name of an input or output that can be an array."""
        tensor = v.type.tensor_type
        if not v.type.HasField("tensor_type") or tensor.elem_type in (0, onnx.TensorProto.STRING):
            kind = ir.serde.deserialize_type_proto_for_type(v.type)
            raise FormatError(
                f"{self.file.name}: {v.name!r} is {kind}; inputs and outputs of a model must be tensors of numbers to "
                "be arrays (inside of the graph it may have any type)"
            )
        return v.name

    def _roles(self) -> tuple[set[str], set[str]]:
        """Names that are read where ONNX differentiates, and those of running statistics."""
        learnt: set[str] = {v.name for v in self.graph.output}
        states: set[str] = set()
        for node in self.graph.node:
            domain = plain_domain(node.domain)
            schema = schema_of(node.op_type, OPSET, domain)
            for i, name in enumerate(node.input):
                formal = schema.inputs[min(i, len(schema.inputs) - 1)] if schema and schema.inputs else None
                if formal is None or number_of(formal.differentiation_category) != _SETTING:
                    learnt.add(name)
                if node.op_type == "BatchNormalization" and not domain and i >= 3:
                    states.add(name)
            learnt.update(captured_names(node))
        return learnt, states

    def _is_variable(self, name: str, value: Array) -> bool:
        if value.dtype == object or not value.ndim or not value.size:
            return False
        return value.size > _FEW or self._learns(name, value)

    def _learns(self, name: str, value: Array) -> bool:
        """An exporter writes weights as initializers, and numbers of the program as nodes."""
        return name in self.learnt and name in self.file.values and _smooth(value.dtype)

    def _constant(self, name: str, value: Array) -> None:
        node = onnx.helper.make_node("Constant", [], [name])
        tensor = ir.serde.serialize_tensor(ir.tensor(np.ascontiguousarray(value).reshape(value.shape)))
        node.attribute.append(onnx.helper.make_attribute("value", tensor))
        self._node(node)

    def _check_supported(self) -> None:
        missing: dict[str, str] = {}
        for node in self.graph.node:
            domain, version = plain_domain(node.domain), self.file.opsets.get("", OPSET)
            if domain or node.op_type in missing:
                continue
            if not is_known(node.op_type, version):
                missing[node.op_type] = node.name or node.output[0]
        if missing:
            raise UnsupportedOperatorError([(f"onnx.{op}", node) for op, node in missing.items()])

    def _node(self, node: onnx.NodeProto) -> None:
        outputs = list(node.output)
        while outputs and not outputs[-1]:
            outputs.pop()
        if not outputs:
            return
        domain = plain_domain(node.domain)
        op = find(f"onnx.{domain}.{node.op_type}" if domain else f"onnx.{node.op_type}", node.name)
        assert isinstance(op, OnnxOperator)
        captured = captured_names(node)
        attrs = {a.name: write_attribute(a, op.kind(a.name)) for a in node.attribute}
        versions: Any = self.file.opsets.get(domain, 1)
        if captured or any(a.HasField("g") or a.graphs for a in node.attribute):
            versions = self.file.opsets
        attrs[OPSETS] = json.dumps(versions)
        attrs[OUTPUTS] = json.dumps(outputs)
        inputs = list(node.input)
        while inputs and not inputs[-1]:
            inputs.pop()
        absent = [i for i, n in enumerate(inputs) if not n]
        if absent:
            attrs[ABSENT] = json.dumps(absent)
        if captured:
            attrs[CAPTURED] = json.dumps(captured)
        if op.schema is None or captured or not self.results.isdisjoint(outputs) or node.op_type in _UNSHAPED:
            types = [write_type(self.types.get(n)) for n in outputs]
            if any(types):
                attrs[TYPES] = json.dumps(types)
        entries = [self.entries[n] for n in (*inputs, *captured) if n]
        made = Node(op, node.name or outputs[0], attrs, entries)
        self.entries.update((n, (made, i)) for i, n in enumerate(outputs) if n)


def _declared(graph: onnx.GraphProto) -> dict[str, AnyType]:
    """What a graph says of its values; names of dimensions are left out."""
    return {v.name: anonymous(type_of(v)) for v in (*graph.value_info, *graph.output)}


def _constants(file: OnnxFile) -> dict[str, Array]:
    """Values by name: of initializers, and of those Constant nodes that hold arrays."""
    found = dict(file.values)
    for node in file.model.graph.node:
        if node.op_type == "Constant" and not plain_domain(node.domain) and len(node.attribute) == 1:
            (a,) = node.attribute
            if (
                a.name == "value"
                and a.HasField("t")
                and a.t.data_type != onnx.TensorProto.STRING
                and node.output
            ):
                found[node.output[0]] = np.asarray(ir.serde.deserialize_tensor(a.t).numpy())
    return found


def _smooth(dt: np.dtype[Any]) -> bool:
    return dt.kind == "f" or dt.name == "bfloat16"


def _variable(name: str, dt: np.dtype[Any], dims: tuple[int | str | None, ...]) -> Node:
    attrs = {"__dtype__": dtype_name(dt)}
    if dims:
        attrs["__shape__"] = str(tuple(d if isinstance(d, int) else 0 for d in dims))
    return Node(None, name, attrs)


# -- open graphs -------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Imported:
    """A model in a builder, ready to be extended.

    Attributes
    ----------
    builder : holds the model's nodes.
    values : every tensor of the main graph by its name in the model.
    inputs, outputs, initializers : names, in the model's order.
    """

    builder: Builder
    values: dict[str, Tensor]
    inputs: list[str]
    outputs: list[str]
    initializers: list[str]

    def program(self) -> Program:
        """The model as a program with the same outputs."""
        return finish(self.builder, [self.values[n] for n in self.outputs], names=self.outputs)


def read_onnx(source: onnx.ModelProto | str | os.PathLike[str]) -> Imported:
    """Read a model as an open graph: functions are expanded, and every node is of the pinned opset.

    Parameters
    ----------
    source : a model, or the path of one (external data is read from its folder only).

    Raises
    ------
    FormatError : the file is not a valid ONNX model.
    GraphError : an operator cannot be translated to the pinned opset.
    """
    file = read_file(source)
    graph, b = file.model.graph, Builder()
    values: dict[str, Tensor] = {}
    inputs = [v for v in graph.input if v.name not in file.values]
    for v in inputs:
        kind = type_of(v)
        if not isinstance(kind, tuple):
            raise GraphError(f"{file.name}: the input {v.name!r} has no rank, or is not a tensor")
        values[v.name] = b.input(v.name, kind[0], _dims(b, v.name, kind[1]))
    for name, value in file.values.items():
        values[name] = b.named_const(name, value)
    emit_nodes(b, graph.node, file.opsets, values, _declared(graph))
    return Imported(b, values, [v.name for v in inputs], [v.name for v in graph.output], list(file.values))


def _dims(b: Builder, name: str, dims: Any) -> list[DimLike]:
    return [
        d if isinstance(d, int) else Dim.symbol(d or b.unique(f"{name}.{axis}"))
        for axis, d in enumerate(dims)
    ]
