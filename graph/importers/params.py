"""Reader of MXNet's binary array files: ``.params`` checkpoints and whatever ``nd.save`` writes.

A file is a little-endian list: the magic number 0x112, a reserved word, the arrays, then their names. An
array record has one of four layouts: version 0 (up to MXNet 0.10: no magic number), 1 (0.11: 64-bit shapes),
2 (0.12 to 1.9: sparse storage) and 3 (the same under NumPy shape semantics, where a scalar has shape ``()``).
Arrays are not read when a file is opened; they are views of the mapped file.
"""

from __future__ import annotations

import math
import mmap
import os
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, NoReturn

import ml_dtypes
import numpy as np

from ..errors import FormatError

__all__ = ["AuxPart", "Csr", "ParamsFile", "RowSparse", "TensorRecord", "read_params"]

LIST_MAGIC = 0x112
V1_MAGIC, V2_MAGIC, V3_MAGIC = 0xF993FAC8, 0xF993FAC9, 0xF993FACA

# mshadow's type flags.
DTYPE_OF_FLAG: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f8"),
    2: np.dtype("<f2"),
    3: np.dtype("u1"),
    4: np.dtype("<i4"),
    5: np.dtype("i1"),
    6: np.dtype("<i8"),
    7: np.dtype(np.bool_),
    8: np.dtype("<i2"),
    9: np.dtype("<u2"),
    10: np.dtype("<u4"),
    11: np.dtype("<u8"),
    12: np.dtype(ml_dtypes.bfloat16),
}
MAX_NDIM = 32  # NumPy 1.x has no more
_MAX_EMPTY = 4096  # records of four bytes, which would otherwise take sixty times their size in memory
_MAX_BYTES = 2**63 - 1  # NumPy counts bytes in 64 bits, even those of an array without elements

_Shape = tuple[int, ...]
StorageType = Literal["default", "row_sparse", "csr", "none"]
_STYPES: dict[int, StorageType] = {0: "default", 1: "row_sparse", 2: "csr"}
_AUX_NAMES: dict[StorageType, tuple[str, ...]] = {
    "default": (),
    "row_sparse": ("indices",),
    "csr": ("indptr", "indices"),
    "none": (),
}

# What people pass by mistake, by how it begins.
_LOOKS_LIKE = (
    (b"PK\x03\x04", "a zip archive (NumPy's .npz, MXNet 2 or PyTorch)"),
    (b"\x93NUMPY", "a NumPy .npy file"),
    (b"\x1f\x8b", "gzip-compressed"),
    (b"\x89HDF", "an HDF5 file"),
    (b"version https://git-lfs", "a Git LFS pointer; the file itself was not fetched"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"{", "JSON text, perhaps the -symbol.json of the model"),
    (struct.pack("<I", V1_MAGIC), "a single array without the list header"),
    (struct.pack("<I", V2_MAGIC), "a single array without the list header"),
    (struct.pack("<I", V3_MAGIC), "a single array without the list header"),
)


