"""``gluon-onnx diff``: how two models differ in structure, attributes and weights."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path

import numpy as np

from .model_file import Layer, ModelFile, Parameter, Tensor, open_path, parse_inputs
from .outcome import CommandError, ExitCode
from .tables import Facts, Grid, Report, add_format_argument, counted, emit, shape_text
from .weights import in_double

__all__ = ["Change", "WeightChange", "add_arguments", "compare_graphs", "compare_weights", "run"]


_ALIGNED = 3000  # nodes without a partner of their name that are aligned; more are paired by their places


@dataclass(frozen=True)
class Change:
    """A difference; None where a side has nothing.

    Attributes
    ----------
    part : "input", "output", "node", "operator", "wiring", "attribute" or "opset".
    where : name in the first model, or in the second where the first has nothing.
    """

    part: str
    where: str
    first: str | None
    second: str | None


@dataclass(frozen=True)
class WeightChange:
    """A stored array that differs.

    Attributes
    ----------
    what : "only in the first", "only in the second", "shape", "type" or "values".
    largest : largest difference of two elements; None if they were not compared.
    relative : that, divided by the largest element of the first array.
    count : how many elements differ.
    """

    name: str
    what: str
    first: str | None
    second: str | None
    largest: float | None = None
    relative: float | None = None
    count: int | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "first", metavar="A", type=Path, help="a model: -symbol.json, .params, .onnx or a folder"
    )
    parser.add_argument("second", metavar="B", type=Path, help="another one")
    parser.add_argument("--params-a", type=Path, help="parameters of A (default: those beside it)")
    parser.add_argument("--params-b", type=Path, help="parameters of B (default: those beside it)")
    parser.add_argument(
        "--input", action="append", default=[], metavar="NAME:SHAPE", help="shape of an input of both"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=0.0,
        metavar="T",
        help="weights count as equal up to T times the largest element of their array (default: 0)",
    )
    parser.add_argument(
        "--only",
        choices=("structure", "attributes", "weights"),
        help="compare this only (structure: inputs, outputs, nodes and their wiring)",
    )
    add_format_argument(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Print the differences; the check has failed if there are any."""
    if not args.tolerance >= 0:
        raise CommandError(f"--tolerance {args.tolerance}: expected a number that is not negative")
    shapes = parse_inputs(args.input)
    first, second = (
        open_path(args.first, args.params_a, shapes),
        open_path(args.second, args.params_b, shapes),
    )
    notes = []
    names: dict[str, str] = {}
    changes: list[Change] = []
    if bool(first.layers) != bool(second.layers) and args.only != "weights":
        bare = second if first.layers else first
        notes.append(f"only weights were compared: {bare.path} has no graph")
    elif (first.symbol is None) != (second.symbol is None) and args.only != "weights":
        notes.append(
            "inputs, outputs and weights were compared, but no nodes: one graph has MXNet's operators, the other ONNX's"
        )
        changes = compare_interfaces(first, second)
    elif first.layers:
        changes, names = compare_graphs(first, second)
    if args.only == "structure":
        changes = [change for change in changes if change.part != "attribute"]
    elif args.only == "attributes":
        changes = [change for change in changes if change.part == "attribute"]
    elif args.only == "weights":
        changes = []
    weights = []
    if args.only in (None, "weights"):
        if bool(first.parameters) != bool(second.parameters):
            notes.append(
                f"weights were not compared: {(second if first.parameters else first).path} has none"
            )
        else:
            weights = compare_weights(first.parameters, second.parameters, names, args.tolerance)
    emit(report(first, second, changes, weights, notes), args.format)
    return ExitCode.CHECK_FAILED if changes or weights else ExitCode.OK


def compare_interfaces(first: ModelFile, second: ModelFile) -> list[Change]:
    """Differences of inputs and outputs, which are paired in order, and of operator sets."""
    alike = (first.symbol is None) == (second.symbol is None)
    changes = []
    for part, ours, theirs in (
        ("input", first.inputs, second.inputs),
        ("output", first.outputs, second.outputs),
    ):
        for a, b in zip_longest(ours, theirs):
            if a is None or b is None or not agree(a, b, named=alike):
                texts = [
                    None if t is None else f"{t.name} {t.dtype or '?'} {shape_text(t.shape)}" for t in (a, b)
                ]
                changes.append(Change(part, (a or b).name, *texts))
    if first.opsets and second.opsets:
        for domain in sorted({*first.opsets, *second.opsets}):
            versions = [model.opsets.get(domain) for model in (first, second)]
            if versions[0] != versions[1]:
                changes.append(Change("opset", domain, *(None if v is None else str(v) for v in versions)))
    return changes


