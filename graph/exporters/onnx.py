"""Writing Symbols as ONNX models for deployment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from ..dims import Dim, DimLike
from ..errors import NeedsStaticShape
from ..lower import TensorSpec, lower_symbol
from ..program import bake
from ..symbol import Symbol
from ._files import replaced_file

__all__ = ["symbol_to_onnx", "write_onnx"]


def symbol_to_onnx(
    symbol: Symbol,
    inputs: Mapping[str, TensorSpec],
    params: Mapping[str, np.ndarray[Any, Any]],
    dynamic_batch: bool = True,
) -> onnx.ModelProto:
    """The inference model of a symbol: parameters are initializers, inputs keep their names.

    Parameters
    ----------
    inputs : element type and shape of every input.
    params : values of all other variables.
    dynamic_batch : make the first dimension of the inputs symbolic where the graph admits it.
    """
    known: dict[str, TensorSpec] = {n: (v.dtype, v.shape) for n, v in params.items()}
    variants: list[Mapping[str, TensorSpec]] = [inputs]
    if dynamic_batch:
        sizes = {s[0] for _, s in inputs.values() if len(s)}
        if len(sizes) == 1:
            variants.insert(0, {n: (dt, _with_batch(s)) for n, (dt, s) in inputs.items()})
    for i, specs in enumerate(variants):
        try:
            program = lower_symbol(symbol, {**known, **specs}, train=False)
        except NeedsStaticShape:
            if i == len(variants) - 1:
                raise
            continue
        break
    model = bake(program, params).model
    onnx.checker.check_model(model, full_check=True)
    return model


def _with_batch(shape: Sequence[DimLike]) -> tuple[DimLike, ...]:
    return (Dim.symbol("batch"), *shape[1:])


def write_onnx(model: onnx.ModelProto, path: str | os.PathLike[str]) -> None:
    """Write a model; the file is replaced as a whole, or not at all."""
    with replaced_file(path) as stream:
        stream.write(model.SerializeToString())
