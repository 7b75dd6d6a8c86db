"""autograd: recording, gradients, higher order, and what must be refused."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import autograd, gluon, nd
from gluon_onnx.base import MXNetError


def variable(*values: float) -> nd.NDArray:
    x = nd.array(values)
    x.attach_grad()
    return x


def test_modes_nest_and_are_restored() -> None:
    seen = []
    with autograd.record():
        seen.append((autograd.is_recording(), autograd.is_training()))
        with autograd.pause():
            seen.append((autograd.is_recording(), autograd.is_training()))
            with autograd.train_mode():
                seen.append((autograd.is_recording(), autograd.is_training()))
        with autograd.predict_mode():
            seen.append((autograd.is_recording(), autograd.is_training()))
    seen.append((autograd.is_recording(), autograd.is_training()))
    assert seen == [(True, True), (False, False), (False, True), (True, False), (False, False)]


def test_recording_belongs_to_a_thread() -> None:
    seen = []
    with autograd.record():
        t = threading.Thread(target=lambda: seen.append(autograd.is_recording()))
        t.start()
        t.join()
    assert seen == [False]


def test_gradient_and_head_gradients() -> None:
    x = variable(1, 2, 3)
    with autograd.record():
        y = x * x
    y.backward(nd.array([1, 10, 100]))
    assert x.grad.asnumpy().tolist() == [2, 40, 600]


@pytest.mark.parametrize(("req", "expected"), [("write", 2.0), ("add", 4.0), ("null", 0.0)])
def test_grad_req(req: str, expected: float) -> None:
    x = nd.array([1.0])
    x.attach_grad(req)
    for _ in range(2):
        with autograd.record():
            y = x * 2
        if req != "null":
            y.backward()
    assert x.grad.asscalar() == expected


def test_gradient_of_gradient_of_gradient() -> None:
    x = variable(0.5, 1.5)
    with autograd.record():
        y = x * x * x * x
        (first,) = autograd.grad(y, x, create_graph=True)
        (second,) = autograd.grad(first, x, create_graph=True)
    second.backward()
    np.testing.assert_allclose(first.asnumpy(), 4 * x.asnumpy() ** 3, rtol=1e-5)
    np.testing.assert_allclose(second.asnumpy(), 12 * x.asnumpy() ** 2, rtol=1e-5)
    np.testing.assert_allclose(x.grad.asnumpy(), 24 * x.asnumpy(), rtol=1e-5)


def test_second_backward_needs_retain_graph() -> None:
    x = variable(1)
    with autograd.record():
        y = x * x
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(MXNetError, match="retain_graph"):
        y.backward()


def test_writing_to_a_saved_input_is_an_error_not_a_wrong_gradient() -> None:
    x, w = variable(1, 2), nd.array([3, 4])
    with autograd.record():
        y = x * w
    w[0] = 100
    with pytest.raises(MXNetError, match="written to after it was recorded"):
        y.backward()


def test_writing_through_a_view_counts_too() -> None:
    x, w = variable(1, 2), nd.array([[3, 4], [5, 6]])
    with autograd.record():
        y = x * w
    w[1][:] = 0
    with pytest.raises(MXNetError, match="written to"):
        y.backward()


def test_in_place_on_a_recorded_result_is_refused() -> None:
    x = variable(1, 2)
    with autograd.record():
        y = x * 2
        with pytest.raises(MXNetError, match="Inplace operations"):
            y += 1
        with pytest.raises(MXNetError, match="Inplace operations"):
            y[0] = 1


def test_what_was_not_recorded_cannot_be_differentiated() -> None:
    with pytest.raises(MXNetError, match="record"):
        nd.array([1]).backward()


def test_detach_stops_the_gradient() -> None:
    x = variable(3)
    with autograd.record():
        y = (x * x).detach() * x
    y.backward()
    assert x.grad.asscalar() == 9


class Cube(autograd.Function):
    def forward(self, x: nd.NDArray) -> nd.NDArray:
        self.save_for_backward(x)
        return x * x * x

    def backward(self, dy: nd.NDArray) -> nd.NDArray:
        (x,) = self.saved_tensors
        return dy * x * x * 30  # ten times the right one, to see that it is used


def test_function_with_its_own_backward() -> None:
    x = variable(2)
    with autograd.record():
        y = Cube()(x * 1) * 1
    y.backward()
    assert y.asscalar() == 8 and x.grad.asscalar() == 120


def test_a_function_must_return_one_gradient_for_each_input() -> None:
    class Wrong(Cube):
        def backward(self, dy: nd.NDArray) -> list:
            return [dy, dy]

    x = variable(2)
    with autograd.record():
        y = Wrong()(x)
    with pytest.raises(MXNetError, match="must return 1 gradients"):
        y.backward()


def test_a_long_chain_needs_no_recursion() -> None:
    x = variable(1)
    with autograd.record():
        y = x
        for _ in range(3000):
            y = y + 1
    y.backward()
    assert x.grad.asscalar() == 1


def test_grad_of_an_unrelated_variable_is_an_error() -> None:
    x = variable(1)
    with autograd.record():
        y = x * 2
    with pytest.raises(MXNetError, match="no gradient attached"):
        autograd.grad(y, nd.array([1]))


def test_shapes_that_change_compile_one_symbolic_program() -> None:
    from gluon_onnx._runtime.function import OperatorFunction
    from gluon_onnx.graph.ops import find

    op = find("FullyConnected")
    function = OperatorFunction(op, op.parse({"num_hidden": 2}))
    f32 = np.dtype(np.float32)
    made = {
        id(function.specialize(((f32, (n, 3)), (f32, (2, 3)), (f32, (2,))), False)) for n in (4, 5, 6, 7, 8)
    }
    assert len(made) == 2  # one for the first signature, one with a symbolic batch for all others


def test_mx_is_lazy() -> None:
    assert mx.nd is nd


def test_gradients_that_need_sizes_are_compiled_for_each() -> None:
    """Padding with edges has a program for all sizes, its gradient one for each."""
    for height in (3, 4, 5):
        x = nd.array(np.arange(height * 2.0).reshape(1, 1, height, 2))
        x.attach_grad()
        with autograd.record():
            y = nd.pad(x, mode="edge", pad_width=(0, 0, 0, 0, 1, 2, 0, 0))
        y.backward()
        expected = np.ones((height, 2))
        expected[0] += 1
        expected[-1] += 2
        np.testing.assert_array_equal(x.grad.asnumpy()[0, 0], expected)


# -- get_symbol ------------------------------------------------------------------------------------------------
def test_get_symbol_of_operators() -> None:
    """The recorded computation as a symbol: one variable for each array, operators with the values they were given."""
    x, z, c = nd.array([1, 2]), nd.array([3, 4]), nd.array([5, 6])
    x.attach_grad()
    z.attach_grad()
    with autograd.record():
        a, b = nd.split(nd.concat(x * x * 3, z - c, dim=0), num_outputs=2, axis=0)
        y = (a * b).sum()
    symbol = autograd.get_symbol(y)
    assert symbol.list_arguments() == ["var0", "var1", "var2"]
    (found,) = symbol.eval(var0=x, var1=z, var2=c)
    assert found.asscalar() == y.asscalar() == -2 * (3 + 12)
    y.backward()  # the tape is as it was
    assert x.grad.asnumpy().tolist() == [-12, -24]


def test_get_symbol_of_compiled_blocks() -> None:
    """A compiled block is taken apart; its parameters are variables."""
    net = gluon.nn.Dense(2, in_units=3)
    net.initialize()
    net.hybridize()
    with autograd.record():
        y = net(nd.ones((1, 3))) * 2
    symbol = autograd.get_symbol(y)
    ops = [node.op.name for node in symbol.nodes() if node.op is not None]
    assert ops == ["FullyConnected", "_mul_scalar"]
    assert symbol.infer_shape(var0=(1, 3))[0] == [(1, 3), (2, 3), (2,)]


def test_get_symbol_of_an_array_that_was_not_recorded() -> None:
    assert autograd.get_symbol(nd.ones(1)).list_outputs() == ["var0"]


def test_get_symbol_needs_operators_that_are_there_still() -> None:
    class Double(autograd.Function):
        def forward(self, *inputs: Any) -> Any:
            return inputs[0] * 2

        def backward(self, *output_gradients: Any) -> Any:
            return output_gradients[0] * 2

    x = nd.array([1])
    x.attach_grad()
    with autograd.record():
        y, z = Double()(x), x * 2
    with pytest.raises(MXNetError, match="'Double' was recorded, which is no operator"):
        autograd.get_symbol(y)
    z.backward()
    with pytest.raises(MXNetError, match="are released"):
        autograd.get_symbol(z)
