"""Datasets: samples by number."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from ...ndarray import NDArray
from ...recordio import MXIndexedRecordIO
from .sampler import FilterSampler, Sampler, SequentialSampler

__all__ = ["ArrayDataset", "Dataset", "RecordFileDataset", "SimpleDataset"]


class Dataset:
    """Base of all datasets. A subclass implements ``__getitem__(idx)`` and ``__len__()``.

    Wherever a dataset is expected, an NDArray, a NumPy array or a list does as well.
    """

    def __getitem__(self, idx: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must implement __getitem__(idx)")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must implement __len__()")

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def filter(self, fn: Callable[[Any], Any]) -> Dataset:
        """Return the dataset of the samples for which `fn` is true.

        Every sample is looked at now; lazy transforms run again when a sample is used.

        Parameters
        ----------
        fn : callable (sample) -> bool
        """
        return _SampledDataset(self, FilterSampler(fn, self))

    def shard(self, num_shards: int, index: int) -> Dataset:
        """Return part `index` of `num_shards` parts of consecutive samples, of nearly equal size.

        Shard before shuffling if workers are to get different samples.

        Raises
        ------
        ValueError
            Unless ``0 <= index < num_shards``.
        """
        if not 0 <= index < num_shards:
            raise ValueError(f"shard index {index} is out of bounds for {num_shards} shards")
        size, rest = divmod(len(self), num_shards)
        start = size * index + min(index, rest)
        return _SampledDataset(self, SequentialSampler(size + (index < rest), start))

    def take(self, count: int | None) -> Dataset:
        """Return the dataset of the first `count` samples, of all when `count` is None or too large."""
        return _SampledDataset(self, SequentialSampler(len(self) if count is None else min(count, len(self))))

    def sample(self, sampler: Sampler) -> Dataset:
        """Return the dataset of the samples that `sampler` names, in its order."""
        if not isinstance(sampler, Sampler):
            raise TypeError(f"Invalid sampler type: {type(sampler)}. Expected gluon.data.Sampler instead.")
        return _SampledDataset(self, sampler)

    def transform(self, fn: Callable[..., Any], lazy: bool = True) -> Dataset:
        """Return the dataset of the transformed samples.

        Parameters
        ----------
        fn : callable
            Takes a sample; the members of a sample that is a tuple come as separate arguments.
        lazy : bool
            Transform a sample whenever it is used (needed if `fn` is random); otherwise all of them now.
        """
        transformed = _LazyTransformDataset(self, fn)
        return transformed if lazy else SimpleDataset(list(transformed))

    def transform_first(self, fn: Callable[[Any], Any], lazy: bool = True) -> Dataset:
        """Return the dataset of samples whose first member, the data but not the label, is transformed.

        Parameters
        ----------
        fn : callable
            Takes the first member of a sample, or a sample that is no tuple.
        lazy : bool
            See `transform`.
        """
        return self.transform(_TransformFirst(fn), lazy)


class SimpleDataset(Dataset):
    """A list or an array as a dataset.

    Parameters
    ----------
    data : anything with ``len()`` and ``[]``
    """

    def __init__(self, data: Any) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, idx: Any) -> Any:
        return self._data[idx]


class _LazyTransformDataset(Dataset):
    def __init__(self, data: Any, fn: Callable[..., Any]) -> None:
        self._data = data
        self._fn = fn

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, idx: Any) -> Any:
        item = self._data[idx]
        return self._fn(*item) if isinstance(item, tuple) else self._fn(item)


class _TransformFirst:
    """A class rather than a nested function, for it can be pickled."""

    def __init__(self, fn: Callable[[Any], Any]) -> None:
        self._fn = fn

    def __call__(self, x: Any, *others: Any) -> Any:
        return (self._fn(x), *others) if others else self._fn(x)


class _SampledDataset(Dataset):
    def __init__(self, dataset: Any, sampler: Sampler) -> None:
        self._dataset = dataset
        self._indices = list(sampler)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, idx: Any) -> Any:
        return self._dataset[self._indices[idx]]


class ArrayDataset(Dataset):
    """Several datasets or arrays side by side: sample i is ``(args[0][i], args[1][i], ...)``.

    Parameters
    ----------
    *args : datasets, arrays or lists of the same length
        With one of them samples are its members themselves. NDArrays of one dimension become NumPy arrays, so
        that labels are scalars.

    Raises
    ------
    ValueError
        For no arguments, or different lengths.
    """

    def __init__(self, *args: Any) -> None:
        if not args:
            raise ValueError("Needs at least 1 arrays")
        self._length = len(args[0])
        for i, data in enumerate(args):
            if len(data) != self._length:
                raise ValueError(
                    f"All arrays must have the same length; array[0] has length {self._length} "
                    f"while array[{i}] has {len(data)}."
                )
        self._data = [
            data.asnumpy() if isinstance(data, NDArray) and len(data.shape) == 1 else data for data in args
        ]

    def __getitem__(self, idx: Any) -> Any:
        if len(self._data) == 1:
            return self._data[0][idx]
        return tuple(data[idx] for data in self._data)

    def __len__(self) -> int:
        return self._length


class RecordFileDataset(Dataset):
    """The records of a RecordIO file as bytes.

    Parameters
    ----------
    filename : str
        A ``.rec`` file; its index is the file of the same name that ends in ``.idx``.
    """

    def __init__(self, filename: str) -> None:
        self.idx_file = os.path.splitext(filename)[0] + ".idx"
        self.filename = filename
        self._record = MXIndexedRecordIO(self.idx_file, filename, "r")

    def __getitem__(self, idx: int) -> Any:
        return self._record.read_idx(self._record.keys[idx])

    def __len__(self) -> int:
        return len(self._record.keys)
