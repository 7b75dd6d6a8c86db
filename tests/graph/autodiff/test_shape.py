"""Gradient rules of operators that move elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest

from gluon_onnx.graph.autodiff.engine import joint
from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.dims import Dim
from gluon_onnx.graph.errors import GraphError, NeedsStaticShape, NotDifferentiableError
from gluon_onnx.graph.program import finish
from tests.graph.autodiff.slopes import Slope, check_first, check_second, check_torch, row, run

_STREAM = np.random.RandomState(9)
_LOW = int(np.iinfo(np.int64).min)


def _random(*shape: int) -> np.ndarray[Any, Any]:
    return _STREAM.permutation(int(np.prod(shape))).reshape(shape) * 0.375 - 1.0625


_M, _C, _IMAGE = _random(3, 4), _random(2, 3, 4), _random(1, 2, 3, 4)


def _slice(begin: Sequence[int], end: Sequence[int], axes: Sequence[int], step: Sequence[int]) -> Callable[..., Tensor]:
    return lambda g, x: g.op("Slice", x, g.ints(*begin), g.ints(*end), g.ints(*axes), g.ints(*step))


def _slice_by_inputs(g: Builder, x: Tensor, begin: Tensor, end: Tensor) -> Tensor:
    return g.with_dims("Slice", (2, 4), x, begin, end)


def _pad(mode: str, *pads: int, axes: Sequence[int] | None = None) -> Callable[..., Tensor]:
    def build(g: Builder, x: Tensor, *value: Tensor) -> Tensor:
        named = [] if axes is None else [g.ints(*axes)]
        filler = [*value] or ([None] if named else [])
        return g.op("Pad", x, g.ints(*pads), *filler, *named, mode=mode)

    return build


def _torch_pad(mode: str, *pads: int) -> Callable[..., Any]:
    def call(x: Any) -> Any:
        import torch

        return torch.nn.functional.pad(x, pads, mode=mode)

    return call


def _split(sizes: Sequence[int], pick: int, axis: int) -> Callable[..., Tensor]:
    return lambda g, x: g.multi("Split", len(sizes), x, g.ints(*sizes), axis=axis)[pick]


def _all_parts(g: Builder, x: Tensor) -> Tensor:
    first, second = g.multi("Split", 2, x, g.ints(1, 3), axis=1)
    return second * first


def _depth(mode: str) -> Callable[..., Tensor]:
    return lambda g, x: g.op("DepthToSpace", x, blocksize=2, mode=mode)


def _moved(name: str, *ints: int, **attributes: Any) -> Callable[..., Tensor]:
    return lambda g, x: g.op(name, x, g.ints(*ints), **attributes)


ROWS = [
    row("Reshape", _moved("Reshape", 2, 6), _M, torch=lambda x: x.reshape(2, 6)),
    row("Flatten", lambda g, x: g.op("Flatten", x, axis=2), _C, torch=lambda x: x.reshape(6, 4)),
    row("Squeeze", _moved("Squeeze", 0), _IMAGE, torch=lambda x: x.squeeze(0)),
    row("Unsqueeze", _moved("Unsqueeze", 0, 2), _M, torch=lambda x: x[None, :, None]),
    row("Expand", _moved("Expand", 2, 3, 4), _random(3, 1), torch=lambda x: x.expand(2, 3, 4)),
    row("Expand-scalar", _moved("Expand", 2, 3), np.array(0.5), torch=lambda x: x.expand(2, 3)),
    row("Transpose", lambda g, x: g.op("Transpose", x, perm=[2, 0, 1]), _C, torch=lambda x: x.permute(2, 0, 1)),
    row("Transpose-default", lambda g, x: g.op("Transpose", x), _C, torch=lambda x: x.permute(2, 1, 0)),
    row("Concat", lambda g, *x: g.op("Concat", *x, axis=1), _M, _random(3, 2), _random(3, 1)),
    row("Concat-negative", lambda g, *x: g.op("Concat", *x, axis=-2), _M, _random(2, 4)),
    row("Concat-twice", lambda g, x: g.op("Concat", x, x * x, x, axis=0), _M),
    row("Split-first", _split((1, 2, 1), 0, 1), _M, torch=lambda x: x[:, :1]),
    row("Split-middle", _split((1, 1, 1), 1, 0), _M, torch=lambda x: x[1:2]),
    row("Split-negative", _split((3, 1), 1, -1), _M, torch=lambda x: x[:, 3:]),
    row("Split-all", _all_parts, _M, torch=lambda x: x[:, 1:] * x[:, :1]),
    row("Slice", _slice((1, 0), (3, 2), (0, 1), (1, 1)), _M, torch=lambda x: x[1:3, :2]),
    row("Slice-negative", _slice((-2,), (-1,), (-1,), (1,)), _M, torch=lambda x: x[:, -2:-1]),
    row("Slice-beyond", _slice((1,), (99,), (1,), (1,)), _M, torch=lambda x: x[:, 1:]),
    row("Slice-steps", _slice((0, 1), (3, 4), (0, 1), (2, 2)), _M, torch=lambda x: x[::2, 1::2]),
    row("Slice-step3", _slice((1,), (9,), (0,), (3,)), _random(9, 2), torch=lambda x: x[1:9:3]),
    row("Slice-wide_step", _slice((1,), (4,), (1,), (9,)), _M, torch=lambda x: x[:, 1:4:9]),
    row("Slice-back", _slice((-1,), (_LOW,), (1,), (-1,)), _M, torch=lambda x: x.flip(1)),
    row("Slice-back_part", _slice((2,), (0,), (1,), (-1,)), _M, torch=lambda x: x[:, 1:3].flip(1)),
    row("Slice-back_steps", _slice((-1, 2), (_LOW, _LOW), (0, 1), (-2, -2)), _M,
        torch=lambda x: x[::2, 0:3:2].flip(0, 1)),
    row("Slice-inputs", _slice_by_inputs, _M, [1], [3], torch=lambda x, b, e: x[1:3]),
    row("Pad", _pad("constant", 1, 0, 0, 2), _M, torch=_torch_pad("constant", 0, 2, 1, 0)),
    row("Pad-value", _pad("constant", 1, 0, 0, 2), _M, np.array(0.5)),
    row("Pad-axes", _pad("constant", 2, 1, axes=(1,)), _M, torch=_torch_pad("constant", 2, 1)),
    row("Pad-edge", _pad("edge", 0, 0, 1, 3, 0, 0, 2, 1), _IMAGE, torch=_torch_pad("replicate", 3, 1, 1, 2)),
    row("Pad-reflect", _pad("reflect", 0, 0, 1, 3, 0, 0, 2, 1), _IMAGE, torch=_torch_pad("reflect", 3, 1, 1, 2)),
    row("Pad-wrap", _pad("wrap", 0, 0, 1, 3, 0, 0, 2, 1), _IMAGE, torch=_torch_pad("circular", 3, 1, 1, 2)),
    row("Pad-edge_axes", _pad("edge", 2, 1, axes=(1,)), _M),
    row("Tile", _moved("Tile", 2, 3), _M, torch=lambda x: x.repeat(2, 3)),
    row("Tile-once", _moved("Tile", 1, 1, 2), _C, torch=lambda x: x.repeat(1, 1, 2)),
    row("SpaceToDepth", lambda g, x: g.op("SpaceToDepth", x, blocksize=2), _random(1, 2, 4, 2)),
    row("DepthToSpace", _depth("DCR"), _random(1, 8, 1, 2)),
    row("DepthToSpace-CRD", _depth("CRD"), _random(1, 8, 1, 2),
        torch=lambda x: __import__("torch").nn.functional.pixel_shuffle(x, 2)),
]  # fmt: skip
SECOND = [r for r in ROWS if r.id in ("Split-all", "Concat-twice", "Slice-steps", "Pad-edge", "Tile", "Expand")]


@pytest.mark.parametrize("slope", ROWS)
def test_differences(slope: Slope) -> None:
    """Gradients agree with central differences."""
    check_first(slope)


@pytest.mark.parametrize("slope", SECOND)
def test_second(slope: Slope) -> None:
    """Gradients of gradients agree with central differences."""
    check_second(slope)


@pytest.mark.parametrize("slope", [r for r in ROWS if r.values[0].torch is not None])
def test_torch(slope: Slope) -> None:
    """Values and gradients agree with PyTorch's."""
    check_torch(slope)


