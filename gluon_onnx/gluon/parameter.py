"""Parameters of blocks."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import autograd, initializer, ndarray, symbol
from .._tape import Version
from ..base import MXNetError
from ..context import Context, cpu, current_context
from ..ndarray import NDArray
from ..symbol import Symbol

__all__ = ["Constant", "DeferredInitializationError", "Parameter", "tensor_types"]

tensor_types = (Symbol, NDArray)


class DeferredInitializationError(MXNetError):
    """A parameter's shape is not known yet, so it has no value."""


def _contexts(ctx: Context | Sequence[Context] | None) -> list[Context]:
    if ctx is None:
        return [current_context()]
    return [ctx] if isinstance(ctx, Context) else list(ctx)


def _complete(shape: Sequence[int] | None) -> bool:
    return shape is not None and all(d > 0 for d in shape)


class Parameter:
    """A trainable array, with a copy and a gradient buffer on every context it is initialized on.

    Parameters
    ----------
    grad_req : "write", "add" (sum over backward passes until `zero_grad`) or "null" (no gradient).
    shape : 0 or -1 is a dimension that is found from the first input; None an unknown shape.
    lr_mult, wd_mult : multipliers of the trainer's learning rate and weight decay.
    init : initializer, or its name; the block's by default.
    allow_deferred_init : whether initialization may wait for the shape.
    differentiable : False fixes `grad_req` to "null".
    """

    def __init__(
        self,
        name: str,
        grad_req: str = "write",
        shape: int | Sequence[int] | None = None,
        dtype: Any = np.float32,
        lr_mult: float = 1.0,
        wd_mult: float = 1.0,
        init: Any = None,
        allow_deferred_init: bool = False,
        differentiable: bool = True,
        stype: str = "default",
        grad_stype: str = "default",
    ) -> None:
        for what, value in (("stype", stype), ("grad_stype", grad_stype)):
            if value not in ("default", "row_sparse", "csr"):
                raise AssertionError(
                    f"parameter {name!r}: {what} must be 'default', 'row_sparse' or 'csr', got {value!r}"
                )
            if value != "default":
                raise MXNetError(
                    f"parameter {name!r}: {what} {value!r} is not supported; only 'default' (dense)"
                )
        self.name = name
        self._shape: tuple[int, ...] | None = (
            (shape,) if isinstance(shape, int) else None if shape is None else tuple(shape)
        )
        self._dtype = dtype
        self._differentiable = differentiable
        self._allow_deferred_init = allow_deferred_init
        self._grad_req = "null"
        self.lr_mult = lr_mult
        self.wd_mult = wd_mult
        self.init = init
        self._var: Symbol | None = None
        self._data: OrderedDict[Context, NDArray] | None = None
        self._grad: OrderedDict[Context, NDArray] | None = None
        self._deferred_init: tuple[Any, list[Context], Any, Any] | None = None
        self._trainer: Any = None
        self._stype = stype
        self._grad_stype = grad_stype
        self.grad_req = grad_req

    def __repr__(self) -> str:
        return f"Parameter {self.name} (shape={self.shape}, dtype={_dtype_text(self.dtype)})"

    # -- properties --------------------------------------------------------------------------------
    @property
    def grad_req(self) -> str:
        """How gradients are written: "write", "add" or "null"."""
        return self._grad_req

    @grad_req.setter
    def grad_req(self, req: str) -> None:
        if req not in ("write", "add", "null"):
            raise AssertionError(
                f"parameter {self.name!r}: grad_req must be 'write', 'add' or 'null', got {req!r}"
            )
        if not self._differentiable:
            req = "null"
        if req == self._grad_req:
            return
        self._grad_req = req
        if self._data is None:
            return
        if req == "null":
            self._grad = None
            for x in self._data.values():
                x._place = None
                x._grad = None
        else:
            self._init_grad()

    @property
    def dtype(self) -> Any:
        """Element type; setting it is `cast`."""
        return self._dtype

    @dtype.setter
    def dtype(self, dtype: Any) -> None:
        self.cast(dtype)

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape; unknown dimensions are 0. It can be set as far as it is unknown."""
        return self._shape

    @shape.setter
    def shape(self, new_shape: Sequence[int]) -> None:
        if self._shape is None:
            self._shape = tuple(new_shape)
            return
        fits = len(self._shape) == len(new_shape) and all(
            a in (0, -1, b) for a, b in zip(self._shape, new_shape, strict=True)
        )
        if not fits:
            raise AssertionError(
                f"parameter {self.name!r}: expected shape {self._shape} is incompatible with the given "
                f"shape {tuple(new_shape)}"
            )
        self._shape = tuple(new_shape)

    @property
    def stype(self) -> str:
        """Storage type: "default"."""
        return self._stype

    @property
    def grad_stype(self) -> str:
        """Storage type of the gradient: "default"."""
        return self._grad_stype

    def _set_trainer(self, trainer: Any) -> None:
        self._trainer = trainer

    # -- initialization --------------------------------------------------------------------------------
    def initialize(
        self,
        init: Any = None,
        ctx: Context | Sequence[Context] | None = None,
        default_init: Any = None,
        force_reinit: bool = False,
    ) -> None:
        """Give the parameter its first value on one or several contexts.

        Parameters
        ----------
        init : initializer; overrides the parameter's own and `default_init`.
        default_init : used where there is no other; Uniform by default.
        force_reinit : initialize again what has a value already.

        Raises
        ------
        ValueError : the shape is unknown and must not be deferred.
        """
        if self._data is not None and not force_reinit:
            warnings.warn(
                f"parameter {self.name!r} has a value already; force_reinit=True would replace it",
                stacklevel=2,
            )
            return
        self._data = self._grad = None
        contexts = _contexts(ctx)
        chosen = init if init is not None else self.init if self.init is not None else default_init
        if chosen is None:
            chosen = initializer.Uniform()
        if not _complete(self.shape):
            if not self._allow_deferred_init:
                raise ValueError(
                    f"parameter {self.name!r} cannot be initialized: its shape {self.shape} is not complete, and "
                    "initialization must not be deferred"
                )
            self._deferred_init = (chosen, contexts, default_init or initializer.Uniform(), None)
            return
        self._deferred_init = (chosen, contexts, default_init or initializer.Uniform(), None)
        self._finish_deferred_init()

    def _finish_deferred_init(self) -> None:
        """Initialize now that the shape is known."""
        if self._deferred_init is None:
            return
        init, contexts, default_init, data = self._deferred_init
        if not _complete(self.shape):
            raise ValueError(
                f"parameter {self.name!r} cannot be initialized: its shape {self.shape} is not complete; "
                "give in_units, "
                "in_channels or the like to the layer, or call the block once"
            )
        self._deferred_init = None
        with autograd.pause():
            if data is None:
                data = ndarray.zeros(self.shape or (), dtype=self.dtype, ctx=cpu())
                desc = initializer.InitDesc(self.name, {"__init__": "" if init is None else init})
                initializer.create(default_init)(desc, data)
            self._init_impl(data, contexts)

    def _init_impl(self, data: NDArray, contexts: Sequence[Context]) -> None:
        self._data = OrderedDict((c, data.copyto(c)) for c in contexts)
        Version.epoch += 1
        self._init_grad()

    def _init_grad(self) -> None:
        """Gradient buffers of zeros on all contexts."""
        if self.grad_req == "null":
            self._grad = None
            return
        assert self._data is not None
        self._grad = OrderedDict()
        for c, x in self._data.items():
            self._grad[c] = ndarray.zeros(x.shape, ctx=c, dtype=x.dtype)
        autograd.mark_variables(list(self._data.values()), list(self._grad.values()), self.grad_req)

    def _load_init(
        self, data: NDArray, ctx: Any, cast_dtype: bool = False, dtype_source: str = "current"
    ) -> None:
        """Take a loaded value, initializing where needed.

        Raises
        ------
        AssertionError : shape or element type of `data` is not the parameter's.
        """
        if dtype_source not in ("current", "saved"):
            raise ValueError(f"dtype_source must be 'current' or 'saved', got {dtype_source!r}")
        if self.shape is not None:
            fits = len(self.shape) == len(data.shape) and all(
                a in (0, -1, b) for a, b in zip(self.shape, data.shape, strict=True)
            )
            if not fits:
                raise AssertionError(
                    f"parameter {self.name!r}: shape incompatible, expected {self.shape}, the saved value "
                    f"has {data.shape}"
                )
            self._shape = tuple(data.shape)
        if self.dtype is not None and np.dtype(self.dtype) != np.dtype(data.dtype):
            if not cast_dtype:
                raise AssertionError(
                    f"parameter {self.name!r}: dtype incompatible, expected {_dtype_text(self.dtype)}, the "
                    "saved value has "
                    f"{_dtype_text(data.dtype)}; cast_dtype=True converts it"
                )
            if dtype_source == "current":
                data = data.astype(self.dtype)
            else:
                self._dtype = data.dtype
        if self._data is None:
            contexts = self._deferred_init[1] if self._deferred_init else None
            if self._deferred_init and ctx is not None and set(_contexts(ctx)) != set(contexts or []):
                raise AssertionError(
                    f"parameter {self.name!r} cannot be loaded on {ctx}: it is initialized on {self.list_ctx()}"
                )
            self._deferred_init = None
            self._init_impl(data, contexts or _contexts(ctx if ctx is not None else cpu()))
        else:
            if ctx is not None and set(_contexts(ctx)) != set(self.list_ctx()):
                raise AssertionError(
                    f"parameter {self.name!r} cannot be loaded on {ctx}: it is initialized on {self.list_ctx()}"
                )
            self.set_data(data)
        self._deferred_init = None

    # -- access ------------------------------------------------------------------------------------------
    def _check_initialized(self, ctx: Context | None = None) -> None:
        if self._data is not None:
            if ctx is not None and ctx not in self._data:
                raise MXNetError(
                    f"parameter {self.name!r} has no value on {ctx}; it is initialized on {list(self._data)}"
                )
            return
        if self._deferred_init:
            raise DeferredInitializationError(
                f"parameter {self.name!r} has no value yet: its initialization waits for the first forward, "
                "which tells "
                "the shape. Run a batch through the block, or give in_units, in_channels or the like to the layer"
            )
        raise MXNetError(
            f"parameter {self.name!r} has not been initialized: call initialize() of the block (or of its "
            "collect_params(), "
            "which includes all children)"
        )

    def _pick(self, arrays: OrderedDict[Context, NDArray], ctx: Context | None) -> NDArray:
        if ctx is None:
            if len(arrays) == 1:
                return next(iter(arrays.values()))
            ctx = current_context()
        self._check_initialized(ctx)
        return arrays[ctx]

    def data(self, ctx: Context | None = None) -> NDArray:
        """The value on a context (the current one by default).

        Raises
        ------
        DeferredInitializationError : initialization waits for the first input.
        MXNetError : not initialized, or not on that context.
        """
        if self._data is None:
            self._check_initialized(ctx)
        assert self._data is not None
        return self._pick(self._data, ctx)

    def list_data(self) -> list[NDArray]:
        """The values on all contexts, in order of initialization."""
        self._check_initialized()
        assert self._data is not None
        return list(self._data.values())

    def grad(self, ctx: Context | None = None) -> NDArray:
        """The gradient buffer on a context.

        Raises
        ------
        MXNetError : there is none, because `grad_req` is "null" or the parameter is not initialized.
        """
        self._check_grad(ctx)
        assert self._grad is not None
        return self._pick(self._grad, ctx)

    def _check_grad(self, ctx: Context | None) -> None:
        if self._data is not None and self._grad is None:
            raise MXNetError(f"parameter {self.name!r} has no gradient because its grad_req is 'null'")
        self._check_initialized(ctx)

    def list_grad(self) -> list[NDArray]:
        """The gradient buffers on all contexts."""
        self._check_grad(None)
        assert self._grad is not None
        return list(self._grad.values())

    def list_ctx(self) -> list[Context]:
        """The contexts that the parameter is, or will be, initialized on.

        Raises
        ------
        MXNetError : not initialized.
        """
        if self._data is None:
            if self._deferred_init:
                return self._deferred_init[1]
            raise MXNetError(f"parameter {self.name!r} has not been initialized")
        return list(self._data)

    def set_data(self, data: Any) -> None:
        """Set the value on all contexts.

        Raises
        ------
        AssertionError : the shape is not the parameter's, or the parameter is not initialized.
        """
        self.shape = data.shape
        if self._data is None:
            if not self._deferred_init:
                raise AssertionError(f"parameter {self.name!r} has not been initialized")
            value = data if isinstance(data, NDArray) else ndarray.array(data, dtype=self.dtype)
            self._deferred_init = (*self._deferred_init[:3], value)
            return
        trainer = self._trainer
        in_store = trainer is not None and trainer._kv_initialized and trainer._update_on_kvstore
        if in_store and self not in trainer._params_to_init:
            trainer._reset_kvstore()
        for x in self._data.values():
            x[:] = data

    def zero_grad(self) -> None:
        """Set the gradient buffers on all contexts to zero."""
        if self._grad is not None:
            for g in self._grad.values():
                g[:] = 0

    def reset_ctx(self, ctx: Context | Sequence[Context] | None) -> None:
        """Move the parameter to other contexts; its value is that of the first.

        Raises
        ------
        ValueError : the parameter is not initialized.
        """
        contexts = _contexts(ctx)
        if self._data is not None:
            data = self._reduce()
            with autograd.pause():
                self._init_impl(data, contexts)
        elif self._deferred_init:
            init, _, default_init, data = self._deferred_init
            self._deferred_init = (init, contexts, default_init, data)
        else:
            raise ValueError(f"parameter {self.name!r} cannot be moved: it has not been initialized")

    def _reduce(self) -> NDArray:
        """The mean of the values on all contexts, on the CPU."""
        arrays = self.list_data()
        total = arrays[0].copyto(cpu())
        for x in arrays[1:]:
            total += x.copyto(cpu())
        return total / len(arrays) if len(arrays) > 1 else total

    def cast(self, dtype: Any) -> None:
        """Change the element type of value and gradient."""
        self._dtype = dtype
        if self._data is None:
            return
        with autograd.pause():
            self._data = OrderedDict((c, x.astype(dtype)) for c, x in self._data.items())
            Version.epoch += 1
            self._init_grad()

    def var(self) -> Symbol:
        """A symbol for this parameter."""
        if self._var is None:
            self._var = symbol.var(
                self.name,
                shape=self.shape,
                dtype=self.dtype,
                lr_mult=self.lr_mult,
                wd_mult=self.wd_mult,
                init=self.init,
                stype=self.stype,
            )
        return self._var

    def row_sparse_data(self, row_id: NDArray) -> NDArray:
        """Not available: parameters are dense.

        Raises
        ------
        MXNetError : always.
        """
        raise MXNetError(
            f"parameter {self.name!r} has storage type {self._stype!r}; there is no row_sparse data, use data()"
        )

    list_row_sparse_data = row_sparse_data


def _dtype_text(dtype: Any) -> str:
    return str(dtype) if dtype is None or isinstance(dtype, type) else np.dtype(dtype).name


class Constant(Parameter):
    """A parameter that is not trained.

    Parameters
    ----------
    value : NDArray, or what `nd.array` takes.
    """

    def __init__(self, name: str, value: Any) -> None:
        if not isinstance(value, NDArray):
            value = ndarray.array(value)
        self.value = value

        class Init(initializer.Initializer):
            def _init_weight(self, _: Any, arr: NDArray) -> None:
                value.copyto(arr)

        init_name = f"Constant_{name}_{id(self)}"
        initializer.alias(init_name)(Init)
        super().__init__(name, grad_req="null", shape=value.shape, dtype=value.dtype, init=init_name)

    def __repr__(self) -> str:
        return f"Constant {self.name} (shape={self.shape}, dtype={_dtype_text(self.dtype)})"

    @property
    def grad_req(self) -> str:
        """Always "null"."""
        return "null"

    @grad_req.setter
    def grad_req(self, req: str) -> None:
        if req != "null":
            warnings.warn(
                f"constant {self.name!r} cannot have grad_req {req!r}; it stays 'null'",
                stacklevel=2,
            )
