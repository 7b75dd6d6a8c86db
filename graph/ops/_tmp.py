from __future__ import annotations
from typing import Any
import numpy as np
from ..builder import Builder, Tensor
from .registry import operator
from .schema import Scalar, DType, Ints

@operator("sum")
def sum_(g: Builder, data: Tensor) -> Tensor:
    return g.reshape(g.reduce("Sum", data, range(data.ndim)), (1,))

from .. import random as _random

@operator("_random_uniform", "random_uniform", "uniform", stochastic=True, differentiable=False)
def random_uniform(g: Builder, *, low: float = 0.0, high: float = 1.0, shape: Ints = (), ctx: str = "", dtype: DType = DType("float32")) -> Tensor:
    u = _random.uniform(g, shape or (1,), np.dtype("float32"))
    return g.cast(u * (high - low) + low, np.dtype(dtype))

@operator("_random_normal", "random_normal", "normal", stochastic=True, differentiable=False)
def random_normal(g: Builder, *, loc: float = 0.0, scale: float = 1.0, shape: Ints = (), ctx: str = "", dtype: DType = DType("float32")) -> Tensor:
    u = _random.normal(g, shape or (1,), np.dtype("float32"))
    return g.cast(u * scale + loc, np.dtype(dtype))
