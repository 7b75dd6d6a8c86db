"""Operators whose newest version has no kernel: the model is declared for the last opset that has one."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from gluon_onnx.graph.builder import OPSET, Builder
from gluon_onnx.graph.passes.opsets import LAST_KERNELS
from gluon_onnx.graph.program import Program, finish


def program(op_type: str, swish: bool = False) -> Program:
    """An operator of the table, and if asked for another that is newer than its last kernel."""
    g = Builder()
    x = g.input("x", np.float32, (1, 2, 4, 4))
    if op_type == "RoiAlign":
        boxes, images = g.input("boxes", np.float32, (3, 4)), g.input("images", np.int64, (3,))
        y = g.op(op_type, x, boxes, images, output_height=2, output_width=2)
    else:
        y = g.op(op_type, x)
    return finish(g, [g.op("RMSNormalization", y, g.const(np.ones(y.dims[-1:], np.float32))) if swish else y])


@pytest.mark.parametrize("op_type", LAST_KERNELS)
def test_a_session_can_be_made(op_type: str) -> None:
    model = program(op_type).model
    assert model.opset_import[0].version == LAST_KERNELS[op_type]
    onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def test_nodes_that_are_newer_decide() -> None:
    assert program("RoiAlign", swish=True).model.opset_import[0].version == OPSET


def test_all_others_have_the_pinned_opset() -> None:
    g = Builder()
    model = finish(g, [g.op("Relu", g.input("x", np.float32, (2,)))]).model
    assert model.opset_import[0].version == OPSET
