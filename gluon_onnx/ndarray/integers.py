"""Gradients of integer arrays: those of the same computation in double precision, rounded towards zero.

MXNet differentiates integers like other numbers. The gradient program is therefore made for inputs of type float64,
while the recorded computation itself stays one of integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._runtime.function import Function
from .._runtime.session import Raw, raw_dtype, raw_shape
from .._tape import Place, PythonEntry
from ..context import Context
from .ndarray import NDArray

__all__ = ["integer_inputs", "record_integers"]

_WIDE = np.dtype(np.float64)


def integer_inputs(inputs: Sequence[NDArray | Raw]) -> tuple[int, ...]:
    """Positions of the integer arrays that autograd follows."""
    return tuple(
        i
        for i, x in enumerate(inputs)
        if isinstance(x, NDArray) and x._place is not None and x._raw_dtype.kind in "iu"
    )


def record_integers(
    call: Callable[..., list[NDArray]],
    function: Function,
    inputs: Sequence[NDArray | Raw],
    wrt: tuple[int, ...],
    results: Sequence[NDArray],
    train: bool,
    ctx: Context,
) -> None:
    """Put a computation with integer variables onto the tape.

    Parameters
    ----------
    call : `dispatch.call`.
    wrt : positions of those variables.
    results : what the computation gave.
    """
    wide: list[Any] = [
        x.detach().astype(_WIDE) if i in wrt and isinstance(x, NDArray) else x for i, x in enumerate(inputs)
    ]
    raws = [x._raw if isinstance(x, NDArray) else x for x in wide]
    types = {i: x.dtype for i, x in enumerate(inputs) if i in wrt and isinstance(x, NDArray)}
    signature = tuple((raw_dtype(r), raw_shape(r)) for r in raws)

    def backward(dys: dict[int, NDArray]) -> list[NDArray | None]:
        special = function.specialize(signature, train)
        outputs = special.program.outputs
        heads = tuple(i for i in sorted(dys) if outputs[i].dt.kind == "f")
        grads: list[NDArray | None] = [None] * len(inputs)
        if heads:
            gradient = special.gradient_function(wrt, heads)
            found = call(
                gradient, [*wide, *(dys[i].astype(outputs[i].dt) for i in heads)], ctx=ctx, record=False
            )
            for i, g in zip(wrt, found, strict=True):
                grads[i] = g.astype(types[i])
        return grads

    places = [x._place if isinstance(x, NDArray) and i in wrt else None for i, x in enumerate(inputs)]
    entry = PythonEntry(places, backward, getattr(function, "name", ""))
    for i, result in enumerate(results):
        if result._raw_dtype.kind in "iuf":
            result._place = Place(entry, i)
