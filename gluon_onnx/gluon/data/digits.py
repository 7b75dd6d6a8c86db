"""Handwritten digits that come with the package; digits.md beside this file has their source and licence."""

from __future__ import annotations

from importlib import resources

import numpy as np
import numpy.typing as npt

__all__ = ["load_digits"]


def load_digits() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Load 1,797 handwritten digits.

    Returns
    -------
    images : float32, shape (1797, 1, 8, 8), 0 (paper) to 1 (ink) in steps of 1/16.
    labels : int32, shape (1797,), 0 to 9.

    Notes
    -----
    The writers' order is kept: shuffle before splitting.
    """
    with resources.files(__package__).joinpath("digits.npz").open("rb") as stream, np.load(stream) as archive:
        images, labels = archive["images"], archive["labels"]
    return images[:, np.newaxis].astype(np.float32) / np.float32(16), labels.astype(np.int32)
