"""ONNX models for the commands: as they are in the file, with shapes from ONNX's own inference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import onnx
import onnx.inliner
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper

from .model_file import (
    Layer,
    ModelFile,
    Parameter,
    Tensor,
    ask,
    check_names,
    element_type,
    onnx_tensor,
    type_name,
)
from .outcome import CommandError
from .parameter_file import pieces
from .tables import counted

__all__ = ["operator_name", "read_onnx"]

_SMALL = 1024  # constants of up to so many elements may be shapes, which inference reads
_SHOWN = 8  # elements of a constant that are written out
_FOUR_BITS = {onnx.TensorProto.INT4, onnx.TensorProto.UINT4, onnx.TensorProto.FLOAT4E2M1}


def read_onnx(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> ModelFile:
    """An ONNX model; functions of its own are written out, external data is read when it is asked for.

    Raises
    ------
    CommandError : the file is no model, or `shapes` do not fit it.
    OSError : the file cannot be read.
    """
    try:
        proto = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise CommandError(f"{path}: not an ONNX model: {error}") from error
    if not proto.graph.node and not proto.opset_import:
        raise CommandError(f"{path}: not an ONNX model: it has neither nodes nor operator sets")
    if not all(isinstance(text, str) for text in _texts(proto)):
        raise CommandError(f"{path}: not an ONNX model: a name in it is not UTF-8")
    model = ModelFile(path, f"ONNX, IR version {proto.ir_version}", {}, proto=proto)
    if proto.functions:
        model.notes.append(f"written out: {counted(len(proto.functions), 'function')} of the model")
        proto = model.proto = onnx.inliner.inline_local_functions(proto)
    graph = proto.graph
    model.parameters = {
        stored.name: found for stored in graph.initializer for found in [parameter(stored, path)]
    }
    inputs = [value for value in graph.input if value.name not in model.parameters]
    check_names(path, shapes, [value.name for value in inputs])
    values = _infer(proto, path, shapes)
    model.tensors = {p.name: Tensor(p.name, p.dtype, p.shape) for p in model.parameters.values()}
    for value in inputs:
        model.inputs.append(_given(values[value.name], shapes))
        model.tensors[value.name] = model.inputs[-1]
    model.layers = list(_layers(graph.node, values))
    for layer in model.layers:
        model.tensors.update((tensor.name, tensor) for tensor in layer.outputs)
    model.outputs = [model.tensors.get(v.name) or onnx_tensor(v) for v in graph.output]
    model.opsets = {opset.domain or "ai.onnx": opset.version for opset in proto.opset_import}
    model.metadata = {entry.key: entry.value for entry in proto.metadata_props}
    _measure(model, proto)
    return model


def _texts(proto: onnx.ModelProto) -> Iterator[object]:
    """All names of a model; protobuf gives those that are no text as bytes."""
    yield from (opset.domain for opset in proto.opset_import)
    yield from (text for entry in proto.metadata_props for text in (entry.key, entry.value))
    yield from (text for function in proto.functions for text in (function.name, function.domain))
    nodes = [node for function in proto.functions for node in function.node]
    graphs = [proto.graph]
    while graphs or nodes:
        graph = graphs.pop() if graphs else onnx.GraphProto()
        nodes += graph.node
        yield graph.name
        yield from (
            value.name for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
        )
        for value in (*graph.input, *graph.output, *graph.value_info):
            yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
        while nodes:
            node = nodes.pop()
            yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
            yield from (text for entry in node.metadata_props for text in (entry.key, entry.value))
            for attribute in node.attribute:
                yield attribute.name
                graphs += [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]


def _given(tensor: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> Tensor:
    return Tensor(tensor.name, tensor.dtype, shapes.get(tensor.name, tensor.shape))


def _layers(nodes: Sequence[onnx.NodeProto], values: Mapping[str, Tensor]) -> Iterator[Layer]:
    for number, node in enumerate(nodes):
        outputs = [name for name in node.output if name]
        properties = {entry.key: entry.value for entry in node.metadata_props}
        yield Layer(
            node.name or (outputs[0] if outputs else f"node {number}"),
            operator_name(node),
            tuple(filter(None, node.input)),
            tuple(values.get(name, Tensor(name, None, None)) for name in outputs),
            {attribute.name: attribute_text(attribute) for attribute in node.attribute},
            properties.get("block", ""),
            properties.get("node", ""),
        )


def operator_name(node: onnx.NodeProto) -> str:
    """The operator with its domain, if that is not ONNX's own."""
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def _infer(proto: onnx.ModelProto, path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Types and shapes of all values that inference finds, for inputs of `shapes`.

    Large constants are left out, so that they are not copied.
    """
    light = onnx.ModelProto(ir_version=max(proto.ir_version, 4), opset_import=proto.opset_import)
    light.functions.extend(proto.functions)
    graph, source = light.graph, proto.graph
    graph.name = source.name or "graph"
    graph.node.extend(source.node)
    graph.input.extend(v for v in source.input if v.name not in {i.name for i in source.initializer})
    for value in graph.input:
        if value.name in shapes:
            _set_shape(value, shapes[value.name], path)
    for stored in source.initializer:
        if prod(stored.dims) <= _SMALL and not stored.external_data:
            graph.initializer.append(stored)
        else:
            graph.input.append(helper.make_tensor_value_info(stored.name, stored.data_type, stored.dims))
    if shapes:  # those in the file may be of other inputs
        graph.output.extend(onnx.ValueInfoProto(name=v.name) for v in source.output)
    else:
        graph.output.extend(source.output)
        graph.value_info.extend(source.value_info)
    try:
        light = onnx.shape_inference.infer_shapes(light, data_prop=True, strict_mode=bool(shapes))
    except onnx.shape_inference.InferenceError as error:
        if shapes:
            given = ", ".join(f"{n}:{'x'.join(map(str, s))}" for n, s in shapes.items())
            text = " ".join(str(error).split())
            raise CommandError(f"{path}: --input {given} does not fit: {text}") from error
    graph = light.graph
    return {value.name: onnx_tensor(value) for value in (*graph.value_info, *graph.input, *graph.output)}


def _set_shape(value: onnx.ValueInfoProto, shape: tuple[int, ...], path: Path) -> None:
    kind = value.type.tensor_type
    known = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
    fits = len(known) == len(shape) and all(k in (None, n) for k, n in zip(known, shape, strict=True))
    if kind.HasField("shape") and not fits:
        expected = "x".join("?" if k is None else str(k) for k in known)
        given = "x".join(map(str, shape))
        raise CommandError(f"--input {value.name}:{given}: {path} has it as {expected or 'a scalar'}")
    del kind.shape.dim[:]
    for n in shape:
        kind.shape.dim.add().dim_value = n


def _measure(model: ModelFile, proto: onnx.ModelProto) -> None:
    """Fill in `sizes`: if nothing but batch sizes is open, with 1 for these."""
    model.sizes = _static(model.tensors.values())
    opened = [tensor for tensor in model.inputs if tensor.name not in model.sizes]
    if not opened:
        return
    ones: dict[str, tuple[int, ...]] = {}
    for tensor in opened:
        known = [d for d in (tensor.shape or ())[1:] if isinstance(d, int)]
        if tensor.shape and len(known) == len(tensor.shape) - 1:
            ones[tensor.name] = (1, *known)
    if len(ones) < len(opened):
        model.notes += [ask(tensor) for tensor in opened if tensor.name not in ones]
        return
    full = ones | {t.name: model.sizes[t.name] for t in model.inputs if t.name not in ones}
    try:
        values = _infer(proto, model.path, full)
    except CommandError:  # the batch cannot be 1: then nothing is known about costs
        return
    model.sizes |= _static(values.values())
    model.sizes |= full


def _static(tensors: Iterable[Tensor]) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors that have integers only."""
    return {tensor.name: size for tensor in tensors if (size := tensor.size) is not None}


def parameter(stored: onnx.TensorProto, path: Path) -> Parameter:
    """An initializer."""
    dtype = element_type(stored.data_type)
    shape = tuple(stored.dims)
    count = prod(shape)
    packed = stored.data_type in _FOUR_BITS
    nbytes = (count + 1) // 2 if packed else count * dtype.itemsize

    def load() -> npt.NDArray[Any]:
        if stored.data_location != onnx.TensorProto.EXTERNAL:
            return numpy_helper.to_array(stored)
        file, offset = external_place(stored, path, nbytes)
        if packed:
            plain = onnx.TensorProto(data_type=stored.data_type, dims=stored.dims)
            (found,) = pieces(file, np.dtype(np.uint8), nbytes, offset, nbytes or 1)
            plain.raw_data = found.tobytes()
            return numpy_helper.to_array(plain)
        found = next(pieces(file, dtype, count, offset, count or 1), np.empty(0, dtype))
        return found.reshape(shape)

    def blocks(length: int) -> Iterator[npt.NDArray[Any]]:
        file, offset = external_place(stored, path, nbytes)
        return pieces(file, dtype, count, offset, length)

    external = stored.data_location == onnx.TensorProto.EXTERNAL
    sliced = blocks if external and not packed else None
    return Parameter(stored.name, type_name(stored.data_type), shape, nbytes, load, sliced)


def external_place(stored: onnx.TensorProto, path: Path, nbytes: int) -> tuple[Path, int]:
    """The file in which the elements of a constant lie, and from which byte on.

    Raises
    ------
    CommandError : it does not lie in the model's folder, is not there, or is too short.
    """
    where = f"{path}: tensor {stored.name!r}"
    entries = {entry.key: entry.value for entry in stored.external_data}
    file, folder = path.parent / entries.get("location", ""), path.parent.resolve()
    if not file.resolve().is_relative_to(folder) or Path(entries.get("location", "/")).is_absolute():
        raise CommandError(f"{where}: its data lies outside the model's folder: {entries.get('location')!r}")
    if not file.is_file():
        raise CommandError(f"{where}: the file of its data is missing: {file}")
    try:
        offset = int(entries.get("offset", "0"))
    except ValueError as error:
        raise CommandError(f"{where}: the offset of its data is {entries['offset']!r}") from error
    total = file.stat().st_size
    if offset < 0 or offset + nbytes > total:
        raise CommandError(f"{where}: {nbytes} bytes from {offset} on are not in {file}, which has {total}")
    return file, offset


def attribute_text(attribute: onnx.AttributeProto) -> str:
    """An attribute's value in short."""
    value: Any = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str | int | float):
        return f"{value:.6g}" if isinstance(value, float) else str(value)
    if isinstance(value, onnx.TensorProto):
        return tensor_text(value)
    if isinstance(value, Sequence) or hasattr(value, "__len__"):
        items = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in value]
        return (
            str(tuple(items))
            if all(isinstance(v, str | int | float) for v in items)
            else f"{len(items)} items"
        )
    if isinstance(value, onnx.GraphProto):
        return f"graph of {counted(len(value.node), 'node')} #{crc32(value.SerializeToString(deterministic=True)):08x}"
    return type(value).__name__.removesuffix("Proto").lower()


def tensor_text(value: onnx.TensorProto) -> str:
    """A constant: its elements if they are few, else type, shape and a check sum."""
    if prod(value.dims) <= _SHOWN and not value.external_data:
        return str(numpy_helper.to_array(value).tolist())
    check = crc32(value.SerializeToString(deterministic=True))
    return f"{type_name(value.data_type)} {tuple(value.dims)} #{check:08x}"
