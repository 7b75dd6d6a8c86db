"""Convolutions, their transposes, and the im2col pair."""

from __future__ import annotations

from tests.ops.cases._spec import Case, case, normal

_PLAIN = ("float32", "float64")


def _conv(
    tag: str, data: tuple[int, ...], weight: tuple[int, ...], *, bias: bool = True, **options: object
) -> Case:
    """A row of Convolution; the weight gives kernel and number of filters."""
    inputs = [normal(*data), normal(*weight, scale=0.5)] + [normal(weight[0])] * bias
    attrs = {"kernel": weight[2:], "num_filter": weight[0], **options, **({} if bias else {"no_bias": True})}
    dtypes = attrs.pop("dtypes", ("float32",))
    return case("Convolution", *inputs, tag=tag, attrs=attrs, dtypes=dtypes)


def _deconv(
    tag: str, data: tuple[int, ...], weight: tuple[int, ...], *, bias: bool = False, **options: object
) -> Case:
    """A row of Deconvolution; the weight is (channels in, filters a group, kernel...)."""
    filters = weight[1] * int(options.get("num_group", 1))  # type: ignore[call-overload]
    inputs = [normal(*data), normal(*weight, scale=0.5)] + [normal(filters)] * bias
    attrs = {"kernel": weight[2:], "num_filter": filters, **options, **({"no_bias": False} if bias else {})}
    dtypes = attrs.pop("dtypes", ("float32",))
    native = "dilate" in attrs or "target_shape" in attrs
    return case("Deconvolution", *inputs, tag=tag, attrs=attrs, dtypes=dtypes, native=native)


CASES: list[Case] = [
    _conv("2d", (2, 3, 5, 6), (4, 3, 3, 2), dtypes=_PLAIN),
    _conv("2d_no_bias", (2, 3, 5, 6), (4, 3, 3, 3), bias=False),
    _conv("2d_pad", (1, 2, 4, 5), (3, 2, 3, 3), pad=(1, 1)),
    _conv("2d_pad_uneven", (1, 2, 4, 5), (3, 2, 3, 2), pad=(1, 0)),
    _conv("2d_stride", (1, 2, 7, 6), (3, 2, 3, 3), stride=(2, 2)),
    _conv("2d_stride_rest", (1, 2, 8, 8), (2, 2, 3, 3), stride=(3, 2), pad=(1, 1)),
    _conv("2d_dilate", (1, 2, 7, 8), (2, 2, 3, 2), dilate=(2, 3)),
    _conv("2d_all", (2, 2, 9, 8), (2, 2, 3, 3), stride=(2, 1), pad=(2, 1), dilate=(2, 2)),
    _conv("2d_group", (2, 4, 5, 5), (6, 2, 3, 3), num_group=2),
    _conv("2d_depthwise", (2, 3, 5, 5), (3, 1, 3, 3), num_group=3, pad=(1, 1), bias=False),
    _conv("2d_depthwise_multiplier", (1, 2, 5, 5), (4, 1, 3, 3), num_group=2, stride=(2, 2)),
    _conv("2d_pointwise", (2, 3, 4, 4), (5, 3, 1, 1)),
    _conv("2d_whole", (2, 3, 4, 4), (2, 3, 4, 4)),
    _conv("2d_layout", (1, 2, 4, 5), (3, 2, 3, 3), layout="NCHW"),
    _conv("2d_ignored_options", (1, 2, 4, 5), (3, 2, 3, 3), workspace=256, cudnn_tune="off", cudnn_off=True),
    _conv("1d", (2, 3, 7), (4, 3, 3), dtypes=_PLAIN),
    _conv("1d_all", (1, 4, 9), (2, 2, 3), stride=(2,), pad=(2,), dilate=(2,), num_group=2),
    _conv("1d_no_bias", (1, 3, 7), (4, 3, 2), bias=False),
    _conv("3d", (1, 2, 4, 4, 5), (3, 2, 2, 3, 2), dtypes=_PLAIN),
    _conv(
        "3d_all",
        (1, 2, 5, 6, 5),
        (2, 1, 3, 2, 2),
        stride=(2, 1, 2),
        pad=(1, 0, 1),
        dilate=(1, 2, 1),
        num_group=2,
    ),
    _deconv("2d", (2, 3, 3, 4), (3, 4, 3, 2), dtypes=_PLAIN),
    _deconv("2d_bias", (2, 3, 3, 4), (3, 2, 3, 3), bias=True),
    _deconv("2d_stride", (1, 2, 3, 3), (2, 3, 3, 3), stride=(2, 2)),
    _deconv("2d_pad", (1, 2, 4, 4), (2, 3, 3, 3), stride=(2, 2), pad=(1, 1)),
    _deconv("2d_adj", (1, 2, 3, 4), (2, 3, 3, 3), stride=(2, 2), pad=(1, 1), adj=(1, 1)),
    _deconv("2d_adj_uneven", (1, 2, 3, 3), (2, 3, 3, 4), stride=(2, 3), pad=(1, 1), adj=(1, 0)),
    _deconv("2d_target", (1, 2, 3, 3), (2, 3, 3, 3), stride=(2, 2), target_shape=(6, 6)),
    _deconv("2d_target_odd", (1, 2, 3, 4), (2, 2, 4, 4), stride=(2, 2), target_shape=(7, 8)),
    _deconv(
        "2d_target_ignores_pad",
        (1, 2, 3, 3),
        (2, 2, 3, 3),
        stride=(2, 2),
        pad=(1, 1),
        adj=(1, 1),
        target_shape=(6, 5),
    ),
    _deconv("2d_dilate", (1, 2, 3, 3), (2, 3, 3, 2), dilate=(2, 2)),
    _deconv("2d_group", (2, 4, 3, 3), (4, 3, 3, 3), num_group=2),
    _deconv("2d_group_bias", (1, 4, 3, 3), (4, 1, 2, 2), num_group=4, stride=(2, 2), bias=True),
    _deconv("2d_upsampling", (1, 2, 3, 3), (2, 1, 4, 4), num_group=2, stride=(2, 2), pad=(1, 1)),
    _deconv("2d_layout", (1, 2, 3, 3), (2, 2, 2, 2), layout="NCHW", workspace=128),
    _deconv("1d", (2, 3, 4), (3, 2, 3), dtypes=_PLAIN),
    _deconv("1d_all", (1, 4, 4), (4, 2, 3), stride=(3,), pad=(1,), adj=(2,), num_group=2, bias=True),
    _deconv("1d_target", (1, 2, 4), (2, 2, 3), stride=(2,), target_shape=(8,)),
    _deconv("3d", (1, 2, 2, 3, 2), (2, 2, 2, 2, 3)),
    _deconv("3d_all", (1, 2, 2, 2, 3), (2, 1, 3, 3, 2), stride=(2, 2, 1), pad=(1, 0, 0), num_group=2),
    case("im2col", normal(2, 2, 4, 5), tag="2d", kernel=(2, 3)),
    case("im2col", normal(1, 2, 5, 6), tag="2d_all", kernel=(3, 2), stride=(2, 1), dilate=(1, 2), pad=(1, 1)),
    case("col2im", normal(1, 8, 6), tag="2d", kernel=(2, 2), output_size=(3, 4)),
    case(
        "col2im", normal(2, 4, 9), tag="2d_all", kernel=(2, 2), output_size=(4, 4), stride=(2, 2), pad=(1, 1)
    ),
]
