"""Making arrays: zeros, ones, arange, from NumPy and DLPack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._runtime.session import from_numpy as _from_numpy
from ..base import MXNetError
from ..context import Context, current_context
from ..graph.ops import find
from ..graph.ops.creation import sequence
from .dispatch import device_of, invoke
from .dlpack import from_dlpack, to_dlpack_for_read, to_dlpack_for_write
from .kinds import dims, element_type
from .ndarray import NDArray, array, wrap

__all__ = [
    "arange",
    "array",
    "concatenate",
    "empty",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "linspace",
    "moveaxis",
    "onehot_encode",
    "ones",
    "split_v2",
    "to_dlpack_for_read",
    "to_dlpack_for_write",
    "waitall",
    "zeros",
]


def _place(value: np.ndarray[Any, Any], ctx: Context | None) -> NDArray:
    ctx = Context(ctx) if ctx is not None else current_context()
    return wrap(_from_numpy(value, device_of(ctx)), ctx)


def _deliver(result: NDArray, out: NDArray | None) -> NDArray:
    if out is None:
        return result
    out[:] = result
    return out


def full(
    shape: int | Sequence[int],
    val: float,
    ctx: Context | None = None,
    dtype: Any = np.float32,
    out: NDArray | None = None,
) -> NDArray:
    """An array of the given shape with every element `val`."""
    return _deliver(_place(np.full(dims(shape), val, element_type(dtype)), ctx), out)


def zeros(
    shape: int | Sequence[int],
    ctx: Context | None = None,
    dtype: Any = None,
    stype: str | None = None,
    out: NDArray | None = None,
    **kwargs: Any,
) -> NDArray:
    """An array of zeros.

    Raises
    ------
    MXNetError : a sparse storage type is asked for.
    """
    if stype not in (None, "default"):
        raise MXNetError(f"zeros: storage type {stype!r} is not supported; only 'default' (dense)")
    return _deliver(_place(np.zeros(dims(shape), element_type(dtype)), ctx), out)


def ones(
    shape: int | Sequence[int],
    ctx: Context | None = None,
    dtype: Any = None,
    out: NDArray | None = None,
    **kwargs: Any,
) -> NDArray:
    """An array of ones."""
    return _deliver(_place(np.ones(dims(shape), element_type(dtype)), ctx), out)


def empty(
    shape: int | Sequence[int], ctx: Context | None = None, dtype: Any = None, stype: str | None = None
) -> NDArray:
    """An array whose contents do not matter (zeros here)."""
    return zeros(shape, ctx, dtype, stype)


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool | None = None,
    ctx: Context | None = None,
    dtype: Any = np.float32,
) -> NDArray:
    """Evenly spaced values in ``[start, stop)``, each `repeat` times."""
    return _place(sequence(start, stop, step, repeat, element_type(dtype).name), ctx)


def linspace(
    start: float,
    stop: float,
    num: int,
    endpoint: bool = True,
    ctx: Context | None = None,
    dtype: Any = np.float32,
) -> NDArray:
    """`num` evenly spaced values from `start` to `stop`."""
    return _place(np.linspace(start, stop, num, endpoint).astype(element_type(dtype)), ctx)


def eye(
    N: int, M: int = 0, k: int = 0, ctx: Context | None = None, dtype: Any = None, **kwargs: Any
) -> NDArray:
    """A matrix with ones on the diagonal `k` and zeros elsewhere; `M` columns (0: as many as rows)."""
    return _place(np.eye(int(N), int(M) or None, int(k), dtype=element_type(dtype)), ctx)


def concatenate(arrays: Sequence[NDArray], axis: int = 0, always_copy: bool = True) -> NDArray:
    """Arrays joined along an existing axis."""
    if len(arrays) == 1 and not always_copy:
        return arrays[0]
    result: NDArray = invoke(find("Concat"), list(arrays), {"dim": axis, "num_args": len(arrays)})
    return result


def moveaxis(tensor: NDArray, source: int | Sequence[int], destination: int | Sequence[int]) -> NDArray:
    """The array with axes moved to new places, the others in their order."""
    sources = [source] if isinstance(source, int) else list(source)
    targets = [destination] if isinstance(destination, int) else list(destination)
    if any(not -tensor.ndim <= axis < tensor.ndim for axis in (*sources, *targets)):
        raise ValueError(f"moveaxis: {source} and {destination} must be axes of an array with {tensor.ndim}")
    sources = [s % tensor.ndim for s in sources]
    targets = [t % tensor.ndim for t in targets]
    if len(sources) != len(targets):
        raise ValueError(f"moveaxis: {len(sources)} source axes, {len(targets)} destinations")
    if len(set(sources)) < len(sources) or len(set(targets)) < len(targets):
        raise ValueError(f"moveaxis: repeated axis in {source} or {destination}")
    axes = [i for i in range(tensor.ndim) if i not in sources]
    for t, s in sorted(zip(targets, sources, strict=True)):
        axes.insert(t, s)
    result: NDArray = invoke(find("transpose"), [tensor], {"axes": tuple(axes)})
    return result


def split_v2(
    ary: NDArray, indices_or_sections: int | Sequence[int], axis: int = 0, squeeze_axis: bool = False
) -> Any:
    """Split along an axis into equal sections (an integer) or at the given indices."""
    if isinstance(indices_or_sections, int):
        params: dict[str, Any] = {"sections": indices_or_sections, "indices": ()}
    else:
        params = {"indices": (0, *indices_or_sections), "sections": 0}
    return invoke(find("_split_v2"), [ary], {**params, "axis": axis, "squeeze_axis": squeeze_axis})


def onehot_encode(indices: NDArray, out: NDArray) -> NDArray:
    """Write the one-hot rows of `indices` into `out`, whose second axis is the number of classes."""
    out[:] = np.eye(out.shape[1], dtype=np.float32)[indices.asnumpy().astype(np.int64)]
    return out


def waitall() -> None:
    """Wait for all pending computations. Every call here has finished when it returns."""


def from_numpy(ndarray: np.ndarray[Any, Any], zero_copy: bool = True, array_cls: type = NDArray) -> NDArray:
    """An array of a NumPy array's element type; with `zero_copy` it shares the memory, where NumPy allows that.

    The NumPy array becomes read-only then.

    Raises
    ------
    ValueError : `zero_copy` is asked for and the NumPy array is not C-contiguous.
    TypeError : the array's element type is none that an NDArray can have, or another class is asked for.
    """
    if array_cls is not NDArray:
        raise TypeError(f"from_numpy: array_cls can be NDArray only, got {array_cls!r}")
    element_type(ndarray.dtype)
    if not zero_copy:
        return wrap(np.array(ndarray, order="C"), Context("cpu", 0))
    if not ndarray.flags.c_contiguous:
        raise ValueError("from_numpy with zero_copy needs a C-contiguous array")
    locked = not ndarray.flags.writeable and ndarray.flags.owndata
    if locked:  # perhaps by an earlier call; MXNet shares it, too
        ndarray.flags.writeable = True
    view = ndarray.view()
    ndarray.flags.writeable = False  # the memory now belongs to the NDArray
    result = wrap(view if view.flags.writeable else np.array(view), Context("cpu", 0))
    result._version.shared = True
    return result
