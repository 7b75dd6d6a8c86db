"""Ten updates by every optimizer against real MXNet, and what optimizers share."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import nd, optimizer
from gluon_onnx.ndarray import NDArray, _internal
from tests.golden import store
from tests.optimizer import rows

_TOLERANCE = {"float16": 2e-3, "float32": 2e-5, "float64": 1e-7}


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    """MXNet's answers by the run's id and the array's name."""
    return store.read("optimizers")[0]


@pytest.mark.parametrize("run", rows.RUNS, ids=lambda run: run.id)
def test_like_mxnet(run: rows.Run, golden: dict[str, np.ndarray]) -> None:
    """Weights after the first and the last of ten updates, and the states then."""
    found = rows.execute(mx, run)
    expected = {k.partition("|")[2]: v for k, v in golden.items() if k.startswith(f"{run.id}|")}
    assert sorted(found) == sorted(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        tolerance = _TOLERANCE[run.dtype]
        np.testing.assert_allclose(found[name], value, tolerance, tolerance, err_msg=name)


@pytest.mark.parametrize(
    ("name", "function", "width"),
    [
        ("adagrad_update", _internal._sparse_adagrad_update, 3),
        ("group_adagrad_update", _internal._contrib_group_adagrad_update, 1),
    ],
)
def test_sparse_updates(name: str, function: Any, width: int, golden: dict[str, np.ndarray]) -> None:
    """Updates that MXNet has for sparse gradients: rows of zeros stay as they are."""
    weight, grad, history = (nd.array(a) for a in rows.sparse_arrays(width))
    function(weight, grad, history, out=weight, lr=0.1, rescale_grad=0.5, clip_gradient=0.4)
    np.testing.assert_allclose(weight.asnumpy(), golden[f"sparse|{name}|weight"], 1e-6)
    np.testing.assert_allclose(history.asnumpy(), golden[f"sparse|{name}|history"], 1e-6)


@pytest.mark.parametrize("half", [False, True])
def test_nag_decay(half: bool) -> None:
    """NAG with weight decay by its formula; MXNet, which updates in place, decays the momentum by the new weight."""
    run = rows.Run("NAG", dtype="float16" if half else "float32")
    o = optimizer.NAG(learning_rate=0.1, momentum=0.9, wd=0.1, clip_gradient=0.5, multi_precision=half)
    updater = optimizer.get_updater(o)
    found = nd.array(run.weights()[0], dtype=run.dtype)
    w = run.weights()[0].astype(np.float64)
    momentum = np.zeros_like(w)
    for step in range(5):
        updater(0, nd.array(run.gradients(step)[0], dtype=run.dtype), found)
        g = np.clip(run.gradients(step)[0].astype(np.float64), -0.5, 0.5) + 0.1 * w
        momentum = 0.9 * momentum - 0.1 * g
        w = w + 0.9 * momentum - 0.1 * g
    master = updater.states[0][1] if half else found
    np.testing.assert_allclose(master.asnumpy(), w, 1e-5)


def _adamw(steps: int, correct: bool, wd: float) -> np.ndarray:
    """AdamW by its paper, in float64."""
    run = rows.Run("AdamW")
    w, mean, var = run.weights()[0].astype(np.float64), np.zeros((4, 3)), np.zeros((4, 3))
    for t in range(1, steps + 1):
        g = run.gradients(t)[0].astype(np.float64)
        mean, var = 0.9 * mean + 0.1 * g, 0.999 * var + 0.001 * g * g
        rate = 0.01 * (math.sqrt(1 - 0.999**t) / (1 - 0.9**t) if correct else 1)
        w = w - rate * mean / (np.sqrt(var) + 1e-6) - 0.01 * wd * w
    return w


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("wd", [0.0, 0.1])
@pytest.mark.parametrize("correct", [False, True])
def test_adamw(correct: bool, wd: float, half: bool) -> None:
    """AdamW, which MXNet 1.9.1 has as an operator only."""
    run = rows.Run("AdamW", dtype="float16" if half else "float32")
    settings = {"learning_rate": 0.01, "wd": wd, "correct_bias": correct, "multi_precision": half}
    updater = optimizer.get_updater(optimizer.contrib.AdamW(**settings))
    w = nd.array(run.weights()[0], dtype=run.dtype)
    for t in range(1, 6):
        updater(0, nd.array(run.gradients(t)[0], dtype=run.dtype), w)
    master = updater.states[0][0] if half else w
    np.testing.assert_allclose(master.asnumpy(), _adamw(5, correct, wd), 5e-5)
    np.testing.assert_array_equal(w.asnumpy(), master.asnumpy().astype(run.dtype))


def test_adamw_overflow() -> None:
    """A gradient scale that is not finite leaves everything as it was."""
    updater = optimizer.get_updater(optimizer.contrib.AdamW(rescale_grad=math.inf, wd=0.1))
    w = nd.ones((3,))
    updater(0, nd.ones((3,)), w)
    np.testing.assert_array_equal(w.asnumpy(), np.ones(3))
    np.testing.assert_array_equal(updater.states[0][0].asnumpy(), np.zeros(3))


def test_dcasgd_momentum() -> None:
    """DCASGD with momentum, for which MXNet asks an array whether it is true and fails."""
    updater = optimizer.get_updater(optimizer.DCASGD(learning_rate=0.1, momentum=0.9, lamda=0.5, wd=0.05))
    run = rows.Run("DCASGD")
    w = run.weights()[0].astype(np.float64)
    found, momentum, before = nd.array(w), np.zeros_like(w), w
    for step in range(4):
        g = run.gradients(step)[0]
        updater(0, nd.array(g), found)
        momentum = 0.9 * momentum - 0.1 * (g + 0.05 * w + 0.5 * g * g * (w - before))
        before, w = w, w + momentum
    np.testing.assert_allclose(found.asnumpy(), w, 1e-5)


def test_sgld_noise() -> None:
    """SGLD moves by half a step plus noise of variance `learning_rate`."""
    mx.random.seed(3)
    updater = optimizer.get_updater(optimizer.SGLD(learning_rate=0.04, wd=0.5, rescale_grad=2.0))
    w = nd.ones((200, 200))
    updater(0, nd.ones((200, 200)), w)
    moved = w.asnumpy() - (1 - 0.02 * (2.0 + 0.5))
    assert abs(moved.mean()) < 5 * 0.2 / 200
    assert abs(moved.std() - 0.2) < 5 * 0.2 / (200 * math.sqrt(2))


def test_gradient_is_kept() -> None:
    """No optimizer changes the gradient (MXNet's AdaDelta multiplies it in place)."""
    for kind in ("AdaDelta", "SGD", "Nadam", "DCASGD"):
        updater = optimizer.get_updater(optimizer.create(kind, rescale_grad=0.5, clip_gradient=0.1))
        grad = nd.ones((3,))
        updater(0, grad, nd.ones((3,)))
        np.testing.assert_array_equal(grad.asnumpy(), np.ones(3))


def test_lbsgd_adds_up() -> None:
    """Gradients that come in one buffer are added up (MXNet adds the buffer to itself)."""
    updater = optimizer.get_updater(optimizer.LBSGD(learning_rate=1.0, batch_scale=2, warmup_epochs=0))
    w, grad = nd.zeros((2,)), nd.array([1, 2])
    updater(0, grad, w)
    np.testing.assert_array_equal(w.asnumpy(), [0, 0])
    grad[:] = nd.array([3, 6])
    updater(0, grad, w)
    np.testing.assert_array_equal(w.asnumpy(), [-4, -8])  # the mean (2, 4) times batch_scale


# -- what optimizers share -----------------------------------------------------------------------------------


class _Parameter:
    lr_mult = 3.0
    wd_mult = 0.5


class _Named:
    """The attributes of a symbol that an optimizer reads."""

    def attr_dict(self) -> dict[str, dict[str, str]]:
        return {"a_weight": {"__lr_mult__": "2", "__wd_mult__": "0.25"}, "other": {}}

    def list_arguments(self) -> list[str]:
        return ["a_weight", "a_bias"]


def test_multipliers() -> None:
    """Multipliers come from parameters, indices and names, in that order; nameless weights decay, biases do not."""
    names = {0: "a_weight", 1: "a_bias", 2: "a_gamma", 3: "b_weight"}
    o = optimizer.SGD(learning_rate=0.1, wd=0.2, param_idx2name=names, param_dict={3: _Parameter()})
    o.set_lr_mult({"a_weight": 10.0, 1: 4.0})
    assert o._get_lrs([0, 1, 2, 3, 9]) == pytest.approx([1.0, 0.4, 0.1, 0.3, 0.1])
    assert o._get_wds([0, 1, 2, 3, 9]) == pytest.approx([0.2, 0.0, 0.2, 0.1, 0.2])
    o.set_wd_mult({"a_bias": 2.0})
    assert o._get_wd(1) == pytest.approx(0.4)


def test_symbol_multipliers() -> None:
    """A symbol's attributes set multipliers of its arguments."""
    o = optimizer.SGD(learning_rate=0.1, wd=0.2, param_idx2name={0: "a_weight", 1: "a_bias"}, sym=_Named())
    assert o._get_lrs([0, 1]) == pytest.approx([0.2, 0.1])
    assert o._get_wds([0, 1]) == pytest.approx([0.05, 0.0])


def test_lars_gamma() -> None:
    """With LARS scales of normalizations do not decay either."""
    assert optimizer.LARS(wd=0.1, param_idx2name={0: "a_gamma"})._get_wd(0) == 0


def test_learning_rate() -> None:
    """The learning rate is 0.01, the one given, or the scheduler's, which cannot be set."""
    assert optimizer.SGD().learning_rate == 0.01
    o = optimizer.SGD(learning_rate=0.5)
    o.set_learning_rate(0.25)
    assert o.learning_rate == 0.25
    scheduler = mx.lr_scheduler.FactorScheduler(step=1, factor=0.5, base_lr=0.3)
    o = optimizer.SGD(lr_scheduler=scheduler)
    assert o.learning_rate == 0.3
    with pytest.raises(UserWarning, match="lr_scheduler"):
        o.set_learning_rate(1.0)
    with pytest.raises(DeprecationWarning, match="set_lr_mult"):
        o.set_lr_scale({})


def test_learning_rate_and_scheduler() -> None:
    """A learning rate replaces the scheduler's, with a warning."""
    scheduler = mx.lr_scheduler.FactorScheduler(step=1, base_lr=0.3)
    with pytest.warns(UserWarning, match="replaces the scheduler's base_lr"):
        o = optimizer.SGD(learning_rate=0.2, lr_scheduler=scheduler)
    assert o.learning_rate == 0.2


def test_counts() -> None:
    """Updates are counted by weight and device; the most advanced weight is what schedulers see."""
    o = optimizer.SGD(begin_num_update=5)
    o._update_count([0, 1])
    o._update_count(0)
    assert o.num_update == 7
    o._set_current_context(1)
    o._update_count(0)
    assert o._index_update_count == {0: 6}
    assert o._all_index_update_counts == {0: {0: 7, 1: 6}, 1: {0: 6}}


def test_half_precision_warns() -> None:
    """An optimizer that works in float16 says so."""
    with pytest.warns(UserWarning, match="multi_precision=True"):
        state = optimizer.SGD(momentum=0.9).create_state_multi_precision(0, nd.ones((2,), dtype="float16"))
    assert state.dtype == np.float16


def test_registry() -> None:
    """Optimizers are found by name in any case; a name used again warns."""

    @optimizer.register
    class Twice(optimizer.Optimizer):
        def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
            weight -= 2 * grad

    try:
        w = nd.ones((2,))
        optimizer.get_updater(optimizer.create("TWICE"))(0, nd.ones((2,)), w)
        np.testing.assert_array_equal(w.asnumpy(), [-1, -1])
        with pytest.warns(UserWarning, match="replaces"):
            optimizer.Optimizer.register(Twice)
    finally:
        del optimizer.Optimizer.opt_registry["twice"]
    with pytest.raises(ValueError, match=r"cannot find an optimizer 'twice'; there are .*adam"):
        optimizer.create("twice")


def test_user_optimizer_in_half_precision() -> None:
    """An optimizer of the user's gets the copy in float32, and the weight follows it."""

    class Plain(optimizer.Optimizer):
        def create_state(self, index: Any, weight: NDArray) -> NDArray:
            return nd.zeros(weight.shape, dtype=weight.dtype)

        def update(self, index: Any, weight: NDArray, grad: NDArray, state: NDArray) -> None:
            assert weight.dtype == grad.dtype == state.dtype == np.float32
            state += grad
            weight -= 1e-4 * state

    updater = optimizer.get_updater(Plain(multi_precision=True))
    w = nd.ones((2,), dtype="float16")
    for _ in range(10):
        updater(0, nd.ones((2,), dtype="float16"), w)
    np.testing.assert_allclose(updater.states[0][0].asnumpy(), np.full(2, 1 - 55e-4), 1e-6)
    np.testing.assert_array_equal(w.asnumpy(), np.full(2, 1 - 55e-4, np.float32).astype(np.float16))


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: optimizer.Optimizer().update(0, None, None, None), TypeError, "must define update"),
        (lambda: optimizer.SGD(param_idx2name=["a"]), TypeError, "param_idx2name: expected a dict"),
        (lambda: optimizer.SGD(momentun=1), TypeError, "momentun"),
        (
            lambda: optimizer.contrib.GroupAdaGrad().create_state(0, nd.ones((2,))),
            ValueError,
            "shape \\(2,\\)",
        ),
    ],
)
def test_refused(act: Any, error: type[Exception], message: str) -> None:
    """Mistakes and what they are answered with."""
    with pytest.raises(error, match=message):
        act()


