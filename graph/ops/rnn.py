"""The fused recurrent operator: all layers and directions of an Elman network, an LSTM or a GRU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike, prod
from ..errors import AttributeParseError, ShapeError
from ..random import bernoulli
from ..ranges import numbers
from ..recurrent import GATES, Clip, recurrent
from ..shapes import ShapeContext, TypeContext
from ._axes import integers
from .registry import operator

__all__: list[str] = []

_ONNX = {"rnn_relu": "RNN", "rnn_tanh": "RNN", "gru": "GRU", "lstm": "LSTM"}
#: Where ONNX's blocks of gates are among MXNet's: LSTM i o f c from i f c o, GRU z r h from r z h.
_ORDER = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}


def _present(a: Any) -> list[str]:
    cell = ["state_cell"] if a.mode == "lstm" else []
    return ["data", "parameters", "state", *cell, *["sequence_length"] * a.use_sequence_length]


def _outputs(a: Any) -> int:
    return 1 if not a.state_outputs else 3 if a.mode == "lstm" else 2


def _shapes(a: Any, width: DimLike) -> list[tuple[DimLike, ...]]:
    """Shapes of the arrays in the parameter vector: the weights of every layer and direction, then their biases."""
    rows = GATES[a.mode] * a.state_size
    directions = 2 if a.bidirectional else 1
    state = a.state_size if a.projection_size is None else a.projection_size
    weights: list[tuple[DimLike, ...]] = []
    for layer in range(a.num_layers):
        for _ in range(directions):
            weights += [(rows, width if layer == 0 else state * directions), (rows, state)]
            weights += [] if a.projection_size is None else [(state, a.state_size)]
    return weights + [(rows,)] * (2 * a.num_layers * directions)


@dataclass(eq=False)
class _Network:
    """The operands of a call, cut up."""

    g: Builder
    a: Any
    state: Sequence[Tensor]
    cell: Sequence[Tensor | None]
    weights: Sequence[Sequence[Tensor]]
    biases: Sequence[Sequence[Tensor]]
    lengths: Tensor | None
    clip: Clip | None

    def fast(self, x: Tensor) -> bool:
        """Whether ONNX's own operators express a layer, and are wanted: in training the loop keeps the gates."""
        return not (
            self.g.train or self.a.projection_size is not None or self.clip is not None or x.dt != np.float32
        )

    def layer(self, x: Tensor, number: int) -> list[tuple[Tensor, ...]]:
        """Outputs and last states of all directions of one layer."""
        directions = 2 if self.a.bidirectional else 1
        places = range(number * directions, (number + 1) * directions)
        if self.fast(x):
            return self._by_operator(x, places)
        active = None
        if self.lengths is not None:
            steps = self.g.reshape(numbers(self.g, x.dims[0]), (x.dims[0], 1, 1))
            active = self.g.op("Less", steps, self.g.reshape(self.lengths, (1, x.dims[1], 1)))
        found = []
        for k in places:
            (wx, wh, *projection), (bx, bh) = self.weights[k], self.biases[k]
            found.append(
                recurrent(
                    self.g,
                    self.a.mode,
                    x,
                    wx,
                    wh,
                    bx,
                    bh,
                    self.state[k],
                    self.cell[k],
                    wr=projection[0] if projection else None,
                    active=active,
                    reverse=k != places[0],
                    clip=self.clip,
                )
            )
        return found

    def _by_operator(self, x: Tensor, places: Sequence[int]) -> list[tuple[Tensor, ...]]:
        g, mode, hidden = self.g, self.a.mode, self.a.state_size
        order, count = _ORDER.get(mode, (0,)), len(places)

        def rows(t: Tensor) -> Tensor:
            if len(order) == 1:
                return t
            parts = g.multi("Split", len(order), t, axis=0, num_outputs=len(order))
            return g.op("Concat", *(parts[k] for k in order), axis=0)

        def stacked(parts: Sequence[Tensor]) -> Tensor:
            parts = [g.unsqueeze(p, 0) for p in parts]
            return parts[0] if count == 1 else g.op("Concat", *parts, axis=0)

        cells = [c for k in places if (c := self.cell[k]) is not None]
        operands = [
            x,
            stacked([rows(self.weights[k][0]) for k in places]),
            stacked([rows(self.weights[k][1]) for k in places]),
            stacked([g.op("Concat", *map(rows, self.biases[k]), axis=0) for k in places]),
            None if self.lengths is None else g.cast(self.lengths, np.int32),
            stacked([self.state[k] for k in places]),
            *([stacked(cells)] if cells else []),
        ]
        y, *last = g.multi(
            _ONNX[mode],
            3 if mode == "lstm" else 2,
            *operands,
            hidden_size=hidden,
            direction="forward" if count == 1 else "bidirectional",
            linear_before_reset=1 if mode == "gru" else None,
            activations={"rnn_relu": ["Relu"] * count, "rnn_tanh": ["Tanh"] * count}.get(mode),
        )
        found = []
        for i, k in enumerate(places):
            first = [self.state[k], *([cells[i]] if cells else [])]
            final = [g.squeeze(g.slice(t, [0], [i], [i + 1]), 0) for t in last]
            out = g.squeeze(g.slice(y, [1], [i], [i + 1]), 1)
            if self.lengths is not None:  # ONNX Runtime forgets the states of empty sequences
                empty = g.op("LessOrEqual", g.unsqueeze(self.lengths, 1), np.int64(0))
                final = [g.op("Where", empty, s, t) for s, t in zip(first, final, strict=True)]
            found.append((out, *final))
        return found


