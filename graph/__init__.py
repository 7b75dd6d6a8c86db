"""The compiler of gluon-onnx: Symbols, ONNX programs, inference, lowering and differentiation."""

if __name__ != "gluon_onnx.graph":  # a second copy would register every operator twice
    raise ImportError(f"import this package as 'gluon_onnx.graph', not as {__name__!r}")

from .autodiff import differentiate

__all__ = ["differentiate"]
