"""Make programs.json, what MXNet 1.9.1 answers to the programs of tests/programs.

Run with an interpreter that has ``mxnet==1.9.1`` and ``numpy<1.24``, from the root of the checkout::

    python tests/golden/make_programs.py [subject ...]
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import pathlib
import sys
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

SUBJECTS = ("ndarray", "symbol", "gluon", "tape")


def answer(program: str, start: str) -> Any:
    """What MXNet answers."""
    import mxnet as mx

    from tests.programs.describe import run

    return run(program, mx, start)


def main() -> None:
    path = HERE / "programs.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for subject in sys.argv[1:] or SUBJECTS:
        module = importlib.import_module(f"tests.programs.{subject}")
        with multiprocessing.get_context("spawn").Pool(1) as pool:  # MXNet may take its process down
            found[subject] = {}
            for row in module.rows():
                try:
                    found[subject][row] = pool.apply_async(answer, (row, module.START)).get(20)
                except multiprocessing.TimeoutError:
                    print("no answer:", row)
    lines = [
        f"{json.dumps(subject)}: {{\n"
        + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in answers.items())
        + "\n}"
        for subject, answers in sorted(found.items())
    ]
    path.write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
