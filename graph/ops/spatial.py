"""Operators that change the size of images: pooling to a given size, resizing, cropping."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..builder import Builder, Tensor
from ..dims import Dim, DimLike, Shape, is_static
from ..errors import NeedsStaticShape, ShapeError
from ..ranges import numbers
from ._numeric import same_type
from .registry import operator
from .schema import Ints

__all__ = ["require_images"]


def require_images(data: Tensor, name: str = "data") -> None:
    """Refuse arrays that are not batches of images.

    Raises
    ------
    ShapeError : there are not four axes; `name` is the argument.
    """
    if data.ndim != 4:
        raise ShapeError(
            f"argument {name!r}: expected (batch, channels, height, width), got shape {data.dims}"
        )


def _means(g: Builder, size: DimLike, count: int, dt: np.dtype[Any]) -> Tensor:
    """The matrix (count, size) of means over `count` ranges, as equal as possible, that cover an axis."""
    i, whole, parts = numbers(g, count), g.dim(size), np.int64(count)
    first = i * whole / parts
    end = ((i + np.int64(1)) * whole + np.int64(count - 1)) / parts
    first, end, place = g.reshape(first, (count, 1)), g.reshape(end, (count, 1)), numbers(g, size)
    inside = g.op("And", g.op("GreaterOrEqual", place, first), g.op("Less", place, end))
    return g.cast(inside, dt) / g.cast(end - first, dt)


@operator("_contrib_AdaptiveAvgPooling2D")
def adaptive_avg_pooling(g: Builder, data: Tensor, *, output_size: Ints = ()) -> Tensor:
    """AdaptiveAvgPooling2D(data, output_size=())

    Means over as many ranges of rows and columns as `output_size` (height, width) says: one number is for both, none
    is 1. Range i of n covers the elements from ``floor(i * size / n)`` to ``ceil((i + 1) * size / n)``.
    """
    require_images(data)
    if len(output_size) > 2 or any(n < 1 for n in output_size):
        raise ShapeError(f"parameter 'output_size': expected at most two lengths above 0, got {output_size}")
    counts = (output_size * 2)[:2] or (1, 1)
    rows, columns = data.dims[2:]
    if counts == (1, 1):
        return g.op("GlobalAveragePool", data)
    sizes = list(zip((rows, columns), counts, strict=True))
    if all(isinstance(n, int) and n % k == 0 for n, k in sizes):
        kernel = [int(n) // k for n, k in sizes]
        return g.op("AveragePool", data, kernel_shape=kernel, strides=kernel)
    across = g.transpose(_means(g, columns, counts[1], data.dt), [1, 0])
    return g.op("MatMul", _means(g, rows, counts[0], data.dt), g.op("MatMul", data, across))


def _parity(size: DimLike, odd: bool, step: int) -> DimLike:
    """`size` or, where it is not odd (even), the neighbour a step away."""
    return size if size % 2 == int(odd) else size + step


def _new_size(mode: str, size: DimLike, given: int, scale: float | None, axis: str) -> DimLike:
    if mode == "size" and scale is None:
        if given < 1:
            raise ShapeError(f"parameter {axis!r}: expected a length above 0, got {given}")
        return given
    if isinstance(size, Dim):
        raise NeedsStaticShape(f"the {axis} {size} is resized in mode {mode!r}")
    if mode.startswith("to_"):
        return _parity(size, "odd" in mode, 1 if mode.endswith("up") else -1)
    if scale is None:
        raise ShapeError(f"parameter 'scale_{axis}': mode {mode!r} needs it")
    odd = int(mode == "odd_scale" and size % 2 == 1)
    return int(np.float32(scale) * np.float32(size - odd)) + odd


@operator("_contrib_BilinearResize2D", present=lambda a: ["data", "like"] if a.mode == "like" else ["data"])
def bilinear_resize(
    g: Builder,
    data: Tensor,
    like: Tensor | None = None,
    *,
    height: int = 1,
    width: int = 1,
    scale_height: float | None = None,
    scale_width: float | None = None,
    mode: Literal[
        "like", "odd_scale", "size", "to_even_down", "to_even_up", "to_odd_down", "to_odd_up"
    ] = "size",
    align_corners: bool = True,
) -> Tensor:
    """BilinearResize2D(data, like=None, height=1, width=1, scale_height=None, scale_width=None, mode="size",
    align_corners=True)

    Images at another size, by linear interpolation along rows and columns.

    `mode` says which size: "size" is (height, width), or with scales the old one times (scale_height, scale_width);
    "odd_scale" is the same, one less before and one more after where the old size is odd; "like" that of `like`; the
    others the nearest even or odd one. With `align_corners` the centres of the corners stay where they are, else the
    outer edges do.
    """
    require_images(data)
    rows, columns = data.dims[2:]
    if like is not None:
        require_images(like, "like")
        size: Shape = like.dims[2:]
    else:
        scaled = scale_height is not None
        size = (
            _new_size(mode, rows, height, scale_height, "height"),
            _new_size(mode, columns, width, scale_width if scaled or mode != "size" else None, "width"),
        )
    if size == (rows, columns):
        return g.op("Identity", data)
    if any(isinstance(n, int) and n < 1 for n in size):
        raise ShapeError(f"images of {rows} x {columns} would be resized to {size[0]} x {size[1]}")
    dims = (*data.dims[:2], *size)
    return g.with_dims(
        "Resize",
        dims,
        data,
        None,
        None,
        g.shape_tensor(dims),
        mode="linear",
        coordinate_transformation_mode="align_corners" if align_corners else "pytorch_half_pixel",
    )


@operator("Crop", num_args="num_args")
def crop(
    g: Builder,
    *data: Tensor,
    num_args: int,
    offset: Ints = (0, 0),
    h_w: Ints = (0, 0),
    center_crop: bool = False,
) -> Tensor:
    """Crop(*data, num_args, offset=(0, 0), h_w=(0, 0), center_crop=False)

    Images cut to the height and width `h_w`, or to those of a second input: from `offset` (y, x) on, or with
    `center_crop` around the middle.
    """
    if len(data) not in (1, 2):
        raise ShapeError(f"argument 'data': expected one input or two, got {len(data)}")
    x = data[0]
    require_images(x)
    if len(data) == 2:
        require_images(data[1], "arg1")
        same_type("Crop", x, data[1])
    size: Shape = data[1].dims[2:] if len(data) == 2 else h_w
    old = x.dims[2:]
    if len(size) != 2 or any(isinstance(n, int) and n < 1 for n in size):
        raise ShapeError(f"parameter 'h_w': expected two lengths above 0, got {h_w}")
    if is_static((*old, *size)) and any(n > m for n, m in zip(size, old, strict=True)):
        raise ShapeError(f"images of {old[0]} x {old[1]} cannot be cropped to {size[0]} x {size[1]}")
    if center_crop:
        begin: Shape = tuple((m - n) // 2 for m, n in zip(old, size, strict=True))
    else:
        begin = offset
        if len(offset) != 2 or any(
            b < 0 or (is_static((m, n)) and b > m - n) for b, m, n in zip(offset, old, size, strict=False)
        ):
            raise ShapeError(
                f"parameter 'offset': {size[0]} x {size[1]} elements from {offset} on reach out of images of "
                f"{old[0]} x {old[1]}"
            )
    return g.slice(x, [2, 3], begin, [b + n for b, n in zip(begin, size, strict=True)])
