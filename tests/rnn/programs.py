"""Symbols of `mx.rnn`'s cells, built once for MXNet and for this package.

Run with an interpreter that has MXNet 1.9.1 it writes symbols.json: a hash of each symbol's file.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NAMES = ["rnn", "lstm", "gru", "stack", "bidirectional", "both ways", "zoneout"] + [
    f"{kind} {mode}" for kind in ("fused", "unfused") for mode in ("lstm", "gru", "rnn_tanh", "rnn_relu")
]


def _cell(mx: Any, name: str) -> tuple[Any, dict[str, Any]]:
    """The cell called `name`, and arguments of its unroll."""
    r = mx.rnn
    kind, _, mode = name.partition(" ")
    if kind in ("fused", "unfused"):
        cell = r.FusedRNNCell(4, 2, mode, bidirectional=True, dropout=0.1, get_next_state=True)
        return (cell if kind == "fused" else cell.unfuse()), {}
    if name == "stack":
        stack = r.SequentialRNNCell()
        for part in (
            r.LSTMCell(4, prefix="l0_"),
            r.DropoutCell(0.3),
            r.ResidualCell(r.GRUCell(4, prefix="l1_")),
        ):
            stack.add(part)
        return stack, {}
    if name == "bidirectional":
        return r.BidirectionalCell(r.LSTMCell(4, prefix="f_"), r.GRUCell(4, prefix="b_")), {
            "merge_outputs": True
        }
    if name == "both ways":
        return r.BidirectionalCell(r.RNNCell(4, prefix="f_"), r.RNNCell(4, prefix="b_")), {}
    if name == "zoneout":
        return r.ZoneoutCell(r.RNNCell(4), 0.2, 0.3), {}
    if name == "rnn":
        return r.RNNCell(4, prefix="a_"), {}
    return (r.LSTMCell(4, forget_bias=2.0), {"merge_outputs": True}) if name == "lstm" else (
        r.GRUCell(4), {"layout": "TNC"}
    )  # fmt: skip


def symbol(mx: Any, name: str) -> Any:
    """Three steps of a cell: outputs and last states."""
    with mx.name.NameManager():
        cell, options = _cell(mx, name)
        outputs, states = cell.unroll(3, mx.sym.var("x"), **options)
        flat = outputs if isinstance(outputs, list) else [outputs]
        flat = flat + [s for part in states for s in (part if isinstance(part, list) else [part])]
        return mx.sym.Group(flat)


def digest(made: Any) -> str:
    """A hash of a symbol's file, without the numbering of outputs that nobody sees."""
    graph = json.loads(made.tojson())
    del graph["node_row_ptr"]
    return hashlib.sha256(json.dumps(graph, sort_keys=True).encode()).hexdigest()[:16]


def main() -> None:
    """Write symbols.json with MXNet."""
    import mxnet as mx

    found = {name: digest(symbol(mx, name)) for name in NAMES}
    (HERE / "symbols.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
