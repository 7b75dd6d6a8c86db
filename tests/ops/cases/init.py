"""Operators that make arrays from nothing, or from the shape of one."""

from __future__ import annotations

from tests.ops.cases._spec import Case, Spec, case, normal

_TYPES = ("float16", "float32", "float64", "int32", "int64", "uint8")


def _made(op: str, tag: str, *inputs: Spec, **attrs: object) -> Case:
    return case(op, *inputs, tag=tag, attrs=attrs, grad=False)


def _filled() -> list[Case]:
    rows = []
    for op in ("_zeros", "_ones"):
        rows += [_made(op, f"to_{t}", shape=(2, 3), dtype=t) for t in (*_TYPES, "int8", "bool")]
        rows.append(_made(op, "default", shape=(2, 1, 3)))
    rows += [_made("_full", f"to_{t}", shape=(2, 3), value=3.0, dtype=t) for t in _TYPES]
    rows += [
        _made("_full", "fraction", shape=(4,), value=-2.75),
        _made("_full", "bool", shape=(2,), value=1.0, dtype="bool"),
        _made("_eye", "square", N=3),
        _made("_eye", "wide", N=2, M=4),
        _made("_eye", "tall", N=4, M=2),
        _made("_eye", "up", N=3, M=4, k=2),
        _made("_eye", "down", N=4, M=3, k=-1),
        _made("_eye", "outside", N=2, M=2, k=5),
        *(_made("_eye", f"to_{t}", N=2, M=3, k=1, dtype=t) for t in _TYPES),
    ]
    return rows


def _ranges() -> list[Case]:
    return [
        _made("_arange", "stop", start=0, stop=5),
        _made("_arange", "one_argument", start=4),
        _made("_arange", "step", start=1, stop=10, step=3),
        _made("_arange", "fraction", start=0.5, stop=3.0, step=0.75),
        _made("_arange", "long_repeat", start=1, stop=3, step=0.5, repeat=2, dtype="float64"),
        _made("_arange", "down", start=5, stop=-2, step=-2),
        _made("_arange", "repeat", start=0, stop=6, step=2, repeat=3),
        _made("_arange", "tenths", start=0, stop=1, step=0.1),
        *(_made("_arange", f"to_{t}", start=1, stop=7, step=2, dtype=t) for t in _TYPES),
        _made("_linspace", "plain", start=2, stop=3, num=5, endpoint=True),
        _made("_linspace", "open", start=2, stop=3, num=5, endpoint=False),
        _made("_linspace", "one", start=2, stop=3, num=1, endpoint=True),
        _made("_linspace", "to_float64", start=0, stop=1, num=7, endpoint=True, dtype="float64"),
        case("_contrib_arange_like", normal(2, 3), tag="all", grad=False),
        case("_contrib_arange_like", normal(2, 3), tag="axis0", axis=0, grad=False),
        case("_contrib_arange_like", normal(2, 3), tag="negative", axis=-1, grad=False),
        case("_contrib_arange_like", normal(2, 3), tag="start_step", start=2.5, step=0.5, grad=False),
        case("_contrib_arange_like", normal(2, 4), tag="repeat", repeat=2, grad=False),
        case(
            "_contrib_arange_like", normal(2, 4), tag="axis_repeat", axis=1, repeat=2, start=1.0, grad=False
        ),
    ]


def _alike() -> list[Case]:
    types = ("float16", "float64", "int32", "int64", "uint8")
    return [
        case(op, normal(2, 3), tag="types", grad=False, dtypes=types) for op in ("zeros_like", "ones_like")
    ]


CASES: list[Case] = [*_filled(), *_ranges(), *_alike()]
