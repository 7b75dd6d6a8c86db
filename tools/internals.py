"""``gluon-onnx internals``: every value inside a model by the name that ``get_internals()`` knows it by."""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict

from .model_file import add_model_arguments, open_model
from .outcome import CommandError, ExitCode
from .tables import print_json, print_table, shape_text

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser)
    parser.add_argument(
        "--match", default="", metavar="REGEX", help="only values whose name or operator matches"
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Print them in the order of computation."""
    try:
        match = re.compile(args.match)
    except re.error as error:
        raise CommandError(f"--match {args.match}: {error}") from error
    found = [
        (tensor, layer)
        for layer in open_model(args).layers
        for tensor in layer.outputs
        if match.search(tensor.name) or match.search(layer.operator)
    ]
    if args.format == "json":
        print_json(
            [{**asdict(tensor), "operator": layer.operator, "node": layer.name} for tensor, layer in found]
        )
    else:
        rows = [(tensor.name, layer.operator, shape_text(tensor.shape)) for tensor, layer in found]
        print_table(("name", "operator", "shape"), rows)
    return ExitCode.OK
