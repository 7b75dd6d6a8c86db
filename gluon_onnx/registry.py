"""Named factories: a base class, the names its subclasses answer to, and creation from a name or JSON."""

from __future__ import annotations

import difflib
import json
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["get_alias_func", "get_create_func", "get_register_func", "get_registry"]

T = TypeVar("T")

_REGISTRY: dict[type, dict[str, type]] = {}


def _names_of(base_class: type) -> dict[str, type]:
    return _REGISTRY.setdefault(base_class, {})


def get_registry(base_class: type[T]) -> dict[str, type[T]]:
    """Return a copy of the names registered for `base_class`, each with its class."""
    return dict(_names_of(base_class))


def get_register_func(base_class: type[T], nickname: str) -> Callable[..., Any]:
    """Return the decorator that registers subclasses of `base_class` under their lower-case class name.

    Parameters
    ----------
    base_class : type
        Class that every registered class must derive from.
    nickname : str
        What messages call these objects, for instance ``"metric"``.
    """
    names = _names_of(base_class)

    def register(klass: Any, name: str | None = None) -> Any:
        if not (isinstance(klass, type) and issubclass(klass, base_class)):
            raise TypeError(f"a {nickname} must be a subclass of {base_class.__name__}, got {klass!r}")
        key = (klass.__name__ if name is None else name).lower()
        known = names.get(key)
        if known is not None:
            warnings.warn(
                f"{nickname} name {key!r} now means {klass.__module__}.{klass.__name__}; "
                f"it meant {known.__module__}.{known.__name__}",
                UserWarning,
                stacklevel=2,
            )
        names[key] = klass
        return klass

    register.__doc__ = f"Register a {nickname} class under `name`, by default its class name in lower case."
    return register


def get_alias_func(base_class: type[T], nickname: str) -> Callable[..., Any]:
    """Return a decorator factory that registers a subclass of `base_class` under further names."""
    register = get_register_func(base_class, nickname)

    def alias(*aliases: str) -> Callable[[type[T]], type[T]]:
        def decorate(klass: type[T]) -> type[T]:
            for name in aliases:
                register(klass, name)
            return klass

        return decorate

    alias.__doc__ = f"Register a {nickname} class under each of `aliases`."
    return alias


def get_create_func(base_class: type[T], nickname: str) -> Callable[..., Any]:
    """Return the function that makes instances from a name, a configuration or its JSON text.

    The returned ``create(spec, *args, **kwargs)`` takes an instance of `base_class` (returned as it is), a
    registered name, a dict with the name under the key `nickname`, or the JSON text of such a dict or of a
    ``[name, kwargs]`` pair.
    """
    names = _names_of(base_class)

    def create(*args: Any, **kwargs: Any) -> T:
        if args:
            spec, args = args[0], args[1:]
        elif nickname in kwargs:
            spec = kwargs.pop(nickname)
        else:
            raise TypeError(f"create() needs an instance or a name of {nickname}")
        complete = isinstance(spec, base_class) or (isinstance(spec, str) and spec.startswith(("[", "{")))
        if complete and (args or kwargs):
            raise TypeError(f"{nickname} {spec!r} is complete already: further arguments are not allowed")
        if isinstance(spec, base_class):
            return spec
        if isinstance(spec, dict):
            return create(**spec)
        if not isinstance(spec, str):
            raise TypeError(f"{nickname} must be a name or a {base_class.__name__}, got {spec!r}")
        if spec.startswith("["):
            name, options = json.loads(spec)
            return create(name, **options)
        if spec.startswith("{"):
            return create(**json.loads(spec))
        klass = names.get(spec.lower())
        if klass is None:
            close = difflib.get_close_matches(spec.lower(), names, n=3)
            hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"known are {sorted(names)}"
            raise ValueError(f"no {nickname} is registered as {spec!r}; {hint}")
        made: T = klass(*args, **kwargs)
        return made

    create.__doc__ = f"Create a {nickname} from a registered name, a configuration, or its JSON text."
    return create
