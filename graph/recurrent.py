"""One direction of one recurrent layer: a loop over time, and its gradient.

The products with the inputs are taken for all times at once, outside the loop, which leaves one matrix product with
the previous state for each step. The loop keeps the values of the gates. The gradient's loop gets everything
elementwise that does not depend on it as precomputed coefficients, and again does one matrix product for each
step; the gradients of weights and inputs are one product each over all times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir

from .autodiff.engine import Gradient, tensor, through_expansion
from .builder import Builder, CustomFunction, Tensor
from .dims import DimLike
from .loops import scan

__all__ = ["GATES", "Clip", "recurrent"]

#: Number of gates of each kind of layer: blocks of rows in its weights.
GATES = {"rnn_relu": 1, "rnn_tanh": 1, "gru": 3, "lstm": 4}


@dataclass(frozen=True)
class Clip:
    """Limits of the memory cells of "lstm"; `nan` replaces what is not a number by the lower one."""

    low: float
    high: float
    nan: bool = False


@dataclass(eq=False)
class _Step:
    """The operands of one layer and direction.

    Attributes
    ----------
    x : inputs (time, batch, width).
    wx, wh : weights (gates * hidden, width) and (gates * hidden, state).
    bx, bh : biases (gates * hidden,).
    h : first state (batch, state).
    c : first memory cells of "lstm" (batch, hidden).
    wr : projection (state, hidden) of the outputs of "lstm".
    active : which times lie within each sequence: bool (time, batch, 1).
    """

    g: Builder
    mode: str
    reverse: bool
    clip: Clip | None
    x: Tensor
    wx: Tensor
    wh: Tensor
    bx: Tensor
    bh: Tensor
    h: Tensor
    c: Tensor | None = None
    wr: Tensor | None = None
    active: Tensor | None = None
    grads: dict[str, Tensor] = field(default_factory=dict, init=False)

    @property
    def hidden(self) -> DimLike:
        return self.wh.dims[0] // GATES[self.mode]

    def flat(self, x: Tensor) -> Tensor:
        """(time, batch, n) as (time * batch, n)."""
        return self.g.reshape(x, (x.dims[0] * x.dims[1], x.dims[2]))

    def timed(self, x: Tensor) -> Tensor:
        """(time * batch, n) as (time, batch, n)."""
        return self.g.reshape(x, (*self.x.dims[:2], x.dims[1]))

    def projected(self, bias: Tensor) -> Tensor:
        """Products of all inputs with their weights: (time, batch, gates * hidden)."""
        return self.timed(self.g.op("Gemm", self.flat(self.x), self.wx, bias, transB=1))

    def before(self, sequence: Tensor, first: Tensor) -> Tensor:
        """The value that each step found: `sequence` moved by one step, `first` at the step done first."""
        g, length = self.g, sequence.dims[0]
        edge = g.unsqueeze(first, 0)
        if length == 1:
            return edge
        begin, end = (1, length) if self.reverse else (0, length - 1)
        rest = g.slice(sequence, [0], [begin], [end])
        parts = [rest, edge] if self.reverse else [edge, rest]
        return g.with_dims("Concat", sequence.dims, *parts, axis=0)

    def loop(
        self, body: Any, states: Sequence[Tensor], sequences: Sequence[Tensor], back: bool = False
    ) -> Any:
        """A loop in this direction, or `back`; where sequences end, states stay."""
        reverse = self.reverse != back
        if self.active is None or back:
            return scan(self.g, body, states, sequences, reverse=reverse)
        count = len(states)

        def guarded(b: Builder, active: Tensor, *arguments: Tensor) -> Sequence[Tensor]:
            old, results = arguments[:count], list(body(b, *arguments))
            kept = [b.op("Where", active, new, s) for new, s in zip(results, old, strict=False)]
            swap = dict(zip(results, kept, strict=False))
            return [swap.get(r, r) for r in results]

        def ordered(b: Builder, *arguments: Tensor) -> Sequence[Tensor]:
            return guarded(b, arguments[-1], *arguments[:-1])

        return scan(self.g, ordered, states, [*sequences, self.active], reverse=reverse)

    def masked(self, x: Tensor) -> Tensor:
        """`x` (time, batch, n), zero where sequences have ended."""
        return x if self.active is None else x * self.g.cast(self.active, x.dt)

    def kept(self, x: Tensor) -> Tensor:
        """`x` (time, batch, n), one where sequences have ended."""
        if self.active is None:
            return x
        return self.g.op("Where", self.active, x, self.g.const(1, x.dt))

    # -- values --------------------------------------------------------------------------------------------------
    def forward(self) -> tuple[Tensor, ...]:
        """Outputs (time, batch, state), last states, and what the gradient needs."""
        kind = {"lstm": self._lstm, "gru": self._gru}.get(self.mode, self._plain)
        finals, saved = kind()
        return (self.masked(saved[0]), *finals, *saved)

    def _plain(self) -> Any:
        xs = self.projected(self.bx + self.bh)

        def body(b: Builder, h: Tensor, x: Tensor) -> Sequence[Tensor]:
            new = b.op("Relu" if self.mode == "rnn_relu" else "Tanh", b.op("Gemm", h, self.wh, x, transB=1))
            return new, new

        return self.loop(body, [self.h], [xs])

    def _gru(self) -> Any:
        g, h = self.g, self.hidden
        gates, new = g.multi("Split", 2, self.bh, g.shape_tensor([h + h, h]), axis=0)
        zeros = g.fill((h,), 0, self.bh.dt)
        xs = self.projected(self.bx + g.op("Concat", gates, zeros, axis=0))
        pair = g.shape_tensor([h + h, h])
        x_gates, x_new = g.multi("Split", 2, xs, pair, axis=2)
        bias = g.op("Concat", g.fill((h + h,), 0, self.bh.dt), new, axis=0)

        def body(b: Builder, old: Tensor, xg: Tensor, xn: Tensor) -> Sequence[Tensor]:
            hg, hn = b.multi("Split", 2, b.op("Gemm", old, self.wh, bias, transB=1), pair, axis=1)
            r, z = b.multi("Split", 2, b.op("Sigmoid", b.op("Add", xg, hg)), axis=1, num_outputs=2)
            n = b.op("Tanh", b.op("Add", xn, b.op("Mul", r, hn)))
            result = b.op("Add", n, b.op("Mul", z, b.op("Sub", old, n)))
            return result, result, r, z, n, hn

        return self.loop(body, [self.h], [x_gates, x_new])

    def _lstm(self) -> Any:
        assert self.c is not None

        def body(b: Builder, h: Tensor, c: Tensor, x: Tensor) -> Sequence[Tensor]:
            parts = b.multi("Split", 4, b.op("Gemm", h, self.wh, x, transB=1), axis=1, num_outputs=4)
            i, f, o = (b.op("Sigmoid", parts[k]) for k in (0, 1, 3))
            new = b.op("Tanh", parts[2])
            cell = self._clipped(b, b.op("Add", b.op("Mul", f, c), b.op("Mul", i, new)))
            out = b.op("Mul", o, b.op("Tanh", cell))
            if self.wr is not None:
                out = b.op("Gemm", out, self.wr, transB=1)
            return out, cell, out, cell, i, f, new, o

        return self.loop(body, [self.h, self.c], [self.projected(self.bx + self.bh)])

    def _clipped(self, b: Builder, cell: Tensor) -> Tensor:
        if self.clip is None:
            return cell
        low, high = b.const(self.clip.low, cell.dt), b.const(self.clip.high, cell.dt)
        limited = b.op("Clip", cell, low, high)
        missing = b.op("IsNaN", cell)
        return b.op("Where", missing, low if self.clip.nan else cell, limited)

    # -- gradients -----------------------------------------------------------------------------------------------
    def backward(
        self, saved: Sequence[Tensor], dy: Tensor, dh: Tensor, dc: Tensor | None
    ) -> dict[str, Tensor]:
        """Gradients by operand, from those of outputs and last states."""
        dy = self.masked(dy)
        if self.mode == "lstm":
            assert dc is not None
            self._lstm_back(saved, dy, dh, dc)
        elif self.mode == "gru":
            self._gru_back(saved, dy, dh)
        else:
            self._plain_back(saved, dy, dh)
        return self.grads

    def _weights(self, dx: Tensor, dz: Tensor, state: Tensor) -> None:
        """Gradients of weights, biases and inputs from those of the sums inside the gates.

        Parameters
        ----------
        dx, dz : of the parts that come from the inputs and from the states, (time, batch, gates * hidden).
        state : the states that each step found.
        """
        g = self.g
        flat_x, flat_z = self.flat(dx), self.flat(dz)
        self.grads["wx"] = g.op("Gemm", flat_x, self.flat(self.x), transA=1)
        self.grads["wh"] = g.op("Gemm", flat_z, self.flat(state), transA=1)
        self.grads["x"] = self.timed(g.op("MatMul", flat_x, self.wx))
        # A product with ones is much faster than a sum over a leading axis.
        ones = g.fill((1, flat_x.dims[0]), 1, dx.dt)
        self.grads["bx"] = g.reshape(g.op("MatMul", ones, flat_x), self.bx.dims)
        same = dx is dz
        self.grads["bh"] = self.grads["bx"] if same else g.reshape(g.op("MatMul", ones, flat_z), self.bh.dims)

    def _resting(self) -> list[Tensor]:
        """One where sequences have ended, as a sequence of the gradient's loop; nothing where none ends."""
        if self.active is None:
            return []
        return [self.g.cast(self.g.op("Not", self.active), self.x.dt)]

    def _plain_back(self, saved: Sequence[Tensor], dy: Tensor, dh: Tensor) -> None:
        g, h = self.g, saved[0]
        slope = g.cast(g.op("Greater", h, 0.0), h.dt) if self.mode == "rnn_relu" else 1.0 - h * h

        def body(b: Builder, d: Tensor, y: Tensor, k: Tensor, *rest: Tensor) -> Sequence[Tensor]:
            total = b.op("Add", d, y)
            z = b.op("Mul", total, k)
            back = b.op("MatMul", z, self.wh)
            if rest:
                back = b.op("Add", back, b.op("Mul", total, rest[0]))
            return back, z

        (self.grads["h"],), (dz,) = self.loop(
            body, [dh], [dy, self.masked(slope), *self._resting()], back=True
        )
        self._weights(dz, dz, self.before(h, self.h))

    def _gru_back(self, saved: Sequence[Tensor], dy: Tensor, dh: Tensor) -> None:
        g = self.g
        h, r, z, n, hn = saved
        old = self.before(h, self.h)
        new = self.masked((1.0 - z) * (1.0 - n * n))
        update = self.masked((old - n) * z * (1.0 - z))
        slopes = g.op("Concat", new * hn * r * (1.0 - r), update, new * r, axis=2)

        def body(b: Builder, d: Tensor, y: Tensor, k: Tensor, stay: Tensor) -> Sequence[Tensor]:
            total = b.op("Add", d, y)
            dz = b.op("Mul", b.op("Concat", total, total, total, axis=1), k)
            return b.op("Add", b.op("MatMul", dz, self.wh), b.op("Mul", total, stay)), dz, total

        (self.grads["h"],), (dz, total) = self.loop(body, [dh], [dy, slopes, self.kept(z)], back=True)
        gates = g.slice(dz, [2], [0], [self.hidden + self.hidden])
        self._weights(g.op("Concat", gates, total * new, axis=2), dz, old)

    def _lstm_back(self, saved: Sequence[Tensor], dy: Tensor, dh: Tensor, dc: Tensor) -> None:
        g, wr = self.g, self.wr
        assert self.c is not None
        h, c, i, f, new, o = saved
        bounded = g.op("Tanh", c)
        through = self.masked(o * (1.0 - bounded * bounded))  # from an output to its cell
        inner = [new * i * (1.0 - i), self.before(c, self.c) * f * (1.0 - f), i * (1.0 - new * new)]
        stay = f
        if self.clip is not None:
            free = g.op("And", g.op("Greater", c, self.clip.low), g.op("Less", c, self.clip.high))
            inside = g.cast(free, c.dt)
            inner, stay = [k * inside for k in inner], f * inside
        slopes = self.masked(g.op("Concat", *inner, bounded * o * (1.0 - o), axis=2))

        def body(
            b: Builder, dh: Tensor, dc: Tensor, y: Tensor, t: Tensor, k: Tensor, s: Tensor, *rest: Tensor
        ) -> Sequence[Tensor]:
            total = b.op("Add", dh, y)
            out = total if wr is None else b.op("MatMul", total, wr)
            cell = b.op("Add", dc, b.op("Mul", out, t))
            z = b.op("Mul", b.op("Concat", cell, cell, cell, out, axis=1), k)
            back = b.op("MatMul", z, self.wh)
            if rest:
                back = b.op("Add", back, b.op("Mul", total, rest[0]))
            return back, b.op("Mul", cell, s), z, *([] if wr is None else [total])

        sequences = [dy, through, slopes, self.kept(stay), *self._resting()]
        (self.grads["h"], self.grads["c"]), found = self.loop(body, [dh, dc], sequences, back=True)
        self._weights(found[0], found[0], self.before(h, self.h))
        if wr is not None:
            totals = self.flat(self.masked(found[1]))
            self.grads["wr"] = g.op("Gemm", totals, self.flat(o * bounded), transA=1)


