"""Training with modules against real MXNet: parameters, outputs, gradients, metrics."""

from __future__ import annotations

import numpy as np
import pytest

import gluon_onnx as mx
from tests.golden import store
from tests.module import rows


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    """MXNet's answers by the program's and the array's name."""
    return store.read("module")[0]


@pytest.mark.parametrize("name", rows.PROGRAMS)
def test_program(name: str, golden: dict[str, np.ndarray]) -> None:
    found = rows.PROGRAMS[name](mx)
    expected = {k.partition("|")[2]: v for k, v in golden.items() if k.startswith(f"{name}|")}
    assert sorted(found) == sorted(expected)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, 1e-4, 1e-5, err_msg=key)
