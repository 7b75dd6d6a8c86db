"""Operators that move or copy elements without looking at them."""

from __future__ import annotations

from tests.ops.cases._spec import FLOATS, Case, Spec, case, ints, normal

_ALL = (*FLOATS, "int32", "int64", "uint8")


def _reshape(tag: str, shape: tuple[int, ...], target: tuple[int, ...], **options: object) -> Case:
    return case("Reshape", normal(*shape), tag=tag, shape=target, **options)


def _joins() -> list[Case]:
    rows = []
    for dim in (0, 1, 2, -1, -3):
        shapes = [[2, 3, 4] for _ in range(3)]
        for size, shape in enumerate(shapes):
            shape[dim] = size + 1
        rows.append(case("Concat", *(normal(*s) for s in shapes), tag=f"dim{dim}", dim=dim))
    rows += [
        case("Concat", normal(2, 3), normal(2, 1), tag="default"),
        case("Concat", normal(2, 3), tag="one", dim=0),
        case("Concat", normal(2, 3), normal(2, 2), tag="dtypes", dim=1, dtypes=("float16", "float64")),
        case(
            "Concat",
            ints(0, 9, 2, 3),
            ints(0, 9, 2, 2),
            tag="ints",
            dim=1,
            grad=False,
            dtypes=("int32", "int64", "uint8"),
        ),
        case("Concat", normal(3), normal(2), tag="vectors", dim=0),
        case("_rnn_param_concat", normal(3), normal(2), tag="vectors", dim=0),
        *(
            case("stack", *(normal(2, 3) for _ in range(3)), tag=f"axis{a}", axis=a)
            for a in (0, 1, 2, -1, -2, -3)
        ),
        case("stack", normal(4), normal(4), tag="default"),
        case("stack", normal(2), tag="one", axis=-1),
        case(
            "stack", ints(0, 9, 3), ints(0, 9, 3), tag="ints", axis=1, grad=False, dtypes=("int32", "uint8")
        ),
    ]
    for tag, options in {
        "default": {"num_outputs": 2},
        "axis0": {"num_outputs": 2, "axis": 0},
        "negative": {"num_outputs": 3, "axis": -1},
        "squeeze": {"num_outputs": 4, "axis": 1, "squeeze_axis": True},
        "pieces1": {"num_outputs": 4, "axis": 1},
        "one": {"num_outputs": 1, "axis": 2},
    }.items():
        rows.append(case("split", normal(2, 4, 3), tag=tag, attrs=options))
    rows.append(
        case(
            "split",
            ints(0, 9, 4, 2),
            tag="ints",
            num_outputs=2,
            axis=0,
            grad=False,
            dtypes=("int32", "int64", "uint8"),
        )
    )
    for tag, options in {
        "indices": {"indices": (0, 1, 4), "axis": 1},
        "sections": {"indices": (), "sections": 3, "axis": 1},
        "default": {"indices": (0, 2)},
        "axis0": {"indices": (0, 1), "axis": 0},
        "squeeze": {"indices": (), "sections": 2, "axis": 0, "squeeze_axis": True},
        "negative": {"indices": (0, 1, 2), "axis": -1},
    }.items():
        rows.append(case("_split_v2", normal(2, 6, 3), tag=tag, attrs=options))
    return rows


