"""Recurrent layers over whole sequences, computed by one operator."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from ... import ndarray, symbol
from ...ndarray import NDArray
from ...symbol import Symbol
from ..hybrid_block import HybridBlock
from ..parameter import Parameter
from . import rnn_cell

__all__ = ["GRU", "LSTM", "RNN"]

_GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}
_NAME = re.compile(r"(l|r)(\d+)_(i2h|h2h|h2r)_(weight|bias)\Z")


class _RNNLayer(HybridBlock):
    """What recurrent layers share: parameters, states, and the call of the operator."""

    _states: ClassVar[int] = 1

    def __init__(
        self,
        hidden_size: int,
        num_layers: int,
        layout: str,
        dropout: float,
        bidirectional: bool,
        input_size: int,
        i2h_weight_initializer: Any,
        h2h_weight_initializer: Any,
        i2h_bias_initializer: Any,
        h2h_bias_initializer: Any,
        mode: str,
        projection_size: int | None = None,
        h2r_weight_initializer: Any = None,
        lstm_state_clip_min: float | None = None,
        lstm_state_clip_max: float | None = None,
        lstm_state_clip_nan: bool = False,
        dtype: Any = "float32",
        use_sequence_length: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        assert layout in ("TNC", "NTC"), f"expected layout 'TNC' or 'NTC', got {layout!r}"
        self._hidden_size = hidden_size
        self._projection_size = projection_size or None
        self._num_layers = num_layers
        self._mode = mode
        self._layout = layout
        self._dropout = dropout
        self._dir = 2 if bidirectional else 1
        self._input_size = input_size
        self._initializers = {
            "i2h_weight": i2h_weight_initializer,
            "h2h_weight": h2h_weight_initializer,
            "i2h_bias": i2h_bias_initializer,
            "h2h_bias": h2h_bias_initializer,
            "h2r_weight": h2r_weight_initializer,
        }
        self._lstm_state_clip_min = lstm_state_clip_min
        self._lstm_state_clip_max = lstm_state_clip_max
        self._lstm_state_clip_nan = lstm_state_clip_nan
        self._dtype = dtype
        self._use_sequence_length = use_sequence_length
        self.skip_states: bool | None = None
        self._gates = _GATES[mode]
        width = input_size
        for layer in range(num_layers):
            for side in self._sides:
                self._register_layer(f"{side}{layer}_", width)
            width = self._state_size * self._dir

    @property
    def _sides(self) -> str:
        return "lr"[: self._dir]

    @property
    def _state_size(self) -> int:
        return self._projection_size or self._hidden_size

    @property
    def _kinds(self) -> list[str]:
        """Parameters of one layer and direction, in the order in which they are registered."""
        projection = [] if self._projection_size is None else ["h2r_weight"]
        return ["i2h_weight", "h2h_weight", "i2h_bias", "h2h_bias", *projection]

    def _register_layer(self, prefix: str, width: int) -> None:
        rows = self._gates * self._hidden_size
        shapes = {
            "i2h_weight": (rows, width),
            "h2h_weight": (rows, self._state_size),
            "i2h_bias": (rows,),
            "h2h_bias": (rows,),
            "h2r_weight": (self._state_size, self._hidden_size),
        }
        for kind in self._kinds:
            parameter = self.params.get(
                prefix + kind,
                shape=shapes[kind],
                init=self._initializers[kind],
                allow_deferred_init=True,
                dtype=self._dtype,
            )
            setattr(self, prefix + kind, parameter)

    def __repr__(self) -> str:
        shape = self._reg_params["l0_i2h_weight"].shape
        assert shape is not None
        parts = [f"{shape[1] or None} -> {shape[0] // self._gates}", self._layout]
        parts += [f"num_layers={self._num_layers}"] * (self._num_layers != 1)
        parts += [f"dropout={self._dropout}"] * (self._dropout != 0)
        parts += ["bidirectional"] * (self._dir == 2)
        return f"{type(self).__name__}({', '.join(parts)})"

    def _collect_params_with_prefix(self, prefix: str = "") -> dict[str, Parameter]:
        """Parameters by the names that MXNet's files give them: those of the cells that the layer once was."""
        prefix = prefix + "." if prefix else ""
        found = {}
        for key, parameter in self._reg_params.items():
            match = _NAME.match(key)
            assert match is not None
            side, layer, product, kind = match.groups()
            cell = f"{side}_cell." if self._dir == 2 else ""
            found[f"{prefix}_unfused.{layer}.{cell}{product}_{kind}"] = parameter
        for name, child in self._children.items():
            found.update(child._collect_params_with_prefix(prefix + name))
        return found

    def state_info(self, batch_size: int = 0) -> list[dict[str, Any]]:
        """Shape, layout and element type of each state."""
        sizes = (self._state_size, self._hidden_size)[: self._states]
        return [
            {
                "shape": (self._num_layers * self._dir, batch_size, size),
                "__layout__": "LNC",
                "dtype": self._dtype,
            }
            for size in sizes
        ]

    def _unfuse(self) -> Any:
        """The same layers as a stack of cells, which shares the parameters."""
        assert self._projection_size is None, f"{self.name}: layers with a projection cannot be made of cells"
        assert not self._lstm_state_clip_min and not self._lstm_state_clip_max, (
            f"{self.name}: layers with clipped states cannot be made of cells"
        )
        stack = rnn_cell.HybridSequentialRNNCell(prefix=self.prefix, params=self.params)
        with stack.name_scope():
            width = self._input_size
            for layer in range(self._num_layers):
                cells = [self._cell(f"{side}{layer}_", width) for side in self._sides]
                stack.add(rnn_cell.BidirectionalCell(*cells) if self._dir == 2 else cells[0])
                if self._dropout > 0 and layer != self._num_layers - 1:
                    stack.add(rnn_cell.DropoutCell(self._dropout))
                width = self._hidden_size * self._dir
        return stack

    def _cell(self, prefix: str, width: int) -> Any:
        options = {f"{k}_initializer": v for k, v in self._initializers.items() if k != "h2r_weight"}
        options |= {"input_size": width, "prefix": prefix}
        if self._mode == "lstm":
            return rnn_cell.LSTMCell(self._hidden_size, **options)
        if self._mode == "gru":
            return rnn_cell.GRUCell(self._hidden_size, **options)
        return rnn_cell.RNNCell(self._hidden_size, activation=self._mode.removeprefix("rnn_"), **options)

    def cast(self, dtype: Any) -> None:
        """Change the element type."""
        super().cast(dtype)
        self._dtype = dtype

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
        infos = self.state_info(batch_size)
        return [func(name=f"{self.prefix}h0_{i}", **{**info, **kwargs}) for i, info in enumerate(infos)]

    def __call__(  # type: ignore[override]
        self, inputs: Any, states: Any = None, sequence_length: Any = None, **kwargs: Any
    ) -> Any:
        if self.skip_states != (states is None):
            self.skip_states = states is None
            self._clear_cached_op()  # what a call returns has changed
        if states is None:
            if isinstance(inputs, NDArray):
                batch = inputs.shape[self._layout.find("N")]
                states = self.begin_state(batch, ctx=inputs.context, dtype=inputs.dtype)
            else:
                states = self.begin_state(0, func=symbol.zeros)
        elif isinstance(states, NDArray | Symbol):
            states = [states]
        arguments = (inputs, states, sequence_length) if self._use_sequence_length else (inputs, states)
        return super().__call__(*arguments, **kwargs)

    def hybrid_forward(  # type: ignore[override]
        self, F: Any, inputs: Any, states: Any, sequence_length: Any = None, **kwargs: Any
    ) -> Any:
        """The outputs, and with given first states the last ones."""
        if F is ndarray:
            batch = inputs.shape[self._layout.find("N")]
            for state, info in zip(states, self.state_info(batch), strict=True):
                if state.shape != info["shape"]:
                    raise ValueError(
                        f"Invalid recurrent state shape. Expecting {info['shape']}, got {state.shape}."
                    )
        if self._layout == "NTC":
            inputs = F.swapaxes(inputs, 0, 1)
        products = ["i2h", "h2h"] if self._projection_size is None else ["i2h", "h2h", "h2r"]
        pieces = [
            kwargs[f"{side}{layer}_{product}_{kind}"].reshape(-1)
            for kind in ("weight", "bias")
            for layer in range(self._num_layers)
            for side in self._sides
            for product in products
            if (product, kind) != ("h2r", "bias")
        ]
        outputs, *last = F.RNN(
            inputs,
            F._internal._rnn_param_concat(*pieces, dim=0),
            *states,
            *([sequence_length] if self._use_sequence_length else []),
            use_sequence_length=self._use_sequence_length,
            state_size=self._hidden_size,
            projection_size=self._projection_size,
            num_layers=self._num_layers,
            bidirectional=self._dir == 2,
            p=self._dropout,
            state_outputs=True,
            mode=self._mode,
            lstm_state_clip_min=self._lstm_state_clip_min,
            lstm_state_clip_max=self._lstm_state_clip_max,
            lstm_state_clip_nan=self._lstm_state_clip_nan,
        )
        if self._layout == "NTC":
            outputs = F.swapaxes(outputs, 0, 1)
        return outputs if self.skip_states else (outputs, last)


