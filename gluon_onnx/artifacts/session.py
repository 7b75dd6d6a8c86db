"""TrainingSession: training from the files of `artifacts.export`, with NumPy and ONNX Runtime alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from .._runtime.training import Binding, Cell, ModelFile, Place
from ..base import MXNetError
from ..graph.exporters._files import replaced_file
from .batches import feeds_of
from .checkpoint import Checkpoint, is_ort_checkpoint, read_checkpoint, write_checkpoint
from .manifest import Manifest, Model, Parameter, read_manifest
from .wire import fits_inside, nodes, with_outputs, write_complete

__all__ = ["Artifacts", "TrainingSession"]

Array = np.ndarray[Any, Any]
Batch = Mapping[str, Any] | Sequence[Any]

CHECKPOINT = "checkpoint"


class Artifacts:
    """The models of a directory.

    Parameters
    ----------
    models : those that are not in files of the directory.
    of_ort : the directory is one of ONNX Runtime's on-device training.
    """

    def __init__(
        self, folder: str, manifest: Manifest, models: Mapping[str, bytes], of_ort: bool = False
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.of_ort = of_ort
        self._models = models

    def raw(self, name: str) -> bytes:
        """A model's serialized form."""
        if name in self._models:
            return self._models[name]
        with open(self.path(name), "rb") as stream:
            return stream.read()

    def source(self, name: str) -> str | bytes:
        """What a session is made of."""
        return self._models[name] if name in self._models else self.path(name)

    def path(self, name: str) -> str:
        """A model's file."""
        return os.path.join(self.folder, self.manifest.models[name].file)


def open_artifacts(path: str | os.PathLike[str]) -> Artifacts:
    """The artifacts of a directory, of our own form or of ONNX Runtime's on-device training.

    Raises
    ------
    MXNetError : the directory holds neither.
    """
    folder = os.fspath(path)
    if os.path.exists(os.path.join(folder, "manifest.json")):
        return Artifacts(folder, read_manifest(folder), {})
    if os.path.exists(os.path.join(folder, "training_model.onnx")):
        from .ort_reader import read_ort_training  # needs ONNX's packages

        return read_ort_training(folder)
    raise MXNetError(
        f"{folder}: no training artifacts: there is neither manifest.json nor training_model.onnx"
    )


def _place(ctx: Any, providers: Sequence[Any] | None) -> Place:
    """The place that a context, or its name as "gpu" or "gpu:1", stands for."""
    if ctx is None:
        return Place(("cpu", 0), providers)
    if isinstance(ctx, str):
        kind, _, number = ctx.partition(":")
        if kind not in ("cpu", "gpu") or not (number or "0").isdigit():
            raise ValueError(f"ctx: expected a context, 'cpu', 'gpu' or 'gpu:1', got {ctx!r}")
        return Place((kind, int(number or 0)), providers)
    kind = "gpu" if ctx.device_type == "gpu" else "cpu"
    return Place((kind, int(ctx.device_id) if kind == "gpu" else 0), providers)


