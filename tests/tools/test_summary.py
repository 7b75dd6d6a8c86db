"""`summary`, `nodes` and `internals` on the small model: what they print, to the letter."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gluon_onnx.graph.importers.symbol_json import load_json

from .commands import MXNET, ONNX, PARAMS, SMALL, UNKNOWN, answer, complaint, lines

NOTE = "note: input 'data': assumed 1x1x12x12; sizes from 12 to 15 fit the weights; --input data:SHAPE says otherwise"


def test_summary_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, "summary", SMALL) == [
        f"{SMALL}",
        "kind MXNet symbol of version 1.9.1",
        f"parameters 1,078 in 9 arrays of float32, 4.2 KiB, from {PARAMS}",
        "multiply-accumulates 16.3 k",
        "activations at most 4.5 KiB",
        "values float32",
        NOTE,
        "",
        "name dtype shape",
        "input data float32 (1, 1, 12, 12)",
        "output small_dense0_fwd_output float32 (1, 10)",
        "",
        "9 nodes",
        "operator count MACs share",
        "Convolution 2 15.6 k 95.6%",
        "Activation 2",
        "Pooling 2",
        "BatchNorm 1",
        "Flatten 1",
        "FullyConnected 1 720 4.4%",
    ]


def test_columns_of_plain_tables_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    from gluon_onnx.tools import cli

    assert cli.main(["summary", str(SMALL)]) == 0
    table = capsys.readouterr().out.splitlines()[-7:]
    assert table == [
        "operator        count    MACs  share",
        "Convolution         2  15.6 k  95.6%",
        "Activation          2",
        "Pooling             2",
        "BatchNorm           1",
        "Flatten             1",
        "FullyConnected      1     720   4.4%",
    ]


def test_summary_of_onnx(capsys: pytest.CaptureFixture[str]) -> None:
    facts = answer(capsys, "summary", ONNX)
    assert facts["opsets"] == {"ai.onnx": 26}
    assert (facts["macs"], facts["activation_peak_bytes"]) == (16272, 4608)
    assert facts["macs_by_operator"] == {"Conv": 15552, "Gemm": 720}
    assert facts["inputs"] == [{"name": "data", "dtype": "float32", "shape": ["batch", 1, 12, 12]}]
    assert facts["metadata"]["gluon_onnx"]


def test_summary_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("inference_model.onnx", "training_model.onnx"):
        shutil.copy(ONNX, tmp_path / name)
    facts = answer(capsys, "summary", tmp_path)
    assert facts["file"] == str(tmp_path / "inference_model.onnx")
    assert facts["other_files"] == [str(tmp_path / "training_model.onnx")]


def test_the_batch_multiplies_the_costs(capsys: pytest.CaptureFixture[str]) -> None:
    for path in (SMALL, ONNX):
        facts = answer(capsys, "summary", path, "--input", "data:3x1x12x12")
        assert (facts["macs"], facts["activation_peak_bytes"]) == (3 * 16272, 3 * 4608)


def test_summary_of_what_is_not_supported(capsys: pytest.CaptureFixture[str]) -> None:
    facts = answer(capsys, "summary", UNKNOWN, code=3)
    assert facts["operators"]["GroupedNorm"] == facts["operators"]["Unroll"] == 1
    assert facts["macs"] is None


@pytest.mark.parametrize("path", [SMALL, ONNX], ids=["symbol", "onnx"])
@pytest.mark.parametrize("shape", ["1x2x12x12", "1x12x12"])
def test_shapes_that_do_not_fit(path: Path, shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"--input data:{shape}" in complaint(capsys, "summary", path, "--input", f"data:{shape}")


def test_nodes_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, "nodes", SMALL, "--op", "Convolution|FullyConnected|Flatten") == [
        "name operator output parameters MACs attributes",
        "small_conv0_fwd Convolution (1, 4, 12, 12) 36 5.18 k dilate=(1, 1) kernel=(3, 3) layout=NCHW no_bias=True"
        " num_filter=4 num_group=1 pad=(1, 1) stride=(1, 1)",
        "small_conv1_fwd Convolution (1, 8, 6, 6) 296 10.4 k dilate=(1, 1) kernel=(3, 3) layout=NCHW no_bias=False"
        " num_filter=8 num_group=1 pad=(1, 1) stride=(1, 1)",
        "small_flatten0_flatten0 Flatten (1, 72)",
        "small_dense0_fwd FullyConnected (1, 10) 730 720 flatten=True no_bias=False num_hidden=10",
        "4 of 9 nodes, 16.3 k multiply-accumulates",
        NOTE,
    ]


@pytest.mark.parametrize(
    ("path", "options", "expected"),
    [
        (SMALL, ["--match", "conv1"], ["small_conv1_fwd", "small_conv1_relu_fwd"]),
        (SMALL, ["--op", "Pool"], []),
        (SMALL, ["--op", "Pool.*"], ["small_pool0_fwd", "small_pool1_fwd"]),
        (SMALL, ["--block", "small_conv1"], ["small_conv1_fwd", "small_conv1_relu_fwd"]),
        (SMALL, ["--block", "small_conv1", "--op", "Activation"], ["small_conv1_relu_fwd"]),
        (ONNX, ["--block", "4"], ["small_conv1_fwd/Conv", "small_conv1_relu_fwd/Relu"]),
        (SMALL, ["--sort", "parameters", "--op", "Conv.*|Full.*"],
         ["small_dense0_fwd", "small_conv1_fwd", "small_conv0_fwd"]),
        (SMALL, ["--sort", "macs", "--op", "Conv.*|Full.*"],
         ["small_conv1_fwd", "small_conv0_fwd", "small_dense0_fwd"]),
    ],
)  # fmt: skip
def test_nodes_are_filtered(
    path: Path, options: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert [row["name"] for row in answer(capsys, "nodes", path, *options)] == expected


def test_a_node_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = answer(capsys, "nodes", ONNX, "--op", "Gemm")
    assert row == {
        "name": "small_dense0_fwd_output",
        "operator": "Gemm",
        "inputs": ["small_flatten0_flatten0/Reshape", "small_dense0_weight", "small_dense0_bias"],
        "outputs": [{"name": "small_dense0_fwd_output", "dtype": "float32", "shape": ["batch", 10]}],
        "attributes": {"transB": "1"},
        "parameters": 730,
        "macs": 720,
        "block": "7",
    }


def test_nodes_of_parameters_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert "this file holds parameters only" in complaint(capsys, "nodes", PARAMS)


@pytest.mark.parametrize(
    "path",
    [SMALL, *sorted(MXNET.glob("*/*-symbol.json"))],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_internals_are_those_of_get_internals(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = load_json(path.read_bytes()).get_internals().list_outputs()
    assert [row["name"] for row in answer(capsys, "internals", path)] == expected


def test_internals_are_filtered(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, "internals", SMALL, "--match", "^Pooling|dense0_fwd") == [
        "name operator dtype shape",
        "small_pool0_fwd_output Pooling float32 (1, 4, 6, 6)",
        "small_pool1_fwd_output Pooling float32 (1, 8, 3, 3)",
        "small_dense0_fwd_output FullyConnected float32 (1, 10)",
        NOTE,
    ]
