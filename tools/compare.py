"""``gluon-onnx compare``: two models, or one in two ways, on the same inputs, layer by layer."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .feeds import (
    Feed,
    Wishes,
    add_feed_arguments,
    arrays_of,
    input_parts,
    inputs_data,
    make_feeds,
    open_with_wishes,
    read_wishes,
    specs_of,
)
from .isolate import add_isolate
from .outcome import CommandError, ExitCode
from .runnable import Internal, OnnxModel, Runnable, open_session, run_session
from .settings import OPTIMIZATION_NAMES
from .tables import Facts, Grid, Report, add_format_argument, emit, shape_text

if TYPE_CHECKING:
    from .._runtime.models import Settings

__all__ = ["Difference", "add_arguments", "matches", "measure", "run"]

Array = npt.NDArray[Any]

TOLERANCE, TOLERANCE_HALF = 1e-4, 2e-2


@dataclass(frozen=True)
class Difference:
    """How far two values lie apart.

    Attributes
    ----------
    name, node, operator : of the value, as the first model calls it; `other` is its name in the second.
    shape, other_shape : of the two values.
    difference : the largest, in the units of the values; infinite if one is NaN or infinite where the other is not.
    relative : the same in parts of the largest finite element of the first value.
    place : index of the element that differs most.
    departs : the relative difference is above the tolerance, or the shapes differ.
    """

    name: str
    other: str
    node: str
    operator: str
    shape: tuple[int, ...]
    other_shape: tuple[int, ...]
    difference: float
    relative: float
    place: tuple[int, ...]
    departs: bool


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    label: str
    runnable: Runnable
    settings: Settings
    opset: int | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("a", type=Path, metavar="A", help="a -symbol.json or .onnx file")
    parser.add_argument("b", type=Path, metavar="B", nargs="?", help="another one (default: the same)")
    twice = "; given twice, the first is for A and the second for B"
    parser.add_argument(
        "--params", type=Path, action="append", default=[], help=f"parameters of a -symbol.json{twice}"
    )
    parser.add_argument(
        "--provider",
        action="append",
        default=[],
        metavar="NAME",
        help=f"cpu (default), cuda, cuda:1, ...{twice}",
    )
    parser.add_argument(
        "--opset",
        action="append",
        type=int,
        default=[],
        metavar="N",
        help=f"version of ONNX's operators{twice}",
    )
    parser.add_argument(
        "--optimization",
        action="append",
        choices=OPTIMIZATION_NAMES,
        default=[],
        help=f"what ONNX Runtime may rewrite in the graph (default: all){twice}",
    )
    parser.add_argument(
        "--threads", type=int, default=0, metavar="N", help="for one operator (default: all cores)"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="X",
        help="largest difference that is no departure, relative to the largest element of a value (default: "
        f"{TOLERANCE:g}, with float16 {TOLERANCE_HALF:g})",
    )
    parser.add_argument("--outputs-only", action="store_true", help="do not look at the values inside")
    add_format_argument(parser)
    add_feed_arguments(parser)
    add_isolate(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Compare, and report; a check has failed if a layer or an output departs."""
    wishes = read_wishes(args)
    sides = make_sides(args, open_both(args, wishes))
    first = sides[0].runnable
    feeds = make_feeds(first, args, wishes)
    other = feeds_for(sides[1].runnable, first, feeds)
    ends = evaluate(sides[0], feeds, (), args.seed), evaluate(sides[1], other, (), args.seed)
    outputs = compare_outputs(sides, ends, args.tolerance)
    layers: list[Difference] = []
    if not args.outputs_only:
        pairs = matches(first, sides[1].runnable)
        left = evaluate(sides[0], feeds, [a for a, _ in pairs], args.seed)
        right = evaluate(sides[1], other, [b for _, b in pairs], args.seed)
        layers = [
            measure(a, b.name, left[a.name], right[b.name], args.tolerance)
            for a, b in pairs
            if isinstance(left[a.name], np.ndarray)
            and isinstance(right[b.name], np.ndarray)
            # Values that only their nodes relate may be different ones.
            and (a.name == b.name or left[a.name].shape == right[b.name].shape)
        ]
    emit(report(sides, feeds, outputs, layers, args), args.format)
    return ExitCode.CHECK_FAILED if any(d.departs for d in (*outputs, *layers)) else ExitCode.OK


def open_both(args: argparse.Namespace, wishes: Wishes) -> tuple[Runnable, Runnable]:
    """The two models; the same one twice if only one is named."""
    params = [*args.params, *args.params[-1:]] if args.b is None else list(args.params)
    if args.b is not None and len(params) == 1:  # for the one that takes them
        params = [None, params[0]] if args.a.suffix == ".onnx" else [params[0], None]
    a, b = (*params, None, None)[:2]
    first = open_with_wishes(args.a, a, args, wishes)
    if args.b is None and len(args.params) < 2:
        return first, first
    path = args.b or args.a
    return first, open_with_wishes(path, b, args, wishes_for(wishes, path))


