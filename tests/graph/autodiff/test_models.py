"""`graph.differentiate` on models that are nobody's in particular: against differences, and against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx.reference import ReferenceEvaluator

from gluon_onnx.graph import differentiate

#: Models of ONNX's own language in double precision; N and L are symbolic.
MODELS = {
    "perceptron with a loss over classes": """
        <ir_version: 9, opset_import: ["" : 18]>
        g (double[N, 4] x, double[4, 5] w, double[5] b, double[5, 3] v, int64[N] t) => (double loss) {
            h = Gemm(x, w, b)
            a = Softsign(h)
            s = MatMul(a, v)
            loss, p = SoftmaxCrossEntropyLoss(s, t)
        }""",
    "convolutions": """
        <ir_version: 9, opset_import: ["" : 18]>
        g (double[N, 2, 6, 6] x, double[4, 1, 3, 3] w, double[4] b, double[4] scale, double[4] shift,
           double[4] mean, double[4] var) => (double[N, 4] y) {
            c = Conv<group = 2, pads = [1, 1, 1, 1]>(x, w, b)
            n = BatchNormalization(c, scale, shift, mean, var)
            r = Elu(n)
            q = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(r)
            m = GlobalAveragePool(q)
            y = Flatten(m)
        }""",
    "attention": """
        <ir_version: 9, opset_import: ["" : 18]>
        g (double[N, L, 4] x, double[4, 4] wq, double[4, 4] wk, double[4, 4] wv) => (double[N, L, 4] y) {
            q = MatMul(x, wq)
            k = MatMul(x, wk)
            v = MatMul(x, wv)
            kt = Transpose<perm = [0, 2, 1]>(k)
            s = MatMul(q, kt)
            half = Constant<value_float = 0.5>()
            scale = CastLike(half, s)
            z = Mul(s, scale)
            a = Softmax<axis = -1>(z)
            y = MatMul(a, v)
        }""",
    "normalization by hand": """
        <ir_version: 9, opset_import: ["" : 18]>
        g (double[N, 5] x, double[5] gamma, double[5] beta) => (double[N, 5] y) {
            axes = Constant<value_ints = [-1]>()
            mean = ReduceMean(x, axes)
            d = Sub(x, mean)
            d2 = Mul(d, d)
            var = ReduceMean(d2, axes)
            small = Constant<value_float = 0.01>()
            eps = CastLike(small, x)
            e = Add(var, eps)
            sd = Sqrt(e)
            n = Div(d, sd)
            s = Mul(n, gamma)
            y = Add(s, beta)
        }""",
    "shapes": """
        <ir_version: 9, opset_import: ["" : 18]>
        g (double[N, 3, 4] x, double[2, 4] w) => (double[K] y) {
            rows = Constant<value_ints = [2, 0]>()
            some = Gather<axis = 1>(x, rows)
            joined = Concat<axis = 1>(some, some)
            starts = Constant<value_ints = [1]>()
            ends = Constant<value_ints = [4]>()
            axes = Constant<value_ints = [1]>()
            part = Slice(joined, starts, ends, axes)
            wt = Transpose(w)
            prod = MatMul(part, wt)
            flat = Constant<value_ints = [-1]>()
            y = Reshape(prod, flat)
        }""",
    "a choice": """
        <ir_version: 9, opset_import: ["" : 18]>
        g (double[N, 3] x, double[3] w) => (double[N, 3] y) {
            zero = Constant<value_float = 0.0>()
            z = CastLike(zero, x)
            positive = Greater(x, z)
            a = Mul(x, w)
            b = Exp(x)
            c = Where(positive, a, b)
            y = Pow(b, c)
        }""",
}
SIZES = {"N": 2, "L": 3}
NO_SLOPE = {"mean", "var"}  # variances must stay positive, and statistics are constants to training


def _inputs(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    draw = np.random.RandomState(0)
    found = {}
    for value in model.graph.input:
        kind = value.type.tensor_type
        shape = [d.dim_value or SIZES[d.dim_param] for d in kind.shape.dim]
        if kind.elem_type == onnx.TensorProto.INT64:
            found[value.name] = draw.randint(0, 3, shape)
        else:
            x = 0.5 * draw.standard_normal(shape)
            found[value.name] = x + 0.1 * np.sign(x)  # away from the corners
    if "var" in found:
        found["var"] = np.abs(found["var"]) + 0.5
    return found


def _total(evaluator: ReferenceEvaluator, inputs: dict[str, np.ndarray]) -> Any:
    return evaluator.run(None, inputs)[0].sum()


@pytest.mark.parametrize("name", MODELS)
def test_differences(name: str) -> None:
    """Each input's gradient is that of central differences, all in double precision and by ONNX's own evaluator."""
    model = onnx.parser.parse_model(MODELS[name])
    inputs = _inputs(model)
    wrt = [n for n, x in inputs.items() if x.dtype == np.float64 and n not in NO_SLOPE]
    forward = ReferenceEvaluator(model)
    result = differentiate(model, wrt=wrt)
    onnx.checker.check_model(result, full_check=True)
    found = ReferenceEvaluator(result).run([f"{n}_grad" for n in wrt], inputs)
    for n, gradient in zip(wrt, found, strict=True):
        expected = np.zeros_like(inputs[n])
        for i in np.ndindex(expected.shape):
            ends = []
            for step in (1e-5, -1e-5):
                moved = inputs[n].copy()
                moved[i] += step
                ends.append(_total(forward, {**inputs, n: moved}))
            expected[i] = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8, err_msg=n)


def _torch_perceptron(torch: Any, x: Any, w: Any, b: Any, v: Any, t: Any) -> Any:
    return torch.nn.functional.cross_entropy(torch.nn.functional.softsign(x @ w + b) @ v, t)


def _torch_convolutions(
    torch: Any, x: Any, w: Any, b: Any, scale: Any, shift: Any, mean: Any, var: Any
) -> Any:
    f = torch.nn.functional
    n = f.batch_norm(f.conv2d(x, w, b, padding=1, groups=2), mean, var, scale, shift, eps=1e-5)
    return f.avg_pool2d(f.elu(n), 2).mean((2, 3)).sum()


def _torch_attention(torch: Any, x: Any, wq: Any, wk: Any, wv: Any) -> Any:
    return (torch.softmax(0.5 * (x @ wq) @ (x @ wk).transpose(1, 2), -1) @ (x @ wv)).sum()


TORCH = {
    "perceptron with a loss over classes": _torch_perceptron,
    "convolutions": _torch_convolutions,
    "attention": _torch_attention,
}


@pytest.mark.parametrize("name", TORCH)
def test_torch(name: str) -> None:
    """The same model in PyTorch has the same gradients."""
    torch = pytest.importorskip("torch")
    model = onnx.parser.parse_model(MODELS[name])
    inputs = _inputs(model)
    wrt = [n for n, x in inputs.items() if x.dtype == np.float64 and n not in NO_SLOPE]
    tensors = {n: torch.tensor(x, requires_grad=n in wrt) for n, x in inputs.items()}
    TORCH[name](torch, **tensors).backward()
    found = ReferenceEvaluator(differentiate(model, wrt=wrt)).run([f"{n}_grad" for n in wrt], inputs)
    for n, gradient in zip(wrt, found, strict=True):
        np.testing.assert_allclose(gradient, tensors[n].grad.numpy(), rtol=1e-9, atol=1e-12, err_msg=n)
