"""``gluon-onnx summary``: what a file of a model holds, in short."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from typing import Any

from .macs import activation_peak, layer_macs, total_macs
from .model_file import ModelFile, Tensor, add_model_arguments, open_model, require_supported
from .outcome import ExitCode
from .tables import Facts, Grid, Report, count_text, counted, emit, shape_text, size_text

__all__ = ["add_arguments", "run", "summarize"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Print it."""
    model = open_model(args)
    emit(report(summarize(model)), args.format)
    require_supported(model)
    return ExitCode.OK


def summarize(model: ModelFile) -> dict[str, Any]:
    """The facts that are printed; None where a shape that decides is unknown."""
    parameters = model.parameters.values()
    costs: Counter[str] = Counter()
    for layer in model.layers:
        costs[layer.operator] += layer_macs(layer, model.sizes) or 0
    return {
        "file": str(model.path),
        "kind": model.kind,
        "opsets": model.opsets,
        "metadata": model.metadata,
        "parameters_file": str(model.params_path) if model.params_path else None,
        "other_files": [str(path) for path in model.others],
        "inputs": [asdict(tensor) for tensor in model.inputs],
        "outputs": [asdict(tensor) for tensor in model.outputs],
        "parameters": {
            "arrays": len(model.parameters),
            "elements": sum(parameter.size for parameter in parameters),
            "bytes": sum(parameter.nbytes for parameter in parameters),
            "dtypes": dict(Counter(parameter.dtype for parameter in parameters).most_common()),
        },
        "macs": total_macs(model),
        "activation_peak_bytes": activation_peak(model),
        "dtypes": dict(
            Counter(t.dtype for layer in model.layers for t in layer.outputs if t.dtype).most_common()
        ),
        "nodes": len(model.layers),
        "operators": dict(Counter(layer.operator for layer in model.layers).most_common()),
        "macs_by_operator": {name: count for name, count in costs.most_common() if count},
        "notes": model.notes,
    }


def report(facts: dict[str, Any]) -> Report:
    """The facts for a person."""
    stored = facts["parameters"]
    rows: list[tuple[str, object]] = [("kind", facts["kind"])]
    if facts["opsets"]:
        rows.append(
            ("opsets", ", ".join(f"{domain} {version}" for domain, version in facts["opsets"].items()))
        )
    text = f"{stored['elements']:,} in {counted(stored['arrays'], 'array')}"
    if stored["arrays"]:
        text += f" of {', '.join(stored['dtypes'])}, {size_text(stored['bytes'])}"
    if facts["parameters_file"] and facts["parameters_file"] != facts["file"]:
        text += f", from {facts['parameters_file']}"
    rows.append(("parameters", text))
    if facts["nodes"]:
        peak = facts["activation_peak_bytes"]
        rows.append(("multiply-accumulates", count_text(facts["macs"])))
        rows.append(("activations at most", "?" if peak is None else size_text(peak)))
        rows.append(("values", ", ".join(facts["dtypes"]) or "?"))
    rows += [(f"metadata {key}", value) for key, value in facts["metadata"].items()]
    if facts["other_files"]:
        rows.append(("other files", ", ".join(facts["other_files"])))
    parts: list[Facts | Grid | str] = [Facts(rows), *(f"note: {note}" for note in facts["notes"])]
    tensors = [
        (what, tensor.name, tensor.dtype or "?", shape_text(tensor.shape))
        for what, found in (("input", facts["inputs"]), ("output", facts["outputs"]))
        for tensor in (Tensor(**fields) for fields in found)
    ]
    if tensors:
        parts.append(Grid(("", "name", "dtype", "shape"), tensors))
    if facts["operators"]:
        costs, total = facts["macs_by_operator"], sum(facts["macs_by_operator"].values())
        grid = [
            (name, count, count_text(costs[name]) if name in costs else "",
             f"{costs[name] / total:.1%}" if name in costs else "")
            for name, count in facts["operators"].items()
        ]  # fmt: skip
        headers = ("operator", "count", "MACs", "share")
        parts.append(Grid(headers, grid, headers[1:], title=counted(facts["nodes"], "node")))
    return Report(facts["file"], facts, parts)
