"""What this installation can do: `mx.runtime`."""

from __future__ import annotations

import importlib.util
from functools import lru_cache

from .context import num_gpus

__all__ = ["Feature", "Features", "feature_list"]

# MXNet's names. True and False are facts of this package; other features depend on the machine.
_FEATURES: dict[str, bool | str] = {
    "CUDA": "gpu", "CUDNN": "gpu", "NCCL": False, "CUDA_RTC": False, "TENSORRT": False,
    **dict.fromkeys(["CPU_SSE", "CPU_SSE2", "CPU_SSE3", "CPU_SSE4_1", "CPU_SSE4_2", "CPU_SSE4A", "CPU_AVX",
                     "CPU_AVX2"], False),  # ONNX Runtime finds out by itself what the processor has
    "OPENMP": False, "SSE": False, "F16C": False, "JEMALLOC": False, "BLAS_OPEN": False, "BLAS_ATLAS": False,
    "BLAS_MKL": False, "BLAS_APPLE": False, "LAPACK": True, "MKLDNN": False, "OPENCV": "cv2", "CAFFE": False,
    "PROFILER": True, "DIST_KVSTORE": False, "CXX14": False, "SIGNAL_HANDLER": False, "DEBUG": False,
    "TVM_OP": False,
    "INT64_TENSOR_SIZE": False,  # arrays may be that large; index types are those of MXNet's ordinary build
}  # fmt: skip


class Feature:
    """A feature and whether it is there.

    Attributes
    ----------
    name : MXNet's name of the feature.
    enabled : whether it can be used here.
    """

    __slots__ = ("enabled", "name")

    def __init__(self, name: str, enabled: bool) -> None:
        self.name = name
        self.enabled = enabled

    def __repr__(self) -> str:
        return f"{'✔' if self.enabled else '✖'} {self.name}"


def _present(value: bool | str) -> bool:
    if value == "gpu":
        return num_gpus() > 0
    return value if isinstance(value, bool) else importlib.util.find_spec(value) is not None


@lru_cache(maxsize=1)
def _features() -> tuple[Feature, ...]:
    return tuple(Feature(name, _present(value)) for name, value in _FEATURES.items())


def feature_list() -> list[Feature]:
    """All features that MXNet knows, and whether they are here."""
    return list(_features())


class Features(dict[str, Feature]):
    """The features by name."""

    def __init__(self) -> None:
        super().__init__((f.name, f) for f in _features())

    def __repr__(self) -> str:
        return str(list(self.values()))

    def is_enabled(self, feature_name: str) -> bool:
        """Whether a feature is here; upper and lower case are the same.

        Raises
        ------
        RuntimeError : MXNet has no feature of that name.
        """
        feature = self.get(feature_name.upper())
        if feature is None:
            raise RuntimeError(f"feature {feature_name!r} is unknown; known are {list(self)}")
        return feature.enabled
