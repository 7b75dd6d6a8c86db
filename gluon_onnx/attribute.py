"""`mx.AttrScope`: attributes for all symbols made inside."""

from __future__ import annotations

from .graph.scopes import AttrScope, current_attributes

__all__ = ["AttrScope", "current"]


def current() -> AttrScope:
    """The innermost scope."""
    return current_attributes()
