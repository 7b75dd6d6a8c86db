"""Image data sets in local files."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx.gluon.data import vision

DRAW = np.random.RandomState(0)
DIGITS = DRAW.randint(0, 256, (5, 28, 28)).astype(np.uint8)
CIFAR = DRAW.randint(0, 256, (10, 3074)).astype(np.uint8)


def idx(values: np.ndarray[Any, Any]) -> bytes:
    return struct.pack(f">{1 + values.ndim}I", 2048 + values.ndim, *values.shape) + values.tobytes()


def write_digits(folder: Path, part: str, pack: Callable[[bytes], bytes], suffix: str = "") -> None:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / f"{part}-images-idx3-ubyte{suffix}").write_bytes(pack(idx(DIGITS)))
    (folder / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(np.arange(5, dtype=np.uint8))))


@pytest.mark.parametrize("kind", [vision.MNIST, vision.FashionMNIST])
@pytest.mark.parametrize(("pack", "suffix"), [(bytes, ""), (gzip.compress, ".gz")])
@pytest.mark.parametrize(("part", "train"), [("train", True), ("t10k", False)])
@pytest.mark.parametrize("below", ["", "raw"])
def test_mnist(kind: Any, pack: Any, suffix: str, part: str, train: bool, below: str, tmp_path: Path) -> None:
    write_digits(tmp_path / below, part, pack, suffix)
    dataset = kind(root=str(tmp_path), train=train)
    image, label = dataset[3]
    assert (len(dataset), int(label), np.asarray(label).dtype) == (5, 3, np.int32)
    assert (image.shape, image.dtype) == ((28, 28, 1), np.uint8)
    np.testing.assert_array_equal(image.asnumpy()[..., 0], DIGITS[3])


def test_transforms_of_a_data_set_make_its_samples(tmp_path: Path) -> None:
    write_digits(tmp_path, "train", bytes)
    dataset = vision.MNIST(str(tmp_path), transform=lambda image, label: (label, image.shape))
    assert dataset[4] == (4, (28, 28, 1))


def cifar(rows: slice, labels: int) -> bytes:
    return CIFAR[rows, 2 - labels :].tobytes()


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, contents in files.items():
            info = tarfile.TarInfo(f"cifar-binary/{name}")
            info.size = len(contents)
            tar.addfile(info, io.BytesIO(contents))
    return buffer.getvalue()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("make", "labels", "files", "byte"),
    [
        (vision.CIFAR10, 1, {f"data_batch_{i + 1}.bin": slice(2 * i, 2 * i + 2) for i in range(5)}, 1),
        (lambda root: vision.CIFAR10(root, train=False), 1, {"test_batch.bin": slice(10)}, 1),
        (vision.CIFAR100, 2, {"train.bin": slice(10)}, 0),
        (lambda root: vision.CIFAR100(root, fine_label=True, train=False), 2, {"test.bin": slice(10)}, 1),
    ],
)
def test_cifar(
    make: Any, labels: int, files: dict[str, slice], byte: int, packed: bool, tmp_path: Path
) -> None:
    contents = {name: cifar(rows, labels) for name, rows in files.items()}
    if packed:
        (tmp_path / f"cifar-{10 if labels == 1 else 100}-binary.tar.gz").write_bytes(archive(contents))
    else:
        for name, data in contents.items():
            (tmp_path / name).write_bytes(data)
    dataset = make(str(tmp_path))
    assert len(dataset) == 10
    image, label = dataset[7]
    assert (image.shape, image.dtype, int(label)) == ((32, 32, 3), np.uint8, CIFAR[7, byte])
    np.testing.assert_array_equal(image.asnumpy(), CIFAR[7, 2:].reshape(3, 32, 32).transpose(1, 2, 0))


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Small PNG files in two folders, in RGB as they were written."""
    cv2 = pytest.importorskip("cv2")
    made = {}
    for i, name in enumerate(["cat/1.png", "cat/2.PNG", "dog/a.png"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        made[name] = DRAW.randint(0, 256, (4 + i, 6, 3)).astype(np.uint8)
        assert cv2.imwrite(str(tmp_path / name), made[name][..., ::-1])
    return made


def test_folders_of_images(tmp_path: Path, pictures: dict[str, np.ndarray[Any, Any]]) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "dog" / "notes.txt").touch()
    with pytest.warns(UserWarning, match="Ignoring") as caught:
        dataset = vision.ImageFolderDataset(str(tmp_path))
    assert [str(warning.message) for warning in caught] == [
        f"Ignoring {tmp_path}/dog/notes.txt of type .txt. Only support .jpg, .jpeg, .png",
        f"Ignoring {tmp_path}/notes.txt, which is not a directory.",
    ]
    assert dataset.synsets == ["cat", "dog"]
    assert dataset.items == [(str(tmp_path / name), int(name[0] == "d")) for name in pictures]
    for i, picture in enumerate(pictures.values()):
        np.testing.assert_array_equal(dataset[i][0].asnumpy(), picture)
    assert [label for _, label in dataset] == [0, 0, 1]
    (tmp_path / "notes.txt").unlink()
    (tmp_path / "dog" / "notes.txt").unlink()
    grey = vision.ImageFolderDataset(str(tmp_path), flag=0, transform=lambda image, label: (image.shape, label))
    assert list(grey) == [((4, 6, 1), 0), ((5, 6, 1), 0), ((6, 6, 1), 1)]


def test_record_files_of_images(tmp_path: Path, pictures: dict[str, np.ndarray[Any, Any]]) -> None:
    writer = mx.recordio.MXIndexedRecordIO(tmp_path / "x.idx", tmp_path / "x.rec", "w")
    for i, picture in enumerate(pictures.values()):
        packed = mx.recordio.pack_img((0, 2.0 * i, i, 0), picture[..., ::-1], img_fmt=".png", quality=3)
        writer.write_idx(i, packed)
    writer.close()
    dataset = vision.ImageRecordDataset(str(tmp_path / "x.rec"))
    assert [label for _, label in dataset] == [0, 2, 4]
    for (image, _), picture in zip(dataset, pictures.values(), strict=True):
        np.testing.assert_array_equal(image.asnumpy(), picture)
    loader = mx.gluon.data.DataLoader(
        dataset.transform_first(lambda image: mx.image.imresize(image, 4, 4)), batch_size=3, num_workers=1
    )
    ((images, labels),) = loader
    assert (images.shape, labels.asnumpy().tolist()) == ((3, 4, 4, 3), [0, 2, 4])
    shapes = vision.ImageRecordDataset(str(tmp_path / "x.rec"), 0, lambda image, label: (image.shape, label))
    assert shapes[1] == ((5, 6, 1), 2)


ERRORS: list[tuple[Any, str]] = [
    (lambda root: vision.MNIST(str(root)), "MNIST: expected train-images-idx3-ubyte or train-images.*gz in"),
    (lambda root: vision.CIFAR10(str(root), train=False), "CIFAR10: expected test_batch.bin or cifar-10-binary.tar"),
    (
        lambda root: [(root / "train.bin").write_bytes(b"123"), vision.CIFAR100(str(root))],
        "CIFAR100: train.bin has 3 bytes, not a multiple of 3074",
    ),
    (
        lambda root: [
            (root / "cifar-100-binary.tar.gz").write_bytes(archive({"test.bin": b""})),
            vision.CIFAR100(str(root)),
        ],
        "does not hold train.bin",
    ),
    (
        lambda root: [
            write_digits(root, "train", bytes),
            (root / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(2, np.uint8))),
            vision.FashionMNIST(str(root)),
        ],
        "FashionMNIST: 5 images, but 2 labels in",
    ),
]


