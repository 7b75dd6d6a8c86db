"""`gluon.contrib.cnn`: what MXNet has on NVIDIA devices only; the tables have the rest."""

from __future__ import annotations

import numpy as np
import pytest

import gluon_onnx as mx


@pytest.mark.parametrize("hybridize", [False, True])
def test_modulated_convolution_begins_as_a_plain_one(hybridize: bool) -> None:
    """As long as the second convolution is zero, nothing moves and every place counts once."""
    layer = mx.gluon.contrib.cnn.ModulatedDeformableConvolution(
        4, kernel_size=(3, 2), strides=2, padding=(1, 0), num_deformable_group=2, activation="relu"
    )
    layer.initialize(mx.init.Uniform(1.0))
    if hybridize:
        layer.hybridize()
    x = mx.nd.array(np.random.RandomState(0).standard_normal((2, 2, 5, 6)))
    found = layer(x)
    same = mx.nd.Convolution(
        x, layer.deformable_conv_weight.data(), layer.deformable_conv_bias.data(),
        kernel=(3, 2), stride=(2, 2), pad=(1, 0), num_filter=4,
    )  # fmt: skip
    np.testing.assert_allclose(found.asnumpy(), mx.nd.relu(same).asnumpy(), rtol=1e-5, atol=1e-6)
    assert layer.offset_weight.shape == (3 * 2 * 3 * 2, 2, 3, 2)
    assert repr(layer).startswith("ModulatedDeformableConvolution(2 -> 4, kernel_size=(3, 2), stride=(2, 2), padding")


def test_other_layouts_are_refused() -> None:
    with pytest.raises(mx.MXNetError, match="expected layout 'NCHW', got 'NHWC'"):
        mx.gluon.contrib.cnn.DeformableConvolution(4, layout="NHWC")
