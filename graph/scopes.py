"""Scopes that name nodes and give them attributes: NameManager, Prefix, AttrScope."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, ClassVar, Generic, Self, TypeVar

__all__ = ["AttrScope", "NameManager", "Nested", "Prefix", "current_attributes", "current_names"]


T = TypeVar("T")


class Nested(Generic[T]):
    """The innermost of nested scopes, for each thread and task by itself.

    What is entered holds no state of its own, so that threads can enter one object at the same time.
    """

    def __init__(self, name: str, outermost: T) -> None:
        self._values: ContextVar[tuple[T, ...]] = ContextVar(name, default=(outermost,))

    def get(self) -> T:
        """The innermost."""
        return self._values.get()[-1]

    def set(self, value: T) -> None:
        """Replace the innermost."""
        self._values.set((*self._values.get()[:-1], value))

    def push(self, value: T) -> None:
        """Enter one more."""
        self._values.set((*self._values.get(), value))

    def pop(self) -> None:
        """Leave the innermost."""
        self._values.set(self._values.get()[:-1])


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

    def get(self, name: str | None, hint: str) -> str:
        """`name` if given, else an automatic name that begins with `hint`."""
        if name:
            return name
        n = self._counter.get(hint, 0)
        self._counter[hint] = n + 1
        return f"{hint}{n}"

    def __enter__(self) -> Self:
        _names.push(self)
        return self

    def __exit__(self, *_: object) -> None:
        _names.pop()


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

    current = _Current["AttrScope"](lambda: _attributes.get()[0])
    _subgraph_names: ClassVar[defaultdict[str, int]] = defaultdict(int)  # how often bodies of a name were made

    def __init__(self, **kwargs: str) -> None:
        for key, value in kwargs.items():
            if not isinstance(value, str):
                raise ValueError(f"attribute {key!r}: expected a string, got {value!r}")
        self._attr = kwargs

    def get(self, attr: dict[str, Any] | None) -> dict[str, Any]:
        """The scope's attributes (those of outer scopes too, inside of it), overridden by `attr`."""
        scope, merged = _attributes.get()
        return {**(merged if scope is self else self._attr), **(attr or {})}

    def __enter__(self) -> Self:
        _attributes.push((self, {**_attributes.get()[1], **self._attr}))
        return self

    def __exit__(self, *_: object) -> None:
        _attributes.pop()


_names: Nested[NameManager] = Nested("gluon_onnx_names", NameManager())
_attributes: Nested[tuple[AttrScope, dict[str, str]]] = Nested("gluon_onnx_attributes", (AttrScope(), {}))


def current_names() -> NameManager:
    """The innermost name manager."""
    return _names.get()


def current_attributes() -> AttrScope:
    """The innermost attribute scope."""
    return _attributes.get()[0]
