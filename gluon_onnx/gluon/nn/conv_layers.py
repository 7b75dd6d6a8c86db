"""Convolutions, transposed convolutions, and padding by reflection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...base import MXNetError, numeric_types
from ..hybrid_block import HybridBlock
from .activations import Activation

__all__ = [
    "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "ReflectionPad2D",
]  # fmt: skip

Lengths = int | Sequence[int]


def _lengths(value: Lengths, n: int, what: str) -> Sequence[int]:
    """One length for each of `n` axes.

    Raises
    ------
    AssertionError : the number of lengths is another.
    """
    result = (value,) * n if isinstance(value, numeric_types) else value
    if len(result) != n:
        raise AssertionError(f"{what} must be a number or a list of {n} ints, got {value!r}")
    return result


def _check_layout(layout: str, *allowed: str) -> None:
    if layout not in allowed:
        names = " and ".join(f"'{a}'" for a in allowed)
        raise AssertionError(
            f"Only supports {names} layout{'s' if len(allowed) > 1 else ''} for now, got {layout!r}"
        )


class _Conv(HybridBlock):
    """A convolution: `op_name` is "Convolution" or "Deconvolution"; see the subclasses for the parameters."""

    def __init__(
        self,
        channels: int,
        kernel_size: Sequence[int],
        strides: Lengths,
        padding: Lengths,
        dilation: Lengths,
        groups: int,
        layout: str,
        in_channels: int = 0,
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        op_name: str = "Convolution",
        adj: Sequence[int] | None = None,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        n = len(kernel_size)
        with self.name_scope():
            self._channels = channels
            self._in_channels = in_channels
            self._op_name = op_name
            self._kwargs: dict[str, Any] = {
                "kernel": kernel_size,
                "stride": _lengths(strides, n, "strides"),
                "dilate": _lengths(dilation, n, "dilation"),
                "pad": _lengths(padding, n, "padding"),
                "num_filter": channels,
                "num_group": groups,
                "no_bias": not use_bias,
                "layout": layout,
            }
            if adj is not None:
                self._kwargs["adj"] = adj
            self.weight = self.params.get(
                "weight", shape=self._weight_shape(), init=weight_initializer, allow_deferred_init=True
            )
            self.bias = None
            if use_bias:
                self.bias = self.params.get(
                    "bias", shape=(channels,), init=bias_initializer, allow_deferred_init=True
                )
            self.act = None if activation is None else Activation(activation, prefix=activation + "_")

    def _weight_shape(self) -> tuple[int, ...]:
        """The weight's shape; an unknown number of input channels is 0.

        Raises
        ------
        MXNetError : the number of groups does not divide the numbers of channels.
        """
        groups = self._kwargs["num_group"]
        for what, n in (("channels", self._channels), ("in_channels", self._in_channels)):
            if n % groups:
                raise MXNetError(f"{self.name}: {what} must be a multiple of groups={groups}, got {n}")
        # A transposed convolution maps like the gradient of the convolution with the same weight.
        outer, inner = self._channels, self._in_channels
        if self._op_name == "Deconvolution":
            outer, inner = inner, outer
        kernel = tuple(self._kwargs["kernel"])
        if self._kwargs["layout"].endswith("C"):
            return (outer, *kernel, inner // groups)
        return (outer, inner // groups, *kernel)

    def _alias(self) -> str:
        return "conv"

    def hybrid_forward(self, F: Any, x: Any, weight: Any, bias: Any = None) -> Any:
        """The layer's output."""
        operator = getattr(F, self._op_name)
        operands = (x, weight) if bias is None else (x, weight, bias)
        out = operator(*operands, name="fwd", **self._kwargs)
        return out if self.act is None else self.act(out)

    def __repr__(self) -> str:
        shape = self.weight.shape
        assert shape is not None
        n = len(self._kwargs["kernel"])
        text = "{}({} -> {}, kernel_size={kernel}, stride={stride}".format(
            type(self).__name__, shape[1] or None, shape[0], **self._kwargs
        )
        for key, label, usual in (("pad", "padding", (0,) * n), ("dilate", "dilation", (1,) * n),
                                  ("num_group", "groups", 1)):  # fmt: skip
            if self._kwargs[key] != usual:
                text += f", {label}={self._kwargs[key]}"
        if self.bias is None:
            text += ", bias=False"
        if self.act is not None:
            text += f", {self.act}"
        return text + ")"


class Conv1D(_Conv):
    """A convolution over sequences.

    Parameters
    ----------
    channels : number of output channels.
    kernel_size : lengths of the window.
    strides : steps of the window.
    padding : zeros added on both sides of every axis.
    dilation : distances between the window's elements.
    groups : number of groups that the channels fall into; outputs see the inputs of their group only.
    layout : order of the axes.
    activation : an activation function of `Activation`, or None.
    use_bias : add a bias.
    weight_initializer, bias_initializer : initializers; None is the one given to `initialize`.
    in_channels : number of input channels; found from the first input by default.

    Shapes
    ------
    (N, in_channels, W) to (N, channels, W').
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Lengths,
        strides: Lengths = 1,
        padding: Lengths = 0,
        dilation: Lengths = 1,
        groups: int = 1,
        layout: str = "NCW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        _check_layout(layout, "NCW")
        kernel_size = _lengths(kernel_size, 1, "kernel_size")
        op_name = kwargs.pop("op_name", "Convolution")
        super().__init__(
            channels,
            kernel_size,
            strides,
            padding,
            dilation,
            groups,
            layout,
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            op_name,
            **kwargs,
        )


class Conv2D(_Conv):
    """A convolution over images. The parameters are those of `Conv1D`.

    Shapes
    ------
    (N, in_channels, H, W) to (N, channels, H', W'), or with the channels last.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Lengths,
        strides: Lengths = (1, 1),
        padding: Lengths = (0, 0),
        dilation: Lengths = (1, 1),
        groups: int = 1,
        layout: str = "NCHW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        _check_layout(layout, "NCHW", "NHWC")
        kernel_size = _lengths(kernel_size, 2, "kernel_size")
        op_name = kwargs.pop("op_name", "Convolution")
        super().__init__(
            channels,
            kernel_size,
            strides,
            padding,
            dilation,
            groups,
            layout,
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            op_name,
            **kwargs,
        )


