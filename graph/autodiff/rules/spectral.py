"""Gradient rules of Fourier transforms, which are linear: the same transforms in the other direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from ...builder import Builder, Tensor
from ...errors import NotDifferentiableError
from ...ranges import numbers
from ..engine import Gradient, attribute, rule, tensor, through

__all__: list[str] = []


def _given(n: ir.Node, i: int) -> Tensor | None:
    return tensor(n.inputs[i]) if len(n.inputs) > i and n.inputs[i] is not None else None


@rule("DFT")
def dft(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    """What lies behind the transformed part of the data gets zeros; real data gets the real part."""
    x, length, place = tensor(n.inputs[0]), _given(n, 1), _given(n, 2)
    inverse, onesided = bool(attribute(n, "inverse", 0)), bool(attribute(n, "onesided", 0))
    if place is not None and place.const is None:
        raise NotDifferentiableError("ONNX DFT: the gradient needs a constant axis")
    axis = (-2 if place is None or place.const is None else int(place.const.reshape(()))) % x.ndim
    if inverse and onesided:
        return _half(g, x, dy, axis)
    size = x.dims[axis]
    if length is None:
        count = g.dim(size)
    elif length.const is not None:
        size = int(length.const.reshape(()))
        count = g.ints(size)
    else:
        if onesided:
            raise NotDifferentiableError("ONNX DFT: the gradient of onesided needs a constant dft_length")
        size, count = dy.dims[axis], g.cast(g.reshape(length, (1,)), np.int64)
    scalar = g.reshape(count, ())
    dims = [size if i == axis else d for i, d in enumerate(dy.dims)]
    turned = g.with_dims("DFT", dims, dy, scalar, g.const(np.int64(axis)), inverse=None if inverse else 1)
    factor = g.cast(scalar, dy.dt)
    d = turned / factor if inverse else turned * factor
    if x.dims[-1] == 1:
        d = g.slice(d, [d.ndim - 1], [0], [1])
    if d.dims[axis] == x.dims[axis]:
        return d
    if not isinstance(size, int) or not isinstance(x.dims[axis], int):
        raise NotDifferentiableError(
            "ONNX DFT: the gradient needs static lengths where dft_length is another"
        )
    return _fitted(g, d, axis, int(x.dims[axis]))


def _half(g: Builder, x: Tensor, dy: Tensor, axis: int) -> Tensor:
    """The gradient of the half of a spectrum that stands for real data: all but its ends stands for two halves."""
    size, have = dy.dims[axis], x.dims[axis]
    if not isinstance(size, int) or not isinstance(have, int):
        raise NotDifferentiableError("ONNX DFT: the gradient of inverse and onesided needs static lengths")
    count = size // 2 + 1
    weights = np.full(count, 2.0 / size)
    weights[0] = 1.0 / size
    if size % 2 == 0:
        weights[-1] = 1.0 / size
    dims = (*(count if i == axis else d for i, d in enumerate(dy.dims[:-1])), 2)
    turned = g.with_dims("DFT", dims, dy, None, g.const(np.int64(axis)), onesided=1)
    shape = [count if i == axis else 1 for i in range(x.ndim)]
    return _fitted(g, turned * weights.reshape(shape).astype(dy.dt), axis, have)


def _fitted(g: Builder, d: Tensor, axis: int, have: int) -> Tensor:
    """`d` cut or filled up with zeros to a length."""
    rest = have - int(d.dims[axis])
    if rest <= 0:
        return g.slice(d, [axis], [0], [have])
    widths = [0] * (2 * d.ndim)
    widths[d.ndim + axis] = rest
    dims = [have if i == axis else n for i, n in enumerate(d.dims)]
    return g.with_dims("Pad", dims, d, g.ints(*widths))


@rule("STFT")
def stft(g: Builder, n: ir.Node, dy: Tensor) -> Sequence[Gradient]:
    """That of the transforms of all frames; the window has a gradient too."""
    step, length = _given(n, 1), _given(n, 3)
    window = _given(n, 2)
    if step is None or step.const is None or (length is not None and length.const is None):
        raise NotDifferentiableError("ONNX STFT: the gradient needs a constant frame_step and frame_length")
    stride = int(step.const.reshape(()))
    size = int(length.const.reshape(())) if length is not None and length.const is not None else None
    if size is None:
        size = int(window.dims[0]) if window is not None else None
    if size is None:
        raise NotDifferentiableError("ONNX STFT: the gradient needs a window or frame_length")
    onesided = int(attribute(n, "onesided", 1))
    frames = dy.dims[1]

    def expand(
        b: Builder, signal: Tensor, _: Tensor, window: Tensor | None = None, __: Tensor | None = None
    ) -> Tensor:
        starts = b.reshape(numbers(b, frames) * np.int64(stride), (frames, 1))
        places = starts + np.arange(size, dtype=np.int64)
        parts = b.op("Gather", signal if signal.ndim == 3 else b.unsqueeze(signal, 2), places, axis=1)
        if window is not None:
            parts = parts * b.unsqueeze(window, 1)
        return b.op("DFT", parts, None, b.const(np.int64(2)), onesided=onesided or None)

    return through(g, n, expand, dy)
