"""The gradient of Loop: its steps once more, to keep the states that each found, and then backwards as a Scan.

Memory grows with the number of steps, by what the states hold; no step is written out twice, so the number of nodes
does not depend on the number of steps, which may be known when the program runs only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from ...builder import CUSTOM_DOMAIN, Builder, CustomFunction, Opaque, Tensor
from ...dims import Dim, DimLike
from ...errors import NotDifferentiableError
from ...loops import scan
from ...onnx_nodes import calls
from ...onnx_versions import Call
from ..engine import WithCaptured, attribute, differentiable, rule, tensor, vjp
from .control import captured_values

__all__: list[str] = []


class _Steps:
    """A Loop node.

    Attributes
    ----------
    limit, condition : its first inputs, None where it has none.
    states : the first states.
    captured : values of the graph around it that its body reads.
    begins : whether at least one step is known to be done.
    """

    def __init__(self, node: ir.Node) -> None:
        self.body: ir.Graph = attribute(node, "body")
        inputs = [None if v is None else tensor(v) for v in node.inputs]
        self.limit, self.condition, *rest = inputs
        self.states = [tensor(v) for v in rest]
        self.where = str(node.metadata_props.get("node") or node.name)
        for state, v in zip(self.states, self.body.inputs[2:], strict=True):
            if isinstance(state, Opaque):
                raise self.error(f"its state {v.name!r} ({state.type}) is no tensor of a known rank")
        self.captured = captured_values(self.body)
        most, on = self.limit, self.condition
        self.begins = (most is None or (most.const is not None and int(most.const.reshape(())) > 0)) and (
            on is None or (on.const is not None and bool(on.const.reshape(())))
        )

    def error(self, reason: str) -> NotDifferentiableError:
        return NotDifferentiableError(
            f"no gradient rule for the ONNX operator 'Loop' (in node {self.where!r}): {reason}"
        )

    def step(self, b: Builder, number: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        """The body's results: whether to go on, the new states, and the results of the step."""
        values: dict[ir.Value, Tensor] = dict(
            zip(self.body.inputs, [number, b.const(np.bool_(True)), *states], strict=True)
        )
        values.update((v, v) for v in self.captured)
        for node in self.body:
            _emit_again(b, node, values)
        results = [b._copied(v, values) for v in self.body.outputs]
        for i, (old, new) in enumerate(zip(states, results[1:], strict=False)):
            results[1 + i] = self.kept(b, i, old, new)
        return results

    def kept(self, b: Builder, i: int, old: Tensor, new: Tensor) -> Tensor:
        """A new state in the shape of the old one. Sizes that are known at run time only are compared then."""
        if not isinstance(new, Opaque):
            if new.dims == old.dims:
                return new
            change = [n - o for n, o in zip(new.dims, old.dims, strict=False)]
            if new.ndim == old.ndim and all(isinstance(d, Dim) or d == 0 for d in change):
                return b.reshape(new, old.dims)
        shape = new.type if isinstance(new, Opaque) else list(new.dims)
        raise self.error(
            f"its state {self.body.inputs[2 + i].name!r} changes its shape from {list(old.dims)} to {shape} in a step, "
            "so what the steps found does not fit into one array"
        )

    def history(self, g: Builder) -> tuple[Tensor, list[Tensor]]:
        """The numbers of the steps that were done, and what each found as its states."""
        inputs: list[tuple[str, object, Sequence[DimLike]]] = [("number", np.int64, ()), ("on", np.bool_, ())]
        inputs += [(f"state{i}", s.dt, s.dims) for i, s in enumerate(self.states)]

        def body(b: Builder, number: Tensor, _: Tensor, *states: Tensor) -> list[Tensor]:
            results = self.step(b, number, states)[: 1 + len(states)]
            return [b.same(t) for t in (*results, number, *states)]

        graph = g.subgraph("again", inputs, body)
        types: list[tuple[np.dtype[np.generic], tuple[DimLike | None, ...]]] = [
            (s.dt, s.dims) for s in self.states
        ]
        types += [(np.dtype(np.int64), (None,))]
        types += [(s.dt, (None, *s.dims)) for s in self.states]
        operands = [self.limit, self.condition, *self.states]
        found = g.emit("Loop", "", operands, ir.convenience.convert_attributes({"body": graph}), types)
        count = len(self.states)
        return found[count], list(found[count + 1 :])


