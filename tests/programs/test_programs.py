"""The programs give what MXNet gives."""

from __future__ import annotations

import functools
import importlib
import json
import math
import pathlib
from typing import Any

import pytest

import gluon_onnx as mx
from tests.programs.describe import run

SUBJECTS = ("ndarray", "symbol", "gluon", "tape")
GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "programs.json"
RTOL = 1e-6  # a few units in the last place of float32


@functools.cache
def golden() -> dict[str, dict[str, Any]]:
    """What MXNet answers, by subject and program."""
    found: dict[str, dict[str, Any]] = json.loads(GOLDEN.read_text())
    return found


def _rows() -> list[Any]:
    return [
        pytest.param(subject, row, id=f"{subject}-{row}")
        for subject in SUBJECTS
        for row in importlib.import_module(f"tests.programs.{subject}").rows()
    ]


def same(got: Any, expected: Any) -> bool:
    """Whether two descriptions agree: floats within RTOL, and what catches an error of MXNet catches ours."""
    if isinstance(got, float) and isinstance(expected, float):
        return (
            (math.isnan(got) and math.isnan(expected))
            or got == expected
            or math.isclose(got, expected, rel_tol=RTOL)
        )
    if isinstance(got, dict) and isinstance(expected, dict):
        if "raises" in got and "raises" in expected:
            return expected["raises"][0] in got["raises"]
        return got.keys() == expected.keys() and all(same(got[k], expected[k]) for k in got)
    if isinstance(got, list) and isinstance(expected, list):
        return len(got) == len(expected) and all(map(same, got, expected))
    return type(got) is type(expected) and got == expected


@pytest.mark.parametrize(("subject", "program"), _rows())
def test_program(subject: str, program: str) -> None:
    """Values, types, shapes, texts and kinds of errors."""
    module = importlib.import_module(f"tests.programs.{subject}")
    expected = module.DIFFERENT[program] if program in module.DIFFERENT else golden()[subject][program]
    assert same(run(program, mx, module.START), expected)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_differences_are_real(subject: str) -> None:
    """What is listed as different is a program, and MXNet answers otherwise."""
    module = importlib.import_module(f"tests.programs.{subject}")
    programs = module.rows()
    assert len(programs) == len(set(programs))
    alike = [p for p, answer in module.DIFFERENT.items() if same(answer, golden()[subject].get(p, "nothing"))]
    assert not alike
    assert set(module.DIFFERENT) <= set(programs)
