"""Models for ONNX Runtime's on-device training 1.19: its own operators only where its interface asks for them.

Gradients go into buffers through ``InPlaceAccumulatorV2``, and so do the changes of running statistics, whose buffers
are the parameters themselves. The optimizer is one node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx.helper as helper
import onnx_ir as ir
from onnx import TensorProto

from ..errors import GraphError
from ..program import Program
from .artifacts import gradient_name, named_model, renewed_name
from .onnx import restamp

__all__ = ["OPSET", "ort_evaluation_model", "ort_optimizer_model", "ort_training_model"]

OPSET = 21  # the newest of release 1.19
_DOMAIN = "com.microsoft"
_KEEP = "gluon_onnx_keep"


def _model(program: Program) -> onnx.ModelProto:
    """The program at that opset.

    Raises
    ------
    GraphError : an operator is newer.
    """
    model = named_model(program)
    restamp(model, OPSET)
    proto = ir.serde.serialize_model(model)
    proto.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    return proto


def _only_outputs(proto: onnx.ModelProto, names: Sequence[str]) -> None:
    kept = [v for v in proto.graph.output if v.name in names]
    del proto.graph.output[:]
    proto.graph.output.extend(kept)


def ort_evaluation_model(program: Program) -> onnx.ModelProto:
    """The program of evaluation, as it is."""
    return _model(program)


def ort_training_model(program: Program, trainable: Sequence[str]) -> onnx.ModelProto:
    """The training program with gradients and running statistics accumulated in place; its output is the loss."""
    proto = _model(program)
    graph = proto.graph
    dims = {v.name: v for v in graph.input}
    loss = program.output_names[0]
    states = [str(program.inputs[i].name) for _, i in program.updates]
    _only_outputs(proto, [loss])
    for n in trainable:
        buffer = onnx.ValueInfoProto()
        buffer.CopyFrom(dims[n])
        buffer.name = f"{n}_grad.accumulation.buffer"
        graph.input.append(buffer)
    graph.input.append(helper.make_tensor_value_info("lazy_reset_grad", TensorProto.BOOL, [1]))
    for n in trainable:
        _accumulate(graph, n, f"{n}_grad.accumulation.buffer", gradient_name(n), "lazy_reset_grad")
    if states:
        graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(1, np.bool_), _KEEP))
    for n in states:
        change = f"{n}_change"
        graph.node.append(helper.make_node("Sub", [renewed_name(n), n], [change], name=change))
        _accumulate(graph, n, n, change, _KEEP)
    return proto


def _accumulate(graph: onnx.GraphProto, name: str, buffer: str, value: str, reset: str) -> None:
    done = f"{name}_grad.accumulation.out"
    graph.node.append(
        helper.make_node("InPlaceAccumulatorV2", [buffer, value, reset], [done], name=done, domain=_DOMAIN)
    )
    graph.output.append(helper.make_tensor_value_info(done, TensorProto.BOOL, [1]))


def ort_optimizer_model(rule: str, settings: Mapping[str, Any], wd: Sequence[float]) -> onnx.ModelProto:
    """The optimizer's model: one node.

    AdamWOptimizer lets the new weight decay, where MXNet's AdamW lets the old one: a step differs by its ``lr * wd``-th
    part.

    Parameters
    ----------
    rule, settings : a rule of `update_rules` and its settings.
    wd : weight decays of the parameters, which must be equal.

    Raises
    ------
    GraphError : ONNX Runtime has no operator for this optimizer.
    """
    problem = _unsupported(rule, settings, wd)
    if problem:
        raise GraphError(
            f"ONNX Runtime's on-device training has no optimizer for {rule} with {problem}; it has gradient descent "
            "without momentum, Adam without and AdamW with weight decay, for all parameters alike"
        )
    names = ["learning_rate", "step", "params", "gradients", "first_order_moments"]
    done = "updated_flag"
    if rule == "sgd":
        node = helper.make_node(
            "SGDOptimizerV2", ["learning_rate", "params", "gradients"], [done], domain=_DOMAIN
        )
    else:
        names.append("second_order_moments")
        node = helper.make_node(
            "AdamWOptimizer",
            names,
            [done],
            domain=_DOMAIN,
            alpha=float(settings["beta1"]),
            beta=float(settings["beta2"]),
            epsilon=float(settings["epsilon"]),
            weight_decay=float(wd[0]),
            adam_mode=1,
            correct_bias=int(settings.get("correct_bias", True)),
        )
    inputs = [
        helper.make_tensor_value_info("learning_rate", TensorProto.FLOAT, [1]),
        helper.make_tensor_value_info("step", TensorProto.INT64, [1]),
        *(helper.make_tensor_sequence_value_info(n, TensorProto.FLOAT, None) for n in names[2:]),
    ]
    output = helper.make_tensor_value_info(done, TensorProto.BOOL, [1])
    graph = helper.make_graph([node], "optimizer", inputs, [output])
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="gluon-onnx")


def _unsupported(rule: str, settings: Mapping[str, Any], wd: Sequence[float]) -> str:
    """What of an optimizer ONNX Runtime's operators cannot do; empty if they can do all of it."""
    if rule not in ("sgd", "adam", "adamw"):
        return "its rule"
    if settings.get("momentum"):
        return f"momentum={settings['momentum']}"
    if settings.get("clip_gradient"):
        return f"clip_gradient={settings['clip_gradient']}"
    if settings.get("rescale_grad", 1.0) != 1.0:
        return f"rescale_grad={settings['rescale_grad']}"
    if settings.get("multi_precision"):
        return "multi_precision"
    if len(set(wd)) > 1:
        return "different weight decays"
    if wd[0] and rule != "adamw":
        return f"weight decay {wd[0]}"
    return ""
