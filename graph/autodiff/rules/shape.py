"""Gradient rules of operators that move elements."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import DimLike
from ...errors import NotDifferentiableError
from ..engine import Gradient, attribute, rule, tensor


@rule("Reshape", "Squeeze", "Unsqueeze", "Flatten")
def reshape(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return g.reshape(dy, tensor(n.inputs[0]).dims)


@rule("Expand")
def expand(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return g.sum_to(dy, tensor(n.inputs[0]).dims)


@rule("Transpose")
def transpose(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    perm = attribute(n, "perm") or range(dy.ndim)[::-1]
    return g.transpose(dy, [int(i) for i in np.argsort(perm)])


@rule("Concat")
def concat(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    axis, parts, begin = attribute(n, "axis"), [], _zero()
    for x in map(tensor, n.inputs):
        end = begin + x.dims[axis]
        parts.append(_piece(g, dy, axis, begin, end))
        begin = end
    return tuple(parts)


def _zero() -> DimLike:
    return 0


def _piece(g: Builder, dy: Tensor, axis: int, begin: DimLike, end: DimLike) -> Gradient:
    return lambda: g.slice(dy, [axis], [begin], [end])


@rule("Split")
def split(g: Builder, n: ir.Node, *dys: Tensor | None) -> Gradient:
    outputs = [tensor(v) for v in n.outputs]
    parts = [g.fill(y.dims, 0, y.dt) if dy is None else dy for y, dy in zip(outputs, dys, strict=True)]
    return parts[0] if len(parts) == 1 else g.op("Concat", *parts, axis=attribute(n, "axis", 0))


@rule("Slice")
def slice_(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x = tensor(n.inputs[0])
    operands = [tensor(v).const if v is not None else None for v in n.inputs[1:]]
    starts, ends = operands[0], operands[1]
    if starts is None or ends is None or any(not isinstance(d, int) for d in x.dims):
        return _scatter_slice(g, n, dy)
    axes = operands[2] if len(operands) > 2 and operands[2] is not None else np.arange(len(starts))
    steps = operands[3] if len(operands) > 3 and operands[3] is not None else np.ones(len(starts), np.int64)
    if (np.abs(steps) != 1).any():
        return _scatter_slice(g, n, dy)
    before, after, reverse = [0] * x.ndim, [0] * x.ndim, []
    for s, e, a, k in zip(starts.tolist(), ends.tolist(), axes.tolist(), steps.tolist(), strict=True):
        a %= x.ndim
        size = x.dims[a]
        assert isinstance(size, int)
        first, last, _ = slice(s, None if k < 0 and e < -size else e, k).indices(size)
        if k < 0:
            reverse.append(a)
            first, last = last + 1, first + 1
        before[a], after[a] = first, size - max(last, first)
    if reverse:
        low = np.iinfo(np.int64).min
        dy = g.op("Slice", dy, g.ints(*[-1] * len(reverse)), g.ints(*[low] * len(reverse)), g.ints(*reverse),
                  g.ints(*[-1] * len(reverse)))
    return g.op("Pad", dy, g.ints(*before, *after)) if any(before + after) else dy


def _scatter_slice(g: Builder, n: ir.Node, dy: Tensor) -> Tensor:
    """Slices whose steps or bounds admit no padding: slice the positions and scatter."""
    x = tensor(n.inputs[0])
    count = g.op("ReduceProd", g.op("Shape", x), keepdims=0)
    positions = g.op("Reshape", g.op("Range", g.const(0, np.int64), count, g.const(1, np.int64)), g.op("Shape", x))
    picked = g.op("Slice", positions, *[None if v is None else tensor(v) for v in n.inputs[1:]])
    zeros = g.op("Reshape", g.fill(x.dims, 0, x.dt), g.ints(-1))
    flat = g.op("ScatterElements", zeros, g.op("Reshape", picked, g.ints(-1)), g.op("Reshape", dy, g.ints(-1)), axis=0)
    return g.reshape(flat, x.dims)


@rule("Pad")
def pad(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, pads = tensor(n.inputs[0]), tensor(n.inputs[1]).const
    if attribute(n, "mode", "constant") != "constant":
        return _pad_by_gather(g, n, dy)
    if pads is None:
        raise NotDifferentiableError("ONNX Pad: the gradient needs constant pads")
    axes = list(range(x.ndim))
    if len(n.inputs) > 3 and n.inputs[3] is not None:
        constant = tensor(n.inputs[3]).const
        assert constant is not None
        axes = [int(a) % x.ndim for a in constant]
    before = [int(p) for p in pads[: len(axes)]]
    return g.slice(dy, axes, before, [b + x.dims[a] for a, b in zip(axes, before, strict=True)])


def _pad_by_gather(g: Builder, n: ir.Node, dy: Tensor) -> Tensor:
    """Edge, reflect and wrap padding copy elements: pad the positions in the same way and scatter-add."""
    x = tensor(n.inputs[0])
    count = g.op("ReduceProd", g.op("Shape", x), keepdims=0)
    positions = g.op("Reshape", g.op("Range", g.const(0, np.int64), count, g.const(1, np.int64)), g.op("Shape", x))
    padded = g.op("Pad", positions, tensor(n.inputs[1]), mode=attribute(n, "mode"))
    zeros = g.op("Reshape", g.fill(x.dims, 0, x.dt), g.ints(-1))
    flat = g.op("ScatterElements", zeros, g.op("Reshape", padded, g.ints(-1)), g.op("Reshape", dy, g.ints(-1)),
                axis=0, reduction="add")
    return g.reshape(flat, x.dims)


@rule("Tile")
def tile(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, repeats = tensor(n.inputs[0]), tensor(n.inputs[1]).const
    if repeats is None:
        raise NotDifferentiableError("ONNX Tile: the gradient needs constant repeats")
    dims: list[DimLike] = []
    for r, d in zip(repeats.tolist(), x.dims, strict=True):
        dims += [int(r), d]
    return g.reduce("Sum", g.reshape(dy, dims), range(0, 2 * x.ndim, 2))
