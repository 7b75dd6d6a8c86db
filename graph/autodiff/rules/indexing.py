"""Gradient rules of gathers and scatters."""

from __future__ import annotations

import onnx_ir as ir

from ...builder import Builder, Tensor
from ..engine import Gradient, attribute, rule, tensor


@rule("Gather")
def gather(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    """Scatter-add over a flattened index. (ScatterND with reduction is a data race in ONNX Runtime 1.31.)"""
    x, indices = map(tensor, n.inputs)
    axis = attribute(n, "axis", 0) % x.ndim
    k = indices.ndim
    perm = [*range(axis, axis + k), *range(axis), *range(axis + k, dy.ndim)]
    rest = [d for i, d in enumerate(x.dims) if i != axis]
    moved = g.transpose(dy, perm)
    count = g.op("Reshape", indices, g.ints(-1))
    rows = g.reshape(moved, [count.dims[0], *rest]) if indices.ndim != 1 else moved
    shape = rows.dims
    positions = g.expand(g.op("Reshape", indices, g.ints(-1, *[1] * len(rest))), shape)
    zeros = g.fill([x.dims[axis], *rest], 0, x.dt)
    total = g.op("ScatterElements", zeros, positions, rows, axis=0, reduction="add")
    return g.transpose(total, [*range(1, axis + 1), 0, *range(axis + 1, x.ndim)])


@rule("GatherElements")
def gather_elements(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, indices = map(tensor, n.inputs)
    return g.op("ScatterElements", g.fill(x.dims, 0, x.dt), indices, dy, axis=attribute(n, "axis", 0), reduction="add")
