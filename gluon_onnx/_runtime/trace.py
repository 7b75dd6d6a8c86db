"""What the profiler records: spans of time, of eager operators, of compiled programs and of their nodes."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..graph.program import Program

__all__ = ["Event", "Trace", "label_of", "trace"]


@dataclass(frozen=True)
class Event:
    """A span (`phase` "X"), a value of a counter ("C") or a mark ("i"). Times are nanoseconds since the epoch."""

    name: str
    category: str
    start: int
    duration: int = 0
    phase: str = "X"
    thread: int = field(default_factory=threading.get_ident)
    args: dict[str, Any] = field(default_factory=dict)


class Trace:
    """The recorder. Sessions look at `running` before each run, which is all that it costs while it is off.

    Attributes
    ----------
    imperative, symbolic : record programs of one operator, and programs of several with their nodes.
    """

    def __init__(self) -> None:
        self.running = False
        self.imperative = True
        self.symbolic = True
        self._events: list[Event] = []
        self._sessions: dict[int, tuple[Any, Program]] = {}
        self._lock = threading.Lock()

    def add(self, event: Event) -> None:
        """Record an event."""
        self._events.append(event)

    def span(self, name: str, category: str, start: int) -> None:
        """Record that something began at `start` and has ended now."""
        self.add(Event(name, category, start, time.time_ns() - start))

    def session(self, program: Program, make: Callable[[str], Any]) -> Any:
        """The session that notes the times of a program's nodes until `events` is called.

        Parameters
        ----------
        make : makes one that writes to a file with the given prefix.
        """
        with self._lock:
            found = self._sessions.get(id(program))
            if found is None:
                prefix = os.path.join(tempfile.gettempdir(), f"gluon-onnx-{os.getpid()}-{time.time_ns()}")
                found = self._sessions[id(program)] = make(prefix), program
            return found[0]

    def events(self) -> list[Event]:
        """All events so far, those of the programs' nodes included."""
        with self._lock:
            ended, self._sessions = self._sessions, {}
        for session, program in ended.values():
            path = session.end_profiling()
            with open(path, encoding="utf-8") as f:
                rows = json.load(f)
            os.remove(path)
            self._events.extend(_node_events(rows, program, session.get_profiling_start_time_ns()))
        return self._events

    def clear(self) -> None:
        """Forget all events."""
        self.events()
        self._events = []


trace = Trace()


def _label(metadata: Any) -> str:
    """The operator that an ONNX node came from, as MXNet names it."""
    name = metadata.get("op", "")
    return f"_backward_{name}" if name and metadata.get("gradient") else name


def label_of(program: Program) -> tuple[str, bool]:
    """What to call a program, and whether it is one operator.

    An operator has MXNet's name; a program of several has what the names of its Symbol's nodes begin with.
    """
    labels = {(_label(n.metadata_props), n.metadata_props.get("node", "")) for n in program.nodes}
    if len(labels) == 1:
        return labels.pop()[0] or "program", True
    nodes = [node for _, node in labels if node]
    shared = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*nodes, strict=False))
    name = "".join(letters[0] for letters in shared).rstrip("_") or f"program of {len(nodes)} operators"
    gradient = all(n.metadata_props.get("gradient") for n in program.nodes)
    return (f"_backward_{name}" if gradient else name), False


def _node_events(rows: Sequence[dict[str, Any]], program: Program, origin: int) -> list[Event]:
    """The operators in a profile of ONNX Runtime: kernels that follow one another for one Symbol node, together."""
    origin_of = _by_node(program)
    events: list[Event] = []
    last = ""  # the node of the kernel before, in the same run
    for row in rows:
        if row.get("cat") != "Node" or not row["name"].endswith("_kernel_time"):
            last = ""
            continue
        kernel = row["name"].removesuffix("_kernel_time")
        name, node = origin_of(kernel)
        start, duration = origin + int(row["ts"]) * 1000, int(row["dur"]) * 1000
        args = {"kernel": kernel, "node": node, **{k: row["args"].get(k, "") for k in ("op_name", "provider")}}
        if node and node == last and events[-1].name == name:
            args["kernel"] = f"{events[-1].args['kernel']}, {kernel}"
            start, duration = events[-1].start, events.pop().duration + duration
        label = name or args["op_name"] or kernel
        events.append(Event(label, "operator", start, duration, thread=int(row["tid"]), args=args))
        last = node
    return events


def _by_node(program: Program) -> Callable[[str], tuple[str, str]]:
    """Function from a kernel's name to its operator and Symbol node.

    ONNX Runtime's optimizer names what it makes of a node by appending to the node's name.
    """
    nodes = {n.name: n for n in program.nodes if n.name}

    def find(kernel: str) -> tuple[str, str]:
        names = [n for n in nodes if kernel.startswith(n)]
        if not names:
            return "", ""
        metadata = nodes[max(names, key=len)].metadata_props
        return _label(metadata), metadata.get("node", "")

    return find
