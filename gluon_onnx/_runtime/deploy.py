"""Models in files: run as anybody would run them, and quantized."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import onnxruntime

from ..graph.errors import GraphError

__all__ = ["quantize_file", "run_file"]

Array = np.ndarray[Any, Any]


def run_file(path: str | os.PathLike[str], feeds: Sequence[Mapping[str, Array]]) -> list[list[Array]]:
    """Outputs of a model for several inputs, from bare ONNX Runtime on the CPU.

    Raises
    ------
    GraphError : ONNX Runtime refused the model or an input.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
        return [session.run(None, dict(feed)) for feed in feeds]
    except Exception as e:  # onnxruntime has one exception class per status code
        raise GraphError(f"{os.fspath(path)}: ONNX Runtime failed: {e}") from e


def quantize_file(
    source: str, target: str, calibration: Iterator[Mapping[str, Array]] | None, external_data: bool
) -> None:
    """Write the model in `source` with 8-bit integers to `target`.

    Parameters
    ----------
    calibration : inputs that show which values occur (static quantization: weights and activations). None quantizes
        weights only, and activations by what occurs in each run (dynamic quantization).
    external_data : constants go to a file beside the model.

    Raises
    ------
    GraphError : ONNX Runtime's quantizer failed.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static

    model = _folded(source)
    model.graph.ClearField(
        "value_info"
    )  # the quantizer transposes weights and leaves their shapes as they were
    options: dict[str, Any] = {"use_external_data_format": external_data}
    with _quiet():
        try:
            if calibration is None:
                # Convolutions of signed weights have no fast kernel.
                quantize_dynamic(model, target, weight_type=QuantType.QUInt8, **options)
            else:
                quantize_static(model, target, _Reader(calibration), per_channel=True, **options)
        except Exception as e:  # the quantizer raises whatever happens inside
            raise GraphError(f"quantization failed: {e}") from e


def _folded(source: str) -> onnx.ModelProto:
    """The model after ONNX Runtime's basic optimizations: normalizations are in the weights of convolutions."""
    target = source + ".folded"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = target
    try:
        onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        return onnx.load(target)
    finally:
        if os.path.exists(target):
            os.remove(target)


class _Reader:
    """What the quantizer reads calibration data from."""

    def __init__(self, feeds: Iterator[Mapping[str, Array]]) -> None:
        self._feeds = feeds

    def get_next(self) -> dict[str, Array] | None:
        """The next input, or None at the end."""
        feed = next(self._feeds, None)
        return None if feed is None else dict(feed)


@contextmanager
def _quiet() -> Iterator[None]:
    """Inside, the root logger says errors only: the quantizer warns of what it is told to do."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
