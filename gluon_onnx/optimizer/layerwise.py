"""Optimizers with a rate for each layer, for large batches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..ndarray import NDArray
from .optimizer import Optimizer, register, zeros_like
from .sgd import Momentum, aggregation, flat, listed

__all__ = ["LAMB", "LARS", "LBSGD"]


@register
class LARS(Momentum):
    """Layer-wise adaptive rate scaling (You et al., 2017); see operator `multi_lars`.

    Weights whose names end with ``gamma``, ``beta`` or ``bias`` keep the plain learning rate.

    Parameters
    ----------
    momentum : float
        Factor of the last step.
    lazy_update : bool
        Without a meaning for dense gradients.
    eta : float
        Factor of the ratio of norms.
    eps : float
        Added to the divisor.
    momentum_correction : bool
        Scale the momentum when the learning rate changes (Goyal et al., 2017).
    """

    _decaying = ("_weight",)

    def __init__(
        self,
        momentum: float = 0.0,
        lazy_update: bool = True,
        eta: float = 0.001,
        eps: float = 0,
        momentum_correction: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(momentum=momentum, **kwargs)
        self.momentum_correction = momentum_correction
        self.lazy_update = lazy_update
        self.aggregate_num = aggregation(4)
        self.eta = eta
        self.eps = eps
        self.skip = 0
        self.last_lr: float | None = None
        self.cur_lr: float | None = None

    def _get_lrs(self, indices: Any) -> list[float]:
        """The learning rates of weights; remembers the one before for the correction of the momentum."""
        lr = self.learning_rate
        self.last_lr = lr if self.cur_lr is None else self.cur_lr
        self.cur_lr = lr
        return super()._get_lrs(indices)

    def _update_impl(self, index: Any, weight: Any, grad: Any, state: Any, multi_precision: bool) -> None:
        indices, weights, grads, states = listed(index, weight, grad, state)
        self._update_count(indices)
        lrs, wds = self._get_lrs(indices), self._get_wds(indices)
        params = self._common()
        if self.momentum > 0 and self.momentum_correction and self.last_lr and self.cur_lr is not None:
            params["momentum"] = self.momentum * (self.cur_lr / self.last_lr)
        names = [self.idx2name.get(i, str(i)) for i in indices]
        plain = [n.endswith(("gamma", "beta", "bias")) for n in names]
        order = sorted(
            range(len(indices)), key=lambda i: plain[i]
        )  # those with a rate of their own come first
        weights, grads, states = ([values[i] for i in order] for values in (weights, grads, states))
        rates = nd.array([lrs[i] for i in order], ctx=weights[0].context, dtype="float32")
        decays = nd.array([wds[i] for i in order], ctx=weights[0].context, dtype="float32")
        scaled = plain.count(False)
        if scaled:
            own = nd.multi_lars(
                rates[:scaled],
                nd.multi_sum_sq(*weights[:scaled], num_arrays=scaled),
                nd.multi_sum_sq(*grads[:scaled], num_arrays=scaled),
                decays[:scaled],
                eta=self.eta,
                eps=self.eps,
                rescale_grad=self.rescale_grad,
            )
            rates = nd.concat(own, rates[scaled:], dim=0) if scaled < len(indices) else own
        for first in range(0, len(indices), max(self.aggregate_num, 1)):
            part = slice(first, first + max(self.aggregate_num, 1))
            chosen = weights[part], grads[part], states[part], rates[part], decays[part]
            self._step(*chosen, params, multi_precision)

    def _step(
        self,
        weights: list[NDArray],
        grads: list[NDArray],
        states: list[Any],
        rates: NDArray,
        decays: NDArray,
        params: dict[str, Any],
        multi_precision: bool,
    ) -> None:
        params = {**params, "num_weights": len(weights), "out": weights}
        if multi_precision:
            momenta, copies = zip(*states, strict=True)
            if self.momentum > 0:
                arrays = flat(zip(weights, grads, momenta, copies, strict=True))
                nd.preloaded_multi_mp_sgd_mom_update(*arrays, rates, decays, **params)
            else:
                arrays = flat(zip(weights, grads, copies, strict=True))
                nd.preloaded_multi_mp_sgd_update(*arrays, rates, decays, **params)
        elif self.momentum > 0:
            arrays = flat(zip(weights, grads, states, strict=True))
            nd.preloaded_multi_sgd_mom_update(*arrays, rates, decays, **params)
        else:
            nd.preloaded_multi_sgd_update(*flat(zip(weights, grads, strict=True)), rates, decays, **params)


@register
class LAMB(Optimizer):
    """Layer-wise adaptive moments (You et al., 2020); see operators `lamb_update_phase1`, `lamb_update_phase2`.

    Parameters
    ----------
    beta1, beta2 : float
        Factors of the running means of the gradient and of its square.
    epsilon : float
        Added to the divisor.
    lower_bound, upper_bound : float
        Bounds of the weight's norm.
    bias_correction : bool
        Correct the running means for their start at zero.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-6,
        lower_bound: float | None = None,
        upper_bound: float | None = None,
        bias_correction: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.lower_bound = lower_bound
        self.upper_bound = upper_bound
        self.bias_correction = bias_correction
        self.aggregate_num = max(1, min(45, aggregation(45)))

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, NDArray]:
        """The running means of the gradient and of its square."""
        return zeros_like(weight), zeros_like(weight)

    def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """Write the new value into `weight` and `state`; takes lists too."""
        self._update_impl(index, weight, grad, state, False)

    def update_multi_precision(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """`update`, on the copies in float32 where there are some."""
        first = weight[0] if isinstance(weight, list | tuple) else weight
        self._update_impl(index, weight, grad, state, self.multi_precision and first.dtype == np.float16)

    def _update_impl(self, index: Any, weight: Any, grad: Any, state: Any, multi_precision: bool) -> None:
        params = self._common(
            beta1=self.beta1, beta2=self.beta2, epsilon=self.epsilon, bias_correction=self.bias_correction
        )
        bounds = {"lower_bound": self.lower_bound, "upper_bound": self.upper_bound}
        bounds = {k: v for k, v in bounds.items() if v}
        if not isinstance(index, list | tuple):
            self._one(index, weight, grad, state, multi_precision, params, bounds)
        elif self.aggregate_num <= 1:
            for arguments in zip(index, weight, grad, state, strict=True):
                self._one(*arguments, multi_precision, params, bounds)
        else:
            self._several(
                list(index), list(weight), list(grad), list(state), multi_precision, {**params, **bounds}
            )

    def _one(
        self,
        index: Any,
        w: NDArray,
        grad: NDArray,
        state: Any,
        half: bool,
        params: dict[str, Any],
        bounds: dict[str, Any],
    ) -> None:
        self._update_count(index)
        lr, params = (
            self._get_lr(index),
            {**params, "wd": self._get_wd(index), "t": self._index_update_count[index]},
        )
        if half:
            copy, (mean, var) = state
            direction = nd.mp_lamb_update_phase1(w, grad, mean, var, copy, **params)
            nd.mp_lamb_update_phase2(
                w, direction, nd.norm(copy), nd.norm(direction), copy, lr=lr, out=w, **bounds
            )
        else:
            direction = nd.lamb_update_phase1(w, grad, *state, **params)
            nd.lamb_update_phase2(w, direction, nd.norm(w), nd.norm(direction), lr=lr, out=w, **bounds)

    def _several(
        self,
        index: list[Any],
        weight: list[Any],
        grad: list[Any],
        state: list[Any],
        half: bool,
        params: dict[str, Any],
    ) -> None:
        self._update_count(index)
        steps, lrs, wds = (
            [self._index_update_count[i] for i in index],
            self._get_lrs(index),
            self._get_wds(index),
        )
        for first in range(0, len(index), self.aggregate_num):
            part = slice(first, first + self.aggregate_num)
            rates = {
                "step_count": steps[part],
                "lrs": lrs[part],
                "wds": wds[part],
                "out": weight[part],
                **params,
            }
            if half:
                copies, moments = zip(*state[part], strict=True)
                means, variances = zip(*moments, strict=True)
                nd.contrib.multi_mp_lamb_update(weight[part], grad[part], means, variances, copies, **rates)
            else:
                means, variances = zip(*state[part], strict=True)
                nd.contrib.multi_lamb_update(weight[part], grad[part], means, variances, **rates)


@register
class LBSGD(Optimizer):
    """Gradient descent for large batches, which may be put together from several gradients.

    Parameters
    ----------
    momentum : float
        Factor of the last step.
    warmup_strategy : {'linear', 'power2', 'sqrt', 'lars'}
        How the learning rate rises to `batch_scale` times its value; 'lars' scales it for each layer by
        norms.
    warmup_epochs, updates_per_epoch, begin_epoch : int
        How long that takes, in epochs and updates an epoch, and the epoch to start in.
    batch_scale : int
        Number of gradients that make one update.
    num_epochs : int
        Without a meaning, as in MXNet.
    """

    def __init__(
        self,
        momentum: float = 0.0,
        multi_precision: bool = False,
        warmup_strategy: str = "linear",
        warmup_epochs: int = 5,
        batch_scale: int = 1,
        updates_per_epoch: int = 32,
        begin_epoch: int = 0,
        num_epochs: int = 60,
        **kwargs: Any,
    ) -> None:
        super().__init__(multi_precision=multi_precision, **kwargs)
        self.momentum = momentum
        self.warmup_strategy = warmup_strategy
        self.warmup_epochs = warmup_epochs
        self.batch_scale = batch_scale
        self.updates_per_epoch = updates_per_epoch
        self.init_updates = begin_epoch * updates_per_epoch
        self.num_epochs = num_epochs
        self.cumgrads: dict[Any, dict[str, Any]] = {}

    def create_state(self, index: Any, weight: NDArray) -> NDArray | None:
        """The momentum, or None."""
        return zeros_like(weight) if self.momentum != 0.0 else None

    def _warmup(self, updates: int) -> float:
        """The factor of the learning rate after a number of updates."""
        length, scale = self.warmup_epochs * self.updates_per_epoch, float(self.batch_scale)
        if updates >= length:
            return scale
        share = updates / length
        rise = {"linear": share, "power2": share * share, "sqrt": math.sqrt(share)}.get(
            self.warmup_strategy, 0.0
        )
        return 1.0 + (scale - 1.0) * rise if length > 1 else 1.0

    def _ratio(self, weight: NDArray, grad: NDArray, wd: float) -> float:
        """The factor of a layer's learning rate."""
        w, g = (float(np.square(x.asnumpy()).sum()) for x in (weight, grad))
        return min(max(math.sqrt(w / (g + wd * w + 1e-18)), 0.01), 100.0)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Add up a gradient; with every `batch_scale`-th one write the new value into `weight` and `state`."""
        lr, wd = self._get_lr(index), self._get_wd(index)
        self._update_count(index)
        seen = self.cumgrads.get(index, {"cum_grad": None, "num_cums": self.init_updates})
        total = grad if seen["cum_grad"] is None else seen["cum_grad"] + grad
        count = seen["num_cums"] + 1
        self.cumgrads[index] = {"cum_grad": total.copy(), "num_cums": count}
        if count % self.batch_scale:
            return
        grad = total / self.batch_scale
        lars = self.warmup_strategy == "lars"
        lr *= self._ratio(weight, grad, wd) if lars else self._warmup(count)
        self.cumgrads[index]["cum_grad"] = None
        params = self._common(lr=lr, wd=wd)
        if state is None:
            nd.sgd_update(weight, grad, out=weight, **params)
        else:
            nd.sgd_mom_update(weight, grad, state, out=weight, momentum=self.momentum, **params)
