"""Random words and draws: their distribution, and that they are functions of key, place and element alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from scipy import stats

from gluon_onnx.graph import random, sampling
from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.dims import Dim
from gluon_onnx.graph.program import RANDOM_KEY, finish

Array = np.ndarray[Any, Any]
_COUNT = 1 << 20
_KEYS = [(0, 1), (0, 2), (1, 1), (2**32 - 1, 12345)]


def _function(build: Callable[[Builder], Tensor | Sequence[Tensor]]) -> Callable[..., list[Array]]:
    """What a program draws, as a function of its key (and of its other inputs, by name)."""
    g = Builder()
    results = build(g)
    program = finish(g, [results] if isinstance(results, Tensor) else list(results))
    model = program.model.SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def draw(key: tuple[int, int], **inputs: Array) -> list[Array]:
        found: list[Array] = session.run(None, {RANDOM_KEY: np.array(key, np.uint32), **inputs})
        return found

    return draw


@pytest.fixture(scope="module")
def words() -> dict[tuple[int, int], list[Array]]:
    """A million words of two draws for each key."""
    draw = _function(lambda g: [random.bits(g, (_COUNT,)), random.bits(g, (_COUNT,))])
    return {key: draw(key) for key in _KEYS}


def _even(counts: Array) -> float:
    """How far counts are from equal, in standard deviations of the chi-square statistic."""
    expected = counts.sum() / counts.size
    chi = ((counts - expected) ** 2 / expected).sum()
    return float(abs(chi - (counts.size - 1)) / np.sqrt(2.0 * (counts.size - 1)))


def _pairs(a: Array, b: Array, low: bool) -> Array:
    """Counts of pairs of bytes, the highest or the lowest of each word."""
    x, y = (a & 255, b & 255) if low else (a >> 24, b >> 24)
    return np.bincount((x.astype(np.int64) << 8) | y, minlength=1 << 16)


@pytest.mark.parametrize("key", _KEYS)
def test_bits_are_fair(key: tuple[int, int], words: Any) -> None:
    for x in words[key]:
        ones = np.array([((x >> k) & 1).mean() for k in range(32)])
        assert (abs(ones - 0.5) * 2 * np.sqrt(_COUNT) < 5).all()
        for shift in (0, 8, 16, 24):
            assert _even(np.bincount((x >> shift) & 255, minlength=256)) < 5


@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize("lag", [1, 2, 255, 256, 257, 1 << 16])
@pytest.mark.parametrize("key", _KEYS)
def test_neighbours_are_independent(key: tuple[int, int], lag: int, low: bool, words: Any) -> None:
    """Along rows and columns of the layout in which words are made, and between."""
    for x in words[key]:
        assert _even(_pairs(x[lag:], x[:-lag], low)) < 5


@pytest.mark.parametrize("key", _KEYS)
def test_rows_and_columns_leave_no_pattern(key: tuple[int, int], words: Any) -> None:
    """Sums of rows and columns would cancel over the corners of a rectangle."""
    for x in words[key]:
        m = x.reshape(-1, 256)
        corners = (m[:-1, :-1] - m[:-1, 1:] - m[1:, :-1] + m[1:, 1:]).reshape(-1)
        assert _even(np.bincount(corners >> 16, minlength=1 << 16)) < 5
        assert _even(np.bincount(corners & 0xFFFF, minlength=1 << 16)) < 5


@pytest.mark.parametrize("low", [False, True])
def test_streams_are_independent(low: bool, words: Any) -> None:
    """Draws of one program, and the same draw for neighbouring keys, also shifted by a row."""
    streams = [x for key in _KEYS for x in words[key]]
    for i, a in enumerate(streams):
        for b in streams[:i]:
            assert _even(_pairs(a, b, low)) < 5
            assert _even(_pairs(a[256:], b[:-256], low)) < 5


def test_no_periods(words: Any) -> None:
    """No peak in the spectrum: the largest of n exponential variables is about log(n)."""
    x = words[0, 1][0] / 2.0**32 - 0.5
    power = abs(np.fft.rfft(x)) ** 2 / (_COUNT / 12)
    assert power[1:].max() < np.log(_COUNT / 2) + 8


def test_repeats_are_those_of_chance(words: Any) -> None:
    """Words are drawn with replacement: n of them have n ** 2 / 2 ** 33 pairs of equal ones."""
    expected = _COUNT**2 / 2**33
    for key in _KEYS:
        ordered = np.sort(words[key][0])
        assert abs((ordered[1:] == ordered[:-1]).sum() - expected) < 5 * np.sqrt(expected)


def test_symbolic_sizes_give_the_same() -> None:
    """A compiled program with a symbolic batch draws what the static one draws."""
    static = _function(lambda g: [random.uniform(g, (3, 500)), random.normal(g, (3, 500))])

    def build(g: Builder) -> list[Tensor]:
        batch = g.input("x", np.float32, (Dim.symbol("n"),)).dims[0]
        return [random.uniform(g, (batch, 500)), random.normal(g, (batch, 500))]

    for a, b in zip(static((4, 2)), _function(build)((4, 2), x=np.zeros(3, np.float32)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_element_does_not_depend_on_the_size() -> None:
    (few,), (many,) = (_function(lambda g, n=n: random.normal(g, (n,)))((1, 1)) for n in (1000, 5000))
    np.testing.assert_array_equal(few, many[:1000])


_CDF: dict[str, tuple[Callable[[Builder], Tensor], Any]] = {
    "uniform": (lambda g: random.uniform(g, (300, 100)), stats.uniform()),
    "uniform_double": (lambda g: random.uniform(g, (30_000,), np.float64), stats.uniform()),
    "normal": (lambda g: random.normal(g, (300, 100)), stats.norm()),
    "normal_double": (lambda g: random.normal(g, (30_000,), np.float64), stats.norm()),
    "exponential": (lambda g: sampling.exponential(g, (30_000,), np.dtype(np.float32)), stats.expon()),
    **{
        f"gamma-{a}": (lambda g, a=a: sampling.gamma(g, g.fill((30_000,), a, np.float32)), stats.gamma(a))  # type: ignore[misc]
        for a in (0.2, 0.9, 1.0, 3.5, 200.0)
    },
}


@pytest.mark.parametrize("name", _CDF)
def test_distribution(name: str) -> None:
    """Kolmogorov and Smirnov's test: the p value is uniform, so that 1e-4 is met once in 10000 implementations."""
    build, distribution = _CDF[name]
    (found,) = _function(build)((11, 5))
    assert stats.kstest(found.reshape(-1).astype(np.float64), distribution.cdf).pvalue > 1e-4


