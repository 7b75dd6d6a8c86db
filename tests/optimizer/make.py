"""Make ``tests/golden/optimizers.npz``: what real MXNet 1.9.1 gives for the runs of `rows`.

Run from anywhere with an interpreter that has ``mxnet==1.9.1`` and ``numpy<1.24``::

    python tests/optimizer/make.py
"""

from __future__ import annotations

import os
import pathlib
import sys
import warnings

os.environ.setdefault("MXNET_STORAGE_FALLBACK_LOG_VERBOSE", "0")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
warnings.simplefilter("ignore")

import mxnet as mx  # noqa: E402
import numpy as np  # noqa: E402

from tests.golden import store  # noqa: E402
from tests.optimizer import rows  # noqa: E402


def sparse() -> dict[str, np.ndarray]:
    """The updates that MXNet has for sparse gradients only, with a gradient of three rows of five."""
    found = {}
    for name, width in (("adagrad_update", 3), ("group_adagrad_update", 1)):
        weight, grad, history = rows.sparse_arrays(width)
        w, h = (mx.nd.array(a).tostype("default") for a in (weight, history))
        if width == 3:
            w, h = w.tostype("row_sparse"), h.tostype("row_sparse")
        g = mx.nd.array(grad).tostype("row_sparse")
        function = mx.nd.sparse.adagrad_update if width == 3 else mx.nd.contrib.group_adagrad_update
        function(w, g, h, out=w, lr=0.1, rescale_grad=0.5, clip_gradient=0.4)
        found.update({f"sparse|{name}|weight": w.asnumpy(), f"sparse|{name}|history": h.asnumpy()})
    return found


def main() -> None:
    """Write the file."""
    found = sparse()
    for run in rows.RUNS:
        values = rows.execute(mx, run)
        if any(not np.isfinite(v).all() for v in values.values()):
            raise ValueError(f"{run.id}: not finite")
        found.update({f"{run.id}|{name}": value for name, value in values.items()})
    store.write("optimizers", found, {})
    print(f"{len(rows.RUNS)} runs, {len(found)} arrays")


if __name__ == "__main__":
    main()
