"""Sampling, warping, correlation, deformable convolution, image operators and the old versions of layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.ops.cases._recurrent import slopes
from tests.ops.cases._spec import Case, Spec, case, distinct, ints, normal, positive, uniform, values


def _sampling() -> list[Case]:
    shift = values([[1.0, 0.0, 0.2, 0.0, 1.0, -0.3], [0.8, 0.3, -0.1, -0.2, 0.9, 0.15]])
    outside = values([[2.0, 0.0, 0.7, 0.0, 1.5, 0.9]])
    return [
        case("GridGenerator", shift, tag="affine", transform_type="affine", target_shape=(3, 4)),
        case("GridGenerator", normal(2, 2, 3, 4), tag="warp", transform_type="warp"),
        case("GridGenerator", normal(1, 2, 3, 3, scale=3), tag="warp_far", transform_type="warp"),
        case("BilinearSampler", normal(2, 2, 4, 5), uniform(-0.95, 0.95, 2, 2, 3, 4), tag="inside"),
        case("BilinearSampler", normal(1, 2, 4, 5), uniform(-1.6, 1.6, 1, 2, 3, 4), tag="outside"),
        case(
            "BilinearSampler",
            normal(1, 1, 3, 3),
            values([[[[-1.0, 1.0], [0.0, 1.0]], [[-1.0, -1.0], [0.0, 1.0]]]]),
            tag="corners",
            grad=(0,),
        ),
        case(
            "SpatialTransformer",
            normal(2, 2, 4, 5),
            shift,
            tag="affine",
            transform_type="affine",
            sampler_type="bilinear",
            target_shape=(3, 4),
        ),
        case(
            "SpatialTransformer",
            normal(1, 2, 4, 5),
            outside,
            tag="outside",
            transform_type="affine",
            sampler_type="bilinear",
            target_shape=(4, 5),
        ),
        case("Crop", normal(1, 2, 6, 7), tag="offset", num_args=1, offset=(1, 2), h_w=(3, 4)),
        case("Crop", normal(1, 2, 6, 7), tag="center", num_args=1, h_w=(3, 4), center_crop=True),
        case("Crop", normal(1, 2, 6, 7), normal(1, 1, 4, 3), tag="like", num_args=2, grad=(0,)),
        case(
            "Crop",
            normal(1, 2, 6, 7),
            normal(1, 1, 4, 3),
            tag="like_center",
            num_args=2,
            center_crop=True,
            grad=(0,),
        ),
        case("Correlation", normal(1, 3, 6, 6), normal(1, 3, 6, 6), tag="default"),
        case(
            "Correlation",
            normal(2, 2, 6, 7),
            normal(2, 2, 6, 7),
            tag="multiply",
            kernel_size=1,
            max_displacement=2,
            stride1=1,
            stride2=1,
            pad_size=2,
        ),
        case(
            "Correlation",
            normal(1, 2, 7, 7),
            normal(1, 2, 7, 7),
            tag="kernel3",
            kernel_size=3,
            max_displacement=2,
            stride1=2,
            stride2=2,
            pad_size=3,
        ),
        case("Correlation", normal(1, 1, 3, 520), normal(1, 1, 3, 520), tag="wide"),
        case(
            "Correlation",
            normal(1, 2, 5, 5),
            normal(1, 2, 5, 5),
            tag="difference",
            max_displacement=1,
            pad_size=1,
            is_multiply=False,
        ),
    ]


def _deformable() -> list[Case]:
    def offset(*shape: int) -> Spec:
        return normal(*shape, scale=0.4)

    return [
        case(
            "_contrib_DeformableConvolution",
            normal(1, 2, 5, 5),
            offset(1, 18, 3, 3),
            normal(3, 2, 3, 3),
            normal(3),
            tag="plain",
            kernel=(3, 3),
            num_filter=3,
        ),
        case(
            "_contrib_DeformableConvolution",
            normal(2, 2, 5, 6),
            offset(2, 8, 6, 7),
            normal(3, 2, 2, 2),
            tag="no_bias",
            kernel=(2, 2),
            pad=(1, 1),
            num_filter=3,
            no_bias=True,
        ),
        case(
            "_contrib_DeformableConvolution",
            normal(1, 4, 7, 7),
            offset(1, 36, 3, 3),
            normal(2, 2, 3, 3),
            normal(2),
            tag="groups",
            kernel=(3, 3),
            stride=(2, 2),
            dilate=(1, 1),
            pad=(0, 0),
            num_filter=2,
            num_group=2,
            num_deformable_group=2,
        ),
        case(
            "_contrib_DeformableConvolution",
            normal(1, 2, 7, 7),
            offset(1, 18, 3, 3),
            normal(2, 2, 3, 3),
            normal(2),
            tag="dilate",
            kernel=(3, 3),
            dilate=(2, 2),
            num_filter=2,
        ),
        case(
            "_contrib_ModulatedDeformableConvolution",
            normal(1, 2, 5, 5),
            offset(1, 18, 3, 3),
            positive(1, 9, 3, 3),
            normal(3, 2, 3, 3),
            normal(3),
            tag="plain",
            kernel=(3, 3),
            num_filter=3,
            **_modulated(1, 0, 1),
        ),
        case(
            "_contrib_ModulatedDeformableConvolution",
            normal(1, 2, 4, 4),
            offset(1, 16, 3, 3),
            positive(1, 8, 3, 3),
            normal(2, 2, 2, 2),
            tag="groups",
            kernel=(2, 2),
            stride=(2, 2),
            pad=(1, 1),
            num_filter=2,
            num_deformable_group=2,
            no_bias=True,
            **_modulated(2, 1, 2),
        ),
    ]


def _bilinear(image: np.ndarray, y: float, x: float) -> np.ndarray:
    """The pixel (channels,) of an image (channels, height, width) at a fractional place; zero outside."""
    total = np.zeros(image.shape[0])
    for row in (int(np.floor(y)), int(np.floor(y)) + 1):
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            if 0 <= row < image.shape[1] and 0 <= column < image.shape[2]:
                total += image[:, row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


def _modulated(stride: int, pad: int, groups: int) -> dict[str, Any]:
    def convolve(inputs: list[np.ndarray]) -> list[np.ndarray]:
        data, offset, mask, weight = inputs[:4]
        count, channels = data.shape[:2]
        kernel = weight.shape[2:]
        places = offset.reshape(count, groups, *kernel, 2, *offset.shape[2:])
        scales = mask.reshape(count, groups, *kernel, *offset.shape[2:])
        taken = np.zeros((count, channels, *kernel, *offset.shape[2:]))
        for n, g, i, j, y, x in np.ndindex(*scales.shape):
            part = slice(g * channels // groups, (g + 1) * channels // groups)
            dy, dx = places[n, g, i, j, :, y, x]
            value = _bilinear(data[n, part], y * stride - pad + i + dy, x * stride - pad + j + dx)
            taken[n, part, i, j, y, x] = value * scales[n, g, i, j, y, x]
        result = np.einsum("ncijyx,fcij->nfyx", taken, weight)
        return [result + inputs[4][:, None, None] if len(inputs) > 4 else result]

    def expect(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
        wide = [v.astype("float64") for v in inputs]
        grads = slopes(convolve, wide, heads) if heads else []
        return {"out0": convolve(wide)[0], **{f"grad{i}": value for i, value in enumerate(grads)}}

    return {"mxnet_wrong": "it has this operator on NVIDIA devices only", "oracle": "none", "expect": expect}


def _middle(axis: int) -> dict[str, Any]:
    def expect(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
        return {"out0": np.flip(inputs[0], axis)}

    return {
        "mxnet_wrong": "it leaves the middle of an odd size as it was in memory",
        "oracle": "none",
        "expect": expect,
    }


def _images() -> list[Case]:
    picture = ints(0, 256, 4, 5, 3, dtype="uint8")
    rows = [
        case("_image_to_tensor", picture, tag="uint8", grad=False),
        case("_image_to_tensor", ints(0, 256, 2, 3, 4, 3, dtype="uint8"), tag="batch", grad=False),
        case("_image_to_tensor", uniform(0, 255, 3, 4, 3), tag="float", grad=False),
        case(
            "_image_normalize",
            uniform(0, 1, 3, 4, 5),
            tag="channels",
            mean=(0.1, 0.2, 0.3),
            std=(0.5, 0.6, 0.7),
        ),
        case("_image_normalize", uniform(0, 1, 2, 3, 4, 5), tag="batch", mean=(0.5,), std=(0.25,)),
        case("_image_normalize", uniform(0, 1, 1, 4, 5), tag="gray", mean=(0.5,), std=(1.0,)),
        case("_image_crop", picture, tag="uint8", x=1, y=2, width=3, height=2, grad=False),
        case("_image_crop", uniform(0, 1, 2, 5, 6, 3), tag="batch", x=0, y=1, width=4, height=3),
        case("_image_flip_left_right", picture, tag="odd", grad=False, **_middle(1)),
        case(
            "_image_flip_top_bottom",
            ints(0, 256, 5, 4, 3, dtype="uint8"),
            tag="odd",
            grad=False,
            **_middle(0),
        ),
        case("_image_flip_left_right", ints(0, 256, 3, 4, 3, dtype="uint8"), tag="even", grad=False),
        case("_image_flip_top_bottom", picture, tag="even", grad=False),
        case("_image_flip_left_right", uniform(0, 1, 3, 4, 1), tag="float", grad=False),
        case(
            "_image_adjust_lighting",
            uniform(0, 255, 3, 4, 3),
            tag="float",
            alpha=(0.1, -0.2, 0.3),
            grad=False,
        ),
        case("_image_resize", picture, tag="uint8", size=(7, 6), grad=False),
        case("_image_resize", uniform(0, 255, 4, 6, 3), tag="float", size=(3, 5), grad=False),
        case("_image_resize", uniform(0, 255, 4, 6, 3), tag="nearest", size=(3, 5), interp=0, grad=False),
        case("_image_resize", uniform(0, 255, 4, 6, 3), tag="square", size=(5,), grad=False),
        case(
            "_image_resize",
            uniform(0, 255, 4, 6, 3),
            tag="keep_ratio",
            size=(3,),
            keep_ratio=True,
            grad=False,
        ),
        case("_image_resize", uniform(0, 255, 2, 4, 6, 3), tag="batch", size=(3, 5), grad=False),
    ]
    return rows


def _documented(formula: Callable[..., np.ndarray]) -> dict[str, Any]:
    """What MXNet documents, and computes without oneDNN, whose kernels count 127.5 or 255.5 levels from zero on."""

    def expect(inputs: list[np.ndarray], heads: list[np.ndarray]) -> dict[str, np.ndarray]:
        return {"out0": formula(*inputs)}

    return {"grad": False, "mxnet_wrong": "oneDNN's kernels do not do what MXNet documents", "expect": expect}


def _signed(largest: float | None = None) -> dict[str, Any]:
    def formula(data: np.ndarray) -> np.ndarray:
        scale = np.float32(127 / (np.abs(data).max() if largest is None else largest))
        size = np.minimum(np.abs(data) * scale + np.float32(0.5), 127)
        return (np.sign(data) * np.floor(size)).astype("int8")

    return _documented(formula)


def _requantized(data: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    real = data * (np.maximum(abs(low), abs(high)) / (2**31 - 1))
    size = np.minimum(np.abs(real) * 127 / 0.001 + 0.5, 127)
    return (np.sign(real) * np.floor(size)).astype("int8")


def _unsigned(data: np.ndarray, low: Any = None, high: Any = None) -> np.ndarray:
    low, high = data.min() if low is None else low, data.max() if high is None else high
    return ((data - low) * (np.float32(255) / (high - low)) + np.float32(0.5)).astype("uint8")


def _quantized() -> list[Case]:
    bounds = (values([-2.0], dtype="float32"), values([3.0], dtype="float32"))
    spread, wide = uniform(-2, 3, 3, 4), ints(-(2**20), 2**20, 3, 4, dtype="int32")
    signed, unsigned = ints(-127, 128, 3, 4, dtype="int8"), ints(0, 256, 3, 4, dtype="uint8")
    rounded = _documented(lambda x, low, high: x * np.float32(3 / 127))
    placed = _documented(lambda x, low, high: x * ((high - low) / 255) + low)
    cut = {"min_calib_range": -1.5, "max_calib_range": 2.0}
    ends = {"min_calib_range": -0.0005, "max_calib_range": 0.001}
    return [
        case("_contrib_quantize", spread, *bounds, tag="uint8", **_documented(_unsigned)),
        case("_contrib_quantize", spread, *bounds, tag="int8", out_type="int8", grad=False),
        case("_contrib_quantize_v2", spread, tag="default", **_signed()),
        case("_contrib_quantize_v2", spread, tag="calibrated", **cut, **_signed(2.0)),
        case(
            "_contrib_quantize_v2",
            uniform(0.1, 3, 3, 4),
            tag="uint8",
            out_type="uint8",
            **_documented(_unsigned),
        ),
        case("_contrib_dequantize", signed, *bounds, tag="int8", **rounded),
        case("_contrib_dequantize", unsigned, *bounds, tag="uint8", **placed),
        case("_contrib_requantize", wide, *bounds, tag="default", grad=False),
        case("_contrib_requantize", wide, *bounds, tag="calibrated", **ends, **_documented(_requantized)),
        case("_contrib_quantize_asym", uniform(-1, 3, 2, 3, 4), tag="default", grad=False),
        case(
            "_contrib_quantize_asym",
            uniform(-1, 3, 2, 3, 4),
            tag="calibrated",
            min_calib_range=-1.5,
            max_calib_range=3.25,
            grad=False,
        ),
    ]


def _various() -> list[Case]:
    channels = 3
    return [
        case(
            "_contrib_SparseEmbedding",
            values([[0.0, 3.0], [4.0, 1.0]]),
            normal(5, 3),
            tag="plain",
            input_dim=5,
            output_dim=3,
            grad=False,
        ),
        case(
            "_contrib_hawkesll",
            positive(1, 2),
            uniform(0.2, 0.5, 2),
            positive(2),
            uniform(0, 0.5, 1, 2),
            uniform(0.5, 1.0, 1, 4),
            ints(0, 2, 1, 4, dtype="int32"),
            values([4.0]),
            values([6.0]),
            tag="plain",
            grad=(0, 1),
            note="MXNet leaves the states out of the gradient of beta",
        ),
        case("_scatter_elemwise_div", normal(2, 3), positive(2, 3), tag="dense", grad=False),
        case("_scatter_plus_scalar", normal(2, 3), tag="dense", scalar=1.5, grad=False),
        case("_scatter_minus_scalar", normal(2, 3), tag="dense", scalar=1.5, grad=False),
        case("cast_storage", normal(2, 3), tag="dense", stype="default", grad=False),
        case(
            "BatchNorm_v1",
            normal(3, channels, 2, 2),
            positive(channels),
            normal(channels),
            normal(channels, aux=True),
            positive(channels, aux=True),
            tag="train",
            oracle="symbol",
            fix_gamma=False,
        ),
        case(
            "BatchNorm_v1",
            normal(3, channels, 2, 2),
            positive(channels),
            normal(channels),
            normal(channels, aux=True),
            positive(channels, aux=True),
            tag="predict",
            oracle="symbol",
            train=False,
            grad=False,
        ),
        case(
            "IdentityAttachKLSparseReg",
            uniform(0.1, 0.9, 4, 3),
            uniform(0.2, 0.8, 3, aux=True),
            tag="train",
            oracle="symbol",
            penalty=0.01,
        ),
        case(
            "Convolution_v1",
            normal(1, 2, 5, 5),
            normal(3, 2, 3, 3),
            normal(3),
            tag="plain",
            kernel=(3, 3),
            num_filter=3,
            pad=(1, 1),
        ),
        case(
            "Convolution_v1",
            normal(1, 4, 5, 5),
            normal(2, 2, 3, 3),
            tag="groups",
            kernel=(3, 3),
            num_filter=2,
            num_group=2,
            stride=(2, 2),
            no_bias=True,
        ),
        case("Pooling_v1", distinct(1, 2, 6, 7), tag="max", kernel=(3, 3), stride=(2, 2), pool_type="max"),
        case(
            "Pooling_v1",
            normal(1, 2, 6, 7),
            tag="avg_full",
            kernel=(3, 3),
            stride=(2, 2),
            pad=(1, 1),
            pool_type="avg",
            pooling_convention="full",
        ),
        case(
            "Pooling_v1",
            normal(1, 2, 6, 7),
            tag="sum_global",
            kernel=(1, 1),
            pool_type="sum",
            global_pool=True,
        ),
    ]


CASES: list[Case] = [*_sampling(), *_deformable(), *_images(), *_quantized(), *_various()]
