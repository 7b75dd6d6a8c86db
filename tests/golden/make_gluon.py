"""Make gluon.json and gluon.npz, what MXNet 1.9.1 answers for the layers and losses of ``tests/gluon/rows.py``.

Run with an interpreter that has ``mxnet==1.9.1`` and ``numpy<1.24``::

    python tests/golden/make_gluon.py
"""

from __future__ import annotations

import json
import os
import pathlib
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import mxnet as mx

from tests.gluon import rows
from tests.golden import store


def main() -> None:
    """Write both files."""
    table = rows.LAYERS + rows.LOSSES
    if len({row.id for row in table}) != len(table):
        raise ValueError("two rows have the same id")
    texts = {row.id: rows.describe(mx, row) for row in table}
    numbers = {f"{row.id}|{k}": v for row in table for k, v in rows.compute(mx, row, hybridize=False).items()}
    errors = {name: type(rows.raised(make, mx)).__name__ for name, make in rows.ERRORS.items()}
    path = store.HERE / "gluon.json"
    text = json.dumps({"mxnet": mx.__version__, "rows": texts, "errors": errors}, separators=(",", ":"))
    path.write_text(text, encoding="utf-8")
    store.write("gluon", numbers, {})
    print(f"{len(table)} rows, {len(numbers)} arrays, errors:")
    for name, error in errors.items():
        print(f"  {name}: {error}")


if __name__ == "__main__":
    main()
