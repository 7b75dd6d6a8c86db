"""Reverse-mode differentiation of ONNX graphs."""

from __future__ import annotations

import importlib

from .engine import Pair, differentiable, rule, split, vjp

__all__ = ["Pair", "differentiable", "rule", "split", "vjp"]

for _name in ("elementwise", "reduction", "shape", "matrix", "nn", "conv", "pool", "indexing"):
    importlib.import_module(f"{__name__}.rules.{_name}")
