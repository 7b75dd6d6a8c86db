"""Gradient rules of matrix products."""

from __future__ import annotations

import string
from collections.abc import Sequence

import onnx_ir as ir

from ... import factorizations
from ...builder import Builder, Tensor
from ...dims import DimLike
from ..engine import Gradient, attribute, rule, tensor, through


def swap(g: Builder, x: Tensor) -> Tensor:
    """`x` with its last two axes exchanged."""
    return g.transpose(x, [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2])


@rule("MatMul")
def matmul(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    a, b = map(tensor, n.inputs)
    if a.ndim == 1 or b.ndim == 1:
        return _vector_matmul(g, a, b, dy)

    def left() -> Tensor:
        return g.op("MatMul", dy, swap(g, b))

    def right() -> Tensor:
        if b.ndim == 2 and a.ndim > 2:  # one product over all rows instead of a sum of many
            rows = (
                g.op("Reshape", a, g.ints(-1, *[d for d in a.dims[-1:] if isinstance(d, int)]))
                if isinstance(a.dims[-1], int)
                else None
            )
            if rows is not None and isinstance(dy.dims[-1], int):
                return g.op("Gemm", rows, g.op("Reshape", dy, g.ints(-1, dy.dims[-1])), transA=1)
        return g.op("MatMul", swap(g, a), dy)

    return left, right


def _vector_matmul(g: Builder, a: Tensor, b: Tensor, dy: Tensor) -> tuple[Gradient, ...]:
    row = a if a.ndim > 1 else g.unsqueeze(a, 0)
    column = b if b.ndim > 1 else g.unsqueeze(b, 1)
    if a.ndim == 1:
        dy = g.unsqueeze(dy, dy.ndim - (0 if b.ndim == 1 else 1))
    if b.ndim == 1:
        dy = g.unsqueeze(dy, dy.ndim)

    def left() -> Tensor:
        d = g.op("MatMul", dy, swap(g, column))
        return g.reshape(g.sum_to(d, row.dims), a.dims)

    def right() -> Tensor:
        d = g.op("MatMul", swap(g, row), dy)
        return g.reshape(g.sum_to(d, column.dims), b.dims)

    return left, right


@rule("Gemm")
def gemm(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    a, b = tensor(n.inputs[0]), tensor(n.inputs[1])
    alpha, beta = float(attribute(n, "alpha", 1.0)), float(attribute(n, "beta", 1.0))
    ta, tb = attribute(n, "transA", 0), attribute(n, "transB", 0)

    def product(x: Tensor, y: Tensor, tx: int, ty: int) -> Tensor:
        return g.op("Gemm", x, y, transA=tx or None, transB=ty or None, alpha=alpha if alpha != 1.0 else None)

    def left() -> Tensor:
        return product(b, dy, tb, 1) if ta else product(dy, b, 0, 1 - tb)

    def right() -> Tensor:
        return product(dy, a, 1, ta) if tb else product(a, dy, 1 - ta, 0)

    return (
        left,
        right,
        lambda: (
            column_sum(g, dy, tensor(n.inputs[2])) * beta
            if beta != 1.0
            else column_sum(g, dy, tensor(n.inputs[2]))
        ),
    )


def column_sum(g: Builder, dy: Tensor, like: Tensor) -> Tensor:
    """The gradient of an operand added to a matrix: a sum over rows, which is fastest as a product with ones."""
    if (
        like.ndim <= 2
        and like.dims[-1:] == dy.dims[-1:]
        and like.dims[:-1] in ((), (1,))
        and isinstance(dy.dims[0], int)
    ):
        return g.reshape(g.op("Gemm", g.fill((1, dy.dims[0]), 1, dy.dt), dy), like.dims)
    return g.sum_to(dy, like.dims)


@rule("Det")
def det(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    """The inverse by Jacobi's formula; 0 where the determinant is 0."""
    x, y = tensor(n.inputs[0]), tensor(n.outputs[0])
    ends = (y.ndim, y.ndim + 1)
    singular = g.unsqueeze(g.op("Equal", y, 0.0), *ends)
    ones = g.op("EyeLike", g.fill(x.dims[-2:], 0, x.dt))
    d = g.unsqueeze(dy * y, *ends) * swap(g, factorizations.inverse(g, g.op("Where", singular, ones, x)))
    return g.op("Where", singular, g.const(0, x.dt), d)


def _plain_equation(
    b: Builder, operands: Sequence[Tensor], terms: Sequence[str], result: str | None
) -> tuple[list[Tensor], list[str], str]:
    """Operands and indices without '...' and without an index twice in a term.

    What "..." stands for gets indices of its own, and axes of length 1 that broadcast there are left out. An index
    that occurs again in a term gets another name, and an identity matrix as an operand that joins both.
    """
    free = [c for c in string.ascii_letters if all(c not in t for t in terms)]
    ranks = [x.ndim - len(t.replace("...", "")) for t, x in zip(terms, operands, strict=True)]
    rank = max((r for r, t in zip(ranks, terms, strict=True) if "..." in t), default=0)
    shared, free = free[:rank], free[rank:]
    lengths: dict[str, DimLike] = {}
    for t, x, r in zip(terms, operands, ranks, strict=True):
        if "..." in t:
            at = t.index("...")
            for c, d in zip(shared[rank - r :], x.dims[at : at + r], strict=True):
                lengths[c] = d if lengths.get(c, 1) == 1 else lengths[c]
    found, names = [], []
    for t, x, r in zip(terms, operands, ranks, strict=True):
        wide = t.replace("...", "".join(shared[rank - r :])) if "..." in t else t
        single = [i for i, c in enumerate(wide) if c in shared and x.dims[i] == 1 and lengths[c] != 1]
        found.append(b.squeeze(x, *single))
        names.append("".join(c for i, c in enumerate(wide) if i not in single))
    if result is None:
        every = "".join(terms).replace("...", "")
        result = "..." * (rank > 0) + "".join(sorted(c for c in set(every) if every.count(c) == 1))
    joins: list[str] = []
    for k, x in enumerate(list(found)):
        term = ""
        for c, d in zip(names[k], x.dims, strict=True):
            if c in term:
                again = free.pop(0)
                found.append(b.op("EyeLike", b.fill((d, d), 0, x.dt)))
                joins.append(c + again)
                c = again
            term += c
        names[k] = term
    return found, [*names, *joins], result.replace("...", "".join(shared))


@rule("Einsum")
def einsum(g: Builder, n: ir.Node, dy: Tensor) -> Sequence[Gradient]:
    """The equation with the operand and the result exchanged."""
    inputs, equation = list(map(tensor, n.inputs)), attribute(n, "equation")
    text = (equation.decode() if isinstance(equation, bytes) else equation).replace(" ", "")
    left, arrow, result = text.partition("->")
    terms = left.split(",")
    if "." in text or any(len(set(t)) < len(t) for t in terms):

        def expand(b: Builder, *operands: Tensor) -> Tensor:
            plain, names, to = _plain_equation(b, operands, terms, result if arrow else None)
            return b.op("Einsum", *plain, equation=f"{','.join(names)}->{to}")

        return through(g, n, expand, dy)
    if not arrow:
        result = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))

    def part(i: int) -> Tensor:
        sizes = dict(zip(terms[i], inputs[i].dims, strict=True))
        others = [t for k, t in enumerate(terms) if k != i]
        known = [c for c in terms[i] if c in result or any(c in t for t in others)]
        y = g.op(
            "Einsum",
            dy,
            *(x for k, x in enumerate(inputs) if k != i),
            equation=f"{','.join([result, *others])}->{''.join(known)}",
        )
        dims: list[DimLike] = [sizes[c] if c in known else 1 for c in terms[i]]
        return g.expand(g.reshape(y, dims), inputs[i].dims)

    return tuple((lambda i=i: part(i)) for i in range(len(inputs)))
