"""MXNet's ``-symbol.json`` for the commands: with shapes, and also where some of its operators are not known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..graph.errors import AttributeParseError, ShapeError, UnsupportedOperatorError
from ..graph.importers.symbol_json import RawGraph, RawNode, load_json, parse_symbol_json
from ..graph.infer import infer_shapes, infer_types
from ..graph.ops.registry import find
from ..graph.symbol import Symbol
from .input_shapes import find_inputs, guess_shape
from .model_file import Fault, Layer, ModelFile, Tensor, ask, check_names, numpy_type
from .outcome import CommandError
from .parameter_file import read_parameters

if TYPE_CHECKING:
    from ..graph.dims import PartialShape
    from ..graph.symbol import Entry, Node

__all__ = ["find_faults", "read_symbol"]

_VERSION = {"mxnet_version": ["int", 10901]}


@dataclass
class Graph:
    """A file's graph and what of it could be read.

    Attributes
    ----------
    symbol : with variables in the place of what faulty nodes make.
    whole : the same with every node as an output, so that none is left out.
    nodes : the nodes by their numbers in the file; None for faulty ones.
    """

    raw: RawGraph
    symbol: Symbol
    whole: Symbol
    nodes: list[Node | None]

    def name(self, number: int, output: int) -> str:
        """Name of a node's output."""
        node = self.nodes[number]
        if node is not None:
            return node.output_names()[output]
        return f"{self.raw.nodes[number].name}_output" + (str(output) if output else "")


def read_symbol(path: Path, params_path: Path | None, shapes: Mapping[str, tuple[int, ...]]) -> ModelFile:
    """A ``-symbol.json``, with shapes as far as they follow from parameters and the given inputs.

    Raises
    ------
    CommandError : the shapes given contradict the model.
    FormatError, OSError : a file is damaged or missing.
    """
    raw = parse_symbol_json(path.read_bytes(), str(path))
    parameters = read_parameters(params_path) if params_path else {}
    faults = find_faults(raw)
    graph = load_graph(raw, faults, str(path))
    inputs, labels = find_inputs(graph.symbol, graph.whole, parameters)
    variables = {node.name for node in raw.nodes if node.op is None}
    inputs = [name for name in inputs if name in variables]
    check_names(path, shapes, [*inputs, *labels])
    model = ModelFile(
        path, _kind(raw), parameters, params_path=params_path, labels=labels, faults=list(faults.values())
    )
    model.symbol = graph.symbol
    found = _infer(graph.whole, model, inputs, shapes)
    known = {name: numpy_type(parameter.dtype) for name, parameter in parameters.items()}
    types = infer_types(graph.whole, known, strict=False)

    def tensor(node: Node, number: int) -> Tensor:
        shape, dtype = found.get((node, number)), types.get((node, number))
        dims = None if shape is None else tuple(d if isinstance(d, int) else None for d in shape)
        return Tensor(node.output_names()[number], dtype.name if dtype else None, dims)

    read = _outputs_read(raw)
    for number, item in enumerate(raw.nodes):
        node = graph.nodes[number]
        if node is None:
            made = tuple(
                Tensor(graph.name(number, i), None, None) for i in sorted({0, *read.get(number, ())})
            )
        else:
            made = tuple(tensor(node, i) for i in range(node.visible))
        model.tensors.update((t.name, t) for t in made)
        if item.op is not None:
            operator = node.op.name if node is not None and node.op is not None else item.op
            sources = tuple(graph.name(n, i) for n, i in item.inputs)
            model.layers.append(Layer(item.name, operator, sources, made, dict(item.attrs)))
    model.inputs = [model.tensors[name] for name in inputs]
    for number, i in raw.heads:
        node, name = graph.nodes[number], graph.name(number, i)
        model.outputs.append(
            model.tensors.get(name) or (tensor(node, i) if node else Tensor(name, None, None))
        )
    model.sizes = {t.name: size for t in model.tensors.values() if (size := t.size) is not None}
    _add_notes(model, variables)
    return model


def _add_notes(model: ModelFile, variables: set[str]) -> None:
    model.notes += [ask(tensor) for tensor in model.inputs if tensor.name not in model.sizes]
    if model.labels:
        model.notes.append(f"not needed to run: {', '.join(model.labels)} (read by a loss layer only)")
    if not model.parameters:
        model.notes.append("no parameters were found beside the file: --params names them")
        return
    absent = [n for n in variables if n not in model.parameters and n not in model.labels]
    absent = sorted(set(absent) - {tensor.name for tensor in model.inputs})
    extra = sorted(set(model.parameters) - variables)
    for names, what in ((absent, "without a value in"), (extra, "in no place of the graph, but in")):
        if names:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            model.notes.append(f"parameters {what} {model.params_path}: {shown}")


def _kind(raw: RawGraph) -> str:
    if "mxnet_version" not in raw.attrs:
        return "MXNet symbol without a version (0.8 or earlier)"
    version = raw.version
    return f"MXNet symbol of version {version // 10000}.{version // 100 % 100}.{version % 100}"


