"""Cells that change what another cell does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import symbol
from ...base import numeric_types
from ...ndarray import NDArray
from ...symbol import Symbol
from ._base import HybridRecurrentCell
from ._containers import BidirectionalCell
from ._sequences import format_sequence, mask_sequence

__all__ = ["DropoutCell", "ModifierCell", "ResidualCell", "ZoneoutCell"]


class DropoutCell(HybridRecurrentCell):
    """Dropout as a cell without states, between two cells of a stack.

    Parameters
    ----------
    rate : share of the elements that are dropped in training.
    axes : axes along which all elements share their fate.
    """

    def __init__(
        self, rate: float, axes: tuple[int, ...] = (), prefix: str | None = None, params: Any = None
    ) -> None:
        super().__init__(prefix, params)
        assert isinstance(rate, numeric_types), f"rate must be a number, got {type(rate).__name__}"
        self._rate = rate
        self._axes = axes

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rate={self._rate}, axes={self._axes})"

    def state_info(self, batch_size: int = 0) -> list[dict[str, Any]]:
        """No states."""
        return []

    def _alias(self) -> str:
        return "dropout"

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> Any:
        """One step."""
        if self._rate > 0:
            inputs = F.Dropout(data=inputs, p=self._rate, axes=self._axes, name=f"t{self._counter}_fwd")
        return inputs, states

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Dropout of the whole sequence at once where it is one array."""
        self.reset()
        inputs, _, F, _ = format_sequence(length, inputs, layout, merge_outputs)
        if isinstance(inputs, NDArray | Symbol):
            outputs, states = self.hybrid_forward(F, inputs, begin_state or [])
            return outputs, states
        return super().unroll(length, inputs, begin_state, layout, merge_outputs)


class ModifierCell(HybridRecurrentCell):
    """Base of cells that wrap another one, which must not be called by itself then.

    Parameters
    ----------
    base_cell : the cell; its parameters are this cell's.
    """

    def __init__(self, base_cell: Any) -> None:
        assert not base_cell._modified, f"{base_cell.name} is the base of a modifier cell already"
        base_cell._modified = True
        super().__init__(prefix=base_cell.prefix + self._alias(), params=None)
        self.base_cell = base_cell

    @property
    def params(self) -> Any:
        """The base cell's parameters."""
        return self.base_cell.params

    def state_info(self, batch_size: int = 0) -> list[dict[str, Any]]:
        """Shapes and layouts of the base cell's states."""
        infos: list[dict[str, Any]] = self.base_cell.state_info(batch_size)
        return infos

    def begin_state(self, func: Callable[..., Any] = symbol.zeros, **kwargs: Any) -> list[Any]:  # type: ignore[override]
        """The base cell's first states."""
        self._assert_not_modified()
        self.base_cell._modified = False
        states: list[Any] = self.base_cell.begin_state(func=func, **kwargs)
        self.base_cell._modified = True
        return states

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_cell})"


def _steps(base_cell: Any, what: str) -> None:
    assert not isinstance(base_cell, BidirectionalCell), (
        f"{what} works step by step, which a BidirectionalCell does not; put it around the cells inside"
    )


class ZoneoutCell(ModifierCell):
    """In training, random elements of outputs and states keep their old values (D. Krueger et al., 2017).

    Parameters
    ----------
    base_cell : the cell.
    zoneout_outputs, zoneout_states : shares of the elements that are kept.
    """

    def __init__(self, base_cell: Any, zoneout_outputs: float = 0.0, zoneout_states: float = 0.0) -> None:
        _steps(base_cell, "zoneout")
        super().__init__(base_cell)
        self.zoneout_outputs = zoneout_outputs
        self.zoneout_states = zoneout_states
        self._prev_output: Any = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p_out={self.zoneout_outputs}, p_state={self.zoneout_states}, {self.base_cell})"

    def _alias(self) -> str:
        return "zoneout"

    def reset(self) -> None:
        """Forget the steps made."""
        super().reset()
        self._prev_output = None

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> Any:
        """One step."""
        output, following = self.base_cell(inputs, states)

        def mixed(new: Any, old: Any, p: float) -> Any:
            return F.where(F.Dropout(F.ones_like(new), p=p), new, old)

        if self.zoneout_outputs != 0.0:
            previous = F.zeros_like(output) if self._prev_output is None else self._prev_output
            output = mixed(output, previous, self.zoneout_outputs)
        if self.zoneout_states != 0.0:
            following = [
                mixed(new, old, self.zoneout_states) for new, old in zip(following, states, strict=True)
            ]
        self._prev_output = output
        return output, following


class ResidualCell(ModifierCell):
    """The cell's output plus its input (Y. Wu et al., 2016).

    Parameters
    ----------
    base_cell : the cell; its output has its input's shape.
    """

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> Any:
        """One step."""
        output, states = self.base_cell(inputs, states)
        return F.elemwise_add(output, inputs, name=f"t{self._counter}_fwd"), states

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Unroll the base cell and add the inputs."""
        self.reset()
        self.base_cell._modified = False
        outputs, states = self.base_cell.unroll(
            length,
            inputs=inputs,
            begin_state=begin_state,
            layout=layout,
            merge_outputs=merge_outputs,
            valid_length=valid_length,
        )
        self.base_cell._modified = True
        merge = isinstance(outputs, NDArray | Symbol) if merge_outputs is None else merge_outputs
        inputs, axis, F, _ = format_sequence(length, inputs, layout, merge)
        if valid_length is not None:
            inputs = mask_sequence(F, inputs, length, valid_length, axis, merge)
        if merge:
            return F.elemwise_add(outputs, inputs), states
        return [F.elemwise_add(a, b) for a, b in zip(outputs, inputs, strict=True)], states
