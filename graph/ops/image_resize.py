"""Resizing images with OpenCV's arithmetic: every axis is a sum over a few neighbours with fixed weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..dims import Dim
from ..errors import NeedsStaticShape, ShapeError, TypeInferenceError
from .image import require_image
from .registry import operator
from .schema import Ints

__all__: list[str] = []

Array = np.ndarray[Any, Any]
# For each element of the result (last axis), the elements it is made of and their weights.
Taps = tuple[Array, Array]
_NEAREST, _LINEAR, _CUBIC, _AREA, _LANCZOS = range(5)
_BITS = 11  # OpenCV resizes bytes with weights of so many bits behind the point


def _windows(old: int, new: int, first: int, weights: Callable[[Array], list[Array]]) -> Taps:
    """Neighbours from `first` on, with `weights` of the place's fraction; those outside are the nearest inside."""
    places = (np.arange(new) + 0.5) * (old / new) - 0.5
    base = np.floor(places).astype(np.int64)
    found = weights(places - base)
    return np.stack([(base + first + k).clip(0, old - 1) for k in range(len(found))]), np.stack(found)


def _cubic(x: Array) -> list[Array]:
    """Keys' kernel with the parameter -0.75."""
    a = -0.75
    outer = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a
    inner = ((a + 2) * x - (a + 3)) * x * x + 1
    other = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1
    return [outer, inner, other, 1 - outer - inner - other]


def _lanczos(x: Array) -> list[Array]:
    """Lanczos's kernel over eight elements, its weights scaled to the sum 1."""
    distances = np.stack([x + 3 - k for k in range(8)])
    raw = np.sinc(distances) * np.sinc(distances / 4)
    return list(raw / raw.sum(axis=0))


def _area(old: int, new: int) -> Taps:
    """Every element counts by how much of it the new, larger one covers."""
    scale = old / new
    count = math.ceil(scale) + 1
    begin = np.arange(new) * scale
    places = np.floor(begin).astype(np.int64) + np.arange(count)[:, None]
    covered = np.minimum(places + 1, begin + scale) - np.maximum(places, begin)
    covered = np.where(covered > 1e-3, covered, 0.0)  # OpenCV leaves out slivers
    return places.clip(0, old - 1), covered / covered.sum(axis=0)


def _area_enlarged(old: int, new: int) -> Taps:
    """What the method of areas does where it enlarges: linear between the edges of elements only."""
    index = np.arange(new)
    base = np.floor(index * (old / new)).astype(np.int64)
    part = (index + 1) - (base + 1) * (new / old)
    part = np.where(part <= 0, 0.0, part - np.floor(part))
    return np.stack([base, (base + 1).clip(0, old - 1)]), np.stack([1 - part, part])


def _nearest(old: int, new: int) -> Taps:
    places = np.floor(np.arange(new) * (old / new)).astype(np.int64).clip(0, old - 1)
    return places[None], np.ones((1, new))


def _taps(old: int, new: int, method: int, shrinks: bool) -> Taps:
    if method == _NEAREST:
        return _nearest(old, new)
    if method == _LINEAR:
        return _windows(old, new, 0, lambda x: [1 - x, x])
    if method == _CUBIC:
        return _windows(old, new, -1, _cubic)
    if method == _AREA:
        return _area(old, new) if shrinks else _area_enlarged(old, new)
    return _windows(old, new, -3, _lanczos)


