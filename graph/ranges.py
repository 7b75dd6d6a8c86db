"""Numbers counted up along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from .builder import Builder, Tensor
from .dims import DimLike

__all__ = ["numbers"]


def numbers(g: Builder, size: DimLike, dt: Any = np.int64) -> Tensor:
    """0, 1, ... ``size - 1``, of element type `dt` and shape (size,)."""
    limit = g.squeeze(g.dim(size), 0)
    return g.cast(g.with_dims("Range", (size,), g.const(np.int64(0)), limit, g.const(np.int64(1))), dt)
