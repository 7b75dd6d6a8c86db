"""Checks of symbols: outputs and gradients against expected values and against finite differences."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..context import Context, current_context
from ..ndarray import NDArray
from .compare import assert_almost_equal
from .tolerance import Tolerance, default_numeric_eps, get_tolerance

__all__ = [
    "check_numeric_gradient",
    "check_speed",
    "check_symbolic_backward",
    "check_symbolic_forward",
    "numeric_grad",
    "simple_forward",
]

_FLOATS = (np.float16, np.float32, np.float64)


def simple_forward(sym: Any, ctx: Context | None = None, is_train: bool = False, **inputs: Any) -> Any:
    """Outputs of a symbol as NumPy arrays: the array itself where there is one.

    Parameters
    ----------
    inputs : NumPy arrays by argument name.
    """
    executor = sym.bind(ctx or current_context(), args={k: nd.array(v) for k, v in inputs.items()})
    executor.forward(is_train=is_train)
    outputs = [x.asnumpy() for x in executor.outputs]
    return outputs[0] if len(outputs) == 1 else outputs


def _check_dtype(dtype: Any, allow_asnumpy: bool) -> None:
    if not ((allow_asnumpy and isinstance(dtype, str) and dtype == "asnumpy") or dtype in _FLOATS):
        raise ValueError(
            f"dtype: expected float16, float32 or float64{' or asnumpy' if allow_asnumpy else ''}, "
            f"got {dtype!r}"
        )


def _array(value: Any, ctx: Context, dtype: Any) -> NDArray:
    """An NDArray of `dtype`, or of the array's own element type where `dtype` is "asnumpy"."""
    keep = isinstance(dtype, str) and dtype == "asnumpy"
    return nd.array(value, ctx=ctx, dtype=value.dtype if keep else dtype)


def _by_name(given: Any, names: Sequence[str], what: str) -> dict[str, Any]:
    if isinstance(given, Mapping):
        if set(given) != set(names):
            raise ValueError(f"{what} of the symbol are {sorted(names)}, given are {sorted(given)}")
        return dict(given)
    if len(given) > len(names):
        raise ValueError(f"{len(given)} values for the {len(names)} {what} {list(names)}")
    return dict(zip(names, given, strict=False))


def _location(sym: Any, location: Any, ctx: Context, dtype: Any) -> dict[str, NDArray]:
    """Values of the arguments as NDArrays, sorted by name."""
    named = _by_name(location, sym.list_arguments(), "arguments")
    return {k: _array(v, ctx, dtype) if isinstance(v, np.ndarray) else v for k, v in sorted(named.items())}


def _aux_states(sym: Any, aux_states: Any, ctx: Context, dtype: Any) -> dict[str, NDArray] | None:
    if aux_states is None:
        return None
    named = _by_name(aux_states, sym.list_auxiliary_states(), "auxiliary states")
    return {k: _array(v, ctx, dtype) for k, v in named.items()}


