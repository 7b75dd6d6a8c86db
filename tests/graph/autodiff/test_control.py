"""Gradients of loops, against differences in double precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

import gluon_onnx as mx
from gluon_onnx.graph.autodiff.engine import joint
from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.dims import Dim
from gluon_onnx.graph.errors import NotDifferentiableError
from gluon_onnx.graph.loops import either, scan
from gluon_onnx.graph.program import Program, finish


def _run(program: Program, feeds: list[np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        program.model.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    results: list[np.ndarray] = session.run(None, dict(zip(program.input_names, feeds, strict=True)))
    return results


def _check(program: Program, arrays: list[np.ndarray]) -> None:
    """Gradients of all results for all inputs of floating type."""
    wrt = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    results = _run(program, arrays)
    smooth = [i for i, y in enumerate(results) if y.dtype.kind == "f"]
    random = np.random.RandomState(5)
    heads = [random.uniform(0.5, 1.5, size=results[i].shape) for i in smooth]
    gradient = joint(program, wrt, smooth)
    onnx.checker.check_model(gradient.model, full_check=True)
    found = _run(gradient, [*arrays, *heads])
    for i, grad in zip(wrt, found, strict=True):
        for index in np.ndindex(*arrays[i].shape):
            sums = []
            for step in (1e-6, -1e-6):
                changed = [a.copy() for a in arrays]
                changed[i][index] += step
                out = _run(program, changed)
                sums.append(sum(float((out[k] * h).sum()) for k, h in zip(smooth, heads, strict=True)))
            assert grad[index] == pytest.approx((sums[0] - sums[1]) / 2e-6, rel=1e-6, abs=1e-8), (i, index)


def _loop(length: int | Dim, reverse: Any, reverse_results: Any, used: int = 3) -> Program:
    """h -> tanh(h w + x * u), a count of steps, and two results, of which the second depends on x only."""
    g = Builder()
    h = g.input("h", np.float64, (2, 3))
    x = g.input("x", np.float64, (length, 2, 3))
    u = g.input("u", np.float64, (length, 3))
    w = g.input("w", np.float64, (3, 3))
    scaled = w * 0.5
    count = g.const(np.int64(0))

    def body(b: Builder, h: Tensor, n: Tensor, x: Tensor, u: Tensor) -> Sequence[Tensor]:
        weight = b.cast(b.op("Add", n, b.const(np.int64(1))), np.float64)
        new = b.op("Tanh", b.op("Add", b.op("MatMul", h, scaled), b.op("Mul", x, u)))
        return new, b.op("Add", n, b.const(np.int64(1))), b.op("Mul", new, weight), b.op("Mul", x, x)

    (last, steps), results = scan(
        g, body, [h, count], [x, u], reverse=reverse, reverse_results=reverse_results
    )
    return finish(g, [last, *results, steps][:used])


def _arrays(length: int) -> list[np.ndarray]:
    random = np.random.RandomState(1)
    return [random.uniform(-1, 1, size=s) for s in ((2, 3), (length, 2, 3), (length, 3), (3, 3))]


@pytest.mark.parametrize(
    ("reverse", "reverse_results"),
    [(False, False), (True, True), ([False, True], [True, False])],
    ids=["forwards", "backwards", "mixed"],
)
@pytest.mark.parametrize("length", [1, 4])
def test_scan(length: int, reverse: Any, reverse_results: Any) -> None:
    """First states, sequences and captured values; counters have no gradient."""
    _check(_loop(length, reverse, reverse_results, used=4), _arrays(length))


@pytest.mark.parametrize("used", [1, 2])
def test_scan_of_which_not_all_is_used(used: int) -> None:
    _check(_loop(3, False, False, used=used), _arrays(3))


def test_scan_of_symbolic_length() -> None:
    program = _loop(Dim.symbol("steps"), True, True)
    for length in (2, 5):
        _check(program, _arrays(length))


def test_scan_without_states() -> None:
    """Only items, results, and a value of the graph around it."""
    g = Builder()
    x, w = g.input("x", np.float64, (3, 2)), g.input("w", np.float64, (2,))

    def body(b: Builder, x: Tensor) -> Sequence[Tensor]:
        return [b.op("Mul", b.op("Mul", x, x), w)]

    _, (result,) = scan(g, body, [], [x])
    random = np.random.RandomState(6)
    _check(finish(g, [result]), [random.randn(3, 2), random.randn(2)])


def test_gradient_of_a_scans_gradient() -> None:
    first = joint(_loop(3, False, True), [0, 3], [0, 1])
    random = np.random.RandomState(2)
    _check(first, [*_arrays(3), random.randn(2, 3), random.randn(3, 2, 3)])


def test_scan_along_other_axes_is_refused() -> None:
    g = Builder()
    h, x = g.input("h", np.float64, (2,)), g.input("x", np.float64, (2, 3))

    def body(b: Builder, h: Tensor, x: Tensor) -> Sequence[Tensor]:
        return [b.op("Add", h, x)]

    graph = g.subgraph("step", [("a", np.float64, (2,)), ("b", np.float64, (2,))], body)
    attributes = {"body": graph, "num_scan_inputs": 1, "scan_input_axes": [1]}
    (last,) = g.emit("Scan", "", [h, x], ir.convenience.convert_attributes(attributes), [(h.dt, h.dims)])
    with pytest.raises(NotDifferentiableError, match=r"'Scan' with scan_input_axes = \[1\]"):
        joint(finish(g, [last]), [0], [0])


@pytest.mark.parametrize("condition", [True, False])
def test_branches(condition: bool) -> None:
    """Only the branch that was taken has a gradient; the same values may be read by both."""
    g = Builder()
    chosen = g.input("chosen", np.bool_, ())
    x, y = g.input("x", np.float64, (2, 3)), g.input("y", np.float64, (2, 3))
    square = x * x
    taken = either(g, chosen, lambda b: b.op("Mul", square, y), lambda b: b.op("Tanh", square))
    program = finish(g, [taken + y, either(g, chosen, lambda b: y, lambda b: x)])
    random = np.random.RandomState(1)
    arrays = [np.array(condition), random.randn(2, 3), random.randn(2, 3)]
    _check(program, arrays)
    first = joint(program, [1, 2], [0, 1])
    _check(first, [*arrays, random.randn(2, 3), random.randn(2, 3)])


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNN"])
def test_second_order_through_recurrent_layers(kind: str) -> None:
    options = {"activation": "tanh"} if kind == "RNN" else {}
    layer = getattr(mx.gluon.rnn, kind)(3, input_size=2, bidirectional=True, **options)
    layer.cast("float64")
    layer.initialize(mx.init.Uniform(0.8))
    values = np.random.RandomState(0).randn(3, 2, 2)

    def norm(x: Any) -> Any:
        with mx.autograd.record():
            (grad,) = mx.autograd.grad((layer(x) ** 2).sum(), [x], create_graph=True, retain_graph=True)
            return (grad**2).sum()

    x = mx.nd.array(values, dtype="float64")
    x.attach_grad()
    norm(x).backward()
    for index in [(0, 0, 0), (1, 1, 1), (2, 0, 1)]:
        sums = []
        for step in (1e-5, -1e-5):
            changed = values.copy()
            changed[index] += step
            y = mx.nd.array(changed, dtype="float64")
            y.attach_grad()
            sums.append(float(norm(y).asscalar()))
        assert x.grad.asnumpy()[index] == pytest.approx((sums[0] - sums[1]) / 2e-5, rel=1e-5, abs=1e-8)
