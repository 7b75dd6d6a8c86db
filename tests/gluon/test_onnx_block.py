"""SymbolBlocks of ONNX models: run, looked into, trained, put together with other blocks, saved."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper, numpy_helper

import gluon_onnx as mx
from gluon_onnx import autograd, gluon, nd
from gluon_onnx.base import MXNetError
from gluon_onnx.gluon import SymbolBlock, nn

from .onnx_cases import bare_session

RANDOM = np.random.default_rng(0)


def normal(*shape: int, random: np.random.Generator = RANDOM) -> np.ndarray:
    return random.standard_normal(shape).astype(np.float32)


def network() -> onnx.ModelProto:
    """A small classifier as exporters write it: shapes computed in the graph, numbers as nodes."""
    m = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
        net (float[N,3,H,W] image) => (float[N,5] logits)
        {
          c1 = Conv<kernel_shape = [3,3], pads = [1,1,1,1]>(image, conv__weight, conv__bias)
          n1 = BatchNormalization(c1, bn__weight, bn__bias, bn__running_mean, bn__running_var)
          r1 = Relu(n1)
          two = Constant<value = float[4] {1, 1, 2, 2}>()
          empty = Constant<value = float[0] {}>()
          big = Resize<mode = "linear", coordinate_transformation_mode = "half_pixel">(r1, empty, two)
          p1 = AveragePool<kernel_shape = [2,2], strides = [2,2]>(big)
          g = GlobalAveragePool(p1)
          shape = Shape(g)
          zero = Constant<value_int = 0>()
          batch = Gather<axis = 0>(shape, zero)
          axes = Constant<value = int64[1] {0}>()
          first = Unsqueeze(batch, axes)
          rest = Constant<value = int64[1] {-1}>()
          target = Concat<axis = 0>(first, rest)
          flat = Reshape(g, target)
          logits = Gemm<transB = 1>(flat, fc__weight, fc__bias)
        }""")
    random = np.random.default_rng(1)
    weights = {
        "conv.weight": normal(4, 3, 3, 3, random=random) / 5,
        "conv.bias": normal(4, random=random),
        "bn.weight": 1 + normal(4, random=random) / 10,
        "bn.bias": normal(4, random=random) / 10,
        "bn.running_mean": normal(4, random=random) / 10,
        "bn.running_var": 1 + normal(4, random=random) ** 2,
        "fc.weight": normal(5, 4, random=random),
        "fc.bias": normal(5, random=random),
    }
    m.graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in weights.items())
    for i, node in enumerate(m.graph.node):
        node.input[:] = [n.replace("__", ".") for n in node.input]
        node.name = f"{node.op_type}_{i}"
    return m


def written(m: onnx.ModelProto, folder: pathlib.Path) -> str:
    path = folder / "net.onnx"
    path.write_bytes(m.SerializeToString())
    return str(path)


@pytest.fixture
def path(tmp_path: pathlib.Path) -> str:
    return written(network(), tmp_path)


def bare(path: str | bytes, *inputs: Any) -> list[np.ndarray]:
    session = bare_session(path)
    return session.run(None, {i.name: x for i, x in zip(session.get_inputs(), inputs, strict=True)})


def agree(block: Any, path: str | bytes, *inputs: Any, rtol: float = 1e-5) -> None:
    found = block(*(nd.array(x, dtype=x.dtype) for x in inputs))
    found = found if isinstance(found, list) else [found]
    for a, b in zip(found, bare(path, *inputs), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a.asnumpy(), b, rtol=rtol, atol=1e-6)


# -- running -------------------------------------------------------------------------------------


def test_outputs_are_those_of_onnx_runtime(path: str) -> None:
    agree(SymbolBlock.imports(path), path, normal(2, 3, 8, 8))


def test_sizes_change_without_compiling_again(path: str) -> None:
    block = SymbolBlock.imports(path)
    for shape in ((2, 3, 8, 8), (3, 3, 10, 12), (4, 3, 6, 16), (5, 3, 14, 8), (7, 3, 9, 11)):
        agree(block, path, normal(*shape))
    (inference,) = block._compiled._inferences.values()
    assert len({id(e) for e, *_ in inference._executables.values()}) == 2  # the first size, and all others


