"""Memory that NDArrays share with NumPy and with other libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import gluon, nd
from gluon_onnx.base import MXNetError

DTYPES = ["float16", "float32", "float64", "int8", "uint8", "int32", "int64", "bool"]


class _Holder:
    """An object that hands a capsule out, as NumPy and PyTorch expect it."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


EXPORTS: dict[str, Callable[[nd.NDArray], Any]] = {
    "method read": lambda x: _Holder(x.to_dlpack_for_read()),
    "method write": lambda x: _Holder(x.to_dlpack_for_write()),
    "function read": lambda x: _Holder(nd.to_dlpack_for_read(x)),
    "function write": lambda x: _Holder(nd.to_dlpack_for_write(x)),
    "protocol": lambda x: x,
}


@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_export(dtype: str, export: str) -> None:
    """NumPy sees the elements, and what is written to them later."""
    x = nd.array([[0, 1, 1], [1, 0, 1]], dtype=dtype)
    seen = np.from_dlpack(EXPORTS[export](x))
    assert seen.dtype == x.dtype
    np.testing.assert_array_equal(seen, x.asnumpy())
    x[0, 0] = 1
    x += 0
    assert seen[0, 0] == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("capsule", [True, False])
def test_import(capsule: bool, dtype: str) -> None:
    """The elements of another library's array, and writes in both directions."""
    theirs = np.zeros((2, 3), dtype)
    x = nd.from_dlpack(theirs.__dlpack__() if capsule else theirs)
    assert (x.dtype, x.shape, x.context) == (theirs.dtype, (2, 3), mx.cpu())
    x[1] = 1
    assert theirs[1].all()
    theirs[0, 2] = 1
    assert x[0, 2].asscalar() == 1


def test_round_trip_of_a_view() -> None:
    """A slice of an array goes out and comes back as the same memory."""
    x = nd.arange(6).reshape((2, 3))
    y = nd.from_dlpack(x[1].to_dlpack_for_write())
    y[:] = -1
    np.testing.assert_array_equal(x.asnumpy(), [[0, 1, 2], [-1, -1, -1]])


def test_torch() -> None:
    """Both directions with PyTorch, whose writes are seen here."""
    torch = pytest.importorskip("torch")
    x = nd.ones((2, 2))
    tensor = torch.utils.dlpack.from_dlpack(x.to_dlpack_for_write())
    tensor.mul_(3)
    assert x.asnumpy().tolist() == [[3, 3], [3, 3]]
    assert torch.from_dlpack(x).sum() == 12
    other = torch.arange(3.0)
    y = nd.from_dlpack(torch.utils.dlpack.to_dlpack(other))
    y += 1
    assert other.tolist() == [1, 2, 3]
    assert nd.from_dlpack(other).asnumpy().tolist() == [1, 2, 3]


def test_foreign_device() -> None:
    """Memory of a GPU is refused by name."""

    class Cuda:
        def __dlpack__(self) -> None:
            raise AssertionError("not asked for")

        def __dlpack_device__(self) -> tuple[int, int]:
            return (2, 0)

    with pytest.raises(MXNetError, match="expected memory of the CPU, got device 0 of DLPack's type 2"):
        nd.from_dlpack(Cuda())


def test_unnoticed_writes_reach_a_compiled_block() -> None:
    """Parameters whose memory another library has are not built into compiled programs."""
    net = gluon.nn.Dense(1, in_units=2, use_bias=False)
    net.initialize("ones")
    net.hybridize()
    x = nd.ones((1, 2))
    assert [net(x).asscalar() for _ in range(4)] == [2] * 4
    weight = nd.from_dlpack(net.weight.data().to_dlpack_for_write())
    for value in range(5):
        weight[:] = value
        assert net(x).asscalar() == 2 * value


def test_from_numpy() -> None:
    """The memory changes hands: NumPy may no longer write to it."""
    theirs = np.arange(4, dtype=np.float32)
    x = nd.from_numpy(theirs)
    x += 1
    assert theirs.tolist() == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="read-only"):
        theirs[0] = 5
    with pytest.raises(ValueError, match="C-contiguous"):
        nd.from_numpy(np.zeros((2, 3), np.float32).T)
    with pytest.raises(TypeError, match="complex64"):
        nd.from_numpy(np.zeros(2, np.complex64))
    assert nd.from_numpy(np.zeros((2, 3), np.float32).T, zero_copy=False).shape == (3, 2)


@pytest.mark.parametrize("function", [np.sqrt, np.exp, np.negative, np.median, np.gradient])
def test_numpy_functions(function: Callable[[Any], Any]) -> None:
    """Functions of NumPy take NDArrays and give NumPy's results (a few call a method of the same name instead)."""
    x = nd.array([[1, 4], [9, 2]])
    got, expected = function(x), function(x.asnumpy())
    assert type(got) is type(expected)
    np.testing.assert_array_equal(got, expected)


def test_numpy_binary() -> None:
    """Arithmetic of the two gives an NDArray on either side; copies are NumPy's."""
    x, y = nd.array([1, 2]), np.array([10.0, 20.0], np.float32)
    for got in (x + y, y + x):
        assert isinstance(got, nd.NDArray)
        assert got.asnumpy().tolist() == [11, 22]
    for got, expected in (
        (y - x, [9, 18]),
        (x - y, [-9, -18]),
        (y / x, [10, 10]),
        (y**x, [10, 400]),
        (y % x, [0, 0]),
    ):
        assert got.asnumpy().tolist() == expected
    assert (y > x).asnumpy().tolist() == [1, 1]
    copied = np.asarray(x)
    copied[:] = 0
    assert x.asnumpy().tolist() == [1, 2]
    assert np.array(x, dtype="int64").dtype == np.int64
    with pytest.raises(ValueError, match="copy"):
        x.__array__(copy=False)
