"""Gradient rules of convolutions, in all the ways they choose among."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest

from gluon_onnx.graph.autodiff.engine import vjp
from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.dims import Dim
from gluon_onnx.graph.errors import GraphError
from gluon_onnx.graph.program import finish
from tests.graph.autodiff.slopes import Slope, check_first, check_second, check_torch, row

_STREAM = np.random.RandomState(5)


def _random(*shape: int) -> np.ndarray[Any, Any]:
    return _STREAM.standard_normal(shape).round(3)


def _conv(op: str = "Conv", **attributes: Any) -> Any:
    return lambda g, *x: g.op(op, *x, **attributes)


def _torch(op: str, **options: Any) -> Any:
    def function(*x: Any) -> Any:
        import torch

        name = f"{op}{x[0].ndim - 2}d"
        return getattr(torch.nn.functional, name)(*x, **options)

    return function


def _rows() -> list[Any]:
    """Name, data, weight and the attributes of a convolution, whose padding is the same on both sides."""
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
        "same": ((2, 2, 4, 5), (3, 2, 3, 3), {"pads": [1, 1]}),
        "valid_small": ((1, 2, 5, 5), (2, 2, 4, 3), {}),
        "pointwise": ((2, 3, 2, 3), (2, 3, 1, 1), {}),
        "pointwise_large": ((2, 2, 20, 25), (1, 2, 1, 1), {}),
        "pointwise_stride": ((1, 2, 4, 5), (3, 2, 1, 1), {"strides": [2, 2]}),
        "stride": ((1, 2, 6, 5), (2, 2, 3, 2), {"strides": [2, 3]}),
        "stride_rest": ((1, 1, 7, 6), (2, 1, 2, 2), {"strides": [3, 3], "pads": [1, 0]}),
        "dilated": ((1, 2, 6, 7), (2, 2, 2, 3), {"dilations": [2, 2], "pads": [1, 2]}),
        "groups": ((2, 4, 4, 4), (6, 2, 2, 3), {"group": 2, "pads": [1, 0]}),
        "depthwise": ((2, 3, 4, 4), (3, 1, 3, 3), {"group": 3, "pads": [1, 1]}),
        "depthwise_twice": ((1, 2, 4, 4), (4, 1, 2, 2), {"group": 2}),
        "depthwise_stride": ((2, 2, 7, 6), (4, 1, 3, 2), {"group": 2, "strides": [2, 2], "pads": [1, 1]}),
        "depthwise_rest": ((1, 2, 7, 8), (2, 1, 2, 2), {"group": 2, "strides": [3, 3]}),
        "separate": ((1, 16, 12, 12), (1, 16, 2, 2), {}),
        "1d": ((2, 2, 7), (3, 2, 3), {"strides": [2], "pads": [1]}),
        "3d": ((1, 2, 3, 4, 3), (2, 2, 2, 2, 3), {"pads": [1, 0, 1]}),
        "3d_stride": ((1, 2, 4, 3, 5), (2, 1, 2, 2, 2), {"strides": [2, 1, 2], "group": 2}),
    }
    rows = []
    for name, (data, weight, given) in shapes.items():
        pads = given.get("pads", [0] * (len(data) - 2))
        options = {
            "padding": pads,
            "stride": given.get("strides", 1),
            "dilation": given.get("dilations", 1),
            "groups": given.get("group", 1),
        }
        attributes = {**given, "pads": pads * 2}
        operands = (_random(*data), _random(*weight), _random(weight[0]))
        rows.append(row(name, _conv(**attributes), *operands, torch=_torch("conv", **options)))
    return rows


CONVOLUTIONS = _rows()
_X, _W = _random(1, 2, 5, 6), _random(2, 2, 3, 2)
UNEVEN = [
    row("uneven_pads", _conv(pads=[1, 0, 2, 1]), _X, _W),
    row("same_upper", _conv(auto_pad="SAME_UPPER", strides=[2, 2]), _X, _W),
    row("same_lower", _conv(auto_pad="SAME_LOWER", strides=[2, 3]), _X, _W),
    row("valid", _conv(auto_pad="VALID"), _X, _W),
    row("wide_pads", _conv(pads=[3, 2, 3, 2]), _X, _W),
    row("transpose_uneven", _conv("ConvTranspose", pads=[1, 0, 0, 1], strides=[2, 2]), _X, _W),
    row("transpose_shape", _conv("ConvTranspose", output_shape=[9, 11], strides=[2, 2]), _X, _W),
]


def _transposed(name: str, data: Sequence[int], weight: Sequence[int], **given: Any) -> Any:
    rank = len(data) - 2
    pads, extra = given.get("pads", [0] * rank), given.get("output_padding", [0] * rank)
    options = {
        "padding": pads,
        "stride": given.get("strides", 1),
        "dilation": given.get("dilations", 1),
        "groups": given.get("group", 1),
        "output_padding": extra,
    }
    operands = (_random(*data), _random(*weight), _random(weight[1] * given.get("group", 1)))
    return row(
        name,
        _conv("ConvTranspose", **{**given, "pads": pads * 2}),
        *operands,
        torch=_torch("conv_transpose", **options),
    )


TRANSPOSED = [
    _transposed("plain", (2, 3, 3, 2), (3, 2, 2, 3)),
    _transposed("stride", (1, 2, 3, 3), (2, 2, 3, 2), strides=[2, 3], pads=[1, 0]),
    _transposed("output_padding", (1, 2, 3, 2), (2, 2, 2, 3), strides=[2, 2], output_padding=[1, 1]),
    _transposed("dilated", (1, 2, 3, 3), (2, 1, 2, 2), dilations=[2, 3]),
    _transposed("groups", (1, 4, 3, 3), (4, 2, 2, 2), group=2, strides=[2, 1], pads=[1, 1]),
    _transposed("depthwise", (2, 2, 3, 3), (2, 1, 4, 4), group=2, strides=[2, 2], pads=[1, 1]),
    _transposed("1d", (1, 2, 4), (2, 2, 3), strides=[2], pads=[1], output_padding=[1]),
    _transposed("3d", (1, 2, 2, 2, 3), (2, 1, 2, 3, 2), strides=[1, 2, 1]),
]


@pytest.mark.parametrize("slope", [*CONVOLUTIONS, *TRANSPOSED])
def test_torch(slope: Slope) -> None:
    """Values and gradients in double precision, which goes without ONNX Runtime's convolution kernels."""
    check_torch(slope)


