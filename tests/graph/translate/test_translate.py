"""ONNX models in MXNet's operators: each gives what ONNX Runtime gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from gluon_onnx.graph.errors import FormatError
from gluon_onnx.graph.exporters.onnx import symbol_to_onnx
from gluon_onnx.graph.exporters.symbol_json import to_json
from gluon_onnx.graph.importers.symbol_json import load_json
from gluon_onnx.graph.translate import Inexpressible, Translated, translate

Array = np.ndarray[Any, Any]
DRAW = np.random.default_rng(0)


def model_of(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, Array],
    constants: dict[str, Array],
    outputs: list[str],
    opset: int = 18,
    batch: bool = False,
) -> onnx.ModelProto:
    """A model; with `batch` the first axis of the inputs is open."""

    def info(name: str, x: Array) -> onnx.ValueInfoProto:
        shape = ["batch", *x.shape[1:]] if batch else x.shape
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), shape)

    graph = helper.make_graph(
        nodes,
        "net",
        [info(name, x) for name, x in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(x, name) for name, x in constants.items()],
    )
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", opset)])
    inferred = onnx.shape_inference.infer_shapes(model)
    known = {value.name: value for value in inferred.graph.value_info}
    known.update((value.name, value) for value in inferred.graph.output)
    del model.graph.output[:]
    model.graph.output.extend(known[name] for name in outputs)
    return model


def evaluate(model: onnx.ModelProto, inputs: dict[str, Array]) -> list[Array]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[Array] = session.run(None, inputs)
    return found


def run(found: Translated, inputs: dict[str, Array]) -> list[Array]:
    """What the translation gives, after a way through MXNet's JSON."""
    symbol = load_json(to_json(found.symbol), "translation")
    specs = {n: (x.dtype, x.shape) for n, x in inputs.items()}
    return evaluate(
        ir.serde.serialize_model(symbol_to_onnx(symbol, specs, {**found.args, **found.aux})), inputs
    )


def same(model: onnx.ModelProto, inputs: dict[str, Array]) -> list[str]:
    """Check that the translation gives the model's outputs; the names of its operators."""
    found = translate(model)
    assert found.inputs == list(inputs)
    for wanted, got in zip(evaluate(model, inputs), run(found, inputs), strict=True):
        assert got.shape == (wanted.shape or (1,))
        np.testing.assert_allclose(got.astype(np.float64), wanted.astype(np.float64), rtol=1e-5, atol=1e-5)
    return [node.op.name for node in found.symbol.nodes() if node.op is not None]


def f(*shape: int) -> Array:
    return DRAW.standard_normal(shape).astype(np.float32)


def p(*shape: int) -> Array:
    return DRAW.random(shape).astype(np.float32) + 0.1


def i(*values: int) -> Array:
    return np.array(values, np.int64)


PICTURE = f(2, 4, 7, 9)

