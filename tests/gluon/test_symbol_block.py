"""SymbolBlocks: files of all versions of MXNet, inputs and labels, changing sizes and parameters, speed of calls."""

from __future__ import annotations

import gc
import glob
import json
import os
import pathlib
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import autograd, gluon, nd
from gluon_onnx._runtime import session
from gluon_onnx.base import MXNetError
from gluon_onnx.gluon import SymbolBlock, nn

DATA = pathlib.Path(__file__).parents[1] / "data" / "mxnet"
RANDOM = np.random.default_rng(0)


def write(folder: pathlib.Path, symbol: Any, arrays: dict[str, Any] | None = None) -> tuple[str, str]:
    """Files of a symbol and its parameters."""
    names = str(folder / "net-symbol.json"), str(folder / "net-0000.params")
    symbol.save(names[0])
    nd.save(names[1], {n: x if isinstance(x, nd.NDArray) else nd.array(x) for n, x in (arrays or {}).items()})
    return names


def parameters(symbol: Any, dtype: str = "float32", **shapes: tuple[int, ...]) -> dict[str, nd.NDArray]:
    """Random values of all variables but the inputs and labels."""
    args, _, aux = symbol.infer_shape_partial(**shapes)
    found = dict(zip(symbol.list_arguments() + symbol.list_auxiliary_states(), args + aux, strict=True))
    left_out = {*shapes, *symbol.list_labels()}
    random = np.random.default_rng(1)
    return {
        n: nd.array(random.uniform(0.1, 1, s) - 0.4 * ("var" not in n), dtype=dtype)
        for n, s in found.items()
        if n not in left_out
    }


def head(**kwargs: Any) -> Any:
    """A convolution whose sizes round up, as in face detectors, and a classifier at every place."""
    x = mx.sym.Convolution(mx.sym.var("data"), num_filter=4, kernel=(3, 3), name="conv")
    x = mx.sym.LeakyReLU(x, act_type="prelu", name="prelu")
    x = mx.sym.Pooling(x, kernel=(2, 2), stride=(2, 2), pooling_convention="full", pool_type="max")
    x = mx.sym.Convolution(x, num_filter=3, kernel=(1, 1), name="score")
    return mx.sym.SoftmaxActivation(x, mode="channel", name="prob", **kwargs)


def classifier() -> Any:
    """A symbol that ends in a loss with a label."""
    x = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc")
    return mx.sym.SoftmaxOutput(x, name="softmax")


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """One entry for each session that is made."""
    made: list[int] = []
    new_session = session.Executable._new_session

    def counted(self: session.Executable, options: Any) -> Any:
        made.append(len(made))
        return new_session(self, options)

    monkeypatch.setattr(session.Executable, "_new_session", counted)
    yield made


# -- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [None, "data", ["data"]], ids=["found", "named", "listed"])
@pytest.mark.parametrize("version", ["0.9.5", "0.11.0", "1.0.0", "1.3.1", "1.6.0", "1.9.1"])
def test_checkpoints_of_module(version: str, names: Any) -> None:
    folder = DATA / version
    expected = np.load(folder / "expected.npz")
    net = SymbolBlock.imports(folder / "module-symbol.json", names, folder / "module-0003.params")
    out = net(nd.array(expected["module:data"])).asnumpy()
    np.testing.assert_allclose(out, expected["module:output"], rtol=1e-5, atol=1e-6)
    values = {k.partition(":")[2] for k in expected if k.startswith("module:")}
    assert set(net.collect_params()) == values - {"data", "output"}


@pytest.mark.parametrize("version", ["1.0.0", "1.3.1", "1.6.0", "1.9.1"])
def test_exports_of_gluon(version: str) -> None:
    folder = DATA / version
    expected = np.load(folder / "expected.npz")
    net = SymbolBlock.imports(str(folder / "gluon-symbol.json"), None, str(folder / "gluon-0000.params"))
    out = net(nd.array(expected["gluon:data"])).asnumpy()
    np.testing.assert_allclose(out, expected["gluon:output"], rtol=1e-5, atol=1e-6)
    for name, p in net.collect_params().items():
        np.testing.assert_array_equal(p.data().asnumpy(), expected[f"gluon:{name}"])


