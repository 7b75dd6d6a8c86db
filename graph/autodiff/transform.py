"""Differentiation of ONNX models: usable without the rest of the package."""

from __future__ import annotations

import os
from collections.abc import Sequence

import onnx

from ..dims import prod
from ..errors import GraphError, NotDifferentiableError
from ..importers.onnx import read_onnx
from ..program import finish
from .engine import differentiable, vjp

__all__ = ["differentiate"]


def differentiate(
    model: onnx.ModelProto | str | os.PathLike[str],
    loss: str | None = None,
    wrt: Sequence[str] | None = None,
) -> onnx.ModelProto:
    """A model that also computes the gradient of one of its values.

    Parameters
    ----------
    model : any ONNX model, or the path of one.
    loss : name of the value to differentiate (of the only output by default). If it has more than one element
        its sum is differentiated.
    wrt : names of inputs or initializers (default: all floating-point initializers, or inputs if there are
        none).

    Returns
    -------
    onnx.ModelProto : plain ONNX with the outputs of `model`, then for each of `wrt` an output ``NAME_grad``.

    Raises
    ------
    GraphError : a name is unknown.
    NotDifferentiableError : an operator on the path has no gradient rule, or the loss does not depend on one of
        `wrt`.

    Examples
    --------
    >>> trained = differentiate("model.onnx", loss="loss", wrt=["fc.weight", "fc.bias"])  # doctest: +SKIP
    """
    read = read_onnx(model)
    if loss is None:
        if len(read.outputs) != 1:
            raise GraphError(f"the model has the outputs {read.outputs}; name the one to differentiate")
        loss = read.outputs[0]
    for name in [loss, *(wrt or [])]:
        if name not in read.values:
            raise GraphError(
                f"the model has no value named {name!r}; inputs are {read.inputs}, outputs {read.outputs}"
            )
    if wrt is None:
        candidates = read.initializers or read.inputs
        wrt = [n for n in candidates if differentiable(read.values[n].dt)]
    g, head = read.builder, read.values[loss]
    if not differentiable(head.dt):
        raise NotDifferentiableError(f"{loss!r} has element type {head.dt}, which has no gradients")
    seed = g.fill(head.dims, 1, head.dt) if prod(head.dims) != 1 or head.ndim else g.const(1, head.dt)
    found = vjp(g, [head], [seed], [read.values[n] for n in wrt])
    unrelated = [n for n, d in zip(wrt, found, strict=True) if d is None]
    if unrelated:
        raise NotDifferentiableError(
            f"{loss!r} does not depend on {unrelated} through differentiable operators"
        )
    outputs = [read.values[n] for n in read.outputs] + [d for d in found if d is not None]
    return finish(g, outputs, names=[*read.outputs, *(f"{n}_grad" for n in wrt)]).model
