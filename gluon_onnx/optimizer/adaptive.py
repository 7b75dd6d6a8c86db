"""Optimizers with a step size for each element."""

from __future__ import annotations

import math
from typing import Any

from .. import ndarray as nd
from ..ndarray import NDArray
from .optimizer import Optimizer, register, zeros_like

__all__ = ["FTML", "AdaDelta", "AdaGrad", "Adam", "Adamax", "Ftrl", "Nadam", "RMSProp"]


@register
class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015); see operator `adam_update`.

    Parameters
    ----------
    beta1, beta2 : float
        Factors of the running means of the gradient and of its square.
    epsilon : float
        Added to the divisor.
    lazy_update : bool
        Without a meaning for dense gradients.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        lazy_update: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.lazy_update = lazy_update

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, NDArray]:
        """The running means of the gradient and of its square."""
        return zeros_like(weight), zeros_like(weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Write the new value into `weight` and `state`."""
        self._update_count(index)
        t = self._index_update_count[index]
        lr = self._get_lr(index) * math.sqrt(1.0 - self.beta2**t) / (1.0 - self.beta1**t)
        params = self._common(
            lr=lr, wd=self._get_wd(index), beta1=self.beta1, beta2=self.beta2, epsilon=self.epsilon
        )
        mean, var = state
        nd.adam_update(weight, grad, mean, var, out=weight, lazy_update=self.lazy_update, **params)


@register
class AdaGrad(Optimizer):
    """AdaGrad (Duchi et al., 2011).

    ``history += g**2`` with the rescaled and clipped gradient, then
    ``weight -= lr * (g / sqrt(history + eps) + wd * weight)``.

    Parameters
    ----------
    eps : float
        Added to the sum of squares.
    """

    def __init__(self, eps: float = 1e-7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.float_stable_eps = eps

    def create_state(self, index: Any, weight: NDArray) -> NDArray:
        """The sum of squared gradients."""
        return zeros_like(weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: NDArray) -> None:
        """Write the new value into `weight` and `state`."""
        self._update_count(index)
        lr, wd = self._get_lr(index), self._get_wd(index)
        grad = self._scaled(grad)
        state += nd.square(grad)
        weight += (grad / nd.sqrt(state + self.float_stable_eps) + weight * wd) * -lr


@register
class RMSProp(Optimizer):
    """RMSProp, plain (Tieleman and Hinton, 2012) or centered (Graves, 2013).

    See operators `rmsprop_update` and `rmspropalex_update`.

    Parameters
    ----------
    gamma1 : float
        Factor of the running means.
    gamma2 : float
        Factor of the last step, where centered.
    epsilon : float
        Added under the root.
    centered : bool
        Divide by the standard deviation instead of the root of the mean square.
    clip_weights : float
        Weights are clipped to ``[-clip_weights, clip_weights]``.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        gamma1: float = 0.9,
        gamma2: float = 0.9,
        epsilon: float = 1e-8,
        centered: bool = False,
        clip_weights: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.gamma1 = gamma1
        self.gamma2 = gamma2
        self.centered = centered
        self.epsilon = epsilon
        self.clip_weights = clip_weights

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, ...]:
        """The mean square; where centered also the mean and the last step."""
        return tuple(zeros_like(weight) for _ in range(3 if self.centered else 1))

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Write the new value into `weight` and `state`."""
        self._update_count(index)
        params = self._common(
            lr=self._get_lr(index), wd=self._get_wd(index), gamma1=self.gamma1, epsilon=self.epsilon
        )
        if self.clip_weights:
            params["clip_weights"] = self.clip_weights
        if self.centered:
            nd.rmspropalex_update(weight, grad, *state, out=weight, gamma2=self.gamma2, **params)
        else:
            nd.rmsprop_update(weight, grad, *state, out=weight, **params)


@register
class AdaDelta(Optimizer):
    """AdaDelta (Zeiler, 2012), which has no learning rate.

    Parameters
    ----------
    rho : float
        Factor of the running means of squared gradients and squared steps.
    epsilon : float
        Added under the roots.
    """

    def __init__(self, rho: float = 0.90, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, NDArray]:
        """The running means of squared gradients and squared steps."""
        return zeros_like(weight), zeros_like(weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Write the new value into `weight` and `state`."""
        wd = self._get_wd(index)
        self._update_count(index)
        grad = self._scaled(grad)
        square, steps = state
        square[:] = square * self.rho + (1.0 - self.rho) * grad * grad
        step = nd.sqrt(steps + self.epsilon) / nd.sqrt(square + self.epsilon) * grad
        steps[:] = steps * self.rho + (1.0 - self.rho) * step * step
        weight -= step + wd * weight