# Operator, attributes, inputs that are fed, constants behind them (None is left out), operators of the translation.
ROWS: list[tuple[str, dict[str, Any], list[Array], list[Array | None], str]] = [
    *((op, {}, [p(2, 3)], [], name) for op, name in [
        ("Abs", "abs"), ("Exp", "exp"), ("Log", "log"), ("Sqrt", "sqrt"), ("Neg", "negative"), ("Erf", "erf"),
        ("Floor", "floor"), ("Ceil", "ceil"), ("Reciprocal", "reciprocal"), ("Sin", "sin"),
        ("Atan", "arctan"), ("Sign", "sign"), ("Relu", "Activation"), ("Sigmoid", "Activation"),
        ("Tanh", "Activation"), ("Softplus", "Activation"), ("Softsign", "Activation"), ("Selu", "LeakyReLU"),
        ("Mish", "Activation tanh elemwise_mul"), ("HardSwish", "hard_sigmoid elemwise_mul"),
    ]),
    ("LeakyRelu", {"alpha": 0.3}, [f(2, 3)], [], "LeakyReLU"),
    ("Elu", {"alpha": 0.7}, [f(2, 3)], [], "LeakyReLU"),
    ("PRelu", {}, [PICTURE], [f(4, 1, 1)], "LeakyReLU"),
    ("PRelu", {}, [PICTURE], [f(1)], "LeakyReLU"),
    ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}, [f(2, 3)], [], "hard_sigmoid"),
    ("Clip", {}, [f(2, 3)], [np.float32(-0.5), np.float32(0.5)], "clip"),
    ("Clip", {}, [f(2, 3)], [None, np.float32(0.5)], "_minimum_scalar"),
    ("Clip", {}, [f(2, 3)], [np.float32(-0.5)], "_maximum_scalar"),
    ("Add", {}, [f(2, 3), f(2, 3)], [], "broadcast_add"),
    ("Add", {}, [f(2, 3)], [np.float32(2)], "_plus_scalar"),
    ("Sub", {}, [f(2, 3)], [f(3)], "broadcast_sub"),
    ("Div", {}, [f(2, 3, 4), p(4)], [], "expand_dims expand_dims broadcast_div"),
    ("Mul", {}, [f(2, 3)], [f(1, 1, 1)], "expand_dims broadcast_mul"),
    ("Pow", {}, [p(2, 3)], [np.float32(2)], "_power_scalar"),
    ("Max", {}, [f(2, 3), f(2, 3), f(1, 3)], [], "broadcast_maximum broadcast_maximum"),
    ("Min", {}, [f(2, 3)], [np.float32(0)], "_minimum_scalar"),
    ("Sum", {}, [f(2, 3), f(2, 3)], [f(2, 3)], "broadcast_add broadcast_add"),
    ("Mean", {}, [f(2, 3), f(2, 3)], [], "broadcast_add _div_scalar"),
    ("Less", {}, [f(2, 3)], [np.float32(0)], "_lesser_scalar"),
    ("GreaterOrEqual", {}, [f(2, 3), f(2, 3)], [], "broadcast_greater_equal"),
    ("Cast", {"to": TensorProto.INT32}, [f(2, 3)], [], "Cast"),
    ("Cast", {"to": TensorProto.BOOL}, [f(2, 3)], [], "_not_equal_scalar"),
    ("ReduceMean", {"keepdims": 0}, [PICTURE], [i(2, -1)], "mean"),
    ("ReduceSum", {}, [PICTURE], [], "sum"),
    ("ReduceSum", {"noop_with_empty_axes": 1}, [PICTURE], [], "_copy"),
    ("ReduceMax", {}, [PICTURE], [i(1)], "max"),
    ("ReduceL1", {}, [PICTURE], [i(1)], "abs sum"),
    ("ReduceL2", {"keepdims": 0}, [PICTURE], [i(1)], "square sum sqrt"),
    ("ReduceSumSquare", {}, [PICTURE], [i(3)], "square sum"),
    ("ReduceLogSumExp", {}, [f(2, 3)], [i(1)], "exp sum log"),
    ("ArgMax", {"axis": 1, "keepdims": 0}, [PICTURE], [], "argmax Cast"),
    ("ArgMin", {"axis": -1}, [f(2, 3)], [], "argmin Cast"),
    ("TopK", {"axis": 1}, [f(2, 5)], [i(3)], "topk"),
    ("TopK", {"axis": -1, "largest": 0}, [f(2, 5)], [i(2)], "topk"),
    ("Conv", {"pads": [1, 1, 1, 1], "strides": [2, 1]}, [PICTURE], [f(6, 4, 3, 3), f(6)], "Convolution"),
    ("Conv", {"group": 2, "dilations": [2, 2]}, [PICTURE], [f(6, 2, 2, 2)], "Convolution"),
    ("Conv", {"pads": [0, 1, 1, 2]}, [PICTURE], [f(3, 4, 2, 2)], "Pad Convolution"),
    ("Conv", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, [PICTURE], [f(3, 4, 2, 3)], "Pad Convolution"),
    ("Conv", {"auto_pad": "SAME_LOWER"}, [PICTURE], [f(3, 4, 3, 3)], "Convolution"),
    ("Conv", {"pads": [1, 1]}, [f(2, 4, 7)], [f(3, 4, 3)], "Convolution"),
    ("Conv", {}, [f(1, 2, 4, 4, 4)], [f(3, 2, 2, 2, 2)], "Convolution"),
    ("Conv", {}, [PICTURE, f(3, 4, 2, 2)], [], "Convolution"),
    ("ConvTranspose", {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 0]}, [PICTURE],
     [f(4, 3, 3, 3), f(3)], "Deconvolution"),
    ("ConvTranspose", {"strides": [3, 2], "pads": [1, 1, 0, 1]}, [PICTURE], [f(4, 3, 3, 3)], "Deconvolution"),
    ("ConvTranspose", {"group": 2}, [PICTURE], [f(4, 3, 2, 2)], "Deconvolution"),
    ("MaxPool", {"kernel_shape": [2, 3], "strides": [2, 2]}, [PICTURE], [], "Pooling"),
    ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, [PICTURE], [], "Pooling"),
    ("MaxPool", {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1]}, [f(1, 2, 3, 3) - 9], [], "Pad Pooling"),
    ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, [PICTURE], [], "Pooling"),
    ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, [PICTURE], [], "Pooling"),
    ("LpPool", {"kernel_shape": [2, 2]}, [PICTURE], [], "Pooling"),
    ("GlobalAveragePool", {}, [PICTURE], [], "Pooling"),
    ("GlobalMaxPool", {}, [f(2, 3, 5)], [], "Pooling"),
    ("BatchNormalization", {"epsilon": 1e-3}, [PICTURE], [f(4), f(4), f(4), p(4)], "BatchNorm"),
    ("InstanceNormalization", {}, [PICTURE], [f(4), f(4)], "InstanceNorm"),
    ("LayerNormalization", {"epsilon": 1e-3}, [f(2, 3, 5)], [f(5), f(5)], "LayerNorm"),
    ("LayerNormalization", {}, [f(2, 5)], [f(5)], "LayerNorm"),
    ("LRN", {"size": 3, "alpha": 0.1, "bias": 2.0}, [PICTURE], [], "LRN"),
    ("LpNormalization", {"axis": 1}, [PICTURE], [], "square sum sqrt broadcast_div"),
    ("Softmax", {"axis": 1}, [PICTURE], [], "softmax"),
    ("LogSoftmax", {}, [f(2, 5)], [], "log_softmax"),
    ("Dropout", {}, [f(2, 5)], [np.float32(0.3)], "Dropout"),
    ("Gemm", {"transB": 1}, [f(2, 5)], [f(3, 5), f(3)], "FullyConnected"),
    ("Gemm", {"alpha": 0.5, "beta": 2.0}, [f(2, 5)], [f(5, 3), f(1, 3)], "FullyConnected"),
    ("Gemm", {"transA": 1}, [f(5, 2)], [f(5, 3)], "transpose FullyConnected"),
    ("Gemm", {"beta": 3.0}, [f(2, 5)], [f(5, 3), f(2, 1)], "FullyConnected _mul_scalar broadcast_add"),
    ("Gemm", {"alpha": 2.0, "transB": 1}, [f(2, 5), f(3, 5), f(3)], [], "dot _mul_scalar expand_dims broadcast_add"),
    ("MatMul", {}, [f(2, 5)], [f(5, 3)], "FullyConnected"),
    ("MatMul", {}, [f(2, 4, 5)], [f(5, 3)], "FullyConnected"),
    ("MatMul", {}, [f(2, 5), f(5, 3)], [], "dot"),
    ("MatMul", {}, [f(2, 4, 5), f(2, 5, 3)], [], "_linalg_gemm2"),
    ("Flatten", {}, [PICTURE], [], "Flatten"),
    ("Flatten", {"axis": 2}, [PICTURE], [], "Reshape"),
    ("Flatten", {"axis": 0}, [PICTURE], [], "Reshape"),
    ("Reshape", {}, [PICTURE], [i(0, -1)], "Flatten"),
    ("Reshape", {}, [PICTURE], [i(-1, 4 * 7 * 9)], "Flatten"),
    ("Reshape", {}, [PICTURE], [i(0, 2, 2, -1)], "Reshape"),
    ("Transpose", {"perm": [0, 2, 3, 1]}, [PICTURE], [], "transpose"),
    ("Transpose", {}, [f(2, 3)], [], "transpose"),
    ("Squeeze", {}, [f(2, 1, 3, 1)], [i(1, -1)], "squeeze"),
    ("Unsqueeze", {}, [f(2, 3)], [i(0, -1)], "expand_dims expand_dims"),
    ("Concat", {"axis": 1}, [f(2, 3), f(2, 4)], [f(2, 1)], "Concat"),
    ("Slice", {}, [PICTURE], [i(1, -3), i(3, 2**62), i(2, 3)], "slice_axis slice_axis"),
    ("Slice", {}, [PICTURE], [i(5), i(-100), i(2), i(-2)], "slice"),
    ("Expand", {}, [f(2, 1, 3)], [i(4, 1, 5, 1)], "expand_dims broadcast_to"),
    ("Tile", {}, [f(2, 3)], [i(2, 1)], "tile"),
    ("Pad", {}, [PICTURE], [i(0, 0, 1, 2, 0, 0, 0, 1), np.float32(3)], "Pad"),
    ("Pad", {"mode": "edge"}, [PICTURE], [i(1, 2), None, i(3)], "Pad"),
    ("Pad", {"mode": "reflect"}, [PICTURE], [i(0, 0, 1, 1, 0, 0, 1, 1)], "Pad"),
    ("Gather", {"axis": 1}, [PICTURE], [np.int64(-1)], "slice_axis squeeze"),
    ("Gather", {"axis": 1}, [PICTURE], [i(2, 0)], "take"),
    ("DepthToSpace", {"blocksize": 2}, [PICTURE], [], "depth_to_space"),
    ("SpaceToDepth", {"blocksize": 2}, [f(2, 3, 4, 6)], [], "space_to_depth"),
    ("Resize", {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, [PICTURE],
     [None, np.array([1, 1, 2, 2], np.float32)], "UpSampling"),
    ("Resize", {"mode": "linear", "coordinate_transformation_mode": "align_corners"}, [PICTURE],
     [None, None, i(2, 4, 10, 12)], "_contrib_BilinearResize2D"),
    ("Identity", {}, [f(2)], [], "_copy"),
    ("Where", {}, [f(2, 3) > 0, f(2, 3), f(2, 3)], [], "where"),
    ("Where", {}, [f(2, 3) > 0, f(3)], [np.float32(-1)], "expand_dims broadcast_to where"),
    ("Slice", {}, [PICTURE], [i(-100), i(3), i(1)], "slice_axis"),
]  # fmt: skip


