"""Gradient rules of normalizations."""

from __future__ import annotations

import onnx_ir as ir

from ...builder import Builder, Tensor
from ...errors import NotDifferentiableError
from ..engine import Gradient, attribute, rule, tensor


@rule("BatchNormalization")
def batch_normalization(g: Builder, n: ir.Node, dy: Tensor, *_: Tensor | None) -> tuple[Gradient, ...]:
    """With given statistics, which have gradients too."""
    if attribute(n, "training_mode", 0):
        raise NotDifferentiableError("ONNX BatchNormalization with training_mode=1 has no gradient rule")
    x, gamma, _beta, mean, var = map(tensor, n.inputs)
    axes = [0, *range(2, x.ndim)]
    inverse = 1.0 / g.op("Sqrt", var + float(attribute(n, "epsilon", 1e-5)))
    total = g.reduce("Sum", dy, axes)

    def dgamma() -> Tensor:
        return (g.reduce("Sum", dy * x, axes) - mean * total) * inverse

    def data() -> Tensor:
        zeros, ones = g.fill(mean.dims, 0, x.dt), g.fill(mean.dims, 1, x.dt)
        return g.op("BatchNormalization", dy, gamma * inverse, zeros, zeros, ones, epsilon=0.0)

    return (data, dgamma, total, lambda: -(total * gamma * inverse),
            lambda: dgamma() * gamma * inverse * inverse * -0.5)
