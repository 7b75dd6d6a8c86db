"""Nodes of any version of ONNX's operators in the one form that programs have.

A program holds operators of one version, because a model declares one, and because gradient rules, detours and
exporters are written for one form. Most versions of an operator differ in the element types they admit only. The
others are listed here: each rule turns the form that an operator had before some version into today's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from .builder import OPSET, Builder, Opaque, Tensor
from .errors import GraphError, UnsupportedOperatorError
from .onnx_infer import AnyType

__all__ = ["STILL_THERE", "Call", "is_known", "modern", "schema_of"]

Attributes = dict[str, Any]


@dataclass
class Call:
    """An operator and what it is given.

    Attributes
    ----------
    wanted : which outputs are used.
    declared : types of the outputs as the model says, used where they do not follow.
    """

    op_type: str
    inputs: list[Tensor | None]
    attributes: Attributes
    wanted: list[bool]
    declared: Sequence[AnyType] = ()

    def with_inputs(self, *extra: Tensor | None) -> Call:
        return replace(self, inputs=[*self.inputs, *extra])


# ``rule(g, call, version)`` returns another call, or the outputs.
Result = Call | tuple[Tensor, ...]
Rule = Callable[[Builder, Call, int], Result]
_ALWAYS = 1 << 31
_RULES: dict[str, list[tuple[int, Rule]]] = {}


def before(version: int, *op_types: str) -> Callable[[Rule], Rule]:
    """Register the decorated function for operators of versions before `version`."""

    def register(function: Rule) -> Rule:
        for op_type in op_types:
            _RULES.setdefault(op_type, []).append((version, function))
        return function

    return register


#: Operators whose old form is declared to be deprecated, which exporters write and ONNX Runtime runs all the same.
STILL_THERE = frozenset(["GroupNormalization"])


@lru_cache(maxsize=2048)
def schema_of(op_type: str, version: int, domain: str = "") -> onnx.defs.OpSchema | None:
    """ONNX's declaration of an operator; None where it has none, or has it no longer."""
    try:
        schema = onnx.defs.get_schema(op_type, version, domain)
    except onnx.defs.SchemaError:
        return None
    return None if schema.deprecated and op_type not in STILL_THERE else schema


@lru_cache(maxsize=2048)
def is_known(op_type: str, version: int) -> bool:
    """Whether an operator's form at `version` can be turned into that of the pinned opset."""
    now, then = schema_of(op_type, OPSET), schema_of(op_type, version)
    return then is not None and (now is not None or op_type in _RULES)


def modern(g: Builder, call: Call, version: int, where: str) -> Result:
    """A call of an ONNX operator, as of opset `version`, as it is in the pinned opset; or its outputs.

    Raises
    ------
    UnsupportedOperatorError : the operator does not exist in both of them.
    GraphError : the form cannot be translated.
    """
    if version != OPSET and not is_known(call.op_type, version):
        raise UnsupportedOperatorError([(f"onnx.{call.op_type} of opset {version}", where)])
    if version < 6:
        call.attributes.pop("consumed_inputs", None)
    for limit, function in _RULES.get(call.op_type, ()):
        if version < limit:
            result = function(g, call, version)
            if not isinstance(result, Call):
                return result
            call = result
    schema = schema_of(call.op_type, OPSET)
    if schema is None:
        raise UnsupportedOperatorError([(f"onnx.{call.op_type} of opset {version}", where)])
    if version > OPSET:
        for name, value in _NEWER.get(call.op_type, {}).items():
            if call.attributes.get(name) == value:
                del call.attributes[name]
    unknown = sorted(set(call.attributes) - set(schema.attributes))
    if unknown or len(call.inputs) > schema.max_input:
        what = f"the attribute {unknown[0]!r}" if unknown else f"{len(call.inputs)} inputs"
        raise GraphError(
            f"operator onnx.{call.op_type} (node {where!r}): {what} of opset {version} cannot be translated to "
            f"opset {OPSET}, the newest that is supported"
        )
    return call


# Attributes of newer versions whose default means what the pinned version does.
_NEWER: dict[str, dict[str, Any]] = {"Range": {"stash_type": 1}, "SpaceToDepth": {"mode": "DCR"}}

_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")


@before(13, "Squeeze", "Unsqueeze", "ReduceSum")
@before(18, *(f"Reduce{kind}" for kind in _REDUCTIONS))
def _axes(g: Builder, c: Call, version: int) -> Result:
    axes = c.attributes.pop("axes", None)
    return c if axes is None else c.with_inputs(g.ints(*axes))


@before(13, "Softmax", "LogSoftmax", "Hardmax")
def _rows(g: Builder, c: Call, version: int) -> Result:
    """The array used to be taken as a matrix, with rows from `axis` on."""
    from .onnx_nodes import call

    x, axis = _given(c.inputs[0]), int(c.attributes.get("axis", 1))
    if not isinstance(x, Opaque) and axis % max(x.ndim, 1) == x.ndim - 1:
        return replace(c, attributes={"axis": -1})
    shape = call(g, "Shape", [x])
    y = call(g, c.op_type, [call(g, "Flatten", [x], axis=axis)], axis=-1)
    return (call(g, "Reshape", [y, shape]),)