def one_node(
    op: str,
    attributes: dict[str, Any],
    fed: list[Array],
    constants: list[Array | None],
    outputs: int = 1,
    opset: int = 18,
) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """A model of one node, and its inputs."""
    names = [f"x{k}" for k in range(len(fed))]
    stored = {f"c{k}": np.asarray(x) for k, x in enumerate(constants) if x is not None}
    words = [*names, *("" if x is None else f"c{k}" for k, x in enumerate(constants))]
    made = [f"y{k}" for k in range(outputs)]
    node = helper.make_node(op, words, made, name="node", **attributes)
    inputs = dict(zip(names, fed, strict=True))
    return model_of([node], inputs, stored, made, opset), inputs


@pytest.mark.parametrize(
    ("op", "attributes", "fed", "constants", "operators"),
    [pytest.param(*row, id=f"{k}-{row[0]}") for k, row in enumerate(ROWS)],
)
def test_one_node(
    op: str, attributes: dict[str, Any], fed: list[Array], constants: list[Array | None], operators: str
) -> None:
    model, inputs = one_node(op, attributes, fed, constants, 2 if op == "TopK" else 1)
    assert " ".join(same(model, inputs)) == operators


@pytest.mark.parametrize(
    ("sizes", "operators"),
    [(None, ["SliceChannel"]), (i(1, 3), ["slice_axis", "slice_axis"])],
    ids=["equal", "unequal"],
)
def test_split(sizes: Array | None, operators: list[str]) -> None:
    attributes: dict[str, Any] = {"axis": 1} if sizes is not None else {"axis": 1, "num_outputs": 2}
    model, inputs = one_node("Split", attributes, [PICTURE], [] if sizes is None else [sizes], 2)
    assert same(model, inputs) == operators


