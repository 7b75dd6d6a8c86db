"""The manifest's entries for the models of training artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import onnx_ir as ir

from ..graph.dims import Dim
from ..graph.exporters.artifacts import Weight, gradient_name, safe_in_place
from ..graph.program import Program
from .manifest import Model, Value

__all__ = ["NAMES", "described", "roles_of"]

NAMES = ("training", "eval", "optimizer", "accumulation", "inference")
_ABOUT = {
    "training": "inputs, labels and parameters -> loss, outputs, gradients and new running statistics",
    "eval": "inputs, labels and parameters -> loss and outputs, in inference mode",
    "optimizer": "parameters, gradients, states, learning rate -> new parameters and states",
    "accumulation": "sums of gradients and gradients -> new sums",
    "inference": "inputs and parameters -> outputs",
}
_ROLES = {
    "data": "an input of the model",
    "label": "what the loss compares the outputs with",
    "parameter": "a parameter; its value is in the checkpoint",
    "random_key": "the key that random numbers are drawn from; a new one for each step",
    "loss": "the loss of the batch, one number",
    "output": "an output of the model",
    "gradient": "the gradient of the loss with respect to a parameter",
    "gradient_sum": "the sum of gradients so far",
    "state": "a state of the optimizer; its value is in the checkpoint",
    "learning_rate": "the learning rate of this update",
    "step": "the number of this update, from 1",
    "update": "the value that replaces an input",
}


def roles_of(
    inputs: Iterable[str],
    labels: Iterable[str],
    params: Iterable[str],
    weights: Sequence[Weight],
    states: Iterable[str],
) -> dict[str, tuple[str, str]]:
    """Role of an input or output by its name, and the parameter or state that it belongs to."""
    roles = dict.fromkeys(inputs, ("data", ""))
    roles |= dict.fromkeys(labels, ("label", ""))
    roles |= {n: ("parameter", n) for n in params}
    roles |= {n: ("state", n) for n in states}
    for w in weights:
        name = gradient_name(w.name)
        roles[name] = ("gradient", w.name)
        roles[f"{name}_sum"] = ("gradient_sum", w.name)
    return roles | {n: (n, "") for n in ("random_key", "learning_rate", "step")}


def described(name: str, program: Program, model: ir.Model, roles: Mapping[str, tuple[str, str]]) -> Model:
    """The manifest's entry for a model."""
    inputs = []
    for t in program.inputs:
        role, of = roles[str(t.name)]
        inputs.append(Value(str(t.name), role, t.dt.name, _shape(t.dims), _ROLES[role], of))
    names = program.output_names
    pairs = {names[o]: str(program.inputs[i].name) for o, i in program.updates}
    safe = set(safe_in_place(model, pairs)) if name in ("optimizer", "accumulation") else set()
    outputs = []
    gradients = {n: of for n, (role, of) in roles.items() if role == "gradient"}
    for o, t in enumerate(program.outputs):
        text = names[o]
        if text in pairs:
            role, of = "update", roles[pairs[text]][1]
        elif text in gradients:
            role, of = "gradient", gradients[text]
        else:
            role, of = ("loss" if not o and name in ("training", "eval") else "output"), ""
        outputs.append(Value(text, role, t.dt.name, _shape(t.dims), _ROLES[role], of, text in safe))
    return Model(f"{name}_model.onnx", _ABOUT[name], tuple(inputs), tuple(outputs))


def _shape(dims: Sequence[int | Dim]) -> tuple[int | str, ...]:
    return tuple(d if isinstance(d, int) else str(d) for d in dims)
