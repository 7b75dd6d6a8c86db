"""Data iterators against what MXNet 1.9.1 yields."""

from __future__ import annotations

import copy
import gzip
import logging
import os
import pickle
import struct
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import io
from tests.golden import frontend

X, Y = np.arange(14.0).reshape(7, 2), np.arange(7.0)
SOURCES: dict[str, tuple[Any, Any]] = {
    "array": (X, Y),
    "list": ([X, Y], None),
    "dict": ({"b": X, "a": Y}, {"c": Y}),
}


def passes(data_iter: Any, count: int) -> list[Any]:
    seen: list[Any] = []
    for _ in range(count):
        for batch in data_iter:
            index = None if batch.index is None else batch.index.tolist()
            arrays = [[x.asnumpy().tolist() for x in part] for part in (batch.data, batch.label)]
            seen.append([*arrays, batch.pad, index])
        seen.append("end")
        data_iter.reset()
    return seen


def described(data_iter: Any) -> list[str]:
    return [str(data_iter.provide_data), str(data_iter.provide_label)]


def shown(row: dict[str, Any]) -> str:
    return " ".join(str(row[key]) for key in ("source", "last", "shuffle", "batch_size"))


@pytest.mark.parametrize("row", frontend.load()["array_iterators"], ids=shown)
def test_arrays(row: dict[str, Any]) -> None:
    np.random.seed(5)
    made = io.NDArrayIter(
        *SOURCES[row["source"]], row["batch_size"], row["shuffle"], last_batch_handle=row["last"]
    )
    assert described(made) == row["provide"]
    assert passes(made, 3) == row["passes"]


def test_a_batch_larger_than_the_data_repeats_it() -> None:
    (batch,) = io.NDArrayIter(Y, batch_size=17)
    assert batch.data[0].asnumpy().tolist() == [i % 7 for i in range(17)]
    assert batch.pad == 10


def test_shuffling_keeps_the_element_type() -> None:
    # MXNet's shuffled arrays become float32
    made = io.NDArrayIter(mx.nd.array(X, dtype="int64"), batch_size=7, shuffle=True)
    assert made.provide_data[0].dtype is np.int64
    assert sorted(made.next().data[0].asnumpy().ravel().tolist()) == list(range(14))


def test_the_layout_says_which_axis_the_samples_are_on() -> None:
    # MXNet counts the first axis whatever the layout
    made = io.NDArrayIter(X.T, Y, 3, layout="TN", last_batch_handle="roll_over")
    assert described(made)[0] == "[DataDesc[data,(2, 3),<class 'numpy.float32'>,TN]]"
    batches = [batch.data[0].asnumpy().tolist() for _ in range(2) for batch in (*made, made.reset()) if batch]
    assert batches[1] == [[6, 8, 10], [7, 9, 11]]
    assert batches[2] == [[12, 0, 2], [13, 1, 3]]


def test_batches_do_not_share_memory_with_the_data() -> None:
    source = mx.nd.array(X)
    for batch in io.NDArrayIter(source, batch_size=2):
        batch.data[0][:] = -1
    assert source.asnumpy().tolist() == X.tolist()


def test_hard_reset_forgets_samples_that_were_to_roll_over() -> None:
    made = io.NDArrayIter(Y, batch_size=4, last_batch_handle="roll_over")
    assert len(list(made)) == 1
    made.hard_reset()
    assert made.next().data[0].asnumpy().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("shuffle", [False, True])
def test_hdf5_datasets_are_read_in_increasing_rows(monkeypatch: pytest.MonkeyPatch, shuffle: bool) -> None:
    class Dataset:
        """As much of h5py.Dataset as matters, with its rule for lists of rows."""

        shape, dtype = X.shape, X.dtype

        def __getitem__(self, key: tuple[Any, ...]) -> Any:
            assert (np.diff(key[0]) > 0).all()
            return X[key]

    h5py = types.ModuleType("h5py")
    monkeypatch.setattr(h5py, "Dataset", Dataset, raising=False)
    monkeypatch.setitem(sys.modules, "h5py", h5py)
    found = []
    for source in (Dataset(), X):
        np.random.seed(1)
        found.append(passes(io.NDArrayIter(source, batch_size=3, shuffle=shuffle), 2))
    assert found[0] == found[1]


