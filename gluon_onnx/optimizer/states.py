"""Optimizer states as bytes: a safetensors file whose metadata holds their structure as JSON. No pickle.

Arrays are tensors named by numbers. Everything else is JSON, in which ``{"array": n}`` stands for array n,
``{"tuple": [...]}`` for a tuple, ``{"dict": [[key, value], ...]}`` for a dict, ``{"schedule": name,
"attributes": ...}`` for a scheduler of the learning rate, and ``{"number": "inf"}`` for numbers that JSON
does not know.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as write_tensors

from ..context import Context, cpu, gpu
from ..graph.errors import FormatError
from ..lr_scheduler import LRScheduler
from ..ndarray import NDArray, array

if TYPE_CHECKING:
    from .optimizer import Optimizer

__all__ = ["dump", "load"]

_KEY, _FORMAT = "gluon_onnx", "optimizer states 1"
_OMITTED = ("param_dict",)  # the trainer's parameters: it sets them again


class _Writer:
    """Collects the arrays of values that it turns into JSON."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}

    def value(self, value: Any, where: str) -> Any:
        """JSON for a value; `where` names it in errors."""
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, np.generic):
            return self.value(value.item(), where)
        if isinstance(value, int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"number": repr(value)}
        if isinstance(value, NDArray | np.ndarray):
            return self._array(value)
        if isinstance(value, list):
            return [self.value(v, f"{where}[{i}]") for i, v in enumerate(value)]
        if isinstance(value, tuple):
            return {"tuple": [self.value(v, f"{where}[{i}]") for i, v in enumerate(value)]}
        if isinstance(value, dict):
            rows = [[self.value(k, where), self.value(v, f"{where}[{k!r}]")] for k, v in value.items()]
            return {"dict": rows}
        if isinstance(value, LRScheduler):
            return {"schedule": _name(type(value)), "attributes": self.value(vars(value), where)}
        raise TypeError(
            f"{where}: a {type(value).__name__} cannot be written; arrays, numbers, texts, lists, tuples, "
            "dicts and schedulers can"
        )

    def _array(self, value: NDArray | np.ndarray[Any, Any]) -> dict[str, Any]:
        name = str(len(self.arrays))
        if isinstance(value, NDArray):
            self.arrays[name] = np.ascontiguousarray(value.asnumpy())
            return {
                "array": name,
                "gpu": value.context.device_id if value.context.device_type == "gpu" else None,
            }
        self.arrays[name] = np.ascontiguousarray(value)
        return {"array": name, "numpy": True}


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _kinds(base: type[Any]) -> dict[str, type[Any]]:
    """A class and all classes below it, by name: a file names one of them, and can bring no code."""
    found = {_name(base): base}
    for kind in base.__subclasses__():
        found |= _kinds(kind)
    return found


def _instance(base: type[Any], name: str, attributes: dict[str, Any]) -> Any:
    kind = _kinds(base).get(name)
    if kind is None:
        raise FormatError(
            f"the optimizer states need the class {name}, which is not defined; import it before"
        )
    result = object.__new__(kind)
    vars(result).update(attributes)
    return result


class _Reader:
    def __init__(self, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
        self.arrays = arrays

    def value(self, value: Any) -> Any:
        """The value that JSON stands for."""
        if isinstance(value, list):
            return [self.value(v) for v in value]
        if not isinstance(value, dict):
            return value
        if "array" in value:
            return self._array(value)
        if "tuple" in value:
            return tuple(self.value(v) for v in value["tuple"])
        if "dict" in value:
            return {self.value(k): self.value(v) for k, v in value["dict"]}
        if "number" in value:
            return float(value["number"])
        return _instance(LRScheduler, value["schedule"], self.value(value["attributes"]))

    def _array(self, value: dict[str, Any]) -> NDArray | np.ndarray[Any, Any]:
        data = self.arrays[value["array"]]
        if value.get("numpy"):
            return data
        # Arrays of a device that is absent here wait on the CPU until their weight is seen.
        return array(data, ctx=_device(value["gpu"]), dtype=data.dtype)


def _device(number: int | None) -> Context:
    from ..context import num_gpus

    return gpu(number) if number is not None and number < num_gpus() else cpu()


def dump(states: dict[Any, Any], optimizer: Optimizer | None) -> bytes:
    """States by index, and an optimizer, as bytes.

    Raises
    ------
    TypeError : something in them cannot be written; the message names it.
    """
    writer = _Writer()
    content: dict[str, Any] = {"states": writer.value(states, "states")}
    if optimizer is not None:
        attributes = {
            k: v for k, v in vars(optimizer).items() if k not in _OMITTED and k != "_index_update_count"
        }
        name = type(optimizer).__name__
        found = {k: writer.value(v, f"{name}.{k}") for k, v in attributes.items()}
        current = next(
            d for d, c in optimizer._all_index_update_counts.items() if c is optimizer._index_update_count
        )
        content["optimizer"] = {"class": _name(type(optimizer)), "attributes": found, "device": current}
    content["format"] = _FORMAT
    return write_tensors(writer.arrays, {_KEY: json.dumps(content, allow_nan=False)})


def load(data: bytes) -> tuple[dict[Any, Any], Optimizer | None]:
    """What `dump` has written.

    Raises
    ------
    FormatError : the bytes are something else, or damaged, or need a class that is not defined.
    """
    from .optimizer import Optimizer

    if data[:1] == b"\x80" and data[8:9] != b"{":  # a safetensors file has a brace there
        raise FormatError(
            "these optimizer states are a Python pickle, as MXNet writes them. A pickle can run any code when it is "
            "read, so it is not read; start with new states, or save them in MXNet as arrays (mx.nd.save)"
        )
    try:
        size = int.from_bytes(data[:8], "little")
        content = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][_KEY])
        if content["format"] != _FORMAT:
            raise FormatError(f"expected the format {_FORMAT!r}, got {content['format']!r}")
        reader = _Reader(read_tensors(data))
        states = reader.value(content["states"])
        saved = content.get("optimizer")
        attributes = {k: reader.value(v) for k, v in saved["attributes"].items()} if saved else {}
    except (KeyError, ValueError, TypeError, AttributeError, SafetensorError) as e:
        if isinstance(e, FormatError):
            raise
        raise FormatError(f"not optimizer states, or damaged: {e!r}") from e
    if not saved:
        return states, None
    optimizer: Optimizer = _instance(Optimizer, saved["class"], {**attributes, "param_dict": {}})
    optimizer._index_update_count = optimizer._all_index_update_counts[saved["device"]]
    return states, optimizer
