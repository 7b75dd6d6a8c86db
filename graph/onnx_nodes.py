"""Emitting nodes of imported ONNX models: any operator, at any opset, with subgraphs and values without a shape."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from .builder import Builder, Opaque, Tensor
from .dims import Dim, DimLike
from .errors import GraphError, NeedsStaticShape, ShapeError
from .onnx_infer import AnyType, infer_loosely, infer_node
from .onnx_sequences import taken
from .onnx_sizes import computed, shaped
from .onnx_versions import Call, modern

__all__ = [
    "anonymous",
    "call",
    "calls",
    "captured_names",
    "emit_node",
    "emit_nodes",
    "plain_domain",
    "type_of",
]

Opsets = Mapping[str, int]
_CONST = 1 << 16  # bytes of a constant from which on it is not compared with others


def call(g: Builder, op_type: str, inputs: Sequence[Tensor | None], **attributes: Any) -> Tensor:
    """Emit an operator of the pinned opset with one output; inputs may be without a known shape."""
    return calls(g, Call(op_type, list(inputs), attributes, [True]))[0]


def calls(g: Builder, c: Call) -> tuple[Tensor, ...]:
    """The same for any number of outputs."""
    return _emit(g, c, "", {}, None)


def emit_node(
    g: Builder,
    node: onnx.NodeProto,
    inputs: Sequence[Tensor | None],
    opsets: Opsets,
    outer: Mapping[str, Tensor],
    declared: Sequence[AnyType] = (),
) -> tuple[Tensor, ...]:
    """Emit a node of a model.

    Parameters
    ----------
    inputs : what the node's inputs stand for, None for those left out.
    opsets : the model's version of each domain ("" is ONNX's own).
    outer : what the names stand for that the node's subgraphs take from the graphs around it.
    declared : types of the outputs as the model says, None where it says nothing.

    Raises
    ------
    UnsupportedOperatorError, GraphError : the operator cannot be translated to the pinned opset.
    ShapeError, TypeInferenceError : the inputs do not fit the operator.
    """
    try:
        found = _emit_node(g, node, inputs, opsets, outer, declared)
        if len(found) < len(node.output):
            raise ShapeError(
                f"ONNX {node.op_type} (node {node.name!r}): has {len(found)} results for {len(node.output)} outputs"
            )
        return found
    except GraphError:
        raise
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as e:
        # Rules are written for nodes that are valid; what ONNX's checker lets pass need not be.
        raise ShapeError(
            f"ONNX {node.op_type} (node {node.name!r}): its inputs and attributes do not fit together "
            f"({type(e).__name__}: {str(e)[:200]})"
        ) from e


def _emit_node(
    g: Builder,
    node: onnx.NodeProto,
    inputs: Sequence[Tensor | None],
    opsets: Opsets,
    outer: Mapping[str, Tensor],
    declared: Sequence[AnyType],
) -> tuple[Tensor, ...]:
    domain = plain_domain(node.domain)
    attributes = {a.name: a for a in node.attribute}
    if node.op_type == "Constant" and not domain:
        value = _constant(node)
        if value is not None:
            return (constant(g, value, node.output[0]),)
    values = {k: _value(a) for k, a in attributes.items()}
    c = Call(node.op_type, list(inputs), values, [bool(n) for n in node.output], declared)
    if domain:
        return _emit(g, c, domain, attributes, node.output, opsets.get(domain, 1))
    result = modern(g, c, opsets.get("", 1), node.name or (node.output[0] if node.output else ""))
    if not isinstance(result, Call):
        return result
    known = taken(g, result)
    if known is not None:
        return known
    return _Graphs(g, result, opsets, outer).emit(attributes, node.output)


def _value(a: onnx.AttributeProto) -> Any:
    if a.type == onnx.AttributeProto.GRAPH:
        return a.g
    try:
        return ir.serde.deserialize_attribute(a).value
    except ir.serde.SerdeError as e:
        kind = onnx.AttributeProto.AttributeType.Name(a.type)
        raise GraphError(f"the attribute {a.name!r} of type {kind} cannot be read") from e


def _chained(values: Mapping[str, Tensor]) -> MutableMapping[str, Tensor]:
    """The names of the graphs around a subgraph, which it does not change."""
    return values if isinstance(values, MutableMapping) else dict(values)


def plain_domain(domain: str) -> str:
    """ONNX's own domain has two names."""
    return "" if domain == "ai.onnx" else domain


