"""Inference with weights that stay the same: they become constants of the program, which then runs faster."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from ._runtime.function import BakedFunction
from ._runtime.session import to_numpy
from .ndarray import NDArray
from .symbol import Symbol

__all__ = ["Steady"]

_CALLS = 3  # as many inference calls must leave a weight alone


class Steady:
    """Watches which arrays of a symbol change between inference calls, and fixes the others.

    ONNX Runtime folds constants, and chooses its blocked convolutions only for weights that it knows when a session
    is made.

    Parameters
    ----------
    name : of the program, for errors.
    """

    def __init__(self, symbol: Symbol, name: str) -> None:
        self._symbol = symbol
        self._name = name
        self._seen: dict[str, tuple[object, int]] = {}
        self._changes: deque[set[str]] = deque(maxlen=_CALLS)
        self._baked: BakedFunction | None = None

    def function(self, arrays: Mapping[str, NDArray]) -> BakedFunction | None:
        """The function of the arrays that change, for a call with `arrays`; None while that is not known.

        Parameters
        ----------
        arrays : all arguments and auxiliary states by name.
        """
        now = {name: (x._version, x._version.count) for name, x in arrays.items()}
        changed = {name for name, state in now.items() if self._seen.get(name) != state}
        self._seen = dict(now)
        self._changes.append(changed)
        if self._baked is not None and not changed.isdisjoint(self._baked.constants):
            self._baked = None
        if self._baked is None and len(self._changes) == _CALLS:
            varying = set().union(*self._changes)
            fixed = {n: x for n, x in arrays.items() if n not in varying}
            if fixed and not any(x._version.foreign for x in fixed.values()):
                constants = {n: to_numpy(x._raw) for n, x in fixed.items()}
                self._baked = BakedFunction(self._symbol, constants, False, self._name)
        return self._baked
