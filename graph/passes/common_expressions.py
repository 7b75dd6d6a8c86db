"""Equal computations of a Symbol are done once."""

from __future__ import annotations

from ..ops import find
from ..symbol import Entry, Node, Symbol

__all__ = ["without_repetitions"]


def without_repetitions(symbol: Symbol) -> Symbol:
    """A copy of a symbol in which operators of equal parameters and inputs are one node.

    Operators that draw random numbers or write states stay as they are. Where several outputs become the same value,
    all but the first are copies of it. Names and attributes are those of the first of several nodes.
    """
    copies: dict[Node, Node] = {}
    first: dict[object, Node] = {}
    for node in symbol.nodes():
        inputs = [(copies[source], i) for source, i in node.inputs]
        copy = Node(node.op, node.name, dict(node.attrs), inputs, node.bodies)
        op = node.op
        if op is not None and not (op.stochastic or op.aux or node.bodies):
            key = op, node.parsed, tuple((id(source), i) for source, i in inputs)
            copy = first.setdefault(key, copy)
        copies[node] = copy
    heads: list[Entry] = []
    for node, i in symbol.heads:
        entry = copies[node], i
        if entry in heads and node.op is not None:
            entry = Node(find("_copy"), f"{node.name}_copy", {}, [entry]), 0
        heads.append(entry)
    return type(symbol)(heads)
