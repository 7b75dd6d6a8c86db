"""`artifacts.export`: a network, its loss and an optimizer as models that train."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from .. import __version__
from ..base import MXNetError
from ..graph.errors import NeedsStaticShape, ShapeError
from ..graph.exporters._files import replaced_file
from ..graph.exporters.artifacts import (
    Weight,
    accumulation_program,
    gradient_name,
    loss_program,
    named_model,
    optimizer_program,
    training_program,
)
from ..graph.exporters.update_rules import RULES, rule_states
from ..graph.lower import TensorSpec
from ..graph.program import Program
from ..optimizer import Optimizer
from ..symbol import Group, Symbol
from .checkpoint import write_checkpoint
from .describe import NAMES, described, roles_of
from .manifest import FILE, Entry, Manifest, OptimizerInfo, Parameter
from .sources import (
    Source,
    as_dims,
    chosen_trainable,
    find_loss,
    label_specs,
    loss_symbol,
    optimizer_of,
    param_specs,
    source_of,
)
from .wire import ELEMENT_NUMBERS

__all__ = ["export"]

Array = np.ndarray[Any, Any]
Spec = tuple[np.dtype[Any], tuple[int | str, ...]]


def export(
    model: Any,
    loss: Any,
    optimizer: Any,
    path: str | os.PathLike[str],
    *,
    optimizer_params: Mapping[str, Any] | None = None,
    trainable: Any = None,
    inputs: Any = None,
    labels: Any = None,
    outputs: Sequence[str] | None = None,
    reduction: str = "mean",
    dynamic_batch: bool = True,
    freeze_statistics: bool = False,
    flavor: str = "gluon-onnx",
) -> Manifest:
    """Write a directory from which a network trains without its Python code.

    It holds ``training_model.onnx``, ``eval_model.onnx``, ``optimizer_model.onnx``, ``accumulation_model.onnx`` and
    ``inference_model.onnx``, in operators of ONNX alone; ``checkpoint``, the parameters and the optimizer's states
    in the safetensors format; and ``manifest.json``, which says what each input and output is. Parameters are inputs
    of the models.

    Parameters
    ----------
    model : a HybridBlock, an ONNX model, or the path of one.
    loss : a block of `gluon.loss`, its name, or a function of the symbols of outputs and labels.
    optimizer : an Optimizer, or its name. Its learning rate is the default of a session; a scheduler is not exported.
    path : the directory; made if it does not exist.
    optimizer_params : arguments of the optimizer, where its name is given.
    trainable : which parameters to train: names, a regular expression that is looked for in the names, or a function
        of a name. By default those of a block whose `grad_req` is not "null", and those that operators of an ONNX
        model learn. For others no gradient is computed.
    inputs : an array, a shape, or a pair of a shape and an element type for each input, in order or by name. By
        default what the block was called with, or what the ONNX model declares. Texts in shapes are symbolic sizes.
    labels : the same for the labels, by name. By default ``label`` in float32, of the shape that goes with the first
        output.
    outputs : names of the outputs that the loss is called with, before the labels; all by default.
    reduction : "mean" or "sum": how the loss becomes one number.
    dynamic_batch : make the first axis of inputs and labels the symbolic size ``batch``, where all shapes are
        numbers and the graph admits it.
    freeze_statistics : batch normalizations without a trainable parameter use their running statistics.
    flavor : "gluon-onnx", or "onnxruntime-training" for the files of ONNX Runtime's on-device training 1.19.

    Returns
    -------
    Manifest : what was written.

    Raises
    ------
    NotDifferentiableError : the loss does not depend on a trainable parameter, or through an operator without a
        gradient; it is named, with the way to it.
    MXNetError : a parameter cannot be trained, shapes are missing, or the optimizer cannot become a graph.
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction: expected 'mean' or 'sum', got {reduction!r}")
    if flavor not in ("gluon-onnx", "onnxruntime-training"):
        raise ValueError(f"flavor: expected 'gluon-onnx' or 'onnxruntime-training', got {flavor!r}")
    source = source_of(model, inputs)
    rule, settings = optimizer_of(optimizer, optimizer_params)
    made = _Export(source, find_loss(loss), labels, outputs, reduction, trainable, freeze_statistics)
    programs = made.programs(dynamic_batch)
    folder = os.fspath(path)
    os.makedirs(folder, exist_ok=True)
    weights, states = made.weights(rule, settings)
    if flavor == "onnxruntime-training":
        from .ort_writer import write_ort_training

        values = settings_of(rule, settings)
        return write_ort_training(folder, source, programs, made.trainable, rule, values, weights, settings)
    return _written(folder, made, programs, rule, settings, weights, states)


