"""Metrics of predicted probabilities, and of losses computed elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from ..ndarray import NDArray
from .base import Arrays, EvalMetric, alias, check_label_shapes, register, to_numpy


@register
class Perplexity(EvalMetric):
    """Exponential of the mean negative logarithm of the probability given to the label.

    Probabilities below 1e-10 count as 1e-10.

    Parameters
    ----------
    ignore_label : int or None
        Samples with this label do not count.
    axis : int
        Axis of the classes.
    name, output_names, label_names
        See `EvalMetric`.
    """

    def __init__(
        self,
        ignore_label: int | None,
        axis: int = -1,
        name: str = "perplexity",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(
            name,
            ignore_label=ignore_label,
            axis=axis,
            output_names=output_names,
            label_names=label_names,
            has_global_stats=True,
        )
        self.ignore_label = ignore_label
        self.axis = axis

    def update(self, labels: Arrays, preds: Arrays) -> None:
        labels, preds = check_label_shapes(labels, preds, True)
        loss, instances = 0.0, 0
        for label_array, pred_array in zip(labels, preds, strict=True):
            label, pred = to_numpy(label_array).ravel(), to_numpy(pred_array)
            classes = pred.shape[self.axis]
            pred = numpy.moveaxis(pred, self.axis, -1).reshape(-1, classes)
            if len(label) != len(pred):
                raise ValueError(
                    f"metric {self.name!r}: {len(label)} labels for predictions of shape {pred_array.shape} "
                    f"with {classes} classes along axis {self.axis}"
                )
            prob = pred[numpy.arange(len(label)), numpy.clip(label.astype("int32"), 0, classes - 1)]
            if self.ignore_label is not None:
                prob = prob[label != self.ignore_label]
            prob = numpy.maximum(prob, 1e-10, dtype=numpy.result_type(pred.dtype, "float32"))
            loss -= float(numpy.log(prob).sum())
            instances += len(prob)
        self._count(loss, instances)

    def get(self) -> tuple[str, float]:
        name, mean = super().get()
        return name, _exp(mean)

    def get_global(self) -> tuple[str, float]:
        name, mean = super().get_global()
        return name, _exp(mean)


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


class _LogLoss(EvalMetric):
    """Mean of ``-log(p + eps)``, p the probability given to the label."""

    def __init__(
        self, eps: float, name: str, output_names: Sequence[str] | None, label_names: Sequence[str] | None
    ) -> None:
        super().__init__(
            name, eps=eps, output_names=output_names, label_names=label_names, has_global_stats=True
        )
        self.eps = eps

    def update(self, labels: Arrays, preds: Arrays) -> None:
        labels, preds = check_label_shapes(labels, preds, True)
        for label_array, pred_array in zip(labels, preds, strict=True):
            label, pred = to_numpy(label_array).ravel().astype("int64"), to_numpy(pred_array)
            if pred.ndim != 2 or len(label) != len(pred):
                raise ValueError(
                    f"metric {self.name!r} needs probabilities (batch, classes) and one label a sample, "
                    f"got predictions {pred.shape} and {len(label)} labels"
                )
            outside = (label < 0) | (label >= pred.shape[1])
            if outside.any():
                # MXNet takes label -1 for the last class.
                raise ValueError(
                    f"metric {self.name!r}: label {label[outside][0]} lies outside 0 ... {pred.shape[1] - 1}"
                )
            prob = pred[numpy.arange(len(label)), label]
            self._count((-numpy.log(prob + self.eps)).sum(), len(label))


@register
@alias("ce")
class CrossEntropy(_LogLoss):
    """Mean cross entropy of predicted class probabilities and class labels.

    Parameters
    ----------
    eps : float
        Added to a probability before its logarithm is taken.
    name, output_names, label_names
        See `EvalMetric`.
    """

    def __init__(
        self,
        eps: float = 1e-12,
        name: str = "cross-entropy",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(eps, name, output_names, label_names)


@register
@alias("nll_loss")
class NegativeLogLikelihood(_LogLoss):
    """Mean negative log-likelihood of class labels under predicted class probabilities.

    Parameters
    ----------
    eps : float
        Added to a probability before its logarithm is taken.
    name, output_names, label_names
        See `EvalMetric`.
    """

    def __init__(
        self,
        eps: float = 1e-12,
        name: str = "nll-loss",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(eps, name, output_names, label_names)


@register
class Loss(EvalMetric):
    """Mean of the predictions themselves, for networks that output their loss; labels are ignored.

    Parameters
    ----------
    name, output_names, label_names
        See `EvalMetric`.
    """

    def __init__(
        self,
        name: str = "loss",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, output_names=output_names, label_names=label_names, has_global_stats=True)

    def update(self, labels: Any, preds: Arrays) -> None:
        for pred in [preds] if isinstance(preds, NDArray) else preds:
            values = to_numpy(pred)
            self._count(values.sum(dtype=numpy.float64), values.size)


@register
class Torch(Loss):
    """`Loss` under the name ``torch``."""

    def __init__(
        self,
        name: str = "torch",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, output_names=output_names, label_names=label_names)


@register
class Caffe(Loss):
    """`Loss` under the name ``caffe``."""

    def __init__(
        self,
        name: str = "caffe",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, output_names=output_names, label_names=label_names)
