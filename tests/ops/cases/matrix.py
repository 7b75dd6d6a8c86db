"""Matrix products and linear algebra."""

from __future__ import annotations

from tests.ops.cases._spec import Case, case, normal, spd, triangle, values

_TWO = ("float32", "float64")


def _products() -> list[Case]:
    rows = []
    for a in (False, True):
        for b in (False, True):
            left, right = ((4, 3) if a else (3, 4)), ((2, 4) if b else (4, 2))
            tag = f"{'t' if a else 'n'}{'t' if b else 'n'}"
            attrs = {"transpose_a": a, "transpose_b": b}
            rows.append(case("dot", normal(*left), normal(*right), tag=tag, attrs=attrs, dtypes=_TWO))
            rows.append(
                case("batch_dot", normal(2, *left), normal(2, *right), tag=tag, attrs=attrs, dtypes=_TWO)
            )
            rows.append(
                case("_linalg_gemm2", normal(2, *left), normal(2, *right), tag=tag, attrs=attrs, dtypes=_TWO)
            )
            rows.append(
                case(
                    "_linalg_gemm",
                    normal(2, *left),
                    normal(2, *right),
                    normal(2, 3, 2),
                    tag=tag,
                    attrs=attrs,
                    dtypes=_TWO,
                )
            )
    rows += [
        case("dot", normal(4), normal(4), tag="vectors"),
        case("dot", normal(3, 4), normal(4), tag="matrix_vector"),
        case("dot", normal(4), normal(4, 3), tag="vector_matrix"),
        case("dot", normal(2, 3, 4), normal(4, 5), tag="rank3"),
        case("dot", normal(2, 3), normal(3, 4, 2), tag="right_rank3"),
        case("dot", normal(2, 3, 4), normal(4, 2, 2), tag="both_rank3"),
        case("dot", normal(4, 2, 3), normal(4, 5), tag="rank3_transpose_a", transpose_a=True),
        case("dot", normal(2, 3, 4), normal(5, 2, 4), tag="rank3_transpose_b", transpose_b=True),
        case("FullyConnected", normal(2, 3), normal(4, 3), normal(4), tag="plain", num_hidden=4, dtypes=_TWO),
        case("FullyConnected", normal(2, 3), normal(4, 3), tag="no_bias", num_hidden=4, no_bias=True),
        case("FullyConnected", normal(2, 3, 2), normal(4, 6), normal(4), tag="flattens", num_hidden=4),
        case(
            "FullyConnected",
            normal(2, 3, 2, 2),
            normal(4, 12),
            tag="flattens_no_bias",
            num_hidden=4,
            no_bias=True,
        ),
        case(
            "FullyConnected",
            normal(2, 3, 5),
            normal(4, 5),
            normal(4),
            tag="last_axis",
            num_hidden=4,
            flatten=False,
        ),
        case(
            "FullyConnected",
            normal(2, 1, 3, 5),
            normal(4, 5),
            tag="last_axis_no_bias",
            num_hidden=4,
            flatten=False,
            no_bias=True,
        ),
        case("FullyConnected", normal(2, 3), normal(1, 3), normal(1), tag="one_unit", num_hidden=1),
        case("khatri_rao", normal(2, 3), normal(4, 3), tag="two", grad=False),
        case("khatri_rao", normal(2, 3), normal(1, 3), normal(3, 3), tag="three", grad=False),
        case("_contrib_interleaved_matmul_selfatt_qk", normal(3, 2, 12), tag="heads2", heads=2),
        case(
            "_contrib_interleaved_matmul_selfatt_valatt",
            normal(3, 2, 12),
            normal(4, 3, 3),
            tag="heads2",
            heads=2,
        ),
        case(
            "_contrib_interleaved_matmul_encdec_qk", normal(3, 2, 4), normal(5, 2, 8), tag="heads2", heads=2
        ),
        case(
            "_contrib_interleaved_matmul_encdec_valatt",
            normal(5, 2, 8),
            normal(4, 3, 5),
            tag="heads2",
            heads=2,
        ),
    ]
    return rows


