"""Gradients of loops, against differences in double precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime
import pytest

import gluon_onnx as mx
from gluon_onnx.graph import differentiate
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


def test_scan_along_other_axes() -> None:
    g = Builder()
    h, x = g.input("h", np.float64, (2,)), g.input("x", np.float64, (2, 3))

    def body(b: Builder, h: Tensor, x: Tensor) -> Sequence[Tensor]:
        new = b.op("Tanh", b.op("Mul", h, x))
        return [new, b.op("Mul", new, x)]

    graph = g.subgraph("step", [("a", np.float64, (2,)), ("b", np.float64, (2,))], body)
    attributes = {"body": graph, "num_scan_inputs": 1, "scan_input_axes": [-1], "scan_output_axes": [1]}
    types = [(h.dt, h.dims), (h.dt, (2, 3))]
    results = g.emit("Scan", "", [h, x], ir.convenience.convert_attributes(attributes), types)
    random = np.random.RandomState(2)
    _check(finish(g, list(results)), [random.uniform(-1, 1, size=s) for s in ((2,), (2, 3))])


def _while(most: int | None) -> Program:
    """h -> tanh(h w + i) while the sum of h is below a limit, and every h squared; w and the limit are inputs."""
    g = Builder()
    h, w = g.input("h", np.float64, (2, 3)), g.input("w", np.float64, (3, 3))
    limit = g.input("limit", np.float64, ())

    def body(b: Builder, step: Tensor, _: Tensor, h: Tensor, n: Tensor) -> Sequence[Tensor]:
        new = b.op("Tanh", b.op("Add", b.op("MatMul", h, w), b.op("Mul", b.cast(step, h.dt), 0.1)))
        more = b.op("Less", b.reduce("Sum", new, [0, 1]), limit)
        return [more, new, b.op("Add", n, b.const(np.int64(1))), b.op("Mul", new, new), b.same(n)]

    inputs = [("i", np.int64, ()), ("c", np.bool_, ()), ("h", np.float64, (2, 3)), ("n", np.int64, ())]
    graph = g.subgraph("body", inputs, body)
    count = None if most is None else g.const(np.int64(most))
    operands = [count, g.const(np.bool_(True)), h, g.const(np.int64(0))]
    types = [(h.dt, (2, 3)), (np.dtype(np.int64), ()), (h.dt, (None, 2, 3)), (np.dtype(np.int64), (None,))]
    last, n, squares, _ = g.emit(
        "Loop", "", operands, ir.convenience.convert_attributes({"body": graph}), types
    )
    return finish(g, [last * 2.0, squares, n])


@pytest.mark.parametrize(("most", "limit", "steps"), [(4, 1e9, 4), (None, 1.0, 3), (9, 1.0, 3), (0, 1e9, 0)])
def test_loops_with_a_condition(most: int | None, limit: float, steps: int) -> None:
    random = np.random.RandomState(3)
    arrays = [random.uniform(-0.5, 0.2, size=(2, 3)), random.uniform(0, 0.9, size=(3, 3)), np.array(limit)]
    program = _while(most)
    assert _run(program, arrays)[2] == steps
    _check(program, arrays)


def test_second_order_through_a_loop() -> None:
    random = np.random.RandomState(3)
    arrays = [random.uniform(-0.5, 0.2, size=(2, 3)), random.uniform(0, 0.9, size=(3, 3)), np.array(1.0)]
    first = joint(_while(None), [0, 1], [0, 1])
    _check(first, [*arrays, random.randn(2, 3), random.randn(3, 2, 3)])


def test_a_loop_whose_state_grows_is_refused() -> None:
    g = Builder()
    x = g.input("x", np.float64, (1,))
    n = Dim.symbol("n")

    def body(b: Builder, step: Tensor, on: Tensor, x: Tensor) -> Sequence[Tensor]:
        return [b.same(on), b.op("Concat", x, x, axis=0)]

    graph = g.subgraph("body", [("i", np.int64, ()), ("c", np.bool_, ()), ("state", x.dt, (n,))], body)
    operands = [g.const(np.int64(3)), None, x]
    attributes = ir.convenience.convert_attributes({"body": graph})
    (y,) = g.emit("Loop", "", operands, attributes, [(x.dt, (None,))])
    with pytest.raises(
        NotDifferentiableError, match=r"'Loop' .*state.* changes its shape from \[1\] to \[2\]"
    ):
        joint(finish(g, [g.reduce("Sum", y, [0])]), [0], [0])


_STEPS = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (float[N, 2, 3] x, float[2, 4] h, float[3, 4] w, float[4, 4] r) => (float loss) {
    length = Shape <start = 0, end = 1> (x)
    most = Squeeze(length)
    go = Constant <value = bool {1}> ()
    last, all = Loop (most, go, h) <body = step
        (int64 i, bool on, float[A, B] state) => (bool more, float[A, B] next, float[A, B] out) {
            item = Gather(x, i)
            wide = MatMul(item, w)
            back = MatMul(state, r)
            sum = Add(wide, back)
            next = Tanh(sum)
            out = Mul(next, next)
            more = Identity(on)
        }>
    loss = ReduceSum <keepdims = 0> (all)
}
"""


def test_the_gradient_of_an_imported_loop_serves_every_length() -> None:
    """Its nodes are few, and do not depend on the length, which is symbolic."""
    result = differentiate(onnx.parser.parse_model(_STEPS), "loss", ["x", "h", "w", "r"])
    session = onnxruntime.InferenceSession(result.SerializeToString(), providers=["CPUExecutionProvider"])
    kinds = [n.op_type for n in result.graph.node]
    assert kinds.count("Loop") == 2 and kinds.count("If") == 1 and len(kinds) < 60
    for length in (1, 6):
        torch = pytest.importorskip("torch")
        random = np.random.RandomState(length)
        shapes = {"x": (length, 2, 3), "h": (2, 4), "w": (3, 4), "r": (4, 4)}
        arrays = {k: random.uniform(-1, 1, size=s).astype("float32") for k, s in shapes.items()}
        _, *grads = session.run(None, arrays)
        t = {k: torch.tensor(v, requires_grad=True) for k, v in arrays.items()}
        state, total = t["h"], 0.0
        for i in range(length):
            state = torch.tanh(t["x"][i] @ t["w"] + state @ t["r"])
            total = total + (state * state).sum()
        total.backward()
        for name, grad in zip(shapes, grads, strict=True):
            np.testing.assert_allclose(grad, t[name].grad.numpy(), rtol=1e-4, atol=1e-6, err_msg=name)


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
