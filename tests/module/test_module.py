"""Modules: files, names, shapes, monitors, and errors."""

from __future__ import annotations

import logging
import pathlib
import pickle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import nd
from gluon_onnx.base import MXNetError
from gluon_onnx.graph.errors import FormatError
from tests.module.rows import data, first, mlp, random, values


def module(contexts: int = 1, **kwargs: Any) -> mx.mod.Module:
    """A bound and initialized network."""
    symbol = mlp(mx)
    found = mx.mod.Module(symbol, context=[mx.cpu(i) for i in range(contexts)])
    it = data(mx)
    found.bind(it.provide_data, it.provide_label, **kwargs)
    arg, aux = first(mx, symbol, data=(8, 6))
    found.init_params(arg_params=arg, aux_params=aux)
    return found


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Whether the same names have the same values."""
    return sorted(a) == sorted(b) and all(np.array_equal(a[n], b[n]) for n in a)


def double(**kwargs: Any) -> mx.mod.Module:
    """A module without parameters: twice its input."""
    x = mx.sym.broadcast_mul(mx.sym.Variable("data"), 2 * mx.sym.ones((1, 1)), name="double")
    found = mx.mod.Module(x, label_names=None, **kwargs)
    found.bind([("data", (4, 2))], for_training=False)
    found.init_params()
    return found


# -- files ---------------------------------------------------------------------------------------------------
def test_lazy() -> None:
    """`mx.mod` and `mx.module` are one module, loaded at first use."""
    assert mx.mod is mx.module
    assert mx.mon.Monitor is mx.monitor.Monitor


@pytest.mark.parametrize("contexts", [1, 2])
def test_checkpoint(contexts: int, tmp_path: pathlib.Path) -> None:
    """A training that is saved and loaded goes on as one that was not."""
    prefix = str(tmp_path / "net")
    one = module(contexts)
    options = {"learning_rate": 0.2, "momentum": 0.9}
    one.init_optimizer(optimizer_params=options)
    batches = list(data(mx))
    for batch in batches[:2]:
        one.forward_backward(batch)
        one.update()
    one.save_checkpoint(prefix, 7, save_optimizer_states=True)
    two = mx.mod.Module.load(
        prefix, 7, load_optimizer_states=True, context=[mx.cpu(i) for i in range(contexts)]
    )
    it = data(mx)
    two.bind(it.provide_data, it.provide_label)
    two.init_optimizer(optimizer_params=options)
    assert two.symbol.tojson() == one.symbol.tojson()
    for each in (one, two):
        each.forward_backward(batches[2])
        each.update()
    np.testing.assert_allclose(values(two)["fc2_weight"], values(one)["fc2_weight"], 1e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "net-0007.params",
        "net-0007.states",
        "net-symbol.json",
    ]


def test_states_are_no_pickle(tmp_path: pathlib.Path) -> None:
    """A pickle, as MXNet writes it, is refused."""
    path = tmp_path / "x.states"
    path.write_bytes(pickle.dumps({0: None}, protocol=2))
    one = module()
    one.init_optimizer()
    with pytest.raises(FormatError, match="pickle"):
        one.load_optimizer_states(str(path))


def test_params_file(tmp_path: pathlib.Path) -> None:
    """`save_params`, `load_params`, and a file with other names."""
    one, two = module(), module()
    one.init_params(mx.init.Normal(1), force_init=True)
    one.save_params(str(tmp_path / "a.params"))
    two.load_params(str(tmp_path / "a.params"))
    assert same(values(one), values(two))
    nd.save(str(tmp_path / "b.params"), {"x:y": nd.ones(1)})
    with pytest.raises(ValueError, match="'arg:' or 'aux:', got 'x:y'"):
        two.load_params(str(tmp_path / "b.params"))


def test_module_checkpoint_callback(tmp_path: pathlib.Path) -> None:
    """`fit` with the callback that lets the module save itself; `mx.model` reads the files."""
    one = mx.mod.Module(mlp(mx))
    prefix = str(tmp_path / "net")
    one.fit(
        data(mx),
        num_epoch=2,
        epoch_end_callback=[
            mx.callback.module_checkpoint(one, prefix),
            mx.callback.do_checkpoint(prefix + "2"),
        ],
    )
    for name in (prefix, prefix + "2"):
        symbol, arg, aux = mx.model.load_checkpoint(name, 2)
        assert symbol.list_outputs() == ["softmax_output"]
        assert same(values(one), {n: x.asnumpy() for n, x in {**arg, **aux}.items()})


def test_buckets_file(tmp_path: pathlib.Path) -> None:
    """The symbols of all buckets and the parameters come back."""

    def make(width: int) -> tuple[Any, Any, Any]:
        x = mx.sym.sum(mx.sym.reshape(mx.sym.Variable("data"), shape=(0, width, -1)), axis=1)
        return mx.sym.FullyConnected(x, num_hidden=2, name="fc"), ("data",), None

    prefix = str(tmp_path / "net")
    one = mx.mod.BucketingModule(make, default_bucket_key=6)
    one.bind([("data", (2, 6, 3))])
    one.init_params(mx.init.Normal(1))
    one.switch_bucket(3, [("data", (2, 3, 3))])
    one.save_checkpoint(prefix, 1)
    two = mx.mod.BucketingModule.load(prefix, 1, sym_gen=make, default_bucket_key=6)
    two.bind([("data", (2, 6, 3))], for_training=False)
    assert same(values(one), values(two))
    x = nd.array(random(2, 3, 3))
    batch = mx.io.DataBatch([x], bucket_key=3, provide_data=[("data", x.shape)])
    outputs = []
    for each in (one, two):
        each.forward(batch, is_train=False)
        outputs.append(each.get_outputs()[0].asnumpy())
    np.testing.assert_array_equal(*outputs)
    with pytest.raises(ValueError, match="default bucket 4 is not among"):
        mx.mod.BucketingModule.load(prefix, 1, sym_gen=make, default_bucket_key=4)


# -- prediction ----------------------------------------------------------------------------------------------
def test_predict() -> None:
    """Joined outputs, lists of them, numbers of batches, and arrays."""
    x = random(10, 2)
    it = mx.io.NDArrayIter(x, batch_size=4)
    one = double()
    np.testing.assert_array_equal(one.predict(it).asnumpy(), x * 2)
    assert [y.shape for y in one.predict(it, num_batch=2, always_output_list=True)] == [(8, 2)]
    assert [[y.shape for y in row] for row in one.predict(it, merge_batches=False)] == [
        [(4, 2)],
        [(4, 2)],
        [(2, 2)],
    ]
    np.testing.assert_array_equal(one.predict(x[:3]).asnumpy(), x[:3] * 2)
    parts = [(outputs[0].shape, number) for outputs, number, _ in one.iter_predict(it)]
    assert parts == [((4, 2), 0), ((4, 2), 1), ((2, 2), 2)]
    with pytest.raises(ValueError, match="NDArray or DataIter, got str"):
        one.predict("x")


def test_predict_array_is_inference() -> None:
    """MXNet predicts from a bare array in training mode, where the module was bound for it: dropout is on there."""
    one = mx.mod.Module(mx.sym.Dropout(mx.sym.Variable("data"), p=0.9), label_names=None)
    one.bind([("data", (4, 50))])
    one.init_params()
    np.testing.assert_array_equal(one.predict(nd.ones((4, 50))).asnumpy(), np.ones((4, 50), "float32"))


def test_forward_takes_any_batch() -> None:
    """An object with data is enough; other shapes reshape the module."""
    one = double()
    one.forward(SimpleNamespace(data=[nd.ones((3, 5))]))
    assert one.get_outputs()[0].shape == (3, 5)
    assert one.data_shapes == [("data", (3, 5))]
    assert one.output_shapes == [("double_output", (3, 5))]


def test_list_of_batches() -> None:
    """A list has one batch for each context."""
    one = double(context=[mx.cpu(0), mx.cpu(1)])
    parts = [nd.array(random(2, 2, seed=i)) for i in range(2)]
    one.forward([mx.io.DataBatch([x]) for x in parts])
    np.testing.assert_array_equal(
        one.get_outputs()[0].asnumpy(), 2 * np.concatenate([x.asnumpy() for x in parts])
    )
    with pytest.raises(ValueError, match="need to have the same shape"):
        one.forward([mx.io.DataBatch([nd.ones((2, 2))]), mx.io.DataBatch([nd.ones((3, 2))])])


def test_types() -> None:
    """The descriptions of the data decide about element types; a variable's own declaration comes first."""
    half = mx.sym.Variable("a") * 2
    one = mx.mod.Module(half, ["a"], None)
    one.bind([mx.io.DataDesc("a", (2, 3), np.float16)])
    one.init_params()
    one.forward(mx.io.DataBatch([nd.ones((2, 3))]))
    assert one.get_outputs()[0].dtype == np.float16
    two = mx.mod.Module(mx.sym.Variable("a", dtype="int32") * 2, ["a"], None)
    two.bind([("a", (2, 3))], for_training=False)
    assert two._exec_group.execs[0].arg_dict["a"].dtype == np.int32


