"""Models as the commands see them that run one: from a symbol or from ONNX, with any of their values as outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .model_file import ModelFile, Tensor, numpy_type, open_path, require_shapes, require_supported
from .outcome import CommandError, ExitCode

if TYPE_CHECKING:
    import onnx

    from .._runtime.models import ModelSession, Settings
    from ..graph.symbol import Symbol

__all__ = ["Internal", "Prepared", "Runnable", "open_runnable", "open_session", "run_session"]

Array = npt.NDArray[Any]
Specs = Mapping[str, tuple["np.dtype[Any]", tuple[int, ...]]]

RANDOM_KEY = "random_key"
_LARGE = 1 << 12  # bytes of a constant that is handed to a session outside of its model


@dataclass(frozen=True)
class Internal:
    """A value inside a model.

    Attributes
    ----------
    node : the layer that computes it: the MXNet node where that is known, else the ONNX node.
    operator : that of the node.
    number : which of its outputs; -1 for an ONNX value of which this is not known.
    place : its position among the model's internals.
    """

    name: str
    node: str
    operator: str
    number: int
    place: int


@dataclass(frozen=True)
class Prepared:
    """A model for a session.

    Attributes
    ----------
    names : of the wanted values there.
    arrays : its large constants, which `proto` only declares.
    """

    proto: onnx.ModelProto
    names: list[str]
    arrays: Mapping[str, Array]


class Runnable(ABC):
    """A model that can be run.

    Attributes
    ----------
    file : what is known about it.
    internals : all values that are computed, in the order of computation.
    folder : where external data of the model lies, None if there is none.
    """

    file: ModelFile
    internals: list[Internal]
    folder: Path | None = None

    @property
    def path(self) -> Path:
        """The model's file."""
        return self.file.path

    @property
    def inputs(self) -> list[Tensor]:
        """What must be fed."""
        return self.file.inputs

    @property
    def outputs(self) -> list[str]:
        """Names of the results."""
        return [tensor.name for tensor in self.file.outputs]

    def shapes(self, given: Mapping[str, tuple[int, ...]], batch: int | None) -> dict[str, tuple[int, ...]]:
        """Shapes of all inputs: those given, and what the model says about the others.

        Parameters
        ----------
        batch : length of the first axis of the others; None leaves it as the model has it, or 1.

        Raises
        ------
        CommandError : the model does not say.
        """
        require_shapes(self.file)
        sizes = {t.name: given.get(t.name, self.file.sizes[t.name]) for t in self.inputs}
        if batch is None:
            return sizes
        return {n: s if n in given or not s else (batch, *s[1:]) for n, s in sizes.items()}

    @abstractmethod
    def model(self, specs: Specs, wanted: Sequence[Internal] = (), opset: int | None = None) -> Prepared:
        """The model as ONNX, and the names there of its outputs and then of the wanted internals.

        Parameters
        ----------
        specs : element types and shapes of the inputs.
        opset : version of the operators; the file's, or the newest that is supported.

        Raises
        ------
        CommandError : the model is not possible with these inputs or this opset.
        """

    def dtype(self, tensor: Tensor) -> np.dtype[Any]:
        """The element type that an input is fed in."""
        return numpy_type(tensor.dtype or "float32")


