"""Every code block of README.md is executed, in order, in one folder."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gluon_onnx.tools import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
LANGUAGES = {"python", "sh"}


def commands(language: str) -> Iterator[list[str]]:
    """The words of each line of the blocks in a shell language."""
    for found, text in BLOCKS:
        if found == language:
            yield from filter(None, (shlex.split(line, comments=True) for line in text.splitlines()))


def test_every_block_is_of_a_kind_that_is_executed() -> None:
    assert [language for language, _ in BLOCKS if language not in LANGUAGES] == []
    assert {words[0] for words in commands("sh")} <= {"make", "gluon-onnx"}


def test_python_blocks_then_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later blocks read the files that earlier ones write; each Python block is a program of its own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for number, (language, text) in enumerate(BLOCKS):
        if language == "python":
            script = tmp_path / f"block{number}.py"
            script.write_text(text, encoding="utf-8")
            done = subprocess.run(
                [sys.executable, "-W", "error", script.name],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    monkeypatch.chdir(tmp_path)
    assert [words for words in commands("sh") if words[0] == "gluon-onnx" and cli.main(words[1:]) != 0] == []


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("words", [words for words in commands("sh") if words[0] == "make"], ids=" ".join)
def test_make_commands_have_a_rule(words: list[str]) -> None:
    """Not run: `make test` would run this test."""
    done = subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"gluon-onnx demo|-m pytest", done.stdout)


def test_extras_exist() -> None:
    named = set(re.findall(r"extras? `(\w+)`|\[(\w+)\]'", README))
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [name for pair in named for name in pair if name and f"\n{name} = [" not in pyproject] == []


def test_files_that_are_named_exist() -> None:
    named = set(re.findall(r"\b[\w./-]+\.md\b", README))
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
