"""`extract`: parts compute what the whole computes there, in both formats; what cannot be cut is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import gluon_onnx as mx
from gluon_onnx.gluon import SymbolBlock
from gluon_onnx.graph.importers.params import read_params

from .commands import ONNX, PARAMS, SMALL, UNKNOWN, answer, complaint, lines

IMAGE = np.random.RandomState(5).uniform(-1, 1, (2, 1, 12, 12)).astype(np.float32)
FIRST, LAST = "small_pool0_fwd_output", "small_flatten0_flatten0_output"


def value(name: str) -> np.ndarray:
    """A value inside the small model for the image."""
    part = mx.sym.load(str(SMALL)).get_internals()[name]
    block = SymbolBlock(part, mx.sym.var("data"))
    block.load_parameters(str(PARAMS), ignore_extra=True)
    return block(mx.nd.array(IMAGE)).asnumpy()


def run_onnx(path: Path, **feeds: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def test_features_of_a_symbol(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "features-symbol.json"
    assert lines(capsys, "extract", SMALL, "--to", LAST, "-o", out) == [
        f"written {out}, {tmp_path / 'features-0000.params'}",
        "input data (1, 1, 12, 12)",
        f"output {LAST} (1, 72)",
    ]
    block = SymbolBlock.imports(str(out), ["data"], str(tmp_path / "features-0000.params"))
    assert np.array_equal(block(mx.nd.array(IMAGE)).asnumpy(), value(LAST))


def test_only_parameters_of_the_part_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(capsys, "extract", SMALL, "--to", "small_relu0_fwd", "-o", tmp_path / "a-symbol.json")
    assert read_params(tmp_path / "a-0000.params").names == [
        "arg:small_conv0_weight", "arg:small_batchnorm0_gamma", "arg:small_batchnorm0_beta",
        "aux:small_batchnorm0_running_mean", "aux:small_batchnorm0_running_var",
    ]  # fmt: skip


def test_the_middle_of_a_symbol(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "middle-symbol.json"
    found = answer(capsys, "extract", SMALL, "--from", "small_pool0_fwd", "--to", LAST, "-o", out)
    assert (found["inputs"], found["outputs"]) == ([FIRST], [LAST])
    block = SymbolBlock.imports(str(out), [FIRST], str(tmp_path / "middle-0000.params"))
    assert np.array_equal(block(mx.nd.array(value(FIRST))).asnumpy(), value(LAST))


def test_the_middle_of_a_symbol_as_onnx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "middle.onnx"
    answer(capsys, "extract", SMALL, "--from", FIRST, "--to", LAST, "-o", out)
    (found,) = run_onnx(out, **{FIRST: value(FIRST)})
    assert np.allclose(found, value(LAST), atol=1e-6)


@pytest.mark.parametrize("names", [("small_pool0_fwd_output", "small_conv1_relu_fwd_output")])
def test_the_middle_of_onnx(
    names: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(ONNX)
    first = next(node.output[0] for node in model.graph.node if node.op_type == "MaxPool")
    last = [node.output[0] for node in model.graph.node if node.op_type == "Relu"][1]
    out = tmp_path / "middle.onnx"
    found = answer(capsys, "extract", ONNX, "--from", first, "--to", last, "-o", out)
    assert (found["inputs"], found["outputs"]) == ([first], [last])
    part = onnx.load(out)
    assert [node.op_type for node in part.graph.node] == ["Conv", "Relu"]
    assert sorted(stored.name for stored in part.graph.initializer) == [
        "small_conv1_bias",
        "small_conv1_weight",
    ]
    (result,) = run_onnx(out, **{first: value(names[0])})
    assert np.allclose(result, value(names[1]), atol=1e-6)


@pytest.mark.parametrize("name", [LAST, "small_flatten0_flatten0"])
def test_names_of_mxnet_in_an_exported_model(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(capsys, "extract", ONNX, "--to", name, "-o", tmp_path / "out.onnx")
    assert np.allclose(run_onnx(tmp_path / "out.onnx", data=IMAGE)[0], value(LAST), atol=1e-6)


def test_the_end_and_several_outputs_of_onnx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "two.onnx"
    flat = next(node.output[0] for node in onnx.load(ONNX).graph.node if node.op_type == "Reshape")
    answer(capsys, "extract", ONNX, "--to", flat, "--to", "small_dense0_fwd_output", "-o", out)
    features, logits = run_onnx(out, data=IMAGE)
    assert np.allclose(features, value(LAST), atol=1e-6)
    assert np.allclose(logits, value("small_dense0_fwd_output"), atol=1e-6)


def test_external_data_is_taken_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "external.onnx"
    onnx.save(onnx.load(ONNX), source, save_as_external_data=True, location="external.bin", size_threshold=0)
    out = tmp_path / "part" / "end.onnx"
    out.parent.mkdir()
    answer(capsys, "extract", source, "--to", "small_dense0_fwd_output", "-o", out)
    assert np.allclose(run_onnx(out, data=IMAGE)[0], value("small_dense0_fwd_output"), atol=1e-6)


def branch_model(path: Path) -> Path:
    """y = x + w in both branches of an If, which reads x and w from outside; z = x + u."""
    body = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["inner"])],
        "b",
        [],
        [helper.make_tensor_value_info("inner", 1, [2])],
    )
    nodes = [
        helper.make_node("If", ["c"], ["y"], name="branch", then_branch=body, else_branch=body),
        helper.make_node("Add", ["x", "u"], ["z"], name="other"),
    ]
    stored = [
        numpy_helper.from_array(np.ones(2, np.float32), "w"),
        numpy_helper.from_array(np.array(True), "c"),
    ]
    ins = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xu"]
    outs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "yz"]
    graph = helper.make_graph(nodes, "g", ins, outs, stored)
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), path)
    return path


def test_what_a_branch_reads_from_outside_comes_along(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.onnx"
    answer(capsys, "extract", branch_model(tmp_path / "m.onnx"), "--to", "y", "-o", out)
    part = onnx.load(out)
    assert [value.name for value in part.graph.input] == ["x"]
    assert run_onnx(out, x=np.zeros(2, np.float32))[0].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("source", "options", "out", "code", "message"),
    [
        (SMALL, [], "a-symbol.json", 2, "name the values to cut at, by --from, --to or both"),
        (SMALL, ["--to", LAST], "a.json", 2, "expected a file named *-symbol.json or *.onnx"),
        (SMALL, ["--to", "flatten0"], "a.onnx", 2, "--to flatten0: "),
        (SMALL, ["--to", "small_flatten0_flatten_output"], "a.onnx", 2, f"the nearest are {LAST}"),
        (
            SMALL,
            ["--from", LAST, "--to", FIRST],
            "a-symbol.json",
            2,
            f"--from {LAST}: {FIRST} does not depend on it",
        ),
        (
            ONNX,
            ["--from", "small_dense0_fwd_output", "--to", "data"],
            "a.onnx",
            2,
            "data does not depend on it",
        ),
        (ONNX, ["--to", "data"], "a-symbol.json", 3, "the operators of an ONNX model are not MXNet's"),
        (PARAMS, ["--to", "x"], "a.onnx", 2, "this file has no graph to cut"),
        (UNKNOWN, ["--to", "small_conv0_fwd"], "a.onnx", 3, "operator 'GroupedNorm'"),
    ],
    ids=["no-ends", "suffix", "name", "near", "order", "order-onnx", "format", "parameters", "unknown"],
)
def test_what_cannot_be_cut(
    source: Path,
    options: list[str],
    out: str,
    code: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert message in complaint(capsys, "extract", source, *options, "-o", tmp_path / out, code=code)
    assert list(tmp_path.iterdir()) == []


def test_another_input_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = branch_model(tmp_path / "m.onnx")
    said = complaint(capsys, "extract", model, "--from", "u", "--to", "z", "-o", tmp_path / "out.onnx")
    assert said == "z also depends on the input x, not only on u: name it by --from too"


def test_an_existing_file_survives_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.onnx"
    out.write_bytes(b"precious")
    complaint(capsys, "extract", SMALL, "--from", LAST, "--to", FIRST, "-o", out)
    assert out.read_bytes() == b"precious"
