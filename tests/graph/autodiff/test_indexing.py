"""Gradient rules of gathers, scatters and selections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest

from gluon_onnx.graph.autodiff.engine import joint
from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.dims import Dim
from gluon_onnx.graph.program import finish
from tests.graph.autodiff.slopes import Slope, check_first, check_second, check_torch, row, run

_STREAM = np.random.RandomState(7)


def _random(*shape: int) -> np.ndarray[Any, Any]:
    return _STREAM.permutation(int(np.prod(shape))).reshape(shape) * 0.375 - 1.0625


_M, _C = _random(4, 3), _random(2, 4, 3)
_REPEATED = np.array([[0, 3, 3], [1, 0, 3]])
_COLUMNS = np.array([[0, 2, 2], [1, 1, 1], [2, 0, 0], [0, 0, 2]])
_POINTS = np.array([[0, 2], [3, 1], [0, 2], [-1, -2]])
_ROWS = np.array([[2], [0], [2]])
_UNIQUE = np.array([[2], [0], [3]])


def _op(name: str, **attributes: Any) -> Callable[..., Tensor]:
    return lambda g, *x: g.op(name, *x, **attributes)


def _torch(name: str, *arguments: Any, **settings: Any) -> Callable[..., Any]:
    """A function of PyTorch by name; `arguments` go between the tensor and the others."""

    def call(x: Any, *rest: Any) -> Any:
        import torch

        return getattr(torch, name)(x, *arguments, *rest, **settings)

    return call


def _top(largest: int, axis: int = -1, k: int = 2) -> Callable[..., Tensor]:
    def build(g: Builder, x: Tensor) -> Tensor:
        return g.multi("TopK", 2, x, g.ints(k), largest=largest, axis=axis)[0]

    return build


def _one_hot(g: Builder, indices: Tensor, values: Tensor) -> Tensor:
    return g.op("OneHot", indices, g.const(4, np.int64), values, axis=1)


def _scan(reverse: int = 0, exclusive: int = 0, axis: int = 1) -> Callable[..., Tensor]:
    return lambda g, x: g.op("CumSum", x, g.const(axis, np.int64), reverse=reverse, exclusive=exclusive)


def _triangle(upper: int, k: int = 0) -> Callable[..., Tensor]:
    return lambda g, x: g.op("Trilu", x, g.const(k, np.int64), upper=upper)


def _reversed(time: int) -> Callable[..., Tensor]:
    def build(g: Builder, x: Tensor, lengths: Tensor) -> Tensor:
        return g.op("ReverseSequence", x, lengths, time_axis=time, batch_axis=1 - time)

    return build


def _reduced(kind: str) -> Callable[..., Any]:
    return lambda x, i, v: x.scatter_reduce(1, i, v, kind)


ROWS = [
    row("Gather", _op("Gather"), _M, [2, 0, 2], torch=lambda x, i: x[i]),
    row("Gather-matrix", _op("Gather"), _M, _REPEATED, torch=lambda x, i: x[i]),
    row("Gather-axis1", _op("Gather", axis=1), _C, _REPEATED, torch=lambda x, i: x[:, i]),
    row("Gather-last", _op("Gather", axis=-1), _M, [-1, 0, -1], torch=lambda x, i: x[:, i]),
    row("Gather-one", _op("Gather", axis=1), _C, 2, torch=lambda x, i: x[:, i]),
    row("Gather-vector", _op("Gather"), _random(5), [4, 4, 0], torch=lambda x, i: x[i]),
    row("GatherElements", _op("GatherElements", axis=1), _M, _COLUMNS, torch=_torch("gather", 1)),
    row("GatherElements-axis0", _op("GatherElements"), _M, _REPEATED, torch=_torch("gather", 0)),
    row("GatherND", _op("GatherND"), _M, _POINTS, torch=lambda x, i: x[i[:, 0], i[:, 1]]),
    row("GatherND-rows", _op("GatherND"), _M, _ROWS, torch=lambda x, i: x[i[:, 0]]),
    row("GatherND-grid", _op("GatherND"), _C, [[[0, 1], [1, 3]], [[0, 1], [0, 0]]],
        torch=lambda x, i: x[i[..., 0], i[..., 1]]),
    row("GatherND-batch", _op("GatherND", batch_dims=1), _C, [[[1], [1]], [[3], [0]]],
        torch=lambda x, i: _torch("stack")([x[0, i[0, :, 0]], x[1, i[1, :, 0]]])),
    row("ScatterElements", _op("ScatterElements", axis=1), _M, [[0, 2], [1, 0], [2, 1], [0, 1]], _random(4, 2),
        torch=lambda x, i, v: x.scatter(1, i, v)),
    row("ScatterElements-add", _op("ScatterElements", axis=1, reduction="add"), _M, _COLUMNS, _random(4, 3),
        torch=lambda x, i, v: x.scatter_add(1, i, v)),
    row("ScatterElements-mul", _op("ScatterElements", axis=1, reduction="mul"), _M, _COLUMNS, _random(4, 3),
        torch=_reduced("prod")),
    row("ScatterElements-max", _op("ScatterElements", axis=1, reduction="max"), _M, _COLUMNS, _random(4, 3) + 0.1,
        torch=_reduced("amax")),
    row("ScatterElements-min", _op("ScatterElements", axis=1, reduction="min"), _M, _COLUMNS, _random(4, 3) + 0.1,
        torch=_reduced("amin")),
    row("ScatterND", _op("ScatterND"), _M, _UNIQUE, _random(3, 3), torch=lambda x, i, v: x.index_put((i[:, 0],), v)),
    row("ScatterND-points", _op("ScatterND"), _M, [[0, 2], [3, 1], [-1, -1]], _random(3),
        torch=lambda x, i, v: x.index_put((i[:, 0], i[:, 1]), v)),
    row("ScatterND-add", _op("ScatterND", reduction="add"), _M, _POINTS, _random(4),
        torch=lambda x, i, v: x.index_put((i[:, 0], i[:, 1]), v, accumulate=True)),
    row("ScatterND-add_rows", _op("ScatterND", reduction="add"), _M, _ROWS, _random(3, 3),
        torch=lambda x, i, v: x.index_put((i[:, 0],), v, accumulate=True)),
    row("ScatterND-mul", _op("ScatterND", reduction="mul"), _M, _ROWS, _random(3, 3)),
    row("ScatterND-max", _op("ScatterND", reduction="max"), _M, _ROWS, _random(3, 3) + 0.1),
    row("OneHot", _one_hot, [[0, 3, 1], [2, 2, -1]], [0.5, 2.0]),
    row("TopK", _top(1), _M, torch=lambda x: x.topk(2).values),
    row("TopK-smallest", _top(0, axis=0), _M, torch=lambda x: x.topk(2, 0, largest=False).values),
    row("CumSum", _scan(), _C, torch=lambda x: x.cumsum(1)),
    row("CumSum-last", _scan(axis=-1), _C, torch=lambda x: x.cumsum(-1)),
    row("CumSum-reverse", _scan(reverse=1), _C, torch=lambda x: x.flip(1).cumsum(1).flip(1)),
    row("CumSum-exclusive", _scan(exclusive=1), _C, torch=lambda x: x.cumsum(1) - x),
    row("CumSum-both", _scan(1, 1), _C, torch=lambda x: x.flip(1).cumsum(1).flip(1) - x),
    row("Trilu-upper", _triangle(1, 1), _C, torch=lambda x: x.triu(1)),
    row("Trilu-lower", _triangle(0, -1), _C, torch=lambda x: x.tril(-1)),
    row("ReverseSequence", _reversed(0), _M, [4, 1, 3]),
    row("ReverseSequence-batch0", _reversed(1), _C, [2, 4]),
    row("Compress", _op("Compress", axis=0), _M, [True, False, True, True], torch=lambda x, c: x[c]),
    row("Compress-axis1", _op("Compress", axis=1), _M, [False, False, True], torch=lambda x, c: x[:, c]),
    row("Compress-short", _op("Compress", axis=0), _M, [False, True], torch=lambda x, c: x[1:2]),
    row("Compress-flat", _op("Compress"), _M, [True, False, False, True], torch=lambda x, c: x.reshape(-1)[[0, 3]]),
    row("Where", _op("Where"), [[True], [False], [True], [False]], _M, _random(3),
        torch=lambda c, x, y: x.where(c, y)),
]  # fmt: skip
_TWICE = ("Gather", "GatherND", "ScatterElements-add", "ScatterElements-mul", "TopK", "CumSum")
SECOND = [r for r in ROWS if r.id in _TWICE]


@pytest.mark.parametrize("slope", ROWS)
def test_differences(slope: Slope) -> None:
    """Gradients agree with central differences; places that occur more than once get the sum."""
    check_first(slope)


@pytest.mark.parametrize("slope", SECOND)
def test_second(slope: Slope) -> None:
    """Gradients of gradients agree with central differences."""
    check_second(slope)


@pytest.mark.parametrize("slope", [r for r in ROWS if r.values[0].torch is not None])
def test_torch(slope: Slope) -> None:
    """Values and gradients agree with PyTorch's."""
    check_torch(slope)


