"""``gluon-onnx extract``: the part of a model between named values, as a model of its own."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .model_file import (
    ModelFile,
    add_model_arguments,
    numpy_type,
    open_model,
    require_shapes,
    require_supported,
)
from .outcome import CommandError, ExitCode
from .tables import Facts, Report, emit, shape_text

if TYPE_CHECKING:
    import onnx

    from ..graph.symbol import Entry, Node, Symbol

__all__ = ["add_arguments", "cut_onnx", "cut_symbol", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser, html=False)
    parser.add_argument(
        "--from",
        dest="start",
        action="append",
        default=[],
        metavar="VALUE",
        help="a value that becomes an input (repeat it for several; default: the model's inputs)",
    )
    parser.add_argument(
        "--to",
        dest="stop",
        action="append",
        default=[],
        metavar="VALUE",
        help="a value that becomes an output (repeat it for several; default: the model's outputs)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="PREFIX-symbol.json, which also writes PREFIX-0000.params, or a file named *.onnx",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Cut the model and write it."""
    out: Path = args.output
    if not (args.start or args.stop):
        raise CommandError(
            "name the values to cut at, by --from, --to or both: gluon-onnx internals lists them"
        )
    if not (out.suffix == ".onnx" or out.name.endswith("-symbol.json")):
        raise CommandError(f"-o {out}: expected a file named *-symbol.json or *.onnx")
    model = open_model(args)
    if not model.layers:
        raise CommandError(f"{model.path}: this file has no graph to cut")
    starts = [resolve(model, name, "--from") for name in args.start]
    stops = [resolve(model, name, "--to") for name in args.stop] or [t.name for t in model.outputs]
    if model.symbol is None:
        written, part = save_onnx_part(model, starts, stops, out), "ONNX"
    else:
        written, part = save_symbol_part(model, starts, stops, out), "MXNet symbol"
    taken = starts or [t.name for t in model.inputs]
    data = {"files": [str(path) for path in written], "inputs": taken, "outputs": stops, "kind": part}
    rows: list[tuple[str, object]] = [("written", ", ".join(map(str, written)))]
    for what, names in (("input", taken), ("output", stops)):
        rows += [
            (what, f"{name} {shape_text(model.tensors[name].shape)}")
            for name in names
            if name in model.tensors
        ]
    emit(Report("", data, [Facts(rows)]), args.format)
    return ExitCode.OK


def resolve(model: ModelFile, name: str, option: str) -> str:
    """The value that a name stands for: its own, or that of a node with one output.

    In an exported ONNX model the names of the MXNet nodes, and of their values, stand for what these became.

    Raises
    ------
    CommandError : there is none; names the nearest.
    """
    if name in model.tensors:
        return name
    made = next((layer.outputs for layer in model.layers if layer.name == name), ())
    if not made:
        origin = name.removesuffix("_output")
        made = next((layer.outputs for layer in reversed(model.layers) if layer.origin == origin), ())
    if len(made) == 1:
        return made[0].name
    if made:
        raise CommandError(
            f"{option} {name}: this node has several values: {', '.join(t.name for t in made)}"
        )
    import difflib

    known = [
        *model.tensors,
        *(layer.name for layer in model.layers),
        *(layer.origin for layer in model.layers),
    ]
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"; the nearest are {', '.join(near)}" if near else ""
    raise CommandError(f"{option} {name}: {model.path} has no value or node of that name{hint}")


