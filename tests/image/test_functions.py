"""Functions of images."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import image

cv2 = pytest.importorskip("cv2")
PICTURE = np.random.RandomState(0).randint(0, 256, (5, 7, 3)).astype(np.uint8)


def nd(values: Any) -> Any:
    return mx.nd.array(values, dtype=np.asarray(values).dtype)


def encoded(picture: np.ndarray[Any, Any] = PICTURE) -> bytes:
    data: bytes = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
    return data


@pytest.mark.parametrize("convert", [bytes, bytearray, lambda b: np.frombuffer(b, np.uint8)])
def test_decoding(convert: Any) -> None:
    buffer = convert(encoded())
    np.testing.assert_array_equal(image.imdecode(buffer).asnumpy(), PICTURE)
    np.testing.assert_array_equal(image.imdecode(buffer, to_rgb=False).asnumpy(), PICTURE[..., ::-1])
    grey = cv2.cvtColor(PICTURE, cv2.COLOR_RGB2GRAY)[..., np.newaxis]
    found = image.imdecode(buffer, 0).asnumpy()
    assert found.shape == grey.shape
    assert np.abs(found.astype(int) - grey).max() <= 1  # the decoder's own arithmetic rounds differently


def test_decoding_of_and_into_arrays() -> None:
    out = mx.nd.zeros((5, 7, 3), dtype="uint8")
    assert image.imdecode(nd(np.frombuffer(encoded(), np.uint8)), out=out) is out
    np.testing.assert_array_equal(out.asnumpy(), PICTURE)


def test_reading(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(encoded())
    np.testing.assert_array_equal(image.imread(tmp_path / "x.png").asnumpy(), PICTURE)
    assert image.imread(str(tmp_path / "x.png"), flag=0).shape == (5, 7, 1)


RAMP = np.float32([[[0], [10], [20], [30]]])
RESIZED = [  # of 4 pixels 0, 10, 20, 30: method, width, pixels
    (0, 2, [0, 20]),
    (1, 2, [5, 25]),
    (3, 2, [5, 25]),
    (1, 8, [0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30]),
    (9, 2, [5, 25]),
]


@pytest.mark.parametrize(("interp", "width", "pixels"), RESIZED)
def test_resizing(interp: int, width: int, pixels: list[float]) -> None:
    assert image.imresize(nd(RAMP), width, 1, interp).asnumpy().ravel().tolist() == pixels


def test_resizing_keeps_type_and_channels() -> None:
    for channels in (1, 3):
        out = image.imresize(nd(PICTURE[..., :channels]), 4, 6)
        assert (out.shape, out.dtype) == ((6, 4, channels), np.uint8)
    random.seed(0)
    assert image.imresize(nd(PICTURE), 4, 6, interp=10).shape == (6, 4, 3)


@pytest.mark.parametrize(
    ("shape", "size", "new"),
    [((4, 6, 3), 2, (2, 3, 3)), ((6, 4, 3), 2, (3, 2, 3)), ((5, 5, 1), 7, (7, 7, 1))],
)
def test_shorter_side(shape: tuple[int, ...], size: int, new: tuple[int, ...]) -> None:
    assert image.resize_short(mx.nd.ones(shape), size).shape == new


@pytest.mark.parametrize(
    ("src", "size", "scaled"),
    [
        ((640, 480), (720, 120), (640, 106)),
        ((4, 4), (2, 3), (2, 3)),
        ((4, 4), (8, 8), (4, 4)),
        ((4, 2), (3, 4), (1, 2)),
    ],
)
def test_scale_down(src: tuple[int, int], size: tuple[int, int], scaled: tuple[int, int]) -> None:
    assert image.scale_down(src, size) == scaled


def test_borders() -> None:
    padded = image.copyMakeBorder(nd(PICTURE), 1, 2, 3, 4, values=(1, 2, 3)).asnumpy()
    assert padded.shape == (8, 14, 3)
    np.testing.assert_array_equal(padded[1:6, 3:10], PICTURE)
    assert padded[0, 0].tolist() == [1, 2, 3]
    assert image.copyMakeBorder(nd(PICTURE), 1, 0, 0, 0, value=9).asnumpy()[0, 0].tolist() == [9, 9, 9]
    repeated = image.copyMakeBorder(nd(PICTURE), 1, 0, 0, 0, cv2.BORDER_REPLICATE).asnumpy()
    np.testing.assert_array_equal(repeated[0], PICTURE[0])


def test_crops() -> None:
    np.testing.assert_array_equal(image.fixed_crop(nd(PICTURE), 1, 2, 3, 2).asnumpy(), PICTURE[2:4, 1:4])
    assert image.fixed_crop(nd(PICTURE), 1, 2, 3, 2, size=(6, 8)).shape == (8, 6, 3)
    middle, box = image.center_crop(nd(PICTURE), (3, 3))
    assert box == (2, 1, 3, 3)
    np.testing.assert_array_equal(middle.asnumpy(), PICTURE[1:4, 2:5])
    small, box = image.center_crop(nd(PICTURE), (10, 10))
    assert (small.shape, box) == ((10, 10, 3), (1, 0, 5, 5))


def test_random_crops_lie_anywhere_in_the_image() -> None:
    random.seed(0)
    boxes = set()
    for _ in range(200):
        piece, (x, y, width, height) = image.random_crop(nd(PICTURE), (3, 4))
        np.testing.assert_array_equal(piece.asnumpy(), PICTURE[y : y + height, x : x + width])
        boxes.add((x, y, width, height))
    assert boxes == {(x, y, 3, 4) for x in range(5) for y in range(2)}


def test_random_sizes_keep_to_their_limits() -> None:
    random.seed(0)
    source = mx.nd.zeros((60, 80, 1))
    for _ in range(100):
        piece, (x, y, width, height) = image.random_size_crop(source, (8, 8), (0.2, 0.5), (0.5, 2.0))
        assert piece.shape == (8, 8, 1)
        assert 0 <= x <= 80 - width
        assert 0 <= y <= 60 - height
        assert 0.2 - 0.02 < width * height / 4800 < 0.5 + 0.02
        assert 0.5 - 0.04 < width / height < 2 + 0.1
    # nothing of this shape fits: the middle
    assert image.random_size_crop(source, (8, 8), 1.0, (9.0, 10.0))[1] == (36, 26, 8, 8)
    with pytest.warns(DeprecationWarning, match="Please use `area` instead"):
        image.random_size_crop(source, (8, 8), None, (1.0, 1.0), min_area=0.5)


def test_normalizing_is_in_place() -> None:
    source = mx.nd.array([[[1, 2, 3]]])
    assert image.color_normalize(source, mx.nd.array([1, 1, 1]), mx.nd.array([1, 2, 4])) is source
    assert source.asnumpy().tolist() == [[[0, 0.5, 0.5]]]
    assert image.color_normalize(source, None).asnumpy().tolist() == [[[0, 0.5, 0.5]]]


ARROW = np.float32([[[0, 0, 0], [0, 0, 1], [0, 0, 0]]])


@pytest.mark.parametrize(
    ("angle", "rotated"),
    [
        (0, [[0, 0, 0], [0, 0, 1], [0, 0, 0]]),
        (90, [[0, 1, 0], [0, 0, 0], [0, 0, 0]]),
        (180, [[0, 0, 0], [1, 0, 0], [0, 0, 0]]),
        (-90, [[0, 0, 0], [0, 0, 0], [0, 1, 0]]),
    ],
)
def test_rotation(angle: float, rotated: list[list[float]]) -> None:
    np.testing.assert_allclose(image.imrotate(nd(ARROW), angle).asnumpy()[0], rotated, atol=1e-6)
    batch = image.imrotate(nd(np.stack([ARROW, ARROW])), mx.nd.array([angle, 0])).asnumpy()
    np.testing.assert_allclose(batch[:, 0], [rotated, ARROW[0]], atol=1e-6)


@pytest.mark.parametrize(
    ("zoom", "least", "total"),  # of MXNet
    [({}, 0, 491.6687), ({"zoom_in": True}, 0.9226488, 599.84534), ({"zoom_out": True}, 0, 229.82028)],
)
def test_zooms_of_a_rotation(zoom: dict[str, bool], least: float, total: float) -> None:
    rotated = image.imrotate(mx.nd.ones((1, 20, 30)), 30, **zoom).asnumpy()
    assert rotated.min() == pytest.approx(least, rel=1e-5)
    assert rotated.sum() == pytest.approx(total, rel=1e-5)


def test_random_rotations_keep_to_their_limits() -> None:
    np.random.seed(0)
    batch = image.random_rotate(nd(np.stack([ARROW] * 5)), (89.9, 90.1)).asnumpy()
    assert (batch[:, 0, 0, 1] > 0.99).all()
    assert image.random_rotate(nd(ARROW), (-90.1, -89.9)).asnumpy()[0, 2, 1] > 0.99


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (
        lambda: image.imdecode("text"),
        ValueError,
        "buf must be bytes, bytearray, numpy.ndarray or NDArray, got str",
    ),
    (lambda: image.imdecode(b""), mx.MXNetError, "the buffer is empty"),
    (lambda: image.imdecode(b"abc"), mx.MXNetError, "the 3 bytes are no image that OpenCV can decode"),
    (lambda: image.imdecode(b"", flat=1), TypeError, r"unknown arguments \['flat'\]"),
    (lambda: image.imread("none.png"), mx.MXNetError, "cannot read none.png: .*No such file"),
    (lambda: image.imread(__file__), mx.MXNetError, "cannot read .*no image"),
    (
        lambda: image.imresize(nd(PICTURE), 0, 3),
        mx.MXNetError,
        "width and height must be 1 or more, got 0 and 3",
    ),
    (lambda: image.imresize(nd(PICTURE[0]), 2, 3), mx.MXNetError, r"got shape \(7, 3\)"),
    (lambda: image.imresize(nd(PICTURE), 2, 3, 7), mx.MXNetError, "interp must be 0 to 4, 9 or 10, got 7"),
    (lambda: image.random_size_crop(nd(PICTURE), (2, 2), 1, (1, 1), x=1), TypeError, r"arguments \['x'\]"),
    (lambda: image.imrotate(nd(ARROW), 1, True, True), ValueError, "cannot be both True"),
    (lambda: image.imrotate(nd(PICTURE), 1), TypeError, "Only `float32` .*, got uint8"),
    (lambda: image.imrotate(nd(ARROW[0]), 1), ValueError, r"Only 3D and 4D .*, got shape \(3, 3\)"),
    (lambda: image.imrotate(nd(ARROW), mx.nd.array([1])), TypeError, "required to be a scalar"),
    (
        lambda: image.imrotate(nd(ARROW[None]), mx.nd.array([1, 2])),
        ValueError,
        "1 images, but 2 rotation angles",
    ),
]


@pytest.mark.parametrize(("action", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors(action: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        action()
