"""ResNet (He et al. 2015, https://arxiv.org/abs/1512.03385) and its version with activations first (He et al.
2016, https://arxiv.org/abs/1603.05027)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from ....context import Context, cpu
from ... import nn
from ...hybrid_block import HybridBlock
from ..model_store import load_pretrained

__all__ = [
    "BasicBlockV1", "BasicBlockV2", "BottleneckV1", "BottleneckV2", "ResNetV1", "ResNetV2", "get_resnet",
    "resnet101_v1", "resnet101_v2", "resnet152_v1", "resnet152_v2", "resnet18_v1", "resnet18_v2", "resnet34_v1",
    "resnet34_v2", "resnet50_v1", "resnet50_v2",
]  # fmt: skip


def _conv3x3(channels: int, stride: int, in_channels: int) -> nn.Conv2D:
    return nn.Conv2D(
        channels, kernel_size=3, strides=stride, padding=1, use_bias=False, in_channels=in_channels
    )


def _conv1x1(channels: int, stride: int = 1, in_channels: int = 0) -> nn.Conv2D:
    return nn.Conv2D(channels, kernel_size=1, strides=stride, use_bias=False, in_channels=in_channels)


def _relu(F: Any, x: Any) -> Any:
    return F.Activation(x, act_type="relu")


class BasicBlockV1(HybridBlock):
    """Two 3x3 convolutions beside a shortcut: the layer of the ResNets with 18 and 34 layers.

    Parameters
    ----------
    channels : channels of the output.
    stride : stride of the first convolution.
    downsample : the shortcut is a 1x1 convolution.
    in_channels : channels of the input; 0 to find them from the first input.
    """

    def __init__(
        self, channels: int, stride: int, downsample: bool = False, in_channels: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.body = nn.HybridSequential(prefix="")
        self.body.add(
            _conv3x3(channels, stride, in_channels),
            nn.BatchNorm(),
            nn.Activation("relu"),
            _conv3x3(channels, 1, channels),
            nn.BatchNorm(),
        )
        self.downsample = _shortcut(channels, stride, in_channels) if downsample else None

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The layer's output."""
        out = self.body(x)
        shortcut = x if self.downsample is None else self.downsample(x)
        return _relu(F, shortcut + out)


class BottleneckV1(HybridBlock):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut: the layer of the ResNets with 50 and more layers.

    Parameters
    ----------
    channels : channels of the output; inside there are a quarter of them.
    stride : stride of the first convolution.
    downsample : the shortcut is a 1x1 convolution.
    in_channels : channels of the shortcut's input; 0 to find them from the first input.
    """

    def __init__(
        self, channels: int, stride: int, downsample: bool = False, in_channels: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        inner = channels // 4
        self.body = nn.HybridSequential(prefix="")
        self.body.add(
            nn.Conv2D(inner, kernel_size=1, strides=stride),  # MXNet's has biases here
            nn.BatchNorm(),
            nn.Activation("relu"),
            _conv3x3(inner, 1, inner),
            nn.BatchNorm(),
            nn.Activation("relu"),
            nn.Conv2D(channels, kernel_size=1, strides=1),
            nn.BatchNorm(),
        )
        self.downsample = _shortcut(channels, stride, in_channels) if downsample else None

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The layer's output."""
        out = self.body(x)
        shortcut = x if self.downsample is None else self.downsample(x)
        return _relu(F, out + shortcut)


def _shortcut(channels: int, stride: int, in_channels: int) -> nn.HybridSequential:
    out = nn.HybridSequential(prefix="")
    out.add(_conv1x1(channels, stride, in_channels), nn.BatchNorm())
    return out


