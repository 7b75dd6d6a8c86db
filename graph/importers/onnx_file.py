"""Reading and checking ONNX models: what comes out is safe to walk.

Everything a reader relies on is checked here, in one pass over the model: names, the order of nodes, sizes of tensors.
ONNX's own checker sees the operators only, without the weights, so that these are never copied.
"""

from __future__ import annotations

import math
import os
from collections import ChainMap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import onnx
import onnx.inliner
import onnx_ir as ir
from google.protobuf.message import DecodeError, EncodeError

from ..errors import FormatError
from ..onnx_nodes import plain_domain
from ..onnx_versions import STILL_THERE
from .external_data import ExternalData

__all__ = ["OnnxFile", "check_attribute", "read_file"]

Array = np.ndarray[Any, Any]

_COMPLEX = (ir.DataType.COMPLEX64, ir.DataType.COMPLEX128)
#: Where a tensor has its elements, if not in raw_data: in int32_data by default.
_FIELDS = {
    ir.DataType.FLOAT: "float_data",
    ir.DataType.COMPLEX64: "float_data",
    ir.DataType.DOUBLE: "double_data",
    ir.DataType.COMPLEX128: "double_data",
    ir.DataType.INT64: "int64_data",
    ir.DataType.UINT32: "uint64_data",
    ir.DataType.UINT64: "uint64_data",
    ir.DataType.STRING: "string_data",
}
_MOST_AXES = 64
_MOST_BYTES = 1 << 56  # sizes beyond overflow when they are multiplied with those of elements
_MOST_DENSE = 1 << 24  # elements of a sparse tensor
_MOST_INLINED = 1_000_000  # nodes that functions may expand to


@dataclass(eq=False)
class OnnxFile:
    """A model that has passed all checks.

    Attributes
    ----------
    model : its functions are expanded.
    name : what error messages call it.
    opsets : the version of each domain.
    values : of the initializers of the main graph, by name.
    """

    model: onnx.ModelProto
    name: str
    opsets: dict[str, int]
    values: dict[str, Array]


def read_file(source: onnx.ModelProto | str | os.PathLike[str]) -> OnnxFile:
    """Read and check a model.

    Parameters
    ----------
    source : a model, or the path of one. External data is read from its folder only.

    Raises
    ------
    FormatError : it is not a valid model; the message names file, node or tensor.
    OSError : the file cannot be read.
    """
    if isinstance(source, onnx.ModelProto):
        name, folder, model = "<model>", None, onnx.ModelProto()
        model.CopyFrom(source)
    else:
        name = os.fspath(source)
        folder = os.path.dirname(os.path.abspath(name))
        model = _parse(name)
    opsets = _opsets(model, name)
    if model.functions:
        model = _inlined(model, name)
        opsets = _opsets(model, name)
    check = _Check(name, ExternalData(folder, name))
    values = check.graph(model.graph, ChainMap(), "")
    _check_operators(model, name)
    return OnnxFile(model, name, opsets, values)


def _parse(path: str) -> onnx.ModelProto:
    with open(path, "rb") as f:
        data = f.read()
    if not data:
        raise FormatError(f"{path}: expected an ONNX model, the file is empty")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RuntimeError) as e:
        raise FormatError(
            f"{path}: expected an ONNX model, found {len(data)} bytes that are no protocol buffer, or are cut off"
        ) from e
    return model


def _opsets(model: onnx.ModelProto, name: str) -> dict[str, int]:
    if not model.ir_version or not model.HasField("graph"):
        raise FormatError(f"{name}: expected an ONNX model, found no IR version or no graph")
    found: dict[str, int] = {}
    for o in model.opset_import:
        if isinstance(o.domain, bytes):
            raise FormatError(f"{name}: the name {o.domain[:80]!r} of a domain is no UTF-8 text")
        domain = plain_domain(o.domain)
        if not 0 < o.version < 1 << 31 or found.setdefault(domain, o.version) != o.version:
            raise FormatError(
                f"{name}: the opset of the domain {o.domain!r} is {o.version}, or is given twice"
            )
    if not found and model.ir_version < 3:
        found[""] = 1
    if not found:
        raise FormatError(f"{name}: expected the model to import operators, found no opset")
    return found


