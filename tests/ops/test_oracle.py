"""The operator tables with other random inputs, against MXNet itself.

Runs where ``MXNET_PYTHON`` names an interpreter with ``mxnet==1.9.1``; each salt gives every row new inputs.
"""

from __future__ import annotations

import functools
import os
import pathlib
import subprocess
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from tests.golden import store
from tests.ops import runner
from tests.ops.cases import FAMILIES, Case, all_cases
from tests.ops.compare import compare
from tests.ops.unsupported import UNSUPPORTED

#: None without MXNet: thousands of rows that can only be skipped.
_SALTS = ("1", "2", "3") if os.environ.get("MXNET_PYTHON") else ()


@functools.cache
def _made(salt: str, folder: pathlib.Path) -> dict[str, store.Golden]:
    """What MXNet answers to all rows with this salt."""
    make = pathlib.Path(__file__).parents[1] / "golden" / "make.py"
    subprocess.run([os.environ["MXNET_PYTHON"], make, "--salt", salt, "--folder", folder], check=True)
    return {family: store.read(family, folder)[0] for family in FAMILIES}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where the values of this session lie."""
    return tmp_path_factory.mktemp("oracle")


def _rows() -> list[Any]:
    return [
        pytest.param(salt, family, row, dtype, id=f"{salt}-{family}-{row.id}-{dtype}")
        for salt in _SALTS
        for family in FAMILIES
        for row in all_cases(family, salt)
        if row.op not in UNSUPPORTED and row.oracle != "symbol"
        for dtype in row.dtypes
    ]


@pytest.mark.oracle
@pytest.mark.parametrize(("salt", "family", "row", "dtype"), _rows())
def test_live(salt: str, family: str, row: Case, dtype: str, folder: pathlib.Path) -> None:
    """Outputs, gradients and states of an imperative call equal MXNet's."""
    golden: dict[str, np.ndarray] = store.of_row(_made(salt, folder)[family], row.id, dtype)
    compare(row, runner.run_eager(mx, row, dtype), golden)