def _reshapes() -> list[Case]:
    return [
        _reshape("plain", (2, 3, 4), (4, 6), dtypes=FLOATS),
        _reshape("infer", (2, 3, 4), (-1, 2)),
        _reshape("zero", (2, 3, 4), (0, -1)),
        _reshape("zero_middle", (2, 3, 4), (4, 0, -1), note="0 copies the dimension at its own place"),
        _reshape("rest", (2, 3, 4), (2, -2)),
        _reshape("rest_front", (2, 3, 4), (-2,)),
        _reshape("rest_ones", (2, 3, 4), (-2, 1, 1)),
        _reshape("rest_zero", (2, 3, 4), (0, -2)),
        _reshape("merge", (2, 3, 4), (-3, 4)),
        _reshape("merge_end", (2, 3, 4), (0, -3)),
        _reshape("merge_two", (2, 3, 4, 5), (-3, -3)),
        _reshape("merge_rest", (2, 3, 4), (-3, -2)),
        _reshape("split", (2, 3, 4), (-4, 1, 2, -2)),
        _reshape("split_infer", (2, 3, 4), (2, -4, -1, 3, -2)),
        _reshape("split_infer_second", (6, 4), (-4, 2, -1, 0)),
        _reshape("split_end", (2, 12), (0, -4, 3, -1)),
        _reshape("mixed", (8, 3, 3, 3, 4), (-4, 2, -1, 0, -3, 0)),
        _reshape("reverse_infer", (10, 5, 4), (-1, 0), reverse=True),
        _reshape("forward_infer", (10, 5, 4), (-1, 0)),
        _reshape("reverse_two", (2, 3, 4), (0, -1), reverse=True),
        _reshape("reverse_merge", (2, 3, 4), (-3, 0), reverse=True),
        _reshape("reverse_split", (2, 12), (0, 3, -1, -4), reverse=True),
        _reshape("same", (2, 3), (0, 0)),
        _reshape("ones", (2, 3), (1, 2, 1, 3, 1)),
        case("Reshape", normal(2, 3, 4), tag="target_shape", target_shape=(0, 12)),
        case("Reshape", normal(2, 3, 4), tag="target_shape_infer", target_shape=(0, 2)),
        case("Reshape", normal(2, 3, 4), tag="keep_highest", target_shape=(0, 12), keep_highest=True),
        case(
            "Reshape",
            ints(0, 9, 2, 3),
            tag="ints",
            shape=(3, 2),
            grad=False,
            dtypes=("int32", "int64", "uint8"),
        ),
        case("reshape_like", normal(2, 6), normal(3, 4), tag="all"),
        case(
            "reshape_like",
            normal(30, 7),
            normal(15, 2, 4),
            tag="part",
            lhs_begin=0,
            lhs_end=1,
            rhs_begin=0,
            rhs_end=2,
        ),
        case("reshape_like", normal(7, 6), normal(5, 2, 3), tag="negative", lhs_begin=-1, rhs_begin=-2),
        case(
            "reshape_like",
            normal(2, 6, 5),
            normal(2, 3, 9),
            tag="middle",
            lhs_begin=1,
            lhs_end=2,
            rhs_begin=0,
            rhs_end=2,
        ),
        case("Flatten", normal(2, 3, 4), tag="rank3", dtypes=FLOATS),
        case("Flatten", normal(2, 3), tag="rank2"),
        case("Flatten", normal(2, 1, 3, 2), tag="rank4"),
        case("Flatten", normal(3), tag="vector"),
        *(case("expand_dims", normal(2, 3), tag=f"axis{a}", axis=a) for a in (0, 1, 2, -1, -2, -3)),
        case("squeeze", normal(1, 2, 1, 3), tag="all"),
        case("squeeze", normal(1, 2, 1, 3), tag="axis0", axis=0),
        case("squeeze", normal(1, 2, 1, 3), tag="negative", axis=-2),
        case("squeeze", normal(1, 2, 1, 3), tag="two", axis=(0, 2)),
        case("squeeze", normal(1, 1), tag="to_one"),
        case("transpose", normal(2, 3, 4), tag="default", dtypes=FLOATS),
        case("transpose", normal(2, 3, 4), tag="cycle", axes=(2, 0, 1)),
        case("transpose", normal(2, 3, 4, 2), tag="nhwc", axes=(0, 2, 3, 1)),
        case("transpose", normal(3), tag="vector"),
        case("transpose", normal(2, 3, 1, 2, 2), tag="rank5", axes=(4, 2, 0, 3, 1)),
        case("transpose", ints(0, 9, 2, 3), tag="ints", grad=False, dtypes=("int32", "int64", "uint8")),
        case("SwapAxis", normal(2, 3, 4), tag="ends", dim1=0, dim2=2),
        case("SwapAxis", normal(2, 3, 4, 2), tag="middle", dim1=1, dim2=2),
        case("SwapAxis", normal(2, 3, 4), tag="negative", dim1=-1, dim2=0),
        case("SwapAxis", normal(2, 3), tag="default"),
        case("depth_to_space", normal(2, 8, 2, 3), tag="2", block_size=2),
        case("depth_to_space", normal(1, 9, 1, 2), tag="3", block_size=3),
        case("space_to_depth", normal(2, 2, 4, 6), tag="2", block_size=2),
        case("space_to_depth", normal(1, 1, 3, 6), tag="3", block_size=3),
    ]


