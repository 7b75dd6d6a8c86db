"""Partial inference of shapes, in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gluon_onnx as mx

sym = mx.sym
Shape = tuple[int, ...]


def split(**kwargs: Any) -> Any:
    """The second of the pieces, plus an array of its shape."""
    return sym.SliceChannel(sym.var("a"), **kwargs)[1] + sym.var("c")


@pytest.mark.parametrize(
    ("make", "known", "arguments", "output"),
    [
        (lambda: split(num_outputs=10, squeeze_axis=True), {"a": (0, 10), "c": (5,)}, [(5, 10), (5,)], (5,)),
        (lambda: split(num_outputs=3), {"a": (0, 15, 0), "c": (3, 5, 2)}, [(3, 15, 2), (3, 5, 2)], (3, 5, 2)),
        (lambda: split(num_outputs=3), {"c": (3, 5, 2)}, [(3, 15, 2), (3, 5, 2)], (3, 5, 2)),
        (lambda: split(num_outputs=3, axis=-1), {"a": (2, 6)}, [(2, 6), (2, 2)], (2, 2)),
        (lambda: split(num_outputs=2, axis=0, squeeze_axis=True), {"c": (0, 4)}, [(2, 0, 4), (0, 4)], (0, 4)),
        (lambda: split(num_outputs=2), {"c": (0, 0)}, [(0, 0), (0, 0)], (0, 0)),
        (
            lambda: sym.batch_dot(sym.var("x"), sym.var("y")),
            {"x": (0, 3, 4), "y": (0, 4, 5)},
            [(0, 3, 4), (0, 4, 5)],
            (0, 3, 5),
        ),
        (
            lambda: sym.batch_dot(sym.var("x"), sym.var("y"), transpose_a=True, transpose_b=True),
            {"x": (2, 0, 3), "y": (0, 5, 4)},
            [(2, 4, 3), (2, 5, 4)],
            (2, 3, 5),
        ),
        (lambda: sym.pick(sym.var("x"), sym.var("i"), axis=1), {"x": (0, 3, 3)}, [(0, 3, 3), (0, 3)], (0, 3)),
        (
            lambda: sym.pick(sym.var("x"), sym.var("i"), axis=0, keepdims=True),
            {"x": (2, 3, 0), "i": (3, 4)},
            [(2, 3, 4), (3, 4)],
            (1, 3, 4),
        ),
    ],
)
def test_partial(
    make: Callable[[], Any], known: dict[str, Shape], arguments: list[Shape], output: Shape
) -> None:
    """0 is an unknown dimension; what follows from the others is found, of inputs as well as of outputs."""
    found, outputs, _ = make().infer_shape_partial(**known)
    assert (found, outputs) == (arguments, [output])


@pytest.mark.parametrize("shape", [(0, 0), (-1, -1), (-1, 2), (3, 0)])
def test_sizes_that_follow_from_use(shape: Shape) -> None:
    """Made arrays may leave sizes open, by 0 or -1."""
    total = sym.transpose(sym.ones(shape=shape)) + sym.ones(shape=(2, 3))
    (found,) = total.bind(mx.cpu(), {}).forward()
    assert found.asnumpy().tolist() == [[2, 2, 2]] * 2


@pytest.mark.parametrize(
    ("make", "known", "message"),
    [
        (
            lambda: sym.batch_dot(sym.var("x"), sym.var("y"), name="p"),
            {"x": (2, 3, 4), "y": (3, 4, 5)},
            r"batch_dot \(node 'p'\), leading axes: expected shape \(3,\), got \(2,\)",
        ),
        (
            lambda: sym.batch_dot(sym.var("x"), sym.var("y"), name="p"),
            {"x": (2, 3, 4), "y": (2, 5, 5)},
            r"batch_dot \(node 'p'\): matrices of shapes \(3, 4\) and \(5, 5\) cannot be multiplied",
        ),
        (lambda: split(num_outputs=3, squeeze_axis=True), {"a": (3, 15, 2)}, "pieces must have length 1"),
        (lambda: split(num_outputs=3), {"a": (3, 16, 2)}, "SliceChannel"),
        (lambda: split(num_outputs=3), {"a": (3, 15, 2), "c": (3, 4, 2)}, "expected shape"),
    ],
)
def test_contradictions(make: Callable[[], Any], known: dict[str, Shape], message: str) -> None:
    with pytest.raises(mx.MXNetError, match=message):
        make().infer_shape(**known)