RECURRENT: list[tuple[str, int, int, dict[str, Any]]] = [
    ("LSTM", 4, 1, {}),
    ("LSTM", 4, 2, {"direction": "bidirectional"}),
    ("GRU", 3, 1, {"linear_before_reset": 1}),
    ("GRU", 3, 2, {"direction": "bidirectional", "linear_before_reset": 1}),
    ("RNN", 1, 1, {}),
    ("RNN", 1, 1, {"activations": ["Relu"]}),
]


@pytest.mark.parametrize("states", [True, False], ids=["states", "zeros"])
@pytest.mark.parametrize(("op", "gates", "directions", "attributes"), RECURRENT)
def test_recurrent_layers(
    op: str, gates: int, directions: int, attributes: dict[str, Any], states: bool
) -> None:
    """All outputs, with states given and without, in both directions."""
    size, width = 3, 5
    constants = [
        f(directions, gates * size, width),
        f(directions, gates * size, size),
        f(directions, 2 * gates * size),
    ]
    begin = [f(directions, 2, size) for _ in range(2 if op == "LSTM" else 1)] if states else []
    node = helper.make_node(
        op, ["x", "c0", "c1", "c2", "", *(f"s{k}" for k in range(len(begin)))],
        ["y", "h", "c"][: 3 if op == "LSTM" else 2], name="layer", hidden_size=size, **attributes,
    )  # fmt: skip
    inputs = {"x": f(4, 2, width), **{f"s{k}": x for k, x in enumerate(begin)}}
    model = model_of([node], inputs, {f"c{k}": x for k, x in enumerate(constants)}, list(node.output))
    assert "RNN" in same(model, inputs)