def _linalg() -> list[Case]:
    rows = [
        case("_linalg_gemm2", normal(3, 4), normal(4, 2), tag="alpha", alpha=-1.5),
        case("_linalg_gemm2", normal(2, 2, 3, 4), normal(2, 2, 4, 3), tag="rank4"),
        case("_linalg_gemm2", normal(3, 2, 4), normal(4, 2, 3), tag="axis", axis=0),
        case(
            "_linalg_gemm", normal(3, 4), normal(4, 2), normal(3, 2), tag="alpha_beta", alpha=2.0, beta=-0.5
        ),
        case("_linalg_gemm", normal(3, 2, 4), normal(4, 2, 3), normal(3, 2, 3), tag="axis", axis=0),
        case("_linalg_potrf", spd(3, 3), tag="matrix", dtypes=_TWO),
        case("_linalg_potrf", spd(2, 3, 3), tag="batch"),
        case("_linalg_potri", triangle(3, 3), tag="matrix", dtypes=_TWO),
        case("_linalg_potri", triangle(2, 2, 2), tag="batch"),
        case("_linalg_sumlogdiag", spd(3, 3), tag="matrix", dtypes=_TWO),
        case("_linalg_sumlogdiag", spd(2, 3, 3), tag="batch"),
        case("_linalg_syrk", normal(3, 4), tag="plain", dtypes=_TWO),
        case("_linalg_syrk", normal(2, 3, 4), tag="transpose_alpha", transpose=True, alpha=0.5),
        case("_linalg_gelqf", normal(2, 3), tag="wide", dtypes=_TWO),
        case("_linalg_gelqf", spd(2, 2, 2), tag="batch"),
        case(
            "_linalg_syevd",
            values([[4.0, 1.0, 0.5], [1.0, 2.0, 0.25], [0.5, 0.25, 7.0]]),
            tag="matrix",
            dtypes=_TWO,
        ),
        case("_linalg_inverse", spd(3, 3), tag="matrix", dtypes=_TWO),
        case("_linalg_inverse", spd(2, 2, 2), tag="batch"),
        case("_linalg_det", spd(3, 3), tag="matrix", dtypes=_TWO),
        case("_linalg_det", triangle(2, 3, 3), tag="batch"),
        case("_linalg_slogdet", spd(3, 3), tag="matrix", dtypes=_TWO, grad=False),
        case("_linalg_slogdet", triangle(2, 3, 3), tag="batch", grad=False),
        case("_linalg_makediag", normal(3), tag="plain", dtypes=_TWO),
        case("_linalg_makediag", normal(2, 3), tag="up", offset=1),
        case("_linalg_makediag", normal(2, 2), tag="down", offset=-2),
        case("_linalg_extractdiag", normal(3, 3), tag="plain", dtypes=_TWO),
        case("_linalg_extractdiag", normal(2, 4, 4), tag="up", offset=1),
        case("_linalg_extractdiag", normal(2, 4, 4), tag="down", offset=-2),
        case("_linalg_maketrian", normal(6), tag="lower", dtypes=_TWO),
        case("_linalg_maketrian", normal(2, 6), tag="upper", lower=False),
        case("_linalg_maketrian", normal(3), tag="up", offset=1),
        case("_linalg_maketrian", normal(3), tag="down", offset=-1),
        case("_linalg_extracttrian", normal(3, 3), tag="lower", dtypes=_TWO),
        case("_linalg_extracttrian", normal(2, 3, 3), tag="upper", lower=False),
        case("_linalg_extracttrian", normal(4, 4), tag="up", offset=1),
        case("_linalg_extracttrian", normal(4, 4), tag="down", offset=-2),
    ]
    for op in ("_linalg_trmm", "_linalg_trsm"):
        for transpose in (False, True):
            for rightside in (False, True):
                for lower in (True, False):
                    tag = f"{'t' if transpose else 'n'}{'r' if rightside else 'l'}{'l' if lower else 'u'}"
                    attrs = {"transpose": transpose, "rightside": rightside, "lower": lower, "alpha": 1.5}
                    rows.append(
                        case(
                            op,
                            triangle(3, 3),
                            normal(*((2, 3) if rightside else (3, 2))),
                            tag=tag,
                            attrs=attrs,
                        )
                    )
        rows.append(case(op, triangle(2, 3, 3), normal(2, 3, 2), tag="batch", dtypes=_TWO))
    return rows


CASES: list[Case] = [*_products(), *_linalg()]
