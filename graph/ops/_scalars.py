"""Parameters that may be given at run time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..builder import Builder, Tensor

__all__ = ["number"]


def number(g: Builder, value: Any, dt: Any) -> Tensor:
    """A parameter declared as `Scalar` as a tensor without axes: a constant, or an input of the program."""
    if isinstance(value, Tensor):
        return g.cast(value, dt)
    with np.errstate(all="ignore"):  # a number that the element type cannot hold becomes infinite, as in C
        return g.const(np.asarray(value, np.float64).astype(dt))
