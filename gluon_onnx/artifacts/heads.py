"""Networks to fine-tune: read from files, with the loss layer taken off, or with a new last layer."""

from __future__ import annotations

import ast
import os
import re
from typing import Any

import numpy as np

from .. import symbol
from ..base import MXNetError
from ..gluon import HybridBlock, SymbolBlock, nn
from ..initializer import Initializer
from ..ndarray import NDArray
from ..symbol import Symbol

__all__ = ["HEAD", "declared_size", "network"]

HEAD = "head_"  # prefix of the new layer's parameters
_DENSE = ("FullyConnected", "onnx.Gemm", "onnx.MatMul")


def network(
    model: Any,
    params: str | os.PathLike[str] | None,
    classes: int | None,
    features: str | None,
    seed: int = 0,
) -> HybridBlock:
    """A block that ends in scores.

    Parameters
    ----------
    model : a HybridBlock, or the path of an ONNX model or a ``-symbol.json``.
    params : the ``.params`` of a ``-symbol.json``; by default the newest beside it.
    classes : a new dense layer of as many outputs takes the place of the last one.
    features : the value that the new layer reads; by default what the last dense layer does.
    seed : of the new layer's weights.

    Raises
    ------
    MXNetError : a value cannot be found.
    """
    if isinstance(model, HybridBlock):
        block = model
        if classes is None:
            return block
        if not isinstance(block, SymbolBlock):
            raise MXNetError(
                "head: the last layer of a SymbolBlock or of a file can be replaced; of a block, do it there"
            )
    else:
        block = _read(os.fspath(model), params)
    assert isinstance(block, SymbolBlock)
    whole = block._symbol_graph[1]
    cut = _features(whole, features) if classes is not None else _scores(whole, bool(block._labels))
    if cut is whole:
        return block
    body = SymbolBlock(cut, [symbol.var(n) for n in block._input_names], block.params)
    if classes is None:
        return body
    net = nn.HybridSequential(prefix="")
    net.add(body, nn.Dense(classes, prefix=HEAD))
    net[1].initialize(_Uniform(seed))
    return net


class _Uniform(Initializer):
    """Weights of variance 1 / inputs, from a generator of its own: a seed gives the same whatever else is drawn."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def _init_weight(self, name: Any, arr: NDArray) -> None:
        bound = (3.0 / max(1, arr.size // arr.shape[0])) ** 0.5
        arr[:] = np.random.default_rng(self._seed).uniform(-bound, bound, arr.shape).astype(arr.dtype)


def declared_size(block: HybridBlock) -> tuple[int, ...] | None:
    """Channels, height and width of the pictures that a block's first input declares; None where it does not."""
    inner = next((b for b in (block, *block._children.values()) if isinstance(b, SymbolBlock)), None)
    if inner is None:
        return None
    node = inner._symbol_graph[0][0].heads[0][0]
    declared = next((n for n in inner._symbol_graph[1].nodes() if n.op is None and n.name == node.name), node)
    shape = ast.literal_eval(declared.attrs.get("__shape__", "()"))
    return tuple(shape[1:]) if len(shape) == 4 and min(shape[1:]) > 0 else None


def _read(path: str, params: str | os.PathLike[str] | None) -> SymbolBlock:
    if params is None and path.endswith("-symbol.json"):
        folder, prefix = os.path.split(path.removesuffix("-symbol.json"))
        pattern = re.compile(re.escape(prefix) + r"-\d{4,}\.params")
        found = sorted(n for n in os.listdir(folder or ".") if pattern.fullmatch(n))
        if not found:
            raise MXNetError(f"{path}: found no {prefix}-NNNN.params beside it; name the parameters")
        params = os.path.join(folder, found[-1])
    return SymbolBlock.imports(path, param_file=params)


def _features(whole: Symbol, name: str | None) -> Symbol:
    """The value that the last dense layer reads, or the value of a name."""
    if name is not None:
        internals = whole.get_internals()
        names = internals.list_outputs()
        wanted = next((n for n in (name, f"{name}_output") if n in names), None)
        if wanted is None:
            raise MXNetError(f"features: the model has no value {name!r}; its last ones are {names[-8:]}")
        found: Symbol = internals[wanted]
        return found
    for node in reversed(whole.nodes()):
        if node.op is not None and node.op.name in _DENSE:
            return type(whole)([node.inputs[0]])
    raise MXNetError(
        "head: the model has no dense layer to replace; give the value that the new one reads (features)"
    )


def _scores(whole: Symbol, has_loss: bool) -> Symbol:
    """The outputs, with the inputs of loss layers in place of their outputs."""
    if not has_loss:
        return whole
    heads = []
    for node, i in whole.heads:
        is_loss = node.op is not None and node.op.labels
        heads.append(node.inputs[0] if is_loss else (node, i))
    return type(whole)(heads)
