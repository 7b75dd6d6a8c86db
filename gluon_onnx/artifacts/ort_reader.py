"""Directories of ONNX Runtime's on-device training, translated to models that the ordinary ONNX Runtime runs."""

from __future__ import annotations

import os

import onnx_ir as ir

from ..graph.exporters.artifacts import (
    Weight,
    accumulation_program,
    gradient_name,
    named_model,
    optimizer_program,
)
from ..graph.exporters.update_rules import rule_states
from ..graph.importers.ort_training import read_models, read_optimizer
from .describe import NAMES, described, roles_of
from .manifest import Entry, Manifest, OptimizerInfo, Parameter
from .ort_checkpoint import read_ort_checkpoint
from .session import Artifacts

__all__ = ["read_ort_training"]


def read_ort_training(folder: str) -> Artifacts:
    """The artifacts of a directory that ONNX Runtime's `generate_artifacts` made, or `export` in that flavor.

    Raises
    ------
    MXNetError : a file is damaged, or not as ONNX Runtime writes it.
    UnsupportedOperatorError : names the operators that have no form in ONNX.
    """
    start = read_ort_checkpoint(os.path.join(folder, "checkpoint"))
    params = {**start.trainable, **start.frozen}
    evaluation = os.path.join(folder, "eval_model.onnx")
    found = read_models(
        os.path.join(folder, "training_model.onnx"),
        evaluation if os.path.exists(evaluation) else None,
        list(params),
    )
    optimizer = read_optimizer(os.path.join(folder, "optimizer_model.onnx"))
    weights = []
    states: dict[str, Entry] = {}
    for n in found.trainable:
        x = params[n]
        kinds = {f"{n}.{kind}": dt for kind, dt in rule_states(optimizer.rule, optimizer.settings, x.dtype)}
        weights.append(Weight(n, x.dtype, x.shape, 1.0, 0.0, tuple(kinds)))
        states.update((k, Entry(k, dt.name, x.shape)) for k, dt in kinds.items())
    programs = {
        "training": found.training,
        "eval": found.evaluation,
        "inference": found.inference,
        "optimizer": optimizer_program(optimizer.rule, optimizer.settings, weights),
        "accumulation": accumulation_program({gradient_name(w.name): (w.dt, w.shape) for w in weights}),
    }
    inputs = [n for n in found.training.input_names if n not in params and n not in found.labels]
    roles = roles_of(inputs, found.labels, params, weights, states)
    models, described_models = {}, {}
    for name in NAMES:
        model = named_model(programs[name])
        described_models[name] = described(name, programs[name], model, roles)
        models[name] = ir.serde.serialize_model(model).SerializeToString()
    updated = {v.of for v in described_models["training"].named("update", outputs=True)}
    kept = {w.name: w.states for w in weights}
    manifest = Manifest(
        "ONNX Runtime's on-device training",
        found.training.output_names[0],
        OptimizerInfo(optimizer.rule, start.learning_rate, optimizer.settings),
        tuple(
            Parameter(n, x.dtype.name, x.shape, n in start.trainable, n in updated, kept.get(n, ()))
            for n, x in params.items()
        ),
        tuple(states.values()),
        described_models,
    )
    return Artifacts(folder, manifest, models, of_ort=True)
