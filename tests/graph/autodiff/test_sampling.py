"""Gradient rules of sampling at computed places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest

from gluon_onnx.graph.autodiff.engine import joint
from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.dims import Dim
from gluon_onnx.graph.program import Program, finish
from tests.graph.autodiff.slopes import Slope, head, program_of, row

Array = np.ndarray[Any, Any]
_STREAM = np.random.RandomState(8)


def _random(*shape: int) -> Array:
    return _STREAM.standard_normal(shape)


def _between(*shape: int) -> Array:
    """Numbers that are not near a multiple of a quarter."""
    return (_STREAM.randint(-9, 9, size=shape) + _STREAM.uniform(0.2, 0.8, size=shape)) / 4.0


def _grid(**attributes: Any) -> Callable[..., Tensor]:
    return lambda g, x, grid: g.op("GridSample", x, grid, **attributes)


_MODES = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest"}


def _torch_grid(mode: str, padding: str, corners: bool) -> Callable[..., Any]:
    def sample(x: Any, grid: Any) -> Any:
        import torch

        return torch.nn.functional.grid_sample(
            x, grid, mode=_MODES[mode], padding_mode=padding, align_corners=corners
        )

    return sample


GRIDS = [
    row(
        f"{mode}-{padding}-{corners}",
        _grid(mode=mode, padding_mode=padding, align_corners=corners),
        _random(2, 3, 4, 5),
        _random(2, 3, 2, 2) * 0.8,
        torch=_torch_grid(mode, padding, bool(corners)),
        smooth=False,
    )
    for mode in _MODES
    for padding in ("zeros", "border", "reflection")
    for corners in (0, 1)
]


def _runner(program: Program) -> Callable[[list[Array]], list[Array]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        program.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda feeds: session.run(None, dict(zip(program.input_names, feeds, strict=True)))


@pytest.mark.parametrize("slope", GRIDS)
def test_grid_sample(slope: Slope) -> None:
    """Images and places get the gradients that PyTorch gives them."""
    torch = pytest.importorskip("torch")
    program = program_of(slope)
    (y,) = _runner(program)(list(slope.inputs))
    dy = head(y.shape, 1)
    found = _runner(joint(program, [0, 1], [0]))([*slope.inputs, dy])
    leaves = [torch.tensor(x, requires_grad=True) for x in slope.inputs]
    assert slope.torch is not None
    result = slope.torch(*leaves)
    result.backward(torch.tensor(dy))
    np.testing.assert_allclose(y, result.detach().numpy(), rtol=1e-12, atol=1e-13)
    for grad, leaf in zip(found, leaves, strict=True):
        np.testing.assert_allclose(grad, leaf.grad.numpy(), rtol=1e-12, atol=1e-13)


def _deform(groups: int, parts: int, size: tuple[int, ...], **attributes: Any) -> Callable[..., Tensor]:
    def build(g: Builder, x: Tensor, w: Tensor, offset: Tensor, *rest: Tensor) -> Tensor:
        bias = rest[0] if rest else None
        mask = rest[1] if len(rest) > 1 else None
        return g.with_dims(
            "DeformConv",
            (x.dims[0], w.dims[0], *size),
            x, w, offset, bias, mask,
            group=groups, offset_group=parts, **attributes,
        )  # fmt: skip

    return build


DEFORMED = [
    row("plain", _deform(1, 1, (2, 3)), _random(1, 2, 3, 4), _random(2, 2, 2, 2), _between(1, 8, 2, 3)),
    row(
        "strided",
        _deform(1, 1, (2, 2), strides=[2, 1], dilations=[1, 2], pads=[1, 0, 1, 1]),
        _random(2, 1, 3, 3),
        _random(3, 1, 2, 2),
        _between(2, 8, 2, 2),
        _random(3),
    ),
    row(
        "groups",
        _deform(2, 2, (2, 2)),
        _random(1, 4, 3, 3),
        _random(2, 2, 2, 2),
        _between(1, 16, 2, 2),
        _random(2),
        _random(1, 8, 2, 2),
    ),
]


@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "batch"])
@pytest.mark.parametrize("slope", DEFORMED)
def test_deform_conv(slope: Slope, symbolic: bool) -> None:
    """Against central differences of ONNX Runtime's own kernel, in double precision."""
    g = Builder()
    dims: list[list[Any]] = [list(x.shape) for x in slope.inputs]
    if symbolic:
        for i in (0, 2, 4):
            if i < len(dims):
                dims[i][0] = Dim.symbol("batch")
    tensors = [g.input(f"x{i}", np.float64, d) for i, d in enumerate(dims)]
    program = finish(g, [slope.build(g, *tensors)], names=["y"])
    evaluate = _runner(program)
    dy = head(evaluate(list(slope.inputs))[0].shape, 1)
    wrt = list(range(len(slope.inputs)))
    found = _runner(joint(program, wrt, [0]))([*slope.inputs, dy])
    step = 1e-5
    for i, grad in zip(wrt, found, strict=True):
        expected = np.zeros(slope.inputs[i].shape)
        for place in np.ndindex(expected.shape):
            values = []
            for sign in (step, -step):
                moved = [np.array(x) for x in slope.inputs]
                moved[i][place] += sign
                values.append(float((evaluate(moved)[0] * dy).sum()))
            expected[place] = (values[0] - values[1]) / (2 * step)
        np.testing.assert_allclose(grad, expected, rtol=1e-7, atol=1e-8)
