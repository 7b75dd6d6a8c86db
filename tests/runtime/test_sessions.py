"""Sessions: how many live, threads and forks that share them, and what their errors say."""

from __future__ import annotations

import gc
import pickle
import re
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import autograd, gluon, nd
from gluon_onnx._runtime import function, session
from gluon_onnx.base import MXNetError
from gluon_onnx.gluon import nn
from gluon_onnx.graph.errors import ExecutionError, UnsupportedOperatorError
from gluon_onnx.ndarray import dispatch

_LARGE = 70000  # elements: more than NumPy kernels serve


# -- how many live ---------------------------------------------------------------------------------------


@pytest.fixture
def few_sessions(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """At most four sessions are alive."""
    session.clear()
    monkeypatch.setattr(session, "_MAX_SESSIONS", 4)
    yield 4
    session.clear()


def test_sessions_are_bounded(few_sessions: int) -> None:
    """Each call makes a session of its own; results are right when one was dropped in between."""
    x = nd.ones((_LARGE,))
    for _ in range(2):
        for k in range(1, 11):
            assert nd.slice_axis(x * 2, axis=0, begin=0, end=k).sum().asscalar() == 2 * k
            assert len(session._live) <= few_sessions


def test_sessions_in_use_stay(few_sessions: int) -> None:
    """What is used all the time is not made anew while others come and go."""
    net = nn.Dense(1, in_units=2)
    net.initialize()
    net.hybridize()
    batch, x = nd.ones((3, 2)), nd.ones((_LARGE,))
    net(batch)
    (inference,) = net._compiled._inferences.values()
    ((executable, *_),) = inference._executables.values()
    made = executable._session
    for k in range(1, 20):
        nd.slice_axis(x, axis=0, begin=0, end=k)
        net(batch)
    assert executable._session is made


def test_dropped_sessions_end(few_sessions: int) -> None:
    """An executable without a session makes it again, and an executable that goes takes its session along."""
    net = nn.Dense(1, in_units=2)
    net.initialize("ones")
    net.hybridize()
    net(nd.ones((3, 2)))
    assert session._live
    session.clear()
    assert not session._live
    assert net(nd.ones((3, 2))).asnumpy().tolist() == [[2]] * 3
    assert len(session._live) == 1
    del net
    gc.collect()
    assert not session._live


def test_operators_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions of operators with their parameters."""
    monkeypatch.setattr(dispatch, "_MAX_FUNCTIONS", 5)
    monkeypatch.setattr(dispatch, "_functions", OrderedDict())
    x = nd.ones((_LARGE,))
    for k in range(1, 20):
        assert nd.slice_axis(x, axis=0, begin=0, end=k).shape == (k,)
        assert len(dispatch._functions) <= 5


def test_signatures_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shapes that a function was called with."""
    monkeypatch.setattr(function, "MAX_SIGNATURES", 3)
    net = nn.HybridLambda(lambda F, x: F.sum(x * x))
    net.hybridize()
    for _ in range(2):
        for n in range(1, 9):
            assert net(nd.ones((n, 2))).asscalar() == 2 * n
    (inference,) = net._compiled._inferences.values()
    assert len(inference._function._exact) <= 3
    assert len(inference._executables) <= 3


# -- threads -----------------------------------------------------------------------------------------------


def _at_once(work: Callable[[int], Any], threads: int = 4) -> list[Any]:
    """The results of `work` on several threads that begin at the same moment."""
    barrier = threading.Barrier(threads)

    def begin(i: int) -> Any:
        barrier.wait()
        return work(i)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(begin, range(threads)))


def _block() -> nn.HybridSequential:
    mx.random.seed(1)
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(
            nn.Dense(8, activation="relu", in_units=5), nn.LayerNorm(in_channels=8), nn.Dense(3, in_units=8)
        )
    net.initialize(mx.init.Xavier())
    return net


