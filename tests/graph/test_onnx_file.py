"""Bad ONNX models: one clear error that names the file and the place, whatever is wrong."""

from __future__ import annotations

import os
import pathlib
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper, numpy_helper

from gluon_onnx.graph.dims import Dim
from gluon_onnx.graph.errors import FormatError, GraphError, UnsupportedOperatorError
from gluon_onnx.graph.exporters.symbol_json import to_json
from gluon_onnx.graph.importers.onnx import OnnxModel, import_onnx, read_onnx
from gluon_onnx.graph.importers.symbol_json import load_json
from gluon_onnx.graph.lower import lower_symbol

TEXT = """<ir_version: 8, opset_import: ["" : 17]>
net (float[N,4] x) => (float[N,3] y)
<float[4,3] w = {1,2,3,4,5,6,7,8,9,10,11,12}>
{
  h = Relu(x)
  m = MatMul(h, w)
  y = Neg(m)
}"""


def model() -> onnx.ModelProto:
    return onnx.parser.parse_model(TEXT)


def written(proto: onnx.ModelProto, folder: pathlib.Path) -> str:
    path = folder / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    return str(path)


# -- files ---------------------------------------------------------------------------------------

CONTENTS = {
    "empty": (b"", "the file is empty"),
    "text": (b"# a model", "no protocol buffer, or are cut off"),
    "json": (b'{"nodes": []}', "no protocol buffer, or are cut off"),
    "cut off": (model().SerializeToString()[:-7], "no protocol buffer, or are cut off"),
    "another message": (TensorProto(dims=[3], data_type=1).SerializeToString(), "no IR version or no graph"),
    "no graph": (b"\x08\x08", "no IR version or no graph"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_file_that_is_no_model(name: str, tmp_path: pathlib.Path) -> None:
    content, message = CONTENTS[name]
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message) as caught:
        import_onnx(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_missing_file(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        import_onnx(tmp_path / "none.onnx")


def test_no_prefix_of_a_file_is_a_file(tmp_path: pathlib.Path) -> None:
    content = model().SerializeToString()
    path = tmp_path / "net.onnx"
    for n in range(len(content)):
        path.write_bytes(content[:n])
        with pytest.raises(GraphError):
            import_onnx(path)


# -- structure -----------------------------------------------------------------------------------


def cycle(m: onnx.ModelProto) -> None:
    m.graph.node[0].input[0] = "m"


def itself(m: onnx.ModelProto) -> None:
    m.graph.node[1].input[0] = "m"


def dangling(m: onnx.ModelProto) -> None:
    m.graph.node[1].input[0] = "nowhere"


def no_result(m: onnx.ModelProto) -> None:
    m.graph.output[0].name = "z"


def outputs_of_one_name(m: onnx.ModelProto) -> None:
    m.graph.node[1].output[0] = "h"


def output_like_an_input(m: onnx.ModelProto) -> None:
    m.graph.node[0].output[0] = "x"


def output_like_a_weight(m: onnx.ModelProto) -> None:
    m.graph.node[0].output[0] = "w"


def weights_of_one_name(m: onnx.ModelProto) -> None:
    m.graph.initializer.append(m.graph.initializer[0])


def inputs_of_one_name(m: onnx.ModelProto) -> None:
    m.graph.input.append(m.graph.input[0])


def nameless_weight(m: onnx.ModelProto) -> None:
    m.graph.initializer[0].name = ""


def no_operator(m: onnx.ModelProto) -> None:
    m.graph.node[2].op_type = ""


def no_outputs(m: onnx.ModelProto) -> None:
    del m.graph.output[:]


def no_opset(m: onnx.ModelProto) -> None:
    del m.opset_import[:]


def two_opsets(m: onnx.ModelProto) -> None:
    m.opset_import.append(helper.make_opsetid("ai.onnx", 12))


def attributes_of_one_name(m: onnx.ModelProto) -> None:
    m.graph.node[0].attribute.extend([helper.make_attribute("a", 1)] * 2)


def unknown_attribute(m: onnx.ModelProto) -> None:
    m.graph.node[0].attribute.append(helper.make_attribute("slope", 1))


def too_many_inputs(m: onnx.ModelProto) -> None:
    m.graph.node[0].input.append("w")


def reference_to_nothing(m: onnx.ModelProto) -> None:
    m.graph.node[0].attribute.append(onnx.AttributeProto(name="a", ref_attr_name="b", type=1))


def untyped_input(m: onnx.ModelProto) -> None:
    m.graph.input[0].ClearField("type")


def sequence_input(m: onnx.ModelProto) -> None:
    elements = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    m.graph.input.append(helper.make_value_info("s", helper.make_sequence_type_proto(elements)))


def text_output(m: onnx.ModelProto) -> None:
    m.graph.node.append(helper.make_node("Constant", [], ["t"], value_string="a"))
    m.graph.output.append(helper.make_tensor_value_info("t", TensorProto.STRING, []))


def unknown_type(m: onnx.ModelProto) -> None:
    m.graph.input[0].type.tensor_type.elem_type = 99


def large_input(m: onnx.ModelProto) -> None:
    m.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", 1, [2**40, 2**40]))


STRUCTURES: dict[Callable[[onnx.ModelProto], None], str] = {
    cycle: "node 0 '' \\(Relu\\): input 0, 'm', is made by node 1 '': the nodes form a cycle or are not in order",
    itself: "node 1 '' \\(MatMul\\): input 0, 'm', is made by node 1 '': the nodes form a cycle",
    dangling: "node 1 '' \\(MatMul\\): input 0, 'nowhere', is made by nothing",
    no_result: "output 0, 'z', is made by no node",
    outputs_of_one_name: "node 1 '' \\(MatMul\\): output 0, 'h', is made by node 0 '' already",
    output_like_an_input: "node 0 '' \\(Relu\\): output 0, 'x', is made by input 0 already",
    output_like_a_weight: "node 0 '' \\(Relu\\): output 0, 'w', is made by the initializer 'w' already",
    weights_of_one_name: "two initializers have the name 'w'",
    inputs_of_one_name: "input 1 has the name 'x', which is empty or that of another one",
    nameless_weight: "two initializers have the name '', or it is empty",
    no_operator: "node 2 '' \\(\\) has no operator",
    no_outputs: "the graph has no outputs",
    no_opset: "found no opset",
    two_opsets: "the opset of the domain 'ai.onnx' is 12, or is given twice",
    attributes_of_one_name: "node 0 '' \\(Relu\\) has two attributes 'a'",
    unknown_attribute: "not a valid ONNX model: .*slope",
    too_many_inputs: "not a valid ONNX model: .*Relu",
    reference_to_nothing: "attribute 'a' refers to one of a function",
    untyped_input: "the input or output 'x' has no type",
    sequence_input: "'s' is Sequence.* must be tensors of numbers",
    text_output: "'t' is STRING.* must be tensors of numbers",
    unknown_type: "the value 'x' has the element type 99, which does not exist",
    large_input: "the value 'x' has the shape .* which is too large",
}


@pytest.mark.parametrize("change", STRUCTURES, ids=lambda f: f.__name__)
def test_graph_that_is_not_valid(change: Callable[[onnx.ModelProto], None], tmp_path: pathlib.Path) -> None:
    m = model()
    change(m)
    path = written(m, tmp_path)
    with pytest.raises(FormatError, match=f"(?s){STRUCTURES[change]}") as caught:
        import_onnx(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_all_unknown_operators_at_once(tmp_path: pathlib.Path) -> None:
    m = model()
    m.opset_import[0].version = 28
    m.graph.node[0].CopyFrom(
        helper.make_node("LinearAttention", ["x"] * 3, ["h", "h2"], q_num_heads=1, kv_num_heads=1)
    )
    m.graph.node.append(helper.make_node("SwiGLU", ["y", "y"], ["z"]))
    with pytest.raises(UnsupportedOperatorError, match=r"onnx\.LinearAttention.*'h'.*onnx\.SwiGLU.*'z'"):
        import_onnx(written(m, tmp_path))


# -- tensors -------------------------------------------------------------------------------------


def tensor(**fields: Any) -> TensorProto:
    return TensorProto(**{"name": "w", "data_type": TensorProto.FLOAT, "dims": [4, 3], **fields})


TENSORS = {
    "too few bytes": (
        tensor(raw_data=b"\0" * 47),
        r"the shape \[4, 3\] of FLOAT, which is 48 bytes; found 47",
    ),
    "too many bytes": (tensor(raw_data=b"\0" * 49), "48 bytes; found 49"),
    "too few numbers": (tensor(float_data=[1.0] * 11), "initializer 'w'"),
    "nothing": (tensor(), r"initializer 'w' has the shape \[4, 3\]"),
    "huge": (tensor(dims=[2**31, 2**20], raw_data=b"\0" * 4), "initializer 'w' has the shape"),
    "overflow": (tensor(dims=[2**40, 2**40], raw_data=b"\0" * 4), "which is too large"),
    "negative": (tensor(dims=[-4, -3], raw_data=b"\0" * 48), "which is negative"),
    "too many axes": (tensor(dims=[1] * 65, raw_data=b"\0" * 4), "which is too large"),
    "no type": (tensor(data_type=0, raw_data=b"\0" * 48), "has no element type"),
    "no such type": (
        tensor(data_type=77, raw_data=b"\0" * 48),
        "has the element type 77, which does not exist",
    ),
    "another field": (tensor(int64_data=[1] * 12), "initializer 'w'"),
    "segments": (
        tensor(raw_data=b"\0" * 48, segment=TensorProto.Segment(begin=0, end=1)),
        "stored in segments",
    ),
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensor_that_is_not_what_it_claims(name: str, tmp_path: pathlib.Path) -> None:
    proto, message = TENSORS[name]
    m = model()
    m.graph.initializer[0].CopyFrom(proto)
    path = written(m, tmp_path)
    tracemalloc.start()
    with pytest.raises(FormatError, match=message) as caught:
        import_onnx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(caught.value).startswith(f"{path}: ")
    assert peak < 500_000


def test_sparse_tensor_of_a_huge_shape(tmp_path: pathlib.Path) -> None:
    m = model()
    values, places = tensor(dims=[1], float_data=[1.0]), helper.make_tensor("i", TensorProto.INT64, [1], [0])
    del m.graph.initializer[:]
    m.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [2**30, 2**30]))
    with pytest.raises(
        FormatError, match=r"the sparse initializer 'w' has the shape .*at most 16777216 elements"
    ):
        import_onnx(written(m, tmp_path))


def test_sparse_tensor() -> None:
    m = model()
    values = tensor(dims=[2], float_data=[5.0, 6.0])
    places = helper.make_tensor("i", TensorProto.INT64, [2, 2], [0, 1, 3, 2])
    del m.graph.initializer[:]
    m.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4, 3]))
    expected = np.zeros((4, 3), np.float32)
    expected[0, 1], expected[3, 2] = 5, 6
    np.testing.assert_array_equal(import_onnx(m).params["w"], expected)


