"""SymbolBlocks of ONNX models."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .. import ndarray, symbol
from ..base import MXNetError
from ..context import Context
from ..graph.importers.onnx import import_onnx
from .symbol_block import SymbolBlock, _named_arrays

__all__ = ["import_block"]


def import_block(
    file: str | os.PathLike[str],
    input_names: str | Sequence[str] | None,
    param_file: str | os.PathLike[str] | None,
    ctx: Context | Sequence[Context] | None,
    allow_missing: bool,
    ignore_extra: bool,
) -> SymbolBlock:
    """A block from an ONNX model; see `SymbolBlock.imports`.

    Raises
    ------
    FormatError : the model is not valid.
    UnsupportedOperatorError : names all operators that cannot be translated.
    MXNetError : an input is no variable of the model, one without a value is not named, or there is none.
    """
    where = os.fspath(file)
    model = import_onnx(file, symbol.Symbol)
    if input_names is None:
        names = model.inputs
    else:
        names = [input_names] if isinstance(input_names, str) else list(input_names)
    unknown = [n for n in names if n not in model.inputs and n not in model.params]
    left = [n for n in model.inputs if n not in names]
    if unknown or left or not names:
        what = (
            f"has no variables {unknown} that could be inputs" if unknown else f"also has the inputs {left}"
        )
        if not names:
            what = "has no inputs, so that it is no function of arrays"
        raise MXNetError(f"{where}: {what}; its inputs are {model.inputs}")
    block = SymbolBlock(model.symbol, [symbol.var(n) for n in names])  # type: ignore[arg-type]
    block._sources = tuple(os.fspath(f) for f in (file, param_file) if f is not None)
    values = {n: ndarray.array(v, dtype=v.dtype) for n, v in model.params.items() if n not in names}
    values.update(_named_arrays(param_file))
    for name, p in block.params.items():
        if name in model.params:
            p.shape = model.params[name].shape
        if name not in model.trainable:
            p.grad_req = "null"
    block.collect_params().load_dict(
        values,
        ctx,
        allow_missing,
        ignore_extra,
        filename=f"file '{where}'",
        cast_dtype=True,
        dtype_source="saved",
    )
    return block
