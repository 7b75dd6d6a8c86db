"""Makes the models that the command line is tested on: ``python tests/data/models/make.py``.

small: a convolutional classifier of 12x12 pictures, as a symbol with parameters and as ONNX.
unknown: the same with operators that do not exist, an attribute that does not parse, and a label.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import gluon_onnx as mx
from gluon_onnx.gluon import nn

HERE = Path(__file__).parent


def small() -> None:
    """Weights are multiples of 1/64, so that the files hold what is printed."""
    net = nn.HybridSequential(prefix="small_")
    with net.name_scope():
        net.add(
            nn.Conv2D(4, 3, padding=1, use_bias=False), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D()
        )
        net.add(nn.Conv2D(8, 3, padding=1, activation="relu"), nn.AvgPool2D(), nn.Flatten(), nn.Dense(10))
    net.initialize()
    net.hybridize()
    net(mx.nd.zeros((1, 1, 12, 12)))
    random = np.random.RandomState(7)
    for name, parameter in net.collect_params().items():
        shape = parameter.shape
        values = random.randint(-32, 33, shape) / 64
        if name.endswith(("gamma", "var")):
            values = np.abs(values) + 1
        parameter.set_data(mx.nd.array(values.astype(np.float32)))
    net.export(str(HERE / "small"), dynamic_batch=True)
    (HERE / "small-0000.onnx").rename(HERE / "small.onnx")


def unknown() -> None:
    """An attention layer of another library in the place of the normalization, and so on."""
    document = json.loads((HERE / "small-symbol.json").read_text(encoding="utf-8"))
    for node in document["nodes"]:
        if node["op"] == "BatchNorm":
            node["op"] = "GroupedNorm"
        elif node["op"] == "Flatten":
            node["op"] = "Unroll"
        elif node["op"] == "Pooling" and "pool0" in node["name"]:
            node["attrs"]["kernel"] = "(2, two)"
    (HERE / "unknown-symbol.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    small()
    unknown()
