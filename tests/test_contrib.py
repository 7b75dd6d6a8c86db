"""``mx.contrib``, the older address of operators."""

from __future__ import annotations

import gluon_onnx as mx


def test_operators() -> None:
    """Functions of arrays and of symbols are those of ``nd.contrib`` and ``sym.contrib``."""
    anchors = mx.contrib.nd.MultiBoxPrior(mx.nd.zeros((1, 1, 2, 3)), sizes=(0.5,), clip=True)
    assert anchors.shape == (1, 6, 4)
    assert mx.contrib.ndarray is mx.nd.contrib
    symbol = mx.contrib.sym.MultiBoxPrior(mx.sym.Variable("x"), sizes=(0.5,))
    assert symbol.infer_shape(x=(1, 1, 2, 3))[1] == [(1, 6, 4)]
    assert mx.contrib.symbol is mx.sym.contrib
