"""Files of models as the commands see them: ``-symbol.json``, ``.params``, ``.onnx``, folders of them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .outcome import CommandError, ExitCode

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import onnx

    from ..graph.symbol import Symbol

__all__ = [
    "Fault",
    "Layer",
    "ModelFile",
    "Parameter",
    "Tensor",
    "add_model_arguments",
    "beside",
    "compiled",
    "itemsize",
    "onnx_tensor",
    "open_model",
    "open_path",
    "parse_inputs",
    "require_shapes",
    "require_supported",
]

Shape = tuple[int | str | None, ...]  # a string is a symbolic dimension

_TOLD = 10  # faults that a message tells: the first of each operator
_CHUNK = 1 << 18  # elements that are looked at in one go: few enough to stay in a processor's cache


@dataclass(frozen=True)
class Tensor:
    """A named value of the graph; None where a file does not tell."""

    name: str
    dtype: str | None
    shape: Shape | None

    @property
    def size(self) -> tuple[int, ...] | None:
        """The shape, if it is known to the last number."""
        known = tuple(d for d in self.shape or () if isinstance(d, int))
        return known if self.shape is not None and len(known) == len(self.shape) else None


@dataclass(frozen=True)
class Parameter:
    """A stored array.

    Attributes
    ----------
    load : reads all elements.
    blocks : reads them in order, so many at a time, without the whole in memory.
    auxiliary : the file calls it an auxiliary state.
    offset : bytes from the start of a safetensors file to the elements.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    load: Callable[[], npt.NDArray[Any]] = field(repr=False)
    blocks: Callable[[int], Iterator[npt.NDArray[Any]]] | None = field(default=None, repr=False)
    auxiliary: bool = False
    offset: int = 0

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    def chunks(self, count: int = _CHUNK) -> Iterator[npt.NDArray[Any]]:
        """The elements in order, up to `count` at a time, in vectors."""
        if self.blocks is not None:
            yield from self.blocks(count)
            return
        values = self.load().ravel()
        for start in range(0, values.size, count):
            yield values[start : start + count]


