"""``gluon-onnx doctor``: what is installed, which devices work, what is missing and how to get it."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from enum import Enum

from .outcome import ExitCode
from .tables import open_console, print_json

__all__ = ["Finding", "Status", "add_arguments", "examine", "run"]

DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")

PROBE = """
import sys
import numpy, onnx, onnxruntime
from onnx import helper
shape = helper.make_tensor_value_info("x", 1, [2]), helper.make_tensor_value_info("y", 1, [2])
graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "probe", shape[:1], shape[1:])
model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
if sys.argv[1] == "CUDAExecutionProvider":
    onnxruntime.preload_dlls()
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=[sys.argv[1]])
found = session.run(None, {"x": numpy.ones(2, "float32")})[0]
sys.exit(not (sys.argv[1] in session.get_providers() and (found == 2).all()))
"""


class Status(Enum):
    """How a thing was found."""

    OK = "ok"
    ABSENT = "absent"  # the package works without it
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    subject: str
    status: Status
    detail: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--format", choices=("text", "json"), default="text", help="form of the report")


def run(args: argparse.Namespace) -> ExitCode:
    """Print the report; a check has failed if something that the package needs is broken."""
    findings = examine()
    if args.format == "json":
        rows = [{**asdict(finding), "status": finding.status.value} for finding in findings]
        print_json(rows)
    else:
        show(findings)
    return ExitCode.CHECK_FAILED if any(f.status is Status.BROKEN for f in findings) else ExitCode.OK


def show(findings: list[Finding]) -> None:
    """Print the findings as a table, then what can be done about those that are not in order."""
    from rich.table import Table
    from rich.text import Text

    console = open_console()
    table = Table(box=None, pad_edge=False, show_header=False)
    colors = {Status.OK: "green", Status.ABSENT: "yellow", Status.BROKEN: "bold red"}
    for finding in findings:
        status = Text(finding.status.value, style=colors[finding.status])
        table.add_row(finding.subject, status, Text(finding.detail))
    console.print(table)
    for finding in findings:
        if finding.remedy:
            console.print(Text(f"{finding.subject}: {finding.remedy}"))


def examine() -> list[Finding]:
    """Look at the interpreter, the packages, ONNX Runtime, and whether its devices work."""
    needed = ("numpy", "ml_dtypes", "onnx", "onnx-ir", "requests", "rich", "safetensors")
    optional = {
        "matplotlib": "plot",
        "graphviz": "plot",
        "Pillow": "vision",
        "opencv-python-headless": "vision",
    }
    return [
        Finding("python", Status.OK, f"{platform.python_version()} on {platform.platform(terse=True)}"),
        Finding("processor", Status.OK, f"{platform.machine()}, {os.cpu_count()} threads"),
        *(package(name) for name in needed),
        *runtime(),
        *(package(name, extra) for name, extra in optional.items()),
    ]


def installed(name: str) -> str | None:
    """The version of a distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def package(name: str, extra: str = "") -> Finding:
    """Whether a distribution is installed; one that no extra names is needed."""
    version = installed(name)
    if version is not None:
        return Finding(name, Status.OK, version)
    if extra:
        return Finding(name, Status.ABSENT, "not installed", f"pip install 'gluon-onnx[{extra}]'")
    return Finding(name, Status.BROKEN, "not installed", f"pip install {name}")


def runtime() -> list[Finding]:
    """ONNX Runtime: the distributions that own its import name, its providers, and whether they compute."""
    owners = {name: version for name in DISTRIBUTIONS if (version := installed(name)) is not None}
    named = ", ".join(f"{name} {version}" for name, version in owners.items())
    if len(owners) > 1:
        remedy = f"pip uninstall -y {' '.join(owners)}; then install the one that you want"
        return [Finding("onnxruntime", Status.BROKEN, f"{named}: they overwrite each other's files", remedy)]
    try:
        import onnxruntime

        providers: list[str] = onnxruntime.get_available_providers()
    except (ImportError, AttributeError) as error:  # AttributeError: the remains of an uninstalled one
        remedy = f"pip uninstall -y {' '.join(DISTRIBUTIONS)}; pip install onnxruntime-gpu (or onnxruntime)"
        return [Finding("onnxruntime", Status.BROKEN, f"cannot be imported: {error}", remedy)]
    short = ", ".join(name.removesuffix("ExecutionProvider") for name in providers)
    return [
        Finding(
            "onnxruntime", Status.OK, f"{named or onnxruntime.__version__}, built with providers {short}"
        ),
        cpu(),
        gpu(providers),
    ]


def cpu() -> Finding:
    """Whether a session on the CPU computes."""
    fault = probe("CPUExecutionProvider")
    if fault:
        return Finding("mx.cpu()", Status.BROKEN, fault, "reinstall onnxruntime")
    return Finding("mx.cpu()", Status.OK, "a session computes")


def gpu(providers: list[str]) -> Finding:
    """Whether a session on the first GPU computes, and what is missing if not."""
    from .._runtime import devices

    if "CUDAExecutionProvider" not in providers:
        remedy = "for NVIDIA GPUs: pip uninstall -y onnxruntime; pip install 'gluon-onnx[cuda]'"
        return Finding("mx.gpu()", Status.ABSENT, "this ONNX Runtime is built without CUDA", remedy)
    count = devices.num_gpus()
    if count == 0:
        return Finding("mx.gpu()", Status.ABSENT, "no NVIDIA driver or device")
    fault = probe("CUDAExecutionProvider")
    if fault:
        return Finding("mx.gpu()", Status.ABSENT, fault, "pip install 'gluon-onnx[cuda]'")
    return Finding("mx.gpu()", Status.OK, f"{count} GPU{'s' * (count > 1)}, a session computes")


def probe(provider: str) -> str:
    """Make and run a session in a process of its own; returns what went wrong, empty if nothing did."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, provider], capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    reasons = [line for line in lines if "cannot open shared object" in line or "is missing" in line]
    return (reasons or lines or [f"the process ended with status {done.returncode}"])[-1].strip()