def _emit_again(b: Builder, node: ir.Node, values: dict[ir.Value, Tensor]) -> None:
    """A node of the body for the shapes that its operands have in these steps."""
    if any(a.type == ir.AttributeType.GRAPH for a in node.attributes.values()):
        b.replay([node], values)
        return
    inputs = [None if v is None else b._copied(v, values) for v in node.inputs]
    attributes = {k: a.value for k, a in node.attributes.items()}
    results: Sequence[Tensor]
    if node.domain == CUSTOM_DOMAIN:
        results = b.custom(
            CustomFunction.registry[node.op_type], *[v for v in inputs if v is not None], **attributes
        )
    elif node.domain:
        b.replay([node], values)
        return
    else:
        results = calls(b, Call(node.op_type, inputs, attributes, [bool(v.name) for v in node.outputs]))
    values.update(zip(node.outputs, results, strict=True))


def _if_any(
    g: Builder, numbers: Tensor, found: Callable[[Builder], Sequence[Tensor]], otherwise: Sequence[Tensor]
) -> Sequence[Tensor]:
    """The results of a function where there are steps, which a Scan must have."""
    branches = {
        "then_branch": g.subgraph("some", [], found),
        "else_branch": g.subgraph("none", [], lambda b: [b.same(t) for t in otherwise]),
    }
    some = g.op("Greater", g.op("Size", numbers), np.int64(0))
    types = [(t.dt, t.dims) for t in otherwise]
    return g.emit("If", "", [some], ir.convenience.convert_attributes(branches), types)


@rule("Loop")
def loop(g: Builder, n: ir.Node, *dys: Tensor | None) -> WithCaptured:
    steps = _Steps(n)
    count = len(steps.states)
    smooth = [i for i, s in enumerate(steps.states) if differentiable(s.dt)]
    smooth_captured = [v for v in steps.captured if differentiable(v.dt)]
    used = [k for k, dy in enumerate(dys[count:]) if dy is not None]
    first = []
    for i in smooth:
        dy, state = dys[i], steps.states[i]
        first.append(g.fill(state.dims, 0, state.dt) if dy is None else dy)
    sums = [g.fill(v.dims, 0, v.dt) for v in smooth_captured]
    numbers, history = steps.history(g)
    heads = [dy for dy in dys[count:] if dy is not None]

    def body(b: Builder, *arguments: Tensor) -> Sequence[Tensor]:
        rest = list(arguments)
        d_states, rest = rest[: len(first)], rest[len(first) :]
        totals, rest = rest[: len(sums)], rest[len(sums) :]
        number, states, d_results = rest[0], rest[1 : 1 + count], rest[1 + count :]
        results = steps.step(b, number, states)[1:]
        outputs = [results[i] for i in smooth] + [results[count + k] for k in used]
        wrt = [states[i] for i in smooth] + smooth_captured
        found = vjp(b, outputs, [*d_states, *d_results], wrt)
        known = [b.fill(x.dims, 0, x.dt) if d is None else d for x, d in zip(wrt, found, strict=True)]
        added = [b.op("Add", t, d) for t, d in zip(totals, known[len(d_states) :], strict=True)]
        return [*known[: len(d_states)], *added]

    def backwards(b: Builder) -> Sequence[Tensor]:
        return scan(b, body, [*first, *sums], [numbers, *history, *heads], reverse=True, name="back")[0]

    states = backwards(g) if steps.begins else _if_any(g, numbers, backwards, [*first, *sums])
    grads: list[Tensor | None] = [None] * len(n.inputs)
    for i, d in zip(smooth, states, strict=False):
        grads[2 + i] = d
    return WithCaptured(grads, dict(zip(smooth_captured, states[len(first) :], strict=True)))
