"""``gluon-onnx summary``: what a file of a model holds, in short."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from typing import Any

from .model_file import ModelFile, Tensor, add_model_arguments, open_model
from .outcome import ExitCode
from .tables import open_console, print_json, print_table, shape_text, size_text

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Print it."""
    facts = summarize(open_model(args))
    if args.format == "json":
        print_json(facts)
    else:
        show(facts)
    return ExitCode.OK


def summarize(model: ModelFile) -> dict[str, Any]:
    """The facts that are printed."""
    parameters = model.parameters.values()
    return {
        "file": str(model.path),
        "kind": model.kind,
        "opsets": model.opsets,
        "parameters_file": str(model.params_path) if model.params_path else None,
        "inputs": [asdict(tensor) for tensor in model.inputs],
        "outputs": [asdict(tensor) for tensor in model.outputs],
        "parameters": {
            "arrays": len(model.parameters),
            "elements": sum(parameter.size for parameter in parameters),
            "bytes": sum(parameter.nbytes for parameter in parameters),
            "dtypes": dict(Counter(parameter.dtype for parameter in parameters).most_common()),
        },
        "nodes": len(model.layers),
        "operators": dict(Counter(layer.operator for layer in model.layers).most_common()),
    }


def show(facts: dict[str, Any]) -> None:
    """Print the facts for a person."""
    console = open_console()
    console.print(f"{facts['file']}: {facts['kind']}")
    for domain, version in facts["opsets"].items():
        console.print(f"opset {version} of {domain}")
    stored = facts["parameters"]
    dtypes = ", ".join(facts["parameters"]["dtypes"])
    console.print(
        f"parameters: {stored['elements']:,} in {stored['arrays']} arrays"
        + (f" of {dtypes}, {size_text(stored['bytes'])}" if stored["arrays"] else "")
        + (f", from {facts['parameters_file']}" if facts["parameters_file"] else "")
    )
    rows = [
        (what, tensor.name, tensor.dtype or "?", shape_text(tensor.shape))
        for what, found in (("input", facts["inputs"]), ("output", facts["outputs"]))
        for tensor in (Tensor(**fields) for fields in found)
    ]
    if rows:
        console.print()
        print_table(("", "name", "dtype", "shape"), rows)
    if facts["operators"]:
        console.print(f"\n{facts['nodes']} nodes")
        print_table(("operator", "count"), list(facts["operators"].items()), numeric=("count",))
