"""What a data iterator yields, and its interface."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..ndarray import NDArray


class _NameAndShape(NamedTuple):
    name: str
    shape: tuple[int, ...]


class DataDesc(_NameAndShape):
    """Name, shape, element type and layout of an input; as a tuple it is (name, shape).

    Parameters
    ----------
    name : str
    shape : tuple of int
        With the batch size.
    dtype : NumPy type
    layout : str or None
        A letter for each axis; ``N`` is the axis of the samples.
    """

    dtype: Any
    layout: str | None

    def __new__(
        cls, name: str, shape: tuple[int, ...], dtype: Any = np.float32, layout: str | None = "NCHW"
    ) -> DataDesc:
        desc = super().__new__(cls, name, shape)
        desc.dtype = dtype
        desc.layout = layout
        return desc

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.name, self.shape, self.dtype, self.layout

    def __repr__(self) -> str:
        return f"DataDesc[{self.name},{self.shape},{self.dtype},{self.layout}]"

    @staticmethod
    def get_batch_axis(layout: str | None) -> int:
        """Return the axis of the samples: the place of ``N``, -1 without one, 0 for no layout at all."""
        return 0 if layout is None else layout.find("N")

    @staticmethod
    def get_list(
        shapes: Iterable[tuple[Any, ...]], types: Iterable[tuple[str, Any]] | None
    ) -> list[DataDesc]:
        """Return descriptions from (name, shape) pairs and, if given, (name, type) pairs."""
        if types is None:
            return [DataDesc(shape[0], shape[1]) for shape in shapes]
        by_name = dict(types)
        return [DataDesc(shape[0], shape[1], by_name[shape[0]]) for shape in shapes]


class DataBatch:
    """A batch.

    Parameters
    ----------
    data, label : list of NDArray
    pad : int, optional
        Number of samples at the end that only fill the batch.
    index : numpy.ndarray, optional
        Numbers of the samples.
    bucket_key : optional
        Which network of a `BucketingModule` the batch is for.
    provide_data, provide_label : list of DataDesc, optional
        Descriptions of `data` and `label`.
    """

    def __init__(
        self,
        data: Sequence[NDArray] | None,
        label: Sequence[NDArray] | None = None,
        pad: int | None = None,
        index: np.ndarray[Any, Any] | None = None,
        bucket_key: Any = None,
        provide_data: list[DataDesc] | None = None,
        provide_label: list[DataDesc] | None = None,
    ) -> None:
        for what, arrays in (("Data", data), ("Label", label)):
            if arrays is not None and not isinstance(arrays, (list, tuple)):
                raise TypeError(f"{what} must be list of NDArrays, got {type(arrays).__name__}")
        self.data = data
        self.label = label
        self.pad = pad
        self.index = index
        self.bucket_key = bucket_key
        self.provide_data = provide_data
        self.provide_label = provide_label

    def __str__(self) -> str:
        data_shapes = [array.shape for array in self.data or []]
        label_shapes = [array.shape for array in self.label] if self.label else None
        return f"{type(self).__name__}: data shapes: {data_shapes} label shapes: {label_shapes}"


class DataIter:
    """Base of all data iterators.

    A subclass implements `iter_next` and the ``get...`` methods, or overrides `next`, and has the properties
    ``provide_data`` and ``provide_label``.

    Parameters
    ----------
    batch_size : int
        Number of samples in a batch.
    """

    def __init__(self, batch_size: int = 0) -> None:
        self.batch_size = batch_size

    def __iter__(self) -> DataIter:
        return self

    def __next__(self) -> DataBatch:
        return self.next()

    def reset(self) -> None:
        """Go back to the first batch. Nothing happens here."""

    def next(self) -> DataBatch:
        """Return the next batch.

        Raises
        ------
        StopIteration
            At the end of the data.
        """
        if not self.iter_next():
            raise StopIteration
        return DataBatch(
            data=self.getdata(), label=self.getlabel(), pad=self.getpad(), index=self.getindex()
        )

    def iter_next(self) -> bool:
        """Move to the next batch; returns whether there is one."""
        return False

    def getdata(self) -> Any:
        """Return the data of the present batch."""
        return None

    def getlabel(self) -> Any:
        """Return the labels of the present batch."""
        return None

    def getindex(self) -> np.ndarray[Any, Any] | None:
        """Return the numbers of the samples in the present batch."""
        return None

    def getpad(self) -> int | None:
        """Return how many samples at the end of the present batch only fill it."""
        return None
