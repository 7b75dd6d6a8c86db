"""MXNet's symbol JSON: every dialect gives the graph that MXNet 1.9.1 makes of it, and damage is refused."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gluon_onnx as mx
from gluon_onnx.graph.builder import Builder, Tensor
from gluon_onnx.graph.errors import AttributeParseError, FormatError, UnsupportedOperatorError
from gluon_onnx.graph.exporters.symbol_json import to_json
from gluon_onnx.graph.importers import symbol_json
from gluon_onnx.graph.importers.symbol_json import RawGraph, load_json, parse_symbol_json
from gluon_onnx.graph.ops.registry import Operator
from gluon_onnx.graph.symbol import Node, Symbol

DATA = Path(__file__).parents[1] / "data" / "mxnet"
LEGACY = sorted(path.name for path in (DATA / "0.8").glob("*-symbol.json"))
CURRENT = sorted(
    str(path.relative_to(DATA)) for path in DATA.glob("[01].*/*-symbol.json") if "0.8" not in path.parts
)


def plain(graph: RawGraph) -> dict[str, Any]:
    """A graph in the form of MXNet's JSON, without what is left out of ours."""
    nodes = []
    for node in graph.nodes:
        item: dict[str, Any] = {"op": node.op or "null", "name": node.name, "attrs": node.attrs}
        nodes.append(item | {"inputs": node.inputs, "subgraphs": [plain(g) for g in node.subgraphs]})
    return {"nodes": nodes, "arg_nodes": graph.arg_nodes, "heads": graph.heads}


def reference(graph: dict[str, Any]) -> dict[str, Any]:
    """MXNet's JSON in the same form."""
    nodes = []
    for node in graph["nodes"]:
        item = {"op": node["op"], "name": node["name"], "attrs": node.get("attrs", node.get("attr", {}))}
        bodies = [reference(g) for g in node.get("subgraphs", [])]
        nodes.append(item | {"inputs": [(e[0], e[1]) for e in node["inputs"]], "subgraphs": bodies})
    return {"nodes": nodes, "arg_nodes": graph["arg_nodes"], "heads": [(e[0], e[1]) for e in graph["heads"]]}


# -- files of MXNet ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LEGACY)
def test_old_dialect_becomes_what_mxnet_makes_of_it(name: str) -> None:
    upgraded = json.loads((DATA / "0.8" / name.replace("-symbol", "-upgraded")).read_text())
    assert plain(parse_symbol_json((DATA / "0.8" / name).read_bytes())) == reference(upgraded)


@pytest.mark.parametrize("name", CURRENT)
def test_files_since_0_9_5_need_no_upgrade(name: str) -> None:
    text = (DATA / name).read_text()
    graph = parse_symbol_json(text, name)
    assert plain(graph) == reference(json.loads(text))
    assert graph.version == json.loads(text)["attrs"]["mxnet_version"][1]


def test_graph_attributes_are_unwrapped() -> None:
    graph = parse_symbol_json(
        document([X], attrs={"mxnet_version": ["int", 10600], "is_np_shape": ["int", 1]})
    )
    assert graph.attrs == {"mxnet_version": 10600, "is_np_shape": 1}
    assert parse_symbol_json(document([X])).version == 800


# -- dialects ------------------------------------------------------------------------------------

X: dict[str, Any] = {"op": "null", "name": "x", "inputs": []}


def call(op: str, name: str, *inputs: int, **extra: Any) -> dict[str, Any]:
    return {"op": op, "name": name, "inputs": [[i, 0] for i in inputs], **extra}


def document(nodes: list[Any], heads: list[Any] | None = None, **extra: Any) -> str:
    variables = [i for i, n in enumerate(nodes) if isinstance(n, dict) and n.get("op") == "null"]
    return json.dumps(
        {"nodes": nodes, "arg_nodes": variables, "heads": heads or [[len(nodes) - 1, 0]], **extra}
    )


