"""The model zoo: MXNet's names and graphs, outputs, and the store of pre-trained parameters with a local server."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import gluon
from gluon_onnx.gluon.model_zoo import model_store, vision
from tests.gluon import zoo

GOLDEN = zoo.read()
MAKE = pathlib.Path(__file__).parents[1] / "golden" / "make_model_zoo.py"


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, as a part of the largest number."""
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.abs(expected).max())


# -- models ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", zoo.NAMES)
def test_names_shapes_and_graph_are_those_of_mxnet(name: str) -> None:
    found, expected = zoo.describe(mx, name), GOLDEN["models"][name]
    assert found.keys() == expected.keys()
    for what in expected:
        assert found[what] == expected[what], what


def test_every_model_is_in_the_golden_file() -> None:
    assert (
        sorted(vision._models)
        == sorted(zoo.NAMES)
        == sorted(GOLDEN["models"])
        == sorted(model_store._model_sha1)
    )


@pytest.mark.parametrize("hybridize", [False, True])
@pytest.mark.parametrize("name", zoo.FORWARD)
def test_outputs_are_those_of_mxnet(name: str, hybridize: bool) -> None:
    size = zoo.FORWARD[name]
    net = zoo.build(mx, name, classes=10)
    zoo.fill(mx, net, size)
    if hybridize:
        net.hybridize()
    out = net(mx.nd.array(zoo.image(name, size, 2))).asnumpy()
    assert relative(out.reshape(-1), np.array(GOLDEN["outputs"][name])) < 1e-4


def test_default_prefixes_count_up() -> None:
    with mx.name.NameManager():
        first, second = vision.resnet18_v1(), vision.resnet18_v1()
    assert (first.prefix, second.prefix) == ("resnetv10_", "resnetv11_")


def test_thumbnail_and_classes() -> None:
    net = vision.get_resnet(2, 18, classes=7, thumbnail=True)
    net.initialize()
    assert net(mx.nd.zeros((2, 3, 16, 16))).shape == (2, 7)


