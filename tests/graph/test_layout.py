"""Places of boxes and arrows: nothing overlaps, arrows go down, few cross, long ones are straight."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from gluon_onnx.graph.layout import Layout, lay_out

GAP, BETWEEN = 28.0, 44.0


def placed(count: int, arrows: list[tuple[int, int]], width: float = 100.0) -> Layout:
    """A layout of boxes that are called by their numbers."""
    sizes = {str(i): (width + 10 * (i % 3), 40.0) for i in range(count)}
    return lay_out(sizes, [(str(a), str(b)) for a, b in arrows], GAP, BETWEEN)


def random_graph(count: int, reach: int, seed: int) -> list[tuple[int, int]]:
    """Arrows to each box from two of the boxes before it."""
    draw = random.Random(seed)
    return [(draw.randrange(max(0, i - reach), i), i) for i in range(1, count) for _ in range(2)]


def crossings(layout: Layout) -> int:
    """Pairs of arrows that cross, counted from where they end in neighbouring layers."""
    pieces: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for route in layout.routes:
        for (x0, y0), (x1, y1) in itertools.pairwise(route):
            if y1 - y0 >= BETWEEN - 1e-6:
                pieces.setdefault((y0, y1), []).append((x0, x1))
    return sum(
        (a[0] - b[0]) * (a[1] - b[1]) < 0
        for found in pieces.values()
        for a, b in itertools.combinations(found, 2)
    )


GRAPHS = [
    pytest.param(1, [], id="one"),
    pytest.param(5, [], id="apart"),
    pytest.param(3, [(0, 1), (0, 2), (1, 2)], id="triangle"),
    pytest.param(4, [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3)], id="diamond"),
    pytest.param(3, [(0, 1), (0, 1), (1, 2)], id="double"),
    pytest.param(6, [(0, 5), (1, 5), (2, 5), (3, 5), (4, 5)], id="fan"),
    *(pytest.param(n, random_graph(n, 6, n), id=f"random{n}") for n in (10, 40, 120)),
]


@pytest.mark.parametrize(("count", "arrows"), GRAPHS)
def test_boxes_do_not_overlap_and_lie_in_the_picture(count: int, arrows: list[tuple[int, int]]) -> None:
    layout = placed(count, arrows)
    rows: dict[float, list[tuple[float, float]]] = {}
    for place in layout.places.values():
        left, right = place.x - place.width / 2, place.x + place.width / 2
        assert left >= -1e-6 and right <= layout.width + 1e-6
        assert place.height / 2 <= place.y + 1e-6 and place.y + place.height / 2 <= layout.height + 1e-6
        rows.setdefault(place.y, []).append((left, right))
    for row in rows.values():
        row.sort()
        assert all(b[0] - a[1] >= GAP - 1e-6 for a, b in itertools.pairwise(row))


@pytest.mark.parametrize(("count", "arrows"), GRAPHS)
def test_arrows_go_down_from_box_to_box(count: int, arrows: list[tuple[int, int]]) -> None:
    layout = placed(count, arrows)
    for (a, b), route in zip(arrows, layout.routes, strict=True):
        start, end = layout.places[str(a)], layout.places[str(b)]
        assert route[0][1] == start.y + start.height / 2 and abs(route[0][0] - start.x) < start.width / 2
        assert route[-1][1] == end.y - end.height / 2 and abs(route[-1][0] - end.x) < end.width / 2
        assert all(q[1] >= p[1] for p, q in itertools.pairwise(route))
        assert len(route) % 2 == 0


def test_no_arrow_runs_through_a_box() -> None:
    """Straight pieces, which cross layers, keep clear of the boxes there."""
    layout = placed(60, random_graph(60, 12, 1))
    for route in layout.routes:
        for k in range(2, len(route) - 2, 2):
            (x, top), (_, bottom) = route[k], route[k + 1]
            inside = [
                p for p in layout.places.values()
                if top <= p.y <= bottom and abs(p.x - x) < p.width / 2
            ]  # fmt: skip
            assert inside == []


def test_a_chain_is_a_straight_line() -> None:
    layout = placed(50, [(i, i + 1) for i in range(49)], width=100)
    assert len({place.x for place in layout.places.values()}) == 1
    ys = [layout.places[str(i)].y for i in range(50)]
    assert {round(b - a, 6) for a, b in itertools.pairwise(ys)} == {40 + BETWEEN}


def test_a_shortcut_is_straight_beside_the_chain() -> None:
    """As in residual networks: the bends of the long arrow lie above each other."""
    layout = placed(6, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)])
    bends = {x for x, _ in layout.routes[-1][2:-2]}
    assert len(bends) == 1 and bends.isdisjoint({layout.places["2"].x})


def test_trees_and_swapped_pairs_are_drawn_without_crossings() -> None:
    tree = [((i - 1) // 2, i) for i in range(1, 31)]
    assert crossings(placed(31, tree)) == 0
    swapped = [(0, 5), (1, 4), (2, 3), (0, 3 + 3), (1, 3 + 4), (2, 3 + 5)]
    assert crossings(placed(9, swapped)) == 0


def test_an_input_lies_just_above_its_reader() -> None:
    layout = placed(5, [(0, 2), (2, 3), (3, 4), (1, 4)])
    assert layout.places["1"].y == layout.places["3"].y
    layout = placed(6, [(0, 2), (2, 3), (3, 4), (1, 4), (1, 5), (4, 5)])
    assert layout.places["1"].y == layout.places["3"].y


def test_nothing() -> None:
    assert lay_out({}, []) == Layout(0.0, 0.0, {}, [])


def test_cycles_and_loops_do_no_harm() -> None:
    layout = placed(3, [(0, 1), (1, 2), (2, 0), (1, 1)])
    assert len(layout.routes) == 4 and len(layout.places) == 3


@pytest.mark.parametrize(
    ("count", "arrows"),
    [
        (20_000, [(i, i + 1) for i in range(19_999)]),
        (2_000, [(i, j) for i in range(1999) for j in {i + 1, min(1999, i + 9)}]),
        (1_000, [(0, i) for i in range(1, 1000)] + [(i, i + 1) for i in range(1, 999)]),
    ],
    ids=["chain", "shortcuts", "shared"],
)
def test_large_graphs(count: int, arrows: list[tuple[int, int]]) -> None:
    """No recursion, and no time that grows with the square of the size."""
    start = time.process_time()
    layout = placed(count, arrows)
    assert len(layout.places) == count and time.process_time() - start < 20
