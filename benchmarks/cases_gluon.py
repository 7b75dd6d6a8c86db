"""Benchmark cases in Gluon: one program for MXNet and for this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], Any]


def cases(mx: Any) -> dict[str, Callable[[], Step]]:
    """The cases for the module `mx`."""
    nd, gluon = mx.nd, mx.gluon
    nn = gluon.nn

    def eager(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Callable[[], Step]:
        def make() -> Step:
            arrays = [nd.array(np.random.rand(*s)) for s in shapes]

            def step() -> None:
                for _ in range(50):
                    function(*arrays)
                nd.waitall()

            return step

        return make

    def lenet_step() -> Step:
        net = nn.HybridSequential()
        with net.name_scope():
            net.add(
                nn.Conv2D(20, 5, activation="tanh"),
                nn.MaxPool2D(2, 2),
                nn.Conv2D(50, 5, activation="tanh"),
                nn.MaxPool2D(2, 2),
                nn.Flatten(),
                nn.Dense(500, activation="tanh"),
                nn.Dense(10),
            )
        net.initialize(mx.init.Xavier())
        net.hybridize(static_alloc=True, static_shape=True)
        loss = gluon.loss.SoftmaxCrossEntropyLoss()
        loss.hybridize(static_alloc=True, static_shape=True)
        trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.01, "momentum": 0.9})
        x, y = nd.array(np.random.rand(64, 1, 28, 28)), nd.array(np.random.randint(0, 10, 64))

        def step() -> None:
            with mx.autograd.record():
                value = loss(net(x), y)
            value.backward()
            trainer.step(64)
            value.wait_to_read()
            nd.waitall()

        return step

    return {
        "eager add 4x5": eager(lambda a, b: a + b, (4, 5), (4, 5)),
        "eager relu 4x5": eager(nd.relu, (4, 5)),
        "eager exp 64x64": eager(nd.exp, (64, 64)),
        "eager sum 64x64": eager(lambda a: nd.sum(a, axis=1), (64, 64)),
        "eager dot 64x64": eager(nd.dot, (64, 64), (64, 64)),
        "eager FullyConnected 32x64x16": eager(
            lambda a, w, b: nd.FullyConnected(a, w, b, num_hidden=16), (32, 64), (16, 64), (16,)
        ),
        "LeNet step, batch 64": lenet_step,
    }


def resnet18(mx: Any) -> Any:
    """A net of the shape of ResNet-18 (v1): 3x224x224 to 1000 classes."""
    nn = mx.gluon.nn

    class Residual(mx.gluon.HybridBlock):  # type: ignore[misc, name-defined]
        def __init__(self, channels: int, stride: int, project: bool, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            with self.name_scope():
                self.body = nn.HybridSequential()
                with self.body.name_scope():
                    self.body.add(
                        nn.Conv2D(channels, 3, stride, 1, use_bias=False),
                        nn.BatchNorm(),
                        nn.Activation("relu"),
                        nn.Conv2D(channels, 3, 1, 1, use_bias=False),
                        nn.BatchNorm(),
                    )
                self.shortcut = nn.HybridSequential()
                with self.shortcut.name_scope():
                    if project:
                        self.shortcut.add(nn.Conv2D(channels, 1, stride, use_bias=False), nn.BatchNorm())

        def hybrid_forward(self, F: Any, x: Any) -> Any:
            return F.Activation(self.body(x) + self.shortcut(x), act_type="relu")

    net = nn.HybridSequential()
    with net.name_scope():
        net.add(
            nn.Conv2D(64, 7, 2, 3, use_bias=False),
            nn.BatchNorm(),
            nn.Activation("relu"),
            nn.MaxPool2D(3, 2, 1),
        )
        for i, channels in enumerate([64, 128, 256, 512]):
            net.add(Residual(channels, 1 if i == 0 else 2, i > 0), Residual(channels, 1, False))
        net.add(nn.GlobalAvgPool2D(), nn.Dense(1000))
    net.initialize(mx.init.Xavier())
    return net
