"""foreach, while_loop and cond: eager, hybridized, bound, exported, and in MXNet's files."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import onnxruntime
import pytest

import gluon_onnx as mx
from gluon_onnx import autograd, gluon, nd, sym
from gluon_onnx.graph.errors import FormatError, GraphError

HERE = pathlib.Path(__file__).parent


class Recurrent(gluon.HybridBlock):
    """A recurrent layer whose weight is read inside of the loop, and a value from outside too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.weight = self.params.get("weight", shape=(3, 0), allow_deferred_init=True)

    def hybrid_forward(self, F: Any, x: Any, h: Any, weight: Any) -> Any:
        scale = F.mean(x) + 1

        def step(item: Any, states: Any) -> Any:
            new = F.tanh(
                F.FullyConnected(item, weight, num_hidden=3, no_bias=True) + F.broadcast_mul(states[0], scale)
            )
            return new * 2, [new]

        outputs, states = F.contrib.foreach(step, x, [h])
        return outputs, states[0]


class Collatz(gluon.HybridBlock):
    """Steps until a value is at most 1, with a branch in each."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        def more(value: Any, total: Any) -> Any:
            return value > 1

        def step(value: Any, total: Any) -> Any:
            new = F.contrib.cond(value > 4, lambda: value * 0.5, lambda: value - 1)
            return [value, total], [new, total + value * value]

        outputs, last = F.contrib.while_loop(more, step, [x, x * 0], max_iterations=8)
        return [*outputs, *last]


def _run(net: gluon.HybridBlock, *arrays: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Outputs, and gradients of the inputs and parameters for the sum of squares of the outputs."""
    inputs = [nd.array(a) for a in arrays]
    for x in inputs:
        x.attach_grad()
    with autograd.record():
        outputs = net(*inputs)
        flat = [y for part in outputs for y in (part if isinstance(part, list) else [part])]
        loss = sum(((y * y).sum() for y in flat), nd.zeros((1,)))
    loss.backward()
    grads = [x.grad for x in inputs] + [p.grad() for p in net.collect_params().values()]
    return [y.asnumpy() for y in flat], [g.asnumpy() for g in grads]


