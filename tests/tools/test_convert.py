"""Conversion in both directions, verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import gluon_onnx as mx
from gluon_onnx._runtime import deploy
from gluon_onnx.tools import cli, convert

from .small_net import NODES, write_onnx, write_symbol

X = np.random.default_rng(3).random((2, 2, 8, 8), np.float32)


@pytest.fixture
def symbol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small network, in the current folder, with an input beside it."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    return write_symbol(tmp_path)


def answer(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 0) -> Any:
    """What the command prints as JSON."""
    assert cli.main(["convert", *map(str, argv), "--format", "json"]) == code
    return json.loads(capsys.readouterr().out)


def failure(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 2) -> str:
    """What the command says when it cannot do it."""
    assert cli.main(["convert", *map(str, argv)]) == code
    return capsys.readouterr().err


def session(path: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_mxnet_to_onnx(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = answer(capsys, symbol, "net-0003.params", "-o", "net.onnx", "--input", "data:2x2x8x8")
    assert list(facts["written"]) == ["net.onnx"] and facts["difference"] < 1e-6
    assert facts["dynamic_axes"] == {"data": {"0": "batch"}}
    found = session("net.onnx").run(None, {"data": X})[0]
    block = mx.gluon.SymbolBlock.imports(str(symbol), ["data"], "net-0003.params")
    np.testing.assert_allclose(found, block(mx.nd.array(X)).asnumpy(), rtol=1e-5)


def test_a_folder_stands_for_the_model_in_it(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = answer(capsys, symbol.parent, "-o", "net.onnx", "--input", "data=x.npy")
    assert facts["file"] == str(symbol) and facts["difference"] < 1e-6


def test_text(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["convert", str(symbol), "-o", "net.onnx", "--input", "data=x.npy"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == str(symbol) and "open axes of data: axis 0 batch" in lines
    assert lines[-1].startswith("verified: largest relative difference ")


def test_form_of_the_model(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Opset, fixed batch, normalized bytes, data in a file beside it."""
    argv = [
        "--opset",
        "18",
        "--static",
        "--mean",
        "10,20",
        "--std",
        "50",
        "--normalize",
        "--input-dtype",
        "uint8",
    ]
    facts = answer(capsys, symbol, "-o", "net.onnx", "--input", "data:1x2x8x8", "--external-data", *argv)
    assert list(facts["written"]) == ["net.onnx.data", "net.onnx"] and facts["dynamic_axes"] == {}
    model = onnx.load("net.onnx", load_external_data=False)
    assert model.opset_import[0].version == 18
    bytes_ = np.random.default_rng(0).integers(0, 256, (1, 2, 8, 8), np.uint8)
    scaled = (bytes_ - np.array([10, 20], np.float32)[:, None, None]) / 50
    block = mx.gluon.SymbolBlock.imports(str(symbol), ["data"], "net-0003.params")
    wanted = block(mx.nd.array(scaled)).asnumpy()
    np.testing.assert_allclose(session("net.onnx").run(None, {"data": bytes_})[0], wanted, rtol=1e-4)


def test_a_picture_is_normalized_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the model, where that is asked for: verification feeds it as it is."""
    cv2 = pytest.importorskip("cv2")
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("grey.png", np.full((4, 4, 3), 100, np.uint8))
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Conv2D(1, 1, use_bias=False, weight_initializer="ones", in_channels=3))
    net.initialize()
    net.hybridize()
    net(mx.nd.zeros((1, 3, 4, 4)))
    net.export("net")
    form = ["--mean", "90", "--std", "5", "--normalize", "--input", "data=grey.png:1x3x4x4"]
    answer(capsys, "net-symbol.json", "-o", "whole.onnx", *form)
    x = np.full((1, 3, 4, 4), 100, np.float32)
    assert session("whole.onnx").run(None, {"data": x})[0].ravel().tolist() == [6.0] * 16


@pytest.mark.parametrize(
    ("argv", "tolerance"),
    [
        (["--dtype", "float16"], 2e-2),
        (["--quantize", "dynamic"], 0.25),
        (["--quantize", "static", "--calibration", "x.npy"], 0.25),
    ],
    ids=["float16", "dynamic", "static"],
)
def test_small_types(
    argv: list[str], tolerance: float, symbol: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = answer(capsys, symbol, "-o", "net.onnx", "--input", "data=x.npy", *argv)
    assert facts["tolerance"] == tolerance and 0 < facts["difference"] <= tolerance


def test_onnx_to_mxnet_and_back(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names of nodes and parameters, and numbers, are those of the first file."""
    answer(capsys, symbol, "-o", "net.onnx", "--input", "data=x.npy")
    facts = answer(capsys, "net.onnx", "-o", "back-symbol.json", "--input", "data=x.npy")
    assert list(facts["written"]) == ["back-symbol.json", "back-0000.params"] and facts["difference"] < 1e-6
    before, after = mx.sym.load(str(symbol)), mx.sym.load("back-symbol.json")
    assert {n.name for n in after.nodes() if n.op} == set(NODES)
    assert set(after.list_arguments()) == set(before.list_arguments()) - {"softmax_label"}
    assert after.list_auxiliary_states() == before.list_auxiliary_states()
    old, new = mx.nd.load("net-0003.params"), mx.nd.load("back-0000.params")
    assert set(new) == set(old)
    for name, value in new.items():
        np.testing.assert_array_equal(value.asnumpy(), old[name].asnumpy())
    assert cli.main(["compare", str(symbol), "back-symbol.json", "--input", "data=x.npy"]) == 0