# -- external data -------------------------------------------------------------------------------


def external(location: str, **entries: Any) -> onnx.ModelProto:
    m = model()
    w = m.graph.initializer[0]
    w.ClearField("float_data")
    w.ClearField("raw_data")
    w.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        w.external_data.add(key=key, value=str(value))
    return m


WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.mark.parametrize("location", ["w.bin", "data/w.bin", "./w.bin"])
def test_external_data(location: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / location).write_bytes(b"12345678" + WEIGHT.tobytes())
    read = import_onnx(written(external(location, offset=8, length=48), tmp_path))
    np.testing.assert_array_equal(read.params["w"], WEIGHT)


def links(folder: pathlib.Path) -> None:
    outside = folder.parent / f"{folder.name}-outside"
    outside.mkdir()
    (outside / "w.bin").write_bytes(WEIGHT.tobytes())
    os.symlink(outside / "w.bin", folder / "link.bin")
    os.symlink(outside, folder / "linked")
    os.mkfifo(folder / "pipe")
    (folder / "short.bin").write_bytes(b"\0" * 47)
    (folder / "good.bin").write_bytes(WEIGHT.tobytes())
    (folder / "folder").mkdir()


EXTERNAL = {
    "../outside/w.bin": ({}, "not a path inside of the model's folder"),
    "data/../../w.bin": ({}, "not a path inside of the model's folder"),
    "/etc/passwd": ({}, "not a path inside of the model's folder"),
    "..\\w.bin": ({}, "not a path inside of the model's folder"),
    "C:\\w.bin": ({}, "not a path inside of the model's folder"),
    "": ({}, "not a path inside of the model's folder"),
    "a\0b": ({}, "not a path inside of the model's folder"),
    "link.bin": ({}, "which is a symbolic link"),
    "linked/w.bin": ({}, "which leads through a symbolic link"),
    "pipe": ({}, "which is no regular file"),
    "folder": ({}, "which (is no regular file|cannot be read)"),
    "none.bin": ({}, "which cannot be read: No such file"),
    "short.bin": ({}, "lies at bytes 0 to 48 of 'short.bin', which has 47"),
    "good.bin": ({"offset": 8}, "lies at bytes 8 to 56 of 'good.bin', which has 48"),
    "./good.bin": ({"offset": "-8"}, "has the offset '-8' of external data, expected a number"),
    "././good.bin": ({"length": 47}, r"has 47 bytes of external data, \[4, 3\] of FLOAT are 48"),
    "./././good.bin": ({"offset": "9" * 30}, "of external data, expected a number"),
}


