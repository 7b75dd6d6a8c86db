"""The manifest of training artifacts: what each model's inputs and outputs are."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..base import MXNetError

__all__ = ["Entry", "Manifest", "Model", "OptimizerInfo", "Parameter", "Value", "read_manifest"]

FORMAT = "gluon-onnx training artifacts"
VERSION = 1
FILE = "manifest.json"


@dataclass(frozen=True)
class Value:
    """An input or output of a model.

    Attributes
    ----------
    role : of inputs "data", "label", "parameter", "gradient", "gradient_sum", "state", "learning_rate", "step",
        "random_key"; of outputs "loss", "output", "gradient", "update".
    shape : texts are sizes that are known at run time; equal texts are equal sizes.
    of : the parameter or state that it belongs to or replaces.
    in_place : an update that may be written into the memory of what it replaces.
    """

    name: str
    role: str
    dtype: str
    shape: tuple[int | str, ...]
    description: str
    of: str = ""
    in_place: bool = False


@dataclass(frozen=True)
class Model:
    """A model of the directory."""

    file: str
    description: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]

    def named(self, role: str, outputs: bool = False) -> list[Value]:
        """Its inputs, or outputs, in a role."""
        return [v for v in (self.outputs if outputs else self.inputs) if v.role == role]


@dataclass(frozen=True)
class Entry:
    """An array of the checkpoint."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def text(self) -> str:
        """Type and shape, for messages."""
        return f"{self.dtype}{list(self.shape)}"


@dataclass(frozen=True)
class Parameter(Entry):
    """A parameter of the model.

    Attributes
    ----------
    trainable : the optimizer changes it.
    updated : each training step changes it, as running statistics.
    states : names of the optimizer's states for it.
    """

    trainable: bool = False
    updated: bool = False
    states: tuple[str, ...] = ()


@dataclass(frozen=True)
class OptimizerInfo:
    """The optimizer: its name, its settings, and the learning rate to start with."""

    name: str
    learning_rate: float
    settings: Mapping[str, Any]
    lr_mult: Mapping[str, float] = field(default_factory=dict)
    wd: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """All that a program needs to know to train with the models of a directory."""

    producer: str
    loss: str
    optimizer: OptimizerInfo
    parameters: tuple[Parameter, ...]
    states: tuple[Entry, ...]
    models: Mapping[str, Model]

    @property
    def entries(self) -> list[Entry]:
        """The arrays of the checkpoint."""
        return [*self.parameters, *self.states]

    @property
    def fingerprint(self) -> str:
        """Says which models a checkpoint fits: names, types and shapes of its arrays."""
        text = json.dumps(sorted([e.name, e.dtype, list(e.shape)] for e in self.entries))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """The text of the file."""
        head = {"format": FORMAT, "version": VERSION, "fingerprint": self.fingerprint}
        return json.dumps({**head, **asdict(self)}, indent=1) + "\n"

    def difference(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> str:
        """How the arrays of a checkpoint differ from what is expected; empty if they do not."""
        wanted = {e.name: e.text for e in self.entries}
        found = {n: f"{x.dtype.name}{list(x.shape)}" for n, x in arrays.items()}
        parts = []
        for title, names in (
            ("it lacks", [n for n in wanted if n not in found]),
            ("it has besides", [n for n in found if n not in wanted]),
        ):
            if names:
                more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                parts.append(f"{title} {', '.join(names[:3])}{more}")
        for n in wanted:
            if n in found and found[n] != wanted[n]:
                parts.append(f"{n} is {found[n]}, expected {wanted[n]}")
                break
        return "; ".join(parts)


def _shape(dims: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(d if isinstance(d, str) else int(d) for d in dims)


def _value(d: Mapping[str, Any]) -> Value:
    return Value(**{**d, "shape": _shape(d["shape"])})


def _model(d: Mapping[str, Any]) -> Model:
    inputs, outputs = (tuple(map(_value, d[k])) for k in ("inputs", "outputs"))
    return Model(d["file"], d["description"], inputs, outputs)


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """The manifest of a directory.

    Raises
    ------
    MXNetError : it is damaged, or of a newer version.
    OSError : there is none.
    """
    path = os.path.join(os.fspath(folder), FILE)
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    try:
        d = json.loads(text)
        if d.get("format") != FORMAT:
            raise ValueError(f"its format is {d.get('format')!r}")
        if d["version"] != VERSION:
            raise MXNetError(f"{path}: version {d['version']}; this release reads version {VERSION}")
        return Manifest(
            d["producer"],
            d["loss"],
            OptimizerInfo(**d["optimizer"]),
            tuple(
                Parameter(**{**p, "shape": _shape(p["shape"]), "states": tuple(p["states"])})
                for p in d["parameters"]
            ),
            tuple(Entry(**{**e, "shape": _shape(e["shape"])}) for e in d["states"]),
            {k: _model(m) for k, m in d["models"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise MXNetError(f"{path}: not a manifest of training artifacts, or a damaged one ({e})") from e