def _pieces(g: Builder, parameters: Tensor, shapes: Sequence[tuple[DimLike, ...]]) -> list[Tensor]:
    """The arrays in the parameter vector; those that it was joined from, where they are the same."""
    sizes = [prod(s) for s in shapes]
    node = parameters.producer()
    joined = [] if node is None or node.op_type != "Concat" else list(node.inputs)
    parts = [t for t in joined if isinstance(t, Tensor)]
    if [t.dims for t in parts] != [(n,) for n in sizes]:
        parts = list(g.multi("Split", len(sizes), parameters, g.shape_tensor(sizes), axis=0))
    return [g.reshape(t, s) for t, s in zip(parts, shapes, strict=True)]


def _states(g: Builder, x: Tensor) -> list[Tensor]:
    count = int(x.dims[0])
    return [g.squeeze(g.slice(x, [0], [k], [k + 1]), 0) for k in range(count)]


def _check(name: str, tensor: Tensor, expected: tuple[DimLike, ...]) -> None:
    fits = len(tensor.dims) == len(expected) and all(
        a == b or not (isinstance(a, int) and isinstance(b, int))
        for a, b in zip(tensor.dims, expected, strict=True)
    )
    if not fits:
        raise ShapeError(f"argument {name!r}: expected shape {expected}, got {tensor.dims}")


def _dropped(g: Builder, x: Tensor, p: float) -> Tensor:
    keep = g.cast(bernoulli(g, x.dims, 1.0 - p), x.dt)
    return x * (keep * (1.0 / (1.0 - p)) if p < 1.0 else keep)


