"""``gluon-onnx weights``: shape and statistics of every stored array."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass

import numpy as np

from .model_file import Parameter, add_model_arguments, open_model
from .outcome import ExitCode
from .tables import print_json, print_table, shape_text

__all__ = ["Statistics", "add_arguments", "run", "statistics"]


@dataclass(frozen=True)
class Statistics:
    """Facts about an array; extremes and moments are those of its finite elements, None if it has none."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    zeros: int
    not_finite: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Print the table; a check has failed if an array holds NaN or infinity."""
    rows = [statistics(parameter) for parameter in open_model(args).parameters.values()]
    if args.format == "json":
        print_json([asdict(row) for row in rows])
    else:
        numbers = ("min", "max", "mean", "std", "zeros", "not finite")
        print_table(
            ("name", "dtype", "shape", *numbers),
            [
                (
                    row.name,
                    row.dtype,
                    shape_text(row.shape),
                    *("" if x is None else f"{x:.4g}" for x in (row.min, row.max, row.mean, row.std)),
                    row.zeros,
                    row.not_finite or "",
                )
                for row in rows
            ],
            numeric=numbers,
            marked=[row.not_finite > 0 for row in rows],
        )
    return ExitCode.CHECK_FAILED if any(row.not_finite for row in rows) else ExitCode.OK


def statistics(parameter: Parameter) -> Statistics:
    """Look at the elements of one array."""
    values = parameter.load()
    numbers = values.astype(np.float64).ravel()
    finite = numbers[np.isfinite(numbers)]
    low, high, mean, std = (
        (float(finite.min()), float(finite.max()), float(finite.mean()), float(finite.std()))
        if finite.size
        else (None,) * 4
    )
    return Statistics(
        parameter.name,
        parameter.dtype,
        parameter.shape,
        low,
        high,
        mean,
        std,
        zeros=int((numbers == 0).sum()),
        not_finite=int(numbers.size - finite.size),
    )
