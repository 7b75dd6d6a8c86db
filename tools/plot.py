"""``gluon-onnx plot``: a model's graph as a page for browsers, or as a picture by Graphviz."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .macs import layer_macs, total_macs
from .model_file import Layer, ModelFile, Tensor, open_path, parse_inputs
from .outcome import CommandError, ExitCode
from .tables import count_text, size_text

__all__ = ["add_arguments", "picture_of", "run"]

FORMATS = (".html", ".svg", ".png", ".pdf", ".dot")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", type=Path, help="a -symbol.json or .onnx file, or a folder with one")
    parser.add_argument(
        "--params", type=Path, help="parameters of a -symbol.json (default: PREFIX-NNNN.params beside it)"
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME:SHAPE",
        help="shape of an input, as data:1x3x224x224, where it does not follow from the model",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="OUT.html is a page with zoom and search that needs nothing else; OUT.svg, OUT.png and OUT.pdf need "
        "Graphviz; OUT.dot is its language",
    )
    parser.add_argument("--weights", action="store_true", help="show the parameters as boxes too")


def run(args: argparse.Namespace) -> ExitCode:
    """Draw the model."""
    suffix = args.output.suffix.lower()
    if suffix not in FORMATS:
        raise CommandError(f"-o {args.output}: expected a file named *{', *'.join(FORMATS)}")
    model = open_path(args.file, args.params, parse_inputs(args.input))
    if not model.layers:
        raise CommandError(f"{model.path}: holds no graph")
    if suffix == ".html":
        from .plot_page import graph_page

        content = graph_page(picture_of(model, args.weights), model.path.name, facts_line(model)).encode()
    else:
        content = graphviz_picture(picture_of(model, args.weights), suffix[1:])
    from ..graph.exporters._files import replaced_file

    with replaced_file(args.output) as stream:
        stream.write(content)
    print(f"{args.output}: {len(model.layers)} nodes")
    if model.faults:
        print(
            f"{len(model.faults)} of them have operators that are not supported; gluon-onnx check names them"
        )
    return ExitCode.OK


def facts_line(model: ModelFile) -> str:
    """The model in a line."""
    words = [model.kind, f"{len(model.layers)} nodes"]
    if model.parameters:
        stored = model.parameters.values()
        words.append(
            f"{count_text(sum(p.size for p in stored))} parameters, {size_text(sum(p.nbytes for p in stored))}"
        )
    macs = total_macs(model)
    if macs:
        words.append(f"{count_text(macs)} multiply-accumulates")
    return " · ".join(words)


def graphviz_picture(picture: Any, form: str) -> bytes:
    """A picture drawn by Graphviz.

    Raises
    ------
    CommandError : Graphviz, or the Python package of this name, is not installed, or it failed.
    """
    from ..visualization import digraph

    instead = "-o OUT.html needs nothing else"
    attributes = {
        "fixedsize": "false", "width": "0", "height": "0", "margin": "0.12,0.06", "style": "filled,rounded",
        "color": "#00000040", "fontname": "Helvetica", "fontsize": "12",
    }  # fmt: skip
    try:
        made = digraph(picture, form, attributes)
    except ImportError as error:
        raise CommandError(f"{error}; {instead}", ExitCode.UNSUPPORTED) from error
    made.edge_attr.update(fontname="Helvetica", fontsize="10", color="#57606a", fontcolor="#57606a")
    if form == "dot":
        return str(made.source).encode()
    import subprocess

    import graphviz

    try:
        content: bytes = made.pipe()
    except graphviz.ExecutableNotFound as error:
        raise CommandError(
            f"Graphviz is not installed (Debian and Ubuntu: apt-get install graphviz); {instead}",
            ExitCode.UNSUPPORTED,
        ) from error
    except subprocess.CalledProcessError as error:
        text = (error.stderr or b"").decode("utf-8", "replace").strip()
        raise CommandError(f"Graphviz failed: {text}; {instead}", ExitCode.UNSUPPORTED) from error
    return content


def picture_of(model: ModelFile, weights: bool = False) -> Any:
    """The graph of a model: inputs, layers, results.

    Parameters
    ----------
    weights : also the stored arrays.
    """
    from ..graph.picture import Arrow, Picture

    picture = Picture(model.path.name)
    maker: dict[str, str] = {}  # keys of boxes by the names of values
    inputs = {tensor.name for tensor in model.inputs}
    free = [name for layer in model.layers for name in layer.inputs]
    made = {tensor.name for layer in model.layers for tensor in layer.outputs}
    for name in dict.fromkeys([*inputs, *free]):
        if name in made or (name not in inputs and not weights):
            continue
        maker[name] = f"input {len(maker)}"
        role = "input" if name in inputs else "parameter" if name in model.parameters else "without a value"
        picture.boxes.append(end_box(maker[name], model.tensors.get(name) or Tensor(name, None, None), role))
    for number, layer in enumerate(model.layers):
        key = f"node {number}"
        picture.boxes.append(layer_box(key, layer, model, maker))
        for name in layer.inputs:
            if name in maker:
                picture.arrows.append(Arrow(maker[name], key, shape_label(model, name)))
        maker.update((tensor.name, key) for tensor in layer.outputs)
    for number, tensor in enumerate(model.outputs):
        if tensor.name in maker:
            key = f"output {number}"
            picture.boxes.append(end_box(key, tensor, "output"))
            picture.arrows.append(Arrow(maker[tensor.name], key, shape_label(model, tensor.name)))
    return picture


def end_box(key: str, tensor: Tensor, role: str) -> Any:
    """The box of an input, a result or a parameter."""
    from ..graph.picture import Box, color_of

    shape = "" if tensor.shape is None else sizes_text(tensor.shape)
    color = "#eef1f4" if role == "output" else "#e5e5e5" if role == "parameter" else color_of("")
    details = {
        "lines": [("kind", tensor.name), ("shape", shape)],
        "role": role,
        "outputs": [facts_of(tensor)],
    }
    return Box(key, tensor.name, "", tensor.name, color, details)


def layer_box(key: str, layer: Layer, model: ModelFile, maker: Mapping[str, str]) -> Any:
    """The box of a node."""
    from ..graph.picture import Box, color_of, label_of

    plain = layer.operator.rpartition(".")[2]
    stored = [model.parameters[name] for name in layer.inputs if name in model.parameters]
    weight = stored[0].shape if stored else None
    label = label_of(plain, layer.attributes, layer.name, weight)
    sizes = label.partition("\n")[2]
    shape = next((sizes_text(t.shape) for t in layer.outputs if t.shape is not None), "")
    macs = layer_macs(layer, model.sizes)
    notes = [f"block {layer.block}"] if layer.block else []
    if macs:
        notes.append(f"{count_text(macs)} multiply-accumulates")
    if stored:
        notes.append(f"{sum(p.size for p in stored):,} parameters")
    details = {
        "lines": [("kind", f"{plain} {brief(sizes)}".strip()), ("name", layer.name), ("shape", shape)],
        "notes": notes,
        "inputs": list(inputs_of(layer, model, maker)),
        "outputs": [facts_of(tensor) for tensor in layer.outputs],
        "parameters": [
            {"name": p.name, "shape": sizes_text(p.shape) or "scalar", "dtype": p.dtype} for p in stored
        ],
        "attributes": sorted(layer.attributes.items()),
    }
    text = label if sizes else f"{layer.name}\n{plain}"
    return Box(key, layer.name, layer.operator, text, color_of(plain), details)


def brief(sizes: str) -> str:
    """Kernel and stride without what goes without saying: ``3x3/2, 64`` for ``3x3/2x2, 64``."""
    return re.sub(r"/(\d+)((?:x\1)*)(?=,|$)", lambda found: "" if found[1] == "1" else f"/{found[1]}", sizes)


def inputs_of(layer: Layer, model: ModelFile, maker: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The values that a node reads, but for stored ones."""
    for name in layer.inputs:
        if name not in model.parameters:
            facts = facts_of(model.tensors.get(name) or Tensor(name, None, None))
            yield {**facts, "box": maker[name]} if name in maker else facts


def facts_of(tensor: Tensor) -> dict[str, str]:
    """Name, shape and element type for the page."""
    shape = "?" if tensor.shape is None else sizes_text(tensor.shape) or "scalar"
    return {"name": tensor.name, "shape": shape, "dtype": tensor.dtype or ""}


def shape_label(model: ModelFile, name: str) -> str:
    """What is written at an arrow."""
    tensor = model.tensors.get(name)
    return "" if tensor is None or tensor.shape is None else sizes_text(tensor.shape)


def sizes_text(shape: Sequence[object]) -> str:
    """A shape as ``1×3×224×224``."""
    return "×".join("?" if d is None else str(d) for d in shape)
