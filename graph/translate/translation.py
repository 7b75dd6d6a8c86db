"""The walk over an ONNX graph: constants are computed, every other node is given to the rule of its operator."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnx.version_converter
from onnx import helper, numpy_helper

from ..errors import FormatError, GraphError
from ..ops.registry import find
from ..ops.schema import format_value
from ..symbol import Entry, Node, Symbol
from .folding import FoldingError, compute, folded, is_foldable

__all__ = ["Call", "Inexpressible", "Translated", "Translation", "Value", "rule", "translate"]

Array = np.ndarray[Any, Any]
Value = Entry | Array

_OPSET = 18  # what the rules know; older models are converted
_OPEN = -(
    1 << 48
)  # in constants that are made of shapes: the open size of axis 0; less 1 that of axis 1, and so on
_MOVING = {"Cast", "Concat", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Unsqueeze"}


class Inexpressible(GraphError):
    """Nodes of a model that MXNet's operators cannot express.

    Attributes
    ----------
    nodes : operator, name and reason of each.
    """

    def __init__(self, where: str, nodes: Sequence[tuple[str, str, str]]) -> None:
        lines = "".join(f"\n  {op} (node {name!r}): {reason}" for op, name, reason in nodes)
        super().__init__(f"{where}: {len(nodes)} nodes cannot be expressed by MXNet's operators:{lines}")
        self.nodes = list(nodes)


class No(Exception):
    """Why a rule cannot translate a node."""


@dataclass(frozen=True)
class Translated:
    """A model in MXNet's terms.

    Attributes
    ----------
    args, aux : values of arguments and auxiliary states, by name.
    inputs : names of the inputs, as in the model.
    """

    symbol: Symbol
    args: dict[str, Array]
    aux: dict[str, Array]
    inputs: list[str]


@dataclass
class Call:
    """A node that is being translated.

    Attributes
    ----------
    name : what its MXNet node is called.
    inputs : its values; None for those left out.
    shapes : of the inputs as far as they are known; None entries are unknown sizes.
    out_shapes : of the outputs.
    """

    translation: Translation
    operator: str
    name: str
    inputs: list[Value | None]
    shapes: list[tuple[int | None, ...] | None]
    out_shapes: list[tuple[int | None, ...] | None]
    attributes: dict[str, Any]
    outputs: list[str] = field(default_factory=list)

    def get(self, key: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.get(key, default)

    def has(self, i: int) -> bool:
        """Whether input `i` is given."""
        return i < len(self.inputs) and self.inputs[i] is not None

    def value(self, i: int) -> Value:
        """Input `i`."""
        found = self.inputs[i] if self.has(i) else None
        if found is None:
            raise No(f"its input {i} is missing")
        return found

    def constant(self, i: int, what: str) -> Array:
        """Input `i`, which must be known."""
        found = self.value(i)
        if not isinstance(found, np.ndarray) or has_open(found):
            raise No(f"{what} is computed when the model runs")
        return found

    def sizes(self, i: int, what: str) -> list[int | None]:
        """Input `i` as sizes of a shape; None for one that the data has in the same place and leaves open."""
        found = self.value(i)
        if not isinstance(found, np.ndarray):
            raise No(f"{what} is computed when the model runs")
        numbers = [int(x) for x in found.ravel()]
        if any(is_open(x) and x != _OPEN - axis for axis, x in enumerate(numbers)):
            raise No(f"{what} has an open size in another place than the data")
        return [None if is_open(x) else x for x in numbers]

    def numbers(self, i: int, what: str) -> list[int]:
        """Input `i` as a list of integers."""
        return [int(x) for x in self.constant(i, what).ravel()]

    def rank(self, i: int = 0) -> int:
        """The number of axes of input `i`."""
        value = self.value(i)
        if isinstance(value, np.ndarray):
            return value.ndim
        shape = self.shapes[i]
        if shape is None:
            raise No("the rank of its input is not known")
        return len(shape)

    def axis(self, axis: int, rank: int | None = None) -> int:
        """An axis counted from the first one."""
        return axis % (self.rank() if rank is None else rank)

    def make(self, op: str, *inputs: Value, suffix: str = "", **attrs: Any) -> Entry:
        """A node of MXNet; without a suffix it has the name of this one."""
        return self.translation.make(op, self.name + suffix, inputs, attrs)


Rule = Callable[[Call], Value | Sequence[Value]]
_RULES: dict[str, Rule] = {}


def rule(*operators: str) -> Callable[[Rule], Rule]:
    """Register a function as the rule of ONNX operators. It may raise `No`."""

    def register(function: Rule) -> Rule:
        for operator in operators:
            _RULES[operator] = function
        return function

    return register


def translate(model: onnx.ModelProto, where: str = "model") -> Translated:
    """The model as a Symbol of MXNet's operators, with the same inputs and outputs.

    Parameters
    ----------
    model : with the values of its constants, whose graph needs no more than rules of this package.

    Raises
    ------
    Inexpressible : names all nodes that cannot be translated, with reasons.
    FormatError : it is not valid.
    GraphError : its opset cannot be converted.
    """
    _check(model, where)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), _OPSET)
    if version < _OPSET:
        try:
            model = onnx.version_converter.convert_version(model, _OPSET)
        except Exception as error:  # the converter raises RuntimeErrors of its own
            text = " ".join(str(error).split())
            raise GraphError(f"{where}: opset {version} cannot be converted to {_OPSET}: {text}") from error
    try:
        model = folded(model)
    except onnx.shape_inference.InferenceError as error:
        raise FormatError(f"{where}: not a valid ONNX model: {' '.join(str(error).split())}") from error
    return Translation(model, where).run()


def _check(model: onnx.ModelProto, where: str) -> None:
    """Check constants and nodes. ONNX's check of whole models also refuses those that leave shapes of outputs open."""
    context = onnx.checker.C.CheckerContext()
    context.ir_version = model.ir_version
    context.opset_imports = {o.domain: o.version for o in model.opset_import}
    try:
        for tensor in model.graph.initializer:
            onnx.checker.check_tensor(tensor, context)
        for node in model.graph.node:
            onnx.checker.check_node(node, context)
    except Exception as error:  # protobuf's and the checker's errors have nothing in common
        raise FormatError(f"{where}: not a valid ONNX model: {' '.join(str(error).split())}") from error


