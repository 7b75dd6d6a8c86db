"""Output of commands: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["open_console", "print_json", "print_table", "shape_text", "size_text"]


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
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, justify="right" if header in numeric else "left", overflow="fold")
    for row, red in zip(rows, marked or [False] * len(rows), strict=True):
        table.add_row(*(Text(str(cell)) for cell in row), style="bold red" if red else None)
    open_console().print(table)


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
