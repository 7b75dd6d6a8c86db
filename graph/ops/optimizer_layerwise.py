"""Optimizer updates with a rate for each layer: LAMB (You et al., 2020) and LARS (You et al., 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..builder import Builder, Tensor
from ..shapes import TypeContext
from ._updates import SINGLE, Rates, Step, Steps, clip, groups, mixed, rate, setting, several, step_power
from .optimizer_adaptive import moments
from .registry import operator
from .schema import Scalar

__all__: list[str] = []


def _direction(
    g: Builder,
    w: Tensor,
    grad: Tensor,
    states: Sequence[Tensor],
    a: dict[str, Any],
    wd: Tensor,
    step: Tensor | None,
) -> Tensor:
    """Adam's step plus weight decay; the running means are replaced. Without `step` they are not corrected."""
    d = clip(g, grad * setting(g, a["rescale_grad"], w.dt), a["clip_gradient"])
    m, v = moments(g, d, states[0], states[1], a["beta1"], a["beta2"])
    if step is not None:
        m = m / step_power(g, setting(g, a["beta1"], w.dt), step)
        v = v / step_power(g, setting(g, a["beta2"], w.dt), step)
    return m / (g.op("Sqrt", v) + setting(g, a["epsilon"], w.dt)) + wd * w


def _stepped(
    g: Builder, w: Tensor, direction: Tensor, r1: Tensor, r2: Tensor, lr: Tensor, lower: float, upper: float
) -> Tensor:
    """``w - lr * r1 / r2 * direction``, with r1 clamped, and the plain `lr` where a norm is 0."""
    norm = r1
    if lower >= 0:
        norm = g.op("Max", norm, setting(g, lower, norm.dt))
    if upper >= 0:
        norm = g.op("Min", norm, setting(g, upper, norm.dt))
    plain = g.op("Or", g.op("Equal", norm, 0.0), g.op("Equal", r2, 0.0))
    return w - lr * g.op("Where", plain, g.const(1.0, norm.dt), norm / r2) * direction


@operator("lamb_update_phase1", differentiable=False)
def lamb_update_phase1(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    var: Tensor,
    *,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-6,
    t: Step,
    bias_correction: bool = True,
    wd: Scalar,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
) -> Tensor:
    """lamb_update_phase1(weight, grad, mean, var, beta1=0.9, beta2=0.999, epsilon=1e-06, t, bias_correction=True,
    wd, rescale_grad=1.0, clip_gradient=-1.0)

    The direction of a step: Adam's, plus ``wd * weight``. `t` counts the updates from 1.
    """
    a = {
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "rescale_grad": rescale_grad,
        "clip_gradient": clip_gradient,
    }
    step = setting(g, t, weight.dt) if bias_correction else None
    return _direction(g, weight, grad, (mean, var), a, setting(g, wd, weight.dt), step)


@operator("mp_lamb_update_phase1", differentiable=False)
def mp_lamb_update_phase1(
    g: Builder,
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    var: Tensor,
    weight32: Tensor,
    *,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-6,
    t: Step,
    bias_correction: bool = True,
    wd: Scalar,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
) -> Tensor:
    """mp_lamb_update_phase1(weight, grad, mean, var, weight32, beta1=0.9, beta2=0.999, epsilon=1e-06, t,
    bias_correction=True, wd, rescale_grad=1.0, clip_gradient=-1.0)

    `lamb_update_phase1` for a weight in half precision; the result is float32.
    """
    a = {
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "rescale_grad": rescale_grad,
        "clip_gradient": clip_gradient,
    }
    step = setting(g, t, SINGLE) if bias_correction else None
    return _direction(g, weight32, g.cast(grad, SINGLE), (mean, var), a, setting(g, wd, SINGLE), step)


@mp_lamb_update_phase1.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["weight", "grad"])
    for place in ("mean", "var", "weight32", 0):
        t.set(place, SINGLE)


@operator("lamb_update_phase2", differentiable=False)
def lamb_update_phase2(
    builder: Builder,
    weight: Tensor,
    g: Tensor,
    r1: Tensor,
    r2: Tensor,
    *,
    lr: Scalar,
    lower_bound: float = -1.0,
    upper_bound: float = -1.0,
) -> Tensor:
    """lamb_update_phase2(weight, g, r1, r2, lr, lower_bound=-1.0, upper_bound=-1.0)

    A step along `g`, the result of `lamb_update_phase1`: ``weight - lr * r1 / r2 * g`` with the norms `r1` of
    the weight and `r2` of `g`. `r1` is clamped by the bounds that are not negative.
    """
    return _stepped(builder, weight, g, r1, r2, setting(builder, lr, weight.dt), lower_bound, upper_bound)


@operator("mp_lamb_update_phase2", differentiable=False)
def mp_lamb_update_phase2(
    builder: Builder,
    weight: Tensor,
    g: Tensor,
    r1: Tensor,
    r2: Tensor,
    weight32: Tensor,
    *,
    lr: Scalar,
    lower_bound: float = -1.0,
    upper_bound: float = -1.0,
) -> Tensor:
    """mp_lamb_update_phase2(weight, g, r1, r2, weight32, lr, lower_bound=-1.0, upper_bound=-1.0)

    `lamb_update_phase2` of a weight in half precision, computed on its copy in float32.
    """

    def new(w: Tensor, direction: Tensor) -> Tensor:
        return _stepped(builder, w, direction, r1, r2, setting(builder, lr, w.dt), lower_bound, upper_bound)

    return mixed(builder, weight, g, weight32, new)


