"""``--isolate``: what happens in the other process is an exit code here."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gluon_onnx.tools import cli, isolate
from gluon_onnx.tools.outcome import ExitCode

from .small_net import write_onnx

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["run", "compare", "profile", "convert", "demo"])
def test_every_command_that_makes_sessions_has_it(name: str) -> None:
    parser = argparse.ArgumentParser()
    cli.load(name).add_arguments(parser)
    assert any("--isolate" in action.option_strings for action in parser._actions)


def test_output_and_code_are_the_other_process_s(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = str(write_onnx(tmp_path / "net.onnx"))
    assert cli.main(["run", model, "--format", "json"]) == 0
    plain = capfd.readouterr()
    assert cli.main(["run", model, "--format", "json", "--isolate"]) == 0
    assert capfd.readouterr() == plain
    assert cli.main(["run", model, "--input", "x:1x5", "--isolate"]) == 2
    assert capfd.readouterr().err.startswith("gluon-onnx run: --input x:1x5")


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV"),
        ("import os; os.abort()", "was ended by SIGABRT"),
        ("raise KeyError('a bug')", "ended with status 70"),
        ("import os; os._exit(9)", "ended with status 9"),
    ],
    ids=["segfault", "abort", "exception", "exit"],
)
def test_a_crash_is_a_message_and_a_code(
    action: str, message: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(isolate, "_CHILD", isolate._CHILD.replace("code = main(sys.argv[1:])", action))
    assert isolate.isolated("run", ["run", "x.onnx"]) == ExitCode.UNSUPPORTED
    error = capfd.readouterr().err
    assert error.splitlines()[-1] == f"gluon-onnx run: the isolated process {message}"
    assert ("KeyError: 'a bug'" in error) == ("bug" in action)


@pytest.mark.skipif(not hasattr(signal, "SIGRTMAX"), reason="no real-time signals here")
def test_a_signal_without_a_name(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    number = signal.SIGRTMIN + 5
    action = f"import os; os.kill(os.getpid(), {number})"
    monkeypatch.setattr(isolate, "_CHILD", isolate._CHILD.replace("code = main(sys.argv[1:])", action))
    assert isolate.isolated("run", []) == ExitCode.UNSUPPORTED
    assert f"was ended by signal {number}" in capfd.readouterr().err


def test_an_abbreviated_flag_does_not_start_processes_for_ever(tmp_path: Path) -> None:
    model = write_onnx(tmp_path / "net.onnx")
    done = subprocess.run(
        [sys.executable, "-m", "gluon_onnx.tools.cli", "run", str(model), "--isol"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, 2)