def agree(a: Tensor, b: Tensor, named: bool) -> bool:
    """Whether two values may be the same: what one file does not tell is no difference.

    Parameters
    ----------
    named : names of dimensions count; otherwise they are open.
    """
    if a.name != b.name or (a.dtype and b.dtype and a.dtype != b.dtype):
        return False
    if a.shape is None or b.shape is None:
        return True
    if len(a.shape) != len(b.shape):
        return False
    known = (int, str) if named else int
    return all(
        x == y or not (isinstance(x, known) and isinstance(y, known))
        for x, y in zip(a.shape, b.shape, strict=True)
    )


def compare_graphs(first: ModelFile, second: ModelFile) -> tuple[list[Change], dict[str, str]]:
    """Differences of two graphs of the same kind, and the second's name for every value of the first that has one."""
    changes = compare_interfaces(first, second)
    pairs = pair_layers(first.layers, second.layers)
    names: dict[str, str] = {}
    for a, b in pairs:
        if a is not None and b is not None:
            for ours, theirs in zip(a.outputs, b.outputs, strict=False):
                names[ours.name] = theirs.name
            for source, target in zip(a.inputs, b.inputs, strict=False):
                if source in first.parameters and target in second.parameters:
                    names.setdefault(source, target)
    names.update((mine.name, its.name) for mine, its in zip(first.inputs, second.inputs, strict=False))
    for a, b in pairs:
        if a is None or b is None:
            texts = [None if layer is None else layer.operator for layer in (a, b)]
            changes.append(Change("node", (a or b).name, *texts))  # type: ignore[union-attr]
            continue
        if a.name != b.name:
            changes.append(Change("node", a.name, a.name, b.name))
        if a.operator != b.operator:
            changes.append(Change("operator", a.name, a.operator, b.operator))
            continue
        if tuple(names.get(name, name) for name in a.inputs) != b.inputs:
            changes.append(Change("wiring", a.name, ", ".join(a.inputs), ", ".join(b.inputs)))
        x, y = canonical(a, first), canonical(b, second)
        if x is None or y is None:
            x, y = a.attributes, b.attributes
        changes += [
            Change("attribute", f"{a.name}.{key}", x.get(key), y.get(key))
            for key in sorted({*x, *y})
            if x.get(key) != y.get(key)
        ]
    return changes, names


def pair_layers(first: list[Layer], second: list[Layer]) -> list[tuple[Layer | None, Layer | None]]:
    """Nodes that go together: those of one name; of the others, runs of the same operators in the same order."""
    names = {layer.name: number for number, layer in enumerate(second)}
    pairs: dict[int, int] = {}
    for number, layer in enumerate(first):
        other = names.pop(layer.name, None)
        if other is not None:
            pairs[number] = other
    free_a = [number for number in range(len(first)) if number not in pairs]
    taken = set(pairs.values())
    free_b = [number for number in range(len(second)) if number not in taken]
    if max(len(free_a), len(free_b)) > _ALIGNED:
        pairs.update(
            (n, m) for n, m in zip(free_a, free_b, strict=False) if first[n].operator == second[m].operator
        )
    else:
        ours, theirs = [first[n].operator for n in free_a], [second[m].operator for m in free_b]
        for block in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks():
            for step in range(block.size):
                pairs[free_a[block.a + step]] = free_b[block.b + step]
    result: list[tuple[Layer | None, Layer | None]] = []
    for number, layer in enumerate(first):
        result.append((layer, second[pairs[number]] if number in pairs else None))
    matched = set(pairs.values())
    result += [(None, layer) for number, layer in enumerate(second) if number not in matched]
    return result


def canonical(layer: Layer, model: ModelFile) -> dict[str, str] | None:
    """Attributes in a form in which equal values are equal texts: MXNet's with their defaults; None if faulty."""
    if model.symbol is None:
        return layer.attributes
    from ..graph.errors import GraphError
    from ..graph.ops.registry import find

    try:
        op = find(layer.operator)
        parsed = op.parse({k: v for k, v in layer.attributes.items() if k in op.params}).values
    except GraphError:
        return None
    hidden = {k: v for k, v in layer.attributes.items() if k not in op.params}
    return {**{key: str(value) for key, value in parsed.items()}, **hidden}