@pytest.mark.parametrize("known", [True, False])
def test_cropping_pads(known: bool) -> None:
    """Negative pads, and pads known at run time only, which ONNX's reference implementation refuses."""
    g = Builder()
    x, pads = g.input("x", np.float64, (3, 4)), g.input("pads", np.int64, (4,))
    y = g.with_dims("Pad", (2, 3), x, g.ints(-1, 1, 0, -2) if known else pads)
    gradient = joint(finish(g, [y]), [0], [0])
    session = onnxruntime.InferenceSession(gradient.model.SerializeToString())
    feeds = [_M, np.array([-1, 1, 0, -2]), np.arange(6.0).reshape(2, 3)]
    (found,) = session.run(None, dict(zip(gradient.input_names, feeds, strict=True)))
    np.testing.assert_array_equal(found, [[0, 0, 0, 0], [1, 2, 0, 0], [4, 5, 0, 0]])


def _of_batches(build: Callable[..., Tensor]) -> Any:
    g = Builder()
    return finish(g, [build(g, g.input("x", np.float64, (Dim.symbol("n"), 4)))])


@pytest.mark.parametrize(
    "build",
    [
        _slice((1,), (4,), (1,), (2,)),
        _pad("constant", 0, 1, 0, 1),
        _pad("edge", 0, 1, 0, 2),
        _moved("Tile", 1, 2),
        _split((1, 3), 1, 1),
    ],
    ids=["Slice", "Pad", "Pad-edge", "Tile", "Split"],
)
def test_symbolic_batch(build: Callable[..., Tensor]) -> None:
    """The same gradients where the batch is known at run time only, and no scatter for a slice."""
    program = _of_batches(build)
    static = Slope(build, (_M,))
    g = Builder()
    fixed = finish(g, [build(g, g.input("x", np.float64, (3, 4)))])
    dy = np.arange(run(fixed, [_M])[0].size, dtype=np.float64).reshape(run(fixed, [_M])[0].shape)
    symbolic = joint(program, static.wrt(), [0])
    np.testing.assert_array_equal(run(symbolic, [_M, dy])[0], run(joint(fixed, [0], [0]), [_M, dy])[0])


