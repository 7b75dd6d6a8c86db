"""Gradient rules of sampling at computed places: both the images and the places have gradients."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import DimLike
from ...errors import NotDifferentiableError
from ...interpolation import bilinear, image_starts, pixels
from ..engine import Gradient, attribute, rule, tensor, through

__all__: list[str] = []


def _unscaled(g: Builder, place: Tensor, size: DimLike, corners: bool) -> Tensor:
    """Places from -1 to 1 in pixels."""
    extent = g.cast(g.dim(size), place.dt)
    if corners:
        return (place + 1.0) * (extent - 1.0) * 0.5
    return ((place + 1.0) * extent - 1.0) * 0.5


@rule("GridSample")
def grid_sample(g: Builder, n: ir.Node, dy: Tensor) -> Sequence[Gradient]:
    """That of four gathered neighbours and their weights."""
    mode, padding = attribute(n, "mode", "linear"), attribute(n, "padding_mode", "zeros")
    if (
        mode not in ("linear", "bilinear")
        or padding not in ("zeros", "border")
        or tensor(n.inputs[0]).ndim != 4
    ):
        raise NotDifferentiableError(
            "no gradient rule for the ONNX operator 'GridSample' unless it samples images linearly, with zeros or "
            f"the border around them; got mode {mode!r}, padding_mode {padding!r}"
        )
    corners = bool(attribute(n, "align_corners", 0))

    def expand(b: Builder, images: Tensor, grid: Tensor) -> Tensor:
        sizes = images.dims[2:]
        places = []
        for k, size in ((1, sizes[0]), (0, sizes[1])):
            part = b.squeeze(b.slice(grid, [3], [k], [k + 1]), 3)
            place = _unscaled(b, part, size, corners)
            if padding == "border":
                last = b.cast(b.dim(size - 1), place.dt)
                place = b.op("Min", b.op("Max", place, 0.0), last)
            places.append(place)
        values = bilinear(b, pixels(b, images), image_starts(b, images, 3), sizes, *places)
        return b.transpose(values, [0, 3, 1, 2])

    return through(g, n, expand, dy)
