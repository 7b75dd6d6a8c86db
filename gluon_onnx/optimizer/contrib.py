"""`mx.optimizer.contrib`: further optimizers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..ndarray import NDArray
from .optimizer import Optimizer, register, zeros_like

__all__ = ["AdamW", "GroupAdaGrad"]


@register
class GroupAdaGrad(Optimizer):
    """AdaGrad with one step size for each row, for embeddings; see operator `_contrib_group_adagrad_update`.

    Parameters
    ----------
    eps : float
        Added to the mean of squares.
    """

    def __init__(self, eps: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.float_stable_eps = eps

    def create_state(self, index: Any, weight: NDArray) -> NDArray:
        """The sum of the rows' mean squared gradients.

        Raises
        ------
        ValueError : the weight is not a matrix.
        """
        if weight.ndim != 2:
            raise ValueError(f"GroupAdaGrad updates matrices; weight {index!r} has shape {weight.shape}")
        return zeros_like(weight, (weight.shape[0], 1))

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: NDArray) -> None:
        """Write the new value into `weight` and `state`.

        Raises
        ------
        ValueError : the weight has weight decay.
        """
        self._update_count(index)
        params = self._common(lr=self._get_lr(index), epsilon=self.float_stable_eps)
        if self._get_wd(index) != 0:
            raise ValueError("GroupAdaGrad has no weight decay")
        nd.contrib.group_adagrad_update(weight, grad, state, out=weight, **params)


@register
class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019); see operator `_adamw_update`.

    ``weight -= lr * (mean / (sqrt(var) + epsilon) + wd * weight)``; an update whose gradient scale is 0 or
    not finite is left out.

    Parameters
    ----------
    beta1, beta2 : float
        Factors of the running means of the gradient and of its square.
    epsilon : float
        Added to the divisor.
    correct_bias : bool
        Correct the running means for their start at zero.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-6,
        correct_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.correct_bias = correct_bias

    def create_state(self, index: Any, weight: NDArray) -> tuple[NDArray, NDArray]:
        """The running means of the gradient and of its square."""
        return zeros_like(weight), zeros_like(weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Write the new value into `weight` and `state`."""
        self._update_impl(index, weight, grad, state, None)

    def update_multi_precision(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """`update`, on the copy in float32 where there is one."""
        if self.multi_precision and weight.dtype == np.float16:
            self._update_impl(index, weight, grad, state[1], state[0])
        else:
            self._update_impl(index, weight, grad, state, None)

    def _update_impl(
        self, index: Any, weight: NDArray, grad: NDArray, state: Any, copy: NDArray | None
    ) -> None:
        self._update_count(index)
        lr, t = self._get_lr(index), self._index_update_count[index]
        corrected = lr * math.sqrt(1.0 - self.beta2**t) / (1.0 - self.beta1**t) if self.correct_bias else lr
        # The operator's rates: lr of the step, eta of the step and the decay together.
        params = self._common(eta=1.0, lr=corrected, wd=self._get_wd(index) * lr)
        params |= {"beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon}
        mean, var = state
        if copy is None:
            nd.contrib.adamw_update(weight, grad, mean, var, out=weight, **params)
        else:
            nd.contrib.mp_adamw_update(weight, grad, mean, var, copy, out=weight, **params)
