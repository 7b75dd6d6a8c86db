"""Losses: what the table in rows.py (checked in test_nn.py) does not show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special

import gluon_onnx as mx
from gluon_onnx import autograd, nd, sym
from gluon_onnx.gluon import HybridBlock, loss

DRAW = np.random.default_rng(5)
PRED = DRAW.standard_normal((4, 3)).astype(np.float32)
LABEL = DRAW.standard_normal((4, 3)).astype(np.float32)
WEIGHTS = np.array([[0.5], [2.0], [0.0], [1.0]], np.float32)


@pytest.mark.parametrize("make", [loss.L1Loss, loss.L2Loss, loss.HuberLoss, loss.HingeLoss, loss.SquaredHingeLoss,
                                  loss.LogisticLoss, loss.SigmoidBCELoss, loss.KLDivLoss])  # fmt: skip
@pytest.mark.parametrize("hybridize", [False, True], ids=["eager", "hybridized"])
def test_weights_scale_samples(make: Any, hybridize: bool) -> None:
    plain, weighted = make(), make(weight=3.0)
    if make is loss.L2Loss:
        weighted = make(weight=3.0 * plain._weight)
    if hybridize:
        plain.hybridize()
        weighted.hybridize()
    label = nd.array(np.abs(LABEL) / 4)
    expected = plain(nd.array(PRED), label).asnumpy() * 3 * WEIGHTS[:, 0]
    np.testing.assert_allclose(weighted(nd.array(PRED), label, nd.array(WEIGHTS)).asnumpy(), expected, rtol=1e-5)


def test_batch_axis_is_what_remains() -> None:
    x = nd.array(DRAW.standard_normal((4, 5, 3)))
    assert loss.L2Loss(batch_axis=1)(x, x * 2).shape == (5,)
    assert loss.KLDivLoss(batch_axis=2)(x, x * x).shape == (3,)


@pytest.mark.parametrize(("make", "text"), [
    (lambda: loss.L2Loss(), "L2Loss(batch_axis=0, w=1.0)"),
    (lambda: loss.SoftmaxCELoss(weight=2), "SoftmaxCrossEntropyLoss(batch_axis=0, w=2)"),
    (lambda: loss.CTCLoss(label_layout="TN"), "CTCLoss(batch_axis=1, w=None)"),
])  # fmt: skip
def test_texts(make: Any, text: str) -> None:
    assert repr(make()) == text


def test_short_names() -> None:
    assert loss.SigmoidBCELoss is loss.SigmoidBinaryCrossEntropyLoss
    assert loss.SoftmaxCELoss is loss.SoftmaxCrossEntropyLoss


def test_cross_entropy_of_large_scores_is_finite() -> None:
    scores = nd.array([[1000.0, -1000.0], [-1000.0, 1000.0]])
    np.testing.assert_array_equal(loss.SoftmaxCELoss()(scores, nd.array([0, 0])).asnumpy(), [0, 2000])
    bce = loss.SigmoidBCELoss()
    np.testing.assert_array_equal(bce(scores, nd.array([[1, 0], [1, 0]])).asnumpy(), [0, 1000])
    weighted = bce(scores, nd.array([[1, 0], [1, 0]]), None, nd.array([[3.0, 3.0]]))
    np.testing.assert_array_equal(weighted.asnumpy(), [0, 2000])


@pytest.mark.parametrize("hybridize", [False, True], ids=["eager", "hybridized"])
def test_poisson_loss_of_zero_counts(hybridize: bool) -> None:
    """MXNet gives NaN with compute_full where a target is 0, and has no symbol form of it."""
    block = loss.PoissonNLLLoss(compute_full=True)
    if hybridize:
        block.hybridize()
    pred, target = nd.array(PRED), nd.array([[0, 1, 2], [3, 0, 5], [1, 1, 0], [10, 2, 0]])
    pred.attach_grad()
    with autograd.record():
        value = block(pred, target)
    value.backward()
    t = target.asnumpy()
    stirling = np.where(t > 1, scipy.special.xlogy(t, t) - t + 0.5 * np.log(2 * np.pi * np.maximum(t, 1)), 0)
    np.testing.assert_allclose(value.asnumpy(), [(np.exp(PRED) - t * PRED + stirling).mean()], rtol=1e-5)
    np.testing.assert_allclose(pred.grad.asnumpy(), (np.exp(PRED) - t) / t.size, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("hybridize", [False, True], ids=["eager", "hybridized"])
def test_sdml_loss(hybridize: bool) -> None:
    """MXNet's cannot be hybridized, as it looks at shapes."""
    block = loss.SDMLLoss(smoothing_parameter=0.2)
    if hybridize:
        block.hybridize()
    a, b = PRED.astype(np.float64), LABEL.astype(np.float64)
    for n in (4, 3):
        distances = ((a[:n, None] - b[None, :n]) ** 2).sum(2)
        labels = np.full((n, n), 0.2 / (n - 1))
        np.fill_diagonal(labels, 0.8)
        expected = (labels * (np.log(labels) - scipy.special.log_softmax(-distances, axis=1))).sum(1) / n
        np.testing.assert_allclose(block(nd.array(a[:n]), nd.array(b[:n])).asnumpy(), expected * n, rtol=1e-4)


