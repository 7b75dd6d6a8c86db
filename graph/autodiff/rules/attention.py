"""Gradient rules of attention and of what belongs to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import DimLike
from ...ranges import numbers
from ..engine import Gradient, rule, tensor, through

__all__: list[str] = []

_NO = -np.inf


def _heads(b: Builder, x: Tensor, count: int | None) -> Tensor:
    """(batch, length, heads * size) as (batch, heads, length, size)."""
    if x.ndim == 4 or count is None:
        return x
    wide = b.reshape(x, (*x.dims[:2], count, x.dims[2] // count))
    return b.transpose(wide, [0, 2, 1, 3])


class _Attention:
    """The steps of one Attention node."""

    def __init__(self, b: Builder, attributes: dict[str, Any], operands: Sequence[Tensor | None]) -> None:
        self.b, self.a = b, attributes
        q, k, v, self.mask, past_k, past_v, self.lengths = (*operands, *(None,) * 7)[:7]
        assert q is not None and k is not None and v is not None
        self.flat = q.ndim == 3
        self.q = _heads(b, q, attributes.get("q_num_heads"))
        self.k, self.v = (_heads(b, t, attributes.get("kv_num_heads")) for t in (k, v))
        self.before: DimLike = 0
        if past_k is not None and past_v is not None:
            self.before = past_k.dims[2]
            self.k = b.op("Concat", past_k, self.k, axis=2)
            self.v = b.op("Concat", past_v, self.v, axis=2)
        self.queries, self.keys = self.q.dims[2], self.k.dims[2]

    def grouped(self, x: Tensor, groups: DimLike) -> Tensor:
        """(batch, heads, ...) as (batch, groups, heads of a group, ...)."""
        return self.b.reshape(x, (x.dims[0], groups, x.dims[1] // groups, *x.dims[2:]))

    def product(self, x: Tensor, y: Tensor) -> Tensor:
        """The matrix product of (batch, heads, n, m) with (batch, groups, m, k): heads of a group share a matrix."""
        if x.dims[1] == y.dims[1]:
            return self.b.op("MatMul", x, y)
        found = self.b.op("MatMul", self.grouped(x, y.dims[1]), self.b.unsqueeze(y, 2))
        return self.b.reshape(found, (*x.dims[:3], y.dims[3]))

    def limits(self) -> Tensor | None:
        """Which keys each query may see by position, or None: bool, broadcastable to (batch, heads, queries, keys)."""
        b, found = self.b, []
        left, right = int(self.a.get("left_window_size", -1)), int(self.a.get("right_window_size", -1))
        causal = bool(self.a.get("is_causal", 0))
        key = b.reshape(numbers(b, self.keys), (1, 1, 1, self.keys))
        if causal or left >= 0 or right >= 0:
            place = b.reshape(numbers(b, self.queries), (1, 1, self.queries, 1))
            if self.lengths is not None:
                place = place + (self.valid() - b.dim(self.queries))
            elif self.before != 0:
                place = place + b.dim(self.before)
            found += [b.op("LessOrEqual", key, place)] if causal else []
            found += [b.op("LessOrEqual", place - key, np.int64(left))] if left >= 0 else []
            found += [b.op("LessOrEqual", key - place, np.int64(right))] if right >= 0 else []
        if self.lengths is not None:
            found.append(b.op("Less", key, self.valid()))
        total = None
        for part in found:
            total = part if total is None else b.op("And", total, part)
        return total

    def valid(self) -> Tensor:
        assert self.lengths is not None
        return self.b.reshape(self.b.cast(self.lengths, np.int64), (self.lengths.dims[0], 1, 1, 1))

    def bias(self) -> Tensor | None:
        """What is added to the scores: minus infinity where a key is not seen."""
        b, dt, total = self.b, self.q.dt, None
        zero, no = b.const(0, dt), b.const(_NO, dt)
        if self.mask is not None:
            total = b.op("Where", self.mask, zero, no) if self.mask.dt == np.bool_ else self.mask
            if total.dims[-1] != self.keys:
                last = [0] * (2 * total.ndim - 1)
                widths = b.op("Concat", b.ints(*last), b.dim(self.keys - total.dims[-1]), axis=0)
                total = b.with_dims("Pad", (*total.dims[:-1], self.keys), total, widths, no)
        allowed = self.limits()
        if allowed is None:
            return total
        return b.op("Where", allowed, zero if total is None else total, no)

    def results(self) -> list[Tensor]:
        """The node's four outputs."""
        b, dt, mode = self.b, self.q.dt, int(self.a.get("qk_matmul_output_mode", 0))
        scale = self.a.get("scale")
        if scale is None:
            size = self.q.dims[3]
            rows = (
                self.q * (1.0 / math.sqrt(size))
                if isinstance(size, int)
                else self.q / b.op("Sqrt", b.cast(b.dim(size), dt))
            )
        else:
            rows = self.q * float(scale)
        scores = self.product(rows, b.transpose(self.k, [0, 1, 3, 2]))
        shown = scores
        cap = float(self.a.get("softcap", 0.0))
        if cap > 0:
            scores = b.op("Tanh", scores * (1.0 / cap)) * cap
        shown = scores if mode == 1 else shown
        bias = self.bias()
        alone = None
        if bias is not None:
            scores = scores + bias
            alone = b.op("Equal", b.reduce("Max", bias, [-1], keepdims=True), _NO)
        shown = scores if mode == 2 else shown
        odds = self.softmax(scores, alone)
        shown = odds if mode == 3 else shown
        y = self.product(odds, self.v)
        if self.flat:
            turned = b.transpose(y, [0, 2, 1, 3])
            y = b.reshape(turned, (*turned.dims[:2], turned.dims[2] * turned.dims[3]))
        return [y, self.k, self.v, shown]

    def softmax(self, scores: Tensor, alone: Tensor | None) -> Tensor:
        """Probabilities; zero in rows that see no key at all (`alone`)."""
        b, dt = self.b, scores.dt
        precision = self.a.get("softmax_precision")
        zero = b.const(0, dt)
        if alone is not None:
            scores = b.op("Where", alone, zero, scores)
        if precision:
            scores = b.cast(scores, ir.DataType(precision).numpy())
        odds = b.cast(b.op("Softmax", scores, axis=-1), dt)
        return odds if alone is None else b.op("Where", alone, zero, odds)


