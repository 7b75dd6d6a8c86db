"""Where the time goes: `mx.profiler`.

Records eager operators, compiled programs and, by ONNX Runtime's own profiler, the kernels inside of them, under the
names of MXNet's operators. Compiled programs run in sessions of their own while the profiler is on, so the first run
of each is slow.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterable
from typing import Any

from ._runtime.trace import Event as _Event
from ._runtime.trace import trace
from .base import MXNetError
from .graph.exporters._files import replaced_file

__all__ = [
    "Counter", "Domain", "Event", "Frame", "Marker", "Task", "dump", "dump_profile", "dumps", "pause",
    "profiler_set_config", "profiler_set_state", "resume", "set_config", "set_kvstore_handle", "set_state",
]  # fmt: skip

_config: dict[str, Any] = {
    "filename": "profile.json", "profile_all": False, "profile_symbolic": True, "profile_imperative": True,
    "profile_memory": False, "profile_api": False, "continuous_dump": False, "dump_period": 1.0,
    "aggregate_stats": False, "profile_process": "worker",
}  # fmt: skip


def set_config(**kwargs: Any) -> None:
    """Choose what is recorded and where `dump` writes it.

    Parameters
    ----------
    filename : file for `dump`, "profile.json" by default.
    profile_imperative, profile_symbolic : eager operators, compiled programs; both by default.
    profile_all : both.
    profile_memory, profile_api, continuous_dump, dump_period, aggregate_stats : accepted for programs written
        for MXNet. There is no C interface to record, memory is not observed, statistics are always kept, and only
        `dump` writes.
    profile_process : "worker".

    Raises
    ------
    MXNetError : an unknown name, or the profile of a server.
    """
    for key, value in kwargs.items():
        if key not in _config:
            raise MXNetError(f"set_config: cannot find argument {key!r}; possible arguments: {', '.join(_config)}")
        if key == "profile_process":
            _check_process(value)
    _config.update(kwargs)
    chosen = {"profile_imperative", "profile_symbolic", "profile_all"} & kwargs.keys()
    if chosen:
        trace.imperative = bool(kwargs.get("profile_all") or kwargs.get("profile_imperative"))
        trace.symbolic = bool(kwargs.get("profile_all") or kwargs.get("profile_symbolic"))


def _check_process(name: str) -> None:
    if name != "worker":
        raise MXNetError(f"profile_process: expected 'worker', got {name!r}: there are no kvstore servers")


def set_state(state: str = "stop", profile_process: str = "worker") -> None:
    """Start ("run") or stop ("stop") recording."""
    _check_process(profile_process)
    if state not in ("run", "stop"):
        raise MXNetError(f"set_state: expected 'run' or 'stop', got {state!r}")
    trace.running = state == "run"


def pause(profile_process: str = "worker") -> None:
    """Stop recording until `resume`."""
    set_state("stop", profile_process)


def resume(profile_process: str = "worker") -> None:
    """Go on recording."""
    set_state("run", profile_process)


def dump(finished: bool = True, profile_process: str = "worker") -> None:
    """Write what was recorded to the configured file, in the format that Chrome's and Perfetto's viewers read.

    Parameters
    ----------
    finished : stop recording, and forget what was recorded.
    """
    _check_process(profile_process)
    if finished:
        trace.running = False
    rows = [_row(e) for e in trace.events()]
    with replaced_file(_config["filename"]) as f:
        f.write(json.dumps({"traceEvents": rows, "displayTimeUnit": "ms"}).encode())
    if finished:
        trace.clear()


def _row(event: _Event) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": event.name, "cat": event.category, "ph": event.phase, "ts": event.start / 1000,
        "pid": os.getpid(), "tid": event.thread, "args": event.args,
    }  # fmt: skip
    if event.phase == "X":
        row["dur"] = event.duration / 1000
    if event.phase == "i":
        row["s"] = event.args.get("scope", "process")[0]
    return row


_COLUMNS = {"total": "Total", "avg": "Avg", "min": "Min", "max": "Max", "count": "Count"}


def _statistics(events: Iterable[_Event]) -> dict[str, dict[str, dict[str, float]]]:
    """Count, total, least, largest and mean time in milliseconds, by category and name."""
    times: dict[str, dict[str, list[float]]] = {}
    for e in events:
        if e.phase == "X":
            times.setdefault(e.category, {}).setdefault(e.name, []).append(e.duration / 1e6)
    return {
        category: {
            name: {"Count": len(t), "Total": sum(t), "Min": min(t), "Max": max(t), "Avg": sum(t) / len(t)}
            for name, t in names.items()
        }
        for category, names in sorted(times.items())
    }


def dumps(reset: bool = False, format: str = "table", sort_by: str = "total", ascending: bool = False) -> str:
    """Statistics of what was recorded: times in milliseconds by category ("operator", "program", domains) and name.

    Parameters
    ----------
    reset : forget what was recorded.
    format : "table" or "json".
    sort_by : "total", "avg", "min", "max" or "count".

    Raises
    ------
    MXNetError : an argument is another word.
    """
    if format not in ("table", "json"):
        raise MXNetError(f"dumps: format must be 'table' or 'json', got {format!r}")
    if sort_by not in _COLUMNS:
        raise MXNetError(f"dumps: sort_by must be one of {list(_COLUMNS)}, got {sort_by!r}")
    statistics = {
        category: dict(sorted(names.items(), key=lambda row: row[1][_COLUMNS[sort_by]], reverse=not ascending))
        for category, names in _statistics(trace.events()).items()
    }
    if reset:
        trace.clear()
    if format == "json":
        return json.dumps({"Time": statistics, "Unit": {"Time": "ms"}}, indent=4)
    lines = ["", "Profile Statistics:"]
    for category, names in statistics.items():
        lines += [category, "=================",
                  f"{'Name':<30}{'Total Count':>15}" + "".join(f"{c:>17}" for c in _TIMES)]  # fmt: skip
        for name, row in names.items():
            figures = (row["Total"], row["Min"], row["Max"], row["Avg"])
            lines.append(f"{name:<30}{row['Count']:>15}" + "".join(f"{x:>17.4f}" for x in figures))
        lines.append("")
    return "\n".join(lines)


_TIMES = ("Time (ms)", "Min Time (ms)", "Max Time (ms)", "Avg Time (ms)")


def _deprecated(old: str, new: str) -> None:
    warnings.warn(f"profiler.{old}() is deprecated. Please use profiler.{new}() instead", DeprecationWarning,
                  stacklevel=3)  # fmt: skip


def profiler_set_config(mode: str = "symbolic", filename: str = "profile.json") -> None:
    """Deprecated form of `set_config`; `mode` is "symbolic", "imperative" or "all"."""
    _deprecated("profiler_set_config", "set_config")
    set_config(**{f"profile_{mode}": True, "filename": filename})


def profiler_set_state(state: str = "stop") -> None:
    """Deprecated form of `set_state`."""
    _deprecated("profiler_set_state", "set_state")
    set_state(state)


def dump_profile() -> None:
    """Deprecated form of `dump`."""
    _deprecated("dump_profile", "dump")
    dump(True)


def set_kvstore_handle(handle: Any) -> None:
    """Not available: there are no kvstore servers to profile.

    Raises
    ------
    MXNetError : always.
    """
    _check_process("server")


# -- the program's own spans, counters and marks ------------------------------------------------------------


class Domain:
    """A group of a program's own tasks, frames, counters and marks.

    Parameters
    ----------
    name : its name, the category in the statistics.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name

    def new_task(self, name: str) -> Task:
        """A task of this domain."""
        return Task(self, name)

    def new_frame(self, name: str) -> Frame:
        """A frame of this domain."""
        return Frame(self, name)

    def new_counter(self, name: str, value: int | None = None) -> Counter:
        """A counter of this domain."""
        return Counter(self, name, value)

    def new_marker(self, name: str) -> Marker:
        """A marker of this domain."""
        return Marker(self, name)


