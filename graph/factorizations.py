"""Factorizations of matrices, written in ONNX operators, with their gradients.

ONNX has no Cholesky or LQ factorization, no triangular solver, no inverse and no eigenvalues. Each is a Loop here
over the columns of a matrix, for whole batches at once, and computes in float64 whatever the element type of
its operand. Gradients are closed formulas in terms of the same functions, so they can be differentiated again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from .autodiff.engine import Gradient, attribute, tensor
from .builder import Builder, CustomFunction, Tensor
from .dims import DimLike
from .errors import NeedsStaticShape

__all__ = ["cholesky", "determinant", "eigen", "inverse", "lq", "mirrored", "solve_triangular", "swap", "triangle"]

_WIDE = np.dtype(np.float64)


def swap(g: Builder, x: Tensor) -> Tensor:
    """`x` with its last two axes exchanged."""
    return g.transpose(x, [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2])


def triangle(g: Builder, x: Tensor, lower: bool = True, offset: int = 0) -> Tensor:
    """The lower or upper triangle of matrices; zeros elsewhere."""
    return g.op("Trilu", x, g.const(offset, np.int64), upper=0 if lower else 1)


def mirrored(g: Builder, x: Tensor) -> Tensor:
    """Symmetric matrices with the lower triangles of `x`."""
    return triangle(g, x) + swap(g, triangle(g, x, offset=-1))


def _column(g: Builder, x: Tensor) -> Tensor:
    """Vectors as columns of matrices."""
    return g.unsqueeze(x, x.ndim)


def _row(g: Builder, x: Tensor) -> Tensor:
    """Vectors as rows of matrices."""
    return g.unsqueeze(x, x.ndim - 1)


def _numbers(g: Builder, n: DimLike) -> Tensor:
    """0, 1, ..., n - 1."""
    if isinstance(n, int):
        return g.const(np.arange(n))
    return g.with_dims("Range", (n,), g.const(0, np.int64), g.squeeze(g.dim(n), 0), g.const(1, np.int64))


def _identity(g: Builder, n: DimLike, dt: np.dtype[np.generic]) -> Tensor:
    numbers = _numbers(g, n)
    return g.cast(g.op("Equal", _column(g, numbers), _row(g, numbers)), dt)


def _item(g: Builder, x: Tensor, k: Tensor, axis: int = -1) -> Tensor:
    """``x[..., k]``, or the slice number k along another axis."""
    return g.op("Gather", x, k, axis=axis % x.ndim)


def _repeat(
    g: Builder, count: Tensor, state: Sequence[Tensor], step: Callable[..., Sequence[Tensor]], checks: bool = False
) -> tuple[Tensor, ...]:
    """Apply ``state = step(builder, k, *state)`` for k = 0, 1, ...; with `checks`, while its first result is true."""

    def body(b: Builder, k: Tensor, going: Tensor, *current: Tensor) -> list[Tensor]:
        results = list(step(b, k, *current))
        return results if checks else [b.op("Identity", going), *results]

    inputs = [("k", np.int64, ()), ("going", np.bool_, ())]
    graph = g.subgraph("step", [*inputs, *((f"state{i}", s.dt, s.dims) for i, s in enumerate(state))], body)
    types = [(s.dt, s.dims) for s in state]
    return g.emit("Loop", "", [g.reshape(count, ()), g.const(True), *state], [ir.AttrGraph("body", graph)], types)


# -- Cholesky ---------------------------------------------------------------------------------------------------
def _cholesky(g: Builder, a: Tensor) -> Tensor:
    n = a.dims[-1]
    numbers = _numbers(g, n)

    def step(b: Builder, k: Tensor, rest: Tensor, found: Tensor) -> Sequence[Tensor]:
        column = _item(b, rest, k)
        pivot = _column(b, b.op("Sqrt", _item(b, column, k)))
        column = b.op("Where", b.op("GreaterOrEqual", numbers, k), column / pivot, b.const(0, _WIDE))
        here = b.op("Equal", numbers, k)
        return rest - _column(b, column) * _row(b, column), b.op("Where", here, _column(b, column), found)

    wide = g.cast(a, _WIDE)
    return g.cast(_repeat(g, g.dim(n), [wide, g.fill(a.dims, 0, _WIDE)], step)[1], a.dt)


def _cholesky_gradient(g: Builder, n: ir.Node, dy: Tensor) -> Tensor:
    factor = tensor(n.outputs[0])
    inner = mirrored(g, g.op("MatMul", swap(g, factor), dy))
    left = solve_triangular(g, swap(g, factor), inner, lower=False)
    return solve_triangular(g, swap(g, factor), swap(g, left), lower=False) * 0.5


_CHOLESKY = CustomFunction("Cholesky", _cholesky, _cholesky_gradient)


def cholesky(g: Builder, a: Tensor) -> Tensor:
    """The lower triangular L with ``L @ L.T = a``, shape (..., n, n). NaN where `a` is not positive definite.

    Only the lower triangle of `a` is read. The gradient is symmetric.
    """
    return g.custom(_CHOLESKY, a)[0]


# -- triangular systems -------------------------------------------------------------------------------------------
def _solve(g: Builder, t: Tensor, b: Tensor, lower: int) -> Tensor:
    n = t.dims[-1]
    numbers = _numbers(g, n)
    wide = g.cast(t, _WIDE)
    last = None if lower else g.squeeze(g.dim(n - 1), 0)

    def step(inner: Builder, k: Tensor, rest: Tensor) -> Sequence[Tensor]:
        place = k if last is None else inner.op("Sub", last, k)
        column = _item(inner, wide, place)
        found = _item(inner, rest, place, -2) / _column(inner, _item(inner, column, place))
        here = _column(inner, inner.op("Equal", numbers, place))
        later = inner.op("Greater" if lower else "Less", numbers, place)
        factors = inner.op("Where", later, column, inner.const(0, _WIDE))
        return (inner.op("Where", here, _row(inner, found), rest - _column(inner, factors) * _row(inner, found)),)

    return g.cast(_repeat(g, g.dim(n), [g.cast(b, _WIDE)], step)[0], b.dt)


def _solve_gradient(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    t, x, lower = tensor(n.inputs[0]), tensor(n.outputs[0]), bool(attribute(n, "lower"))
    right = solve_triangular(g, swap(g, t), dy, not lower)
    return lambda: triangle(g, -g.op("MatMul", right, swap(g, x)), lower), right


_SOLVE = CustomFunction("SolveTriangular", _solve, _solve_gradient)


def solve_triangular(g: Builder, t: Tensor, b: Tensor, lower: bool) -> Tensor:
    """The x with ``t @ x = b`` for triangular t, shapes (..., n, n) and (..., n, m). The other triangle is not read."""
    return g.custom(_SOLVE, t, b, lower=int(lower))[0]


# -- elimination ----------------------------------------------------------------------------------------------------
def _pivoted(b: Builder, numbers: Tensor, k: Tensor, rest: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Exchange row k and the row from k on that has the largest element in column k.

    Returns
    -------
    tuple : the matrix, its new row k (as a matrix with one row), and the number of the row it came from.
    """
    size = b.op("Abs", _item(b, rest, k))
    size = b.op("Where", b.op("Less", numbers, k), b.const(-1, _WIDE), size)
    source = b.op("ArgMax", size, axis=size.ndim - 1, keepdims=1)
    chosen = _column(b, b.op("Equal", numbers, source))
    row = b.reduce("Sum", b.op("Where", chosen, rest, b.const(0, _WIDE)), [-2], keepdims=True)
    here = _column(b, b.op("Equal", numbers, k))
    moved = b.op("Where", chosen, b.unsqueeze(_item(b, rest, k, -2), rest.ndim - 2), rest)
    return b.op("Where", here, row, moved), row, source