def constant(g: Builder, value: np.ndarray[Any, Any], name: str) -> Tensor:
    """A constant; small ones that are equal share one initializer."""
    return g.const(value) if value.nbytes < _CONST else g.named_const(name, value)


def _constant(node: onnx.NodeProto) -> np.ndarray[Any, Any] | None:
    """The value of a Constant; None for strings and sparse tensors."""
    (attribute,) = node.attribute
    kind, value = attribute.name, onnx.helper.get_attribute_value(attribute)
    if kind == "value" and value.data_type != onnx.TensorProto.STRING:
        return np.asarray(ir.serde.deserialize_tensor(value).numpy())
    if kind in ("value_int", "value_ints"):
        return np.asarray(value, np.int64)
    return np.asarray(value, np.float32) if kind in ("value_float", "value_floats") else None


def _emit(
    g: Builder,
    c: Call,
    domain: str,
    protos: Mapping[str, onnx.AttributeProto],
    names: Sequence[str] | None,
    version: int | None = None,
) -> tuple[Tensor, ...]:
    """A node without subgraphs: computed where its inputs are known, else emitted with the types that follow."""
    types = _refined(_types(g, c, domain), c.declared)
    known = None
    if not domain and len(types) == 1 and isinstance(types[0], tuple):
        known = computed(c.op_type, c.inputs, c.attributes, types[0][0])
        if known is not None and known.dtype != object:
            return (g.const(known),)
    attributes = [_attribute(k, v, protos) for k, v in c.attributes.items()]
    outputs = g.emit(c.op_type, domain, c.inputs, attributes, types, c.wanted, names)
    g.nodes[-1].version = version
    if known is not None:
        outputs[0].sizes = known
    return outputs


def _attribute(name: str, value: Any, protos: Mapping[str, onnx.AttributeProto]) -> ir.Attr:
    """As the model has it, if that is still its value: an empty list has no type of its own."""
    if name in protos and protos[name].type != onnx.AttributeProto.GRAPH:
        kept = ir.serde.deserialize_attribute(protos[name])
        if kept.value is value or (not isinstance(value, ir.TensorProtocol) and kept.value == value):
            return kept
    (attribute,) = ir.convenience.convert_attributes({name: value})
    return attribute


def _refined(types: Sequence[AnyType], declared: Sequence[AnyType]) -> list[AnyType]:
    """What follows, and else what is declared."""
    said = [*declared, *[None] * (len(types) - len(declared))]
    return [t if isinstance(t, tuple) or d is None else d for t, d in zip(types, said, strict=False)]


def _types(g: Builder, c: Call, domain: str) -> Sequence[AnyType]:
    opaque = any(isinstance(x, Opaque) for x in c.inputs)
    if not domain:
        try:
            found = shaped(c.op_type, c.inputs, c.attributes)
        except ShapeError as e:
            raise ShapeError(f"ONNX {c.op_type}: {e}") from e
        if found is not None:
            return [found]
    if not opaque:
        try:
            return infer_node(c.op_type, domain, c.inputs, c.attributes, c.wanted)
        except NeedsStaticShape:
            if g.train and _only_signature(c.inputs):
                raise  # known for every size alone, and gradients need it
    return infer_loosely(c.op_type, domain, c.inputs, c.attributes, c.wanted)


def _only_signature(inputs: Iterable[Tensor | None]) -> bool:
    """Whether all symbolic dimensions are those of the inputs of the program: some are, and none is made inside."""
    symbols = {s for x in inputs if x is not None for d in x.dims if isinstance(d, Dim) for s in d.symbols()}
    return bool(symbols) and not any("." in s for s in symbols)


# -- subgraphs -----------------------------------------------------------------------------------------------------


def captured_names(node: onnx.NodeProto) -> list[str]:
    """Names that the subgraphs of a node take from the graphs around it, in order of first use."""
    found: dict[str, None] = {}
    for a in node.attribute:
        for graph in [a.g] if a.type == onnx.AttributeProto.GRAPH else a.graphs:
            found.update(dict.fromkeys(_captured(graph)))
    return list(found)


def _captured(graph: onnx.GraphProto) -> list[str]:
    own = {v.name for v in graph.input} | {t.name for t in graph.initializer}
    own |= {t.values.name for t in graph.sparse_initializer}
    read: dict[str, None] = {}
    for node in graph.node:
        read.update((n, None) for n in (*node.input, *captured_names(node)) if n and n not in own)
        own.update(node.output)
    read.update((v.name, None) for v in graph.output if v.name not in own)
    return list(read)


