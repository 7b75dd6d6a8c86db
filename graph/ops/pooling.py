"""Pooling in one to three dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import onnx_ir as ir

from ..autodiff.engine import Gradient, attribute, tensor
from ..builder import Builder, CustomFunction, Tensor
from ..dims import Dim, DimLike, is_static
from ..errors import ShapeError
from ..special import cube_root
from ..windows import Window
from .convolution import channels_first, channels_last, per_axis
from .registry import operator
from .schema import Ints

__all__: list[str] = []


def pooling_window(
    sizes: Sequence[DimLike],
    kernel: Sequence[int],
    stride: Sequence[int],
    pad: Sequence[int],
    convention: str,
) -> Window:
    """MXNet's window, with the padding behind that its convention for the number of windows asks for.

    Raises
    ------
    NeedsStaticShape : 'same' rounds up, which needs the sizes; so does 'full' where a window may lie in the padding.
    """
    rank = len(kernel)
    strides, pads = per_axis(stride, rank, 1, "stride"), per_axis(pad, rank, 0, "pad")
    after: list[DimLike] = list(pads)
    overlap = all(p + s <= k for k, s, p in zip(kernel, strides, pads, strict=True))
    if convention != "valid":
        for i, (n, k, s, p) in enumerate(zip(sizes, kernel, strides, pads, strict=True)):
            if isinstance(n, Dim) and convention == "full" and overlap:
                after[i] = (n + (2 * p - k + s - 1)) // s * s + k - n - p
                continue
            room = int(n + 2 * p) if convention == "same" else int(n + 2 * p - k)
            count = -(-room // s) + (0 if convention == "same" else 1)
            after[i] = max((count - 1) * s + k - int(n) - p, p)
    return Window(tuple(kernel), tuple(strides), (1,) * rank, tuple(pads), tuple(after))


def padded(g: Builder, x: Tensor, window: Window, value: float) -> tuple[Tensor, Window]:
    """ONNX wants less padding than a kernel reaches over: then `x` with all of it, and a window without.

    By Concat, since ONNX Runtime merges a Pad into the pooling behind it, which it then refuses.
    """
    if all(p < k for p, k in zip(window.pads, window.kernel * 2, strict=True)):
        return x, window
    for axis, (before, after) in enumerate(zip(window.before, window.after, strict=True), 2):
        dims = list(x.dims)
        parts = [x]
        for at, size in ((0, before), (2, after)):
            if size:
                dims[axis] = size
                parts.insert(at, g.fill(dims, value, x.dt))
        if len(parts) > 1:
            x = g.op("Concat", *parts, axis=axis)
    none = (0,) * len(window.kernel)
    return x, Window(window.kernel, window.strides, window.dilations, none, none)


def max_pool(g: Builder, x: Tensor, window: Window) -> Tensor:
    """The maximum of each window; padding does not count."""
    shape = {"kernel_shape": list(window.kernel), "strides": list(window.strides)}
    if not is_static(window.after):  # the padding behind that lets the last window end
        return g.op("MaxPool", x, pads=[*window.before, *window.before], ceil_mode=1, **shape)
    lowest = float(np.finfo(x.dt).min) if x.dt.kind == "f" else int(np.iinfo(x.dt).min)
    x, window = padded(g, x, window, lowest)
    return g.op("MaxPool", x, pads=window.pads, **shape)


def mean_pool(g: Builder, x: Tensor, window: Window) -> Tensor:
    """The sum of each window divided by the size of the kernel; padding counts as zeros."""
    x, window = padded(g, x, window, 0.0)
    return g.op(
        "AveragePool",
        x,
        kernel_shape=list(window.kernel),
        strides=list(window.strides),
        pads=window.pads,
        count_include_pad=1,
    )


def _counts(
    sizes: Sequence[DimLike], window: Window, pad: Sequence[int], include: bool
) -> np.ndarray[Any, Any]:
    """The number of elements that MXNet divides each window by; of padding, only the declared part counts."""
    total = np.ones((), np.float64)
    for n, k, s, p, b in zip(sizes, window.kernel, window.strides, window.before, pad, strict=True):
        (count,) = Window((k,), (s,), (1,), (p,), (int(window.after[len(total.shape)]),)).positions([int(n)])
        begin = np.arange(int(count)) * s - p
        end = np.minimum(begin + k, int(n) + b)
        if not include:
            begin, end = np.maximum(begin, 0), np.minimum(end, int(n))
        total = np.multiply.outer(total, end - begin)
    return total


def average_pool(g: Builder, x: Tensor, window: Window, pad: Sequence[int], include: bool) -> Tensor:
    """The mean of each window."""
    if include and list(window.after) == list(pad):
        return mean_pool(g, x, window)
    if not include and not any(window.pads):
        return mean_pool(g, x, window)
    counts = _counts(x.dims[2:], window, pad, include)
    if (counts == 0).any():
        raise ShapeError(
            "a pooling window lies outside the data, so that its mean over no elements is undefined"
        )
    factors = float(np.prod(window.kernel)) / counts
    return mean_pool(g, x, window) * factors.astype(x.dt)


def _root(g: Builder, total: Tensor, *, p: int) -> Tensor:
    return g.op("Sqrt", total) if p == 2 else cube_root(g, total)


def _root_vjp(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    """Zero where the norm is zero, as if it were differentiable there."""
    y, p = tensor(n.outputs[0]), int(attribute(n, "p"))
    zero = g.op("Equal", y, 0.0)
    safe = g.op("Where", zero, g.const(1, y.dt), y)
    slope = dy / (safe * 2.0 if p == 2 else safe * safe * 3.0)
    return g.op("Where", zero, g.const(0, y.dt), slope)


_ROOT = CustomFunction("NormRoot", _root, _root_vjp)


def _norm(g: Builder, x: Tensor, p: int | None, total: Callable[[Tensor], Tensor]) -> Tensor:
    """The p-norm as MXNet computes it: the root of a sum of powers, without absolute values."""
    if p == 1:
        return total(x)
    if p not in (2, 3):
        raise ShapeError(f"parameter 'p_value': expected 1, 2 or 3 for pool_type='lp', got {p}")
    return g.custom(_ROOT, total(x * x if p == 2 else x * x * x), p=p)[0]


def pool(
    g: Builder, x: Tensor, kind: str, window: Window, pad: Sequence[int], p: int | None, include: bool
) -> Tensor:
    """One of MXNet's pooling types over a channels-first tensor."""
    if kind == "max":
        return max_pool(g, x, window)
    if kind == "avg":
        return average_pool(g, x, window, pad, include)
    if kind == "sum":
        return mean_pool(g, x, window) * float(np.prod(window.kernel))
    return _norm(g, x, p, lambda v: mean_pool(g, v, window) * float(np.prod(window.kernel)))


