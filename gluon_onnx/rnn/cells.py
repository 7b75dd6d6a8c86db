"""Recurrent cells of symbols: what is common to all, and the three simple ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import initializer, ndarray, symbol
from ..ndarray import NDArray
from ..symbol import Symbol

__all__ = ["BaseRNNCell", "GRUCell", "LSTMCell", "RNNCell", "RNNParams", "normalize"]

States = list[Symbol]


class RNNParams:
    """The variables of cells, by name; cells that have one of these in common share their weights.

    Parameters
    ----------
    prefix : put before every name.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._params: dict[str, Symbol] = {}

    def get(self, name: str, **kwargs: Any) -> Symbol:
        """The variable called `name`; made, with `kwargs` for `sym.var`, when it is first asked for."""
        full = self._prefix + name
        if full not in self._params:
            self._params[full] = symbol.var(full, **kwargs)
        return self._params[full]


def normalize(
    length: int | None, inputs: Any, layout: str, merge: bool | None, in_layout: str | None = None
) -> tuple[Any, int]:
    """A sequence as one symbol (`merge`), or as a list of one symbol a step; as it came where `merge` is None.

    Returns
    -------
    The sequence, and the number of the axis of time in `layout`.

    Raises
    ------
    ValueError : there are no inputs, or another number than `length`.
    """
    if inputs is None:
        raise ValueError("unroll: inputs must be given: symbols, or one symbol whose axis of time is split")
    axis = layout.find("T")
    in_axis = axis if in_layout is None else in_layout.find("T")
    if isinstance(inputs, Symbol):
        if merge is False:
            if len(inputs.list_outputs()) != 1:
                raise ValueError(
                    "unroll: a symbol with several outputs is no sequence; give a list of symbols"
                )
            parts = symbol.split(inputs, axis=in_axis, num_outputs=length, squeeze_axis=1)
            inputs = list(parts)
    else:
        if length is not None and len(inputs) != length:
            raise ValueError(f"unroll: expected {length} inputs, got {len(inputs)}")
        if merge is True:
            inputs = symbol.Concat(*(symbol.expand_dims(x, axis=axis) for x in inputs), dim=axis)
            in_axis = axis
    if isinstance(inputs, Symbol) and axis != in_axis:
        inputs = symbol.swapaxes(inputs, dim1=axis, dim2=in_axis)
    return inputs, axis


class BaseRNNCell:
    """Base of the recurrent cells.

    Parameters
    ----------
    prefix : put before the names of nodes, and of weights unless `params` is given.
    params : the variables to use, for sharing.
    """

    def __init__(self, prefix: str = "", params: RNNParams | None = None) -> None:
        self._own_params = params is None
        self._prefix = prefix
        self._params = RNNParams(prefix) if params is None else params
        self._modified = False
        self.reset()

    def reset(self) -> None:
        """Begin to count steps and states anew, before the cell is used in another graph."""
        self._init_counter = -1
        self._counter = -1

    def __call__(self, inputs: Symbol, states: States) -> tuple[Symbol, States]:
        """One step: the output and the new states.

        Raises
        ------
        TypeError : the subclass does not define it.
        """
        raise TypeError(f"{type(self).__name__} must define __call__(inputs, states)")

    @property
    def params(self) -> RNNParams:
        """The cell's variables; they then count as shared."""
        self._own_params = False
        return self._params

    @property
    def state_info(self) -> Sequence[Mapping[str, Any] | None]:
        """Shape (0 for the batch) and layout of each state.

        Raises
        ------
        TypeError : the subclass does not define it.
        """
        raise TypeError(f"{type(self).__name__} must define state_info")

    @property
    def state_shape(self) -> list[Any]:
        """The shape of each state."""
        return [info["shape"] for info in self.state_info if info is not None]

    @property
    def _gate_names(self) -> Sequence[str]:
        return ()

    def begin_state(self, func: Callable[..., Any] = symbol.zeros, **kwargs: Any) -> States:
        """Symbols for the first states.

        Parameters
        ----------
        func : makes one: `sym.zeros`, `sym.var`, ...; gets `name`, `shape` and what `kwargs` holds.

        Raises
        ------
        RuntimeError : another cell modifies this one, and makes its states.
        """
        if self._modified:
            raise RuntimeError("begin_state: this cell is part of a modifier cell; call that one's")
        states = []
        for info in self.state_info:
            self._init_counter += 1
            name = f"{self._prefix}begin_state_{self._init_counter}"
            states.append(func(name=name, **{**kwargs, **(info or {})}))
        return states

    def _split_names(self) -> list[tuple[str, list[str]]]:
        """Names of the joint weights, with those of their gates."""
        return [
            (f"{self._prefix}{group}_{kind}", [f"{self._prefix}{group}{g}_{kind}" for g in self._gate_names])
            for group in ("i2h", "h2h")
            for kind in ("weight", "bias")
        ]

    def unpack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """A copy of `args` in which the joint weights are replaced by those of every gate."""
        result = dict(args)
        if not self._gate_names:
            return result
        for joint, names in self._split_names():
            whole = result.pop(joint)
            size = whole.shape[0] // len(names)
            for i, name in enumerate(names):
                result[name] = whole[i * size : (i + 1) * size].copy()
        return result

    def pack_weights(self, args: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """The reverse of `unpack_weights`."""
        result = dict(args)
        if not self._gate_names:
            return result
        for joint, names in self._split_names():
            result[joint] = ndarray.concatenate([result.pop(name) for name in names])
        return result

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: States | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, States]:
        """Run the cell over a sequence.

        Parameters
        ----------
        length : number of steps.
        inputs : one symbol, whose axis T of `layout` is the time, or a list of one symbol a step.
        merge_outputs : outputs as one symbol (True), as a list (False), or as they come (None).

        Returns
        -------
        (outputs, states) : of every step, and the last states.
        """
        self.reset()
        inputs, _ = normalize(length, inputs, layout, False)
        states = self.begin_state() if begin_state is None else begin_state
        outputs = []
        for x in inputs:
            output, states = self(x, states)
            outputs.append(output)
        return normalize(length, outputs, layout, merge_outputs)[0], states

    def _activated(self, x: Symbol, activation: Any, **kwargs: Any) -> Symbol:
        """`x` through an activation: the name of one, or a function."""
        if isinstance(activation, str):
            result: Symbol = symbol.Activation(x, act_type=activation, **kwargs)
            return result
        applied: Symbol = activation(x, **kwargs)
        return applied