@dataclass(frozen=True)
class Layer:
    """A node of the graph.

    Attributes
    ----------
    block : path of the Gluon block that it came from, where the file tells.
    origin : name of the MXNet node that an ONNX node came from, where the file tells.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[Tensor, ...]
    attributes: dict[str, str]
    block: str = ""
    origin: str = ""


@dataclass(frozen=True)
class Fault:
    """Why a node cannot be read: its operator is not known (`unsupported`), or something about it is wrong."""

    node: str
    operator: str
    message: str
    unsupported: bool


@dataclass
class ModelFile:
    """What was found in a file.

    Attributes
    ----------
    kind : what the file is, in words.
    inputs, outputs, layers : of the graph, in order; empty for a file of parameters alone.
    tensors : every value of the graph by name: inputs, parameters, and what the layers make.
    sizes : shapes that are known to the last number, with batch size 1 where the file leaves that open.
    others : other files of the folder, if the path is one.
    notes : what was assumed, and what is not known.
    faults : nodes that cannot be read; their outputs have no shapes.
    symbol, proto : the graph itself, whichever it is; that with faults lacks the nodes concerned.
    labels : variables that only a loss layer reads: not needed to run.
    """

    path: Path
    kind: str
    parameters: dict[str, Parameter]
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    opsets: dict[str, int] = field(default_factory=dict)
    params_path: Path | None = None
    tensors: dict[str, Tensor] = field(default_factory=dict)
    sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    symbol: Symbol | None = field(default=None, repr=False)
    proto: onnx.ModelProto | None = field(default=None, repr=False)


def add_model_arguments(parser: argparse.ArgumentParser, html: bool = True) -> None:
    """Declare the arguments that name a model, and ``--format``."""
    from .tables import add_format_argument

    parser.add_argument("file", type=Path, help="a -symbol.json, .params or .onnx file, or a folder with one")
    parser.add_argument(
        "--params", type=Path, help="parameters of a -symbol.json (default: PREFIX-NNNN.params beside it)"
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME:SHAPE",
        help="shape of an input, as data:1x3x224x224, where it does not follow from the model",
    )
    add_format_argument(parser, html)


def open_model(args: argparse.Namespace) -> ModelFile:
    """Read the file that the arguments name; see `open_path`."""
    return open_path(args.file, args.params, parse_inputs(args.input))


def open_path(
    path: Path, params: Path | None = None, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> ModelFile:
    """Read a model's file; of a folder, the file that holds its model.

    Parameters
    ----------
    params : parameters of a symbol; by default those with the highest number beside it.
    shapes : of inputs, by name.

    Raises
    ------
    CommandError : the file's name says nothing about its kind, or `shapes` do not fit the model.
    FormatError, OSError : from the reader.
    """
    shapes = shapes or {}
    if path.is_dir():
        found, others = choose_file(path)
        model = open_path(found, params, shapes)
        model.others = others
        if path / CHECKPOINT in others:
            from .parameter_file import add_checkpoint

            add_checkpoint(model, path / CHECKPOINT)
        return model
    if params is not None and path.suffix != ".json":
        raise CommandError(f"--params {params}: {path} is not a -symbol.json file")
    if path.suffix == ".json":
        from .mxnet_file import read_symbol

        return read_symbol(path, params or beside(path), shapes)
    if path.suffix in (".params", ".safetensors") or path.name == CHECKPOINT:
        if shapes:
            raise CommandError(f"--input {next(iter(shapes))}: {path} holds parameters only, no graph")
        from .parameter_file import read_parameters, read_safetensors

        if path.suffix == ".params":
            return ModelFile(path, "MXNet parameters", read_parameters(path), params_path=path)
        return ModelFile(path, "safetensors", read_safetensors(path), params_path=path)
    if path.suffix == ".onnx":
        from .onnx_file import read_onnx

        return read_onnx(path, shapes)
    raise CommandError(f"{path}: expected a file named *-symbol.json, *.params, *.safetensors or *.onnx")


#: Of a folder of training artifacts this holds the parameters, which are inputs of the models.
CHECKPOINT = "checkpoint"

#: Of a folder of training artifacts these hold the model, the first the best.
MODELS = ("inference_model.onnx", "eval_model.onnx", "training_model.onnx")


def choose_file(folder: Path) -> tuple[Path, list[Path]]:
    """The file of a folder that holds its model, and the other files.

    Raises
    ------
    CommandError : there is none, or there are several and none has the name of a training artifact.
    """
    files = sorted(p for p in folder.iterdir() if p.is_file())
    named = [folder / name for name in MODELS if folder / name in files]
    graphs = [p for p in files if p.suffix == ".onnx"] or [
        p for p in files if p.name.endswith("-symbol.json")
    ]
    found = named or graphs or [p for p in files if p.suffix in (".params", ".safetensors")]
    if not found:
        raise CommandError(f"{folder}: no file named *.onnx, *-symbol.json or *.params is in this folder")
    if len(found) > 1 and not named:
        raise CommandError(
            f"{folder}: name one of the models in this folder: {', '.join(p.name for p in found)}"
        )
    return found[0], [p for p in files if p != found[0]]


def parse_inputs(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of ``name:1x3x224x224``."""
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, colon, dims = text.rpartition(":")
        if not (name and colon and re.fullmatch(r"\d{1,18}(x\d{1,18})*", dims)):
            raise CommandError(f"--input {text}: expected NAME:SHAPE, as data:1x3x224x224")
        if name in shapes:
            raise CommandError(f"--input {text}: the shape of {name} is given twice")
        shapes[name] = tuple(map(int, dims.split("x")))
    return shapes


def check_names(path: Path, shapes: Mapping[str, object], inputs: Sequence[str]) -> None:
    """Raise unless `shapes` are those of inputs."""
    unknown = [name for name in shapes if name not in inputs]
    if unknown:
        raise CommandError(f"--input {unknown[0]}: {path} has the inputs {', '.join(inputs) or '(none)'}")


