"""Cells made of cells: stacks, both directions, dropout, zoneout, residual connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .. import symbol
from ..base import numeric_types
from ..ndarray import NDArray
from ..symbol import Symbol
from .cells import BaseRNNCell, RNNParams, States, normalize

__all__ = [
    "BidirectionalCell",
    "DropoutCell",
    "ModifierCell",
    "ResidualCell",
    "SequentialRNNCell",
    "ZoneoutCell",
]


class _Group(BaseRNNCell):
    """Base of cells that hold several."""

    def __init__(self, prefix: str, params: RNNParams | None) -> None:
        super().__init__(prefix, params)
        self._shared = params is not None
        self._cells: list[BaseRNNCell] = []

    def reset(self) -> None:
        super().reset()
        for cell in getattr(self, "_cells", ()):
            cell.reset()

    def _take(self, cell: BaseRNNCell) -> None:
        """Hold one more cell; its variables and this one's become the same."""
        if self._shared:
            if not cell._own_params:
                raise ValueError("give params to the outer cell or to the inner ones, not to both")
            cell.params._params.update(self.params._params)
        self.params._params.update(cell.params._params)
        self._cells.append(cell)

    @property
    def state_info(self) -> Sequence[Mapping[str, Any] | None]:
        return [info for cell in self._cells for info in cell.state_info]

    def begin_state(self, func: Callable[..., Any] = symbol.zeros, **kwargs: Any) -> States:
        if self._modified:
            raise RuntimeError("begin_state: this cell is part of a modifier cell; call that one's")
        return [s for cell in self._cells for s in cell.begin_state(func=func, **kwargs)]

    def unpack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        result = dict(args)
        for cell in self._cells:
            result = cell.unpack_weights(result)
        return result

    def pack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        result = dict(args)
        for cell in self._cells:
            result = cell.pack_weights(result)
        return result

    def _states_of(self, states: States) -> Iterable[tuple[BaseRNNCell, States]]:
        """Every cell with its part of the states."""
        first = 0
        for cell in self._cells:
            count = len(cell.state_info)
            yield cell, states[first : first + count]
            first += count


class SequentialRNNCell(_Group):
    """Cells one after the other.

    Parameters
    ----------
    params : the variables to use, for sharing.
    """

    def __init__(self, params: RNNParams | None = None) -> None:
        super().__init__("", params)

    def add(self, cell: BaseRNNCell) -> None:
        """Put a cell behind the others.

        Raises
        ------
        ValueError : both this cell and `cell` were given `params`.
        """
        self._take(cell)

    def __call__(self, inputs: Symbol, states: States) -> tuple[Symbol, States]:
        self._counter += 1
        after: States = []
        for cell, part in self._states_of(states):
            if isinstance(cell, BidirectionalCell):
                raise TypeError("a BidirectionalCell cannot make a single step; use unroll")
            inputs, new = cell(inputs, part)
            after.extend(new)
        return inputs, after

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: States | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, States]:
        self.reset()
        states = self.begin_state() if begin_state is None else begin_state
        after: States = []
        for i, (cell, part) in enumerate(self._states_of(states)):
            merge = merge_outputs if i == len(self._cells) - 1 else None
            inputs, new = cell.unroll(length, inputs, part, layout, merge)
            after.extend(new)
        return inputs, after


class BidirectionalCell(_Group):
    """One cell over the sequence, another over the sequence from its end; outputs lie side by side.

    Parameters
    ----------
    l_cell, r_cell : the two.
    output_prefix : put before the names of the outputs.
    """

    def __init__(
        self,
        l_cell: BaseRNNCell,
        r_cell: BaseRNNCell,
        params: RNNParams | None = None,
        output_prefix: str = "bi_",
    ) -> None:
        super().__init__("", params)
        self._output_prefix = output_prefix
        self._take(l_cell)
        self._take(r_cell)

    def __call__(self, inputs: Symbol, states: States) -> tuple[Symbol, States]:
        raise TypeError("a BidirectionalCell cannot make a single step; use unroll")

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: States | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, Any]:
        self.reset()
        inputs, axis = normalize(length, inputs, layout, False)
        states = self.begin_state() if begin_state is None else begin_state
        (left, left_states), (right, right_states) = self._states_of(states)
        ahead, left_after = left.unroll(length, inputs, left_states, layout, merge_outputs)
        back, right_after = right.unroll(length, inputs[::-1], right_states, layout, merge_outputs)
        if merge_outputs is None:
            merge_outputs = isinstance(ahead, Symbol) and isinstance(back, Symbol)
            if not merge_outputs:
                ahead, back = (_split(x, axis, length) for x in (ahead, back))
        after = [left_after, right_after]
        if merge_outputs:
            back = symbol.reverse(back, axis=axis)
            return symbol.Concat(ahead, back, dim=2, name=f"{self._output_prefix}out"), after
        pairs = zip(ahead, reversed(back), strict=True)
        named = (
            symbol.Concat(a, b, dim=1, name=f"{self._output_prefix}t{i}") for i, (a, b) in enumerate(pairs)
        )
        return list(named), after