NOW = {"mxnet_version": ["int", 10901]}


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"param": {"a": "1", "b": "2"}}, id="param"),
        pytest.param(
            {"param": {"a": "1"}, "attr": {"b": "2"}, "backward_source_id": -1}, id="param and attr"
        ),
        pytest.param({"attr": {"a": "1", "b": "2"}}, id="attr"),
        pytest.param({"attrs": {"a": "1", "b": "2"}}, id="attrs"),
        pytest.param({"attr": {"c": "3"}, "attrs": {"a": "1", "b": "2"}}, id="the later of two"),
        pytest.param({"attrs": {"a": "1", "b": "2"}, "param": {"a": "9"}}, id="param does not override"),
    ],
)
def test_keys_of_attributes(extra: dict[str, Any]) -> None:
    assert parse_symbol_json(document([X | extra], attrs=NOW)).nodes[0].attrs == {"a": "1", "b": "2"}


@pytest.mark.parametrize("entry", [[0, 0], [0, 0, 0], [0, 0, 1]])
def test_entries_of_two_and_three_numbers(entry: list[int]) -> None:
    graph = parse_symbol_json(document([X, call("relu", "y") | {"inputs": [entry]}], attrs=NOW))
    assert graph.nodes[1].inputs == [(0, 0)]


def test_depth_first_order_without_nodes_that_nothing_needs() -> None:
    nodes = [X, call("null", "unused"), call("null", "y"), call("relu", "a", 2), call("_plus", "b", 3, 0)]
    graph = parse_symbol_json(document([*nodes, call("exp", "c", 1)], [[4, 0], [3, 0]], attrs=NOW))
    assert [node.name for node in graph.nodes] == ["y", "a", "x", "b"]
    assert (graph.arg_nodes, graph.heads) == ([0, 2], [(3, 0), (1, 0)])
    assert graph.nodes[3].op == "elemwise_add"


def test_operators_of_one_name_are_legal() -> None:
    graph = parse_symbol_json(document([X, call("relu", "y", 0), call("relu", "y", 1)], attrs=NOW))
    assert [node.name for node in graph.nodes] == ["x", "y", "y"]


def test_hidden_keys_are_only_moved_in_old_files() -> None:
    node = X | {"attrs": {"lr_mult": "2", "__wd_mult__": "3", "lr_multiple": "4", "_lr_mult": "5"}}
    kept = {"__wd_mult__": "3", "lr_multiple": "4", "_lr_mult": "5"}
    old = parse_symbol_json(document([node], attrs={"mxnet_version": ["int", 10900]}))
    assert old.nodes[0].attrs == kept | {"__lr_mult__": "2"}
    assert parse_symbol_json(document([node], attrs=NOW)).nodes[0].attrs == kept | {"lr_mult": "2"}


INPUTS = [
    ("BatchNorm", {}, ["gamma", "beta", "moving_mean", "moving_var"]),
    ("CuDNNBatchNorm", {}, ["gamma", "beta", "moving_mean", "moving_var"]),
    ("Convolution", {}, ["weight", "bias"]),
    ("Convolution", {"no_bias": "True"}, ["weight"]),
    ("Correlation", {}, ["data2"]),
    ("Deconvolution", {}, ["weight"]),
    ("Deconvolution", {"no_bias": "False"}, ["weight", "bias"]),
    ("Embedding", {}, ["weight"]),
    ("FullyConnected", {"no_bias": "1"}, ["weight"]),
    ("IdentityAttachKLSparseReg", {}, ["moving_avg"]),
    ("InstanceNorm", {}, ["gamma", "beta"]),
    ("LeakyReLU", {}, []),
    ("LeakyReLU", {"act_type": "prelu"}, ["gamma"]),
    ("LinearRegressionOutput", {}, ["label"]),
    ("RNN", {"mode": "gru"}, ["parameters", "state"]),
    ("RNN", {"mode": "lstm"}, ["parameters", "state", "state_cell"]),
    ("ROIPooling", {}, ["rois"]),
    ("SequenceMask", {}, []),
    ("SequenceLast", {"use_sequence_length": "True"}, ["sequence_length"]),
    ("SoftmaxOutput", {}, ["label"]),
    ("SpatialTransformer", {}, ["loc"]),
    ("UpSampling", {"sample_type": "bilinear"}, ["weight"]),
    ("UpSampling", {"sample_type": "nearest"}, []),
    ("relu", {}, []),
]


