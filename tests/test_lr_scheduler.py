"""Learning-rate schedules against the values of MXNet 1.9.1."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from gluon_onnx import lr_scheduler
from tests.golden import frontend


@pytest.mark.parametrize("row", frontend.load()["schedules"], ids=frontend.label)
def test_rates_are_mxnets(row: dict[str, Any]) -> None:
    schedule = getattr(lr_scheduler, row["name"])(**row["kwargs"])
    assert [schedule(i) for i in range(len(row["values"]))] == row["values"]


def test_a_resumed_training_catches_up(caplog: pytest.LogCaptureFixture) -> None:
    schedule = lr_scheduler.FactorScheduler(step=2, factor=0.5, base_lr=1, stop_factor_lr=0.2)
    with caplog.at_level(logging.INFO):
        assert schedule(8) == 0.2
    assert [r.getMessage() for r in caplog.records] == [
        "Update[8]: learning rate is now 5.00000e-01",
        "Update[8]: learning rate is now 2.50000e-01",
        "Update[8]: learning rate arrived at 2.00000e-01 and stays there",
    ]


@pytest.mark.parametrize("kind", [lr_scheduler.PolyScheduler, lr_scheduler.CosineScheduler])
def test_a_warm_up_of_the_whole_schedule_ends_at_the_final_rate(kind: Any) -> None:
    # MXNet divides by zero
    schedule = kind(max_update=5, base_lr=1.0, final_lr=0.25, warmup_steps=5)
    assert [schedule(i) for i in (4, 5, 6)] == [0.8, 0.25, 0.25]


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (lambda: lr_scheduler.LRScheduler(0.1, warmup_begin_lr=0.2), ValueError, r"warmup_begin_lr \(0.2\)"),
    (lambda: lr_scheduler.LRScheduler(warmup_steps=-1), ValueError, "warmup_steps must be 0 or more, got -1"),
    (lambda: lr_scheduler.LRScheduler(warmup_steps=1.5), TypeError, "float"),  # type: ignore[arg-type]
    (lambda: lr_scheduler.LRScheduler(warmup_mode="x"), ValueError, "'linear' or 'constant', got 'x'"),
    (lambda: lr_scheduler.LRScheduler()(1), NotImplementedError, "LRScheduler must implement __call__"),
    (lambda: lr_scheduler.LRScheduler().get_warmup_lr(0), ValueError, "update 0 is not within the 0 warm-up"),
    (lambda: lr_scheduler.FactorScheduler(0), ValueError, "step must be 1 or more, got 0"),
    (lambda: lr_scheduler.FactorScheduler(1, 2), ValueError, "factor must be at most 1"),
    (lambda: lr_scheduler.MultiFactorScheduler(3), ValueError, "list of one or more"),  # type: ignore[arg-type]
    (lambda: lr_scheduler.MultiFactorScheduler([3, 3]), ValueError, r"increasing list .* got \[3, 3\]"),
    (lambda: lr_scheduler.MultiFactorScheduler([0, 3]), ValueError, "from 1 on"),
    (lambda: lr_scheduler.PolyScheduler(0), ValueError, "max_update must be 1 or more, got 0"),
]


@pytest.mark.parametrize(("action", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors(action: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        action()
