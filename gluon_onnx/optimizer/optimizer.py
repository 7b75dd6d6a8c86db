"""The base of optimizers: learning rates, weight decay, counts of updates, registry."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from .. import ndarray as nd
from ..ndarray import NDArray

if TYPE_CHECKING:
    from ..lr_scheduler import LRScheduler
    from ..symbol import Symbol

__all__ = ["Index", "Optimizer", "create", "register", "zeros_like"]

Index = int | str
_Class = TypeVar("_Class", bound="type[Optimizer]")


def zeros_like(weight: NDArray, shape: tuple[int, ...] | None = None) -> NDArray:
    """A state of zeros with the device and element type of a weight, and its shape unless another is given."""
    return nd.zeros(shape or weight.shape, weight.context, dtype=weight.dtype)


class Optimizer:
    """Base of all optimizers.

    A subclass defines `create_state` and ``update(index, weight, grad, state)``, which writes into `weight`
    and `state`; its constructor passes further keywords on to this one.

    Parameters
    ----------
    rescale_grad : float
        Factor of every gradient, often one over the batch size.
    param_idx2name : dict from int to str
        Names of the weights by index. With it only weights whose name ends with ``_weight`` or ``_gamma``
        decay.
    wd : float
        Weight decay: the factor of the weight that is added to its gradient.
    clip_gradient : float
        Gradients are clipped to ``[-clip_gradient, clip_gradient]``.
    learning_rate : float
        0.01 if neither it nor a scheduler is given. With a scheduler it replaces the scheduler's `base_lr`.
    lr_scheduler : LRScheduler
        Gives the learning rate by the number of updates.
    sym : Symbol
        Its attributes ``__lr_mult__`` and ``__wd_mult__`` set multipliers.
    begin_num_update : int
        Number of updates done before.
    multi_precision : bool
        Keep a copy in float32 of weights in float16, and update that.
    param_dict : dict from int to Parameter
        Parameters by index; their `lr_mult` and `wd_mult` multiply learning rate and weight decay.
    """

    opt_registry: ClassVar[dict[str, type[Optimizer]]] = {}

    def __init__(
        self,
        rescale_grad: float = 1.0,
        param_idx2name: Mapping[Any, str] | None = None,
        wd: float = 0.0,
        clip_gradient: float | None = None,
        learning_rate: float | None = None,
        lr_scheduler: LRScheduler | None = None,
        sym: Symbol | None = None,
        begin_num_update: int = 0,
        multi_precision: bool = False,
        param_dict: Mapping[int, Any] | None = None,
    ) -> None:
        if param_idx2name is not None and not isinstance(param_idx2name, Mapping):
            raise TypeError(f"param_idx2name: expected a dict from index to name, got {param_idx2name!r}")
        self.rescale_grad = rescale_grad
        self.lr_scheduler = lr_scheduler
        if lr_scheduler is None and learning_rate is None:
            learning_rate = 0.01
        self.lr: Any = learning_rate
        if lr_scheduler is not None and learning_rate is not None and lr_scheduler.base_lr != learning_rate:
            warnings.warn(
                f"learning_rate={learning_rate} replaces the scheduler's base_lr={lr_scheduler.base_lr}",
                stacklevel=3,
            )
            lr_scheduler.base_lr = learning_rate
        self.wd = wd
        self.lr_mult: dict[Index, float] = {}
        self.wd_mult: dict[Index, float] = {}
        self.begin_num_update = begin_num_update
        self.num_update = begin_num_update
        self._all_index_update_counts: dict[int, dict[Index, int]] = {0: {}}
        self._index_update_count = self._all_index_update_counts[0]
        self.clip_gradient = clip_gradient
        self.multi_precision = multi_precision
        self.aggregate_num = 0
        self.idx2name: dict[Index, str] = dict(param_idx2name or {})
        self.sym_info: tuple[Any, ...] = (sym.attr_dict(), sym.list_arguments()) if sym is not None else ()
        self.param_dict: Mapping[Any, Any] = param_dict or {}
        self.allow_np_array = False
        self.set_lr_mult({})
        self.set_wd_mult({})

    # -- registry --------------------------------------------------------------------------------------------
    @staticmethod
    def register(klass: _Class) -> _Class:
        """Decorator: make a class known to `create` by its name in lower case."""
        name = klass.__name__.lower()
        known = Optimizer.opt_registry.get(name)
        if known is not None:
            new, old = (f"{c.__module__}.{c.__name__}" for c in (klass, known))
            warnings.warn(f"the new optimizer {new} replaces {old}", stacklevel=2)
        Optimizer.opt_registry[name] = klass
        return klass

    @staticmethod
    def create_optimizer(name: str, **kwargs: Any) -> Optimizer:
        """An optimizer by the name of its class, in any case; keywords go to its constructor.

        Raises
        ------
        ValueError : no optimizer has this name.
        """
        found = Optimizer.opt_registry.get(name.lower())
        if found is None:
            known = ", ".join(sorted(Optimizer.opt_registry))
            raise ValueError(f"cannot find an optimizer {name!r}; there are {known}")
        return found(**kwargs)

    # -- what subclasses define ------------------------------------------------------------------------------
    def create_state(self, index: Any, weight: NDArray) -> Any:
        """The state of one weight: None, an array, or a tuple of states."""
        return None

    def create_state_multi_precision(self, index: Any, weight: NDArray) -> Any:
        """The state of one weight; with `multi_precision` a pair of a copy in float32 and its state."""
        if self._is_half(weight):
            copy = weight.astype(np.float32)
            return copy, self.create_state(index, copy)
        return self.create_state(index, weight)

    def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """Write the new value into `weight`, and into `state`.

        Raises
        ------
        TypeError : the subclass does not define it.
        """
        raise TypeError(f"{type(self).__name__} must define update(index, weight, grad, state)")

    def update_multi_precision(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """`update`, on the copy in float32 where there is one."""
        if self._is_half(weight):
            copy, inner = state
            self.update(index, copy, grad.astype(np.float32), inner)
            nd.cast(copy, dtype=np.dtype(weight.dtype).name, out=weight)
        else:
            self.update(index, weight, grad, state)

    def _is_half(self, weight: NDArray) -> bool:
        """Whether a weight has a copy in float32; warns of half precision without one."""
        half = weight.dtype == np.float16
        if half and not self.multi_precision:
            warnings.warn(
                "an optimizer that works in float16 loses accuracy; multi_precision=True keeps a copy in float32",
                stacklevel=4,
            )
        return bool(half and self.multi_precision)

    # -- learning rate and weight decay ----------------------------------------------------------------------
    @property
    def learning_rate(self) -> float:
        """The current learning rate, before the multipliers of weights."""
        rate = self.lr if self.lr_scheduler is None else self.lr_scheduler(self.num_update)
        return float(rate)

    def set_learning_rate(self, lr: float) -> None:
        """Change the learning rate.

        Raises
        ------
        UserWarning : the optimizer has a scheduler, which decides.
        """
        if self.lr_scheduler is not None:
            raise UserWarning(
                "set_learning_rate: the optimizer has an lr_scheduler, which gives the learning rate"
            )
        self.lr = lr

    def set_lr_scale(self, args_lrscale: Any) -> None:
        """Deprecated: use `set_lr_mult`."""
        raise DeprecationWarning("set_lr_scale is gone; use set_lr_mult")

    def set_lr_mult(self, args_lr_mult: Mapping[Index, float]) -> None:
        """Set the factors of the learning rate by name or index of weights."""
        self.lr_mult = {**self._from_symbol("__lr_mult__"), **args_lr_mult}

    def set_wd_mult(self, args_wd_mult: Mapping[Index, float]) -> None:
        """Set the factors of the weight decay by name or index of weights.

        Weights whose names are known and end with neither ``_weight`` nor ``_gamma`` get 0 unless they are
        given.
        """
        self.wd_mult = {n: 0.0 for n in self.idx2name.values() if not n.endswith(self._decaying)}
        self.wd_mult |= {**self._from_symbol("__wd_mult__"), **args_wd_mult}

    _decaying: ClassVar[tuple[str, ...]] = ("_weight", "_gamma")  # ends of names of weights that decay

    def _from_symbol(self, key: str) -> dict[Index, float]:
        if not self.sym_info:
            return {}
        attributes, arguments = self.sym_info
        return {n: float(attributes[n][key]) for n in arguments if key in attributes.get(n, ())}

    def _factors(self, indices: Sequence[Any], attribute: str, by_name: Mapping[Index, float]) -> list[float]:
        """The multiplier of each weight."""
        found = []
        for i in indices:
            if i in self.param_dict:
                found.append(float(getattr(self.param_dict[i], attribute)))
            elif i in by_name:
                found.append(by_name[i])
            else:
                found.append(by_name.get(self.idx2name.get(i, ""), 1.0))
        return found

    def _get_lrs(self, indices: Sequence[Any]) -> list[float]:
        """The learning rates of weights."""
        lr = self.learning_rate
        return [lr * factor for factor in self._factors(indices, "lr_mult", self.lr_mult)]

    def _get_lr(self, index: Any) -> float:
        """The learning rate of a weight."""
        return self._get_lrs([index])[0]

    def _get_wds(self, indices: Sequence[Any]) -> list[float]:
        """The weight decays of weights."""
        return [self.wd * factor for factor in self._factors(indices, "wd_mult", self.wd_mult)]

    def _get_wd(self, index: Any) -> float:
        """The weight decay of a weight."""
        return self._get_wds([index])[0]

    # -- counts ----------------------------------------------------------------------------------------------
    def _set_current_context(self, device_id: int) -> None:
        """Count the updates of a device's weights by themselves."""
        self._index_update_count = self._all_index_update_counts.setdefault(device_id, {})

    def _update_count(self, index: Any) -> None:
        """Count an update of one weight, or of several."""
        for i in index if isinstance(index, list | tuple) else [index]:
            self._index_update_count[i] = self._index_update_count.get(i, self.begin_num_update) + 1
            self.num_update = max(self._index_update_count[i], self.num_update)

    def _common(self, **params: Any) -> dict[str, Any]:
        """Parameters of update operators that every optimizer has."""
        params["rescale_grad"] = self.rescale_grad
        if self.clip_gradient:
            params["clip_gradient"] = self.clip_gradient
        return params

    def _scaled(self, grad: NDArray, weight: NDArray | None = None, wd: float = 0.0) -> NDArray:
        """The gradient rescaled, with weight decay if a weight is given, then clipped."""
        grad = grad * self.rescale_grad
        if weight is not None:
            grad = grad + wd * weight
        if self.clip_gradient is not None:
            grad = nd.clip(grad, -self.clip_gradient, self.clip_gradient)
        return grad

    # -- copies ----------------------------------------------------------------------------------------------
    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "param_dict"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state
        self.param_dict = {}


register = Optimizer.register
create = Optimizer.create_optimizer
