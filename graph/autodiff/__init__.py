"""Reverse-mode differentiation of ONNX graphs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .engine import Pair, differentiable, rule, split, vjp

if TYPE_CHECKING:
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
    "loop",
    "norm",
    "indexing",
    "sampling",
    "attention",
    "regions",
    "spectral",
    "sequence",
    "function",
):
    importlib.import_module(f"{__name__}.rules.{_name}")


def __getattr__(name: str) -> Any:
    if name == "differentiate":  # on first use: it needs the reader of models, which needs the operators
        from .transform import differentiate

        return differentiate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
