"""``gluon-onnx run``: the outputs of a model, and any values inside it, for given or random inputs."""

from __future__ import annotations

import argparse
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

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
from .runnable import Internal, Runnable, open_session, run_session
from .settings import add_settings, settings_of
from .tables import Facts, Grid, Report, add_format_argument, emit, shape_text

__all__ = ["add_arguments", "run"]

Array = npt.NDArray[Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", type=Path, help="a -symbol.json or .onnx file")
    parser.add_argument(
        "--params", type=Path, help="parameters of a -symbol.json (default: PREFIX-NNNN.params beside it)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT.npz", help="write the values there, by name"
    )
    parser.add_argument(
        "--dump", metavar="REGEX", help="also write the values inside whose name or operator matches"
    )
    add_format_argument(parser)
    add_feed_arguments(parser)
    add_settings(parser)
    add_isolate(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Run the model and say what came out; a check has failed if an output holds NaN."""
    if args.output is not None and args.output.suffix != ".npz":
        raise CommandError(f"-o {args.output}: expected a file named *.npz")
    wishes = read_wishes(args)
    runnable = open_with_wishes(args.file, args.params, args, wishes)
    wanted = matching(runnable.internals, args.dump)
    feeds = make_feeds(runnable, args, wishes)
    values = evaluate(runnable, feeds, wanted, args)
    if args.output is not None:
        write_npz(args.output, values)
    facts = [describe(name, value) for name, value in values.items()]
    emit(report(runnable, feeds, facts, args), args.format)
    outputs = set(runnable.outputs)
    return ExitCode.CHECK_FAILED if any(f["nan"] and f["name"] in outputs for f in facts) else ExitCode.OK


def matching(internals: Sequence[Internal], pattern: str | None) -> list[Internal]:
    """Those whose name or operator matches; none without a pattern.

    Raises
    ------
    CommandError : the pattern is no regular expression, or nothing matches.
    """
    if pattern is None:
        return []
    try:
        match = re.compile(pattern)
    except re.error as error:
        raise CommandError(f"--dump {pattern}: {error}") from error
    found = [i for i in internals if match.search(i.name) or match.search(i.operator)]
    if not found:
        raise CommandError(f"--dump {pattern}: no value inside the model has such a name or operator")
    return found


def evaluate(
    runnable: Runnable, feeds: Sequence[Feed], wanted: Sequence[Internal], args: argparse.Namespace
) -> dict[str, Array]:
    """The outputs, then the wanted internals that are not outputs, by name."""
    model = runnable.model(specs_of(feeds), wanted)
    session = open_session(runnable, model, settings_of(args))
    found = dict(zip(session.output_names, run_session(session, arrays_of(feeds), args.seed), strict=True))
    labels = [*runnable.outputs, *(internal.name for internal in wanted)]
    values: dict[str, Array] = {}
    for label, name in zip(labels, model.names, strict=True):
        if isinstance(found[name], np.ndarray):
            values.setdefault(label, found[name])
        elif label in runnable.outputs:
            raise CommandError(f"{runnable.path}: the output {label!r} is no tensor", ExitCode.UNSUPPORTED)
    return values


def describe(name: str, value: Array) -> dict[str, Any]:
    """Facts about a value; extremes and mean are those of its finite elements."""
    facts: dict[str, Any] = {"name": name, "dtype": value.dtype.name, "shape": value.shape}
    facts |= dict.fromkeys(("min", "max", "mean"))
    facts["nan"] = 0
    if value.dtype.kind in "fiubV" and value.dtype.names is None:
        numbers = value.astype(np.float64)
        finite = numbers[np.isfinite(numbers)]
        facts["nan"] = int(np.isnan(numbers).sum())
        if finite.size:
            facts |= {"min": float(finite.min()), "max": float(finite.max()), "mean": float(finite.mean())}
    return facts


def report(
    runnable: Runnable, feeds: Sequence[Feed], facts: Sequence[Mapping[str, Any]], args: argparse.Namespace
) -> Report:
    """Inputs and values as tables."""
    numbers = ("min", "max", "mean", "NaN")
    rows = [
        (
            f["name"],
            f["dtype"],
            shape_text(f["shape"]),
            *("" if f[k] is None else f"{f[k]:.6g}" for k in ("min", "max", "mean")),
            f["nan"] or "",
        )
        for f in facts
    ]
    data = {
        "file": str(runnable.path),
        "provider": args.provider,
        "inputs": inputs_data(feeds),
        "values": facts,
        "written": str(args.output) if args.output else None,
    }
    parts: list[Grid | Facts | str] = [
        *input_parts(runnable, feeds),
        Grid(("output", "dtype", "shape", *numbers), rows, numbers, [bool(f["nan"]) for f in facts]),
    ]
    if args.output is not None:
        parts.append(f"{len(facts)} arrays written to {args.output}")
    return Report(f"{runnable.path}, on {args.provider}", data, parts)


def write_npz(path: Path, values: Mapping[str, Array]) -> None:
    """Write arrays by name, whatever the names are; a failure leaves an existing file as it was."""
    from ..graph.exporters._files import replaced_file

    with replaced_file(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, value in values.items():
            if value.dtype.kind == "O":
                value = value.astype(str)  # strings; as objects they would be pickles
            elif value.dtype.kind == "V":
                value = value.astype(np.float32)  # bfloat16 and the like are not NumPy's own
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(value), allow_pickle=False)
