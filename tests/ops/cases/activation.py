"""Activations, softmax and dropout where it does nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.ops.cases._spec import FLOATS, TOLERANCE, Case, case, normal, positive, uniform, values

_INF, _NAN = math.inf, math.nan
_EDGES = values([0.0, -0.0, 1.0, -1.0, 6.0, -6.0, 100.0, -100.0, 30.0, -30.0])


def _selu(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    x = inputs[0].astype("float64")
    return {"grad0": heads[0] * scale * np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0.0)))}


def _instance(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
    exp = np.exp(inputs[0].astype("float64"))
    odds = exp / exp.sum(axis=-1, keepdims=True)
    return {"grad0": odds * (heads[0] - (odds * heads[0]).sum(axis=-1, keepdims=True))}


_INSTANCE = {
    "mxnet_wrong": "its gradient sums over axis 1, its values over the last axis",
    "expect": _instance,
}


_SINGLE: dict[str, Any] = {
    "tolerance": {"float64": TOLERANCE["float32"]},
    "note": "MXNet computes in float32",
}


def _activations() -> list[Case]:
    rows = []
    for kind in ("relu", "sigmoid", "softrelu", "softsign", "tanh"):
        rows.append(
            case(
                "Activation", normal(2, 3, 4, scale=2), tag=kind, act_type=kind, dtypes=("float32", "float64")
            )
        )
        rows.append(
            case("Activation", normal(5, scale=2), tag=f"{kind}_half", act_type=kind, dtypes=("float16",))
        )
        rows.append(case("Activation", _EDGES, tag=f"{kind}_edges", act_type=kind))
    for kind in ("leaky", "elu", "selu", "gelu"):
        wrong = (
            {"mxnet_wrong": "its gradient multiplies by the scale twice", "expect": _selu}
            if kind == "selu"
            else {}
        )
        rows.append(
            case(
                "LeakyReLU",
                normal(2, 3, 4, scale=2),
                tag=kind,
                act_type=kind,
                dtypes=FLOATS,
                **_SINGLE,
                **wrong,
            )
        )
        rows.append(case("LeakyReLU", _EDGES, tag=f"{kind}_edges", act_type=kind, **wrong))
    rows += [
        case("LeakyReLU", normal(3, 4), tag="default"),
        case("LeakyReLU", normal(3, 4), tag="leaky_slope", act_type="leaky", slope=0.01),
        case("LeakyReLU", normal(3, 4), tag="elu_slope", act_type="elu", slope=1.5),
        case(
            "LeakyReLU",
            normal(2, 3, 4),
            positive(3),
            tag="prelu_channels",
            act_type="prelu",
            dtypes=("float32", "float64"),
            **_SINGLE,
        ),
        case("LeakyReLU", normal(2, 3, 2, 2), positive(1), tag="prelu_one", act_type="prelu"),
        case("LeakyReLU", normal(2, 3), positive(3), tag="prelu_matrix", act_type="prelu"),
        case("LeakyReLU", normal(5), positive(1), tag="prelu_vector", act_type="prelu"),
        case(
            "LeakyReLU",
            values([[0.0, -1.0], [2.0, -0.0]]),
            values([0.0, -0.5]),
            tag="prelu_edges",
            act_type="prelu",
        ),
        case(
            "LeakyReLU",
            normal(3, 4),
            tag="rrelu_predict",
            unchecked=("out1",),
            train=False,
            act_type="rrelu",
            grad=False,
        ),
        case(
            "LeakyReLU",
            normal(3, 4),
            tag="rrelu_bounds",
            unchecked=("out1",),
            train=False,
            act_type="rrelu",
            lower_bound=0.1,
            upper_bound=0.5,
            grad=False,
        ),
    ]
    return rows


def _softmax() -> list[Case]:
    rows = []
    lengths = values([[1, 3], [2, 4]], dtype="int32")
    for op in ("softmax", "log_softmax", "softmin"):
        rows += [
            case(op, normal(2, 3, 4), tag="default", dtypes=FLOATS),
            case(op, normal(2, 3, 4), tag="axis0", axis=0),
            case(op, normal(2, 3, 4), tag="axis1", axis=1),
            case(op, normal(2, 3, 4), tag="negative3", axis=-3),
            case(op, normal(2, 3, 4), tag="temperature", temperature=2.5),
            case(op, normal(2, 3, 4), tag="temperature_axis1", temperature=0.5, axis=1),
            case(op, values([[1000.0, 1001.0, 999.0], [-1000.0, 0.0, -999.0]]), tag="large"),
            case(
                op,
                values([[-_INF, 0.0, 1.0], [2.0, -_INF, -_INF]]),
                tag="minus_infinity",
                grad=False,
                note="a mask of -inf",
            ),
            case(op, normal(5), tag="vector"),
            case(op, normal(3, 1), tag="one"),
            case(
                op,
                normal(2, 3),
                tag="to_float64",
                attrs={"dtype": "float64"},
                grad=False,
                tolerance={"float64": TOLERANCE["float32"]},
                note="MXNet computes in float32",
            ),
            case(
                op,
                normal(2, 3, dtype="float16"),
                tag="half_to_float32",
                attrs={"dtype": "float32"},
                grad=False,
                tolerance={"float32": TOLERANCE["float16"]},
                note="MXNet computes in float16",
            ),
        ]
    rows += [
        case("softmax", normal(2, 2, 4), lengths, tag="length", use_length=True, grad=(0,)),
        case("softmax", normal(2, 4, 2), lengths, tag="length_axis1", use_length=True, axis=1, grad=(0,)),
        case(
            "softmax",
            normal(3, 4),
            values([0, 2, 4], dtype="int32"),
            tag="length_zero",
            use_length=True,
            grad=False,
        ),
        case(
            "softmax",
            normal(3, 4),
            values([1, 2, 4], dtype="int32"),
            tag="length_temperature",
            use_length=True,
            temperature=2.0,
            grad=(0,),
        ),
        case("SoftmaxActivation", normal(3, 4), tag="default"),
        case("SoftmaxActivation", normal(2, 3, 2), tag="rank3", **_INSTANCE),
        case("SoftmaxActivation", normal(2, 3, 2, 2), tag="instance", mode="instance", **_INSTANCE),
        case("SoftmaxActivation", normal(2, 3, 2, 2), tag="channel", mode="channel"),
    ]
    return rows


def _dropout() -> list[Case]:
    return [
        case("Dropout", normal(3, 4), tag="predict", train=False, p=0.5, dtypes=FLOATS),
        case("Dropout", normal(3, 4), tag="default_predict", train=False),
        case("Dropout", normal(3, 4), tag="train_p0", p=0.0),
        case("Dropout", normal(3, 4), tag="axes_predict", train=False, p=0.3, axes=(0,)),
        case("Dropout", uniform(-1, 1, 3, 4), tag="always_p0", p=0.0, mode="always"),
    ]


CASES: list[Case] = [*_activations(), *_softmax(), *_dropout()]
