"""The cell that is one operator over the whole sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import initializer, ndarray, symbol
from ..ndarray import NDArray
from ..symbol import Symbol
from .cells import BaseRNNCell, GRUCell, LSTMCell, RNNCell, RNNParams, States, normalize
from .composite import BidirectionalCell, DropoutCell, SequentialRNNCell

__all__ = ["FusedRNNCell"]

_GATES = {
    "rnn_relu": [""],
    "rnn_tanh": [""],
    "lstm": ["_i", "_f", "_c", "_o"],
    "gru": ["_r", "_z", "_o"],
}


class FusedRNNCell(BaseRNNCell):
    """All layers of a recurrent net in operator RNN, with one vector of parameters.

    Parameters
    ----------
    num_hidden : units of the output, in each direction.
    mode : "rnn_relu", "rnn_tanh", "lstm" or "gru".
    dropout : between layers, in training.
    get_next_state : whether `unroll` returns the last states.
    forget_bias : first value of the bias of an LSTM's forget gates.
    """

    def __init__(
        self,
        num_hidden: int,
        num_layers: int = 1,
        mode: str = "lstm",
        bidirectional: bool = False,
        dropout: float = 0.0,
        get_next_state: bool = False,
        forget_bias: float = 1.0,
        prefix: str | None = None,
        params: RNNParams | None = None,
    ) -> None:
        if mode not in _GATES:
            raise ValueError(f"mode: expected one of {', '.join(_GATES)}, got {mode!r}")
        super().__init__(f"{mode}_" if prefix is None else prefix, params)
        self._num_hidden = num_hidden
        self._num_layers = num_layers
        self._mode = mode
        self._bidirectional = bidirectional
        self._dropout = dropout
        self._get_next_state = get_next_state
        self._directions = ["l", "r"] if bidirectional else ["l"]
        init = initializer.FusedRNN(None, num_hidden, num_layers, mode, bidirectional, forget_bias)
        own = self._own_params
        self._parameter = self.params.get("parameters", init=init)
        self._own_params = own

    @property
    def state_info(self) -> Sequence[Mapping[str, Any]]:
        shape = (len(self._directions) * self._num_layers, 0, self._num_hidden)
        return [{"shape": shape, "__layout__": "LNC"} for _ in range(2 if self._mode == "lstm" else 1)]

    @property
    def _gate_names(self) -> Sequence[str]:
        return _GATES[self._mode]

    def _layout(self, inputs: int) -> list[tuple[str, tuple[int, ...]]]:
        """Name and shape of every part of the vector of parameters, in order; `inputs` is the size of the input."""
        h = self._num_hidden
        parts: list[tuple[str, tuple[int, ...]]] = []
        cells = [(i, d) for i in range(self._num_layers) for d in self._directions]
        for i, d in cells:
            width = inputs if i == 0 else h * len(self._directions)
            for group, size in (("i2h", width), ("h2h", h)):
                for gate in self._gate_names:
                    parts.append((f"{self._prefix}{d}{i}_{group}{gate}_weight", (h, size)))
        for i, d in cells:
            for group in ("i2h", "h2h"):
                for gate in self._gate_names:
                    parts.append((f"{self._prefix}{d}{i}_{group}{gate}_bias", (h,)))
        return parts

    def unpack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """A copy of `args` in which the vector of parameters is replaced by the weights of every layer and gate.

        Raises
        ------
        ValueError : the vector has not the length that the cell's sizes ask for.
        """
        result = dict(args)
        vector = result.pop(str(self._parameter.name))
        b, m, h = len(self._directions), len(self._gate_names), self._num_hidden
        inputs = vector.size // b // h // m - (self._num_layers - 1) * (h + b * h + 2) - h - 2
        parts = self._layout(inputs)
        total = sum(_count(shape) for _, shape in parts)
        if inputs < 1 or total != vector.size:
            raise ValueError(f"{self._parameter.name}: {vector.size} elements are no parameters of this cell")
        first = 0
        for name, shape in parts:
            result[name] = vector[first : first + _count(shape)].reshape(shape).copy()
            first += _count(shape)
        return result

    def pack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        result = dict(args)
        first = f"{self._prefix}l0_i2h{self._gate_names[0]}_weight"
        parts = [result.pop(name).reshape((-1,)) for name, _ in self._layout(result[first].shape[1])]
        result[str(self._parameter.name)] = ndarray.concatenate(parts)
        return result

    def __call__(self, inputs: Symbol, states: States) -> tuple[Symbol, States]:
        raise TypeError("a FusedRNNCell cannot make a single step; use unroll, or unfuse() first")

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: States | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, States]:
        self.reset()
        inputs, axis = normalize(length, inputs, layout, True)
        if axis not in (0, 1):
            raise ValueError(f"layout: expected 'NTC' or 'TNC', got {layout!r}")
        if axis == 1:
            inputs = symbol.swapaxes(inputs, dim1=0, dim2=1)
        states = self.begin_state() if begin_state is None else begin_state
        made = symbol.RNN(
            data=inputs,
            parameters=self._parameter,
            **dict(zip(("state", "state_cell"), states, strict=False)),
            state_size=self._num_hidden,
            num_layers=self._num_layers,
            bidirectional=self._bidirectional,
            p=self._dropout,
            state_outputs=self._get_next_state,
            mode=self._mode,
            name=f"{self._prefix}rnn",
        )
        outputs, *after = list(made)
        for state in after:
            state._set_attr(__layout__="LNC")
        if axis == 1:
            outputs = symbol.swapaxes(outputs, dim1=0, dim2=1)
        return normalize(length, outputs, layout, merge_outputs)[0], after

    def unfuse(self) -> SequentialRNNCell:
        """The same net of simple cells; weights travel by `unpack_weights` here and `pack_weights` there."""

        def cell(prefix: str) -> BaseRNNCell:
            if self._mode == "lstm":
                return LSTMCell(self._num_hidden, prefix)
            if self._mode == "gru":
                return GRUCell(self._num_hidden, prefix)
            return RNNCell(self._num_hidden, self._mode.removeprefix("rnn_"), prefix)

        stack = SequentialRNNCell()
        for i in range(self._num_layers):
            left = cell(f"{self._prefix}l{i}_")
            if self._bidirectional:
                right = cell(f"{self._prefix}r{i}_")
                stack.add(BidirectionalCell(left, right, output_prefix=f"{self._prefix}bi_l{i}_"))
            else:
                stack.add(left)
            if self._dropout > 0 and i < self._num_layers - 1:
                stack.add(DropoutCell(self._dropout, prefix=f"{self._prefix}_dropout{i}_"))
        return stack


def _count(shape: Sequence[int]) -> int:
    return shape[0] * (shape[1] if len(shape) > 1 else 1)
