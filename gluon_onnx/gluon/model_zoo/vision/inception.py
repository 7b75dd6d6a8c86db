"""Inception v3 (Szegedy et al. 2015, https://arxiv.org/abs/1512.00567)."""

from __future__ import annotations

import os
from typing import Any

from ....context import Context, cpu
from ... import nn
from ...contrib.nn import HybridConcurrent
from ...hybrid_block import HybridBlock
from ..model_store import load_pretrained

__all__ = ["Inception3", "inception_v3"]


def _conv(
    channels: int,
    kernel_size: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    strides: int = 1,
) -> nn.HybridSequential:
    """A convolution with normalization and activation."""
    out = nn.HybridSequential(prefix="")
    out.add(
        nn.Conv2D(channels, kernel_size, strides=strides, padding=padding, use_bias=False),
        nn.BatchNorm(epsilon=0.001),
        nn.Activation("relu"),
    )
    return out


def _conv1x7(channels: int) -> nn.HybridSequential:
    return _conv(channels, (1, 7), (0, 3))


def _conv7x1(channels: int) -> nn.HybridSequential:
    return _conv(channels, (7, 1), (3, 0))


def _branch(*layers: HybridBlock) -> nn.HybridSequential:
    out = nn.HybridSequential(prefix="")
    out.add(*layers)
    return out


def _average() -> nn.AvgPool2D:
    return nn.AvgPool2D(pool_size=3, strides=1, padding=1)


def _half() -> nn.MaxPool2D:
    return nn.MaxPool2D(pool_size=3, strides=2)


def _module_a(pool_features: int, prefix: str) -> HybridConcurrent:
    out = HybridConcurrent(axis=1, prefix=prefix)
    with out.name_scope():
        out.add(
            _branch(_conv(64)),
            _branch(_conv(48), _conv(64, 5, 2)),
            _branch(_conv(64), _conv(96, 3, 1), _conv(96, 3, 1)),
            _branch(_average(), _conv(pool_features)),
        )
    return out


def _module_b(prefix: str) -> HybridConcurrent:
    out = HybridConcurrent(axis=1, prefix=prefix)
    with out.name_scope():
        out.add(
            _branch(_conv(384, 3, strides=2)),
            _branch(_conv(64), _conv(96, 3, 1), _conv(96, 3, strides=2)),
            _branch(_half()),
        )
    return out


def _module_c(inner: int, prefix: str) -> HybridConcurrent:
    out = HybridConcurrent(axis=1, prefix=prefix)
    with out.name_scope():
        out.add(
            _branch(_conv(192)),
            _branch(_conv(inner), _conv1x7(inner), _conv7x1(192)),
            _branch(_conv(inner), _conv7x1(inner), _conv1x7(inner), _conv7x1(inner), _conv1x7(192)),
            _branch(_average(), _conv(192)),
        )
    return out


def _module_d(prefix: str) -> HybridConcurrent:
    out = HybridConcurrent(axis=1, prefix=prefix)
    with out.name_scope():
        out.add(
            _branch(_conv(192), _conv(320, 3, strides=2)),
            _branch(_conv(192), _conv1x7(192), _conv7x1(192), _conv(192, 3, strides=2)),
            _branch(_half()),
        )
    return out


def _split() -> HybridConcurrent:
    """1x3 and 3x1 convolutions side by side."""
    out = HybridConcurrent(axis=1, prefix="")
    out.add(_branch(_conv(384, (1, 3), (0, 1))), _branch(_conv(384, (3, 1), (1, 0))))
    return out


def _module_e(prefix: str) -> HybridConcurrent:
    out = HybridConcurrent(axis=1, prefix=prefix)
    with out.name_scope():
        out.add(
            _branch(_conv(320)),
            _branch(_branch(_conv(384)), _split()),
            _branch(_branch(_conv(448), _conv(384, 3, 1)), _split()),
            _branch(_average(), _conv(192)),
        )
    return out


class Inception3(HybridBlock):
    """Inception v3.

    Parameters
    ----------
    classes : length of the output.

    Shapes
    ------
    (N, 3, 299, 299) to (N, classes).
    """

    def __init__(self, classes: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(
                _conv(32, 3, strides=2),
                _conv(32, 3),
                _conv(64, 3, 1),
                _half(),
                _conv(80),
                _conv(192, 3),
                _half(),
                _module_a(32, "A1_"),
                _module_a(64, "A2_"),
                _module_a(64, "A3_"),
                _module_b("B_"),
                _module_c(128, "C1_"),
                _module_c(160, "C2_"),
                _module_c(160, "C3_"),
                _module_c(192, "C4_"),
                _module_d("D_"),
                _module_e("E1_"),
                _module_e("E2_"),
                nn.AvgPool2D(pool_size=8),
                nn.Dropout(0.5),
            )
            self.output = nn.Dense(classes)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Class scores."""
        return self.output(self.features(x))


def inception_v3(
    pretrained: bool = False,
    ctx: Context | None = None,
    root: str | os.PathLike[str] | None = None,
    **kwargs: Any,
) -> Inception3:
    """Inception v3.

    Parameters
    ----------
    pretrained, ctx, root : see `vision.get_model`.
    kwargs : parameters of `Inception3`.
    """
    net = Inception3(**kwargs)
    if pretrained:
        load_pretrained(net, "inceptionv3", root, ctx or cpu())
    return net