@pytest.mark.parametrize("hybrid", [True, False])
def test_threads_share_a_block(hybrid: bool) -> None:
    """Several threads call one block for the first time, with batches of several sizes."""
    net = _block()
    batches = [np.random.RandomState(i).rand(2 + i % 3, 5).astype("float32") for i in range(8)]
    expected = [net(nd.array(x)).asnumpy() for x in batches]
    if hybrid:
        net.hybridize()

    def work(i: int) -> list[np.ndarray]:
        return [net(nd.array(batches[(i + k) % 8])).asnumpy() for k in range(24)]

    for i, results in enumerate(_at_once(work)):
        for k, result in enumerate(results):
            np.testing.assert_allclose(result, expected[(i + k) % 8], rtol=1e-5, atol=1e-6)


def test_threads_call_operators() -> None:
    """Operators that no thread has called before."""

    def work(i: int) -> list[float]:
        x = nd.full((_LARGE + 1,), i)
        return [nd.slice_axis(x * k + i, axis=0, begin=0, end=k).mean().asscalar() for k in range(1, 20)]

    for i, results in enumerate(_at_once(work)):
        assert results == [i * k + i for k in range(1, 20)]


def test_threads_record_by_themselves() -> None:
    """Each thread has its own tape and its own scopes."""
    net = _block()
    net.hybridize()
    net(nd.ones((2, 5)))

    def work(i: int) -> np.ndarray:
        x = nd.full((4, 5), i + 1.0)
        x.attach_grad()
        for _ in range(5):
            assert not autograd.is_recording()
            with autograd.record(), mx.cpu(0), mx.AttrScope(thread=str(i)), mx.name.Prefix(f"t{i}_"):
                y = (net(x) ** 2).sum()
                assert mx.sym.relu(mx.sym.var("x")).name.startswith(f"t{i}_")
                assert mx.sym.var("x").attr("thread") == str(i)
            grads = autograd.grad([y], [x])
        return grads[0].asnumpy()

    together = _at_once(work)
    for i, result in enumerate(together):
        np.testing.assert_allclose(result, work(i), rtol=1e-5)


# -- forks -------------------------------------------------------------------------------------------------

_FORKS = """
import os, sys
import gluon_onnx as mx
from gluon_onnx import nd, autograd
from gluon_onnx.gluon import nn
net = nn.HybridSequential()
net.add(nn.Dense(64, activation="relu"), nn.Dense(1))
net.initialize("ones")
net.hybridize()
big = nd.ones((256, 128))
expected = net(big).asnumpy()
(big * 3).sum()
def work():
    assert (net(big).asnumpy() == expected).all()
    assert (big * 3).sum().asscalar() == 3 * big.size
    with autograd.record():
        loss = net(big).sum()
    loss.backward()
    assert net[0].weight.grad().shape == (64, 128)
children = []
for _ in range(3):
    pid = os.fork()
    if not pid:
        try:
            work()
        except BaseException as e:
            print(repr(e), flush=True)
            os._exit(1)
        os._exit(0)
    children.append(pid)
codes = [os.waitpid(pid, 0)[1] for pid in children]
work()
print("codes", codes)
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system cannot fork")
def test_forks() -> None:
    """Forked processes use what the parent compiled, and the parent goes on."""
    command = [sys.executable, "-W", "ignore", "-c", _FORKS]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (found.stdout, found.stderr, found.returncode) == ("codes [0, 0, 0]\n", "", 0)


# -- errors ------------------------------------------------------------------------------------------------


class Picker(nn.HybridBlock):
    """Takes rows by their numbers, which are known when it runs."""

    def hybrid_forward(self, F: Any, x: Any, i: Any) -> Any:
        return F.gather_nd(x, i)


class Net(nn.HybridBlock):
    """A block with children of several levels."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(3, flatten=False, in_units=4)
            self.picker = Picker()

    def hybrid_forward(self, F: Any, x: Any, i: Any) -> Any:
        return self.picker(self.dense(x), i)


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("hybrid", [False, True])
def test_error_in_a_block(hybrid: bool, recorded: bool, capfd: pytest.CaptureFixture[str]) -> None:
    """The operator, the node and the innermost block; nothing on stderr."""
    net = Net(prefix="net_")
    net.initialize()
    if hybrid:
        net.hybridize()
    good = nd.array([[1]])
    assert net(nd.ones((2, 4)), good).shape == (1, 3)
    with pytest.raises(MXNetError) as caught, autograd.record() if recorded else autograd.pause():
        net(nd.ones((2, 4)), nd.array([[7]]))
    node = ", node 'net_picker0_gather_nd0'" if hybrid else ""
    assert str(caught.value).startswith(
        f"operator gather_nd{node}, block 'net_picker0' (Picker): invalid index found"
    )
    assert isinstance(caught.value, ExecutionError)
    assert capfd.readouterr().err == ""
    assert net(nd.ones((2, 4)), good).shape == (1, 3)


