"""What ``gluon-onnx doctor`` finds, here and where something is amiss."""

from __future__ import annotations

import builtins
import json
import sys
from typing import Any

import onnxruntime
import pytest

from gluon_onnx.tools import cli, doctor
from gluon_onnx.tools.doctor import Status


def finding(subject: str) -> doctor.Finding:
    """The line about this subject."""
    return next(found for found in doctor.examine() if found.subject == subject)


def test_this_environment_is_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--format", "json"]) == 0
    rows = {row["subject"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["python"]["detail"].startswith(sys.version.split()[0])
    assert rows["mx.cpu()"] == {
        "subject": "mx.cpu()", "status": "ok", "detail": "a session computes", "remedy": "",
    }  # fmt: skip
    assert onnxruntime.__version__ in rows["onnxruntime"]["detail"]


def test_text_keeps_a_line_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "mx.cpu() ok a session computes" in lines


def versions(monkeypatch: pytest.MonkeyPatch, changed: dict[str, str | None]) -> None:
    """Pretend that these distributions are installed in these versions, or not at all."""
    real = doctor.installed
    monkeypatch.setattr(doctor, "installed", lambda name: changed[name] if name in changed else real(name))


def test_a_missing_dependency_is_a_failed_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    versions(monkeypatch, {"safetensors": None})
    assert cli.main(["doctor"]) == 1
    assert "safetensors: pip install safetensors\n" in capsys.readouterr().out


def test_a_missing_extra_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch, {"graphviz": None})
    found = finding("graphviz")
    assert (found.status, found.remedy) == (Status.ABSENT, "pip install 'gluon-onnx[plot]'")


def test_two_onnxruntimes_in_one_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch, {"onnxruntime": "1.2", "onnxruntime-gpu": "1.3"})
    (found,) = doctor.runtime()
    assert found.status is Status.BROKEN
    assert found.detail.startswith("onnxruntime 1.2, onnxruntime-gpu 1.3")
    assert found.remedy.startswith("pip uninstall -y onnxruntime onnxruntime-gpu;")


def test_no_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'")
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    (found,) = doctor.runtime()
    assert found.status is Status.BROKEN
    assert "No module named 'onnxruntime'" in found.detail
    assert "pip install onnxruntime-gpu" in found.remedy


def test_no_cuda_in_this_build() -> None:
    found = doctor.gpu(["CPUExecutionProvider"])
    assert found.status is Status.ABSENT
    assert "gluon-onnx[cuda]" in found.remedy


def test_probe_tells_the_reason() -> None:
    assert doctor.probe("NoSuchExecutionProvider") != ""


@pytest.mark.gpu
def test_gpu_is_in_order_where_there_is_one() -> None:
    assert finding("mx.gpu()").status is Status.OK
