"""Writer of MXNet's ``-symbol.json``, in the dialect of MXNet 1.9.1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..symbol import Node, Symbol

__all__ = ["to_json"]

_VERSION = 10901
_NP_SHAPE = '"is_np_shape": ["int", 1], '
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def to_json(symbol: Symbol, np_shape: bool = False) -> str:
    """The JSON text of a symbol, as ``Symbol.tojson`` of MXNet gives it but for white space.

    MXNet 1.9.1 loads it if the symbol's operators are MXNet's.

    Parameters
    ----------
    np_shape : note that a 0 in declared shapes means an axis of no elements, not an unknown one.
    """
    members = _members(symbol)
    members["attrs"] = f'{{{_NP_SHAPE if np_shape else ""}"mxnet_version": ["int", {_VERSION}]}}'
    return _document(members)


def _document(members: Mapping[str, str]) -> str:
    return "{\n" + ",\n".join(f'  "{key}": {value}' for key, value in members.items()) + "\n}"


def _members(symbol: Symbol) -> dict[str, str]:
    nodes = symbol.nodes()
    number = {node: i for i, node in enumerate(nodes)}
    writes: dict[Node, int] = {}
    lines = []
    rows = [0]
    for node in nodes:
        entries = [
            (number[source], i, _version(node, k, writes)) for k, (source, i) in enumerate(node.inputs)
        ]
        fields = [f'"op": {_quote(node.op.name if node.op else "null")}', f'"name": {_quote(node.name)}']
        if node.attrs:
            fields.append(f'"attrs": {_object(node.attrs)}')
        fields.append(f'"inputs": {_array(_array(map(str, e)) for e in entries)}')
        if node.bodies:
            fields.append(f'"subgraphs": {_array(_document(_members(body)) for body in node.bodies)}')
        lines.append("    {" + ", ".join(fields) + "}")
        rows.append(rows[-1] + (node.op.outputs(node.parsed) if node.op else 1))
    return {
        "nodes": "[\n" + ",\n".join(lines) + "\n  ]",
        "arg_nodes": _array(str(i) for i, node in enumerate(nodes) if node.op is None),
        "node_row_ptr": _array(map(str, rows)),
        "heads": _array(_array((str(number[node]), str(i), "0")) for node, i in symbol.heads),
    }


def _version(node: Node, k: int, writes: dict[Node, int]) -> int:
    """How often input `k` has been written when `node` has run: operators write auxiliary states."""
    source = node.inputs[k][0]
    if node.op is None or not node.op.aux or source.op is not None:
        return 0
    names = node.argument_names()
    if k < len(names) and names[k] in node.op.aux:
        writes[source] = writes.get(source, 0) + 1
        return writes[source]
    return 0


def _quote(text: str) -> str:
    """A JSON string with the escapes that MXNet reads; it knows no others, \\u least of all."""
    return f'"{text.translate(_ESCAPES)}"'


def _array(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _object(attrs: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_quote(k)}: {_quote(v)}" for k, v in sorted(attrs.items())) + "}"
