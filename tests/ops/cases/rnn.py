"""The fused recurrent operator: values, final states and gradients of every mode."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.cases._recurrent import recurrent, slopes
from tests.ops.cases._spec import TOLERANCE, Case, Expect, case, normal, values

_GATES = {"rnn_relu": 1, "rnn_tanh": 1, "gru": 3, "lstm": 4}


def _size(mode: str, inputs: int, hidden: int, layers: int, directions: int) -> int:
    """Number of parameters: weights of all layers and directions, then their two biases."""
    gates, total, width = _GATES[mode], 0, inputs
    for _ in range(layers):
        total += directions * gates * hidden * (width + hidden + 2)
        width = hidden * directions
    return total


def _rnn(
    mode: str,
    tag: str,
    *,
    steps: int = 3,
    batch: int = 2,
    inputs: int = 3,
    hidden: int = 4,
    layers: int = 1,
    both: bool = False,
    lengths: list[int] | None = None,
    outputs: bool = True,
    dtypes: tuple[str, ...] = ("float32",),
    **attrs: object,
) -> Case:
    directions = 2 if both else 1
    parameters = normal(_size(mode, inputs, hidden, layers, directions), scale=0.5)
    state = (layers * directions, batch, hidden)
    specs = [
        normal(steps, batch, inputs),
        parameters,
        normal(*state),
        *([normal(*state)] if mode == "lstm" else []),
    ]
    options: dict[str, object] = {
        "mode": mode,
        "state_size": hidden,
        "num_layers": layers,
        "state_outputs": outputs,
        **attrs,
    }
    if both:
        options["bidirectional"] = True
    known: dict[str, Any] = {"grad": tuple(range(len(specs))), "dtypes": dtypes}
    if mode == "rnn_relu" and "float64" in dtypes:
        known |= {"tolerance": {"float64": TOLERANCE["float32"]}, "note": "MXNet computes in float32"}
    if lengths is not None:
        specs.append(values(lengths))
        options["use_sequence_length"] = True
        known |= {
            "mxnet_wrong": "on a CPU it ignores the lengths without a word",
            "expect": _expected(options),
        }
    if "lstm_state_clip_min" in attrs:
        known |= {
            "mxnet_wrong": "on a CPU it ignores the limits without a word",
            "expect": _expected(options),
        }
    if "projection_size" in attrs:
        width = int(attrs["projection_size"])  # type: ignore[call-overload]
        specs[1] = normal(4 * hidden * (inputs + width + 2) + width * hidden, scale=0.5)
        specs[2] = normal(1, batch, width)
        known |= {"grad": False, "train": False, "note": "MXNet cannot train it on a CPU"}
    return case("RNN", *specs, tag=f"{mode}_{tag}", attrs=options, **known)


def _expected(options: dict[str, Any]) -> Expect:
    def expect(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
        lengths = inputs[-1] if "use_sequence_length" in options else None
        arrays = inputs if lengths is None else inputs[:-1]
        clip = (
            (options["lstm_state_clip_min"], options["lstm_state_clip_max"])
            if "lstm_state_clip_min" in options
            else None
        )

        def run(changed: list[np.ndarray]) -> list[np.ndarray]:
            return recurrent(
                changed,
                mode=options["mode"],
                hidden=options["state_size"],
                layers=options["num_layers"],
                both="bidirectional" in options,
                lengths=lengths,
                clip=clip,
            )

        found: dict[str, np.ndarray] = {f"out{i}": value for i, value in enumerate(run(arrays)[: len(heads)])}
        found.update({f"grad{i}": value for i, value in enumerate(slopes(run, arrays, heads))})
        return found

    return expect


def _rows() -> list[Case]:
    rows = []
    for mode in _GATES:
        rows += [
            _rnn(mode, "plain"),
            _rnn(mode, "no_states", outputs=False),
            _rnn(mode, "two_layers", layers=2),
            _rnn(mode, "both_ways", both=True),
            _rnn(mode, "both_ways_two_layers", both=True, layers=2, steps=4),
            _rnn(mode, "one_step", steps=1, hidden=2),
            _rnn(mode, "wide_input", inputs=6, hidden=2, batch=1, steps=5),
            _rnn(mode, "double", dtypes=("float64",)),
            _rnn(mode, "dropout0", layers=2, p=0.0),
            _rnn(mode, "lengths", hidden=2, lengths=[2, 3]),
            _rnn(mode, "lengths_both_ways", hidden=2, inputs=2, layers=2, both=True, lengths=[3, 1]),
        ]
    rows += [
        _rnn("lstm", "clip", hidden=2, lstm_state_clip_min=-0.4, lstm_state_clip_max=0.6),
        _rnn("lstm", "projection", hidden=3, projection_size=2),
    ]
    return rows


CASES: list[Case] = _rows()