@register
class Ftrl(Optimizer):
    """Follow the regularized leader (McMahan et al., 2013); see operator `ftrl_update`.

    Parameters
    ----------
    lamda1 : float
        Factor of the penalty on absolute values.
    beta : float
        Added to the root of the sum of squared gradients.
    """

    def __init__(
        self, lamda1: float = 0.01, learning_rate: float = 0.1, beta: float = 1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.lamda1 = lamda1
        self.beta = beta
        self.lr = learning_rate

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, NDArray]:
        """The dual weight and the sum of squared gradients."""
        return zeros_like(weight), zeros_like(weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Write the new value into `weight` and `state`."""
        self._update_count(index)
        params = self._common(
            lr=self._get_lr(index), wd=self._get_wd(index), lamda1=self.lamda1, beta=self.beta
        )
        nd.ftrl_update(weight, grad, *state, out=weight, **params)


@register
class FTML(Optimizer):
    """Follow the moving leader (Zheng and Kwok, 2017); see operator `ftml_update`.

    Parameters
    ----------
    beta1, beta2 : float
        Factors of the running means.
    epsilon : float
        Added to the root.
    """

    def __init__(
        self, beta1: float = 0.6, beta2: float = 0.999, epsilon: float = 1e-8, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """The scale, the mean square and the leader."""
        return zeros_like(weight), zeros_like(weight), zeros_like(weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Write the new value into `weight` and `state`."""
        self._update_count(index)
        params: dict[str, Any] = {"clip_grad": self.clip_gradient} if self.clip_gradient else {}
        nd.ftml_update(
            weight,
            grad,
            *state,
            out=weight,
            lr=self._get_lr(index),
            wd=self._get_wd(index),
            t=self._index_update_count[index],
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon,
            rescale_grad=self.rescale_grad,
            **params,
        )


@register
class Adamax(Optimizer):
    """Adam with the largest absolute gradient in place of the root mean square (Kingma and Ba, 2015, section 7).

    Parameters
    ----------
    beta1, beta2 : float
        Factors of the running mean and of the last maximum.
    """

    def __init__(
        self, learning_rate: float = 0.002, beta1: float = 0.9, beta2: float = 0.999, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, NDArray]:
        """The running mean and the maximum."""
        return zeros_like(weight), zeros_like(weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Write the new value into `weight` and `state`."""
        self._update_count(index)
        lr = self._get_lr(index) / (1.0 - self.beta1 ** self._index_update_count[index])
        grad = self._scaled(grad, weight, self._get_wd(index))
        mean, largest = state
        mean[:] = mean * self.beta1 + (1.0 - self.beta1) * grad
        largest[:] = nd.maximum(self.beta2 * largest, nd.abs(grad))
        weight -= lr * mean / largest


@register
class Nadam(Optimizer):
    """Adam with Nesterov's momentum (Dozat, 2016).

    The momentum's schedule is one for all weights and advances with each update of one, as in MXNet.

    Parameters
    ----------
    beta1, beta2 : float
        Factors of the running means.
    epsilon : float
        Added to the divisor.
    schedule_decay : float
        How fast the momentum grows to `beta1`.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        schedule_decay: float = 0.004,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.schedule_decay = schedule_decay
        self.m_schedule = 1.0

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, NDArray]:
        """The running means of the gradient and of its square."""
        return zeros_like(weight), zeros_like(weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Write the new value into `weight` and `state`."""
        self._update_count(index)
        lr, t = self._get_lr(index), self._index_update_count[index]
        grad = self._scaled(grad, weight, self._get_wd(index))
        now, after = (self.beta1 * (1.0 - 0.5 * 0.96 ** (s * self.schedule_decay)) for s in (t, t + 1))
        self.m_schedule *= now
        mean, var = state
        mean[:] = mean * self.beta1 + (1.0 - self.beta1) * grad
        var[:] = var * self.beta2 + (1.0 - self.beta2) * grad * grad
        corrected = mean / (1.0 - self.m_schedule * after)
        step = (1.0 - now) * (grad / (1.0 - self.m_schedule)) + after * corrected
        weight -= lr * step / (nd.sqrt(var / (1.0 - self.beta2**t)) + self.epsilon)
