"""Running commands inside the tests, and the models that they run on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gluon_onnx.tools import cli

MODELS = Path(__file__).parents[1] / "data" / "models"
SMALL = MODELS / "small-symbol.json"
PARAMS = MODELS / "small-0000.params"
ONNX = MODELS / "small.onnx"
UNKNOWN = MODELS / "unknown-symbol.json"
MXNET = Path(__file__).parents[1] / "data" / "mxnet"


def answer(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 0) -> Any:
    """What a command prints as JSON."""
    assert cli.main([*map(str, argv), "--format", "json"]) == code
    return json.loads(capsys.readouterr().out)


def lines(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 0) -> list[str]:
    """What a command prints as text, blanks squeezed."""
    assert cli.main([*map(str, argv)]) == code
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def complaint(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 2) -> str:
    """What a command that ends with `code` says on standard error, without its name; it prints nothing else."""
    assert cli.main([*map(str, argv)]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    start = f"gluon-onnx {argv[0]}: "
    assert captured.err.startswith(start) and captured.err.count("\n") == 1
    return captured.err.removeprefix(start).strip()
