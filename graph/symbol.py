"""Symbols: graphs of MXNet operators with MXNet's names."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from .errors import ArgumentError, GraphError
from .ops.registry import Operator, find
from .ops.schema import Attrs, format_value
from .scopes import current_attributes, current_names

__all__ = ["Entry", "Node", "Symbol", "compose", "topological_order"]


class Node:
    """A variable (``op is None``) or an operator call.

    Attributes
    ----------
    attrs : string attributes: the operator's parameters as given, and the user's own.
    inputs : (node, output number) pairs.
    bodies : what a control-flow operator runs.
    """

    __slots__ = ("_parsed", "attrs", "bodies", "inputs", "name", "op")

    def __init__(
        self,
        op: Operator | None,
        name: str,
        attrs: dict[str, str],
        inputs: Sequence[Entry] = (),
        bodies: Sequence[Symbol] = (),
    ) -> None:
        self.op = op
        self.name = name
        self.attrs = attrs
        self.inputs = list(inputs)
        self.bodies = tuple(bodies)
        self._parsed: Attrs | None = None

    @property
    def parsed(self) -> Attrs:
        """The operator's parameters in Python form."""
        if self._parsed is None:
            assert self.op is not None
            self._parsed = self.op.parse({k: v for k, v in self.attrs.items() if k in self.op.params})
        return self._parsed

    def set_attr(self, key: str, value: str) -> None:
        """Set one string attribute."""
        self.attrs[key] = value
        self._parsed = None

    def argument_names(self) -> list[str]:
        """The names that the inputs go by."""
        assert self.op is not None
        return self.op.argument_names(self.parsed, len(self.inputs))

    def output_names(self) -> list[str]:
        """Full names of all outputs."""
        if self.op is None:
            return [self.name]
        if self.op.names_outputs:
            return self.op.output_names(self.parsed)
        return [f"{self.name}_{suffix}" for suffix in self.op.output_names(self.parsed)]

    @property
    def visible(self) -> int:
        return 1 if self.op is None else self.op.visible(self.parsed)

    def shown(self) -> list[int]:
        """Numbers of the outputs that a caller sees."""
        if self.op is not None and self.op.names_outputs:
            return [i for i, name in enumerate(self.output_names()) if name]
        return list(range(self.visible))

    def __repr__(self) -> str:
        return f"<Node {self.op.name if self.op else 'null'} {self.name!r}>"


Entry = tuple[Node, int]


def topological_order(heads: Iterable[Entry]) -> list[Node]:
    """All nodes that `heads` need, inputs first, in depth-first order. Works for graphs of any depth."""
    order: list[Node] = []
    done: set[Node] = set()
    stack: list[tuple[Node, int]] = [(node, 0) for node, _ in reversed(list(heads))]
    while stack:
        node, i = stack.pop()
        if node in done:
            continue
        if i < len(node.inputs):
            stack.append((node, i + 1))
            if node.inputs[i][0] not in done:
                stack.append((node.inputs[i][0], 0))
        else:
            done.add(node)
            order.append(node)
    return order


