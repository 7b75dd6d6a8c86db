"""Regions of interest sampled at places of their own: rotated ones, and bins that are moved."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..dims import Dim, prod
from ..errors import ShapeError
from ..interpolation import bilinear, pixels
from ..ranges import numbers
from ..shapes import ShapeContext
from ._numeric import same_type
from .boxes import columns
from .regions import check_regions, grid_of, region_shapes, sampled_places
from .registry import operator
from .schema import Ints
from .stops import blocked
from .unary import rounded

__all__: list[str] = []


def _edge(g: Builder, place: Tensor, length: Tensor, margin: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Places moved inside an axis, and which were within the margins outside of the first and last element."""
    low, high = margin
    near = g.op("And", g.op("GreaterOrEqual", place, -low), g.op("LessOrEqual", place, length - 1.0 + high))
    return g.op("Min", g.op("Max", place, 0.0), length - 1.0), near


@operator("_contrib_RROIAlign")
def rroi_align(
    g: Builder,
    data: Tensor,
    rois: Tensor,
    *,
    pooled_size: Ints,
    spatial_scale: float,
    sampling_ratio: int = -1,
) -> Tensor:
    """RROIAlign(data, rois, pooled_size, spatial_scale, sampling_ratio=-1)

    ROIAlign of rotated regions (image, centre x, centre y, width, height, degrees) of the images `data` (J. Ma et al.,
    "Arbitrary-oriented scene text detection via rotation proposals", 2018). The gradient goes to `data` alone; MXNet
    has none.
    """
    check_regions("RROIAlign", data, rois, 6)
    (rois,) = blocked(g, rois)
    bins = grid_of(pooled_size)
    image, x, y, width, height, angle = columns(g, rois, 0, 6)
    x, y = x * spatial_scale, y * spatial_scale
    width, height = (g.op("Max", s * spatial_scale, 1.0) for s in (width, height))
    down, rows = sampled_places(g, height * -0.5, height, bins[0], sampling_ratio)
    across, cols = sampled_places(g, width * -0.5, width, bins[1], sampling_ratio)
    # (regions, bins down, bins across, places down, places across)
    down, across = g.unsqueeze(down, 2, 4), g.unsqueeze(across, 1, 3)
    turn = g.unsqueeze(angle * (np.pi / 180.0), 1, 2, 3, 4)
    cos, sin = g.op("Cos", turn), g.op("Sin", turn)
    lengths = [g.cast(g.dim(n), data.dt) for n in data.dims[2:]]
    py = down * cos - across * sin + g.unsqueeze(y, 1, 2, 3, 4)
    px = across * cos + down * sin + g.unsqueeze(x, 1, 2, 3, 4)
    py, near_y = _edge(g, py, lengths[0], (1.0, 1.0))
    px, near_x = _edge(g, px, lengths[1], (1.0, 1.0))
    starts = g.cast(image, np.int64) * g.dim(prod(data.dims[2:]))
    values = bilinear(g, pixels(g, data), g.unsqueeze(starts, 1, 2, 3, 4), data.dims[2:], py, px)
    counted = g.op("And", g.unsqueeze(rows, 2, 4), g.unsqueeze(cols, 1, 3))
    used = g.cast(g.op("And", g.op("And", near_y, near_x), counted), data.dt)
    number = g.reduce("Sum", g.cast(counted, data.dt), [3, 4], keepdims=True)
    mean = g.reduce("Sum", values * g.unsqueeze(used / number, 5), [3, 4])
    return g.transpose(mean, [0, 3, 1, 2])


region_shapes(rroi_align, 6, lambda a: a.pooled_size)


