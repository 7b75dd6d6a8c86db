"""Batch normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ..autodiff.engine import Gradient, attribute, tensor
from ..builder import Builder, CustomFunction, Tensor
from ..dims import DimLike, prod
from ..errors import ShapeError
from ..shapes import ShapeContext, TypeContext
from .registry import operator

__all__: list[str] = []


def _others(x: Tensor, axis: int) -> list[int]:
    return [a for a in range(x.ndim) if a != axis]


def _along(g: Builder, v: Tensor, x: Tensor, axis: int) -> Tensor:
    """A vector of channels in a shape that broadcasts against `x`."""
    return g.reshape(v, [d if a == axis else 1 for a, d in enumerate(x.dims)])


def _affine(g: Builder, x: Tensor, scale: Tensor, shift: Tensor, axis: int) -> Tensor:
    """``x * scale + shift``, channel by channel; on axis 1 by one operator that reads `x` once."""
    if axis == 1:
        zeros, ones = g.fill(scale.dims, 0, x.dt), g.fill(scale.dims, 1, x.dt)
        return g.op("BatchNormalization", x, scale, shift, zeros, ones, epsilon=0.0)
    return x * _along(g, scale, x, axis) + _along(g, shift, x, axis)


def _count(g: Builder, x: Tensor, axis: int) -> Tensor | float:
    """The number of elements of a channel."""
    count = prod(x.dims[a] for a in _others(x, axis))
    return float(count) if isinstance(count, int) else g.cast(g.dim(count), x.dt)


def _expand(
    g: Builder, x: Tensor, gamma: Tensor, beta: Tensor, *, axis: int, eps: float, fix_gamma: int
) -> tuple[Tensor, ...]:
    """(result, mean, variance) with the statistics of the batch."""
    if axis == 1 and x.dt == np.float32:
        # ONNX Runtime may write the statistics over the buffers of the running ones, which must be nobody else's:
        # zeros that are computed, and with momentum 0 have no influence.
        zeros = beta - beta, gamma - gamma
        scale = g.fill(gamma.dims, 1, x.dt) if fix_gamma else gamma
        return g.multi(
            "BatchNormalization", 3, x, scale, beta, *zeros, epsilon=eps, momentum=0.0, training_mode=1
        )
    axes = _others(x, axis)
    mean = g.reduce("Mean", x, axes)
    centred = x - _along(g, mean, x, axis)
    var = g.reduce("SumSquare", centred, axes) / _count(g, x, axis)
    inverse = 1.0 / g.op("Sqrt", var + eps)
    scale = inverse if fix_gamma else gamma * inverse
    return _affine(g, x, scale, beta - mean * scale, axis), mean, var


def _vjp(
    g: Builder, n: ir.Node, dy: Tensor | None, dmean: Tensor | None = None, dvar: Tensor | None = None
) -> tuple[Gradient, ...]:
    """The gradient of the data is a sum of two affine functions, of `dy` and of the data."""
    x, gamma = tensor(n.inputs[0]), tensor(n.inputs[1])
    mean, var = tensor(n.outputs[1]), tensor(n.outputs[2])
    axis, fixed = attribute(n, "axis"), attribute(n, "fix_gamma")
    axes, count = _others(x, axis), _count(g, x, axis)
    inverse = 1.0 / g.op("Sqrt", var + float(attribute(n, "eps")))
    slope = g.fill(mean.dims, 0, x.dt)  # gradient of the data: dy * scale + x * slope + shift
    shift: Tensor = slope
    dbeta: Gradient = None
    dgamma: Gradient = None
    if dy is not None:
        dbeta = g.reduce("Sum", dy, axes)
        dgamma = (g.reduce("Sum", dy * x, axes) - mean * dbeta) * inverse
        scale = inverse if fixed else gamma * inverse
        slope = -(scale * inverse * dgamma / count)
        shift = -(scale * dbeta / count) - mean * slope
    if dmean is not None:
        shift = shift + dmean / count
    if dvar is not None:
        weight = dvar * 2.0 / count
        slope, shift = slope + weight, shift - weight * mean

    def data() -> Tensor:
        rest = _affine(g, x, slope, shift, axis)
        return rest if dy is None else rest + _affine(g, dy, scale, g.fill(mean.dims, 0, x.dt), axis)

    zeros = g.fill(gamma.dims, 0, gamma.dt)
    return data, zeros if fixed or dgamma is None else dgamma, zeros if dbeta is None else dbeta


_TRAIN = CustomFunction("BatchNormTrain", _expand, _vjp)


def _frozen(
    g: Builder, x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, axis: int, eps: float
) -> Tensor:
    if axis == 1:
        return g.op("BatchNormalization", x, gamma, beta, mean, var, epsilon=eps)
    scale = gamma / g.op("Sqrt", var + eps)
    return _affine(g, x, scale, beta - mean * scale, axis)


def _normalized(
    g: Builder,
    data: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moving_mean: Tensor,
    moving_var: Tensor,
    *,
    axis: int,
    eps: float,
    momentum: float,
    fix_gamma: bool,
    use_global_stats: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """(result, mean, variance); in training the moving statistics are updated."""
    if not -data.ndim <= axis < data.ndim:
        raise ShapeError(f"parameter 'axis': {axis} is no axis of data with shape {data.dims}")
    axis %= data.ndim
    for name, v in (
        ("gamma", gamma),
        ("beta", beta),
        ("moving_mean", moving_mean),
        ("moving_var", moving_var),
    ):
        if v.dims != (data.dims[axis],):
            raise ShapeError(f"argument {name!r}: expected shape ({data.dims[axis]},), got {v.dims}")
    x = g.cast(data, gamma.dt)
    if g.train and not use_global_stats:
        y, mean, var = g.custom(_TRAIN, x, gamma, beta, axis=axis, eps=eps, fix_gamma=int(fix_gamma))
        g.update(moving_mean, moving_mean * momentum + mean * (1.0 - momentum))
        g.update(moving_var, moving_var * momentum + var * (1.0 - momentum))
    else:
        scale = _ones_like(g, gamma) if fix_gamma else gamma
        y, mean, var = _frozen(g, x, scale, beta, moving_mean, moving_var, axis, eps), moving_mean, moving_var
    return g.cast(y, data.dt), mean, var


def normalize(g: Builder, *inputs: Tensor, eps: float, **options: Any) -> tuple[Tensor, Tensor, Tensor]:
    """(result, mean, 1 / sqrt(variance + eps)); in training the moving statistics are updated."""
    y, mean, var = _normalized(g, *inputs, eps=eps, **options)
    return y, mean, 1.0 / g.op("Sqrt", var + eps)


def _ones(g: Builder, gamma: Tensor) -> Tensor:
    return g.fill(gamma.dims, 1, gamma.dt)


def _no_gradient(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    return g.fill(dy.dims, 0, dy.dt)


_FIXED = CustomFunction("FixedGamma", _ones, _no_gradient)


def _ones_like(g: Builder, gamma: Tensor) -> Tensor:
    """Ones in place of `gamma`, whose gradient is zero."""
    return g.custom(_FIXED, gamma)[0]


_STATISTIC = CustomFunction("Statistic", lambda g, x: g.op("Identity", x), _no_gradient)


def _statistics(a: Any) -> int:
    return 3 if a.output_mean_var else 1


def _shape(s: ShapeContext, a: Any) -> None:
    s.set("data", s[0])
    s.set(0, s["data"])
    data = s["data"]
    if data is None:
        return
    axis = getattr(a, "axis", 1)
    if not -len(data) <= axis < len(data):
        raise ShapeError(f"{s.where}: parameter 'axis': {axis} is no axis of data with shape {data}")
    channels: Sequence[DimLike | None] = (data[axis],)
    for name in ("gamma", "beta", "moving_mean", "moving_var"):
        s.set(name, tuple(channels))
    for i in range(1, len(s.outputs)):
        s.set(i, tuple(channels))


def _type(t: TypeContext, a: Any) -> None:
    t.unify_all(["data", 0])
    if t["data"] == np.float16:  # half-precision data keeps parameters and statistics in single precision
        for name in ("gamma", "beta", "moving_mean", "moving_var"):
            t.set(name, np.float32)
    elif t["data"] is not None:
        t.set("gamma", t["data"])
    t.unify_all(["gamma", "beta", "moving_mean", "moving_var", *range(1, len(t.outputs))])


_OPTIONS: dict[str, Any] = {
    "aux": ("moving_mean", "moving_var"),
    "outputs": _statistics,
    "output_names": ("output", "mean", "var"),
    "uses_train": True,
}


@operator("BatchNorm", **_OPTIONS)
def batch_norm(
    g: Builder,
    data: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moving_mean: Tensor,
    moving_var: Tensor,
    *,
    eps: float = 1e-3,
    momentum: float = 0.9,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    output_mean_var: bool = False,
    axis: int = 1,
    cudnn_off: bool = False,
    min_calib_range: float | None = None,
    max_calib_range: float | None = None,
) -> tuple[Tensor, ...]:
    """BatchNorm(data, gamma, beta, moving_mean, moving_var, eps=0.001, momentum=0.9, fix_gamma=True,
    use_global_stats=False, output_mean_var=False, axis=1, cudnn_off=False, min_calib_range=None, max_calib_range=None)

    ``(x - mean) / sqrt(var + eps) * gamma + beta`` for every channel along `axis`. In training mean and (biased)
    variance are those of the batch, and the moving ones become ``moving * momentum + batch * (1 - momentum)``; else,
    or with `use_global_stats`, they are the moving ones. `fix_gamma` puts 1 in place of gamma. With `output_mean_var`
    the mean and ``1 / sqrt(var + eps)`` are further results.
    """
    results = normalize(
        g,
        data,
        gamma,
        beta,
        moving_mean,
        moving_var,
        axis=axis,
        eps=eps,
        momentum=momentum,
        fix_gamma=fix_gamma,
        use_global_stats=use_global_stats,
    )
    return results if output_mean_var else results[:1]


@operator("_contrib_BatchNormWithReLU", **_OPTIONS)
def batch_norm_with_relu(
    g: Builder,
    data: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moving_mean: Tensor,
    moving_var: Tensor,
    *,
    eps: float = 1e-3,
    momentum: float = 0.9,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    output_mean_var: bool = False,
    axis: int = 1,
    cudnn_off: bool = False,
    min_calib_range: float | None = None,
    max_calib_range: float | None = None,
) -> tuple[Tensor, ...]:
    """BatchNormWithReLU(data, gamma, beta, moving_mean, moving_var, eps=0.001, momentum=0.9, fix_gamma=True,
    use_global_stats=False, output_mean_var=False, axis=1, cudnn_off=False, min_calib_range=None, max_calib_range=None)

    BatchNorm, then max(x, 0).
    """
    y, *rest = normalize(
        g,
        data,
        gamma,
        beta,
        moving_mean,
        moving_var,
        axis=axis,
        eps=eps,
        momentum=momentum,
        fix_gamma=fix_gamma,
        use_global_stats=use_global_stats,
    )
    return (g.op("Relu", y), *rest) if output_mean_var else (g.op("Relu", y),)


@operator("_contrib_SyncBatchNorm", **_OPTIONS)
def sync_batch_norm(
    g: Builder,
    data: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moving_mean: Tensor,
    moving_var: Tensor,
    *,
    eps: float = 1e-3,
    momentum: float = 0.9,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    output_mean_var: bool = False,
    ndev: int = 1,
    key: str,
) -> tuple[Tensor, ...]:
    """SyncBatchNorm(data, gamma, beta, moving_mean, moving_var, eps=0.001, momentum=0.9, fix_gamma=True,
    use_global_stats=False, output_mean_var=False, ndev=1, key)

    BatchNorm over axis 1. A program runs on one device, so that the statistics are those of its batch, whatever
    `ndev` and `key` say. With `output_mean_var` mean and variance are further results.
    """
    results = _normalized(
        g,
        data,
        gamma,
        beta,
        moving_mean,
        moving_var,
        axis=1,
        eps=eps,
        momentum=momentum,
        fix_gamma=fix_gamma,
        use_global_stats=use_global_stats,
    )
    return results if output_mean_var else results[:1]


@operator(
    "BatchNorm_v1",
    aux=("moving_mean", "moving_var"),
    outputs=3,
    visible=_statistics,
    output_names=("output", "mean", "var"),
    uses_train=True,
)
def batch_norm_v1(
    g: Builder,
    data: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moving_mean: Tensor,
    moving_var: Tensor,
    *,
    eps: float = 1e-3,
    momentum: float = 0.9,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    output_mean_var: bool = False,
) -> tuple[Tensor, ...]:
    """BatchNorm_v1(data, gamma, beta, moving_mean, moving_var, eps=0.001, momentum=0.9, fix_gamma=True,
    use_global_stats=False, output_mean_var=False)

    BatchNorm over axis 1 as it first was. With `output_mean_var` mean and variance are further results, which have no
    gradient.
    """
    y, mean, var = _normalized(
        g,
        data,
        gamma,
        beta,
        moving_mean,
        moving_var,
        axis=1,
        eps=eps,
        momentum=momentum,
        fix_gamma=fix_gamma,
        use_global_stats=use_global_stats,
    )
    return y, g.custom(_STATISTIC, mean)[0], g.custom(_STATISTIC, var)[0]


for _op in (batch_norm, batch_norm_with_relu, sync_batch_norm, batch_norm_v1):
    _op.infer_shape(_shape)
    _op.infer_type(_type)
    _op.inits = {"moving_mean": '["zero", {}]', "moving_var": '["one", {}]'}
