"""The digits that come with the package."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

import gluon_onnx.gluon.data.digits as digits


def test_shapes_types_and_range() -> None:
    images, labels = digits.load_digits()
    assert (images.shape, images.dtype) == ((1797, 1, 8, 8), np.float32)
    assert (labels.shape, labels.dtype) == ((1797,), np.int32)
    assert (images.min(), images.max()) == (0, 1)


def test_they_are_the_published_ones() -> None:
    images, labels = digits.load_digits()
    # classes of the 1,797 test images as the data set's own description counts them
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    pixels = (images * 16).astype(np.uint8).tobytes()
    assert (
        hashlib.sha256(pixels).hexdigest()
        == "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
    )


def test_source_and_licence_lie_beside_them() -> None:
    note = Path(digits.__file__).with_name("digits.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in note
    assert "https://doi.org/10.24432/C50P49" in note
