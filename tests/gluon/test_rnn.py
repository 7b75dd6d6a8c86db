"""Recurrent layers and cells: names, texts and numbers are MXNet's; errors are clear."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import autograd, gluon, nd
from gluon_onnx.gluon import rnn
from tests.gluon import rnn_rows, rows
from tests.golden import store

GOLDEN = json.loads((store.HERE / "gluon_rnn.json").read_text(encoding="utf-8"))
NUMBERS, _ = store.read("gluon_rnn")
TABLE = rnn_rows.LAYERS + rnn_rows.CELLS


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.id)
def test_names_and_texts(row: rows.Row) -> None:
    assert rows.describe(mx, row) == GOLDEN["rows"][row.id]


@pytest.mark.parametrize("hybridize", [False, True], ids=["eager", "hybridized"])
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.id)
def test_numbers(row: rows.Row, hybridize: bool) -> None:
    found = rows.compute(mx, row, hybridize)
    expected = {k.partition("|")[2]: v for k, v in NUMBERS.items() if k.startswith(row.id + "|")}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


# -- what the tables do not show -----------------------------------------------------------------------------

LAYERS: dict[str, Any] = {
    "relu": lambda **k: rnn.RNN(4, activation="relu", **k),
    "tanh": lambda **k: rnn.RNN(4, activation="tanh", **k),
    "gru": lambda **k: rnn.GRU(4, **k),
    "lstm": lambda **k: rnn.LSTM(4, **k),
}


def _random(*shape: int, seed: int = 0) -> Any:
    return nd.array(np.random.RandomState(seed).uniform(-1, 1, size=shape).astype("float32"))


def _gradients(block: Any) -> dict[str, np.ndarray]:
    return {k: p.grad().asnumpy().copy() for k, p in block.collect_params().items()}


@pytest.mark.parametrize("both", [False, True], ids=["one-way", "both-ways"])
@pytest.mark.parametrize("kind", LAYERS)
def test_layers_are_their_cells(kind: str, both: bool) -> None:
    """Values, last states and gradients of the fused operator and of the unrolled cells; in both modes."""
    layer = LAYERS[kind](num_layers=2, bidirectional=both, input_size=3)
    cells = layer._unfuse()
    layer.initialize(mx.init.Uniform(0.7))
    x = _random(5, 2, 3)
    for train in (True, False):
        results = []
        for run in (
            lambda: layer(x, layer.begin_state(2)),
            lambda: cells.unroll(5, x, layout="TNC", merge_outputs=True),
        ):
            with autograd.record(train_mode=train):
                outputs, states = run()
                joined = nd.stack(*states)
                loss = (outputs * outputs).sum() + (joined * joined).sum()
            loss.backward()
            results.append((outputs.asnumpy(), float(loss.asscalar()), _gradients(layer)))
        fused, stepped = results
        np.testing.assert_allclose(fused[0], stepped[0], rtol=1e-4, atol=1e-5)
        assert fused[1] == pytest.approx(stepped[1], rel=1e-4)
        for name, value in stepped[2].items():
            np.testing.assert_allclose(fused[2][name], value, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("train", [True, False], ids=["train", "predict"])
@pytest.mark.parametrize("kind", LAYERS)
def test_lengths(kind: str, train: bool) -> None:
    """An example of a batch gives what it gives alone, without its padding; an empty one keeps its state."""
    layer = LAYERS[kind](num_layers=2, bidirectional=True, input_size=3, use_sequence_length=True)
    layer.initialize(mx.init.Uniform(0.7))
    x, lengths = _random(4, 3, 3), [2, 4, 0]
    states = [_random(4, 3, 4, seed=i) for i in range(2 if kind == "lstm" else 1)]
    with autograd.record(train_mode=train):
        outputs, last = layer(x, states, nd.array(lengths))
    np.testing.assert_array_equal(outputs.asnumpy()[:, 2], 0)
    for state, first in zip(last, states, strict=True):
        np.testing.assert_array_equal(state.asnumpy()[:, 2], first.asnumpy()[:, 2])
    for i, n in list(enumerate(lengths))[:2]:
        with autograd.record(train_mode=train):
            alone, finals = layer(
                x[:n, i : i + 1], [s[:, i : i + 1] for s in states], nd.array([n])
            )
        np.testing.assert_allclose(outputs.asnumpy()[:n, i], alone.asnumpy()[:, 0], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(outputs.asnumpy()[n:, i], 0)
        for state, final in zip(last, finals, strict=True):
            np.testing.assert_allclose(
                state.asnumpy()[:, i], final.asnumpy()[:, 0], rtol=1e-5, atol=1e-6
            )


def test_examples_of_the_guide() -> None:
    layer = mx.gluon.rnn.GRU(100, 3)
    layer.initialize()
    input_seq = mx.nd.random.uniform(shape=(5, 3, 10))
    out_seq = layer(input_seq)
    assert out_seq.shape == (5, 3, 100)
    h0 = mx.nd.random.uniform(shape=(3, 3, 100))
    out_seq, hn = layer(input_seq, h0)
    assert out_seq.shape == (5, 3, 100) and [h.shape for h in hn] == [(3, 3, 100)]
    np.testing.assert_array_equal(hn[0].asnumpy()[-1], out_seq.asnumpy()[-1])

    layer = mx.gluon.rnn.LSTM(100, 3)
    layer.initialize()
    out_seq = layer(input_seq)
    h0 = mx.nd.random.uniform(shape=(3, 3, 100))
    c0 = mx.nd.random.uniform(shape=(3, 3, 100))
    out_seq, hn = layer(input_seq, [h0, c0])
    assert out_seq.shape == (5, 3, 100) and [h.shape for h in hn] == [(3, 3, 100)] * 2


def test_states_may_be_given_or_not_when_hybridized() -> None:
    layer = rnn.LSTM(4)
    layer.initialize()
    layer.hybridize()
    x = _random(3, 2, 5)
    alone = layer(x)
    outputs, states = layer(x, layer.begin_state(2))
    np.testing.assert_array_equal(alone.asnumpy(), outputs.asnumpy())
    assert [s.shape for s in states] == [(1, 2, 4)] * 2


class _Model(gluon.HybridBlock):
    def __init__(self) -> None:
        super().__init__(prefix="model_")
        with self.name_scope():
            self.layer = rnn.GRU(4, bidirectional=True)
            self.cell = rnn.LSTMCell(3)
            self.out = gluon.nn.Dense(2, flatten=False)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        return self.out(self.cell.unroll(3, self.layer(x), layout="TNC", merge_outputs=True)[0])


def test_first_states_take_the_batch_size(tmp_path: pathlib.Path) -> None:
    """Zeros whose batch size is open in the symbol: compiled for any, and after a trip through files."""
    net = _Model()
    net.initialize()
    batches = [_random(3, n, 5) for n in (2, 4, 7)]
    expected = [net(x).asnumpy() for x in batches]
    net.hybridize()
    for x, y in zip(batches, expected, strict=True):
        np.testing.assert_allclose(net(x).asnumpy(), y, rtol=1e-5, atol=1e-6)
    net.export(str(tmp_path / "net"))
    read = gluon.SymbolBlock.imports(str(tmp_path / "net-symbol.json"), ["data"], str(tmp_path / "net-0000.params"))
    for x, y in zip(batches, expected, strict=True):
        np.testing.assert_allclose(read(x).asnumpy(), y, rtol=1e-5, atol=1e-6)


def test_parameters_by_file(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "lstm.params")
    layer = rnn.LSTM(4, bidirectional=True, input_size=3)
    layer.initialize(mx.init.Uniform(0.7))
    layer.save_parameters(path)
    assert "_unfused.0.r_cell.h2h_weight" in nd.load(path)
    other = rnn.LSTM(4, bidirectional=True, input_size=3)
    other.load_parameters(path)
    x = _random(3, 2, 3)
    np.testing.assert_array_equal(layer(x).asnumpy(), other(x).asnumpy())


def test_dropout_between_layers() -> None:
    """Only in training, and not behind the last layer."""
    layer = rnn.RNN(4, 2, activation="relu", dropout=1.0, input_size=3)
    layer.initialize(mx.init.One())
    x = nd.ones((2, 2, 3))
    assert (layer(x).asnumpy() > 0).all()
    with autograd.record():
        np.testing.assert_array_equal(layer(x).asnumpy(), 0)  # the second layer sees nothing but zeros


def test_projection_and_clipped_cells_train() -> None:
    """MXNet computes their gradients on NVIDIA devices only; here by differences."""
    layer = rnn.LSTM(4, projection_size=3, bidirectional=True, input_size=2, state_clip_min=-0.3, state_clip_max=0.4)
    layer.cast("float64")
    layer.initialize(mx.init.Uniform(0.9))
    x = _random(4, 2, 2).astype("float64")

    def value() -> Any:
        with autograd.record():
            return (layer(x) ** 2).sum()

    loss = value()
    loss.backward()
    grads = _gradients(layer)
    for name, p in layer.collect_params().items():
        data = p.data().asnumpy()
        for index in [(0,) * data.ndim, (data.shape[0] - 1,) * data.ndim if data.ndim == 1 else (-1, -1)]:
            sums = []
            for step in (1e-5, -1e-5):
                changed = data.copy()
                changed[index] += step
                p.set_data(nd.array(changed, dtype="float64"))
                sums.append(float(value().asscalar()))
            p.set_data(nd.array(data, dtype="float64"))
            assert grads[name][index] == pytest.approx((sums[0] - sums[1]) / 2e-5, rel=1e-4, abs=1e-8), name


def test_zoneout_keeps_old_values() -> None:
    cell = rnn.ZoneoutCell(rnn.RNNCell(3, input_size=2), zoneout_outputs=1.0, zoneout_states=1.0)
    cell.initialize(mx.init.One())
    x, h = nd.ones((4, 2)), nd.ones((4, 3)) * 0.5
    assert repr(cell) == "ZoneoutCell(p_out=1.0, p_state=1.0, RNNCell(2 -> 3, tanh))"
    with autograd.record():
        output, states = cell(x, [h])
    np.testing.assert_array_equal(output.asnumpy(), 0)
    np.testing.assert_array_equal(states[0].asnumpy(), 0.5)
    cell.reset()
    output, states = cell(x, [h])
    np.testing.assert_array_equal(output.asnumpy(), states[0].asnumpy())
    assert (output.asnumpy() > 0.9).all()


def test_variational_dropout_has_one_mask() -> None:
    mx.random.seed(0)  # a sample whose inputs are all dropped is zero as a whole: the share of zeros varies much
    cell = gluon.contrib.rnn.VariationalDropoutCell(
        rnn.RNNCell(50, activation="relu", input_size=2), drop_states=0.5, drop_inputs=0.5, drop_outputs=0.5
    )
    cell.initialize(mx.init.One())
    assert repr(cell) == "VariationalDropoutCell(p_out = 0.5, p_state = 0.5)"
    with autograd.record():
        outputs, _ = cell.unroll(4, nd.ones((3, 4, 2)) * 4, merge_outputs=True)
    dropped = outputs.asnumpy() == 0
    assert (dropped[:, :1] == dropped).all() and 0.2 < dropped.mean() < 0.8


ERRORS: dict[str, tuple[Any, type[Exception], str]] = {
    "layout": (lambda: rnn.LSTM(3, layout="CTN"), AssertionError, "expected layout 'TNC' or 'NTC', got 'CTN'"),
    "state shape": (
        lambda: _initialized(rnn.GRU(3, input_size=5))(nd.ones((4, 2, 5)), nd.ones((1, 3, 3))),
        ValueError,
        r"Expecting \(1, 2, 3\), got \(1, 3, 3\)",
    ),
    "steps": (lambda: _initialized(rnn.RNNCell(3)).unroll(4, nd.ones((2, 5, 3))), AssertionError, "of 4 steps, got 5"),
    "base called": (lambda: rnn.ResidualCell(rnn.RNNCell(2)).base_cell.begin_state(), AssertionError,
                    "base of a modifier cell"),
    "modified twice": (lambda: rnn.ResidualCell(rnn.ResidualCell(rnn.RNNCell(2)).base_cell), AssertionError,
                       "base of a modifier cell already"),
    "step both ways": (lambda: rnn.BidirectionalCell(rnn.RNNCell(2), rnn.RNNCell(2))(1, []), NotImplementedError,
                       "unrolled, not stepped"),
    "zoneout both ways": (lambda: rnn.ZoneoutCell(rnn.BidirectionalCell(rnn.RNNCell(2), rnn.RNNCell(2))),
                          AssertionError, "zoneout works step by step"),
    "parameters": (
        lambda: nd.RNN(nd.ones((3, 2, 5)), nd.ones((7,)), nd.ones((1, 2, 4)), mode="gru", state_size=4, num_layers=1),
        ValueError,
        r"argument 'parameters': expected shape \(132,\), got \(7,\)",
    ),
}  # fmt: skip


def _initialized(block: Any) -> Any:
    block.initialize()
    return block


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    call, error, text = ERRORS[name]
    with pytest.raises(error, match=text):
        call()
