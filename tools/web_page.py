"""Pages of HTML that stand alone: no other file, no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .tables import Facts, Grid

__all__ = ["page"]

STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #f6f8fa; --dim: #57606a; --bad: #b42318; }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --soft: #20262d; --dim: #9198a1; --bad: #ff7b72; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 84rem; padding: 1.5rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 1.8rem 0 .5rem; }
h2 + .scroll, input + .count + .scroll { margin-top: 0; }
p { margin: .6rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: 0; }
dt { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; }
input { font: inherit; margin: .2rem 0 .6rem; padding: .25rem .5rem; width: 20rem; max-width: 100%;
  border: 1px solid var(--line); border-radius: .3rem; }
.scroll { overflow-x: auto; margin: 1rem 0; border: 1px solid var(--line); border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; }
th, td { padding: .25rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
th { background: var(--soft); cursor: pointer; white-space: nowrap; }
th[aria-sort=ascending]::after { content: " \\25b4"; }
th[aria-sort=descending]::after { content: " \\25be"; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.short { white-space: nowrap; }
tr.marked td { color: var(--bad); font-weight: 600; }
.count { color: var(--dim); font-size: .85rem; margin-left: .6rem; }
"""

SCRIPT = """
const units = {k: 1e3, M: 1e6, G: 1e9, T: 1e12, KiB: 1024, MiB: 1048576, GiB: 1073741824};
function key(text) {
  const found = text.replaceAll(",", "").match(/^(-?[\\d.]+(?:e[-+]?\\d+)?) ?([kMGT]|[KMG]iB)?/);
  return found ? Number(found[1]) * (units[found[2]] || 1) : null;
}
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  table.tHead.addEventListener("click", event => {
    const head = event.target.closest("th");
    if (!head) return;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const column = head.cellIndex, sign = down ? -1 : 1;
    const rows = Array.from(body.rows, row => [row, row.cells[column].textContent]);
    rows.sort(([, a], [, b]) => {
      const x = key(a), y = key(b);
      if (x !== null && y !== null) return sign * (x - y);
      if (x !== y) return x === null ? 1 : -1;
      return sign * a.localeCompare(b);
    });
    body.append(...rows.map(([row]) => row));
  });
}
for (const box of document.querySelectorAll("input[data-table]")) {
  const rows = document.getElementById(box.dataset.table).tBodies[0].rows;
  const count = box.nextElementSibling;
  box.addEventListener("input", () => {
    const wanted = box.value.toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      shown += !row.hidden;
    }
    count.textContent = wanted ? `${shown} of ${rows.length}` : "";
  });
}
"""

_SHORT = 40  # characters that are kept on one line
_SEARCHED = 12  # tables with more rows get a box to search in


def page(title: str, parts: Sequence[Grid | Facts | str]) -> str:
    """A page with a heading and the parts of a report; tables can be sorted, long ones searched."""
    body = "\n".join(_part(part, number) for number, part in enumerate(parts))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        f"{body}\n<script>{SCRIPT}</script>\n</body>\n</html>"
    )


def _part(part: Grid | Facts | str, number: int) -> str:
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>"
    heading = f"<h2>{escape(part.title)}</h2>\n" if part.title else ""
    if isinstance(part, Facts):
        rows = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in part.rows)
        return f"{heading}<dl>\n{rows}\n</dl>"
    return heading + _table(part, f"table{number}")


def _cell(text: str, number: bool) -> str:
    style = ' class="number"' if number else ' class="short"' if len(text) <= _SHORT else ""
    return f"<td{style}>{escape(text)}</td>"


def _table(grid: Grid, name: str) -> str:
    right = [header in grid.numeric for header in grid.headers]
    head = "".join(
        f'<th class="number">{escape(h)}</th>' if r else f"<th>{escape(h)}</th>"
        for h, r in zip(grid.headers, right, strict=True)
    )
    lines = []
    for row, red in zip(grid.rows, grid.marked or [False] * len(grid.rows), strict=True):
        cells = "".join(_cell(str(cell), r) for cell, r in zip(row, right, strict=True))
        mark = ' class="marked"' if red else ""
        lines.append(f"<tr{mark}>{cells}</tr>")
    search = (
        f'<input type="search" placeholder="Search" aria-label="Search" data-table="{name}">'
        '<span class="count"></span>\n'
        if len(grid.rows) > _SEARCHED
        else ""
    )
    return (
        f'{search}<div class="scroll"><table id="{name}">\n<thead><tr>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(lines)
        + "\n</tbody></table></div>"
    )
