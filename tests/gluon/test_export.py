"""Export: what the files hold, agreement with MXNet and bare ONNX Runtime, and failures that leave no trace."""

from __future__ import annotations

import hashlib
import logging
import os
import pathlib
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import gluon_onnx as mx
from gluon_onnx import autograd, gluon, nd
from gluon_onnx.base import MXNetError
from gluon_onnx.gluon import nn
from gluon_onnx.gluon.export import Exported
from gluon_onnx.graph.exporters import onnx as exporter

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 3, 16, 20)).astype(np.float32)


def network(**kwargs: Any) -> gluon.HybridBlock:
    """A small convolutional net that admits any size."""
    net = nn.HybridSequential(prefix="net_", **kwargs)
    with net.name_scope():
        net.add(nn.Conv2D(4, 3, padding=1), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(2))
        inner = nn.HybridSequential(prefix="inner_")
        with inner.name_scope():
            inner.add(nn.Conv2D(5, 3, strides=2), nn.PReLU())
        net.add(inner, nn.GlobalAvgPool2D(), nn.Dense(3))
    mx.random.seed(3)
    net.initialize(mx.init.Xavier())
    for p in net.collect_params(".*running.*").values():
        p.shape = p.shape
    return net


def traced(x: np.ndarray = X) -> gluon.HybridBlock:
    """The net after a training step and a call."""
    net = network()
    with autograd.record():
        net(nd.array(x) + 1)
    net.hybridize()
    net(nd.array(x))
    return net


def bare(path: Any, *arrays: np.ndarray) -> list[np.ndarray]:
    """Outputs from ONNX Runtime alone, inputs in the model's order."""
    s = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    outputs: list[np.ndarray] = s.run(None, dict(zip([i.name for i in s.get_inputs()], arrays, strict=True)))
    return outputs


def shapes(path: Any) -> dict[str, list[Any]]:
    """Shapes of inputs and outputs, with the names of symbolic axes."""
    graph = onnx.load(path).graph
    return {
        v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in (*graph.input, *graph.output)
    }


# -- files -----------------------------------------------------------------------------------------------


def test_prefix_writes_three_files(tmp_path: pathlib.Path) -> None:
    net = traced()
    result = net.export(tmp_path / "net", epoch=7)
    names = ["net-symbol.json", "net-0007.params", "net-0007.onnx"]
    assert [pathlib.Path(p) for p in result.paths] == [tmp_path / n for n in names]
    assert sorted(os.listdir(tmp_path)) == sorted(names)
    assert isinstance(result, Exported) and result.difference is not None and result.difference < 1e-5
    expected = net(nd.array(X)).asnumpy()
    np.testing.assert_allclose(bare(tmp_path / names[2], X)[0], expected, rtol=1e-4, atol=1e-6)
    again = gluon.SymbolBlock.imports(tmp_path / names[0], None, tmp_path / names[1])
    np.testing.assert_array_equal(again(nd.array(X)).asnumpy(), expected)


