"""What a model costs: multiply-accumulates of its nodes, and memory for its inner values.

Counted are the operators that multiply matrices or convolve, which take nearly all of a network's time; operators
on single elements count as nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model_file import Layer, ModelFile, Tensor

__all__ = ["Cost", "activation_peak", "layer_macs", "total_macs"]

Size = tuple[int, ...]
Attributes = Mapping[str, str]
#: From shapes of inputs, shapes of outputs and attributes to multiply-accumulates.
Cost = Callable[[Sequence[Size], Sequence[Size], Attributes], int]


def flag(attributes: Attributes, name: str) -> bool:
    """A boolean attribute, absent ones being false."""
    return attributes.get(name, "0").lower() in ("1", "true")


def convolution(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
    """Each element of the result sums over the weight of one filter, wherever the layout has the channels."""
    return prod(outs[0]) * prod(ins[1][1:])


def transposed(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
    """Each element of the data is multiplied with the weights of its channel."""
    return prod(ins[0]) * prod(ins[1][1:])


def quantized_convolution(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
    """QLinearConv: scale and zero point of the data come before the weight."""
    return prod(outs[0]) * prod(ins[3][1:])


def deformable(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
    """MXNet's: the weight comes after the offsets."""
    return prod(outs[0]) * prod(ins[2][1:])


