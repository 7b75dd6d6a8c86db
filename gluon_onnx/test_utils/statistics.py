"""Statistical tests of random generators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .compare import to_numpy

__all__ = ["chi_square_check", "gen_buckets_probs_with_ppf", "mean_check", "var_check", "verify_generator"]

Generator = Callable[[int], Any]


def gen_buckets_probs_with_ppf(
    ppf: Callable[[float], float], nbuckets: int
) -> tuple[list[tuple[float, float]], list[float]]:
    """Buckets of equal probability for a distribution given by its quantile function.

    Returns
    -------
    The buckets as (low, high), and their probabilities.
    """
    if nbuckets < 1:
        raise ValueError(f"nbuckets: expected at least 1, got {nbuckets}")
    edges = [ppf(i / nbuckets) for i in range(nbuckets + 1)]
    return list(pairwise(edges)), [1.0 / nbuckets] * nbuckets


def mean_check(generator: Generator, mu: float, sigma: float, nsamples: int = 1000000) -> bool:
    """Whether the mean of samples is within three standard errors of `mu`."""
    mean = to_numpy(generator(nsamples)).mean()
    return bool(abs(mean - mu) < 3 * sigma / np.sqrt(nsamples))


def var_check(generator: Generator, sigma: float, nsamples: int = 1000000) -> bool:
    """Whether the variance of samples is that of a normal distribution, within three standard errors."""
    variance = to_numpy(generator(nsamples)).var(ddof=1)
    return bool(abs(variance - sigma**2) < 3 * np.sqrt(2 * sigma**4 / (nsamples - 1)))


def _counts(samples: np.ndarray[Any, Any], buckets: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Number of samples in each bucket."""
    if not isinstance(buckets[0], list | tuple):
        return np.array([(samples == value).sum() for value in buckets], np.int64)
    edges = np.array(buckets, np.float32).reshape(-1)
    if (np.diff(edges) < 0).any():
        raise ValueError(f"buckets must be in ascending order and must not overlap, got {buckets}")
    numbers = np.searchsorted(edges, samples.reshape(-1), side="right")
    inside = numbers[numbers % 2 == 1] // 2  # even numbers lie below, between and above the buckets
    return np.bincount(inside, minlength=len(buckets))


def chi_square_check(
    generator: Generator, buckets: Sequence[Any], probs: Sequence[float], nsamples: int = 1000000
) -> tuple[float, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The chi-square test of a generator.

    Parameters
    ----------
    generator : called with a number of samples.
    buckets : (low, high) pairs in ascending order for a continuous distribution, values for a discrete one.
        They must cover the whole range.
    probs : their probabilities.

    Returns
    -------
    The p value, the observed and the expected counts.

    Raises
    ------
    ImportError : SciPy is not installed.
    """
    import scipy.stats

    if len(probs) != len(buckets):
        raise ValueError(f"{len(buckets)} buckets, {len(probs)} probabilities")
    observed = _counts(to_numpy(generator(nsamples)), buckets)
    expected = nsamples * np.array(probs, np.float64)
    # Not scipy.stats.chisquare: it refuses sums that differ; samples outside all buckets must count as misfit.
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return float(scipy.stats.chi2.sf(statistic, len(buckets) - 1)), observed, expected


def verify_generator(
    generator: Generator,
    buckets: Sequence[Any],
    probs: Sequence[float],
    nsamples: int = 1000000,
    nrepeat: int = 5,
    success_rate: float = 0.2,
    alpha: float = 0.05,
) -> list[float]:
    """Run `chi_square_check` several times.

    Parameters
    ----------
    success_rate : fraction of the runs whose p value must exceed `alpha`.

    Returns
    -------
    The p values.

    Raises
    ------
    AssertionError : fewer do.
    """
    rows = [chi_square_check(generator, buckets, probs, nsamples) for _ in range(nrepeat)]
    values = [p for p, _, _ in rows]
    if sum(p > alpha for p in values) < nrepeat * success_rate:
        counts = "\n".join(f"p={p}: observed {o.tolist()}, expected {e.tolist()}" for p, o, e in rows)
        raise AssertionError(
            f"the samples do not fit the distribution (buckets={buckets}, probs={probs}):\n{counts}"
        )
    return values
