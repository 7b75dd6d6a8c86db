"""``gluon-onnx demo`` from end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from gluon_onnx.tools import cli, demo


def run(out: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Run it; returns the exit code and the numbers that it wrote."""
    code = cli.main(["demo", "--out", str(out), *options])
    return code, json.loads((out / "results.json").read_text(encoding="utf-8"))


def timeless(results: dict[str, Any]) -> dict[str, Any]:
    """The numbers that depend on the seed alone."""
    epochs = [
        {name: value for name, value in epoch.items() if name != "seconds"} for epoch in results["epochs"]
    ]
    return {**results, "epochs": epochs, "seconds": None}


def test_it_does_what_it_promises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    code, results = run(tmp_path)
    said = capsys.readouterr().out
    assert code == 0, said
    assert [epoch["hybridized"] for epoch in results["epochs"]] == [False] + [True] * (
        len(results["epochs"]) - 1
    )
    assert results["epochs"][-1]["accuracy"] >= 0.975
    assert results["feature_accuracy"] >= 0.95
    assert results["onnx_difference"] <= demo.TOLERANCE
    assert results["reload_difference"] <= demo.TOLERANCE
    assert "Conv2D" in said and "BatchNorm" in said, "the summary of the model"
    assert f"max abs difference {results['onnx_difference']:.2e}" in said
    onnx.checker.check_model(onnx.load(tmp_path / "model.onnx"), full_check=True)
    for picture in ("training.png", "predictions.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG\r\n")


def test_the_same_seed_gives_the_same_numbers(tmp_path: Path) -> None:
    options = ("--epochs", "2", "--no-plots", "--seed")
    first, again, other = (
        run(tmp_path / name, *options, seed)[1] for name, seed in zip("abc", "778", strict=True)
    )
    assert timeless(first) == timeless(again)
    assert first["epochs"][0]["loss"] != other["epochs"][0]["loss"]


def test_too_little_training_is_a_failed_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, results = run(tmp_path, "--epochs", "1", "--no-plots")
    assert code == 1
    assert results["epochs"][0]["accuracy"] < demo.ACCURACY
    assert "is below 97.5%: train longer (--epochs)" in capsys.readouterr().out
    assert not (tmp_path / "training.png").exists()


def test_epochs_must_be_positive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--epochs", "0", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "gluon-onnx demo: --epochs must be at least 1, got 0\n"


def test_plots_without_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["demo", "--out", str(tmp_path)]) == 2
    assert "pip install 'gluon-onnx[plot]', or say --no-plots" in capsys.readouterr().err


def test_shifted_images_stay_whole() -> None:
    images = np.zeros((demo.BATCH, 1, 8, 8), np.float32)
    images[:, :, 3:5, 3:5] = 1
    ((pixels, labels),) = demo.batches(images, np.arange(demo.BATCH), np.random.RandomState(0))
    assert pixels.shape == images.shape
    assert pixels.sum(axis=(1, 2, 3)).tolist() == [4.0] * demo.BATCH
    assert sorted(labels.tolist()) == list(range(demo.BATCH))
    assert (pixels != images).any()
