"""Sentences as numbers, in buckets of equal length."""

from __future__ import annotations

import bisect
import logging
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import ndarray
from ..io import DataBatch, DataDesc, DataIter

__all__ = ["BucketSentenceIter", "encode_sentences"]


def encode_sentences(
    sentences: Sequence[Sequence[Any]],
    vocab: Mapping[Any, int] | None = None,
    invalid_label: int = -1,
    invalid_key: Any = "\n",
    start_label: int = 0,
    unknown_token: Any = None,
) -> tuple[list[list[int]], dict[Any, int]]:
    """Replace words by numbers.

    Parameters
    ----------
    sentences : lists of words.
    vocab : numbers of words; made of the sentences by default, with `invalid_key` as `invalid_label`.
    start_label : the first number that is given out.
    unknown_token : stands for words that `vocab` does not have.

    Returns
    -------
    The sentences as lists of numbers, and the vocabulary.

    Raises
    ------
    AssertionError : a word is not in `vocab`, and there is no `unknown_token`.
    """
    numbers = {invalid_key: invalid_label} if vocab is None else dict(vocab)
    following, result = start_label, []
    for sentence in sentences:
        coded = []
        for word in sentence:
            if word not in numbers:
                if vocab is not None and not unknown_token:
                    raise AssertionError(f"the word {word!r} is not in the vocabulary; give an unknown_token")
                if following == invalid_label:
                    following += 1
                if unknown_token:
                    word = unknown_token
                if word not in numbers:
                    numbers[word] = following
                    following += 1
            coded.append(numbers[word])
        result.append(coded)
    return result, numbers


class BucketSentenceIter(DataIter):
    """Batches of sentences of about equal length, for language models: the label is the next word.

    Parameters
    ----------
    sentences : lists of numbers.
    buckets : lengths that sentences are padded to; by default those of which there is a batch at least.
    invalid_label : what sentences are padded with.
    layout : "NT" (batch, time) or "TN".

    Raises
    ------
    ValueError : `layout` is neither, or there is no bucket.
    """

    def __init__(
        self,
        sentences: Sequence[Sequence[int]],
        batch_size: int,
        buckets: Sequence[int] | None = None,
        invalid_label: int = -1,
        data_name: str = "data",
        label_name: str = "softmax_label",
        dtype: str = "float32",
        layout: str = "NT",
    ) -> None:
        super().__init__(batch_size)
        if layout not in ("NT", "TN"):
            raise ValueError(f"layout: expected 'NT' (batch first) or 'TN' (time first), got {layout!r}")
        counts = np.bincount([len(s) for s in sentences])
        wanted = sorted(buckets or [i for i, n in enumerate(counts) if n >= batch_size])
        rows: list[list[np.ndarray[Any, Any]]] = [[] for _ in wanted]
        discarded = 0
        for sentence in sentences:
            place = bisect.bisect_left(wanted, len(sentence))
            if place == len(wanted):
                discarded += 1
                continue
            padded = np.full((wanted[place],), invalid_label, dtype)
            padded[: len(sentence)] = sentence
            rows[place].append(padded)
        if discarded:
            logging.warning("%d sentences are longer than the largest bucket and are left out", discarded)
        self.buckets = [n for n, kept in zip(wanted, rows, strict=True) if kept]
        self.data = [np.asarray(kept, dtype) for kept in rows if kept]
        if not self.data:
            raise ValueError("no sentence fits into a bucket; give buckets")
        self.invalid_label = invalid_label
        self.data_name, self.label_name = data_name, label_name
        self.dtype, self.layout = dtype, layout
        self.default_bucket_key = max(self.buckets)
        self.provide_data = [self._described(data_name, self.default_bucket_key)]
        self.provide_label = [self._described(label_name, self.default_bucket_key)]
        self.idx = [
            (i, j)
            for i, kept in enumerate(self.data)
            for j in range(0, len(kept) - batch_size + 1, batch_size)
        ]
        self.reset()

    def _described(self, name: str, length: int) -> DataDesc:
        shape = (self.batch_size, length) if self.layout == "NT" else (length, self.batch_size)
        return DataDesc(name=name, shape=shape, layout=self.layout)

    def reset(self) -> None:
        """Begin anew, in another order."""
        self.curr_idx = 0
        random.shuffle(self.idx)
        for kept in self.data:
            np.random.shuffle(kept)
        self.labels = []
        for kept in self.data:
            label = np.full_like(kept, self.invalid_label)
            label[:, :-1] = kept[:, 1:]
            self.labels.append(label)

    def next(self) -> DataBatch:
        """The next batch.

        Raises
        ------
        StopIteration : there is none.
        """
        if self.curr_idx == len(self.idx):
            raise StopIteration
        i, j = self.idx[self.curr_idx]
        self.curr_idx += 1
        length = self.buckets[i]
        arrays = []
        for rows in (self.data[i], self.labels[i]):
            part = rows[j : j + self.batch_size]
            arrays.append(ndarray.array(part if self.layout == "NT" else part.T, dtype=self.dtype))
        return DataBatch(
            arrays[:1],
            arrays[1:],
            pad=0,
            bucket_key=length,
            provide_data=[self._described(self.data_name, length)],
            provide_label=[self._described(self.label_name, length)],
        )
