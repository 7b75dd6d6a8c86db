"""Reading the models of ONNX Runtime's on-device training (releases up to 1.19) as programs of plain ONNX.

The gradient nodes of such a model need kernels that only that training package has. They are left out: what remains,
the way from the inputs to the loss, is differentiated anew. Operators of that package on this way are written in
operators of ONNX.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from ..builder import Builder, Tensor
from ..dims import Dim
from ..errors import FormatError, UnsupportedOperatorError
from ..exporters.artifacts import renewed_name, training_program
from ..onnx_nodes import emit_nodes, plain_domain, type_of
from ..program import Program, finish, reads
from .onnx_file import read_file

__all__ = ["OrtModels", "OrtOptimizer", "read_models", "read_optimizer"]

BUFFER, DONE = "_grad.accumulation.buffer", "_grad.accumulation.out"
RESET = "lazy_reset_grad"
_LABELS = ("labels", "target")  # what onnxruntime's own losses call them

Source = str | os.PathLike[str]
Lowering = Callable[..., "Tensor | tuple[Tensor, ...]"]
_FOREIGN: dict[str, Lowering] = {}


def _foreign(*names: str) -> Callable[[Lowering], Lowering]:
    """Register the form in operators of ONNX: ``lower(g, inputs, attributes)``."""

    def register(function: Lowering) -> Lowering:
        _FOREIGN.update(dict.fromkeys(names, function))
        return function

    return register


@_foreign("BatchNormInternal")
def _batch_norm(g: Builder, inputs: list[Tensor], a: Mapping[str, Any]) -> tuple[Tensor, ...]:
    """With batch statistics; the new running statistics replace the old ones, as that kernel writes over them."""
    momentum, epsilon = a.get("momentum", 0.9), a.get("epsilon", 1e-5)
    y, mean, var = g.multi(
        "BatchNormalization", 3, *inputs, training_mode=1, momentum=momentum, epsilon=epsilon
    )
    g.update(inputs[3], mean)
    g.update(inputs[4], var)
    return y, mean, var


@_foreign("SoftmaxCrossEntropyLossInternal")
def _cross_entropy(g: Builder, inputs: list[Tensor], a: Mapping[str, Any]) -> tuple[Tensor, ...]:
    ignored: dict[str, Any] = {}
    if len(inputs) > 3:
        if inputs[3].const is None:
            raise FormatError("SoftmaxCrossEntropyLossInternal: the label to ignore must be a constant")
        ignored = {"ignore_index": int(inputs[3].const)}
    reduction = a.get("reduction", b"mean").decode()
    return g.multi("SoftmaxCrossEntropyLoss", 2, *inputs[:3], reduction=reduction, **ignored)


@_foreign("Gelu", "BiasGelu")
def _gelu(g: Builder, inputs: list[Tensor], a: Mapping[str, Any]) -> Tensor:
    return g.op("Gelu", inputs[0] + inputs[1] if len(inputs) > 1 else inputs[0])


@_foreign("FastGelu")
def _fast_gelu(g: Builder, inputs: list[Tensor], a: Mapping[str, Any]) -> Tensor:
    return g.op("Gelu", inputs[0] + inputs[1] if len(inputs) > 1 else inputs[0], approximate="tanh")


@_foreign("QuickGelu")
def _quick_gelu(g: Builder, inputs: list[Tensor], a: Mapping[str, Any]) -> Tensor:
    return inputs[0] * g.op("Sigmoid", inputs[0] * float(a.get("alpha", 1.702)))


@_foreign("LayerNormalization")
def _layer_norm(g: Builder, inputs: list[Tensor], a: Mapping[str, Any]) -> tuple[Tensor, ...]:
    axis, epsilon = a.get("axis", -1), a.get("epsilon", 1e-5)
    return g.multi("LayerNormalization", 3, *inputs, axis=axis, epsilon=epsilon)


@_foreign("SimplifiedLayerNormalization")
def _simplified_layer_norm(g: Builder, inputs: list[Tensor], a: Mapping[str, Any]) -> tuple[Tensor, ...]:
    x, scale = inputs
    axes = range(a.get("axis", -1) % x.ndim, x.ndim)
    inverse = 1.0 / g.op("Sqrt", g.reduce("Mean", x * x, axes, keepdims=True) + float(a.get("epsilon", 1e-5)))
    return x * inverse * scale, inverse


@_foreign("ConcatTraining")
def _concat(g: Builder, inputs: list[Tensor], a: Mapping[str, Any]) -> Tensor:
    return g.op("Concat", *inputs, axis=a["axis"])


@_foreign("SplitTraining")
def _split(g: Builder, inputs: list[Tensor], a: Mapping[str, Any]) -> tuple[Tensor, ...]:
    count = a["outputs"]
    if len(inputs) > 1:
        return g.multi("Split", count, *inputs, axis=a.get("axis", 0))
    return g.multi("Split", count, inputs[0], axis=a.get("axis", 0), num_outputs=count)


@_foreign("Scale")
def _scale(g: Builder, inputs: list[Tensor], a: Mapping[str, Any]) -> Tensor:
    x, factor = inputs[0], g.cast(inputs[1], inputs[0].dt)
    return x / factor if a.get("scale_down", 0) else x * factor


@_foreign("LSTMTraining")
def _lstm(g: Builder, inputs: list[Tensor], a: Mapping[str, Any]) -> tuple[Tensor, ...]:
    texts = {k: v.decode() if isinstance(v, bytes) else v for k, v in a.items() if k != "outputs"}
    return g.multi("LSTM", 3, *inputs, **texts)


# -- models --------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class OrtModels:
    """The models of a directory.

    Attributes
    ----------
    training : data, labels, parameters -> loss, other outputs, gradients, new running statistics.
    evaluation : the same inputs -> loss, other outputs.
    inference : data, parameters -> what the loss is computed from.
    labels : names of the inputs that are labels.
    """

    training: Program
    evaluation: Program
    inference: Program
    trainable: list[str]
    labels: list[str]


def read_models(training: Source, evaluation: Source | None, parameters: Sequence[str]) -> OrtModels:
    """The programs of a directory.

    Parameters
    ----------
    evaluation : path of the model for evaluation; without it the one for training serves.
    parameters : names in the checkpoint.

    Raises
    ------
    FormatError : a file is no model of on-device training.
    UnsupportedOperatorError : names the operators between inputs and loss that have no form in ONNX.
    NotDifferentiableError : an operator between a parameter and the loss has no gradient.
    """
    model = onnx.load(os.fspath(training))
    trainable = [v.name.removesuffix(BUFFER) for v in model.graph.input if v.name.endswith(BUFFER)]
    outputs = [v.name for v in model.graph.output if not v.name.endswith(DONE)]
    if not trainable or not outputs:
        raise FormatError(
            f"{os.fspath(training)}: not a training model of ONNX Runtime: it has no inputs ...{BUFFER} or no loss"
        )
    changes = {
        n.input[0]: n.input[1]
        for n in model.graph.node
        if n.op_type == "InPlaceAccumulatorV2" and n.input[0] in parameters
    }
    forward = _program(model, os.fspath(training), outputs, parameters, changes)
    other = model if evaluation is None else onnx.load(os.fspath(evaluation))
    wanted = [v.name for v in other.graph.output if not v.name.endswith(DONE)]
    scored = _program(_evaluating(other), os.fspath(evaluation or training), wanted, parameters)
    labels = _labels([n for n in forward.input_names if n not in parameters])
    return OrtModels(
        training_program(forward, trainable), scored, _inference(scored, labels), trainable, labels
    )


def _program(
    model: onnx.ModelProto,
    name: str,
    outputs: Sequence[str],
    parameters: Sequence[str],
    changes: Mapping[str, str] | None = None,
) -> Program:
    """The part of a model that its outputs need; data comes first, parameters last.

    Parameters
    ----------
    changes : what is added to parameters that are no learnt ones, by parameter.
    """
    changes = changes or {}
    kept = _needed(model, [*outputs, *changes.values()])
    missing = []
    for node in kept.graph.node:
        foreign = plain_domain(node.domain) or node.op_type in (
            "LayerNormalization",
            "SimplifiedLayerNormalization",
        )
        if foreign and node.op_type in _FOREIGN:
            node.domain = (
                "com.microsoft"  # before opset 17 ONNX Runtime had normalizations of its own in ONNX's domain
            )
        elif foreign and plain_domain(node.domain):
            missing.append((node.op_type, node.name or node.output[0]))
    if missing:
        raise UnsupportedOperatorError(missing)
    file = read_file(kept)
    g = Builder()
    values: dict[str, Tensor] = {}
    inputs = [v for v in file.model.graph.input if v.name not in file.values]
    for v in sorted(inputs, key=lambda v: v.name in parameters):
        kind = type_of(v)
        if not isinstance(kind, tuple):
            raise FormatError(f"{name}: the input {v.name!r} has no shape")
        dims = [
            d if isinstance(d, int | Dim) else Dim.symbol(d or g.unique(f"{v.name}.{i}"))
            for i, d in enumerate(kind[1])
        ]
        values[v.name] = g.input(v.name, kind[0], dims)
    for n, value in file.values.items():
        values[n] = g.named_const(n, value)
    for node in file.model.graph.node:
        if not plain_domain(node.domain):
            emit_nodes(g, [node], file.opsets, values)
            continue
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        operands = [values[n] for n in node.input if n]
        with g.scope(node.name or node.output[0], op=node.op_type):
            found = _FOREIGN[node.op_type](g, operands, {**attributes, "outputs": len(node.output)})
        results = found if isinstance(found, tuple) else (found,)
        values.update(zip(node.output, results, strict=False))
    for n, change in changes.items():
        g.update(values[n], values[n] + values[change])
    states = [str(s.name) for s in g.updates]
    return finish(g, [values[n] for n in outputs], names=[*outputs, *(renewed_name(s) for s in states)])


def _needed(model: onnx.ModelProto, outputs: Sequence[str]) -> onnx.ModelProto:
    """A model of the nodes and values that some outputs depend on."""
    needed, nodes = set(outputs), []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed.update(n for n in node.input if n)
            for a in node.attribute:
                for inner in (*a.graphs, *([a.g] if a.HasField("g") else [])):
                    needed.update(n for child in inner.node for n in child.input)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    for field, kept in (
        ("node", nodes[::-1]),
        ("input", [v for v in model.graph.input if v.name in needed]),
        ("initializer", [t for t in model.graph.initializer if t.name in needed]),
        ("output", [v for v in model.graph.output if v.name in outputs]),
    ):
        graph.ClearField(field)
        getattr(graph, field).extend(kept)
    graph.ClearField("value_info")
    return result


def _evaluating(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with normalizations that use running statistics, in a valid form: those have one output."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for node in result.graph.node:
        training = any(a.name == "training_mode" and a.i for a in node.attribute)
        if node.op_type in ("BatchNormalization", "BatchNormInternal") and not training:
            del node.output[1:]
            node.op_type, node.domain = "BatchNormalization", ""
    return result


def _labels(inputs: Sequence[str]) -> list[str]:
    """The inputs that are labels: those with the names of onnxruntime's losses, or else the last."""
    found = [n for n in inputs if n in _LABELS]
    return found or list(inputs[-1:])


