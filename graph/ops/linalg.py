"""Linear algebra on batches of matrices. The last two axes are those of the matrices."""

from __future__ import annotations

import numpy as np

from ..builder import Builder, Tensor
from ..errors import NeedsStaticShape, ShapeError, TypeInferenceError
from ..factorizations import (
    cholesky,
    determinant,
    eigen,
    inverse,
    lq,
    solve_triangular,
    swap,
    triangle,
)
from ._axes import axis_of
from ._numeric import Array
from .registry import operator

__all__: list[str] = []


def _check(**matrices: Tensor) -> None:
    """Refuse what is not a float32 or float64 matrix, or several element types."""
    first = next(iter(matrices.values()))
    for name, x in matrices.items():
        if x.dt not in (np.float32, np.float64) or x.dt != first.dt:
            raise TypeInferenceError(
                f"argument {name!r}: expected float32 or float64, as all arguments, got {x.dt.name}"
            )
        if x.ndim < 2:
            raise ShapeError(f"argument {name!r}: expected two axes or more, got shape {x.dims}")


def _check_square(**matrices: Tensor) -> None:
    _check(**matrices)
    for name, x in matrices.items():
        if x.dims[-1] != x.dims[-2]:
            raise ShapeError(f"argument {name!r}: expected square matrices, got shape {x.dims}")


def _total(g: Builder, x: Tensor, matrix: Tensor) -> Tensor:
    """A number for each matrix; of a single one with shape (1,)."""
    return g.reshape(x, matrix.dims[:-2] or (1,))


# -- products ---------------------------------------------------------------------------------------------------
def _product(g: Builder, a: Tensor, b: Tensor, ta: bool, tb: bool, alpha: float, axis: int) -> Tensor:
    """``alpha * a @ b`` where the rows of the matrices are `axis` and their columns the last axis."""
    if a.ndim != b.ndim:
        raise ShapeError(f"expected matrices with equally many axes, got shapes {a.dims} and {b.dims}")
    rows = axis_of(axis, a.ndim)
    order = [i for i in range(a.ndim - 1) if i != rows] + [rows, a.ndim - 1]
    back = [int(i) for i in np.argsort(order)]
    x, y = g.transpose(a, order), g.transpose(b, order)
    x, y = swap(g, x) if ta else x, swap(g, y) if tb else y
    if x.dims[:-2] != y.dims[:-2] or x.dims[-1] != y.dims[-2]:
        raise ShapeError(f"matrices of shapes {x.dims} and {y.dims} cannot be multiplied")
    z = g.op("MatMul", x, y)
    return g.transpose(z if alpha == 1.0 else z * alpha, back)


@operator("_linalg_gemm", "linalg_gemm")
def gemm(
    g: Builder,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    alpha: float = 1.0,
    beta: float = 1.0,
    axis: int = -2,
) -> Tensor:
    """_linalg_gemm(A, B, C, transpose_a=False, transpose_b=False, alpha=1.0, beta=1.0, axis=-2)

    ``alpha * A @ B + beta * C``. `axis` is that of the matrices' rows; their columns are the last.
    """
    _check(A=A, B=B, C=C)
    y = _product(g, A, B, transpose_a, transpose_b, alpha, axis)
    if C.dims != y.dims:
        raise ShapeError(f"argument 'C': expected shape {y.dims}, got {C.dims}")
    return y + (C if beta == 1.0 else C * beta)


@operator("_linalg_gemm2", "linalg_gemm2")
def gemm2(
    g: Builder,
    A: Tensor,
    B: Tensor,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    alpha: float = 1.0,
    axis: int = -2,
) -> Tensor:
    """_linalg_gemm2(A, B, transpose_a=False, transpose_b=False, alpha=1.0, axis=-2)

    ``alpha * A @ B``. `axis` is that of the matrices' rows; their columns are the last.
    """
    _check(A=A, B=B)
    return _product(g, A, B, transpose_a, transpose_b, alpha, axis)


@operator("_linalg_syrk", "linalg_syrk")
def syrk(g: Builder, A: Tensor, *, transpose: bool = False, alpha: float = 1.0) -> Tensor:
    """_linalg_syrk(A, transpose=False, alpha=1.0)

    ``alpha * A @ A.T``, or ``alpha * A.T @ A`` with `transpose`.
    """
    _check(A=A)
    y = g.op("MatMul", swap(g, A), A) if transpose else g.op("MatMul", A, swap(g, A))
    return y if alpha == 1.0 else y * alpha


