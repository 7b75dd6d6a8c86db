"""Metrics made from a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .base import Arrays, EvalMetric, check_label_shapes, register, to_numpy


@register
class CustomMetric(EvalMetric):
    """A metric computed by a function of two NumPy arrays.

    Parameters
    ----------
    feval : callable (label, pred)
        Returns the value for one pair of arrays, counted as one instance, or a tuple (sum, instances).
    name : str, optional
        By default the function's name.
    allow_extra_outputs : bool
        Do not complain when there are more predictions than labels; the surplus is ignored.
    output_names, label_names
        See `EvalMetric`.
    """

    def __init__(
        self,
        feval: Callable[..., Any],
        name: str | None = None,
        allow_extra_outputs: bool = False,
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        if name is None:
            name = getattr(feval, "__name__", type(feval).__name__)
            if "<" in name:
                name = f"custom({name})"
        super().__init__(
            name,
            feval=feval,
            allow_extra_outputs=allow_extra_outputs,
            output_names=output_names,
            label_names=label_names,
            has_global_stats=True,
        )
        self._feval = feval
        self._allow_extra_outputs = allow_extra_outputs

    def update(self, labels: Arrays, preds: Arrays) -> None:
        if not self._allow_extra_outputs:
            labels, preds = check_label_shapes(labels, preds, True)
        for label, pred in zip(labels, preds, strict=False):
            result = self._feval(to_numpy(label), to_numpy(pred))
            self._count(*(result if isinstance(result, tuple) else (result, 1)))

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(f"metric {self.name!r} is a Python function: it cannot be serialized")


def np(
    numpy_feval: Callable[..., Any], name: str | None = None, allow_extra_outputs: bool = False
) -> CustomMetric:
    """Make a metric from a function of NumPy arrays (label, pred).

    Parameters
    ----------
    numpy_feval : callable (label, pred)
        Returns the value of a batch, or a tuple (sum, instances).
    name : str, optional
        By default the function's name.
    allow_extra_outputs : bool
        See `CustomMetric`.
    """

    def feval(label: Any, pred: Any) -> Any:
        return numpy_feval(label, pred)

    feval.__name__ = numpy_feval.__name__
    return CustomMetric(feval, name, allow_extra_outputs)
