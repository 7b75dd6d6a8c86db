"""Control flow: a loop over first axes, a loop with a condition, a branch. Their bodies are Symbols of their own.

An operator's wiring says which of its inputs each input of a body is, and which of its outputs each output of a body
is. Inference and lowering both follow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import onnx_ir as ir

from ..builder import Builder, Tensor
from ..dims import DimLike
from ..errors import AttributeParseError, GraphError, ShapeError
from ..loops import scan
from ..random import draw_key, step_key
from ..ranges import numbers
from .registry import Operator, operator
from .schema import Attrs, Ints

__all__ = ["Body", "BodyWiring", "ControlOperator", "Wire"]


class Wire(NamedTuple):
    """Where a body's input comes from, or its output goes to.

    Attributes
    ----------
    place : number of the operator's input or output.
    along : the body has one item of its first axis.
    """

    place: int
    along: bool = False


class BodyWiring(NamedTuple):
    """How one body is connected.

    Attributes
    ----------
    inputs : of each input of the body.
    outputs : of each output of the body; None for outputs that go nowhere.
    states : (number of a body's output, number of the operator's input) of the values that have one shape and type.
    """

    inputs: list[Wire]
    outputs: list[Wire | None]
    states: list[tuple[int, int]]


class Body(Protocol):
    """A body that can be emitted.

    Attributes
    ----------
    stochastic : whether it draws random numbers.
    """

    stochastic: bool

    def __call__(self, g: Builder, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Emit the nodes; the results."""


class ControlOperator(Operator):
    """An operator whose nodes have bodies.

    Attributes
    ----------
    bodies : their number. MXNet counts them in `num_args`, before the inputs.
    """

    bodies: int
    wiring: Callable[[Attrs], list[BodyWiring]]
    emit: Callable[[Builder, Sequence[Tensor], Attrs, Sequence[Body]], tuple[Tensor, ...]]

    def lower(
        self,
        g: Builder,
        inputs: Sequence[Tensor],
        attrs: Attrs,
        names: Sequence[str],
        dynamic: Mapping[str, Any] | None = None,
    ) -> tuple[Tensor, ...]:
        raise GraphError(f"operator {self.name}: a node without its {self.bodies} bodies")

    def lower_bodies(
        self, g: Builder, inputs: Sequence[Tensor], attrs: Attrs, bodies: Sequence[Body]
    ) -> tuple[Tensor, ...]:
        """Emit ONNX nodes for one call."""
        return self.emit(g, inputs, attrs, bodies)

    def length(self, attrs: Attrs) -> int | None:
        """The length of the first axis of results with one item for each step, where the parameters tell."""
        return None


def _control(name: str, bodies: int) -> Callable[[Callable[..., Any]], ControlOperator]:
    """Register the decorated function as MXNet's operator `name`: ``function(g, inputs, attrs, bodies)``."""

    def register(declared: Callable[..., Any]) -> ControlOperator:
        plain = operator(name, outputs=lambda a: a.num_outputs, kind=ControlOperator)(declared)
        assert isinstance(plain, ControlOperator)
        plain.bodies = bodies
        plain.num_args = "num_args"
        return plain

    return register


def _positions(what: str, values: Sequence[int], count: int) -> Sequence[int]:
    """`values`, which are numbers below `count`.

    Raises
    ------
    AttributeParseError : they are not.
    """
    if any(not 0 <= v < count for v in values):
        raise AttributeParseError(f"parameter {what!r}: expected numbers below {count}, got {tuple(values)}")
    return values


# -- foreach -------------------------------------------------------------------------------------------------


@_control("_foreach", 1)
def foreach(
    g: Builder,
    *data: Tensor,
    num_args: int,
    num_outputs: int,
    num_out_data: int,
    in_state_locs: Ints,
    in_data_locs: Ints,
    remain_locs: Ints,
) -> tuple[Tensor, ...]:
    """_foreach(fn, *data, num_outputs, num_out_data, in_state_locs, in_data_locs, remain_locs)

    Runs the body `fn` once for each item along the first axis of the data. It takes the items, the states and the
    other inputs, in the order that the positions say, and returns `num_out_data` results, which are stacked, then the
    new states. The results are the stacked ones and the last states.
    """
    raise GraphError("operator _foreach: a node without its body")


