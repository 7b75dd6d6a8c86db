"""Benchmark cases in Gluon: one program for MXNet and for this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import models_gluon
import numpy as np

Step = Callable[[], Any]


def cases(mx: Any) -> dict[str, Callable[[], Step]]:
    """The cases for the module `mx`."""
    nd = mx.nd

    def eager(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Callable[[], Step]:
        def make() -> Step:
            arrays = [nd.array(np.random.rand(*s)) for s in shapes]

            def step() -> None:
                for _ in range(50):
                    function(*arrays)
                nd.waitall()

            return step

        return make

    return {
        "eager add 4x5": eager(lambda a, b: a + b, (4, 5), (4, 5)),
        "eager relu 4x5": eager(nd.relu, (4, 5)),
        "eager exp 64x64": eager(nd.exp, (64, 64)),
        "eager sum 64x64": eager(lambda a: nd.sum(a, axis=1), (64, 64)),
        "eager dot 64x64": eager(nd.dot, (64, 64), (64, 64)),
        "eager FullyConnected 32x64x16": eager(
            lambda a, w, b: nd.FullyConnected(a, w, b, num_hidden=16), (32, 64), (16, 64), (16,)
        ),
        "LeNet step, batch 64": models_gluon.cases(mx)["lenet"],
    }
