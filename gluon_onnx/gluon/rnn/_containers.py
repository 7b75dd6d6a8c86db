"""Cells made of cells: stacks, and two cells that run in opposite directions."""

from __future__ import annotations

from typing import Any

from ...ndarray import NDArray
from ...symbol import Symbol
from ..utils import _indent
from ._base import HybridRecurrentCell, RecurrentCell
from ._sequences import first_states, format_sequence, mask_sequence, reverse_sequence

__all__ = ["BidirectionalCell", "HybridSequentialRNNCell", "SequentialRNNCell"]


class _Cells(RecurrentCell):
    """What cells made of cells share."""

    def _cells(self) -> list[Any]:
        return list(self._children.values())

    def state_info(self, batch_size: int = 0) -> list[dict[str, Any]]:
        """Shapes and layouts of all children's states."""
        return [info for cell in self._cells() for info in cell.state_info(batch_size)]

    def begin_state(self, **kwargs: Any) -> list[Any]:  # type: ignore[override]
        """First states of all children; arguments as for one cell."""
        self._assert_not_modified()
        return [state for cell in self._cells() for state in cell.begin_state(**kwargs)]


class _Stack(_Cells):
    """Cells on top of each other."""

    def __repr__(self) -> str:
        lines = [f"({key}): {_indent(repr(cell), 2)}" for key, cell in self._children.items()]
        return f"{type(self).__name__}(\n" + "\n".join(lines) + "\n)"

    def add(self, cell: Any) -> None:
        """Put a cell on top of the stack."""
        self.register_child(cell)

    def __getitem__(self, i: int) -> Any:
        return self._children[str(i)]

    def __len__(self) -> int:
        return len(self._children)

    def _shares(self, states: Any) -> list[tuple[Any, Any]]:
        """Each cell with its part of the states."""
        shares, place = [], 0
        for cell in self._cells():
            count = len(cell.state_info())
            shares.append((cell, states[place : place + count]))
            place += count
        return shares

    def __call__(self, inputs: Any, states: Any) -> Any:
        self._counter += 1
        following: list[Any] = []
        for cell, share in self._shares(states):
            assert not isinstance(cell, BidirectionalCell), (
                f"{cell.name} runs in both directions: {self.name} can be unrolled, not stepped"
            )
            inputs, new = cell(inputs, share)
            following += new
        return inputs, following

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Unroll cell by cell; arguments as for one cell."""
        self.reset()
        inputs, _, F, batch = format_sequence(length, inputs, layout, None)
        shares = self._shares(first_states(self, F, begin_state, inputs, batch))
        following: list[Any] = []
        for number, (cell, share) in enumerate(shares, 1):
            inputs, new = cell.unroll(
                length,
                inputs=inputs,
                begin_state=share,
                layout=layout,
                merge_outputs=merge_outputs if number == len(shares) else None,
                valid_length=valid_length,
            )
            following += new
        return inputs, following


class SequentialRNNCell(_Stack):
    """Cells on top of each other: the output of each is the input of the next."""


class HybridSequentialRNNCell(_Stack, HybridRecurrentCell):
    """Hybrid cells on top of each other: the output of each is the input of the next."""

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> Any:
        """One step."""
        return self(inputs, states)


class BidirectionalCell(_Cells, HybridRecurrentCell):
    """Two cells, the second of which runs from the last step to the first; outputs are joined.

    Parameters
    ----------
    l_cell, r_cell : the cells that run forwards and backwards.
    output_prefix : put before the names of the outputs.
    """

    def __init__(self, l_cell: Any, r_cell: Any, output_prefix: str = "bi_") -> None:
        super().__init__(prefix="", params=None)
        self.register_child(l_cell, "l_cell")
        self.register_child(r_cell, "r_cell")
        self._output_prefix = output_prefix

    def __call__(self, inputs: Any, states: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} can be unrolled, not stepped")

    def __repr__(self) -> str:
        left, right = self._cells()
        return f"{type(self).__name__}(forward={left}, backward={right})"

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Unroll both cells; arguments as for one cell."""
        self.reset()
        steps, axis, F, batch = format_sequence(length, inputs, layout, False)
        left, right = self._cells()
        backwards = reverse_sequence(steps, length, valid_length)
        states = first_states(self, F, begin_state, steps, batch)
        count = len(left.state_info(batch))
        forward, left_states = left.unroll(
            length,
            inputs=steps,
            begin_state=states[:count],
            layout=layout,
            merge_outputs=merge_outputs,
            valid_length=valid_length,
        )
        backward, right_states = right.unroll(
            length,
            inputs=backwards,
            begin_state=states[count:],
            layout=layout,
            merge_outputs=False,
            valid_length=valid_length,
        )
        backward = reverse_sequence(backward, length, valid_length)
        if merge_outputs is None:
            merge_outputs = isinstance(forward, NDArray | Symbol)
        if merge_outputs:
            backward = format_sequence(None, backward, layout, True)[0]
            outputs = F.concat(forward, backward, dim=2, name=f"{self._output_prefix}out")
        else:
            outputs = [
                F.concat(a, b, dim=1, name=f"{self._output_prefix}t{i}")
                for i, (a, b) in enumerate(zip(forward, backward, strict=True))
            ]
        if valid_length is not None:
            outputs = mask_sequence(F, outputs, length, valid_length, axis, merge_outputs)
        return outputs, left_states + right_states
