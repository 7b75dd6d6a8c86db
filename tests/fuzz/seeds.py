"""Small valid files that fuzzing starts from."""

from __future__ import annotations

import pathlib

import onnx
import onnx.parser
from onnx import helper

import gluon_onnx as mx
from gluon_onnx.graph.importers.onnx import import_onnx

__all__ = ["MODELS", "PARAMS", "SYMBOLS"]

_DATA = pathlib.Path(__file__).parents[1] / "data" / "mxnet"

PARAMS = [p.read_bytes() for p in sorted(_DATA.glob("*/*.params")) if p.stat().st_size < 10_000]
SYMBOLS = [p.read_bytes() for p in sorted(_DATA.glob("*/*-symbol.json")) if p.stat().st_size < 10_000]

_TEXTS = [
    """<ir_version: 8, opset_import: ["" : 17]>
    net (float[N,3,8,8] x) => (float[N,5] y)
    <float[4,3,3,3] w = {WEIGHTS:108}, float[4] b = {0.1,0.2,0.3,0.4}, float[4] s = {1,1,1,1}, float[4] v = {1,2,1,2},
     float[4,5] f = {WEIGHTS:20}, int64[2] shape = {0, -1}>
    {
      c = Conv<kernel_shape = [3,3], pads = [1,1,1,1]>(x, w, b)
      n = BatchNormalization(c, s, b, b, v)
      r = Relu(n)
      g = GlobalAveragePool(r)
      m = Reshape(g, shape)
      y = MatMul(m, f)
    }""",
    """<ir_version: 8, opset_import: ["" : 13]>
    net (float[N,M] x, bool c) => (float[N,M] y, int64 k)
    <float[1] one = {1}>
    {
      y = If (c) <then_branch = yes () => (float[N,M] p) { p = Add(x, one) },
                  else_branch = no () => (float[N,M] q) { q = Mul(x, one) }>
      k = Size(y)
    }""",
    """<ir_version: 8, opset_import: ["" : 11]>
    net (float[3,2] x) => (float[2] last, float[3,2] all)
    <float[2] start = {0, 0}>
    {
      last, all = Scan <num_scan_inputs = 1, body = step (float[2] s, float[2] i) => (float[2] t, float[2] o)
        { t = Add(s, i) o = Identity(t) }>(start, x)
    }""",
    """<ir_version: 8, opset_import: ["" : 16]>
    net (float[2] x, int64 count) => (float[2] y)
    {
      go = Constant<value_int = 1>()
      goes = Cast<to = 9>(go)
      y = Loop (count, goes, x) <body = step (int64 i, bool c, float[2] s) => (bool d, float[2] t)
        { d = Identity(c) t = Add(s, s) }>
    }""",
    """<ir_version: 7, opset_import: ["" : 9]>
    net (float[2,3,4] x) => (float[2,12] y, float[2,1,4] z, float[2,3,2] t, int64[2,3,2] i)
    {
      a = Softmax<axis = 1>(x)
      b = Clip<min = 0.0, max = 1.0>(a)
      y = Flatten<axis = 1>(b)
      z = Slice<axes = [1], starts = [0], ends = [1]>(x)
      t, i = TopK<k = 2>(x)
    }""",
    """<ir_version: 9, opset_import: ["" : 20]>
    net (float[N,4] x) => (float[M,4] y)
    {
      half = Constant<value = float {0.5}>()
      two = Constant<value = int64[2] {2, 4}>()
      parts = SplitToSequence<axis = 0, keepdims = 1>(x)
      joined = ConcatFromSequence<axis = 0>(parts)
      shape = Shape(joined)
      first = Gather<axis = 0>(shape, two)
      y = Mul(joined, half)
    }""",
]


def _filled(text: str) -> str:
    for count in (108, 20):
        text = text.replace(f"WEIGHTS:{count}", ", ".join(str(0.01 * i) for i in range(count)))
    return text


def _models() -> list[onnx.ModelProto]:
    found = [onnx.parser.parse_model(_filled(text)) for text in _TEXTS]
    body = onnx.parser.parse_function(
        '<domain: "local", opset_import: ["" : 20]> twice (a) => (b) { c = Add(a, a) b = Relu(c) }'
    )
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            helper.make_node("twice", ["x"], ["h"], domain="local"),
            helper.make_node("Gelu", ["h"], ["g"], domain="com.microsoft"),
            helper.make_node("Add", ["g", "sparse"], ["y"]),
        ],
        "net",
        [info("x", onnx.TensorProto.FLOAT, ["n", 3])],
        [info("y", onnx.TensorProto.FLOAT, ["n", 3])],
    )
    graph.sparse_initializer.append(
        helper.make_sparse_tensor(
            helper.make_tensor("sparse", onnx.TensorProto.FLOAT, [1], [2.0]),
            helper.make_tensor("places", onnx.TensorProto.INT64, [1], [1]),
            [3],
        )
    )
    opsets = [
        helper.make_opsetid("", 20),
        helper.make_opsetid("local", 1),
        helper.make_opsetid("com.microsoft", 1),
    ]
    found.append(helper.make_model(graph, opset_imports=opsets, functions=[body], ir_version=9))
    return found


MODELS = _models()
SYMBOLS += [mx.sym.Symbol(import_onnx(m).symbol.heads).tojson().encode() for m in MODELS]
