"""A graph as a page of HTML that stands alone: with zoom, search and the details of each node."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..graph.layout import lay_out
from ..graph.picture import Box, Picture

__all__ = ["graph_page"]

_TEMPLATE = Path(__file__).with_name("plot.html")
_WIDEST = 300.0  # pixels of a box
_LETTERS = {"kind": 7.4, "name": 6.5, "shape": 6.5}  # pixels of a letter, in the mean


def graph_page(picture: Picture, title: str, facts: str) -> str:
    """The page.

    Parameters
    ----------
    picture : boxes with the details that the page shows: ``lines`` (pairs of a CSS class and a text), ``role``,
        ``notes``, ``inputs``, ``outputs``, ``parameters`` and ``attributes``.
    facts : a line about the model.
    """
    lines = {box.key: shown_lines(box) for box in picture.boxes}
    sizes = {key: box_size(texts) for key, texts in lines.items()}
    layout = lay_out(sizes, [(a.source, a.target) for a in picture.arrows], between=36.0)
    number = {box.key: i for i, box in enumerate(picture.boxes)}
    readers: dict[str, dict[str, str]] = {}
    names = {box.key: box.name for box in picture.boxes}
    for arrow in picture.arrows:
        readers.setdefault(arrow.source, {})[arrow.target] = names[arrow.target]
    boxes = []
    for box in picture.boxes:
        place = layout.places[box.key]
        listed = [{"name": name, "box": number[key]} for key, name in readers.get(box.key, {}).items()]
        boxes.append(
            {
                "name": box.name,
                "operator": box.operator,
                "color": box.color,
                **{key: round(value, 1) for key, value in zip("xywh", vars(place).values(), strict=True)},
                "lines": lines[box.key],
                "text": searched(box, lines[box.key]),
                "readers": listed,
                **linked(box.details, number),
            }
        )
    arrows = [
        {"from": number[a.source], "to": number[a.target], "label": a.label, "d": path(route)}
        for a, route in zip(picture.arrows, layout.routes, strict=True)
    ]
    data = {
        "width": round(max(layout.width, 1.0), 1),
        "height": round(max(layout.height, 1.0), 1),
        "boxes": boxes,
        "arrows": arrows,
    }
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")  # no name ends the script
    page = _TEMPLATE.read_text(encoding="utf-8")
    return page.replace("@TITLE@", escape(title)).replace("@FACTS@", escape(facts)).replace("@DATA@", text)


def shown_lines(box: Box) -> list[tuple[str, str]]:
    """What is written in a box, shortened to what has room in the widest one."""
    given: Sequence[tuple[str, str]] = box.details["lines"]  # type: ignore[assignment]
    return [(kind, shortened(text, int((_WIDEST - 20) / _LETTERS[kind]))) for kind, text in given if text]


def shortened(text: str, room: int) -> str:
    """A text without its middle, if it is longer than `room` characters."""
    if len(text) <= room:
        return text
    return f"{text[: (room - 1) // 2]}…{text[-(room // 2) :]}"


def box_size(lines: Sequence[tuple[str, str]]) -> tuple[float, float]:
    """Width and height of a box with these lines."""
    longest = max((len(text) * _LETTERS[kind] for kind, text in lines), default=0.0)
    return min(_WIDEST, max(96.0, longest + 22)), 12.0 + 15 * len(lines)


def searched(box: Box, lines: Sequence[tuple[str, str]]) -> str:
    """The text that a search looks at."""
    notes: Sequence[str] = box.details.get("notes", ())  # type: ignore[assignment]
    return "\n".join([box.name, box.operator, *(text for _, text in lines), *notes])


def linked(details: Mapping[str, Any], number: Mapping[str, int]) -> dict[str, Any]:
    """Details with numbers of boxes instead of their keys."""
    found: dict[str, Any] = {
        "role": "",
        "notes": [],
        "inputs": [],
        "outputs": [],
        "parameters": [],
        "attributes": [],
    }
    found |= {key: value for key, value in details.items() if key != "lines"}
    found["inputs"] = [
        {**item, "box": number[item["box"]]} if "box" in item else item for item in details.get("inputs", ())
    ]
    return found


def path(route: Sequence[tuple[float, float]]) -> str:
    """A route as the path of an SVG: straight inside of layers, curved between them."""
    points = [(round(x, 1), round(y, 1)) for x, y in route]
    text = f"M{points[0][0]:g} {points[0][1]:g}"
    for i, (x, y) in enumerate(points[1:], 1):
        before_x, before_y = points[i - 1]
        if i % 2:
            if y != before_y:
                text += f"V{y:g}"
        else:
            half = (before_y + y) / 2
            text += f"C{before_x:g} {half:g} {x:g} {half:g} {x:g} {y:g}"
    return text
