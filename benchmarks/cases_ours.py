"""Benchmark cases of this package, and of bare ONNX Runtime on the model that it exports."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

import cases_gluon
import models_gluon
import numpy as np
import onnxruntime

import gluon_onnx as mx

Step = Callable[[], Any]


def resnet_inference() -> Step:
    """A hybridized ResNet-18 on one image."""
    net = mx.gluon.model_zoo.vision.resnet18_v1()
    net.initialize(mx.init.Xavier())
    net.hybridize()
    x = mx.nd.array(np.random.rand(1, 3, 224, 224))
    for _ in range(5):
        net(x)
    return lambda: net(x)


def bare_inference() -> Step:
    """The same net, exported, in a session of ONNX Runtime with default options."""
    net = mx.gluon.model_zoo.vision.resnet18_v1()
    net.initialize(mx.init.Xavier())
    net.hybridize()
    x = mx.nd.array(np.random.rand(1, 3, 224, 224))
    net(x)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.onnx")
        net.export(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x.asnumpy()}
    return lambda: session.run(None, feed)


CASES = {
    **cases_gluon.cases(mx),
    **models_gluon.cases(mx),
    "ResNet-18 inference": resnet_inference,
    "ResNet-18 inference, bare": bare_inference,
}
