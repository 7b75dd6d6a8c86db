"""Shapes of a symbol's inputs, as far as its weights tell them.

The weight of the first convolution fixes rank and channels of the data; that of a dense layer behind convolutions
fixes how many elements reach it, and so the size of the image, mostly within a few pixels. Then the roundest size is
taken, and said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ..graph.symbol import Entry, Node, Symbol

__all__ = ["Guess", "find_inputs", "guess_shape"]

LARGEST = 1024  # pixels that are tried
LONGEST = 5000  # nodes of a graph in which sizes are tried: each takes up to 24 KiB

# Names of operators' inputs whose variables hold what a network has learnt.
LEARNT = frozenset(
    ["weight", "bias", "gamma", "beta", "moving_mean", "moving_var", "moving_avg", "parameters"]
)

# Operators that keep rank, channels and sizes, besides those that are declared as elementwise.
KEEPING = frozenset(
    [
        "Activation", "BatchNorm", "BatchNorm_v1", "CuDNNBatchNorm", "_contrib_SyncBatchNorm",
        "_contrib_BatchNormWithReLU", "BlockGrad", "Cast", "Dropout", "GroupNorm", "InstanceNorm", "L2Normalization",
        "LRN", "LayerNorm", "LeakyReLU", "SoftmaxActivation", "_copy", "amp_cast", "identity",
    ]
)  # fmt: skip
JOINING = (
    "elemwise_",
    "broadcast_",
    "_Plus",
    "_Minus",
    "_Mul",
    "add_n",
    "ElementWiseSum",
    "_maximum",
    "_minimum",
)

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Guess:
    """Shape of an input with batch size 1, None entries unknown; `note` says what was assumed."""

    shape: tuple[int | None, ...] | None
    note: str = ""


@dataclass(frozen=True)
class Extent:
    """Channels (of a matrix: columns) and spatial sizes of a value, for every size of the image that is tried."""

    channels: Counts
    sizes: tuple[Counts, ...]

    @property
    def elements(self) -> Counts:
        """Of one sample."""
        return math.prod(self.sizes, start=self.channels)


def find_inputs(symbol: Symbol, whole: Symbol, stored: Mapping[str, object]) -> tuple[list[str], list[str]]:
    """Names of the inputs, and of labels that only a loss layer reads: variables without a value that are no weights.

    Parameters
    ----------
    whole : the symbol with all nodes as outputs.
    stored : variables with a value.
    """
    read_as: dict[str, set[str]] = {}
    for node in whole.nodes():
        if node.op is not None:
            for role, (source, _) in zip(node.argument_names(), node.inputs, strict=False):
                if source.op is None:
                    read_as.setdefault(source.name, set()).add(role)
    labels = [name for name in symbol.list_labels() if name not in stored]
    free = [name for name in whole.list_inputs() if name not in stored and name not in labels]
    return [name for name in free if not _is_learnt(name, read_as.get(name, set()))], labels


def _is_learnt(name: str, roles: set[str]) -> bool:
    """Whether a variable is a weight, by what it is read as, or if its readers are not known by its name."""
    if roles:
        return roles <= LEARNT
    return name.endswith(tuple(f"_{role}" for role in (*LEARNT, "running_mean", "running_var")))


def channels_last(attrs: Any) -> bool:
    """Whether parameters of a convolution or pooling say so; older operators have no layout."""
    return str(attrs.values.get("layout")).endswith("C")


def keeps_channels(node: Node) -> bool:
    """Whether the node's result has the rank and the channels of its data."""
    assert node.op is not None
    name = node.op.name
    return (
        node.op.elementwise
        or name in KEEPING
        or name.startswith(JOINING)
        or name in ("Pooling", "Pooling_v1", "UpSampling")
    )


def guess_shape(symbol: Symbol, name: str, known: Mapping[str, tuple[int, ...]]) -> Guess:
    """The shape of a variable, as far as the shapes of the weights tell.

    Parameters
    ----------
    known : shapes of the parameters.
    """
    nodes = symbol.nodes()
    shape = _first_layer(nodes, name, known)
    if shape is None or None not in shape or len(nodes) > LONGEST:
        return Guess(shape)
    fitting = _fitting_sizes(nodes, name, known, len(shape) - 2, shape[1])
    if not len(fitting) or fitting[-1] == LARGEST:
        return Guess(shape)
    size = int(max(fitting, key=lambda n: (n & -n, -n)))
    full = tuple(size if dim is None else dim for dim in shape)
    text = "x".join(map(str, full))
    if len(fitting) == 1:
        return Guess(full, f"input {name!r}: {text} follows from the weights")
    others = f"sizes from {fitting[0]} to {fitting[-1]} fit the weights"
    return Guess(full, f"input {name!r}: assumed {text}; {others}; --input {name}:SHAPE says otherwise")


