"""Sliding windows: the arithmetic of convolution and pooling, and the shapes of the ONNX operators that use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .dims import Dim, DimLike, Shape
from .errors import ShapeError

if TYPE_CHECKING:
    import numpy as np

    from .builder import Builder, Tensor

__all__ = ["SHAPES", "Window", "pad_spatial", "transposed_sizes", "transposed_window", "window_of"]


@dataclass(frozen=True)
class Window:
    """A window that slides over the spatial axes.

    Attributes
    ----------
    kernel, strides, dilations : one number an axis.
    before, after : elements of padding on either side; only `after` may be symbolic.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: Shape

    @property
    def extent(self) -> tuple[int, ...]:
        """The elements that a window reaches over."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def pads(self) -> list[DimLike]:
        """Padding in the order of ONNX: all beginnings, then all ends."""
        return [*self.before, *self.after]

    def positions(self, sizes: Sequence[DimLike]) -> Shape:
        """The number of windows on axes of the given sizes, rounded down.

        Raises
        ------
        ShapeError : a window is larger than a padded axis.
        """
        result = []
        for n, e, s, a, b in zip(sizes, self.extent, self.strides, self.before, self.after, strict=True):
            room = n + a + b - e
            if isinstance(room, int) and room < 0:
                raise ShapeError(f"a window of {e} elements does not fit into {n} with {a + b} of padding")
            result.append(room // s + 1)
        return tuple(result)

    def spread(self, counts: Sequence[DimLike]) -> Shape:
        """The sizes that transposed windows make of `counts` positions."""
        return tuple(
            (n - 1) * s + e - a - b
            for n, e, s, a, b in zip(counts, self.extent, self.strides, self.before, self.after, strict=True)
        )


def window_of(
    attributes: Mapping[str, Any], sizes: Sequence[DimLike], kernel: Sequence[int] | None = None
) -> Window:
    """The window that the attributes of an ONNX Conv or pooling node describe, on axes of the given sizes.

    ``ceil_mode`` becomes padding behind, so that rounding down gives the right number of windows.

    Raises
    ------
    NeedsStaticShape : the padding depends on symbolic sizes.
    """
    kernel = tuple(attributes.get("kernel_shape") or kernel or ())
    rank = len(kernel)
    strides = tuple(attributes.get("strides") or (1,) * rank)
    dilations = tuple(attributes.get("dilations") or (1,) * rank)
    pads = tuple(attributes.get("pads") or (0,) * (2 * rank))
    window = Window(kernel, strides, dilations, pads[:rank], pads[rank:])
    auto = attributes.get("auto_pad") or "NOTSET"
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        total = [_same_padding(n, e, s) for n, e, s in zip(sizes, window.extent, strides, strict=True)]
        small, large = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
        before, after = (small, large) if auto == "SAME_UPPER" else (large, small)
        return Window(kernel, strides, dilations, before, after)
    if auto == "VALID":
        window = Window(kernel, strides, dilations, (0,) * rank, (0,) * rank)
    if attributes.get("ceil_mode"):
        declared = [0] * rank if auto == "VALID" else list(pads[rank:])
        rounded = tuple(
            b + _ceil_padding(n, e, s, a, b)
            for n, e, s, a, b in zip(sizes, window.extent, strides, window.before, declared, strict=True)
        )
        return Window(kernel, strides, dilations, window.before, rounded)
    return window


def transposed_sizes(attributes: Mapping[str, Any], sizes: Sequence[DimLike], kernel: Sequence[int]) -> Shape:
    """The sizes that an ONNX ConvTranspose makes of `sizes`."""
    if attributes.get("output_shape"):
        return tuple(attributes["output_shape"])
    strides = attributes.get("strides") or [1] * len(kernel)
    if (attributes.get("auto_pad") or "NOTSET") not in ("NOTSET", "VALID"):
        return tuple(n * s for n, s in zip(sizes, strides, strict=True))
    window = window_of({k: v for k, v in attributes.items() if k != "auto_pad"}, sizes, kernel)
    extra = attributes.get("output_padding") or [0] * len(kernel)
    return tuple(n + e for n, e in zip(window.spread(sizes), extra, strict=True))


def transposed_window(
    attributes: Mapping[str, Any], sizes: Sequence[DimLike], kernel: Sequence[int], results: Sequence[DimLike]
) -> Window:
    """The window that leads from the results of an ONNX ConvTranspose (of sizes `results`) back to its data (`sizes`).

    Raises
    ------
    NeedsStaticShape : the padding depends on symbolic sizes.
    """
    auto = attributes.get("auto_pad") or "NOTSET"
    if auto in ("NOTSET", "VALID") and not attributes.get("output_shape"):
        return window_of(
            {k: v for k, v in attributes.items() if k != "auto_pad" or v == "VALID"}, results, kernel
        )
    plain = window_of({k: v for k, v in attributes.items() if k in ("strides", "dilations")}, sizes, kernel)
    extra = attributes.get("output_padding") or [0] * len(plain.kernel)
    total = [int(n + e - m) for n, e, m in zip(plain.spread(sizes), extra, results, strict=True)]
    small, large = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    before, after = (small, large) if auto == "SAME_UPPER" else (large, small)
    return Window(plain.kernel, plain.strides, plain.dilations, before, after)


def _same_padding(n: DimLike, extent: int, stride: int) -> int:
    if stride == 1:
        return max(extent - 1, 0)
    return int(max(((n + (stride - 1)) // stride - 1) * stride + extent - n, 0))


def _ceil_padding(n: DimLike, extent: int, stride: int, before: int, after: int) -> DimLike:
    if stride == 1:
        return 0
    if isinstance(n, Dim) and after + stride <= extent:  # the last window begins before the data's end
        space = n + (before + after - extent)
        return (space + (stride - 1)) // stride * stride - space
    room = int(n + before + after - extent)
    windows = -(-room // stride) + 1
    if (windows - 1) * stride >= n + before:  # no window begins behind the data
        windows -= 1
    return max((windows - 1) * stride - room, 0)


def pad_spatial(g: Builder, x: Tensor, window: Window, value: float | None = None) -> Tensor:
    """`x` with the padding of a window around its spatial axes (from 2 on): zeros, or `value`."""
    if not any(window.pads):
        return x
    sizes = (d + a + b for d, a, b in zip(x.dims[2:], window.before, window.after, strict=True))
    pads = g.shape_tensor([0, 0, *window.before, 0, 0, *window.after])
    return g.with_dims("Pad", (*x.dims[:2], *sizes), x, pads, None if value is None else g.const(value, x.dt))


Outputs = list[tuple["np.dtype[Any]", Sequence[DimLike | str | None]]]


def _conv(inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> Outputs:
    x, w = inputs[0], inputs[1]
    assert x is not None and w is not None
    group = attributes.get("group", 1)
    if w.ndim != x.ndim or w.dims[1] * group != x.dims[1]:
        raise ShapeError(f"ONNX Conv: weight {w.dims} does not fit data {x.dims} in {group} groups")
    window = window_of(attributes, x.dims[2:], [int(k) for k in w.dims[2:]])
    return [(x.dt, (x.dims[0], w.dims[0], *window.positions(x.dims[2:])))]


def _pool(inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> Outputs:
    x = inputs[0]
    assert x is not None
    return [(x.dt, (*x.dims[:2], *window_of(attributes, x.dims[2:]).positions(x.dims[2:])))]


def _max_pool(inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> Outputs:
    import numpy as np

    ((dt, dims),) = _pool(inputs, attributes)
    return [(dt, dims), (np.dtype(np.int64), dims)]


def _conv_transpose(inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> Outputs:
    x, w = inputs[0], inputs[1]
    assert x is not None and w is not None
    sizes = transposed_sizes(attributes, x.dims[2:], [int(k) for k in w.dims[2:]])
    return [(x.dt, (x.dims[0], w.dims[1] * attributes.get("group", 1), *sizes))]


def _global_pool(inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> Outputs:
    x = inputs[0]
    assert x is not None
    return [(x.dt, (*x.dims[:2], *[1] * (x.ndim - 2)))]


#: Inference of ONNX operators that slide windows, for `graph.onnx_infer`.
SHAPES: dict[str, Callable[[Sequence[Tensor | None], Mapping[str, Any]], Outputs]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _max_pool,
    "AveragePool": _pool,
    "LpPool": _pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "GlobalLpPool": _global_pool,
}