def _inverse(g: Builder, a: Tensor) -> Tensor:
    """Gauss-Jordan elimination of ``[a, 1]``."""
    n = a.dims[-1]
    numbers = _numbers(g, n)
    ones = g.expand(_identity(g, n, _WIDE), a.dims)

    def step(b: Builder, k: Tensor, rest: Tensor) -> Sequence[Tensor]:
        rest, row, _ = _pivoted(b, numbers, k, rest)
        row = row / _column(b, _item(b, row, k))
        here = _column(b, b.op("Equal", numbers, k))
        return (b.op("Where", here, row, rest - _column(b, _item(b, rest, k)) * row),)

    both = g.op("Concat", g.cast(a, _WIDE), ones, axis=a.ndim - 1)
    return g.cast(g.slice(_repeat(g, g.dim(n), [both], step)[0], [a.ndim - 1], [n], [n + n]), a.dt)


def _inverse_gradient(g: Builder, n: ir.Node, dy: Tensor) -> Tensor:
    back = swap(g, tensor(n.outputs[0]))
    return -g.op("MatMul", back, g.op("MatMul", dy, back))


_INVERSE = CustomFunction("Inverse", _inverse, _inverse_gradient)


def inverse(g: Builder, a: Tensor) -> Tensor:
    """The inverses of matrices, shape (..., n, n). Infinite or NaN where there is none."""
    return g.custom(_INVERSE, a)[0]