@pytest.mark.parametrize("version", ["0.9.5", "1.9.1"])
def test_checkpoints_of_model(version: str) -> None:
    expected = np.load(DATA / version / "expected.npz")
    sym, args, aux = mx.model.load_checkpoint(str(DATA / version / "module"), 3)
    arrays = {"data": nd.array(expected["module:data"]), "softmax_label": nd.zeros((2,)), **args}
    out = sym.bind(mx.cpu(), arrays, aux_states=aux).forward()[0]
    np.testing.assert_allclose(out.asnumpy(), expected["module:output"], rtol=1e-5, atol=1e-6)


def test_checkpoint_round_trip(tmp_path: pathlib.Path) -> None:
    sym = mx.sym.BatchNorm(classifier(), name="bn")
    arrays = parameters(sym, data=(2, 4))
    aux = {n: arrays.pop(n) for n in sym.list_auxiliary_states()}
    mx.model.save_checkpoint(str(tmp_path / "x"), 12, sym, arrays, aux)
    assert sorted(os.listdir(tmp_path)) == ["x-0012.params", "x-symbol.json"]
    again, arg_params, aux_params = mx.model.load_checkpoint(str(tmp_path / "x"), 12)
    assert again.tojson() == sym.tojson()
    assert sorted(arg_params) == sorted(arrays) and sorted(aux_params) == sorted(aux)


def test_a_file_of_version_0_8_without_parameters() -> None:
    net = SymbolBlock.imports(DATA / "0.8" / "net-symbol.json")
    assert net._input_names == ["data"] and "softmax_label" not in net.collect_params()
    net.initialize(mx.init.One())  # the default would draw the moving variance, as MXNet's does
    probabilities, best = net(nd.array(RANDOM.uniform(size=(2, 3, 8, 8))))
    np.testing.assert_allclose(probabilities.asnumpy().sum(1), [1, 1], rtol=1e-5)
    np.testing.assert_array_equal(best.asnumpy(), probabilities.asnumpy().argmax(1))


@pytest.mark.parametrize("prefixes", [("arg:", "aux:"), ("", "")], ids=["prefixes", "plain"])
def test_prefixes(tmp_path: pathlib.Path, prefixes: tuple[str, str]) -> None:
    sym = mx.sym.BatchNorm(mx.sym.var("data"), fix_gamma=False, name="bn")
    arrays = parameters(sym, data=(2, 4))
    aux = set(sym.list_auxiliary_states())
    files = write(tmp_path, sym, {prefixes[n in aux] + n: x for n, x in arrays.items()})
    net = SymbolBlock.imports(files[0], None, files[1])
    x = RANDOM.uniform(size=(2, 4)).astype(np.float32)
    gamma, beta, mean, var = (
        arrays[f"bn_{n}"].asnumpy() for n in ("gamma", "beta", "moving_mean", "moving_var")
    )
    np.testing.assert_allclose(
        net(nd.array(x)).asnumpy(), gamma * (x - mean) / np.sqrt(var + 1e-3) + beta, rtol=1e-5
    )


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_element_types_are_those_of_the_file(tmp_path: pathlib.Path, dtype: str) -> None:
    sym = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc")
    arrays = parameters(sym, dtype, data=(2, 4))
    files = write(tmp_path, sym, arrays)
    net = SymbolBlock.imports(files[0], None, files[1])
    x = RANDOM.uniform(size=(2, 4)).astype(dtype)
    out = net(nd.array(x, dtype=dtype))
    assert out.dtype == np.dtype(dtype).type and {p.dtype for p in net.collect_params().values()} == {
        out.dtype
    }
    expected = x @ arrays["fc_weight"].asnumpy().T + arrays["fc_bias"].asnumpy()
    np.testing.assert_allclose(out.asnumpy(), expected, rtol=2e-3 if dtype == "float16" else 1e-12)


# -- inputs and labels -----------------------------------------------------------------------------------