def _copies() -> list[Case]:
    pad4 = (0, 0, 0, 0, 1, 2, 2, 1)
    pad5 = (0, 0, 0, 0, 1, 1, 0, 2, 1, 0)
    rows = [
        *(
            case("tile", normal(2, 3), tag=tag, reps=reps)
            for tag, reps in {
                "same": (2, 2),
                "short": (2,),
                "long": (2, 1, 3),
                "ones": (1, 1),
                "last": (1, 3),
            }.items()
        ),
        case("tile", normal(3), tag="vector", reps=(2, 2)),
        case(
            "tile", ints(0, 9, 2, 2), tag="ints", reps=(2, 1), grad=False, dtypes=("int32", "int64", "uint8")
        ),
        case("repeat", normal(2, 3), tag="flat", repeats=2),
        case("repeat", normal(2, 3), tag="axis0", repeats=3, axis=0),
        case("repeat", normal(2, 3, 2), tag="negative", repeats=2, axis=-2),
        case("repeat", normal(2, 3), tag="once", repeats=1, axis=1),
        case(
            "repeat",
            ints(0, 9, 4),
            tag="ints",
            repeats=2,
            axis=0,
            grad=False,
            dtypes=("int32", "int64", "uint8"),
        ),
        *(
            case("flip", normal(2, 3, 4), tag=tag, axis=axis)
            for tag, axis in {"axis0": (0,), "axis1": (1,), "two": (0, 2), "int": 2}.items()
        ),
        case("broadcast_to", normal(1, 3, 1), tag="both", shape=(2, 3, 4), dtypes=FLOATS),
        case("broadcast_to", normal(1, 3), tag="zero", shape=(4, 0)),
        case("broadcast_to", normal(1), tag="vector", shape=(5,)),
        case("broadcast_axis", normal(1, 3, 1), tag="one", axis=0, size=2),
        case("broadcast_axis", normal(1, 3, 1), tag="two", axis=(0, 2), size=(2, 4)),
        case("broadcast_like", normal(1, 3, 1), normal(2, 3, 4), tag="all"),
        case("broadcast_like", normal(1, 2, 1), normal(5, 6, 4), tag="axes", lhs_axes=(0,), rhs_axes=(1,)),
        case(
            "broadcast_like",
            normal(1, 2, 1),
            normal(5, 6, 4),
            tag="negative",
            lhs_axes=(-1, 0),
            rhs_axes=(0, -2),
        ),
    ]
    for mode in ("constant", "edge", "reflect"):
        rows.append(case("Pad", normal(2, 1, 3, 4), tag=f"{mode}4", mode=mode, pad_width=pad4))
        rows.append(case("Pad", normal(1, 2, 3, 3, 2), tag=f"{mode}5", mode=mode, pad_width=pad5))
    rows.append(
        case(
            "Pad",
            normal(1, 1, 2, 3),
            tag="value",
            mode="constant",
            pad_width=(0, 0, 0, 0, 1, 0, 0, 2),
            constant_value=3.5,
            dtypes=FLOATS,
        )
    )
    return rows


