"""Activation functions as layers, and Dropout."""

from __future__ import annotations

from typing import Any, Literal

from ..builder import Builder, Tensor
from ..dims import DimLike
from ..errors import ShapeError
from ..random import bernoulli, uniform
from ..shapes import ShapeContext
from .registry import operator
from .schema import Ints

__all__: list[str] = []

_ONNX = {"relu": "Relu", "sigmoid": "Sigmoid", "softrelu": "Softplus", "softsign": "Softsign", "tanh": "Tanh"}


@operator("Activation", elementwise=True)
def activation(
    g: Builder, data: Tensor, *, act_type: Literal["relu", "sigmoid", "softrelu", "softsign", "tanh"]
) -> Tensor:
    """Activation(data, act_type)

    ``relu``: max(x, 0); ``sigmoid``: 1 / (1 + exp(-x)); ``softrelu``: log(1 + exp(x)); ``softsign``: x / (1 + abs(x));
    ``tanh``.
    """
    return g.op(_ONNX[act_type], data)


_LEAKY = Literal["elu", "gelu", "leaky", "prelu", "rrelu", "selu"]


@operator(
    "LeakyReLU",
    present=lambda a: ["data", "gamma"] if a.act_type == "prelu" else ["data"],
    outputs=lambda a: 2 if a.act_type == "rrelu" else 1,
    output_names=("output", "mask"),
    stochastic=True,
    uses_train=True,
)
def leaky_relu(
    g: Builder,
    data: Tensor,
    gamma: Tensor | None = None,
    *,
    act_type: _LEAKY = "leaky",
    slope: float = 0.25,
    lower_bound: float = 0.125,
    upper_bound: float = 0.334,
) -> Tensor | tuple[Tensor, ...]:
    """LeakyReLU(data, gamma=None, act_type='leaky', slope=0.25, lower_bound=0.125, upper_bound=0.334)

    ``leaky``: `slope` * x below zero; ``elu``: `slope` * (exp(x) - 1) below zero; ``selu``; ``gelu`` (by erf);
    ``prelu``: a slope for each channel, or one, learned as `gamma`; ``rrelu``: in training a random slope for each
    element, uniform between the bounds, else their mean; the slopes are a second result.
    """
    if act_type == "leaky":
        return g.op("LeakyRelu", data, alpha=slope)
    if act_type == "elu":
        return g.op("Elu", data, alpha=slope)
    if act_type == "selu":
        return g.op("Selu", data)
    if act_type == "gelu":
        return g.op("Gelu", data)
    if act_type == "prelu":
        assert gamma is not None
        return g.op("PRelu", data, _slopes(g, gamma, data))
    if g.train:
        slopes = uniform(g, data.dims, data.dt) * (upper_bound - lower_bound) + lower_bound
    else:
        slopes = g.fill(data.dims, (lower_bound + upper_bound) / 2, data.dt)
    mask = g.op("Where", g.op("Greater", data, 0.0), g.const(1, data.dt), slopes)
    return data * mask, mask


def _slopes(g: Builder, gamma: Tensor, data: Tensor) -> Tensor:
    """The slopes in a shape that broadcasts against the data's channels."""
    if gamma.dims in ((), (1,)) or data.ndim == 1:
        return gamma
    if gamma.ndim == 1 and gamma.dims[0] == data.dims[1]:
        return g.reshape(gamma, (*gamma.dims, *(1,) * (data.ndim - 2)))
    if gamma.ndim == data.ndim:
        return gamma
    raise ShapeError(f"argument 'gamma': expected shape (1,) or ({data.dims[1]},), got {gamma.dims}")


leaky_relu.inits = {"gamma": '["Constant", {"value": 0.25}]'}


@leaky_relu.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    data = s["data"] if s["data"] is not None else s[0]
    s.set("data", data)
    for i in range(len(s.outputs)):
        s.set(i, data)
    if data is not None and "gamma" in s and s["gamma"] is None:
        s.set("gamma", (data[1] if len(data) > 1 else data[0],))


@operator("Dropout", stochastic=True, uses_train=True)
def dropout(
    g: Builder,
    data: Tensor,
    *,
    p: float = 0.5,
    mode: Literal["always", "training"] = "training",
    axes: Ints = (),
    cudnn_off: bool | None = False,
) -> Tensor:
    """Dropout(data, p=0.5, mode='training', axes=(), cudnn_off=False)

    In training (or with ``mode='always'``) every element is zero with probability `p` and divided by ``1 - p``
    otherwise. Along `axes` all elements share their fate.
    """
    if not 0.0 <= p <= 1.0:
        raise ShapeError(f"parameter 'p': expected a probability from 0 to 1, got {p}")
    if p == 0.0 or (mode == "training" and not g.train):
        return g.op("Identity", data)
    shared = {a % data.ndim for a in axes}
    dims: list[DimLike] = [1 if i in shared else d for i, d in enumerate(data.dims)]
    keep = g.cast(bernoulli(g, dims, 1.0 - p), data.dt)
    return data * (keep * (1.0 / (1.0 - p)) if p < 1.0 else keep)


@dropout.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    s.unify_all()