def test_outputs_that_nobody_wants_are_left_out() -> None:
    node = helper.make_node("RNN", ["x", "w", "r"], ["", "h"], name="layer", hidden_size=3)
    inputs = {"x": f(4, 2, 5)}
    assert "RNN" in same(model_of([node], inputs, {"w": f(1, 3, 5), "r": f(1, 3, 3)}, ["h"]), inputs)


def test_words_become_an_embedding() -> None:
    model, inputs = one_node("Identity", {}, [np.array([[1, 0], [4, 2]], np.int64)], [])
    model = model_of(
        [helper.make_node("Gather", ["table", "x0"], ["y0"], name="words")],
        inputs,
        {"table": f(5, 3)},
        ["y0"],
    )
    assert same(model, inputs) == ["Embedding"]


REFUSED: list[tuple[str, dict[str, Any], list[Array], list[Array | None], str]] = [
    ("Det", {}, [f(2, 3, 3)], [], "there is no operator for it"),
    ("MaxPool", {"kernel_shape": [2, 2], "dilations": [2, 2]}, [PICTURE], [], "has no dilation"),
    ("Gelu", {"approximate": "tanh"}, [f(2)], [], "no approximation of gelu"),
    ("PRelu", {}, [PICTURE], [f(7, 9)], "one number for each channel, not of shape (7, 9)"),
    ("Clip", {}, [f(2), np.float32(0).reshape(())], [], "its lower bound is computed when the model runs"),
    ("PRelu", {}, [f(3, 4, 5)], [f(5)], "one number for each channel, not of shape (5,)"),
    ("Round", {}, [f(2)], [], "there is no operator for it"),
    ("Dropout", {}, [f(2)], [np.float32(0.5), np.bool_(True)], "it is in training mode"),
    ("LpPool", {"kernel_shape": [2, 2], "p": 3}, [PICTURE], [], "by the 2-norm"),
    (
        "MaxPool",
        {"kernel_shape": [1, 1], "strides": [2, 2], "ceil_mode": 1},
        [f(1, 1, 2, 2)],
        [],
        "begin in the padding",
    ),
    ("Slice", {}, [PICTURE], [i(9), i(12), i(2)], "it selects nothing"),
    ("Split", {"axis": 0}, [f(2, 3)], [i(2, 0)], "a part has no elements"),
    (
        "Resize",
        {"coordinate_transformation_mode": "asymmetric"},
        [PICTURE],
        [None, np.array([1, 1, 2, 2], np.float32)],
        "which asymmetric with round_prefer_floor does not",
    ),
    ("Pad", {}, [f(2, 3)], [i(0, 1, 0, 0)], "pads the axes from the third on"),
    ("Pad", {"mode": "wrap"}, [PICTURE], [i(0, 0, 1, 1, 0, 0, 1, 1)], "no padding of mode wrap"),
    ("Cast", {"to": TensorProto.UINT16}, [f(2)], [], "no elements of type uint16"),
    ("Conv", {"pads": [0, 1]}, [f(2, 4, 7)], [f(3, 4, 3)], "four or five axes"),
    ("ConvTranspose", {"pads": [0, 0, 1, 1]}, [PICTURE], [f(4, 3, 3, 3)], "adds less than a stride"),
    ("ArgMax", {"select_last_index": 1}, [f(2, 3)], [], "the first of equal elements"),
    ("MatMul", {}, [f(3, 5), f(2, 5, 3)], [], "matrices of equal batches"),
    ("DepthToSpace", {"blocksize": 2, "mode": "CRD"}, [PICTURE], [], "DCR, not CRD"),
    ("Resize", {"mode": "cubic"}, [PICTURE], [None, None, i(2, 4, 10, 12)], "no resizing of mode cubic"),
    ("LayerNormalization", {"axis": 1}, [f(2, 3, 5)], [f(3, 5)], "over one axis"),
    ("GRU", {"hidden_size": 3}, [f(4, 2, 5)], [f(1, 9, 5), f(1, 9, 3)], "the reset gate after the product"),
    (
        "LSTM",
        {"hidden_size": 3, "direction": "reverse"},
        [f(4, 2, 5)],
        [f(1, 12, 5), f(1, 12, 3)],
        "runs forward",
    ),
    (
        "RNN",
        {"hidden_size": 3, "activations": ["Sigmoid"]},
        [f(4, 2, 5)],
        [f(1, 3, 5), f(1, 3, 3)],
        "the activations ['Sigmoid']",
    ),
    (
        "RNN",
        {"hidden_size": 3},
        [f(4, 2, 5)],
        [f(1, 3, 5), f(1, 3, 3), None, np.array([4, 2], np.int32)],
        "shorter than the data",
    ),
]


