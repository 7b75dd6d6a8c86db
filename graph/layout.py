"""Places for the boxes of a graph in layers, and for the arrows between them.

The steps are those of Sugiyama, Tagawa and Toda (1981): layers by longest paths, few crossings by barycentres, then
coordinates by the method of Brandes and Köpf, "Fast and Simple Horizontal Coordinate Assignment" (2001), which makes
long arrows straight.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Layout", "Place", "lay_out"]

Point = tuple[float, float]

_SWEEPS = 24
_WORK = 400_000  # arrows times sweeps
_BENDS = 100_000  # points that arrows may bend at, of all arrows together; the longest ones go straight then


@dataclass(frozen=True)
class Place:
    """Centre and size of a box."""

    x: float
    y: float
    width: float
    height: float


@dataclass
class Layout:
    """A picture of `width` by `height`; the points of an arrow lie on vertical lines in pairs, curves between."""

    width: float
    height: float
    places: dict[str, Place]
    routes: list[list[Point]]


def lay_out(
    sizes: Mapping[str, tuple[float, float]],
    arrows: Sequence[tuple[str, str]],
    gap: float = 28.0,
    between: float = 44.0,
) -> Layout:
    """Places for boxes so that arrows go downwards.

    Parameters
    ----------
    sizes : width and height of each box; sources of arrows come before their targets.
    arrows : pairs of boxes.
    gap : room between neighbours in a layer.
    between : room between layers.
    """
    if not sizes:
        return Layout(0.0, 0.0, {}, [[] for _ in arrows])
    number = {key: i for i, key in enumerate(sizes)}
    edges = [(number[a], number[b]) for a, b in arrows]
    forward = [(min(e), max(e)) for e in edges]  # against the order only in graphs that have cycles
    ranks = _ranks(len(number), forward)
    grid = _Grid(list(sizes.values()), ranks, forward, gap)
    grid.order()
    xs = _coordinates(grid)
    return _finished(list(sizes), grid, xs, edges, between)


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each box: behind all sources, and those with more targets than sources close to the former."""
    ins: list[list[int]] = [[] for _ in range(count)]
    outs: list[list[int]] = [[] for _ in range(count)]
    for a, b in set(edges):
        if a != b:
            outs[a].append(b)
            ins[b].append(a)
    ranks = [0] * count
    for v in range(count):
        ranks[v] = max((ranks[u] + 1 for u in ins[v]), default=0)
    for v in reversed(range(count)):
        if outs[v] and len(outs[v]) > len(ins[v]):
            ranks[v] = min(ranks[w] for w in outs[v]) - 1
    return ranks


