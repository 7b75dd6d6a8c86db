"""MXNet's binary array files: what MXNet wrote reads equal, we write what MXNet writes, damage is refused."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gluon_onnx.graph.errors import FormatError
from gluon_onnx.graph.exporters import params as exporter
from gluon_onnx.graph.exporters.params import write_params
from gluon_onnx.graph.importers.params import Csr, ParamsFile, RowSparse, read_params

DATA = Path(__file__).parents[1] / "data" / "mxnet"
VERSIONS = ["0.9.5", "0.11.0", "1.0.0", "1.3.1", "1.6.0", "1.9.1"]
SAMPLE = (DATA / "1.9.1" / "arrays.params").read_bytes()


def dense(value: Any) -> np.ndarray[Any, Any]:
    """Any value of a file as an ordinary array."""
    if isinstance(value, RowSparse):
        result = np.zeros(value.shape, value.data.dtype)
        result[value.indices] = value.data
        return result
    if isinstance(value, Csr):
        result = np.zeros(value.shape, value.data.dtype)
        rows = np.repeat(np.arange(value.shape[0]), np.diff(value.indptr)) if value.indptr.size else []
        result[rows, value.indices] = value.data
        return result
    assert isinstance(value, np.ndarray)
    return value


def same_file(path: Path, names: list[str], values: list[Any]) -> None:
    """The file holds exactly `values`."""
    found = read_params(path)
    assert found.names == names
    for record, value in zip(found.arrays, values, strict=True):
        assert record.dtype == value.dtype.newbyteorder("<")
        np.testing.assert_array_equal(record.numpy(), value)


# -- files made by MXNet -------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mapped", [True, False])
def test_every_type_and_storage_reads_as_in_mxnet(version: str, mapped: bool) -> None:
    file = read_params(DATA / version / "arrays.params", mapped=mapped)
    with np.load(DATA / version / "expected.npz") as expected:
        assert file.names == [key.removeprefix("arrays:") for key in sorted_arrays(expected, file)]
        for record in file.arrays:
            value, want = dense(record.value()), expected[f"arrays:{record.name}"]
            assert record.shape == want.shape
            if record.name == "bfloat16":
                assert value.dtype == ml_dtypes.bfloat16
                want = want.astype(ml_dtypes.bfloat16)
            assert value.dtype == want.dtype
            np.testing.assert_array_equal(value, want)


def sorted_arrays(expected: Any, file: ParamsFile) -> list[str]:
    """The keys of the arrays that were saved, in the order of the file."""
    keys = [key for key in expected if key.startswith("arrays:")]
    return sorted(keys, key=lambda key: file.names.index(key.removeprefix("arrays:")))


@pytest.mark.parametrize("version", VERSIONS)
def test_checkpoint_reads_as_in_mxnet(version: str) -> None:
    file = read_params(DATA / version / "module-0003.params")
    with np.load(DATA / version / "expected.npz") as expected:
        assert len(file.names) == 8
        for name, record in file.as_dict().items():
            kind, _, bare = name.partition(":")
            assert kind == ("aux" if "moving" in bare else "arg")
            np.testing.assert_array_equal(record.numpy(), expected[f"module:{bare}"])


@pytest.mark.parametrize("version", VERSIONS)
def test_plain_list_has_no_names(version: str) -> None:
    file = read_params(DATA / version / "list.params")
    assert file.names == []
    assert [record.numpy().tolist() for record in file.arrays] == [[[1, 2], [3, 4]], [5]]
    with pytest.raises(FormatError, match="expected named arrays, found a plain list of 2"):
        file.as_dict()


@pytest.mark.parametrize("version", VERSIONS)
def test_empty_list(version: str) -> None:
    file = read_params(DATA / version / "empty.params")
    assert (file.names, file.arrays, file.as_dict()) == ([], [], {})


@pytest.mark.parametrize("version", ["1.6.0", "1.9.1"])
def test_numpy_shapes(version: str) -> None:
    records = read_params(DATA / version / "np_shape.params").as_dict()
    assert {n: r.shape for n, r in records.items()} == {"scalar": (), "nothing": (0, 3), "one": (1,)}
    assert records["scalar"].numpy() == 2.5
    assert records["one"].numpy().tolist() == [1.0]


def test_layout_versions_differ() -> None:
    layouts = [read_params(DATA / version / "list.params").arrays[0].version for version in VERSIONS]
    assert layouts == [0, 1, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("version", "name", "np_shape"),
    [
        ("1.0.0", "arrays", False),
        ("1.9.1", "arrays", False),
        ("1.9.1", "module-0003", False),
        ("1.9.1", "list", False),
        ("1.9.1", "empty", False),
        ("1.9.1", "np_shape", True),
    ],
)
def test_writes_the_bytes_that_mxnet_writes(version: str, name: str, np_shape: bool, tmp_path: Path) -> None:
    source = DATA / version / f"{name}.params"
    file = read_params(source)
    values = [v for v in (record.value() for record in file.arrays) if v is not None]
    write_params(tmp_path / "copy", values, file.names or None, np_shape=np_shape)
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


# -- reading -------------------------------------------------------------------------------------


def test_arrays_are_read_only_views_even_where_not_aligned() -> None:
    content = memoryview(bytearray(SAMPLE))
    whole = np.frombuffer(content, np.uint8)
    records = read_params(content).as_dict()
    for record in records.values():
        if record.stype == "default":
            assert np.shares_memory(record.numpy().view(np.uint8), whole)
            assert not record.numpy().flags.writeable
    assert not records["a04_int32"].numpy().flags.aligned  # fifteen bytes of uint8 come before
    assert not records["no_rows"].value().data.flags.writeable  # type: ignore[union-attr]


def test_listing_a_large_file_reads_headers_only(tmp_path: Path) -> None:
    rows, columns = 1 << 18, 1 << 12
    head = struct.pack("<QQQIiiqqiii", 0x112, 0, 1, 0xF993FAC9, 0, 2, rows, columns, 1, 0, 3)
    path = tmp_path / "large.params"
    with open(path, "wb") as stream:
        stream.write(head)
        stream.truncate(len(head) + rows * columns)  # a gigabyte that takes no space
        stream.seek(0, os.SEEK_END)
        stream.write(struct.pack("<QQ", 1, 1) + b"w")
    tracemalloc.start()
    (record,) = read_params(path).arrays
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (record.name, record.shape) == ("w", (rows, columns))
    assert (record.offset, record.nbytes) == (len(head), 1 << 30)
    assert peak < 100_000


def test_a_file_may_be_replaced_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "x.params"
    write_params(path, [np.arange(3.0)], ["x"])
    before = read_params(path)
    write_params(path, [before.arrays[0].numpy() + 1], ["x"])
    assert before.arrays[0].numpy().tolist() == [0, 1, 2]
    assert read_params(path).arrays[0].numpy().tolist() == [1, 2, 3]


def test_record_without_an_array() -> None:
    records = read_params(packed([struct.pack("<I", 0), struct.pack("<Iii", 0xF993FAC9, 0, 0)])).arrays
    assert [(r.version, r.stype, r.shape) for r in records] == [(0, "none", ()), (2, "none", ())]
    assert records[0].value() is records[1].value() is None
    with pytest.raises(FormatError, match="tensor 0 '' at byte 24: expected a dense array, found no array"):
        records[0].numpy()


def test_sparse_array_is_not_dense() -> None:
    rows = read_params(SAMPLE, source="f").as_dict()["rows"]
    with pytest.raises(
        FormatError, match=r"f: tensor 9 'rows' at byte \d+: expected a dense array, found a row_sp"
    ):
        rows.numpy()


# -- bad input -----------------------------------------------------------------------------------


def packed(records: list[bytes], names: bytes = struct.pack("<Q", 0)) -> bytes:
    return struct.pack("<QQQ", 0x112, 0, len(records)) + b"".join(records) + names


def one_record(
    shape: tuple[int, ...], flag: int = 0, data: bytes = b"", stype: int = 0, magic: int = 0xF993FAC9
) -> bytes:
    return struct.pack("<Ii", magic, stype) + dims(*shape) + struct.pack("<iii", 1, 0, flag) + data


def dims(*shape: int) -> bytes:
    return struct.pack(f"<i{len(shape)}q", len(shape), *shape)


def sparse(
    stype: int, stored: tuple[int, ...], shape: tuple[int, ...], *aux: tuple[int, tuple[int, ...]]
) -> bytes:
    head = struct.pack("<Ii", 0xF993FAC9, stype) + dims(*stored) + dims(*shape) + struct.pack("<iii", 1, 0, 0)
    return head + b"".join(struct.pack("<i", flag) + dims(*part) for flag, part in aux)


ONE = one_record((1,), data=b"\0" * 4)

BAD = [
    pytest.param(b"", "at byte 0: the file is empty", id="zero length"),
    pytest.param(b"\x12\x01", "at byte 0: expected the magic number 0x112", id="two bytes"),
    pytest.param(b"\x13" + SAMPLE[1:], "expected the magic number 0x112", id="wrong magic"),
    pytest.param(b"PK\x03\x04" + bytes(99), "looks like a zip archive", id="npz"),
    pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer", id="lfs"),
    pytest.param(b"\n<!DOCTYPE html>", "looks like a web page", id="html"),
    pytest.param(b'{"nodes": []}', "perhaps the -symbol.json", id="json"),
    pytest.param(ONE, "a single array without the list header", id="raw array"),
    pytest.param(
        SAMPLE[:20], "at byte 16: the file is cut short: the number of tensors needs 8 bytes", id="cut"
    ),
    pytest.param(
        SAMPLE[:-1], "name of tensor 12 of 13 at byte .*more than the 5 bytes that are left", id="cut name"
    ),
    pytest.param(SAMPLE + b"x", "expected the end of the file, found 1 more bytes", id="trailing garbage"),
    pytest.param(
        struct.pack("<QQQ", 0x112, 0, 2**60), f"the number of tensors is {2**60}, more than", id="huge count"
    ),
    pytest.param(packed([ONE], struct.pack("<Q", 2**63)), f"the number of names is {2**63}", id="huge names"),
    pytest.param(packed([ONE], struct.pack("<QQ", 1, 2**63)), f"its length is {2**63}", id="huge name"),
    pytest.param(packed([ONE], struct.pack("<QQQ", 2, 0, 0)), "expected 1 names.*found 2", id="other names"),
    pytest.param(packed([ONE], struct.pack("<QQ", 1, 2) + b"a\xff"), "at byte 77: not UTF-8", id="no utf-8"),
    pytest.param(
        packed([struct.pack("<I", 0xF993FACB)]), "expected an NDArray's magic number", id="record magic"
    ),
    pytest.param(
        packed([struct.pack("<Ii", 0xF993FAC8, -1)]), "expected 0 to 32 dimensions, found -1", id="-1 dims"
    ),
    pytest.param(packed([one_record((1,) * 33)]), "expected 0 to 32 dimensions, found 33", id="33 dims"),
    pytest.param(packed([one_record((-2, 2))]), r"shape \(-2, 2\) has a negative dimension", id="negative"),
    pytest.param(
        packed([one_record((-2,), magic=0xF993FACA)]), "negative dimension", id="negative, np shape"
    ),
    pytest.param(packed([one_record((2**62, 2**62))]), "cannot be counted in 64 bits", id="overflow"),
    pytest.param(
        packed([one_record((2**62, 4, 0))]), "cannot be counted in 64 bits", id="overflow of nothing"
    ),
    pytest.param(
        packed([one_record((2**40,))]), f"tensor 0 of 1 at byte .*{2**42} bytes, 8 are left", id="huge"
    ),
    pytest.param(
        packed([one_record((1,), flag=99)]), "its type is 99; expected one of 0 .float32.", id="type"
    ),
    pytest.param(
        packed([one_record((1,), stype=7)]), "expected storage type 0 .dense., 1.*found 7", id="storage"
    ),
    pytest.param(
        packed([one_record((1,), stype=1, magic=0xF993FACA)]),
        "expected storage type 0 .dense., f",
        id="np rows",
    ),
    pytest.param(
        packed([sparse(1, (2, 3), (4, 5), (6, (2,)))]), "row_sparse array of shape .4, 5.*no fit", id="rows"
    ),
    pytest.param(packed([sparse(1, (0,), ())]), "a row_sparse array has no dimensions", id="rows of nothing"),
    pytest.param(
        packed([sparse(2, (2,), (4, 5), (6, (4,)), (6, (2,)))]), "csr array of shape .*no fit", id="csr"
    ),
    pytest.param(
        packed([sparse(1, (2,), (4,), (0, (2,)))]), "the type of its indices is 0; expected", id="index type"
    ),
    pytest.param(
        packed([struct.pack("<I", 0)] * 4097),
        "tensor 4096 .*more than 4096 tensors are empty",
        id="empties",
    ),
]


@pytest.mark.parametrize(("content", "message"), BAD)
def test_bad_input_is_one_clear_error(content: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message) as info:
        read_params(content, source="bad.params")
    assert str(info.value).startswith("bad.params: ")


@pytest.mark.parametrize("version", ["0.9.5", "0.11.0", "1.6.0"])
def test_no_prefix_of_a_file_is_a_file(version: str) -> None:
    content = (DATA / version / "arrays.params").read_bytes()
    accepted = [size for size in range(len(content)) if not refused(content[:size])]
    assert accepted == []


def refused(content: bytes) -> bool:
    try:
        read_params(content)
    except FormatError:
        return True
    return False


@pytest.mark.parametrize("content", [p.values[0] for p in BAD], ids=[p.id for p in BAD])
def test_bad_input_takes_little_memory(content: bytes) -> None:
    tracemalloc.start()
    assert refused(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000 + 70 * len(content)


@pytest.mark.parametrize(
    ("indices", "indptr", "message"),
    [
        ([0, 3], [0, 1, 2], r"indices of a csr array must lie in \[0, 3\), found 0 to 3"),
        ([0, -1], [0, 1, 2], "found -1 to 0"),
        ([0, 1], [0, 2, 1], "indptr of a csr array must rise from 0 to 2"),
        ([0, 1], [1, 1, 2], "must rise from 0 to 2"),
        ([0, 1], [0, -(2**63), 2], "must rise from 0 to 2"),
    ],
)
def test_indices_outside_of_a_matrix(
    indices: list[int], indptr: list[int], message: str, tmp_path: Path
) -> None:
    write_params(tmp_path / "m", [Csr(np.ones(2), np.array(indices), np.array(indptr), (2, 3))], ["m"])
    found = read_params(tmp_path / "m").arrays[0]
    with pytest.raises(FormatError, match=r"tensor 0 'm' at byte \d+: .*" + message):
        found.value()


def test_rows_outside_of_an_array(tmp_path: Path) -> None:
    write_params(tmp_path / "m", [RowSparse(np.ones((1, 2)), np.array([5]), (5, 2))], ["m"])
    with pytest.raises(
        FormatError, match=r"indices of a row_sparse array must lie in \[0, 5\), found 5 to 5"
    ):
        read_params(tmp_path / "m").arrays[0].value()


def test_two_arrays_of_one_name() -> None:
    name = struct.pack("<Q", 1) + b"a"
    file = read_params(packed([ONE, ONE], struct.pack("<Q", 2) + name + name))
    with pytest.raises(FormatError, match="tensors 0 and 1, at bytes 24 and 60, are both named 'a'"):
        file.as_dict()


FILES = [(DATA / version / "arrays.params").read_bytes() for version in ("0.9.5", "0.11.0", "1.9.1")]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_files_raise_nothing_but_format_errors(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(FILES)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["flip", "set", "word", "delete", "insert"]))
        if kind == "flip":
            content[at] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "set":
            content[at] = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
        elif kind == "word":
            word = data.draw(st.sampled_from([-1, 0, 1, 2**31 - 1, -(2**31)]))
            content[at : at + 4] = struct.pack("<i", word)
        elif kind == "delete":
            del content[at : at + data.draw(st.integers(1, 64))]
        else:
            content[at:at] = data.draw(st.binary(max_size=16))
        if not content:
            break
    try:
        for found in read_params(bytes(content)).arrays:
            found.value()
    except FormatError as error:
        assert "at byte" in str(error)


# -- writing -------------------------------------------------------------------------------------

ARRAYS = {
    "float16": np.array([1, -2, 65504], np.float16),
    "bfloat16": np.array([1, -2, 3e38], ml_dtypes.bfloat16),
    "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "reversed": np.arange(6)[::-2],
    "big-endian": np.arange(4, dtype=">f8"),
    "empty": np.zeros((0, 3), np.int8),
    "bool": np.array([[True], [False]]),
    "long shape": np.ones((1,) * 32),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_round_trip(name: str, tmp_path: Path) -> None:
    write_params(tmp_path / "x", [ARRAYS[name], np.ones(1)], [name, "größe"])
    same_file(tmp_path / "x", [name, "größe"], [ARRAYS[name], np.ones(1)])


def test_scalar_needs_numpy_shapes(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"tensor 0 's': an array of shape \(\) needs np_shape=True"):
        write_params(tmp_path / "x", [np.array(2.5)], ["s"])
    write_params(tmp_path / "x", [np.array(2.5)], ["s"], np_shape=True)
    same_file(tmp_path / "x", ["s"], [np.array(2.5)])


ROWS = RowSparse(np.ones((2, 3)), np.array([0, 2]), (4, 3))

UNWRITABLE = [
    pytest.param(
        [np.ones(1, np.int16)],
        ["a"],
        {},
        "tensor 0 'a': MXNet's format has no type int16; .*uint8",
        id="int16",
    ),
    pytest.param(
        [np.ones(1, complex)], None, {}, "tensor 0: MXNet's format has no type complex128", id="complex"
    ),
    pytest.param([np.array([None])], None, {}, "has no type object", id="object"),
    pytest.param([np.ones(1)], [], {}, "expected 1 names, one for each array, found 0", id="names missing"),
    pytest.param([np.ones(1)] * 2, ["a", "a"], {}, "tensor 1 has the name 'a', which", id="names twice"),
    pytest.param([np.ones(1)], [b"a"], {}, "the name of tensor 0 must be a string, found b'a'", id="bytes"),
    pytest.param([np.ones(1)], ["\ud800"], {}, "of tensor 0 has no UTF-8 form", id="surrogate"),
    pytest.param(
        [ROWS], None, {"np_shape": True}, "sparse arrays under NumPy shape semantics", id="sparse numpy"
    ),
    pytest.param([RowSparse(ROWS.data, np.array([1]), (4, 3))], None, {}, "do not fit together", id="rows"),
    pytest.param(
        [RowSparse(ROWS.data, ROWS.data[:, 0], (4, 3))], None, {}, "do not fit together", id="float rows"
    ),
    pytest.param(
        [Csr(np.ones(1), np.zeros(1, int), np.zeros(2, int), (2, 2))], None, {}, "do not fit", id="csr"
    ),
]


@pytest.mark.parametrize(("arrays", "names", "options", "message"), UNWRITABLE)
def test_what_cannot_be_written_leaves_the_file_alone(
    arrays: list[Any], names: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.params"
    path.write_bytes(b"before")
    with pytest.raises(FormatError, match=message):
        write_params(path, arrays, names, **options)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["x.params"]


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 has no such arrays")
def test_too_many_dimensions(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected at most 32 dimensions, found 33"):
        write_params(tmp_path / "x", [np.ones((1,) * 33)])


def test_a_full_disk_leaves_the_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.params"
    write_params(path, [np.ones(3)], ["a"])
    before = path.read_bytes()

    def full(stream: Any, array: Any) -> None:
        stream.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporter, "_write_elements", full)
    with pytest.raises(OSError, match="No space left"):
        write_params(path, [np.zeros(3)], ["a"])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["x.params"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_permissions_and_links_are_kept(tmp_path: Path) -> None:
    target, link, fresh = tmp_path / "target", tmp_path / "link", tmp_path / "fresh"
    target.write_bytes(b"")
    target.chmod(0o640)
    link.symlink_to(target)
    write_params(link, [np.ones(3)], ["a"])
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    same_file(target, ["a"], [np.ones(3)])
    mask = os.umask(0o027)
    try:
        write_params(fresh, [], None)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o640


@pytest.mark.parametrize(("name", "error"), [("", IsADirectoryError), ("none/x", FileNotFoundError)])
def test_nowhere_to_write(name: str, error: type[OSError], tmp_path: Path) -> None:
    with pytest.raises(error):
        write_params(tmp_path / name, [np.ones(1)])
    assert os.listdir(tmp_path) == []


# -- live ----------------------------------------------------------------------------------------

LOAD = """
import sys, mxnet as mx, numpy as np
loaded = mx.nd.load(sys.argv[1])
arrays = {k: v.asnumpy() for k, v in loaded.items()}
arrays["bfloat16"] = arrays["bfloat16"].view(np.uint16)
np.savez(sys.argv[2], **arrays)
"""


@pytest.mark.oracle
def test_mxnet_loads_what_we_write(tmp_path: Path) -> None:
    table = dict(ARRAYS)
    table |= {f"type {t}": np.arange(5).astype(t) for t in ("u1", "i1", "i4", "i8", "f4", "f8")}
    csr = Csr(np.ones(2, np.float32), np.array([2, 0]), np.array([0, 0, 2, 2]), (3, 4))
    arrays = [*table.values(), ROWS, csr]
    write_params(tmp_path / "x.params", arrays, [*table, "rows", "csr"])
    command = [os.environ["MXNET_PYTHON"], "-c", LOAD, tmp_path / "x.params", tmp_path / "x.npz"]
    subprocess.run(command, check=True, capture_output=True)
    with np.load(tmp_path / "x.npz") as loaded:
        assert sorted(loaded) == sorted([*table, "rows", "csr"])
        for name, array in zip([*table, "rows", "csr"], arrays, strict=True):
            value = dense(array)
            wanted = value.view(np.uint16) if name == "bfloat16" else value
            assert loaded[name].dtype == wanted.dtype.newbyteorder("<")
            np.testing.assert_array_equal(loaded[name], wanted)
