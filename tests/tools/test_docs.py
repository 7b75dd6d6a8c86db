"""docs/cli.md: what it shows is what the commands print."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from gluon_onnx import __version__
from gluon_onnx.tools import cli

from .commands import MODELS

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
EXAMPLES = re.findall(r"^```console\n\$ (.*?)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models that the page is about, and the part that one of its examples extracts."""
    path = tmp_path_factory.mktemp("docs")
    for source in MODELS.iterdir():
        shutil.copy(source, path)
    small = ["extract", str(path / "small-symbol.json"), "--from", "small_pool0_fwd", "--to", "small_pool1_fwd"]
    assert cli.main([*small, "-o", str(path / "middle.onnx")]) == 0
    return path


def test_the_page_has_examples_of_every_command_that_it_lists() -> None:
    listed = re.findall(r"^\| \[`(\w+)`\]", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {shlex.split(command)[1] for command, _ in EXAMPLES} == set(listed)


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_examples(
    command: str, shown: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    program, *argv = shlex.split(command)
    assert program == "gluon-onnx"
    assert cli.main(argv) in (0, 1, 3)
    assert capsys.readouterr().out == shown


def test_the_models_are_of_this_version() -> None:
    assert f"metadata gluon_onnx     {__version__}\n" in PAGE.read_text(encoding="utf-8")
