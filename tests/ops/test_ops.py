"""Every row of the operator tables against the values that MXNet 1.9.1 gave.

A row is run imperatively, through a bound symbol, through a hybridized block, and as plain ONNX files (values and
gradients) by ONNX Runtime alone.
"""

from __future__ import annotations

import functools
import pathlib
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import gluon_onnx as mx
from gluon_onnx.graph.autodiff.engine import joint
from gluon_onnx.graph.lower import lower_operator
from gluon_onnx.graph.ops import find
from gluon_onnx.graph.program import Program
from tests.golden import store
from tests.ops import runner
from tests.ops.cases import FAMILIES, Case, all_cases
from tests.ops.compare import compare
from tests.ops.unsupported import UNSUPPORTED

_read = functools.cache(store.read)


def _rows(**wanted: bool) -> list[Any]:
    """(family, row, dtype) of all rows of supported operators; ``wanted`` are properties the row must have or lack."""
    found = []
    for family in FAMILIES:
        for row in all_cases(family):
            has = {
                "imperative": row.oracle != "symbol",
                "symbol": not row.eager_only,
                "inputs": bool(row.inputs),
                "states": bool(row.state_inputs()),
            }
            if row.op not in UNSUPPORTED and all(has[k] == v for k, v in wanted.items()):
                found += [
                    pytest.param(family, row, dtype, id=f"{family}-{row.id}-{dtype}") for dtype in row.dtypes
                ]
    return found


def _golden(family: str, row: Case, dtype: str) -> dict[str, np.ndarray]:
    values, fingerprints = _read(family)
    assert fingerprints.get(row.id) == row.fingerprint(), (
        "the row has changed since its golden values were made"
    )
    return store.of_row(values, row.id, dtype)


@pytest.mark.parametrize(("family", "row", "dtype"), _rows(imperative=True))
def test_eager(family: str, row: Case, dtype: str) -> None:
    """Outputs, gradients through autograd, and updated states of an imperative call."""
    compare(row, runner.run_eager(mx, row, dtype), _golden(family, row, dtype))


@pytest.mark.parametrize(("family", "row", "dtype"), _rows(symbol=True))
def test_symbol(family: str, row: Case, dtype: str) -> None:
    """The same through ``Symbol.bind``; gradients in training mode only, as in MXNet."""
    golden = _golden(family, row, dtype)
    if not row.train:
        golden = {k: v for k, v in golden.items() if not k.startswith("grad")}
    compare(row, runner.run_symbol(mx, row, dtype), golden)


@pytest.mark.parametrize(("family", "row", "dtype"), _rows(symbol=True, inputs=True, states=False))
def test_hybridized(family: str, row: Case, dtype: str) -> None:
    """The same through a hybridized block."""
    compare(row, runner.run_hybridized(mx, row, dtype), _golden(family, row, dtype))


def _run_file(program: Program, path: pathlib.Path, feeds: list[np.ndarray]) -> list[Any]:
    """Write a program as an ONNX file, check it, and run it with nothing but ONNX Runtime."""
    onnx.save(program.model, path)
    onnx.checker.check_model(path, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    results: list[Any] = session.run(None, dict(zip(program.input_names, feeds, strict=True)))
    return results


@pytest.mark.parametrize(("family", "row", "dtype"), _rows())
def test_exported(family: str, row: Case, dtype: str, tmp_path: pathlib.Path) -> None:
    """The operator and its gradient as ONNX files, run by bare ONNX Runtime."""
    op = find(row.op)
    arrays = row.arrays(dtype)
    attrs = op.parse({op.num_args: len(arrays), **row.attrs} if op.num_args else row.attrs)
    program = lower_operator(op, attrs, [(a.dtype, a.shape) for a in arrays], train=row.train)
    results = _run_file(program, tmp_path / "forward.onnx", arrays)
    count = op.visible(attrs)
    found = {f"out{i}": value for i, value in enumerate(results[:count])}
    states = dict.fromkeys(row.state_inputs())
    updated = {index: results[output] for output, index in program.updates}
    assert set(updated) <= set(states)
    found.update({f"state{i}": updated.get(i, arrays[i]) for i in states})
    wanted = row.grad_inputs(dtype)
    if wanted:
        heads = [i for i in range(count) if results[i].dtype.kind == "f"]
        gradient = joint(program, wanted, heads)
        feeds = [*arrays, *(row.head(i, results[i].shape, results[i].dtype.name) for i in heads)]
        grads = _run_file(gradient, tmp_path / "gradient.onnx", feeds)
        found.update({f"grad{i}": value for i, value in zip(wanted, grads, strict=True)})
    compare(row, found, _golden(family, row, dtype))