def test_onnx_to_another_opset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = write_onnx(tmp_path / "net.onnx"), tmp_path / "new.onnx"
    facts = answer(capsys, model, "-o", out, "--opset", "21")
    assert facts["difference"] < 1e-6
    assert onnx.load(out).opset_import[0].version == 21


def test_a_model_that_mxnet_cannot_express(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All nodes are named, with reasons, and nothing is written."""
    graph = helper.make_graph(
        [
            helper.make_node("Det", ["x"], ["d"], name="first"),
            helper.make_node("MaxPool", ["p"], ["q"], name="second", kernel_shape=[2, 2], dilations=[2, 2]),
        ],
        "net",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 3]),
            helper.make_tensor_value_info("p", TensorProto.FLOAT, [1, 1, 5, 5]),
        ],
        [
            helper.make_tensor_value_info("d", TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info("q", TensorProto.FLOAT, None),
        ],
    )
    path, out = tmp_path / "n.onnx", tmp_path / "n-symbol.json"
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), path)
    error = failure(capsys, path, "-o", out, code=3)
    assert "2 nodes cannot be expressed by MXNet's operators" in error
    assert "Det (node 'first'): there is no operator for it" in error
    assert "MaxPool (node 'second'): MXNet's Pooling has no dilation" in error
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("direction", ["onnx", "mxnet"])
def test_a_difference_is_a_failed_check_and_leaves_what_was_there(
    direction: str, symbol: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if direction == "onnx":
        real = deploy.run_file
        monkeypatch.setattr(
            "gluon_onnx.gluon.export.run_file", lambda *a: [[y + 1 for y in ys] for ys in real(*a)]
        )
        model, out = symbol, Path("out.onnx")
    else:
        answer(capsys, symbol, "-o", "net.onnx", "--input", "data=x.npy")
        real_run = convert.run_session
        calls: list[int] = []

        def spoiled(*args: Any) -> list[Any]:
            calls.append(1)
            return [y + (len(calls) == 2) for y in real_run(*args)]

        monkeypatch.setattr(convert, "run_session", spoiled)
        model, out = Path("net.onnx"), Path("out-symbol.json")
    out.write_text("old")
    error = failure(capsys, model, "-o", out, "--input", "data=x.npy", code=1)
    assert "nothing was written" in error and "tolerance 0.0001" in error
    assert out.read_text() == "old" and not Path("out-0000.params").exists()


def test_without_verification(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = answer(capsys, symbol, "-o", "net.onnx", "--input", "data=x.npy", "--no-verify")
    assert facts["difference"] is None and Path("net.onnx").exists()


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["net-symbol.json", "-o", "out.pb"], 2, "-o out.pb: expected a file named *.onnx or *-symbol.json"),
        (["net-symbol.json", "-o", "out-symbol.json"], 2, "is of MXNet already"),
        (["absent-symbol.json", "-o", "out.onnx"], 2, "absent-symbol.json: No such file or directory"),
        (["net-symbol.json", "other.params", "-o", "out.onnx"], 2, "other.params: No such file or directory"),
        (["net-symbol.json", "-o", "out.onnx", "--opset", "5"], 3, "opset: expected 18 to"),
        (["net-symbol.json", "-o", "out.onnx", "--random-weights"], 2, "with the parameters that it has"),
        (["net-symbol.json", "-o", "out.onnx", "--normalize"], 2, "--normalize: needs --mean or --std"),
        (["net-symbol.json", "-o", "out.onnx", "--quantize", "static"], 2, "calibration need each other"),
        (
            ["net-symbol.json", "-o", "out.onnx", "--input-dtype", "words"],
            2,
            "--input-dtype words: no such type",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input(
    argv: list[str], code: int, message: str, symbol: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = [] if "absent" in argv[0] else ["--input", "data:1x2x8x8"]
    assert message in failure(capsys, *argv, *shape, code=code)
    assert not Path("out.onnx").exists()
