"""Commands that run models: run, compare, profile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import gluon_onnx as mx
from gluon_onnx._runtime.models import OPTIMIZATIONS
from gluon_onnx.tools import cli
from gluon_onnx.tools.compare import measure
from gluon_onnx.tools.runnable import Internal
from gluon_onnx.tools.settings import OPTIMIZATION_NAMES

from .small_net import NODES, write_onnx, write_symbol

X = np.random.default_rng(3).random((2, 2, 8, 8), np.float32)


@pytest.fixture
def symbol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small network, in the current folder, with an input beside it."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    return write_symbol(tmp_path)


def answer(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 0) -> Any:
    """What a command prints as JSON."""
    assert cli.main([*map(str, argv), "--format", "json"]) == code
    return json.loads(capsys.readouterr().out)


def text(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 0) -> str:
    """What a command prints."""
    assert cli.main([*map(str, argv)]) == code
    return capsys.readouterr().out


def failure(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 2) -> str:
    """What a command says when it cannot do it."""
    assert cli.main([*map(str, argv)]) == code
    captured = capsys.readouterr()
    assert captured.err.startswith(f"gluon-onnx {argv[0]}: ") and captured.out == ""
    return captured.err


def expected(path: Path, *names: str) -> list[np.ndarray[Any, Any]]:
    """Values of the network for X, from a block."""
    inner = mx.sym.load(str(path)).get_internals()
    block = mx.gluon.SymbolBlock([inner[n] for n in names], [mx.sym.var("data")])
    block.load_parameters(str(path.with_name("net-0003.params")), ignore_extra=True)
    return [y.asnumpy() for y in block(mx.nd.array(X))]


# -- run ----------------------------------------------------------------------------------------------------


def test_outputs_and_internals_go_to_a_file(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = answer(capsys, "run", symbol, "--input", "data=x.npy", "--dump", "^(bn|sum)_", "-o", "out.npz")
    found = np.load("out.npz")
    assert found.files == ["softmax_output", "bn_output", "sum_output"]
    for name, value in zip(found.files, expected(symbol, *found.files), strict=True):
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)
    assert facts["inputs"] == [{"name": "data", "dtype": "float32", "shape": [2, 2, 8, 8], "source": "x.npy"}]
    assert [(v["name"], v["shape"], v["nan"]) for v in facts["values"]] == [
        ("softmax_output", [2, 3], 0), ("bn_output", [2, 4, 8, 8], 0), ("sum_output", [2, 4, 8, 8], 0),
    ]  # fmt: skip
    assert facts["values"][1]["max"] == pytest.approx(found["bn_output"].max())


def test_text(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = text(capsys, "run", symbol, "--input", "data=x.npy", "-o", "out.npz").splitlines()
    squeezed = [" ".join(line.split()) for line in lines]
    assert squeezed[:3] == [
        f"{symbol}, on cpu", "input dtype shape from", "data float32 (2, 2, 8, 8) x.npy",
    ]  # fmt: skip
    assert squeezed[4] == "output dtype shape min max mean NaN"
    assert squeezed[5].startswith("softmax_output float32 (2, 3) ")
    assert squeezed[-1] == "1 arrays written to out.npz"


def test_random_inputs_follow_from_the_seed(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def values(*more: str) -> Any:
        return answer(capsys, "run", symbol, "--input", "data:1x2x8x8", *more)["values"]

    assert values() == values("--seed", "0") != values("--seed", "1")
    assert values("--batch", "3") == values()  # a shape that is given stays


@pytest.mark.parametrize("given", ["x.npz", "x.npz:data", "other.npz:y", "single.npz", "double.npy"])
def test_arrays_come_from_files(given: str, symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez("x.npz", data=X, y=X[:1])
    np.savez("other.npz", data=X[:1], y=X)
    np.savez("single.npz", z=X)
    np.save("double.npy", X.astype(np.float64))
    answer(capsys, "run", symbol, "--input", f"data={given}", "-o", "out.npz")
    np.testing.assert_allclose(
        np.load("out.npz")["softmax_output"], expected(symbol, "softmax_output")[0], rtol=1e-5
    )


def picture_net(path: Path) -> Path:
    """A model that hands its picture on."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["same"])],
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 4, 6])],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, None)],
    )
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), path)
    return path


