"""Bundling of operators: `mx.engine`."""

from __future__ import annotations

from contextvars import ContextVar, Token

__all__ = ["bulk", "set_bulk_size"]

_size: ContextVar[int] = ContextVar("gluon_onnx_bulk_size", default=15)  # MXNet's default


def set_bulk_size(size: int) -> int:
    """Set how many operators MXNet would bundle; returns the previous number.

    The number is kept, and has no effect: an eager operator here has finished when its call returns. Use
    `hybridize()` to have many operators compiled into one run.
    """
    previous = _size.get()
    _size.set(int(size))
    return previous


class _BulkScope:
    def __init__(self, size: int) -> None:
        self._bulk_size = int(size)
        self._tokens: list[Token[int]] = []

    def __enter__(self) -> _BulkScope:
        self._tokens.append(_size.set(self._bulk_size))
        return self

    def __exit__(self, *_: object) -> None:
        _size.reset(self._tokens.pop())


def bulk(size: int) -> _BulkScope:
    """A scope with another bulk size; see `set_bulk_size`."""
    return _BulkScope(size)
