"""Rules of layers: convolution, pooling, normalization, matrix products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .translation import Array, Call, No, Value, pairs, rule

__all__: list[str] = []


@rule("Conv")
def _conv(c: Call) -> Value:
    weight = c.value(1)
    shape = weight.shape if isinstance(weight, np.ndarray) else c.shapes[1]
    if shape is None or None in shape:
        raise No("the shape of its weight is not known")
    kernel = tuple(int(n or 0) for n in shape[2:])
    strides, dilations = _window(c, len(kernel))
    data, pads = _padded(c, kernel, strides, dilations, 0.0)
    biased = c.has(2)
    return c.make(
        "Convolution", data, c.value(1), *([c.value(2)] if biased else []),
        kernel=kernel, stride=strides, dilate=dilations, pad=pads, num_filter=int(shape[0] or 0),
        num_group=c.get("group", 1), no_bias=not biased,
    )  # fmt: skip


@rule("ConvTranspose")
def _conv_transpose(c: Call) -> Value:
    weight = c.constant(1, "its weight")
    kernel = weight.shape[2:]
    strides, dilations = _window(c, len(kernel))
    if c.get("output_shape") or c.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise No("MXNet's Deconvolution is given its padding")
    sides = list(pairs(c.get("pads", [0] * (2 * len(kernel)))))
    extra = c.get("output_padding", [0] * len(kernel))
    # What ONNX takes off less at the end, MXNet adds there.
    adj = tuple(n + a - b for n, (a, b) in zip(extra, sides, strict=True))
    if any(not 0 <= n < max(s, 1) and n for n, s in zip(adj, strides, strict=True)):
        raise No(f"MXNet's Deconvolution adds less than a stride at the end, not {adj}")
    groups, biased = c.get("group", 1), c.has(2)
    return c.make(
        "Deconvolution", c.value(0), weight, *([c.value(2)] if biased else []),
        kernel=kernel, stride=strides, dilate=dilations, pad=tuple(a for a, _ in sides),
        adj=adj, num_filter=weight.shape[1] * groups,
        num_group=groups, no_bias=not biased,
    )  # fmt: skip


def _window(c: Call, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Strides and dilations."""
    if not 1 <= rank <= 3:
        raise No(f"MXNet has windows of one to three axes, not of {rank}")
    return tuple(c.get("strides", [1] * rank)), tuple(c.get("dilations", [1] * rank))


def _padded(
    c: Call, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], fill: float
) -> tuple[Value, tuple[int, ...]]:
    """The data and what is left to pad on both sides; where they differ, the data is padded before."""
    sides = _sides(c, kernel, strides, dilations)
    if all(a == b for a, b in sides):
        return c.value(0), tuple(a for a, _ in sides)
    if len(kernel) == 1:
        raise No("MXNet's Pad needs four or five axes, for padding that differs at the two ends")
    width = (0, 0, 0, 0, *(n for side in sides for n in side))
    padded = c.make("Pad", c.value(0), suffix="_pad", mode="constant", pad_width=width, constant_value=fill)
    return padded, (0,) * len(kernel)


