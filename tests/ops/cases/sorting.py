"""Operators that sort and rank."""

from __future__ import annotations

from tests.ops.cases._spec import Case, case, distinct, values


def _sorts() -> list[Case]:
    ties = values([[2.0, 1.0, 2.0, 1.0, 3.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    rows = []
    for op in ("sort", "argsort"):
        for tag, attrs in {
            "default": {},
            "last": {"axis": -1},
            "last_descending": {"axis": -1, "is_ascend": False},
            "axis0": {"axis": 0},
            "axis1_descending": {"axis": 1, "is_ascend": False},
            "negative2": {"axis": -2},
            "flat": {"axis": None},
        }.items():
            rows.append(
                case(op, distinct(2, 3, 4), tag=tag, attrs=attrs, grad=op == "sort" and "axis" in attrs)
            )
        rows.append(case(op, distinct(3, 4), tag="dtypes", grad=False, dtypes=("float64", "int32", "int64")))
        rows.append(case(op, ties, tag="ties", grad=False))
        rows.append(case(op, ties, tag="ties_descending", is_ascend=False, grad=False))
    rows += [
        case("argsort", distinct(5), tag=f"to_{t}", grad=False, attrs={"dtype": t})
        for t in ("int32", "int64", "uint8", "float64", "float16")
    ]
    for kind in ("indices", "value", "mask", "both"):
        grad = kind in ("value", "both")
        for tag, attrs in {
            "default": {},
            "k2": {"k": 2},
            "ascending": {"k": 2, "is_ascend": True},
            "axis0": {"axis": 0, "k": 1},
            "axis1": {"axis": 1, "k": 2},
            "negative2": {"axis": -2, "k": 2, "is_ascend": True},
            "all": {"k": 0},
        }.items():
            rows.append(
                case(
                    "topk",
                    distinct(2, 3, 4),
                    tag=f"{kind}_{tag}",
                    attrs={"ret_typ": kind, **attrs},
                    grad=grad,
                )
            )
        rows.append(
            case(
                "topk",
                distinct(2, 6),
                tag=f"{kind}_flat",
                attrs={"ret_typ": kind, "axis": None, "k": 3},
                grad=grad,
            )
        )
        rows.append(
            case(
                "topk",
                distinct(2, 6),
                tag=f"{kind}_dtypes",
                ret_typ=kind,
                k=3,
                grad=False,
                dtypes=("float16", "float64", "int32", "int64"),
            )
        )
    rows += [
        case("topk", ties, tag="ties", k=3, ret_typ="both", grad=False),
        case("topk", ties, tag="ties_ascending", k=3, ret_typ="both", is_ascend=True, grad=False),
        *(
            case("topk", distinct(2, 6), tag=f"to_{t}", grad=False, attrs={"k": 3, "dtype": t})
            for t in ("int32", "int64", "uint8", "float64")
        ),
    ]
    return rows


CASES: list[Case] = _sorts()
