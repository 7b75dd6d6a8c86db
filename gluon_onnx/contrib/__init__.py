"""`mx.contrib`: the operators of this name space under their older address, ``contrib.nd`` and ``contrib.sym``."""

from __future__ import annotations

from ..ndarray import contrib as ndarray
from ..symbol import contrib as symbol

__all__ = ["nd", "ndarray", "sym", "symbol"]

nd, sym = ndarray, symbol
