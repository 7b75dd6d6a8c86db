"""Datasets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx.gluon import data


def numbers(n: int = 10) -> data.SimpleDataset:
    return data.SimpleDataset(list(range(n)))


VIEWS: list[tuple[Callable[[Any], Any], list[int]]] = [
    (lambda d: d.take(3), [0, 1, 2]),
    (lambda d: d.take(100), list(range(10))),
    (lambda d: d.take(None), list(range(10))),
    (lambda d: d.filter(lambda x: x % 4 == 1), [1, 5, 9]),
    (lambda d: d.transform(lambda x: x * x).filter(lambda x: x % 5 == 1), [1, 16, 36, 81]),
    (lambda d: d.filter(lambda x: x > 6).transform(lambda x: -x), [-7, -8, -9]),
    (lambda d: d.shard(4, 0), [0, 1, 2]),
    (lambda d: d.shard(4, 1), [3, 4, 5]),
    (lambda d: d.shard(4, 2), [6, 7]),
    (lambda d: d.shard(4, 3), [8, 9]),
    (lambda d: d.sample(data.SequentialSampler(2, 5)), [5, 6]),
    (lambda d: d.take(6).shard(2, 1).transform(lambda x: x * 10, lazy=False), [30, 40, 50]),
]


@pytest.mark.parametrize(("view", "samples"), VIEWS, ids=[str(samples) for _, samples in VIEWS])
def test_views(view: Callable[[Any], Any], samples: list[int]) -> None:
    dataset = view(numbers())
    assert isinstance(dataset, data.Dataset)
    assert list(dataset) == samples
    assert [dataset[i] for i in range(len(dataset))] == samples


def test_a_lazy_transform_runs_whenever_a_sample_is_used() -> None:
    calls: list[int] = []
    lazy = numbers(2).transform(lambda x: calls.append(x) or x)
    assert calls == []
    assert [lazy[1], lazy[1]] == [1, 1]
    assert calls == [1, 1]
    eager = numbers(2).transform(lambda x: calls.append(x) or x, lazy=False)
    assert calls == [1, 1, 0, 1]
    assert eager[1] == 1
    assert len(calls) == 4


def test_members_of_a_sample_are_the_arguments() -> None:
    pairs = data.ArrayDataset([1, 2], [10, 20])
    assert list(pairs.transform(lambda x, y: x + y)) == [11, 22]
    assert list(pairs.transform_first(lambda x: -x)) == [(-1, 10), (-2, 20)]
    assert list(numbers(2).transform_first(lambda x: x + 1)) == [1, 2]


def test_a_dataset_without_index_errors_has_an_end() -> None:
    class Endless(data.Dataset):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, idx: Any) -> Any:
            return idx

    assert list(Endless()) == [0, 1, 2]
    assert list(Endless().transform(lambda x: x, lazy=False)) == [0, 1, 2]


def test_array_dataset() -> None:
    x, y = np.arange(6.0).reshape(3, 2), mx.nd.array([5, 6, 7])
    dataset = data.ArrayDataset(x, y, ["a", "b", "c"])
    row, label, word = dataset[1]
    assert (row.tolist(), float(label), word) == ([2, 3], 6, "b")
    assert isinstance(label, np.float32)  # not an NDArray of shape (1,)
    assert data.ArrayDataset(x)[2].tolist() == [4, 5]
    assert isinstance(data.ArrayDataset(mx.nd.array(x))[0], mx.nd.NDArray)


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (lambda: data.ArrayDataset(), ValueError, "at least 1"),
    (lambda: data.ArrayDataset([1], [1, 2]), ValueError, r"array\[0\] has length 1 while array\[1\] has 2"),
    (lambda: numbers().shard(2, 2), ValueError, "shard index 2 is out of bounds for 2 shards"),
    (lambda: numbers().shard(2, -1), ValueError, "shard index -1"),
    (lambda: numbers().sample([1]), TypeError, "Expected gluon.data.Sampler"),  # type: ignore[arg-type]
    (lambda: data.Dataset()[0], NotImplementedError, "must implement __getitem__"),
    (lambda: len(data.Dataset()), NotImplementedError, "must implement __len__"),
]


@pytest.mark.parametrize(("action", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors(action: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        action()