def test_several_inputs_in_the_order_of_the_graph_or_as_named(tmp_path: pathlib.Path) -> None:
    sym = mx.sym.FullyConnected(mx.sym.var("b") - mx.sym.var("a"), num_hidden=2, name="fc")
    files = write(tmp_path, sym, parameters(sym, a=(2, 3), b=(2, 3)))
    x, y = nd.array(RANDOM.uniform(size=(2, 3))), nd.array(RANDOM.uniform(size=(2, 3)))
    found = SymbolBlock.imports(files[0], None, files[1])
    named = SymbolBlock.imports(files[0], ["a", "b"], files[1])
    assert (found._input_names, named._input_names) == (["b", "a"], ["a", "b"])
    for _ in range(2):
        np.testing.assert_array_equal(found(y, x).asnumpy(), named(x, y).asnumpy())


def test_a_parameter_without_a_value_is_not_taken_for_an_input(tmp_path: pathlib.Path) -> None:
    arrays = parameters(classifier(), data=(2, 4))
    files = write(tmp_path, classifier(), {"fc_weight": arrays["fc_weight"]})
    with pytest.raises(AssertionError, match="'fc_bias' is missing"):
        SymbolBlock.imports(files[0], None, files[1])
    net = SymbolBlock.imports(files[0], None, files[1], allow_missing=True)
    assert net._input_names == ["data"]


@pytest.mark.parametrize(
    ("names", "extra", "match"),
    [
        (["input"], {}, r"no variables \['input'\].*without a value are \['data', 'softmax_label'\]"),
        (None, {"data": np.zeros(1)}, "no inputs found, because every variable has a value"),
    ],
    ids=["unknown", "none"],
)
def test_inputs_that_are_not_there(
    tmp_path: pathlib.Path, names: Any, extra: dict[str, Any], match: str
) -> None:
    files = write(tmp_path, classifier(), {**parameters(classifier(), data=(2, 4)), **extra})
    with pytest.raises(MXNetError, match=match):
        SymbolBlock.imports(files[0], names, files[1])


def test_values_of_another_model_are_refused(tmp_path: pathlib.Path) -> None:
    files = write(tmp_path, classifier(), {**parameters(classifier(), data=(2, 4)), "other": np.zeros(2)})
    with pytest.raises((AssertionError, ValueError), match="'other'"):
        SymbolBlock.imports(files[0], None, files[1])
    assert SymbolBlock.imports(files[0], None, files[1], ignore_extra=True)(nd.zeros((1, 4))).shape == (1, 3)


def test_a_plain_list_of_arrays_is_refused(tmp_path: pathlib.Path) -> None:
    files = write(tmp_path, classifier())
    nd.save(files[1], [nd.zeros((1,))])
    with pytest.raises(MXNetError, match="expected named parameters, found a plain list of 1 arrays"):
        SymbolBlock.imports(files[0], None, files[1])


