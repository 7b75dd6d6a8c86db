"""Checks that one computation gives the same results in different ways: devices, types, hybridized or not."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..context import current_context
from ..ndarray import NDArray
from .compare import assert_almost_equal, compare_ndarray_tuple
from .tolerance import Tolerance, get_tols

__all__ = ["check_consistency", "check_gluon_hybridize_consistency", "compare_optimizer"]


def _coarser(a: Any, b: Any) -> Any:
    """The element type with fewer bytes."""
    return a if np.dtype(a).itemsize < np.dtype(b).itemsize else b


def _fill(
    executors: Sequence[Any],
    arg_params: dict[str, Any],
    aux_params: dict[str, Any],
    draw: Callable[[Any], Any],
    zero_grads: bool,
) -> None:
    """Give all executors the same arguments and states; what is not given is drawn in the order of names."""
    for name, x in sorted(executors[0].arg_dict.items()):
        if name not in arg_params:
            arg_params[name] = draw(x.shape)
    for executor in executors:
        for name, x in executor.arg_dict.items():
            x[:] = arg_params[name]
        for name, x in executor.aux_dict.items():
            x[:] = aux_params.get(name, 0)
        if zero_grads:
            for x in executor.grad_arrays:
                x[:] = 0


class _Comparison:
    """Compares the results of all executors with those of the most precise one, or with given ones."""

    def __init__(
        self,
        executors: Sequence[Any],
        truth: Mapping[str, Any] | None,
        tolerances: tuple[Tolerance, Tolerance],
        equal_nan: bool,
        raise_on_err: bool,
    ) -> None:
        self.executors = executors
        self.types = [np.dtype(e.outputs[0].dtype) for e in executors]
        self.best = max(range(len(executors)), key=lambda i: self.types[i].itemsize)
        self.given = truth
        self.tolerances = tolerances
        self.equal_nan = equal_nan
        self.raise_on_err = raise_on_err
        self.errors: list[str] = []

    def truth(self) -> dict[str, Any]:
        """What to compare with, by name of output and argument."""
        if self.given is not None:
            return dict(self.given)
        best = self.executors[self.best]
        return {**best.output_dict, **best.grad_dict}

    def check(self, i: int, what: str, name: str, found: Any, expected: Any) -> None:
        if expected is None or found is None:
            if expected is not found:
                raise AssertionError(
                    f"{what}: {name} has a gradient in one of the executors {i} and {self.best} only"
                )
            return
        # A float32 gradient (of batch norm's gamma) is as precise as the float16 data that it came from.
        types = [_coarser(found.dtype, self.types[i]), _coarser(expected.dtype, self.types[self.best])]
        rtol, atol = get_tols(np.empty(0, types[0]), np.empty(0, types[1]), *self.tolerances)
        try:
            assert_almost_equal(found, expected, rtol, atol, equal_nan=self.equal_nan)
        except AssertionError as e:
            text = f"{what} of executor {i} ({types[0]}) against {self.best} ({types[1]}) at {name}: {e}"
            if self.raise_on_err:
                raise AssertionError(text) from None
            self.errors.append(text)

    def others(self) -> list[tuple[int, Any]]:
        """All executors but the most precise one, with their numbers."""
        return [(i, e) for i, e in enumerate(self.executors) if i != self.best]


def check_consistency(
    sym: Any,
    ctx_list: Sequence[Mapping[str, Any]],
    scale: float = 1.0,
    grad_req: Any = "write",
    arg_params: Mapping[str, Any] | None = None,
    aux_params: Mapping[str, Any] | None = None,
    rtol: Tolerance = None,
    atol: Tolerance = None,
    raise_on_err: bool = True,
    ground_truth: Mapping[str, Any] | None = None,
    equal_nan: bool = False,
    use_uniform: bool = False,
    rand_type: Any = np.float64,
) -> dict[str, Any]:
    """Check that a symbol gives the same outputs and gradients in several settings.

    Parameters
    ----------
    sym : a symbol, or one for each setting with the same arguments and outputs.
    ctx_list : for each setting the arguments of `simple_bind`: ``{"ctx": mx.cpu(), "data": shape,
        "type_dict": {"data": np.float16}}``.
    scale : standard deviation of the random data (0.92 of it the largest value with `use_uniform`).
    arg_params, aux_params : data by name; the rest is drawn, states are 0.
    ground_truth : arrays by name of output and argument; by default those of the setting whose first output
        is the most precise.
    raise_on_err : raise at the first difference; else warn of all of them at the end.

    Returns
    -------
    The arrays that were compared with, by name.

    Raises
    ------
    AssertionError : results differ.
    ValueError : there are fewer than two settings, or the symbols do not match.
    """
    symbols = list(sym) if isinstance(sym, list | tuple) else [sym] * len(ctx_list)
    if len(ctx_list) < 2 or len(symbols) != len(ctx_list):
        raise ValueError(
            f"check_consistency got {len(symbols)} symbols for {len(ctx_list)} settings; needs two or more"
        )
    names, outputs = symbols[0].list_arguments(), symbols[0].list_outputs()
    for s in symbols:
        if s.list_arguments() != names or s.list_outputs() != outputs:
            raise ValueError("the symbols differ in their arguments or outputs")

    def draw(shape: Any) -> Any:
        if use_uniform:
            return np.random.uniform(-0.92 * scale, 0.92 * scale, size=shape).astype(rand_type)
        return np.random.normal(size=shape, scale=scale).astype(rand_type)

    executors = [
        s.simple_bind(grad_req=grad_req, **setting) for s, setting in zip(symbols, ctx_list, strict=True)
    ]
    _fill(executors, dict(arg_params or {}), dict(aux_params or {}), draw, grad_req == "add")
    for executor in executors:
        executor.forward(is_train=False)
    comparison = _Comparison(executors, ground_truth, (rtol, atol), equal_nan, raise_on_err)
    truth = comparison.truth()
    for i, executor in comparison.others():
        for name, found in zip(outputs, executor.outputs, strict=True):
            comparison.check(i, "prediction", name, found, truth[name])
    if grad_req != "null":
        truth = _check_training(comparison, outputs, names)
    if comparison.errors:
        warnings.warn("\n".join(comparison.errors), stacklevel=2)
    return truth


def _check_training(comparison: _Comparison, outputs: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Run all executors forward and backward, with the first one's outputs as head gradients; compare."""
    executors = comparison.executors
    for executor in executors:
        executor.forward(is_train=True)
    heads = []
    for j, out in enumerate(executors[0].outputs):
        coarsest = out.dtype
        for executor in executors:
            coarsest = _coarser(executor.outputs[j].dtype, coarsest)
        heads.append(out.astype(coarsest).asnumpy())
    for executor in executors:
        executor.backward(
            [nd.array(h, ctx=o.context, dtype=o.dtype) for h, o in zip(heads, executor.outputs, strict=True)]
        )
    truth = comparison.truth()
    for i, executor in comparison.others():
        for name, found in zip([*outputs, *names], [*executor.outputs, *executor.grad_arrays], strict=True):
            comparison.check(i, "training", name, found, truth[name])
    return truth


