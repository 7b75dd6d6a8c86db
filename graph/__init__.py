"""The compiler of gluon-onnx: Symbols, ONNX programs, inference, lowering and differentiation."""

from __future__ import annotations

if __name__ != "gluon_onnx.graph":  # a second copy would register every operator twice
    raise ImportError(f"import this package as 'gluon_onnx.graph', not as {__name__!r}")

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from .autodiff import differentiate as differentiate

__all__ = ["differentiate"]


def __getattr__(name: str) -> _Any:
    if name == "differentiate":  # on first use: whoever needs the errors alone does without ONNX's packages
        from .autodiff import differentiate

        return differentiate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