LOSSES: dict[str, tuple[Callable[[Any], Any], Callable[[np.ndarray], np.ndarray]]] = {
    "SoftmaxOutput": (mx.sym.SoftmaxOutput, lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    "LinearRegressionOutput": (mx.sym.LinearRegressionOutput, lambda x: x),
    "LogisticRegressionOutput": (mx.sym.LogisticRegressionOutput, lambda x: 1 / (1 + np.exp(-x))),
    "MAERegressionOutput": (mx.sym.MAERegressionOutput, lambda x: x),
    "SVMOutput": (mx.sym.SVMOutput, lambda x: x),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_predict_without_a_label(tmp_path: pathlib.Path, name: str) -> None:
    make, expected = LOSSES[name]
    net = SymbolBlock.imports(write(tmp_path, make(mx.sym.var("data"), name="loss"))[0])
    assert net._input_names == ["data"] and not net.collect_params()
    for n in (2, 3, 5):
        x = RANDOM.normal(size=(n, 4)).astype(np.float32)
        np.testing.assert_allclose(net(nd.array(x)).asnumpy(), expected(x), rtol=1e-5, atol=1e-6)


def test_a_loss_at_every_place_predicts_without_a_label(tmp_path: pathlib.Path) -> None:
    sym = mx.sym.SoftmaxOutput(mx.sym.var("data"), multi_output=True, name="loss")
    net = SymbolBlock.imports(write(tmp_path, sym)[0])
    for shape in ((2, 3, 4, 5), (2, 3, 6, 7), (4, 3, 2, 2)):
        x = RANDOM.normal(size=shape).astype(np.float32)
        expected = np.exp(x) / np.exp(x).sum(1, keepdims=True)
        np.testing.assert_allclose(net(nd.array(x)).asnumpy(), expected, rtol=1e-5, atol=1e-6)


def test_training_needs_the_label(tmp_path: pathlib.Path) -> None:
    arrays = parameters(classifier(), data=(2, 4))
    files = write(tmp_path, classifier(), arrays)
    x, label = nd.array(RANDOM.normal(size=(2, 4))), nd.array([0, 2])
    net = SymbolBlock.imports(files[0], None, files[1])
    with autograd.record(), pytest.raises(MXNetError, match=r"labels \['softmax_label'\].*input_names"):
        net(x)
    net = SymbolBlock.imports(files[0], ["data", "softmax_label"], files[1])
    with autograd.record():
        out = net(x, label)
    out.backward()
    difference = out.asnumpy() - np.eye(3)[[0, 2]]
    np.testing.assert_allclose(net.collect_params()["fc_bias"].grad().asnumpy(), difference.sum(0), rtol=1e-5)


def test_a_label_among_the_parameters_of_a_file_is_left_out(tmp_path: pathlib.Path) -> None:
    arrays = {**parameters(classifier(), data=(2, 4)), "softmax_label": np.zeros(2)}
    files = write(tmp_path, classifier(), arrays)
    assert SymbolBlock.imports(files[0], None, files[1])(nd.zeros((5, 4))).shape == (5, 3)


def test_a_label_that_something_else_reads_is_an_input(tmp_path: pathlib.Path) -> None:
    label = mx.sym.var("label")
    sym = mx.sym.Group([mx.sym.SoftmaxOutput(mx.sym.var("data"), label, name="loss"), label * 2])
    net = SymbolBlock.imports(write(tmp_path, sym)[0])
    assert net._input_names == ["data", "label"]
    assert net(nd.zeros((2, 3)), nd.array([1, 2]))[1].asnumpy().tolist() == [2, 4]


# -- sizes -----------------------------------------------------------------------------------------------


def reference(arrays: dict[str, nd.NDArray], x: np.ndarray) -> np.ndarray:
    """What `head` computes, in NumPy."""
    w, b = arrays["conv_weight"].asnumpy(), arrays["conv_bias"].asnumpy()
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    y = np.einsum("nchwij,ocij->nohw", windows, w) + b[:, None, None]
    y = np.where(y > 0, y, y * arrays["prelu_gamma"].asnumpy()[:, None, None])
    n, c, height, width = y.shape
    full = np.full((n, c, -(-height // 2) * 2, -(-width // 2) * 2), -np.inf, np.float32)
    full[:, :, :height, :width] = y
    y = full.reshape(n, c, full.shape[2] // 2, 2, full.shape[3] // 2, 2).max((3, 5))
    scores = np.einsum("nchw,oc->nohw", y, arrays["score_weight"].asnumpy()[:, :, 0, 0])
    scores = np.exp(scores + arrays["score_bias"].asnumpy()[:, None, None])
    result: np.ndarray = scores / scores.sum(1, keepdims=True)
    return result


def test_sizes_change_without_compiling_each_time(tmp_path: pathlib.Path, sessions: list[int]) -> None:
    arrays = parameters(head(), data=(1, 2, 8, 8))
    files = write(tmp_path, head(), arrays)
    net = SymbolBlock.imports(files[0], None, files[1])
    shapes = [(1, 2, h, w) for h in (9, 12, 17, 30) for w in (8, 11, 25)] + [
        (n, 2, 12, 15) for n in (2, 3, 5)
    ]
    shapes += [(3, 2, 10, 21), (1, 2, 7, 7), (8, 2, 9, 9)]
    for shape in shapes:
        x = RANDOM.normal(size=shape).astype(np.float32)
        np.testing.assert_allclose(net(nd.array(x)).asnumpy(), reference(arrays, x), rtol=1e-4, atol=1e-6)
    assert (
        len(sessions) == 6
    )  # of 9x8 pixels, any width, any height, then of two images, any number, any of all


def test_gradients_where_sizes_change(tmp_path: pathlib.Path) -> None:
    files = write(tmp_path, head(), parameters(head(), data=(1, 2, 8, 8)))
    symbolic, static = (SymbolBlock.imports(files[0], None, files[1]) for _ in range(2))
    static.hybridize(static_shape=True)
    for shape in ((2, 2, 9, 9), (3, 2, 12, 15), (4, 2, 7, 10)):
        x = nd.array(RANDOM.normal(size=shape))
        gradients = []
        for net in (symbolic, static):
            with autograd.record():
                loss = (net(x) ** 2).sum()
            loss.backward()
            gradients.append(net.collect_params()["conv_weight"].grad().asnumpy())
        np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)
        assert abs(gradients[0]).max() > 1e-3


def test_static_shapes_are_compiled_one_by_one(tmp_path: pathlib.Path, sessions: list[int]) -> None:
    files = write(tmp_path, head(), parameters(head(), data=(1, 2, 8, 8)))
    net = SymbolBlock.imports(files[0], None, files[1])
    net.hybridize(static_shape=True)
    for n in (2, 3, 4, 3, 2):
        net(nd.zeros((n, 2, 8, 8)))
    assert len(sessions) == 3


def test_sizes_that_agree_by_rounding(tmp_path: pathlib.Path) -> None:
    """9 and 10 pixels give the same number of features, which formulas of sizes do not show."""
    x = mx.sym.Convolution(
        mx.sym.var("data"), num_filter=2, kernel=(3, 3), stride=(2, 2), no_bias=True, name="conv"
    )
    sym = mx.sym.FullyConnected(x, num_hidden=3, name="fc")
    arrays = parameters(sym, data=(1, 1, 9, 9))
    files = write(tmp_path, sym, arrays)
    net = SymbolBlock.imports(files[0], None, files[1])
    image = RANDOM.normal(size=(1, 1, 10, 10)).astype(np.float32)
    small = net(nd.array(image[:, :, :9, :9])).asnumpy()
    np.testing.assert_allclose(net(nd.array(image)).asnumpy(), small, rtol=1e-5)
    with pytest.raises(MXNetError, match="fc"):
        net(nd.zeros((1, 1, 13, 13)))


# -- parameters that change --------------------------------------------------------------------------------


def made() -> tuple[gluon.HybridBlock, nd.NDArray]:
    net = nn.HybridSequential()
    net.add(nn.Dense(4, in_units=3), nn.Dense(2, in_units=4))
    net.initialize(mx.init.Normal(1.0))
    net.hybridize()
    x = nd.array(RANDOM.normal(size=(5, 3)))
    net(x)
    return net, x


def eager(net: gluon.HybridBlock, x: nd.NDArray) -> np.ndarray:
    y = x
    for layer in net:
        y = nd.FullyConnected(y, layer.weight.data(), layer.bias.data(), num_hidden=layer._units)
    result: np.ndarray = y.asnumpy()
    return result


def step(net: gluon.HybridBlock, x: nd.NDArray) -> None:
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5})
    with autograd.record():
        loss = (net(x) ** 2).sum()
    loss.backward()
    trainer.step(5)


CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "set_data": lambda net, x: net[1].bias.set_data(nd.array([3, 4])),
    "in place": lambda net, x: net[0].weight.data().__imul__(2),
    "item": lambda net, x: net[0].weight.data().__setitem__((1, 2), 7),
    "view": lambda net, x: net[0].weight.data()[1].__setitem__(slice(None), 7),
    "initialize": lambda net, x: net.initialize(mx.init.One(), force_reinit=True),
    "cast": lambda net, x: (net.cast("float16"), net.cast("float32")),
    "reset_ctx": lambda net, x: (
        net[0].weight.set_data(nd.ones((4, 3))),
        net.collect_params().reset_ctx(mx.cpu()),
    ),
    "training": step,
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_parameters_are_seen(change: str) -> None:
    net, x = made()
    before = net(x).asnumpy()
    np.testing.assert_allclose(before, eager(net, x), rtol=1e-4, atol=1e-5)
    CHANGES[change](net, x)
    for _ in range(4):
        after = net(x).asnumpy()
        np.testing.assert_allclose(after, eager(net, x), rtol=1e-4, atol=1e-5)
    if change != "cast":
        assert abs(after - before).max() > 1e-2


def test_parameters_of_a_block_that_trains_are_built_in_when_they_rest(sessions: list[int]) -> None:
    net, x = made()
    for _ in range(3):
        step(net, x)
        net(x)
    count = len(sessions)
    step(net, x)
    net(x)
    assert len(sessions) == count, "an evaluation between steps compiles nothing"
    for _ in range(4):
        net(x)
    assert len(sessions) == count + 1
    assert net._compiled is not None and net._compiled._latest is not None


def test_nodes_have_no_empty_inputs_at_the_end() -> None:
    """ONNX Runtime does not fuse a normalization into a Conv that has one."""
    net = nn.HybridSequential()
    net.add(nn.Conv2D(2, 3, in_channels=1, use_bias=False), nn.BatchNorm(in_channels=2))
    net.initialize()
    net.hybridize()
    net(nd.zeros((1, 1, 5, 5)))
    assert net._compiled is not None and net._compiled._latest is not None
    ((executable, *_),) = net._compiled._latest._executables.values()
    nodes = executable.program.model.graph.node
    assert [n.op_type for n in nodes].count("Conv") == 1
    assert all(n.input[-1] for n in nodes if n.input)


def test_sessions_end_with_their_block() -> None:
    gc.collect()
    count = len(session._live)
    net, _ = made()
    assert len(session._live) == count + 1
    del net
    gc.collect()
    assert len(session._live) == count


def test_contexts_have_parameters_of_their_own() -> None:
    net = nn.Dense(2, in_units=3)
    net.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    net.hybridize()
    x = np.ones((1, 3), np.float32)
    net.weight.data(mx.cpu(1))[:] = 5
    first, second = (net(nd.array(x, ctx=mx.cpu(i))) for i in (0, 1))
    for _ in range(3):
        assert net(nd.array(x, ctx=mx.cpu(1))).asnumpy().tolist() == [[15, 15]]
        np.testing.assert_array_equal(net(nd.array(x, ctx=mx.cpu(0))).asnumpy(), first.asnumpy())
    assert (first.context, second.context) == (mx.cpu(0), mx.cpu(1))


# -- what the short path must not skip ---------------------------------------------------------------------


def test_hooks_are_called_every_time() -> None:
    net, x = made()
    seen: list[str] = []
    net(x)
    before = net.register_forward_pre_hook(lambda block, args: seen.append("before"))
    after = net.register_forward_hook(lambda block, args, out: seen.append("after"))
    net(x)
    net(x)
    before.detach()
    after.detach()
    net(x)
    assert seen == ["before", "after"] * 2


def test_operator_hooks_are_called_without_their_labels(tmp_path: pathlib.Path) -> None:
    files = write(tmp_path, classifier(), parameters(classifier(), data=(2, 4)))
    net = SymbolBlock.imports(files[0], None, files[1])
    x = nd.array(RANDOM.normal(size=(2, 4)))
    net(x)
    seen: list[str] = []
    net.register_op_hook(lambda name, op, array: seen.append(name), monitor_all=True)
    net(x)
    assert seen == ["fc_data", "fc_weight", "fc_bias", "fc_output", "softmax_data", "softmax_output"]


def test_an_overridden_forward_is_called() -> None:
    class Doubled(nn.Dense):
        def forward(self, x: Any, *args: Any) -> Any:
            return super().forward(x, *args) * 2

    net, plain = Doubled(2, in_units=3), nn.Dense(2, in_units=3)
    for block in (net, plain):
        block.initialize(mx.init.One())
        block.hybridize()
    for _ in range(3):
        assert net(nd.ones((1, 3))).asnumpy().tolist() == [[6, 6]]
        assert plain(nd.ones((1, 3))).asnumpy().tolist() == [[3, 3]]


def test_recording_after_inference() -> None:
    net, x = made()
    net(x)
    x.attach_grad()
    with autograd.record():
        y = net(x).sum()
    y.backward()
    expected = net[1].weight.data().asnumpy().sum(0) @ net[0].weight.data().asnumpy()
    np.testing.assert_allclose(x.grad.asnumpy(), np.tile(expected, (5, 1)), rtol=1e-4)


def test_random_operators_draw_every_time() -> None:
    class Noise(gluon.HybridBlock):
        def hybrid_forward(self, F: Any, x: Any) -> Any:
            return x + F.random.uniform(shape=(4,))

    net = Noise()
    net.hybridize()
    mx.random.seed(5)
    first = [net(nd.zeros((4,))).asnumpy() for _ in range(3)]
    assert not np.array_equal(first[0], first[1]) and not np.array_equal(first[1], first[2])
    mx.random.seed(5)
    np.testing.assert_array_equal([net(nd.zeros((4,))).asnumpy() for _ in range(3)], first)


def test_outputs_belong_to_the_caller() -> None:
    net, x = made()
    first = net(x)
    kept = first.asnumpy()
    first[:] = 100
    np.testing.assert_array_equal(net(x).asnumpy(), kept)
    assert first.asnumpy().min() == 100


@pytest.mark.parametrize("wrong", [(), (1,), ("x",), (None,)], ids=["none", "number", "text", "None"])
def test_wrong_arguments(wrong: tuple[Any, ...]) -> None:
    net, x = made()
    block = SymbolBlock(net(mx.sym.var("data")), mx.sym.var("data"), params=net.collect_params())
    block(x)
    with pytest.raises((TypeError, ValueError)):
        block(*wrong)
    with pytest.raises(ValueError, match="nested structure"):
        block(x, x)


def test_symbols_in_place_of_arrays(tmp_path: pathlib.Path) -> None:
    files = write(tmp_path, classifier(), parameters(classifier(), data=(2, 4)))
    net = SymbolBlock.imports(files[0], None, files[1])
    out = net(mx.sym.var("other") * 2)
    assert out.list_arguments() == ["other", "fc_weight", "fc_bias", "softmax_label"]
    with pytest.raises(MXNetError, match="must be variables"):
        SymbolBlock(out, mx.sym.var("x") * 2)


# -- MXNet -----------------------------------------------------------------------------------------------

EXECUTE = """
import sys, numpy as np, mxnet as mx
with np.load(sys.argv[2]) as f:
    arrays = {k: mx.nd.array(f[k]) for k in f}
out = mx.sym.load(sys.argv[1]).bind(mx.cpu(), arrays).forward()[0]
np.save(sys.argv[3], out.asnumpy())
"""


@pytest.mark.oracle
@pytest.mark.parametrize(("backend", "right"), [("NONE", True), ("", False)], ids=["plain", "default"])
def test_mxnet_fuses_residual_sums_wrongly(tmp_path: pathlib.Path, backend: str, right: bool) -> None:
    """With its default backend, executors of MXNet 1.9.1 sum what an activation has been applied to in place."""

    def conv(x: Any, name: str) -> Any:
        return mx.sym.Convolution(x, num_filter=4, kernel=(3, 3), pad=(1, 1), name=name)

    first = conv(mx.sym.var("data"), "c1")
    inner = mx.sym.Activation(conv(mx.sym.Activation(first, act_type="relu"), "c2"), act_type="relu")
    sym = mx.sym.Activation(conv(inner, "c3") + first, act_type="relu")
    shapes = dict(zip(sym.list_arguments(), sym.infer_shape(data=(1, 3, 6, 6))[0], strict=True))
    arrays = {n: RANDOM.uniform(-1, 1, s).astype(np.float32) for n, s in shapes.items()}
    write(tmp_path, sym)
    np.savez(tmp_path / "x.npz", **arrays)
    paths = [tmp_path / n for n in ("net-symbol.json", "x.npz", "y.npy")]
    environment = {**os.environ, "MXNET_SUBGRAPH_BACKEND": backend} if backend else None
    command = [os.environ["MXNET_PYTHON"], "-c", EXECUTE, *paths]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    found = sym.bind(mx.cpu(), {n: nd.array(x) for n, x in arrays.items()}).forward()[0].asnumpy()
    expected = np.load(tmp_path / "y.npy")
    assert (abs(found - expected).max() / abs(expected).max() < 1e-5) == right


MODELS = sorted(glob.glob(os.path.join(os.environ.get("MXNET_MODELS", os.devnull), "*-symbol.json")))
SHAPES = {
    "det1": [(1, 3, 12, 12), (2, 3, 40, 57), (1, 3, 121, 90), (3, 3, 33, 33)],
    "det2": [(1, 3, 24, 24), (3, 3, 24, 24), (16, 3, 24, 24)],
    "det3": [(1, 3, 48, 48), (4, 3, 48, 48)],
    "det4": [(1, 15, 24, 24), (3, 15, 24, 24)],
    "genderage": [(1, 3, 112, 112), (2, 3, 112, 112), (5, 3, 112, 112), (1, 3, 96, 128), (1, 3, 64, 64)],
    "lffd_plate_small": [(1, 3, 320, 320), (2, 3, 160, 224), (1, 3, 333, 417)],
    "mobileface_v1": [(1, 1, 112, 112), (2, 1, 112, 112), (1, 1, 100, 100)],
}
PREDICT = """
import json, sys, numpy as np, mxnet as mx
sym, args, aux = mx.model.load_checkpoint(sys.argv[1], int(sys.argv[2]))
found = {}
for k, shape in enumerate(json.loads(sys.argv[3])):
    executor = sym.simple_bind(mx.cpu(), grad_req="null", data=tuple(shape))
    executor.copy_params_from(args, aux, allow_extra_params=True)
    image = np.random.RandomState(k).uniform(-1, 1, shape).astype("float32")
    for i, out in enumerate(executor.forward(is_train=False, data=mx.nd.array(image))):
        found["%d_%d" % (k, i)] = out.asnumpy()
np.savez(sys.argv[4], **found)
"""


@pytest.mark.oracle
@pytest.mark.parametrize(
    "path", MODELS, ids=[os.path.basename(p).removesuffix("-symbol.json") for p in MODELS]
)
def test_public_models(path: str, tmp_path: pathlib.Path) -> None:
    """Models of a face detector, of faces and of licence plates in the folder that MXNET_MODELS names."""
    prefix = path.removesuffix("-symbol.json")
    params = sorted(glob.glob(f"{prefix}-[0-9]*.params"))[-1]
    shapes = SHAPES[os.path.basename(prefix)]
    epoch = str(int(params.removesuffix(".params")[-4:]))
    command = [
        os.environ["MXNET_PYTHON"],
        "-c",
        PREDICT,
        prefix,
        epoch,
        json.dumps(shapes),
        tmp_path / "out.npz",
    ]
    subprocess.run(
        command, check=True, env={**os.environ, "MXNET_SUBGRAPH_BACKEND": "NONE"}, capture_output=True
    )
    net = SymbolBlock.imports(path, None, params)
    with np.load(tmp_path / "out.npz") as expected:
        for k, shape in enumerate(shapes):
            out = net(nd.array(np.random.RandomState(k).uniform(-1, 1, shape)))
            for i, y in enumerate(out if isinstance(out, list) else [out]):
                wanted = expected[f"{k}_{i}"]
                assert y.shape == wanted.shape
                assert abs(y.asnumpy() - wanted).max() / abs(wanted).max() < 1e-4
