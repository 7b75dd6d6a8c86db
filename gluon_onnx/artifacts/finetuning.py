"""Fine-tuning of models in files: epochs, validation, early stopping, resumption, and a verified model at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._runtime.deploy import run_file
from ..base import MXNetError
from .heads import HEAD, declared_size, network
from .manifest import Model
from .samples import Samples, open_samples
from .session import TrainingSession
from .writer import export

__all__ = ["FineTuned", "finetune"]

Array = np.ndarray[Any, Any]
Progress = Callable[[int, int, int, float], None]

_TOLERANCE = 1e-4  # of the exported model's outputs, relative to their largest element
ARTIFACTS, BEST, RESULT = "artifacts", "best", "model.onnx"


@dataclass(frozen=True)
class FineTuned:
    """What fine-tuning gave.

    Attributes
    ----------
    path : the model for inference.
    best_epoch : the epoch, from 1, whose parameters it has.
    history : for each epoch the mean loss of training, the loss of validation, and accuracy where there are classes.
    difference : between the model and the session, relative to the largest element of an output.
    resumed : number of epochs that an earlier run had done.
    """

    path: str
    best_epoch: int
    history: list[dict[str, float]]
    difference: float
    resumed: int


def finetune(
    model: Any,
    data: Any,
    out: str | os.PathLike[str],
    *,
    loss: Any = "softmax_cross_entropy",
    trainable: Any = None,
    head: int | None = None,
    features: str | None = None,
    params: str | os.PathLike[str] | None = None,
    validation: Any = 0.1,
    optimizer: str = "adam",
    lr: float = 1e-3,
    optimizer_params: Mapping[str, Any] | None = None,
    epochs: int = 10,
    batch: int = 32,
    patience: int | None = 3,
    seed: int = 0,
    size: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    ctx: Any = None,
    restart: bool = False,
    progress: Progress | None = None,
) -> FineTuned:
    """Train a model on samples and write it for inference.

    After each epoch a checkpoint is written. A run that was killed, at whatever moment, goes on from there when it is
    started again, and gives what it would have given.

    Parameters
    ----------
    model : the path of an ONNX model or a ``-symbol.json``, or a HybridBlock.
    data : an ``.npz`` file or arrays by name (one called "label"), or a folder with a folder of pictures for each
        class.
    out : the folder for ``artifacts``, the ``best`` checkpoint and ``model.onnx``.
    loss, trainable : as in `export`. With a `head` only that is trained by default.
    head : number of outputs of a new dense layer in place of the last one.
    features : the value that it reads, if not that of the last dense layer.
    params : the ``.params`` of a ``-symbol.json``.
    validation : samples, or a fraction of `data` that is kept for validation.
    optimizer, lr, optimizer_params : the optimizer.
    epochs, batch : how long to train, and the number of samples in a step.
    patience : stop when the loss of validation did not fall for as many epochs; None for never.
    seed : of the order of samples, of dropout, and of the new layer.
    size : channels, height and width of pictures, where the model does not say.
    mean, std : of pictures, on the scale 0 to 255.
    ctx : where to compute.
    restart : forget what an earlier run did.
    progress : called after each batch with the epoch from 1, batches done, batches in all, and the loss.

    Raises
    ------
    MXNetError : model and samples do not fit, the folder holds a run with other settings, a loss is not finite, or
        the outputs of the written model are not those of the session.
    """
    folder = os.fspath(out)
    settings: dict[str, Any] = {
        "model": str(model) if isinstance(model, str | os.PathLike) else type(model).__name__,
        "loss": loss if isinstance(loss, str) else type(loss).__name__,
        "trainable": trainable.__qualname__ if callable(trainable) else trainable,
        "head": head,
        "features": features,
        "optimizer": optimizer,
        "lr": lr,
        "optimizer_params": dict(optimizer_params or {}),
        "batch": batch,
        "seed": seed,
    }
    block = network(model, params, head, features, seed)
    samples = _opened(block, data, size, mean, std)
    train, held = _divided(samples, validation, seed, (samples.size or size, mean, std))
    settings["samples"] = [len(train), len(held)]
    path = os.path.join(folder, ARTIFACTS)
    if restart or not _is_begun(path):
        options: dict[str, Any] = {"loss": loss, "optimizer": optimizer}
        options["optimizer_params"] = {"learning_rate": lr, **(optimizer_params or {})}
        options["trainable"] = f"^{HEAD}" if trainable is None and head is not None else trainable
        _begin(block, path, train, settings, options)
    session = TrainingSession(path, ctx, trace_nonfinite=True)
    run = _Run(session, folder, train, held, batch, seed)
    run.resume(settings)
    return run.train(epochs, patience, settings, progress)


def _opened(block: Any, data: Any, size: Any, mean: Any, std: Any) -> Samples:
    """Samples of the size that the model declares.

    Raises
    ------
    MXNetError : they are of another size.
    """
    declared = declared_size(block)
    samples = open_samples(data, declared if size is None else size, mean, std)
    if declared is not None and samples.shapes[0] != declared:
        raise MXNetError(f"the model has samples of shape {declared}, the data of shape {samples.shapes[0]}")
    return samples


def _divided(
    samples: Samples, validation: Any, seed: int, pictures: tuple[Any, ...]
) -> tuple[Samples, Samples]:
    """Samples to train with and to validate with."""
    if not isinstance(validation, float | int):
        return samples, open_samples(validation, *pictures)
    count = round(len(samples) * validation)
    if not 0 < count < len(samples):
        raise MXNetError(
            f"validation: expected samples, or a fraction that leaves some of {len(samples)}; got {validation}"
        )
    order = np.random.default_rng([seed, 0]).permutation(len(samples))
    return samples.part(np.sort(order[count:])), samples.part(np.sort(order[:count]))


def _is_begun(path: str) -> bool:
    """Whether there are artifacts with a checkpoint of a run."""
    if not os.path.exists(os.path.join(path, "manifest.json")):
        return False
    return "settings" in TrainingSession(path).load_checkpoint()


def _begin(block: Any, path: str, train: Samples, settings: dict[str, Any], options: dict[str, Any]) -> None:
    """Write the artifacts, and a checkpoint before the first epoch.

    Parameters
    ----------
    options : arguments of `export`.
    """
    kinds = [x.dtype if x.dtype.kind != "f" else np.dtype(np.float32) for x in train.data.values()]
    inputs = [
        ((settings["batch"], *shape), dt)
        for shape, dt in zip(train.shapes, kinds or [np.dtype(np.float32)], strict=True)
    ]
    export(block, path=path, inputs=inputs, freeze_statistics=True, **options)
    session = TrainingSession(path, seed=settings["seed"])
    session.save_checkpoint(properties={"settings": settings, "history": []})


class _Run:
    """One run: the session, the samples, and what was reached so far."""

    def __init__(
        self, session: TrainingSession, folder: str, train: Samples, held: Samples, batch: int, seed: int
    ) -> None:
        self.session = session
        self.folder = folder
        self.samples = train
        self.held = held
        self.batch = batch
        self.seed = seed
        self.history: list[dict[str, float]] = []
        self.resumed = 0
        self._model = session.manifest.models["training"]
        sizes = {v.shape[0] for v in self._model.named("data") if v.shape}
        self._fixed = not all(isinstance(d, str) for d in sizes)

    def resume(self, settings: dict[str, Any]) -> None:
        """Take up what the checkpoint says.

        Raises
        ------
        MXNetError : it is one of a run with other settings.
        """
        found = self.session.load_checkpoint()
        wanted = json.loads(json.dumps(settings))
        other = [k for k in wanted if found["settings"].get(k) != wanted[k]]
        if other:
            had = {k: found["settings"].get(k) for k in other}
            raise MXNetError(
                f"{self.folder}: holds a run with other settings, {had}; continue with them, or restart"
            )
        self.history = list(found["history"])
        self.resumed = len(self.history)

    @property
    def best(self) -> int:
        """The epoch, from 1, with the lowest loss of validation."""
        return 1 + int(np.argmin([h["validation_loss"] for h in self.history]))

    def train(
        self, epochs: int, patience: int | None, settings: dict[str, Any], progress: Progress | None
    ) -> FineTuned:
        """Train the epochs that are left, and write the model."""
        best = os.path.join(self.folder, BEST)
        while len(self.history) < epochs:
            epoch = len(self.history) + 1
            if self.history and patience is not None and epoch - 1 - self.best >= patience:
                break
            row = {"loss": self._epoch(epoch, progress), **self._validate()}
            self.history.append(row)
            if self.best == epoch:
                self.session.save_checkpoint(best, {"epoch": epoch})
            self.session.save_checkpoint(properties={"settings": settings, "history": self.history})
        if not self.history:
            raise MXNetError(f"epochs: expected 1 or more, got {epochs}")
        self.session.load_checkpoint(best)
        target = os.path.join(self.folder, RESULT)
        return FineTuned(target, self.best, self.history, self._written(target), self.resumed)

    def _batches(self, samples: Samples, order: Array) -> Iterator[list[Array]]:
        end = len(order) // self.batch * self.batch if self._fixed else len(order)
        if not end:
            raise MXNetError(
                f"the batch size {self.batch} is fixed by the model, and there are {len(order)} samples"
            )
        for start in range(0, end, self.batch):
            yield _as(self._model, samples.take(order[start : start + self.batch]))

    def _epoch(self, epoch: int, progress: Progress | None) -> float:
        """The mean loss of one epoch."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.samples))
        batches = -(-len(order) // self.batch)
        losses = []
        for done, arrays in enumerate(self._batches(self.samples, order), 1):
            losses.append(self.session.train_step(arrays))
            self.session.optimizer_step()
            self.session.lazy_reset_grad()
            if progress is not None:
                progress(epoch, done, batches, losses[-1])
        return float(np.mean(losses))

    def _validate(self) -> dict[str, float]:
        """Loss, and accuracy where labels are numbers of classes."""
        total = right = count = 0.0
        classes = False
        for arrays in self._batches(self.held, np.arange(len(self.held))):
            loss, outputs = self.session.eval_step(arrays, outputs=True)
            label, scores = arrays[-1], next(iter(outputs.values()))
            total, count = total + loss * len(label), count + len(label)
            classes = scores.ndim == 2 and label.shape == scores.shape[:1]
            if classes:
                right += float((scores.argmax(1) == label).sum())
        found = {"validation_loss": total / count}
        return {**found, "accuracy": right / count} if classes else found

    def _written(self, target: str) -> float:
        """Write the model and compare it with the session; returns the difference."""
        self.session.export_model_for_inferencing(target)
        arrays = next(self._batches(self.held, np.arange(len(self.held))))
        feeds = dict(zip(self.session.inputs, arrays, strict=False))
        model = self.session.manifest.models["inference"]
        feeds = {v.name: feeds[v.name] for v in model.named("data")}
        expected = self.session.predict(feeds)
        keys = {v.name: np.zeros(2, np.uint32) for v in model.named("random_key")}
        worst = 0.0
        for y, got in zip(expected.values(), run_file(target, [{**feeds, **keys}])[0], strict=True):
            worst = max(worst, float(np.abs(got - y).max()) / max(float(np.abs(y).max()), 1e-30))
        if not keys and not worst <= _TOLERANCE:
            raise MXNetError(
                f"{target}: the outputs of the written model are not those of the session: relative difference "
                f"{worst:.3g}"
            )
        return worst


def _as(model: Model, arrays: Sequence[Array]) -> list[Array]:
    """Arrays in the element types of the model's inputs, labels in the shape of its labels."""
    wanted = [*model.named("data"), *model.named("label")]
    if len(arrays) != len(wanted):
        names = [f"{v.role} {v.name!r}" for v in wanted]
        raise MXNetError(f"the model has {', '.join(names)}; there are samples for {len(arrays)}")
    result = []
    for v, x in zip(wanted, arrays, strict=True):
        if v.role == "label" and x.ndim == len(v.shape) + 1 and x.shape[-1] == 1:
            x = x[..., 0]
        result.append(x.astype(v.dtype, copy=False))
    return result
