"""Dictionaries of parameters."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import initializer, ndarray
from ..base import MXNetError
from ..context import Context
from ..ndarray import NDArray
from .parameter import Constant, Parameter

__all__ = ["ParameterDict"]


class ParameterDict:
    """Parameters by name.

    Parameters
    ----------
    prefix : put before the names of parameters that `get` makes.
    shared : another dictionary in which `get` looks first.
    """

    def __init__(self, prefix: str = "", shared: ParameterDict | None = None) -> None:
        self._prefix = prefix
        self._params: OrderedDict[str, Parameter] = OrderedDict()
        self._shared = shared

    def __repr__(self) -> str:
        name = self._prefix + " " if self._prefix else ""
        lines = "\n".join(f"  {p}" for p in self.values())
        return f"{name}(\n{lines}\n)"

    def __getitem__(self, key: str) -> Parameter:
        return self._params[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def __contains__(self, key: str) -> bool:
        return key in self._params

    def keys(self) -> Any:
        """Names."""
        return self._params.keys()

    def values(self) -> Any:
        """Parameters."""
        return self._params.values()

    def items(self) -> Any:
        """Pairs of name and parameter."""
        return self._params.items()

    @property
    def prefix(self) -> str:
        """The prefix of new parameters' names."""
        return self._prefix

    def _find(self, name: str) -> Parameter | None:
        if name in self._params:
            return self._params[name]
        if self._shared is not None and name in self._shared._params:
            self._params[name] = self._shared._params[name]
            return self._params[name]
        return None

    def get(self, name: str, **kwargs: Any) -> Parameter:
        """The parameter called prefix + name; made with `kwargs` if it is not there.

        Raises
        ------
        AssertionError : it is there, with attributes that contradict `kwargs`.
        """
        name = self.prefix + name
        param = self._find(name)
        if param is None:
            param = Parameter(name, **kwargs)
            self._params[name] = param
            return param
        for key, value in kwargs.items():
            existing = getattr(param, key, None)
            if existing is None:
                setattr(param, key, value)
            elif key == "shape" and value is not None:
                merged = _merge((value,) if isinstance(value, int) else tuple(value), existing)
                if merged is None:
                    raise AssertionError(
                        f"parameter {name!r} exists with another shape: wanted {value}, it has {existing}"
                    )
                param._shape = merged
            elif key == "dtype":
                if np.dtype(value) != np.dtype(existing):
                    raise AssertionError(
                        f"parameter {name!r} exists with another dtype: wanted {value}, it has {existing}"
                    )
            elif value is not None and value != existing:
                raise AssertionError(
                    f"parameter {name!r} exists with another {key}: wanted {value}, it has {existing}"
                )
        return param

    def get_constant(self, name: str, value: Any = None) -> Constant:
        """The constant called prefix + name; made from `value` if it is not there.

        Raises
        ------
        KeyError : it is not there and no value is given.
        AssertionError : it is there and is not a constant, or has another value.
        """
        name = self.prefix + name
        param = self._find(name)
        if param is None:
            if value is None:
                raise KeyError(f"there is no constant named {name!r}, and no value to make one")
            made = Constant(name, value)
            self._params[name] = made
            return made
        if not isinstance(param, Constant):
            raise AssertionError(f"{name!r} is a parameter, not a constant")
        if value is not None:
            given = value.asnumpy() if isinstance(value, NDArray) else np.asarray(value)
            if param.shape != given.shape or not (param.value.asnumpy() == given).all():
                raise AssertionError(f"constant {name!r} exists with another value")
        return param

    def update(self, other: ParameterDict) -> None:
        """Take over all parameters of another dictionary.

        Raises
        ------
        AssertionError : both have a different parameter of the same name.
        """
        for k, v in other.items():
            if k in self._params and self._params[k] is not v:
                raise AssertionError(f"both dictionaries have a parameter named {k!r}, and not the same one")
            self._params[k] = v

    def initialize(
        self,
        init: Any = None,
        ctx: Context | Sequence[Context] | None = None,
        verbose: bool = False,
        force_reinit: bool = False,
    ) -> None:
        """Initialize all parameters; `init` serves those without an initializer of their own."""
        init = initializer.Uniform() if init is None else init
        if verbose:
            init.set_verbosity(verbose=verbose)
        for p in self.values():
            p.initialize(None, ctx, init, force_reinit=force_reinit)

    def zero_grad(self) -> None:
        """Set all gradient buffers to zero."""
        for p in self.values():
            p.zero_grad()

    def reset_ctx(self, ctx: Context | Sequence[Context] | None) -> None:
        """Move all parameters to other contexts."""
        for p in self.values():
            p.reset_ctx(ctx)

    def list_ctx(self) -> list[Context]:
        """All contexts that some parameter is initialized on."""
        return list(dict.fromkeys(c for p in self.values() for c in p.list_ctx()))

    def setattr(self, name: str, value: Any) -> None:
        """Set an attribute of all parameters."""
        for p in self.values():
            setattr(p, name, value)

    def save(self, filename: str | os.PathLike[str], strip_prefix: str = "") -> None:
        """Write all parameters to a file.

        Raises
        ------
        ValueError : a name does not begin with `strip_prefix`.
        """
        arrays = {}
        for p in self.values():
            if not p.name.startswith(strip_prefix):
                raise ValueError(
                    f"the name {p.name!r} does not begin with {strip_prefix!r}, which was to be stripped"
                )
            arrays[p.name[len(strip_prefix) :]] = p._reduce()
        ndarray.save(filename, arrays)

    def load(
        self,
        filename: str | os.PathLike[str],
        ctx: Any = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        restore_prefix: str = "",
        cast_dtype: bool = False,
        dtype_source: str = "current",
    ) -> None:
        """Read parameters from a file; see `load_dict`."""
        loaded = ndarray.load(filename)
        if not isinstance(loaded, dict):
            raise MXNetError(
                f"{os.fspath(filename)}: expected named parameters, found a plain list of {len(loaded)} arrays"
            )
        self.load_dict(
            loaded,
            ctx,
            allow_missing,
            ignore_extra,
            restore_prefix,
            f"file '{os.fspath(filename)}'",
            cast_dtype,
            dtype_source,
        )

    def load_dict(
        self,
        param_dict: Mapping[str, NDArray],
        ctx: Any = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        restore_prefix: str = "",
        filename: str | None = None,
        cast_dtype: bool = False,
        dtype_source: str = "current",
    ) -> None:
        """Take values from a dictionary.

        Parameters
        ----------
        allow_missing, ignore_extra : accept parameters without a value, and values without a parameter.
        restore_prefix : put before the given names.
        cast_dtype : convert where element types differ.

        Raises
        ------
        AssertionError : a parameter is missing, unknown, or of the wrong shape or type.
        """
        where = filename or "param_dict"
        loaded = {restore_prefix + re.sub("^(arg|aux):", "", k): v for k, v in param_dict.items()}
        for name in self.keys():
            if not name.startswith(restore_prefix):
                raise AssertionError(
                    f"the name {name!r} does not begin with restore_prefix {restore_prefix!r}"
                )
        if not allow_missing:
            for name in self.keys():
                if name not in loaded:
                    raise AssertionError(
                        f"parameter {name[len(restore_prefix) :]!r} is missing in {where}, which has "
                        f"{_brief(loaded)}; do the prefixes "
                        "of the two networks agree?"
                    )
        for name, value in loaded.items():
            if name in self._params:
                self[name]._load_init(value, ctx, cast_dtype, dtype_source)
            elif not ignore_extra:
                raise AssertionError(
                    f"{where} has a value for {name[len(restore_prefix) :]!r}, which is none of the parameters "
                    f"{_brief(self.keys())}; ignore_extra=True skips it"
                )


def _brief(names: Any, limit: int = 7) -> str:
    """A short list of names."""
    items = [f"'{n}'" for n in names]
    if len(items) > limit:
        items = [*items[: limit // 2], "...", *items[-(limit // 2) :]]
    return ", ".join(items)


def _merge(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...] | None:
    """Two shapes with unknown dimensions together; None where they contradict."""
    if len(a) != len(b):
        return None
    merged = []
    for x, y in zip(a, b, strict=True):
        if x > 0 and y > 0 and x != y:
            return None
        merged.append(x if x > 0 else y)
    return tuple(merged)
