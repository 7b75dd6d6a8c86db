"""What changed in MXNet's symbol files between 0.8 and 1.9, as a series of upgrades on a raw graph.

Each upgrade says which files it serves. The order and the effects are those of MXNet 1.9.1's loader.
"""

from __future__ import annotations

from collections.abc import Mapping

from .raw_graph import RawGraph, RawNode

__all__ = ["rename", "upgrade"]

_CURRENT = 10901  # MXNet 1.9.1
_HIDDEN = ("ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage")

# Names that were an operator's own in some version from 0.8 to 1.6 and are another's alias in 1.9.1.
_RENAMED = {
    "ElementWiseSum": "add_n",
    "Softmax": "SoftmaxOutput",
    "_Div": "elemwise_div",
    "_DivScalar": "_div_scalar",
    "_Maximum": "_maximum",
    "_MaximumScalar": "_maximum_scalar",
    "_Minimum": "_minimum",
    "_MinimumScalar": "_minimum_scalar",
    "_Minus": "elemwise_sub",
    "_MinusScalar": "_minus_scalar",
    "_Mul": "elemwise_mul",
    "_MulScalar": "_mul_scalar",
    "_Plus": "elemwise_add",
    "_PlusScalar": "_plus_scalar",
    "_Power": "_power",
    "_PowerScalar": "_power_scalar",
    "_RDivScalar": "_rdiv_scalar",
    "_RMinusScalar": "_rminus_scalar",
    "_RPowerScalar": "_rpower_scalar",
    "_contrib_CTCLoss": "CTCLoss",
    "_crop_assign": "_slice_assign",
    "_crop_assign_scalar": "_slice_assign_scalar",
    "_div": "elemwise_div",
    "_minus": "elemwise_sub",
    "_mul": "elemwise_mul",
    "_plus": "elemwise_add",
    "_sub": "elemwise_sub",
    "broadcast_minus": "broadcast_sub",
    "broadcast_plus": "broadcast_add",
    "choose_element_0index": "pick",
    "crop": "slice",
    "flip": "reverse",
    "linalg_gemm": "_linalg_gemm",
    "linalg_gemm2": "_linalg_gemm2",
    "linalg_potrf": "_linalg_potrf",
    "linalg_potri": "_linalg_potri",
    "linalg_sumlogdiag": "_linalg_sumlogdiag",
    "linalg_trmm": "_linalg_trmm",
    "linalg_trsm": "_linalg_trsm",
    "max_axis": "max",
    "min_axis": "min",
    "normal": "_random_normal",
    "random_exponential": "_random_exponential",
    "random_gamma": "_random_gamma",
    "random_generalized_negative_binomial": "_random_generalized_negative_binomial",
    "random_negative_binomial": "_random_negative_binomial",
    "random_normal": "_random_normal",
    "random_poisson": "_random_poisson",
    "random_uniform": "_random_uniform",
    "sample_exponential": "_sample_exponential",
    "sample_gamma": "_sample_gamma",
    "sample_generalized_negative_binomial": "_sample_generalized_negative_binomial",
    "sample_multinomial": "_sample_multinomial",
    "sample_negative_binomial": "_sample_negative_binomial",
    "sample_normal": "_sample_normal",
    "sample_poisson": "_sample_poisson",
    "sample_uniform": "_sample_uniform",
    "sum_axis": "sum",
    "uniform": "_random_uniform",
}

_WEIGHT = ("data", "weight")
_WEIGHT_BIAS = ("data", "weight", "bias")
_LABEL = ("data", "label")
_SEQUENCE = ("data", "sequence_length")
_NORM = ("data", "gamma", "beta", "moving_mean", "moving_var")

# Inputs of the operators of 0.8 that own variables, where no parameter decides about them.
_INPUTS: dict[str, tuple[str, ...]] = {
    "BatchNorm": _NORM,
    "Correlation": ("data1", "data2"),
    "CuDNNBatchNorm": _NORM,
    "Embedding": _WEIGHT,
    "IdentityAttachKLSparseReg": ("data", "moving_avg"),
    "InstanceNorm": ("data", "gamma", "beta"),
    "LinearRegressionOutput": _LABEL,
    "LogisticRegressionOutput": _LABEL,
    "MAERegressionOutput": _LABEL,
    "ROIPooling": ("data", "rois"),
    "SVMOutput": _LABEL,
    "SoftmaxOutput": _LABEL,
    "SpatialTransformer": ("data", "loc"),
}

