"""Operators on padded sequences with their lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..dims import prod
from ..errors import ShapeError
from ..shapes import ShapeContext, TypeContext
from ._axes import clipped, integers, positions
from .registry import operator

__all__: list[str] = []


def _present(a: Any) -> list[str]:
    return ["data", "sequence_length"] if a.use_sequence_length else ["data"]


def _lengths(g: Builder, data: Tensor, lengths: Tensor | None, axis: int) -> Tensor | None:
    """The lengths as int64, after checks."""
    if axis not in (0, 1):
        raise ShapeError(f"parameter 'axis': expected 0 or 1, got {axis}")
    if data.ndim < 2:
        raise ShapeError(f"argument 'data': expected 2 axes or more, got shape {data.dims}")
    if lengths is None:
        return None
    if lengths.dims != (data.dims[1 - axis],):
        raise ShapeError(
            f"argument 'sequence_length': expected shape ({data.dims[1 - axis]},), got {lengths.dims}"
        )
    return integers(g, lengths)


@operator("SequenceMask", present=_present)
def sequence_mask(
    g: Builder,
    data: Tensor,
    sequence_length: Tensor | None = None,
    *,
    use_sequence_length: bool = False,
    value: float = 0.0,
    axis: int = 0,
) -> Tensor:
    """SequenceMask(data, sequence_length, use_sequence_length=False, value=0, axis=0)

    `data` with `value` behind the end of every sequence. Time runs along `axis` (0 or 1), the batch along the
    other of the first two axes. Without lengths nothing is behind an end.
    """
    lengths = _lengths(g, data, sequence_length, axis)
    if lengths is None:
        return data
    time, rest = g.unsqueeze(positions(g, data.dims[axis]), 1 - axis), [1] * (data.ndim - 2)
    inside = g.op("Less", time, g.unsqueeze(lengths, axis))
    inside = g.reshape(inside, (*inside.dims, *rest))
    return g.op("Where", inside, data, g.const(np.asarray(value).astype(data.dt)))


@operator("SequenceLast", present=_present)
def sequence_last(
    g: Builder,
    data: Tensor,
    sequence_length: Tensor | None = None,
    *,
    use_sequence_length: bool = False,
    axis: int = 0,
) -> Tensor:
    """SequenceLast(data, sequence_length, use_sequence_length=False, axis=0)

    The last element of every sequence. Time runs along `axis` (0 or 1), the batch along the other of the
    first two axes. Without lengths the last step is taken.
    """
    lengths = _lengths(g, data, sequence_length, axis)
    steps, batch, rest = data.dims[axis], data.dims[1 - axis], data.dims[2:]
    if lengths is None:
        return g.reshape(g.slice(data, [axis], [steps - 1], [steps]), (batch, *rest))
    last, sequence = clipped(g, lengths - 1, steps), positions(g, batch)
    place = last * g.dim(batch) + sequence if axis == 0 else sequence * g.dim(steps) + last
    return g.op("Gather", g.reshape(data, (prod(data.dims[:2]), *rest)), place, axis=0)


@operator("SequenceReverse", present=_present)
def sequence_reverse(
    g: Builder,
    data: Tensor,
    sequence_length: Tensor | None = None,
    *,
    use_sequence_length: bool = False,
    axis: int = 0,
) -> Tensor:
    """SequenceReverse(data, sequence_length, use_sequence_length=False, axis=0)

    Every sequence in reverse order, what is behind its end in its place. Time runs along axis 0, the batch
    along axis 1. Without lengths all steps are reversed.
    """
    if axis != 0:
        raise ShapeError(f"parameter 'axis': expected 0, got {axis}")
    lengths = _lengths(g, data, sequence_length, axis)
    if lengths is None:
        first = g.ints(np.iinfo(np.int64).min)
        return g.with_dims("Slice", data.dims, data, g.ints(-1), first, g.ints(0), g.ints(-1))
    return g.with_dims("ReverseSequence", data.dims, data, lengths, time_axis=0, batch_axis=1)


@sequence_mask.infer_shape
@sequence_last.infer_shape
@sequence_reverse.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    data = s["data"]
    if data is not None and len(data) > 1 and a.axis in (0, 1):
        s.set("sequence_length", (data[1 - a.axis],))


@sequence_mask.infer_type
@sequence_last.infer_type
@sequence_reverse.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["data", 0])