@mp_lamb_update_phase2.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.unify_all(["weight", 0])
    for name in ("g", "r1", "r2", "weight32"):
        t.set(name, SINGLE)


def _norm(g: Builder, x: Tensor) -> Tensor:
    return g.reduce("L2", g.cast(x, SINGLE), range(x.ndim))


def _several(
    g: Builder,
    data: tuple[Tensor, ...],
    count: int,
    rates: Sequence[Any],
    steps: Any,
    a: dict[str, Any],
    single: bool,
) -> tuple[Tensor, ...]:
    """Updates of several weights; `rates` are learning rates and decays."""
    results = []
    for i, (weight, grad, *states) in enumerate(groups(data, count, 4 + single, "num_tensors")):

        def new(
            w: Tensor, d: Tensor, i: int = i, weight: Tensor = weight, states: list[Tensor] = states
        ) -> Tensor:
            lr, wd = (rate(g, values, i, w.dt) for values in rates)
            step = rate(g, steps, i, w.dt) if a["bias_correction"] else None
            direction = _direction(g, w, d, states, a, wd, step)
            r1, r2 = g.cast(_norm(g, weight), w.dt), g.cast(_norm(g, direction), w.dt)
            return _stepped(g, w, direction, r1, r2, lr, a["lower_bound"], a["upper_bound"])

        results.append(mixed(g, weight, grad, states[-1] if single else None, new))
    return tuple(results)


def _tensors(a: Any) -> int:
    return int(a.num_tensors)


@operator("_multi_lamb_update", outputs=_tensors, differentiable=False)
def multi_lamb_update(
    g: Builder,
    *data: Tensor,
    learning_rates: Rates,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-6,
    wds: Rates,
    rescale_grad: Scalar = 1.0,
    lower_bound: float = -1.0,
    upper_bound: float = -1.0,
    clip_gradient: float = -1.0,
    bias_correction: bool = True,
    step_count: Steps,
    num_tensors: int = 1,
) -> tuple[Tensor, ...]:
    """_multi_lamb_update(*data, learning_rates, beta1=0.9, beta2=0.999, epsilon=1e-06, wds, rescale_grad=1.0,
    lower_bound=-1.0, upper_bound=-1.0, clip_gradient=-1.0, bias_correction=True, step_count, num_tensors=1)

    Both phases of LAMB for several weights: `data` is weight, gradient, mean, var of each.
    """
    a = {
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "rescale_grad": rescale_grad,
        "clip_gradient": clip_gradient,
    }
    a |= {"lower_bound": lower_bound, "upper_bound": upper_bound, "bias_correction": bias_correction}
    return _several(g, data, num_tensors, (learning_rates, wds), step_count, a, False)


@operator("_multi_mp_lamb_update", outputs=_tensors, differentiable=False)
def multi_mp_lamb_update(
    g: Builder,
    *data: Tensor,
    learning_rates: Rates,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-6,
    wds: Rates,
    rescale_grad: Scalar = 1.0,
    lower_bound: float = -1.0,
    upper_bound: float = -1.0,
    clip_gradient: float = -1.0,
    bias_correction: bool = True,
    step_count: Steps,
    num_tensors: int = 1,
) -> tuple[Tensor, ...]:
    """_multi_mp_lamb_update(*data, learning_rates, beta1=0.9, beta2=0.999, epsilon=1e-06, wds, rescale_grad=1.0,
    lower_bound=-1.0, upper_bound=-1.0, clip_gradient=-1.0, bias_correction=True, step_count, num_tensors=1)

    `_multi_lamb_update` of weights in half precision: `data` is weight, gradient, mean, var, copy in float32
    of each.
    """
    a = {
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "rescale_grad": rescale_grad,
        "clip_gradient": clip_gradient,
    }
    a |= {"lower_bound": lower_bound, "upper_bound": upper_bound, "bias_correction": bias_correction}
    return _several(g, data, num_tensors, (learning_rates, wds), step_count, a, True)


multi_mp_lamb_update.infer_type(several(5))


@operator("multi_lars", differentiable=False)
def multi_lars(
    g: Builder,
    lrs: Tensor,
    weights_sum_sq: Tensor,
    grads_sum_sq: Tensor,
    wds: Tensor,
    *,
    eta: Scalar,
    eps: Scalar,
    rescale_grad: Scalar = 1.0,
) -> Tensor:
    """multi_lars(lrs, weights_sum_sq, grads_sum_sq, wds, eta, eps, rescale_grad=1.0)

    Learning rates scaled by ``eta * |w| / (|g| * rescale_grad + wd * |w| + eps)`` where both norms are above
    0. All inputs are vectors with one element for each layer; norms are given as sums of squares.
    """
    dt = lrs.dt
    w, d = g.op("Sqrt", weights_sum_sq), g.op("Sqrt", grads_sum_sq)
    scale = setting(g, eta, dt) * w / (d * setting(g, rescale_grad, dt) + wds * w + setting(g, eps, dt))
    valid = g.op("And", g.op("Greater", w, 0.0), g.op("Greater", grads_sum_sq, 0.0))
    return g.op("Where", valid, lrs * scale, lrs)
