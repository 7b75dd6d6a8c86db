"""Learning rates that change with the number of updates."""

from __future__ import annotations

import logging
import operator
from collections.abc import Sequence
from itertools import pairwise
from math import cos, pi

__all__ = ["CosineScheduler", "FactorScheduler", "LRScheduler", "MultiFactorScheduler", "PolyScheduler"]


class LRScheduler:
    """Base of all schedulers: a callable from the number of updates to the learning rate.

    Parameters
    ----------
    base_lr : float
        Learning rate after the warm-up, before any decay.
    warmup_steps : int
        Number of updates the warm-up lasts.
    warmup_begin_lr : float
        Learning rate the warm-up begins with.
    warmup_mode : {'linear', 'constant'}
        Rise to `base_lr` in equal steps, or stay at `warmup_begin_lr`.

    Raises
    ------
    ValueError
        For a negative `warmup_steps`, a `warmup_begin_lr` above `base_lr`, or an unknown mode.
    """

    def __init__(
        self,
        base_lr: float = 0.01,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        self.base_lr = base_lr
        self.warmup_steps = operator.index(warmup_steps)
        self.warmup_final_lr = base_lr
        self.warmup_begin_lr = warmup_begin_lr
        self.warmup_mode = warmup_mode
        if warmup_begin_lr > base_lr:
            raise ValueError(f"warmup_begin_lr ({warmup_begin_lr}) must not be above base_lr ({base_lr})")
        if self.warmup_steps < 0:
            raise ValueError(f"warmup_steps must be 0 or more, got {warmup_steps}")
        if warmup_mode not in ("linear", "constant"):
            raise ValueError(f"warmup_mode must be 'linear' or 'constant', got {warmup_mode!r}")

    def get_warmup_lr(self, num_update: int) -> float:
        """Return the learning rate at update `num_update` of the warm-up."""
        if num_update >= self.warmup_steps:
            raise ValueError(f"update {num_update} is not within the {self.warmup_steps} warm-up steps")
        if self.warmup_mode == "constant":
            return self.warmup_begin_lr
        rise = (self.warmup_final_lr - self.warmup_begin_lr) * float(num_update) / float(self.warmup_steps)
        return self.warmup_begin_lr + rise

    def __call__(self, num_update: int) -> float:
        """Return the learning rate.

        Parameters
        ----------
        num_update : int
            The largest number of updates that any weight has had.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement __call__(num_update)")


class FactorScheduler(LRScheduler):
    """Multiply the learning rate by `factor` every `step` updates.

    Parameters
    ----------
    step : int
        Number of updates between changes.
    factor : float
        At most 1.
    stop_factor_lr : float
        The learning rate does not fall below it.
    base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        See `LRScheduler`.
    """

    def __init__(
        self,
        step: int,
        factor: float = 1,
        stop_factor_lr: float = 1e-8,
        base_lr: float = 0.01,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        if step < 1:
            raise ValueError(f"step must be 1 or more, got {step}")
        _check_factor(factor)
        self.step = step
        self.factor = factor
        self.stop_factor_lr = stop_factor_lr
        self.count = 0

    def __call__(self, num_update: int) -> float:
        if num_update < self.warmup_steps:
            return self.get_warmup_lr(num_update)
        # A resumed training may be several steps ahead.
        while num_update > self.count + self.step:
            self.count += self.step
            self.base_lr *= self.factor
            if self.base_lr < self.stop_factor_lr:
                self.base_lr = self.stop_factor_lr
                logging.info(
                    "Update[%d]: learning rate arrived at %0.5e and stays there", num_update, self.base_lr
                )
            else:
                _log_change(num_update, self.base_lr)
        return self.base_lr


class MultiFactorScheduler(LRScheduler):
    """Multiply the learning rate by `factor` after each of the given numbers of updates.

    Parameters
    ----------
    step : list of int
        Increasing numbers of updates.
    factor : float
        At most 1.
    base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        See `LRScheduler`.
    """

    def __init__(
        self,
        step: Sequence[int],
        factor: float = 1,
        base_lr: float = 0.01,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        if not isinstance(step, (list, tuple)) or not step:
            raise ValueError(f"step must be a list of one or more numbers of updates, got {step!r}")
        if step[0] < 1 or any(later <= earlier for earlier, later in pairwise(step)):
            raise ValueError(f"step must be an increasing list of numbers from 1 on, got {step!r}")
        _check_factor(factor)
        self.step = step
        self.cur_step_ind = 0
        self.factor = factor
        self.count = 0

    def __call__(self, num_update: int) -> float:
        if num_update < self.warmup_steps:
            return self.get_warmup_lr(num_update)
        while self.cur_step_ind < len(self.step) and num_update > self.step[self.cur_step_ind]:
            self.count = self.step[self.cur_step_ind]
            self.cur_step_ind += 1
            self.base_lr *= self.factor
            _log_change(num_update, self.base_lr)
        return self.base_lr


class _DecayScheduler(LRScheduler):
    """A fall from `base_lr` to `final_lr` along a curve, ended at `max_update`."""

    def __init__(
        self,
        max_update: int,
        base_lr: float,
        final_lr: float,
        warmup_steps: int,
        warmup_begin_lr: float,
        warmup_mode: str,
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        self.max_update = operator.index(max_update)
        if self.max_update < 1:
            raise ValueError(f"max_update must be 1 or more, got {max_update}")
        self.base_lr_orig = base_lr
        self.final_lr = final_lr
        self.max_steps = self.max_update - self.warmup_steps

    def _remaining(self, step: int) -> float:
        """Share of the fall that is still to come, `step` updates after the warm-up."""
        raise NotImplementedError

    def __call__(self, num_update: int) -> float:
        if num_update < self.warmup_steps:
            return self.get_warmup_lr(num_update)
        if num_update <= self.max_update:
            # A warm-up as long as the schedule leaves no step to fall in.
            remaining = self._remaining(num_update - self.warmup_steps) if self.max_steps else 0.0
            self.base_lr = self.final_lr + (self.base_lr_orig - self.final_lr) * remaining
        return self.base_lr


class PolyScheduler(_DecayScheduler):
    """Let the learning rate fall along ``(1 - update / max_update) ** pwr``.

    Parameters
    ----------
    max_update : int
        Update at which `final_lr` is reached.
    base_lr : float
        Learning rate to start from.
    pwr : int or float
        The exponent.
    final_lr : float
        Learning rate at the end.
    warmup_steps, warmup_begin_lr, warmup_mode
        See `LRScheduler`; the curve begins after the warm-up.
    """

    def __init__(
        self,
        max_update: int,
        base_lr: float = 0.01,
        pwr: float = 2,
        final_lr: float = 0,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(max_update, base_lr, final_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        self.power = pwr

    def _remaining(self, step: int) -> float:
        return float(pow(1 - float(step) / float(self.max_steps), self.power))


class CosineScheduler(_DecayScheduler):
    """Let the learning rate fall along half a cosine, ``(1 + cos(pi * update / max_update)) / 2``.

    Parameters
    ----------
    max_update : int
        Update at which `final_lr` is reached.
    base_lr : float
        Learning rate to start from.
    final_lr : float
        Learning rate at the end.
    warmup_steps, warmup_begin_lr, warmup_mode
        See `LRScheduler`; the curve begins after the warm-up.
    """

    def __init__(
        self,
        max_update: int,
        base_lr: float = 0.01,
        final_lr: float = 0,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(max_update, base_lr, final_lr, warmup_steps, warmup_begin_lr, warmup_mode)

    def _remaining(self, step: int) -> float:
        return (1 + cos(pi * step / self.max_steps)) / 2


def _check_factor(factor: float) -> None:
    if factor > 1.0:
        raise ValueError(f"factor must be at most 1, so that the learning rate falls, got {factor}")


def _log_change(num_update: int, learning_rate: float) -> None:
    logging.info("Update[%d]: learning rate is now %0.5e", num_update, learning_rate)
