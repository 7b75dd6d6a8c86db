"""Gradient rules of gathers, scatters and selections.

Sums over repeated positions use ScatterElements: ScatterND with reduction "add" is a data race in ONNX
Runtime 1.31. Half precision is summed in single, for which there is a kernel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import DimLike, prod
from ...errors import NotDifferentiableError
from ..engine import Gradient, attribute, differentiable, rule, tensor

__all__ = ["scatter", "scatter_along"]


def scatter(
    g: Builder, base: Tensor, indices: Tensor, values: Tensor, axis: int, reduction: str | None = "add"
) -> Tensor:
    """ScatterElements; sums of 16-bit floats are made in float32."""
    if reduction is not None and base.dt.itemsize == 2 and differentiable(base.dt):
        wide = scatter(g, g.cast(base, np.float32), indices, g.cast(values, np.float32), axis, reduction)
        return g.cast(wide, base.dt)
    return g.with_dims("ScatterElements", base.dims, base, indices, values, axis=axis, reduction=reduction)


def scatter_along(g: Builder, dims: Sequence[DimLike], places: Tensor, values: Tensor, axis: int) -> Tensor:
    """Zeros of shape `dims` plus every slice of `values` at its place (a vector) along `axis`."""
    shape = [values.dims[axis] if i == axis else 1 for i in range(len(dims))]
    everywhere = g.expand(g.reshape(places, shape), values.dims)
    return scatter(g, g.fill(dims, 0, values.dt), everywhere, values, axis)


@rule("Gather")
def gather(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, indices = map(tensor, n.inputs)
    axis, count = attribute(n, "axis", 0) % x.ndim, prod(indices.dims)
    rows = g.reshape(dy, (*x.dims[:axis], count, *x.dims[axis + 1 :]))
    return scatter_along(g, x.dims, g.reshape(indices, (count,)), rows, axis)


@rule("GatherElements")
def gather_elements(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, indices = map(tensor, n.inputs)
    return scatter(g, g.fill(x.dims, 0, x.dt), indices, dy, attribute(n, "axis", 0) % x.ndim)


def _rows(g: Builder, indices: Tensor, dims: Sequence[DimLike], batch: int) -> tuple[Tensor, int]:
    """The points of GatherND and ScatterND as row numbers of the array with its leading axes flattened.

    Returns the vector of row numbers and how many axes of `dims` are flattened.
    """
    depth = indices.dims[-1]
    if not isinstance(depth, int):
        raise NotDifferentiableError(
            "the gradient of GatherND and ScatterND needs a static last axis of the indices"
        )
    inner = list(dims[batch : batch + depth])
    points = g.op("Mod", g.cast(indices, np.int64), g.shape_tensor(inner))
    strides = g.reshape(g.shape_tensor([prod(inner[i + 1 :]) for i in range(depth)]), (depth, 1))
    count = prod(indices.dims[:-1])
    rows = g.op("MatMul", g.reshape(points, (count, depth)), strides)
    if batch:
        groups = prod(dims[:batch])
        starts = g.op("Range", g.const(0, np.int64), g.squeeze(g.dim(groups), 0), g.const(1, np.int64))
        offset = g.reshape(starts, (groups, 1)) * g.dim(prod(inner))
        rows = g.reshape(rows, (groups, count // groups)) + offset
    return g.reshape(rows, (count,)), batch + depth


@rule("GatherND")
def gather_nd(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, indices = map(tensor, n.inputs)
    rows, lead = _rows(g, indices, x.dims, attribute(n, "batch_dims", 0))
    rest = x.dims[lead:]
    values = g.reshape(dy, (prod(indices.dims[:-1]), *rest))
    return g.reshape(scatter_along(g, (prod(x.dims[:lead]), *rest), rows, values, 0), x.dims)


def _scatter_gradient(
    g: Builder, axis: int, x: Tensor, indices: Tensor, values: Tensor, y: Tensor, dy: Tensor, reduction: str
) -> tuple[Gradient, Gradient]:
    """Gradients of the base and the values of ScatterElements.

    Values that overwrite each other all get the gradient of their place, as in MXNet's scatter_nd. Where
    "max" or "min" has several candidates they share the gradient.
    """

    def at(t: Tensor) -> Tensor:
        return g.op("GatherElements", t, indices, axis=axis)

    if reduction == "none":
        return lambda: scatter(g, dy, indices, g.fill(values.dims, 0, dy.dt), axis, None), lambda: at(dy)
    if reduction == "add":
        return dy, lambda: at(dy)
    if reduction == "mul":
        return lambda: dy * y / x, lambda: at(dy * y) / values
    kept, chosen = g.cast(g.op("Equal", x, y), dy.dt), g.cast(g.op("Equal", values, at(y)), dy.dt)
    share = dy / scatter(g, kept, indices, chosen, axis)
    return lambda: share * kept, lambda: at(share) * chosen


@rule("ScatterElements")
def scatter_elements(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    x, indices, values = map(tensor, n.inputs)
    reduction, axis = attribute(n, "reduction", "none"), attribute(n, "axis", 0) % x.ndim
    dx, dv = _scatter_gradient(g, axis, x, indices, values, tensor(n.outputs[0]), dy, reduction)
    return dx, None, dv


@rule("ScatterND")
def scatter_nd(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    x, indices, values = map(tensor, n.inputs)
    reduction = attribute(n, "reduction", "none")
    if reduction in ("none", "add"):
        zeros = g.fill(values.dims, 0, dy.dt)
        dx = dy if reduction == "add" else lambda: g.with_dims("ScatterND", dy.dims, dy, indices, zeros)
        return dx, None, lambda: g.op("GatherND", dy, indices)
    rows, lead = _rows(g, indices, x.dims, 0)
    rest = x.dims[lead:]
    flat = (prod(x.dims[:lead]), *rest)
    listed = (prod(indices.dims[:-1]), *rest)
    places = g.expand(g.reshape(rows, (listed[0], *[1] * len(rest))), listed)
    base, results, dys = (g.reshape(t, flat) for t in (x, tensor(n.outputs[0]), dy))
    dbase, drows = _scatter_gradient(g, 0, base, places, g.reshape(values, listed), results, dys, reduction)
    assert callable(dbase) and callable(drows)
    return lambda: g.reshape(_made(dbase), x.dims), None, lambda: g.reshape(_made(drows), values.dims)


def _made(gradient: Gradient) -> Tensor:
    result = gradient() if callable(gradient) else gradient
    assert result is not None
    return result


@rule("OneHot")
def one_hot(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    indices, depth = tensor(n.inputs[0]), tensor(n.inputs[1])

    def off_and_on() -> Tensor:
        unit = g.cast(g.const(np.array([0, 1], np.float32)), dy.dt)
        attributes = ir.convenience.convert_attributes({"axis": attribute(n, "axis", -1)})
        (hits,) = g.emit("OneHot", "", [indices, depth, unit], attributes, [(dy.dt, dy.dims)])
        axes = range(dy.ndim)
        on = g.reduce("Sum", dy * g.cast(hits, dy.dt), axes)
        return g.op("Concat", g.unsqueeze(g.reduce("Sum", dy, axes) - on, 0), g.unsqueeze(on, 0), axis=0)

    return None, None, off_and_on


@rule("TopK")
def top_k(g: Builder, n: ir.Node, dy: Tensor | None, _: Tensor | None) -> Gradient:
    x, places = tensor(n.inputs[0]), tensor(n.outputs[1])
    if dy is None:
        return None
    return scatter(g, g.fill(x.dims, 0, x.dt), places, dy, attribute(n, "axis", -1) % x.ndim, None)


@rule("Compress")
def compress(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, condition = map(tensor, n.inputs)
    axis = attribute(n, "axis")
    dims: Sequence[DimLike] = (prod(x.dims),) if axis is None else x.dims
    axis = 0 if axis is None else axis % x.ndim
    size = g.squeeze(g.dim(dims[axis]), 0)
    every = g.op("Range", g.const(0, np.int64), size, g.const(1, np.int64))
    chosen = g.with_dims("Compress", (dy.dims[axis],), every, condition, axis=0)
    return g.reshape(scatter_along(g, dims, chosen, dy, axis), x.dims)


@rule("ReverseSequence")
def reverse_sequence(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    lengths, batch, time = tensor(n.inputs[1]), attribute(n, "batch_axis", 1), attribute(n, "time_axis", 0)
    return g.with_dims("ReverseSequence", dy.dims, dy, lengths, batch_axis=batch, time_axis=time)


@rule("Trilu")
def trilu(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    diagonal = tensor(n.inputs[1]) if len(n.inputs) > 1 and n.inputs[1] is not None else None
    return g.with_dims("Trilu", dy.dims, dy, diagonal, upper=attribute(n, "upper", 1))


@rule("CumSum")
def cum_sum(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    reverse, exclusive = attribute(n, "reverse", 0), attribute(n, "exclusive", 0)
    return g.with_dims("CumSum", dy.dims, dy, tensor(n.inputs[1]), reverse=1 - reverse, exclusive=exclusive)


@rule("Unique")
def unique(g: Builder, n: ir.Node, dy: Tensor | None, *_: Tensor | None) -> Gradient:
    """The first of equal elements gets the gradient."""
    if dy is None:
        return None
    x, axis = tensor(n.inputs[0]), attribute(n, "axis")
    if len(n.outputs) > 1 and n.outputs[1].name:
        first = tensor(n.outputs[1])
    else:
        first = g.multi("Unique", 2, x, axis=axis, sorted=attribute(n, "sorted", 1))[1]
    dims: Sequence[DimLike] = (prod(x.dims),) if axis is None else x.dims
    return g.reshape(scatter_along(g, dims, first, dy, 0 if axis is None else axis % x.ndim), x.dims)
