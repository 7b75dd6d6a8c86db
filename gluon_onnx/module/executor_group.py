"""Executors of one symbol on several contexts, each of which takes a part of every batch."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from .. import ndarray
from ..base import MXNetError
from ..context import Context, cpu
from ..executor import Executor, simple_bind
from ..io import DataDesc
from ..ndarray import NDArray
from .inputs import split_batch

__all__ = ["DataParallelExecutorGroup"]

Arrays = list[list[NDArray]]  # an array for each context, for each of several names


class DataParallelExecutorGroup:
    """Executors of one symbol on several contexts.

    Parameters
    ----------
    symbol : Symbol
    contexts : list of Context
    workload : list of float
        How much of a batch each context takes, in proportion.
    data_shapes, label_shapes : list of DataDesc
        Inputs of a whole batch.
    param_names, state_names, fixed_param_names : list of str
        Arguments that are parameters or states; fixed parameters get no gradients.
    for_training, inputs_need_grad : bool
        Whether there are gradients, also for the data.
    shared_group : DataParallelExecutorGroup, optional
        Parameters, their gradients, and auxiliary states are the arrays of this group.
    grad_req : str, list or dict
        How gradients are written.

    Raises
    ------
    MXNetError : shapes do not fit together, or a parameter has another shape in `shared_group`.
    """

    def __init__(
        self,
        symbol: Any,
        contexts: Sequence[Context],
        workload: Sequence[float],
        data_shapes: Sequence[Any],
        label_shapes: Sequence[Any] | None,
        param_names: Sequence[str],
        for_training: bool,
        inputs_need_grad: bool,
        shared_group: DataParallelExecutorGroup | None = None,
        logger: Any = logging,
        fixed_param_names: Sequence[str] | None = None,
        grad_req: Any = "write",
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
    ) -> None:
        self.symbol = symbol
        self.contexts = list(contexts)
        self.workload = list(workload)
        self.arg_names = symbol.list_arguments()
        self.aux_names = symbol.list_auxiliary_states()
        self.output_names = symbol.list_outputs()
        self.param_names = list(param_names)
        self.fixed_param_names = list(fixed_param_names or [])
        self.state_names = list(state_names or [])
        self.for_training = for_training
        self.inputs_need_grad = inputs_need_grad
        self.logger = logger
        self.group2ctxs = _groups(group2ctxs, self.contexts)
        self.output_layouts = [
            DataDesc.get_batch_axis(symbol[i].attr("__layout__")) for i in range(len(symbol))
        ]
        self.execs: list[Executor] = []
        self._monitor: Any = None
        data = [x if isinstance(x, DataDesc) else DataDesc(*x) for x in data_shapes]
        labels = (
            None
            if label_shapes is None
            else [x if isinstance(x, DataDesc) else DataDesc(*x) for x in label_shapes]
        )
        self.grad_req = self._requests(grad_req if for_training else "null", [x.name for x in data])
        self._bind(data, labels, shared_group.execs if shared_group is not None else [])

    def _requests(self, grad_req: Any, data_names: Sequence[str]) -> dict[str, str]:
        """What is done with the gradient of each argument."""
        if isinstance(grad_req, list | tuple):
            if len(grad_req) != len(self.arg_names):
                raise MXNetError(
                    f"grad_req has {len(grad_req)} entries for the {len(self.arg_names)} arguments {self.arg_names}"
                )
            return dict(zip(self.arg_names, grad_req, strict=True))
        if not isinstance(grad_req, str | Mapping):
            raise ValueError(f"grad_req must be one of str, list, tuple, or dict, got {grad_req!r}")
        usual = grad_req if isinstance(grad_req, str) else "write"
        trained = {n for n in self.param_names if n not in self.fixed_param_names}
        if self.inputs_need_grad:
            trained |= set(data_names)
        requests = {n: usual if n in trained else "null" for n in self.arg_names}
        return requests if isinstance(grad_req, str) else {**requests, **grad_req}

    # -- binding ---------------------------------------------------------------------------------------------
    def _bind(self, data: list[DataDesc], labels: list[DataDesc] | None, shared: Sequence[Executor]) -> None:
        """Make the executors; parameters are those of `shared` where that is given."""
        unknown = [x.name for x in [*data, *(labels or [])] if x.name not in self.arg_names]
        if unknown:
            raise MXNetError(f"bind: the symbol has no arguments {unknown}; it has {self.arg_names}")
        self.data_layouts = [DataDesc.get_batch_axis(x.layout) for x in data]
        self.label_layouts = [DataDesc.get_batch_axis(x.layout) for x in labels or []]
        self.batch_size = self._common_size(
            [*data, *(labels or [])], [*self.data_layouts, *self.label_layouts]
        )
        self.slices = (
            [slice(None)] * len(self.contexts)
            if self.batch_size is None
            else split_batch(self.batch_size, self.workload)
        )
        execs: list[Executor] = []
        for i in range(len(self.contexts)):
            inputs = self._part(data, self.data_layouts, i) + self._part(labels or [], self.label_layouts, i)
            base = execs[0] if execs else self.execs[0] if self.execs else None
            execs.append(self._bind_one(i, inputs, base, shared[i] if shared else None))
        self.execs = execs
        self.data_shapes, self.label_shapes = data, labels
        self._collect_arrays()
        if self._monitor is not None:
            self.install_monitor(self._monitor)

    def _common_size(self, descs: Sequence[DataDesc], axes: Sequence[int]) -> int | None:
        sizes = {x.name: x.shape[axis] for x, axis in zip(descs, axes, strict=True) if axis >= 0}
        if len(set(sizes.values())) > 1:
            raise MXNetError(f"bind: all data must have the same batch size, got {sizes}")
        return next(iter(sizes.values()), None)

    def _part(self, descs: Sequence[DataDesc], axes: Sequence[int], i: int) -> list[DataDesc]:
        """What context `i` sees of the inputs."""
        found = []
        for x, axis in zip(descs, axes, strict=True):
            shape = list(x.shape)
            if axis >= 0:
                shape[axis] = self.slices[i].stop - self.slices[i].start
            found.append(DataDesc(x.name, tuple(shape), x.dtype, x.layout))
        return found

    def _bind_one(
        self, i: int, inputs: Sequence[DataDesc], base: Executor | None, shared: Executor | None
    ) -> Executor:
        declared = self.symbol.attr_dict()
        types = {x.name: x.dtype for x in inputs if declared.get(x.name, {}).get("__dtype__", "-1") == "-1"}
        return simple_bind(
            self.symbol,
            self.contexts[i],
            self.grad_req,
            types,
            {x.name: x.shape for x in inputs},
            group2ctx=self.group2ctxs[i],
            shared=shared,
            shared_names=self.param_names,
            function=base.function if base is not None else None,
        )

    def reshape(self, data_shapes: list[DataDesc], label_shapes: list[DataDesc] | None) -> None:
        """Bind for inputs of other shapes; parameters stay.

        Raises
        ------
        MXNetError : a parameter would get another shape.
        """
        if data_shapes != self.data_shapes or label_shapes != self.label_shapes:
            self._bind(data_shapes, label_shapes, self.execs)

    def _collect_arrays(self) -> None:
        params = [i for i, name in enumerate(self.arg_names) if name in self.param_names]
        self.data_arrays = self._inputs([x.name for x in self.data_shapes])
        self.label_arrays = self._inputs([x.name for x in self.label_shapes or []])
        self.state_arrays = self._inputs(self.state_names)
        self.param_arrays = [[e.arg_arrays[i] for e in self.execs] for i in params]
        self.grad_arrays = [[e.grad_arrays[i] for e in self.execs] for i in params]
        self.aux_arrays = [[e.aux_arrays[i] for e in self.execs] for i in range(len(self.aux_names))]

    def _inputs(self, names: Sequence[str]) -> Arrays:
        return [[e.arg_dict[name] for e in self.execs] for name in names]

    # -- parameters and states -------------------------------------------------------------------------------
    def set_params(
        self,
        arg_params: Mapping[str, NDArray],
        aux_params: Mapping[str, NDArray] | None,
        allow_extra: bool = False,
    ) -> None:
        """Copy values to all contexts.

        Raises
        ------
        ValueError : a name is unknown and `allow_extra` is False.
        """
        for executor in self.execs:
            executor.copy_params_from(arg_params, aux_params, allow_extra_params=allow_extra)

    def get_params(self, arg_params: dict[str, NDArray], aux_params: dict[str, NDArray]) -> None:
        """Write the mean over all contexts into the given arrays."""
        for names, arrays, targets in (
            (self.param_names, self.param_arrays, arg_params),
            (self.aux_names, self.aux_arrays, aux_params),
        ):
            for name, block in zip(names, arrays, strict=True):
                mean = block[0].copyto(cpu())
                for x in block[1:]:
                    mean += x.copyto(cpu())
                if len(block) > 1:
                    mean = mean / len(block)
                mean.copyto(targets[name])

    def get_states(self, merge_multi_context: bool = True) -> Arrays:
        """The arrays of the states, one for each context.

        Raises
        ------
        AssertionError : `merge_multi_context` is True, which states do not offer.
        """
        if merge_multi_context:
            raise AssertionError("get_states gives the arrays of each context: use merge_multi_context=False")
        return self.state_arrays

    def set_states(self, states: Any = None, value: Any = None) -> None:
        """Set the states from arrays (as `get_states` or `get_outputs` give them), or all to one number.

        Raises
        ------
        AssertionError : not exactly one of both is given.
        """
        if (states is None) == (value is None):
            raise AssertionError("set_states takes either states or a value")
        if states is not None:
            _load(states, self.state_arrays, [0] * len(states), self.slices)
            return
        for block in self.state_arrays:
            for x in block:
                x[:] = value

    # -- computing -------------------------------------------------------------------------------------------
    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Divide a batch among the contexts and run forward; a list has one batch for each context."""
        if isinstance(data_batch, list):
            data = [list(parts) for parts in zip(*(b.data for b in data_batch), strict=True)]
            label = [list(parts) for parts in zip(*(b.label or [] for b in data_batch), strict=True)]
        else:
            data, label = data_batch.data, getattr(data_batch, "label", None) or []
        _load(data, self.data_arrays, self.data_layouts, self.slices)
        if label:
            _load(label, self.label_arrays, self.label_layouts, self.slices)
        for executor in self.execs:
            executor.forward(is_train=self.for_training if is_train is None else is_train)

    def backward(self, out_grads: Any = None) -> None:
        """Run backward; `out_grads` are gradients of the outputs of the whole batch.

        Raises
        ------
        AssertionError : the group is not for training.
        """
        if not self.for_training:
            raise AssertionError("backward: bind with for_training=True")
        given = [out_grads] if isinstance(out_grads, NDArray) else list(out_grads or [])
        for executor, part, ctx in zip(self.execs, self.slices, self.contexts, strict=True):
            grads = [
                _cut(g, axis, part).as_in_context(ctx)
                for g, axis in zip(given, self.output_layouts, strict=False)
            ]
            executor.backward(grads or None)

    def get_output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the outputs for a whole batch."""
        found = []
        for name, x, axis in zip(self.output_names, self.execs[0].outputs, self.output_layouts, strict=True):
            shape = list(x.shape)
            if axis >= 0 and self.batch_size is not None:
                shape[axis] = self.batch_size
            found.append((name, tuple(shape)))
        return found

    def get_outputs(self, merge_multi_context: bool = True, begin: int = 0, end: int | None = None) -> Any:
        """Outputs `begin` to `end`, joined or as lists of one array for each context."""
        outputs = [[e.outputs[i] for e in self.execs] for i in range(len(self.output_names))][begin:end]
        return _merge(outputs, self.output_layouts[begin:end]) if merge_multi_context else outputs

    def get_input_grads(self, merge_multi_context: bool = True) -> Any:
        """Gradients of the data, joined or as lists of one array for each context.

        Raises
        ------
        AssertionError : the group was not bound for them.
        """
        if not self.inputs_need_grad:
            raise AssertionError("get_input_grads: bind with inputs_need_grad=True")
        grads = [[e.grad_dict[x.name] for e in self.execs] for x in self.data_shapes]
        return _merge(grads, self.data_layouts) if merge_multi_context else grads

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool) -> None:
        """Give labels and outputs of each context to a metric; `pre_sliced`: a list of labels for each."""
        names = [x.name for x in self.label_shapes or []]
        for i, (executor, part) in enumerate(zip(self.execs, self.slices, strict=True)):
            if pre_sliced:
                mine = labels[i]
            else:
                mine = [
                    _cut(x, axis, part) for x, axis in zip(labels or [], self.label_layouts, strict=False)
                ]
            eval_metric.update_dict(
                OrderedDict(zip(names, mine, strict=False)),
                OrderedDict(zip(self.output_names, executor.outputs, strict=True)),
            )

    def install_monitor(self, mon: Any) -> None:
        """Let a `Monitor` watch all executors, also those of a later `reshape`."""
        self._monitor = mon
        for executor in self.execs:
            mon.install(executor)


def _cut(x: NDArray, axis: int, part: slice) -> NDArray:
    """A context's part of an array; all of it where no axis is that of the samples."""
    if axis < 0 or part == slice(None) or (part.start == 0 and part.stop == x.shape[axis]):
        return x
    return x[part] if axis == 0 else ndarray.slice_axis(x, axis=axis, begin=part.start, end=part.stop)


