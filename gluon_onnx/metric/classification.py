"""Metrics of predicted classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from .base import Arrays, EvalMetric, alias, check_label_shapes, register, to_numpy


@register
@alias("acc")
class Accuracy(EvalMetric):
    """Share of samples whose predicted class is the label.

    Predictions of the labels' shape are classes; otherwise they are scores, and the class is the one with the
    largest score along `axis`.

    Parameters
    ----------
    axis : int
        Axis of the classes.
    name, output_names, label_names
        See `EvalMetric`.

    Examples
    --------
    >>> acc = Accuracy()
    >>> acc.update([mx.nd.array([0, 1, 1])], [mx.nd.array([[0.3, 0.7], [0, 1.0], [0.4, 0.6]])])
    >>> acc.get()
    ('accuracy', 0.6666666666666666)
    """

    def __init__(
        self,
        axis: int = 1,
        name: str = "accuracy",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(
            name, axis=axis, output_names=output_names, label_names=label_names, has_global_stats=True
        )
        self.axis = axis

    def update(self, labels: Arrays, preds: Arrays) -> None:
        labels, preds = check_label_shapes(labels, preds, True)
        for label_array, pred_array in zip(labels, preds, strict=True):
            label, pred = to_numpy(label_array), to_numpy(pred_array)
            if pred.shape != label.shape:
                pred = pred.argmax(axis=self.axis)
            label, pred = label.astype("int32").ravel(), pred.astype("int32").ravel()
            check_label_shapes(label, pred)
            self._count(int((pred == label).sum()), len(pred))


@register
@alias("top_k_accuracy", "top_k_acc")
class TopKAccuracy(EvalMetric):
    """Share of samples whose label is among the `top_k` largest scores.

    Parameters
    ----------
    top_k : int
        How many of the largest scores count; more than 1.
    name : str
        Shown with ``_<top_k>`` appended.
    output_names, label_names
        See `EvalMetric`.

    Raises
    ------
    ValueError
        From `update`, when predictions are not of shape (batch, classes). MXNet compares predictions of one
        dimension with positions in the batch, which means nothing.
    """

    def __init__(
        self,
        top_k: int = 1,
        name: str = "top_k_accuracy",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        if top_k <= 1:
            raise ValueError(f"top_k must be more than 1, got {top_k}: use Accuracy")
        super().__init__(
            name, top_k=top_k, output_names=output_names, label_names=label_names, has_global_stats=True
        )
        self.top_k = top_k
        self._base_name = self.name
        self.name += f"_{top_k}"

    def update(self, labels: Arrays, preds: Arrays) -> None:
        labels, preds = check_label_shapes(labels, preds, True)
        for label_array, pred_array in zip(labels, preds, strict=True):
            label, pred = to_numpy(label_array).astype("int32"), to_numpy(pred_array).astype("float32")
            if pred.ndim != 2:
                raise ValueError(f"metric {self.name!r} needs scores (batch, classes), got {pred.shape}")
            check_label_shapes(label.ravel(), pred)
            top_k = min(self.top_k, pred.shape[1])
            largest = numpy.argpartition(pred, -top_k)[:, -top_k:]
            self._count(int((largest == label.reshape(-1, 1)).sum()), len(pred))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "name": self._base_name}


class _Counts:
    """True and false positives and negatives of class 1 against class 0."""

    def __init__(self) -> None:
        self.true_positives = self.false_positives = self.false_negatives = self.true_negatives = 0

    def add(self, label: numpy.ndarray[Any, Any], pred: numpy.ndarray[Any, Any]) -> None:
        self.true_positives += int((pred & label).sum())
        self.false_positives += int((pred & ~label).sum())
        self.false_negatives += int((~pred & label).sum())
        self.true_negatives += int((~pred & ~label).sum())

    @property
    def total_examples(self) -> int:
        return self.true_positives + self.false_positives + self.false_negatives + self.true_negatives

    @property
    def precision(self) -> float:
        found = self.true_positives + self.false_positives
        return self.true_positives / found if found else 0.0

    @property
    def recall(self) -> float:
        wanted = self.true_positives + self.false_negatives
        return self.true_positives / wanted if wanted else 0.0

    @property
    def fscore(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both > 0 else 0.0

    def matthewscc(self) -> float:
        """Matthews correlation; an empty row or column of the table is left out of the denominator."""
        tp, fp = float(self.true_positives), float(self.false_positives)
        fn, tn = float(self.false_negatives), float(self.true_negatives)
        margins = (tp + fp, tp + fn, tn + fp, tn + fn)
        return (tp * tn - fp * fn) / math.sqrt(math.prod(m for m in margins if m))


class _BinaryMetric(EvalMetric):
    """A score of the table of counts, averaged over batches ("macro") or of the pooled table ("micro")."""

    def __init__(
        self, name: str, output_names: Sequence[str] | None, label_names: Sequence[str] | None, average: str
    ) -> None:
        if average not in ("macro", "micro"):
            raise ValueError(f"average must be 'macro' or 'micro', got {average!r}")
        self.average = average
        self.metrics = _Counts()
        self._global_counts = _Counts()
        super().__init__(
            name, output_names=output_names, label_names=label_names, has_global_stats=True, average=average
        )

    def _score(self, counts: _Counts) -> float:
        raise NotImplementedError

    def update(self, labels: Arrays, preds: Arrays) -> None:
        labels, preds = check_label_shapes(labels, preds, True)
        batch = _Counts()
        for label_array, pred_array in zip(labels, preds, strict=True):
            label, pred = to_numpy(label_array).astype("int32").ravel(), to_numpy(pred_array)
            found = pred.argmax(axis=1).ravel() if pred.ndim > 1 else pred
            if pred.ndim < 2 or len(found) != len(label):
                raise ValueError(
                    f"metric {self.name!r} needs scores of shape (batch, classes) and one label a sample, "
                    f"got predictions {pred.shape} and labels {label_array.shape}"
                )
            if len(numpy.unique(label)) > 2:
                raise ValueError(f"{type(self).__name__} currently only supports binary classification.")
            both = label == 1, found == 1
            for counts in (batch, self.metrics, self._global_counts):
                counts.add(*both)
        if self.average == "macro":
            self._count(self._score(batch), 1)
            self.metrics, self._global_counts = _Counts(), _Counts()
            return
        self.num_inst = self.metrics.total_examples
        self.sum_metric = self._score(self.metrics) * self.num_inst
        self.global_num_inst = self._global_counts.total_examples
        self.global_sum_metric = self._score(self._global_counts) * self.global_num_inst

    def reset(self) -> None:
        super().reset()
        self.metrics, self._global_counts = _Counts(), _Counts()

    def reset_local(self) -> None:
        super().reset_local()
        self.metrics = _Counts()


@register
class F1(_BinaryMetric):
    """F1 score of class 1 in a two-class problem: the harmonic mean of precision and recall.

    Parameters
    ----------
    name, output_names, label_names
        See `EvalMetric`.
    average : {'macro', 'micro'}
        Mean of the scores of the batches, or the score of all samples together.
    """

    def __init__(
        self,
        name: str = "f1",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        average: str = "macro",
    ) -> None:
        super().__init__(name, output_names, label_names, average)

    def _score(self, counts: _Counts) -> float:
        return counts.fscore


@register
class MCC(_BinaryMetric):
    """Matthews correlation coefficient of a two-class problem.

    Parameters
    ----------
    name, output_names, label_names
        See `EvalMetric`.
    average : {'macro', 'micro'}
        Mean of the coefficients of the batches, or the coefficient of all samples together.
    """

    def __init__(
        self,
        name: str = "mcc",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        average: str = "macro",
    ) -> None:
        super().__init__(name, output_names, label_names, average)

    def _score(self, counts: _Counts) -> float:
        return counts.matthewscc() if counts.total_examples else 0.0


@register
class PCC(EvalMetric):
    """Matthews correlation of any number of classes: Pearson's coefficient of a confusion matrix.

    For two classes it is `MCC`. With more, the smallest possible value lies between -1 and 0. NaN when all
    labels, or all predictions, are of one class.

    Parameters
    ----------
    name, output_names, label_names
        See `EvalMetric`.
    has_global_stats : bool
        Whether `get_global` reports since `reset` rather than since `reset_local`.
    """

    def __init__(
        self,
        name: str = "pcc",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        has_global_stats: bool = True,
    ) -> None:
        self.k = 2
        self.lcm: numpy.ndarray[Any, Any]
        self.gcm: numpy.ndarray[Any, Any]
        super().__init__(
            name=name, output_names=output_names, label_names=label_names, has_global_stats=has_global_stats
        )

    def _grow(self, classes: int) -> None:
        more = ((0, classes - self.k),) * 2
        self.lcm, self.gcm, self.k = numpy.pad(self.lcm, more), numpy.pad(self.gcm, more), classes

    def update(self, labels: Arrays, preds: Arrays) -> None:
        labels, preds = check_label_shapes(labels, preds, True)
        for label_array, pred_array in zip(labels, preds, strict=True):
            label, pred = to_numpy(label_array).astype("int32"), to_numpy(pred_array)
            pred = pred.argmax(axis=1) if pred.shape != label.shape else pred.astype("int32")
            self._grow(max(self.k, int(pred.max()) + 1, int(label.max()) + 1))
            batch = numpy.zeros((self.k, self.k))
            numpy.add.at(batch, (pred.ravel(), label.ravel()), 1)
            self.lcm += batch
            self.gcm += batch
        self.num_inst += 1
        self.global_num_inst += 1

    @property
    def sum_metric(self) -> float:
        return _correlation(self.lcm) * self.num_inst

    @property
    def global_sum_metric(self) -> float:
        return _correlation(self.gcm) * self.global_num_inst

    def reset(self) -> None:
        self.global_num_inst = 0.0
        self.gcm = numpy.zeros((self.k, self.k))
        self.reset_local()

    def reset_local(self) -> None:
        self.num_inst = 0.0
        self.lcm = numpy.zeros((self.k, self.k))


def _correlation(matrix: numpy.ndarray[Any, Any]) -> float:
    n, rows, columns = matrix.sum(), matrix.sum(axis=1), matrix.sum(axis=0)
    spread = float(numpy.sum(rows * (n - rows))), float(numpy.sum(columns * (n - columns)))
    if 0 in spread:
        return float("nan")
    return float(numpy.sum(matrix.diagonal() * n - rows * columns)) / math.sqrt(spread[0] * spread[1])
