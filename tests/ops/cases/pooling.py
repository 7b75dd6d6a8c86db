"""Pooling, resizing and upsampling."""

from __future__ import annotations

from tests.ops.cases._spec import Case, case, distinct, normal, positive, values

#: Attributes and data shape, by the end of the row's id.
_WINDOWS: dict[str, tuple[tuple[int, ...], dict[str, object]]] = {
    "plain": ((2, 2, 5, 6), {"kernel": (2, 3)}),
    "stride": ((1, 2, 6, 7), {"kernel": (2, 2), "stride": (2, 2)}),
    "pad": ((1, 2, 5, 5), {"kernel": (3, 3), "stride": (2, 2), "pad": (1, 1)}),
    "uneven": ((1, 1, 7, 6), {"kernel": (3, 2), "stride": (2, 3), "pad": (1, 0)}),
    "full": ((1, 2, 6, 7), {"kernel": (3, 3), "stride": (2, 2), "pooling_convention": "full"}),
    "full_pad": (
        (1, 2, 6, 8),
        {"kernel": (3, 3), "stride": (2, 2), "pad": (1, 1), "pooling_convention": "full"},
    ),
    "full_stride3": ((1, 1, 7, 8), {"kernel": (2, 2), "stride": (3, 3), "pooling_convention": "full"}),
    "full_last_outside": (
        (1, 1, 5, 6),
        {"kernel": (2, 2), "stride": (3, 3), "pad": (1, 1), "pooling_convention": "full"},
    ),
    "global": ((2, 3, 4, 5), {"global_pool": True}),
    "global_ignores": (
        (2, 2, 4, 5),
        {"global_pool": True, "kernel": (2, 2), "stride": (2, 2), "pad": (1, 1)},
    ),
    "whole": ((1, 2, 4, 5), {"kernel": (4, 5)}),
    "1d": ((2, 2, 7), {"kernel": (3,), "stride": (2,), "pad": (1,)}),
    "1d_full": ((1, 2, 8), {"kernel": (3,), "stride": (2,), "pooling_convention": "full"}),
    "1d_global": ((2, 2, 7), {"kernel": (1,), "global_pool": True}),
    "3d": ((1, 2, 4, 5, 4), {"kernel": (2, 3, 2), "stride": (2, 1, 2), "pad": (1, 1, 0)}),
    "3d_full": ((1, 1, 4, 5, 6), {"kernel": (3, 2, 3), "stride": (2, 2, 2), "pooling_convention": "full"}),
    "3d_global": ((1, 2, 3, 2, 2), {"kernel": (1, 1, 1), "global_pool": True}),
}
_KINDS: dict[str, dict[str, object]] = {
    "max": {"pool_type": "max"},
    "avg": {"pool_type": "avg"},
    "avg_inside": {"pool_type": "avg", "count_include_pad": False},
    "sum": {"pool_type": "sum"},
    "lp1": {"pool_type": "lp", "p_value": 1},
    "lp2": {"pool_type": "lp", "p_value": 2},
    "lp3": {"pool_type": "lp", "p_value": 3},
}


def _rows() -> list[Case]:
    rows = []
    for kind, choice in _KINDS.items():
        for tag, (shape, attrs) in _WINDOWS.items():
            if (kind, tag) == ("avg_inside", "full_last_outside"):
                continue  # a window without a single element: 0 / 0, which MXNet refuses
            if kind in ("lp1", "lp3") and tag not in ("plain", "pad", "full", "1d", "3d", "global"):
                continue
            data = (
                distinct(*shape, scale=0.25)
                if kind == "max"
                else positive(*shape)
                if kind.startswith("lp")
                else normal(*shape)
            )
            # oneDNN's gradient divides the last windows of 'full' by the size of a whole window.
            rows.append(
                case(
                    "Pooling",
                    data,
                    tag=f"{kind}_{tag}",
                    attrs={**choice, **attrs},
                    native=(kind, tag) == ("avg", "full"),
                )
            )
        rows.append(
            case(
                "Pooling",
                positive(1, 2, 4, 4),
                tag=f"{kind}_float64",
                attrs={**choice, "kernel": (2, 2)},
                dtypes=("float64",),
            )
        )
    for kind in ("max", "avg", "avg_inside", "sum"):
        # 'same' exists in one dimension only, and MXNet wants three zeros of padding for it.
        same = {**_KINDS[kind], "pad": (0, 0, 0), "pooling_convention": "same"}
        rows.append(
            case(
                "Pooling",
                distinct(1, 2, 7),
                tag=f"{kind}_1d_same",
                attrs={**same, "kernel": (3,), "stride": (2,)},
                native=kind != "sum",
            )
        )
        rows.append(
            case(
                "Pooling",
                distinct(1, 2, 8),
                tag=f"{kind}_1d_same_even",
                attrs={**same, "kernel": (3,), "stride": (3,)},
                native=kind != "sum",
            )
        )
    rows += [
        case("Pooling", distinct(1, 2, 4, 4), tag="default_type", kernel=(2, 2)),
        case(
            "Pooling",
            values(
                [
                    [
                        [
                            [-3.0, -2.5, -7.0, -1.5],
                            [-4.0, -1.25, -6.0, -2.0],
                            [-5.0, -8.0, -3.5, -9.0],
                            [-1.75, -2.25, -4.5, -6.5],
                        ]
                    ]
                ]
            ),
            tag="max_negative_pad",
            kernel=(3, 3),
            pad=(1, 1),
            pool_type="max",
        ),
        *(
            case(
                "Pooling",
                distinct(2, 5, 3, scale=0.1),
                tag=f"{t}_nwc",
                kernel=(2,),
                pool_type=t,
                layout="NWC",
            )
            for t in ("max", "avg", "sum")
        ),
        *(
            case(
                "Pooling",
                distinct(2, 4, 5, 3, scale=0.1),
                tag=f"{t}_nhwc",
                kernel=(2, 2),
                stride=(2, 1),
                pool_type=t,
                layout="NHWC",
            )
            for t in ("max", "avg", "sum")
        ),
        *(
            case(
                "Pooling",
                distinct(1, 3, 4, 3, 2, scale=0.1),
                tag=f"{t}_ndhwc",
                kernel=(2, 2, 2),
                pool_type=t,
                layout="NDHWC",
            )
            for t in ("max", "avg", "sum")
        ),
        case(
            "Pooling",
            distinct(2, 4, 5, 3, scale=0.1),
            tag="avg_nhwc_global",
            global_pool=True,
            pool_type="avg",
            layout="NHWC",
        ),
        case(
            "Pooling",
            normal(1, 2, 4, 4),
            tag="layout",
            kernel=(2, 2),
            pool_type="avg",
            layout="NCHW",
            cudnn_off=True,
        ),
    ]
    return rows


