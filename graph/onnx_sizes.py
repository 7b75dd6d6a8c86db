"""Values of imported graphs that are known before they run: settings, and sizes made of symbolic dimensions.

Exporters compute shapes in the graph: ``Reshape(x, Concat(Gather(Shape(x), 0), [-1]))``. Such arithmetic is done here
at compile time, on arrays of objects whose elements are integers or symbolic dimensions, so that the shape of the
result is known and gradients can be derived.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .builder import Opaque, Tensor
from .dims import Dim, DimLike, prod
from .errors import GraphError, NeedsStaticShape
from .onnx_infer import TypeAndShape, broadcast

__all__ = ["computed", "shaped", "sizes_of"]

Array = np.ndarray[Any, Any]
Attributes = Mapping[str, Any]

_SMALL = 1024  # elements of values that are computed here


def sizes_of(x: Tensor | None) -> list[DimLike] | None:
    """The elements of a vector of integers; None where they are not known."""
    array = None if x is None else _known(x)
    if array is None or array.ndim > 1 or (array.dtype != object and array.dtype.kind not in "iu"):
        return None
    return [d if isinstance(d, Dim) else int(d) for d in array.reshape(-1)]


def _known(x: Tensor) -> Array | None:
    if x.const is not None and x.dt.kind == "f" and x.builder.is_named(x):
        return None  # a weight
    return x.const if x.const is not None else x.sizes


def computed(op_type: str, inputs: Sequence[Tensor | None], attributes: Attributes, to: Any) -> Array | None:
    """The value of a node's only output; an array of objects where symbolic dimensions are in it.

    Parameters
    ----------
    to : the element type of the output.

    Returns
    -------
    The value, or None where it is not known.
    """
    if op_type in ("Shape", "Size"):
        return _measured(op_type, inputs[0], attributes)
    rule = _RULES.get(op_type)
    if rule is None:
        return None
    values: list[Any] = []
    for x in inputs:
        value = None if x is None else _known(x)
        if x is not None and (value is None or value.size > _SMALL or value.dtype.kind not in "biufO"):
            return None
        values.append(value)
    symbolic = any(v is not None and v.dtype == object for v in values)
    try:
        with np.errstate(all="raise"):
            result = np.asarray(rule(attributes, to, *values))
            if symbolic and np.dtype(to).kind in "iu" and any(isinstance(d, Dim) for d in result.reshape(-1)):
                return result if result.size <= _SMALL else None
            return result.astype(to) if result.size <= _SMALL else None
    except (GraphError, ArithmeticError, ValueError, IndexError, TypeError):
        return None  # undecided, or not valid: then ONNX Runtime says so


def _measured(op_type: str, x: Tensor | None, a: Attributes) -> Array | None:
    if x is None or isinstance(x, Opaque):
        return None
    dims = list(x.dims)
    values: Any = prod(dims) if op_type == "Size" else dims[a.get("start", 0) : a.get("end", len(dims))]
    if op_type == "Shape" and not values:
        return np.zeros(0, np.int64)
    array = np.array(values, object)
    return array if any(isinstance(d, Dim) for d in array.reshape(-1)) else array.astype(np.int64)


def _axes(value: Array | None, rank: int) -> tuple[int, ...]:
    return tuple(range(rank)) if value is None else tuple(int(v) % rank for v in value.reshape(-1))


def _divide(a: Attributes, to: Any, x: Array, y: Array) -> Any:
    if x.dtype == object or y.dtype == object:
        return x // y  # sizes are not negative
    if np.dtype(to).kind == "f":
        return x / y
    return np.sign(x) * np.sign(y) * (np.abs(x) // np.abs(y))  # integers round towards zero


def _modulo(a: Attributes, to: Any, x: Array, y: Array) -> Any:
    if a.get("fmod", 0) or np.dtype(to).kind == "f":
        return np.fmod(x, y)
    return x % y


def _cast(a: Attributes, to: Any, x: Array) -> Any:
    if x.dtype == object or x.dtype.kind != "f" or np.dtype(to).kind not in "iu":
        return x
    if not np.isfinite(x).all() or (np.abs(x) > 2**31).any():
        raise ValueError("out of range")
    return np.trunc(x)


def _equal(a: Attributes, to: Any, x: Array, y: Array) -> Any:
    def same(p: Any, q: Any) -> bool:
        if isinstance(p, Dim) or isinstance(q, Dim):
            if type(p) is type(q) and p == q:
                return True
            return bool(p >= q and p <= q) if isinstance(p, Dim) else bool(q >= p and q <= p)
        return bool(p == q)

    return np.frompyfunc(same, 2, 1)(x, y)


def _slice(
    a: Attributes, to: Any, x: Array, starts: Array, ends: Array, axes: Any = None, steps: Any = None
) -> Any:
    where = range(len(starts)) if axes is None else [int(v) for v in axes]
    steps = [1] * len(starts) if steps is None else [int(v) for v in steps]
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(where, starts, ends, steps, strict=True):
        if step < 0:
            raise ValueError("from the end")
        index[axis] = slice(int(start), int(end), step)
    return x[tuple(index)]


def _reshape(a: Attributes, to: Any, x: Array, shape: Array) -> Any:
    dims = [int(x.shape[i]) if d == 0 and not a.get("allowzero", 0) else int(d) for i, d in enumerate(shape)]
    return x.reshape(dims)


def _range(a: Attributes, to: Any, start: Array, limit: Array, delta: Array) -> Any:
    low, high, step = int(start), int(limit), int(delta)
    if len(range(low, high, step)) > _SMALL:
        raise ValueError("long")
    return np.arange(low, high, step)


def _filled(a: Attributes, to: Any, shape: Array) -> Any:
    dims = [int(d) for d in shape]
    if prod(dims) > _SMALL:
        raise ValueError("large")
    return np.full(dims, a["value"].numpy().item() if "value" in a else 0, to)


def _expanded(a: Attributes, to: Any, x: Array, shape: Array) -> Any:
    dims = np.broadcast_shapes(x.shape, tuple(int(d) for d in shape))
    if prod(dims) > _SMALL:
        raise ValueError("large")
    return np.broadcast_to(x, dims)


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def rule(a: Attributes, to: Any, *xs: Array) -> Any:
        result = xs[0]
        for x in xs[1:]:
            result = np.frompyfunc(function, 2, 1)(result, x)
        return result

    return rule


def _reduced(function: Callable[..., Any]) -> Callable[..., Any]:
    def rule(a: Attributes, to: Any, x: Array, axes: Array | None = None) -> Any:
        if axes is not None and not axes.size and a.get("noop_with_empty_axes", 0):
            return x
        if axes is not None and not axes.size:
            axes = None
        return function(x, axis=_axes(axes, x.ndim), keepdims=bool(a.get("keepdims", 1)))

    return rule


_RULES: dict[str, Callable[..., Any]] = {
    "Add": lambda a, to, x, y: x + y,
    "Sub": lambda a, to, x, y: x - y,
    "Mul": lambda a, to, x, y: x * y,
    "Div": _divide,
    "Mod": _modulo,
    "Neg": lambda a, to, x: -x,
    "Abs": lambda a, to, x: np.abs(x),
    "Sqrt": lambda a, to, x: np.sqrt(x),
    "Cast": _cast,
    "Floor": lambda a, to, x: np.floor(x),
    "Ceil": lambda a, to, x: np.ceil(x),
    "Identity": lambda a, to, x: x,
    "Concat": lambda a, to, *xs: np.concatenate(xs, axis=int(a["axis"])),
    "Gather": lambda a, to, x, i: np.take(x, i.astype(np.int64), axis=int(a.get("axis", 0))),
    "Squeeze": lambda a, to, x, axes=None: np.squeeze(x, None if axes is None else _axes(axes, x.ndim)),
    "Unsqueeze": lambda a, to, x, axes: np.expand_dims(x, tuple(int(v) for v in axes)),
    "Slice": _slice,
    "Transpose": lambda a, to, x: np.transpose(x, a.get("perm")),
    "Reshape": _reshape,
    "Range": _range,
    "ConstantOfShape": _filled,
    "Expand": _expanded,
    "Equal": _equal,
    "Less": lambda a, to, x, y: x < y,
    "LessOrEqual": lambda a, to, x, y: x <= y,
    "Greater": lambda a, to, x, y: x > y,
    "GreaterOrEqual": lambda a, to, x, y: x >= y,
    "Not": lambda a, to, x: np.logical_not(x),
    "And": lambda a, to, x, y: np.logical_and(x, y),
    "Or": lambda a, to, x, y: np.logical_or(x, y),
    "Where": lambda a, to, c, x, y: np.where(c.astype(bool), x, y),
    "Max": _extreme(lambda x, y: x if x >= y else y),
    "Min": _extreme(lambda x, y: x if x <= y else y),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
}


# -- shapes that follow from values ------------------------------------------------------------------------------


def shaped(op_type: str, inputs: Sequence[Tensor | None], attributes: Attributes) -> TypeAndShape | None:
    """Type and shape of the output of an operator whose shape follows from values; None where they are unknown."""
    rule = _SHAPES.get(op_type)
    return None if rule is None else rule(attributes, *inputs)


def _count(x: Tensor) -> int | None:
    """The length of a vector."""
    if isinstance(x, Opaque) or x.ndim != 1 or not isinstance(x.dims[0], int):
        return None
    return x.dims[0]


def _reshaped(a: Attributes, x: Tensor, shape: Tensor) -> TypeAndShape | None:
    target = sizes_of(shape)
    if target is None:
        n = _count(shape)
        return None if n is None else (x.dt, [None] * n)
    dims: list[DimLike | None] = list(target)
    source = None if isinstance(x, Opaque) else x.dims
    if not a.get("allowzero", 0):
        for i, d in enumerate(target):
            if isinstance(d, int) and d == 0:
                dims[i] = None if source is None or i >= len(source) else source[i]
    if any(isinstance(d, int) and d == -1 for d in target):
        place = next(i for i, d in enumerate(target) if isinstance(d, int) and d == -1)
        rest = [d for i, d in enumerate(dims) if i != place]
        dims[place] = None
        if source is not None and None not in rest:
            known = prod([d for d in rest if d is not None])
            whole = prod(source)
            if known != 0:
                dims[place] = whole // known
    return x.dt, dims


def _broadcast_shape(a: Attributes, x: Tensor, shape: Tensor) -> TypeAndShape | None:
    target, n = sizes_of(shape), _count(shape)
    if isinstance(x, Opaque) or (target is None and n is None):
        return None
    if target is not None:
        try:
            return x.dt, list(broadcast(x.dims, tuple(target)))
        except NeedsStaticShape:
            n = len(target)
    return x.dt, [None] * max(x.ndim, n or 0)


def _filled_shape(a: Attributes, shape: Tensor) -> TypeAndShape | None:
    value = a.get("value")
    dt = np.dtype(np.float32) if value is None else np.dtype(value.dtype.numpy())
    target, n = sizes_of(shape), _count(shape)
    if target is not None:
        return dt, target
    return None if n is None else (dt, [None] * n)


def _range_shape(a: Attributes, start: Tensor, limit: Tensor, delta: Tensor) -> TypeAndShape | None:
    low, high, step = (sizes_of(x) for x in (start, limit, delta))
    if low == [0] and step == [1] and high is not None and len(high) == 1:
        return start.dt, [high[0] if isinstance(high[0], Dim) else max(high[0], 0)]
    return None


def _slice_shape(
    a: Attributes,
    x: Tensor,
    starts: Tensor,
    ends: Tensor,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> TypeAndShape | None:
    """Where bounds or sizes are symbolic, and begin at a place known from the front."""
    low, high = sizes_of(starts), sizes_of(ends)
    if isinstance(x, Opaque):
        return None
    where = list(range(len(low or []))) if axes is None else sizes_of(axes)
    if low is None or high is None or where is None or (steps is not None and sizes_of(steps) is None):
        return x.dt, [None] * x.ndim
    dims: list[DimLike | None] = list(x.dims)
    by = [1] * len(low) if steps is None else [int(s) for s in sizes_of(steps) or []]
    for axis, b, e, s in zip(where, low, high, by, strict=True):
        dims[int(axis)] = _cut(x.dims[int(axis)], b, e, s)
    return x.dt, dims


def _cut(d: DimLike, b: DimLike, e: DimLike, step: int) -> DimLike | None:
    if all(isinstance(v, int) for v in (d, b, e)):
        return len(range(*slice(int(b), int(e), step).indices(int(d))))
    if step < 1:
        return None
    try:
        if isinstance(e, int) and e > 2**31 - 2:
            e = d
        b, e = (d + v if isinstance(v, int) and v < 0 else v for v in (b, e))
        if not (b >= 0 and b <= d and e <= d and e >= b):
            return None
    except NeedsStaticShape:
        return None
    return (e - b + (step - 1)) // step


def _resized(
    a: Attributes,
    x: Tensor,
    roi: Tensor | None = None,
    scales: Tensor | None = None,
    sizes: Tensor | None = None,
) -> TypeAndShape | None:
    """Symbolic sizes by known factors; everything else is inferred by ONNX."""
    factors = None if scales is None else scales.const
    symbolic = not isinstance(x, Opaque) and any(isinstance(d, Dim) for d in x.dims)
    cropped = a.get("coordinate_transformation_mode") == "tf_crop_and_resize"
    if factors is None or not symbolic or cropped or factors.shape != (x.ndim,):
        return None
    dims: list[DimLike | None] = []
    for d, factor in zip(x.dims, factors.astype(np.float32), strict=True):
        p, q = float(factor).as_integer_ratio()
        if isinstance(d, int):
            dims.append(int(np.float32(d) * factor))  # as ONNX Runtime does, in single precision
        else:
            dims.append((d * p) // q if q == 1 or (p == 1 and q < 64) else None)
    return x.dt, dims


_SHAPES: dict[str, Callable[..., TypeAndShape | None]] = {
    "Reshape": _reshaped,
    "Expand": _broadcast_shape,
    "ConstantOfShape": _filled_shape,
    "Range": _range_shape,
    "Slice": _slice_shape,
    "Resize": _resized,
}
