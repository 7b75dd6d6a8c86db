"""Training from files: the same numbers as Trainer, whatever the optimizer; checkpoints; inference models."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import gluon_onnx as mx
from gluon_onnx import artifacts

from .nets import NETS, batches, made, trained, trained_by_trainer, written

ROOT = Path(__file__).parents[2]
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"learning_rate": 0.1, "momentum": 0.9, "wd": 1e-3},
    "nag": {"learning_rate": 0.05, "momentum": 0.9, "clip_gradient": 0.05},
    "signum": {"learning_rate": 0.01, "momentum": 0.9, "wd_lh": 1e-3},
    "adam": {"learning_rate": 0.01, "wd": 1e-3},
    "adamw": {"learning_rate": 0.01, "wd": 0.1},
    "rmsprop": {"learning_rate": 0.001, "centered": True},
    "adagrad": {"learning_rate": 0.05, "wd": 1e-3},
    "adadelta": {"wd": 1e-3},
    "adamax": {"learning_rate": 0.01},
    "ftrl": {"learning_rate": 0.1},
    "ftml": {"learning_rate": 0.01},
}


def exported(folder: Path, name: str, optimizer: str, **options: Any) -> Any:
    return written(folder, name, optimizer, optimizer_params=OPTIMIZERS[optimizer], **options)


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_losses_of_an_mlp_with_dropout_are_those_of_trainer(tmp_path: Path, optimizer: str) -> None:
    net = exported(tmp_path, "mlp", optimizer)
    session = artifacts.TrainingSession(tmp_path, seed=7)
    got = trained(session, batches("mlp"))
    np.testing.assert_allclose(
        got, trained_by_trainer(net, batches("mlp"), optimizer, OPTIMIZERS[optimizer]), rtol=2e-6
    )
    assert session.step == len(got)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_losses_and_statistics_of_a_convolutional_net_are_those_of_trainer(
    tmp_path: Path, optimizer: str
) -> None:
    net = exported(tmp_path, "conv", optimizer)
    session = artifacts.TrainingSession(tmp_path, seed=7)
    got = trained(session, batches("conv"))
    np.testing.assert_allclose(
        got, trained_by_trainer(net, batches("conv"), optimizer, OPTIMIZERS[optimizer]), rtol=2e-6
    )
    for name in ("conv_batchnorm0_running_mean", "conv_batchnorm0_running_var"):
        expected = net.collect_params()[name].data().asnumpy()
        if optimizer == "sgd":  # Adam makes noise of the bias before a normalization, whose gradient is zero
            np.testing.assert_allclose(session.parameters[name], expected, rtol=1e-5, atol=1e-6)
        assert not np.allclose(expected, made("conv").collect_params()[name].data().asnumpy())


def test_batches_may_differ_in_size_and_arrays_may_be_named(tmp_path: Path) -> None:
    written(tmp_path)
    session = artifacts.TrainingSession(tmp_path)
    for x, y in batches("mlp", 2):
        whole = session.eval_step([x, y])
        parts = [session.eval_step({"data": x[i:j], "label": y[i:j]}) for i, j in ((0, 2), (2, 6))]
        np.testing.assert_allclose(whole, (2 * parts[0] + 4 * parts[1]) / 6, rtol=1e-6)


def test_gradients_accumulate_until_they_are_reset(tmp_path: Path) -> None:
    written(tmp_path, "conv")
    session = artifacts.TrainingSession(tmp_path)
    single = []
    for batch in batches("conv", 3):
        session.lazy_reset_grad()
        session.train_step(batch)
        single.append(session.gradients)
    session.lazy_reset_grad()
    for batch in batches("conv", 3):
        session.train_step(batch)
    for name, total in session.gradients.items():
        np.testing.assert_allclose(total, sum(g[name] for g in single), rtol=1e-5, atol=1e-6)


def test_gradients_are_those_of_autograd(tmp_path: Path) -> None:
    net = written(tmp_path, "conv")
    (x, y), loss = batches("conv", 1)[0], mx.gluon.loss.SoftmaxCrossEntropyLoss()
    with mx.autograd.record():
        value = loss(net(mx.nd.array(x)), mx.nd.array(y)).mean()
    value.backward()
    session = artifacts.TrainingSession(tmp_path)
    got, outputs = session.train_step([x, y], outputs=True)
    np.testing.assert_allclose(got, value.asscalar(), rtol=1e-6)
    assert [a.shape for a in outputs.values()] == [(len(x), 3)]
    for name, gradient in session.gradients.items():
        expected = net.collect_params()[name].grad().asnumpy()
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_learning_rate_of_a_step(tmp_path: Path) -> None:
    written(tmp_path, optimizer="sgd", optimizer_params={"learning_rate": 0.5})
    session = artifacts.TrainingSession(tmp_path, check_finite=False)
    session.train_step(batches("mlp", 1)[0])
    before, gradients = session.parameters, session.gradients
    session.optimizer_step(lr=0.25)
    session.optimizer_step()
    for name, gradient in gradients.items():
        np.testing.assert_allclose(
            session.parameters[name], before[name] - 0.75 * gradient, rtol=1e-5, atol=1e-7
        )


def test_frozen_parameters_have_no_gradients_and_stay(tmp_path: Path) -> None:
    written(tmp_path, "conv", optimizer="adam", trainable="dense")
    session = artifacts.TrainingSession(tmp_path)
    before = session.parameters
    trained(session, batches("conv", 2))
    assert set(session.gradients) == {"conv_dense0_weight", "conv_dense0_bias"}
    changed = {n for n, x in session.parameters.items() if not np.array_equal(x, before[n])}
    statistics = {"conv_batchnorm0_running_mean", "conv_batchnorm0_running_var"}
    assert changed == {*session.gradients, *statistics}
    training = onnx.load(tmp_path / "training_model.onnx")
    assert [n for n in training.graph.node if "conv0" in n.name and "gradient" in str(n.metadata_props)] == []


def test_statistics_of_a_frozen_body_may_stay_too(tmp_path: Path) -> None:
    written(tmp_path, "conv", trainable=["conv_dense0_weight", "conv_dense0_bias"], freeze_statistics=True)
    session = artifacts.TrainingSession(tmp_path)
    before = session.parameters
    trained(session, batches("conv", 2))
    changed = {n for n, x in session.parameters.items() if not np.array_equal(x, before[n])}
    assert changed == set(session.gradients)


def test_sum_as_reduction_and_a_loss_of_symbols(tmp_path: Path) -> None:
    def loss(out: Any, label: Any) -> Any:
        return mx.sym.square(out - label)

    shape = NETS["mlp"][1]
    artifacts.export(made("mlp"), loss, "sgd", tmp_path / "sum", inputs=[shape], reduction="sum")
    artifacts.export(made("mlp"), loss, "sgd", tmp_path / "mean", inputs=[shape])
    x, y = batches("mlp", 1)[0][0], np.ones((shape[0], 3), np.float32)
    values = [artifacts.TrainingSession(tmp_path / kind).eval_step([x, y]) for kind in ("sum", "mean")]
    np.testing.assert_allclose(values[0], values[1] * y.size, rtol=1e-6)


def test_weights_in_half_precision_with_a_copy_in_float32(tmp_path: Path) -> None:
    net = made("mlp")
    net.cast("float16")
    params = {"learning_rate": 0.1, "momentum": 0.9, "multi_precision": True}
    data = np.zeros(NETS["mlp"][1], np.float16)
    artifacts.export(net, "softmax_cross_entropy", "sgd", tmp_path, optimizer_params=params, inputs=[data])
    session = artifacts.TrainingSession(tmp_path)
    x, y = batches("mlp", 1)[0]
    losses = trained(session, [[x.astype(np.float16), y]] * 10)
    assert losses[-1] < losses[0]
    manifest = session.manifest
    assert {e.dtype for e in manifest.states} == {"float32"}
    assert {p.dtype for p in manifest.parameters} == {"float16"}


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    class Net(mx.gluon.HybridBlock):
        def __init__(self) -> None:
            super().__init__(prefix="net_")
            with self.name_scope():
                self.a, self.b = mx.gluon.nn.Dense(5, prefix="a_"), mx.gluon.nn.Dense(5, prefix="b_")

        def hybrid_forward(self, F: Any, x: Any, z: Any) -> Any:
            return self.a(x) + self.b(z), self.a(x)

    def loss(first: Any, second: Any, label: Any) -> Any:
        return mx.sym.square(first - label) + mx.sym.abs(second)

    net = Net()
    net.initialize()
    artifacts.export(
        net, loss, "rmsprop", tmp_path, inputs=[("batch", 3), ("batch", 6)], labels={"label": ("batch", 5)}
    )
    session = artifacts.TrainingSession(tmp_path)
    assert (session.inputs, session.labels) == (["data0", "data1"], ["label"])
    x, z, y = (np.ones(shape, np.float32) for shape in ((4, 3), (4, 6), (4, 5)))
    first, second = net(mx.nd.array(x), mx.nd.array(z))
    expected = (mx.nd.square(first - 1) + mx.nd.abs(second)).mean().asscalar()
    np.testing.assert_allclose(session.train_step([x, z, y]), expected, rtol=1e-6)


def test_recurrent_net_of_any_batch_size(tmp_path: Path) -> None:
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Embedding(20, 8), mx.gluon.rnn.LSTM(8, layout="NTC"), mx.gluon.nn.Dense(5))
    mx.random.seed(0)
    net.initialize(mx.init.Xavier())
    artifacts.export(
        net, "cross_entropy", "adam", tmp_path, inputs=[(4, 7)], optimizer_params={"learning_rate": 0.05}
    )
    session = artifacts.TrainingSession(tmp_path)
    random = np.random.default_rng(0)
    x, y = random.integers(0, 20, (9, 7)).astype(np.float32), random.integers(0, 5, 9).astype(np.float32)
    losses = trained(session, [[x, y]] * 20)
    assert losses[-1] < 0.5 * losses[0]


def test_onnx_model_by_its_path(tmp_path: Path) -> None:
    model = Path(__file__).parents[1] / "data" / "models" / "small.onnx"
    manifest = artifacts.export(
        model, "softmax_cross_entropy", "sgd", tmp_path, optimizer_params={"learning_rate": 0.1}
    )
    session = artifacts.TrainingSession(tmp_path)
    random = np.random.default_rng(0)
    x, y = random.standard_normal((6, 1, 12, 12)).astype(np.float32), np.arange(6, dtype=np.float32)
    bare = onnxruntime.InferenceSession(model)
    (expected,) = bare.run(None, {"data": x})
    np.testing.assert_allclose(next(iter(session.predict([x]).values())), expected, rtol=1e-4, atol=1e-5)
    losses = trained(session, [[x, y]] * 5)
    assert losses[-1] < losses[0]
    assert [p.name for p in manifest.parameters if p.trainable] == list(session.gradients)


def test_shapes_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"inputs\['data'\]: expected an array, a shape as .* got 'wide'"):
        artifacts.export(made("mlp"), "l2", "sgd", tmp_path, inputs={"data": "wide"})


def test_labels_may_be_integers(tmp_path: Path) -> None:
    written(tmp_path / "int", labels={"label": (("batch",), "int64")})
    written(tmp_path / "float")
    x, y = batches("mlp", 1)[0]
    expected = artifacts.TrainingSession(tmp_path / "float").eval_step([x, y])
    assert artifacts.TrainingSession(tmp_path / "int").eval_step([x, y.astype(np.int64)]) == expected


@pytest.mark.gpu
def test_losses_on_a_gpu(tmp_path: Path) -> None:
    exported(tmp_path, "conv", "adam")
    expected = trained(artifacts.TrainingSession(tmp_path), batches("conv"))
    session = artifacts.TrainingSession(tmp_path, mx.gpu(0))
    np.testing.assert_allclose(trained(session, batches("conv")), expected, rtol=1e-3)
    session.save_checkpoint()
    assert artifacts.TrainingSession(tmp_path).step == session.step


# -- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(NETS))
def test_models_are_plain_and_the_manifest_describes_them(tmp_path: Path, name: str) -> None:
    written(tmp_path, name, optimizer="adam")
    manifest = artifacts.TrainingSession(tmp_path).manifest
    assert set(manifest.models) == {"training", "eval", "optimizer", "accumulation", "inference"}
    for model in manifest.models.values():
        proto = onnx.load(tmp_path / model.file)
        onnx.checker.check_model(proto, full_check=True)
        assert {n.domain for n in proto.graph.node} == {""}
        assert [(o.domain, o.version) for o in proto.opset_import] == [("", 26)]
        assert proto.ir_version == 13
        names = {p.name for p in manifest.parameters}
        assert names & {t.name for t in proto.graph.initializer} == set()
        for described, real in ((model.inputs, proto.graph.input), (model.outputs, proto.graph.output)):
            assert [v.name for v in described] == [v.name for v in real]
            for d, v in zip(described, real, strict=True):
                kind = v.type.tensor_type
                assert onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name == d.dtype
                assert tuple(x.dim_param or x.dim_value for x in kind.shape.dim) == d.shape
                assert d.description
    training = manifest.models["training"]
    assert training.named("data")[0].shape[0] == training.named("label")[0].shape[0] == "batch"


def test_inference_model_holds_the_parameters(tmp_path: Path) -> None:
    written(tmp_path, "conv")
    session = artifacts.TrainingSession(tmp_path)
    trained(session, batches("conv", 2))
    target = tmp_path / "out.onnx"
    session.export_model_for_inferencing(target)
    onnx.checker.check_model(onnx.load(target), full_check=True)
    bare = onnxruntime.InferenceSession(target)
    x = batches("conv", 1)[0][0]
    (expected,) = session.predict([x]).values()
    np.testing.assert_allclose(bare.run(None, {"data": x})[0], expected, rtol=1e-5, atol=1e-6)
    assert [v.name for v in bare.get_inputs()] == ["data"]


def test_inference_model_with_the_parameters_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "conv")
    session = artifacts.TrainingSession(tmp_path)
    monkeypatch.setattr("gluon_onnx.artifacts.session.fits_inside", lambda values: False)
    target = tmp_path / "out" / "net.onnx"
    target.parent.mkdir()
    session.export_model_for_inferencing(
        target, output_names=[v.name for v in session.manifest.models["inference"].outputs]
    )
    assert sorted(p.name for p in target.parent.iterdir()) == ["net.onnx", "net.onnx.data"]
    onnx.checker.check_model(str(target), full_check=True)
    x = batches("conv", 1)[0][0]
    got = onnxruntime.InferenceSession(target).run(None, {"data": x})[0]
    np.testing.assert_allclose(got, next(iter(session.predict([x]).values())), rtol=1e-5, atol=1e-6)


def test_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    exported(tmp_path, "mlp", "adam")
    data = batches("mlp", 8)
    whole = trained(artifacts.TrainingSession(tmp_path, seed=3), data)
    first = artifacts.TrainingSession(tmp_path, seed=3)
    start = trained(first, data[:5])
    first.save_checkpoint(tmp_path / "saved", {"epoch": 2})
    second = artifacts.TrainingSession(tmp_path, checkpoint=tmp_path / "saved")
    assert second.load_checkpoint(tmp_path / "saved") == {"epoch": 2}
    assert start + trained(second, data[5:]) == whole


def test_checkpoint_is_read_by_safetensors(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    net = exported(tmp_path, "mlp", "adam")
    found = load_file(tmp_path / "checkpoint")
    for name, p in net.collect_params().items():
        np.testing.assert_array_equal(found[name], p.data().asnumpy())
        assert not found[f"{name}.mean"].any()


def test_parameters_can_be_set(tmp_path: Path) -> None:
    written(tmp_path)
    session = artifacts.TrainingSession(tmp_path)
    value = np.full((3,), 2, np.float32)
    session.set_parameter("mlp_dense1_bias", value)
    np.testing.assert_array_equal(session.parameters["mlp_dense1_bias"], value)
    with pytest.raises(mx.MXNetError, match=r"'mlp_dense1_bias': expected float32\[3\], got float64\[3\]"):
        session.set_parameter("mlp_dense1_bias", value.astype(np.float64))
    with pytest.raises(mx.MXNetError, match="there is no parameter 'bias'"):
        session.set_parameter("bias", value)


def test_a_session_needs_numpy_and_onnxruntime_alone(tmp_path: Path) -> None:
    exported(tmp_path, "conv", "adam")
    np.savez(tmp_path / "batch.npz", *batches("conv", 1)[0])
    program = """
        import sys, importlib.abc

        class Refuse(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                top, _, rest = name.partition(".")
                if top in ("onnx", "onnx_ir", "ml_dtypes", "safetensors", "torch", "requests", "rich"):
                    raise ImportError("refused: " + name)
                if name.startswith(("gluon_onnx.gluon", "gluon_onnx.ndarray", "gluon_onnx.graph.ops")):
                    raise ImportError("refused: " + name)

        sys.meta_path.insert(0, Refuse())
        import numpy as np
        from gluon_onnx import artifacts
        import gluon_onnx as mx
        session = artifacts.TrainingSession(".", mx.cpu(), trace_nonfinite=True)
        batch = list(np.load("batch.npz").values())
        losses = []
        for _ in range(4):
            session.train_step(batch)
            losses.append(session.train_step(batch))
            session.optimizer_step()
            session.lazy_reset_grad()
        assert losses[-1] < losses[0], losses
        session.save_checkpoint("again")
        session.load_checkpoint("again")
        session.eval_step(batch)
        session.export_model_for_inferencing("net.onnx")
        assert session.find_nonfinite(batch) is None
        """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    onnx.checker.check_model(onnx.load(tmp_path / "net.onnx"), full_check=True)
