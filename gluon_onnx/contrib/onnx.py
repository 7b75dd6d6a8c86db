"""`mx.contrib.onnx`: ONNX models as symbols with parameters, or as blocks, by the functions that MXNet has for it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import onnx

from .. import ndarray
from ..context import Context
from ..gluon import SymbolBlock
from ..graph.importers.onnx import import_onnx
from ..graph.importers.onnx_file import read_file
from ..graph.onnx_nodes import type_of
from ..ndarray import NDArray
from ..symbol import Symbol

__all__ = ["get_model_metadata", "import_model", "import_to_gluon"]


def import_model(
    model_file: str | os.PathLike[str],
) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
    """A model as a symbol, its parameters, and its auxiliary states.

    The nodes of the symbol are operators called ``onnx.<OpType>``; MXNet's own function translates to its operators.

    Raises
    ------
    FormatError : the file is not a valid model.
    UnsupportedOperatorError : names all operators that are not supported.
    """
    model = import_onnx(model_file, Symbol)
    symbol = Symbol(model.symbol.heads)
    states = set(symbol.list_auxiliary_states())
    arrays = {n: ndarray.array(v, dtype=v.dtype) for n, v in model.params.items()}
    args = {n: x for n, x in arrays.items() if n not in states}
    return symbol, args, {n: x for n, x in arrays.items() if n in states}


def import_to_gluon(
    model_file: str | os.PathLike[str], ctx: Context | Sequence[Context] | None = None
) -> SymbolBlock:
    """A model as a block: `gluon.SymbolBlock.imports` under MXNet's older name."""
    return SymbolBlock.imports(model_file, ctx=ctx)


def get_model_metadata(
    model_file: str | os.PathLike[str],
) -> dict[str, list[tuple[str, tuple[int, ...]]]]:
    """Names and shapes of a model's inputs and outputs; a dimension that the model leaves open is 0.

    Returns
    -------
    dict : ``input_tensor_data`` and ``output_tensor_data``, lists of (name, shape).

    Raises
    ------
    FormatError : the file is not a valid model.
    """
    file = read_file(model_file)
    inputs = [v for v in file.model.graph.input if v.name not in file.values]
    return {"input_tensor_data": _shapes(inputs), "output_tensor_data": _shapes(file.model.graph.output)}


def _shapes(values: Iterable[onnx.ValueInfoProto]) -> list[tuple[str, tuple[int, ...]]]:
    found = []
    for v in values:
        kind = type_of(v)
        dims = kind[1] if isinstance(kind, tuple) else ()
        found.append((v.name, tuple(d if isinstance(d, int) else 0 for d in dims)))
    return found
