"""Elementwise operators of one array."""

from __future__ import annotations

import math

from tests.ops.cases._spec import FLOATS, TOLERANCE, Case, Spec, case, distinct, ints, normal, uniform, values

_INF, _NAN = math.inf, math.nan

#: Operator, and the interval inside which it is smooth.
_DOMAINS: dict[str, tuple[float, float]] = {
    "abs": (-3, 3),
    "arccos": (-0.95, 0.95),
    "arccosh": (1.1, 4),
    "arcsin": (-0.95, 0.95),
    "arcsinh": (-3, 3),
    "arctan": (-3, 3),
    "arctanh": (-0.9, 0.9),
    "cbrt": (0.2, 4),
    "ceil": (-3, 3),
    "cos": (-4, 4),
    "cosh": (-2, 2),
    "degrees": (-3, 3),
    "erf": (-2, 2),
    "erfinv": (-0.9, 0.9),
    "exp": (-3, 3),
    "expm1": (-2, 2),
    "fix": (-3, 3),
    "floor": (-3, 3),
    "gamma": (0.5, 4),
    "gammaln": (0.5, 6),
    "hard_sigmoid": (-4, 4),
    "identity": (-3, 3),
    "log": (0.2, 5),
    "log10": (0.2, 5),
    "log1p": (-0.8, 4),
    "log2": (0.2, 5),
    "logical_not": (-3, 3),
    "negative": (-3, 3),
    "radians": (-90, 90),
    "rcbrt": (0.3, 4),
    "reciprocal": (0.3, 4),
    "relu": (-3, 3),
    "rint": (-3, 3),
    "round": (-3, 3),
    "rsqrt": (0.3, 4),
    "sigmoid": (-5, 5),
    "sign": (-3, 3),
    "sin": (-4, 4),
    "sinh": (-2, 2),
    "softsign": (-3, 3),
    "sqrt": (0.2, 5),
    "square": (-3, 3),
    "tan": (-1.2, 1.2),
    "tanh": (-3, 3),
    "trunc": (-3, 3),
    "BlockGrad": (-3, 3),
    "make_loss": (-3, 3),
    "zeros_like": (-3, 3),
    "ones_like": (-3, 3),
    "_contrib_round_ste": (-3, 3),
    "_contrib_sign_ste": (-3, 3),
    "_contrib_div_sqrt_dim": (-3, 3),
}
#: Zeros of both signs, infinities and NaN; what lies outside of the domain gives NaN in MXNet too.
_POSITIVE_ZERO = values([0.0, 1.0, -1.0, 30.0, -30.0, _INF, -_INF, _NAN])
_SPECIAL = values([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 30.0, -30.0, _INF, -_INF, _NAN])
_KINKS = (0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 20.0, -20.0)
_HALVES = values([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49, -0.51, 3.0, -3.0, 1e6 + 0.5])
_ROUNDING = ("ceil", "fix", "floor", "rint", "round", "trunc", "_contrib_round_ste")
#: Poles and the edges of a domain where one-sided limits are a matter of the C library alone.
_NO_SPECIAL = ("gamma", "gammaln", "erfinv")
_INTEGER = (
    "abs", "ceil", "fix", "floor", "identity", "logical_not", "negative", "relu", "rint", "round", "sign", "square",
    "trunc", "zeros_like", "ones_like", "BlockGrad", "sqrt", "exp", "sigmoid", "sin", "reciprocal",
)  # fmt: skip


#: tests/graph/autodiff/test_elementwise.py holds the slopes to all digits.
_ROUGH_SLOPE = {
    "tolerance": {"float64": TOLERANCE["float32"]},
    "note": "MXNet's digamma function is a single-precision one",
}


def _defined(op: str, x: float) -> bool:
    low = _DOMAINS[op][0]
    if op in ("arccos", "arcsin", "arctanh", "erfinv"):
        return abs(x) <= 1.0
    if op in ("gamma", "gammaln"):
        return x > 0.0
    if op in ("rsqrt", "rcbrt") and str(x) == "-0.0":
        return False  # which of two infinities
    return (low >= -0.8 and x >= round(low - 0.3)) or low < -1.0


