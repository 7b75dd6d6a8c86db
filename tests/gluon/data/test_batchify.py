"""Functions that make batches of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx.gluon.data import batchify
from gluon_onnx.gluon.data.dataloader import default_batchify_fn

RAGGED = [[1, 2, 3], [4], [5, 6]]


def shown(batch: Any) -> Any:
    if isinstance(batch, mx.nd.NDArray):
        return np.dtype(batch.dtype).name, batch.asnumpy().tolist()
    return type(batch)(map(shown, batch)) if isinstance(batch, (list, tuple)) else batch


BATCHES: list[tuple[Any, Any, Any]] = [
    (batchify.Stack(), [1, 2], ("int64", [1, 2])),
    (batchify.Stack(), [np.float32([1, 2]), np.float32([3, 4])], ("float32", [[1, 2], [3, 4]])),
    (batchify.Stack(), [mx.nd.array([1], dtype="uint8")] * 2, ("uint8", [[1], [1]])),
    (batchify.Pad(), RAGGED, ("int64", [[1, 2, 3], [4, 0, 0], [5, 6, 0]])),
    (batchify.Pad(val=-1, dtype="float32", round_to=2), RAGGED[1:], ("float32", [[4, -1], [5, 6]])),
    (batchify.Pad(round_to=4), [[1]], ("int64", [[1, 0, 0, 0]])),
    (
        batchify.Pad(),
        [np.ones((1, 2), "float16"), np.ones((2, 1), "float16")],
        ("float16", [[[1, 1], [0, 0]], [[1, 0], [1, 0]]]),
    ),
    (batchify.Append(), RAGGED[:2], [("int64", [[1, 2, 3]]), ("int64", [[4]])]),
    (batchify.Append(expand=False), RAGGED[:2], [("int64", [1, 2, 3]), ("int64", [4])]),
    (batchify.Append(batch_axis=1), RAGGED[1:2], [("int64", [[4]])]),
    (batchify.AsList(), ["a", "b"], ["a", "b"]),
    (
        batchify.Group(batchify.Pad(), batchify.AsList()),
        [([1, 2], "a"), ([3], "b")],
        (("int64", [[1, 2], [3, 0]]), ["a", "b"]),
    ),
    (batchify.Group([batchify.AsList()]), [("a",), ("b",)], (["a", "b"],)),
    (default_batchify_fn, [(1, 2.5), (3, 4.5)], [("int64", [1, 3]), ("float64", [2.5, 4.5])]),
    (default_batchify_fn, [([1, 2], 0), ([3, 4], 1)], [("int64", [[1, 2], [3, 4]]), ("int64", [0, 1])]),
    (default_batchify_fn, [((1, 2), 3)], [[("int64", [1]), ("int64", [2])], ("int64", [3])]),
]


@pytest.mark.parametrize(("function", "samples", "batch"), BATCHES)
def test_batches(function: Any, samples: list[Any], batch: Any) -> None:
    assert shown(function(samples)) == batch


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (lambda: batchify.Stack()([(1, 2)]), ValueError, "use Group for samples that are tuples"),
    (lambda: batchify.Stack()(RAGGED), ValueError, r"\(1,\) and \(3,\) cannot be stacked: give Data"),
    (lambda: batchify.Pad()([[1], 2]), ValueError, r"one number of dimensions, got \[0, 1\]"),
    (lambda: batchify.Group(3), TypeError, "Group needs functions"),
    (lambda: batchify.Group([batchify.Pad()], batchify.Pad()), ValueError, "either one list of functions or"),
    (lambda: batchify.Group(batchify.Pad())([(1, 2)]), ValueError, "samples have 2 members, but Group has 1"),
]


@pytest.mark.parametrize(("action", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors(action: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        action()
