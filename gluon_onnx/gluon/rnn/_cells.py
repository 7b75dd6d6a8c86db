"""Elman, LSTM and GRU cells."""

from __future__ import annotations

from typing import Any, ClassVar

from ._base import HybridRecurrentCell

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class _GatedCell(HybridRecurrentCell):
    """A cell whose gates are sums of a product with the input and one with the state."""

    i2h_weight: Any
    _gates: ClassVar[int] = 1
    _states: ClassVar[int] = 1

    def __init__(
        self,
        hidden_size: int,
        input_size: int,
        initializers: dict[str, Any],
        prefix: str | None,
        params: Any,
        state_size: int | None = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._hidden_size = hidden_size
        self._input_size = input_size
        rows = self._gates * hidden_size
        shapes = {
            "i2h_weight": (rows, input_size),
            "h2h_weight": (rows, hidden_size if state_size is None else state_size),
            "h2r_weight": (state_size, hidden_size),
            "i2h_bias": (rows,),
            "h2h_bias": (rows,),
        }
        for name, init in initializers.items():
            parameter = self.params.get(name, shape=shapes[name], init=init, allow_deferred_init=True)
            setattr(self, name, parameter)

    def state_info(self, batch_size: int = 0) -> list[dict[str, Any]]:
        """Shape and layout of each state."""
        return [{"shape": (batch_size, self._hidden_size), "__layout__": "NC"} for _ in range(self._states)]

    def _mapping(self) -> str:
        shape = self.i2h_weight.shape
        return f"{shape[1] or None} -> {shape[0]}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._mapping()})"

    def _sums(
        self, F: Any, x: Any, h: Any, weights: tuple[Any, Any], biases: tuple[Any, Any]
    ) -> tuple[str, Any, Any]:
        """The prefix of this step's names, and the products with input and state."""
        step, rows = f"t{self._counter}_", self._gates * self._hidden_size
        i2h = F.FullyConnected(data=x, weight=weights[0], bias=biases[0], num_hidden=rows, name=step + "i2h")
        h2h = F.FullyConnected(data=h, weight=weights[1], bias=biases[1], num_hidden=rows, name=step + "h2h")
        return step, i2h, h2h


class RNNCell(_GatedCell):
    """Elman cell: ``h = activation(W_ih x + b_ih + W_hh h + b_hh)``.

    Parameters
    ----------
    hidden_size : length of the state.
    activation : name, block or function.
    i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer : initializers.
    input_size : length of the input; found from the first one by default.

    Shapes
    ------
    input (N, input_size), state and output (N, hidden_size).
    """

    def __init__(
        self,
        hidden_size: int,
        activation: Any = "tanh",
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        initializers = {
            "i2h_weight": i2h_weight_initializer,
            "h2h_weight": h2h_weight_initializer,
            "i2h_bias": i2h_bias_initializer,
            "h2h_bias": h2h_bias_initializer,
        }
        super().__init__(hidden_size, input_size, initializers, prefix, params)
        self._activation = activation

    def _alias(self) -> str:
        return "rnn"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._mapping()}, {self._activation})"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> Any:
        """One step."""
        step, i2h, h2h = self._sums(F, inputs, states[0], (i2h_weight, h2h_weight), (i2h_bias, h2h_bias))
        total = F.elemwise_add(i2h, h2h, name=step + "plus0")
        output = self._get_activation(F, total, self._activation, name=step + "out")
        return output, [output]


class LSTMCell(_GatedCell):
    """Cell of a long short-term memory: gates i, f, o and candidate g from ``W_ih x + b_ih + W_hh h + b_hh``, then
    ``c = f * c + i * g`` and ``h = o * tanh(c)``.

    Parameters
    ----------
    hidden_size : length of both states.
    i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer : initializers.
    input_size : length of the input; found from the first one by default.
    activation, recurrent_activation : of candidate and output, and of the gates.

    Shapes
    ------
    input (N, input_size), states [h, c] and output (N, hidden_size); rows of the parameters: i, f, g, o.
    """

    _gates = 4
    _states = 2

    def __init__(
        self,
        hidden_size: int,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: Any = None,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
    ) -> None:
        initializers = {
            "i2h_weight": i2h_weight_initializer,
            "h2h_weight": h2h_weight_initializer,
            "i2h_bias": i2h_bias_initializer,
            "h2h_bias": h2h_bias_initializer,
        }
        super().__init__(hidden_size, input_size, initializers, prefix, params)
        self._activation = activation
        self._recurrent_activation = recurrent_activation

    def _alias(self) -> str:
        return "lstm"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> Any:
        """One step."""
        step, i2h, h2h = self._sums(F, inputs, states[0], (i2h_weight, h2h_weight), (i2h_bias, h2h_bias))
        parts = F.SliceChannel(
            F.elemwise_add(i2h, h2h, name=step + "plus0"), num_outputs=4, name=step + "slice"
        )
        i, f, o = (
            self._get_activation(F, parts[k], self._recurrent_activation, name=step + n)
            for k, n in ((0, "i"), (1, "f"), (3, "o"))
        )
        candidate = self._get_activation(F, parts[2], self._activation, name=step + "c")
        c = F.elemwise_add(
            F.elemwise_mul(f, states[1], name=step + "mul0"),
            F.elemwise_mul(i, candidate, name=step + "mul1"),
            name=step + "state",
        )
        bounded = F.Activation(c, act_type=self._activation, name=step + "activation0")
        h = F.elemwise_mul(o, bounded, name=step + "out")
        return h, [h, c]


class GRUCell(_GatedCell):
    """Cell of a gated recurrent unit, with the reset gate behind the product with the state, as cuDNN has it:
    ``n = tanh(W_in x + b_in + r * (W_hn h + b_hn))`` and ``h = (1 - z) * n + z * h``.

    Parameters
    ----------
    hidden_size : length of the state.
    i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer : initializers.
    input_size : length of the input; found from the first one by default.

    Shapes
    ------
    input (N, input_size), state and output (N, hidden_size); rows of the parameters: r, z, n.
    """

    _gates = 3

    def __init__(
        self,
        hidden_size: int,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        initializers = {
            "i2h_weight": i2h_weight_initializer,
            "h2h_weight": h2h_weight_initializer,
            "i2h_bias": i2h_bias_initializer,
            "h2h_bias": h2h_bias_initializer,
        }
        super().__init__(hidden_size, input_size, initializers, prefix, params)

    def _alias(self) -> str:
        return "gru"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> Any:
        """One step."""
        old = states[0]
        step, i2h, h2h = self._sums(F, inputs, old, (i2h_weight, h2h_weight), (i2h_bias, h2h_bias))
        xr, xz, xn = F.SliceChannel(i2h, num_outputs=3, name=step + "i2h_slice")
        hr, hz, hn = F.SliceChannel(h2h, num_outputs=3, name=step + "h2h_slice")

        def gate(a: Any, b: Any, number: int, act: str, name: str) -> Any:
            total = F.elemwise_add(a, b, name=f"{step}plus{number}")
            return F.Activation(total, act_type=act, name=step + name)

        r = gate(xr, hr, 0, "sigmoid", "r_act")
        z = gate(xz, hz, 1, "sigmoid", "z_act")
        n = gate(xn, F.elemwise_mul(r, hn, name=step + "mul0"), 2, "tanh", "h_act")
        rest = F.elemwise_sub(F.ones_like(z, name=step + "ones_like0"), z, name=step + "minus0")
        h = F.elemwise_add(
            F.elemwise_mul(rest, n, name=step + "mul1"),
            F.elemwise_mul(z, old, name=step + "mul20"),
            name=step + "out",
        )
        return h, [h]
