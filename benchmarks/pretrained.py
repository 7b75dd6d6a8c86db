"""Pre-trained MXNet models: this package's SymbolBlock beside bare ONNX Runtime and MXNet.

python benchmarks/pretrained.py FILE-symbol.json[@1x3x224x224] ... [--mxnet-python PATH] [--threads N] [--json]

The parameters lie beside each symbol file. Bare ONNX Runtime runs the model that the block exports, with default
options of the session. `first_s` is the time from nothing but the imported package to the first result.
Rounds go A B A B; numbers are medians, and ratios are medians of the ratios within a round. With one thread the
clock is the processor time of the process, with more of them the wall clock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from harness import Peer, compare, print_table, ratio

DEFAULT_SHAPE = "1x3x224x224"


def measure(symbol: str, shape: str, peers: dict[str, str], rounds: int, threads: int) -> dict[str, Any]:
    """One row: a model at one size of its input in every peer."""
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Peer(name, python, threads)) for name, python in peers.items()}
        case = f"pretrained {os.path.abspath(symbol)}@{shape}"
        clock = "cpu" if threads == 1 else "wall"
        times = compare(workers, case, rounds, clock)
        row: dict[str, Any] = {"model": Path(symbol).name.removesuffix("-symbol.json"), "input": shape}
        for name, values in times.items():
            row[f"{name}_ms"] = statistics.median(values)
            if name != "ours":
                row[f"ratio_vs_{name}"] = ratio(times, "ours", name)
        row["first_s"] = workers["ours"].ask(first=case)["seconds"]
        return row


def main() -> None:
    """Measure and print the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", metavar="FILE-symbol.json[@SHAPE]")
    parser.add_argument("--mxnet-python", help="interpreter with MXNet 1.9.1")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print rows as JSON")
    args = parser.parse_args()
    peers = {"ours": sys.executable, "bare": sys.executable}
    if args.mxnet_python:
        peers["mxnet"] = args.mxnet_python
    rows = []
    for file in args.files:
        path, _, shape = file.partition("@")
        rows.append(measure(path, shape or DEFAULT_SHAPE, peers, args.rounds, args.threads))
    if args.json:
        print(json.dumps(rows, indent=1))
    else:
        print_table(rows)


if __name__ == "__main__":
    main()
