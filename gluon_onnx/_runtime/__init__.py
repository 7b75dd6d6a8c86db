"""The only door to ONNX Runtime: devices, sessions, functions, random keys."""

from __future__ import annotations

try:
    import onnxruntime as _  # noqa: F401 - what is missing is said once, whichever module is imported first
except ImportError as e:
    raise ImportError(
        "gluon-onnx needs ONNX Runtime: pip install onnxruntime-gpu (Linux x86-64, Windows) or onnxruntime"
    ) from e