def test_names_with_dots_and_folders(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("v1.2")
    assert traced().export("v1.2/net.best").paths == tuple(
        f"v1.2/net.best-{end}" for end in ("symbol.json", "0000.params", "0000.onnx")
    )
    assert traced().export("net.onnx").paths == ("net.onnx",)
    assert sorted(os.listdir("v1.2")) == [
        "net.best-0000.onnx",
        "net.best-0000.params",
        "net.best-symbol.json",
    ]


def test_model_is_what_the_net_is(tmp_path: pathlib.Path) -> None:
    net = traced()
    net.export(tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [i.name for i in model.graph.input] == ["data"]
    assert {i.name for i in model.graph.initializer} >= {n for n in net.collect_params() if "weight" in n}
    properties = {p.key: p.value for p in model.metadata_props}
    assert properties["gluon_onnx"] == mx.__version__ and properties["onnx"] == onnx.__version__
    assert properties["block"].endswith("HybridSequential")
    json = net._exported_arrays()[0].tojson().encode()
    assert properties["symbol_sha256"] == hashlib.sha256(json).hexdigest()
    blocks = {}
    for node in model.graph.node:
        found = {p.key: p.value for p in node.metadata_props}
        blocks.setdefault(found.get("block"), set()).add(node.op_type)
        assert not node.input or node.input[-1], "no empty names at the end"
    assert blocks["0"] == {"Conv"} and "Conv" in blocks["4.0"] and "Gemm" in blocks["6"]


def test_hashes_of_source_files(tmp_path: pathlib.Path) -> None:
    traced().export(tmp_path / "a")
    net = gluon.SymbolBlock.imports(tmp_path / "a-symbol.json", None, tmp_path / "a-0000.params")
    net.export(tmp_path / "b.onnx", inputs=nd.array(X))
    properties = {p.key: p.value for p in onnx.load(tmp_path / "b.onnx").metadata_props}
    for name in ("a-symbol.json", "a-0000.params"):
        assert properties[f"sha256:{name}"] == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()


def test_permissions_and_links_are_kept(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "real.onnx"
    target.write_bytes(b"")
    target.chmod(0o600)
    (tmp_path / "net.onnx").symlink_to("real.onnx")
    traced().export(tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx").is_symlink() and target.stat().st_size > 100
    assert target.stat().st_mode & 0o777 == 0o600


def test_untraced_blocks(tmp_path: pathlib.Path) -> None:
    with pytest.raises(RuntimeError, match=r"export needs a traced block.*"):
        network().export(tmp_path / "net")
    result = network().export(tmp_path / "net.onnx", inputs=nd.array(X))
    assert result.difference is not None and bare(tmp_path / "net.onnx", X)[0].shape == (2, 3)


# -- options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"data": ["batch", 3, 16, 20]}),
        ({"dynamic_batch": False}, {"data": [2, 3, 16, 20]}),
        ({"spatial": True}, {"data": ["batch", 3, "height", "width"]}),
        ({"spatial": True, "dynamic_batch": False}, {"data": [2, 3, "height", "width"]}),
        ({"dynamic_axes": {"data": {0: "n", 3: "w"}}}, {"data": ["n", 3, 16, "w"]}),
    ],
)
def test_axes(tmp_path: pathlib.Path, options: dict[str, Any], expected: dict[str, list[Any]]) -> None:
    net = traced()
    net.export(tmp_path / "net.onnx", **options)
    found = shapes(tmp_path / "net.onnx")
    assert found["data"] == expected["data"]
    sizes = {"batch": 5, "n": 5, "height": 24, "width": 31, "w": 31}
    x = RANDOM.normal(size=[sizes.get(d, d) for d in found["data"]]).astype(np.float32)
    np.testing.assert_allclose(
        bare(tmp_path / "net.onnx", x)[0], net(nd.array(x)).asnumpy(), rtol=1e-4, atol=1e-6
    )


def test_axes_that_cannot_be_symbolic(tmp_path: pathlib.Path) -> None:
    net = nn.HybridSequential()
    net.add(nn.Conv2D(2, 3), nn.Dense(3))
    net.initialize()
    with pytest.raises(
        MXNetError, match=r"dynamic axes \{'data': \{0: 'batch', 2: 'height', 3: 'width'\}\}.*Fully"
    ):
        net.export(tmp_path / "net.onnx", inputs=nd.array(X), spatial=True)
    with pytest.raises(ValueError, match=r"dynamic_axes: expected inputs among \['data'\], got \['x'\]"):
        net.export(tmp_path / "net.onnx", inputs=nd.array(X), dynamic_axes={"x": {0: "n"}})
    assert os.listdir(tmp_path) == []


def test_a_batch_that_the_graph_fixes(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    class Fixed(gluon.HybridBlock):
        def hybrid_forward(self, F: Any, x: Any) -> Any:
            return F.split(x, num_outputs=2, axis=0)[0]

    result = Fixed().export(tmp_path / "net.onnx", inputs=nd.array(X))
    assert shapes(tmp_path / "net.onnx")["data"] == [2, 3, 16, 20] and result.dynamic_axes == {}
    assert "fixed batch size" in caplog.text


@pytest.mark.parametrize("opset", [18, 19, 20, 21, 22, 24, 26])
def test_opsets(tmp_path: pathlib.Path, opset: int) -> None:
    net = traced()
    net.export(tmp_path / "net.onnx", opset=opset)
    model = onnx.load(tmp_path / "net.onnx")
    assert [(o.domain, o.version) for o in model.opset_import] == [("", opset)]
    expected = net(nd.array(X)).asnumpy()
    np.testing.assert_allclose(bare(tmp_path / "net.onnx", X)[0], expected, rtol=1e-4, atol=1e-6)


def test_operators_that_an_opset_lacks(tmp_path: pathlib.Path) -> None:
    net = nn.GELU()
    with pytest.raises(MXNetError, match=r"opset 18 does not have the operators \['Gelu'\]"):
        net.export(tmp_path / "net.onnx", inputs=nd.array(X), opset=18)
    net.export(tmp_path / "net.onnx", inputs=nd.array(X), opset=20)


def test_names(tmp_path: pathlib.Path) -> None:
    class Two(gluon.HybridBlock):
        def hybrid_forward(self, F: Any, x: Any, y: Any) -> Any:
            return y - x, x * 2

    net = Two()
    x, y = RANDOM.normal(size=(2, 2, 3)).astype(np.float32)
    net.export(
        tmp_path / "net.onnx",
        inputs=[nd.array(x), nd.array(y)],
        input_names=["left", "right"],
        output_names=["d", "t"],
    )
    assert set(shapes(tmp_path / "net.onnx")) == {"left", "right", "d", "t"}
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    difference, twice = session.run(["d", "t"], {"left": x, "right": y})
    np.testing.assert_allclose(difference, y - x)
    np.testing.assert_allclose(twice, x * 2)


def test_names_that_parameters_have_too(tmp_path: pathlib.Path) -> None:
    net = traced()
    net.export(tmp_path / "net.onnx", input_names=["net_conv0_weight"], output_names=["net_dense0_bias"])
    assert np.abs(bare(tmp_path / "net.onnx", X)[0] - net(nd.array(X)).asnumpy()).max() < 1e-5


def test_external_data(tmp_path: pathlib.Path) -> None:
    net = traced()
    result = net.export(tmp_path / "net.onnx", external_data=True)
    assert [os.path.basename(p) for p in result.paths] == ["net.onnx.data", "net.onnx"]
    raw = onnx.load(tmp_path / "net.onnx", load_external_data=False)
    places = {e.value for i in raw.graph.initializer for e in i.external_data if e.key == "location"}
    assert places == {"net.onnx.data"}
    expected = net(nd.array(X)).asnumpy()
    np.testing.assert_allclose(bare(tmp_path / "net.onnx", X)[0], expected, rtol=1e-4, atol=1e-6)


def test_large_models_have_external_data(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "_LIMIT", 1000)
    traced().export(tmp_path / "net.onnx")
    assert sorted(os.listdir(tmp_path)) == ["net.onnx", "net.onnx.data"]
    traced().export(tmp_path / "small.onnx", external_data=False)
    assert not (tmp_path / "small.onnx.data").exists()


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_normalisation(tmp_path: pathlib.Path, dtype: str) -> None:
    net = traced()
    mean, std = np.array([120.0, 110, 100], np.float32), np.array([50.0, 60, 70], np.float32)
    net.export(tmp_path / "net.onnx", mean=mean, std=std, input_dtype=dtype)
    image = RANDOM.integers(0, 256, X.shape).astype(dtype)
    expected = net(nd.array((image - mean[:, None, None]) / std[:, None, None])).asnumpy()
    assert onnx.load(tmp_path / "net.onnx").graph.input[0].type.tensor_type.elem_type == (
        2 if dtype == "uint8" else 1
    )
    np.testing.assert_allclose(bare(tmp_path / "net.onnx", image)[0], expected, rtol=1e-4, atol=1e-5)


def test_normalisation_by_a_number(tmp_path: pathlib.Path) -> None:
    net = traced()
    net.export(tmp_path / "net.onnx", std=255.0)
    expected = net(nd.array(X / 255)).asnumpy()
    np.testing.assert_allclose(bare(tmp_path / "net.onnx", X)[0], expected, rtol=1e-4, atol=1e-6)


def test_float16(tmp_path: pathlib.Path) -> None:
    net = traced()
    net.export(tmp_path / "net.onnx")
    result = net.export(tmp_path / "half.onnx", dtype="float16")
    assert result.tolerance == 2e-2 and 1e-6 < result.difference < 1e-2
    weights = {i.name: i for i in onnx.load(tmp_path / "half.onnx").graph.initializer}
    assert weights["net_conv0_weight"].data_type == onnx.TensorProto.FLOAT16
    (out,) = bare(tmp_path / "half.onnx", X)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, bare(tmp_path / "net.onnx", X)[0], rtol=2e-2, atol=2e-3)


def test_a_net_in_float16(tmp_path: pathlib.Path) -> None:
    net = traced()
    net.cast("float16")
    half = X.astype(np.float16)
    result = net.export(tmp_path / "net.onnx", inputs=nd.array(half, dtype="float16"))
    assert result.tolerance == 2e-2 and bare(tmp_path / "net.onnx", half)[0].dtype == np.float16


def test_parameters_too_large_for_float16(tmp_path: pathlib.Path) -> None:
    net = traced()
    net[0].weight.data()[0, 0, 0, 0] = 1e5
    with pytest.raises(
        MXNetError, match=r"'net_conv0_weight' has elements up to 100000, too large for float16"
    ):
        net.export(tmp_path / "net.onnx", dtype="float16")


def loader() -> Any:
    """Batches of data and labels."""
    images = RANDOM.normal(size=(12, 3, 16, 20)).astype(np.float32)
    return gluon.data.DataLoader(gluon.data.ArrayDataset(images, np.zeros(12, np.float32)), batch_size=4)


@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_integers(tmp_path: pathlib.Path, kind: str) -> None:
    net = traced()
    result = net.export(
        tmp_path / "net.onnx",
        inputs=nd.array(X),
        quantize=kind,
        calibration=loader() if kind == "static" else None,
    )
    model = onnx.load(tmp_path / "net.onnx")
    assert any(
        i.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8) for i in model.graph.initializer
    )
    assert result.tolerance == 0.25 and 1e-5 < result.difference < 0.25
    assert os.listdir(tmp_path) == ["net.onnx"]
    expected = net(nd.array(X)).asnumpy()
    (out,) = bare(tmp_path / "net.onnx", X)
    assert np.linalg.norm(out - expected) < 0.25 * np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"dtype": "bfloat16"}, "dtype: expected None or 'float16', got 'bfloat16'"),
        ({"quantize": "int4"}, "quantize: expected 'dynamic' or 'static', got 'int4'"),
        ({"quantize": "static"}, "quantize='static' and calibration need each other"),
        ({"calibration": []}, "quantize='static' and calibration need each other"),
        ({"quantize": "dynamic", "dtype": "float16"}, "exclude each other"),
        ({"input_names": ["a", "b"]}, r"input_names: expected 1 names for \['data'\], got \['a', 'b'\]"),
        ({"mean": [1, 2]}, "mean: expected a number, or one for each channel of an input of shape"),
        ({"inputs": [nd.zeros((1, 3, 16, 16))] * 2}, "nested structure|expected 1 arrays"),
    ],
)
def test_wrong_options(tmp_path: pathlib.Path, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        traced().export(tmp_path / "net.onnx", **options)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"output_names": ["a", "b"]}, "expected 1 names of outputs"),
        ({"opset": 17}, "opset: expected 18 to 26, got 17"),
        ({"opset": 27}, "opset: expected 18 to 26, got 27"),
    ],
)
def test_impossible_options(tmp_path: pathlib.Path, options: dict[str, Any], match: str) -> None:
    with pytest.raises(MXNetError, match=match):
        traced().export(tmp_path / "net.onnx", **options)
    assert os.listdir(tmp_path) == []


