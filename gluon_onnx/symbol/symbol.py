"""`mx.sym.Symbol`: graphs of operators, with inference, binding and MXNet's JSON."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..base import MXNetError, NotImplementedForSymbol, numeric_types
from ..context import Context, current_context
from ..graph import symbol as graph_symbol
from ..graph.dims import PartialShape
from ..graph.errors import ArgumentError
from ..graph.exporters._files import replaced_file
from ..graph.exporters.symbol_json import to_json
from ..graph.importers.onnx import import_onnx
from ..graph.importers.symbol_json import load_json as _load_json
from ..graph.infer import infer_shapes, infer_types
from ..graph.scopes import current_attributes
from ..graph.shapes import is_complete
from ..graph.symbol import Entry, Node
from ..util import is_np_shape

__all__ = ["Group", "Symbol", "Variable", "fromjson", "load", "load_json", "var"]


class Symbol(graph_symbol.Symbol):
    """One or several outputs of a graph of operators."""

    __slots__ = ()
    __array_priority__ = 1000.0

    def __repr__(self) -> str:
        if len(self) == 1:
            return f"<{type(self).__name__} {self.name}>"
        return f"<{type(self).__name__} group [{', '.join(n.name for n, _ in self.heads)}]>"

    # -- inference -----------------------------------------------------------------------------------
    def infer_shape(self, *args: Any, **kwargs: Any) -> tuple[Any, Any, Any]:
        """Shapes of arguments, outputs and auxiliary states, from those of some arguments.

        Parameters
        ----------
        args, kwargs : shapes in the order of `list_arguments`, or by name; 0 is an unknown dimension.

        Returns
        -------
        tuple : three lists of shapes; three times None where something stays unknown.

        Raises
        ------
        ShapeError : the shapes contradict each other; names operator, node and argument.
        """
        result = self._infer_shape(args, kwargs)
        if not all(is_complete(s) for part in result for s in part):
            return None, None, None
        return result

    def infer_shape_partial(self, *args: Any, **kwargs: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """The same, with 0 for dimensions and () for shapes that stay unknown.

        Under NumPy's meaning of shapes (`util.np_shape`) these are -1 and None.
        """
        dimension, shape = (-1, None) if is_np_shape() else (0, ())
        first, second, third = (
            [shape if s is None else tuple(dimension if d is None else d for d in s) for s in part]
            for part in self._infer_shape(args, kwargs)
        )
        return first, second, third

    def _infer_shape(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[list[Any], list[Any], list[Any]]:
        arguments, auxiliary = self.inputs()
        known: dict[str, PartialShape] = {}
        unknown, whole = ((-1,), ()) if is_np_shape() else ((0, -1), None)
        for name, shape in self._named(args, kwargs, "infer_shape").items():
            if shape is not None:
                if not isinstance(shape, tuple | list):
                    raise TypeError(f"infer_shape: {name!r} must be a tuple of integers, got {shape!r}")
                known[name] = tuple(None if d in unknown else int(d) for d in shape) or whole
        shapes = infer_shapes(self, known)
        return (
            [shapes.get((v, 0)) for v in arguments],
            [shapes.get(h) for h in self.heads],
            [shapes.get((v, 0)) for v in auxiliary],
        )

    def _named(self, args: Sequence[Any], kwargs: Mapping[str, Any], what: str) -> dict[str, Any]:
        if args and kwargs:
            raise ValueError(f"{what} takes values either by position or by name, not both")
        if args:
            names = self.list_arguments()
            if len(args) > len(names):
                raise ValueError(f"{what} got {len(args)} values for the {len(names)} arguments {names}")
            return dict(zip(names, args, strict=False))
        names = self.list_inputs()
        unknown = [k for k in kwargs if k not in names]
        if unknown:
            raise ArgumentError(f"{what}: {unknown} are not among the arguments {names}")
        return dict(kwargs)

    def infer_type(self, *args: Any, **kwargs: Any) -> tuple[Any, Any, Any]:
        """Element types of arguments, outputs and auxiliary states, from those of some arguments.

        Returns
        -------
        tuple : three lists of types; three times None, with a warning, where something stays unknown.

        Raises
        ------
        TypeInferenceError : the types contradict each other; names operator, node and argument.
        """
        types = infer_types(self, self._known_types(args, kwargs))
        unknown = [v.name for part in self.inputs() for v in part if types.get((v, 0)) is None]
        if unknown:
            warnings.warn(f"infer_type: the types of {unknown} do not follow; give them too", stacklevel=2)
            return None, None, None
        return self._type_lists(types)

    def _likely_types(self, **given: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """The same; what stays unknown is float32, one argument after the other."""
        known: dict[str, np.dtype[Any] | None] = {k: np.dtype(v) for k, v in given.items()}
        variables = [v for part in self.inputs() for v in part]
        while True:
            types = infer_types(self, known)
            unknown = next((v.name for v in variables if types.get((v, 0)) is None), None)
            if unknown is None:
                return self._type_lists(types)
            known[unknown] = np.dtype(np.float32)

    def infer_type_partial(self, *args: Any, **kwargs: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """The same, with None for what stays unknown."""
        return self._type_lists(infer_types(self, self._known_types(args, kwargs)))

    def _known_types(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, np.dtype[Any] | None]:
        given = self._named(args, kwargs, "infer_type")
        return {k: None if v is None else np.dtype(v) for k, v in given.items()}

    def _type_lists(
        self, types: Mapping[Entry, np.dtype[Any] | None]
    ) -> tuple[list[Any], list[Any], list[Any]]:
        arguments, auxiliary = self.inputs()
        return (
            [_scalar(types.get((v, 0))) for v in arguments],
            [_scalar(types.get(h)) for h in self.heads],
            [_scalar(types.get((v, 0))) for v in auxiliary],
        )

    # -- files -----------------------------------------------------------------------------------------
    def tojson(self, remove_amp_cast: bool = True) -> str:
        """The graph as MXNet 1.9's JSON."""
        return to_json(self, is_np_shape())

    def save(self, fname: str | os.PathLike[str], remove_amp_cast: bool = True) -> None:
        """Write the JSON to a file; it is replaced as a whole, or not at all."""
        with replaced_file(fname) as stream:
            stream.write(self.tojson().encode())

    def __reduce__(self) -> tuple[Any, ...]:
        return load_json, (self.tojson(),)

    def debug_str(self) -> str:
        """The nodes, their inputs and attributes, in MXNet's form."""
        lines = ["Symbol Outputs:"]
        lines += [f"\toutput[{i}]={node.name}({n})" for i, (node, n) in enumerate(self.heads)]
        for node in self.nodes():
            if node.op is None:
                lines.append(f"Variable:{node.name}")
                continue
            lines += ["-" * 20, f"Op:{node.op.name}, Name={node.name}", "Inputs:"]
            for i, (source, n) in enumerate(node.inputs):
                version = " version=0" if source.op is None else ""
                lines.append(f"\targ[{i}]={source.name}({n}){version}")
            if node.attrs:
                lines += ["Attrs:", *(f"\t{k}={v}" for k, v in sorted(node.attrs.items()))]
        return "\n".join(lines) + "\n"

    # -- execution -------------------------------------------------------------------------------------
    def bind(
        self,
        ctx: Context,
        args: Any,
        args_grad: Any = None,
        grad_req: Any = "write",
        aux_states: Any = None,
        group2ctx: Any = None,
        shared_exec: Any = None,
    ) -> Any:
        """An `Executor` of this symbol on given arrays; see `executor.Executor`."""
        from ..executor import Executor

        return Executor(self, ctx, args, args_grad, grad_req, aux_states)

    def simple_bind(
        self,
        ctx: Context,
        grad_req: Any = "write",
        type_dict: Mapping[str, Any] | None = None,
        stype_dict: Any = None,
        group2ctx: Any = None,
        shared_arg_names: Any = None,
        shared_exec: Any = None,
        shared_buffer: Any = None,
        **kwargs: Any,
    ) -> Any:
        """An `Executor` with arrays of zeros; shapes are inferred from those given by name.

        Parameters
        ----------
        type_dict : element types of arguments by name.
        group2ctx : contexts of the arrays of variables by their attribute ``ctx_group``.
        shared_exec, shared_arg_names : executor whose arrays are used for these arguments and for auxiliary
            states; without names for all arguments of equal shape.

        Raises
        ------
        MXNetError : a shape cannot be inferred, or differs from that of the array to share.
        """
        from ..executor import simple_bind

        return simple_bind(self, ctx, grad_req, type_dict, kwargs, group2ctx, shared_exec, shared_arg_names)

    def eval(self, ctx: Context | None = None, **kwargs: Any) -> Any:
        """The outputs for arguments given by name."""
        executor = self.bind(ctx or current_context(), kwargs)
        return executor.forward()

    def gradient(self, wrt: Sequence[str]) -> Symbol:
        """Not available, as in MXNet.

        Raises
        ------
        MXNetError : always.
        """
        raise MXNetError("Symbol.gradient is not available; bind the symbol and call backward")

    # -- operators ---------------------------------------------------------------------------------------
    def _binary(self, other: Any, op: str, scalar_op: str) -> Any:
        if isinstance(other, Symbol):
            return _apply(op, self, other)
        if isinstance(other, numeric_types):
            return _apply(scalar_op, self, scalar=other)
        raise TypeError(f"{op}: expected a Symbol or a number, got {type(other).__name__}")

    def __add__(self, other: Any) -> Any:
        return self._binary(other, "_Plus", "_PlusScalar")

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self._binary(other, "_Minus", "_MinusScalar")

    def __rsub__(self, other: Any) -> Any:
        return self._binary(other, "", "_RMinusScalar")

    def __mul__(self, other: Any) -> Any:
        return self._binary(other, "_Mul", "_MulScalar")

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self._binary(other, "_Div", "_DivScalar")

    def __rtruediv__(self, other: Any) -> Any:
        return self._binary(other, "", "_RDivScalar")

    def __mod__(self, other: Any) -> Any:
        return self._binary(other, "_Mod", "_ModScalar")

    def __rmod__(self, other: Any) -> Any:
        return self._binary(other, "", "_RModScalar")

    def __pow__(self, other: Any) -> Any:
        return self._binary(other, "_Power", "_PowerScalar")

    def __rpow__(self, other: Any) -> Any:
        return self._binary(other, "", "_rpower_scalar")

    def __neg__(self) -> Any:
        return _apply("_MulScalar", self, scalar=-1.0)

    def __abs__(self) -> Any:
        return _apply("abs", self)

    def __eq__(self, other: object) -> Any:
        return self._binary(other, "_equal", "_equal_scalar")

    def __ne__(self, other: object) -> Any:
        return self._binary(other, "_not_equal", "_not_equal_scalar")

    def __gt__(self, other: Any) -> Any:
        return self._binary(other, "_greater", "_greater_scalar")

    def __ge__(self, other: Any) -> Any:
        return self._binary(other, "_greater_equal", "_greater_equal_scalar")

    def __lt__(self, other: Any) -> Any:
        return self._binary(other, "_lesser", "_lesser_scalar")

    def __le__(self, other: Any) -> Any:
        return self._binary(other, "_lesser_equal", "_lesser_equal_scalar")

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise _no_value(self, "__bool__")

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """The symbol converted to an element type."""
        return _apply("Cast", self, dtype=dtype)

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        """The symbol in another shape; see operator Reshape."""
        if shape:
            given = shape[0] if len(shape) == 1 else shape
            kwargs["shape"] = tuple(given) if isinstance(given, list) else given
        return _apply("Reshape", self, **kwargs)

    def as_nd_ndarray(self) -> Symbol:
        """This symbol."""
        return self


