"""Errors of the compiler. Each says what was expected, what came, and where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = [
    "ArgumentError",
    "AttributeParseError",
    "ExecutionError",
    "FormatError",
    "GraphError",
    "NeedsStaticShape",
    "NotDifferentiableError",
    "ShapeError",
    "TypeInferenceError",
    "UnsupportedOperatorError",
    "VerificationError",
]


class GraphError(RuntimeError):
    """Base of every error that the compiler raises."""


class FormatError(GraphError, ValueError):
    """A file or string does not have the format that its reader expects."""


class AttributeParseError(GraphError, ValueError):
    """An operator's attribute is missing, unknown, or has a value of the wrong form."""


class ArgumentError(GraphError, TypeError, ValueError):
    """A call lacks an input, has one too many, or one of another kind."""


class ShapeError(GraphError, ValueError):
    """Shapes contradict each other or an operator's contract."""


class TypeInferenceError(GraphError, TypeError):
    """Element types contradict each other or an operator's contract."""


class UnsupportedOperatorError(GraphError):
    """One or several operators are not registered.

    Parameters
    ----------
    operators : (operator, node) pairs, all that were found.
    hints : nearest registered names of the first operator.
    """

    def __init__(self, operators: Iterable[tuple[str, str]], hints: Iterable[str] = ()) -> None:
        self.operators = list(operators)
        self.hints = list(hints)
        text = "; ".join(
            f"operator {op!r}" + (f" (node {node!r})" if node else "") for op, node in self.operators
        )
        near = f"; nearest names: {', '.join(self.hints)}" if self.hints else ""
        super().__init__(f"not supported: {text}{near}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.operators, self.hints)


class NeedsStaticShape(GraphError):
    """A rule needs the value of a dimension that is symbolic."""


class ExecutionError(GraphError):
    """A program failed while it ran.

    Parameters
    ----------
    operator, node : the MXNet operator and the node of the symbol that it happened in; empty where it is not known.
    reason : what went wrong.
    block : the Gluon block that the node belongs to.
    """

    def __init__(self, operator: str, node: str, reason: str, block: str = "") -> None:
        self.operator = operator
        self.node = node
        self.reason = reason
        self.block = block
        parts = (f"operator {operator}" if operator else "", f"node {node!r}" if node else "", block)
        where = ", ".join(part for part in parts if part)
        super().__init__(f"{where}: {reason}" if where else reason)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.operator, self.node, self.reason, self.block)


class NotDifferentiableError(GraphError):
    """A gradient was asked for through an operator that has none.

    Attributes
    ----------
    node : the node of the graph where that is known.
    """

    def __init__(self, message: str, node: Any = None) -> None:
        super().__init__(message)
        self.node = node


class VerificationError(GraphError):
    """A graph is not legal."""
