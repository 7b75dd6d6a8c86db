"""Calling operators and compiled functions on NDArrays: cache, device, recording, state updates."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._runtime import random_state
from .._runtime.function import Function, OperatorFunction
from .._runtime.session import Device, Raw, raw_dtype, raw_shape
from .._runtime.trace import trace
from .._tape import CallEntry, Place, PythonEntry, state
from ..base import MXNetError
from ..context import Context, current_context
from ..graph.autodiff import differentiable
from ..graph.errors import NeedsStaticShape
from ..graph.ops.registry import Operator
from ..graph.ops.schema import Attrs
from .integers import integer_inputs, record_integers
from .ndarray import NDArray, wrap

__all__ = ["call", "device_of", "invoke"]

_MAX_FUNCTIONS = 4096
_KERNEL_LIMIT = 1 << 16  # NumPy kernels serve calls with at most this many elements

_functions: OrderedDict[tuple[Operator, tuple[Any, ...]], OperatorFunction] = OrderedDict()
_lock = threading.Lock()


def device_of(ctx: Context) -> Device:
    """The runtime's device of a context."""
    return ("gpu", ctx.device_id) if ctx.on_gpu else ("cpu", 0)


def _function(op: Operator, attrs: Attrs) -> tuple[OperatorFunction, list[float]]:
    """The cached function of an operator call, and the values of its dynamic parameters."""
    dynamic = tuple(p for p in op.dynamic if not _absent(attrs.values[p]))
    key = (op, tuple((k, None if k in dynamic else v) for k, v in attrs.values.items()))
    found = _functions.get(key)
    if found is None:
        with _lock:
            found = _functions[key] = OperatorFunction(op, attrs, dynamic)
            while len(_functions) > _MAX_FUNCTIONS:
                _functions.popitem(last=False)
    return found, [attrs.values[p] for p in dynamic]


def _absent(value: Any) -> bool:
    """Whether a dynamic parameter is not there, or zero: what it is a factor of is left out of the program then."""
    return value is None or value == 0 or (isinstance(value, tuple) and not any(value))


def invoke(
    op: Operator,
    inputs: Sequence[NDArray],
    params: Mapping[str, Any],
    out: NDArray | Sequence[NDArray] | None = None,
) -> Any:
    """Call an operator eagerly.

    Parameters
    ----------
    inputs : arrays in the operator's order; absent optional inputs are left out.
    params : parameters by name, in Python or string form.
    out : arrays to write the results into.

    Returns
    -------
    NDArray, or a list of them where the operator has several visible outputs.
    """
    attrs = op.parse(params)
    recorded = state.recording and any(x._place is not None for x in inputs)
    if op.numpy_kernel is not None and not (recorded and op.differentiable):
        results = _by_kernel(op, inputs, attrs)
        if results is not None:
            if recorded:
                _end(op.name, [x._place for x in inputs], results)
            return _deliver(op, attrs, results, out)
    function, scalars = _function(op, attrs)
    arrays: list[NDArray | Raw] = list(inputs)
    arrays += [np.array(s, np.float64) for s in scalars]
    ctx = inputs[0].context if inputs else _context_of(params)
    results = call(
        function,
        arrays,
        train=state.training and op.uses_train,
        ctx=ctx,
        record=op.differentiable,
        visible=op.visible(attrs),
    )
    if recorded and not op.differentiable:
        _end(op.name, [x._place for x in inputs], results)
    return _deliver(op, attrs, results, out)


def _end(name: str, places: list[Place | None], results: Sequence[NDArray]) -> None:
    """Record results that have no slope: variables behind them get zeros, as in MXNet."""
    entry = PythonEntry(places, lambda dys: [None] * len(places), name)
    for i, r in enumerate(results):
        r._place = Place(entry, i)


def _context_of(params: Mapping[str, Any]) -> Context:
    ctx = params.get("ctx")
    if isinstance(ctx, Context):
        return ctx
    if isinstance(ctx, str) and ctx:
        kind, _, number = ctx.rstrip(")").partition("(")
        return Context(kind, int(number or 0))
    return current_context()


