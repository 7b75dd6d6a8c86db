"""Tests that need a device or an interpreter that is not here are skipped, with the reason."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the markers `gpu` and `oracle` ask for in vain."""
    if item.get_closest_marker("oracle") and not os.environ.get("MXNET_PYTHON"):
        pytest.skip("MXNET_PYTHON names no interpreter with MXNet 1.9.1")
    if item.get_closest_marker("gpu"):
        from gluon_onnx.context import num_gpus

        if num_gpus() == 0:
            pytest.skip("no CUDA device")


@pytest.fixture(autouse=True)
def _verify_programs() -> Iterator[None]:
    """Every program that a test makes is verified."""
    from gluon_onnx.graph.verify import verifying

    with verifying():
        yield
