"""Loss layers, many of which ignore the gradient of their head."""

from __future__ import annotations

import numpy as np

from tests.ops.cases._spec import FLOATS, Case, case, ints, normal, uniform, values

_LABELS = values([0.0, 3.0, 1.0])
_IGNORED = values([0.0, -1.0, 3.0, -1.0])


def _softmax_output() -> list[Case]:
    rows = [
        case("SoftmaxOutput", normal(3, 4), _LABELS, tag="default", train=True, grad=(0, 1), dtypes=FLOATS),
        case("SoftmaxOutput", normal(3, 4), _LABELS, tag="predict", grad=False),
        case("SoftmaxOutput", normal(3, 4), _LABELS, tag="scale", train=True, grad=(0,), grad_scale=2.5),
        case("SoftmaxOutput", normal(3, 4), _LABELS, tag="smooth", train=True, grad=(0,), smooth_alpha=0.1),
        case("SoftmaxOutput", normal(3, 4), _LABELS, tag="out_grad", train=True, grad=(0,), out_grad=True),
        case("SoftmaxOutput", normal(3, 4), uniform(0, 1, 3, 4), tag="probabilities", train=True, grad=(0,)),
        case("SoftmaxOutput", normal(2, 3, 4), ints(0, 4, 2, 3), tag="preserve_shape", train=True, grad=(0,), preserve_shape=True),
        case("SoftmaxOutput", normal(2, 3, 2, 2), ints(0, 3, 2, 2, 2), tag="multi", train=True, grad=(0,), multi_output=True),
        case("SoftmaxOutput", normal(2, 3, 4), ints(0, 3, 2, 4), tag="multi_rank3", train=True, grad=(0,), multi_output=True),
        case("SoftmaxOutput", normal(2, 3, 2, 2), ints(0, 3, 2, 4), tag="multi_flat_label", train=True, grad=(0,), multi_output=True),
        case("SoftmaxOutput", normal(2, 3, 2, 2), ints(-1, 3, 2, 2, 2), tag="multi_ignore", train=True, grad=(0,), multi_output=True, use_ignore=True),
        case("SoftmaxOutput", normal(2, 3, 2, 2), ints(0, 3, 2, 2, 2), tag="multi_smooth", train=True, grad=(0,), multi_output=True, smooth_alpha=0.2),
        case("SoftmaxOutput", normal(2, 3, 2, 2), ints(-1, 3, 2, 2, 2), tag="multi_out_grad", train=True, grad=(0,), multi_output=True, use_ignore=True, out_grad=True),
        case("SoftmaxOutput", normal(4, 4), _IGNORED, tag="ignore", train=True, grad=(0,), use_ignore=True),
        case("SoftmaxOutput", normal(4, 4), _IGNORED, tag="ignore_smooth", train=True, grad=(0,), use_ignore=True, smooth_alpha=0.1),
        case("SoftmaxOutput", normal(4, 4), values([0.0, 2.0, 3.0, 2.0]), tag="ignore_label", train=True, grad=(0,), use_ignore=True, ignore_label=2.0),
        case("Softmax", normal(3, 4), _LABELS, tag="old_name", train=True, grad=(0,)),
    ]
    for how in ("null", "batch", "valid"):
        rows.append(case("SoftmaxOutput", normal(4, 4), _IGNORED, tag=f"norm_{how}", train=True, grad=(0,), use_ignore=True, normalization=how))
        rows.append(case("SoftmaxOutput", normal(2, 3, 2, 2), ints(-1, 3, 2, 2, 2), tag=f"multi_norm_{how}", train=True, grad=(0,), multi_output=True, use_ignore=True, normalization=how))
        rows.append(case("SoftmaxOutput", normal(3, 4), _LABELS, tag=f"norm_{how}_all_valid", train=True, grad=(0,), normalization=how))
    return rows


def _regression() -> list[Case]:
    rows = []
    for op in ("LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput"):
        rows += [
            case(op, normal(3, 4), normal(3, 4), tag="matrix", train=True, grad=(0, 1), dtypes=("float32", "float64")),
            case(op, normal(3, 4), normal(3, 4), tag="scale", train=True, grad=(0,), grad_scale=0.5),
            case(op, normal(4), normal(4), tag="vector", train=True, grad=(0,)),
            case(op, normal(4, 1), normal(4), tag="column", train=True, grad=(0,)),
            case(op, normal(2, 3, 2), normal(2, 3, 2), tag="rank3", train=True, grad=(0,)),
            case(op, normal(3, 4), normal(3, 4), tag="predict", grad=False),
        ]
    rows.append(case("MAERegressionOutput", values([1.0, 2.0, 3.0]), values([1.0, 3.0, 2.0]), tag="equal", train=True, grad=(0,)))
    return rows


def _others() -> list[Case]:
    margins = values([[0.2, 1.7, -0.4, 0.9], [2.5, 0.3, 0.1, -3.0], [0.0, 0.6, 0.5, -0.2]])
    return [
        case("SVMOutput", margins, _LABELS, tag="squared", train=True, grad=(0,)),
        case("SVMOutput", margins, _LABELS, tag="linear", train=True, grad=(0,), use_linear=True),
        case("SVMOutput", margins, _LABELS, tag="attrs", train=True, grad=(0,), margin=0.5, regularization_coefficient=2.0),
        case("SVMOutput", margins, _LABELS, tag="linear_attrs", train=True, grad=(0,), margin=0.5, regularization_coefficient=2.0, use_linear=True),
        case("MakeLoss", normal(3, 4), tag="default", train=True, dtypes=("float32", "float64")),
        case("MakeLoss", normal(3, 4), tag="batch", train=True, grad_scale=3.0, normalization="batch"),
        case("MakeLoss", normal(3, 4), tag="valid", train=True, grad_scale=3.0, normalization="valid", valid_thresh=0.25),
        case("MakeLoss", values([-1.0, -2.0]), tag="valid_none", train=True, normalization="valid"),
        case("softmax_cross_entropy", normal(3, 4), _LABELS, tag="plain", grad=(0,)),
        case("softmax_cross_entropy", values([[100.0, 0.0], [-3.0, -90.0]]), values([0.0, 1.0]), tag="large", grad=(0,)),
        *_ctc(),
    ]


def _all_blank(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray | None]:
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
        case("CTCLoss", normal(6, 2, 4), first, values([6.0, 5.0]), tag="data_lengths", grad=(0,), use_data_lengths=True, **options),
        case("CTCLoss", normal(6, 2, 4), first, values([2.0, 3.0]), tag="label_lengths", grad=(0,), use_label_lengths=True, **options),
        case("CTCLoss", normal(6, 2, 4), first, values([4.0, 6.0]), values([1.0, 3.0]), tag="both_lengths", grad=(0,), use_data_lengths=True, use_label_lengths=True, **options),
        case("CTCLoss", normal(6, 2, 4), last, values([4.0, 6.0]), values([2.0, 3.0]), tag="both_lengths_last", grad=(0,), use_data_lengths=True, use_label_lengths=True, blank_label="last", **options),
        case("CTCLoss", normal(2, 1, 3), values([[1.0, 1.0]]), tag="impossible", grad=False, note="no path is long enough"),
        case("CTCLoss", normal(3, 1, 3), values([[0.0, 0.0]]), tag="empty_label", grad=(0,),
             mxnet_wrong="it reads memory that it did not write", oracle_grad=False, expect=_all_blank, **options),
    ]


CASES: list[Case] = [*_softmax_output(), *_regression(), *_others()]