_ARRAY_ONLY = ["asnumpy", "asscalar", "wait_to_read", "as_in_context", "detach", "backward", "copy", "copyto"]


def _no_value(symbol: Symbol, function: str) -> NotImplementedForSymbol:
    where = symbol.name or "a group"
    return NotImplementedForSymbol(
        f"{function} is not available for the Symbol {where!r}: a symbol has no values. In hybrid_forward of a "
        "hybridized block the computation must not depend on values (no `if` on tensors, no asnumpy())"
    )


def _array_only(name: str) -> Any:
    def method(self: Symbol, *args: Any, **kwargs: Any) -> Any:
        raise _no_value(self, name)

    method.__name__ = name
    method.__doc__ = "Not available: a symbol has no values."
    return method


for _name in _ARRAY_ONLY:
    setattr(Symbol, _name, _array_only(_name))


def _apply(op: str, *args: Symbol, **params: Any) -> Any:
    return graph_symbol.compose(Symbol, op, args, params)


def _scalar(dt: np.dtype[Any] | None) -> Any:
    return None if dt is None else dt.type


def var(
    name: str,
    attr: Mapping[str, str] | None = None,
    shape: Sequence[int] | None = None,
    lr_mult: float | None = None,
    wd_mult: float | None = None,
    dtype: Any = None,
    init: Any = None,
    stype: str | None = None,
    **kwargs: Any,
) -> Symbol:
    """A variable.

    Parameters
    ----------
    attr : string attributes.
    shape, dtype : what is known of the value; 0 is an unknown dimension.
    lr_mult, wd_mult, init : hints for training, kept as attributes.
    kwargs : further attributes; their names must be of the form ``__name__``.

    Raises
    ------
    TypeError : `name` is not a string.
    ValueError : an attribute's name is not of that form.
    """
    if not isinstance(name, str):
        raise TypeError(f"a variable's name must be a string, got {name!r}")
    attrs = {graph_symbol._hidden(k): v for k, v in current_attributes().get(dict(attr or {})).items()}
    if shape is not None:
        attrs["__shape__"] = str(tuple(shape))
    if lr_mult is not None:
        attrs["__lr_mult__"] = str(lr_mult)
    if wd_mult is not None:
        attrs["__wd_mult__"] = str(wd_mult)
    if dtype is not None:
        from ..graph.infer import dtype_flag

        attrs["__dtype__"] = str(dtype_flag(dtype))
    if init is not None:
        attrs["__init__"] = init if isinstance(init, str) else init.dumps()
    for key, value in attrs.items():
        if not isinstance(value, str):
            raise ValueError(f"variable {name!r}: attribute {key!r} must be a string, got {value!r}")
    if stype is not None:
        if stype != "default":
            raise MXNetError(
                f"variable {name!r}: storage type {stype!r} is not supported; only 'default' (dense)"
            )
        attrs["__storage_type__"] = "0"
    for key, value in kwargs.items():
        if not (key.startswith("__") and key.endswith("__")):
            raise ValueError(
                f"attribute name {key!r} is not supported; attribute names begin and end with double underscores"
            )
        attrs[key] = str(value)
    return Symbol([(Node(None, name, attrs), 0)])


