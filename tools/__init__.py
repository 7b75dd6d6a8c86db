"""The command line `gluon-onnx`. Imported as gluon_onnx.tools."""
