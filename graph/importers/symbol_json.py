"""Reader of MXNet's ``-symbol.json``: every dialect from 0.8 to 1.9, upgraded as MXNet 1.9.1 does on loading.

The dialects differ in the key of a node's attributes (``param`` and ``attr``, ``attr``, ``attrs``), in
entries of two or three numbers, and in what is left out; `legacy_json` holds the changes of meaning.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from ..errors import AttributeParseError, FormatError, UnsupportedOperatorError
from ..ops.control import ControlOperator
from ..ops.registry import Operator, find
from ..symbol import Node, Symbol
from .legacy_json import rename, upgrade
from .raw_graph import RawGraph, RawNode, depth_first

__all__ = ["RawGraph", "RawNode", "load_json", "parse_symbol_json"]

_LIMIT = 2**31  # node and output numbers are 32-bit in MXNet


def parse_symbol_json(text: str | bytes, source: str = "<string>") -> RawGraph:
    """Read a symbol's JSON text and upgrade it to the form that MXNet 1.9.1 gives it.

    Nodes that no output needs are left out. Operators need not be known.

    Parameters
    ----------
    source : what error messages call the text.

    Raises
    ------
    FormatError : if the text is not a symbol; names the node. Two variables of one name, which MXNet cannot
        bind, are such an error too.
    """
    graphs = _Reader(source).read(_decode(text, source))
    for graph in graphs:
        rename(graph)
    upgrade(graphs[0])
    for graph in graphs:
        graph.arg_nodes = [i for i, node in enumerate(graph.nodes) if node.op is None]
        _check_variables(graph, source)
    return graphs[0]


def _decode(text: str | bytes, source: str) -> object:
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FormatError(f"{source}: expected JSON text, found no UTF-8 at byte {error.start}") from None
    try:
        return json.loads(text, strict=False)  # MXNet writes control characters as they are
    except json.JSONDecodeError as error:
        raise FormatError(f"{source}: not JSON: {error}") from None
    except RecursionError:
        raise FormatError(f"{source}: the JSON is nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise FormatError(f"{source}: not JSON that can be read: {error}") from None


def _check_variables(graph: RawGraph, source: str) -> None:
    first: dict[str, int] = {}
    for number in graph.arg_nodes:
        name = graph.nodes[number].name
        if name in first:
            raise FormatError(f"{source}: nodes {first[name]} and {number} are both variables named {name!r}")
        first[name] = number


class _Reader:
    """Checks a decoded document and turns it into graphs, without recursion."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.where = ""

    def fail(self, message: str) -> NoReturn:
        raise FormatError(f"{self.source}: {self.where}{message}")

    def read(self, document: object) -> list[RawGraph]:
        """The graph of `document`, followed by those of its control-flow operators, at any depth."""
        graphs: list[RawGraph] = []
        waiting: list[tuple[object, RawNode | None, str]] = [(document, None, "")]
        while waiting:
            document, owner, path = waiting.pop()
            graph, bodies = self.graph(document, path)
            graphs.append(graph)
            if owner is not None:
                owner.subgraphs.append(graph)
            waiting.extend(reversed(bodies))  # so that each owner gets its bodies in order
        return graphs

    def graph(self, document: object, path: str) -> tuple[RawGraph, list[tuple[object, RawNode | None, str]]]:
        self.where = path
        if not isinstance(document, dict):
            self.fail(f"expected a JSON object with 'nodes' and 'heads', found {_kind(document)}")
        items = self.listed(document, "nodes")
        nodes: list[RawNode] = []
        bodies: list[tuple[object, RawNode | None, str]] = []
        for number, item in enumerate(items):
            self.where = f"{path}node {number}: "
            node = self.node(item, nodes, f"{path}node {number}")
            nodes.append(node)
            body_of = f"{path}node {number} {node.name!r}, body "
            for i, body in enumerate(self.listed(item, "subgraphs", optional=True)):
                bodies.append((body, node, f"{body_of}{i}: "))
        self.where = path
        heads = [self.entry(e, nodes, "head") for e in self.listed(document, "heads")]
        if not heads:
            self.fail("'heads' is empty: a symbol has at least one output")
        self.arguments(document, nodes)
        order = depth_first([node.inputs for node in nodes], heads)
        new = {old: i for i, old in enumerate(order)}
        for old in order:
            nodes[old].inputs = [(new[n], i) for n, i in nodes[old].inputs]
        needed = {id(nodes[old]) for old in order}
        heads = [(new[n], i) for n, i in heads]
        graph = RawGraph([nodes[old] for old in order], [], heads, self.attributes(document))
        return graph, [b for b in bodies if id(b[1]) in needed]

    def node(self, item: object, before: list[RawNode], label: str) -> RawNode:
        if not isinstance(item, dict):
            self.fail(f"expected an object, found {_kind(item)}")
        name = self.text(item, "name")
        self.where = f"{label} {name!r}: "
        op = self.text(item, "op")
        attrs: dict[str, str] = {}
        for key in item:  # MXNet lets the later of the two replace the earlier
            if key in ("attr", "attrs"):
                attrs = self.strings(item, key)
        for key, value in self.strings(item, "param").items():
            attrs.setdefault(key, value)
        inputs = [self.entry(e, before, f"input {i}") for i, e in enumerate(self.listed(item, "inputs"))]
        if op == "null" and inputs:
            self.fail(f"a variable has no inputs, this one has {len(inputs)}")
        return RawNode(None if op == "null" else op, name, attrs, inputs)

    def entry(self, item: object, nodes: list[RawNode], what: str) -> tuple[int, int]:
        """Read [node, output] or [node, output, version]; the version has no meaning outside of MXNet."""
        if not isinstance(item, list) or len(item) not in (2, 3) or any(type(n) is not int for n in item):
            self.fail(f"{what} must be a list of two or three integers, found {_brief(item)}")
        node, output = item[0], item[1]
        if not 0 <= node < len(nodes):
            which = "an earlier node" if what != "head" else "one of the nodes"
            self.fail(f"{what} must be an output of {which}, 0 to {len(nodes) - 1}; found {_brief(node)}")
        if not 0 <= output < _LIMIT or (nodes[node].op is None and output):
            self.fail(f"{what}: node {node} {nodes[node].name!r} has no output {_brief(output)}")
        return node, output

    def arguments(self, document: dict[str, Any], nodes: list[RawNode]) -> None:
        for number in self.listed(document, "arg_nodes", optional=True):
            if type(number) is not int or not 0 <= number < len(nodes) or nodes[number].op is not None:
                self.fail(f"'arg_nodes' must hold numbers of variables, found {_brief(number)}")

    def attributes(self, document: dict[str, Any]) -> dict[str, Any]:
        """The graph's attributes, which the file has as [type, value]."""
        attrs = document.get("attrs", {})
        if not isinstance(attrs, dict):
            self.fail(f"'attrs' must be an object, found {_kind(attrs)}")
        values = {k: v[1] if isinstance(v, list) and len(v) == 2 else v for k, v in attrs.items()}
        version = values.get("mxnet_version", 0)
        if type(version) is not int or not 0 <= version < _LIMIT:
            self.fail(f"'mxnet_version' must be ['int', number], found {_brief(version)}")
        return values

    def listed(self, item: Any, key: str, optional: bool = False) -> list[Any]:
        value = item.get(key, [] if optional else None)
        if not isinstance(value, list):
            self.fail(f"{key!r} must be a list, found {_kind(value) if key in item else 'none'}")
        return value

    def text(self, item: dict[str, Any], key: str) -> str:
        value = item.get(key)
        if not isinstance(value, str):
            self.fail(f"{key!r} must be a string, found {_kind(value) if key in item else 'none'}")
        return value

    def strings(self, item: dict[str, Any], key: str) -> dict[str, str]:
        value = item.get(key, {})
        if not isinstance(value, dict):
            self.fail(f"{key!r} must be an object of strings, found {_kind(value)}")
        for name, text in value.items():
            if not isinstance(text, str):
                self.fail(f"attribute {name!r} must be a string, found {_brief(text)}")
        return dict(value)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _brief(value: object) -> str:
    """A value in an error message: its text where that is short, and never a recursion into it."""
    if isinstance(value, list) and all(type(v) in (int, str) for v in value):
        return f"[{', '.join(map(_brief, value[:5]))}{', ...' if len(value) > 5 else ''}]"
    if type(value) is int:
        return str(value) if abs(value) < 2**64 else "a number of more than 64 bits"
    return repr(value)[:80] if isinstance(value, str | float | bool) else _kind(value)


