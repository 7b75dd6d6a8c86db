"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike, prod
from ..errors import ShapeError
from ..shapes import TypeContext
from ._axes import axes_of, axis_of
from ._numeric import Array, is_integer
from .registry import Operator, operator
from .schema import Ints

__all__: list[str] = []

_Axis = Ints | None
_OutType = Literal["float16", "float32", "float64", "int32", "int64", "int8"]


def reduced_axes(ndim: int, axis: _Axis, exclude: bool) -> list[int]:
    """The axes that a reduction goes over: all of them where none is named."""
    if not axis:
        return list(range(ndim))
    axes = axes_of(axis, ndim)
    return [i for i in range(ndim) if (i in axes) != exclude]


def with_axis(g: Builder, x: Tensor) -> Tensor:
    """MXNet has no arrays without axes: a total has one, of length 1."""
    return x if x.ndim else g.reshape(x, (1,))


def _reduce(g: Builder, kind: str, x: Tensor, axes: list[int], keepdims: bool) -> Tensor:
    """A reduction, for all element types; small integers wrap around as in MXNet."""
    if not axes:
        return g.op("Identity", x)
    narrow = is_integer(x.dt) and x.dt.itemsize < 4
    wide = g.cast(x, np.int32) if narrow and kind not in ("Max", "Min") else x
    return with_axis(g, g.cast(g.reduce(kind, wide, axes, keepdims), x.dt))


def _any_nan(g: Builder, x: Tensor, axes: list[int], keepdims: bool) -> Tensor:
    return g.op(
        "Greater", g.reduce("Max", g.cast(g.op("IsNaN", x), np.uint8), axes, keepdims), g.const(0, np.uint8)
    )


def _extremum(kind: str) -> Callable[[Builder, Tensor, list[int], bool], Tensor]:
    """Maximum or minimum. NaN among the elements gives NaN, which ONNX Runtime promises for some layouts only."""

    def compute(g: Builder, x: Tensor, axes: list[int], keepdims: bool) -> Tensor:
        if 0 in x.dims:
            raise ShapeError(f"argument 'data': expected elements, got shape {x.dims}")
        y = _reduce(g, kind, x, axes, keepdims)
        if is_integer(x.dt) or not axes:
            return y
        nan = g.reshape(_any_nan(g, x, axes, keepdims), y.dims)
        return g.op("Where", nan, g.const(np.nan, x.dt), y)

    return compute


def _mean(g: Builder, x: Tensor, axes: list[int], keepdims: bool) -> Tensor:
    if not is_integer(x.dt):
        return _reduce(g, "Mean", x, axes, keepdims)
    count: DimLike = prod(x.dims[a] for a in axes)
    return _reduce(g, "Sum", x, axes, keepdims) / g.cast(g.squeeze(g.dim(count), 0), x.dt)


def _without_nan(value: float) -> Callable[[Builder, Tensor], Tensor]:
    def replaced(g: Builder, x: Tensor) -> Tensor:
        return x if is_integer(x.dt) else g.op("Where", g.op("IsNaN", x), g.const(value, x.dt), x)

    return replaced


def _reduction(
    name: str,
    says: str,
    *aliases: str,
    compute: Callable[[Builder, Tensor, list[int], bool], Tensor],
    kernel: Callable[..., Array] | None = None,
) -> Operator:
    """Register an operator ``name(data, axis, keepdims, exclude)``."""

    def lower(
        g: Builder, data: Tensor, *, axis: _Axis = None, keepdims: bool = False, exclude: bool = False
    ) -> Tensor:
        return compute(g, data, reduced_axes(data.ndim, axis, exclude), keepdims)

    lower.__doc__ = (
        f"{name}(data, axis=None, keepdims=False, exclude=False)\n\n{says} over the axes named, over all axes where "
        "none is, or with `exclude` over all others. Without `keepdims` the axes vanish; a total has shape (1,)."
    )
    op = operator(name, *aliases)(lower)
    if kernel is not None:

        def run(data: Array, axis: _Axis, keepdims: bool, exclude: bool) -> Array | None:
            axes = reduced_axes(data.ndim, axis, exclude)
            if not axes or not data.size or data.dtype == np.bool_:
                return None
            return np.atleast_1d(kernel(data, axis=tuple(axes), keepdims=keepdims))

        op.numpy(run)
    return op


