"""Optimizer updates: stochastic gradient descent of several weights at once."""

from __future__ import annotations

from typing import Any

from ..builder import Builder, Tensor
from ._updates import Rates, groups, mixed, rate, several
from .optimizer_sgd import momentum_step, sgd_step
from .registry import operator
from .schema import Scalar

__all__: list[str] = []


def _several(
    g: Builder,
    data: tuple[Tensor, ...],
    count: int,
    lrs: Any,
    wds: Any,
    rescale: Any,
    bound: float,
    momentum: Any = None,
    single: bool = False,
    extra: int = 0,
) -> tuple[Tensor, ...]:
    """Updates of several weights: with momentum unless it is None, with copies in float32 if `single`."""
    results = []
    width = 2 + (momentum is not None) + single
    for i, (weight, grad, *states) in enumerate(groups(data, count, width, "num_weights", extra)):

        def new(w: Tensor, d: Tensor, i: int = i, states: list[Tensor] = states) -> Tensor:
            lr, wd = rate(g, lrs, i, w.dt), rate(g, wds, i, w.dt)
            if momentum is None:
                return sgd_step(g, w, d, lr, wd, rescale, bound)
            return momentum_step(g, w, d, states[0], lr, wd, momentum, rescale, bound)

        results.append(mixed(g, weight, grad, states[-1] if single else None, new))
    return tuple(results)


def _weights(a: Any) -> int:
    return int(a.num_weights)


@operator("multi_sgd_update", outputs=_weights, differentiable=False)
def multi_sgd_update(
    g: Builder,
    *data: Tensor,
    lrs: Rates,
    wds: Rates,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
) -> tuple[Tensor, ...]:
    """multi_sgd_update(*data, lrs, wds, rescale_grad=1.0, clip_gradient=-1.0, num_weights=1)

    `sgd_update` of several weights: `data` is weight, gradient of each.
    """
    return _several(g, data, num_weights, lrs, wds, rescale_grad, clip_gradient)


@operator("multi_sgd_mom_update", outputs=_weights, differentiable=False)
def multi_sgd_mom_update(
    g: Builder,
    *data: Tensor,
    lrs: Rates,
    wds: Rates,
    momentum: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
) -> tuple[Tensor, ...]:
    """multi_sgd_mom_update(*data, lrs, wds, momentum=0.0, rescale_grad=1.0, clip_gradient=-1.0, num_weights=1)

    `sgd_mom_update` of several weights: `data` is weight, gradient, momentum of each.
    """
    return _several(g, data, num_weights, lrs, wds, rescale_grad, clip_gradient, momentum)


@operator("multi_mp_sgd_update", outputs=_weights, differentiable=False)
def multi_mp_sgd_update(
    g: Builder,
    *data: Tensor,
    lrs: Rates,
    wds: Rates,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
) -> tuple[Tensor, ...]:
    """multi_mp_sgd_update(*data, lrs, wds, rescale_grad=1.0, clip_gradient=-1.0, num_weights=1)

    `mp_sgd_update` of several weights: `data` is weight, gradient, copy in float32 of each.
    """
    return _several(g, data, num_weights, lrs, wds, rescale_grad, clip_gradient, single=True)


@operator("multi_mp_sgd_mom_update", outputs=_weights, differentiable=False)
def multi_mp_sgd_mom_update(
    g: Builder,
    *data: Tensor,
    lrs: Rates,
    wds: Rates,
    momentum: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
) -> tuple[Tensor, ...]:
    """multi_mp_sgd_mom_update(*data, lrs, wds, momentum=0.0, rescale_grad=1.0, clip_gradient=-1.0,
    num_weights=1)

    `mp_sgd_mom_update` of several weights: `data` is weight, gradient, momentum, copy in float32 of each.
    """
    return _several(g, data, num_weights, lrs, wds, rescale_grad, clip_gradient, momentum, single=True)


@operator("preloaded_multi_sgd_update", outputs=_weights, differentiable=False)
def preloaded_multi_sgd_update(
    g: Builder, *data: Tensor, rescale_grad: Scalar = 1.0, clip_gradient: float = -1.0, num_weights: int = 1
) -> tuple[Tensor, ...]:
    """preloaded_multi_sgd_update(*data, rescale_grad=1.0, clip_gradient=-1.0, num_weights=1)

    `multi_sgd_update` whose learning rates and weight decays are the last two arrays of `data`.
    """
    lrs, wds = data[-2:]
    return _several(g, data, num_weights, lrs, wds, rescale_grad, clip_gradient, extra=2)


@operator("preloaded_multi_sgd_mom_update", outputs=_weights, differentiable=False)
def preloaded_multi_sgd_mom_update(
    g: Builder,
    *data: Tensor,
    momentum: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
) -> tuple[Tensor, ...]:
    """preloaded_multi_sgd_mom_update(*data, momentum=0.0, rescale_grad=1.0, clip_gradient=-1.0, num_weights=1)

    `multi_sgd_mom_update` whose learning rates and weight decays are the last two arrays of `data`.
    """
    lrs, wds = data[-2:]
    return _several(g, data, num_weights, lrs, wds, rescale_grad, clip_gradient, momentum, extra=2)


@operator("preloaded_multi_mp_sgd_update", outputs=_weights, differentiable=False)
def preloaded_multi_mp_sgd_update(
    g: Builder, *data: Tensor, rescale_grad: Scalar = 1.0, clip_gradient: float = -1.0, num_weights: int = 1
) -> tuple[Tensor, ...]:
    """preloaded_multi_mp_sgd_update(*data, rescale_grad=1.0, clip_gradient=-1.0, num_weights=1)

    `multi_mp_sgd_update` whose learning rates and weight decays are the last two arrays of `data`.
    """
    lrs, wds = data[-2:]
    return _several(g, data, num_weights, lrs, wds, rescale_grad, clip_gradient, single=True, extra=2)


@operator("preloaded_multi_mp_sgd_mom_update", outputs=_weights, differentiable=False)
def preloaded_multi_mp_sgd_mom_update(
    g: Builder,
    *data: Tensor,
    momentum: Scalar = 0.0,
    rescale_grad: Scalar = 1.0,
    clip_gradient: float = -1.0,
    num_weights: int = 1,
) -> tuple[Tensor, ...]:
    """preloaded_multi_mp_sgd_mom_update(*data, momentum=0.0, rescale_grad=1.0, clip_gradient=-1.0,
    num_weights=1)

    `multi_mp_sgd_mom_update` whose learning rates and weight decays are the last two arrays of `data`.
    """
    lrs, wds = data[-2:]
    return _several(
        g, data, num_weights, lrs, wds, rescale_grad, clip_gradient, momentum, single=True, extra=2
    )


multi_mp_sgd_update.infer_type(several(3))
multi_mp_sgd_mom_update.infer_type(several(4))
preloaded_multi_mp_sgd_update.infer_type(several(3, 2))
preloaded_multi_mp_sgd_mom_update.infer_type(several(4, 2))
