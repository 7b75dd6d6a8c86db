"""The examples of docs/cli-running.md run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gluon_onnx.tools import cli

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cli-running.md").read_text(encoding="utf-8")
LINES = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


def test_every_example_ends_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in one folder, as a reader would."""
    monkeypatch.chdir(tmp_path)
    for line in LINES:
        program, *words = shlex.split(line)
        if program == "cd":
            monkeypatch.chdir(words[0])
        elif words[0] == "exec":  # ends the process
            Path(words[1]).write_text("import sys, mxnet as mx\nassert sys.argv[1:] == ['--epochs', '3']\n")
            env = {**os.environ, "PYTHONPATH": str(ROOT)}
            command = [sys.executable, "-m", "gluon_onnx.tools.cli", *words]
            assert subprocess.run(command, env=env, check=False).returncode == 0
        else:
            assert (line, cli.main(words)) == (line, 0)


@pytest.mark.parametrize("command", ["run", "compare", "profile", "convert", "plot", "exec"])
def test_every_command_has_a_section_and_its_options_are_the_real_ones(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"\n## {command}\n" in PAGE
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    section = PAGE.split(f"\n## {command}\n")[1].split("\n## ")[0]
    examples = {
        option
        for line in section.splitlines()
        if line.startswith(f"gluon-onnx {command} ") and command != "exec"
        for option in re.findall(r"--[a-z-]+", line)
    }
    assert examples <= known