@pytest.mark.parametrize("mean", [0.1, 2.0, 9.9, 10.0, 33.0, 4000.0])
def test_poisson(mean: float) -> None:
    """Below and above the mean at which the method changes."""
    (found,) = _function(lambda g: sampling.poisson(g, g.fill((30_000,), mean, np.float32)))((11, 5))
    low, high = (int(stats.poisson(mean).ppf(q)) for q in (1e-3, 1 - 1e-3))
    counts = np.bincount(np.clip(found.astype(int), low, high) - low, minlength=high - low + 1)
    edges = np.r_[-np.inf, np.arange(low, high), np.inf]
    assert stats.chisquare(counts, np.diff(stats.poisson(mean).cdf(edges)) * found.size).pvalue > 1e-4


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -1.0])
def test_loops_end(value: float) -> None:
    """Parameters that are not those of a distribution give NaN, not an endless loop."""
    (found,) = _function(lambda g: sampling.gamma(g, g.const(np.array([value, 2.0], np.float32))))((1, 1))
    assert np.isfinite(found[1])
    assert np.isnan(found[0])


def test_poisson_of_nothing_and_of_no_number() -> None:
    means = np.array([0.0, np.nan, -1.0, 50.0], np.float32)
    (found,) = _function(lambda g: sampling.poisson(g, g.const(means)))((1, 1))
    np.testing.assert_array_equal(found[:3], [0.0, np.nan, np.nan])
    assert found[3] > 0


@pytest.mark.parametrize("bound", [1, 7, 1 << 20, (1 << 20) + 1, 10**12, (1 << 63) - 1])
def test_integers_fill_their_range(bound: int) -> None:
    (found,) = _function(lambda g: sampling.integers_below(g, (30_000,), bound))((2, 9))
    assert found.min() >= 0
    assert found.max() < bound
    spread = np.random.RandomState(0).uniform(size=found.size)
    assert stats.kstest((found + spread) / bound, "uniform").pvalue > 1e-4


def test_permutations_are_equally_likely() -> None:
    draw = _function(lambda g: sampling.permutation(g, 4))
    orders, counts = np.unique([draw((3, i))[0] for i in range(2400)], axis=0, return_counts=True)
    assert len(orders) == 24
    assert stats.chisquare(counts).pvalue > 1e-4


def test_unique_log_uniform() -> None:
    """Rows hold different numbers; first draws have the distribution; tries are at least the numbers drawn."""
    numbers, tries = _function(lambda g: sampling.unique_log_uniform(g, 3000, 5, 40))((6, 6))
    assert numbers.shape == (3000, 5)
    assert all(len(set(row)) == 5 for row in numbers.tolist())
    assert (tries >= 5).all()
    k = np.arange(40)
    odds = np.log((k + 2) / (k + 1)) / np.log(41)
    assert stats.chisquare(np.bincount(numbers[:, 0], minlength=40), odds * 3000).pvalue > 1e-4
    assert _function(lambda g: sampling.unique_log_uniform(g, 1, 30, 30))((6, 6))[0].sum() == 30 * 29 // 2


@pytest.mark.parametrize("probability", [0.0, 1.0, 0.3])
def test_bernoulli(probability: float) -> None:
    """Certain outcomes too. A second draw makes sure that the program has a key."""
    draw = _function(lambda g: [random.bernoulli(g, (30_000,), probability), random.uniform(g, (1,))])
    found = draw((1, 4))[0]
    assert abs(found.mean() - probability) <= 5 * np.sqrt(probability * (1 - probability) / 30_000)
