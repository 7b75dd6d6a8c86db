"""Gradients of ONNX's recurrent operators: by the loop over time that computes the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ...builder import Builder, Tensor
from ...ranges import numbers
from ...recurrent import recurrent
from ..engine import Gradient, rule, through
from .cells import recurrent_layer

__all__: list[str] = []

#: Where the blocks of gates of `recurrent` are among ONNX's.
_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
_ACTIVATIONS = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}


def _mode(node: ir.Node, inputs: Sequence[Any], a: dict[str, Any]) -> str | None:
    """The kind of layer of `recurrent` that a node is; None where it is none of them."""
    kind, directions = node.op_type, 2 if a.get("direction") == "bidirectional" else 1
    given = tuple(str(n).lower() for n in a.get("activations", ()))
    usual = _ACTIVATIONS[kind] * directions
    relu = kind == "RNN" and given == ("relu",) * directions
    other = given and given != usual and not relu
    peepholes = len(inputs) > 7 and inputs[7] is not None
    if other or a.get("clip") or a.get("input_forget") or a.get("layout") or peepholes:
        return None
    if kind == "GRU":
        return "gru" if a.get("linear_before_reset") else None
    return "lstm" if kind == "LSTM" else "rnn_relu" if relu else "rnn_tanh"


@rule("LSTM", "GRU", "RNN")
def recurrent_operator(g: Builder, n: ir.Node, *dys: Tensor | None) -> Sequence[Gradient]:
    a = {k: v.value for k, v in n.attributes.items()}
    mode = _mode(n, n.inputs, a)
    if mode is None:
        return through(g, n, lambda b, *operands: recurrent_layer(b, n.op_type, a, operands), *dys)
    order = _ORDER[n.op_type]

    def rows(b: Builder, t: Tensor) -> Tensor:
        if len(order) == 1:
            return t
        parts = b.multi("Split", len(order), t, axis=0, num_outputs=len(order))
        return b.op("Concat", *(parts[k] for k in order), axis=0)

    def expand(b: Builder, *given: Tensor | None) -> Sequence[Tensor]:
        x, w, r, bias, lengths, h, c = (*given, *(None,) * 7)[:7]
        assert x is not None and w is not None and r is not None
        count, hidden = int(r.dims[0]), r.dims[2]
        active = None
        if lengths is not None:
            times = b.reshape(numbers(b, x.dims[0]), (x.dims[0], 1, 1))
            active = b.op("Less", times, b.reshape(b.cast(lengths, np.int64), (1, x.dims[1], 1)))

        def direction(t: Tensor, k: int) -> Tensor:
            return b.squeeze(b.slice(t, [0], [k], [k + 1]), 0)

        def first(t: Tensor | None, k: int) -> Tensor:
            if t is None:
                return b.fill((x.dims[1], hidden), 0, x.dt)
            return direction(t, k)

        found = []
        for k in range(count):
            rank = len(order) * hidden
            both = b.fill((2 * rank,), 0, x.dt) if bias is None else direction(bias, k)
            found.append(
                recurrent(
                    b,
                    mode,
                    x,
                    rows(b, direction(w, k)),
                    rows(b, direction(r, k)),
                    rows(b, b.slice(both, [0], [0], [rank])),
                    rows(b, b.slice(both, [0], [rank], [2 * rank])),
                    first(h, k),
                    first(c, k) if mode == "lstm" else None,
                    active=active,
                    reverse=k == 1 or a.get("direction") == "reverse",
                )
            )
        return [
            b.op("Concat", *(b.unsqueeze(p, axis) for p in parts), axis=axis)
            for parts, axis in zip(zip(*found, strict=True), (1, 0, 0), strict=False)
        ]

    return through(g, n, expand, *dys)