@pytest.mark.parametrize(("op", "attrs", "names"), INPUTS)
def test_inputs_that_files_of_0_8_leave_out(op: str, attrs: dict[str, str], names: list[str]) -> None:
    graph = parse_symbol_json(document([X, call(op, "n", 0, param=attrs)]))
    assert [node.name for node in graph.nodes[1:-1]] == [f"n_{name}" for name in names]
    assert graph.nodes[-1].inputs == [(i, 0) for i in range(1 + len(names))]
    later = parse_symbol_json(
        document([X, call(op, "n", 0, attr=attrs)], attrs={"mxnet_version": ["int", 900]})
    )
    assert len(later.nodes) == 2


# -- bad input -----------------------------------------------------------------------------------

BODY = json.loads(document([X], attrs=NOW))


def nested(depth: int) -> str:
    """Control-flow operators, each the body of another."""
    before = '{"nodes": [{"op": "_cond", "name": "c", "inputs": [], "subgraphs": ['
    body = '{"nodes": [{"op": "null", "name": "x", "inputs": []}], "heads": [[0, 0]]}'
    return before * depth + body + ']}], "heads": [[0, 0]]}' * depth


BAD = [
    pytest.param("", "not JSON: Expecting value: line 1 column 1", id="empty"),
    pytest.param("{", "not JSON: Expecting property name", id="cut"),
    pytest.param(b'"\xff"', "expected JSON text, found no UTF-8 at byte 1", id="bytes"),
    pytest.param("[" * 200_000, "nested too deeply", id="deep"),
    pytest.param(nested(200_000), "nested too deeply", id="deep bodies"),
    pytest.param("[1" + "0" * 5000 + "]", "not JSON that can be read", id="long number"),
    pytest.param("[]", "expected a JSON object with 'nodes' and 'heads', found a list", id="list"),
    pytest.param("{}", "'nodes' must be a list, found none", id="no nodes"),
    pytest.param(json.dumps(BODY | {"nodes": {}}), "'nodes' must be a list, found an object", id="nodes"),
    pytest.param(json.dumps(BODY | {"nodes": [5]}), "node 0: expected an object, found a number", id="node"),
    pytest.param(json.dumps({"nodes": [X]}), "'heads' must be a list, found none", id="no heads"),
    pytest.param(json.dumps(BODY | {"heads": []}), "'heads' is empty", id="empty heads"),
    pytest.param(
        document([X], [[1, 0]]), "head must be an output of one of the nodes, 0 to 0; found 1", id="head"
    ),
    pytest.param(document([X], [[0, 1]]), "head: node 0 'x' has no output 1", id="head's output"),
    pytest.param(
        document([X], [["x", 0]]), "head must be a list of two or three integers, found .'x', 0", id="name"
    ),
    pytest.param(
        json.dumps(BODY | {"arg_nodes": [1]}), "'arg_nodes' must hold numbers of variables, found 1", id="arg"
    ),
    pytest.param(document([X], attrs=[]), "'attrs' must be an object, found a list", id="graph attrs"),
    pytest.param(
        document([X], attrs={"mxnet_version": ["str", "1"]}), "'mxnet_version' must be .*found '1'", id="ver"
    ),
    pytest.param(
        document([{"op": "null", "inputs": []}]), "node 0: 'name' must be a string, found none", id="no name"
    ),
    pytest.param(document([X | {"op": None}]), "node 0 'x': 'op' must be a string, found null", id="op"),
    pytest.param(
        document([X | {"inputs": None}]), "node 0 'x': 'inputs' must be a list, found null", id="inputs"
    ),
    pytest.param(
        document([X | {"attrs": {"a": 1}}]), "node 0 'x': attribute 'a' must be a string, found 1", id="attr"
    ),
    pytest.param(
        document([X | {"attrs": {"a": {}}}]), "attribute 'a' must be a string, found an object", id="attr {}"
    ),
    pytest.param(
        document([X | {"attr": []}]), "'attr' must be an object of strings, found a list", id="attr list"
    ),
    pytest.param(
        document([X | {"param": "a"}]), "'param' must be an object of strings, found a string", id="param"
    ),
    pytest.param(
        document([X | {"inputs": [[0, 0]]}]), "an output of an earlier node, 0 to -1; found 0", id="loop of 1"
    ),
    pytest.param(
        document([X, call("relu", "y", 1)]), "node 1 'y': input 0 must be an output of an earl", id="loop"
    ),
    pytest.param(
        document([X, call("relu", "y", 2), call("exp", "z", 1)]), "node 1 'y': input 0 must", id="cycle"
    ),
    pytest.param(
        document([X, call("relu", "y", 0, 9)]), "node 1 'y': input 1 must .*0 to 0; found 9", id="dangling"
    ),
    pytest.param(document([X, call("relu", "y", -1)]), "node 1 'y': input 0 must .*found -1", id="negative"),
    pytest.param(
        document([X, call("relu", "y", 10**30)]), "found a number of more than 64 bits", id="big number"
    ),
    pytest.param(
        document([X, X | {"name": "y", "inputs": [[0, 0]]}]), "a variable has no inputs, this", id="variable"
    ),
    pytest.param(
        document([X, call("relu", "y") | {"inputs": [[0, 1]]}]), "input 0: node 0 'x' has no out", id="output"
    ),
    pytest.param(
        document([X, call("relu", "y") | {"inputs": [[0]]}]), "two or three integers, found .0.", id="entry"
    ),
    pytest.param(document([X, call("relu", "y") | {"inputs": [[0, True]]}]), "found a list", id="boolean"),
    pytest.param(
        document([X, call("relu", "y") | {"inputs": [0.0]}]), "three integers, found 0.0", id="float"
    ),
    pytest.param(
        document([X, X, call("_plus", "y", 0, 1)]), "nodes 0 and 1 are both variables named 'x'", id="twice"
    ),
    pytest.param(
        document([X, call("_cond", "c", 0, subgraphs=[{}])]), "node 1 'c', body 0: 'nodes' must", id="body"
    ),
    pytest.param(
        document([X, call("_cond", "c", 0, subgraphs=5)]), "node 1 'c': 'subgraphs' must be", id="bodies"
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_input_is_one_clear_error(text: str | bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message) as info:
        parse_symbol_json(text, "bad.json")
    assert str(info.value).startswith("bad.json: ")
    assert len(str(info.value)) < 300


@pytest.mark.parametrize("depth", [1, 60])
def test_bodies_inside_of_bodies(depth: int) -> None:
    graph = parse_symbol_json(nested(depth))
    for _ in range(depth):
        (graph,) = graph.nodes[0].subgraphs
    assert graph.nodes[0].name == "x"


def test_a_chain_of_a_hundred_thousand_nodes() -> None:
    nodes = [X] + [call("relu", f"n{i}", i) for i in range(100_000)]
    graph = parse_symbol_json(document(nodes, attrs={"mxnet_version": ["int", 700]}))
    assert graph.heads == [(100_000, 0)]


FILES = [json.loads((DATA / name).read_text()) for name in (*CURRENT, "0.8/net-symbol.json")]
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1,
    3,
    2**40,
    0.5,
    "",
    "x",
    "null",
    [],
    [0],
    [0, 0],
    [[0, 0]],
    {},
    {"a": 1},
]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_documents_raise_nothing_but_format_errors(data: st.DataObject) -> None:
    graph = copy.deepcopy(data.draw(st.sampled_from(FILES)))
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = graph
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and data.draw(st.integers(0, 5)):
                place = place[key]
                continue
            if data.draw(st.booleans()):
                place[key] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
            else:
                del place[key]
            break
    try:
        parse_symbol_json(json.dumps(graph), "f")
    except FormatError as error:
        assert str(error).startswith("f: ")


# -- symbols -------------------------------------------------------------------------------------


def relu(g: Builder, data: Tensor) -> Tensor:
    return data


def add_n(g: Builder, *args: Tensor, num_args: int) -> Tensor:
    return args[0]


def norm(
    g: Builder,
    data: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moving_mean: Tensor,
    moving_var: Tensor,
    *,
    eps: float = 1e-3,
    fix_gamma: bool = True,
) -> Tensor:
    return data


def split(g: Builder, data: Tensor, *, num_outputs: int) -> Tensor:
    return data


OPERATORS = {
    "relu": Operator("relu", relu),
    "add_n": Operator("add_n", add_n, num_args="num_args"),
    "BatchNorm": Operator("BatchNorm", norm, aux=["moving_mean", "moving_var"], outputs=3, visible=1),
    "SliceChannel": Operator("SliceChannel", split, outputs=lambda attrs: int(attrs.num_outputs)),
}


@pytest.fixture
def few_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of four operators, so that these tests are about the format alone."""

    def find(name: str, node: str = "") -> Operator:
        if name not in OPERATORS:
            raise UnsupportedOperatorError([(name, node)], ["relu"])
        return OPERATORS[name]

    monkeypatch.setattr(symbol_json, "find", find)


def variable(name: str) -> tuple[Node, int]:
    return Node(None, name, {}), 0


def network() -> Symbol:
    """Shared statistics, several outputs, an attribute that needs escapes."""
    x, gamma, beta, mean, var = map(variable, ["x", "gamma", "beta", "mean", "var"])
    mean[0].attrs["__init__"] = '["zero", {}]\n\t\\'
    first = Node(OPERATORS["BatchNorm"], "bn0", {"eps": "0.01"}, [x, gamma, beta, mean, var])
    second = Node(OPERATORS["BatchNorm"], "bn1", {"eps": "0.01"}, [(first, 0), gamma, beta, mean, var])
    parts = Node(OPERATORS["SliceChannel"], "größe", {"num_outputs": "2"}, [(second, 0)])
    total = Node(OPERATORS["add_n"], "sum", {"num_args": "3"}, [(parts, 1), (parts, 0), (parts, 1)])
    return Symbol([(total, 0), (parts, 1)])


def described(symbol: Symbol) -> list[Any]:
    return [
        (n.op and n.op.name, n.name, n.attrs, [(source.name, i) for source, i in n.inputs])
        for n in symbol.nodes()
    ] + [(n.name, i) for n, i in symbol.heads]


@pytest.mark.usefixtures("few_operators")
def test_symbol_round_trip() -> None:
    text = to_json(network())
    assert described(load_json(text)) == described(network())
    assert to_json(load_json(text)) == text


def test_what_is_written() -> None:
    written = json.loads(to_json(network()))
    assert list(written) == ["nodes", "arg_nodes", "node_row_ptr", "heads", "attrs"]
    assert written["nodes"][0] == {"op": "null", "name": "x", "inputs": []}
    assert written["nodes"][6]["inputs"] == [[5, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 2], [4, 0, 2]]
    assert written["arg_nodes"] == [0, 1, 2, 3, 4]
    assert written["node_row_ptr"] == [0, 1, 2, 3, 4, 5, 8, 11, 13, 14]
    assert written["heads"] == [[8, 0, 0], [7, 1, 0]]
    assert written["attrs"] == {"mxnet_version": ["int", 10901]}


@pytest.mark.usefixtures("few_operators")
def test_the_meaning_of_zeros_in_shapes_is_written() -> None:
    """As MXNet does under NumPy's meaning of shapes; files read the same."""
    symbol = mx.sym.var("x", shape=(0, 2))
    assert "is_np_shape" not in symbol.tojson()
    with mx.np_shape(True):
        text = symbol.tojson()
    assert json.loads(text)["attrs"] == {"is_np_shape": ["int", 1], "mxnet_version": ["int", 10901]}
    assert mx.sym.load_json(text).list_arguments() == ["x"]


def test_a_long_chain_becomes_a_symbol_and_back() -> None:
    text = document([X] + [call("relu", f"n{i}", i) for i in range(100_000)])
    assert len(json.loads(to_json(load_json(text)))["nodes"]) == 100_001


STATES = [X, *(call("null", name) for name in ("gamma", "beta", "mean", "var"))]

WRONG = [
    pytest.param(
        [X, call("foo", "a", 0), call("bar", "b", 1), call("foo", "c", 2)],
        UnsupportedOperatorError,
        r"operator 'foo' \(node 'a'\); operator 'bar' \(node 'b'\); nearest names: relu$",
        id="all that are missing",
    ),
    pytest.param(
        [X, call("SliceChannel", "y", 0, attrs={"num_outputs": "1", "slope": "1"})],
        AttributeParseError,
        "f: node 1 'y': operator SliceChannel has no parameter 'slope'",
        id="unknown parameter",
    ),
    pytest.param(
        [X, call("SliceChannel", "y", 0)],
        AttributeParseError,
        "f: node 1 'y': operator SliceChannel: required parameter 'num_outputs'",
        id="missing parameter",
    ),
    pytest.param(
        [X, call("add_n", "y", 0, attrs={"num_args": "two"})],
        AttributeParseError,
        "f: node 1 'y': .*expected an integer, got 'two'",
        id="malformed parameter",
    ),
    pytest.param(
        [*STATES, call("BatchNorm", "y", 0, 1, 2)],
        FormatError,
        r"f: node 3 'y': operator BatchNorm expects 5 inputs \(data, gamma, .*\), found 3",
        id="few inputs",
    ),
    pytest.param(
        [X, call("relu", "y", 0, 0)], FormatError, "expects 1 inputs .data., found 2", id="many inputs"
    ),
    pytest.param(
        [X, call("add_n", "y", 0, attrs={"num_args": "2"})],
        FormatError,
        "operator add_n expects num_args = 2 inputs, found 1",
        id="other count",
    ),
    pytest.param(
        [X, call("relu", "y", 0), call("relu", "z") | {"inputs": [[1, 1]]}],
        FormatError,
        "f: node 2 'z': input 0 is output 1 of 'y', which has 1",
        id="output of an operator",
    ),
]


@pytest.mark.usefixtures("few_operators")
@pytest.mark.parametrize(("nodes", "error", "message"), WRONG)
def test_graph_that_is_no_symbol(nodes: list[Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load_json(document(nodes, attrs=NOW), "f")


@pytest.mark.usefixtures("few_operators")
def test_head_that_is_no_output() -> None:
    with pytest.raises(FormatError, match="f: head is output 3 of 'y', which has 1"):
        load_json(document([X, call("relu", "y", 0)], [[1, 3]]), "f")


# -- live ----------------------------------------------------------------------------------------


def mxnet(script: str, *args: object) -> Any:
    """The JSON that a script prints last, run by real MXNet."""
    command = [os.environ["MXNET_PYTHON"], "-c", "import json, sys, mxnet as mx\n" + script, *map(str, args)]
    return json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    )


@pytest.mark.oracle
def test_mxnet_loads_what_we_write_and_writes_the_same(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(to_json(network()), encoding="utf-8")
    written = mxnet("print(json.dumps(json.loads(mx.sym.load(sys.argv[1]).tojson())))", tmp_path / "s.json")
    assert written == json.loads(to_json(network()))


@pytest.mark.oracle
def test_mxnet_adds_the_inputs_that_we_add(tmp_path: Path) -> None:
    needed = {
        "Convolution": {"kernel": "(1,1)", "num_filter": "1"},
        "Deconvolution": {"kernel": "(1,1)", "num_filter": "1"},
        "Embedding": {"input_dim": "2", "output_dim": "2"},
        "FullyConnected": {"num_hidden": "1"},
        "RNN": {"state_size": "1", "num_layers": "1"},
        "ROIPooling": {"pooled_size": "(1,1)", "spatial_scale": "1"},
        "SpatialTransformer": {"sampler_type": "bilinear", "transform_type": "affine"},
        "UpSampling": {"num_args": "1", "scale": "2", "num_filter": "1"},
    }
    rows = [row for row in INPUTS if row[0] != "CuDNNBatchNorm"]  # only MXNet for CUDA has it
    texts = [document([X, call(op, "n", 0, param=needed.get(op, {}) | attrs)]) for op, attrs, _ in rows]
    (tmp_path / "t.json").write_text(json.dumps(texts))
    script = (
        "print(json.dumps([json.loads(mx.sym.load_json(t).tojson()) for t in json.load(open(sys.argv[1]))]))"
    )
    for text, graph in zip(texts, mxnet(script, tmp_path / "t.json"), strict=True):
        assert plain(parse_symbol_json(text)) == reference(graph)


@pytest.mark.oracle
def test_mxnet_reads_old_names_as_we_do(tmp_path: Path) -> None:
    from gluon_onnx.graph.importers.legacy_json import _RENAMED

    script = """
from ctypes import byref, c_char_p, c_void_p, c_uint, POINTER
from mxnet.base import _LIB
canonical, size, creators = {}, c_uint(), POINTER(c_void_p)()
_LIB.MXSymbolListAtomicSymbolCreators(byref(size), byref(creators))
for creator in creators[:size.value]:
    name = c_char_p()
    _LIB.MXSymbolGetAtomicSymbolName(c_void_p(creator), byref(name))
    canonical[creator] = name.value.decode()
found = {}
for name in json.loads(sys.argv[1]):
    handle = c_void_p()
    assert _LIB.NNGetOpHandle(name.encode(), byref(handle)) == 0
    found[name] = canonical[handle.value]
print(json.dumps(found))
"""
    assert mxnet(script, json.dumps(list(_RENAMED))) == _RENAMED
