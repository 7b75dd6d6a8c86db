"""Make ``tests/golden/augmenters.npz`` and ``augmenters.json``: what real MXNet 1.9.1 gives for `rows`.

Run from anywhere with an interpreter that has ``mxnet==1.9.1``, ``numpy<1.24`` and OpenCV::

    python tests/image/make.py
"""

from __future__ import annotations

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import mxnet as mx

from tests.golden import store
from tests.image import rows


def main() -> None:
    """Write the files."""
    store.write("augmenters", {name: rows.augmented(mx, name) for name in rows.AUGMENTERS}, {})
    texts = {name: rows.described(mx, name) for name in rows.AUGMENTERS}
    path = pathlib.Path(store.__file__).with_name("augmenters.json")
    path.write_text(json.dumps(texts, indent=1) + "\n")
    print(f"{len(texts)} augmenters")


if __name__ == "__main__":
    main()
