"""More for data loading."""

from .sampler import IntervalSampler

__all__ = ["IntervalSampler"]
