"""Elementwise operators of two arrays, of an array and a scalar, with and without broadcasting."""

from __future__ import annotations

import math

from tests.ops.cases._spec import FLOATS, Case, Spec, case, distinct, ints, normal, positive, uniform, values

_INF, _NAN = math.inf, math.nan
_COMPARE = (
    "equal",
    "not_equal",
    "greater",
    "greater_equal",
    "lesser",
    "lesser_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
)
_SMOOTH = ("add", "sub", "mul", "div", "mod", "power", "maximum", "minimum", "hypot")
_SAME_SHAPE = {"add": "elemwise_add", "sub": "elemwise_sub", "mul": "elemwise_mul", "div": "elemwise_div"}
_SCALAR = (
    "plus",
    "minus",
    "rminus",
    "mul",
    "div",
    "rdiv",
    "mod",
    "rmod",
    "power",
    "rpower",
    "maximum",
    "minimum",
    "hypot",
)
_ODD = {
    "lhs": values([7.0, -7.0, 7.0, -7.0, 5.5, 0.0, 1.0, -3.0]),
    "rhs": values([3.0, 3.0, -3.0, -3.0, 0.75, 4.0, 0.0, 0.0]),
}
_WHOLE = (values([7.0, -7.0, 7.5, -7.5, 5.5]), values([3.0, 3.0, -3.0, -3.0, 0.75]))
_TWO = ("float32", "float64")
_TIES = (
    values([1.0, 2.0, -1.0, 0.0, _NAN, 1.0, _INF, -_INF]),
    values([1.0, 3.0, -1.0, -0.0, 1.0, _NAN, _INF, _INF]),
)


def _pair(op: str, *shapes: tuple[int, ...]) -> list[Spec]:
    if op == "power":
        return [positive(*shapes[0]), uniform(-2, 3, *shapes[1])]
    if op == "mod":
        return [uniform(-5, 5, *shapes[0]), positive(*shapes[1])]
    if op == "div":
        return [normal(*shapes[0]), positive(*shapes[1])]
    if op in ("maximum", "minimum"):
        return [distinct(*shapes[0], scale=0.9), distinct(*shapes[1])]
    return [normal(*shapes[0]), normal(*shapes[1])]


def _small(*shape: int) -> Spec:
    # Few different numbers, zero among them: comparisons and logic see both answers.
    return ints(-1, 2, *shape)


def _same_shape() -> list[Case]:
    rows = []
    for op in _SMOOTH:
        name = _SAME_SHAPE.get(op, f"_{op}")
        rows.append(case(name, *_pair(op, (3, 4), (3, 4)), tag="same", dtypes=FLOATS))
        if op in ("mod", "maximum", "minimum", "div", "add", "mul", "sub"):
            rows.append(
                case(name, ints(-9, 10, 8), ints(1, 5, 8), tag="int", grad=False, dtypes=("int32", "int64"))
            )
    for op in _COMPARE:
        rows.append(
            case(f"_{op}", _small(4, 4), _small(4, 4), tag="same", dtypes=("float32", "float64", "int32"))
        )
    rows.append(case("_grad_add", normal(2, 3), normal(2, 3), grad=False))
    return rows


def _narrow() -> list[Case]:
    """Unsigned and short integers wrap around."""
    rows = []
    for op in ("add", "sub", "mul"):
        rows.append(
            case(
                f"elemwise_{op}",
                ints(0, 100, 8),
                ints(0, 100, 8),
                tag="narrow",
                grad=False,
                dtypes=("uint8", "int8"),
            )
        )
        rows.append(
            case(
                f"broadcast_{op}",
                ints(0, 100, 2, 3),
                ints(0, 100, 1, 3),
                tag="narrow",
                grad=False,
                dtypes=("uint8", "int8"),
            )
        )
    for op in ("div", "mod", "maximum", "minimum"):
        rows.append(
            case(
                f"broadcast_{op}",
                ints(0, 100, 2, 3),
                ints(1, 20, 1, 3),
                tag="narrow",
                grad=False,
                dtypes=("uint8", "int8"),
            )
        )
    for op in ("equal", "greater", "lesser_equal", "logical_and", "logical_xor"):
        rows.append(
            case(
                f"broadcast_{op}",
                ints(0, 3, 2, 3),
                ints(0, 3, 1, 3),
                tag="narrow",
                grad=False,
                dtypes=("uint8", "int8", "int64", "float16"),
            )
        )
    return rows


