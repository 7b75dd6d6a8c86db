"""Key-value stores of one process: they sum gradients of several contexts and hand the result back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import optimizer as opt
from .base import MXNetError
from .context import cpu
from .ndarray import NDArray

__all__ = ["KVStore", "KVStoreBase", "create"]

Value = NDArray | Sequence[NDArray]


class KVStoreBase:
    """What `Trainer` needs of a store; the base of stores that users write."""

    OPTIMIZER = "optimizer"
    kv_registry: dict[str, type[KVStoreBase]] = {}

    @staticmethod
    def register(klass: type[KVStoreBase]) -> type[KVStoreBase]:
        """Class decorator: make a store available to `create` by its lower-case name."""
        KVStoreBase.kv_registry[klass.__name__.lower()] = klass
        return klass

    @staticmethod
    def is_capable(capability: str) -> bool:
        """Whether the store can do `capability` ("optimizer": update weights itself)."""
        raise MXNetError(f"the store does not say whether it is capable of {capability!r}")

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """Copy the first value to all `out`."""
        raise MXNetError(f"{type(self).__name__} has no broadcast")

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """Sum the values and copy the sum to all `out`."""
        raise MXNetError(f"{type(self).__name__} has no pushpull")


class KVStore(KVStoreBase):
    """The store of a single process ("local" and "device" mean the same here)."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._values: dict[Any, NDArray] = {}
        self._updater: Callable[[Any, NDArray, NDArray], None] | None = None

    @staticmethod
    def is_capable(capability: str) -> bool:
        """Whether the store can do `capability`."""
        if capability.lower() == KVStoreBase.OPTIMIZER:
            return True
        raise MXNetError(f"unknown capability {capability!r}")

    @property
    def type(self) -> str:
        """The name that the store was created by."""
        return self._kind

    @property
    def rank(self) -> int:
        """Number of this worker: 0."""
        return 0

    @property
    def num_workers(self) -> int:
        """Number of workers: 1."""
        return 1

    def init(self, key: Any, value: Any) -> None:
        """Store first values.

        Raises
        ------
        MXNetError : a key is there already.
        """
        for k, values in _pairs(key, value):
            if k in self._values:
                raise MXNetError(f"key {k!r} is initialized already")
            self._values[k] = values[0].copyto(cpu())

    def push(self, key: Any, value: Any, priority: int = 0) -> None:
        """Sum the values of a key; store the sum, or give it to the updater."""
        for k, values in _pairs(key, value):
            if k not in self._values:
                raise MXNetError(f"key {k!r} has not been initialized")
            total = _sum(values)
            if self._updater is not None:
                self._updater(k, total, self._values[k])
            else:
                self._values[k][:] = total

    def pull(self, key: Any, out: Any = None, priority: int = 0, ignore_sparse: bool = True) -> None:
        """Copy the stored value of a key to all `out`."""
        for k, outs in _pairs(key, out):
            if k not in self._values:
                raise MXNetError(f"key {k!r} has not been initialized")
            for x in outs:
                self._values[k].copyto(x)

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """`push` and `pull` in one."""
        self.push(key, value, priority)
        self.pull(key, value if out is None else out, priority)

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """`init` and `pull` in one."""
        self.init(key, value)
        self.pull(key, out, priority)

    def row_sparse_pull(self, key: Any, out: Any = None, priority: int = 0, row_ids: Any = None) -> None:
        """Not available: values are dense.

        Raises
        ------
        MXNetError : always.
        """
        raise MXNetError("row_sparse_pull: sparse storage is not supported")

    def set_updater(self, updater: Callable[[Any, NDArray, NDArray], None]) -> None:
        """Call ``updater(key, sum of values, stored value)`` on every push."""
        self._updater = updater

    _set_updater = set_updater

    def set_optimizer(self, optimizer: Any) -> None:
        """Update stored weights by an optimizer on every push of gradients."""
        self._updater = opt.get_updater(optimizer)

    def set_gradient_compression(self, compression_params: Any) -> None:
        """Compression saves network traffic of several machines; there is none in one process.

        Raises
        ------
        MXNetError : always.
        """
        raise MXNetError("gradient compression is for distributed stores; this store lives in one process")

    def save_optimizer_states(self, fname: str, dump_optimizer: bool = False) -> None:
        """Write the updater's states to a file."""
        from .graph.exporters._files import replaced_file

        if self._updater is None:
            raise AssertionError("Cannot save states for distributed training")
        with replaced_file(fname) as stream:
            stream.write(self._updater.get_states(dump_optimizer))  # type: ignore[attr-defined]

    def load_optimizer_states(self, fname: str) -> None:
        """Read the updater's states from a file."""
        if self._updater is None:
            raise AssertionError("Cannot load states for distributed training")
        with open(fname, "rb") as f:
            self._updater.set_states(f.read())  # type: ignore[attr-defined]

    def barrier(self) -> None:
        """Wait for all workers; there is one."""


class TestStore(KVStoreBase):
    """A store that only sums: what a user's own store at least has to do."""

    @staticmethod
    def is_capable(capability: str) -> bool:
        """This store cannot update weights."""
        if capability.lower() == KVStoreBase.OPTIMIZER:
            return False
        raise MXNetError(f"unknown capability {capability!r}")

    @property
    def type(self) -> str:
        """The name that the store was created by."""
        return "teststore"

    @property
    def rank(self) -> int:
        """Number of this worker: 0."""
        return 0

    @property
    def num_workers(self) -> int:
        """Number of workers: 1."""
        return 1

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """Copy the value to all `out`."""
        source = _list(value)[0]
        for x in _list(out):
            if x is not source:
                source.copyto(x)

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """Sum the values and copy the sum to all `out`."""
        total = _sum(_list(value))
        for x in _list(value if out is None else out):
            total.copyto(x)


KVStoreBase.register(TestStore)


def _list(value: Any) -> list[NDArray]:
    return [value] if isinstance(value, NDArray) else list(value)


def _pairs(key: Any, value: Any) -> list[tuple[Any, list[NDArray]]]:
    """Keys with their lists of arrays."""
    if not isinstance(key, list | tuple):
        return [(key, _list(value))]
    values = list(value)
    if len(values) != len(key):
        raise MXNetError(f"{len(key)} keys and {len(values)} values")
    grouped: dict[Any, list[NDArray]] = {}
    for k, v in zip(key, values, strict=True):
        grouped.setdefault(k, []).extend(_list(v))
    return list(grouped.items())


def _sum(values: Sequence[NDArray]) -> NDArray:
    total = values[0].copyto(cpu())
    for x in values[1:]:
        total += x.copyto(cpu())
    return total


def create(name: str = "local") -> Any:
    """A store by its name.

    Raises
    ------
    TypeError : `name` is not a string.
    MXNetError : the name is unknown, or stands for a distributed store.
    """
    if not isinstance(name, str):
        raise TypeError("name must be a string")
    lowered = name.lower()
    if lowered in KVStoreBase.kv_registry:
        return KVStoreBase.kv_registry[lowered]()
    if lowered in (
        "local",
        "device",
        "nccl",
        "local_allreduce_cpu",
        "local_allreduce_device",
        "local_update_cpu",
    ):
        return KVStore(name)
    raise MXNetError(
        f"unknown key-value store {name!r}; this process has 'local', 'device' and registered stores "
        f"{list(KVStoreBase.kv_registry)}"
    )