# -- binding -------------------------------------------------------------------------------------------------
def test_layout_without_samples() -> None:
    """An axis called N is divided wherever it is; data without one go to every context whole."""
    x = mx.sym.broadcast_mul(mx.sym.Variable("data"), mx.sym.Variable("scale"))
    x = mx.sym.Activation(x, act_type="relu", __layout__="TNC")
    one = mx.mod.Module(x, ["data", "scale"], None, context=[mx.cpu(0), mx.cpu(1)])
    one.bind(
        [mx.io.DataDesc("data", (3, 8, 1), layout="TNC"), mx.io.DataDesc("scale", (3, 1, 1), layout="TCH")],
        for_training=False,
    )
    one.init_params()
    one.forward(mx.io.DataBatch([nd.ones((3, 8, 1)), nd.array([[[1]], [[2]], [[3]]])]))
    assert [y.shape for y in one.get_outputs(False)[0]] == [(3, 4, 1)] * 2
    np.testing.assert_array_equal(one.get_outputs()[0].asnumpy()[:, 5, 0], [1, 2, 3])


def test_groups() -> None:
    """Arrays of variables live on the context of their group."""
    with mx.AttrScope(ctx_group="g"):
        a = mx.sym.Variable("a")
    one = mx.mod.Module(a + mx.sym.Variable("b"), ["a", "b"], None, group2ctxs={"g": [mx.cpu(3)]})
    one.bind([("a", (2,)), ("b", (2,))], inputs_need_grad=True)
    one.init_params()
    one.forward(mx.io.DataBatch([nd.ones(2), nd.ones(2)]))
    one.backward(nd.ones(2))
    assert [g.context for g in one.get_input_grads()] == [mx.cpu(3), mx.cpu(0)]
    two = mx.mod.Module(a, ["a"], None, group2ctxs={"g": mx.gpu(0)})
    with pytest.raises(MXNetError, match=r"group2ctxs places 'g' on gpu\(0\)"):
        two.bind([("a", (2,))])


