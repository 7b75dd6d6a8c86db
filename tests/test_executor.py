"""Executors: symbols bound to arrays."""

from __future__ import annotations

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import nd


@pytest.mark.parametrize("is_train", [True, False])
def test_backward_follows_any_forward(is_train: bool) -> None:
    """MXNet computes gradients after ``forward(is_train=False)``, too."""
    product = mx.sym.var("a") * mx.sym.var("b")
    a, b = nd.array([1.0, 2.0]), nd.array([3.0, 4.0])
    grads = [nd.zeros(2), nd.zeros(2)]
    executor = product.bind(mx.cpu(), args=[a, b], args_grad=grads)
    (output,) = executor.forward(is_train=is_train)
    executor.backward([nd.array([1.0, 10.0])])
    np.testing.assert_array_equal(output.asnumpy(), [3, 8])
    np.testing.assert_array_equal([g.asnumpy() for g in grads], [[3, 40], [1, 20]])


def test_simple_bind_passes_over_what_is_no_shape() -> None:
    """As in MXNet: ``force_rebind`` is an option of its version 2 that programs for both hand on."""
    symbol = mx.sym.Variable("x") * 2
    executor = symbol.simple_bind(mx.cpu(), x=(2, 3), force_rebind=True)
    assert executor.forward()[0].shape == (2, 3)
