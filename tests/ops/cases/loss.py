"""Loss layers, many of which ignore the gradient of their head."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.cases._spec import FLOATS, Case, Expect, case, ints, normal, uniform, values

_LABELS = values([0.0, 3.0, 1.0])
_IGNORED = values([0.0, -1.0, 3.0, -1.0])


def _softmax(x: np.ndarray) -> np.ndarray:
    exp = np.exp(x.astype("float64") - x.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def _out_grad(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {"grad0": (_softmax(inputs[0]) - np.eye(4)[inputs[1].astype(int)]) * heads[0]}


def _multi_out_grad(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
    label = inputs[1].astype(int)
    difference = _softmax(inputs[0]) - np.moveaxis(np.eye(3)[label], -1, 1)
    # Summed over four positions an image, of which MXNet takes the mean.
    return {"grad0": difference * heads[0] * (label != -1)[:, None] / 4}


def _head(expect: Expect) -> dict[str, Any]:
    return {
        "mxnet_wrong": "it multiplies by its own output instead of the gradient of the head",
        "expect": expect,
    }


def _softmax_output() -> list[Case]:
    rows = [
        case("SoftmaxOutput", normal(3, 4), _LABELS, tag="default", grad=(0, 1), dtypes=FLOATS),
        case("SoftmaxOutput", normal(3, 4), _LABELS, tag="predict", train=False, grad=False),
        case("SoftmaxOutput", normal(3, 4), _LABELS, tag="scale", grad=(0,), grad_scale=2.5),
        case("SoftmaxOutput", normal(3, 4), _LABELS, tag="smooth", grad=(0,), smooth_alpha=0.1),
        case(
            "SoftmaxOutput",
            normal(3, 4),
            _LABELS,
            tag="out_grad",
            grad=(0,),
            out_grad=True,
            **_head(_out_grad),
        ),
        case("SoftmaxOutput", normal(3, 4), uniform(0, 1, 3, 4), tag="probabilities", grad=(0,)),
        case(
            "SoftmaxOutput",
            normal(2, 3, 4),
            ints(0, 4, 2, 3),
            tag="preserve_shape",
            grad=(0,),
            preserve_shape=True,
        ),
        case(
            "SoftmaxOutput",
            normal(2, 3, 2, 2),
            ints(0, 3, 2, 2, 2),
            tag="multi",
            grad=(0,),
            multi_output=True,
        ),
        case(
            "SoftmaxOutput",
            normal(2, 3, 4),
            ints(0, 3, 2, 4),
            tag="multi_rank3",
            grad=(0,),
            multi_output=True,
        ),
        case(
            "SoftmaxOutput",
            normal(2, 3, 2, 2),
            ints(0, 3, 2, 4),
            tag="multi_flat_label",
            grad=(0,),
            multi_output=True,
        ),
        case(
            "SoftmaxOutput",
            normal(2, 3, 2, 2),
            ints(-1, 3, 2, 2, 2),
            tag="multi_ignore",
            grad=(0,),
            multi_output=True,
            use_ignore=True,
        ),
        case(
            "SoftmaxOutput",
            normal(2, 3, 2, 2),
            ints(0, 3, 2, 2, 2),
            tag="multi_smooth",
            grad=(0,),
            multi_output=True,
            smooth_alpha=0.2,
        ),
        case(
            "SoftmaxOutput",
            normal(2, 3, 2, 2),
            ints(-1, 3, 2, 2, 2),
            tag="multi_out_grad",
            grad=(0,),
            multi_output=True,
            use_ignore=True,
            out_grad=True,
            **_head(_multi_out_grad),
        ),
        case("SoftmaxOutput", normal(4, 4), _IGNORED, tag="ignore", grad=(0,), use_ignore=True),
        case(
            "SoftmaxOutput",
            normal(4, 4),
            _IGNORED,
            tag="ignore_smooth",
            grad=(0,),
            use_ignore=True,
            smooth_alpha=0.1,
        ),
        case(
            "SoftmaxOutput",
            normal(4, 4),
            values([0.0, 2.0, 3.0, 2.0]),
            tag="ignore_label",
            grad=(0,),
            use_ignore=True,
            ignore_label=2.0,
        ),
        case("Softmax", normal(3, 4), _LABELS, tag="old_name", grad=(0,)),
    ]
    for how in ("null", "batch", "valid"):
        rows.append(
            case(
                "SoftmaxOutput",
                normal(4, 4),
                _IGNORED,
                tag=f"norm_{how}",
                grad=(0,),
                use_ignore=True,
                normalization=how,
            )
        )
        rows.append(
            case(
                "SoftmaxOutput",
                normal(2, 3, 2, 2),
                ints(-1, 3, 2, 2, 2),
                tag=f"multi_norm_{how}",
                grad=(0,),
                multi_output=True,
                use_ignore=True,
                normalization=how,
            )
        )
        rows.append(
            case(
                "SoftmaxOutput",
                normal(3, 4),
                _LABELS,
                tag=f"norm_{how}_all_valid",
                grad=(0,),
                normalization=how,
            )
        )
    return rows


def _regression() -> list[Case]:
    rows = []
    for op in ("LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput"):
        rows += [
            case(op, normal(3, 4), normal(3, 4), tag="matrix", grad=(0, 1), dtypes=("float32", "float64")),
            case(op, normal(3, 4), normal(3, 4), tag="scale", grad=(0,), grad_scale=0.5),
            case(op, normal(4), normal(4), tag="vector", grad=(0,)),
            case(op, normal(4, 1), normal(4), tag="column", grad=(0,)),
            case(op, normal(2, 3, 2), normal(2, 3, 2), tag="rank3", grad=(0,)),
            case(op, normal(3, 4), normal(3, 4), tag="predict", train=False, grad=False),
        ]
    rows.append(
        case("MAERegressionOutput", values([1.0, 2.0, 3.0]), values([1.0, 3.0, 2.0]), tag="equal", grad=(0,))
    )
    return rows


def _others() -> list[Case]:
    margins = values([[0.2, 1.7, -0.4, 0.9], [2.5, 0.3, 0.1, -3.0], [0.0, 0.6, 0.5, -0.2]])
    return [
        case("SVMOutput", margins, _LABELS, tag="squared", grad=(0,)),
        case("SVMOutput", margins, _LABELS, tag="linear", grad=(0,), use_linear=True),
        case(
            "SVMOutput", margins, _LABELS, tag="attrs", grad=(0,), margin=0.5, regularization_coefficient=2.0
        ),
        case(
            "SVMOutput",
            margins,
            _LABELS,
            tag="linear_attrs",
            grad=(0,),
            margin=0.5,
            regularization_coefficient=2.0,
            use_linear=True,
        ),
        case("MakeLoss", normal(3, 4), tag="default", dtypes=("float32", "float64")),
        case("MakeLoss", normal(3, 4), tag="batch", grad_scale=3.0, normalization="batch"),
        case("MakeLoss", normal(3, 4), tag="valid", grad_scale=3.0, normalization="valid", valid_thresh=0.25),
        case("MakeLoss", values([-1.0, -2.0]), tag="valid_none", normalization="valid"),
        case("softmax_cross_entropy", normal(3, 4), _LABELS, tag="plain", grad=(0,)),
        case(
            "softmax_cross_entropy",
            values([[100.0, 0.0], [-3.0, -90.0]]),
            values([0.0, 1.0]),
            tag="large",
            grad=(0,),
        ),
        *_ctc(),
    ]


def _all_blank(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
    # Of an empty label there is one path, blanks alone.
    exp = np.exp(inputs[0].astype("float64"))
    odds = exp / exp.sum(axis=-1, keepdims=True)
    grad = odds.copy()
    grad[..., 0] -= 1
    return {"out0": -np.log(odds[..., 0]).sum(axis=0), "grad0": grad * heads[0][:, None]}


def _ctc() -> list[Case]:
    first = values([[1.0, 2.0, 0.0], [2.0, 2.0, 3.0]])
    last = values([[0.0, 1.0, -1.0], [1.0, 1.0, 2.0]])
    loose = {"float32": (1e-3, 1e-5)}
    why = "a sum of many path probabilities in float32"
    options = {"tolerance": loose, "note": why}
    return [
        case("CTCLoss", normal(6, 2, 4), first, tag="first", grad=(0,), **options),
        case("CTCLoss", normal(6, 2, 4), last, tag="last", grad=(0,), blank_label="last", **options),
        case(
            "CTCLoss",
            normal(6, 2, 4),
            first,
            values([6.0, 5.0]),
            tag="data_lengths",
            grad=(0,),
            use_data_lengths=True,
            **options,
        ),
        case(
            "CTCLoss",
            normal(6, 2, 4),
            first,
            values([2.0, 3.0]),
            tag="label_lengths",
            names=("label", "label_lengths"),
            grad=(0,),
            use_label_lengths=True,
            **options,
        ),
        case(
            "CTCLoss",
            normal(6, 2, 4),
            first,
            values([4.0, 6.0]),
            values([1.0, 3.0]),
            tag="both_lengths",
            grad=(0,),
            use_data_lengths=True,
            use_label_lengths=True,
            **options,
        ),
        case(
            "CTCLoss",
            normal(6, 2, 4),
            last,
            values([4.0, 6.0]),
            values([2.0, 3.0]),
            tag="both_lengths_last",
            grad=(0,),
            use_data_lengths=True,
            use_label_lengths=True,
            blank_label="last",
            **options,
        ),
        case(
            "CTCLoss",
            normal(2, 1, 3),
            values([[1.0, 1.0]]),
            tag="impossible",
            grad=False,
            note="no path is long enough",
        ),
        case(
            "CTCLoss",
            normal(3, 1, 3),
            values([[0.0, 0.0]]),
            tag="empty_label",
            grad=(0,),
            mxnet_wrong="it reads memory that it did not write",
            oracle_grad=False,
            expect=_all_blank,
            **options,
        ),
    ]


CASES: list[Case] = [*_softmax_output(), *_regression(), *_others()]