def type_of(info: onnx.ValueInfoProto) -> AnyType:
    """The declared type of a value; dimensions are integers, names, or None."""
    if not info.type.WhichOneof("value"):
        return None
    if info.type.HasField("tensor_type"):
        tensor = info.type.tensor_type
        if tensor.elem_type and tensor.HasField("shape"):
            dims = [
                d.dim_param or None
                if not d.HasField("dim_value")
                else d.dim_value
                if d.dim_value >= 0
                else None
                for d in tensor.shape.dim
            ]
            return np.dtype(ir.DataType(tensor.elem_type).numpy()), dims
    return ir.serde.deserialize_type_proto_for_type(info.type)


def merged(a: AnyType, b: AnyType) -> AnyType:
    """What is true of a value that is one of two."""
    if isinstance(a, tuple) and isinstance(b, tuple) and a[0] == b[0]:
        if len(a[1]) != len(b[1]):
            return ir.TensorType(ir.DataType.from_numpy(a[0]))
        return a[0], [x if type(x) is type(y) and x == y else None for x, y in zip(a[1], b[1], strict=True)]
    return _without_shape(a) if _without_shape(a) is not None else _without_shape(b)


def _without_shape(a: AnyType) -> ir.TypeProtocol | None:
    return ir.TensorType(ir.DataType.from_numpy(a[0])) if isinstance(a, tuple) else a


def _kind(t: Tensor) -> AnyType:
    return t.type if isinstance(t, Opaque) else (t.dt, t.dims)


class _Graphs:
    """A node of ONNX's own domain, perhaps with subgraphs."""

    def __init__(self, g: Builder, c: Call, opsets: Opsets, outer: Mapping[str, Tensor]) -> None:
        self.g, self.call, self.opsets, self.outer = g, c, opsets, outer

    def emit(self, protos: Mapping[str, onnx.AttributeProto], names: Sequence[str]) -> tuple[Tensor, ...]:
        c = self.call
        graphs = {k: v for k, v in c.attributes.items() if isinstance(v, onnx.GraphProto)}
        if not graphs:
            return _emit(self.g, c, "", protos, names)
        condition = None if c.inputs[0] is None else c.inputs[0].const
        if c.op_type == "If" and condition is not None and condition.size == 1:
            return self.chosen(graphs["then_branch" if condition.item() else "else_branch"])
        given = self.inputs_of(c)
        made = {k: self.graph(v, given) for k, v in graphs.items()}
        types = _refined(self.types(c, {k: results for k, (_, results) in made.items()}), c.declared)
        plain = {k: v for k, v in c.attributes.items() if k not in graphs}
        attributes = [_attribute(k, v, protos) for k, v in plain.items()]
        attributes += [ir.AttrGraph(k, graph) for k, (graph, _) in made.items()]
        return self.g.emit(c.op_type, "", c.inputs, attributes, types, c.wanted, names)

    def chosen(self, branch: onnx.GraphProto) -> tuple[Tensor, ...]:
        """The results of the branch of an If that is known to be taken."""
        values: ChainMap[str, Tensor] = ChainMap({}, _chained(self.outer))
        self.read(self.g, branch, values)
        return tuple(values[v.name] for v in branch.output)

    def read(self, g: Builder, proto: onnx.GraphProto, values: MutableMapping[str, Tensor]) -> None:
        """Emit the initializers and nodes of a subgraph."""
        for tensor in proto.initializer:
            array = np.asarray(ir.serde.deserialize_tensor(tensor).numpy())
            values[tensor.name] = constant(g, array, tensor.name)
        emit_nodes(g, proto.node, self.opsets, values)

    @staticmethod
    def inputs_of(c: Call) -> list[AnyType]:
        """What is known of the inputs of the body, beside what it declares itself."""
        if c.op_type == "Scan":
            count = len(c.inputs) - int(c.attributes["num_scan_inputs"])
            kinds = [None if x is None else _kind(x) for x in c.inputs]
            axes = list(c.attributes.get("scan_input_axes") or [0] * (len(kinds) - count))
            for i, axis in enumerate(axes, count):
                kind = kinds[i]
                if isinstance(kind, tuple):
                    dims = list(kind[1])
                    del dims[axis]
                    kinds[i] = (kind[0], dims)
            return kinds
        if c.op_type == "Loop":  # what is carried round may have another shape each time
            return [None, None, *(None if x is None else _without_shape(_kind(x)) for x in c.inputs[2:])]
        return []

    def types(self, c: Call, results: Mapping[str, Sequence[Tensor]]) -> list[AnyType]:
        """Of the node's outputs, from the results of its subgraphs."""
        if c.op_type == "If":
            branches = [[_kind(t) for t in results[k]] for k in ("then_branch", "else_branch")]
            return [merged(a, b) for a, b in zip(*branches, strict=True)]
        body = [_kind(t) for t in next(iter(results.values()))]
        if c.op_type == "SequenceMap":
            elements = [_without_shape(t) for t in body]
            return [None if t is None else ir.SequenceType(t) for t in elements]
        if c.op_type == "Loop":
            body, count = body[1:], len(c.inputs) - 2
            first = [None if x is None else _kind(x) for x in c.inputs[2:]]
            length: DimLike | None = None
        else:
            count = len(c.inputs) - int(c.attributes["num_scan_inputs"])
            first = [None if x is None else _kind(x) for x in c.inputs[:count]]
            item = c.inputs[count] if count < len(c.inputs) else None
            axis = next(iter(c.attributes.get("scan_input_axes") or [0]))
            length = None if item is None or isinstance(item, Opaque) else item.dims[axis]
        states = [merged(a, b) for a, b in zip(first, body[:count], strict=True)]
        axes = list(c.attributes.get("scan_output_axes") or [0] * (len(body) - count))
        return states + [_stacked(t, length, axis) for t, axis in zip(body[count:], axes, strict=True)]

    def graph(self, proto: onnx.GraphProto, given: Sequence[AnyType]) -> tuple[ir.Graph, list[Tensor]]:
        """A subgraph in an inner builder, and its results."""
        inner = Builder(self.g)
        inner.constants = self.g.constants
        inner.metadata = self.g.metadata
        values: ChainMap[str, Tensor] = ChainMap({}, _chained(self.outer))
        inputs: list[Tensor] = []
        for i, info in enumerate(proto.input):
            kind = anonymous(type_of(info))
            if i < len(given) and not isinstance(kind, tuple) and given[i] is not None:
                kind = given[i]
            inputs.append(_input(inner, info.name, kind))
            values[info.name] = inputs[-1]
        self.read(inner, proto, values)
        made = {v for n in inner.nodes for v in n.outputs}
        results: list[Tensor] = []
        for info in proto.output:
            t = values[info.name]
            results.append(t if t in made and t not in results else inner.same(t))
        return ir.Graph(inputs, results, nodes=inner.nodes, name=proto.name or "body"), results