def test_cosine_loss_of_a_zero_vector() -> None:
    zero = nd.zeros((1, 3))
    assert loss.CosineEmbeddingLoss()(zero, nd.ones((1, 3)), nd.array([1])).asnumpy().tolist() == [[1.0]]


def test_float64_stays_float64() -> None:
    x = nd.array(PRED, dtype="float64")
    for block in (loss.CosineEmbeddingLoss(), loss.HuberLoss(), loss.L2Loss()):
        args = (x, x, nd.ones((4,), dtype="float64")) if isinstance(block, loss.CosineEmbeddingLoss) else (x, x)
        assert block(*args).dtype == np.float64


def test_helpers_that_other_libraries_import() -> None:
    class Mine(loss.Loss):
        def hybrid_forward(self, F: Any, pred: Any, label: Any) -> Any:
            label = loss._reshape_like(F, label, pred)
            return loss._apply_weighting(F, F.abs(pred - label), self._weight, None)

    block = Mine(2.0, 0)
    expected = 2 * np.abs(PRED - LABEL)
    eager = block(nd.array(PRED), nd.array(LABEL.reshape(-1)))
    block.hybridize()
    np.testing.assert_allclose(eager.asnumpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(block(nd.array(PRED), nd.array(LABEL.reshape(-1))).asnumpy(), expected, rtol=1e-6)
    assert isinstance(block, HybridBlock)


def test_a_loss_is_a_symbol() -> None:
    out = loss.SoftmaxCELoss(prefix="ce_")(sym.var("pred"), sym.var("label"))
    assert out.list_arguments() == ["pred", "label"]
    assert out.infer_shape(pred=(4, 5), label=(4,))[1] == [(4,)]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: loss.L1Loss(weight="1")(nd.ones((1, 2)), nd.ones((1, 2))), AssertionError,
         "weight must be a number, got str"),
        (lambda: loss.CTCLoss(layout="CTN"), AssertionError, "Only 'NTC' and 'TNC' layouts for pred .* Got: CTN"),
        (lambda: loss.CTCLoss(label_layout="C"), AssertionError, "Only 'NT' and 'TN' layouts for label .* Got: C"),
        (lambda: loss.LogisticLoss(label_format="x"), ValueError, "signed or binary, received x"),
        (lambda: loss.L2Loss()(nd.ones((2, 3)), nd.ones((2, 2))), mx.MXNetError, "reshape|Reshape"),
        (lambda: loss.Loss(None, 0)(nd.ones((2, 3))), NotImplementedError, "Loss must define hybrid_forward"),
    ],
)  # fmt: skip
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
