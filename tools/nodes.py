"""``gluon-onnx nodes``: the nodes of a model as a table."""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict
from typing import Any

from .macs import layer_macs
from .model_file import Layer, ModelFile, add_model_arguments, compiled, open_model, require_supported
from .outcome import CommandError, ExitCode
from .tables import Grid, Report, count_text, counted, emit, shape_text

__all__ = ["add_arguments", "in_block", "own_parameters", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser)
    parser.add_argument("--match", default="", metavar="REGEX", help="only nodes whose name matches")
    parser.add_argument(
        "--op", default="", metavar="REGEX", help="only nodes whose whole operator name matches"
    )
    parser.add_argument(
        "--block",
        metavar="PATH",
        help="only nodes of a Gluon block: its path where the file tells it (features.5), else the prefix of names",
    )
    parser.add_argument(
        "--sort", choices=("macs", "parameters"), help="the largest first (default: as computed)"
    )


def in_block(layer: Layer, path: str) -> bool:
    """Whether a node comes from the block at `path`, or from one inside it.

    In files without paths of blocks, names of nodes begin with those of their blocks.
    """
    wanted = path.rstrip("._/")
    return any(
        re.match(re.escape(wanted) + r"(?![^._/])", text) for text in (layer.block, layer.name) if text
    )


def own_parameters(layer: Layer, model: ModelFile) -> int:
    """Elements of the stored arrays that a node reads."""
    return sum(model.parameters[name].size for name in {*layer.inputs} if name in model.parameters)


def run(args: argparse.Namespace) -> ExitCode:
    """Print the table."""
    match, op = compiled("--match", args.match), compiled("--op", args.op)
    model = open_model(args)
    if not model.layers:
        raise CommandError(f"{model.path}: this file holds parameters only, no nodes: see gluon-onnx weights")
    rows = [
        row(layer, model)
        for layer in model.layers
        if match.search(layer.name)
        and (not args.op or op.fullmatch(layer.operator))
        and (args.block is None or in_block(layer, args.block))
    ]
    if args.sort:
        rows.sort(key=lambda found: found[args.sort] or 0, reverse=True)
    emit(report(rows, model, args.format), args.format)
    require_supported(model)
    return ExitCode.OK


def row(layer: Layer, model: ModelFile) -> dict[str, Any]:
    """The facts about a node."""
    return {
        "name": layer.name,
        "operator": layer.operator,
        "inputs": list(layer.inputs),
        "outputs": [asdict(tensor) for tensor in layer.outputs],
        "attributes": layer.attributes,
        "parameters": own_parameters(layer, model),
        "macs": layer_macs(layer, model.sizes),
        "block": layer.block or None,
    }


def report(rows: list[dict[str, Any]], model: ModelFile, form: str) -> Report:
    """The table for a person."""
    numeric = ("parameters", "MACs")
    blocks = any(found["block"] for found in rows)
    headers = ("name", "operator", "output", *numeric, *(["block"] if blocks else []), "attributes")
    cells = [
        (
            found["name"],
            found["operator"],
            ", ".join(shape_text(tensor["shape"]) for tensor in found["outputs"]),
            count_text(found["parameters"]) if found["parameters"] else "",
            "" if found["macs"] == 0 else count_text(found["macs"]),
            *([found["block"] or ""] if blocks else []),
            " ".join(f"{key}={value}" for key, value in found["attributes"].items()),
        )
        for found in rows
    ]
    counts = [found["macs"] for found in rows]
    known = [count for count in counts if count is not None]
    total = (
        f"{len(rows)} of {counted(len(model.layers), 'node')}, {count_text(sum(known))} multiply-accumulates"
        + ("" if len(known) == len(counts) else ", not counting those of unknown shape")
    )
    title = f"Nodes of {model.path}" if form == "html" else ""
    return Report(title, rows, [Grid(headers, cells, numeric), total, *(f"note: {n}" for n in model.notes)])
