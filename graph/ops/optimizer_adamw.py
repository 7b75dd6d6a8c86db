"""Optimizer updates: Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..builder import Builder, Tensor
from ..shapes import TypeContext
from ._updates import SINGLE, Rates, clip, groups, mixed, rate, setting, several, with_decay
from .optimizer_adaptive import moments
from .registry import operator
from .schema import Scalar

__all__: list[str] = []


def _adamw(
    g: Builder,
    w: Tensor,
    grad: Tensor,
    states: Sequence[Tensor],
    scale: Tensor,
    a: dict[str, Any],
    bound: float,
) -> Tensor:
    """The new weight; mean and mean square, the first two states, are replaced.

    `a` holds the hyper-parameters lr, wd and eta as tensors, beta1, beta2 and epsilon as they came.
    """
    d = clip(g, grad * g.cast(scale, w.dt), bound)
    m, v = moments(g, d, states[0], states[1], a["beta1"], a["beta2"])
    lr, wd, eta = (_tensor(a[name]) for name in ("lr", "wd", "eta"))
    return w - eta * with_decay(lr * m / (g.op("Sqrt", v) + setting(g, a["epsilon"], w.dt)), wd, w)


def _tensor(value: Any) -> Tensor:
    assert isinstance(value, Tensor)
    return value


def _guarded(g: Builder, scale: Tensor, pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, ...]:
    """New weights from (old, new) pairs: the old ones where the scale is 0 or not finite, as after an overflow.

    The states then stay too.
    """
    usable = g.op("Less", g.op("Abs", scale), float("inf"))  # false for NaN
    usable = g.op("And", usable, g.op("Not", g.op("Equal", scale, 0.0)))
    for state, value in list(g.updates.items()):
        g.update(state, g.op("Where", usable, value, state))
    return tuple(g.op("Where", usable, new, old) for old, new in pairs)


def _scale(g: Builder, rescale_grad: Tensor) -> Tensor:
    return g.reshape(g.cast(rescale_grad, SINGLE), ())


@operator("_adamw_update", differentiable=False)
def adamw_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    var: Tensor,
    rescale_grad: Tensor,
    *,
    lr: Scalar,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-8,
    wd: Scalar = 0.0,
    eta: Scalar,
    clip_gradient: float = -1.0,
) -> Tensor:
    """_adamw_update(weight, grad, mean, var, rescale_grad, lr, beta1=0.9, beta2=0.999, epsilon=1e-08, wd=0.0, eta,
    clip_gradient=-1.0)

    ``weight - eta * (lr * mean / (sqrt(var) + epsilon) + wd * weight)``, with the running means of the
    gradient times `rescale_grad` (one element) as in `adam_update`. Where `rescale_grad` is 0 or not finite,
    as after an overflow, nothing changes.
    """
    scale, dt = _scale(g, rescale_grad), weight.dt
    a: dict[str, Any] = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon}
    a |= {"lr": setting(g, lr, dt), "wd": setting(g, wd, dt), "eta": setting(g, eta, dt)}
    new = _adamw(g, weight, grad, (mean, var), scale, a, clip_gradient)
    return _guarded(g, scale, [(weight, new)])[0]


@operator("_mp_adamw_update", differentiable=False)
def mp_adamw_update(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    var: Tensor,
    weight32: Tensor,
    rescale_grad: Tensor,
    *,
    lr: Scalar,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-8,
    wd: Scalar = 0.0,
    eta: Scalar,
    clip_gradient: float = -1.0,
) -> Tensor:
    """_mp_adamw_update(weight, grad, mean, var, weight32, rescale_grad, lr, beta1=0.9, beta2=0.999, epsilon=1e-08,
    wd=0.0, eta, clip_gradient=-1.0)

    `_adamw_update` of a weight in half precision, computed on its copy in float32.
    """
    scale = _scale(g, rescale_grad)

    def new(w: Tensor, d: Tensor) -> Tensor:
        a: dict[str, Any] = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon}
        a |= {"lr": setting(g, lr, w.dt), "wd": setting(g, wd, w.dt), "eta": setting(g, eta, w.dt)}
        return _adamw(g, w, d, (mean, var), scale, a, clip_gradient)

    return _guarded(g, scale, [(weight, mixed(g, weight, grad, weight32, new))])[0]


@adamw_update.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["weight", "grad", "mean", "var", 0])


@mp_adamw_update.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["weight", "grad", 0])
    for name in ("mean", "var", "weight32", "rescale_grad"):
        t.set(name, SINGLE)


def _several(
    g: Builder,
    data: tuple[Tensor, ...],
    count: int,
    rates: Sequence[Any],
    betas: dict[str, Any],
    bound: float,
    single: bool,
) -> tuple[Tensor, ...]:
    """Updates of several weights; `rates` are learning rates, decays and etas."""
    scale, pairs = _scale(g, data[-1]), []
    for i, (weight, grad, *states) in enumerate(groups(data, count, 4 + single, "num_weights", 1)):

        def new(w: Tensor, d: Tensor, i: int = i, states: list[Tensor] = states) -> Tensor:
            lr, wd, eta = (rate(g, values, i, w.dt) for values in rates)
            return _adamw(g, w, d, states, scale, {**betas, "lr": lr, "wd": wd, "eta": eta}, bound)

        pairs.append((weight, mixed(g, weight, grad, states[-1] if single else None, new)))
    return _guarded(g, scale, pairs)


def _weights(a: Any) -> int:
    return int(a.num_weights)


@operator("_multi_adamw_update", outputs=_weights, differentiable=False)
def multi_adamw_update(
    g: Builder,
    *data: Tensor,
    lrs: Rates,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-8,
    wds: Rates,
    etas: Rates,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
) -> tuple[Tensor, ...]:
    """_multi_adamw_update(*data, lrs, beta1=0.9, beta2=0.999, epsilon=1e-08, wds, etas, clip_gradient=-1.0,
    num_weights=1)

    `_adamw_update` of several weights: `data` is weight, gradient, mean, var of each, then the gradients'
    scale.
    """
    betas = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon}
    return _several(g, data, num_weights, (lrs, wds, etas), betas, clip_gradient, False)


@operator("_multi_mp_adamw_update", outputs=_weights, differentiable=False)
def multi_mp_adamw_update(
    g: Builder,
    *data: Tensor,
    lrs: Rates,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-8,
    wds: Rates,
    etas: Rates,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
) -> tuple[Tensor, ...]:
    """_multi_mp_adamw_update(*data, lrs, beta1=0.9, beta2=0.999, epsilon=1e-08, wds, etas, clip_gradient=-1.0,
    num_weights=1)

    `_mp_adamw_update` of several weights: `data` is weight, gradient, mean, var, copy in float32 of each,
    then the gradients' scale.
    """
    betas = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon}
    return _several(g, data, num_weights, (lrs, wds, etas), betas, clip_gradient, True)


multi_mp_adamw_update.infer_type(several(5, 1))
