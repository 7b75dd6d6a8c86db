"""Equal computations of a symbol are merged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import nd, sym

A, B = sym.var("a"), sym.var("b")


def operators(symbol: Any) -> int:
    return sum(node.op is not None for node in symbol.nodes())


@pytest.mark.parametrize(
    ("make", "before", "after"),
    [
        (lambda: (A + 1) + (A + 2), 3, 3),
        (lambda: (A + B) + (A + B), 3, 2),
        (lambda: ((A + B) * A) + ((A + B) * A), 5, 3),
        (lambda: (A + B) + (B + A), 3, 3),  # not proven equal
        (lambda: sym.split(A, num_outputs=2)[0] + sym.split(A, num_outputs=2)[1], 3, 2),
        (lambda: sym.sum(A, axis=1) + sym.sum(A, axis=(1,)), 3, 2),  # equal parameters, written differently
        (lambda: sym.Group([A * B, A * B]), 2, 2),  # one becomes a copy of the other
        (lambda: sym.Group([A * B + 1, A * B + 1]), 4, 3),
        (lambda: sym.Dropout(A) + sym.Dropout(A), 3, 3),
        (lambda: sym.BatchNorm(A, name="x")[0] + sym.BatchNorm(A, name="y")[0], 3, 3),
    ],
)
def test_merging(make: Callable[[], Any], before: int, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    symbol = make()
    assert operators(symbol) == before
    shapes = {n: (2, 4) for n in ("a", "b") if n in symbol.list_arguments()}
    executor = symbol.simple_bind(mx.cpu(), **shapes)
    merged = executor.get_optimized_symbol()
    assert operators(merged) == after
    assert merged.list_inputs() == symbol.list_inputs()
    assert operators(symbol) == before
    values = {n: nd.array(np.random.RandomState(0).rand(*x.shape)) for n, x in executor.arg_dict.items()}
    aux = {n: nd.ones(x.shape) for n, x in executor.aux_dict.items()}
    results = [s.bind(mx.cpu(), values, aux_states=aux).forward() for s in (symbol, merged)]
    for x, y in zip(*results, strict=True):
        np.testing.assert_array_equal(x.asnumpy(), y.asnumpy())
    monkeypatch.setenv("MXNET_ELIMINATE_COMMON_EXPR", "0")
    executor = symbol.simple_bind(mx.cpu(), **shapes)
    assert operators(executor.get_optimized_symbol()) == before
