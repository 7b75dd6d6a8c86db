"""Reading ONNX models as programs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnx.version_converter
import onnx_ir as ir

from ..builder import OPSET, Builder, Tensor
from ..dims import Dim, DimLike
from ..errors import FormatError, GraphError, NeedsStaticShape
from ..onnx_infer import TypeAndShape, infer_node
from ..program import Program, finish

__all__ = ["Imported", "read_onnx"]


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
    """Read a model: functions are inlined, older opsets converted, every value gets type and shape.

    Parameters
    ----------
    source : a model, or the path of one (external data is read from its folder only).

    Raises
    ------
    FormatError : the file is not a valid ONNX model.
    GraphError : the model's opset cannot be converted.
    """
    name = "<model>" if isinstance(source, onnx.ModelProto) else os.fspath(source)
    try:
        model = source if isinstance(source, onnx.ModelProto) else onnx.load(os.fspath(source))
        onnx.checker.check_model(model)
    except Exception as e:  # protobuf, onnx and the file system raise unrelated types
        if isinstance(e, OSError):
            raise
        raise FormatError(f"{name}: not a valid ONNX model: {str(e).strip()}") from e
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    return _Reader(_converted(model, name), name).read()


def _converted(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), OPSET)
    if version == OPSET:
        return model
    if version > OPSET:
        raise GraphError(f"{name}: opset {version} is newer than {OPSET}, the newest that is supported")
    try:
        return onnx.version_converter.convert_version(model, OPSET)
    except Exception as e:  # the converter raises RuntimeError subclasses of its own
        raise GraphError(f"{name}: converting opset {version} to {OPSET} failed: {str(e).strip()}") from e


class _Reader:
    """Turns one model's main graph into builder nodes."""

    def __init__(self, model: onnx.ModelProto, name: str) -> None:
        try:
            model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        except onnx.shape_inference.InferenceError as e:
            raise FormatError(f"{name}: shape inference failed: {str(e).strip()}") from e
        self.model = ir.serde.deserialize_model(model)
        self.name = name
        self.builder = Builder()
        self.values: dict[ir.Value, Tensor] = {}

    def read(self) -> Imported:
        graph, b = self.model.graph, self.builder
        initializers = dict(graph.initializers)
        inputs = [v for v in graph.inputs if v.name not in initializers]
        for v in inputs:
            dt, dims = self._type(v, b)
            self.values[v] = b.input(str(v.name), dt, dims)
        for n, v in initializers.items():
            assert v.const_value is not None
            self.values[v] = b.named_const(str(n), v.const_value.numpy())
        self._nodes(graph, b)
        named = {str(v.name): t for v, t in self.values.items() if v.name and t.builder is b}
        return Imported(
            b,
            named,
            [str(v.name) for v in inputs],
            [str(v.name) for v in graph.outputs],
            list(map(str, initializers)),
        )

    def _type(self, v: ir.Value, b: Builder) -> tuple[np.dtype[Any], tuple[DimLike, ...]]:
        if v.shape is None or not isinstance(v.type, ir.TensorType):
            raise NeedsStaticShape(f"{self.name}: the tensor {v.name!r} has no rank or is not a tensor")
        dims: list[DimLike] = []
        for axis, d in enumerate(v.shape):
            if isinstance(d, int):
                dims.append(d)
            else:
                dims.append(Dim.symbol(str(d.value)) if d.value else Dim.symbol(b.unique(f"{v.name}.{axis}")))
        return np.dtype(v.type.dtype.numpy()), tuple(dims)

    def _nodes(self, graph: ir.Graph, b: Builder) -> None:
        for node in graph:
            if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
                self.values[node.outputs[0]] = b.const(_constant(node))
                continue
            inputs = [None if v is None else self.values[v] for v in node.inputs]
            attributes = [self._attribute(a, b) for a in node.attributes.values()]
            wanted = [bool(v.name) for v in node.outputs]
            types = self._types(node, inputs, attributes, wanted, b)
            domain = "" if node.domain == "ai.onnx" else node.domain
            with b.scope(node.name or ""):
                outputs = b.emit(node.op_type, domain, inputs, attributes, types, wanted)
            for v, t in zip(node.outputs, outputs, strict=True):
                self.values[v] = t

    def _types(
        self,
        node: ir.Node,
        inputs: Sequence[Tensor | None],
        attributes: Sequence[ir.Attr],
        wanted: Sequence[bool],
        b: Builder,
    ) -> list[TypeAndShape]:
        """From the model where it says, else inferred."""
        nothing: TypeAndShape = (np.dtype(np.float32), ())
        if all(
            v.shape is not None and v.type is not None for v, w in zip(node.outputs, wanted, strict=True) if w
        ):
            return [self._type(v, b) if w else nothing for v, w in zip(node.outputs, wanted, strict=True)]
        values = {a.name: a.value for a in attributes}
        return infer_node(
            node.op_type, "" if node.domain == "ai.onnx" else node.domain, inputs, values, wanted
        )

    def _attribute(self, a: ir.Attr, b: Builder) -> ir.Attr:
        if a.type != ir.AttributeType.GRAPH:
            return a
        graph = a.as_graph()
        inner = Builder(b)
        inner.constants = b.constants
        inputs = []
        for v in graph.inputs:
            dt, dims = self._type(v, inner)
            t = Tensor(inner, b.unique(str(v.name)), dt, dims)
            inner.learn(t)
            self.values[v] = t
            inputs.append(t)
        for n, v in graph.initializers.items():
            assert v.const_value is not None
            self.values[v] = b.named_const(str(n), v.const_value.numpy())
        self._nodes(graph, inner)
        made = {v for n in inner.nodes for v in n.outputs}
        results = [self.values[v] for v in graph.outputs]
        results = [r if r in made else inner.op("Identity", r) for r in results]
        return ir.AttrGraph(a.name, ir.Graph(inputs, results, nodes=inner.nodes, name=graph.name))


def _constant(node: ir.Node) -> np.ndarray[Any, Any]:
    (attribute,) = node.attributes.values()
    if attribute.name == "value":
        return np.asarray(attribute.as_tensor().numpy())
    types = {
        "value_int": np.int64,
        "value_ints": np.int64,
        "value_float": np.float32,
        "value_floats": np.float32,
    }
    if attribute.name in types:
        return np.asarray(attribute.value, types[attribute.name])
    raise GraphError(f"Constant {node.name!r}: attribute {attribute.name!r} is not supported")