def test_error_in_a_plain_block() -> None:
    """A block that is not hybrid is named too, by the innermost that knows of itself."""

    class Plain(gluon.Block):
        def forward(self, x: Any) -> Any:
            return nd.gather_nd(x, nd.array([[5]]))

    outer = nn.Sequential(prefix="outer_")
    with outer.name_scope():
        outer.add(Plain())
    with pytest.raises(
        MXNetError, match=r"^operator gather_nd, block 'outer_plain0' \(Plain\): invalid index"
    ):
        outer(nd.ones((2, 2)))


def test_error_of_an_operator(capfd: pytest.CaptureFixture[str]) -> None:
    """An operator that is called by itself."""
    with pytest.raises(MXNetError, match=r"^operator broadcast_div: .*[Dd]ivision by zero"):
        nd.array([1, 2], dtype="int32") / nd.array([0, 1], dtype="int32")
    assert capfd.readouterr().err == ""


SHAPES = {
    "sum of two": (
        lambda F, a, b: F.elemwise_add(F.relu(a), b),
        [((2, 3), (2, 3)), ((4, 3), (4, 3))],
        ((5, 3), (4, 3)),
        r"operator elemwise_add \(node 'block_elemwise_add0'\).*'rhs': expected shape \(5, 3\).*, got \(4, 3\)",
    ),
    "the shape of another": (
        lambda F, a, b: F.reshape_like(a, b),
        [((2, 3), (3, 2)), ((4, 3), (3, 4))],
        ((5, 3), (3, 4)),
        r"operator reshape_like \(node 'block_reshape_like0'\).*\(5, 3\) of 'lhs' cannot take the shape \(3, 4\)",
    ),
    "product": (
        lambda F, a, b: F.dot(a, b),
        [((2, 3), (3, 2)), ((4, 5), (5, 4))],
        ((4, 5), (6, 4)),
        r"operator dot \(node 'block_dot0'\).*\(4, 5\).*\(6, 4\)",
    ),
    "rows of four": (
        lambda F, a, b: F.broadcast_add(F.reshape(a, shape=(-1, 4)), b),
        [((2, 4), (1,)), ((2, 6), (1,))],
        ((2, 7), (1,)),
        r"operator Reshape \(node 'block_reshape0'\).*cannot reshape \(2, 7\) to \(-1, 4\)",
    ),
    "joined": (
        lambda F, a, b: F.concat(a, b, dim=0),
        [((2, 4), (3, 4)), ((2, 6), (4, 6))],
        ((2, 7), (3, 6)),
        r"operator Concat \(node 'block_concat0'\).*\(2, 7\).*\(3, 6\)",
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_under_symbolic_dimensions(name: str) -> None:
    """After calls that made sizes symbolic, sizes that do not fit are refused by operator, node and argument."""
    forward, good, bad, message = SHAPES[name]
    net = nn.HybridLambda(forward, prefix="block_")
    net.hybridize()
    for shapes in good:
        net(*map(nd.ones, shapes))
    with pytest.raises(MXNetError, match=message):
        net(*map(nd.ones, bad))
    for shapes in good:
        net(*map(nd.ones, shapes))


def test_error_texts() -> None:
    """Parts that are not known are left out."""
    assert (
        str(ExecutionError("relu", "a0", "why", "block 'b' (B)"))
        == "operator relu, node 'a0', block 'b' (B): why"
    )
    assert str(ExecutionError("relu", "", "why")) == "operator relu: why"
    assert re.fullmatch("why", str(ExecutionError("", "", "why")))


@pytest.mark.parametrize(
    "error",
    [
        ExecutionError("relu", "a0", "why", "block 'b' (B)"),
        UnsupportedOperatorError([("Relo", "n")], ["relu"]),
    ],
    ids=["execution", "operators"],
)
def test_errors_cross_processes(error: Exception) -> None:
    """As those of a DataLoader's workers do."""
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
