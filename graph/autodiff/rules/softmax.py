"""Gradient rules of softmax, the losses built on it, and Dropout."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import prod
from ...errors import NotDifferentiableError
from ...ranges import numbers
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


def _label_slopes(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Tensor, Tensor]:
    """For a loss over classes along axis 1: the label of each place as a one-hot mask, and its weight in the gradient.

    Both broadcast against the scores (batch, classes, ...).
    """
    scores, labels = tensor(n.inputs[0]), tensor(n.inputs[1])
    weights = tensor(n.inputs[2]) if len(n.inputs) > 2 and n.inputs[2] is not None else None
    ignored, reduction = attribute(n, "ignore_index"), attribute(n, "reduction", "mean")
    index = g.unsqueeze(g.cast(labels, np.int64), 1)
    hit = g.op(
        "Equal", g.reshape(numbers(g, scores.dims[1]), (scores.dims[1], *(1,) * (scores.ndim - 2))), index
    )
    share = g.fill(index.dims, 1, scores.dt)
    if weights is not None:
        column = g.reshape(weights, (weights.dims[0], *(1,) * (scores.ndim - 2)))
        share = g.reduce("Sum", g.cast(hit, scores.dt) * column, [1], keepdims=True)
    if ignored is not None:
        share = share * g.cast(g.op("Not", g.op("Equal", index, np.int64(ignored))), scores.dt)
    if reduction == "none":
        return hit, share * g.unsqueeze(dy, 1)
    if reduction == "mean":
        total = g.reduce("Sum", share, range(share.ndim), keepdims=True)
        share = share / total
    return hit, share * dy


@rule("NegativeLogLikelihoodLoss")
def nll_loss(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    hit, share = _label_slopes(g, n, dy)
    return -(g.cast(hit, share.dt) * share)


@rule("SoftmaxCrossEntropyLoss")
def cross_entropy_loss(g: Builder, n: ir.Node, dy: Tensor | None, dlog: Tensor | None = None) -> Gradient:
    """The second result, if it is there, holds the logarithms of the probabilities, which have gradients too."""
    scores = tensor(n.inputs[0])
    named = len(n.outputs) > 1 and bool(n.outputs[1].name)
    log = tensor(n.outputs[1]) if named else g.op("LogSoftmax", scores, axis=1)
    odds, total = g.op("Exp", log), None
    if dy is not None:
        hit, share = _label_slopes(g, n, dy)
        total = (odds - g.cast(hit, share.dt)) * share
    if dlog is not None:
        part = dlog - odds * g.reduce("Sum", dlog, [1], keepdims=True)
        total = part if total is None else total + part
    return total


@rule("Dropout")
def dropout(g: Builder, n: ir.Node, dy: Tensor, _: Tensor | None = None) -> Gradient:
    """Outside of training the identity; else what the mask, the second result, leaves."""
    training = tensor(n.inputs[2]).const if len(n.inputs) > 2 and n.inputs[2] is not None else np.bool_(False)
    if training is not None and not training.any():
        return dy
    if len(n.outputs) < 2 or not n.outputs[1].name:
        raise NotDifferentiableError(
            "ONNX Dropout in training mode: the gradient needs its second output, the mask"
        )
    ratio = tensor(n.inputs[1]) if n.inputs[1] is not None else g.const(0.5, dy.dt)
    kept = g.cast(tensor(n.outputs[1]), dy.dt)
    scale = 1.0 / (1.0 - g.cast(ratio, dy.dt))
    if training is None:
        training_now = g.cast(tensor(n.inputs[2]), np.bool_)
        scale = g.op("Where", training_now, scale, g.const(1, dy.dt))
    return dy * kept * scale


@rule("MaxUnpool")
def max_unpool(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    """The elements at the places that the values were put to."""
    x, indices = tensor(n.inputs[0]), tensor(n.inputs[1])
    flat = g.reshape(dy, (prod(dy.dims),))
    return g.reshape(g.op("Gather", flat, g.reshape(indices, (prod(x.dims),)), axis=0), x.dims)