class RNN(_RNNLayer):
    """Elman layers: ``h = activation(W_ih x + b_ih + W_hh h + b_hh)`` at every step.

    Parameters
    ----------
    hidden_size : length of the state.
    num_layers : number of layers.
    activation : "relu" or "tanh".
    layout : of inputs and outputs, "TNC" (time, batch, features) or "NTC".
    dropout : share of the elements dropped in training between two layers.
    bidirectional : each layer also runs from the last step to the first.
    i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer : initializers.
    input_size : length of the input; found from the first one by default.
    dtype : element type of parameters and states.
    kwargs : `use_sequence_length` (calls take a third argument with the length of each example), `prefix`, `params`.

    Shapes
    ------
    input (T, N, input_size), states (num_layers * directions, N, hidden_size), output (T, N, directions *
    hidden_size). Without first states zeros are taken, and only the output is returned.
    """

    def __init__(
        self,
        hidden_size: int,
        num_layers: int = 1,
        activation: str = "relu",
        layout: str = "TNC",
        dropout: float = 0,
        bidirectional: bool = False,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            hidden_size,
            num_layers,
            layout,
            dropout,
            bidirectional,
            input_size,
            i2h_weight_initializer,
            h2h_weight_initializer,
            i2h_bias_initializer,
            h2h_bias_initializer,
            "rnn_" + activation,
            dtype=dtype,
            **kwargs,
        )