def _operands(has: Mapping[str, Any]) -> list[str]:
    """Names of the operands that a node with these attributes has, in order."""
    cell = ["c"] if has["mode"] == "lstm" else []
    return ["x", "wx", "wh", "bx", "bh", "h", *cell, *["wr"] * has["projected"], *["active"] * has["masked"]]


def _step(g: Builder, inputs: Sequence[Tensor], has: Mapping[str, Any]) -> _Step:
    clip = Clip(has["low"], has["high"], bool(has["nan"])) if "low" in has else None
    operands = dict(zip(_operands(has), inputs, strict=True))
    return _Step(g, has["mode"], bool(has["reverse"]), clip, **operands)


def _expand(g: Builder, *inputs: Tensor, **has: Any) -> tuple[Tensor, ...]:
    return _step(g, inputs, has).forward()


def _vjp(g: Builder, node: ir.Node, *dys: Tensor | None) -> Sequence[Gradient]:
    has = {k: a.value for k, a in node.attributes.items()}
    count = 3 if has["mode"] == "lstm" else 2
    if any(d is not None for d in dys[count:]):  # the gradient of a gradient
        return through_expansion(g, node, *dys)
    outputs = [tensor(v) for v in node.outputs]
    heads = [g.fill(t.dims, 0, t.dt) if d is None else d for t, d in zip(outputs[:count], dys, strict=False)]
    step = _step(g, [tensor(v) for v in node.inputs], has)
    grads = step.backward(outputs[count:], heads[0], heads[1], heads[2] if count == 3 else None)
    return [grads.get(name) for name in _operands(has)]


