"""RecordIO files, byte for byte those of MXNet."""

from __future__ import annotations

import os
import pickle
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import recordio
from tests.golden import frontend

GOLDEN = frontend.load()["record_file"]
RECORDS = [bytes.fromhex(record) for record in GOLDEN["records"]]
CONTENTS = bytes.fromhex(GOLDEN["contents"])


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """The index and the record file that MXNet wrote."""
    (tmp_path / "x.rec").write_bytes(CONTENTS)
    (tmp_path / "x.idx").write_text(GOLDEN["index"])
    return str(tmp_path / "x.idx"), str(tmp_path / "x.rec")


def test_files_are_written_as_mxnet_writes_them(tmp_path: Path) -> None:
    paths = tmp_path / "x.idx", tmp_path / "x.rec"
    writer = recordio.MXIndexedRecordIO(*paths, "w")
    for i, record in enumerate(RECORDS):
        writer.write_idx(i * 10, record)
    writer.close()
    assert (paths[0].read_text(), paths[1].read_bytes()) == (GOLDEN["index"], CONTENTS)


def test_records_in_order(files: tuple[str, str]) -> None:
    reader = recordio.MXRecordIO(files[1], "r")
    for _ in range(2):
        assert [reader.read() for _ in RECORDS] == RECORDS
        assert reader.read() is None
        reader.reset()
    reader.close()
    reader.close()


def test_records_by_key(files: tuple[str, str]) -> None:
    reader = recordio.MXIndexedRecordIO(*files, "r")
    assert reader.keys == [10 * i for i in range(len(RECORDS))]
    assert [reader.read_idx(key) for key in reversed(reader.keys)] == RECORDS[::-1]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(reader.read_idx, reader.keys * 20)) == RECORDS * 20


def test_a_copy_reads_for_itself(files: tuple[str, str]) -> None:
    reader = recordio.MXIndexedRecordIO(*files, "r")
    assert reader.read() == RECORDS[0]
    copy = pickle.loads(pickle.dumps(reader))
    assert [copy.read(), copy.read()] == RECORDS[:2]
    assert reader.read() == RECORDS[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_reads_for_itself(files: tuple[str, str]) -> None:
    from gluon_onnx.gluon.data import DataLoader, RecordFileDataset

    dataset = RecordFileDataset(files[1])
    assert len(dataset) == len(RECORDS)
    loader = DataLoader(dataset, batch_size=1, num_workers=2, batchify_fn=lambda samples: samples[0])
    assert list(loader) == [dataset[i] for i in range(len(RECORDS))] == RECORDS


@pytest.mark.parametrize("label", [2.5, np.float32(2.5), [1.0, 2.0], np.array([3.0], np.float32)])
def test_packed_records(label: Any) -> None:
    header, contents = recordio.unpack(recordio.pack((9, label, 5, 6), b"contents"))
    assert contents == b"contents"
    assert (header.id, header.id2, header.flag) == (5, 6, np.size(label) if np.ndim(label) else 0)
    np.testing.assert_array_equal(header.label, label)


def test_packed_records_of_mxnet() -> None:
    one, two = (recordio.unpack(record) for record in RECORDS[-2:])
    assert str(one) == "(HEADER(flag=0, label=3.5, id=7, id2=1), b'one')"
    assert (two[0].label.tolist(), two[1]) == ([1.5, 2.5], b"two")


def test_packed_images() -> None:
    cv2 = pytest.importorskip("cv2")
    image = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)
    header, found = recordio.unpack_img(recordio.pack_img((0, 1.0, 2, 0), image, quality=3, img_fmt=".png"))
    assert (header.label, header.id) == (1.0, 2)
    np.testing.assert_array_equal(found, image)
    grey = recordio.unpack_img(recordio.pack_img((0, 1.0, 2, 0), image, quality=100), iscolor=0)[1]
    assert np.abs(grey.astype(int) - cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)).max() <= 3  # JPEG loses a little
    with pytest.raises(mx.MXNetError, match="the 4 bytes of record 2 are no image"):
        recordio.unpack_img(recordio.pack((0, 1.0, 2, 0), b"abcd"))


def damaged(path: str, contents: bytes) -> Any:
    Path(path).write_bytes(contents)
    return recordio.MXRecordIO(path, "r").read()


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (lambda i, r: recordio.MXRecordIO(r, "a"), ValueError, "Invalid flag 'a': expected 'r' or 'w'"),
    (lambda i, r: recordio.MXRecordIO(r + "x", "r"), mx.MXNetError, "cannot open record file .*recx"),
    (lambda i, r: recordio.MXIndexedRecordIO(i + "x", r, "r"), mx.MXNetError, "cannot read the index .*idxx of"),
    (lambda i, r: recordio.MXIndexedRecordIO(r, r, "r"), mx.MXNetError, "cannot read the index"),
    (lambda i, r: recordio.MXIndexedRecordIO(i, r, "r").read_idx(5), KeyError, "has no record 5"),
    (lambda i, r: recordio.MXRecordIO(r, "r").write(b""), mx.MXNetError, "is open for reading only"),
    (lambda i, r: recordio.MXRecordIO(r, "w").read(), mx.MXNetError, "is open for writing only"),
    (lambda i, r: pickle.dumps(recordio.MXRecordIO(r, "w")), TypeError, "is being written: it cannot be copied"),
    (lambda i, r: damaged(r, b"not a record"), mx.MXNetError, "no record begins at byte 0"),
    (lambda i, r: damaged(r, CONTENTS[8:16]), mx.MXNetError, "the record at byte 0 is cut off"),
    (lambda i, r: damaged(r, b"\x0a"), mx.MXNetError, "no record begins at byte 0"),
    (lambda i, r: recordio.unpack(b"short"), mx.MXNetError, "has at least 24 bytes, this one 5"),
    (
        lambda i, r: recordio.unpack(struct.pack("IfQQ", 3, 0, 0, 0) + b"1234"),
        mx.MXNetError,
        "announces 3 labels, but 4 bytes are left",
    ),
]


@pytest.mark.parametrize(("action", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors(action: Any, error: type[Exception], text: str, files: tuple[str, str]) -> None:
    with pytest.raises(error, match=text):
        action(*files)


def test_a_closed_file_says_so(files: tuple[str, str]) -> None:
    reader = recordio.MXRecordIO(files[1], "r")
    reader.close()
    with pytest.raises(mx.MXNetError, match="is closed"):
        reader.read()