@pytest.mark.parametrize("slope", UNEVEN)
def test_differences(slope: Slope) -> None:
    """Padding that PyTorch does not have."""
    check_first(slope)


def _small(names: set[str]) -> list[Any]:
    return [p for p in CONVOLUTIONS if p.id in names]


@pytest.mark.parametrize("slope", _small({"pointwise", "depthwise_twice", "depthwise_rest"}))
def test_second_order(slope: Slope) -> None:
    """Gradients of gradients."""
    check_second(slope)


@pytest.mark.parametrize("symbolic", ["none", "batch", "all"])
@pytest.mark.parametrize("slope", [*CONVOLUTIONS, *TRANSPOSED])
def test_single_precision(slope: Slope, symbolic: str) -> None:
    """ONNX Runtime's kernels in float32 against PyTorch, with known and with symbolic sizes of the data."""
    torch = pytest.importorskip("torch")
    arrays = [x.astype(np.float32) for x in slope.inputs]
    g = Builder()
    dims: list[Any] = list(arrays[0].shape)
    for axis in range(len(dims)):
        if (symbolic != "none" and axis == 0) or (symbolic == "all" and axis > 1):
            dims[axis] = Dim.symbol(f"d{axis}")
    tensors = [g.input(f"x{i}", np.float32, dims if i == 0 else x.shape) for i, x in enumerate(arrays)]
    y = slope.build(g, *tensors)
    dy = g.input("dy", np.float32, y.dims)
    grads = [d for d in vjp(g, [y], [dy], tensors) if isinstance(d, Tensor)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        finish(g, [y, *grads]).model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    leaves = [torch.tensor(x, requires_grad=True) for x in arrays]
    assert slope.torch is not None
    result = slope.torch(*leaves)
    head = np.random.RandomState(0).standard_normal(tuple(result.shape)).astype(np.float32)
    result.backward(torch.tensor(head))
    found = session.run(None, {**{f"x{i}": x for i, x in enumerate(arrays)}, "dy": head})
    for a, b in zip(found, [result.detach(), *(t.grad for t in leaves)], strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-4, atol=1e-4)


def test_groups_must_fit() -> None:
    g = Builder()
    with pytest.raises(
        GraphError, match=r"weight \(2, 2, 3, 3\) does not fit data \(1, 3, 5, 5\) in 2 groups"
    ):
        g.op("Conv", g.input("x", np.float32, (1, 3, 5, 5)), g.input("w", np.float32, (2, 2, 3, 3)), group=2)


def test_window_must_fit() -> None:
    g = Builder()
    with pytest.raises(GraphError, match="a window of 5 elements does not fit into 3 with 1 of padding"):
        g.op("MaxPool", g.input("x", np.float32, (1, 1, 3)), kernel_shape=[5], pads=[1, 0])
