"""Correlation of the patches of two images (A. Dosovitskiy et al., "FlowNet", 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike, Shape
from ..errors import ShapeError
from ..loops import scan
from ..windows import Window, pad_spatial
from ._numeric import same_type
from .registry import operator
from .spatial import require_images

__all__: list[str] = []


def _positions(size: DimLike, border: int, stride: int) -> DimLike:
    """The number of patches along a padded axis."""
    count = (size - 2 * border + (stride - 1)) // stride
    if isinstance(count, int) and count < 1:
        raise ShapeError(
            f"patches and displacements of {border} elements do not fit into {size} with its padding"
        )
    return count


# Of wider images, the product of whole rows would be too large.
_WIDEST = 512


def _products(g: Builder, fixed: Tensor, second: Tensor, steps: np.ndarray[Any, Any]) -> Tensor:
    """Means over the channels of products with `second` from each pair of `steps` on: (pairs, batch, height, width).

    For each step down, all columns of a row with all of the other: a matrix product, whose diagonals are wanted.
    """
    batch, channels, height, width = fixed.dims
    whole, count = second.dims[3], len(steps)
    mean = 1.0 / channels if isinstance(channels, int) else 1.0 / g.cast(g.dim(channels), fixed.dt)
    left = g.transpose(fixed * mean, [0, 2, 3, 1])
    right = g.transpose(second, [0, 2, 1, 3])
    cells = width * whole
    stride = int(steps[1] - steps[0]) if count > 1 else 1

    def body(b: Builder, start: Tensor) -> Sequence[Tensor]:
        dims = (batch, height, channels, whole)
        rows = b.with_dims("Slice", dims, right, start, start + b.dim(height), b.ints(1))
        pairs = b.reshape(b.op("MatMul", left, rows), (batch, height, cells))
        # With as many more elements as there are rows of the matrix, each line begins one element later.
        filled = b.op("Concat", pairs, b.fill((batch, height, width), 0, pairs.dt), axis=2)
        skewed = b.reshape(filled, (batch, height, width, whole + 1))
        first, last = int(steps[0]), int(steps[-1])
        return [b.slice(skewed, [3], [first], [last + 1], [stride])]

    _, (found,) = scan(g, body, [], [g.const(steps.reshape(-1, 1))], name="displacement")
    across = g.transpose(found, [0, 4, 1, 2, 3])
    return g.reshape(across, (count * count, batch, height, width))


def _one_by_one(
    g: Builder, fixed: Tensor, second: Tensor, steps: np.ndarray[Any, Any], is_multiply: bool
) -> Tensor:
    """The same of products or distances, pair by pair."""
    places = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    extent = g.shape_tensor(fixed.dims[2:])

    def body(b: Builder, start: Tensor) -> Sequence[Tensor]:
        moved = b.with_dims("Slice", fixed.dims, second, start, start + extent, b.ints(2, 3))
        if is_multiply:
            alike = fixed * moved
        else:  # where both are equal the first one's gradient is positive, as in MXNet
            distance = fixed - moved
            sign = b.op("Where", b.op("Less", distance, 0.0), b.const(-1, fixed.dt), b.const(1, fixed.dt))
            alike = distance * sign
        return [b.reduce("Mean", alike, [1])]

    _, (found,) = scan(g, body, [], [g.const(places)], name="displacement")
    return found


@operator("Correlation", outputs=3, visible=1, output_names=("output", "tmp1", "tmp2"))
def correlation(
    g: Builder,
    data1: Tensor,
    data2: Tensor,
    *,
    kernel_size: int = 1,
    max_displacement: int = 1,
    stride1: int = 1,
    stride2: int = 1,
    pad_size: int = 0,
    is_multiply: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Correlation(data1, data2, kernel_size=1, max_displacement=1, stride1=1, stride2=1, pad_size=0, is_multiply=True)

    How much patches of `data1` are like those of `data2` around the same place: means over the channels and the
    `kernel_size` ** 2 elements of a patch of products or, without `is_multiply`, of distances.

    Patches of `data1` are `stride1` apart; each is compared with those of `data2` that lie at most `max_displacement`
    from it, `stride2` apart, rows first: these are the channels of the result. `pad_size` zeros are put around both.
    """
    require_images(data1, "data1")
    same_type("Correlation", data1, data2)
    if data2.dims != data1.dims:
        raise ShapeError(f"argument 'data2': expected shape {data1.dims} like 'data1', got {data2.dims}")
    if kernel_size % 2 == 0 or min(kernel_size, stride1, stride2) < 1:
        raise ShapeError(
            "parameters 'kernel_size', 'stride1' and 'stride2': expected numbers above 0, the first odd, got "
            f"{kernel_size}, {stride1} and {stride2}"
        )
    one, pad = (1, 1), (pad_size, pad_size)
    first, second = (pad_spatial(g, x, Window(one, one, one, pad, pad)) for x in (data1, data2))
    border = max_displacement + kernel_size // 2
    counts = [_positions(n, border, stride1) for n in first.dims[2:]]
    size: Shape = tuple((n - 1) * stride1 + kernel_size for n in counts)
    batch = data1.dims[0]
    begin = [max_displacement] * 2
    fixed = g.slice(first, [2, 3], begin, [b + n for b, n in zip(begin, size, strict=True)])
    radius = max_displacement // stride2
    steps = max_displacement + np.arange(-radius, radius + 1, dtype=np.int64) * stride2
    width = second.dims[3]
    if is_multiply and (not isinstance(width, int) or width <= _WIDEST):
        found = _products(g, fixed, second, steps)
    else:
        found = _one_by_one(g, fixed, second, steps, is_multiply)
    if kernel_size > 1 or stride1 > 1:
        shape, strides = [kernel_size] * 2, [stride1] * 2
        found = g.op("AveragePool", found, kernel_shape=shape, strides=strides)
    result = g.reshape(g.transpose(found, [1, 0, 2, 3]), (batch, len(steps) ** 2, *counts))
    last = [0, 2, 3, 1]
    return result, g.transpose(first, last), g.transpose(second, last)
