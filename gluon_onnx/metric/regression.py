"""Metrics of predicted numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy

from .base import Arrays, EvalMetric, alias, check_label_shapes, register, to_numpy

Floats: TypeAlias = numpy.ndarray[Any, Any]


class _ErrorMetric(EvalMetric):
    """Mean over batches of an error computed from the differences in each batch."""

    def _error(self, difference: Floats) -> Any:
        raise NotImplementedError

    def update(self, labels: Arrays, preds: Arrays) -> None:
        labels, preds = check_label_shapes(labels, preds, True)
        for label, pred in zip(labels, preds, strict=True):
            self._count(self._error(_column(label) - _column(pred)), 1)


def _column(array: Any) -> Floats:
    """Values in a type that differences fit into; one dimension becomes a column."""
    values = to_numpy(array)
    if values.dtype == numpy.float16:
        values = values.astype("float32")
    elif values.dtype.kind in "bu":
        values = values.astype("int64")
    return values.reshape(-1, 1) if values.ndim == 1 else values


@register
class MAE(_ErrorMetric):
    """Mean absolute error: the mean of ``|label - pred|`` in each batch, averaged over batches.

    Parameters
    ----------
    name, output_names, label_names
        See `EvalMetric`.
    """

    def __init__(
        self,
        name: str = "mae",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, output_names=output_names, label_names=label_names, has_global_stats=True)

    def _error(self, difference: Floats) -> Any:
        return numpy.abs(difference).mean()


@register
class MSE(_ErrorMetric):
    """Mean squared error: the mean of ``(label - pred)**2`` in each batch, averaged over batches.

    Parameters
    ----------
    name, output_names, label_names
        See `EvalMetric`.
    """

    def __init__(
        self,
        name: str = "mse",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, output_names=output_names, label_names=label_names, has_global_stats=True)

    def _error(self, difference: Floats) -> Any:
        return (difference**2.0).mean()


@register
class RMSE(_ErrorMetric):
    """Root mean squared error of each batch, averaged over batches.

    Parameters
    ----------
    name, output_names, label_names
        See `EvalMetric`.
    """

    def __init__(
        self,
        name: str = "rmse",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, output_names=output_names, label_names=label_names, has_global_stats=True)

    def _error(self, difference: Floats) -> Any:
        return numpy.sqrt((difference**2.0).mean())


@dataclass
class _Moments:
    """Running means, squared deviations and co-deviation of two series (Welford)."""

    count: int = 0
    mean_label: float = 0.0
    mean_pred: float = 0.0
    square_label: float = 0.0
    square_pred: float = 0.0
    product: float = 0.0

    def add(self, label: Floats, pred: Floats) -> None:
        count = self.count
        after = _welford(label, count, self.mean_label, self.square_label)
        self.count, self.mean_label, self.square_label = after
        # One mean from before the batch, one from after it.
        self.product += float(numpy.sum((label - self.mean_label) * (pred - self.mean_pred)))
        _, self.mean_pred, self.square_pred = _welford(pred, count, self.mean_pred, self.square_pred)

    def correlation(self) -> float:
        spread = math.sqrt(self.square_pred) * math.sqrt(self.square_label)
        return self.product / spread if spread else float("nan")


def _welford(values: Floats, count: int, mean: float, square: float) -> tuple[int, float, float]:
    count += len(values)
    before = values - mean
    mean += float(numpy.sum(before / count))
    return count, mean, square + float(numpy.sum(before * (values - mean)))


@register
@alias("pearsonr")
class PearsonCorrelation(EvalMetric):
    """Pearson's correlation of predictions and labels.

    Parameters
    ----------
    name, output_names, label_names
        See `EvalMetric`.
    average : {'macro', 'micro'}
        Mean of the correlations of the batches, or the correlation of all samples together.
    """

    def __init__(
        self,
        name: str = "pearsonr",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        average: str = "macro",
    ) -> None:
        if average not in ("macro", "micro"):
            raise ValueError(f"average must be 'macro' or 'micro', got {average!r}")
        self.average = average
        super().__init__(
            name, output_names=output_names, label_names=label_names, has_global_stats=True, average=average
        )

    def reset_micro(self) -> None:
        """Forget the samples seen since the last reset."""
        self._moments = _Moments()

    def reset(self) -> None:
        super().reset()
        self._global_moments = _Moments()
        self.reset_micro()

    def reset_local(self) -> None:
        super().reset_local()
        self.reset_micro()

    def update_variance(self, new_values: Floats, *aggregate: Any) -> tuple[int, float, float]:
        """Return (count, mean, sum of squared deviations) after `new_values` joined the given three."""
        count, mean, square = aggregate
        return _welford(new_values, count, mean, square)

    def update_cov(self, label: Floats, pred: Floats) -> None:
        """Add the products of the deviations of `label` and `pred` from the present means."""
        moments = self._moments
        moments.product += float(numpy.sum((label - moments.mean_label) * (pred - moments.mean_pred)))

    def update(self, labels: Arrays, preds: Arrays) -> None:
        labels, preds = check_label_shapes(labels, preds, True)
        for label_array, pred_array in zip(labels, preds, strict=True):
            check_label_shapes(label_array, pred_array, False, True)
            label = to_numpy(label_array).ravel().astype(numpy.float64)
            pred = to_numpy(pred_array).ravel().astype(numpy.float64)
            if self.average == "macro":
                self._count(numpy.corrcoef(pred, label)[0, 1], 1)
            else:
                self._moments.add(label, pred)
                self._global_moments.add(label, pred)
                self._count(0.0, 1)

    def get(self) -> tuple[str, float]:
        if self.average == "macro" or self.num_inst == 0:
            name, value = super().get()
            return name, value
        return self.name, self._moments.correlation()

    def get_global(self) -> tuple[str, float]:
        if self.average == "macro" or self.global_num_inst == 0:
            name, value = super().get_global()
            return name, value
        return self.name, self._global_moments.correlation()
