"""Losses: `gluon.loss`. Each maps a batch to one number for every sample, of shape (N,)."""

from __future__ import annotations

import math
from typing import Any

from .. import ndarray
from ..base import numeric_types
from .hybrid_block import HybridBlock

__all__ = [
    "CTCLoss", "CosineEmbeddingLoss", "HingeLoss", "HuberLoss", "KLDivLoss", "L1Loss", "L2Loss",
    "LogisticLoss", "Loss", "PoissonNLLLoss", "SDMLLoss", "SigmoidBCELoss", "SigmoidBinaryCrossEntropyLoss",
    "SoftmaxCELoss", "SoftmaxCrossEntropyLoss", "SquaredHingeLoss", "TripletLoss",
]  # fmt: skip


def _apply_weighting(F: Any, loss: Any, weight: float | None = None, sample_weight: Any = None) -> Any:
    """`loss` times the weights of samples and the weight of the whole.

    Parameters
    ----------
    weight : a number.
    sample_weight : an array that broadcasts to `loss`: (N, 1) for a `loss` of shape (N, ...).

    Raises
    ------
    AssertionError : `weight` is not a number.
    """
    if sample_weight is not None:
        loss = F.broadcast_mul(loss, sample_weight)
    if weight is not None:
        if not isinstance(weight, numeric_types):
            raise AssertionError(f"weight must be a number, got {type(weight).__name__}")
        loss = loss * weight
    return loss


def _reshape_like(F: Any, x: Any, y: Any) -> Any:
    """`x` in the shape of `y`."""
    return x.reshape(y.shape) if F is ndarray else F.reshape_like(x, y)


class Loss(HybridBlock):
    """Base class of losses.

    Parameters
    ----------
    weight : factor for the whole, or None.
    batch_axis : the axis that counts samples.
    """

    def __init__(self, weight: float | None, batch_axis: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._weight = weight
        self._batch_axis = batch_axis

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_axis={self._batch_axis}, w={self._weight})"

    def _mean(self, F: Any, loss: Any, sample_weight: Any, weight: float | None) -> Any:
        """The weighted mean of each sample's elements."""
        loss = _apply_weighting(F, loss, weight, sample_weight)
        return F.mean(loss, axis=self._batch_axis, exclude=True)


