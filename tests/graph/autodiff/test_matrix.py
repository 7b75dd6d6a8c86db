"""Gradient rules of matrix products, and factorizations with closed gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest

from gluon_onnx.graph import factorizations
from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.dims import Dim
from gluon_onnx.graph.program import finish
from tests.graph.autodiff.slopes import (
    Slope,
    check_first,
    check_second,
    check_torch,
    gradients,
    mxnet,
    row,
    run,
)

_STREAM = np.random.RandomState(3)


def _random(*shape: int) -> np.ndarray[Any, Any]:
    return _STREAM.standard_normal(shape).round(3)


def _positive(*shape: int) -> np.ndarray[Any, Any]:
    """Symmetric positive definite matrices."""
    half = _random(*shape)
    result: np.ndarray[Any, Any] = half @ np.swapaxes(half, -1, -2) + np.eye(shape[-1])
    return result


_A, _B, _C, _V, _W = _random(3, 4), _random(4, 2), _random(2, 3, 4), _random(4), _random(3)
_SQUARE, _SPD, _LOWER = _random(2, 3, 3), _positive(2, 3, 3), np.tril(_random(3, 3)) + 2 * np.eye(3)


def matmul(g: Builder, a: Tensor, b: Tensor) -> Tensor:
    return g.op("MatMul", a, b)


def _gemm(**attributes: Any) -> Callable[..., Tensor]:
    return lambda g, *x: g.op("Gemm", *x, **attributes)


def _einsum(equation: str) -> Any:
    def build(g: Builder, *x: Tensor) -> Tensor:
        return g.op("Einsum", *x, equation=equation)

    def torch(*x: Any) -> Any:
        import torch

        return torch.einsum(equation, *x)

    return build, torch


def _linalg(path: str, pick: int | None = None) -> Callable[..., Any]:
    def call(*x: Any) -> Any:
        import torch

        found = getattr(torch.linalg, path)(*x)
        return found if pick is None else found[pick]

    return call


_PRODUCTS = [
    row("matrices", matmul, _A, _B, torch=lambda a, b: a @ b),
    row("batch_and_matrix", matmul, _C, _B, torch=lambda a, b: a @ b),
    row("matrix_and_batch", matmul, _B.T, np.swapaxes(_C, 1, 2), torch=lambda a, b: a @ b),
    row("broadcast_batch", matmul, _C[:, None], _random(1, 2, 4, 2), torch=lambda a, b: a @ b),
    row("vectors", matmul, _V, _random(4), torch=lambda a, b: a @ b),
    row("matrix_vector", matmul, _A, _V, torch=lambda a, b: a @ b),
    row("vector_matrix", matmul, _V, _B, torch=lambda a, b: a @ b),
    row("batch_vector", matmul, _C, _V, torch=lambda a, b: a @ b),
    row("vector_batch", matmul, _W, _C, torch=lambda a, b: a @ b),
    row("gemm", _gemm(), _A, _B, torch=lambda a, b: a @ b),
    row("gemm_a", _gemm(transA=1), _A.T, _B, torch=lambda a, b: a.T @ b),
    row("gemm_b", _gemm(transB=1, alpha=0.5), _A, _B.T, torch=lambda a, b: 0.5 * a @ b.T),
    row("gemm_ab", _gemm(transA=1, transB=1, alpha=2.0), _A.T, _B.T, torch=lambda a, b: 2 * a.T @ b.T),
    row("gemm_row", _gemm(beta=3.0), _A, _B, _random(2), torch=lambda a, b, c: a @ b + 3 * c),
    row("gemm_one_row", _gemm(), _A, _B, _random(1, 2), torch=lambda a, b, c: a @ b + c),
    row("gemm_column", _gemm(), _A, _B, _random(3, 1), torch=lambda a, b, c: a @ b + c),
    row("gemm_matrix", _gemm(), _A, _B, _random(3, 2), torch=lambda a, b, c: a @ b + c),
    row("gemm_number", _gemm(), _A, _B, _random(), torch=lambda a, b, c: a @ b + c),
    *(row(f"einsum-{e}", _einsum(e)[0], *x, torch=_einsum(e)[1]) for e, x in {
        "ij,jk->ik": (_A, _B),
        "ij,jk": (_A, _B),
        "bij,j->bi": (_C, _V),
        "bij->jb": (_C,),
        "i,j->ij": (_V, _W),
        "bij,ij,j->b": (_C, _A, _V),
    }.items()),
    row("dot", mxnet("dot", transpose_b=True), _A, _random(5, 4), torch=lambda a, b: a @ b.T),
    row("batch_dot", mxnet("batch_dot", transpose_a=True), _C, _random(2, 3, 5),
        torch=lambda a, b: a.transpose(1, 2) @ b),
    row("khatri_rao", lambda g, a, b: mxnet("khatri_rao", num_args=2)(g, a, b), _random(2, 3), _random(4, 3)),
]  # fmt: skip


def _symmetric(function: Callable[..., Any], output: int | None = None) -> Callable[..., Tensor]:
    """A function of symmetric matrices as one of all matrices."""

    def build(g: Builder, x: Tensor) -> Tensor:
        found = function(g, (x + factorizations.swap(g, x)) * 0.5)
        return found if output is None else found[output]

    return build


def _solve(lower: bool) -> Callable[..., Tensor]:
    return lambda g, t, b: factorizations.solve_triangular(g, t, b, lower)


def _torch_solve(upper: bool) -> Callable[..., Any]:
    def call(t: Any, b: Any) -> Any:
        import torch

        return torch.linalg.solve_triangular(t, b, upper=upper)

    return call


def _torch_lq(output: int) -> Callable[..., Any]:
    def call(a: Any) -> Any:
        import torch

        return torch.linalg.qr(a.mT)[output].mT

    return call


_FACTORIZATIONS = [
    row("cholesky", _symmetric(factorizations.cholesky), _SPD, torch=_linalg("cholesky")),
    row("solve_lower", _solve(True), _LOWER, _random(3, 2), torch=_torch_solve(False)),
    row("solve_upper", _solve(False), _LOWER.T, _random(3, 2), torch=_torch_solve(True)),
    row("solve_batch", _solve(True), _SPD, _random(2, 3, 4), torch=None),
    row("trsm_right", mxnet("_linalg_trsm", rightside=True, alpha=2.0), _LOWER, _random(2, 3)),
    row("trmm", mxnet("_linalg_trmm", transpose=True), _LOWER, _random(3, 2)),
    row("potri", mxnet("_linalg_potri"), _LOWER),
    row("potri_upper", mxnet("_linalg_potri", lower=False), _LOWER.T),
    row("potrf_upper", _symmetric(mxnet("_linalg_potrf", lower=False)), _SPD,
        torch=lambda x: _linalg("cholesky")(x).mT),
    row("inverse", lambda g, x: factorizations.inverse(g, x), _SQUARE, torch=_linalg("inv")),
    row("det", lambda g, x: factorizations.determinant(g, x)[0], _SQUARE, torch=_linalg("det")),
    row("logdet", lambda g, x: factorizations.determinant(g, x)[2], _SQUARE, torch=_linalg("slogdet", 1)),
    row("lq_q", lambda g, x: factorizations.lq(g, x)[0], _C, torch=_torch_lq(0)),
    row("lq_l", lambda g, x: factorizations.lq(g, x)[1], _C, torch=_torch_lq(1)),
    row("eigenvalues", _symmetric(factorizations.eigen, 1), _SPD, torch=_linalg("eigvalsh")),
    row("eigenvectors", _symmetric(factorizations.eigen, 0), _SPD),
    row("extracttrian", mxnet("_linalg_extracttrian", lower=False), _SQUARE),
    row("maketrian", mxnet("_linalg_maketrian", offset=1), _random(2, 6)),
    row("extractdiag", mxnet("_linalg_extractdiag", offset=-1), _SQUARE),
    row("makediag", mxnet("_linalg_makediag", offset=1), _random(2, 3)),
    row("sumlogdiag", mxnet("_linalg_sumlogdiag"), _SPD),
]
_ALL = [*_PRODUCTS, *_FACTORIZATIONS]


@pytest.mark.parametrize("slope", _ALL)
def test_first_derivative(slope: Slope) -> None:
    check_first(slope)


@pytest.mark.parametrize("slope", _ALL)
def test_second_derivative(slope: Slope) -> None:
    check_second(slope)


@pytest.mark.parametrize("slope", [r for r in _ALL if r.values[0].torch is not None])
def test_as_in_torch(slope: Slope) -> None:
    check_torch(slope)


def test_onnx_det() -> None:
    """ONNX's Det is float32 only in ONNX Runtime; its slope at a singular matrix is zero, as in MXNet."""
    x = np.stack([_SQUARE[0], np.ones((3, 3))])
    (found,) = gradients(lambda g, v: g.op("Det", v), [x])
    np.testing.assert_allclose(found[0], np.linalg.det(x[0]) * np.linalg.inv(x[0]).T, rtol=1e-12)
    np.testing.assert_array_equal(found[1], np.zeros((3, 3)))


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ii->i", [(3, 3)]),
        ("iji->j", [(3, 2, 3)]),
        ("iii", [(2, 2, 2)]),
        ("...i->...", [(2, 3, 3)]),
        ("...ij,...jk->...ik", [(4, 1, 2, 3), (1, 5, 3, 2)]),
        ("i...,...i", [(2, 3), (3, 2)]),
        ("...ii,ij->...j", [(2, 3, 3), (3, 2)]),
    ],
)
def test_einsum_with_repeated_and_shared_indices(equation: str, shapes: list[tuple[int, ...]]) -> None:
    slope = Slope(_einsum(equation)[0], tuple(_random(*s) for s in shapes))
    check_first(slope)
    check_second(slope)


