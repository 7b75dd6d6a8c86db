"""Modules for inputs of varying length: a symbol for each length, parameters in common."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import ndarray
from .. import symbol as sym
from ..context import Context
from ..model import load_params
from ..name import NameManager
from ..ndarray import NDArray
from .base_module import _INITIALIZER, BaseModule, Params
from .inputs import check_input_names
from .module import Module

__all__ = ["BucketingModule"]


class BucketingModule(BaseModule):
    """A module that makes a symbol for each bucket (sequence length) and shares parameters among them.

    Parameters
    ----------
    sym_gen : callable (bucket_key) -> (symbol, data_names, label_names)
    default_bucket_key :
        Key of the bucket that has all parameters, usually the longest.
    logger, context, work_load_list, fixed_param_names, state_names, group2ctxs, compression_params :
        See `Module`.
    """

    def __init__(
        self,
        sym_gen: Callable[[Any], tuple[Any, Any, Any]],
        default_bucket_key: Any = None,
        logger: Any = logging,
        context: Context | Sequence[Context] | None = None,
        work_load_list: Sequence[float] | None = None,
        fixed_param_names: Sequence[str] | None = None,
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
        compression_params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(logger=logger)
        if default_bucket_key is None:
            raise AssertionError("BucketingModule needs a default_bucket_key")
        self._sym_gen = sym_gen
        self._default_bucket_key = default_bucket_key
        self._options = {
            "logger": logger,
            "context": context,
            "work_load_list": work_load_list,
            "fixed_param_names": fixed_param_names,
            "state_names": state_names,
            "group2ctxs": group2ctxs,
            "compression_params": compression_params,
        }
        symbol, data_names, label_names = self._call_sym_gen(default_bucket_key)
        check_input_names(symbol, list(data_names or []), "data", required=True)
        check_input_names(symbol, list(label_names or []), "label", required=False)
        check_input_names(symbol, list(state_names or []), "state", required=True)
        check_input_names(symbol, list(fixed_param_names or []), "fixed_param", required=True)
        self._params_dirty = False
        self._monitor: Any = None
        self._grad_req: Any = None
        self._reset_bind()

    def _reset_bind(self) -> None:
        self.binded = False
        self._buckets: dict[Any, Module] = {}
        self._curr_module: Any = None
        self._curr_bucket_key: Any = None

    def _call_sym_gen(self, bucket_key: Any) -> tuple[Any, Any, Any]:
        with NameManager():  # automatic names are the same for every bucket
            return self._sym_gen(bucket_key)

    def _new_module(self, bucket_key: Any) -> Module:
        symbol, data_names, label_names = self._call_sym_gen(bucket_key)
        return Module(symbol, data_names, label_names, **self._options)

    @property
    def _default_module(self) -> Module:
        """The module of the default bucket, which has all parameters."""
        return self._buckets[self._default_bucket_key]

    # -- names and shapes ------------------------------------------------------------------------------------
    @property
    def data_names(self) -> Any:
        """Names of the inputs of the present bucket."""
        if self.binded:
            return self._curr_module.data_names
        return self._call_sym_gen(self._default_bucket_key)[1]

    @property
    def output_names(self) -> Any:
        """Names of the outputs of the present bucket."""
        if self.binded:
            return self._curr_module.output_names
        return self._call_sym_gen(self._default_bucket_key)[0].list_outputs()

    @property
    def data_shapes(self) -> Any:
        """Names and shapes of the inputs of the present bucket."""
        self._require("data_shapes", params=False)
        return self._curr_module.data_shapes

    @property
    def label_shapes(self) -> Any:
        """Names and shapes of the labels of the present bucket."""
        self._require("label_shapes", params=False)
        return self._curr_module.label_shapes

    @property
    def output_shapes(self) -> Any:
        """Names and shapes of the outputs of the present bucket."""
        self._require("output_shapes", params=False)
        return self._curr_module.output_shapes

    @property
    def symbol(self) -> Any:
        """The symbol of the present bucket."""
        self._require("symbol", params=False)
        return self._curr_module.symbol

    # -- parameters ------------------------------------------------------------------------------------------
    def get_params(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        """Return parameters and auxiliary states by name."""
        if not self.params_initialized:
            raise AssertionError("BucketingModule.get_params: call init_params before")
        module = self._default_module
        module._params_dirty = module._params_dirty or self._params_dirty
        self._params_dirty = False
        return module.get_params()

    def init_params(
        self,
        initializer: Any = _INITIALIZER,
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Give parameters and auxiliary states their first values; see `Module.init_params`."""
        if self.params_initialized and not force_init:
            return
        self._require("init_params", params=False)
        self._default_module.init_params(
            initializer=initializer,
            arg_params=arg_params,
            aux_params=aux_params,
            allow_missing=allow_missing,
            force_init=force_init,
            allow_extra=allow_extra,
        )
        self._params_dirty = False
        self.params_initialized = True

    def set_params(
        self,
        arg_params: Params | None,
        aux_params: Params | None,
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Set parameters and auxiliary states; see `Module.set_params`."""
        if not allow_missing:
            self.init_params(None, arg_params, aux_params, allow_missing, force_init)
            return
        if self.params_initialized and not force_init:
            warnings.warn(
                "set_params does nothing: there are values already and force_init=False", stacklevel=2
            )
            return
        self._default_module.set_params(
            arg_params,
            aux_params,
            allow_missing=allow_missing,
            force_init=force_init,
            allow_extra=allow_extra,
        )
        self._params_dirty = True
        self.params_initialized = True

    def get_states(self, merge_multi_context: bool = True) -> Any:
        """Return the arrays of the states of the present bucket."""
        self._require("get_states")
        return self._curr_module.get_states(merge_multi_context=merge_multi_context)

    def set_states(self, states: Any = None, value: Any = None) -> None:
        """Set the states of the present bucket; see `Module.set_states`."""
        self._require("set_states")
        self._curr_module.set_states(states, value)

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
        """Bind the default bucket to shapes; the others follow when a batch is for them. See `Module.bind`."""
        params = self.get_params() if self.params_initialized else None
        if force_rebind:
            self._reset_bind()
        if self.binded:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if shared_module is not None:
            raise AssertionError("bind: a BucketingModule cannot use a shared_module")
        key = self._default_bucket_key
        module = self._buckets.get(key) or self._new_module(key)
        module.bind(data_shapes, label_shapes, for_training, inputs_need_grad, grad_req=grad_req)
        self.for_training, self.inputs_need_grad, self._grad_req = for_training, inputs_need_grad, grad_req
        self._buckets[key] = self._curr_module = module
        self._curr_bucket_key = key
        self.binded = True
        if params is not None:
            self.set_params(*params)

    def switch_bucket(self, bucket_key: Any, data_shapes: Any, label_shapes: Any = None) -> None:
        """Go to another bucket; its module is made and bound if it is new.

        Raises
        ------
        MXNetError : its symbol has a parameter that the default bucket lacks, or in another shape.
        """
        self._require("switch_bucket", params=False)
        module = self._buckets.get(bucket_key) or self._new_module(bucket_key)
        if not module.binded:
            module.bind(
                data_shapes,
                label_shapes,
                self._curr_module.for_training,
                self._curr_module.inputs_need_grad,
                shared_module=self._default_module,
                grad_req=self._grad_req,
            )
            if self._monitor is not None:
                module.install_monitor(self._monitor)
        self._buckets[bucket_key] = self._curr_module = module
        self._curr_bucket_key = bucket_key

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """Make the optimizer, for all buckets; see `Module.init_optimizer`."""
        self._require("init_optimizer")
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring.")
            return
        main = self._default_module
        main._params_dirty = main._params_dirty or self._params_dirty
        main.init_optimizer(kvstore, optimizer, optimizer_params, force_init=force_init)
        for module in self._buckets.values():
            if module is not main and module.binded:
                module.borrow_optimizer(main)
        self.optimizer_initialized = True

    def install_monitor(self, mon: Any) -> None:
        """Let a `Monitor` watch the modules of all buckets."""
        self._require("install_monitor", params=False)
        self._monitor = mon
        for module in self._buckets.values():
            module.install_monitor(mon)

    # -- computing -------------------------------------------------------------------------------------------
    def prepare(self, data_batch: Any, sparse_row_id_fn: Callable[[Any], Any] | None = None) -> None:
        """Bind the bucket of a batch ahead."""
        self._require("prepare")
        before = self._curr_bucket_key
        self.switch_bucket(data_batch.bucket_key, data_batch.provide_data, data_batch.provide_label)
        self._curr_module.prepare(data_batch, sparse_row_id_fn=sparse_row_id_fn)
        self.switch_bucket(before, None, None)

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Go to the bucket of a batch and compute its outputs."""
        self._require("forward")
        self.switch_bucket(data_batch.bucket_key, data_batch.provide_data, data_batch.provide_label)
        self._curr_module.forward(data_batch, is_train=is_train)

    def backward(self, out_grads: Any = None) -> None:
        """Compute gradients; see `Module.backward`."""
        self._require("backward")
        self._curr_module.backward(out_grads=out_grads)

    def update(self) -> None:
        """Update the parameters by the gradients of the last `backward`."""
        self._require("update", optimizer=True)
        self._params_dirty = True
        self._curr_module.update()

    def get_outputs(self, merge_multi_context: bool = True) -> Any:
        """Return the outputs of the last `forward`."""
        self._require("get_outputs")
        return self._curr_module.get_outputs(merge_multi_context=merge_multi_context)

    def get_input_grads(self, merge_multi_context: bool = True) -> Any:
        """Return the gradients of the data of the last `backward`."""
        self._require("get_input_grads")
        return self._curr_module.get_input_grads(merge_multi_context=merge_multi_context)

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Give labels and the last outputs to a metric."""
        self._require("update_metric")
        self._curr_module.update_metric(eval_metric, labels, pre_sliced)

    # -- files -----------------------------------------------------------------------------------------------
    def save_checkpoint(self, prefix: str, epoch: int, remove_amp_cast: bool = False) -> None:
        """Write parameters, the symbols of all buckets so far, and the buckets' keys (which must be integers).

        The files are ``<prefix>-<epoch>.params``, ``<prefix>-<key>-symbol.json`` and ``<prefix>.buckets``.
        """
        if not self._buckets:
            raise AssertionError("save_checkpoint: the BucketingModule has no buckets yet; call bind before")
        self.save_params(f"{prefix}-{epoch:04d}.params")
        for key, module in self._buckets.items():
            module.symbol.save(f"{prefix}-{key}-symbol.json", remove_amp_cast=remove_amp_cast)
        ndarray.save(f"{prefix}.buckets", ndarray.array(list(self._buckets), dtype=np.int32))

    @staticmethod
    def load(
        prefix: str, epoch: int, sym_gen: Any = None, default_bucket_key: Any = None, **kwargs: Any
    ) -> BucketingModule:
        """Make a module from the files of `save_checkpoint`; `kwargs` go to the constructor."""
        keys = [int(k) for k in ndarray.load(f"{prefix}.buckets")[0].asnumpy()]
        symbols = {k: sym.load(f"{prefix}-{k}-symbol.json") for k in keys}
        arg_params, aux_params = load_params(prefix, epoch)
        return BucketingModule.load_dict(
            symbols, sym_gen, default_bucket_key, arg_params, aux_params, **kwargs
        )

    @staticmethod
    def load_dict(
        sym_dict: Mapping[Any, Any] | None = None,
        sym_gen: Any = None,
        default_bucket_key: Any = None,
        arg_params: Params | None = None,
        aux_params: Params | None = None,
        **kwargs: Any,
    ) -> BucketingModule:
        """Make a module from symbols by bucket key, and parameters; `kwargs` go to the constructor.

        Raises
        ------
        ValueError : something is missing, or there is no symbol of the default bucket.
        """
        given = {
            "sym_dict": sym_dict,
            "sym_gen": sym_gen,
            "default_bucket_key": default_bucket_key,
            "arg_params": arg_params,
            "aux_params": aux_params,
        }
        missing = [name for name, value in given.items() if value is None]
        if missing:
            raise ValueError(f"a BucketingModule cannot be loaded without {', '.join(missing)}")
        assert sym_dict is not None
        if default_bucket_key not in sym_dict:
            raise ValueError(
                f"the default bucket {default_bucket_key!r} is not among those with symbols: {list(sym_dict)}"
            )
        result = BucketingModule(sym_gen, default_bucket_key, **kwargs)
        for key, symbol in sym_dict.items():
            _, data_names, label_names = result._call_sym_gen(key)
            result._buckets[key] = Module(symbol, data_names, label_names, **result._options)
        module = result._buckets[default_bucket_key]
        module._arg_params, module._aux_params = arg_params, aux_params
        module.params_initialized = result.params_initialized = True
        result._curr_module = module
        return result