def _broadcast() -> list[Case]:
    rows = []
    for op in _SMOOTH:
        name = f"broadcast_{op}"
        rows.append(case(name, *_pair(op, (2, 3, 4), (2, 3, 4)), tag="same", dtypes=FLOATS))
        rows.append(case(name, *_pair(op, (2, 3, 4), (1, 3, 1)), tag="middle"))
        rows.append(case(name, *_pair(op, (1, 3, 1), (2, 1, 4)), tag="both", dtypes=("float32", "float64")))
        rows.append(case(name, *_pair(op, (1, 1), (3, 4)), tag="left"))
        rows.append(case(name, *_pair(op, (2, 1, 3, 1, 2), (1, 4, 3, 2, 1)), tag="rank5"))
    for op in ("add", "sub", "mul", "div", "mod", "maximum", "minimum", "power"):
        left = ints(0, 4, 2, 3) if op == "power" else ints(-9, 10, 2, 3)
        rows.append(
            case(f"broadcast_{op}", left, ints(1, 5, 1, 3), tag="int", grad=False, dtypes=("int32", "int64"))
        )
    for op in _COMPARE:
        rows.append(
            case(
                f"broadcast_{op}",
                _small(2, 3, 4),
                _small(2, 1, 4),
                tag="middle",
                dtypes=("float32", "float64", "int32"),
            )
        )
        rows.append(case(f"broadcast_{op}", _small(1, 4), _small(3, 1), tag="both"))
        rows.append(case(f"broadcast_{op}", *_TIES, tag="special", note="NaN in"))
    rows += [
        case(
            "broadcast_mod",
            _ODD["lhs"],
            _ODD["rhs"],
            tag="signs",
            grad=False,
            note="x mod 0 is 0",
            dtypes=_TWO,
        ),
        case("broadcast_mod", *_WHOLE, tag="signs_gradient", dtypes=_TWO),
        case("broadcast_mod", _ODD["lhs"], _ODD["rhs"], tag="signs_int", grad=False, dtypes=("int32",)),
        case(
            "broadcast_power",
            values([2.0, -2.0, 0.0, 0.0, -3.0, 4.0]),
            values([3.0, 2.0, 0.0, 2.0, 3.0, -0.5]),
            tag="edges",
            grad=(0,),
            note="0 ** 0 has no slope",
        ),
        case(
            "broadcast_power",
            values([-2.0, 0.0]),
            values([0.5, -1.0]),
            tag="undefined",
            grad=False,
            note="NaN and infinity out",
        ),
        case(
            "broadcast_div",
            values([1.0, -1.0, 0.0, _INF]),
            values([0.0, 0.0, 0.0, _INF]),
            tag="zero",
            grad=False,
            note="NaN out",
        ),
        case("broadcast_hypot", values([3.0, 0.0, -3.0, 0.0]), values([4.0, 2.0, -4.0, 1.0]), tag="edges"),
        *(
            case(f"broadcast_{op}", *_TIES, tag="special", grad=False, note="NaN in")
            for op in ("maximum", "minimum")
        ),
        *(
            case(f"broadcast_{op}", values([1.0, -2.0, 0.0, 3.0]), values([1.0, -2.0, -0.0, 4.0]), tag="ties")
            for op in ("maximum", "minimum")
        ),
    ]
    return rows


