"""Functions that compile themselves for each signature: one operator, a Symbol, or a fixed program."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ..graph.autodiff import Pair, split
from ..graph.autodiff.engine import joint
from ..graph.dims import Dim, DimLike
from ..graph.errors import NeedsStaticShape, ShapeError
from ..graph.lower import TensorSpec, lower_operator, lower_symbol
from ..graph.ops.registry import Operator
from ..graph.ops.schema import Attrs
from ..graph.program import Program, bake
from ..graph.symbol import Symbol
from .session import Device, Executable

__all__ = [
    "Signature",
    "BakedFunction",
    "Function",
    "OperatorFunction",
    "ProgramFunction",
    "Specialization",
    "SymbolFunction",
]

MAX_SIGNATURES = 1024  # of one function that are remembered

Signature = tuple[tuple["np.dtype[Any]", tuple[int, ...]], ...]


class Specialization:
    """A function compiled for one signature, or for a family of signatures with symbolic dimensions."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._executables: dict[Device, Executable] = {}
        self._pairs: dict[tuple[int, ...], Pair] = {}
        self._gradients: dict[tuple[tuple[int, ...], tuple[int, ...]], ProgramFunction] = {}
        self._of_program: dict[tuple[int, Device], Executable] = {}

    def executable(self, device: Device) -> Executable:
        """The forward program on `device`."""
        found = self._executables.get(device)
        if found is None:
            found = self._executables[device] = Executable(self.program, device)
        return found

    def pair(self, wrt: tuple[int, ...]) -> Pair:
        """Forward and backward programs for the gradient with respect to the inputs `wrt`."""
        found = self._pairs.get(wrt)
        if found is None:
            found = self._pairs[wrt] = split(self.program, wrt)
        return found

    def compiled(self, program: Program, device: Device) -> Executable:
        """The executable of a program that belongs to this specialization (one of a pair)."""
        key = (id(program), device)
        found = self._of_program.get(key)
        if found is None:
            found = self._of_program[key] = Executable(program, device)
        return found

    def gradient_function(self, wrt: tuple[int, ...], heads: tuple[int, ...]) -> ProgramFunction:
        """Inputs and head gradients -> gradients, as one program that can itself be differentiated."""
        key = (wrt, heads)
        found = self._gradients.get(key)
        if found is None:
            found = self._gradients[key] = ProgramFunction(joint(self.program, wrt, heads))
        return found


class Function:
    """Something with a program for each signature (element types and shapes of its inputs)."""

    def __init__(self, static_shape: bool = False) -> None:
        self.static_shape = static_shape
        self._exact: dict[tuple[Signature, bool], Specialization] = {}
        self._families: list[tuple[bool, list[TensorSpec], Specialization]] = []
        self._lock = threading.RLock()

    def build(self, specs: Sequence[TensorSpec], train: bool) -> Program:
        """The program for inputs of the given element types and shapes."""
        raise TypeError(f"{type(self).__name__} cannot be built")

    def specialize(self, signature: Signature, train: bool) -> Specialization:
        """The specialization for concrete inputs; compiles where needed."""
        found = self._exact.get((signature, train))
        if found is None:
            with self._lock:
                found = self._exact.get((signature, train)) or self._compile(signature, train)
                self._exact[signature, train] = found
                while len(self._exact) > MAX_SIGNATURES:
                    del self._exact[next(iter(self._exact))]
        return found

    def specialize_exactly(self, signature: Signature, train: bool) -> Specialization:
        """The specialization for concrete inputs alone, where one for a family cannot be differentiated."""
        with self._lock:
            found = self._exact[signature, train] = Specialization(self.build(list(signature), train))
        return found

    def _compile(self, signature: Signature, train: bool) -> Specialization:
        if not self.static_shape:
            for family_train, specs, member in self._families:
                if family_train == train and _matches(specs, signature):
                    return member
            for (other, other_train), _ in reversed(self._exact.items()):
                generalized = _generalize(other, signature) if other_train == train else None
                if generalized is not None:
                    try:
                        member = Specialization(self.build(generalized, train))
                    except (NeedsStaticShape, ShapeError):  # sizes may agree where formulas do not
                        break
                    self._families.append((train, generalized, member))
                    return member
        return Specialization(self.build(list(signature), train))


