"""``gluon-onnx convert``: MXNet's files to ONNX, and ONNX to MXNet's where its operators can express it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .compare import Difference, measure
from .feeds import (
    Feed,
    add_feed_arguments,
    arrays_of,
    input_parts,
    inputs_data,
    make_feeds,
    open_with_wishes,
    read_wishes,
    specs_of,
)
from .isolate import add_isolate
from .outcome import CommandError, ExitCode
from .runnable import Internal, OnnxModel, Prepared, Runnable, open_session, run_session
from .tables import Facts, Grid, Report, add_format_argument, emit

if TYPE_CHECKING:
    import onnx

    from ..graph.translate import Translated

__all__ = ["add_arguments", "run"]

Array = npt.NDArray[Any]

TOLERANCE = 1e-4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("symbol", type=Path, metavar="MODEL", help="a -symbol.json or .onnx file")
    parser.add_argument(
        "params",
        type=Path,
        nargs="?",
        help="parameters of a -symbol.json (default: PREFIX-NNNN.params beside it)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="OUT.onnx, or OUT-symbol.json for MXNet's two files (the other is OUT-0000.params)",
    )
    form = parser.add_argument_group("form of the model")
    form.add_argument(
        "--opset", type=int, metavar="N", help="version of ONNX's operators (default: the newest)"
    )
    form.add_argument(
        "--static",
        action="store_true",
        help="keep the sizes of the inputs; else the batch is open if it can be",
    )
    form.add_argument("--spatial", action="store_true", help="also leave height and width open")
    form.add_argument("--dtype", choices=("float16",), help="compute in half precision")
    form.add_argument("--quantize", choices=("dynamic", "static"), help="compute with 8-bit integers")
    form.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE.npy",
        help="typical inputs, for --quantize static: one or more batches",
    )
    form.add_argument(
        "--normalize",
        action="store_true",
        help="make --mean and --std part of the model, for its first input",
    )
    form.add_argument(
        "--input-dtype", metavar="TYPE", help="element type of the first input, as uint8 for pictures"
    )
    form.add_argument("--external-data", action="store_true", help="write the parameters to OUT.onnx.data")
    parser.add_argument(
        "--tolerance", type=float, metavar="X", help="largest difference that verification accepts"
    )
    parser.add_argument("--no-verify", action="store_true", help="do not run both models to compare them")
    add_format_argument(parser)
    add_feed_arguments(parser)
    add_isolate(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Convert, verify, put the files in place; a check has failed if the two models do not agree."""
    name = args.output.name
    if not name.endswith((".onnx", "-symbol.json")):
        raise CommandError(f"-o {args.output}: expected a file named *.onnx or *-symbol.json")
    if args.random_weights:
        raise CommandError("--random-weights: a model is converted with the parameters that it has")
    if args.normalize and args.mean is None and args.std is None:
        raise CommandError("--normalize: needs --mean or --std")
    wishes = read_wishes(args)
    runnable = open_with_wishes(args.symbol, args.params, args, wishes)
    raw = {"mean": None, "std": None} if args.normalize else {}  # then the model does it
    feeds = make_feeds(runnable, argparse.Namespace(**{**vars(args), **raw}), wishes)
    if name.endswith(".onnx"):
        emit(to_onnx(runnable, feeds, args), args.format)
    elif isinstance(runnable, OnnxModel):
        emit(to_mxnet(runnable, feeds, args), args.format)
    else:
        raise CommandError(
            f"-o {args.output}: {args.symbol} is of MXNet already; expected a file named *.onnx"
        )
    return ExitCode.OK


