"""The programs of training artifacts: training, evaluation, inference, and the optimizer's update.

Parameters are inputs of all of them, under their own names. A program's states (the running statistics of batch
normalization, the weights in the optimizer) come back as outputs called ``NAME_new``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from ..autodiff.engine import differentiable, is_stop, vjp
from ..builder import Builder, Tensor
from ..errors import GraphError, NotDifferentiableError
from ..lower import TensorSpec, lower_symbol
from ..program import RANDOM_KEY, Program, finish, reads
from ..symbol import Symbol
from .update_rules import Update, rule_states, updated

__all__ = [
    "LEARNING_RATE",
    "LOSS",
    "STEP",
    "Weight",
    "accumulation_program",
    "gradient_name",
    "loss_program",
    "named_model",
    "optimizer_program",
    "renewed_name",
    "safe_in_place",
    "training_program",
]

LOSS = "loss"
LEARNING_RATE = "learning_rate"
STEP = "step"


def gradient_name(parameter: str) -> str:
    """The name of a parameter's gradient."""
    return f"{parameter}_grad"


def renewed_name(state: str) -> str:
    """The name of the output that replaces an input."""
    return f"{state}_new"


# -- loss ----------------------------------------------------------------------------------------------------------


def loss_program(
    symbol: Symbol,
    specs: Mapping[str, TensorSpec],
    names: Sequence[str],
    order: Sequence[str],
    reduction: str | None = "mean",
    train: bool = False,
) -> Program:
    """A symbol as a program whose inputs have a given order.

    Parameters
    ----------
    names : names of the outputs.
    order : names of the inputs, as far as the symbol has them; a random key comes last.
    reduction : "mean" or "sum": the first output, a loss of any shape, becomes one number. None leaves it.

    Raises
    ------
    NeedsStaticShape, ShapeError : a dimension cannot be symbolic.
    GraphError : the loss is not a floating-point array.
    """
    lowered = lower_symbol(symbol, specs, train=train)
    g = Builder()
    found = {str(t.name): t for t in lowered.inputs}
    values: dict[ir.Value, Tensor] = {}
    for name in (*order, RANDOM_KEY):
        if name in found:
            t = found[name]
            values[t] = g.input(name, t.dt, t.dims)
    g.replay(lowered.nodes, values)
    outputs = [g._copied(t, values) for t in lowered.outputs]
    if reduction is not None:
        outputs[0] = _reduced(g, outputs[0], reduction)
    states = [str(lowered.inputs[i].name) for _, i in lowered.updates]
    program = finish(g, outputs, names=[*names, *(renewed_name(s) for s in states)])
    place = {n: i for i, n in enumerate(program.input_names)}
    program.updates = [(o, place[s]) for (o, _), s in zip(lowered.updates, states, strict=True)]
    program.uses_random_key = RANDOM_KEY in found
    return program


def _reduced(g: Builder, loss: Tensor, reduction: str) -> Tensor:
    """The mean or sum of a loss's elements, in float32 at least."""
    if not differentiable(loss.dt):
        raise GraphError(
            f"the loss has element type {loss.dt}; a loss to train with is a floating-point number"
        )
    if loss.dt.itemsize < 4:
        loss = g.cast(loss, np.float32)
    if not loss.ndim:
        return g.same(loss)
    return g.op({"mean": "ReduceMean", "sum": "ReduceSum"}[reduction], loss, keepdims=0)


# -- gradients -----------------------------------------------------------------------------------------------------


def training_program(program: Program, trainable: Sequence[str]) -> Program:
    """A program of a loss with the gradients of parameters: between its results and its state updates.

    Parameters
    ----------
    program : its first output is the loss, one number.
    trainable : names of inputs.

    Raises
    ------
    NotDifferentiableError : the loss does not depend on one of `trainable`, or only through an operator without a
        gradient; the message names it and the way from the parameter to the loss.
    """
    g = Builder()
    values: dict[ir.Value, Tensor] = {}
    inputs: dict[str, Tensor] = {}
    for t in program.inputs:
        values[t] = inputs[str(t.name)] = g.input(str(t.name), t.dt, t.dims)
    g.replay(program.nodes, values)
    outputs = [g._copied(t, values) for t in program.outputs]
    forward = list(g.nodes)
    loss, wrt = outputs[0], [inputs[n] for n in trainable]
    try:
        found = vjp(g, [loss], [g.fill(loss.dims, 1, loss.dt)], wrt)
    except NotDifferentiableError as e:
        raise NotDifferentiableError(f"{e}{_way_through(forward, wrt, loss, e.node)}", e.node) from e
    for name, x, grad in zip(trainable, wrt, found, strict=True):
        if grad is None:
            raise NotDifferentiableError(_why_none(forward, name, x, loss))
    visible = program.visible
    gradients = [d for d in found if d is not None]
    names = program.output_names
    result = finish(
        g,
        [*outputs[:visible], *gradients, *outputs[visible:]],
        names=[*names[:visible], *map(gradient_name, trainable), *names[visible:]],
    )
    result.updates = [(o + len(gradients), i) for o, i in program.updates]
    result.uses_random_key = program.uses_random_key
    return result