Variable = var


def Group(symbols: Sequence[Symbol], create_fn: Callable[[Sequence[Entry]], Symbol] = Symbol) -> Symbol:
    """A symbol with the outputs of all `symbols`, made by `create_fn`.

    Raises
    ------
    TypeError : an entry is not a Symbol.
    """
    heads = []
    for s in symbols:
        if not isinstance(s, Symbol):
            raise TypeError(f"Group expects Symbols, got {type(s).__name__}")
        heads.extend(s.heads)
    if not heads:
        raise TypeError("Group expects at least one Symbol")
    return create_fn(heads)


def load_json(json_str: str) -> Symbol:
    """The symbol of a JSON string in any of MXNet's dialects.

    Raises
    ------
    FormatError : the string is not such JSON.
    UnsupportedOperatorError : names all operators that are not registered.
    """
    return Symbol(_load_json(json_str).heads)


fromjson = load_json


def load(fname: str | os.PathLike[str]) -> Symbol:
    """The symbol of a ``-symbol.json`` file, or of an ONNX model without the values of its initializers.

    Raises
    ------
    FormatError : the file is not what it should be.
    UnsupportedOperatorError : names all operators that are not supported.
    """
    if is_onnx(fname):
        return import_onnx(fname, Symbol).symbol  # type: ignore[return-value]
    with open(fname, "rb") as f:
        text = f.read()
    return Symbol(_load_json(text, source=os.fspath(fname)).heads)


def is_onnx(fname: str | os.PathLike[str]) -> bool:
    """Whether a file is taken for an ONNX model: by its name, or because it begins as no JSON does."""
    name = os.fspath(fname).lower()
    if name.endswith((".onnx", ".json")):
        return name.endswith(".onnx")
    with open(fname, "rb") as f:
        return f.read(1) == b"\x08"  # the tag of a model's first field
