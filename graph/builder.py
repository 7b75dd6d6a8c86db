"""Writing ONNX graphs: tensors that know their element type and shape, and the builder that emits nodes.

Every emitted node is inferred at once, so that lowering and gradient rules may ask any value for its
shape. Dimensions that are unknown until run time become symbols (`graph.dims.Dim`); the builder remembers
which tensor's axis defines a symbol and can emit the value of any expression of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx_ir as ir

from .dims import Dim, DimLike, Quotient, Shape, is_static, prod
from .errors import NeedsStaticShape, ShapeError
from .onnx_infer import AnyType, TypeAndShape, infer_node

__all__ = ["IR_VERSION", "OPSET", "Builder", "CustomFunction", "Opaque", "Operand", "Tensor"]

OPSET = 26  # the newest that onnxruntime 1.31 accepts
IR_VERSION = 13
_CONST = "const"  # stem of the names of constants that have none of their own
CUSTOM_DOMAIN = "gluon"  # macro nodes with gradient rules of their own, expanded before anything runs


class Tensor(ir.Value):
    """A value of a graph under construction.

    Attributes
    ----------
    dt : element type.
    dims : shape; integers and symbolic dimensions.
    const : the value where it is known at compile time.
    sizes : integers and symbolic dimensions that the value is known to have, as an array of objects.
    """

    def __init__(
        self, builder: Builder, name: str, dt: np.dtype[Any], dims: Shape, const: np.ndarray | None = None
    ):
        super().__init__(
            name=name,
            type=ir.TensorType(ir.DataType.from_numpy(dt)),
            shape=ir.Shape([d if isinstance(d, int) else str(d) for d in dims]),
            # (`ir.tensor` would look at the array through protocols, which takes much longer.)
            const_value=None if const is None else ir.Tensor(const, name=name),
        )
        self.builder = builder
        self.dt = dt
        self.dims = dims
        self.const = const
        self.sizes: np.ndarray[Any, Any] | None = None

    @property
    def ndim(self) -> int:
        return len(self.dims)

    def copied(self, builder: Builder, name: str) -> Tensor:
        """A value of the same kind in another graph."""
        return Tensor(builder, name, self.dt, self.dims)

    def _home(self, other: Operand) -> Builder:
        """Where a node of both is emitted: in the inner one of their graphs."""
        if isinstance(other, Tensor) and other.builder.depth > self.builder.depth:
            return other.builder
        return self.builder

    def __add__(self, other: Operand) -> Tensor:
        return self._home(other).op("Add", self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return self._home(other).op("Add", other, self)

    def __sub__(self, other: Operand) -> Tensor:
        return self._home(other).op("Sub", self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return self._home(other).op("Sub", other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return self._home(other).op("Mul", self, other)

    def __rmul__(self, other: Operand) -> Tensor:
        return self._home(other).op("Mul", other, self)

    def __truediv__(self, other: Operand) -> Tensor:
        return self._home(other).op("Div", self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return self._home(other).op("Div", other, self)

    def __neg__(self) -> Tensor:
        return self.builder.op("Neg", self)


class Opaque(Tensor):
    """A value whose shape has no form at compile time: a tensor of unknown rank, a sequence, an optional, a map.

    Only imported ONNX nodes make such values. Whatever asks for their shape fails with NeedsStaticShape.

    Attributes
    ----------
    dt : the element type of a tensor; that of Python objects for anything else.
    """

    def __init__(self, builder: Builder, name: str, kind: ir.TypeProtocol | None) -> None:
        ir.Value.__init__(self, name=name, type=kind)
        self.builder = builder
        plain = isinstance(kind, ir.TensorType) and kind.dtype != ir.DataType.UNDEFINED
        self.dt = np.dtype(kind.dtype.numpy() if plain and kind is not None else object)
        self.const = None
        self.sizes = None

    @property
    def is_tensor(self) -> bool:
        """Whether the value is a tensor, of unknown rank."""
        return isinstance(self.type, ir.TensorType)

    @property
    def dims(self) -> Shape:  # type: ignore[override]
        raise NeedsStaticShape(f"the value {self.name!r} ({self.type or 'of unknown type'}) has no known rank")

    def copied(self, builder: Builder, name: str) -> Opaque:
        return Opaque(builder, name, self.type)


Operand = Tensor | float | int | bool | np.ndarray | np.generic


class CustomFunction:
    """An operation that is expanded into ONNX nodes late and may have a gradient rule of its own.

    Parameters
    ----------
    name : the operator type of its nodes in domain `gluon`.
    expand : ``expand(builder, *inputs, **attributes)`` emits the ONNX nodes and returns one tensor or a tuple.
    vjp : ``vjp(builder, node, *output_gradients)`` as in `graph.autodiff`; without one the expansion is
        differentiated.
    """

    registry: dict[str, CustomFunction] = {}

    def __init__(
        self,
        name: str,
        expand: Callable[..., Tensor | tuple[Tensor, ...]],
        vjp: Callable[..., Any] | None = None,
    ) -> None:
        self.name = name
        self.expand = expand
        self.vjp = vjp
        if name in self.registry:
            raise ValueError(f"custom function {name!r} is registered twice")
        self.registry[name] = self


class Builder:
    """Emits nodes into a graph.

    Attributes
    ----------
    nodes : nodes in order of emission (a topological order).
    inputs : graph inputs.
    constants : compile-time values, as initializers.
    updates : new values of state inputs (BatchNorm statistics, optimizer states), by input.
    train : whether operators are lowered as in training.
    draws, random_base : number of random draws so far, and the key they share (`graph.random`).
    """

    def __init__(self, parent: Builder | None = None) -> None:
        self.nodes: list[ir.Node] = []
        self.inputs: list[Tensor] = []
        self.constants: dict[tuple[str, tuple[int, ...], bytes], Tensor] = {}
        self.updates: dict[Tensor, Tensor] = {}
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent else 0
        self._names: dict[str, int] = parent._names if parent else {}
        self._symbol_source: dict[str, tuple[Tensor, int]] = dict(parent._symbol_source) if parent else {}
        self._texts: dict[str, Dim] = parent._texts if parent else {}
        self._dim_values: dict[DimLike, Tensor] = {}
        self._shape_values: dict[tuple[Tensor, int], Tensor] = {}
        self.metadata: dict[str, str] = {}
        self.train: bool = parent.train if parent else False
        self.draws = 0
        self.random_base: Tensor | None = None

    # -- names ---------------------------------------------------------------------------------
    def unique(self, name: str) -> str:
        """`name`, with a number behind it where it is taken."""
        n = self._names.get(name)
        self._names[name] = 1 if n is None else n + 1
        return name if n is None else self.unique(f"{name}_{n}")

    @contextmanager
    def scope(self, node: str, **metadata: str) -> Iterator[None]:
        """Nodes emitted inside carry the name of the Symbol node (and its operator, block) they came from."""
        saved = self.metadata
        self.metadata = {"node": node, **metadata}
        try:
            yield
        finally:
            self.metadata = saved

    # -- values --------------------------------------------------------------------------------
    def input(self, name: str, dt: Any, dims: Sequence[DimLike]) -> Tensor:
        """A new graph input."""
        tensor = Tensor(self, self.unique(name), np.dtype(dt), tuple(dims))
        self.inputs.append(tensor)
        self.learn(tensor)
        return tensor

    def learn(self, tensor: Tensor) -> None:
        """Remember `tensor` as a source of the symbols that stand alone in its shape."""
        if isinstance(tensor, Opaque):
            return
        for axis, d in enumerate(tensor.dims):
            if isinstance(d, Dim):
                text = str(d)
                self._texts[text] = d
                if text not in self._symbol_source and d.terms == {(text,): 1}:
                    self._symbol_source[text] = (tensor, axis)

    def const(self, value: Any, dt: Any = None) -> Tensor:
        """A compile-time value; equal ones share one initializer."""
        array = np.asarray(value, dtype=dt)
        if array.dtype == np.float64 and dt is None and not isinstance(value, np.ndarray | np.generic):
            array = array.astype(np.float32)
        key = (array.dtype.str + array.dtype.name, array.shape, array.tobytes())
        tensor = self.constants.get(key)
        if tensor is None:
            tensor = Tensor(
                self._owner(), self.unique(_CONST), array.dtype, array.shape, const=np.array(array)
            )
            self.constants[key] = tensor
        return tensor

    def _owner(self) -> Builder:
        """The builder whose constants these are: an inner one shares those of its outermost graph."""
        owner = self
        while owner.parent is not None and owner.parent.constants is self.constants:
            owner = owner.parent
        return owner

    def ints(self, *values: int) -> Tensor:
        """A one-dimensional int64 constant."""
        return self.const(np.asarray(values, np.int64))

    def _operands(self, operands: Sequence[Operand | None]) -> list[Tensor | None]:
        dt = next((x.dt for x in operands if isinstance(x, Tensor)), None)
        return [
            x
            if x is None or isinstance(x, Tensor)
            else self.const(x, x.dtype if isinstance(x, np.ndarray) else dt)
            for x in operands
        ]

    # -- nodes ---------------------------------------------------------------------------------
    def op(self, op_type: str, *operands: Operand | None, **attributes: Any) -> Tensor:
        """Emit an ONNX operator with one output. Numbers take the element type of the first tensor."""
        return self.multi(op_type, 1, *operands, **attributes)[0]

    def multi(
        self,
        op_type: str,
        outputs: int | Sequence[bool],
        *operands: Operand | None,
        _domain: str = "",
        **attributes: Any,
    ) -> tuple[Tensor, ...]:
        """Emit an ONNX operator with several outputs; False in `outputs` leaves an optional one out."""
        inputs = self._operands(operands)
        wanted = [True] * outputs if isinstance(outputs, int) else list(outputs)
        attributes = {k: v for k, v in attributes.items() if v is not None}
        types = infer_node(op_type, _domain, inputs, attributes, wanted)
        return self.emit(
            op_type, _domain, inputs, ir.convenience.convert_attributes(attributes), types, wanted
        )

    def emit(
        self,
        op_type: str,
        domain: str,
        inputs: Sequence[Tensor | None],
        attributes: Sequence[ir.Attr],
        types: Sequence[AnyType],
        wanted: Sequence[bool] | None = None,
        names: Sequence[str] | None = None,
    ) -> tuple[Tensor, ...]:
        """Append a node whose output types are known; `names` are those of the outputs, if they are free."""
        stem = self.metadata.get("node", "")
        stem = f"{stem}/{op_type}" if stem else op_type
        outputs: list[Tensor] = []
        for i, kind in enumerate(types):
            name = self.unique(names[i] if names else stem) if wanted is None or wanted[i] else ""
            if not isinstance(kind, tuple):
                outputs.append(Opaque(self, name, kind))
                continue
            dt, dims = kind
            shape = tuple(
                Dim.symbol(self.unique(f"{name}.{k}")) if d is None else self._known(d)
                for k, d in enumerate(dims)
            )
            tensor = Tensor(self, name, dt, shape)
            self.learn(tensor)
            outputs.append(tensor)
        node = ir.Node(domain, op_type, inputs, attributes, outputs=outputs, name=outputs[0].name)
        if self.metadata:
            node.metadata_props.update(self.metadata)
        self.nodes.append(node)
        return tuple(outputs)

    def _known(self, d: DimLike | str) -> DimLike:
        if isinstance(d, str):
            return self._texts.setdefault(d, Dim.symbol(d))
        return d

    def custom(self, function: CustomFunction, *operands: Operand, **attributes: Any) -> tuple[Tensor, ...]:
        """Emit a macro node; its types are those of a trial expansion."""
        inputs = [x for x in self._operands(operands) if x is not None]
        attributes = {k: v for k, v in attributes.items() if v is not None}
        trial = Builder(self)
        copies = [Tensor(trial, x.name or "", x.dt, x.dims, x.const) for x in inputs]
        for copy in copies:
            trial.learn(copy)
        results = function.expand(trial, *copies, **attributes)
        results = results if isinstance(results, tuple) else (results,)
        types: list[TypeAndShape] = [(r.dt, r.dims) for r in results]
        return self.emit(
            function.name, CUSTOM_DOMAIN, inputs, ir.convenience.convert_attributes(attributes), types
        )

    def update(self, state: Tensor, value: Tensor) -> None:
        """Declare that `value` replaces the state input `state` after the run."""
        self.updates[state] = value

    # -- shapes at run time ----------------------------------------------------------------------
    def dim(self, d: DimLike) -> Tensor:
        """The run-time value of a dimension as an int64 tensor of shape (1,)."""
        if isinstance(d, int):
            return self.ints(d)
        found = self._dim_values.get(d)
        if found is None:
            found = self._dim_values[d] = self._emit_dim(d)
        return found

    def _emit_dim(self, d: Dim) -> Tensor:
        total: Tensor | None = None
        for monomial, factor in d.terms.items():
            term: Tensor | None = None
            for atom in monomial:
                if isinstance(atom, Quotient):
                    value = self.op(
                        "Div", self.dim(_plain(atom.numerator)), self.dim(_plain(atom.denominator))
                    )
                else:
                    value = self._symbol_value(atom)
                term = value if term is None else term * value
            term = self.ints(factor) if term is None else term if factor == 1 else term * self.ints(factor)
            total = term if total is None else total + term
        assert total is not None
        return total

    def _symbol_value(self, name: str) -> Tensor:
        if name not in self._symbol_source:
            raise NeedsStaticShape(f"no tensor of the graph has the symbolic dimension {name!r}")
        source = self._symbol_source[name]
        if source not in self._shape_values:
            tensor, axis = source
            self._shape_values[source] = self.op("Shape", tensor, start=axis, end=axis + 1)
        return self._shape_values[source]

    def shape_tensor(self, dims: Sequence[DimLike]) -> Tensor:
        """The run-time value of a shape as an int64 tensor of shape (len(dims),)."""
        if is_static(dims):
            return self.const(np.asarray(dims, np.int64))
        parts = [self.dim(d) for d in dims]
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=0)

    # -- shape operators ---------------------------------------------------------------------------
    def with_dims(
        self, op_type: str, dims: Sequence[DimLike], *operands: Operand | None, **attributes: Any
    ) -> Tensor:
        """Emit an operator with one output whose shape is known to be `dims`."""
        inputs = self._operands(operands)
        first = next(x for x in inputs if x is not None)
        attributes = {k: v for k, v in attributes.items() if v is not None}
        return self.emit(
            op_type, "", inputs, ir.convenience.convert_attributes(attributes), [(first.dt, tuple(dims))]
        )[0]

    def reshape(self, x: Tensor, dims: Sequence[DimLike]) -> Tensor:
        """`x` with shape `dims` (same number of elements; no zeros, no -1)."""
        dims = tuple(dims)
        if dims == x.dims:
            return x
        if is_static(dims) and is_static(x.dims) and prod(dims) != prod(x.dims):
            raise ShapeError(
                f"cannot reshape {x.dims} to {dims}: {prod(x.dims)} elements are not {prod(dims)}"
            )
        unknown = [i for i, d in enumerate(dims) if isinstance(d, Dim)]
        if len(unknown) == 1:
            target = self.const(np.asarray([-1 if isinstance(d, Dim) else d for d in dims], np.int64))
        else:
            target = self.shape_tensor(dims)
        zero = 1 if any(d == 0 for d in dims) else None
        return self.with_dims("Reshape", dims, x, target, allowzero=zero)

    def transpose(self, x: Tensor, perm: Sequence[int]) -> Tensor:
        """`x` with axis ``perm[i]`` at place i."""
        perm = [p % x.ndim for p in perm]
        return x if perm == list(range(x.ndim)) else self.op("Transpose", x, perm=perm)

    def expand(self, x: Tensor, dims: Sequence[DimLike]) -> Tensor:
        """`x` broadcast to exactly `dims`."""
        dims = tuple(dims)
        return x if x.dims == dims else self.with_dims("Expand", dims, x, self.shape_tensor(dims))

    def unsqueeze(self, x: Tensor, *axes: int) -> Tensor:
        """`x` with new axes of length 1 at `axes` of the result."""
        return self.op("Unsqueeze", x, self.ints(*axes)) if axes else x

    def squeeze(self, x: Tensor, *axes: int) -> Tensor:
        """`x` without the axes of length 1 named."""
        return self.op("Squeeze", x, self.ints(*axes)) if axes else x

    def slice(
        self,
        x: Tensor,
        axes: Sequence[int],
        begin: Sequence[DimLike],
        end: Sequence[DimLike],
        step: Sequence[int] | None = None,
    ) -> Tensor:
        """``x[begin:end:step]`` along `axes`; begin and end are already clamped to the shape, step > 0."""
        step = step or [1] * len(axes)
        dims = list(x.dims)
        for a, b, e, s in zip(axes, begin, end, step, strict=True):
            dims[a] = (e - b + (s - 1)) // s
        if tuple(dims) == x.dims:
            return x
        return self.with_dims(
            "Slice",
            dims,
            x,
            self.shape_tensor(begin),
            self.shape_tensor(end),
            self.ints(*axes),
            self.ints(*step),
        )

    def cast(self, x: Tensor, dt: Any) -> Tensor:
        """`x` as element type `dt`."""
        dt = np.dtype(dt)
        if x.dt == dt:
            return x
        if x.const is not None:
            return self.const(x.const.astype(dt))
        return self.op("Cast", x, to=int(ir.DataType.from_numpy(dt)))

    def fill(self, dims: Sequence[DimLike], value: Any, dt: Any) -> Tensor:
        """A tensor of shape `dims` with every element `value`."""
        dims = tuple(dims)
        return self.expand(self.const(np.asarray(value, dt)), dims)

    def reduce(self, kind: str, x: Tensor, axes: Sequence[int], keepdims: bool = False) -> Tensor:
        """``ReduceSum``-like operators over `axes`; no axes leave `x` as it is."""
        axes = [a % x.ndim for a in axes]
        return self.op("Reduce" + kind, x, self.ints(*axes), keepdims=int(keepdims)) if axes else x

    def sum_to(self, x: Tensor, dims: Sequence[DimLike]) -> Tensor:
        """Sum out what broadcasting to ``x.dims`` had added to `dims`."""
        dims = tuple(dims)
        if x.dims == dims:
            return x
        lead = x.ndim - len(dims)
        axes = list(range(lead)) + [i + lead for i, d in enumerate(dims) if d == 1 and x.dims[i + lead] != 1]
        return self.reshape(self.reduce("Sum", x, axes), dims)

    def same(self, x: Tensor) -> Tensor:
        """The value of `x` as a value of its own."""
        if isinstance(x, Opaque):
            return self.emit("Identity", "", [x], [], [x.type])[0]
        return self.op("Identity", x)

    # -- graphs ------------------------------------------------------------------------------------
    def replay(
        self, nodes: Sequence[ir.Node], values: dict[ir.Value, Tensor], expand_custom: bool = False
    ) -> None:
        """Copy `nodes` of another graph into this one; `values` maps its tensors to ours and grows."""
        for node in nodes:
            inputs = [None if v is None else self._copied(v, values) for v in node.inputs]
            if expand_custom and node.domain == CUSTOM_DOMAIN:
                attributes = {k: a.value for k, a in node.attributes.items()}
                with self.scope(
                    **{"node": node.metadata_props.get("node", ""), **_rest(node.metadata_props)}
                ):
                    results = CustomFunction.registry[node.op_type].expand(self, *inputs, **attributes)
                outputs = results if isinstance(results, tuple) else (results,)
            else:
                outputs = self._copy_node(node, inputs, values)
            values.update(zip(node.outputs, outputs, strict=True))

    def _copied(self, value: ir.Value, values: dict[ir.Value, Tensor]) -> Tensor:
        tensor = values.get(value)
        if tensor is None:
            assert isinstance(value, Tensor) and value.const is not None, f"{value.name} is not defined here"
            generic = (value.name or "").startswith(_CONST)
            tensor = values[value] = (
                self.const(value.const) if generic else self.named_const(str(value.name), value.const)
            )
        return tensor

    def _copy_node(
        self, node: ir.Node, inputs: Sequence[Tensor | None], values: dict[ir.Value, Tensor]
    ) -> tuple[Tensor, ...]:
        outputs = []
        for v in node.outputs:
            assert isinstance(v, Tensor)
            tensor = v.copied(self, self.unique(v.name) if v.name else "")
            self.learn(tensor)
            outputs.append(tensor)
        attributes = [self._copy_attribute(a, values) for a in node.attributes.values()]
        copy = ir.Node(
            node.domain,
            node.op_type,
            inputs,
            attributes,
            outputs=outputs,
            name=outputs[0].name if outputs else node.name,
            version=node.version,
            metadata_props=dict(node.metadata_props),
        )
        self.nodes.append(copy)
        return tuple(outputs)

    def _copy_attribute(self, attribute: ir.Attr, values: dict[ir.Value, Tensor]) -> ir.Attr:
        if attribute.type != ir.AttributeType.GRAPH:
            return attribute
        return ir.AttrGraph(attribute.name, self._copy_graph(attribute.as_graph(), dict(values)))

    def _copy_graph(self, graph: ir.Graph, values: dict[ir.Value, Tensor]) -> ir.Graph:
        """A subgraph whose captured values are replaced; values of inner nodes keep their types."""
        inner = Builder(self)
        inner.constants = self.constants
        for v in graph.inputs:
            assert isinstance(v, Tensor)
            values[v] = v.copied(inner, self.unique(str(v.name)))
        inner.replay(list(graph), values)
        inputs = [values[v] for v in graph.inputs]
        return ir.Graph(
            inputs, [inner._copied(v, values) for v in graph.outputs], nodes=inner.nodes, name=graph.name
        )

    def subgraph(
        self,
        name: str,
        inputs: Sequence[tuple[str, Any, Sequence[DimLike]]],
        body: Callable[..., Sequence[Tensor]],
    ) -> ir.Graph:
        """The body of a control-flow operator (Scan, Loop, If).

        Parameters
        ----------
        inputs : names, element types and shapes of the body's inputs.
        body : ``body(builder, *inputs)`` emits nodes into the inner builder and returns the results; it may read
            tensors of the outer graph. Constants are kept in the outer graph.
        """
        inner = Builder(self)
        inner.constants = self.constants
        tensors = [Tensor(inner, self.unique(n), np.dtype(dt), tuple(dims)) for n, dt, dims in inputs]
        for t in tensors:
            inner.learn(t)
        results = [
            t if t in {v for n in inner.nodes for v in n.outputs} else inner.same(t)
            for t in body(inner, *tensors)
        ]
        return ir.Graph(tensors, results, nodes=inner.nodes, name=name)

    def named_const(self, name: str, value: np.ndarray[Any, Any]) -> Tensor:
        """An initializer with a name of its own."""
        tensor = Tensor(self._owner(), self.unique(name), value.dtype, value.shape, const=value)
        self.constants[str(tensor.name), (), b"named"] = tensor
        return tensor

    def is_named(self, tensor: Tensor) -> bool:
        """Whether a constant has a name of its own."""
        return self.constants.get((str(tensor.name), (), b"named")) is tensor


def _plain(d: Dim) -> DimLike:
    return d.terms[()] if set(d.terms) == {()} else d


def _rest(metadata: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in metadata.items() if k != "node"}
