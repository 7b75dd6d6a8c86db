"""Ways to make a batch of samples, for the `batchify_fn` of a `DataLoader`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import ndarray
from ...context import cpu, current_context
from ...ndarray import NDArray

__all__ = ["Append", "AsList", "Group", "Pad", "Stack"]


def _as_numpy(sample: Any) -> np.ndarray[Any, Any]:
    values: np.ndarray[Any, Any] = sample.asnumpy() if isinstance(sample, NDArray) else np.asarray(sample)
    return values


def _as_ndarray(values: np.ndarray[Any, Any], like: Any, fresh: bool = True) -> NDArray:
    """An NDArray where `like` is; `fresh` values are not copied, for nobody else has them."""
    ctx = like.context if isinstance(like, NDArray) else current_context()
    if fresh and values.ndim and ctx == cpu():
        return ndarray.from_numpy(values)
    return ndarray.array(values, ctx=ctx, dtype=values.dtype)


def stack(samples: Sequence[Any]) -> NDArray:
    """Return arrays of one shape stacked along a new first axis, in the context and type of the first.

    Raises
    ------
    ValueError
        When their shapes differ.
    """
    arrays = [_as_numpy(sample) for sample in samples]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise ValueError(
            f"samples of different shapes {shapes[0]} and {shapes[-1]} cannot be stacked: "
            "give DataLoader a batchify_fn, for instance gluon.data.batchify.Pad()"
        )
    return _as_ndarray(np.stack(arrays), samples[0])


class Stack:
    """Stack samples of one shape along a new first axis.

    Parameters
    ----------
    use_shared_mem : bool
        Accepted for MXNet's sake; batches cross processes in shared memory anyway.

    Examples
    --------
    >>> Stack()([[1, 2], [3, 4]]).shape
    (2, 2)
    """

    def __init__(self, use_shared_mem: bool = False) -> None:
        self._use_shared_mem = use_shared_mem

    def __call__(self, data: Sequence[Any]) -> NDArray:
        if isinstance(data[0], tuple):
            raise ValueError("Stack makes one array; use Group for samples that are tuples")
        return stack(data)


class Pad:
    """Pad samples at the end of every axis to the largest size among them, then stack them.

    Parameters
    ----------
    val : float
        Value to pad with.
    dtype : optional
        Type of the batch; by default that of the first sample.
    round_to : int, optional
        Make padded sizes multiples of this.
    use_shared_mem : bool
        Accepted for MXNet's sake.

    Examples
    --------
    >>> Pad(val=-1)([[1, 2, 3], [4]]).asnumpy().tolist()
    [[1, 2, 3], [4, -1, -1]]
    """

    def __init__(
        self, val: float = 0, dtype: Any = None, round_to: int | None = None, use_shared_mem: bool = False
    ) -> None:
        self._val = val
        self._dtype = dtype
        self._round_to = round_to
        self._use_shared_mem = use_shared_mem

    def __call__(self, data: Sequence[Any]) -> NDArray:
        arrays = [_as_numpy(sample) for sample in data]
        ranks = {array.ndim for array in arrays}
        if len(ranks) > 1:
            raise ValueError(f"Pad needs samples with one number of dimensions, got {sorted(ranks)}")
        shape = np.max([array.shape for array in arrays], axis=0).astype(int)
        if self._round_to is not None:
            shape = -(-shape // self._round_to) * self._round_to
        batch = np.full((len(arrays), *shape), self._val, dtype=self._dtype or arrays[0].dtype)
        for row, array in zip(batch, arrays, strict=True):
            row[tuple(slice(size) for size in array.shape)] = array
        return _as_ndarray(batch, data[0])


class Append:
    """Keep samples as a list of arrays, for those whose shapes cannot be made equal.

    Parameters
    ----------
    expand : bool
        Give each an axis of size 1 for the batch.
    batch_axis : int
        Where that axis goes.
    use_shared_mem : bool
        Accepted for MXNet's sake.
    """

    def __init__(self, expand: bool = True, batch_axis: int = 0, use_shared_mem: bool = False) -> None:
        self._expand = expand
        self._batch_axis = batch_axis
        self._use_shared_mem = use_shared_mem

    def __call__(self, data: Sequence[Any]) -> list[NDArray]:
        arrays = [_as_numpy(sample) for sample in data]
        if self._expand:
            arrays = [np.expand_dims(array, self._batch_axis) for array in arrays]
        return [_as_ndarray(array, sample, False) for array, sample in zip(arrays, data, strict=True)]


class Group:
    """Different functions for the members of samples that are tuples.

    Parameters
    ----------
    fn : callable, or a list or tuple of them
        One for each member of a sample.
    *args : callable
        The others, when `fn` is the first.

    Examples
    --------
    >>> data, label = Group(Pad(), Stack())([([1, 2], 0), ([3], 1)])
    >>> data.shape, label.shape
    ((2, 2), (2,))
    """

    def __init__(self, fn: Any, *args: Callable[[Sequence[Any]], Any]) -> None:
        if isinstance(fn, (list, tuple)):
            if args:
                raise ValueError("give Group either one list of functions or the functions themselves")
            self._fn = tuple(fn)
        else:
            self._fn = (fn, *args)
        if not all(callable(each) for each in self._fn):
            raise TypeError(f"Group needs functions, got {self._fn}")

    def __call__(self, data: Sequence[Any]) -> tuple[Any, ...]:
        if len(data[0]) != len(self._fn):
            raise ValueError(f"samples have {len(data[0])} members, but Group has {len(self._fn)} functions")
        return tuple(fn([sample[i] for sample in data]) for i, fn in enumerate(self._fn))


class AsList:
    """Keep samples as a list, as they are: for text and the like."""

    def __call__(self, data: Sequence[Any]) -> list[Any]:
        return list(data)
