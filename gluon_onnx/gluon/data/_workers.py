"""Worker processes that load batches.

A worker gets the indices of a batch through a socket and sends the batch back: pickled, NDArrays as NumPy
arrays, and, where the system has it, large arrays in anonymous shared memory whose descriptor goes through
the socket. Nothing lies in /dev/shm, whose size containers limit to little. The parent never waits for
anything but the workers' sockets and their ends, so it learns at once when one has died.

Workers are forked on Linux, so that datasets may be closures or belong to ``__main__``; elsewhere they are
started afresh and what they are given is pickled. Batch i goes to worker i modulo their number: which random
numbers a sample is made with does not depend on timing.
"""

from __future__ import annotations

import io
import itertools
import multiprocessing
import os
import pickle
import random as python_random
import signal
import sys
import threading
import time
import traceback
import warnings
import weakref
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing import connection, reduction
from typing import Any

import numpy as np

from ... import ndarray, random
from ..._runtime.session import to_numpy
from ...base import MXNetError
from ...ndarray import NDArray

__all__ = ["WorkerDiedError", "WorkerPool", "load"]

_SHARED_FROM = 1 << 16  # bytes: smaller arrays go through the socket
_IN_FLIGHT = 8000  # bytes: requests that a socket takes without blocking on any system


class WorkerDiedError(MXNetError, RuntimeError):
    """A worker process of a DataLoader ended before it delivered its batch."""


class _RemoteError(Exception):
    """Carries the traceback of a worker; the cause of the exception that is raised for it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"


def load(dataset: Any, batchify_fn: Callable[[list[Any]], Any], samples: Sequence[Any]) -> Any:
    """Return the batch of the given samples."""
    return batchify_fn([dataset[i] for i in samples])


# -- messages ----------------------------------------------------------------------------------------------


def _rebuild(values: np.ndarray[Any, Any]) -> NDArray:
    return ndarray.from_numpy(np.ascontiguousarray(values))


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is NDArray:
            return _rebuild, (to_numpy(obj._raw),)
        return NotImplemented


class _Message:
    """A pickled result of request `number`, ready to be sent."""

    def __init__(self, number: int, result: tuple[bool, Any]) -> None:
        buffers: list[pickle.PickleBuffer] = []
        stream = io.BytesIO()
        _Pickler(stream, 5, buffer_callback=buffers.append).dump(result)
        self.number, self.data = number, stream.getbuffer()
        self.arrays = [buffer.raw() for buffer in buffers]
        self.memory: int | None = None
        if hasattr(os, "memfd_create") and sum(array.nbytes for array in self.arrays) >= _SHARED_FROM:
            self.memory = os.memfd_create("gluon-onnx-batch")
            for array in self.arrays:
                while array.nbytes:
                    array = array[os.write(self.memory, array) :]

    def send(self, conn: Any) -> None:
        sizes = [array.nbytes for array in self.arrays]
        conn.send_bytes(pickle.dumps((self.number, sizes, self.memory is not None)))
        conn.send_bytes(self.data)
        if self.memory is not None:
            reduction.send_handle(conn, self.memory, os.getppid())
            os.close(self.memory)
            return
        for array in self.arrays:
            conn.send_bytes(array)


def _receive(conn: Any) -> tuple[int, bytes, list[Any]]:
    """Return a request's number, its pickled result and the arrays of that."""
    number, sizes, shared = pickle.loads(conn.recv_bytes())
    data = conn.recv_bytes()
    if not shared:
        return number, data, [bytearray(conn.recv_bytes()) for _ in sizes]
    memory = reduction.recv_handle(conn)
    with os.fdopen(memory, "rb", buffering=0) as stream:
        stream.seek(0)
        return number, data, [_read(stream, size) for size in sizes]


def _read(stream: io.FileIO, size: int) -> memoryview:
    # Not mapped but copied: a mapping would hold the descriptor, and they run out when batches are collected.
    buffer = np.empty(size, np.uint8).data
    done = 0
    while done < size:
        done += stream.readinto(buffer[done:]) or 0
    return buffer


