"""``gluon-onnx weights``: shape and statistics of every stored array."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from .model_file import Parameter, add_model_arguments, compiled, open_model
from .outcome import CommandError, ExitCode
from .tables import Grid, Report, count_text, counted, emit, shape_text

__all__ = ["Statistics", "add_arguments", "in_double", "run", "statistics"]


@dataclass(frozen=True)
class Statistics:
    """Facts about an array; extremes and moments are those of its finite elements, None if it has none.

    Attributes
    ----------
    zeros, nan, inf : how many elements are zero, NaN, infinite.
    farthest : distance of the element that is farthest from the mean, in standard deviations.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    zeros: int
    nan: int
    inf: int
    farthest: float | None

    @property
    def not_finite(self) -> int:
        """How many elements are NaN or infinite."""
        return self.nan + self.inf


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser)
    parser.add_argument("--match", default="", metavar="REGEX", help="only arrays whose name matches")
    parser.add_argument(
        "--outliers",
        type=float,
        default=10.0,
        metavar="N",
        help="mark arrays with an element farther than N standard deviations from their mean (default: 10)",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Print the table; a check has failed if an array holds NaN or infinity."""
    match = compiled("--match", args.match)
    if not args.outliers > 0:
        raise CommandError(f"--outliers {args.outliers}: expected a positive number")
    model = open_model(args)
    rows = [statistics(p) for p in model.parameters.values() if match.search(p.name)]
    notes = [remark(row, args.outliers) for row in rows]
    data = [
        {**asdict(row), "not_finite": row.not_finite, "remark": note}
        for row, note in zip(rows, notes, strict=True)
    ]
    numbers = ("min", "max", "mean", "std", "zeros")
    cells = [
        (
            row.name,
            row.dtype,
            shape_text(row.shape),
            *("" if x is None else f"{x:.4g}" for x in (row.min, row.max, row.mean, row.std)),
            row.zeros,
            note,
        )
        for row, note in zip(rows, notes, strict=True)
    ]
    grid = Grid(
        ("name", "dtype", "shape", *numbers, "remark"), cells, numbers, [row.not_finite > 0 for row in rows]
    )
    bad = sum(row.not_finite > 0 for row in rows)
    total = (
        f"{counted(len(rows), 'array')}, {count_text(sum(math.prod(row.shape) for row in rows))} elements"
        + (f", {bad} with NaN or infinity" if bad else "")
    )
    title = f"Weights of {model.params_path or model.path}" if args.format == "html" else ""
    emit(Report(title, data, [grid, total]), args.format)
    return ExitCode.CHECK_FAILED if bad else ExitCode.OK


def remark(row: Statistics, limit: float) -> str:
    """What is remarkable about an array, in words; empty if nothing is."""
    said = [f"{count} {what}" for count, what in ((row.nan, "NaN"), (row.inf, "infinite")) if count]
    if row.min is not None and row.min == row.max and math.prod(row.shape) - row.not_finite > 1:
        said.append("all zero" if row.min == 0 else "constant")
    if row.farthest is not None and row.farthest > limit:
        said.append(f"outlier at {row.farthest:.0f} sigma")
    return ", ".join(said)


def statistics(parameter: Parameter) -> Statistics:
    """Look at the elements of one array, some at a time."""
    total = Moments()
    for values in parameter.chunks():
        total.add(values)
    spread = total.std
    farthest = None
    if total.count and spread:
        farthest = max(total.high - total.mean, total.mean - total.low) / spread
    known = total.count > 0
    return Statistics(
        parameter.name,
        parameter.dtype,
        parameter.shape,
        total.low if known else None,
        total.high if known else None,
        total.mean if known else None,
        spread if known else None,
        total.zeros,
        total.nan,
        total.inf,
        farthest,
    )


def in_double(values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """The elements in double precision, as a copy; NaN of any kind without a warning."""
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)


class Moments:
    """Running statistics in double precision: those of parts are merged by the rule of Chan, Golub and LeVeque."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self.squares = 0.0  # of the distances from the mean
        self.low, self.high = math.inf, -math.inf
        self.zeros = self.nan = self.inf = 0

    @property
    def std(self) -> float:
        """Standard deviation of the whole."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    def add(self, values: npt.NDArray[np.generic]) -> None:
        """Take in a vector."""
        if values.dtype.kind not in "fiubV":
            return  # strings and complex numbers have no order
        self.zeros += values.size - int(np.count_nonzero(values))
        numbers = in_double(values)
        with np.errstate(invalid="ignore", over="ignore"):
            mean = float(numbers.mean()) if numbers.size else 0.0
        if not math.isfinite(mean):
            nan, finite = int(np.isnan(numbers).sum()), np.isfinite(numbers)
            self.nan += nan
            self.inf += int(numbers.size - finite.sum()) - nan
            numbers = numbers[finite]
            mean = float(numbers.mean()) if numbers.size else 0.0
        if not numbers.size:
            return
        self.low = min(self.low, float(numbers.min()))
        self.high = max(self.high, float(numbers.max()))
        numbers -= mean
        squares = float(np.dot(numbers, numbers))
        count = self.count + numbers.size
        apart = mean - self.mean
        self.squares += squares + apart * apart * self.count * numbers.size / count
        self.mean += apart * numbers.size / count
        self.count = count
