"""`mx.rnn`: cells make MXNet's graphs, fused and simple cells agree, weights travel between them."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from gluon_onnx import nd, sym

from . import programs

SYMBOLS = json.loads((programs.HERE / "symbols.json").read_text())


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", programs.NAMES)
def test_symbols_are_mxnets(name: str) -> None:
    assert programs.digest(programs.symbol(mx, name)) == SYMBOLS[name]


def _values(outputs: Any, args: dict[str, nd.NDArray], **shapes: tuple[int, ...]) -> list[np.ndarray]:
    group = sym.Group(outputs if isinstance(outputs, list) else [outputs])
    rng = np.random.default_rng(1)
    inputs = {n: nd.array(rng.normal(size=s)) for n, s in shapes.items()}
    executor = group.bind(mx.cpu(), {n: {**args, **inputs}[n] for n in group.list_arguments()})
    return [y.asnumpy() for y in executor.forward()]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("mode", ["lstm", "gru", "rnn_tanh", "rnn_relu"])
def test_fused_and_unfused_agree(mode: str, bidirectional: bool) -> None:
    fused = mx.rnn.FusedRNNCell(4, 2, mode, bidirectional=bidirectional, prefix="net_")
    outputs, _ = fused.unroll(3, sym.var("x"), layout="NTC", merge_outputs=True)
    shapes = dict(zip(outputs.list_arguments(), outputs.infer_shape(x=(2, 3, 5))[0], strict=True))
    rng = np.random.default_rng(0)
    args = {"net_parameters": nd.array(rng.uniform(-0.5, 0.5, shapes["net_parameters"]))}
    stack = fused.unfuse()
    simple, _ = stack.unroll(3, sym.var("x"), layout="NTC", merge_outputs=True)
    unpacked = fused.unpack_weights(args)
    packed = stack.pack_weights(unpacked)
    (a,), (b,) = _values(outputs, args, x=(2, 3, 5)), _values(simple, packed, x=(2, 3, 5))
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    again = fused.pack_weights(stack.unpack_weights(packed))
    np.testing.assert_array_equal(again["net_parameters"].asnumpy(), args["net_parameters"].asnumpy())


def test_checkpoints_hold_the_weights_of_gates(tmp_path: pathlib.Path) -> None:
    cell = mx.rnn.LSTMCell(3)
    outputs, _ = cell.unroll(2, sym.var("x"), merge_outputs=True)
    shapes = dict(zip(outputs.list_arguments(), outputs.infer_shape(x=(1, 2, 4))[0], strict=True))
    args = {n: nd.array(np.arange(np.prod(s)).reshape(s)) for n, s in shapes.items() if n.startswith("lstm")}
    mx.rnn.save_rnn_checkpoint(cell, str(tmp_path / "net"), 1, outputs, args, {})
    assert "arg:lstm_i2h_f_weight" in nd.load(str(tmp_path / "net-0001.params"))
    _, loaded, _ = mx.rnn.load_rnn_checkpoint(cell, str(tmp_path / "net"), 1)
    assert set(loaded) == set(args)
    for n, x in args.items():
        np.testing.assert_array_equal(loaded[n].asnumpy(), x.asnumpy())
    mx.rnn.do_rnn_checkpoint(cell, str(tmp_path / "net"), 2)(1, outputs, args, {})
    assert (tmp_path / "net-0002.params").exists()


def test_shared_parameters() -> None:
    params = mx.rnn.RNNParams("one_")
    first, second = (mx.rnn.RNNCell(3, prefix=p, params=params) for p in ("a_", "b_"))
    group = sym.Group([first.unroll(1, sym.var("x"))[0][0], second.unroll(1, sym.var("x"))[0][0]])
    weights = [n for n in group.list_arguments() if n != "x"]
    assert weights == ["one_i2h_weight", "one_i2h_bias", "one_h2h_weight", "one_h2h_bias"]


def test_encoded_sentences() -> None:
    coded, vocabulary = mx.rnn.encode_sentences([["a", "b"], ["b", "c", "a"]], invalid_label=0, start_label=1)
    assert coded == [[1, 2], [2, 3, 1]]
    assert vocabulary == {"\n": 0, "a": 1, "b": 2, "c": 3}
    assert mx.rnn.encode_sentences([["a", "x"]], vocabulary, unknown_token="c")[0] == [[1, 3]]
    with pytest.raises(AssertionError, match="'x' is not in the vocabulary"):
        mx.rnn.encode_sentences([["x"]], vocabulary)


@pytest.mark.parametrize("layout", ["NT", "TN"])
def test_buckets(layout: str) -> None:
    sentences = [[1, 2, 3], [4, 5], [6, 7, 8], [9, 1], [2] * 9]
    batches = mx.rnn.BucketSentenceIter(sentences, 2, buckets=[2, 4], invalid_label=0, layout=layout)
    assert batches.default_bucket_key == 4
    seen = {}
    for batch in batches:
        data, label = (x[0].asnumpy() for x in (batch.data, batch.label))
        if layout == "TN":
            data, label = data.T, label.T
        seen[batch.bucket_key] = sorted(map(list, data))
        np.testing.assert_array_equal(label[:, :-1], data[:, 1:])
        np.testing.assert_array_equal(label[:, -1], 0)
        assert batch.provide_data[0].shape == batch.data[0].shape
    assert seen == {2: [[4, 5], [9, 1]], 4: [[1, 2, 3, 0], [6, 7, 8, 0]]}
    batches.reset()
    assert len(list(batches)) == 2


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda r: r.FusedRNNCell(3, mode="gated"), ValueError, "expected one of rnn_relu"),
        (lambda r: r.FusedRNNCell(3)(sym.var("x"), []), TypeError, "cannot make a single step"),
        (lambda r: r.ZoneoutCell(r.FusedRNNCell(3)), TypeError, "not a FusedRNNCell"),
        (lambda r: r.RNNCell(3).unroll(2, [sym.var("x")]), ValueError, "expected 2 inputs, got 1"),
        (lambda r: r.RNNCell(3).unroll(2, None), ValueError, "inputs must be given"),
        (
            lambda r: r.FusedRNNCell(3).unpack_weights({"lstm_parameters": nd.zeros((7,))}),
            ValueError,
            "7 elements",
        ),
        (lambda r: r.BucketSentenceIter([[1]], 1, layout="C"), ValueError, "expected 'NT'"),
        (lambda r: r.DropoutCell("a"), ValueError, "expected a number"),
    ],
)
def test_mistakes(act: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        act(mx.rnn)


def test_a_modified_cell_is_used_through_its_modifier() -> None:
    cell = mx.rnn.RNNCell(3)
    outer = mx.rnn.ResidualCell(cell)
    with pytest.raises(RuntimeError, match="call that one's"):
        cell.begin_state()
    assert len(outer.begin_state()) == 1
