"""DenseNet-BC (Huang et al. 2016, https://arxiv.org/abs/1608.06993)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ....context import Context, cpu
from ... import nn
from ...contrib.nn import HybridConcurrent, Identity
from ...hybrid_block import HybridBlock
from ..model_store import load_pretrained

__all__ = ["DenseNet", "densenet121", "densenet161", "densenet169", "densenet201", "get_densenet"]


def _normalized_conv(channels: int, kernel_size: int, padding: int = 0) -> list[HybridBlock]:
    """Normalization, activation and convolution, in this order."""
    conv = nn.Conv2D(channels, kernel_size=kernel_size, padding=padding, use_bias=False)
    return [nn.BatchNorm(), nn.Activation("relu"), conv]


def _dense_layer(growth_rate: int, bn_size: int, dropout: float) -> HybridConcurrent:
    """The input, with `growth_rate` new channels behind it."""
    new = nn.HybridSequential(prefix="")
    new.add(*_normalized_conv(bn_size * growth_rate, 1), *_normalized_conv(growth_rate, 3, 1))
    if dropout:
        new.add(nn.Dropout(dropout))
    out = HybridConcurrent(axis=1, prefix="")
    out.add(Identity(), new)
    return out


def _transition(channels: int) -> nn.HybridSequential:
    """Fewer channels, at half the size."""
    out = nn.HybridSequential(prefix="")
    out.add(*_normalized_conv(channels, 1), nn.AvgPool2D(pool_size=2, strides=2))
    return out


class DenseNet(HybridBlock):
    """Layers that each see the outputs of all layers before.

    Parameters
    ----------
    num_init_features : channels of the first convolution.
    growth_rate : channels that every layer adds.
    block_config : number of layers of every stage.
    bn_size : channels inside a layer, as a multiple of `growth_rate`.
    dropout : fraction that is dropped after every layer.
    classes : length of the output.

    Shapes
    ------
    (N, 3, 224, 224) to (N, classes).
    """

    def __init__(
        self,
        num_init_features: int,
        growth_rate: int,
        block_config: Sequence[int],
        bn_size: int = 4,
        dropout: float = 0,
        classes: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        channels = num_init_features
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(
                nn.Conv2D(channels, kernel_size=7, strides=2, padding=3, use_bias=False),
                nn.BatchNorm(),
                nn.Activation("relu"),
                nn.MaxPool2D(pool_size=3, strides=2, padding=1),
            )
            for i, depth in enumerate(block_config, 1):
                stage = nn.HybridSequential(prefix=f"stage{i}_")
                with stage.name_scope():
                    stage.add(*[_dense_layer(growth_rate, bn_size, dropout) for _ in range(depth)])
                self.features.add(stage)
                channels += depth * growth_rate
                if i < len(block_config):
                    channels //= 2
                    self.features.add(_transition(channels))
            self.features.add(nn.BatchNorm(), nn.Activation("relu"), nn.AvgPool2D(pool_size=7), nn.Flatten())
            self.output = nn.Dense(classes)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Class scores."""
        return self.output(self.features(x))


densenet_spec = {
    121: (64, 32, [6, 12, 24, 16]),
    161: (96, 48, [6, 12, 36, 24]),
    169: (64, 32, [6, 12, 32, 32]),
    201: (64, 32, [6, 12, 48, 32]),
}  # first channels, growth rate and stages, by number of layers with weights


def get_densenet(
    num_layers: int,
    pretrained: bool = False,
    ctx: Context | None = None,
    root: str | os.PathLike[str] | None = None,
    **kwargs: Any,
) -> DenseNet:
    """A DenseNet.

    Parameters
    ----------
    num_layers : 121, 161, 169 or 201.
    pretrained, ctx, root : see `vision.get_model`.
    kwargs : further parameters of `DenseNet`.
    """
    if num_layers not in densenet_spec:
        raise AssertionError(f"Invalid number of layers: {num_layers}. Options are {list(densenet_spec)}")
    net = DenseNet(*densenet_spec[num_layers], **kwargs)
    if pretrained:
        load_pretrained(net, f"densenet{num_layers}", root, ctx or cpu())
    return net


def densenet121(**kwargs: Any) -> DenseNet:
    """DenseNet with 121 layers; see `get_densenet`."""
    return get_densenet(121, **kwargs)


def densenet161(**kwargs: Any) -> DenseNet:
    """DenseNet with 161 layers; see `get_densenet`."""
    return get_densenet(161, **kwargs)


def densenet169(**kwargs: Any) -> DenseNet:
    """DenseNet with 169 layers; see `get_densenet`."""
    return get_densenet(169, **kwargs)


def densenet201(**kwargs: Any) -> DenseNet:
    """DenseNet with 201 layers; see `get_densenet`."""
    return get_densenet(201, **kwargs)
