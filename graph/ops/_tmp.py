from __future__ import annotations
from typing import Any
import numpy as np
from ..builder import Builder, Tensor
from .registry import operator
from .schema import Scalar, DType, Ints

@operator("relu")
def relu(g: Builder, data: Tensor) -> Tensor:
    return g.op("Relu", data)
@operator("tanh")
def tanh(g: Builder, data: Tensor) -> Tensor:
    return g.op("Tanh", data)
@operator("_copy")
def copy(g: Builder, data: Tensor) -> Tensor:
    return g.op("Identity", data)
@operator("broadcast_add")
def badd(g: Builder, lhs: Tensor, rhs: Tensor) -> Tensor:
    return lhs + rhs
@badd.numpy
def _(lhs, rhs): return lhs+rhs
@operator("broadcast_mul")
def bmul(g: Builder, lhs: Tensor, rhs: Tensor) -> Tensor:
    return lhs * rhs
@operator("_mul_scalar")
def muls(g: Builder, data: Tensor, *, scalar: Scalar = 1.0, is_int: bool = True) -> Tensor:
    return data * (g.cast(scalar, data.dt) if isinstance(scalar, Tensor) else scalar)
@operator("_plus_scalar")
def adds(g: Builder, data: Tensor, *, scalar: Scalar = 1.0, is_int: bool = True) -> Tensor:
    return data + (g.cast(scalar, data.dt) if isinstance(scalar, Tensor) else scalar)
@operator("sum")
def sum_(g: Builder, data: Tensor) -> Tensor:
    return g.reshape(g.reduce("Sum", data, range(data.ndim)), (1,))
