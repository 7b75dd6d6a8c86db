"""MXNet's operators: one file a family. Importing this package registers all of them."""

from __future__ import annotations

import importlib
import pkgutil

from .registry import Operator, find, names, operator

__all__ = ["Operator", "find", "names", "operator"]

for _module in pkgutil.iter_modules(__path__):
    if _module.name not in ("registry", "schema"):
        importlib.import_module(f"{__name__}.{_module.name}")
