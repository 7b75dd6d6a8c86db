"""Block: the base of all layers and models."""

from __future__ import annotations

import os
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Self

from .. import initializer, ndarray
from ..base import MXNetError
from ..context import Context
from ..graph.errors import ExecutionError
from ..graph.scopes import Nested, Prefix, current_names
from ..ndarray import NDArray
from .parameter import Parameter
from .parameter_dict import ParameterDict, _brief
from .utils import HookHandle, _indent

__all__ = ["Block"]


class _BlockScope:
    """Names the children and parameters of a block that are made inside."""

    _current: Nested[_BlockScope | None] = Nested("gluon_onnx_block_scope", None)

    def __init__(self, block: Block | None) -> None:
        self._block = block
        self._counter: dict[str, int] = {}

    @staticmethod
    def create(prefix: str | None, params: ParameterDict | None, hint: str) -> tuple[str, ParameterDict]:
        """Prefix and parameter dictionary of a new block."""
        current = _BlockScope._current.get()
        if current is None or current._block is None:
            if prefix is None:
                prefix = current_names().get(None, hint) + "_"
            own = ParameterDict(prefix) if params is None else ParameterDict(params.prefix, params)
            return prefix, own
        if prefix is None:
            count = current._counter.get(hint, 0)
            prefix = f"{hint}{count}_"
            current._counter[hint] = count + 1
        if params is None:
            parent = current._block.params
            own = ParameterDict(parent.prefix + prefix, parent._shared)
        else:
            own = ParameterDict(params.prefix, params)
        return current._block.prefix + prefix, own

    def __enter__(self) -> Self:
        if self._block is not None and self._block._empty_prefix:
            return self
        _BlockScope._current.push(self)
        Prefix(self._block.prefix if self._block is not None else "").__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._block is not None and self._block._empty_prefix:
            return
        current_names().__exit__()
        _BlockScope._current.pop()