class Conv3D(_Conv):
    """A convolution over volumes. The parameters are those of `Conv1D`.

    Shapes
    ------
    (N, in_channels, D, H, W) to (N, channels, D', H', W'), or with the channels last.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Lengths,
        strides: Lengths = (1, 1, 1),
        padding: Lengths = (0, 0, 0),
        dilation: Lengths = (1, 1, 1),
        groups: int = 1,
        layout: str = "NCDHW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        _check_layout(layout, "NCDHW", "NDHWC")
        kernel_size = _lengths(kernel_size, 3, "kernel_size")
        op_name = kwargs.pop("op_name", "Convolution")
        super().__init__(
            channels,
            kernel_size,
            strides,
            padding,
            dilation,
            groups,
            layout,
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            op_name,
            **kwargs,
        )


class Conv1DTranspose(_Conv):
    """A transposed convolution over sequences: the gradient of `Conv1D` as a layer.

    Parameters
    ----------
    channels : number of output channels.
    output_padding : elements added at the end of every output axis, fewer than `strides`.
    others : as those of `Conv1D`.

    Shapes
    ------
    (N, in_channels, W) to (N, channels, W').
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Lengths,
        strides: Lengths = 1,
        padding: Lengths = 0,
        output_padding: Lengths = 0,
        dilation: Lengths = 1,
        groups: int = 1,
        layout: str = "NCW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        _check_layout(layout, "NCW")
        kernel_size = _lengths(kernel_size, 1, "kernel_size")
        output_padding = _lengths(output_padding, 1, "output_padding")
        op_name = kwargs.pop("op_name", "Deconvolution")
        super().__init__(
            channels,
            kernel_size,
            strides,
            padding,
            dilation,
            groups,
            layout,
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            op_name,
            output_padding,
            **kwargs,
        )
        self.outpad = output_padding


class Conv2DTranspose(_Conv):
    """A transposed convolution over images: the gradient of `Conv2D` as a layer. The parameters are those of
    `Conv1DTranspose`.

    Shapes
    ------
    (N, in_channels, H, W) to (N, channels, H', W'), or with the channels last.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Lengths,
        strides: Lengths = (1, 1),
        padding: Lengths = (0, 0),
        output_padding: Lengths = (0, 0),
        dilation: Lengths = (1, 1),
        groups: int = 1,
        layout: str = "NCHW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        _check_layout(layout, "NCHW", "NHWC")
        kernel_size = _lengths(kernel_size, 2, "kernel_size")
        output_padding = _lengths(output_padding, 2, "output_padding")
        op_name = kwargs.pop("op_name", "Deconvolution")
        super().__init__(
            channels,
            kernel_size,
            strides,
            padding,
            dilation,
            groups,
            layout,
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            op_name,
            output_padding,
            **kwargs,
        )
        self.outpad = output_padding


class Conv3DTranspose(_Conv):
    """A transposed convolution over volumes: the gradient of `Conv3D` as a layer. The parameters are those of
    `Conv1DTranspose`.

    Shapes
    ------
    (N, in_channels, D, H, W) to (N, channels, D', H', W'), or with the channels last.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Lengths,
        strides: Lengths = (1, 1, 1),
        padding: Lengths = (0, 0, 0),
        output_padding: Lengths = (0, 0, 0),
        dilation: Lengths = (1, 1, 1),
        groups: int = 1,
        layout: str = "NCDHW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        _check_layout(layout, "NCDHW", "NDHWC")
        kernel_size = _lengths(kernel_size, 3, "kernel_size")
        output_padding = _lengths(output_padding, 3, "output_padding")
        op_name = kwargs.pop("op_name", "Deconvolution")
        super().__init__(
            channels,
            kernel_size,
            strides,
            padding,
            dilation,
            groups,
            layout,
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            op_name,
            output_padding,
            **kwargs,
        )
        self.outpad = output_padding


class ReflectionPad2D(HybridBlock):
    """Pads images with their own reflection at the border.

    Parameters
    ----------
    padding : elements to add on all sides of both axes, or the eight numbers of operator `pad`: before and
        after each of the axes N, C, H and W.

    Shapes
    ------
    (N, C, H, W) to (N, C, H + 2 * padding, W + 2 * padding).
    """

    def __init__(self, padding: Lengths = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(padding, numeric_types):
            padding = (0, 0, 0, 0, padding, padding, padding, padding)
        if len(padding) != 8:
            raise AssertionError(f"padding must be a number or a list of 8 ints, got {padding!r}")
        self._padding = padding

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The padded images."""
        return F.pad(x, mode="reflect", pad_width=self._padding)
