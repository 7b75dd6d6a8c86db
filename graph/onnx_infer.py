"""Element types and shapes of single ONNX nodes, with symbolic dimensions.

The elementwise operators are inferred here, since they are most of every graph; all others by ONNX's own
inference of a node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx_ir as ir

from .dims import Dim, DimLike, Shape
from .errors import NeedsStaticShape, ShapeError, TypeInferenceError
from .windows import SHAPES

if TYPE_CHECKING:
    from .builder import Tensor

__all__ = ["AnyType", "TypeAndShape", "broadcast", "infer_loosely", "infer_node", "number_of"]

# A dimension is an integer, an expression, the name of one, or None where it is unknown.
TypeAndShape = tuple["np.dtype[Any]", Sequence[DimLike | str | None]]
# What has no shape at compile time has a type alone; None is a type that is not known either.
AnyType = TypeAndShape | ir.TypeProtocol | None

_BOOL = np.dtype(bool)

_UNARY = frozenset(
    [
        "Abs",
        "Acos",
        "Acosh",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "Ceil",
        "Clip",
        "Cos",
        "Cosh",
        "Elu",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "GroupNormalization",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "InstanceNormalization",
        "LRN",
        "LeakyRelu",
        "Log",
        "LogSoftmax",
        "LpNormalization",
        "MeanVarianceNormalization",
        "Mish",
        "Neg",
        "RMSNormalization",
        "Reciprocal",
        "Relu",
        "Round",
        "Selu",
        "Sigmoid",
        "Sign",
        "Sin",
        "Sinh",
        "Softmax",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Tan",
        "Tanh",
        "ThresholdedRelu",
        "CumSum",
        "Trilu",
        "BitwiseNot",
        "Swish",
    ]
)
_BINARY = frozenset(
    ["Add", "Sub", "Mul", "Div", "Mod", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift", "PRelu"]
)
_LOGIC = frozenset(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor"])
_PREDICATE = frozenset(["Not", "IsNaN", "IsInf"])
_SMALL = 4096  # constants up to this many elements are shown to ONNX's inference


def broadcast(*shapes: Shape) -> Shape:
    """The shape that NumPy's broadcasting gives."""
    rank = max((len(s) for s in shapes), default=0)
    result: list[DimLike] = []
    for i in range(-rank, 0):
        d: DimLike = 1
        for s in shapes:
            if len(s) >= -i and s[i] != 1:
                other = s[i]
                if d == 1:
                    d = other
                elif d != other:
                    if isinstance(d, Dim) or isinstance(other, Dim):
                        raise NeedsStaticShape(
                            f"cannot decide how {' and '.join(map(str, shapes))} broadcast"
                        )
                    raise ShapeError(f"shapes {' and '.join(map(str, shapes))} do not broadcast")
        result.append(d)
    return tuple(result)


def infer_node(
    op_type: str,
    domain: str,
    inputs: Sequence[Tensor | None],
    attributes: Mapping[str, Any],
    outputs: Sequence[bool],
) -> list[TypeAndShape]:
    """Types and shapes of a node's outputs.

    Raises
    ------
    ShapeError, TypeInferenceError : the inputs do not fit the operator.
    """
    if not domain:
        first = inputs[0] if inputs else None
        if first is not None:
            if op_type in _UNARY:
                return [(first.dt, first.dims)]
            if op_type in _BINARY or op_type in _LOGIC:
                second = inputs[1]
                assert second is not None
                if first.dt != second.dt and op_type != "BitShift":
                    raise TypeInferenceError(
                        f"ONNX {op_type}: operands have types {first.dt} and {second.dt}"
                    )
                return [(_BOOL if op_type in _LOGIC else first.dt, broadcast(first.dims, second.dims))]
            if op_type in _PREDICATE:
                return [(_BOOL, first.dims)]
            if op_type == "Cast":
                return [(ir.DataType(attributes["to"]).numpy(), first.dims)]
            if op_type == "Where":
                x, y = inputs[1], inputs[2]
                assert x is not None and y is not None
                return [(x.dt, broadcast(first.dims, x.dims, y.dims))]
            if op_type in ("Max", "Min", "Sum", "Mean"):
                return [(first.dt, broadcast(*(x.dims for x in inputs if x is not None)))]
            if op_type in SHAPES:
                return SHAPES[op_type](inputs, attributes)[: len(outputs)]
    elif domain in _FOREIGN:
        rule = _FOREIGN[domain].get(op_type)
        if rule is None:
            raise NeedsStaticShape(f"no inference for {domain}::{op_type}")
        return rule(inputs, attributes)
    found: list[TypeAndShape] = []
    for kind in _onnx_inference(op_type, domain, inputs, attributes, outputs):
        if not isinstance(kind, tuple):
            shapes = ", ".join("-" if x is None else f"{x.dt}{list(x.dims)}" for x in inputs)
            raise NeedsStaticShape(f"ONNX {op_type}({shapes}): the rank of the result cannot be inferred")
        found.append(kind)
    return found


