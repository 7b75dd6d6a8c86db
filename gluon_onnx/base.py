"""What every part of the package shares: the error class and type aliases."""

from __future__ import annotations

from typing import Any

import numpy as _np

from .graph.errors import GraphError

__all__ = ["MXNetError", "_Null", "integer_types", "numeric_types", "string_types"]

MXNetError = GraphError  # the name under which MXNet's programs catch errors


class _NullType:
    """The default of operator parameters that were not given."""

    def __repr__(self) -> str:
        return "_Null"


_Null: Any = _NullType()

numeric_types = (float, int, _np.generic)
integer_types = (int, _np.integer)
string_types = (str,)
