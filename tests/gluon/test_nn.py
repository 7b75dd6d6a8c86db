"""Layers: names, texts and numbers are MXNet's; errors are clear."""

from __future__ import annotations

import json

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import gluon
from tests.gluon import rows
from tests.golden import store

GOLDEN = json.loads((store.HERE / "gluon.json").read_text(encoding="utf-8"))
NUMBERS, _ = store.read("gluon")
ERRORS: dict[str, type[Exception]] = {
    "AssertionError": AssertionError,
    "DeferredInitializationError": gluon.DeferredInitializationError,
    "MXNetError": mx.MXNetError,
    "NotImplementedError": NotImplementedError,
    "RuntimeError": RuntimeError,
    "TypeError": TypeError,
    "ValueError": ValueError,
}
TABLE = rows.LAYERS + rows.LOSSES


def ids(row: rows.Row) -> str:
    return row.id


@pytest.mark.parametrize("row", rows.LAYERS, ids=ids)
def test_names_and_texts(row: rows.Row) -> None:
    assert rows.describe(mx, row) == GOLDEN["rows"][row.id]


@pytest.mark.parametrize("row", rows.LOSSES, ids=ids)
def test_losses_name_themselves(row: rows.Row) -> None:
    told, expected = rows.describe(mx, row), GOLDEN["rows"][row.id]
    assert (told["repr"], told["name"], told["prefix"]) == (expected["repr"], expected["name"], expected["prefix"])


@pytest.mark.parametrize("hybridize", [False, True], ids=["eager", "hybridized"])
@pytest.mark.parametrize("row", TABLE, ids=ids)
def test_numbers(row: rows.Row, hybridize: bool) -> None:
    found = rows.compute(mx, row, hybridize)
    expected = {k.partition("|")[2]: v for k, v in NUMBERS.items() if k.startswith(row.id + "|")}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", rows.ERRORS)
def test_errors(name: str) -> None:
    error = rows.raised(rows.ERRORS[name], mx)
    assert isinstance(error, ERRORS[GOLDEN["errors"][name]])
    assert str(error)
