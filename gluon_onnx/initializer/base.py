"""The initializer interface, its registry, and initializers that choose by name."""

from __future__ import annotations

import json
import logging
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import ndarray, random, registry
from ..ndarray import NDArray


class InitDesc(str):
    """Name of a variable, with what an initializer needs to know of it.

    Parameters
    ----------
    name : str
        Name of the variable.
    attrs : dict of str to str, optional
        Its attributes; ``__init__`` holds the JSON text of an initializer of its own.
    global_init : Initializer, optional
        Initializer to fall back to.
    """

    attrs: Mapping[str, str]
    global_init: Any

    def __new__(cls, name: str, attrs: Mapping[str, str] | None = None, global_init: Any = None) -> InitDesc:
        desc = super().__new__(cls, name)
        desc.attrs = attrs or {}
        desc.global_init = global_init
        return desc


# End of a variable's name: method that initializes such variables.
_BY_SUFFIX = {
    "weight": "_init_weight",
    "bias": "_init_bias",
    "gamma": "_init_gamma",
    "beta": "_init_beta",
    "min": "_init_zero",
    "max": "_init_one",
    "weight_quantize": "_init_quantized_weight",
    "bias_quantize": "_init_quantized_bias",
    "moving_mean": "_init_zero",
    "moving_var": "_init_one",
    "moving_inv_var": "_init_zero",
    "moving_avg": "_init_zero",
    "running_mean": "_init_zero",
    "running_var": "_init_one",
}


