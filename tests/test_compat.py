"""Unchanged programs: ``import mxnet`` means this package."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(code: str) -> subprocess.CompletedProcess[str]:
    program = "from gluon_onnx import compat\ncompat.install()\n" + code
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "code",
    [
        "import mxnet as mx; assert mx.nd.ones((2,)).sum().asscalar() == 2",
        "from mxnet import nd, autograd, gluon; import gluon_onnx; assert gluon is gluon_onnx.gluon",
        "import mxnet.gluon.nn as nn, gluon_onnx.gluon.nn as ours; assert nn.Dense is ours.Dense",
        "import mxnet.ndarray, gluon_onnx.ndarray as ours; assert ours.__spec__.name == 'gluon_onnx.ndarray'",
        "import numpy as np; assert np.bool is not None and np.float_ is np.float64",
        "import mxnet; compat.uninstall(); import sys; assert 'mxnet' not in sys.modules",
    ],
)
def test_programs_run(code: str) -> None:
    result = run(code)
    assert result.returncode == 0, result.stderr


def test_what_is_missing_is_named() -> None:
    result = run("import mxnet.no_such_thing")
    assert "no module named 'mxnet.no_such_thing'" in result.stderr and result.returncode == 1
