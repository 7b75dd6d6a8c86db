"""`diff`: what counts as a difference, and what is told about it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from gluon_onnx.graph.exporters.params import write_params
from gluon_onnx.graph.importers.params import read_params
from gluon_onnx.tools.diff import pair_layers
from gluon_onnx.tools.model_file import Layer

from .commands import ONNX, PARAMS, SMALL, UNKNOWN, answer, complaint, lines

Edit = Callable[[str], str]


@pytest.fixture
def copy(tmp_path: Path) -> Callable[..., Path]:
    """Makes a copy of the small model: its JSON text edited, its arrays changed."""

    def make(edit: Edit = str, change: Callable[[dict[str, Any]], Any] = lambda arrays: None) -> Path:
        path = tmp_path / "copy-symbol.json"
        path.write_text(edit(SMALL.read_text(encoding="utf-8")), encoding="utf-8")
        arrays = {name: record.numpy().copy() for name, record in read_params(PARAMS).as_dict().items()}
        change(arrays)
        write_params(tmp_path / "copy-0000.params", list(arrays.values()), list(arrays))
        return path

    return make


def test_a_copy_is_equal(copy: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = copy()
    assert lines(capsys, "diff", SMALL, path) == [f"A {SMALL}", f"B {path}", "No differences."]
    assert answer(capsys, "diff", SMALL, path)["equal"] is True


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"(3, 3)"', '"(3,3)"'),
        ('"no_bias": "True"', '"no_bias": "1"'),
        ('"kernel": "(3, 3)", ', '"dilate": "(1, 1)", "kernel": "(3, 3)", '),
        ('"pooling_convention": "valid", ', ""),
    ],
    ids=["blank", "boolean", "same", "default"],
)
def test_the_same_attribute_written_otherwise(
    old: str, new: str, copy: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in SMALL.read_text(encoding="utf-8")
    assert answer(capsys, "diff", SMALL, copy(lambda text: text.replace(old, new)))["equal"] is True


@pytest.mark.parametrize(
    ("edit", "part", "changes"),
    [
        (lambda t: t.replace('"pool_type": "avg"', '"pool_type": "max"'), "attributes",
         [("attribute", "small_pool1_fwd.pool_type", "avg", "max")]),
        (lambda t: t.replace('"act_type": "relu"', '"act_type": "tanh"'), "attributes",
         [("attribute", f"small_{n}_fwd.act_type", "relu", "tanh") for n in ("relu0", "conv1_relu")]),
        (lambda t: t.replace('"op": "Flatten"', '"op": "sigmoid"'), "structure",
         [("operator", "small_flatten0_flatten0", "Flatten", "sigmoid")]),
        (lambda t: t.replace("small_relu0_fwd", "activated"), "structure",
         [("node", "small_relu0_fwd", "small_relu0_fwd", "activated")]),
    ],
    ids=["attribute", "two", "operator", "name"],
)  # fmt: skip
def test_what_differs_is_told(
    edit: Edit,
    part: str,
    changes: list[tuple[str, ...]],
    copy: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = answer(capsys, "diff", SMALL, copy(edit), code=1)
    rows = {
        name: [tuple(change.values()) for change in found[name]]
        for name in ("structure", "attributes", "weights")
    }
    assert rows == {"structure": [], "attributes": [], "weights": [], part: changes}


def test_other_wiring(copy: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    def skip_the_activation(text: str) -> str:
        document = json.loads(text)
        names = [node["name"] for node in document["nodes"]]
        pool = document["nodes"][names.index("small_pool0_fwd")]
        pool["inputs"] = [[names.index("small_batchnorm0_fwd"), 0, 0]]
        return json.dumps(document)

    found = answer(capsys, "diff", SMALL, copy(skip_the_activation), code=1)["structure"]
    assert [(change["part"], change["where"], change["first"], change["second"]) for change in found] == [
        ("node", "small_relu0_fwd", "Activation", None),
        ("wiring", "small_pool0_fwd", "small_relu0_fwd_output", "small_batchnorm0_fwd_output"),
    ]


def change_weights(arrays: dict[str, Any]) -> None:
    arrays["arg:small_dense0_weight"][3, 5] += 0.25
    arrays["arg:small_dense0_weight"][4, 5] -= 0.125
    arrays["arg:small_conv1_bias"] = arrays["arg:small_conv1_bias"].astype(np.float64)
    arrays["arg:added"] = np.zeros((2, 3), np.float32)


def test_weights(copy: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = copy(change=change_weights)
    text = lines(capsys, "diff", SMALL, path, code=1)
    assert text[2:] == [
        "Weights: 3 differences",
        "name what A B largest difference relative elements",
        "small_conv1_bias type float32 float64",
        "small_dense0_weight values 0.25 0.5 2",
        "added only in the second float32 (2, 3)",
    ]
    within = answer(capsys, "diff", SMALL, path, "--tolerance", "0.5", code=1)["weights"]
    assert [change["name"] for change in within] == ["small_conv1_bias", "added"]


def test_nan_is_equal_to_nan_only(copy: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    def spoil(arrays: dict[str, Any]) -> None:
        arrays["arg:small_conv1_bias"][2] = np.nan

    path = copy(change=spoil)
    (change,) = answer(capsys, "diff", SMALL, path, "--tolerance", "1", code=1)["weights"]
    assert (change["largest"], change["count"]) == ("inf", 1)
    assert answer(capsys, "diff", path, path)["equal"] is True


@pytest.mark.parametrize(
    ("only", "parts", "code"),
    [("structure", (), 0), ("attributes", ("attributes",), 1), ("weights", ("weights",), 1)],
)
def test_parts_of_the_comparison(
    only: str,
    parts: tuple[str, ...],
    code: int,
    copy: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = copy(lambda text: text.replace('"avg"', '"max"'), change_weights)
    found = answer(capsys, "diff", SMALL, path, "--only", only, code=code)
    assert tuple(name for name in ("structure", "attributes", "weights") if found[name]) == parts


def test_parameters_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "b.params"
    shutil.copy(PARAMS, path)
    assert answer(capsys, "diff", PARAMS, path)["equal"] is True
    found = answer(capsys, "diff", PARAMS, SMALL)
    assert found["notes"] == [f"only weights were compared: {PARAMS} has no graph"]


def test_a_symbol_and_its_export(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "diff", SMALL, ONNX, code=1)
    assert (found["structure"], found["attributes"]) == ([], [])
    assert [(change["what"], change["second"]) for change in found["weights"]] == [
        ("only in the second", "int64 (2)")  # the shape that Flatten became
    ]


def test_a_graph_without_weights(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "diff", SMALL, UNKNOWN, code=1)
    assert [change["where"] for change in found["structure"]] == [
        "small_batchnorm0_fwd",
        "small_flatten0_flatten0",
    ]
    assert [(c["where"], c["second"]) for c in found["attributes"]] == [
        ("small_pool0_fwd.kernel", "(2, two)")
    ]
    assert found["notes"] == [f"weights were not compared: {UNKNOWN} has none"]


def test_onnx_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = onnx.load(ONNX)
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            next(a for a in node.attribute if a.name == "epsilon").f = 1e-3
    constant = helper.make_tensor("value", 1, [9], [float(n) for n in range(9)])
    model.graph.node.append(helper.make_node("Constant", [], ["extra"], name="extra", value=constant))
    model.opset_import[0].version = 25
    onnx.save(model, tmp_path / "b.onnx")
    found = answer(capsys, "diff", ONNX, tmp_path / "b.onnx", code=1)
    assert [tuple(change.values()) for change in found["structure"]] == [
        ("opset", "ai.onnx", "26", "25"), ("node", "extra", None, "Constant"),
    ]  # fmt: skip
    assert [(c["first"], c["second"]) for c in found["attributes"]] == [("1e-05", "0.001")]
    shutil.copy(tmp_path / "b.onnx", tmp_path / "c.onnx")
    constant.float_data[8] = 7
    model.graph.node[-1].attribute[0].t.CopyFrom(constant)
    onnx.save(model, tmp_path / "b.onnx")
    found = answer(capsys, "diff", tmp_path / "c.onnx", tmp_path / "b.onnx", code=1)
    assert [change["where"] for change in found["attributes"]] == ["extra.value"]


def layers(*names: str) -> list[Layer]:
    return [Layer(name, name.rstrip("0123456789"), (), (), {}) for name in names]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (["a1", "b1"], ["b1", "a1"], [("a1", "a1"), ("b1", "b1")]),
        (["a1", "b1", "c1"], ["a7", "b7", "c7"], [("a1", "a7"), ("b1", "b7"), ("c1", "c7")]),
        (["a1", "b1", "c1"], ["a7", "c7"], [("a1", "a7"), ("b1", None), ("c1", "c7")]),
        (["a1"], ["a1", "b1"], [("a1", "a1"), (None, "b1")]),
        (["a1", "a1"], ["a1", "a1"], [("a1", "a1"), ("a1", "a1")]),
    ],
)
def test_nodes_that_go_together(
    first: list[str], second: list[str], expected: list[tuple[str | None, str | None]]
) -> None:
    pairs = pair_layers(layers(*first), layers(*second))
    assert [(a and a.name, b and b.name) for a, b in pairs] == expected


def test_bad_tolerance(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--tolerance -1.0: expected a number" in complaint(
        capsys, "diff", SMALL, SMALL, "--tolerance", "-1"
    )