_N = 40
_BIG, _BIG_SPD = _random(2, _N, _N), _positive(2, _N, _N)
_PRECISION: dict[str, tuple[Callable[..., Any], Any, Callable[..., Any]]] = {
    "cholesky": (factorizations.cholesky, _BIG_SPD, np.linalg.cholesky),
    "inverse": (factorizations.inverse, _BIG_SPD, np.linalg.inv),
    "sign": (lambda g, x: factorizations.determinant(g, x)[1], _BIG, lambda x: np.linalg.slogdet(x)[0]),
    "log": (lambda g, x: factorizations.determinant(g, x)[2], _BIG, lambda x: np.linalg.slogdet(x)[1]),
    "eigenvalues": (lambda g, x: factorizations.eigen(g, x)[1], _BIG_SPD, np.linalg.eigvalsh),
    "eigenvectors": (lambda g, x: _rebuilt(g, *factorizations.eigen(g, x)), _BIG_SPD, lambda x: x),
    "orthogonal": (lambda g, x: _gram(g, factorizations.eigen(g, x)[0]), _BIG_SPD, lambda x: _ones(x)),
    "lq": (lambda g, x: matmul(g, *factorizations.lq(g, x)[::-1]), _BIG[:, :25], lambda x: x),
    "lq_orthogonal": (lambda g, x: _gram(g, factorizations.lq(g, x)[0]), _BIG[:, :25], lambda x: _ones(x)),
}  # fmt: skip


