"""Batches of a dataset, loaded here or by workers."""

from __future__ import annotations

import multiprocessing
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.pool import ThreadPool
from typing import Any

from ...context import Context, cpu_pinned
from ...ndarray import NDArray
from . import _workers
from .batchify import stack
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = ["DataLoader", "default_batchify_fn", "default_mp_batchify_fn"]


def default_batchify_fn(data: Sequence[Any]) -> Any:
    """Stack samples; samples that are tuples give a list with one array for each member.

    Parameters
    ----------
    data : list of samples
        NDArrays, NumPy arrays or anything NumPy takes, all of one shape, or tuples of such.
    """
    if isinstance(data[0], tuple):
        return [default_batchify_fn(members) for members in zip(*data, strict=True)]
    return stack(data)


def default_mp_batchify_fn(data: Sequence[Any]) -> Any:
    """The same as `default_batchify_fn`: a batch may cross processes as it is."""
    return default_batchify_fn(data)


def _as_in_context(data: Any, ctx: Context) -> Any:
    if isinstance(data, NDArray):
        return data.as_in_context(ctx)
    if isinstance(data, (list, tuple)):
        return [_as_in_context(each, ctx) for each in data]
    return data


class _ThreadWorkers:
    """Threads with the interface of a `WorkerPool`."""

    def __init__(self, dataset: Any, batchify_fn: Callable[[list[Any]], Any], num_workers: int) -> None:
        self._load = dataset, batchify_fn
        self._pool = ThreadPool(num_workers)
        self.close = weakref.finalize(self, self._pool.terminate)

    @property
    def healthy(self) -> bool:
        return self.close.alive

    def submit(self, samples: Sequence[Any]) -> Any:
        return self._pool.apply_async(_workers.load, (*self._load, samples))

    def result(self, ticket: Any, timeout: float) -> Any:
        try:
            return ticket.get(timeout)
        except multiprocessing.TimeoutError:
            if ticket.ready():
                raise  # the dataset's own
            raise multiprocessing.TimeoutError(
                f"a DataLoader thread did not deliver a batch within {timeout} seconds: is a transform slow? "
                "See DataLoader(timeout=...)"
            ) from None

    def forget(self, tickets: Sequence[Any]) -> None:
        """Nothing to do: results go with their tickets."""


class _PrefetchIter:
    """Iterator over the batches of one pass, some of which are always being loaded."""

    def __init__(
        self, workers: Any, batch_sampler: Any, prefetch: int, timeout: float, pin: Context | None
    ) -> None:
        self._workers = workers
        self._timeout = timeout
        self._pin = pin
        self._tickets: deque[Any] = deque()
        self._batches = iter(batch_sampler)
        for _ in range(prefetch):
            self._push_next()

    def _push_next(self) -> None:
        samples = next(self._batches, None)
        if samples is not None:
            self._tickets.append(self._workers.submit(samples))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        self._push_next()
        if not self._tickets:
            raise StopIteration
        batch = self._workers.result(self._tickets.popleft(), self._timeout)
        return batch if self._pin is None else _as_in_context(batch, self._pin)

    def __del__(self) -> None:
        self._workers.forget(self._tickets)