def infer_loosely(
    op_type: str,
    domain: str,
    inputs: Sequence[Tensor | None],
    attributes: Mapping[str, Any],
    outputs: Sequence[bool],
) -> list[AnyType]:
    """What can be said of a node's outputs where ranks and types may be unknown.

    Raises
    ------
    ShapeError : the inputs do not fit the operator.
    """
    schema = _schema(op_type, domain)
    if schema is None:
        first = next((x for x in inputs if x is not None), None)
        return [_bare(first)] * len(outputs)
    if any(x is not None and x.type is None for x in inputs):
        return _by_declaration(schema, inputs, len(outputs))
    return _onnx_inference(op_type, domain, inputs, attributes, outputs)


def _bare(x: Tensor | None) -> ir.TypeProtocol | None:
    return None if x is None else x.type


def _by_declaration(schema: onnx.defs.OpSchema, inputs: Sequence[Tensor | None], count: int) -> list[AnyType]:
    """Types alone: those of inputs that are declared to have the same."""
    known: dict[str, ir.TypeProtocol | None] = {}
    for i, x in enumerate(inputs):
        formal = schema.inputs[min(i, len(schema.inputs) - 1)]
        if x is not None and x.type is not None:
            known.setdefault(formal.type_str, x.type)
    formals = [schema.outputs[min(i, len(schema.outputs) - 1)] for i in range(count)]
    return [known.get(f.type_str) for f in formals]


def _fused_matmul(inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> list[TypeAndShape]:
    a, b = inputs[0], inputs[1]
    assert a is not None and b is not None
    rows = a.dims[-1] if attributes.get("transA") else a.dims[-2]
    columns = b.dims[-2] if attributes.get("transB") else b.dims[-1]
    return [(a.dt, (*broadcast(a.dims[:-2], b.dims[:-2]), rows, columns))]


_FOREIGN: dict[str, dict[str, Callable[..., list[TypeAndShape]]]] = {
    "com.microsoft": {"FusedMatMul": _fused_matmul}
}


@lru_cache(maxsize=4096)
def _type_proto(dt: np.dtype[Any], dims: Shape) -> onnx.TypeProto:
    return onnx.helper.make_tensor_type_proto(
        int(ir.DataType.from_numpy(dt)), [d if isinstance(d, int) else str(d) for d in dims]
    )


@lru_cache(maxsize=512)
def _schema(op_type: str, domain: str) -> onnx.defs.OpSchema | None:
    from .builder import OPSET

    try:
        return onnx.defs.get_schema(op_type, OPSET, domain)
    except onnx.defs.SchemaError:
        return None


def number_of(kind: Any) -> int:
    """The number of a member of one of onnx's enumerations, whose declared type does not say that it has one."""
    return int(kind.value)


def _attributes(schema: onnx.defs.OpSchema, attributes: Mapping[str, Any]) -> list[ir.Attr]:
    """Python values as attributes; an empty sequence has the type that the operator declares."""
    kinds = {k: ir.AttributeType(number_of(a.type)) for k, a in schema.attributes.items()}
    return [
        ir.convenience.convert_attribute(k, v, kinds.get(k) if isinstance(v, Sequence) and not v else None)
        for k, v in attributes.items()
    ]


def _onnx_inference(
    op_type: str,
    domain: str,
    inputs: Sequence[Tensor | None],
    attributes: Mapping[str, Any],
    outputs: Sequence[bool],
) -> list[AnyType]:
    schema = _schema(op_type, domain)
    if schema is None:
        raise NeedsStaticShape(f"no inference for {domain}::{op_type}")
    if op_type == "STFT":  # whose inference takes 0 for the default, which is 1
        attributes = {"onesided": 1, **attributes}
    names = ["" if x is None else f"i{k}" for k, x in enumerate(inputs)]
    results = [f"o{k}" if wanted else "" for k, wanted in enumerate(outputs)]
    node = ir.serde.serialize_node(
        ir.Node(domain, op_type, [], _attributes(schema, attributes), num_outputs=0)
    )
    node.input.extend(names)
    node.output.extend(results)
    types, data = {}, {}
    for name, x in zip(names, inputs, strict=True):
        if x is None:
            continue
        types[name] = _type_proto(x.dt, x.dims) if x.shape is not None else ir.serde.serialize_type(_typed(x))
        if x.const is not None and x.const.size <= _SMALL:
            data[name] = ir.serde.serialize_tensor(ir.tensor(x.const))
    try:
        inferred = onnx.shape_inference.infer_node_outputs(schema, node, types, data)
    except (
        Exception
    ) as e:  # onnx raises several unrelated types; each becomes an error that names the operands
        shapes = ", ".join(
            "-" if x is None else str(x.type if x.shape is None else f"{x.dt}{list(x.dims)}") for x in inputs
        )
        raise ShapeError(f"ONNX {op_type}({shapes}; {dict(attributes)}): {str(e).strip()}") from e
    return [_inferred(inferred.get(name), name) for name in results]


def _typed(x: Tensor) -> ir.TypeProtocol:
    if x.type is None:
        raise NeedsStaticShape(f"the type of {x.name!r} is not known")
    return x.type


def _inferred(proto: onnx.TypeProto | None, name: str) -> AnyType:
    if not name:
        return np.dtype(np.float32), ()
    if proto is None:
        return None
    if not proto.HasField("tensor_type") or not proto.tensor_type.HasField("shape"):
        return ir.serde.deserialize_type_proto_for_type(proto)
    dims: list[DimLike | str | None] = [
        d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in proto.tensor_type.shape.dim
    ]
    return ir.DataType(proto.tensor_type.elem_type).numpy(), dims
