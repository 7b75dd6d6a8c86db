"""Gradients of integer arrays; the expected values are real MXNet's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gluon_onnx import autograd, nd


def gradients(
    f: Callable[..., Any], *values: list[int], dtype: str = "int32", head: list[int] | None = None
) -> Any:
    """The gradients of ``f(*values)``, and the element types of result and gradients."""
    xs = [nd.array(v, dtype=dtype) for v in values]
    for x in xs:
        x.attach_grad()
    with autograd.record():
        y = f(*xs)
    y.backward(None if head is None else nd.array(head, dtype=y.dtype))
    assert all(x.grad.dtype == x.dtype for x in xs)
    return np.dtype(y.dtype).name, [x.grad.asnumpy().tolist() for x in xs]


@pytest.mark.parametrize(
    ("f", "values", "expected"),
    [
        (lambda a, b: a * b, [[2, 3], [4, 5]], ("int32", [[4, 5], [2, 3]])),
        (lambda a: (a * a * 3 - a).sum(), [[2, 3]], ("int32", [[11, 17]])),
        (lambda a: a.astype("float32") * 0.5, [[2, 3]], ("float32", [[0, 0]])),
        (lambda a: a / 2, [[4, 6]], ("int32", [[0, 0]])),
        (lambda a: a[1:] * 2, [[4, 6, 7]], ("int32", [[0, 2, 2]])),
        (lambda a: a[nd.array([0, 0], dtype="int32")], [[4, 6, 7]], ("int32", [[2, 0, 0]])),
        (lambda a: nd.take(a, nd.array([0, 0, 2])), [[4, 6, 7]], ("int32", [[2, 0, 1]])),
        (lambda a: a.max(), [[4, 6, 7]], ("int32", [[0, 0, 1]])),
        (lambda a: nd.topk(a, k=2, ret_typ="value"), [[4, 6, 7]], ("int32", [[0, 1, 1]])),
        (lambda a: a * (a > 4), [[4, 6, 7]], ("int32", [[0, 1, 1]])),
        (lambda a: a.mean(), [[4, 6, 7]], ("int32", [[0, 0, 0]])),
        (lambda a: a**2, [[4]], ("int32", [[8]])),
    ],
)
def test_like_mxnet(f: Callable[..., Any], values: list[list[int]], expected: Any) -> None:
    assert gradients(f, *values) == expected


def test_head_gradients() -> None:
    assert gradients(lambda a: a * 3, [4, 6, 7], head=[1, -2, 3]) == ("int32", [[3, -6, 9]])


@pytest.mark.parametrize(("dtype", "value", "expected"), [("int64", 2**40, 2**41), ("uint8", 4, 8)])
def test_types(dtype: str, value: int, expected: int) -> None:
    assert gradients(lambda a: a * a, [value], dtype=dtype) == (dtype, [[expected]])


def test_gradients_add_up() -> None:
    x = nd.array([2, 3], dtype="int32")
    x.attach_grad("add")
    for _ in range(3):
        with autograd.record():
            y = x * x
        y.backward()
    assert x.grad.asnumpy().tolist() == [12, 18]


def test_values_are_those_of_the_forward() -> None:
    """A write between forward and backward does not change the gradient."""
    x = nd.array([2, 3], dtype="int32")
    x.attach_grad()
    with autograd.record():
        y = x * x
    x[:] = 100
    y.backward()
    assert x.grad.asnumpy().tolist() == [4, 6]


def test_indices_are_no_variables() -> None:
    """Beside a floating-point variable, integers are constants."""
    x, i = nd.array([1.0, 2.0]), nd.array([1], dtype="int32")
    x.attach_grad()
    i.attach_grad()
    with autograd.record():
        y = nd.take(x, i) * 3
    y.backward()
    assert x.grad.asnumpy().tolist() == [0, 3]
    assert i.grad.asnumpy().tolist() == [0]
