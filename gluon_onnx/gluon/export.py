"""Export of hybrid blocks: MXNet's two files, and ONNX, verified."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__, autograd, ndarray
from .._runtime.deploy import quantize_file, run_file
from ..base import MXNetError
from ..graph.builder import OPSET
from ..graph.errors import NeedsStaticShape, ShapeError
from ..graph.exporters.onnx import Form, save_onnx, with_dynamic_axes
from ..graph.infer import infer_types
from ..graph.lower import TensorSpec
from ..graph.program import RANDOM_KEY
from ..ndarray import NDArray
from ..symbol import Symbol
from .structure import flatten, regroup

if TYPE_CHECKING:
    from .block import Block
    from .hybrid_block import HybridBlock

__all__ = ["ExportDiffers", "ExportOptions", "Exported", "export_block"]

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]

_TOLERANCES = {"float32": 1e-4, "float16": 2e-2, "int8": 0.25}


class ExportDiffers(MXNetError):
    """The outputs of a model that was written are not those of the block."""


@dataclass
class ExportOptions:
    """How a block becomes an ONNX model.

    Attributes
    ----------
    inputs : arrays to trace and to verify with; needed if the block was not called before. Random ones by default.
    dynamic_batch : make the first axis of the inputs symbolic, if they share its length and the graph admits it.
    spatial : also make the axes from the third on symbolic.
    dynamic_axes : names of the symbolic axes instead: by the name of an input, by axis.
    opset : version of ONNX's operators, 18 or newer; the newest that ONNX Runtime knows by default.
    input_names, output_names : names in the model, in order; the symbol's by default.
    external_data : write the constants to ``NAME.onnx.data`` beside the model; by default if they have more than
        1.5 GB.
    mean, std : normalisation of the first input that becomes part of the model, which then computes
        ``(x - mean) / std`` first: numbers, or one for each channel (axis 1).
    input_dtype : element type of the first input, if it shall not be the network's: "uint8" for images.
    dtype : "float16" to compute in half precision; inputs and outputs stay as they are.
    quantize : "dynamic" or "static" for 8-bit integers (see ONNX Runtime's documentation of quantization).
        Static needs `calibration`; it is the one for convolutional networks.
    calibration : batches of typical inputs, for instance a DataLoader; labels behind the inputs are ignored.
    verify : compare the written model with the block.
    tolerance : largest difference that verification accepts, relative to the largest element of an output: 1e-4,
        for float16 2e-2. For integers it is that of the 2-norms of difference and output, 0.25.
    """

    inputs: Sequence[NDArray] | NDArray | None = None
    dynamic_batch: bool = True
    spatial: bool = False
    dynamic_axes: Mapping[str, Mapping[int, str]] | None = None
    opset: int = OPSET
    input_names: Sequence[str] | None = None
    output_names: Sequence[str] | None = None
    external_data: bool | None = None
    mean: Any = None
    std: Any = None
    input_dtype: Any = None
    dtype: str | None = None
    quantize: str | None = None
    calibration: Iterable[Any] | None = None
    verify: bool = True
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.dtype not in (None, "float16"):
            raise ValueError(f"dtype: expected None or 'float16', got {self.dtype!r}")
        if self.quantize not in (None, "dynamic", "static"):
            raise ValueError(f"quantize: expected 'dynamic' or 'static', got {self.quantize!r}")
        if (self.quantize == "static") != (self.calibration is not None):
            raise ValueError("quantize='static' and calibration need each other")
        if self.quantize and self.dtype:
            raise ValueError("quantize and dtype='float16' exclude each other")


@dataclass(frozen=True)
class Exported:
    """What an export wrote, and how well it agrees with the block.

    Attributes
    ----------
    paths : the files written; the ONNX model is the last.
    difference : largest difference found by verification (None without), and `tolerance` what was accepted.
    dynamic_axes : names of the symbolic axes, by input.
    """

    paths: tuple[str, ...]
    difference: float | None
    tolerance: float
    dynamic_axes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.difference is None:
            return f"{self.paths[-1]}: not verified"
        return f"{self.paths[-1]}: largest difference {self.difference:.2g}, tolerance {self.tolerance:g}"


def export_block(
    block: HybridBlock, path: str, epoch: int = 0, remove_amp_cast: bool = True, **options: Any
) -> Exported:
    """Write a block's graph and parameters. All files are written and verified first, then put in place.

    Parameters
    ----------
    path : with the suffix ``.onnx`` the model's file; else the prefix of ``-symbol.json``, ``-EPOCH.params``
        and ``-EPOCH.onnx``.
    options : see `ExportOptions`; they are about the ONNX model.

    Raises
    ------
    RuntimeError : the block was not traced, and `inputs` are not given.
    MXNetError : the model cannot be made or is not valid, or its outputs are not the block's. Files that were there
        before are left as they were.
    ValueError : an option is not what is expected.
    """
    export = _Export(block, ExportOptions(**options))
    folder, name = os.path.split(os.path.abspath(path))
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as temporary:
        written: list[str] = []
        if not name.endswith(".onnx"):
            written = [
                os.path.join(temporary, f"{name}-symbol.json"),
                os.path.join(temporary, f"{name}-{epoch:04d}.params"),
            ]
            export.out.save(written[0], remove_amp_cast=remove_amp_cast)
            ndarray.save(written[1], export.arrays)
            name = f"{name}-{epoch:04d}.onnx"
        model_paths, difference, tolerance = export.write(os.path.join(temporary, name))
        written += model_paths
        final = tuple(os.path.join(os.path.dirname(path), os.path.basename(p)) for p in written)
        for source, target in zip(written, final, strict=True):
            _put(source, target)
    result = Exported(final, difference, tolerance, export.dynamic_axes)
    logging.info("%s", result)
    return result


def _put(source: str, target: str) -> None:
    """Move a complete file into its place, and to the disk."""
    target = os.path.realpath(target)
    with open(source, "rb+") as f:
        os.fsync(f.fileno())
    if os.path.exists(target):
        shutil.copymode(target, source)
    os.replace(source, target)


class _Export:
    """One export: the traced graph, its parameters, and what is known of its inputs."""

    def __init__(self, block: HybridBlock, options: ExportOptions) -> None:
        self.block = block
        self.options = options
        given = options.inputs
        self.examples = [given] if isinstance(given, NDArray) else None if given is None else list(given)
        if self.examples is not None:
            with autograd.pause():
                block(*self.examples)  # parameters get their shapes
            block._get_graph(*self.examples)
        self.out, self.arrays = block._exported_arrays()
        assert block._graph is not None
        self.names = [str(s.name) for s in block._graph[0]]
        self.used = set(self.out.list_inputs())
        self.params: dict[str, Array] = {k.partition(":")[2]: v.asnumpy() for k, v in self.arrays.items()}
        self.specs = self._specs()
        self.outer = _renamed(self.names, options.input_names)
        self.dynamic_axes, self.required = self._axes()
        self.random = False  # whether the model draws random numbers

    def _specs(self) -> dict[str, TensorSpec]:
        compiled = self.block._compiled
        if self.examples is not None:
            flat = flatten(self.examples, "input")[0]
            known = [(x.dtype, x.shape) for x in flat]
        elif compiled is not None and compiled.inputs:
            known = compiled.inputs
        else:
            raise RuntimeError(
                "export needs a traced block: call hybridize(), then the block once; or give inputs=[...]"
            )
        if len(known) != len(self.names):
            raise ValueError(f"inputs: expected {len(self.names)} arrays for {self.names}, got {len(known)}")
        return {n: (np.dtype(dt), shape) for n, (dt, shape) in zip(self.names, known, strict=True)}

    def _axes(self) -> tuple[Mapping[str, Mapping[int, str]], bool]:
        """Names of the symbolic axes, and whether it is an error if they cannot be symbolic."""
        options = self.options
        if options.dynamic_axes is not None:
            unknown = sorted(set(options.dynamic_axes) - set(self.outer.values()))
            if unknown:
                raise ValueError(
                    f"dynamic_axes: expected inputs among {list(self.outer.values())}, got {unknown}"
                )
            return {n: dict(options.dynamic_axes.get(o, {})) for n, o in self.outer.items()}, True
        axes: dict[str, dict[int, str]] = {n: {} for n in self.names}
        lengths = {shape[0] for _, shape in self.specs.values() if len(shape)}
        if options.dynamic_batch and len(lengths) == 1:
            for n, (_, shape) in self.specs.items():
                if len(shape):
                    axes[n][0] = "batch"
        if options.spatial:
            for k, (n, (_, shape)) in enumerate(self.specs.items()):
                suffix = f"_{k}" if len(self.specs) > 1 else ""
                for i in range(2, len(shape)):
                    axes[n][i] = (["height", "width"][i - 2] if len(shape) == 4 else f"size{i - 2}") + suffix
        return axes, options.spatial

    # -- writing ---------------------------------------------------------------------------------------
    def write(self, path: str) -> tuple[list[str], float | None, float]:
        """Write the model; its paths, and what verification found."""
        options = self.options
        form = self._form()
        specs, params = (self.specs, self.params) if options.dtype is None else self._halved()
        fallback: Mapping[str, Mapping[int, str]] = self.dynamic_axes if self.required else {}
        try:
            model, dynamic = with_dynamic_axes(self.out, specs, params, form, fallback)
        except (NeedsStaticShape, ShapeError) as e:
            if not self.required:
                raise
            wanted = {self.outer[n]: dict(axes) for n, axes in self.dynamic_axes.items() if axes}
            raise MXNetError(f"{self.block.name}: not possible with the dynamic axes {wanted}: {e}") from e
        if not dynamic:
            logging.warning(
                "%s: the exported model has a fixed batch size, as its graph asks for", self.block.name
            )
            self.dynamic_axes = {}
        self.random = any(v.name == RANDOM_KEY for v in model.graph.inputs)
        plain = path if not options.quantize else path.removesuffix(".onnx") + ".float.onnx"
        written = save_onnx(model, plain, options.external_data)
        if options.quantize:
            quantize_file(plain, path, self._calibration(), len(written) > 1)
            written = [*([path + ".data"] if os.path.exists(path + ".data") else []), path]
        tolerance = self._tolerance() if options.tolerance is None else options.tolerance
        return written, self._verify(path, tolerance) if options.verify else None, tolerance

    def _tolerance(self) -> float:
        if self.options.quantize:
            return _TOLERANCES["int8"]
        half = self.options.dtype or any(x.dtype == np.float16 for x in self.params.values())
        return _TOLERANCES["float16" if half else "float32"]

    def _form(self) -> Form:
        options, first = self.options, self.names[0]
        shape = self.specs[first][1]
        form = Form(
            dynamic_axes=self.dynamic_axes,
            opset=options.opset,
            input_names=self.outer,
            output_names=options.output_names,
            metadata=self._metadata(),
            blocks=_block_paths(self.block, self.out),
        )
        for what, value, target in (("mean", options.mean, form.mean), ("std", options.std, form.std)):
            if value is not None:
                target[first] = _per_channel(what, value, shape)  # type: ignore[index]
        form.input_dtype = {n: np.dtype(t) for n, (t, _) in self.specs.items()}
        if options.input_dtype is not None:
            form.input_dtype = {**form.input_dtype, first: np.dtype(options.input_dtype)}
        if options.dtype == "float16":
            form.output_dtype = np.dtype(np.float32)
        return form

    def _halved(self) -> tuple[dict[str, TensorSpec], dict[str, Array]]:
        """Specs and parameters with half precision where MXNet's inference of types has it."""
        half = np.dtype(np.float16)
        specs = {n: (half if dt.kind == "f" else dt, shape) for n, (dt, shape) in self.specs.items()}
        free = self.out.substitute({})
        for node in free.nodes():
            node.attrs.pop("__dtype__", None)  # what a parameter was declared as
        types = infer_types(free, {n: dt for n, (dt, _) in specs.items()})
        wanted = {node.name: types.get((node, 0)) for node in free.nodes() if node.op is None}
        params = {}
        for n, x in self.params.items():
            dt = wanted.get(n)
            with np.errstate(over="ignore"):  # told of below
                params[n] = x if dt is None or x.dtype.kind != "f" else x.astype(dt)
            if np.isfinite(x).all() and not np.isfinite(params[n]).all():
                raise MXNetError(
                    f"parameter {n!r} has elements up to {np.abs(x).max():g}, too large for float16"
                )
        return specs, params

    def _metadata(self) -> dict[str, str]:
        from onnx import __version__ as onnx_version

        found = {
            "gluon_onnx": __version__,
            "onnx": onnx_version,
            "numpy": np.__version__,
            "block": f"{type(self.block).__module__}.{type(self.block).__qualname__}",
            "symbol_sha256": hashlib.sha256(self.out.tojson().encode()).hexdigest(),
        }
        for path in getattr(self.block, "_sources", ()):
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    found[f"sha256:{os.path.basename(path)}"] = hashlib.file_digest(f, "sha256").hexdigest()
        return found

    # -- inputs --------------------------------------------------------------------------------------------
    def _outer_dtype(self, name: str) -> np.dtype[Any]:
        chosen = self.options.input_dtype if name == self.names[0] else None
        return np.dtype(self.specs[name][0] if chosen is None else chosen)

    def _feed(self, arrays: Sequence[Array]) -> dict[str, Array]:
        """Arrays as inputs of the model."""
        return {
            self.outer[n]: np.ascontiguousarray(x, self._outer_dtype(n))
            for n, x in zip(self.names, arrays, strict=True)
            if n in self.used
        }

    def _calibration(self) -> Iterator[dict[str, Array]] | None:
        if self.options.calibration is None:
            return None
        return (self._feed([_numpy(x) for x in batch]) for batch in self._batches(self.options.calibration))

    def _batches(self, data: Iterable[Any]) -> Iterator[list[Any]]:
        for batch in data:
            arrays = list(batch) if isinstance(batch, list | tuple) else [batch]
            if len(arrays) < len(self.names):
                raise ValueError(f"calibration: expected batches of {self.names}, got {len(arrays)} arrays")
            yield arrays[: len(self.names)]

    def _trials(self) -> list[list[Array]]:
        """Inputs to verify with; where the batch size is symbolic, also a larger batch."""
        if self.examples is not None:
            first = [x.asnumpy() for x in flatten(self.examples, "input")[0]]
        else:
            random = np.random.default_rng(0)
            first = []
            for n in self.names:
                shape, dt = self.specs[n][1], self._outer_dtype(n)
                high = 256 if dt == np.uint8 else 2
                first.append(
                    random.random(shape).astype(dt)
                    if dt.kind == "f"
                    else random.integers(0, high, shape).astype(dt)
                )
        trials = [first]
        if all(self.dynamic_axes.get(n, {}).get(0) == "batch" for n in self.names):
            trials.append([np.concatenate([x, x[:1]]) for x in first])
        return trials

    # -- verification --------------------------------------------------------------------------------------
    def _verify(self, path: str, tolerance: float) -> float | None:
        """The largest difference between model and block; None where they draw random numbers."""
        trials = self._trials()
        feeds = [self._feed(t) for t in trials]
        if self.random:
            for feed in feeds:
                feed[RANDOM_KEY] = np.zeros(2, np.uint32)
        names = self.options.output_names or self.out.list_outputs()
        worst = 0.0
        for trial, found in zip(trials, run_file(path, feeds), strict=True):
            for name, got, expected in zip(names, found, self._expected(trial), strict=True):
                if got.shape != expected.shape:
                    raise ExportDiffers(
                        f"output {name!r} of the exported model has shape {got.shape}, not {expected.shape}"
                    )
                worst = max(worst, _difference(got, expected, bool(self.options.quantize)))
        if self.random:
            return None
        if not worst <= tolerance:
            raise ExportDiffers(
                f"{os.path.basename(path)}: the outputs of the exported model are not the block's: relative difference "
                f"{worst:.3g}, tolerance {tolerance:g}; nothing was written"
            )
        return worst

    def _expected(self, arrays: Sequence[Array]) -> list[Array]:
        """What the block gives."""
        values = [x.astype(self.specs[n][0]) for n, x in zip(self.names, arrays, strict=True)]
        shape = self.specs[self.names[0]][1]
        for what, value, apply in (
            ("mean", self.options.mean, np.subtract),
            ("std", self.options.std, np.divide),
        ):
            if value is not None:
                values[0] = apply(values[0], _per_channel(what, value, shape)).astype(values[0].dtype)
        flat = [ndarray.array(x, dtype=x.dtype) for x in values]
        with autograd.pause():
            out = self.block(*regroup(flat, self.block._in_format)[0])
        return [y.asnumpy() for y in flatten(out, "output")[0]]


def _difference(got: Array, expected: Array, by_norm: bool) -> float:
    """Difference of two arrays, relative to the largest element, or as 2-norm to the 2-norm."""
    if expected.dtype.kind not in "fV":
        return 0.0 if np.array_equal(got, expected) else float("inf")
    a, b = got.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(b)
    if not np.isfinite(a[finite]).all() or not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return float("inf")
    a, b = a[finite], b[finite]
    if not b.size:
        return 0.0
    if by_norm:
        size, gap = float(np.linalg.norm(b)), float(np.linalg.norm(a - b))
    else:
        size, gap = float(np.abs(b).max()), float(np.abs(a - b).max())
    return gap / size if size else gap


def _numpy(x: Any) -> Array:
    return x.asnumpy() if isinstance(x, NDArray) else np.asarray(x)


def _renamed(names: Sequence[str], new: Sequence[str] | None) -> dict[str, str]:
    """Names in the model by the symbol's."""
    if new is None:
        return {n: n for n in names}
    if len(new) != len(names):
        raise ValueError(f"input_names: expected {len(names)} names for {list(names)}, got {list(new)}")
    return dict(zip(names, new, strict=True))


def _per_channel(what: str, value: Any, shape: Sequence[Any]) -> Array:
    """A number, or one for each channel, as an array that broadcasts against an input of the given shape."""
    array = np.asarray(value, np.float32)
    if array.ndim == 0:
        return array
    if array.ndim != 1 or len(shape) < 2 or array.size != shape[1]:
        raise ValueError(
            f"{what}: expected a number, or one for each channel of an input of shape {shape}, got {value}"
        )
    return array.reshape(-1, *[1] * (len(shape) - 2))


def _block_paths(block: Block, out: Symbol) -> dict[str, str]:
    """For nodes of a symbol, the path of the innermost block whose prefix their names have."""
    paths: dict[str, str] = {}
    stack: list[tuple[Block, str]] = [(block, "")]
    while stack:
        current, path = stack.pop()
        if current.prefix:
            paths.setdefault(current.prefix, path)
        stack.extend((c, f"{path}.{n}" if path else n) for n, c in reversed(current._children.items()))
    found = {}
    for node in out.nodes():
        parts = [p for p in paths if node.name.startswith(p)]
        if node.op is not None and parts and paths[max(parts, key=len)]:
            found[node.name] = paths[max(parts, key=len)]
    return found
