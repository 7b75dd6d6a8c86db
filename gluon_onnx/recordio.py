"""RecordIO files: records of bytes one after another, by themselves or with an index, and packed images.

The format is that of dmlc-core: a magic number, a word with a flag and the length, the bytes, zeros up to a
multiple of four. A record that holds the magic number at a multiple of four is split there, and the number is
left out.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple, TextIO, cast

import numpy as np

from .base import MXNetError

__all__ = ["IRHeader", "MXIndexedRecordIO", "MXRecordIO", "pack", "pack_img", "unpack", "unpack_img"]

_MAGIC = struct.pack("<I", 0xCED7230A)
_LENGTH_BITS = 29
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)


class MXRecordIO:
    """Reads or writes a RecordIO file from its beginning.

    Parameters
    ----------
    uri : str
        Path of the file.
    flag : {'r', 'w'}

    Raises
    ------
    ValueError
        For another flag.
    MXNetError
        When the file cannot be opened.
    """

    def __init__(self, uri: str | os.PathLike[str], flag: str) -> None:
        self.uri = os.fspath(uri)
        self.flag = flag
        self.pid: int | None = None
        self.is_open = False
        self._lock = threading.RLock()
        self.open()

    def open(self) -> None:
        """Open the file; one that is written begins empty."""
        if self.flag not in ("r", "w"):
            raise ValueError(f"Invalid flag {self.flag!r}: expected 'r' or 'w'")
        self.writable = self.flag == "w"
        try:
            self._file = cast(BinaryIO, open(self.uri, self.flag + "b"))  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise MXNetError(f"cannot open record file {self.uri}: {error}") from error
        self.pid = os.getpid()
        self.is_open = True

    def __del__(self) -> None:
        if getattr(self, "is_open", False):
            self.close()

    def __getstate__(self) -> dict[str, Any]:
        """A copy opens the file for itself, at its beginning."""
        state = {key: value for key, value in self.__dict__.items() if key not in ("_file", "_lock")}
        if self.writable:
            raise TypeError(f"record file {self.uri} is being written: it cannot be copied")
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()
        if state["is_open"]:
            self.is_open = False
            self.open()

    def _check_pid(self, allow_reset: bool = False) -> None:
        # Processes that share an open file share its position too.
        if self.pid != os.getpid():
            if not allow_reset:
                raise RuntimeError(
                    f"Forbidden operation in multiple processes: {self.uri} was opened in another one; "
                    "reset() it"
                )
            self.reset()

    def _check_open(self, writable: bool) -> None:
        if not self.is_open:
            raise MXNetError(f"record file {self.uri} is closed")
        if writable != self.writable:
            mode = "writing" if self.writable else "reading"
            raise MXNetError(f"record file {self.uri} is open for {mode} only")

    def close(self) -> None:
        """Close the file. Closing a closed one does nothing."""
        if self.is_open:
            self._file.close()
            self.is_open = False
            self.pid = None

    def reset(self) -> None:
        """Go back to the beginning of a file that is read; empty one that is written."""
        self.close()
        self.open()

    def write(self, buf: bytes) -> None:
        """Append a record of fewer than 2**29 bytes."""
        self._check_open(writable=True)
        self._check_pid()
        if len(buf) >> _LENGTH_BITS:
            raise MXNetError(f"a record of {len(buf)} bytes is too long: the limit is {2**_LENGTH_BITS - 1}")
        start, at = 0, buf.find(_MAGIC)
        while at >= 0:
            if at % 4 == 0 and at + 4 <= len(buf):
                self._write_part(_MIDDLE if start else _FIRST, buf[start:at])
                start = at + 4
            at = buf.find(_MAGIC, at + (4 if at % 4 == 0 else 1))
        self._write_part(_LAST if start else _WHOLE, buf[start:])

    def _write_part(self, kind: int, part: bytes) -> None:
        header = _MAGIC + struct.pack("<I", kind << _LENGTH_BITS | len(part))
        self._file.write(header + part + bytes(-len(part) % 4))

    def read(self) -> bytes | None:
        """Return the next record, None at the end.

        Raises
        ------
        MXNetError
            When the file is cut off or not in this format.
        """
        self._check_open(writable=False)
        self._check_pid()
        parts: list[bytes] = []
        while True:
            at = self._file.tell()
            header = self._file.read(8)
            if not header and not parts:
                return None
            if len(header) < 8 or header[:4] != _MAGIC:
                raise MXNetError(f"{self.uri}: no record begins at byte {at}; is it a complete RecordIO file?")
            (word,) = struct.unpack("<I", header[4:])
            kind, length = word >> _LENGTH_BITS, word & (1 << _LENGTH_BITS) - 1
            part = self._file.read(length + -length % 4)
            if len(part) < length:
                raise MXNetError(f"{self.uri}: the record at byte {at} is cut off")
            parts.append(part[:length])
            if kind in (_WHOLE, _LAST):
                return _MAGIC.join(parts)


class MXIndexedRecordIO(MXRecordIO):
    """Reads or writes records by key.

    Parameters
    ----------
    idx_path : str
        Path of the index: a line ``<key> tab <position>`` for each record.
    uri : str
        Path of the record file.
    flag : {'r', 'w'}
    key_type : type
        Type of the keys.
    """

    def __init__(
        self,
        idx_path: str | os.PathLike[str],
        uri: str | os.PathLike[str],
        flag: str,
        key_type: Callable[[Any], Any] = int,
    ) -> None:
        self.idx_path = os.fspath(idx_path)
        self.idx: dict[Any, int] = {}
        self.keys: list[Any] = []
        self.key_type = key_type
        self.fidx: TextIO | None = None
        super().__init__(uri, flag)

    def open(self) -> None:
        super().open()
        self.idx, self.keys = {}, []
        try:
            if self.writable:
                self.fidx = open(self.idx_path, "w")  # noqa: SIM115 - closed by close()
                return
            with open(self.idx_path) as lines:
                for line in lines:
                    key, position = line.strip().split("\t")
                    self.idx[self.key_type(key)] = int(position)
                    self.keys.append(self.key_type(key))
        except (OSError, ValueError) as error:
            super().close()
            raise MXNetError(f"cannot read the index {self.idx_path} of {self.uri}: {error}") from error

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "fidx": None}

    def close(self) -> None:
        super().close()
        if self.fidx is not None:
            self.fidx.close()
            self.fidx = None

    def seek(self, idx: Any) -> None:
        """Go to the record of key `idx`.

        Raises
        ------
        KeyError
            When there is none.
        """
        self._check_open(writable=False)
        self._check_pid(allow_reset=True)
        if idx not in self.idx:
            raise KeyError(f"{self.idx_path} has no record {idx!r}")
        self._file.seek(self.idx[idx])

    def tell(self) -> int:
        """Return the position at which the next record will be written."""
        self._check_open(writable=True)
        return self._file.tell()

    def read_idx(self, idx: Any) -> bytes | None:
        """Return the record of key `idx`. Threads may do so at the same time."""
        with self._lock:
            self.seek(idx)
            return self.read()

    def write_idx(self, idx: Any, buf: bytes) -> None:
        """Append a record under the key `idx`."""
        key, position = self.key_type(idx), self.tell()
        self.write(buf)
        assert self.fidx is not None
        self.fidx.write(f"{key}\t{position}\n")
        self.idx[key] = position
        self.keys.append(key)


class HEADER(NamedTuple):
    """What stands before the contents of a packed record.

    Parameters
    ----------
    flag : int
        Number of labels when `label` is an array, else 0.
    label : float or array of float32
    id : int
        Usually unique.
    id2 : int
        Higher bits of the id.
    """

    flag: int
    label: Any
    id: int
    id2: int


IRHeader = HEADER

_IR_FORMAT = "IfQQ"
_IR_SIZE = struct.calcsize(_IR_FORMAT)


def pack(header: tuple[int, Any, int, int], s: bytes) -> bytes:
    """Return a record of a header and the bytes `s`.

    Parameters
    ----------
    header : IRHeader
        An array of labels goes between header and contents, and its size into `flag`.
    s : bytes
    """
    head = IRHeader(*header)
    if np.ndim(head.label) == 0:
        return struct.pack(_IR_FORMAT, 0, float(head.label), head.id, head.id2) + s
    labels = np.asarray(head.label, dtype=np.float32)
    return struct.pack(_IR_FORMAT, labels.size, 0, head.id, head.id2) + labels.tobytes() + s


def unpack(s: bytes) -> tuple[HEADER, bytes]:
    """Return the header and the contents of a packed record.

    Raises
    ------
    MXNetError
        When the record is too short.
    """
    if len(s) < _IR_SIZE:
        raise MXNetError(f"a packed record has at least {_IR_SIZE} bytes, this one {len(s)}")
    header, s = IRHeader(*struct.unpack(_IR_FORMAT, s[:_IR_SIZE])), s[_IR_SIZE:]
    if header.flag > 0:
        if len(s) < 4 * header.flag:
            raise MXNetError(f"a packed record announces {header.flag} labels, but {len(s)} bytes are left")
        header = header._replace(label=np.frombuffer(s, np.float32, header.flag))
        s = s[header.flag * 4 :]
    return header, s


def _cv2() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise ImportError("packed images need OpenCV: pip install opencv-python-headless") from error
    return cv2


def unpack_img(s: bytes, iscolor: int = -1) -> tuple[HEADER, Any]:
    """Return the header and the image of a packed record.

    Parameters
    ----------
    s : bytes
    iscolor : int
        OpenCV's flag: -1 as it is, 0 grey, 1 three channels in the order BGR.

    Raises
    ------
    MXNetError
        When the contents are no image.
    """
    header, contents = unpack(s)
    image = _cv2().imdecode(np.frombuffer(contents, np.uint8), iscolor)
    if image is None:
        raise MXNetError(f"the {len(contents)} bytes of record {header.id} are no image OpenCV can decode")
    return header, image


def pack_img(header: tuple[int, Any, int, int], img: Any, quality: int = 95, img_fmt: str = ".jpg") -> bytes:
    """Return a record of a header and an image.

    Parameters
    ----------
    header : IRHeader
    img : numpy.ndarray, shape (height, width) or (height, width, 3) in the order BGR
    quality : int
        1 to 100 for JPEG, the strength of the compression from 0 to 9 for PNG.
    img_fmt : str
        ``.jpg`` or ``.png``.

    Raises
    ------
    MXNetError
        When OpenCV cannot encode the image.
    """
    cv2 = _cv2()
    options = {
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        ".png": [cv2.IMWRITE_PNG_COMPRESSION, quality],
    }
    done, encoded = cv2.imencode(img_fmt, img, options.get(img_fmt.lower(), []))
    if not done:
        raise MXNetError(f"OpenCV cannot encode an image of shape {np.shape(img)} as {img_fmt}")
    return pack(header, encoded.tobytes())
