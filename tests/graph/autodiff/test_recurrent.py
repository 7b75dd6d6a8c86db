"""Gradients of ONNX's recurrent operators, which imported models have, against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import gluon_onnx as mx
from gluon_onnx.graph.autodiff.engine import joint
from gluon_onnx.graph.autodiff.rules.cells import recurrent_layer
from gluon_onnx.graph.builder import Builder
from gluon_onnx.graph.errors import NotDifferentiableError
from gluon_onnx.graph.program import Program, finish

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_T, _N, _I, _H = 3, 2, 2, 3


def _program(kind: str, inputs: str, **attributes: Any) -> tuple[Program, list[np.ndarray]]:
    """A node of `kind` with the operands named in `inputs` (bias, lengths, h state, cells) and their values."""
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    rows, random = _GATES[kind] * _H, np.random.RandomState(3)
    state = (directions, _N, _H)
    shapes = {
        "x": (_T, _N, _I),
        "w": (directions, rows, _I),
        "r": (directions, rows, _H),
        "b": (directions, 2 * rows),
        "l": (_N,),
        "h": state,
        "c": state,
        "p": (directions, 3 * _H),
    }
    g, operands, arrays = Builder(), [], []
    for name in "xwrblhcp"[: 8 if kind == "LSTM" else 6]:
        if name not in "xwr" + inputs:
            operands.append(None)
            continue
        value = random.uniform(-1, 1, size=shapes[name]).astype("float32")
        if name == "l":
            value = np.array([_T, 1], "int32")
        arrays.append(value)
        operands.append(g.input(name, value.dtype, value.shape))
    if kind == "GRU":
        attributes.setdefault("linear_before_reset", 1)
    results = g.multi(kind, 3 if kind == "LSTM" else 2, *operands, hidden_size=_H, **attributes)
    return finish(g, results), arrays


def _run(program: Program, feeds: list[np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        program.model.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    results: list[np.ndarray] = session.run(None, dict(zip(program.input_names, feeds, strict=True)))
    return results


ROWS = {
    "LSTM": ("LSTM", "bhc", {}),
    "LSTM-bare": ("LSTM", "", {}),
    "LSTM-reverse-lengths": ("LSTM", "blhc", {"direction": "reverse"}),
    "LSTM-bidirectional": ("LSTM", "bh", {"direction": "bidirectional"}),
    "GRU": ("GRU", "bh", {}),
    "GRU-bidirectional-lengths": ("GRU", "bl", {"direction": "bidirectional"}),
    "RNN": ("RNN", "bh", {}),
    "RNN-relu": ("RNN", "b", {"activations": ["Relu"]}),
    "RNN-elu": ("RNN", "bh", {"activations": ["Elu"], "activation_alpha": [0.7]}),
    "GRU-early": ("GRU", "bh", {"linear_before_reset": 0}),
    "GRU-early-lengths": ("GRU", "bhl", {"linear_before_reset": 0, "direction": "bidirectional"}),
    "GRU-clip": ("GRU", "bh", {"clip": 0.5}),
    "LSTM-peepholes": ("LSTM", "bhcp", {}),
    "LSTM-peepholes-lengths": ("LSTM", "blhcp", {"direction": "reverse"}),
    "LSTM-clip": ("LSTM", "bhc", {"clip": 0.5}),
    "LSTM-coupled": ("LSTM", "bhc", {"input_forget": 1}),
    "LSTM-activations": (
        "LSTM",
        "bh",
        {
            "activations": ["HardSigmoid", "ScaledTanh", "Softsign"],
            "activation_alpha": [0.3, 1.2],
            "activation_beta": [0.4, 0.8],
        },
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_gradients(row: str) -> None:
    kind, inputs, attributes = ROWS[row]
    program, arrays = _program(kind, inputs, **attributes)
    wrt = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    results = _run(program, arrays)
    random = np.random.RandomState(5)
    heads = [random.uniform(0.5, 1.5, size=y.shape).astype("float32") for y in results]
    gradient = joint(program, wrt, list(range(len(results))))
    onnx.checker.check_model(gradient.model, full_check=True)
    found = _run(gradient, [*arrays, *heads])
    for i, grad in zip(wrt, found, strict=True):
        for index in [tuple(random.randint(n) for n in arrays[i].shape) for _ in range(4)]:
            sums = []
            for step in (5e-3, -5e-3):
                changed = [a.copy() for a in arrays]
                changed[i][index] += step
                out = _run(program, changed)
                sums.append(
                    sum(float((y.astype("float64") * h).sum()) for y, h in zip(out, heads, strict=True))
                )
            assert grad[index] == pytest.approx((sums[0] - sums[1]) / 1e-2, rel=2e-2, abs=2e-3), (i, index)


@pytest.mark.parametrize("row", ROWS)
def test_the_loop_that_gradients_come_from_computes_the_same(row: str) -> None:
    kind, inputs, attributes = ROWS[row]
    program, arrays = _program(kind, inputs, **attributes)
    (node,) = program.nodes
    g = Builder()
    given = iter([g.input(t.name, t.dt, t.dims) for t in program.inputs])
    operands = [None if v is None else next(given) for v in node.inputs]
    loop = finish(g, recurrent_layer(g, kind, {k: a.value for k, a in node.attributes.items()}, operands))
    for a, b in zip(_run(loop, arrays), _run(program, arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_an_unknown_activation_is_named() -> None:
    program, _ = _program("RNN", "b", activations=["Mish"])
    with pytest.raises(NotDifferentiableError, match="'RNN' with the activation 'mish'"):
        joint(program, [0], [0])


def test_prediction_mode_has_the_gradients_of_training() -> None:
    layer = mx.gluon.rnn.LSTM(4, 2, bidirectional=True, input_size=3)
    layer.initialize(mx.init.Uniform(0.7))
    x = mx.nd.random.uniform(-1, 1, shape=(4, 2, 3))
    grads = []
    for train in (True, False):
        with mx.autograd.record(train_mode=train):
            loss = (layer(x) ** 2).sum()
        loss.backward()
        grads.append({k: p.grad().asnumpy().copy() for k, p in layer.collect_params().items()})
    for name, value in grads[0].items():
        np.testing.assert_allclose(grads[1][name], value, rtol=1e-3, atol=1e-5, err_msg=name)