def _determinant(g: Builder, a: Tensor) -> tuple[Tensor, ...]:
    n = a.dims[-1]
    numbers = _numbers(g, n)
    one = g.const(1, _WIDE)

    def step(b: Builder, k: Tensor, rest: Tensor, sign: Tensor, log: Tensor) -> Sequence[Tensor]:
        rest, row, source = _pivoted(b, numbers, k, rest)
        pivot = _item(b, b.squeeze(row, rest.ndim - 2), k)
        stays = b.op("Equal", b.squeeze(source, source.ndim - 1), k)
        sign = sign * b.op("Sign", pivot) * b.op("Where", stays, one, b.const(-1, _WIDE))
        safe = b.op("Where", b.op("Equal", pivot, b.const(0, _WIDE)), one, pivot)
        below = b.op("Greater", numbers, k)
        factors = b.op("Where", below, _item(b, rest, k) / _column(b, safe), b.const(0, _WIDE))
        return rest - _column(b, factors) * row, sign, log + b.op("Log", b.op("Abs", pivot))

    batch = a.dims[:-2]
    start = [g.cast(a, _WIDE), g.fill(batch, 1, _WIDE), g.fill(batch, 0, _WIDE)]
    _, sign, log = _repeat(g, g.dim(n), start, step)
    return tuple(g.cast(v, a.dt) for v in (sign * g.op("Exp", log), sign, log))


def _determinant_gradient(
    g: Builder, n: ir.Node, dy: Tensor | None, dsign: Tensor | None, dlog: Tensor | None
) -> Gradient:
    """The inverse by Jacobi's formula; zero where the determinant is zero, as in MXNet."""
    a, det = tensor(n.inputs[0]), tensor(n.outputs[0])
    factor = dlog
    if dy is not None:
        factor = dy * det if factor is None else factor + dy * det
    if factor is None:
        return None
    singular = _column(g, _column(g, g.op("Equal", tensor(n.outputs[1]), g.const(0, a.dt))))
    regular = g.op("Where", singular, _identity(g, a.dims[-1], a.dt), a)
    d = _column(g, _column(g, factor)) * swap(g, inverse(g, regular))
    return g.op("Where", singular, g.const(0, a.dt), d)


_DETERMINANT = CustomFunction("Determinant", _determinant, _determinant_gradient)


def determinant(g: Builder, a: Tensor) -> tuple[Tensor, ...]:
    """The determinant, its sign, and the logarithm of its size, each of shape (...), of matrices (..., n, n)."""
    return g.custom(_DETERMINANT, a)


