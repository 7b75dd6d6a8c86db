"""Gradient rules of convolutions.

The gradient of the data is a transposed convolution, or a convolution with the flipped kernel where that does
less work. The gradient of the weight is a product of two matrices that have batch and position together as their
inner axis: the data is laid out as (channels, spatial..., batch), so that taking the elements under one place of
the kernel copies long runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import DimLike, is_static, prod
from ...errors import NeedsStaticShape
from ...windows import Window, pad_spatial, transposed_window, window_of
from ..engine import Gradient, attribute, rule, tensor

_LARGE_KERNEL = 64  # places above which the matrix product copies too much
_LOW = int(np.iinfo(np.int64).min)


def attributes_of(n: ir.Node) -> dict[str, Any]:
    """The attributes of a node as Python values."""
    return {k: a.value for k, a in n.attributes.items()}


def spatial_sum(g: Builder, dy: Tensor) -> Tensor:
    """The gradient of a bias: the sum over all axes but the channels."""
    return g.reduce("Sum", dy, [0, *range(2, dy.ndim)])


@rule("Conv")
def conv(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    x, w = tensor(n.inputs[0]), tensor(n.inputs[1])
    group = int(attribute(n, "group", 1))
    window = window_of(attributes_of(n), x.dims[2:], [int(k) for k in w.dims[2:]])
    return (
        lambda: data_gradient(g, dy, w, x.dims, window, group),
        lambda: weight_gradient(g, x, dy, w.dims, window, group),
        lambda: spatial_sum(g, dy),
    )


@rule("ConvTranspose")
def conv_transpose(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    """For the data an ordinary convolution; for the weight as with the convolution, roles swapped."""
    x, w = tensor(n.inputs[0]), tensor(n.inputs[1])
    group = int(attribute(n, "group", 1))
    window = transposed_window(attributes_of(n), x.dims[2:], [int(k) for k in w.dims[2:]], dy.dims[2:])

    def data() -> Tensor:
        return g.op(
            "Conv",
            dy,
            w,
            kernel_shape=list(window.kernel),
            strides=list(window.strides),
            dilations=list(window.dilations),
            pads=window.pads,
            group=group,
        )

    return data, lambda: weight_gradient(g, dy, x, w.dims, window, group), lambda: spatial_sum(g, dy)


# -- data ----------------------------------------------------------------------------------------------------


def data_gradient(
    g: Builder, dy: Tensor, w: Tensor, dims: Sequence[DimLike], window: Window, group: int
) -> Tensor:
    """The gradient of a convolution's data, whose shape is `dims`."""
    simple = all(s == 1 for s in window.strides) and not any(window.pads)
    if all(k == 1 for k in window.kernel) and simple and group == 1:
        rows = g.reshape(dy, (*dy.dims[:2], prod(dy.dims[2:])))
        product = g.op("MatMul", g.transpose(g.reshape(w, w.dims[:2]), [1, 0]), rows)
        return g.reshape(product, dims)
    reach = [e - 1 - p for e, p in zip(window.extent * 2, window.pads, strict=True)]
    if all(s == 1 for s in window.strides) and min(reach) >= 0 and not _much_smaller(dy.dims, dims):
        return g.op(
            "Conv",
            dy,
            _flipped(g, w, group),
            kernel_shape=list(window.kernel),
            dilations=list(window.dilations),
            pads=reach,
            group=group,
        )
    return _transposed(g, dy, w, dims, window, group)


def _much_smaller(result: Sequence[DimLike], data: Sequence[DimLike]) -> bool:
    """Whether the windows cover so much less than the data that padding the result up to it would waste work."""
    try:
        return float(int(prod(data[2:]))) > 1.15 * int(prod(result[2:]))
    except NeedsStaticShape:
        return False


