"""`summary`, `internals` and `weights` on small files of each kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gluon_onnx.graph.exporters.params import write_params
from gluon_onnx.tools import cli
from gluon_onnx.tools.model_file import beside
from gluon_onnx.tools.tables import shape_text, size_text

WEIGHT = np.arange(12, dtype=np.float32).reshape(3, 4)
BIAS = np.array([0.5, 0, -0.5], np.float32)
SYMBOL = {
    "nodes": [
        {"op": "null", "name": "data", "inputs": []},
        {"op": "null", "name": "fc_weight", "inputs": []},
        {"op": "null", "name": "fc_bias", "inputs": []},
        {
            "op": "FullyConnected",
            "name": "fc",
            "attrs": {"num_hidden": "3"},
            "inputs": [[0, 0, 0], [1, 0, 0], [2, 0, 0]],
        },
    ],
    "arg_nodes": [0, 1, 2],
    "heads": [[3, 0, 0]],
    "attrs": {"mxnet_version": ["int", 10901]},
}


@pytest.fixture
def symbol(tmp_path: Path) -> Path:
    """A -symbol.json with two .params beside it, of which the second counts."""
    path = tmp_path / "net-symbol.json"
    path.write_text(json.dumps(SYMBOL), encoding="utf-8")
    names = ["arg:fc_weight", "arg:fc_bias"]
    write_params(tmp_path / "net-0001.params", [WEIGHT[:, :2].copy(), BIAS], names)
    write_params(tmp_path / "net-0010.params", [WEIGHT, BIAS], names)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The same net as ONNX."""
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["data", "fc_weight", "fc_bias"], ["out"], name="fc", transB=1)],
        "net",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(WEIGHT, "fc_weight"), numpy_helper.from_array(BIAS, "fc_bias")],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), path)
    return path


def answer(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 0) -> Any:
    """What a command prints as JSON."""
    assert cli.main([*map(str, argv), "--format", "json"]) == code
    return json.loads(capsys.readouterr().out)


