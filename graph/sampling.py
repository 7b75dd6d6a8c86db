"""Draws from distributions that need rejection, as ONNX loops: exact, and as long as there is something to draw.

Every loop works on the elements that are still without a value and draws from keys of its own for each step, so
that a result depends on the program's key and the element alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .builder import Builder, Tensor
from .dims import Dim, DimLike, prod
from .loops import repeat
from .random import bits, draw_key, normal, step_key, uniform_open
from .ranges import numbers
from .special import log_gamma

__all__ = ["exponential", "gamma", "integers_below", "permutation", "poisson", "unique_log_uniform"]

_WIDE = np.dtype(np.float64)
# Every candidate is accepted with a probability of at least 3 / 4, so that an element is still without a value after
# this many steps with a probability below 2 ** -256. It bounds loops whose parameters are not numbers.
_STEPS = 128


def _any(g: Builder, condition: Tensor) -> Tensor:
    return g.op("Greater", g.op("ReduceMax", g.cast(condition, np.int32), keepdims=0), np.int32(0))


def _some_left(g: Builder, pending: Tensor) -> Tensor:
    return g.op("Greater", g.op("Size", pending), np.int64(0))


def _rejection(
    g: Builder, result: Tensor, pending: Tensor, candidates: Callable[..., tuple[Tensor, Tensor]]
) -> Tensor:
    """`result`, a vector, with new values at the positions `pending`.

    ``candidates(builder, pending, step)`` gives values for these positions and which of them are accepted.
    """

    def body(b: Builder, step: Tensor, values: Tensor, left: Tensor) -> Sequence[Tensor]:
        value, accepted = candidates(b, left, step)
        places, drawn = b.op("Compress", left, accepted, axis=0), b.op("Compress", value, accepted, axis=0)
        values = b.with_dims("ScatterElements", values.dims, values, places, drawn, axis=0)
        left = b.op("Compress", left, b.op("Not", accepted), axis=0)
        return _some_left(b, left), values, left

    states = [("values", result, result.dims), ("left", pending, (None,))]
    return repeat(g, _STEPS, _some_left(g, pending), states, body)[0]


def exponential(g: Builder, dims: Sequence[DimLike], dt: np.dtype[Any]) -> Tensor:
    """Exponential with mean 1, float32 or float64."""
    return -g.op("Log", uniform_open(g, dims, dt))


def gamma(g: Builder, shape: Tensor) -> Tensor:
    """Gamma with the given shape parameters and scale 1, of their shape and type (float32 or float64).

    G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables" (2000). Not a number where the
    parameter is not positive.
    """
    dt, dims, n = shape.dt, shape.dims, prod(shape.dims)
    alpha = g.reshape(shape, (n,))
    small = g.op("Less", alpha, 1.0)
    d = g.op("Where", small, alpha + 1.0, alpha) - 1.0 / 3.0
    c = 1.0 / g.op("Sqrt", d * 9.0)
    key = draw_key(g)

    def candidates(b: Builder, left: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        dd, cc = b.op("Gather", d, left), b.op("Gather", c, left)
        x = normal(b, left.dims, dt, step_key(b, key, step))
        u = uniform_open(b, left.dims, dt, step_key(b, key, step, 1))
        root = cc * x + 1.0
        v = root * root * root
        inside = b.op("Log", b.op("Max", v, float(np.finfo(np.float32).tiny)))
        bound = x * x * 0.5 + dd - dd * v + dd * inside
        return dd * v, b.op("And", b.op("Greater", root, 0.0), b.op("Less", b.op("Log", u), bound))

    value = _rejection(g, g.fill((n,), np.nan, dt), numbers(g, n), candidates)
    # A draw for alpha + 1 times u ** (1 / alpha) is one for alpha.
    boost = g.op("Exp", g.op("Log", uniform_open(g, (n,), dt)) / alpha)
    value = g.op("Where", small, value * boost, value)
    bad = g.op("Not", g.op("Greater", alpha, 0.0))
    return g.reshape(g.op("Where", bad, g.const(np.nan, dt), value), dims)


_LARGE = 10.0  # from this mean on, rejection is valid and faster than adding up probabilities


def poisson(g: Builder, mean: Tensor) -> Tensor:
    """Poisson with the given means, of their shape and type. Not a number where the mean is negative or not one."""
    n = prod(mean.dims)
    lam = g.cast(g.reshape(mean, (n,)), _WIDE)
    large = g.op("GreaterOrEqual", lam, _LARGE)
    few = _count_up(g, g.op("Where", large, g.const(0.0, _WIDE), lam))
    places = g.op("Compress", numbers(g, n), large, axis=0)
    value = _rejection(g, few, places, _transformed(g, lam))
    bad = g.op("Not", g.op("GreaterOrEqual", lam, 0.0))
    value = g.op("Where", bad, g.const(np.nan, _WIDE), value)
    return g.cast(g.reshape(value, mean.dims), mean.dt)


def _count_up(g: Builder, lam: Tensor) -> Tensor:
    """For small means: the number of terms of the distribution function that a uniform number exceeds."""
    u = g.cast(uniform_open(g, lam.dims), _WIDE)
    first = g.op("Exp", -lam)

    def body(b: Builder, step: Tensor, count: Tensor, term: Tensor, total: Tensor) -> Sequence[Tensor]:
        more = b.op("Greater", u, total)
        count = count + b.cast(more, _WIDE)
        term = term * lam / b.cast(step + b.const(np.int64(1)), _WIDE)
        total = total + term
        return _any(b, b.op("Greater", u, total)), count, term, total

    states = [
        ("count", g.fill(lam.dims, 0, _WIDE), lam.dims),
        ("term", first, lam.dims),
        ("total", first, lam.dims),
    ]
    return repeat(g, _STEPS, _any(g, g.op("Greater", u, first)), states, body)[0]


def _transformed(g: Builder, lam: Tensor) -> Callable[..., tuple[Tensor, Tensor]]:
    """W. Hörmann, "The transformed rejection method for generating Poisson random variables" (1993): PTRS."""
    key = draw_key(g)

    def candidates(b: Builder, left: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        mean = b.op("Gather", lam, left)
        slope = b.op("Sqrt", mean) * 2.53 + 0.931
        a = slope * 0.02483 - 0.059
        inverse = 1.1328 / (slope - 3.4) + 1.1239
        u = b.cast(uniform_open(b, left.dims, key=step_key(b, key, step)), _WIDE) - 0.5
        v = b.cast(uniform_open(b, left.dims, key=step_key(b, key, step, 1)), _WIDE)
        us = 0.5 - b.op("Abs", u)
        safe = b.op("Max", us, 1e-12)
        k = b.op("Floor", (a * 2.0 / safe + slope) * u + mean + 0.43)
        quick = b.op(
            "And", b.op("GreaterOrEqual", us, 0.07), b.op("LessOrEqual", v, 0.9277 - 3.6224 / (slope - 2.0))
        )
        out = b.op("Or", b.op("Less", k, 0.0), b.op("And", b.op("Less", us, 0.013), b.op("Greater", v, us)))
        count = b.op("Max", k, 0.0)
        left_side = b.op("Log", v * inverse / (a / (safe * safe) + slope))
        right_side = count * b.op("Log", mean) - mean - log_gamma(b, count + 1.0)
        fits = b.op("And", b.op("Not", out), b.op("LessOrEqual", left_side, right_side))
        return k, b.op("Or", quick, fits)

    return candidates


def integers_below(g: Builder, dims: Sequence[DimLike], bound: int) -> Tensor:
    """Uniform among 0, 1, ... ``bound - 1``: int64.

    The upper half of the product of `bound` and a random number, of 32 bits up to a bound of 2 ** 20, else of 64 bits:
    the probability of each number is off by at most 2 ** -12 of itself, evenly over the whole range.
    """
    word = g.cast(bits(g, dims), np.uint64)
    if bound <= 1 << 20:
        return g.cast(_upper(g, word * g.const(np.uint64(bound))), np.int64)
    low = g.cast(bits(g, dims), np.uint64)
    bound_high, bound_low = g.const(np.uint64(bound >> 32)), g.const(np.uint64(bound & 0xFFFFFFFF))
    cross, other = word * bound_low, low * bound_high
    carried = _upper(g, low * bound_low) + _lower(g, cross) + _lower(g, other)
    total = word * bound_high + _upper(g, cross) + _upper(g, other) + _upper(g, carried)
    return g.cast(total, np.int64)


def _upper(g: Builder, x: Tensor) -> Tensor:
    return g.op("BitShift", x, g.const(np.uint64(32)), direction="RIGHT")


def _lower(g: Builder, x: Tensor) -> Tensor:
    return g.cast(g.cast(x, np.uint32), np.uint64)


def permutation(g: Builder, size: DimLike) -> Tensor:
    """The numbers 0, 1, ... ``size - 1`` in random order, that of 62 random bits each: int64."""
    keys = integers_below(g, (size,), 1 << 62)
    (_, order) = g.multi("TopK", 2, keys, g.dim(size), axis=0, largest=0, sorted=1)
    return g.with_dims("Identity", (size,), order)


def unique_log_uniform(g: Builder, rows: int, count: int, bound: int) -> tuple[Tensor, Tensor]:
    """For each row, numbers below `bound` drawn until `count` different ones have come.

    Number k has probability log((k + 2) / (k + 1)) / log(bound + 1).

    Returns
    -------
    the different numbers in the order in which they came (rows, count), and how many draws it took (rows,): int64.
    """
    key = draw_key(g)

    def drawn(b: Builder, draws: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(numbers, whether each is new to its row, how many new ones came so far), of shape (rows, draws)."""
        size = b.squeeze(draws, 0)
        length = Dim.symbol(b.unique("draws"))
        probe = b.with_dims("Range", (length,), b.const(np.int64(0)), size, b.const(np.int64(1)))
        b.learn(probe)
        u = b.cast(uniform_open(b, (length, rows), key=key), _WIDE)
        number = b.cast(b.op("Exp", u * float(np.log(bound + 1.0))), np.int64) - b.const(np.int64(1))
        number = b.transpose(b.op("Mod", number, b.const(np.int64(bound))), [1, 0])
        labelled = number + b.const(np.arange(rows, dtype=np.int64).reshape(-1, 1) * bound)
        _, first = b.multi("Unique", [True, True], b.reshape(labelled, (rows * length,)), sorted=0)
        marks = b.fill((rows * length,), 0, np.int64)
        ones = b.expand(b.const(np.int64(1)), first.dims)
        new = b.reshape(b.op("ScatterElements", marks, first, ones, axis=0), (rows, length))
        return number, new, b.op("CumSum", new, b.const(np.int64(1)))

    def body(b: Builder, step: Tensor, draws: Tensor) -> Sequence[Tensor]:
        more = draws * b.ints(2)
        _, _, come = drawn(b, more)
        short = b.op("Less", b.op("ReduceMax", come, b.ints(1), keepdims=0), np.int64(count))
        return _any(b, short), more

    # The draws are those of one stream however many are made, so that their number does not change which come.
    (draws,) = repeat(g, 48, g.const(np.bool_(True)), [("draws", g.ints(count), (1,))], body)
    number, new, come = drawn(g, draws)
    wanted = g.op("And", g.cast(new, np.bool_), g.op("LessOrEqual", come, np.int64(count)))
    flat = g.op(
        "Compress", g.reshape(number, (prod(number.dims),)), g.reshape(wanted, (prod(number.dims),)), axis=0
    )
    before = g.cast(g.op("Less", come, np.int64(count)), np.int64)
    tries = g.reduce("Sum", before, [1]) + g.const(np.int64(1))
    return g.with_dims("Reshape", (rows, count), flat, g.ints(rows, count)), tries