class Block:
    """Base class of all layers and models; defines `forward` on NDArrays.

    Blocks and parameters that are assigned as attributes are registered.

    Parameters
    ----------
    prefix : put before the names of the block's parameters and children.
    params : dictionary of parameters to share.
    """

    def __init__(self, prefix: str | None = None, params: ParameterDict | None = None) -> None:
        self._empty_prefix = prefix == ""
        self._prefix, self._params = _BlockScope.create(prefix, params, self._alias())
        self._name = self._prefix[:-1] if self._prefix.endswith("_") else self._prefix
        self._scope = _BlockScope(self)
        self._children: OrderedDict[str, Block] = OrderedDict()
        self._reg_params: dict[str, Parameter] = {}
        self._forward_hooks: OrderedDict[int, Any] = OrderedDict()
        self._forward_pre_hooks: OrderedDict[int, Any] = OrderedDict()

    def __repr__(self) -> str:
        lines = [f"  ({k}): {_indent(repr(v), 2)}" for k, v in self.__dict__.items() if isinstance(v, Block)]
        return f"{type(self).__name__}(\n" + "\n".join(lines) + "\n)"

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(self, name):
            existing = getattr(self, name)
            if isinstance(existing, Parameter | Block) and not isinstance(value, type(existing)):
                raise TypeError(
                    f"{self.name}: attribute {name!r} is a {type(existing).__name__} and cannot become a "
                    f"{type(value).__name__}"
                )
        if isinstance(value, Block):
            self.register_child(value, name)
        elif isinstance(value, Parameter):
            if name in self._reg_params:
                raise AssertionError(
                    f"{self.name}: parameter {name!r} is set already; to share parameters give `params` to "
                    "the constructor"
                )
            self._reg_params[name] = value
        super().__setattr__(name, value)

    def _alias(self) -> str:
        return type(self).__name__.lower()

    # -- names and parameters ------------------------------------------------------------------------
    @property
    def prefix(self) -> str:
        """Prefix of this block's names."""
        return self._prefix

    @property
    def name(self) -> str:
        """Name of this block: the prefix without its trailing underscore."""
        return self._name

    def name_scope(self) -> _BlockScope:
        """A scope in which new children and parameters get this block's prefix."""
        return self._scope

    @property
    def params(self) -> ParameterDict:
        """This block's own parameters, without those of its children."""
        return self._params

    def collect_params(self, select: str | None = None) -> ParameterDict:
        """Parameters of this block and all its children.

        Parameters
        ----------
        select : regular expression; only names that match from their beginning are returned.
        """
        self._check_container_with_block()
        result = ParameterDict(self._params.prefix)
        if select is None:
            result.update(self.params)
        else:
            pattern = re.compile(select)
            result._params.update({k: v for k, v in self.params.items() if pattern.match(k)})
        for child in self._children.values():
            result.update(child.collect_params(select=select))
        return result

    def _check_container_with_block(self) -> None:
        """Warn of blocks in lists and dicts that nobody registered."""
        children = set(map(id, self._children.values()))

        def unregistered(value: Any) -> bool:
            if isinstance(value, list | tuple):
                return any(unregistered(v) for v in value)
            if isinstance(value, dict):
                return any(unregistered(v) for v in value.values())
            return isinstance(value, Block) and id(value) not in children

        for key, value in self.__dict__.items():
            if (
                isinstance(value, list | tuple | dict)
                and not (key.startswith("__") or key == "_children")
                and unregistered(value)
            ):
                warnings.warn(
                    f"{type(self).__name__}.{key} holds blocks that are not registered as children (lists "
                    "and dicts are not "
                    "searched): use register_child, nn.Sequential or nn.HybridSequential",
                    stacklevel=3,
                )

    def _collect_params_with_prefix(self, prefix: str = "") -> dict[str, Parameter]:
        """Parameters by their path of attribute names."""
        prefix = prefix + "." if prefix else ""
        result = {prefix + k: v for k, v in self._reg_params.items()}
        for name, child in self._children.items():
            result.update(child._collect_params_with_prefix(prefix + name))
        return result

    # -- files -------------------------------------------------------------------------------------------
    def save_parameters(self, filename: str | os.PathLike[str], deduplicate: bool = False) -> None:
        """Write the parameters to a file, named by their path of attribute names.

        Parameters
        ----------
        deduplicate : write a shared parameter once.
        """
        params = self._collect_params_with_prefix()
        if deduplicate:
            first = {id(p): k for k, p in reversed(params.items())}
            params = {k: p for k, p in params.items() if first[id(p)] == k}
        ndarray.save(filename, {k: p._reduce() for k, p in params.items()})

    def save_params(self, filename: str | os.PathLike[str]) -> None:
        """Deprecated form of `save_parameters`, with the parameters' full names in the file."""
        warnings.warn("save_params is deprecated: use save_parameters", DeprecationWarning, stacklevel=2)
        self.collect_params().save(filename, strip_prefix=self.prefix)

    def load_parameters(
        self,
        filename: str | os.PathLike[str],
        ctx: Any = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        cast_dtype: bool = False,
        dtype_source: str = "current",
    ) -> None:
        """Read parameters from a file of `save_parameters`, `export` or an older `save_params`.

        Parameters
        ----------
        ctx : contexts to initialize on where parameters are not initialized yet.
        allow_missing, ignore_extra : accept parameters without a value, and values without a parameter.
        cast_dtype : convert where element types differ, to that of the block ("current") or the file ("saved").

        Raises
        ------
        AssertionError : a parameter is missing, unknown, or of the wrong shape or type.
        FormatError : the file is damaged.
        """
        where = os.fspath(filename)
        loaded = ndarray.load(filename)
        params = self._collect_params_with_prefix()
        if not loaded and not params:
            return
        if not isinstance(loaded, dict):
            raise MXNetError(
                f"{where}: expected named parameters, found a plain list of {len(loaded)} arrays"
            )
        if not any("." in k for k in loaded):
            legacy = not any(k in params for k in loaded) or any(
                k.startswith(("arg:", "aux:")) for k in loaded
            )
            if legacy:
                self.collect_params().load(
                    filename,
                    ctx,
                    allow_missing,
                    ignore_extra,
                    self.prefix
                    if not any(re.sub("^(arg|aux):", "", k) in self.collect_params() for k in loaded)
                    else "",
                    cast_dtype,
                    dtype_source,
                )
                return
        self._load_dict(loaded, params, where, ctx, allow_missing, ignore_extra, cast_dtype, dtype_source)

    def _load_dict(
        self,
        loaded: dict[str, NDArray],
        params: dict[str, Parameter],
        where: str,
        ctx: Any,
        allow_missing: bool,
        ignore_extra: bool,
        cast_dtype: bool,
        dtype_source: str,
    ) -> None:
        if not allow_missing:
            by_id: dict[int, list[str]] = {}
            for name, p in params.items():
                by_id.setdefault(id(p), []).append(name)
            for name, p in params.items():
                if not any(n in loaded for n in by_id[id(p)]):
                    raise AssertionError(
                        f"parameter {name!r} is missing in {where}, which has {_brief(loaded)}; "
                        "allow_missing=True skips it"
                    )
        for name, value in loaded.items():
            if name in params:
                params[name]._load_init(value, ctx, cast_dtype, dtype_source)
            elif not ignore_extra:
                raise ValueError(
                    f"{where} has a value for {name!r}, which is none of the parameters {_brief(params)}; "
                    "ignore_extra=True "
                    "skips it"
                )

    def load_params(
        self,
        filename: str | os.PathLike[str],
        ctx: Any = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
    ) -> None:
        """Deprecated form of `load_parameters`."""
        warnings.warn("load_params is deprecated: use load_parameters", DeprecationWarning, stacklevel=2)
        self.load_parameters(filename, ctx, allow_missing, ignore_extra)

    def save(self, prefix: str) -> None:
        """Write ``<prefix>-model.json``, how blocks are nested, and ``<prefix>-model.params``, as MXNet does.

        Graphs of hybridized blocks that have been called are written, too.
        """
        from .saved import save_model

        save_model(self, prefix)

    def load(self, prefix: str) -> None:
        """Read the files of `save` into this block, which code has made in the same way as the saved one.

        Blocks and parameters get the names that they had, and hybridized blocks their graphs.

        Raises
        ------
        FormatError : the first file is damaged, or describes blocks of other classes.
        """
        from .saved import load_model

        load_model(self, prefix)

    # -- children and hooks --------------------------------------------------------------------------------
    def register_child(self, block: Block, name: str | None = None) -> None:
        """Make a block a child of this one; attributes are registered by themselves."""
        self._children[str(len(self._children)) if name is None else name] = block

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call ``hook(block, inputs)`` before every forward; the handle's `detach` removes it."""
        handle = HookHandle()
        handle.attach(self._forward_pre_hooks, hook)
        return handle

    def register_forward_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call ``hook(block, inputs, outputs)`` after every forward; the handle's `detach` removes it."""
        handle = HookHandle()
        handle.attach(self._forward_hooks, hook)
        return handle

    def register_op_hook(
        self, callback: Callable[[str, str, NDArray], None], monitor_all: bool = False
    ) -> None:
        """Call ``callback(node name, operator name, array)`` for operators of hybridized children."""
        for child in self._children.values():
            child.register_op_hook(callback, monitor_all)

    def apply(self, fn: Callable[[Block], Any]) -> Self:
        """Call `fn` on every child, then on this block."""
        for child in self._children.values():
            child.apply(fn)
        fn(self)
        return self

    # -- state ---------------------------------------------------------------------------------------------
    def initialize(
        self,
        init: Any = None,
        ctx: Context | Sequence[Context] | None = None,
        verbose: bool = False,
        force_reinit: bool = False,
    ) -> None:
        """Initialize all parameters of this block and its children."""
        chosen = (
            initializer.Uniform()
            if init is None
            else initializer.create(init)
            if isinstance(init, str)
            else init
        )
        self.collect_params().initialize(chosen, ctx, verbose, force_reinit)

    def hybridize(self, active: bool = True, **kwargs: Any) -> None:
        """Compile (or stop compiling) all hybrid children."""
        for child in self._children.values():
            child.hybridize(active, **kwargs)

    def cast(self, dtype: Any) -> None:
        """Change the element type of this block and its children."""
        for child in self._children.values():
            child.cast(dtype)
        for p in self.params.values():
            p.cast(dtype)

    # -- computation -----------------------------------------------------------------------------------------
    def __call__(self, *args: Any) -> Any:
        for hook in list(self._forward_pre_hooks.values()):
            hook(self, args)
        try:
            out = self.forward(*args)
        except ExecutionError as e:
            raise self._located(e) from e.__cause__
        for hook in list(self._forward_hooks.values()):
            hook(self, args, out)
        return out

    def _located(self, error: ExecutionError) -> ExecutionError:
        """The error with the innermost block that it happened in."""
        if error.block:
            return error
        owner, inside = self, list[Block]([self])
        while inside:
            block = inside.pop()
            inside.extend(block._children.values())
            if len(block.prefix) > len(owner.prefix) and error.node.startswith(block.prefix):
                owner = block
        return ExecutionError(
            error.operator, error.node, error.reason, f"block {owner.name!r} ({type(owner).__name__})"
        )

    def forward(self, *args: Any) -> Any:
        """The computation; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} must define forward()")

    def summary(self, *inputs: NDArray) -> None:
        """Print the layers' outputs and parameters for the given inputs.

        Raises
        ------
        AssertionError : a block is hybridized; summarize before.
        """
        from .summary import print_summary

        print_summary(self, inputs)


def __getattr__(name: str) -> Any:
    """`HybridBlock` and `SymbolBlock` live in modules that build on this one."""
    if name == "HybridBlock":
        from .hybrid_block import HybridBlock

        return HybridBlock
    if name == "SymbolBlock":
        from .symbol_block import SymbolBlock

        return SymbolBlock
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
