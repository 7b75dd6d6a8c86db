"""Gradients of control flow.

That of a loop is the loop backwards, each step of which repeats its values and differentiates them; that of a branch
is the same branch over the gradients of its values.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from ...builder import Builder, Tensor
from ...errors import NotDifferentiableError
from ...loops import scan
from ...program import reads
from ..engine import WithCaptured, attribute, differentiable, rule, tensor, vjp

__all__: list[str] = []


def _captured(graph: ir.Graph) -> list[Tensor]:
    """Values of the graph around it that a subgraph reads, without constants."""
    inner = {v for n in graph for v in n.outputs} | set(graph.inputs)
    read = [*(v for n in graph for v in reads(n)), *graph.outputs]
    outer = dict.fromkeys(tensor(v) for v in read if v not in inner)
    return [v for v in outer if v.const is None]


def _emitted(
    b: Builder, graph: ir.Graph, arguments: Sequence[Tensor], captured: Sequence[Tensor]
) -> list[Tensor]:
    """The results of a subgraph for values of its inputs, emitted into `b`."""
    values: dict[ir.Value, Tensor] = dict(zip(graph.inputs, arguments, strict=True))
    values.update((v, v) for v in captured)
    b.replay(list(graph), values)
    return [b._copied(v, values) for v in graph.outputs]


class _Loop:
    """A Scan node.

    Attributes
    ----------
    states, items : its inputs: first states, and sequences.
    captured : values of the graph around it that its body reads.
    backward_in, backward_out : which sequences are read, and which results are written, from the end.
    """

    def __init__(self, node: ir.Node) -> None:
        for name in ("scan_input_axes", "scan_output_axes"):
            if any(attribute(node, name, ())):
                raise NotDifferentiableError(
                    f"no gradient rule for the ONNX operator 'Scan' with {name} = {list(attribute(node, name))}"
                )
        self.body: ir.Graph = attribute(node, "body")
        count = len(node.inputs) - int(attribute(node, "num_scan_inputs"))
        inputs = [tensor(v) for v in node.inputs]
        self.states, self.items = inputs[:count], inputs[count:]
        results = len(node.outputs) - count
        self.backward_in = [bool(d) for d in attribute(node, "scan_input_directions", [0] * len(self.items))]
        self.backward_out = [bool(d) for d in attribute(node, "scan_output_directions", [0] * results)]
        self.captured = _captured(self.body)

    def step(self, b: Builder, arguments: Sequence[Tensor]) -> list[Tensor]:
        """The body's results for values of its inputs, emitted into `b`."""
        return _emitted(b, self.body, arguments, self.captured)

    def history(self, g: Builder) -> tuple[Tensor, ...]:
        """What each step found as its states, in the order of the steps."""
        count = len(self.states)
        if not count:
            return ()

        def body(b: Builder, *arguments: Tensor) -> Sequence[Tensor]:
            return [*self.step(b, arguments)[:count], *(b.op("Identity", s) for s in arguments[:count])]

        found = scan(
            g, body, self.states, self.items, reverse=self.backward_in, reverse_results=False, name="again"
        )
        return found[1]


@rule("Scan")
def scan_(g: Builder, n: ir.Node, *dys: Tensor | None) -> WithCaptured:
    loop = _Loop(n)
    count = len(loop.states)
    smooth_states = [i for i, s in enumerate(loop.states) if differentiable(s.dt)]
    smooth_items = [i for i, s in enumerate(loop.items) if differentiable(s.dt)]
    smooth_captured = [v for v in loop.captured if differentiable(v.dt)]
    used = [k for k, dy in enumerate(dys[count:]) if dy is not None]
    first = [
        g.fill(loop.states[i].dims, 0, loop.states[i].dt) if (dy := dys[i]) is None else dy
        for i in smooth_states
    ]
    sums = [g.fill(v.dims, 0, v.dt) for v in smooth_captured]
    heads = [dy for dy in dys[count:] if dy is not None]

    def body(b: Builder, *arguments: Tensor) -> Sequence[Tensor]:
        rest = list(arguments)
        d_states, rest = rest[: len(first)], rest[len(first) :]
        totals, rest = rest[: len(sums)], rest[len(sums) :]
        inputs, d_results = rest[: len(loop.body.inputs)], rest[len(loop.body.inputs) :]
        results = loop.step(b, inputs)
        outputs = [results[i] for i in smooth_states] + [results[count + k] for k in used]
        wrt = [inputs[i] for i in smooth_states] + smooth_captured + [inputs[count + i] for i in smooth_items]
        found = vjp(b, outputs, [*d_states, *d_results], wrt)
        known = [b.fill(x.dims, 0, x.dt) if d is None else d for x, d in zip(wrt, found, strict=True)]
        middle = len(d_states) + len(totals)
        added = [b.op("Add", t, d) for t, d in zip(totals, known[len(d_states) : middle], strict=True)]
        return [*known[: len(d_states)], *added, *known[middle:]]

    backward_items = [not r for r in loop.backward_in]
    states, results = scan(
        g,
        body,
        [*first, *sums],
        [*loop.history(g), *loop.items, *heads],
        reverse=[True] * count + backward_items + [not loop.backward_out[k] for k in used],
        reverse_results=[backward_items[i] for i in smooth_items],
        name="back",
    )
    grads: list[Tensor | None] = [None] * len(n.inputs)
    for i, d in zip(smooth_states, states, strict=False):
        grads[i] = d
    for i, d in zip(smooth_items, results, strict=True):
        grads[count + i] = d
    return WithCaptured(grads, dict(zip(smooth_captured, states[len(first) :], strict=True)))


@rule("If")
def if_(g: Builder, n: ir.Node, *dys: Tensor | None) -> WithCaptured:
    graphs: dict[str, ir.Graph] = {k: attribute(n, k) for k in ("then_branch", "else_branch")}
    captured = {k: _captured(graph) for k, graph in graphs.items()}
    wrt = [v for v in dict.fromkeys(v for part in captured.values() for v in part) if differentiable(v.dt)]
    used = [(k, dy) for k, dy in enumerate(dys) if dy is not None]
    if not wrt:
        return WithCaptured((None,), {})

    def branch(name: str) -> ir.Graph:
        def body(b: Builder) -> Sequence[Tensor]:
            results = _emitted(b, graphs[name], [], captured[name])
            found = vjp(b, [results[k] for k, _ in used], [dy for _, dy in used], wrt)
            known = [b.fill(x.dims, 0, x.dt) if d is None else d for x, d in zip(wrt, found, strict=True)]
            return [b.op("Identity", d) for d in known]

        return g.subgraph(name, [], body)

    attributes = ir.convenience.convert_attributes({k: branch(k) for k in graphs})
    grads = g.emit("If", "", [tensor(n.inputs[0])], attributes, [(x.dt, x.dims) for x in wrt])
    return WithCaptured((None,), dict(zip(wrt, grads, strict=True)))
