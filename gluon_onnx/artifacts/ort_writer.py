"""`artifacts.export` in the form of ONNX Runtime's on-device training."""

from __future__ import annotations

import os

import onnx

from .. import __version__
from ..base import MXNetError
from ..graph.exporters._files import replaced_file
from ..graph.exporters.artifacts import Weight
from ..graph.exporters.ort_training import ort_evaluation_model, ort_optimizer_model, ort_training_model
from ..graph.program import Program
from ..optimizer import Optimizer
from .manifest import Manifest
from .ort_checkpoint import OrtCheckpoint, write_ort_checkpoint
from .ort_reader import read_ort_training
from .sources import Source

__all__ = ["write_ort_training"]


def write_ort_training(
    folder: str,
    source: Source,
    programs: dict[str, Program],
    trainable: list[str],
    rule: str,
    settings: dict[str, object],
    weights: list[Weight],
    optimizer: Optimizer,
) -> Manifest:
    """Write training_model.onnx, eval_model.onnx, optimizer_model.onnx and checkpoint.

    Returns
    -------
    Manifest : what a `TrainingSession` of the directory has.

    Raises
    ------
    MXNetError : ONNX Runtime has no operator for the optimizer, or parameters are not in float32.
    """
    other = [n for n in trainable if source.params[n].dtype != "float32"]
    if other:
        raise MXNetError(f"ONNX Runtime's on-device training has parameters in float32 only, not {other}")
    if any(w.lr_mult != 1.0 for w in weights):
        raise MXNetError("ONNX Runtime's on-device training has one learning rate for all parameters")
    models = {
        "training_model.onnx": ort_training_model(programs["training"], trainable),
        "eval_model.onnx": ort_evaluation_model(programs["eval"]),
        "optimizer_model.onnx": ort_optimizer_model(rule, settings, [w.wd for w in weights]),
    }
    for name, model in models.items():
        _write(os.path.join(folder, name), model)
    chosen = {n: source.params[n] for n in trainable}
    frozen = {n: x for n, x in source.params.items() if n not in chosen}
    properties = {"producer": f"gluon-onnx {__version__}"}
    rate = float(optimizer.learning_rate)
    write_ort_checkpoint(
        os.path.join(folder, "checkpoint"),
        OrtCheckpoint(chosen, frozen, learning_rate=rate, properties=properties),
    )
    return read_ort_training(folder).manifest


def _write(path: str, model: onnx.ModelProto) -> None:
    with replaced_file(path) as stream:
        stream.write(model.SerializeToString())
