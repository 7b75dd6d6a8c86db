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
from .errors import GraphError, NeedsStaticShape, ShapeError, TypeInferenceError
from .windows import SHAPES

if TYPE_CHECKING:
    from .builder import Tensor

__all__ = ["TypeAndShape", "broadcast", "infer_node"]

# A dimension is an integer, an expression, the name of one, or None where it is unknown.
TypeAndShape = tuple["np.dtype[Any]", Sequence[DimLike | str | None]]

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
            raise GraphError(f"no inference for {domain}::{op_type}")
        return rule(inputs, attributes)
    return _onnx_inference(op_type, domain, inputs, attributes, outputs)


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
def _schema(op_type: str, domain: str) -> onnx.defs.OpSchema:
    from .builder import OPSET

    return onnx.defs.get_schema(op_type, OPSET, domain)


def _onnx_inference(
    op_type: str,
    domain: str,
    inputs: Sequence[Tensor | None],
    attributes: Mapping[str, Any],
    outputs: Sequence[bool],
) -> list[TypeAndShape]:
    names = ["" if x is None else f"i{k}" for k, x in enumerate(inputs)]
    results = [f"o{k}" if wanted else "" for k, wanted in enumerate(outputs)]
    node = ir.serde.serialize_node(
        ir.Node(domain, op_type, [], ir.convenience.convert_attributes(dict(attributes)), num_outputs=0)
    )
    node.input.extend(names)
    node.output.extend(results)
    types, data = {}, {}
    for name, x in zip(names, inputs, strict=True):
        if x is not None:
            types[name] = _type_proto(x.dt, x.dims)
            if x.const is not None and x.const.size <= _SMALL:
                data[name] = ir.serde.serialize_tensor(ir.tensor(x.const))
    try:
        inferred = onnx.shape_inference.infer_node_outputs(_schema(op_type, domain), node, types, data)
    except (
        Exception
    ) as e:  # onnx raises several unrelated types; each becomes an error that names the operands
        shapes = ", ".join("-" if x is None else f"{x.dt}{list(x.dims)}" for x in inputs)
        raise ShapeError(f"ONNX {op_type}({shapes}; {dict(attributes)}): {str(e).strip()}") from e
    found: list[TypeAndShape] = []
    for name in results:
        proto = inferred.get(name)
        if not name:
            found.append((np.dtype(np.float32), ()))
            continue
        if proto is None or not proto.HasField("tensor_type") or not proto.tensor_type.HasField("shape"):
            shapes = ", ".join("-" if x is None else f"{x.dt}{list(x.dims)}" for x in inputs)
            raise NeedsStaticShape(f"ONNX {op_type}({shapes}): the rank of the result cannot be inferred")
        dims: list[DimLike | str | None] = [
            d.dim_value if d.HasField("dim_value") else d.dim_param or None
            for d in proto.tensor_type.shape.dim
        ]
        found.append((ir.DataType(proto.tensor_type.elem_type).numpy(), dims))
    return found
