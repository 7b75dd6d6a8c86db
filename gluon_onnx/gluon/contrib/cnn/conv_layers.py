"""Convolutions that learn where to look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....base import MXNetError, numeric_types
from ...hybrid_block import HybridBlock
from ...nn import Activation
from ...parameter import Parameter

__all__ = ["DeformableConvolution", "ModulatedDeformableConvolution"]

Lengths = int | Sequence[int]


def _pair(value: Lengths) -> tuple[int, ...]:
    return (int(value),) * 2 if isinstance(value, numeric_types) else tuple(value)


class _Deformable(HybridBlock):
    """A convolution whose places are moved by what another convolution of the same data says.

    Parameters
    ----------
    numbers : how many numbers that one gives for each element of the kernel.
    weight_first : whether the weight is registered before that of the other convolution.
    """

    deformable_conv_weight: Parameter

    def __init__(
        self,
        channels: int,
        kernel_size: Lengths,
        strides: Lengths,
        padding: Lengths,
        dilation: Lengths,
        groups: int,
        num_deformable_group: int,
        layout: str,
        use_bias: bool,
        in_channels: int,
        activation: str | None,
        weight_initializer: Any,
        bias_initializer: Any,
        offset_weight_initializer: Any,
        offset_bias_initializer: Any,
        offset_use_bias: bool,
        prefix: str | None,
        params: Any,
        *,
        numbers: int,
        weight_first: bool,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        if layout != "NCHW":
            raise MXNetError(f"{self.name}: expected layout 'NCHW', got {layout!r}")
        kernel = _pair(kernel_size)
        points = num_deformable_group * kernel[0] * kernel[1]
        common = {
            "kernel": kernel, "stride": _pair(strides), "dilate": _pair(dilation), "pad": _pair(padding),
            "num_group": groups, "layout": layout,
        }  # fmt: skip
        self._channels, self._in_channels = channels, in_channels
        self._moves = 2 * points
        self._kwargs_offset = {**common, "num_filter": numbers * points, "no_bias": not offset_use_bias}
        self._kwargs_deformable_conv = {
            **common,
            "num_filter": channels,
            "num_deformable_group": num_deformable_group,
            "no_bias": not use_bias,
        }
        inner = in_channels // groups
        wanted: dict[str, tuple[Any, Sequence[int], bool]] = {
            "offset_weight": (offset_weight_initializer, (numbers * points, inner, *kernel), True),
            "offset_bias": (offset_bias_initializer, (numbers * points,), offset_use_bias),
            # MXNet leaves the channels of this one to the first data.
            "deformable_conv_weight": (weight_initializer, (channels, 0, *kernel), True),
            "deformable_conv_bias": (bias_initializer, (channels,), use_bias),
        }
        names = list(wanted)
        with self.name_scope():
            for name in [*names[2:], *names[:2]] if weight_first else names:
                init, shape, used = wanted[name]
                made = (
                    self.params.get(name, shape=shape, init=init, allow_deferred_init=True) if used else None
                )
                setattr(self, name, made)
            self.act = None if activation is None else Activation(activation, prefix=activation + "_")

    def _said(self, F: Any, x: Any, weight: Any, bias: Any) -> Any:
        """What the other convolution says."""
        operands = (x, weight) if bias is None else (x, weight, bias)
        return F.Convolution(*operands, cudnn_off=True, **self._kwargs_offset)

    def _activated(self, out: Any) -> Any:
        return out if self.act is None else self.act(out)

    def __repr__(self) -> str:
        given = self._kwargs_deformable_conv
        shape = self.deformable_conv_weight.shape
        assert shape is not None
        text = f"{type(self).__name__}({shape[1] or None} -> {shape[0]}, kernel_size={given['kernel']}"
        text += f", stride={given['stride']}"
        for key, label, usual in (
            ("pad", "padding", (0, 0)), ("dilate", "dilation", (1, 1)), ("num_group", "groups", 1)
        ):  # fmt: skip
            if given[key] != usual:
                text += f", {label}={given[key]}"
        if given["no_bias"]:
            text += ", bias=False"
        if self.act is not None:
            text += f", {self.act}"
        return text + ")"


class DeformableConvolution(_Deformable):
    """A convolution whose places move (J. Dai et al., "Deformable convolutional networks", 2017).

    A second convolution of the same data says how far, in pixels. Its weight is zero at first, so that nothing moves.

    Parameters
    ----------
    channels : number of output channels.
    kernel_size, strides, padding, dilation : a number, or one for (height, width).
    groups, num_deformable_group : into how many parts the channels are divided for the convolution, and for the
        movements.
    layout : "NCHW".
    in_channels : number of input channels; 0 waits for the first data.
    activation : name of an activation that follows.
    offset_weight_initializer, offset_bias_initializer, offset_use_bias : of the second convolution.

    Raises
    ------
    MXNetError : another layout.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Lengths = (1, 1),
        strides: Lengths = (1, 1),
        padding: Lengths = (0, 0),
        dilation: Lengths = (1, 1),
        groups: int = 1,
        num_deformable_group: int = 1,
        layout: str = "NCHW",
        use_bias: bool = True,
        in_channels: int = 0,
        activation: str | None = None,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        offset_weight_initializer: Any = "zeros",
        offset_bias_initializer: Any = "zeros",
        offset_use_bias: bool = True,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(
            channels, kernel_size, strides, padding, dilation, groups, num_deformable_group, layout, use_bias,
            in_channels, activation, weight_initializer, bias_initializer, offset_weight_initializer,
            offset_bias_initializer, offset_use_bias, prefix, params, numbers=2, weight_first=False,
        )  # fmt: skip

    def _alias(self) -> str:
        return "deformable_conv"

    def hybrid_forward(
        self,
        F: Any,
        x: Any,
        offset_weight: Any,
        deformable_conv_weight: Any,
        offset_bias: Any = None,
        deformable_conv_bias: Any = None,
    ) -> Any:
        """The layer's output."""
        operands = [x, self._said(F, x, offset_weight, offset_bias), deformable_conv_weight]
        if deformable_conv_bias is not None:
            operands.append(deformable_conv_bias)
        out = F.contrib.DeformableConvolution(*operands, name="fwd", **self._kwargs_deformable_conv)
        return self._activated(out)