class _Export:
    """One export: the network, its loss, and the parameters to train."""

    def __init__(
        self,
        source: Source,
        loss: Any,
        labels: Any,
        outputs: Sequence[str] | None,
        reduction: str,
        trainable: Any,
        freeze_statistics: bool,
    ) -> None:
        self.source = source
        self.loss = loss
        self.reduction = reduction
        self._given_labels = labels
        self._trainable = trainable
        self._freeze = freeze_statistics
        unsuited = [n for n, v in source.params.items() if v.dtype.name not in ELEMENT_NUMBERS]
        if unsuited:
            raise MXNetError(
                f"{source.name}: the parameters {unsuited} are {source.params[unsuited[0]].dtype}, which NumPy "
                "does not have"
            )
        self.output_names = [str(n) for n in source.symbol.list_outputs()]
        wanted = self.output_names if outputs is None else list(outputs)
        unknown = [n for n in wanted if n not in self.output_names]
        if unknown or not wanted:
            raise MXNetError(f"outputs: expected some of {self.output_names}, got {wanted}")
        self._used = [self.output_names.index(n) for n in wanted]
        self.inputs: dict[str, Spec] = {}
        self.labels: dict[str, Spec] = {}
        self.trainable: list[str] = []
        self.states: list[str] = []

    def programs(self, dynamic_batch: bool) -> dict[str, Program]:
        """The programs of training, evaluation and inference, with a symbolic batch size where that is possible."""
        fixed = dict(self.source.inputs)
        known = [shape for _, shape in fixed.values() if shape]
        numbers = all(isinstance(d, int) for shape in known for d in shape)
        if dynamic_batch and numbers and known and len({shape[0] for shape in known}) == 1:
            self.source.inputs = {n: (dt, ("batch", *s[1:]) if s else s) for n, (dt, s) in fixed.items()}
            try:
                return self._programs(known[0][0])
            except (NeedsStaticShape, ShapeError) as e:
                self.source.inputs = fixed
                programs = self._programs(None)
                logging.warning("%s: the batch size is fixed, as the graph asks for: %s", self.source.name, e)
                return programs
        return self._programs(None)

    def _programs(self, batch: int | str | None) -> dict[str, Program]:
        source = self.source
        heads = [Symbol([source.symbol.heads[i]]) for i in range(len(self.output_names))]
        used = [heads[i] for i in self._used]
        self.labels = label_specs(source, used, self.loss, self._given_labels)
        if batch is not None:
            self.labels = {
                n: (dt, ("batch", *s[1:]) if s and s[0] == batch else s) for n, (dt, s) in self.labels.items()
            }
        both = Group([loss_symbol(source, used, self.loss, list(self.labels)), *heads])
        self.inputs = source.inputs
        specs: dict[str, TensorSpec] = {n: as_dims(s) for n, s in {**self.inputs, **self.labels}.items()}
        specs |= param_specs(source)
        names = ["loss", *self.output_names]
        order = [*self.inputs, *self.labels, *source.params]
        if self._freeze:
            chosen = chosen_trainable(source, self._trainable, [])
            both = _with_frozen_statistics(both, chosen)
        forward = loss_program(both, specs, names, order, self.reduction, train=True)
        self.states = [forward.input_names[i] for _, i in forward.updates]
        self.trainable = chosen_trainable(source, self._trainable, self.states)
        return {
            "training": training_program(forward, self.trainable),
            "eval": loss_program(both, specs, names, order, self.reduction),
            "inference": loss_program(source.symbol, specs, self.output_names, order, None),
        }

    def weights(self, rule: str, optimizer: Optimizer) -> tuple[list[Weight], dict[str, Array]]:
        """The parameters as the optimizer sees them, and its states."""
        taken = {*self.source.params, *self.inputs, *self.labels}
        weights, states = [], {}
        settings = settings_of(rule, optimizer)
        for n in self.trainable:
            x = self.source.params[n]
            kinds = {
                _free(f"{n}.{kind}", taken): (kind, dt) for kind, dt in rule_states(rule, settings, x.dtype)
            }
            lr_mult, wd_mult = self.source.factors.get(n, (1.0, 1.0))
            lr_mult = optimizer.lr_mult.get(n, lr_mult)
            wd = optimizer.wd * optimizer.wd_mult.get(n, wd_mult)
            weights.append(Weight(n, x.dtype, x.shape, lr_mult, wd, tuple(kinds)))
            for name, (kind, dt) in kinds.items():
                states[name] = x.astype(dt) if kind == "weight32" else np.zeros(x.shape, dt)
        return weights, states


