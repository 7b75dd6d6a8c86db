"""Constants of an ONNX model computed, so that what is left is what depends on the inputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from ..errors import GraphError

__all__ = ["FoldingError", "compute", "folded", "is_foldable"]

Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]

_LARGEST = 1 << 24  # elements up to which constants are computed
_ROUNDS = 8


class FoldingError(GraphError):
    """A constant cannot be computed."""


def is_foldable(node: onnx.NodeProto) -> bool:
    """Whether a node gives the same for the same inputs, and is one that can be evaluated here."""
    graphs = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return (
        node.domain in ("", "ai.onnx")
        and not any(a.type in graphs for a in node.attribute)
        and not node.op_type.startswith("Random")
        and node.op_type not in ("Bernoulli", "Multinomial")
    )


def compute(
    node: onnx.NodeProto, inputs: Mapping[str, Array], opsets: list[onnx.OperatorSetIdProto]
) -> dict[str, Array]:
    """The outputs of a node for known inputs.

    Raises
    ------
    FoldingError : the evaluator failed.
    """
    known = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for n, x in inputs.items()
    ]
    made = [onnx.ValueInfoProto(name=n) for n in node.output if n]
    model = helper.make_model(helper.make_graph([node], "constant", known, made), opset_imports=opsets)
    try:
        found = ReferenceEvaluator(model).run(None, dict(inputs))
    except Exception as error:  # the evaluator is written in NumPy and raises whatever that does
        raise FoldingError(f"its constant value cannot be computed: {error}") from error
    return dict(zip((n for n in node.output if n), map(np.asarray, found), strict=True))


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with inferred shapes, and with initializers for all that depends on constants and known shapes.

    Each round may let more shapes be inferred, and these more be computed.
    """
    for _ in range(_ROUNDS):
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        if not _round(model):
            break
    return model


def _round(model: onnx.ModelProto) -> bool:
    """Compute what can be; whether there was anything."""
    graph = model.graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    stored = set(values)
    shapes = {
        value.name: [
            d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim
        ]
        for value in (*graph.value_info, *graph.input, *graph.output)
        if value.type.tensor_type.HasField("shape")
    }
    outputs = {value.name for value in graph.output}
    opsets = list(model.opset_import)
    left = []
    for node in graph.node:
        found = None
        if not outputs.intersection(node.output) and is_foldable(node):
            found = _outcome(node, values, shapes, opsets)
        if found is None:
            left.append(node)
        else:
            values.update(found)
    if len(left) == len(graph.node):
        return False
    read = {name for node in left for name in node.input}
    graph.initializer.extend(
        numpy_helper.from_array(x, n) for n, x in values.items() if n not in stored and n in read
    )
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in left]
    del graph.node[:]
    graph.node.extend(kept)
    return True


def _outcome(
    node: onnx.NodeProto,
    values: Mapping[str, Array],
    shapes: Mapping[str, list[int | None]],
    opsets: list[onnx.OperatorSetIdProto],
) -> dict[str, Array] | None:
    """The outputs of a node, if they are constant."""
    if node.op_type == "Shape":
        shape = shapes.get(node.input[0])
        if shape is None or None in shape:
            return None
        bounds = {a.name: a.i for a in node.attribute}
        return {node.output[0]: np.asarray(shape[bounds.get("start", 0) : bounds.get("end")], np.int64)}
    inputs = {name: values[name] for name in node.input if name in values}
    if any(name and name not in values for name in node.input):
        return None
    if sum(x.size for x in inputs.values()) > _LARGEST:
        return None
    try:
        return compute(node, inputs, opsets)
    except FoldingError:
        return None  # its own rule may know better