def wishes_for(wishes: Wishes, path: Path) -> Wishes:
    """The shapes that are given for a first model, for the inputs of the same names of a second one.

    The values are taken over from the first model.
    """
    from .model_file import open_path

    known = {tensor.name for tensor in open_path(path).inputs}
    return Wishes({}, {}, {name: shape for name, shape in wishes.shapes.items() if name in known})


def make_sides(args: argparse.Namespace, models: tuple[Runnable, Runnable]) -> tuple[Side, Side]:
    """Models with their settings, and labels that say what is different about them."""
    from .._runtime.models import Settings

    def pair(values: Sequence[Any], default: Any, option: str) -> tuple[Any, Any]:
        if len(values) > 2:
            raise CommandError(f"{option}: expected one value, or one for A and one for B, got {len(values)}")
        first, second = (*values, *values[-1:], default, default)[:2] if values else (default, default)
        return first, second

    providers = pair(args.provider, "cpu", "--provider")
    levels = pair(args.optimization, "all", "--optimization")
    opsets = pair(args.opset, None, "--opset")
    if len(args.params) > 2:
        raise CommandError(f"--params: expected one file, or one for A and one for B, got {len(args.params)}")
    sides = []
    for i in (0, 1):
        words = [str(models[i].path)]
        if providers[0] != providers[1]:
            words.append(f"provider {providers[i]}")
        if levels[0] != levels[1]:
            words.append(f"optimization {levels[i]}")
        if opsets[0] != opsets[1]:
            words.append(f"opset {opsets[i]}")
        if len(args.params) == 2:
            words.append(f"parameters {args.params[i]}")
        settings = Settings(providers[i], levels[i], args.threads)
        sides.append(Side(", ".join(words), models[i], settings, opsets[i]))
    if sides[0].label == sides[1].label and models[0] is models[1]:
        raise CommandError(
            f"{models[0].path}: name a second model, or give --provider, --opset, --optimization or --params twice"
        )
    return sides[0], sides[1]


def feeds_for(runnable: Runnable, first: Runnable, feeds: Sequence[Feed]) -> list[Feed]:
    """The first model's inputs for the second: by name, or by position where the names are others.

    Raises
    ------
    CommandError : the models have different numbers of inputs, or types.
    """
    names = [tensor.name for tensor in runnable.inputs]
    if len(names) != len(feeds):
        raise CommandError(
            f"{runnable.path} has the inputs {names}, but {first.path} has {[f.name for f in feeds]}"
        )
    by_name = {feed.name: feed for feed in feeds}
    found = []
    for position, tensor in enumerate(runnable.inputs):
        feed = by_name[tensor.name] if set(names) == set(by_name) else feeds[position]
        found.append(Feed(tensor.name, feed.value.astype(runnable.dtype(tensor)), feed.source))
    return found


def evaluate(side: Side, feeds: Sequence[Feed], wanted: Sequence[Internal], seed: int) -> dict[str, Any]:
    """Outputs and wanted internals of one side by name."""
    model = side.runnable.model(specs_of(feeds), wanted, side.opset)
    session = open_session(side.runnable, model, side.settings)
    found = dict(zip(session.output_names, run_session(session, arrays_of(feeds), seed), strict=True))
    labels = [*side.runnable.outputs, *(internal.name for internal in wanted)]
    return {label: found[name] for label, name in zip(labels, model.names, strict=True)}


def matches(a: Runnable, b: Runnable) -> list[tuple[Internal, Internal]]:
    """Values of two models that mean the same, in the order of the first.

    Those with the same name do; and those that a node of the same name computes: nodes of MXNet, which ONNX models
    written by this package remember, and ONNX nodes.
    """
    if a is b:
        return [(i, i) for i in a.internals]
    named = {i.name: i for i in b.internals}
    by_node = results_by_node(b)
    if not isinstance(a, OnnxModel):
        return [(i, j) for i in a.internals if (j := counterpart(i, named, by_node)) is not None]
    own = results_by_node(a)
    pairs = []
    for i in a.internals:
        j = named.get(i.name)
        if j is None and i in own.get(i.node, ()) and i.node in by_node:
            mine, theirs = own[i.node], by_node[i.node]
            j = theirs[mine.index(i)] if len(mine) == len(theirs) else None
        if j is not None:
            pairs.append((i, j))
    return pairs


def counterpart(
    i: Internal, named: Mapping[str, Internal], by_node: Mapping[str, Sequence[Internal]]
) -> Internal | None:
    """The value of another model for an output of an MXNet node."""
    found = by_node.get(i.node, ())
    if i.number < len(found):
        return found[i.number]
    # Other exporters call a node's single result by the node's name.
    return named.get(i.name) or named.get(i.node)