@pytest.mark.parametrize("location", EXTERNAL)
def test_external_data_that_is_refused(location: str, tmp_path: pathlib.Path) -> None:
    entries, message = EXTERNAL[location]
    links(tmp_path)
    path = written(external(location, **entries), tmp_path)
    with pytest.raises(FormatError, match=f"the tensor 'w' .*{message}"):
        import_onnx(path)


def test_external_data_in_a_subgraph_and_an_attribute(tmp_path: pathlib.Path) -> None:
    """Wherever a tensor is, its place is checked."""
    m = model()
    weight = external("../w.bin").graph.initializer[0]
    m.graph.node.insert(0, helper.make_node("Constant", [], ["k"], value=weight))
    with pytest.raises(FormatError, match="not a path inside of the model's folder"):
        import_onnx(written(m, tmp_path))
    weight.external_data[0].value = "w.bin"
    m.graph.node[0].attribute[0].t.CopyFrom(weight)
    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes())
    m.graph.node[2].input[1] = "k"
    (constant,) = [n for n in import_onnx(written(m, tmp_path)).symbol.nodes() if n.name == "k"]
    assert constant.op is not None and constant.op.name == "onnx.Constant"


def test_a_model_in_memory_has_no_external_data() -> None:
    with pytest.raises(FormatError, match="the model itself is not read from a file"):
        import_onnx(external("w.bin"))


