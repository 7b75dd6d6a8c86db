"""Loops over the first axis of arrays: ONNX's Scan, with its attributes and types filled in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from .builder import Builder, Tensor
from .dims import DimLike

__all__ = ["scan"]


def scan(
    g: Builder,
    body: Callable[..., Sequence[Tensor]],
    states: Sequence[Tensor],
    sequences: Sequence[Tensor],
    *,
    reverse: bool = False,
    name: str = "step",
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Run `body` once for each item along the first axis of `sequences`, all of which have the same length.

    Parameters
    ----------
    body : ``body(builder, *states, *items)`` returns the new states, then any number of results. It may read
        tensors of the graph around it.
    reverse : begin with the last items. The result of the first item is in the first place all the same.

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
    if reverse:
        attributes["scan_input_directions"] = [1] * len(sequences)
        if results:
            attributes["scan_output_directions"] = [1] * len(results)
    found = g.emit(
        "Scan",
        "",
        [*states, *sequences],
        ir.convenience.convert_attributes(attributes),  # type: ignore[arg-type]
        types,  # type: ignore[arg-type]
    )
    return found[:count], found[count:]