def _rows() -> list[Case]:
    rows = []
    for op, (low, high) in _DOMAINS.items():
        options = _ROUGH_SLOPE if op in ("gamma", "gammaln") else {}
        rows.append(case(op, uniform(low, high, 3, 5), tag="domain", dtypes=FLOATS, **options))
        if op not in _NO_SPECIAL:
            # Only values: what the slope is at infinity or outside of the domain matters to nobody.
            rows.append(
                case(
                    op,
                    _POSITIVE_ZERO if op == "rcbrt" else _SPECIAL,
                    tag="special",
                    note="NaN and infinity in",
                    grad=False,
                )
            )
        rows.append(case(op, values([x for x in _KINKS if _defined(op, x)]), tag="kinks"))
    rows += [case(op, _HALVES, tag="halves") for op in _ROUNDING]
    rows += [
        case(
            op,
            ints({"reciprocal": 1, "sqrt": 0}.get(op, -3), 4, 7),
            tag="int",
            grad=False,
            dtypes=("int32", "int64"),
        )
        for op in _INTEGER
    ]
    rows += [
        case(op, ints(0, 9, 7), tag="uint8", grad=False, dtypes=("uint8",))
        for op in ("abs", "square", "identity", "logical_not", "sign", "relu")
    ]
    return rows


def _one(tag: str, op: str, spec: Spec, **options: object) -> Case:
    return case(op, spec, tag=tag, **options)


CASES: list[Case] = [
    *_rows(),
    _one("negative", "cbrt", uniform(-4, -0.2, 6)),
    _one("negative", "rcbrt", uniform(-4, -0.2, 6)),
    _one("negative", "gamma", values([-0.5, -1.5, -2.3, 0.1, 7.5])),
    _one("negative", "gammaln", values([-0.5, -1.5, -2.3, 0.1, 60.5])),
    _one(
        "near_one",
        "erfinv",
        values([0.999, -0.999, 0.9999, 0.0, 0.5]),
        tolerance={"float32": (1e-3, 1e-5)},
        note="the slope is 1e3 there",
    ),
    _one("attrs", "hard_sigmoid", uniform(-4, 4, 3, 4), alpha=0.3, beta=0.4),
    _one("large", "sigmoid", values([-100.0, -88.0, 88.0, 100.0])),
    _one("large", "softsign", values([-1e6, 1e6, -1e-3])),
    _one("large", "expm1", values([1e-5, -1e-5, 20.0])),
    _one("large", "log1p", values([1e-5, -1e-5, 1e6])),
    _one("rank4", "_contrib_div_sqrt_dim", normal(2, 1, 3, 4)),
    _one("defaults", "_contrib_quadratic", normal(2, 3)),
    _one("abc", "_contrib_quadratic", normal(2, 3), a=2.0, b=-3.0, c=0.5, dtypes=("float32", "float64")),
    _one("half", "_contrib_gradientmultiplier", normal(2, 3), scalar=0.5),
    _one("reverse", "_contrib_gradientmultiplier", normal(2, 3), scalar=-1.0),
    _one("default", "clip", normal(3, 4, scale=2), a_min=-1.0, a_max=0.5, dtypes=FLOATS),
    _one("edges", "clip", values([-1.0, 0.5, -2.0, 3.0, _INF, -_INF]), a_min=-1.0, a_max=0.5),
    _one("nan", "clip", values([_NAN, 0.25]), a_min=-1.0, a_max=0.5, grad=False, note="NaN in"),
    _one("int", "clip", ints(-9, 9, 8), a_min=-2.0, a_max=3.0, grad=False, dtypes=("int32", "int64", "int8")),
    _one("uint8", "clip", ints(0, 200, 8), a_min=20.0, a_max=100.0, grad=False, dtypes=("uint8",)),
    _one("sigma1", "smooth_l1", normal(3, 4, scale=2), scalar=1.0, dtypes=FLOATS),
    _one("sigma3", "smooth_l1", distinct(3, 4, scale=0.1), scalar=3.0),
    _one("edges", "smooth_l1", values([0.0, 0.25, -0.25, 1.0, -1.0, 5.0]), scalar=2.0),
    *(
        _one(
            f"to_{t}",
            "Cast",
            values([0.0, 1.0, 2.75, 3.5, 100.0, 7.25]),
            grad=t.startswith("float"),
            attrs={"dtype": t},
        )
        for t in ("float16", "float32", "float64", "int32", "int64", "int8", "uint8", "bool")
    ),
    *(
        _one(f"from_{t}", "Cast", ints(0, 5, 6, dtype=t), grad=False, attrs={"dtype": "float32"})
        for t in ("int32", "int64", "int8", "uint8", "float16", "float64")
    ),
    _one("negative", "Cast", values([-2.75, -1.0, -0.5, -100.0]), grad=False, attrs={"dtype": "int32"}),
    _one("half", "amp_cast", normal(2, 3), attrs={"dtype": "float16"}),
    _one("int", "amp_cast", ints(0, 5, 4, dtype="int32"), grad=False, attrs={"dtype": "float16"}),
    case(
        "amp_multicast",
        normal(2, 3),
        normal(3, 1),
        tag="same",
        num_outputs=2,
        note="MXNet's CPU build refuses other dtypes",
    ),
]