def _way(nodes: Sequence[ir.Node], start: Iterable[Tensor], goal: Tensor) -> list[ir.Node]:
    """Nodes on a shortest way from one of `start` to `goal`; none where there is no way."""
    length: dict[ir.Value, int] = dict.fromkeys(start, 0)
    came: dict[ir.Value, ir.Node] = {}
    for node in nodes:
        known = [length[v] for v in reads(node) if v in length]
        for v in node.outputs if known else ():
            length[v], came[v] = min(known) + 1, node
    way: list[ir.Node] = []
    value: ir.Value = goal
    while value in came:
        way.append(came[value])
        value = min((v for v in reads(way[-1]) if v in length), key=lambda v: length[v])
    return way[::-1]


def _steps(way: Sequence[ir.Node]) -> list[str]:
    """The nodes of the model on a way, each named once, with their operators."""
    names = [
        f"{n.metadata_props.get('node') or n.name} ({n.metadata_props.get('op') or n.op_type})" for n in way
    ]
    return list(dict.fromkeys(names))


def _shown(way: Sequence[ir.Node]) -> str:
    steps = _steps(way)
    return " -> ".join([*steps[:6], "...", *steps[-5:]] if len(steps) > 12 else steps)


def _way_through(
    nodes: Sequence[ir.Node], start: Iterable[Tensor], loss: Tensor, node: ir.Node | None
) -> str:
    """The way from the parameters through a node to the loss, as part of a message."""
    if node is None or node not in nodes:
        return ""
    position = nodes.index(node)
    before: list[ir.Node] = []
    for v in node.inputs:
        if isinstance(v, Tensor):
            before = before or _way(nodes[:position], start, v)
    after = next((w for v in node.outputs if (w := _way(nodes[position + 1 :], [_tensor(v)], loss))), [])
    return f", on the way from a trainable parameter to the loss: {_shown([*before, node, *after])}"


def _tensor(value: ir.Value) -> Tensor:
    assert isinstance(value, Tensor)
    return value


def _why_none(nodes: Sequence[ir.Node], name: str, x: Tensor, loss: Tensor) -> str:
    """Why a parameter has no gradient."""
    way = _way(nodes, [x], loss)
    if not way:
        return (
            f"the loss does not depend on the trainable parameter {name!r}; leave it out of `trainable`, or use the "
            "outputs that it belongs to in the loss"
        )
    for node in way:
        if is_stop(node) or not any(differentiable(_tensor(v).dt) for v in node.outputs):
            return (
                f"the loss depends on the trainable parameter {name!r} through an operator without a gradient, "
                f"{_steps([node])[0]}: {_shown(way)}"
            )
    return f"no gradient of the loss reaches the trainable parameter {name!r}: {_shown(way)}"


# -- updates -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Weight:
    """A parameter that an optimizer changes.

    Attributes
    ----------
    lr_mult, wd : factor of the learning rate, and weight decay.
    states : names of the optimizer's states for it, in the order of the rule.
    """

    name: str
    dt: np.dtype[Any]
    shape: tuple[int, ...]
    lr_mult: float
    wd: float
    states: tuple[str, ...]