def test_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red, green, blue from 0 to 255, channels first, resized to the input."""
    cv2 = pytest.importorskip("cv2")
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    cv2.imwrite("small.png", pixels[..., ::-1])
    cv2.imwrite("large.png", np.full((40, 60, 3), 7, np.uint8))
    model = picture_net(tmp_path / "p.onnx")

    def seen(*argv: str) -> Any:
        answer(capsys, "run", model, *argv, "-o", "out.npz")
        return np.load("out.npz")["same"]

    np.testing.assert_array_equal(seen("--input", "image=small.png"), pixels.transpose(2, 0, 1)[None])
    found = seen("--input", "image=small.png", "--bgr", "--mean", "1,2,3", "--std", "2", "--batch", "2")
    wanted = (pixels[..., ::-1] - np.array([1, 2, 3], np.float32)) / 2
    np.testing.assert_allclose(found, np.stack([wanted.transpose(2, 0, 1)] * 2), rtol=1e-6)
    assert set(seen("--input", "image=large.png").ravel()) == {7.0}


def test_onnx_with_data_in_another_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = onnx.load(write_onnx(tmp_path / "net.onnx"))
    path = tmp_path / "external.onnx"
    onnx.save(plain, path, save_as_external_data=True, location="data.bin", size_threshold=0)
    out = tmp_path / "out.npz"
    np.save(tmp_path / "x.npy", np.ones((1, 4), np.float32))
    answer(capsys, "run", path, "--input", f"x={tmp_path / 'x.npy'}", "--dump", "hidden", "-o", out)
    assert np.load(out)["hidden"].tolist() == [[6, 22, 38]]


def test_names_of_any_kind_and_strings_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = helper.make_tensor("c", TensorProto.STRING, [2], [b"a", b"bc"])
    graph = helper.make_graph(
        [
            helper.make_node("Constant", [], ["file"], value=words),
            helper.make_node("Neg", ["x"], ["../a/b:0"]),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [
            helper.make_tensor_value_info("file", TensorProto.STRING, [2]),
            helper.make_tensor_value_info("../a/b:0", TensorProto.FLOAT, [2]),
        ],
    )
    path, out = tmp_path / "n.onnx", tmp_path / "out.npz"
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), path)
    answer(capsys, "run", path, "-o", out)
    found = np.load(out)
    assert found["file"].tolist() == ["a", "bc"] and found["../a/b:0"].shape == (2,)


def test_missing_parameters_can_be_made_up(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    symbol.with_name("net-0003.params").unlink()
    assert (
        "'conv_weight', 'conv_bias', 'bn_gamma' and 6 more have no values because no .params was found"
        in failure(capsys, "run", symbol, "--input", "data=x.npy")
    )
    facts = answer(capsys, "run", symbol, "--input", "data=x.npy", "--random-weights")
    assert facts["values"][0]["shape"] == [2, 3]


def test_nan_in_an_output_is_a_failed_check(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("bad.npy", np.full_like(X, np.nan))
    assert answer(capsys, "run", symbol, "--input", "data=bad.npy", code=1)["values"][0]["nan"] == 6


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["--input", "data"], 2, "--input data: expected NAME=FILE, NAME=random or NAME:SHAPE"),
        (["--input", "x=x.npy"], 2, "--input x: net-symbol.json has the inputs data"),
        (["--input", "data=x.npy", "--input", "data=random"], 2, "a value for data is given twice"),
        (["--input", "data=absent.npy"], 2, "absent.npy: No such file or directory"),
        (["--input", "data=net-symbol.json"], 2, "expected a file named *.npy or *.npz, a picture"),
        (["--input", "data=broken.npy"], 2, "broken.npy: not an array"),
        (["--input", "data=pickle.npy"], 2, "pickle.npy: not an array"),
        (["--input", "data=two.npz:c"], 2, "no array 'c' there, but a, b"),
        (["--input", "data=flat.npy"], 2, "net-symbol.json: "),
        (
            ["--input", "data=complex.npy"],
            2,
            "the input 'data' has elements of float32, the array of complex64",
        ),
        (["--input", "data=random:1x2xx"], 2, "expected a shape behind the colon"),
        (["--input", "data=x.npy", "--dump", "("], 2, "--dump (: missing )"),
        (["--input", "data=x.npy", "--dump", "nothing"], 2, "no value inside the model has such a name"),
        (["--input", "data=x.npy", "-o", "out.txt"], 2, "-o out.txt: expected a file named *.npz"),
        (["--input", "data=x.npy", "-o", "no/such/out.npz"], 2, "No such file or directory"),
        (["--input", "data=x.npy", "--provider", "none"], 3, "provider 'none': this ONNX Runtime has"),
        (["--input", "data=x.npy", "--provider", "cuda:x"], 2, "expected a device's number"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input(
    argv: list[str], code: int, message: str, symbol: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken.npy").write_bytes(b"\x93NUMPY\x01\x00")
    np.save("pickle.npy", np.array([{}], object), allow_pickle=True)
    np.savez("two.npz", a=X, b=X)
    np.save("flat.npy", X[:, :, 0, 0])
    np.save("complex.npy", X.astype(np.complex64))
    assert message in failure(capsys, "run", symbol.name, *argv, code=code)
    assert not Path("out.npz").exists()


def test_a_model_that_onnx_runtime_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = helper.make_graph(
        [helper.make_node("NoSuchOperator", ["x"], ["y"], domain="nowhere")],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("nowhere", 1)]
    path = tmp_path / "n.onnx"
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=opsets), path)
    assert "NoSuchOperator" in failure(capsys, "run", path, code=2)


def test_a_shape_that_is_open_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    path = tmp_path / "n.onnx"
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), path)
    assert "say --input x:1x3xHxW" in failure(capsys, "run", path)
    facts = answer(capsys, "run", path, "--input", "x:2x3x4x5")
    assert facts["values"][0]["shape"] == [2, 3, 4, 5]


# -- compare ------------------------------------------------------------------------------------------------


def test_the_same_model_in_two_ways_is_equal(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ways = ["--opset", "26", "--opset", "18", "--optimization", "all", "--optimization", "none"]
    facts = answer(capsys, "compare", symbol, *ways, "--input", "data=x.npy")
    assert facts["equal"] and facts["first_departing_layer"] is None
    assert [layer["node"] for layer in facts["layers"]] == NODES
    assert facts["a"] == f"{symbol}, optimization all, opset 26"


def test_a_symbol_and_its_export_match_layer_by_layer(
    symbol: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["convert", str(symbol), "-o", "net.onnx", "--input", "data=x.npy"]) == 0
    capsys.readouterr()
    facts = answer(capsys, "compare", symbol, "net.onnx", "--input", "data=x.npy")
    assert facts["equal"] and [layer["node"] for layer in facts["layers"]] == NODES
    assert all(layer["relative"] < 1e-5 for layer in facts["layers"])
    backwards = answer(capsys, "compare", "net.onnx", symbol, "--input", "data=x.npy")
    assert [layer["node"] for layer in backwards["layers"]] == NODES


def test_the_first_layer_that_departs_is_named(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another network with the same names, but for one weight the same."""
    values = mx.nd.load("net-0003.params")
    values["arg:side_weight"][0, 0] += 0.5
    write_symbol(symbol.parent, "other")
    mx.nd.save("other-0003.params", values)
    argv = ["compare", symbol, "other-symbol.json", "--input", "data=x.npy"]
    facts = answer(capsys, *argv, code=1)
    assert facts["first_departing_layer"] == "side_output" and not facts["equal"]
    departing = [layer["node"] for layer in facts["layers"] if layer["departs"]]
    assert departing == ["side", "sum", "pool", "flat", "fc", "softmax"]
    last = text(capsys, *argv, code=1).splitlines()[-1]
    assert last.startswith("first departure: side_output (Convolution, node side), relative difference ")
    assert last.endswith("6 of 9 layers depart")
    assert answer(capsys, *argv, "--tolerance", "100")["equal"]


