"""The metric interface, the registry, and the metric that is a list of metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy

from .. import registry
from ..ndarray import NDArray

Arrays: TypeAlias = Any  # an NDArray, or a sequence of them
Value: TypeAlias = Any  # a float, or a list of them


def to_numpy(array: Any) -> numpy.ndarray[Any, Any]:
    """Return the values of an NDArray (or anything NumPy takes) as a NumPy array."""
    if isinstance(array, NDArray):
        values: numpy.ndarray[Any, Any] = array.asnumpy()
        return values
    return numpy.asarray(array)


def check_label_shapes(labels: Any, preds: Any, wrap: bool = False, shape: bool = False) -> tuple[Any, Any]:
    """Check that labels and predictions go together.

    Parameters
    ----------
    labels, preds : NDArray or list of NDArray
    wrap : bool
        Return single arrays as lists of one.
    shape : bool
        Compare shapes; otherwise lengths are compared.

    Returns
    -------
    (labels, preds)

    Raises
    ------
    ValueError
        When the two differ.
    """
    of_labels, of_preds = (labels.shape, preds.shape) if shape else (len(labels), len(preds))
    if of_labels != of_preds:
        what = "Shape" if shape else "Length"
        raise ValueError(f"{what} of labels {of_labels} does not match that of predictions {of_preds}")
    if wrap:
        labels = [labels] if isinstance(labels, NDArray) else labels
        preds = [preds] if isinstance(preds, NDArray) else preds
    return labels, preds


class EvalMetric:
    """Base of all metrics: a sum and a count, kept since the last reset and, apart from it, globally.

    A subclass implements `update` and adds to `sum_metric` and `num_inst`, and to `global_sum_metric` and
    `global_num_inst` too when it says ``has_global_stats=True``.

    Parameters
    ----------
    name : str
        Name under which the value is shown.
    output_names, label_names : list of str, optional
        Which predictions and labels `update_dict` uses; all by default.
    **kwargs
        What `get_config` returns besides, so that the metric can be made again from its configuration.
    """

    num_inst: float
    sum_metric: Any
    global_num_inst: float
    global_sum_metric: Any

    def __init__(
        self,
        name: str,
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.name = str(name)
        self.output_names = output_names
        self.label_names = label_names
        self._has_global_stats = bool(kwargs.pop("has_global_stats", False))
        self._kwargs = kwargs
        self.reset()

    def __str__(self) -> str:
        return f"EvalMetric: {dict(self.get_name_value())}"

    def get_config(self) -> dict[str, Any]:
        """Return the configuration, from which ``create(**config)`` makes the metric again."""
        return {
            **self._kwargs,
            "metric": type(self).__name__,
            "name": self.name,
            "output_names": self.output_names,
            "label_names": self.label_names,
        }

    def update_dict(self, label: Mapping[str, Any], pred: Mapping[str, Any]) -> None:
        """Update from labels and predictions given by name.

        Raises
        ------
        KeyError
            When one of `label_names` or `output_names` is not among those given.
        """
        labels = _select(label, self.label_names, f"metric {self.name!r}: label")
        preds = _select(pred, self.output_names, f"metric {self.name!r}: output")
        self.update(labels, preds)

    def update(self, labels: Arrays, preds: Arrays) -> None:
        """Take in one batch.

        Parameters
        ----------
        labels, preds : list of NDArray
        """
        raise NotImplementedError(f"{type(self).__name__} must implement update(labels, preds)")

    def _count(self, total: Any, instances: float) -> None:
        """Add to the local and to the global statistics."""
        if isinstance(total, numpy.generic):
            # NumPy keeps float32 + Python float in float32: long runs would lose digits.
            total = total.item()
        self.sum_metric += total
        self.global_sum_metric += total
        self.num_inst += instances
        self.global_num_inst += instances

    def reset(self) -> None:
        """Forget everything, global statistics included."""
        self.num_inst = 0
        self.sum_metric = 0.0
        self.global_num_inst = 0
        self.global_sum_metric = 0.0

    def reset_local(self) -> None:
        """Forget what came since the last reset, but keep the global statistics."""
        self.num_inst = 0
        self.sum_metric = 0.0

    def get(self) -> tuple[Any, Value]:
        """Return the name and the value since the last reset; NaN before any update."""
        if self.num_inst == 0:
            return self.name, float("nan")
        return self.name, self.sum_metric / self.num_inst

    def get_global(self) -> tuple[Any, Value]:
        """Return the name and the value over everything since `reset`."""
        if not self._has_global_stats:
            return self.get()
        if self.global_num_inst == 0:
            return self.name, float("nan")
        return self.name, self.global_sum_metric / self.global_num_inst

    def get_name_value(self) -> list[tuple[str, Value]]:
        """Return `get` as a list of (name, value) pairs."""
        return _pairs(*self.get())

    def get_global_name_value(self) -> list[tuple[str, Value]]:
        """Return `get_global` as a list of (name, value) pairs."""
        return _pairs(*self.get_global())


def _pairs(names: Any, values: Any) -> list[tuple[str, Value]]:
    names = names if isinstance(names, list) else [names]
    values = values if isinstance(values, list) else [values]
    return list(zip(names, values, strict=False))


def _select(arrays: Mapping[str, Any], names: Sequence[str] | None, what: str) -> list[Any]:
    if names is None:
        return list(arrays.values())
    missing = [name for name in names if name not in arrays]
    if missing:
        raise KeyError(f"{what} {missing[0]!r} was not given; given: {list(arrays)}")
    return [arrays[name] for name in names]


register = registry.get_register_func(EvalMetric, "metric")
alias = registry.get_alias_func(EvalMetric, "metric")
_create = registry.get_create_func(EvalMetric, "metric")


def create(metric: Any, *args: Any, **kwargs: Any) -> EvalMetric:
    """Make a metric.

    Parameters
    ----------
    metric : str, EvalMetric, callable, dict or list
        A registered name, a configuration (or its JSON text), a function of (label, pred), an instance, or a
        list of these, which makes a `CompositeEvalMetric`.
    *args, **kwargs
        Passed on to the metric's constructor.

    Examples
    --------
    >>> create("acc").name
    'accuracy'
    >>> [m.name for m in create(["acc", "rmse"]).metrics]
    ['accuracy', 'rmse']
    """
    if isinstance(metric, list):
        composite = CompositeEvalMetric()
        for child in metric:
            composite.add(create(child, *args, **kwargs))
        return composite
    if callable(metric):
        from .custom import CustomMetric

        return CustomMetric(metric, *args, **kwargs)
    made: EvalMetric = _create(metric, *args, **kwargs)
    return made


@register
@alias("composite")
class CompositeEvalMetric(EvalMetric):
    """Several metrics updated together.

    Parameters
    ----------
    metrics : list, optional
        What `create` takes, one for each child.
    name, output_names, label_names
        See `EvalMetric`; `update_dict` hands only the named arrays to the children.
    """

    def __init__(
        self,
        metrics: Sequence[Any] | None = None,
        name: str = "composite",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        self.metrics: list[EvalMetric] = []
        super().__init__(name, output_names=output_names, label_names=label_names, has_global_stats=True)
        self.metrics = [create(metric) for metric in metrics or []]

    def add(self, metric: Any) -> None:
        """Append a child: anything that `create` takes."""
        self.metrics.append(create(metric))

    def get_metric(self, index: int) -> EvalMetric:
        """Return child number `index`.

        Raises
        ------
        ValueError
            When there is no such child (MXNet returns the exception instead of raising it).
        """
        try:
            return self.metrics[index]
        except IndexError:
            raise ValueError(f"Metric index {index} is out of range 0 and {len(self.metrics)}") from None

    def update_dict(self, labels: Mapping[str, Any], preds: Mapping[str, Any]) -> None:
        if self.label_names is not None:
            labels = {name: array for name, array in labels.items() if name in self.label_names}
        if self.output_names is not None:
            preds = {name: array for name, array in preds.items() if name in self.output_names}
        for metric in self.metrics:
            metric.update_dict(labels, preds)

    def update(self, labels: Arrays, preds: Arrays) -> None:
        for metric in self.metrics:
            metric.update(labels, preds)

    def reset(self) -> None:
        super().reset()
        for metric in self.metrics:
            metric.reset()

    def reset_local(self) -> None:
        super().reset_local()
        for metric in self.metrics:
            metric.reset_local()

    def get(self) -> tuple[list[str], list[Value]]:
        """Return the names and the values of all children, in order."""
        return _flatten(metric.get() for metric in self.metrics)

    def get_global(self) -> tuple[list[str], list[Value]]:
        """Return the names and the global values of all children, in order."""
        return _flatten(metric.get_global() for metric in self.metrics)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "metrics": [metric.get_config() for metric in self.metrics]}


def _flatten(results: Any) -> tuple[list[str], list[Value]]:
    names: list[str] = []
    values: list[Value] = []
    for name, value in results:
        names.extend([name] if isinstance(name, str) else name)
        values.extend(value if isinstance(value, (list, tuple)) else [value])
    return names, values
