"""Attributes that operators are given beside their parameters."""

from __future__ import annotations

import gluon_onnx as mx


def test_training_hints_of_an_operator_are_attributes_of_it_and_of_the_variables_it_makes() -> None:
    """As in MXNet; a variable that is given keeps its own."""
    bias = mx.sym.var("b", lr_mult=2.0)
    net = mx.sym.FullyConnected(mx.sym.var("x"), bias=bias, num_hidden=3, name="fc", lr_mult=0, wd_mult=0.5)
    hints = {"__lr_mult__": "0", "lr_mult": "0", "__wd_mult__": "0.5", "wd_mult": "0.5"}
    assert net.attr_dict() == {
        "fc": {**hints, "num_hidden": "3"},
        "fc_weight": {**hints, "num_hidden": "3"},
        "b": {"__lr_mult__": "2.0", "lr_mult": "2.0"},
    }
