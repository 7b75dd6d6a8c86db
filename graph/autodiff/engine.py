"""The reverse-mode engine: one walk over the nodes, one rule per ONNX operator.

A rule is ``rule(g, node, *dy) -> gradients of the node's inputs``: a tuple with a tensor, None (no gradient)
or a function of no arguments that emits the tensor (called only where that gradient is needed) for each
input. Rules may ignore broadcasting of elementwise operands; the engine sums gradients back to the shape of
their input, adds up several uses, and names the nodes after the forward node they belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from ..builder import CUSTOM_DOMAIN, Builder, CustomFunction, Opaque, Tensor
from ..errors import GraphError, NotDifferentiableError
from ..program import RANDOM_KEY, Program, finish, open_inputs, reads
from .constant import NOT_DIFFERENTIABLE
from .recompute import with_recomputed

__all__ = [
    "Gradient",
    "Pair",
    "differentiable",
    "joint",
    "rule",
    "split",
    "through",
    "through_expansion",
    "vjp",
]

Gradient = Tensor | Callable[[], "Tensor | None"] | None


@dataclass(frozen=True)
class WithCaptured:
    """What a rule returns for a node with subgraphs: gradients of its inputs, and of values that subgraphs read."""

    inputs: Sequence[Gradient]
    captured: Mapping[Tensor, Tensor]


Rule = Callable[..., Sequence[Gradient] | Gradient | WithCaptured]

_RULES: dict[tuple[str, str], Rule] = {}
_STOPS: set[tuple[str, str]] = {("", op_type) for op_type in NOT_DIFFERENTIABLE}


def rule(*op_types: str, domain: str = "") -> Callable[[Rule], Rule]:
    """Register the decorated function as the gradient rule of ONNX operators."""

    def register(function: Rule) -> Rule:
        for op_type in op_types:
            if (domain, op_type) in _RULES:
                raise GraphError(f"gradient rule of {op_type} is registered twice")
            _RULES[domain, op_type] = function
        return function

    return register


def is_stop(node: ir.Node) -> bool:
    """Whether no gradient passes through a node."""
    return (node.domain, node.op_type) in _STOPS


def has_rule(op_type: str, domain: str = "") -> bool:
    """Whether an operator has a gradient rule."""
    return (domain, op_type) in _RULES


def stops(*op_types: str, domain: str) -> None:
    """Declare that no gradient passes through operators of a domain beside ONNX's own."""
    _STOPS.update((domain, op_type) for op_type in op_types)


def differentiable(dt: np.dtype[Any]) -> bool:
    """Whether values of an element type have gradients."""
    return dt.kind == "f" or dt.name == "bfloat16"


def tensor(value: ir.Value | None) -> Tensor:
    """A node's operand as the Tensor that it is."""
    assert isinstance(value, Tensor)
    return value


def attribute(node: ir.Node, name: str, default: Any = None) -> Any:
    """The value of a node's attribute."""
    found = node.attributes.get(name)
    return default if found is None else found.value


def vjp(
    g: Builder, outputs: Sequence[Tensor], cotangents: Sequence[Tensor | None], wrt: Sequence[Tensor]
) -> list[Tensor | None]:
    """Emit the gradients of ``sum(output * cotangent)`` with respect to tensors of the same graph.

    Parameters
    ----------
    cotangents : one for each output, of its shape; None counts as zero.

    Returns
    -------
    list : for each of `wrt` its gradient, or None where the outputs do not depend on it.

    Raises
    ------
    NotDifferentiableError : an operator on the path has no rule; the message names it and its node.
    """
    nodes = list(g.nodes)
    depends = _dependents(nodes, wrt)
    grads: dict[ir.Value, Tensor] = {}
    for y, dy in zip(outputs, cotangents, strict=True):
        if dy is not None and y in depends:
            grads[y] = grads[y] + dy if y in grads else dy
    for node in reversed(nodes):
        dys = [grads.get(v) for v in node.outputs]
        if all(dy is None for dy in dys):
            continue
        with g.scope(node.metadata_props.get("node", ""), op=node.metadata_props.get("op", ""), gradient="1"):
            _apply(g, node, dys, depends, grads)
    return [grads.get(x) for x in wrt]


def _dependents(nodes: Sequence[ir.Node], wrt: Sequence[Tensor]) -> set[ir.Value]:
    """Values that depend on `wrt` through differentiable values."""
    depends: set[ir.Value] = set(wrt)
    for node in nodes:
        if (node.domain, node.op_type) not in _STOPS and any(v in depends for v in reads(node)):
            depends.update(v for v in node.outputs if v.name and _carries(tensor(v)))
    return depends


def _carries(t: Tensor) -> bool:
    """Whether a value has a gradient, or is a sequence or optional value of what may have one."""
    if not isinstance(t, Opaque) or t.is_tensor:
        return differentiable(t.dt)
    kind = t.type
    while isinstance(kind, ir.SequenceType | ir.OptionalType):
        kind = kind.elem_type
    return not isinstance(kind, ir.TensorType) or kind.dtype.is_floating_point()


