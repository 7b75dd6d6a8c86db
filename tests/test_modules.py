"""The small modules that programs import: util, log, name, attribute, runtime, engine, libinfo, numpy."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gluon_onnx as mx
from gluon_onnx import engine, libinfo, log, runtime, util


@pytest.fixture(autouse=True)
def classic_shapes() -> Iterator[None]:
    yield
    util.set_np_shape(False)


# -- meaning of shapes ---------------------------------------------------------------------------------------


def test_np_shape_is_a_switch_of_the_thread() -> None:
    assert mx.set_np_shape(True) is False and mx.is_np_shape()
    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(mx.is_np_shape()))
    thread.start()
    thread.join()
    assert seen == [False]
    assert mx.set_np_shape(False) is True and not mx.is_np_shape()


def test_np_shape_scopes_nest() -> None:
    scope = mx.np_shape()
    with scope:
        assert mx.is_np_shape()
        with mx.np_shape(False):
            assert not mx.is_np_shape()
            with scope, mx.np_shape(None):
                assert mx.is_np_shape()
        assert mx.is_np_shape()
    assert not mx.is_np_shape()
    with pytest.raises(KeyError), scope:
        raise KeyError
    assert not mx.is_np_shape()


def test_use_np_shape_on_a_function() -> None:
    @mx.use_np_shape
    def told(x: int) -> tuple[int, bool]:
        """What it says."""
        return x, mx.is_np_shape()

    assert told(3) == (3, True) and told.__name__ == "told" and told.__doc__ == "What it says."
    with pytest.raises(TypeError, match="use_np_shape decorates functions and classes"):
        mx.use_np_shape(3)


def test_use_np_shape_on_a_class() -> None:
    @mx.use_np_shape
    class Told:
        constant = 1

        def __init__(self) -> None:
            self.made = mx.is_np_shape()
            self.set: bool | None = None

        @property
        def value(self) -> bool:
            """Documented."""
            return mx.is_np_shape()

        @value.setter
        def value(self, _: bool) -> None:
            self.set = mx.is_np_shape()

        @staticmethod
        def static() -> bool:
            return mx.is_np_shape()

        @classmethod
        def of_class(cls) -> tuple[type, bool]:
            return cls, mx.is_np_shape()

    t = Told()
    t.value = False
    assert (t.made, t.value, t.set, Told.static(), Told.of_class(), Told.constant) == (True, True, True, True,
                                                                                      (Told, True), 1)  # fmt: skip
    assert Told.value.__doc__ == "Documented." and not mx.is_np_shape()


# -- the NumPy interface -----------------------------------------------------------------------------------


def test_numpy_interface_is_refused_with_the_reason() -> None:
    @mx.use_np
    class Net:
        def forward(self) -> None:
            """Never runs."""

    @mx.util.use_np_array
    def function() -> None:
        """Never runs."""

    refused: list[Callable[[], Any]] = [Net().forward, function, lambda: mx.np_array(True), util.set_np]
    refused.append(lambda: mx.np.ndarray((1,)))
    for call in refused:
        with pytest.raises(mx.MXNetError, match=r"MXNet's NumPy interface \(mx\.np, mx\.npx\) is not part"):
            call()
    with pytest.raises(mx.MXNetError, match=r"Net\.forward is decorated with use_np"):
        Net().forward()


@pytest.mark.parametrize("module", ["np", "npx", "numpy", "numpy_extension"])
def test_modules_without_content_say_so(module: str) -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'relu': MXNet's NumPy interface"):
        _ = getattr(mx, module).relu


def test_what_is_there_of_the_numpy_interface() -> None:
    assert not mx.is_np_array() and not isinstance(mx.nd.zeros((1,)), mx.np.ndarray)
    with mx.np_array(False):
        assert not mx.is_np_array()
    util.set_np(shape=True, array=False)
    assert mx.npx.is_np_shape()
    mx.npx.reset_np()
    assert not mx.is_np_shape()


# -- surroundings ----------------------------------------------------------------------------------------------


def test_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLUON_TEST", raising=False)
    assert util.getenv("GLUON_TEST") is None
    util.setenv("GLUON_TEST", "1")
    assert util.getenv("GLUON_TEST") == "1"
    util.setenv("GLUON_TEST", None)
    util.setenv("GLUON_TEST", None)
    assert util.getenv("GLUON_TEST") is None


def test_set_module() -> None:
    def function() -> None:
        """Nothing."""

    assert util.set_module("mxnet.somewhere")(function).__module__ == "mxnet.somewhere"
    assert util.set_module(None)(function).__module__ == "mxnet.somewhere"


def test_gpus() -> None:
    assert util.get_gpu_count() == mx.num_gpus()
    with pytest.raises(ValueError, match=r"expected a gpu context, got cpu\(0\)"):
        util.get_cuda_compute_capability(mx.cpu())


@pytest.mark.gpu
def test_compute_capability_is_that_of_a_gpu_of_this_decade() -> None:
    assert 50 <= util.get_cuda_compute_capability(mx.gpu()) <= 200


@pytest.mark.skipif(mx.num_gpus() > 0, reason="there is a GPU")
def test_compute_capability_without_a_gpu() -> None:
    with pytest.raises(mx.MXNetError, match=r"gpu\(0\): the CUDA driver"):
        util.get_cuda_compute_capability(mx.gpu())


def test_features() -> None:
    features = runtime.Features()
    assert features.is_enabled("lapack") and features.is_enabled("PROFILER") and not features.is_enabled("TVM_OP")
    assert features.is_enabled("CUDA") == (mx.num_gpus() > 0)
    assert [f.name for f in runtime.feature_list()] == list(features)
    assert "✔ LAPACK" in repr(features) and "✖ MKLDNN" in repr(features)
    with pytest.raises(RuntimeError, match="feature 'warp drive' is unknown; known are"):
        features.is_enabled("warp drive")


def test_bulk_sizes() -> None:
    assert engine.set_bulk_size(20) == 15
    with engine.bulk(3):
        assert engine.set_bulk_size(4) == 3
    assert engine.set_bulk_size(15) == 20


def test_there_is_no_native_library() -> None:
    assert libinfo.__version__ == mx.__version__
    for call in (libinfo.find_lib_path, libinfo.find_include_path):
        with pytest.raises(mx.MXNetError, match="gluon_onnx has no"):
            call()


@pytest.mark.parametrize("name", ["attribute", "base", "engine", "error", "libinfo", "log", "name", "runtime", "util"])
def test_modules_can_be_imported_and_reached(name: str) -> None:
    assert importlib.import_module(f"gluon_onnx.{name}") is getattr(mx, name)


def test_current_scopes() -> None:
    with mx.name.Prefix("a_") as names, mx.attribute.AttrScope(x="1"):
        assert mx.name.NameManager.current is names
        assert mx.name.NameManager.current.get(None, "fc") == "a_fc0"
        assert mx.attribute.AttrScope.current.get({"y": "2"}) == {"x": "1", "y": "2"}
    assert mx.attribute.AttrScope.current.get(None) == {}
    assert issubclass(mx.error.InternalError, mx.MXNetError)


# -- loggers -----------------------------------------------------------------------------------------------


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    unique = f"gluon_test.{request.node.name}"
    yield unique
    for handler in logging.getLogger(unique).handlers:
        handler.close()


def test_log_format(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    logger = log.get_logger(name, level=log.INFO)
    logger.warning("hello %s", "world")
    logger.info("x")
    logger.debug("never")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("\x1b[31mW") and first.endswith("]\x1b[0m hello world")
    assert "test_modules.py:test_log_format" in first
    assert second.startswith("\x1b[32mI")
    assert log.get_logger(name, level=log.DEBUG) is logger and len(logger.handlers) == 1
    assert logger.level == log.INFO


def test_log_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("before\n")
    log.get_logger(name, str(path)).error("later")
    assert path.read_text() == "before\nlater\n"


def test_old_name_of_get_logger(name: str) -> None:
    with pytest.warns(DeprecationWarning, match="use get_logger"):
        assert log.getLogger(name) is log.get_logger(name)
    assert log.get_logger() is logging.getLogger()
