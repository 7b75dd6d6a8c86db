"""`mx.name`: automatic names of symbols."""

from __future__ import annotations

from .graph.scopes import NameManager, Prefix, current_names

__all__ = ["NameManager", "Prefix", "current"]


def current() -> NameManager:
    """The innermost name manager."""
    return current_names()
