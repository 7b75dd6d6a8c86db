"""Make model_zoo.json.xz: names, shapes and graphs of MXNet 1.9.1's models, and a few outputs.

Run with an interpreter that has ``mxnet==1.9.1`` and ``numpy<1.24``::

    python tests/golden/make_model_zoo.py
    python tests/golden/make_model_zoo.py NAME FOLDER    the parameters and outputs of one model, for a live comparison
"""

from __future__ import annotations

import json
import lzma
import os
import pathlib
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import mxnet as mx
import numpy as np

from tests.gluon import zoo


def live(name: str, folder: pathlib.Path) -> None:
    """Write ``NAME.params`` and ``NAME.npy``, the output for a batch of two images."""
    net = zoo.build(mx, name)
    size = zoo.size_of(name)
    zoo.fill(mx, net, size)
    net.save_parameters(str(folder / f"{name}.params"))
    np.save(folder / f"{name}.npy", net(mx.nd.array(zoo.image(name, size, 2))).asnumpy())


def main() -> None:
    """Write the file."""
    outputs = {}
    for name, size in zoo.FORWARD.items():
        net = zoo.build(mx, name, classes=10)
        zoo.fill(mx, net, size)
        outputs[name] = [float(x) for x in net(mx.nd.array(zoo.image(name, size, 2))).asnumpy().reshape(-1)]
    models = {name: zoo.describe(mx, name) for name in zoo.NAMES}
    text = json.dumps({"mxnet": mx.__version__, "models": models, "outputs": outputs}, separators=(",", ":"))
    zoo.GOLDEN.write_bytes(lzma.compress(text.encode(), preset=9))
    print(f"{len(models)} models, {zoo.GOLDEN.stat().st_size} bytes")
    for name, numbers in outputs.items():
        print(f"  {name}: {numbers[:4]}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        live(sys.argv[1], pathlib.Path(sys.argv[2]))
    else:
        main()
