"""SymbolBlock: a symbol, mostly a pre-trained one, as a block."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from .. import ndarray, symbol
from ..base import MXNetError
from ..context import Context
from ..ndarray import NDArray
from ..symbol import Symbol
from .block import Block
from .hybrid_block import HybridBlock, _first_tensor
from .parameter import Parameter
from .parameter_dict import ParameterDict
from .structure import flatten, regroup

__all__ = ["SymbolBlock"]


class SymbolBlock(HybridBlock):
    """A block made from a symbol.

    Labels of loss layers (SoftmaxOutput and the like) that are neither inputs nor in `params` are left out: such a
    block predicts, and cannot be trained.

    Parameters
    ----------
    outputs : the output, or a list of them.
    inputs : the variables of `outputs` that are inputs, or a list of them.
    params : parameters for the other variables, by name; those missing are made.
    """

    def __init__(
        self,
        outputs: Symbol | Sequence[Symbol],
        inputs: Symbol | Sequence[Symbol],
        params: ParameterDict | None = None,
    ):
        super().__init__(prefix="")
        self._params = ParameterDict("", params)
        ins, self._in_format = flatten([inputs] if isinstance(inputs, Symbol) else list(inputs), "input")
        outs, self._out_format = flatten(outputs if isinstance(outputs, Symbol) else list(outputs), "output")
        out = symbol.Group(outs)
        names: list[str] = []
        for s in ins:
            if s.heads[0][0].op is not None or len(s) != 1:
                raise MXNetError(f"inputs of a SymbolBlock must be variables, {s!r} is not")
            names.append(str(s.name))
        self._input_names = names
        self._sources: tuple[str, ...] = ()  # files that the block was read from
        known: dict[str, Any] = dict(params._params) if params is not None else {}
        self._labels = tuple(n for n in out.list_labels() if n not in names and n not in known)
        types = _parameter_types(out, known)
        for name in out.list_arguments():
            if name not in names and name not in self._labels:
                self.params.get(name, allow_deferred_init=True, **types.get(name, {}))
        for name in out.list_auxiliary_states():
            if name not in names:
                self.params.get(name, grad_req="null", allow_deferred_init=True, **types.get(name, {}))
        self._symbol_graph = ([symbol.var(n) for n in names], out)
        self._graph = self._symbol_graph
        shared = len(_common_prefix(list(self.params.keys())))
        self._reg_params = {k[shared:]: v for k, v in self.params.items()}
        self._active = True

    @staticmethod
    def imports(
        symbol_file: str | os.PathLike[str],
        input_names: str | Sequence[str] | None = None,
        param_file: str | os.PathLike[str] | None = None,
        ctx: Context | Sequence[Context] | None = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
    ) -> SymbolBlock:
        """A block from a ``-symbol.json`` file and, if given, a ``.params`` file; or from an ONNX model.

        The initializers of an ONNX model are parameters: those that its operators learn have gradients, running
        statistics and long integer tables have none (``grad_req`` is "null"), and short settings such as shapes are
        constants of the graph. A block computes what the nodes say, in training too.

        Parameters
        ----------
        symbol_file : a file whose name ends in ``.onnx``, or which is no JSON, is an ONNX model.
        input_names : names of the inputs, in the order of the block's arguments. By default those variables that
            have no value in `param_file` and are not weights, biases or the like, in the order of the graph.
            Labels of loss layers are inputs only if they are named; a block that shall be trained needs them.
            For an ONNX model the default are its inputs; an initializer may be named, too.
        param_file : names in it may have the prefixes ``arg:`` and ``aux:``. Parameters get the element types that
            they have in the file. For an ONNX model its values replace those of the model.
        ctx : contexts of the parameters.
        allow_missing, ignore_extra : accept parameters without a value, and values without a parameter.

        Raises
        ------
        FormatError : a file is damaged.
        UnsupportedOperatorError : names all operators that are not supported.
        MXNetError : an input is not a variable of the symbol, or none can be found.
        AssertionError, ValueError : parameters without a value, or values without a parameter.
        """
        if symbol.is_onnx(symbol_file):
            from .onnx_block import import_block

            return import_block(symbol_file, input_names, param_file, ctx, allow_missing, ignore_extra)
        sym = symbol.load(symbol_file)
        values = _named_arrays(param_file)
        variables = sym.list_inputs()
        if input_names is None:
            names = _find_inputs(sym, values, os.fspath(symbol_file))
        else:
            names = [input_names] if isinstance(input_names, str) else list(input_names)
            unknown = [n for n in names if n not in variables]
            if unknown:
                free = [n for n in variables if n not in values]
                raise MXNetError(
                    f"{os.fspath(symbol_file)}: has no variables {unknown} that could be inputs; variables without a "
                    f"value are {free}"
                )
        block = SymbolBlock(sym, [symbol.var(n) for n in names])
        block._sources = tuple(os.fspath(f) for f in (symbol_file, param_file) if f is not None)
        if param_file is not None:
            block.collect_params().load_dict(
                {n: x for n, x in values.items() if n not in block._labels},
                ctx,
                allow_missing,
                ignore_extra,
                filename=f"file '{os.fspath(param_file)}'",
                cast_dtype=True,
                dtype_source="saved",
            )
        return block

    def __repr__(self) -> str:
        inputs, out = self._symbol_graph
        return f"SymbolBlock(\n{out!r} : {len(inputs)} -> {len(out)}\n)"

    def _clear_cached_op(self) -> None:
        super()._clear_cached_op()
        self._graph = getattr(self, "_symbol_graph", None)

    def hybridize(self, active: bool = True, *args: Any, **kwargs: Any) -> None:
        """A SymbolBlock is always compiled; the flags are taken over."""
        super().hybridize(True, *args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        Block.__setattr__(self, name, value)

    def _infer(self, attribute: str, args: Sequence[Any]) -> None:
        if attribute == "shape":
            super()._infer(attribute, args)

    def forward(self, x: Any, *args: Any) -> Any:
        """Compute on NDArrays, or put symbols in place of the inputs."""
        first = _first_tensor((x, *args))
        if isinstance(first, NDArray):
            return self._call_cached_op(x, *args)
        if not isinstance(first, Symbol):
            raise ValueError(f"SymbolBlock expects NDArrays or Symbols, got {type(x).__name__}")
        flat, _ = flatten((x, *args), "input")
        out = self._symbol_graph[1](
            **{str(s.name): v for s, v in zip(self._symbol_graph[0], flat, strict=True)}
        )
        return regroup([out[i] for i in range(len(out))], self._out_format)[0]

    def cast(self, dtype: Any) -> None:
        """Change the element type of the parameters."""
        self._clear_cached_op()
        for p in self.params.values():
            p.cast(dtype)

    def reset_ctx(self, ctx: Context | Sequence[Context]) -> None:
        """Move the parameters to other contexts."""
        for p in self.collect_params().values():
            p.reset_ctx(ctx)


def _common_prefix(names: Sequence[str]) -> str:
    """The longest string that all names begin with, short of a whole name."""
    low, high = min(names, default=""), max(names, default="")
    n = 0
    while n < len(low) - 1 and n < len(high) and low[n] == high[n]:
        n += 1
    return low[:n]


def _parameter_types(out: Symbol, known: dict[str, Parameter]) -> dict[str, dict[str, Any]]:
    """Element types that the graph and the given parameters tell about the others."""
    given = {n: p.dtype for n, p in known.items() if n in set(out.list_inputs())}
    arg_types, _, aux_types = out._likely_types(**given)
    names = out.list_arguments() + out.list_auxiliary_states()
    return {n: {"dtype": t} for n, t in zip(names, arg_types + aux_types, strict=True) if n not in known}


HybridBlock._whole_forwards.add(SymbolBlock.forward)


def _named_arrays(param_file: str | os.PathLike[str] | None) -> dict[str, NDArray]:
    """The arrays of a file by the names of variables."""
    if param_file is None:
        return {}
    loaded = ndarray.load(param_file)
    if not isinstance(loaded, dict):
        raise MXNetError(
            f"{os.fspath(param_file)}: expected named parameters, found a plain list of {len(loaded)} arrays"
        )
    return {n.removeprefix("arg:").removeprefix("aux:"): x for n, x in loaded.items()}


# Names of operators' inputs whose variables hold what a network has learnt.
_LEARNT = frozenset(
    ["weight", "bias", "gamma", "beta", "moving_mean", "moving_var", "moving_avg", "parameters"]
)


def _find_inputs(sym: Symbol, values: Mapping[str, NDArray], where: str) -> list[str]:
    """Names of the variables of a symbol that are its inputs.

    Raises
    ------
    MXNetError : there are none.
    """
    read_as: dict[str, set[str]] = {}
    for node in sym.nodes():
        if node.op is not None:
            for role, (source, _) in zip(node.argument_names(), node.inputs, strict=True):
                if source.op is None:
                    read_as.setdefault(source.name, set()).add(role)
    labels = sym.list_labels()
    free = [n for n in sym.list_inputs() if n not in values and n not in labels]
    found = [n for n in free if not read_as.get(n, {"data"}) <= _LEARNT]
    if not found:
        raise MXNetError(f"{where}: no inputs found, because every variable has a value; give input_names")
    return found