# -- LQ -------------------------------------------------------------------------------------------------------------
def _lq(g: Builder, a: Tensor) -> tuple[Tensor, Tensor]:
    """Householder's reflections of the rows, with the signs that LAPACK gives."""
    m, n = a.dims[-2:]
    numbers = _numbers(g, n)

    def step(b: Builder, k: Tensor, rest: Tensor, product: Tensor) -> Sequence[Tensor]:
        zero = b.const(0, _WIDE)
        row = b.op("Where", b.op("GreaterOrEqual", numbers, k), _item(b, rest, k, -2), zero)
        tail = b.op("Where", b.op("Greater", numbers, k), row, zero)
        first = _column(b, _item(b, row, k))
        done = b.op("Equal", b.reduce("SumSquare", tail, [-1], keepdims=True), zero)
        length = b.reduce("L2", row, [-1], keepdims=True)
        signed = b.op("Where", b.op("Less", first, zero), -length, length)
        here = b.cast(b.op("Equal", numbers, k), _WIDE)
        v = b.op("Where", done, zero, row + signed * here)
        size = b.reduce("SumSquare", v, [-1], keepdims=True)
        scaled = _row(b, v * 2.0 / b.op("Where", done, b.const(1, _WIDE), size))

        def reflected(x: Tensor) -> Tensor:
            return x - b.op("MatMul", x, _column(b, v)) * scaled

        return reflected(rest), reflected(product)

    start = [g.cast(a, _WIDE), g.expand(_identity(g, n, _WIDE), (*a.dims[:-2], n, n))]
    rest, product = _repeat(g, g.dim(m), start, step)
    q = swap(g, g.slice(product, [a.ndim - 1], [0], [m]))
    lower = triangle(g, g.slice(rest, [a.ndim - 1], [0], [m]))
    return g.cast(q, a.dt), g.cast(lower, a.dt)


def _lq_gradient(g: Builder, n: ir.Node, dq: Tensor | None, dl: Tensor | None) -> Tensor:
    q, lower = map(tensor, n.outputs)
    inner = None if dl is None else g.op("MatMul", swap(g, lower), dl)
    if dq is not None:
        part = g.op("MatMul", dq, swap(g, q))
        inner = -part if inner is None else inner - part
    assert inner is not None
    total = g.op("MatMul", mirrored(g, inner), q)
    return solve_triangular(g, swap(g, lower), total if dq is None else total + dq, lower=False)


_LQ = CustomFunction("LQ", _lq, _lq_gradient)


def lq(g: Builder, a: Tensor) -> tuple[Tensor, ...]:
    """Q with orthonormal rows and lower triangular L with ``L @ Q = a``; shapes (..., m, n), (..., m, m), m <= n."""
    return g.custom(_LQ, a)


# -- eigenvalues ------------------------------------------------------------------------------------------------------
_SWEEPS = 24  # a bound; convergence is quadratic and takes about 8


