"""Shape and element type inference of Symbols: partial, and in both directions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .builder import Builder, Opaque, Tensor
from .dims import Dim, DimLike, PartialShape
from .errors import AttributeParseError, NeedsStaticShape, ShapeError, TypeInferenceError
from .ops.control import ControlOperator
from .ops.registry import Operator
from .ops.schema import Attrs
from .shapes import ShapeContext, TypeContext, is_complete, unify
from .symbol import Entry, Node, Symbol

__all__ = ["abstract_outputs", "has_free_shape", "infer_shapes", "infer_types"]

_FLOAT = np.dtype(np.float32)
_UNKNOWN = "?"


def abstract_outputs(
    op: Operator,
    attrs: Attrs,
    names: Sequence[str],
    shapes: Sequence[Sequence[DimLike | None]],
    types: Sequence[np.dtype[Any] | None],
    train: bool = False,
    node: str = "",
) -> list[tuple[np.dtype[Any], PartialShape]]:
    """Types and shapes of an operator's outputs, read off a trial lowering.

    Raises
    ------
    NeedsStaticShape : the unknown dimensions decide about the result.
    ShapeError : the inputs do not fit the operator.
    """
    g = Builder()
    g.train = train
    fresh = itertools.count()
    with g.scope(node):
        inputs = [
            g.input(n, t or _FLOAT, [Dim.symbol(f"{_UNKNOWN}{next(fresh)}") if d is None else d for d in s])
            for n, s, t in zip(names, shapes, types, strict=True)
        ]
        results = op.lower(g, inputs, attrs, names)
    return [(r.dt, tuple(None if _is_unknown(d) else d for d in r.dims)) for r in results]


def _is_unknown(d: DimLike) -> bool:
    return isinstance(d, Dim) and any(s.startswith(_UNKNOWN) or "." in s for s in d.symbols())


def infer_shapes(symbol: Symbol, known: Mapping[str, PartialShape]) -> dict[Entry, PartialShape]:
    """Partial shapes of every node output, from those of some variables.

    Parameters
    ----------
    known : shapes by variable name; None entries are unknown dimensions.

    Raises
    ------
    ShapeError : shapes contradict each other; the message names operator, node and argument.
    """
    nodes = symbol.nodes()
    shapes: dict[Entry, PartialShape] = {}
    types = infer_types(symbol, {}, strict=False)
    for node in nodes:
        if node.op is None:
            shapes[node, 0] = known.get(node.name)
            if shapes[node, 0] is None and "__shape__" in node.attrs:
                shapes[node, 0] = _declared(node.attrs["__shape__"])
    if any(n.op is not None and n.op.names_outputs for n in nodes):
        _trace(nodes, shapes, types)
    pending = [n for n in nodes if n.op is not None and not (n.op.names_outputs and _settled(n, shapes))]
    changed = True
    while changed and pending:
        changed = False
        for order in (pending, pending[::-1]):
            for node in order:
                changed |= _step(node, shapes, types)
            pending = [n for n in pending if not _settled(n, shapes)]
    return shapes


def _trace(
    nodes: Sequence[Node], shapes: dict[Entry, PartialShape], types: Mapping[Entry, np.dtype[Any] | None]
) -> None:
    """Shapes from a trial lowering of the whole graph, as far as it goes.

    Operators of ONNX take shapes from values, which only show when all of them are lowered together.
    """
    g = Builder()
    values: dict[Entry, Tensor] = {}
    for node in nodes:
        if node.op is None:
            shape = shapes[node, 0]
            if shape is not None:
                dims = [Dim.symbol(g.unique(_UNKNOWN)) if d is None else d for d in shape]
                values[node, 0] = g.input(node.name, types.get((node, 0)) or _FLOAT, dims)
            continue
        inputs = [values.get(e) for e in node.inputs]
        given = [x for x in inputs if x is not None]
        if len(given) < len(inputs):
            continue
        try:
            with g.scope(node.name):
                results = node.op.lower(g, given, node.parsed, node.argument_names())
        except NeedsStaticShape:
            continue
        except (ShapeError, TypeInferenceError):
            if any(None in (shapes.get(e) or ()) for e in node.inputs):
                continue  # a rule finds the sizes that are open
            raise
        for i, r in enumerate(results):
            values[node, i] = r
            if not isinstance(r, Opaque):
                shapes[node, i] = tuple(None if _is_unknown(d) else d for d in r.dims)


def _declared(text: str) -> PartialShape:
    from .ops.schema import Ints, param_of

    values = param_of("__shape__", Ints, ()).parse(text)
    return tuple(None if v <= 0 else v for v in values) if values else None


def _entries(node: Node) -> list[Entry]:
    assert node.op is not None
    return [*node.inputs, *((node, i) for i in range(node.op.outputs(node.parsed)))]


def _settled(node: Node, shapes: Mapping[Entry, PartialShape]) -> bool:
    return all(is_complete(shapes.get(e)) for e in _entries(node))


def has_free_shape(node: Node) -> bool:
    """Whether the node makes an array some of whose sizes follow from where it is used."""
    return node.op is not None and node.op.free_shape and any(d <= 0 for d in node.parsed.shape or ())


def _step(node: Node, shapes: dict[Entry, PartialShape], types: Mapping[Entry, np.dtype[Any] | None]) -> bool:
    """Refine the shapes around one node; whether anything changed."""
    op, attrs, names = node.op, node.parsed, node.argument_names()
    assert op is not None
    where = f"operator {op.name} (node {node.name!r})"
    outputs: list[Entry] = [(node, i) for i in range(op.outputs(attrs))]
    before = [shapes.get(e) for e in _entries(node)]
    context = ShapeContext(
        where, names, [shapes.get(e) for e in node.inputs], [shapes.get(e) for e in outputs]
    )
    if op.elementwise:
        context.unify_all()
    if op.shape_rule is not None:
        try:
            op.shape_rule(context, attrs)
        except ShapeError as error:
            if str(error).startswith("operator "):
                raise
            raise ShapeError(f"{where}: {error}") from error
    ins, free = context.inputs, has_free_shape(node)
    if isinstance(op, ControlOperator):
        _body_shapes(node, op, context)
    elif free:
        context.set(0, tuple(d if d > 0 else None for d in attrs.shape))
    elif any(not is_complete(s) for s in context.outputs) and all(s is not None for s in ins):
        try:
            found = abstract_outputs(
                op,
                attrs,
                names,
                [s for s in ins if s is not None],
                [types.get(e) for e in node.inputs],
                node=node.name,
            )
        except NeedsStaticShape:
            found = []
        except (ShapeError, TypeInferenceError):
            if all(is_complete(s) for s in ins):
                raise
            found = []  # perhaps only because two unknown dimensions need not be the same
        for i, (_, shape) in enumerate(found[: len(outputs)]):
            context.set(i, shape)
    after = [*context.inputs, *context.outputs]
    for e, s in zip(_entries(node), after, strict=True):
        shapes[e] = unify(shapes.get(e), s, where)
    return before != [shapes.get(e) for e in _entries(node)]


def _body_shapes(node: Node, op: ControlOperator, context: ShapeContext) -> None:
    """What the bodies of a node say of the shapes around it."""
    attrs = node.parsed
    wirings = op.wiring(attrs)
    sequences = {w.place for wiring in wirings for w in wiring.inputs if w.along}
    lengths = [s[0] for s in (context.inputs[p] for p in sequences) if s]
    length = next((n for n in [op.length(attrs), *lengths] if n is not None), None)

    def inner(shape: PartialShape, along: bool) -> PartialShape:
        return (shape[1:] or (1,)) if along and shape else shape

    def outer(shape: PartialShape, along: bool) -> PartialShape:
        return (length, *shape) if along and shape is not None else shape

    for body, wiring in zip(node.bodies, wirings, strict=True):
        for output, place in wiring.states:
            wire = wiring.outputs[output]
            assert wire is not None
            context.set(wire.place, context.inputs[place])
            context.set(context.names[place], context.outputs[wire.place])
        variables = [n for n in body.nodes() if n.op is None]
        known: dict[str, PartialShape] = {
            v.name: inner(context.inputs[w.place], w.along)
            for v, w in zip(variables, wiring.inputs, strict=True)
        }
        found = infer_shapes(body, known)
        for v, w in zip(variables, wiring.inputs, strict=True):
            shape = found.get((v, 0))
            if not w.along or shape != (1,):  # an item of one element may also be that of a vector
                context.set(context.names[w.place], outer(shape, w.along))
        for entry, wire in zip(body.heads, wiring.outputs, strict=True):
            if wire is not None:
                context.set(wire.place, outer(found.get(entry), wire.along))


def _body_types(node: Node, op: ControlOperator, context: TypeContext) -> None:
    """What the bodies of a node say of the element types around it."""
    for body, wiring in zip(node.bodies, op.wiring(node.parsed), strict=True):
        variables = [n for n in body.nodes() if n.op is None]
        known = {v.name: context.inputs[w.place] for v, w in zip(variables, wiring.inputs, strict=True)}
        found = infer_types(body, known)
        for v, w in zip(variables, wiring.inputs, strict=True):
            context.set(context.names[w.place], found.get((v, 0)))
        for entry, wire in zip(body.heads, wiring.outputs, strict=True):
            if wire is not None:
                context.set(wire.place, found.get(entry))


def infer_types(
    symbol: Symbol, known: Mapping[str, np.dtype[Any] | None], strict: bool = True
) -> dict[Entry, np.dtype[Any] | None]:
    """Element types of every node output, from those of some variables; None where unknown.

    Raises
    ------
    TypeInferenceError : types contradict each other (only if `strict`).
    """
    nodes = symbol.nodes()
    types: dict[Entry, np.dtype[Any] | None] = {}
    for node in nodes:
        if node.op is None:
            dt = known.get(node.name)
            if dt is None and "__dtype__" in node.attrs:
                dt = dtype_from_flag(node.attrs["__dtype__"])
            types[node, 0] = dt
    changed = True
    while changed:
        changed = False
        for order in (nodes, nodes[::-1]):
            for node in order:
                if node.op is None:
                    continue
                names, outputs = (
                    node.argument_names(),
                    [(node, i) for i in range(node.op.outputs(node.parsed))],
                )
                where = f"operator {node.op.name} (node {node.name!r})"
                context = TypeContext(
                    where, names, [types.get(e) for e in node.inputs], [types.get(e) for e in outputs]
                )
                try:
                    if isinstance(node.op, ControlOperator):
                        _body_types(node, node.op, context)
                    elif node.op.type_rule is not None:
                        node.op.type_rule(context, node.parsed)
                    else:
                        context.unify_all()
                except TypeError:
                    if strict:
                        raise
                for e, dt in zip([*node.inputs, *outputs], [*context.inputs, *context.outputs], strict=True):
                    if dt is not None and types.get(e) is None:
                        types[e] = dt
                        changed = True
    return types


_FLAGS = [
    "float32",
    "float64",
    "float16",
    "uint8",
    "int32",
    "int8",
    "int64",
    "bool",
    "int16",
    "uint16",
    "uint32",
    "uint64",
    "bfloat16",
]


def dtype_from_flag(text: str) -> np.dtype[Any] | None:
    """The element type that a ``__dtype__`` attribute (MXNet's type number, or a name) stands for; None for -1.

    Raises
    ------
    AttributeParseError : it stands for none.
    """
    try:
        if text.lstrip("-").isdigit():
            return None if int(text) < 0 else np.dtype(_FLAGS[int(text)])
        return np.dtype(text)
    except (TypeError, ValueError, IndexError) as error:
        raise AttributeParseError(f"attribute '__dtype__': expected an element type, got {text!r}") from error


def dtype_name(dt: Any) -> str:
    """What a ``__dtype__`` attribute says: MXNet's number of an element type, or the name of one it does not have."""
    name = np.dtype(dt).name
    return str(_FLAGS.index(name)) if name in _FLAGS else name


def dtype_flag(dt: Any) -> int:
    """MXNet's number of an element type."""
    return _FLAGS.index(np.dtype(dt).name)


def require_complete(symbol: Symbol, shapes: Mapping[Entry, PartialShape]) -> None:
    """Raise unless all variables have complete shapes."""
    missing = [n.name for n in symbol.nodes() if n.op is None and not is_complete(shapes.get((n, 0)))]
    if missing:
        raise ShapeError(f"the shapes of {missing} cannot be inferred from what is known")
