"""Fine-tuning: a new head on a frozen body, resumption after a kill, early stopping, a verified model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import gluon_onnx as mx
from gluon_onnx import artifacts
from gluon_onnx.tools import cli

ROOT = Path(__file__).parents[2]
SMALL = Path(__file__).parents[1] / "data" / "models" / "small-symbol.json"


def synthetic(
    count: int = 96, shape: tuple[int, ...] = (1, 12, 12), classes: int = 4
) -> dict[str, np.ndarray]:
    """Noise around a pattern for each class."""
    random = np.random.default_rng(0)
    patterns = random.standard_normal((classes, *shape))
    labels = random.integers(0, classes, count)
    data = patterns[labels] + 0.5 * random.standard_normal((count, *shape))
    return {"data": data.astype(np.float32), "label": labels}


OPTIONS: dict[str, Any] = {"head": 4, "validation": 0.25, "lr": 0.05, "batch": 16, "epochs": 6, "seed": 3}


def test_new_head_on_the_frozen_body_of_an_mxnet_model(tmp_path: Path) -> None:
    found = artifacts.finetune(SMALL, synthetic(), tmp_path, **OPTIONS)
    assert found.history[-1]["accuracy"] == 1.0
    assert found.history[-1]["validation_loss"] < 0.3 * found.history[0]["validation_loss"]
    assert 0 <= found.difference < 1e-4
    body = mx.gluon.SymbolBlock.imports(SMALL, param_file=SMALL.parent / "small-0000.params").collect_params()
    session = artifacts.TrainingSession(tmp_path / "artifacts", checkpoint=tmp_path / "best")
    trained = session.parameters
    assert {p.name for p in session.manifest.parameters if p.trainable} == {"head_weight", "head_bias"}
    for name in set(trained) - {"head_weight", "head_bias"}:
        np.testing.assert_array_equal(trained[name], body[name].data().asnumpy())
    samples = synthetic()
    scores = onnxruntime.InferenceSession(found.path).run(None, {"data": samples["data"]})[0]
    assert (scores.argmax(1) == samples["label"]).mean() == 1.0


def test_all_of_an_onnx_model(tmp_path: Path) -> None:
    samples = synthetic(classes=3)
    found = artifacts.finetune(
        SMALL.parent / "small.onnx",
        {"data": samples["data"], "y": samples["label"]},
        tmp_path,
        lr=0.01,
        epochs=3,
    )
    assert found.history[-1]["loss"] < found.history[0]["loss"]
    onnx.checker.check_model(onnx.load(found.path), full_check=True)


def test_a_run_that_fails_goes_on_and_gives_the_same(tmp_path: Path) -> None:
    whole = artifacts.finetune(SMALL, synthetic(), tmp_path / "whole", **OPTIONS)

    def fail(epoch: int, done: int, total: int, loss: float) -> None:
        if (epoch, done) == (4, 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        artifacts.finetune(SMALL, synthetic(), tmp_path / "parts", progress=fail, **OPTIONS)
    rest = artifacts.finetune(SMALL, synthetic(), tmp_path / "parts", **OPTIONS)
    assert rest.resumed == 3
    assert rest.history == whole.history
    again = artifacts.finetune(SMALL, synthetic(), tmp_path / "parts", **OPTIONS)
    assert (again.resumed, again.history) == (6, whole.history)
    with pytest.raises(mx.MXNetError, match=r"holds a run with other settings, {'lr': 0.05}"):
        artifacts.finetune(SMALL, synthetic(), tmp_path / "parts", **{**OPTIONS, "lr": 0.1})
    fresh = artifacts.finetune(SMALL, synthetic(), tmp_path / "parts", **{**OPTIONS, "lr": 0.1}, restart=True)
    assert fresh.resumed == 0


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_killed_process_loses_the_current_epoch_only(tmp_path: Path) -> None:
    np.savez(tmp_path / "samples.npz", **synthetic())
    program = f"""
        import sys, time
        from gluon_onnx import artifacts
        def progress(epoch, done, total, loss):
            print(epoch, flush=True)
            time.sleep(0.02)
        artifacts.finetune({str(SMALL)!r}, "samples.npz", "out", progress=progress, **{OPTIONS!r})
        """
    running = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    seen = 0
    while seen < 3:
        seen = int(running.stdout.readline())
    time.sleep(0.03)
    running.send_signal(signal.SIGKILL)
    running.wait()
    running.stdout.close()
    found = artifacts.finetune(SMALL, tmp_path / "samples.npz", tmp_path / "out", **OPTIONS)
    assert found.resumed >= 2
    whole = artifacts.finetune(SMALL, tmp_path / "samples.npz", tmp_path / "whole", **OPTIONS)
    assert found.history == whole.history


def test_samples_of_another_size(tmp_path: Path) -> None:
    with pytest.raises(mx.MXNetError, match=r"samples of shape \(1, 12, 12\), the data of shape \(1, 8, 8\)"):
        artifacts.finetune(SMALL.parent / "small.onnx", synthetic(shape=(1, 8, 8)), tmp_path, **OPTIONS)


def test_early_stopping_keeps_the_best(tmp_path: Path) -> None:
    samples = synthetic(24)
    noise = np.random.default_rng(1).integers(0, 4, 24)
    options = {**OPTIONS, "epochs": 40, "lr": 0.5, "patience": 2}
    found = artifacts.finetune(SMALL, {**samples, "label": noise}, tmp_path, **options)
    losses = [h["validation_loss"] for h in found.history]
    assert found.best_epoch == 1 + int(np.argmin(losses)) == len(losses) - 2 < 38


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"data": {"data": np.zeros((4, 1, 12, 12), np.float32)}},
            "expected arrays for inputs and one called label",
        ),
        (
            {"data": {"data": np.zeros((4, 2)), "label": np.zeros(3)}},
            "expected arrays with as many samples each",
        ),
        ({"features": "nothing"}, "the model has no value 'nothing'"),
        ({"validation": 0.001}, "a fraction that leaves some of 96"),
        ({"loss": "none"}, "loss: expected a block"),
    ],
    ids=["labels", "lengths", "features", "validation", "loss"],
)
def test_arguments(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    arguments = {"data": synthetic(), **OPTIONS, **change}
    with pytest.raises((mx.MXNetError, ValueError), match=text):
        artifacts.finetune(SMALL, arguments.pop("data"), tmp_path, **arguments)


# -- the command ---------------------------------------------------------------------------------------------------


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "samples.npz", **synthetic())
    words = ["finetune", str(SMALL), "--data", str(tmp_path / "samples.npz"), "--out", str(tmp_path / "out")]
    words += ["--head", "4", "--lr", "0.05", "--batch", "16", "--validation", "0.25"]
    assert cli.main([*words, "--epochs", "2", "--format", "json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (len(first["history"]), first["resumed"]) == (2, 0)
    assert cli.main([*words, "--epochs", "4"]) == 0
    text = capsys.readouterr().out
    assert "2 epochs" in text and "largest difference" in text
    assert cli.main([*words, "--features", "nothing", "--restart"]) == 2
    assert "the model has no value 'nothing'" in capsys.readouterr().err


def test_command_with_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2 = pytest.importorskip("cv2")
    random = np.random.default_rng(0)
    for number, name in enumerate(["dark", "light"]):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(12):
            pixels = (random.integers(0, 100, (10, 12, 3)) + 150 * number).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "pictures" / name / f"{i}.png"), pixels)
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Conv2D(3, 3), mx.gluon.nn.Flatten(), mx.gluon.nn.Dense(7))
    net.initialize(mx.init.Xavier())
    net.hybridize()
    net(mx.nd.zeros((1, 3, 8, 8)))
    net.export(str(tmp_path / "net.onnx"))
    words = [
        "finetune",
        str(tmp_path / "net.onnx"),
        "--data",
        str(tmp_path / "pictures"),
        "--out",
        str(tmp_path / "out"),
    ]
    words += ["--head", "2", "--mean", "128", "--std", "64", "--batch", "8", "--epochs", "8", "--lr", "0.01"]
    assert cli.main([*words, "--validation", str(tmp_path / "pictures"), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["history"][found["best_epoch"] - 1]["accuracy"] == 1.0


def test_model_exported_by_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 3),
        torch.nn.BatchNorm2d(6),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(150, 4),
    ).eval()
    path = tmp_path / "torch.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter is the old one, which needs no further package
        torch.onnx.export(
            net,
            (torch.zeros(2, 1, 12, 12),),
            path,
            dynamo=False,
            input_names=["x"],
            dynamic_axes={"x": {0: "batch"}},
        )
    samples = synthetic()
    data = {"x": samples["data"], "label": samples["label"]}
    found = artifacts.finetune(path, data, tmp_path / "out", lr=0.01, epochs=6, batch=16, validation=0.25)
    assert found.history[-1]["accuracy"] > 0.9
    assert found.history[-1]["loss"] < 0.5 * found.history[0]["loss"]