@operator("_linalg_trmm", "linalg_trmm")
def trmm(
    g: Builder,
    A: Tensor,
    B: Tensor,
    *,
    transpose: bool = False,
    rightside: bool = False,
    lower: bool = True,
    alpha: float = 1.0,
) -> Tensor:
    """_linalg_trmm(A, B, transpose=False, rightside=False, lower=True, alpha=1.0)

    ``alpha * op(A) @ B``, or ``alpha * B @ op(A)`` with `rightside`; A is triangular, op transposes it if asked.
    The other triangle of A is not read.
    """
    _check_square(A=A)
    _check(A=A, B=B)
    t = triangle(g, A, lower)
    t = swap(g, t) if transpose else t
    y = g.op("MatMul", B, t) if rightside else g.op("MatMul", t, B)
    return y if alpha == 1.0 else y * alpha


# -- triangular systems and factorizations --------------------------------------------------------------------------
@operator("_linalg_trsm", "linalg_trsm")
def trsm(
    g: Builder,
    A: Tensor,
    B: Tensor,
    *,
    transpose: bool = False,
    rightside: bool = False,
    lower: bool = True,
    alpha: float = 1.0,
) -> Tensor:
    """_linalg_trsm(A, B, transpose=False, rightside=False, lower=True, alpha=1.0)

    The X with ``op(A) @ X = alpha * B``, or ``X @ op(A) = alpha * B`` with `rightside`; A is triangular, op transposes
    it if asked. The other triangle of A is not read.
    """
    _check_square(A=A)
    _check(A=A, B=B)
    b = B if alpha == 1.0 else B * alpha
    if transpose != rightside:
        A, lower = swap(g, A), not lower
    return (
        swap(g, solve_triangular(g, A, swap(g, b), lower)) if rightside else solve_triangular(g, A, b, lower)
    )


@operator("_linalg_potrf", "linalg_potrf")
def potrf(g: Builder, A: Tensor, *, lower: bool = True) -> Tensor:
    """_linalg_potrf(A, lower=True)

    The Cholesky factor: lower triangular L with ``L @ L.T = A``, or without `lower` upper triangular U with
    ``U.T @ U = A``. NaN where A is not positive definite. Only the triangle of A named is read.
    """
    _check_square(A=A)
    return cholesky(g, A) if lower else swap(g, cholesky(g, swap(g, A)))


@operator("_linalg_potri", "linalg_potri")
def potri(g: Builder, A: Tensor, *, lower: bool = True) -> Tensor:
    """_linalg_potri(A, lower=True)

    The inverse of ``A @ A.T`` for lower triangular A, or without `lower` of ``A.T @ A`` for upper triangular A: of the
    matrix that A is the Cholesky factor of. The other triangle of A is not read.
    """
    _check_square(A=A)
    ones = g.cast(g.const(np.eye(_size(A))), A.dt)
    half = solve_triangular(g, A if lower else swap(g, A), g.expand(ones, A.dims), lower=True)
    return g.op("MatMul", swap(g, half), half)


def _size(x: Tensor, axis: int = -1) -> int:
    n = x.dims[axis]
    if not isinstance(n, int):
        raise NeedsStaticShape(f"matrices of symbolic size {n}")
    return n


@operator("_linalg_inverse", "linalg_inverse")
def inverse_(g: Builder, A: Tensor) -> Tensor:
    """_linalg_inverse(A)

    The inverse of each matrix. Infinite or NaN where there is none.
    """
    _check_square(A=A)
    return inverse(g, A)


@operator("_linalg_det", "linalg_det")
def det(g: Builder, A: Tensor) -> Tensor:
    """_linalg_det(A)

    The determinant of each matrix. Where it is zero so is the gradient.
    """
    _check_square(A=A)
    return _total(g, determinant(g, A)[0], A)


@operator("_linalg_slogdet", "linalg_slogdet", outputs=2)
def slogdet(g: Builder, A: Tensor) -> tuple[Tensor, Tensor]:
    """_linalg_slogdet(A)

    The sign of the determinant of each matrix, and the logarithm of its absolute value.
    """
    _check_square(A=A)
    _, sign, log = determinant(g, A)
    return _total(g, sign, A), _total(g, log, A)


@operator("_linalg_gelqf", "linalg_gelqf", outputs=2)
def gelqf(g: Builder, A: Tensor) -> tuple[Tensor, ...]:
    """_linalg_gelqf(A)

    The LQ factorization: Q with orthonormal rows, and lower triangular L, with ``L @ Q = A``. A has no more rows than
    columns.
    """
    _check(A=A)
    if A.dims[-2] > A.dims[-1]:
        raise ShapeError(f"argument 'A': expected no more rows than columns, got shape {A.dims}")
    return lq(g, A)