def _by_kernel(op: Operator, inputs: Sequence[NDArray], attrs: Attrs) -> list[NDArray] | None:
    """The results of the NumPy kernel, or None where it does not serve."""
    if not inputs or any(x._ctx.on_gpu or x._raw.size > _KERNEL_LIMIT for x in inputs):
        return None
    assert op.numpy_kernel is not None
    start = time.time_ns() if trace.running else 0
    with np.errstate(all="ignore"):
        results = op.numpy_kernel(*(x._raw for x in inputs), **attrs.values)
    if results is None:
        return None
    if start and trace.imperative:
        trace.span(op.name, "operator", start)
    ctx = inputs[0]._ctx
    return [wrap(np.asarray(r), ctx) for r in (results if isinstance(results, tuple) else (results,))]


def _deliver(op: Operator, attrs: Attrs, results: list[NDArray], out: Any) -> Any:
    results = results[: op.visible(attrs)]
    if out is not None:
        targets = [out] if isinstance(out, NDArray) else list(out)
        if len(targets) > len(results):
            raise MXNetError(
                f"operator {op.name}: out has {len(targets)} arrays, the operator {len(results)} results"
            )
        for target, r in zip(targets, results, strict=False):
            target._receive(r, op.name)
        return out
    return results[0] if len(results) == 1 else results


def call(
    function: Function,
    inputs: Sequence[NDArray | Raw],
    train: bool = False,
    ctx: Context | None = None,
    record: bool = True,
    visible: int | None = None,
) -> list[NDArray]:
    """Call a compiled function, record it where autograd asks for that, write its state updates back.

    Parameters
    ----------
    inputs : arrays in the order of the function's inputs (raw values are constants to autograd).
    ctx : where results live, if no input tells.
    """
    if ctx is None:
        ctx = next(x._ctx for x in inputs if isinstance(x, NDArray))
    device = device_of(ctx)
    raws = [x._raw if isinstance(x, NDArray) else x for x in inputs]
    _same_device(inputs, ctx, function)
    signature = tuple((raw_dtype(r), raw_shape(r)) for r in raws)
    specialization = function.specialize(signature, train)
    operands: list[NDArray | Raw] = list(inputs)
    if specialization.program.uses_random_key:
        key = random_state.next_key()
        raws.append(key)
        operands.append(key)
    wrt: tuple[int, ...] = ()
    if state.recording and record:
        wrt = tuple(
            i
            for i, x in enumerate(inputs)
            if isinstance(x, NDArray) and x._place is not None and differentiable(x._raw_dtype)
        )
    if not wrt:
        results = specialization.executable(device)(raws)
        for o, i in specialization.program.updates:
            target = inputs[i]
            if isinstance(target, NDArray):
                target._adopt(results[o])
        arrays = [wrap(r, ctx) for r in results[: specialization.program.visible]]
        integers = integer_inputs(inputs) if state.recording and record else ()
        if integers and len(operands) == len(inputs) and not specialization.program.updates:
            record_integers(call, function, inputs, integers, arrays, train, ctx)
        return arrays
    try:
        pair = specialization.pair(wrt)
    except NeedsStaticShape:
        specialization = function.specialize_exactly(signature, train)
        pair = specialization.pair(wrt)
    results = specialization.compiled(pair.forward, device)(raws)
    for o, i in pair.forward.updates:
        target = inputs[i]
        if isinstance(target, NDArray):
            target._write(results[o])
    arrays = [wrap(r, ctx) for r in results[: specialization.program.visible]]
    places = [x._place if isinstance(x, NDArray) and i in wrt else None for i, x in enumerate(operands)]
    if pair.backward is None:
        _end(getattr(function, "name", ""), places, [a for a in arrays if differentiable(a._raw_dtype)])
    else:
        saved = results[: specialization.program.visible + pair.saved]
        entry = CallEntry(
            specialization,
            device,
            operands,
            saved,
            wrt,
            places,
            getattr(function, "name", ""),
            lambda raw: wrap(raw, ctx),
            function,
        )
        for i, a in enumerate(arrays):
            if differentiable(a._raw_dtype):
                a._place = Place(entry, i)
                entry.watch_output(i, a._version)
    return arrays


def _same_device(inputs: Sequence[NDArray | Raw], ctx: Context, function: Function) -> None:
    for i, x in enumerate(inputs):
        if isinstance(x, NDArray) and x._ctx is not ctx and (x._ctx.on_gpu or ctx.on_gpu) and x._ctx != ctx:
            raise MXNetError(
                f"{getattr(function, 'name', 'function')}: input {i} is on {x._ctx}, others are on {ctx}"
            )
