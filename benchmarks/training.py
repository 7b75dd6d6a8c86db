"""Training steps and inference side by side with PyTorch and MXNet: milliseconds, ratios, peak memory.

python benchmarks/training.py [--models a,b] [--mxnet-python PATH] [--torch] [--torch-compile] [--threads N] [--json]

Every peer works in a process of its own, one for each model. Rounds go A B A B; numbers are medians, and ratios
are medians of the ratios within a round. With one thread the clock is the processor time of the process,
with more of them the wall clock. Peers that are not there are absent from the rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from contextlib import ExitStack
from typing import Any

from harness import Peer, compare, print_table, ratio

MODELS = [
    "mlp",
    "lenet",
    "resnet18",
    "resnet50-inference-1",
    "resnet50-inference-8",
    "mobilenetv2",
    "lstm",
    "transformer",
]


def measure(model: str, peers: dict[str, str], rounds: int, threads: int, seconds: float) -> dict[str, Any]:
    """One row: the model in every peer.

    Parameters
    ----------
    peers : the interpreter of each backend.
    seconds : how long a peer works in one round.
    """
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Peer(name, python, threads)) for name, python in peers.items()}
        clock = "cpu" if threads == 1 else "wall"
        times = compare(workers, model, rounds, clock, seconds)
        row: dict[str, Any] = {"model": model}
        for name, values in times.items():
            row[f"{name}_ms"] = statistics.median(values)
        for name in times:
            if name != "ours":
                row[f"ratio_vs_{name}"] = ratio(times, "ours", name)
        for name in times:
            row["peak_mb" if name == "ours" else f"{name}_peak_mb"] = workers[name].ask(peak=True)["mb"]
    return row


def main() -> None:
    """Measure and print the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", help="comma-separated; all of them by default: " + ", ".join(MODELS))
    parser.add_argument("--mxnet-python", help="interpreter with MXNet 1.9.1")
    parser.add_argument("--torch", action="store_true", help="compare with PyTorch, installed here")
    parser.add_argument("--torch-compile", action="store_true", help="and with torch.compile")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="work of a peer in one round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print rows as JSON")
    args = parser.parse_args()
    models = args.models.split(",") if args.models else MODELS
    unknown = [m for m in models if m not in MODELS]
    if unknown:
        parser.error(f"unknown models {', '.join(unknown)}; there are {', '.join(MODELS)}")
    peers = {"ours": sys.executable}
    if args.torch:
        peers["torch"] = sys.executable
    if args.torch_compile:
        peers["torch_compile"] = sys.executable
    if args.mxnet_python:
        peers["mxnet"] = args.mxnet_python
    rows = []
    for model in models:
        rows.append(measure(model, peers, args.rounds, args.threads, args.seconds))
        if not args.json:
            print_table(rows[-1:])
    if args.json:
        print(json.dumps(rows, indent=1))
    elif len(rows) > 1:
        print()
        print_table(rows)


if __name__ == "__main__":
    main()
