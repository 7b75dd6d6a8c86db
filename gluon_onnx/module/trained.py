"""Modules with an optimizer: how their parameters are updated."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import kvstore as kvs
from .. import optimizer as opt
from ..context import Context
from ..graph.exporters._files import replaced_file
from ..ndarray import NDArray
from .base_module import BaseModule

__all__ = ["TrainedModule"]

_LARGE = 16 << 20  # elements: a store that sums on the CPU leaves updates of such arrays to the contexts


class TrainedModule(BaseModule):
    """A module whose parameters live on several contexts and are updated by an optimizer.

    Parameters
    ----------
    contexts : list of Context
    compression_params : dict, optional
        Of the store for several contexts.
    """

    _exec_group: Any
    _arg_params: Any
    _param_names: list[str]

    def __init__(
        self, contexts: Sequence[Context], compression_params: Mapping[str, Any] | None, logger: Any = logging
    ) -> None:
        super().__init__(logger=logger)
        self._context = list(contexts)
        self._compression_params = compression_params
        self._params_dirty = False  # whether the executors' parameters are newer than `_arg_params`
        self._optimizer: Any = None
        self._kvstore: Any = None
        self._update_on_kvstore = False
        self._updater: Any = None
        self._preload_opt_states: str | None = None
        self._indices: dict[str, int] = {}  # of parameters, by which the optimizer knows them

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """Make the optimizer that `update` uses.

        Parameters
        ----------
        kvstore : str, KVStore or None
            Sums the gradients of several contexts.
        optimizer : str or Optimizer
            One that is made from a name divides gradients by the batch size.
        optimizer_params : dict, or pairs
            Arguments of its constructor.
        force_init : bool
            Make a new one; else that is ignored with a warning.
        """
        self._require("init_optimizer")
        if self.optimizer_initialized and not force_init:
            self.logger.warning("optimizer already initialized, ignoring...")
            return
        self.get_params()  # brings those of the contexts here
        store, update_on_store = self._make_store(kvstore)
        n = len(self._context)
        names: dict[Any, str] = (
            dict(enumerate(self._param_names))
            if update_on_store
            else {i * n + k: name for k in range(n) for i, name in enumerate(self._param_names)}
        )
        scale = 1.0 / (self._exec_group.batch_size or 1)
        if isinstance(optimizer, str):
            params = {"rescale_grad": scale, **dict(optimizer_params)}
            optimizer = opt.create(optimizer, sym=self._symbol, param_idx2name=names, **params)
        elif not isinstance(optimizer, opt.Optimizer):
            raise TypeError(f"optimizer: expected a name or an Optimizer, got {type(optimizer).__name__}")
        else:
            if optimizer.rescale_grad != scale:
                warnings.warn(
                    f"the optimizer has rescale_grad={optimizer.rescale_grad}, where one over the batch size would "
                    f"be {scale}. Is this intended?",
                    stacklevel=2,
                )
            if not optimizer.idx2name:
                optimizer.idx2name = dict(names)
        self._indices = {name: i for i, name in enumerate(self._param_names)}
        self._optimizer, self._kvstore, self._update_on_kvstore = optimizer, store, update_on_store
        self._updater = None if update_on_store else opt.get_updater(optimizer)
        if store is not None:
            self._fill_store()
        self.optimizer_initialized = True
        if self._preload_opt_states is not None:
            self.load_optimizer_states(self._preload_opt_states)
            self._preload_opt_states = None

    def _make_store(self, kvstore: Any) -> tuple[Any, bool]:
        """The store that sums gradients, if there is one, and whether it updates the parameters."""
        if kvstore is not None and not isinstance(kvstore, str | kvs.KVStore | kvs.KVStoreBase):
            raise TypeError(f"kvstore must be KVStore, str or None, got {type(kvstore).__name__}")
        if kvstore is None or (
            isinstance(kvstore, str) and len(self._context) == 1 and "dist" not in kvstore
        ):
            return None, False
        store = kvs.create(kvstore) if isinstance(kvstore, str) else kvstore
        update = os.environ.get("MXNET_UPDATE_ON_KVSTORE", "1") != "0"
        if kvstore == "local":
            update = update and all(int(np.prod(x.shape)) <= _LARGE for x in self._arg_params.values())
        return store, bool(update and store.is_capable(kvs.KVStoreBase.OPTIMIZER))

    def _fill_store(self) -> None:
        store = self._kvstore
        if self._compression_params:
            store.set_gradient_compression(self._compression_params)
        if self._update_on_kvstore:
            store.set_optimizer(self._optimizer)
        for name, arrays in zip(self._param_names, self._exec_group.param_arrays, strict=True):
            store.broadcast(name, self._arg_params[name], arrays)

    def borrow_optimizer(self, shared_module: Any) -> None:
        """Use the optimizer, store and states of another module, which has the same parameters."""
        if not shared_module.optimizer_initialized:
            raise AssertionError("borrow_optimizer: the other module has no optimizer yet")
        self._indices = shared_module._indices
        self._optimizer = shared_module._optimizer
        self._kvstore = shared_module._kvstore
        self._update_on_kvstore = shared_module._update_on_kvstore
        self._updater = shared_module._updater
        self.optimizer_initialized = True

    def update(self) -> None:
        """Update the parameters by the gradients of the last `backward`."""
        self._require("update", optimizer=True)
        self._params_dirty = True
        group, n = self._exec_group, len(self._context)
        updates: list[list[tuple[int, NDArray, NDArray]]] = [[] for _ in range(n)]
        rows = zip(self._param_names, group.param_arrays, group.grad_arrays, strict=True)
        for name, arrays, grads in rows:
            if grads[0] is None:
                continue
            i = self._indices[name]
            if self._kvstore is not None:
                self._kvstore.pushpull(
                    name, grads, out=arrays if self._update_on_kvstore else grads, priority=-i
                )
            for k in range(n):
                updates[k].append((i * n + k, grads[k], arrays[k]))
        if not self._update_on_kvstore:
            for mine in updates:
                if mine:
                    indices, given, weights = zip(*mine, strict=True)
                    self._updater(list(indices), list(given), list(weights))

    def save_optimizer_states(self, fname: str) -> None:
        """Write the optimizer's states of all parameters to a file."""
        self._require("save_optimizer_states", optimizer=True)
        if self._update_on_kvstore:
            self._kvstore.save_optimizer_states(fname)
            return
        with replaced_file(fname) as stream:
            stream.write(self._updater.get_states())

    def load_optimizer_states(self, fname: str) -> None:
        """Read a file of `save_optimizer_states`.

        Raises
        ------
        FormatError : the file is something else, MXNet's pickle for example.
        """
        self._require("load_optimizer_states", optimizer=True)
        if self._update_on_kvstore:
            self._kvstore.load_optimizer_states(fname)
            return
        with open(fname, "rb") as f:
            self._updater.set_states(f.read())
