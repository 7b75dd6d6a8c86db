"""Reverse-mode differentiation of ONNX graphs."""

from __future__ import annotations

import importlib

from .engine import Pair, differentiable, rule, split, vjp
from .transform import differentiate

__all__ = ["Pair", "differentiable", "differentiate", "rule", "split", "vjp"]

for _name in (
    "elementwise",
    "reduction",
    "shape",
    "matrix",
    "softmax",
    "conv",
    "pool",
    "recurrent",
    "control",
    "norm",
    "indexing",
    "sampling",
):
    importlib.import_module(f"{__name__}.rules.{_name}")
