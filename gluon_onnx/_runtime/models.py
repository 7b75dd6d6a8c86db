"""Models opened to look into them: any of their values, on any provider, with the times of their kernels."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from ..graph.errors import GraphError
from . import devices

__all__ = ["OPTIMIZATIONS", "Kernel", "ModelFailure", "ModelSession", "Settings", "find_provider"]

Array = np.ndarray[Any, Any]

OPTIMIZATIONS = {
    "none": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}

_UNSUPPORTED = (ort_state.NotImplemented, ort_state.NoModel, ort_state.EPFail)


class ModelFailure(GraphError):
    """ONNX Runtime refused a model, or failed while it ran.

    Attributes
    ----------
    unsupported : it lacks a kernel or the provider; otherwise model or inputs are at fault.
    """

    def __init__(self, message: str, unsupported: bool) -> None:
        super().__init__(message)
        self.unsupported = unsupported


@dataclass(frozen=True)
class Settings:
    """How a session runs.

    Attributes
    ----------
    provider : "cpu", "cuda", "cuda:1", or ONNX Runtime's name of another one, with or without "ExecutionProvider".
    optimization : a key of `OPTIMIZATIONS`: what ONNX Runtime may rewrite in the graph.
    threads : threads of one operator; 0 leaves it to ONNX Runtime.
    """

    provider: str = "cpu"
    optimization: str = "all"
    threads: int = 0


@dataclass(frozen=True)
class Kernel:
    """One execution of a kernel.

    Attributes
    ----------
    run : number of the run that it belongs to.
    node : ONNX Runtime's name for the node; its optimizer appends to the names of the nodes it started from.
    operator, provider : what it is, and where it ran.
    duration : microseconds.
    """

    run: int
    node: str
    operator: str
    provider: str
    duration: float


def find_provider(name: str) -> list[Any]:
    """The execution providers for `name`, in the form that sessions want; the CPU is behind every other.

    Raises
    ------
    ModelFailure : this ONNX Runtime has no such provider, or the machine no such device.
    """
    word, _, number = name.lower().partition(":")
    if word in ("cpu", "cpuexecutionprovider"):
        return ["CPUExecutionProvider"]
    if number and not number.isdigit():
        raise ModelFailure(f"provider {name!r}: expected a device's number behind the colon", False)
    if word in ("cuda", "gpu", "cudaexecutionprovider"):
        try:
            return devices.providers(("gpu", int(number or 0)))
        except GraphError as error:
            raise ModelFailure(f"provider {name!r}: {error}", True) from error
    available = onnxruntime.get_available_providers()
    for full in available:
        if word in (full.lower(), full.lower().removesuffix("executionprovider")):
            options = {"device_id": number} if number else {}
            return [(full, options), "CPUExecutionProvider"]
    known = ", ".join(full.removesuffix("ExecutionProvider").lower() for full in available)
    raise ModelFailure(f"provider {name!r}: this ONNX Runtime has {known}", True)


class ModelSession:
    """A model in ONNX Runtime.

    Parameters
    ----------
    model : the model; its external data is in `folder`, if it has any.
    what : how to call it in messages.
    profile : note the time of every kernel, for `kernels`.
    arrays : values of constants that the model declares as external data in memory (see `graph.program.detach`).

    Raises
    ------
    ModelFailure : ONNX Runtime cannot make a session of it.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        what: str,
        settings: Settings | None = None,
        folder: str | os.PathLike[str] | None = None,
        profile: bool = False,
        arrays: Mapping[str, Array] | None = None,
    ) -> None:
        settings = settings or Settings()
        self.what = what
        self.output_names = [value.name for value in model.graph.output]
        self._times: list[float] = []
        self._scratch = tempfile.TemporaryDirectory(prefix="gluon-onnx-") if profile else None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        level = OPTIMIZATIONS[settings.optimization]
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        options.intra_op_num_threads = settings.threads
        if folder is not None:
            options.add_session_config_entry(
                "session.model_external_initializers_file_folder_path", os.fspath(folder)
            )
        if self._scratch is not None:
            options.enable_profiling = True
            options.profile_file_prefix = os.path.join(self._scratch.name, "profile")
        providers = find_provider(settings.provider)
        # No bytes of these pass through protobuf, which could not hold 2 GiB of them; the session reads some in place.
        self._constants = [
            onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(x)) for x in (arrays or {}).values()
        ]
        try:
            if arrays:
                options.add_external_initializers(list(arrays), self._constants)
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=providers, enable_fallback=0
            )
        except Exception as error:  # onnxruntime has one exception class per status code
            raise _failure(what, error) from error
        wanted = providers[0][0] if isinstance(providers[0], tuple) else providers[0]
        if wanted not in self._session.get_providers():
            raise ModelFailure(f"{what}: the provider {wanted} could not be started on this machine", True)
        self.input_names = [value.name for value in self._session.get_inputs()]

    def run(self, feeds: Mapping[str, Array]) -> list[Any]:
        """The model's outputs. Values that are not tensors come as ONNX Runtime gives them (lists, None).

        Raises
        ------
        ModelFailure : ONNX Runtime failed; names the node where it says so.
        """
        begin = time.perf_counter()
        try:
            found: list[Any] = self._session.run(self.output_names, dict(feeds))
        except Exception as error:  # see above
            raise _failure(self.what, error) from error
        self._times.append(time.perf_counter() - begin)
        return found

    @property
    def times(self) -> Sequence[float]:
        """Seconds that each run took, as the caller sees it."""
        return self._times

    def kernels(self, trace: str | os.PathLike[str] | None = None) -> list[Kernel]:
        """Every kernel that was executed. Ends the profile: the session is not profiled any more.

        Parameters
        ----------
        trace : also write ONNX Runtime's trace there, for Chrome's and Perfetto's viewers.

        Raises
        ------
        ValueError : the session was not made with `profile`.
        """
        if self._scratch is None:
            raise ValueError("kernels() needs a session made with profile=True")
        with open(self._session.end_profiling(), "rb") as stream:
            text = stream.read()
        self._scratch.cleanup()
        self._scratch = None
        if trace is not None:
            from ..graph.exporters._files import replaced_file

            with replaced_file(trace) as stream:
                stream.write(text)
        return _kernels(json.loads(text))


def _kernels(rows: Sequence[Mapping[str, Any]]) -> list[Kernel]:
    """Kernels in a profile, numbered by the runs that they lie in."""
    ends = sorted(int(r["ts"]) + int(r["dur"]) for r in rows if r.get("name") == "model_run")
    kernels = []
    for row in sorted((r for r in rows if r.get("cat") == "Node"), key=lambda r: int(r["ts"])):
        if not row["name"].endswith("_kernel_time"):
            continue
        run = sum(end < int(row["ts"]) for end in ends)
        kernels.append(
            Kernel(
                run,
                row["name"].removesuffix("_kernel_time"),
                row["args"].get("op_name", ""),
                row["args"].get("provider", "").removesuffix("ExecutionProvider"),
                float(row["dur"]),
            )
        )
    return kernels


def _failure(what: str, error: Exception) -> ModelFailure:
    """ONNX Runtime's error in one line."""
    text = " ".join(str(error).split())
    return ModelFailure(f"{what}: ONNX Runtime: {text}", isinstance(error, _UNSUPPORTED))