def test_static_shapes(path: str) -> None:
    block = SymbolBlock.imports(path)
    block.hybridize(static_shape=True)
    for n in (2, 3):
        agree(block, path, normal(n, 3, 8, 8))


def test_parameters(path: str) -> None:
    params = SymbolBlock.imports(path).collect_params()
    weights = {t.name: numpy_helper.to_array(t) for t in network().graph.initializer}
    assert set(params.keys()) == set(weights)
    for name, p in params.items():
        assert p.shape == weights[name].shape and p.dtype == np.float32
        assert p.grad_req == ("null" if "running" in name else "write")


def test_symbol(path: str) -> None:
    symbol = mx.sym.load(path)
    assert symbol.list_outputs() == ["logits"]
    assert symbol.list_arguments()[0] == "image"
    assert symbol.list_auxiliary_states() == ["bn.running_mean", "bn.running_var"]
    shapes, outs, aux = symbol.infer_shape(image=(2, 3, 8, 8))
    assert outs == [(2, 5)] and aux == [(4,), (4,)]
    assert shapes[1] == (4, 3, 3, 3)
    internals = symbol.get_internals()
    assert internals.infer_shape(image=(2, 3, 8, 8))[1][internals.list_outputs().index("p1")] == (2, 4, 8, 8)
    conv = internals["c1"]
    assert (
        conv.name == "Conv_0"
        and conv.attr("kernel_shape") == "(3, 3)"
        and conv.attr("pads") == "(1, 1, 1, 1)"
    )


def test_features_by_name(path: str) -> None:
    symbol = mx.sym.load(path)
    internals = symbol.get_internals()
    whole = SymbolBlock.imports(path)
    features = SymbolBlock(
        [internals["r1"], internals["flat"]], mx.sym.var("image"), params=whole.collect_params()
    )
    m = network()
    m.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("r1", "flat"))
    x = normal(2, 3, 8, 8)
    expected = bare(m.SerializeToString(), x)[1:]
    for a, b in zip(features(nd.array(x)), expected, strict=True):
        np.testing.assert_allclose(a.asnumpy(), b, rtol=1e-5, atol=1e-6)


def test_inputs_by_name(tmp_path: pathlib.Path) -> None:
    m = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
        net (float[N] a, float[N] b) => (float[N] y) <float[2] w = {10, 20}> { t = Mul(a, w) y = Sub(t, b) }""")
    path = written(m, tmp_path)
    a, b = nd.array([1, 2]), nd.array([3, 4])
    assert SymbolBlock.imports(path)(a, b).asnumpy().tolist() == [7, 36]
    assert SymbolBlock.imports(path, ["b", "a"])(b, a).asnumpy().tolist() == [7, 36]
    assert SymbolBlock.imports(path, ["w", "a", "b"])(nd.array([0, 1]), a, b).asnumpy().tolist() == [-3, -2]
    with pytest.raises(
        MXNetError, match=r"has no variables \['c'\] that could be inputs; its inputs are \['a', 'b'\]"
    ):
        SymbolBlock.imports(path, ["a", "b", "c"])
    with pytest.raises(MXNetError, match=r"also has the inputs \['b'\]"):
        SymbolBlock.imports(path, "a")


def test_numbers_as_inputs(tmp_path: pathlib.Path) -> None:
    m = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
        net (float[N] x, float k) => (float[N] y, float s) { y = Mul(x, k) s = ReduceMax<keepdims = 0>(x) }""")
    agree(
        SymbolBlock.imports(written(m, tmp_path)), m.SerializeToString(), normal(3), np.array(2, np.float32)
    )


EDGES = {
    "an input is an output": ("n (float[N] x) => (float[N] x) { y = Neg(x) }", [[1, 2]], ["x"]),
    "an input that nothing reads": (
        "n (float[N] z, float[N] x) => (float[N] y) { y = Neg(x) }",
        [[-1, -2]],
        ["y"],
    ),
    "weights are outputs": (
        "n (float[N] x) => (float[N] y, float[2] w, float k) <float[2] w = {1,2}, float k = {3}> { y = Neg(x) }",
        [[-1, -2], [1, 2], 3],
        ["y", "w", "k"],
    ),
    "no nodes": ("n (float[N] x) => (float[2] w) <float[2] w = {1,2}> { }", [[1, 2]], ["w"]),
    "names like our own": (
        "n (float[N] const) => (float[N] Neg) { const_1 = Neg(const) Neg = Neg(const_1) }",
        [[1, 2]],
        ["Neg"],
    ),
}


