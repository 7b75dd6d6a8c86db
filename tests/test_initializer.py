"""Initializers against the values of MXNet 1.9.1, and the distributions of the random ones."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx
from tests.golden import frontend

GOLDEN = frontend.load()["initializers"]


def fill(init: Any, shape: tuple[int, ...], name: str = "w_weight", **desc: Any) -> Any:
    array = mx.nd.full(shape, 9)
    init(mx.init.InitDesc(name, **desc), array)
    return array.asnumpy()


@pytest.mark.parametrize("row", GOLDEN["values"], ids=frontend.label)
def test_values_are_mxnets(row: dict[str, Any]) -> None:
    init = getattr(mx.init, row["name"])(*row["args"], **row["kwargs"])
    found = fill(init, tuple(row["shape"]), row["variable"], global_init=mx.init.One())
    np.testing.assert_array_equal(found, np.array(row["values"], np.float32))


@pytest.mark.parametrize("row", GOLDEN["values"] + GOLDEN["dumps"], ids=frontend.label)
def test_texts_are_mxnets_and_make_the_initializer_again(row: dict[str, Any]) -> None:
    init = getattr(mx.init, row["name"])(*row["args"], **row["kwargs"])
    assert init.dumps() == row["dumps"]
    again = mx.init.create(row["dumps"])
    assert again == init
    assert type(again) is type(init)
    assert {k: v for k, v in vars(again).items() if k != "_init"} == {
        k: v for k, v in vars(init).items() if k != "_init"
    }


SCALE = math.sqrt(3 / ((64 * 9 + 32 * 9) / 2))
RANDOM: list[tuple[Any, str, float]] = [  # initializer, distribution, half width or deviation
    (mx.init.Uniform(0.3), "uniform", 0.3),
    (mx.init.Normal(0.2), "normal", 0.2),
    (mx.init.Xavier(), "uniform", SCALE),
    (mx.init.Xavier("gaussian"), "normal", SCALE),
    (mx.init.Xavier(factor_type="in", magnitude=2), "uniform", math.sqrt(2 / (32 * 9))),
    (mx.init.Xavier("gaussian", "out", 4), "normal", math.sqrt(4 / (64 * 9))),
    (mx.init.MSRAPrelu("in", 0.5), "normal", math.sqrt(2 / 1.25 / (32 * 9))),
]


@pytest.mark.parametrize(("init", "kind", "scale"), RANDOM, ids=[init.dumps() for init, _, _ in RANDOM])
def test_distribution(init: Any, kind: str, scale: float) -> None:
    mx.random.seed(7)
    values = fill(init, (64, 32, 3, 3)).ravel().astype(np.float64) / scale
    deviation = 1 / math.sqrt(3) if kind == "uniform" else 1.0
    # n = 18432: five standard errors of the mean, of the variance, and of the share beyond 0.9 deviations
    assert abs(values.mean()) < 5 * deviation / math.sqrt(values.size)
    kurtosis = 1.8 if kind == "uniform" else 3.0
    assert abs(values.var() / deviation**2 - 1) < 5 * math.sqrt((kurtosis - 1) / values.size)
    if kind == "uniform":
        assert values.min() >= -1
        assert values.max() <= 1
    else:
        assert 3 < np.abs(values).max() < 6
    mx.random.seed(7)
    np.testing.assert_array_equal(fill(init, (64, 32, 3, 3)).ravel(), (values * scale).astype(np.float32))


@pytest.mark.parametrize("rand_type", ["uniform", "normal"])
@pytest.mark.parametrize("shape", [(4, 3, 2), (6, 2), (3, 3)])
def test_orthogonal(rand_type: str, shape: tuple[int, ...]) -> None:
    matrix = fill(mx.init.Orthogonal(2.0, rand_type), shape).reshape(shape[0], -1).astype(np.float64)
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=4e-6)


def test_quantized_weights_differ_from_each_other() -> None:
    # MXNet draws one number for the whole array
    values = fill(mx.init.Zero(), (400,), "w_weight_quantize")
    assert len(np.unique(values)) > 100
    assert values.min() >= -127
    assert values.max() <= 127


@pytest.mark.parametrize(
    ("name", "value"),
    [("bn_moving_mean", 0), ("bn_moving_var", 1), ("bn_running_var", 1), ("q_moving_avg", 0), ("x_gamma", 1)],
)
def test_statistics_and_scales_by_name(name: str, value: float) -> None:
    assert fill(mx.init.Constant(5), (2,), name).tolist() == [value] * 2


def test_the_variables_own_initializer_comes_first() -> None:
    own = {"__init__": mx.init.Constant([1.0, 2.0]).dumps()}
    assert fill(mx.init.Zero(), (3, 2), "anything", attrs=own).tolist() == [[1, 2]] * 3


def test_plain_names_are_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match=r"pass mx.init.InitDesc\(name\)"):
        mx.init.Zero()("upsampling_weight", up := mx.nd.ones((1, 1, 4, 4)))
    np.testing.assert_array_equal(up.asnumpy(), fill(mx.init.Bilinear(), (1, 1, 4, 4)))
    with pytest.warns(DeprecationWarning):
        mx.init.One()("stn_loc_bias", bias := mx.nd.ones((6,)))
    assert bias.asnumpy().tolist() == [1, 0, 0, 0, 1, 0]
    with pytest.warns(DeprecationWarning):
        mx.init.One()("stn_loc_weight", weight := mx.nd.ones((2,)))
    assert weight.asnumpy().tolist() == [0, 0]


def test_fused_rnn_hands_every_matrix_to_its_initializer() -> None:
    seen = []

    @mx.init.register
    class SeenForTest(mx.init.Initializer):  # type: ignore[misc, name-defined]
        def _init_weight(self, name: str, arr: Any) -> None:
            seen.append((str(name), arr.shape))
            arr[:] = len(seen)

    vector = fill(mx.init.FusedRNN("seenfortest", 2, 1, "rnn_tanh"), (2 * (3 + 2 + 2),))
    assert seen == [("l0_i2h_weight", (2, 3)), ("l0_h2h_weight", (2, 2))]
    assert vector.tolist() == [1] * 6 + [2] * 4 + [0] * 4


def test_mixed_takes_the_first_pattern_that_matches() -> None:
    init = mx.init.Mixed([".*first", ".*"], [mx.init.One(), mx.init.Zero()])
    assert fill(init, (1,), "x_first_weight") == 1
    assert fill(init, (1,), "x_weight") == 0


def test_load_from_dict_and_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values = {"arg:a": mx.nd.array([1, 2]), "aux:b": mx.nd.array([3]), "c": mx.nd.array([4])}
    mx.nd.save(str(tmp_path / "x.params"), values)
    for source in (values, str(tmp_path / "x.params")):
        init = mx.init.Load(source, default_init=mx.init.One(), verbose=True)
        with caplog.at_level(logging.INFO):
            assert fill(init, (2,), "a").tolist() == [1, 2]
        assert caplog.messages[-1] == "Initialized a by loading"
        assert fill(init, (1,), "b").tolist() == [3]
        assert fill(init, (2, 2), "d_weight").tolist() == [[1, 1]] * 2


def test_verbosity(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        fill(mx.init.Constant(3).set_verbosity(True), (4,))
        fill(mx.init.Constant(3).set_verbosity(True, lambda x: f"sum {x.asnumpy().sum()}"), (4,), "x_bias")
        fill(mx.init.Constant(3).set_verbosity(False), (4,))
    assert caplog.messages == ["Initialized w_weight as weight: 3.0", "Initialized x_bias as bias: sum 0.0"]


def test_arrays_as_constants_are_fit_for_json() -> None:
    for value in (np.ones((2, 1)), mx.nd.ones((2, 1)), [[1.0], [1.0]]):
        init = mx.init.Constant(value)
        assert json.loads(init.dumps()) == ["constant", {"value": [[1.0], [1.0]]}]
        assert fill(init, (2, 3)).tolist() == [[1] * 3] * 2
    assert mx.init.Constant(np.float32(2)).dumps() == '["constant", {"value": 2.0}]'
    assert mx.init.Constant(1).dumps() == '["constant", {"value": 1}]'


@pytest.mark.parametrize(
    ("name", "kind"), [("zeros", mx.init.Zero), ("ONES", mx.init.One), ("xavier", mx.init.Xavier)]
)
def test_names(name: str, kind: type) -> None:
    assert type(mx.init.create(name)) is kind


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (lambda: fill(mx.init.Zero(), (2,), "strange"), ValueError, "no initialization is known for 'strange'"),
    (lambda: fill(mx.init.Initializer(), (2,)), NotImplementedError, "_init_weight, needed by 'w_weight'"),
    (lambda: fill(mx.init.Xavier(), (2,)), ValueError, r"'w_weight' has shape \(2,\)"),
    (lambda: fill(mx.init.Xavier("x"), (2, 2)), ValueError, "'uniform' or 'gaussian', got 'x'"),
    (lambda: fill(mx.init.Xavier(factor_type="x"), (2, 2)), ValueError, r"\['avg', 'in', 'out'\], got 'x'"),
    (lambda: fill(mx.init.Bilinear(), (2, 2)), ValueError, "needs four dimensions, but 'w_weight'"),
    (lambda: mx.init.Orthogonal(rand_type="x"), ValueError, "'uniform' or 'normal', got 'x'"),
    (lambda: mx.init.FusedRNN(None, 2, 1, "x"), ValueError, "mode must be one of"),
    (lambda: fill(mx.init.FusedRNN("one", 2, 1, "gru"), (7,)), ValueError, "7 parameters do not"),
    (lambda: mx.init.Mixed(["a"], []), ValueError, "1 patterns for 0 initializers"),
    (lambda: fill(mx.init.Mixed(["a"], [None]), (1,)), ValueError, "'w_weight' matches none of the patterns"),
    (lambda: fill(mx.init.Load({}), (1,)), ValueError, "'w_weight' is not among the loaded ones"),
    (
        lambda: fill(mx.init.Load({"w_weight": mx.nd.ones((3,))}), (2,)),
        ValueError,
        r"parameter 'w_weight' has shape \(2,\), its loaded value \(3,\)",
    ),
    (lambda: mx.init.Load([1]), TypeError, "param must hold arrays by name, got list"),
    (lambda: mx.init.create("xavir"), ValueError, "'xavir'; did you mean 'xavier'"),
    (lambda: mx.init.create(), TypeError, "an instance or a name of initializer"),
]


@pytest.mark.parametrize(("action", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors(action: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        action()