def _cell_of(bins: int, cells: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The cell of a grid of `cells` that each of `bins` lies in."""
    return np.minimum(np.arange(bins) * cells // bins, cells - 1)


@operator(
    "_contrib_DeformablePSROIPooling",
    present=lambda a: ["data", "rois"] if a.no_trans else ["data", "rois", "trans"],
    outputs=2,
    visible=1,
    output_names=("output", "top_count"),
)
def deformable_psroi_pooling(
    g: Builder,
    data: Tensor,
    rois: Tensor,
    trans: Tensor | None = None,
    *,
    spatial_scale: float,
    output_dim: int,
    group_size: int,
    pooled_size: int,
    part_size: int = 0,
    sample_per_part: int = 1,
    trans_std: float = 0.0,
    no_trans: bool = False,
) -> tuple[Tensor, Tensor]:
    """DeformablePSROIPooling(data, rois, trans=None, spatial_scale, output_dim, group_size, pooled_size, part_size=0,
    sample_per_part=1, trans_std=0.0, no_trans=False)

    Position-sensitive pooling of regions (image, x0, y0, x1, y1) whose bins are moved (J. Dai et al., "Deformable
    convolutional networks", 2017): means of bilinear interpolations at `sample_per_part` ** 2 places of each bin.

    Each bin of a square grid of `pooled_size` has channels of its own, (`output_dim`, `group_size`, `group_size`) of
    them in `data`. `trans` (regions, classes * 2, parts, parts) says how far bins move, (x, y) in sizes of the region
    over `trans_std`, for each class, which has an equal share of the results' channels. `part_size` is `pooled_size` if
    0. Places more than half an element outside do not count. Gradients go to `data` and `trans`.
    """
    check_regions("DeformablePSROIPooling", data, rois, 5)
    (rois,) = blocked(g, rois)
    parts, bins = part_size or pooled_size, pooled_size
    batch, channels, *size = data.dims
    regions = rois.dims[0]
    if channels != output_dim * group_size * group_size:
        raise ShapeError(
            f"argument 'data': expected {output_dim} * {group_size} * {group_size} channels, got shape {data.dims}"
        )
    image, *corners = columns(g, rois, 0, 5)
    x0, y0, x1, y1 = (
        (rounded(g, c) if k < 2 else rounded(g, c) + 1.0) * spatial_scale - 0.5 for k, c in enumerate(corners)
    )
    classes = 1 if trans is None or no_trans else _classes(trans, output_dim, parts)
    cell = _cell_of(bins, parts)
    places, nears = [], []
    for k, (start, end, length) in enumerate(((y0, y1, size[0]), (x0, x1, size[1]))):
        # (regions, classes, bins down, bins across, places down, places across)
        extent = g.op("Max", end - start, 0.1)
        step = g.unsqueeze(extent / float(bins), *range(1, 6))
        shape = [1] * 6
        shape[2 + k], shape[4 + k] = bins, sample_per_part
        along = np.arange(bins)[:, None] + np.arange(sample_per_part) / sample_per_part
        place = g.unsqueeze(start, *range(1, 6)) + step * g.const(along.reshape(shape), data.dt)
        if trans is not None and not no_trans:
            split = g.reshape(trans, (regions, classes, 2, parts, parts))
            moved = g.squeeze(g.slice(split, [2], [1 - k], [2 - k]), 2)
            moved = g.op("Gather", g.op("Gather", moved, cell, axis=2), cell, axis=3)
            span = g.unsqueeze(extent, 1, 2, 3) * trans_std
            place = place + g.unsqueeze(moved * span, 4, 5)
        place, near = _edge(g, place, g.cast(g.dim(length), data.dt), (0.5, 0.5))
        places.append(place)
        nears.append(near)
    each = output_dim // classes
    group = _cell_of(bins, group_size)
    layers = (np.arange(classes)[:, None, None] * group_size + group[:, None]) * group_size + group
    layers = layers.reshape(1, classes, bins, bins, 1, 1)
    count = classes * group_size * group_size
    layer = g.unsqueeze(g.cast(image, np.int64) * np.int64(count), *range(1, 6)) + layers
    # The channels that a class has in a bin lie side by side.
    rows = g.reshape(data, (batch, classes, each, group_size, group_size, *size))
    rows = g.reshape(g.transpose(rows, [0, 1, 3, 4, 5, 6, 2]), (prod((batch, count, *size)), each))
    values = bilinear(g, rows, layer * g.dim(prod(size)), size, *places)
    used = g.cast(g.op("And", *nears), data.dt)
    number = g.reduce("Sum", used, [4, 5])
    share = used / g.unsqueeze(g.op("Max", number, 1.0), 4, 5)
    mean = g.reduce("Sum", values * g.unsqueeze(share, 6), [4, 5])
    result = (regions, output_dim, bins, bins)
    counts = g.expand(g.unsqueeze(number, 2), (regions, classes, each, bins, bins))
    return g.reshape(g.transpose(mean, [0, 1, 4, 2, 3]), result), g.reshape(counts, result)


def _classes(trans: Tensor, output_dim: int, parts: int) -> int:
    """The number of classes that have movements of their own.

    Raises
    ------
    ShapeError : `trans` is not (regions, classes * 2, parts, parts), or channels cannot be shared evenly.
    """
    if trans.ndim != 4 or trans.dims[2:] != (parts, parts) or isinstance(trans.dims[1], Dim):
        raise ShapeError(
            f"argument 'trans': expected shape (regions, classes * 2, {parts}, {parts}), got {trans.dims}"
        )
    classes = trans.dims[1] // 2
    if classes < 1 or output_dim % classes:
        raise ShapeError(
            f"parameter 'output_dim': {output_dim} channels cannot be shared by {classes} classes"
        )
    return classes


@deformable_psroi_pooling.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    rois = s["rois"]
    count = rois[0] if rois is not None else None
    parts = a.part_size or a.pooled_size
    s.set("rois", (count, 5))
    s.set("trans", (count, None, parts, parts))
    for i in (0, 1):
        s.set(i, (count, a.output_dim, a.pooled_size, a.pooled_size))


@operator("_contrib_mrcnn_mask_target", outputs=2)
def mrcnn_mask_target(
    g: Builder,
    rois: Tensor,
    gt_masks: Tensor,
    matches: Tensor,
    cls_targets: Tensor,
    *,
    num_rois: int,
    num_classes: int,
    mask_size: Ints,
    sample_ratio: int = 2,
    aligned: bool = False,
) -> tuple[Tensor, Tensor]:
    """mrcnn_mask_target(rois, gt_masks, matches, cls_targets, num_rois, num_classes, mask_size, sample_ratio=2,
    aligned=False)

    What Mask R-CNN should say of the regions `rois` (batch, `num_rois`, (x0, y0, x1, y1)), in pixels: ROIAlign of the
    masks `gt_masks` (batch, masks, height, width) that `matches` (batch, `num_rois`) says, the same for every class,
    and ones for the class `cls_targets` (batch, `num_rois`), zeros for the others. Both results are (batch, `num_rois`,
    `num_classes`, *`mask_size`). No gradients. MXNet has it on NVIDIA devices only.
    """
    batch, masks, *size = gt_masks.dims if gt_masks.ndim == 4 else (0, 0)
    wanted = {
        "rois": (rois, (batch, num_rois, 4)),
        "gt_masks": (gt_masks, (batch, masks, *size)),
        "matches": (matches, (batch, num_rois)),
        "cls_targets": (cls_targets, (batch, num_rois)),
    }
    for name, (x, dims) in wanted.items():
        same_type("mrcnn_mask_target", gt_masks, x)
        if x.dims != dims:
            raise ShapeError(f"argument {name!r}: expected shape {dims}, got {x.dims}")
    bins = grid_of(mask_size)
    rois, gt_masks, matches, cls_targets = blocked(g, rois, gt_masks, matches, cls_targets)
    count = batch * num_rois
    corners = columns(g, g.reshape(rois, (count, 4)))
    x0, y0, x1, y1 = (c - 0.5 if aligned else c for c in corners)
    width, height = x1 - x0, y1 - y0
    if not aligned:
        width, height = g.op("Max", width, 1.0), g.op("Max", height, 1.0)
    places, used = [], []
    for k, (start, extent) in enumerate(((y0, height), (x0, width))):
        place, counted = sampled_places(g, start, extent, bins[k], sample_ratio)
        place, near = _edge(g, place, g.cast(g.dim(size[k]), gt_masks.dt), (1.0, 1.0))
        number = g.reduce("Sum", g.cast(counted, place.dt), [2], keepdims=True)
        share = g.cast(g.op("And", near, counted), place.dt) / number
        # (regions, bins down, bins across, places down, places across)
        axes = (2, 4) if k == 0 else (1, 3)
        places.append(g.unsqueeze(place, *axes))
        used.append(g.unsqueeze(share, *axes))
    image = g.reshape(numbers(g, batch) * g.dim(masks), (batch, 1)) + g.cast(matches, np.int64)
    starts = g.unsqueeze(g.reshape(image, (count,)) * g.dim(prod(size)), 1, 2, 3, 4)
    pixel = g.reshape(gt_masks, (prod(gt_masks.dims), 1))
    values = g.squeeze(bilinear(g, pixel, starts, size, *places), 5)
    mean = g.reduce("Sum", values * used[0] * used[1], [3, 4])
    result = (batch, num_rois, num_classes, *bins)
    targets = g.expand(g.reshape(mean, (batch, num_rois, 1, *bins)), result)
    kinds = g.const(np.arange(num_classes), gt_masks.dt)
    own = g.cast(g.op("Equal", g.unsqueeze(cls_targets, 2), kinds), gt_masks.dt)
    return targets, g.expand(g.unsqueeze(own, 3, 4), result)
