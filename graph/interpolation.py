"""Bilinear interpolation at places that are computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .builder import Builder, Tensor
from .dims import DimLike, prod
from .ranges import numbers

__all__ = ["bilinear", "image_starts", "neighbours", "pixels"]


def pixels(g: Builder, images: Tensor) -> Tensor:
    """The pixels of images (batch, channels, height, width) as rows: (batch * height * width, channels)."""
    n, c, h, w = images.dims
    return g.reshape(g.transpose(images, [0, 2, 3, 1]), (prod((n, h, w)), c))


def image_starts(g: Builder, images: Tensor, rank: int) -> Tensor:
    """The row of each image's first pixel, with `rank` axes, the first of which is the batch."""
    n, _, h, w = images.dims
    return g.reshape(numbers(g, n) * g.dim(prod((h, w))), (n, *(1,) * (rank - 1)))


def neighbours(g: Builder, place: Tensor, size: DimLike) -> list[tuple[Tensor, Tensor]]:
    """The two elements of an axis around each place: positions (int64, moved inside) and weights, 0 outside."""
    last = g.dim(size - 1)
    below = g.op("Floor", place)
    part = place - below
    limit = g.cast(last, place.dt)
    position = g.cast(g.op("Min", g.op("Max", below, -2.0), limit + 1.0), np.int64)
    found = []
    for step, weight in ((0, 1.0 - part), (1, part)):
        there = position + np.int64(step) if step else position
        inside = g.op("And", g.op("GreaterOrEqual", there, np.int64(0)), g.op("LessOrEqual", there, last))
        moved = g.op("Min", g.op("Max", there, np.int64(0)), last)
        found.append((moved, g.op("Where", inside, weight, g.const(0, weight.dt))))
    return found


def bilinear(
    g: Builder, rows: Tensor, starts: Tensor, size: Sequence[DimLike], y: Tensor, x: Tensor
) -> Tensor:
    """The values of images at fractional places; everything outside of them is zero.

    Parameters
    ----------
    rows : pixels of all images, (pixels, channels): see `pixels`.
    starts : row of the first pixel of the image that each place lies in, int64.
    size : height and width of the images.
    y, x : places, in pixels from the centre of the first one. They and `starts` broadcast.

    Returns
    -------
    Tensor : the broadcast shape and an axis of channels.
    """
    width = g.dim(size[1])
    total: Tensor | None = None
    columns = neighbours(g, x, size[1])
    for row, row_weight in neighbours(g, y, size[0]):
        line = starts + row * width
        for column, column_weight in columns:
            weight = row_weight * column_weight
            part = g.op("Gather", rows, line + column, axis=0) * g.unsqueeze(weight, weight.ndim)
            total = part if total is None else total + part
    assert total is not None
    return total
