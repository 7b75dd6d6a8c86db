"""Pictures: the page, looked at in a browser, and Graphviz's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gluon_onnx.graph.picture import Box, Picture
from gluon_onnx.tools import cli
from gluon_onnx.tools.plot import brief
from gluon_onnx.tools.plot_page import graph_page, path, shortened

from .small_net import NODES, write_onnx, write_symbol

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is on PATH")
graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


@pytest.fixture
def page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The page of the small network."""
    out = tmp_path / "net.html"
    assert cli.main(["plot", str(write_symbol(tmp_path)), "--input", "data:1x2x8x8", "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: 9 nodes\n"
    return out


def data_of(page: Path) -> dict[str, Any]:
    """The graph that a page holds."""
    found = re.search(
        r'<script id="graph" type="application/json">(.*?)</script>', page.read_text(), re.DOTALL
    )
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_holds_every_node_with_its_details(page: Path) -> None:
    data = data_of(page)
    boxes = {box["name"]: box for box in data["boxes"]}
    assert list(boxes) == ["data", *NODES, "softmax_output"]
    conv = boxes["conv"]
    assert conv["lines"] == [["kind", "Convolution 3x3, 4"], ["name", "conv"], ["shape", "1×4×8×8"]]
    assert conv["parameters"] == [
        {"name": "conv_weight", "shape": "4×2×3×3", "dtype": "float32"},
        {"name": "conv_bias", "shape": "4", "dtype": "float32"},
    ]
    assert conv["notes"] == ["4.61 k multiply-accumulates", "76 parameters"]
    assert ["pad", "(1, 1)"] in conv["attributes"]
    number = {name: i for i, name in enumerate(boxes)}
    assert [item["box"] for item in boxes["sum"]["inputs"]] == [number["relu"], number["side"]]
    assert [item["name"] for item in boxes["relu"]["readers"]] == ["side", "sum"]
    assert {(a["from"], a["to"]) for a in data["arrows"]} >= {(number["relu"], number["side"]), (0, 1)}


def test_the_page_needs_nothing_else(page: Path) -> None:
    text = page.read_text()
    links = re.findall(
        r"""(?:https?:)?//[\w.-]+\.\w+|(?:src|href)=|@import|url\((?!#)|fetch\(|import\(""", text
    )
    assert [link for link in links if link != "http://www.w3.org"] == []


def test_onnx(tmp_path: Path) -> None:
    out = tmp_path / "net.html"
    assert cli.main(["plot", str(write_onnx(tmp_path / "net.onnx")), "-o", str(out)]) == 0
    boxes = data_of(out)["boxes"]
    assert [box["name"] for box in boxes] == ["x", "hidden", "y", "y"]
    assert boxes[1]["lines"] == [["kind", "Gemm 3"], ["name", "hidden"], ["shape", "batch×3"]]


def test_weights_are_boxes_when_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "net.html"
    assert cli.main(["plot", str(write_onnx(tmp_path / "net.onnx")), "-o", str(out), "--weights"]) == 0
    boxes = data_of(out)["boxes"]
    assert [(box["name"], box["role"]) for box in boxes[:2]] == [("x", "input"), ("w", "parameter")]


def test_a_name_cannot_leave_its_place_in_the_page() -> None:
    evil = '</script><script>alert("1")</script>'
    box = Box("k", evil, "Op", evil, "#fff", {"lines": [("name", evil)], "attributes": [(evil, evil)]})
    text = graph_page(Picture("t", [box]), f"<b>{evil}", "facts & <i>")
    assert text.count("<script") == 2 and text.count("</script>") == 2
    assert "<b>" not in text and "facts &amp; &lt;i&gt;" in text


def test_long_names_lose_their_middle() -> None:
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghijk", 10) == "abcd…ghijk"


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ("3x3/2x2, 64", "3x3/2, 64"),
        ("3x3/1x1, 64", "3x3, 64"),
        ("max, 2x2/2x1", "max, 2x2/2x1"),
        ("7/1, 8", "7, 8"),
    ],
)
def test_brief(sizes: str, text: str) -> None:
    assert brief(sizes) == text


def test_routes_are_straight_inside_of_layers_and_curved_between() -> None:
    assert path([(0, 10), (0, 12), (4, 20), (4, 24)]) == "M0 10V12C0 16 4 16 4 20V24"


def dom(page: Path, fragment: str = "", script: str = "") -> str:
    """What a browser makes of a page, after a script of the test has run in it."""
    assert CHROMIUM is not None
    if script:
        text = page.read_text().replace("</body>", f"<script>{script}</script></body>")
        page = page.with_name("driven.html")
        page.write_text(text)
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,800",
        f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=2000", "--dump-dom",
        page.as_uri() + fragment,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


@browser
def test_a_browser_draws_every_node(page: Path) -> None:
    text = dom(page)
    assert 'data-ready="yes"' in text
    assert re.findall(r'<g class="node"[^>]* data-name="(\w+)"', text) == ["data", *NODES, "softmax_output"]
    assert text.count('class="edge"') == 11


@browser
def test_a_link_can_select_a_node(page: Path) -> None:
    text = dom(page, "#node=fc")
    assert re.search(r'<g class="node on"[^>]*data-name="fc"', text)
    assert '<aside id="details"><h2>fc</h2><p>FullyConnected</p>' in text
    assert "<td>fc_weight</td>" in text and "<td>num_hidden</td><td>3</td>" in text