def _foreach_wiring(a: Attrs) -> list[BodyWiring]:
    order = [*a.in_data_locs, *a.in_state_locs, *a.remain_locs]
    inputs = [Wire(-1)] * len(order)
    for place, position in enumerate(_positions("in_data_locs and others", order, len(order))):
        inputs[position] = Wire(place, place < len(a.in_data_locs))
    outputs: list[Wire | None] = [Wire(i, i < a.num_out_data) for i in range(a.num_outputs)]
    first = len(a.in_data_locs)
    return [
        BodyWiring(inputs, outputs, [(a.num_out_data + i, first + i) for i in range(len(a.in_state_locs))])
    ]


def _foreach_emit(
    g: Builder, inputs: Sequence[Tensor], a: Attrs, bodies: Sequence[Body]
) -> tuple[Tensor, ...]:
    (body,), (wiring,) = bodies, _foreach_wiring(a)
    items, count = len(a.in_data_locs), len(a.in_state_locs)
    sequences, states, rest = inputs[:items], inputs[items : items + count], inputs[items + count :]
    if not sequences:
        raise ShapeError("there is no data to run over")

    def step(b: Builder, arguments: Sequence[Tensor]) -> list[Tensor]:
        parts = [
            t if t.dims else b.reshape(t, (1,)) for t in arguments[count:]
        ]  # MXNet has no arrays without axes
        outer = [*parts, *arguments[:count], *rest]
        results = body(b, [outer[w.place] for w in wiring.inputs])
        return [*results[a.num_out_data :], *results[: a.num_out_data]]

    last, stacked = _stepped(g, step, states, sequences, sequences[0].dims[0], body.stochastic)
    return (*stacked, *last)


