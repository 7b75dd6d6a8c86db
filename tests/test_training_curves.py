"""Training follows MXNet: the loss of 50 steps, for three nets and every optimizer."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import gluon_onnx as mx

from .golden import training

CURVES = json.loads((Path(training.HERE) / "training.json").read_text())


@lru_cache
def data() -> tuple[np.ndarray, np.ndarray]:
    return training.data()


@pytest.mark.parametrize("name", sorted(CURVES))
def test_loss_curve(name: str) -> None:
    net, _, optimizer = name.partition("/")
    ours = training.curve(mx, net, optimizer, *data())
    np.testing.assert_allclose(ours, CURVES[name], rtol=1e-3)


@pytest.mark.parametrize("net", training.NETS)
def test_eager_training_gives_the_same_curve(net: str) -> None:
    ours = training.curve(mx, net, "sgd-momentum", *data(), hybridize=False)
    np.testing.assert_allclose(ours, CURVES[f"{net}/sgd-momentum"], rtol=1e-3)
