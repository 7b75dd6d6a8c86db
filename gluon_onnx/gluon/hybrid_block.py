"""HybridBlock: a block that runs eagerly, or compiled."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from .. import ndarray, symbol
from .._runtime.function import SymbolFunction
from .._tape import state
from ..base import MXNetError
from ..graph.errors import ExecutionError
from ..graph.scopes import AttrScope, current_attributes
from ..monitor import watch
from ..ndarray import NDArray
from ..ndarray.dispatch import call
from ..symbol import Symbol
from .block import Block
from .compiled import CompiledBlock
from .parameter import DeferredInitializationError, Parameter
from .structure import flatten, regroup

if TYPE_CHECKING:
    from .export import Exported

__all__ = ["HybridBlock"]


class HybridBlock(Block):
    """A block whose forward is written once for NDArrays and Symbols, in ``hybrid_forward(F, x, ..., **params)``.

    After `hybridize` the forward is traced to a symbol on the first call, compiled to an ONNX model, and run by
    ONNX Runtime from then on.
    """

    _whole_forwards: ClassVar[set[Any]] = (
        set()
    )  # implementations of `forward` that only run the compiled block

    def __init__(self, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix, params)
        self._active = False
        self._flags: dict[str, Any] = {}
        self._recompute = False
        self._graph: tuple[list[Symbol], Symbol] | None = None
        self._in_format: Any = None
        self._out_format: Any = None
        self._compiled: CompiledBlock | None = None
        self._quick: Callable[[Sequence[Any]], Any] | None = (
            None  # the short path, where nothing is around it
        )
        self._labels: tuple[str, ...] = ()  # variables of the graph that have no value
        self._monitor: tuple[Callable[..., Any], bool] | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if isinstance(value, HybridBlock | Parameter):
            self._clear_cached_op()

    def register_child(self, block: Block, name: str | None = None) -> None:
        """Make a hybrid block a child of this one.

        Raises
        ------
        ValueError : `block` is not a HybridBlock.
        """
        if not isinstance(block, HybridBlock):
            raise ValueError(
                f"children of a HybridBlock must be HybridBlocks, {name or 'this one'} is a {type(block).__name__}; "
                "nn.Sequential holds any blocks"
            )
        super().register_child(block, name)
        self._clear_cached_op()

    def hybridize(
        self,
        active: bool = True,
        backend: str | None = None,
        clear: bool = True,
        static_alloc: bool = False,
        static_shape: bool = False,
        inline_limit: int = 2,
        forward_bulk_size: int | None = None,
        backward_bulk_size: int | None = None,
        recompute: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Compile this block from now on, or stop.

        Parameters
        ----------
        recompute : in training, keep none of the values inside of this block (and the blocks in it) from the forward
            pass to the backward pass, which computes them once more from what flows into the block: less memory for
            more time (T. Chen et al., "Training deep nets with sublinear memory cost", 2016). It is meant for the
            stages of a deep network, each by itself, and is not passed on to children; None leaves it as it is. Say
            so before the first call of the hybridized block around it.
        static_shape : compile for every input shape anew instead of with symbolic dimensions.
        static_alloc, inline_limit, forward_bulk_size, backward_bulk_size, clear, backend : accepted for
            programs written for MXNet; ONNX Runtime plans memory by itself.
        """
        self._active = active
        if recompute is not None:
            self._recompute = recompute
        self._flags = {"static_alloc": static_alloc, "static_shape": static_shape, **kwargs}
        self._clear_cached_op()
        super().hybridize(active, static_alloc=static_alloc, static_shape=static_shape, **kwargs)

    def cast(self, dtype: Any) -> None:
        """Change the element type of this block and its children."""
        self._clear_cached_op()
        super().cast(dtype)

    def _clear_cached_op(self) -> None:
        self._graph = None
        self._compiled = None
        self._quick = None

    # -- tracing ---------------------------------------------------------------------------------------
    def _get_graph(self, *args: Any) -> tuple[list[Symbol], Symbol]:
        """Input symbols and output symbol of a trace; the trace of the first call is kept."""
        if self._graph is None:
            flat, self._in_format = flatten(args, "input")
            names = ["data"] if len(flat) == 1 else [f"data{i}" for i in range(len(flat))]
            inputs = [symbol.var(n) for n in names]
            grouped, _ = regroup(inputs, self._in_format)
            params = {k: p.var() for k, p in self._reg_params.items()}
            with self.name_scope(), self._recompute_scope():
                out = self._traced(grouped, params)
            flat_out, self._out_format = flatten(out, "output")
            self._graph = inputs, symbol.Group(flat_out)
        return self._graph

    def _traced(self, inputs: Sequence[Any], params: dict[str, Symbol]) -> Any:
        return self.hybrid_forward(symbol, *inputs, **params)

    def _infer(self, attribute: str, args: Sequence[Any]) -> None:
        inputs, out = self._get_graph(*args)
        flat, _ = flatten(args, "input")
        used = out.list_inputs()
        if attribute == "shape":
            known = {str(i.name): x.shape for i, x in zip(inputs, flat, strict=True) if i.name in used}
            arg_values, _, aux_values = out.infer_shape(**known)
            if arg_values is None:
                partial = out.infer_shape_partial(**known)[0]
                unknown = [n for n, s in zip(out.list_arguments(), partial, strict=True) if s == () or 0 in s]
                raise ValueError(f"the shapes of {unknown} cannot be inferred from the inputs {known}")
        else:
            known = {str(i.name): x.dtype for i, x in zip(inputs, flat, strict=True) if i.name in used}
            arg_values, _, aux_values = out._likely_types(**known)
        found = dict(zip(out.list_arguments(), arg_values, strict=True))
        found.update(zip(out.list_auxiliary_states(), aux_values, strict=True))
        for p in self.collect_params().values():
            if p.name in found:
                if attribute == "shape":
                    p.shape = found[p.name]
                else:
                    p.cast(found[p.name])

    def infer_shape(self, *args: Any) -> None:
        """Find the shapes of parameters from inputs."""
        self._infer("shape", args)

    def infer_type(self, *args: Any) -> None:
        """Find the element types of parameters from inputs."""
        self._infer("dtype", args)

    def _deferred_infer_shape(self, *args: Any) -> None:
        try:
            self.infer_shape(*args)
        except MXNetError as e:
            raise ValueError(f"Deferred initialization failed because shape cannot be inferred: {e}") from e

    def _finish_deferred(self, args: Sequence[Any]) -> None:
        self._deferred_infer_shape(*args)
        for p in self.collect_params().values():
            p._finish_deferred_init()

    # -- compiled calls --------------------------------------------------------------------------------
    def __call__(self, *args: Any) -> Any:
        quick = self._quick
        if quick is not None and not self._forward_hooks and not self._forward_pre_hooks:
            try:
                result = quick(args)
            except ExecutionError as e:
                raise self._located(e) from e.__cause__
            if result is not None:
                return result
        return super().__call__(*args)

    def _call_cached_op(self, *args: Any) -> Any:
        compiled = self._compiled
        if compiled is None:
            compiled = self._compiled = self._compile(args)
            whole = type(self).forward in self._whole_forwards and self._monitor is None
            self._quick = compiled.quick if whole else None
        operands = compiled.operands(args, self._finish_deferred)
        result = compiled(operands, fixed=self._monitor is None)
        if self._monitor is not None:
            self._run_monitor(dict(zip(compiled.function.names, operands, strict=True)))
        return result

    def _compile(self, args: Sequence[Any]) -> CompiledBlock:
        inputs, out = self._get_graph(*args)
        return CompiledBlock(
            self.name,
            [str(s.name) for s in inputs],
            out,
            self.collect_params(),
            self._labels,
            self._in_format,
            self._out_format,
            bool(self._flags.get("static_shape")),
        )

    def forward(self, x: Any, *args: Any) -> Any:
        """Compute on NDArrays (eagerly or compiled) or on Symbols (traced)."""
        first = _first_tensor((x, *args))
        if isinstance(first, NDArray):
            if self._active:
                return self._call_cached_op(x, *args)
            ctx = first.context
            with ctx:
                try:
                    params = {k: p.data(ctx) for k, p in self._reg_params.items()}
                except DeferredInitializationError:
                    self._deferred_infer_shape(x, *args)
                    for p in self._reg_params.values():
                        p._finish_deferred_init()
                    params = {k: p.data(ctx) for k, p in self._reg_params.items()}
                return self.hybrid_forward(ndarray, x, *args, **params)
        if not isinstance(first, Symbol):
            raise ValueError(f"{self.name}: expected NDArrays or Symbols, got {type(x).__name__}")
        symbols = {k: p.var() for k, p in self._reg_params.items()}
        with self.name_scope(), self._recompute_scope():
            return self.hybrid_forward(symbol, x, *args, **symbols)

    def _recompute_scope(self) -> AttrScope:
        """Marks the nodes of this block, if their values are not to be kept and no block around it says so."""
        marked = self._recompute and "__recompute__" not in current_attributes().get({})
        return AttrScope(**({"__recompute__": self.name} if marked else {}))

    def hybrid_forward(self, F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        """The computation, written for ``F = nd`` and ``F = sym``; subclasses define it.

        Parameters
        ----------
        F : the module `nd` or `sym`.
        kwargs : the block's own parameters by attribute name.
        """
        raise NotImplementedError(f"{type(self).__name__} must define hybrid_forward()")

    # -- inspection and export -------------------------------------------------------------------------
    def register_op_hook(
        self, callback: Callable[[str, str, NDArray], None], monitor_all: bool = False
    ) -> None:
        """Call ``callback(name, operator, array)`` for every output of an operator in a compiled call.

        Parameters
        ----------
        monitor_all : also for the inputs of operators, called by node and argument.
        """
        self._monitor = (callback, monitor_all)
        self._quick = None
        super().register_op_hook(callback, monitor_all)

    def _run_monitor(self, operands: dict[str, NDArray]) -> None:
        assert self._monitor is not None and self._graph is not None
        callback, everything = self._monitor
        watched, names = watch(self._graph[1], everything, variables=False, labels=self._labels)
        function = SymbolFunction(watched, name=f"{self.name} monitor", labels=self._labels)
        recording, state.recording = state.recording, False
        try:
            results = call(function, [operands[n].copy() for n in function.names], train=state.training)
        finally:
            state.recording = recording
        for (name, operator), x in zip(names, results, strict=True):
            callback(name, operator, x)

    def _exported_arrays(self) -> tuple[Symbol, dict[str, NDArray]]:
        """The traced symbol and its parameters as ``arg:`` and ``aux:`` entries."""
        if self._graph is None:
            raise RuntimeError("export needs a traced block: call hybridize(), then the block once")
        out = self._graph[1]
        arguments, auxiliary = set(out.list_arguments()), set(out.list_auxiliary_states())
        arrays = {}
        for name, p in self.collect_params().items():
            if name in arguments:
                arrays[f"arg:{name}"] = p._reduce()
            elif name in auxiliary:
                arrays[f"aux:{name}"] = p._reduce()
        return out, arrays

    def export(
        self, path: str | os.PathLike[str], epoch: int = 0, remove_amp_cast: bool = True, **options: Any
    ) -> Exported:
        """Write the compiled block for deployment.

        ``export("net")`` writes ``net-symbol.json``, ``net-0000.params`` (MXNet's formats) and ``net-0000.onnx``;
        ``export("net.onnx")`` the ONNX model alone. The ONNX model is compared with the block before files that are
        there already are replaced.

        Parameters
        ----------
        epoch : appears in the names of the files.
        remove_amp_cast : leave casts for mixed precision out of the symbol.
        options : what the ONNX model shall be like; see `gluon_onnx.gluon.export.ExportOptions`.

        Raises
        ------
        RuntimeError : the block was not hybridized and called before, and no `inputs` are given.
        MXNetError : the outputs of the model are not those of the block.
        """
        from .export import export_block

        return export_block(self, os.fspath(path), epoch, remove_amp_cast, **options)

    def optimize_for(
        self, x: Any, *args: Any, backend: str | None = None, clear: bool = False, **kwargs: Any
    ) -> None:
        """Hybridize and call once; ONNX Runtime does the optimizing. `backend` is accepted and not used."""
        self.hybridize(True)
        self(x, *args)


HybridBlock._whole_forwards.add(HybridBlock.forward)


def _first_tensor(args: Sequence[Any]) -> Any:
    """The first NDArray or Symbol in nested lists; None where there is none.

    Raises
    ------
    ValueError : NDArrays and Symbols are mixed.
    """
    first = None
    for a in args:
        found = (
            _first_tensor(a)
            if isinstance(a, list | tuple)
            else a
            if isinstance(a, NDArray | Symbol)
            else None
        )
        if first is None:
            first = found
        elif found is not None and isinstance(found, Symbol) != isinstance(first, Symbol):
            raise ValueError("a block is called with NDArrays or with Symbols, not with both")
    return first
