"""What optimizer updates have in common.

An update returns the new weight; states are replaced after the run. Hyper-parameters are inputs of the
program, so that they can change from step to step. They are rounded to float32 first, which is what MXNet
holds them in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np

from ..builder import Builder, Tensor
from ..errors import ShapeError
from ..shapes import TypeContext
from ._scalars import number
from .schema import Floats, Ints

__all__ = [
    "Rates",
    "Step",
    "Steps",
    "clip",
    "groups",
    "half_and_single",
    "mixed",
    "rate",
    "scaled",
    "setting",
    "several",
    "step_power",
    "with_decay",
]

Step = Annotated[int, "dynamic"]
Rates = Annotated[Floats, "dynamic"]  # one number for each weight
Steps = Annotated[Ints, "dynamic"]

SINGLE = np.dtype(np.float32)


def setting(g: Builder, value: Any, dt: Any) -> Tensor:
    """A hyper-parameter as a tensor without axes."""
    return g.cast(number(g, value, SINGLE), dt)


def rate(g: Builder, values: Any, index: int, dt: Any) -> Tensor:
    """Number `index` of a tuple of hyper-parameters, or of a vector of them, as a tensor without axes."""
    if not isinstance(values, Tensor):
        return setting(g, values[index], dt)
    one = g.op("Gather", values, g.const(index, np.int64), axis=0)
    return g.cast(g.cast(one, SINGLE), dt)


def with_decay(x: Tensor, wd: Tensor, w: Tensor, scale: Any = None) -> Tensor:
    """``x + scale * wd * w``, or `x` where the weight decay is a constant zero, as it mostly is.

    An update takes as long as reading and writing its operands does, so that each term counts.
    """
    if wd.const is not None and not wd.const.any():
        return x
    return x + (wd if scale is None else scale * wd) * w


def scaled(g: Builder, grad: Tensor, rescale: Any, bound: float, factor: Tensor) -> Tensor:
    """``factor * clip(rescale * grad)``."""
    if bound < 0:
        return (factor * setting(g, rescale, grad.dt)) * grad
    return factor * clip(g, grad * setting(g, rescale, grad.dt), bound)


def clip(g: Builder, x: Tensor, bound: float) -> Tensor:
    """`x` moved into ``[-bound, bound]``; a negative bound means no bound."""
    if bound < 0:
        return x
    return g.op("Clip", x, setting(g, -bound, x.dt), setting(g, bound, x.dt))


def step_power(g: Builder, base: Tensor, step: Tensor) -> Tensor:
    """``1 - base**step``, the correction of a running mean that started at zero."""
    return 1.0 - g.op("Pow", base, step)


def groups(
    data: Sequence[Tensor], count: int, width: int, name: str, extra: int = 0
) -> list[tuple[Tensor, ...]]:
    """The inputs of an update of several weights: `width` tensors for each, then `extra` others.

    Raises
    ------
    ShapeError : there is another number of inputs; `name` is the parameter that counts the weights.
    """
    if len(data) != count * width + extra:
        raise ShapeError(
            f"parameter {name!r}: {count} weights take {count * width + extra} arrays, got {len(data)}"
        )
    return [tuple(data[i * width : (i + 1) * width]) for i in range(count)]


def mixed(
    g: Builder, weight: Tensor, grad: Tensor, weight32: Tensor | None, new: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """The result of ``new(weight, gradient)``, computed on the copy of the weight in float32 if there is one.

    That copy is replaced too.
    """
    if weight32 is None:
        return new(weight, grad)
    value = new(weight32, g.cast(grad, SINGLE))
    g.update(weight32, value)
    return g.cast(value, weight.dt)


def half_and_single(t: TypeContext, a: Any) -> None:
    """Type rule: weight, gradient and result have one type, the other inputs are float32."""
    t.unify_all(["weight", "grad", 0])
    for name in t.names:
        if name not in ("weight", "grad"):
            t.set(name, SINGLE)


def several(width: int, extra: int = 0) -> Callable[[TypeContext, Any], None]:
    """Type rule of an update of several weights with copies in float32: `width` inputs each, then `extra`."""

    def rule(t: TypeContext, a: Any) -> None:
        for i, name in enumerate(t.names):
            if i >= len(t.names) - extra or i % width > 1:
                t.set(name, SINGLE)
            else:
                t.unify_all([name, i // width])

    return rule