def _partners(n: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """A round-robin tournament: who meets whom in each round (oneself: nobody), shape (rounds, n)."""
    seats = n + n % 2
    rounds = max(seats - 1, 1)
    table = np.tile(np.arange(n), (rounds, 1))
    for r in range(rounds):
        order = [0, *(1 + (r + i) % (seats - 1) for i in range(seats - 1))]
        for i in range(seats // 2):
            p, q = order[i], order[seats - 1 - i]
            if p < n and q < n:
                table[r, p], table[r, q] = q, p
    return table


def _rotation(b: Builder, a: Tensor, partner: Tensor, numbers: Tensor) -> Tensor:
    """The orthogonal matrix that makes ``a[i, partner[i]]`` zero for all i at once (Jacobi's rotations)."""
    zero, one = b.const(0, _WIDE), b.const(1, _WIDE)
    own = b.op("Equal", _column(b, numbers), _row(b, numbers))
    other = b.op("Equal", _column(b, partner), _row(b, numbers))
    diagonal = b.reduce("Sum", b.op("Where", own, a, zero), [-1])
    between = b.reduce("Sum", b.op("Where", other, a, zero), [-1])
    idle = b.op("Or", b.op("Equal", partner, numbers), b.op("Equal", between, zero))
    theta = (b.op("Gather", diagonal, partner, axis=diagonal.ndim - 1) - diagonal) * 0.5
    theta = theta / b.op("Where", idle, one, between)
    side = b.op("Where", b.op("Less", numbers, partner), one, b.const(-1, _WIDE))
    sign = b.op("Where", b.op("Equal", theta, zero), side, b.op("Sign", theta))
    tangent = b.op("Where", idle, zero, sign / (b.op("Abs", theta) + b.op("Sqrt", theta * theta + 1.0)))
    cosine = 1.0 / b.op("Sqrt", tangent * tangent + 1.0)
    turned = b.op("Where", other, _column(b, -(tangent * cosine)), zero)
    return b.op("Where", own, _column(b, cosine), turned)


def _eigen(g: Builder, a: Tensor) -> tuple[Tensor, Tensor]:
    n = a.dims[-1]
    if not isinstance(n, int):
        raise NeedsStaticShape(f"eigenvalues of matrices of symbolic size {n}")
    numbers, table = _numbers(g, n), g.const(_partners(n))
    rounds = g.const(table.dims[0], np.int64)
    every, own = list(range(a.ndim)), g.cast(_identity(g, n, _WIDE), np.bool_)

    def step(b: Builder, k: Tensor, rest: Tensor, vectors: Tensor) -> Sequence[Tensor]:
        turn = _rotation(b, rest, _item(b, table, b.op("Mod", k, rounds), 0), numbers)
        rest = b.op("MatMul", b.op("MatMul", turn, rest), swap(b, turn))
        off = b.op("Where", own, b.const(0, _WIDE), rest)
        left = b.reduce("SumSquare", off, every) - b.reduce("SumSquare", rest, every) * 1e-31
        return b.op("Greater", left, b.const(0, _WIDE)), rest, b.op("MatMul", turn, vectors)

    start = [mirrored(g, g.cast(a, _WIDE)), g.expand(_identity(g, n, _WIDE), a.dims)]
    rest, vectors = _repeat(g, g.const(_SWEEPS * int(table.dims[0]), np.int64), start, step, checks=True)
    values = g.reduce("Sum", g.op("Where", own, rest, g.const(0, _WIDE)), [-1])
    values, order = g.multi("TopK", 2, values, g.ints(n), axis=values.ndim - 1, largest=0)
    rows = g.expand(_column(g, order), a.dims)
    vectors = g.with_dims("GatherElements", a.dims, vectors, rows, axis=a.ndim - 2)
    largest = g.op("ArgMax", g.op("Abs", vectors), axis=a.ndim - 1, keepdims=1)
    sign = g.op("Less", g.with_dims("GatherElements", largest.dims, vectors, largest, axis=a.ndim - 1), 0.0)
    vectors = g.op("Where", sign, -vectors, vectors)
    return g.cast(vectors, a.dt), g.cast(values, a.dt)


def _eigen_gradient(g: Builder, n: ir.Node, du: Tensor | None, dl: Tensor | None) -> Tensor:
    u, values = map(tensor, n.outputs)
    size, zero = values.dims[-1], g.const(0, u.dt)
    own = g.cast(_identity(g, size, u.dt), np.bool_)
    inner = g.op("Where", own, _column(g, dl) if dl is not None else zero, zero)
    if du is not None:
        x = g.op("MatMul", du, swap(g, u))
        gap = _column(g, values) - _row(g, values)
        equal = g.op("Equal", gap, zero)
        apart = (x - swap(g, x)) * 0.5 / g.op("Where", equal, g.const(math.inf, u.dt), gap)
        inner = inner + apart
    return g.op("MatMul", g.op("MatMul", swap(g, u), inner), u)


_EIGEN = CustomFunction("Eigen", _eigen, _eigen_gradient)


def eigen(g: Builder, a: Tensor) -> tuple[Tensor, ...]:
    """Eigenvectors, as rows, and ascending eigenvalues of symmetric matrices; shapes (..., n, n) and (..., n).

    Only the lower triangle of `a` is read. The largest component of every eigenvector is positive.
    """
    return g.custom(_EIGEN, a)