def _inference(program: Program, labels: Sequence[str]) -> Program:
    """The program up to the values that are compared with the labels."""
    marked: set[ir.Value] = {t for t in program.inputs if t.name in labels}
    found: dict[ir.Value, None] = {}
    made: set[ir.Value] = set()
    data: set[ir.Value] = set(program.inputs)
    for node in program.nodes:
        if any(v in marked for v in reads(node)):
            marked.update(node.outputs)
            found.update((v, None) for v in node.inputs if v in made and v not in marked)
        elif any(v in data or v in made for v in reads(node)):
            made.update(node.outputs)
    outputs = [t for t in found if isinstance(t, Tensor) and t.dt.kind == "f"] or list(program.outputs[:1])
    g = Builder()
    hidden = Builder(g)
    values: dict[ir.Value, Tensor] = {}
    for t in program.inputs:
        home = hidden if t in marked else g
        values[t] = home.input(str(t.name), t.dt, t.dims)
    g.replay([n for n in program.nodes if not any(v in marked for v in n.outputs)], values)
    names = [str(t.name) for t in outputs]
    return finish(g, [g._copied(t, values) for t in outputs], names=names)


@dataclass(frozen=True)
class OrtOptimizer:
    """The optimizer of a directory: a rule of `exporters.update_rules` and its settings."""

    rule: str
    settings: dict[str, Any]


def read_optimizer(path: Source) -> OrtOptimizer:
    """The optimizer of an ``optimizer_model.onnx``.

    Raises
    ------
    FormatError : it has another form than onnxruntime's.
    """
    nodes = [n for n in onnx.load(os.fspath(path)).graph.node if n.domain == "com.microsoft"]
    kinds = {"AdamWOptimizer": "ort_adamw", "SGDOptimizerV2": "sgd"}
    if len(nodes) != 1 or nodes[0].op_type not in kinds:
        raise FormatError(
            f"{os.fspath(path)}: expected one node AdamWOptimizer or SGDOptimizerV2, got {[n.op_type for n in nodes]}"
        )
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in nodes[0].attribute}
    rule = kinds[nodes[0].op_type]
    if rule == "sgd":
        return OrtOptimizer(rule, {"momentum": 0.0})
    defaults = {
        "alpha": 0.9,
        "beta": 0.999,
        "epsilon": 1e-8,
        "weight_decay": 1e-2,
        "adam_mode": 0,
        "correct_bias": 1,
    }
    given = {k: attributes.get(k, v) for k, v in defaults.items()}
    return OrtOptimizer(
        rule, {k: int(v) if isinstance(v, int) else float(np.float32(v)) for k, v in given.items()}
    )
