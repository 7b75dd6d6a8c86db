"""Benchmark cases of MXNet 1.9.1, in an environment of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cases_gluon
import models_gluon
import mxnet as mx

Step = Callable[[], Any]

CASES = {**cases_gluon.cases(mx), **models_gluon.cases(mx)}


def find(case: str) -> Callable[[], Step] | None:
    """The case of a name."""
    if not case.startswith("pretrained "):
        return CASES.get(case)
    path, x = models_gluon.pretrained(mx, case)

    def prepare() -> Step:  # through the executor, because SymbolBlock refuses labels without values
        symbol = mx.sym.load(path)
        data = next(n for n in symbol.list_inputs() if not n.endswith("label"))
        executor = symbol.simple_bind(mx.cpu(), grad_req="null", **{data: x.shape})
        values = {k.partition(":")[2] or k: v for k, v in mx.nd.load(models_gluon.params_of(path)).items()}
        executor.copy_params_from(values, values, allow_extra_params=True)

        def step() -> None:
            for y in executor.forward(is_train=False, **{data: x}):
                y.wait_to_read()

        return step

    return prepare
