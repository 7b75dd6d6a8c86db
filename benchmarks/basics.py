"""Eager overhead, hybridized inference and a training step, as ratios measured in one run.

python benchmarks/basics.py [--mxnet-python PATH] [--torch] [--rounds N] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
from contextlib import ExitStack
from typing import Any

from harness import Peer, compare, print_table, ratio

EAGER = [
    "eager add 4x5",
    "eager relu 4x5",
    "eager exp 64x64",
    "eager sum 64x64",
    "eager dot 64x64",
    "eager FullyConnected 32x64x16",
]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mxnet-python", help="interpreter with MXNet 1.9.1")
    parser.add_argument(
        "--torch", action="store_true", help="compare with PyTorch, which must be installed here"
    )
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        peers = {"ours": stack.enter_context(Peer("ours", threads=args.threads))}
        if args.mxnet_python:
            peers["mxnet"] = stack.enter_context(Peer("mxnet", args.mxnet_python, args.threads))
        if args.torch:
            peers["torch"] = stack.enter_context(Peer("torch", threads=args.threads))
        for case in EAGER:
            rows.append(_row(case + " (us/call)", compare(peers, case, args.rounds), scale=1000 / 50))
        rows.append(
            _row(
                "LeNet step, batch 64 (ms)", compare(peers, "LeNet step, batch 64", args.rounds, seconds=0.5)
            )
        )
        peers = {
            "ours": peers["ours"],
            "bare": stack.enter_context(Peer("bare", threads=args.threads)),
        }
        times = compare(peers, "ResNet-18 inference", args.rounds, seconds=0.5)
        rows.append(_row("ResNet-18 inference, batch 1 (ms)", times))
    print(json.dumps(rows, indent=1)) if args.json else print_table(rows)


def _row(name: str, times: dict[str, list[float]], scale: float = 1.0) -> dict[str, Any]:
    row: dict[str, Any] = {"case": name}
    for peer, values in times.items():
        row[peer] = statistics.median(values) * scale
    for other in ("mxnet", "torch", "bare"):
        found = ratio(times, "ours", other)
        if found is not None:
            row[f"ours/{other}"] = found
    return row


if __name__ == "__main__":
    main()
