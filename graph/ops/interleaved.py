"""Products of attention heads whose queries, keys and values lie interleaved in one array."""

from __future__ import annotations

from ..builder import Builder, Tensor
from ..dims import DimLike, prod
from ..errors import ShapeError
from ._axes import quotient
from ._numeric import same_type
from .registry import operator

__all__: list[str] = []


def _heads(g: Builder, x: Tensor, name: str, heads: int, parts: int) -> list[Tensor]:
    """The `parts` of an array (length, batch, heads * parts * size), each as (batch * heads, length, size)."""
    if x.ndim != 3:
        raise ShapeError(f"argument {name!r}: expected (length, batch, features), got shape {x.dims}")
    if heads < 1:
        raise ShapeError(f"parameter 'heads': expected a number above 0, got {heads}")
    length, batch, features = x.dims
    size = quotient(features, heads * parts, f"features of argument {name!r}")
    split = g.reshape(x, (length, prod((batch, heads)), parts, size))
    found = []
    for k in range(parts):
        part = g.squeeze(g.slice(split, [2], [k], [k + 1]), 2) if parts > 1 else g.squeeze(split, 2)
        found.append(g.transpose(part, [1, 0, 2]))
    return found


def _scores(g: Builder, queries: Tensor, keys: Tensor) -> Tensor:
    """Scaled products of all queries with all keys."""
    size = queries.dims[2]
    if isinstance(size, int):
        queries = queries * float(size) ** -0.5
    else:
        queries = queries / g.op("Sqrt", g.cast(g.dim(size), queries.dt))
    return g.op("MatMul", queries, g.transpose(keys, [0, 2, 1]))


def _joined(g: Builder, attention: Tensor, values: Tensor, batch: DimLike) -> Tensor:
    """Sums of values weighted by attention, as (length, batch, heads * size)."""
    same_type("interleaved_matmul", attention, values)
    wanted = (values.dims[0], values.dims[1])
    if attention.ndim != 3 or (attention.dims[0], attention.dims[2]) != wanted:
        raise ShapeError(
            f"argument 'attention': expected shape ({wanted[0]}, ?, {wanted[1]}), got {attention.dims}"
        )
    y = g.transpose(g.op("MatMul", attention, values), [1, 0, 2])
    return g.reshape(y, (y.dims[0], batch, prod(y.dims[1:]) // batch))


@operator("_contrib_interleaved_matmul_selfatt_qk")
def self_scores(g: Builder, queries_keys_values: Tensor, *, heads: int) -> Tensor:
    """interleaved_matmul_selfatt_qk(queries_keys_values, heads)

    Products of queries and keys over the square root of their size, (batch * heads, length, length). The array holds
    queries, keys and values of each head side by side: (length, batch, heads * 3 * size).
    """
    queries, keys, _ = _heads(g, queries_keys_values, "queries_keys_values", heads, 3)
    return _scores(g, queries, keys)


@operator("_contrib_interleaved_matmul_selfatt_valatt")
def self_values(g: Builder, queries_keys_values: Tensor, attention: Tensor, *, heads: int) -> Tensor:
    """interleaved_matmul_selfatt_valatt(queries_keys_values, attention, heads)

    Sums of values weighted by `attention` (batch * heads, length, length): (length, batch, heads * size).
    """
    values = _heads(g, queries_keys_values, "queries_keys_values", heads, 3)[2]
    return _joined(g, attention, values, queries_keys_values.dims[1])


@operator("_contrib_interleaved_matmul_encdec_qk")
def encoder_scores(g: Builder, queries: Tensor, keys_values: Tensor, *, heads: int) -> Tensor:
    """interleaved_matmul_encdec_qk(queries, keys_values, heads)

    Products of queries and keys over the square root of their size, (batch * heads, length of `queries`, length of
    `keys_values`). `queries` is (length, batch, heads * size), `keys_values` holds both of each head side by side.
    """
    same_type("interleaved_matmul_encdec_qk", queries, keys_values)
    (q,) = _heads(g, queries, "queries", heads, 1)
    keys, _ = _heads(g, keys_values, "keys_values", heads, 2)
    if (q.dims[0], q.dims[2]) != (keys.dims[0], keys.dims[2]):
        raise ShapeError(
            f"argument 'keys_values': {keys_values.dims} does not fit queries of shape {queries.dims} in {heads} heads"
        )
    return _scores(g, q, keys)


@operator("_contrib_interleaved_matmul_encdec_valatt")
def encoder_values(g: Builder, keys_values: Tensor, attention: Tensor, *, heads: int) -> Tensor:
    """interleaved_matmul_encdec_valatt(keys_values, attention, heads)

    Sums of values weighted by `attention` (batch * heads, length of queries, length of `keys_values`): (length of
    queries, batch, heads * size).
    """
    values = _heads(g, keys_values, "keys_values", heads, 2)[1]
    return _joined(g, attention, values, keys_values.dims[1])
