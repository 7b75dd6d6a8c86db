"""Histograms."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..dims import prod
from ..errors import ShapeError
from ..shapes import TypeContext
from ._numeric import is_integer, same_type
from .registry import operator
from .schema import Floats

__all__: list[str] = []


def _between(g: Builder, x: Tensor, edges: Tensor) -> Tensor:
    """How many elements of a flat `x` lie between neighbouring edges; the last interval contains its end."""
    column = g.reshape(x, (x.dims[0], 1))

    def count(condition: str, limits: Tensor) -> Tensor:
        return g.reduce("Sum", g.cast(g.op(condition, column, limits), np.int64), [0])

    k = edges.dims[0]
    reached = count("GreaterOrEqual", g.slice(edges, [0], [0], [k - 1]))
    later = g.slice(reached, [0], [1], [k - 1])
    beyond = count("Greater", g.slice(edges, [0], [k - 1], [k]))
    return reached - g.op("Concat", later, beyond, axis=0)


def _in_equal_bins(g: Builder, x: Tensor, edges: Tensor, bins: int, low: float, high: float) -> Tensor:
    """The same for edges at equal distances: the bin is computed, then corrected by its own edges."""
    v, limits = g.cast(x, np.float64), g.cast(edges, np.float64)
    inside = g.op("And", g.op("GreaterOrEqual", v, low), g.op("LessOrEqual", v, high))
    safe = g.op("Where", inside, v, g.const(low, np.float64))
    place = g.cast(g.op("Floor", (safe - low) * (bins / (high - low))), np.int64)
    place = g.op("Min", place, g.const(bins - 1, np.int64))
    place = place - g.cast(g.op("Less", safe, g.op("Gather", limits, place)), np.int64)
    above = g.op("GreaterOrEqual", safe, g.op("Gather", limits, place + 1))
    place = g.op("Min", place + g.cast(above, np.int64), g.const(bins - 1, np.int64))
    place = g.op("Where", inside, place, g.const(bins, np.int64))  # one more, dropped again
    ones = g.fill(place.dims, 1, np.int64)
    counts = g.op("ScatterElements", g.fill((bins + 1,), 0, np.int64), place, ones, axis=0, reduction="add")
    return g.slice(counts, [0], [0], [bins])


@operator("_histogram", present=lambda a: ["data", "bins"] if a.bin_cnt is None else ["data"],
          outputs=2, differentiable=False)
def histogram(
    g: Builder, data: Tensor, bins: Tensor | None = None, *, bin_cnt: int | None = None, range: Floats | None = None
) -> tuple[Tensor, Tensor]:
    """_histogram(data, bins=None, bin_cnt=None, range=None)

    How many elements lie in each bin (int64), and the edges of the bins: `bins`, ascending, or `bin_cnt` bins of equal
    width in `range`. A bin contains its lower edge, the last one both. What lies outside, and NaN, is not counted.
    """
    x = g.reshape(data, (prod(data.dims),))
    if bins is not None:
        same_type("_histogram", data, bins)
        if bins.ndim != 1:
            raise ShapeError(f"argument 'bins': expected one axis, got shape {bins.dims}")
        return _between(g, x, bins), g.op("Identity", bins)
    assert bin_cnt is not None
    if bin_cnt < 1 or range is None or len(range) != 2 or range[0] >= range[1]:
        raise ShapeError(
            f"parameters 'bin_cnt' and 'range': expected bins and a range (low, high), got {bin_cnt} and {range}"
        )
    low, high = range
    values = np.linspace(low, high, bin_cnt + 1)
    edges = g.const(np.trunc(values).astype(data.dt) if is_integer(data.dt) else values.astype(data.dt))
    return _in_equal_bins(g, x, edges, bin_cnt, low, high), g.op("Identity", edges)


@histogram.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all([*t.names, 1])
    t.set(0, np.int64)