def _apply(
    g: Builder,
    node: ir.Node,
    dys: Sequence[Tensor | None],
    depends: set[ir.Value],
    grads: dict[ir.Value, Tensor],
) -> None:
    function = _rule_of(node)
    if function is None:
        where = node.metadata_props.get("node")
        raise NotDifferentiableError(
            f"no gradient rule for the ONNX operator {node.op_type!r}"
            + (f" (in node {where!r})" if where else ""),
            node,
        )
    given = [dy if dy is not None or not v.name else None for dy, v in zip(dys, node.outputs, strict=True)]
    result = function(g, node, *given)
    captured: Mapping[Tensor, Tensor] = {}
    if isinstance(result, WithCaptured):
        captured = result.captured
        result = result.inputs
    parts: Sequence[Gradient] = result if isinstance(result, tuple | list) else (result,)
    for x, part in [*zip(node.inputs, parts, strict=False), *captured.items()]:
        if x is None or part is None or x not in depends:
            continue
        value = part() if callable(part) else part
        if value is None:
            continue
        value = g.sum_to(value, tensor(x).dims)
        grads[x] = grads[x] + value if x in grads else value


def _rule_of(node: ir.Node) -> Rule | None:
    if node.domain == CUSTOM_DOMAIN:
        function = CustomFunction.registry[node.op_type]
        return function.vjp if function.vjp is not None else through_expansion
    return _RULES.get((node.domain, node.op_type))


def through_expansion(g: Builder, node: ir.Node, *dys: Tensor | None) -> Sequence[Gradient]:
    """The rule of a macro node without one of its own: differentiate what it expands to."""
    function = CustomFunction.registry[node.op_type]
    attributes = {k: a.value for k, a in node.attributes.items()}
    return through(g, node, lambda b, *inputs: function.expand(b, *inputs, **attributes), *dys)


def through(
    g: Builder, node: ir.Node, expand: Callable[..., Tensor | Sequence[Tensor]], *dys: Tensor | None
) -> Sequence[Gradient]:
    """Gradients of a node's inputs by differentiating ``expand(builder, *inputs)``, which computes the same outputs.

    `expand` gets None for inputs that the node does not have.
    """
    inputs = [tensor(v) for v in node.inputs if v is not None]
    inner = Builder(g)
    values = {
        x: inner.const(x.const) if x.const is not None else inner.input(str(x.name), x.dt, x.dims)
        for x in dict.fromkeys(inputs)
    }
    results = expand(inner, *(None if v is None else values[tensor(v)] for v in node.inputs))
    outputs = [results] if isinstance(results, Tensor) else list(results)
    cotangents = {i: inner.input(f"dy{i}", dy.dt, dy.dims) for i, dy in enumerate(dys) if dy is not None}
    variable = [x for x in values if x.const is None]
    found = vjp(
        inner,
        [outputs[i] for i in cotangents],
        list(cotangents.values()),
        [values[x] for x in variable],
    )
    back: dict[ir.Value, Tensor] = {v: x for x, v in values.items()}
    back.update({cotangents[i]: dy for i, dy in enumerate(dys) if dy is not None})
    made = {v for n in inner.nodes for v in n.outputs}
    for node_read in inner.nodes:
        for source in reads(node_read):  # sizes come from tensors of the graph around it
            if source not in made and source not in back and tensor(source).const is None:
                back[source] = tensor(source)
    g.replay(inner.nodes, back)
    grads = {x: g._copied(d, back) for x, d in zip(variable, found, strict=True) if d is not None}
    once: set[ir.Value] = set()
    result: list[Gradient] = []
    for v in node.inputs:  # an input that occurs twice gets its whole gradient once
        result.append(None if v is None or v in once else grads.get(tensor(v)))
        if v is not None:
            once.add(v)
    return result


@dataclass(eq=False)
class Pair:
    """A forward program that also returns what its backward program needs.

    Attributes
    ----------
    forward : the program with `saved` further outputs between its results and its state updates.
    saved : number of those outputs.
    backward : its inputs are, in order: the forward inputs listed in `inputs`, the forward outputs (results
        and saved ones) listed in `outputs`, the head gradients of the results listed in `heads`.
    wrt : positions of the forward inputs whose gradients `backward` returns, in order.
    """

    forward: Program
    saved: int
    backward: Program | None
    inputs: list[int]
    outputs: list[int]
    heads: list[int]
    wrt: list[int]


