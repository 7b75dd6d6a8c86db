"""Trainers."""

from __future__ import annotations

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import autograd, gluon, nd


def parameter(contexts: list[mx.Context]) -> gluon.Parameter:
    p = gluon.Parameter("x", shape=(4,))
    p.initialize(ctx=contexts, init="zeros")
    return p


def backward(p: gluon.Parameter) -> None:
    with autograd.record():
        losses = [w + 1 for w in p.list_data()]
    autograd.backward(losses)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("update_on_kvstore", [None, False])
def test_gradients_of_all_contexts_are_summed(count: int, update_on_kvstore: bool | None) -> None:
    p = parameter([mx.cpu(i) for i in range(count)])
    trainer = gluon.Trainer(
        [p], "sgd", {"learning_rate": 1.0, "momentum": 0.5}, update_on_kvstore=update_on_kvstore
    )
    for expected in (-1 * count, -2.5 * count):
        backward(p)
        trainer.step(1)
        for x in p.list_data():
            assert x.asnumpy().tolist() == [expected] * 4


def test_gradients_are_divided_by_the_batch_size() -> None:
    p = parameter([mx.cpu()])
    trainer = gluon.Trainer([p], "sgd", {"learning_rate": 1.0})
    backward(p)
    trainer.step(10)
    np.testing.assert_allclose(p.data().asnumpy(), -0.1, rtol=1e-6)


def test_stale_gradients_are_an_error() -> None:
    p, q = parameter([mx.cpu()]), gluon.Parameter("unused_weight", shape=(2,))
    q.initialize()
    trainer = gluon.Trainer([p, q], "sgd")
    backward(p)
    with pytest.raises(UserWarning, match=r"no backward has written the gradient of `unused_weight`"):
        trainer.step(1)
    trainer.step(1, ignore_stale_grad=True)


def test_multipliers() -> None:
    p = parameter([mx.cpu()])
    p.lr_mult = 0.5
    trainer = gluon.Trainer([p], "sgd", {"learning_rate": 1.0})
    backward(p)
    trainer.step(1)
    assert p.data().asnumpy().tolist() == [-0.5] * 4


def test_learning_rate_can_be_set_and_scheduled() -> None:
    p = parameter([mx.cpu()])
    trainer = gluon.Trainer([p], "sgd", {"learning_rate": 1.0})
    trainer.set_learning_rate(0.25)
    assert trainer.learning_rate == 0.25
    scheduled = gluon.Trainer(
        [p],
        "sgd",
        {"learning_rate": 1.0, "lr_scheduler": mx.lr_scheduler.FactorScheduler(1, 0.5, base_lr=1.0)},
    )
    with pytest.raises(UserWarning):
        scheduled.set_learning_rate(2.0)


def test_states_survive_a_file_without_pickle(tmp_path: object) -> None:
    path = f"{tmp_path}/states"
    runs = []
    for reload in (False, True):
        p = parameter([mx.cpu()])
        trainer = gluon.Trainer([p], "adam", {"learning_rate": 0.1})
        for i in range(6):
            if reload and i == 3:
                trainer.save_states(path)
                trainer = gluon.Trainer([p], "adam", {"learning_rate": 0.1})
                trainer.load_states(path)
            backward(p)
            trainer.step(1)
        runs.append(p.data().asnumpy())
    np.testing.assert_array_equal(*runs)
    with open(path, "rb") as f:
        assert not f.read(2).startswith(b"\x80")  # the first byte of every pickle since protocol 2


def test_a_kvstore_that_updates_forbids_separate_steps() -> None:
    p = parameter([mx.cpu(0), mx.cpu(1)])
    trainer = gluon.Trainer([p], "sgd", update_on_kvstore=True)
    backward(p)
    with pytest.raises(AssertionError, match="allreduce_grads"):
        trainer.allreduce_grads()
    with pytest.raises(AssertionError, match="update"):
        trainer.update(1)


def test_params_must_be_parameters() -> None:
    with pytest.raises(ValueError, match="list or dict of Parameters"):
        gluon.Trainer([nd.ones(2)], "sgd")
