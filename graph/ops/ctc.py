"""Connectionist temporal classification (A. Graves et al., ICML 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import onnx_ir as ir

from ..autodiff.engine import Gradient, attribute, tensor
from ..builder import Builder, CustomFunction, Tensor
from ..errors import ShapeError
from ..ranges import numbers
from ..shapes import ShapeContext, TypeContext
from ._axes import integers
from .registry import operator

__all__: list[str] = []

_NEVER = -1e30  # the logarithm of a probability that is zero; finite, so that differences of two stay numbers


class _Paths:
    """The states that a path walks through: blank, first label, blank, second label, ..., blank.

    Attributes
    ----------
    log : logarithms of the class probabilities, (time, batch, classes).
    states : class of each state, (batch, states).
    emission : logarithm of the probability of each state's class, (time, batch, states).
    skip : 0 where a path may come from two states back, else `_NEVER`: (batch, states).
    start, end : 0 in the first state, and in the last one of each label sequence, else `_NEVER`.
    active : which times lie within each sequence, (time, batch, 1).
    """

    def __init__(
        self, g: Builder, data: Tensor, label: Tensor, steps: Tensor, lengths: Tensor, last: bool
    ) -> None:
        time, batch, classes = data.dims
        count = label.dims[1]
        blank = int(classes) - 1 if last else 0
        self.g, self.dims = g, (batch, 2 * count + 1)
        self.log = g.op("LogSoftmax", data, axis=-1)
        known = g.op("Clip", label, g.const(np.int64(0)), g.const(np.int64(int(classes) - 1)))
        pairs = g.op("Concat", g.fill((batch, count, 1), blank, np.int64), g.unsqueeze(known, 2), axis=2)
        pairs = g.reshape(pairs, (batch, 2 * count))
        self.states = g.op("Concat", pairs, g.fill((batch, 1), blank, np.int64), axis=1)
        everywhere = g.expand(g.unsqueeze(self.states, 0), (time, *self.dims))
        self.emission = g.op("GatherElements", self.log, everywhere, axis=2)
        back = self.shifted(self.states, 2, blank)
        fresh = g.op("Not", g.op("Equal", self.states, back))
        self.skip = self.log_of(g.op("And", fresh, g.op("Not", g.op("Equal", self.states, np.int64(blank)))))
        place = numbers(g, self.dims[1])
        self.start = g.expand(self.log_of(g.unsqueeze(g.op("Equal", place, np.int64(0)), 0)), self.dims)
        self.end = self.log_of(g.op("Equal", place, g.unsqueeze(lengths * np.int64(2), 1)))
        self.active = g.op("Less", g.reshape(numbers(g, time), (time, 1, 1)), g.reshape(steps, (1, batch, 1)))

    def log_of(self, condition: Tensor) -> Tensor:
        """0 where a condition holds, else `_NEVER`."""
        dt = self.log.dt
        return self.g.op("Where", condition, self.g.const(0.0, dt), self.g.const(_NEVER, dt))

    def shifted(self, x: Tensor, by: int, value: float) -> Tensor:
        """Every state's value at the state `by` places before it (behind it if negative); `value` outside."""
        return _shifted(self.g, x, by, value)

    def forward(self) -> tuple[Tensor, Tensor]:
        """Logarithms of the summed probability of all beginnings of a path that end in each state.

        Returns them after the last step, (batch, states), and after each, (time, batch, states).
        """
        skip = self.skip

        def body(b: Builder, a: Tensor, e: Tensor, active: Tensor) -> Sequence[Tensor]:
            come = _log_sum(b, [a, _shifted(b, a, 1, _NEVER), _shifted(b, a, 2, _NEVER) + skip])
            new = b.op("Where", active, come + e, a)
            return new, b.op("Identity", new)

        return self._scan(body, self.start, reverse=False)

    def backward(self) -> Tensor:
        """Logarithms of the summed probability of all ends of a path behind each state: (time, batch, states)."""
        skip = _shifted(self.g, self.skip, -2, _NEVER)

        def body(b: Builder, v: Tensor, e: Tensor, active: Tensor) -> Sequence[Tensor]:
            rest = _log_sum(b, [v, _shifted(b, v, -1, _NEVER), _shifted(b, v, -2, _NEVER) + skip])
            return b.op("Where", active, rest + e, v), rest

        return self._scan(body, self.end, reverse=True)[1]

    def _scan(self, body: Any, state: Tensor, reverse: bool) -> tuple[Tensor, Tensor]:
        g, dt = self.g, self.log.dt
        inputs = [
            ("state", dt, self.dims),
            ("emission", dt, self.dims),
            ("active", np.bool_, (self.dims[0], 1)),
        ]
        direction = [int(reverse)]
        final, steps = g.emit(
            "Scan",
            "",
            [state, self.emission, self.active],
            ir.convenience.convert_attributes(
                {
                    "body": g.subgraph("step", inputs, body),
                    "num_scan_inputs": 2,
                    "scan_input_directions": direction * 2,
                    "scan_output_directions": direction,
                }
            ),
            [(dt, self.dims), (dt, self.emission.dims)],
        )
        return final, steps

    def score(self, final: Tensor) -> Tensor:
        """Logarithm of the probability of the labels: paths end in the last blank or the last label."""
        ends = _log_sum(self.g, [self.end, self.shifted(self.end, -1, _NEVER)])
        return self.g.op("ReduceLogSumExp", final + ends, self.g.ints(1), keepdims=1)