def test_one_model_with_two_sets_of_parameters(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_symbol(symbol.parent, "other", seed=1)
    argv = ["--params", "net-0003.params", "--params", "other-0003.params", "--input", "data=x.npy"]
    assert answer(capsys, "compare", symbol, *argv, code=1)["first_departing_layer"] == "conv_output"


def test_models_of_other_origin_match_by_the_names_of_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = write_onnx(tmp_path / "a.onnx"), write_onnx(tmp_path / "b.onnx", slope=1.001)
    facts = answer(capsys, "compare", a, b, "--input", "x:5x4", code=1)
    assert facts["first_departing_layer"] == "hidden"
    assert facts["layers"][0]["relative"] == pytest.approx(0.001, rel=1e-3)
    only = answer(capsys, "compare", a, b, "--outputs-only", code=1)
    assert only["layers"] == [] and only["outputs"][0]["departs"]


def test_inputs_and_outputs_of_other_names_match_by_position(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write_onnx(tmp_path / "a.onnx")
    model = onnx.load(a)
    for value in (*model.graph.input, *model.graph.output):
        value.name += "1"
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [n + "1" if n in ("x", "y", "hidden") else n for n in names]
    onnx.save(model, tmp_path / "b.onnx")
    facts = answer(capsys, "compare", a, tmp_path / "b.onnx", "--input", "x:2x4")
    assert facts["equal"] and facts["layers"] == [] and facts["outputs"][0]["other"] == "y1"


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["a.onnx"], 2, "name a second model, or give --provider, --opset, --optimization or --params twice"),
        (["a.onnx", "--opset", "18", "--opset", "7"], 3, "opset 18 cannot be converted to 7"),
        (["a.onnx", "--opset", "18", "--opset", "18", "--opset", "18"], 2, "one for A and one for B, got 3"),
        (["a.onnx", "two.onnx"], 2, "two.onnx has the inputs ['p', 'q'], but a.onnx has ['x']"),
        (["a.onnx", "--params", "w.params"], 2, "--params w.params"),
        (["a.onnx", "absent.onnx"], 2, "absent.onnx: No such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_comparisons(
    argv: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_onnx(Path("a.onnx"))
    both = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in "pq"]
    graph = helper.make_graph(
        [helper.make_node("Add", ["p", "q"], ["y"])],
        "net",
        both,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), "two.onnx")
    assert message in failure(capsys, "compare", *argv, code=code)


