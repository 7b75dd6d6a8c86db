"""Random numbers in ONNX graphs, as pure functions of the program's key, the draw's place and the element's index.

ONNX's own random operators keep a hidden state for each session. Here every draw is integer arithmetic on the
key, which is an input: it gives the same numbers eagerly and in a compiled graph, on every device, with static and
with symbolic shapes, and a backward program may repeat it.

Element i of a draw belongs to row i // 256 and column i % 256. Rows and columns are numbered and hashed with the
draw's own key (two full rounds of a 32-bit mixer each, two words for each row and column); an element's words are the
sums of its row's and its column's, and the product of these two goes through two more multiply-xorshift steps. So
the costly part is done once for a row and not for each element. tests/graph/test_random.py holds the
result against its distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .builder import Builder, Tensor
from .dims import DimLike, prod
from .program import random_key
from .ranges import numbers
from .special import polynomial

__all__ = [
    "bernoulli",
    "bits",
    "draw_key",
    "normal",
    "step_key",
    "uniform",
    "uniform_open",
    "words",
    "working_type",
]

_COLUMNS = 256
_WEYL = 0x9E3779B9  # 2 ** 32 divided by the golden ratio: distinct draws get well-separated constants
_MULTIPLIERS = (
    0x21F0AAAD,
    0x735A2D97,
)  # the lowest known bias of a two-multiplication 32-bit mixer (C. Wellons)


def _u32(g: Builder, value: int) -> Tensor:
    return g.const(np.uint32(value & 0xFFFFFFFF))


def _fold(g: Builder, x: Tensor, shift: int) -> Tensor:
    """``x ^ (x >> shift)``."""
    return g.op("BitwiseXor", x, g.op("BitShift", x, _u32(g, shift), direction="RIGHT"))


def _mix(g: Builder, x: Tensor) -> Tensor:
    """A bijection of 32-bit words in which every bit of the result depends on every bit of `x`."""
    x = _fold(g, x, 16) * _u32(g, _MULTIPLIERS[0])
    x = _fold(g, x, 15) * _u32(g, _MULTIPLIERS[1])
    return _fold(g, x, 15)


def _base_key(g: Builder) -> Tensor:
    """The scrambled random key of the program, once for all draws: uint32, shape (2,)."""
    if g.random_base is None:
        key = random_key(g)
        once = _mix(g, key + g.const(np.array([_WEYL, 0x85EBCA6B], np.uint32)))
        swapped = g.op("Gather", once, g.ints(1, 0))
        g.random_base = _mix(g, once * _u32(g, 3) + swapped)
    return g.random_base


def draw_key(g: Builder) -> Tensor:
    """The key of a new draw: uint32, shape (2,)."""
    base, number = _base_key(g), g.draws
    g.draws += 1
    offsets = np.array([_WEYL * (2 * number + 1), _WEYL * (2 * number + 2)], np.uint64).astype(np.uint32)
    return _mix(g, base + g.const(offsets))


def step_key(g: Builder, key: Tensor, step: Tensor, part: int = 0) -> Tensor:
    """The key of a draw inside a loop: one for each iteration `step` (int64, no axes) and `part` of its body."""
    offset = g.cast(step, np.uint32) * _u32(g, _MULTIPLIERS[0])
    parts = np.array([_WEYL * (2 * part + 1), _WEYL * (2 * part + 2)], np.uint64).astype(np.uint32)
    # The operand of the loop's body comes first: a sum is emitted where its first operand belongs.
    return _mix(g, (offset + key) * _u32(g, _MULTIPLIERS[1]) + g.const(parts))


def words(g: Builder, count: DimLike, key: Tensor | None = None) -> Tensor:
    """Random 32-bit words: uint32, shape (rows, 256), with at least `count` elements.

    Without a `key` this is a new draw. The low bits of a word are weaker than the high ones; use words by
    comparison or as fractions of 2 ** 32.
    """
    if key is None:
        key = draw_key(g)
    first, second = g.slice(key, [0], [0], [1]), g.slice(key, [0], [1], [2])
    rows = (count + (_COLUMNS - 1)) // _COLUMNS
    lines = rows + _COLUMNS
    index = numbers(g, 2 * lines, np.uint32)
    hashed = _mix(g, _mix(g, index + first) + second)
    table = g.reshape(hashed, (lines, 2))

    def part(number: int, begin: DimLike, end: DimLike) -> Tensor:
        piece = g.slice(table, [0, 1], [begin, number], [end, number + 1])
        return g.reshape(piece, (1, _COLUMNS)) if begin == 0 else piece

    one = part(0, _COLUMNS, lines) + part(0, 0, _COLUMNS)
    other = part(1, _COLUMNS, lines) + part(1, 0, _COLUMNS)
    x = _fold(g, one * (other + other + _u32(g, 1)), 16) * _u32(g, _MULTIPLIERS[0])
    return _fold(g, x, 15) * _u32(g, _MULTIPLIERS[1])


def _shaped(g: Builder, x: Tensor, dims: Sequence[DimLike]) -> Tensor:
    """The first elements of `x` (rows, columns) in shape `dims`."""
    count, total = prod(dims), prod(x.dims)
    flat = g.reshape(x, (total,))
    return g.reshape(flat if total == count else g.slice(flat, [0], [0], [count]), dims)


def bits(g: Builder, dims: Sequence[DimLike], key: Tensor | None = None) -> Tensor:
    """Random words of shape `dims`, every bit as good as any other."""
    return _shaped(g, _fold(g, words(g, prod(dims), key), 15), dims)


def bernoulli(g: Builder, dims: Sequence[DimLike], probability: float) -> Tensor:
    """True with `probability`: bool, shape `dims`."""
    limit = round(probability * 2.0**32)
    if limit <= 0 or limit >= 2**32:
        return g.fill(dims, limit > 0, np.bool_)
    return _shaped(g, g.op("Less", words(g, prod(dims)), _u32(g, limit)), dims)


def _fraction(g: Builder, count: DimLike, dt: np.dtype[Any], key: Tensor | None) -> Tensor:
    """Uniform in [0, 1), shape (rows, 256), with the precision of `dt` (float32 or float64)."""
    if dt == np.float64:
        if key is None:
            key = draw_key(g)
        low = g.cast(words(g, count, _mix(g, key)), dt)
        return (g.cast(words(g, count, key), dt) + low * 2.0**-32) * (2.0**-32 * (1 - 2.0**-53))
    # The largest words round up to 2 ** 32; the last factor keeps them below 1.
    return g.cast(words(g, count, key), dt) * (2.0**-32 * (1 - 2.0**-24))


def working_type(dt: Any) -> np.dtype[Any]:
    """The element type that draws of `dt` are computed in."""
    return np.dtype(np.float64) if np.dtype(dt) == np.float64 else np.dtype(np.float32)


def uniform(g: Builder, dims: Sequence[DimLike], dt: Any = np.float32, key: Tensor | None = None) -> Tensor:
    """Uniform in [0, 1), of floating type `dt` and shape `dims`."""
    dt = np.dtype(dt)
    x = _shaped(g, _fraction(g, prod(dims), working_type(dt), key), dims)
    if dt.itemsize == 2:  # rounding to a short type must not reach 1
        x = g.op("Min", x, g.const(1 - 2.0**-8 if dt.name == "bfloat16" else 1 - 2.0**-11, x.dt))
    return g.cast(x, dt)


def uniform_open(
    g: Builder, dims: Sequence[DimLike], dt: Any = np.float32, key: Tensor | None = None
) -> Tensor:
    """Uniform in (0, 1], precise near 0, of type float32 or float64: safe as the operand of a logarithm."""
    return _shaped(g, _open_fraction(_fraction(g, prod(dims), np.dtype(dt), key)), dims)


def _open_fraction(x: Tensor) -> Tensor:
    return x + (2.0**-54 if x.dt == np.float64 else 2.0**-33)


# sin(pi / 2 * t) / t and cos(pi / 2 * t) as polynomials in t * t for -1 <= t <= 1 (Chebyshev
# fit, error below 1e-8), highest power first.
_SIN = (0.000151675117778, -0.0046741506689, 0.0796899226005, -0.645963760438, 1.57079632007)
_COS = (
    -2.38245355105e-05,
    0.000917723882129,
    -0.0208626875477,
    0.253669322472,
    -1.23370053427,
    0.99999999978,
)


def normal(g: Builder, dims: Sequence[DimLike], dt: Any = np.float32, key: Tensor | None = None) -> Tensor:
    """Normal with mean 0 and standard deviation 1, of floating type `dt` and shape `dims` (Box and Muller's method)."""
    work = working_type(dt)
    half = _COLUMNS // 2
    x = _fraction(g, prod(dims), work, key)
    radius = g.op("Sqrt", g.op("Log", _open_fraction(g.slice(x, [1], [0], [half]))) * -2.0)
    angle = g.slice(x, [1], [half], [_COLUMNS])
    if work == np.float64:
        turn = angle * (2.0 * math.pi)
        sine, cosine = g.op("Sin", turn), g.op("Cos", turn)
    else:  # of half the angle, by polynomials, which are ten times faster than ONNX Runtime's functions
        t = angle * 2.0 - 1.0
        square = t * t
        s, c = t * polynomial(square, _SIN), polynomial(square, _COS)
        sine, cosine = s * c * 2.0, c * c * 2.0 - 1.0
    return g.cast(_shaped(g, g.op("Concat", radius * cosine, radius * sine, axis=1), dims), dt)
