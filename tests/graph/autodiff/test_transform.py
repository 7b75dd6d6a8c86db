"""`graph.differentiate` on ONNX models, without the rest of the package."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest

from gluon_onnx.graph import differentiate
from gluon_onnx.graph.errors import FormatError, GraphError, NotDifferentiableError

TEXT = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (float[N, 5] x, float[N, 3] t) => (float loss)
<float[5, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}>
{
    y = MatMul(x, w)
    z = Tanh(y)
    d = Sub(z, t)
    q = Mul(d, d)
    loss = ReduceMean<keepdims = 0>(q)
}
"""


def model() -> onnx.ModelProto:
    return onnx.parser.parse_model(TEXT)


def run(m: onnx.ModelProto, **inputs: np.ndarray) -> list[np.ndarray]:
    return onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]).run(
        None, inputs
    )


@pytest.mark.parametrize("batch", [1, 4])
def test_gradient_of_an_initializer_with_symbolic_batch(batch: int) -> None:
    rng = np.random.default_rng(0)
    x, t = (
        (0.1 * rng.standard_normal((batch, 5))).astype(np.float32),
        rng.standard_normal((batch, 3)).astype(np.float32),
    )
    w = np.arange(1, 16, dtype=np.float32).reshape(5, 3)
    loss, grad = run(differentiate(model()), x=x, t=t)
    z = np.tanh(x @ w)
    expected = x.T @ (2 * (z - t) * (1 - z * z) / z.size)
    np.testing.assert_allclose(loss, ((z - t) ** 2).mean(), rtol=1e-5)
    np.testing.assert_allclose(grad, expected, rtol=1e-4, atol=1e-6)


def test_result_is_plain_onnx_with_named_outputs() -> None:
    result = differentiate(model(), loss="loss", wrt=["x", "w"])
    onnx.checker.check_model(result, full_check=True)
    assert [o.name for o in result.graph.output] == ["loss", "x_grad", "w_grad"]
    assert {o.domain for o in result.opset_import} == {""}


def test_gradient_of_a_gradient() -> None:
    once = differentiate(
        onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["" : 17]> g (float[3] x) => (float y) '
            "{ c = Mul(x, x) e = Mul(c, x) y = ReduceSum<keepdims = 0>(e) }"
        )
    )
    twice = differentiate(once, loss="x_grad", wrt=["x"])
    x = np.array([1, -2, 3], np.float32)
    np.testing.assert_allclose(run(twice, x=x)[-1], 6 * x, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"wrt": ["nothing"]}, GraphError, "no value named 'nothing'"),
        ({"loss": "y", "wrt": ["t"]}, NotDifferentiableError, r"'y' does not depend on \['t'\]"),
    ],
)
def test_errors(arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        differentiate(model(), **arguments)


def test_an_operator_without_a_rule_is_named() -> None:
    m = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]> g (float[2, 4] x, float[4] b) '
        "=> (float[2, 4] y) { y = com.microsoft.BiasGelu(x, b) }"
    )
    with pytest.raises(NotDifferentiableError, match="'BiasGelu'"):
        differentiate(m)


def test_a_broken_file_is_refused(tmp_path: object) -> None:
    path = f"{tmp_path}/bad.onnx"
    with open(path, "wb") as f:
        f.write(b"not a model")
    with pytest.raises(FormatError, match=r"bad\.onnx"):
        differentiate(path)


def test_the_compiler_does_not_import_the_runtime() -> None:
    code = (
        "import sys, gluon_onnx.graph; "
        "sys.exit(any(m == 'onnxruntime' or m.startswith('gluon_onnx.ndarray') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