def dense(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
    """The weight is (output size, input size)."""
    return prod(outs[0]) * ins[1][1]


def product(*names: str) -> Cost:
    """A product of matrices; the attributes `names` say that the first one is transposed."""

    def cost(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
        first = ins[0]
        if not first:
            return prod(outs[0])
        inner = first[-2] if len(first) > 1 and any(flag(attributes, n) for n in names) else first[-1]
        return prod(outs[0]) * inner

    return cost


def dot(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
    """MXNet's dot sums over the last axis of the first operand, or if transposed over its first."""
    return prod(outs[0]) * (ins[0][0] if flag(attributes, "transpose_a") else ins[0][-1])


def einsum(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
    """One product for each combination of all indices; ellipses stand for those that are left."""
    terms = attributes["equation"].replace(" ", "").split("->")[0]
    sizes: dict[str, int] = {}
    for term, shape in zip(terms.split(","), ins, strict=False):
        before, dots, after = term.partition("...")
        split = len(shape) - len(after)
        free = [f".{n}" for n in range(split - len(before), 0, -1)] if dots else []
        for index, size in zip([*before, *free, *after], shape, strict=True):
            sizes[index] = max(size, sizes.get(index, 1))
    return prod(sizes.values())


def recurrent(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
    """RNN is an operator of MXNet, where `mode` says what kind, and one of ONNX."""
    return (mxnet_recurrent if "mode" in attributes else onnx_recurrent)(ins, outs, attributes)


def onnx_recurrent(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
    """Every step of every sample takes all weights once."""
    return ins[0][0] * ins[0][1] * (prod(ins[1]) + prod(ins[2]))


GATES = {"rnn_relu": 1, "rnn_tanh": 1, "gru": 3, "lstm": 4}


def mxnet_recurrent(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
    """As above; the one vector of parameters also holds two biases for each gate and unit."""
    directions = 2 if flag(attributes, "bidirectional") else 1
    units = int(attributes["state_size"]) * GATES[attributes["mode"]]
    biases = 2 * units * directions * int(attributes.get("num_layers", "1"))
    return ins[0][0] * ins[0][1] * (prod(ins[1]) - biases)


def correlation(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
    """Each displacement compares windows of all channels."""
    return prod(outs[0]) * ins[0][1] * int(attributes.get("kernel_size", "1")) ** 2


def attention_scores(share: int) -> Cost:
    """Queries times keys, interleaved: a head has this share of the width."""

    def cost(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
        return prod(outs[0]) * (ins[0][-1] // (share * int(attributes["heads"])))

    return cost


def attention_values(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
    """Attention weights times values."""
    return prod(outs[0]) * ins[1][-1]


def attention(ins: Sequence[Size], outs: Sequence[Size], attributes: Attributes) -> int:
    """ONNX's Attention: scores of every query with every key, then the sum of the values."""
    queries, keys, values = ins[:3]
    if len(queries) == 4:
        batch, heads, steps, width = queries
        return batch * heads * steps * keys[2] * (width + values[3])
    batch, steps, width = queries
    return batch * steps * keys[1] * (width + values[2] * _groups(attributes))


def _groups(attributes: Attributes) -> int:
    """Heads of queries that share a head of keys and values."""
    return int(attributes.get("q_num_heads", "1")) // int(attributes.get("kv_num_heads", "1"))


COSTS: dict[str, Cost] = {
    # MXNet
    "Convolution": convolution,
    "Convolution_v1": convolution,
    "Deconvolution": transposed,
    "FullyConnected": dense,
    "_contrib_DeformableConvolution": deformable,
    "_contrib_ModulatedDeformableConvolution": lambda i, o, a: prod(o[0]) * prod(i[3][1:]),
    "dot": dot,
    "batch_dot": product("transpose_a"),
    "_linalg_gemm": product("transpose_a"),
    "_linalg_gemm2": product("transpose_a"),
    "RNN": recurrent,
    "Correlation": correlation,
    "_contrib_interleaved_matmul_selfatt_qk": attention_scores(3),
    "_contrib_interleaved_matmul_selfatt_valatt": attention_values,
    "_contrib_interleaved_matmul_encdec_qk": attention_scores(1),
    "_contrib_interleaved_matmul_encdec_valatt": attention_values,
    # ONNX and ONNX Runtime
    "Conv": convolution,
    "ConvInteger": convolution,
    "com.microsoft.FusedConv": convolution,
    "DeformConv": convolution,
    "QLinearConv": quantized_convolution,
    "ConvTranspose": transposed,
    "Gemm": product("transA"),
    "com.microsoft.FusedGemm": product("transA"),
    "MatMul": product(),
    "MatMulInteger": product(),
    "QLinearMatMul": product(),
    "com.microsoft.FusedMatMul": product("transA"),
    "com.microsoft.DynamicQuantizeMatMul": product(),
    "com.microsoft.MatMulIntegerToFloat": product(),
    "Einsum": einsum,
    "LSTM": onnx_recurrent,
    "GRU": onnx_recurrent,
    "Attention": attention,
}


def layer_macs(layer: Layer, sizes: Mapping[str, Size]) -> int | None:
    """Multiply-accumulates of a node; None if a shape that decides is unknown.

    Parameters
    ----------
    sizes : shapes by the names of values.
    """
    cost = COSTS.get(layer.operator)
    if cost is None:
        return 0
    try:
        return cost(
            [sizes[name] for name in layer.inputs],
            [sizes[tensor.name] for tensor in layer.outputs],
            layer.attributes,
        )
    except KeyError:
        return None


def total_macs(model: ModelFile) -> int | None:
    """Multiply-accumulates of one run; None if a shape that decides is unknown."""
    counts = [layer_macs(layer, model.sizes) for layer in model.layers]
    known = [count for count in counts if count is not None]
    return sum(known) if model.layers and len(known) == len(counts) else None


def activation_peak(model: ModelFile) -> int | None:
    """Bytes of the values that are alive at once, where most are; None if a shape is unknown.

    Nodes run in the order of the file, a value lives from the node that makes it to the last one that reads it, and
    none is overwritten in place. Parameters are not counted.
    """
    last: dict[str, int] = {}
    for number, layer in enumerate(model.layers):
        last.update(dict.fromkeys((*layer.inputs, *(t.name for t in layer.outputs)), number))
    kept = {tensor.name for tensor in model.outputs}
    alive = {tensor.name: _bytes(tensor, model.sizes) for tensor in model.inputs}
    peak = 0
    for number, layer in enumerate(model.layers):
        for tensor in layer.outputs:
            alive[tensor.name] = _bytes(tensor, model.sizes)
        known = [size for size in alive.values() if size is not None]
        if len(known) < len(alive):
            return None
        peak = max(peak, sum(known))
        for name in {*layer.inputs, *(tensor.name for tensor in layer.outputs)} - kept:
            if last[name] == number:
                alive.pop(name, None)
    return peak if model.layers else None


def _bytes(tensor: Tensor, sizes: Mapping[str, Size]) -> int | None:
    size = sizes.get(tensor.name)
    if size is None:
        return None
    if tensor.dtype == "string":  # strings, whose length is not known
        return 0
    from .model_file import itemsize

    return prod(size) * itemsize(tensor.dtype or "float32")