def save_symbol_part(model: ModelFile, starts: Sequence[str], stops: Sequence[str], out: Path) -> list[Path]:
    """Cut an MXNet graph and write it in either form."""
    import numpy as np

    require_supported(model)
    assert model.symbol is not None
    part = cut_symbol(model.symbol, starts, stops)
    arguments, auxiliary = part.list_arguments(), part.list_auxiliary_states()
    labels = set(part.list_labels())
    missing = [
        n
        for n in (*arguments, *auxiliary)
        if n not in model.parameters and n not in starts and n not in labels
    ]
    check_inputs(model, missing, starts, stops)
    stored = {
        n: model.parameters[n] for n in (*arguments, *auxiliary) if n in model.parameters and n not in starts
    }
    if out.suffix == ".onnx":
        from ..graph.errors import GraphError
        from ..graph.exporters.onnx import Form, save_onnx, with_dynamic_axes

        if not starts:
            require_shapes(model)
        inputs = [n for n in arguments if n not in stored and n not in labels]
        unknown = [n for n in inputs if n not in model.sizes]
        if unknown:
            require_shapes(model)
            raise CommandError(f"{model.path}: the shape of {unknown[0]!r} is not known")
        specs = {n: (np.dtype(model.tensors[n].dtype or "float32"), model.sizes[n]) for n in inputs}
        try:
            form = Form(dynamic_axes={name: {0: "batch"} for name in inputs})
            made, _ = with_dynamic_axes(part, specs, {n: p.load() for n, p in stored.items()}, form, {})
            return [Path(path) for path in reversed(save_onnx(made, out))]
        except GraphError as error:
            raise CommandError(
                f"{model.path}: cannot be written as ONNX: {error}", ExitCode.UNSUPPORTED
            ) from error
    from ..graph.exporters._files import replaced_file
    from ..graph.exporters.params import write_params
    from ..graph.exporters.symbol_json import to_json

    params = out.with_name(out.name.removesuffix("-symbol.json") + "-0000.params")
    names = [("aux:" if n in auxiliary else "arg:") + n for n in stored]
    write_params(params, [p.load() for p in stored.values()], names)
    with replaced_file(out) as stream:
        stream.write(to_json(part).encode())
    return [out, params]


def check_inputs(
    model: ModelFile, missing: Sequence[str], starts: Sequence[str], stops: Sequence[str]
) -> None:
    """Raise if a part needs inputs of the model although others were named."""
    inputs = {tensor.name for tensor in model.inputs}
    needed = [name for name in missing if name in inputs]
    if starts and needed:
        raise CommandError(
            f"{', '.join(stops)} also depends on the input {', '.join(needed)}, not only on {', '.join(starts)}: "
            f"name it by --from too"
        )
    absent = [name for name in missing if name not in inputs]
    if absent and model.parameters:
        raise CommandError(f"{model.path}: {model.params_path} has no value for {', '.join(absent[:5])}")


def cut_symbol(symbol: Symbol, starts: Sequence[str], stops: Sequence[str]) -> Symbol:
    """A symbol whose outputs are the values `stops`, computed from variables in the place of `starts`.

    Raises
    ------
    CommandError : a value of `starts` is not needed for `stops`.
    """
    from ..graph.symbol import Node, Symbol

    entries: dict[str, Entry] = {
        name: (node, number) for node in symbol.nodes() for number, name in enumerate(node.output_names())
    }
    replaced: dict[Entry, Entry] = {entries[name]: (Node(None, name, {}), 0) for name in starts}
    used: set[Entry] = set()
    copies: dict[Node, Node] = {}

    def moved(entry: Entry) -> Entry:
        if entry in replaced:
            used.add(entry)
            return replaced[entry]
        return copies[entry[0]], entry[1]

    heads = [entries[name] for name in stops]
    for node in _needed(heads, set(replaced)):
        copies[node] = Node(
            node.op, node.name, dict(node.attrs), [moved(entry) for entry in node.inputs], node.bodies
        )
    result = Symbol([moved(entry) for entry in heads])
    idle = [name for name in starts if entries[name] not in used]
    if idle:
        raise CommandError(f"--from {idle[0]}: {', '.join(stops)} does not depend on it")
    return result


def _needed(heads: Sequence[Entry], cut: set[Entry]) -> list[Node]:
    """Nodes that `heads` need if the values `cut` are given, inputs first."""
    order: list[Node] = []
    done: set[Node] = set()
    stack = [(node, 0) for node, number in reversed(heads) if (node, number) not in cut]
    while stack:
        node, k = stack.pop()
        if node in done:
            continue
        if k < len(node.inputs):
            stack.append((node, k + 1))
            if node.inputs[k] not in cut:
                stack.append((node.inputs[k][0], 0))
        else:
            done.add(node)
            order.append(node)
    return order


