"""Graphs as pictures: boxes and arrows, what is written in a box, and its colour."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Arrow", "Box", "Picture", "color_of", "is_weight", "label_of", "repeated_names"]

# ColorBrewer's Set3, as MXNet uses it.
INPUT, WEIGHTED, ACTIVATION, NORMALIZATION, POOLING, SHAPING, SOFTMAX, OTHER = (
    "#8dd3c7", "#fb8072", "#ffffb3", "#bebada", "#80b1d3", "#fdb462", "#b3de69", "#fccde5",
)  # fmt: skip

_FAMILIES: dict[str, str] = {
    **dict.fromkeys(["Convolution", "FullyConnected", "Conv", "Gemm", "MatMul"], WEIGHTED),
    **dict.fromkeys(["Deconvolution", "ConvTranspose", "RNN", "LSTM", "GRU", "Embedding"], WEIGHTED),
    **dict.fromkeys(["BatchNorm", "BatchNormalization", "LayerNorm", "LayerNormalization"], NORMALIZATION),
    **dict.fromkeys(["InstanceNorm", "InstanceNormalization", "GroupNorm", "LRN"], NORMALIZATION),
    **dict.fromkeys(["Activation", "LeakyReLU", "Relu", "Sigmoid", "Tanh", "PRelu", "Clip"], ACTIVATION),
    **dict.fromkeys(["LeakyRelu", "Elu", "Gelu", "HardSigmoid", "Softplus", "relu", "sigmoid"], ACTIVATION),
    **dict.fromkeys(["Pooling", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"], POOLING),
    **dict.fromkeys(["Concat", "Flatten", "Reshape", "Transpose", "transpose", "Slice", "Split"], SHAPING),
    **dict.fromkeys(["Squeeze", "Unsqueeze", "SliceChannel", "expand_dims", "Pad", "Gather"], SHAPING),
    **dict.fromkeys(["Softmax", "softmax", "SoftmaxOutput", "SoftmaxActivation", "LogSoftmax"], SOFTMAX),
}

_WEIGHTS = re.compile(r"_(weight|bias|beta|gamma|(moving|running)_(var|mean))$")


@dataclass(frozen=True)
class Box:
    """A node of the picture.

    Attributes
    ----------
    key : what arrows know it by.
    label : the lines written in it.
    details : more about it, by subject.
    """

    key: str
    name: str
    operator: str
    label: str
    color: str
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_operator(self) -> bool:
        """Whether it computes something; others are inputs, stored values or results."""
        return bool(self.operator)


@dataclass(frozen=True)
class Arrow:
    """A value that goes from one box to another; the label tells its shape."""

    source: str
    target: str
    label: str = ""


@dataclass
class Picture:
    """Boxes, each before those that it has arrows to, and arrows."""

    title: str
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)


def is_weight(name: str) -> bool:
    """Whether a variable's name says that it holds what a network has learnt."""
    return _WEIGHTS.search(name) is not None


def color_of(operator: str) -> str:
    """The colour for the box of an operator; that of inputs for an empty name."""
    return _FAMILIES.get(operator, OTHER) if operator else INPUT


def label_of(
    operator: str, attributes: Mapping[str, str], name: str, weight: Sequence[int] | None = None
) -> str:
    """What is written in the box of an operator: for the usual layers the operator with its sizes, else the name.

    Parameters
    ----------
    weight : shape of its first parameter, which tells the filters of ONNX's operators.
    """

    def sizes(*keys: str, missing: str) -> str:
        text = next((attributes[k] for k in keys if k in attributes), None)
        return missing if text is None else "x".join(re.findall(r"\d+", text))

    kernel, stride = sizes("kernel", "kernel_shape", missing="[]"), sizes("stride", "strides", missing="1")
    if operator in ("Convolution", "Deconvolution"):
        return f"{operator}\n{kernel}/{stride}, {attributes.get('num_filter', '?')}"
    if operator in ("Conv", "ConvTranspose") and weight is not None and len(weight) > 2:
        filters = weight[0] if operator == "Conv" else weight[1]
        return f"{operator}\n{'x'.join(map(str, weight[2:]))}/{stride}, {filters}"
    if operator == "FullyConnected":
        return f"FullyConnected\n{attributes.get('num_hidden', '?')}"
    if operator == "Gemm" and weight is not None and len(weight) == 2:
        return f"Gemm\n{weight[attributes.get('transB', '0') != '1']}"
    if operator == "Activation":
        return f"Activation\n{attributes.get('act_type', '?')}"
    if operator == "LeakyReLU":
        return f"LeakyReLU\n{attributes.get('act_type', 'Leaky')}"
    if operator == "Pooling":
        return f"Pooling\n{attributes.get('pool_type', 'max')}, {kernel}/{stride}"
    if operator in ("MaxPool", "AveragePool"):
        return f"{operator}\n{kernel}/{stride}"
    if operator == "Custom":
        return attributes.get("op_type", name)
    return name


def repeated_names(names: Iterable[str]) -> list[str]:
    """Those names that occur more than once, each once."""
    seen: set[str] = set()
    repeated: dict[str, None] = {}
    for name in names:
        if name in seen:
            repeated[name] = None
        seen.add(name)
    return list(repeated)
