"""MXNet's public names are here, with its arguments; what is absent or different is listed, and truly so."""

from __future__ import annotations

import functools
import importlib
import inspect
import pathlib
from types import ModuleType
from typing import Any

import pytest

import gluon_onnx as mx
from tests.api_absent import ABSENT, OTHERWISE

LINES = (pathlib.Path(__file__).parent / "data" / "mxnet_api.txt").read_text(encoding="utf-8").splitlines()
NAMES = {line.partition("(")[0]: line for line in LINES}


@functools.cache
def found(path: str) -> Any:
    """What is called `path`; None where there is nothing."""
    value: Any = mx
    for part in path.split("."):
        if not hasattr(value, part):
            if not isinstance(value, ModuleType):
                return None
            try:
                importlib.import_module(f"{value.__name__}.{part}")
            except ImportError:
                return None
        value = getattr(value, part)
    return value


def _exists(path: str) -> bool:
    """Properties may have a value of None."""
    owner, _, name = path.rpartition(".")
    return found(path) is not None or (
        bool(owner) and found(owner) is not None and hasattr(found(owner), name)
    )


def covering(path: str, table: dict[str, str]) -> str | None:
    """The entry of a table that a name belongs to."""
    return next((entry for entry in table if path == entry or path.startswith(entry + ".")), None)


def difference(line: str) -> str:
    """How the arguments differ from MXNet's; "" where a call that is right there is right here."""
    path, _, rest = line.partition("(")
    wanted = [word.rstrip("=") for word in rest.rstrip(")").split() if not word.startswith("*")]
    wanted = [name for name in wanted if name != "self"]
    try:
        given = inspect.signature(found(path)).parameters.values()
    except (TypeError, ValueError):
        return ""
    kinds = {p.kind for p in given}
    names = [p.name for p in given if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name != "self"]
    lacking = [n for n in wanted if n not in names]
    if lacking and inspect.Parameter.VAR_KEYWORD not in kinds:
        return f"lacks {lacking}"
    positional = [n for n in names if n in wanted]
    if inspect.Parameter.VAR_POSITIONAL not in kinds and positional != [n for n in wanted if n in names]:
        return f"another order: {names}"
    return ""


PRESENT = [p for p in NAMES if covering(p, ABSENT) is None]


@pytest.mark.parametrize("path", PRESENT)
def test_present(path: str) -> None:
    """The name is there, and takes MXNet's arguments by name and by position."""
    assert _exists(path)
    if path not in OTHERWISE:
        assert difference(NAMES[path]) == ""


@pytest.mark.parametrize("entry", ABSENT)
def test_absent(entry: str) -> None:
    """What is listed as absent is a name of MXNet's, and nothing of it is there."""
    names = [p for p in NAMES if covering(p, {entry: ""})]
    assert names
    assert [p for p in names if _exists(p)] == []


@pytest.mark.parametrize("path", OTHERWISE)
def test_otherwise(path: str) -> None:
    """What is listed as different is there and is."""
    assert path in PRESENT
    assert _exists(path)
    assert difference(NAMES[path]) != ""