def _infer(
    symbol: Symbol, model: ModelFile, inputs: list[str], shapes: Mapping[str, tuple[int, ...]]
) -> dict[Entry, PartialShape]:
    """Shapes of all values, from those given, else from guesses."""
    stored = {name: parameter.shape for name, parameter in model.parameters.items()}
    declared = {node.name for node in symbol.nodes() if node.op is None and "__shape__" in node.attrs}
    guesses = {n: guess_shape(symbol, n, stored) for n in inputs if n not in shapes and n not in declared}
    attempts = [{**{n: g.shape for n, g in guesses.items() if g.shape is not None}, **shapes}]
    if guesses:
        attempts.append(dict(shapes))
    for number, attempt in enumerate(attempts):
        try:
            found = infer_shapes(symbol, {**stored, **attempt})
        except ShapeError as error:
            if number + 1 == len(attempts):
                model.notes.append(f"the shapes contradict each other: {error}")
                if shapes:
                    given = ", ".join(f"{n}:{'x'.join(map(str, s))}" for n, s in shapes.items())
                    raise CommandError(f"{model.path}: --input {given} does not fit: {error}") from error
            continue
        if number == 0:
            model.notes += [guess.note for guess in guesses.values() if guess.note]
        return found
    return {}


def find_faults(raw: RawGraph) -> dict[int, Fault]:
    """All nodes of a graph that cannot be read, by number; a loop or branch cannot if a node of its bodies cannot."""
    faults: dict[int, Fault] = {}
    unknown: dict[str, str] = {}  # operators that are not known, with what is said of them
    for number, node in enumerate(raw.nodes):
        fault = _fault(node, number, unknown)
        inner = [found for body in node.subgraphs for found in find_faults(body).values()]
        if fault is None and inner:
            text = "; ".join(found.message for found in inner)
            fault = Fault(
                node.name, node.op or "", f"in a body of {node.name!r}: {text}", inner[0].unsupported
            )
        if fault is not None:
            faults[number] = fault
    return faults


def _fault(node: RawNode, number: int, unknown: dict[str, str]) -> Fault | None:
    """What is wrong with a node, its bodies aside."""
    if node.op is None:
        return None
    if node.op in unknown:
        text = f"not supported: operator {node.op!r} (node {node.name!r}){unknown[node.op]}"
        return Fault(node.name, node.op, text, True)
    try:
        op = find(node.op, node.name)
        strange = op.unknown(node.attrs)
        if strange:
            raise AttributeParseError(
                f"operator {op.name} has no parameter {strange[0]!r}; it has {', '.join(op.params)}"
            )
        op.parse({k: v for k, v in node.attrs.items() if k in op.params})
    except UnsupportedOperatorError as error:
        unknown[node.op] = f"; nearest names: {', '.join(error.hints)}" if error.hints else ""
        return _fault(node, number, unknown)
    except AttributeParseError as error:
        return Fault(node.name, node.op, f"node {number} {node.name!r}: {error}", False)
    return None


def _document(raw: RawGraph) -> dict[str, object]:
    """The JSON form of a graph, as MXNet 1.9.1 has it: a graph that was read has been upgraded."""
    items = [_item(node, [list(entry) for entry in node.inputs]) for node in raw.nodes]
    return {"nodes": items, "heads": [list(entry) for entry in raw.heads], "attrs": _VERSION}


def _item(node: RawNode, inputs: list[list[int]]) -> dict[str, object]:
    item: dict[str, object] = {
        "op": node.op or "null",
        "name": node.name,
        "attrs": node.attrs,
        "inputs": inputs,
    }
    if node.subgraphs:
        item["subgraphs"] = [_document(body) for body in node.subgraphs]
    return item


def _outputs_read(raw: RawGraph) -> dict[int, set[int]]:
    """For each node the outputs that others read, or that are heads."""
    read: dict[int, set[int]] = {}
    for number, i in (*(entry for node in raw.nodes for entry in node.inputs), *raw.heads):
        read.setdefault(number, set()).add(i)
    return read


def load_graph(raw: RawGraph, faults: Mapping[int, Fault], source: str) -> Graph:
    """The graph with variables in the place of what faulty nodes make."""
    taken = {node.name for node in raw.nodes}
    read = _outputs_read(raw)
    items: list[dict[str, object]] = []
    place: dict[
        tuple[int, int], tuple[int, int]
    ] = {}  # where an output of the file's graph is among the items
    kept: list[int | None] = []
    for number, node in enumerate(raw.nodes):
        if number not in faults:
            kept.append(len(items))
            inputs = [list(place.get((n, i), (kept[n] or 0, i))) for n, i in node.inputs]
            items.append(_item(node, inputs))
            continue
        kept.append(None)
        for i in sorted(read.get(number, ())):
            name = f"{node.name}_output{i}"
            while name in taken:
                name += "_"
            taken.add(name)
            place[number, i] = (len(items), 0)
            items.append({"op": "null", "name": name, "inputs": []})
    document = {"nodes": items, "heads": [[k, 0] for k in range(len(items))], "attrs": _VERSION}
    whole = load_json(json.dumps(document), source)
    order = whole.nodes()
    moved = [place.get(entry, (kept[entry[0]], entry[1])) for entry in raw.heads]
    symbol = Symbol([(order[k], i) for k, i in moved if k is not None])
    return Graph(raw, symbol, whole, [None if k is None else order[k] for k in kept])