class LSTM(_RNNLayer):
    """Layers of long short-term memory; see `LSTMCell` for one step.

    Parameters
    ----------
    projection_size : length that outputs are projected to (H. Sak et al., 2014).
    h2r_weight_initializer : initializer of the projection.
    state_clip_min, state_clip_max : limits of the memory cells.
    state_clip_nan : replace what is not a number by the lower limit.
    hidden_size, num_layers, layout, dropout, bidirectional, input_size, dtype, ... : as for `RNN`.

    Shapes
    ------
    as for `RNN`, with two states [h, c]; with `projection_size` outputs and h have that length.
    """

    _states = 2

    def __init__(
        self,
        hidden_size: int,
        num_layers: int = 1,
        layout: str = "TNC",
        dropout: float = 0,
        bidirectional: bool = False,
        input_size: int = 0,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        projection_size: int | None = None,
        h2r_weight_initializer: Any = None,
        state_clip_min: float | None = None,
        state_clip_max: float | None = None,
        state_clip_nan: bool = False,
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            hidden_size,
            num_layers,
            layout,
            dropout,
            bidirectional,
            input_size,
            i2h_weight_initializer,
            h2h_weight_initializer,
            i2h_bias_initializer,
            h2h_bias_initializer,
            "lstm",
            projection_size,
            h2r_weight_initializer,
            state_clip_min,
            state_clip_max,
            state_clip_nan,
            dtype,
            **kwargs,
        )


class GRU(_RNNLayer):
    """Layers of gated recurrent units; see `GRUCell` for one step.

    Parameters
    ----------
    hidden_size, num_layers, layout, dropout, bidirectional, input_size, dtype, ... : as for `RNN`.

    Shapes
    ------
    as for `RNN`.
    """

    def __init__(
        self,
        hidden_size: int,
        num_layers: int = 1,
        layout: str = "TNC",
        dropout: float = 0,
        bidirectional: bool = False,
        input_size: int = 0,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            hidden_size,
            num_layers,
            layout,
            dropout,
            bidirectional,
            input_size,
            i2h_weight_initializer,
            h2h_weight_initializer,
            i2h_bias_initializer,
            h2h_bias_initializer,
            "gru",
            dtype=dtype,
            **kwargs,
        )
