"""Detours around kernels that ONNX Runtime's CPU provider lacks.

ONNX defines its operators for double precision, ONNX Runtime implements some of them for single precision only.
Where a program has such a node it is written out in operators that exist, without loss of precision. (Half
precision needs nothing: ONNX Runtime converts by itself.) What is listed here was found by making a session of
every operator; tests/graph/passes/test_kernels.py does so again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, TypeVar

import numpy as np
import onnx_ir as ir

from ..builder import Builder, Tensor
from ..dims import DimLike, prod
from ..program import Program, open_inputs, reseal
from ..resizing import block_factors, multiply_axis, resize_matrices
from ..windows import Window, pad_spatial, transposed_sizes, transposed_window, window_of

__all__ = ["ABSENT", "DETOURS", "with_kernels"]

Attributes = Mapping[str, Any]
Detour = Callable[..., Tensor | tuple[Tensor, ...]]
AnyDetour = TypeVar("AnyDetour", bound=Detour)

#: How to write out an operator on float64 operands (those of `ABSENT`: on any): ``detour(g, attributes, *inputs)``.
DETOURS: dict[str, Detour] = {}


def detour(*op_types: str) -> Callable[[AnyDetour], AnyDetour]:
    """Register the decorated function for ONNX operators."""

    def register(function: AnyDetour) -> AnyDetour:
        DETOURS.update(dict.fromkeys(op_types, function))
        return function

    return register


#: Operators that have no kernel for any type.
ABSENT = frozenset(["GlobalLpPool", "Swish"])


def needs_detour(node: ir.Node) -> bool:
    """Whether the CPU provider has no kernel for a node."""
    if node.domain or node.op_type not in DETOURS:
        return False
    if node.op_type in ABSENT:
        return True
    operands = [v for v in node.inputs if isinstance(v, Tensor) and v.dt.kind == "f"]
    return bool(operands) and operands[0].dt == np.float64


def with_kernels(program: Program) -> Program:
    """`program`, or where it has nodes without a kernel the same computation without them."""
    if not any(map(needs_detour, program.nodes)):
        return program
    g = Builder()
    values = open_inputs(g, program)
    for node in program.nodes:
        if not needs_detour(node):
            g.replay([node], values)
            continue
        inputs = [None if v is None else g._copied(v, values) for v in node.inputs]
        with g.scope(**{"node": "", **node.metadata_props}):
            result = DETOURS[node.op_type](g, {k: a.value for k, a in node.attributes.items()}, *inputs)
        outputs = result if isinstance(result, tuple) else (result,)
        values.update(zip(node.outputs, outputs, strict=False))
    return reseal(g, program, values)


# -- elementwise ---------------------------------------------------------------------------------------------


def _where(g: Builder, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return g.op("Where", condition, x, y)


def _negative(g: Builder, x: Tensor) -> Tensor:
    return g.op("Less", x, 0.0)


@detour("LeakyRelu")
def _leaky_relu(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    return _where(g, _negative(g, x), x * float(a.get("alpha", 0.01)), x)


@detour("PRelu")
def _prelu(g: Builder, a: Attributes, x: Tensor, slope: Tensor) -> Tensor:
    return _where(g, _negative(g, x), x * slope, x)


@detour("Elu")
def _elu(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    return _where(g, _negative(g, x), (g.op("Exp", x) - 1.0) * float(a.get("alpha", 1.0)), x)


@detour("Selu")
def _selu(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    alpha, gamma = (
        float(a.get("alpha", 1.67326319217681884765625)),
        float(a.get("gamma", 1.05070102214813232421875)),
    )
    return _where(g, _negative(g, x), (g.op("Exp", x) - 1.0) * alpha, x) * gamma


@detour("ThresholdedRelu")
def _thresholded_relu(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    return _where(g, g.op("Greater", x, float(a.get("alpha", 1.0))), x, g.const(0, x.dt))


@detour("HardSigmoid")
def _hard_sigmoid(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    y = x * float(a.get("alpha", 0.2)) + float(a.get("beta", 0.5))
    return g.op("Clip", y, g.const(0, x.dt), g.const(1, x.dt))


@detour("HardSwish")
def _hard_swish(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    return x * g.op("Clip", x / 6.0 + 0.5, g.const(0, x.dt), g.const(1, x.dt))


@detour("Swish")
def _swish(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    return x * g.op("Sigmoid", x * float(a.get("alpha", 1.0)))


@detour("Softplus")
def _softplus(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    """log(1 + exp(x)) without overflow."""
    return g.op("Max", x, 0.0) + g.op("Log", g.op("Exp", -g.op("Abs", x)) + 1.0)


@detour("Softsign")
def _softsign(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    return x / (g.op("Abs", x) + 1.0)


@detour("Mish")
def _mish(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    return x * g.op("Tanh", _softplus(g, a, x))


# W. J. Cody's rational approximations ("Rational Chebyshev approximation for the error function", 1969): numerators
# and denominators, highest power first, for abs(x) up to 15/32 in powers of x * x, and beyond in powers of abs(x).
_ERF_SMALL = (
    (
        1.85777706184603153e-1,
        3.16112374387056560,
        1.13864154151050156e2,
        3.77485237685302021e2,
        3.20937758913846947e3,
    ),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
_ERF_LARGE = (
    (
        2.15311535474403846e-8,
        5.64188496988670089e-1,
        8.88314979438837594,
        6.61191906371416295e1,
        2.98635138197400131e2,
        8.81952221241769090e2,
        1.71204761263407058e3,
        2.05107837782607147e3,
        1.23033935479799725e3,
    ),
    (
        1.0,
        1.57449261107098347e1,
        1.17693950891312499e2,
        5.37181101862009858e2,
        1.62138957456669019e3,
        3.29079923573345963e3,
        4.36261909014324716e3,
        3.43936767414372164e3,
        1.23033935480374942e3,
    ),
)


def _polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    result = x * coefficients[0] + coefficients[1]
    for c in coefficients[2:]:
        result = result * x + c
    return result


@detour("Erf")
def _erf(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    size = g.op("Min", g.op("Abs", x), g.const(6.0, x.dt))  # erf(6) rounds to 1
    square = size * size
    small = x * _polynomial(square, _ERF_SMALL[0]) / _polynomial(square, _ERF_SMALL[1])
    large = g.op("Exp", -square) * _polynomial(size, _ERF_LARGE[0]) / _polynomial(size, _ERF_LARGE[1])
    result = _where(g, g.op("Less", size, 0.46875), small, g.op("Sign", x) * (1.0 - large))
    return _where(g, g.op("IsNaN", x), x, result)


@detour("Gelu")
def _gelu(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    if a.get("approximate", "none") == "tanh":
        return x * 0.5 * (g.op("Tanh", (x + x * x * x * 0.044715) * math.sqrt(2.0 / math.pi)) + 1.0)
    return x * 0.5 * (_erf(g, {}, x * math.sqrt(0.5)) + 1.0)


# -- windows -------------------------------------------------------------------------------------------------


def _places(g: Builder, x: Tensor, window: Window, counts: Sequence[DimLike]) -> list[Tensor]:
    """For each place of the kernel, the elements of the padded `x` that windows have there."""
    axes = list(range(2, x.ndim))
    result = []
    for place in product(*(range(k) for k in window.kernel)):
        begin = [p * d for p, d in zip(place, window.dilations, strict=True)]
        end = [b + (m - 1) * s + 1 for b, m, s in zip(begin, counts, window.strides, strict=True)]
        result.append(g.slice(x, axes, begin, end, list(window.strides)))
    return result


@detour("Conv")
def _conv(g: Builder, a: Attributes, x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    """A product of matrices in every group: filters, and the elements under the kernel by position."""
    window = window_of(a, x.dims[2:], [int(k) for k in w.dims[2:]])
    group, counts = int(a.get("group", 1)), window.positions(x.dims[2:])
    n, c, o, positions = x.dims[0], x.dims[1], w.dims[0], prod(counts)
    parts = [
        g.reshape(v, (n, group, c // group, 1, positions))
        for v in _places(g, pad_spatial(g, x, window), window, counts)
    ]
    stacked = g.op("Concat", *parts, axis=3) if len(parts) > 1 else parts[0]
    rows = c // group * len(parts)
    y = g.op(
        "MatMul", g.reshape(w, (group, o // group, rows)), g.reshape(stacked, (n, group, rows, positions))
    )
    y = g.reshape(y, (n, o, *counts))
    return y if bias is None else y + g.reshape(bias, (o, *(1,) * len(counts)))


@detour("ConvTranspose")
def _conv_transpose(g: Builder, a: Attributes, x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    """A convolution with the kernel turned round, over the data with zeros between its elements."""
    kernel = [int(k) for k in w.dims[2:]]
    rank, group = len(kernel), int(a.get("group", 1))
    sizes = transposed_sizes(a, x.dims[2:], kernel)
    window = transposed_window(a, x.dims[2:], kernel, sizes)
    for axis, s in enumerate(window.strides, 2):
        if s > 1:
            d = x.dims[axis]
            wide = g.reshape(x, (*x.dims[: axis + 1], 1, *x.dims[axis + 1 :]))
            pads = [0] * (2 * wide.ndim)
            pads[wide.ndim + axis + 1] = s - 1
            wide = g.op("Pad", wide, g.ints(*pads))
            x = g.reshape(wide, (*x.dims[:axis], d * s, *x.dims[axis + 1 :]))
            x = g.slice(x, [axis], [0], [(d - 1) * s + 1])
    c, per_group = w.dims[0], w.dims[1]
    w = g.reshape(w, (group, c // group, per_group, *kernel))
    w = g.transpose(w, [0, 2, 1, *range(3, 3 + rank)])
    w = g.reshape(w, (group * per_group, c // group, *kernel))
    low = int(np.iinfo(np.int64).min)
    w = g.op(
        "Slice",
        w,
        g.ints(*[-1] * rank),
        g.ints(*[low] * rank),
        g.ints(*range(2, 2 + rank)),
        g.ints(*[-1] * rank),
    )
    before = [e - 1 - p for e, p in zip(window.extent, window.before, strict=True)]
    # As many elements behind as the result needs; where that is fewer than there are, they are cut off.
    length = [n + e - 1 for n, e in zip(sizes, window.extent, strict=True)]
    starts = [max(-b, 0) for b in before]
    room = tuple(max(b, 0) for b in before)
    behind = tuple(
        e - 1 + s + d for e, s, d in zip(window.extent, window.strides, window.dilations, strict=True)
    )
    none = (1,) * rank
    x = pad_spatial(g, x, Window(none, none, none, room, behind))
    x = g.slice(x, range(2, rank + 2), starts, [s + m for s, m in zip(starts, length, strict=True)])
    return _conv(g, {"dilations": list(window.dilations), "group": group}, x, w, bias)


def _window_sum(g: Builder, x: Tensor, window: Window) -> Tensor:
    counts = window.positions(x.dims[2:])
    total, *rest = _places(g, pad_spatial(g, x, window), window, counts)
    for part in rest:
        total = total + part
    return total


@detour("AveragePool")
def _average_pool(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    window = window_of(a, x.dims[2:])
    total = _window_sum(g, x, window)
    if not any(window.pads):
        return total * (1.0 / math.prod(window.kernel))
    ones = g.fill((1, 1, *x.dims[2:]), 1, x.dt)
    if a.get("count_include_pad", 0):  # but not what rounding up adds behind
        rank = len(window.kernel)
        declared = tuple((a.get("pads") or window.pads)[rank:])
        inner = Window(window.kernel, window.strides, window.dilations, window.before, declared)
        ones = pad_spatial(g, ones, inner, 1.0)
        rest = tuple(p - d for p, d in zip(window.after, declared, strict=True))
        window = Window(window.kernel, window.strides, window.dilations, (0,) * rank, rest)
    return total / _window_sum(g, ones, window)


@detour("LpPool")
def _lp_pool(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    p = float(a.get("p", 2))
    total = _window_sum(g, g.op("Pow", g.op("Abs", x), g.const(p, x.dt)), window_of(a, x.dims[2:]))
    return g.op("Pow", total, g.const(1.0 / p, x.dt))


@detour("GlobalAveragePool")
def _global_average_pool(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    return g.reduce("Mean", x, range(2, x.ndim), keepdims=True)


@detour("GlobalMaxPool")
def _global_max_pool(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    return g.reduce("Max", x, range(2, x.ndim), keepdims=True)


@detour("GlobalLpPool")
def _global_lp_pool(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    p = float(a.get("p", 2))
    total = g.reduce("Sum", g.op("Pow", g.op("Abs", x), g.const(p, x.dt)), range(2, x.ndim), keepdims=True)
    return g.op("Pow", total, g.const(1.0 / p, x.dt))


@detour("LRN")
def _lrn(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    """The sum of squares over neighbouring channels is a window sum along an axis of its own."""
    size = int(a["size"])
    before = (size - 1) // 2
    window = Window((size, 1), (1, 1), (1, 1), (before, 0), (size - 1 - before, 0))
    flat = g.reshape(x * x, (x.dims[0], 1, x.dims[1], prod(x.dims[2:])))
    total = g.reshape(_window_sum(g, flat, window), x.dims)
    base = total * (float(a.get("alpha", 1e-4)) / size) + float(a.get("bias", 1.0))
    return x / g.op("Pow", base, g.const(float(a.get("beta", 0.75)), x.dt))


@detour("InstanceNormalization")
def _instance_normalization(g: Builder, a: Attributes, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    axes = list(range(2, x.ndim))
    centred = x - g.reduce("Mean", x, axes, keepdims=True)
    var = g.reduce("Mean", centred * centred, axes, keepdims=True)
    y = centred / g.op("Sqrt", var + float(a.get("epsilon", 1e-5)))
    shape = (x.dims[1], *(1,) * len(axes))
    return y * g.reshape(scale, shape) + g.reshape(bias, shape)


@detour("GroupNormalization")
def _group_normalization(g: Builder, a: Attributes, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """ONNX Runtime expands the operator's definition, which computes in single precision."""
    groups = int(a["num_groups"])
    wide = g.reshape(x, (x.dims[0], groups, x.dims[1] // groups, *x.dims[2:]))
    axes = list(range(2, wide.ndim))
    centred = wide - g.reduce("Mean", wide, axes, keepdims=True)
    var = g.reduce("Mean", centred * centred, axes, keepdims=True)
    y = g.reshape(centred / g.op("Sqrt", var + float(a.get("epsilon", 1e-5))), x.dims)
    shape = (x.dims[1], *(1,) * (x.ndim - 2))
    return y * g.reshape(scale, shape) + g.reshape(bias, shape)


@detour("MeanVarianceNormalization")
def _mean_variance_normalization(g: Builder, a: Attributes, x: Tensor) -> Tensor:
    axes = a.get("axes") or [0, 2, 3]
    centred = x - g.reduce("Mean", x, axes, keepdims=True)
    return centred / (g.op("Sqrt", g.reduce("Mean", centred * centred, axes, keepdims=True)) + 1e-9)


@detour("Resize")
def _resize(
    g: Builder,
    a: Attributes,
    x: Tensor,
    roi: Tensor | None = None,
    scales: Tensor | None = None,
    sizes: Tensor | None = None,
) -> Tensor:
    """Repeated elements by broadcasting, everything else by a matrix for each axis (smoothing is left as it is)."""
    if a.get("antialias"):
        return g.op("Resize", x, roi, scales, sizes, **a)
    factors = block_factors(a, scales, sizes)
    if factors is None:
        y = g.op("Resize", g.cast(x, np.float32), roi, scales, sizes, **a)
        inside = np.ones([1] * x.ndim)
        for axis, matrix in resize_matrices(a, x, y, scales, sizes, roi).items():
            x = multiply_axis(g, x, axis, matrix)
            rows = matrix.any(axis=1).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
            inside = inside * rows
        outside = (1.0 - inside) * float(a.get("extrapolation_value", 0.0))
        return x + outside.astype(x.dt) if outside.any() else x
    pairs = list(zip(x.dims, factors, strict=True))
    wide = g.reshape(x, [v for d, _ in pairs for v in (d, 1)])
    wide = g.expand(wide, [v for pair in pairs for v in pair])
    return g.reshape(wide, [d * f for d, f in pairs])
