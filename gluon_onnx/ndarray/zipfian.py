"""Candidates for sampled losses, drawn with the probabilities of a Zipfian distribution."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

__all__ = ["zipfian"]


def zipfian(
    uniform: Callable[..., Any], true_classes: Any, num_sampled: int, range_max: int
) -> tuple[Any, Any, Any]:
    """`rand_zipfian` of arrays and of symbols alike, whose classes differ in `uniform` only.

    Class k of ``0 .. range_max - 1`` has the probability ``log((k + 2) / (k + 1)) / log(range_max + 1)``, which is
    that of ``k <= exp(u) - 1 < k + 1`` for u uniform in ``[0, log(range_max + 1))``.
    """
    width = math.log(range_max + 1)

    def expected(classes: Any) -> Any:
        k = classes.astype("float64")
        return ((k + 2.0) / (k + 1.0)).log() * (num_sampled / width)

    drawn = uniform(0, width, shape=(num_sampled,), dtype="float64")
    sampled = (drawn.exp() - 1.0).astype("int64") % range_max  # rounding may reach range_max
    return sampled, expected(true_classes), expected(sampled)
