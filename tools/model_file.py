"""Files of models as the inspecting commands see them: ``-symbol.json``, ``.params``, ``.onnx``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .outcome import CommandError

if TYPE_CHECKING:
    import onnx

    from ..graph.importers.params import TensorRecord
    from ..graph.symbol import Node, Symbol

__all__ = ["Layer", "ModelFile", "Parameter", "Tensor", "add_model_arguments", "open_model"]

Shape = tuple[int | str | None, ...]  # a string is a symbolic dimension


@dataclass(frozen=True)
class Tensor:
    """A named value of the graph; None where a file does not tell."""

    name: str
    dtype: str | None
    shape: Shape | None


@dataclass(frozen=True)
class Parameter:
    """A stored array; `load` reads its elements."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    load: Callable[[], npt.NDArray[Any]] = field(repr=False)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Layer:
    """A node of the graph."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[Tensor, ...]
    attributes: dict[str, str]


@dataclass
class ModelFile:
    """What was found in a file; `kind` says in words what it is."""

    path: Path
    kind: str
    parameters: dict[str, Parameter]
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    opsets: dict[str, int] = field(default_factory=dict)
    params_path: Path | None = None


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that name a model."""
    parser.add_argument("file", type=Path, help="a -symbol.json, .params or .onnx file")
    parser.add_argument(
        "--params", type=Path, help="parameters of a -symbol.json (default: PREFIX-NNNN.params beside it)"
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME:SHAPE",
        help="shape of an input of a -symbol.json, as data:1x3x224x224",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="form of the output")


def open_model(args: argparse.Namespace) -> ModelFile:
    """Read the file that the arguments name.

    Raises
    ------
    CommandError : the file's name says nothing about its kind, or ``--input`` is malformed.
    FormatError, UnsupportedOperatorError, OSError : from the reader.
    """
    path: Path = args.file
    if path.suffix == ".json":
        return read_symbol(path, args.params or beside(path), dict(map(parse_input, args.input)))
    if path.suffix == ".params":
        return ModelFile(path, "MXNet parameters", read_parameters(path), params_path=path)
    if path.suffix == ".onnx":
        return read_onnx(path)
    raise CommandError(f"{path}: expected a file named *-symbol.json, *.params or *.onnx")


def parse_input(text: str) -> tuple[str, tuple[int, ...]]:
    """The name and shape in ``name:1x3x224x224``."""
    name, colon, dims = text.rpartition(":")
    if not (name and colon and re.fullmatch(r"\d+(x\d+)*", dims)):
        raise CommandError(f"--input {text}: expected NAME:SHAPE, as data:1x3x224x224")
    return name, tuple(map(int, dims.split("x")))


def beside(path: Path) -> Path | None:
    """The parameters of ``prefix-symbol.json``: ``prefix-NNNN.params`` with the highest number."""
    prefix = path.name.removesuffix("-symbol.json")
    if prefix == path.name:
        return None
    numbered = re.compile(re.escape(prefix) + r"-(\d+)\.params")
    found = [(int(m[1]), p) for p in path.parent.iterdir() if (m := numbered.fullmatch(p.name))]
    return max(found)[1] if found else None


def read_parameters(path: Path) -> dict[str, Parameter]:
    """The arrays of a ``.params`` file, not yet read; ``arg:`` and ``aux:`` are taken off their names."""
    from ..graph.importers.params import read_params

    def parameter(record: TensorRecord) -> Parameter:
        name = record.name.removeprefix("arg:").removeprefix("aux:")
        return Parameter(name, record.dtype.name, record.shape, record.nbytes, lambda: stored(record))

    return {found.name: found for found in map(parameter, read_params(path).as_dict().values())}


def stored(record: TensorRecord) -> npt.NDArray[Any]:
    """The elements that a record stores, of a sparse one too."""
    value = record.value()
    if value is None:
        return np.empty(0, np.float32)
    return value if isinstance(value, np.ndarray) else value.data


