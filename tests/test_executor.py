"""Executors: symbols bound to arrays."""

from __future__ import annotations

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import nd, sym


@pytest.mark.parametrize("is_train", [True, False])
def test_backward_follows_any_forward(is_train: bool) -> None:
    """MXNet computes gradients after ``forward(is_train=False)``, too."""
    product = mx.sym.var("a") * mx.sym.var("b")
    a, b = nd.array([1.0, 2.0]), nd.array([3.0, 4.0])
    grads = [nd.zeros(2), nd.zeros(2)]
    executor = product.bind(mx.cpu(), args=[a, b], args_grad=grads)
    (output,) = executor.forward(is_train=is_train)
    executor.backward([nd.array([1.0, 10.0])])
    np.testing.assert_array_equal(output.asnumpy(), [3, 8])
    np.testing.assert_array_equal([g.asnumpy() for g in grads], [[3, 40], [1, 20]])


def test_simple_bind_passes_over_what_is_no_shape() -> None:
    """As in MXNet: ``force_rebind`` is an option of its version 2 that programs for both hand on."""
    symbol = mx.sym.Variable("x") * 2
    executor = symbol.simple_bind(mx.cpu(), x=(2, 3), force_rebind=True)
    assert executor.forward()[0].shape == (2, 3)


def test_outputs_are_the_same_arrays() -> None:
    """A program may keep the outputs: they always hold the results of the last forward, as in MXNet."""
    x = mx.sym.Variable("x")
    executor = mx.sym.Group([x * 2, x + 1]).bind(mx.cpu(), {"x": nd.array([1.0])}, {"x": nd.zeros(1)})
    kept = executor.outputs
    assert executor.forward(is_train=True, x=nd.array([3.0])) is kept
    executor.backward([nd.array([1.0]), nd.array([10.0])])
    assert [y.asscalar() for y in kept] == [6, 4]
    assert executor.grad_dict["x"].asscalar() == 12
    executor.forward(x=nd.array([5.0]))
    assert [y.asscalar() for y in kept] == [10, 6]


def test_reshape_shares_memory() -> None:
    """Smaller inputs and their gradients lie in the memory of the larger ones; parameters are the same arrays."""
    fc = mx.sym.FullyConnected(mx.sym.Variable("x"), num_hidden=4, name="fc")
    large = fc.simple_bind(mx.cpu(), x=(5, 3))
    large.arg_dict["x"][:] = nd.arange(15).reshape((5, 3))
    small = large.reshape(x=(2, 3))
    np.testing.assert_array_equal(small.arg_dict["x"].asnumpy(), [[0, 1, 2], [3, 4, 5]])
    small.arg_dict["x"][:] = -1
    assert (large.arg_dict["x"].asnumpy()[:2] == -1).all()
    assert small.arg_dict["fc_weight"] is large.arg_dict["fc_weight"]
    with pytest.raises(mx.MXNetError, match=r"'x' grows from \(5, 3\) to \(6, 3\)"):
        large.reshape(x=(6, 3))
    larger = large.reshape(x=(6, 3), allow_up_sizing=True)
    assert larger.arg_dict["x"].asnumpy().sum() == 0
    with pytest.raises(mx.MXNetError, match="the shape of 'fc_weight', which was not given, changes"):
        large.reshape(x=(2, 2))


def test_monitor_all() -> None:
    """Names of what a monitor sees, as MXNet gives them: variables, inputs of operators, outputs."""
    x = mx.sym.Activation(mx.sym.Variable("x"), act_type="relu", name="act")
    x = mx.sym.FullyConnected(x, num_hidden=1, no_bias=True, name="fc")
    x = mx.sym.L2Normalization(x, name="norm")
    executor = x.simple_bind(mx.cpu(), x=(2, 2))
    names: list[list[str]] = [[], []]
    for everything in (False, True):
        executor.set_monitor_callback(lambda name, _, to=names[everything]: to.append(name), everything)
        executor.forward()
    assert names == [
        ["act_output", "fc_output", "norm_output"],
        ["x", "act_input0", "act_output", "fc_data", "fc_weight", "fc_weight", "fc_output"]
        + ["norm_data", "norm_output"],
    ]


