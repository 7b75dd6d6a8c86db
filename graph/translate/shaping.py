"""Rules of operators that move elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..symbol import Entry
from .translation import Call, No, Value, rule, scalar

__all__: list[str] = []

_END = 2**31  # bounds of slices from here on mean the end


@rule("Flatten")
def _flatten(c: Call) -> Value:
    axis = c.get("axis", 1)
    axis = axis + c.rank() if axis < 0 else axis
    if axis == 1:
        return c.make("Flatten", c.value(0))
    if axis == 0:
        return c.make("Reshape", c.value(0), shape=(1, -1))
    shape = c.shapes[0]
    if shape is None or None in shape[axis:]:
        raise No("the sizes of the axes that it joins are not known")
    return c.make("Reshape", c.value(0), shape=(-1, int(np.prod([int(d or 1) for d in shape[axis:]]))))


@rule("Reshape")
def _reshape(c: Call) -> Value:
    shape = tuple(0 if n is None else n for n in c.sizes(1, "its shape"))
    if c.get("allowzero") and 0 in shape:
        raise No("MXNet has no arrays without elements")
    if not shape:
        raise No("MXNet has no arrays without axes")
    given = c.shapes[0]
    if (
        given
        and len(given) > 2
        and len(shape) == 2
        and shape[0] in (0, -1, given[0])
        and shape[0] != shape[1]
    ):
        rest = given[1:]
        if shape[1] == -1 or (None not in rest and shape[1] == np.prod([int(d or 1) for d in rest])):
            return c.make("Flatten", c.value(0))
    return c.make("Reshape", c.value(0), shape=shape)


@rule("Transpose")
def _transpose(c: Call) -> Value:
    axes = c.get("perm")
    return c.make("transpose", c.value(0), axes=tuple(axes or ()))


@rule("Squeeze")
def _squeeze(c: Call) -> Value:
    axes = c.numbers(1, "its axes") if c.has(1) else c.get("axes")
    if not axes:
        return c.make("squeeze", c.value(0))
    return c.make("squeeze", c.value(0), axis=tuple(c.axis(a) for a in axes))


@rule("Unsqueeze")
def _unsqueeze(c: Call) -> Value:
    axes = c.numbers(1, "its axes") if c.has(1) else list(c.get("axes"))
    rank = c.rank() + len(axes)
    value = c.value(0)
    ordered = sorted(a % rank for a in axes)
    for i, axis in enumerate(ordered):
        last = i == len(ordered) - 1
        value = c.make("expand_dims", value, suffix="" if last else f"_{i}", axis=axis)
    return value


@rule("Concat")
def _concat(c: Call) -> Value:
    values = [x for x in c.inputs if x is not None]
    return c.make("Concat", *values, dim=c.axis(c.get("axis")), num_args=len(values))


@rule("Split")
def _split(c: Call) -> list[Value]:
    axis, shape = c.axis(c.get("axis", 0)), c.shapes[0]
    count = len(c.outputs)
    sizes = c.numbers(1, "its sizes") if c.has(1) else None
    if sizes is None:
        if shape is None or shape[axis] is None:
            raise No("the size of its axis is not known")
        whole = int(shape[axis] or 0)
        step = -(-whole // count)
        sizes = [min(step, whole - step * i) for i in range(count)]
    if 0 in sizes:
        raise No("a part has no elements, which MXNet does not have")
    if len(set(sizes)) == 1:
        node, _ = c.make("SliceChannel", c.value(0), num_outputs=count, axis=axis)
        return [(node, i) for i in range(count)]
    ends = np.cumsum(sizes)
    return [
        c.make("slice_axis", c.value(0), suffix=f"_{i}", axis=axis, begin=int(end - size), end=int(end))
        for i, (size, end) in enumerate(zip(sizes, ends, strict=True))
    ]


@rule("Slice")
def _slice(c: Call) -> Value:
    starts, ends = c.numbers(1, "its start"), c.numbers(2, "its end")
    axes = c.numbers(3, "its axes") if c.has(3) else list(range(len(starts)))
    steps = c.numbers(4, "its step") if c.has(4) else [1] * len(starts)
    rank = c.rank()
    value = c.value(0)
    if all(s == 1 for s in steps):
        for i, (axis, start, end) in enumerate(zip(axes, starts, ends, strict=True)):
            last, at = i == len(axes) - 1, axis % rank
            first, bound = _bounds(start, end, (c.shapes[0] or (None,) * rank)[at])
            suffix = "" if last else f"_{i}"
            value = c.make("slice_axis", value, suffix=suffix, axis=at, begin=first, end=bound)
        return value
    begin: list[int | None] = [None] * rank
    stop: list[int | None] = [None] * rank
    by: list[int | None] = [None] * rank
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        at = axis % rank
        begin[at] = None if abs(start) >= _END else start
        stop[at], by[at] = (None if abs(end) >= _END else end), step
    return c.make("slice", value, begin=tuple(begin), end=tuple(stop), step=tuple(by))


def _bounds(start: int, end: int, size: int | None) -> tuple[int, int | None]:
    """Bounds of a slice as MXNet takes them: inside of the axis."""
    if size is None:
        return max(start, -_END), None if end >= _END else end
    first, last, _ = slice(start, end).indices(size)
    if first >= last:
        raise No("it selects nothing, and MXNet has no arrays without elements")
    return first, last


@rule("Expand")
def _expand(c: Call) -> Value:
    shape = [1 if n is None else n for n in c.sizes(1, "its shape")]
    rank = c.rank()
    value = c.value(0)
    for i in range(len(shape) - rank):
        value = c.make("expand_dims", value, suffix=f"_{i}", axis=0)
    sizes = [1] * (len(shape) - rank) + [d if isinstance(d, int) else 0 for d in c.shapes[0] or ()]
    # ONNX lets a size of 1 stand for what is there; MXNet has 0 for it.
    target = tuple(0 if n == 1 and size != 1 else n for n, size in zip(shape, sizes, strict=False))
    return c.make("broadcast_to", value, shape=target)


@rule("Tile")
def _tile(c: Call) -> Value:
    return c.make("tile", c.value(0), reps=tuple(c.numbers(1, "its repetitions")))


@rule("Pad")
def _pad(c: Call) -> Value:
    pads, rank = c.numbers(1, "its padding"), c.rank()
    if c.has(3):
        axes = [a % rank for a in c.numbers(3, "its axes")]
        full = [0] * (2 * rank)
        for i, a in enumerate(axes):
            full[a], full[a + rank] = pads[i], pads[i + len(axes)]
        pads = full
    if not any(pads):
        return c.value(0)
    mode = c.get("mode", "constant")
    if rank not in (4, 5) or any(pads[i] for i in (0, 1, rank, rank + 1)) or min(pads) < 0:
        raise No("MXNet pads the axes from the third on, of four or five")
    if mode not in ("constant", "edge", "reflect"):
        raise No(f"MXNet has no padding of mode {mode}")
    width = tuple(n for a in range(rank) for n in (pads[a], pads[a + rank]))
    fill = scalar(c.constant(2, "its value")) if c.has(2) else 0.0
    form: dict[str, Any] = {"constant_value": fill} if mode == "constant" else {}
    return c.make("Pad", c.value(0), mode=mode, pad_width=width, **form)


@rule("Gather")
def _gather(c: Call) -> Value:
    axis = c.axis(c.get("axis", 0))
    data, indices = c.value(0), c.value(1)
    if isinstance(indices, np.ndarray) and indices.ndim == 0:
        at = int(indices)
        part = c.make(
            "slice_axis", data, suffix="_slice", axis=axis, begin=at, end=None if at == -1 else at + 1
        )
        return c.make("squeeze", part, axis=(axis,))
    if isinstance(data, np.ndarray) and data.ndim == 2 and axis == 0 and isinstance(indices, tuple):
        rows, columns = data.shape
        return c.make("Embedding", indices, data, input_dim=rows, output_dim=columns)
    return c.make("take", data, indices, axis=axis, mode="wrap")


@rule("DepthToSpace", "SpaceToDepth")
def _depth(c: Call) -> Value:
    if c.get("mode", "DCR") != "DCR":
        raise No(f"MXNet orders channels as DCR, not {c.get('mode')}")
    name = "depth_to_space" if c.operator == "DepthToSpace" else "space_to_depth"
    return c.make(name, c.value(0), block_size=c.get("blocksize"))


@rule("OneHot")
def _one_hot(c: Call) -> Value:
    depth, (off, on) = c.numbers(1, "its depth")[0], c.constant(2, "its values")
    if c.axis(c.get("axis", -1), c.rank() + 1) != c.rank():
        raise No("MXNet puts the new axis last")
    found: Entry = c.make("one_hot", c.value(0), depth=depth, on_value=float(on), off_value=float(off))
    return found