@operator("_linalg_syevd", outputs=2)
def syevd(g: Builder, A: Tensor) -> tuple[Tensor, ...]:
    """_linalg_syevd(A)

    Eigenvectors, as rows, and ascending eigenvalues of symmetric matrices. The largest component of every eigenvector
    is positive.
    """
    _check_square(A=A)
    return eigen(g, A)


# -- diagonals and triangles ------------------------------------------------------------------------------------------
@operator("_linalg_sumlogdiag", "linalg_sumlogdiag")
def sumlogdiag(g: Builder, A: Tensor) -> Tensor:
    """_linalg_sumlogdiag(A)

    The sum of the logarithms of the diagonal of each matrix.
    """
    _check_square(A=A)
    return _total(
        g, g.reduce("Sum", g.op("Log", _picked(g, A, np.arange(_size(A)) * (_size(A) + 1))), [-1]), A
    )


def _picked(g: Builder, x: Tensor, places: Array) -> Tensor:
    """Elements of matrices, by their place in the flattened matrix."""
    flat = g.reshape(x, (*x.dims[:-2], _size(x, -2) * _size(x)))
    return g.op("Gather", flat, g.const(places.astype(np.int64)), axis=flat.ndim - 1)


def _placed(g: Builder, x: Tensor, places: Array, n: int) -> Tensor:
    """Vectors written into matrices of size n at places of the flattened matrix; zeros elsewhere."""
    source = np.full(n * n, len(places))
    source[places] = np.arange(len(places))
    padded = g.op("Concat", x, g.fill((*x.dims[:-1], 1), 0, x.dt), axis=x.ndim - 1)
    flat = g.op("Gather", padded, g.const(source), axis=x.ndim - 1)
    return g.reshape(flat, (*x.dims[:-1], n, n))


def _diagonal(n: int, offset: int) -> Array:
    """Places of a diagonal in flattened matrices of size n."""
    rows = np.arange(max(n - abs(offset), 0)) + max(-offset, 0)
    return rows * n + rows + offset


def _triangle(n: int, offset: int, lower: bool) -> Array:
    """Places of a triangle in flattened matrices of size n: the lower one by rows, the upper one by columns.

    The sign of an offset tells which triangle it is.
    """
    if offset < 0 or (offset == 0 and lower):
        return np.flatnonzero(np.tril(np.ones((n, n)), offset))
    columns, rows = np.nonzero(np.tril(np.ones((n, n)), -offset))
    return rows * n + columns


@operator("_linalg_extractdiag", "linalg_extractdiag")
def extractdiag(g: Builder, A: Tensor, *, offset: int = 0) -> Tensor:
    """_linalg_extractdiag(A, offset=0)

    A diagonal of each matrix, above the main one for a positive `offset`.
    """
    _check_square(A=A)
    n = _size(A)
    if abs(offset) >= n:
        raise ShapeError(f"parameter 'offset': expected a diagonal of a matrix of size {n}, got {offset}")
    return _picked(g, A, _diagonal(n, offset))


@operator("_linalg_makediag", "linalg_makediag")
def makediag(g: Builder, A: Tensor, *, offset: int = 0) -> Tensor:
    """_linalg_makediag(A, offset=0)

    Matrices with the vectors in the last axis as a diagonal, above the main one for a positive `offset`.
    """
    n = _size(A) + abs(offset)
    return _placed(g, A, _diagonal(n, offset), n)


@operator("_linalg_extracttrian", "linalg_extracttrian")
def extracttrian(g: Builder, A: Tensor, *, offset: int = 0, lower: bool = True) -> Tensor:
    """_linalg_extracttrian(A, offset=0, lower=True)

    A triangle of each matrix as a vector, the lower one row by row, the upper one column by column: that from
    diagonal `offset` outwards, which is the upper one for a positive `offset`, the lower one for a negative, and
    for 0 the one `lower` says.
    """
    _check_square(A=A)
    n = _size(A)
    if abs(offset) >= n:
        raise ShapeError(f"parameter 'offset': expected a diagonal of a matrix of size {n}, got {offset}")
    return _picked(g, A, _triangle(n, offset, lower))


@operator("_linalg_maketrian", "linalg_maketrian")
def maketrian(g: Builder, A: Tensor, *, offset: int = 0, lower: bool = True) -> Tensor:
    """_linalg_maketrian(A, offset=0, lower=True)

    Matrices with the vectors in the last axis as a triangle; what `_linalg_extracttrian` undoes.
    """
    count = _size(A)
    m = round(((8 * count + 1) ** 0.5 - 1) / 2)
    if m * (m + 1) // 2 != count:
        raise ShapeError(f"argument 'A': no triangle has {count} elements")
    n = m + abs(offset)
    return _placed(g, A, _triangle(n, offset, lower), n)