def _split(outputs: Any, axis: int, length: int) -> list[Symbol]:
    if not isinstance(outputs, Symbol):
        return list(outputs)
    return list(symbol.SliceChannel(outputs, axis=axis, num_outputs=length, squeeze_axis=1))


class DropoutCell(BaseRNNCell):
    """Dropout of the inputs; has no state.

    Parameters
    ----------
    dropout : fraction of the elements that become zero in training.
    """

    def __init__(self, dropout: float, prefix: str = "dropout_", params: RNNParams | None = None) -> None:
        super().__init__(prefix, params)
        if not isinstance(dropout, numeric_types):
            raise ValueError(f"dropout: expected a number, got {dropout!r}")
        self.dropout = dropout

    @property
    def state_info(self) -> Sequence[Mapping[str, Any]]:
        return []

    def __call__(self, inputs: Symbol, states: States) -> tuple[Symbol, States]:
        return (symbol.Dropout(inputs, p=self.dropout) if self.dropout > 0 else inputs), states

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: States | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, States]:
        self.reset()
        inputs, _ = normalize(length, inputs, layout, merge_outputs)
        if isinstance(inputs, Symbol):
            return self(inputs, [])
        return super().unroll(length, inputs, begin_state, layout, merge_outputs)


class ModifierCell(BaseRNNCell):
    """Base of cells that change another's step; it shares the other's variables and states.

    Parameters
    ----------
    base_cell : the other. It is used through this one only.
    """

    def __init__(self, base_cell: BaseRNNCell) -> None:
        super().__init__()
        base_cell._modified = True
        self.base_cell = base_cell

    @property
    def params(self) -> RNNParams:
        self._own_params = False
        return self.base_cell.params

    @property
    def state_info(self) -> Sequence[Mapping[str, Any] | None]:
        return self.base_cell.state_info

    def begin_state(self, func: Callable[..., Any] = symbol.zeros, **kwargs: Any) -> States:
        if self._modified:
            raise RuntimeError("begin_state: this cell is part of a modifier cell; call that one's")
        self.base_cell._modified = False
        try:
            return self.base_cell.begin_state(func=func, **kwargs)
        finally:
            self.base_cell._modified = True

    def unpack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        return self.base_cell.unpack_weights(args)

    def pack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        return self.base_cell.pack_weights(args)


class ZoneoutCell(ModifierCell):
    """Zoneout (Krueger et al., 2016): some elements stay as they were in the step before.

    Parameters
    ----------
    zoneout_outputs, zoneout_states : fraction of the elements of outputs and states.
    """

    def __init__(
        self, base_cell: BaseRNNCell, zoneout_outputs: float = 0.0, zoneout_states: float = 0.0
    ) -> None:
        from .fused import FusedRNNCell

        if isinstance(base_cell, FusedRNNCell | BidirectionalCell):
            raise TypeError(
                f"zoneout needs a cell that makes single steps, not a {type(base_cell).__name__}; put it around the "
                "cells inside"
            )
        super().__init__(base_cell)
        self.zoneout_outputs = zoneout_outputs
        self.zoneout_states = zoneout_states
        self.prev_output: Symbol | None = None

    def reset(self) -> None:
        super().reset()
        self.prev_output = None

    def __call__(self, inputs: Symbol, states: States) -> tuple[Symbol, States]:
        output, after = self.base_cell(inputs, states)

        def kept(rate: float, new: Symbol, old: Symbol) -> Symbol:
            mask = symbol.Dropout(symbol.ones_like(new), p=rate)
            result: Symbol = symbol.where(mask, new, old)
            return result

        if self.zoneout_outputs:
            before = symbol.zeros((0, 0)) if self.prev_output is None else self.prev_output
            output = kept(self.zoneout_outputs, output, before)
        if self.zoneout_states:
            after = [kept(self.zoneout_states, new, old) for new, old in zip(after, states, strict=True)]
        self.prev_output = output
        return output, after


class ResidualCell(ModifierCell):
    """Adds its input to the output of another cell (Wu et al., 2016)."""

    def __call__(self, inputs: Symbol, states: States) -> tuple[Symbol, States]:
        output, states = self.base_cell(inputs, states)
        return symbol.elemwise_add(output, inputs, name=f"{output.name}_plus_residual"), states

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: States | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, States]:
        self.reset()
        self.base_cell._modified = False
        outputs, states = self.base_cell.unroll(length, inputs, begin_state, layout, merge_outputs)
        self.base_cell._modified = True
        merge = isinstance(outputs, Symbol) if merge_outputs is None else merge_outputs
        inputs, _ = normalize(length, inputs, layout, merge)
        if merge:
            return symbol.elemwise_add(outputs, inputs, name=f"{outputs.name}_plus_residual"), states
        pairs = zip(outputs, inputs, strict=True)
        return [symbol.elemwise_add(o, x, name=f"{o.name}_plus_residual") for o, x in pairs], states