class Symbol:
    """One or several outputs of a graph.

    Subclasses keep their class through every method that returns a symbol.
    """

    __slots__ = ("heads",)

    def __init__(self, heads: Sequence[Entry]) -> None:
        self.heads: list[Entry] = list(heads)

    # -- structure -------------------------------------------------------------------------------
    def nodes(self) -> list[Node]:
        """All nodes, inputs first."""
        return topological_order(self.heads)

    def _auxiliary(self, nodes: Sequence[Node]) -> set[Node]:
        aux = set()
        for node in nodes:
            if node.op is not None and node.op.aux:
                for name, (source, _) in zip(node.argument_names(), node.inputs, strict=False):
                    if name in node.op.aux and source.op is None:
                        aux.add(source)
        return aux

    def inputs(self) -> tuple[list[Node], list[Node]]:
        """Variables that are arguments and variables that are auxiliary states, in depth-first order."""
        nodes = self.nodes()
        aux = self._auxiliary(nodes)
        variables = [n for n in nodes if n.op is None]
        return [v for v in variables if v not in aux], [v for v in variables if v in aux]

    def list_arguments(self) -> list[str]:
        """Names of the arguments."""
        return [v.name for v in self.inputs()[0]]

    def list_auxiliary_states(self) -> list[str]:
        """Names of the auxiliary states."""
        return [v.name for v in self.inputs()[1]]

    def list_labels(self) -> list[str]:
        """Names of the variables that only gradients read: the labels of loss layers, in depth-first order."""
        read: set[Node] = {node for node, _ in self.heads}
        labels: dict[Node, None] = {}
        for node in self.nodes():
            if node.op is not None:
                for name, (source, _) in zip(node.argument_names(), node.inputs, strict=False):
                    if name not in node.op.labels:
                        read.add(source)
                    elif source.op is None:
                        labels[source] = None
        return [node.name for node in labels if node not in read]

    def list_inputs(self) -> list[str]:
        """Names of arguments and auxiliary states, in depth-first order."""
        return [n.name for n in self.nodes() if n.op is None]

    @property
    def stochastic(self) -> bool:
        """Whether an operator of the graph, or of a body in it, draws random numbers."""
        return any(
            n.op is not None and (n.op.stochastic or any(b.stochastic for b in n.bodies))
            for n in self.nodes()
        )

    def list_outputs(self) -> list[str]:
        """Names of the outputs."""
        return [node.output_names()[i] for node, i in self.heads]

    @property
    def num_outputs(self) -> int:
        return len(self.heads)

    @property
    def name(self) -> str | None:
        """The name of the single node behind this symbol; None for a group."""
        return self.heads[0][0].name if len({node for node, _ in self.heads}) == 1 else None

    def get_internals(self) -> Self:
        """A group of all outputs of all nodes."""
        return type(self)([(n, i) for n in self.nodes() for i in n.shown()])

    def get_children(self) -> Self | None:
        """A group of the inputs of this symbol's nodes; None for a variable."""
        entries = [e for node in dict.fromkeys(n for n, _ in self.heads) for e in node.inputs]
        return type(self)(entries) if entries else None

    def __len__(self) -> int:
        return len(self.heads)

    def __iter__(self) -> Iterator[Self]:
        return (type(self)([h]) for h in self.heads)

    def __getitem__(self, index: int | str | slice) -> Self:
        if isinstance(index, slice):
            return type(self)(self.heads[index])
        if isinstance(index, str):
            found = [i for i, name in enumerate(self.list_outputs()) if name == index]
            if len(found) != 1:
                raise ValueError(
                    f"expected one output named {index!r}, found {len(found)} among {self.list_outputs()}"
                )
            index = found[0]
        if not -len(self.heads) <= index < len(self.heads):
            raise IndexError(f"output {index} of a symbol with {len(self.heads)} outputs")
        return type(self)([self.heads[index]])

    # -- attributes --------------------------------------------------------------------------------
    def attr(self, key: str) -> str | None:
        """The value of attribute `key`, or None. Hidden keys (``__lr_mult__``) are found without underscores."""
        attrs = self.heads[0][0].attrs
        return attrs.get(key, attrs.get(f"__{key}__"))

    def list_attr(self, recursive: bool = False) -> dict[str, str]:
        """All attributes of this symbol's node.

        Raises
        ------
        DeprecationWarning : those of all nodes are asked for; `attr_dict` has them.
        """
        if recursive:
            raise DeprecationWarning("list_attr of all nodes is deprecated: use attr_dict()")
        return _public(self.heads[0][0].attrs)

    def attr_dict(self) -> dict[str, dict[str, str]]:
        """Attributes of every node that has any, by name."""
        return {n.name: _public(n.attrs) for n in self.nodes() if n.attrs}

    def _set_attr(self, **kwargs: str) -> None:
        for key, value in kwargs.items():
            if not isinstance(value, str):
                raise ValueError(f"attribute {key!r}: expected a string, got {value!r}")
            for node in dict.fromkeys(n for n, _ in self.heads):
                node.set_attr(key, value)

    # -- composition ---------------------------------------------------------------------------------
    def substitute(self, replace: Mapping[Node, Entry]) -> Self:
        """A copy in which variables are replaced; nodes are copied, other variables too."""
        copies: dict[Node, Node] = {}
        for node in self.nodes():
            if node in replace:
                continue
            entries = [replace[n] if n in replace else (copies[n], i) for n, i in node.inputs]
            copies[node] = Node(node.op, node.name, dict(node.attrs), entries, node.bodies)
        return type(self)([replace[n] if n in replace else (copies[n], i) for n, i in self.heads])

    def __copy__(self) -> Self:
        return self.substitute({})

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self.substitute({})

    def __call__(self, *args: Symbol, name: str | None = None, **kwargs: Symbol) -> Self:
        """Compose: give symbols for this symbol's variables, by position or by name.

        Raises
        ------
        TypeError : an argument is not a Symbol, or both ways are mixed.
        GraphError : a name is not one of the arguments.
        """
        if args and kwargs:
            raise TypeError("compose takes symbols either by position or by name, not both")
        for value in (*args, *kwargs.values()):
            if not isinstance(value, Symbol):
                raise TypeError(f"compose expects Symbols, got {type(value).__name__}")
        variables = [n for n in self.nodes() if n.op is None]
        if args:
            if len(args) > len(variables):
                raise GraphError(
                    f"compose got {len(args)} symbols for the {len(variables)} arguments {self.list_inputs()}"
                )
            replace = {v: a.heads[0] for v, a in zip(variables, args, strict=False)}
        else:
            by_name = {v.name: v for v in variables}
            unknown = [k for k in kwargs if k not in by_name]
            if unknown:
                raise GraphError(f"compose got unknown arguments {unknown}; expected some of {list(by_name)}")
            replace = {by_name[k]: v.heads[0] for k, v in kwargs.items()}
        result = self.substitute(replace)
        if name and len(result.heads) == 1:
            result.heads[0][0].name = name
        return result


