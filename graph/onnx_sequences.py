"""Sequences of imported graphs whose elements are known before they run: what is taken from them are tensors.

Exporters make sequences of lists: ``SplitToSequence`` and then ``SequenceAt`` for each part. Taken as the tensors that
they are, the parts have shapes and gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx_ir as ir

from .builder import Builder, Opaque, Tensor
from .onnx_versions import Call

__all__ = ["taken"]

Element = Callable[[Builder], Tensor]


def taken(g: Builder, c: Call) -> tuple[Tensor, ...] | None:
    """The result of an operator that reads a sequence or an optional value, where its elements are known; else None."""
    source = c.inputs[0] if c.inputs else None
    if c.op_type == "OptionalGetElement":
        if isinstance(source, Tensor) and not isinstance(source, Opaque):
            return (g.same(source),)
        inner = _made_by(source, "Optional")
        return None if inner is None or isinstance(inner, Opaque) else (g.same(inner),)
    if c.op_type not in ("SequenceAt", "ConcatFromSequence"):
        return None
    elements = _elements(source)
    if elements is None:
        return None
    if c.op_type == "SequenceAt":
        place = _number(c.inputs[1])
        if place is None or not -len(elements) <= place < len(elements):
            return None
        return (g.same(elements[place](g)),)
    parts = [e(g) for e in elements]
    if not parts or any(isinstance(p, Opaque) for p in parts):
        return None
    axis = int(c.attributes["axis"])
    if c.attributes.get("new_axis", 0):
        place = axis % (parts[0].ndim + 1)
        parts = [g.unsqueeze(p, place) for p in parts]
    return (g.op("Concat", *parts, axis=axis),)


def _made_by(value: Tensor | None, op_type: str) -> Tensor | None:
    """What the operator was given that made a value, if it is `op_type`."""
    node = None if value is None else value.producer()
    if node is None or node.domain or node.op_type != op_type or not node.inputs:
        return None
    first = node.inputs[0]
    return first if isinstance(first, Tensor) else None


def _number(x: Tensor | None) -> int | None:
    return None if x is None or x.const is None or x.const.size != 1 else int(x.const.reshape(()))


def _elements(sequence: ir.Value | None) -> list[Element] | None:
    """The elements of a sequence; None where they are not known."""
    node = None if sequence is None else sequence.producer()
    if node is None or node.domain:
        return None
    inputs = [v if isinstance(v, Tensor) else None for v in node.inputs]
    if node.op_type == "SequenceEmpty":
        return []
    if node.op_type == "SequenceConstruct":
        return [_whole(v) for v in inputs if v is not None]
    if node.op_type == "SplitToSequence":
        return _parts(node, inputs)
    if node.op_type in ("Identity", "Optional", "OptionalGetElement"):
        return _elements(inputs[0])
    if node.op_type not in ("SequenceInsert", "SequenceErase"):
        return None
    elements, insert = _elements(inputs[0]), node.op_type == "SequenceInsert"
    given = inputs[(2 if insert else 1) :]
    place = _number(given[0]) if given and given[0] is not None else (len(elements or []) if insert else -1)
    if elements is None or place is None or not -len(elements) <= place <= len(elements):
        return None
    place += len(elements) if place < 0 else 0
    if insert:
        assert inputs[1] is not None
        return [*elements[:place], _whole(inputs[1]), *elements[place:]]
    return [*elements[:place], *elements[place + 1 :]]


def _whole(x: Tensor) -> Element:
    return lambda g: x


def _parts(node: ir.Node, inputs: list[Tensor | None]) -> list[Element] | None:
    x, sizes = inputs[0], inputs[1] if len(inputs) > 1 else None
    attributes: dict[str, Any] = {k: a.value for k, a in node.attributes.items()}
    if x is None or isinstance(x, Opaque):
        return None
    axis = int(attributes.get("axis", 0)) % x.ndim
    length = x.dims[axis]
    if not isinstance(length, int) or (sizes is not None and sizes.const is None):
        return None
    lengths, bare = [1] * length, False
    if sizes is None:
        bare = not attributes.get("keepdims", 1)
    elif sizes.const is not None and sizes.const.ndim == 0:
        step = int(sizes.const)
        lengths = [min(step, length - k) for k in range(0, length, step)]
    elif sizes.const is not None:
        lengths = [int(n) for n in sizes.const]
    found: list[Element] = []
    begin = 0
    for n in lengths:
        found.append(_part(x, axis, begin, begin + n, bare))
        begin += n
    return found


def _part(x: Tensor, axis: int, begin: int, end: int, bare: bool) -> Element:
    def emit(g: Builder) -> Tensor:
        part = g.slice(x, [axis], [begin], [end])
        return g.squeeze(part, axis) if bare else part

    return emit
