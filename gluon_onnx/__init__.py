"""The Gluon API on ONNX and ONNX Runtime. Use it as MXNet: ``import gluon_onnx as mx``."""

from __future__ import annotations

import importlib as _importlib
import os as _os
from typing import Any as _Any

__version__ = "0.1.0"

_here = _os.path.dirname(_os.path.abspath(__file__))
if not _os.path.isdir(_os.path.join(_here, "graph")):
    __path__.append(_os.path.dirname(_here))  # a checkout: graph/ and tools/ lie beside this package

# Everything is imported on first use, so that `import gluon_onnx` costs nothing.
_ALIASES = {
    "nd": "ndarray",
    "sym": "symbol",
    "init": "initializer",
    "lr_scheduler": "lr_scheduler",
    "mod": "module",
    "kv": "kvstore",
    "opt": "optimizer",
    "mon": "monitor",
    "viz": "visualization",
    "img": "image",
    "rnd": "random",
    "tensor": "ndarray",
    "np": "numpy",
    "npx": "numpy_extension",
}
_MEMBERS = {
    **dict.fromkeys(
        ["Context", "cpu", "cpu_pinned", "current_context", "gpu", "gpu_memory_info", "num_gpus"], "context"
    ),
    **dict.fromkeys(["MXNetError"], "base"),
    **dict.fromkeys(["AttrScope"], "attribute"),
    **dict.fromkeys(
        [
            "is_np_array",
            "is_np_shape",
            "np_array",
            "np_shape",
            "set_np_shape",
            "use_np",
            "use_np_array",
            "use_np_shape",
        ],
        "util",
    ),
    **dict.fromkeys(
        [
            "Block",
            "Constant",
            "DeferredInitializationError",
            "HybridBlock",
            "Parameter",
            "ParameterDict",
            "SymbolBlock",
            "Trainer",
            "data",
            "loss",
            "model_zoo",
            "nn",
            "utils",
        ],
        "gluon",
    ),
    "NDArray": "ndarray",
    "Symbol": "symbol",
}


def __getattr__(name: str) -> _Any:
    if name.startswith("__"):
        raise AttributeError(name)
    try:
        if name in _MEMBERS:
            value = getattr(_importlib.import_module(f"{__name__}.{_MEMBERS[name]}"), name)
        else:
            value = _importlib.import_module(f"{__name__}.{_ALIASES.get(name, name)}")
    except ModuleNotFoundError as e:
        if e.name is None or not e.name.startswith(__name__):
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ALIASES, *_MEMBERS, "autograd", "gluon", "random"})