def _resizing() -> list[Case]:
    rows = [
        case("UpSampling", normal(1, 2, 3, 2), tag="nearest", scale=2, sample_type="nearest", num_args=1),
        case("UpSampling", normal(1, 2, 2, 2), tag="nearest3", scale=3, sample_type="nearest", num_args=1),
        case(
            "UpSampling",
            normal(1, 2, 4, 4),
            normal(1, 3, 2, 2),
            tag="nearest_concat",
            scale=1,
            sample_type="nearest",
            num_args=2,
        ),
        case(
            "UpSampling",
            normal(1, 2, 2, 2),
            normal(1, 2, 4, 4),
            tag="nearest_sum",
            scale=4,
            sample_type="nearest",
            num_args=2,
            multi_input_mode="sum",
        ),
        case(
            "UpSampling",
            normal(1, 2, 3, 3),
            normal(2, 1, 4, 4),
            tag="bilinear",
            scale=2,
            sample_type="bilinear",
            num_args=2,
            num_filter=2,
        ),
        case(
            "UpSampling",
            normal(1, 1, 3, 2),
            normal(1, 1, 5, 5),
            tag="bilinear3",
            scale=3,
            sample_type="bilinear",
            num_args=2,
            num_filter=1,
        ),
        case("_contrib_AdaptiveAvgPooling2D", normal(2, 2, 4, 5), tag="one"),
        case("_contrib_AdaptiveAvgPooling2D", normal(2, 2, 4, 6), tag="divides", output_size=(2, 3)),
        case("_contrib_AdaptiveAvgPooling2D", normal(1, 2, 5, 7), tag="overlaps", output_size=(3, 4)),
        case("_contrib_AdaptiveAvgPooling2D", normal(1, 2, 5, 7), tag="square", output_size=(3,)),
        case("_contrib_AdaptiveAvgPooling2D", normal(1, 1, 2, 3), tag="grows", output_size=(4, 5)),
        case(
            "_contrib_AdaptiveAvgPooling2D",
            normal(1, 2, 5, 4),
            tag="dtypes",
            output_size=(2, 3),
            dtypes=("float64",),
        ),
    ]
    sizes: dict[str, dict[str, object]] = {
        "size": {"height": 5, "width": 7},
        "smaller": {"height": 2, "width": 3},
        "corners_off": {"height": 5, "width": 7, "align_corners": False},
        "smaller_corners_off": {"height": 2, "width": 3, "align_corners": False},
        "same": {"height": 4, "width": 5},
        "one": {"height": 1, "width": 1},
        "one_corners_off": {"height": 1, "width": 3, "align_corners": False},
        "scale": {"scale_height": 2.0, "scale_width": 1.5},
        "odd_scale": {"scale_height": 2.0, "scale_width": 2.0, "mode": "odd_scale"},
        "odd_scale_down": {"scale_height": 0.5, "scale_width": 0.5, "mode": "odd_scale"},
        "to_even_down": {"mode": "to_even_down"},
        "to_even_up": {"mode": "to_even_up"},
        "to_odd_down": {"mode": "to_odd_down"},
        "to_odd_up": {"mode": "to_odd_up"},
    }
    rows += [
        case("_contrib_BilinearResize2D", normal(2, 2, 4, 5), tag=tag, attrs=attrs)
        for tag, attrs in sizes.items()
    ]
    rows += [
        case(
            "_contrib_BilinearResize2D",
            normal(1, 2, 3, 4),
            normal(1, 1, 5, 6),
            tag="like",
            mode="like",
            grad=(0,),
        ),
        case(
            "_contrib_BilinearResize2D",
            normal(1, 2, 3, 4),
            tag="dtypes",
            height=5,
            width=6,
            dtypes=("float64",),
            tolerance={"float64": (1e-5, 1e-6)},
            note="MXNet computes the places in single precision",
        ),
    ]
    return rows


CASES: list[Case] = [*_rows(), *_resizing()]
