"""Make gluon_rnn.json and gluon_rnn.npz, what MXNet 1.9.1 answers for ``tests/gluon/rnn_rows.py``.

Run with an interpreter that has ``mxnet==1.9.1`` and ``numpy<1.24``::

    python tests/golden/make_rnn.py
"""

from __future__ import annotations

import json
import os
import pathlib
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import mxnet as mx

from tests.gluon import rnn_rows, rows
from tests.golden import store


def main() -> None:
    """Write both files."""
    table = rnn_rows.LAYERS + rnn_rows.CELLS
    if len({row.id for row in table}) != len(table):
        raise ValueError("two rows have the same id")
    texts = {row.id: rows.describe(mx, row) for row in table}
    numbers = {f"{row.id}|{k}": v for row in table for k, v in rows.compute(mx, row, hybridize=False).items()}
    text = json.dumps({"mxnet": mx.__version__, "rows": texts}, separators=(",", ":"))
    (store.HERE / "gluon_rnn.json").write_text(text, encoding="utf-8")
    store.write("gluon_rnn", numbers, {})
    print(f"{len(table)} rows, {len(numbers)} arrays")


if __name__ == "__main__":
    main()
