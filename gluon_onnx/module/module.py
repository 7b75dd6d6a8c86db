"""A symbol with executors, parameters and an optimizer."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import ndarray
from ..base import MXNetError
from ..context import Context, cpu
from ..initializer import InitDesc
from ..io import DataDesc
from ..model import load_checkpoint
from ..ndarray import NDArray
from .base_module import _INITIALIZER, Params
from .executor_group import DataParallelExecutorGroup
from .inputs import check_input_names, parse_data_desc
from .trained import TrainedModule

__all__ = ["Module"]


class Module(TrainedModule):
    """A symbol that is trained or evaluated on one or several contexts.

    Parameters
    ----------
    symbol : Symbol
    data_names, label_names, state_names : list of str
        Arguments that are inputs, labels, or states; all others are parameters. States are inputs that no
        batch brings: they begin with zeros, see `set_states`.
    context : Context or list of Context
        Each takes a part of every batch.
    work_load_list : list of float, optional
        How much of a batch each context takes, in proportion.
    fixed_param_names : list of str, optional
        Parameters that are not trained.
    group2ctxs : dict or list of dicts, optional
        Contexts of the arrays of variables with an attribute ``ctx_group``; on the CPU only.
    compression_params : dict, optional
        Of the store for several contexts.

    Raises
    ------
    ValueError : a name is not among the symbol's arguments (for labels that is a warning).
    """

    def __init__(
        self,
        symbol: Any,
        data_names: Sequence[str] | None = ("data",),
        label_names: Sequence[str] | None = ("softmax_label",),
        logger: Any = logging,
        context: Context | Sequence[Context] | None = None,
        work_load_list: Sequence[float] | None = None,
        fixed_param_names: Sequence[str] | None = None,
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
        compression_params: Mapping[str, Any] | None = None,
    ) -> None:
        contexts = cpu() if context is None else context
        contexts = [contexts] if isinstance(contexts, Context) else list(contexts)
        super().__init__(contexts, compression_params, logger=logger)
        self._work_load_list = list(work_load_list or [1] * len(self._context))
        if len(self._work_load_list) != len(self._context):
            raise ValueError(
                f"work_load_list has {len(self._work_load_list)} entries for {len(self._context)} contexts"
            )
        self._group2ctxs = group2ctxs
        self._symbol = symbol
        self._data_names = list(data_names or [])
        self._label_names = list(label_names or [])
        self._state_names = list(state_names or [])
        self._fixed_param_names = list(fixed_param_names or [])
        check_input_names(symbol, self._data_names, "data", required=True)
        check_input_names(symbol, self._label_names, "label", required=False)
        check_input_names(symbol, self._state_names, "state", required=True)
        check_input_names(symbol, self._fixed_param_names, "fixed_param", required=True)
        inputs = {*self._data_names, *self._label_names, *self._state_names}
        self._param_names = [n for n in symbol.list_arguments() if n not in inputs]
        self._aux_names = symbol.list_auxiliary_states()
        self._output_names = symbol.list_outputs()
        self._arg_params: Any = None
        self._aux_params: Any = None
        self._grad_req: Any = None
        self._reset_bind()

    def _reset_bind(self) -> None:
        self.binded = False
        self._exec_group: Any = None
        self._data_shapes: Any = None
        self._label_shapes: Any = None

    # -- files -----------------------------------------------------------------------------------------------
    @staticmethod
    def load(prefix: str, epoch: int, load_optimizer_states: bool = False, **kwargs: Any) -> Module:
        """Make a module from the files of `save_checkpoint`.

        Parameters
        ----------
        prefix : str
            Beginning of the files' names.
        epoch : int
        load_optimizer_states : bool
            `init_optimizer` reads the optimizer's states, too.
        kwargs :
            Go to the constructor.
        """
        symbol, arg_params, aux_params = load_checkpoint(prefix, epoch)
        module = Module(symbol=symbol, **kwargs)
        module._arg_params, module._aux_params = arg_params, aux_params
        module.params_initialized = True
        if load_optimizer_states:
            module._preload_opt_states = f"{prefix}-{epoch:04d}.states"
        return module

    def save_checkpoint(
        self, prefix: str, epoch: int, save_optimizer_states: bool = False, remove_amp_cast: bool = True
    ) -> None:
        """Write ``<prefix>-symbol.json`` and ``<prefix>-<epoch>.params``, and if asked ``<prefix>-<epoch>.states``.

        The optimizer's states are a safetensors file, not a pickle as MXNet's.
        """
        self._symbol.save(f"{prefix}-symbol.json", remove_amp_cast=remove_amp_cast)
        path = f"{prefix}-{epoch:04d}.params"
        self.save_params(path)
        logging.info('Saved checkpoint to "%s"', path)
        if save_optimizer_states:
            path = f"{prefix}-{epoch:04d}.states"
            self.save_optimizer_states(path)
            logging.info('Saved optimizer state to "%s"', path)

    # -- names and shapes ------------------------------------------------------------------------------------
    @property
    def data_names(self) -> list[str]:
        """Names of the inputs."""
        return self._data_names

    @property
    def label_names(self) -> list[str]:
        """Names of the labels."""
        return self._label_names

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        return list(self._output_names)

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Names and shapes of the inputs, as bound."""
        self._require("data_shapes", params=False)
        shapes: list[DataDesc] = self._data_shapes
        return shapes

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """Names and shapes of the labels, as bound."""
        self._require("label_shapes", params=False)
        shapes: list[DataDesc] | None = self._label_shapes
        return shapes

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the outputs for a whole batch."""
        self._require("output_shapes", params=False)
        shapes: list[tuple[str, tuple[int, ...]]] = self._exec_group.get_output_shapes()
        return shapes

    # -- binding ---------------------------------------------------------------------------------------------
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
        """Make executors for inputs of given shapes.

        Parameters
        ----------
        data_shapes, label_shapes : list of DataDesc or of (name, shape)
            ``provide_data`` and ``provide_label`` of a `DataIter`.
        for_training : bool
            Whether there are gradients.
        inputs_need_grad : bool
            Whether the data get gradients, too.
        force_rebind : bool
            Bind anew if the module is bound already, which is otherwise ignored with a warning.
        shared_module : Module, optional
            Its parameters and optimizer are used.
        grad_req : str, list or dict
            How gradients are written: "write", "add" or "null".

        Raises
        ------
        TypeError : a shape is not a tuple of integers.
        ValueError : names of the data are not those of the module.
        MXNetError : shapes do not fit the symbol.
        """
        if force_rebind:
            self._reset_bind()
        if self.binded:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if inputs_need_grad and not for_training:
            raise AssertionError("bind: inputs_need_grad=True needs for_training=True")
        shared_group = None
        if shared_module is not None:
            if not (
                isinstance(shared_module, Module)
                and shared_module.binded
                and shared_module.params_initialized
            ):
                raise AssertionError("bind: shared_module must be a Module that is bound and initialized")
            shared_group = shared_module._exec_group
            if len(shared_group.execs) < len(self._context):
                raise AssertionError("bind: shared_module has fewer contexts than this module")
        data, labels = parse_data_desc(self._data_names, self._label_names, data_shapes, label_shapes)
        group = DataParallelExecutorGroup(
            self._symbol,
            self._context,
            self._work_load_list,
            data,
            labels,
            self._param_names,
            for_training,
            inputs_need_grad,
            shared_group,
            logger=self.logger,
            fixed_param_names=self._fixed_param_names,
            grad_req=grad_req,
            group2ctxs=self._group2ctxs,
            state_names=self._state_names,
        )
        self.for_training, self.inputs_need_grad, self._grad_req = for_training, inputs_need_grad, grad_req
        self._data_shapes, self._label_shapes, self._exec_group = data, labels, group
        self.binded = True
        if shared_module is not None:
            self._arg_params, self._aux_params = shared_module._arg_params, shared_module._aux_params
            self.params_initialized = True
            if shared_module.optimizer_initialized:
                self.borrow_optimizer(shared_module)
        elif self.params_initialized:
            group.set_params(self._arg_params, self._aux_params)
        else:
            self._arg_params = _zeros(self._param_names, group.param_arrays)
            self._aux_params = _zeros(self._aux_names, group.aux_arrays)

    def reshape(self, data_shapes: Any, label_shapes: Any = None) -> None:
        """Bind for inputs of other shapes; parameters stay.

        Raises
        ------
        MXNetError : a parameter would get another shape.
        """
        self._require("reshape", params=False)
        data, labels = parse_data_desc(self._data_names, self._label_names, data_shapes, label_shapes)
        self._exec_group.reshape(data, labels)
        self._data_shapes, self._label_shapes = data, labels

    # -- parameters ------------------------------------------------------------------------------------------
    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return parameters and auxiliary states by name, on the CPU: means over all contexts."""
        if not self.params_initialized:
            raise AssertionError("Module.get_params: call init_params before")
        if self._params_dirty:
            self._sync_params_from_devices()
        return self._arg_params, self._aux_params

    def _sync_params_from_devices(self) -> None:
        self._exec_group.get_params(self._arg_params, self._aux_params)
        self._params_dirty = False

    def init_params(
        self,
        initializer: Any = _INITIALIZER,
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Give parameters and auxiliary states their first values.

        Parameters
        ----------
        initializer : Initializer
            For values that are not given.
        arg_params, aux_params : dict of str to NDArray, optional
            Values by name.
        allow_missing : bool
            Let the initializer fill in what is missing in a dict that is given.
        force_init : bool
            Initialize again; else that is ignored with a warning.
        allow_extra : bool
            Accepted for MXNet's sake: only `set_params` looks for unknown names, as there.

        Raises
        ------
        RuntimeError : a value is missing.
        """
        if self.params_initialized and not force_init:
            warnings.warn(
                "init_params does nothing: parameters are initialized already (force_init=True does it again)",
                stacklevel=2,
            )
            return
        self._require("init_params", params=False)
        attributes = self._symbol.attr_dict()
        for targets, given in ((self._arg_params, arg_params), (self._aux_params, aux_params)):
            for name, target in sorted(targets.items()):
                value = None if given is None else given.get(name)
                if value is not None:
                    _copy(name, value, target)
                elif given is not None and not allow_missing:
                    raise RuntimeError(f"init_params: there is no value for {name!r}; got {sorted(given)}")
                elif initializer is not None:
                    initializer(InitDesc(name, attributes.get(name)), target)
                elif given is None:
                    raise RuntimeError(
                        f"init_params: there is neither a value nor an initializer for {name!r}"
                    )
        self.params_initialized = True
        self._params_dirty = False
        self._exec_group.set_params(self._arg_params, self._aux_params, allow_extra=allow_extra)

    def set_params(
        self,
        arg_params: Params | None,
        aux_params: Params | None,
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Set parameters and auxiliary states.

        Parameters
        ----------
        arg_params, aux_params : dict of str to NDArray
        allow_missing : bool
            Values that are not given stay.
        force_init : bool
            Without it nothing happens if there are values already.
        allow_extra : bool
            With `allow_missing`: ignore values whose names are unknown.

        Raises
        ------
        RuntimeError : a value is missing and `allow_missing` is False.
        ValueError : `allow_missing` is True, a name is unknown and `allow_extra` is False.
        """
        if not allow_missing:
            self.init_params(None, arg_params, aux_params, allow_missing, force_init, allow_extra)
            return
        if self.params_initialized and not force_init:
            warnings.warn(
                "set_params does nothing: there are values already and force_init=False", stacklevel=2
            )
            return
        self._require("set_params", params=False)
        self._exec_group.set_params(arg_params or {}, aux_params, allow_extra=allow_extra)
        self._params_dirty = True
        self.params_initialized = True

    def get_states(self, merge_multi_context: bool = True) -> Any:
        """Return the arrays of the states, a list for each state with one array for each context."""
        self._require("get_states")
        return self._exec_group.get_states(merge_multi_context=merge_multi_context)

    def set_states(self, states: Any = None, value: Any = None) -> None:
        """Set the states from arrays (``get_outputs(merge_multi_context=False)``), or all to one number."""
        self._require("set_states")
        self._exec_group.set_states(states, value)

    # -- computing -------------------------------------------------------------------------------------------
    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Compute the outputs for a batch; one of other shapes reshapes the module.

        Parameters
        ----------
        data_batch : DataBatch, or a list of them, one for each context
        is_train : bool, optional
            By default as bound.
        """
        self._require("forward")
        shapes = _batch_shapes(data_batch)
        if shapes != [x.shape for x in self._data_shapes]:
            self._reshape_for(data_batch, shapes)
        self._exec_group.forward(data_batch, is_train)

    def _reshape_for(self, batch: Any, shapes: Sequence[tuple[int, ...]]) -> None:
        first = batch[0] if isinstance(batch, list) else batch
        n = len(batch) if isinstance(batch, list) else 1
        data: Any = getattr(first, "provide_data", None) if n == 1 else None
        data = data or [
            DataDesc(x.name, s, x.dtype, x.layout) for x, s in zip(self._data_shapes, shapes, strict=True)
        ]
        labels: Any = getattr(first, "provide_label", None) if n == 1 else None
        arrays = getattr(first, "label", None)
        if not labels and arrays and self._label_shapes:
            labels = [
                DataDesc(x.name, (n * a.shape[0], *a.shape[1:]), x.dtype, x.layout)
                for x, a in zip(self._label_shapes, arrays, strict=True)
            ]
        # Without labels their shapes follow from the data; there is nothing to warn of.
        names = [x[0] for x in labels or []]
        parsed, parsed_labels = parse_data_desc(self._data_names, names, data, labels or None)
        self._exec_group.reshape(parsed, parsed_labels)
        self._data_shapes, self._label_shapes = parsed, parsed_labels

    def backward(self, out_grads: Any = None) -> None:
        """Compute gradients after a `forward` in training mode.

        Parameters
        ----------
        out_grads : NDArray or list of NDArray, optional
            Gradients of the outputs; losses need none.
        """
        self._require("backward")
        self._exec_group.backward(out_grads=out_grads)

    def get_outputs(self, merge_multi_context: bool = True) -> Any:
        """Return the outputs of the last `forward`, joined or as lists of one array for each context."""
        self._require("get_outputs")
        return self._exec_group.get_outputs(merge_multi_context=merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> Any:
        """Return the gradients of the data of the last `backward`; needs ``bind(inputs_need_grad=True)``."""
        self._require("get_input_grads")
        return self._exec_group.get_input_grads(merge_multi_context=merge_multi_context)

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Give labels and the last outputs to a metric; `pre_sliced`: a list of labels for each context."""
        self._exec_group.update_metric(eval_metric, labels, pre_sliced)

    def install_monitor(self, mon: Any) -> None:
        """Let a `Monitor` watch the executors."""
        self._require("install_monitor", params=False)
        self._exec_group.install_monitor(mon)

    def prepare(self, data_batch: Any, sparse_row_id_fn: Callable[[Any], Any] | None = None) -> None:
        """Do what can be done ahead for a batch: nothing, since parameters are dense."""
        self._require("prepare", params=False)
        super().prepare(data_batch, sparse_row_id_fn)


def _zeros(names: Sequence[str], arrays: Sequence[Sequence[NDArray]]) -> dict[str, NDArray]:
    """Arrays on the CPU of the shapes and types of those on the contexts."""
    return {n: ndarray.zeros(b[0].shape, cpu(), b[0].dtype) for n, b in zip(names, arrays, strict=True)}


def _copy(name: str, value: NDArray, target: NDArray) -> None:
    if value.shape != target.shape:
        raise MXNetError(f"parameter {name!r}: expected shape {target.shape}, got {value.shape}")
    if value is not target:
        value.copyto(target)


def _batch_shapes(batch: Any) -> list[tuple[int, ...]]:
    """Shapes of the data of a batch, or of a list of them, one for each context."""
    if not isinstance(batch, list):
        return [tuple(x.shape) for x in batch.data]
    shapes = [[tuple(x.shape) for x in b.data] for b in batch]
    if any(s != shapes[0] for s in shapes):
        raise ValueError(f"all data batches in a list need to have the same shape, got {shapes}")
    return [(len(batch) * s[0], *s[1:]) for s in shapes[0]]