def to_onnx(runnable: Runnable, feeds: Sequence[Feed], args: argparse.Namespace) -> Report:
    """Export the model as the block that it is.

    Raises
    ------
    CommandError : it is not possible in this form, or the result differs.
    """
    from .. import ndarray
    from ..gluon import SymbolBlock
    from ..gluon.export import ExportDiffers, export_block
    from ..graph.errors import GraphError, UnsupportedOperatorError

    params = runnable.file.params_path
    names = [tensor.name for tensor in runnable.inputs]
    options = export_options(runnable, feeds, args)
    examples = [feed.value for feed in feeds]
    if args.input_dtype is not None and feeds[0].source.startswith("random"):
        examples[0] = np.floor(examples[0] * 256)  # the network still gets its own type
    try:
        block = SymbolBlock.imports(runnable.path, names, params, ignore_extra=True)
        written = export_block(
            block, str(args.output), inputs=[ndarray.array(x, dtype=x.dtype) for x in examples], **options
        )
    except ExportDiffers as error:
        raise CommandError(str(error), ExitCode.CHECK_FAILED) from error
    except UnsupportedOperatorError:
        raise
    except GraphError as error:
        unsupported = "opset" in str(error) or "quantization" in str(error)
        code = ExitCode.UNSUPPORTED if unsupported else ExitCode.BAD_INPUT
        raise CommandError(f"{runnable.path}: {error}", code) from error
    except (
        ValueError,
        AssertionError,
    ) as error:  # options that do not go together, parameters without values
        raise CommandError(str(error)) from error
    axes = {name: dict(found) for name, found in written.dynamic_axes.items() if found}
    return report(runnable, feeds, written.paths, written.difference, written.tolerance, axes)


def export_options(runnable: Runnable, feeds: Sequence[Feed], args: argparse.Namespace) -> dict[str, Any]:
    """The arguments as the export knows them."""
    options: dict[str, Any] = {
        "dynamic_batch": not args.static,
        "spatial": args.spatial,
        "dtype": args.dtype,
        "quantize": args.quantize,
        "verify": not args.no_verify,
        "tolerance": args.tolerance,
    }
    if args.opset is not None:
        options["opset"] = args.opset
    if args.external_data:
        options["external_data"] = True
    if args.normalize:
        for what, values in (("mean", args.mean), ("std", args.std)):
            if values is not None:
                options[what] = values[0] if len(values) == 1 else values
    if args.input_dtype is not None:
        try:
            options["input_dtype"] = np.dtype(args.input_dtype)
        except TypeError as error:
            raise CommandError(f"--input-dtype {args.input_dtype}: no such type") from error
    if args.calibration is not None:
        options["calibration"] = list(batches(args.calibration, len(feeds[0].value)))
    return options


def batches(path: Path, size: int) -> Iterator[Any]:
    """The arrays of a file in batches of `size`."""
    from .. import ndarray
    from .feeds import read_array

    values = read_array(str(path), "calibration").value.astype(np.float32)
    for start in range(0, len(values) - size + 1, size):
        yield ndarray.array(values[start : start + size])


def to_mxnet(runnable: OnnxModel, feeds: Sequence[Feed], args: argparse.Namespace) -> Report:
    """Write MXNet's two files.

    Raises
    ------
    CommandError : MXNet's operators cannot express the model, or the result differs.
    """
    import onnx

    from ..graph.errors import FormatError, GraphError
    from ..graph.translate import translate

    model = onnx.ModelProto()
    model.CopyFrom(runnable.proto)
    if runnable.folder is not None:
        onnx.load_external_data_for_model(model, os.fspath(runnable.folder))
    if args.static:
        fix_shapes(model, feeds)
    try:
        found = translate(model, str(runnable.path))
    except FormatError:
        raise
    except GraphError as error:
        hint = "" if args.static or "open" not in str(error) else "\n(--static fixes the sizes of the inputs)"
        raise CommandError(f"{error}{hint}", ExitCode.UNSUPPORTED) from error
    limit = TOLERANCE if args.tolerance is None else args.tolerance
    try:
        worst = None if args.no_verify else verify(runnable, found, feeds, limit, args.seed)
    except GraphError as error:  # what the rules of operators say about the types and shapes of the data
        text = f"{runnable.path}: MXNet's operators do not take these data: {error}"
        raise CommandError(text, ExitCode.UNSUPPORTED) from error
    prefix = args.output.name.removesuffix("-symbol.json")
    paths = (str(args.output), str(args.output.with_name(f"{prefix}-0000.params")))
    write_mxnet(found, paths)
    return report(runnable, feeds, paths, worst, limit, {})


