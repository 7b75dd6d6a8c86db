"""Reductions over axes, and arg-reductions."""

from __future__ import annotations

import math

from tests.ops.cases._spec import TOLERANCE, Case, Spec, case, distinct, ints, normal, uniform, values

_NAN, _INF = math.nan, math.inf
_FULL = ("sum", "mean", "prod", "max", "min", "nansum", "nanprod")
_HOLES = values([[[1.5, _NAN, 2.0], [_NAN, _NAN, -1.0]], [[0.5, 3.0, _NAN], [2.5, -0.5, 1.0]]])
#: Attributes, by the end of the row's id.
_AXES: dict[str, dict[str, object]] = {
    "all": {},
    "all_keepdims": {"keepdims": True},
    "axis0": {"axis": 0},
    "axis1_keepdims": {"axis": 1, "keepdims": True},
    "negative": {"axis": -1},
    "negative2_keepdims": {"axis": (-2,), "keepdims": True},
    "two": {"axis": (0, 2)},
    "two_mixed": {"axis": (1, -1), "keepdims": True},
    "unsorted": {"axis": (2, 0)},
    "every": {"axis": (0, 1, 2)},
    "empty": {"axis": ()},
    "empty_keepdims": {"axis": (), "keepdims": True},
    "exclude": {"axis": 1, "exclude": True},
    "exclude_keepdims": {"axis": (0, -1), "exclude": True, "keepdims": True},
}


def _data(op: str, *shape: int) -> Spec:
    if op in ("prod", "nanprod"):
        return uniform(0.5, 1.6, *shape)
    return distinct(*shape) if op in ("max", "min") else normal(*shape)


def _reductions() -> list[Case]:
    rows = []
    for op in _FULL:
        rows += [case(op, _data(op, 2, 3, 4), tag=tag, attrs=attrs) for tag, attrs in _AXES.items()]
        rows.append(case(op, _data(op, 3, 4), tag="dtypes", axis=1, dtypes=("float16", "float64")))
        rows.append(case(op, _data(op, 5), tag="vector", axis=0))
        rows.append(case(op, _data(op, 2, 1, 3, 2, 2), tag="rank5", axis=(1, 3)))
        rows.append(case(op, ints(1, 4, 3, 4), tag="int", axis=1, grad=False, dtypes=("int32", "int64")))
        rows.append(case(op, _HOLES, tag="nan", axis=1, note="NaN in", grad=op in ("nansum", "nanprod")))
    rows += [
        case("max", values([[1.0, 3.0, 3.0, 2.0], [0.0, -1.0, 0.0, 0.0]]), tag="ties", axis=1),
        case("min", values([[1.0, 1.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0]]), tag="ties", axis=1),
        case("prod", values([[1.5, 0.0, 2.0], [0.0, 0.0, 3.0]]), tag="zeros", axis=1, grad=False),
        case("max", values([[-_INF, _INF], [-_INF, -_INF]]), tag="infinite", axis=1, grad=False),
        case("sum", values([[_INF, 1.0], [-_INF, 2.0]]), tag="infinite", axis=1),
        case("mean", ints(0, 200, 3, 4), tag="uint8", axis=1, grad=False, dtypes=("uint8", "int8")),
        case("sum", ints(0, 200, 3, 4), tag="uint8", axis=1, grad=False, dtypes=("uint8", "int8")),
    ]
    return rows


def _norms() -> list[Case]:
    rows = []
    for order in (1, 2):
        for tag, attrs in {
            "all": {},
            "axis0": {"axis": 0},
            "negative_keepdims": {"axis": -1, "keepdims": True},
            "all_keepdims": {"keepdims": True},
            "tuple1": {"axis": (1,)},
        }.items():
            rows.append(case("norm", normal(2, 3, 4), tag=f"ord{order}_{tag}", attrs={"ord": order, **attrs}))
        rows.append(case("norm", normal(3, 4), tag=f"ord{order}_matrix", ord=order, axis=(0, 1)))
        rows.append(
            case("norm", normal(2, 3, 4), tag=f"ord{order}_matrices", ord=order, axis=(1, 2), keepdims=True)
        )
        rows.append(
            case(
                "norm",
                normal(3, 4),
                tag=f"ord{order}_dtypes",
                ord=order,
                axis=1,
                dtypes=("float16", "float64"),
            )
        )
    rows.append(case("norm", values([[0.0, 0.0], [3.0, -4.0]]), tag="zero", axis=1, grad=False))
    rows.append(case("norm", ints(-4, 5, 3, 4), tag="int", axis=1, ord=1, grad=False, dtypes=("int32",)))
    for tag, attrs in {
        "all": {"axes": (0, 1, 2)},
        "axis0": {"axes": (0,)},
        "two_keepdims": {"axes": (0, 2), "keepdims": True},
        "negative": {"axes": (-1,)},
        "image": {"axes": (0, 2, 3)},
    }.items():
        shape = (2, 3, 2, 2) if tag == "image" else (2, 3, 4)
        rows.append(case("moments", normal(*shape), tag=tag, attrs=attrs))
    rows.append(
        case(
            "moments",
            normal(3, 4),
            tag="dtypes",
            axes=(1,),
            dtypes=("float64",),
            tolerance={"float64": TOLERANCE["float32"]},
            note="MXNet computes in float32",
        )
    )
    return rows


def _arg_reductions() -> list[Case]:
    rows = []
    for op in ("argmax", "argmin"):
        for tag, attrs in {
            "all": {},
            "all_keepdims": {"keepdims": True},
            "axis0": {"axis": 0},
            "axis1_keepdims": {"axis": 1, "keepdims": True},
            "negative": {"axis": -1},
            "negative3": {"axis": -3},
        }.items():
            rows.append(case(op, distinct(2, 3, 4), tag=tag, attrs=attrs, grad=False))
        rows += [
            case(
                op,
                distinct(3, 4),
                tag="dtypes",
                axis=1,
                grad=False,
                dtypes=("float16", "float64", "int32", "int64"),
            ),
            case(
                op,
                values([[1.0, 3.0, 3.0, 1.0], [0.0, 0.0, 0.0, 0.0], [2.0, 1.0, 1.0, 2.0]]),
                tag="ties",
                axis=1,
                grad=False,
            ),
            case(
                op,
                values([[1.0, _INF, 3.0], [-_INF, -_INF, 5.0], [_INF, _INF, 0.0]]),
                tag="infinite",
                axis=1,
                grad=False,
            ),
            case(
                op,
                values([[1.0, _NAN, 3.0], [_NAN, 2.0, 1.0], [3.0, 2.0, _NAN]]),
                tag="nan",
                axis=1,
                grad=False,
            ),
            case(op, distinct(2, 3, 4), tag="gradient_is_zero", axis=1),
        ]
    rows += [
        case("argmax_channel", distinct(3, 4), tag="matrix", grad=False, dtypes=("float32", "float64")),
        case("argmax_channel", distinct(2, 3, 4), tag="rank3", grad=False),
        case("argmax_channel", values([[2.0, 2.0, 1.0], [0.0, 1.0, 1.0]]), tag="ties", grad=False),
    ]
    return rows


CASES: list[Case] = [*_reductions(), *_norms(), *_arg_reductions()]
