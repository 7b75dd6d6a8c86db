"""What cannot be trained, or read, is refused with one error that says why; nothing is lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import artifacts
from gluon_onnx.gluon import nn
from gluon_onnx.graph.autodiff import engine
from gluon_onnx.graph.errors import NotDifferentiableError

from .nets import NETS, batches, made, trained, written

SHAPE = NETS["mlp"][1]


def block(forward: Any, **params: Any) -> Any:
    """A block with parameters and a forward of its own."""

    class Net(mx.gluon.HybridBlock):
        def __init__(self) -> None:
            super().__init__(prefix="net_")
            with self.name_scope():
                self.body = nn.Dense(4, in_units=10, prefix="body_")
                for name, kwargs in params.items():
                    setattr(self, name, self.params.get(name, **kwargs))

        def hybrid_forward(self, F: Any, x: Any, **kwargs: Any) -> Any:
            return forward(F, self.body(x), **kwargs)

    net = Net()
    net.initialize()
    return net


def refused(net: Any, folder: Path, loss: Any = "l2", **options: Any) -> str:
    with pytest.raises(mx.MXNetError) as caught:
        artifacts.export(net, loss, options.pop("optimizer", "sgd"), folder, inputs=[SHAPE], **options)
    assert not (folder / "manifest.json").exists()
    return str(caught.value)


def test_loss_that_does_not_depend_on_a_parameter(tmp_path: Path) -> None:
    net = block(lambda F, x, scale: [x, scale * 2], scale={"shape": (4,)})
    net._get_graph(mx.nd.zeros(SHAPE))
    text = refused(net, tmp_path, outputs=net._graph[1].list_outputs()[:1])
    assert "the loss does not depend on the trainable parameter 'net_scale'" in text


@pytest.mark.parametrize(
    ("forward", "operator"),
    [
        (lambda F, x: F.floor(x), r"net_floor0 \(floor\)"),
        (lambda F, x: F.cast(F.argmax(x, axis=1), "float32"), r"net_argmax0 \(argmax\)"),
        (lambda F, x: F.cast(F.cast(x, "int32"), "float32") * 2, r"net_cast0 \(Cast\)"),
    ],
    ids=["floor", "argmax", "cast"],
)
def test_operator_without_a_gradient_is_named_with_the_way_to_it(
    tmp_path: Path, forward: Any, operator: str
) -> None:
    net = block(lambda F, x: forward(F, F.tanh(x)))
    with pytest.raises(
        NotDifferentiableError, match=rf"through an operator without a gradient, {operator}: "
    ) as e:
        artifacts.export(net, "l2", "sgd", tmp_path, inputs=[SHAPE])
    assert "net_body_fwd (FullyConnected) -> net_tanh0 (tanh) -> " in str(e.value)


def test_operator_without_a_rule_is_named_with_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(engine._RULES, ("", "Erf"))
    net = block(lambda F, x, scale: F.broadcast_mul(F.erf(F.tanh(x)), scale), scale={"shape": (4,)})
    text = r"no gradient rule for the ONNX operator 'Erf' \(in node 'net_erf0'\)"
    with pytest.raises(NotDifferentiableError, match=text) as caught:
        artifacts.export(net, "l2", "sgd", tmp_path, inputs=[SHAPE])
    way = "net_body_fwd (FullyConnected) -> net_tanh0 (tanh) -> net_erf0 (erf) -> net_broadcast_mul0 (broadcast_mul)"
    assert str(caught.value).partition("to the loss: ")[2].startswith(way)
    artifacts.export(net, "l2", "sgd", tmp_path, inputs=[SHAPE], trainable=["net_scale"])


def test_gradient_that_is_blocked(tmp_path: Path) -> None:
    text = refused(block(lambda F, x: F.BlockGrad(x)), tmp_path)
    assert "no gradient of the loss reaches the trainable parameter 'net_body_weight'" in text
    assert "(BlockGrad)" in text


def test_integer_parameters(tmp_path: Path) -> None:
    net = block(
        lambda F, x, table: F.broadcast_add(x, F.cast(table, "float32")),
        table={"shape": (4,), "dtype": "int32", "init": "zeros"},
    )
    text = refused(net, tmp_path, trainable=["net_table", "net_body_weight"])
    assert "only floating-point parameters can be trained, not 'net_table' (int32)" in text
    assert "not 'net_table' (int32)" in refused(net, tmp_path, trainable="table")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"trainable": ["weight"]}, r"has no parameters \['weight'\]"),
        ({"trainable": "nothing"}, "'nothing' names no parameter"),
        ({"optimizer": "sgld"}, "the optimizer SGLD cannot become a graph"),
        ({"outputs": ["other"]}, "outputs: expected some of"),
        ({"labels": {"data": (6,)}}, "inputs or parameters of these names"),
    ],
    ids=["name", "pattern", "optimizer", "outputs", "labels"],
)
def test_arguments(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    with pytest.raises(mx.MXNetError, match=text):
        artifacts.export(
            made("mlp"), "l2", options.pop("optimizer", "sgd"), tmp_path, inputs=[SHAPE], **options
        )


def test_statistics_are_not_trained(tmp_path: Path) -> None:
    with pytest.raises(mx.MXNetError, match="are running statistics, which have no gradients"):
        written(tmp_path, "conv", trainable=["conv_batchnorm0_running_mean"])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda x, y: [x, y[:, None]],
            r"label 'label': expected float32 of shape \(batch,\), got shape \(6, 1\)",
        ),
        (lambda x, y: [x, y.astype(np.int64)], "label 'label': expected float32 .* got element type int64"),
        (lambda x, y: [x, y[:4]], "got shape \\(4,\\), but 'batch' is 6 in 'data'"),
        (
            lambda x, y: [x[:, :9], y],
            r"data 'data': expected float32 of shape \(batch, 10\), got shape \(6, 9\)",
        ),
        (lambda x, y: [x], "a batch has 2 arrays, data 'data', label 'label'; got 1"),
        (lambda x, y: {"x": x, "label": y}, r"a batch has data 'data', label 'label'; got \['label', 'x'\]"),
    ],
    ids=["shape", "dtype", "batch", "data", "count", "names"],
)
def test_batches(tmp_path: Path, change: Any, text: str) -> None:
    written(tmp_path)
    session = artifacts.TrainingSession(tmp_path)
    with pytest.raises(mx.MXNetError, match=text):
        session.train_step(change(*batches("mlp", 1)[0]))


def test_update_without_gradients(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(mx.MXNetError, match="call train_step first"):
        artifacts.TrainingSession(tmp_path).optimizer_step()


# -- numbers that are none -----------------------------------------------------------------------------------------


def test_loss_that_is_not_finite_changes_nothing(tmp_path: Path) -> None:
    written(tmp_path, "conv")
    session = artifacts.TrainingSession(tmp_path)
    good = batches("conv", 2)
    session.train_step(good[0])
    before, gradients = session.parameters, session.gradients
    bad = [good[1][0].copy(), good[1][1]]
    bad[0][2, 0, 1, 3] = np.inf
    with pytest.raises(mx.MXNetError, match="the loss is nan in a training step after 0 updates"):
        session.train_step(bad)
    for name, value in session.parameters.items():
        np.testing.assert_array_equal(value, before[name])
    for name, value in session.gradients.items():
        np.testing.assert_array_equal(value, gradients[name])
    assert session.find_nonfinite(bad) == (
        "The first tensor with NaN or infinity is the input 'data': 1 of 384 elements, the first at (2, 0, 1, 3) is inf"
    )
    assert np.isfinite(session.train_step(good[1]))


def test_first_bad_tensor_is_reported_on_request(tmp_path: Path) -> None:
    net = block(lambda F, x: F.log(F.relu(x) - 1e6))
    artifacts.export(net, "l2", "sgd", tmp_path, inputs=[SHAPE])
    session = artifacts.TrainingSession(tmp_path, trace_nonfinite=True)
    x = batches("mlp", 1)[0][0]
    with pytest.raises(
        mx.MXNetError,
        match=r"first tensor with NaN or infinity is .* from Log in 'net_log0' \(log\): 24 of 24",
    ):
        session.train_step([x, np.zeros((6, 4), np.float32)])


# -- checkpoints ---------------------------------------------------------------------------------------------------


def test_checkpoint_of_another_model(tmp_path: Path) -> None:
    written(tmp_path / "a", "mlp")
    written(tmp_path / "b", "conv")
    written(tmp_path / "c", "mlp", optimizer="adam")
    session = artifacts.TrainingSession(tmp_path / "a")
    with pytest.raises(mx.MXNetError, match="of another model or optimizer: it lacks mlp_dense0_weight"):
        session.load_checkpoint(tmp_path / "b" / "checkpoint")
    with pytest.raises(mx.MXNetError, match=r"it has besides mlp_dense0_weight\.mean, .* and 5 more"):
        session.load_checkpoint(tmp_path / "c" / "checkpoint")


@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, -1], ids=["empty", "prefix", "header", "half", "last"])
def test_truncated_checkpoint(tmp_path: Path, kept: float) -> None:
    written(tmp_path)
    session = artifacts.TrainingSession(tmp_path)
    before = session.parameters
    raw = (tmp_path / "checkpoint").read_bytes()
    (tmp_path / "cut").write_bytes(raw[: int(len(raw) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(mx.MXNetError, match="truncated"):
        session.load_checkpoint(tmp_path / "cut")
    for name, value in session.parameters.items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("place", ["write", "fsync"])
def test_full_disk_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    written(tmp_path)
    session = artifacts.TrainingSession(tmp_path)
    old = (tmp_path / "checkpoint").read_bytes()
    trained(session, batches("mlp", 1))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if place == "fsync":
            patch.setattr(os, "fsync", full)
        else:
            opened = open
            patch.setattr("builtins.open", lambda *a, **k: _Full(opened(*a, **k), full))
        with pytest.raises(
            OSError, match=r"could not be saved: No space left on device; .* is unchanged"
        ) as caught:
            session.save_checkpoint()
    assert caught.value.errno == errno.ENOSPC
    assert (tmp_path / "checkpoint").read_bytes() == old
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".tmp")] == []
    session.save_checkpoint()
    assert (tmp_path / "checkpoint").read_bytes() != old


class _Full:
    """A file that can hold the header of a checkpoint only."""

    def __init__(self, stream: Any, full: Any) -> None:
        self._stream, self._full, self._writes = stream, full, 0

    def __enter__(self) -> _Full:
        return self

    def __exit__(self, *_: Any) -> None:
        self._stream.close()

    def write(self, data: Any) -> None:
        self._writes += 1
        self._full() if self._writes > 2 else self._stream.write(data)


def test_directories_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(mx.MXNetError, match="no training artifacts: there is neither"):
        artifacts.TrainingSession(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(mx.MXNetError, match="not a manifest of training artifacts"):
        artifacts.TrainingSession(tmp_path)
    written(tmp_path)
    (tmp_path / "training_model.onnx").write_bytes(b"\x08\x0d")
    with pytest.raises(mx.MXNetError, match="ONNX Runtime refused the model"):
        artifacts.TrainingSession(tmp_path).train_step(batches("mlp", 1)[0])
