"""Symbols as tables and pictures: `print_summary` and `plot_network`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .graph.picture import Arrow, Box, Picture, color_of, is_weight, label_of, repeated_names
from .graph.symbol import Entry, Node
from .symbol import Symbol

__all__ = ["digraph", "plot_network", "print_summary"]

Shape = tuple[int, ...]


def print_summary(
    symbol: Symbol,
    shape: Mapping[str, Sequence[int]] | None = None,
    line_length: int = 120,
    positions: Sequence[float] = (0.44, 0.64, 0.74, 1.0),
) -> None:
    """Print the layers of a symbol: output shapes without the batch, numbers of parameters, and where inputs come from.

    Parameters are counted as MXNet counts them: those of Convolution, FullyConnected, BatchNorm (scale and shift) and
    Embedding; where the number follows from the shape of the data, it needs `shape`.

    Parameters
    ----------
    shape : shapes of the inputs by name.
    line_length : width of the table.
    positions : where its columns end, as parts of the width or in characters.

    Raises
    ------
    TypeError : `symbol` is not a Symbol.
    ValueError : `shape` leaves shapes open.
    """
    if not isinstance(symbol, Symbol):
        raise TypeError(f"symbol must be a Symbol, got {type(symbol).__name__}")
    table = _Table(symbol, None if shape is None else _inferred_shapes(symbol, shape))
    ends = [int(line_length * p) for p in positions] if positions[-1] <= 1 else [int(p) for p in positions]
    write = sys.stdout.write
    write("_" * line_length + "\n")
    write(_columns(("Layer (type)", "Output Shape", "Param #", "Previous Layer"), ends))
    write("=" * line_length + "\n")
    total = 0
    for number, node in enumerate(table.nodes):
        if node.op is None and number > 0:
            continue
        previous = [source.name for source in table.sources(node)]
        count = table.parameters(node)
        total += count
        kind = node.op.name if node.op else "null"
        sizes = "x".join(map(str, table.shape(node)))
        write(_columns((f"{node.name}({kind})", sizes, count, previous[0] if previous else ""), ends))
        for name in previous[1:]:
            write(_columns(("", "", "", name), ends))
        write(("=" if number == len(table.nodes) - 1 else "_") * line_length + "\n")
    write(f"Total params: {total}\n" + "_" * line_length + "\n")


def _columns(fields: Sequence[object], ends: Sequence[int]) -> str:
    line = ""
    for field, end in zip(fields, ends, strict=True):
        line = (line + str(field))[:end].ljust(end)
    return line + "\n"


class _Table:
    """The facts of `print_summary`."""

    def __init__(self, symbol: Symbol, shapes: Mapping[Entry, Shape] | None) -> None:
        self.nodes = symbol.nodes()
        self._shapes = shapes
        self._first = {self.nodes[0], symbol.heads[0][0]}

    def shape(self, node: Node) -> Shape:
        """The shape of a node's output without the batch; nothing where it has several outputs."""
        single = node.op is None or node.output_names()[0] == f"{node.name}_output"
        return self._shapes[node, 0][1:] if single and self._shapes is not None else ()

    def sources(self, node: Node) -> list[Node]:
        """Where a layer's inputs come from; of variables only the first of the graph is shown."""
        return [s for s, _ in node.inputs if s.op is not None or s in self._first]

    def parameters(self, node: Node) -> int:
        """The number of a layer's parameters."""
        if node.op is None:
            return 0
        kind, a = node.op.name, node.parsed
        channels = sum(shape[0] for s in self.sources(node) if (shape := self.shape(s)))
        if kind == "Convolution":
            count = int(channels * a.num_filter // a.num_group * np.prod(a.kernel))
            return count if a.no_bias else count + int(a.num_filter)
        if kind == "FullyConnected":
            return int((channels if a.no_bias else channels + 1) * a.num_hidden)
        if kind == "BatchNorm":
            return 2 * int(self.shape(node)[0]) if self._shapes is not None else 0
        if kind == "Embedding":
            return int(a.input_dim * a.output_dim)
        return 0


def _inferred_shapes(symbol: Symbol, known: Mapping[str, Sequence[int]]) -> dict[Entry, Shape]:
    """Shapes of all values of a graph."""
    internals = symbol.get_internals()
    _, shapes, _ = internals.infer_shape(**known)
    if shapes is None:
        raise ValueError(
            f"Input shape is incomplete: the shapes given for {sorted(known)} leave shapes in the graph open"
        )
    return dict(zip(internals.heads, map(tuple, shapes), strict=True))


def plot_network(
    symbol: Symbol,
    title: str = "plot",
    save_format: str = "pdf",
    shape: Mapping[str, Sequence[int]] | None = None,
    dtype: Mapping[str, Any] | None = None,
    node_attrs: Mapping[str, str] = {},
    hide_weights: bool = True,
) -> Any:
    """A picture of a symbol's graph, its inputs at the bottom.

    Parameters
    ----------
    title : name of the picture, and of the file that ``render`` writes.
    save_format : what it is rendered as: "pdf", "png", "svg", ...
    shape, dtype : shapes and element types of inputs by name; those of all values are then written at the arrows.
    node_attrs : Graphviz attributes of all boxes.
    hide_weights : leave out variables whose names end as those of parameters do.

    Returns
    -------
    graphviz.Digraph

    Raises
    ------
    ImportError : the Python package ``graphviz`` is not installed.
    TypeError : `symbol` is not a Symbol.
    ValueError : `shape` or `dtype` leave shapes or types open.

    Warns
    -----
    RuntimeWarning : several nodes have the same name; they are one in the picture.
    """
    _graphviz()
    if not isinstance(symbol, Symbol):
        raise TypeError(f"symbol must be a Symbol, got {type(symbol).__name__}")
    nodes = symbol.nodes()
    repeated = repeated_names(node.name for node in nodes)
    if repeated:
        warnings.warn(
            "There are multiple variables with the same name in your graph, which the picture shows as one, perhaps "
            f"with a cycle. Repeated names: {','.join(repeated)}",
            RuntimeWarning,
            stacklevel=2,
        )
    shapes = None if shape is None else _inferred_shapes(symbol, shape)
    types = None if dtype is None else _inferred_types(symbol, dtype)

    def label(entry: Entry) -> str:
        text = "" if shapes is None else "x".join(map(str, shapes[entry][1:]))
        return text if types is None else f"{text}({np.dtype(types[entry]).name})"

    picture = Picture(title)
    hidden = {node for node in nodes if node.op is None and hide_weights and is_weight(node.name)}
    for node in nodes:
        if node.op is not None:
            kind = node.op.name.removeprefix("onnx.")
            text = label_of(kind, node.attrs, node.name)
            picture.boxes.append(Box(node.name, node.name, node.op.name, text, color_of(kind)))
        elif not is_weight(node.name):
            picture.boxes.append(Box(node.name, node.name, "", node.name, color_of("")))
    for node in nodes:
        # The second input of a resizing is only asked for its size.
        inputs = node.inputs[:1] if node.op and node.op.name == "_contrib_BilinearResize2D" else node.inputs
        for entry in inputs:
            if entry[0] not in hidden:
                picture.arrows.append(Arrow(entry[0].name, node.name, label(entry)))
    return digraph(picture, save_format, node_attrs, upwards=True)


def _inferred_types(symbol: Symbol, known: Mapping[str, Any]) -> dict[Entry, Any]:
    """Element types of all values of a graph."""
    internals = symbol.get_internals()
    _, types, _ = internals._likely_types(**known)
    if None in types:
        raise ValueError(f"Input type is incomplete: the types given for {sorted(known)} leave some open")
    return dict(zip(internals.heads, types, strict=True))


def digraph(
    picture: Picture, save_format: str, node_attrs: Mapping[str, str] | None = None, upwards: bool = False
) -> Any:
    """A picture as Graphviz's.

    Parameters
    ----------
    node_attrs : Graphviz attributes of all boxes, over the usual ones.
    upwards : inputs at the bottom, as MXNet draws.

    Raises
    ------
    ImportError : the Python package ``graphviz`` is not installed.
    """
    usual = {"shape": "box", "fixedsize": "true", "width": "1.3", "height": "0.8034", "style": "filled"}
    dot = _graphviz().Digraph(name=picture.title, format=save_format)
    for box in picture.boxes:
        attributes = {**usual, **(node_attrs or {}), "fillcolor": box.color}
        if not box.is_operator:
            attributes["shape"] = "oval"
        dot.node(name=box.key, label=box.label, **attributes)
    for arrow in picture.arrows:
        if upwards:
            dot.edge(arrow.target, arrow.source, arrow.label, dir="back", arrowtail="open")
        else:
            dot.edge(arrow.source, arrow.target, arrow.label, arrowhead="open")
    return dot


def _graphviz() -> Any:
    try:
        import graphviz
    except ImportError as error:
        raise ImportError(
            "drawing networks needs the Python package graphviz: pip install 'gluon-onnx[plot]'"
        ) from error
    return graphviz