def _scalar() -> list[Case]:
    rows = []
    for op in _SCALAR:
        spec = positive(3, 4) if op in ("rdiv", "rmod", "power", "rpower") else normal(3, 4, scale=2)
        rows.append(case(f"_{op}_scalar", spec, tag="float", scalar=1.75, dtypes=FLOATS))
        if op in ("rpower", "power"):
            rows.append(
                case(
                    f"_{op}_scalar",
                    ints(0, 4, 6),
                    tag="int",
                    scalar=2.0,
                    grad=False,
                    dtypes=("int32", "int64"),
                )
            )
        else:
            rows.append(
                case(
                    f"_{op}_scalar",
                    ints(1, 9, 6),
                    tag="int",
                    scalar=3.0,
                    grad=False,
                    dtypes=("int32", "int64", "uint8"),
                )
            )
            rows.append(case(f"_{op}_scalar", normal(5), tag="negative", scalar=-2.5))
    rows += [
        case("_mod_scalar", _ODD["lhs"], tag="signs", scalar=-3.0),
        case("_mod_scalar", _ODD["lhs"], tag="zero", scalar=0.0, grad=False, note="x mod 0 is 0"),
        case("_rmod_scalar", _ODD["rhs"], tag="signs", scalar=7.0, grad=False, note="x mod 0 is 0"),
        case("_mod_scalar", _ODD["lhs"], tag="signs_int", scalar=-3.0, grad=False, dtypes=("int32",)),
        case("_power_scalar", values([-2.0, 0.0, 3.0]), tag="square", scalar=2.0),
        case("_power_scalar", values([0.5, 1.0, 4.0]), tag="root", scalar=-0.5),
        case("_div_scalar", values([1.0, -1.0, 0.0]), tag="zero", scalar=0.0, grad=False, note="NaN out"),
        case("_rdiv_scalar", values([1.0, -2.0, 0.0]), tag="zero", scalar=1.0, grad=False),
        *(
            case(f"_{op}_scalar", values([1.0, 0.5, _NAN, 2.0]), tag="ties", scalar=1.0, note="NaN in")
            for op in ("maximum", "minimum")
        ),
        *(
            case(
                f"_{op}_scalar",
                ints(1, 7, 6),
                tag="fraction",
                scalar=1.5,
                grad=False,
                is_int=False,
                dtypes=("int32", "int64", "uint8"),
                note="MXNet widens an integer array and a fraction to float64",
            )
            for op in _SCALAR
        ),
        case("_plus_scalar", normal(2, 3), tag="default"),
    ]
    for op in _COMPARE:
        rows.append(
            case(f"_{op}_scalar", _small(12), tag="one", scalar=1.0, dtypes=("float32", "float64", "int32"))
        )
        rows.append(
            case(f"_{op}_scalar", values([0.0, 1.0, -1.0, _NAN]), tag="zero", scalar=0.0, note="NaN in")
        )
        rows.append(
            case(
                f"_{op}_scalar",
                ints(-1, 3, 8),
                tag="fraction",
                scalar=0.5,
                is_int=False,
                grad=False,
                dtypes=("int32", "int64"),
            )
        )
    return rows


def _many() -> list[Case]:
    return [
        case("add_n", normal(2, 3), tag="one"),
        case("add_n", normal(2, 3), normal(2, 3), normal(2, 3), tag="three", dtypes=FLOATS),
        case("add_n", *(normal(2) for _ in range(6)), tag="six"),
        case("where", ints(0, 2, 3, 4), normal(3, 4), normal(3, 4), tag="same", grad=(1, 2), dtypes=FLOATS),
        case("where", ints(0, 2, 3), normal(3, 4), normal(3, 4), tag="rows", grad=(1, 2)),
        case(
            "where",
            ints(0, 2, 3, 4, dtype="int32"),
            normal(3, 4),
            normal(3, 4),
            tag="int_condition",
            grad=(1, 2),
        ),
        case("where", values([0.0, -0.0, 0.5, -1.0, _NAN]), normal(5), normal(5), tag="special", grad=(1, 2)),
        case(
            "where",
            ints(0, 2, 6),
            ints(-5, 5, 6),
            ints(-5, 5, 6),
            tag="int",
            grad=False,
            dtypes=("int32", "int64"),
        ),
    ]


CASES: list[Case] = [*_same_shape(), *_narrow(), *_broadcast(), *_scalar(), *_many()]
