"""Control flow of arrays: Python's own, with the results stacked as the operators do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..graph.ops import find
from .creation import zeros
from .dispatch import invoke
from .ndarray import NDArray

__all__ = ["cond", "foreach", "while_loop"]


def _arrays(values: Any, what: str) -> tuple[list[NDArray], Any]:
    """Arrays in nested lists, and the structure to put them back into."""
    from ..gluon.structure import flatten

    flat, structure = flatten(values, what)
    if not all(isinstance(x, NDArray) for x in flat):
        raise AssertionError(f"{what} must be (nested lists of) NDArrays")
    return flat, structure


def _grouped(flat: Sequence[Any], structure: Any) -> Any:
    from ..gluon.structure import regroup

    return regroup(flat, structure)[0]


def _stacked(rows: Sequence[Sequence[NDArray]], extra: int = 0) -> list[NDArray]:
    """The values of all steps along a new first axis, followed by `extra` zeros."""
    results = []
    for i, column in enumerate(zip(*rows, strict=True)):
        shapes = [x.shape for x in column]
        if len(set(shapes)) > 1:
            raise ValueError(f"output {i} has not the same shape in every step: {shapes}")
        parts = [x.expand_dims(0) for x in column]
        if extra:
            parts.append(zeros((extra, *shapes[0]), column[0].context, dtype=column[0].dtype))
        results.append(invoke(find("Concat"), parts, {"dim": 0, "num_args": len(parts)}))
    return results


def foreach(body: Callable[..., Any], data: Any, init_states: Any) -> tuple[Any, Any]:
    """Run ``body(items, states)`` once for each item along the first axis of the data.

    Parameters
    ----------
    body : returns (outputs, states): nested lists of arrays.
    data : an array, or (nested) lists of arrays that have the same length.
    init_states : the states that the first step gets.

    Returns
    -------
    (outputs, states) : the outputs of all steps, stacked along a new first axis, and the last states.

    Raises
    ------
    ValueError : the data have no items, or not the same number.
    AssertionError : the structure of the states changes.
    """
    arrays, structure = _arrays(data, "foreach: data")
    wanted = _arrays(init_states, "foreach: init_states")[1]
    lengths = {len(x) for x in arrays}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(f"foreach: expected data of one length, at least 1, got {sorted(lengths)}")
    states, layout = init_states, None
    rows: list[list[NDArray]] = []
    for i in range(lengths.pop()):
        outputs, states = body(_grouped([x[i] for x in arrays], structure), states)
        found = _arrays(states, "foreach: states")[1]
        if found != wanted:
            raise AssertionError("foreach: the structure of the states changed from one step to the next")
        flat, layout = _arrays(outputs, "foreach: outputs")
        rows.append(flat)
    return _grouped(_stacked(rows), layout), states


def while_loop(
    cond: Callable[..., Any], func: Callable[..., Any], loop_vars: Any, max_iterations: int | None = None
) -> tuple[Any, Any]:
    """Run ``func(*loop_vars)`` as long as ``cond(*loop_vars)`` is true.

    Parameters
    ----------
    func : returns (outputs, new loop_vars).
    max_iterations : most steps; also the length of the stacked outputs.

    Returns
    -------
    (outputs, loop_vars) : the outputs of all steps along a new first axis of length `max_iterations`, with zeros
        for steps that were not made ([] if there was none), and the last variables.

    Raises
    ------
    ValueError : `max_iterations` is missing, there are no variables, or their number changes.
    """
    if max_iterations is None:
        raise ValueError("while_loop: max_iterations must be given")
    limit = _number(max_iterations, int, "max_iterations")
    single = isinstance(loop_vars, NDArray)
    values, layout = [loop_vars] if single else loop_vars, None
    rows: list[list[NDArray]] = []
    if not len(values):
        raise ValueError("while_loop: loop_vars must have at least one element")
    while len(rows) < limit and _number(cond(*values), bool, "the result of cond"):
        outputs, new = func(*values)
        new = [] if new is None else [new] if isinstance(new, NDArray) else new
        if len(new) != len(values):
            raise ValueError(f"while_loop: func returned {len(new)} loop_vars, expected {len(values)}")
        flat, layout = _arrays([] if outputs is None else outputs, "while_loop: outputs")
        rows.append(flat)
        values = new
    stacked = [] if not rows else _grouped(_stacked(rows, limit - len(rows)), layout)
    return stacked, values[0] if single else values


def cond(pred: Any, then_func: Callable[[], Any], else_func: Callable[[], Any]) -> Any:
    """The results of ``then_func()`` where `pred`, an array with one element, is not zero, else of ``else_func()``."""
    return then_func() if _number(pred, bool, "pred") else else_func()


def _number(value: Any, kind: type, what: str) -> Any:
    try:
        return kind(value.asscalar() if isinstance(value, NDArray) else value)
    except (TypeError, ValueError) as e:
        raise ValueError(f"{what}: expected a {kind.__name__}, got {value!r}") from e
