"""Export of hybridized blocks: MXNet's two files, and ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import ndarray
from ..graph.exporters.onnx import symbol_to_onnx, write_onnx
from ..graph.lower import TensorSpec

if TYPE_CHECKING:
    from .hybrid_block import HybridBlock

__all__ = ["export_block"]


def export_block(
    block: HybridBlock, path: str, epoch: int = 0, dynamic_batch: bool = True
) -> tuple[str, ...]:
    """Write a traced block.

    Parameters
    ----------
    path : with the suffix ``.onnx`` the model's file; else the prefix of ``-symbol.json``, ``-EPOCH.params``
        and ``-EPOCH.onnx``.
    dynamic_batch : give the model's inputs a symbolic first dimension where the graph admits it.

    Returns
    -------
    tuple : the paths written.

    Raises
    ------
    RuntimeError : the block was not hybridized and called before.
    """
    out, arrays = block._exported_arrays()
    assert block._graph is not None
    if block._compiled is None or not block._compiled.inputs:
        raise RuntimeError("export needs a traced block: call hybridize(), then the block once")
    specs: dict[str, TensorSpec] = {
        str(s.name): (np.dtype(dtype), shape)
        for s, (dtype, shape) in zip(block._graph[0], block._compiled.inputs, strict=True)
    }
    params = {k.partition(":")[2]: v.asnumpy() for k, v in arrays.items()}
    model = symbol_to_onnx(out, specs, params, dynamic_batch)
    if path.endswith(".onnx"):
        write_onnx(model, path)
        return (path,)
    names = (f"{path}-symbol.json", f"{path}-{epoch:04d}.params", f"{path}-{epoch:04d}.onnx")
    out.save(names[0])
    ndarray.save(names[1], arrays)
    write_onnx(model, names[2])
    return names
