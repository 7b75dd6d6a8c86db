"""The functions of `nd.contrib` that wrap update operators: gradient scales as numbers, lists of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..graph.ops import find
from .creation import full
from .dispatch import invoke
from .ndarray import NDArray

__all__ = [
    "adamw_update",
    "mp_adamw_update",
    "multi_adamw_update",
    "multi_lamb_update",
    "multi_mp_adamw_update",
    "multi_mp_lamb_update",
]


def _scale(rescale_grad: NDArray | float, like: NDArray) -> NDArray:
    """A gradient scale as an array of one element on the device of `like`."""
    if isinstance(rescale_grad, NDArray):
        return rescale_grad.as_in_context(like.context)
    return full((1,), rescale_grad, ctx=like.context)


def _flat(*columns: Iterable[NDArray]) -> list[NDArray]:
    return [x for row in zip(*columns, strict=True) for x in row]


def adamw_update(
    weight: NDArray,
    grad: NDArray,
    mean: NDArray,
    var: NDArray,
    rescale_grad: NDArray | float,
    lr: float,
    eta: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0,
    clip_gradient: float = -1,
    out: Any = None,
    name: str | None = None,
    **kwargs: Any,
) -> NDArray:
    """AdamW's update of a weight; see operator `_adamw_update`."""
    params = {
        "lr": lr,
        "eta": eta,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "wd": wd,
        "clip_gradient": clip_gradient,
    }
    arrays = [weight, grad, mean, var, _scale(rescale_grad, weight)]
    result: NDArray = invoke(find("_adamw_update"), arrays, {**params, **kwargs}, out)
    return result


def mp_adamw_update(
    weight: NDArray,
    grad: NDArray,
    mean: NDArray,
    var: NDArray,
    weight32: NDArray,
    rescale_grad: NDArray | float,
    lr: float,
    eta: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    wd: float = 0,
    clip_gradient: float = -1,
    out: Any = None,
    name: str | None = None,
    **kwargs: Any,
) -> NDArray:
    """AdamW's update of a weight in half precision; see operator `_mp_adamw_update`."""
    params = {
        "lr": lr,
        "eta": eta,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "wd": wd,
        "clip_gradient": clip_gradient,
    }
    arrays = [weight, grad, mean, var, weight32, _scale(rescale_grad, weight)]
    result: NDArray = invoke(find("_mp_adamw_update"), arrays, {**params, **kwargs}, out)
    return result


def multi_adamw_update(
    weights: Sequence[NDArray],
    grads: Sequence[NDArray],
    mean: Sequence[NDArray],
    var: Sequence[NDArray],
    rescale_grad: NDArray | float,
    lrs: Sequence[float],
    wds: Sequence[float],
    etas: Sequence[float],
    out: Any = None,
    name: str | None = None,
    size: int = 0,
    **kwargs: Any,
) -> Any:
    """AdamW's update of several weights; see operator `_multi_adamw_update`."""
    params = {
        "lrs": tuple(lrs),
        "wds": tuple(wds),
        "etas": tuple(etas),
        "num_weights": size or len(weights),
        **kwargs,
    }
    return invoke(
        find("_multi_adamw_update"),
        [*_flat(weights, grads, mean, var), _scale(rescale_grad, weights[0])],
        params,
        out,
    )


def multi_mp_adamw_update(
    weights: Sequence[NDArray],
    grads: Sequence[NDArray],
    mean: Sequence[NDArray],
    var: Sequence[NDArray],
    weights32: Sequence[NDArray],
    rescale_grad: NDArray | float,
    lrs: Sequence[float],
    wds: Sequence[float],
    etas: Sequence[float],
    out: Any = None,
    name: str | None = None,
    size: int = 0,
    **kwargs: Any,
) -> Any:
    """AdamW's update of several weights in half precision; see operator `_multi_mp_adamw_update`."""
    params = {
        "lrs": tuple(lrs),
        "wds": tuple(wds),
        "etas": tuple(etas),
        "num_weights": size or len(weights),
        **kwargs,
    }
    arrays = [*_flat(weights, grads, mean, var, weights32), _scale(rescale_grad, weights[0])]
    return invoke(find("_multi_mp_adamw_update"), arrays, params, out)


def multi_lamb_update(
    weights: Sequence[NDArray],
    grads: Sequence[NDArray],
    mean: Sequence[NDArray],
    var: Sequence[NDArray],
    step_count: Sequence[int],
    lrs: Sequence[float],
    wds: Sequence[float],
    out: Any = None,
    num_tensors: int = 0,
    **kwargs: Any,
) -> Any:
    """LAMB's update of several weights; see operator `_multi_lamb_update`."""
    params = {"learning_rates": tuple(lrs), "wds": tuple(wds), "step_count": tuple(step_count), **kwargs}
    params["num_tensors"] = num_tensors or len(weights)
    return invoke(find("_multi_lamb_update"), _flat(weights, grads, mean, var), params, out)


def multi_mp_lamb_update(
    weights: Sequence[NDArray],
    grads: Sequence[NDArray],
    mean: Sequence[NDArray],
    var: Sequence[NDArray],
    weights32: Sequence[NDArray],
    step_count: Sequence[int],
    lrs: Sequence[float],
    wds: Sequence[float],
    out: Any = None,
    num_tensors: int = 0,
    **kwargs: Any,
) -> Any:
    """LAMB's update of several weights in half precision; see operator `_multi_mp_lamb_update`."""
    params = {"learning_rates": tuple(lrs), "wds": tuple(wds), "step_count": tuple(step_count), **kwargs}
    params["num_tensors"] = num_tensors or len(weights)
    return invoke(find("_multi_mp_lamb_update"), _flat(weights, grads, mean, var, weights32), params, out)
