"""Make visualization.json: what MXNet 1.9.1 prints in summaries, and the boxes and arrows of its plots.

Run with an interpreter that has ``mxnet==1.9.1``, ``numpy<1.24`` and ``graphviz``::

    python tests/golden/make_visualization.py
"""

from __future__ import annotations

import contextlib
import io
import json
import pathlib
import warnings

import graphviz
import mxnet as mx
import numpy as np


class Recorder:
    """Stands for graphviz.Digraph and notes what it is told."""

    def __init__(self, name: str, format: str) -> None:
        self.head = [name, format]
        self.calls: list[object] = []

    def node(self, **attributes: str) -> None:
        self.calls.append(["node", attributes])

    def edge(self, **attributes: str) -> None:
        self.calls.append(["edge", attributes])


def mlp() -> mx.sym.Symbol:
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), name="fc1", num_hidden=128)
    net = mx.sym.Activation(net, name="relu1", act_type="relu")
    net = mx.sym.FullyConnected(net, name="fc2", num_hidden=10, no_bias=True)
    return mx.sym.SoftmaxOutput(net, name="softmax")


def convolutional() -> mx.sym.Symbol:
    data = mx.sym.Variable("data")
    net = mx.sym.Convolution(data, name="conv1", num_filter=16, kernel=(3, 3), stride=(2, 2), pad=(1, 1))
    net = mx.sym.BatchNorm(net, name="bn1")
    left = mx.sym.LeakyReLU(net, name="leaky", act_type="leaky")
    right = mx.sym.Convolution(net, name="conv2", num_filter=16, kernel=(1, 1), num_group=4, no_bias=True)
    net = mx.sym.Concat(left, right, name="concat")
    net = mx.sym.Pooling(net, name="pool", kernel=(2, 2), stride=(2, 2), pool_type="max")
    net = mx.sym.Pooling(net, name="global", global_pool=True, kernel=(1, 1), pool_type="avg")
    net = mx.sym.Flatten(net, name="flat")
    return mx.sym.softmax(mx.sym.FullyConnected(net, name="out", num_hidden=5), name="prob")


def words() -> mx.sym.Symbol:
    net = mx.sym.Embedding(mx.sym.Variable("words"), name="emb", input_dim=100, output_dim=28)
    net = mx.sym.Convolution(net, name="conv", num_filter=32, kernel=(3,), no_bias=True)
    net = mx.sym.Activation(net, name="tanh", act_type="tanh")
    parts = mx.sym.SliceChannel(net, name="parts", num_outputs=2)
    return mx.sym.broadcast_add(parts[0], parts[1], name="sum")


def residual() -> mx.sym.Symbol:
    data = mx.sym.Variable("data")
    side = mx.sym.Variable("side")
    net = mx.sym.Convolution(data, name="a_very_long_name_of_a_layer_that_does_not_fit_into_its_column",
                             num_filter=3, kernel=(1, 1))  # fmt: skip
    return mx.sym.Group([mx.sym.elemwise_add(net, side, name="plus"), mx.sym.Flatten(net, name="flat")])


ROWS = [
    (mlp, {"data": [2, 784]}),
    (convolutional, {"data": [2, 3, 32, 32]}),
    (words, {"words": [2, 12]}),
    (residual, {"data": [1, 4, 6, 6], "side": [1, 3, 6, 6]}),
]


def summary(net: mx.sym.Symbol, **kwargs: object) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        mx.viz.print_summary(net, **kwargs)
    return out.getvalue()


def plot(net: mx.sym.Symbol, **kwargs: object) -> object:
    made = mx.viz.plot_network(net, **kwargs)
    return {"head": made.head, "calls": made.calls}


def main() -> None:
    graphviz.Digraph = Recorder
    entries = []
    for build, shapes in ROWS:
        net = build()
        known = {k: tuple(v) for k, v in shapes.items()}
        types = dict.fromkeys(shapes, np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            entries.append(
                {
                    "name": build.__name__,
                    "json": net.tojson(),
                    "shape": shapes,
                    "summary": summary(net),
                    "summary_with_shape": summary(net, shape=known),
                    "narrow": summary(net, shape=known, line_length=80, positions=[20, 40, 60, 80]),
                    "plot": plot(net),
                    "plot_with_shape": plot(net, shape=known, dtype=types),
                    "plot_weights": plot(
                        net, hide_weights=False, node_attrs={"shape": "oval", "fixedsize": "false"}
                    ),
                }
            )
    target = pathlib.Path(__file__).with_name("visualization.json")
    target.write_text(json.dumps(entries, indent=1) + "\n")


if __name__ == "__main__":
    main()
