"""Optimizer updates with a step size for each element: Adam, RMSProp, Ftrl, FTML, AdaGrad."""

from __future__ import annotations

from typing import Any

from ..builder import Builder, Tensor
from ..errors import ShapeError
from ._updates import Step, clip, setting, step_power, with_decay
from .registry import operator
from .schema import Scalar

__all__ = ["moments"]


def moments(
    g: Builder, grad: Tensor, mean: Tensor, var: Tensor, beta1: Any, beta2: Any
) -> tuple[Tensor, Tensor]:
    """The running mean and mean square of a gradient, which replace the old ones."""
    b1, b2 = setting(g, beta1, mean.dt), setting(g, beta2, mean.dt)
    m = b1 * mean + (1.0 - b1) * grad
    v = b2 * var + (1.0 - b2) * grad * grad
    g.update(mean, m)
    g.update(var, v)
    return m, v


def _decayed(g: Builder, weight: Tensor, grad: Tensor, rescale: Any, wd: Any, bound: float) -> Tensor:
    """The gradient with weight decay added, then clipped."""
    dt = weight.dt
    return clip(g, with_decay(setting(g, rescale, dt) * grad, setting(g, wd, dt), weight), bound)


@operator("adam_update", "_sparse_adam_update", differentiable=False)
def adam_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    var: Tensor,
    *,
    lr: Scalar,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-8,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
) -> Tensor:
    """adam_update(weight, grad, mean, var, lr, beta1=0.9, beta2=0.999, epsilon=1e-08, wd=0.0, rescale_grad=1.0,
    clip_gradient=-1.0, lazy_update=True)

    With ``g = clip(rescale_grad * grad + wd * weight)``: ``mean = beta1 * mean + (1 - beta1) * g``, ``var =
    beta2 * var + (1 - beta2) * g**2``, then ``weight - lr * mean / (sqrt(var) + epsilon)``. The caller
    corrects `lr` for the means' start at zero.
    """
    d = _decayed(g, weight, grad, rescale_grad, wd, clip_gradient)
    m, v = moments(g, d, mean, var, beta1, beta2)
    return weight - setting(g, lr, weight.dt) * m / (g.op("Sqrt", v) + setting(g, epsilon, weight.dt))


@operator("rmsprop_update", differentiable=False)
def rmsprop_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    n: Tensor,
    *,
    lr: Scalar,
    gamma1: Scalar = 0.95,
    epsilon: Scalar = 1e-8,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    clip_weights: float = -1.0,
) -> Tensor:
    """rmsprop_update(weight, grad, n, lr, gamma1=0.95, epsilon=1e-08, wd=0.0, rescale_grad=1.0,
    clip_gradient=-1.0, clip_weights=-1.0)

    With ``g = clip(rescale_grad * grad + wd * weight)``: ``n = gamma1 * n + (1 - gamma1) * g**2``, then
    ``clip(weight - lr * g / sqrt(n + epsilon))``. (Tieleman and Hinton, 2012.)
    """
    dt = weight.dt
    d, gamma = _decayed(g, weight, grad, rescale_grad, wd, clip_gradient), setting(g, gamma1, weight.dt)
    new = (1.0 - gamma) * (d * d) + gamma * n
    g.update(n, new)
    step = d / g.op("Sqrt", new + setting(g, epsilon, dt))
    return clip(g, weight - setting(g, lr, dt) * step, clip_weights)


@operator("rmspropalex_update", differentiable=False)
def rmspropalex_update(
    g_: Builder,
    weight: Tensor,
    grad: Tensor,
    n: Tensor,
    g: Tensor,
    delta: Tensor,
    *,
    lr: Scalar,
    gamma1: Scalar = 0.95,
    gamma2: Scalar = 0.9,
    epsilon: Scalar = 1e-8,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    clip_weights: float = -1.0,
) -> Tensor:
    """rmspropalex_update(weight, grad, n, g, delta, lr, gamma1=0.95, gamma2=0.9, epsilon=1e-08, wd=0.0,
    rescale_grad=1.0, clip_gradient=-1.0, clip_weights=-1.0)

    RMSProp with the variance around the mean `g` and momentum `delta`. (Graves, 2013, equations 38 to 45.)
    """
    dt = weight.dt
    d = _decayed(g_, weight, grad, rescale_grad, wd, clip_gradient)
    gamma = setting(g_, gamma1, dt)
    square = (1.0 - gamma) * d * d + gamma * n
    mean = (1.0 - gamma) * d + gamma * g
    root = g_.op("Sqrt", square - mean * mean + setting(g_, epsilon, dt))
    step = setting(g_, gamma2, dt) * delta - setting(g_, lr, dt) * d / root
    for state, value in ((n, square), (g, mean), (delta, step)):
        g_.update(state, value)
    return clip(g_, weight + step, clip_weights)


