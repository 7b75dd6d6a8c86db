"""Arrays that live in an OrtValue. CPU memory stands in for a GPU's, so that the path is tested everywhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import autograd, nd
from gluon_onnx._runtime import devices
from gluon_onnx.base import MXNetError


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[mx.Context]:
    monkeypatch.setattr(devices, "providers", lambda device: ["CPUExecutionProvider"])
    monkeypatch.setattr(devices, "memory", lambda device: ("cpu", 0))
    yield mx.gpu(0)


def test_without_a_gpu_the_error_says_what_is_missing() -> None:
    if mx.num_gpus():
        pytest.skip("there is a GPU")
    with pytest.raises(MXNetError, match=r"gpu\(0\): (no CUDA device|this ONNX Runtime has no CUDA)"):
        nd.zeros((2,), ctx=mx.gpu(0))


def test_creation_and_copies(gpu: mx.Context) -> None:
    x = nd.array([[1, 2], [3, 4]], ctx=gpu)
    assert x.context == gpu and not isinstance(x._raw, np.ndarray)
    assert x.shape == (2, 2) and x.dtype == np.float32
    assert x.as_in_context(mx.cpu()).asnumpy().tolist() == [[1, 2], [3, 4]]
    assert nd.zeros((2,), ctx=gpu).copyto(mx.cpu()).context == mx.cpu()
    y = nd.ones((2, 2), ctx=gpu)
    x.copyto(y)
    x[0] = 7
    assert y.asnumpy().tolist() == [[1, 2], [3, 4]] and x.asnumpy().tolist() == [[7, 7], [3, 4]]


def test_operators_and_gradients_stay_on_the_device(gpu: mx.Context) -> None:
    x = nd.array([1, 2, 3], ctx=gpu)
    x.attach_grad()
    with autograd.record():
        y = nd.tanh(x) * 2 + x
    y.backward()
    assert y.context == gpu and x.grad.context == gpu
    np.testing.assert_allclose(x.grad.asnumpy(), 2 * (1 - np.tanh([1, 2, 3]) ** 2) + 1, rtol=1e-5)


def test_in_place_writes_and_accumulated_gradients(gpu: mx.Context) -> None:
    x = nd.array([1, 2], ctx=gpu)
    x.attach_grad("add")
    for _ in range(2):
        with autograd.record():
            y = x * 3
        y.backward()
    assert x.grad.asnumpy().tolist() == [6, 6]
    x += 1
    x[1:] = 10
    assert x.asnumpy().tolist() == [2, 10]


def test_devices_do_not_mix(gpu: mx.Context) -> None:
    with pytest.raises(MXNetError, match="is on"):
        nd.array([1], ctx=gpu) + nd.array([1])
