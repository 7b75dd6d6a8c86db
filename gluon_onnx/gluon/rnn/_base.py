"""The base of recurrent cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import ndarray
from ..block import Block
from ..hybrid_block import HybridBlock
from ..nn import LeakyReLU
from ._sequences import first_states, format_sequence, mask_sequence

__all__ = ["HybridRecurrentCell", "RecurrentCell"]


class RecurrentCell(Block):
    """Base of cells: blocks that map an input and states to an output and new states.

    ``cell(input, states)`` makes one step, `unroll` makes many.
    """

    def __init__(self, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
        self._modified = False
        self.reset()

    def reset(self) -> None:
        """Forget the steps made; `unroll` does so by itself."""
        self._init_counter = -1
        self._counter = -1
        for cell in self._children.values():
            cell.reset()  # type: ignore[attr-defined]

    def state_info(self, batch_size: int = 0) -> list[dict[str, Any]]:
        """Shape and layout of each state."""
        raise NotImplementedError(f"{type(self).__name__} must define state_info()")

    def _assert_not_modified(self) -> None:
        assert not self._modified, (
            f"{self.name} is the base of a modifier cell, which must be called in its place"
        )

    def begin_state(
        self, batch_size: int = 0, func: Callable[..., Any] = ndarray.zeros, **kwargs: Any
    ) -> list[Any]:
        """First states.

        Parameters
        ----------
        batch_size : number of examples; for symbols 0, which stands for what it will be.
        func : makes a state from its name and shape: `nd.zeros`, `sym.zeros`, `sym.var`, ...
        kwargs : further arguments of `func`.
        """
        self._assert_not_modified()
        states = []
        for info in self.state_info(batch_size):
            self._init_counter += 1
            states.append(func(name=f"{self._prefix}begin_state_{self._init_counter}", **{**info, **kwargs}))
        return states

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Make `length` steps.

        Parameters
        ----------
        inputs : one array in `layout` ("NTC" or "TNC"), or a list of `length` arrays (batch, ...).
        begin_state : first states; zeros by default.
        merge_outputs : True gives the outputs as one array in `layout`, False as a list; None as it comes.
        valid_length : number of steps of each example, (batch,). Outputs behind it are zero, and the states
            returned are those after the last step within it.

        Returns
        -------
        tuple : outputs and the states after the last step.
        """
        self.reset()
        inputs, axis, F, batch = format_sequence(length, inputs, layout, False)
        states = first_states(self, F, begin_state, inputs, batch)
        outputs, history = [], []
        for i in range(length):
            output, states = self(inputs[i], states)
            outputs.append(output)
            history.append(states)
        if valid_length is not None:
            states = [
                F.SequenceLast(
                    F.stack(*steps, axis=0), sequence_length=valid_length, use_sequence_length=True, axis=0
                )
                for steps in zip(*history, strict=True)
            ]
            outputs = mask_sequence(F, outputs, length, valid_length, axis, True)
        return format_sequence(length, outputs, layout, merge_outputs)[0], states

    def _get_activation(self, F: Any, inputs: Any, activation: Any, **kwargs: Any) -> Any:
        """Apply an activation: a name, a `LeakyReLU` block or a function."""
        if activation in ("tanh", "relu", "sigmoid", "softsign"):
            return getattr(F, activation)(inputs, **kwargs)
        if isinstance(activation, str):
            return F.Activation(inputs, act_type=activation, **kwargs)
        if isinstance(activation, LeakyReLU):
            return F.LeakyReLU(inputs, act_type="leaky", slope=activation._alpha, **kwargs)
        return activation(inputs, **kwargs)

    def forward(self, inputs: Any, states: Any) -> Any:
        """One step: the output and the new states."""
        self._counter += 1
        return super().forward(inputs, states)


class HybridRecurrentCell(RecurrentCell, HybridBlock):
    """Base of cells that can be compiled."""

    def __init__(self, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
