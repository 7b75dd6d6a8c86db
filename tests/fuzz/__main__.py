"""Fuzz each reader for a number of seconds: ``python -m tests.fuzz SECONDS [FORMAT ...]``."""

from __future__ import annotations

import resource
import sys
import time

from hypothesis import HealthCheck, given, seed, settings

from .damage import FORMATS
from .targets import run

_MEMORY = 4 << 30  # bytes of address space; a reader that wants more fails


def fuzz(name: str, seconds: float, first: int) -> int:
    """Number of files tried; a finding is raised, as small as Hypothesis could make it."""
    end, rounds, count = time.monotonic() + seconds, 0, 0

    def one(content: bytes) -> None:
        nonlocal count
        count += 1
        run(name, content)

    while time.monotonic() < end:
        test = settings(
            max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )(given(FORMATS[name])(one))
        seed(first + rounds)(test)()
        rounds += 1
    return count


def main(arguments: list[str]) -> None:
    seconds = float(arguments[0]) if arguments else 20.0
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    first = int(time.time()) if seconds > 120 else 0  # short runs are always the same
    for name in arguments[1:] or list(FORMATS):
        print(f"{name}: {fuzz(name, seconds, first)} files in {seconds:g} s, no findings", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