# Initializers that an operator chooses for the variables it owns, by the number of the input.
_STATISTICS = {3: '["zero", {}]', 4: '["one", {}]'}
_INITIALIZERS: dict[str, dict[int, str]] = {
    "BatchNorm": _STATISTICS,
    "CuDNNBatchNorm": _STATISTICS,
    "IdentityAttachKLSparseReg": {1: '["zero", {}]'},
    "LeakyReLU": {1: '["Constant", {"value": 0.25}]'},
    "UpSampling": {1: '["bilinear", {}]'},
}


def rename(graph: RawGraph) -> None:
    """Give operators the names that MXNet 1.9.1 writes."""
    for node in graph.nodes:
        if node.op is not None:
            node.op = _RENAMED.get(node.op, node.op)


def upgrade(graph: RawGraph) -> None:
    """Apply what MXNet 1.9.1 applies to a file of the graph's version; nodes keep its depth-first order."""
    version = graph.version
    if version < _CURRENT:
        _hide_keys(graph)
    if version < 900:
        _add_missing_inputs(graph)
    if version < 904:
        _set_initializers(graph)
    if version < 905:
        _drop_last_axis(graph)


def _true(value: str | None) -> bool:
    return value in ("True", "true", "1")


def _input_names(op: str, attrs: Mapping[str, str]) -> tuple[str, ...]:
    """Names of all inputs; empty for operators that own no variables."""
    if op in ("Convolution", "FullyConnected"):
        return _WEIGHT if _true(attrs.get("no_bias")) else _WEIGHT_BIAS
    if op == "Deconvolution":
        return _WEIGHT if _true(attrs.get("no_bias", "True")) else _WEIGHT_BIAS
    if op == "LeakyReLU":
        return ("data", "gamma") if attrs.get("act_type") == "prelu" else ("data",)
    if op == "RNN":
        cell = ("state_cell",) if attrs.get("mode") == "lstm" else ()
        return ("data", "parameters", "state", *cell)
    if op in ("SequenceLast", "SequenceMask", "SequenceReverse"):
        return _SEQUENCE if _true(attrs.get("use_sequence_length")) else ("data",)
    if op == "UpSampling" and attrs.get("sample_type") == "bilinear":
        return _WEIGHT
    return _INPUTS.get(op, ())


def _hide_keys(graph: RawGraph) -> None:
    """Files of older versions: ``lr_mult`` becomes ``__lr_mult__``, and an operator's ``weight_lr_mult`` the
    ``__lr_mult__`` of the variable that is its weight."""
    for node in graph.nodes:
        for key in [k for k in node.attrs if k.endswith(_HIDDEN)]:
            hidden = next(h for h in _HIDDEN if key.endswith(h))
            if key == hidden:
                node.attrs[f"__{hidden}__"] = node.attrs.pop(key)
                continue
            owner = _variable(graph, node, key.removesuffix(hidden)[:-1])
            if owner is not None:
                owner.attrs[f"__{hidden}__"] = node.attrs.pop(key)


def _variable(graph: RawGraph, node: RawNode, name: str) -> RawNode | None:
    """The variable that is input `name` of `node`."""
    names = _input_names(node.op, node.attrs) if node.op is not None else ()
    if name not in names or names.index(name) >= len(node.inputs):
        return None
    source = graph.nodes[node.inputs[names.index(name)][0]]
    return source if source.op is None else None


def _add_missing_inputs(graph: RawGraph) -> None:
    """Files before 0.9 leave out auxiliary states. As in MXNet, these inherit the operator's attributes."""
    nodes: list[RawNode] = []
    new: list[int] = []
    for node in graph.nodes:
        node.inputs = [(new[n], i) for n, i in node.inputs]
        names = _input_names(node.op, node.attrs) if node.op is not None else ()
        for name in names[len(node.inputs) :]:
            node.inputs.append((len(nodes), 0))
            nodes.append(RawNode(None, f"{node.name}_{name}" if node.name else name, dict(node.attrs), []))
        new.append(len(nodes))
        nodes.append(node)
    graph.nodes = nodes
    graph.heads = [(new[n], i) for n, i in graph.heads]


def _set_initializers(graph: RawGraph) -> None:
    """Files before 0.9.4 do not say how variables that belong to an operator start."""
    for node in graph.nodes:
        for i, initializer in _INITIALIZERS.get(node.op or "", {}).items():
            if i < len(node.inputs) and graph.nodes[node.inputs[i][0]].op is None:
                graph.nodes[node.inputs[i][0]].attrs.setdefault("__init__", initializer)


def _drop_last_axis(graph: RawGraph) -> None:
    """Files before 0.9.5 write axis -1 for "all elements" in argmax and argmin."""
    for node in graph.nodes:
        if node.op in ("argmax", "argmin") and node.attrs.get("axis") == "-1":
            del node.attrs["axis"]