@before(11, "Clip")
def _clip(g: Builder, c: Call, version: int) -> Result:
    x = _given(c.inputs[0])
    bounds = [c.attributes.pop(k, None) for k in ("min", "max")]
    return c.with_inputs(*(None if b is None else g.const(b, x.dt) for b in bounds))


@before(11, "Pad")
def _pad(g: Builder, c: Call, version: int) -> Result:
    pads = c.attributes.pop("pads", None) or c.attributes.pop("paddings", ())
    value = c.attributes.pop("value", 0.0)
    return c.with_inputs(g.ints(*pads), g.const(value, _given(c.inputs[0]).dt))


@before(10, "Slice")
def _slice(g: Builder, c: Call, version: int) -> Result:
    starts, ends = c.attributes.pop("starts"), c.attributes.pop("ends")
    axes = c.attributes.pop("axes", None) or range(len(starts))
    return c.with_inputs(g.ints(*starts), g.ints(*ends), g.ints(*axes))


@before(10, "TopK")
def _topk(g: Builder, c: Call, version: int) -> Result:
    return c.with_inputs(g.ints(int(c.attributes.pop("k"))))


@before(18, "Split")
def _split(g: Builder, c: Call, version: int) -> Result:
    sizes = c.attributes.pop("split", None)
    if version < 2:
        c.attributes.setdefault("axis", 0)
    if sizes is not None:
        return c.with_inputs(g.ints(*sizes))
    if len(c.inputs) < 2 or c.inputs[1] is None:
        c.attributes["num_outputs"] = len(c.wanted)
    return c


@before(12, "Dropout")
def _dropout(g: Builder, c: Call, version: int) -> Result:
    """Never in training: ONNX Runtime takes the old forms like that, too."""
    from .onnx_nodes import call, calls

    c.attributes.pop("is_test", None)
    ratio = c.attributes.pop("ratio", 0.5)
    c = c.with_inputs(g.const(np.float32(ratio)))
    if not any(c.wanted[1:]):
        return c
    y, mask = calls(g, c)
    mask = call(g, "Not", [mask])  # it had no meaning outside of training; ONNX Runtime gives zeros
    return y, mask if version >= 10 else call(g, "Cast", [mask], to=int(ir.DataType.from_numpy(y.dt)))


@before(_ALWAYS, "Dropout")
def _masked_dropout(g: Builder, c: Call, version: int) -> Result:
    """In training the mask is a result too: without it there is no gradient."""
    from .onnx_nodes import calls

    training = c.inputs[2] if len(c.inputs) > 2 else None
    never = training is None or (training.const is not None and not training.const.any())
    if never or any(c.wanted[1:]):
        return c
    return calls(g, replace(c, wanted=[True, True]))[:1]


@before(10, "Upsample")
def _upsample(g: Builder, c: Call, version: int) -> Result:
    a = c.attributes
    scales = [1.0, 1.0, a.pop("height_scale"), a.pop("width_scale")] if version < 7 else a.pop("scales", [])
    factors = g.const(np.asarray(scales, np.float32)) if scales else c.inputs[1]
    return _resize(g, Call("Resize", [c.inputs[0], factors], a, c.wanted), 10)


@before(11, "Resize")
def _resize(g: Builder, c: Call, version: int) -> Result:
    """Where an axis shrank, ONNX Runtime took the next element, where it grew the one before."""
    from .onnx_nodes import call

    x, scales = _given(c.inputs[0]), _given(c.inputs[1])
    mode = c.attributes.get("mode", "nearest")
    attributes = {
        "mode": {"bilinear": "linear"}.get(mode, mode),
        "coordinate_transformation_mode": "asymmetric",
    }
    if scales.const is not None and mode == "nearest" and (scales.const < 1).any():
        grown = g.const(np.maximum(scales.const, 1).astype(np.float32))
        x = call(g, "Resize", [x, None, grown], nearest_mode="floor", **attributes)
        shrunk = g.const(np.minimum(scales.const, 1).astype(np.float32))
        return replace(c, inputs=[x, None, shrunk], attributes={**attributes, "nearest_mode": "ceil"})
    return replace(c, inputs=[x, None, scales], attributes={**attributes, "nearest_mode": "floor"})


@before(13, "Resize")
def _resize_without_roi(g: Builder, c: Call, version: int) -> Result:
    """Inputs that had to be there were empty where they had no meaning."""
    inputs = list(c.inputs)
    for i in range(1, min(len(inputs), 3)):
        x = inputs[i]
        if x is not None and not isinstance(x, Opaque) and x.dims == (0,):
            inputs[i] = None
    return replace(c, inputs=inputs)


@before(6, "Cast")
def _cast(g: Builder, c: Call, version: int) -> Result:
    to = c.attributes["to"]
    return replace(c, attributes={"to": int(ir.DataType[to])} if isinstance(to, str) else c.attributes)


