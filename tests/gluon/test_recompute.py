"""Blocks whose inner values the backward pass computes once more."""

from __future__ import annotations

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx.gluon import nn
from gluon_onnx.graph.autodiff import Pair
from gluon_onnx.graph.dims import prod

_STAGES, _WIDTH, _BATCH = 3, 8, 5


def _net(recompute: bool, first: bool) -> nn.HybridSequential:
    """Stages of layers, among them a random one and one with states; hybridized before or after they are marked."""
    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        for _ in range(_STAGES):
            stage = nn.HybridSequential()
            with stage.name_scope():
                for _ in range(2):
                    stage.add(nn.Dense(_WIDTH, activation="tanh", in_units=_WIDTH), nn.Dropout(0.3))
                    stage.add(nn.BatchNorm(in_channels=_WIDTH))
            net.add(stage)
    if first:
        net.hybridize()
    for stage in net:
        stage.hybridize(recompute=recompute)
    if not first:
        net.hybridize()
    mx.random.seed(0)
    np.random.seed(0)
    net.initialize(mx.init.Xavier())
    return net


def _step(net: nn.HybridSequential, batch: int = _BATCH) -> dict[str, np.ndarray]:
    x = mx.nd.array(np.random.RandomState(1).randn(batch, _WIDTH))
    x.attach_grad()
    mx.random.seed(5)
    with mx.autograd.record():
        loss = (net(x) ** 2).sum()
    loss.backward()
    found = {"loss": loss.asnumpy(), "x": x.grad.asnumpy()}
    for name, p in net.collect_params().items():
        found[name] = (p.data() if p.grad_req == "null" else p.grad()).asnumpy()
    return found


def _pair(net: nn.HybridSequential) -> Pair:
    assert net._compiled is not None
    (special,) = net._compiled.function._exact.values()
    (pair,) = special._pairs.values()
    return pair


def _saved_bytes(pair: Pair) -> int:
    end = pair.forward.visible
    return sum(int(prod(t.dims)) * t.dt.itemsize for t in pair.forward.outputs[end - pair.saved : end])


@pytest.mark.parametrize("first", [True, False])
def test_the_same_gradients_and_fewer_values_kept(first: bool) -> None:
    usual, again = _net(False, first), _net(True, first)
    expected, found = _step(usual), _step(again)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    activation = _BATCH * _WIDTH * 4
    assert _saved_bytes(_pair(usual)) > 5 * _STAGES * activation
    # What flows from stage to stage, and the random key's derivatives of a few bytes.
    assert _saved_bytes(_pair(again)) < (_STAGES - 1) * activation + 64
    assert len(_pair(again).backward.nodes) > len(_pair(usual).backward.nodes)


def test_batches_of_other_sizes() -> None:
    usual, again = _net(False, True), _net(True, True)
    for batch in (3, 4, 6):
        expected, found = _step(usual, batch), _step(again, batch)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_hybridize_leaves_it_as_it_is_unless_told() -> None:
    net = _net(True, True)
    net.hybridize(static_shape=True)
    _step(net)
    assert _saved_bytes(_pair(net)) < _STAGES * _BATCH * _WIDTH * 4
    for stage in net:
        stage.hybridize(recompute=False)
    net.hybridize()
    _step(net)
    assert _saved_bytes(_pair(net)) > 5 * _STAGES * _BATCH * _WIDTH * 4