@operator(
    "RNN",
    present=_present,
    outputs=_outputs,
    output_names=("output", "state_output", "statecell_output"),
    stochastic=True,
    uses_train=True,
)
def rnn(
    g: Builder,
    data: Tensor,
    parameters: Tensor,
    state: Tensor,
    state_cell: Tensor | None = None,
    sequence_length: Tensor | None = None,
    *,
    state_size: int,
    num_layers: int,
    bidirectional: bool = False,
    mode: Literal["gru", "lstm", "rnn_relu", "rnn_tanh"],
    p: float = 0.0,
    state_outputs: bool = False,
    projection_size: int | None = None,
    lstm_state_clip_min: float | None = None,
    lstm_state_clip_max: float | None = None,
    lstm_state_clip_nan: bool = False,
    use_sequence_length: bool = False,
) -> tuple[Tensor, ...]:
    """RNN(data, parameters, state, state_cell=None, sequence_length=None, state_size, num_layers, bidirectional=False,
    mode, p=0, state_outputs=False, projection_size=None, lstm_state_clip_min=None, lstm_state_clip_max=None,
    lstm_state_clip_nan=False, use_sequence_length=False)

    Recurrent layers over `data` (time, batch, width). Layers follow each other, in training with a share `p` of
    dropped elements between them; with `bidirectional` each layer runs in both directions over the outputs of both
    directions of the one before. `state` and `state_cell` (layers * directions, batch, size) are the first states.
    `parameters` is one vector: of every layer and direction the weights of the inputs and of the state (and those of
    the projection), then of every layer and direction the two biases; rows are in the order of the gates: input,
    forget, cell, output ("lstm") or reset, update, new ("gru"). The result is (time, batch, directions * size) and with
    `state_outputs` the last states. Beyond `sequence_length` (batch,) results are zero and states stay.
    """
    a = _Options(**{k: v for k, v in locals().items() if k in _Options.__dataclass_fields__})
    if data.ndim != 3:
        raise ShapeError(f"argument 'data': expected (time, batch, width), got {data.dims}")
    dt, lengths = data.dt, None if sequence_length is None else integers(g, sequence_length)
    shapes = _shapes(a, data.dims[2])
    total = num_layers * (2 if bidirectional else 1)
    _check("parameters", parameters, (sum(prod(s) for s in shapes),))
    _check("state", state, (total, data.dims[1], projection_size or state_size))
    if state_cell is not None:
        _check("state_cell", state_cell, (total, data.dims[1], state_size))
    wide = np.float32 if dt.itemsize == 2 else dt
    pieces = _pieces(g, g.cast(parameters, wide) if wide != dt else parameters, shapes)
    each = 2 if projection_size is None else 3
    biases = pieces[each * total :]
    clip = None
    if lstm_state_clip_min is not None and lstm_state_clip_max is not None and mode == "lstm":
        clip = Clip(lstm_state_clip_min, lstm_state_clip_max, lstm_state_clip_nan)
    network = _Network(
        g,
        a,
        _states(g, g.cast(state, wide)),
        [None] * total if state_cell is None else _states(g, g.cast(state_cell, wide)),
        [pieces[each * k : each * (k + 1)] for k in range(total)],
        [biases[2 * k : 2 * k + 2] for k in range(total)],
        lengths,
        clip,
    )
    x, finals = g.cast(data, wide), []
    for number in range(num_layers):
        if number and g.train and p > 0:
            x = _dropped(g, x, p)
        found = network.layer(x, number)
        x = found[0][0] if len(found) == 1 else g.op("Concat", *(f[0] for f in found), axis=2)
        finals += [f[1:] for f in found]
    last = [
        g.op("Concat", *(g.unsqueeze(t, 0) for t in each_one), axis=0)
        for each_one in zip(*finals, strict=True)
    ]
    return tuple(g.cast(t, dt) for t in ([x, *last] if state_outputs else [x]))


@dataclass(frozen=True)
class _Options:
    mode: str
    state_size: int
    num_layers: int
    bidirectional: bool
    projection_size: int | None


@rnn.check
def _(a: Any) -> None:
    if a.state_size < 1 or a.num_layers < 1:
        raise AttributeParseError(
            f"operator RNN: expected state_size > 0 and num_layers > 0, got {a.state_size} and {a.num_layers}"
        )
    if not 0.0 <= a.p <= 1.0:
        raise AttributeParseError(
            f"operator RNN: parameter 'p': expected a probability from 0 to 1, got {a.p}"
        )
    if a.projection_size is not None and (a.mode != "lstm" or a.projection_size < 1):
        raise AttributeParseError(
            f"operator RNN: parameter 'projection_size': expected a positive number and mode 'lstm', got "
            f"{a.projection_size} and mode {a.mode!r}"
        )
    if (a.lstm_state_clip_min is None) != (a.lstm_state_clip_max is None):
        raise AttributeParseError(
            "operator RNN: expected both lstm_state_clip_min and lstm_state_clip_max, or neither"
        )


@rnn.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    directions = 2 if a.bidirectional else 1
    total, size = a.num_layers * directions, a.projection_size or a.state_size
    data, out, first = s["data"], s[0], s["state"]
    time, batch, width = data if data is not None and len(data) == 3 else (None, None, None)
    for known, place in ((out, 1), (first, 1)):
        if known is not None and len(known) == 3:
            batch = known[place] if batch is None else batch
    if out is not None and len(out) == 3 and time is None:
        time = out[0]
    s.set("data", (time, batch, width))
    if width is not None:
        s.set("parameters", (sum(prod(x) for x in _shapes(a, width)),))
    s.set("state", (total, batch, size))
    s.set("state_cell", (total, batch, a.state_size))
    s.set("sequence_length", (batch,))
    s.set(0, (time, batch, size * directions))
    for i, n in list(zip(range(1, len(s.outputs)), (size, a.state_size), strict=False)):
        s.set(i, (total, batch, n))


@rnn.infer_type
def _(t: TypeContext, a: Any) -> None:
    names = [n for n in ("data", "parameters", "state", "state_cell") if n in t.names]
    t.unify_all([*names, *range(len(t.outputs))])
