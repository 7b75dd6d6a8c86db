"""Values that the backward program computes once more instead of being given them (gradient checkpointing).

Nodes are marked with the name of a block. Of the values that a block makes only those that flow out of it are kept; see
T. Chen et al., "Training deep nets with sublinear memory cost", 2016.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import onnx_ir as ir

from ..program import reads

__all__ = ["RECOMPUTE", "with_recomputed"]

RECOMPUTE = "recompute"  # metadata of nodes: the name of the block whose values are not kept


def with_recomputed(
    forward: Sequence[ir.Node], backward: Sequence[ir.Node], kept: Collection[ir.Value]
) -> tuple[list[ir.Node], set[ir.Value]]:
    """The backward nodes, and before each of them the forward nodes that it needs once more; and what those make.

    Parameters
    ----------
    forward, backward : in topological order.
    kept : values that the backward program has anyway.
    """
    block = {
        v: n.metadata_props[RECOMPUTE] for n in forward if RECOMPUTE in n.metadata_props for v in n.outputs
    }
    across = {v for n in forward for v in reads(n) if block.get(v, "") != n.metadata_props.get(RECOMPUTE, "")}
    place = {
        v: i
        for i, n in enumerate(forward)
        for v in n.outputs
        if v in block and v not in across and v not in kept
    }
    if not place:
        return list(backward), set()
    done: set[int] = set()
    order: list[ir.Node] = []
    for node in backward:
        again: set[int] = set()
        stack = reads(node)
        while stack:
            i = place.get(stack.pop())
            if i is not None and i not in done and i not in again:
                again.add(i)
                stack.extend(reads(forward[i]))
        order += [forward[i] for i in sorted(again)]
        order.append(node)
        done |= again
    return order, {v for v, i in place.items() if i in done}