def load_json(text: str | bytes, source: str = "<string>") -> Symbol:
    """Read a symbol's JSON text.

    Parameters
    ----------
    source : what error messages call the text.

    Raises
    ------
    FormatError : if the text is not a symbol, or a node has not the inputs or outputs of its operator.
    UnsupportedOperatorError : names every operator of the graph that is not supported, and its first node.
    AttributeParseError : if an operator's parameter is unknown or malformed; names the node.
    """
    return _symbol(parse_symbol_json(text, source), source)


def _symbol(raw: RawGraph, source: str) -> Symbol:
    operators = _operators(raw)
    nodes: list[Node] = []
    for number, item in enumerate(raw.nodes):
        entries = [(nodes[n], i) for n, i in item.inputs]
        op = operators[item.op] if item.op is not None else None
        path = f"{source}: node {number} {item.name!r}, body "
        bodies = [_symbol(body, f"{path}{i}") for i, body in enumerate(item.subgraphs)]
        node = Node(op, item.name, dict(item.attrs), entries, bodies)
        nodes.append(node)
        if op is not None:
            _check_node(node, op, f"{source}: node {number} {item.name!r}")
    for number, i in raw.heads:
        _check_output((nodes[number], i), f"{source}: head")
    return Symbol([(nodes[number], i) for number, i in raw.heads])