def save_onnx_part(model: ModelFile, starts: Sequence[str], stops: Sequence[str], out: Path) -> list[Path]:
    """Cut an ONNX graph and write it; external data goes into one file beside it."""
    import onnx

    from ..graph.exporters._files import replaced_file

    if out.suffix != ".onnx":
        raise CommandError(
            f"-o {out}: the operators of an ONNX model are not MXNet's: name a file *.onnx",
            ExitCode.UNSUPPORTED,
        )
    assert model.proto is not None
    part = cut_onnx(model, model.proto, starts, stops)
    for stored in part.graph.initializer:
        if stored.data_location == onnx.TensorProto.EXTERNAL:
            stored.raw_data = model.parameters[stored.name].load().tobytes()
            del stored.external_data[:]
            stored.data_location = onnx.TensorProto.DEFAULT
    written = [out]
    if part.ByteSize() >= onnx.checker.MAXIMUM_PROTOBUF:
        data = out.name + ".data"
        onnx.external_data_helper.convert_model_to_external_data(part, location=data)
        onnx.save(part, out)
        onnx.checker.check_model(out)
        return [out, out.with_name(data)]
    try:
        onnx.checker.check_model(part)
    except onnx.checker.ValidationError as error:
        raise CommandError(f"{model.path}: the part is not a valid model: {str(error).strip()}") from error
    with replaced_file(out) as stream:
        stream.write(part.SerializeToString())
    return written


def cut_onnx(
    model: ModelFile, proto: onnx.ModelProto, starts: Sequence[str], stops: Sequence[str]
) -> onnx.ModelProto:
    """A model whose outputs are the values `stops`, computed from inputs in the place of `starts`.

    Raises
    ------
    CommandError : a value of `starts` is not needed for `stops`, or `stops` needs other inputs.
    """
    import onnx

    graph = proto.graph
    maker = {name: number for number, node in enumerate(graph.node) for name in node.output if name}
    kept: set[int] = set()
    read: set[str] = set()
    waiting = list(stops)
    while waiting:
        name = waiting.pop()
        if name in read:
            continue
        read.add(name)
        if name in starts or name not in maker or maker[name] in kept:
            continue
        kept.add(maker[name])
        waiting += _reads(graph.node[maker[name]])
    idle = [name for name in starts if name not in read]
    if idle:
        raise CommandError(f"--from {idle[0]}: {', '.join(stops)} does not depend on it")
    given = {value.name: value for value in graph.input}
    stored = {tensor.name for tensor in graph.initializer}
    check_inputs(
        model, [n for n in read if n in given and n not in stored and n not in starts], starts, stops
    )
    wanted = starts or [n for n in given if n in read and n not in stored]
    part = onnx.ModelProto()
    part.CopyFrom(proto)
    for field in ("node", "input", "output", "initializer", "value_info", "sparse_initializer"):
        part.graph.ClearField(field)
    made = {name for number in kept for name in graph.node[number].output}
    part.graph.node.extend(graph.node[number] for number in sorted(kept))
    part.graph.input.extend(_declared(model, name, given) for name in wanted)
    part.graph.output.extend(_declared(model, name, {v.name: v for v in graph.output}) for name in stops)
    part.graph.initializer.extend(t for t in graph.initializer if t.name in read and t.name not in starts)
    part.graph.sparse_initializer.extend(t for t in graph.sparse_initializer if t.values.name in read)
    part.graph.value_info.extend(
        v for v in graph.value_info if v.name in made and v.name not in {*starts, *stops}
    )
    return part


def _reads(node: onnx.NodeProto) -> list[str]:
    """Names that a node reads, those of its subgraphs from outside included (and some of their own)."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            for inner in graph.node:
                names += _reads(inner)
            names += [value.name for value in graph.output]
    return names


def _declared(model: ModelFile, name: str, known: Mapping[str, onnx.ValueInfoProto]) -> onnx.ValueInfoProto:
    """Type and shape of an input or output of the part."""
    from onnx import helper

    if name in known:
        return known[name]
    tensor = model.tensors[name]
    if tensor.dtype is None:
        raise CommandError(f"{model.path}: the element type of {name!r} cannot be inferred: say --input")
    dtype = helper.np_dtype_to_tensor_dtype(numpy_type(tensor.dtype if tensor.dtype != "string" else "O"))
    return helper.make_tensor_value_info(name, dtype, tensor.shape)
