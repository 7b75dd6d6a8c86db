"""Optimizer states as bytes."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

import gluon_onnx as mx
from gluon_onnx import nd, optimizer
from gluon_onnx.graph.errors import FormatError
from tests.optimizer import rows

KINDS = {run.kind: run for run in rows.RUNS if run.dtype == "float32"}


def _step(updater: Any, run: rows.Run, weights: dict[int, Any], step: int) -> None:
    for i, g in run.gradients(step).items():
        updater(i, nd.array(g, dtype=run.dtype), weights[i])


@pytest.mark.parametrize("dump_optimizer", [False, True])
@pytest.mark.parametrize("run", KINDS.values(), ids=KINDS)
def test_continue(run: rows.Run, dump_optimizer: bool) -> None:
    """Training that is interrupted goes on as if it had not been."""
    kinds = {**vars(optimizer), **vars(optimizer.contrib)}
    updater = optimizer.get_updater(kinds[run.kind](**run.params))
    weights = {i: nd.array(w) for i, w in run.weights().items()}
    for step in range(3):
        _step(updater, run, weights, step)
    other = optimizer.get_updater(optimizer.SGD() if dump_optimizer else updater.optimizer)
    other.set_states(updater.get_states(dump_optimizer))
    assert type(other.optimizer) is type(updater.optimizer)
    copies = {i: w.copy() for i, w in weights.items()}
    counts = dict(updater.optimizer._index_update_count)
    schedule = getattr(updater.optimizer, "m_schedule", None)
    _step(updater, run, weights, 3)
    if not dump_optimizer:  # the optimizer is shared, and has to be set back
        updater.optimizer._index_update_count.update(counts)
        if schedule is not None:
            updater.optimizer.m_schedule = schedule
    if run.kind == "LBSGD" and not dump_optimizer:
        return  # sums of gradients are part of the optimizer
    _step(other, run, copies, 3)
    for i, w in weights.items():
        np.testing.assert_array_equal(copies[i].asnumpy(), w.asnumpy())


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtypes(dtype: str) -> None:
    """States keep their element types; copies in float32 stay beside half precision."""
    updater = optimizer.get_updater(optimizer.SGD(momentum=0.9, multi_precision=True))
    updater("w", nd.ones((2,), dtype=dtype), nd.ones((2,), dtype=dtype))
    before = rows.flat(updater.states["w"])
    updater.set_states(updater.get_states())
    after = rows.flat(updater.states["w"])
    assert [a.dtype for a in after] == [b.dtype for b in before]
    for a, b in zip(after, before, strict=True):
        np.testing.assert_array_equal(a.asnumpy(), b.asnumpy())


def test_optimizer_attributes() -> None:
    """Everything that an optimizer knows comes back, its scheduler too; parameters do not."""
    scheduler = mx.lr_scheduler.MultiFactorScheduler(step=[2, 5], factor=0.5, base_lr=0.2)
    o = optimizer.SGD(
        momentum=0.9, wd=0.1, lr_scheduler=scheduler, param_idx2name={0: "a_weight"}, param_dict={1: object()}
    )
    o.set_lr_mult({"a_weight": 3.0, 7: float("inf")})
    o._set_current_context(2)
    o._update_count([0] * 3)
    updater = optimizer.get_updater(o)
    other = optimizer.get_updater(optimizer.Adam())
    other.set_states(updater.get_states(dump_optimizer=True))
    found = other.optimizer
    assert found.param_dict == {}
    assert found.lr_mult == {"a_weight": 3.0, 7: float("inf")}
    assert found._index_update_count is found._all_index_update_counts[2]
    assert found._index_update_count == {0: 3}
    assert vars(found.lr_scheduler) == vars(scheduler)
    assert found.learning_rate == o.learning_rate
    assert other.aggregate_updates == updater.aggregate_updates


def test_user_classes() -> None:
    """An optimizer and a scheduler of the user's come back where their classes are defined."""

    class Steady(mx.lr_scheduler.LRScheduler):
        def __call__(self, num_update: int) -> float:
            return self.base_lr

    class Own(optimizer.SGD):
        pass

    o = Own(lr_scheduler=Steady(base_lr=0.5))
    o.extra = (1, [2.5, None], {"a": np.arange(3)}, np.float32(4))
    updater = optimizer.get_updater(optimizer.SGD())
    updater.set_states(optimizer.get_updater(o).get_states(dump_optimizer=True))
    assert type(updater.optimizer) is Own
    assert type(updater.optimizer.lr_scheduler) is Steady
    one, two, three, four = updater.optimizer.extra
    assert (one, two, four) == (1, [2.5, None], 4.0)
    np.testing.assert_array_equal(three["a"], [0, 1, 2])


def test_what_cannot_be_written() -> None:
    """Other objects are refused by name."""
    o = optimizer.SGD()
    o.hook = {"f": [print]}
    with pytest.raises(
        TypeError, match=r"SGD\.hook\['f'\]\[0\]: a builtin_function_or_method cannot be written"
    ):
        optimizer.get_updater(o).get_states(dump_optimizer=True)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pickle.dumps({0: None}), "are a Python pickle.*can run any code"),
        (pickle.dumps({}, protocol=2), "are a Python pickle"),
        (b"", "not optimizer states"),
        (b"abc", "not optimizer states"),
        (b"\x10\0\0\0\0\0\0\0" + b"{" * 16, "not optimizer states"),
        (save({"a": np.zeros(2)}), "not optimizer states"),
        (save({"a": np.zeros(2)}, {"format": "pt"}), "not optimizer states"),
        (
            save({"a": np.zeros(2)}, {"gluon_onnx": '{"format": "other"}'}),
            "expected the format .*, got 'other'",
        ),
    ],
    ids=["pickle", "old pickle", "empty", "short", "broken", "no metadata", "other", "other format"],
)
def test_foreign_bytes(data: bytes, message: str) -> None:
    """What is not such a file is refused, and leaves the updater as it was."""
    updater = optimizer.get_updater(optimizer.SGD(momentum=0.9))
    updater(0, nd.ones((2,)), nd.ones((2,)))
    states = updater.states
    with pytest.raises(FormatError, match=message):
        updater.set_states(data)
    assert updater.states is states


def test_damaged_bytes() -> None:
    """A file with a byte missing is refused."""
    updater = optimizer.get_updater(optimizer.SGD(momentum=0.9))
    updater(0, nd.ones((2,)), nd.ones((2,)))
    with pytest.raises(FormatError, match="damaged"):
        updater.set_states(updater.get_states()[:-1])


def test_unknown_class() -> None:
    """A class that is not defined is named; nothing is imported to find it."""

    class Gone(optimizer.SGD):
        pass

    data = optimizer.get_updater(Gone()).get_states(dump_optimizer=True)
    with pytest.raises(FormatError, match=r"need the class os\.system"):
        optimizer.get_updater(optimizer.SGD()).set_states(_renamed(data))


def _renamed(data: bytes) -> bytes:
    import json

    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    content = json.loads(header["__metadata__"]["gluon_onnx"])
    content["optimizer"]["class"] = "os.system"
    header["__metadata__"]["gluon_onnx"] = json.dumps(content)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def test_same_bytes() -> None:
    """The same states give the same bytes."""
    updater = optimizer.get_updater(optimizer.Adam())
    updater(0, nd.ones((2,)), nd.ones((2,)))
    assert updater.get_states(True) == updater.get_states(True)
