"""ONNX Runtime's on-device training: its directories train here, and ours train there, with the same losses.

The expected numbers were computed by onnxruntime-training-cpu 1.19.2 (tests/data/ort_training/make.py).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import gluon_onnx as mx
from gluon_onnx import artifacts
from gluon_onnx.artifacts.ort_checkpoint import read_ort_checkpoint
from gluon_onnx.gluon import nn
from gluon_onnx.graph.errors import UnsupportedOperatorError

from .nets import BATCH, CLASSES, batches, made, trained

DATA = Path(__file__).parents[1] / "data" / "ort_training"
RESULTS: dict[str, Any] = json.loads((DATA / "results.json").read_text())
PYTHON = os.environ.get("ORT_TRAINING_PYTHON")
RATE = 0.01


def stored(name: str) -> list[list[np.ndarray]]:
    with np.load(DATA / name / "batches.npz") as found:
        return [[found[f"x{i}"], found[f"y{i}"]] for i in range(len(found.files) // 2)]


def session_of(name: str, **options: Any) -> Any:
    session = artifacts.TrainingSession(DATA / name, **options)
    session.learning_rate = RATE
    return session


@pytest.mark.parametrize("name", sorted(RESULTS))
def test_directories_of_onnxruntime_train_with_its_losses(name: str) -> None:
    session = session_of(name)
    np.testing.assert_allclose(trained(session, stored(name)), RESULTS[name]["losses"], rtol=5e-6)
    for parameter, value in RESULTS[name]["parameters"].items():
        np.testing.assert_allclose(session.parameters[parameter], value, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", sorted(RESULTS))
def test_models_are_plain(name: str) -> None:
    session = session_of(name)
    for kind in session.manifest.models:
        proto = onnx.load_from_string(session._artifacts.raw(kind))
        onnx.checker.check_model(proto, full_check=True)
        assert {n.domain for n in proto.graph.node} <= {""}


@pytest.mark.parametrize("name", sorted(RESULTS))
def test_checkpoint_of_onnxruntime_after_training(name: str) -> None:
    ours = session_of(name)
    trained(ours, stored(name))
    theirs = session_of(name, checkpoint=DATA / name / "trained")
    assert theirs.step == len(stored(name))
    expected = trained(ours, stored(name)[:3])
    np.testing.assert_allclose(trained(theirs, stored(name)[:3]), expected, rtol=1e-4)


def test_checkpoints_go_back_in_their_form(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(DATA / "conv", folder)
    session = artifacts.TrainingSession(folder, seed=4)
    trained(session, stored("conv")[:3])
    session.save_checkpoint(properties={"epoch": 3})
    found = read_ort_checkpoint(folder / "checkpoint")
    assert (found.step, set(found.frozen)) == (3, {"bn.mean", "bn.var"})
    assert [len(m) for m in found.states.values()] == [2] * len(found.trainable)
    again = artifacts.TrainingSession(folder)
    assert again.load_checkpoint() == {"epoch": 3}
    assert trained(again, stored("conv")[3:6]) == trained(session, stored("conv")[3:6])


def test_inference_model(tmp_path: Path) -> None:
    session = session_of("conv")
    trained(session, stored("conv")[:3])
    session.export_model_for_inferencing(tmp_path / "net.onnx", ["output"])
    x = stored("conv")[0][0]
    got = onnxruntime.InferenceSession(tmp_path / "net.onnx").run(None, {"input": x})[0]
    np.testing.assert_allclose(got, session.predict([x])["output"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kept", [4, 12, 200, 1000])
def test_truncated_checkpoint(tmp_path: Path, kept: int) -> None:
    shutil.copytree(DATA / "conv", tmp_path, dirs_exist_ok=True)
    (tmp_path / "checkpoint").write_bytes((DATA / "conv" / "checkpoint").read_bytes()[:kept])
    with pytest.raises(mx.MXNetError, match=r"truncated|not a checkpoint"):
        artifacts.TrainingSession(tmp_path)


def test_operators_without_a_form_are_named(tmp_path: Path) -> None:
    shutil.copytree(DATA / "mlp_sgd", tmp_path, dirs_exist_ok=True)
    model = onnx.load(tmp_path / "training_model.onnx")
    relu = next(n for n in model.graph.node if n.op_type == "Relu")
    relu.op_type, relu.domain = "BiasDropout", "com.microsoft"
    onnx.save(model, tmp_path / "training_model.onnx")
    with pytest.raises(UnsupportedOperatorError, match="operator 'BiasDropout'"):
        artifacts.TrainingSession(tmp_path)


# -- the other way -------------------------------------------------------------------------------------------------


def plain_conv() -> Any:
    """A net without a bias before the normalization, whose gradient would be noise."""
    net = nn.HybridSequential(prefix="conv_")
    with net.name_scope():
        net.add(nn.Conv2D(4, 3, use_bias=False), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(2))
        net.add(nn.Dense(CLASSES))
    mx.random.seed(1)
    np.random.seed(1)
    net.initialize(mx.init.Xavier())
    return net


def plain_mlp() -> Any:
    net = nn.HybridSequential(prefix="mlp_")
    with net.name_scope():
        net.add(nn.Dense(12, activation="tanh"), nn.LayerNorm(), nn.Dense(CLASSES))
    mx.random.seed(1)
    np.random.seed(1)
    net.initialize(mx.init.Xavier())
    return net


NETS = {"conv": (plain_conv, (BATCH, 1, 8, 8)), "mlp": (plain_mlp, (BATCH, 10))}
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("sgd", {"learning_rate": RATE}),
    "adam": ("adam", {"learning_rate": RATE}),
    "adamw": ("adamw", {"learning_rate": RATE, "wd": 0.1}),
}
ROWS = [(net, optimizer) for net in sorted(NETS) for optimizer in sorted(OPTIMIZERS)]


def written(folder: Path, net: str, optimizer: str, **options: Any) -> Any:
    build, shape = NETS[net]
    name, params = OPTIMIZERS[optimizer]
    return artifacts.export(
        build(), "softmax_cross_entropy", name, folder, inputs=[shape], optimizer_params=params, **options
    )


@pytest.mark.parametrize(("net", "optimizer"), ROWS)
def test_both_flavors_give_the_same_losses(tmp_path: Path, net: str, optimizer: str) -> None:
    written(tmp_path / "ours", net, optimizer)
    written(tmp_path / "theirs", net, optimizer, flavor="onnxruntime-training")
    data = batches(net, 20)
    theirs = artifacts.TrainingSession(tmp_path / "theirs")
    theirs.learning_rate = RATE
    # AdamWOptimizer lets the new weight decay, MXNet's AdamW the old one: lr * wd of each step.
    tolerance = RATE * OPTIMIZERS[optimizer][1].get("wd", 0.0) or 1e-5
    ours = trained(artifacts.TrainingSession(tmp_path / "ours"), data)
    np.testing.assert_allclose(trained(theirs, data), ours, rtol=tolerance)


def test_only_what_the_interface_asks_for_is_of_another_domain(tmp_path: Path) -> None:
    written(tmp_path, "conv", "adam", flavor="onnxruntime-training")
    proto = onnx.load(tmp_path / "training_model.onnx")
    assert {n.op_type for n in proto.graph.node if n.domain} == {"InPlaceAccumulatorV2"}
    assert {o.domain: o.version for o in proto.opset_import} == {"": 21, "com.microsoft": 1}
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checkpoint",
        "eval_model.onnx",
        "optimizer_model.onnx",
        "training_model.onnx",
    ]


@pytest.mark.parametrize(
    ("optimizer", "params", "text"),
    [
        ("sgd", {"momentum": 0.9}, "momentum=0.9"),
        ("adam", {"wd": 0.1}, "weight decay 0.1"),
        ("rmsprop", {}, "its rule"),
        ("sgd", {"clip_gradient": 1.0}, "clip_gradient=1.0"),
    ],
)
def test_optimizers_that_onnxruntime_lacks(tmp_path: Path, optimizer: str, params: Any, text: str) -> None:
    with pytest.raises(mx.MXNetError, match=f"has no optimizer for {optimizer} with {text}"):
        artifacts.export(
            made("mlp"),
            "l2",
            optimizer,
            tmp_path,
            optimizer_params=params,
            inputs=[(BATCH, 10)],
            flavor="onnxruntime-training",
        )


@pytest.mark.skipif(not PYTHON, reason="ORT_TRAINING_PYTHON names no interpreter with onnxruntime-training")
@pytest.mark.parametrize(("net", "optimizer"), ROWS)
def test_the_real_package_trains_with_our_files(tmp_path: Path, net: str, optimizer: str) -> None:
    written(tmp_path, net, optimizer, flavor="onnxruntime-training")
    data = batches(net, 20)
    np.savez(tmp_path / "data.npz", x=[b[0] for b in data], y=[b[1] for b in data])
    session = artifacts.TrainingSession(tmp_path)
    session.learning_rate = RATE
    losses = trained(session, data)
    output = session.manifest.models["inference"].outputs[0].name
    program = f"""
        import json, warnings
        warnings.filterwarnings("ignore")
        import numpy as np
        import onnxruntime.training.api as training
        state = training.CheckpointState.load_checkpoint("checkpoint")
        module = training.Module("training_model.onnx", state, "eval_model.onnx")
        optimizer = training.Optimizer("optimizer_model.onnx", module)
        optimizer.set_learning_rate({RATE})
        data, losses = np.load("data.npz"), []
        for x, y in zip(data["x"], data["y"]):
            module.train()
            losses.append(float(module(x, y)))
            optimizer.step()
            module.lazy_reset_grad()
        module.eval()
        loss = module(x, y)[0]
        training.CheckpointState.save_checkpoint(state, "theirs", include_optimizer_state=True)
        module.export_model_for_inferencing("net.onnx", [{output!r}])
        print(json.dumps([losses, float(loss)]))
        """
    assert PYTHON is not None
    done = subprocess.run(
        [PYTHON, "-c", textwrap.dedent(program)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    theirs, loss = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(losses, theirs, rtol=5e-6)
    np.testing.assert_allclose(session.eval_step(data[-1]), loss, rtol=1e-5)
    again = artifacts.TrainingSession(tmp_path, checkpoint=tmp_path / "theirs")
    np.testing.assert_allclose(again.eval_step(data[-1]), loss, rtol=1e-5)
    x = data[0][0]
    got = onnxruntime.InferenceSession(tmp_path / "net.onnx").run(None, {"data": x})[0]
    np.testing.assert_allclose(got, session.predict([x])[output], rtol=1e-4, atol=1e-5)
