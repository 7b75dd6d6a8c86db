"""Operators written in Python: `mx.operator`. They run eagerly, by ``nd.Custom``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn, TypeVar

import numpy as np

from . import ndarray as nd
from ._tape import Place, PythonEntry, state
from .autograd import pause
from .base import MXNetError
from .context import current_context
from .graph.ops import find, names
from .ndarray import NDArray

__all__ = ["CustomOp", "CustomOpProp", "get_all_registered_operators", "get_operator_arguments", "register"]

Shape = Sequence[int]


class CustomOp:
    """The computation of an operator written in Python. Subclasses define `forward` and `backward`."""

    def forward(
        self, is_train: bool, req: list[str], in_data: list[NDArray], out_data: list[NDArray], aux: list[NDArray]
    ) -> None:
        """Compute `out_data` from `in_data`; write with `assign`.

        Parameters
        ----------
        is_train : whether it is training mode.
        req : for each output "write", "add" or "null".
        aux : auxiliary states, which may be changed.
        """
        raise NotImplementedError(f"{type(self).__name__} must define forward()")

    def backward(
        self,
        req: list[str],
        out_grad: list[NDArray],
        in_data: list[NDArray],
        out_data: list[NDArray],
        in_grad: list[NDArray],
        aux: list[NDArray],
    ) -> None:
        """Compute `in_grad` from `out_grad`; write with `assign`. `req` is "null" for inputs without a gradient."""
        raise NotImplementedError(f"{type(self).__name__} must define backward()")

    def assign(self, dst: NDArray, req: str, src: Any) -> None:
        """Write `src` to `dst`, add it, or do nothing, as `req` says."""
        if req in ("write", "inplace"):
            dst[:] = src
        elif req == "add":
            dst[:] += src
        elif req != "null":
            raise MXNetError(f"assign: req must be 'write', 'inplace', 'add' or 'null', got {req!r}")


class CustomOpProp:
    """What is to be known of an operator written in Python before it runs. Subclasses override what differs.

    Parameters
    ----------
    need_top_grad : whether the gradient needs the gradients of the outputs (a loss does not).
    """

    def __init__(self, need_top_grad: bool = True) -> None:
        self.need_top_grad_ = need_top_grad

    def list_arguments(self) -> list[str]:
        """Names of the inputs."""
        return ["data"]

    def list_outputs(self) -> list[str]:
        """Names of the outputs."""
        return ["output"]

    def list_auxiliary_states(self) -> list[str]:
        """Names of the auxiliary states."""
        return []

    def infer_shape(self, in_shape: list[list[int]]) -> Sequence[Sequence[Shape]]:
        """Shapes of inputs, outputs and auxiliary states (these may be left out), from those of the inputs."""
        return in_shape, [in_shape[0]] * len(self.list_outputs()), []

    def infer_type(self, in_type: list[Any]) -> Sequence[Sequence[Any]]:
        """Element types of inputs, outputs and auxiliary states, from those of the inputs."""
        return (
            in_type,
            [in_type[0]] * len(self.list_outputs()),
            [in_type[0]] * len(self.list_auxiliary_states()),
        )

    def declare_backward_dependency(self, out_grad: list[int], in_data: list[int], out_data: list[int]) -> list[int]:
        """What the gradient needs. It gets everything here, so the answer is not asked for."""
        return [*(out_grad if self.need_top_grad_ else []), *in_data, *out_data]

    def create_operator(self, ctx: str, in_shapes: list[list[int]], in_dtypes: list[Any]) -> CustomOp:
        """The operator for inputs of these shapes and element types on the device called `ctx`."""
        raise NotImplementedError(f"{type(self).__name__} must define create_operator()")


_registered: dict[str, type[CustomOpProp]] = {}

P = TypeVar("P", bound=type[CustomOpProp])


def register(reg_name: str) -> Callable[[P], P]:
    """Decorate a `CustomOpProp`: its operator is then ``nd.Custom(..., op_type=reg_name)``."""

    def decorate(prop: P) -> P:
        if not issubclass(prop, CustomOpProp):
            raise TypeError(f"register decorates subclasses of CustomOpProp, got {prop!r}")
        _registered[reg_name] = prop
        return prop

    return decorate


def get_all_registered_operators() -> list[str]:
    """Names of all operators that are not written in Python by users."""
    return names()


class OperatorArguments(NamedTuple):
    """The arguments of an operator: how many, their names, and what each must be."""

    narg: int
    names: list[str]
    types: list[str]


def get_operator_arguments(op_name: str) -> OperatorArguments:
    """The inputs and parameters of an operator.

    Raises
    ------
    UnsupportedOperatorError : there is none of that name.
    """
    op = find(op_name)
    inputs = [f"{op.variadic}[]"] if op.variadic is not None else list(op.inputs)
    kinds = ["NDArray-or-Symbol"] * len(inputs) + [p.kind for p in op.params.values()]
    return OperatorArguments(len(kinds), [*inputs, *op.params], kinds)


class _Call:
    """One call of an operator written in Python."""

    def __init__(self, op_type: str, prop: CustomOpProp, arrays: list[NDArray]) -> None:
        self.op_type = op_type
        arguments, states = prop.list_arguments(), prop.list_auxiliary_states()
        if len(arrays) != len(arguments) + len(states):
            raise MXNetError(
                f"Custom operator {op_type!r}: expected arguments {arguments} and auxiliary states {states}, "
                f"got {len(arrays)} arrays"
            )
        self.inputs, self.aux = arrays[: len(arguments)], arrays[len(arguments) :]
        self.outputs: list[NDArray] = []
        self._shapes = [list(x.shape) for x in self.inputs]
        self._types = [x.dtype for x in self.inputs]
        self._context = arrays[0].context if arrays else current_context()
        self._allocate(prop)
        self._op = prop.create_operator(str(self._context), self._shapes, self._types)
        self._data = [x.detach() for x in self.inputs]

    def _allocate(self, prop: CustomOpProp) -> None:
        """Make the outputs; check what the operator says of its inputs."""
        shapes = list(prop.infer_shape([list(s) for s in self._shapes]))
        types = list(prop.infer_type(list(self._types)))
        for name, mine, said in zip(prop.list_arguments(), self._shapes, shapes[0], strict=True):
            if list(said) != mine:
                raise MXNetError(
                    f"Custom operator {self.op_type!r}: argument {name!r} must have shape {tuple(said)}, "
                    f"got {tuple(mine)}"
                )
        n = len(prop.list_outputs())
        if len(shapes[1]) != n or len(types[1]) != n:
            raise MXNetError(
                f"Custom operator {self.op_type!r}: infer_shape and infer_type must tell of {n} outputs, they "
                f"tell of {len(shapes[1])} and {len(types[1])}"
            )
        self.outputs = [
            nd.zeros(tuple(s), ctx=self._context, dtype=t) for s, t in zip(shapes[1], types[1], strict=True)
        ]

    def _run(self, function: Callable[[], None], what: str) -> None:
        try:
            function()
        except Exception as e:
            raise MXNetError(f"{what} of custom operator {self.op_type!r} failed: {type(e).__name__}: {e}") from e

    def forward(self) -> None:
        with pause(train_mode=state.training):
            req = ["write"] * len(self.outputs)
            self._run(
                lambda: self._op.forward(
                    is_train=state.training, req=req, in_data=self._data, out_data=self.outputs, aux=self.aux
                ),
                "forward",
            )

    def backward(self, heads: dict[int, NDArray]) -> list[NDArray | None]:
        """Gradients of the arguments; None for those without one."""
        wanted = [x._place is not None and np.dtype(x.dtype).kind == "f" for x in self.inputs]
        out_grad = [
            heads[i] if i in heads else nd.zeros(y.shape, ctx=y.context, dtype=y.dtype)
            for i, y in enumerate(self._results)
        ]
        in_grad = [nd.zeros(x.shape, ctx=x.context, dtype=x.dtype) for x in self.inputs]
        with pause(train_mode=state.training):
            self._run(
                lambda: self._op.backward(
                    req=["write" if w else "null" for w in wanted],
                    out_grad=out_grad,
                    in_data=self._data,
                    out_data=self._results,
                    in_grad=in_grad,
                    aux=self.aux,
                ),
                "backward",
            )
        return [g if w else None for g, w in zip(in_grad, wanted, strict=True)] + [None] * len(self.aux)

    def record(self) -> None:
        """Put the call on the tape."""
        self._results: list[NDArray] = [y.detach() for y in self.outputs]
        places = [x._place for x in (*self.inputs, *self.aux)]
        entry = PythonEntry(places, self.backward, self.op_type)
        for i, y in enumerate(self.outputs):
            y._place = Place(entry, i)


def Custom(*args: NDArray, op_type: str, name: str | None = None, **kwargs: Any) -> Any:
    """Call an operator written in Python.

    Parameters
    ----------
    args : arguments, then auxiliary states; or give them by name.
    op_type : the name that the operator is registered under.
    kwargs : arrays by name; other values go to the constructor of its `CustomOpProp`, as strings.

    Returns
    -------
    The output, or a list of them.

    Raises
    ------
    MXNetError : the operator is unknown, its arguments do not fit, or its code fails.
    """
    prop_class = _registered.get(op_type)
    if prop_class is None:
        near = difflib.get_close_matches(op_type, _registered, n=3)
        raise MXNetError(f"no custom operator is registered as {op_type!r}; nearest names: {near or list(_registered)}")
    arrays = {k: v for k, v in kwargs.items() if isinstance(v, NDArray)}
    params: dict[str, Any] = {k: str(v) for k, v in kwargs.items() if k not in arrays}
    prop = prop_class(**params)
    rest = [n for n in [*prop.list_arguments(), *prop.list_auxiliary_states()][len(args) :] if n in arrays]
    unknown = set(arrays) - set(rest)
    if unknown:
        raise MXNetError(f"Custom operator {op_type!r}: unknown arguments {sorted(unknown)}")
    call = _Call(op_type, prop, [*args, *(arrays[n] for n in rest)])
    call.forward()
    if state.recording and any(x._place is not None for x in call.inputs):
        call.record()
    return call.outputs[0] if len(call.outputs) == 1 else call.outputs


def symbol_custom(*args: Any, **kwargs: Any) -> NoReturn:
    """``sym.Custom`` is not available: Python code cannot be compiled into a graph.

    Raises
    ------
    MXNetError : always.
    """
    op_type = kwargs.get("op_type", "")
    raise MXNetError(f"custom operator {op_type!r} is written in Python, which ONNX Runtime cannot run inside a "
                     "graph; use it eagerly, by nd.Custom or in a block that is not hybridized")  # fmt: skip