# -- functions -----------------------------------------------------------------------------------


def with_functions(*functions: onnx.FunctionProto) -> onnx.ModelProto:
    m = model()
    m.opset_import.append(helper.make_opsetid("local", 1))
    m.graph.node[0].CopyFrom(helper.make_node("f0", ["x"], ["h"], domain="local"))
    m.functions.extend(functions)
    return m


def function(name: str, *calls: str) -> onnx.FunctionProto:
    names = ["a", *(f"v{i}" for i in range(len(calls) - 1)), "b"]
    nodes = [
        helper.make_node(c, [names[i]], [names[i + 1]], domain="" if c[0].isupper() else "local")
        for i, c in enumerate(calls)
    ]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    return helper.make_function("local", name, ["a"], ["b"], nodes, opsets)


def test_functions_are_expanded() -> None:
    m = with_functions(function("f0", "f1", "Relu"), function("f1", "Neg"))
    ops = [n.op.name for n in import_onnx(m).symbol.nodes() if n.op is not None]
    assert ops == ["onnx.Neg", "onnx.Relu", "onnx.MatMul", "onnx.Neg"]


@pytest.mark.parametrize(("own", "models"), [(13, 17), (17, 13), (11, 17)])
def test_functions_of_another_opset(own: int, models: int) -> None:
    m = with_functions(function("f0", "Relu", "Softmax"))
    m.opset_import[0].version, m.functions[0].opset_import[0].version = models, own
    relu, softmax, *_ = [n for n in import_onnx(m).symbol.nodes() if n.op is not None]
    assert relu.op is not None and relu.op.name == "onnx.Relu"
    assert softmax.attrs["__opset__"] == str(models)


def test_functions_that_need_other_domains() -> None:
    body = onnx.parser.parse_function(
        '<domain: "local", opset_import: ["" : 17, "com.microsoft" : 1]> f0 (a) => (b) { b = com.microsoft.Gelu(a) }'
    )
    ops = [n.op.name for n in import_onnx(with_functions(body)).symbol.nodes() if n.op is not None]
    assert ops[0] == "onnx.com.microsoft.Gelu"


@pytest.mark.parametrize(
    "functions",
    [(function("f0", "f0"),), (function("f0", "Relu", "f1"), function("f1", "f0"))],
    ids=["itself", "each other"],
)
def test_functions_that_call_themselves(functions: tuple[onnx.FunctionProto, ...]) -> None:
    with pytest.raises(FormatError, match="calls itself"):
        import_onnx(with_functions(*functions))


def test_functions_that_expand_without_end() -> None:
    bomb = [function(f"f{i}", *[f"f{i + 1}"] * 10) for i in range(12)] + [function("f12", "Relu")]
    with pytest.raises(FormatError, match="expand to more than 1000000 nodes"):
        import_onnx(with_functions(*bomb))


