"""Image data sets in files on this machine: MNIST, CIFAR, folders and record files of images."""

from __future__ import annotations

import os
import tarfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .... import image, ndarray, recordio
from ....base import MXNetError
from ....io.files import read_idx
from ..dataset import Dataset, RecordFileDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "FashionMNIST",
    "ImageFolderDataset",
    "ImageListDataset",
    "ImageRecordDataset",
]


def _default_root(name: str) -> str:
    home = os.environ.get("MXNET_HOME") or os.path.join("~", ".mxnet")
    return os.path.join(home, "datasets", name)


class _FilesDataset(Dataset):
    """Images in one NDArray, labels in one NumPy array, read from files in a folder."""

    _data: Any
    _label: Any

    def __init__(self, root: str, train: bool, transform: Callable[..., Any] | None) -> None:
        self._root = Path(root).expanduser()
        self._train = train
        self._transform = transform
        data, label = self._read()
        self._data = ndarray.array(data, dtype=data.dtype)
        self._label = label

    def _read(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        raise NotImplementedError

    def _find(self, name: str) -> Path | None:
        """The file of that name in the folder or, as archives lay them out, in a folder in it."""
        here = self._root / name
        return here if here.is_file() else next(iter(sorted(self._root.glob(f"*/{name}"))), None)

    def _missing(self, names: str) -> MXNetError:
        kind = type(self).__name__
        return MXNetError(f"{kind}: expected {names} in {self._root}; put the files of the data set there")

    def __getitem__(self, idx: Any) -> Any:
        if self._transform is not None:
            return self._transform(self._data[idx], self._label[idx])
        return self._data[idx], self._label[idx]

    def __len__(self) -> int:
        return len(self._label)


class MNIST(_FilesDataset):
    """Handwritten digits, uint8 images of shape (28, 28, 1) with int32 labels.

    Nothing is downloaded: the files ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
    ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, with or without ``.gz``, must be there.

    Parameters
    ----------
    root : str
        Folder of the files.
    train : bool
        The 60,000 training or the 10,000 test samples.
    transform : callable (image, label), optional
        Makes a sample.

    Raises
    ------
    MXNetError
        When a file is missing or damaged.
    """

    def __init__(
        self,
        root: str = _default_root("mnist"),
        train: bool = True,
        transform: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(root, train, transform)

    def _read(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        part = "train" if self._train else "t10k"
        images = read_idx(self._file(f"{part}-images-idx3-ubyte"), 3)
        labels = read_idx(self._file(f"{part}-labels-idx1-ubyte"), 1)
        if len(images) != len(labels):
            raise MXNetError(
                f"{type(self).__name__}: {len(images)} images, but {len(labels)} labels in {self._root}"
            )
        return images[..., np.newaxis], labels.astype(np.int32)

    def _file(self, name: str) -> Path:
        path = self._find(name) or self._find(f"{name}.gz")
        if path is None:
            raise self._missing(f"{name} or {name}.gz")
        return path


class FashionMNIST(MNIST):
    """Pictures of clothes in the format of `MNIST`, and with the same names of files.

    Parameters
    ----------
    root : str
        Folder of the files.
    train : bool
        The 60,000 training or the 10,000 test samples.
    transform : callable (image, label), optional
        Makes a sample.
    """

    def __init__(
        self,
        root: str = _default_root("fashion-mnist"),
        train: bool = True,
        transform: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(root, train, transform)


class CIFAR10(_FilesDataset):
    """Pictures of ten kinds of things, uint8 images of shape (32, 32, 3) with int32 labels.

    Nothing is downloaded: the binary version's files ``data_batch_1.bin`` to ``data_batch_5.bin`` and
    ``test_batch.bin``, or the archive ``cifar-10-binary.tar.gz``, must be there.

    Parameters
    ----------
    root : str
        Folder of the files.
    train : bool
        The 50,000 training or the 10,000 test samples.
    transform : callable (image, label), optional
        Makes a sample.

    Raises
    ------
    MXNetError
        When a file is missing or damaged.
    """

    _archive = "cifar-10-binary.tar.gz"
    _train_files: tuple[str, ...] = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
    _test_files: tuple[str, ...] = ("test_batch.bin",)
    _labels = 1  # bytes before each image
    _label_byte = 0

    def __init__(
        self,
        root: str = _default_root("cifar10"),
        train: bool = True,
        transform: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(root, train, transform)

    def _read(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        row = self._labels + 3072
        contents = self._contents(self._train_files if self._train else self._test_files)
        for name, data in contents.items():
            if len(data) % row or not data:
                raise MXNetError(
                    f"{type(self).__name__}: {name} has {len(data)} bytes, not a multiple of {row}"
                )
        rows = np.frombuffer(b"".join(contents.values()), np.uint8).reshape(-1, row)
        images = rows[:, self._labels :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(images), rows[:, self._label_byte].astype(np.int32)

    def _contents(self, names: tuple[str, ...]) -> dict[str, bytes]:
        paths = {name: self._find(name) for name in names}
        if None not in paths.values():
            return {name: path.read_bytes() for name, path in paths.items() if path is not None}
        archive = self._find(self._archive)
        if archive is None:
            raise self._missing(f"{', '.join(names)} or {self._archive}")
        found: dict[str, bytes] = {}
        with tarfile.open(archive) as tar:
            for member in tar:
                stream = tar.extractfile(member)
                if stream is not None:
                    found[os.path.basename(member.name)] = stream.read()
        missing = [name for name in names if name not in found]
        if missing:
            raise MXNetError(f"{type(self).__name__}: {archive} does not hold {missing[0]}")
        return {name: found[name] for name in names}


class CIFAR100(CIFAR10):
    """Pictures of a hundred kinds of things in twenty groups, in the format of `CIFAR10`.

    The files are ``train.bin`` and ``test.bin``, or the archive ``cifar-100-binary.tar.gz``.

    Parameters
    ----------
    root : str
        Folder of the files.
    fine_label : bool
        Labels are the kinds, otherwise the groups.
    train : bool
        The 50,000 training or the 10,000 test samples.
    transform : callable (image, label), optional
        Makes a sample.
    """

    _archive = "cifar-100-binary.tar.gz"
    _train_files = ("train.bin",)
    _test_files = ("test.bin",)
    _labels = 2

    def __init__(
        self,
        root: str = _default_root("cifar100"),
        fine_label: bool = False,
        train: bool = True,
        transform: Callable[..., Any] | None = None,
    ) -> None:
        self._label_byte = int(fine_label)
        super().__init__(root, train, transform)


class ImageRecordDataset(RecordFileDataset):
    """Packed images in a RecordIO file: (image, label), the image uint8 of shape (height, width, channels).

    Parameters
    ----------
    filename : str
        A ``.rec`` file with its ``.idx`` beside it.
    flag : {0, 1}
        Decode as grey or as RGB images.
    transform : callable (image, label), optional
        Makes a sample.
    """

    def __init__(self, filename: str, flag: int = 1, transform: Callable[..., Any] | None = None) -> None:
        super().__init__(filename)
        self._flag = flag
        self._transform = transform

    def __getitem__(self, idx: int) -> Any:
        header, contents = recordio.unpack(super().__getitem__(idx))
        picture = image.imdecode(contents, self._flag)
        return (
            self._transform(picture, header.label) if self._transform is not None else (picture, header.label)
        )


class ImageFolderDataset(Dataset):
    """Images in folders, one for each class: (image, class).

    Attributes ``synsets``, the names of the folders in order, and ``items``, pairs (path, class).

    Parameters
    ----------
    root : str
        Folder of the folders; files that are not ``.jpg``, ``.jpeg`` or ``.png`` are ignored with a warning.
    flag : {0, 1}
        Read as grey or as RGB images.
    transform : callable (image, label), optional
        Makes a sample.
    """

    _exts = (".jpg", ".jpeg", ".png")

    def __init__(self, root: str, flag: int = 1, transform: Callable[..., Any] | None = None) -> None:
        self._root = os.path.expanduser(root)
        self._flag = flag
        self._transform = transform
        self.synsets: list[str] = []
        self.items: list[tuple[str, int]] = []
        for folder in sorted(os.listdir(self._root)):
            path = os.path.join(self._root, folder)
            if not os.path.isdir(path):
                warnings.warn(f"Ignoring {path}, which is not a directory.", stacklevel=2)
                continue
            self._list(path, len(self.synsets))
            self.synsets.append(folder)

    def _list(self, folder: str, label: int) -> None:
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            ext = os.path.splitext(name)[1]
            if ext.lower() in self._exts:
                self.items.append((path, label))
            else:
                only = ", ".join(self._exts)
                warnings.warn(f"Ignoring {path} of type {ext}. Only support {only}", stacklevel=3)

    def __getitem__(self, idx: int) -> Any:
        path, label = self.items[idx]
        picture = image.imread(path, self._flag)
        return self._transform(picture, label) if self._transform is not None else (picture, label)

    def __len__(self) -> int:
        return len(self.items)


class ImageListDataset(Dataset):
    """Images that a list names: (image, labels), where the labels are a float32 NumPy array.

    Parameters
    ----------
    root : str
        Folder that paths of images are relative to.
    imglist : str or list
        A file in `root` with a line ``number label ... path`` for each image, separated by tabs or spaces; or a list
        whose entries are a label, several or a list of labels, and the path at the end.
    flag : {0, 1}
        Read as grey or as RGB images.

    Raises
    ------
    ValueError
        An entry has no label or no path, or there is no list.
    """

    def __init__(self, root: str = ".", imglist: str | Sequence[Any] | None = None, flag: int = 1) -> None:
        self._root = os.path.expanduser(root)
        self._flag = flag
        if isinstance(imglist, str):
            lines = Path(self._root, imglist).read_text(encoding="utf-8").splitlines()
            entries = [
                (line.split("\t" if "\t" in line else None)[1:], line) for line in lines if line.strip()
            ]
        elif isinstance(imglist, list | tuple):
            entries = [(list(entry), entry) for entry in imglist]
        else:
            raise ValueError(f"imglist: expected the name of a file or a list, got {imglist!r}")
        self.items = [self._item(parts, what) for parts, what in entries]

    def _item(self, parts: list[Any], what: Any) -> tuple[str, np.ndarray[Any, Any]]:
        labels = parts[0] if len(parts) == 2 else parts[:-1]
        if len(parts) < 2 or not isinstance(parts[-1], str):
            raise ValueError(f"imglist: expected labels and the path of an image, got {what!r}")
        return os.path.join(self._root, parts[-1]), np.atleast_1d(np.asarray(labels, np.float32))

    def __getitem__(self, idx: int) -> Any:
        path, labels = self.items[idx]
        return image.imread(path, self._flag), labels

    def __len__(self) -> int:
        return len(self.items)
