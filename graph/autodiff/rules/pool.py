"""Gradient rules of pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import DimLike, is_static, prod
from ...resizing import block_factors, enlarge, multiply_axis, resize_matrices
from ...windows import Window, pad_spatial, window_of
from ..engine import Gradient, attribute, rule, tensor
from .conv import attributes_of, data_gradient
from .indexing import scatter
from .resize import antialiased


def _plain(window: Window, sizes: Sequence[DimLike]) -> bool:
    """Whether windows tile the axes: no overlap, no gap, no rest."""
    return (
        window.kernel == window.strides
        and not any(window.pads)
        and all(d == 1 for d in window.dilations)
        and is_static(sizes)
        and all(n % k == 0 for n, k in zip(sizes, window.kernel, strict=True))
    )


@rule("MaxPool")
def max_pool(g: Builder, n: ir.Node, dy: Tensor, _: Tensor | None = None) -> Gradient:
    """The first element of a window that has its maximum gets the gradient."""
    x, y = tensor(n.inputs[0]), tensor(n.outputs[0])
    window = window_of(attributes_of(n), x.dims[2:])
    if _plain(window, x.dims[2:]):
        return dy_to_maxima(g, x, y, dy, window)
    attributes = {k: v for k, v in attributes_of(n).items() if k != "storage_order"}
    _, indices = g.multi("MaxPool", 2, x, **attributes)
    count = prod(dy.dims)
    flat = g.fill((prod(x.dims),), 0, x.dt)
    total = scatter(g, flat, g.reshape(indices, (count,)), g.reshape(dy, (count,)), 0)
    return g.reshape(total, x.dims)


def dy_to_maxima(g: Builder, x: Tensor, y: Tensor, dy: Tensor, window: Window) -> Tensor:
    """For windows that tile the data: compare it with the maxima spread over it.

    Among equal elements the first counts. Places in a window are numbered backwards from its first element; the
    greatest number among the maxima marks it. That is several times faster than MaxPool's own indices.
    """
    hit = g.op("Equal", x, enlarge(g, y, window.kernel))
    numbers = np.arange(int(np.prod(window.kernel)), 0, -1).reshape(window.kernel)
    repeats = [int(n) // k for n, k in zip(x.dims[2:], window.kernel, strict=True)]
    dt = x.dt if x.dt.kind == "f" and x.dt.itemsize > 2 else np.dtype(np.float32)
    ranked = g.cast(hit, dt) * np.tile(numbers, repeats).astype(dt)
    options: dict[str, Any] = {"kernel_shape": list(window.kernel), "strides": list(window.strides)}
    first = g.op("MaxPool", ranked, **options)
    spread = enlarge(g, first, window.kernel)
    chosen = g.op("And", hit, g.op("Equal", ranked, spread))
    return enlarge(g, dy, window.kernel) * g.cast(chosen, dy.dt)


@rule("AveragePool")
def average_pool(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x = tensor(n.inputs[0])
    attributes = attributes_of(n)
    window = window_of(attributes, x.dims[2:])
    size = int(np.prod(window.kernel))
    if _plain(window, x.dims[2:]):
        return enlarge(g, dy * (1.0 / size), window.kernel)
    return _spread(g, dy * _shares(g, x, window, attributes), x.dims, window)


def _shares(g: Builder, x: Tensor, window: Window, attributes: dict[str, Any]) -> Tensor | float:
    """One over the number of elements that the mean of each window divides by."""
    rank = len(window.kernel)
    declared = (
        tuple(attributes.get("pads") or window.pads)[rank:] if attributes.get("ceil_mode") else window.after
    )
    include = bool(attributes.get("count_include_pad", 0))
    size = float(np.prod(window.kernel))
    if (include and declared == window.after) or not any(window.pads):
        return 1.0 / size
    counted = Window(window.kernel, window.strides, window.dilations, window.before, declared)
    ones = g.fill((1, 1, *x.dims[2:]), 1, x.dt)
    rest = window
    if include:
        ones = pad_spatial(g, ones, counted, 1.0)
        after = tuple(a - d for a, d in zip(window.after, declared, strict=True))
        rest = Window(window.kernel, window.strides, window.dilations, (0,) * rank, after)
    taps = g.const(np.ones((1, 1, *window.kernel)), x.dt)
    counts = g.op(
        "Conv",
        ones,
        taps,
        kernel_shape=list(window.kernel),
        strides=list(window.strides),
        dilations=list(window.dilations),
        pads=rest.pads,
    )
    return 1.0 / counts


def _spread(g: Builder, dy: Tensor, dims: Sequence[DimLike], window: Window) -> Tensor:
    """Add every element of `dy` to all places of its window: a transposed convolution with ones, channel by channel."""
    lanes = dims[0] * dims[1]
    flat = g.reshape(dy, (lanes, 1, *dy.dims[2:]))
    ones = g.const(np.ones((1, 1, *window.kernel)), dy.dt)
    return g.reshape(data_gradient(g, flat, ones, (lanes, 1, *dims[2:]), window, 1), dims)


@rule("LpPool")
def lp_pool(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, y = tensor(n.inputs[0]), tensor(n.outputs[0])
    window, p = window_of(attributes_of(n), x.dims[2:]), float(attribute(n, "p", 2))
    return _spread(g, _norm_factor(g, dy, y, p), x.dims, window) * _power(g, x, p)


def _norm_factor(g: Builder, dy: Tensor, y: Tensor, p: float) -> Tensor:
    """dy / y ** (p - 1), and zero where the norm is zero."""
    if p == 1:
        return dy
    zero = g.op("Equal", y, g.const(0, y.dt))
    safe = g.op("Where", zero, g.const(1, y.dt), y)
    return g.op(
        "Where", zero, g.const(0, y.dt), dy / (safe if p == 2 else g.op("Pow", safe, g.const(p - 1, y.dt)))
    )


def _power(g: Builder, x: Tensor, p: float) -> Tensor:
    """sign(x) * abs(x) ** (p - 1)."""
    if p == 2:
        return x
    return g.op("Sign", x) if p == 1 else g.op("Sign", x) * g.op("Pow", g.op("Abs", x), g.const(p - 1, x.dt))


@rule("GlobalAveragePool")
def global_average_pool(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x = tensor(n.inputs[0])
    count = prod(x.dims[2:])
    scaled = dy * (1.0 / count) if isinstance(count, int) else dy / g.cast(g.squeeze(g.dim(count), 0), dy.dt)
    return g.expand(scaled, x.dims)


@rule("GlobalMaxPool")
def global_max_pool(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    """The first element that has the maximum gets the gradient."""
    x = tensor(n.inputs[0])
    flat = g.reshape(x, (x.dims[0], x.dims[1], prod(x.dims[2:])))
    best = g.op("ArgMax", flat, axis=2, keepdims=1)
    zeros = g.fill(flat.dims, 0, x.dt)
    return g.reshape(g.op("ScatterElements", zeros, best, g.reshape(dy, best.dims), axis=2), x.dims)


@rule("GlobalLpPool")
def global_lp_pool(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, y, p = tensor(n.inputs[0]), tensor(n.outputs[0]), float(attribute(n, "p", 2))
    return _norm_factor(g, dy, y, p) * _power(g, x, p)


@rule("Resize")
def resize(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    """Repeated elements: a sum of blocks. Otherwise every axis is a product with a matrix, here with its transpose."""
    x = tensor(n.inputs[0])
    scales, sizes = (
        tensor(v) if v is not None else None for v in (*n.inputs[2:4], *[None] * (4 - len(n.inputs)))
    )
    attributes = attributes_of(n)
    factors = block_factors(attributes, scales, sizes)
    if factors is not None and factors[:2] == [1, 1] and len(factors) > 2:
        kernel = factors[2:]
        return g.op("AveragePool", dy, kernel_shape=kernel, strides=kernel) * float(np.prod(kernel))
    if attributes.get("antialias"):
        return antialiased(g, attributes, x, dy, scales)
    roi = None if n.inputs[1] is None else tensor(n.inputs[1])
    for axis, matrix in resize_matrices(attributes, x, dy, scales, sizes, roi).items():
        dy = multiply_axis(g, dy, axis, matrix.T)
    return dy
