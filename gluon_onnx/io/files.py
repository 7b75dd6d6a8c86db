"""Batches of samples in files."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path
from typing import Any

import numpy as np

from ..base import MXNetError
from ..ndarray import NDArray, array
from .base import DataBatch, DataDesc, DataIter

__all__ = ["CSVIter", "MNISTIter", "MXDataIter", "read_idx"]


class MXDataIter(DataIter):
    """Base of the iterators that MXNet has in C++: one data array and one label array.

    Parameters
    ----------
    data : numpy.ndarray, shape (samples, ...)
    label : numpy.ndarray, shape (samples, ...)
    batch_size : int
    data_name, label_name : str
        Names in `provide_data` and `provide_label`.
    """

    def __init__(
        self,
        data: np.ndarray[Any, Any],
        label: np.ndarray[Any, Any],
        batch_size: int,
        data_name: str = "data",
        label_name: str = "softmax_label",
    ) -> None:
        if batch_size < 1:
            raise MXNetError(f"batch_size must be 1 or more, got {batch_size}")
        super().__init__(batch_size)
        self._data = data
        self._label = label
        self.provide_data = [DataDesc(data_name, (batch_size, *data.shape[1:]), data.dtype.type)]
        self.provide_label = [DataDesc(label_name, (batch_size, *label.shape[1:]), label.dtype.type)]
        self._rows = np.arange(0)
        self._pad = 0
        self._next_row = 0
        self._only_first = False

    def debug_skip_load(self) -> None:
        """Yield the first batch for ever, to measure what a program costs without its input."""
        self._only_first = True
        logging.info("debug_skip_load: the first batch will be returned again and again")

    def reset(self) -> None:
        self._next_row = 0

    def _advance(self) -> bool:
        """Choose the rows of the next batch; returns whether there is one."""
        raise NotImplementedError

    def iter_next(self) -> bool:
        return (self._only_first and len(self._rows) > 0) or self._advance()

    def next(self) -> DataBatch:
        if not self.iter_next():
            raise StopIteration
        return DataBatch([self.getdata()], [self.getlabel()], pad=self.getpad(), index=self.getindex())

    def getdata(self) -> NDArray:
        return array(self._data[self._rows], dtype=self._data.dtype)

    def getlabel(self) -> NDArray:
        return array(self._label[self._rows], dtype=self._label.dtype)

    def getindex(self) -> np.ndarray[Any, Any] | None:
        return self._rows.astype(np.uint64)

    def getpad(self) -> int:
        return self._pad


class CSVIter(MXDataIter):
    """Rows of comma-separated numbers.

    Parameters
    ----------
    data_csv : str
        A file, or a folder all of whose files are read in the order of their names.
    data_shape : tuple of int
        Shape of one sample.
    batch_size : int
    label_csv : str, optional
        The same for labels, which are 0 without it.
    label_shape : tuple of int
        Shape of one label; labels of shape (1,) come as batches of one dimension.
    round_batch : bool
        Fill the last batch from the beginning of the data, and begin the next pass after those samples.
        Otherwise the last batch keeps samples of the one before it.
    dtype : {'float32', 'int32', 'int64'}
    data_name, label_name : str
    prefetch_buffer, ctx, device_id, seed : optional
        Accepted for MXNet's sake; the files are read at once.

    Raises
    ------
    MXNetError
        For unreadable files, rows that do not have the given shape, or fewer labels than samples.
    """

    def __init__(
        self,
        *,
        data_csv: str,
        data_shape: tuple[int, ...],
        batch_size: int,
        label_csv: str | None = None,
        label_shape: tuple[int, ...] = (1,),
        round_batch: bool = True,
        dtype: str = "float32",
        data_name: str = "data",
        label_name: str = "softmax_label",
        prefetch_buffer: int = 4,
        ctx: Any = None,
        device_id: int = -1,
        seed: int | None = None,
    ) -> None:
        name = np.dtype(dtype).name
        if name not in ("float32", "int32", "int64"):
            raise MXNetError(f"{name} is not supported for CSVIter, only float32, int32 and int64")
        data = _read_csv(data_csv, tuple(data_shape), name)
        if label_csv is None or label_csv == "NULL":
            label = np.zeros(len(data), name)
        else:
            label = _read_csv(label_csv, tuple(label_shape), name)
            if len(label) < len(data):
                raise MXNetError(f"{label_csv} has {len(label)} rows for {len(data)} rows of {data_csv}")
            if tuple(label_shape) == (1,):
                label = label[:, 0]
        if round_batch and batch_size > len(data):
            raise MXNetError(f"{data_csv} has {len(data)} rows, fewer than a batch of {batch_size}")
        super().__init__(data, label, batch_size, data_name, label_name)
        self._round_batch = round_batch
        self._overflow = 0

    def reset(self) -> None:
        # After a batch that was filled from the beginning a pass goes on behind those samples.
        self._next_row, self._overflow = self._overflow, 0

    def _advance(self) -> bool:
        count, start = len(self._data), self._next_row
        if self._overflow or start >= count:
            return False
        stop = start + self.batch_size
        rows = np.arange(start, min(stop, count))
        self._pad = self.batch_size - len(rows)
        if self._pad:
            before = self._rows[len(rows) :] if len(self._rows) else np.zeros(self._pad, int)
            rows = np.concatenate([rows, np.arange(self._pad) if self._round_batch else before])
            self._overflow = self._pad if self._round_batch else 0
        self._rows, self._next_row = rows, stop
        return True


class MNISTIter(MXDataIter):
    """Images and labels in the files of MNIST, scaled to [0, 1) by division by 256.

    Only full batches are returned.

    Parameters
    ----------
    image, label : str
        Files in idx format, also compressed with gzip.
    batch_size : int
    shuffle : bool
        Shuffle once, by `seed`. The order is not that of MXNet, which has its own generator.
    flat : bool
        Return images as vectors instead of arrays of shape (1, height, width).
    seed : int
    silent : bool
        Do not log what was read.
    num_parts, part_index : int
        Read part `part_index` of `num_parts` only.
    data_name, label_name : str
    prefetch_buffer, ctx, device_id : optional
        Accepted for MXNet's sake.

    Raises
    ------
    MXNetError
        For files that are not in idx format.
    """

    def __init__(
        self,
        *,
        image: str = "./train-images-idx3-ubyte",
        label: str = "./train-labels-idx1-ubyte",
        batch_size: int = 128,
        shuffle: bool = True,
        flat: bool = False,
        seed: int = 0,
        silent: bool = False,
        num_parts: int = 1,
        part_index: int = 0,
        data_name: str = "data",
        label_name: str = "softmax_label",
        prefetch_buffer: int = 4,
        ctx: Any = None,
        device_id: int = -1,
    ) -> None:
        if not 0 <= part_index < num_parts:
            raise MXNetError(f"part_index {part_index} is out of bounds for {num_parts} parts")
        images, labels = read_idx(image, 3), read_idx(label, 1)
        if len(images) != len(labels):
            raise MXNetError(f"{image} has {len(images)} images, but {label} has {len(labels)} labels")
        bounds = [int(len(images) / num_parts * part) for part in (part_index, part_index + 1)]
        images, labels = images[bounds[0] : bounds[1]], labels[bounds[0] : bounds[1]]
        if shuffle:
            order = np.random.RandomState(seed).permutation(len(images))
            images, labels = images[order], labels[order]
        images, labels = images.astype(np.float32) * np.float32(1 / 256), labels.astype(np.float32)
        shape = (-1,) if flat else (1, *images.shape[1:])
        super().__init__(images.reshape(len(images), *shape), labels, batch_size, data_name, label_name)
        if not silent:
            shown = self.provide_data[0].shape
            logging.info("MNISTIter: load %d images, shuffle=%s, shape=%s", len(images), shuffle, shown)

    def _advance(self) -> bool:
        stop = self._next_row + self.batch_size
        if stop > len(self._data):
            return False
        self._rows, self._next_row = np.arange(self._next_row, stop), stop
        return True

    def getindex(self) -> None:
        return None


def _read_csv(path: str, shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
    """Return the rows of a file, or of the files in a folder, in the given shape."""
    try:
        place = Path(path)
        files = sorted(each for each in place.iterdir() if each.is_file()) if place.is_dir() else [place]
        rows = np.concatenate([np.loadtxt(each, dtype, delimiter=",", ndmin=2) for each in files])
    except (OSError, ValueError) as error:
        raise MXNetError(f"cannot read {path} as comma-separated {dtype}: {error}") from error
    if rows.shape[1] != np.prod(shape, dtype=int):
        raise MXNetError(
            f"The data size in CSV do not match size of shape: specified shape={shape}, "
            f"the csv row-length={rows.shape[1]} in {path}"
        )
    return rows.reshape(len(rows), *shape)


def read_idx(path: str | Path, ndim: int) -> np.ndarray[Any, Any]:
    """Read an array of bytes in MNIST's idx format, also compressed with gzip.

    Parameters
    ----------
    path : str
    ndim : int
        Number of dimensions the array must have.

    Returns
    -------
    numpy.ndarray of uint8

    Raises
    ------
    MXNetError
        For a file that is missing, cut off, or not in this format.
    """
    try:
        data = Path(path).read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise MXNetError(f"cannot read {path}: {error}") from error
    header = 4 + 4 * ndim
    if len(data) < header or data[:4] != bytes([0, 0, 8, ndim]):
        raise MXNetError(f"{path} is not an idx file of bytes in {ndim} dimensions")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", ndim, 4))
    if len(data) - header != np.prod(shape, dtype=int):
        raise MXNetError(f"{path} has {len(data) - header} bytes of data, not those of shape {shape}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