_RECURRENT = CustomFunction("Recurrent", _expand, _vjp)


def recurrent(
    g: Builder,
    mode: str,
    x: Tensor,
    wx: Tensor,
    wh: Tensor,
    bx: Tensor,
    bh: Tensor,
    h: Tensor,
    c: Tensor | None = None,
    *,
    wr: Tensor | None = None,
    active: Tensor | None = None,
    reverse: bool = False,
    clip: Clip | None = None,
) -> tuple[Tensor, ...]:
    """One direction of one recurrent layer; gates are in MXNet's order: i f c o ("lstm"), reset update new ("gru").

    Parameters
    ----------
    mode : "rnn_relu", "rnn_tanh", "gru" (the reset gate acts on the product with the state) or "lstm".
    x : inputs (time, batch, width).
    wx, wh, bx, bh : weights (gates * hidden, width) and (gates * hidden, state), biases (gates * hidden,).
    h, c : first state (batch, state); first memory cells (batch, hidden), for "lstm".
    wr : projection (state, hidden) of the outputs, for "lstm".
    active : bool (time, batch, 1); where False outputs are zero and states stay.
    reverse : begin with the last time.
    clip : limits of the memory cells.

    Returns
    -------
    tuple : outputs (time, batch, state), the last state and, for "lstm", the last memory cells.
    """
    operands = [t for t in (x, wx, wh, bx, bh, h, c, wr, active) if t is not None]
    has: dict[str, Any] = {
        "mode": mode,
        "reverse": int(reverse),
        "projected": int(wr is not None),
        "masked": int(active is not None),
    }
    if clip is not None:
        has |= {"low": float(clip.low), "high": float(clip.high), "nan": int(clip.nan)}
    return g.custom(_RECURRENT, *operands, **has)[: 3 if mode == "lstm" else 2]
