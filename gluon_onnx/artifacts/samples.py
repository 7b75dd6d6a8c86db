"""Samples for fine-tuning: arrays, or pictures in folders."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..base import MXNetError

__all__ = ["Samples", "open_samples"]

Array = np.ndarray[Any, Any]

_LABELS = ("label", "labels", "y", "target")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


@dataclass
class Samples:
    """Samples by number: inputs and labels.

    Attributes
    ----------
    data : arrays by the names of inputs, or nothing where there are pictures.
    labels : arrays by the names of labels.
    pictures : paths of pictures.
    classes : names of the classes, where folders tell them.
    size, mean, std : of pictures: channels, height and width; normalization.
    """

    data: dict[str, Array]
    labels: dict[str, Array]
    pictures: Sequence[str] = ()
    classes: Sequence[str] = ()
    size: tuple[int, ...] = ()
    mean: Array = field(default_factory=lambda: np.zeros(1, np.float32))
    std: Array = field(default_factory=lambda: np.ones(1, np.float32))

    def __len__(self) -> int:
        return len(next(iter(self.labels.values())))

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of one sample's inputs."""
        return [self.size] if self.pictures else [x.shape[1:] for x in self.data.values()]

    def take(self, numbers: Sequence[int] | Array) -> list[Array]:
        """A batch: inputs, then labels."""
        index = np.asarray(numbers)
        labels = [y[index] for y in self.labels.values()]
        if self.pictures:
            return [np.stack([self._picture(self.pictures[i]) for i in index]), *labels]
        return [*(x[index] for x in self.data.values()), *labels]

    def part(self, numbers: Array) -> Samples:
        """Some of the samples."""
        return Samples(
            {n: x[numbers] for n, x in self.data.items()},
            {n: y[numbers] for n, y in self.labels.items()},
            [self.pictures[i] for i in numbers] if self.pictures else (),
            self.classes,
            self.size,
            self.mean,
            self.std,
        )

    def _picture(self, path: str) -> Array:
        from .. import image

        channels, height, width = self.size
        picture = image.imread(path, flag=1 if channels == 3 else 0)
        pixels = np.asarray(image.imresize(picture, width, height).asnumpy(), np.float32)
        shown: Array = ((pixels.transpose(2, 0, 1) - self.mean) / self.std).astype(np.float32)
        return shown


def open_samples(
    data: Any,
    size: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Samples:
    """Samples from a ``.npz`` file, arrays by name, or a folder with a folder of pictures for each class.

    Arrays called label, labels, y or target are labels, all others inputs, in their order.

    Parameters
    ----------
    size : channels, height and width that pictures are brought to.
    mean, std : of pictures' channels, on the scale 0 to 255.

    Raises
    ------
    MXNetError : there are no samples, or arrays do not fit together.
    """
    if isinstance(data, Samples):
        return data
    if isinstance(data, Mapping):
        return _of_arrays({str(k): np.asarray(v) for k, v in data.items()}, "data")
    path = os.fspath(data)
    if os.path.isdir(path):
        return _of_folder(path, size, mean, std)
    try:
        with np.load(path, allow_pickle=False) as stored:
            return _of_arrays({n: stored[n] for n in stored.files}, path)
    except (ValueError, AttributeError, zipfile.BadZipFile) as e:
        raise MXNetError(f"{path}: expected a folder, or an .npz file with arrays ({e})") from e


def _of_arrays(arrays: Mapping[str, Array], where: str) -> Samples:
    labels = {n: x for n, x in arrays.items() if n in _LABELS}
    inputs = {n: x for n, x in arrays.items() if n not in labels}
    if not labels or not inputs:
        raise MXNetError(
            f"{where}: expected arrays for inputs and one called {', '.join(_LABELS[:-1])} or {_LABELS[-1]}; "
            f"got {sorted(arrays)}"
        )
    lengths = {n: len(x) if x.ndim else 0 for n, x in arrays.items()}
    if len(set(lengths.values())) != 1 or not min(lengths.values()):
        raise MXNetError(f"{where}: expected arrays with as many samples each, got {lengths}")
    return Samples(inputs, labels)


def _of_folder(
    path: str, size: Sequence[int] | None, mean: Sequence[float] | None, std: Sequence[float] | None
) -> Samples:
    classes = sorted(d for d in os.listdir(path) if os.path.isdir(os.path.join(path, d)))
    pictures, numbers = [], []
    for number, name in enumerate(classes):
        for file in sorted(os.listdir(os.path.join(path, name))):
            if file.lower().endswith(_PICTURES):
                pictures.append(os.path.join(path, name, file))
                numbers.append(number)
    if not pictures:
        raise MXNetError(f"{path}: expected a folder with a folder of pictures for each class")
    if size is None or len(size) != 3 or size[0] not in (1, 3):
        raise MXNetError(
            f"{path}: expected an input of 1 or 3 channels, height and width for pictures, got {size}"
        )
    scale = [
        np.asarray(default if v is None else v, np.float32) for v, default in ((mean, [0.0]), (std, [1.0]))
    ]
    if any(v.size not in (1, size[0]) for v in scale):
        raise MXNetError(f"mean and std: expected one number, or one for each of {size[0]} channels")
    labels = np.asarray(numbers, np.float32)
    mean_, std_ = (v.reshape(-1, 1, 1) for v in scale)
    return Samples({}, {"label": labels}, pictures, classes, tuple(size), mean_, std_)