def _public(attrs: Mapping[str, str]) -> dict[str, str]:
    """Attributes as users see them: hidden keys (``__lr_mult__``) also go by their plain names."""
    plain = {k.strip("_"): v for k, v in attrs.items() if k.strip("_") in _HIDDEN and k.startswith("__")}
    return {**plain, **attrs}


def compose(
    cls: type[Symbol],
    called: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    name: str | None = None,
    attr: Mapping[str, str] | None = None,
    hint: str | None = None,
) -> Symbol:
    """Apply the operator called `called` to symbols; missing inputs become variables.

    Parameters
    ----------
    args : input symbols in order, then parameters in order.
    kwargs : inputs and parameters by name.
    attr : the node's own attributes, over those of the attribute scope.
    hint : stem of an automatic name; `called` in lower case by default.

    Raises
    ------
    TypeError : an input is not a Symbol.
    AttributeParseError, GraphError : a parameter is unknown or malformed.
    """
    op = find(called)
    marks = {
        k: str(v) for k, v in kwargs.items() if (k.startswith("__") and k.endswith("__")) or k in _HIDDEN
    }
    kwargs = {k: v for k, v in kwargs.items() if k not in marks}
    positional, named, params = bind_arguments(op, called, args, kwargs, Symbol)
    if op.variadic is not None and op.num_args:
        params.setdefault(op.num_args, len(positional))
    attrs = op.parse(params)
    name = current_names().get(name, op_hint(hint or called))
    user = current_attributes().get({**marks, **(attr or {})})
    strings = {k: format_value(v) for k, v in params.items() if v is not None or op.params[k].optional}
    strings.update({_hidden(k): v for k, v in user.items()})
    arguments = op.argument_names(attrs)

    def missing(argument: str) -> Entry:
        return Node(None, f"{name}_{argument}", dict(strings)), 0  # MXNet gives it the operator's attributes

    if op.variadic is not None:
        entries = [head for s in positional for head in s.heads]
        entries += [missing(k) for k in arguments[len(entries) :]]
    else:
        check_count(op, called, positional, arguments)
        for k, s in zip(op.positions(attrs), positional, strict=False):
            named.setdefault(k, s)
        entries = [_single(named[k], op, k) if k in named else missing(k) for k in arguments]
    for k, (source, _) in zip(arguments, entries, strict=False):
        if source.op is None and k in op.inits:
            source.attrs.setdefault("__init__", op.inits[k])
    node = Node(op, name, strings, entries)
    return cls([(node, i) for i in range(node.visible)])


