"""An iterator over images in record files, or in single files that a list names."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from .. import recordio
from ..base import MXNetError, numeric_types
from ..io import DataBatch, DataIter
from ..ndarray import NDArray
from .augmenters import Augmenter, CreateAugmenter
from .image import imdecode

__all__ = ["ImageIter"]

Sample = tuple[Any, bytes]  # label, encoded image


class ImageIter(DataIter):
    """Batches of augmented images.

    Parameters
    ----------
    batch_size : int
    data_shape : (3, height, width)
        Of the images in a batch.
    label_width : int
        Numbers in a label.
    path_imgrec, path_imgidx : str, optional
        Record file, and its index, which shuffling and parts need.
    path_imglist : str, optional
        File with the lines ``number<tab>label...<tab>path``; with a record file its labels replace those there.
    imglist : list, optional
        ``[label, path]`` for each image; the label is a number or a list of them.
    path_root : str, optional
        Folder of the paths.
    shuffle : bool
        A new order in every pass.
    part_index, num_parts : int
        Use only one of so many parts of the images.
    aug_list : list of Augmenter, optional
        By default `CreateAugmenter` makes them, with `kwargs`.
    data_name, label_name : str
        Names of the batches' arrays.
    dtype : "int32", "int64", "float32" or "float64"
        Of the labels in lists.
    last_batch_handle : "pad", "discard" or "roll_over"
        What happens to images that do not fill a batch: it is filled from the beginning, or they are left out, or
        they come first in the next pass.

    Raises
    ------
    ValueError : parameters do not fit together.
    """

    def __init__(
        self,
        batch_size: int,
        data_shape: tuple[int, int, int],
        label_width: int = 1,
        path_imgrec: str | None = None,
        path_imglist: str | None = None,
        path_root: str | None = None,
        path_imgidx: str | None = None,
        shuffle: bool = False,
        part_index: int = 0,
        num_parts: int = 1,
        aug_list: Sequence[Augmenter] | None = None,
        imglist: Any = None,
        data_name: str = "data",
        label_name: str = "softmax_label",
        dtype: str = "float32",
        last_batch_handle: str = "pad",
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size)
        if not (path_imgrec or path_imglist or isinstance(imglist, list)):
            raise ValueError("ImageIter needs path_imgrec, path_imglist, or a list as imglist")
        if dtype not in ("int32", "float32", "int64", "float64"):
            raise ValueError(f"dtype of labels must be int32, int64, float32 or float64, got {dtype!r}")
        if last_batch_handle not in ("pad", "discard", "roll_over"):
            raise ValueError(
                f"last_batch_handle must be 'pad', 'discard' or 'roll_over', got {last_batch_handle!r}"
            )
        self.check_data_shape(data_shape)
        self.data_shape = data_shape
        self.label_width = label_width
        self.shuffle = shuffle
        self.last_batch_handle = last_batch_handle
        self.path_root = path_root
        self.provide_data = [(data_name, (batch_size, *data_shape))]
        self.provide_label = [(label_name, (batch_size, label_width) if label_width > 1 else (batch_size,))]
        self.imglist: dict[Any, tuple[NDArray, str]] | None = None
        if path_imglist:
            self.imglist = _read_list(path_imglist, dtype)
        elif isinstance(imglist, list):
            self.imglist = {str(i): (_label(row, dtype), row[-1]) for i, row in enumerate(imglist, 1)}
        self.imgrec: Any = None
        if path_imgrec and path_imgidx:
            self.imgrec = recordio.MXIndexedRecordIO(path_imgidx, path_imgrec, "r")
        elif path_imgrec:
            self.imgrec = recordio.MXRecordIO(path_imgrec, "r")
        self.seq = self._sequence(path_imgidx, part_index, num_parts)
        self.num_image = len(self.seq) if self.seq is not None else None
        self.auglist = list(CreateAugmenter(data_shape, **kwargs) if aug_list is None else aug_list)
        self.cur = 0
        self._ended = False  # whether the last batch of this pass has been given
        self._rest: list[tuple[np.ndarray[Any, Any], Any]] = []  # samples that come first in the next pass
        self.reset()

    def _sequence(self, path_imgidx: str | None, part_index: int, num_parts: int) -> list[Any] | None:
        """The keys of the images in order; None where a record file is read from beginning to end."""
        if self.imgrec is None:
            keys = list(self.imglist or ())
        elif path_imgidx:
            keys = list(self.imgrec.keys)
        elif self.shuffle or num_parts > 1:
            raise ValueError(
                "ImageIter: shuffle and num_parts need the index of the record file (path_imgidx)"
            )
        else:
            return None
        if num_parts > 1:
            if not 0 <= part_index < num_parts:
                raise ValueError(f"part_index must be 0 to {num_parts - 1}, got {part_index}")
            size = len(keys) // num_parts
            keys = keys[part_index * size : (part_index + 1) * size]
        return keys

    # -- passes ----------------------------------------------------------------------------------------------
    def reset(self) -> None:
        """Go back to the first image; those that roll over stay."""
        if self.seq is not None and self.shuffle:
            random.shuffle(self.seq)
        if self.imgrec is not None:
            self.imgrec.reset()
        self.cur = 0
        self._ended = False

    def hard_reset(self) -> None:
        """Go back to the first image; those that would roll over are forgotten."""
        self._rest = []
        self.reset()

    def next_sample(self) -> Sample:
        """Label and encoded image of the next sample.

        Raises
        ------
        StopIteration : the pass is over.
        """
        if self.seq is None:
            record = self.imgrec.read()
            if record is None:
                raise StopIteration
            header, image = recordio.unpack(record)
            return header.label, image
        if self.cur >= len(self.seq):
            raise StopIteration
        key = self.seq[self.cur]
        self.cur += 1
        if self.imgrec is None:
            assert self.imglist is not None
            label, name = self.imglist[key]
            return label, self.read_image(name)
        header, image = recordio.unpack(self.imgrec.read_idx(key))
        return (header.label if self.imglist is None else self.imglist[key][0]), image

    def _augmented(self) -> tuple[np.ndarray[Any, Any], Any] | None:
        """The next image, ready for a batch, and its label; None at the end of the pass."""
        while True:
            try:
                label, encoded = self.next_sample()
            except StopIteration:
                return None
            image = self.imdecode(encoded)
            try:
                self.check_valid_image(image)
            except RuntimeError as e:
                logging.debug("Invalid image, skipping: %s", e)
                continue
            image = self.postprocess_data(self.augmentation_transform(image))
            return image.asnumpy(), label

    def next(self) -> DataBatch:
        """Return the next batch.

        Raises
        ------
        StopIteration : the pass is over.
        MXNetError : the augmenters give images of another shape than `data_shape`.
        """
        if self._ended:
            raise StopIteration
        samples, self._rest = self._rest, []
        while len(samples) < self.batch_size and (sample := self._augmented()) is not None:
            samples.append(sample)
        pad = self.batch_size - len(samples)
        if pad:
            self._ended = True
            if not samples or self.last_batch_handle == "discard":
                raise StopIteration
            if self.last_batch_handle == "roll_over":
                self._rest = samples
                raise StopIteration
            self._fill(samples)
        data = np.empty((self.batch_size, *self.data_shape), np.float32)
        label = np.empty(self.provide_label[0][1], np.float32)
        for i, (image, value) in enumerate(samples):
            if image.shape != self.data_shape:
                raise MXNetError(f"ImageIter: expected images of shape {self.data_shape}, got {image.shape}")
            data[i] = image
            label[i] = np.reshape(value.asnumpy() if isinstance(value, NDArray) else value, label.shape[1:])
        return DataBatch([nd.array(data)], [nd.array(label)], pad=pad)

    def _fill(self, samples: list[tuple[np.ndarray[Any, Any], Any]]) -> None:
        """Fill a batch with images from the beginning, as often as it takes.

        Raises
        ------
        MXNetError : no image is valid any more.
        """
        before = -1
        while len(samples) < self.batch_size:
            sample = self._augmented()
            if sample is not None:
                samples.append(sample)
                continue
            if before == len(samples):
                raise MXNetError("ImageIter: there is no valid image to fill the batch with")
            before, self.cur = len(samples), 0
            if self.imgrec is not None:
                self.imgrec.reset()

    # -- steps, which subclasses may replace -------------------------------------------------------------------
    def check_data_shape(self, data_shape: Sequence[int]) -> None:
        """Check that images shall have 3 channels.

        Raises
        ------
        ValueError : not so.
        """
        if len(data_shape) != 3 or data_shape[0] != 3:
            raise ValueError(f"data_shape must be (3, height, width), got {tuple(data_shape)}")

    def check_valid_image(self, data: NDArray) -> None:
        """Check a decoded image; an invalid one is skipped.

        Raises
        ------
        RuntimeError : it has no pixels.
        """
        if not data.size:
            raise RuntimeError(f"an image of shape {data.shape}")

    def imdecode(self, s: bytes) -> NDArray:
        """Decode an image.

        Raises
        ------
        RuntimeError : it is broken; the message says which one.
        """
        try:
            return imdecode(s)
        except MXNetError as e:
            raise RuntimeError(f"Broken image {self._where()}, {e}") from e

    def _where(self) -> str:
        if self.seq is None:
            return "in the record file"
        key = self.seq[self.cur - 1]
        return f"index: {key}" if self.imglist is None else f"filename: {self.imglist[key][1]}"

    def read_image(self, fname: str) -> bytes:
        """The bytes of an image file below `path_root`."""
        with open(os.path.join(self.path_root or "", fname), "rb") as f:
            return f.read()

    def augmentation_transform(self, data: NDArray) -> NDArray:
        """Apply the augmenters to an image."""
        for augmenter in self.auglist:
            data = augmenter(data)
        return data

    def postprocess_data(self, datum: NDArray) -> NDArray:
        """Bring an image into the form (channels, height, width)."""
        result: NDArray = nd.transpose(datum, axes=(2, 0, 1))
        return result


def _label(row: Sequence[Any], dtype: str) -> NDArray:
    """The label in a row of a list: all but the path."""
    if len(row) > 2:
        return nd.array(row[:-1], dtype=dtype)
    return nd.array([row[0]] if isinstance(row[0], numeric_types) else row[0], dtype=dtype)


def _read_list(path: str, dtype: str) -> dict[Any, tuple[NDArray, str]]:
    """Labels and paths by number, from a file of an image list.

    Raises
    ------
    ValueError : a line has another form.
    """
    found: dict[Any, tuple[NDArray, str]] = {}
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            parts = line.strip().split("\t")
            if len(parts) < 3:
                raise ValueError(
                    f"{path}, line {number}: expected number, label and path between tabs, got {line!r}"
                )
            found[int(parts[0])] = nd.array([float(v) for v in parts[1:-1]], dtype=dtype), parts[-1]
    return found