# -- the worker's side -------------------------------------------------------------------------------------


def _work(
    conn: Any, foreign: list[Any], dataset: Any, batchify_fn: Callable[[list[Any]], Any], seed: int
) -> None:
    """Serve requests until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in foreign:
        other.close()  # an end that is held here would hide the parent's death from the other workers
    np.random.seed(seed)
    python_random.seed(seed)
    random.seed(seed)
    while True:
        try:
            number, samples = pickle.loads(conn.recv_bytes())
            _answer(number, samples, dataset, batchify_fn).send(conn)
        except (EOFError, ConnectionError):
            return  # the parent is gone, or has closed the pool


def _answer(
    number: int, samples: Sequence[Any], dataset: Any, batchify_fn: Callable[[list[Any]], Any]
) -> _Message:
    try:
        return _Message(number, (True, load(dataset, batchify_fn, samples)))
    except Exception as error:  # noqa: BLE001 - whatever the dataset raises is raised in the parent
        return _Message(number, (False, (_portable(error), traceback.format_exc(), samples)))


def _portable(error: Exception) -> Exception:
    """Return the exception, or one with its text if it does not survive pickling."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - an exception class may do anything when it is copied
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


# -- the parent's side -------------------------------------------------------------------------------------


class _Worker:
    """A process, the parent's end of its socket, and the requests that it was not sent yet."""

    def __init__(self, process: Any, conn: Any) -> None:
        self.process = process
        self.conn = conn
        self.waiting: deque[tuple[int, bytes]] = deque()
        self.sent: dict[int, int] = {}  # request: its size in bytes
        self.dead = False

    def dispatch(self) -> None:
        """Send as many requests as cannot block while the worker itself waits for us to read."""
        while self.waiting and not self.dead:
            number, message = self.waiting[0]
            if self.sent and sum(self.sent.values()) + len(message) > _IN_FLIGHT:
                return
            try:
                self.conn.send_bytes(message)
            except ConnectionError:
                self.dead = True
                return
            self.sent[number] = len(message)
            self.waiting.popleft()

    def describe_end(self) -> str:
        self.process.join(5)
        code = self.process.exitcode
        if code is not None and code < 0:
            how = f"was killed by signal {-code} ({signal.Signals(-code).name})"
            if -code == signal.SIGKILL:
                how += ", as happens when memory runs out,"
            return how
        return f"ended with exit code {code}"


