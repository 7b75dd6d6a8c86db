"""Optimizer updates: stochastic gradient descent, with momentum, by the sign."""

from __future__ import annotations

from typing import Any

from ..builder import Builder, Tensor
from ._updates import half_and_single, mixed, scaled, setting, with_decay
from .registry import operator
from .schema import Scalar

__all__ = ["momentum_step", "sgd_step"]


def sgd_step(
    g: Builder, w: Tensor, grad: Tensor, lr: Tensor, wd: Tensor, rescale: Any, bound: float
) -> Tensor:
    """The new weight."""
    return w - with_decay(scaled(g, grad, rescale, bound, lr), wd, w, lr)


def momentum_step(
    g: Builder,
    w: Tensor,
    grad: Tensor,
    mom: Tensor,
    lr: Tensor,
    wd: Tensor,
    momentum: Any,
    rescale: Any,
    bound: float,
) -> Tensor:
    """The new weight; the momentum is replaced."""
    step = setting(g, momentum, w.dt) * mom - with_decay(scaled(g, grad, rescale, bound, lr), wd, w, lr)
    g.update(mom, step)
    return w + step


@operator("sgd_update", "_sparse_sgd_update", differentiable=False)
def sgd_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    *,
    lr: Scalar,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
) -> Tensor:
    """sgd_update(weight, grad, lr, wd=0.0, rescale_grad=1.0, clip_gradient=-1.0, lazy_update=True)

    ``weight - lr * (clip(rescale_grad * grad) + wd * weight)``. `lazy_update` has a meaning for sparse
    gradients only.
    """
    return sgd_step(
        g, weight, grad, setting(g, lr, weight.dt), setting(g, wd, weight.dt), rescale_grad, clip_gradient
    )


@operator("sgd_mom_update", "_sparse_sgd_mom_update", differentiable=False)
def sgd_mom_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    mom: Tensor,
    *,
    lr: Scalar,
    momentum: Scalar = 0.0,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
) -> Tensor:
    """sgd_mom_update(weight, grad, mom, lr, momentum=0.0, wd=0.0, rescale_grad=1.0, clip_gradient=-1.0,
    lazy_update=True)

    ``mom = momentum * mom - lr * (clip(rescale_grad * grad) + wd * weight)``, then ``weight + mom``.
    """
    dt = weight.dt
    rates = setting(g, lr, dt), setting(g, wd, dt)
    return momentum_step(g, weight, grad, mom, *rates, momentum, rescale_grad, clip_gradient)


@operator("mp_sgd_update", differentiable=False)
def mp_sgd_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    weight32: Tensor,
    *,
    lr: Scalar,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
) -> Tensor:
    """mp_sgd_update(weight, grad, weight32, lr, wd=0.0, rescale_grad=1.0, clip_gradient=-1.0, lazy_update=True)

    `sgd_update` of a weight in half precision, computed on its copy in float32.
    """

    def new(w: Tensor, d: Tensor) -> Tensor:
        return sgd_step(g, w, d, setting(g, lr, w.dt), setting(g, wd, w.dt), rescale_grad, clip_gradient)

    return mixed(g, weight, grad, weight32, new)


@operator("mp_sgd_mom_update", differentiable=False)
def mp_sgd_mom_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    mom: Tensor,
    weight32: Tensor,
    *,
    lr: Scalar,
    momentum: Scalar = 0.0,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    lazy_update: bool = True,
) -> Tensor:
    """mp_sgd_mom_update(weight, grad, mom, weight32, lr, momentum=0.0, wd=0.0, rescale_grad=1.0,
    clip_gradient=-1.0, lazy_update=True)

    `sgd_mom_update` of a weight in half precision, computed on its copy in float32.
    """

    def new(w: Tensor, d: Tensor) -> Tensor:
        rates = setting(g, lr, w.dt), setting(g, wd, w.dt)
        return momentum_step(g, w, d, mom, *rates, momentum, rescale_grad, clip_gradient)

    return mixed(g, weight, grad, weight32, new)


def _nesterov(
    g: Builder,
    w: Tensor,
    grad: Tensor,
    mom: Tensor,
    lr: Any,
    wd: Any,
    momentum: Any,
    rescale: Any,
    bound: float,
) -> Tensor:
    """The new weight; the momentum is replaced."""
    m, rate = setting(g, momentum, w.dt), setting(g, lr, w.dt)
    before = m * mom
    after = before - with_decay(scaled(g, grad, rescale, bound, rate), setting(g, wd, w.dt), w, rate)
    g.update(mom, after)
    return w - before + (m + 1.0) * after


@operator("nag_mom_update", differentiable=False)
def nag_mom_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    mom: Tensor,
    *,
    lr: Scalar,
    momentum: Scalar = 0.0,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
) -> Tensor:
    """nag_mom_update(weight, grad, mom, lr, momentum=0.0, wd=0.0, rescale_grad=1.0, clip_gradient=-1.0)

    Nesterov's accelerated gradient: ``mom`` as in `sgd_mom_update`, then
    ``weight + momentum * mom - lr * (clip(rescale_grad * grad) + wd * weight)``.
    """
    return _nesterov(g, weight, grad, mom, lr, wd, momentum, rescale_grad, clip_gradient)


@operator("mp_nag_mom_update", differentiable=False)
def mp_nag_mom_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    mom: Tensor,
    weight32: Tensor,
    *,
    lr: Scalar,
    momentum: Scalar = 0.0,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
) -> Tensor:
    """mp_nag_mom_update(weight, grad, mom, weight32, lr, momentum=0.0, wd=0.0, rescale_grad=1.0,
    clip_gradient=-1.0)

    `nag_mom_update` of a weight in half precision, computed on its copy in float32.
    """

    def new(w: Tensor, d: Tensor) -> Tensor:
        return _nesterov(g, w, d, mom, lr, wd, momentum, rescale_grad, clip_gradient)

    return mixed(g, weight, grad, weight32, new)


for _op in (mp_sgd_update, mp_sgd_mom_update, mp_nag_mom_update):
    _op.infer_type(half_and_single)


@operator("signsgd_update", differentiable=False)
def signsgd_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    *,
    lr: Scalar,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
) -> Tensor:
    """signsgd_update(weight, grad, lr, wd=0.0, rescale_grad=1.0, clip_gradient=-1.0)

    ``(1 - lr * wd) * weight - lr * sign(grad)``. Scale and bound of the gradient do not matter.
    """
    step = setting(g, lr, weight.dt)
    return weight - with_decay(step * g.op("Sign", grad), setting(g, wd, weight.dt), weight, step)


@operator("signum_update", differentiable=False)
def signum_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    mom: Tensor,
    *,
    lr: Scalar,
    momentum: Scalar = 0.0,
    wd: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    wd_lh: Scalar = 0.0,
) -> Tensor:
    """signum_update(weight, grad, mom, lr, momentum=0.0, wd=0.0, rescale_grad=1.0, clip_gradient=-1.0,
    wd_lh=0.0)

    ``mom = momentum * mom - (1 - momentum) * (clip(rescale_grad * grad) + wd * weight)``, then
    ``(1 - lr * wd_lh) * weight + lr * sign(mom)``.
    """
    dt = weight.dt
    m, step = setting(g, momentum, dt), setting(g, lr, dt)
    part = scaled(g, grad, rescale_grad, clip_gradient, 1.0 - m)
    new = m * mom - with_decay(part, setting(g, wd, dt), weight, 1.0 - m)
    g.update(mom, new)
    return weight - with_decay(-step * g.op("Sign", new), setting(g, wd_lh, dt), weight, step)