def _slices() -> list[Case]:
    def cut(tag: str, shape: tuple[int, ...], begin: object, end: object, **options: object) -> Case:
        return case("slice", normal(*shape), tag=tag, begin=begin, end=end, **options)

    def along(tag: str, axis: int, begin: int, end: int | None) -> Case:
        return case("slice_axis", normal(3, 4, 5), tag=tag, attrs={"axis": axis, "begin": begin, "end": end})

    return [
        cut("plain", (4, 5), (1, 2), (3, 5), dtypes=FLOATS),
        cut("short", (4, 5), (1,), (3,)),
        cut("none", (4, 5), (None, 1), (2, None)),
        cut("all_none", (4, 5), (None, None), (None, None)),
        cut("negative", (4, 5), (-3, -4), (-1, -1)),
        cut("steps", (4, 6), (0, 1), (4, 6), step=(2, 3)),
        cut("back", (4, 5), (3, None), (0, None), step=(-1, -1)),
        cut("back_none", (5, 4), (None, 3), (None, 0), step=(-2, -1)),
        cut("back_negative", (6,), (-1,), (-6,), step=(-2,)),
        cut("mixed_steps", (4, 5, 3), (None, 4, 1), (None, 1, None), step=(None, -2, 1)),
        cut("beyond", (4, 5), (1, 0), (100, 3), note="an end beyond the array is the array's end"),
        case(
            "slice",
            ints(0, 9, 4, 4),
            tag="ints",
            begin=(1, 0),
            end=(3, 2),
            grad=False,
            dtypes=("int32", "int64", "uint8"),
        ),
        along("axis0", 0, 1, 3),
        along("none", 1, 1, None),
        along("negative_end", 2, 0, -2),
        along("negative", -1, -3, -1),
        along("negative_begin", -2, -3, None),
        case("slice_like", normal(3, 4, 5), normal(2, 3, 4), tag="all"),
        case("slice_like", normal(3, 4, 5), normal(2, 9, 4), tag="axes", axes=(0, 2)),
        case("slice_like", normal(3, 4, 5), normal(2, 3), tag="first_axes", axes=(0, 1)),
        case("slice_like", normal(3, 4, 5), normal(2, 3, 4), tag="negative", axes=(-1,)),
        case("_slice_assign", normal(4, 5), normal(2, 3), tag="plain", begin=(1, 2), end=(3, 5), grad=False),
        case(
            "_slice_assign",
            normal(4, 6),
            normal(2, 2),
            tag="steps",
            begin=(0, 1),
            end=(4, 6),
            step=(2, 3),
            grad=False,
        ),
        case(
            "_slice_assign_scalar",
            normal(4, 5),
            tag="plain",
            grad=False,
            scalar=2.5,
            begin=(1, None),
            end=(3, None),
        ),
    ]


def _patches() -> list[Case]:
    rows = []
    wide = {"kernel": (2, 3), "stride": (1, 2), "dilate": (2, 1), "pad": (1, 0)}
    for tag, shape, columns, size, attrs in (
        ("plain", (2, 2, 4, 5), (2, 12, 9), (4, 5), {"kernel": (2, 3)}),
        ("all", (2, 2, 4, 5), (2, 12, 8), (4, 5), wide),
        ("pad", (1, 3, 3, 3), (1, 12, 16), (3, 3), {"kernel": (2, 2), "pad": (1, 1)}),
    ):
        rows.append(case("im2col", normal(*shape), tag=tag, attrs=attrs))
        rows.append(case("col2im", normal(*columns), tag=tag, attrs={**attrs, "output_size": size}))
    rows.append(
        case("im2col", normal(1, 2, 3, 3), tag="dtypes", kernel=(2, 2), dtypes=("float16", "float64"))
    )
    rows.append(
        case("col2im", normal(1, 8, 4), tag="dtypes", kernel=(2, 2), output_size=(3, 3), dtypes=("float64",))
    )
    return rows


def _facts() -> list[Case]:
    data: Spec = normal(2, 3, 4)
    return [
        case("shape_array", data, tag="rank3", grad=False),
        case("shape_array", normal(5), tag="vector", grad=False, dtypes=("float16", "float64", "int32")),
        case("size_array", data, tag="rank3", grad=False),
        case("_identity_with_attr_like_rhs", normal(2, 3), normal(2, 3)),
    ]


CASES: list[Case] = [*_joins(), *_reshapes(), *_copies(), *_slices(), *_patches(), *_facts()]
