"""`mx.sym._internal`: symbolic functions of the operators in this name space."""

from __future__ import annotations

from typing import Any

from .register import lookup, members


def __getattr__(name: str) -> Any:
    return lookup("_internal", name)


def __dir__() -> list[str]:
    return members("_internal")