_reduction("sum", "The sum", "sum_axis", "_sparse_sum", compute=lambda g, x, a, k: _reduce(g, "Sum", x, a, k))
_reduction("mean", "The mean (of integers: cut off towards zero)", "_sparse_mean", compute=_mean)
_reduction("prod", "The product", compute=lambda g, x, a, k: _reduce(g, "Prod", x, a, k))
_reduction(
    "nansum",
    "The sum of all that is not NaN",
    compute=lambda g, x, a, k: _reduce(g, "Sum", _without_nan(0)(g, x), a, k),
)
_reduction(
    "nanprod",
    "The product of all that is not NaN",
    compute=lambda g, x, a, k: _reduce(g, "Prod", _without_nan(1)(g, x), a, k),
)
_reduction("max", "The maximum", "max_axis", compute=_extremum("Max"), kernel=np.max)
_reduction("min", "The minimum", "min_axis", compute=_extremum("Min"), kernel=np.min)


@operator("_square_sum")
def square_sum(
    g: Builder, data: Tensor, *, axis: _Axis = None, keepdims: bool = False, exclude: bool = False
) -> Tensor:
    """_square_sum(data, axis=None, keepdims=False, exclude=False)

    The sum of squares over the axes named.
    """
    return _reduce(g, "Sum", data * data, reduced_axes(data.ndim, axis, exclude), keepdims)


@operator("norm", "_sparse_norm")
def norm(
    g: Builder,
    data: Tensor,
    *,
    ord: Literal[1, 2] = 2,
    axis: _Axis = None,
    out_dtype: _OutType | None = None,
    keepdims: bool = False,
) -> Tensor:
    """norm(data, ord=2, axis=None, out_dtype=None, keepdims=False)

    The sum of absolute values (`ord` 1) or the square root of the sum of squares (`ord` 2) over the axes named, or
    over all.
    """
    x = data if out_dtype is None else g.cast(data, out_dtype)
    axes = reduced_axes(x.ndim, axis, False)
    if ord == 1:
        return _reduce(g, "Sum", g.op("Abs", x), axes, keepdims)
    if is_integer(x.dt):
        return g.cast(_reduce(g, "L2", g.cast(x, np.float64), axes, keepdims), x.dt)
    return _reduce(g, "L2", x, axes, keepdims)


@norm.infer_type
def _(t: TypeContext, a: Any) -> None:
    if a.out_dtype is None:
        t.unify_all()
    else:
        t.set(0, a.out_dtype)