def compare_weights(
    first: Mapping[str, Parameter],
    second: Mapping[str, Parameter],
    names: Mapping[str, str],
    tolerance: float = 0.0,
) -> list[WeightChange]:
    """Differences of stored arrays.

    Parameters
    ----------
    names : the second's names for arrays that the first calls otherwise.
    tolerance : relative to the largest element of an array.
    """
    changes: list[WeightChange] = []
    seen = set()
    for name, a in first.items():
        target = name if name in second else names.get(name, name)
        b = second.get(target)
        if b is None:
            changes.append(WeightChange(name, "only in the first", f"{a.dtype} {shape_text(a.shape)}", None))
            continue
        seen.add(target)
        if a.shape != b.shape:
            changes.append(WeightChange(name, "shape", shape_text(a.shape), shape_text(b.shape)))
            continue
        if a.dtype != b.dtype:
            changes.append(WeightChange(name, "type", a.dtype, b.dtype))
        found = compare_values(name, a, b, tolerance)
        if found is not None:
            changes.append(found)
    changes += [
        WeightChange(name, "only in the second", None, f"{b.dtype} {shape_text(b.shape)}")
        for name, b in second.items()
        if name not in seen
    ]
    return changes


def compare_values(name: str, a: Parameter, b: Parameter, tolerance: float) -> WeightChange | None:
    """The difference of two arrays of one shape, read side by side; None if it is within the tolerance."""
    largest = scale = 0.0
    count = total = 0
    for x, y in zip_longest(a.chunks(), b.chunks()):
        if x is None or y is None or x.size != y.size:  # of two sparse arrays with different rows
            return WeightChange(name, "values", "stored elements", "others")
        if x.dtype.kind not in "fiubV" or y.dtype.kind not in "fiubV":
            count += int((x != y).sum())
            continue
        u, v = in_double(x), in_double(y)
        total += u.size
        with np.errstate(invalid="ignore"):
            apart = np.abs(u - v)
        apart[(u == v) | (np.isnan(u) & np.isnan(v))] = 0
        apart[np.isnan(apart)] = np.inf
        count += int(np.count_nonzero(apart))
        if apart.size:
            largest = max(largest, float(apart.max()))
            scale = max(scale, float(np.abs(u[np.isfinite(u)]).max(initial=0)))
    if not count or (largest <= tolerance * scale):
        return None
    relative = largest / scale if scale else float("inf")
    return WeightChange(name, "values", None, None, largest, relative, count)


def report(
    first: ModelFile, second: ModelFile, changes: list[Change], weights: list[WeightChange], notes: list[str]
) -> Report:
    """The differences for a person and a program."""
    data = {
        "first": str(first.path),
        "second": str(second.path),
        "equal": not changes and not weights,
        "structure": [asdict(change) for change in changes if change.part != "attribute"],
        "attributes": [asdict(change) for change in changes if change.part == "attribute"],
        "weights": [asdict(change) for change in weights],
        "notes": notes,
    }
    parts: list[Grid | Facts | str] = []
    for title, rows in (
        ("Structure", [change for change in changes if change.part != "attribute"]),
        ("Attributes", [change for change in changes if change.part == "attribute"]),
    ):
        if rows:
            cells = [(c.part, c.where, *("-" if v is None else v for v in (c.first, c.second))) for c in rows]
            parts.append(
                Grid(("part", "name", "A", "B"), cells, title=f"{title}: {counted(len(rows), 'difference')}")
            )
    if weights:
        numbers = ("largest difference", "relative", "elements")
        lines = [
            (
                c.name,
                c.what,
                c.first or "",
                c.second or "",
                *("" if v is None else f"{v:.3g}" for v in (c.largest, c.relative)),
                "" if c.count is None else str(c.count),
            )
            for c in weights
        ]
        parts.append(
            Grid(
                ("name", "what", "A", "B", *numbers),
                lines,
                numbers,
                title=f"Weights: {counted(len(weights), 'difference')}",
            )
        )
    if not (changes or weights):
        parts.append("No differences.")
    return Report(f"A {first.path}\nB {second.path}", data, [*parts, *(f"note: {note}" for note in notes)])
