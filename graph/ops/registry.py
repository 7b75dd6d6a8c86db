"""The operator registry. An operator is one decorated function: its lowering to ONNX.

The function's signature is the declaration: ``def op(g, data, weight, bias=None, *, num_hidden: int)``.
Positional arguments are the tensor inputs (a default of None marks one that attributes can switch off),
``*data`` declares any number of them, keyword-only arguments are the parameters. Everything else about an
operator (names, inference, NumPy kernel, flags) hangs on the same object.
"""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from ..builder import Builder, Tensor
from ..errors import (
    AttributeParseError,
    GraphError,
    ShapeError,
    TypeInferenceError,
    UnsupportedOperatorError,
)
from ..shapes import ShapeContext, TypeContext
from .schema import REQUIRED, Attrs, Param, param_of

__all__ = ["Operator", "find", "names", "operator"]

_REGISTRY: dict[str, Operator] = {}
_FAMILIES: dict[str, Callable[[str], Operator | None]] = {}

Count = int | Callable[[Attrs], int]


class Operator:
    """One of MXNet's operators.

    Attributes
    ----------
    name, aliases : MXNet's names.
    inputs : names of the tensor inputs, auxiliary states last.
    variadic : the name of the input that may be given any number of times, or None.
    aux : names of the inputs that are auxiliary states.
    params : parameters by name, in order.
    stochastic : draws random numbers, so its program has a random key.
    uses_train : behaves differently in training.
    differentiable : False where gradients stop (integer results, comparisons).
    elementwise : all inputs and outputs have one shape.
    labels : names of the inputs that only the gradient reads.
    names_outputs : `output_names` gives whole names, not suffixes; an empty one is an output that is left out.
    bodies : number of Symbols that a node has as its bodies (control flow).
    inits : initializers that variables for some inputs get, by name of the input, as MXNet writes them.
    free_shape : a zero, or less, in parameter `shape` stands for a size that follows from where the result is used.
    """

    names_outputs = False
    inits: Mapping[str, str] = MappingProxyType({})
    bodies: int = 0

    def __init__(
        self,
        name: str,
        function: Callable[..., Tensor | tuple[Tensor, ...]],
        *,
        aliases: Sequence[str] = (),
        aux: Sequence[str] = (),
        present: Callable[[Attrs], Sequence[str]] | None = None,
        outputs: Count = 1,
        visible: Count | None = None,
        output_names: Sequence[str] = (),
        num_args: str | None = None,
        stochastic: bool = False,
        uses_train: bool = False,
        differentiable: bool = True,
        elementwise: bool = False,
        labels: Sequence[str] = (),
        free_shape: bool = False,
    ) -> None:
        self.name = name
        self.aliases = tuple(aliases)
        self.function = function
        self.doc = inspect.getdoc(function) or ""
        self.aux = tuple(aux)
        self.stochastic = stochastic
        self.uses_train = uses_train
        self.differentiable = differentiable
        self.elementwise = elementwise
        self.labels = tuple(labels)
        self.free_shape = free_shape
        self.num_args = num_args
        self.shape_rule: Callable[[ShapeContext, Attrs], None] | None = None
        self.type_rule: Callable[[TypeContext, Attrs], None] | None = None
        self.numpy_kernel: Callable[..., Any] | None = None
        self.check_rule: Callable[[Attrs], None] | None = None
        self._present = present
        self._outputs = outputs
        self._visible = visible
        self._output_names = tuple(output_names)
        self.inputs, self.optional, self.variadic, self.params = _declaration(function)
        self.dynamic = tuple(p for p in self.params if self.params[p].dynamic)
        self._parsed: dict[tuple[tuple[str, Any], ...], Attrs] = {}

    # -- declaration helpers -------------------------------------------------------------------
    def infer_shape(
        self, rule: Callable[[ShapeContext, Attrs], None]
    ) -> Callable[[ShapeContext, Attrs], None]:
        """Decorator: a rule that derives unknown input (and output) shapes from known ones."""
        self.shape_rule = rule
        return rule

    def infer_type(self, rule: Callable[[TypeContext, Attrs], None]) -> Callable[[TypeContext, Attrs], None]:
        """Decorator: a rule for element types; without one all inputs and outputs have the same type."""
        self.type_rule = rule
        return rule

    def numpy(self, kernel: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: a NumPy kernel ``kernel(*arrays, **parameters)``, the fast path for small CPU arrays."""
        self.numpy_kernel = kernel
        return kernel

    def check(self, rule: Callable[[Attrs], None]) -> Callable[[Attrs], None]:
        """Decorator: a rule that raises AttributeParseError where parameters do not fit together."""
        self.check_rule = rule
        return rule

    # -- queries ---------------------------------------------------------------------------------
    def parse(self, given: Mapping[str, Any]) -> Attrs:
        """All parameters in Python form, defaults filled in.

        Raises
        ------
        AttributeParseError : a parameter is missing, or a value is not of its kind.
        """
        try:
            key = tuple(given.items())
            found = self._parsed.get(key)
        except TypeError:  # an unhashable value
            key, found = None, None
        if found is not None:
            return found
        values = {}
        for name, param in self.params.items():
            if name in given:
                try:
                    values[name] = param.parse(given[name])
                except AttributeParseError as e:
                    raise AttributeParseError(f"operator {self.name}: {e}") from e
            elif param.default is REQUIRED:
                raise AttributeParseError(
                    f"operator {self.name}: required parameter {name!r} ({param.kind}) is missing"
                )
            else:
                values[name] = param.default
        attrs = Attrs(values)
        if self.check_rule is not None:
            self.check_rule(attrs)
        if key is not None and len(self._parsed) < 1024:
            self._parsed[key] = attrs
        return attrs

    def unknown(self, attributes: Iterable[str]) -> list[str]:
        """Those of a node's attributes that are neither parameters nor hidden (``__note__``).

        As in MXNet, operators without parameters leave all of them to the user.
        """
        if not self.params:
            return []
        return [
            k for k in attributes if k not in self.params and not (k.startswith("__") and k.endswith("__"))
        ]

    def argument_names(self, attrs: Attrs, count: int | None = None) -> list[str]:
        """Names of the inputs present under `attrs`; `count` is the number of variadic inputs."""
        if self._present is not None:
            return list(self._present(attrs))
        if self.variadic is not None:
            n = count if count is not None else getattr(attrs, self.num_args) if self.num_args else 0
            return [f"arg{i}" for i in range(n)]
        return [n for n in self.inputs if n not in self.optional]

    def positions(self, attrs: Attrs) -> list[str]:
        """Names of the inputs that positional arguments stand for: those present under `attrs`, then the others."""
        if self._present is None:
            return list(self.inputs)
        present = self.argument_names(attrs)
        return [*present, *(n for n in self.inputs if n not in present)]

    def outputs(self, attrs: Attrs) -> int:
        """Number of outputs."""
        return self._outputs if isinstance(self._outputs, int) else self._outputs(attrs)

    def visible(self, attrs: Attrs) -> int:
        """Number of outputs that a caller sees."""
        if self._visible is None:
            return self.outputs(attrs)
        return self._visible if isinstance(self._visible, int) else self._visible(attrs)

    def output_names(self, attrs: Attrs) -> list[str]:
        """Suffixes of the outputs' names."""
        n = self.outputs(attrs)
        if self._output_names:
            return list(self._output_names[:n])
        return ["output"] if n == 1 else [f"output{i}" for i in range(n)]

    def _refuse_mixed_types(self, g: Builder, names: Sequence[str], inputs: Sequence[Tensor]) -> None:
        """Raise TypeInferenceError where inputs that must be of one element type are not."""
        for name, x in zip(names, inputs, strict=False):
            if self.type_rule is None and x.dt != inputs[0].dt:
                node = g.metadata.get("node", "")
                raise TypeInferenceError(
                    f"operator {self.name}{f' (node {node!r})' if node else ''}, argument {name!r}: expected "
                    f"{inputs[0].dt} like {names[0]!r}, got {x.dt}"
                )

    def lower(
        self,
        g: Builder,
        inputs: Sequence[Tensor],
        attrs: Attrs,
        names: Sequence[str],
        dynamic: Mapping[str, Any] | None = None,
    ) -> tuple[Tensor, ...]:
        """Emit ONNX nodes for one call.

        Parameters
        ----------
        inputs : tensors of the inputs present, in order; `names` are the names they go by.
        dynamic : values in place of those of parameters, such as tensors for those that are given at run time.
        """
        values = attrs.values if not dynamic else {**attrs.values, **dynamic}
        values = {k: v for k, v in values.items() if k in self.params}
        try:
            if self.variadic is not None:
                result = self.function(g, *inputs, **values)
            else:
                result = self.function(g, **dict(zip(names, inputs, strict=True)), **values)
        except ShapeError as e:
            self._refuse_mixed_types(g, names, inputs)
            shapes = ", ".join(f"{n}={t.dims}" for n, t in zip(names, inputs, strict=True))
            node = g.metadata.get("node", "")
            raise ShapeError(
                f"operator {self.name}{f' (node {node!r})' if node else ''} with {shapes}: {e}"
            ) from e
        return result if isinstance(result, tuple) else (result,)

    def __repr__(self) -> str:
        return f"<Operator {self.name}>"


def _declaration(
    function: Callable[..., Any],
) -> tuple[tuple[str, ...], frozenset[str], str | None, dict[str, Param]]:
    hints = typing.get_type_hints(function, include_extras=True)
    inputs: list[str] = []
    optional: set[str] = set()
    variadic = None
    params: dict[str, Param] = {}
    for p in list(inspect.signature(function).parameters.values())[1:]:
        if p.kind is p.VAR_POSITIONAL:
            variadic = p.name
        elif p.kind is p.KEYWORD_ONLY:
            name = p.name.rstrip("_")  # Python's keywords get a trailing underscore
            params[p.name] = param_of(name, hints[p.name], REQUIRED if p.default is p.empty else p.default)
        else:
            inputs.append(p.name)
            if p.default is None:
                optional.add(p.name)
    return tuple(inputs), frozenset(optional), variadic, params


def operator(
    name: str, *aliases: str, kind: type[Operator] | None = None, **options: Any
) -> Callable[[Callable[..., Any]], Operator]:
    """Register the decorated lowering function as MXNet's operator `name`; see `Operator` for the options."""

    def register(function: Callable[..., Any]) -> Operator:
        op = (kind or Operator)(name, function, aliases=aliases, **options)
        for n in (name, *aliases):
            if n in _REGISTRY:
                first, second = (o.function.__code__.co_filename for o in (_REGISTRY[n], op))
                raise GraphError(f"operator {n!r} is registered twice: in {first} and in {second}")
            _REGISTRY[n] = op
        return op

    return register


def family(
    prefix: str,
) -> Callable[[Callable[[str], Operator | None]], Callable[[str], Operator | None]]:
    """Decorator: a function that makes the operators whose names begin with `prefix`; None for names that are none."""

    def register(make: Callable[[str], Operator | None]) -> Callable[[str], Operator | None]:
        _FAMILIES[prefix] = make
        return make

    return register


def find(name: str, node: str = "") -> Operator:
    """The operator called `name`.

    Raises
    ------
    UnsupportedOperatorError : there is none; the error lists the nearest names.
    """
    op = _REGISTRY.get(name)
    if op is None:
        op = next((make(name) for prefix, make in _FAMILIES.items() if name.startswith(prefix)), None)
    if op is None:
        raise UnsupportedOperatorError([(name, node)], difflib.get_close_matches(name, _REGISTRY, n=3))
    return op


def names() -> list[str]:
    """All registered names, aliases included, sorted."""
    return sorted(_REGISTRY)


def same_type(arrays: Sequence[np.ndarray]) -> bool:
    """Whether all arrays have one element type."""
    return all(a.dtype == arrays[0].dtype for a in arrays)
