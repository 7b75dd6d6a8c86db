"""Batches of arrays in memory."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..ndarray import NDArray, array
from .base import DataBatch, DataDesc, DataIter

_Source = tuple[str, Any]  # a name and an NDArray or an h5py.Dataset


class NDArrayIter(DataIter):
    """Batches of NDArrays, NumPy arrays or HDF5 datasets.

    Parameters
    ----------
    data : array, list of arrays or dict of str to array
        NumPy arrays become float32 NDArrays; an ``h5py.Dataset`` is read batch by batch.
    label : the same, optional
    batch_size : int
    shuffle : bool
        New random order, from `numpy.random`, now and at each reset.
    last_batch_handle : {'pad', 'discard', 'roll_over'}
        What happens to samples that do not fill a batch: it is filled from the beginning of the data, or they
        are left out, or they come first in the next pass.
    data_name, label_name : str
        Names of single arrays; those of a list get a number in front. Names of a dict are sorted.
    layout : str
        ``N`` is the axis of the samples.

    Raises
    ------
    TypeError
        For data that is none of these.
    ValueError
        For arrays with fewer samples than the first. (Of those with more the rest is not used.)

    Examples
    --------
    >>> [batch.data[0].asnumpy().tolist() for batch in NDArrayIter(np.arange(5), batch_size=2)]
    [[0.0, 1.0], [2.0, 3.0], [4.0, 0.0]]
    """

    def __init__(
        self,
        data: Any,
        label: Any = None,
        batch_size: int = 1,
        shuffle: bool = False,
        last_batch_handle: str = "pad",
        data_name: str = "data",
        label_name: str = "softmax_label",
        layout: str = "NCHW",
    ) -> None:
        super().__init__(batch_size)
        if last_batch_handle not in ("pad", "discard", "roll_over"):
            raise ValueError(
                f"last_batch_handle must be 'pad', 'discard' or 'roll_over', got {last_batch_handle!r}"
            )
        self.data = _init_data(data, allow_empty=False, default_name=data_name)
        self.label = _init_data(label, allow_empty=True, default_name=label_name)
        self.layout = layout
        self.shuffle = shuffle
        self.last_batch_handle = last_batch_handle
        self.data_list = [source for _, source in self.data + self.label]
        self.num_source = len(self.data_list)
        lengths = {name: source.shape[self._axis(source)] for name, source in self.data + self.label}
        self.num_data: int = lengths[self.data[0][0]]
        if min(lengths.values()) < self.num_data:
            raise ValueError(f"arrays have fewer samples than the first: {lengths}")
        self.idx = np.arange(self.num_data)
        self._order = np.arange(self.num_data)
        self._cache_data: list[NDArray] | None = None
        self._cache_label: list[NDArray] | None = None
        self.cursor: int = -batch_size
        self.reset()

    def _axis(self, source: Any) -> int:
        axis = DataDesc.get_batch_axis(self.layout)
        if axis < 0:
            raise ValueError(f"layout {self.layout!r} has no axis N")
        return axis if axis < len(source.shape) else 0

    def _describe(self, sources: list[_Source]) -> list[DataDesc]:
        descs = []
        for name, source in sources:
            shape = list(source.shape)
            shape[self._axis(source)] = self.batch_size
            descs.append(DataDesc(name, tuple(shape), source.dtype, layout=self.layout))
        return descs

    @property
    def provide_data(self) -> list[DataDesc]:
        """Descriptions of the data of a batch."""
        return self._describe(self.data)

    @property
    def provide_label(self) -> list[DataDesc]:
        """Descriptions of the labels of a batch."""
        return self._describe(self.label)

    def hard_reset(self) -> None:
        """Go back to the first batch, and forget samples that were to roll over."""
        if self.shuffle:
            self._shuffle_data()
        self.cursor = -self.batch_size
        self._cache_data = None
        self._cache_label = None

    def reset(self) -> None:
        """Go back to the first batch; with 'roll_over' samples that are left over come before it."""
        if self.shuffle:
            self._shuffle_data()
        left_over = self.num_data - self.batch_size < self.cursor < self.num_data
        if self.last_batch_handle == "roll_over" and left_over:
            self.cursor -= self.num_data + self.batch_size
        else:
            self.cursor = -self.batch_size

    def _shuffle_data(self) -> None:
        # As in MXNet, idx is shuffled further each time and applied to what the last time gave.
        np.random.shuffle(self.idx)
        self._order = self._order[self.idx]

    def iter_next(self) -> bool:
        self.cursor += self.batch_size
        return self.cursor < self.num_data

    def next(self) -> DataBatch:
        if not self.iter_next():
            raise StopIteration
        data, label = self.getdata(), self.getlabel()
        if data[0].shape[self._axis(data[0])] != self.batch_size:
            self._cache_data, self._cache_label = data, label
            raise StopIteration
        return DataBatch(data=data, label=label, pad=self.getpad(), index=None)

    def _rolls_over(self) -> bool:
        return self.last_batch_handle == "roll_over" and -self.batch_size < self.cursor < 0

    def _batch(self, sources: list[_Source], cache: list[NDArray] | None) -> list[NDArray]:
        if self.cursor >= self.num_data:
            raise ValueError("the data is at its end: reset() the iterator")
        end = self.cursor + self.batch_size
        if self._rolls_over():
            if cache is None:
                raise ValueError("the samples to roll over were not read; use hard_reset()")
            fresh = [self._samples(source, np.arange(end)) for _, source in sources]
            return [_join(old, new, self._axis(old)) for old, new in zip(cache, fresh, strict=True)]
        if self.last_batch_handle == "pad":
            rows = np.arange(self.cursor, end) % self.num_data
        else:
            rows = np.arange(self.cursor, min(end, self.num_data))
        return [self._samples(source, rows) for _, source in sources]

    def _samples(self, source: Any, rows: np.ndarray[Any, Any]) -> NDArray:
        """Samples number `rows` of the present order."""
        if self.shuffle:
            rows = self._order[rows]
        axis = self._axis(source)
        if not isinstance(source, NDArray):
            # HDF5 reads increasing rows only.
            distinct, positions = np.unique(rows, return_inverse=True)
            return array(source[(slice(None),) * axis + (distinct,)].take(positions, axis))
        if not self.shuffle and rows[-1] - rows[0] == len(rows) - 1:
            return source[(slice(None),) * axis + (slice(int(rows[0]), int(rows[-1]) + 1),)].copy()
        return source[(slice(None),) * axis + (rows,)] if axis else source[rows]

    def getdata(self) -> list[NDArray]:
        return self._batch(self.data, self._cache_data)

    def getlabel(self) -> list[NDArray]:
        return self._batch(self.label, self._cache_label)

    def getpad(self) -> int:
        if self.last_batch_handle == "pad":
            return max(0, self.cursor + self.batch_size - self.num_data)
        return -self.cursor if self._rolls_over() else 0


def _join(first: NDArray, second: NDArray, axis: int) -> NDArray:
    joined = np.concatenate([first.asnumpy(), second.asnumpy()], axis)
    return array(joined, ctx=first.context, dtype=joined.dtype)


def _is_h5py(value: Any) -> bool:
    h5py = sys.modules.get("h5py")  # whoever has a Dataset has imported it
    return h5py is not None and isinstance(value, h5py.Dataset)


def _init_data(data: Any, allow_empty: bool, default_name: str) -> list[_Source]:
    """Return sorted (name, array) pairs."""
    if data is None:
        data = []
    if isinstance(data, (np.ndarray, NDArray)) or _is_h5py(data):
        data = [data]
    if isinstance(data, (list, tuple)):
        names = [default_name] if len(data) == 1 else [f"_{i}_{default_name}" for i in range(len(data))]
        data = dict(zip(names, data, strict=True))
    if not isinstance(data, Mapping):
        raise TypeError(
            f"{default_name}: expected an NDArray, numpy.ndarray or h5py.Dataset, a list of them or a dict "
            f"with them as values, got {type(data).__name__}"
        )
    if not data and not allow_empty:
        raise ValueError(f"{default_name}: at least one array is needed")
    return sorted((name, _as_source(name, value)) for name, value in data.items())


def _as_source(name: str, value: Any) -> Any:
    if isinstance(value, NDArray) or _is_h5py(value):
        return value
    try:
        return array(value)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"Invalid type {type(value).__name__} for {name!r}: "
            "should be NDArray, numpy.ndarray or h5py.Dataset"
        ) from error