class ModulatedDeformableConvolution(_Deformable):
    """A convolution whose places move and count more or less (X. Zhu et al., "Deformable ConvNets v2", 2018).

    Each place is multiplied by twice the sigmoid of a number of the second convolution: by 1 at first.

    Parameters
    ----------
    channels, kernel_size, strides, padding, dilation, groups, num_deformable_group, layout, in_channels, activation :
        see `DeformableConvolution`; so are the others.

    Raises
    ------
    MXNetError : another layout.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Lengths = (1, 1),
        strides: Lengths = (1, 1),
        padding: Lengths = (0, 0),
        dilation: Lengths = (1, 1),
        groups: int = 1,
        num_deformable_group: int = 1,
        layout: str = "NCHW",
        use_bias: bool = True,
        in_channels: int = 0,
        activation: str | None = None,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        offset_weight_initializer: Any = "zeros",
        offset_bias_initializer: Any = "zeros",
        offset_use_bias: bool = True,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(
            channels, kernel_size, strides, padding, dilation, groups, num_deformable_group, layout, use_bias,
            in_channels, activation, weight_initializer, bias_initializer, offset_weight_initializer,
            offset_bias_initializer, offset_use_bias, prefix, params, numbers=3, weight_first=True,
        )  # fmt: skip

    def _alias(self) -> str:
        return "modulated_deformable_conv"

    def hybrid_forward(
        self,
        F: Any,
        x: Any,
        offset_weight: Any,
        deformable_conv_weight: Any,
        offset_bias: Any = None,
        deformable_conv_bias: Any = None,
    ) -> Any:
        """The layer's output."""
        said = self._said(F, x, offset_weight, offset_bias)
        offset = F.slice_axis(said, axis=1, begin=0, end=self._moves)
        mask = F.sigmoid(F.slice_axis(said, axis=1, begin=self._moves, end=None)) * 2
        operands = [x, offset, mask, deformable_conv_weight]
        if deformable_conv_bias is not None:
            operands.append(deformable_conv_bias)
        out = F.contrib.ModulatedDeformableConvolution(*operands, name="fwd", **self._kwargs_deformable_conv)
        return self._activated(out)