def optimizer_program(rule: str, settings: Mapping[str, Any], weights: Sequence[Weight]) -> Program:
    """Learning rate, number of the update, then weight, gradient and states of each -> new weights, new states.

    The learning rate is float32 and the number of the update, from 1, int64; both have no axes. All new values
    replace inputs.

    Raises
    ------
    GraphError : there is no such rule; see `update_rules.RULES`.
    """
    g = Builder()
    rate = g.input(LEARNING_RATE, np.float32, ())
    step = g.input(STEP, np.int64, ())
    outputs: list[tuple[Tensor, Tensor]] = []
    exact, count = g.cast(rate, np.float64), g.cast(step, np.float64)
    for w in weights:
        x = g.input(w.name, w.dt, w.shape)
        grad = g.input(gradient_name(w.name), w.dt, w.shape)
        kinds = rule_states(rule, settings, w.dt)
        states = [g.input(n, dt, w.shape) for n, (_, dt) in zip(w.states, kinds, strict=True)]
        lr = exact if w.lr_mult == 1.0 else exact * g.const(w.lr_mult, np.float64)
        with g.scope(w.name, op=rule):
            new = updated(rule, Update(g, x, grad, states, lr, count, w.wd, settings))
        outputs.append((x, new))
        outputs += [(s, g.updates.pop(s)) for s in states]
    place = {t: i for i, t in enumerate(g.inputs)}
    program = finish(g, [new for _, new in outputs], names=[renewed_name(str(x.name)) for x, _ in outputs])
    program.updates = [(o, place[x]) for o, (x, _) in enumerate(outputs)]
    return program


def accumulation_program(specs: Mapping[str, TensorSpec]) -> Program:
    """Sums of gradients so far and gradients, by name, -> their sums, which replace the first."""
    g = Builder()
    sums = []
    for name, (dt, shape) in specs.items():
        total = g.input(f"{name}_sum", dt, shape)
        sums.append((total, total + g.input(name, dt, shape)))
    place = {t: i for i, t in enumerate(g.inputs)}
    program = finish(g, [new for _, new in sums], names=[renewed_name(str(t.name)) for t, _ in sums])
    program.updates = [(o, place[t]) for o, (t, _) in enumerate(sums)]
    return program


# -- models --------------------------------------------------------------------------------------------------------


def named_model(program: Program) -> ir.Model:
    """The program as a model for ONNX Runtime whose outputs have the program's names for certain."""
    model = program.owned()
    wanted = program.output_names
    taken = {*wanted, *(str(v.name) for v in model.graph.inputs)}
    outputs = dict(zip(model.graph.outputs, wanted, strict=True))
    for node in model.graph.all_nodes():
        for v in node.outputs:
            if v.name in taken and v not in outputs:
                v.name = _fresh(str(v.name), taken)
                taken.add(v.name)
    for value, name in outputs.items():
        value.name = name
    return model


def _fresh(name: str, taken: Collection[str]) -> str:
    number = 1
    while f"{name}.{number}" in taken:
        number += 1
    return f"{name}.{number}"


_ELEMENTWISE = frozenset(
    [
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Neg",
        "Sqrt",
        "Pow",
        "Clip",
        "Where",
        "Sign",
        "Abs",
        "Max",
        "Min",
        "Cast",
        "Identity",
    ]
)


def safe_in_place(model: ir.Model, pairs: Mapping[str, str]) -> list[str]:
    """Outputs that may be written into the memory of the inputs that they replace.

    Such an output comes from an elementwise operator, and whatever else reads the input comes before it.

    Parameters
    ----------
    pairs : names of inputs by names of outputs.
    """
    graph = model.graph
    inputs = {str(v.name): v for v in graph.inputs}
    readers: dict[ir.Value, list[ir.Node]] = {}
    for reader in graph:
        for v in reads(reader):
            readers.setdefault(v, []).append(reader)
    safe = []
    for out in graph.outputs:
        node, old = out.producer(), inputs.get(pairs.get(str(out.name), ""))
        if node is None or old is None or node.domain or node.op_type not in _ELEMENTWISE:
            continue
        if old in node.inputs and (_dims(old) != _dims(out) or _dtype(old) != _dtype(out)):
            continue
        others = {n for n in readers.get(old, []) if n is not node}
        if others <= _ancestors(node):
            safe.append(str(out.name))
    return safe


def _dims(v: ir.Value) -> Any:
    return v.dims if isinstance(v, Tensor) else None


def _dtype(v: ir.Value) -> Any:
    return v.dt if isinstance(v, Tensor) else None


def _ancestors(node: ir.Node) -> set[ir.Node]:
    """All nodes whose results a node depends on."""
    found: set[ir.Node] = set()
    stack = [node]
    while stack:
        for v in reads(stack.pop()):
            before = v.producer()
            if before is not None and before not in found:
                found.add(before)
                stack.append(before)
    return found
