"""Readers of MXNet's and ONNX's files."""