def _sides(
    c: Call, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[tuple[int, int]]:
    mode = c.get("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return list(pairs(c.get("pads", [0] * (2 * len(kernel)))))
    if mode == "VALID":
        return [(0, 0)] * len(kernel)
    shape = c.shapes[0]
    if shape is None or None in shape[2:]:
        raise No(f"auto_pad {mode} needs a known size")
    found = []
    for n, k, s, d in zip(shape[2:], kernel, strides, dilations, strict=True):
        size = int(n or 0)
        total = max(0, (math.ceil(size / s) - 1) * s + d * (k - 1) + 1 - size)
        small = total // 2
        found.append((small, total - small) if mode == "SAME_UPPER" else (total - small, small))
    return found


@rule("MaxPool", "AveragePool", "LpPool")
def _pool(c: Call) -> Value:
    kernel = tuple(c.get("kernel_shape"))
    strides, dilations = _window(c, len(kernel))
    if set(dilations) != {1}:
        raise No("MXNet's Pooling has no dilation")
    kind = {"MaxPool": "max", "AveragePool": "avg", "LpPool": "lp"}[c.operator]
    form: dict[str, Any] = {"pool_type": kind}
    if kind == "avg":
        form["count_include_pad"] = bool(c.get("count_include_pad", 0))
    if kind == "lp":
        if c.get("p", 2) != 2:  # MXNet takes powers of the elements, not of their sizes
            raise No("MXNet's Pooling is by the 2-norm")
        form["p_value"] = 2
    fill = -3.4e38 if kind == "max" else 0.0
    sides = _sides(c, kernel, strides, dilations)
    if kind == "avg" and not form["count_include_pad"] and any(a != b for a, b in sides):
        raise No("MXNet's Pooling pads both sides alike")
    data, pads = _padded(c, kernel, strides, dilations, fill)
    if c.get("ceil_mode"):
        _check_rounding(c, kernel, strides, sides)
        form["pooling_convention"] = "full"
    return c.make("Pooling", data, kernel=kernel, stride=strides, pad=pads, **form)


def _check_rounding(
    c: Call, kernel: Sequence[int], strides: Sequence[int], sides: list[tuple[int, int]]
) -> None:
    """Raise where ONNX leaves out a window that would begin behind the data: MXNet counts it."""
    for n, k, s, (a, b) in zip((c.shapes[0] or ())[2:], kernel, strides, sides, strict=False):
        if n is not None and -(-(n + a + b - k) // s) * s >= n + a:
            raise No("MXNet's Pooling also counts windows that begin in the padding")


@rule("GlobalMaxPool", "GlobalAveragePool")
def _global_pool(c: Call) -> Value:
    kind = "max" if c.operator == "GlobalMaxPool" else "avg"
    kernel = (1,) * (c.rank() - 2)
    return c.make("Pooling", c.value(0), kernel=kernel, pool_type=kind, global_pool=True)


@rule("BatchNormalization")
def _batch_norm(c: Call) -> Value:
    if c.get("training_mode"):
        raise No("it is in training mode")
    parts = [
        c.constant(i, f"its {what}") for i, what in enumerate(("", "scale", "shift", "mean", "variance")) if i
    ]
    eps, momentum = c.get("epsilon", 1e-5), c.get("momentum", 0.9)
    return c.make("BatchNorm", c.value(0), *parts, eps=eps, momentum=momentum, fix_gamma=False)


@rule("InstanceNormalization")
def _instance_norm(c: Call) -> Value:
    return c.make("InstanceNorm", *map(c.value, range(3)), eps=c.get("epsilon", 1e-5))


@rule("LayerNormalization")
def _layer_norm(c: Call) -> Value:
    if c.axis(c.get("axis", -1)) != c.rank() - 1:
        raise No("MXNet's LayerNorm is over one axis")
    scale = c.value(1)
    size = scale.size if isinstance(scale, np.ndarray) else (c.shapes[1] or (None,))[-1]
    if not c.has(2) and size is None:
        raise No("the size of its axis is not known")
    shift = c.value(2) if c.has(2) else np.zeros(int(size or 0), np.float32)
    return c.make("LayerNorm", c.value(0), scale, shift, axis=-1, eps=c.get("epsilon", 1e-5))


@rule("LRN")
def _lrn(c: Call) -> Value:
    form = {"alpha": c.get("alpha", 1e-4), "beta": c.get("beta", 0.75), "knorm": c.get("bias", 1.0)}
    return c.make("LRN", c.value(0), nsize=c.get("size"), **form)


@rule("LpNormalization")
def _lp_normalization(c: Call) -> Value:
    if c.get("p", 2) != 2:
        raise No("MXNet normalizes by the 2-norm")
    axis = c.axis(c.get("axis", -1))
    square = c.make("square", c.value(0), suffix="_square")
    norm = c.make("sqrt", c.make("sum", square, suffix="_sum", axis=(axis,), keepdims=True), suffix="_norm")
    return c.make("broadcast_div", c.value(0), norm)


@rule("Softmax", "LogSoftmax")
def _softmax(c: Call) -> Value:
    name = "softmax" if c.operator == "Softmax" else "log_softmax"
    return c.make(name, c.value(0), axis=c.get("axis", -1))


@rule("Dropout")
def _dropout(c: Call) -> Value:
    if c.has(2) and c.constant(2, "whether it trains"):
        raise No("it is in training mode")
    ratio = float(c.constant(1, "its ratio")) if c.has(1) else 0.5
    return c.make("Dropout", c.value(0), p=ratio)


@rule("Gemm")
def _gemm(c: Call) -> Value:
    a, b = c.value(0), c.value(1)
    alpha, beta = c.get("alpha", 1.0), c.get("beta", 1.0)
    if c.get("transA"):
        a = c.make("transpose", a, suffix="_transposed", axes=(1, 0))
    if not isinstance(b, np.ndarray):
        product = c.make("dot", a, b, suffix="_product", transpose_b=bool(c.get("transB")))
        if alpha != 1:
            product = c.make("_mul_scalar", product, suffix="_scaled", scalar=alpha)
        return product if not c.has(2) else _plus(c, product, beta)
    weight = b if c.get("transB") else b.T
    if alpha != 1:
        weight = (weight * np.asarray(alpha, weight.dtype)).astype(weight.dtype)
    bias = c.inputs[2] if c.has(2) else None
    size = weight.shape[0]
    if (
        isinstance(bias, np.ndarray)
        and bias.size in (1, size)
        and bias.ndim <= 2
        and bias.shape[:-1] in ((), (1,))
    ):
        full = np.broadcast_to(bias.reshape(-1), (size,))
        bias = bias if beta == 1 and bias.shape == (size,) else (full * beta).astype(bias.dtype)
        return c.make("FullyConnected", a, weight, bias, num_hidden=size)
    if bias is None:
        return c.make("FullyConnected", a, weight, num_hidden=size, no_bias=True)
    return _plus(
        c, c.make("FullyConnected", a, weight, suffix="_product", num_hidden=size, no_bias=True), beta
    )


def _plus(c: Call, product: Value, beta: float) -> Value:
    """The third operand of Gemm added."""
    third = c.value(2)
    if beta != 1:
        third = c.make("_mul_scalar", third, suffix="_third", scalar=beta)
    if isinstance(third, np.ndarray):
        third = third.reshape((1,) * (2 - third.ndim) + third.shape)
    elif c.rank(2) < 2:
        third = c.make("expand_dims", third, suffix="_axis", axis=0)
    return c.make("broadcast_add", product, third)


@rule("MatMul")
def _matmul(c: Call) -> Value:
    a, b = c.value(0), c.value(1)
    ranks = c.rank(0), c.rank(1)
    if isinstance(b, np.ndarray) and b.ndim == 2 and ranks[0] >= 2:
        form = {"num_hidden": b.shape[1], "no_bias": True, "flatten": False}
        return c.make("FullyConnected", a, _transposed(c, b), **form)
    if ranks == (2, 2):
        return c.make("dot", a, b)
    shapes = c.shapes
    if ranks[0] == ranks[1] and ranks[0] > 2 and _batches(shapes[0]) == _batches(shapes[1]):
        return c.make("_linalg_gemm2", a, b)
    raise No(f"MXNet multiplies matrices of equal batches, not of ranks {ranks[0]} and {ranks[1]}")


def _transposed(c: Call, weight: Array) -> Array:
    return np.ascontiguousarray(weight.T)


def _batches(shape: tuple[int | None, ...] | None) -> tuple[int | None, ...] | None:
    return None if shape is None else shape[:-2]


@rule("Upsample", "Resize")
def _resize(c: Call) -> Value:
    shape, out = c.shapes[0], c.out_shapes[0]
    if shape is None or out is None or len(shape) != 4 or None in (*shape[2:], *out[2:]):
        raise No("only pictures of known size can be resized")
    (h, w), (new_h, new_w) = ((int(n or 0) for n in s[2:]) for s in (shape, out))
    mode, place = c.get("mode", "nearest"), c.get("coordinate_transformation_mode", "half_pixel")
    if mode == "nearest" and new_h % h == 0 and new_h // h == new_w / w:
        rounding = c.get("nearest_mode", "round_prefer_floor")
        repeats = {"asymmetric": ["floor"], "half_pixel": ["round_prefer_floor", "round_prefer_ceil"]}
        if rounding not in repeats.get(place, []):
            raise No(f"MXNet's UpSampling repeats pixels, which {place} with {rounding} does not")
        return c.make("UpSampling", c.value(0), scale=new_h // h, sample_type="nearest", num_args=1)
    if mode == "linear" and place == "align_corners" and min(new_h, new_w) > 1:
        return c.make("_contrib_BilinearResize2D", c.value(0), height=new_h, width=new_w)
    raise No(f"MXNet has no resizing of mode {mode} with {place} from {h}x{w} to {new_h}x{new_w}")
