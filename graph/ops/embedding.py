"""Embeddings and upsampling."""

from __future__ import annotations

from typing import Any, Literal

from ..builder import Builder, Tensor
from ..errors import ShapeError
from ..resizing import enlarge
from ..shapes import ShapeContext, TypeContext
from ._axes import clipped, integers
from .registry import operator

__all__: list[str] = []

_Type = Literal["bfloat16", "float16", "float32", "float64", "int32", "int64", "int8", "uint8"]


def _embed(g: Builder, data: Tensor, weight: Tensor, input_dim: int, output_dim: int) -> Tensor:
    if weight.dims != (input_dim, output_dim):
        raise ShapeError(f"argument 'weight': expected shape ({input_dim}, {output_dim}), got {weight.dims}")
    return g.op("Gather", weight, clipped(g, integers(g, data), input_dim), axis=0)


@operator("Embedding", "_sparse_Embedding")
def embedding(
    g: Builder,
    data: Tensor,
    weight: Tensor,
    *,
    input_dim: int,
    output_dim: int,
    dtype: _Type = "float32",
    sparse_grad: bool = False,
) -> Tensor:
    """Embedding(data, weight, input_dim, output_dim, dtype='float32', sparse_grad=False)

    The rows of `weight`, of shape (input_dim, output_dim), at the positions in `data`: shape (*data.shape, output_dim).
    Positions outside are moved to the nearest row, fractions are cut off. Gradients are dense whatever
    `sparse_grad` says.
    """
    return _embed(g, data, weight, input_dim, output_dim)


@operator("_contrib_SparseEmbedding")
def sparse_embedding(
    g: Builder,
    data: Tensor,
    weight: Tensor,
    *,
    input_dim: int,
    output_dim: int,
    dtype: _Type = "float32",
    sparse_grad: bool = False,
) -> Tensor:
    """SparseEmbedding(data, weight, input_dim, output_dim, dtype='float32', sparse_grad=False)

    Embedding; arrays and gradients are dense here.
    """
    return _embed(g, data, weight, input_dim, output_dim)


def _shape(s: ShapeContext, a: Any) -> None:
    s.set("weight", (a.input_dim, a.output_dim))
    data, out = s["data"], s[0]
    if data is not None:
        s.set(0, (*data, a.output_dim))
    elif out is not None:
        s.set("data", out[:-1])


def _type(t: TypeContext, a: Any) -> None:
    t.unify_all(["weight", 0])
    if t["weight"] is None:
        t.set("weight", a.dtype)
        t.set(0, a.dtype)


for _op in (embedding, sparse_embedding):
    _op.infer_shape(_shape)
    _op.infer_type(_type)


def _inputs(a: Any) -> list[str]:
    return ["data", "weight"] if a.sample_type == "bilinear" else [f"arg{i}" for i in range(a.num_args)]


@operator("UpSampling", num_args="num_args", present=_inputs)
def upsampling(
    g: Builder,
    *data: Tensor,
    scale: int,
    num_filter: int = 0,
    sample_type: Literal["nearest", "bilinear"],
    multi_input_mode: Literal["concat", "sum"] = "concat",
    num_args: int,
    workspace: int = 512,
) -> Tensor:
    """UpSampling(*data, scale, num_filter=0, sample_type, multi_input_mode='concat', num_args, workspace=512)

    Images (batch, channels, height, width) enlarged by the whole number `scale`. ``nearest`` repeats elements; several
    images are all brought to `scale` times the size of the first, and concatenated along the channels or summed.
    ``bilinear`` is a transposed convolution of every channel with the second input, a kernel of shape
    (channels, 1, k, k), k = 2 * scale - scale % 2.
    """
    first = data[0]
    if first.ndim != 4:
        raise ShapeError(
            f"argument 'data': expected (batch, channels, height, width), got shape {first.dims}"
        )
    if sample_type == "bilinear":
        return _bilinear(g, *data, scale=scale)
    parts = []
    for i, x in enumerate(data):
        factors = [int(big * scale // small) for big, small in zip(first.dims[2:], x.dims[2:], strict=True)]
        y = enlarge(g, x, factors)
        if y.dims[2:] != tuple(d * scale for d in first.dims[2:]):
            raise ShapeError(
                f"argument 'arg{i}': {x.dims[2:]} does not divide {scale} times {first.dims[2:]}"
            )
        parts.append(y)
    if multi_input_mode == "concat":
        return g.op("Concat", *parts, axis=1)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


upsampling.inits = {"weight": '["bilinear", {}]'}


def _bilinear(g: Builder, data: Tensor, weight: Tensor, *, scale: int) -> Tensor:
    kernel, pad = 2 * scale - scale % 2, scale // 2
    channels = data.dims[1]
    if weight.dims != (channels, 1, kernel, kernel):
        raise ShapeError(
            f"argument 'weight': expected shape ({channels}, 1, {kernel}, {kernel}), got {weight.dims}"
        )
    return g.op(
        "ConvTranspose",
        data,
        weight,
        kernel_shape=[kernel] * 2,
        strides=[scale] * 2,
        pads=[pad] * 4,
        group=int(channels),
    )


@upsampling.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    if a.sample_type == "bilinear":
        data = s.inputs[0]
        kernel = 2 * a.scale - a.scale % 2
        s.set(s.names[1], (None if data is None or len(data) < 2 else data[1], 1, kernel, kernel))