def _operators(raw: RawGraph) -> dict[str, Operator]:
    """The operators by name. All that are missing go into one error, each with its first node."""
    found: dict[str, Operator] = {}
    missing: dict[str, str] = {}
    hints: list[str] = []
    for node in raw.nodes:
        if node.op is None or node.op in found or node.op in missing:
            continue
        try:
            found[node.op] = find(node.op, node.name)
        except UnsupportedOperatorError as error:
            missing[node.op] = node.name
            hints = hints or error.hints
    if missing:
        raise UnsupportedOperatorError(missing.items(), hints)
    return found


def _check_node(node: Node, op: Operator, where: str) -> None:
    unknown = op.unknown(node.attrs)
    if unknown:
        raise AttributeParseError(
            f"{where}: operator {op.name} has no parameter {unknown[0]!r}; it has {', '.join(op.params)}"
        )
    try:
        attrs = node.parsed
    except AttributeParseError as error:
        raise AttributeParseError(f"{where}: {error}") from error
    count = len(node.inputs)
    if op.variadic is None:
        names = op.argument_names(attrs, count)
        fits, expected = len(names) == count, f"{len(names)} inputs ({', '.join(names)})"
    else:
        stated = getattr(attrs, op.num_args) - op.bodies if op.num_args else count
        fits, expected = stated == count, f"{op.num_args} = {stated} inputs"
    if not fits:
        raise FormatError(f"{where}: operator {op.name} expects {expected}, found {count}")
    _check_bodies(node, op, where)
    for i, entry in enumerate(node.inputs):
        _check_output(entry, f"{where}: input {i}")


def _check_bodies(node: Node, op: Operator, where: str) -> None:
    """Raise unless a node has the bodies of its operator, connected as its parameters say."""
    if len(node.bodies) != op.bodies:
        raise FormatError(
            f"{where}: operator {op.name} expects {op.bodies} subgraphs, found {len(node.bodies)}"
        )
    if not isinstance(op, ControlOperator):
        return
    try:
        wirings = op.wiring(node.parsed)
    except (AttributeParseError, IndexError) as error:
        raise FormatError(f"{where}: {error}") from error
    for i, (body, wiring) in enumerate(zip(node.bodies, wirings, strict=True)):
        counts = len(body.list_inputs()), len(body.heads)
        expected = len(wiring.inputs), len(wiring.outputs)
        if counts != expected:
            raise FormatError(
                f"{where}: subgraph {i} has {counts[0]} inputs and {counts[1]} outputs, expected {expected[0]} and "
                f"{expected[1]}"
            )
        if any(not 0 <= w.place < len(node.inputs) for w in wiring.inputs):
            raise FormatError(f"{where}: subgraph {i} reads an input that the node does not have")


def _check_output(entry: tuple[Node, int], where: str) -> None:
    node, i = entry
    count = 1 if node.op is None else node.op.outputs(node.parsed)
    if i >= count:
        raise FormatError(f"{where} is output {i} of {node.name!r}, which has {count}")
