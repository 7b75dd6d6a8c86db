"""Scopes that name nodes and give them attributes: NameManager, Prefix, AttrScope."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, Generic, Self, TypeVar

__all__ = ["AttrScope", "NameManager", "Prefix", "current_attributes", "current_names"]


T = TypeVar("T")


class _Current(Generic[T]):
    """An attribute of a class: the innermost scope."""

    def __init__(self, get: Callable[[], T]) -> None:
        self._get = get

    def __get__(self, instance: object, owner: type) -> T:
        return self._get()


class NameManager:
    """Gives automatic names: the lower-case operator and a number. A context manager, nestable."""

    current = _Current["NameManager"](lambda: _names.get())

    def __init__(self) -> None:
        self._counter: dict[str, int] = {}
        self._tokens: list[Token[NameManager]] = []

    def get(self, name: str | None, hint: str) -> str:
        """`name` if given, else an automatic name that begins with `hint`."""
        if name:
            return name
        n = self._counter.get(hint, 0)
        self._counter[hint] = n + 1
        return f"{hint}{n}"

    def __enter__(self) -> Self:
        self._tokens.append(_names.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        _names.reset(self._tokens.pop())


class Prefix(NameManager):
    """A name manager that puts `prefix` before every name, given or automatic."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def get(self, name: str | None, hint: str) -> str:
        return self._prefix + super().get(name, hint)


class AttrScope:
    """Attributes for all symbols that are made inside. A context manager, nestable.

    Parameters
    ----------
    kwargs : attribute names and values; values must be strings.

    Raises
    ------
    ValueError : a value is not a string.
    """

    current = _Current["AttrScope"](lambda: _attributes.get())

    def __init__(self, **kwargs: str) -> None:
        for key, value in kwargs.items():
            if not isinstance(value, str):
                raise ValueError(f"attribute {key!r}: expected a string, got {value!r}")
        self._attr = kwargs
        self._tokens: list[Token[AttrScope]] = []
        self._outer: list[dict[str, str]] = []

    def get(self, attr: dict[str, Any] | None) -> dict[str, Any]:
        """The scope's attributes, overridden by `attr`."""
        return {**self._attr, **(attr or {})}

    def __enter__(self) -> Self:
        self._outer.append(self._attr)
        self._attr = {**_attributes.get()._attr, **self._attr}
        self._tokens.append(_attributes.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        _attributes.reset(self._tokens.pop())
        self._attr = self._outer.pop()


_names: ContextVar[NameManager] = ContextVar("gluon_onnx_names", default=NameManager())  # noqa: B039 - shared on purpose
_attributes: ContextVar[AttrScope] = ContextVar("gluon_onnx_attributes", default=AttrScope())  # noqa: B039


def current_names() -> NameManager:
    """The innermost name manager."""
    return _names.get()


def current_attributes() -> AttrScope:
    """The innermost attribute scope."""
    return _attributes.get()