def _stepped(
    g: Builder,
    step: Callable[[Builder, Sequence[Tensor]], list[Tensor]],
    states: Sequence[Tensor],
    sequences: Sequence[Tensor],
    length: DimLike,
    stochastic: bool,
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """A scan of `step(builder, states and items)`, whose random draws differ from step to step."""
    if not stochastic:
        return scan(g, lambda b, *arguments: step(b, arguments), states, sequences)
    key, counter = draw_key(g), numbers(g, length, np.int64)

    def drawing(b: Builder, *arguments: Tensor) -> list[Tensor]:
        b.random_base = step_key(b, key, arguments[-1])
        return step(b, arguments[:-1])

    return scan(g, drawing, states, [*sequences, counter])


# -- while_loop ----------------------------------------------------------------------------------------------


@_control("_while_loop", 2)
def while_loop(
    g: Builder,
    *data: Tensor,
    num_args: int,
    num_outputs: int,
    num_out_data: int,
    max_iterations: int,
    cond_input_locs: Ints,
    func_input_locs: Ints,
    func_var_locs: Ints,
) -> tuple[Tensor, ...]:
    """_while_loop(cond, func, *data, num_outputs, num_out_data, max_iterations, cond_input_locs, func_input_locs,
    func_var_locs)

    Runs `func` as long as `cond` gives something else than zero, at most `max_iterations` times. `func` returns
    `num_out_data` results, which are stacked, with zeros for the steps that were not made, then new values of the
    loop's variables. The results are the stacked ones and the last values.
    """
    raise GraphError("operator _while_loop: a node without its bodies")


def _while_wiring(a: Attrs) -> list[BodyWiring]:
    cond = BodyWiring([Wire(p) for p in a.cond_input_locs], [None], [])
    variables = [
        a.func_input_locs[v] for v in _positions("func_var_locs", a.func_var_locs, len(a.func_input_locs))
    ]
    outputs: list[Wire | None] = [Wire(i, i < a.num_out_data) for i in range(a.num_outputs)]
    states = [(a.num_out_data + i, place) for i, place in enumerate(variables)]
    return [cond, BodyWiring([Wire(p) for p in a.func_input_locs], outputs, states)]


def _while_emit(g: Builder, inputs: Sequence[Tensor], a: Attrs, bodies: Sequence[Body]) -> tuple[Tensor, ...]:
    """A scan over all steps that there can be, each of which is a branch: unlike ONNX's Loop it has a gradient."""
    (cond, func), (asks, does) = bodies, _while_wiring(a)
    places = [place for _, place in does.states]

    def step(b: Builder, arguments: Sequence[Tensor]) -> list[Tensor]:
        active, *variables = arguments[: 1 + len(places)]
        outer = list(inputs)
        for place, value in zip(places, variables, strict=True):
            outer[place] = value
        going = b.op("And", active, _true(b, cond(b, [outer[w.place] for w in asks.inputs])[0]))

        def run(inner: Builder) -> list[Tensor]:
            inner.random_base = b.random_base
            return func(inner, [outer[w.place] for w in does.inputs])

        trial = run(Builder(b))  # for the shapes of the results
        for i, (value, new) in enumerate(zip(variables, trial[a.num_out_data :], strict=True)):
            if new.dims != value.dims:
                raise ShapeError(f"loop variable {i} has shape {value.dims}, its new value {new.dims}")

        def rest(inner: Builder) -> list[Tensor]:
            stays = [inner.op("Identity", v) for v in variables]
            return [*(inner.fill(t.dims, 0, t.dt) for t in trial[: a.num_out_data]), *stays]

        results = _branch(b, going, run, rest)
        return [going, *results[a.num_out_data :], *results[: a.num_out_data]]

    start = [g.const(np.bool_(True)), *(inputs[p] for p in places)]
    counter = [numbers(g, a.max_iterations, np.int64)]
    stochastic = any(body.stochastic for body in bodies)
    last, stacked = _stepped(g, step, start, counter, a.max_iterations, stochastic)
    return (*stacked, *last[1:])


# -- cond ----------------------------------------------------------------------------------------------------


@_control("_cond", 3)
def cond(
    g: Builder,
    *data: Tensor,
    num_args: int,
    num_outputs: int,
    cond_input_locs: Ints,
    then_input_locs: Ints,
    else_input_locs: Ints,
) -> tuple[Tensor, ...]:
    """_cond(cond, then_branch, else_branch, *data, num_outputs, cond_input_locs, then_input_locs, else_input_locs)

    The results of one of two bodies, which have equal shapes and types; only that one is run.
    """
    raise GraphError("operator _cond: a node without its bodies")


def _cond_wiring(a: Attrs) -> list[BodyWiring]:
    results: list[Wire | None] = [Wire(i) for i in range(a.num_outputs)]
    nothing: list[Wire | None] = [None]
    return [
        BodyWiring([Wire(p) for p in locs], outputs, [])
        for locs, outputs in (
            (a.cond_input_locs, nothing),
            (a.then_input_locs, results),
            (a.else_input_locs, results),
        )
    ]


def _cond_emit(g: Builder, inputs: Sequence[Tensor], a: Attrs, bodies: Sequence[Body]) -> tuple[Tensor, ...]:
    asks, *branches = _cond_wiring(a)
    condition = _true(g, bodies[0](g, [inputs[w.place] for w in asks.inputs])[0])
    key = draw_key(g) if any(body.stochastic for body in bodies[1:]) else None

    def run(number: int) -> Callable[[Builder], list[Tensor]]:
        def emit(inner: Builder) -> list[Tensor]:
            inner.random_base = key
            return bodies[1 + number](inner, [inputs[w.place] for w in branches[number].inputs])

        return emit

    return _branch(g, condition, run(0), run(1))


def _true(g: Builder, value: Tensor) -> Tensor:
    """Whether a body's answer, of one element, is not zero: bool, no axes."""
    scalar = g.reshape(value, ())
    return scalar if scalar.dt == np.bool_ else g.op("Not", g.op("Equal", scalar, 0))


def _branch(
    g: Builder,
    condition: Tensor,
    yes: Callable[[Builder], list[Tensor]],
    no: Callable[[Builder], list[Tensor]],
) -> tuple[Tensor, ...]:
    graphs = {
        "then_branch": g.subgraph("then", [], yes),
        "else_branch": g.subgraph("else", [], no),
    }
    types = []
    for i, (a, b) in enumerate(zip(*(x.outputs for x in graphs.values()), strict=True)):
        assert isinstance(a, Tensor) and isinstance(b, Tensor)
        if (a.dt, a.dims) != (b.dt, b.dims):
            raise ShapeError(
                f"result {i} is {a.dt} of shape {a.dims} in one branch and {b.dt} of shape {b.dims} in the other"
            )
        types.append((a.dt, a.dims))
    return g.emit("If", "", [condition], ir.convenience.convert_attributes(graphs), types)


for _op, _wiring, _emit in (
    (foreach, _foreach_wiring, _foreach_emit),
    (while_loop, _while_wiring, _while_emit),
    (cond, _cond_wiring, _cond_emit),
):
    _op.wiring = _wiring
    _op.emit = _emit
