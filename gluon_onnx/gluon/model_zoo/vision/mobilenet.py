"""MobileNet (Howard et al. 2017, https://arxiv.org/abs/1704.04861) and MobileNetV2 (Sandler et al. 2018,
https://arxiv.org/abs/1801.04381)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ....context import Context, cpu
from ... import nn
from ...hybrid_block import HybridBlock
from ..model_store import load_pretrained

__all__ = [
    "MobileNet", "MobileNetV2", "get_mobilenet", "get_mobilenet_v2", "mobilenet0_25", "mobilenet0_5",
    "mobilenet0_75", "mobilenet1_0", "mobilenet_v2_0_25", "mobilenet_v2_0_5", "mobilenet_v2_0_75",
    "mobilenet_v2_1_0",
]  # fmt: skip

# Channels and stride of each pair of a depthwise and a 1x1 convolution.
_V1 = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
# Expansion, channels, number of layers and first stride of each stage.
_V2 = [
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
]  # fmt: skip


class RELU6(HybridBlock):
    """``min(max(x, 0), 6)``."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The input between 0 and 6."""
        return F.clip(x, 0, 6, name="relu6")


def _add_conv(
    out: nn.HybridSequential,
    channels: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: Callable[[], HybridBlock] | None = None,
) -> None:
    """Add a convolution that keeps the size (but for the stride), normalization and an activation."""
    out.add(nn.Conv2D(channels, kernel, stride, kernel // 2, groups=groups, use_bias=False))
    out.add(nn.BatchNorm(scale=True))
    if activation is not None:
        out.add(activation())


def _relu() -> HybridBlock:
    return nn.Activation("relu")


class LinearBottleneck(HybridBlock):
    """A layer of MobileNetV2: to more channels, a depthwise convolution, and back without an activation.

    Parameters
    ----------
    in_channels, channels : channels of input and output.
    t : channels inside, as a multiple of `in_channels`.
    stride : stride; with 1 and as many channels out as in, the input is added to the output.
    """

    def __init__(self, in_channels: int, channels: int, t: int, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.use_shortcut = stride == 1 and in_channels == channels
        inner = in_channels * t
        with self.name_scope():
            self.out = nn.HybridSequential()
            _add_conv(self.out, inner, activation=RELU6)
            _add_conv(self.out, inner, 3, stride, groups=inner, activation=RELU6)
            _add_conv(self.out, channels)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The layer's output."""
        out = self.out(x)
        return F.elemwise_add(out, x) if self.use_shortcut else out


class MobileNet(HybridBlock):
    """Pairs of depthwise and 1x1 convolutions.

    Parameters
    ----------
    multiplier : factor of all numbers of channels.
    classes : length of the output.

    Shapes
    ------
    (N, 3, H, W) to (N, classes).
    """

    def __init__(self, multiplier: float = 1.0, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            before = int(32 * multiplier)
            _add_conv(self.features, before, 3, 2, activation=_relu)
            for full, stride in _V1:
                channels = int(full * multiplier)
                _add_conv(self.features, before, 3, stride, groups=before, activation=_relu)
                _add_conv(self.features, channels, activation=_relu)
                before = channels
            self.features.add(nn.GlobalAvgPool2D(), nn.Flatten())
            self.output = nn.Dense(classes)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Class scores."""
        return self.output(self.features(x))


class MobileNetV2(HybridBlock):
    """Inverted residuals with linear bottlenecks.

    Parameters
    ----------
    multiplier : factor of all numbers of channels (of the last one only where it is above 1).
    classes : length of the output.

    Shapes
    ------
    (N, 3, H, W) to (N, classes).
    """

    def __init__(self, multiplier: float = 1.0, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="features_")
            with self.features.name_scope():
                before = int(32 * multiplier)
                _add_conv(self.features, before, 3, 2, activation=RELU6)
                for t, full, depth, first_stride in _V2:
                    channels = int(full * multiplier)
                    for i in range(depth):
                        stride = first_stride if i == 0 else 1
                        self.features.add(LinearBottleneck(before, channels, t, stride))
                        before = channels
                _add_conv(self.features, int(1280 * max(multiplier, 1.0)), activation=RELU6)
                self.features.add(nn.GlobalAvgPool2D())
            self.output = nn.HybridSequential(prefix="output_")
            with self.output.name_scope():
                self.output.add(nn.Conv2D(classes, 1, use_bias=False, prefix="pred_"), nn.Flatten())

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Class scores."""
        return self.output(self.features(x))


def _suffix(multiplier: float) -> str:
    """The multiplier as the published files spell it: 1.0, 0.75, 0.5, 0.25."""
    text = f"{multiplier:.2f}"
    return text[:-1] if text in ("1.00", "0.50") else text


def get_mobilenet(
    multiplier: float,
    pretrained: bool = False,
    ctx: Context | None = None,
    root: str | os.PathLike[str] | None = None,
    **kwargs: Any,
) -> MobileNet:
    """A MobileNet.

    Parameters
    ----------
    multiplier : factor of the numbers of channels; published are 1.0, 0.75, 0.5 and 0.25.
    pretrained, ctx, root : see `vision.get_model`.
    kwargs : further parameters of `MobileNet`.
    """
    net = MobileNet(multiplier, **kwargs)
    if pretrained:
        load_pretrained(net, f"mobilenet{_suffix(multiplier)}", root, ctx or cpu())
    return net


def get_mobilenet_v2(
    multiplier: float,
    pretrained: bool = False,
    ctx: Context | None = None,
    root: str | os.PathLike[str] | None = None,
    **kwargs: Any,
) -> MobileNetV2:
    """A MobileNetV2.

    Parameters
    ----------
    multiplier : factor of the numbers of channels; published are 1.0, 0.75, 0.5 and 0.25.
    pretrained, ctx, root : see `vision.get_model`.
    kwargs : further parameters of `MobileNetV2`.
    """
    net = MobileNetV2(multiplier, **kwargs)
    if pretrained:
        load_pretrained(net, f"mobilenetv2_{_suffix(multiplier)}", root, ctx or cpu())
    return net


def mobilenet1_0(**kwargs: Any) -> MobileNet:
    """MobileNet with width multiplier 1.0; see `get_mobilenet`."""
    return get_mobilenet(1.0, **kwargs)


def mobilenet0_75(**kwargs: Any) -> MobileNet:
    """MobileNet with width multiplier 0.75; see `get_mobilenet`."""
    return get_mobilenet(0.75, **kwargs)


def mobilenet0_5(**kwargs: Any) -> MobileNet:
    """MobileNet with width multiplier 0.5; see `get_mobilenet`."""
    return get_mobilenet(0.5, **kwargs)


def mobilenet0_25(**kwargs: Any) -> MobileNet:
    """MobileNet with width multiplier 0.25; see `get_mobilenet`."""
    return get_mobilenet(0.25, **kwargs)


def mobilenet_v2_1_0(**kwargs: Any) -> MobileNetV2:
    """MobileNetV2 with width multiplier 1.0; see `get_mobilenet_v2`."""
    return get_mobilenet_v2(1.0, **kwargs)


def mobilenet_v2_0_75(**kwargs: Any) -> MobileNetV2:
    """MobileNetV2 with width multiplier 0.75; see `get_mobilenet_v2`."""
    return get_mobilenet_v2(0.75, **kwargs)


def mobilenet_v2_0_5(**kwargs: Any) -> MobileNetV2:
    """MobileNetV2 with width multiplier 0.5; see `get_mobilenet_v2`."""
    return get_mobilenet_v2(0.5, **kwargs)


def mobilenet_v2_0_25(**kwargs: Any) -> MobileNetV2:
    """MobileNetV2 with width multiplier 0.25; see `get_mobilenet_v2`."""
    return get_mobilenet_v2(0.25, **kwargs)