def numeric_grad(
    executor: Any,
    location: Mapping[str, Any],
    aux_states: Mapping[str, Any] | None = None,
    eps: float = 1e-4,
    use_forward_train: bool = True,
    dtype: Any = np.float32,
) -> dict[str, np.ndarray[Any, Any]]:
    """Gradients of the sum of an executor's first output, by central differences.

    Parameters
    ----------
    location : NumPy arrays by argument name; gradients are taken of the floating-point ones, else 0.
    aux_states : NumPy arrays that every evaluation starts from.
    eps : the width of a difference.
    """
    _check_dtype(dtype, False)
    values = {k: np.array(v, order="C") for k, v in location.items()}
    gradients = {k: np.zeros(v.shape, dtype) for k, v in values.items()}

    def total(name: str, value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        executor.arg_dict[name][:] = nd.array(value, dtype=dtype)
        for key, state in (aux_states or {}).items():
            executor.aux_dict[key][:] = state
        executor.forward(is_train=use_forward_train)
        return np.asarray(executor.outputs[0].asnumpy())

    for name, value in values.items():
        executor.arg_dict[name][:] = nd.array(value, dtype=dtype)
    for name, value in values.items():
        if value.dtype.kind != "f":
            continue
        original = value.copy()
        for i in range(value.size):
            value.flat[i] = original.flat[i] + eps / 2
            above = total(name, value)
            value.flat[i] = original.flat[i] - eps / 2
            gradients[name].flat[i] = (above - total(name, value)).sum() / eps
            value.flat[i] = original.flat[i]
        executor.arg_dict[name][:] = nd.array(original, dtype=dtype)
    return gradients


def _requests(grad_nodes: Any, sym: Any) -> dict[str, str]:
    if grad_nodes is None:
        grad_nodes = sym.list_arguments()
    if isinstance(grad_nodes, Mapping):
        return dict(grad_nodes)
    if not isinstance(grad_nodes, list | tuple):
        raise ValueError(
            f"grad_nodes: expected a list of names or a dict of name to grad_req, got {grad_nodes!r}"
        )
    return dict.fromkeys(grad_nodes, "write")


def _check_gradient(
    name: str,
    request: str,
    expected: Any,
    found: NDArray,
    before: Any,
    rtol: Tolerance,
    atol: Tolerance,
    source: str,
    equal_nan: bool = False,
) -> None:
    """Compare a gradient buffer with what its request should have left there.

    Parameters
    ----------
    before : what the buffer held before the backward pass.
    """
    names = (f"{source}_{name}", f"BACKWARD_{name}")
    if request == "write":
        assert_almost_equal(expected, found, rtol, atol, names, equal_nan=equal_nan)
    elif request == "add":
        assert_almost_equal(expected, found.asnumpy() - before, rtol, atol, names, equal_nan=equal_nan)
    elif request == "null":
        assert_almost_equal(before, found, rtol, atol, names, equal_nan=equal_nan)
    else:
        raise ValueError(f"grad_req of argument {name!r}: expected 'write', 'add' or 'null', got {request!r}")


def check_numeric_gradient(
    sym: Any,
    location: Any,
    aux_states: Any = None,
    numeric_eps: Tolerance = None,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    grad_nodes: Any = None,
    use_forward_train: bool = True,
    ctx: Context | None = None,
    grad_stype_dict: Mapping[str, str] | None = None,
    dtype: Any = np.float32,
) -> None:
    """Compare the gradients of a symbol with one output with finite differences.

    The output is weighted with random numbers, so that errors in different elements do not cancel out.

    Parameters
    ----------
    location : values of all arguments: a list in their order, or a dict by name.
    aux_states : values of all auxiliary states, in the same form.
    numeric_eps : width of a difference; by default the element type's (see `default_numeric_eps`).
    grad_nodes : names of the arguments to check, or a dict of name to grad_req; all by default.
    use_forward_train : evaluate in training mode.
    dtype : element type of all arrays.

    Raises
    ------
    AssertionError : a gradient is off; the message says where.
    ValueError : names do not fit the symbol.
    """
    from .. import symbol

    _check_dtype(dtype, False)
    ctx = ctx or current_context()
    for stype in (grad_stype_dict or {}).values():
        nd.zeros((1,)).tostype(stype)
    args = _location(sym, location, ctx, dtype)
    values = {k: v.asnumpy() for k, v in args.items()}
    aux = _aux_states(sym, aux_states, ctx, dtype)
    aux_values = None if aux is None else {k: v.asnumpy() for k, v in aux.items()}
    requests = _requests(grad_nodes, sym)

    _, out_shapes, _ = sym.infer_shape(**{k: v.shape for k, v in args.items()})
    loss = symbol.make_loss(sym * symbol.Variable("__random_proj"))
    # Weights that are not too small: a difference would be lost in rounding.
    args["__random_proj"] = nd.array(np.random.rand(*out_shapes[0]) + 0.1, ctx=ctx, dtype=dtype)
    before = {k: np.random.normal(0, 0.01, size=args[k].shape) for k in [*requests, "__random_proj"]}
    grads = {k: nd.array(v, ctx=ctx, dtype=dtype) for k, v in before.items()}
    executor = loss.bind(ctx, args=args, args_grad=grads, grad_req=requests, aux_states=aux)
    executor.forward(is_train=True)
    executor.backward()

    eps = get_tolerance(executor.outputs[0], numeric_eps, default_numeric_eps())
    if dtype != np.float64 and eps < 1e-5:
        raise ValueError(
            f"numeric_eps {eps} is lost in the rounding of {np.dtype(dtype).name}; use at least 1e-5"
        )
    found = {k: executor.grad_dict[k].copy() for k in requests}
    numeric = numeric_grad(executor, values, aux_values, eps, use_forward_train, dtype)
    for name, request in requests.items():
        _check_gradient(name, request, numeric[name], found[name], before[name], rtol, atol, "NUMERICAL")


def check_symbolic_forward(
    sym: Any,
    location: Any,
    expected: Any,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    aux_states: Any = None,
    ctx: Context | None = None,
    equal_nan: bool = False,
    dtype: Any = np.float32,
) -> Any:
    """Compare the outputs of a symbol, in prediction mode, with expected arrays.

    Parameters
    ----------
    location, aux_states : values of all arguments and auxiliary states: lists in order, or dicts by name.
    expected : arrays in the order of the outputs, or by output name.
    dtype : element type of all arrays; "asnumpy" keeps that of each array.

    Returns
    -------
    The outputs.

    Raises
    ------
    AssertionError : an output is off; the message says where.
    """
    _check_dtype(dtype, True)
    ctx = ctx or current_context()
    if isinstance(expected, Mapping):
        expected = [expected[k] for k in sym.list_outputs()]
    args = _location(sym, location, ctx, dtype)
    executor = sym.bind(
        ctx=ctx, args=args, grad_req="null", aux_states=_aux_states(sym, aux_states, ctx, dtype)
    )
    executor.forward(is_train=False)
    for name, expect, output in zip(sym.list_outputs(), expected, executor.outputs, strict=False):
        assert_almost_equal(
            expect, output, rtol, atol, (f"EXPECTED_{name}", f"FORWARD_{name}"), equal_nan=equal_nan
        )
    return executor.outputs


def check_symbolic_backward(
    sym: Any,
    location: Any,
    out_grads: Any,
    expected: Any,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    aux_states: Any = None,
    grad_req: Any = "write",
    ctx: Context | None = None,
    grad_stypes: Mapping[str, str] | None = None,
    equal_nan: bool = False,
    dtype: Any = np.float32,
) -> dict[str, NDArray]:
    """Compare the gradients of a symbol with expected arrays.

    Parameters
    ----------
    location, aux_states : values of all arguments and auxiliary states: lists in order, or dicts by name.
    out_grads : gradients of the outputs: a list, a dict by output name, or None (for losses).
    expected : gradients in the order of the arguments, or by argument name.
    grad_req : "write", "add" or "null": for all, a list in order, or a dict by name.
    dtype : element type of all arrays; "asnumpy" keeps that of each array.

    Returns
    -------
    The gradients by argument name.

    Raises
    ------
    AssertionError : a gradient is off; the message says where.
    """
    _check_dtype(dtype, True)
    ctx = ctx or current_context()
    for stype in (grad_stypes or {}).values():
        nd.zeros((1,)).tostype(stype or "default")
    names = sym.list_arguments()
    args = _location(sym, location, ctx, dtype)
    if not isinstance(expected, Mapping):
        expected = dict(zip(names, expected, strict=False))
    # What the buffers hold before must not show with "write", and must with "add" and "null".
    before = {k: np.random.normal(size=v.shape) for k, v in sorted(expected.items())}
    keep = isinstance(dtype, str)
    grads = {k: nd.array(v, ctx=ctx, dtype=expected[k].dtype if keep else dtype) for k, v in before.items()}
    if isinstance(grad_req, str):
        requests = dict.fromkeys(names, grad_req)
    else:
        requests = (
            dict(grad_req) if isinstance(grad_req, Mapping) else dict(zip(names, grad_req, strict=False))
        )
    executor = sym.bind(
        ctx=ctx,
        args=args,
        args_grad=grads,
        grad_req=requests,
        aux_states=_aux_states(sym, aux_states, ctx, dtype),
    )
    executor.forward(is_train=True)
    if isinstance(out_grads, Mapping):
        out_grads = [out_grads[k] for k in sym.list_outputs()]
    if out_grads is not None:
        out_grads = [_array(g, ctx, dtype) if isinstance(g, np.ndarray) else g for g in out_grads]
    executor.backward(out_grads)
    for name, gradient in expected.items():
        _check_gradient(
            name, requests[name], gradient, grads[name], before[name], rtol, atol, "EXPECTED", equal_nan
        )
    return grads


def check_speed(
    sym: Any,
    location: Mapping[str, Any] | None = None,
    ctx: Context | None = None,
    N: int = 20,
    grad_req: Any = None,
    typ: str = "whole",
    **kwargs: Any,
) -> float:
    """The mean time in seconds of a run of a symbol, after a run to warm up.

    Parameters
    ----------
    location : NumPy arrays by argument name; normally distributed numbers by default.
    N : number of runs.
    typ : "whole" (forward and backward) or "forward".
    kwargs : shapes by argument name where there is no `location`.

    Raises
    ------
    ValueError : `typ` is another word.
    """
    if typ not in ("whole", "forward"):
        raise ValueError(f"typ: expected 'whole' or 'forward', got {typ!r}")
    shapes = kwargs if location is None else {k: v.shape for k, v in location.items()}
    executor = sym.simple_bind(ctx=ctx or current_context(), grad_req=grad_req or "write", **shapes)
    if location is None:
        location = {k: np.random.normal(size=x.shape) for k, x in executor.arg_dict.items()}
    for name, value in location.items():
        executor.arg_dict[name][:] = value.astype(executor.arg_dict[name].dtype)

    def step() -> None:
        executor.forward(is_train=typ == "whole")
        if typ == "whole":
            executor.backward(out_grads=executor.outputs)

    step()
    nd.waitall()
    start = time.perf_counter()
    for _ in range(N):
        step()
    nd.waitall()
    return (time.perf_counter() - start) / N
