"""`check`: everything that stands in the way at once, the share of what works, exit codes."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from gluon_onnx.graph.exporters.params import write_params
from gluon_onnx.graph.importers.params import read_params
from gluon_onnx.tools.kernels import missing_kernel, table

from .commands import MXNET, ONNX, PARAMS, SMALL, UNKNOWN, answer, complaint, lines


def kinds(found: Any) -> list[tuple[str, str, str]]:
    return [(problem["kind"], problem["node"], problem["operator"]) for problem in found["problems"]]


def test_a_good_symbol_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, "check", SMALL) == [
        str(SMALL),
        "result no problems",
        "coverage 100.0% of 9 nodes can be converted and run",
        f"checked operators, attributes, parameters in {PARAMS}, shapes, element types, conversion to ONNX,"
        f" kernels of ONNX Runtime {table()['version']} (cpu)",
        "note: input 'data': assumed 1x1x12x12; sizes from 12 to 15 fit the weights; --input data:SHAPE says otherwise",
    ]


def test_a_good_onnx_model(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "check", ONNX)
    assert (found["problems"], found["coverage"], found["exit_code"]) == ([], 1.0, 0)


def test_all_that_is_not_supported_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "check", UNKNOWN, "--params", PARAMS, code=3)
    assert kinds(found) == [
        ("operator", "small_batchnorm0_fwd", "GroupedNorm"),
        ("attribute", "small_pool0_fwd", "Pooling"),
        ("operator", "small_flatten0_flatten0", "Unroll"),
    ]
    assert found["coverage"] == pytest.approx(7 / 9)
    assert found["unsupported_operators"] == ["GroupedNorm", "Unroll"]
    assert "nearest names: GroupNorm" in found["problems"][0]["message"]
    assert (
        "parameter 'kernel': expected a tuple of integers, got '(2, two)'" in found["problems"][1]["message"]
    )


def test_coverage_is_never_rounded_to_all(capsys: pytest.CaptureFixture[str]) -> None:
    text = lines(capsys, "check", UNKNOWN, "--params", PARAMS, code=3)
    assert text[1:4] == [
        "result not supported",
        "coverage 77.8% of 9 nodes can be converted and run",
        "not supported GroupedNorm, Unroll",
    ]


def edited(folder: Path, changes: dict[str, dict[str, str]], arrays: Any = None) -> Path:
    """The small model with other attributes, and other shapes of parameters."""
    document = json.loads(SMALL.read_text(encoding="utf-8"))
    for node in document["nodes"]:
        node.get("attrs", {}).update(changes.get(node["name"], {}))
    path = folder / "edited-symbol.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    stored = {name: record.numpy() for name, record in read_params(PARAMS).as_dict().items()} | (arrays or {})
    stored = {name: value for name, value in stored.items() if value is not None}
    write_params(folder / "edited-0000.params", list(stored.values()), list(stored))
    return path


def test_all_contradictions_of_shapes_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {"small_conv0_fwd": {"num_filter": "5"}, "small_conv1_fwd": {"kernel": "(5, 5)"}}
    found = answer(capsys, "check", edited(tmp_path, changes), "--input", "data:1x1x12x12", code=1)
    assert kinds(found)[:2] == [
        ("shape", "small_conv0_fwd", "Convolution"), ("shape", "small_conv1_fwd", "Convolution"),
    ]  # fmt: skip
    assert (
        "argument 'weight': expected shape (5, 1, 3, 3), got (4, 1, 3, 3)" in found["problems"][0]["message"]
    )
    assert found["coverage"] == 1.0  # nothing that is not supported


def test_a_shape_that_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "check", SMALL, "--input", "data:1x2x12x12", code=1)
    assert kinds(found)[0] == ("shape", "small_conv0_fwd", "Convolution")


def test_parameters_of_another_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = {"arg:small_dense0_bias": None, "arg:other": np.zeros(3, np.float32)}
    found = answer(capsys, "check", edited(tmp_path, {}, arrays), code=1)
    assert kinds(found) == [("parameter", "small_dense0_bias", "")]
    assert found["notes"][0].endswith("has values that the graph does not use: other")


def test_a_model_for_any_size_is_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = edited(tmp_path, {"small_pool1_fwd": {"global_pool": "True"}}, {
        "arg:small_dense0_weight": np.zeros((10, 8), np.float32)
    })  # fmt: skip
    found = answer(capsys, "check", path)
    assert "conversion to ONNX" in found["checked"]
    assert found["notes"] == ["tried with data:1x1x224x224, since the model is for any size (or say --input)"]


def test_what_cannot_be_tried_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "check", MXNET / "0.8" / "v905-symbol.json")
    assert "conversion to ONNX" not in found["checked"]
    assert any("the whole was not converted" in note for note in found["notes"])


@pytest.mark.parametrize(("opset", "code"), [(26, 0), (18, 0), (17, 1)])
def test_opsets_of_a_symbol(opset: int, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "check", SMALL, "--opset", str(opset), code=code)
    assert [problem["kind"] for problem in found["problems"]] == ["opset"] * code


def test_opsets_of_onnx(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "check", ONNX, "--opset", "21", code=1)
    assert [problem["message"] for problem in found["problems"]] == [
        "1 node in the form that AveragePool has since opset 22",
        "2 nodes in the form that Conv has since opset 22",
        "1 node in the form that MaxPool has since opset 22",
        "1 node in the form that Reshape has since opset 25",
    ]
    found = answer(capsys, "check", ONNX, "--opset", "25")
    assert found["notes"] == ["declares opset 26, but uses nothing that is newer than 25"]
    assert "--opset 0: expected a positive number" in complaint(capsys, "check", ONNX, "--opset", "0")


def model(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    opset: int = 18,
    kind: int = TensorProto.FLOAT,
    **domains: int,
) -> Path:
    """A model from x to y, both of shape (1, 1, 4, 4)."""
    x, y = (helper.make_tensor_value_info(name, kind, [1, 1, 4, 4]) for name in "xy")
    weight = numpy_helper.from_array(np.ones((1, 1, 1, 1), helper.tensor_dtype_to_np_dtype(kind)), "w")
    opsets = [
        helper.make_opsetid("", opset),
        *(helper.make_opsetid(n.replace("_", "."), v) for n, v in domains.items()),
    ]
    graph = helper.make_graph(nodes, "g", [x], [y], [weight])
    path.write_bytes(helper.make_model(graph, ir_version=9, opset_imports=opsets).SerializeToString())
    return path


def test_unknown_operators_of_onnx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = helper.make_graph(
        [helper.make_node("Fancy", ["x"], ["z"], name="inner")],
        "b",
        [],
        [helper.make_tensor_value_info("z", 1, None)],
    )
    nodes = [
        helper.make_node("Wild", ["x"], ["a"], name="wild"),
        helper.make_node("Made", ["a"], ["b"], name="made", domain="some.where"),
        helper.make_node("Lost", ["b"], ["c"], name="lost", domain="no.where"),
        helper.make_node("FusedMatMul", ["c", "c"], ["d"], name="fused", domain="com.microsoft"),
        helper.make_node("NoSuch", ["d"], ["e"], name="none", domain="com.microsoft"),
        helper.make_node("Relu", ["e"], ["y"], name="relu"),
        helper.make_node("If", ["k"], ["f"], name="branch", then_branch=body, else_branch=body),
    ]
    path = model(tmp_path / "m.onnx", nodes, com_microsoft=1, some_where=1)
    found = answer(capsys, "check", path, code=3)
    messages = {problem["node"]: problem["message"] for problem in found["problems"]}
    assert messages == {
        "wild": "opset 18 has no operator Wild",
        "made": "operators some.where are not known: they need a library of their own",
        "lost": "the model declares no version of the operators no.where",
        "none": "ONNX Runtime has no operator com.microsoft.NoSuch",
        "inner": "opset 18 has no operator Fancy",
    }
    assert found["coverage"] == pytest.approx(4 / 9)


@pytest.mark.parametrize(
    ("opset", "message"),
    [(27, "opset 27 is newer than 26, the newest that is supported"), (6, "no kernel for version 6 of Relu")],
)
def test_an_opset_that_onnx_runtime_does_not_know(
    opset: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = model(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"], name="r")], opset)
    found = answer(capsys, "check", path, code=3 if opset > 26 else 0)
    assert (message in [problem["message"] for problem in found["problems"]]) == (opset > 26)


def test_a_kernel_that_the_cpu_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = model(
        tmp_path / "m.onnx", [helper.make_node("Conv", ["x", "w"], ["y"], name="c")], kind=TensorProto.DOUBLE
    )
    found = answer(capsys, "check", path, code=3)
    assert [(problem["kind"], problem["message"]) for problem in found["problems"]] == [
        (
            "kernel",
            "no kernel for Conv of float64 on the CPU; SymbolBlock.imports computes it by other operators",
        )
    ]


def test_an_invalid_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = model(tmp_path / "m.onnx", [helper.make_node("Conv", ["x", "nowhere"], ["y"], name="c")])
    found = answer(capsys, "check", path, code=1)
    assert [problem["kind"] for problem in found["problems"]] == ["file"]
    assert "nowhere" in found["problems"][0]["message"]


def test_parameters_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "check", PARAMS)
    assert (found["nodes"], found["coverage"]) == (0, None)
    assert found["notes"] == ["this file holds parameters only: there is no graph to check"]


def test_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(ONNX, tmp_path / "inference_model.onnx")
    assert answer(capsys, "check", tmp_path)["nodes"] == 9


@pytest.mark.parametrize("version", ["0.9.5", "0.11.0", "1.0.0", "1.3.1", "1.6.0", "1.9.1"])
def test_files_of_every_mxnet(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "check", MXNET / version / "module-symbol.json")
    assert (found["problems"], found["coverage"]) == ([], 1.0)


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from gluon_onnx._runtime import devices

    monkeypatch.setattr(devices, "num_gpus", lambda: 0)
    found = answer(capsys, "check", SMALL, "--provider", "cuda", code=1)
    assert [problem["kind"] for problem in found["problems"]] == ["provider"]
    assert [
        note for note in found["notes"] if note.startswith("on the CPU, with copies to and from the GPU: ")
    ]


def probe(op_type: str, kind: int, opset: int) -> tuple[onnx.NodeProto, bytes]:
    """A model of one operator with one input, and its node."""
    node = helper.make_node(op_type, ["x"], ["y"])
    x, y = (helper.make_tensor_value_info(name, kind, [2]) for name in "xy")
    graph = helper.make_graph([node], "g", [x], [y])
    made = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", opset)])
    return node, made.SerializeToString()


KINDS = {"float32": "float", "float64": "double", "float16": "float16", "int32": "int32", "uint8": "uint8"}
PROBED = (
    "Abs",
    "Acos",
    "Cos",
    "Erf",
    "Floor",
    "HardSwish",
    "Mish",
    "Neg",
    "Relu",
    "Sigmoid",
    "Sign",
    "Softplus",
)


def allowed(op_type: str, kind: str, opset: int) -> bool:
    """Whether ONNX has the operator for the element type."""
    try:
        schema = onnx.defs.get_schema(op_type, opset)
    except onnx.defs.SchemaError:
        return False
    return f"tensor({KINDS[kind]})" in schema.type_constraints[0].allowed_type_strs


@pytest.mark.parametrize(
    ("op_type", "kind", "opset"),
    [row for row in itertools.product(PROBED, KINDS, (13, 21, 26)) if allowed(*row)],
)
def test_the_table_of_kernels_says_what_onnx_runtime_does(op_type: str, kind: str, opset: int) -> None:
    number = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    node, content = probe(op_type, number, opset)
    expected = missing_kernel("cpu", node, opset, {"x": kind, "y": kind})
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        assert expected is not None
    else:
        assert expected is None
