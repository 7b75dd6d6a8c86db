"""The models of `training.py` in Gluon: one program for MXNet and for this package."""

from __future__ import annotations

import glob
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], Any]
Array = Callable[[], Any]  # makes the values, so that models which are not run take no memory


def transformer_block(mx: Any, units: int = 256, heads: int = 4) -> Any:
    """An encoder block (attention, feed-forward net of four times the width, layer norms before both)."""
    nn = mx.gluon.nn

    class Block(mx.gluon.HybridBlock):  # type: ignore[misc, name-defined]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            with self.name_scope():
                self.norm1, self.norm2 = nn.LayerNorm(), nn.LayerNorm()
                self.qkv = nn.Dense(3 * units, flatten=False)
                self.out = nn.Dense(units, flatten=False)
                self.wide = nn.Dense(4 * units, flatten=False)
                self.gelu = nn.GELU()
                self.narrow = nn.Dense(units, flatten=False)

        def hybrid_forward(self, F: Any, x: Any) -> Any:
            # (N, T, 3C) -> three of (N * heads, T, C / heads)
            qkv = F.reshape(self.qkv(self.norm1(x)), (0, 0, 3, heads, -1))
            qkv = F.reshape(F.transpose(qkv, (2, 0, 3, 1, 4)), (0, -3, 0, 0))
            q, k, v = F.split(qkv, 3, axis=0, squeeze_axis=True)
            scores = F.batch_dot(q * (1 / math.sqrt(units // heads)), k, transpose_b=True)
            mixed = F.batch_dot(F.softmax(scores, axis=-1), v)
            mixed = F.reshape(F.transpose(F.reshape(mixed, (-4, -1, heads, 0, 0)), (0, 2, 1, 3)), (0, 0, -3))
            x = x + self.out(mixed)
            return x + self.narrow(self.gelu(self.wide(self.norm2(x))))

    return Block()


def language_model(mx: Any, vocabulary: int = 10000, hidden: int = 256) -> Any:
    """Embedding, two LSTM layers, a linear decoder; tokens in (T, N)."""
    gluon = mx.gluon

    class Model(gluon.HybridBlock):  # type: ignore[misc, name-defined]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            with self.name_scope():
                self.embedding = gluon.nn.Embedding(vocabulary, hidden)
                self.lstm = gluon.rnn.LSTM(hidden, 2, input_size=hidden)
                self.decoder = gluon.nn.Dense(vocabulary, flatten=False)

        def hybrid_forward(self, F: Any, tokens: Any) -> Any:
            return F.reshape(self.decoder(self.lstm(self.embedding(tokens))), (-3, 0))

    return Model()


def _mlp(mx: Any) -> Any:
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    net.add(nn.Dense(512, activation="relu"), nn.Dense(512, activation="relu"), nn.Dense(10))
    return net


def _lenet(mx: Any) -> Any:
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(20, 5, activation="tanh"),
        nn.MaxPool2D(2, 2),
        nn.Conv2D(50, 5, activation="tanh"),
        nn.MaxPool2D(2, 2),
        nn.Flatten(),
        nn.Dense(500, activation="tanh"),
        nn.Dense(10),
    )
    return net


def training(
    mx: Any, make: Callable[[Any], Any], x: Array, y: Array, loss: str = "SoftmaxCrossEntropyLoss"
) -> Callable[[], Step]:
    """A step of SGD with momentum, the way Gluon programs are written."""

    def prepare() -> Step:
        net = make(mx)
        net.initialize(mx.init.Xavier())
        net.hybridize(static_alloc=True, static_shape=True)
        criterion = getattr(mx.gluon.loss, loss)()
        criterion.hybridize(static_alloc=True, static_shape=True)
        trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1e-3, "momentum": 0.9})
        data, label = mx.nd.array(x()), mx.nd.array(y())

        def step() -> None:
            with mx.autograd.record():
                value = criterion(net(data), label)
            value.backward()
            trainer.step(label.shape[0])
            mx.nd.waitall()

        return step

    return prepare


def inference(mx: Any, make: Callable[[Any], Any], x: Array) -> Callable[[], Step]:
    """A forward pass of a hybridized net."""

    def prepare() -> Step:
        net = make(mx)
        net.initialize(mx.init.Xavier())
        net.hybridize(static_alloc=True, static_shape=True)
        data = mx.nd.array(x())

        def step() -> None:
            net(data).wait_to_read()

        return step

    return prepare


def images(n: int) -> Array:
    """A batch of `n` images of 224x224."""
    return lambda: np.random.RandomState(0).rand(n, 3, 224, 224).astype("float32")


def values(*shape: int) -> Array:
    """Numbers in [0, 1)."""
    return lambda: np.random.RandomState(0).rand(*shape).astype("float32")


def classes(count: int, *shape: int) -> Array:
    """Class numbers below `count`."""
    return lambda: np.random.RandomState(0).randint(0, count, shape)


def zoo(name: str) -> Callable[[Any], Any]:
    """A net of the model zoo."""
    return lambda mx: getattr(mx.gluon.model_zoo.vision, name)()


def pretrained(mx: Any, case: str) -> tuple[str, Any]:
    """Symbol file and input of the case ``pretrained FILE-symbol.json@1x3x224x224``."""
    path, _, shape = case.removeprefix("pretrained ").rpartition("@")
    return path, mx.nd.array(values(*map(int, shape.split("x")))())


def params_of(path: str) -> str:
    """The newest parameters beside a symbol file."""
    return max(glob.glob(glob.escape(path.removesuffix("-symbol.json")) + "-[0-9]*.params"))


def cases(mx: Any) -> dict[str, Callable[[], Step]]:
    """The models for the module `mx`, by the names that `training.py` has."""
    return {
        "mlp": training(mx, _mlp, values(128, 784), classes(10, 128)),
        "lenet": training(mx, _lenet, values(64, 1, 28, 28), classes(10, 64)),
        "resnet18": training(mx, zoo("resnet18_v1"), images(16), classes(1000, 16)),
        "resnet50-inference-1": inference(mx, zoo("resnet50_v1"), images(1)),
        "resnet50-inference-8": inference(mx, zoo("resnet50_v1"), images(8)),
        "mobilenetv2": training(mx, zoo("mobilenet_v2_1_0"), images(16), classes(1000, 16)),
        "lstm": training(mx, language_model, classes(10000, 35, 32), classes(10000, 35 * 32)),
        "transformer": training(mx, transformer_block, values(16, 128, 256), values(16, 128, 256), "L2Loss"),
    }