class TrainingSession:
    """Trains with the models of a directory that `artifacts.export` wrote, or ONNX Runtime's `generate_artifacts`.

    NumPy and ONNX Runtime are all that it needs. (A directory of ONNX Runtime's is translated when it is opened; that
    needs ONNX's packages.)

    Parameters
    ----------
    path : the directory.
    ctx : where to compute: a context, or "cpu", "gpu", "gpu:1". The CPU by default.
    checkpoint : the checkpoint to start from; that of the directory by default.
    seed : of the random numbers (dropout), which are those of `mx.random.seed` for the same seed. By default the
        stream goes on as the checkpoint has it.
    providers : ONNX Runtime's execution providers, in place of those of `ctx`.
    threads : threads of one operator; ONNX Runtime decides by default.
    check_finite : raise where a loss is NaN or infinite; then nothing is changed by that step.
    trace_nonfinite : the error names the first tensor that is not finite (found by running the step again).

    Raises
    ------
    MXNetError : the directory holds no artifacts, or a file of it is damaged.

    Examples
    --------
    >>> session = TrainingSession("artifacts")  # doctest: +SKIP
    >>> for data, label in batches:  # doctest: +SKIP
    ...     loss = session.train_step([data, label])
    ...     session.optimizer_step(lr=0.1)
    ...     session.lazy_reset_grad()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        ctx: Any = None,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        seed: int | None = None,
        providers: Sequence[Any] | None = None,
        threads: int = 0,
        check_finite: bool = True,
        trace_nonfinite: bool = False,
    ) -> None:
        self._artifacts = open_artifacts(path)
        self.manifest = self._artifacts.manifest
        self.check_finite = check_finite
        self.trace_nonfinite = trace_nonfinite
        self._place = _place(ctx, providers)
        self._threads = threads
        self._models: dict[str, ModelFile] = {}
        self._parameters: dict[str, Parameter] = {p.name: p for p in self.manifest.parameters}
        self._entries = {e.name: e for e in self.manifest.entries}
        self._cells: dict[str, Cell] = {}
        self._sums: dict[str, Cell] = {}
        self._scratch: dict[str, Cell] = {}
        self._accumulated = 0  # training steps since the gradients were reset
        self._reset = True  # the next training step writes over the gradients
        self._seed = self._draws = 0
        self.step = 0
        self.learning_rate = self.manifest.optimizer.learning_rate
        self.load_checkpoint(checkpoint)
        if seed is not None:
            self._seed, self._draws = int(seed) & 0xFFFFFFFF, 0

    # -- what there is -----------------------------------------------------------------------------------------
    @property
    def inputs(self) -> list[str]:
        """Names of the model's inputs, in the order of a batch."""
        return [v.name for v in self.manifest.models["training"].named("data")]

    @property
    def labels(self) -> list[str]:
        """Names of the labels, which come behind the inputs in a batch."""
        return [v.name for v in self.manifest.models["training"].named("label")]

    @property
    def parameters(self) -> dict[str, Array]:
        """Copies of the parameters, running statistics among them, by name."""
        return {n: np.array(self._cells[n].read()) for n in self._parameters}

    @property
    def gradients(self) -> dict[str, Array]:
        """Copies of the gradients that were accumulated, by the name of the parameter."""
        return {n: np.array(c.read()) for n, c in self._sums.items()} if self._accumulated else {}

    def set_parameter(self, name: str, value: Any) -> None:
        """Replace a parameter.

        Raises
        ------
        MXNetError : there is no such parameter, or the value has another type or shape.
        """
        if name not in self._parameters:
            raise MXNetError(f"there is no parameter {name!r}; there are {sorted(self._parameters)}")
        wanted, array = self._parameters[name], np.asarray(value)
        if array.dtype.name != wanted.dtype or array.shape != wanted.shape:
            raise MXNetError(
                f"parameter {name!r}: expected {wanted.text}, got {array.dtype.name}{list(array.shape)}"
            )
        self._cells[name] = self._place.cell(array)

    def _model(self, name: str) -> ModelFile:
        if name not in self._models:
            source, file = self._artifacts.source(name), self._artifacts.path(name)
            self._models[name] = ModelFile(source, file, self._place, self._threads)
        return self._models[name]

    # -- steps ---------------------------------------------------------------------------------------------------
    def train_step(self, batch: Batch, outputs: bool = False) -> Any:
        """Loss and gradients of a batch; running statistics are updated.

        The gradients are added to those of earlier steps, until `lazy_reset_grad` is called.

        Parameters
        ----------
        batch : arrays for the inputs and then the labels, or arrays by name.
        outputs : also return the model's outputs.

        Returns
        -------
        float : the loss; with `outputs` a pair of it and the outputs by name.

        Raises
        ------
        MXNetError : an array has another type or shape than the model expects, or the loss is not finite.
        """
        model = self.manifest.models["training"]
        binding, feeds = self._bound(model, "training", batch, draw=True)
        loss = model.named("loss", outputs=True)[0].name
        wanted = [v.name for v in model.named("output", outputs=True)] if outputs else []
        for name in [loss, *wanted]:
            binding.free(name)
        gradients = model.named("gradient", outputs=True)
        target = self._sums if self._reset else self._scratch
        for v in gradients:
            binding.output(v.name, self._cell_for(target, v.of, v.of))
        updates = model.named("update", outputs=True)
        for v in updates:
            binding.output(v.name, self._cell_for(self._scratch, v.name, v.of))
        found = binding.run()
        value = float(found.pop(loss))
        if self.check_finite and not np.isfinite(value):
            raise MXNetError(self._not_finite(value, feeds))
        for v in updates:
            self._cells[v.of], self._scratch[v.name] = self._scratch[v.name], self._cells[v.of]
        if not self._reset:
            self._add()
        self._reset = False
        self._accumulated += 1
        return (value, found) if outputs else value

    def eval_step(self, batch: Batch, outputs: bool = False) -> Any:
        """The loss of a batch in inference mode; nothing changes. Arguments and results are those of `train_step`."""
        model = self.manifest.models["eval"]
        binding, _ = self._bound(model, "eval", batch)
        loss = model.named("loss", outputs=True)[0].name
        wanted = [v.name for v in model.named("output", outputs=True)] if outputs else []
        for name in [loss, *wanted]:
            binding.free(name)
        found = binding.run()
        value = float(found.pop(loss))
        return (value, found) if outputs else value

    def predict(self, batch: Batch) -> dict[str, Array]:
        """The model's outputs by name, in inference mode, for inputs without labels."""
        model = self.manifest.models["inference"]
        binding, _ = self._bound(model, "inference", batch)
        for v in model.outputs:
            binding.free(v.name)
        return binding.run()

    def optimizer_step(self, lr: float | None = None) -> None:
        """Change the parameters by the gradients that were accumulated.

        Parameters
        ----------
        lr : the learning rate; `learning_rate` by default.

        Raises
        ------
        MXNetError : there are no gradients.
        """
        if not self._accumulated:
            raise MXNetError("optimizer_step: there are no gradients; call train_step first")
        model = self.manifest.models["optimizer"]
        binding = Binding(self._model("optimizer"))
        scalars = {
            "learning_rate": np.float32(self.learning_rate if lr is None else lr),
            "step": np.int64(self.step + 1),
        }
        for v in model.inputs:
            if v.role in scalars:
                binding.arrays({v.name: np.full(v.shape, scalars[v.role], v.dtype)})
            else:
                binding.input(v.name, self._sums[v.of] if v.role == "gradient" else self._cells[v.name])
        moved = []
        for v in model.outputs:
            cell = self._cells[v.of] if v.in_place else self._cell_for(self._scratch, v.name, v.of)
            binding.output(v.name, cell)
            if not v.in_place:
                moved.append(v)
        binding.run()
        for v in moved:
            self._cells[v.of], self._scratch[v.name] = self._scratch[v.name], self._cells[v.of]
        self.step += 1

    def lazy_reset_grad(self) -> None:
        """The next training step begins new sums of gradients."""
        self._reset = True

    def _cell_for(self, cells: dict[str, Cell], key: str, like: str) -> Cell:
        """A cell of the type and shape of a parameter or state, made on first use."""
        if key not in cells:
            entry = self._entries[like]
            cells[key] = self._place.empty(entry.dtype, entry.shape)
        return cells[key]

    def _add(self) -> None:
        """Add the gradients of one step to the sums."""
        model = self.manifest.models["accumulation"]
        binding = Binding(self._model("accumulation"))
        for v in model.inputs:
            binding.input(v.name, (self._sums if v.role == "gradient_sum" else self._scratch)[v.of])
        for v in model.outputs:
            binding.output(v.name, self._sums[v.of])
        binding.run()

    def _bound(
        self, model: Model, name: str, batch: Batch, draw: bool = False
    ) -> tuple[Binding, dict[str, Array]]:
        """A binding of a model's inputs, and the arrays of the batch and the random key."""
        feeds = feeds_of(model, batch)
        for v in model.named("random_key"):
            if draw:
                self._draws += 1
            feeds[v.name] = np.array([self._seed, self._draws & 0xFFFFFFFF], np.uint32)
        binding = Binding(self._model(name))
        binding.arrays(feeds)
        for v in model.named("parameter"):
            binding.input(v.name, self._cells[v.name])
        return binding, feeds

    # -- numbers that are none -----------------------------------------------------------------------------------
    def _not_finite(self, loss: float, feeds: Mapping[str, Array]) -> str:
        text = f"the loss is {loss} in a training step after {self.step} updates; parameters are as they were"
        if self.trace_nonfinite:
            return f"{text}. {self._first_bad(feeds) or 'All tensors are finite when the step is run again'}"
        return f"{text}. find_nonfinite(batch), or trace_nonfinite=True, tells where it begins"

    def find_nonfinite(self, batch: Batch) -> str | None:
        """The first tensor of a training step with NaN or infinity in it, in words; None if there is none."""
        model = self.manifest.models["training"]
        feeds = feeds_of(model, batch)
        for v in model.named("random_key"):
            feeds[v.name] = np.array([self._seed, self._draws & 0xFFFFFFFF], np.uint32)
        return self._first_bad(feeds)

    def _first_bad(self, feeds: Mapping[str, Array]) -> str | None:
        model = self.manifest.models["training"]
        every = {**feeds, **{v.name: self._cells[v.name].read() for v in model.named("parameter")}}
        for name, array in every.items():
            if _is_bad(array):
                kind = "parameter" if name in self._parameters else "input"
                return f"The first tensor with NaN or infinity is the {kind} {name!r}: {_bad_elements(array)}"
        raw, what = self._artifacts.raw("training"), self._artifacts.path("training")
        found = nodes(raw, what)
        known = {v.name for v in model.outputs}
        names = list(dict.fromkeys(n for node in found for n in node.outputs))
        traced = ModelFile(
            with_outputs(raw, [n for n in names if n not in known]),
            what,
            self._place,
            self._threads,
            plain=True,
        )
        values = dict(zip(names, traced.run(names, every), strict=True))
        for node in found:
            for name in node.outputs:
                if _is_bad(values[name]):
                    origin = node.notes.get("node") or node.name
                    gradient = "the gradient of " if node.notes.get("gradient") else ""
                    return (
                        f"The first tensor with NaN or infinity is {name!r}, from {node.op_type} in {gradient}"
                        f"{origin!r} ({node.notes.get('op') or node.op_type}): {_bad_elements(values[name])}"
                    )
        return None

    # -- checkpoints -----------------------------------------------------------------------------------------------
    def save_checkpoint(
        self, path: str | os.PathLike[str] | None = None, properties: Mapping[str, Any] | None = None
    ) -> None:
        """Write parameters, states of the optimizer, the number of updates and the state of the random numbers.

        In a directory of ONNX Runtime's the file has the form of ONNX Runtime's checkpoints.

        The file takes the place of the old one only when it is complete and on the disk, so that a process may be
        killed at any moment. Gradients that were accumulated are not part of it.

        Parameters
        ----------
        path : the file; that of the directory by default.
        properties : further values, as JSON has them; `load_checkpoint` returns them.

        Raises
        ------
        OSError : the file cannot be written; the old one is unchanged.
        """
        arrays = {e.name: self._cells[e.name].read() for e in self.manifest.entries}
        notes = {
            "format": "gluon-onnx checkpoint",
            "fingerprint": self.manifest.fingerprint,
            "step": str(self.step),
            "random": f"{self._seed} {self._draws}",
            "properties": json.dumps(dict(properties or {})),
        }
        target = self._checkpoint_path(path)
        if self._artifacts.of_ort:
            from .ort_checkpoint import as_ort_checkpoint, write_ort_checkpoint

            write_ort_checkpoint(target, as_ort_checkpoint(arrays, notes, self.manifest))
        else:
            write_checkpoint(target, arrays, notes)

    def _checkpoint_path(self, path: str | os.PathLike[str] | None) -> str:
        return os.path.join(self._artifacts.folder, CHECKPOINT) if path is None else os.fspath(path)

    def load_checkpoint(self, path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """Read what `save_checkpoint` wrote; gradients are reset. Nothing is changed where it fails.

        Parameters
        ----------
        path : the file; that of the directory by default.

        Returns
        -------
        dict : the properties it was saved with.

        Raises
        ------
        MXNetError : the file is truncated, no checkpoint, or one of another model.
        OSError : it cannot be read.
        """
        where = self._checkpoint_path(path)
        if is_ort_checkpoint(where):
            from .ort_checkpoint import as_checkpoint, read_ort_checkpoint

            found = as_checkpoint(read_ort_checkpoint(where), self.manifest)
        else:
            found = read_checkpoint(where)
        try:
            properties: dict[str, Any] = json.loads(found.notes.get("properties", "{}"))
        except ValueError as e:
            raise MXNetError(f"{where}: the properties of the checkpoint are damaged ({e})") from e
        self._take(found, where)
        return properties

    def _take(self, found: Checkpoint, where: str) -> None:
        difference = self.manifest.difference(found.arrays)
        if difference:
            raise MXNetError(f"{where}: a checkpoint of another model or optimizer: {difference}")
        notes = found.notes
        try:
            step = int(notes.get("step", "0"))
            seed, draws = map(int, notes.get("random", f"{self._seed} 0").split())
        except ValueError as e:
            raise MXNetError(f"{where}: the notes of the checkpoint are damaged ({e})") from e
        self._cells = {e.name: self._place.cell(found.arrays[e.name]) for e in self.manifest.entries}
        self._sums, self._scratch, self._accumulated, self._reset = {}, {}, 0, True
        self.step, self._seed, self._draws = step, seed, draws

    # -- inference -------------------------------------------------------------------------------------------------
    def export_model_for_inferencing(
        self, path: str | os.PathLike[str], output_names: Iterable[str] | None = None
    ) -> None:
        """Write the model with the parameters as they are now, for inference.

        Parameters
        ----------
        path : the ONNX file. Parameters of more than 1.5 GB go into ``PATH.data`` beside it.
        output_names : outputs to keep; all by default.

        Raises
        ------
        MXNetError : there is no such output.
        OSError : a file cannot be written.
        """
        model, target = self.manifest.models["inference"], os.fspath(path)
        known = [v.name for v in model.outputs]
        wanted = None if output_names is None else list(output_names)
        unknown = [n for n in wanted or [] if n not in known]
        if unknown or wanted == []:
            raise MXNetError(f"output_names: expected some of {known}, got {wanted}")
        values = {v.name: self._cells[v.name].read() for v in model.named("parameter")}
        raw, what = self._artifacts.raw("inference"), self._artifacts.path("inference")
        with ExitStack() as stack:
            stream = stack.enter_context(replaced_file(target))
            data = None
            if not fits_inside(values):
                name = os.path.basename(target) + ".data"
                file = stack.enter_context(replaced_file(os.path.join(os.path.dirname(target), name)))
                data = name, file
            write_complete(raw, what, values, wanted, stream, data)


def _is_bad(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.dtype.kind == "f" and not np.isfinite(array).all()


def _bad_elements(array: Array) -> str:
    bad = ~np.isfinite(array)
    first = tuple(int(i) for i in np.argwhere(bad)[0]) if array.ndim else ()
    return f"{int(bad.sum())} of {array.size} elements, the first at {first} is {array[first]}"
