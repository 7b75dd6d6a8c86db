"""Convolution and its transpose, in one to three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ..builder import Builder, Tensor
from ..dims import DimLike
from ..errors import ShapeError
from ..shapes import ShapeContext
from .registry import operator
from .schema import Ints

__all__ = ["channels_first", "channels_last", "per_axis"]

Layout = Literal["NCW", "NCHW", "NCDHW", "NHWC", "NDHWC"]
Tune = Literal["fastest", "limited_workspace", "off"]


def per_axis(values: Sequence[int], rank: int, default: int, name: str) -> list[int]:
    """One value an axis; `default` where none are given.

    Raises
    ------
    ShapeError : there are neither none nor `rank` values, or a stride or dilation is less than 1.
    """
    if not values:
        return [default] * rank
    if len(values) != rank:
        raise ShapeError(
            f"parameter {name!r}: expected {rank} values, one for each axis of the kernel, got {tuple(values)}"
        )
    if default and min(values) < default:
        raise ShapeError(f"parameter {name!r}: expected values from {default} on, got {tuple(values)}")
    return list(values)


def is_channels_last(layout: str | None) -> bool:
    """Whether a layout has its channels behind the spatial axes."""
    return layout is not None and layout.endswith("C")


def channels_first(g: Builder, x: Tensor, layout: str | None) -> Tensor:
    """`x` with the channels on axis 1."""
    return g.transpose(x, [0, x.ndim - 1, *range(1, x.ndim - 1)]) if is_channels_last(layout) else x


def channels_last(g: Builder, x: Tensor, layout: str | None) -> Tensor:
    """A channels-first tensor in `layout`."""
    return g.transpose(x, [0, *range(2, x.ndim), 1]) if is_channels_last(layout) else x


def _present(a: Any) -> list[str]:
    return ["data", "weight"] if a.no_bias else ["data", "weight", "bias"]


def _check_groups(num_filter: int, num_group: int, channels: DimLike | None) -> None:
    """Raise where `num_group` groups of equal size cannot be made."""
    for what, n in (("num_filter", num_filter), ("the number of channels", channels)):
        if num_group < 1 or (isinstance(n, int) and n % num_group):
            raise ShapeError(f"parameter 'num_group': expected a divisor of {what}, which is {n}, got {num_group}")


def _check(data: Tensor, weight: Tensor, weight_dims: Sequence[DimLike], rank: int) -> None:
    if data.ndim != rank + 2:
        raise ShapeError(
            f"argument 'data': expected {rank + 2} axes for a kernel of rank {rank}, got shape {data.dims}"
        )
    if weight.dims != tuple(weight_dims):
        raise ShapeError(f"argument 'weight': expected shape {tuple(weight_dims)}, got {weight.dims}")


def _check_axes(s: ShapeContext, rank: int) -> None:
    data = s["data"]
    if data is not None and len(data) != rank + 2:
        raise ShapeError(
            f"{s.where}, argument 'data': expected {rank + 2} axes for a kernel of rank {rank}, got {len(data)}"
        )


@operator("Convolution", present=_present)
def convolution(
    g: Builder,
    data: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel: Ints,
    stride: Ints = (),
    dilate: Ints = (),
    pad: Ints = (),
    num_filter: int,
    num_group: int = 1,
    workspace: int = 1024,
    no_bias: bool = False,
    cudnn_tune: Tune | None = None,
    cudnn_off: bool = False,
    layout: Layout | None = None,
) -> Tensor:
    """Convolution(data, weight, bias=None, kernel, stride=(), dilate=(), pad=(), num_filter, num_group=1,
    workspace=1024, no_bias=False, cudnn_tune=None, cudnn_off=False, layout=None)

    Cross-correlation over the spatial axes. `data` is (batch, channels, spatial...), `weight` is (num_filter,
    channels / num_group, *kernel), `bias` is (num_filter,). In a channels-last `layout` data, weight and result have
    their channels last. `workspace` and the cudnn parameters are accepted and have no effect.
    """
    rank = len(kernel)
    x, w = channels_first(g, data, layout), channels_first(g, weight, layout)
    _check_groups(num_filter, num_group, x.dims[1])
    _check(x, w, [num_filter, x.dims[1] // num_group, *kernel], rank)
    pads = per_axis(pad, rank, 0, "pad")
    y = g.op(
        "Conv",
        x,
        w,
        bias,
        kernel_shape=list(kernel),
        strides=per_axis(stride, rank, 1, "stride"),
        dilations=per_axis(dilate, rank, 1, "dilate"),
        pads=pads + pads,
        group=num_group,
    )
    return channels_last(g, y, layout)


@convolution.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    rank, last = len(a.kernel), is_channels_last(a.layout)
    data, out = s["data"], s[0]
    _check_axes(s, rank)
    if out is not None and len(out) == rank + 2:
        s.set("data", _data_of_output(out, a, last))
        data = s["data"]
    channels = None if data is None else data[-1] if last else data[1]
    _check_groups(a.num_filter, a.num_group, channels)
    shape = (None if channels is None else channels // a.num_group, *a.kernel)
    s.set("weight", (a.num_filter, *shape[1:], shape[0]) if last else (a.num_filter, *shape))
    s.set("bias", (a.num_filter,))
    if data is not None:
        s.set(
            0, (data[0], *(None,) * rank, a.num_filter) if last else (data[0], a.num_filter, *(None,) * rank)
        )


def _data_of_output(out: Sequence[DimLike | None], a: Any, last: bool) -> tuple[DimLike | None, ...]:
    """What the result's shape says about that of the data: the batch size, and sizes where the stride is 1."""
    rank = len(a.kernel)
    stride, dilate, pad = (
        per_axis(v, rank, d, n)
        for v, d, n in ((a.stride, 1, "stride"), (a.dilate, 1, "dilate"), (a.pad, 0, "pad"))
    )
    sizes = out[1:-1] if last else out[2:]
    inner = [
        None if n is None or s != 1 else n + d * (k - 1) - 2 * p
        for n, s, d, k, p in zip(sizes, stride, dilate, a.kernel, pad, strict=True)
    ]
    return (out[0], *inner, None) if last else (out[0], None, *inner)


