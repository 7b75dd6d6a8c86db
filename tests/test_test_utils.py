"""What the checks of `test_utils` accept and refuse. Tolerances and defaults are MXNet 1.9.1's."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

import gluon_onnx as mx
from gluon_onnx import nd, sym
from gluon_onnx import test_utils as tu

X = np.array([[0.5, -1.25, 2.0], [3.0, 0.25, -0.75]], np.float32)
Y = np.array([[1.5, 0.5, -1.0], [2.0, -0.25, 0.75]], np.float32)


# -- tolerances and comparisons ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "rtol", "atol", "step"),
    [("float16", 1e-2, 1e-1, 2**-6), ("float32", 1e-4, 1e-3, 2**-9), ("float64", 1e-5, 1e-20, 2**-14),
     ("int32", 0, 0, None), ("uint8", 0, 0, None), ("bool", 0, 0, None)],
)  # fmt: skip
def test_default_tolerances(dtype: str, rtol: float, atol: float, step: float | None) -> None:
    key = np.dtype(dtype)
    assert (tu.default_rtols()[key], tu.default_atols()[key], tu.default_numeric_eps().get(key)) == (rtol, atol, step)
    assert (tu.get_rtol(dtype=key), tu.get_atol(dtype=key)) == (rtol, atol)
    x = np.zeros(2, dtype)
    assert tu.get_tols(x, x, None, None) == (rtol, atol)
    assert tu.get_tols(x, x, 0.5, {key: 0.25}) == (0.5, 0.25)


def test_tolerances_of_two_types_are_the_larger_ones() -> None:
    assert tu.get_tols(np.zeros(1, np.float16), nd.zeros((1,)), None, None) == (1e-2, 1e-1)
    assert tu.get_tols(1.0, 1, None, {np.float64: 7, np.int64: 8}) == (1e-5, 8)
    assert (tu.get_rtol(), tu.get_atol(), tu.get_etol(), tu.get_etol(0.5)) == (1e-5, 1e-20, 0, 0.5)
    with pytest.raises(KeyError, match="complex64"):
        tu.get_tols(np.zeros(1, np.complex64), np.zeros(1, np.complex64), None, None)


def with_(x: np.ndarray[Any, Any], *values: float) -> np.ndarray[Any, Any]:
    result = x.copy()
    result.flat[: len(values)] = values
    return result


@pytest.mark.parametrize(
    ("a", "b", "options"),
    [
        (X, X, {}),
        (nd.array(X), X, {}),
        (X, nd.array(X), {}),
        (X * (1 + 5e-5), X, {}),
        (X + 5e-4, X, {}),
        (X + 0.2, X, {"atol": 0.21}),
        (X, X.astype(np.float16), {}),
        (with_(X, np.inf), with_(X, np.inf), {}),
        (with_(X, np.nan), with_(X, np.nan), {"equal_nan": True}),
        (np.float32(2), 2.0, {}),
        (X, X[:1] * 0 + X, {}),
        (np.ones((2, 3)), np.ones((1, 3)), {}),
        (np.array([True, False]), np.array([True, False]), {}),
    ],
)
def test_almost_equal(a: Any, b: Any, options: dict[str, Any]) -> None:
    tu.assert_almost_equal(a, b, **options)


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        (X + 1.25e-3, X, {}, r"mismatch 83\.3"),
        (with_(X, 0.75), X, {}, r"mismatch 16\.66.*Location of maximum error: \(0, 0\), a=0\.75.*, b=0\.5"),
        (with_(X, 0.5, 0.0), nd.array(X), {"names": ("one", "two")}, r"\(0, 1\), one=0\.0+, two=-1\.25"),
        (with_(X, np.nan), X, {}, r"mismatch 16\.66.*a=nan"),
        (with_(X, np.nan), with_(X, np.nan), {}, r"a=nan, b=nan"),
        (with_(X, np.inf), with_(X, -np.inf), {}, r"a=inf, b=-inf"),
        (np.ones((2, 3)), np.ones((1, 3)), {"use_broadcast": False}, r"shapes differ: a\.shape = \(2, 3\)"),
        (np.ones((2, 3)), np.ones((2, 4)), {}, r"shapes do not fit: a has \(2, 3\), b has \(2, 4\)"),
        (np.array([1, 2]), np.array([1, 3]), {}, r"Error .*exceeds tolerance rtol=0\.0+e\+00"),
        (np.array([True]), np.array([False]), {}, "True"),
    ],
)
def test_not_almost_equal(a: Any, b: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=f"(?s){message}"):
        tu.assert_almost_equal(a, b, **options)


def test_the_worst_element_is_named_and_others_listed() -> None:
    with pytest.raises(AssertionError) as caught:
        tu.assert_almost_equal(np.arange(5.0) + [0, 1, 0, 2, 2], np.arange(5.0), mismatches=(2, 10))
    lines = str(caught.value).splitlines()
    assert lines[1] == "Location of maximum error: (1,), a=2.00000000, b=1.00000000"  # by tolerance: relative to b
    assert [line[:24] for line in lines[2:4]] == ["Location of error: (1,),", "Location of error: (3,),"]
    assert "(4,)" not in "".join(lines)


def test_find_max_violation() -> None:
    assert tu.find_max_violation(X, X, 1e-5, 0) == ((0, 0), 0.0)
    index, times = tu.find_max_violation(np.array([1.0, 2.2]), np.array([1.0, 2.0]), 0.0, 0.1)
    assert index == (1,) and times == pytest.approx(2.0)


@pytest.mark.parametrize(("rtol", "atol", "expected"), [(None, None, False), (1e-3, 0.0, True), (0.0, 1e-4, True)])
def test_almost_equal_has_the_defaults_of_float64(rtol: float | None, atol: float | None, expected: bool) -> None:
    assert tu.almost_equal(np.array([1.00005]), np.array([1.0]), rtol, atol) is expected


def test_a_fraction_may_be_off() -> None:
    a, b = np.zeros(10), np.zeros(10)
    a[3] = 1
    tu.assert_almost_equal_with_err(a, b, etol=0.1)
    with pytest.raises(AssertionError, match=r"10.0+% of the elements are off, etol allows 5"):
        tu.assert_almost_equal_with_err(a, b, etol=0.05)
    with pytest.raises(AssertionError, match="exceeds tolerance"):
        tu.assert_almost_equal_with_err(a, b)


def test_ignored_nan() -> None:
    tu.assert_almost_equal_ignore_nan(with_(X, np.nan), with_(X, 0.5, np.nan))
    with pytest.raises(AssertionError):
        tu.assert_almost_equal_ignore_nan(with_(X, np.nan), with_(X, 1.0, 1.0))


def test_same_and_same_array() -> None:
    x = nd.array(X)
    assert tu.same(X, x) and not tu.same(X, X[0]) and not tu.same(X, Y)
    assert tu.same_array(x, x.reshape((3, 2)).reshape((2, 3)))
    assert not tu.same_array(x, x.copy())
    assert tu.same(x, X)


def test_assert_exception() -> None:
    tu.assert_exception(int, ValueError, "x")
    with pytest.raises(AssertionError, match="int did not raise ValueError"):
        tu.assert_exception(int, ValueError, "1")
    with pytest.raises(TypeError):
        tu.assert_exception(int, ValueError, [])


def test_nested_tuples() -> None:
    x, y = nd.array(X), nd.array(Y)
    tu.compare_ndarray_tuple((x, (y, None)), (X, (Y, x)))
    tu.compare_ndarray_tuple(None, x)
    with pytest.raises(AssertionError, match="exceeds"):
        tu.compare_ndarray_tuple((x, (y,)), (X, (X,)))
    with pytest.raises(AssertionError, match="tuples of 1 and 2"):
        tu.compare_ndarray_tuple((x,), (x, x))


def test_symbol_structure() -> None:
    a, b = sym.var("a"), sym.var("b")
    assert tu.same_symbol_structure(sym.sin(a) + b, sym.sin(b) + a)
    assert not tu.same_symbol_structure(sym.sin(a) + b, sym.cos(a) + b)
    assert not tu.same_symbol_structure(sym.sin(a), sym.sin(sym.sin(a)))


# -- checks of symbols -------------------------------------------------------------------------------------


def product(name: str = "out") -> Any:
    return sym.broadcast_mul(sym.sin(sym.var("a")), sym.var("b"), name=name)


def test_simple_forward() -> None:
    np.testing.assert_allclose(tu.simple_forward(product(), a=X, b=Y), np.sin(X) * Y, rtol=1e-6)
    a = sym.var("a")
    both = tu.simple_forward(sym.Group([a, sym.cos(a)]), a=X)
    assert len(both) == 2 and tu.same(both[0], X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "asnumpy"])
@pytest.mark.parametrize("form", [list, dict])
def test_check_symbolic_forward(form: type, dtype: Any) -> None:
    s = product()
    location, expected = ([X, Y], [np.sin(X) * Y])
    if form is dict:
        outputs = tu.check_symbolic_forward(s, {"b": Y, "a": X}, {"out_output": expected[0]}, dtype=dtype)
    else:
        outputs = tu.check_symbolic_forward(s, location, expected, dtype=dtype)
    assert outputs[0].dtype == (np.float64 if dtype is np.float64 else np.float32)
    with pytest.raises(AssertionError, match=r"EXPECTED_.*, FORWARD_.*"):
        tu.check_symbolic_forward(s, location, [expected[0] + 0.1], dtype=dtype)


@pytest.mark.parametrize("location", [{"a": X}, {"a": X, "c": Y}, [X, Y, X]], ids=["few", "other", "many"])
def test_values_that_do_not_fit_the_symbol(location: Any) -> None:
    with pytest.raises(ValueError, match="arguments"):
        tu.check_symbolic_forward(product(), location, [X])
    with pytest.raises(ValueError, match="dtype: expected float16, float32"):
        tu.check_symbolic_forward(product(), [X, Y], [X], dtype=np.int32)


HEAD = np.array([[1.0, 2.0, -1.0], [0.5, 3.0, 1.0]], np.float32)
EXPECTED = {"a": HEAD * Y * np.cos(X), "b": HEAD * np.sin(X)}


@pytest.mark.parametrize("request_", ["write", "add", "null", ["add", "write"], {"a": "null", "b": "add"}], ids=str)
def test_check_symbolic_backward(request_: Any) -> None:
    tu.check_symbolic_backward(product(), [X, Y], [HEAD], EXPECTED, grad_req=request_)


@pytest.mark.parametrize("heads", [{"out_output": HEAD}, [nd.array(HEAD)]], ids=["by name", "arrays"])
def test_head_gradients(heads: Any) -> None:
    grads = tu.check_symbolic_backward(product(), [X, Y], heads, [EXPECTED["a"], EXPECTED["b"]])
    np.testing.assert_allclose(grads["b"].asnumpy(), EXPECTED["b"], rtol=1e-5)


@pytest.mark.parametrize("request_", ["write", "add"])
def test_check_symbolic_backward_fails(request_: str) -> None:
    with pytest.raises(AssertionError, match=r"EXPECTED_b=.*, BACKWARD_b="):
        wrong = {**EXPECTED, "b": EXPECTED["b"] * 1.01}
        tu.check_symbolic_backward(product(), [X, Y], [HEAD], wrong, grad_req=request_)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("nodes", [None, ["b"], {"a": "add", "b": "write"}], ids=str)
def test_check_numeric_gradient(nodes: Any, dtype: Any) -> None:
    tu.check_numeric_gradient(product(), {"a": X, "b": Y}, grad_nodes=nodes, dtype=dtype)


def test_check_numeric_gradient_fails() -> None:
    """BlockGrad has a gradient of zero, which is not that of its values."""
    with pytest.raises(AssertionError, match=r"NUMERICAL_a=.*, BACKWARD_a=0.0"):
        tu.check_numeric_gradient(sym.BlockGrad(sym.var("a")) + sym.var("b"), [X, Y])
    with pytest.raises(ValueError, match="lost in the rounding"):
        tu.check_numeric_gradient(product(), [X, Y], numeric_eps=1e-6)


def test_check_consistency() -> None:
    settings = [{"ctx": mx.cpu(0), "a": (2, 3), "b": (2, 3), "type_dict": {"a": t, "b": t}}
                for t in (np.float32, np.float64)]  # fmt: skip
    truth = tu.check_consistency(product(), settings)
    assert sorted(truth) == ["a", "b", "out_output"] and truth["a"].dtype == np.float64
    s = product()
    with pytest.raises(ValueError, match="differ in their arguments or outputs"):
        tu.check_consistency([s, product("other")], settings)
    with pytest.raises(ValueError, match="two or more"):
        tu.check_consistency(s, settings[:1])
    wrong = {k: v + 1 for k, v in truth.items()}
    with pytest.raises(AssertionError, match=r"prediction of executor 0 \(float32\) against 1 \(float64\)"):
        tu.check_consistency(s, settings, ground_truth=wrong)
    with pytest.warns(UserWarning, match="training of executor 0"):
        tu.check_consistency(s, settings, ground_truth=wrong, raise_on_err=False)


@pytest.mark.parametrize("kind", ["whole", "forward"])
def test_check_speed(kind: str) -> None:
    assert 0 < tu.check_speed(product(), {"a": X, "b": Y}, N=2, typ=kind) < 10
    assert 0 < tu.check_speed(product(), N=2, typ=kind, a=(2, 3), b=(2, 3)) < 10


def test_check_speed_of_something_else() -> None:
    with pytest.raises(ValueError, match="'whole' or 'forward'"):
        tu.check_speed(product(), {"a": X, "b": Y}, typ="backward")


# -- random data -------------------------------------------------------------------------------------------


def test_random_arrays() -> None:
    one = tu.random_arrays((2, 3))
    scalar, many = tu.random_arrays((), (4,))
    assert (one.shape, one.dtype, scalar.shape, many.shape) == ((2, 3), np.float32, (), (4,))
    low = tu.random_uniform_arrays((100,), low=2, high=3, dtype="float64")[0]
    assert low.min() >= 2 and low.max() < 3 and low.dtype == np.float64
    x = tu.rand_ndarray((2, 3), dtype="float64")
    assert x.shape == (2, 3) and x.dtype == np.float64


@pytest.mark.parametrize("stype", ["csr", "row_sparse"])
def test_sparse_arrays_are_refused(stype: str) -> None:
    for make in (tu.rand_ndarray, tu.rand_sparse_ndarray, tu.create_sparse_array):
        with pytest.raises(mx.MXNetError, match=f"'{stype}' is not supported: arrays are dense"):
            make((2, 3), stype)


def test_random_shapes() -> None:
    shapes = [tu.rand_shape_nd(3, 4) for _ in range(200)]
    assert {n for s in shapes for n in s} == {1, 2, 3, 4} and {len(s) for s in shapes} == {3}
    assert {n for _ in range(200) for n in tu.rand_shape_2d(2, 1, allow_zero_size=True)} == {0, 1, 2}
    assert all(a <= 2 and b <= 3 and c <= 4 for a, b, c in (tu.rand_shape_3d(2, 3, 4) for _ in range(50)))
    assert {tu.rand_coord_2d(0, 2, 5, 6) for _ in range(50)} == {(0, 5), (1, 5)}


def test_random_sample() -> None:
    assert sorted(tu.random_sample([1, 2, 3], 3)) == [1, 2, 3] and tu.random_sample([1], 0) == []
    with pytest.raises(ValueError, match="cannot draw 4"):
        tu.random_sample([1, 2, 3], 4)


def test_matrices_with_real_eigenvalues() -> None:
    assert np.isreal(np.linalg.eigvals(tu.new_matrix_with_real_eigvals_nd((3, 4, 4)))).all()
    m = tu.new_sym_matrix_with_real_eigvals_nd((2, 5, 5))
    np.testing.assert_allclose(m, np.swapaxes(m, 1, 2), atol=1e-12)
    q = tu.new_orthonormal_matrix_2d(4)
    np.testing.assert_allclose(q.T @ q, np.eye(4), atol=1e-12)


@pytest.mark.parametrize(("axis", "keepdims"), [(None, False), (1, True), ((0, 2), True), ((-1,), False), (None, True)])
def test_np_reduce(axis: Any, keepdims: bool) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(tu.np_reduce(x, axis, keepdims, np.sum), x.sum(axis, keepdims=keepdims))


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 4), (1, 4), (2, 1, 1), (4,), (1,)])
def test_collapse_sum_like(shape: tuple[int, ...]) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    found = tu.collapse_sum_like(x, shape)
    assert found.shape == shape and found.sum() == x.sum()
    with pytest.raises(ValueError, match="does not broadcast"):
        tu.collapse_sum_like(x, (3, 2))


def test_assign_each() -> None:
    tu.assert_almost_equal(tu.assign_each(X, abs), np.abs(X))
    tu.assert_almost_equal(tu.assign_each2(X, Y, lambda a, b: a - b), X - Y)
    assert tu.assign_each(X, None) is not X and tu.same(tu.assign_each2(X, Y, None), X)
    with pytest.raises(ValueError, match="shapes differ"):
        tu.assign_each2(X, Y[0], max)


def test_small_arrays() -> None:
    np.testing.assert_array_equal(tu.create_2d_tensor(3, 2).asnumpy(), [[0, 0], [1, 1], [2, 2]])
    assert tu.create_vector(4).asnumpy().tolist() == [0, 1, 2, 3]
    assert tu.same(tu.get_identity_mat(2), np.eye(2)) and tu.get_identity_mat_batch(3).shape == (2, 3, 3)


# -- random generators -------------------------------------------------------------------------------------


@pytest.fixture
def stream() -> np.random.Generator:
    return np.random.default_rng(3)


def test_generators_that_fit(stream: np.random.Generator) -> None:
    buckets, probs = tu.gen_buckets_probs_with_ppf(lambda p: scipy.stats.norm.ppf(p, 1, 2), 5)
    assert len(buckets) == 5 and buckets[0][0] == -np.inf and probs == [0.2] * 5
    values = tu.verify_generator(lambda n: stream.normal(1, 2, n), buckets, probs, nsamples=20000)
    assert len(values) == 5
    tu.verify_generator(lambda n: nd.array(stream.integers(0, 3, n)), [0, 1, 2], [1 / 3] * 3, nsamples=20000)
    assert tu.mean_check(lambda n: stream.normal(1, 2, n), 1, 2, 10000)
    assert tu.var_check(lambda n: stream.normal(1, 2, n), 2, 10000)


def test_generators_that_do_not_fit(stream: np.random.Generator) -> None:
    buckets, probs = tu.gen_buckets_probs_with_ppf(scipy.stats.norm.ppf, 5)
    with pytest.raises(AssertionError, match="do not fit the distribution"):
        tu.verify_generator(lambda n: stream.normal(0.1, 1, n), buckets, probs, nsamples=20000)
    with pytest.raises(AssertionError, match="do not fit"):  # a third lies in no bucket
        tu.verify_generator(lambda n: stream.integers(0, 3, n), [0, 1], [0.5, 0.5], nsamples=20000)
    assert not tu.mean_check(lambda n: stream.normal(1.2, 2, n), 1, 2, 10000)
    assert not tu.var_check(lambda n: stream.normal(1, 2.2, n), 2, 10000)


def test_chi_square_is_scipys(stream: np.random.Generator) -> None:
    samples = stream.integers(0, 4, 1000)
    p, observed, expected = tu.chi_square_check(lambda n: samples, [0, 1, 2, 3], [0.25] * 4, nsamples=1000)
    assert p == pytest.approx(scipy.stats.chisquare(np.bincount(samples)).pvalue)
    assert observed.tolist() == np.bincount(samples).tolist() and expected.tolist() == [250] * 4
    with pytest.raises(ValueError, match="ascending"):
        tu.chi_square_check(lambda n: samples, [(0, 2), (1, 3)], [0.5, 0.5])
    with pytest.raises(ValueError, match="2 buckets, 1 prob"):
        tu.chi_square_check(lambda n: samples, [0, 1], [1.0])


# -- surroundings --------------------------------------------------------------------------------------------


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLUON_TEST_A", "old")
    monkeypatch.delenv("GLUON_TEST_B", raising=False)
    with tu.environment({"GLUON_TEST_A": None, "GLUON_TEST_B": "new"}):
        assert "GLUON_TEST_A" not in os.environ and os.environ["GLUON_TEST_B"] == "new"
    assert os.environ["GLUON_TEST_A"] == "old" and "GLUON_TEST_B" not in os.environ
    with pytest.raises(KeyError), tu.environment("GLUON_TEST_B", "1"):
        raise KeyError
    assert "GLUON_TEST_B" not in os.environ
    with tu.EnvManager("GLUON_TEST_A", "x"):
        assert os.environ["GLUON_TEST_A"] == "x"
    assert tu.set_env_var("GLUON_TEST_A", "y") == "old" and tu.set_env_var("GLUON_TEST_B", "z", "none") == "none"
    assert tu.getenv("GLUON_TEST_B") == "z"
    tu.setenv("GLUON_TEST_B", None)
    assert tu.getenv("GLUON_TEST_B") is None
    with pytest.raises(TypeError, match="a name and a value"), tu.environment("GLUON_TEST_A"):
        pass


def test_discard_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with tu.discard_stderr():
        os.write(2, b"lost\n")
        print("lost", file=sys.stderr)
    os.write(2, b"kept\n")
    assert capfd.readouterr().err == "kept\n"


def test_retry() -> None:
    calls: list[int] = []

    @tu.retry(3)
    def flaky(error: type[Exception], until: int) -> None:
        calls.append(len(calls))
        if len(calls) < until:
            raise error

    flaky(AssertionError, 3)
    assert len(calls) == 3
    calls.clear()
    with pytest.raises(AssertionError):
        flaky(AssertionError, 4)
    assert len(calls) == 3
    calls.clear()
    with pytest.raises(KeyError):
        flaky(KeyError, 2)
    assert len(calls) == 1
    with pytest.raises(ValueError, match="at least 1"):
        tu.retry(0)


def test_default_context() -> None:
    with mx.cpu(0):
        tu.set_default_context(mx.cpu(1))
        assert tu.default_context() == mx.cpu(1) and nd.zeros((1,)).context == mx.cpu(1)
        tu.set_default_context(mx.cpu(0))
    assert list(tu.list_gpus()) == list(range(mx.num_gpus()))


def test_facts_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not tu.has_tvm_ops() and tu.is_op_runnable()
    monkeypatch.setenv("CD_JOB", "1")
    assert tu.is_cd_run()
    monkeypatch.setenv("CD_JOB", "0")
    assert not tu.is_cd_run()


def test_star_import_brings_what_programs_use() -> None:
    names: dict[str, Any] = {}
    exec("from gluon_onnx.test_utils import *", names)
    assert names["mx"] is mx and names["np"] is np and names["rnd"] is np.random
    for used in ("assert_almost_equal", "default_context", "environment", "logging", "npt", "os", "sys", "use_np"):
        assert used in names


def test_downloads_that_are_there_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("x")
    assert tu.download("http://localhost:1/file.txt") == "file.txt"
    assert tu.download("http://localhost:1/other", "file.txt", str(tmp_path)) == str(tmp_path / "file.txt")


@pytest.mark.parametrize("place", [0, 100_000, 199_999])
def test_large_arrays_are_compared_everywhere(place: int) -> None:
    """Large arrays are compared in pieces."""
    a = np.ones(200_000, "float32")
    tu.assert_almost_equal(a, a.copy())
    b = a.copy()
    b[place] = 2
    with pytest.raises(AssertionError, match=rf"Location of maximum error: \({place},\)"):
        tu.assert_almost_equal(a, b)