def read_symbol(path: Path, params_path: Path | None, shapes: Mapping[str, tuple[int, ...]]) -> ModelFile:
    """A ``-symbol.json``, with shapes as far as they follow from parameters and given inputs."""
    from ..graph.importers.symbol_json import load_json
    from ..graph.infer import infer_shapes, infer_types

    symbol = load_json(path.read_bytes(), str(path))
    parameters = read_parameters(params_path) if params_path else {}
    names = input_names(symbol, parameters)
    unknown = [name for name in shapes if name not in names]
    if unknown:
        raise CommandError(f"--input {unknown[0]}: {path} has the inputs {', '.join(names)}")
    known = {name: parameter.shape for name, parameter in parameters.items()}
    found = infer_shapes(symbol, {**known, **shapes})
    types = infer_types(symbol, {name: np.dtype(p.dtype) for name, p in parameters.items()}, strict=False)

    def tensor(node: Node, number: int) -> Tensor:
        shape, dtype = found.get((node, number)), types.get((node, number))
        dims = (
            None if shape is None else tuple(d if d is None or isinstance(d, int) else str(d) for d in shape)
        )
        return Tensor(node.output_names()[number], dtype.name if dtype else None, dims)

    layers = [
        Layer(
            node.name,
            node.op.name,
            tuple(source.output_names()[number] for source, number in node.inputs),
            tuple(tensor(node, number) for number in range(node.visible)),
            dict(node.attrs),
        )
        for node in symbol.nodes()
        if node.op is not None
    ]
    inputs = [tensor(node, 0) for node in symbol.nodes() if node.op is None and node.name in names]
    outputs = [tensor(node, number) for node, number in symbol.heads]
    return ModelFile(path, "MXNet symbol", parameters, inputs, outputs, layers, params_path=params_path)


def input_names(symbol: Symbol, parameters: Mapping[str, Parameter]) -> list[str]:
    """Variables without a stored value; where none is stored, those that feed data-like arguments."""
    variables = symbol.list_inputs()
    if parameters:
        return [name for name in variables if name not in parameters]
    data = {"data", "label", "lhs", "rhs"}
    fed = {
        source.name
        for node in symbol.nodes()
        if node.op is not None
        for argument, (source, _) in zip(node.argument_names(), node.inputs, strict=True)
        if argument in data or re.fullmatch(r"arg\d+", argument)
    }
    return [name for name in variables if name in fed]


def read_onnx(path: Path) -> ModelFile:
    """An ONNX model, with shapes from ONNX's own inference; external data is read when asked for."""
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import helper, numpy_helper

    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise CommandError(f"{path}: not an ONNX model: {error}") from error
    if not model.graph.node and not model.opset_import:
        raise CommandError(f"{path}: not an ONNX model: it has neither nodes nor operator sets")
    model = onnx.shape_inference.infer_shapes(model)
    graph = model.graph

    def parameter(stored: onnx.TensorProto) -> Parameter:
        dtype = helper.tensor_dtype_to_np_dtype(stored.data_type)
        shape = tuple(stored.dims)
        nbytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        return Parameter(
            stored.name, dtype.name, shape, nbytes, lambda: numpy_helper.to_array(stored, str(path.parent))
        )

    parameters = {stored.name: parameter(stored) for stored in graph.initializer}
    values = {value.name: onnx_tensor(value) for value in (*graph.value_info, *graph.input, *graph.output)}
    layers = [
        Layer(
            node.name or node.output[0],
            f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type,
            tuple(filter(None, node.input)),
            tuple(values.get(name, Tensor(name, None, None)) for name in node.output if name),
            {attribute.name: attribute_text(attribute) for attribute in node.attribute},
        )
        for node in graph.node
    ]
    return ModelFile(
        path,
        f"ONNX, IR version {model.ir_version}",
        parameters,
        [values[value.name] for value in graph.input if value.name not in parameters],
        [values[value.name] for value in graph.output],
        layers,
        {opset.domain or "ai.onnx": opset.version for opset in model.opset_import},
    )


def onnx_tensor(value: onnx.ValueInfoProto) -> Tensor:
    """Name, element type and shape of a value."""
    from onnx import helper

    kind = value.type.tensor_type
    if not kind.elem_type:
        return Tensor(value.name, None, None)
    dims: list[int | str | None] = [
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in kind.shape.dim
    ]
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    return Tensor(value.name, dtype, tuple(dims) if kind.HasField("shape") else None)


def attribute_text(attribute: onnx.AttributeProto) -> str:
    """An attribute's value in short."""
    from onnx import helper

    value: Any = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, Sequence) or hasattr(value, "__len__"):
        return str(tuple(value))
    return type(value).__name__.removesuffix("Proto").lower()