class L2Loss(Loss):
    """``weight / 2 * (label - pred) ** 2``, averaged over each sample.

    Inputs: pred, label of as many elements, optional sample_weight.
    """

    def __init__(self, weight: float | None = 1.0, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """The loss, shape (N,)."""
        label = _reshape_like(F, label, pred)
        weight = None if self._weight is None else self._weight / 2
        return self._mean(F, F.square(label - pred), sample_weight, weight)


class L1Loss(Loss):
    """``|label - pred|``, averaged over each sample.

    Inputs: pred, label of as many elements, optional sample_weight.
    """

    def __init__(self, weight: float | None = None, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """The loss, shape (N,)."""
        label = _reshape_like(F, label, pred)
        return self._mean(F, F.abs(label - pred), sample_weight, self._weight)


class SigmoidBinaryCrossEntropyLoss(Loss):
    """Cross entropy of independent yes-or-no decisions, averaged over each sample.

    Inputs: pred, label of as many elements between 0 and 1, optional sample_weight, optional pos_weight: a
    factor for the term of the positives, which broadcasts to label.

    Parameters
    ----------
    from_sigmoid : pred went through a sigmoid already. Without, the computation is stable for large values.
    """

    def __init__(
        self, from_sigmoid: bool = False, weight: float | None = None, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._from_sigmoid = from_sigmoid

    def hybrid_forward(
        self, F: Any, pred: Any, label: Any, sample_weight: Any = None, pos_weight: Any = None
    ) -> Any:
        """The loss, shape (N,)."""
        label = _reshape_like(F, label, pred)
        if self._from_sigmoid:
            eps = 1e-12
            positive = F.log(pred + eps) * label
            if pos_weight is not None:
                positive = F.broadcast_mul(positive, pos_weight)
            loss = -(positive + F.log(1.0 - pred + eps) * (1.0 - label))
        elif pos_weight is None:
            # max(x, 0) - x * z + log(1 + exp(-|x|)) never takes the exponential of a large number.
            loss = F.relu(pred) - pred * label + F.Activation(-F.abs(pred), act_type="softrelu")
        else:
            log_weight = 1 + F.broadcast_mul(pos_weight - 1, label)
            tail = F.Activation(-F.abs(pred), act_type="softrelu") + F.relu(-pred)
            loss = pred - pred * label + log_weight * tail
        return self._mean(F, loss, sample_weight, self._weight)


SigmoidBCELoss = SigmoidBinaryCrossEntropyLoss


class SoftmaxCrossEntropyLoss(Loss):
    """Cross entropy of a choice among classes, averaged over each sample.

    Inputs: pred, label, optional sample_weight.

    Parameters
    ----------
    axis : the axis of the classes.
    sparse_label : labels are class numbers (the shape of pred without `axis`); else probabilities of the
        classes (the shape of pred).
    from_logits : pred holds logarithms of probabilities; else it goes through a softmax.
    """

    def __init__(
        self,
        axis: int = -1,
        sparse_label: bool = True,
        from_logits: bool = False,
        weight: float | None = None,
        batch_axis: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._axis = axis
        self._sparse_label = sparse_label
        self._from_logits = from_logits

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """The loss, shape (N,)."""
        if not self._from_logits:
            pred = F.log_softmax(pred, axis=self._axis)
        if self._sparse_label:
            loss = -F.pick(pred, label, axis=self._axis, keepdims=True)
        else:
            label = _reshape_like(F, label, pred)
            loss = -(pred * label).sum(axis=self._axis, keepdims=True)
        return self._mean(F, loss, sample_weight, self._weight)


SoftmaxCELoss = SoftmaxCrossEntropyLoss


class KLDivLoss(Loss):
    """The Kullback-Leibler divergence ``label * (log(label) - pred)``, summed over each sample.

    Inputs: pred, label of the same shape (probabilities), optional sample_weight.

    Parameters
    ----------
    from_logits : pred holds logarithms of probabilities; else it goes through a softmax along `axis`.
    """

    def __init__(
        self,
        from_logits: bool = True,
        axis: int = -1,
        weight: float | None = None,
        batch_axis: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._from_logits = from_logits
        self._axis = axis

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """The loss, shape (N,)."""
        if not self._from_logits:
            pred = F.log_softmax(pred, axis=self._axis)
        loss = label * (F.log(label + 1e-12) - pred)
        loss = _apply_weighting(F, loss, self._weight, sample_weight)
        return F.sum(loss, axis=self._batch_axis, exclude=True)


class CTCLoss(Loss):
    """Connectionist temporal classification (Graves et al. 2006): ``-log(probability of the label)``.

    Inputs: pred (before the softmax; the last class is the blank), label (class numbers, padded with -1), and
    optionally pred_lengths (N,), label_lengths (N,), sample_weight.

    Parameters
    ----------
    layout : order of pred's axes: "NTC" or "TNC".
    label_layout : order of label's axes: "NT" or "TN".
    """

    def __init__(
        self, layout: str = "NTC", label_layout: str = "NT", weight: float | None = None, **kwargs: Any
    ) -> None:
        if layout not in ("NTC", "TNC"):
            raise AssertionError(f"Only 'NTC' and 'TNC' layouts for pred are supported. Got: {layout}")
        if label_layout not in ("NT", "TN"):
            raise AssertionError(f"Only 'NT' and 'TN' layouts for label are supported. Got: {label_layout}")
        self._layout = layout
        self._label_layout = label_layout
        super().__init__(weight, label_layout.find("N"), **kwargs)

    def hybrid_forward(
        self,
        F: Any,
        pred: Any,
        label: Any,
        pred_lengths: Any = None,
        label_lengths: Any = None,
        sample_weight: Any = None,
    ) -> Any:
        """The loss, shape (N,)."""
        if self._layout == "NTC":
            pred = F.swapaxes(pred, 0, 1)
        if self._batch_axis == 1:
            label = F.swapaxes(label, 0, 1)
        loss = F.CTCLoss(
            pred,
            label,
            data_lengths=pred_lengths,
            label_lengths=label_lengths,
            use_data_lengths=pred_lengths is not None,
            use_label_lengths=label_lengths is not None,
            blank_label="last",
        )
        return _apply_weighting(F, loss, self._weight, sample_weight)


class HuberLoss(Loss):
    """The square of small errors and the absolute value of large ones, averaged over each sample.

    With ``e = |label - pred|``: ``e ** 2 / (2 * rho)`` up to `rho`, ``e - rho / 2`` above.
    Inputs: pred, label of as many elements, optional sample_weight.
    """

    def __init__(
        self, rho: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._rho = rho

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """The loss, shape (N,)."""
        error = F.abs(_reshape_like(F, label, pred) - pred)
        loss = F.where(error > self._rho, error - 0.5 * self._rho, (0.5 / self._rho) * F.square(error))
        return self._mean(F, loss, sample_weight, self._weight)


class HingeLoss(Loss):
    """``max(0, margin - pred * label)``, averaged over each sample.

    Inputs: pred, label of as many elements, each -1 or 1, optional sample_weight.
    """

    def __init__(
        self, margin: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """The loss, shape (N,)."""
        label = _reshape_like(F, label, pred)
        return self._mean(F, F.relu(self._margin - pred * label), sample_weight, self._weight)


class SquaredHingeLoss(Loss):
    """``max(0, margin - pred * label) ** 2``, averaged over each sample.

    Inputs: pred, label of as many elements, each -1 or 1, optional sample_weight.
    """

    def __init__(
        self, margin: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """The loss, shape (N,)."""
        label = _reshape_like(F, label, pred)
        return self._mean(F, F.square(F.relu(self._margin - pred * label)), sample_weight, self._weight)


class LogisticLoss(Loss):
    """``log(1 + exp(-pred * label))``, averaged over each sample.

    Inputs: pred, label of as many elements, optional sample_weight.

    Parameters
    ----------
    label_format : "signed" for labels -1 and 1, "binary" for 0 and 1.
    """

    def __init__(
        self, weight: float | None = None, batch_axis: int = 0, label_format: str = "signed", **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        if label_format not in ("signed", "binary"):
            raise ValueError(f"label_format can only be signed or binary, received {label_format}.")
        self._label_format = label_format

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """The loss, shape (N,)."""
        label = _reshape_like(F, label, pred)
        if self._label_format == "signed":
            label = (label + 1.0) / 2.0
        loss = F.relu(pred) - pred * label + F.Activation(-F.abs(pred), act_type="softrelu")
        return self._mean(F, loss, sample_weight, self._weight)


class TripletLoss(Loss):
    """``max(0, |positive - pred|^2 - |negative - pred|^2 + margin)`` for every sample (Schroff et al. 2015).

    Inputs: pred, positive, negative, of as many elements.
    """

    def __init__(
        self, margin: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F: Any, pred: Any, positive: Any, negative: Any) -> Any:
        """The loss, shape (N,)."""
        positive = _reshape_like(F, positive, pred)
        negative = _reshape_like(F, negative, pred)
        difference = F.square(positive - pred) - F.square(negative - pred)
        loss = F.relu(F.sum(difference, axis=self._batch_axis, exclude=True) + self._margin)
        return _apply_weighting(F, loss, self._weight)


class PoissonNLLLoss(Loss):
    """The negative log likelihood of counts under Poisson distributions, averaged over the whole batch.

    Inputs: pred, target of as many elements, optional sample_weight, optional epsilon (a number).

    Parameters
    ----------
    from_logits : pred holds logarithms of the distributions' means.
    compute_full : add Stirling's approximation of ``log(target!)`` for targets above 1.
    """

    def __init__(
        self,
        weight: float | None = None,
        from_logits: bool = True,
        batch_axis: int = 0,
        compute_full: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._from_logits = from_logits
        self._compute_full = compute_full

    def hybrid_forward(
        self, F: Any, pred: Any, target: Any, sample_weight: Any = None, epsilon: float = 1e-08
    ) -> Any:
        """The loss, shape (1,)."""
        target = _reshape_like(F, target, pred)
        if self._from_logits:
            loss = F.exp(pred) - target * pred
        else:
            loss = pred - target * F.log(pred + epsilon)
        if self._compute_full:
            # MXNet multiplies with a 0/1 mask, which makes NaN of a target of 0.
            stirling = target * F.log(target) - target + 0.5 * F.log((2 * math.pi) * target)
            loss = loss + F.where(target > 1, stirling, F.zeros_like(target))
        return F.mean(_apply_weighting(F, loss, self._weight, sample_weight))


class CosineEmbeddingLoss(Loss):
    """``1 - cos(input1, input2)`` for pairs with label 1, ``max(0, cos - margin)`` for those with label -1.

    Inputs: input1, input2 of shape (N, D), label of N elements, optional sample_weight. The result is (N, 1).
    """

    def __init__(
        self, weight: float | None = None, batch_axis: int = 0, margin: float = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F: Any, input1: Any, input2: Any, label: Any, sample_weight: Any = None) -> Any:
        """The loss, shape (N, 1)."""
        input1 = _reshape_like(F, input1, input2)
        label = label.reshape((-1, 1))
        cosine = self._cosine_similarity(F, input1, input2)
        alike = (1 - cosine) * (label == 1)
        different = F.relu((label == -1) * (cosine - self._margin))
        return _apply_weighting(F, alike + different, self._weight, sample_weight)

    def _cosine_similarity(self, F: Any, x: Any, y: Any, axis: int = -1) -> Any:
        """Cosines of the angles between rows, shape (N, 1)."""
        lengths = [F.norm(v, axis=axis).reshape((-1, 1)) for v in (x, y)]
        product = F.sum(x * y, axis=axis).reshape((-1, 1))
        return product / F.maximum(lengths[0] * lengths[1], 1e-12)


class SDMLLoss(Loss):
    """Batchwise smoothed deep metric learning (Bonadiman et al. 2019).

    Every pair of rows is told apart from all other pairs in the batch: the `KLDivLoss` between a smoothed
    identity matrix and the softmax of the negative squared distances.
    Inputs: x1, x2 of shape (N, D), rows in pairs; N is at least 2.

    Parameters
    ----------
    smoothing_parameter : probability that is taken from the right partner and given to the others.
    """

    def __init__(
        self, smoothing_parameter: float = 0.3, weight: float | None = 1.0, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self.kl_loss = KLDivLoss(from_logits=True)
        self.smoothing_parameter = smoothing_parameter

    def hybrid_forward(self, F: Any, x1: Any, x2: Any) -> Any:
        """The loss, shape (N,)."""
        differences = F.broadcast_sub(F.expand_dims(x1, axis=1), F.expand_dims(x2, axis=0))
        distances = F.sum(F.square(differences), axis=2)
        ones = F.ones_like(F.sum(F.BlockGrad(x1), axis=1))
        identity = F.diag(ones)
        share = self.smoothing_parameter / (F.sum(ones) - 1)
        labels = identity * (1 - self.smoothing_parameter) + F.broadcast_mul(1 - identity, share)
        return self.kl_loss(F.log_softmax(-distances, axis=1), labels)