def test_ties() -> None:
    """Equal candidates of a maximum share its gradient, as in PyTorch."""
    x, values = np.array([[1.0, 5.0, 2.0]]), np.array([[3.0, 3.0, 5.0, 0.0]])
    build = _op("ScatterElements", axis=1, reduction="max")
    check_torch(Slope(build, (x, np.array([[0, 0, 1, 2]]), values), _reduced("amax"), smooth=False))


def _sum_of_rows(dt: Any, count: int, size: int) -> tuple[Any, np.ndarray[Any, Any]]:
    """The gradient program of a gather of many rows, and its indices."""
    g = Builder()
    x, i = g.input("x", dt, (size, 8)), g.input("i", np.int64, (count,))
    program = joint(finish(g, [g.op("Gather", x, i)]), [0], [0])
    return program, _STREAM.randint(0, size, count)


@pytest.mark.parametrize("threads", [1, 4])
def test_many_repetitions(threads: int) -> None:
    """Sums over thousands of equal positions are right on several threads."""
    program, places = _sum_of_rows(np.float32, 3000, 5)
    assert not any(n.op_type == "ScatterND" for n in program.nodes)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(program.model.SerializeToString(), options)
    dy = _STREAM.randint(-8, 9, (3000, 8)).astype(np.float32)
    expected = np.zeros((5, 8), np.float32)
    np.add.at(expected, places, dy)
    feeds = [np.zeros((5, 8), np.float32), places, dy]
    (found,) = session.run(None, dict(zip(program.input_names, feeds, strict=True)))
    np.testing.assert_array_equal(found, expected)


