"""The tape: what autograd records, and the walk back over it.

Every recorded call is an entry: a specialized program with the arrays that its backward program reads. An
array that a recorded computation produced, or that is marked as a variable, carries a `Place`. Gradients of
gradients come for free, because with `create_graph` the gradient program of an entry is called (and so
recorded) like any other function.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from ._runtime.function import Function, Specialization
from ._runtime.session import Device, Raw, from_numpy
from .base import MXNetError

if TYPE_CHECKING:
    from .ndarray.ndarray import NDArray

__all__ = ["CallEntry", "Entry", "Place", "PythonEntry", "Version", "run_backward", "state"]


class _State(threading.local):
    recording = False
    training = False


state = _State()  # per thread: whether calls are recorded, and whether operators run in training mode


class Version:
    """Counts the writes to one block of memory; all views of it share the counter.

    Attributes
    ----------
    watched : whether its writes count for `epoch`.
    shared : whether more than one array, or somebody outside, may look at the memory.
    foreign : whether another library has the memory too, whose writes are not counted.
    epoch : number of writes to all memory that is watched, or was replaced by other.
    """

    __slots__ = ("_count", "foreign", "shared", "watched")
    epoch: ClassVar[int] = 0

    def __init__(self) -> None:
        self._count = 0
        self.watched = False
        self.shared = False
        self.foreign = False

    @property
    def count(self) -> int:
        """Number of writes."""
        return self._count

    @count.setter
    def count(self, value: int) -> None:
        self._count = value
        if self.watched:
            Version.epoch += 1


class Place:
    """Where an array stands on the tape: output `index` of `entry`, or a variable (``entry is None``).

    Attributes
    ----------
    grad, grad_req : the gradient buffer of a variable and how it is written.
    """

    __slots__ = ("entry", "grad", "grad_req", "index")

    def __init__(self, entry: Entry | None = None, index: int = 0) -> None:
        self.entry = entry
        self.index = index
        self.grad: NDArray | None = None
        self.grad_req = "null"


class Entry(Protocol):
    """One recorded call."""

    name: str
    places: list[Place | None]  # of the inputs
    owns_gradients: bool  # whether nobody else refers to what `backward` returns

    def backward(self, dys: dict[int, NDArray], create_graph: bool, keep: bool) -> Sequence[NDArray | None]:
        """Gradients of the inputs from those of the outputs; without `keep` the saved arrays are released."""


class CallEntry:
    """A recorded call of a compiled function.

    Parameters
    ----------
    inputs : raw arrays of the program's inputs, with their version counters.
    outputs : raw arrays of the results and saved values of the forward program.
    wrt : positions of the inputs that have places.
    function : what was called.
    """

    owns_gradients = True

    def __init__(
        self,
        specialization: Specialization,
        device: Device,
        inputs: Sequence[NDArray | Raw],
        outputs: Sequence[Raw],
        wrt: tuple[int, ...],
        places: list[Place | None],
        name: str,
        wrap: Callable[[Raw], NDArray],
        function: Function | None = None,
    ) -> None:
        self.specialization = specialization
        self.function = function
        self.device = device
        self.places = places
        self.name = name
        self.wrt = wrt
        self._wrap = wrap
        self._pair = specialization.pair(wrt)
        self._inputs: list[Any] | None = list(inputs)
        self._versions = [getattr(x, "_version", None) and x._version.count for x in inputs]
        self._out_versions: list[tuple[Version, int] | None] = [None] * len(outputs)
        self._outputs = list(outputs)

    def watch_output(self, index: int, version: Version) -> None:
        """Remember the version of the memory that holds output `index`."""
        self._out_versions[index] = (version, version.count)

    @property
    def inputs(self) -> list[Any]:
        """Arrays and raw values of the inputs.

        Raises
        ------
        MXNetError : a backward pass has released them.
        """
        if self._inputs is None:
            raise MXNetError(f"the inputs of {self.name!r} are released; use backward(retain_graph=True)")
        return self._inputs

    def _raw_input(self, i: int) -> Raw:
        assert self._inputs is not None
        x = self._inputs[i]
        if not hasattr(x, "_version"):
            return x
        if x._version.count != self._versions[i]:
            raise MXNetError(
                f"the gradient of {self.name!r} needs its input {i}, which was written to after it was recorded"
            )
        return x._raw

    def _raw_output(self, i: int) -> Raw:
        seen = self._out_versions[i]
        if seen is not None and seen[0].count != seen[1]:
            raise MXNetError(
                f"the gradient of {self.name!r} needs its output {i}, which was written to after it was recorded"
            )
        return self._outputs[i]

    def backward(self, dys: dict[int, NDArray], create_graph: bool, keep: bool) -> Sequence[NDArray | None]:
        if self._inputs is None:
            raise MXNetError(
                f"backward through {self.name!r} a second time: its saved arrays are released; use retain_graph=True"
            )
        pair = self._pair
        grads: list[NDArray | None] = [None] * len(self.places)
        if pair.backward is None:
            return grads
        results = self._recorded(dys) if create_graph else self._direct(dys)
        for i, g in zip(pair.wrt, results, strict=True):
            grads[i] = g
        if not keep:
            self._inputs, self._outputs = None, []
        return grads

    def _head(self, i: int, dys: dict[int, NDArray]) -> Raw:
        if i in dys:
            return dys[i]._raw
        program = self._pair.forward
        t = program.outputs[i]
        shape = self._outputs[i].shape
        return np.zeros(shape() if callable(shape) else shape, t.dt)

    def _direct(self, dys: dict[int, NDArray]) -> list[NDArray]:
        pair = self._pair
        assert pair.backward is not None
        feeds = [self._raw_input(i) for i in pair.inputs] + [self._raw_output(i) for i in pair.outputs]
        feeds += [self._head(i, dys) for i in pair.heads]
        return [self._wrap(r) for r in self.specialization.compiled(pair.backward, self.device)(feeds)]

    def _recorded(self, dys: dict[int, NDArray]) -> list[NDArray]:
        from .ndarray.dispatch import call

        assert self._inputs is not None
        pair = self._pair
        heads = tuple(sorted(dys))
        function = self.specialization.gradient_function(tuple(pair.wrt), heads)
        for i in range(len(self._inputs)):
            self._raw_input(i)
        arrays = [x if hasattr(x, "_version") else self._wrap(x) for x in self._inputs]
        return call(function, [*arrays, *(dys[i] for i in heads)])


class PythonEntry:
    """A recorded call of a Python function with a backward of its own."""

    owns_gradients = False

    def __init__(
        self,
        places: list[Place | None],
        function: Callable[[dict[int, NDArray]], Sequence[NDArray | None]],
        name: str,
    ) -> None:
        self.places = places
        self.name = name
        self._function = function

    def backward(self, dys: dict[int, NDArray], create_graph: bool, keep: bool) -> Sequence[NDArray | None]:
        return self._function(dys)


def _order(heads: Sequence[Place]) -> list[Entry]:
    """Entries that `heads` depend on, in topological order. Works for tapes of any length."""
    order: list[Entry] = []
    done: set[int] = set()
    stack: list[tuple[Entry, bool]] = [(p.entry, False) for p in heads if p.entry is not None]
    while stack:
        entry, expanded = stack.pop()
        if expanded:
            order.append(entry)
        elif id(entry) not in done:
            done.add(id(entry))
            stack.append((entry, True))
            stack.extend((p.entry, False) for p in entry.places if p is not None and p.entry is not None)
    return order


def run_backward(
    heads: Sequence[Place],
    head_grads: Sequence[NDArray],
    keep: bool,
    create_graph: bool = False,
    variables: Sequence[Place] | None = None,
) -> list[NDArray | None]:
    """Walk the tape back from `heads`.

    With `variables` the gradients of these are returned; else they are written into the gradient buffers of
    all variables met.

    Raises
    ------
    MXNetError : one of `variables` is not among what the heads were computed from.
    """
    order = _order(heads)
    grads: dict[int, dict[int, NDArray]] = {id(e): {} for e in order}
    leaves: dict[int, NDArray] = {}
    by_id = {id(p): p for e in order for p in e.places if p is not None and p.entry is None}
    wanted = {id(p) for p in variables or ()}
    for i, p in enumerate(variables or ()):
        if id(p) not in by_id and (p.entry is None or id(p.entry) not in grads) and p not in heads:
            raise MXNetError(f"grad: the heads were not computed from variable {i}")
    owned: set[int] = set()  # variables whose gradient nobody else refers to, so that their buffers may take it over

    def accumulate(place: Place, value: NDArray, fresh: bool = False) -> None:
        if id(place) in wanted or place.entry is None:
            by_id[id(place)] = place
            before = leaves.get(id(place))
            leaves[id(place)] = value if before is None else before + value
            if (fresh or before is not None) and not create_graph:
                owned.add(id(place))
        if place.entry is not None:
            slot = grads[id(place.entry)]
            slot[place.index] = slot[place.index] + value if place.index in slot else value

    for place, g in zip(heads, head_grads, strict=True):
        accumulate(place, g)
    for entry in reversed(order):
        dys = grads.pop(id(entry))
        if dys:
            found = entry.backward(dys, create_graph, keep)
            for target, value in zip(entry.places, found, strict=True):
                if target is not None and value is not None:
                    accumulate(target, value, entry.owns_gradients)
    if variables is not None:
        return [leaves.get(id(p)) for p in variables]
    for key, place in by_id.items():
        if place.grad is not None and place.grad_req != "null":
            place.grad._fresh = True
            total = leaves.get(key)
            if total is None:  # met behind operators without slope only
                if place.grad_req != "add":
                    place.grad._write(_zeros(place.grad))
            elif place.grad_req == "add":
                place.grad._adopt(place.grad._raw_sum(total))
            elif key in owned:
                place.grad._adopt(total._raw)
            else:
                place.grad._write(total._raw)
    return []


def _zeros(like: NDArray) -> Raw:
    from .ndarray.dispatch import device_of

    return from_numpy(np.zeros(like.shape, like._raw_dtype), device_of(like._ctx))
