"""What commands know of a model: files of every kind, sizes of inputs, what cannot be read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from gluon_onnx.graph.exporters.params import write_params
from gluon_onnx.tools.model_file import (
    Layer,
    Tensor,
    ask,
    choose_file,
    open_path,
    parse_inputs,
    require_supported,
)
from gluon_onnx.tools.nodes import in_block
from gluon_onnx.tools.outcome import CommandError

from .commands import MXNET, ONNX, PARAMS, SMALL, UNKNOWN, answer


def symbol(folder: Path, nodes: list[dict[str, Any]], weights: dict[str, tuple[int, ...]]) -> Path:
    """A symbol with one output, the last node, and parameters of these shapes beside it."""
    numbers = {node["name"]: i for i, node in enumerate(nodes)}
    for node in nodes:
        node["inputs"] = [[numbers[name], 0, 0] for name in node.get("inputs", [])]
    document = {
        "nodes": nodes,
        "arg_nodes": [i for i, node in enumerate(nodes) if node["op"] == "null"],
        "heads": [[len(nodes) - 1, 0, 0]],
        "attrs": {"mxnet_version": ["int", 10901]},
    }
    path = folder / "net-symbol.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    if weights:
        arrays = [np.zeros(shape, np.float32) for shape in weights.values()]
        write_params(folder / "net-0000.params", arrays, [f"arg:{name}" for name in weights])
    return path


def var(name: str, **attrs: str) -> dict[str, Any]:
    return {"op": "null", "name": name, "attrs": attrs}


def op(kind: str, name: str, *inputs: str, **attrs: str) -> dict[str, Any]:
    return {"op": kind, "name": name, "inputs": list(inputs), "attrs": attrs}


def conv(name: str, data: str, **attrs: str) -> list[dict[str, Any]]:
    """A 3x3 convolution with 4 filters."""
    attrs = {"kernel": "(3, 3)", "num_filter": "4", "no_bias": "True", **attrs}
    return [var(f"{name}_weight"), op("Convolution", name, data, f"{name}_weight", **attrs)]


def dense(name: str, data: str, **attrs: str) -> list[dict[str, Any]]:
    attrs = {"num_hidden": "2", "no_bias": "True", **attrs}
    return [var(f"{name}_weight"), op("FullyConnected", name, data, f"{name}_weight", **attrs)]


@pytest.mark.parametrize(
    ("nodes", "weights", "shape", "note"),
    [
        (dense("fc", "data"), {"fc_weight": (2, 7)}, (1, 7), None),
        (conv("c", "data"), {"c_weight": (4, 3, 3, 3)}, (1, 3, None, None), "say --input data:1x3xHxW"),
        (conv("c", "data", num_group="2"), {"c_weight": (4, 3, 3, 3)}, (1, 6, None, None), "data:1x6xHxW"),
        (
            [*conv("c", "data"), *dense("fc", "c")],
            {"c_weight": (4, 3, 3, 3), "fc_weight": (2, 4 * 6 * 6)},
            (1, 3, 8, 8),
            "input 'data': 1x3x8x8 follows from the weights",
        ),
        (
            [*conv("c", "data", stride="(2, 2)"), *dense("fc", "c")],
            {"c_weight": (4, 1, 3, 3), "fc_weight": (2, 4 * 7 * 7)},
            (1, 1, 16, 16),
            "assumed 1x1x16x16; sizes from 15 to 16 fit the weights",
        ),
        (
            [
                *conv("c", "data"),
                op("Pooling", "p", "c", kernel="(2, 2)", stride="(2, 2)", pooling_convention="full"),
                *dense("fc", "p"),
            ],
            {"c_weight": (4, 3, 3, 3), "fc_weight": (2, 4 * 5 * 5)},
            (1, 3, 12, 12),
            "sizes from 11 to 12 fit the weights",
        ),
        (
            [*conv("c", "data"), op("Pooling", "p", "c", global_pool="True", kernel="(1, 1)"), *dense("fc", "p")],
            {"c_weight": (4, 3, 3, 3), "fc_weight": (2, 4)},
            (1, 3, None, None),
            "say --input data:1x3xHxW",
        ),
        (
            [
                op("_minus_scalar", "minus", "data", scalar="127.5"),
                op("SliceChannel", "slice", "minus", num_outputs="2"),
                *conv("c", "slice"),
                op("Flatten", "flat", "c"),
                *dense("fc", "flat"),
            ],
            {"c_weight": (4, 3, 3, 3), "fc_weight": (2, 4 * 9)},
            (1, 6, 5, 5),
            "input 'data': 1x6x5x5 follows from the weights",
        ),
        (
            [*conv("c", "data", layout="NHWC")],
            {"c_weight": (4, 3, 3, 3)},
            None,
            "the shape of the input 'data' does not follow from the model: say --input data:SHAPE",
        ),
        ([op("relu", "r", "data")], {}, None, "say --input data:SHAPE"),
        ([*conv("c", "data"), *dense("fc", "c")], {"c_weight": (4, 3, 3, 3), "fc_weight": (2, 7)},
         (1, 3, None, None), "say --input data:1x3xHxW"),
    ],
    ids=["dense", "conv", "groups", "exact", "assumed", "full", "global", "slices", "nhwc", "none", "nothing-fits"],
)  # fmt: skip
def test_the_shape_of_an_input_follows_from_weights(
    nodes: list[dict[str, Any]],
    weights: dict[str, tuple[int, ...]],
    shape: tuple[int | None, ...] | None,
    note: str | None,
    tmp_path: Path,
) -> None:
    model = open_path(symbol(tmp_path, [var("data"), *json.loads(json.dumps(nodes))], weights))
    assert [tensor.shape for tensor in model.inputs] == [shape]
    assert [n for n in model.notes if note is not None and note in n] or note is None


def test_a_declared_shape_counts_more_than_a_guess(tmp_path: Path) -> None:
    nodes = [var("data", __shape__="(5, 3, 20, 30)"), *conv("c", "data")]
    model = open_path(symbol(tmp_path, nodes, {"c_weight": (4, 3, 3, 3)}))
    assert model.outputs[0].shape == (5, 4, 18, 28)


def test_a_given_shape_counts_more_than_any(tmp_path: Path) -> None:
    nodes = [var("data", __shape__="(5, 3, 20, 30)"), *conv("c", "data")]
    path = symbol(tmp_path, nodes, {"c_weight": (4, 3, 3, 3)})
    assert open_path(path, shapes={"data": (2, 3, 9, 9)}).outputs[0].shape == (2, 4, 7, 7)


def test_labels_are_no_inputs(tmp_path: Path) -> None:
    nodes = [var("data"), *dense("fc", "data"), var("label"), op("SoftmaxOutput", "out", "fc", "label")]
    model = open_path(symbol(tmp_path, nodes, {"fc_weight": (2, 7)}))
    assert ([t.name for t in model.inputs], model.labels) == (["data"], ["label"])
    assert "not needed to run: label (read by a loss layer only)" in model.notes


def test_missing_and_superfluous_parameters_are_told(tmp_path: Path) -> None:
    model = open_path(symbol(tmp_path, [var("data"), *dense("fc", "data")], {"other": (2, 7)}))
    assert [note.split("/")[0] for note in model.notes[-2:]] == [
        "parameters without a value in ", "parameters in no place of the graph, but in ",
    ]  # fmt: skip
    assert model.notes[-2].endswith(": fc_weight") and model.notes[-1].endswith(": other")


def test_a_model_with_unknown_operators_is_read_around_them() -> None:
    model = open_path(UNKNOWN, PARAMS, {"data": (1, 1, 12, 12)})
    shapes = {layer.name: layer.outputs[0].shape for layer in model.layers}
    assert shapes["small_conv0_fwd"] == (1, 4, 12, 12)
    assert (shapes["small_batchnorm0_fwd"], shapes["small_flatten0_flatten0"]) == (None, None)
    assert shapes["small_dense0_fwd"] is None
    assert [(fault.node, fault.unsupported) for fault in model.faults] == [
        ("small_batchnorm0_fwd", True), ("small_pool0_fwd", False), ("small_flatten0_flatten0", True),
    ]  # fmt: skip
    assert [tensor.name for tensor in model.inputs] == ["data"]


def test_many_faults_are_told_in_short(tmp_path: Path) -> None:
    chain = [op("Nope", f"n{i}", f"n{i - 1}" if i else "data") for i in range(2000)]
    model = open_path(symbol(tmp_path, [var("data"), *chain, op("Xyzzy", "last", "n1999")], {}))
    assert (len(model.layers), len(model.faults)) == (2001, 2001)
    with pytest.raises(CommandError, match="operator 'Nope'") as error:
        require_supported(model)
    assert str(error.value).endswith(
        "operator 'Nope' (node 'n0'); not supported: operator 'Xyzzy' (node 'last'); "
        "and 1999 more: gluon-onnx check lists them all"
    )


@pytest.mark.parametrize("version", ["0.9.5", "0.11.0", "1.0.0", "1.3.1", "1.6.0", "1.9.1"])
def test_files_of_every_mxnet_open(version: str) -> None:
    model = open_path(MXNET / version / "module-symbol.json")
    assert model.params_path == MXNET / version / "module-0003.params"
    assert model.parameters and not model.faults
    assert [tensor.name for tensor in model.inputs] == ["data"]
    assert model.outputs[0].size is not None


def test_a_plain_list_of_arrays_has_numbers_as_names() -> None:
    model = open_path(MXNET / "1.9.1" / "list.params")
    assert [(p.name, p.shape) for p in model.parameters.values()] == [("0", (2, 2)), ("1", (1,))]


def test_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    save_file({"w": weight, "steps": np.array([7], np.int64)}, path, {"epoch": "3"})
    parameters = open_path(path).parameters
    assert {p.name: (p.dtype, p.shape, p.nbytes) for p in parameters.values()} == {
        "w": ("float32", (2, 3), 24), "steps": ("int64", (1,), 8),
    }  # fmt: skip
    assert (parameters["w"].load() == weight).all()
    assert [chunk.tolist() for chunk in parameters["w"].chunks(4)] == [[0, 1, 2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"", "its header would end at byte"),
        (b"[1]", "its header is not an object"),
        (b"{", "its header is not JSON"),
        (
            b'{"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}',
            "tensor 'w': 12 bytes of float32 (3,)",
        ),
        (
            b'{"w": {"dtype": "F9", "shape": [3], "data_offsets": [0, 12]}}',
            "tensor 'w': its type, shape or offsets",
        ),
        (
            b'{"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}',
            "tensor 'w': 12 bytes of float32 (3,)",
        ),
        (b'{"w": 1}', "tensor 'w': its type, shape or offsets are malformed"),
    ],
    ids=["empty", "list", "broken", "offsets", "type", "short", "number"],
)
def test_damaged_safetensors(header: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes((len(header).to_bytes(8, "little") + header) if header else b"")
    with pytest.raises(ValueError, match=r"bad\.safetensors") as error:
        open_path(path)
    assert message in str(error.value)


def with_parameters_as_inputs(path: Path) -> None:
    """The small ONNX model with its floating-point constants as inputs, as models of training artifacts have them."""
    model = onnx.load(ONNX)
    learnt = [stored for stored in model.graph.initializer if stored.data_type == TensorProto.FLOAT]
    for stored in learnt:
        model.graph.initializer.remove(stored)
        model.graph.input.append(helper.make_tensor_value_info(stored.name, stored.data_type, stored.dims))
    onnx.save(model, path / "inference_model.onnx")
    arrays = {stored.name: numpy_helper.to_array(stored) for stored in learnt}
    states = {f"{name}.mean": np.zeros_like(value) for name, value in arrays.items()}
    save_file({**arrays, **states}, path / "checkpoint")


def test_parameters_of_training_artifacts_are_in_the_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_parameters_as_inputs(tmp_path)
    model = open_path(tmp_path)
    assert [tensor.name for tensor in model.inputs] == ["data"]
    assert model.parameters.keys() == open_path(ONNX).parameters.keys()
    assert model.notes == [
        f"{tmp_path / 'checkpoint'} also holds 9 arrays that this model does not read, as states of the optimizer"
    ]
    assert len(open_path(tmp_path / "checkpoint").parameters) == 18
    assert answer(capsys, "diff", tmp_path, ONNX)["equal"] is True
    answer(capsys, "extract", tmp_path, "--to", "small_dense0_fwd_output", "-o", tmp_path / "whole.onnx")
    assert answer(capsys, "diff", tmp_path / "whole.onnx", ONNX)["equal"] is True


def test_a_checkpoint_of_onnx_runtime_is_left_alone(tmp_path: Path) -> None:
    with_parameters_as_inputs(tmp_path)
    (tmp_path / "checkpoint").write_bytes(b"\x10\0\0\0ODTC" + bytes(20))
    model = open_path(tmp_path)
    assert "small_conv1_bias" in [tensor.name for tensor in model.inputs]
    assert model.notes[-1].endswith("checkpoint is of ONNX Runtime's on-device training: it was not read")


def artifacts(folder: Path, *names: str) -> Path:
    for name in names:
        shutil.copy(ONNX, folder / name) if name.endswith(".onnx") else (folder / name).write_text("{}")
    return folder


def test_a_folder_of_training_artifacts(tmp_path: Path) -> None:
    names = [
        "eval_model.onnx",
        "inference_model.onnx",
        "manifest.json",
        "optimizer_model.onnx",
        "training_model.onnx",
    ]
    model = open_path(artifacts(tmp_path, *names))
    assert model.path == tmp_path / "inference_model.onnx"
    assert [path.name for path in model.others] == [name for name in names if name != "inference_model.onnx"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["training_model.onnx", "eval_model.onnx", "optimizer_model.onnx"], "eval_model.onnx"),
        (["optimizer_model.onnx", "training_model.onnx"], "training_model.onnx"),
        (["a.onnx", "a-symbol.json"], "a.onnx"),
        (["a-symbol.json", "a-0000.params", "a-0001.params"], "a-symbol.json"),
        (["a-0000.params", "readme.txt"], "a-0000.params"),
    ],
    ids=["evaluation", "training", "onnx", "symbol", "params"],
)
def test_the_model_of_a_folder(names: list[str], found: str, tmp_path: Path) -> None:
    assert choose_file(artifacts(tmp_path, *names))[0].name == found


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["readme.txt"], "no file named *.onnx, *-symbol.json or *.params is in this folder"),
        (["a.onnx", "b.onnx"], "name one of the models in this folder: a.onnx, b.onnx"),
    ],
    ids=["none", "two"],
)
def test_a_folder_without_one_model(names: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r".") as error:
        choose_file(artifacts(tmp_path, *names))
    assert message in str(error.value)


def test_shapes_given_for_onnx_replace_open_ones() -> None:
    model = open_path(ONNX, shapes={"data": (5, 1, 12, 12)})
    assert (model.inputs[0].shape, model.outputs[0].shape) == ((5, 1, 12, 12), (5, 10))
    assert model.sizes["small_dense0_fwd_output"] == (5, 10)


def test_an_open_batch_counts_as_one() -> None:
    model = open_path(ONNX)
    assert model.inputs[0].shape == ("batch", 1, 12, 12)
    assert (model.sizes["data"], model.sizes["small_dense0_fwd_output"]) == ((1, 1, 12, 12), (1, 10))


def onnx_file(path: Path, location: str | None = None, **entries: str) -> Path:
    """Adds a constant to a vector; with a location, the constant's data lies there."""
    stored = numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")
    if location is not None:
        stored.ClearField("raw_data")
        stored.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            stored.external_data.add(key=key, value=value)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "m", 4]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y], [stored])
    path.write_bytes(
        helper.make_model(
            graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]
        ).SerializeToString()
    )
    return path