@pytest.mark.parametrize(("action", "text"), ERRORS, ids=[text for _, text in ERRORS])
def test_errors(action: Any, text: str, tmp_path: Path) -> None:
    with pytest.raises(mx.MXNetError, match=text):
        action(tmp_path)


LISTS = {
    "pairs": ([[0, "a.png"], [1.5, "b.png"]], [[0], [1.5]]),
    "several labels": ([[0, 7, "a.png"], [[1, 8], "b.png"]], [[0, 7], [1, 8]]),
    "tuple": (((0, "a.png"), (np.float32(2), "b.png")), [[0], [2]]),
}


@pytest.mark.parametrize("name", LISTS)
def test_image_list(name: str, listed: list[np.ndarray], tmp_path: Path) -> None:
    """Entries of a list: labels, and the path at the end."""
    entries, labels = LISTS[name]
    dataset = vision.ImageListDataset(str(tmp_path), entries)
    assert len(dataset) == 2
    for i, (picture, label) in enumerate(zip(listed, labels, strict=True)):
        np.testing.assert_array_equal(dataset[i][0].asnumpy(), picture)
        assert dataset[i][1].dtype == np.float32
        assert dataset[i][1].tolist() == label


@pytest.mark.parametrize("text", ["0 0 a.png\n1 1 b.png\n", "0\t0\ta.png\n\n1\t1\tb.png"])
def test_image_list_file(text: str, listed: list[np.ndarray], tmp_path: Path) -> None:
    """Lines of a file: a number, labels and the path."""
    (tmp_path / "all.lst").write_text(text)
    dataset = vision.ImageListDataset(str(tmp_path), "all.lst", flag=0)
    assert [dataset[i][0].shape for i in range(len(dataset))] == [(4, 5, 1)] * 2
    assert [dataset[i][1].tolist() for i in range(2)] == [[0], [1]]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (None, "expected the name of a file or a list, got None"),
        ([["a.png"]], r"expected labels and the path of an image, got \['a.png'\]"),
        ([[0, 1]], r"expected labels and the path of an image, got \[0, 1\]"),
    ],
)
def test_image_list_refused(entries: object, message: str) -> None:
    """Entries without a label or a path."""
    with pytest.raises(ValueError, match=message):
        vision.ImageListDataset(".", entries)


@pytest.fixture
def listed(tmp_path: Path) -> list[np.ndarray]:
    """Two images, written to a.png and b.png."""
    cv2 = pytest.importorskip("cv2")
    made = [np.random.RandomState(i).randint(0, 256, (4, 5, 3)).astype("uint8") for i in range(2)]
    for name, picture in zip("ab", made, strict=True):
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), picture[..., ::-1])
    return made