def test_shared_module() -> None:
    """A module on another's parameters and optimizer; a parameter of another shape is named."""
    one = module()
    one.init_optimizer()
    two = mx.mod.Module(mlp(mx))
    two.bind([("data", (2, 6))], [("softmax_label", (2,))], shared_module=one)
    assert two.optimizer_initialized
    one._exec_group.execs[0].arg_dict["fc1_weight"][:] = 3
    assert (two._exec_group.execs[0].arg_dict["fc1_weight"].asnumpy() == 3).all()
    three = mx.mod.Module(mlp(mx))
    with pytest.raises(MXNetError, match=r"'fc1_weight' has shape \(5, 7\) here, but \(5, 6\)"):
        three.bind([("data", (2, 7))], [("softmax_label", (2,))], shared_module=one)


def test_reshape_keeps_parameters() -> None:
    """A new batch size shares all parameters; a new width, which would need other ones, is refused."""
    one = module()
    one.reshape([("data", (3, 6))], [("softmax_label", (3,))])
    assert one.output_shapes == [("softmax_output", (3, 3))]
    with pytest.raises(MXNetError, match="'fc1_weight' has shape"):
        one.reshape([("data", (3, 7))], [("softmax_label", (3,))])


def test_bind_twice(caplog: pytest.LogCaptureFixture) -> None:
    """A second bind is ignored, unless it is forced."""
    one = module()
    with caplog.at_level(logging.WARNING):
        one.bind([("data", (2, 6))])
    assert "Already bound" in caplog.text
    assert one.data_shapes == [("data", (8, 6))]
    before = values(one)
    one.bind([("data", (2, 6))], [("softmax_label", (2,))], for_training=False, force_rebind=True)
    assert one.data_shapes == [("data", (2, 6))]
    assert same(before, values(one))


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"data_names": ["x"]}, ValueError, "data_names=.* no argument 'x'.*'data', 'softmax_label'"),
        ({"fixed_param_names": ["y"]}, ValueError, "fixed_param_names=.* no argument 'y'"),
        ({"state_names": ["z"]}, ValueError, "state_names=.* no argument 'z'"),
        ({"label_names": ["l"]}, UserWarning, "label_names=.* no argument 'l'"),
        ({"work_load_list": [1, 2]}, ValueError, "2 entries for 1 contexts"),
    ],
)
def test_wrong_names(kwargs: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        mx.mod.Module(mlp(mx), **kwargs)


@pytest.mark.parametrize(
    ("shapes", "error", "message"),
    [
        (
            {"data_shapes": [("x", (8, 6))]},
            ValueError,
            r"names \['x'\], but the module's data_names are \['data'\]",
        ),
        (
            {"data_shapes": [("data", nd.ones(2))]},
            TypeError,
            "the shape of 'data': expected a tuple of integers",
        ),
        ({"label_shapes": [("softmax_label", (4,))]}, MXNetError, "same batch size, got .*8.*4"),
        ({"label_shapes": None}, UserWarning, r"label_names are \['softmax_label'\]"),
        ({"inputs_need_grad": True, "for_training": False}, AssertionError, "needs for_training=True"),
        ({"grad_req": 3}, ValueError, "grad_req must be one of"),
        ({"grad_req": ["write"]}, MXNetError, "1 entries for the 7 arguments"),
    ],
)
def test_wrong_bind(shapes: dict[str, Any], error: type[Exception], message: str) -> None:
    one = mx.mod.Module(mlp(mx))
    given = {"data_shapes": [("data", (8, 6))], "label_shapes": [("softmax_label", (8,))], **shapes}
    with pytest.raises(error, match=message):
        one.bind(**given)
    assert not one.binded


def test_too_small_batch() -> None:
    one = mx.mod.Module(mx.sym.Variable("data") * 2, label_names=None, context=[mx.cpu(i) for i in range(3)])
    with pytest.raises(ValueError, match="a batch of 2 is too small for 3 contexts"):
        one.bind([("data", (2, 2))])


def test_unknown_label() -> None:
    """Labels that a symbol does not have are named (MXNet: a KeyError)."""
    one = mx.mod.Module(mx.sym.Variable("data") * 2, label_names=None)
    with (
        pytest.warns(UserWarning, match=r"names \['softmax_label'\]"),
        pytest.raises(MXNetError, match=r"the symbol has no arguments \['softmax_label'\]"),
    ):
        one.bind([("data", (2, 2))], [("softmax_label", (2,))])


# -- steps in order ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.forward(None), "Module.forward: call bind and init_params before"),
        (lambda m: m.update(), "Module.update: call bind and init_params and init_optimizer before"),
        (lambda m: m.init_params(), "Module.init_params: call bind before"),
        (lambda m: m.data_shapes, "Module.data_shapes: call bind before"),
        (lambda m: m.fit(data(mx)), "number of epochs"),
        (lambda m: m.get_params(), "call init_params before"),
    ],
)
def test_steps_before(call: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        call(mx.mod.Module(mlp(mx)))


def test_backward_without_training() -> None:
    one = double()
    one.forward(mx.io.DataBatch([nd.ones((4, 2))]))
    with pytest.raises(AssertionError, match="bind with for_training=True"):
        one.backward(nd.ones((4, 2)))


def test_empty_data() -> None:
    """An iterator that is at its end, or empty, is an error, not an endless or silent training."""
    it = data(mx)
    list(it)
    with pytest.raises(ValueError, match="train_data has no batches"):
        mx.mod.Module(mlp(mx)).fit(it, num_epoch=1)


@pytest.mark.parametrize("name", ["bind", "forward", "update", "get_outputs", "get_params"])
def test_base_defines_nothing(name: str) -> None:
    arguments = [None] if name in ("bind", "forward") else []
    with pytest.raises(TypeError, match=f"BaseModule must define {name}"):
        getattr(mx.mod.BaseModule(), name)(*arguments)


# -- parameters ----------------------------------------------------------------------------------------------
def test_set_params() -> None:
    """Missing and unknown names."""
    one = module()
    arg, aux = ({n: x.copy() for n, x in part.items()} for part in one.get_params())
    bias = {"fc2_bias": nd.array([1, 2, 3])}
    one.set_params(bias, {}, allow_missing=True)
    np.testing.assert_array_equal(values(one)["fc2_bias"], [1, 2, 3])
    np.testing.assert_array_equal(values(one)["fc2_weight"], arg["fc2_weight"].asnumpy())
    with pytest.raises(RuntimeError, match="no value for 'bn_beta'"):
        one.set_params(bias, aux)
    with pytest.raises(ValueError, match="no argument named 'other'"):
        one.set_params({"other": nd.ones(1)}, {}, allow_missing=True)
    one.set_params({"other": nd.ones(1)}, {}, allow_missing=True, allow_extra=True)
    with pytest.raises(MXNetError, match=r"'fc2_bias': expected shape \(3,\), got \(4,\)"):
        one.set_params({**arg, "fc2_bias": nd.ones(4)}, aux)
    with pytest.warns(UserWarning, match="initialized already"):
        one.init_params()


def test_initializers() -> None:
    """Names, and attributes of variables, decide about first values."""
    x = mx.sym.FullyConnected(
        mx.sym.Variable("data"), mx.sym.Variable("w", init=mx.init.Constant(3)), num_hidden=2, name="fc"
    )
    one = mx.mod.Module(mx.sym.BatchNorm(x, name="bn"), label_names=None)
    one.bind([("data", (4, 3))])
    one.init_params(mx.init.One())
    found = values(one)
    assert {n: float(v.reshape(-1)[0]) for n, v in found.items()} == {
        "w": 3, "fc_bias": 0, "bn_gamma": 1, "bn_beta": 0, "bn_moving_mean": 0, "bn_moving_var": 1,
    }  # fmt: skip
    one.set_params({"w": nd.zeros((2, 3))}, {}, allow_missing=True)
    with pytest.raises(RuntimeError, match="neither a value nor an initializer for 'bn_beta'"):
        one.init_params(None, force_init=True)


def test_optimizer_of_ones_own() -> None:
    """It learns the names; a scale that is not one over the batch size is worth a warning."""
    one = module()
    sgd = mx.optimizer.SGD(rescale_grad=1 / 8)
    one.init_optimizer(optimizer=sgd)
    assert list(sgd.idx2name.values()) == ["fc1_weight", "bn_gamma", "bn_beta", "fc2_weight", "fc2_bias"]
    with pytest.warns(UserWarning, match=r"rescale_grad=1.0, where .* 0.125"):
        one.init_optimizer(optimizer=mx.optimizer.SGD(), force_init=True)
    with pytest.raises(TypeError, match="a name or an Optimizer, got int"):
        one.init_optimizer(optimizer=3, force_init=True)
    with pytest.raises(TypeError, match="kvstore must be KVStore, str or None, got int"):
        one.init_optimizer(kvstore=3, force_init=True)


def test_buckets_with_part_of_the_parameters() -> None:
    """A bucket that lacks parameters updates those that it has; MXNet mixes up the optimizer's states there."""

    def make(key: int) -> tuple[Any, Any, Any]:
        x = mx.sym.Variable("data")
        for name in ("a", "b")[2 - key :]:
            x = x * mx.sym.Variable(name, shape=(1,), init=mx.init.One())
        return mx.sym.MakeLoss(x), ("data",), None

    one = mx.mod.BucketingModule(make, default_bucket_key=2)
    one.bind([("data", (1,))])
    one.init_params()
    one.init_optimizer(optimizer_params={"learning_rate": 1, "momentum": 0.5})
    for key in (2, 1):
        one.forward_backward(
            mx.io.DataBatch([nd.array([0.5])], bucket_key=key, provide_data=[("data", (1,))])
        )
        one.update()
    # a: 1 - 0.5. b: 1 - 0.5, then a step of 0.5 * 0.5 + 0.5.
    assert {n: float(v[0]) for n, v in values(one).items()} == {"a": 0.5, "b": -0.25}
    one.set_params(*one.get_params())


# -- others --------------------------------------------------------------------------------------------------
def test_monitor() -> None:
    """Outputs of operators, then parameters, at every second batch; a reshape keeps the monitor."""
    one = module()
    monitor = mx.mon.Monitor(2, pattern=".*(output|fc2_weight)")
    one.install_monitor(monitor)
    seen = []
    for n in (8, 8, 4):
        batch = mx.io.DataBatch([nd.array(random(n, 6))], [nd.ones(n)])
        monitor.tic()
        one.forward_backward(batch)
        seen.append([name for _, name, _ in monitor.toc()])
    expected = ["fc1_output", "bn_output", "act_output", "fc2_output", "softmax_output", "fc2_weight"]
    assert seen[:2] == [expected, []]
    assert seen[2][:5] == expected[:5]


def test_score_counts_batches() -> None:
    """`num_batch`, callbacks, and the labels of padding."""
    one = module()
    seen: list[tuple[str, int]] = []
    result = one.score(
        data(mx),
        "acc",
        num_batch=3,
        batch_end_callback=lambda p: seen.append(("batch", p.nbatch)),
        score_end_callback=[lambda p: seen.append(("end", p.nbatch))],
    )
    assert seen == [("batch", 0), ("batch", 1), ("batch", 2), ("end", 3)]
    assert [name for name, _ in result] == ["accuracy"]


def test_fit_logs(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        mx.mod.Module(mlp(mx)).fit(data(mx), data(mx, 8), num_epoch=1, begin_epoch=0)
    texts = [r.getMessage().partition("=")[0] for r in caplog.records]
    assert texts == ["Epoch[0] Train-accuracy", "Epoch[0] Time cost", "Epoch[0] Validation-accuracy"]


def test_sequential_errors() -> None:
    chain = mx.mod.SequentialModule()
    with pytest.raises(AssertionError, match="is empty"):
        chain.bind([("data", (2, 2))])
    with pytest.raises(ValueError, match="unknown keyword 'take_label'"):
        chain.add(mx.mod.Module(mx.sym.Variable("data"), label_names=None), take_label=True)
    for _ in range(2):
        chain.add(mx.mod.Module(mlp(mx)), take_labels=True, auto_wiring=True)
    chain.bind([("data", (2, 6))], [("softmax_label", (2,))])
    with pytest.raises(ValueError, match="parameter 'fc1_weight' of module 1"):
        chain.init_params()


def test_python_loss_errors() -> None:
    with pytest.raises(ValueError, match="one input and one label"):
        mx.mod.PythonLossModule(data_names=["a", "b"])
    loss = mx.mod.PythonLossModule()
    with pytest.raises(
        AssertionError, match=r"label_shapes has the names \['x'\], expected \['softmax_label'\]"
    ):
        loss.bind([("data", (2, 2))], [("x", (2,))])
    loss.bind([("data", (2, 2))], [("softmax_label", (2,))])
    loss.forward(mx.io.DataBatch([nd.ones((2, 2))], [nd.ones(2)]))
    with pytest.raises(TypeError, match="needs a grad_func"):
        loss.backward()