class SymbolModel(Runnable):
    """A ``-symbol.json`` with its parameters.

    Parameters
    ----------
    random_weights : seed of random parameters where the file has none; None refuses such models.

    Raises
    ------
    CommandError : parameters have no values, or operators are not supported.
    """

    def __init__(self, file: ModelFile, random_weights: int | None) -> None:
        require_supported(file)
        assert file.symbol is not None
        self.file = file
        self.symbol: Symbol = file.symbol
        self.values: dict[str, Array] = {name: p.load() for name, p in file.parameters.items()}
        self._random = random_weights
        known = {*self.values, *file.labels, *(tensor.name for tensor in file.inputs)}
        self._missing = [name for name in self.symbol.list_inputs() if name not in known]
        if self._missing and random_weights is None:
            where = f"in {file.params_path}" if file.params_path else "because no .params was found"
            raise CommandError(
                f"{file.path}: {_some(self._missing)} have no values {where} "
                "(--params FILE names them, --random-weights makes some up)"
            )
        self._entries = [
            (node, i) for node in self.symbol.nodes() if node.op is not None for i in range(node.visible)
        ]
        self.internals = [
            Internal(node.output_names()[i], node.name, node.op.name, i, place)
            for place, (node, i) in enumerate(self._entries)
            if node.op is not None
        ]

    def shapes(self, given: Mapping[str, tuple[int, ...]], batch: int | None) -> dict[str, tuple[int, ...]]:
        found = super().shapes(given, batch)
        single = {n: s if n in given or not s else (1, *s[1:]) for n, s in found.items()}
        # A batch size that the graph merely declares is that of somebody's training.
        return single if batch is None and single != found and self._fits(single) else found

    def _fits(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        from ..graph.errors import GraphError
        from ..graph.infer import infer_shapes

        try:
            found = infer_shapes(self.symbol, {**{n: x.shape for n, x in self.values.items()}, **shapes})
        except GraphError:
            return False
        return all(all(found.get(head) or ()) for head in self.symbol.heads)

    def model(self, specs: Specs, wanted: Sequence[Internal] = (), opset: int | None = None) -> Prepared:
        from ..graph.builder import OPSET
        from ..graph.exporters.onnx import Form, symbol_to_onnx
        from ..graph.program import detach
        from ..graph.symbol import Symbol

        heads = [*self.symbol.heads, *(self._entries[internal.place] for internal in wanted)]
        with graph_errors(self.path, opset):
            form = Form(opset=opset or OPSET)
            model = symbol_to_onnx(Symbol(heads), specs, self._parameters(specs), form)
        proto, arrays = detach(model, _LARGE)
        return Prepared(proto, [value.name for value in proto.graph.output], arrays)

    def _parameters(self, specs: Specs) -> dict[str, Array]:
        """The parameters, random ones where the file has none."""
        if not self._missing:
            return self.values
        from ..graph.infer import infer_shapes

        known = {n: x.shape for n, x in self.values.items()}
        shapes = infer_shapes(self.symbol, {**known, **{n: shape for n, (_, shape) in specs.items()}})
        random = np.random.default_rng(self._random)
        made = {}
        for node in self.symbol.nodes():
            if node.op is not None or node.name not in self._missing:
                continue
            shape = shapes.get((node, 0))
            if shape is None or not all(isinstance(d, int) for d in shape):
                raise CommandError(f"{self.path}: the shape of {node.name!r} does not follow from the inputs")
            made[node.name] = _made_up(node.name, tuple(int(d) for d in shape if d is not None), random)
        return {**self.values, **made}


class OnnxModel(Runnable):
    """An ``.onnx`` file."""

    def __init__(self, file: ModelFile) -> None:
        import onnx.inliner

        assert file.proto is not None
        self.file = file
        self.folder = file.path.absolute().parent
        self.proto = file.proto
        if self.proto.functions:
            self.proto = onnx.inliner.inline_local_functions(self.proto)
        graph = self.proto.graph
        name_nodes(graph)
        strange = [value.name for value in graph.input if not value.type.HasField("tensor_type")]
        if strange:
            raise CommandError(
                f"{file.path}: the input {strange[0]!r} is no tensor; only tensors can be fed",
                ExitCode.UNSUPPORTED,
            )
        self.internals = []
        for node in graph.node:
            notes = {entry.key: entry.value for entry in node.metadata_props}
            origin = notes.get("node", "")
            operator = notes.get("op", "") if origin else node.op_type
            for number, value in enumerate(node.output):
                if value:
                    place = len(self.internals)
                    self.internals.append(
                        Internal(value, origin or node.name, operator, -1 if origin else number, place)
                    )

    def model(self, specs: Specs, wanted: Sequence[Internal] = (), opset: int | None = None) -> Prepared:
        import onnx

        result = self.proto
        if opset is not None and opset != self.opset():
            result = self._converted(opset)
        names = [*self.outputs, *(internal.name for internal in wanted)]
        extra = [name for name in dict.fromkeys(names) if name not in set(self.outputs)]
        if extra:
            copy = onnx.ModelProto()
            copy.CopyFrom(result)
            copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in extra)
            result = copy
        return Prepared(result, names, {})

    def opset(self) -> int | None:
        """The version of ONNX's own operators."""
        return next((o.version for o in self.proto.opset_import if o.domain in ("", "ai.onnx")), None)

    def _converted(self, opset: int) -> onnx.ModelProto:
        from onnx.version_converter import convert_version

        try:
            return convert_version(self.proto, opset)
        except Exception as error:  # the converter has errors of its own, all of RuntimeError and unrelated
            raise CommandError(
                f"{self.path}: opset {self.opset()} cannot be converted to {opset}: {' '.join(str(error).split())}",
                ExitCode.UNSUPPORTED,
            ) from error