class _Grid:
    """Boxes, and the bends of arrows that cross layers, in layers.

    Attributes
    ----------
    layers : vertices from left to right; those from `real` on are bends.
    up, down : neighbours in the layers above and below.
    chains : the vertices that each arrow passes.
    """

    def __init__(
        self,
        sizes: Sequence[tuple[float, float]],
        ranks: Sequence[int],
        edges: Sequence[tuple[int, int]],
        gap: float,
    ) -> None:
        self.sizes = sizes
        self.gap = gap
        self.real = len(sizes)
        self.rank = list(ranks)
        self.layers: list[list[int]] = [[] for _ in range(max(ranks) + 1)]
        self.up: list[list[int]] = [[] for _ in sizes]
        self.down: list[list[int]] = [[] for _ in sizes]
        self.chains: list[list[int]] = []
        room = _BENDS
        straight = set()
        for i in sorted(range(len(edges)), key=lambda i: ranks[edges[i][1]] - ranks[edges[i][0]]):
            room -= max(0, ranks[edges[i][1]] - ranks[edges[i][0]] - 1)
            if room < 0:
                straight.add(i)
        for i, (a, b) in enumerate(edges):
            self.chains.append([a, b] if i in straight or a == b else self._chain(a, b))
        for chain in dict.fromkeys(tuple(c) for c in self.chains):
            for u, v in itertools.pairwise(chain):
                if self.rank[v] == self.rank[u] + 1:
                    self.down[u].append(v)
                    self.up[v].append(u)
        for v in self._first_order():
            self.layers[self.rank[v]].append(v)
        self.position = [0] * len(self.rank)
        self._number()

    def _chain(self, a: int, b: int) -> list[int]:
        """The vertices from `a` to `b`, with a new bend in each layer between."""
        chain = [a]
        for rank in range(self.rank[a] + 1, self.rank[b]):
            chain.append(len(self.rank))
            self.rank.append(rank)
            self.up.append([])
            self.down.append([])
        return [*chain, b]

    def _first_order(self) -> list[int]:
        """All vertices, depth first from the sources: chains stay together."""
        seen = [False] * len(self.rank)
        order = []
        for start in range(len(self.rank)):
            if seen[start] or self.up[start]:
                continue
            stack = [start]
            while stack:
                v = stack.pop()
                if not seen[v]:
                    seen[v] = True
                    order.append(v)
                    stack.extend(reversed(self.down[v]))
        return order

    def _number(self) -> None:
        for layer in self.layers:
            for i, v in enumerate(layer):
                self.position[v] = i

    def order(self) -> None:
        """Order the layers so that few arrows cross."""
        arrows = sum(map(len, self.down))
        best, fewest = [list(layer) for layer in self.layers], self.crossings()
        for sweep in range(min(_SWEEPS, max(2, _WORK // max(1, arrows)))):
            if not fewest:
                break
            downwards = sweep % 2 == 0
            neighbours = self.up if downwards else self.down
            layers = self.layers if downwards else self.layers[::-1]
            for layer in layers[1:]:
                keys = {
                    v: sum(self.position[u] for u in near) / len(near)
                    if (near := neighbours[v])
                    else float(i)
                    for i, v in enumerate(layer)
                }
                layer.sort(key=keys.__getitem__)
                for i, v in enumerate(layer):
                    self.position[v] = i
            found = self.crossings()
            if found < fewest:
                best, fewest = [list(layer) for layer in self.layers], found
        self.layers = best
        self._number()

    def crossings(self) -> int:
        """How many pairs of arrows cross."""
        count = 0
        for layer in self.layers:
            ends = [
                self.position[w] for v in layer for w in sorted(self.down[v], key=self.position.__getitem__)
            ]
            seen: list[int] = []
            for end in ends:
                count += len(seen) - bisect_right(seen, end)
                insort(seen, end)
        return count

    def separation(self, u: int, v: int) -> float:
        """The least distance between the centres of neighbours in a layer."""
        widths = sum(self.sizes[w][0] if w < self.real else 0.0 for w in (u, v))
        bends = (u >= self.real) + (v >= self.real)
        return widths / 2 + self.gap * (1.0, 0.75, 0.5)[bends]


def _coordinates(grid: _Grid) -> list[float]:
    """The x of every vertex: the mean of the two middle ones of four placements, each pushed to another corner."""
    marked = _conflicts(grid)
    found = []
    for downwards in (True, False):
        for leftwards in (True, False):
            layers = grid.layers if downwards else grid.layers[::-1]
            layers = layers if leftwards else [layer[::-1] for layer in layers]
            near = grid.up if downwards else grid.down
            roots = _aligned(layers, near, marked)
            xs = _compacted(layers, roots, grid)
            found.append(xs if leftwards else [-x for x in xs])
    widths = [max(xs) - min(xs) for xs in found]
    least = found[widths.index(min(widths))]
    for i, xs in enumerate(found):
        shift = min(least) - min(xs) if i % 2 == 0 else max(least) - max(xs)
        found[i] = [x + shift for x in xs]
    return [sum(sorted(four)[1:3]) / 2 for four in zip(*found, strict=True)]


def _conflicts(grid: _Grid) -> set[tuple[int, int]]:
    """Arrows that cross one that is straight between two bends, as pairs of vertices: they give way."""
    marked: set[tuple[int, int]] = set()
    for upper, lower in zip(grid.layers, grid.layers[1:], strict=False):
        first, start = 0, 0
        for i, v in enumerate(lower):
            inner = next((u for u in grid.up[v] if u >= grid.real), None) if v >= grid.real else None
            if inner is None and i < len(lower) - 1:
                continue
            last = len(upper) if inner is None else grid.position[inner]
            for w in lower[start : i + 1]:
                for u in grid.up[w]:
                    if not first <= grid.position[u] <= last and not (u >= grid.real and w >= grid.real):
                        marked.add((u, w))
                        marked.add((w, u))
            first, start = last, i + 1
    return marked


def _aligned(
    layers: Sequence[Sequence[int]], near: Sequence[Sequence[int]], marked: set[tuple[int, int]]
) -> list[int]:
    """For each vertex the top of the vertical line that it lies on: under a middle neighbour, where that is free."""
    place = [0] * len(near)
    for layer in layers:
        for i, v in enumerate(layer):
            place[v] = i
    root = list(range(len(near)))
    taken = [False] * len(near)  # has something below it
    for layer in layers:
        reach = -1
        for v in layer:
            above = sorted(near[v], key=place.__getitem__)
            if not above:
                continue
            for middle in dict.fromkeys(((len(above) - 1) // 2, len(above) // 2)):
                u = above[middle]
                if root[v] == v and not taken[u] and (u, v) not in marked and place[u] > reach:
                    root[v] = root[u]
                    taken[u] = True
                    reach = place[u]
    return root


def _compacted(layers: Sequence[Sequence[int]], root: Sequence[int], grid: _Grid) -> list[float]:
    """The x of every vertex: each line as far to the left as possible, then close to what is right of it."""
    after: dict[int, dict[int, float]] = {}
    before: dict[int, dict[int, float]] = {}
    for layer in layers:
        for u, v in itertools.pairwise(layer):
            a, b, room = root[u], root[v], grid.separation(u, v)
            after.setdefault(a, {})[b] = max(room, after.get(a, {}).get(b, 0.0))
            before.setdefault(b, {})[a] = after[a][b]
    order: list[int] = []
    waiting = {line: len(before.get(line, ())) for line in set(root)}
    ready = sorted(line for line, n in waiting.items() if not n)
    while ready:
        line = ready.pop()
        order.append(line)
        for other in after.get(line, ()):
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    xs = dict.fromkeys(order, 0.0)
    for line in order:
        xs[line] = max((xs[a] + room for a, room in before.get(line, {}).items()), default=0.0)
    for line in reversed(order):
        limit = min((xs[b] - room for b, room in after.get(line, {}).items()), default=xs[line])
        xs[line] = max(xs[line], limit)
    return [xs[line] for line in root]


def _finished(
    keys: Sequence[str],
    grid: _Grid,
    xs: Sequence[float],
    edges: Sequence[tuple[int, int]],
    between: float,
) -> Layout:
    """Boxes and routes in a picture that begins at (0, 0)."""
    tops, bottoms, y = [], [], 0.0
    for layer in grid.layers:
        height = max((grid.sizes[v][1] for v in layer if v < grid.real), default=0.0)
        tops.append(y)
        bottoms.append(y + height)
        y += height + between
    halves = [grid.sizes[v][0] / 2 if v < grid.real else 0.0 for v in range(len(xs))]
    left = min(x - half for x, half in zip(xs, halves, strict=True))
    right = max(x + half for x, half in zip(xs, halves, strict=True))
    x = [value - left for value in xs]
    places = {
        key: Place(x[v], (tops[grid.rank[v]] + bottoms[grid.rank[v]]) / 2, *grid.sizes[v])
        for v, key in enumerate(keys)
    }
    starts, ends = _ports(grid, x)
    routes = []
    for i, chain in enumerate(grid.chains):
        a, b = places[keys[chain[0]]], places[keys[chain[-1]]]
        points = [(starts[i], a.y + a.height / 2), (starts[i], bottoms[grid.rank[chain[0]]])]
        for v in chain[1:-1]:
            points += [(x[v], tops[grid.rank[v]]), (x[v], bottoms[grid.rank[v]])]
        points += [(ends[i], tops[grid.rank[chain[-1]]]), (ends[i], b.y - b.height / 2)]
        routes.append(points if edges[i][0] <= edges[i][1] else points[::-1])
    return Layout(right - left, bottoms[-1], places, routes)


def _ports(grid: _Grid, x: Sequence[float]) -> tuple[list[float], list[float]]:
    """Where on a box's lower side each arrow begins, and where on the upper side it ends."""
    starts, ends = [0.0] * len(grid.chains), [0.0] * len(grid.chains)
    for found, here, there in ((starts, 0, 1), (ends, -1, -2)):
        at: dict[int, list[int]] = {}
        for i, chain in enumerate(grid.chains):
            at.setdefault(chain[here], []).append(i)
        for v, arrows in at.items():
            arrows.sort(key=lambda i: x[grid.chains[i][there]])
            step = min(14.0, (grid.sizes[v][0] - 16) / len(arrows))
            for k, i in enumerate(arrows):
                found[i] = x[v] + (k - (len(arrows) - 1) / 2) * step
    return starts, ends