def _rebuilt(g: Builder, vectors: Tensor, values: Tensor) -> Tensor:
    scaled = vectors * g.unsqueeze(values, values.ndim)
    return g.op("MatMul", factorizations.swap(g, vectors), scaled)


def _gram(g: Builder, rows: Tensor) -> Tensor:
    return g.op("MatMul", rows, factorizations.swap(g, rows))


def _ones(x: Any) -> Any:
    return np.broadcast_to(np.eye(x.shape[-2]), (*x.shape[:-1], x.shape[-2]))


@pytest.mark.parametrize("dims", [None, ("b", "n", "n")], ids=["static", "symbolic"])
@pytest.mark.parametrize("name", _PRECISION)
def test_precision(name: str, dims: tuple[str, ...] | None) -> None:
    """Matrices of size 40, against NumPy; one program for all sizes where the algorithm allows that."""
    build, x, expected = _PRECISION[name]
    if dims is not None and ("eigen" in name or name == "orthogonal"):
        dims = ("b", *x.shape[1:])  # its schedule of rotations needs the size
    elif dims is not None and x.shape[1] != x.shape[2]:
        dims = ("b", "m", "n")
    g = Builder()
    shape = x.shape if dims is None else [Dim.symbol(d) if isinstance(d, str) else d for d in dims]
    program = finish(g, [build(g, g.input("x", np.float64, shape))], names=["y"])
    session = onnxruntime.InferenceSession(
        program.model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected(x), rtol=1e-10, atol=1e-11)


_EIGEN_CASES = {
    "one": [[3.0]],
    "diagonal": np.diag([3.0, -1.0, 2.0]),
    "equal": np.eye(4) * 2.0,
    "zero": np.zeros((3, 3)),
    "repeated": [[2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]],
    "far_apart": [[1e8, 1.0], [1.0, 1e-8]],
    "five": np.minimum(np.arange(5)[:, None], np.arange(5)) + 1.0,
}


@pytest.mark.parametrize("name", _EIGEN_CASES)
def test_eigenvalues(name: str) -> None:
    """Corner cases: sizes 1 and odd, equal eigenvalues, zero, large ratios."""
    x = np.array(_EIGEN_CASES[name])
    g = Builder()
    vectors, values = factorizations.eigen(g, g.input("x", np.float64, x.shape))
    u, w = run(finish(g, [vectors, values], names=["u", "w"]), [x])
    np.testing.assert_allclose(w, np.linalg.eigvalsh(x), rtol=1e-13, atol=1e-15 * np.abs(x).max())
    np.testing.assert_allclose(u @ u.T, np.eye(len(x)), atol=1e-14)
    np.testing.assert_allclose(u.T @ np.diag(w) @ u, x, rtol=1e-13, atol=1e-14 * np.abs(x).max())
    assert all(r[np.abs(r).argmax()] > 0 for r in u)


def test_equal_eigenvalues_have_finite_slopes() -> None:
    (found,) = gradients(lambda g, x: factorizations.eigen(g, x)[0], [np.eye(3)])
    assert np.isfinite(found).all()