def settings_of(rule: str, optimizer: Optimizer) -> dict[str, Any]:
    """The attributes of an optimizer that its rule needs."""
    return {n: getattr(optimizer, n) for n in RULES[rule].settings}


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _with_frozen_statistics(symbol: Symbol, trainable: Sequence[str]) -> Symbol:
    """A copy in which batch normalizations without a trainable parameter use their running statistics."""
    copy = symbol.substitute({})
    for node in copy.nodes():
        if node.op is not None and "use_global_stats" in node.op.params:
            variables = {e[0].name for e in node.inputs if e[0].op is None}
            if not variables & set(trainable):
                node.attrs["use_global_stats"] = "True"
    return copy


# -- writing -------------------------------------------------------------------------------------------------------


def _written(
    folder: str,
    made: _Export,
    programs: dict[str, Program],
    rule: str,
    optimizer: Optimizer,
    weights: list[Weight],
    states: dict[str, Array],
) -> Manifest:
    settings = settings_of(rule, optimizer)
    gradients: dict[str, TensorSpec] = {gradient_name(w.name): (w.dt, w.shape) for w in weights}
    programs = {
        **programs,
        "optimizer": optimizer_program(rule, settings, weights),
        "accumulation": accumulation_program(gradients),
    }
    if os.path.exists(os.path.join(folder, FILE)):
        os.remove(
            os.path.join(folder, FILE)
        )  # without it the directory is no set of artifacts until all is written
    roles = roles_of(made.inputs, made.labels, made.source.params, weights, states)
    models = {}
    for name in NAMES:
        model = named_model(programs[name])
        write_model(model, os.path.join(folder, f"{name}_model.onnx"))
        models[name] = described(name, programs[name], model, roles)
    manifest = Manifest(
        f"gluon-onnx {__version__}",
        f"{type(made.loss).__name__}, {made.reduction}",
        OptimizerInfo(
            rule,
            float(optimizer.learning_rate),
            settings,
            {w.name: w.lr_mult for w in weights if w.lr_mult != 1.0},
            {w.name: w.wd for w in weights if w.wd},
        ),
        tuple(_parameters(made, weights)),
        tuple(Entry(n, x.dtype.name, x.shape) for n, x in states.items()),
        models,
    )
    notes = {"format": "gluon-onnx checkpoint", "fingerprint": manifest.fingerprint, "step": "0"}
    write_checkpoint(os.path.join(folder, "checkpoint"), {**made.source.params, **states}, notes)
    with replaced_file(os.path.join(folder, FILE)) as stream:
        stream.write(manifest.to_json().encode())
    return manifest


def write_model(model: ir.Model, path: str) -> None:
    """Write a model that ONNX's checker finds no fault in.

    Raises
    ------
    MXNetError : it finds one.
    """
    proto = ir.serde.serialize_model(model)
    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        raise MXNetError(f"{os.path.basename(path)}: the model is not valid: {str(e).strip()}") from e
    with replaced_file(path) as stream:
        stream.write(proto.SerializeToString())


def _parameters(made: _Export, weights: Sequence[Weight]) -> list[Parameter]:
    states = {w.name: w.states for w in weights}
    return [
        Parameter(n, x.dtype.name, x.shape, n in states, n in made.states, states.get(n, ()))
        for n, x in made.source.params.items()
    ]