def name_nodes(graph: onnx.GraphProto) -> None:
    """Give every node a name that no other has: profiles know nodes by them."""
    taken: set[str] = set()
    for number, node in enumerate(graph.node):
        if not node.name or node.name in taken:
            base = node.name or next(filter(None, node.output), node.op_type)
            node.name = base if base not in taken else f"{base}_{number}"
        taken.add(node.name)


def open_runnable(
    path: Path,
    params: Path | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    random_weights: int | None = None,
) -> Runnable:
    """The model in a file.

    Parameters
    ----------
    shapes : of inputs, as far as they are given.
    random_weights : see `SymbolModel`.

    Raises
    ------
    CommandError : the file is no model, or has no parameters.
    FormatError, UnsupportedOperatorError, OSError : from the reader.
    """
    file = open_path(path, params, shapes)
    if file.proto is not None:
        return OnnxModel(file)
    if file.symbol is not None or file.faults:
        return SymbolModel(file, random_weights)
    raise CommandError(f"{path}: expected a model, a file named *-symbol.json or *.onnx")


@contextmanager
def graph_errors(path: Path, opset: int | None) -> Iterator[None]:
    """Turns the compiler's errors about a model's inputs and opset into those of a command."""
    from ..graph.builder import OPSET
    from ..graph.errors import AttributeParseError, GraphError, ShapeError, TypeInferenceError

    try:
        yield
    except (ShapeError, TypeInferenceError, AttributeParseError) as error:
        raise CommandError(f"{path}: {error}") from error
    except GraphError as error:
        if opset is not None and opset != OPSET and "opset" in str(error):
            raise CommandError(f"{path}: {error}", ExitCode.UNSUPPORTED) from error
        raise


def open_session(
    runnable: Runnable, model: Prepared, settings: Settings, profile: bool = False
) -> ModelSession:
    """A session of a model; ONNX Runtime's errors become those of a command."""
    from .._runtime.models import ModelFailure, ModelSession

    try:
        return ModelSession(
            model.proto, str(runnable.path), settings, runnable.folder, profile, arrays=model.arrays
        )
    except ModelFailure as error:
        raise CommandError(str(error), _code(error.unsupported)) from error


def run_session(session: ModelSession, feeds: Mapping[str, Array], seed: int = 0) -> list[Any]:
    """Outputs of a session; the key of a model that draws random numbers is made from `seed`."""
    from .._runtime.models import ModelFailure

    fed = {name: value for name, value in feeds.items() if name in session.input_names}
    if RANDOM_KEY in session.input_names and RANDOM_KEY not in fed:
        fed[RANDOM_KEY] = np.array([seed >> 32 & 0xFFFFFFFF, seed & 0xFFFFFFFF], np.uint32)
    try:
        return session.run(fed)
    except ModelFailure as error:
        raise CommandError(str(error), _code(error.unsupported)) from error


def _code(unsupported: bool) -> ExitCode:
    return ExitCode.UNSUPPORTED if unsupported else ExitCode.BAD_INPUT


def _made_up(name: str, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Values that keep activations in range: variances of one, small weights."""
    if name.endswith(("_var", "_gamma")):
        return np.ones(shape, np.float32)
    fan_in = max(1, int(np.prod(shape[1:])))
    made: Array = (random.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)
    return made


def _some(names: Iterable[str]) -> str:
    """A few of the names."""
    listed = list(names)
    rest = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(map(repr, listed[:3])) + rest
