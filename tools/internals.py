"""``gluon-onnx internals``: every value inside a model by the name that ``get_internals()`` knows it by."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from .model_file import ModelFile, Tensor, add_model_arguments, compiled, open_model, require_supported
from .outcome import ExitCode
from .tables import Grid, Report, emit, shape_text

__all__ = ["add_arguments", "internals", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser)
    parser.add_argument(
        "--match", default="", metavar="REGEX", help="only values whose name or operator matches"
    )


def internals(model: ModelFile) -> list[tuple[Tensor, str, str]]:
    """Every value with its operator (empty for inputs and parameters) and node, in the order of computation."""
    made = {tensor.name: layer for layer in model.layers for tensor in layer.outputs}
    return [
        (tensor, made[name].operator if name in made else "", made[name].name if name in made else name)
        for name, tensor in model.tensors.items()
    ]


def run(args: argparse.Namespace) -> ExitCode:
    """Print them."""
    match = compiled("--match", args.match)
    model = open_model(args)
    found = [row for row in internals(model) if match.search(row[0].name) or match.search(row[1])]
    rows = [(t.name, operator, t.dtype or "?", shape_text(t.shape)) for t, operator, _ in found]
    data = [{**asdict(t), "operator": operator or None, "node": node} for t, operator, node in found]
    parts: list[Grid | str] = [Grid(("name", "operator", "dtype", "shape"), rows)]
    title = f"Values inside {model.path}" if args.format == "html" else ""
    emit(Report(title, data, [*parts, *(f"note: {note}" for note in model.notes)]), args.format)
    require_supported(model)
    return ExitCode.OK