@pytest.mark.parametrize(
    ("location", "entries", "message"),
    [
        ("../outside.bin", {}, "its data lies outside the model's folder: '../outside.bin'"),
        ("/etc/passwd", {}, "its data lies outside the model's folder: '/etc/passwd'"),
        ("link.bin", {}, "its data lies outside the model's folder: 'link.bin'"),
        ("nowhere.bin", {}, "the file of its data is missing"),
        ("short.bin", {}, "16 bytes from 0 on are not in"),
        ("data.bin", {"offset": "8"}, "16 bytes from 8 on are not in"),
        ("data.bin", {"offset": "x"}, "the offset of its data is 'x'"),
    ],
)
def test_external_data_that_cannot_be_read(
    location: str, entries: dict[str, str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "outside.bin").write_bytes(bytes(16))
    inner = tmp_path / "model"
    inner.mkdir()
    (inner / "short.bin").write_bytes(bytes(4))
    (inner / "data.bin").write_bytes(bytes(16))
    (inner / "link.bin").symlink_to(tmp_path / "outside.bin")
    model = open_path(onnx_file(inner / "m.onnx", location, **entries))
    with pytest.raises(CommandError, match="tensor 'w'") as error:
        model.parameters["w"].load()
    assert message in str(error.value)


def test_onnx_asks_for_what_is_open_besides_the_batch(tmp_path: Path) -> None:
    model = open_path(onnx_file(tmp_path / "m.onnx"))
    assert model.notes == [
        "the shape (n, m, 4) of the input 'x' does not follow from the model: say --input x:1xHx4"
    ]
    assert "y" not in model.sizes


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (None, "the shape of the input 'x' does not follow from the model: say --input x:SHAPE"),
        ((None, 3, None, None), "say --input x:1x3xHxW"),
        (("n", 3, 7), "say --input x:1x3x7"),
    ],
    ids=["nothing", "picture", "batch"],
)
def test_what_is_asked_for(shape: tuple[int | str | None, ...] | None, text: str) -> None:
    assert text in ask(Tensor("x", "float32", shape))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["data"], "expected NAME:SHAPE"),
        (["data:"], "expected NAME:SHAPE"),
        ([":1x2"], "expected NAME:SHAPE"),
        (["data:1x-2"], "expected NAME:SHAPE"),
        (["data:1x2x"], "expected NAME:SHAPE"),
        (["data:1", "data:2"], "the shape of data is given twice"),
    ],
    ids=["name", "no-shape", "no-name", "negative", "open-end", "twice"],
)
def test_malformed_shapes(texts: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        parse_inputs(texts)


def test_shapes_of_inputs() -> None:
    assert parse_inputs(["data:1x3x224x224", "a:b:5"]) == {"data": (1, 3, 224, 224), "a:b": (5,)}


@pytest.mark.parametrize(
    ("name", "block", "path", "inside"),
    [
        ("x", "features.5.0.body", "features.5", True),
        ("x", "features.5", "features.5", True),
        ("x", "features.50", "features.5", False),
        ("net_stage1_conv0_fwd", "", "net_stage1", True),
        ("net_stage1_conv0_fwd", "", "net_stage1_", True),
        ("net_stage10_conv0_fwd", "", "net_stage1", False),
        ("net_stage1_conv0_fwd", "", "stage1", False),
    ],
)
def test_nodes_of_a_block(name: str, block: str, path: str, inside: bool) -> None:
    assert in_block(Layer(name, "Convolution", (), (), {}, block), path) is inside


def test_functions_of_a_model_are_written_out(tmp_path: Path) -> None:
    function = helper.make_function(
        "own",
        "Twice",
        ["a"],
        ["b"],
        [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 18)],
    )
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Twice", ["x"], ["y"], domain="own")], "g", [x], [y])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    onnx.save(
        helper.make_model(graph, functions=[function], ir_version=9, opset_imports=opsets),
        tmp_path / "f.onnx",
    )
    model = open_path(tmp_path / "f.onnx")
    assert [layer.operator for layer in model.layers] == ["Add"]
    assert model.notes == ["written out: 1 function of the model"]