@pytest.mark.parametrize("name", EDGES)
def test_unusual_graphs(name: str, tmp_path: pathlib.Path) -> None:
    text, expected, outputs = EDGES[name]
    m = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}')
    path = written(m, tmp_path)
    assert mx.sym.load(path).list_outputs() == outputs
    block = SymbolBlock.imports(path)
    found = block(*(nd.array([1, 2]) for _ in m.graph.input))
    assert [y.asnumpy().tolist() for y in (found if isinstance(found, list) else [found])] == expected
    block.export(str(tmp_path / "again.onnx"))


def test_a_name_that_is_taken(tmp_path: pathlib.Path) -> None:
    m = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> n (float[N] random_key) => (float[N] y) { y = Neg(random_key) }'
    )
    with pytest.raises(MXNetError, match="rename 'random_key'"):
        SymbolBlock.imports(written(m, tmp_path))


# -- training ------------------------------------------------------------------------------------


def test_gradients(tmp_path: pathlib.Path) -> None:
    """Against central differences in double precision, at two sizes, for every parameter that learns."""
    m = network()
    for v in (*m.graph.input, *m.graph.output):
        v.type.tensor_type.elem_type = TensorProto.DOUBLE
    for t in m.graph.initializer:
        t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float64), t.name))
    block = SymbolBlock.imports(written(m, tmp_path))
    block.hybridize(static_shape=True)  # a linear Resize in double precision is written out for one size
    params = [p for p in block.collect_params().values() if p.grad_req == "write"]
    assert len(params) == 6
    for shape in ((2, 3, 8, 8), (3, 3, 6, 10)):
        x, head = (
            nd.array(RANDOM.random(shape), dtype="float64"),
            nd.array(RANDOM.random((shape[0], 5)), dtype="float64"),
        )
        with autograd.record():
            loss = (block(x) * head).sum()
        loss.backward()
        for p in params:
            start, gradient = p.data().copy(), p.grad().asnumpy()
            direction = RANDOM.standard_normal(p.shape)
            ends = []
            for step in (1e-6, -1e-6):
                p.set_data(start + step * nd.array(direction, dtype="float64"))
                ends.append((block(x) * head).sum().asscalar())
            p.set_data(start)
            np.testing.assert_allclose((gradient * direction).sum(), (ends[0] - ends[1]) / 2e-6, rtol=1e-5)


def test_fine_tuning(path: str) -> None:
    """The loss falls, running statistics stay, and the new weights are those of the next inference."""
    block = SymbolBlock.imports(path)
    trainer = gluon.Trainer(block.collect_params(), "adam", {"learning_rate": 0.05})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    kinds = np.arange(10) % 5
    x, labels = nd.array(normal(10, 3, 6, 6) + kinds[:, None, None, None]), nd.array(kinds)
    before = block(x).asnumpy()
    mean = block.collect_params()["bn.running_mean"].data().asnumpy()
    losses = []
    for _ in range(20):
        with autograd.record():
            loss = loss_of(block(x), labels)
        loss.backward()
        trainer.step(10)
        losses.append(loss.mean().asscalar())
    assert losses[-1] < 0.7 * losses[0]
    np.testing.assert_array_equal(block.collect_params()["bn.running_mean"].data().asnumpy(), mean)
    after = block(x)
    assert np.abs(after.asnumpy() - before).max() > 0.1
    np.testing.assert_allclose(
        loss_of(after, labels).mean().asscalar(), loss_of(block(x), labels).mean().asscalar()
    )


def test_part_of_another_block(path: str) -> None:
    net = nn.HybridSequential()
    net.add(SymbolBlock.imports(path), nn.Dense(2))
    net[1].initialize()
    net.hybridize()
    x = nd.array(normal(2, 3, 8, 8))
    dense = net[1]
    expected = dense(net[0](x)).asnumpy()
    np.testing.assert_allclose(net(x).asnumpy(), expected, rtol=1e-5, atol=1e-6)
    with autograd.record():
        y = net(x).sum()
    y.backward()
    assert np.abs(net[0].collect_params()["conv.weight"].grad().asnumpy()).max() > 0


