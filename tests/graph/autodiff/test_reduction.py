"""Gradient rules of reductions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gluon_onnx.graph.autodiff.engine import joint
from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.dims import Dim
from gluon_onnx.graph.program import finish
from tests.graph.autodiff.slopes import (
    Slope,
    check_first,
    check_second,
    check_torch,
    gradients,
    mxnet,
    row,
    run,
)

_NAN = math.nan
_X = np.array([[[0.6, -1.2, 1.7], [2.1, -0.4, 0.9]], [[-0.8, 1.3, 0.35], [1.1, 0.25, -1.9]]])
_ZEROS = np.array([[1.5, 0.0, 2.0, -0.5], [0.0, 0.0, 3.0, 2.0], [0.5, 2.0, -3.0, 4.0]])
_AXES: dict[str, tuple[list[int] | None, bool]] = {
    "all": (None, False),
    "first": ([0], False),
    "middle_kept": ([1], True),
    "last_two": ([-1, 1], False),
    "ends_kept": ([0, 2], True),
}


def reduce(kind: str, axes: list[int] | None, keepdims: bool) -> Callable[..., Tensor]:
    """An ONNX reduction over some axes, or without naming any."""
    return lambda g, x: g.op(
        f"Reduce{kind}", x, None if axes is None else g.ints(*axes), keepdims=int(keepdims)
    )


def _torch(kind: str, axes: list[int] | None, keepdims: bool) -> Callable[..., Any]:
    def call(x: Any) -> Any:
        import torch

        over = tuple(range(x.ndim) if axes is None else axes)
        options = {"dim": over, "keepdim": keepdims}
        table: dict[str, Callable[[], Any]] = {
            "Sum": lambda: x.sum(**options),
            "Mean": lambda: x.mean(**options),
            "Max": lambda: x.amax(**options),
            "Min": lambda: x.amin(**options),
            "SumSquare": lambda: (x * x).sum(**options),
            "L1": lambda: x.abs().sum(**options),
            "L2": lambda: torch.linalg.vector_norm(x, **options),
            "LogSumExp": lambda: torch.logsumexp(x, **options),
        }
        return table[kind]()

    return call


_ROWS = [
    row(f"{kind}-{name}", reduce(kind, *how), _X, torch=_torch(kind, *how))
    for kind in ("Sum", "Mean", "Max", "Min", "SumSquare", "L1", "L2", "LogSumExp")
    for name, how in _AXES.items()
] + [
    row(f"{kind}-{name}", reduce(kind, *how), _X if kind == "Prod" else np.abs(_X))
    for kind in ("Prod", "LogSum")
    for name, how in _AXES.items()
]
_MORE = [
    row("prod-zeros", reduce("Prod", [1], False), _ZEROS, torch=lambda x: x.prod(dim=1)),
    row("prod-one", reduce("Prod", [1], False), _ZEROS[:, :1], torch=lambda x: x.prod(dim=1)),
    row("prod-long", reduce("Prod", [0], False), np.linspace(-1.2, 1.3, 11), torch=lambda x: x.prod()),
    row("cumsum", lambda g, x: g.op("CumSum", x, g.const(1, np.int64)), _X, torch=lambda x: x.cumsum(1)),
    row("norm1", mxnet("norm", ord=1, axis=1), _X),
    row("norm2", mxnet("norm", axis=(0, 2)), _X),
    row("moments", mxnet("moments", axes=(0, 2)), _X, torch=lambda x: x.mean((0, 2))),
    row("variance", mxnet("moments", 1, axes=(0, 2)), _X,
        torch=lambda x: x.var((0, 2), correction=0)),
    row("nansum", mxnet("nansum", axis=1), _X, torch=lambda x: x.nansum(1)),
    row("square_sum", mxnet("_square_sum", axis=(1,), keepdims=True), _X, torch=lambda x: (x * x).sum(1, keepdim=True)),
]  # fmt: skip


@pytest.mark.parametrize("slope", [*_ROWS, *_MORE])
def test_first_derivative(slope: Slope) -> None:
    check_first(slope)


@pytest.mark.parametrize("slope", [*_ROWS, *_MORE])
def test_second_derivative(slope: Slope) -> None:
    check_second(slope)


@pytest.mark.parametrize("slope", [r for r in [*_ROWS, *_MORE] if r.values[0].torch is not None])
def test_as_in_torch(slope: Slope) -> None:
    check_torch(slope)


_CORNERS = [
    ("max_ties", reduce("Max", [1], False), [[1.0, 3.0, 3.0], [0.0, 0.0, 0.0]], [[0, 1, 1], [1, 1, 1]]),
    ("min_ties", reduce("Min", [1], True), [[1.0, 3.0, 1.0], [0.0, -0.0, 0.0]], [[1, 0, 1], [1, 1, 1]]),
    ("max_nan", mxnet("max", axis=1), [[1.0, _NAN, 3.0], [2.0, 1.0, 0.0]], [[0, 0, 0], [1, 0, 0]]),
    ("norm_of_zero", reduce("L2", [1], False), [[0.0, 0.0], [3.0, -4.0]], [[0, 0], [0.6, -0.8]]),
    ("norm1_of_zero", reduce("L1", [1], False), [[0.0, 0.0], [3.0, -4.0]], [[0, 0], [1, -1]]),
    ("nansum", mxnet("nansum", axis=1), [[_NAN, 2.0, 3.0]], [[0, 1, 1]]),
    ("nanprod", mxnet("nanprod", axis=1), [[_NAN, 2.0, 3.0], [0.0, 2.0, _NAN]], [[0, 3, 2], [2, 0, 0]]),
    ("argmax", mxnet("argmax", axis=1), [[1.0, 2.0]], [[0, 0]]),
]  # fmt: skip


@pytest.mark.parametrize(("build", "x", "expected"), [pytest.param(*c[1:], id=c[0]) for c in _CORNERS])
def test_corners(build: Callable[..., Tensor], x: list[Any], expected: list[Any]) -> None:
    """Ties, as in MXNet; zeros and NaN, where MXNet says NaN for a norm and a product that have slopes."""
    (found,) = gradients(build, [np.array(x)])
    np.testing.assert_allclose(found, expected, rtol=1e-15)


@pytest.mark.parametrize("kind", ["Prod", "Mean", "L2", "Max"])
def test_symbolic_length(kind: str) -> None:
    """One gradient program for every length of the axis."""
    g = Builder()
    x = g.input("x", np.float64, (3, Dim.symbol("n")))
    program = finish(g, [g.op(f"Reduce{kind}", x, g.ints(1), keepdims=0)], names=["y"])
    gradient = joint(program, [0], [0])
    for array in (_ZEROS, _ZEROS[:, :3], np.tile(_ZEROS, (1, 2))):
        dy = np.array([1.0, -2.0, 0.5])
        (expected,) = gradients(lambda g, v, dy=dy: reduce(kind, [1], False)(g, v) * g.const(dy), [array])
        np.testing.assert_allclose(run(gradient, [array, dy])[0], expected, rtol=1e-14)
