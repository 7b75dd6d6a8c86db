"""Tensors of ONNX models whose values lie in files beside the model."""

from __future__ import annotations

import mmap
import os
import stat
from typing import Any, NoReturn

import numpy as np
import onnx
import onnx_ir as ir

from ..errors import FormatError

__all__ = ["ExternalData"]


class ExternalData:
    """The files of external data of one model. Only regular files inside of the model's folder are read, as maps.

    Parameters
    ----------
    folder : where the model lies; None for a model that is no file and can have no external data.
    source : what error messages call the model.
    """

    def __init__(self, folder: str | None, source: str) -> None:
        self.folder = folder
        self.source = source
        self._maps: dict[str, memoryview] = {}

    def fail(self, tensor: onnx.TensorProto, message: str) -> NoReturn:
        raise FormatError(f"{self.source}: the tensor {tensor.name!r} {message}")

    def array(self, tensor: onnx.TensorProto, count: int) -> np.ndarray[Any, Any]:
        """The tensor's value: a view of a file.

        Parameters
        ----------
        count : number of its elements.

        Raises
        ------
        FormatError : the place is outside of the model's folder, no regular file, or has too few bytes.
        """
        entries = {e.key: e.value for e in tensor.external_data}
        location = entries.get("location", "")
        if any(isinstance(v, bytes) for v in entries.values()):
            self.fail(tensor, "has external data whose place is no UTF-8 text")
        data = self._maps.get(location)
        if data is None:
            data = self._maps[location] = self._open(tensor, location)
        offset = self._number(tensor, entries, "offset", 0)
        kind = ir.DataType(tensor.data_type)
        if kind == ir.DataType.STRING:
            self.fail(tensor, "holds texts, which cannot be external data")
        size = -(-count * kind.bitwidth // 8)
        length = self._number(tensor, entries, "length", size)
        if length != size:
            self.fail(
                tensor, f"has {length} bytes of external data, {list(tensor.dims)} of {kind.name} are {size}"
            )
        if offset + length > len(data):
            self.fail(
                tensor, f"lies at bytes {offset} to {offset + length} of {location!r}, which has {len(data)}"
            )
        part = data[offset : offset + length]
        if kind.bitwidth < 8:
            packed = onnx.TensorProto(data_type=tensor.data_type, dims=tensor.dims, raw_data=bytes(part))
            return np.asarray(ir.serde.deserialize_tensor(packed).numpy())
        array = np.frombuffer(
            part, dtype=kind.numpy().newbyteorder("<") if kind.itemsize > 1 else kind.numpy()
        )
        return array.astype(kind.numpy(), copy=False).reshape(tuple(tensor.dims))

    def _number(self, tensor: onnx.TensorProto, entries: dict[str, str], key: str, default: int) -> int:
        text = entries.get(key, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            self.fail(tensor, f"has the {key} {text[:40]!r} of external data, expected a number of bytes")
        return int(text)

    def _open(self, tensor: onnx.TensorProto, location: str) -> memoryview:
        if self.folder is None:
            self.fail(tensor, f"lies in the file {location!r}, but the model itself is not read from a file")
        parts = location.replace("\\", "/").split("/")
        if not location or "\0" in location or os.path.isabs(location) or ":" in parts[0] or ".." in parts:
            self.fail(tensor, f"lies at {location!r}, which is not a path inside of the model's folder")
        path = os.path.join(self.folder, *parts)
        root = os.path.realpath(self.folder)
        if os.path.realpath(os.path.dirname(path)) != os.path.normpath(os.path.join(root, *parts[:-1])):
            self.fail(tensor, f"lies at {location!r}, which leads through a symbolic link")
        try:
            descriptor = os.open(
                path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            )
        except OSError as e:
            if os.path.islink(path):
                self.fail(tensor, f"lies at {location!r}, which is a symbolic link")
            self.fail(tensor, f"lies at {location!r}, which cannot be read: {e.strerror}")
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                self.fail(tensor, f"lies at {location!r}, which is no regular file")
            if not status.st_size:
                return memoryview(b"")
            return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
        finally:
            os.close(descriptor)
