"""Gradient rules of operators that move elements."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import DimLike, prod
from ...errors import NeedsStaticShape, NotDifferentiableError
from ...windows import Window, pad_spatial
from ..engine import Gradient, attribute, rule, tensor
from .indexing import scatter, scatter_along

_FIRST = np.iinfo(np.int64).min  # an end that a negative step reaches only after position 0


@rule("Reshape", "Squeeze", "Unsqueeze", "Flatten")
def reshape(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return g.reshape(dy, tensor(n.inputs[0]).dims)


@rule("Expand")
def expand(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return g.sum_to(dy, tensor(n.inputs[0]).dims)


@rule("Transpose")
def transpose(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    perm = attribute(n, "perm") or range(dy.ndim)[::-1]
    return g.transpose(dy, [int(i) for i in np.argsort(perm)])


@rule("Concat")
def concat(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    axis, parts, begin = attribute(n, "axis"), [], _zero()
    for x in map(tensor, n.inputs):
        end = begin + x.dims[axis]
        parts.append(_piece(g, dy, axis, begin, end))
        begin = end
    return tuple(parts)


def _zero() -> DimLike:
    return 0


def _piece(g: Builder, dy: Tensor, axis: int, begin: DimLike, end: DimLike) -> Gradient:
    return lambda: g.slice(dy, [axis], [begin], [end])


@rule("Split")
def split(g: Builder, n: ir.Node, *dys: Tensor | None) -> Gradient:
    outputs = [tensor(v) for v in n.outputs]
    parts = [g.fill(y.dims, 0, y.dt) if dy is None else dy for y, dy in zip(outputs, dys, strict=True)]
    if len(parts) == 1:
        return parts[0]
    return g.with_dims("Concat", tensor(n.inputs[0]).dims, *parts, axis=attribute(n, "axis", 0))


def _integers(n: ir.Node, i: int, default: Sequence[int]) -> list[int] | None:
    """The constant integers that are input `i`; None where they are known at run time only."""
    value = n.inputs[i] if len(n.inputs) > i else None
    if value is None:
        return list(default)
    constant = tensor(value).const
    return None if constant is None else [int(v) for v in constant.reshape(-1)]


@rule("Slice")
def slice_(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, starts, ends = tensor(n.inputs[0]), _integers(n, 1, []), _integers(n, 2, [])
    count = len(starts or [])
    axes, steps = _integers(n, 3, range(count)), _integers(n, 4, [1] * count)
    if starts is None or ends is None or axes is None or steps is None:
        return _slice_at_run_time(g, n, dy)
    pads, back = [(0, 0)] * x.ndim, []
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis, size = axis % x.ndim, x.dims[axis]
        if not isinstance(size, int):
            return _slice_at_run_time(g, n, dy)
        places = range(size)[slice(start, None if step < 0 and end < -size else end, step)]
        if not places:
            continue
        if step < 0:
            back.append(axis)
            places = places[::-1]
        dy = _dilated(g, dy, axis, places.step) if len(places) > 1 else dy
        pads[axis] = (places[0], size - 1 - places[-1])
    if back:
        last, first = g.ints(*[-1] * len(back)), g.ints(*[_FIRST] * len(back))
        dy = g.with_dims("Slice", dy.dims, dy, last, first, g.ints(*back), last)
    if 0 in dy.dims:
        return g.fill(x.dims, 0, x.dt)
    widths = [b for b, _ in pads] + [a for _, a in pads]
    return g.with_dims("Pad", x.dims, dy, g.ints(*widths)) if any(widths) else dy


def _dilated(g: Builder, x: Tensor, axis: int, step: int) -> Tensor:
    """`x` with ``step - 1`` zeros between the elements along `axis`."""
    size = x.dims[axis]
    if step == 1:
        return x
    wide = g.unsqueeze(x, axis + 1)
    padded = g.with_dims(
        "Pad",
        (*x.dims[: axis + 1], step, *x.dims[axis + 1 :]),
        wide,
        g.ints(*[0] * wide.ndim, *[step - 1 if i == axis + 1 else 0 for i in range(wide.ndim)]),
    )
    flat = g.reshape(padded, (*x.dims[:axis], size * step, *x.dims[axis + 1 :]))
    return g.slice(flat, [axis], [0], [size * step - (step - 1)])


def _slice_at_run_time(g: Builder, n: ir.Node, dy: Tensor) -> Tensor:
    """Slices whose bounds are known at run time only: slice the positions too, and scatter."""
    x = tensor(n.inputs[0])
    positions = _positions(g, x)
    picked = g.with_dims(
        "Slice", dy.dims, positions, *[None if v is None else tensor(v) for v in n.inputs[1:]]
    )
    return _scattered(g, x, picked, dy, None)


def _positions(g: Builder, x: Tensor) -> Tensor:
    """The position of every element of `x` in its flat form."""
    count = g.op("ReduceProd", g.shape_tensor(x.dims), keepdims=0)
    return g.reshape(g.op("Range", g.const(0, np.int64), count, g.const(1, np.int64)), x.dims)


def _scattered(g: Builder, x: Tensor, places: Tensor, dy: Tensor, reduction: str | None) -> Tensor:
    minus = g.ints(-1)
    zeros = g.op("Reshape", g.fill(x.dims, 0, x.dt), minus)
    flat = scatter(g, zeros, g.op("Reshape", places, minus), g.op("Reshape", dy, minus), 0, reduction)
    return g.reshape(flat, x.dims)


@rule("Pad")
def pad(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    x, pads, mode = tensor(n.inputs[0]), _integers(n, 1, []), attribute(n, "mode", "constant")
    axes, given = _integers(n, 3, range(x.ndim)), n.inputs[3] if len(n.inputs) > 3 else None
    named = [] if given is None else [None, tensor(given)]

    def inner() -> Tensor:
        if pads is None or axes is None:
            return g.with_dims("Pad", x.dims, dy, g.op("Neg", tensor(n.inputs[1])), *named)
        return _unpadded(g, dy, x, [a % x.ndim for a in axes], pads)

    if mode == "constant":
        every = range(x.ndim)
        return inner, None, lambda: g.reduce("Sum", dy, every) - g.reduce("Sum", inner(), every)
    if pads is None or axes is None or min(pads) < 0:
        padded = g.with_dims("Pad", dy.dims, _positions(g, x), tensor(n.inputs[1]), *named, mode=mode)
        return (_scattered(g, x, padded, dy, "add"),)
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        dy = _folded(g, dy, axis % x.ndim, x.dims[axis], before, after, mode)
    return (dy,)


def _unpadded(g: Builder, dy: Tensor, x: Tensor, axes: Sequence[int], pads: Sequence[int]) -> Tensor:
    """What lies on `x` of the gradient of its padded form; zeros where negative pads have cut `x`."""
    before, after = pads[: len(axes)], pads[len(axes) :]
    begin = [max(b, 0) for b in before]
    end = [dy.dims[axis] - max(a, 0) for axis, a in zip(axes, after, strict=True)]
    kept = g.slice(dy, axes, begin, end)
    if min(pads, default=0) >= 0:
        return kept
    widths = [0] * 2 * x.ndim
    for axis, b, a in zip(axes, before, after, strict=True):
        widths[axis], widths[x.ndim + axis] = max(-b, 0), max(-a, 0)
    return g.with_dims("Pad", x.dims, kept, g.ints(*widths))


def _folded(g: Builder, dy: Tensor, axis: int, size: DimLike, before: int, after: int, mode: str) -> Tensor:
    """Add what edge, reflect or wrap padding has copied to both ends of `axis` to where it came from."""
    if not before and not after:
        return dy
    if not isinstance(size, int):
        raise NeedsStaticShape(
            f"ONNX Pad: the gradient of mode {mode!r} needs a static length of axis {axis}"
        )
    source = np.pad(np.arange(size), (before, after), mode=mode)  # type: ignore[call-overload]
    ends = np.r_[0:before, before + size : len(source)]
    middle = g.slice(dy, [axis], [before], [before + size])
    copies = g.op("Gather", dy, g.ints(*ends.tolist()), axis=axis)
    dims = [size if i == axis else d for i, d in enumerate(dy.dims)]
    return middle + scatter_along(g, dims, g.ints(*source[ends].tolist()), copies, axis)


@rule("Tile")
def tile(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, repeats = tensor(n.inputs[0]), _integers(n, 1, [])
    if repeats is None:
        raise NotDifferentiableError("ONNX Tile: the gradient needs constant repeats")
    dims: list[DimLike] = []
    for r, d in zip(repeats, x.dims, strict=True):
        dims += [r, d]
    return g.reduce("Sum", g.reshape(dy, dims), range(0, 2 * x.ndim, 2))


@rule("SpaceToDepth")
def space_to_depth(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return g.with_dims("DepthToSpace", tensor(n.inputs[0]).dims, dy, blocksize=attribute(n, "blocksize"))


@rule("DepthToSpace")
def depth_to_space(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, b = tensor(n.inputs[0]), attribute(n, "blocksize")
    if attribute(n, "mode", "DCR") == "DCR":
        return g.with_dims("SpaceToDepth", x.dims, dy, blocksize=b)
    count, channels, height, width = dy.dims
    blocks = g.reshape(dy, (count, channels, height // b, b, width // b, b))
    return g.reshape(g.transpose(blocks, [0, 1, 3, 5, 2, 4]), x.dims)


@rule("Col2Im")
def col2im(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    """The blocks of the image: one slice for each place in a block."""
    x, blocks = tensor(n.inputs[0]), _integers(n, 2, [])
    if blocks is None:
        raise NotDifferentiableError("ONNX Col2Im: the gradient needs a constant block_shape")
    rank = len(blocks)
    strides, dilations = (list(attribute(n, k, [1] * rank)) for k in ("strides", "dilations"))
    pads = list(attribute(n, "pads", [0] * (2 * rank)))
    window = Window(tuple(blocks), tuple(strides), tuple(dilations), tuple(pads[:rank]), tuple(pads[rank:]))
    counts = window.positions(dy.dims[2:])
    wide, axes, parts = pad_spatial(g, dy, window, 0.0), list(range(2, rank + 2)), []
    for place in itertools.product(*map(range, blocks)):
        begin = [p * d for p, d in zip(place, dilations, strict=True)]
        end = [b + (c - 1) * s + 1 for b, c, s in zip(begin, counts, strides, strict=True)]
        piece = g.slice(wide, axes, begin, end, strides)
        parts.append(g.reshape(piece, (*dy.dims[:2], 1, prod(counts))))
    return g.reshape(g.op("Concat", *parts, axis=2) if len(parts) > 1 else parts[0], x.dims)