# -- saving --------------------------------------------------------------------------------------


def test_saved_as_onnx(path: str, tmp_path: pathlib.Path) -> None:
    block = SymbolBlock.imports(path)
    x = normal(2, 3, 8, 8)
    block(nd.array(x))
    target = str(tmp_path / "again.onnx")
    block.export(target)
    m = onnx.load(target)
    assert [v.name for v in m.graph.input] == ["image"] and [v.name for v in m.graph.output] == ["logits"]
    assert {t.name for t in m.graph.initializer} >= {"conv.weight", "bn.running_var", "fc.bias"}
    y = normal(5, 3, 8, 8)  # another batch
    np.testing.assert_allclose(bare(target, y)[0], bare(path, y)[0], rtol=1e-5, atol=1e-6)
    agree(SymbolBlock.imports(target), path, y)


def test_saved_in_mxnets_files(path: str, tmp_path: pathlib.Path) -> None:
    block = SymbolBlock.imports(path)
    x = normal(2, 3, 8, 8)
    block(nd.array(x))
    block.export(str(tmp_path / "again"))
    again = SymbolBlock.imports(
        str(tmp_path / "again-symbol.json"), "image", str(tmp_path / "again-0000.params")
    )
    agree(again, path, x)
    found = SymbolBlock.imports(
        str(tmp_path / "again-symbol.json"), None, str(tmp_path / "again-0000.params")
    )
    agree(found, path, normal(3, 3, 8, 8))


def test_parameters_of_a_file_replace_those_of_the_model(path: str, tmp_path: pathlib.Path) -> None:
    block = SymbolBlock.imports(path)
    block.collect_params()["fc.bias"].set_data(nd.array([1, 2, 3, 4, 5]))
    file = str(tmp_path / "tuned.params")
    block.collect_params().save(file)
    x = nd.array(normal(1, 3, 8, 8))
    again = SymbolBlock.imports(path, param_file=file)
    np.testing.assert_array_equal(again(x).asnumpy(), block(x).asnumpy())


def test_a_file_that_is_there_survives_a_failing_export(path: str) -> None:
    content = pathlib.Path(path).read_bytes()
    block = SymbolBlock.imports(path)
    block(nd.array(normal(2, 3, 8, 8)))
    with pytest.raises(MXNetError):
        block.export(path, opset=99)
    assert pathlib.Path(path).read_bytes() == content
    block.export(path)
    agree(SymbolBlock.imports(path), content, normal(2, 3, 8, 8))


def test_external_data(tmp_path: pathlib.Path) -> None:
    m = network()
    x = normal(2, 3, 8, 8)
    content = m.SerializeToString()
    path = str(tmp_path / "net.onnx")
    onnx.save(m, path, save_as_external_data=True, location="net.bin", size_threshold=0)
    agree(SymbolBlock.imports(path), content, x)


# -- what else models have -----------------------------------------------------------------------

