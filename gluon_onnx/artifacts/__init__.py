"""`mx.artifacts`: models that train themselves, as files.

`export` writes a network, its loss and an optimizer as ONNX models; `TrainingSession` trains with them, and needs
nothing but NumPy and ONNX Runtime. `finetune` does all of it for a model in a file.
"""

from __future__ import annotations

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from .finetuning import finetune as finetune
    from .session import TrainingSession as TrainingSession
    from .writer import export as export

__all__ = ["TrainingSession", "export", "finetune"]

_MEMBERS = {"TrainingSession": "session", "export": "writer", "finetune": "finetuning"}


def __getattr__(name: str) -> _Any:
    """On first use, so that a session does without what only `export` needs."""
    if name not in _MEMBERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_importlib.import_module(f"{__name__}.{_MEMBERS[name]}"), name)
    globals()[name] = value
    return value
