"""Samplers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gluon_onnx.gluon import data
from gluon_onnx.gluon.contrib.data import IntervalSampler

SAMPLERS: list[tuple[Any, list[Any]]] = [
    (data.SequentialSampler(3), [0, 1, 2]),
    (data.SequentialSampler(3, 4), [4, 5, 6]),
    (data.FilterSampler(lambda x: x > 3, data.SimpleDataset([5, 1, 4])), [0, 2]),
    (data.BatchSampler(data.SequentialSampler(5), 2), [[0, 1], [2, 3], [4]]),
    (data.BatchSampler(data.SequentialSampler(4), 2), [[0, 1], [2, 3]]),
    (data.BatchSampler(data.SequentialSampler(5), 2, "discard"), [[0, 1], [2, 3]]),
    (data.BatchSampler(data.SequentialSampler(2), 5, "discard"), []),
    (IntervalSampler(7, 3), [0, 3, 6, 1, 4, 2, 5]),
    # MXNet says its length is 7
    (IntervalSampler(7, 3, rollover=False), [0, 3, 6]),
]


@pytest.mark.parametrize(("sampler", "indices"), SAMPLERS, ids=[str(indices) for _, indices in SAMPLERS])
def test_indices(sampler: data.Sampler, indices: list[Any]) -> None:
    assert list(sampler) == indices
    assert list(sampler) == indices
    assert len(sampler) == len(indices)


def test_the_random_order_is_numpys() -> None:
    sampler = data.RandomSampler(6)
    np.random.seed(5)
    order = list(sampler)
    assert order == [5, 2, 4, 1, 0, 3]  # of MXNet after the same seed
    assert len(sampler) == 6
    assert sorted(sampler) == list(range(6))


def test_rollover_begins_the_next_pass() -> None:
    sampler = data.BatchSampler(data.SequentialSampler(5), 3, "rollover")
    lengths, passes = [], []
    for _ in range(4):
        lengths.append(len(sampler))
        passes.append(list(sampler))
    assert passes == [[[0, 1, 2]], [[3, 4, 0], [1, 2, 3]], [[4, 0, 1], [2, 3, 4]], [[0, 1, 2]]]
    assert lengths == [1, 2, 2, 1]


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (lambda: data.BatchSampler(data.SequentialSampler(3), 2, "x"), ValueError, "'rollover', got 'x'"),
    (lambda: data.BatchSampler(data.SequentialSampler(3), 0), ValueError, "must be 1 or more, got 0"),
    (lambda: IntervalSampler(3, 4), ValueError, "Interval 4 must be smaller than or equal to length 3"),
    (lambda: list(data.Sampler()), NotImplementedError, "must implement __iter__"),
    (lambda: len(data.Sampler()), NotImplementedError, "must implement __len__"),
]


@pytest.mark.parametrize(("action", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors(action: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        action()
