"""What fuzzing calls: each target reads one file of its format, and uses what it has read.

A file may be good, or refused with one of our own errors; anything else is a finding. So is a file that takes long,
or memory out of all proportion.
"""

from __future__ import annotations

import pathlib
import tempfile
import time
import warnings
from collections.abc import Callable

import numpy as np
import onnx

import gluon_onnx as mx
from gluon_onnx.base import MXNetError
from gluon_onnx.graph.dims import Dim
from gluon_onnx.graph.errors import FormatError
from gluon_onnx.graph.importers.onnx import import_onnx
from gluon_onnx.graph.lower import lower_symbol

__all__ = ["TARGETS", "run"]

SECONDS = 20.0  # of processor time that reading a file of some kilobytes may take on a loaded machine


def read_symbol(path: str) -> None:
    symbol = mx.sym.load(path)
    symbol.tojson()
    symbol.list_outputs()
    symbol.infer_type_partial()
    symbol.infer_shape_partial()


def read_params(path: str) -> None:
    found = mx.nd.load(path)
    for x in found.values() if isinstance(found, dict) else found:
        x.asnumpy()


def read_model(path: str) -> None:
    model = import_onnx(path, mx.sym.Symbol)
    text = model.symbol.tojson()
    assert mx.sym.load_json(text).tojson() == text
    specs = {
        n: (dt, [d if isinstance(d, int) else Dim.symbol(d or f"{n}{i}") for i, d in enumerate(dims)])
        for n, (dt, dims) in model.specs.items()
    }
    specs.update((n, (v.dtype, list(v.shape))) for n, v in model.params.items())
    onnx.checker.check_model(lower_symbol(model.symbol, specs).model)


TARGETS: dict[str, tuple[str, Callable[[str], None]]] = {
    "symbol": ("net-symbol.json", read_symbol),
    "params": ("net.params", read_params),
    "onnx": ("net.onnx", read_model),
}


def run(name: str, content: bytes) -> None:
    """Read `content` as a file of a format."""
    file, target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        path = pathlib.Path(folder, file)
        path.write_bytes(content)
        start = time.process_time()
        try:
            target(str(path))
        except FormatError as error:
            assert file in str(error) or "\n" not in str(error)
        except MXNetError:
            pass
        assert time.process_time() - start < SECONDS, "it took too long"