def check_gluon_hybridize_consistency(
    net_builder: Callable[..., Any],
    data_l: Sequence[NDArray],
    numpy_func: Callable[..., Any] | None = None,
    test_grad: bool = True,
    rtol: float = 1e-4,
    atol: float = 1e-4,
) -> None:
    """Check that a HybridBlock without randomness gives the same results hybridized and not.

    Parameters
    ----------
    net_builder : makes the block; takes `prefix`.
    data_l : inputs.
    numpy_func : the same computation on NumPy arrays, for blocks without parameters.
    test_grad : compare the gradients of the inputs as well.

    Raises
    ------
    AssertionError : results differ.
    """
    from .. import autograd

    parameters: dict[str, Any] = {}
    output: Any = None
    grads: list[Any] = []
    for hybridize in (False, True):
        for record in (False, True) if test_grad else (False,):
            net = net_builder(prefix="net_")
            net.initialize()
            if hybridize:
                net.hybridize()
            inputs = [x.copy() for x in data_l]
            for name, value in parameters.items():
                net.collect_params()[name].set_data(value)
            for x in inputs:
                x.attach_grad()
            if record:
                with autograd.record():
                    out = net(*inputs)
                out.backward(out)
            else:
                out = net(*inputs)
            if output is None:
                output = out.asnumpy()
                parameters = {k: p.data() for k, p in net.collect_params().items()}
            assert_almost_equal(out, output, rtol, atol)
            if record:
                found = [x.grad.copy() for x in inputs if x.grad is not None]
                grads = grads or found
                for g, first in zip(found, grads, strict=True):
                    assert_almost_equal(g, first, rtol, atol)
    if numpy_func is not None:
        assert_almost_equal(output, numpy_func(*[x.asnumpy() for x in data_l]), rtol, atol)


def compare_optimizer(
    opt1: Any,
    opt2: Any,
    shape: Any,
    dtype: Any,
    w_stype: str = "default",
    g_stype: str = "default",
    rtol: float = 1e-4,
    atol: float = 1e-5,
    compare_states: bool = True,
    ntensors: int = 1,
) -> None:
    """Check that two optimizers make the same update of random weights with random gradients.

    Parameters
    ----------
    shape : a shape, or a list of `ntensors` shapes that `opt2` updates in one call.

    Raises
    ------
    AssertionError : weights or states differ.
    MXNetError : a sparse storage type is asked for.
    """
    for stype in (w_stype, g_stype):
        nd.zeros((1,)).tostype(stype)
    many = isinstance(shape, list)
    shapes = shape if many else [shape]
    if len(shapes) < ntensors:
        raise ValueError(f"{len(shapes)} shapes for {ntensors} tensors")
    ctx = current_context()
    w1, g1 = ([nd.random.uniform(shape=s, ctx=ctx, dtype=dtype) for s in shapes] for _ in range(2))
    w2, g2 = deepcopy(w1), deepcopy(g1)
    states1 = [opt1.create_state_multi_precision(i, w) for i, w in enumerate(w1)]
    states2 = [opt2.create_state_multi_precision(0, w) for w in w2]
    if compare_states:
        compare_ndarray_tuple(tuple(states1), tuple(states2))
    for i, (w, g, s) in enumerate(zip(w1, g1, states1, strict=True)):
        opt1.update_multi_precision(i, w, g, s)
    if many:
        opt2.update_multi_precision(list(range(len(shapes))), w2, g2, states2)
    else:
        opt2.update_multi_precision(0, w2[0], g2[0], states2[0])
    if compare_states:
        compare_ndarray_tuple(tuple(states1), tuple(states2), rtol, atol)
    for x, y in zip(w1, w2, strict=True):
        assert_almost_equal(x, y, rtol=rtol, atol=atol)
