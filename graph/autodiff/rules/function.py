"""Gradient rules of operators that are short functions of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import DimLike, prod
from ...errors import NotDifferentiableError
from ...ranges import numbers
from ..engine import Gradient, attribute, rule, tensor
from .matrix import swap

__all__: list[str] = []


def _centres(g: Builder, size: DimLike, corners: bool, like: Tensor) -> Tensor:
    """The places from -1 to 1 of the elements of an axis."""
    index, extent = numbers(g, size, like.dt), g.cast(g.dim(size), like.dt)
    if corners:
        return index * 2.0 / g.op("Max", extent - 1.0, 1.0) - 1.0
    return (index * 2.0 + 1.0) / extent - 1.0


@rule("AffineGrid")
def affine_grid(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    """Sums of products with the places of the grid that the matrices map."""
    corners, sizes = bool(attribute(n, "align_corners", 0)), dy.dims[1:-1]
    rank, parts = len(sizes), []
    for axis in range(rank)[::-1]:
        shape = [d if i == axis else 1 for i, d in enumerate(sizes)]
        place = g.reshape(_centres(g, sizes[axis], corners, dy), shape)
        parts.append(g.unsqueeze(g.expand(place, sizes), rank))
    parts.append(g.fill((*sizes, 1), 1, dy.dt))
    places = g.reshape(g.op("Concat", *parts, axis=rank), (prod(sizes), rank + 1))
    return g.op("MatMul", swap(g, g.reshape(dy, (dy.dims[0], prod(sizes), rank))), places)


@rule("CenterCropPad")
def center_crop_pad(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    """Cropped elements get zeros, padded ones have no source."""
    x = tensor(n.inputs[0])
    for axis in {a % x.ndim for a in attribute(n, "axes", range(x.ndim))}:
        have, want = x.dims[axis], dy.dims[axis]
        if have == want:
            continue
        if not isinstance(have, int) or not isinstance(want, int):
            raise NotDifferentiableError(
                f"ONNX CenterCropPad: the gradient needs static sizes, axis {axis} has {have} and {want}"
            )
        if have < want:
            begin = (want - have) // 2
            dy = g.slice(dy, [axis], [begin], [begin + have])
            continue
        begin = (have - want) // 2
        widths = np.zeros((2, x.ndim), np.int64)
        widths[:, axis] = begin, have - want - begin
        dims = [have if i == axis else d for i, d in enumerate(dy.dims)]
        dy = g.with_dims("Pad", dims, dy, g.ints(*widths.reshape(-1).tolist()))
    return dy


@rule("DequantizeLinear")
def dequantize_linear(g: Builder, n: ir.Node, dy: Tensor) -> Sequence[Gradient]:
    """That of the scale: the sum over all elements that share it."""
    x, scale = tensor(n.inputs[0]), tensor(n.inputs[1])
    zero = tensor(n.inputs[2]) if len(n.inputs) > 2 and n.inputs[2] is not None else None
    axis, block = int(attribute(n, "axis", 1)), int(attribute(n, "block_size", 0))

    def wide(t: Tensor) -> Tensor:
        """A tensor of the form of the scale, so that it broadcasts with the data (which has blocks as an axis)."""
        if block:
            return g.unsqueeze(t, axis % x.ndim + 1)
        if prod(t.dims) == 1 or t.ndim != 1:
            return g.reshape(t, ()) if prod(t.dims) == 1 else t
        return g.reshape(t, [d if i == axis % x.ndim else 1 for i, d in enumerate(x.dims)])

    def slopes() -> Tensor:
        values, d = g.cast(x, dy.dt), dy
        if block:
            place = axis % x.ndim
            dims = (*x.dims[:place], scale.dims[place], block, *x.dims[place + 1 :])
            values, d = g.reshape(values, dims), g.reshape(d, dims)
        if zero is not None:
            values = values - wide(g.cast(zero, dy.dt))
        total = g.sum_to(d * values, wide(scale).dims)
        return g.cast(g.reshape(total, scale.dims), scale.dt)

    return None, slopes


@rule("Range")
def range_(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    return (
        lambda: g.reduce("Sum", dy, [0]),
        None,
        lambda: g.reduce("Sum", dy * numbers(g, dy.dims[0], dy.dt), [0]),
    )
