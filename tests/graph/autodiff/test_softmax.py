"""Gradient rules of softmax, losses over classes and Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.errors import NotDifferentiableError
from tests.graph.autodiff.slopes import Slope, check_first, check_second, check_torch, program_of, row, run

_STREAM = np.random.RandomState(8)
_X = _STREAM.standard_normal((3, 4)).round(3)
_DEEP = _STREAM.standard_normal((2, 3, 2)).round(3)
_LABELS, _DEEP_LABELS = np.array([0, 3, 1]), np.array([[0, 2], [1, 1]])
_WEIGHTS = np.array([0.5, 1.0, 2.0, 0.25], np.float64)


def _op(op: str, **attributes: Any) -> Any:
    return lambda g, *x: g.op(op, *x, **attributes)


def _loss(op: str, **attributes: Any) -> Any:
    """Class weights are constants here, which have no gradient."""

    def build(g: Builder, scores: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        return g.op(op, scores, labels, *([] if weights is None else [g.const(_WEIGHTS)]), **attributes)

    return build


def _torch(name: str, **options: Any) -> Any:
    def function(x: Any, *rest: Any) -> Any:
        import torch

        extra = {"weight": torch.tensor(_WEIGHTS)} if len(rest) > 1 else {}
        return getattr(torch.nn.functional, name)(x, *rest[:1], **options, **extra)

    return function


_HERE = _WEIGHTS.astype(
    np.float32
)  # marks a row with weights; single precision has no gradient in these tests
_LOSSES = (("SoftmaxCrossEntropyLoss", "cross_entropy"), ("NegativeLogLikelihoodLoss", "nll_loss"))


def _classes(weighted: bool, *reductions: str) -> list[Any]:
    """Both losses over classes with each reduction."""
    operands = (_X, _LABELS, _HERE) if weighted else (_X, _LABELS)
    rows = []
    for op, name in _LOSSES:
        for how in reductions:
            where = f"{name}-{'weights-' * weighted}{how}"
            rows.append(row(where, _loss(op, reduction=how), *operands, torch=_torch(name, reduction=how)))
    return rows


_ENTROPY = "SoftmaxCrossEntropyLoss"
ROWS = [
    row("softmax", _op("Softmax"), _X, torch=_torch("softmax", dim=-1)),
    row("softmax_axis", _op("Softmax", axis=1), _DEEP, torch=_torch("softmax", dim=1)),
    row("log_softmax", _op("LogSoftmax", axis=0), _X, torch=_torch("log_softmax", dim=0)),
    *_classes(False, "none", "sum", "mean"),
    *_classes(True, "none", "mean"),
    row("deep", _loss(_ENTROPY), _DEEP, _DEEP_LABELS, torch=_torch("cross_entropy")),
    row(
        "ignore",
        _loss(_ENTROPY, ignore_index=1),
        _DEEP,
        _DEEP_LABELS,
        torch=_torch("cross_entropy", ignore_index=1),
    ),
]


@pytest.mark.parametrize("slope", ROWS)
def test_torch(slope: Slope) -> None:
    check_torch(slope)


@pytest.mark.parametrize(
    "slope", [p for p in ROWS if p.id in ("softmax", "log_softmax", "cross_entropy-mean")]
)
def test_second_order(slope: Slope) -> None:
    check_second(slope)


def _both(g: Builder, x: Tensor, labels: Tensor) -> Tensor:
    loss, log = g.multi("SoftmaxCrossEntropyLoss", 2, x, labels)
    return loss + log


def test_logarithms_are_a_result_too() -> None:
    check_first(Slope(_both, (_X, _LABELS)))


@pytest.mark.parametrize("training", [None, False])
def test_dropout_at_rest(training: bool | None) -> None:
    def build(g: Builder, x: Tensor) -> Tensor:
        more = [] if training is None else [g.const(0.5, np.float32), g.const(np.bool_(training))]
        return g.op("Dropout", x, *more)

    check_first(Slope(build, (_X,)))


def test_dropout_in_training() -> None:
    """The gradient of ones is what remains of ones."""
    from gluon_onnx.graph.autodiff.engine import joint

    def build(g: Builder, x: Tensor) -> Tensor:
        return g.multi("Dropout", 2, x, g.const(0.25, np.float32), g.const(np.bool_(True)), seed=3)[0]

    slope = Slope(build, (np.ones((6, 5)),))
    program = program_of(slope)
    (value,) = run(program, slope.inputs)
    (grad,) = run(joint(program, [0], [0]), [*slope.inputs, np.ones((6, 5))])
    np.testing.assert_allclose(np.unique(value), [0, 4 / 3])
    np.testing.assert_allclose(grad, value, rtol=1e-6)


def test_dropout_without_its_mask() -> None:
    def build(g: Builder, x: Tensor) -> Tensor:
        return g.op("Dropout", x, g.const(0.25, np.float32), g.const(np.bool_(True)))

    with pytest.raises(NotDifferentiableError, match="the mask"):
        check_first(Slope(build, (_X,)))