def _sum(
    g: Builder, x: Tensor, axis: int, taps: Taps, scaled: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    places, weights = taps
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    total: Tensor | None = None
    for place, weight in zip(places, weights, strict=True):
        part = g.op("Gather", x, place, axis=axis) * weight.astype(x.dt).reshape(shape)
        part = part if scaled is None else scaled(part)
        total = part if total is None else total + part
    assert total is not None
    return total


def _fixed(taps: Taps) -> Taps:
    return taps[0], np.rint(taps[1] * 2**_BITS)


def _bytes(g: Builder, x: Tensor, rows: Taps, columns: Taps, method: int) -> Tensor:
    """The sums of bytes: linear in integers as OpenCV does it, else rounded once."""
    axis = x.ndim - 3
    if method == _LINEAR:  # the columns' sums keep 7 bits behind the point, the products of the rows 2
        wide = _sum(g, g.cast(x, np.int32), axis + 1, _fixed(columns)) / np.int32(16)
        total = _sum(g, wide, axis, _fixed(rows), lambda part: part / np.int32(1 << 16))
        return g.cast((total + np.int32(2)) / np.int32(4), np.uint8)
    if method in (_CUBIC, _LANCZOS):
        rows, columns = ((place, weight / 2**_BITS) for place, weight in (_fixed(rows), _fixed(columns)))
    total = _sum(g, _sum(g, g.cast(x, np.float32), axis + 1, columns), axis, rows)
    return g.cast(g.op("Clip", g.op("Round", total), 0.0, 255.0), np.uint8)


def _new_size(rows: int, columns: int, size: Ints, keep_ratio: bool) -> tuple[int, int]:
    if len(size) not in (1, 2) or min(size) < 1:
        raise ShapeError(f"parameter 'size': expected one or two (width, height) lengths above 0, got {size}")
    if len(size) == 2:
        return size[1], size[0]
    if not keep_ratio:
        return size[0], size[0]
    return (rows * size[0] // columns, size[0]) if rows > columns else (size[0], columns * size[0] // rows)


@operator("_image_resize")
def resize(g: Builder, data: Tensor, *, size: Ints = (), keep_ratio: bool = False, interp: int = 1) -> Tensor:
    """resize(data, size=(), keep_ratio=False, interp=1)

    An image (height, width, channels), or each of a batch, at another size: `size` is (width, height), or one
    length for both, or with `keep_ratio` for the shorter side. `interp` is OpenCV's method: 0 nearest,
    1 bilinear, 2 bicubic, 3 area, 4 Lanczos over 8 x 8 elements.
    """
    require_image(data)
    rows, columns = data.dims[-3:-1]
    if isinstance(rows, Dim) or isinstance(columns, Dim):
        raise NeedsStaticShape(f"the image to resize has the symbolic size {rows} x {columns}")
    if interp not in range(5):
        raise ShapeError(f"parameter 'interp': expected a method from 0 to 4, got {interp}")
    if data.dt.kind in "iub" and data.dt != np.uint8 and interp != _NEAREST:
        raise TypeInferenceError(f"argument 'data': expected uint8 or a floating type, got {data.dt.name}")
    height, width = _new_size(rows, columns, size, keep_ratio)
    if (height, width) == (rows, columns):
        return g.op("Identity", data)
    halved = (2 * height, 2 * width) == (rows, columns)
    method = _AREA if interp == _LINEAR and halved else interp  # as in OpenCV
    shrinks = height <= rows and width <= columns
    down, across = _taps(rows, height, method, shrinks), _taps(columns, width, method, shrinks)
    axis = data.ndim - 3
    if method == _NEAREST:
        return g.op("Gather", g.op("Gather", data, across[0][0], axis=axis + 1), down[0][0], axis=axis)
    if data.dt == np.uint8:
        if method == _AREA and halved:  # four bytes: halves are rounded up
            work = g.cast(data, np.int32)
            parts = (np.ones_like(both[1]) * (both[1] > 0) for both in (across, down))
            total = _sum(g, _sum(g, work, axis + 1, (across[0], next(parts))), axis, (down[0], next(parts)))
            return g.cast((total + np.int32(2)) / np.int32(4), np.uint8)
        linear = method == _AREA and not shrinks
        return _bytes(g, data, down, across, _LINEAR if linear else method)
    wide = g.cast(data, np.float64 if data.dt == np.float64 else np.float32)
    return g.cast(_sum(g, _sum(g, wide, axis + 1, across), axis, down), data.dt)