def test_half_precision() -> None:
    """Sums of float16 are made in float32: 4096 ones are 4096, and not 2048."""
    program, _ = _sum_of_rows(np.float16, 4096, 2)
    session = onnxruntime.InferenceSession(program.model.SerializeToString())
    feeds = [np.zeros((2, 8), np.float16), np.zeros(4096, np.int64), np.ones((4096, 8), np.float16)]
    (found,) = session.run(None, dict(zip(program.input_names, feeds, strict=True)))
    np.testing.assert_array_equal(found, [[4096] * 8, [0] * 8])


@pytest.mark.parametrize("name", ["Gather", "GatherND", "ScatterND"])
def test_symbolic(name: str) -> None:
    """Lengths that are known at run time only."""
    g = Builder()
    x, i = g.input("x", np.float64, (Dim.symbol("n"), 3)), g.input("i", np.int64, (Dim.symbol("k"), 1))
    values = [g.input("v", np.float64, (Dim.symbol("k"), 3))] if name == "ScatterND" else []
    program = finish(g, [g.op(name, x, i, *values)])
    static = Slope(_op(name), (_M, _UNIQUE, _random(3, 3))[: 2 + len(values)])
    wrt = static.wrt()
    dy = np.ones(run(program, static.inputs)[0].shape)
    found = run(joint(program, wrt, [0]), [*static.inputs, dy])
    expected = np.zeros((4, 3)) if name != "ScatterND" else np.ones((4, 3))
    expected[_UNIQUE[:, 0]] = 1 if name != "ScatterND" else 0
    np.testing.assert_array_equal(found[0], expected)


@pytest.mark.parametrize("attributes", [{}, {"reverse": 1}, {"exclusive": 1}])
def test_running_products_of_any_length(attributes: dict[str, int]) -> None:
    """The number of nodes does not depend on the length; zeros are no exception."""
    g = Builder()
    x = g.input("x", np.float64, (Dim.symbol("n"), 2))
    gradient = joint(finish(g, [g.op("CumProd", x, g.const(np.int64(0)), **attributes)]), [0], [0])
    for count in (1, 4):
        values = np.random.RandomState(count).uniform(0.5, 1.5, size=(count, 2))
        values[count // 2, 1] = 0.0
        fixed = Slope(lambda g, x: g.op("CumProd", x, g.const(np.int64(0)), **attributes), (values,))
        check_first(fixed)
        check_second(fixed)
        inner = Builder()
        y = inner.op("CumProd", inner.input("x", np.float64, (count, 2)), inner.const(np.int64(0)), **attributes)
        static = joint(finish(inner, [y]), [0], [0])
        head = np.random.RandomState(9).uniform(-1, 1, size=(count, 2))
        session = onnxruntime.InferenceSession(gradient.model.SerializeToString(), providers=["CPUExecutionProvider"])
        (found,) = session.run(None, dict(zip(gradient.input_names, [values, head], strict=True)))
        np.testing.assert_allclose(found, run(static, [values, head])[0], rtol=1e-12, atol=1e-13)