@dataclass(frozen=True, eq=False)
class RowSparse:
    """A row-sparse array: row ``indices[i]`` of an array of ``shape`` is ``data[i]``, all others are zero."""

    data: np.ndarray[Any, Any]
    indices: np.ndarray[Any, Any]
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Csr:
    """A matrix in compressed sparse row form: row ``i`` has ``data[j]`` in column ``indices[j]`` for ``j`` in
    ``range(indptr[i], indptr[i + 1])``."""

    data: np.ndarray[Any, Any]
    indices: np.ndarray[Any, Any]
    indptr: np.ndarray[Any, Any]
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AuxPart:
    """Index array of a sparse record."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int


@dataclass(slots=True)
class TensorRecord:
    """Description of one array of a file; its elements are read on demand.

    Attributes
    ----------
    index : position in the file's list.
    name : name in the file, ``""`` if the file is a plain list.
    version : layout of the record, 0 to 3.
    stype : "default" (dense), "row_sparse", "csr", or "none" for a record without an array (`value` is None
        then, `shape` is () and `dtype` has no meaning).
    shape, dtype : of the whole array, dense or not.
    data_shape : shape of the elements that are stored; differs from `shape` for sparse arrays.
    record_offset, offset : bytes from the file's start to the record and to its elements.
    nbytes : bytes of the elements and index arrays in the file.
    aux : index arrays of a sparse record.
    """

    index: int
    name: str
    version: int
    stype: StorageType
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    data_shape: tuple[int, ...]
    record_offset: int
    offset: int
    nbytes: int
    aux: tuple[AuxPart, ...]
    _buffer: memoryview = field(repr=False)
    _source: str = field(repr=False)

    def value(self) -> np.ndarray[Any, Any] | RowSparse | Csr | None:
        """The array: read-only and without a copy, so perhaps not aligned.

        Raises
        ------
        FormatError : if the indices of a sparse array point outside of it.
        """
        if self.stype == "none":
            return None
        data = _view(self._buffer, self.dtype, self.data_shape, self.offset)
        if self.stype == "default":
            return data
        parts = {part.name: _view(self._buffer, part.dtype, part.shape, part.offset) for part in self.aux}
        rows = self.shape[0]
        if self.stype == "row_sparse":
            self._check_range(self.aux[0], parts["indices"], rows)
            return RowSparse(data, parts["indices"], self.shape)
        self._check_indptr(parts["indptr"], data.shape[0])
        self._check_range(self.aux[1], parts["indices"], self.shape[1])
        return Csr(data, parts["indices"], parts["indptr"], self.shape)

    def numpy(self) -> np.ndarray[Any, Any]:
        """The dense array: read-only and without a copy, so perhaps not aligned.

        Raises
        ------
        FormatError : if the record is sparse or empty; `value` serves those.
        """
        value = self.value()
        if not isinstance(value, np.ndarray):
            found = "no array" if value is None else f"a {self.stype} array"
            raise FormatError(f"{self._where(self.record_offset)}: expected a dense array, found {found}")
        return value

    def _where(self, offset: int) -> str:
        return f"{self._source}: tensor {self.index} {self.name!r} at byte {offset}"

    def _check_range(self, part: AuxPart, indices: np.ndarray[Any, Any], stop: int) -> None:
        if indices.size and not (indices.min() >= 0 and indices.max() < stop):
            raise FormatError(
                f"{self._where(part.offset)}: indices of a {self.stype} array must lie in [0, {stop}), "
                f"found {indices.min()} to {indices.max()}"
            )

    def _check_indptr(self, indptr: np.ndarray[Any, Any], stored: int) -> None:
        if indptr.size == 0 and stored == 0:
            return  # an all-zero matrix whose storage was never allocated
        # Compared, not subtracted: a difference of corrupt values could wrap around.
        if indptr[0] != 0 or indptr[-1] != stored or (indptr[1:] < indptr[:-1]).any():
            raise FormatError(
                f"{self._where(self.aux[0].offset)}: indptr of a csr array must rise from 0 to {stored}, "
                f"the number of stored elements"
            )


@dataclass(slots=True)
class ParamsFile:
    """An opened file of arrays.

    Attributes
    ----------
    source : the file's path, or what the caller named it.
    names : names of the arrays, prefixes ``arg:`` and ``aux:`` included; empty for a plain list.
    arrays : the records, in the file's order.
    nbytes : size of the file.
    """

    source: str
    names: list[str]
    arrays: list[TensorRecord]
    nbytes: int

    def as_dict(self) -> dict[str, TensorRecord]:
        """The records by name.

        Raises
        ------
        FormatError : if the file is a plain list, or has a name twice.
        """
        if self.arrays and not self.names:
            raise FormatError(
                f"{self.source}: expected named arrays, found a plain list of {len(self.arrays)}"
            )
        result: dict[str, TensorRecord] = {}
        for record in self.arrays:
            first = result.setdefault(record.name, record)
            if first is not record:
                raise FormatError(
                    f"{self.source}: tensors {first.index} and {record.index}, at bytes "
                    f"{first.record_offset} and {record.record_offset}, are both named {record.name!r}"
                )
        return result


def read_params(
    file: str | os.PathLike[str] | bytes | bytearray | memoryview,
    *,
    source: str | None = None,
    mapped: bool = True,
) -> ParamsFile:
    """Open a file in MXNet's binary list format (``.params``, ``mx.nd.save``).

    Only the headers are read, and all of them are checked, so listing the names and shapes of a large file is
    quick. The arrays are views of the file: a program that rewrites it in place changes them. `write_params`
    never does.

    Parameters
    ----------
    file : a path, or the content of a file.
    source : what error messages call the content; the path by default.
    mapped : map the file into memory; False reads it, for files that may be overwritten or cut while in use.

    Raises
    ------
    FormatError : if the content is not of that format; names the tensor and the byte. Whatever the file
        claims, no more memory is taken than a small multiple of its size.
    OSError : if the file cannot be opened.
    """
    if isinstance(file, bytes | bytearray | memoryview):
        buffer = memoryview(file)
        source = source or "<bytes>"
    else:
        buffer = _open(file, mapped)
        source = source or os.fspath(file)
    return _Parser(buffer.cast("B").toreadonly(), source).parse()


def _open(path: str | os.PathLike[str], mapped: bool) -> memoryview:
    with open(path, "rb") as stream:
        status = os.fstat(stream.fileno())
        if mapped and stat.S_ISREG(status.st_mode) and status.st_size:
            return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        return memoryview(stream.read())


def _view(
    buffer: memoryview, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int
) -> np.ndarray[Any, Any]:
    count = math.prod(shape)
    if count == 0:
        empty = np.empty(shape, dtype)
        empty.flags.writeable = False
        return empty
    return np.frombuffer(buffer, dtype, count, offset).reshape(shape)


class _Header(NamedTuple):
    number: int
    offset: int
    version: int
    stype: StorageType = "default"


class _Parser:
    """Walks over a file once. Every count is checked against the bytes that are left before it is used."""

    def __init__(self, buffer: memoryview, source: str) -> None:
        self.buffer = buffer
        self.source = source
        self.pos = 0
        self.label = ""
        self.empty = 0

    def fail(self, message: str, offset: int | None = None) -> NoReturn:
        at = self.pos if offset is None else offset
        raise FormatError(f"{self.source}: {self.label}at byte {at}: {message}")

    def need(self, size: int, what: str) -> None:
        left = len(self.buffer) - self.pos
        if size > left:
            self.fail(f"the file is cut short: {what} needs {size} bytes, {left} are left")

    def number(self, code: str, what: str) -> int:
        size = struct.calcsize(code)
        self.need(size, what)
        (value,) = struct.unpack_from("<" + code, self.buffer, self.pos)
        self.pos += size
        return int(value)

    def parse(self) -> ParamsFile:
        if len(self.buffer) == 0:
            self.fail("the file is empty")
        if bytes(self.buffer[:8]) != struct.pack("<Q", LIST_MAGIC):
            start = bytes(self.buffer[:32]).lstrip()
            found = next((text for head, text in _LOOKS_LIKE if start.startswith(head)), None)
            self.fail(
                f"expected the magic number {LIST_MAGIC:#x} of MXNet's array lists, found "
                f"{bytes(self.buffer[:8]).hex(' ')}" + (f": this looks like {found}" if found else "")
            )
        self.pos = 16  # the second word is reserved, and ignored by MXNet
        count = self.count("Q", 4, "the number of tensors")
        records = []
        for index in range(count):
            self.label = f"tensor {index} of {count} "
            records.append(self.record(index))
        self.label = ""
        names = self.names(count)
        for record, name in zip(records, names, strict=False):
            record.name = name
        if self.pos != len(self.buffer):
            self.fail(f"expected the end of the file, found {len(self.buffer) - self.pos} more bytes")
        return ParamsFile(self.source, names, records, len(self.buffer))

    def count(self, code: str, unit: int, what: str) -> int:
        """Read a count of things that take at least `unit` bytes each."""
        start = self.pos
        value = self.number(code, what)
        left = len(self.buffer) - self.pos
        if value * unit > left:
            self.fail(f"{what} is {value}, more than the {left} bytes that are left can hold", start)
        return value

    def names(self, tensors: int) -> list[str]:
        start = self.pos
        count = self.count("Q", 8, "the number of names")
        if count not in (0, tensors):
            self.fail(f"expected {tensors} names, one for each tensor, or none; found {count}", start)
        result = []
        for index in range(count):
            self.label = f"name of tensor {index} of {count} "
            size = self.count("Q", 1, "its length")
            raw = bytes(self.buffer[self.pos : self.pos + size])
            try:
                result.append(raw.decode())
            except UnicodeDecodeError as error:
                self.fail(f"not UTF-8: {error.reason}", self.pos + error.start)
            self.pos += size
        self.label = ""
        return result

    def record(self, index: int) -> TensorRecord:
        start = self.pos
        magic = self.number("I", "its magic number")
        if magic in (V2_MAGIC, V3_MAGIC):
            return self.modern(index, start, magic)
        if magic == V1_MAGIC:
            version, shape = 1, self.shape("q")
        elif magic <= MAX_NDIM:  # version 0 begins with the number of dimensions
            version, shape = 0, self.dimensions(magic, "I")
        else:
            self.fail(
                f"expected an NDArray's magic number or its number of dimensions, found {magic:#x}", start
            )
        if shape == ():
            return self.none(_Header(index, start, version))
        return self.finish(_Header(index, start, version), shape, self.context_and_dtype(), shape, [])

    def modern(self, index: int, start: int, magic: int) -> TensorRecord:
        """Record of version 2 or 3: storage type, shapes, context, types, elements, index arrays."""
        version = 2 if magic == V2_MAGIC else 3
        at = self.pos
        flag = self.number("i", "its storage type")
        stype = _STYPES.get(flag)
        if stype is None or (version == 3 and stype != "default"):
            wanted = "0 (dense)" if version == 3 else "0 (dense), 1 (row_sparse) or 2 (csr)"
            self.fail(f"expected storage type {wanted}, found {flag}", at)
        header = _Header(index, start, version, stype)
        data_shape = self.shape("q") if stype != "default" else ()
        at = self.pos
        shape = self.shape("q", lowest=-1 if version == 3 else 0)
        if -1 in shape or (version == 2 and shape == ()):
            if stype != "default":
                self.fail(f"a {stype} array has no dimensions", at)
            return self.none(header)
        dtype = self.context_and_dtype()
        if stype == "default":
            return self.finish(header, shape, dtype, shape, [])
        aux = [(name, self.integer_type(name), self.shape("q")) for name in _AUX_NAMES[stype]]
        self.check_sparse(stype, shape, data_shape, {name: part for name, _, part in aux}, at)
        return self.finish(header, shape, dtype, data_shape, aux)

    def check_sparse(
        self, stype: StorageType, shape: _Shape, stored: _Shape, aux: dict[str, _Shape], at: int
    ) -> None:
        """The shapes of a sparse record's parts must fit together."""
        if stype == "row_sparse":
            fits = len(stored) == len(shape) and stored[1:] == shape[1:] and aux["indices"] == stored[:1]
        else:
            fits = len(shape) == 2 and len(stored) == 1 and aux["indices"] == stored
            # The storage of an all-zero matrix may never have been allocated.
            fits = fits and (aux["indptr"] == (shape[0] + 1,) or (aux["indptr"] == stored == (0,)))
        if not fits:
            self.fail(
                f"a {stype} array of shape {shape} with {stored} stored and index arrays {aux}: no fit",
                at,
            )

    def finish(
        self,
        header: _Header,
        shape: _Shape,
        dtype: np.dtype[Any],
        data_shape: _Shape,
        aux: list[tuple[str, np.dtype[Any], _Shape]],
    ) -> TensorRecord:
        """Skip the elements and index arrays, which close a record."""
        offset = self.pos
        self.skip("its elements", dtype, data_shape)
        parts = []
        for name, part_dtype, part_shape in aux:
            parts.append(AuxPart(name, part_shape, part_dtype, self.pos))
            self.skip(f"its {name}", part_dtype, part_shape)
        return TensorRecord(
            index=header.number,
            name="",
            version=header.version,
            stype=header.stype,
            shape=shape,
            dtype=dtype,
            data_shape=data_shape,
            record_offset=header.offset,
            offset=offset,
            nbytes=self.pos - offset,
            aux=tuple(parts),
            _buffer=self.buffer,
            _source=self.source,
        )

    def none(self, header: _Header) -> TensorRecord:
        self.empty += 1
        if self.empty > _MAX_EMPTY:
            self.fail(f"more than {_MAX_EMPTY} tensors are empty", header.offset)
        record = self.finish(header, (), DTYPE_OF_FLAG[0], (0,), [])
        record.stype = "none"
        return record

    def skip(self, what: str, dtype: np.dtype[Any], shape: _Shape) -> None:
        described = f"{what}, {shape} of {dtype.name},"
        if math.prod(n for n in shape if n) * dtype.itemsize > _MAX_BYTES:
            self.fail(f"{described} cannot be counted in 64 bits")
        size = math.prod(shape) * dtype.itemsize
        self.need(size, described)
        self.pos += size

    def shape(self, code: str, lowest: int = 0) -> _Shape:
        """Read a number of dimensions and the dimensions; with `lowest` -1, -1 stands for an unknown."""
        at = self.pos
        ndim = self.number("i", "its number of dimensions")
        if ndim == lowest == -1:
            return (-1,)
        if not 0 <= ndim <= MAX_NDIM:
            self.fail(f"expected 0 to {MAX_NDIM} dimensions, found {ndim}", at)
        return self.dimensions(ndim, code, lowest)

    def dimensions(self, ndim: int, code: str, lowest: int = 0) -> _Shape:
        at = self.pos
        layout = struct.Struct(f"<{ndim}{code}")
        self.need(layout.size, "its shape")
        shape: _Shape = layout.unpack_from(self.buffer, at)
        self.pos += layout.size
        if any(n < lowest for n in shape):
            self.fail(f"the shape {shape} has a negative dimension", at)
        return shape

    def context_and_dtype(self) -> np.dtype[Any]:
        self.need(8, "its context")
        self.pos += 8  # the device it lived on does not matter
        return self.dtype("its type", lambda dtype: True)

    def integer_type(self, name: str) -> np.dtype[Any]:
        return self.dtype(f"the type of its {name}", lambda dtype: dtype.kind in "iu")

    def dtype(self, what: str, accept: Callable[[np.dtype[Any]], bool]) -> np.dtype[Any]:
        at = self.pos
        flag = self.number("i", what)
        dtype = DTYPE_OF_FLAG.get(flag)
        if dtype is None or not accept(dtype):
            legal = ", ".join(f"{n} ({known.name})" for n, known in DTYPE_OF_FLAG.items() if accept(known))
            self.fail(f"{what} is {flag}; expected one of {legal}", at)
        return dtype
