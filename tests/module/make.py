"""Make ``tests/golden/module.npz``: what real MXNet 1.9.1 gives for the programs of `rows`.

Run from anywhere with an interpreter that has ``mxnet==1.9.1`` and ``numpy<1.24``::

    python tests/module/make.py
"""

from __future__ import annotations

import pathlib
import sys
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
warnings.simplefilter("ignore")

import mxnet as mx  # noqa: E402
import numpy as np  # noqa: E402

from tests.golden import store  # noqa: E402
from tests.module import rows  # noqa: E402


def main() -> None:
    """Write the file."""
    found = {}
    for name, program in rows.PROGRAMS.items():
        values = program(mx)
        if any(not np.isfinite(v).all() for v in values.values()):
            raise ValueError(f"{name}: not finite")
        found.update({f"{name}|{key}": value for key, value in values.items()})
    store.write("module", found, {})
    print(f"{len(rows.PROGRAMS)} programs, {len(found)} arrays")


if __name__ == "__main__":
    main()