@operator("Convolution_v1", present=_present)
def convolution_v1(
    g: Builder,
    data: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel: Ints,
    stride: Ints = (),
    dilate: Ints = (),
    pad: Ints = (),
    num_filter: int,
    num_group: int = 1,
    workspace: int = 1024,
    no_bias: bool = False,
    cudnn_tune: Tune | None = None,
    cudnn_off: bool = False,
    layout: Literal["NCHW", "NCDHW", "NHWC", "NDHWC"] | None = None,
) -> Tensor:
    """Convolution_v1(data, weight, bias=None, kernel, stride=(), dilate=(), pad=(), num_filter, num_group=1,
    workspace=1024, no_bias=False, cudnn_tune=None, cudnn_off=False, layout=None)

    The older form of Convolution; it computes the same.
    """
    return convolution.function(  # type: ignore[return-value]
        g,
        data,
        weight,
        bias,
        kernel=kernel,
        stride=stride,
        dilate=dilate,
        pad=pad,
        num_filter=num_filter,
        num_group=num_group,
        no_bias=no_bias,
        layout=layout,
    )


convolution_v1.infer_shape(convolution.shape_rule)  # type: ignore[arg-type]


def transposed_padding(
    sizes: Sequence[DimLike],
    target: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilate: Sequence[int],
) -> tuple[list[int], list[int]]:
    """Padding and adjustment with which Deconvolution makes `target` of `sizes`.

    Raises
    ------
    ShapeError : `target` is larger than the result without padding.
    """
    pad, adj = [], []
    for n, t, k, s, d in zip(sizes, target, kernel, stride, dilate, strict=True):
        surplus = int(s * (n - 1) + d * (k - 1) + 1 - t)
        if surplus < 0:
            raise ShapeError(
                f"parameter 'target_shape': {t} is more than the {surplus + t} that {n} positions make"
            )
        pad.append((surplus + 1) // 2)
        adj.append(surplus % 2)
    return pad, adj


@operator("Deconvolution", present=_present)
def deconvolution(
    g: Builder,
    data: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel: Ints,
    stride: Ints = (),
    dilate: Ints = (),
    pad: Ints = (),
    adj: Ints = (),
    target_shape: Ints = (),
    num_filter: int,
    num_group: int = 1,
    workspace: int = 512,
    no_bias: bool = True,
    cudnn_tune: Tune | None = None,
    cudnn_off: bool = False,
    layout: Layout | None = None,
) -> Tensor:
    """Deconvolution(data, weight, bias=None, kernel, stride=(), dilate=(), pad=(), adj=(), target_shape=(), num_filter,
    num_group=1, workspace=512, no_bias=True, cudnn_tune=None, cudnn_off=False, layout=None)

    The transpose of Convolution. `weight` is (channels, num_filter / num_group, *kernel). A spatial size n becomes
    ``stride * (n - 1) + dilate * (kernel - 1) + 1 - 2 * pad + adj``, or `target_shape`, which overrides both.
    """
    rank = len(kernel)
    x, w = channels_first(g, data, layout), channels_first(g, weight, layout)
    _check_groups(num_filter, num_group, x.dims[1])
    _check(x, w, [x.dims[1], num_filter // num_group, *kernel], rank)
    strides, dilations = per_axis(stride, rank, 1, "stride"), per_axis(dilate, rank, 1, "dilate")
    pads, extra = per_axis(pad, rank, 0, "pad"), per_axis(adj, rank, 0, "adj")
    if target_shape and any(target_shape):
        target = per_axis(target_shape, rank, 0, "target_shape")
        pads, extra = transposed_padding(x.dims[2:], target, kernel, strides, dilations)
    elif any(e >= s for e, s in zip(extra, strides, strict=True)):
        raise ShapeError(
            f"parameter 'adj': expected less than the stride {tuple(strides)}, got {tuple(extra)}"
        )
    # Less padding behind is the same as an adjustment, which ONNX limits to less than the stride.
    after = [max(p - e, 0) for p, e in zip(pads, extra, strict=True)]
    rest = [e - (p - b) for p, e, b in zip(pads, extra, after, strict=True)]
    y = g.op(
        "ConvTranspose",
        x,
        w,
        bias,
        kernel_shape=list(kernel),
        strides=strides,
        dilations=dilations,
        pads=pads + after,
        output_padding=rest if any(rest) else None,
        group=num_group,
    )
    return channels_last(g, y, layout)


@deconvolution.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    last = is_channels_last(a.layout)
    data = s["data"]
    _check_axes(s, len(a.kernel))
    channels = None if data is None else data[-1] if last else data[1]
    _check_groups(a.num_filter, a.num_group, channels)
    filters = a.num_filter // a.num_group
    s.set("weight", (channels, *a.kernel, filters) if last else (channels, filters, *a.kernel))
    s.set("bias", (a.num_filter,))
    out = s[0]
    if data is not None and out is not None:
        s.set("data", (out[0], *(None,) * (len(data) - 1)))