@operator("moments", outputs=2)
def moments(g: Builder, data: Tensor, *, axes: _Axis = None, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    """moments(data, axes=None, keepdims=False)

    Mean and variance (of the whole population) over `axes`, which must be named.
    """
    if not axes:
        raise ShapeError(
            "parameter 'axes': expected axes; name all of them for the moments of the whole array"
        )
    x = g.cast(data, np.float32) if is_integer(data.dt) else data
    over = axes_of(axes, x.ndim, "axes")
    mean = g.reduce("Mean", x, over, keepdims=True)
    centred = x - mean
    var = _reduce(g, "Mean", centred * centred, over, keepdims)
    return g.cast(g.reshape(mean, var.dims), data.dt), g.cast(var, data.dt)


@operator("multi_sum_sq", differentiable=False)
def multi_sum_sq(g: Builder, *data: Tensor, num_arrays: int) -> Tensor:
    """multi_sum_sq(*data, num_arrays)

    The sum of squares of each array, as one float32 array of shape (num_arrays,).
    """
    if len(data) != num_arrays:
        raise ShapeError(
            f"parameter 'num_arrays': expected the number of arrays, {len(data)}, got {num_arrays}"
        )
    sums = []
    for x in data:
        wide = g.cast(x, np.float32)
        sums.append(g.reshape(g.reduce("SumSquare", wide, range(x.ndim)), (1,)))
    return g.op("Concat", *sums, axis=0)


@multi_sum_sq.infer_type
def _(t: TypeContext, a: Any) -> None:
    t.set(0, np.float32)


@operator("cumsum")
def cumsum(g: Builder, a: Tensor, *, axis: int | None = None, dtype: _OutType | None = None) -> Tensor:
    """cumsum(a, axis=None, dtype=None)

    Sums of all elements up to each, along `axis` or over the flattened array. Booleans become int64.
    """
    kind = np.dtype(dtype) if dtype is not None else np.dtype(np.int64) if a.dt == np.bool_ else a.dt
    x = g.reshape(a, (prod(a.dims),)) if axis is None else a
    place = 0 if axis is None else axis_of(axis, a.ndim)
    wide = np.dtype(np.int32) if is_integer(kind) and kind.itemsize < 4 else kind
    return g.cast(g.op("CumSum", g.cast(x, wide), g.const(place, np.int64)), kind)


@cumsum.infer_type
def _(t: TypeContext, a: Any) -> None:
    source = t["a"]
    if a.dtype is not None:
        t.set(0, a.dtype)
    elif source is not None:
        t.set(0, np.int64 if source == np.bool_ else source)


# -- positions of extrema ---------------------------------------------------------------------------------------
def _place(g: Builder, op_type: str, x: Tensor, axis: int, keepdims: bool) -> Tensor:
    """The first position of the extremum or, as in NumPy, of NaN."""
    x = g.cast(x, np.uint8) if x.dt == np.bool_ else x
    place = g.op(op_type, x, axis=axis, keepdims=int(keepdims))
    if is_integer(x.dt):
        return place
    first = g.op("ArgMax", g.cast(g.op("IsNaN", x), np.uint8), axis=axis, keepdims=int(keepdims))
    return g.op("Where", _any_nan(g, x, [axis], keepdims), first, place)


def _arg(name: str, says: str, extremum: Callable[..., Array], op_type: str) -> None:
    """Register an operator ``name(data, axis, keepdims)`` that finds positions."""

    def lower(g: Builder, data: Tensor, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
        if axis is None:
            place = _place(g, op_type, g.reshape(data, (prod(data.dims),)), 0, True)
            return g.cast(g.reshape(place, (1,) * data.ndim) if keepdims else place, data.dt)
        return g.cast(with_axis(g, _place(g, op_type, data, axis_of(axis, data.ndim), keepdims)), data.dt)

    def run(data: Array, axis: int | None, keepdims: bool) -> Array | None:
        if (
            not data.size
            or data.dtype == np.bool_
            or (axis is not None and not -data.ndim <= axis < data.ndim)
        ):
            return None
        found = extremum(data, axis=axis, keepdims=keepdims)
        return np.atleast_1d(found).astype(data.dtype)

    lower.__doc__ = (
        f"{name}(data, axis=None, keepdims=False)\n\nThe position of the {says} along `axis`, of the first where there "
        "are several; without an axis that in the flattened array. Positions have the element type of `data`."
    )
    operator(name, differentiable=False)(lower).numpy(run)


_arg("argmax", "maximum", np.argmax, "ArgMax")
_arg("argmin", "minimum", np.argmin, "ArgMin")


@operator("argmax_channel", differentiable=False)
def argmax_channel(g: Builder, data: Tensor) -> Tensor:
    """argmax_channel(data)

    The position of the maximum along axis 1, of the first where there are several.
    """
    if data.ndim < 2:
        raise ShapeError(f"argument 'data': expected two axes or more, got shape {data.dims}")
    return g.cast(_place(g, "ArgMax", data, 1, False), data.dt)
