"""A little fuzzing with every test run, always on the same files; make fuzz does more."""

from __future__ import annotations

import pathlib

import pytest
from hypothesis import HealthCheck, given, settings

from .damage import FORMATS
from .seeds import MODELS
from .targets import TARGETS, run


@pytest.mark.parametrize("name", list(FORMATS))
def test_damaged_files_are_read_or_refused(name: str) -> None:
    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(FORMATS[name])
    def one(content: bytes) -> None:
        run(name, content)

    one()


@pytest.mark.parametrize("number", range(len(MODELS)))
def test_undamaged_models_are_read(number: int, tmp_path: pathlib.Path) -> None:
    file, target = TARGETS["onnx"]
    path = tmp_path / file
    path.write_bytes(MODELS[number].SerializeToString())
    target(str(path))
