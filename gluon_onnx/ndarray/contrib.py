"""`mx.nd.contrib`: eager functions of the operators in this name space."""

from __future__ import annotations

from typing import Any

from .register import lookup, members
from .updates import (
    adamw_update,
    mp_adamw_update,
    multi_adamw_update,
    multi_lamb_update,
    multi_mp_adamw_update,
    multi_mp_lamb_update,
)

__all__ = [
    "adamw_update",
    "mp_adamw_update",
    "multi_adamw_update",
    "multi_lamb_update",
    "multi_mp_adamw_update",
    "multi_mp_lamb_update",
]


def __getattr__(name: str) -> Any:
    return lookup("contrib", name)


def __dir__() -> list[str]:
    return sorted({*members("contrib"), *__all__})
