"""Transforms of images."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx.gluon.data.vision import transforms

PICTURE = np.random.RandomState(0).randint(0, 256, (6, 8, 3)).astype(np.uint8)
TENSOR = (PICTURE.transpose(2, 0, 1) / 255).astype(np.float32)


def nd(values: Any) -> Any:
    return mx.nd.array(values, dtype=np.asarray(values).dtype)


FIXED: list[tuple[Any, np.ndarray[Any, Any], np.ndarray[Any, Any]]] = [
    (transforms.Cast("float16"), PICTURE, PICTURE.astype(np.float16)),
    (transforms.Cast(), PICTURE, PICTURE.astype(np.float32)),
    (transforms.CenterCrop(4), PICTURE, PICTURE[1:5, 2:6]),
    (transforms.CenterCrop((6, 2)), PICTURE, PICTURE[2:4, 1:7]),
    (transforms.Rotate(180), TENSOR, TENSOR[:, ::-1, ::-1]),
    (transforms.RandomRotation((-9, 9), rotate_with_proba=0), TENSOR, TENSOR),
    (transforms.RandomApply(transforms.Cast("int32"), p=1.1), PICTURE, PICTURE.astype(np.int32)),
    (transforms.RandomApply(transforms.Cast("int32"), p=-1), PICTURE, PICTURE),
    (
        transforms.Compose([transforms.CenterCrop(4), lambda x: x[:2], transforms.Cast("float64")]),
        PICTURE,
        PICTURE[1:3, 2:6].astype(np.float64),
    ),
    (transforms.RandomResizedCrop(6, scale=(1, 1), ratio=(1, 1)), PICTURE, PICTURE[:, 1:7]),
]


@pytest.mark.parametrize(("transform", "image", "expected"), FIXED, ids=lambda value: type(value).__name__)
def test_values(transform: Callable[[Any], Any], image: Any, expected: np.ndarray[Any, Any]) -> None:
    if isinstance(transform, (transforms.CenterCrop, transforms.Compose, transforms.RandomResizedCrop)):
        pytest.importorskip("cv2")
    found = transform(nd(image))
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found.asnumpy(), expected, atol=1e-6)


def test_composing_does_not_change_the_list() -> None:
    # MXNet appends None to it
    parts = [transforms.Cast("int32"), transforms.Cast("float32")]
    composed = transforms.Compose(parts)
    assert len(parts) == len(composed) == 2
    assert transforms.Compose([composed, composed])(nd(PICTURE)).dtype is np.float32


def test_random_crops_have_the_size_asked_for() -> None:
    pytest.importorskip("cv2")
    random.seed(0)
    crop = transforms.RandomResizedCrop((5, 3), scale=0.3)
    assert {crop(nd(PICTURE)).shape for _ in range(20)} == {(3, 5, 3)}
    pieces = np.stack([crop(nd(PICTURE)).asnumpy() for _ in range(5)])
    assert len(np.unique(pieces, axis=0)) > 1


def test_random_rotations_differ() -> None:
    np.random.seed(0)
    rotate = transforms.RandomRotation((-30, 30))
    images = np.stack([rotate(nd(TENSOR)).asnumpy() for _ in range(5)])
    assert len(np.unique(images, axis=0)) == 5
    assert rotate(nd(np.stack([TENSOR, TENSOR]))).shape == (2, *TENSOR.shape)


def test_transforms_are_applied_at_random() -> None:
    random.seed(0)
    apply = transforms.RandomApply(transforms.Cast("int32"), p=0.3)
    count = sum(apply(nd(PICTURE)).dtype is np.int32 for _ in range(400))
    assert abs(count - 120) < 5 * (400 * 0.3 * 0.7) ** 0.5


def test_workers_transform_images() -> None:
    pytest.importorskip("cv2")
    dataset = mx.gluon.data.ArrayDataset(mx.nd.array(np.stack([PICTURE] * 4), dtype="uint8"), [0, 1, 2, 3])
    transform = transforms.Compose([transforms.CenterCrop(4), transforms.Cast("float32")])
    loader = mx.gluon.data.DataLoader(dataset.transform_first(transform), batch_size=2, num_workers=2)
    images, labels = zip(*loader, strict=True)
    assert [label.asnumpy().tolist() for label in labels] == [[0, 1], [2, 3]]
    for batch in images:
        np.testing.assert_array_equal(batch.asnumpy(), np.stack([PICTURE[1:5, 2:6]] * 2).astype(np.float32))


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (lambda: transforms.Rotate(10)(nd(PICTURE)), TypeError, "Consider calling it after ToTensor"),
    (lambda: transforms.RandomRotation((-1, 1))(nd(PICTURE)), TypeError, "only supports float32"),
    (lambda: transforms.RandomRotation((1, 1)), ValueError, r"must be an ordered tuple, got \(1, 1\)"),
    (lambda: transforms.RandomRotation((0, 1), rotate_with_proba=1.1), ValueError, "between 0 and 1, got 1.1"),
    (lambda: transforms.RandomRotation((0, 1), rotate_with_proba=-0.1), ValueError, "between 0 and 1, got -0.1"),
]


@pytest.mark.parametrize(("action", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors(action: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        action()
