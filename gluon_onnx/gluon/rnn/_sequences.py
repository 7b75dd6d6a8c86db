"""Sequences as one array or as lists of steps: what unrolling a cell does to its inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import ndarray, symbol
from ...ndarray import NDArray
from ...symbol import Symbol

__all__ = ["as_list", "first_states", "format_sequence", "mask_sequence", "reverse_sequence"]


def as_list(value: Any) -> list[Any]:
    """A list, tuple or Symbol of several outputs as a list; anything else as a list of one."""
    return list(value) if isinstance(value, list | tuple | Symbol) else [value]


def namespace(values: Any) -> Any:
    """`nd` or `sym`, whichever a sequence belongs to."""
    first = values if isinstance(values, NDArray | Symbol) else values[0]
    return symbol if isinstance(first, Symbol) else ndarray


def format_sequence(
    length: int | None, inputs: Any, layout: str, merge: bool | None
) -> tuple[Any, int, Any, int]:
    """The sequence in the form asked for, its time axis, `nd` or `sym`, and the batch size (0 for symbols).

    Parameters
    ----------
    length : number of steps; None is any.
    inputs : one array in `layout`, or a list of steps.
    merge : True for one array, False for a list, None for what it is.

    Raises
    ------
    AssertionError : the sequence has another length, or a symbol of several outputs stands for one array.
    """
    assert inputs is not None, "inputs of a cell must be given; make the variables outside of unroll"
    axis, batch = layout.find("T"), 0
    F = namespace(inputs)
    whole = isinstance(inputs, NDArray | Symbol)
    if isinstance(inputs, NDArray):
        batch = inputs.shape[layout.find("N")]
    elif not whole and F is ndarray:
        batch = inputs[0].shape[0]
    if whole and merge is False:
        if F is symbol:
            assert len(inputs.list_outputs()) == 1, (
                "expected a symbol with one output; give a group of steps as list(group)"
            )
        else:
            assert length in (None, inputs.shape[axis]), (
                f"expected a sequence of {length} steps, got {inputs.shape[axis]}"
            )
        steps = length if F is symbol else inputs.shape[axis]
        inputs = as_list(F.split(inputs, axis=axis, num_outputs=steps, squeeze_axis=1))
    elif not whole:
        assert length in (None, len(inputs)), f"expected a sequence of {length} steps, got {len(inputs)}"
        if merge is True:
            inputs = F.stack(*inputs, axis=axis)
    return inputs, axis, F, batch


def first_states(cell: Any, F: Any, given: Any, inputs: Any, batch: int) -> Any:
    """The states that unrolling begins with: those given, or zeros where the inputs are."""
    if given is not None:
        return given
    if F is not ndarray:
        return cell.begin_state(func=F.zeros, batch_size=batch)
    first = inputs if isinstance(inputs, NDArray) else inputs[0]
    with first.context:
        return cell.begin_state(func=F.zeros, batch_size=batch)


def mask_sequence(F: Any, data: Any, length: int, valid_length: Any, axis: int, merge: bool | None) -> Any:
    """The sequence with zeros behind each example's length."""
    if not isinstance(data, NDArray | Symbol):
        data = F.stack(*data, axis=axis)
    masked = F.SequenceMask(data, sequence_length=valid_length, use_sequence_length=True, axis=axis)
    return masked if merge else as_list(F.split(masked, num_outputs=length, axis=axis, squeeze_axis=True))


def reverse_sequence(steps: Sequence[Any], length: int, valid_length: Any = None) -> list[Any]:
    """The steps backwards, each example within its own length."""
    if valid_length is None:
        return list(steps)[::-1]
    F = namespace(steps)
    backwards = F.SequenceReverse(
        F.stack(*steps, axis=0), sequence_length=valid_length, use_sequence_length=True
    )
    return as_list(F.split(backwards, axis=0, num_outputs=length, squeeze_axis=True))
