"""The vocabulary of the operator tables: what a row is and how its inputs are generated.

Everything here is plain data and NumPy, so that the same rows can be read by the process that runs MXNet
(``tests/golden/make.py``) and by the tests. Inputs are not stored: they are generated from the row's id, from
integer random streams and exact binary fractions, so that every NumPy version gives the same bits and float16 holds
them exactly.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FLOATS = ("float16", "float32", "float64")
#: Tolerances (relative, absolute) by dtype of the value compared. Integer and boolean values must be equal.
TOLERANCE: Mapping[str, tuple[float, float]] = {
    "float16": (1e-2, 2e-3),
    "float32": (1e-4, 1e-5),
    "float64": (1e-7, 1e-9),
}


@dataclass(frozen=True)
class Spec:
    """How one input is generated.

    ``kind`` is one of ``normal``, ``uniform``, ``ints``, ``distinct``, ``values``, ``spd``, ``triangle``, ``boxes``;
    ``args`` its parameters; ``dtype`` fixes the dtype (``None``: the dtype the row is run in); ``aux`` marks an
    auxiliary state.
    """

    shape: tuple[int, ...]
    kind: str = "normal"
    args: tuple[Any, ...] = ()
    dtype: str | None = None
    aux: bool = False

    def make(self, seed: str, dtype: str) -> np.ndarray:
        """The array of this input for the row ``seed`` run in ``dtype``."""
        stream = np.random.RandomState(zlib.crc32(seed.encode()))
        value = _GENERATORS[self.kind](stream, self.shape, *self.args)
        if self.kind == "distinct" and (self.dtype or dtype) not in FLOATS:
            value = np.argsort(value.reshape(-1)).reshape(self.shape)
        return np.ascontiguousarray(np.asarray(value).astype(self.dtype or dtype).reshape(self.shape))


def _normal(stream: np.random.RandomState, shape: tuple[int, ...], scale: float = 1.0) -> np.ndarray:
    # Odd multiples of 1/256: never zero, never an integer or a half, exact in float16 below 8.
    raw = stream.standard_normal(shape) * scale
    return np.clip((np.floor(raw * 128) * 2 + 1) / 256, -7.99609375, 7.99609375)


def _uniform(stream: np.random.RandomState, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    # Odd multiples of 1/512 of the interval, so that no value lies on its ends or its middle.
    return low + (high - low) * (stream.randint(0, 256, size=shape) * 2 + 1) / 512


def _ints(stream: np.random.RandomState, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
    return stream.randint(low, high, size=shape)


def _distinct(stream: np.random.RandomState, shape: tuple[int, ...], scale: float = 1.0) -> np.ndarray:
    count = int(np.prod(shape))
    # Odd sixteenths around zero, shuffled: no two equal, none zero.
    return (stream.permutation(count) * 2 + 1 - count).reshape(shape) * scale / 16 + scale / 64


def _values(stream: np.random.RandomState, shape: tuple[int, ...], *numbers: float) -> np.ndarray:
    return np.array(numbers, dtype="float64").reshape(shape)


def _spd(stream: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    half = _normal(stream, shape, 0.5)
    return np.round((half @ np.swapaxes(half, -1, -2) + 2 * np.eye(shape[-1])) * 1024) / 1024


def _triangle(stream: np.random.RandomState, shape: tuple[int, ...], lower: bool = True) -> np.ndarray:
    # The other half is left non-zero: operators on triangular matrices must not read it.
    full = _normal(stream, shape, 0.5)
    size = shape[-1]
    full[..., np.arange(size), np.arange(size)] = _uniform(stream, (*shape[:-2], size), 0.75, 2.0)
    return full


def _boxes(stream: np.random.RandomState, shape: tuple[int, ...], size: float = 1.0) -> np.ndarray:
    low = _uniform(stream, (*shape[:-1], 2), 0.0, 0.6)
    extent = _uniform(stream, (*shape[:-1], 2), 0.1, 0.4)
    return np.round(np.concatenate([low, low + extent], axis=-1) * 1024) / 1024 * size


_GENERATORS: Mapping[str, Callable[..., np.ndarray]] = {
    "normal": _normal,
    "uniform": _uniform,
    "ints": _ints,
    "distinct": _distinct,
    "values": _values,
    "spd": _spd,
    "triangle": _triangle,
    "boxes": _boxes,
}


def normal(*shape: int, scale: float = 1.0, dtype: str | None = None, aux: bool = False) -> Spec:
    """Normally distributed, never zero."""
    return Spec(shape, "normal", (scale,), dtype, aux)


def uniform(low: float, high: float, *shape: int, dtype: str | None = None, aux: bool = False) -> Spec:
    """Uniform in (low, high), ends excluded."""
    return Spec(shape, "uniform", (low, high), dtype, aux)


def positive(*shape: int, dtype: str | None = None, aux: bool = False) -> Spec:
    """Uniform in (0.5, 2)."""
    return Spec(shape, "uniform", (0.5, 2.0), dtype, aux)


def ints(low: int, high: int, *shape: int, dtype: str | None = None) -> Spec:
    """Integers ``low <= x < high`` (held in the row's dtype unless ``dtype`` is given)."""
    return Spec(shape, "ints", (low, high), dtype)


def distinct(*shape: int, scale: float = 1.0, dtype: str | None = None) -> Spec:
    """A permutation of different numbers around zero, for operators where ties would matter."""
    return Spec(shape, "distinct", (scale,), dtype)


def values(numbers: Any, dtype: str | None = None, aux: bool = False) -> Spec:
    """Exactly these numbers (nested lists give the shape)."""
    array = np.array(numbers, dtype="float64")
    return Spec(array.shape, "values", tuple(array.reshape(-1).tolist()), dtype, aux)


def spd(*shape: int) -> Spec:
    """Symmetric positive definite matrices."""
    return Spec(shape, "spd")


def triangle(*shape: int) -> Spec:
    """Matrices of which both triangles are well-conditioned as triangular matrices."""
    return Spec(shape, "triangle")


def boxes(*shape: int, size: float = 1.0) -> Spec:
    """Boxes (x0, y0, x1, y1) with x0 < x1 and y0 < y1 inside ``[0, size]``."""
    return Spec(shape, "boxes", (size,))


Expect = Callable[[list[np.ndarray], list[np.ndarray]], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Case:
    """One row: an operator, its inputs and attributes, and what is to be compared.

    Parameters
    ----------
    op
        Name of the operator in MXNet's registry.
    inputs, attrs
        Positional inputs and keyword attributes of the call.
    id
        Unique over all families; seeds the inputs and the head gradients.
    grad
        ``True``: gradients of all float inputs that are not states; a tuple: of these inputs; ``False``: none.
    train
        Run in training mode; where that makes no difference it is the mode in which MXNet's gradients are right.
    dtypes
        The row is run once in each.
    mutates
        Inputs that the operator updates in place (optimizer states).
    out_like
        Inputs whose shapes and dtypes the outputs have: arrays like them are passed as ``out``, which some
        operators of MXNet need.
    names
        Names by which the inputs after the first are given where their order alone is not enough.
    unchecked
        Outputs that exist and whose values mean nothing.
    tolerance
        Overrides of `TOLERANCE` by dtype, each explained in ``note``.
    eager_only
        Why the row has no symbolic form (a data-dependent output shape).
    salt
        Another text here gives the row other random inputs.
    mxnet_wrong
        Why MXNet's own answer is not the golden one; ``expect`` then computes the right values.
    native
        MXNet's oneDNN kernels refuse the row; its own kernels run it.
    oracle
        How MXNet runs the row: ``eager``; ``symbol`` for old operators that exist as symbols only; ``none`` where
        it has the operator on NVIDIA devices only or does not write its result, and ``expect`` alone gives the values.
    oracle_grad
        ``False``: MXNet crashes on the gradient, so that ``expect`` alone gives it.
    expect
        ``expect(inputs, heads) -> {"out0": ..., "grad0": ...}`` overrides what MXNet returned; with
        ``oracle="none"`` it is called a first time with no heads, for the outputs.
    """

    op: str
    inputs: tuple[Spec, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    grad: bool | tuple[int, ...] = True
    train: bool = True
    dtypes: tuple[str, ...] = ("float32",)
    mutates: tuple[int, ...] = ()
    out_like: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    tolerance: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    eager_only: str = ""
    note: str = ""
    mxnet_wrong: str = ""
    native: bool = False
    oracle: str = "eager"
    oracle_grad: bool = True
    expect: Expect | None = field(default=None, repr=False)
    salt: str = ""

    def arrays(self, dtype: str) -> list[np.ndarray]:
        """The inputs of the row run in ``dtype``."""
        return [spec.make(f"{self.id}/{index}{self.salt}", dtype) for index, spec in enumerate(self.inputs)]

    def head(self, index: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """The gradient that flows into output ``index``."""
        kind = "normal" if dtype in FLOATS else "ints"
        return Spec(shape, kind, () if kind == "normal" else (1, 4)).make(
            f"{self.id}/head{index}{self.salt}", dtype
        )

    def grad_inputs(self, dtype: str) -> tuple[int, ...]:
        """Indices of the inputs whose gradients the row compares, in ``dtype``."""
        if self.grad is False:
            return ()
        floats = [i for i, s in enumerate(self.inputs) if (s.dtype or dtype) in FLOATS and not s.aux]
        wanted = floats if self.grad is True else self.grad
        return tuple(i for i in wanted if i in floats and i not in self.mutates)

    def state_inputs(self) -> tuple[int, ...]:
        """Indices of the inputs that the operator may update: auxiliary states and ``mutates``."""
        return tuple(i for i, s in enumerate(self.inputs) if s.aux or i in self.mutates)

    def fingerprint(self) -> int:
        """Changes when the row changes in a way that changes its golden values."""
        parts = (
            self.op,
            self.inputs,
            sorted(self.attrs.items()),
            self.id,
            self.grad,
            self.train,
            self.dtypes,
            self.mutates,
        )
        return zlib.crc32(repr(parts).encode())


def case(op: str, *inputs: Spec, tag: str = "", **options: Any) -> Case:
    """A row; keywords that are not fields of `Case` are the operator's attributes. The id is ``op`` and ``tag``."""
    fields = {k: options.pop(k) for k in tuple(options) if k in _FIELDS}
    attrs = {**fields.pop("attrs", {}), **options}
    return Case(op, inputs, attrs, f"{op}-{tag}" if tag else op, **fields)


_FIELDS = set(Case.__dataclass_fields__) - {"op", "inputs", "id"}
