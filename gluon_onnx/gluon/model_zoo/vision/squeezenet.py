"""SqueezeNet (Iandola et al. 2016, https://arxiv.org/abs/1602.07360)."""

from __future__ import annotations

import os
from typing import Any

from ....context import Context, cpu
from ... import nn
from ...contrib.nn import HybridConcurrent
from ...hybrid_block import HybridBlock
from ..model_store import load_pretrained

__all__ = ["SqueezeNet", "get_squeezenet", "squeezenet1_0", "squeezenet1_1"]

# First convolution, then channels of the squeeze layer of each fire module; None is a pooling layer.
_SPECS: dict[str, tuple[tuple[int, int], list[int | None]]] = {
    "1.0": ((96, 7), [None, 16, 16, 32, None, 32, 48, 48, 64, None, 64]),
    "1.1": ((64, 3), [None, 16, 16, None, 32, 32, None, 48, 48, 64, 64]),
}


def _conv(channels: int, kernel_size: int, padding: int = 0) -> nn.HybridSequential:
    out = nn.HybridSequential(prefix="")
    out.add(nn.Conv2D(channels, kernel_size, padding=padding), nn.Activation("relu"))
    return out


def _fire(squeeze: int) -> nn.HybridSequential:
    """A 1x1 convolution to few channels, then 1x1 and 3x3 convolutions to four times as many each."""
    out = nn.HybridSequential(prefix="")
    out.add(_conv(squeeze, 1))
    expand = HybridConcurrent(axis=1, prefix="")
    expand.add(_conv(4 * squeeze, 1), _conv(4 * squeeze, 3, 1))
    out.add(expand)
    return out


class SqueezeNet(HybridBlock):
    """SqueezeNet; version 1.1 needs 2.4 times less computation than 1.0 at the same accuracy.

    Parameters
    ----------
    version : "1.0" or "1.1".
    classes : length of the output.

    Shapes
    ------
    (N, 3, H, W) to (N, classes); H and W 224 for the published parameters, at least 209 (1.0) or 211 (1.1).
    """

    def __init__(self, version: str, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if version not in _SPECS:
            raise AssertionError(f"Unsupported SqueezeNet version {version}: 1.0 or 1.1 expected")
        (channels, kernel), modules = _SPECS[version]
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(nn.Conv2D(channels, kernel_size=kernel, strides=2), nn.Activation("relu"))
            for squeeze in modules:
                if squeeze is None:
                    self.features.add(nn.MaxPool2D(pool_size=3, strides=2, ceil_mode=True))
                else:
                    self.features.add(_fire(squeeze))
            self.features.add(nn.Dropout(0.5))
            self.output = nn.HybridSequential(prefix="")
            self.output.add(
                nn.Conv2D(classes, kernel_size=1), nn.Activation("relu"), nn.AvgPool2D(13), nn.Flatten()
            )

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Class scores."""
        return self.output(self.features(x))


def get_squeezenet(
    version: str,
    pretrained: bool = False,
    ctx: Context | None = None,
    root: str | os.PathLike[str] | None = None,
    **kwargs: Any,
) -> SqueezeNet:
    """A SqueezeNet.

    Parameters
    ----------
    version : "1.0" or "1.1".
    pretrained, ctx, root : see `vision.get_model`.
    kwargs : further parameters of `SqueezeNet`.
    """
    net = SqueezeNet(version, **kwargs)
    if pretrained:
        load_pretrained(net, f"squeezenet{version}", root, ctx or cpu())
    return net


def squeezenet1_0(**kwargs: Any) -> SqueezeNet:
    """SqueezeNet 1.0; see `get_squeezenet`."""
    return get_squeezenet("1.0", **kwargs)


def squeezenet1_1(**kwargs: Any) -> SqueezeNet:
    """SqueezeNet 1.1; see `get_squeezenet`."""
    return get_squeezenet("1.1", **kwargs)
