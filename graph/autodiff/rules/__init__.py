"""Gradient rules of ONNX operators, one file a family."""
