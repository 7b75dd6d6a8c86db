"""Pages: they stand alone, hold what the text holds, escape it, and every inspecting command makes one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gluon_onnx.tools import cli
from gluon_onnx.tools.tables import Facts, Grid
from gluon_onnx.tools.web_page import page

from .commands import ONNX, PARAMS, SMALL, UNKNOWN

VOID = {"meta", "input", "br", "link", "img"}


class Reader(HTMLParser):
    """Collects what is shown, and checks that elements are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        if not {"style", "script"} & set(self.open):
            self.text += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize(
    ("argv", "code", "row"),
    [
        (["summary", SMALL], 0, ["FullyConnected", "1", "720", "4.4%"]),
        (["summary", ONNX], 0, ["Gemm", "1", "720", "4.4%"]),
        (["nodes", SMALL, "--op", "Flatten"], 0, ["small_flatten0_flatten0", "Flatten", "(1, 72)", "", "", ""]),
        (["internals", SMALL], 0, ["small_conv1_bias", "", "float32", "(8)"]),
        (["weights", PARAMS], 0,
         ["small_conv1_bias", "float32", "(8)", "-0.4219", "0.5", "0.001953", "0.3056", "0", ""]),
        (["diff", SMALL, UNKNOWN], 1, ["operator", "small_flatten0_flatten0", "Flatten", "Unroll"]),
        (["check", UNKNOWN], 3,
         ["operator", "small_flatten0_flatten0", "Unroll",
          "not supported: operator 'Unroll' (node 'small_flatten0_flatten0')"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) and len(value) < 4 else "",
)  # fmt: skip
def test_every_command_makes_a_page(
    argv: list[str | Path], code: int, row: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*map(str, argv), "--format", "html"]) == code
    text = capsys.readouterr().out
    reader = read(text)
    assert text.startswith("<!doctype html>")
    assert row in reader.rows
    assert reader.links == []
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text)


def test_what_is_shown_is_escaped() -> None:
    evil = "<script>alert('x')</script> & \"more\""
    text = page(evil, [evil, Facts([(evil, evil)], evil), Grid([evil], [[evil]], title=evil)])
    reader = read(text)
    assert text.count("<script>") == 1  # the page's own
    assert reader.rows == [[evil], [evil]]
    assert reader.text.count(evil) == 9


def test_marked_rows_and_numbers() -> None:
    text = page("t", [Grid(("name", "size"), [("a", 1), ("b", 2)], ("size",), (False, True))])
    assert '<tr class="marked"><td class="short">b</td><td class="number">2</td></tr>' in text
    assert '<tr><td class="short">a</td><td class="number">1</td></tr>' in text


@pytest.mark.parametrize(("count", "searched"), [(12, False), (13, True)])
def test_long_tables_can_be_searched(count: int, searched: bool) -> None:
    assert ('type="search"' in page("t", [Grid(["n"], [[n] for n in range(count)])])) is searched


CLICKS = """
<script>
document.querySelectorAll("th")[1].click();
if (location.hash === "#down") document.querySelectorAll("th")[1].click();
const box = document.querySelector("input");
box.value = "NAME1";
box.dispatchEvent(new Event("input"));
const rows = Array.from(document.querySelectorAll("tbody tr"));
document.body.textContent = JSON.stringify({
  order: rows.map(row => row.cells[1].textContent),
  shown: rows.filter(row => !row.hidden).map(row => row.cells[0].textContent).sort(),
  count: box.nextElementSibling.textContent,
});
</script></body>
"""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
def test_tables_are_sorted_and_searched_in_a_browser(down: bool, tmp_path: Path) -> None:
    sizes = ["", "1.5 G", "20", "3 k", "7 MiB", "2,000", "-4", *map(str, range(100, 106))]
    rows = [(f"name{n}", size) for n, size in enumerate(sizes)]
    path = tmp_path / "page.html"
    path.write_text(page("t", [Grid(("name", "size"), rows, ("size",))]).replace("</body>", CLICKS))
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"file://{path}#{'down' * down}"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    found = json.loads(re.search(r"<body>(.*)</body>", done.stdout, re.DOTALL)[1])  # type: ignore[index]
    numbers = ["-4", "20", *map(str, range(100, 106)), "2,000", "3 k", "7 MiB", "1.5 G"]
    assert found["order"] == ([*reversed(numbers), ""] if down else [*numbers, ""])
    assert found["shown"] == ["name1", "name10", "name11", "name12"]
    assert found["count"] == "4 of 13"
