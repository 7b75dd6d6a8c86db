"""The function that stores and trainers call with gradients: an optimizer and the states of its weights."""

from __future__ import annotations

from typing import Any

from ..ndarray import NDArray
from .optimizer import Index, Optimizer
from .states import dump, load

__all__ = ["Updater", "get_updater"]


class Updater:
    """Applies an optimizer to weights by index, and keeps their states.

    Attributes
    ----------
    optimizer : Optimizer
    states : dict from index to state
    aggregate_updates : bool
        Whether the optimizer takes several weights at once.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.states: dict[Index, Any] = {}
        self.states_synced: dict[Index, bool] = {}
        self.aggregate_updates = optimizer.aggregate_num > 0

    def __call__(self, index: Any, grad: Any, weight: Any) -> None:
        """Update one weight, or several from lists of equal length."""
        several = isinstance(index, list | tuple)
        indices = [i.decode() if isinstance(i, bytes) else i for i in (index if several else [index])]
        grads, weights = (list(x) if several else [x] for x in (grad, weight))
        if weights:
            self.optimizer._set_current_context(weights[0].context.device_id)
        for i, w in zip(indices, weights, strict=True):
            if i not in self.states:
                self.states[i] = self.optimizer.create_state_multi_precision(i, w)
            elif not self.states_synced[i]:
                self.states[i] = self.sync_state_context(self.states[i], w.context)
            self.states_synced[i] = True
        if not self.aggregate_updates:
            for i, w, g in zip(indices, weights, grads, strict=True):
                self.optimizer.update_multi_precision(i, w, g, self.states[i])
            return
        by_type: dict[Any, list[tuple[Any, Any, Any]]] = {}
        for row in zip(indices, weights, grads, strict=True):
            by_type.setdefault(row[1].dtype, []).append(row)
        size = self.optimizer.aggregate_num
        for rows in by_type.values():
            for first in range(0, len(rows), size):
                part = rows[first : first + size]
                places, values, gradients = (list(column) for column in zip(*part, strict=True))
                states = [self.states[i] for i in places]
                self.optimizer.update_multi_precision(places, values, gradients, states)

    def sync_state_context(self, state: Any, context: Any) -> Any:
        """A state with its arrays on a device."""
        if isinstance(state, NDArray):
            return state.as_in_context(context)
        if isinstance(state, list | tuple):
            return type(state)(self.sync_state_context(s, context) for s in state)
        return state

    def set_states(self, states: bytes) -> None:
        """Take over what `get_states` returned; an optimizer in it replaces this one's.

        Raises
        ------
        FormatError : the bytes are something else, a pickle for example.
        """
        self.states, optimizer = load(states)
        if optimizer is not None:
            self.optimizer = optimizer
            self.aggregate_updates = optimizer.aggregate_num > 0
        self.states_synced = dict.fromkeys(self.states, False)

    def get_states(self, dump_optimizer: bool = False) -> bytes:
        """The states, and with `dump_optimizer` the optimizer, as the bytes of a safetensors file.

        Raises
        ------
        TypeError : a state or an attribute of the optimizer is of a kind that cannot be written.
        """
        return dump(self.states, self.optimizer if dump_optimizer else None)


def get_updater(optimizer: Optimizer) -> Updater:
    """The updater of an optimizer."""
    return Updater(optimizer)
