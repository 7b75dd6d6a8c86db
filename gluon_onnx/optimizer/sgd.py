"""Stochastic gradient descent and its variants."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..ndarray import NDArray
from .optimizer import Optimizer, register, zeros_like

__all__ = ["DCASGD", "NAG", "SGD", "SGLD", "Momentum", "Signum", "Test", "ccSGD", "flat"]


def flat(groups: Any) -> list[Any]:
    """The elements of all groups."""
    return [x for group in groups for x in group]


class Momentum(Optimizer):
    """Base of optimizers whose state is a momentum, with a copy of the weight in float32 behind it if there is one.

    Parameters
    ----------
    momentum : float
        Factor of the last step; 0 for none, then there is no state.
    """

    def __init__(self, momentum: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum

    def create_state(self, index: Any, weight: NDArray) -> NDArray | None:
        """The momentum, or None."""
        return zeros_like(weight) if self.momentum != 0.0 else None

    def create_state_multi_precision(self, index: Any, weight: NDArray) -> Any:
        """The momentum; with `multi_precision` a pair of it and a copy in float32."""
        if self._is_half(weight):
            copy = weight.astype(np.float32)
            return self.create_state(index, copy), copy
        return self.create_state(index, weight)

    def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """Write the new value into `weight` and the momentum; takes lists too where the optimizer aggregates."""
        self._update_impl(index, weight, grad, state, False)

    def update_multi_precision(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """`update`, on the copies in float32 where there are some."""
        first = weight[0] if isinstance(weight, list | tuple) else weight
        self._update_impl(index, weight, grad, state, self.multi_precision and first.dtype == np.float16)

    def _update_impl(self, index: Any, weight: Any, grad: Any, state: Any, multi_precision: bool) -> None:
        raise TypeError(f"{type(self).__name__} must define _update_impl")

    def _common(self, **params: Any) -> dict[str, Any]:
        if self.momentum > 0:
            params["momentum"] = self.momentum
        return super()._common(**params)


def aggregation(default: int) -> int:
    """How many weights one update takes; the environment variable of MXNet's name changes it."""
    return int(os.environ.get("MXNET_OPTIMIZER_AGGREGATION_SIZE", default))


def listed(*values: Any) -> list[list[Any]]:
    """Arguments for several weights, from those for one or for several."""
    if isinstance(values[0], list | tuple):
        return [list(v) for v in values]
    return [[v] for v in values]


@register
class SGD(Momentum):
    """Stochastic gradient descent with momentum and weight decay.

    ``state = momentum * state - lr * (clip(rescale_grad * grad) + wd * weight)``, then ``weight += state``.
    See operators `sgd_update`, `sgd_mom_update`, `multi_sgd_update`.

    Parameters
    ----------
    momentum : float
        Factor of the last step.
    lazy_update : bool
        Without a meaning for dense gradients.
    """

    def __init__(self, momentum: float = 0.0, lazy_update: bool = True, **kwargs: Any) -> None:
        super().__init__(momentum=momentum, **kwargs)
        self.lazy_update = lazy_update
        self.aggregate_num = aggregation(64)

    def _update_impl(self, index: Any, weight: Any, grad: Any, state: Any, multi_precision: bool) -> None:
        indices, weights, grads, states = listed(index, weight, grad, state)
        self._update_count(indices)
        params = self._common(
            lrs=self._get_lrs(indices), wds=self._get_wds(indices), num_weights=len(weights)
        )
        if multi_precision:
            momenta, copies = zip(*states, strict=True)
            if self.momentum > 0:
                nd.multi_mp_sgd_mom_update(
                    *flat(zip(weights, grads, momenta, copies, strict=True)), out=weights, **params
                )
            else:
                nd.multi_mp_sgd_update(*flat(zip(weights, grads, copies, strict=True)), out=weights, **params)
        elif self.momentum > 0:
            nd.multi_sgd_mom_update(*flat(zip(weights, grads, states, strict=True)), out=weights, **params)
        else:
            nd.multi_sgd_update(*flat(zip(weights, grads, strict=True)), out=weights, **params)


