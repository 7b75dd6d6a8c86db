"""Reshape, with MXNet's special codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..dims import DimLike, prod
from ..errors import ShapeError
from .registry import operator
from .schema import Ints

__all__ = ["target_shape"]


def target_shape(source: Sequence[DimLike], codes: Sequence[int], reverse: bool = False) -> list[DimLike]:
    """The shape that MXNet's codes stand for.

    0 copies a dimension, -1 is what remains, -2 copies all remaining ones, -3 merges two, -4 splits one into
    the two that follow (one of them may be -1). `reverse` reads codes from the right.

    Raises
    ------
    ShapeError : the codes do not fit the source shape.
    """
    if reverse:
        return target_shape(source[::-1], _reversed(codes))[::-1]
    result: list[DimLike] = []
    place, unknown, i = 0, -1, 0

    def take() -> DimLike:
        nonlocal place
        if place >= len(source):
            raise ShapeError(f"shape codes {tuple(codes)} need more axes than {tuple(source)} has")
        place += 1
        return source[place - 1]

    while i < len(codes):
        code = codes[i]
        if code == 0:
            result.append(take())
        elif code == -1:
            if unknown >= 0:
                raise ShapeError(f"shape codes {tuple(codes)}: more than one -1")
            unknown = len(result)
            result.append(1)
            place += 1
        elif code == -2:
            while place < len(source):
                result.append(take())
        elif code == -3:
            result.append(take() * take())
        elif code == -4:
            if i + 2 >= len(codes):
                raise ShapeError(f"shape codes {tuple(codes)}: -4 needs two codes behind it")
            whole, a, b = take(), codes[i + 1], codes[i + 2]
            if a == -1 and b == -1:
                raise ShapeError(f"shape codes {tuple(codes)}: only one part of -4 can be -1")
            first: DimLike = whole // b if a == -1 else a
            second: DimLike = whole // a if b == -1 else b
            if first * second != whole:
                raise ShapeError(
                    f"shape codes {tuple(codes)}: {whole} does not split into {first} and {second}"
                )
            result += [first, second]
            i += 2
        elif code > 0:
            result.append(code)
            place += 1
        else:
            raise ShapeError(f"shape codes {tuple(codes)}: {code} is not a code")
        i += 1
    total = prod(source)
    if unknown >= 0:
        rest = prod(result)
        result[unknown] = total // rest if rest != 0 else 0
    if prod(result) != total:
        raise ShapeError(
            f"cannot reshape {tuple(source)} to {tuple(codes)}: {prod(result)} elements are not {total}"
        )
    return result


def _reversed(codes: Sequence[int]) -> list[int]:
    """Codes in reverse order, with every -4 before its two parts again."""
    result: list[int] = []
    i = len(codes) - 1
    while i >= 0:
        if i >= 2 and codes[i - 2] == -4:
            result += [-4, codes[i], codes[i - 1]]
            i -= 3
        else:
            result.append(codes[i])
            i -= 1
    return result


@operator("Reshape", "reshape")
def reshape(
    g: Builder,
    data: Tensor,
    *,
    shape: Ints = (),
    reverse: bool = False,
    target_shape: Ints = (),
    keep_highest: bool = False,
) -> Tensor:
    """Reshape(data, shape=(), reverse=False, target_shape=(), keep_highest=False)

    The elements of `data` in a new shape. `target_shape` and `keep_highest` are the older form, in which 0 is
    the remaining dimension.
    """
    if not shape and target_shape:
        codes: Sequence[int] = [-1 if s == 0 else s for s in target_shape]
        if keep_highest:
            codes = [0, *codes[1:]]
        return g.reshape(data, _target(data.dims, codes, False))
    return g.reshape(data, _target(data.dims, shape, reverse))


_target = target_shape  # the operator's parameter has the same name


@reshape.infer_shape
def _(s: Any, a: Any) -> None:
    data = s["data"]
    if (
        data is not None
        and 0 not in a.shape
        and -1 not in a.shape
        and all(c > 0 for c in a.shape)
        and a.shape
    ):
        s.set(0, tuple(a.shape))
    known = s[0]
    if data is not None and list(data).count(None) == 1 and known is not None and None not in known:
        whole = prod([d for d in known if d is not None])
        rest = prod([d for d in data if d is not None])
        s.set("data", tuple(whole // rest if d is None else d for d in data))


@operator("Flatten", "flatten")
def flatten(g: Builder, data: Tensor) -> Tensor:
    """Flatten(data)

    A matrix: the first axis, and all others together.
    """
    return g.reshape(data, (data.dims[0], prod(data.dims[1:])))


@flatten.numpy
def _(data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return data.reshape(data.shape[0], -1).copy()
