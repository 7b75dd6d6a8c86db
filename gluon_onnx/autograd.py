"""Automatic differentiation of eager computations: `mx.autograd`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._runtime.session import from_numpy
from ._tape import Place, PythonEntry, run_backward, state
from .base import MXNetError
from .ndarray.dispatch import device_of
from .ndarray.ndarray import NDArray, wrap

__all__ = [
    "Function",
    "NDArray",
    "backward",
    "get_symbol",
    "grad",
    "is_recording",
    "is_training",
    "mark_variables",
    "pause",
    "predict_mode",
    "record",
    "set_recording",
    "set_training",
    "train_mode",
]


def set_recording(is_recording: bool) -> bool:
    """Switch recording on or off in this thread; returns the previous state."""
    previous, state.recording = state.recording, bool(is_recording)
    return previous


def set_training(train_mode: bool) -> bool:
    """Switch training mode on or off in this thread; returns the previous state."""
    previous, state.training = state.training, bool(train_mode)
    return previous


def is_recording() -> bool:
    """Whether computations are recorded."""
    return state.recording


def is_training() -> bool:
    """Whether operators run in training mode."""
    return state.training


class _Scope:
    """Sets recording and training mode inside (None leaves one as it is)."""

    def __init__(self, recording: bool | None, training: bool | None) -> None:
        self._new = (recording, training)
        self._saved: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self._saved.append((state.recording, state.training))
        recording, training = self._new
        if recording is not None:
            state.recording = recording
        if training is not None:
            state.training = training

    def __exit__(self, *_: object) -> None:
        state.recording, state.training = self._saved.pop()


def record(train_mode: bool = True) -> _Scope:
    """A scope in which computations are recorded, in training mode by default."""
    return _Scope(True, train_mode)


def pause(train_mode: bool = False) -> _Scope:
    """A scope in which nothing is recorded."""
    return _Scope(False, train_mode)


def train_mode() -> _Scope:
    """A scope in training mode; recording stays as it is."""
    return _Scope(None, True)


def predict_mode() -> _Scope:
    """A scope in prediction mode; recording stays as it is."""
    return _Scope(None, False)


def mark_variables(variables: Any, gradients: Any, grad_reqs: Any = "write") -> None:
    """Make arrays variables whose gradients go to the given arrays.

    Parameters
    ----------
    grad_reqs : "write", "add" or "null", for all or one for each.
    """
    if isinstance(variables, NDArray):
        variables, gradients = [variables], [gradients]
    reqs = [grad_reqs] * len(variables) if isinstance(grad_reqs, str) else list(grad_reqs)
    for variable, gradient, req in zip(variables, gradients, reqs, strict=True):
        if req not in ("write", "add", "null"):
            raise MXNetError(f"grad_req: expected 'write', 'add' or 'null', got {req!r}")
        place = Place()
        place.grad, place.grad_req = gradient, req
        variable._place = place
        variable._grad = gradient


def _heads(heads: Any, head_grads: Any) -> tuple[list[Place], list[NDArray]]:
    arrays = [heads] if isinstance(heads, NDArray) else list(heads)
    grads = [head_grads] if isinstance(head_grads, NDArray) or head_grads is None else list(head_grads)
    if head_grads is None:
        grads = [None] * len(arrays)
    if len(grads) != len(arrays):
        raise MXNetError(f"backward got {len(arrays)} heads and {len(grads)} head gradients")
    places, values = [], []
    for x, g in zip(arrays, grads, strict=True):
        if x._place is None:
            raise MXNetError(
                "cannot differentiate an array that no recorded computation produced; compute it inside "
                "autograd.record() from arrays with attach_grad()"
            )
        if g is None:
            g = wrap(from_numpy(np.ones(x.shape, x.dtype), device_of(x._ctx)), x._ctx)
        elif g.shape != x.shape:
            if g.shape[1:] != x.shape[1:] or g.shape[0] < x.shape[0]:
                raise MXNetError(f"backward: a head has shape {x.shape}, its gradient {g.shape}")
            warnings.warn(
                f"backward: a head has shape {x.shape}, its gradient {g.shape}; as in MXNet the rest is ignored",
                stacklevel=3,
            )
            g = g[: x.shape[0]]
        elif g.dtype != x.dtype:
            g = g.astype(x.dtype)
        places.append(x._place)
        values.append(g)
    return places, values


def backward(heads: Any, head_grads: Any = None, retain_graph: bool = False, train_mode: bool = True) -> None:
    """Compute the gradients of `heads` and write them into the gradient buffers of all variables met.

    Parameters
    ----------
    heads : an array or a list of arrays.
    head_grads : gradients of the heads, each None or an array of its head's shape; ones by default.
    retain_graph : keep what was recorded, so that backward can run again.

    Raises
    ------
    MXNetError : a head was not recorded, its history is released, or an array that the gradient needs was
        written to since.
    """
    places, values = _heads(heads, head_grads)
    with _Scope(False, train_mode):
        run_backward(places, values, keep=retain_graph)


def grad(
    heads: Any,
    variables: Any,
    head_grads: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    train_mode: bool = True,
) -> list[NDArray]:
    """The gradients of `heads` with respect to `variables`, as new arrays: a list, also for a single variable.

    Parameters
    ----------
    create_graph : record the gradient computation, so that it can itself be differentiated.

    Raises
    ------
    MXNetError : a variable is not part of what the heads were computed from.
    """
    arrays: Sequence[NDArray] = [variables] if isinstance(variables, NDArray) else list(variables)
    if not arrays:
        raise MXNetError("grad needs at least one variable")
    places, values = _heads(heads, head_grads)
    targets = []
    for x in arrays:
        if x._place is None:
            raise MXNetError("grad: a variable has no gradient attached and was not computed while recording")
        targets.append(x._place)
    keep = create_graph if retain_graph is None else retain_graph
    with _Scope(create_graph, train_mode):
        found = run_backward(
            places, values, keep=keep or create_graph, create_graph=create_graph, variables=targets
        )
    return [_zeros_like(x) if g is None else g for x, g in zip(arrays, found, strict=True)]


def get_symbol(x: NDArray) -> Any:
    """The recorded computation of an array as a Symbol; its variables are called ``var0``, ``var1``, ...

    Raises
    ------
    MXNetError : a part of it is no operator: a Function, a custom operator, a gradient; or a backward pass has
        released the computation.
    """
    from .recorded import symbol_of

    return symbol_of(x)


def _zeros_like(x: NDArray) -> NDArray:
    return wrap(from_numpy(np.zeros(x.shape, x.dtype), device_of(x._ctx)), x._ctx)


class Function:
    """A differentiable function with a backward of its own.

    Subclasses define ``forward(self, *inputs)`` and ``backward(self, *output_gradients)``, both on NDArrays.
    """

    def __init__(self) -> None:
        self._saved: tuple[Any, ...] = ()
        self._used = False

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` was given."""
        return self._saved

    def save_for_backward(self, *args: Any) -> None:
        """Keep values for `backward`."""
        self._saved = args

    def __call__(self, *inputs: NDArray) -> Any:
        """Call `forward`, and `backward` later.

        Raises
        ------
        MXNetError : the object was called before; it holds what the gradient of one call needs.
        """
        if self._used:
            raise MXNetError(f"{type(self).__name__}: each object can be called once; make another")
        self._used = True
        with pause(train_mode=state.training):
            outputs = self.forward(*inputs)
        single = isinstance(outputs, NDArray)
        results = [outputs] if single else list(outputs)
        if not state.recording or all(x._place is None for x in inputs):
            return outputs
        results = [r.detach() if any(r is x for x in inputs) else r for r in results]

        def run(dys: dict[int, NDArray]) -> list[NDArray | None]:
            grads = [dys[i] if i in dys else _zeros_like(r) for i, r in enumerate(results)]
            given = self.backward(*grads)
            found = [given] if isinstance(given, NDArray) or given is None else list(given)
            if len(found) != len(inputs):
                raise MXNetError(
                    f"{type(self).__name__}.backward must return {len(inputs)} gradients (one for each "
                    f"input), got {len(found)}"
                )
            return found

        entry = PythonEntry([x._place for x in inputs], run, type(self).__name__)
        for i, r in enumerate(results):
            r._place = Place(entry, i)
        return results[0] if single else results

    def forward(self, *inputs: NDArray) -> Any:
        """The computation; subclasses define it."""
        raise TypeError(f"{type(self).__name__} must define forward()")

    def backward(self, *output_grads: NDArray) -> Any:
        """Gradients of the inputs; subclasses define it."""
        raise TypeError(f"{type(self).__name__} must define backward()")