@rule("Attention")
def attention(g: Builder, n: ir.Node, *dys: Tensor | None) -> Sequence[Gradient]:
    a = {k: v.value for k, v in n.attributes.items()}
    return through(
        g, n, lambda b, *operands: _Attention(b, a, operands).results(), *dys[:4], *[None] * (4 - len(dys))
    )


@rule("RotaryEmbedding")
def rotary_embedding(g: Builder, n: ir.Node, dy: Tensor) -> Sequence[Gradient]:
    a = {k: v.value for k, v in n.attributes.items()}

    def expand(b: Builder, x: Tensor, cos: Tensor, sin: Tensor, places: Tensor | None = None) -> Tensor:
        flat = x.ndim == 3
        wide = _heads(b, x, int(a.get("num_heads", 0)) or None)
        size = wide.dims[3]
        turned = int(a.get("rotary_embedding_dim", 0)) or size
        half = turned // 2
        if places is not None:
            cos, sin = (b.op("Gather", t, places, axis=0) for t in (cos, sin))
        cos, sin = b.unsqueeze(cos, 1), b.unsqueeze(sin, 1)
        first = b.slice(wide, [3], [0], [turned])
        if a.get("interleaved", 0):
            pairs = b.reshape(first, (*first.dims[:3], half, 2))
            p, q = (b.squeeze(b.slice(pairs, [4], [k], [k + 1]), 4) for k in (0, 1))
        else:
            p, q = b.slice(first, [3], [0], [half]), b.slice(first, [3], [half], [turned])
        real, imaginary = cos * p - sin * q, sin * p + cos * q
        if a.get("interleaved", 0):
            both = b.op("Concat", b.unsqueeze(real, 4), b.unsqueeze(imaginary, 4), axis=4)
            found = b.reshape(both, first.dims)
        else:
            found = b.op("Concat", real, imaginary, axis=3)
        if turned != size:
            found = b.op("Concat", found, b.slice(wide, [3], [turned], [size]), axis=3)
        return b.reshape(b.transpose(found, [0, 2, 1, 3]), x.dims) if flat else found

    return through(g, n, expand, dy)


@rule("TensorScatter")
def tensor_scatter(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    """The written places belong to the update, all others to what was there."""
    cache, update = tensor(n.inputs[0]), tensor(n.inputs[1])
    start = tensor(n.inputs[2]) if len(n.inputs) > 2 and n.inputs[2] is not None else None
    a = {k: v.value for k, v in n.attributes.items()}
    axis = int(a.get("axis", -2)) % cache.ndim
    shape: list[DimLike] = [1] * cache.ndim
    shape[axis] = update.dims[axis]
    places = g.reshape(numbers(g, update.dims[axis]), shape)
    if start is not None:
        places = places + g.reshape(start, (cache.dims[0], *(1,) * (cache.ndim - 1)))
    if a.get("mode", "linear") == "circular":
        places = g.op("Mod", places, g.dim(cache.dims[axis]))
    places = g.expand(places, update.dims)
    zeros = g.fill(update.dims, 0, dy.dt)
    return (
        lambda: g.with_dims("ScatterElements", dy.dims, dy, places, zeros, axis=axis),
        lambda: g.op("GatherElements", dy, places, axis=axis),
    )
