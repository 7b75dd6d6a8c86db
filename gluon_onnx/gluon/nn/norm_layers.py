"""Normalization layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..hybrid_block import HybridBlock

__all__ = ["BatchNorm", "BatchNormReLU", "GroupNorm", "InstanceNorm", "LayerNorm"]


def _text(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}={v!r}" for k, v in values.items())


class _Norm(HybridBlock):
    """A normalization with a learnt scale (gamma) and shift (beta)."""

    def _add_scale_and_shift(
        self,
        length: int,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        fixed: bool = False,
    ) -> None:
        """Make gamma and beta of shape (length,).

        Parameters
        ----------
        fixed : without `center` or `scale` the parameter cannot be made trainable later.
        """
        self.gamma = self.params.get(
            "gamma",
            grad_req="write" if scale else "null",
            shape=(length,),
            init=gamma_initializer,
            allow_deferred_init=True,
            differentiable=scale or not fixed,
        )
        self.beta = self.params.get(
            "beta",
            grad_req="write" if center else "null",
            shape=(length,),
            init=beta_initializer,
            allow_deferred_init=True,
            differentiable=center or not fixed,
        )

    def _channels(self) -> int:
        shape = self.gamma.shape
        assert shape is not None
        return shape[0]


class _BatchNorm(_Norm):
    """Batch normalization, alone or followed by relu (`fuse_relu`); see `BatchNorm`."""

    def __init__(
        self,
        axis: int = 1,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        use_global_stats: bool = False,
        fuse_relu: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        running_mean_initializer: Any = "zeros",
        running_variance_initializer: Any = "ones",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._kwargs: dict[str, Any] = {
            "axis": axis, "eps": epsilon, "momentum": momentum, "fix_gamma": not scale,
            "use_global_stats": use_global_stats,
        }  # fmt: skip
        self.fuse_relu = fuse_relu
        if in_channels != 0:
            self.in_channels = in_channels
        self._add_scale_and_shift(in_channels, center, scale, beta_initializer, gamma_initializer, fixed=True)
        self.running_mean = self._statistic("running_mean", in_channels, running_mean_initializer)
        self.running_var = self._statistic("running_var", in_channels, running_variance_initializer)

    def _statistic(self, name: str, length: int, init: Any) -> Any:
        return self.params.get(
            name, grad_req="null", shape=(length,), init=init, allow_deferred_init=True, differentiable=False
        )

    def cast(self, dtype: Any) -> None:
        """Change the element type; the parameters of a float16 layer stay float32."""
        super().cast("float32" if np.dtype(dtype) == np.float16 else dtype)

    def hybrid_forward(
        self, F: Any, x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any
    ) -> Any:
        """The normalized input."""
        norm = F.contrib.BatchNormWithReLU if self.fuse_relu else F.BatchNorm
        return norm(x, gamma, beta, running_mean, running_var, name="fwd", **self._kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_text(self._kwargs)}, in_channels={self._channels() or None})"


class BatchNorm(_BatchNorm):
    """Batch normalization (Ioffe and Szegedy 2015).

    In training mode every channel is normalized with its own mean and variance over the batch, and running
    averages of both are updated; in prediction mode it is normalized with these averages.

    Parameters
    ----------
    axis : the axis of the channels.
    momentum : weight of the old value in the running averages.
    epsilon : added to the variance.
    center : add a learnt beta.
    scale : multiply with a learnt gamma; else gamma is fixed to 1.
    use_global_stats : use the running averages in training mode too.
    beta_initializer, gamma_initializer : initializers.
    running_mean_initializer, running_variance_initializer : initializers of the running averages.
    in_channels : number of channels; found from the first input by default.
    """

    def __init__(
        self,
        axis: int = 1,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        use_global_stats: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        running_mean_initializer: Any = "zeros",
        running_variance_initializer: Any = "ones",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis,
            momentum,
            epsilon,
            center,
            scale,
            use_global_stats,
            False,
            beta_initializer,
            gamma_initializer,
            running_mean_initializer,
            running_variance_initializer,
            in_channels,
            **kwargs,
        )


class BatchNormReLU(_BatchNorm):
    """`BatchNorm` followed by relu, as one operator; the parameters are the same."""

    def __init__(
        self,
        axis: int = 1,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        use_global_stats: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        running_mean_initializer: Any = "zeros",
        running_variance_initializer: Any = "ones",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis,
            momentum,
            epsilon,
            center,
            scale,
            use_global_stats,
            True,
            beta_initializer,
            gamma_initializer,
            running_mean_initializer,
            running_variance_initializer,
            in_channels,
            **kwargs,
        )


class InstanceNorm(_Norm):
    """Normalization of every channel of every sample (Ulyanov et al. 2016).

    Parameters
    ----------
    axis : the axis of the channels.
    epsilon : added to the variance.
    center, scale : learn beta, learn gamma.
    in_channels : number of channels; found from the first input by default.
    """

    def __init__(
        self,
        axis: int = 1,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._kwargs = {"eps": epsilon, "axis": axis, "center": center, "scale": scale}
        self._axis = axis
        self._epsilon = epsilon
        self._add_scale_and_shift(in_channels, center, scale, beta_initializer, gamma_initializer)

    def hybrid_forward(self, F: Any, x: Any, gamma: Any, beta: Any) -> Any:
        """The normalized input."""
        if self._axis == 1:
            return F.InstanceNorm(x, gamma, beta, name="fwd", eps=self._epsilon)
        x = x.swapaxes(1, self._axis)
        return F.InstanceNorm(x, gamma, beta, name="fwd", eps=self._epsilon).swapaxes(1, self._axis)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_text(self._kwargs)}, in_channels={self._channels()})"


class LayerNorm(_Norm):
    """Normalization along one axis of every sample (Ba et al. 2016).

    Parameters
    ----------
    axis : the axis to normalize along.
    epsilon : added to the variance.
    center, scale : learn beta, learn gamma.
    in_channels : length of the axis; found from the first input by default.
    """

    def __init__(
        self,
        axis: int = -1,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        in_channels: int = 0,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._kwargs = {"eps": epsilon, "axis": axis, "center": center, "scale": scale}
        self._axis = axis
        self._epsilon = epsilon
        self._center = center
        self._scale = scale
        self._add_scale_and_shift(in_channels, center, scale, beta_initializer, gamma_initializer)

    def hybrid_forward(self, F: Any, data: Any, gamma: Any, beta: Any) -> Any:
        """The normalized input."""
        return F.LayerNorm(data, gamma=gamma, beta=beta, axis=self._axis, eps=self._epsilon)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_text(self._kwargs)}, in_channels={self._channels()})"


class GroupNorm(_Norm):
    """Normalization of groups of channels (axis 1) of every sample (Wu and He 2018).

    As in MXNet 1.x gamma and beta have one element for each group, not for each channel.

    Parameters
    ----------
    num_groups : number of groups.
    epsilon : added to the variance.
    center, scale : learn beta, learn gamma.
    """

    def __init__(
        self,
        num_groups: int = 1,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._kwargs = {"eps": epsilon, "num_groups": num_groups, "center": center, "scale": scale}
        self._num_groups = num_groups
        self._epsilon = epsilon
        self._center = center
        self._scale = scale
        self._add_scale_and_shift(num_groups, center, scale, beta_initializer, gamma_initializer)

    def hybrid_forward(self, F: Any, data: Any, gamma: Any, beta: Any) -> Any:
        """The normalized input."""
        return F.GroupNorm(data, gamma=gamma, beta=beta, num_groups=self._num_groups, eps=self._epsilon)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_text(self._kwargs)})"