@pytest.mark.parametrize(
    ("op", "attributes", "fed", "constants", "reason"),
    [pytest.param(*row, id=f"{k}-{row[0]}") for k, row in enumerate(REFUSED)],
)
def test_what_mxnet_cannot_express_has_a_reason(
    op: str, attributes: dict[str, Any], fed: list[Array], constants: list[Array | None], reason: str
) -> None:
    opset = 20 if op == "Gelu" else 18
    model = one_node(op, attributes, fed, constants, 2 if op == "Split" else 1, opset)[0]
    with pytest.raises(Inexpressible) as raised:
        translate(model, "net.onnx")
    assert raised.value.nodes[0][:2] == (op, "node") and reason in raised.value.nodes[0][2]
    assert str(raised.value).startswith("net.onnx: 1 nodes cannot be expressed")


@pytest.mark.parametrize("fault", ["attribute", "tensor", "output"])
def test_damaged_models(fault: str) -> None:
    model, _ = one_node("Gemm", {"transB": 1}, [f(2, 5)], [f(3, 5)])
    if fault == "attribute":
        model.graph.node[0].attribute[0].name = "transX"
    elif fault == "tensor":
        model.graph.initializer[0].dims[0] = 4
    else:
        model.graph.output[0].name = "nowhere"
    with pytest.raises(FormatError, match=r"^net\.onnx: not a valid ONNX model: "):
        translate(model, "net.onnx")


