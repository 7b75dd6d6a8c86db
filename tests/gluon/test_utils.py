"""Helpers of training code: splitting, clipping, downloads from a local server, hooks."""

from __future__ import annotations

import copy
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import nd
from gluon_onnx.gluon import utils

CONTENT = bytes(range(256)) * 64
SHA1 = hashlib.sha1(CONTENT).hexdigest()


# -- arrays --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "n", "axis", "even", "lengths"),
    [
        ((6, 2), 3, 0, True, [2, 2, 2]),
        ((7, 2), 3, 0, False, [3, 2, 2]),
        ((8, 2), 3, 0, False, [3, 3, 2]),
        ((2, 5), 2, 1, False, [3, 2]),
        ((2, 4), 2, 1, True, [2, 2]),
        ((5,), 1, 0, True, [5]),
        ((2,), 3, 0, False, [1, 1, 0]),
    ],
)
def test_split_data(shape: tuple[int, ...], n: int, axis: int, even: bool, lengths: list[int]) -> None:
    x = nd.arange(int(np.prod(shape))).reshape(shape)
    parts = utils.split_data(x, n, axis, even)
    assert [p.shape[axis] for p in parts] == lengths
    np.testing.assert_array_equal(np.concatenate([p.asnumpy() for p in parts], axis), x.asnumpy())


def test_split_data_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"\(7, 2\) cannot be evenly split into 3 slices along axis 0.*multiple of 3"):
        utils.split_data(nd.zeros((7, 2)), 3)


@pytest.mark.parametrize("kind", [np.asarray, list])
def test_split_and_load(kind: Callable[..., object]) -> None:
    data = kind([[0, 1], [2, 3], [4, 5], [6, 7]])
    contexts = [mx.cpu(0), mx.cpu(1)]
    parts = utils.split_and_load(data, contexts)
    assert [p.context for p in parts] == contexts
    np.testing.assert_array_equal(parts[1].asnumpy(), [[4, 5], [6, 7]])


def test_split_and_load_of_an_array_for_one_context_is_the_array() -> None:
    x = nd.zeros((3, 2))
    assert utils.split_and_load(x, [mx.cpu()])[0] is x


@pytest.mark.parametrize(("max_norm", "factor"), [(5.0, 0.5), (10.5, 1.0)])
@pytest.mark.parametrize("check", [True, False])
def test_clip_global_norm(max_norm: float, factor: float, check: bool) -> None:
    arrays = [nd.array([6.0, 0.0]), nd.array([[0.0], [8.0]], ctx=mx.cpu(1))]
    norm = utils.clip_global_norm(arrays, max_norm, check_isfinite=check)
    if check:
        assert float(norm) == 10.0
    else:
        assert norm.shape == (1,) and norm.asscalar() == 10.0
    np.testing.assert_allclose(arrays[0].asnumpy(), [6 * factor, 0], rtol=1e-6)
    np.testing.assert_allclose(arrays[1].asnumpy(), [[0], [8 * factor]], rtol=1e-6)


def test_clip_global_norm_warns_of_nan() -> None:
    with pytest.warns(UserWarning, match="nan or inf is detected"):
        utils.clip_global_norm([nd.array([np.nan, 1.0])], 1.0)
    utils.clip_global_norm([nd.array([np.nan, 1.0])], 1.0, check_isfinite=False)


# -- files ---------------------------------------------------------------------------------------------


