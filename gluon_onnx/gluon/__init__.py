"""Gluon: blocks, parameters, trainers, layers, losses, data."""

from __future__ import annotations

import importlib as _importlib
from typing import Any as _Any

from . import loss, nn, utils
from .block import Block
from .hybrid_block import HybridBlock
from .parameter import Constant, DeferredInitializationError, Parameter, tensor_types
from .parameter_dict import ParameterDict
from .symbol_block import SymbolBlock

__all__ = [
    "Block",
    "Constant",
    "DeferredInitializationError",
    "HybridBlock",
    "Parameter",
    "ParameterDict",
    "SymbolBlock",
    "loss",
    "nn",
    "tensor_types",
    "utils",
]

_LAZY = ("contrib", "data", "model_zoo", "rnn")


def __getattr__(name: str) -> _Any:
    if name == "Trainer":  # it needs the optimizers, which inference does not
        from .trainer import Trainer

        return Trainer
    if name in _LAZY:
        return _importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
