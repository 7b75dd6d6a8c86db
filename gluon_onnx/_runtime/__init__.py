"""The door to ONNX Runtime: devices, sessions, compiled functions, random state."""