def test_parameters_of_other_files_than_symbols_are_refused() -> None:
    with pytest.raises(CommandError, match=r"--params .*: .*small\.onnx is not a -symbol\.json file"):
        open_path(ONNX, PARAMS)


def test_the_small_model_is_the_same_in_both_forms() -> None:
    first, second = open_path(SMALL), open_path(ONNX)
    assert first.sizes["data"] == second.sizes["data"]
    assert {n: p.shape for n, p in first.parameters.items()}.items() <= {
        n: p.shape for n, p in second.parameters.items()
    }.items()


@pytest.mark.parametrize("version", ["1.3.1", "1.6.0", "1.9.1"])
def test_loops_keep_their_bodies(version: str, tmp_path: Path) -> None:
    path = MXNET / version / "foreach-symbol.json"
    model = open_path(path, shapes={"x": (5, 2), "start": (2,)})
    assert [layer.operator for layer in model.layers] == ["_foreach"]
    assert [tensor.shape for tensor in model.outputs] == [(5, 2), (2,)]
    document = json.loads(path.read_text(encoding="utf-8"))
    for node in document["nodes"]:
        for body in node.get("subgraphs", []):
            next(inner for inner in body["nodes"] if inner["op"] == "relu")["op"] = "NoSuch"
    other = tmp_path / "net-symbol.json"
    other.write_text(json.dumps(document), encoding="utf-8")
    (fault,) = open_path(other).faults
    assert (fault.operator, fault.unsupported) == ("_foreach", True)
    assert "not supported: operator 'NoSuch'" in fault.message