@register
class ccSGD(SGD):
    """The same as `SGD`, under its old name."""


@register
class NAG(Momentum):
    """Nesterov's accelerated gradient; see operator `nag_mom_update`.

    Parameters
    ----------
    momentum : float
        Factor of the last step; without it this is plain gradient descent.
    """

    def _update_impl(self, index: Any, weight: Any, grad: Any, state: Any, multi_precision: bool) -> None:
        self._update_count(index)
        params = self._common(lr=self._get_lr(index), wd=self._get_wd(index))
        if multi_precision:
            momentum, copy = state
            if momentum is not None:
                nd.mp_nag_mom_update(weight, grad, momentum, copy, out=weight, **params)
            else:
                nd.mp_sgd_update(weight, grad, copy, out=weight, **params)
        elif state is not None:
            nd.nag_mom_update(weight, grad, state, out=weight, **params)
        else:
            nd.sgd_update(weight, grad, out=weight, **params)


@register
class Signum(Optimizer):
    """Steps of one size in the direction of the momentum's sign, or the gradient's (Bernstein et al., 2018).

    See operators `signum_update` and `signsgd_update`.

    Parameters
    ----------
    momentum : float
        Factor of the running mean of gradients; 0 for the sign of each gradient.
    wd_lh : float
        Weight decay that is not part of the gradient (Loshchilov and Hutter).
    """

    def __init__(
        self, learning_rate: float = 0.01, momentum: float = 0.9, wd_lh: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum
        self.wd_lh = wd_lh

    def create_state(self, index: Any, weight: NDArray) -> NDArray | None:
        """The running mean of gradients, or None."""
        return zeros_like(weight) if self.momentum != 0.0 else None

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Write the new value into `weight` and `state`."""
        self._update_count(index)
        params = self._common(lr=self._get_lr(index), wd=self._get_wd(index))
        if state is None:
            nd.signsgd_update(weight, grad, out=weight, **params)
            return
        if self.momentum > 0:
            params["momentum"] = self.momentum
        nd.signum_update(weight, grad, state, out=weight, wd_lh=self.wd_lh, **params)


@register
class SGLD(Optimizer):
    """Stochastic gradient Langevin dynamics (Welling and Teh, 2011): half a step, plus noise of variance `lr`."""

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Write a sample into `weight`."""
        self._update_count(index)
        lr, wd = self._get_lr(index), self._get_wd(index)
        step = self._scaled(grad) + wd * weight
        noise = nd.random.normal(0, math.sqrt(lr), shape=weight.shape, dtype=weight.dtype, ctx=weight.context)
        weight[:] = weight - lr / 2 * step + noise


@register
class DCASGD(Optimizer):
    """Asynchronous gradient descent with compensation of delays (Zheng et al., 2017).

    Parameters
    ----------
    momentum : float
        Factor of the last step.
    lamda : float
        Factor of the compensation.
    """

    def __init__(self, momentum: float = 0.0, lamda: float = 0.04, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.weight_previous: dict[Any, NDArray] = {}
        self.lamda = lamda

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray | None, NDArray]:
        """The momentum, or None, and the weight before the last update."""
        return (zeros_like(weight) if self.momentum != 0.0 else None), weight.copy()

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Write the new value into `weight` and `state`."""
        self._update_count(index)
        lr, wd = self._get_lr(index), self._get_wd(index)
        grad = self._scaled(grad)
        momentum, previous = state
        step = -lr * (grad + wd * weight + self.lamda * grad * grad * (weight - previous))
        if momentum is not None:
            momentum[:] = momentum * self.momentum + step
            step = momentum
        previous[:] = weight
        weight += step


@register
class Test(Optimizer):
    """``weight += rescale_grad * grad``, for tests; the state is a copy of the weight."""

    __test__ = False  # pytest collects classes of this name

    def create_state(self, index: Any, weight: NDArray) -> NDArray:
        """An array for the copy."""
        return zeros_like(weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: NDArray) -> None:
        """Write the sum into `weight` and `state`."""
        weight += grad * self.rescale_grad
        state[:] = weight