@operator("ftrl_update", "_sparse_ftrl_update", differentiable=False)
def ftrl_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    z: Tensor,
    n: Tensor,
    *,
    lr: Scalar,
    lamda1: Scalar = 0.01,
    beta: Scalar = 1.0,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
) -> Tensor:
    """ftrl_update(weight, grad, z, n, lr, lamda1=0.01, beta=1.0, wd=0.0, rescale_grad=1.0, clip_gradient=-1.0)

    Follow the regularized leader, with `lamda1` for the absolute and `wd` for the square of the weight.
    (McMahan et al., 2013.)
    """
    dt = weight.dt
    rate, bound = setting(g, lr, dt), setting(g, lamda1, dt)
    d = clip(g, grad * setting(g, rescale_grad, dt), clip_gradient)
    square = n + d * d
    total = z + (d - (g.op("Sqrt", square) - g.op("Sqrt", n)) * weight / rate)
    g.update(z, total)
    g.update(n, square)
    scale = (setting(g, beta, dt) + g.op("Sqrt", square)) / rate + setting(g, wd, dt)
    new = (g.op("Sign", total) * bound - total) / scale
    return new * g.cast(g.op("Greater", g.op("Abs", total), bound), dt)


@operator("ftml_update", differentiable=False)
def ftml_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    d: Tensor,
    v: Tensor,
    z: Tensor,
    *,
    lr: Scalar,
    beta1: Scalar = 0.6,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-8,
    t: Step,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_grad: float = -1.0,
) -> Tensor:
    """ftml_update(weight, grad, d, v, z, lr, beta1=0.6, beta2=0.999, epsilon=1e-08, t, wd=0.0,
    rescale_grad=1.0, clip_grad=-1.0)

    Follow the moving leader; `t` counts the updates from 1. (Zheng and Kwok, 2017.)
    """
    dt = weight.dt
    x = _decayed(g, weight, grad, rescale_grad, wd, clip_grad)
    b1, b2, step = setting(g, beta1, dt), setting(g, beta2, dt), setting(g, t, dt)
    square = b2 * v + (1.0 - b2) * x * x
    root = g.op("Sqrt", square / step_power(g, b2, step)) + setting(g, epsilon, dt)
    new_d = step_power(g, b1, step) / setting(g, lr, dt) * root
    new_z = b1 * z + (1.0 - b1) * x - (new_d - b1 * d) * weight
    for state, value in ((v, square), (z, new_z), (d, new_d)):
        g.update(state, value)
    return -new_z / new_d


@operator("_sparse_adagrad_update", differentiable=False)
def sparse_adagrad_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    history: Tensor,
    *,
    lr: Scalar,
    epsilon: Scalar = 1e-7,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
) -> Tensor:
    """_sparse_adagrad_update(weight, grad, history, lr, epsilon=1e-07, wd=0.0, rescale_grad=1.0,
    clip_gradient=-1.0)

    With ``g = clip(rescale_grad * grad)``: ``history += g**2``, then ``weight - lr * g / sqrt(history +
    epsilon)``. The gradient is dense here: rows of zeros leave their weights as they are. Weight decay is not
    supported, as in MXNet. (Duchi et al., 2011.)
    """
    dt = weight.dt
    d = clip(g, grad * setting(g, rescale_grad, dt), clip_gradient)
    square = history + d * d
    g.update(history, square)
    return weight - d / g.op("Sqrt", square + setting(g, epsilon, dt)) * setting(g, lr, dt)


@operator("_contrib_group_adagrad_update", differentiable=False)
def group_adagrad_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    history: Tensor,
    *,
    lr: Scalar,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    epsilon: Scalar = 1e-5,
) -> Tensor:
    """_contrib_group_adagrad_update(weight, grad, history, lr, rescale_grad=1.0, clip_gradient=-1.0,
    epsilon=1e-05)

    AdaGrad with one step size for each row: ``history += mean(g**2)`` over all axes but the first.
    """
    dt = weight.dt
    if weight.ndim < 2 or history.dims[0] != weight.dims[0] or history.ndim != weight.ndim:
        expected = (weight.dims[0], *[1] * (weight.ndim - 1))
        raise ShapeError(f"argument 'history': expected shape {expected}, got {history.dims}")
    d = clip(g, grad * setting(g, rescale_grad, dt), clip_gradient)
    square = history + g.reduce("Mean", d * d, range(1, d.ndim), keepdims=True)
    g.update(history, square)
    return weight - setting(g, lr, dt) * d / g.op("Sqrt", square + setting(g, epsilon, dt))
