"""``gluon-onnx profile``: where the time goes, by ONNX Runtime's own profiler."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from .feeds import (
    Feed,
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
from .runnable import Runnable, open_session, run_session
from .settings import add_settings, settings_of
from .tables import Facts, Grid, Report, add_format_argument, emit

if TYPE_CHECKING:
    import onnx

    from .._runtime.models import Kernel, ModelSession

__all__ = ["Share", "add_arguments", "run"]


@dataclass
class Share:
    """What an operator or a layer takes of a run.

    Attributes
    ----------
    milliseconds : median over the runs of the sum of its kernels.
    kernels : of one run.
    providers : where they ran, with their number.
    fused : other layers that its kernels do too.
    """

    name: str
    operator: str
    milliseconds: float = 0.0
    kernels: int = 0
    providers: Counter[str] = field(default_factory=Counter)
    fused: dict[str, None] = field(default_factory=dict)
    times: dict[int, float] = field(default_factory=dict, repr=False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", type=Path, help="a -symbol.json or .onnx file")
    parser.add_argument(
        "--params", type=Path, help="parameters of a -symbol.json (default: PREFIX-NNNN.params beside it)"
    )
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="that are measured (default: 20)")
    parser.add_argument("--warmup", type=int, default=3, metavar="N", help="runs before them (default: 3)")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="also write a trace for chrome://tracing")
    parser.add_argument("--top", type=int, metavar="N", help="only the N slowest layers, slowest first")
    add_format_argument(parser)
    add_feed_arguments(parser)
    add_settings(parser)
    add_isolate(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Run the model under the profiler, and report."""
    if args.runs < 1 or args.warmup < 0:
        raise CommandError("--runs: expected at least 1, and --warmup at least 0")
    wishes = read_wishes(args)
    runnable = open_with_wishes(args.file, args.params, args, wishes)
    feeds = make_feeds(runnable, args, wishes)
    model = runnable.model(specs_of(feeds))
    plain = open_session(runnable, model, settings_of(args))
    arrays = arrays_of(feeds)
    for _ in range(args.warmup + args.runs):
        run_session(plain, arrays, args.seed)
    session = open_session(runnable, model, settings_of(args), profile=True)
    for _ in range(args.warmup + args.runs):
        run_session(session, arrays, args.seed)
    kernels = [k for k in session.kernels(args.trace) if k.run >= args.warmup]
    emit(report(runnable, feeds, model.proto, plain, kernels, args), args.format)
    return ExitCode.OK


def report(
    runnable: Runnable,
    feeds: Sequence[Feed],
    proto: onnx.ModelProto,
    plain: ModelSession,
    kernels: Sequence[Kernel],
    args: argparse.Namespace,
) -> Report:
    """The result for every form of output."""
    origins = Origins(proto)
    layers = shares(kernels, origins, True, args.runs)
    operators = sorted(shares(kernels, origins, False, args.runs), key=lambda s: -s.milliseconds)
    layers.sort(key=lambda s: -s.milliseconds if args.top else origins.place(s.name))
    wall = [1000 * t for t in plain.times[args.warmup :]]
    busy = sum(s.milliseconds for s in operators)
    placement = sum((s.providers for s in layers), Counter())
    origins.give_away(layers)
    done = {name for s in layers for name in (s.name, *s.fused)}
    fused = sum(len(s.fused) for s in layers)
    without = [name for name in origins.layers if name not in done]
    data = {
        "file": str(runnable.path),
        "provider": args.provider,
        "optimization": args.optimization,
        "runs": args.runs,
        "inputs": inputs_data(feeds),
        "milliseconds": {"median": median(wall), "min": min(wall), "max": max(wall), "kernels": busy},
        "placement": dict(placement),
        "operators": [plain_share(s, busy) for s in operators],
        "layers": [plain_share(s, busy) for s in layers[: args.top]],
        "layers_without_a_kernel": without,
    }
    facts: list[tuple[str, object]] = [
        ("one run", f"{median(wall):.3f} ms (median of {args.runs}; {min(wall):.3f} to {max(wall):.3f})"),
        ("in kernels", f"{busy:.3f} ms, with the profiler on"),
        ("kernels on", ", ".join(f"{name} {count}" for name, count in placement.most_common())),
    ]
    if fused:
        facts.append(("layers fused into others", fused))
    if without:
        facts.append(("layers without a kernel", len(without)))
    parts: list[Grid | Facts | str] = [
        *input_parts(runnable, feeds),
        Facts(facts),
        grid("operator", operators, busy),
        grid("layer", layers[: args.top], busy),
    ]
    if args.trace is not None:
        parts.append(f"trace written to {args.trace}")
    return Report(f"{runnable.path}, on {args.provider}", data, parts)


class Origin(NamedTuple):
    """Where a kernel came from: layer, its operator, and other layers that it does too."""

    layer: str
    operator: str
    fused: tuple[str, ...] = ()