class Initializer:
    """Base of all initializers: called with a variable's description and its array, which it fills.

    Which method fills the array depends on the end of the name: ``weight`` leads to `_init_weight`, which a
    subclass implements, ``bias``, ``beta``, ``min`` and running means to zeros, ``gamma``, ``max`` and
    running variances to ones. An initializer in the attribute ``__init__`` of the description comes before
    all that.

    Parameters
    ----------
    **kwargs
        The arguments of the subclass, from which `dumps` makes its text.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = kwargs
        self._verbose = False
        self._print_func: Callable[[NDArray], str] | None = None

    def set_verbosity(
        self, verbose: bool = False, print_func: Callable[[NDArray], str] | None = None
    ) -> Initializer:
        """Switch logging of what is initialized on or off.

        Parameters
        ----------
        verbose : bool
        print_func : callable (NDArray) -> str, optional
            Describes an initialized array; by default its norm divided by the square root of its size.

        Returns
        -------
        Initializer
            Itself.
        """
        self._verbose = verbose
        self._print_func = print_func or _root_mean_square
        return self

    def _verbose_print(self, desc: str, init: str, arr: NDArray) -> None:
        if self._verbose and self._print_func:
            logging.info("Initialized %s as %s: %s", desc, init, self._print_func(arr))

    def dumps(self) -> str:
        """Return the JSON text ``[name, arguments]``, which `create` reads.

        Examples
        --------
        >>> Normal(0.5).dumps()
        '["normal", {"sigma": 0.5}]'
        """
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __call__(self, desc: InitDesc | str, arr: NDArray) -> None:
        """Fill `arr`.

        Parameters
        ----------
        desc : InitDesc
            A plain name is taken too, with a `DeprecationWarning`.
        arr : NDArray
            Array to be filled.

        Raises
        ------
        ValueError
            When nothing is known for a variable of this name.
        """
        if not isinstance(desc, InitDesc):
            self._legacy_init(desc, arr)
            return
        if desc.global_init is None:
            desc.global_init = self
        own = desc.attrs.get("__init__", "")
        if own:
            create(own)._init_weight(desc, arr)
            self._verbose_print(desc, own, arr)
        else:
            self._init_by_suffix(desc, arr)

    def _init_by_suffix(self, name: str, arr: NDArray) -> None:
        for suffix, method in _BY_SUFFIX.items():
            if name.endswith(suffix):
                getattr(self, method)(name, arr)
                self._verbose_print(name, suffix, arr)
                return
        self._init_default(name, arr)

    def _legacy_init(self, name: str, arr: NDArray) -> None:
        warnings.warn(
            "calling an initializer with (str, NDArray) is deprecated: pass mx.init.InitDesc(name)",
            DeprecationWarning,
            stacklevel=3,
        )
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, got {type(name).__name__}")
        if not isinstance(arr, NDArray):
            raise TypeError(f"array of {name!r} must be an NDArray, got {type(arr).__name__}")
        if name.startswith("upsampling"):
            self._init_bilinear(name, arr)
        elif name.startswith("stn_loc") and name.endswith("weight"):
            self._init_zero(name, arr)
        elif name.startswith("stn_loc") and name.endswith("bias"):
            self._init_loc_bias(name, arr)
        else:
            self._init_by_suffix(name, arr)

    def _init_bilinear(self, name: str, arr: NDArray) -> None:
        arr[:] = bilinear_kernel(name, arr.shape)

    def _init_loc_bias(self, name: str, arr: NDArray) -> None:
        if arr.shape != (6,):
            raise ValueError(f"{name!r} holds an affine transform of shape (6,), got {arr.shape}")
        arr[:] = np.array([1.0, 0, 0, 0, 1.0, 0])

    def _init_zero(self, name: str, arr: NDArray) -> None:
        arr[:] = 0.0

    def _init_one(self, name: str, arr: NDArray) -> None:
        arr[:] = 1.0

    def _init_bias(self, name: str, arr: NDArray) -> None:
        arr[:] = 0.0

    def _init_quantized_bias(self, name: str, arr: NDArray) -> None:
        arr[:] = 0

    def _init_gamma(self, name: str, arr: NDArray) -> None:
        arr[:] = 1.0

    def _init_beta(self, name: str, arr: NDArray) -> None:
        arr[:] = 0.0

    def _init_weight(self, name: str, arr: NDArray) -> None:
        raise NotImplementedError(f"{type(self).__name__} must implement _init_weight, needed by {name!r}")

    def _init_quantized_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = random.randint(-127, 127, shape=arr.shape, dtype="int32").asnumpy().astype(np.int8)

    def _init_default(self, name: str, arr: NDArray) -> None:
        raise ValueError(
            f"no initialization is known for {name!r}: names end in one of {', '.join(_BY_SUFFIX)}. "
            "Give the variable its own, as in mx.sym.Variable(name, init=mx.init.Zero())"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Initializer):
            return NotImplemented
        return type(self) is type(other) and self.dumps() == other.dumps()

    __hash__ = None  # type: ignore[assignment]


def bilinear_kernel(name: str | None, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    if len(shape) != 4:
        raise ValueError(f"Bilinear needs four dimensions, but {name!r} has shape {shape}")
    half = math.ceil(shape[3] / 2.0)
    centre = (2 * half - 1 - half % 2) / (2.0 * half)
    x, y = (1 - np.abs(np.arange(n) / half - centre) for n in (shape[3], shape[2]))
    return np.broadcast_to(y[:, None] * x, shape).astype("float32")


def _root_mean_square(arr: NDArray) -> str:
    return str((ndarray.norm(arr) / math.sqrt(arr.size)).asscalar())


_register = registry.get_register_func(Initializer, "initializer")
alias = registry.get_alias_func(Initializer, "initializer")
create = registry.get_create_func(Initializer, "initializer")


def register(klass: type[Initializer]) -> type[Initializer]:
    """Register an initializer class under its lower-case name; `alias` adds further names.

    Examples
    --------
    >>> @register
    ... @alias("tenths")
    ... class Tenth(Initializer):
    ...     def _init_weight(self, name, arr):
    ...         arr[:] = 0.1
    >>> create("tenths").dumps()
    '["tenth", {}]'
    """
    registered: type[Initializer] = _register(klass)
    return registered


class Load:
    """Takes values from a file or a dict, by name.

    Parameters
    ----------
    param : str or dict of str to NDArray
        A ``.params`` file or its contents; prefixes ``arg:`` and ``aux:`` are dropped.
    default_init : Initializer, optional
        For the variables that have no value there.
    verbose : bool
        Log where each variable's values came from.
    """

    def __init__(
        self, param: str | Mapping[str, NDArray], default_init: Any = None, verbose: bool = False
    ) -> None:
        values = ndarray.load(param) if isinstance(param, str) else param
        if not isinstance(values, Mapping):
            raise TypeError(f"param must hold arrays by name, got {type(values).__name__}")
        self.param = {re.sub("^(arg|aux):", "", name): array for name, array in values.items()}
        self.default_init = default_init
        self.verbose = verbose

    def __call__(self, name: str, arr: NDArray) -> None:
        """Fill `arr`.

        Raises
        ------
        ValueError
            When the shapes differ, or there is no value and no default.
        """
        if name in self.param:
            loaded = self.param[name]
            if arr.shape != loaded.shape:
                raise ValueError(f"parameter {name!r} has shape {arr.shape}, its loaded value {loaded.shape}")
            arr[:] = loaded
        elif self.default_init is not None:
            self.default_init(name, arr)
        else:
            raise ValueError(f"parameter {name!r} is not among the loaded ones and there is no default_init")
        if self.verbose:
            logging.info("Initialized %s by %s", name, "loading" if name in self.param else "default")


class Mixed:
    """Different initializers for different names.

    Parameters
    ----------
    patterns : list of str
        Regular expressions, tried in turn at the beginning of a name.
    initializers : list of Initializer
        One for each pattern.

    Examples
    --------
    >>> init = Mixed([".*bias", ".*"], [Zero(), Uniform(0.1)])
    """

    def __init__(self, patterns: Sequence[str], initializers: Sequence[Any]) -> None:
        if len(patterns) != len(initializers):
            raise ValueError(f"{len(patterns)} patterns for {len(initializers)} initializers")
        self.map = [(re.compile(pattern), init) for pattern, init in zip(patterns, initializers, strict=True)]

    def __call__(self, name: str, arr: NDArray) -> None:
        """Fill `arr` with the initializer of the first pattern that matches `name`."""
        for pattern, init in self.map:
            if pattern.match(name):
                init(name, arr)
                return
        raise ValueError(
            f"parameter {name!r} matches none of the patterns {[p.pattern for p, _ in self.map]}: "
            'add ".*" with a default initializer at the end'
        )
