"""One peer of a benchmark: answers requests on standard input, a JSON object a line."""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any


def calibrated(step: Callable[[], Any], seconds: float) -> int:
    """How many steps take about `seconds`."""
    for _ in range(3):
        step()
    start = time.perf_counter()
    step()
    once = max(time.perf_counter() - start, 1e-7)
    return max(1, int(seconds / once))


def main() -> None:
    """Serve requests until the input ends."""
    backend = importlib.import_module(f"cases_{sys.argv[1]}")
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries that print must not break the protocol
    steps: dict[str, tuple[Callable[[], Any], int]] = {}
    first: dict[str, float] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "prepare" in request:
            case = request["prepare"]
            make = backend.find(case)
            if make is not None:
                start = time.perf_counter()
                step = make()
                step()
                first[case] = time.perf_counter() - start
                steps[case] = (step, calibrated(step, request["seconds"]))
            answer: dict[str, Any] = {"ok": make is not None}
        elif "first" in request:
            answer = {"seconds": first[request["first"]]}
        elif "peak" in request:
            answer = {"mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        else:
            step, count = steps[request["run"]]
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(count):
                step()
            answer = {
                "wall": (time.perf_counter() - wall) / count * 1e3,
                "cpu": (time.process_time() - cpu) / count * 1e3,
            }
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
