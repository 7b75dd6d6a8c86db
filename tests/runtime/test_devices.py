"""Devices: what is there, what is missing and how that is said; installations without ONNX Runtime."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import gluon_onnx as mx
from gluon_onnx import gluon, nd
from gluon_onnx._runtime import devices
from gluon_onnx.base import MXNetError

ROOT = Path(__file__).parents[2]
WITHOUT = """
import sys
sys.modules["onnxruntime"] = None  # as if it were not installed
import gluon_onnx as mx, gluon_onnx.graph
for use in (lambda: mx.nd, lambda: mx.gluon, lambda: mx.Context, lambda: __import__("gluon_onnx.autograd")):
    try:
        use()
    except ImportError as e:
        print(e)
"""


def test_neither_package_is_installed() -> None:
    """One error that says what to install, whatever is used first; nothing else is written."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert set(lines) == {
        "gluon-onnx needs ONNX Runtime: pip install onnxruntime-gpu (Linux x86-64, Windows) or onnxruntime"
    }


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Make the machine look as if it had some GPUs, a driver and a provider."""

    def pretend(number: int = 0, driver: bool = True, provider: bool = True, forked: bool = False) -> None:
        def count(pointer: Any) -> int:
            pointer._obj.value = number
            return 0

        cuda = SimpleNamespace(cuInit=lambda _: 0, cuDeviceGetCount=count) if driver else None
        names = ["CUDAExecutionProvider"] * provider + ["CPUExecutionProvider"]
        monkeypatch.setattr(devices, "_cuda_library", lambda: cuda)
        monkeypatch.setattr(devices.onnxruntime, "get_available_providers", lambda: names)
        monkeypatch.setattr(devices, "forked", forked)
        devices.num_gpus.cache_clear()

    yield pretend
    devices.num_gpus.cache_clear()


MISSING = [
    pytest.param(
        {"provider": False}, "this ONNX Runtime has no CUDA provider; install onnxruntime-gpu", id="provider"
    ),
    pytest.param({"driver": False}, "no CUDA device or driver was found", id="driver"),
    pytest.param({"number": 0}, "no CUDA device or driver was found", id="device"),
    pytest.param({"number": 3}, "there are 3 GPUs, numbered from 0", id="number"),
    pytest.param({"number": 9, "forked": True}, "CUDA cannot be used in a forked process", id="forked"),
]
USES: dict[str, Callable[[], object]] = {
    "creation": lambda: nd.ones((2,), ctx=mx.gpu(7)),
    "copy": lambda: nd.ones((2,)).as_in_context(mx.gpu(7)),
    "copyto": lambda: nd.ones((2,)).copyto(mx.gpu(7)),
    "array": lambda: nd.array([1, 2], ctx=mx.gpu(7)),
    "draw": lambda: nd.random.uniform(shape=(2,), ctx=mx.gpu(7)),
    "block": lambda: gluon.nn.Dense(2, in_units=2).initialize(ctx=mx.gpu(7)),
    "scope": lambda: _inside(mx.gpu(7)),
    "memory": lambda: mx.context.gpu_memory_info(7),
}


def _inside(ctx: mx.Context) -> None:
    with ctx:
        nd.zeros((2,))


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(("machine", "message"), MISSING)
def test_what_is_missing(machine: dict[str, Any], message: str, use: str, gpus: Callable[..., None]) -> None:
    """Whatever asks for a GPU first gets the reason."""
    gpus(**machine)
    with pytest.raises(MXNetError, match=rf"^gpu\(7\): {message}"):
        USES[use]()


@pytest.mark.parametrize(
    ("machine", "number"),
    [({"number": 2}, 2), ({"number": 2, "provider": False}, 0), ({"number": 2, "driver": False}, 0), ({}, 0)],
)
def test_num_gpus(machine: dict[str, Any], number: int, gpus: Callable[..., None]) -> None:
    """GPUs that can be used."""
    gpus(**machine)
    assert mx.num_gpus() == mx.context.num_gpus() == number


def test_a_context_costs_nothing() -> None:
    """Making one asks nothing of the machine, and comparing neither."""
    assert mx.gpu(99) == mx.Context("gpu", 99) != mx.cpu(99)
    assert repr(mx.gpu(99)) == "gpu(99)"


def test_the_cuda_library_is_not_looked_for_before_it_is_needed() -> None:
    """Work on the CPU leaves the driver alone."""
    code = (
        "from gluon_onnx._runtime import devices\n"
        "def fail(): raise SystemExit('looked for')\n"
        "devices._cuda_library = fail\n"
        "import gluon_onnx as mx\n"
        "net = mx.gluon.nn.Dense(2)\n"
        "net.initialize()\n"
        "net.hybridize()\n"
        "with mx.autograd.record():\n"
        "    y = net(mx.nd.ones((1, 3)))\n"
        "y.backward()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_extras() -> None:
    """CUDA's wheels for the platforms that onnxruntime-gpu is for, and the other two extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    (runtime,) = [d for d in project["dependencies"] if d.startswith("onnxruntime-gpu")]
    assert extras["cuda"] == [runtime.replace("onnxruntime-gpu", "onnxruntime-gpu[cuda,cudnn]")]
    assert {d.partition(">")[0] for d in extras["vision"]} == {"Pillow", "opencv-python-headless"}
    assert {d.partition(">")[0] for d in extras["plot"]} == {"matplotlib", "graphviz"}
