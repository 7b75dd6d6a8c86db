"""Operators that gather, scatter, mask and sort."""

from __future__ import annotations

import math

import numpy as np

from tests.ops.cases._spec import FLOATS, Case, case, ints, normal, uniform, values

_NAN = math.nan


def _gather_negative(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
    grad = np.zeros_like(inputs[0])
    np.add.at(grad, tuple(inputs[1]), heads[0])
    return {"grad0": grad}


def _last0(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
    grad = np.zeros_like(inputs[0])
    grad[-1] = heads[0]
    return {"grad0": grad}


def _last1(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
    grad = np.zeros_like(inputs[0])
    grad[:, -1] = heads[0]
    return {"grad0": grad}


def _takes() -> list[Case]:
    rows = []
    wild = values([-1.0, 0.0, 4.0, 7.0, -6.0, 2.0])
    for mode in ("clip", "wrap"):
        rows += [
            case("take", normal(4, 3), wild, tag=f"{mode}_axis0", mode=mode, grad=(0,)),
            case(
                "take",
                normal(2, 4, 3),
                values([[0.0, 5.0], [-1.0, 3.0]]),
                tag=f"{mode}_axis1",
                mode=mode,
                axis=1,
                grad=(0,),
            ),
        ]
    rows += [
        case("take", normal(4, 3), values([0.0, 3.0, 3.0]), tag="default", grad=(0,), dtypes=FLOATS),
        case("take", normal(4, 3), values([0.0, 3.0, 1.0]), tag="raise", mode="raise", grad=False),
        case("take", normal(2, 3, 4), values([0.0, 2.0]), tag="negative", axis=-1, grad=(0,)),
        case("take", normal(2, 3, 4), values([[1.0, 0.0, 2.0]]), tag="negative2", axis=-2, grad=(0,)),
        case("take", normal(4, 3), values([[0, 3], [3, 1]], dtype="int32"), tag="int32_index", grad=(0,)),
        case("take", normal(4, 3), values([0, 3], dtype="int64"), tag="int64_index", grad=(0,)),
        case(
            "take",
            normal(4, 3),
            values([0.9, 1.5, 2.99]),
            tag="fraction",
            grad=(0,),
            note="an index is truncated",
        ),
        case("take", normal(6), values([5.0, 0.0]), tag="vector", grad=(0,)),
        case(
            "take",
            ints(0, 9, 4, 2),
            values([1.0, 3.0], dtype="float32"),
            tag="ints",
            grad=False,
            dtypes=("int32", "int64", "uint8"),
        ),
        case("batch_take", normal(3, 4), values([0, 2, 3], dtype="int32"), tag="plain", grad=False),
        case(
            "batch_take",
            normal(3, 4),
            values([-1, 2, 9], dtype="int32"),
            tag="outside",
            grad=False,
            note="indices are clipped",
        ),
        case(
            "Embedding",
            values([[0.0, 3.0], [4.0, 1.0]]),
            normal(5, 3),
            tag="plain",
            input_dim=5,
            output_dim=3,
            grad=(1,),
            dtypes=FLOATS,
        ),
        case(
            "Embedding",
            values([1.0, 1.0, 1.0]),
            normal(5, 2),
            tag="repeated",
            input_dim=5,
            output_dim=2,
            grad=(1,),
        ),
        case(
            "Embedding",
            values([-1.0, 0.0, 9.0]),
            normal(5, 2),
            tag="outside",
            input_dim=5,
            output_dim=2,
            grad=(1,),
            note="indices are clipped",
        ),
        case(
            "Embedding",
            ints(0, 4, 2, 2, 2, dtype="int32"),
            normal(4, 2),
            tag="int_index",
            input_dim=4,
            output_dim=2,
            grad=(1,),
        ),
        case(
            "Embedding",
            values([1, 0], dtype="int64"),
            normal(4, 2, dtype="float64"),
            tag="double",
            input_dim=4,
            output_dim=2,
            grad=(1,),
            attrs={"dtype": "float64"},
        ),
        case(
            "Embedding",
            values([0.9, 2.5]),
            normal(4, 2),
            tag="fraction",
            input_dim=4,
            output_dim=2,
            grad=(1,),
        ),
    ]
    for mode in ("clip", "wrap"):
        rows.append(
            case(
                "pick",
                normal(4, 3),
                values([-1.0, 0.0, 3.0, 5.0]),
                tag=f"{mode}_outside",
                mode=mode,
                grad=(0,),
            )
        )
    rows += [
        case("pick", normal(3, 4), values([0.0, 2.0, 3.0]), tag="default", grad=(0,), dtypes=FLOATS),
        case("pick", normal(3, 4), values([0.0, 2.0, 1.0, 1.0]), tag="axis0", axis=0, grad=(0,)),
        case(
            "pick",
            normal(3, 4),
            values([[0.0], [2.0], [3.0]]),
            tag="keepdims",
            axis=1,
            keepdims=True,
            grad=(0,),
        ),
        case(
            "pick",
            normal(3, 4),
            values([0.0, 2.0, 3.0]),
            tag="keepdims_flat_index",
            axis=1,
            keepdims=True,
            grad=(0,),
        ),
        case(
            "pick",
            normal(2, 3, 4),
            values([[0.0, 1.0, 2.0, 2.0], [1.0, 0.0, 2.0, 1.0]]),
            tag="middle",
            axis=1,
            grad=(0,),
        ),
        case(
            "pick",
            normal(2, 3, 4),
            values([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0]]),
            tag="negative",
            axis=-1,
            grad=(0,),
        ),
        case("pick", normal(3, 4), values([0, 2, 3], dtype="int32"), tag="int_index", grad=(0,)),
    ]
    return rows


def _nd() -> list[Case]:
    return [
        case(
            "gather_nd",
            normal(3, 4),
            values([[0.0, 2.0, 2.0], [1.0, 3.0, 3.0]]),
            tag="points",
            grad=(0,),
            dtypes=FLOATS,
        ),
        case("gather_nd", normal(3, 4, 2), values([[0.0, 2.0], [1.0, 3.0]]), tag="rows", grad=(0,)),
        case("gather_nd", normal(3, 4), values([[0.0, 2.0, 0.0]]), tag="first_axis", grad=(0,)),
        case(
            "gather_nd",
            normal(3, 4),
            values([[[0.0, 2.0], [1.0, 1.0]], [[1.0, 3.0], [0.0, 2.0]]]),
            tag="grid",
            grad=(0,),
        ),
        case(
            "gather_nd",
            normal(3, 4),
            values([[0, -1], [-2, 3]], dtype="int32"),
            tag="negative",
            grad=(0,),
            mxnet_wrong="its gradient writes outside of its memory",
            oracle_grad=False,
            expect=_gather_negative,
        ),
        case(
            "gather_nd",
            ints(0, 9, 3, 4),
            values([[0, 1], [1, 2]], dtype="int64"),
            tag="ints",
            grad=False,
            dtypes=("int32", "int64"),
        ),
        case(
            "scatter_nd",
            normal(3),
            values([[0.0, 2.0, 1.0], [1.0, 3.0, 0.0]]),
            tag="points",
            shape=(3, 4),
            grad=(0,),
            dtypes=FLOATS,
        ),
        case("scatter_nd", normal(2, 4), values([[2.0, 0.0]]), tag="rows", shape=(3, 4), grad=(0,)),
        case(
            "scatter_nd",
            normal(2, 2),
            values([[[0.0, 2.0], [1.0, 1.0]], [[1.0, 3.0], [0.0, 2.0]]]),
            tag="grid",
            shape=(3, 4),
            grad=(0,),
        ),
        case("one_hot", values([0.0, 2.0, 1.0]), tag="default", depth=3, grad=False),
        case("one_hot", values([[0.0, 2.0], [3.0, 1.0]]), tag="matrix", depth=4, grad=False),
        case("one_hot", values([-1.0, 3.0, 1.0, 7.0]), tag="outside", depth=3, grad=False),
        case("one_hot", values([0.0, 2.0]), tag="values", depth=3, on_value=5.0, off_value=-2.0, grad=False),
        *(
            case("one_hot", values([0.0, 2.0]), tag=f"to_{t}", grad=False, attrs={"depth": 3, "dtype": t})
            for t in ("float16", "float64", "int32", "int64", "uint8")
        ),
        case(
            "one_hot",
            ints(0, 3, 4),
            tag="int_index",
            depth=3,
            grad=False,
            dtypes=("int32", "int64", "uint8", "float64"),
        ),
        case(
            "ravel_multi_index",
            values([[3.0, 6.0, 6.0], [4.0, 5.0, 1.0]]),
            tag="plain",
            shape=(7, 6),
            grad=False,
            dtypes=("float32", "float64", "int32", "int64"),
        ),
        case(
            "ravel_multi_index",
            values([[3.0, 6.0], [4.0, 5.0]]),
            tag="unknown_first",
            shape=(-1, 6),
            grad=False,
        ),
        case(
            "unravel_index",
            values([22.0, 41.0, 37.0]),
            tag="plain",
            shape=(7, 6),
            grad=False,
            dtypes=("float32", "int32", "int64"),
        ),
        case("unravel_index", values([22.0, 41.0]), tag="unknown_first", shape=(-1, 6), grad=False),
        case(
            "_contrib_index_copy",
            normal(5, 3),
            values([0, 4, 2], dtype="int64"),
            normal(3, 3),
            tag="rows",
            grad=(0, 2),
        ),
        case(
            "_contrib_index_copy",
            normal(4),
            values([3, 1], dtype="int32"),
            normal(2),
            tag="vector",
            grad=(0, 2),
        ),
        case(
            "_contrib_boolean_mask",
            normal(4, 3),
            values([0.0, 1.0, 1.0, 0.0]),
            tag="rows",
            grad=(0,),
            eager_only="the mask gives the shape",
        ),
        case(
            "_contrib_boolean_mask",
            normal(3),
            values([1, 0, 1], dtype="int32"),
            tag="int_mask",
            grad=(0,),
            eager_only="the mask gives the shape",
        ),
        case(
            "_contrib_boolean_mask",
            normal(2, 3),
            values([0.0, 1.0]),
            tag="one",
            axis=0,
            grad=(0,),
            eager_only="the mask gives the shape",
        ),
        case("_contrib_index_array", normal(2, 3), tag="all", grad=False),
        case("_contrib_index_array", normal(2, 3, 2), tag="axes", axes=(1, 2), grad=False),
        case("_contrib_index_array", normal(2, 3), tag="negative", axes=(-1,), grad=False),
    ]


def _sequences() -> list[Case]:
    rows = []
    lengths = values([1.0, 3.0, 2.0])
    for op in ("SequenceMask", "SequenceLast", "SequenceReverse"):
        axes = (0,) if op == "SequenceReverse" else (0, 1)
        for axis in axes:
            shape = (4, 3, 2) if axis == 0 else (3, 4, 2)
            broken = (
                {
                    "mxnet_wrong": "its gradient crashes without lengths",
                    "oracle_grad": False,
                    "expect": (_last0, _last1)[axis],
                }
                if op == "SequenceLast"
                else {}
            )
            rows.append(case(op, normal(*shape), tag=f"all_axis{axis}", axis=axis, **broken))
            rows.append(
                case(
                    op,
                    normal(*shape),
                    lengths,
                    tag=f"lengths_axis{axis}",
                    axis=axis,
                    use_sequence_length=True,
                    grad=(0,),
                    dtypes=FLOATS,
                )
            )
        rows.append(
            case(
                op,
                normal(4, 3, 2, 2),
                values([4.0, 1.0, 3.0]),
                tag="rank4",
                use_sequence_length=True,
                grad=(0,),
            )
        )
        rows.append(case(op, normal(4, 3), lengths, tag="rank2", use_sequence_length=True, grad=(0,)))
        rows.append(
            case(
                op,
                normal(4, 3, 2),
                values([1, 4, 2], dtype="int32"),
                tag="int_lengths",
                use_sequence_length=True,
                grad=(0,),
            )
        )
    rows.append(
        case(
            "SequenceMask",
            normal(4, 3, 2),
            lengths,
            tag="value",
            use_sequence_length=True,
            value=-1.5,
            grad=(0,),
        )
    )
    rows.append(
        case(
            "SequenceMask",
            normal(4, 3),
            values([0.0, 4.0, 2.0]),
            tag="empty_sequence",
            use_sequence_length=True,
            grad=(0,),
        )
    )
    return rows


def _others() -> list[Case]:
    return [
        case("diag", normal(4), tag="vector"),
        case("diag", normal(3), tag="vector_up", k=1),
        case("diag", normal(3), tag="vector_down", k=-2),
        case("diag", normal(3, 4), tag="matrix"),
        case("diag", normal(3, 4), tag="matrix_up", k=2),
        case("diag", normal(3, 4), tag="matrix_down", k=-1),
        case("diag", normal(2, 3, 4), tag="rank3"),
        case("diag", normal(2, 3, 4), tag="rank3_axes", axis1=1, axis2=2, k=1),
        case("diag", normal(2, 3, 4), tag="rank3_negative", axis1=-1, axis2=0),
        case("cumsum", normal(2, 3, 4), tag="flat"),
        case("cumsum", normal(2, 3, 4), tag="axis0", axis=0, dtypes=FLOATS),
        case("cumsum", normal(2, 3, 4), tag="axis1", axis=1),
        case("cumsum", ints(0, 9, 3, 4), tag="ints", axis=1, grad=False, dtypes=("int32", "int64")),
        case("cumsum", normal(3, 4), tag="to_float64", axis=1, grad=False, attrs={"dtype": "float64"}),
        case("_histogram", uniform(0, 1, 20), values([0.0, 0.25, 0.5, 1.0]), tag="edges", grad=False),
        case("_histogram", uniform(0, 1, 20), tag="count", bin_cnt=5, range=(0.0, 1.0), grad=False),
        case(
            "_histogram",
            values([0.0, 1.0, 1.0, 2.0, -1.0, 5.0]),
            tag="outside",
            bin_cnt=2,
            range=(0.0, 2.0),
            grad=False,
        ),
        case("_contrib_allclose", normal(3), normal(3), tag="different", grad=False),
        case(
            "_contrib_allclose",
            values([1.0, 2.0]),
            values([1.05, 2.1]),
            tag="loose",
            rtol=0.1,
            atol=0.0,
            grad=False,
        ),
        case(
            "_contrib_allclose",
            values([0.0, 2.0]),
            values([0.05, 2.0]),
            tag="absolute",
            rtol=0.0,
            atol=0.1,
            grad=False,
        ),
        case(
            "_contrib_allclose",
            values([1.0, _NAN]),
            values([1.0, _NAN]),
            tag="nan_differs",
            equal_nan=False,
            grad=False,
        ),
        case("_contrib_allclose", values([1.0, 2.0]), values([1.0, 2.000001]), tag="close", grad=False),
        case(
            "_contrib_allclose",
            values([1.0, _NAN]),
            values([1.0, _NAN]),
            tag="nan",
            equal_nan=True,
            grad=False,
        ),
        case("all_finite", normal(3), tag="yes", grad=False),
        case("all_finite", values([1.0, _NAN]), tag="nan", grad=False),
        case("all_finite", values([1.0, -math.inf]), tag="infinite", grad=False),
        case("multi_all_finite", normal(3), normal(2), tag="yes", num_arrays=2, grad=False),
        case("multi_all_finite", normal(3), values([1.0, _NAN]), tag="nan", num_arrays=2, grad=False),
        case("multi_sum_sq", normal(3), normal(2, 2), tag="two", num_arrays=2, grad=False),
        case("fill_element_0index", normal(3, 4), normal(3), values([0.0, 2.0, 3.0]), grad=False),
    ]


CASES: list[Case] = [*_takes(), *_nd(), *_sequences(), *_others()]
