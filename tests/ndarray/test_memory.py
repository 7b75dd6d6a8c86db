"""Results take the place of an array's memory only where nobody would notice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gluon_onnx import autograd, nd


def _by_update(w: nd.NDArray) -> None:
    nd.sgd_update(w, nd.ones(w.shape), lr=1, out=w)


def _by_operator(w: nd.NDArray) -> None:
    nd.broadcast_sub(w, nd.ones(w.shape), out=w)


def _by_expression(w: nd.NDArray) -> None:
    w -= 1


@pytest.mark.parametrize("write", [_by_update, _by_operator, _by_expression])
def test_views_see_what_is_written(write: Callable[[nd.NDArray], None]) -> None:
    w = nd.array([[3.0, 4.0], [5.0, 6.0]])
    row, flat, same = w[1], w.reshape((-1,)), w.detach()
    write(w)
    for seen in (w, flat.reshape((2, 2)), same):
        np.testing.assert_array_equal(seen.asnumpy(), [[2, 3], [4, 5]])
    np.testing.assert_array_equal(row.asnumpy(), [4, 5])


@pytest.mark.parametrize("write", [_by_update, _by_operator, _by_expression])
def test_shared_memory_stays_shared(write: Callable[[nd.NDArray], None]) -> None:
    memory = np.array([3.0, 4.0], np.float32)
    w = nd.from_numpy(memory)
    write(w)
    np.testing.assert_array_equal(memory, [2, 3])


def test_views_of_a_gradient_see_the_next_one() -> None:
    x = nd.array([1.0, 2.0])
    x.attach_grad()
    assert x.grad is not None
    buffer, first = x.grad, x.grad[0:1]
    with autograd.record():
        y = x * x
    y.backward()
    assert x.grad is buffer
    np.testing.assert_array_equal(first.asnumpy(), [2])
    np.testing.assert_array_equal(buffer.asnumpy(), [2, 4])


@pytest.mark.parametrize("given", [False, True])
def test_gradients_that_are_equal_are_not_the_same_memory(given: bool) -> None:
    a, b, c = nd.array([1.0, 2.0]), nd.array([3.0, 4.0]), nd.array([5.0, 6.0])
    for x in (a, b, c):
        x.attach_grad()
    with autograd.record():
        y = a + b + c
    head = nd.array([1.0, 1.0])
    y.backward(head if given else None)
    a.grad[:] = 7
    head[:] = 8
    for x in (b, c):
        np.testing.assert_array_equal(x.grad.asnumpy(), [1, 1])


def test_a_gradient_that_a_function_returns_stays_the_functions() -> None:
    kept = nd.array([1.0, 2.0])

    class Constant(autograd.Function):
        def forward(self, x: nd.NDArray) -> nd.NDArray:
            return x * 1

        def backward(self, dy: nd.NDArray) -> nd.NDArray:
            return kept

    x = nd.array([0.0, 0.0])
    x.attach_grad()
    with autograd.record():
        y = Constant()(x)
    y.backward()
    x.grad[:] = 9
    np.testing.assert_array_equal(kept.asnumpy(), [1, 2])
    np.testing.assert_array_equal(x.grad.asnumpy(), [9, 9])


def test_a_recorded_result_is_kept_from_later_writes() -> None:
    """What a backward pass has saved does not change when the array that it was written into does."""
    x, y = nd.array([1.0, 2.0]), nd.zeros((2,))
    x.attach_grad()
    with autograd.record():
        nd.exp(x, out=y)
        z = y * 1
    expected = np.exp([1, 2])
    y[:] = 0
    z.backward()
    np.testing.assert_allclose(x.grad.asnumpy(), expected, rtol=1e-6)


def test_many_gradients_that_functions_return_stay_the_functions() -> None:
    """Who owns a gradient does not depend on where Python puts short-lived objects."""
    kept: list[nd.NDArray] = []

    class Kept(autograd.Function):
        def forward(self, x: nd.NDArray) -> nd.NDArray:
            return x * 1

        def backward(self, dy: nd.NDArray) -> nd.NDArray:
            kept.append(dy * 2)
            return kept[-1]

    variables = [nd.array([float(i)]) for i in range(40)]
    for x in variables:
        x.attach_grad()
    with autograd.record():
        total = nd.zeros((1,))
        for x in variables:
            total = total * 1 + Kept()(x)
    total.backward()
    for x in variables:
        x.grad[:] = 9
    assert [k.asscalar() for k in kept] == [2] * 40