# -- verification ------------------------------------------------------------------------------------------


def test_result_is_told(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        result = traced().export(tmp_path / "net.onnx")
    assert str(result) in caplog.text
    assert str(result).startswith(f"{tmp_path}/net.onnx: largest difference ") and str(result).endswith(
        "tolerance 0.0001"
    )
    plain = traced().export(tmp_path / "net.onnx", verify=False)
    assert plain.difference is None and str(plain) == f"{tmp_path}/net.onnx: not verified"


def spoil_outputs(path: str, feeds: Any) -> Any:
    """What `run_file` would give for a model that is slightly wrong."""
    from gluon_onnx._runtime.deploy import run_file

    return [[y + 1e-3 * np.abs(y).max() for y in out] for out in run_file(path, feeds)]


def spoil_shapes(path: str, feeds: Any) -> Any:
    """The same for a model whose outputs have another shape."""
    from gluon_onnx._runtime.deploy import run_file

    return [[y[..., :1] for y in out] for out in run_file(path, feeds)]


def spoil_numbers(path: str, feeds: Any) -> Any:
    """The same for a model that gives NaN."""
    from gluon_onnx._runtime.deploy import run_file

    return [[y * np.nan for y in out] for out in run_file(path, feeds)]


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (
            spoil_outputs,
            r"not the block's: relative difference 0\.001, tolerance 0\.0001; nothing was written",
        ),
        (spoil_shapes, r"'net_dense0_fwd_output' of the exported model has shape \(2, 1\), not \(2, 3\)"),
        (spoil_numbers, "relative difference inf"),
    ],
)
@pytest.mark.parametrize("name", ["net.onnx", "net"])
def test_failed_verification_leaves_everything(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str, spoil: Callable[..., Any], match: str
) -> None:
    net = traced()
    net.export(tmp_path / name)
    before = {n: (tmp_path / n).read_bytes() for n in os.listdir(tmp_path)}
    net[0].weight.set_data(net[0].weight.data() * 2)
    monkeypatch.setattr("gluon_onnx.gluon.export.run_file", spoil)
    with pytest.raises(MXNetError, match=match):
        net.export(tmp_path / name)
    assert {n: (tmp_path / n).read_bytes() for n in os.listdir(tmp_path)} == before