def _shifted(g: Builder, x: Tensor, by: int, value: float) -> Tensor:
    size, k = x.dims[1], abs(by)
    if isinstance(size, int) and size <= k:
        return g.fill(x.dims, value, x.dt)
    edge = g.fill((x.dims[0], k), value, x.dt)
    if by > 0:
        return g.op("Concat", edge, g.slice(x, [1], [0], [size - k]), axis=1)
    return g.op("Concat", g.slice(x, [1], [k], [size]), edge, axis=1)


def _log_sum(g: Builder, parts: Sequence[Tensor]) -> Tensor:
    """log(sum(exp(part)))."""
    top = g.op("Max", *parts)
    total = g.op("Sum", *(g.op("Exp", p - top) for p in parts))
    return top + g.op("Log", total)


def _expand(
    g: Builder, data: Tensor, label: Tensor, steps: Tensor, lengths: Tensor, *, last: int
) -> tuple[Tensor, ...]:
    """(loss, logarithms of the forward probabilities)."""
    paths = _Paths(g, data, label, steps, lengths, bool(last))
    final, alphas = paths.forward()
    score = g.squeeze(paths.score(final), 1)
    impossible = g.op("Less", score, _NEVER / 2)
    return g.op("Where", impossible, g.const(0, data.dt), -score), alphas


def _vjp(g: Builder, n: ir.Node, dy: Tensor, _: Tensor | None = None) -> tuple[Gradient, ...]:
    """Class probabilities minus the probability that a path of the labels is in that class at that time."""
    data, label, steps, lengths = map(tensor, n.inputs)
    loss, alphas = map(tensor, n.outputs)

    def gradient() -> Tensor:
        paths = _Paths(g, data, label, steps, lengths, bool(attribute(n, "last")))
        score = g.reshape(-loss, (1, data.dims[1], 1))
        occupied = g.op("Exp", alphas + paths.backward() - score)
        states = g.expand(g.unsqueeze(paths.states, 0), occupied.dims)
        zeros = g.fill(data.dims, 0, data.dt)
        share = g.op("ScatterElements", zeros, states, occupied, axis=2, reduction="add")
        # A loss of zero stands for labels that no path gives, too.
        possible = g.cast(g.op("Less", score, 0.0), data.dt) * g.reshape(dy, (1, data.dims[1], 1))
        inside = g.cast(paths.active, data.dt) * possible
        return (g.op("Exp", paths.log) - share) * inside

    return gradient, None, None, None


_CTC = CustomFunction("CTCLoss", _expand, _vjp)


def _present(a: Any) -> list[str]:
    lengths = ["data_lengths"] * a.use_data_lengths + ["label_lengths"] * a.use_label_lengths
    return ["data", "label", *lengths]


@operator("CTCLoss", "ctc_loss", "_contrib_CTCLoss", "_contrib_ctc_loss", present=_present)
def ctc_loss(
    g: Builder,
    data: Tensor,
    label: Tensor,
    data_lengths: Tensor | None = None,
    label_lengths: Tensor | None = None,
    *,
    use_data_lengths: bool = False,
    use_label_lengths: bool = False,
    blank_label: Literal["first", "last"] = "first",
) -> Tensor:
    """CTCLoss(data, label, data_lengths=None, label_lengths=None, use_data_lengths=False, use_label_lengths=False,
    blank_label='first')

    Minus the logarithm of the probability of `label` (batch, labels) under softmax(data), `data` being (time, batch,
    classes); the result is (batch,). The blank is class 0 ('first') or the last one ('last'). Without `label_lengths`,
    the first 0 ('first') or -1 ('last') ends a sequence of labels; without `data_lengths`, all times count. Labels that
    no path is long enough for have loss and gradient zero.
    """
    if data.ndim != 3 or label.ndim != 2 or label.dims[0] != data.dims[1]:
        raise ShapeError(
            f"expected data (time, batch, classes) and label (batch, labels), got {data.dims}, {label.dims}"
        )
    time, batch, _ = data.dims
    if isinstance(time, int) and isinstance(label.dims[1], int) and label.dims[1] > time:
        raise ShapeError(
            f"argument 'label': {label.dims[1]} labels are more than the {time} times of the data"
        )
    steps = g.fill((batch,), time, np.int64) if isinstance(time, int) else g.expand(g.dim(time), (batch,))
    wide = g.cast(data, np.float32) if data.dt.itemsize == 2 else data
    if data_lengths is not None:
        steps = integers(g, data_lengths)
        inside = g.op("Less", g.reshape(numbers(g, time), (time, 1, 1)), g.reshape(steps, (1, batch, 1)))
        wide = g.op("Where", inside, wide, g.const(0, wide.dt))  # what comes later may be anything, NaN too
    last = blank_label == "last"
    classes = integers(g, label)
    lengths = _lengths(g, classes, -1 if last else 0) if label_lengths is None else integers(g, label_lengths)
    loss, _ = g.custom(_CTC, wide, classes, steps, lengths, last=int(last))
    return g.cast(loss, data.dt)


def _lengths(g: Builder, label: Tensor, padding: int) -> Tensor:
    """The number of labels before the first padding: places where none has come yet."""
    padded = g.cast(g.op("Equal", label, np.int64(padding)), np.int64)
    seen = g.op("CumSum", padded, g.const(np.int64(1)))
    return g.reduce("Sum", g.cast(g.op("Equal", seen, np.int64(0)), np.int64), [1])


@ctc_loss.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    data, label = s["data"], s["label"]
    batch = (
        (data[1],) if data is not None and len(data) == 3 else (label[0],) if label is not None else (None,)
    )
    for name in ("data_lengths", "label_lengths"):
        s.set(name, batch)
    s.set(0, batch)


@ctc_loss.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["data", 0])
