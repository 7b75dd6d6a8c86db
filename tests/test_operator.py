"""Operators written in Python, and the classes of sparse arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import autograd, gluon, nd, sym
from gluon_onnx.operator import CustomOp, CustomOpProp, get_operator_arguments, register


class Power(CustomOp):
    def __init__(self, exponent: int) -> None:
        self.exponent = exponent
        self.seen: list[Any] = []

    def forward(self, is_train: bool, req: Any, in_data: Any, out_data: Any, aux: Any) -> None:
        self.seen.append(is_train)
        assert not autograd.is_recording()
        self.assign(out_data[0], req[0], in_data[0] ** self.exponent)
        self.assign(out_data[1], req[1], in_data[0] * in_data[1])
        aux[0][:] += 1

    def backward(self, req: Any, out_grad: Any, in_data: Any, out_data: Any, in_grad: Any, aux: Any) -> None:
        x, w = in_data
        slope = self.exponent * out_data[0] / x
        self.assign(in_grad[0], req[0], out_grad[0] * slope + out_grad[1] * w)
        self.assign(in_grad[1], req[1], out_grad[1] * x)


@register("test_power")
class PowerProp(CustomOpProp):
    def __init__(self, exponent: str = "2") -> None:
        super().__init__(need_top_grad=True)
        assert isinstance(exponent, str)
        self.exponent = int(exponent)

    def list_arguments(self) -> list[str]:
        return ["data", "weight"]

    def list_outputs(self) -> list[str]:
        return ["power", "product"]

    def list_auxiliary_states(self) -> list[str]:
        return ["calls"]

    def infer_shape(self, in_shape: list[list[int]]) -> Any:
        return [in_shape[0], in_shape[0]], [in_shape[0], in_shape[0]], [[1]]

    def create_operator(self, ctx: str, in_shapes: Any, in_dtypes: Any) -> CustomOp:
        assert ctx == "cpu(0)" and in_shapes == [[3], [3]]
        return Power(self.exponent)


X, W = [1.0, 2.0, -3.0], [0.5, -1.0, 2.0]


@pytest.mark.parametrize("named", [False, True], ids=["by position", "by name"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_custom_operator(named: bool, dtype: str) -> None:
    x, w, calls = nd.array(X, dtype=dtype), nd.array(W, dtype=dtype), nd.zeros((1,))
    x.attach_grad()
    w.attach_grad("add")
    with autograd.record():
        if named:
            power, product = nd.Custom(weight=w, calls=calls, data=x, op_type="test_power", exponent=3)
        else:
            power, product = nd.Custom(x, w, calls, op_type="test_power", exponent=3, name="p")
        loss = power + 2 * product
    assert power.dtype == np.dtype(dtype)
    np.testing.assert_allclose(power.asnumpy(), np.power(X, 3))
    loss.backward()
    np.testing.assert_allclose(x.grad.asnumpy(), 3 * np.square(X) + 2 * np.array(W), rtol=1e-6)
    np.testing.assert_allclose(w.grad.asnumpy(), 2 * np.array(X), rtol=1e-6)
    assert calls.asscalar() == 1


def test_only_what_is_needed_gets_a_gradient() -> None:
    x, w = nd.array(X), nd.array(W)
    w.attach_grad()
    with autograd.record():
        product = nd.Custom(x, w, nd.zeros((1,)), op_type="test_power")[1]
    product.backward()
    np.testing.assert_allclose(w.grad.asnumpy(), X)
    assert x.grad is None


@register("test_identity")
class IdentityProp(CustomOpProp):
    def create_operator(self, ctx: str, in_shapes: Any, in_dtypes: Any) -> CustomOp:
        class Identity(CustomOp):
            def forward(self, is_train: bool, req: Any, in_data: Any, out_data: Any, aux: Any) -> None:
                self.assign(out_data[0], "add", in_data[0] + int(is_train))

            def backward(self, req: Any, out_grad: Any, in_data: Any, out_data: Any, in_grad: Any, aux: Any) -> None:
                raise KeyError("no idea")

        return Identity()


def test_defaults_and_training_mode() -> None:
    x = nd.array(X)
    assert nd.Custom(x, op_type="test_identity").asnumpy().tolist() == X
    with autograd.train_mode():
        assert nd.Custom(x, op_type="test_identity").asnumpy().tolist() == [v + 1 for v in X]


def test_in_a_block() -> None:
    class Net(gluon.HybridBlock):
        def hybrid_forward(self, F: Any, x: Any) -> Any:
            return F.Custom(x, op_type="test_identity") * 2

    net = Net()
    assert net(nd.array(X)).asnumpy().tolist() == [2 * v for v in X]
    net.hybridize()
    with pytest.raises(mx.MXNetError, match="'test_identity' is written in Python, which ONNX Runtime cannot run"):
        net(nd.array(X))


def fail_backward() -> None:
    x = nd.array(X)
    x.attach_grad()
    with autograd.record():
        y = nd.Custom(x, op_type="test_identity")
    y.backward()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nd.Custom(nd.array(X), op_type="test_powr"),
         r"registered as 'test_powr'; nearest names: \['test_power'"),
        (lambda: nd.Custom(nd.array(X), op_type="test_power"),
         r"expected arguments \['data', 'weight'\] and auxiliary states \['calls'\], got 1 arrays"),
        (lambda: nd.Custom(nd.ones((3,)), nd.ones((2,)), nd.ones((1,)), op_type="test_power"),
         r"argument 'weight' must have shape \(3,\), got \(2,\)"),
        (lambda: nd.Custom(nd.array(X), other=nd.array(X), op_type="test_identity"), r"unknown arguments \['other'\]"),
        (fail_backward, "backward of custom operator 'test_identity' failed: KeyError: 'no idea'"),
        (lambda: sym.Custom(sym.var("x"), op_type="test_identity"), "cannot run inside a graph"),
        (lambda: CustomOp().assign(nd.ones((1,)), "replace", 1), "got 'replace'"),
    ],
)  # fmt: skip
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(mx.MXNetError, match=message):
        call()


def test_registration() -> None:
    with pytest.raises(TypeError, match="subclasses of CustomOpProp"):
        register("x")(Power)  # type: ignore[type-var]
    with pytest.raises(NotImplementedError, match="CustomOpProp must define create_operator"):
        CustomOpProp().create_operator("cpu(0)", [], [])
    assert CustomOpProp(need_top_grad=False).declare_backward_dependency([0], [1], [2]) == [1, 2]


def test_what_is_known_of_operators() -> None:
    assert "FullyConnected" in mx.operator.get_all_registered_operators()
    narg, names, types = get_operator_arguments("FullyConnected")
    assert narg == len(types) == 6 and names == ["data", "weight", "bias", "num_hidden", "no_bias", "flatten"]
    with pytest.raises(mx.MXNetError, match="'FullyConected'; nearest names: FullyConnected"):
        get_operator_arguments("FullyConected")


@pytest.mark.parametrize(
    "call",
    [
        lambda: nd.sparse.csr_matrix((2, 3)),
        lambda: nd.sparse.row_sparse_array((2, 3)),
        lambda: nd.sparse.array([1]),
        lambda: nd.sparse.CSRNDArray(),
        lambda: nd.sparse.zeros("csr", (2, 3)),
        lambda: nd.sparse.empty("row_sparse", (2, 3)),
    ],
)
def test_sparse_arrays_are_refused(call: Any) -> None:
    with pytest.raises(mx.MXNetError, match="sparse arrays are not supported, arrays are dense"):
        call()


def test_dense_arrays_in_the_sparse_name_space() -> None:
    assert nd.sparse.zeros("default", (2, 3)).asnumpy().tolist() == [[0] * 3] * 2
    assert nd.sparse.empty("default", (2,)).shape == (2,)
    assert not isinstance(nd.ones((1,)), nd.sparse.CSRNDArray | nd.sparse.RowSparseNDArray)
    assert issubclass(nd.sparse.CSRNDArray, nd.NDArray) and "csr_matrix" in dir(nd.sparse)
