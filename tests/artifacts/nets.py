"""Networks, data and training loops for the tests of training artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import gluon_onnx as mx
from gluon_onnx import artifacts
from gluon_onnx.gluon import nn

BATCH, CLASSES, STEPS = 6, 3, 12


def mlp() -> Any:
    net = nn.HybridSequential(prefix="mlp_")
    with net.name_scope():
        net.add(nn.Dense(12, activation="tanh"), nn.Dropout(0.3), nn.Dense(CLASSES))
    return net


def conv() -> Any:
    net = nn.HybridSequential(prefix="conv_")
    with net.name_scope():
        net.add(nn.Conv2D(4, 3), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(2), nn.Dense(CLASSES))
    return net


NETS = {"mlp": (mlp, (BATCH, 10)), "conv": (conv, (BATCH, 1, 8, 8))}


def made(name: str, seed: int = 1) -> Any:
    """A network with initial parameters."""
    build, shape = NETS[name]
    mx.random.seed(seed)
    np.random.seed(seed)
    net = build()
    net.initialize(mx.init.Xavier())
    net.hybridize()
    net(mx.nd.zeros(shape))
    return net


def batches(name: str, steps: int = STEPS) -> list[list[np.ndarray]]:
    """Arrays of data and labels for each step."""
    random = np.random.RandomState(5)
    shape = NETS[name][1]
    data = [random.randn(*shape).astype(np.float32) for _ in range(steps)]
    return [[x, random.randint(0, CLASSES, shape[0]).astype(np.float32)] for x in data]


def written(folder: Path, name: str = "mlp", optimizer: Any = "sgd", **options: Any) -> Any:
    """A directory of artifacts for one of the networks."""
    net = made(name)
    loss = options.pop("loss", "softmax_cross_entropy")
    artifacts.export(net, loss, optimizer, folder, inputs=[NETS[name][1]], **options)
    return net


def trained_by_trainer(
    net: Any, data: Any, optimizer: str, params: dict[str, Any], seed: int = 7
) -> list[float]:
    """The losses of Trainer."""
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = mx.gluon.Trainer(net.collect_params(), optimizer, dict(params))
    mx.random.seed(seed)
    losses = []
    for x, y in data:
        with mx.autograd.record():
            values = loss(net(mx.nd.array(x)), mx.nd.array(y))
        values.backward()
        trainer.step(len(x))
        losses.append(float(values.mean().asscalar()))
    return losses


def trained(session: Any, data: Any) -> list[float]:
    """The losses of a session."""
    losses = []
    for batch in data:
        losses.append(session.train_step(batch))
        session.optimizer_step()
        session.lazy_reset_grad()
    return losses
