"""Tables and pictures of symbols, against what MXNet makes of the same JSON."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gluon_onnx as mx

ROWS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "golden" / "visualization.json").read_text(encoding="utf-8")
)


@pytest.fixture(params=ROWS, ids=[row["name"] for row in ROWS])
def row(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What MXNet answered for one symbol."""
    found: dict[str, Any] = request.param
    return found


class Recorder:
    """Stands for graphviz.Digraph and notes what it is told."""

    def __init__(self, name: str, format: str) -> None:
        self.head = [name, format]
        self.nodes: dict[str, dict[str, str]] = {}
        self.edges: list[dict[str, str]] = []

    def node(self, name: str, label: str, **attributes: str) -> None:
        self.nodes[name] = {"label": label, **attributes}

    def edge(self, tail_name: str, head_name: str, label: str, **attributes: str) -> None:
        self.edges.append({"tail_name": tail_name, "head_name": head_name, "label": label, **attributes})


@pytest.mark.parametrize(
    ("key", "with_shape", "form"),
    [
        ("summary", False, {}),
        ("summary_with_shape", True, {}),
        ("narrow", True, {"line_length": 80, "positions": [20, 40, 60, 80]}),
    ],
    ids=["plain", "shape", "narrow"],
)
def test_print_summary(
    key: str, with_shape: bool, form: dict[str, Any], row: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    shape = row["shape"] if with_shape else None
    assert mx.viz.print_summary(mx.sym.load_json(row["json"]), shape, **form) is None
    assert capsys.readouterr().out.splitlines() == row[key].splitlines()


@pytest.mark.parametrize(
    ("key", "with_shape", "form"),
    [
        ("plot", False, {}),
        ("plot_with_shape", True, {}),
        (
            "plot_weights",
            False,
            {"hide_weights": False, "node_attrs": {"shape": "oval", "fixedsize": "false"}},
        ),
    ],
    ids=["plain", "shape", "weights"],
)
def test_plot_network(
    key: str, with_shape: bool, form: dict[str, Any], row: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Boxes and arrows are MXNet's; more operators have the colour of their family."""
    monkeypatch.setattr(pytest.importorskip("graphviz"), "Digraph", Recorder)
    if with_shape:
        form = {"shape": row["shape"], "dtype": dict.fromkeys(row["shape"], np.float32)}
    made = mx.viz.plot_network(mx.sym.load_json(row["json"]), **form)
    boxes = {a.pop("name"): a for what, a in json.loads(json.dumps(row[key]["calls"])) if what == "node"}
    assert made.head == row[key]["head"]
    assert [{**made.nodes[n], "fillcolor": ""} for n in boxes] == [
        {**b, "fillcolor": ""} for b in boxes.values()
    ]
    differing = {n for n in boxes if made.nodes[n]["fillcolor"] != boxes[n]["fillcolor"]}
    assert differing <= {"emb", "softmax", "prob", "parts"} and set(made.nodes) == set(boxes)
    assert made.edges == [a for what, a in row[key]["calls"] if what == "edge"]


def test_of_several_outputs_each_has_its_own_shape_at_its_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """MXNet writes the shape of the last at all of them, or fails."""
    monkeypatch.setattr(pytest.importorskip("graphviz"), "Digraph", Recorder)
    both = mx.sym.topk(mx.sym.var("data"), k=3, ret_typ="both", name="top")
    made = mx.viz.plot_network(mx.sym.elemwise_add(both[0], both[1], name="sum"), shape={"data": (2, 8)})
    assert [e["label"] for e in made.edges] == ["8", "3", "3"]


def test_repeated_names_are_warned_of() -> None:
    pytest.importorskip("graphviz")
    net = mx.sym.FullyConnected(mx.sym.var("data"), name="fc", num_hidden=4)
    net = mx.sym.FullyConnected(net, name="fc", num_hidden=4)
    with pytest.warns(RuntimeWarning, match="multiple variables with the same name.*fc_weight,fc_bias,fc$"):
        mx.viz.plot_network(net)


def test_the_result_is_graphviz_own() -> None:
    graphviz = pytest.importorskip("graphviz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = mx.viz.plot_network(mx.sym.relu(mx.sym.var("data"), name="r"), title="t", save_format="svg")
    assert isinstance(made, graphviz.Digraph)
    assert (made.name, made.format) == ("t", "svg") and "r -> data" in made.source


@pytest.mark.parametrize("function", [mx.viz.print_summary, mx.viz.plot_network])
def test_only_symbols(function: Any) -> None:
    pytest.importorskip("graphviz")
    with pytest.raises(TypeError, match="must be a Symbol, got str"):
        function("net")


@pytest.mark.parametrize(
    ("function", "arguments"),
    [(mx.viz.print_summary, {"shape": {}}), (mx.viz.plot_network, {"shape": {}})],
    ids=["summary", "plot"],
)
def test_incomplete_shapes(function: Any, arguments: dict[str, Any]) -> None:
    pytest.importorskip("graphviz")
    with pytest.raises(ValueError, match="shape is incomplete"):
        function(mx.sym.relu(mx.sym.var("data")), **arguments)


def test_without_graphviz_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match=r"pip install 'gluon-onnx\[plot\]'"):
        mx.viz.plot_network(mx.sym.var("data"))
