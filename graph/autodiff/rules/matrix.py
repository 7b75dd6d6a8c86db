"""Gradient rules of matrix products."""

from __future__ import annotations

import onnx_ir as ir

from ...builder import Builder, Tensor
from ...dims import DimLike
from ...errors import NotDifferentiableError
from ...factorizations import inverse
from ..engine import Gradient, attribute, rule, tensor


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
    d = g.unsqueeze(dy * y, *ends) * swap(g, inverse(g, g.op("Where", singular, ones, x)))
    return g.op("Where", singular, g.const(0, x.dt), d)


@rule("Einsum")
def einsum(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    """The equation with the operand and the result exchanged."""
    inputs, equation = list(map(tensor, n.inputs)), attribute(n, "equation")
    text = (equation.decode() if isinstance(equation, bytes) else equation).replace(" ", "")
    left, arrow, result = text.partition("->")
    terms = left.split(",")
    if "." in text or any(len(set(t)) < len(t) for t in terms):
        raise NotDifferentiableError(
            f"ONNX Einsum: no gradient for the equation {text!r}, which repeats an index or has '...'"
        )
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
