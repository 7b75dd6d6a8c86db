"""Training runs of 50 steps, written once for MXNet and for this package.

Run with an interpreter that has MXNet 1.9.1 it writes training.json: the loss curve of every net with every
optimizer, from parameters that depend on their names alone.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
STEPS, BATCH = 50, 32

# Learning rates at which all three nets learn without diverging, so that curves are comparable.
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"learning_rate": 0.2},
    "sgd-momentum": {"learning_rate": 0.02, "momentum": 0.9, "wd": 1e-4},
    "nag": {"learning_rate": 0.02, "momentum": 0.9},
    "adam": {"learning_rate": 0.005},
    "adagrad": {"learning_rate": 0.01},
    "rmsprop": {"learning_rate": 0.003},
    "adadelta": {"rho": 0.9, "epsilon": 1e-4},
    "adamax": {"learning_rate": 0.005},
    "nadam": {"learning_rate": 0.005},
    "ftrl": {"learning_rate": 0.5, "lamda1": 1e-4},
    "signum": {"learning_rate": 0.002, "momentum": 0.9},
    "lamb": {"learning_rate": 0.005},
}
NETS = ("mlp", "lenet", "residual")


def build(mx: Any, name: str) -> Any:
    """The net called `name`, uninitialized."""
    nn = mx.gluon.nn
    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        if name == "mlp":
            net.add(nn.Dense(32, activation="tanh"), nn.Dense(16, activation="tanh"), nn.Dense(10))
        elif name == "lenet":
            net.add(
                nn.Conv2D(8, 3, padding=1, activation="tanh"),
                nn.MaxPool2D(2, 2),
                nn.Conv2D(16, 3, activation="tanh"),
                nn.AvgPool2D(2, 2),
                nn.Flatten(),
                nn.Dense(10),
            )
        else:
            net.add(
                nn.Conv2D(8, 3, padding=1, use_bias=False),
                nn.BatchNorm(),
                nn.Activation("softrelu"),
                residual(mx),
                nn.GlobalAvgPool2D(),
                nn.Dense(10),
            )
    return net


def residual(mx: Any) -> Any:
    """A residual block of two convolutions with BatchNorm.

    Its activations are smooth: with "relu" one bit of rounding moves MXNet's own curves by up to 7 %, because an
    element now and then lies so close to zero that its slope depends on it.
    """
    nn = mx.gluon.nn

    class Residual(mx.gluon.HybridBlock):  # type: ignore[misc, name-defined]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            with self.name_scope():
                self.body = nn.HybridSequential()
                with self.body.name_scope():
                    self.body.add(
                        nn.Conv2D(8, 3, padding=1, use_bias=False),
                        nn.BatchNorm(),
                        nn.Activation("softrelu"),
                        nn.Conv2D(8, 3, padding=1, use_bias=False),
                        nn.BatchNorm(),
                    )

        def hybrid_forward(self, F: Any, x: Any) -> Any:
            return F.Activation(x + self.body(x), act_type="softrelu")

    return Residual()


def value_of(name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The first value of a parameter: a function of its name and shape."""
    if name.endswith(("gamma", "running_var")):
        return np.ones(shape, np.float32)
    if name.endswith(("beta", "running_mean", "bias")):
        return np.zeros(shape, np.float32)
    rng = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
    return rng.uniform(-1, 1, shape).astype(np.float32) * np.sqrt(3.0 / np.prod(shape[1:])).astype(np.float32)


def curve(
    mx: Any,
    net_name: str,
    optimizer: str,
    images: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    hybridize: bool = True,
) -> list[float]:
    """The mean loss of each step."""
    net = build(mx, net_name)
    net.initialize()
    net(mx.nd.array(images[:1]))
    for name, p in net.collect_params().items():
        p.set_data(mx.nd.array(value_of(name, p.shape)))
    if hybridize:
        net.hybridize()
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = mx.gluon.Trainer(net.collect_params(), optimizer.partition("-")[0], dict(OPTIMIZERS[optimizer]))
    losses = []
    for step in range(STEPS):
        rows = np.arange(step * BATCH, (step + 1) * BATCH) % len(images)
        with mx.autograd.record():
            value = loss(net(mx.nd.array(images[rows])), mx.nd.array(labels[rows]))
        value.backward()
        trainer.step(BATCH)
        losses.append(float(value.mean().asscalar()))
    return losses


def data() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The digits that ship with the package, (N, 1, 8, 8) in 0..1 with a little noise, and labels.

    Without noise some pixels are always zero, and MXNet's Adamax divides their gradients, zero, by zero.
    """
    with np.load(HERE.parents[1] / "gluon_onnx" / "gluon" / "data" / "digits.npz") as file:
        images, labels = file["images"], file["labels"]
    noise = np.random.RandomState(0).uniform(0, 0.1, images.shape)
    return (images / 16 + noise).reshape(-1, 1, 8, 8).astype(np.float32), labels.astype(np.float32)


def main() -> None:
    """Write training.json with MXNet."""
    import mxnet as mx

    images, labels = data()
    curves = {
        f"{net}/{opt}": [float(f"{v:.7g}") for v in curve(mx, net, opt, images, labels)]
        for net in NETS
        for opt in OPTIMIZERS
    }
    (HERE / "training.json").write_text(json.dumps(curves, indent=None, separators=(",", ":")) + "\n")
    for name, losses in curves.items():
        print(f"{name:24s} {losses[0]:.4f} -> {losses[-1]:.4f}")


if __name__ == "__main__":
    main()
