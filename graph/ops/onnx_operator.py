"""Operators of ONNX models: ``onnx.Conv``, ``onnx.com.microsoft.Gelu`` and whatever else a model has.

Such an operator is not declared. What it is follows from its node: the ONNX attributes are its parameters, and four
hidden attributes say what a list of inputs cannot: the opset, the names of the outputs, which inputs are left out,
and which of the last inputs only its subgraphs read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from ..builder import OPSET, Builder, Tensor
from ..errors import AttributeParseError, FormatError, GraphError, ShapeError
from ..importers.onnx_file import check_attribute
from ..onnx_attributes import read_attribute
from ..onnx_infer import AnyType, number_of
from ..onnx_nodes import emit_node
from ..onnx_versions import schema_of
from ..shapes import TypeContext
from .registry import Operator, family
from .schema import Attrs, Param

__all__ = ["ABSENT", "CAPTURED", "OPSETS", "OUTPUTS", "TYPES", "OnnxOperator", "onnx_operator", "write_type"]

_VARIADIC = number_of(onnx.defs.OpSchema.FormalParameterOption.Variadic)
_PLAIN = (
    onnx.AttributeProto.INT,
    onnx.AttributeProto.INTS,
    onnx.AttributeProto.FLOAT,
    onnx.AttributeProto.FLOATS,
    onnx.AttributeProto.STRING,
)
PREFIX = "onnx."
OPSETS = "__opset__"  # a number, or an object with that of each domain
OUTPUTS = "__outputs__"  # a list of names, empty for outputs left out
ABSENT = "__absent__"  # a list of positions
CAPTURED = "__captured__"  # a list of the names that subgraphs read, one for each of the last inputs
TYPES = (
    "__types__"  # a list of types of outputs that do not follow from those of the inputs: FLOAT[3,?], FLOAT
)
_HIDDEN = (OPSETS, OUTPUTS, ABSENT, CAPTURED, TYPES)


class _AnyParameter(Mapping[str, Param]):
    """The parameters of an operator that ONNX does not declare: every name is one."""

    def __init__(self, known: Mapping[str, Param]) -> None:
        self._known = known

    def __getitem__(self, name: str) -> Param:
        found = self._known.get(name)
        return _param(name, None) if found is None else found

    def __contains__(self, name: object) -> bool:
        return name in _HIDDEN or not (isinstance(name, str) and name.startswith("__"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class _Attribute(Param):
    """A parameter whose errors say themselves what is wrong with it."""

    def parse(self, value: Any) -> Any:
        return self._parse(value)


def _param(name: str, kind: int | None) -> Param:
    def parse(value: Any) -> str:
        text = str(value)
        attribute = read_attribute(name, text, kind)
        if attribute.type not in _PLAIN:
            try:
                check_attribute(attribute)
            except FormatError as e:
                raise AttributeParseError(str(e)) from e
        return text

    what = onnx.AttributeProto.AttributeType.Name(kind).lower() if kind else "any attribute"
    return _Attribute(name, what, parse, None, False, False)


def _hidden(name: str) -> Param:
    def parse(value: Any) -> str:
        text = str(value)
        try:
            _HIDDEN_CHECKS[name](json.loads(text))
        except (ValueError, RecursionError) as e:
            raise AttributeParseError(f"attribute {name!r}: expected JSON of its form, got {text[:80]!r}") from e
        return text

    return _Attribute(name, "JSON", parse, None, False, False)


def _expect(condition: bool) -> None:
    if not condition:
        raise ValueError("of another form")


def _is_names(value: Any) -> None:
    _expect(isinstance(value, list) and all(isinstance(v, str) for v in value))


def _is_places(value: Any) -> None:
    _expect(isinstance(value, list) and all(type(v) is int and 0 <= v < 1 << 16 for v in value))


def _is_types(value: Any) -> None:
    _is_names(value)
    for text in value:
        read_type(text)


def _is_opset(value: Any) -> None:
    versions = list(value.values()) if isinstance(value, dict) else [value]
    _expect(all(type(v) is int and 0 < v < 1 << 31 for v in versions))


_HIDDEN_CHECKS = {
    OPSETS: _is_opset,
    OUTPUTS: _is_names,
    ABSENT: _is_places,
    CAPTURED: _is_names,
    TYPES: _is_types,
}


class OnnxOperator(Operator):
    """The operator ``onnx.<OpType>`` or ``onnx.<domain>.<OpType>``."""

    names_outputs = True

    def __init__(self, name: str) -> None:
        rest = name.removeprefix(PREFIX)
        self.domain, _, self.op_type = rest.rpartition(".")
        self.schema = schema_of(self.op_type, OPSET, self.domain) or _latest(self.op_type, self.domain)
        aux = ("input_mean", "input_var") if rest == "BatchNormalization" else ()
        super().__init__(name, _no_lowering, aux=aux, outputs=_count, output_names=())
        self.doc = (self.schema and self.schema.doc) or f"The operator {self.op_type} of {self.domain}."
        self.variadic = "inputs"
        self.type_rule = self._infer_type
        self._kinds: dict[str, int] = {}
        for s in _history(self.op_type, self.domain):  # older forms had other attributes
            for k, a in s.attributes.items():
                kind = number_of(a.type)
                self._kinds[k] = kind if self._kinds.get(k, kind) == kind else 0
        params = {k: _hidden(k) for k in _HIDDEN}
        params.update({k: _param(k, kind or None) for k, kind in self._kinds.items()})
        self.params = params if self.schema else _AnyParameter(params)  # type: ignore[assignment]

    def kind(self, attribute: str) -> int | None:
        """The type that the operator declares for an attribute; None where it declares none, or several."""
        return self._kinds.get(attribute) or None

    def parse(self, given: Mapping[str, Any]) -> Attrs:
        values: dict[str, Any] = {}
        for name, value in given.items():
            if name not in self.params:
                raise AttributeParseError(f"operator {self.name}: unknown attribute {name!r}")
            try:
                values[name] = self.params[name].parse(value)
            except AttributeParseError as e:
                raise AttributeParseError(f"operator {self.name}: {e}") from e
        return Attrs(values)

    def argument_names(self, attrs: Attrs, count: int | None = None) -> list[str]:
        total = count or 0
        captured = [f"captured_{n}" for n in _listed(attrs, CAPTURED)]
        absent = set(_listed(attrs, ABSENT))
        names: list[str] = []
        place = 0
        while len(names) < total - len(captured):
            if place not in absent:
                names.append(self._formal(place))
            place += 1
        return [*names, *captured]

    def _formal(self, place: int) -> str:
        formals = self.schema.inputs if self.schema else []
        last = len(formals) - 1
        if place < last or (place == last and number_of(formals[place].option) != _VARIADIC):
            return str(formals[place].name)
        return f"arg{place}" if last < 0 else f"{formals[-1].name}{place - last}"

    def output_names(self, attrs: Attrs) -> list[str]:
        return list(_listed(attrs, OUTPUTS)) or ["output"]

    def node(self, attrs: Attrs, name: str) -> onnx.NodeProto:
        """The ONNX node; its inputs are left open."""
        node = onnx.NodeProto(op_type=self.op_type, domain=self.domain, name=name)
        node.output.extend(_listed(attrs, OUTPUTS) or ["output"])
        for k, text in attrs.values.items():
            if k not in _HIDDEN:
                node.attribute.append(read_attribute(k, text, self.kind(k)))
        return node

    def lower(
        self,
        g: Builder,
        inputs: Sequence[Tensor],
        attrs: Attrs,
        names: Sequence[str],
        dynamic: Mapping[str, Any] | None = None,
    ) -> tuple[Tensor, ...]:
        where = str(g.metadata.get("node", ""))
        captured = _listed(attrs, CAPTURED)
        if len(captured) > len(inputs):
            raise GraphError(
                f"operator {self.name} (node {where!r}): lacks the inputs {captured[len(inputs) :]}"
            )
        own = list(inputs[: len(inputs) - len(captured)])
        given: list[Tensor | None] = []
        absent = set(_listed(attrs, ABSENT))
        while own or len(given) in absent:
            given.append(None if len(given) in absent else own.pop(0))
        outer = dict(zip(captured, inputs[len(inputs) - len(captured) :], strict=True))
        try:
            declared = [read_type(t) for t in _listed(attrs, TYPES)]
            opsets = _opsets(attrs, self.domain)
            return emit_node(g, self.node(attrs, where), given, opsets, outer, declared)
        except ShapeError as e:
            raise ShapeError(f"operator {self.name} (node {where!r}): {e}") from e

    def _infer_type(self, context: TypeContext, attrs: Attrs) -> None:
        """What the declaration says: some types are fixed, others are those of other operands."""
        if self.schema is None:
            return
        same: dict[str, list[str | int]] = {}
        formals = list(self.schema.inputs)
        place, absent = -1, set(_listed(attrs, ABSENT))
        for name in context.names[: len(context.names) - len(_listed(attrs, CAPTURED))]:
            place += 1
            while place in absent:
                place += 1
            formal = formals[min(place, len(formals) - 1)] if formals else None
            if formal is not None and formal.is_homogeneous:
                same.setdefault(formal.type_str, []).append(name)
        results = list(self.schema.outputs)
        for i in range(len(context.outputs)):
            formal = results[min(i, len(results) - 1)] if results else None
            if formal is not None and formal.is_homogeneous:
                same.setdefault(formal.type_str, []).append(i)
        for text, places in same.items():
            fixed = _FIXED.get(text)
            for p in places if fixed is not None else ():
                context.set(p, fixed)
            if fixed is None and not text.startswith(("seq(", "optional(", "tensor(")):
                context.unify_all(places)
        to = attrs.values.get("to")
        if self.op_type == "Cast" and to is not None and to.isdigit():
            context.set(0, ir.DataType(int(to)).numpy())


_FIXED = {
    f"tensor({name})": np.dtype(dt)
    for name, dt in {
        "float": np.float32,
        "double": np.float64,
        "int64": np.int64,
        "int32": np.int32,
        "bool": bool,
    }.items()
}


def write_type(kind: AnyType) -> str:
    """A tensor's type as text: ``FLOAT[3,?]``, or ``FLOAT`` for an unknown rank; empty for all other types."""
    if isinstance(kind, tuple):
        dims = ",".join(str(d) if isinstance(d, int) else "?" for d in kind[1])
        return f"{ir.DataType.from_numpy(kind[0]).name}[{dims}]"
    return kind.dtype.name if isinstance(kind, ir.TensorType) else ""