MODELS = {
    "if with outer values": (
        """<ir_version: 8, opset_import: ["" : 13]>
        net (float[N,M] x, bool c) => (float[N,M] y) <float[1] one = {3}>
        { h = Relu(x)
          y = If (c) <then_branch = yes () => (float[N,M] p) { p = Add(h, one) },
                      else_branch = no () => (float[N,M] q) { q = Mul(h, one) }> }""",
        [(normal(2, 3), np.array(True)), (normal(4, 3), np.array(False))],
    ),
    "if known from shapes": (
        """<ir_version: 8, opset_import: ["" : 13]>
        net (float[N,M] x) => (float[N,M] y) <int64[1] axis = {0}>
        { s = Size(x) k = Constant<value_int = 6>() c = Equal(s, k)
          y = If (c) <then_branch = yes () => (float[N,M] p) { p = Neg(x) },
                      else_branch = no () => (float[N,M] q) { q = Exp(x) }> }""",
        [(normal(2, 3),), (normal(4, 3),), (normal(3, 2),)],
    ),
    "loop with a growing sum": (
        """<ir_version: 8, opset_import: ["" : 16]>
        net (float[N] x, int64 count) => (float[N] y, float[K,N] steps) <float[1] two = {2}>
        { go = Constant<value = bool {1}>()
          y, steps = Loop (count, go, x) <body = step (int64 i, bool c, float[N] s) => (bool d, float[N] t, float[N] o)
            { d = Identity(c) t = Mul(s, two) o = Neg(t) }> }""",
        [(normal(3), np.array(2)), (normal(4), np.array(3))],
    ),
    "scan": (
        """<ir_version: 8, opset_import: ["" : 11]>
        net (float[T,2] x) => (float[2] last, float[T,2] all) <float[2] start = {0, 0}>
        { last, all = Scan <num_scan_inputs = 1, body = step (float[2] s, float[2] i) => (float[2] t, float[2] o)
            { t = Add(s, i) o = Identity(t) }>(start, x) }""",
        [(normal(3, 2),), (normal(5, 2),)],
    ),
    "sequences inside": (
        """<ir_version: 9, opset_import: ["" : 20]>
        net (float[N,4] x) => (float[N,4] y)
        { n = Constant<value_int = -1>()
          parts = SplitToSequence<axis = 0, keepdims = 1>(x) last = SequenceAt(parts, n)
          more = SequenceInsert(parts, last) joined = ConcatFromSequence<axis = 0>(more) y = Neg(joined) }""",
        [(normal(2, 4),), (normal(3, 4),)],
    ),
    "texts inside": (
        """<ir_version: 9, opset_import: ["" : 20]>
        net (float[N] x) => (float[N] y)
        { t = Cast<to = 8>(x) y = Cast<to = 1>(t) }""",
        [(np.array([1.5, -2], np.float32),), (np.array([3], np.float32),)],
    ),
    "optionals inside": (
        """<ir_version: 9, opset_import: ["" : 18]>
        net (float[N] x) => (float[N] y, bool has)
        { o = Optional(x) has = OptionalHasElement(o) y = OptionalGetElement(o) }""",
        [(normal(3),), (normal(4),)],
    ),
    "sizes that follow from values": (
        """<ir_version: 8, opset_import: ["" : 17]>
        net (float[N] x, int64[2] shape) => (float[A,B] y, int64[1,C] places)
        { y = Reshape(x, shape) places = NonZero(x) }""",
        [(normal(6), np.array([2, 3])), (np.array([0, 1, 0, 2], np.float32), np.array([4, 1]))],
    ),
    "another domain": (
        """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1, "ai.onnx.ml" : 3]>
        net (float[N,4] x) => (float[N,M] y) <int64[2] which = {2, 0}>
        { g = com.microsoft.Gelu(x) h = com.microsoft.FusedMatMul<alpha = 0.5, transB = 1>(g, x)
          y = ai.onnx.ml.ArrayFeatureExtractor(g, which) }""",
        [(normal(2, 4),), (normal(3, 4),)],
    ),
    "inputs and outputs left out": (
        """<ir_version: 8, opset_import: ["" : 17]>
        net (float[N,4] x) => (int64[N,2] y, float[N,4] d) <int64[1] k = {2}, float two = {2}>
        { v, y = TopK(x, k) d = Clip(x, , two) }""",
        [(normal(2, 4),), (normal(3, 4),)],
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_model(name: str, tmp_path: pathlib.Path) -> None:
    """Outputs at several sizes, and again after the symbol has been through JSON."""
    text, calls = MODELS[name]
    m = onnx.parser.parse_model(text)
    path = written(m, tmp_path)
    block = SymbolBlock.imports(path)
    symbol = mx.sym.load_json(mx.sym.load(path).tojson())
    inputs = [mx.sym.var(v.name) for v in m.graph.input]
    again = SymbolBlock(symbol, inputs, params=block.collect_params())
    for arrays in calls:
        agree(block, path, *arrays)
        agree(again, path, *arrays)


OLD = {
    "Softmax 11": ("opset 11: y = Softmax<axis = 1>(x)", (2, 3, 4)),
    "LogSoftmax 11, last axis": ("opset 11: y = LogSoftmax<axis = 2>(x)", (2, 3, 4)),
    "Hardmax 11": ("opset 11: y = Hardmax<axis = 1>(x)", (2, 3, 4)),
    "Squeeze 11": ("opset 11: y = Squeeze<axes = [1]>(x)", (2, 1, 4)),
    "Unsqueeze 11": ("opset 11: y = Unsqueeze<axes = [0, 2]>(x)", (2, 4)),
    "ReduceSum 11": ("opset 11: y = ReduceSum<axes = [0, 2], keepdims = 0>(x)", (2, 3, 4)),
    "ReduceMean 17": ("opset 17: y = ReduceMean<axes = [-1]>(x)", (2, 3, 4)),
    "ReduceMax 12": ("opset 12: y = ReduceMax(x)", (2, 3, 4)),
    "Clip 7": ("opset 7: y = Clip<min = -0.5, max = 0.5>(x)", (2, 3)),
    "Clip 7, no upper bound": ("opset 7: y = Clip<min = -0.5>(x)", (2, 3)),
    "Pad 7": ("opset 7: y = Pad<pads = [0, 1, 2, 0], value = 3.0>(x)", (2, 3)),
    "Pad 9, reflect": ('opset 9: y = Pad<pads = [0, 1, 0, 1], mode = "reflect">(x)', (2, 3)),
    "Slice 9": ("opset 9: y = Slice<axes = [1], starts = [1], ends = [-1]>(x)", (2, 5)),
    "Slice 9, all axes": ("opset 9: y = Slice<starts = [1, 1], ends = [2, 9]>(x)", (2, 5)),
    "TopK 9": ("opset 9: y, i = TopK<k = 2, axis = 1>(x)", (2, 5)),
    "Split 11": ("opset 11: y, i = Split<axis = 1, split = [2, 3]>(x)", (2, 5)),
    "Split 11, equal": ("opset 11: y, i = Split<axis = 1>(x)", (2, 6)),
    "Split 13, equal": ("opset 13: y, i = Split<axis = 1>(x)", (2, 6)),
    "Dropout 7": ("opset 7: y, i = Dropout<ratio = 0.3>(x)", (2, 3)),
    "Dropout 10": ("opset 10: y = Dropout<ratio = 0.3>(x)", (2, 3)),
    "Upsample 7": ('opset 7: y = Upsample<mode = "nearest", scales = [1.0, 1.0, 2.0, 3.0]>(x)', (1, 2, 3, 4)),
    "Upsample 9": (
        's = Constant<value = float[4] {1, 1, 2, 2}>() opset 9: y = Upsample<mode = "linear">(x, s)',
        (1, 2, 3, 4),
    ),
    "Resize 10": (
        's = Constant<value = float[4] {1, 1, 1.5, 0.6}>() opset 10: y = Resize<mode = "nearest">(x, s)',
        (1, 2, 4, 5),
    ),
    "Resize 10, linear": (
        's = Constant<value = float[4] {1, 1, 1.5, 2}>() opset 10: y = Resize<mode = "linear">(x, s)',
        (1, 2, 4, 5),
    ),
    "GroupNormalization 18": (
        "s = Constant<value = float[2] {1, 2}>() b = Constant<value = float[2] {3, 4}>() "
        "opset 18: y = GroupNormalization<num_groups = 2>(x, s, b)",
        (2, 4, 3),
    ),
    "BatchNormalization 7": (
        "s = Constant<value = float[2] {1, 2}>() opset 7: y = BatchNormalization(x, s, s, s, s)",
        (3, 2, 4),
    ),
    "DFT 17": ("opset 17: y = DFT<axis = 1>(x)", (1, 4, 1)),
    "Flatten 8": ("opset 8: y = Flatten<axis = 2>(x)", (2, 3, 4)),
    "BatchNormalization 9": (
        "s = Constant<value = float[2] {1, 2}>() opset 9: y = BatchNormalization(x, s, s, s, s)",
        (3, 2, 4),
    ),
    "Gemm 9": ("opset 9: c = Constant<value = float[1] {2}>() y = Gemm<transB = 1>(x, x, c)", (2, 3)),
}


@pytest.mark.parametrize("name", OLD)
def test_forms_of_older_opsets(name: str, tmp_path: pathlib.Path) -> None:
    """What a node of an old opset means is what ONNX Runtime makes of it in a model of that opset."""
    text, shape = OLD[name]
    before, _, rest = text.partition("opset ")
    version, _, line = rest.partition(":")
    declared = (
        "float y" if "y, i" not in line else "float y, int64 i" if "TopK" in line else "float y, float i"
    )
    m = onnx.parser.parse_model(
        f'<ir_version: 7, opset_import: ["" : {version}]> net (float[{",".join(map(str, shape))}] x) => ({declared}) '
        f"{{ {before} {line} }}"
    )
    for v in m.graph.output:
        v.type.tensor_type.ClearField("shape")
    for v, y in zip(m.graph.output, bare(m.SerializeToString(), normal(*shape)), strict=True):
        v.type.tensor_type.shape.dim.extend(onnx.TensorShapeProto.Dimension() for _ in y.shape)
    agree(SymbolBlock.imports(written(m, tmp_path)), m.SerializeToString(), normal(*shape))


def test_gradient_of_a_scan_and_an_if(tmp_path: pathlib.Path) -> None:
    text, _ = MODELS["scan"]
    block = SymbolBlock.imports(written(onnx.parser.parse_model(text), tmp_path))
    x = nd.array(normal(3, 2))
    x.attach_grad()
    with autograd.record():
        last, every = block(x)
        loss = last.sum() + every.sum()
    loss.backward()
    np.testing.assert_allclose(x.grad.asnumpy(), [[4, 4], [3, 3], [2, 2]])
    text, calls = MODELS["if with outer values"]
    block = SymbolBlock.imports(written(onnx.parser.parse_model(text), tmp_path))
    values, yes = nd.array(calls[0][0]), nd.array(calls[0][1], dtype=bool)
    values.attach_grad()
    for condition, slope in ((yes, 1), (nd.array(np.array(False), dtype=bool), 3)):
        with autograd.record():
            loss = block(values, condition).sum()
        loss.backward()
        np.testing.assert_allclose(values.grad.asnumpy(), slope * (calls[0][0] > 0))


def test_a_gradient_that_does_not_exist_is_named(tmp_path: pathlib.Path) -> None:
    text, calls = MODELS["another domain"]
    block = SymbolBlock.imports(written(onnx.parser.parse_model(text), tmp_path))
    x = nd.array(calls[0][0])
    x.attach_grad()
    with pytest.raises(MXNetError, match="no gradient rule for the ONNX operator"), autograd.record():
        block(x).backward()


def test_sizes_behind_a_model_are_inferred(tmp_path: pathlib.Path) -> None:
    onnx.save(network(), tmp_path / "net.onnx")
    weight = mx.sym.var(
        "head_weight", shape=(2, 0)
    )  # one size is open, as in a Dense that was not called yet
    whole = mx.sym.FullyConnected(
        mx.sym.load(str(tmp_path / "net.onnx")), weight, num_hidden=2, no_bias=True, name="head"
    )
    shapes, outputs, _ = whole.infer_shape(image=(2, 3, 8, 8))
    found = dict(zip(whole.list_arguments(), shapes, strict=True))
    assert (found["head_weight"], outputs) == ((2, 5), [(2, 2)])


# -- MXNet's own functions -----------------------------------------------------------------------


def test_import_model(path: str) -> None:
    from gluon_onnx.contrib import onnx as functions

    symbol, args, aux = functions.import_model(path)
    assert set(args) | {"image"} == set(symbol.list_arguments())
    assert set(aux) == {"bn.running_mean", "bn.running_var"} == set(symbol.list_auxiliary_states())
    x = normal(2, 3, 8, 8)
    executor = symbol.bind(mx.cpu(), {"image": nd.array(x), **args}, aux_states=aux, grad_req="null")
    (expected,) = bare(path, x)
    np.testing.assert_allclose(executor.forward()[0].asnumpy(), expected, rtol=1e-5, atol=1e-6)
    agree(functions.import_to_gluon(path, mx.cpu()), path, x)
    assert functions.get_model_metadata(path) == {
        "input_tensor_data": [("image", (0, 3, 0, 0))],
        "output_tensor_data": [("logits", (0, 5))],
    }