def test_group_adagrad_refuses_decay() -> None:
    """GroupAdaGrad has no weight decay."""
    updater = optimizer.get_updater(optimizer.contrib.GroupAdaGrad(wd=0.1))
    with pytest.raises(ValueError, match="no weight decay"):
        updater(0, nd.ones((2, 2)), nd.ones((2, 2)))


def test_rates_do_not_compile() -> None:
    """Rates that change every step compile nothing, except that zero and other values are different programs."""
    from gluon_onnx.ndarray import dispatch

    updater = optimizer.get_updater(optimizer.Adam(wd=0.1))
    w, g = nd.ones((3, 2)), nd.ones((3, 2))
    updater(0, g, w)
    functions = len(dispatch._functions)
    for step in range(20):
        updater.optimizer.set_learning_rate(0.1 / (step + 1))
        updater.optimizer.wd = 0.01 * (step + 1)
        updater.optimizer.rescale_grad = 1 / (step + 1)
        updater(0, g, w)
    assert len(dispatch._functions) == functions


def test_copy() -> None:
    """A copy of an optimizer counts by itself."""
    o = optimizer.Adam(param_dict={0: _Parameter()})
    o._update_count(0)
    twin = copy.deepcopy(o)
    twin._update_count(0)
    assert (o.num_update, twin.num_update) == (1, 2)
    assert twin.param_dict == {}
