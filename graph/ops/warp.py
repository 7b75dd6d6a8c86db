"""Sampling images along a grid of places (M. Jaderberg et al., "Spatial transformer networks", 2015)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..builder import Builder, Tensor
from ..dims import prod
from ..errors import ShapeError
from ..ranges import numbers
from ..shapes import ShapeContext
from ._numeric import same_type
from .registry import operator
from .schema import Ints
from .spatial import require_images

__all__: list[str] = []


def _regular(target_shape: Ints, dt: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """(x, y, 1) of the places of a regular grid from -1 to 1: (3, height * width)."""
    if len(target_shape) != 2 or min(target_shape) < 1:
        raise ShapeError(f"parameter 'target_shape': expected two lengths above 0, got {target_shape}")
    height, width = target_shape
    with np.errstate(divide="ignore", invalid="ignore"):  # one element has no extent: MXNet gives NaN
        x = np.float64(-1) + np.arange(width) * (np.float64(2) / (width - 1))
        y = np.float64(-1) + np.arange(height) * (np.float64(2) / (height - 1))
    x, y = np.broadcast_arrays(x[None, :], y[:, None])
    return np.stack([x, y, np.ones_like(x)]).reshape(3, -1).astype(dt)


def _affine(g: Builder, data: Tensor, name: str, target_shape: Ints) -> tuple[Tensor, Tensor]:
    """(places (batch, 2, height * width) that affine maps send a regular grid to, that grid)."""
    if data.ndim != 2 or data.dims[1] != 6:
        raise ShapeError(f"argument {name!r}: expected affine maps (batch, 6), got shape {data.dims}")
    grid = g.const(_regular(target_shape, data.dt))
    return g.op("MatMul", g.reshape(data, (data.dims[0], 2, 3)), grid), grid


@operator("GridGenerator", outputs=2, visible=1, output_names=("output", "grid_dst"))
def grid_generator(
    g: Builder, data: Tensor, *, transform_type: Literal["affine", "warp"], target_shape: Ints = (0, 0)
) -> tuple[Tensor, Tensor]:
    """GridGenerator(data, transform_type, target_shape=(0, 0))

    Places (x, y) in an image whose corners are at -1 and 1: (batch, 2, height, width).

    "affine": where the maps `data` (batch, 6), rows first, send a regular grid of size `target_shape`. "warp": the
    pixels of an image moved by `data` (batch, 2, height, width), in pixels.
    """
    if transform_type == "affine":
        places, grid = _affine(g, data, "data", target_shape)
        return g.reshape(places, (data.dims[0], 2, *target_shape)), g.op("Identity", grid)
    require_images(data)
    if data.dims[1] != 2:
        raise ShapeError(f"argument 'data': expected movements (batch, 2, height, width), got {data.dims}")
    height, width = data.dims[2:]
    x, y = numbers(g, width, data.dt), g.reshape(numbers(g, height, data.dt), (height, 1))
    plane = (1, height, width)
    grid = g.op("Concat", g.expand(x, plane), g.expand(y, plane), axis=0)
    half = g.op("Concat", g.dim(width - 1), g.dim(height - 1), axis=0)
    half = g.reshape(g.cast(half, data.dt) * 0.5, (2, 1, 1))
    return (data + grid) / half - 1.0, grid


def _sampled(g: Builder, data: Tensor, grid: Tensor) -> Tensor:
    return g.op("GridSample", data, grid, mode="linear", padding_mode="zeros", align_corners=1)


@operator("BilinearSampler", outputs=2, visible=1, output_names=("output", "tmp"))
def bilinear_sampler(
    g: Builder, data: Tensor, grid: Tensor, *, cudnn_off: bool | None = None
) -> tuple[Tensor, Tensor]:
    """BilinearSampler(data, grid, cudnn_off=None)

    Images at the places `grid` (batch, 2, height, width), (x, y) from -1 to 1 between the centres of their corners, by
    bilinear interpolation; zero outside.
    """
    require_images(data)
    require_images(grid, "grid")
    same_type("BilinearSampler", data, grid)
    if (grid.dims[0], grid.dims[1]) != (data.dims[0], 2):
        raise ShapeError(
            f"argument 'grid': expected shape ({data.dims[0]}, 2, height, width), got {grid.dims}"
        )
    places = g.transpose(grid, [0, 2, 3, 1])
    return _sampled(g, data, places), places


@operator("SpatialTransformer", outputs=3, visible=1, output_names=("output", "grid_dst", "grid_src"))
def spatial_transformer(
    g: Builder,
    data: Tensor,
    loc: Tensor,
    *,
    target_shape: Ints = (0, 0),
    transform_type: Literal["affine"],
    sampler_type: Literal["bilinear"],
    cudnn_off: bool | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """SpatialTransformer(data, loc, target_shape=(0, 0), transform_type, sampler_type, cudnn_off=None)

    Images of size `target_shape`, sampled where the affine maps `loc` (batch, 6) send a regular grid.
    """
    require_images(data)
    same_type("SpatialTransformer", data, loc)
    source, regular = _affine(g, loc, "loc", target_shape)
    if loc.dims[0] != data.dims[0]:
        raise ShapeError(f"argument 'loc': expected {data.dims[0]} maps, got shape {loc.dims}")
    places = g.reshape(g.transpose(source, [0, 2, 1]), (data.dims[0], *target_shape, 2))
    return _sampled(g, data, places), g.op("Identity", regular), source


@spatial_transformer.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    data, loc = s["data"], s["loc"]
    batch = data[0] if data is not None else loc[0] if loc is not None else None
    s.set("loc", (batch, 6))
    if data is not None and len(a.target_shape) == 2:
        cells = prod(a.target_shape)
        s.set(0, (batch, data[1], *a.target_shape))
        s.set(1, (3, cells))
        s.set(2, (batch, 2, cells))
