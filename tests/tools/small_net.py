"""A small network with a branch, in MXNet's files and as ONNX, for the tests of commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import gluon_onnx as mx

NODES = ["conv", "bn", "relu", "side", "sum", "pool", "flat", "fc", "softmax"]


def small_symbol() -> mx.sym.Symbol:
    """Convolution, normalization, a residual branch, pooling, a dense layer and a loss."""
    net = mx.sym.Convolution(mx.sym.var("data"), num_filter=4, kernel=(3, 3), pad=(1, 1), name="conv")
    net = mx.sym.Activation(mx.sym.BatchNorm(net, fix_gamma=False, name="bn"), act_type="relu", name="relu")
    side = mx.sym.Convolution(net, num_filter=4, kernel=(1, 1), no_bias=True, name="side")
    net = mx.sym.Pooling(
        mx.sym.elemwise_add(net, side, name="sum"), kernel=(2, 2), stride=(2, 2), name="pool"
    )
    net = mx.sym.FullyConnected(mx.sym.Flatten(net, name="flat"), num_hidden=3, name="fc")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def write_symbol(folder: Path, name: str = "net", seed: int = 0) -> Path:
    """``NAME-symbol.json`` with ``NAME-0003.params`` beside it; returns the former. Its input is 2x8x8."""
    draw = np.random.default_rng(seed)
    net = small_symbol()
    shapes, _, aux = net.infer_shape(data=(1, 2, 8, 8))
    values = {}
    for n, s in zip(net.list_arguments(), shapes, strict=True):
        if n.endswith(("_weight", "_bias", "_beta", "_gamma")):
            values[f"arg:{n}"] = mx.nd.array(draw.standard_normal(s) / 2)
    for n, s in zip(net.list_auxiliary_states(), aux, strict=True):
        values[f"aux:{n}"] = mx.nd.array(draw.random(s) + 0.5)
    path = folder / f"{name}-symbol.json"
    net.save(path)
    mx.nd.save(str(folder / f"{name}-0003.params"), values)
    return path


def write_onnx(path: Path, slope: float = 1.0) -> Path:
    """A dense layer and a Relu with nodes that have no names; the batch is open."""
    weight = np.arange(12, dtype=np.float32).reshape(3, 4) * slope
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w"], ["hidden"], transB=1),
            helper.make_node("Relu", ["hidden"], ["y"]),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weight, "w")],
    )
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), path)
    return path