def split(program: Program, wrt: Sequence[int], heads: Sequence[int] | None = None) -> Pair:
    """Forward and backward programs of the gradient with respect to the inputs numbered `wrt`.

    Parameters
    ----------
    heads : results that get a head gradient (default: all floating-point results).

    Raises
    ------
    NotDifferentiableError : an operator on the path has no gradient rule.
    """
    results = program.outputs[: program.visible]
    if heads is None:
        heads = [i for i, t in enumerate(results) if differentiable(t.dt)]
    g = Builder()
    values = open_inputs(g, program)
    g.replay(program.nodes, values)
    ours = [g._copied(t, values) for t in program.outputs]
    boundary = len(g.nodes)
    forward_inputs = list(g.inputs)
    cotangents = {i: g.input(f"head_gradient{i}", ours[i].dt, ours[i].dims) for i in heads}
    found = vjp(g, [ours[i] for i in heads], list(cotangents.values()), [forward_inputs[i] for i in wrt])
    known = [(i, d) for i, d in zip(wrt, found, strict=True) if d is not None]
    if not known:
        return Pair(program, 0, None, [], [], [], [])
    return _cut(program, g, boundary, forward_inputs, ours, cotangents, known)


def _cut(
    program: Program,
    g: Builder,
    boundary: int,
    forward_inputs: list[Tensor],
    ours: list[Tensor],
    cotangents: Mapping[int, Tensor],
    known: Sequence[tuple[int, Tensor]],
) -> Pair:
    """Cut the joint graph in `g` at `boundary` into two programs."""
    backward_nodes = _needed(g.nodes[boundary:], [d for _, d in known])
    visible = program.visible
    first = dict(reversed(list(zip(ours[:visible], range(visible), strict=True))))
    backward_nodes, again = with_recomputed(g.nodes[:boundary], backward_nodes, first)
    inside = {v for n in g.nodes[:boundary] for v in n.outputs} - again
    read: dict[ir.Value, None] = {v: None for n in backward_nodes for v in reads(n)}
    read.update({d: None for _, d in known})
    saved = [v for v in read if v in inside and v not in first]
    used_inputs = [i for i, t in enumerate(forward_inputs) if t in read]
    used_outputs = [i for v, i in first.items() if v in read and v in inside]
    used_outputs.sort()
    heads = [i for i, t in cotangents.items() if t in read]
    forward = _forward_program(program, saved, g, boundary, forward_inputs, ours)
    b = Builder()
    b._texts.update(g._texts)
    mapped: dict[ir.Value, Tensor] = {}
    for t in (
        [forward_inputs[i] for i in used_inputs]
        + [ours[i] for i in used_outputs]
        + [tensor(v) for v in saved]
    ):
        mapped[t] = b.input(str(t.name), t.dt, t.dims)
    for i in heads:
        mapped[cotangents[i]] = b.input(f"head_gradient{i}", cotangents[i].dt, cotangents[i].dims)
    b.replay(backward_nodes, mapped)
    outs = [b._copied(d, mapped) for _, d in known]
    backward = finish(b, outs, names=[f"gradient_{forward_inputs[i].name}" for i, _ in known])
    backward.uses_random_key = False
    outputs = used_outputs + list(range(visible, visible + len(saved)))
    return Pair(forward, len(saved), backward, used_inputs, outputs, heads, [i for i, _ in known])


def _forward_program(
    program: Program,
    saved: Sequence[ir.Value],
    g: Builder,
    boundary: int,
    inputs: Sequence[Tensor],
    ours: Sequence[Tensor],
) -> Program:
    f = Builder()
    mapped: dict[ir.Value, Tensor] = {t: f.input(str(t.name), t.dt, t.dims) for t in inputs}
    f.replay(g.nodes[:boundary], mapped)
    visible = program.visible
    outs = [f._copied(t, mapped) for t in ours[:visible]] + [mapped[v] for v in saved]
    outs += [f._copied(t, mapped) for t in ours[visible:]]
    result = finish(f, outs, names=program.output_names[:visible])
    result.updates = [(o + len(saved), i) for o, i in program.updates]
    result.uses_random_key = bool(inputs) and inputs[-1].name == RANDOM_KEY
    return result


def _needed(nodes: Sequence[ir.Node], outputs: Sequence[Tensor]) -> list[ir.Node]:
    needed: set[ir.Value] = set(outputs)
    kept = []
    for node in reversed(nodes):
        if any(v in needed for v in node.outputs):
            kept.append(node)
            needed.update(reads(node))
    return kept[::-1]


def joint(program: Program, wrt: Sequence[int], heads: Sequence[int]) -> Program:
    """Inputs of `program` and head gradients of its results `heads` -> gradients of its inputs `wrt`, in one program.

    An input that the results do not depend on gets zeros.
    """
    g = Builder()
    values = open_inputs(g, program)
    inputs = list(g.inputs)
    cotangents = [g.input(f"head_gradient{i}", program.outputs[i].dt, program.outputs[i].dims) for i in heads]
    g.replay(program.nodes, values)
    outputs = [g._copied(program.outputs[i], values) for i in heads]
    found = vjp(g, outputs, cotangents, [inputs[i] for i in wrt])
    results = [
        g.fill(inputs[i].dims, 0, inputs[i].dt) if d is None else d for i, d in zip(wrt, found, strict=True)
    ]
    return finish(g, results, names=[f"gradient_{inputs[i].name}" for i in wrt])