def _first_layer(
    nodes: Sequence[Node], name: str, known: Mapping[str, tuple[int, ...]]
) -> tuple[int | None, ...] | None:
    """What the first layers with weights say about an input that reaches them unchanged in rank and channels."""
    reached: dict[Entry, int] = {}  # to the factor by which the input has more channels
    for node in nodes:
        if node.op is None:
            if node.name == name:
                reached[node, 0] = 1
            continue
        entry = next((entry for entry in node.inputs if entry in reached), None)
        if entry is None:
            continue
        factor, kind, a = reached[entry], node.op.name, node.parsed
        weight = known.get(node.inputs[1][0].name) if len(node.inputs) > 1 else None
        if weight is not None and entry == node.inputs[0]:
            if (
                kind in ("Convolution", "Convolution_v1", "Deconvolution")
                and len(weight) == len(a.kernel) + 2
            ):
                channels = weight[0] if kind == "Deconvolution" else weight[1] * a.num_group
                return None if channels_last(a) else (1, channels * factor, *(None,) * len(a.kernel))
            if kind == "FullyConnected" and len(weight) == 2:
                return (1, weight[1]) if factor == 1 else None
        if keeps_channels(node):
            reached[node, 0] = factor
        elif kind == "SliceChannel" and a.axis == 1 and not a.squeeze_axis:
            reached.update(((node, i), factor * a.num_outputs) for i in range(a.num_outputs))
    return None


def _fitting_sizes(
    nodes: Sequence[Node], name: str, known: Mapping[str, tuple[int, ...]], rank: int, channels: int | None
) -> Counts:
    """Image sizes (the same along every axis) for which each dense layer gets as many elements as its weight has."""
    tried = np.arange(1, LARGEST + 1, dtype=np.int64)
    fits = np.ones(LARGEST, np.bool_)
    extents: dict[Entry, Extent] = {}
    for node in nodes:
        if node.op is None:
            if node.name == name and channels is not None:
                extents[node, 0] = Extent(np.full(LARGEST, channels), (tried,) * rank)
            continue
        data = [extents[entry] for entry in node.inputs if entry in extents]
        if not data:
            continue
        if node.op.name == "FullyConnected" and node.parsed.flatten and node.inputs[0] in extents:
            weight = known.get(node.inputs[1][0].name)
            if weight is not None and len(weight) == 2:
                fits &= data[0].elements == weight[1]
        made = _extent(node, data, known)
        if made is not None:
            for number in range(node.op.outputs(node.parsed)):
                extents[node, number] = made
            fits &= np.all([made.channels > 0, *(size > 0 for size in made.sizes)], axis=0)
    return tried[fits]


def _extent(node: Node, data: Sequence[Extent], known: Mapping[str, tuple[int, ...]]) -> Extent | None:
    """The extent of a node's results from that of its data; None where no rule is known."""
    assert node.op is not None
    kind, a, first = node.op.name, node.parsed, data[0]
    ones = np.ones(LARGEST, np.int64)
    if kind in ("Convolution", "Convolution_v1", "Pooling", "Pooling_v1"):
        if channels_last(a):
            return None
        channels = first.channels if kind.startswith("Pooling") else ones * a.num_filter
        windows = _windows(a, first.sizes)
        return None if windows is None else Extent(channels, windows)
    if kind == "FullyConnected":
        return Extent(ones * a.num_hidden, ()) if a.flatten else None
    if kind in ("Flatten", "flatten"):
        return Extent(first.elements, ())
    if kind in ("Reshape", "reshape"):
        return (
            Extent(first.elements, ()) if len(a.shape) == 2 and -1 in a.shape[1:] and not a.reverse else None
        )
    if kind in ("Concat", "concat"):
        alike = len(data) == len(node.inputs) and a.dim == 1
        return Extent(np.sum([d.channels for d in data], axis=0), first.sizes) if alike else None
    if kind in ("SliceChannel", "split"):
        return Extent(first.channels // a.num_outputs, first.sizes) if a.axis == 1 else None
    if kind == "UpSampling":
        return (
            Extent(first.channels, tuple(size * a.scale for size in first.sizes)) if len(data) == 1 else None
        )
    return first if keeps_channels(node) else None


def _windows(a: Any, sizes: Sequence[Counts]) -> tuple[Counts, ...] | None:
    """Numbers of windows along each axis, as convolution and pooling count them; 0 where none fits.

    None if the attributes are not for as many axes, or make no sense.
    """
    values = a.values
    if values.get("global_pool"):
        return tuple(np.ones_like(size) for size in sizes)
    rank = len(sizes)
    stride, dilate, pad = (
        tuple(values.get(key, ())) or (default,) * rank
        for key, default in (("stride", 1), ("dilate", 1), ("pad", 0))
    )
    if any(len(given) != rank for given in (a.kernel, stride, dilate, pad)) or min((*stride, *dilate)) < 1:
        return None
    convention = values.get("pooling_convention", "valid")
    found = []
    for n, k, s, d, p in zip(sizes, a.kernel, stride, dilate, pad, strict=True):
        room = n + 2 * p - (d * (k - 1) + 1)
        count = -(-(n + 2 * p) // s) if convention == "same" else room // s + 1
        if convention == "full":
            count = -(-room // s) + 1
        found.append(np.where((room >= 0) & (n > 0), count, 0))
    return tuple(found)