@browser
def test_search_zoom_and_pan(page: Path) -> None:
    """The events of a user, and the state of the page after each."""
    script = """
      const log = [];
      const key = k => document.dispatchEvent(new KeyboardEvent("keydown", {key: k, bubbles: true}));
      const field = document.getElementById("search");
      const chosen = () => (document.querySelector(".node.on") || {dataset: {}}).dataset.name;
      const note = what => log.push(what + ":" + document.querySelectorAll(".node.hit").length
        + ":" + document.getElementById("count").textContent + ":" + chosen());
      field.value = "convolution"; field.dispatchEvent(new Event("input")); note("text");
      field.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true})); note("enter");
      field.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true})); note("again");
      field.value = "/^(fc|bn)$/"; field.dispatchEvent(new Event("input")); note("pattern");
      field.value = "/(/"; field.dispatchEvent(new Event("input")); note("broken");
      field.value = ""; field.dispatchEvent(new Event("input")); note("none");
      const before = at.k;
      picture.dispatchEvent(new WheelEvent("wheel", {deltaY: -300, clientX: 300, clientY: 300, cancelable: true}));
      log.push("closer:" + (at.k > before));
      key("0");
      const all = at.k * graph.height <= picture.clientHeight && at.k * graph.width <= picture.clientWidth;
      log.push("all:" + all);
      const x = at.x;
      picture.dispatchEvent(new PointerEvent("pointerdown", {clientX: 100, clientY: 100}));
      picture.dispatchEvent(new PointerEvent("pointermove", {clientX: 150, clientY: 100}));
      picture.dispatchEvent(new PointerEvent("pointerup", {}));
      log.push("moved:" + Math.round(at.x - x));
      nodes[1].dispatchEvent(new MouseEvent("click")); log.push("dragged:" + selected);
      picture.dispatchEvent(new PointerEvent("pointerdown", {clientX: 100, clientY: 100}));
      picture.dispatchEvent(new PointerEvent("pointerup", {}));
      nodes[1].dispatchEvent(new MouseEvent("click")); log.push("clicked:" + selected);
      document.querySelector("#details a").click(); log.push("followed:" + graph.boxes[selected].name);
      document.body.setAttribute("data-log", log.join(" "));
    """
    found = re.search(r'data-log="([^"]*)"', dom(page, script=script))
    assert found is not None
    assert found[1].split(" ") == [
        "text:2:2", "found:undefined", "enter:2:1", "of", "2:conv", "again:2:2", "of", "2:side",
        "pattern:2:2", "found:side", "broken:0:0", "found:side", "none:0::side", "closer:true", "all:true",
        "moved:50", "dragged:4", "clicked:1", "followed:data",
    ]  # fmt: skip


@browser
def test_a_name_is_text_in_the_browser(tmp_path: Path) -> None:
    evil = "<img src=x onerror=document.title='broken'>"
    box = Box("k", evil, "Op", evil, "#fff", {"lines": [("name", evil)], "attributes": [(evil, evil)]})
    out = tmp_path / "evil.html"
    out.write_text(graph_page(Picture("t", [box]), "title", ""))
    text = dom(out, script="select(0, true)")
    assert "<title>title</title>" in text and "<img" not in text and "&lt;img src=x" in text


@graphviz
@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_graphviz_draws(suffix: str, start: bytes, tmp_path: Path) -> None:
    pytest.importorskip("graphviz")
    out = tmp_path / f"net.{suffix}"
    assert cli.main(["plot", str(write_symbol(tmp_path)), "--input", "data:1x2x8x8", "-o", str(out)]) == 0
    content = out.read_bytes()
    assert content.startswith(start)
    if suffix == "svg":
        assert b"Convolution" in content and "1×4×8×8".encode() in content


def test_dot_needs_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("graphviz")
    monkeypatch.setenv("PATH", "")
    out = tmp_path / "net.dot"
    assert cli.main(["plot", str(write_onnx(tmp_path / "net.onnx")), "-o", str(out)]) == 0
    assert re.search(r'label="Gemm\n3"', out.read_text())


@pytest.mark.parametrize("missing", ["program", "package"])
def test_without_graphviz_it_says_what_to_do(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if missing == "program":
        pytest.importorskip("graphviz")
        monkeypatch.setenv("PATH", "")
    else:
        monkeypatch.setitem(sys.modules, "graphviz", None)
    out = tmp_path / "net.svg"
    out.write_text("old")
    assert cli.main(["plot", str(write_onnx(tmp_path / "net.onnx")), "-o", str(out)]) == 3
    error = capsys.readouterr().err
    assert ("apt-get install graphviz" if missing == "program" else "pip install 'gluon-onnx[plot]'") in error
    assert "-o OUT.html needs nothing else" in error and out.read_text() == "old"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.gif", "expected a file named *.html, *.svg, *.png, *.pdf, *.dot"),
        ("no/such/out.html", "No such file"),
    ],
)
def test_bad_output(name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_onnx(tmp_path / "net.onnx")
    assert cli.main(["plot", str(model), "-o", str(tmp_path / name)]) == 2
    assert message in capsys.readouterr().err


def test_a_file_without_a_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = write_symbol(tmp_path).with_name("net-0003.params")
    assert cli.main(["plot", str(params), "-o", str(tmp_path / "x.html")]) == 2
    assert "net-0003.params: holds no graph" in capsys.readouterr().err