def anonymous(kind: AnyType) -> AnyType:
    """A type without names of dimensions, which mean nothing in a subgraph: what is carried round may change."""
    if not isinstance(kind, tuple):
        return kind
    return kind[0], [d if isinstance(d, int) else None for d in kind[1]]


def _stacked(t: AnyType, length: DimLike | None, axis: int) -> AnyType:
    """The results of all steps along a new axis."""
    if not isinstance(t, tuple):
        return t
    dims = list(t[1])
    dims.insert(axis % (len(dims) + 1), length)
    return t[0], dims


def _input(g: Builder, name: str, kind: AnyType) -> Tensor:
    name = g.unique(name)
    if not isinstance(kind, tuple):
        return Opaque(g, name, kind)
    dims = tuple(
        Dim.symbol(g.unique(f"{name}.{i}")) if d is None else Dim.symbol(d) if isinstance(d, str) else d
        for i, d in enumerate(kind[1])
    )
    tensor = Tensor(g, name, kind[0], dims)
    g.learn(tensor)
    return tensor


def emit_nodes(
    g: Builder,
    nodes: Iterable[onnx.NodeProto],
    opsets: Opsets,
    values: MutableMapping[str, Tensor],
    types: Mapping[str, AnyType] | None = None,
) -> None:
    """Emit the nodes of a graph; `values` holds what names stand for, and grows.

    Parameters
    ----------
    types : what the model declares of values.

    Raises
    ------
    GraphError : a name is read before it is defined.
    """
    for node in nodes:
        missing = [n for n in (*node.input, *captured_names(node)) if n and n not in values]
        if missing:
            raise GraphError(
                f"node {node.name!r} ({node.op_type}) reads {missing[0]!r}, which is not defined before it"
            )
        inputs = [values[n] if n else None for n in node.input]
        with g.scope(**{**g.metadata, "node": node.name or g.metadata.get("node", "")}):
            declared = [types.get(n) for n in node.output] if types else ()
            outputs = emit_node(g, node, inputs, opsets, values, declared)
        values.update((n, t) for n, t in zip(node.output, outputs, strict=False) if n)
