"""Parts of Gluon outside its core: `gluon.contrib`."""

from __future__ import annotations

import importlib as _importlib
from typing import Any as _Any

_LAZY = ("cnn", "data", "estimator", "nn", "rnn")


def __getattr__(name: str) -> _Any:
    if name in _LAZY:
        try:
            return _importlib.import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as e:
            if e.name != f"{__name__}.{name}":
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
