"""Measuring peers side by side: every peer is a process that runs a few steps when it is told to.

Rounds go A B A B, so that a busy machine disturbs all peers alike; what is reported is the median over rounds,
and ratios are medians of ratios within a round.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).resolve().parent


class Peer:
    """A process of `worker.py` for one backend.

    Parameters
    ----------
    python : interpreter that has what the backend needs.
    threads : number of threads that the backend may use.
    """

    def __init__(self, backend: str, python: str = sys.executable, threads: int = 1) -> None:
        self.backend = backend
        environment = dict(
            os.environ,
            OMP_NUM_THREADS=str(threads),
            MKL_NUM_THREADS=str(threads),
            OMP_WAIT_POLICY="PASSIVE",
            MXNET_CPU_WORKER_NTHREADS=str(threads),
            PYTHONPATH=str(HERE.parent),
        )
        self._process = subprocess.Popen(
            [python, "-W", "ignore", str(HERE / "worker.py"), backend],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for the answer."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"the {self.backend} worker ended with code {self._process.wait()} at {request}"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def compare(
    peers: Mapping[str, Peer], case: str, rounds: int, clock: str = "cpu", seconds: float = 0.3
) -> dict[str, list[float]]:
    """Milliseconds a step of every peer that has the case, one number a round.

    Parameters
    ----------
    clock : "cpu" (processor time of the process) or "wall".
    seconds : how long a peer works in one round.
    """
    prepared = {name: peer.ask(prepare=case, seconds=seconds) for name, peer in peers.items()}
    able = {name: peers[name] for name, answer in prepared.items() if answer["ok"]}
    times: dict[str, list[float]] = {name: [] for name in able}
    for _ in range(rounds):
        for name, peer in able.items():
            times[name].append(peer.ask(run=case)[clock])
    return times


def ratio(times: Mapping[str, Sequence[float]], ours: str, other: str) -> float | None:
    """Median over rounds of our time divided by the other's; None where the other was not measured."""
    if not times.get(ours) or not times.get(other):
        return None
    return statistics.median(a / b for a, b in zip(times[ours], times[other], strict=True))


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of equal keys as an aligned table."""
    columns = list(dict.fromkeys(k for row in rows for k in row))
    texts = [[_text(row.get(c)) for c in columns] for row in rows]
    widths = [max(len(c), *(len(t[i]) for t in texts)) for i, c in enumerate(columns)]
    print(
        "  ".join(
            c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(columns, widths, strict=True))
        )
    )
    for t in texts:
        print(
            "  ".join(v.rjust(w) if i else v.ljust(w) for i, (v, w) in enumerate(zip(t, widths, strict=True)))
        )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
