"""Sliding windows as columns, and the reverse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..builder import Builder, Tensor
from ..dims import prod
from ..errors import NeedsStaticShape, ShapeError
from .registry import operator
from .schema import Ints

__all__: list[str] = []


def _settings(kernel: Ints, stride: Ints, dilate: Ints, pad: Ints) -> list[tuple[int, int, int, int]]:
    """(kernel, stride, dilation, padding) of each spatial axis.

    Raises
    ------
    ShapeError : a parameter has not one number for each axis.
    """
    n = len(kernel)
    rest = {"stride": stride or (1,) * n, "dilate": dilate or (1,) * n, "pad": pad or (0,) * n}
    for name, value in rest.items():
        if len(value) != n:
            raise ShapeError(f"parameter {name!r}: expected {n} numbers as in 'kernel', got {value}")
    return list(zip(kernel, *rest.values(), strict=True))


def _windows(sizes: Sequence[int], settings: list[tuple[int, int, int, int]]) -> list[np.ndarray]:
    """For each axis the positions in the padded array as a matrix (kernel, windows)."""
    found = []
    for size, (k, s, d, p) in zip(sizes, settings, strict=True):
        count = (size + 2 * p - d * (k - 1) - 1) // s + 1
        if count < 1:
            raise ShapeError(
                f"a window of {k} elements, {d} apart, does not fit into length {size} padded by {p}"
            )
        found.append(np.arange(k)[:, None] * d + np.arange(count)[None, :] * s)
    return found


@operator("im2col")
def im2col(
    g: Builder, data: Tensor, *, kernel: Ints, stride: Ints = (), dilate: Ints = (), pad: Ints = ()
) -> Tensor:
    """im2col(data, kernel, stride=(), dilate=(), pad=())

    The windows of a convolution as columns: (N, C, spatial...) to (N, C * product of kernel, number of
    windows).
    """
    settings, n = _settings(kernel, stride, dilate, pad), len(kernel)
    if data.ndim != n + 2:
        raise ShapeError(
            f"argument 'data': expected {n + 2} axes for a kernel with {n}, got shape {data.dims}"
        )
    sizes = [d for d in data.dims[2:] if isinstance(d, int)]
    if len(sizes) < n:
        raise NeedsStaticShape(f"im2col over the symbolic shape {data.dims}")
    windows = _windows(sizes, settings)
    edges = [p for *_, p in settings]
    x = data
    if any(edges):
        dims = (*data.dims[:2], *(s + 2 * p for s, p in zip(sizes, edges, strict=True)))
        x = g.with_dims("Pad", dims, data, g.ints(0, 0, *edges, 0, 0, *edges))
    for i, places in enumerate(windows):  # each axis becomes two: kernel, window
        x = g.op("Gather", x, g.const(places.astype(np.int64)), axis=2 + 2 * i)
    x = g.transpose(x, [0, 1, *range(2, 2 + 2 * n, 2), *range(3, 3 + 2 * n, 2)])
    return g.reshape(x, (x.dims[0], prod(x.dims[1 : 2 + n]), prod(x.dims[2 + n :])))


@operator("col2im")
def col2im(
    g: Builder,
    data: Tensor,
    *,
    output_size: Ints,
    kernel: Ints,
    stride: Ints = (),
    dilate: Ints = (),
    pad: Ints = (),
) -> Tensor:
    """col2im(data, output_size, kernel, stride=(), dilate=(), pad=())

    Columns of windows summed into an array of spatial size `output_size`: what `im2col` is the transpose of.
    """
    settings, n = _settings(kernel, stride, dilate, pad), len(kernel)
    if len(output_size) != n or data.ndim != 3:
        raise ShapeError(
            f"expected {n} numbers in 'output_size' and 3 axes, got {output_size} and shape {data.dims}"
        )
    windows = _windows(output_size, settings)
    padded = [s + 2 * p for s, (*_, p) in zip(output_size, settings, strict=True)]
    place = np.zeros((1,) * 2 * n, np.int64)
    for i, steps in enumerate(windows):
        shape = [1] * 2 * n
        shape[i], shape[n + i] = steps.shape
        place = place + steps.reshape(shape) * int(np.prod(padded[i + 1 :]))
    batch, rows, columns = data.dims
    area, count = int(np.prod(kernel)), place.size // int(np.prod(kernel))
    if columns != count or rows % area != 0:
        raise ShapeError(
            f"argument 'data': expected {count} columns and a multiple of {area} rows, got {data.dims}"
        )
    flat = (batch, rows // area, area * count)
    places = g.expand(g.const(place.reshape(1, 1, -1)), flat)
    zeros = g.fill((batch, rows // area, int(np.prod(padded))), 0, data.dt)
    total = g.op("ScatterElements", zeros, places, g.reshape(data, flat), axis=2, reduction="add")
    image = g.reshape(total, (batch, rows // area, *padded))
    first = [p for *_, p in settings]
    ends = [p + s for p, s in zip(first, output_size, strict=True)]
    return g.slice(image, range(2, 2 + n), first, ends)
