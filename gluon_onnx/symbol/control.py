"""Control flow of symbols: what a Python function makes becomes the body of an operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..graph.ops.registry import find
from ..graph.scopes import AttrScope, current_attributes, current_names
from ..graph.symbol import Entry, Node
from .register import function
from .symbol import Symbol, var

__all__ = ["cond", "foreach", "while_loop"]

_MARK = "__subgraph_name__"  # MXNet marks the nodes of a body with it


def _symbols(values: Any, what: str) -> tuple[list[Symbol], Any]:
    """Symbols in nested lists, and the structure to put them back into."""
    from ..gluon.structure import flatten

    flat, structure = flatten(values, what)
    if not all(isinstance(x, Symbol) for x in flat):
        raise AssertionError(f"{what} must be (nested lists of) Symbols")
    return flat, structure


def _grouped(flat: Sequence[Any], structure: Any) -> Any:
    from ..gluon.structure import regroup

    return regroup(flat, structure)[0]


def _variables(symbols: Sequence[Symbol]) -> list[Symbol]:
    """Variables of a body that stand for outer symbols; MXNet names them so."""
    return [var(_variable_name(s)) for s in symbols]


def _variable_name(s: Symbol) -> str:
    return f"{s.name}-{s.heads[0][1]}"


class _Traced:
    """A body: the graph that a function makes of variables, cut from the graph around it.

    Parameters
    ----------
    function : called in a scope that marks what it makes; returns what `self.extra` keeps, and the body's outputs.

    Attributes
    ----------
    body : the graph by itself.
    outer : the entries of the graph around it that its variables stand for, by name.
    """

    def __init__(self, name: str, function: Callable[[], tuple[Any, list[Symbol]]]) -> None:
        around = current_attributes().get({}).get(_MARK, "")
        stem = f"{around}${name}" if around else name
        self._name = f"{stem}{AttrScope._subgraph_names[stem]}"
        AttrScope._subgraph_names[stem] += 1
        with AttrScope(**{_MARK: self._name}):
            self.extra, outputs = function()
            inputs = {n for s in outputs for n in s.list_inputs()}
            seen: set[Entry] = set()
            heads = []
            for s in outputs:
                if s.name in inputs or not self._is_inside(s.heads[0][0]) or s.heads[0] in seen:
                    s = _identity(s)
                seen.add(s.heads[0])
                heads.append(s.heads[0])
        self.outer: dict[str, Entry] = {}
        self.body = self._cut(heads)

    def _is_inside(self, node: Node) -> bool:
        return node.op is not None and node.attrs.get(_MARK) == self._name

    def _cut(self, heads: Sequence[Entry]) -> Symbol:
        copies: dict[Node, Node] = {}
        named: dict[str, Node] = {}

        def moved(entry: Entry) -> Entry:
            node, i = entry
            if self._is_inside(node):
                return copies[node], i
            name = node.output_names()[i]
            if name not in named:
                named[name] = Node(None, name, dict(node.attrs) if node.op is None else {})
                self.outer[name] = entry
            elif self.outer[name] != entry:
                raise ValueError(f"the body of a control-flow operator reads two values named {name!r}")
            return named[name], 0

        for node in _inner_nodes(heads, self._is_inside):
            entries = [moved(e) for e in node.inputs]
            copies[node] = Node(node.op, node.name, dict(node.attrs), entries, node.bodies)
        return Symbol([moved(e) for e in heads])


def _identity(s: Symbol) -> Symbol:
    result: Symbol = function("identity")(s)
    return result


def _inner_nodes(heads: Sequence[Entry], inside: Callable[[Node], bool]) -> list[Node]:
    """Nodes of a body, inputs first."""
    order: dict[Node, None] = {}
    stack = [(node, 0) for node, _ in reversed(heads) if inside(node)]
    while stack:
        node, i = stack.pop()
        if node in order:
            continue
        if i < len(node.inputs):
            stack.append((node, i + 1))
            source = node.inputs[i][0]
            if inside(source) and source not in order:
                stack.append((source, 0))
        else:
            order[node] = None
    return list(order)


def _made(name: str, inputs: Sequence[Entry], bodies: Sequence[_Traced], **params: Any) -> Symbol:
    """A node of the control-flow operator called `name`."""
    attrs = {k: str(v) for k, v in params.items()}
    attrs["num_args"] = str(len(inputs) + len(bodies))
    attrs.update(current_attributes().get({}))
    node = Node(find(name), current_names().get(None, name), attrs, inputs, [b.body for b in bodies])
    return Symbol([(node, i) for i in range(node.visible)])


def _entry(s: Symbol, what: str) -> Entry:
    if len(s.heads) != 1:
        raise ValueError(f"{what}: expected symbols of one output, got one with {len(s.heads)}")
    return s.heads[0]


def foreach(body: Callable[..., Any], data: Any, init_states: Any, name: str = "foreach") -> tuple[Any, Any]:
    """Run ``body(items, states)`` once for each item along the first axis of the data.

    Parameters
    ----------
    body : returns (outputs, states): nested lists of symbols. Called once, with variables.
    data : a symbol, or (nested) lists of symbols.
    init_states : the states that the first step gets.

    Returns
    -------
    (outputs, states) : the outputs of all steps, stacked along a new first axis, and the last states.

    Raises
    ------
    AssertionError : the structure of the states changes, or `body` does not use an item or a state.
    """
    sequences, data_structure = _symbols(data, "foreach: data")
    states, structure = _symbols(init_states, "foreach: init_states")

    def run() -> tuple[Any, list[Symbol]]:
        items, starts = _variables(sequences), _variables(states)
        outputs, new = body(_grouped(items, data_structure), _grouped(starts, structure))
        flat, layout = _symbols(outputs, "foreach: outputs")
        flat_states, found = _symbols(new, "foreach: states")
        if found != structure:
            raise AssertionError(
                "foreach: the states that body returns have not the structure of init_states"
            )
        return (layout, len(flat)), [*flat, *flat_states]

    traced = _Traced(name, run)
    layout, count = traced.extra
    order = traced.body.list_inputs()
    places = {}
    for what, symbols in (("data", sequences), ("state", states)):
        names = [_variable_name(s) for s in symbols]
        for n in names:
            if n not in order:
                raise AssertionError(f"foreach: body does not use the {what} {n.rpartition('-')[0]!r}")
        places[what] = [order.index(n) for n in names]
    used = {*places["data"], *places["state"]}
    remain = [i for i in range(len(order)) if i not in used]
    inputs = [_entry(s, "foreach") for s in (*sequences, *states)] + [traced.outer[order[i]] for i in remain]
    result = list(
        _made(
            "_foreach",
            inputs,
            [traced],
            num_outputs=count + len(states),
            num_out_data=count,
            in_state_locs=places["state"],
            in_data_locs=places["data"],
            remain_locs=remain,
        )
    )
    return _grouped(result[:count], layout), _grouped(result[count:], structure)


def while_loop(
    cond: Callable[..., Any],
    func: Callable[..., Any],
    loop_vars: Any,
    max_iterations: int | None = None,
    name: str = "while_loop",
) -> tuple[Any, Any]:
    """Run ``func(*loop_vars)`` as long as ``cond(*loop_vars)`` is true.

    Parameters
    ----------
    func : returns (outputs, new loop_vars). It and `cond` are called once, with variables.
    max_iterations : most steps; also the length of the stacked outputs.

    Returns
    -------
    (outputs, loop_vars) : the outputs of all steps along a new first axis of length `max_iterations`, with zeros
        for steps that were not made, and the last variables.

    Raises
    ------
    ValueError : `max_iterations` is missing, there are no variables, their number changes, or one is not used.
    """
    if max_iterations is None:
        raise ValueError("while_loop: max_iterations must be given")
    try:
        limit = int(max_iterations)
    except (TypeError, ValueError) as e:
        raise ValueError(f"while_loop: max_iterations: expected a number, got {max_iterations!r}") from e
    flat, structure = _symbols(loop_vars, "while_loop: loop_vars")
    if not flat:
        raise ValueError("while_loop: loop_vars must have at least one element")

    def variables() -> Any:
        grouped = _grouped(_variables(flat), structure)
        return [grouped] if isinstance(grouped, Symbol) else grouped

    def asked() -> tuple[Any, list[Symbol]]:
        result = cond(*variables())
        if not isinstance(result, Symbol):
            raise ValueError(f"while_loop: cond must return a Symbol, got {type(result).__name__}")
        return None, [result]

    def done() -> tuple[Any, list[Symbol]]:
        outputs, new = func(*variables())
        values, layout = _symbols([] if outputs is None else outputs, "while_loop: outputs")
        after = _symbols([] if new is None else new, "while_loop: loop_vars")[0]
        if len(after) != len(flat):
            raise ValueError(f"while_loop: func returned {len(after)} loop_vars, expected {len(flat)}")
        return (layout, len(values)), [*values, *after]

    asks, does = _Traced(f"{name}_cond", asked), _Traced(f"{name}_func", done)
    named = {_variable_name(s): _entry(s, "while_loop") for s in flat}
    inputs, (asks_places, does_places) = _union([asks, does], named)
    order = does.body.list_inputs()
    unused = [n for n in named if n not in order]
    if unused:
        raise ValueError(
            f"while_loop: func does not use the loop_vars {[n.rpartition('-')[0] for n in unused]}"
        )
    layout, count = does.extra
    result = list(
        _made(
            "_while_loop",
            inputs,
            [asks, does],
            max_iterations=limit,
            cond_input_locs=asks_places,
            func_input_locs=does_places,
            func_var_locs=[order.index(_variable_name(s)) for s in flat],
            num_out_data=count,
            num_outputs=count + len(flat),
        )
    )
    return _grouped(result[:count], layout), _grouped(result[count:], structure)


def _union(bodies: Sequence[_Traced], named: dict[str, Entry]) -> tuple[list[Entry], list[list[int]]]:
    """The entries that bodies read, each once, and the place of each input of each body among them.

    Parameters
    ----------
    named : entries that variables of these names stand for. One that a body also reads under its own name is listed
        once more, because the variables change.
    """
    places: dict[tuple[str, Entry], int] = {}
    rows = []
    for traced in bodies:
        keys = [(n, named[n]) if n in named else ("", traced.outer[n]) for n in traced.body.list_inputs()]
        rows.append([places.setdefault(k, len(places)) for k in keys])
    return [entry for _, entry in places], rows


def cond(pred: Symbol, then_func: Callable[[], Any], else_func: Callable[[], Any], name: str = "cond") -> Any:
    """The results of ``then_func()`` where `pred`, of one element, is not zero, else of ``else_func()``.

    Both functions are called once; of the operator that results only one branch runs.

    Raises
    ------
    ValueError : the two functions return different numbers of symbols, or `pred` has several outputs.
    """

    def traced(part: str, make: Callable[[], Any]) -> _Traced:
        def run() -> tuple[Any, list[Symbol]]:
            flat, layout = _symbols(make(), f"cond: {part}")
            return layout, flat

        return _Traced(f"{name}_{part}", run)

    asks = traced("pred", lambda: pred)
    if len(asks.body.heads) != 1:
        raise ValueError(f"cond: expected a pred of one output, got {len(asks.body.heads)}")
    yes, no = traced("then", then_func), traced("else", else_func)
    counts = [len(t.body.heads) for t in (yes, no)]
    if counts[0] != counts[1]:
        raise ValueError(f"cond: then_func returned {counts[0]} symbols, else_func {counts[1]}")
    inputs, (asks_places, yes_places, no_places) = _union([asks, yes, no], {})
    result = _made(
        "_cond",
        inputs,
        [asks, yes, no],
        cond_input_locs=asks_places,
        then_input_locs=yes_places,
        else_input_locs=no_places,
        num_outputs=counts[0],
    )
    return _grouped(list(result), yes.extra)
