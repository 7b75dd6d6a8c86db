"""ONNX Runtime sessions of programs."""

from __future__ import annotations

import functools
import math
import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime

from ..graph.builder import Opaque, Tensor
from ..graph.errors import ExecutionError, GraphError
from ..graph.program import Program
from . import devices
from .devices import Device
from .trace import label_of, trace

__all__ = ["Device", "Executable", "Raw", "clear", "from_numpy", "raw_dtype", "raw_shape", "to_numpy"]

Raw = Any  # what an NDArray holds: a NumPy array on the CPU, an OrtValue on a GPU

_MAX_SESSIONS = 4096
_LARGE = 1 << 12  # bytes of a constant that is handed to a session outside of its model
_SMALL_WORK = 1 << 15  # programs whose tensors are all smaller run on the calling thread

_lock = threading.RLock()
_live: OrderedDict[int, weakref.ref[Executable]] = OrderedDict()


@functools.cache
def _share_memory() -> None:
    """Let the sessions of this process share one CPU arena, which grows by what is asked for.

    Otherwise each keeps one of its own, with sizes rounded up to powers of two: 15 % more memory for a training step.
    """
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    settings = {"max_mem": 0, "initial_chunk_size_bytes": -1, "max_dead_bytes_per_chunk": -1}
    settings["arena_extend_strategy"] = 1  # as requested
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg(settings))


def _options(small: bool) -> onnxruntime.SessionOptions:
    _share_memory()
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = 4  # failures are raised; nothing is written to stderr as well
    options.enable_mem_pattern = small  # without it less memory at the same speed, and shapes may vary
    if small:
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
    else:
        threads = os.environ.get("OMP_NUM_THREADS", "")
        options.intra_op_num_threads = int(threads) if threads.isdigit() else 0
        options.add_session_config_entry("session.force_spinning_stop", "1")  # many sessions share the cores
    return options


def _inner(session: onnxruntime.InferenceSession) -> Any:
    """The C object behind a session: its `run` does not look for missing inputs first, which the call does itself."""
    return getattr(session, "_sess", session)


