"""Dense layers."""

from __future__ import annotations

from typing import Any

from ..builder import Builder, Tensor
from ..dims import prod
from ..errors import ShapeError
from ..shapes import ShapeContext, is_complete
from .registry import operator

__all__: list[str] = []


def _present(a: Any) -> list[str]:
    return ["data", "weight"] if a.no_bias else ["data", "weight", "bias"]


@operator("FullyConnected", "_sparse_FullyConnected", present=_present)
def fully_connected(
    g: Builder,
    data: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    num_hidden: int,
    no_bias: bool = False,
    flatten: bool = True,
) -> Tensor:
    """FullyConnected(data, weight, bias=None, num_hidden, no_bias=False, flatten=True)

    ``data @ weight.T + bias``. `data` is (batch, ...) and read as a matrix; without `flatten` the last axis alone
    is transformed. `weight` is (num_hidden, input size).
    """
    if weight.dims[0] != num_hidden:
        raise ShapeError(
            f"argument 'weight': expected {num_hidden} rows (num_hidden), got shape {weight.dims}"
        )
    x = g.reshape(data, (data.dims[0], prod(data.dims[1:]))) if flatten else data
    if x.dims[-1] != weight.dims[1]:
        raise ShapeError(
            f"argument 'weight': expected {x.dims[-1]} columns (input size), got shape {weight.dims}"
        )
    if x.ndim == 2:
        return g.op("Gemm", x, weight, bias, transB=1)
    y = g.op("MatMul", x, g.transpose(weight, [1, 0]))
    return y if bias is None else y + bias


@fully_connected.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    data = s["data"]
    if data is None:
        return
    if is_complete(data[1:] if a.flatten else data[-1:]):
        s.set("weight", (a.num_hidden, prod(data[1:]) if a.flatten else data[-1]))  # type: ignore[arg-type]
    s.set("bias", (a.num_hidden,))
    out = s[0]
    if out is not None:
        s.set("data", (out[0], *(None,) * (len(data) - 1)))
