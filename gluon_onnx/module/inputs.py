"""Names and shapes that modules are given: checks, and division among contexts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..io import DataDesc

__all__ = ["check_input_names", "parse_data_desc", "split_batch"]


def check_input_names(symbol: Any, names: Sequence[str], kind: str, required: bool) -> None:
    """Check that a symbol has the arguments that are called its data, labels, ...

    Raises
    ------
    ValueError : a name is not among the arguments and `required` (else that is a warning).
    """
    arguments = symbol.list_arguments()
    ends = ("_weight", "_bias", "_gamma", "_beta")
    for name in names:
        if name in arguments:
            continue
        likely = [a for a in arguments if not a.endswith(ends)]
        message = (
            f"Module(..., {kind}_names={list(names)}): the symbol has no argument {name!r}; its arguments that "
            f"do not look like parameters are {likely}"
        )
        if required:
            raise ValueError(message)
        warnings.warn(message, stacklevel=4)


def parse_data_desc(
    data_names: Sequence[str], label_names: Sequence[str], data_shapes: Any, label_shapes: Any
) -> tuple[list[DataDesc], list[DataDesc] | None]:
    """Descriptions of data and labels from what `bind` is given.

    Raises
    ------
    TypeError : a shape is not a tuple of integers.
    ValueError : the names of the data are not the expected ones (for labels that is a warning).
    """
    data = [_desc(x) for x in data_shapes]
    labels = None if label_shapes is None else [_desc(x) for x in label_shapes]
    _check_names(data_names, data, "data", required=True)
    _check_names(label_names, labels or [], "label", required=False)
    return data, labels


def _desc(given: Any) -> DataDesc:
    desc = given if isinstance(given, DataDesc) else DataDesc(*given)
    shape: Any = desc.shape
    if not isinstance(shape, list | tuple) or not all(isinstance(n, int | np.integer) for n in shape):
        raise TypeError(
            f"the shape of {desc.name!r}: expected a tuple of integers, got {type(shape).__name__} {shape}"
        )
    return DataDesc(desc.name, tuple(int(n) for n in shape), desc.dtype, desc.layout)


def _check_names(names: Sequence[str], descs: Sequence[DataDesc], kind: str, required: bool) -> None:
    actual = [x.name for x in descs]
    if sorted(names) != sorted(actual):
        message = f"{kind}_shapes has the names {actual}, but the module's {kind}_names are {list(names)}"
        if required:
            raise ValueError(message)
        warnings.warn(message, stacklevel=5)


def split_batch(batch_size: int, workload: Sequence[float]) -> list[slice]:
    """Divide the samples of a batch in proportion to the work load of each context.

    Raises
    ------
    ValueError : a context would get no sample.
    """
    total = sum(workload)
    counts = [round(batch_size * load / total) for load in workload]
    counts[-1] += max(0, batch_size - sum(counts))
    slices = []
    start = 0
    for count in counts:
        stop = min(start + count, batch_size)
        if stop <= start:
            raise ValueError(
                f"a batch of {batch_size} is too small for {len(workload)} contexts with work loads {list(workload)}"
            )
        slices.append(slice(start, stop))
        start = stop
    return slices
