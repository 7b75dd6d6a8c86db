"""Iterators over other iterators."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from .base import DataBatch, DataDesc, DataIter


class _HoldsBatch(DataIter):
    """An iterator whose parts are those of a batch that it holds."""

    current_batch: DataBatch

    def getdata(self) -> Any:
        return self.current_batch.data

    def getlabel(self) -> Any:
        return self.current_batch.label

    def getindex(self) -> Any:
        return self.current_batch.index

    def getpad(self) -> int | None:
        return self.current_batch.pad


class ResizeIter(_HoldsBatch):
    """Another iterator, cut off or repeated so that a pass has a given number of batches.

    Parameters
    ----------
    data_iter : DataIter
    size : int
        Number of batches in a pass.
    reset_internal : bool
        Whether `reset` resets `data_iter` too; otherwise the next pass goes on where this one ended.
    """

    def __init__(self, data_iter: Any, size: int, reset_internal: bool = True) -> None:
        super().__init__(data_iter.batch_size)
        self.data_iter = data_iter
        self.size = size
        self.reset_internal = reset_internal
        self.cur = 0
        self.provide_data = data_iter.provide_data
        self.provide_label = data_iter.provide_label
        if hasattr(data_iter, "default_bucket_key"):
            self.default_bucket_key = data_iter.default_bucket_key

    def reset(self) -> None:
        self.cur = 0
        if self.reset_internal:
            self.data_iter.reset()

    def iter_next(self) -> bool:
        if self.cur == self.size:
            return False
        try:
            self.current_batch = self.data_iter.next()
        except StopIteration:
            self.data_iter.reset()
            self.current_batch = self.data_iter.next()
        self.cur += 1
        return True


class PrefetchingIter(_HoldsBatch):
    """Other iterators side by side, each read one batch ahead by a thread of its own.

    An error in one of them is raised where its batch is asked for.

    Parameters
    ----------
    iters : DataIter or list of DataIter
    rename_data, rename_label : list of dict, optional
        For each iterator the new names of its inputs.

    Raises
    ------
    ValueError
        From the iteration, when the iterators end at different batches or pad differently.
    """

    def __init__(
        self,
        iters: Any,
        rename_data: Sequence[Mapping[str, str]] | None = None,
        rename_label: Sequence[Mapping[str, str]] | None = None,
    ) -> None:
        super().__init__()
        self.iters: list[Any] = iters if isinstance(iters, list) else [iters]
        if not self.iters:
            raise ValueError("PrefetchingIter needs at least one iterator")
        self.n_iter = len(self.iters)
        self.rename_data = rename_data
        self.rename_label = rename_label
        self.batch_size = self.provide_data[0][1][0]
        threads = ThreadPoolExecutor(self.n_iter, thread_name_prefix="PrefetchingIter")
        weakref.finalize(self, threads.shutdown, wait=False)
        self._threads = threads
        self._prefetch()

    def _prefetch(self) -> None:
        self._coming: list[Future[DataBatch | None]] = [
            self._threads.submit(_next_or_none, each) for each in self.iters
        ]

    @property
    def provide_data(self) -> list[DataDesc]:
        """Descriptions of the data of all iterators."""
        return _renamed([each.provide_data for each in self.iters], self.rename_data)

    @property
    def provide_label(self) -> list[DataDesc]:
        """Descriptions of the labels of all iterators."""
        return _renamed([each.provide_label for each in self.iters], self.rename_label)

    def reset(self) -> None:
        for future in self._coming:
            future.exception()  # wait; an error of the pass that is given up does not matter
        for each in self.iters:
            each.reset()
        self._prefetch()

    def iter_next(self) -> bool:
        batches = [future.result() for future in self._coming]
        present = [batch for batch in batches if batch is not None]
        if not present:
            return False
        if len(present) < len(batches) or len({batch.pad for batch in present}) > 1:
            raise ValueError(
                f"Number of entry mismatches between iterators: {len(batches) - len(present)} of "
                f"{len(batches)} are at their end, the others pad by {[batch.pad for batch in present]}"
            )
        self.current_batch = DataBatch(
            [array for batch in present for array in batch.data or []],
            [array for batch in present for array in batch.label or []],
            present[0].pad,
            present[0].index,
            provide_data=self.provide_data,
            provide_label=self.provide_label,
        )
        self._prefetch()
        return True

    def next(self) -> DataBatch:
        if not self.iter_next():
            raise StopIteration
        return self.current_batch


def _next_or_none(data_iter: Any) -> DataBatch | None:
    try:
        batch: DataBatch = data_iter.next()
    except StopIteration:
        return None
    return batch


def _renamed(descs: list[Any], renames: Sequence[Mapping[str, str]] | None) -> list[DataDesc]:
    if renames is None:
        return [desc for each in descs for desc in each]
    return [
        DataDesc(names[desc.name], desc.shape, desc.dtype) if isinstance(desc, DataDesc) else DataDesc(*desc)
        for names, each in zip(renames, descs, strict=True)
        for desc in each
    ]
