"""ONNX's recurrent operators in full, as loops over time: every activation, clipping, peepholes and layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...builder import Builder, Tensor
from ...errors import NotDifferentiableError
from ...loops import scan
from ...ranges import numbers

__all__ = ["recurrent_layer"]

Activation = Callable[[Builder, Tensor], Tensor]

#: Activations by name: what they are usually given as alpha and beta (None: they take none).
_DEFAULTS: dict[str, tuple[float | None, float | None]] = {
    "affine": (1.0, 0.0),
    "elu": (1.0, None),
    "hardsigmoid": (0.2, 0.5),
    "leakyrelu": (0.01, None),
    "relu": (None, None),
    "scaledtanh": (1.0, 1.0),
    "sigmoid": (None, None),
    "softplus": (None, None),
    "softsign": (None, None),
    "tanh": (None, None),
    "thresholdedrelu": (1.0, None),
}
_PLAIN = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "tanh": "Tanh",
}
_USUAL = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def _activation(name: str, alpha: float, beta: float) -> Activation:
    if name in _PLAIN:
        return lambda b, x: b.op(_PLAIN[name], x)
    if name == "affine":
        return lambda b, x: b.op("Add", b.op("Mul", x, alpha), beta)
    if name == "scaledtanh":
        return lambda b, x: b.op("Mul", b.op("Tanh", b.op("Mul", x, beta)), alpha)
    if name == "hardsigmoid":
        return lambda b, x: b.op("HardSigmoid", x, alpha=alpha, beta=beta)
    types = {"elu": "Elu", "leakyrelu": "LeakyRelu", "thresholdedrelu": "ThresholdedRelu"}
    return lambda b, x: b.op(types[name], x, alpha=alpha)


def _activations(kind: str, a: dict[str, Any], directions: int) -> list[list[Activation]]:
    """The activations of each direction. Those that take alpha or beta take the next of the given ones."""
    names = [str(n).lower() for n in a.get("activations") or _USUAL[kind] * directions]
    unknown = [n for n in names if n not in _DEFAULTS]
    if unknown:
        raise NotDifferentiableError(
            f"no gradient rule for the ONNX operator {kind!r} with the activation {unknown[0]!r}"
        )
    alphas, betas = iter(a.get("activation_alpha") or ()), iter(a.get("activation_beta") or ())
    found = [
        _activation(n, *(_next(d, v) for d, v in zip(_DEFAULTS[n], (alphas, betas), strict=True)))
        for n in names
    ]
    count = len(_USUAL[kind])
    return [found[k * count : (k + 1) * count] for k in range(directions)]


def _next(default: float | None, given: Iterator[float]) -> float:
    return 0.0 if default is None else float(next(given, default))


class _Cell:
    """One direction of a layer.

    Parameters
    ----------
    functions : its activations.
    r : (gates * hidden, hidden).
    bias : of the products with states (gates * hidden,).
    peepholes : (3 * hidden,), of LSTM.
    """

    def __init__(
        self, kind: str, a: dict[str, Any], functions: Sequence[Activation], r: Tensor, bias: Tensor
    ) -> None:
        self.kind, self.functions, self.r, self.bias = kind, functions, r, bias
        self.hidden = r.dims[1]
        self.clip = float(a.get("clip", 0.0))
        self.coupled = bool(a.get("input_forget", 0))
        self.late = bool(a.get("linear_before_reset", 0))
        self.peepholes: list[Tensor] = []

    def act(self, b: Builder, k: int, x: Tensor) -> Tensor:
        if self.clip:
            x = b.op("Clip", x, b.const(-self.clip, x.dt), b.const(self.clip, x.dt))
        return self.functions[k](b, x)

    def part(self, b: Builder, x: Tensor, k: int, count: int = 1) -> Tensor:
        """The gates from the k-th on along the last axis (rows of matrices are meant where `x` has two equal ones)."""
        begin = k * self.hidden
        return b.slice(x, [x.ndim - 1], [begin], [begin + count * self.hidden])

    def rows(self, b: Builder, k: int, count: int = 1) -> Tensor:
        begin = k * self.hidden
        return b.slice(self.r, [0], [begin], [begin + count * self.hidden])

    def step(self, b: Builder, states: Sequence[Tensor], x: Tensor) -> list[Tensor]:
        """New states; `x` is the product with the input, (batch, gates * hidden)."""
        return {"LSTM": self.lstm, "GRU": self.gru, "RNN": self.rnn}[self.kind](b, states, x)

    def rnn(self, b: Builder, states: Sequence[Tensor], x: Tensor) -> list[Tensor]:
        z = b.op("Add", x, b.op("Gemm", states[0], self.r, self.bias, transB=1))
        return [self.act(b, 0, z)]

    def gru(self, b: Builder, states: Sequence[Tensor], x: Tensor) -> list[Tensor]:
        h = states[0]
        first = b.op("Gemm", h, self.rows(b, 0, 2), self.part(b, self.bias, 0, 2), transB=1)
        gates = self.act(b, 0, b.op("Add", self.part(b, x, 0, 2), first))
        update, reset = self.part(b, gates, 0), self.part(b, gates, 1)
        bias, rows = self.part(b, self.bias, 2), self.rows(b, 2)
        if self.late:
            product = b.op("Mul", reset, b.op("Gemm", h, rows, bias, transB=1))
        else:
            product = b.op("Gemm", b.op("Mul", reset, h), rows, bias, transB=1)
        new = self.act(b, 1, b.op("Add", self.part(b, x, 2), product))
        return [b.op("Add", new, b.op("Mul", update, b.op("Sub", h, new)))]

    def lstm(self, b: Builder, states: Sequence[Tensor], x: Tensor) -> list[Tensor]:
        h, c = states
        z = b.op("Add", x, b.op("Gemm", h, self.r, self.bias, transB=1))
        i, o, f, n = (self.part(b, z, k) for k in range(4))
        if self.peepholes:
            i = b.op("Add", i, b.op("Mul", self.peepholes[0], c))
            f = b.op("Add", f, b.op("Mul", self.peepholes[2], c))
        i = self.act(b, 0, i)
        f = b.op("Sub", b.const(1, i.dt), i) if self.coupled else self.act(b, 0, f)
        cell = b.op("Add", b.op("Mul", f, c), b.op("Mul", i, self.act(b, 1, n)))
        if self.peepholes:
            o = b.op("Add", o, b.op("Mul", self.peepholes[1], cell))
        return [b.op("Mul", self.act(b, 0, o), self.functions[2](b, cell)), cell]


def _swapped(b: Builder, x: Tensor | None, on: bool) -> Tensor | None:
    """`x` with its first two axes exchanged, if `on`."""
    return x if x is None or not on else b.transpose(x, [1, 0, *range(2, x.ndim)])


def recurrent_layer(
    b: Builder, kind: str, a: dict[str, Any], operands: Sequence[Tensor | None]
) -> list[Tensor]:
    """The outputs of an LSTM, GRU or RNN node with attributes `a`, by one Scan for each direction.

    Raises
    ------
    NotDifferentiableError : an activation is unknown.
    """
    x, w, r, bias, lengths, h, c, p = (*operands, *(None,) * 8)[:8]
    batched = bool(a.get("layout", 0))
    x, h, c = (_swapped(b, t, batched) for t in (x, h, c))
    assert x is not None and w is not None and r is not None
    count, hidden, dt = int(r.dims[0]), r.dims[2], x.dt
    functions = _activations(kind, a, count)
    active = None
    if lengths is not None:
        times = b.reshape(numbers(b, x.dims[0]), (x.dims[0], 1, 1))
        active = b.op("Less", times, b.reshape(b.cast(lengths, np.int64), (1, x.dims[1], 1)))
    found = []
    for k in range(count):
        wk, rk = (b.squeeze(b.slice(t, [0], [k], [k + 1]), 0) for t in (w, r))
        rank = _GATES[kind] * hidden
        both = b.fill((2 * rank,), 0, dt) if bias is None else b.squeeze(b.slice(bias, [0], [k], [k + 1]), 0)
        cell = _Cell(kind, a, functions[k], rk, b.slice(both, [0], [rank], [2 * rank]))
        if p is not None:
            pk = b.squeeze(b.slice(p, [0], [k], [k + 1]), 0)
            cell.peepholes = [cell.part(b, pk, i) for i in range(3)]
        xs = b.op("MatMul", x, b.transpose(wk, [1, 0])) + b.slice(both, [0], [0], [rank])
        firsts = [
            b.fill((x.dims[1], hidden), 0, dt) if t is None else b.squeeze(b.slice(t, [0], [k], [k + 1]), 0)
            for t in ((h, c) if kind == "LSTM" else (h,))
        ]
        found.append(_direction(b, cell, firsts, xs, active, k == 1 or a.get("direction") == "reverse"))
    results = [
        b.op("Concat", *(b.unsqueeze(t, axis) for t in parts), axis=axis)
        for parts, axis in zip(zip(*found, strict=True), (1, 0, 0), strict=False)
    ]
    if not batched:
        return results
    first = b.transpose(results[0], [2, 0, 1, 3])
    return [first, *(b.transpose(t, [1, 0, 2]) for t in results[1:])]


def _direction(
    b: Builder, cell: _Cell, firsts: Sequence[Tensor], xs: Tensor, active: Tensor | None, reverse: bool
) -> list[Tensor]:
    """The outputs of all times, and the last states."""
    count = len(firsts)

    def body(inner: Builder, *arguments: Tensor) -> Sequence[Tensor]:
        old, x = arguments[:count], arguments[count]
        new = cell.step(inner, old, x)
        if len(arguments) == count + 1:
            return [*new, new[0]]
        on = arguments[-1]
        kept = [inner.op("Where", on, s, t) for s, t in zip(new, old, strict=True)]
        return [*kept, inner.op("Where", on, new[0], inner.const(0, new[0].dt))]

    sequences = [xs] if active is None else [xs, active]
    states, (outputs,) = scan(b, body, firsts, sequences, reverse=reverse, name="time")
    return [outputs, *states]
