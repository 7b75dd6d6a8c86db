"""Control flow with its attributes filled in: loops over first axes (Scan), other loops (Loop), branches (If)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from .builder import Builder, Tensor
from .dims import Dim, DimLike

__all__ = ["either", "repeat", "scan"]


def scan(
    g: Builder,
    body: Callable[..., Sequence[Tensor]],
    states: Sequence[Tensor],
    sequences: Sequence[Tensor],
    *,
    reverse: bool | Sequence[bool] = False,
    reverse_results: bool | Sequence[bool] | None = None,
    name: str = "step",
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Run `body` once for each item along the first axis of `sequences`, all of which have the same length.

    Parameters
    ----------
    body : ``body(builder, *states, *items)`` returns the new states, then any number of results. It may read
        tensors of the graph around it.
    reverse : begin with the last items; for all sequences or for each.
    reverse_results : where the first result goes: True is the last place. As `reverse`, if that is one for all, by
        default, so that results lie where their items are.

    Returns
    -------
    tuple : the last states, and every result with a new first axis.
    """
    inputs = [(f"{name}_state{i}", s.dt, s.dims) for i, s in enumerate(states)]
    inputs += [(f"{name}_item{i}", s.dt, s.dims[1:]) for i, s in enumerate(sequences)]

    def distinct(b: Builder, *arguments: Tensor) -> list[Tensor]:
        results: list[Tensor] = []
        for t in body(b, *arguments):
            results.append(b.op("Identity", t) if t in results else t)
        return results

    graph = g.subgraph(name, inputs, distinct)
    length: DimLike = sequences[0].dims[0]
    count = len(states)
    results = list(graph.outputs)[count:]
    types: list[tuple[object, Sequence[DimLike]]] = [(s.dt, s.dims) for s in states]
    for t in results:
        assert isinstance(t, Tensor)
        types.append((t.dt, (length, *t.dims)))
    attributes: dict[str, object] = {"body": graph, "num_scan_inputs": len(sequences)}
    inward = [reverse] * len(sequences) if isinstance(reverse, bool) else list(reverse)
    if reverse_results is None:
        reverse_results = reverse if isinstance(reverse, bool) else False
    outward = [reverse_results] * len(results) if isinstance(reverse_results, bool) else list(reverse_results)
    if any(inward):
        attributes["scan_input_directions"] = [int(r) for r in inward]
    if any(outward):
        attributes["scan_output_directions"] = [int(r) for r in outward]
    found = g.emit(
        "Scan",
        "",
        [*states, *sequences],
        ir.convenience.convert_attributes(attributes),  # type: ignore[arg-type]
        types,  # type: ignore[arg-type]
    )
    return found[:count], found[count:]


def repeat(
    g: Builder,
    limit: int | Tensor,
    condition: Tensor,
    states: Sequence[tuple[str, Tensor, Sequence[DimLike | None]]],
    body: Callable[..., Sequence[Tensor]],
) -> tuple[Tensor, ...]:
    """Run `body` at most `limit` times, as long as a condition holds (ONNX's Loop).

    Parameters
    ----------
    limit : a number, or an int64 scalar.
    states : name, first value and shape of each state; a dimension None may change from step to step.
    body : ``body(builder, step, *states)`` returns the condition to go on and the new states. It may read tensors of
        the graph around it.

    Returns
    -------
    tuple : the last states.
    """
    inputs: list[tuple[str, Any, Sequence[DimLike]]] = [("step", np.int64, ()), ("condition", np.bool_, ())]
    for name, value, dims in states:
        inputs.append((name, value.dt, [Dim.symbol(g.unique(f"{name}.n")) if d is None else d for d in dims]))

    def emit(b: Builder, step: Tensor, _: Tensor, *values: Tensor) -> Sequence[Tensor]:
        return body(b, step, *values)

    graph = g.subgraph("loop", inputs, emit)
    most = limit if isinstance(limit, Tensor) else g.const(np.int64(limit))
    operands = [most, condition, *(value for _, value, _ in states)]
    attributes = ir.convenience.convert_attributes({"body": graph})
    return g.emit("Loop", "", operands, attributes, [(value.dt, tuple(dims)) for _, value, dims in states])


def either(
    g: Builder, condition: Tensor, yes: Callable[[Builder], Tensor], no: Callable[[Builder], Tensor]
) -> Tensor:
    """The result of one of two functions, which give the same type and shape; only that one is computed (ONNX's If).

    Parameters
    ----------
    condition : bool, without axes or with one element.
    yes, no : ``yes(builder)`` emits its nodes with that builder; it may read tensors of the graph around it.
    """
    branches = {
        "then_branch": g.subgraph("then", [], lambda b: [yes(b)]),
        "else_branch": g.subgraph("else", [], lambda b: [no(b)]),
    }
    result = branches["then_branch"].outputs[0]
    assert isinstance(result, Tensor)
    return g.emit(
        "If", "", [condition], ir.convenience.convert_attributes(branches), [(result.dt, result.dims)]
    )[0]