def fix_shapes(model: onnx.ModelProto, feeds: Sequence[Feed]) -> None:
    """Give the inputs of a model the shapes of what is fed; what it says of other values is forgotten."""
    shapes = {feed.name: feed.value.shape for feed in feeds}
    for value in model.graph.input:
        if value.name in shapes:
            for dim, size in zip(value.type.tensor_type.shape.dim, shapes[value.name], strict=True):
                dim.dim_value = size
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")


def write_mxnet(found: Translated, paths: tuple[str, str]) -> None:
    """Write symbol and parameters; the symbol last, when the parameters are there."""
    from ..graph.exporters._files import replaced_file
    from ..graph.exporters.params import write_params
    from ..graph.exporters.symbol_json import to_json

    names = [*(f"arg:{n}" for n in found.args), *(f"aux:{n}" for n in found.aux)]
    write_params(paths[1], [*found.args.values(), *found.aux.values()], names)
    with replaced_file(paths[0]) as stream:
        stream.write(to_json(found.symbol).encode())


def verify(runnable: OnnxModel, found: Translated, feeds: Sequence[Feed], limit: float, seed: int) -> float:
    """The largest relative difference between the model and its translation.

    Raises
    ------
    CommandError : it is above the limit; names the output.
    """
    import onnx_ir as ir

    from .._runtime.models import Settings
    from ..graph.exporters.onnx import symbol_to_onnx

    model = runnable.model(specs_of(feeds))
    arrays = arrays_of(feeds)
    session = open_session(runnable, model, Settings())
    outputs = dict(zip(session.output_names, run_session(session, arrays, seed), strict=True))
    expected = [outputs[name] for name in model.names]
    made = symbol_to_onnx(found.symbol, specs_of(feeds), {**found.args, **found.aux})
    other = Prepared(ir.serde.serialize_model(made), [], {})
    got = run_session(open_session(runnable, other, Settings()), arrays, seed)
    worst = 0.0
    for name, a, b in zip(runnable.outputs, expected, got, strict=True):
        value = a.astype(np.float32) if a.dtype == bool else a  # MXNet's comparisons give numbers
        d: Difference = measure(Internal(name, "", "", 0, 0), name, value, b, limit)
        if d.departs:
            raise CommandError(
                f"{runnable.path}: the output {name!r} of the translation differs: relative difference "
                f"{d.relative:.3g}, tolerance {limit:g}, shapes {d.shape} and {d.other_shape}; nothing was written",
                ExitCode.CHECK_FAILED,
            )
        worst = max(worst, d.relative)
    return worst


def report(
    runnable: Runnable,
    feeds: Sequence[Feed],
    paths: Sequence[str],
    difference: float | None,
    tolerance: float,
    axes: dict[str, dict[int, str]],
) -> Report:
    """What was written, for every form of output."""
    sizes = {path: os.path.getsize(path) for path in paths}
    data = {
        "file": str(runnable.path),
        "written": sizes,
        "difference": difference,
        "tolerance": tolerance,
        "dynamic_axes": axes,
        "inputs": inputs_data(feeds),
    }
    if difference is None:
        verdict = "not verified"
    else:
        verdict = f"verified: largest relative difference {difference:.2g}, tolerance {tolerance:g}"
    parts: list[Grid | Facts | str] = [*input_parts(runnable, feeds)]
    if axes:
        named = "; ".join(
            f"{name}: {', '.join(f'axis {axis} {word}' for axis, word in found.items())}"
            for name, found in axes.items()
        )
        parts.append(f"open axes of {named}")
    parts.append(Grid(("written", "bytes"), [(p, f"{n:,}") for p, n in sizes.items()], ("bytes",)))
    parts.append(verdict)
    return Report(str(runnable.path), data, parts)
