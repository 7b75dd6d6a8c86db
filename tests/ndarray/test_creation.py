"""Making arrays, and functions that are no operators."""

from __future__ import annotations

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import nd


def test_from_numpy_shares_locked_memory() -> None:
    """The first call makes the NumPy array read-only; the second still shares its memory, as in MXNet."""
    a = np.zeros(2, "float32")
    x, y = nd.from_numpy(a), nd.from_numpy(a)
    x[0], y[1] = 1, 2
    assert (a.tolist(), a.flags.writeable) == ([1, 2], False)
    assert x.asnumpy().tolist() == y.asnumpy().tolist() == [1, 2]


def test_from_numpy_copies_what_it_must_not_write() -> None:
    """Memory that belongs to someone else, and is read-only there."""
    a = np.frombuffer(b"\0\0\0\0", "float32")
    x = nd.from_numpy(a)
    x[:] = 1
    assert a.tolist() == [0]


@pytest.mark.parametrize(("source", "destination"), [([0, 0], [1, 0]), ([0, 1], [1, 1]), ([0, -2], [0, 1])])
def test_moveaxis_moves_each_axis_once(source: list[int], destination: list[int]) -> None:
    with pytest.raises(ValueError, match="repeated axis"):
        nd.moveaxis(nd.ones((2, 3)), source, destination)


@pytest.mark.parametrize("symbolic", [False, True])
def test_rand_zipfian(symbolic: bool) -> None:
    """Candidates and expected counts by the formula of the distribution."""
    true = nd.array([[0, 3], [9, 1]])
    mx.random.seed(5)
    if symbolic:
        outputs = mx.sym.contrib.rand_zipfian(mx.sym.var("true"), 4000, 10)
        sampled, expected_true, expected_sampled = mx.sym.Group(outputs).eval(true=true)
    else:
        sampled, expected_true, expected_sampled = nd.contrib.rand_zipfian(true, 4000, 10)
    probabilities = np.log((np.arange(10) + 2) / (np.arange(10) + 1)) / np.log(11)
    k = sampled.asnumpy()
    assert (k.dtype, k.shape, k.min() >= 0, k.max() < 10) == (np.int64, (4000,), True, True)
    np.testing.assert_allclose(expected_true.asnumpy(), 4000 * probabilities[[[0, 3], [9, 1]]])
    np.testing.assert_allclose(expected_sampled.asnumpy(), 4000 * probabilities[k])
    spread = np.sqrt(4000 * probabilities * (1 - probabilities))
    assert (abs(np.bincount(k, minlength=10) - 4000 * probabilities) < 5 * spread).all()


def test_symbols_tell_infinite_values() -> None:
    x = mx.sym.var("x")
    contrib = mx.sym.contrib
    group = mx.sym.Group([contrib.isnan(x), contrib.isinf(x), contrib.isfinite(x)])
    found = group.eval(x=nd.array([np.nan, np.inf, -np.inf, 1]))
    assert [y.asnumpy().tolist() for y in found] == [[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]
