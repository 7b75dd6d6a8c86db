"""A single-shot detector as a whole: hybridized, exported for any size, trained."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import onnxruntime
import pytest

import gluon_onnx as mx
from gluon_onnx import gluon, nd

STREAM = np.random.RandomState(12)
IMAGES = STREAM.uniform(size=(2, 3, 32, 48)).astype(np.float32)
LABELS = np.float32([[[0, 0.1, 0.1, 0.4, 0.5], [-1] * 5], [[1, 0.3, 0.2, 0.9, 0.8], [2, 0.0, 0.5, 0.3, 0.9]]])


class Detector(gluon.HybridBlock):
    """Two feature maps, three anchors a pixel; gives detections, class scores, movements and anchors."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__(prefix="ssd_")
        self.kinds = classes + 1
        with self.name_scope():
            self.body = gluon.nn.HybridSequential()
            self.body.add(
                gluon.nn.Conv2D(8, 3, strides=2, padding=1),
                gluon.nn.BatchNorm(),
                gluon.nn.Activation("relu"),
                gluon.nn.Conv2D(8, 3, strides=2, padding=1, activation="relu"),
            )
            self.down = gluon.nn.Conv2D(8, 3, strides=2, padding=1, activation="relu")
            self.classes, self.moves = gluon.nn.HybridSequential(), gluon.nn.HybridSequential()
            for _ in range(2):
                self.classes.add(gluon.nn.Conv2D(self.kinds * 3, 3, padding=1))
                self.moves.add(gluon.nn.Conv2D(12, 3, padding=1))

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        near = self.body(x)
        parts: list[tuple[Any, Any, Any]] = []
        for i, (features, sizes) in enumerate(((near, (0.2, 0.3)), (self.down(near), (0.5, 0.7)))):
            flat = [
                F.flatten(F.transpose(layer(features), (0, 2, 3, 1)))
                for layer in (self.classes[i], self.moves[i])
            ]
            anchors = F.contrib.MultiBoxPrior(features, sizes=sizes, ratios=(1, 2))
            parts.append((anchors, *flat))
        anchors, scores, moves = (F.concat(*column, dim=1) for column in zip(*parts, strict=True))
        scores = F.reshape(scores, (0, -1, self.kinds))
        probabilities = F.transpose(F.softmax(scores, axis=-1), (0, 2, 1))
        found = F.contrib.MultiBoxDetection(probabilities, moves, anchors, nms_topk=100, threshold=0.1)
        return found, scores, moves, anchors


def _detector() -> Detector:
    net = Detector()
    mx.random.seed(1)
    net.initialize(mx.init.Xavier(magnitude=20))
    return net


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Detector, pathlib.Path]:
    net = _detector()
    net(nd.array(IMAGES))
    net.hybridize()
    net(nd.array(IMAGES))
    folder = tmp_path_factory.mktemp("detector")
    net.export(folder / "ssd", dynamic_axes={"data": {0: "batch", 2: "height", 3: "width"}})
    return net, folder


@pytest.mark.parametrize("shape", [(2, 3, 32, 48), (1, 3, 40, 40), (5, 3, 64, 16)])
def test_exported(exported: tuple[Detector, pathlib.Path], shape: tuple[int, ...]) -> None:
    """One file detects in any number of images of any size, as the block does."""
    net, folder = exported
    images = np.random.RandomState(sum(shape)).uniform(size=shape).astype(np.float32)
    session = onnxruntime.InferenceSession(folder / "ssd-0000.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: images})[0]
    expected = net(nd.array(images))[0].asnumpy()
    assert (expected[..., 0] >= 0).any()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_imported(exported: tuple[Detector, pathlib.Path]) -> None:
    """MXNet's two files give the block back."""
    net, folder = exported
    block = gluon.SymbolBlock.imports(
        str(folder / "ssd-symbol.json"), ["data"], str(folder / "ssd-0000.params")
    )
    x = nd.array(IMAGES)
    np.testing.assert_allclose(block(x)[0].asnumpy(), net(x)[0].asnumpy(), rtol=1e-4, atol=1e-5)


def test_trained() -> None:
    """Targets follow the predictions, and the loss falls."""
    net = _detector()
    net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.2})
    classify, move = gluon.loss.SoftmaxCrossEntropyLoss(), gluon.loss.HuberLoss()
    losses = []
    for _ in range(12):
        with mx.autograd.record():
            _, scores, moves, anchors = net(nd.array(IMAGES))
            targets, mask, kinds = nd.contrib.MultiBoxTarget(
                anchors,
                nd.array(LABELS),
                nd.transpose(scores, (0, 2, 1)),
                negative_mining_ratio=3.0,
                negative_mining_thresh=0.5,
            )
            loss = classify(scores, kinds, nd.expand_dims(kinds >= 0, 2)) + move(moves * mask, targets * mask)
        loss.backward()
        trainer.step(2)
        losses.append(float(loss.mean().asscalar()))
    assert losses[-1] < 0.5 * losses[0]