@pytest.mark.parametrize(
    ("a", "b", "difference", "relative", "place", "departs"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.5, 0.25, (1,), True),
        ([1.0, 2.0], [1.0, 2.0], 0.0, 0.0, (), False),
        ([np.nan, np.inf], [np.nan, np.inf], 0.0, 0.0, (), False),
        ([1.0, np.nan], [1.0, 1.0], np.inf, np.inf, (1,), True),
        ([1.0, 1.0], [1.0, -np.inf], np.inf, np.inf, (1,), True),
        ([0.0, 0.0], [0.0, 1e-6], 1e-6, 1e-6, (1,), False),
        ([1.0], [1.0, 1.0], np.inf, np.inf, (), True),
        ([], [], 0.0, 0.0, (), False),
    ],
)
def test_measure(
    a: list[float], b: list[float], difference: float, relative: float, place: tuple[int, ...], departs: bool
) -> None:
    found = measure(Internal("v", "n", "Op", 0, 0), "w", np.array(a), np.array(b), None)
    assert (found.difference, found.relative, found.place, found.departs) == (
        difference,
        relative,
        place,
        departs,
    )


def test_half_precision_has_another_tolerance() -> None:
    value = Internal("v", "n", "Op", 0, 0)
    a, b = np.array([1.0], np.float32), np.array([1.01], np.float16)
    assert not measure(value, "w", a, b, None).departs
    assert measure(value, "w", a, b.astype(np.float32), None).departs


# -- profile ------------------------------------------------------------------------------------------------


def test_time_is_told_by_layers_of_mxnet(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["profile", symbol, "--input", "data=x.npy", "--runs", "4", "--warmup", "1"]
    facts = answer(capsys, *argv, "--optimization", "none")
    layers = [layer["name"] for layer in facts["layers"]]
    assert layers == NODES and facts["layers_without_a_kernel"] == []
    assert {o["name"] for o in facts["operators"]} == {
        "Activation", "BatchNorm", "Convolution", "Flatten", "FullyConnected", "Pooling", "SoftmaxOutput",
        "elemwise_add",
    }  # fmt: skip
    assert set(facts["placement"]) == {"CPU"} and facts["runs"] == 4
    assert sum(layer["percent"] for layer in facts["layers"]) == pytest.approx(100, abs=25)  # medians of each
    assert 0 < facts["milliseconds"]["min"] <= facts["milliseconds"]["median"] <= facts["milliseconds"]["max"]


def test_what_is_fused_belongs_to_the_convolution(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = answer(
        capsys, "profile", symbol, "--input", "data=x.npy", "--runs", "2", "--optimization", "extended"
    )
    layers = {layer["name"]: layer for layer in facts["layers"]}
    assert layers["conv"]["operator"] == "Convolution" and "bn" in layers["conv"]["fused"]
    assert "bn" not in layers and "bn" not in facts["layers_without_a_kernel"]


def test_profile_as_text(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["profile", symbol, "--input", "data=x.npy", "--runs", "2", "--top", "2", "--trace", "trace.json"]
    lines = [" ".join(line.split()) for line in text(capsys, *argv).splitlines()]
    assert any(line.startswith("one run ") and line.endswith(")") for line in lines)
    assert "operator ms % kernels provider" in lines
    table = lines[lines.index("layer operator ms % kernels provider with") + 1 :]
    assert table.index("trace written to trace.json") == 2
    assert any(row.get("name") == "model_run" for row in json.loads(Path("trace.json").read_text()))


def test_profile_of_nodes_without_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    facts = answer(capsys, "profile", path, "--runs", "2", "--optimization", "none")
    assert [(x["name"], x["operator"]) for x in facts["layers"]] == [("hidden", "Gemm"), ("y", "Relu")]


def test_profile_needs_a_run(symbol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--runs: expected at least 1" in failure(capsys, "profile", symbol, "--runs", "0")


def test_the_names_of_optimizations_are_the_runtimes() -> None:
    assert list(OPTIMIZATIONS) == list(OPTIMIZATION_NAMES)


def test_constants_of_the_model_are_no_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Older models list their initializers among the inputs."""
    weight = np.ones(2, np.float32)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "net",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in "xw"],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(weight, "w")],
    )
    path = tmp_path / "old.onnx"
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), path)
    assert [f["name"] for f in answer(capsys, "run", path)["inputs"]] == ["x"]
