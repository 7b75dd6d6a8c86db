"""The table that `Block.summary` prints."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ndarray import NDArray
from ..symbol import Symbol
from .block import Block

__all__ = ["print_summary"]


def _shapes(value: Any) -> str:
    """Shapes of nested lists of arrays; the outermost list has no brackets."""
    if isinstance(value, list | tuple):
        return ", ".join(f"[{_shapes(v)}]" if isinstance(v, list | tuple) else _shapes(v) for v in value)
    return str(value.shape) if isinstance(value, NDArray) else str(value)


def print_summary(block: Block, inputs: Sequence[Any]) -> None:
    """Run `block` on `inputs` and print output shapes and numbers of parameters of every layer."""
    rows: OrderedDict[str, dict[str, Any]] = OrderedDict()
    rows["Input"] = {
        "output": _shapes(inputs[0] if len(inputs) == 1 else list(inputs)),
        "n": 0,
        "trainable": 0,
        "shared": 0,
    }
    seen: set[int] = set()
    handles = []

    def register(layer: Block) -> None:
        if getattr(layer, "_active", False):
            raise AssertionError(f'"{layer.name}" must not be hybridized to print summary.')

        def hook(b: Block, _: Any, outputs: Any) -> None:
            if isinstance(outputs, Symbol):
                return  # a trace that only finds shapes
            row: dict[str, Any] = {"output": _shapes(outputs), "n": 0, "trainable": 0, "shared": 0}
            for p in b.params.values():
                size = int(np.prod(p.shape))
                row["n"] += size
                row["trainable"] += 0 if p.grad_req == "null" else size
                if id(p) in seen:
                    row["shared"] += size
                seen.add(id(p))
            rows[f"{type(b).__name__}-{len(rows)}"] = row

        if type(layer).__name__ not in ("Sequential", "HybridSequential"):
            handles.append(layer.register_forward_hook(hook))

    try:
        block.apply(register)
        block(*inputs)
        _write(rows)
    finally:
        for h in handles:
            h.detach()


def _write(rows: OrderedDict[str, dict[str, Any]]) -> None:
    out = sys.stdout.write
    line = "{:>20}  {:>42} {:>15}\n"
    out("-" * 80 + "\n" + line.format("Layer (type)", "Output Shape", "Param #") + "=" * 80 + "\n")
    for name, row in rows.items():
        out(line.format(name, row["output"], row["n"]))
    total = sum(r["n"] for r in rows.values())
    shared = sum(r["shared"] for r in rows.values())
    trainable = sum(r["trainable"] for r in rows.values())
    out("=" * 80 + "\nParameters in forward computation graph, duplicate included\n")
    out(
        f"   Total params: {total}\n   Trainable params: {trainable}\n   Non-trainable params: {total - trainable}\n"
    )
    out(
        f"Shared params in forward computation graph: {shared}\nUnique parameters in model: {total - shared}\n"
    )
    out("-" * 80 + "\n")