def lines(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 0) -> list[str]:
    """What a command prints as text, blanks squeezed."""
    assert cli.main([*map(str, argv)]) == code
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_summary_of_a_symbol(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = answer(capsys, "summary", symbol, "--input", "data:2x4")
    assert facts["inputs"] == [{"name": "data", "dtype": "float32", "shape": [2, 4]}]
    assert facts["outputs"] == [{"name": "fc_output", "dtype": "float32", "shape": [2, 3]}]
    assert facts["parameters"] == {"arrays": 2, "elements": 15, "bytes": 60, "dtypes": {"float32": 2}}
    assert facts["parameters_file"] == str(symbol.with_name("net-0010.params"))
    assert (facts["nodes"], facts["operators"]) == (1, {"FullyConnected": 1})


def test_summary_as_text(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, "summary", symbol, "--input", "data:2x4") == [
        f"{symbol}",
        "kind MXNet symbol of version 1.9.1",
        f"parameters 15 in 2 arrays of float32, 60 B, from {symbol.with_name('net-0010.params')}",
        "multiply-accumulates 24",
        "activations at most 56 B",
        "values float32",
        "",
        "name dtype shape",
        "input data float32 (2, 4)",
        "output fc_output float32 (2, 3)",
        "",
        "1 node",
        "operator count MACs share",
        "FullyConnected 1 24 100.0%",
    ]


def test_summary_of_onnx(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = answer(capsys, "summary", model)
    assert facts["inputs"] == [{"name": "data", "dtype": "float32", "shape": ["batch", 4]}]
    assert facts["outputs"] == [{"name": "out", "dtype": "float32", "shape": ["batch", 3]}]
    assert facts["parameters"]["elements"] == 15
    assert (facts["kind"], facts["opsets"]) == ("ONNX, IR version 9", {"ai.onnx": 18})


def test_summary_of_parameters_alone(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = answer(capsys, "summary", symbol.with_name("net-0001.params"))
    assert (facts["kind"], facts["parameters"]["elements"], facts["nodes"]) == ("MXNet parameters", 9, 0)


def test_without_parameters_the_inputs_are_guessed(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in symbol.parent.glob("*.params"):
        path.unlink()
    facts = answer(capsys, "summary", symbol)
    assert [tensor["name"] for tensor in facts["inputs"]] == ["data"]
    assert facts["parameters_file"] is None


def test_internals(symbol: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, "internals", symbol, "--input", "data:2x4") == [
        "name operator dtype shape",
        "data float32 (2, 4)",
        "fc_weight float32 (3, 4)",
        "fc_bias float32 (3)",
        "fc_output FullyConnected float32 (2, 3)",
    ]
    assert answer(capsys, "internals", model, "--match", "^Gemm") == [
        {"name": "out", "dtype": "float32", "shape": ["batch", 3], "operator": "Gemm", "node": "fc"}
    ]
    assert answer(capsys, "internals", model, "--match", "Conv") == []


@pytest.mark.parametrize("kind", ["net-0010.params", "net-symbol.json", "net.onnx"])
def test_weights(kind: str, symbol: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in answer(capsys, "weights", symbol.with_name(kind))}
    assert rows["fc_bias"] == {
        "name": "fc_bias", "dtype": "float32", "shape": [3], "min": -0.5, "max": 0.5, "mean": 0.0,
        "std": pytest.approx(np.std(BIAS)), "zeros": 1, "nan": 0, "inf": 0, "not_finite": 0,
        "farthest": pytest.approx(0.5 / np.std(BIAS)), "remark": "",
    }  # fmt: skip
    assert (rows["fc_weight"]["mean"], rows["fc_weight"]["zeros"]) == (5.5, 1)


def test_weights_with_nan_are_a_failed_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.params"
    arrays = [np.array([1, np.nan, -np.inf, 3], np.float32), np.array([np.nan], np.float32)]
    write_params(path, arrays, ["w", "v"])
    first, second = answer(capsys, "weights", path, code=1)
    assert (first["min"], first["max"], first["mean"], first["not_finite"]) == (1.0, 3.0, 2.0, 2)
    assert (second["min"], second["not_finite"]) == (None, 1)


def test_weights_in_another_file_are_read(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "external.onnx"
    onnx.save(onnx.load(model), path, save_as_external_data=True, location="external.bin", size_threshold=0)
    rows = {row["name"]: row for row in answer(capsys, "weights", path)}
    assert rows["fc_weight"]["max"] == 11


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["summary", "net.txt"], 2, "expected a file named *-symbol.json, *.params, *.safetensors or *.onnx"),
        (["summary", "net-symbol.json", "--input", "data"], 2, "--input data: expected NAME:SHAPE"),
        (["summary", "net-symbol.json", "--input", "data:2xx4"], 2, "--input data:2xx4: expected NAME:SHAPE"),
        (
            ["summary", "net-symbol.json", "--input", "x:2x4"],
            2,
            "--input x: net-symbol.json has the inputs data",
        ),
        (["internals", "net-symbol.json", "--match", "("], 2, "--match (: missing )"),
        (["summary", "broken-symbol.json"], 2, "broken-symbol.json: not JSON"),
        (["weights", "broken.params"], 2, "broken.params: "),
        (["summary", "broken.onnx"], 2, "broken.onnx: not an ONNX model"),
        (["summary", "empty.onnx"], 2, "empty.onnx: not an ONNX model"),
        (["summary", "unknown-symbol.json"], 3, "operator 'NoSuchOperator' (node 'fc')"),
    ],
    ids=lambda value: value[1] + " ".join(value[2:]) if isinstance(value, list) else "",
)
def test_bad_input(
    argv: list[str],
    code: int,
    message: str,
    symbol: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(symbol.parent)
    for name in ("broken-symbol.json", "broken.params", "broken.onnx"):
        Path(name).write_bytes(b"\x01 no such format")
    Path("empty.onnx").write_bytes(b"")
    Path("unknown-symbol.json").write_text(json.dumps(SYMBOL).replace("FullyConnected", "NoSuchOperator"))
    assert cli.main(argv) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith(f"gluon-onnx {argv[0]}: ")
    assert (captured.out == "") == (code != 3)  # what can be told of an unsupported model is told


def test_the_highest_number_counts(tmp_path: Path) -> None:
    for name in ("a-0002.params", "a-0010.params", "ab-0011.params", "a-best.params"):
        (tmp_path / name).touch()
    assert beside(tmp_path / "a-symbol.json") == tmp_path / "a-0010.params"
    assert beside(tmp_path / "b-symbol.json") is None
    assert beside(tmp_path / "a.json") is None


@pytest.mark.parametrize(
    ("shape", "text"),
    [(None, "?"), ((), "()"), ((1, None, "n"), "(1, ?, n)")],
    ids=["unknown", "scalar", "mixed"],
)
def test_shape_text(shape: tuple[object, ...] | None, text: str) -> None:
    assert shape_text(shape) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 20, "3.0 MiB"), (5 << 30, "5.0 GiB")],
)
def test_size_text(count: int, text: str) -> None:
    assert size_text(count) == text
