"""Data iterators: batches with names, shapes and padding, as `Module` and the older programs take them."""

from .arrays import NDArrayIter
from .base import DataBatch, DataDesc, DataIter
from .combine import PrefetchingIter, ResizeIter
from .files import CSVIter, MNISTIter, MXDataIter

__all__ = [
    "CSVIter",
    "DataBatch",
    "DataDesc",
    "DataIter",
    "MNISTIter",
    "MXDataIter",
    "NDArrayIter",
    "PrefetchingIter",
    "ResizeIter",
]
