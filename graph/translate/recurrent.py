"""Rules of recurrent layers."""

from __future__ import annotations

import numpy as np

from .translation import Array, Call, No, Value, rule

__all__: list[str] = []

# For each operator: MXNet's mode, its order of gates in terms of ONNX's, and the activations that it has.
_KINDS: dict[str, tuple[str, list[int], list[str]]] = {
    "LSTM": ("lstm", [0, 2, 3, 1], ["Sigmoid", "Tanh", "Tanh"]),
    "GRU": ("gru", [1, 0, 2], ["Sigmoid", "Tanh"]),
    "RNN": ("rnn_tanh", [0], ["Tanh"]),
}


@rule("LSTM", "GRU", "RNN")
def _recurrent(c: Call) -> list[Value]:
    mode, order, activations = _KINDS[c.operator]
    weight, recurrent = c.constant(1, "its weight"), c.constant(2, "its recurrence weight")
    directions, size = weight.shape[0], recurrent.shape[2]
    given = c.get("activations")
    if given is not None:
        words = [w.decode() if isinstance(w, bytes) else w for w in given]
        if c.operator == "RNN" and set(words) == {"Relu"}:
            mode = "rnn_relu"
        elif words != activations * directions:
            raise No(f"MXNet has no such layer with the activations {words}")
    _check(c)
    blocks = len(order)
    bias = c.constant(3, "its bias") if c.has(3) else np.zeros((directions, 2 * blocks * size), weight.dtype)

    def sorted_gates(rows: Array) -> Array:
        return rows.reshape(blocks, size, -1)[order].ravel()

    parts = [sorted_gates(x[d]) for d in range(directions) for x in (weight, recurrent)]
    parts += [sorted_gates(half) for d in range(directions) for half in np.split(bias[d], 2)]
    states = [_state(c, 5, directions, size, "_state")]
    if mode == "lstm":
        states.append(_state(c, 6, directions, size, "_cell"))
    node, _ = c.make(
        "RNN", c.value(0), np.concatenate(parts), *states, state_size=size, num_layers=1, mode=mode,
        bidirectional=directions == 2, state_outputs=True,
    )  # fmt: skip
    if directions == 1:
        values: Value = c.make("expand_dims", (node, 0), suffix="_directions", axis=1)
    else:
        split = c.make("Reshape", (node, 0), suffix="_split", shape=(0, 0, directions, size))
        values = c.make("transpose", split, suffix="_directions", axes=(0, 2, 1, 3))
    return [values, *((node, i) for i in range(1, len(states) + 1))]


def _check(c: Call) -> None:
    """Raise unless the layer is one that MXNet has."""
    if c.get("layout"):
        raise No("MXNet's RNN has time first")
    if c.get("clip") or c.get("input_forget") or c.has(7):
        raise No("MXNet's RNN has neither clipping, coupled gates nor peepholes")
    if c.get("direction", "forward") == "reverse":
        raise No("MXNet's RNN runs forward, or in both directions")
    if c.operator == "GRU" and not c.get("linear_before_reset"):
        raise No("MXNet's GRU applies the reset gate after the product")
    if c.has(4):
        shape = c.shapes[0]
        if shape is None or any(n != shape[0] for n in c.numbers(4, "the length of its sequences")):
            raise No("its sequences are shorter than the data")


def _state(c: Call, i: int, directions: int, size: int, suffix: str) -> Value:
    """An initial state; zeros of the data's batch size where none is given."""
    if c.has(i):
        return c.value(i)
    one = c.make("slice", c.value(0), suffix=f"{suffix}_one", begin=(0, None, 0), end=(1, None, 1))
    zero = c.make("zeros_like", one, suffix=f"{suffix}_zero")
    return c.make("broadcast_axis", zero, suffix=suffix, axis=(0, 2), size=(directions, size))
