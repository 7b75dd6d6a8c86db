"""Gradient rules of normalizations."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import DimLike, prod
from ..engine import Gradient, attribute, rule, tensor


@rule("BatchNormalization")
def batch_normalization(
    g: Builder, n: ir.Node, dy: Tensor | None, *statistics: Tensor | None
) -> Sequence[Gradient]:
    """With given statistics, which have gradients too."""
    if attribute(n, "training_mode", 0):
        return _batch_normalization_in_training(g, n, dy, *statistics)
    assert dy is not None
    x, gamma, _beta, mean, var = map(tensor, n.inputs)
    axes = [0, *range(2, x.ndim)]
    inverse = 1.0 / g.op("Sqrt", var + float(attribute(n, "epsilon", 1e-5)))
    total = g.reduce("Sum", dy, axes)

    def dgamma() -> Tensor:
        return (g.reduce("Sum", dy * x, axes) - mean * total) * inverse

    def data() -> Tensor:
        zeros, ones = g.fill(mean.dims, 0, x.dt), g.fill(mean.dims, 1, x.dt)
        return g.op("BatchNormalization", dy, gamma * inverse, zeros, zeros, ones, epsilon=0.0)

    return (
        data,
        dgamma,
        total,
        lambda: -(total * gamma * inverse),
        lambda: dgamma() * gamma * inverse * inverse * -0.5,
    )


def _batch_normalization_in_training(
    g: Builder, n: ir.Node, dy: Tensor | None, dmean: Tensor | None = None, dvar: Tensor | None = None
) -> Sequence[Gradient]:
    """With the statistics of the batch; the running ones are results too, and have gradients."""
    x, gamma = tensor(n.inputs[0]), tensor(n.inputs[1])
    kept = float(attribute(n, "momentum", 0.9))
    axes, shape = [0, *range(2, x.ndim)], (1, x.dims[1], *(1,) * (x.ndim - 2))
    count = prod(x.dims[a] for a in axes)
    share = 1.0 / count if isinstance(count, int) else 1.0 / g.cast(g.dim(count), x.dt)
    centred = x - g.reduce("Mean", x, axes, keepdims=True)
    var = g.reduce("Mean", centred * centred, axes, keepdims=True)
    inverse = 1.0 / g.op("Sqrt", var + float(attribute(n, "epsilon", 1e-5)))
    normalized = centred * inverse

    def data() -> Tensor | None:
        parts = []
        if dy is not None:
            parts.append(_standard_gradient(g, dy * g.reshape(gamma, shape), normalized, inverse, axes))
        if dmean is not None:
            parts.append(g.expand(g.reshape(g.cast(dmean, x.dt) * (1.0 - kept), shape) * share, x.dims))
        if dvar is not None:
            parts.append(centred * (g.reshape(g.cast(dvar, x.dt) * (2.0 - 2.0 * kept), shape) * share))
        total: Tensor | None = None
        for part in parts:
            total = part if total is None else total + part
        return total

    old = [None if d is None else d * kept for d in (dmean, dvar)]
    if dy is None:
        return data, None, None, *old
    return data, lambda: g.reduce("Sum", dy * normalized, axes), lambda: g.reduce("Sum", dy, axes), *old


def _standard_gradient(
    g: Builder, d: Tensor, normalized: Tensor, inverse: Tensor, axes: Sequence[int]
) -> Tensor:
    """The gradient of x where ``normalized = (x - mean) * inverse`` over `axes`, and `d` is that of `normalized`."""
    mean = g.reduce("Mean", d, axes, keepdims=True)
    along = g.reduce("Mean", d * normalized, axes, keepdims=True)
    return (d - mean - normalized * along) * inverse


@rule("LayerNormalization")
def layer_normalization(
    g: Builder, n: ir.Node, dy: Tensor | None, dmean: Tensor | None = None, dinverse: Tensor | None = None
) -> tuple[Gradient, ...]:
    x, scale = tensor(n.inputs[0]), tensor(n.inputs[1])
    first = int(attribute(n, "axis", -1)) % x.ndim
    axes = list(range(first, x.ndim))
    # The saved statistics are single precision; in double they are computed once more.
    saved = [tensor(v) if v.name and x.dt.itemsize <= 4 else None for v in n.outputs[1:]]
    mean = saved[0] if saved and saved[0] is not None else g.reduce("Mean", x, axes, keepdims=True)
    centred = x - g.cast(mean, x.dt)
    if len(saved) > 1 and saved[1] is not None:
        inverse = g.cast(saved[1], x.dt)
    else:
        var = g.reduce("Mean", centred * centred, axes, keepdims=True)
        inverse = 1.0 / g.op("Sqrt", var + float(attribute(n, "epsilon", 1e-5)))
    normalized = centred * inverse

    def data() -> Tensor | None:
        total = None if dy is None else _standard_gradient(g, dy * scale, normalized, inverse, axes)
        count = prod(x.dims[a] for a in axes)
        weight = 1.0 / count if isinstance(count, int) else 1.0 / g.cast(g.dim(count), x.dt)
        if dmean is not None:
            part = g.expand(g.cast(dmean, x.dt) * weight, x.dims)
            total = part if total is None else total + part
        if dinverse is not None:
            part = -(g.cast(dinverse, x.dt) * inverse * inverse * weight) * normalized
            total = part if total is None else total + part
        return total

    if dy is None:
        return data, None, None
    return data, lambda: _rows_sum(g, dy * normalized, scale), lambda: _rows_sum(g, dy, scale)


def _rows_sum(g: Builder, d: Tensor, like: Tensor) -> Tensor:
    """`d` summed over its leading axes to the shape of `like`: a product with ones, which is faster than a sum."""
    if like.dims != d.dims[d.ndim - like.ndim :] or d.ndim == like.ndim:
        return g.sum_to(d, like.dims)
    rows, columns = prod(d.dims[: d.ndim - like.ndim]), prod(like.dims)
    return g.reshape(g.op("Gemm", g.fill((1, rows), 1, d.dt), g.reshape(d, (rows, columns))), like.dims)


@rule("InstanceNormalization")
def instance_normalization(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    x, scale, _bias = map(tensor, n.inputs)
    return _grouped(
        g,
        x,
        dy,
        scale,
        (scale.dims[0], *(1,) * (x.ndim - 2)),
        list(range(2, x.ndim)),
        float(attribute(n, "epsilon", 1e-5)),
    )


def _grouped(
    g: Builder,
    x: Tensor,
    dy: Tensor,
    scale: Tensor,
    shape: Sequence[DimLike],
    axes: Sequence[int],
    eps: float,
) -> tuple[Gradient, ...]:
    """Gradients where statistics are over `axes` and `shape` is that in which the scale broadcasts."""
    centred = x - g.reduce("Mean", x, axes, keepdims=True)
    inverse = 1.0 / g.op("Sqrt", g.reduce("Mean", centred * centred, axes, keepdims=True) + eps)
    normalized = centred * inverse

    def parameter(d: Tensor) -> Tensor:
        return g.reshape(g.sum_to(d, shape), scale.dims)

    return (
        lambda: _standard_gradient(g, dy * g.reshape(scale, shape), normalized, inverse, axes),
        lambda: parameter(dy * normalized),
        lambda: parameter(dy),
    )


@rule("GroupNormalization")
def group_normalization(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    x, scale, _bias = map(tensor, n.inputs)
    groups = int(attribute(n, "num_groups"))
    wide = (x.dims[0], groups, x.dims[1] // groups, *x.dims[2:])
    shape = (groups, x.dims[1] // groups, *(1,) * (x.ndim - 2))
    parts = _grouped(
        g,
        g.reshape(x, wide),
        g.reshape(dy, wide),
        scale,
        shape,
        list(range(2, len(wide))),
        float(attribute(n, "epsilon", 1e-5)),
    )
    data = parts[0]
    assert callable(data)
    return lambda: g.reshape(_some(data()), x.dims), *parts[1:]


def _some(x: Tensor | None) -> Tensor:
    assert x is not None
    return x


def _neighbours(g: Builder, x: Tensor, before: int, size: int) -> Tensor:
    """The sum over `size` neighbouring channels, `before` of them before the channel itself."""
    flat = g.reshape(x, (x.dims[0], 1, x.dims[1], prod(x.dims[2:])))
    total = g.op(
        "AveragePool",
        flat,
        kernel_shape=[size, 1],
        pads=[before, 0, size - 1 - before, 0],
        count_include_pad=1,
    )
    return g.reshape(total * float(size), x.dims)


@rule("LRN")
def lrn(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, size = tensor(n.inputs[0]), int(attribute(n, "size"))
    alpha, beta = float(attribute(n, "alpha", 1e-4)) / size, float(attribute(n, "beta", 0.75))
    before = (size - 1) // 2
    base = _neighbours(g, x * x, before, size) * alpha + float(attribute(n, "bias", 1.0))
    power = dy * g.op("Pow", base, g.const(-beta, x.dt))
    back = _neighbours(g, power * x / base, size - 1 - before, size)
    return power - x * back * (2.0 * alpha * beta)


@rule("MeanVarianceNormalization")
def mean_variance_normalization(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, axes = tensor(n.inputs[0]), list(attribute(n, "axes", [0, 2, 3]))
    centred = x - g.reduce("Mean", x, axes, keepdims=True)
    inverse = 1.0 / (g.op("Sqrt", g.reduce("Mean", centred * centred, axes, keepdims=True)) + 1e-9)
    return _standard_gradient(g, dy, centred * inverse, inverse, axes)


@rule("LpNormalization")
def lp_normalization(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, y = tensor(n.inputs[0]), tensor(n.outputs[0])
    axis, p = int(attribute(n, "axis", -1)), int(attribute(n, "p", 2))
    norm = g.reduce("L2" if p == 2 else "L1", x, [axis], keepdims=True)
    norm = g.op("Where", g.op("Equal", norm, 0.0), g.const(1, x.dt), norm)  # where all is 0, so is the result
    along = g.reduce("Sum", dy * y, [axis], keepdims=True)
    return (dy - along * (y if p == 2 else g.op("Sign", x))) / norm


@rule("RMSNormalization")
def rms_normalization(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    x, scale = tensor(n.inputs[0]), tensor(n.inputs[1])
    axes = list(range(int(attribute(n, "axis", -1)) % x.ndim, x.ndim))
    mean = g.reduce("Mean", x * x, axes, keepdims=True)
    inverse = 1.0 / g.op("Sqrt", mean + float(attribute(n, "epsilon", 1e-5)))
    normalized = x * inverse

    def data() -> Tensor:
        d = dy * scale
        return (d - normalized * g.reduce("Mean", d * normalized, axes, keepdims=True)) * inverse

    return data, lambda: _rows_sum(g, dy * normalized, scale)
