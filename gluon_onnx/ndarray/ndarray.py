"""NDArray: MXNet's array, in NumPy memory on the CPU and in an OrtValue on a GPU."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator
from typing import Any, overload

import numpy as np

from .._runtime.session import Raw, from_numpy, raw_dtype, raw_shape, to_numpy
from .._tape import Place, Version, state
from ..base import MXNetError, numeric_types
from ..context import Context, current_context
from ..graph.ops import find
from . import dlpack, indexing
from .kinds import element_type

__all__ = ["NDArray", "array", "wrap"]

_STORAGE_TYPE_STR_TO_ID = {"default": 0, "row_sparse": 1, "csr": 2}  # MXNet's numbers


def wrap(raw: Raw, ctx: Context) -> NDArray:
    """An NDArray around a raw value that nobody else writes to."""
    result = NDArray.__new__(NDArray)
    result._raw = raw
    result._ctx = ctx
    result._version = Version()
    result._place = None
    result._grad = None
    result._fresh = False
    return result


# NumPy has two classes for a type where C has two names; ONNX Runtime's arrays have the less usual one.
_SAME_TYPE: dict[type, type] = {np.longlong: np.int64, np.ulonglong: np.uint64}


class NDArray:
    """A multi-dimensional array on a device, with MXNet's semantics.

    Basic slices and reshapes are views on the CPU; writes through them change the base array.
    """

    __slots__ = ("__weakref__", "_ctx", "_fresh", "_grad", "_place", "_raw", "_version")
    __array_priority__ = 1000.0
    __hash__ = object.__hash__

    _raw: Raw
    _ctx: Context
    _version: Version
    _place: Place | None
    _grad: NDArray | None
    _fresh: bool  # whether a backward pass has written this gradient since the last update

    # -- storage ---------------------------------------------------------------------------------
    @property
    def _raw_dtype(self) -> np.dtype[Any]:
        return raw_dtype(self._raw)

    def _view(self, raw: Raw) -> NDArray:
        """An array that shares this one's memory."""
        result = wrap(raw, self._ctx)
        result._version = self._version
        self._version.shared = True
        return result

    def _write(self, raw: Raw) -> None:
        """Replace the contents by a raw value of the same shape."""
        self._version.count += 1
        if isinstance(self._raw, np.ndarray):
            np.copyto(self._raw, to_numpy(raw), casting="unsafe")
        else:
            self._raw = (
                raw if not isinstance(raw, np.ndarray) else from_numpy(raw, ("gpu", self._ctx.device_id))
            )

    def _adopt(self, raw: Raw) -> None:
        """`_write` of a value that nobody else refers to: where no view would notice, it replaces the memory."""
        mine = self._raw
        if self._version.shared or not isinstance(mine, np.ndarray) or not isinstance(raw, np.ndarray):
            self._write(raw)
        elif raw.dtype == mine.dtype and raw.shape == mine.shape and raw.flags.carray:
            self._version.count += 1
            self._raw = raw
        else:
            self._write(raw)

    def _raw_sum(self, other: NDArray) -> Raw:
        """The raw value of ``self + other``, not recorded."""
        with _paused():
            return (self + other)._raw

    def _receive(self, result: NDArray, what: str) -> None:
        """Take over an operator's result (`out=`).

        Raises
        ------
        MXNetError : shapes or element types differ, or this array is part of a recorded computation.
        """
        if self._raw_dtype != result._raw_dtype:
            raise MXNetError(
                f"operator {what}: the result has element type {result._raw_dtype}, out has {self._raw_dtype}"
            )
        if self.shape != result.shape:
            raise MXNetError(f"operator {what}: the result has shape {result.shape}, out has {self.shape}")
        if state.recording and self._place is not None and self._place.entry is not None:
            raise MXNetError(f"operator {what}: {indexing.IN_PLACE}: out is part of a recorded computation")
        if result._place is None and not result._version.shared:
            self._adopt(result._raw)
        else:
            self._write(result._raw)
        if result._place is not None and (self._place is None or self._place.entry is not None):
            self._place = result._place

    def _check_writable(self) -> None:
        if state.recording and self._place is not None and self._place.entry is not None:
            raise MXNetError(f"{indexing.IN_PLACE}: the array is the result of a recorded computation")

    # -- properties --------------------------------------------------------------------------------
    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return raw_shape(self._raw)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def dtype(self) -> Any:
        """Element type, as NumPy's scalar class."""
        kind = self._raw_dtype.type
        return _SAME_TYPE.get(kind, kind)

    @property
    def context(self) -> Context:
        """The device that the array lives on."""
        return self._ctx

    ctx = context

    @property
    def stype(self) -> str:
        """Storage type: always "default" (dense)."""
        return "default"

    @property
    def T(self) -> NDArray:
        """The array with its axes in reverse order."""
        return self if self.ndim < 2 else self._op("transpose")

    @property
    def grad(self) -> NDArray | None:
        """The gradient buffer that `attach_grad` made."""
        return self._grad

    @property
    def _fresh_grad(self) -> bool:
        return self._grad is not None and self._grad._fresh

    @_fresh_grad.setter
    def _fresh_grad(self, value: bool) -> None:
        if self._grad is not None:
            self._grad._fresh = value

    # -- conversion ----------------------------------------------------------------------------------
    def asnumpy(self) -> np.ndarray[Any, Any]:
        """A NumPy array with a copy of the elements."""
        return np.array(to_numpy(self._raw))

    def asscalar(self) -> Any:
        """The only element as a NumPy scalar.

        Raises
        ------
        ValueError : the array has not exactly one element.
        """
        if self.size != 1:
            raise ValueError(f"asscalar needs an array with one element, this one has shape {self.shape}")
        return self.asnumpy().reshape(-1)[0]

    def item(self) -> Any:
        """The only element as a Python number."""
        return self.asscalar().item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self.asnumpy().tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False:
            raise ValueError("an NDArray becomes a NumPy array by a copy; np.from_dlpack shares its memory")
        return self.asnumpy() if dtype is None else self.asnumpy().astype(dtype)

    def __float__(self) -> float:
        return float(self.asscalar())

    def __int__(self) -> int:
        return int(self.asscalar())

    def __index__(self) -> int:
        if self.size == 1 and self._raw_dtype.kind in "iu":
            return int(self.asscalar())
        raise TypeError("only integer arrays with one element can be used as an index")

    def __bool__(self) -> bool:
        if self.size == 0:
            return False
        if self.size == 1:
            return bool(self.asscalar())
        raise ValueError("the truth value of an NDArray with several elements is ambiguous")

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[NDArray]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.shape))
        return f"\n{to_numpy(self._raw)!s}\n<{type(self).__name__} {shape} @{self._ctx}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (self.asnumpy(), self._ctx)

    def __copy__(self) -> NDArray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> NDArray:
        return self.copy()

    def wait_to_read(self) -> None:
        """Wait for pending writes. Every call here has finished when it returns."""

    wait_to_write = wait_to_read

    # -- sharing memory with other libraries ------------------------------------------------------
    def to_dlpack_for_read(self) -> Any:
        """A DLPack capsule that shares this array's memory, for reading."""
        return dlpack.capsule(self)

    def to_dlpack_for_write(self) -> Any:
        """A DLPack capsule that shares this array's memory, for reading and writing."""
        return dlpack.capsule(self, write=True)

    def __dlpack__(self, **options: Any) -> Any:
        return dlpack.capsule(self, write=True, **options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return dlpack.device(self)

    # -- copies and devices ----------------------------------------------------------------------------
    def copy(self) -> NDArray:
        """A copy on the same device."""
        result: NDArray = self._op("_copy")
        return result

    @overload
    def copyto(self, other: Context) -> NDArray: ...
    @overload
    def copyto(self, other: NDArray) -> Any: ...
    def copyto(self, other: NDArray | Context) -> Any:
        """Copy into another array, or onto a device.

        Raises
        ------
        MXNetError : the other array has a different shape.
        """
        if isinstance(other, Context):
            return wrap(from_numpy(self.asnumpy(), _device(other)), other)
        if not isinstance(other, NDArray):
            raise TypeError(f"copyto expects an NDArray or a Context, got {type(other).__name__}")
        if other is self:
            warnings.warn("copyto: an array was to be copied onto itself; nothing is done", stacklevel=2)
            return False
        if other.shape != self.shape:
            raise MXNetError(f"copyto: expected an array of shape {self.shape}, got {other.shape}")
        other._check_writable()
        other._write(self._raw if other._ctx == self._ctx else self.asnumpy())
        return other

    def as_in_context(self, context: Context) -> NDArray:
        """This array if it lives on `context`, else a copy there."""
        return self if self._ctx == context else self.copyto(context)

    as_in_ctx = as_in_context

    def astype(self, dtype: Any, copy: bool = True) -> NDArray:
        """The array with another element type; without `copy` itself where the type is the same."""
        kind = element_type(dtype)
        if not copy and kind == self._raw_dtype:
            return self
        result: NDArray = self._op("Cast", dtype=kind.name)
        return result

    def as_nd_ndarray(self) -> NDArray:
        """This array."""
        return self

    def tostype(self, stype: str) -> NDArray:
        """The array in another storage type; only dense storage exists here."""
        if stype != "default":
            raise MXNetError(f"storage type {stype!r} is not supported; only 'default' (dense)")
        return self

    # -- autograd ------------------------------------------------------------------------------------
    def attach_grad(self, grad_req: str = "write", stype: str | None = None) -> None:
        """Make this array a variable with a gradient buffer of zeros."""
        from ..autograd import mark_variables

        grad = wrap(from_numpy(np.zeros(self.shape, self._raw_dtype), _device(self._ctx)), self._ctx)
        mark_variables([self], [grad], [grad_req])

    def detach(self) -> NDArray:
        """The same memory without history."""
        return self._view(self._raw)

    def backward(
        self, out_grad: NDArray | None = None, retain_graph: bool = False, train_mode: bool = True
    ) -> None:
        """Compute the gradients of all variables that this array depends on; see `autograd.backward`."""
        from ..autograd import backward

        backward([self], [out_grad], retain_graph, train_mode)

    # -- operators ---------------------------------------------------------------------------------
    def _op(self, name: str, *others: NDArray, **params: Any) -> Any:
        from .dispatch import invoke

        return invoke(find(name), [self, *others], params)

    def _binary(self, other: Any, op: str, scalar_op: str) -> Any:
        if isinstance(other, NDArray):
            return self._op(op, other)
        if isinstance(other, numeric_types):
            return self._op(scalar_op, scalar=float(other))
        if isinstance(other, np.ndarray):
            return self._op(op, array(other, ctx=self._ctx, dtype=self._raw_dtype))
        return NotImplemented

    def _inplace(self, other: Any, function: Callable[[Any, Any], Any]) -> NDArray:
        self._check_writable()
        result = function(self, other)
        if result is NotImplemented:
            raise TypeError(f"unsupported operand type for an in-place operation: {type(other).__name__}")
        self._receive(
            result if result._raw_dtype == self._raw_dtype else result.astype(self._raw_dtype), "in-place"
        )
        return self

    def __add__(self, other: Any) -> Any:
        return self._binary(other, "broadcast_add", "_plus_scalar")

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self._binary(other, "broadcast_sub", "_minus_scalar")

    def __rsub__(self, other: Any) -> Any:
        return (
            self._binary(other, "", "_rminus_scalar")
            if not isinstance(other, np.ndarray)
            else array(other) - self
        )

    def __mul__(self, other: Any) -> Any:
        return self._binary(other, "broadcast_mul", "_mul_scalar")

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self._binary(other, "broadcast_div", "_div_scalar")

    def __rtruediv__(self, other: Any) -> Any:
        return (
            self._binary(other, "", "_rdiv_scalar")
            if not isinstance(other, np.ndarray)
            else array(other) / self
        )

    def __mod__(self, other: Any) -> Any:
        return self._binary(other, "broadcast_mod", "_mod_scalar")

    def __rmod__(self, other: Any) -> Any:
        return (
            self._binary(other, "", "_rmod_scalar")
            if not isinstance(other, np.ndarray)
            else array(other) % self
        )

    def __pow__(self, other: Any) -> Any:
        return self._binary(other, "broadcast_power", "_power_scalar")

    def __rpow__(self, other: Any) -> Any:
        return (
            self._binary(other, "", "_rpower_scalar")
            if not isinstance(other, np.ndarray)
            else array(other) ** self
        )

    def __neg__(self) -> Any:
        return self._op("_mul_scalar", scalar=-1.0)

    def __abs__(self) -> Any:
        return self._op("abs")

    def __matmul__(self, other: NDArray) -> Any:
        return self._op("dot", other)

    def __eq__(self, other: object) -> Any:
        return self._compare(other, "broadcast_equal", "_equal_scalar", False)

    def __ne__(self, other: object) -> Any:
        return self._compare(other, "broadcast_not_equal", "_not_equal_scalar", True)

    def _compare(self, other: object, op: str, scalar_op: str, unequal: bool) -> Any:
        result = self._binary(other, op, scalar_op)
        return unequal if result is NotImplemented else result

    def __gt__(self, other: Any) -> Any:
        return self._binary(other, "broadcast_greater", "_greater_scalar")

    def __ge__(self, other: Any) -> Any:
        return self._binary(other, "broadcast_greater_equal", "_greater_equal_scalar")

    def __lt__(self, other: Any) -> Any:
        return self._binary(other, "broadcast_lesser", "_lesser_scalar")

    def __le__(self, other: Any) -> Any:
        return self._binary(other, "broadcast_lesser_equal", "_lesser_equal_scalar")

    def __iadd__(self, other: Any) -> NDArray:
        return self._inplace(other, operator.add)

    def __isub__(self, other: Any) -> NDArray:
        return self._inplace(other, operator.sub)

    def __imul__(self, other: Any) -> NDArray:
        return self._inplace(other, operator.mul)

    def __itruediv__(self, other: Any) -> NDArray:
        return self._inplace(other, operator.truediv)

    __div__, __rdiv__, __idiv__ = __truediv__, __rtruediv__, __itruediv__  # the names of Python 2

    def __imod__(self, other: Any) -> NDArray:
        return self._inplace(other, operator.mod)

    # -- indexing and shape ----------------------------------------------------------------------------
    def __getitem__(self, key: Any) -> NDArray:
        return indexing.get(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._check_writable()
        indexing.set(self, key, value)

    def reshape(self, *shape: Any, **kwargs: Any) -> NDArray:
        """The array in another shape (codes 0, -1, -2, -3, -4 as in operator Reshape); a view on the CPU.

        Raises
        ------
        MXNetError : the number of elements changes.
        """
        if len(shape) == 1 and isinstance(shape[0], list | tuple):
            shape = tuple(shape[0])
        elif not shape:
            if "shape" not in kwargs:
                raise TypeError("reshape needs a shape")
            shape = tuple(kwargs["shape"])
        reverse = bool(kwargs.get("reverse", False))
        unknown = set(kwargs) - {"shape", "reverse"}
        if unknown:
            raise TypeError(f"reshape got unknown arguments {sorted(unknown)}; expected shape, reverse")
        if (state.recording and self._place is not None) or not isinstance(self._raw, np.ndarray):
            result: NDArray = self._op("Reshape", shape=tuple(shape), reverse=reverse)
            return result
        from ..graph.ops.reshape import target_shape

        target = target_shape(self.shape, tuple(int(s) for s in shape), reverse)
        return self._view(self._raw.reshape(tuple(int(str(d)) for d in target)))


def _device(ctx: Context) -> tuple[str, int]:
    return ("gpu", ctx.device_id) if ctx.on_gpu else ("cpu", 0)


def _unpickle(value: np.ndarray[Any, Any], ctx: Context) -> NDArray:
    return wrap(from_numpy(value, _device(ctx)), ctx)


py_slice = slice  # programs import the built-in class under this name from here


class _paused:
    """Nothing is recorded inside."""

    def __enter__(self) -> None:
        self._saved = state.recording
        state.recording = False

    def __exit__(self, *_: object) -> None:
        state.recording = self._saved


def array(source_array: Any, ctx: Context | None = None, dtype: Any = None) -> NDArray:
    """An array from anything that NumPy understands.

    Parameters
    ----------
    ctx : device; the current context by default.
    dtype : element type; that of a source that is an NDArray, else float32.

    Raises
    ------
    TypeError : the source is not made of numbers, its rows differ in length, or there is no such element type.
    """
    ctx = ctx or current_context()
    kind = element_type(dtype, source_array.dtype if isinstance(source_array, NDArray) else np.float32)
    if isinstance(source_array, NDArray):
        source_array = source_array.asnumpy()
    elif isinstance(source_array, list | tuple):
        source_array = [x.asnumpy() if isinstance(x, NDArray) else x for x in source_array]
    try:
        with np.errstate(all="ignore"):  # numbers that the element type cannot hold are converted as in C
            value = np.array(np.asarray(source_array), dtype=kind, order="C")
    except (TypeError, ValueError) as e:
        raise TypeError(f"array expects numbers in a regular shape: {e}") from None
    return wrap(from_numpy(value, _device(ctx)), ctx)
