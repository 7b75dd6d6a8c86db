"""Tables of operator test rows, a module a family."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

from tests.ops.cases._spec import FLOATS, TOLERANCE, Case, Spec, case

__all__ = ["FAMILIES", "FLOATS", "TOLERANCE", "Case", "Spec", "all_cases", "case"]

#: The families, which are the modules of this package.
FAMILIES: tuple[str, ...] = tuple(
    sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
)


def all_cases(family: str, salt: str = "") -> list[Case]:
    """The rows of a family, with other random inputs for another `salt`."""
    rows: list[Case] = importlib.import_module(f"{__name__}.{family}").CASES
    return [dataclasses.replace(row, salt=salt) for row in rows] if salt else rows
