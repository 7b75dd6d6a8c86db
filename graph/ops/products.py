"""Products of matrices."""

from __future__ import annotations

from typing import Any, Literal

from ..builder import Builder, Tensor
from ..dims import DimLike, Shape, prod
from ..errors import ShapeError
from ..factorizations import swap
from ..shapes import ShapeContext, unify
from ._numeric import same_type
from .registry import operator

__all__: list[str] = []

_Storage = Literal["default", "row_sparse", "csr"]


@operator("dot", "_sparse_dot")
def dot(
    g: Builder,
    lhs: Tensor,
    rhs: Tensor,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    forward_stype: _Storage | None = None,
) -> Tensor:
    """dot(lhs, rhs, transpose_a=False, transpose_b=False, forward_stype=None)

    The sum of products over the last axis of `lhs` and the first of `rhs`; over the first of `lhs` with `transpose_a`,
    over the last of `rhs` with `transpose_b`. Of two vectors: a total of shape (1,).
    """
    same_type("dot", lhs, rhs)
    if lhs.ndim == 1 and rhs.ndim == 1 and (transpose_a or transpose_b):
        raise ShapeError("parameters 'transpose_a' and 'transpose_b': vectors cannot be transposed")
    a, rows, summed = _matrix(g, lhs, first=transpose_a, row=True)
    b, columns, other = _matrix(g, rhs, first=not transpose_b, row=False)
    if summed != other:
        raise ShapeError(
            f"shapes {lhs.dims} and {rhs.dims} (transpose_a={transpose_a}, transpose_b={transpose_b}): axes of lengths "
            f"{summed} and {other} are summed over"
        )
    ta, tb = transpose_a and lhs.ndim > 1, transpose_b and rhs.ndim > 1
    y = g.op("Gemm", a, b, transA=int(ta) or None, transB=int(tb) or None)
    return g.reshape(y, (*rows, *columns) or (1,))


def _matrix(g: Builder, x: Tensor, first: bool, row: bool) -> tuple[Tensor, Shape, DimLike]:
    """An operand as a matrix, the axes of it that stay, and the length of the one that is summed over.

    A vector becomes a row or a column; of a matrix, the first or the last axis is summed over.
    """
    if x.ndim == 1:
        return g.reshape(x, (1, x.dims[0]) if row else (x.dims[0], 1)), (), x.dims[0]
    if first:
        return g.reshape(x, (x.dims[0], prod(x.dims[1:]))), x.dims[1:], x.dims[0]
    return g.reshape(x, (prod(x.dims[:-1]), x.dims[-1])), x.dims[:-1], x.dims[-1]


@operator("batch_dot")
def batch_dot(
    g: Builder,
    lhs: Tensor,
    rhs: Tensor,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    forward_stype: _Storage | None = None,
) -> Tensor:
    """batch_dot(lhs, rhs, transpose_a=False, transpose_b=False, forward_stype=None)

    Products of matrices, one for each place in the leading axes, which `lhs` and `rhs` share.
    """
    same_type("batch_dot", lhs, rhs)
    if lhs.ndim < 3 or lhs.ndim != rhs.ndim or lhs.dims[:-2] != rhs.dims[:-2]:
        raise ShapeError(
            f"expected two arrays of three axes or more with the same leading ones, got {lhs.dims} and {rhs.dims}"
        )
    a, b = swap(g, lhs) if transpose_a else lhs, swap(g, rhs) if transpose_b else rhs
    if a.dims[-1] != b.dims[-2]:
        raise ShapeError(f"matrices of shapes {a.dims[-2:]} and {b.dims[-2:]} cannot be multiplied")
    return g.op("MatMul", a, b)


@batch_dot.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    lhs, rhs = s["lhs"], s["rhs"]
    if lhs is None or rhs is None or len(lhs) != len(rhs) or len(lhs) < 3:
        return
    lead = unify(lhs[:-2], rhs[:-2], f"{s.where}, leading axes")
    rows, inner = lhs[:-3:-1] if a.transpose_a else lhs[-2:]
    other, columns = rhs[:-3:-1] if a.transpose_b else rhs[-2:]
    if inner is not None and other is not None and inner != other:
        raise ShapeError(f"{s.where}: matrices of shapes {lhs[-2:]} and {rhs[-2:]} cannot be multiplied")
    inner = other = other if inner is None else inner
    assert lead is not None
    s.set("lhs", (*lead, *((inner, rows) if a.transpose_a else (rows, inner))))
    s.set("rhs", (*lead, *((columns, other) if a.transpose_b else (other, columns))))
    s.set(0, (*lead, rows, columns))


@operator("khatri_rao", num_args="num_args")
def khatri_rao(g: Builder, *args: Tensor, num_args: int) -> Tensor:
    """khatri_rao(*args, num_args)

    The matrix whose columns are the Kronecker products of the columns of all matrices, which have equally many.
    """
    result = args[0]
    for x in args:
        same_type("khatri_rao", args[0], x)
        if x.ndim != 2 or x.dims[1] != args[0].dims[1]:
            raise ShapeError(
                f"argument 'args': expected matrices with {args[0].dims[-1]} columns, got shape {x.dims}"
            )
    for x in args[1:]:
        rows = g.reshape(result, (result.dims[0], 1, result.dims[1])) * g.reshape(x, (1, *x.dims))
        result = g.reshape(rows, (result.dims[0] * x.dims[0], x.dims[1]))
    return result
