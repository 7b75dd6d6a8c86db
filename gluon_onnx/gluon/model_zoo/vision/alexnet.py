"""AlexNet (Krizhevsky 2014, https://arxiv.org/abs/1404.5997)."""

from __future__ import annotations

import os
from typing import Any

from ....context import Context, cpu
from ... import nn
from ...hybrid_block import HybridBlock
from ..model_store import load_pretrained

__all__ = ["AlexNet", "alexnet"]


class AlexNet(HybridBlock):
    """The one-column variant of AlexNet.

    Parameters
    ----------
    classes : length of the output.

    Shapes
    ------
    (N, 3, 224, 224) to (N, classes).
    """

    def __init__(self, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(
                nn.Conv2D(64, kernel_size=11, strides=4, padding=2, activation="relu"),
                nn.MaxPool2D(pool_size=3, strides=2),
                nn.Conv2D(192, kernel_size=5, padding=2, activation="relu"),
                nn.MaxPool2D(pool_size=3, strides=2),
                nn.Conv2D(384, kernel_size=3, padding=1, activation="relu"),
                nn.Conv2D(256, kernel_size=3, padding=1, activation="relu"),
                nn.Conv2D(256, kernel_size=3, padding=1, activation="relu"),
                nn.MaxPool2D(pool_size=3, strides=2),
                nn.Flatten(),
            )
            for _ in range(2):
                self.features.add(nn.Dense(4096, activation="relu"), nn.Dropout(0.5))
            self.output = nn.Dense(classes)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Class scores."""
        return self.output(self.features(x))


def alexnet(
    pretrained: bool = False,
    ctx: Context | None = None,
    root: str | os.PathLike[str] | None = None,
    **kwargs: Any,
) -> AlexNet:
    """AlexNet.

    Parameters
    ----------
    pretrained, ctx, root : see `vision.get_model`.
    kwargs : parameters of `AlexNet`.
    """
    net = AlexNet(**kwargs)
    if pretrained:
        load_pretrained(net, "alexnet", root, ctx or cpu())
    return net
