"""What MXNet answers in frontend.json, which make_frontend.py writes."""

from __future__ import annotations

import functools
import json
import pathlib
from typing import Any


@functools.cache
def load() -> dict[str, Any]:
    """Return all entries by topic."""
    found: dict[str, Any] = json.loads(pathlib.Path(__file__).with_name("frontend.json").read_text())
    return found


def label(row: dict[str, Any]) -> str:
    """Return a test's name made of an entry's arguments."""
    words = [row["name"], *row.get("args", []), *(f"{k}={v}" for k, v in row["kwargs"].items())]
    return " ".join(map(str, [*words, row["variable"]] if "variable" in row else words))
