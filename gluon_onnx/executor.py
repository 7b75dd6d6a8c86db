"""Executors: a Symbol bound to arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ._runtime.function import SymbolFunction
from ._tape import Place, run_backward
from .autograd import _Scope
from .base import MXNetError
from .context import Context
from .graph.errors import ArgumentError, ShapeError
from .graph.passes.common_expressions import without_repetitions
from .monitor import watch
from .ndarray import NDArray
from .ndarray.creation import zeros
from .ndarray.dispatch import call
from .steady import Steady
from .symbol import Symbol

__all__ = ["Executor", "simple_bind"]

Arrays = Sequence[Any] | Mapping[str, Any] | None


class Executor:
    """A Symbol bound to argument, gradient and auxiliary arrays.

    Parameters
    ----------
    args, args_grad, aux_states : arrays in order (`list_arguments`, `list_auxiliary_states`) or by name.
    grad_req : "write", "add" or "null"; for all, in order, or by name.
    function : the compiled symbol, where another executor of the same symbol has it already.

    Raises
    ------
    MXNetError : an argument or auxiliary state is missing.
    """

    def __init__(
        self,
        symbol: Symbol,
        ctx: Context,
        args: Arrays,
        args_grad: Arrays,
        grad_req: Any,
        aux_states: Arrays,
        function: SymbolFunction | None = None,
    ):
        self._symbol = symbol
        self._ctx = ctx
        self.arg_names = symbol.list_arguments()
        self.aux_names = symbol.list_auxiliary_states()
        self.output_names = symbol.list_outputs()
        self.arg_arrays = _in_order(args, self.arg_names, "args", required=True)
        self.grad_arrays = _in_order(args_grad, self.arg_names, "args_grad", required=False)
        self.aux_arrays = _in_order(aux_states, self.aux_names, "aux_states", required=True)
        self._reqs = _requests(grad_req, self.arg_names, self.grad_arrays)
        self._outputs: list[NDArray] | None = None
        self.function = function or SymbolFunction(symbol, name=symbol.name or "executor")
        self._merges = os.environ.get("MXNET_ELIMINATE_COMMON_EXPR", "1") != "0"
        self._steady = Steady(symbol, self.function.name)
        self._recorded = False
        self._monitor: tuple[Callable[[str, NDArray], None], bool] | None = None

    @property
    def outputs(self) -> list[NDArray]:
        """The results of the last forward; zeros before the first."""
        if self._outputs is None:
            known = {**self.arg_dict, **self.aux_dict}
            shapes = self._symbol.infer_shape(**{n: x.shape for n, x in known.items()})[1]
            types = self._symbol._likely_types(**{n: x.dtype for n, x in known.items()})[1]
            if shapes is None or types is None:
                raise MXNetError(
                    "the shapes and types of the arguments do not determine those of the outputs"
                )
            self._outputs = [zeros(s, self._ctx, t) for s, t in zip(shapes, types, strict=True)]
        return self._outputs

    @property
    def arg_dict(self) -> dict[str, NDArray]:
        """Argument arrays by name."""
        return dict(zip(self.arg_names, self.arg_arrays, strict=True))

    @property
    def grad_dict(self) -> dict[str, NDArray | None]:
        """Gradient arrays by argument name."""
        return dict(zip(self.arg_names, self.grad_arrays, strict=True))

    @property
    def aux_dict(self) -> dict[str, NDArray]:
        """Auxiliary arrays by name."""
        return dict(zip(self.aux_names, self.aux_arrays, strict=True))

    @property
    def output_dict(self) -> dict[str, NDArray]:
        """Outputs of the last forward by name."""
        return dict(zip(self.output_names, self.outputs, strict=True))

    def forward(self, is_train: bool = False, **kwargs: Any) -> list[NDArray]:
        """Run forward; `kwargs` are new values of arguments.

        Raises
        ------
        TypeError : a name is not one of the arguments.
        MXNetError : a value has the wrong shape.
        """
        arrays = self.arg_dict
        for name, value in kwargs.items():
            if name not in arrays:
                raise TypeError(f"forward got an unknown argument {name!r}; arguments are {self.arg_names}")
            if tuple(value.shape) != arrays[name].shape:
                raise ShapeError(
                    f"argument {name!r}: expected shape {arrays[name].shape}, got {tuple(value.shape)}"
                )
            arrays[name][:] = value
        outputs = self._deliver(self._run(True, recorded=True) if is_train else self._infer())
        self._recorded = is_train
        if self._monitor is not None:
            views = {**{n: x.detach() for n, x in arrays.items()}, **self.aux_dict}
            self._run_monitor(views, is_train)
        return outputs

    def _deliver(self, results: list[NDArray]) -> list[NDArray]:
        """Put results into the arrays of the first forward: programs may hold on to them."""
        if self._outputs is None:
            self._outputs = results
        for held, new in zip(self._outputs, results, strict=True):
            held._raw, held._version, held._place = new._raw, new._version, new._place
        return self._outputs

    def _infer(self) -> list[NDArray]:
        """Call the compiled symbol for inference, with arrays that stay the same as constants."""
        arrays = {**self.arg_dict, **self.aux_dict}
        function = self._steady.function(arrays)
        if function is None:
            return self._run(train=False, recorded=False)
        with _Scope(False, False):
            return call(function, [arrays[n] for n in function.names], train=False, ctx=self._ctx)

    def _run(self, train: bool, recorded: bool) -> list[NDArray]:
        """Call the compiled symbol; `recorded` with the gradient arrays as the places of gradients."""
        views = {}
        for name, x, grad, req in zip(
            self.arg_names, self.arg_arrays, self.grad_arrays, self._reqs, strict=True
        ):
            view = x.detach()
            if recorded and grad is not None and req != "null":
                view._place = Place()
                view._place.grad, view._place.grad_req = grad, req
            views[name] = view
        views.update(self.aux_dict)
        with _Scope(recorded, train):
            return call(self.function, [views[n] for n in self.function.names], train=train, ctx=self._ctx)

    def backward(self, out_grads: Any = None, is_train: bool = True) -> None:
        """Compute the gradients of the last forward into the gradient arrays.

        After ``forward(is_train=False)``, which keeps nothing for this, the forward is run again.

        Parameters
        ----------
        out_grads : gradients of the outputs; ones by default (loss operators ignore theirs).
        """
        grads = (
            [out_grads] if isinstance(out_grads, NDArray) else list(out_grads or [None] * len(self.outputs))
        )
        if isinstance(out_grads, dict):
            grads = [out_grads[n] for n in self.output_names]
        outputs = self.outputs if self._recorded else self._run(train=False, recorded=True)
        heads, values = [], []
        for x, g in zip(outputs, grads, strict=False):
            if x._place is not None:
                heads.append(x._place)
                values.append(_ones_like(x) if g is None else g.astype(x.dtype, copy=False))
        wanted = [
            g for g, req in zip(self.grad_arrays, self._reqs, strict=True) if g is not None and req == "write"
        ]
        for g in wanted:
            g._fresh = False
        with _Scope(False, is_train):
            run_backward(heads, values, keep=True)
        for g in wanted:
            if not g._fresh:  # nothing depends on the argument by a slope
                g[:] = 0

    def set_monitor_callback(
        self, callback: Callable[[str, NDArray], None], monitor_all: bool = False
    ) -> None:
        """Call ``callback(name, array)`` with every output of an operator after each forward.

        Parameters
        ----------
        monitor_all : also with the inputs of operators.
        """
        self._monitor = (callback, monitor_all)

    def _run_monitor(self, views: Mapping[str, NDArray], is_train: bool) -> None:
        assert self._monitor is not None
        callback, everything = self._monitor
        watched, names = watch(self._symbol, everything, variables=True)
        function = SymbolFunction(watched, name="monitor")
        detached = [views[n].copy() for n in function.names]
        with _Scope(False, is_train):
            results = call(function, detached, train=is_train, ctx=self._ctx)
        for (name, _), x in zip(names, results, strict=True):
            callback(name, x)

    def copy_params_from(
        self,
        arg_params: Mapping[str, NDArray],
        aux_params: Mapping[str, NDArray] | None = None,
        allow_extra_params: bool = False,
    ) -> None:
        """Copy values into arguments and auxiliary states by name.

        Raises
        ------
        ValueError : a name is unknown and `allow_extra_params` is False.
        """
        for given, ours, what in (
            (arg_params, self.arg_dict, "argument"),
            (aux_params or {}, self.aux_dict, "auxiliary state"),
        ):
            for name, value in given.items():
                if name in ours:
                    ours[name][:] = value.astype(ours[name].dtype)
                elif not allow_extra_params:
                    raise ValueError(f"there is no {what} named {name!r}; there are {list(ours)}")

    def reshape(
        self, partial_shaping: bool = False, allow_up_sizing: bool = False, **kwargs: Any
    ) -> Executor:
        """An executor for other input shapes that shares the arrays whose shapes stay, and the memory of larger ones.

        Raises
        ------
        MXNetError : an argument that was not named changes its shape (without `partial_shaping`), or grows
            (without `allow_up_sizing`).
        """
        shapes, _, aux_shapes = self._symbol.infer_shape(**kwargs)
        if shapes is None:
            raise MXNetError(f"reshape: the shapes {kwargs} do not determine all others")
        args, grads = [], []
        for name, x, g, shape in zip(self.arg_names, self.arg_arrays, self.grad_arrays, shapes, strict=True):
            if shape == x.shape:
                args.append(x)
                grads.append(g)
                continue
            if name not in kwargs and not partial_shaping:
                raise MXNetError(
                    f"reshape: the shape of {name!r}, which was not given, changes from {x.shape} to {shape}; "
                    "allow that with partial_shaping=True"
                )
            if int(np.prod(shape)) > x.size and not allow_up_sizing:
                raise MXNetError(
                    f"reshape: {name!r} grows from {x.shape} to {shape}; allow that with allow_up_sizing=True"
                )
            args.append(self._part(x, shape))
            grads.append(None if g is None else self._part(g, shape))
        aux = [
            x if x.shape == s else zeros(s, self._ctx, x.dtype)
            for x, s in zip(self.aux_arrays, aux_shapes, strict=True)
        ]
        return Executor(
            self._symbol,
            self._ctx,
            args,
            grads,
            dict(zip(self.arg_names, self._reqs, strict=True)),
            aux,
            self.function,
        )

    def _part(self, x: NDArray, shape: tuple[int, ...]) -> NDArray:
        """An array of another shape: in the memory of `x` if it fits there, else zeros."""
        n = int(np.prod(shape))
        if x.context.on_gpu or n > x.size:
            return zeros(shape, self._ctx, x.dtype)
        return x.reshape((-1,))[:n].reshape(shape)

    def get_optimized_symbol(self) -> Symbol:
        """The symbol with equal computations done once, as ONNX Runtime runs it.

        With ``MXNET_ELIMINATE_COMMON_EXPR=0`` in the environment when the executor was made, the symbol as it is.
        """
        return without_repetitions(self._symbol) if self._merges else self._symbol  # type: ignore[return-value]

    def debug_str(self) -> str:
        """The nodes of the graph, one a line."""
        return self._symbol.debug_str()


def _ones_like(x: NDArray) -> NDArray:
    from .ndarray.creation import ones

    return ones(x.shape, x.context, x.dtype)


def _in_order(given: Arrays, names: Sequence[str], what: str, required: bool) -> list[Any]:
    if given is None:
        given = {}
    if isinstance(given, Mapping):
        missing = [n for n in names if n not in given]
        if missing and required:
            raise ArgumentError(f"bind: {what} lacks arrays for {missing}")
        return [given.get(n) for n in names]
    if len(given) != len(names):
        if not given and not required:
            return [None] * len(names)
        raise ArgumentError(f"bind: {what} has {len(given)} arrays, expected {len(names)}: {list(names)}")
    return list(given)


def _requests(grad_req: Any, names: Sequence[str], grads: Sequence[Any]) -> list[str]:
    if isinstance(grad_req, str):
        reqs = [grad_req] * len(names)
    elif isinstance(grad_req, Mapping):
        reqs = [grad_req.get(n, "null") for n in names]
    else:
        reqs = list(grad_req)
    for name, req in zip(names, reqs, strict=True):
        if req not in ("write", "add", "null"):
            raise ArgumentError(f"grad_req of {name!r}: expected 'write', 'add' or 'null', got {req!r}")
    return ["null" if g is None else r for g, r in zip(grads, reqs, strict=True)]


def simple_bind(
    symbol: Symbol,
    ctx: Context,
    grad_req: Any,
    type_dict: Mapping[str, Any] | None,
    shapes: Mapping[str, Any],
    group2ctx: Mapping[str, Context] | None = None,
    shared: Executor | None = None,
    shared_names: Collection[str] | None = None,
    function: SymbolFunction | None = None,
) -> Executor:
    """An executor whose arrays are zeros of inferred shapes and types; see `Symbol.simple_bind`.

    Parameters
    ----------
    group2ctx : contexts of the arrays of variables by their attribute ``ctx_group``.
    shared : its arrays of `shared_names` and of auxiliary states are used, with their gradients.
    shared_names : all arguments that it has in the right shape by default.
    function : the compiled symbol, where there is one already.

    Raises
    ------
    MXNetError : a shape cannot be inferred, or differs from that of the array to share.
    """
    # MXNet passes over what is no shape: programs hand on options of other versions (``force_rebind``).
    shapes = {name: shape for name, shape in shapes.items() if isinstance(shape, tuple | list)}
    arg_shapes, _, aux_shapes = symbol.infer_shape(**shapes)
    names, aux_names = symbol.list_arguments(), symbol.list_auxiliary_states()
    if arg_shapes is None:
        partial = symbol.infer_shape_partial(**shapes)[0]
        unknown = [n for n, s in zip(names, partial, strict=True) if s == () or 0 in s]
        raise MXNetError(f"simple_bind: the shapes of {unknown} cannot be inferred from {dict(shapes)}")
    arg_types, _, aux_types = symbol._likely_types(**(type_dict or {}))
    attributes = symbol.attr_dict() if group2ctx else {}
    table = group2ctx or {}

    def place(name: str) -> Context:
        return table.get(attributes.get(name, {}).get("__ctx_group__", ""), ctx)

    reqs = _requests(grad_req, names, names)
    args: list[Any] = []
    grads: list[Any] = []
    for name, shape, dt, req in zip(names, arg_shapes, arg_types, reqs, strict=True):
        old = _shared_array(shared, name, shape, shared_names)
        args.append(zeros(shape, place(name), dt) if old is None else old)
        old_grad = shared.grad_dict[name] if shared is not None and old is not None else None
        if req == "null":
            grads.append(None)
        else:
            grads.append(zeros(shape, place(name), dt) if old_grad is None else old_grad)
    aux = []
    for name, shape, dt in zip(aux_names, aux_shapes, aux_types, strict=True):
        old = shared.aux_dict.get(name) if shared is not None else None
        aux.append(zeros(shape, place(name), dt) if old is None or old.shape != shape else old)
    return Executor(symbol, ctx, args, grads, dict(zip(names, reqs, strict=True)), aux, function)


def _shared_array(
    shared: Executor | None, name: str, shape: tuple[int, ...], names: Collection[str] | None
) -> NDArray | None:
    """The array of another executor to use for an argument, if any."""
    if shared is None or (names is not None and name not in names):
        return None
    found = shared.arg_dict.get(name)
    if names is None:
        return found if found is not None and found.shape == shape else None
    if found is None:
        raise MXNetError(
            f"simple_bind: the executor to share with has no argument {name!r}; it has {shared.arg_names}"
        )
    if found.shape != shape:
        raise MXNetError(
            f"simple_bind: {name!r} has shape {shape} here, but {found.shape} in the executor to share with"
        )
    return found
