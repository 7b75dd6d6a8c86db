"""Deformable convolution (J. Dai et al., 2017; X. Zhu et al., 2018)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import onnx_ir as ir

from ..builder import Builder, Tensor
from ..dims import DimLike, Shape
from ..errors import ShapeError
from ..ranges import numbers
from ..shapes import ShapeContext
from ..windows import Window
from ._numeric import same_type
from .convolution import per_axis
from .registry import operator
from .schema import Ints

__all__: list[str] = []

_Layout = Literal["NCDHW", "NCHW", "NCW"]


def _window(a: Any) -> Window:
    """The window of a call's parameters."""
    if len(a.kernel) != 2:
        raise ShapeError(f"parameter 'kernel': expected (height, width), got {a.kernel}")
    if a.layout not in (None, "NCHW"):
        raise ShapeError(f"parameter 'layout': expected 'NCHW', got {a.layout!r}")
    stride, dilate = per_axis(a.stride, 2, 1, "stride"), per_axis(a.dilate, 2, 1, "dilate")
    pad = tuple(per_axis(a.pad, 2, 0, "pad"))
    return Window(tuple(a.kernel), tuple(stride), tuple(dilate), pad, pad)


def _check(op: str, a: Any, window: Window, **inputs: Tensor | None) -> Shape:
    """Refuse inputs that do not fit; the height and width of the result."""
    data = inputs["data"]
    assert data is not None
    if data.ndim != 4:
        raise ShapeError(f"argument 'data': expected (batch, channels, height, width), got shape {data.dims}")
    batch, channels = data.dims[:2]
    sizes = window.positions(data.dims[2:])
    points = a.num_deformable_group * window.kernel[0] * window.kernel[1]
    shapes: dict[str, Shape] = {
        "data": data.dims,
        "offset": (batch, 2 * points, *sizes),
        "mask": (batch, points, *sizes),
        "weight": (a.num_filter, channels // a.num_group, *window.kernel),
        "bias": (a.num_filter,),
    }
    for name, x in inputs.items():
        if x is None:
            continue
        same_type(op, data, x)
        if x.dims != shapes[name]:
            raise ShapeError(f"argument {name!r}: expected shape {shapes[name]}, got {x.dims}")
    return sizes


def _convolved(
    g: Builder,
    a: Any,
    window: Window,
    sizes: Shape,
    data: Tensor,
    weight: Tensor,
    offset: Tensor,
    bias: Tensor | None,
    mask: Tensor,
) -> Tensor:
    attributes = ir.convenience.convert_attributes(
        {
            "kernel_shape": list(window.kernel),
            "strides": list(window.strides),
            "dilations": list(window.dilations),
            "pads": [int(p) for p in window.pads],
            "group": a.num_group,
            "offset_group": a.num_deformable_group,
        }
    )
    operands = [data, weight, offset, bias, mask]
    return g.emit("DeformConv", "", operands, attributes, [(data.dt, (data.dims[0], a.num_filter, *sizes))])[
        0
    ]


def _inside(
    g: Builder, a: Any, window: Window, sizes: Shape, data: Tensor, offset: Tensor
) -> tuple[Tensor, Tensor]:
    """Movements after which no place is behind the last row or column, and which places lie in the image.

    ONNX interpolates with zeros around the image. MXNet leaves out places before its first and behind its last row
    or column, and gives places between its last one and its end the value of that one.
    """
    groups, kernel = a.num_deformable_group, window.kernel
    split = g.reshape(offset, (data.dims[0], groups, kernel[0] * kernel[1], 2, *sizes))
    moved, near = [], []
    for axis in (0, 1):
        shape: list[DimLike] = [1, 1, 1, 1, 1]
        shape[3 + axis] = sizes[axis]
        corner = numbers(g, sizes[axis]) * np.int64(window.strides[axis]) - np.int64(window.before[axis])
        points = np.arange(kernel[axis]) * window.dilations[axis]
        points = np.repeat(points, kernel[1]) if axis == 0 else np.tile(points, kernel[0])
        whole = g.reshape(corner, shape) + points.astype(np.int64).reshape(1, 1, -1, 1, 1)
        base = g.cast(whole, data.dt)
        move = g.squeeze(g.slice(split, [3], [axis], [axis + 1]), 3)
        place, end = base + move, g.cast(g.dim(data.dims[2 + axis]), data.dt)
        near.append(g.op("And", g.op("GreaterOrEqual", place, 0.0), g.op("Less", place, end)))
        last = end - 1.0
        moved.append(g.unsqueeze(g.op("Where", g.op("Less", place, last), move, last - base), 3))
    mask = g.cast(g.op("And", *near), data.dt)
    changed = g.op("Concat", *moved, axis=3)
    flat: tuple[DimLike, ...] = (data.dims[0], groups * kernel[0] * kernel[1], *sizes)
    return g.reshape(changed, offset.dims), g.reshape(mask, flat)


class _Options:
    """The parameters that both operators have."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


@operator(
    "_contrib_DeformableConvolution",
    present=lambda a: ["data", "offset", "weight"] + ["bias"] * (not a.no_bias),
)
def deformable_convolution(
    g: Builder,
    data: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel: Ints,
    stride: Ints = (),
    dilate: Ints = (),
    pad: Ints = (),
    num_filter: int,
    num_group: int = 1,
    num_deformable_group: int = 1,
    workspace: int = 1024,
    no_bias: bool = False,
    layout: _Layout | None = None,
) -> Tensor:
    """DeformableConvolution(data, offset, weight, bias=None, kernel, stride=(), dilate=(), pad=(), num_filter,
    num_group=1, num_deformable_group=1, workspace=1024, no_bias=False, layout=None)

    Convolution of images whose places are moved by `offset` (batch, groups * kernel elements * 2, height, width), (y,
    x) in pixels, and interpolated bilinearly. `num_deformable_group` is the number of equal parts of the channels that
    are moved differently. Places outside of the image are zero; those behind the last row or column have its value.
    """
    a = _Options(
        kernel=kernel, stride=stride, dilate=dilate, pad=pad, layout=layout, num_filter=num_filter,
        num_group=num_group, num_deformable_group=num_deformable_group,
    )  # fmt: skip
    window = _window(a)
    sizes = _check("DeformableConvolution", a, window, data=data, offset=offset, weight=weight, bias=bias)
    moved, mask = _inside(g, a, window, sizes, data, offset)
    return _convolved(g, a, window, sizes, data, weight, moved, bias, mask)


@operator(
    "_contrib_ModulatedDeformableConvolution",
    present=lambda a: ["data", "offset", "mask", "weight"] + ["bias"] * (not a.no_bias),
)
def modulated_deformable_convolution(
    g: Builder,
    data: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel: Ints,
    stride: Ints = (),
    dilate: Ints = (),
    pad: Ints = (),
    num_filter: int,
    num_group: int = 1,
    num_deformable_group: int = 1,
    workspace: int = 1024,
    no_bias: bool = False,
    im2col_step: int = 64,
    layout: _Layout | None = None,
) -> Tensor:
    """ModulatedDeformableConvolution(data, offset, mask, weight, bias=None, kernel, stride=(), dilate=(), pad=(),
    num_filter, num_group=1, num_deformable_group=1, workspace=1024, no_bias=False, im2col_step=64, layout=None)

    DeformableConvolution whose places are multiplied by `mask` (batch, groups * kernel elements, height, width), too.
    The image is interpolated with zeros around it.
    """
    a = _Options(
        kernel=kernel, stride=stride, dilate=dilate, pad=pad, layout=layout, num_filter=num_filter,
        num_group=num_group, num_deformable_group=num_deformable_group,
    )  # fmt: skip
    window = _window(a)
    sizes = _check(
        "ModulatedDeformableConvolution",
        a,
        window,
        data=data,
        offset=offset,
        mask=mask,
        weight=weight,
        bias=bias,
    )
    return _convolved(g, a, window, sizes, data, weight, offset, bias, mask)


def _shapes(s: ShapeContext, a: Any) -> None:
    data, window = s["data"], _window(a)
    batch, channels = (None, None) if data is None or len(data) != 4 else data[:2]
    spatial: tuple[DimLike | None, ...] = (None, None)
    if data is not None and len(data) == 4 and None not in data[2:]:
        spatial = window.positions([d for d in data[2:] if d is not None])
    points = a.num_deformable_group * window.kernel[0] * window.kernel[1]
    s.set("offset", (batch, 2 * points, *spatial))
    s.set("mask", (batch, points, *spatial))
    s.set("weight", (a.num_filter, None if channels is None else channels // a.num_group, *window.kernel))
    s.set("bias", (a.num_filter,))
    s.set(0, (batch, a.num_filter, *spatial))


for _op in (deformable_convolution, modulated_deformable_convolution):
    _op.infer_shape(_shapes)
