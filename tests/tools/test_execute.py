"""Programs written for MXNet, run unchanged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "gluon_onnx.tools.cli", "exec"]

TRAINING = """
import sys
import mxnet as mx
from mxnet import autograd, gluon, nd
import mxnet.gluon.nn as nn

mx.random.seed(1)
net = nn.HybridSequential()
with net.name_scope():
    net.add(nn.Dense(8, activation='relu'), nn.Dense(2))
net.initialize(mx.init.Xavier())
net.hybridize()
trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': float(sys.argv[2])})
x = nd.array([[0., 0.], [0., 1.], [1., 0.], [1., 1.]])
y = nd.array([0, 0, 1, 1])
loss = gluon.loss.SoftmaxCrossEntropyLoss()
for _ in range(40):
    with autograd.record():
        error = loss(net(x), y)
    error.backward()
    trainer.step(4)
print(net(x).argmax(axis=1).asnumpy().astype(int).tolist())
"""

PLAIN = """
import sys
import beside
print(sys.argv, __name__, __file__, sys.path[0], beside.VALUE, sys.modules['__main__'].beside is beside)
print(__spec__, __package__, __doc__)
what = sys.argv[1] if len(sys.argv) > 1 else ''
if what == 'number':
    sys.exit(7)
if what == 'text':
    sys.exit('the end')
if what == 'none':
    sys.exit()
if what == 'error':
    def inner():
        raise OSError('inside')
    inner()
if what == 'atexit':
    import atexit
    atexit.register(lambda: print('at exit'))
"""


def run(argv: list[str], cwd: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": ""}
    return subprocess.run(argv, cwd=cwd, env=env, input=text, capture_output=True, text=True, check=False)


def program(folder: Path, text: str) -> str:
    (folder / "program.py").write_text(text, encoding="utf-8")
    (folder / "beside.py").write_text("VALUE = 5\n", encoding="utf-8")
    return "program.py"


def test_a_program_trains_unchanged(tmp_path: Path) -> None:
    done = run([*COMMAND, program(tmp_path, TRAINING), "--rate", "1.0"], tmp_path)
    assert (done.stderr, done.stdout, done.returncode) == ("", "[0, 0, 1, 1]\n", 0)


@pytest.mark.parametrize(
    "arguments",
    [[], ["number", "--help"], ["text"], ["none", "--", "-x"], ["error", "--isolate"], ["atexit"]],
    ids=lambda words: words[0] if words else "nothing",
)
def test_everything_is_as_python_has_it(arguments: list[str], tmp_path: Path) -> None:
    """Arguments, names of the main module, path, output, traceback and status."""
    name = program(tmp_path, PLAIN)
    expected = run([sys.executable, name, *arguments], tmp_path)
    found = run([*COMMAND, name, *arguments], tmp_path)
    assert (found.stdout, found.stderr, found.returncode) == (
        expected.stdout, expected.stderr, expected.returncode,
    )  # fmt: skip


def test_from_standard_input(tmp_path: Path) -> None:
    text = "import sys, mxnet as mx\nprint(sys.argv, mx.nd.ones((2,)).sum().asscalar())\nprint(1 / 0)\n"
    done = run([*COMMAND, "-", "a"], tmp_path, text)
    assert (done.stdout, done.returncode) == ("['-', 'a'] 2.0\n", 1)
    assert 'File "<stdin>", line 3' in done.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import mxnet.no_such_module", "mxnet.no_such_module"),
        ("from mxnet import no_such_name", "no_such_name"),
        ("import mxnet as mx; mx.no_such_name", "no_such_name"),
        ("from mxnet import nd; nd.no_such_operator", "no_such_operator"),
        ("import mxnet as mx; mx.gluon.nn.NoSuchLayer()", "NoSuchLayer"),
    ],
)
def test_what_is_missing_is_named(line: str, message: str, tmp_path: Path) -> None:
    done = run([*COMMAND, program(tmp_path, line)], tmp_path)
    assert done.returncode == 1 and message in done.stderr.splitlines()[-1]


def test_names_of_numpy_can_be_left_as_they_are(tmp_path: Path) -> None:
    name = program(tmp_path, "import numpy as np\nprint(hasattr(np, 'float_'))")
    assert run([*COMMAND, name], tmp_path).stdout == "True\n"
    import numpy as np

    if not hasattr(np, "float_"):
        assert run([*COMMAND, "--no-numpy-names", name], tmp_path).stdout == "False\n"


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("absent.py", 2, "gluon-onnx exec: absent.py: No such file or directory"),
        ("folder", 2, "gluon-onnx exec: folder: expected a file, this is a folder"),
        ("broken.py", 1, "SyntaxError: invalid syntax"),
        ("nul.py", 1, "SyntaxError: source code"),
    ],
)
def test_what_is_no_program(name: str, code: int, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.py").write_text("a b\n")
    (tmp_path / "nul.py").write_bytes(b"x = 1\0\n")
    done = run([*COMMAND, name], tmp_path)
    assert done.returncode == code and done.stderr.splitlines()[-1].startswith(message)