@pytest.mark.parametrize("row", frontend.load()["csv_iterators"], ids=lambda row: str(row["kwargs"]))
def test_csv(row: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in row["files"].items():
        Path(name).write_text(text)
    made = io.CSVIter(**row["kwargs"])
    assert described(made) == row["provide"]
    assert passes(made, 3) == row["passes"]


def test_csv_of_a_folder_and_reset_within_a_pass(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("3,4\n\n5,6\n")
    (tmp_path / "a.csv").write_text("1,2\n")
    made = io.CSVIter(data_csv=str(tmp_path), data_shape=(2,), batch_size=2)
    assert made.next().data[0].asnumpy().tolist() == [[1, 2], [3, 4]]
    made.reset()
    assert made.next().data[0].asnumpy().tolist() == [[1, 2], [3, 4]]
    assert made.getdata().shape == (2, 2)
    assert made.getlabel().asnumpy().tolist() == [0, 0]


def write_mnist(folder: Path, count: int = 7, pack: Any = bytes) -> dict[str, str]:
    images = np.arange(count * 6).astype(np.uint8)
    (folder / "images").write_bytes(pack(struct.pack(">4I", 2051, count, 2, 3) + images.tobytes()))
    (folder / "labels").write_bytes(pack(struct.pack(">2I", 2049, count) + bytes(range(count))))
    return {"image": str(folder / "images"), "label": str(folder / "labels")}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_mnist(tmp_path: Path, pack: Any, caplog: pytest.LogCaptureFixture) -> None:
    files = write_mnist(tmp_path, pack=pack)
    with caplog.at_level(logging.INFO):
        made = io.MNISTIter(**files, batch_size=3, shuffle=False)
    assert caplog.messages == ["MNISTIter: load 7 images, shuffle=False, shape=(3, 1, 2, 3)"]
    batches = list(made)
    assert [batch.label[0].asnumpy().tolist() for batch in batches] == [[0, 1, 2], [3, 4, 5]]
    np.testing.assert_array_equal(batches[1].data[0].asnumpy(), np.arange(18, 36).reshape(3, 1, 2, 3) / 256)
    made.reset()
    assert len(list(made)) == 2


def test_parts_and_order_of_mnist(tmp_path: Path) -> None:
    files = write_mnist(tmp_path)

    def labels(**kwargs: Any) -> list[float]:
        made = io.MNISTIter(**files, batch_size=1, silent=True, **kwargs)
        return [float(batch.label[0].asscalar()) for batch in made]

    parts = [labels(shuffle=False, num_parts=3, part_index=i) for i in range(3)]
    assert parts == [[0, 1], [2, 3], [4, 5, 6]]
    assert sorted(labels()) == list(range(7))
    assert labels(seed=1) == labels(seed=1) != labels(seed=2)
    flat = io.MNISTIter(**files, batch_size=2, flat=True, silent=True)
    assert flat.provide_data[0].shape == (2, 6)


def test_debug_skip_load_repeats_the_first_batch(tmp_path: Path) -> None:
    made = io.MNISTIter(**write_mnist(tmp_path), batch_size=1, shuffle=False, silent=True)
    made.debug_skip_load()
    assert [made.next().label[0].asscalar() for _ in range(9)] == [0] * 9


def base() -> io.NDArrayIter:
    return io.NDArrayIter(X, Y, 4)


def test_resize() -> None:
    longer = io.ResizeIter(base(), 3)
    assert [batch.data[0].asnumpy()[0, 0] for batch in longer] == [0, 8, 0]
    assert (longer.getpad(), longer.getindex(), longer.getlabel()[0].shape) == (0, None, (4,))
    shorter = io.ResizeIter(base(), 1, reset_internal=False)
    first = []
    for _ in range(3):
        first += [batch.data[0].asnumpy()[0, 0] for batch in shorter]
        shorter.reset()
    assert first == [0, 8, 0]
    assert described(shorter) == described(base())


def test_prefetching() -> None:
    one = io.PrefetchingIter(base())
    assert described(one) == described(base())
    assert passes(one, 3) == passes(base(), 3)
    two = io.PrefetchingIter(
        [base(), base()],
        rename_data=[{"data": "a"}, {"data": "b"}],
        rename_label=[{"softmax_label": "c"}, {"softmax_label": "d"}],
    )
    assert [desc.name for desc in two.provide_data + two.provide_label] == ["a", "b", "c", "d"]
    batch = two.next()
    assert [len(batch.data), len(batch.label), batch.provide_data] == [2, 2, two.provide_data]
    two.reset()
    assert len(list(two)) == 2
    assert not two.iter_next()


def test_an_error_while_prefetching_is_raised() -> None:
    # MXNet's thread ends, and the program waits for ever
    class Broken(io.DataIter):
        provide_data, provide_label = [io.DataDesc("data", (1,))], []

        def next(self) -> io.DataBatch:
            raise OSError("the disk is gone")

    broken = io.PrefetchingIter(Broken())
    with pytest.raises(OSError, match="the disk is gone"):
        broken.next()


def test_descriptions() -> None:
    desc = io.DataDesc("data", (2, 3), np.int8, "NC")
    assert (tuple(desc), desc.dtype, desc.layout) == (("data", (2, 3)), np.int8, "NC")
    assert repr(desc) == "DataDesc[data,(2, 3),<class 'numpy.int8'>,NC]"
    for same in (copy.copy(desc), pickle.loads(pickle.dumps(desc))):
        assert repr(same) == repr(desc)
    assert [io.DataDesc.get_batch_axis(layout) for layout in (None, "NCHW", "TNC", "CT")] == [0, 0, 1, -1]
    assert repr(io.DataDesc.get_list([("a", (1,))], [("a", np.int32)])) == (
        "[DataDesc[a,(1,),<class 'numpy.int32'>,NCHW]]"
    )
    assert io.DataDesc.get_list([("a", (1,))], None)[0].dtype is np.float32


def test_printed_batch() -> None:
    x, y = mx.nd.ones((2, 3)), mx.nd.ones((4,))
    assert str(io.DataBatch([x])) == "DataBatch: data shapes: [(2, 3)] label shapes: None"
    assert str(io.DataBatch([x, y], [y])) == "DataBatch: data shapes: [(2, 3), (4,)] label shapes: [(4,)]"


def test_an_own_iterator_needs_only_the_parts() -> None:
    class Own(io.DataIter):
        left = 2

        def iter_next(self) -> bool:
            self.left -= 1
            return self.left >= 0

        def getdata(self) -> Any:
            return [mx.nd.array([self.left])]

    assert [(batch.data[0].asscalar(), batch.label, batch.pad, batch.index) for batch in Own(1)] == [
        (1, None, None, None),
        (0, None, None, None),
    ]
    assert list(io.DataIter()) == []


def test_labels_beyond_the_data_are_not_used() -> None:
    """As in MXNet, whose last batch, though, has all of them (a label of shape (7,) here)."""
    batches = list(io.NDArrayIter(np.zeros((5, 1)), np.arange(9), 3))
    assert [batch.label[0].asnumpy().tolist() for batch in batches] == [[0, 1, 2], [3, 4, 0]]


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (lambda: io.NDArrayIter("x"), TypeError, "data: expected an NDArray, .* got str"),
    (lambda: io.NDArrayIter(None), ValueError, "data: at least one array is needed"),
    (lambda: io.NDArrayIter({"a": object()}), TypeError, "Invalid type object for 'a'"),
    (lambda: io.NDArrayIter(X, Y[:3]), ValueError, "fewer samples than the first: {'data': 7, 'softmax_label': 3}"),
    (lambda: io.NDArrayIter(X, last_batch_handle="x"), ValueError, "last_batch_handle must be .*, got 'x'"),
    (lambda: io.NDArrayIter(X, layout="TC"), ValueError, "layout 'TC' has no axis N"),
    (lambda: io.DataBatch(mx.nd.ones((1,))), TypeError, "Data must be list of NDArrays"),
    (lambda: io.DataBatch([], 3), TypeError, "Label must be list of NDArrays, got int"),  # type: ignore[arg-type]
    (lambda: io.PrefetchingIter([]), ValueError, "at least one iterator"),
    (
        lambda: list(io.PrefetchingIter([io.NDArrayIter(Y, None, 4), io.NDArrayIter(X[:6], None, 4)])),
        ValueError,
        r"0 of 2 are at their end, the others pad by \[1, 2\]",
    ),
    (
        lambda: list(io.PrefetchingIter([io.NDArrayIter(Y, None, 7), io.NDArrayIter(Y, None, 1)])),
        ValueError,
        "1 of 2 are at their end",
    ),
]


@pytest.mark.parametrize(("action", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors(action: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        action()


CSV: list[tuple[dict[str, Any], str]] = [
    ({"data_csv": "none.csv"}, "cannot read none.csv as comma-separated float32"),
    ({"data_csv": "words.csv"}, "cannot read words.csv"),
    ({"data_shape": (4,)}, r"specified shape=\(4,\), the csv row-length=2 in d.csv"),
    ({"label_csv": "short.csv"}, "short.csv has 1 rows for 3 rows of d.csv"),
    ({"batch_size": 4}, "d.csv has 3 rows, fewer than a batch of 4"),
    ({"batch_size": 0}, "batch_size must be 1 or more, got 0"),
    ({"dtype": "float64"}, "float64 is not supported for CSVIter"),
]


@pytest.mark.parametrize(("kwargs", "text"), CSV, ids=[text for _, text in CSV])
def test_errors_of_csv(
    kwargs: dict[str, Any], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, lines in (("d.csv", "1,2\n3,4\n5,6\n"), ("short.csv", "1\n"), ("words.csv", "a,b\n")):
        Path(name).write_text(lines)
    with pytest.raises(mx.MXNetError, match=text):
        io.CSVIter(**{"data_csv": "d.csv", "data_shape": (2,), "batch_size": 2, **kwargs})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda f: os.remove(f["image"]), "cannot read .*images"),
        (lambda f: f.update(image=f["label"]), "labels is not an idx file of bytes in 3 dimensions"),
        (lambda f: os.truncate(f["image"], 57), "has 41 bytes of data, not those of shape"),
        (lambda f: f.update(num_parts=2, part_index=2), "part_index 2 is out of bounds for 2 parts"),
        (
            lambda f: Path(f["label"]).write_bytes(struct.pack(">2I", 2049, 1) + b"\0"),
            "has 7 images, but .*labels has 1 labels",
        ),
    ],
)
def test_errors_of_mnist(change: Any, text: str, tmp_path: Path) -> None:
    files: dict[str, Any] = write_mnist(tmp_path)
    change(files)
    with pytest.raises(mx.MXNetError, match=text):
        io.MNISTIter(**files)