_HIDDEN = ("ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage", "weight_lr_mult")


def _hidden(key: str) -> str:
    return f"__{key}__" if key in _HIDDEN else key


def op_hint(called: str) -> str:
    """The stem of automatic names of the operator called `called`."""
    return called.lower()


def _single(symbol: Symbol, op: Operator, name: str) -> Entry:
    if len(symbol.heads) != 1:
        raise GraphError(
            f"operator {op.name}: argument {name!r} has {len(symbol.heads)} outputs, expected one"
        )
    return symbol.heads[0]


def check_count(op: Operator, called: str, positional: Sequence[Any], present: Sequence[str]) -> None:
    """Raise ArgumentError where more inputs are given than are present under the parameters."""
    if len(positional) > len(present):
        raise ArgumentError(
            f"operator {called}: got {len(positional)} inputs, expected {len(present)}: {', '.join(present)}"
        )


def bind_arguments(
    op: Operator, called: str, args: Sequence[Any], kwargs: Mapping[str, Any], tensor: type
) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """Sort a call's arguments into positional inputs, named inputs and parameters.

    Inputs are instances of `tensor`; parameters follow inputs in the order of declaration.

    Raises
    ------
    ArgumentError : an argument is neither, unknown, or there are too many. Unknown ones of an operator that has no
        parameters are ignored, with a warning.
    """
    positional: list[Any] = []
    named: dict[str, Any] = {}
    params: dict[str, Any] = {}
    if op.variadic is not None:
        if len(args) == 1 and isinstance(args[0], list | tuple):
            args = args[0]
        if op.variadic in kwargs and not args:
            given = kwargs[op.variadic]
            args = given if isinstance(given, list | tuple) else [given]
            kwargs = {k: v for k, v in kwargs.items() if k != op.variadic}
    rest = iter(op.params)
    for i, a in enumerate(args):
        if isinstance(a, tensor):
            positional.append(a)
        elif op.variadic is None and i < len(op.inputs) and a is None:
            continue
        elif (op.variadic is None and i >= len(op.inputs)) or (
            op.variadic is None
            and not isinstance(a, np.ndarray)
            and i >= len(positional)
            and i >= _required(op)
        ):
            key = next(rest, None)
            if key is None:
                raise ArgumentError(f"operator {called}: too many positional arguments ({len(args)})")
            params[key] = a
        else:
            what = op.variadic or op.inputs[i]
            raise ArgumentError(
                f"operator {called}: argument {what!r} must be {tensor.__name__}, got {type(a).__name__}"
            )
    for key, value in kwargs.items():
        if isinstance(value, tensor):
            if key not in op.inputs and op.variadic is None:
                raise ArgumentError(
                    f"operator {called}: unknown argument {key!r}; inputs are {list(op.inputs)}"
                )
            if op.variadic is not None:
                positional.append(value)
            else:
                named[key] = value
        elif key in op.inputs:
            if value is not None:
                raise ArgumentError(
                    f"operator {called}: argument {key!r} must be {tensor.__name__}, got {type(value).__name__}"
                )
        elif key in op.params:
            params[key] = value
        elif not op.params:
            warnings.warn(
                f"operator {called} has no parameters: argument {key!r} is ignored, as MXNet does",
                stacklevel=4,
            )
        else:
            raise ArgumentError(
                f"operator {called}: cannot find argument {key!r}; possible arguments: "
                f"{', '.join([*op.inputs, *op.params])}"
            )
    return positional, named, params


def _required(op: Operator) -> int:
    return len([n for n in op.inputs if n not in op.optional])