class Translation:
    """One model on its way."""

    def __init__(self, model: onnx.ModelProto, where: str) -> None:
        self.model = model
        self.graph = model.graph
        self.where = where
        self.values: dict[str, Value] = {}
        self.shapes: dict[str, tuple[int | None, ...]] = {}
        self.args: dict[str, Array] = {}
        self._named: dict[int, str] = {}  # names of constants, by identity
        self._variables: dict[int, tuple[Array, Entry]] = {}
        self._taken: set[str] = set()
        self._last: dict[str, str] = {}
        self._read: set[str] = set()
        self._faults: list[tuple[str, str, str]] = []
        for value in (*self.graph.value_info, *self.graph.input, *self.graph.output):
            kind = value.type.tensor_type
            if kind.HasField("shape"):
                self.shapes[value.name] = tuple(
                    d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim
                )

    def run(self) -> Translated:
        """Translate all nodes."""
        stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in self.graph.initializer}
        inputs = [value.name for value in self.graph.input if value.name not in stored]
        for name in inputs:
            self._taken.add(name)
            self.values[name] = (Node(None, name, {}), 0)
        for name, array in stored.items():
            self.values[name] = array
            self._named[id(array)] = name
        # Of the ONNX nodes that an MXNet node became, the last gets its name back.
        self._last = {origin: node.output[0] for node in self.graph.node if (origin := _origin(node))}
        self._read = {name for node in self.graph.node for name in node.input if name}
        self._read.update(value.name for value in self.graph.output)
        for number, node in enumerate(self.graph.node):
            self._node(node, number)
        if self._faults:
            raise Inexpressible(self.where, self._faults)
        absent = [value.name for value in self.graph.output if value.name not in self.values]
        if absent:
            raise FormatError(f"{self.where}: not a valid ONNX model: nothing computes the outputs {absent}")
        heads = [self._output(value.name) for value in self.graph.output]
        symbol = Symbol(heads)
        aux = set(symbol.list_auxiliary_states())
        used = set(symbol.list_inputs())
        return Translated(
            symbol,
            {n: x for n, x in self.args.items() if n in used and n not in aux},
            {n: x for n, x in self.args.items() if n in aux},
            inputs,
        )

    def _node(self, node: onnx.NodeProto, number: int) -> None:
        label = node.name or next(filter(None, node.output), f"node {number}")
        inputs = [self.values.get(name) if name else None for name in node.input]
        try:
            if folded := self._folded(node, inputs):
                self.values.update(folded)
                return
            found = _RULES.get(node.op_type) if node.domain in ("", "ai.onnx") else None
            if found is None:
                raise No("there is no operator for it")
            made = found(self._call(node, inputs))
            results = [made] if isinstance(made, np.ndarray | tuple) else list(made)
            if self._read.intersection(node.output[len(results) :]):
                raise No(f"only the first {len(results)} of its outputs can be had")
            self.values.update((n, x) for n, x in zip(node.output, results, strict=False) if n)
        except No as reason:
            operator = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
            self._faults.append((operator, label, str(reason)))
            for name in node.output:
                self.values[name] = (Node(None, name, {}), 0)

    def _call(self, node: onnx.NodeProto, inputs: list[Value | None]) -> Call:
        label = _origin(node) or node.name or next(filter(None, node.output), node.op_type)
        if self._last.get(label, node.output[0]) != node.output[0]:
            label = f"{label}_{node.op_type.lower()}"
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        for key, value in attributes.items():
            if isinstance(value, bytes):
                attributes[key] = value.decode("utf-8", "replace")
        return Call(
            self,
            node.op_type,
            label,
            inputs,
            [self.shapes.get(name) for name in node.input],
            [self.shapes.get(name) for name in node.output],
            attributes,
            list(node.output),
        )

    def _folded(self, node: onnx.NodeProto, inputs: Sequence[Value | None]) -> Mapping[str, Array] | None:
        """The outputs of a node that reads constants only, or shapes that are known."""
        if node.op_type == "Shape" and node.domain in ("", "ai.onnx"):
            sizes = self.shapes.get(node.input[0])
            if sizes is None:
                return None
            shape = [_OPEN - axis if size is None else size for axis, size in enumerate(sizes)]
            bounds = {a.name: a.i for a in node.attribute}
            part = slice(bounds.get("start", 0), bounds.get("end"))
            return {node.output[0]: np.asarray(shape[part], np.int64)}
        if any(isinstance(x, tuple) for x in inputs) or not is_foldable(node):
            return None
        if node.op_type not in _MOVING and any(isinstance(x, np.ndarray) and has_open(x) for x in inputs):
            raise No("it computes with a size that is open")
        known = {n: x for n, x in zip(node.input, inputs, strict=True) if isinstance(x, np.ndarray)}
        if any(name and name not in known for name in node.input):
            return None
        try:
            return compute(node, known, list(self.model.opset_import))
        except FoldingError as error:
            raise No(str(error)) from error

    def make(self, op: str, name: str, inputs: Sequence[Value], attrs: Mapping[str, Any]) -> Entry:
        """A node; constants among the inputs become variables."""
        operator = find(op)
        strings = {k: format_value(v) for k, v in attrs.items()}
        node = Node(operator, self._free(name), strings)
        names = operator.argument_names(operator.parse(strings), len(inputs))
        node.inputs = [
            x if isinstance(x, tuple) else self._variable(x, f"{node.name}_{role}")
            for x, role in zip(inputs, names, strict=True)
        ]
        return node, 0

    def _variable(self, array: Array, name: str) -> Entry:
        """A variable with a value; one for each constant."""
        found = self._variables.get(id(array))
        if found is None:
            name = self._free(self._named.get(id(array), name))
            # MXNet has neither 64-bit truth nor arrays without axes.
            value = array.astype(np.float32) if array.dtype == bool else array
            self.args[name] = np.ascontiguousarray(value.reshape(value.shape or (1,)))
            found = self._variables[id(array)] = (array, (Node(None, name, {}), 0))
        return found[1]

    def _free(self, name: str) -> str:
        """A name like this that no other node has."""
        # Gluon takes a dot in a parameter's name for the path of a block.
        plain = re.sub(r"[^\w-]+", "_", name.strip("/")) or "node"
        found, number = plain, 0
        while found in self._taken:
            number += 1
            found = f"{plain}_{number}"
        self._taken.add(found)
        return found

    def _output(self, name: str) -> Entry:
        """A result: a node of the model's name for it, where that is another."""
        value = self.values[name]
        if isinstance(value, np.ndarray):
            value = self._variable(value, name)
        if value[0].op is None:
            return self.make("_copy", name.removesuffix("_output"), [value], {})
        return value


def _origin(node: onnx.NodeProto) -> str:
    """The MXNet node that a node came from, which models written by this package remember."""
    return next((entry.value for entry in node.metadata_props if entry.key == "node"), "")


def is_open(size: int) -> bool:
    """Whether a number stands for a size that is open."""
    return _OPEN - 64 < size <= _OPEN


def has_open(array: Array) -> bool:
    """Whether a constant has sizes that are open."""
    return array.dtype == np.int64 and array.size < 64 and any(map(is_open, array.ravel().tolist()))


def scalar(value: Value | None) -> float | None:
    """The number in a constant of one element; None for anything else."""
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "fiub":
        return float(value.reshape(()))
    return None


def pairs(values: Sequence[int]) -> Iterator[tuple[int, int]]:
    """ONNX's pads by axis: beginnings and ends."""
    half = len(values) // 2
    yield from zip(values[:half], values[half:], strict=True)