def test_a_model_that_the_checker_refuses(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise onnx.checker.ValidationError("bad node")

    (tmp_path / "net.onnx").write_bytes(b"before")
    monkeypatch.setattr("onnx.checker.check_model", refuse)
    with pytest.raises(MXNetError, match="the model is not valid: bad node"):
        traced().export(tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx").read_bytes() == b"before" and os.listdir(tmp_path) == ["net.onnx"]


def test_models_with_random_numbers(tmp_path: pathlib.Path) -> None:
    class Noise(gluon.HybridBlock):
        def hybrid_forward(self, F: Any, x: Any) -> Any:
            return F.broadcast_add(x, F.random.normal(shape=(1, 3)))

    result = Noise().export(tmp_path / "net.onnx", inputs=nd.zeros((2, 3)))
    assert result.difference is None
    key = np.array([1, 2], np.uint32)
    first, again, other = (
        bare(tmp_path / "net.onnx", np.zeros((2, 3), np.float32), k)[0] for k in (key, key, key + 1)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_integer_outputs_are_compared(tmp_path: pathlib.Path) -> None:
    class Best(gluon.HybridBlock):
        def hybrid_forward(self, F: Any, x: Any) -> Any:
            return F.argmax(x, axis=1), F.cast(x * 10, "int32")

    assert Best().export(tmp_path / "net.onnx", inputs=nd.array(X)).difference == 0


def test_labels_of_losses_are_left_out(tmp_path: pathlib.Path) -> None:
    sym = mx.sym.SoftmaxOutput(
        mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc"), name="softmax"
    )
    net = gluon.SymbolBlock(sym, mx.sym.var("data"))
    net.initialize()
    net.export(tmp_path / "net", inputs=nd.array(X))
    assert set(shapes(tmp_path / "net-0000.onnx")) == {"data", "softmax_output"}
    assert mx.sym.load(tmp_path / "net-symbol.json").list_arguments()[-1] == "softmax_label"


# -- MXNet -----------------------------------------------------------------------------------------------

IMPORT = """
import sys, numpy as np, mxnet as mx
prefix = sys.argv[1]
net = mx.gluon.SymbolBlock.imports(prefix + "-symbol.json", ["data"], prefix + "-0000.params")
np.save(prefix + ".npy", net(mx.nd.array(np.load(prefix + "-in.npy"))).asnumpy())
"""


def recurrent() -> gluon.HybridBlock:
    net = nn.HybridSequential()
    net.add(nn.Dense(6, flatten=False, activation="tanh"), nn.LayerNorm(), nn.Embedding(5, 4), nn.Dense(3))
    return net


NETS: dict[str, Callable[[], gluon.HybridBlock]] = {
    "convolutional": network,
    "mobilenet": lambda: gluon.model_zoo.vision.mobilenet_v2_0_25(classes=7),
    "resnet": lambda: gluon.model_zoo.vision.get_resnet(2, 18, classes=7, thumbnail=True),
    "densenet": lambda: gluon.model_zoo.vision.DenseNet(8, 4, [2, 2], classes=3),
    "squeezenet": lambda: gluon.model_zoo.vision.squeezenet1_1(classes=7).features,
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", NETS)
def test_mxnet_loads_what_we_export(tmp_path: pathlib.Path, name: str) -> None:
    net = NETS[name]()
    net.initialize(mx.init.Xavier(), force_reinit=True)
    x = RANDOM.normal(size=(2, 3, 112, 112) if name == "densenet" else X.shape[:2] + (32, 32)).astype(
        np.float32
    )
    with autograd.record():
        net(nd.array(x) * 2 + 1)  # the statistics are not those of the beginning
    net.hybridize()
    expected = net(nd.array(x)).asnumpy()
    prefix = str(tmp_path / "net")
    net.export(prefix)
    np.save(f"{prefix}-in.npy", x)
    subprocess.run([os.environ["MXNET_PYTHON"], "-c", IMPORT, prefix], check=True, capture_output=True)
    found = np.load(f"{prefix}.npy")
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