def test_everything_that_is_refused_is_named_at_once() -> None:
    nodes = [
        helper.make_node("Det", ["x"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Foo", ["b"], ["y"], name="last", domain="own"),
    ]
    model = model_of(nodes[:2], {"x": f(2, 3, 3)}, {}, ["b"])
    model.graph.node.append(nodes[2])
    model.opset_import.append(helper.make_opsetid("own", 1))
    with pytest.raises(Inexpressible) as raised:
        translate(model)
    assert [row[:2] for row in raised.value.nodes] == [("Det", "first"), ("own.Foo", "last")]


def test_constants_are_computed() -> None:
    """A weight in a roundabout way, as exporters write it."""
    nodes = [
        helper.make_node("Constant", [], ["two"], value_float=2.0),
        helper.make_node("Mul", ["w", "two"], ["w2"]),
        helper.make_node("Transpose", ["w2"], ["w3"], perm=[1, 0]),
        helper.make_node("Gemm", ["x", "w3"], ["y"], name="fc"),
    ]
    inputs, weight = {"x": f(2, 4)}, f(3, 4)
    model = model_of(nodes, inputs, {"w": weight}, ["y"])
    assert same(model, inputs) == ["FullyConnected"]
    found = translate(model)
    np.testing.assert_array_equal(found.args["fc_weight"], weight * 2)


def test_sizes_that_are_read_from_a_shape() -> None:
    """The way in which PyTorch's exporter flattens: the batch size comes from the input."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Constant", [], ["zero"], value_int=0),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Constant", [], ["axis"], value_ints=[0]),
        helper.make_node("Unsqueeze", ["n", "axis"], ["n1"]),
        helper.make_node("Constant", [], ["rest"], value_ints=[-1]),
        helper.make_node("Concat", ["n1", "rest"], ["shape"], axis=0),
        helper.make_node("Reshape", ["x", "shape"], ["y"], name="flat"),
    ]
    inputs = {"x": PICTURE}
    assert same(model_of(nodes, inputs, {}, ["y"]), inputs) == ["Flatten"]
    opened = model_of(nodes, inputs, {}, ["y"], batch=True)
    assert same(opened, inputs) == ["Flatten"]
    assert same(opened, {"x": f(5, 4, 7, 9)}) == ["Flatten"]


def test_names_come_back() -> None:
    """Parameters keep their names, nodes that MXNet's node became share its name, the last one bare."""
    first = helper.make_node("Mul", ["x", "scale"], ["a"], name="dense/Mul")
    second = helper.make_node("Gemm", ["a", "dense.weight"], ["y"], name="dense/Gemm", transB=1)
    for node in (first, second):
        node.metadata_props.add(key="node", value="dense")
    third = helper.make_node("Relu", ["y"], ["z"])
    inputs = {"x": f(2, 4)}
    found = translate(
        model_of([first, second, third], inputs, {"scale": f(1, 4), "dense.weight": f(3, 4)}, ["z", "y"])
    )
    names = [node.name for node in found.symbol.nodes()]
    assert names == ["x", "scale", "dense_mul", "dense_weight", "dense", "z"]
    assert list(found.args) == ["scale", "dense_weight"] and found.aux == {}


def test_shared_weights_stay_shared_and_outputs_can_be_anything() -> None:
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"], transB=1, name="one"),
        helper.make_node("Gemm", ["a", "w"], ["b"], transB=1, name="two"),
        helper.make_node("Identity", ["w"], ["c"]),
    ]
    inputs = {"x": f(2, 3)}
    model = model_of(nodes, inputs, {"w": f(3, 3)}, ["b", "a", "c"])
    assert same(model, inputs) == ["FullyConnected", "FullyConnected", "_copy"]
    assert list(translate(model).args) == ["w", "c"]


def test_running_statistics_are_auxiliary_states() -> None:
    model, inputs = one_node("BatchNormalization", {}, [PICTURE], [f(4), f(4), f(4), p(4)])
    found = translate(model)
    assert list(found.args) == ["c0", "c1"] and list(found.aux) == ["c2", "c3"]
    assert found.symbol.list_auxiliary_states() == ["c2", "c3"]
    assert len(run(found, inputs)) == 1


def test_older_opsets_are_converted() -> None:
    node = helper.make_node("Squeeze", ["x"], ["y"], axes=[1])
    inputs = {"x": f(2, 1, 3)}
    assert same(model_of([node], inputs, {}, ["y"], opset=11), inputs) == ["squeeze"]