def _generalize(a: Signature, b: Signature) -> list[TensorSpec] | None:
    """Specs with a symbol for each pair of differing sizes; None where the two differ in more than sizes above 1."""
    symbols: dict[tuple[int, int], Dim] = {}
    specs: list[TensorSpec] = []
    if len(a) != len(b):
        return None
    for (dt, x), (dt2, y) in zip(a, b, strict=True):
        if dt != dt2 or len(x) != len(y):
            return None
        dims: list[DimLike] = []
        for p, q in zip(x, y, strict=True):
            if p == q:
                dims.append(p)
            elif p < 2 or q < 2:
                return None
            else:
                dims.append(symbols.setdefault((p, q), Dim.symbol(f"d{len(symbols)}")))
        specs.append((dt, tuple(dims)))
    return specs if symbols else None


def _matches(specs: Sequence[TensorSpec], signature: Signature) -> bool:
    """Whether a signature is an instance of a family."""
    values: dict[DimLike, int] = {}
    if len(specs) != len(signature):
        return False
    for (dt, dims), (dt2, sizes) in zip(specs, signature, strict=True):
        if dt != dt2 or len(dims) != len(sizes):
            return False
        for d, n in zip(dims, sizes, strict=True):
            if isinstance(d, Dim):
                if n < 2 or values.setdefault(d, n) != n:
                    return False
            elif d != n:
                return False
    return True


class OperatorFunction(Function):
    """One operator with fixed parameters; the parameters in `dynamic` are inputs."""

    def __init__(self, op: Operator, attrs: Attrs, dynamic: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.op = op
        self.attrs = attrs
        self.dynamic = dynamic
        self.name = op.name

    def build(self, specs: Sequence[TensorSpec], train: bool) -> Program:
        return lower_operator(self.op, self.attrs, specs, train, self.dynamic)


class SymbolFunction(Function):
    """A Symbol as a function of its variables, in the order of `list_inputs()`.

    Parameters
    ----------
    labels : variables that are left out (see `lower_symbol`).
    """

    def __init__(
        self, symbol: Symbol, static_shape: bool = False, name: str = "", labels: Collection[str] = ()
    ) -> None:
        super().__init__(static_shape)
        self.symbol = symbol
        self.names = [n for n in symbol.list_inputs() if n not in labels]
        self.name = name

    def build(self, specs: Sequence[TensorSpec], train: bool) -> Program:
        return lower_symbol(self.symbol, dict(zip(self.names, specs, strict=True)), train)


class BakedFunction(Function):
    """A Symbol with its parameters fixed, for inference: ONNX Runtime folds and blocks constant weights.

    Parameters
    ----------
    constants : values by variable name; the other variables are the inputs, in depth-first order.
    labels : variables that are left out (see `lower_symbol`).
    """

    def __init__(
        self,
        symbol: Symbol,
        constants: Mapping[str, np.ndarray[Any, Any]],
        static_shape: bool,
        name: str,
        labels: Collection[str] = (),
    ) -> None:
        super().__init__(static_shape)
        self.symbol = symbol
        self.constants = constants
        self.names = [n for n in symbol.list_inputs() if n not in constants and n not in labels]
        self.name = name

    def build(self, specs: Sequence[TensorSpec], train: bool) -> Program:
        known: dict[str, TensorSpec] = {n: (v.dtype, v.shape) for n, v in self.constants.items()}
        known.update(zip(self.names, specs, strict=True))
        return bake(lower_symbol(self.symbol, known, train), self.constants)


class ProgramFunction(Function):
    """A program that is there already; it serves one signature."""

    def __init__(self, program: Program, name: str = "gradient") -> None:
        super().__init__()
        self.name = name
        self._specialization = Specialization(program)

    def specialize(self, signature: Signature, train: bool) -> Specialization:
        return self._specialization
