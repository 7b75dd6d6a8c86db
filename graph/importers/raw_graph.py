"""A symbol's graph as its file has it: no operator needs to be known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["RawGraph", "RawNode", "depth_first"]

_OLDEST = 800  # files without a version number were written by 0.8 or earlier


@dataclass(slots=True)
class RawNode:
    """A node as the file has it.

    Attributes
    ----------
    op : name of the operator, None for a variable.
    attrs : the operator's parameters and the user's attributes, all strings.
    inputs : (node number, output number) of each input.
    subgraphs : bodies of a control-flow operator.
    """

    op: str | None
    name: str
    attrs: dict[str, str]
    inputs: list[tuple[int, int]]
    subgraphs: list[RawGraph] = field(default_factory=list)


@dataclass(slots=True)
class RawGraph:
    """A graph: the nodes that its outputs need, in MXNet's depth-first order (inputs first).

    Attributes
    ----------
    arg_nodes : numbers of the variables.
    heads : (node number, output number) of each output.
    attrs : of the graph; ``mxnet_version`` is 10000 * major + 100 * minor + patch of the MXNet that wrote it.
    """

    nodes: list[RawNode]
    arg_nodes: list[int]
    heads: list[tuple[int, int]]
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """``mxnet_version``, or 800 where there is none."""
        return int(self.attrs.get("mxnet_version", _OLDEST))


def depth_first(inputs: list[list[tuple[int, int]]], heads: list[tuple[int, int]]) -> list[int]:
    """Numbers of the nodes that `heads` need, each after its inputs, in the order of MXNet's traversals."""
    order: list[int] = []
    done = [False] * len(inputs)
    stack = [(number, 0) for number, _ in reversed(heads)]
    while stack:
        number, i = stack.pop()
        if done[number]:
            continue
        if i < len(inputs[number]):
            stack.append((number, i + 1))
            stack.append((inputs[number][i][0], 0))
        else:
            done[number] = True
            order.append(number)
    return order
