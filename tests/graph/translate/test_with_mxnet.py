"""Translations in real MXNet: it loads the files that `gluon-onnx convert` writes, and gives the model's numbers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx.gluon import nn, rnn
from gluon_onnx.gluon.model_zoo import vision
from gluon_onnx.tools import cli

EXECUTE = """
import sys
import mxnet as mx
import numpy as np
symbol, args, aux = mx.model.load_checkpoint("net", 0)
x = np.load("x.npy")
executor = symbol.bind(mx.cpu(), {**args, "data": mx.nd.array(x)}, grad_req="null", aux_states=aux)
np.savez("y.npz", *[y.asnumpy() for y in executor.forward(is_train=False)])
"""


def recurrent() -> Any:
    """Recurrent layers between dense ones, time first."""
    net = nn.HybridSequential()
    net.add(
        nn.Dense(6, flatten=False), rnn.LSTM(5, bidirectional=True), rnn.GRU(4), nn.Dense(3, flatten=False)
    )
    return net


def layers() -> Any:
    """Layers that are not in the networks of the zoo."""
    net = nn.HybridSequential()
    net.add(
        nn.Conv2DTranspose(6, 3, strides=2, padding=1, output_padding=1),
        nn.PReLU(),
        nn.InstanceNorm(),
        nn.MaxPool2D(3, 2, ceil_mode=True),
        nn.GELU(),
        nn.ReflectionPad2D(1),
        nn.AvgPool2D(2, padding=1, count_include_pad=False),
        nn.Flatten(),
        nn.LayerNorm(),
        nn.Dense(4, activation="softrelu"),
    )
    return net


ROWS: list[tuple[str, Callable[[], Any], tuple[int, ...]]] = [
    ("resnet18_v2", lambda: vision.get_model("resnet18_v2"), (1, 3, 64, 64)),
    ("mobilenetv2_0.25", lambda: vision.get_model("mobilenetv2_0.25"), (1, 3, 64, 64)),
    ("squeezenet1.1", lambda: vision.get_model("squeezenet1.1"), (1, 3, 224, 224)),
    ("densenet121", lambda: vision.get_model("densenet121"), (1, 3, 224, 224)),
    ("recurrent", recurrent, (7, 2, 3)),
    ("layers", layers, (2, 3, 6, 6)),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("build", "shape"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_real_mxnet_gives_the_same(
    build: Callable[[], Any], shape: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mx.random.seed(3)
    net = build()
    net.initialize(mx.init.Xavier())
    x = np.random.default_rng(0).random(shape, np.float32)
    np.save("x.npy", x)
    expected = net(mx.nd.array(x)).asnumpy()
    net.hybridize()
    net.export("net.onnx", inputs=[mx.nd.array(x)])
    assert (
        cli.main(["convert", "net.onnx", "-o", "net-symbol.json", "--input", "data=x.npy", "--static"]) == 0
    )
    subprocess.run([os.environ["MXNET_PYTHON"], "-c", EXECUTE], check=True)
    found = np.load("y.npz")["arr_0"]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * float(np.abs(expected).max()))