class WorkerPool:
    """Processes that load batches of a dataset.

    Parameters
    ----------
    dataset : Dataset
    batchify_fn : callable (list of samples) -> batch
    num_workers : int
    """

    def __init__(self, dataset: Any, batchify_fn: Callable[[list[Any]], Any], num_workers: int) -> None:
        context: Any = multiprocessing.get_context(_start_method())
        pipes = [context.Pipe(duplex=True) for _ in range(num_workers)]
        forked = context.get_start_method() == "fork"
        seed = _seed_of_workers()
        self._workers: list[_Worker] = []
        for i, (ours, theirs) in enumerate(pipes):
            foreign = [end for pair in pipes for end in pair if end is not theirs] if forked else []
            process = context.Process(
                target=_work,
                args=(theirs, foreign, dataset, batchify_fn, (seed + i) % 2**32),
                name=f"DataLoader-{i}",
                daemon=True,
            )
            with warnings.catch_warnings():
                # From Python 3.12 on: the worker uses none of the locks that the parent's threads may hold.
                warnings.filterwarnings("ignore", ".*multi-threaded", DeprecationWarning)
                process.start()
            self._workers.append(_Worker(process, ours))
        for _, theirs in pipes:
            theirs.close()
        self._numbers = itertools.count()
        self._results: dict[int, tuple[bool, Any]] = {}
        self._forgotten: set[int] = set()
        self._lock = threading.RLock()  # re-entrant: garbage collection may call forget() at any time
        self.close = weakref.finalize(self, _shut_down, self._workers, os.getpid())

    @property
    def healthy(self) -> bool:
        """Whether all workers are alive."""
        return self.close.alive and all(w.process.is_alive() and not w.dead for w in self._workers)

    def submit(self, samples: Sequence[Any]) -> int:
        """Ask for a batch; returns the number under which `result` delivers it."""
        with self._lock:
            number = next(self._numbers)
            worker = self._workers[number % len(self._workers)]
            worker.waiting.append((number, pickle.dumps((number, samples), 5)))
            worker.dispatch()
        return number

    def result(self, number: int, timeout: float) -> Any:
        """Return batch `number`, once.

        Raises
        ------
        multiprocessing.TimeoutError
            After `timeout` seconds.
        WorkerDiedError
            When its worker has ended.
        Exception
            What the dataset or the batch function raised in the worker.
        """
        deadline = time.monotonic() + timeout
        worker = self._workers[number % len(self._workers)]
        with self._lock:
            while number not in self._results:
                if worker.dead:
                    raise WorkerDiedError(
                        f"DataLoader worker {worker.process.name} (process {worker.process.pid}) "
                        f"{worker.describe_end()} before it delivered its batch"
                    )
                left = deadline - time.monotonic()
                if left <= 0:
                    raise multiprocessing.TimeoutError(
                        f"DataLoader worker {worker.process.name} (process {worker.process.pid}) did not "
                        f"deliver a batch within {timeout} seconds: is a transform slow? See "
                        "DataLoader(timeout=...)"
                    )
                self._poll(left)
            good, payload = self._results.pop(number)
        if good:
            return payload
        error, text, samples = payload
        more = f" and {len(samples) - 8} more" if len(samples) > 8 else ""
        error.add_note(f"raised in {worker.process.name} while loading samples {samples[:8]}{more}")
        raise error from _RemoteError(text)

    def forget(self, numbers: Sequence[int]) -> None:
        """Give up batches that were asked for."""
        with self._lock:
            for number in numbers:
                if self._results.pop(number, None) is None:
                    self._forgotten.add(number)

    def _poll(self, timeout: float) -> None:
        """Wait for something to happen; take in what has."""
        alive = [worker for worker in self._workers if not worker.dead]
        handles = [handle for worker in alive for handle in (worker.conn, worker.process.sentinel)]
        ready = connection.wait(handles, timeout)
        for worker in alive:
            if worker.conn in ready:
                self._take(worker)
            elif worker.process.sentinel in ready:
                worker.dead = True

    def _take(self, worker: _Worker) -> None:
        try:
            number, data, arrays = _receive(worker.conn)
        except (EOFError, ConnectionError):
            worker.dead = True
            return
        del worker.sent[number]
        worker.dispatch()
        if number in self._forgotten:
            self._forgotten.remove(number)
            return
        try:
            self._results[number] = pickle.loads(data, buffers=arrays)
        except Exception as error:  # noqa: BLE001 - raised when this batch is asked for
            self._results[number] = False, (error, traceback.format_exc(), [])


def _start_method() -> str | None:
    """What the program has chosen; else fork on Linux, and the system's default elsewhere."""
    chosen = multiprocessing.get_start_method(allow_none=True)
    return chosen or ("fork" if sys.platform.startswith("linux") else None)


def _seed_of_workers() -> int:
    """A seed that follows from numpy.random's state without changing it."""
    return zlib.crc32(pickle.dumps(np.random.get_state(), 5))


def _shut_down(workers: list[_Worker], owner: int) -> None:
    if os.getpid() != owner:
        return  # a forked copy of the pool: the processes are not its children
    for worker in workers:
        worker.conn.close()
        worker.process.terminate()
    for worker in workers:
        worker.process.join(5)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
        worker.process.close()
