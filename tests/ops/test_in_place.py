"""Operators that MXNet runs in place only."""

from __future__ import annotations

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx.ndarray import _internal


def test_reset_arrays() -> None:
    """Every array is filled with zeros."""
    arrays = [mx.nd.ones((3,)), mx.nd.ones((2, 2), dtype="int32")]
    mx.nd.reset_arrays(*arrays, num_arrays=2)
    for a in arrays:
        assert not a.asnumpy().any()


@pytest.mark.parametrize(
    ("indices", "values", "key"),
    [
        ([[0, 2, 1], [1, 3, 0]], [5, 6, 7], ([0, 2, 1], [1, 3, 0])),
        ([[2, 0]], [[1, 2, 3, 4], [5, 6, 7, 8]], ([2, 0],)),
    ],
    ids=["points", "rows"],
)
def test_scatter_set_nd(indices: list[list[int]], values: list[float], key: tuple[list[int], ...]) -> None:
    """The places indexed get the values, the others keep theirs."""
    expected = np.arange(12, dtype=np.float32).reshape(3, 4)
    x = mx.nd.array(expected)
    expected[key] = values
    _internal._scatter_set_nd(x, mx.nd.array(values), mx.nd.array(indices), shape=(3, 4), out=x)
    np.testing.assert_array_equal(x.asnumpy(), expected)
