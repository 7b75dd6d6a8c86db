"""Random arrays, shapes and matrices, and small NumPy helpers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from ..base import MXNetError
from ..context import Context, current_context
from ..ndarray import NDArray, arange, array, broadcast_to
from .tolerance import default_dtype

__all__ = [
    "assign_each",
    "assign_each2",
    "collapse_sum_like",
    "create_2d_tensor",
    "create_sparse_array",
    "create_sparse_array_zd",
    "create_vector",
    "get_identity_mat",
    "get_identity_mat_batch",
    "new_matrix_with_real_eigvals_2d",
    "new_matrix_with_real_eigvals_nd",
    "new_orthonormal_matrix_2d",
    "new_sym_matrix_with_real_eigvals_2d",
    "new_sym_matrix_with_real_eigvals_nd",
    "np_reduce",
    "rand_coord_2d",
    "rand_ndarray",
    "rand_shape_2d",
    "rand_shape_3d",
    "rand_shape_nd",
    "rand_sparse_ndarray",
    "random_arrays",
    "random_sample",
    "random_uniform_arrays",
    "shuffle_csr_column_indices",
]

Array = np.ndarray[Any, Any]
Shape = Sequence[int]


def random_arrays(*shapes: Shape) -> Any:
    """Normally distributed float32 NumPy arrays of the given shapes; the array itself where there is one."""
    arrays = [np.asarray(np.random.randn(*s)).astype(default_dtype()) for s in shapes]
    return arrays[0] if len(arrays) == 1 else arrays


def random_uniform_arrays(
    *shapes: Shape, low: float = 0.0, high: float = 1.0, dtype: Any = np.float32
) -> list[Array]:
    """Uniformly distributed NumPy arrays of the given shapes."""
    return [np.asarray(np.random.uniform(low, high, size=s)).astype(dtype) for s in shapes]


def random_sample(population: Sequence[Any], k: int) -> list[Any]:
    """`k` different elements of a sequence, in random order.

    Raises
    ------
    ValueError : `k` is negative or larger than the population.
    """
    if not 0 <= k <= len(population):
        raise ValueError(f"cannot draw {k} elements out of {len(population)}")
    shuffled = list(population)
    np.random.shuffle(shuffled)
    return shuffled[:k]


def rand_shape_nd(num_dim: int, dim: int = 10, allow_zero_size: bool = False) -> tuple[int, ...]:
    """A random shape of `num_dim` axes, each of length 1 (or 0) to `dim`."""
    return tuple(int(n) for n in np.random.randint(0 if allow_zero_size else 1, dim + 1, size=num_dim))


def _rand_shape(dims: Sequence[int], allow_zero_size: bool) -> tuple[int, ...]:
    return tuple(int(np.random.randint(0 if allow_zero_size else 1, d + 1)) for d in dims)


def rand_shape_2d(dim0: int = 10, dim1: int = 10, allow_zero_size: bool = False) -> tuple[int, ...]:
    """A random shape of two axes of lengths up to `dim0` and `dim1`."""
    return _rand_shape((dim0, dim1), allow_zero_size)


def rand_shape_3d(
    dim0: int = 10, dim1: int = 10, dim2: int = 10, allow_zero_size: bool = False
) -> tuple[int, ...]:
    """A random shape of three axes of lengths up to `dim0`, `dim1` and `dim2`."""
    return _rand_shape((dim0, dim1, dim2), allow_zero_size)


def rand_coord_2d(x_low: int, x_high: int, y_low: int, y_high: int) -> tuple[int, int]:
    """A random point with ``x_low <= x < x_high`` and ``y_low <= y < y_high``."""
    return int(np.random.randint(x_low, x_high)), int(np.random.randint(y_low, y_high))


def rand_ndarray(
    shape: Shape,
    stype: str = "default",
    density: float | None = None,
    dtype: Any = None,
    modifier_func: Callable[[Any], Any] | None = None,
    shuffle_csr_indices: bool = False,
    distribution: str | None = None,
    ctx: Context | None = None,
) -> NDArray:
    """A normally distributed NDArray.

    Raises
    ------
    MXNetError : a sparse storage type is asked for.
    """
    if stype != "default":
        _no_sparse(stype)
    return array(random_arrays(shape), dtype=dtype, ctx=ctx or current_context())


def _no_sparse(stype: str) -> NoReturn:
    raise MXNetError(f"storage type {stype!r} is not supported: arrays are dense (storage type 'default')")


def rand_sparse_ndarray(shape: Shape, stype: str, *args: Any, **kwargs: Any) -> NoReturn:
    """Not available, as arrays are dense.

    Raises
    ------
    MXNetError : always; it names the storage type.
    """
    _no_sparse(stype)


create_sparse_array = create_sparse_array_zd = rand_sparse_ndarray


def shuffle_csr_column_indices(csr: Any) -> NoReturn:
    """Not available, as arrays are dense.

    Raises
    ------
    MXNetError : always.
    """
    _no_sparse("csr")


def assign_each(the_input: Array, function: Callable[[Any], Any] | None) -> Array:
    """A float64 array of ``function(x)`` for every element; a copy where there is no function."""
    if function is None:
        return np.array(the_input)
    result = np.zeros(the_input.shape)
    for i, x in enumerate(the_input.flat):
        result.flat[i] = function(x)
    return result


def assign_each2(input1: Array, input2: Array, function: Callable[[Any, Any], Any] | None) -> Array:
    """A float64 array of ``function(x1, x2)`` for every pair; a copy of `input1` where there is no function.

    Raises
    ------
    ValueError : the shapes differ.
    """
    if function is None:
        return np.array(input1)
    if input1.shape != input2.shape:
        raise ValueError(f"shapes differ: {input1.shape} and {input2.shape}")
    result = np.zeros(input1.shape)
    for i, (x, y) in enumerate(zip(input1.flat, input2.flat, strict=True)):
        result.flat[i] = function(x, y)
    return result


def create_2d_tensor(rows: int, columns: int, dtype: Any = np.int64) -> NDArray:
    """A (rows, columns) array whose every element is the number of its row."""
    column = arange(0, rows, dtype=dtype).reshape(rows, 1)
    result: NDArray = broadcast_to(column, shape=(rows, columns))
    return result


def create_vector(size: int, dtype: Any = np.int64) -> NDArray:
    """The numbers 0 to ``size - 1``."""
    return arange(0, size, dtype=dtype)


def get_identity_mat(size: int) -> NDArray:
    """The identity matrix, float32."""
    return array(np.eye(size, dtype=np.float32))


def get_identity_mat_batch(size: int) -> NDArray:
    """Two identity matrices, shape (2, size, size)."""
    return array(np.stack([np.eye(size, dtype=np.float32)] * 2))


def np_reduce(dat: Array, axis: Any, keepdims: bool, numpy_reduce_func: Callable[..., Array]) -> Array:
    """Reduce axes one after the other with a function such as ``np.sum``.

    Parameters
    ----------
    axis : an axis, several, or None for all.
    """
    axes = [axis] if isinstance(axis, int) else list(range(dat.ndim) if axis is None else axis)
    result = dat
    for i in sorted(axes, reverse=True):
        result = numpy_reduce_func(result, axis=i)
    if not keepdims:
        return result
    kept = {i % dat.ndim for i in axes}
    return np.asarray(result).reshape([1 if i in kept else n for i, n in enumerate(dat.shape)])


def collapse_sum_like(a: Array, shape: Shape) -> Array:
    """The sum of `a` over the axes that broadcasting from `shape` made.

    Raises
    ------
    ValueError : `shape` does not broadcast to the shape of `a`.
    """
    lead = a.ndim - len(shape)
    if lead < 0 or any(s not in (1, n) for s, n in zip(shape, a.shape[lead:], strict=True)):
        raise ValueError(f"shape {tuple(shape)} does not broadcast to {a.shape}")
    axes = [i for i, n in enumerate(a.shape) if i < lead or shape[i - lead] != n]
    return np.asarray(a.sum(axis=tuple(axes)), a.dtype).reshape(shape)


def new_matrix_with_real_eigvals_2d(n: int) -> Array:
    """A well-conditioned (n, n) float64 matrix with real eigenvalues between -10 and 10."""
    while True:
        v = np.random.uniform(-1.0, 1.0, (n, 1))
        v /= np.linalg.norm(v)
        reflection = np.eye(n) - 2.0 * v @ v.T
        basis = reflection * np.random.uniform(-1.0, 1.0, n)
        if np.linalg.cond(basis) < 3:
            break
    eigenvalues = np.random.uniform(-10.0, 10.0, n)
    return np.asarray(np.linalg.inv(basis) * eigenvalues @ basis)


def new_orthonormal_matrix_2d(n: int) -> Array:
    """A random orthonormal (n, n) float64 matrix."""
    x = np.random.randn(n, n)
    return np.asarray(np.linalg.qr(x.T @ x)[0])


def new_sym_matrix_with_real_eigvals_2d(n: int) -> Array:
    """A symmetric (n, n) float64 matrix with eigenvalues between -10 and 10."""
    q = new_orthonormal_matrix_2d(n)
    return np.asarray((q.T * np.random.uniform(-10.0, 10.0, n)) @ q)


def _stack(make: Callable[[int], Array], shape: Shape) -> Array:
    return np.stack([make(shape[-1]) for _ in range(int(np.prod(shape[:-2])))]).reshape(shape)


def new_matrix_with_real_eigvals_nd(shape: Shape) -> Array:
    """A stack, shape (..., n, n), of matrices like those of `new_matrix_with_real_eigvals_2d`."""
    return _stack(new_matrix_with_real_eigvals_2d, shape)


def new_sym_matrix_with_real_eigvals_nd(shape: Shape) -> Array:
    """A stack, shape (..., n, n), of matrices like those of `new_sym_matrix_with_real_eigvals_2d`."""
    return _stack(new_sym_matrix_with_real_eigvals_2d, shape)
