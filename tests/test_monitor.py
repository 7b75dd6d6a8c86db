"""The monitor of an executor's arrays."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import gluon_onnx as mx
from gluon_onnx.monitor import Monitor


class Executor:
    """What a monitor needs of an executor: calls back with the outputs of its operators."""

    def __init__(self) -> None:
        self._symbol = self
        self.arg_arrays = [mx.nd.array([3, 4]), mx.nd.array([[2]])]
        self.aux_arrays = [mx.nd.array([0])]

    def list_arguments(self) -> list[str]:
        return ["data", "fc_weight"]

    def list_auxiliary_states(self) -> list[str]:
        return ["bn_mean"]

    def set_monitor_callback(self, callback: Any, monitor_all: bool) -> None:
        self.callback, self.monitor_all = callback, monitor_all

    def forward(self) -> None:
        self.callback("fc_output", mx.nd.array([6, 8]))


def largest(array: Any) -> Any:
    return mx.nd.array([array.asnumpy().max()])


def watched(monitor: Monitor, batches: int) -> list[Any]:
    executor = Executor()
    monitor.install(executor)
    assert executor.monitor_all == monitor.monitor_all
    found = []
    for _ in range(batches):
        monitor.tic()
        executor.forward()
        found.append(monitor.toc())
    return found


def test_outputs_then_parameters() -> None:
    (found,) = watched(Monitor(1, largest), 1)
    assert found == [
        (1, "fc_output", "8.0\t"),
        (1, "data", "4.0\t"),
        (1, "fc_weight", "2.0\t"),
        (1, "bn_mean", "0.0\t"),
    ]


def test_interval_pattern_and_order() -> None:
    found = watched(Monitor(2, largest, pattern="fc|bn", sort=True), 3)
    assert [[name for _, name, _ in batch] for batch in found] == [
        ["bn_mean", "fc_output", "fc_weight"],
        [],
        ["bn_mean", "fc_output", "fc_weight"],
    ]
    assert found[2][0][0] == 3


def test_statistics_may_be_several() -> None:
    monitor = Monitor(1, lambda x: [largest(x), mx.nd.array([1, 2])], pattern="data", monitor_all=True)
    assert watched(monitor, 1) == [[(1, "data", "4.0\t[1. 2.]\t")]]


def test_the_default_statistic_is_the_root_mean_square() -> None:
    ((_, name, text),) = watched(Monitor(1, pattern="data"), 1)[0]
    assert (name, float(text)) == ("data", pytest.approx(12.5**0.5, rel=1e-6))


def test_logging(caplog: pytest.LogCaptureFixture) -> None:
    monitor = Monitor(1, largest, pattern="bn")
    monitor.install(Executor())
    monitor.tic()
    with caplog.at_level(logging.INFO):
        monitor.toc_print()
    assert caplog.messages == ["Batch:       1 bn_mean                        0.0\t"]


def test_statistics_of_another_type_are_an_error() -> None:
    monitor = Monitor(1, lambda x: 1.0)
    with pytest.raises(TypeError, match="must return an NDArray or a list of them; see 'fc_out"):
        watched(monitor, 1)