def _flipped(g: Builder, w: Tensor, group: int) -> Tensor:
    """The kernel turned round, inputs and outputs of every group exchanged."""
    o, c, *kernel = w.dims
    rank = len(kernel)
    if group > 1:
        w = g.reshape(w, (group, o // group, c, *kernel))
        w = g.transpose(w, [0, 2, 1, *range(3, 3 + rank)])
        w = g.reshape(w, (group * c, o // group, *kernel))
    else:
        w = g.transpose(w, [1, 0, *range(2, 2 + rank)])
    axes = [a + 2 for a, k in enumerate(kernel) if k != 1]
    if not axes:
        return w
    return g.op(
        "Slice",
        w,
        g.ints(*[-1] * len(axes)),
        g.ints(*[_LOW] * len(axes)),
        g.ints(*axes),
        g.ints(*[-1] * len(axes)),
    )


def _transposed(
    g: Builder, dy: Tensor, w: Tensor, dims: Sequence[DimLike], window: Window, group: int
) -> Tensor:
    """A transposed convolution that gives exactly `dims`.

    A stride leaves elements at the end that no window reached. How many is unknown while sizes are symbolic; then
    as many as there can be are made, and cut off.
    """
    rank = len(window.kernel)
    options: dict[str, Any] = {
        "kernel_shape": list(window.kernel),
        "strides": list(window.strides),
        "dilations": list(window.dilations),
        "pads": window.pads,
        "group": group,
    }
    rest = [n - m for n, m in zip(dims[2:], window.spread(dy.dims[2:]), strict=True)]
    extra = [r if isinstance(r, int) else s - 1 for r, s in zip(rest, window.strides, strict=True)]
    y = g.op("ConvTranspose", dy, w, output_padding=extra if any(extra) else None, **options)
    if y.dims == tuple(dims):
        return y
    cut = [i for i in range(rank) if y.dims[i + 2] != dims[i + 2]]
    ends = [g.dim(dims[i + 2]) for i in cut]
    end = ends[0] if len(ends) == 1 else g.op("Concat", *ends, axis=0)
    return g.with_dims("Slice", dims, y, g.ints(*[0] * len(cut)), end, g.ints(*[i + 2 for i in cut]))


# -- weight --------------------------------------------------------------------------------------------------


def weight_gradient(
    g: Builder, x: Tensor, dy: Tensor, dims: Sequence[DimLike], window: Window, group: int
) -> Tensor:
    """The gradient of a convolution's weight, whose shape is `dims`, from its data and the gradient of its result."""
    if (
        all(k == 1 for k in window.kernel)
        and not any(window.pads)
        and all(s == 1 for s in window.strides)
        and group == 1
    ):
        return g.reshape(_pointwise(g, x, dy), dims)
    rank = len(window.kernel)
    batch_last = [*range(1, rank + 2), 0]
    places = prod((*dy.dims[2:], dy.dims[0]))
    o, c = dy.dims[1], x.dims[1]
    if c == group and group > 1:
        return _depthwise(g, x, dy, dims, window)
    if group == 1 and prod(window.kernel) > _LARGE_KERNEL and is_static((*x.dims, *dy.dims)):
        return _swapped(g, x, dy, dims, window)
    x = pad_spatial(g, x, window)
    columns = _columns(g, g.transpose(x, batch_last), dy.dims[2:], window)
    d = g.transpose(dy, batch_last)
    k = len(columns)
    if group == 1:
        flat = [g.reshape(v, (c, places)) for v in columns]
        d = g.reshape(d, (o, places))
        if _separate(dy.dims, c):
            product = _stack([g.op("Gemm", v, d, transB=1) for v in flat])  # (k * c, o)
            return g.reshape(g.transpose(g.reshape(product, (k, c, o)), [2, 1, 0]), dims)
        product = g.op("Gemm", d, _stack(flat), transB=1)  # (o, k * c)
        return g.reshape(g.transpose(g.reshape(product, (o, k, c)), [0, 2, 1]), dims)
    d = g.reshape(d, (group, o // group, places))
    flat = [g.reshape(v, (group, c // group, places)) for v in columns]
    stacked = g.op("Concat", *flat, axis=1) if k > 1 else flat[0]
    product = g.op("MatMul", d, g.transpose(stacked, [0, 2, 1]))  # ONNX Runtime merges such a Transpose
    return g.reshape(g.transpose(g.reshape(product, (group, o // group, k, c // group)), [0, 1, 3, 2]), dims)


def _swapped(g: Builder, x: Tensor, dy: Tensor, dims: Sequence[DimLike], window: Window) -> Tensor:
    """For kernels with very many places: a convolution with the gradient as the kernel and batch as channels."""
    rank = len(window.kernel)
    sizes = [int(d) for d in x.dims[2:]]
    after = []
    for i, m in enumerate(dy.dims[2:]):
        reach = (int(m) - 1) * window.strides[i] + window.dilations[i] * (window.kernel[i] - 1) + 1
        after.append(reach - sizes[i] - window.before[i])
    if min(after) < 0:  # elements at the end that no window reached
        ends = [n + min(a, 0) for n, a in zip(sizes, after, strict=True)]
        x = g.slice(x, range(2, rank + 2), [0] * rank, ends)
    exchanged = [1, 0, *range(2, rank + 2)]
    y = g.op(
        "Conv",
        g.transpose(x, exchanged),
        g.transpose(dy, exchanged),
        kernel_shape=list(dy.dims[2:]),
        strides=list(window.dilations),
        dilations=list(window.strides),
        pads=[*window.before, *(max(a, 0) for a in after)],
    )
    return g.reshape(g.transpose(y, exchanged), dims)


def _depthwise(g: Builder, x: Tensor, dy: Tensor, dims: Sequence[DimLike], window: Window) -> Tensor:
    """With one channel a group, sums of elementwise products, for each place of the kernel.

    With strides, which make slices slow, and a known batch size: every image and channel as a group of a convolution
    in which the gradient is the kernel, and strides and dilations change places.
    """
    n, c, rank = x.dims[0], x.dims[1], len(window.kernel)
    filters = dims[0] // c
    if any(s > 1 for s in window.strides) and is_static((*x.dims, *dy.dims)):
        sizes = [int(d) for d in x.dims[2:]]
        reach = [
            (int(m) - 1) * s + d * (k - 1) + 1
            for m, s, d, k in zip(dy.dims[2:], window.strides, window.dilations, window.kernel, strict=True)
        ]
        after = [r - size - p for r, size, p in zip(reach, sizes, window.before, strict=True)]
        if min(after) < 0:  # elements at the end that no window reached
            x = g.slice(
                x, range(2, rank + 2), [0] * rank, [d + min(a, 0) for d, a in zip(sizes, after, strict=True)]
            )
        wide = g.reshape(x, (1, n * c, *x.dims[2:]))
        taps = g.reshape(dy, (n * dy.dims[1], 1, *dy.dims[2:]))
        y = g.op(
            "Conv",
            wide,
            taps,
            kernel_shape=list(taps.dims[2:]),
            strides=list(window.dilations),
            dilations=list(window.strides),
            pads=[*window.before, *(max(a, 0) for a in after)],
            group=int(n * c),
        )
        return g.reshape(g.op("Gemm", g.fill((1, n), 1, x.dt), g.reshape(y, (n, prod(dims)))), dims)
    x = pad_spatial(g, x, window)
    single = isinstance(filters, int) and filters == 1
    d = dy if single else g.reshape(dy, (n, c, filters, *dy.dims[2:]))
    parts = []
    for v in _columns(g, x, dy.dims[2:], window, 2):
        product = d * (v if single else g.reshape(v, (n, c, 1, *v.dims[2:])))
        flat = g.reshape(product, (n, c * filters, prod(dy.dims[2:])))  # sums over (0, 2) are fast, few others are
        parts.append(g.reshape(g.reduce("Sum", flat, [0, 2]), (c * filters, 1)))
    return g.reshape(g.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0], dims)


def _stack(parts: Sequence[Tensor]) -> Tensor:
    return parts[0].builder.op("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]


def _separate(dims: Sequence[DimLike], channels: DimLike) -> bool:
    """Whether one product for each place of the kernel beats one over all: with many positions, not few channels."""
    positions = prod(dims[2:])
    return isinstance(positions, int) and positions >= 100 and isinstance(channels, int) and channels >= 16


def _columns(
    g: Builder, x: Tensor, counts: Sequence[DimLike], window: Window, first: int = 1
) -> list[Tensor]:
    """For each place of the kernel the elements of `x` that windows have there; spatial axes begin at `first`."""
    axes = list(range(first, first + len(window.kernel)))
    result = []
    for place in itertools.product(*(range(k) for k in window.kernel)):
        begin = [p * d for p, d in zip(place, window.dilations, strict=True)]
        end = [b + (m - 1) * s + 1 for b, m, s in zip(begin, counts, window.strides, strict=True)]
        result.append(g.slice(x, axes, begin, end, list(window.strides)))
    return result


def _pointwise(g: Builder, x: Tensor, dy: Tensor) -> Tensor:
    """With a kernel of one element, a product of matrices: over the batch at once, or of each image if large."""
    positions = prod(dy.dims[2:])
    o, c = dy.dims[1], x.dims[1]
    if isinstance(positions, int) and positions >= 500:
        rows = g.transpose(g.reshape(x, (*x.dims[:2], positions)), [0, 2, 1])
        products = g.op("MatMul", g.reshape(dy, (*dy.dims[:2], positions)), rows)
        flat = g.reshape(products, (x.dims[0], o * c))
        return g.op("Gemm", g.fill((1, x.dims[0]), 1, x.dt), flat)  # a sum over the first axis is slower
    batch_last = [*range(1, x.ndim), 0]
    places = positions * dy.dims[0]
    d = g.reshape(g.transpose(dy, batch_last), (o, places))
    return g.op("Gemm", d, g.reshape(g.transpose(x, batch_last), (c, places)), transB=1)
