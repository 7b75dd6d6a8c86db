"""Parallel containers, synchronized batch normalization, pixel shuffling."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from .... import ndarray
from ....context import num_gpus
from ...hybrid_block import HybridBlock
from ...nn import BatchNorm, Embedding, HybridSequential, Sequential

__all__ = [
    "Concurrent", "HybridConcurrent", "Identity", "PixelShuffle1D", "PixelShuffle2D", "PixelShuffle3D",
    "SparseEmbedding", "SyncBatchNorm",
]  # fmt: skip


class Concurrent(Sequential):
    """Blocks side by side: each gets the input, their outputs are concatenated.

    Parameters
    ----------
    axis : the axis to concatenate along.
    """

    def __init__(self, axis: int = -1, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
        self.axis = axis

    def forward(self, x: Any) -> Any:
        """All outputs as one."""
        return ndarray.concat(*[block(x) for block in self._children.values()], dim=self.axis)


class HybridConcurrent(HybridSequential):
    """Hybrid blocks side by side: each gets the input, their outputs are concatenated.

    Parameters
    ----------
    axis : the axis to concatenate along.
    """

    def __init__(self, axis: int = -1, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
        self.axis = axis

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """All outputs as one."""
        return F.concat(*[block(x) for block in self._children.values()], dim=self.axis)


class Identity(HybridBlock):
    """The input as it is; a side branch of `HybridConcurrent` makes a skip connection of it."""

    def __init__(self, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The input."""
        return x


class SparseEmbedding(Embedding):
    """`Embedding`. Its weight and gradients are dense here, with the values of MXNet's sparse ones."""

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        dtype: Any = "float32",
        weight_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(input_dim, output_dim, dtype, weight_initializer, sparse_grad=True, **kwargs)


class SyncBatchNorm(BatchNorm):
    """`BatchNorm` on axis 1 whose statistics in training are those of all devices together.

    Parameters
    ----------
    in_channels : number of channels; found from the first input by default.
    num_devices : number of devices that train together; by default the GPUs, with a warning.
    others : as those of `BatchNorm`.
    """

    def __init__(
        self,
        in_channels: int = 0,
        num_devices: int | None = None,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        use_global_stats: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        running_mean_initializer: Any = "zeros",
        running_variance_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis=1,
            momentum=momentum,
            epsilon=epsilon,
            center=center,
            scale=scale,
            use_global_stats=use_global_stats,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            running_mean_initializer=running_mean_initializer,
            running_variance_initializer=running_variance_initializer,
            in_channels=in_channels,
            **kwargs,
        )
        self._kwargs = {
            "eps": epsilon,
            "momentum": momentum,
            "fix_gamma": not scale,
            "use_global_stats": use_global_stats,
            "ndev": self._get_num_devices() if num_devices is None else num_devices,
            "key": self.prefix,
        }

    def _get_num_devices(self) -> int:
        warnings.warn(
            "Caution using SyncBatchNorm: if not using all the GPUs, please mannually set num_devices",
            UserWarning,
            stacklevel=3,
        )
        return max(num_gpus(), 1)

    def hybrid_forward(
        self, F: Any, x: Any, gamma: Any, beta: Any, running_mean: Any, running_var: Any
    ) -> Any:
        """The normalized input."""
        return F.contrib.SyncBatchNorm(x, gamma, beta, running_mean, running_var, name="fwd", **self._kwargs)


def _factors(factor: int | Sequence[int], n: int) -> tuple[int, ...]:
    """One factor for each of `n` axes.

    Raises
    ------
    AssertionError : the number of factors is another.
    """
    result = tuple(int(f) for f in factor) if isinstance(factor, Sequence) else (int(factor),) * n
    if len(result) != n:
        raise AssertionError(f"factor must be a number or a list of {n} ints, wrong length {len(result)}")
    return result


class PixelShuffle1D(HybridBlock):
    """Moves channels into space (Shi et al. 2016): (N, f * C, W) to (N, C, W * f).

    Parameters
    ----------
    factor : f.
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self._factor = int(factor)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The upsampled input."""
        x = F.reshape(x, (0, -4, -1, self._factor, 0))  # (N, C, f, W)
        return F.reshape(F.transpose(x, (0, 1, 3, 2)), (0, 0, -3))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._factor})"


class PixelShuffle2D(HybridBlock):
    """Moves channels into space (Shi et al. 2016): (N, f1 * f2 * C, H, W) to (N, C, H * f1, W * f2).

    Parameters
    ----------
    factor : f1 and f2, or a number for both.
    """

    def __init__(self, factor: int | Sequence[int]) -> None:
        super().__init__()
        self._factors = _factors(factor, 2)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The upsampled input."""
        f1, f2 = self._factors
        x = F.reshape(x, (0, -4, -1, f1 * f2, 0, 0))
        x = F.reshape(x, (0, 0, -4, f1, f2, 0, 0))  # (N, C, f1, f2, H, W)
        return F.reshape(F.transpose(x, (0, 1, 4, 2, 5, 3)), (0, 0, -3, -3))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._factors})"


class PixelShuffle3D(HybridBlock):
    """Moves channels into space: (N, f1 * f2 * f3 * C, D, H, W) to (N, C, D * f1, H * f2, W * f3).

    Parameters
    ----------
    factor : f1, f2 and f3, or a number for all.
    """

    def __init__(self, factor: int | Sequence[int]) -> None:
        super().__init__()
        self._factors = _factors(factor, 3)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The upsampled input."""
        f1, f2, f3 = self._factors
        x = F.reshape(x, (0, -4, -1, f1 * f2 * f3, 0, 0, 0))
        x = F.reshape(x, (0, 0, -4, f1, f2 * f3, 0, 0, 0))
        x = F.reshape(x, (0, 0, 0, -4, f2, f3, 0, 0, 0))  # (N, C, f1, f2, f3, D, H, W)
        return F.reshape(F.transpose(x, (0, 1, 5, 2, 6, 3, 7, 4)), (0, 0, -3, -3, -3))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._factors})"
