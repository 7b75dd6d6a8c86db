"""Augmenters to compare with real MXNet; every row takes the package and gives an augmenter."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

PICTURE = np.random.RandomState(1).randint(0, 256, (9, 12, 3)).astype("uint8")
EIGENVALUES, EIGENVECTORS = (
    np.array([5.0, 0.5, 0.1]),
    np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.1], [0.0, 0.1, 1.0]]),
)

AUGMENTERS: dict[str, Callable[[Any], Any]] = {
    "resize": lambda i: i.ResizeAug(6, 1),
    "force resize": lambda i: i.ForceResizeAug((5, 7), 9),
    "random crop": lambda i: i.RandomCropAug((4, 5)),
    "center crop": lambda i: i.CenterCropAug((4, 5)),
    "sized crop": lambda i: i.RandomSizedCropAug((6, 5), (0.3, 0.9), (0.5, 2.0), 1),
    "brightness": lambda i: i.BrightnessJitterAug(0.5),
    "contrast": lambda i: i.ContrastJitterAug(0.5),
    "saturation": lambda i: i.SaturationJitterAug(0.5),
    "hue": lambda i: i.HueJitterAug(0.5),
    "colors": lambda i: i.ColorJitterAug(0.2, 0.3, 0.4),
    "lighting": lambda i: i.LightingAug(0.5, EIGENVALUES, EIGENVECTORS),
    "normalize": lambda i: i.ColorNormalizeAug(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])),
    "mean": lambda i: i.ColorNormalizeAug(np.array([1.0, 2.0, 3.0]), None),
    "gray": lambda i: i.RandomGrayAug(0.9),
    "not gray": lambda i: i.RandomGrayAug(0.1),
    "flip": lambda i: i.HorizontalFlipAug(0.9),
    "no flip": lambda i: i.HorizontalFlipAug(0.1),
    "cast": lambda i: i.CastAug("int32"),
    "sequence": lambda i: i.SequentialAug(
        [i.HorizontalFlipAug(1), i.CenterCropAug((3, 3)), i.BrightnessJitterAug(0.1)]
    ),
    "any order": lambda i: i.RandomOrderAug(
        [i.RandomGrayAug(0.5), i.HueJitterAug(0.2), i.HorizontalFlipAug(0.5)]
    ),
    "usual": lambda i: i.SequentialAug(i.CreateAugmenter((3, 5, 6))),
    "all": lambda i: i.SequentialAug(
        i.CreateAugmenter(
            (3, 5, 6), 7, True, True, True, True, True, 0.1, 0.2, 0.3, 0.1, 0.1, 0.5, inter_method=1
        )
    ),
}


def augmented(mx: Any, name: str) -> np.ndarray:
    """The picture after an augmenter, twice in a row with one seed, side by side."""
    augmenter = AUGMENTERS[name](mx.image)
    random.seed(3)
    np.random.seed(3)
    kind = "uint8" if name in ("usual", "all") else "float32"
    found = [augmenter(mx.nd.array(PICTURE, dtype=kind)).asnumpy() for _ in range(2)]
    return np.stack(found)


def described(mx: Any, name: str) -> str:
    """What the augmenter tells of itself."""
    return str(AUGMENTERS[name](mx.image).dumps())
