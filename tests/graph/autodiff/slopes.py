"""Checks of gradient rules: central differences, and PyTorch where it is installed, in double precision."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from gluon_onnx.graph.autodiff.engine import joint
from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.ops import find
from gluon_onnx.graph.program import Program, finish

Array = np.ndarray[Any, Any]
_STEP = 1e-5


@dataclass(frozen=True)
class Slope:
    """One row: a function of tensors, where it is evaluated, and the same in PyTorch.

    Attributes
    ----------
    build : ``build(builder, *tensors)`` emits it.
    inputs : float64 operands; those of other types get no gradient.
    torch : ``torch(*tensors)``, or None where PyTorch has nothing like it.
    smooth : whether central differences hold: no kink lies at or near the operands.
    """

    build: Callable[..., Tensor]
    inputs: tuple[Array, ...]
    torch: Callable[..., Any] | None = None
    smooth: bool = True

    def wrt(self) -> list[int]:
        """Positions of the operands that have gradients."""
        return [i for i, x in enumerate(self.inputs) if x.dtype == np.float64]


def row(name: str, build: Callable[..., Tensor], *inputs: Any, torch: Any = None, smooth: bool = True) -> Any:
    """A row as a parameter of a test."""
    return pytest.param(Slope(build, tuple(map(np.asarray, inputs)), torch, smooth), id=name)


def mxnet(name: str, _output: int = 0, **params: Any) -> Callable[..., Tensor]:
    """A function that is a result of one of MXNet's operators."""

    def build(g: Builder, *x: Tensor) -> Tensor:
        op = find(name)
        attrs = op.parse(params)
        return op.lower(g, x, attrs, op.argument_names(attrs, len(x)))[_output]

    return build


def program_of(slope: Slope) -> Program:
    """The row's function as a program."""
    g = Builder()
    tensors = [g.input(f"x{i}", x.dtype, x.shape) for i, x in enumerate(slope.inputs)]
    return finish(g, [slope.build(g, *tensors)], names=["y"])


def runner(program: Program) -> Callable[[Sequence[Array]], list[Array]]:
    """The program as a function, by ONNX's reference implementation."""
    evaluator, names = ReferenceEvaluator(program.model), program.input_names

    def evaluate(feeds: Sequence[Array]) -> list[Array]:
        with np.errstate(all="ignore"):
            results: list[Array] = evaluator.run(None, dict(zip(names, feeds, strict=True)))
        return results

    return evaluate


def run(program: Program, feeds: Sequence[Array]) -> list[Array]:
    """The results of a program by ONNX's reference implementation."""
    return runner(program)(feeds)


def gradients(build: Callable[..., Tensor], inputs: Sequence[Array]) -> list[Array]:
    """The gradients of the sum of the results, of all floating-point operands."""
    g = Builder()
    program = finish(g, [build(g, *(g.input(f"x{i}", x.dtype, x.shape) for i, x in enumerate(inputs)))], names=["y"])
    wrt = [i for i, x in enumerate(inputs) if x.dtype.kind == "f"]
    y = program.outputs[0]
    ones = np.ones([d for d in y.dims if isinstance(d, int)], y.dt)
    return run(joint(program, wrt, [0]), [*inputs, ones])


def head(shape: tuple[int, ...], seed: int) -> Array:
    """What the results are weighted with: no two weights are equal."""
    return np.random.RandomState(seed).permutation(int(np.prod(shape))).reshape(shape) * 0.25 - 1.125


def differences(program: Program, feeds: Sequence[Array], wrt: Sequence[int], heads: Sequence[Array]) -> list[Array]:
    """Gradients of ``sum(result * head)`` by central differences."""

    evaluate = runner(program)

    def value(arrays: Sequence[Array]) -> float:
        return sum(float((r * h).sum()) for r, h in zip(evaluate(arrays), heads, strict=True))

    grads = []
    for i in wrt:
        grad = np.zeros(feeds[i].shape)
        for place in np.ndindex(feeds[i].shape):
            sides = []
            for step in (_STEP, -_STEP):
                moved = [np.array(x) for x in feeds]
                moved[i][place] += step
                sides.append(value(moved))
            grad[place] = (sides[0] - sides[1]) / (2 * _STEP)
        grads.append(grad)
    return grads


def check_first(slope: Slope) -> None:
    """The gradient against central differences."""
    program, wrt = program_of(slope), slope.wrt()
    dy = head(run(program, slope.inputs)[0].shape, 1)
    found = run(joint(program, wrt, [0]), [*slope.inputs, dy])
    for a, b in zip(found, differences(program, slope.inputs, wrt, [dy]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-8)


def check_second(slope: Slope) -> None:
    """The gradient of the gradient against central differences of the gradient."""
    program, wrt = program_of(slope), slope.wrt()
    dy = head(run(program, slope.inputs)[0].shape, 1)
    first = joint(program, wrt, [0])
    feeds = [*slope.inputs, dy]
    places = [*wrt, len(slope.inputs)]
    heads = [head(slope.inputs[i].shape, 2 + i) for i in wrt]
    found = run(joint(first, places, range(len(wrt))), [*feeds, *heads])
    for a, b in zip(found, differences(first, feeds, places, heads), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@functools.cache
def _torch() -> Any:
    return pytest.importorskip("torch")


def check_torch(slope: Slope) -> None:
    """Values and gradients against PyTorch's, at kinks and in corners too."""
    torch = _torch()
    program, wrt = program_of(slope), slope.wrt()
    y = run(program, slope.inputs)[0]
    dy = head(y.shape, 1)
    found = run(joint(program, wrt, [0]), [*slope.inputs, dy])
    tensors = [torch.tensor(x, requires_grad=x.dtype == np.float64) for x in slope.inputs]
    assert slope.torch is not None
    result = slope.torch(*tensors)
    np.testing.assert_allclose(y, result.detach().numpy(), rtol=1e-12, atol=1e-13)
    result.backward(torch.tensor(dy))
    for i, a in zip(wrt, found, strict=True):
        np.testing.assert_allclose(a, tensors[i].grad.numpy(), rtol=1e-10, atol=1e-11)
