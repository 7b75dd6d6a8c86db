"""Blocks: names, children, hooks, files, hybridization, export."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import gluon_onnx as mx
from gluon_onnx import autograd, gluon, nd
from gluon_onnx.base import MXNetError
from gluon_onnx.gluon import nn


class Net(gluon.HybridBlock):
    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.a = nn.Dense(8, activation="relu")
            self.b = nn.Dense(3)

    def hybrid_forward(self, F, x):  # type: ignore[no-untyped-def]
        return F.log_softmax(self.b(self.a(x)))


def made(**kwargs: object) -> Net:
    net = Net(**kwargs)
    net.initialize(mx.init.Xavier())
    return net


X = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)


def test_names_are_those_of_mxnet() -> None:
    net = Net(prefix="net_")
    assert list(net.collect_params()) == [
        "net_dense0_weight",
        "net_dense0_bias",
        "net_dense1_weight",
        "net_dense1_bias",
    ]
    assert list(net._collect_params_with_prefix()) == ["a.weight", "a.bias", "b.weight", "b.bias"]
    assert net.name == "net" and net.a.prefix == "net_dense0_"
    outputs = net(mx.sym.var("data")).get_internals().list_outputs()
    assert outputs == [
        "data",
        "net_dense0_weight",
        "net_dense0_bias",
        "net_dense0_fwd_output",
        "net_dense0_relu_fwd_output",
        "net_dense1_weight",
        "net_dense1_bias",
        "net_dense1_fwd_output",
        "net_log_softmax0_output",
    ]


def test_collect_params_selects_by_regular_expression() -> None:
    net = Net(prefix="n_")
    assert list(net.collect_params(".*weight|n_dense1_bias")) == [
        "n_dense0_weight",
        "n_dense1_weight",
        "n_dense1_bias",
    ]


def test_deferred_shapes_are_found_by_the_first_forward() -> None:
    net = made()
    with pytest.raises(gluon.DeferredInitializationError):
        net.a.weight.data()
    net(nd.array(X))
    assert net.a.weight.shape == (8, 6)


def test_uninitialized_parameters_are_named() -> None:
    net = Net(prefix="u_")
    with pytest.raises(MXNetError, match="u_dense0_weight"):
        net(nd.array(X))


def test_eager_and_hybridized_agree_in_value_and_gradient() -> None:
    net = made()
    results = []
    for active in (False, True):
        net.hybridize(active)
        with autograd.record():
            loss = (net(nd.array(X)) * nd.array(X[:, :3])).sum()
        loss.backward()
        results.append([loss.asnumpy(), *(p.grad().asnumpy() for p in net.collect_params().values())])
    for eager, compiled in zip(*results, strict=True):
        np.testing.assert_allclose(eager, compiled, rtol=1e-5, atol=1e-6)


def test_changed_parameters_are_seen_after_baking() -> None:
    net = made()
    net.hybridize()
    for _ in range(5):
        before = net(nd.array(X)).asnumpy()
    assert net._compiled is not None and net._compiled._latest is not None
    net.b.bias.set_data(net.b.bias.data() + nd.array([5, 0, 0]))
    after = net(nd.array(X)).asnumpy()
    net.hybridize(False)
    np.testing.assert_allclose(after, net(nd.array(X)).asnumpy(), rtol=1e-5, atol=1e-6)
    assert abs(after - before).max() > 1


@pytest.mark.parametrize("batches", [[5, 3, 7, 2]])
def test_batch_size_may_change_between_calls(batches: list[int]) -> None:
    net = made()
    expected = {n: net(nd.array(X[:1].repeat(n, 0))).asnumpy() for n in batches}
    net.hybridize()
    for n in batches:
        np.testing.assert_allclose(
            net(nd.array(X[:1].repeat(n, 0))).asnumpy(), expected[n], rtol=1e-5, atol=1e-6
        )


def test_an_if_on_values_is_refused_when_traced() -> None:
    class Branch(gluon.HybridBlock):
        def hybrid_forward(self, F, x):  # type: ignore[no-untyped-def]
            return x if x.sum() > 0 else -x

    net = Branch()
    net.hybridize()
    with pytest.raises(MXNetError, match="no `if` on tensors"):
        net(nd.array(X))


def test_hooks_are_called_and_can_be_removed() -> None:
    net, calls = made(), []
    before = net.register_forward_pre_hook(lambda block, inputs: calls.append(("before", inputs[0].shape)))
    after = net.register_forward_hook(lambda block, inputs, outputs: calls.append(("after", outputs.shape)))
    net(nd.array(X))
    before.detach()
    after.detach()
    net(nd.array(X))
    assert calls == [("before", (5, 6)), ("after", (5, 3))]


def test_parameters_survive_a_file(tmp_path: object) -> None:
    net, path = made(), f"{tmp_path}/net.params"
    expected = net(nd.array(X)).asnumpy()
    net.save_parameters(path)
    other = Net()
    other.load_parameters(path)
    np.testing.assert_array_equal(other(nd.array(X)).asnumpy(), expected)


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        ("missing", AssertionError, "'b.bias' is missing"),
        ("extra", ValueError, "value for 'c.weight'"),
        ("shape", AssertionError, "shape incompatible"),
        ("truncated", MXNetError, "net.params"),
    ],
)
def test_bad_parameter_files_are_refused(
    tmp_path: object, damage: str, error: type[Exception], message: str
) -> None:
    net, path = made(), f"{tmp_path}/net.params"
    net(nd.array(X))
    arrays = {k: p.data() for k, p in net._collect_params_with_prefix().items()}
    if damage == "missing":
        del arrays["b.bias"]
    elif damage == "extra":
        arrays["c.weight"] = nd.ones((2,))
    elif damage == "shape":
        arrays["b.bias"] = nd.ones((4,))
    nd.save(path, arrays)
    if damage == "truncated":
        with open(path, "rb+") as f:
            f.truncate(100)
    with pytest.raises(error, match=message):
        net.load_parameters(path)


def test_export_runs_in_bare_onnxruntime_at_any_batch_size(tmp_path: object) -> None:
    net = made()
    net.hybridize()
    expected = net(nd.array(X)).asnumpy()
    net.export(f"{tmp_path}/net")
    path = f"{tmp_path}/net-0000.onnx"
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for n in (1, 5):
        np.testing.assert_allclose(session.run(None, {"data": X[:n]})[0], expected[:n], rtol=1e-5, atol=1e-6)
    assert {i.name for i in onnx.load(path).graph.initializer} >= {f"{net.prefix}dense0_weight"}
    block = gluon.SymbolBlock.imports(f"{tmp_path}/net-symbol.json", ["data"], f"{tmp_path}/net-0000.params")
    np.testing.assert_allclose(block(nd.array(X)).asnumpy(), expected, rtol=1e-6)


def test_export_before_a_forward_is_refused(tmp_path: object) -> None:
    with pytest.raises(RuntimeError, match="export needs a traced block"):
        made().export(f"{tmp_path}/net")


def test_inner_features_share_parameters() -> None:
    net = made(prefix="f_")
    expected = net(nd.array(X))
    internals = net(mx.sym.var("data")).get_internals()
    features = gluon.SymbolBlock(
        [internals["f_dense0_relu_fwd_output"], internals["f_log_softmax0_output"]],
        mx.sym.var("data"),
        params=net.collect_params(),
    )
    inner, last = features(nd.array(X))
    assert inner.shape == (5, 8) and (inner.asnumpy() >= 0).all()
    np.testing.assert_allclose(last.asnumpy(), expected.asnumpy(), rtol=1e-5, atol=1e-6)
    net.b.bias.set_data(nd.array([100, 0, 0]))
    assert features(nd.array(X))[1].asnumpy()[:, 0].min() > -1e-3


def test_children_of_hybrid_blocks_must_be_hybrid() -> None:
    class Plain(gluon.Block):
        pass

    class Outer(gluon.HybridBlock):
        def __init__(self) -> None:
            super().__init__()
            self.child = Plain()

    with pytest.raises(ValueError, match="must be HybridBlocks"):
        Outer()


def test_a_changed_input_structure_is_an_error() -> None:
    class Add(gluon.HybridBlock):
        def hybrid_forward(self, F, x, y=None):  # type: ignore[no-untyped-def]
            return x if y is None else x + y

    net = Add()
    net.hybridize()
    net(nd.array(X), nd.array(X))
    with pytest.raises(ValueError, match="structure of the inputs changed"):
        net(nd.array(X), [nd.array(X)])
