"""Augmenters against real MXNet, and the iterator over images."""

from __future__ import annotations

import json
import logging
import pathlib
import random
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import image, recordio
from tests.golden import store
from tests.image import rows

cv2 = pytest.importorskip("cv2")


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    """MXNet's images by the augmenter's name."""
    return store.read("augmenters")[0]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """What MXNet's augmenters tell of themselves."""
    path = pathlib.Path(store.__file__).with_name("augmenters.json")
    found: dict[str, str] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("name", rows.AUGMENTERS)
def test_like_mxnet(name: str, golden: dict[str, np.ndarray]) -> None:
    """Equal seeds give equal images."""
    found, expected = rows.augmented(mx, name), golden[name]
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found, expected, 1e-5, 1e-3)


@pytest.mark.parametrize("name", rows.AUGMENTERS)
def test_descriptions(name: str, texts: dict[str, str]) -> None:
    assert rows.described(mx, name) == texts[name]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: image.Augmenter()(mx.nd.ones(1)), TypeError, r"Augmenter must define __call__"),
        (lambda: image.CreateAugmenter((3, 4, 4), rand_resize=True), ValueError, "rand_crop=True"),
        (
            lambda: image.CreateAugmenter((3, 4, 4), mean=[1, 2, 3]),
            ValueError,
            "mean must be True or an array",
        ),
        (lambda: image.RandomSizedCropAug((2, 2), 1, (1, 1), size=3), TypeError, "size"),
        (lambda: image.ImageIter(2, (3, 4, 4)), ValueError, "path_imgrec, path_imglist, or a list"),
        (lambda: image.ImageIter(2, (1, 4, 4), imglist=[]), ValueError, r"must be \(3, height, width\)"),
        (lambda: image.ImageIter(2, (3, 4, 4), imglist=[], dtype="x"), ValueError, "dtype of labels"),
        (
            lambda: image.ImageIter(2, (3, 4, 4), imglist=[], last_batch_handle="x"),
            ValueError,
            "last_batch_handle",
        ),
        (
            lambda: image.ImageIter(2, (3, 4, 4), imglist=[[0, "a"]], num_parts=2, part_index=2),
            ValueError,
            "part_index must be 0 to 1, got 2",
        ),
    ],
)
def test_errors(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


# -- the iterator ----------------------------------------------------------------------------------------------
N = 5


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """Five gray images of brightness 0, 10, ...; a list of them; a record file with labels 0, 1, ... and its index."""
    record = recordio.MXIndexedRecordIO(str(tmp_path / "x.idx"), str(tmp_path / "x.rec"), "w")
    lines = []
    for i in range(N):
        picture = np.full((6, 8, 3), 10 * i, "uint8")
        data = cv2.imencode(".png", picture)[1].tobytes()
        (tmp_path / f"{i}.png").write_bytes(data)
        record.write_idx(i, recordio.pack(recordio.IRHeader(0, float(i), i, 0), data))
        lines.append(f"{i}\t{i}\t{-i}\t{i}.png\n")
    record.close()
    (tmp_path / "x.lst").write_text("".join(lines))
    return tmp_path


def read(it: Any) -> list[tuple[list[float], list[Any], int]]:
    """Brightness and label of each image, and padding, by batch."""
    found = []
    for batch in it:
        data = batch.data[0].asnumpy()
        assert data.shape[1:] == it.data_shape
        found.append((data[:, 0, 0, 0].tolist(), batch.label[0].asnumpy().tolist(), batch.pad))
    return found


def sources(folder: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Ways to name the same images with the labels 0, 1, ..."""
    names: list[list[Any]] = [[i, f"{i}.png"] for i in range(N)]
    return {
        "record": {"path_imgrec": str(folder / "x.rec")},
        "index": {"path_imgrec": str(folder / "x.rec"), "path_imgidx": str(folder / "x.idx")},
        "names": {"imglist": names, "path_root": str(folder)},
    }


FULL = [([0, 10], [0, 1], 0), ([20, 30], [2, 3], 0)]


@pytest.mark.parametrize("source", ["record", "index", "names"])
@pytest.mark.parametrize(
    ("last", "first_pass", "second_pass"),
    [
        ("pad", [*FULL, ([40, 0], [4, 0], 1)], [*FULL, ([40, 0], [4, 0], 1)]),
        ("discard", FULL, FULL),
        ("roll_over", FULL, [([40, 0], [4, 0], 0), ([10, 20], [1, 2], 0), ([30, 40], [3, 4], 0)]),
    ],
)
def test_passes(source: str, last: str, first_pass: Any, second_pass: Any, folder: pathlib.Path) -> None:
    it = image.ImageIter(2, (3, 4, 4), last_batch_handle=last, **sources(folder)[source])
    assert read(it) == first_pass
    assert read(it) == []
    it.reset()
    assert read(it) == second_pass
    it.hard_reset()
    assert read(it)[: len(FULL)] == FULL


def test_list_file(folder: pathlib.Path) -> None:
    """Labels of several numbers; they replace those of a record file."""
    options: dict[str, Any] = {"label_width": 2, "path_imglist": str(folder / "x.lst")}
    expected = [([0, 10, 20, 30, 40], [[0, 0], [1, -1], [2, -2], [3, -3], [4, -4]], 0)]
    assert read(image.ImageIter(5, (3, 4, 4), path_root=str(folder), **options)) == expected
    assert read(image.ImageIter(5, (3, 4, 4), **options, **sources(folder)["index"])) == expected
    (folder / "x.lst").write_text("1\tx.png\n")
    with pytest.raises(ValueError, match="line 1: expected number, label and path"):
        image.ImageIter(5, (3, 4, 4), path_imglist=str(folder / "x.lst"))


def test_parts_and_order(folder: pathlib.Path) -> None:
    options = sources(folder)["names"]
    parts = [read(image.ImageIter(1, (3, 4, 4), num_parts=2, part_index=i, **options)) for i in range(2)]
    assert [[labels[0] for _, labels, _ in part] for part in parts] == [[0, 1], [2, 3]]
    random.seed(1)
    it = image.ImageIter(5, (3, 4, 4), shuffle=True, **options)
    orders = []
    for _ in range(3):
        orders.append(tuple(read(it)[0][1]))
        it.reset()
    assert len(set(orders)) > 1
    assert {tuple(sorted(order)) for order in orders} == {(0, 1, 2, 3, 4)}
    with pytest.raises(ValueError, match="need the index"):
        image.ImageIter(5, (3, 4, 4), shuffle=True, **sources(folder)["record"])


def test_a_batch_of_more_than_all_images(folder: pathlib.Path) -> None:
    (found,) = read(image.ImageIter(12, (3, 4, 4), **sources(folder)["record"]))
    assert found[1:] == ([0, 1, 2, 3, 4] * 2 + [0, 1], 7)
    assert read(image.ImageIter(2, (3, 4, 4), imglist=[])) == []


def test_broken_images_are_named(folder: pathlib.Path) -> None:
    (folder / "1.png").write_bytes(b"no image")
    with pytest.raises(RuntimeError, match=r"Broken image filename: 1\.png"):
        read(image.ImageIter(5, (3, 4, 4), **sources(folder)["names"]))


def test_invalid_images_are_skipped(folder: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    class Picky(image.ImageIter):
        def check_valid_image(self, data: Any) -> None:
            if data.asnumpy().max() in self.refused:
                raise RuntimeError("too dark")

        refused: tuple[int, ...] = (10,)

    it = Picky(2, (3, 4, 4), **sources(folder)["names"])
    with caplog.at_level(logging.DEBUG):
        assert read(it) == [([0, 20], [0, 2], 0), ([30, 40], [3, 4], 0)]
    assert "too dark" in caplog.text


def test_augmenters_must_give_the_shape(folder: pathlib.Path) -> None:
    it = image.ImageIter(2, (3, 4, 4), aug_list=[], **sources(folder)["names"])
    with pytest.raises(mx.MXNetError, match=r"expected images of shape \(3, 4, 4\), got \(3, 6, 8\)"):
        next(it)


def test_training_on_images(folder: pathlib.Path) -> None:
    """The iterator is what a module trains with."""
    x = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=5)
    module = mx.mod.Module(mx.sym.SoftmaxOutput(x, name="softmax"))
    it = image.ImageIter(2, (3, 4, 4), mean=True, std=True, rand_mirror=True, **sources(folder)["index"])
    module.fit(it, num_epoch=2)
    assert module.predict(it).shape == (5, 5)