def test_arrays_of_another_executor() -> None:
    """`simple_bind` with `shared_exec`: all arguments of equal shape, or those that are named."""
    fc = mx.sym.FullyConnected(mx.sym.Variable("x"), num_hidden=4, name="fc")
    one = fc.simple_bind(mx.cpu(), x=(5, 3))
    two = fc.simple_bind(mx.cpu(), x=(2, 3), shared_exec=one)
    assert [a is b for a, b in zip(one.arg_arrays, two.arg_arrays, strict=True)] == [False, True, True]
    assert [a is b for a, b in zip(one.grad_arrays, two.grad_arrays, strict=True)] == [False, True, True]
    three = fc.simple_bind(mx.cpu(), x=(2, 3), shared_exec=one, shared_arg_names=["fc_bias"])
    assert [a is b for a, b in zip(one.arg_arrays, three.arg_arrays, strict=True)] == [False, False, True]
    with pytest.raises(mx.MXNetError, match=r"'x' has shape \(2, 3\) here, but \(5, 3\)"):
        fc.simple_bind(mx.cpu(), x=(2, 3), shared_exec=one, shared_arg_names=["x"])


def test_inference_sees_every_change() -> None:
    """Weights that stay the same become constants after a few calls; any write to them is seen."""
    fc = mx.sym.FullyConnected(mx.sym.Variable("x"), num_hidden=1, name="fc")
    fc = mx.sym.broadcast_add(fc, mx.sym.Variable("shift"))
    executor = fc.simple_bind(mx.cpu(), x=(1, 2), shift=(1, 1))
    arrays = executor.arg_dict
    arrays["fc_weight"][:] = nd.array([[1, 10]])

    def result(x: list[float]) -> float:
        return float(executor.forward(x=nd.array([x]))[0].asscalar())

    assert [result([i, 1]) for i in range(5)] == [10, 11, 12, 13, 14]
    arrays["fc_bias"][:] = 100
    assert [result([i, 1]) for i in range(5)] == [110, 111, 112, 113, 114]
    arrays["shift"][:] = 1000
    assert [result([i, 1]) for i in range(5)] == [1110, 1111, 1112, 1113, 1114]
    executor.forward(is_train=True)
    executor.backward()
    arrays["fc_weight"][:] -= executor.grad_dict["fc_weight"]  # (4, 1), the last x
    assert [result([i, 1]) for i in range(4)] == [1109, 1106, 1103, 1100]
    executor.backward()  # after inference with constants
    assert executor.grad_dict["fc_weight"].asnumpy().tolist() == [[3, 1]]


def test_arrays_that_never_change() -> None:
    """All of them are constants then, and the outputs are still those of each call."""
    x = nd.array([2.0])
    executor = (mx.sym.Variable("x") * 3).bind(mx.cpu(), {"x": x})
    assert [executor.forward()[0].asscalar() for _ in range(5)] == [6] * 5
    x[:] = 5
    assert executor.forward()[0].asscalar() == 15


def test_gradients_of_arguments_without_a_slope_are_zeros() -> None:
    x, n = sym.var("x"), sym.var("n")
    grads = {"x": nd.ones((2, 3)) * 7, "n": nd.ones((2,)) * 7}
    args = {"x": nd.ones((2, 3)), "n": nd.array([1, 2], dtype="int32")}
    executor = sym.softmax(x, length=n, use_length=True).bind(mx.cpu(), args, args_grad=grads)
    for _ in range(2):
        executor.forward(is_train=True)
        executor.backward(nd.ones((2, 3)))
        for g in executor.grad_arrays:
            np.testing.assert_allclose(g.asnumpy(), 0, atol=1e-6)


def test_gradients_behind_operators_without_slope_are_zeros() -> None:
    x = sym.var("x")
    executor = sym.contrib.index_array(x).bind(
        mx.cpu(), {"x": nd.ones((2, 3))}, args_grad={"x": nd.ones((2, 3))}
    )
    executor.forward(is_train=True)
    executor.backward(nd.ones((2, 3, 2), dtype="int64"))
    np.testing.assert_array_equal(executor.grad_dict["x"].asnumpy(), 0)