def test_strided_slice_needs_no_scatter() -> None:
    """Slices with constant bounds are padded, which is faster than scattering."""
    g = Builder()
    x = g.input("x", np.float64, (8, 9))
    program = joint(finish(g, [_slice((7, 1), (_LOW, 9), (0, 1), (-3, 2))(g, x)]), [0], [0])
    assert not any("Scatter" in n.op_type for n in program.nodes)


def test_slice_of_symbolic_axis() -> None:
    """A slice along an axis whose length is known at run time only."""
    program = _of_batches(lambda g, x: g.op("Slice", x, g.ints(-2), g.ints(99), g.ints(0)))
    gradient = joint(program, [0], [0])
    np.testing.assert_array_equal(run(gradient, [_M, np.ones((2, 4))])[0], [[0] * 4, [1] * 4, [1] * 4])


@pytest.mark.parametrize("name", ["Tile", "Pad"])
def test_refused(name: str) -> None:
    """Rules that need constants, or lengths, say so."""
    g = Builder()
    error: type[GraphError] = NeedsStaticShape
    if name == "Tile":
        error = NotDifferentiableError
        y = g.with_dims("Tile", (6, 4), g.input("x", np.float64, (3, 4)), g.input("r", np.int64, (2,)))
        message = "needs constant repeats"
    else:
        y = _pad("edge", 1, 0, 0, 0)(g, g.input("x", np.float64, (Dim.symbol("n"), 4)))
        message = "mode 'edge' needs a static length of axis 0"
    with pytest.raises(error, match=message):
        joint(finish(g, [y]), [0], [0])
