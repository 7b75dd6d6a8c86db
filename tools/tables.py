"""Output of commands: tables for people, JSON for programs, pages for browsers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Facts",
    "Grid",
    "Report",
    "add_format_argument",
    "count_text",
    "counted",
    "emit",
    "open_console",
    "print_json",
    "print_table",
    "shape_text",
    "size_text",
]


@dataclass(frozen=True)
class Grid:
    """Rows under headers: the columns named in `numeric` to the right, the rows `marked` in red."""

    headers: Sequence[str]
    rows: Sequence[Sequence[object]]
    numeric: Sequence[str] = ()
    marked: Sequence[bool] = ()
    title: str = ""


@dataclass(frozen=True)
class Facts:
    """Names with values."""

    rows: Sequence[tuple[str, object]]
    title: str = ""


@dataclass
class Report:
    """What a command found, for every form of output.

    Attributes
    ----------
    title : the first line of a text, and the heading of a page.
    data : what ``--format json`` prints.
    parts : what the other forms show; a string is a paragraph.
    """

    title: str
    data: Mapping[str, Any] | Sequence[Any]
    parts: list[Grid | Facts | str] = field(default_factory=list)


def add_format_argument(parser: argparse.ArgumentParser, html: bool = True) -> None:
    """Declare ``--format``."""
    forms = ("text", "json", "html") if html else ("text", "json")
    page = "; html is a page of its own that needs nothing else" if html else ""
    parser.add_argument("--format", choices=forms, default="text", help=f"form of the output{page}")


def emit(report: Report, form: str) -> None:
    """Print a report as ``text``, ``json`` or ``html``."""
    if form == "json":
        print_json(report.data)
    elif form == "html":
        from .web_page import page

        print(page(report.title, report.parts))
    else:
        _print_text(report)


def _print_text(report: Report) -> None:
    from rich.text import Text

    console = open_console()
    if report.title:
        console.print(Text(report.title, style="bold"))
    for number, part in enumerate(report.parts):
        if number and not isinstance(part, str):
            console.print()
        if isinstance(part, str):
            console.print(Text(part))
            continue
        if part.title:
            console.print(Text(part.title, style="bold"))
        if isinstance(part, Grid):
            print_table(part.headers, part.rows, part.numeric, part.marked)
        else:
            _print_facts(part)


def _print_facts(facts: Facts) -> None:
    from rich.table import Table
    from rich.text import Text

    console = open_console()
    if not console.is_terminal:
        width = max((len(name) for name, _ in facts.rows), default=0)
        for name, value in facts.rows:
            print(f"{name.ljust(width)}  {value}".rstrip())
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in facts.rows:
        table.add_row(Text(name), Text(str(value)))
    console.print(table)


def open_console() -> Console:
    """Standard output; a pipe has no width, so lines stay whole there."""
    from rich.console import Console

    console = Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = 10_000
    return console


def print_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    numeric: Sequence[str] = (),
    marked: Sequence[bool] = (),
) -> None:
    """Print rows under headers, the columns named in `numeric` to the right, the rows `marked` in red."""
    console = open_console()
    if not console.is_terminal:
        _print_plain(headers, rows, numeric)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, justify="right" if header in numeric else "left", overflow="fold")
    for row, red in zip(rows, marked or [False] * len(rows), strict=True):
        table.add_row(*(Text(str(cell)) for cell in row), style="bold red" if red else None)
    console.print(table)


def _print_plain(headers: Sequence[str], rows: Sequence[Sequence[object]], numeric: Sequence[str]) -> None:
    """Aligned columns without colours, two blanks between them and none at the end."""
    lines = [list(headers), *([" ".join(str(cell).split("\n")) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = [header in numeric for header in headers]
    for line in lines:
        cells = (
            cell.rjust(width) if r else cell.ljust(width)
            for cell, width, r in zip(line, widths, right, strict=True)
        )
        print("  ".join(cells).rstrip())


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print a value as JSON; NaN and infinities, which JSON lacks, become strings."""
    print(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return value


def shape_text(shape: Sequence[object] | None) -> str:
    """A shape as ``(batch, 3, ?)``; ``?`` for an unknown rank."""
    if shape is None:
        return "?"
    return f"({', '.join('?' if dim is None else str(dim) for dim in shape)})"


def size_text(count: int) -> str:
    """A number of bytes with its unit."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def counted(count: int, noun: str) -> str:
    """``1 node``, ``2 nodes``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def count_text(count: int | None) -> str:
    """A large number in three or four digits: ``3.86 G``; ``?`` where it is unknown."""
    if count is None:
        return "?"
    size = float(count)
    for unit in ("", " k", " M", " G"):
        if size < 999.5:
            return f"{count}" if not unit else f"{size:.3g}{unit}"
        size /= 1000
    return f"{size:.4g} T"
