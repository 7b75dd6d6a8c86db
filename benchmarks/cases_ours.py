"""Benchmark cases of this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cases_gluon
import models_gluon

import gluon_onnx as mx

Step = Callable[[], Any]

CASES = {
    **cases_gluon.cases(mx),
    **models_gluon.cases(mx),
    "ResNet-18 inference": models_gluon.inference(
        mx, models_gluon.zoo("resnet18_v1"), models_gluon.images(1)
    ),
}


def find(case: str) -> Callable[[], Step] | None:
    """The case of a name."""
    if not case.startswith("pretrained "):
        return CASES.get(case)
    path, x = models_gluon.pretrained(mx, case)

    def prepare() -> Step:
        net = mx.gluon.SymbolBlock.imports(path, None, models_gluon.params_of(path))
        return lambda: net(x)

    return prepare