class _GatedCell(BaseRNNCell):
    """A cell with weights from the input and from its own state."""

    def __init__(self, num_hidden: int, prefix: str, params: RNNParams | None, **bias: Any) -> None:
        super().__init__(prefix, params)
        self._num_hidden = num_hidden
        get = self.params.get
        own = params is None
        self._iW, self._iB = get("i2h_weight"), get("i2h_bias", **bias)
        self._hW, self._hB = get("h2h_weight"), get("h2h_bias")
        self._own_params = own

    def _products(self, inputs: Symbol, state: Symbol, names: tuple[str, str]) -> tuple[Symbol, Symbol]:
        """Input and state, each through its weights."""
        size = self._num_hidden * len(self._gate_names)
        return (
            symbol.FullyConnected(inputs, self._iW, self._iB, num_hidden=size, name=names[0]),
            symbol.FullyConnected(state, self._hW, self._hB, num_hidden=size, name=names[1]),
        )

    @property
    def state_info(self) -> Sequence[Mapping[str, Any]]:
        return [{"shape": (0, self._num_hidden), "__layout__": "NC"}]


class RNNCell(_GatedCell):
    """A simple recurrent cell: ``activation(W x + b + R h + c)``.

    Parameters
    ----------
    num_hidden : units of the output.
    activation : name of an activation, or a function of a symbol.
    """

    def __init__(
        self,
        num_hidden: int,
        activation: Any = "tanh",
        prefix: str = "rnn_",
        params: RNNParams | None = None,
    ) -> None:
        super().__init__(num_hidden, prefix, params)
        self._activation = activation

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("",)

    def __call__(self, inputs: Symbol, states: States) -> tuple[Symbol, States]:
        self._counter += 1
        name = f"{self._prefix}t{self._counter}_"
        i2h, h2h = self._products(inputs, states[0], (f"{name}i2h", f"{name}h2h"))
        output = self._activated(i2h + h2h, self._activation, name=f"{name}out")
        return output, [output]


class LSTMCell(_GatedCell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997).

    Parameters
    ----------
    num_hidden : units of the output.
    forget_bias : first value of the forget gate's bias.
    """

    def __init__(
        self,
        num_hidden: int,
        prefix: str = "lstm_",
        params: RNNParams | None = None,
        forget_bias: float = 1.0,
    ) -> None:
        super().__init__(num_hidden, prefix, params, init=initializer.LSTMBias(forget_bias=forget_bias))

    @property
    def state_info(self) -> Sequence[Mapping[str, Any]]:
        return [{"shape": (0, self._num_hidden), "__layout__": "NC"} for _ in range(2)]

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_i", "_f", "_c", "_o")

    def __call__(self, inputs: Symbol, states: States) -> tuple[Symbol, States]:
        self._counter += 1
        name = f"{self._prefix}t{self._counter}_"
        i2h, h2h = self._products(inputs, states[0], (f"{name}i2h", f"{name}h2h"))
        parts = symbol.SliceChannel(i2h + h2h, num_outputs=4, name=f"{name}slice")
        into, forget, candidate, out = (
            symbol.Activation(part, act_type="tanh" if gate == "c" else "sigmoid", name=f"{name}{gate}")
            for part, gate in zip(parts, "ifco", strict=True)
        )
        state = symbol._internal._plus(forget * states[1], into * candidate, name=f"{name}state")
        output = symbol._internal._mul(out, symbol.Activation(state, act_type="tanh"), name=f"{name}out")
        return output, [output, state]


class GRUCell(_GatedCell):
    """A gated recurrent unit (Cho et al., 2014), in the form of cuDNN.

    Parameters
    ----------
    num_hidden : units of the output.
    """

    def __init__(self, num_hidden: int, prefix: str = "gru_", params: RNNParams | None = None) -> None:
        super().__init__(num_hidden, prefix, params)

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_r", "_z", "_o")

    def __call__(self, inputs: Symbol, states: States) -> tuple[Symbol, States]:
        self._counter += 1
        name, before = f"{self._prefix}t{self._counter}_", states[0]
        i2h, h2h = self._products(inputs, before, (f"{name}_i2h", f"{name}_h2h"))
        i2h_r, i2h_z, i2h_o = symbol.SliceChannel(i2h, num_outputs=3, name=f"{name}_i2h_slice")
        h2h_r, h2h_z, h2h_o = symbol.SliceChannel(h2h, num_outputs=3, name=f"{name}_h2h_slice")
        reset = symbol.Activation(i2h_r + h2h_r, act_type="sigmoid", name=f"{name}_r_act")
        update = symbol.Activation(i2h_z + h2h_z, act_type="sigmoid", name=f"{name}_z_act")
        candidate = symbol.Activation(i2h_o + reset * h2h_o, act_type="tanh", name=f"{name}_h_act")
        output = symbol._internal._plus((1.0 - update) * candidate, update * before, name=f"{name}out")
        return output, [output]
