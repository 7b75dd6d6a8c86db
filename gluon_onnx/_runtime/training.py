"""Sessions of model files with bound memory: all that training from files needs of ONNX Runtime.

Apart from ONNX Runtime and NumPy nothing is imported, so that training runs where ONNX's own packages are not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime

from ..graph.errors import GraphError
from . import devices

__all__ = ["Binding", "Cell", "ModelFile", "Place"]

Array = np.ndarray[Any, Any]


class Cell:
    """An array that sessions read and write in place.

    Attributes
    ----------
    value : what sessions bind.
    """

    def __init__(self, value: Any, array: Array | None) -> None:
        self.value = value
        self._array = array

    def read(self) -> Array:
        """The contents: on the CPU the memory itself, else a copy."""
        found: Array = self.value.numpy() if self._array is None else self._array
        return found


class Place:
    """Where sessions compute and their arrays are.

    Parameters
    ----------
    device : ("cpu", 0) or ("gpu", i).
    providers : execution providers in place of the device's own; arrays are in the CPU's memory then.

    Raises
    ------
    GraphError : the device cannot be used; says what is missing.
    """

    def __init__(self, device: devices.Device, providers: Sequence[Any] | None = None) -> None:
        self.on_gpu = device[0] == "gpu" and providers is None
        self.providers = list(providers) if providers is not None else devices.providers(device)
        self._memory = devices.memory(device) if self.on_gpu else ("cpu", 0)

    def cell(self, array: Array) -> Cell:
        """A cell that holds a copy of an array."""
        own = np.array(array, order="C")
        value = onnxruntime.OrtValue.ortvalue_from_numpy(own, *self._memory)
        return Cell(value, None if self.on_gpu else own)

    def empty(self, dtype: str, shape: Sequence[int]) -> Cell:
        """A cell of undefined contents."""
        if self.on_gpu:
            dt, memory = np.dtype(dtype).type, self._memory
            return Cell(onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), dt, *memory), None)
        own = np.empty(shape, dtype)
        return Cell(onnxruntime.OrtValue.ortvalue_from_numpy(own), own)


class ModelFile:
    """A model in ONNX Runtime.

    Parameters
    ----------
    source : path of the model, or its bytes.
    what : its name for messages.
    threads : threads of one operator; 0 leaves it to ONNX Runtime.
    plain : run every node as it is written.

    Raises
    ------
    GraphError : ONNX Runtime refuses the model.
    """

    def __init__(
        self, source: str | bytes, what: str, place: Place, threads: int = 0, plain: bool = False
    ) -> None:
        self.what = what
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # failures are raised; nothing is written to stderr as well
        options.enable_mem_pattern = False  # less memory at the same speed, and batches may differ in size
        if plain:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        number = os.environ.get("OMP_NUM_THREADS", "")
        options.intra_op_num_threads = threads or (int(number) if number.isdigit() else 0)
        try:
            self.session = onnxruntime.InferenceSession(
                source, options, providers=place.providers, enable_fallback=0
            )
        except Exception as e:  # onnxruntime has one exception class per status code
            raise GraphError(f"{what}: ONNX Runtime refused the model: {e}") from e

    def run(self, names: Sequence[str], feeds: Mapping[str, Any]) -> list[Array]:
        """Outputs for arrays.

        Raises
        ------
        GraphError : ONNX Runtime failed.
        """
        try:
            found: list[Array] = self.session.run(list(names), dict(feeds))
        except Exception as e:  # as above
            raise GraphError(f"{self.what}: ONNX Runtime failed: {e}") from e
        return found


class Binding:
    """What one run of a model reads and writes."""

    def __init__(self, model: ModelFile) -> None:
        self._model = model
        self._binding = model.session.io_binding()
        self._free: dict[str, int] = {}
        self._kept: list[Any] = []  # bound memory must live until the run
        self._outputs = 0

    def arrays(self, arrays: Mapping[str, Array]) -> None:
        """Inputs from the CPU's memory, which is read where it is."""
        for name, array in arrays.items():
            value = onnxruntime.OrtValue.ortvalue_from_numpy(array)
            self._kept += [array, value]
            self._binding.bind_ortvalue_input(name, value)

    def input(self, name: str, cell: Cell) -> None:
        """An input from a cell."""
        self._binding.bind_ortvalue_input(name, cell.value)

    def output(self, name: str, cell: Cell) -> None:
        """An output into a cell."""
        self._binding.bind_ortvalue_output(name, cell.value)
        self._outputs += 1

    def free(self, name: str) -> None:
        """An output of unknown size, which `run` returns."""
        self._binding.bind_output(name, "cpu")
        self._free[name] = self._outputs
        self._outputs += 1

    def run(self) -> dict[str, Array]:
        """Run; returns the free outputs.

        Raises
        ------
        GraphError : ONNX Runtime failed.
        """
        try:
            self._model.session.run_with_iobinding(self._binding)
        except Exception as e:  # onnxruntime has one exception class per status code
            raise GraphError(f"{self._model.what}: ONNX Runtime failed: {e}") from e
        found = self._binding.get_outputs() if self._free else []
        return {name: found[i].numpy() for name, i in self._free.items()}
