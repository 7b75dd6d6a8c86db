"""Models in two files: how blocks are nested, and their parameters (`Block.save`, `Block.load`)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..graph.errors import FormatError
from ..graph.exporters._files import replaced_file
from ..symbol import load_json
from .structure import Structure

if TYPE_CHECKING:
    from .block import Block

__all__ = ["load_model", "save_model"]


def save_model(block: Block, prefix: str) -> None:
    """Write ``<prefix>-model.json`` and ``<prefix>-model.params``; see `Block.save`."""
    model: dict[str, Any] = {}
    _describe(block, [0], model)
    with replaced_file(f"{prefix}-model.json") as stream:
        stream.write(json.dumps(model).encode())
    block.save_parameters(f"{prefix}-model.params")


def _describe(block: Block, count: list[int], parent: dict[str, Any]) -> None:
    """Add a block and its children to the description of its parent; `count` numbers them in depth-first order."""
    from .hybrid_block import HybridBlock

    found: dict[str, Any] = {"orig_name": block.name}
    parent[_key(block, count)] = found
    if isinstance(block, HybridBlock):
        found["hybridized"] = False
        if block._active and block._graph is not None:
            found["hybridized"] = True
            inputs, out = block._graph
            found["in_format"] = _to_mxnet(block._in_format)
            found["out_format"] = _to_mxnet(block._out_format)
            found["inputs"] = [x.tojson() for x in inputs]
            found["symbol"] = out.tojson()
    children: dict[str, str] = {}
    found["children"] = children
    for key, child in block._children.items():
        count[0] += 1
        children[child.name] = key
        _describe(child, count, found)


def load_model(block: Block, prefix: str) -> None:
    """Read what `save_model` has written into a block of the same structure; see `Block.load`."""
    path = f"{prefix}-model.json"
    with open(path, encoding="utf-8") as f:
        text = f.read()
    try:
        _restore(block, [0], json.loads(text), path)
    except (json.JSONDecodeError, KeyError, TypeError) as e:
        raise FormatError(f"{path}: not a model of Block.save: {e!r}") from e
    block.load_parameters(f"{prefix}-model.params")


def _restore(block: Block, count: list[int], parent: dict[str, Any], path: str) -> None:
    """Give a block and its children the names, the keys, and the traced graphs of the description."""
    from .hybrid_block import HybridBlock

    key = _key(block, count)
    if key not in parent:
        expected = [k for k, v in parent.items() if isinstance(v, dict) and "orig_name" in v]
        raise FormatError(
            f"{path} describes another model: the block {block.name!r} would be {key!r}, it has {expected}"
        )
    found = parent[key]
    _rename(block, found["orig_name"])
    for child in block._children.values():
        count[0] += 1
        _restore(child, count, found, path)
    keys = found["children"]
    ordered = list(block._children.values())
    block._children.clear()
    for child in ordered:
        block._children[keys[child.name]] = child
    if isinstance(block, HybridBlock) and found["hybridized"]:
        block._clear_cached_op()
        block._in_format = _from_mxnet(found["in_format"])
        block._out_format = _from_mxnet(found["out_format"])
        block._graph = [load_json(x) for x in found["inputs"]], load_json(found["symbol"])
        block._active = True


def _rename(block: Block, name: str) -> None:
    """Change the name of a block, and with it those of its own parameters."""
    if block._name == name:
        return
    block._name = name
    params = block._params
    for old in list(params.keys()):
        p = params._params.pop(old)
        new = f"{name}_{old.removeprefix(params.prefix)}"
        params._params[new] = p
        if p.name == old:
            p.name = new
            p._var = None


def _key(block: Block, count: list[int]) -> str:
    return f"{type(block).__name__.lower()}{count[0]}"


def _to_mxnet(structure: Structure) -> Any:
    """A structure in MXNet's numbers: 0 for one tensor, -1 for none."""
    if isinstance(structure, list):
        return [_to_mxnet(part) for part in structure]
    return -1 if structure is None else 0 if structure == -1 else structure


def _from_mxnet(structure: Any) -> Structure:
    if isinstance(structure, list):
        return [_from_mxnet(part) for part in structure]
    return {0: -1, -1: None}.get(structure, structure)
