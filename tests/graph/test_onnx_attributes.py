"""Attributes of ONNX nodes as texts of Symbols: nothing is lost, and nothing is believed."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from gluon_onnx.graph.errors import AttributeParseError, GraphError, UnsupportedOperatorError
from gluon_onnx.graph.importers.symbol_json import load_json
from gluon_onnx.graph.lower import lower_symbol
from gluon_onnx.graph.onnx_attributes import read_attribute, write_attribute

BODY = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "body", [], [onnx.ValueInfoProto(name="y")])
ATTRIBUTES: dict[str, Any] = {
    "integer": -3,
    "number": 0.1,
    "whole number": 2.0,
    "not a number": float("nan"),
    "infinite": float("-inf"),
    "integers": [1, -2, 2**62],
    "one integer": [7],
    "numbers": [1.0, 2.5, float("inf")],
    "one number": [1e-30],
    "text": "SAME_UPPER",
    "text like a number": "12",
    "text like a tuple": "(1, 2)",
    "empty text": "",
    "text like ours": "onnx:AAAA",
    "bytes": b"\xff\xfe",
    "texts": ["a", "b"],
    "tensor": numpy_helper.from_array(np.arange(6.0).reshape(2, 3), "t"),
    "texts in a tensor": numpy_helper.from_array(np.array(["a", "b"], object), "t"),
    "graph": BODY,
    "type": helper.make_tensor_type_proto(TensorProto.FLOAT, [1, "n"]),
}


@pytest.mark.parametrize("known", [True, False], ids=["declared", "not declared"])
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_round_trip(name: str, known: bool) -> None:
    attribute = helper.make_attribute("a", ATTRIBUTES[name])
    kind = attribute.type if known else None
    text = write_attribute(attribute, kind)
    assert read_attribute("a", text, kind).SerializeToString() == attribute.SerializeToString()


@pytest.mark.parametrize("kind", [AttributeProto.INTS, AttributeProto.FLOATS, AttributeProto.STRINGS])
def test_empty_list(kind: int) -> None:
    attribute = AttributeProto(name="a", type=kind)
    for declared in (kind, None):
        text = write_attribute(attribute, declared)
        assert read_attribute("a", text, declared) == attribute


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (0.1, "0.1"), ([3, 3], "(3, 3)"), ([1.0], "(1.0,)"), ("reflect", "reflect")],
)
def test_plain_values_are_readable(value: Any, text: str) -> None:
    attribute = helper.make_attribute("a", value)
    assert write_attribute(attribute, attribute.type) == text


def encoded(attribute: AttributeProto) -> str:
    return "onnx:" + base64.b64encode(attribute.SerializeToString()).decode()


EXTERNAL = TensorProto(name="t", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
EXTERNAL.external_data.add(key="location", value="/etc/passwd")
IN_GRAPH = onnx.GraphProto()
IN_GRAPH.CopyFrom(BODY)
IN_GRAPH.initializer.append(EXTERNAL)
SHORT = TensorProto(name="t", data_type=1, dims=[2**40], raw_data=b"\0" * 4)

#: Operator, attribute, text, what is said.
BAD = {
    "no number": ("Concat", "axis", "one", "attribute 'axis': expected INT text, got 'one'"),
    "number for an integer": ("Concat", "axis", "1.5", "attribute 'axis': expected INT text"),
    "code": ("Concat", "axis", "__import__('os').getpid()", "attribute 'axis': expected INT text"),
    "deep": ("Transpose", "perm", "(" * 500 + ")" * 500, "attribute 'perm': expected INTS text"),
    "huge": ("Concat", "axis", "9" * 5000, "attribute 'axis': expected INT text"),
    "out of range": ("Concat", "axis", str(2**63), "attribute 'axis': expected INT text"),
    "tuple of texts": ("Transpose", "perm", "('a', 'b')", "attribute 'perm': expected INTS text"),
    "no base64": ("Constant", "value", "onnx:&&&", "attribute 'value': expected TENSOR text"),
    "no attribute": (
        "Constant",
        "value",
        "onnx:" + base64.b64encode(b"\xff").decode(),
        "expected TENSOR text",
    ),
    "another attribute": (
        "Constant",
        "value",
        encoded(helper.make_attribute("axis", 1)),
        "attribute 'value': expected TENSOR text",
    ),
    "another type": (
        "Constant",
        "value",
        encoded(helper.make_attribute("value", 1)),
        "attribute 'value': expected TENSOR, got INT",
    ),
    "external data": (
        "Constant",
        "value",
        encoded(helper.make_attribute("value", EXTERNAL)),
        "lies in the file '/etc/passwd', but the model itself is not read from a file",
    ),
    "external data in a graph": (
        "If",
        "then_branch",
        encoded(helper.make_attribute("then_branch", IN_GRAPH)),
        "lies in the file '/etc/passwd'",
    ),
    "short tensor": (
        "Constant",
        "value",
        encoded(helper.make_attribute("value", SHORT)),
        r"has the shape \[1099511627776\] of FLOAT, which is 4398046511104 bytes; found 4",
    ),
    "no attribute of it": ("Concat", "axes", "1", "operator onnx.Concat has no parameter 'axes'"),
    "opset": ("Concat", "__opset__", "-1", "expected JSON"),
    "outputs": ("Concat", "__outputs__", "{}", "expected JSON"),
    "absent": ("Concat", "__absent__", "[99999999]", "expected JSON"),
    "captured": ("Concat", "__captured__", "[1]", "expected JSON"),
    "types": ("Concat", "__types__", '["FLOAT[x]"]', "expected JSON"),
}


def symbol_text(op: str, **attrs: str) -> str:
    return json.dumps(
        {
            "nodes": [
                {"op": "null", "name": "x", "inputs": []},
                {"op": f"onnx.{op}", "name": "y", "attrs": attrs, "inputs": [[0, 0, 0]]},
            ],
            "heads": [[1, 0, 0]],
        }
    )


@pytest.mark.parametrize("name", BAD)
def test_attribute_that_does_not_parse(name: str) -> None:
    op, key, text, message = BAD[name]
    with pytest.raises(AttributeParseError, match=message) as caught:
        load_json(symbol_text(op, **{key: text}), "f")
    assert str(caught.value).startswith("f: node 1 'y'")


@pytest.mark.parametrize("op", ["", "Nothing", ".", "Conv2D"])
def test_operator_that_does_not_exist(op: str) -> None:
    with pytest.raises(UnsupportedOperatorError, match="not supported: operator 'onnx"):
        load_json(symbol_text(op))


SPEC = {"x": (np.dtype(np.float32), (2, 3))}

#: Nodes that parse, and cannot be lowered.
WRONG = {
    "lacks an input": ("MatMul", {}, "onnx.MatMul|ONNX MatMul"),
    "lacks an attribute": ("Concat", {}, "ONNX Concat"),
    "more outputs than results": ("Relu", {"__outputs__": '["a", "b"]'}, "1 results for 2 outputs|ONNX Relu"),
    "an opset that it is not in": ("Gelu", {"__opset__": "3"}, "onnx.Gelu of opset 3"),
    "captures that are not there": ("If", {"__captured__": '["a", "b"]'}, r"lacks the inputs \['b'\]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_node_that_cannot_be_lowered(name: str) -> None:
    op, attrs, message = WRONG[name]
    with pytest.raises(GraphError, match=message):
        lower_symbol(load_json(symbol_text(op, **attrs)), SPEC)
