"""Runs a row through a module with MXNet's API: imperatively, as a bound symbol, as a hybridized block.

The same code runs real MXNet when the golden values are made and gluon_onnx in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.ops.cases import Case

#: Registry prefixes and the sub-module that holds such operators under their short name.
_SUBMODULES = {"_contrib_": "contrib", "_linalg_": "linalg", "_image_": "image"}


def resolve(namespace: Any, op: str) -> Any:
    """The generated function of an operator in ``mx.nd`` or ``mx.sym``, by its registry name."""
    if op.startswith("_random_") and op.endswith("_like"):
        return getattr(namespace.random, op.removeprefix("_random_"))
    for prefix, module in _SUBMODULES.items():
        if op.startswith(prefix):
            return getattr(getattr(namespace, module), op[len(prefix) :])
    return getattr(namespace._internal if op.startswith("_") else namespace, op)


def _call(function: Any, row: Case, inputs: Sequence[Any], **options: Any) -> Any:
    named = dict(zip(row.names, inputs[1:], strict=bool(row.names)))
    return function(*(inputs[:1] if named else inputs), **named, **row.attrs, **options)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _heads(mx: Any, row: Case, outputs: list[Any]) -> list[Any]:
    return [
        mx.nd.array(row.head(i, o.shape, np.dtype(o.dtype).name), dtype=o.dtype)
        for i, o in enumerate(outputs)
    ]


def _inputs(mx: Any, row: Case, dtype: str) -> list[Any]:
    return [mx.nd.array(value, dtype=value.dtype) for value in row.arrays(dtype)]


def _collect(outputs: list[Any], grads: dict[int, Any], states: dict[int, Any]) -> dict[str, np.ndarray]:
    found = {f"out{i}": value.asnumpy() for i, value in enumerate(outputs)}
    found.update({f"grad{i}": value.asnumpy() for i, value in grads.items()})
    found.update({f"state{i}": value.asnumpy() for i, value in states.items()})
    return found


def run_eager(
    mx: Any, row: Case, dtype: str, *, grads: bool = True, strict: bool = True
) -> dict[str, np.ndarray]:
    """Outputs, input gradients (unless ``grads`` is false) and updated states of an imperative call.

    Raises
    ------
    AssertionError
        With ``strict``, if an input that is not a state was overwritten.
    """
    arrays = _inputs(mx, row, dtype)
    options = {"out": [mx.nd.zeros_like(arrays[i]) for i in row.out_like]} if row.out_like else {}
    wanted = row.grad_inputs(dtype) if grads else ()
    for index in wanted:
        arrays[index].attach_grad()
    function = resolve(mx.nd, row.op)
    if wanted:
        with mx.autograd.record(train_mode=row.train):
            outputs = _listed(_call(function, row, arrays, **options))
        mx.autograd.backward(outputs, _heads(mx, row, outputs), train_mode=row.train)
    else:
        with mx.autograd.train_mode() if row.train else mx.autograd.predict_mode():
            outputs = _listed(_call(function, row, arrays, **options))
    states = row.state_inputs()
    for index, before in enumerate(row.arrays(dtype)):
        if (
            strict
            and index not in states
            and not np.array_equal(arrays[index].asnumpy(), before, equal_nan=before.dtype.kind == "f")
        ):
            raise AssertionError(f"{row.id}: input {index} was overwritten")
    return _collect(outputs, {i: arrays[i].grad for i in wanted}, {i: arrays[i] for i in states})


def compose(mx: Any, row: Case) -> Any:
    """The row as a symbol over variables ``x0``, ``x1``, ...; it makes those of auxiliary states itself."""
    variables = [mx.sym.Variable(f"x{i}") for i, spec in enumerate(row.inputs) if not spec.aux]
    return _call(resolve(mx.sym, row.op), row, variables, name="op")


def run_symbol(mx: Any, row: Case, dtype: str) -> dict[str, np.ndarray]:
    """The same through ``Symbol.bind``."""
    symbol = compose(mx, row)
    arrays = {f"x{i}": value for i, value in enumerate(_inputs(mx, row, dtype))}
    # A bound symbol keeps what backward needs in training mode only.
    wanted = row.grad_inputs(dtype) if row.train else ()
    grads = {f"x{i}": mx.nd.zeros(arrays[f"x{i}"].shape, dtype=arrays[f"x{i}"].dtype) for i in wanted}
    made = [f"x{i}" for i, spec in enumerate(row.inputs) if spec.aux]
    aux = {name: arrays[name if name in arrays else made.pop(0)] for name in symbol.list_auxiliary_states()}
    args = {name: arrays[name] for name in symbol.list_arguments()}
    executor = symbol.bind(
        mx.cpu(),
        args,
        args_grad=grads,
        grad_req={n: "write" if n in grads else "null" for n in args},
        aux_states=aux,
    )
    outputs = list(executor.forward(is_train=row.train))
    if wanted:
        executor.backward(_heads(mx, row, outputs))
    return _collect(
        outputs, {i: grads[f"x{i}"] for i in wanted}, {i: arrays[f"x{i}"] for i in row.state_inputs()}
    )


def run_hybridized(mx: Any, row: Case, dtype: str) -> dict[str, np.ndarray]:
    """The same through a hybridized block whose ``hybrid_forward`` is the row's call."""

    class Row(mx.gluon.HybridBlock):  # type: ignore[misc, name-defined]
        def hybrid_forward(self, F: Any, *inputs: Any) -> Any:
            return _call(resolve(F, row.op), row, inputs)

    block = Row()
    block.initialize()
    block.hybridize()
    arrays = _inputs(mx, row, dtype)
    wanted = row.grad_inputs(dtype)
    for index in wanted:
        arrays[index].attach_grad()
    if wanted:
        with mx.autograd.record(train_mode=row.train):
            outputs = _listed(block(*arrays))
        mx.autograd.backward(outputs, _heads(mx, row, outputs), train_mode=row.train)
    else:
        with mx.autograd.train_mode() if row.train else mx.autograd.predict_mode():
            outputs = _listed(block(*arrays))
    return _collect(outputs, {i: arrays[i].grad for i in wanted}, {})