def _inlined(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    _check_functions(model, name)
    _unify_opsets(model)
    try:
        return onnx.inliner.inline_local_functions(model)
    except Exception as e:  # the inliner raises unrelated types
        raise FormatError(f"{name}: its functions cannot be expanded: {str(e).strip()}") from e


def _unify_opsets(model: onnx.ModelProto) -> None:
    """Give functions the opsets of the model, whose nodes they become.

    Both must mean the same by a node, ONNX says, and the inliner leaves functions of another version alone. ONNX
    Runtime takes the model's version.
    """
    versions = {plain_domain(o.domain): o.version for o in model.opset_import}
    for function in model.functions:
        for o in function.opset_import:
            if isinstance(o.domain, bytes):
                continue
            domain = plain_domain(o.domain)
            if domain not in versions:
                versions[domain] = o.version
                model.opset_import.append(o)
            o.version = versions[domain]


def _nodes_of(nodes: Sequence[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Nodes, with those of subgraphs."""
    stack = [iter(nodes)]
    while stack:
        node = next(stack[-1], None)
        if node is None:
            stack.pop()
            continue
        yield node
        for a in node.attribute:
            stack.extend(iter(graph.node) for graph in (*([a.g] if a.HasField("g") else []), *a.graphs))


def _check_functions(model: onnx.ModelProto, name: str) -> None:
    """Functions must not call themselves, nor expand to more nodes than a model can have."""
    if any(isinstance(t, bytes) for f in model.functions for t in (f.name, f.domain)):
        raise FormatError(f"{name}: the name of a function is no UTF-8 text")
    bodies = {(plain_domain(f.domain), f.name, f.overload): f for f in model.functions}
    if len(bodies) != len(model.functions):
        raise FormatError(f"{name}: two functions have the same name")
    size: dict[Any, int] = {}
    calls = {
        key: [(plain_domain(n.domain), n.op_type, n.overload) for n in _nodes_of(f.node)]
        for key, f in bodies.items()
    }
    open_calls: dict[Any, None] = {}
    for first in bodies:
        stack = [first]
        while stack:
            key = stack[-1]
            inner = [k for k in calls[key] if k in bodies]
            waiting = [k for k in inner if k not in size]
            if key in size or not waiting:
                size.setdefault(key, len(calls[key]) + sum(size[k] for k in inner))
                open_calls.pop(key, None)
                stack.pop()
                continue
            open_calls[key] = None
            if any(k in open_calls for k in waiting):
                raise FormatError(f"{name}: the function {key[1]!r} calls itself, perhaps through others")
            stack.append(waiting[0])
    total = 0
    for n in _nodes_of(model.graph.node):
        total += size.get((plain_domain(n.domain), n.op_type, n.overload), 1)
        if total > _MOST_INLINED:
            raise FormatError(f"{name}: its functions expand to more than {_MOST_INLINED} nodes")


class _Check:
    """The checks of graphs and tensors."""

    def __init__(self, name: str, external: ExternalData, alone: bool = False) -> None:
        self.name = name
        self.external = external
        self.alone = alone  # what is around the graphs is not known

    def fail(self, message: str) -> NoReturn:
        raise FormatError(f"{self.name}: {message}")

    def graph(self, graph: onnx.GraphProto, outer: ChainMap[str, str], path: str) -> dict[str, Array]:
        """Check one graph; the values of its initializers.

        Parameters
        ----------
        outer : names of the graphs around it, and what makes them.
        path : of a subgraph, where it is.
        """
        made = outer.new_child()
        own: set[str] = set()
        self.text(graph.name, path)
        for v in (*graph.input, *graph.output, *graph.value_info):
            self.text(v.name, path)
            self.type(v.type, f"{path}the value {v.name!r}")
        for i, v in enumerate(graph.input):
            if not v.name or v.name in own:
                self.fail(f"{path}input {i} has the name {v.name!r}, which is empty or that of another one")
            own.add(v.name)
            made[v.name] = f"input {i}"
        values: dict[str, Array] = {}
        for t in graph.initializer:
            self.text(t.name, path)
            if not t.name or t.name in values:
                self.fail(f"{path}two initializers have the name {t.name!r}, or it is empty")
            values[t.name] = self.tensor(t, f"{path}the initializer {t.name!r}")
            made[t.name] = f"the initializer {t.name!r}"
        for s in graph.sparse_initializer:
            name = s.values.name
            self.text(name, path)
            if not name or name in values:
                self.fail(f"{path}two initializers have the name {name!r}, or it is empty")
            values[name] = self.dense(s, f"{path}the sparse initializer {name!r}")
            graph.initializer.add().CopyFrom(_proto(values[name], name))
            made[name] = "a sparse initializer"
        del graph.sparse_initializer[:]
        for number, node in enumerate(graph.node):
            self.node(graph, number, node, made, path)
        if not graph.output:
            self.fail(f"{path or 'the graph '}has no outputs")
        for i, v in enumerate(graph.output):
            if v.name not in made and not self.alone:
                self.fail(f"{path}output {i}, {v.name!r}, is made by no node")
        return values

    def node(
        self, graph: onnx.GraphProto, number: int, node: onnx.NodeProto, made: ChainMap[str, str], path: str
    ) -> None:
        where = f"{path}node {number} {node.name!r} ({node.op_type})"
        for text in (node.name, node.op_type, node.domain, *node.input, *node.output):
            self.text(text, f"{where}: ")
        if not node.op_type:
            self.fail(f"{where} has no operator")
        for i, name in enumerate(node.input):
            if name and name not in made and not self.alone:
                later = next(
                    (k for k in range(number, len(graph.node)) if name in graph.node[k].output), None
                )
                self.fail(
                    f"{where}: input {i}, {name!r}, is made by nothing"
                    if later is None
                    else f"{where}: input {i}, {name!r}, is made by node {later} {graph.node[later].name!r}: "
                    "the nodes form a cycle or are not in order"
                )
        seen: set[str] = set()
        for a in node.attribute:
            self.text(a.name, f"{where}: ")
            if not a.name or a.name in seen:
                self.fail(f"{where} has two attributes {a.name!r}, or one without a name")
            seen.add(a.name)
            self.attribute(a, where, made)
            if a.name == "sparse_value" and node.op_type == "Constant":
                value = self.dense(a.sparse_tensor, f"{where}: attribute {a.name!r}")
                a.CopyFrom(onnx.helper.make_attribute("value", _proto(value, "")))
        for i, name in enumerate(node.output):
            if name in made and name:
                self.fail(f"{where}: output {i}, {name!r}, is made by {made[name]} already")
            if name:
                made[name] = f"node {number} {node.name!r}"

    def attribute(self, a: onnx.AttributeProto, where: str, made: ChainMap[str, str]) -> None:
        """The tensors and graphs in an attribute."""
        if a.ref_attr_name:
            self.fail(
                f"{where}: attribute {a.name!r} refers to one of a function, and there is none around it"
            )
        for t in (*([a.t] if a.HasField("t") else []), *a.tensors):
            self.embedded(t, f"{where}: attribute {a.name!r}")
        for body in (*([a.g] if a.HasField("g") else []), *a.graphs):
            inner = self.graph(body, made, f"{where}, {a.name}: ")
            for t in body.initializer:
                if t.data_location == onnx.TensorProto.EXTERNAL:
                    _embed(t, inner[t.name])

    def embedded(self, t: onnx.TensorProto, where: str) -> None:
        """A tensor of an attribute; external data becomes a part of it."""
        value = self.tensor(t, where)
        if t.data_location == onnx.TensorProto.EXTERNAL:
            _embed(t, value)

    def text(self, text: str | bytes, where: str) -> None:
        """Names are texts; protobuf gives bytes where they are none."""
        if isinstance(text, bytes):
            self.fail(f"{where}the name {text[:80]!r} is no UTF-8 text")

    def type(self, proto: onnx.TypeProto, where: str) -> None:
        """A declared type: its element types exist, and its shape is one that a tensor can have."""
        kind = proto.WhichOneof("value")
        if kind in ("sequence_type", "optional_type"):
            self.type(getattr(proto, kind).elem_type, where)
        elif kind == "map_type":
            self.type(proto.map_type.value_type, where)
        elif kind in ("tensor_type", "sparse_tensor_type"):
            tensor = getattr(proto, kind)
            try:
                ir.DataType(tensor.elem_type)
            except ValueError:
                self.fail(f"{where} has the element type {tensor.elem_type}, which does not exist")
            for d in tensor.shape.dim:
                self.text(d.dim_param, f"{where}: ")
            dims = [d.dim_value for d in tensor.shape.dim if d.dim_value > 0]
            if len(tensor.shape.dim) > _MOST_AXES or math.prod(dims) >= _MOST_BYTES:
                self.fail(f"{where} has the shape {dims[:16]}, which is too large")

    def dense(self, s: onnx.SparseTensorProto, where: str) -> Array:
        """A sparse tensor as an array: ONNX Runtime makes one of it, too."""
        values, places = self.tensor(s.values, where), self.tensor(s.indices, f"{where}: its indices")
        dims = list(s.dims)
        count = math.prod(dims)
        if not dims or min(dims) < 0 or count > _MOST_DENSE:
            self.fail(f"{where} has the shape {dims[:16]}, expected one of at most {_MOST_DENSE} elements")
        if places.ndim == 2 and places.shape == (values.size, len(dims)) and places.dtype == np.int64:
            places = places @ np.array([math.prod(dims[i + 1 :]) for i in range(len(dims))], np.int64)
        fits = values.ndim == 1 and places.shape == values.shape and places.dtype == np.int64
        if not fits or (places.size and not 0 <= places.min() <= places.max() < count):
            self.fail(f"{where} has indices that do not fit its {values.size} values and its shape {dims}")
        result = np.zeros(count, values.dtype)
        result[places] = values
        return result.reshape(dims)

    def tensor(self, t: onnx.TensorProto, where: str) -> Array:
        """The value of a tensor that claims no more than it has.

        Raises
        ------
        FormatError : sizes, element type and bytes do not fit together.
        """
        count = 1
        for d in t.dims:
            if d < 0:
                self.fail(f"{where} has the shape {list(t.dims)[:16]}, which is negative")
            count *= d
        try:
            kind = ir.DataType(t.data_type)
        except ValueError:
            self.fail(f"{where} has the element type {t.data_type}, which does not exist")
        if kind == ir.DataType.UNDEFINED:
            self.fail(f"{where} has no element type")
        if len(t.dims) > _MOST_AXES or count >= _MOST_BYTES or max(t.dims, default=0) >= _MOST_BYTES:
            self.fail(f"{where} has the shape {list(t.dims)[:16]}, which is too large")
        if t.data_location == onnx.TensorProto.EXTERNAL:
            return self.external.array(t, count)
        if t.HasField("segment"):
            self.fail(f"{where} is stored in segments, which ONNX Runtime does not read")
        shape = list(t.dims)
        if kind != ir.DataType.STRING and t.HasField("raw_data"):
            need, have = -(-count * kind.bitwidth // 8), len(t.raw_data)
            if need != have:
                self.fail(
                    f"{where} has the shape {shape} of {kind.name}, which is {need} bytes; found {have}"
                )
        if not t.HasField("raw_data"):
            name = _FIELDS.get(kind, "int32_data")
            packed = kind != ir.DataType.STRING and kind.bitwidth < 8
            need = -(-count * kind.bitwidth // 8) if packed else 2 * count if kind in _COMPLEX else count
            if need != len(getattr(t, name)):
                self.fail(
                    f"{where} has the shape {shape} of {kind.name}, which is {need} numbers in {name}; "
                    f"found {len(getattr(t, name))}"
                )
        try:
            value = np.asarray(ir.serde.deserialize_tensor(t).numpy())
        except (
            ir.serde.SerdeError,
            ArithmeticError,
            AssertionError,
            LookupError,
            TypeError,
            ValueError,
        ) as e:
            self.fail(f"{where} of shape {shape} and type {kind.name} cannot be read: {_cause(e)}")
        if value.size != count:
            self.fail(f"{where} has the shape {shape}, which is {count} elements; found {value.size}")
        return value.reshape(shape)


def check_attribute(attribute: onnx.AttributeProto) -> None:
    """Check an attribute that was not read from a model: its tensors and graphs, and that it refers to no file.

    Raises
    ------
    FormatError : says what is wrong.
    """
    name = f"attribute {attribute.name!r}"
    _Check(name, ExternalData(None, name), alone=True).attribute(attribute, "the node", ChainMap())


def _embed(t: onnx.TensorProto, value: Array) -> None:
    t.CopyFrom(_proto(value, t.name))


def _proto(value: Array, name: str) -> onnx.TensorProto:
    contiguous = np.ascontiguousarray(value).reshape(value.shape)
    return ir.serde.serialize_tensor(ir.tensor(contiguous, name=name))


def _cause(e: BaseException) -> str:
    while e.__cause__ is not None:
        e = e.__cause__
    return str(e).strip()


def _check_operators(model: onnx.ModelProto, name: str) -> None:
    """ONNX's checker on the graph with inputs in place of the initializers."""
    shell = onnx.ModelProto(ir_version=model.ir_version)
    shell.opset_import.extend(model.opset_import or [onnx.helper.make_opsetid("", 1)])
    graph = shell.graph
    graph.name = "graph"
    graph.node.extend(model.graph.node)
    for node in graph.node:  # of no domain that the checker knows: it refuses what ONNX Runtime takes
        if node.op_type in STILL_THERE and not plain_domain(node.domain):
            node.domain = "unchecked"
    shell.opset_import.append(onnx.helper.make_opsetid("unchecked", 1))
    graph.input.extend(v for v in model.graph.input if v.type.WhichOneof("value"))
    declared = {v.name for v in graph.input}
    for tensor in model.graph.initializer:
        if tensor.name not in declared:
            graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    graph.output.extend(model.graph.output)
    missing = [v.name for v in (*model.graph.input, *model.graph.output) if not v.type.WhichOneof("value")]
    if missing:
        raise FormatError(f"{name}: the input or output {missing[0]!r} has no type")
    try:
        onnx.checker.check_model(shell)
    except (onnx.checker.ValidationError, ValueError, RuntimeError, EncodeError) as e:
        raise FormatError(f"{name}: not a valid ONNX model: {str(e).strip()}") from e