class Origins:
    """Which layer and operator the kernels of a model came from.

    Attributes
    ----------
    layers : names of the layers that compute something, with their operators, in order: MXNet nodes where the model
        remembers them, else ONNX nodes.
    """

    def __init__(self, proto: onnx.ModelProto) -> None:
        self._nodes: dict[str, onnx.NodeProto] = {node.name: node for node in proto.graph.node}
        self._made = {name: node for node in proto.graph.node for name in node.output}
        self.layers: dict[str, str] = {}
        for node in proto.graph.node:
            if node.op_type != "Constant":
                self.layers.setdefault(*layer_of(node))
        self._places = {name: i for i, name in enumerate(self.layers)}
        self._found: dict[tuple[str, str], Origin] = {}

    def place(self, layer: str) -> int:
        """The position of a layer in the model; unknown ones come last."""
        return self._places.get(layer, len(self._places))

    def of(self, kernel: Kernel) -> Origin:
        """Where a kernel came from; what ONNX Runtime has put in between goes by its own operator."""
        key = kernel.node, kernel.operator
        if key not in self._found:
            self._found[key] = self._find(*key)
        return self._found[key]

    def give_away(self, shares: Sequence[Share]) -> None:
        """Note layers without a kernel of their own in those that all of their inputs come from."""
        owners = {name: share for share in shares for name in (*share.fused, share.name)}
        for node in self._nodes.values():
            layer, _ = layer_of(node)
            sources = {layer_of(self._made[n])[0] for n in node.input if n in self._made} - {layer}
            found = {id(owners[s]): owners[s] for s in sources if s in owners}
            if layer not in owners and len(found) == 1:
                owners[layer] = next(iter(found.values()))
                owners[layer].fused[layer] = None

    def _find(self, name: str, operator: str) -> Origin:
        # The optimizer names what it makes of nodes by adding to the name of one of them, mostly the last.
        name = name.removeprefix("fused ")
        names = [n for n in self._nodes if name.startswith(n)]
        if not names:
            return Origin(operator, operator)
        node = self._nodes[max(names, key=len)]
        path = self._way_to(node, operator.removeprefix("Fused")) or [node]
        layers = list(dict.fromkeys(layer_of(n) for n in path))
        (layer, kind), others = layers[-1], layers[:-1]
        return Origin(layer, kind, tuple(name for name, _ in reversed(others)))

    def _way_to(self, node: onnx.NodeProto, operator: str) -> list[onnx.NodeProto]:
        """The nodes from `node` up to the nearest one of an operator: what was fused into that one's kernel."""
        ways = [[node]]
        for _ in range(_FUSED):
            for way in ways:
                if way[-1].op_type == operator:
                    return way
            ways = [[*way, self._made[n]] for way in ways for n in way[-1].input if n in self._made]
        return []


_FUSED = 5  # so many nodes become one kernel at most


def layer_of(node: onnx.NodeProto) -> tuple[str, str]:
    """The layer that a node belongs to, and its operator."""
    notes = {entry.key: entry.value for entry in node.metadata_props}
    return notes.get("node") or node.name, notes.get("op") or node.op_type


def shares(kernels: Sequence[Kernel], origins: Origins, by_layer: bool, runs: int) -> list[Share]:
    """Times of kernels, summed by layer or by operator."""
    found: dict[str, Share] = {}
    counts: Counter[str] = Counter()
    for kernel in kernels:
        origin = origins.of(kernel)
        name = origin.layer if by_layer else origin.operator
        share = found.setdefault(name, Share(name, origin.operator))
        share.times[kernel.run] = share.times.get(kernel.run, 0.0) + kernel.duration
        share.providers[kernel.provider or "?"] += 1
        share.fused.update(dict.fromkeys(origin.fused))
        counts[name] += 1
    for name, share in found.items():
        share.milliseconds = median([*share.times.values(), *[0.0] * (runs - len(share.times))]) / 1000
        share.kernels = round(counts[name] / runs)
        share.providers = Counter({p: max(1, round(n / runs)) for p, n in share.providers.items()})
    return list(found.values())


def plain_share(share: Share, total: float) -> Mapping[str, Any]:
    """A share for JSON."""
    return {
        "name": share.name,
        "operator": share.operator,
        "milliseconds": share.milliseconds,
        "percent": 100 * share.milliseconds / total if total else 0.0,
        "kernels": share.kernels,
        "providers": dict(share.providers),
        "fused": list(share.fused),
    }


def grid(what: str, rows: Sequence[Share], total: float) -> Grid:
    """Shares as a table."""
    numbers = ("ms", "%", "kernels")
    by_layer = what == "layer"
    return Grid(
        (what, *(["operator"] if by_layer else []), *numbers, "provider", *(["with"] if by_layer else [])),
        [
            (
                s.name,
                *([s.operator] if by_layer else []),
                f"{s.milliseconds:.3f}",
                f"{100 * s.milliseconds / total:.1f}" if total else "",
                s.kernels,
                ", ".join(s.providers),
                *([", ".join(s.fused)] if by_layer else []),
            )
            for s in rows
        ],
        numbers,
    )