@before(5, "Reshape")
def _reshape(g: Builder, c: Call, version: int) -> Result:
    return c.with_inputs(g.ints(*c.attributes.pop("shape", ())))


@before(14, "BatchNormalization")
def _batch_normalization(g: Builder, c: Call, version: int) -> Result:
    c.attributes.pop("is_test", None)
    x = _given(c.inputs[0])
    if any(c.wanted[1:]):
        raise GraphError(
            "BatchNormalization: the statistics that opsets before 14 return cannot be translated"
        )
    c = replace(c, wanted=[True])
    if c.attributes.pop("spatial", 1):
        return c
    scale, bias, mean, var = map(_given, c.inputs[1:5])
    c.attributes.pop("momentum", None)
    centred = (x - mean) / g.op("Sqrt", var + float(c.attributes.get("epsilon", 1e-5)))
    return (centred * scale + bias,)


@before(21, "GroupNormalization")
def _group_normalization(g: Builder, c: Call, version: int) -> Result:
    """Scale and bias used to be those of groups, not of channels."""
    x, groups = _given(c.inputs[0]), int(c.attributes["num_groups"])
    channels = x.dims[1]
    inputs: list[Tensor | None] = [x]
    for v in map(_given, c.inputs[1:3]):
        wide = g.expand(g.reshape(v, (groups, 1)), (groups, channels // groups))
        inputs.append(g.reshape(wide, (channels,)))
    return replace(c, inputs=inputs)


@before(7, "Add", "Sub", "Mul", "Div", "And", "Or", "Xor", "Equal", "Greater", "Less", "Pow", "PRelu")
def _aligned(g: Builder, c: Call, version: int) -> Result:
    """The second operand used to begin at an axis of the first (that of PRelu: at the channels)."""
    axis, aligned = c.attributes.pop("axis", None), c.attributes.pop("broadcast", 0)
    x, y = map(_given, c.inputs[:2])
    if c.op_type == "PRelu" and y.ndim == 1 and y.dims != (1,):
        axis, aligned = 1, 1
    if not aligned or axis is None:
        return c
    behind = x.ndim - axis % x.ndim - y.ndim
    return replace(c, inputs=[x, g.unsqueeze(y, *range(y.ndim, y.ndim + behind))])


@before(7, "Gemm")
def _gemm(g: Builder, c: Call, version: int) -> Result:
    c.attributes.pop("broadcast", None)
    return c


@before(7, "RNN", "GRU", "LSTM")
def _recurrent(g: Builder, c: Call, version: int) -> Result:
    c.attributes.pop("output_sequence", None)
    return c


@before(2, "GlobalLpPool", "LpPool")
def _whole_power(g: Builder, c: Call, version: int) -> Result:
    power = float(c.attributes.get("p", 2.0))
    if not power.is_integer():
        raise GraphError(
            f"{c.op_type}: p = {power:g} of opset 1 cannot be translated, only whole numbers can"
        )
    c.attributes["p"] = int(power)
    return c


@before(4, "Concat")
def _concat(g: Builder, c: Call, version: int) -> Result:
    c.attributes.setdefault("axis", 1)
    return c


@before(16, "RoiAlign")
def _roi_align(g: Builder, c: Call, version: int) -> Result:
    c.attributes["coordinate_transformation_mode"] = "output_half_pixel"
    return c


@before(20, "DFT")
def _dft(g: Builder, c: Call, version: int) -> Result:
    axis = g.const(np.int64(c.attributes.pop("axis", 1)))
    length = c.inputs[1] if len(c.inputs) > 1 else None
    return replace(c, inputs=[c.inputs[0], length, axis])


@before(20, "GridSample")
def _grid_sample(g: Builder, c: Call, version: int) -> Result:
    mode = c.attributes.get("mode", "bilinear")
    c.attributes["mode"] = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    return c


@before(11, "Scatter")
def _scatter(g: Builder, c: Call, version: int) -> Result:
    return replace(c, op_type="ScatterElements")


@before(_ALWAYS, "Range")
def _range(g: Builder, c: Call, version: int) -> Result:
    """Bounds with one axis are not valid, but ONNX's own functions have them, and ONNX Runtime takes them."""
    from .onnx_nodes import call

    bare = g.const(np.zeros(0, np.int64))
    bounds = [call(g, "Reshape", [x, bare]) if _is_vector(x) else x for x in c.inputs]
    return replace(c, inputs=bounds)


def _is_vector(x: Tensor | None) -> bool:
    return x is not None and not isinstance(x, Opaque) and x.dims == (1,)


def _given(x: Tensor | None) -> Tensor:
    if x is None:
        raise GraphError("an input that must be there is missing")
    return x


@before(9, "Scan")
def _scan(g: Builder, c: Call, version: int) -> Result:
    raise GraphError(
        "Scan: the form of opset 8, with a batch axis and lengths of sequences, cannot be translated"
    )
