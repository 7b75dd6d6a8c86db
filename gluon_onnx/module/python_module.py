"""Modules whose computation is written in Python: losses, above all, for a `SequentialModule`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from .. import ndarray
from ..ndarray import NDArray
from .base_module import _INITIALIZER, BaseModule, Params

__all__ = ["PythonLossModule", "PythonModule"]


class PythonModule(BaseModule):
    """Base of modules without parameters that compute in Python.

    A subclass defines `forward`, `get_outputs`, `_compute_output_shapes`, and where it has gradients `backward`
    and `get_input_grads`.

    Parameters
    ----------
    data_names, label_names, output_names : list of str
    """

    def __init__(
        self,
        data_names: Sequence[str],
        label_names: Sequence[str] | None,
        output_names: Sequence[str],
        logger: Any = logging,
    ) -> None:
        super().__init__(logger=logger)
        self._data_names = list(data_names)
        self._label_names = None if label_names is None else list(label_names)
        self._output_names = list(output_names)
        self._data_shapes: Any = None
        self._label_shapes: Any = None
        self._output_shapes: Any = None

    @property
    def data_names(self) -> list[str]:
        """Names of the inputs."""
        return self._data_names

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        return self._output_names

    @property
    def data_shapes(self) -> Any:
        """Names and shapes of the inputs, as bound."""
        return self._data_shapes

    @property
    def label_shapes(self) -> Any:
        """Names and shapes of the labels, as bound."""
        return self._label_shapes

    @property
    def output_shapes(self) -> Any:
        """Names and shapes of the outputs."""
        return self._output_shapes

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return two empty dicts: there are no parameters."""
        return {}, {}

    def init_params(
        self,
        initializer: Any = _INITIALIZER,
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """There are no parameters to initialize."""
        self.params_initialized = True

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """There is nothing to optimize."""
        self.optimizer_initialized = True

    def update(self) -> None:
        """There is nothing to update."""

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Give labels and the last outputs to a metric, if the module was bound with labels.

        Raises
        ------
        RuntimeError : `pre_sliced`, which is for several contexts.
        """
        if self._label_shapes is None:
            return
        if pre_sliced:
            raise RuntimeError(f"{type(self).__name__} computes on one context: labels cannot be pre_sliced")
        eval_metric.update(labels, self.get_outputs())

    def bind(
        self,
        data_shapes: Any,
        label_shapes: Any = None,
        for_training: bool = True,
        inputs_need_grad: bool = False,
        force_rebind: bool = False,
        shared_module: Any = None,
        grad_req: Any = "write",
    ) -> None:
        """Take note of the shapes.

        Raises
        ------
        AssertionError : names are not those of the module, or `grad_req` is not "write".
        """
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if grad_req != "write":
            raise AssertionError(f"bind: {type(self).__name__} can only write gradients, got {grad_req!r}")
        for kind, names, shapes in (
            ("data", self._data_names, data_shapes),
            ("label", self._label_names, label_shapes),
        ):
            if shapes is not None and [x[0] for x in shapes] != names:
                raise AssertionError(
                    f"bind: {kind}_shapes has the names {[x[0] for x in shapes]}, expected {names}"
                )
        self.for_training = for_training
        self.inputs_need_grad = inputs_need_grad
        self._data_shapes, self._label_shapes = data_shapes, label_shapes
        self._output_shapes = self._compute_output_shapes()
        self.binded = True

    def _compute_output_shapes(self) -> Any:
        """Names and shapes of the outputs, from `data_shapes` and `label_shapes`; subclasses define it."""
        self._must_define("_compute_output_shapes")


class PythonLossModule(PythonModule):
    """A loss: it hands its input through, and `grad_func` gives the gradient.

    Parameters
    ----------
    name : str
        The output is called ``<name>_output``.
    data_names, label_names : list of str
        One name each.
    grad_func : callable (scores, labels) -> NDArray or numpy.ndarray, optional
        Without it a subclass defines `_backward_impl`.
    """

    def __init__(
        self,
        name: str = "pyloss",
        data_names: Sequence[str] = ("data",),
        label_names: Sequence[str] = ("softmax_label",),
        logger: Any = logging,
        grad_func: Callable[[NDArray, NDArray], Any] | None = None,
    ) -> None:
        super().__init__(data_names, label_names, [f"{name}_output"], logger=logger)
        if len(data_names) != 1 or len(label_names) != 1:
            raise ValueError(
                f"a PythonLossModule has one input and one label, got {list(data_names)} and {list(label_names)}"
            )
        if grad_func is not None and not callable(grad_func):
            raise TypeError(f"grad_func must be callable, got {type(grad_func).__name__}")
        self._name = name
        self._grad_func = grad_func
        self._scores: Any = None
        self._labels: Any = None
        self._scores_grad: Any = None

    def _compute_output_shapes(self) -> list[tuple[str, Any]]:
        return [(f"{self._name}_output", self._data_shapes[0][1])]

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Keep scores, and in training labels."""
        self._scores = data_batch.data[0]
        if self.for_training if is_train is None else is_train:
            self._labels = data_batch.label[0]

    def get_outputs(self, merge_multi_context: bool = True) -> list[NDArray]:
        """Return the scores, as a list."""
        return [self._scores]

    def backward(self, out_grads: Any = None) -> None:
        """Compute the gradient of the scores.

        Raises
        ------
        AssertionError : the module is not for training, or is given gradients.
        """
        if out_grads is not None:
            raise AssertionError("backward: a loss takes no out_grads")
        if not self.for_training:
            raise AssertionError("backward: bind with for_training=True")
        self._backward_impl()

    def _backward_impl(self) -> None:
        if self._grad_func is None:
            raise TypeError(f"{type(self).__name__} needs a grad_func, or must define _backward_impl")
        grad = self._grad_func(self._scores, self._labels)
        self._scores_grad = grad if isinstance(grad, NDArray) else ndarray.array(grad)

    def get_input_grads(self, merge_multi_context: bool = True) -> list[NDArray]:
        """Return the gradient of the scores, as a list."""
        return [self._scores_grad]

    def install_monitor(self, mon: Any) -> None:
        """There is no executor to watch."""