def test_densenet_with_dropout_drops_in_training_only() -> None:
    net = vision.DenseNet(8, 4, [2, 2], dropout=0.5, classes=3)
    net.initialize()
    x = mx.nd.array(zoo.image("dropout", 112, 1))
    assert np.array_equal(net(x).asnumpy(), net(x).asnumpy())
    with mx.autograd.train_mode():
        assert not np.array_equal(net(x).asnumpy(), net(x).asnumpy())


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: vision.get_model("resnet19_v1"), ValueError, "resnet19_v1 is not supported.*\n\talexnet\n"),
        (
            lambda: vision.get_resnet(1, 19),
            AssertionError,
            "Invalid number of layers: 19. Options are .*18, 34",
        ),
        (lambda: vision.get_resnet(3, 18), AssertionError, "Invalid resnet version: 3"),
        (lambda: vision.get_vgg(12), AssertionError, "Invalid number of layers: 12"),
        (lambda: vision.get_densenet(12), AssertionError, "Invalid number of layers: 12"),
        (lambda: vision.SqueezeNet("1.2"), AssertionError, "Unsupported SqueezeNet version 1.2"),
        (lambda: vision.VGG([1, 1], [8]), AssertionError, "2 stages, filters 1"),
        (
            lambda: vision.ResNetV1(vision.BasicBlockV1, [1, 1], [8, 8]),
            AssertionError,
            "more than the 2 stages",
        ),
        (lambda: vision.ResNetV2(vision.BasicBlockV2, [1], [8]), AssertionError, "more than the 1 stages"),
        (lambda: vision.get_mobilenet(0.3, pretrained=True), ValueError, "mobilenet0.30 is not available"),
    ],
)
def test_wrong_parameters(make: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make()


def test_features_of_alexnet() -> None:
    """The API reference's example of SymbolBlock, without the download."""
    import gluon_onnx as gluon

    alexnet = gluon.model_zoo.vision.alexnet(ctx=gluon.cpu(), prefix="model_")
    alexnet.initialize(gluon.init.Normal(0.05), ctx=gluon.cpu())
    inputs = gluon.sym.var("data")
    out = alexnet(inputs)
    internals = out.get_internals()
    listed = internals.list_outputs()
    assert listed[0] == "data"
    assert listed.index("model_dense0_relu_fwd_output") < listed.index("model_dense1_relu_fwd_output")
    outputs = [internals["model_dense0_relu_fwd_output"], internals["model_dense1_relu_fwd_output"]]
    feat_model = gluon.SymbolBlock(outputs, inputs, params=alexnet.collect_params())
    x = gluon.nd.random.normal(shape=(16, 3, 224, 224))
    fc1, fc2 = feat_model(x)
    assert (fc1.shape, fc2.shape) == ((16, 4096), (16, 4096))
    assert str(fc1).endswith("<NDArray 16x4096 @cpu(0)>")
    expected = alexnet.features(x)
    assert relative(fc2.asnumpy(), expected.asnumpy()) < 1e-5
    # The parameters are shared.
    alexnet.features[-2].bias.set_data(gluon.nd.ones((4096,)) * 1000)
    changed = feat_model(x)[1].asnumpy()
    assert relative(changed, alexnet.features(x).asnumpy()) < 1e-5 < relative(changed, fc2.asnumpy())


@pytest.mark.oracle
@pytest.mark.parametrize("name", zoo.NAMES)
def test_parameters_and_outputs_of_mxnet(name: str, tmp_path: pathlib.Path) -> None:
    """Files that MXNet saved load, and give its outputs, hybridized or not."""
    subprocess.run([os.environ["MXNET_PYTHON"], MAKE, name, tmp_path], check=True, capture_output=True)
    expected = np.load(tmp_path / f"{name}.npy")
    net = zoo.build(mx, name)
    net.load_parameters(tmp_path / f"{name}.params")
    x = mx.nd.array(zoo.image(name, zoo.size_of(name), 2))
    net.hybridize()
    assert relative(net(x).asnumpy(), expected) < 1e-4
    (tmp_path / f"{name}.params").unlink()


# -- pre-trained parameters ------------------------------------------------------------------------------


def archive(members: dict[str, bytes]) -> bytes:
    """A zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in members.items():
            z.writestr(name, content)
    return buffer.getvalue()


class Server(ThreadingHTTPServer):
    """Sends one body for every path, or misbehaves."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[str] = []
        self.body = b""
        self.status = 200
        self.missing = 0  # bytes that are announced and not sent
        self.pause = 0.0  # seconds between the two halves of the body
        self.drop = False  # close the connection without an answer
        self.url = f"http://127.0.0.1:{self.server_port}/mirror"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.requests.append(self.path)
        if server.drop:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(server.status)
        self.send_header("Content-Length", str(len(server.body)))
        self.end_headers()
        body = server.body[: len(server.body) - server.missing]
        self.wfile.write(body[: len(body) // 2])
        time.sleep(server.pause)
        self.wfile.write(body[len(body) // 2 :])

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A mirror that has the parameters of mobilenet0.25 with 10 classes."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("MXNET_GLUON_REPO", server.url)
    monkeypatch.setattr("gluon_onnx.gluon.utils.time.sleep", lambda s: None)
    content = parameters()
    monkeypatch.setitem(model_store._model_sha1, "mobilenet0.25", hashlib.sha1(content).hexdigest())
    server.body = archive({file_name(): content, "other": b"x"})
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@functools.cache
def parameters() -> bytes:
    """A parameter file of mobilenet0.25 with 10 classes."""
    net = zoo.build(mx, "mobilenet0.25", classes=10)
    zoo.fill(mx, net, 64)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "x.params"
        net.save_parameters(path)
        return path.read_bytes()


def file_name() -> str:
    """The name of the parameter file."""
    return f"mobilenet0.25-{model_store.short_hash('mobilenet0.25')}.params"


def test_pretrained(server: Server, tmp_path: pathlib.Path) -> None:
    root = tmp_path / "new" / "folder"
    net = vision.mobilenet0_25(pretrained=True, root=root, classes=10)
    out = net(mx.nd.array(zoo.image("mobilenet0.25", 64, 2))).asnumpy()
    assert out.shape == (2, 10) and np.isfinite(out).all()
    assert os.listdir(root) == [file_name()]
    assert server.requests == [f"/mirror/gluon/models/{file_name().removesuffix('.params')}.zip"]
    # A second time it comes from the folder.
    again = mx.gluon.model_zoo.get_model("MobileNet0.25", pretrained=True, root=str(root), classes=10)
    assert np.array_equal(again(mx.nd.array(zoo.image("mobilenet0.25", 64, 2))).asnumpy(), out)
    assert len(server.requests) == 1


def test_root_is_in_mxnet_home(
    server: Server, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    assert model_store.get_model_file("mobilenet0.25") == str(tmp_path / "models" / file_name())
    (tmp_path / "models" / "notes.txt").write_text("kept")
    model_store.purge()
    assert os.listdir(tmp_path / "models") == ["notes.txt"]


def test_damaged_file_is_replaced(
    server: Server, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / file_name()).write_bytes(b"damaged")
    model_store.get_model_file("mobilenet0.25", tmp_path)
    assert (tmp_path / file_name()).read_bytes() == parameters()
    assert "has not the expected SHA-1" in caplog.text


def test_slow_server(server: Server, tmp_path: pathlib.Path) -> None:
    server.pause = 0.3
    model_store.get_model_file("mobilenet0.25", tmp_path)
    assert (tmp_path / file_name()).read_bytes() == parameters()


OFFLINE = r"'mobilenet0.25' are not in {root} and cannot be downloaded: .*{reason}.*Put {file} there.*MXNET_GLUON_REPO"


@pytest.mark.parametrize(
    ("misbehave", "message"),
    [
        ({"status": 404}, "answered 404"),
        ({"missing": 10}, r"IncompleteRead|ended after"),
        ({"drop": True}, "Connection"),
    ],
    ids=["404", "truncated", "dropped"],
)
def test_failed_download(
    server: Server, tmp_path: pathlib.Path, misbehave: dict[str, Any], message: str
) -> None:
    (tmp_path / file_name()).write_bytes(b"damaged")
    for key, value in misbehave.items():
        setattr(server, key, value)
    match = OFFLINE.format(root=re.escape(str(tmp_path)), reason=f"({message})", file=re.escape(file_name()))
    with pytest.raises(mx.MXNetError, match=match):
        model_store.get_model_file("mobilenet0.25", tmp_path)
    assert (tmp_path / file_name()).read_bytes() == b"damaged"
    assert os.listdir(tmp_path) == [file_name()]


def test_no_server(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MXNET_GLUON_REPO", "http://127.0.0.1:9/")
    monkeypatch.setattr("gluon_onnx.gluon.utils.time.sleep", lambda s: None)
    with pytest.raises(
        mx.MXNetError, match=r"cannot be downloaded: .*http://127.0.0.1:9/gluon/models/alexnet-44335d1f.zip"
    ):
        vision.alexnet(pretrained=True, root=tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"mobilenet": b"other"}, "not a zip archive with the file"),
        (None, "not a zip archive"),
        ("wrong", "SHA-1 .* expected"),
    ],
    ids=["other member", "no archive", "wrong hash"],
)
def test_wrong_content(server: Server, tmp_path: pathlib.Path, members: Any, message: str) -> None:
    (tmp_path / file_name()).write_bytes(b"old")
    if members == "wrong":
        server.body = archive({file_name(): parameters() + b"!"})
    else:
        server.body = b"<html>sign in first</html>" if members is None else archive(members)
    with pytest.raises(mx.MXNetError, match=message):
        model_store.get_model_file("mobilenet0.25", tmp_path)
    assert (tmp_path / file_name()).read_bytes() == b"old"
    assert os.listdir(tmp_path) == [file_name()]


def test_member_with_a_path_is_not_unpacked(server: Server, tmp_path: pathlib.Path) -> None:
    root = tmp_path / "root"
    server.body = archive({f"../{file_name()}": parameters()})
    with pytest.raises(mx.MXNetError, match="not a zip archive with the file"):
        model_store.get_model_file("mobilenet0.25", root)
    assert os.listdir(tmp_path) == ["root"] and os.listdir(root) == []


def test_progress_bar(server: Server, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "dumb")
    model_store.get_model_file("mobilenet0.25", tmp_path)
    assert f"mobilenet0.25-{model_store.short_hash('mobilenet0.25')} ━━━" in screen.getvalue()


def test_zip_checksum_is_checked(server: Server, tmp_path: pathlib.Path) -> None:
    body = bytearray(server.body)
    body[len(body) // 2] ^= 0xFF
    server.body = bytes(body)
    with pytest.raises(mx.MXNetError, match=r"not a zip archive|SHA-1"):
        model_store.get_model_file("mobilenet0.25", tmp_path)
    assert gluon.model_zoo.model_store is model_store and os.listdir(tmp_path) == []
