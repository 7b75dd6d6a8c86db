"""Dropout with one mask for all steps, and long short-term memory with projected outputs."""

from __future__ import annotations

from typing import Any

from ....ndarray import NDArray
from ....symbol import Symbol
from ...rnn._base import HybridRecurrentCell
from ...rnn._cells import _GatedCell
from ...rnn._modifiers import ModifierCell, _steps
from ...rnn._sequences import first_states, format_sequence, mask_sequence

__all__ = ["LSTMPCell", "VariationalDropoutCell"]


class VariationalDropoutCell(ModifierCell):
    """Dropout of inputs, states and outputs with masks that stay the same for all steps.

    The method is that of Y. Gal and Z. Ghahramani, 2016.
    Masks are drawn at the first step after `reset`, which `unroll` calls by itself.

    Parameters
    ----------
    base_cell : the cell.
    drop_inputs, drop_states, drop_outputs : shares of the elements dropped; of the states the first one only.
    """

    def __init__(
        self,
        base_cell: Any,
        drop_inputs: float = 0.0,
        drop_states: float = 0.0,
        drop_outputs: float = 0.0,
    ) -> None:
        if drop_states:
            _steps(base_cell, "variational dropout of states")
        super().__init__(base_cell)
        self.drop_inputs = drop_inputs
        self.drop_states = drop_states
        self.drop_outputs = drop_outputs
        self._masks: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p_out = {self.drop_outputs}, p_state = {self.drop_states})"

    def _alias(self) -> str:
        return "vardrop"

    def reset(self) -> None:
        """Forget the steps made and the masks."""
        super().reset()
        self._masks = {}

    def _dropped(self, F: Any, kind: str, x: Any, p: float) -> Any:
        if not p:
            return x
        if kind not in self._masks:
            self._masks[kind] = F.Dropout(F.ones_like(x), p=p)
        return x * self._masks[kind]

    def hybrid_forward(self, F: Any, inputs: Any, states: Any) -> Any:
        """One step."""
        states = [self._dropped(F, "states", states[0], self.drop_states), *states[1:]]
        inputs = self._dropped(F, "inputs", inputs, self.drop_inputs)
        output, states = self.base_cell(inputs, states)
        return self._dropped(F, "outputs", output, self.drop_outputs), states

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Make `length` steps; inputs and outputs are dropped as whole sequences where states are not."""
        if self.drop_states:
            return super().unroll(length, inputs, begin_state, layout, merge_outputs, valid_length)
        self.reset()
        inputs, axis, F, batch = format_sequence(length, inputs, layout, True)
        states = first_states(self, F, begin_state, inputs, batch)
        if self.drop_inputs:
            inputs = F.Dropout(inputs, p=self.drop_inputs, axes=(axis,))
        self.base_cell._modified = False
        outputs, states = self.base_cell.unroll(
            length, inputs, states, layout, merge_outputs=True, valid_length=valid_length
        )
        self.base_cell._modified = True
        if self.drop_outputs:
            outputs = F.Dropout(outputs, p=self.drop_outputs, axes=(axis,))
        merge = isinstance(outputs, NDArray | Symbol) if merge_outputs is None else merge_outputs
        outputs = format_sequence(length, outputs, layout, merge)[0]
        if valid_length is not None:
            outputs = mask_sequence(F, outputs, length, valid_length, axis, merge)
        return outputs, states


class LSTMPCell(_GatedCell, HybridRecurrentCell):
    """An LSTM cell whose output is projected: ``h = W_hr (o * tanh(c))`` (H. Sak et al., 2014).

    Parameters
    ----------
    hidden_size : length of the memory cells.
    projection_size : length of the output, which is the first state.
    i2h_weight_initializer, h2h_weight_initializer, h2r_weight_initializer, i2h_bias_initializer,
    h2h_bias_initializer : initializers.
    input_size : length of the input; found from the first one by default.

    Shapes
    ------
    input (N, input_size), states [(N, projection_size), (N, hidden_size)], output (N, projection_size).
    """

    _gates = 4
    _states = 2

    def __init__(
        self,
        hidden_size: int,
        projection_size: int,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        h2r_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        initializers = {
            "i2h_weight": i2h_weight_initializer,
            "h2h_weight": h2h_weight_initializer,
            "h2r_weight": h2r_weight_initializer,
            "i2h_bias": i2h_bias_initializer,
            "h2h_bias": h2h_bias_initializer,
        }
        super().__init__(hidden_size, input_size, initializers, prefix, params, projection_size)
        self._projection_size = projection_size

    def _alias(self) -> str:
        return "lstmp"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._mapping()} -> {self._projection_size})"

    def state_info(self, batch_size: int = 0) -> list[dict[str, Any]]:
        """Shape and layout of each state."""
        sizes = (self._projection_size, self._hidden_size)
        return [{"shape": (batch_size, size), "__layout__": "NC"} for size in sizes]

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        h2r_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> Any:
        """One step."""
        step, i2h, h2h = self._sums(F, inputs, states[0], (i2h_weight, h2h_weight), (i2h_bias, h2h_bias))
        parts = F.SliceChannel(i2h + h2h, num_outputs=4, name=step + "slice")
        i, f, candidate, o = (
            F.Activation(part, act_type=kind, name=step + name)
            for part, kind, name in zip(
                parts, ("sigmoid", "sigmoid", "tanh", "sigmoid"), ("i", "f", "c", "o"), strict=True
            )
        )
        c = F.elemwise_add(f * states[1], i * candidate, name=step + "state")
        hidden = F.elemwise_mul(o, F.Activation(c, act_type="tanh"), name=step + "hidden")
        output = F.FullyConnected(
            data=hidden, num_hidden=self._projection_size, weight=h2r_weight, no_bias=True, name=step + "out"
        )
        return output, [output, c]
