"""Gradients of control flow.

That of a loop is the loop backwards, each step of which repeats its values and differentiates them; that of a branch
is the same branch over the gradients of its values.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from ...builder import Builder, Tensor
from ...loops import scan
from ...program import reads
from ..engine import WithCaptured, attribute, differentiable, rule, tensor, vjp

__all__ = ["captured_values"]


def captured_values(graph: ir.Graph) -> list[Tensor]:
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


def _front(g: Builder, x: Tensor, axis: int) -> Tensor:
    """`x` with an axis moved to the front."""
    return g.transpose(x, [axis, *(i for i in range(x.ndim) if i != axis)])


def _back(g: Builder, x: Tensor, axis: int) -> Tensor:
    """`x` with its first axis moved to a place."""
    return g.transpose(x, [*range(1, axis + 1), 0, *range(axis + 1, x.ndim)])


class _Loop:
    """A Scan node.

    Attributes
    ----------
    states, items : its inputs: first states, and sequences, with the axis of steps in front.
    axes, axes_out : where that axis is among those of the node's inputs and results.
    captured : values of the graph around it that its body reads.
    backward_in, backward_out : which sequences are read, and which results are written, from the end.
    """

    def __init__(self, g: Builder, node: ir.Node) -> None:
        self.body: ir.Graph = attribute(node, "body")
        count = len(node.inputs) - int(attribute(node, "num_scan_inputs"))
        inputs = [tensor(v) for v in node.inputs]
        self.states = inputs[:count]
        self.axes = [
            int(a) % x.ndim
            for a, x in zip(
                attribute(node, "scan_input_axes", [0] * len(inputs[count:])), inputs[count:], strict=True
            )
        ]
        self.items = [_front(g, x, a) for x, a in zip(inputs[count:], self.axes, strict=True)]
        results = len(node.outputs) - count
        self.axes_out = list(attribute(node, "scan_output_axes", [0] * results))
        self.backward_in = [bool(d) for d in attribute(node, "scan_input_directions", [0] * len(self.items))]
        self.backward_out = [bool(d) for d in attribute(node, "scan_output_directions", [0] * results)]
        self.captured = captured_values(self.body)

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
    loop = _Loop(g, n)
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
    heads = [
        _front(g, dy, a % dy.ndim) for dy, a in zip(dys[count:], loop.axes_out, strict=True) if dy is not None
    ]

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
        grads[count + i] = _back(g, d, loop.axes[i])
    return WithCaptured(grads, dict(zip(smooth_captured, states[len(first) :], strict=True)))


@rule("If")
def if_(g: Builder, n: ir.Node, *dys: Tensor | None) -> WithCaptured:
    graphs: dict[str, ir.Graph] = {k: attribute(n, k) for k in ("then_branch", "else_branch")}
    captured = {k: captured_values(graph) for k, graph in graphs.items()}
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