class BasicBlockV2(HybridBlock):
    """`BasicBlockV1` with normalization and activation before each convolution.

    Parameters
    ----------
    channels, stride, downsample, in_channels : as for `BasicBlockV1`.
    """

    def __init__(
        self, channels: int, stride: int, downsample: bool = False, in_channels: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.bn1 = nn.BatchNorm()
        self.conv1 = _conv3x3(channels, stride, in_channels)
        self.bn2 = nn.BatchNorm()
        self.conv2 = _conv3x3(channels, 1, channels)
        self.downsample = _conv1x1(channels, stride, in_channels) if downsample else None

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The layer's output."""
        out = _relu(F, self.bn1(x))
        shortcut = x if self.downsample is None else self.downsample(out)
        out = self.conv1(out)
        out = self.conv2(_relu(F, self.bn2(out)))
        return out + shortcut


class BottleneckV2(HybridBlock):
    """`BottleneckV1` with normalization and activation before each convolution.

    Parameters
    ----------
    channels, stride, downsample, in_channels : as for `BottleneckV1`; the stride is the second convolution's.
    """

    def __init__(
        self, channels: int, stride: int, downsample: bool = False, in_channels: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        inner = channels // 4
        self.bn1 = nn.BatchNorm()
        self.conv1 = _conv1x1(inner)
        self.bn2 = nn.BatchNorm()
        self.conv2 = _conv3x3(inner, stride, inner)
        self.bn3 = nn.BatchNorm()
        self.conv3 = _conv1x1(channels)
        self.downsample = _conv1x1(channels, stride, in_channels) if downsample else None

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The layer's output."""
        out = _relu(F, self.bn1(x))
        shortcut = x if self.downsample is None else self.downsample(out)
        out = self.conv1(out)
        out = self.conv2(_relu(F, self.bn2(out)))
        out = self.conv3(_relu(F, self.bn3(out)))
        return out + shortcut


def _check_stages(layers: Sequence[int], channels: Sequence[int]) -> None:
    if len(layers) != len(channels) - 1:
        raise AssertionError(
            f"ResNet: expected one number of channels more than the {len(layers)} stages of layers, got "
            f"{len(channels)}"
        )


def _add_stem(features: nn.HybridSequential, channels: int, thumbnail: bool) -> None:
    """The layers before the first stage; for small images a convolution alone."""
    if thumbnail:
        features.add(_conv3x3(channels, 1, 0))
        return
    features.add(nn.Conv2D(channels, 7, 2, 3, use_bias=False), nn.BatchNorm(), nn.Activation("relu"))
    features.add(nn.MaxPool2D(3, 2, 1))


def _add_stages(
    features: nn.HybridSequential,
    block: Callable[..., HybridBlock],
    layers: Sequence[int],
    channels: Sequence[int],
) -> None:
    for i, depth in enumerate(layers):
        stage = nn.HybridSequential(prefix=f"stage{i + 1}_")
        before, after = channels[i], channels[i + 1]
        with stage.name_scope():
            stage.add(block(after, 1 if i == 0 else 2, after != before, in_channels=before, prefix=""))
            for _ in range(depth - 1):
                stage.add(block(after, 1, False, in_channels=after, prefix=""))
        features.add(stage)


class ResNetV1(HybridBlock):
    """A ResNet.

    Parameters
    ----------
    block : class of the layers: `BasicBlockV1` or `BottleneckV1`.
    layers : number of layers of every stage.
    channels : channels before the first and after every stage.
    classes : length of the output.
    thumbnail : for images of some 32 pixels: the first layers do not make them smaller.

    Shapes
    ------
    (N, 3, H, W) to (N, classes).
    """

    def __init__(
        self,
        block: Callable[..., HybridBlock],
        layers: Sequence[int],
        channels: Sequence[int],
        classes: int = 1000,
        thumbnail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_stages(layers, channels)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            _add_stem(self.features, channels[0], thumbnail)
            _add_stages(self.features, block, layers, channels)
            self.features.add(nn.GlobalAvgPool2D())
            self.output = nn.Dense(classes, in_units=channels[-1])

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Class scores."""
        return self.output(self.features(x))


class ResNetV2(HybridBlock):
    """A ResNet with activations first.

    Parameters
    ----------
    block : class of the layers: `BasicBlockV2` or `BottleneckV2`.
    layers, channels, classes, thumbnail : as for `ResNetV1`.

    Shapes
    ------
    (N, 3, H, W) to (N, classes).
    """

    def __init__(
        self,
        block: Callable[..., HybridBlock],
        layers: Sequence[int],
        channels: Sequence[int],
        classes: int = 1000,
        thumbnail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_stages(layers, channels)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(nn.BatchNorm(scale=False, center=False))
            _add_stem(self.features, channels[0], thumbnail)
            _add_stages(self.features, block, layers, channels)
            self.features.add(nn.BatchNorm(), nn.Activation("relu"), nn.GlobalAvgPool2D(), nn.Flatten())
            self.output = nn.Dense(classes, in_units=channels[-1])

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Class scores."""
        return self.output(self.features(x))


resnet_spec = {
    18: ("basic_block", [2, 2, 2, 2], [64, 64, 128, 256, 512]),
    34: ("basic_block", [3, 4, 6, 3], [64, 64, 128, 256, 512]),
    50: ("bottle_neck", [3, 4, 6, 3], [64, 256, 512, 1024, 2048]),
    101: ("bottle_neck", [3, 4, 23, 3], [64, 256, 512, 1024, 2048]),
    152: ("bottle_neck", [3, 8, 36, 3], [64, 256, 512, 1024, 2048]),
}  # kind of layer, layers and channels, by number of layers with weights
resnet_net_versions: list[type[ResNetV1] | type[ResNetV2]] = [ResNetV1, ResNetV2]
resnet_block_versions: list[dict[str, Callable[..., HybridBlock]]] = [
    {"basic_block": BasicBlockV1, "bottle_neck": BottleneckV1},
    {"basic_block": BasicBlockV2, "bottle_neck": BottleneckV2},
]


def get_resnet(
    version: int,
    num_layers: int,
    pretrained: bool = False,
    ctx: Context | None = None,
    root: str | os.PathLike[str] | None = None,
    **kwargs: Any,
) -> ResNetV1 | ResNetV2:
    """A ResNet.

    Parameters
    ----------
    version : 1, or 2 for activations first.
    num_layers : 18, 34, 50, 101 or 152.
    pretrained, ctx, root : see `vision.get_model`.
    kwargs : further parameters of `ResNetV1` or `ResNetV2`.
    """
    if num_layers not in resnet_spec:
        raise AssertionError(f"Invalid number of layers: {num_layers}. Options are {list(resnet_spec)}")
    if version not in (1, 2):
        raise AssertionError(f"Invalid resnet version: {version}. Options are 1 and 2.")
    kind, layers, channels = resnet_spec[num_layers]
    block = resnet_block_versions[version - 1][kind]
    net = resnet_net_versions[version - 1](block, layers, channels, **kwargs)
    if pretrained:
        load_pretrained(net, f"resnet{num_layers}_v{version}", root, ctx or cpu())
    return net


def resnet18_v1(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """ResNet with 18 layers, version 1; see `get_resnet`."""
    return get_resnet(1, 18, **kwargs)


def resnet34_v1(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """ResNet with 34 layers, version 1; see `get_resnet`."""
    return get_resnet(1, 34, **kwargs)


def resnet50_v1(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """ResNet with 50 layers, version 1; see `get_resnet`."""
    return get_resnet(1, 50, **kwargs)


def resnet101_v1(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """ResNet with 101 layers, version 1; see `get_resnet`."""
    return get_resnet(1, 101, **kwargs)


def resnet152_v1(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """ResNet with 152 layers, version 1; see `get_resnet`."""
    return get_resnet(1, 152, **kwargs)


def resnet18_v2(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """ResNet with 18 layers, version 2; see `get_resnet`."""
    return get_resnet(2, 18, **kwargs)


def resnet34_v2(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """ResNet with 34 layers, version 2; see `get_resnet`."""
    return get_resnet(2, 34, **kwargs)


def resnet50_v2(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """ResNet with 50 layers, version 2; see `get_resnet`."""
    return get_resnet(2, 50, **kwargs)


def resnet101_v2(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """ResNet with 101 layers, version 2; see `get_resnet`."""
    return get_resnet(2, 101, **kwargs)


def resnet152_v2(**kwargs: Any) -> ResNetV1 | ResNetV2:
    """ResNet with 152 layers, version 2; see `get_resnet`."""
    return get_resnet(2, 152, **kwargs)