def _global(g: Builder, x: Tensor, kind: str, p: int | None) -> Tensor:
    axes = list(range(2, x.ndim))
    if kind == "avg":
        return g.op("GlobalAveragePool", x)
    if kind == "max":
        return g.op("GlobalMaxPool", x)
    if kind == "sum":
        return g.reduce("Sum", x, axes, keepdims=True)
    return _norm(g, x, p, lambda v: g.reduce("Sum", v, axes, keepdims=True))


@operator("Pooling")
def pooling(
    g: Builder,
    data: Tensor,
    *,
    kernel: Ints = (),
    pool_type: Literal["max", "avg", "sum", "lp"] = "max",
    global_pool: bool = False,
    cudnn_off: bool = False,
    pooling_convention: Literal["valid", "full", "same"] = "valid",
    stride: Ints = (),
    pad: Ints = (),
    p_value: int | None = None,
    count_include_pad: bool | None = None,
    layout: Literal["NCW", "NCHW", "NCDHW", "NWC", "NHWC", "NDHWC"] | None = None,
) -> Tensor:
    """Pooling(data, kernel=(), pool_type='max', global_pool=False, cudnn_off=False, pooling_convention='valid',
    stride=(), pad=(), p_value=None, count_include_pad=None, layout=None)

    Maximum, mean, sum or p-norm (p 1, 2 or 3) of windows over the spatial axes, or of all of them with `global_pool`.
    The number of windows is rounded down ('valid'), up ('full'), or up without regard to the kernel ('same'). The mean
    counts padding unless `count_include_pad` is false.
    """
    x = channels_first(g, data, layout)
    if global_pool:
        return channels_last(g, _global(g, x, pool_type, p_value), layout)
    rank = len(kernel)
    if x.ndim != rank + 2:
        raise ShapeError(
            f"parameter 'kernel': expected {x.ndim - 2} values for data of shape {data.dims}, got {kernel}"
        )
    if pooling_convention == "same" and not any(pad):
        pad = ()  # MXNet's own check asks for three zeros whatever the rank
    window = pooling_window(x.dims[2:], kernel, stride, pad, pooling_convention)
    include = count_include_pad is None or count_include_pad
    return channels_last(g, pool(g, x, pool_type, window, window.before, p_value, include), layout)


@operator("Pooling_v1")
def pooling_v1(
    g: Builder,
    data: Tensor,
    *,
    kernel: Ints = (),
    pool_type: Literal["max", "avg", "sum"] = "max",
    global_pool: bool = False,
    pooling_convention: Literal["valid", "full"] = "valid",
    stride: Ints = (),
    pad: Ints = (),
) -> Tensor:
    """Pooling_v1(data, kernel=(), pool_type='max', global_pool=False, pooling_convention='valid', stride=(), pad=())

    The older form of Pooling. Its averages are over all places of the kernel, also where they lie outside.
    """
    whole = pool_type == "avg" and not global_pool
    result: Tensor = pooling.function(  # type: ignore[assignment]
        g,
        data,
        kernel=kernel,
        pool_type="sum" if whole else pool_type,
        global_pool=global_pool,
        pooling_convention=pooling_convention,
        stride=stride,
        pad=pad,
    )
    return result * (1.0 / math.prod(kernel)) if whole else result
