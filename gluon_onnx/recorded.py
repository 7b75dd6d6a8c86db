"""Symbols of recorded computations (`autograd.get_symbol`)."""

from __future__ import annotations

from typing import Any

from ._runtime.function import OperatorFunction, SymbolFunction
from ._runtime.session import to_numpy
from ._tape import CallEntry, Entry, Place, _order
from .base import MXNetError
from .graph.ops.schema import format_value
from .graph.scopes import NameManager
from .graph.symbol import Entry as Output
from .graph.symbol import Node, op_hint
from .ndarray import NDArray
from .symbol import Symbol

__all__ = ["symbol_of"]


class _Reader:
    """Makes nodes of the entries of a tape."""

    def __init__(self) -> None:
        self._names = NameManager()
        self._variables: dict[int, Node] = {}
        self._outputs: dict[int, list[Output]] = {}

    def place(self, place: Place) -> Output:
        """The node and output of a place; the entries before have been read."""
        if place.entry is None:
            return self._variable(place)
        return self._outputs[id(place.entry)][place.index]

    def _variable(self, key: object) -> Output:
        node = self._variables.get(id(key))
        if node is None:
            node = self._variables[id(key)] = Node(None, "", {})
        return node, 0

    def read(self, entry: Entry) -> None:
        """Make the nodes of an entry.

        Raises
        ------
        MXNetError : it is no call of an operator or of a compiled symbol.
        """
        function = entry.function if isinstance(entry, CallEntry) else None
        if not isinstance(function, OperatorFunction | SymbolFunction) or not isinstance(entry, CallEntry):
            raise MXNetError(f"get_symbol: {entry.name!r} was recorded, which is no operator")
        values = entry.inputs
        count = len(values) - entry.specialization.program.uses_random_key
        if isinstance(function, OperatorFunction):
            count -= len(function.dynamic)
        entries = [
            self.place(p) if p is not None else self._variable(getattr(x, "_version", x))
            for x, p in zip(values[:count], entry.places, strict=False)
        ]
        if isinstance(function, SymbolFunction):
            variables = {node.name: node for node in function.symbol.nodes() if node.op is None}
            replace = {variables[n]: e for n, e in zip(function.names, entries, strict=True)}
            self._outputs[id(entry)] = list(function.symbol.substitute(replace).heads)
            return
        op = function.op
        params: dict[str, Any] = {k: v for k, v in function.attrs.values.items() if v is not None}
        for name, value in zip(function.dynamic, values[count:], strict=False):
            params[name] = float(to_numpy(value))
        strings = {k: format_value(v) for k, v in params.items()}
        node = Node(op, self._names.get(None, op_hint(op.name)), strings, entries)
        self._outputs[id(entry)] = [(node, i) for i in range(op.outputs(node.parsed))]


def symbol_of(x: NDArray) -> Symbol:
    """The recorded computation of an array; see `autograd.get_symbol`."""
    reader = _Reader()
    place = x._place or Place()
    for entry in _order([place]):
        reader.read(entry)
    result = Symbol([reader.place(place)])
    for i, node in enumerate(node for node in result.nodes() if node.op is None):
        node.name = f"var{i}"
    return result
