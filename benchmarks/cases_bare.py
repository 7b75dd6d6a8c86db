"""Benchmark cases of bare ONNX Runtime, on the models that this package exports."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

import models_gluon
import onnxruntime

import gluon_onnx as mx

Step = Callable[[], Any]


def exported(net: Any, x: Any) -> Step:
    """A net's exported model in a session of ONNX Runtime with the default options."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.onnx")
        net.export(path, inputs=[x], dynamic_batch=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x.asnumpy()}
    return lambda: session.run(None, feed)


def resnet18() -> Step:
    """A ResNet-18 on one image."""
    net = mx.gluon.model_zoo.vision.resnet18_v1()
    net.initialize(mx.init.Xavier())
    return exported(net, mx.nd.array(models_gluon.images(1)()))


def find(case: str) -> Callable[[], Step] | None:
    """The case of a name."""
    if case.startswith("pretrained "):
        path, x = models_gluon.pretrained(mx, case)
        return lambda: exported(mx.gluon.SymbolBlock.imports(path, None, models_gluon.params_of(path)), x)
    return resnet18 if case == "ResNet-18 inference" else None