class DataLoader:
    """Loads a dataset in batches.

    Parameters
    ----------
    dataset : Dataset
        Also an NDArray, a NumPy array or a list.
    batch_size : int
        Samples in a batch.
    shuffle : bool
        Visit the samples in random order (`RandomSampler`).
    sampler : Sampler
        The order, instead of `shuffle`.
    last_batch : {'keep', 'discard', 'rollover'}
        What to do with samples that do not fill a batch; see `BatchSampler`.
    batch_sampler : Sampler
        Yields the indices of whole batches, instead of the four above.
    batchify_fn : callable (list of samples) -> batch
        By default `default_batchify_fn`; module `batchify` has others.
    num_workers : int
        Number of processes, or threads, that load batches ahead; 0 loads them when they are asked for. On
        Linux the processes are forked when the DataLoader is made and see the dataset as it is then.
    pin_memory : bool
        Put batches into context ``cpu_pinned(pin_device_id)``.
    pin_device_id : int
    prefetch : int
        Number of batches loaded ahead, by default twice the number of workers.
    thread_pool : bool
        Use threads instead of processes.
    timeout : int
        Seconds to wait for a batch of a worker.
    auto_reload : bool
        Begin loading the next pass before it is asked for, the first one now.

    Raises
    ------
    ValueError
        For arguments that contradict each other.
    WorkerDiedError
        From the iteration, when a worker process has died. Workers are started anew with the next pass.
    multiprocessing.TimeoutError
        From the iteration, after `timeout` seconds without a batch.

    Notes
    -----
    The generators `numpy.random`, `random` and `mx.random` of each worker process are seeded from the state
    of `numpy.random`, so that workers draw different numbers and a seed makes them repeatable. (In MXNet they
    all start with a copy of the parent's state and draw the same.)

    Examples
    --------
    >>> dataset = ArrayDataset(np.arange(5), np.arange(5) * 2)
    >>> [(x.asnumpy().tolist(), y.asnumpy().tolist()) for x, y in DataLoader(dataset, 3)]
    [([0, 1, 2], [0, 2, 4]), ([3, 4], [6, 8])]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = None,
        shuffle: bool = False,
        sampler: Sampler | None = None,
        last_batch: str | None = None,
        batch_sampler: Any = None,
        batchify_fn: Callable[[list[Any]], Any] | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
        pin_device_id: int = 0,
        prefetch: int | None = None,
        thread_pool: bool = False,
        timeout: float = 120,
        auto_reload: bool = False,
    ) -> None:
        if timeout <= 0:
            raise ValueError(f"timeout must be positive, given {timeout}")
        if batch_sampler is None:
            batch_sampler = _make_batch_sampler(len(dataset), batch_size, shuffle, sampler, last_batch)
        elif batch_size is not None or shuffle or sampler is not None or last_batch is not None:
            raise ValueError(
                "batch_size, shuffle, sampler and last_batch must not be specified if batch_sampler is"
            )
        self._dataset = dataset
        self._batch_sampler = batch_sampler
        self._batchify_fn = batchify_fn or default_batchify_fn
        self._num_workers = max(0, num_workers)
        self._pin = cpu_pinned(pin_device_id) if pin_memory else None
        self._prefetch = max(0, int(prefetch) if prefetch is not None else 2 * self._num_workers)
        self._thread_pool = thread_pool
        self._timeout = timeout
        self._workers: Any = None
        if self._num_workers:
            self._start_workers()
        self.auto_reload = auto_reload
        self._iter: Iterator[Any] | None = None
        if auto_reload:
            self.refresh()

    def _start_workers(self) -> None:
        kind = _ThreadWorkers if self._thread_pool else _workers.WorkerPool
        self._workers = kind(self._dataset, self._batchify_fn, self._num_workers)

    def _load_here(self) -> Iterator[Any]:
        for samples in self._batch_sampler:
            batch = _workers.load(self._dataset, self._batchify_fn, samples)
            yield batch if self._pin is None else _as_in_context(batch, self._pin)

    def __iter__(self) -> Iterator[Any]:
        if self._iter is None:
            self.refresh()
        batches, self._iter = self._iter, None
        assert batches is not None
        yield from batches
        # Another pass may have been started ahead while this one went on.
        if self.auto_reload and self._iter is None:
            self.refresh()

    def __len__(self) -> int:
        return len(self._batch_sampler)

    def refresh(self) -> None:
        """Start a new pass: with workers, its first batches begin to load."""
        if not self._num_workers:
            self._iter = self._load_here()
            return
        if not self._workers.healthy:
            self._workers.close()
            self._start_workers()
        self._iter = _PrefetchIter(
            self._workers, self._batch_sampler, self._prefetch, self._timeout, self._pin
        )

    def clean(self) -> None:
        """Drop a pass that was started ahead; the next one starts when it is asked for."""
        self._iter = None


def _make_batch_sampler(
    length: int, batch_size: int | None, shuffle: bool, sampler: Sampler | None, last_batch: str | None
) -> BatchSampler:
    if batch_size is None:
        raise ValueError("batch_size must be specified unless batch_sampler is specified")
    if sampler is not None and shuffle:
        raise ValueError("shuffle must not be specified if sampler is specified")
    if sampler is None:
        sampler = RandomSampler(length) if shuffle else SequentialSampler(length)
    return BatchSampler(sampler, batch_size, last_batch or "keep")
