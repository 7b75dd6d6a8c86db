"""The compiled form of a hybrid block: its graph as a function for training, and with fixed parameters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from .._runtime import function, random_state
from .._runtime.function import BakedFunction, Signature, SymbolFunction
from .._runtime.session import Executable, Raw, raw_dtype, raw_shape, to_numpy
from .._tape import Version, state
from ..base import MXNetError
from ..context import Context
from ..ndarray import NDArray
from ..ndarray.dispatch import call, device_of
from ..ndarray.ndarray import wrap
from ..symbol import Symbol
from .parameter import DeferredInitializationError
from .parameter_dict import ParameterDict
from .structure import Structure, flatten, regroup

__all__ = ["CompiledBlock"]

Run = Callable[[Raw], "list[Raw] | None"]

_BAKE_AFTER = 2  # inference calls with unchanged parameters before those of a block that trains are fixed


def _is_flat(structure: Structure) -> bool:
    """Whether a structure is a list of single tensors."""
    return isinstance(structure, list) and all(part == -1 for part in structure)


def _shortened(structure: Structure) -> Structure:
    """A structure of arguments without those at the end that are None, like defaults that are not given."""
    if not isinstance(structure, list):
        return structure
    given = [i for i, part in enumerate(structure) if part is not None]
    return structure[: given[-1] + 1] if given else []


class _Inference:
    """Inference on one context with the parameters as they are at one moment.

    Parameters
    ----------
    arrays : the parameters' arrays.
    make : makes the function; it is not called before the first run.
    """

    def __init__(self, ctx: Context, arrays: Sequence[NDArray], make: Callable[[], BakedFunction]) -> None:
        self.ctx = ctx
        self.calls = 0
        self.epoch = Version.epoch  # when the parameters were last known to be unchanged
        self._make = make
        self._device = device_of(ctx)
        self._versions = [x._version for x in arrays]
        self._counts = [v.count for v in self._versions]
        for v in self._versions:
            v.watched = True
        self._function: BakedFunction | None = None
        self._executables: dict[Any, tuple[Executable, bool, int, Run | None]] = {}
        self._last: tuple[tuple[int, ...], np.dtype[Any], Run] | None = None

    def is_of(self, arrays: Sequence[NDArray]) -> bool:
        """Whether the parameters are these arrays, unchanged."""
        epoch = Version.epoch
        if [x._version for x in arrays] != self._versions or [
            v.count for v in self._versions
        ] != self._counts:
            return False
        self.epoch = epoch
        return True

    def run_one(self, raw: Raw) -> list[NDArray]:
        """Outputs for the raw value of the only input. Models of some 20 us feel each step of this."""
        last = self._last
        if last is not None and type(raw) is np.ndarray and raw.shape == last[0] and raw.dtype is last[1]:
            results = last[2](raw)
            if results is not None:
                ctx = self.ctx
                return [wrap(r, ctx) for r in results]
        found = self.run([raw])
        direct = self._executables[raw.dtype, raw.shape][3] if type(raw) is np.ndarray else None
        self._last = None if direct is None else (raw.shape, raw.dtype, direct)
        return found

    def run(self, raws: list[Raw]) -> list[NDArray]:
        """Outputs for the raw values of the inputs."""
        first = raws[0] if raws else None
        if len(raws) == 1 and isinstance(first, np.ndarray):
            key: Any = first.dtype, first.shape
        else:
            key = tuple([(raw_dtype(x), raw_shape(x)) for x in raws])
        found = self._executables.get(key)
        if found is None:
            if len(self._executables) >= function.MAX_SIGNATURES:
                self._executables = {}
            found = self._executables[key] = self._find(tuple((raw_dtype(x), raw_shape(x)) for x in raws))
        executable, random, visible, _ = found
        if random:
            raws = [*raws, random_state.next_key()]
        ctx = self.ctx
        return [wrap(r, ctx) for r in executable(raws)[:visible]]

    def _find(self, signature: Signature) -> tuple[Executable, bool, int, Run | None]:
        """The executable, whether it draws random numbers, its number of results, and a short way to run it."""
        if self._function is None:
            self._function = self._make()
        special = self._function.specialize(signature, False)
        program, executable = special.program, special.executable(self._device)
        plain = not program.uses_random_key and program.visible == len(program.outputs)
        direct = executable.direct() if plain else None
        return executable, program.uses_random_key, program.visible, direct


class CompiledBlock:
    """A traced graph as compiled functions.

    Attributes
    ----------
    inputs : element type and shape of every input of a call.

    Parameters
    ----------
    inputs : names of the graph's inputs.
    params : the block's parameters by name.
    labels : variables that have no value (see `Symbol.list_labels`): the block cannot be trained.
    in_format, out_format : structure of arguments and results.
    static_shape : compile for every shape anew.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[str],
        out: Symbol,
        params: ParameterDict,
        labels: Collection[str],
        in_format: Structure,
        out_format: Structure,
        static_shape: bool,
    ) -> None:
        self.name = name
        self.function = SymbolFunction(out, static_shape, name, labels)
        self.inputs: list[tuple[Any, tuple[int, ...]]] = []
        self._out = out
        self._labels = labels
        self._in_format = in_format
        self._out_format = out_format
        self._static_shape = static_shape
        self._arity = (
            len(in_format) if _is_flat(in_format) else -1
        )  # number of arguments, where each is one array
        self._flat_out = _is_flat(out_format)
        self._in_order = [inputs.index(n) for n in self.function.names if n in inputs]
        self._order: list[tuple[bool, Any]] = []
        for n in self.function.names:
            if n in inputs:
                self._order.append((True, inputs.index(n)))
            elif n in params:
                self._order.append((False, params[n]))
            else:
                raise MXNetError(
                    f"{name}: the traced graph has an unknown input {n!r}; expected one of the inputs "
                    f"{list(inputs)} or a parameter of the block"
                )
        self._first_input = next((i for i, (is_input, _) in enumerate(self._order) if is_input), 0)
        self._inferences: dict[Context, _Inference] = {}
        self._latest: _Inference | None = None
        self._trains = False  # the parameters change between calls
        self._plain = self._in_order == list(range(len(inputs)))

    def quick(self, args: Sequence[Any]) -> Any:
        """The result of an inference call like the one before; None where `__call__` must look closer."""
        latest = self._latest
        if latest is None or latest.epoch != Version.epoch or state.recording or state.training:
            return None
        if len(args) != self._arity:
            return None
        ctx = latest.ctx
        if self._plain and len(args) == 1:
            x = args[0]
            if type(x) is not NDArray or (x._ctx is not ctx and x._ctx != ctx):
                return None
            return self._grouped(latest.run_one(x._raw))
        raws = []
        for x in args:
            if type(x) is not NDArray or (x._ctx is not ctx and x._ctx != ctx):
                return None
            raws.append(x._raw)
        results = latest.run(raws if self._plain else [raws[i] for i in self._in_order])
        return self._grouped(results)

    def _grouped(self, results: list[NDArray]) -> Any:
        if self._out_format == -1:
            return results[0]
        return results if self._flat_out else regroup(results, self._out_format)[0]

    def operands(self, args: Sequence[Any], finish_deferred: Callable[..., None]) -> list[NDArray]:
        """The function's operands for a call with `args`.

        Parameters
        ----------
        finish_deferred : initializes parameters whose shapes follow from the inputs.

        Raises
        ------
        ValueError : the structure of the inputs is not that of the trace, or they are on several contexts.
        """
        flat, structure = flatten(args, "input")
        if structure != self._in_format and _shortened(structure) != _shortened(self._in_format):
            raise ValueError(
                f"{self.name}: the nested structure of the inputs changed since the block was hybridized: "
                f"{structure} instead of {self._in_format}"
            )
        contexts = {x.context for x in flat}
        if len(contexts) > 1:
            raise ValueError(
                f"{self.name}: a hybridized block takes inputs of one context, got {sorted(map(str, contexts))}"
            )
        self.inputs = [(x.dtype, x.shape) for x in flat]
        ctx = flat[0].context
        try:
            return [flat[x] if is_input else x.data(ctx) for is_input, x in self._order]
        except DeferredInitializationError:
            finish_deferred(args)
            return [flat[x] if is_input else x.data(ctx) for is_input, x in self._order]

    def __call__(self, operands: Sequence[NDArray], fixed: bool = True) -> Any:
        """The results in the structure of the trace.

        Parameters
        ----------
        fixed : whether the parameters may be built in, where nothing is recorded.

        Raises
        ------
        MXNetError : the call is recorded, and the graph has a loss without a label.
        """
        ctx = operands[self._first_input].context
        if state.recording or state.training:
            self._trains = True
            self._latest = None
            if state.recording and self._labels:
                raise MXNetError(
                    f"{self.name}: cannot be trained, because the labels {list(self._labels)} of its loss layers are "
                    "not among its inputs; name them in input_names, after the data"
                )
        arrays = [x for (is_input, _), x in zip(self._order, operands, strict=True) if is_input]
        fixed = fixed and not (state.recording or state.training) and all(x.context == ctx for x in arrays)
        inference = self._steady(ctx, operands) if fixed else None
        if inference is None:
            results = call(self.function, operands, train=state.training, ctx=ctx)
        else:
            results = inference.run([x._raw for x in arrays])
            self._latest = inference
        return self._grouped(results)

    def _steady(self, ctx: Context, operands: Sequence[NDArray]) -> _Inference | None:
        """The inference to use; None while the parameters may change soon or unnoticed."""
        arrays = [x for (is_input, _), x in zip(self._order, operands, strict=True) if not is_input]
        if any(x._version.foreign for x in arrays):
            return None
        found = self._inferences.get(ctx)
        if found is None or not found.is_of(arrays):
            self._trains = self._trains or found is not None
            found = self._inferences[ctx] = _Inference(ctx, arrays, lambda: self._baked(arrays))
        found.calls += 1
        return found if not self._trains or found.calls > _BAKE_AFTER else None

    def _baked(self, arrays: Sequence[NDArray]) -> BakedFunction:
        names = [n for n, (is_input, _) in zip(self.function.names, self._order, strict=True) if not is_input]
        values = {n: to_numpy(x._raw) for n, x in zip(names, arrays, strict=True)}
        return BakedFunction(self._out, values, self._static_shape, self.name, self._labels)