# -- size ----------------------------------------------------------------------------------------


def chain(n: int) -> onnx.ModelProto:
    nodes = [helper.make_node("Relu" if i % 2 else "Neg", [f"t{i}"], [f"t{i + 1}"]) for i in range(n)]
    infos = [helper.make_tensor_value_info(f"t{i}", TensorProto.FLOAT, ["n", 3]) for i in (0, n)]
    graph = helper.make_graph(nodes, "chain", infos[:1], infos[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_chain_of_a_hundred_thousand_nodes(tmp_path: pathlib.Path) -> None:
    read = import_onnx(written(chain(100_000), tmp_path))
    assert len(read.symbol.nodes()) == 100_001
    again = load_json(to_json(read.symbol))
    assert again.list_outputs() == ["t100000"]


def test_a_long_chain_becomes_a_program() -> None:
    program = lower_symbol(
        import_onnx(chain(5000)).symbol, {"t0": (np.dtype(np.float32), (Dim.symbol("n"), 3))}
    )
    assert len(program.nodes) == 5000


def test_subgraphs_inside_of_subgraphs() -> None:
    """As deep as protobuf reads."""
    body = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["d0"])], "b", [], [onnx.ValueInfoProto(name="d0")]
    )
    for i in range(1, 20):
        other = helper.make_graph(
            [helper.make_node("Relu", ["x"], [f"e{i}"])], "e", [], [onnx.ValueInfoProto(name=f"e{i}")]
        )
        node = helper.make_node("If", ["c"], [f"d{i}"], then_branch=body, else_branch=other)
        body = helper.make_graph([node], "b", [], [onnx.ValueInfoProto(name=f"d{i}")])
    m = model()
    m.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    m.graph.node[0].CopyFrom(body.node[0])
    m.graph.node[0].output[0] = "h"
    (outer,) = [n for n in import_onnx(m).symbol.nodes() if n.op is not None and n.op.name == "onnx.If"]
    assert {source.name for source, _ in outer.inputs} == {"c", "x"}


def test_names_are_only_names(tmp_path: pathlib.Path) -> None:
    """Path separators, blanks and signs in names mean nothing."""
    m = model()
    m.graph.node[0].name = "../../a/b"
    names = {"h": "/etc/x", "w": "a\\b.weight", "y": "../out put"}
    for node in m.graph.node:
        for field in (node.input, node.output):
            field[:] = [names.get(n, n) for n in field]
    m.graph.initializer[0].name, m.graph.output[0].name = names["w"], names["y"]
    read = import_onnx(written(m, tmp_path))
    assert list(read.params) == [names["w"]] and read.symbol.list_outputs() == [names["y"]]
    again = load_json(to_json(read.symbol))
    assert again.get_internals().list_outputs() == ["x", names["h"], names["w"], "m", names["y"]]
    assert os.listdir(tmp_path) == ["net.onnx"]


def test_open_graphs_are_checked_alike(tmp_path: pathlib.Path) -> None:
    m = model()
    dangling(m)
    with pytest.raises(FormatError, match="'nowhere', is made by nothing"):
        read_onnx(written(m, tmp_path))


def read(text: str) -> OnnxModel:
    return import_onnx(onnx.parser.parse_model(text))


def test_weights_are_those_that_are_learnt() -> None:
    """What becomes a parameter, which of these learn, and what stays a constant of the graph."""
    m = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
        net (float[N,4] x) => (float[N,2] y)
        <float[4,4] w = {1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1}, float[4] s = {1,1,1,1}, float[4] mean = {0,0,0,0},
         int64[2] shape = {-1,2}, float half = {0.5}, float[1] low = {0}>
        {
          k = Constant<value = float[4] {1,2,3,4}>()
          a = MatMul(x, w)
          b = BatchNormalization(a, s, k, mean, s)
          c = Mul(b, half)
          d = Reshape(c, shape)
          y = Identity(d)
        }""")
    m.graph.initializer.append(numpy_helper.from_array(np.arange(2000), "table"))
    m.graph.node.insert(0, helper.make_node("Cast", ["table"], ["t"], to=1))
    m.graph.node[-1].CopyFrom(helper.make_node("Add", ["d", "u"], ["y"]))
    m.graph.node.insert(1, helper.make_node("ReduceMax", ["t"], ["u"], keepdims=0))
    found = import_onnx(m)
    assert set(found.params) == {"w", "s", "mean", "table"}
    assert found.trainable == {"w"}  # `s` is a variance, too
