"""The opset that a model declares: the pinned one, or an older one for which ONNX Runtime has kernels.

ONNX Runtime 1.31 accepts opset 26, and has no kernel for the newest version of a few operators. Where a model has one
of these, and all its nodes have the same form in the last opset that has the kernel, it is declared for that one.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx
import onnx_ir as ir

from ..builder import OPSET, Tensor

__all__ = ["LAST_KERNELS", "form_changed", "opset_with_kernels"]

#: The last opset before the version of an operator that has no kernel for any type.
LAST_KERNELS = {"Bernoulli": 21, "RandomNormalLike": 21, "RandomUniformLike": 21, "RoiAlign": 21}


def opset_with_kernels(nodes: Iterable[ir.Node]) -> int:
    """The opset to declare for a model's nodes, those of subgraphs included."""
    own = [node for node in nodes if not node.domain]
    opset = min((LAST_KERNELS[n.op_type] for n in own if n.op_type in LAST_KERNELS), default=OPSET)
    if opset < OPSET and any(form_changed(node, opset) for node in own):
        return OPSET
    return opset


def form_changed(node: ir.Node, opset: int) -> bool:
    """Whether a node is not valid in an older opset, by number of inputs, attributes and types."""
    try:
        old = onnx.defs.get_schema(node.op_type, opset)
    except onnx.defs.SchemaError:
        return True
    if old.since_version == onnx.defs.get_schema(node.op_type, OPSET).since_version:
        return False
    if not old.min_input <= len(node.inputs) <= old.max_input or not set(node.attributes) <= set(
        old.attributes
    ):
        return True
    allowed = {c.type_param_str: set(c.allowed_type_strs) for c in old.type_constraints}
    formal = list(old.inputs)
    for i, value in enumerate(node.inputs):
        slot = formal[min(i, len(formal) - 1)]
        if (
            isinstance(value, Tensor)
            and slot.type_str in allowed
            and _type_name(value) not in allowed[slot.type_str]
        ):
            return True
    return False


def _type_name(value: Tensor) -> str:
    names = {"float32": "float", "float64": "double"}
    return f"tensor({names.get(value.dt.name, value.dt.name)})"
