"""Damaged files: whatever a file holds, a command ends with one of its exit codes and a message, never a traceback."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

from gluon_onnx.graph.exporters.params import write_params
from gluon_onnx.tools import cli
from gluon_onnx.tools.outcome import ExitCode

from .commands import ONNX, PARAMS, SMALL, complaint

COMMANDS = ("summary", "nodes", "internals", "weights", "check", "diff", "extract")


def run_all(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """Exit codes of all commands on a file."""
    codes = {}
    for command in COMMANDS:
        argv = [command, str(path)]
        if command == "diff":
            argv.append(str(path))
        if command == "extract":
            argv += ["--to", "small_pool0_fwd_output", "-o", str(path.parent / "out.onnx")]
        codes[command] = cli.main(argv)
        captured = capsys.readouterr()
        assert codes[command] in set(ExitCode)
        assert "Traceback" not in captured.err
        if codes[command] == ExitCode.BAD_INPUT:
            assert captured.err.startswith(f"gluon-onnx {command}: ")
    return codes


def damaged(content: bytes, seed: int) -> bytes:
    """Cut, changed in some bytes, with a piece repeated or left out."""
    draw = random.Random(seed)
    data = bytearray(content)
    place, length = draw.randrange(len(data)), draw.randrange(1, 40)
    match seed % 4:
        case 0:
            del data[place:]
        case 1:
            for _ in range(draw.choice([1, 4])):
                data[draw.randrange(len(data))] = draw.choice([0, 255, draw.randrange(256)])
        case 2:
            data[place:place] = data[place : place + length]
        case _:
            del data[place : place + length]
    return bytes(data)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["symbol", "params", "onnx", "safetensors"])
def test_damaged_files(kind: str, seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = {"symbol": "m-symbol.json", "params": "m-0000.params", "onnx": "m.onnx"}.get(kind, "m.safetensors")
    path = tmp_path / name
    if kind == "safetensors":
        save_file({"w": np.arange(6, dtype=np.float32), "v": np.zeros((2, 3), np.int8)}, path)
    source = {"symbol": SMALL, "params": PARAMS, "onnx": ONNX}.get(kind, path)
    path.write_bytes(damaged(source.read_bytes(), seed))
    run_all(path, capsys)


def edit_node(name: str, key: str, value: str) -> Callable[[dict[str, Any]], None]:
    def edit(document: dict[str, Any]) -> None:
        node = next(node for node in document["nodes"] if node["name"] == name)
        if key in ("op", "inputs"):
            node[key] = json.loads(value) if key == "inputs" else value
        else:
            node.setdefault("attrs", {})[key] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (edit_node("data", "__dtype__", "full"), 2),
        (edit_node("data", "__dtype__", "99"), 2),
        (edit_node("data", "__shape__", "(1, 2, 3)"), 0),
        (edit_node("data", "__shape__", "x"), 2),
        (edit_node("small_conv0_fwd", "kernel", "(3, 3, 3)"), 0),
        (edit_node("small_conv0_fwd", "stride", "(0, 0)"), 0),
        (edit_node("small_conv0_fwd", "num_group", "0"), 0),
        (edit_node("small_pool0_fwd", "kernel", "()"), 0),
        (edit_node("small_pool0_fwd", "stride", "(99999999999, 1)"), 0),
        (edit_node("small_dense0_fwd", "num_hidden", "-1"), 0),
        (edit_node("small_conv1_fwd", "inputs", "[[0, 0, 0]]"), 2),
        (edit_node("small_conv0_fwd", "op", "FullyConnected"), 2),
    ],
    ids=lambda value: "" if isinstance(value, int) else None,
)
def test_attributes_without_sense(
    edit: Callable[[dict[str, Any]], None], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(SMALL.read_text(encoding="utf-8"))
    edit(document)
    path = tmp_path / "m-symbol.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "m-0000.params").write_bytes(PARAMS.read_bytes())
    assert run_all(path, capsys)["summary"] == code


@pytest.mark.parametrize("command", ["summary", "nodes", "internals", "weights", "check"])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.onnx", b"", "not an ONNX model: it has neither nodes nor operator sets"),
        ("m.onnx", b"\xff" * 20, "not an ONNX model"),
        ("m-symbol.json", b"", "not JSON"),
        ("m-symbol.json", b"[]", "expected a JSON object with 'nodes' and 'heads'"),
        ("m.params", b"", "the file is empty"),
        ("m.params", b"PK\x03\x04" + bytes(20), "this looks like a zip archive"),
        ("m.safetensors", b"", "not a safetensors file"),
        ("m.txt", b"", "expected a file named *-symbol.json, *.params, *.safetensors or *.onnx"),
    ],
    ids=["onnx-empty", "onnx", "json-empty", "json", "params-empty", "zip", "safetensors", "suffix"],
)
def test_files_of_no_such_kind(
    command: str, name: str, content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    said = complaint(capsys, command, path)
    assert said.startswith(str(path))
    assert message in said


def test_names_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.onnx"
    content = ONNX.read_bytes()
    path.write_bytes(content.replace(b"small_relu0", b"small_rel\xff0"))
    assert path.read_bytes() != content
    assert complaint(capsys, "nodes", path).endswith("not an ONNX model: a name in it is not UTF-8")


def test_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("m.onnx", "m-symbol.json", "m.params", "m.safetensors"):
        assert (
            complaint(capsys, "summary", tmp_path / name) == f"{tmp_path / name}: No such file or directory"
        )


def test_arrays_of_the_same_plain_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.params"
    write_params(path, [np.zeros(1, np.float32)] * 2, ["arg:w", "aux:w"])
    assert "arg:w" in complaint(capsys, "weights", path)


def test_a_deep_chain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    count = 20_000
    nodes = [onnx.helper.make_node("Relu", [f"v{n}"], [f"v{n + 1}"]) for n in range(count)]
    x, y = (onnx.helper.make_tensor_value_info(name, 1, [2]) for name in ("v0", f"v{count}"))
    graph = onnx.helper.make_graph(nodes, "g", [x], [y])
    path = tmp_path / "m.onnx"
    onnx.save(
        onnx.helper.make_model(graph, ir_version=9, opset_imports=[onnx.helper.make_opsetid("", 18)]), path
    )
    assert cli.main(["summary", str(path), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["nodes"], facts["activation_peak_bytes"]) == (count, 16)
