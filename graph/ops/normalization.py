"""Normalizations of layers, instances, groups, vectors and neighbouring channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike, prod
from ..errors import ShapeError
from ..shapes import ShapeContext
from .registry import operator

__all__: list[str] = []


def _vectors(size: DimLike, what: str, **inputs: Tensor) -> None:
    for name, v in inputs.items():
        if v.dims != (size,):
            raise ShapeError(f"argument {name!r}: expected shape ({size},), {what}, got {v.dims}")


def _standard(g: Builder, x: Tensor, axes: Sequence[int], eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """(normalized data, mean, standard deviation) over `axes`, which stay as length 1."""
    mean = g.reduce("Mean", x, axes, keepdims=True)
    centred = x - mean
    std = g.op("Sqrt", g.reduce("Mean", centred * centred, axes, keepdims=True) + eps)
    return centred / std, mean, std


@operator(
    "LayerNorm", outputs=lambda a: 3 if a.output_mean_var else 1, output_names=("output", "mean", "std")
)
def layer_norm(
    g: Builder,
    data: Tensor,
    gamma: Tensor,
    beta: Tensor,
    *,
    axis: int = -1,
    eps: float = 1e-5,
    output_mean_var: bool = False,
) -> tuple[Tensor, ...]:
    """LayerNorm(data, gamma, beta, axis=-1, eps=1e-05, output_mean_var=False)

    ``(x - mean) / sqrt(var + eps) * gamma + beta`` with mean and variance along `axis`; `gamma` and `beta` are vectors
    along it. With `output_mean_var` the mean and ``sqrt(var + eps)`` are further results.
    """
    if not -data.ndim <= axis < data.ndim:
        raise ShapeError(f"parameter 'axis': {axis} is no axis of data with shape {data.dims}")
    axis %= data.ndim
    _vectors(data.dims[axis], "one value for each place on the axis", gamma=gamma, beta=beta)
    if axis == data.ndim - 1 and data.dt == np.float32:
        y, mean, inverse = g.multi("LayerNormalization", 3, data, gamma, beta, axis=-1, epsilon=eps)
        return (y, mean, 1.0 / inverse) if output_mean_var else (y,)
    x = g.cast(data, np.float32) if data.dt == np.float16 else data
    y, mean, std = _standard(g, x, [axis], eps)
    shape = [d if i == axis else 1 for i, d in enumerate(data.dims)]
    y = y * g.reshape(g.cast(gamma, x.dt), shape) + g.reshape(g.cast(beta, x.dt), shape)
    results = (y, mean, std) if output_mean_var else (y,)
    return tuple(g.cast(r, data.dt) for r in results)


@layer_norm.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    s.set("data", s[0])
    s.set(0, s["data"])
    data = s["data"]
    if data is not None:
        axis = a.axis % len(data)
        for name in ("gamma", "beta"):
            s.set(name, (data[axis],))
        for i in range(1, len(s.outputs)):
            s.set(i, (*data[:axis], 1, *data[axis + 1 :]))


@operator("InstanceNorm")
def instance_norm(g: Builder, data: Tensor, gamma: Tensor, beta: Tensor, *, eps: float = 1e-3) -> Tensor:
    """InstanceNorm(data, gamma, beta, eps=0.001)

    ``(x - mean) / sqrt(var + eps) * gamma + beta`` with mean and variance of every channel (axis 1) of every example.
    """
    if data.ndim < 3:
        raise ShapeError(f"argument 'data': expected at least 3 axes, got shape {data.dims}")
    _vectors(data.dims[1], "one value for each channel", gamma=gamma, beta=beta)
    return g.op("InstanceNormalization", data, gamma, beta, epsilon=eps)


@instance_norm.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    s.set("data", s[0])
    s.set(0, s["data"])
    data = s["data"]
    if data is not None and len(data) > 1:
        for name in ("gamma", "beta"):
            s.set(name, (data[1],))


@operator(
    "GroupNorm", outputs=lambda a: 3 if a.output_mean_var else 1, output_names=("output", "mean", "std")
)
def group_norm(
    g: Builder,
    data: Tensor,
    gamma: Tensor,
    beta: Tensor,
    *,
    num_groups: int = 1,
    eps: float = 1e-5,
    output_mean_var: bool = False,
) -> tuple[Tensor, ...]:
    """GroupNorm(data, gamma, beta, num_groups=1, eps=1e-05, output_mean_var=False)

    ``(x - mean) / sqrt(var + eps) * gamma + beta`` with mean and variance of every group of channels (axis 1) of every
    example; `gamma` and `beta` have one value a group. With `output_mean_var` the mean and ``sqrt(var + eps)``, of
    shape (batch, num_groups), are further results.
    """
    if data.ndim < 3:
        raise ShapeError(f"argument 'data': expected at least 3 axes, got shape {data.dims}")
    if data.dims[1] % num_groups != 0:
        raise ShapeError(
            f"parameter 'num_groups': {data.dims[1]} channels do not split into {num_groups} groups"
        )
    _vectors(num_groups, "one value for each group", gamma=gamma, beta=beta)
    x = g.reshape(data, (data.dims[0], num_groups, prod(data.dims[1:]) // num_groups))
    if not output_mean_var:
        return (g.reshape(g.op("InstanceNormalization", x, gamma, beta, epsilon=eps), data.dims),)
    y, mean, std = _standard(g, x, [2], eps)
    y = y * g.reshape(gamma, (num_groups, 1)) + g.reshape(beta, (num_groups, 1))
    return g.reshape(y, data.dims), g.reshape(mean, x.dims[:2]), g.reshape(std, x.dims[:2])


@group_norm.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    s.set("data", s[0])
    s.set(0, s["data"])
    for name in ("gamma", "beta"):
        s.set(name, (a.num_groups,))
    data = s["data"]
    if data is not None:
        for i in range(1, len(s.outputs)):
            s.set(i, (data[0], a.num_groups))


@operator("L2Normalization", elementwise=True)
def l2_normalization(
    g: Builder,
    data: Tensor,
    *,
    eps: float = 1e-10,
    mode: Literal["channel", "instance", "spatial"] = "instance",
) -> Tensor:
    """L2Normalization(data, eps=1e-10, mode='instance')

    ``x / sqrt(sum(x * x) + eps)``, summed over all axes but the first (``instance``), over axis 1 (``channel``) or over
    the axes from 2 on (``spatial``).
    """
    first = {"instance": 1, "channel": 1, "spatial": 2}[mode]
    if data.ndim < first + 1:
        raise ShapeError(
            f"argument 'data': expected at least {first + 1} axes for mode={mode!r}, got shape {data.dims}"
        )
    axes = [1] if mode == "channel" else list(range(first, data.ndim))
    total = g.reduce("SumSquare", data, axes, keepdims=True)
    return data / g.op("Sqrt", total + eps)


@operator("LRN", elementwise=True)
def lrn(
    g: Builder, data: Tensor, *, alpha: float = 1e-4, beta: float = 0.75, knorm: float = 2.0, nsize: int
) -> Tensor:
    """LRN(data, alpha=0.0001, beta=0.75, knorm=2, nsize)

    ``x / (knorm + alpha / nsize * sum(x * x)) ** beta``, summed over `nsize` neighbouring channels (axis 1).
    """
    if nsize % 2 == 0:
        raise ShapeError(f"parameter 'nsize': expected an odd number, got {nsize}")
    return g.op("LRN", data, alpha=alpha, beta=beta, bias=knorm, size=nsize)
