"""Operators whose gradient is not the derivative of what they compute."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from ..autodiff.engine import tensor
from ..builder import Builder, CustomFunction, Tensor
from ._numeric import is_integer
from ._scalars import number
from .registry import operator
from .schema import Scalar
from .unary import rounded, signs

__all__ = ["blocked"]


def _same(g: Builder, x: Tensor, *rest: Tensor) -> Tensor:
    return g.op("Identity", x)


_BLOCK = CustomFunction("BlockGrad", _same, lambda g, n, dy: None)
_LOSS = CustomFunction("MakeLoss", _same, lambda g, n, dy: g.fill(dy.dims, 1, dy.dt))
_SCALED = CustomFunction("ScaleGradient", _same, lambda g, n, dy: (dy * tensor(n.inputs[1]), None))


def blocked(g: Builder, *inputs: Tensor) -> list[Tensor]:
    """The same values, to which no gradient goes back."""
    return [g.custom(_BLOCK, x)[0] for x in inputs]


def _straight(g: Builder, n: ir.Node, dy: Tensor) -> Tensor:
    return dy


_ROUND = CustomFunction("StraightRound", rounded, _straight)
_SIGN = CustomFunction("StraightSign", signs, _straight)


@operator("BlockGrad", "stop_gradient", "_sparse_stop_gradient", elementwise=True, differentiable=False)
def block_grad(g: Builder, data: Tensor) -> Tensor:
    """BlockGrad(data)

    A copy of `data`; the gradient is zero.
    """
    return g.custom(_BLOCK, data)[0]


@operator("make_loss", "_sparse_make_loss", elementwise=True)
def make_loss(g: Builder, data: Tensor) -> Tensor:
    """make_loss(data)

    A copy of `data` that is a loss: its gradient is one, whatever follows.
    """
    return g.custom(_LOSS, data)[0]


@operator("_contrib_gradientmultiplier", elementwise=True)
def gradient_multiplier(g: Builder, data: Tensor, *, scalar: Scalar = 1.0, is_int: bool = True) -> Tensor:
    """_contrib_gradientmultiplier(data, scalar=1.0, is_int=True)

    A copy of `data`; the gradient is multiplied by `scalar`, which may be negative (gradient reversal).
    """
    return g.custom(_SCALED, data, number(g, scalar, data.dt))[0]


@operator("_contrib_round_ste", "_sparse__contrib_round_ste", elementwise=True)
def round_ste(g: Builder, data: Tensor) -> Tensor:
    """_contrib_round_ste(data)

    Each element rounded to the nearest integer, halves away from zero; the gradient passes unchanged.
    """
    return g.op("Identity", data) if is_integer(data.dt) else g.custom(_ROUND, data)[0]


@operator("_contrib_sign_ste", "_sparse__contrib_sign_ste", elementwise=True)
def sign_ste(g: Builder, data: Tensor) -> Tensor:
    """_contrib_sign_ste(data)

    -1, 0 or 1 for negative, zero and positive elements; the gradient passes unchanged.
    """
    return g.custom(_SIGN, data)[0]


for _op in (block_grad, make_loss):
    _op.numpy(np.copy)
gradient_multiplier.numpy(lambda data, scalar, is_int: data.copy())
