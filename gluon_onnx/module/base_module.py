"""The interface of modules, and what every module can do with it: fit, score, predict."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

from .. import metric, ndarray
from ..context import cpu
from ..initializer import Uniform
from ..io import DataBatch, DataIter
from ..model import BatchEndParam
from ..ndarray import NDArray

__all__ = ["BaseModule"]

_INITIALIZER = Uniform(0.01)
Params = Mapping[str, NDArray]


class BaseModule:
    """Base of all modules: a computation that is bound to shapes, given parameters, and trained.

    A subclass defines `bind`, `init_params`, `init_optimizer`, `get_params`, `forward`, `backward`, `update`,
    `update_metric`, `get_outputs`, `get_input_grads`, `install_monitor` and the names and shapes.

    Parameters
    ----------
    logger : logging.Logger or the module `logging`

    Attributes
    ----------
    binded, params_initialized, optimizer_initialized : bool
        What has been done so far.
    for_training, inputs_need_grad : bool
        What `bind` was told.
    """

    def __init__(self, logger: Any = logging) -> None:
        self.logger = logger
        self.binded = False
        self.for_training = False
        self.inputs_need_grad = False
        self.params_initialized = False
        self.optimizer_initialized = False
        self._symbol: Any = None

    def _must_define(self, name: str) -> NoReturn:
        raise TypeError(f"{type(self).__name__} must define {name}")

    def _require(self, what: str, params: bool = True, optimizer: bool = False) -> None:
        """Check that the module has been prepared for a call of `what`.

        Raises
        ------
        AssertionError : a step is missing; the message names it.
        """
        missing = [
            step
            for step, done in (
                ("bind", self.binded),
                ("init_params", self.params_initialized or not params),
                ("init_optimizer", self.optimizer_initialized or not optimizer),
            )
            if not done
        ]
        if missing:
            raise AssertionError(f"{type(self).__name__}.{what}: call {' and '.join(missing)} before")

    # -- what subclasses define ------------------------------------------------------------------------------
    @property
    def data_names(self) -> Any:
        """Names of the inputs."""
        self._must_define("data_names")

    @property
    def output_names(self) -> Any:
        """Names of the outputs."""
        self._must_define("output_names")

    @property
    def data_shapes(self) -> Any:
        """Names and shapes of the inputs."""
        self._must_define("data_shapes")

    @property
    def label_shapes(self) -> Any:
        """Names and shapes of the labels; None where the module takes none."""
        self._must_define("label_shapes")

    @property
    def output_shapes(self) -> Any:
        """Names and shapes of the outputs."""
        self._must_define("output_shapes")

    @property
    def symbol(self) -> Any:
        """The symbol; None where there is none."""
        return self._symbol

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
        """Prepare the computation for inputs of given shapes."""
        self._must_define("bind")

    def init_params(
        self,
        initializer: Any = _INITIALIZER,
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Give parameters and auxiliary states their first values."""
        self._must_define("init_params")

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """Make the optimizer that `update` uses."""
        self._must_define("init_optimizer")

    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return parameters and auxiliary states by name."""
        self._must_define("get_params")

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Compute the outputs for a batch."""
        self._must_define("forward")

    def backward(self, out_grads: Any = None) -> None:
        """Compute gradients after a `forward`; `out_grads` are those of the outputs."""
        self._must_define("backward")

    def update(self) -> None:
        """Update the parameters by their gradients."""
        self._must_define("update")

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Give labels and the last outputs to a metric."""
        self._must_define("update_metric")

    def get_outputs(self, merge_multi_context: bool = True) -> Any:
        """Return the outputs of the last `forward`."""
        self._must_define("get_outputs")

    def get_input_grads(self, merge_multi_context: bool = True) -> Any:
        """Return the gradients of the inputs of the last `backward`."""
        self._must_define("get_input_grads")

    def install_monitor(self, mon: Any) -> None:
        """Let a `Monitor` watch the computation."""
        self._must_define("install_monitor")

    # -- parameters and states -------------------------------------------------------------------------------
    def set_params(
        self,
        arg_params: Params | None,
        aux_params: Params | None,
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Set parameters and auxiliary states; see `init_params`."""
        self.init_params(
            initializer=None,
            arg_params=arg_params,
            aux_params=aux_params,
            allow_missing=allow_missing,
            force_init=force_init,
            allow_extra=allow_extra,
        )

    def save_params(self, fname: str) -> None:
        """Write all parameters to a ``.params`` file."""
        arg_params, aux_params = self.get_params()
        named = {f"arg:{name}": value.as_in_context(cpu()) for name, value in arg_params.items()}
        named.update({f"aux:{name}": value.as_in_context(cpu()) for name, value in aux_params.items()})
        ndarray.save(fname, named)

    def load_params(self, fname: str) -> None:
        """Set all parameters from a file of `save_params`.

        Raises
        ------
        ValueError : a name in the file begins with neither ``arg:`` nor ``aux:``.
        """
        parts: dict[str, dict[str, NDArray]] = {"arg": {}, "aux": {}}
        for name, value in ndarray.load(fname).items():
            kind, _, rest = name.partition(":")
            if kind not in parts:
                raise ValueError(
                    f"{fname}: expected names that begin with 'arg:' or 'aux:', got {name!r}; is it a file of "
                    "save_params?"
                )
            parts[kind][rest] = value
        self.set_params(parts["arg"], parts["aux"])

    def get_states(self, merge_multi_context: bool = True) -> Any:
        """Return the states: none here.

        Raises
        ------
        AssertionError : `merge_multi_context` is True, which states do not offer.
        """
        self._require("get_states")
        if merge_multi_context:
            raise AssertionError("get_states gives the arrays of each context: use merge_multi_context=False")
        return []

    def set_states(self, states: Any = None, value: Any = None) -> None:
        """Set the states: there are none here.

        Raises
        ------
        AssertionError : something is given.
        """
        self._require("set_states")
        if states or value:
            raise AssertionError(f"{type(self).__name__} has no states that could be set")

    def prepare(self, data_batch: Any, sparse_row_id_fn: Callable[[Any], Any] | None = None) -> None:
        """Do what can be done ahead for a batch: nothing here."""
        if sparse_row_id_fn is not None:
            warnings.warn("sparse_row_id_fn is not called: parameters are dense", stacklevel=2)

    # -- on whole data sets ----------------------------------------------------------------------------------
    def forward_backward(self, data_batch: Any) -> None:
        """`forward` in training mode, then `backward`."""
        self.forward(data_batch, is_train=True)
        self.backward()

    def _evaluate(
        self, eval_data: Any, num_batch: int | None, reset: bool, row_ids: Any
    ) -> Iterator[tuple[int, Any]]:
        """Run forward for inference on each batch; yields number and batch."""
        if reset:
            eval_data.reset()
        for nbatch, batch in enumerate(eval_data):
            if num_batch is not None and nbatch == num_batch:
                break
            self.prepare(batch, sparse_row_id_fn=row_ids)
            self.forward(batch, is_train=False)
            yield nbatch, batch

    def _update_metric(self, eval_metric: Any, batch: Any) -> None:
        """Give the labels of a batch, or of one batch for each context, to a metric."""
        if isinstance(batch, list):
            self.update_metric(eval_metric, [b.label for b in batch], pre_sliced=True)
        else:
            self.update_metric(eval_metric, batch.label)

    def score(
        self,
        eval_data: Any,
        eval_metric: Any,
        num_batch: int | None = None,
        batch_end_callback: Any = None,
        score_end_callback: Any = None,
        reset: bool = True,
        epoch: int = 0,
        sparse_row_id_fn: Any = None,
    ) -> list[tuple[str, float]]:
        """Evaluate a metric on a data set.

        Parameters
        ----------
        eval_data : DataIter
        eval_metric : EvalMetric, or what `metric.create` takes
        num_batch : int, optional
            Stop after so many batches.
        batch_end_callback, score_end_callback : callable or list of callables
            Called with a `BatchEndParam` after each batch, and at the end.
        reset : bool
            Begin with the first batch.
        epoch : int
            For the callbacks.

        Returns
        -------
        list of (name, value)
        """
        self._require("score")
        if not isinstance(eval_metric, metric.EvalMetric):
            eval_metric = metric.create(eval_metric)
        eval_metric.reset()
        actual_num_batch = 0
        for nbatch, eval_batch in self._evaluate(eval_data, num_batch, reset, sparse_row_id_fn):
            self._update_metric(eval_metric, eval_batch)
            _call_all(batch_end_callback, BatchEndParam(epoch, nbatch, eval_metric, locals()))
            actual_num_batch += 1
        _call_all(score_end_callback, BatchEndParam(epoch, actual_num_batch, eval_metric, locals()))
        values: list[tuple[str, float]] = eval_metric.get_name_value()
        return values

    def iter_predict(
        self, eval_data: Any, num_batch: int | None = None, reset: bool = True, sparse_row_id_fn: Any = None
    ) -> Iterator[tuple[list[NDArray], int, Any]]:
        """Yield outputs without padding, number and batch for each batch of a `DataIter`."""
        self._require("iter_predict")
        for nbatch, batch in self._evaluate(eval_data, num_batch, reset, sparse_row_id_fn):
            yield self._without_padding(batch), nbatch, batch

    def _without_padding(self, batch: Any) -> list[NDArray]:
        return [out[0 : out.shape[0] - (batch.pad or 0)] for out in self.get_outputs()]

    def predict(
        self,
        eval_data: Any,
        num_batch: int | None = None,
        merge_batches: bool = True,
        reset: bool = True,
        always_output_list: bool = False,
        sparse_row_id_fn: Any = None,
    ) -> Any:
        """Compute the outputs for a data set.

        Parameters
        ----------
        eval_data : DataIter, NDArray or numpy.ndarray
            An array is one batch of the only input; the result is the first output.
        num_batch : int, optional
            Stop after so many batches.
        merge_batches : bool
            Join the outputs of all batches; else the result is a list of lists of outputs, one a batch.
        reset : bool
            Begin with the first batch.
        always_output_list : bool
            Return a list for a single output, too.

        Returns
        -------
        NDArray, list of NDArray, or list of lists of NDArray

        Raises
        ------
        ValueError : `eval_data` is something else, or batches with different numbers of outputs are to be joined.
        """
        self._require("predict")
        if isinstance(eval_data, NDArray | np.ndarray):
            data = eval_data if isinstance(eval_data, NDArray) else ndarray.array(eval_data)
            self.forward(DataBatch([data]), is_train=False)
            return self.get_outputs()[0]
        if not isinstance(eval_data, DataIter):
            raise ValueError(f"eval_data must be of type NDArray or DataIter, got {type(eval_data).__name__}")
        batches = [
            [out.copy() for out in self._without_padding(batch)]
            for _, batch in self._evaluate(eval_data, num_batch, reset, sparse_row_id_fn)
        ]
        if not batches or not merge_batches:
            return batches
        counts = {len(outputs) for outputs in batches}
        if len(counts) > 1:
            raise ValueError(
                f"cannot merge batches with different numbers of outputs: {sorted(counts)}; use merge_batches=False"
            )
        merged = [ndarray.concatenate(list(parts)) for parts in zip(*batches, strict=True)]
        return merged[0] if len(merged) == 1 and not always_output_list else merged

    def fit(
        self,
        train_data: Any,
        eval_data: Any = None,
        eval_metric: Any = "acc",
        epoch_end_callback: Any = None,
        batch_end_callback: Any = None,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        eval_end_callback: Any = None,
        eval_batch_end_callback: Any = None,
        initializer: Any = _INITIALIZER,
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_rebind: bool = False,
        force_init: bool = False,
        begin_epoch: int = 0,
        num_epoch: int | None = None,
        validation_metric: Any = None,
        monitor: Any = None,
        sparse_row_id_fn: Any = None,
    ) -> None:
        """Bind, initialize and train.

        Parameters
        ----------
        train_data, eval_data : DataIter
            For training, and for a `score` after each epoch.
        eval_metric, validation_metric : EvalMetric, or what `metric.create` takes
            For training and validation; the same by default.
        epoch_end_callback : callable or list
            Called with epoch, symbol, parameters and auxiliary states.
        batch_end_callback, eval_end_callback, eval_batch_end_callback : callable or list
            Called with a `BatchEndParam`.
        kvstore, optimizer, optimizer_params :
            See `init_optimizer`.
        initializer, arg_params, aux_params, allow_missing, force_init :
            See `init_params`.
        force_rebind : bool
            Bind anew if the module is bound already.
        begin_epoch, num_epoch : int
            First epoch, and the one to stop before.
        monitor : Monitor
            Watches the training.

        Raises
        ------
        AssertionError : `num_epoch` is missing.
        ValueError : `train_data` has no batches.
        """
        if num_epoch is None:
            raise AssertionError("fit: please specify the number of epochs (num_epoch)")
        self.bind(
            data_shapes=train_data.provide_data,
            label_shapes=train_data.provide_label,
            for_training=True,
            force_rebind=force_rebind,
        )
        if monitor is not None:
            self.install_monitor(monitor)
        self.init_params(
            initializer=initializer,
            arg_params=arg_params,
            aux_params=aux_params,
            allow_missing=allow_missing,
            force_init=force_init,
        )
        self.init_optimizer(kvstore=kvstore, optimizer=optimizer, optimizer_params=optimizer_params)
        if validation_metric is None:
            validation_metric = eval_metric
        if not isinstance(eval_metric, metric.EvalMetric):
            eval_metric = metric.create(eval_metric)
        for epoch in range(begin_epoch, num_epoch):
            start = time.time()
            values = self._fit_epoch(
                train_data, eval_metric, epoch, batch_end_callback, monitor, sparse_row_id_fn
            )
            for name, value in values:
                self.logger.info("Epoch[%d] Train-%s=%f", epoch, name, value)
            self.logger.info("Epoch[%d] Time cost=%.3f", epoch, time.time() - start)
            now_arg, now_aux = self.get_params()
            self.set_params(now_arg, now_aux)  # all contexts go on from the same values
            _call_all(epoch_end_callback, epoch, self.symbol, now_arg, now_aux)
            if eval_data is not None:
                values = self.score(
                    eval_data,
                    validation_metric,
                    score_end_callback=eval_end_callback,
                    batch_end_callback=eval_batch_end_callback,
                    epoch=epoch,
                )
                for name, value in values:
                    self.logger.info("Epoch[%d] Validation-%s=%f", epoch, name, value)
            train_data.reset()

    def _fit_epoch(
        self,
        train_data: Any,
        eval_metric: Any,
        epoch: int,
        batch_end_callback: Any,
        monitor: Any,
        sparse_row_id_fn: Any,
    ) -> list[tuple[str, float]]:
        """Train one epoch; returns the values of the metric over it."""
        eval_metric.reset()
        batches = iter(train_data)
        data_batch = next(batches, None)
        if data_batch is None:
            raise ValueError("fit: train_data has no batches; has it been reset?")
        values: list[tuple[str, float]] = []
        nbatch = 0
        while data_batch is not None:
            if monitor is not None:
                monitor.tic()
            self.forward_backward(data_batch)
            self.update()
            self._update_metric(eval_metric, data_batch)
            following = next(batches, None)  # iterators may reuse the batch: only now is it done with
            if following is not None:
                self.prepare(following, sparse_row_id_fn=sparse_row_id_fn)
            if monitor is not None:
                monitor.toc_print()
            if following is None:  # a callback may reset the metric
                values = eval_metric.get_global_name_value()
            _call_all(batch_end_callback, BatchEndParam(epoch, nbatch, eval_metric, locals()))
            nbatch += 1
            data_batch = following
        return values


def _call_all(callbacks: Any, *args: Any) -> None:
    """Call none, one, or a list of callbacks."""
    if callbacks is None:
        return
    for callback in callbacks if isinstance(callbacks, list | tuple) else [callbacks]:
        callback(*args)
