"""Gradients through sequences: known elements are taken as the tensors that they are, others are named."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest

from gluon_onnx.graph import differentiate
from gluon_onnx.graph.errors import GraphError

_HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
_KNOWN = """agraph (float[4, 3] x, float[2, 3] y) => (float loss) {
    two = Constant <value = int64 {2}> ()
    one = Constant <value = int64 {1}> ()
    zero = Constant <value = int64 {0}> ()
    parts = SplitToSequence <axis = 0> (x, two)
    more = SequenceInsert (parts, y, one)
    less = SequenceErase (more, zero)
    first = SequenceAt (less, zero)
    all = ConcatFromSequence <axis = 1, new_axis = 1> (less)
    square = Mul (all, all)
    sum = ReduceSum <keepdims = 0> (square)
    third = ReduceSum <keepdims = 0> (first)
    loss = Add (sum, third)
}"""
_UNKNOWN = """agraph (float[4, 3] x, int64 i) => (float loss) {
    parts = SplitToSequence <axis = 0> (x)
    part = SequenceAt (parts, i)
    loss = ReduceSum <keepdims = 0> (part)
}"""


def test_known_elements() -> None:
    result = differentiate(onnx.parser.parse_model(_HEAD + _KNOWN), "loss", ["x", "y"])
    session = onnxruntime.InferenceSession(result.SerializeToString(), providers=["CPUExecutionProvider"])
    random = np.random.RandomState(0)
    x, y = random.rand(4, 3).astype("float32"), random.rand(2, 3).astype("float32")
    loss, dx, dy = session.run(None, {"x": x, "y": y})
    np.testing.assert_allclose(loss, (y * y).sum() + (x[2:] * x[2:]).sum() + y.sum(), rtol=1e-5)
    np.testing.assert_allclose(dx, np.concatenate([0 * x[:2], 2 * x[2:]]), rtol=1e-6)
    np.testing.assert_allclose(dy, 2 * y + 1, rtol=1e-6)


def test_unknown_elements_are_named() -> None:
    with pytest.raises(GraphError, match=r"'part' .*has no known rank"):
        differentiate(onnx.parser.parse_model(_HEAD + _UNKNOWN), "loss", ["x"])