def beside(path: Path) -> Path | None:
    """The parameters of ``prefix-symbol.json``: ``prefix-NNNN.params`` with the highest number."""
    prefix = path.name.removesuffix("-symbol.json")
    if prefix == path.name or not path.parent.is_dir():
        return None
    numbered = re.compile(re.escape(prefix) + r"-(\d+)\.params")
    found = [(int(m[1]), p) for p in path.parent.iterdir() if (m := numbered.fullmatch(p.name))]
    return max(found)[1] if found else None


def numpy_type(name: str) -> np.dtype[Any]:
    """An element type by name, NumPy's or one of those that ONNX has besides."""
    import ml_dtypes
    import numpy as np

    return np.dtype(getattr(ml_dtypes, name, name))


def itemsize(name: str) -> int:
    """Bytes of an element."""
    return numpy_type(name).itemsize


def type_name(data_type: int) -> str:
    """Name of an element type that ONNX has this number for."""
    dtype = element_type(data_type)
    return "string" if dtype.kind == "O" else str(dtype.name)


def element_type(data_type: int) -> np.dtype[Any]:
    """The element type that ONNX has this number for.

    Raises
    ------
    CommandError : it has none.
    """
    import numpy as np
    from onnx import helper

    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(data_type))
    except (KeyError, ValueError) as error:
        raise CommandError(
            f"not an ONNX model: it has elements of type {data_type}, which is none"
        ) from error


def onnx_tensor(value: onnx.ValueInfoProto) -> Tensor:
    """Name, element type and shape of a value of an ONNX graph."""
    kind = value.type.tensor_type
    if not kind.elem_type:
        return Tensor(value.name, None, None)
    dims: list[int | str | None] = [
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in kind.shape.dim
    ]
    return Tensor(value.name, type_name(kind.elem_type), tuple(dims) if kind.HasField("shape") else None)


def require_supported(model: ModelFile) -> None:
    """Raise unless every node can be read.

    Raises
    ------
    CommandError : names all nodes that cannot.
    """
    if model.faults:
        code = ExitCode.UNSUPPORTED if any(f.unsupported for f in model.faults) else ExitCode.BAD_INPUT
        first: dict[tuple[bool, str], Fault] = {}
        for fault in model.faults:
            first.setdefault((fault.unsupported, fault.operator if fault.unsupported else fault.node), fault)
        told = [fault.message for fault in first.values()][:_TOLD]
        rest = len(model.faults) - len(told)
        more = f"; and {rest} more: gluon-onnx check lists them all" if rest else ""
        raise CommandError(f"{model.path}: {'; '.join(told)}{more}", code)


def require_shapes(model: ModelFile) -> None:
    """Raise unless the shape of every input is known (open batch sizes count as 1 in `sizes`).

    Raises
    ------
    CommandError : says which ``--input`` is missing.
    """
    missing = [tensor for tensor in model.inputs if tensor.name not in model.sizes]
    if missing:
        raise CommandError(f"{model.path}: " + "; ".join(map(ask, missing)))


def ask(tensor: Tensor) -> str:
    """A request for the shape of an input."""
    from .tables import shape_text

    if not tensor.shape or tensor.shape == (None,):
        known, example = "", "SHAPE"
    else:
        letters = iter("HWDABCEFG")
        dims = [
            d if isinstance(d, int) else 1 if axis == 0 else next(letters, "N")
            for axis, d in enumerate(tensor.shape)
        ]
        known, example = f" {shape_text(tensor.shape)}", "x".join(map(str, dims))
    return (
        f"the shape{known} of the input {tensor.name!r} does not follow from the model: "
        f"say --input {tensor.name}:{example}"
    )


def compiled(option: str, pattern: str) -> re.Pattern[str]:
    """A regular expression that an option gives.

    Raises
    ------
    CommandError : it is not one.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise CommandError(f"{option} {pattern}: {error}") from error
