"""VGG (Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ....context import Context, cpu
from ....initializer import Xavier
from ... import nn
from ...hybrid_block import HybridBlock
from ..model_store import load_pretrained

__all__ = [
    "VGG", "get_vgg", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
]  # fmt: skip


class VGG(HybridBlock):
    """Stages of 3x3 convolutions with pooling between, then three dense layers.

    Parameters
    ----------
    layers : number of convolutions of every stage.
    filters : number of channels of every stage.
    classes : length of the output.
    batch_norm : normalize after every convolution.

    Shapes
    ------
    (N, 3, H, W) to (N, classes); H and W 224 for the pre-trained parameters.
    """

    def __init__(
        self,
        layers: Sequence[int],
        filters: Sequence[int],
        classes: int = 1000,
        batch_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(layers) != len(filters):
            raise AssertionError(
                f"VGG: layers has {len(layers)} stages, filters {len(filters)}; expected as many"
            )
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            for depth, channels in zip(layers, filters, strict=True):
                self._add_stage(depth, channels, batch_norm)
            for _ in range(2):
                self.features.add(_dense(4096, activation="relu"), nn.Dropout(rate=0.5))
            self.output = _dense(classes)

    def _add_stage(self, depth: int, channels: int, batch_norm: bool) -> None:
        for _ in range(depth):
            init = Xavier(rnd_type="gaussian", factor_type="out", magnitude=2)
            self.features.add(
                nn.Conv2D(
                    channels, kernel_size=3, padding=1, weight_initializer=init, bias_initializer="zeros"
                )
            )
            if batch_norm:
                self.features.add(nn.BatchNorm())
            self.features.add(nn.Activation("relu"))
        self.features.add(nn.MaxPool2D(strides=2))

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Class scores."""
        return self.output(self.features(x))


def _dense(units: int, activation: str | None = None) -> nn.Dense:
    return nn.Dense(units, activation=activation, weight_initializer="normal", bias_initializer="zeros")


vgg_spec = {
    11: ([1, 1, 2, 2, 2], [64, 128, 256, 512, 512]),
    13: ([2, 2, 2, 2, 2], [64, 128, 256, 512, 512]),
    16: ([2, 2, 3, 3, 3], [64, 128, 256, 512, 512]),
    19: ([2, 2, 4, 4, 4], [64, 128, 256, 512, 512]),
}  # layers and filters, by number of layers with weights


def get_vgg(
    num_layers: int,
    pretrained: bool = False,
    ctx: Context | None = None,
    root: str | os.PathLike[str] | None = None,
    **kwargs: Any,
) -> VGG:
    """A VGG.

    Parameters
    ----------
    num_layers : 11, 13, 16 or 19.
    pretrained, ctx, root : see `vision.get_model`.
    kwargs : further parameters of `VGG`.
    """
    if num_layers not in vgg_spec:
        raise AssertionError(f"Invalid number of layers: {num_layers}. Options are {list(vgg_spec)}")
    layers, filters = vgg_spec[num_layers]
    net = VGG(layers, filters, **kwargs)
    if pretrained:
        suffix = "_bn" if kwargs.get("batch_norm") else ""
        load_pretrained(net, f"vgg{num_layers}{suffix}", root, ctx or cpu())
    return net


def vgg11(**kwargs: Any) -> VGG:
    """VGG with 11 layers; see `get_vgg`."""
    return get_vgg(11, **kwargs)


def vgg13(**kwargs: Any) -> VGG:
    """VGG with 13 layers; see `get_vgg`."""
    return get_vgg(13, **kwargs)


def vgg16(**kwargs: Any) -> VGG:
    """VGG with 16 layers; see `get_vgg`."""
    return get_vgg(16, **kwargs)


def vgg19(**kwargs: Any) -> VGG:
    """VGG with 19 layers; see `get_vgg`."""
    return get_vgg(19, **kwargs)


def vgg11_bn(**kwargs: Any) -> VGG:
    """VGG with 11 layers and batch normalization; see `get_vgg`."""
    return get_vgg(11, **{**kwargs, "batch_norm": True})


def vgg13_bn(**kwargs: Any) -> VGG:
    """VGG with 13 layers and batch normalization; see `get_vgg`."""
    return get_vgg(13, **{**kwargs, "batch_norm": True})


def vgg16_bn(**kwargs: Any) -> VGG:
    """VGG with 16 layers and batch normalization; see `get_vgg`."""
    return get_vgg(16, **{**kwargs, "batch_norm": True})


def vgg19_bn(**kwargs: Any) -> VGG:
    """VGG with 19 layers and batch normalization; see `get_vgg`."""
    return get_vgg(19, **{**kwargs, "batch_norm": True})