class _Span:
    """Something that begins and ends; recorded when it ends, if the profiler is on then."""

    def __init__(self, name: str, category: str) -> None:
        self.name = name
        self._category = category
        self._start: int | None = None

    def start(self) -> None:
        """Begin."""
        self._start = time.time_ns()

    def stop(self) -> None:
        """End.

        Raises
        ------
        MXNetError : it did not begin.
        """
        if self._start is None:
            raise MXNetError(f"{type(self).__name__} {self.name!r} was stopped without a start")
        if trace.running:
            trace.span(self.name, self._category, self._start)
        self._start = None

    def __str__(self) -> str:
        return self.name


class Task(_Span):
    """A span of work, in a domain."""

    def __init__(self, domain: Domain, name: str) -> None:
        super().__init__(name, domain.name)


class Frame(_Span):
    """A repeated span, such as the handling of one picture, in a domain."""

    def __init__(self, domain: Domain, name: str) -> None:
        super().__init__(name, f"{domain.name},frame")


class Event(_Span):
    """A span without a domain."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "event")


class Counter:
    """A number that the trace shows over time.

    Parameters
    ----------
    value : its value at first, 0 by default.
    """

    def __init__(self, domain: Domain, name: str, value: int | None = None) -> None:
        self.name = name
        self._domain = domain
        self._value = 0
        if value is not None:
            self.set_value(value)

    def set_value(self, value: int) -> None:
        """Set the number."""
        self._value = value
        if trace.running:
            trace.add(_Event(self.name, self._domain.name, time.time_ns(), phase="C", args={self.name: value}))

    def increment(self, delta: int = 1) -> None:
        """Add to the number."""
        self.set_value(self._value + delta)

    def decrement(self, delta: int = 1) -> None:
        """Subtract from the number."""
        self.set_value(self._value - delta)

    def __iadd__(self, delta: int) -> Counter:
        self.increment(delta)
        return self

    def __isub__(self, delta: int) -> Counter:
        self.decrement(delta)
        return self

    def __str__(self) -> str:
        return self.name


class Marker:
    """A mark at a moment."""

    def __init__(self, domain: Domain, name: str) -> None:
        self.name = name
        self._domain = domain

    def mark(self, scope: str = "process") -> None:
        """Set the mark now.

        Parameters
        ----------
        scope : how far it reaches in the picture: "global", "process", "thread", "task" or "marker".
        """
        if scope not in ("global", "process", "thread", "task", "marker"):
            raise MXNetError(f"mark: scope must be global, process, thread, task or marker, got {scope!r}")
        if trace.running:
            trace.add(_Event(self.name, f"{self._domain.name},instant_marker", time.time_ns(), phase="i",
                             args={"scope": scope}))  # fmt: skip

    def __str__(self) -> str:
        return self.name
