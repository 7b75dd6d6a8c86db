"""Trainer: applies an optimizer to parameters."""

from __future__ import annotations

import os
import warnings
from typing import Any

from .. import kvstore as kvs
from .. import optimizer as opt
from ..context import Context
from ..graph.exporters._files import replaced_file
from .parameter import Parameter
from .parameter_dict import ParameterDict

__all__ = ["Trainer"]


class Trainer:
    """Applies an optimizer to a set of parameters; used with `autograd`.

    Parameters
    ----------
    params : ParameterDict, dict or list of parameters.
    optimizer : Optimizer, or its name.
    optimizer_params : arguments of the optimizer's constructor.
    kvstore : how gradients of several contexts are summed: "device", "local", a store, or None (not at all).
    update_on_kvstore : let the store update the weights; by default where there are several contexts.

    Raises
    ------
    ValueError : `params` holds something else than parameters.
    """

    def __init__(
        self,
        params: Any,
        optimizer: Any,
        optimizer_params: dict[str, Any] | None = None,
        kvstore: Any = "device",
        compression_params: Any = None,
        update_on_kvstore: bool | None = None,
    ) -> None:
        if isinstance(params, dict | ParameterDict):
            params = [params[k] for k in sorted(params.keys())]
        if not isinstance(params, list | tuple):
            raise ValueError(f"params: expected a list or dict of Parameters, got {type(params).__name__}")
        self._params: list[Parameter] = []
        self._param2idx: dict[str, int] = {}
        for i, p in enumerate(params):
            if not isinstance(p, Parameter):
                raise ValueError(
                    f"params: expected a list or dict of Parameters, got a list with a {type(p).__name__}"
                )
            self._param2idx[p.name] = i
            self._params.append(p)
            p._set_trainer(self)
        self._compression_params = compression_params
        self._contexts = self._check_contexts()
        self._init_optimizer(optimizer, dict(optimizer_params or {}))
        self._scale = self._optimizer.rescale_grad
        self._kvstore_params = {"kvstore": kvstore, "update_on_kvstore": update_on_kvstore}
        self._kvstore: Any = None
        self._update_on_kvstore: bool | None = None
        self._kv_initialized = False
        self._params_to_init: list[Parameter] = []
        self._stepped = False
        self._reset_kvstore()

    def _check_contexts(self) -> list[Context]:
        contexts = None
        for p in self._params:
            ctx = p.list_ctx()
            if contexts is not None and contexts != ctx:
                raise AssertionError(
                    f"parameter {p.name!r} is initialized on {ctx}, those before it on {contexts}; a "
                    "trainer needs the same "
                    "contexts for all"
                )
            contexts = ctx
        return contexts or []

    def _init_optimizer(self, optimizer: Any, optimizer_params: dict[str, Any]) -> None:
        by_index = dict(enumerate(self._params))
        if isinstance(optimizer, opt.Optimizer):
            if optimizer_params:
                raise AssertionError("optimizer_params go with an optimizer's name, not with an Optimizer")
            self._optimizer = optimizer
            self._optimizer.param_dict = by_index
        else:
            self._optimizer = opt.create(optimizer, param_dict=by_index, **optimizer_params)
        self._updaters = [opt.get_updater(self._optimizer) for _ in self._contexts]

    # -- gradient reduction ------------------------------------------------------------------------------
    def _reset_kvstore(self) -> None:
        self._kv_initialized = False
        self._kvstore = None
        self._update_on_kvstore = None
        self._params_to_init = list(self._params)

    def _init_kvstore(self) -> None:
        """Decide how gradients are reduced and who updates.

        Raises
        ------
        ValueError : `update_on_kvstore` contradicts the store.
        """
        kvstore, update = self._kvstore_params["kvstore"], self._kvstore_params["update_on_kvstore"]
        if isinstance(kvstore, str):
            store = kvs.create(kvstore) if len(self._contexts) > 1 else None
        else:
            store = kvstore
        if store is None:
            self._kvstore, self._update_on_kvstore = None, None
        else:
            capable = store.is_capable(kvs.KVStoreBase.OPTIMIZER)
            if update and not capable:
                raise ValueError(
                    f"the store {store.type!r} cannot update weights; use update_on_kvstore=False"
                )
            if update is None:
                update = capable and os.environ.get("MXNET_UPDATE_ON_KVSTORE", "1") != "0"
            self._kvstore, self._update_on_kvstore = store, update
            if update:
                store.set_optimizer(self._optimizer)
        self._kv_initialized = True

    def _init_params(self) -> None:
        """Put parameters whose values are known into the store."""
        waiting = []
        for p in self._params_to_init:
            if p._deferred_init:
                waiting.append(p)
            elif self._kvstore is not None:
                arrays = p.list_data()
                self._kvstore.broadcast(self._param2idx[p.name], arrays[0], arrays)
        self._params_to_init = waiting

    def _ready(self) -> None:
        if not self._kv_initialized:
            self._init_kvstore()
        if self._params_to_init:
            self._init_params()

    # -- learning rate -----------------------------------------------------------------------------------
    @property
    def learning_rate(self) -> float:
        """The current learning rate."""
        rate: float = self._optimizer.learning_rate
        return rate

    @property
    def optimizer(self) -> Any:
        """The optimizer."""
        return self._optimizer

    def set_learning_rate(self, lr: float) -> None:
        """Set the learning rate.

        Raises
        ------
        UserWarning : the optimizer has a scheduler, which decides.
        """
        self._optimizer.set_learning_rate(lr)

    # -- steps ---------------------------------------------------------------------------------------------
    def step(self, batch_size: int, ignore_stale_grad: bool = False) -> None:
        """Reduce gradients over contexts and update all parameters.

        Parameters
        ----------
        batch_size : gradients are divided by it.
        ignore_stale_grad : skip parameters whose gradients no backward pass has written since the last step.

        Raises
        ------
        UserWarning : a gradient is stale and `ignore_stale_grad` is False.
        """
        self._ready()
        self._check_and_rescale_grad(self._scale / batch_size)
        self._allreduce_grads()
        self._update(ignore_stale_grad)

    def allreduce_grads(self) -> None:
        """Sum the gradients of all contexts; for use with `update`.

        Raises
        ------
        AssertionError : the store updates the weights.
        """
        self._ready()
        if self._kvstore is not None and self._update_on_kvstore:
            raise AssertionError(
                "allreduce_grads() needs update_on_kvstore=False: this trainer's store updates the weights itself"
            )
        self._allreduce_grads()

    def update(self, batch_size: int, ignore_stale_grad: bool = False) -> None:
        """Update all parameters without reducing gradients.

        Raises
        ------
        AssertionError : the store updates the weights.
        """
        self._ready()
        if self._kvstore is not None and self._update_on_kvstore:
            raise AssertionError(
                "update() needs update_on_kvstore=False: this trainer's store updates the weights itself"
            )
        self._check_and_rescale_grad(self._scale / batch_size)
        self._update(ignore_stale_grad)

    def _check_and_rescale_grad(self, scale: float) -> None:
        if self._update_on_kvstore and self._stepped:
            if self._optimizer.rescale_grad != scale:
                warnings.warn(
                    "the batch size changed, but the store keeps the gradient scale of the first step "
                    "(update_on_kvstore=True)",
                    stacklevel=3,
                )
            return
        self._optimizer.rescale_grad = scale

    def _allreduce_grads(self) -> None:
        if self._kvstore is None:
            return
        for i, p in enumerate(self._params):
            if p.grad_req != "null":
                grads = p.list_grad()
                if not self._update_on_kvstore:
                    self._kvstore.pushpull(i, grads)
                elif not self._stale(p):
                    self._kvstore.push(i, grads)

    def _stale(self, p: Parameter) -> bool:
        return not all(x._fresh_grad for x in p.list_data())

    def _update(self, ignore_stale_grad: bool) -> None:
        batches: list[list[tuple[int, Any, Any]]] = [[] for _ in self._updaters]  # index, gradient, weight
        for i, p in enumerate(self._params):
            if p.grad_req == "null":
                continue
            if not ignore_stale_grad:
                for x in p.list_data():
                    if not x._fresh_grad:
                        raise UserWarning(
                            f"no backward has written the gradient of `{p.name}` on {x.context} since the "
                            "last step, as if the "
                            "loss did not depend on it; step(..., ignore_stale_grad=True) skips such parameters"
                        )
            if self._kvstore is not None and self._update_on_kvstore:
                self._kvstore.pull(i, p.list_data())
                for x in p.list_data():
                    x._fresh_grad = False
                continue
            for batch, x, g in zip(batches, p.list_data(), p.list_grad(), strict=True):
                if not ignore_stale_grad or x._fresh_grad:
                    batch.append((i, g, x))
                    x._fresh_grad = False
        for updater, batch in zip(self._updaters, batches, strict=True):
            if batch:
                updater(*(list(column) for column in zip(*batch, strict=True)))
        self._stepped = True

    # -- states ----------------------------------------------------------------------------------------------
    def save_states(self, fname: str | os.PathLike[str]) -> None:
        """Write the optimizer's states to a file (safetensors and JSON, no pickle)."""
        self._ready()
        if self._kvstore is not None and self._update_on_kvstore:
            self._kvstore.save_optimizer_states(os.fspath(fname), dump_optimizer=True)
            return
        with replaced_file(fname) as stream:
            stream.write(self._updaters[0].get_states(dump_optimizer=True))

    def load_states(self, fname: str | os.PathLike[str]) -> None:
        """Read the optimizer's states from a file of `save_states`.

        Raises
        ------
        FormatError : the file is not one.
        """
        self._ready()
        if self._kvstore is not None and self._update_on_kvstore:
            self._kvstore.load_optimizer_states(os.fspath(fname))
            self._optimizer = self._kvstore._updater.optimizer
        else:
            with open(fname, "rb") as f:
                states = f.read()
            for updater in self._updaters:
                updater.set_states(states)
                updater.optimizer = self._updaters[0].optimizer
            self._optimizer = self._updaters[0].optimizer
        self._optimizer.param_dict = dict(enumerate(self._params))
