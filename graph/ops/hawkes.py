"""Log likelihood of Hawkes processes (A. G. Hawkes, "Spectra of some self-exciting point processes", 1971)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike
from ..errors import ShapeError, TypeInferenceError
from ..loops import scan
from ..ranges import numbers
from ..shapes import ShapeContext, TypeContext
from .registry import operator

__all__: list[str] = []


@operator("_contrib_hawkesll", outputs=2)
def hawkes_log_likelihood(
    g: Builder,
    lda: Tensor,
    alpha: Tensor,
    beta: Tensor,
    state: Tensor,
    lags: Tensor,
    marks: Tensor,
    valid_length: Tensor,
    max_time: Tensor,
) -> tuple[Tensor, Tensor]:
    """hawkesll(lda, alpha, beta, state, lags, marks, valid_length, max_time)

    The log likelihood (batch,) of points of several kinds, each of which makes more of its kind likely, and the memory
    (batch, kinds) that is left at the end.

    The intensity of a kind is `lda` (batch, kinds) plus `alpha` (kinds,) * `beta` (kinds,) times a memory that decays
    with the rate `beta`, begins as `state` (batch, kinds), and grows by 1 at every point. Points are given by the times
    between them, `lags` (batch, points), and their kinds, `marks` (batch, points), int32; the first `valid_length`
    (batch,) count. Observation ends at `max_time` (batch,).
    """
    batch, kinds = _check(lda, alpha, beta, state, lags, marks, valid_length, max_time)
    points, dt = lags.dims[1], lda.dt
    kind = numbers(g, kinds, np.int32)
    index = g.cast(numbers(g, points), dt)

    def body(
        b: Builder,
        t: Tensor,
        last: Tensor,
        memory: Tensor,
        total: Tensor,
        lag: Tensor,
        mark: Tensor,
        j: Tensor,
    ) -> Sequence[Tensor]:
        counts = b.unsqueeze(b.op("Less", j, valid_length), 1)
        t = t + b.op("Where", counts, b.unsqueeze(lag, 1), b.const(0, dt))
        mine = b.op("And", b.op("Equal", b.unsqueeze(mark, 1), kind), counts)
        wait = t - last
        decay = b.op("Exp", -(beta * wait))
        intensity = b.op("Where", mine, lda + alpha * beta * memory * decay, b.const(1, dt))
        expected = lda * wait + alpha * memory * (1.0 - decay)
        gain = b.op("Where", mine, b.op("Log", intensity) - expected, b.const(0, dt))
        return (
            t,
            b.op("Where", mine, t, last),
            b.op("Where", mine, memory * decay + 1.0, memory),
            total + b.reduce("Sum", gain, [1]),
        )

    states = [
        g.fill((batch, 1), 0, dt),
        g.fill((batch, kinds), 0, dt),
        state,
        g.fill((batch,), 0, dt),
    ]
    items = [g.transpose(lags, [1, 0]), g.transpose(marks, [1, 0]), index]
    (_, last, memory, total), _ = scan(g, body, states, items, name="point")
    rest = g.unsqueeze(max_time, 1) - last
    decay = g.op("Exp", -(beta * rest))
    remaining = lda * rest + alpha * memory * (1.0 - decay)
    return total - g.reduce("Sum", remaining, [1]), decay * memory


def _check(
    lda: Tensor, alpha: Tensor, beta: Tensor, state: Tensor, lags: Tensor, marks: Tensor, *rest: Tensor
) -> tuple[DimLike, DimLike]:
    if lda.ndim != 2 or lags.ndim != 2:
        raise ShapeError(
            f"expected lda (batch, kinds) and lags (batch, points), got {lda.dims} and {lags.dims}"
        )
    batch, kinds = lda.dims
    wanted = {
        "alpha": (alpha, (kinds,)),
        "beta": (beta, (kinds,)),
        "state": (state, lda.dims),
        "marks": (marks, lags.dims),
        "valid_length": (rest[0], (batch,)),
        "max_time": (rest[1], (batch,)),
    }
    for name, (x, shape) in wanted.items():
        if x.dims != shape:
            raise ShapeError(f"argument {name!r}: expected shape {shape}, got {x.dims}")
        dt = np.dtype(np.int32) if name == "marks" else lda.dt
        if x.dt != dt:
            raise TypeInferenceError(f"argument {name!r}: expected {dt.name}, got {x.dt.name}")
    return batch, kinds


@hawkes_log_likelihood.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    lda, lags = s["lda"], s["lags"]
    batch = lda[0] if lda is not None else lags[0] if lags is not None else None
    kinds = lda[1] if lda is not None and len(lda) == 2 else None
    points = lags[1] if lags is not None and len(lags) == 2 else None
    for name, shape in (
        ("lda", (batch, kinds)),
        ("alpha", (kinds,)),
        ("beta", (kinds,)),
        ("state", (batch, kinds)),
        ("lags", (batch, points)),
        ("marks", (batch, points)),
        ("valid_length", (batch,)),
        ("max_time", (batch,)),
    ):
        s.set(name, shape)
    s.set(0, (batch,))
    s.set(1, (batch, kinds))


@hawkes_log_likelihood.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set("marks", np.int32)
    t.unify_all([name for name in t.names if name != "marks"] + [0, 1])
