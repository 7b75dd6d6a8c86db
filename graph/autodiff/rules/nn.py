"""Gradient rules of neural network operators."""

from __future__ import annotations

import onnx_ir as ir

from ...builder import Builder, Tensor
from ..engine import Gradient, attribute, rule, tensor


@rule("Softmax")
def softmax(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    y, axis = tensor(n.outputs[0]), attribute(n, "axis", -1)
    product = dy * y
    return product - y * g.reduce("Sum", product, [axis], keepdims=True)


@rule("LogSoftmax")
def log_softmax(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    y, axis = tensor(n.outputs[0]), attribute(n, "axis", -1)
    return dy - g.op("Exp", y) * g.reduce("Sum", dy, [axis], keepdims=True)
