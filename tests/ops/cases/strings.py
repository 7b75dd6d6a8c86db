"""Attributes as the strings that MXNet's symbol files hold."""

from __future__ import annotations

from tests.ops.cases._spec import Case, case, normal, positive, values

CASES: list[Case] = [
    case("Convolution", normal(1, 2, 5, 5), normal(3, 2, 3, 3), tag="strings", kernel="(3, 3)", num_filter="3", pad="(1,1)", stride="[2, 2]", no_bias="True"),
    case("Convolution", normal(1, 2, 7), normal(3, 2, 3), normal(3), tag="strings_1d", kernel="(3,)", num_filter="3", no_bias="False", num_group="1"),
    case("Pooling", normal(1, 2, 4, 4), tag="strings", kernel="(2,2)", pool_type="avg", global_pool="0", count_include_pad="False", pooling_convention="full"),
    case("FullyConnected", normal(2, 3), normal(4, 3), tag="strings", num_hidden="4", no_bias="1", flatten="true"),
    case("sum", normal(2, 3, 4), tag="strings", axis="(0, 2)", keepdims="True"),
    case("sum", normal(2, 3, 4), tag="strings_long", axis="(0L, 2L)", note="written by Python 2"),
    case("sum", normal(2, 3, 4), tag="strings_one", axis="1"),
    case("sum", normal(2, 3), tag="strings_empty", axis="()"),
    case("argmax", values([[1.0, 3.0], [2.0, 0.0]]), tag="strings_none", axis="None", grad=False),
    case("slice", normal(4, 5), tag="strings", begin="(None, 1)", end="(3, None)", step="(None, 2)"),
    case("slice_axis", normal(4, 5), tag="strings", axis="1", begin="1", end="None"),
    case("clip", normal(3, 4), tag="strings", a_min="-0.5", a_max="1e-1"),
    case("LeakyReLU", normal(3, 4), tag="strings", act_type="elu", slope="0.3"),
    case("SoftmaxOutput", normal(3, 4), values([0.0, 3.0, 1.0]), tag="strings", grad=(0,), grad_scale="2", use_ignore="True", ignore_label="3", normalization="valid"),
    case("Reshape", normal(2, 3, 4), tag="strings", shape="(-1, 0)", reverse="1"),
    case("Cast", normal(3), tag="strings", attrs={"dtype": "float16"}),
    case("_plus_scalar", normal(3), tag="strings", scalar="1.5"),
    case("BatchNorm", normal(3, 2, 4), positive(2), normal(2), normal(2, aux=True), positive(2, aux=True), tag="strings", eps="2e-05", momentum="0.8",
         fix_gamma="False", use_global_stats="false"),
    case("_contrib_MultiBoxPrior", normal(1, 1, 2, 2), tag="strings", sizes="(0.5, 0.25)", ratios="[1,2,.5]", clip="True", grad=False),
    case("Concat", normal(2, 3), normal(2, 1), tag="strings", dim="1", num_args="2"),
]