@pytest.mark.parametrize(
    ("make", "shapes"),
    [(Recurrent, [(5, 2, 4), (2, 3)]), (Recurrent, [(1, 2, 4), (2, 3)]), (Collatz, [(1,)])],
    ids=["foreach", "one item", "while_loop and cond"],
)
def test_hybridized_is_eager(make: type[gluon.HybridBlock], shapes: list[tuple[int, ...]]) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(1, 20, s).astype(np.float32) / (1 if len(s) == 1 else 10) for s in shapes]
    net = make()
    net.initialize(mx.init.Constant(0.1))
    net.hybridize()
    compiled = _run(net, *arrays)
    net.hybridize(False)
    for ours, eager in zip(compiled, _run(net, *arrays), strict=True):
        for a, b in zip(ours, eager, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_lengths_may_change() -> None:
    net = Recurrent()
    net.initialize(mx.init.Constant(0.1))
    h = nd.ones((2, 3))
    expected = []
    for length in (2, 3, 5):
        expected.append([y.asnumpy() for y in net(nd.ones((length, 2, 4)), h)])
    net.hybridize()
    for length, (outputs, last) in zip((2, 3, 5), expected, strict=True):
        found = net(nd.ones((length, 2, 4)), h)
        np.testing.assert_allclose(found[0].asnumpy(), outputs, rtol=1e-6)
        np.testing.assert_allclose(found[1].asnumpy(), last, rtol=1e-6)
    assert len(net._compiled.function._families) <= 1


def test_weights_take_their_shapes_from_the_data() -> None:
    x, h, w = sym.var("x"), sym.var("h"), sym.var("w")
    outputs, states = sym.contrib.foreach(
        lambda item, s: (sym.FullyConnected(item, w, num_hidden=3, no_bias=True) + s[0], s), x, [h]
    )
    group = sym.Group([outputs, *states])
    args, outs, _ = group.infer_shape(x=(5, 2, 4))
    assert dict(zip(group.list_arguments(), args, strict=True)) == {"x": (5, 2, 4), "h": (2, 3), "w": (3, 4)}
    assert outs == [(5, 2, 3), (2, 3)]


def test_exported_models_run_alone(tmp_path: pathlib.Path) -> None:
    net = Collatz()
    net.hybridize()
    x = nd.array([13.0])
    expected = [y.asnumpy() for y in net(x)]
    net.export(str(tmp_path / "net.onnx"), dynamic_batch=False)
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    for got, wanted in zip(session.run(None, {"data": x.asnumpy()}), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_steps_that_are_not_made_give_zeros() -> None:
    outputs, last = nd.contrib.while_loop(lambda i: i < 2, lambda i: (i + 5, i + 1), nd.array([0.0]), 4)
    np.testing.assert_array_equal(outputs.asnumpy().ravel(), [5, 6, 0, 0])
    assert last.asscalar() == 2


def test_random_draws_differ_from_step_to_step() -> None:
    x, h = sym.var("x"), sym.var("h")
    outputs, _ = sym.contrib.foreach(lambda item, s: (sym.Dropout(item, p=0.5), [s[0] + 1]), x, [h])
    executor = outputs.bind(
        mx.cpu(), {"x": nd.ones((6, 400)), "h": nd.zeros((1,))}, args_grad={"x": nd.zeros((6, 400))}
    )
    (masks,) = executor.forward(is_train=True)
    rows = {row.tobytes() for row in masks.asnumpy()}
    assert len(rows) == 6
    executor.backward(nd.ones((6, 400)))
    np.testing.assert_array_equal(executor.grad_dict["x"].asnumpy(), masks.asnumpy())


def _loops() -> dict[str, Any]:
    """The programs of control.py beside MXNet's files."""
    with mx.name.NameManager():
        mx.AttrScope._subgraph_names.clear()
        x, h, w = sym.var("data"), sym.var("state"), sym.var("w")
        outer = x * 2

        def step(item: Any, states: Any) -> Any:
            part = sym.slice_axis(sym.sum(outer, axis=0), axis=1, begin=0, end=3)
            return sym.FullyConnected(item, w, num_hidden=3, no_bias=True) + states[0] + part, [states[0] * 2]

        outputs, states = sym.contrib.foreach(step, x, [h])
        foreach = sym.Group([outputs, *states])
        i, t = sym.var("i"), sym.var("t")
        outputs, last = sym.contrib.while_loop(
            lambda i, t: i < 5, lambda i, t: ([i + t, w * 1], [i + 1, t + i]), (i, t), 10
        )
        while_loop = sym.Group([*outputs, *last])
        a, b = sym.var("a"), sym.var("b")
        cond = sym.contrib.cond(a * b < 5, lambda: (a + 5) * (b + 5), lambda: (a - 5) * (b - 5))
    return {"foreach": foreach, "while_loop": while_loop, "cond": cond}


FILES = HERE.parent / "data" / "mxnet" / "1.9.1"


@pytest.mark.parametrize("name", ["foreach", "while_loop", "cond"])
def test_files_are_mxnets(name: str) -> None:
    text = (FILES / f"control-{name}.json").read_text()
    ours = _loops()[name].tojson()
    assert "".join(ours.split()) == "".join(text.split())
    loaded = sym.load_json(text)
    assert "".join(loaded.tojson().split()) == "".join(text.split())


@pytest.mark.parametrize("name", ["foreach", "while_loop", "cond"])
def test_what_mxnets_files_compute(name: str) -> None:
    expected = np.load(FILES / "control-expected.npz")
    loaded = sym.load(str(FILES / f"control-{name}.json"))
    inputs = {n: nd.array(expected[f"{name}/in/{n}"]) for n in loaded.list_arguments()}
    grads = {n: nd.zeros(v.shape) for n, v in inputs.items()}
    executor = loaded.bind(mx.cpu(), inputs, args_grad=grads)
    outputs = executor.forward(is_train=True)
    executor.backward([nd.ones(y.shape) for y in outputs])
    for i, y in enumerate(outputs):
        wanted = expected[f"{name}/out/{i}"]
        steps = expected[f"{name}/steps"] if wanted.shape[0] == 10 else len(wanted)
        np.testing.assert_allclose(y.asnumpy()[:steps], wanted[:steps], rtol=1e-5, atol=1e-6)
    for n, g in grads.items():
        np.testing.assert_allclose(g.asnumpy(), expected[f"{name}/grad/{n}"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"remain_locs": "[1, 3]"', '"remain_locs": "[1, 4]"', "expected numbers below 4"),
        ('"num_args": "5"', '"num_args": "6"', "num_args = 5 inputs, found 4"),
        ('"num_outputs": "2"', '"num_outputs": "3"', "4 inputs and 2 outputs"),
        ('"subgraphs"', '"bodies"', "expects 1 subgraphs, found 0"),
    ],
)
def test_damaged_files(old: str, new: str, message: str) -> None:
    text = (FILES / "control-foreach.json").read_text()
    assert old in text
    with pytest.raises(FormatError, match=message):
        sym.load_json(text.replace(old, new))


def test_states_inside_are_refused() -> None:
    x, h = sym.var("x"), sym.var("h")
    outputs, _ = sym.contrib.foreach(lambda item, s: (sym.BatchNorm(item, name="bn"), s), x, [h])
    arrays = {
        "x": nd.ones((2, 3, 4)),
        "h": nd.zeros((1,)),
        "bn_gamma": nd.ones((4,)),
        "bn_beta": nd.ones((4,)),
    }
    more = {"bn_moving_mean": nd.zeros((4,)), "bn_moving_var": nd.ones((4,))}
    executor = outputs.bind(mx.cpu(), {n: {**arrays, **more}[n] for n in outputs.list_arguments()})
    with pytest.raises(GraphError, match=r"BatchNorm \(node '_foreach\d+/bn'\) changes its states"):
        executor.forward(is_train=True)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda F, x: F.contrib.foreach(lambda i, s: (i, s), 3, [x]), ValueError, "foreach: data"),
        (lambda F, x: F.contrib.foreach(lambda i, s: (i, [s]), x, [x]), AssertionError, "structure"),
        (
            lambda F, x: F.contrib.while_loop(lambda v: v < 3, lambda v: (v, v), [x]),
            ValueError,
            "max_iterations",
        ),
        (
            lambda F, x: F.contrib.while_loop(lambda v: v < 3, lambda v: (v, v), [], 3),
            ValueError,
            "at least one",
        ),
        (
            lambda F, x: F.contrib.while_loop(lambda v: v < 9, lambda v: (v, [v, v]), [x], 3),
            ValueError,
            "expected 1",
        ),
    ],
)
@pytest.mark.parametrize("F", [nd, sym])
def test_mistakes(F: Any, make: Any, error: type[Exception], message: str) -> None:
    x = nd.array([1.0]) if F is nd else sym.var("x")
    with pytest.raises(error, match=message):
        make(F, x)
