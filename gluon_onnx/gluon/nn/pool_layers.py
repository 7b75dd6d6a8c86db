"""Pooling layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...base import numeric_types
from ..hybrid_block import HybridBlock
from .conv_layers import Lengths, _lengths

__all__ = [
    "AvgPool1D", "AvgPool2D", "AvgPool3D", "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalAvgPool3D",
    "GlobalMaxPool1D", "GlobalMaxPool2D", "GlobalMaxPool3D", "MaxPool1D", "MaxPool2D", "MaxPool3D",
]  # fmt: skip

_LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


class _Pooling(HybridBlock):
    """A pooling layer; see the subclasses for the parameters."""

    def __init__(
        self,
        pool_size: Sequence[int],
        strides: Lengths | None,
        padding: Lengths,
        ceil_mode: bool,
        global_pool: bool,
        pool_type: str,
        layout: str,
        count_include_pad: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        n = len(pool_size)
        if layout not in _LAYOUTS[n]:
            first, second = _LAYOUTS[n]
            raise AssertionError(
                f"Only {first} and {second} layouts are valid for {n}D Pooling, got {layout!r}"
            )
        strides = pool_size if strides is None else strides
        self._kwargs: dict[str, Any] = {
            "kernel": pool_size,
            "stride": (strides,) * n if isinstance(strides, numeric_types) else strides,
            "pad": (padding,) * n if isinstance(padding, numeric_types) else padding,
            "global_pool": global_pool,
            "pool_type": pool_type,
            "layout": layout,
            "pooling_convention": "full" if ceil_mode else "valid",
        }
        if count_include_pad is not None:
            self._kwargs["count_include_pad"] = count_include_pad

    def _alias(self) -> str:
        return "pool"

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The pooled input."""
        return F.Pooling(x, name="fwd", **self._kwargs)

    def __repr__(self) -> str:
        return (
            "{}(size={kernel}, stride={stride}, padding={pad}, ceil_mode={}, global_pool={global_pool}, "
            "pool_type={pool_type}, layout={layout})"
        ).format(type(self).__name__, self._kwargs["pooling_convention"] == "full", **self._kwargs)


class MaxPool1D(_Pooling):
    """The largest element of every window of sequences.

    Parameters
    ----------
    pool_size : lengths of the window.
    strides : steps of the window; by default its lengths.
    padding : elements added on both sides of every axis.
    layout : order of the axes.
    ceil_mode : also pool what is left over at the end of an axis.
    """

    def __init__(
        self,
        pool_size: Lengths = 2,
        strides: Lengths | None = None,
        padding: Lengths = 0,
        layout: str = "NCW",
        ceil_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        pool_size = _lengths(pool_size, 1, "pool_size")
        super().__init__(pool_size, strides, padding, ceil_mode, False, "max", layout, **kwargs)


class MaxPool2D(_Pooling):
    """The largest element of every window of images. The parameters are those of `MaxPool1D`."""

    def __init__(
        self,
        pool_size: Lengths = (2, 2),
        strides: Lengths | None = None,
        padding: Lengths = 0,
        layout: str = "NCHW",
        ceil_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        pool_size = _lengths(pool_size, 2, "pool_size")
        super().__init__(pool_size, strides, padding, ceil_mode, False, "max", layout, **kwargs)


class MaxPool3D(_Pooling):
    """The largest element of every window of volumes. The parameters are those of `MaxPool1D`."""

    def __init__(
        self,
        pool_size: Lengths = (2, 2, 2),
        strides: Lengths | None = None,
        padding: Lengths = 0,
        ceil_mode: bool = False,
        layout: str = "NCDHW",
        **kwargs: Any,
    ) -> None:
        pool_size = _lengths(pool_size, 3, "pool_size")
        super().__init__(pool_size, strides, padding, ceil_mode, False, "max", layout, **kwargs)


class AvgPool1D(_Pooling):
    """The mean of every window of sequences.

    Parameters
    ----------
    pool_size : lengths of the window.
    strides : steps of the window; by default its lengths.
    padding : elements added on both sides of every axis.
    layout : order of the axes.
    ceil_mode : also pool what is left over at the end of an axis.
    count_include_pad : count the padding in the mean.
    """

    def __init__(
        self,
        pool_size: Lengths = 2,
        strides: Lengths | None = None,
        padding: Lengths = 0,
        layout: str = "NCW",
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        **kwargs: Any,
    ) -> None:
        pool_size = _lengths(pool_size, 1, "pool_size")
        super().__init__(
            pool_size, strides, padding, ceil_mode, False, "avg", layout, count_include_pad, **kwargs
        )


class AvgPool2D(_Pooling):
    """The mean of every window of images. The parameters are those of `AvgPool1D`."""

    def __init__(
        self,
        pool_size: Lengths = (2, 2),
        strides: Lengths | None = None,
        padding: Lengths = 0,
        ceil_mode: bool = False,
        layout: str = "NCHW",
        count_include_pad: bool = True,
        **kwargs: Any,
    ) -> None:
        pool_size = _lengths(pool_size, 2, "pool_size")
        super().__init__(
            pool_size, strides, padding, ceil_mode, False, "avg", layout, count_include_pad, **kwargs
        )


class AvgPool3D(_Pooling):
    """The mean of every window of volumes. The parameters are those of `AvgPool1D`."""

    def __init__(
        self,
        pool_size: Lengths = (2, 2, 2),
        strides: Lengths | None = None,
        padding: Lengths = 0,
        ceil_mode: bool = False,
        layout: str = "NCDHW",
        count_include_pad: bool = True,
        **kwargs: Any,
    ) -> None:
        pool_size = _lengths(pool_size, 3, "pool_size")
        super().__init__(
            pool_size, strides, padding, ceil_mode, False, "avg", layout, count_include_pad, **kwargs
        )


class GlobalMaxPool1D(_Pooling):
    """The largest element of every channel of sequences.

    Parameters
    ----------
    layout : order of the axes.
    """

    def __init__(self, layout: str = "NCW", **kwargs: Any) -> None:
        super().__init__((1,), None, 0, True, True, "max", layout, **kwargs)


class GlobalMaxPool2D(_Pooling):
    """The largest element of every channel of images."""

    def __init__(self, layout: str = "NCHW", **kwargs: Any) -> None:
        super().__init__((1, 1), None, 0, True, True, "max", layout, **kwargs)


class GlobalMaxPool3D(_Pooling):
    """The largest element of every channel of volumes."""

    def __init__(self, layout: str = "NCDHW", **kwargs: Any) -> None:
        super().__init__((1, 1, 1), None, 0, True, True, "max", layout, **kwargs)


class GlobalAvgPool1D(_Pooling):
    """The mean of every channel of sequences.

    Parameters
    ----------
    layout : order of the axes.
    """

    def __init__(self, layout: str = "NCW", **kwargs: Any) -> None:
        super().__init__((1,), None, 0, True, True, "avg", layout, **kwargs)


class GlobalAvgPool2D(_Pooling):
    """The mean of every channel of images."""

    def __init__(self, layout: str = "NCHW", **kwargs: Any) -> None:
        super().__init__((1, 1), None, 0, True, True, "avg", layout, **kwargs)


class GlobalAvgPool3D(_Pooling):
    """The mean of every channel of volumes."""

    def __init__(self, layout: str = "NCDHW", **kwargs: Any) -> None:
        super().__init__((1, 1, 1), None, 0, True, True, "avg", layout, **kwargs)
