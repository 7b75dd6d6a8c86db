"""The initializers that MXNet registers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import ndarray, random
from ..ndarray import NDArray
from .base import InitDesc, Initializer, alias, bilinear_kernel, create, register


@register
@alias("zeros")
class Zero(Initializer):
    """Zeros."""

    def __init__(self) -> None:
        super().__init__()

    def _init_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = 0


@register
@alias("ones")
class One(Initializer):
    """Ones."""

    def __init__(self) -> None:
        super().__init__()

    def _init_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = 1


@register
class Constant(Initializer):
    """A given value.

    Parameters
    ----------
    value : float, NDArray or array-like
        A number, or an array that broadcasts to the variable's shape.
    """

    def __init__(self, value: Any) -> None:
        if not np.isscalar(value):
            value = np.asarray(value.asnumpy() if isinstance(value, NDArray) else value)
        # Lists rather than arrays: the arguments must be fit for JSON.
        super().__init__(value=value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value)
        self.value = value

    def _init_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = self.value


@register
class Uniform(Initializer):
    """Uniform random numbers.

    Parameters
    ----------
    scale : float
        They lie in [-scale, scale).
    """

    def __init__(self, scale: float = 0.07) -> None:
        super().__init__(scale=scale)
        self.scale = scale

    def _init_weight(self, name: str, arr: NDArray) -> None:
        random.uniform(-self.scale, self.scale, arr.shape, out=arr)


@register
class Normal(Initializer):
    """Normal random numbers of mean zero.

    Parameters
    ----------
    sigma : float
        Their standard deviation.
    """

    def __init__(self, sigma: float = 0.01) -> None:
        super().__init__(sigma=sigma)
        self.sigma = sigma

    def _init_weight(self, name: str, arr: NDArray) -> None:
        random.normal(0, self.sigma, arr.shape, out=arr)


@register
class Orthogonal(Initializer):
    """An orthogonal matrix, rows by the product of the other dimensions (Saxe et al., arXiv:1312.6120).

    Parameters
    ----------
    scale : float
        Factor of the matrix.
    rand_type : {'uniform', 'normal'}
        Distribution of the matrix whose singular vectors are taken.
    """

    def __init__(self, scale: float = 1.414, rand_type: str = "uniform") -> None:
        if rand_type not in ("uniform", "normal"):
            raise ValueError(f"rand_type must be 'uniform' or 'normal', got {rand_type!r}")
        super().__init__(scale=scale, rand_type=rand_type)
        self.scale = scale
        self.rand_type = rand_type

    def _init_weight(self, name: str, arr: NDArray) -> None:
        shape = (arr.shape[0], math.prod(arr.shape[1:]))
        if self.rand_type == "uniform":
            drawn = random.uniform(-1.0, 1.0, shape=shape).asnumpy()
        else:
            drawn = random.normal(0.0, 1.0, shape=shape).asnumpy()
        left, _, right = np.linalg.svd(drawn, full_matrices=False)
        arr[:] = self.scale * (left if left.shape == shape else right).reshape(arr.shape)


@register
class Xavier(Initializer):
    """Random numbers whose spread depends on the number of inputs and outputs (Glorot and Bengio, 2010).

    The spread is ``sqrt(magnitude / factor)``, where factor is the fan-in, the fan-out or their mean.

    Parameters
    ----------
    rnd_type : {'uniform', 'gaussian'}
        The spread is half the width of a uniform, or the deviation of a normal distribution.
    factor_type : {'avg', 'in', 'out'}
    magnitude : float
    """

    def __init__(self, rnd_type: str = "uniform", factor_type: str = "avg", magnitude: float = 3) -> None:
        super().__init__(rnd_type=rnd_type, factor_type=factor_type, magnitude=magnitude)
        self.rnd_type = rnd_type
        self.factor_type = factor_type
        self.magnitude = float(magnitude)

    def _init_weight(self, name: str, arr: NDArray) -> None:
        shape = arr.shape
        if len(shape) < 2:
            raise ValueError(f"Xavier needs at least two dimensions, but {name!r} has shape {shape}")
        area = math.prod(shape[2:])
        fan_in, fan_out = shape[1] * area, shape[0] * area
        factors = {"avg": (fan_in + fan_out) / 2.0, "in": fan_in, "out": fan_out}
        if self.factor_type not in factors:
            raise ValueError(f"factor_type must be one of {list(factors)}, got {self.factor_type!r}")
        scale = math.sqrt(self.magnitude / factors[self.factor_type])
        if self.rnd_type == "uniform":
            random.uniform(-scale, scale, shape, out=arr)
        elif self.rnd_type == "gaussian":
            random.normal(0, scale, shape, out=arr)
        else:
            raise ValueError(f"rnd_type must be 'uniform' or 'gaussian', got {self.rnd_type!r}")


@register
class MSRAPrelu(Xavier):
    """Normal random numbers for layers followed by PReLU (He et al., arXiv:1502.01852).

    Parameters
    ----------
    factor_type : {'avg', 'in', 'out'}
        See `Xavier`.
    slope : float
        Initial slope of the PReLU.
    """

    def __init__(self, factor_type: str = "avg", slope: float = 0.25) -> None:
        super().__init__("gaussian", factor_type, 2.0 / (1 + slope**2))
        self._kwargs = {"factor_type": factor_type, "slope": slope}


@register
class Bilinear(Initializer):
    """The kernel of a bilinear up-sampling by a transposed convolution, of shape (out, in, height, width)."""

    def __init__(self) -> None:
        super().__init__()

    def _init_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = bilinear_kernel(name, arr.shape)


@register
class LSTMBias(Initializer):
    """Bias of an LSTM cell: `forget_bias` for the forget gate, the second of four, and zero for the others.

    Parameters
    ----------
    forget_bias : float
    """

    def __init__(self, forget_bias: float = 1.0) -> None:
        super().__init__(forget_bias=forget_bias)
        self.forget_bias = forget_bias

    def _init_weight(self, name: str, arr: NDArray) -> None:
        hidden = arr.shape[0] // 4
        arr[:] = 0.0
        arr[hidden : 2 * hidden] = self.forget_bias


_GATES = {"rnn_relu": [""], "rnn_tanh": [""], "lstm": ["_i", "_f", "_c", "_o"], "gru": ["_r", "_z", "_o"]}


@register
class FusedRNN(Initializer):
    """The one vector that holds all parameters of operator RNN, each weight and bias initialized on its own.

    Parameters
    ----------
    init : Initializer or str or None
        For the single weights and biases, named as in ``l0_i2h_i_weight``; None takes the global initializer.
    num_hidden, num_layers : int
    mode : {'rnn_relu', 'rnn_tanh', 'lstm', 'gru'}
    bidirectional : bool
    forget_bias : float
        Value of both biases of an LSTM's forget gates.
    """

    def __init__(
        self,
        init: Initializer | str | None,
        num_hidden: int,
        num_layers: int,
        mode: str,
        bidirectional: bool = False,
        forget_bias: float = 1.0,
    ) -> None:
        if mode not in _GATES:
            raise ValueError(f"mode must be one of {list(_GATES)}, got {mode!r}")
        self._init: Initializer | None = None if init is None else create(init)
        super().__init__(
            init=self._init.dumps() if self._init is not None else None,
            num_hidden=num_hidden,
            num_layers=num_layers,
            mode=mode,
            bidirectional=bidirectional,
            forget_bias=forget_bias,
        )
        self._num_hidden = num_hidden
        self._num_layers = num_layers
        self._mode = mode
        self._bidirectional = bidirectional
        self._forget_bias = forget_bias

    def _parts(self, size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield the name and shape of each weight, then of each bias, in their order in the vector."""
        gates, hidden, directions = _GATES[self._mode], self._num_hidden, "lr"[: 1 + self._bidirectional]
        rows = len(directions) * len(gates) * hidden
        later = (self._num_layers - 1) * (hidden + len(directions) * hidden + 2)
        inputs = size // rows - later - hidden - 2
        if inputs < 1 or size != rows * (inputs + hidden + 2 + later):
            raise ValueError(f"{size} parameters do not make up an RNN of {self._kwargs}")
        for kind in ("weight", "bias"):
            for layer in range(self._num_layers):
                width = len(directions) * hidden if layer else inputs
                for direction in directions:
                    for group, columns in (("i2h", width), ("h2h", hidden)):
                        for gate in gates:
                            shape = (hidden, columns) if kind == "weight" else (hidden,)
                            yield f"{direction}{layer}_{group}{gate}_{kind}", shape

    def _init_weight(self, name: str, arr: NDArray) -> None:
        fallback = name.global_init if isinstance(name, InitDesc) else None
        init = self._init if self._init is not None else fallback
        if init is None:
            raise ValueError(f"FusedRNN without init needs a global initializer for {str(name)!r}")
        at = 0
        for part_name, shape in self._parts(arr.size):
            part = ndarray.zeros(shape, ctx=arr.context, dtype=arr.dtype)
            if self._mode == "lstm" and part_name.endswith("_f_bias"):
                part[:] = self._forget_bias
            else:
                init(InitDesc(part_name, global_init=fallback), part)
            arr[at : at + part.size] = part.reshape((-1,))
            at += part.size
