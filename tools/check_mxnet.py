"""Checks of MXNet's ``-symbol.json``: operators, attributes, parameters, shapes, conversion, kernels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph.builder import OPSET
from ..graph.errors import GraphError, NeedsStaticShape, ShapeError, TypeInferenceError
from ..graph.exporters.onnx import Form, symbol_to_onnx
from ..graph.importers.symbol_json import parse_symbol_json
from ..graph.infer import abstract_outputs, infer_shapes, infer_types
from ..graph.lower import lower_symbol
from ..graph.shapes import is_complete
from .check import Findings, Problem, check_kernels
from .input_shapes import find_inputs, guess_shape
from .model_file import Fault, Tensor, ask, beside, check_names, numpy_type, onnx_tensor
from .mxnet_file import find_faults, load_graph
from .parameter_file import read_parameters

if TYPE_CHECKING:
    from ..graph.dims import PartialShape
    from ..graph.symbol import Entry

__all__ = ["check_symbol"]

_SIZES = (224, 112, 64, 32, 640)  # of images, to try a model that takes any
_MOST = 50  # contradictions of shapes that are looked for: each needs an inference of its own


def check_symbol(
    path: Path,
    params_path: Path | None,
    shapes: Mapping[str, tuple[int, ...]],
    provider: str,
    opset: int | None,
) -> Findings:
    """Look at a symbol and its parameters.

    Parameters
    ----------
    params_path : by default those beside the file.
    shapes : of inputs, by name.
    opset : what the converted model may use at most; the newest if None.

    Raises
    ------
    CommandError : `shapes` are not of inputs.
    FormatError, OSError : a file is damaged or missing.
    """
    check = _SymbolCheck(path, params_path or beside(path))
    check_names(path, shapes, [*check.inputs, *check.labels])
    check.parameters_fit()
    check.infer(shapes)
    unknown = check.unknown()
    if unknown and not check.found.problems:
        unknown = check.try_sizes(shapes, unknown)
    if check.found.problems or unknown:
        check.convert_nodes()
        check.found.notes += [f"the whole was not converted: {ask(check.tensor(name))}" for name in unknown]
    else:
        check.convert(provider, opset)
    return check.found


class _SymbolCheck:
    """A symbol and what was found out about it so far."""

    def __init__(self, path: Path, params_path: Path | None) -> None:
        self.source = str(path)
        self.raw = parse_symbol_json(path.read_bytes(), self.source)
        self.params_path = params_path
        self.stored = read_parameters(params_path) if params_path else {}
        self.found = Findings(sum(node.op is not None for node in self.raw.nodes))
        self.faults = find_faults(self.raw)
        for fault in self.faults.values():
            kind = "operator" if fault.unsupported else "attribute"
            self.add(kind, fault.node, fault.operator, fault.message, fault.unsupported)
        self.found.tried += ["operators", "attributes"]
        self.graph = load_graph(self.raw, self.faults, self.source)
        names = [node.name for node in self.raw.nodes if node.op is None]
        inputs, self.labels = find_inputs(self.graph.symbol, self.graph.whole, self.stored)
        self.inputs = [name for name in inputs if name in names]
        self.variables: dict[str, Entry] = {
            node.name: (node, 0) for node in self.graph.nodes if node is not None and node.op is None
        }
        self.shapes: dict[Entry, PartialShape] = {}
        self.types: dict[Entry, np.dtype[Any] | None] = {}

    def add(self, kind: str, node: str, operator: str, message: str, unsupported: bool = False) -> None:
        self.found.problems.append(Problem(kind, node, operator, message, unsupported))

    def tensor(self, name: str) -> Tensor:
        """What is known of a variable."""
        shape = self.shapes.get(self.variables[name])
        dims = None if shape is None else tuple(d if isinstance(d, int) else None for d in shape)
        return Tensor(name, None, dims)

    def parameters_fit(self) -> None:
        """Whether the parameters are those of the graph."""
        if self.params_path is None:
            self.found.notes.append("no parameters were found beside the file: --params names them")
            return
        self.found.tried.append(f"parameters in {self.params_path}")
        for name in self.variables:
            if name not in self.stored and name not in self.inputs and name not in self.labels:
                self.add("parameter", name, "", f"{self.params_path} has no value for it")
        extra = sorted(set(self.stored) - set(self.variables))
        if extra:
            more = f" and {len(extra) - 5} more" if len(extra) > 5 else ""
            self.found.notes.append(
                f"{self.params_path} has values that the graph does not use: {', '.join(extra[:5])}{more}"
            )

    def infer(self, given: Mapping[str, tuple[int, ...]]) -> None:
        """Find shapes and types; a node that contradicts them is left out, and inference begins anew."""
        known = {**{name: parameter.shape for name, parameter in self.stored.items()}, **given}
        guesses = {
            n: guess_shape(self.graph.whole, n, known)
            for n in self.inputs
            if n not in known and "__shape__" not in self.variables[n][0].attrs
        }
        assumed = {name: guess.shape for name, guess in guesses.items() if guess.shape is not None}
        holes, graph = dict(self.faults), self.graph
        found: dict[Entry, PartialShape] = {}
        for _ in range(_MOST):
            try:
                found = infer_shapes(graph.whole, {**assumed, **known})
                break
            except ShapeError as error:
                if any(None not in shape for shape in assumed.values()):  # perhaps the size is to blame
                    assumed = {name: shape for name, shape in assumed.items() if None in shape}
                    continue
                number = self.blamed(str(error), holes)
                if number is None:
                    self.add("shape", "", "", str(error))
                    break
                node = self.raw.nodes[number]
                self.add("shape", node.name, node.op or "", str(error))
                holes[number] = Fault(node.name, node.op or "", str(error), False)
                graph = load_graph(self.raw, holes, self.source)
        else:
            self.found.notes.append(f"{_MOST} nodes contradict the shapes: no others were looked for")
        places = dict(zip(graph.nodes, self.graph.nodes, strict=True))
        self.shapes = {
            (place, i): shape for (node, i), shape in found.items() if (place := places.get(node)) is not None
        }
        self.found.notes += [g.note for n, g in guesses.items() if g.note and assumed.get(n) == g.shape]
        self.found.tried += ["shapes", "element types"]
        kinds = {name: numpy_type(parameter.dtype) for name, parameter in self.stored.items()}
        try:
            self.types = infer_types(self.graph.whole, kinds)
        except TypeInferenceError as error:
            self.add("type", "", "", str(error))
            self.types = infer_types(self.graph.whole, kinds, strict=False)

    def unknown(self) -> list[str]:
        """Inputs whose shapes do not follow from the model."""
        return [name for name in self.inputs if not is_complete(self.shapes.get(self.variables[name]))]

    def try_sizes(self, given: Mapping[str, tuple[int, ...]], unknown: list[str]) -> list[str]:
        """Where only the size of images is open, take one that the graph admits; the inputs that stay unknown."""
        stored = {name: parameter.shape for name, parameter in self.stored.items()}
        partial = {name: self.shapes.get(self.variables[name]) for name in unknown}
        for size in _SIZES:
            full = {
                n: tuple(d or size for d in s) for n, s in partial.items() if s is not None and len(s) > 2
            }
            try:
                found = infer_shapes(self.graph.whole, {**stored, **given, **full})
            except ShapeError:
                continue
            if all(is_complete(found.get(head)) for head in self.graph.symbol.heads):
                self.shapes = found
                tried = ", ".join(f"{n}:{'x'.join(map(str, s))}" for n, s in full.items())
                self.found.notes.append(
                    f"tried with {tried}, since the model is for any size (or say --input)"
                )
                return self.unknown()
        return unknown

    def blamed(self, message: str, holes: Mapping[int, Fault]) -> int | None:
        """Number of the node that an error of inference names."""
        named = re.search(r"\(node '(.*?)'\)", message)
        numbers = (n for n, node in enumerate(self.raw.nodes) if node.op and named and node.name == named[1])
        return next((n for n in numbers if n not in holes), None)

    def convert_nodes(self) -> None:
        """Convert each node on its own, where the shapes of its inputs are known."""
        bad = {problem.node for problem in self.found.problems}
        tried = 0
        for node in self.graph.whole.nodes():
            if node.op is None or node.bodies or node.name in bad:
                continue
            shapes = [
                shape
                for shape in map(self.shapes.get, node.inputs)
                if shape is not None and None not in shape
            ]
            if len(shapes) < len(node.inputs):
                continue
            try:
                kinds = [self.types.get(entry) for entry in node.inputs]
                abstract_outputs(node.op, node.parsed, node.argument_names(), shapes, kinds, node=node.name)
                tried += 1
            except NeedsStaticShape:
                continue
            except ShapeError as error:
                self.add("shape", node.name, node.op.name, str(error))
            except GraphError as error:
                self.add("conversion", node.name, node.op.name, str(error), True)
        if tried:
            self.found.tried.append(f"conversion to ONNX of {tried} nodes on their own")

    def convert(self, provider: str, opset: int | None) -> None:
        """Convert the whole, and look at what comes out."""
        specs: dict[str, tuple[np.dtype[Any], list[Any]]] = {}
        for name, entry in self.variables.items():
            shape = self.shapes.get(entry)
            if name not in self.labels and shape is not None and None not in shape:
                specs[name] = self.types.get(entry) or np.dtype(np.float32), list(shape)
        try:
            proto = lower_symbol(self.graph.symbol, specs).model
        except GraphError as error:
            self.convert_nodes()
            if not self.found.problems:
                self.add("conversion", "", "", str(error), True)
            return
        self.found.tried.append("conversion to ONNX")
        values = (*proto.graph.value_info, *proto.graph.input, *proto.graph.output)
        where = {n.name: e.value for n in proto.graph.node for e in n.metadata_props if e.key == "node"}
        elements = {value.name: onnx_tensor(value).dtype for value in values}
        check_kernels(proto, elements, provider, self.found, where)
        if opset is None or opset >= OPSET:
            return
        self.found.tried.append(f"opset {opset}")
        inputs = {name: spec for name, spec in specs.items() if name in self.inputs}
        zeros = {name: np.zeros(dims, dt) for name, (dt, dims) in specs.items() if name not in inputs}
        try:
            symbol_to_onnx(self.graph.symbol, inputs, zeros, Form(opset=opset))
        except GraphError as error:
            self.add("opset", "", "", str(error))