def results_by_node(runnable: Runnable) -> dict[str, list[Internal]]:
    """For each node the values that it hands on; what it keeps to itself is left out."""
    readers: dict[str, set[str]] = {}
    if isinstance(runnable, OnnxModel):
        nodes = {i.name: i.node for i in runnable.internals}
        for node in runnable.proto.graph.node:
            reader = nodes.get(next(filter(None, node.output), ""), "")
            for name in node.input:
                readers.setdefault(name, set()).add(reader)
    ends = set(runnable.outputs)
    found: dict[str, list[Internal]] = {}
    for i in runnable.internals:
        if i.number >= 0 or i.name in ends or readers.get(i.name, set()) - {i.node}:
            found.setdefault(i.node, []).append(i)
    return found


def compare_outputs(
    sides: tuple[Side, Side], ends: tuple[Mapping[str, Any], Mapping[str, Any]], tolerance: float | None
) -> list[Difference]:
    """The outputs as the models give them when they are run as a whole."""
    first, second = sides[0].runnable.outputs, sides[1].runnable.outputs
    if len(first) != len(second):
        raise CommandError(f"{sides[0].label} has {len(first)} outputs, {sides[1].label} has {len(second)}")
    if set(first) == set(second):
        second = first
    return [
        measure(Internal(a, "", "", 0, 0), b, ends[0][a], ends[1][b], tolerance)
        for a, b in zip(first, second, strict=True)
    ]


def measure(value: Internal, other: str, a: Array, b: Array, tolerance: float | None) -> Difference:
    """Compare two values."""
    limit = tolerance
    if limit is None:
        half = np.float16 in (a.dtype, b.dtype)
        limit = TOLERANCE_HALF if half else TOLERANCE
    place: tuple[int, ...] = ()
    if a.shape != b.shape:
        difference = relative = float("inf")
    elif a.dtype.kind not in "fiubV" or b.dtype.kind not in "fiubV":
        difference = relative = 0.0 if np.array_equal(a, b) else float("inf")
    else:
        x, y = a.astype(np.float64), b.astype(np.float64)
        finite = np.isfinite(x)
        with np.errstate(invalid="ignore"):
            gaps = np.abs(x - y)
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        gaps = np.where(same, 0.0, np.where(np.isfinite(gaps), gaps, np.inf))
        difference = float(gaps.max(initial=0.0))
        size = float(np.abs(x[finite]).max(initial=0.0))
        relative = difference / size if size else difference
        if difference:
            place = tuple(int(k) for k in np.unravel_index(gaps.argmax(), gaps.shape))
    return Difference(
        value.name, other, value.node, value.operator, a.shape, b.shape, difference, relative, place,
        not relative <= limit,
    )  # fmt: skip


def report(
    sides: tuple[Side, Side],
    feeds: Sequence[Feed],
    outputs: Sequence[Difference],
    layers: Sequence[Difference],
    args: argparse.Namespace,
) -> Report:
    """The result for every form of output."""
    departed = next((d for d in layers if d.departs), None)
    data = {
        "a": sides[0].label,
        "b": sides[1].label,
        "inputs": inputs_data(feeds),
        "equal": not any(d.departs for d in (*outputs, *layers)),
        "first_departing_layer": departed.name if departed else None,
        "outputs": [asdict(d) for d in outputs],
        "layers": [asdict(d) for d in layers],
    }
    parts: list[Grid | Facts | str] = [*input_parts(sides[0].runnable, feeds), grid("output", outputs)]
    if layers:
        parts.append(grid("layer", layers))
    parts.append(verdict(outputs, layers, args))
    return Report(f"A: {sides[0].label}\nB: {sides[1].label}", data, parts)


def grid(what: str, rows: Sequence[Difference]) -> Grid:
    """Differences as a table."""
    numbers = ("difference", "relative")
    return Grid(
        (what, "operator", "shape", *numbers, "at"),
        [
            (
                d.name,
                d.operator,
                shape_text(d.shape)
                + ("" if d.shape == d.other_shape else f" and {shape_text(d.other_shape)}"),
                f"{d.difference:.3g}",
                f"{d.relative:.3g}",
                shape_text(d.place) if d.place else "",
            )
            for d in rows
        ],
        numbers,
        [d.departs for d in rows],
    )


def verdict(outputs: Sequence[Difference], layers: Sequence[Difference], args: argparse.Namespace) -> str:
    """What it comes to, in a sentence."""
    bad = next((d for d in layers if d.departs), None)
    if bad is not None:
        return (
            f"first departure: {bad.name} ({bad.operator}, node {bad.node}), relative difference {bad.relative:.3g}; "
            f"{sum(d.departs for d in layers)} of {len(layers)} layers depart"
        )
    wrong = [d for d in outputs if d.departs]
    if wrong:
        inside = (
            ""
            if args.outputs_only
            else (
                f"; none of the {len(layers)} values that could be compared inside departs by itself, so look at what "
                "lies between them, or at what ONNX Runtime fuses (--optimization none)"
            )
        )
        return f"{len(wrong)} of {len(outputs)} outputs depart, first {wrong[0].name}{inside}"
    worst = max((d.relative for d in (*outputs, *layers)), default=0.0)
    inside = f" and {len(layers)} values inside" if layers else ""
    return f"equal: {len(outputs)} outputs{inside}, largest relative difference {worst:.3g}"
