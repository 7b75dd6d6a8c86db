"""The random state of a process: a seed and a counter. Every stochastic run gets its own key."""

from __future__ import annotations

import secrets
import threading

import numpy as np

__all__ = ["next_key", "seed"]

_lock = threading.Lock()
_seed = secrets.randbits(32)
_count = 0


def seed(value: int) -> None:
    """Start the stream of keys that belongs to `value`."""
    global _seed, _count
    with _lock:
        _seed, _count = int(value) & 0xFFFFFFFF, 0


def next_key() -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    """A fresh key: uint32, shape (2,)."""
    global _count
    with _lock:
        _count += 1
        return np.array([_seed, _count & 0xFFFFFFFF], np.uint32)