def _load(sources: Any, targets: Arrays, axes: Sequence[int], slices: Sequence[slice]) -> None:
    """Copy inputs into the arrays of each context; a source is an array, or a list of one for each context."""
    for source, blocks, axis in zip(sources, targets, axes, strict=False):
        for i, (target, part) in enumerate(zip(blocks, slices, strict=True)):
            piece = source[i] if isinstance(source, list | tuple) else _cut(source, axis, part)
            piece.copyto(target)


def _merge(blocks: Sequence[Sequence[Any]], axes: Sequence[int]) -> list[Any]:
    """Join the arrays of the contexts along the axis of the samples; without one the first is taken."""
    joined = []
    for block, axis in zip(blocks, axes, strict=True):
        if axis < 0 or len(block) == 1:
            joined.append(block[0])
        else:
            parts = [x.as_in_context(block[0].context) for x in block]
            joined.append(ndarray.concat(*parts, dim=axis))
    return joined


def _groups(group2ctxs: Any, contexts: Sequence[Context]) -> list[dict[str, Context]]:
    """For each context a table from groups to contexts.

    A program runs on one device as a whole, so the tables only say where arrays live, and only on the CPU.

    Raises
    ------
    MXNetError : a group has not one context or one for each of `contexts`, or a GPU is involved.
    """
    n = len(contexts)
    if isinstance(group2ctxs, list | tuple):
        tables = [dict(table) for table in group2ctxs]
    else:
        tables = [{} for _ in contexts]
        for group, given in (group2ctxs or {}).items():
            several = list(given) if isinstance(given, list | tuple) else [given]
            if len(several) not in (1, n):
                raise MXNetError(f"group2ctxs[{group!r}] has {len(several)} contexts, expected 1 or {n}")
            for i, table in enumerate(tables):
                table[group] = several[i % len(several)]
    if len(tables) != n:
        raise MXNetError(f"group2ctxs has {len(tables)} tables for {n} contexts")
    for table, own in zip(tables, contexts, strict=True):
        for group, ctx in table.items():
            if ctx.on_gpu or own.on_gpu:
                raise MXNetError(
                    f"group2ctxs places {group!r} on {ctx} for a module on {own}: the parts of a network cannot be "
                    "placed on several devices"
                )
    return tables
