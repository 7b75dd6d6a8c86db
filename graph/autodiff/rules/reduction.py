"""Gradient rules of reductions."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import prod
from ...errors import NotDifferentiableError
from ...loops import scan
from ..engine import Gradient, attribute, rule, tensor, through
from .elementwise import mask


def reduced_axes(n: ir.Node) -> list[int]:
    """The axes that a reduction node sums over."""
    x = tensor(n.inputs[0])
    if len(n.inputs) > 1 and n.inputs[1] is not None:
        axes = tensor(n.inputs[1]).const
        if axes is None:
            raise NotDifferentiableError(f"ONNX {n.op_type}: the gradient needs constant axes")
        if axes.size:
            return sorted(int(a) % x.ndim for a in axes.reshape(-1))
    return [] if attribute(n, "noop_with_empty_axes", 0) else list(range(x.ndim))


def keep(g: Builder, n: ir.Node, t: Tensor) -> Tensor:
    """A reduction's result (or its gradient) with the reduced axes as length 1."""
    x, axes = tensor(n.inputs[0]), reduced_axes(n)
    return g.reshape(t, [1 if i in axes else d for i, d in enumerate(x.dims)])


@rule("ReduceSum")
def reduce_sum(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return g.expand(keep(g, n, dy), tensor(n.inputs[0]).dims)


@rule("ReduceMean")
def reduce_mean(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x = tensor(n.inputs[0])
    count = prod(x.dims[a] for a in reduced_axes(n))
    scaled = dy * (1.0 / count) if isinstance(count, int) else dy / g.cast(g.squeeze(g.dim(count), 0), dy.dt)
    return g.expand(keep(g, n, scaled), x.dims)


@rule("ReduceMax", "ReduceMin")
def reduce_extremum(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    """Every element that has the extremum gets the gradient."""
    x, y = tensor(n.inputs[0]), tensor(n.outputs[0])
    return keep(g, n, dy) * mask(g, g.op("Equal", x, keep(g, n, y)), dy)


@rule("ReduceProd")
def reduce_prod(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    """The product of all others, right where elements are zero too."""
    x, axes = tensor(n.inputs[0]), reduced_axes(n)
    kept = [i for i in range(x.ndim) if i not in axes]
    order = [*kept, *axes]
    count = prod(x.dims[a] for a in axes)
    moved = g.transpose(x, order)
    lanes = g.reshape(moved, (*(x.dims[i] for i in kept), count))
    if isinstance(count, int):
        others = _before(g, lanes, count) * _before(g, lanes, count, backwards=True)
    else:
        others = _others(g, lanes)
    others = g.transpose(g.reshape(others, moved.dims), [order.index(i) for i in range(x.ndim)])
    return keep(g, n, dy) * others


def _before(g: Builder, x: Tensor, count: int, backwards: bool = False) -> Tensor:
    """The product of all elements before each along the last axis (behind each if `backwards`), in log2 steps."""
    last = x.ndim - 1

    def shifted(t: Tensor, by: int) -> Tensor:
        ones = g.fill((*t.dims[:last], by), 1, t.dt)
        if by >= count:
            return g.slice(ones, [last], [0], [count])
        rest = g.slice(t, [last], [by if backwards else 0], [count if backwards else count - by])
        return g.op("Concat", *((rest, ones) if backwards else (ones, rest)), axis=last)

    total, span = shifted(x, 1), 1
    while span < count:
        total, span = total * shifted(total, span), span * 2
    return total


def _others(g: Builder, x: Tensor) -> Tensor:
    """The same in one step: the product without zeros, divided out; second derivatives need it free of zeros."""
    zero = g.op("Equal", x, 0.0)
    filled = g.op("Where", zero, g.const(1, x.dt), x)
    rest = g.reduce("Prod", filled, [-1], keepdims=True) / filled
    zeros = g.reduce("Sum", mask(g, zero, x), [-1], keepdims=True)
    return g.op("Where", g.op("Equal", zeros, mask(g, zero, x)), rest, g.const(0, x.dt))


@rule("ReduceSumSquare")
def reduce_sum_square(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return keep(g, n, dy) * tensor(n.inputs[0]) * 2.0


@rule("ReduceL1")
def reduce_l1(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return keep(g, n, dy) * g.op("Sign", tensor(n.inputs[0]))


@rule("ReduceL2")
def reduce_l2(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    """x / y; 0 where the norm is 0."""
    y = tensor(n.outputs[0])
    zero = g.op("Equal", y, 0.0)
    scaled = g.op("Where", zero, g.const(0, dy.dt), dy / g.op("Where", zero, g.const(1, y.dt), y))
    return keep(g, n, scaled) * tensor(n.inputs[0])


@rule("ReduceLogSumExp")
def reduce_log_sum_exp(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x = tensor(n.inputs[0])
    return keep(g, n, dy) * g.op("Exp", x - keep(g, n, tensor(n.outputs[0])))


@rule("ReduceLogSum")
def reduce_log_sum(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return g.expand(keep(g, n, dy * g.op("Exp", -tensor(n.outputs[0]))), tensor(n.inputs[0]).dims)


@rule("CumProd")
def cum_prod(g: Builder, n: ir.Node, dy: Tensor) -> Sequence[Gradient]:
    """That of repeated products of neighbouring parts, which is right at zeros too."""
    place = tensor(n.inputs[1]).const
    if place is None:
        raise NotDifferentiableError("ONNX CumProd: the gradient needs a constant axis")
    x = tensor(n.inputs[0])
    axis, backwards = int(place.reshape(())) % x.ndim, bool(attribute(n, "reverse", 0))
    exclusive = bool(attribute(n, "exclusive", 0))
    order = [*(i for i in range(x.ndim) if i != axis), axis]

    def expand(b: Builder, x: Tensor, _: Tensor) -> Tensor:
        count = x.dims[axis]
        if isinstance(count, int):
            lanes = b.transpose(x, order)
            found = _before(b, lanes, count, backwards)
            return b.transpose(found if exclusive else found * lanes, [order.index(i) for i in range(x.ndim)])

        def body(inner: Builder, total: Tensor, item: Tensor) -> Sequence[Tensor]:
            new = inner.op("Mul", total, item)
            return new, total if exclusive else new

        items = b.transpose(x, [axis, *order[:-1]])
        first = b.fill(items.dims[1:], 1, x.dt)
        stacked = scan(b, body, [first], [items], reverse=backwards, name="product")[1][0]
        return b.transpose(stacked, [([axis, *order[:-1]]).index(i) for i in range(x.ndim)])

    return through(g, n, expand, dy)