def read_type(text: str) -> AnyType:
    """The type that `write_type` wrote.

    Raises
    ------
    ValueError : the text is none.
    """
    if not text:
        return None
    name, bracket, rest = text.partition("[")
    if name not in ir.DataType.__members__ or (bracket and not rest.endswith("]")) or len(rest) > 1024:
        raise ValueError(text)
    if not bracket:
        return ir.TensorType(ir.DataType[name])
    dims = [None if d == "?" else int(d) for d in rest[:-1].split(",")] if rest != "]" else []
    if any(d is not None and not 0 <= d < 1 << 62 for d in dims):
        raise ValueError(text)
    return np.dtype(ir.DataType[name].numpy()), dims


def _no_lowering(g: Builder) -> Tensor:
    raise GraphError("an operator of ONNX is lowered from its node")


def _listed(attrs: Attrs, key: str) -> Any:
    return _json(attrs.values.get(key, "[]"))


@lru_cache(maxsize=4096)
def _json(text: str) -> Any:
    return json.loads(text)


def _opsets(attrs: Attrs, domain: str) -> dict[str, int]:
    found = _json(attrs.values.get(OPSETS, str(OPSET)))
    return found if isinstance(found, dict) else {domain: found}


def _count(attrs: Attrs) -> int:
    return max(len(_listed(attrs, OUTPUTS)), 1)


@lru_cache(maxsize=2048)
def _history(op_type: str, domain: str) -> tuple[onnx.defs.OpSchema, ...]:
    return tuple(_schemas().get((domain, op_type), ()))


@lru_cache(maxsize=1)
def _schemas() -> dict[tuple[str, str], list[onnx.defs.OpSchema]]:
    found: dict[tuple[str, str], list[onnx.defs.OpSchema]] = {}
    for s in onnx.defs.get_all_schemas_with_history():
        found.setdefault((s.domain, s.name), []).append(s)
    return found


def _latest(op_type: str, domain: str) -> onnx.defs.OpSchema | None:
    """The declaration of an operator that the pinned opset does not have."""
    return max(_history(op_type, domain), key=lambda s: int(s.since_version), default=None)


@family(PREFIX)
@lru_cache(maxsize=4096)
def onnx_operator(name: str) -> OnnxOperator | None:
    """The operator of a name that begins with ``onnx.``; None where ONNX's own domain has none of that name."""
    found = OnnxOperator(name)
    return found if found.op_type and (found.schema or found.domain) else None
