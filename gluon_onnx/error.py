"""Classes of errors: `mx.error`."""

from __future__ import annotations

from .base import MXNetError

__all__ = ["InternalError", "MXNetError"]


class InternalError(MXNetError):
    """Something went wrong that is nobody's fault but this package's."""