def test_check_sha1(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    assert utils.check_sha1(str(path), SHA1) and utils.check_sha1(path, SHA1.upper())
    assert not utils.check_sha1(path, "0" * 40)


def test_replace_file(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    new.write_text("new")
    old.write_text("old")
    utils.replace_file(new, old)
    assert old.read_text() == "new" and not new.exists()


def test_replace_file_that_fails_leaves_nothing(tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.write_text("new")
    with pytest.raises(OSError):
        utils.replace_file(new, tmp_path / "no such folder" / "old")
    assert not new.exists()


class Server(ThreadingHTTPServer):
    """Answers by path; counts requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def send(self, body: bytes, announced: int | None, status: int = 200) -> None:
        self.send_response(status)
        if announced is not None:
            self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        kind = self.path.strip("/").split("?")[0]
        attempt = self.server.seen.count(self.path)
        if kind == "missing" or (kind == "second" and attempt == 1):
            self.send(b"no", 2, 503 if kind == "second" else 404)
        elif kind == "short":
            self.send(CONTENT[:1000], len(CONTENT))
        elif kind == "dropped" or (kind == "third" and attempt == 1):
            self.close_connection = True
        elif kind == "cut" or (kind == "third" and attempt == 2):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
        elif kind == "slow":
            self.send(CONTENT[:10], len(CONTENT))
            self.wfile.flush()
            time.sleep(1.0)
        elif kind == "endless":
            self.send(CONTENT, None)
        else:
            self.send(CONTENT, len(CONTENT))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize(("name", "attempts"), [("file", 1), ("second", 2), ("third", 3), ("endless", 1)])
def test_download(server: Server, tmp_path: Path, name: str, attempts: int) -> None:
    path = utils.download(server.url + name, str(tmp_path), sha1_hash=SHA1)
    assert path == str(tmp_path / name)
    assert (tmp_path / name).read_bytes() == CONTENT
    assert files(tmp_path) == [name] and len(server.seen) == attempts


@pytest.mark.parametrize(
    ("name", "hash_", "reason"),
    [
        ("missing", None, "the server answered 404 Not Found"),
        ("short", None, r"1000 (of|bytes read)"),
        ("dropped", None, "ConnectionError: "),
        ("cut", None, "the server sent nothing"),
        ("file", "0" * 40, "the content's SHA-1 is not 0000"),
    ],
)
def test_download_that_fails_keeps_the_old_file(server: Server, tmp_path: Path, name: str, hash_: str | None,
                                                reason: str) -> None:  # fmt: skip
    (tmp_path / name).write_text("old")
    with pytest.raises(mx.MXNetError, match=rf"failed downloading {server.url}{name} to .*attempt 2 of 2.*{reason}"):
        utils.download(server.url + name, tmp_path / name, overwrite=True, sha1_hash=hash_, retries=2)
    assert files(tmp_path) == [name] and (tmp_path / name).read_text() == "old"
    assert len(server.seen) == 2


def test_download_without_retries_tries_once(server: Server, tmp_path: Path) -> None:
    with pytest.raises(mx.MXNetError, match="attempt 1 of 1"):
        utils.download(server.url + "missing", tmp_path, retries=0)
    assert len(server.seen) == 1


def test_download_gives_up_on_a_stalled_server(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "_TIMEOUT", (1.0, 0.1))
    with pytest.raises(mx.MXNetError, match="timed out"):
        utils.download(server.url + "slow", tmp_path, retries=1)
    assert files(tmp_path) == []


def test_download_from_nowhere(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_port
    with pytest.raises(mx.MXNetError, match=f"failed downloading http://127.0.0.1:{port}/file .*ConnectionError"):
        utils.download(f"http://127.0.0.1:{port}/file", tmp_path, retries=1)


@pytest.mark.parametrize(
    ("old", "overwrite", "hash_", "requests"),
    [
        (CONTENT, False, None, 0),
        (CONTENT, False, SHA1, 0),
        (b"old", False, None, 0),
        (b"old", False, SHA1, 1),
        (b"old", True, None, 1),
        (CONTENT, True, SHA1, 1),
    ],
)
def test_download_over_an_existing_file(server: Server, tmp_path: Path, old: bytes, overwrite: bool, hash_: str | None,
                                        requests: int) -> None:  # fmt: skip
    path = tmp_path / "file"
    path.write_bytes(old)
    utils.download(server.url + "file", path, overwrite=overwrite, sha1_hash=hash_)
    assert len(server.seen) == requests
    assert path.read_bytes() == (CONTENT if requests else old)


def test_download_places(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert utils.download(server.url + "file") == "file"
    assert utils.download(server.url + "file?version=2", "made/on/the/way.bin") == "made/on/the/way.bin"
    assert utils.download(server.url + "file?version=2", "made") == str(Path("made") / "file")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert utils.download(server.url + "file", "~/home.bin") == str(tmp_path / "home.bin")
    with pytest.raises(ValueError, match="set the `path`"):
        utils.download(server.url)
    with pytest.raises(ValueError, match="retries"):
        utils.download(server.url + "file", retries=-1)


def test_download_reports_progress(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    utils.download(server.url + "file", tmp_path / "a", progress=lambda *p: told.append(p))
    utils.download(server.url + "endless", tmp_path / "b", progress=lambda *p: told.append(p))
    n = len(CONTENT)
    assert told[0][1] == n and (n, n) in told and told[-1] == (n, None)


def test_download_warns_of_unverified_servers(server: Server, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="^Unverified HTTPS request is being made"):
        utils.download(server.url + "file", tmp_path, verify_ssl=False)


@pytest.mark.parametrize("variable", [None, "", "https://example.org/mirror", "https://example.org/mirror/"])
def test_repository_url(variable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MXNET_GLUON_REPO", raising=False)
    if variable is not None:
        monkeypatch.setenv("MXNET_GLUON_REPO", variable)
    url = utils._get_repo_file_url("gluon/models", "a.zip")
    assert url.startswith("https://") and url.endswith("/gluon/models/a.zip") and "//gluon" not in url
    assert not variable or url == "https://example.org/mirror/gluon/models/a.zip"


# -- what blocks are made of ---------------------------------------------------------------------------------


def test_indent() -> None:
    assert utils._indent("a", 2) == "a"
    assert utils._indent("a\nb\nc", 2) == "a\n  b\n  c"


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, ""), (2, "'0', '1'"), (7, "'0', '1', '2', '3', '4', '5', '6'"), (9, "'0', '1', '2', ..., '5', '6', '7', '8'")],
)
def test_brief_list(n: int, text: str) -> None:
    assert utils._brief_print_list(range(n)) == text


def test_hook_handle() -> None:
    hooks: OrderedDict[int, object] = OrderedDict()

    def hook() -> None:
        """Nothing."""

    handle = utils.HookHandle()
    handle.detach()
    handle.attach(hooks, hook)
    with pytest.raises(AssertionError, match="attached twice"):
        handle.attach(hooks, hook)
    assert list(hooks.values()) == [hook]
    handle.detach()
    handle.detach()
    assert not hooks
    with utils.HookHandle() as other:
        other.attach(hooks, hook)
        twin_hooks, twin = copy.deepcopy((hooks, other))
        assert len(hooks) == 1
    assert not hooks and len(twin_hooks) == 1
    twin.detach()
    assert not twin_hooks


@pytest.mark.parametrize(
    ("shape", "known", "known_np"),
    [(None, False, False), ((), False, True), ((2, 0), False, True), ((2, 3), True, True), ((0,), False, True)],
)
def test_shape_is_known(shape: tuple[int, ...] | None, known: bool, known_np: bool) -> None:
    assert utils.shape_is_known(shape) is known
    with mx.np_shape():
        assert utils.shape_is_known(shape) is known_np


def test_shape_with_impossible_lengths() -> None:
    with pytest.raises(AssertionError, match="cannot be less than 0"):
        utils.shape_is_known((2, -1))
    with mx.np_shape():
        assert not utils.shape_is_known((2, -1))
        with pytest.raises(AssertionError, match="cannot be less than -1"):
            utils.shape_is_known((2, -2))