class Executable:
    """A program compiled for a device. Thread-safe.

    The session is made on first use; when more than a few thousand are alive the oldest one that was not used
    again since the last such search is dropped, and made again when needed.
    """

    def __init__(self, program: Program, device: Device) -> None:
        self.program = program
        self.device = device
        self.input_names = program.input_names
        self.output_names = program.output_names
        self._on_gpu = device[0] == "gpu"
        self._session: Any = None
        self._used = False  # again, since `_evict` last looked
        self._constants: list[Any] = []
        self._label: tuple[str, bool] | None = None

    def _make(self) -> Any:
        with _lock:
            if self._session is None:
                self._session = self._new_session(_options(self._small() or devices.forked))
                key = id(self)
                _live[key] = weakref.ref(self, lambda _: _live.pop(key, None))
                self._used = False
                _evict()
            return self._session

    def _new_session(self, options: onnxruntime.SessionOptions) -> Any:
        proto, large = self.program.detached(_LARGE)
        self.output_names = [value.name for value in proto.graph.output]  # expansion may have renamed some
        # No bytes of large constants pass through protobuf, which also could not hold 2 GiB of them.
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(x)) for x in large.values()]
        providers = devices.providers(self.device)
        try:
            if large:
                options.add_external_initializers(list(large), values)
            session = onnxruntime.InferenceSession(
                proto.SerializeToString(),
                options,
                providers=providers,
                enable_fallback=0,
            )
        except Exception as e:  # onnxruntime has one exception class per status code
            raise GraphError(f"ONNX Runtime refused the program: {e}") from e
        self._constants = values  # the session reads some of them in place
        return session

    def _small(self) -> bool:
        tensors = [t for node in self.program.nodes for t in node.outputs] + list(self.program.inputs)
        sizes = [
            math.prod(d if isinstance(d, int) else 1 << 20 for d in t.dims)
            for t in tensors
            if isinstance(t, Tensor) and not isinstance(t, Opaque)
        ]
        return max(sizes, default=0) < _SMALL_WORK

    def __call__(self, arrays: Sequence[Raw], session: Any = None) -> list[Raw]:
        """Run on arrays in the order of the program's inputs.

        Parameters
        ----------
        session : a session to run in instead of the executable's own.

        Raises
        ------
        GraphError : ONNX Runtime failed; the message names the operator and node it happened in.
        """
        if session is None:
            if trace.running:
                return self._run_profiled(arrays)
            session = self._session
            if session is None:
                session = self._make()
            else:
                self._used = True
        if self._on_gpu:
            return self._run_bound(session, arrays)
        names = self.input_names
        try:
            if len(arrays) == 1 == len(names):
                feed = {names[0]: arrays[0]}
            else:
                feed = dict(zip(names, arrays, strict=True))
            result: list[Raw] = _inner(session).run(self.output_names, feed, None)
        except Exception as e:
            raise self._translated(e) from e
        return result

    def direct(self) -> Callable[[Raw], list[Raw] | None] | None:
        """A shorter way to run a program of one input on the CPU, as long as its session lives.

        It returns None where the ordinary way must be taken: the session was dropped, or the profiler is on.
        """
        if self._on_gpu or len(self.input_names) != 1:
            return None
        (name,) = self.input_names

        def run(array: Raw) -> list[Raw] | None:
            session = self._session
            if session is None or trace.running:
                return None
            self._used = True
            try:
                results: list[Raw] = _inner(session).run(self.output_names, {name: array}, None)
            except Exception as e:
                raise self._translated(e) from e
            return results

        return run

    def _run_profiled(self, arrays: Sequence[Raw]) -> list[Raw]:
        """Run while the profiler is on: it notes the whole run, and of programs of several operators each node."""
        if self._label is None:
            self._label = label_of(self.program)
        name, single = self._label
        session = self._session or self._make()
        if not single and trace.symbolic:
            session = trace.session(self.program, self._profiling_session)
        start = time.time_ns()
        result = self(arrays, session)
        if trace.imperative if single else trace.symbolic:
            trace.span(name, "operator" if single else "program", start)
        return result

    def _profiling_session(self, prefix: str) -> Any:
        options = _options(self._small() or devices.forked)
        options.enable_profiling = True
        options.profile_file_prefix = prefix
        return self._new_session(options)

    def _run_bound(self, session: Any, arrays: Sequence[Raw]) -> list[Raw]:
        binding = session.io_binding()
        for name, value in zip(self.input_names, arrays, strict=True):
            if isinstance(value, np.ndarray):
                binding.bind_cpu_input(name, value)
            else:
                binding.bind_ortvalue_input(name, value)
        for name in self.output_names:
            binding.bind_output(name, *devices.memory(self.device))
        try:
            session.run_with_iobinding(binding)
        except Exception as e:
            raise self._translated(e) from e
        result: list[Raw] = binding.get_outputs()
        return result

    def _translated(self, e: Exception) -> ExecutionError:
        """ORT's error with the operator, and the node of the Symbol, that the failing ONNX node came from."""
        text = str(e)
        reason = text.partition("Status Message: ")[2] or text
        model, _ = self.program.detached(_LARGE)  # its nodes have the names that the session knows
        for node in model.graph.node:
            if node.name and f"'{node.name}'" in text:
                notes = {note.key: note.value for note in node.metadata_props}
                what = f"{reason} (ONNX operator {node.op_type})"
                return ExecutionError(notes.get("op", ""), notes.get("node", ""), what)
        name, single = label_of(self.program)
        return ExecutionError(name if single else "", "", reason)


def _evict() -> None:
    """Drop sessions until there are not too many; one that was used since it was last looked at gets another turn."""
    while len(_live) > _MAX_SESSIONS:
        key, reference = _live.popitem(last=False)
        executable = reference()
        if executable is not None and executable._used:
            executable._used = False
            _live[key] = reference
        else:
            _drop(executable)


def _drop(executable: Executable | None) -> None:
    if executable is not None:
        executable._session = None


def clear() -> None:
    """Drop all sessions; they are made again when needed."""
    with _lock:
        while _live:
            _drop(_live.popitem()[1]())


_of_parent: list[Any] = []


def _after_fork() -> None:
    """In a forked process: make no use of the parent's sessions, but keep them.

    Their threads exist in the parent alone, and a session that ends waits for its threads or crashes.
    """
    global _lock
    _lock = threading.RLock()
    devices.forked = True
    alive = [reference() for reference in _live.values()]
    _of_parent.extend(executable._session for executable in alive if executable is not None)
    clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def to_numpy(raw: Raw) -> np.ndarray[Any, Any]:
    """The value as a NumPy array (the same memory on the CPU)."""
    if isinstance(raw, np.ndarray):
        return raw
    array: np.ndarray[Any, Any] = raw.numpy()
    return array


def from_numpy(array: np.ndarray[Any, Any], device: Device) -> Raw:
    """A NumPy array as what an NDArray on `device` holds."""
    if device[0] != "gpu":
        return array
    return onnxruntime.OrtValue.ortvalue_from_numpy(np.array(array, order="C"), *devices.memory(device))


def raw_shape(raw: Raw) -> tuple[int, ...]:
    """The shape of a raw value."""
    shape = raw.shape if isinstance(raw, np.ndarray) else raw.shape()
    return tuple(shape)


def raw_dtype(raw: Raw) -> np.dtype[Any]:
    """The element type of a raw value."""
    if isinstance(raw, np.ndarray):
        dt: np.dtype[Any] = raw.dtype
        return dt
    return ir.DataType(raw.element_type()).numpy()
