"""Writing Symbols as ONNX models for deployment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from ..builder import IR_VERSION, OPSET, Builder, Tensor
from ..dims import Dim
from ..errors import GraphError, NeedsStaticShape, ShapeError
from ..lower import TensorSpec, lower_symbol
from ..passes.opsets import form_changed
from ..program import Program, finish
from ..symbol import Symbol

__all__ = ["Form", "OPSETS", "is_large", "save_onnx", "symbol_to_onnx"]

Array = np.ndarray[Any, Any]

OPSETS = range(18, OPSET + 1)  # that models can be written for
_LIMIT = (
    1_500_000_000  # bytes of constants from which on they go into a file of their own; protobuf ends at 2 GiB
)


@dataclass
class Form:
    """What a model looks like from outside.

    Attributes
    ----------
    dynamic_axes : names of symbolic dimensions: by the name of an input, by axis.
    opset : version of ONNX's operators; the newest that ONNX Runtime knows by default.
    input_names, output_names : new names of inputs (by the symbol's) and of outputs (in order).
    mean, std : for inputs with values on a scale of their own: the network gets ``(x - mean) / std``, by the name of
        the input; arrays that broadcast against the input.
    input_dtype : element types of inputs that are converted first thing, by name.
    output_dtype : element type that outputs of another floating type are converted to.
    metadata : the model's properties.
    blocks : for a node of the symbol, the path of the Gluon block that it came from.
    """

    dynamic_axes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    opset: int = OPSET
    input_names: Mapping[str, str] = field(default_factory=dict)
    output_names: Sequence[str] | None = None
    mean: Mapping[str, Array] = field(default_factory=dict)
    std: Mapping[str, Array] = field(default_factory=dict)
    input_dtype: Mapping[str, np.dtype[Any]] = field(default_factory=dict)
    output_dtype: np.dtype[Any] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    blocks: Mapping[str, str] = field(default_factory=dict)


def symbol_to_onnx(
    symbol: Symbol, inputs: Mapping[str, TensorSpec], params: Mapping[str, Array], form: Form | None = None
) -> ir.Model:
    """The inference model of a symbol: parameters are initializers of the same names.

    Parameters
    ----------
    inputs : element type and shape of every input.
    params : values of all other variables. Labels of loss layers may be left out.

    Raises
    ------
    NeedsStaticShape, ShapeError : an axis cannot be dynamic.
    GraphError : the opset is not supported, or an operator is newer.
    """
    form = form or Form()
    known: dict[str, TensorSpec] = {n: (v.dtype, v.shape) for n, v in params.items()}
    for name, (dt, shape) in inputs.items():
        names = form.dynamic_axes.get(name, {})
        known[name] = dt, [Dim.symbol(names[i]) if i in names else d for i, d in enumerate(shape)]
    program = _dressed(lower_symbol(symbol, known, train=False), params, form)
    model = program.owned()
    for node in model.graph:
        block = form.blocks.get(node.metadata_props.get("node", ""))
        if block:
            node.metadata_props["block"] = block
    model.metadata_props.update(form.metadata)
    if form.opset != OPSET:
        restamp(model, form.opset)
    return model


def with_dynamic_axes(
    symbol: Symbol,
    inputs: Mapping[str, TensorSpec],
    params: Mapping[str, Array],
    form: Form,
    fallback: Mapping[str, Mapping[int, str]],
) -> tuple[ir.Model, bool]:
    """`symbol_to_onnx` with the axes `form.dynamic_axes`, or where these cannot be dynamic with `fallback`.

    Returns
    -------
    tuple : the model, and whether it has the first ones.
    """
    try:
        return symbol_to_onnx(symbol, inputs, params, form), True
    except (NeedsStaticShape, ShapeError):
        form.dynamic_axes = fallback
        return symbol_to_onnx(symbol, inputs, params, form), False


def _dressed(program: Program, params: Mapping[str, Array], form: Form) -> Program:
    """The program with its parameters fixed, and inputs and outputs of the wanted form."""
    g = Builder()
    mapped: dict[ir.Value, Tensor] = {}
    inputs = [t for t in program.inputs if t.name not in params]
    for t in inputs:  # inputs have the first choice of names
        name = str(t.name)
        outer = g.input(form.input_names.get(name, name), form.input_dtype.get(name, t.dt), t.dims)
        mapped[t] = outer
    for t in program.inputs:
        name = str(t.name)
        if name in params:
            mapped[t] = g.named_const(name, np.ascontiguousarray(params[name]))
    for t in inputs:
        mapped[t] = _prepared(g, mapped[t], t.dt, str(t.name), form)
    g.replay(program.nodes, mapped, expand_custom=True)
    outputs = [g._copied(t, mapped) for t in program.outputs[: program.visible]]
    if form.output_dtype is not None:
        outputs = [g.cast(y, form.output_dtype) if y.dt.kind == "f" else y for y in outputs]
    names = form.output_names or program.output_names[: program.visible]
    if len(names) != len(outputs):
        raise GraphError(f"expected {len(outputs)} names of outputs, got {list(names)}")
    return finish(g, outputs, names=names)


def _prepared(g: Builder, x: Tensor, dt: np.dtype[Any], name: str, form: Form) -> Tensor:
    """An input as the network expects it."""
    mean, std = form.mean.get(name), form.std.get(name)
    if mean is not None or std is not None:
        with g.scope("normalize"):
            x = x if x.dt.kind == "f" else g.cast(x, np.dtype(np.float32))
            if mean is not None:
                x = x - g.const(np.asarray(mean, x.dt))
            if std is not None:
                x = x * g.const((1.0 / np.asarray(std, np.float64)).astype(x.dt))
    return x if x.dt == dt else g.cast(x, dt)


def restamp(model: ir.Model, opset: int) -> None:
    """Declare the operators' version, if the form that the nodes have is valid in it."""
    if opset not in OPSETS:
        raise GraphError(f"opset: expected {OPSETS.start} to {OPSET}, got {opset}")
    newer = {
        node.op_type
        for node in ir.traversal.RecursiveGraphIterator(model.graph)
        if node.domain == "" and form_changed(node, opset)
    }
    if newer:
        raise GraphError(f"opset {opset} does not have the operators {sorted(newer)} as this model uses them")
    model.graph.opset_imports[""] = opset
    model.ir_version = min(IR_VERSION, _ir_version(opset))


def _ir_version(opset: int) -> int:
    versions: int = onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", opset)])
    return max(versions, 10)  # from 10 on nodes can have metadata


def is_large(model: ir.Model) -> bool:
    """Whether the model's constants are too many for one protobuf file."""
    return sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value) > _LIMIT


def save_onnx(model: ir.Model, path: str | os.PathLike[str], external_data: bool | None = None) -> list[str]:
    """Write a model and check it.

    Parameters
    ----------
    external_data : write the constants to ``NAME.data`` beside the model; by default if they have more than 1.5 GB.

    Returns
    -------
    list : the paths written, the model's last.

    Raises
    ------
    GraphError : ONNX's checker found a fault.
    """
    path = os.fspath(path)
    external = is_large(model) if external_data is None else external_data
    data = os.path.basename(path) + ".data"
    ir.save(model, path, external_data=data if external else None)
    try:
        onnx.checker.check_model(path, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        raise GraphError(f"the model is not valid: {str(e).strip()}") from e
    return [os.path.join(os.path.dirname(path), data), path] if external else [path]
