"""Callbacks of a training."""

from __future__ import annotations

import logging
import re
from types import SimpleNamespace
from typing import Any

import pytest

import gluon_onnx as mx
from gluon_onnx import callback


@pytest.fixture(autouse=True)
def info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def at(nbatch: int, metric: Any = None, epoch: int = 3) -> SimpleNamespace:
    return SimpleNamespace(epoch=epoch, nbatch=nbatch, eval_metric=metric)


def accuracy() -> Any:
    metric = mx.metric.create(["acc", "mae"])
    metric.update([mx.nd.array([0, 1])], [mx.nd.array([1, 1])])
    return metric


@pytest.mark.parametrize(
    ("auto_reset", "first", "after"),
    [(True, "4", "accuracy=nan\tmae=nan"), (False, "0", "accuracy=0.500000\tmae=0.500000")],
)
def test_speedometer(auto_reset: bool, first: str, after: str, caplog: pytest.LogCaptureFixture) -> None:
    speed, metric = callback.Speedometer(8, frequent=4, auto_reset=auto_reset), accuracy()
    for nbatch in range(1, 9):
        speed(at(nbatch, metric))
    shown = [re.sub(r"[\d.]+ samples", "N samples", line) for line in caplog.messages]
    assert shown == [
        "Epoch[3] Batch [0-4]\tSpeed: N samples/sec\taccuracy=0.500000\tmae=0.500000",
        f"Epoch[3] Batch [{first}-8]\tSpeed: N samples/sec\t{after}",
    ]


def test_speedometer_begins_anew_with_an_epoch(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 2.0, 2.0, 10.0, 14.0, 20.0, 20.0, 20.0])
    monkeypatch.setattr(callback, "time", SimpleNamespace(time=lambda: next(clock)))
    speed = callback.Speedometer(10, frequent=2)
    for nbatch in (1, 2, 1, 2, 4):
        speed(at(nbatch))
    assert caplog.messages == [
        "Iter[3] Batch [2]\tSpeed: 10.00 samples/sec",
        "Iter[3] Batch [2]\tSpeed: 5.00 samples/sec",
        "Iter[3] Batch [4]\tSpeed: inf samples/sec",
    ]


def test_progress_bar(caplog: pytest.LogCaptureFixture) -> None:
    bar = callback.ProgressBar(total=3, length=6)
    for nbatch in (1, 3):
        bar(at(nbatch))
    assert caplog.messages == ["[==----] 34%\r", "[======] 100%\r"]


def test_validation_metrics(caplog: pytest.LogCaptureFixture) -> None:
    callback.LogValidationMetricsCallback()(at(0, accuracy()))
    callback.LogValidationMetricsCallback()(at(0))
    assert caplog.messages == ["Epoch[3] Validation-accuracy=0.500000", "Epoch[3] Validation-mae=0.500000"]


def test_training_metric_every_few_batches(caplog: pytest.LogCaptureFixture) -> None:
    log, metric = callback.log_train_metric(2), accuracy()
    for nbatch in range(1, 4):
        log(at(nbatch, metric))
    log(at(4))
    assert caplog.messages == [
        "Iter[3] Batch[2] Train-accuracy=0.500000",
        "Iter[3] Batch[2] Train-mae=0.500000",
    ]


def test_checkpoints_of_a_module() -> None:
    saved: list[tuple[Any, ...]] = []
    module = SimpleNamespace(save_checkpoint=lambda *args: saved.append(args))
    save = callback.module_checkpoint(module, "net", period=2, save_optimizer_states=True)
    for epoch in range(4):
        save(epoch)
    assert saved == [("net", 2, True), ("net", 4, True)]
