"""Every code block of docs/training-artifacts.md is executed, in order, in one folder."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gluon_onnx.tools import cli

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "training-artifacts.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each Python block is a program of its own; later ones read the files that earlier ones write."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    assert {language for language, _ in BLOCKS} == {"python", "sh"}
    for number, (language, text) in enumerate(BLOCKS):
        if language == "sh":
            assert [
                w for w in map(shlex.split, text.splitlines()) if w[0] != "gluon-onnx" or cli.main(w[1:])
            ] == []
            continue
        script = tmp_path / f"block{number}.py"
        script.write_text(text, encoding="utf-8")
        words = [sys.executable, "-W", "error", script.name]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    files = {
        model["file"] for model in json.loads(Path("artifacts/manifest.json").read_text())["models"].values()
    }
    assert {*files, "checkpoint", "manifest.json"} == {p.name for p in Path("artifacts").iterdir()}
    assert [name for name in files if f"`{name}`" not in TEXT] == []
