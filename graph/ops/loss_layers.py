"""Layers that end a symbol: their results are predictions, their gradients those of a loss.

The gradient of such a layer is not the derivative of what it returns. It does not depend on the gradient of the
head either, except where `out_grad` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import onnx_ir as ir

from ..autodiff.engine import Gradient, attribute, tensor
from ..builder import Builder, CustomFunction, Tensor
from ..dims import DimLike, PartialShape, prod
from ..errors import ShapeError
from ..ranges import numbers
from ..shapes import ShapeContext, is_complete
from .registry import operator

__all__: list[str] = []

_Normalization = Literal["null", "batch", "valid"]


def _zeros(g: Builder, like: Tensor) -> Gradient:
    return lambda: g.fill(like.dims, 0, like.dt)


def _divide(g: Builder, x: Tensor, count: DimLike) -> Tensor:
    """`x` divided by a number of elements."""
    return x * (1.0 / count) if isinstance(count, int) else x / g.cast(g.dim(count), x.dt)


# -- SoftmaxOutput -------------------------------------------------------------------------------------------


def _softmax_forward(g: Builder, data: Tensor, label: Tensor, **a: Any) -> Tensor:
    if a["multi_output"]:
        return g.op("Softmax", data, axis=1)
    if a["preserve_shape"] or data.ndim <= 2:
        return g.op("Softmax", data, axis=-1)
    flat = g.reshape(data, (data.dims[0], prod(data.dims[1:])))
    return g.reshape(g.op("Softmax", flat, axis=1), data.dims)


def _softmax_vjp(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    label, y = tensor(n.inputs[1]), tensor(n.outputs[0])
    a = {k: v.value for k, v in n.attributes.items()}

    def data() -> Tensor:
        if label.dims == y.dims:
            grad = (y - label) * float(a["grad_scale"])
        elif a["multi_output"]:
            grad = _classes(g, y, label, a, (y.dims[0], y.dims[1], prod(y.dims[2:])))
        elif a["preserve_shape"]:
            grad = _classes(g, y, label, a, (prod(y.dims[:-1]), y.dims[-1], 1))
        else:
            grad = _classes(g, y, label, a, (y.dims[0], prod(y.dims[1:]), 1))
        return grad * dy if a["out_grad"] else grad

    return data, _zeros(g, label)


def _classes(
    g: Builder, y: Tensor, label: Tensor, a: dict[str, Any], dims: tuple[DimLike, DimLike, DimLike]
) -> Tensor:
    """The gradient where labels are classes; `dims` are (examples, classes, positions)."""
    odds = g.reshape(y, dims)
    index = g.reshape(g.cast(label, np.int64), (dims[0], 1, dims[2]))
    hit = g.op("Equal", g.reshape(numbers(g, dims[1]), (1, dims[1], 1)), index)
    smooth = float(a["smooth_alpha"])
    if smooth and not a["multi_output"]:
        others = smooth / (_static(dims[1]) - 1)
        target = g.op("Where", hit, g.const(1.0 - smooth, y.dt), g.const(others, y.dt))
        grad = odds - target
    else:
        grad = odds - g.cast(hit, y.dt)
    ignored = g.op("Equal", index, g.const(np.int64(int(a["ignore_label"]))))
    if a["use_ignore"]:
        grad = grad * g.cast(g.op("Not", ignored), y.dt)
    grad = g.reshape(grad, y.dims) * float(a["grad_scale"])
    if a["normalization"] == "valid":
        axes = list(range(ignored.ndim))
        valid = g.reduce("Sum", g.cast(g.op("Not", ignored), y.dt), axes)
        return grad / g.op("Max", valid, 1.0)
    if a["multi_output"]:
        grad = _divide(g, grad, dims[2])
    if a["normalization"] == "batch":
        grad = _divide(g, grad, dims[0])
    return grad


def _static(d: DimLike) -> int:
    return int(d)


_SOFTMAX = CustomFunction("SoftmaxOutput", _softmax_forward, _softmax_vjp)


@operator("SoftmaxOutput", "Softmax", labels=("label",))
def softmax_output(
    g: Builder,
    data: Tensor,
    label: Tensor,
    *,
    grad_scale: float = 1.0,
    ignore_label: float = -1.0,
    multi_output: bool = False,
    use_ignore: bool = False,
    preserve_shape: bool = False,
    normalization: _Normalization = "null",
    out_grad: bool = False,
    smooth_alpha: float = 0.0,
) -> Tensor:
    """SoftmaxOutput(data, label, grad_scale=1, ignore_label=-1, multi_output=False, use_ignore=False,
    preserve_shape=False, normalization='null', out_grad=False, smooth_alpha=0)

    softmax of `data`, with the gradient of its cross-entropy against `label`: classes, or probabilities if `label`
    has the data's shape. Classes lie along axis 1 with `multi_output`, along the last axis with `preserve_shape`, and
    else over all axes but the first. With `use_ignore`, examples of class `ignore_label` have no gradient. The
    gradient is multiplied by `grad_scale` and divided by 1 ('null'), the batch size ('batch'), or the number of labels
    other than `ignore_label` ('valid'); with `multi_output`, also by the number of positions unless 'valid'.
    `smooth_alpha` spreads that much probability over the other classes. `out_grad` multiplies by the head's gradient.
    """
    _check_label(data, label, multi_output, preserve_shape)
    (y,) = g.custom(
        _SOFTMAX,
        data,
        g.cast(label, data.dt) if label.dims == data.dims else label,
        grad_scale=grad_scale,
        ignore_label=ignore_label,
        multi_output=int(multi_output),
        use_ignore=int(use_ignore),
        preserve_shape=int(preserve_shape),
        normalization=normalization,
        out_grad=int(out_grad),
        smooth_alpha=smooth_alpha,
    )
    return y


def _check_label(data: Tensor, label: Tensor, multi_output: bool, preserve_shape: bool) -> None:
    if label.dims == data.dims:
        return
    if multi_output:
        expected = data.dims[0] * prod(data.dims[2:])
    else:
        expected = prod(data.dims[:-1]) if preserve_shape else data.dims[0]
    if prod(label.dims) != expected:
        raise ShapeError(
            f"argument 'label': expected {expected} classes for data of shape {data.dims}, got shape {label.dims}"
        )


@softmax_output.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    s.set("data", s[0])
    s.set(0, s["data"])
    data, label = s["data"], s["label"]
    if data is None or label is not None:
        return
    if a.multi_output:
        rest = data[2:]
        s.set("label", (data[0], prod(rest) if is_complete(rest) else None))  # type: ignore[arg-type]
    else:
        s.set("label", data[:-1])


# -- regression ----------------------------------------------------------------------------------------------


def _regression(
    kind: str, forward: Callable[[Builder, Tensor], Tensor], slope: Callable[[Builder, Tensor], Tensor]
) -> CustomFunction:
    """A layer whose gradient is a function of result minus label, divided by the number of results of an example."""

    def expand(g: Builder, data: Tensor, label: Tensor, *, grad_scale: float) -> Tensor:
        return forward(g, data)

    def vjp(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
        label, y = tensor(n.inputs[1]), tensor(n.outputs[0])

        def data() -> Tensor:
            difference = slope(g, y - g.reshape(g.cast(label, y.dt), y.dims))
            return _divide(g, difference * float(attribute(n, "grad_scale")), prod(label.dims[1:]))

        return data, _zeros(g, label)

    return CustomFunction(kind, expand, vjp)


def _same(g: Builder, x: Tensor) -> Tensor:
    return g.op("Identity", x)


_LINEAR = _regression("LinearRegressionOutput", _same, lambda g, d: d)
_LOGISTIC = _regression("LogisticRegressionOutput", lambda g, x: g.op("Sigmoid", x), lambda g, d: d)
_ABSOLUTE = _regression(
    "MAERegressionOutput", _same, lambda g, d: g.cast(g.op("Greater", d, 0.0), d.dt) * 2.0 - 1.0
)


def _regress(g: Builder, function: CustomFunction, data: Tensor, label: Tensor, grad_scale: float) -> Tensor:
    if label.dims[:1] != data.dims[:1] or prod(label.dims) != prod(data.dims):
        raise ShapeError(f"argument 'label': expected shape {data.dims}, got {label.dims}")
    return g.custom(function, data, label, grad_scale=grad_scale)[0]


@operator("LinearRegressionOutput", "_sparse_LinearRegressionOutput", labels=("label",))
def linear_regression_output(g: Builder, data: Tensor, label: Tensor, *, grad_scale: float = 1.0) -> Tensor:
    """LinearRegressionOutput(data, label, grad_scale=1)

    `data` itself, with the gradient of half the squared error: ``(data - label) * grad_scale / outputs per example``.
    """
    return _regress(g, _LINEAR, data, label, grad_scale)


@operator("LogisticRegressionOutput", "_sparse_LogisticRegressionOutput", labels=("label",))
def logistic_regression_output(g: Builder, data: Tensor, label: Tensor, *, grad_scale: float = 1.0) -> Tensor:
    """LogisticRegressionOutput(data, label, grad_scale=1)

    sigmoid of `data`, with the gradient of the binary cross-entropy:
    ``(sigmoid(data) - label) * grad_scale / outputs per example``.
    """
    return _regress(g, _LOGISTIC, data, label, grad_scale)


@operator("MAERegressionOutput", "_sparse_MAERegressionOutput", labels=("label",))
def mae_regression_output(g: Builder, data: Tensor, label: Tensor, *, grad_scale: float = 1.0) -> Tensor:
    """MAERegressionOutput(data, label, grad_scale=1)

    `data` itself, with the gradient of the absolute error: ``sign(data - label) * grad_scale / outputs per example``,
    where the sign of zero is -1.
    """
    return _regress(g, _ABSOLUTE, data, label, grad_scale)


def _regression_shape(s: ShapeContext, a: Any) -> None:
    s.set("data", s[0])
    s.set(0, s["data"])
    data = s["data"]
    if data is not None and s["label"] is None:
        label: PartialShape = data[:1] if len(data) == 2 and data[1] == 1 else data
        s.set("label", label)


for _op in (linear_regression_output, logistic_regression_output, mae_regression_output):
    _op.infer_shape(_regression_shape)


# -- SVMOutput -----------------------------------------------------------------------------------------------


def _svm_forward(g: Builder, data: Tensor, label: Tensor, **a: Any) -> Tensor:
    return g.op("Identity", data)


def _svm_vjp(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    x, label = map(tensor, n.inputs)
    margin, scale = float(attribute(n, "margin")), float(attribute(n, "regularization_coefficient"))

    def data() -> Tensor:
        hit = g.op("Equal", numbers(g, x.dims[1]), g.unsqueeze(g.cast(label, np.int64), 1))
        sign = g.op(
            "Where", hit, g.const(1, x.dt), g.const(-1, x.dt)
        )  # of the right class, and of the others
        gap = margin - x * sign
        inside = g.cast(g.op("Greater", gap, 0.0), x.dt)
        grad = inside * sign if attribute(n, "use_linear") else inside * gap * sign * 2.0
        return grad * -scale

    return data, _zeros(g, label)


_SVM = CustomFunction("SVMOutput", _svm_forward, _svm_vjp)


@operator("SVMOutput", labels=("label",))
def svm_output(
    g: Builder,
    data: Tensor,
    label: Tensor,
    *,
    margin: float = 1.0,
    regularization_coefficient: float = 1.0,
    use_linear: bool = False,
) -> Tensor:
    """SVMOutput(data, label, margin=1, regularization_coefficient=1, use_linear=False)

    `data`, scores of (batch, classes), with the gradient of the squared hinge loss of one class against the others,
    or of the hinge loss with `use_linear`.
    """
    if data.ndim != 2 or label.dims != data.dims[:1]:
        raise ShapeError(
            f"expected data (batch, classes) and label (batch,), got {data.dims} and {label.dims}"
        )
    return g.custom(
        _SVM,
        data,
        label,
        margin=margin,
        regularization_coefficient=regularization_coefficient,
        use_linear=int(use_linear),
    )[0]


@svm_output.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    s.set("data", s[0])
    s.set(0, s["data"])
    data = s["data"]
    if data is not None:
        s.set("label", data[:-1])


# -- MakeLoss ------------------------------------------------------------------------------------------------


def _make_loss_forward(g: Builder, data: Tensor, **a: Any) -> Tensor:
    return g.op("Identity", data)


def _make_loss_vjp(g: Builder, n: ir.Node, dy: Tensor) -> Gradient:
    x, scale, how = tensor(n.inputs[0]), float(attribute(n, "grad_scale")), attribute(n, "normalization")
    if how == "valid":
        valid = g.cast(g.op("Greater", x, float(attribute(n, "valid_thresh"))), x.dt)
        count = g.op("Max", g.reduce("Sum", valid, range(x.ndim)), 1.0)
        return g.expand(scale / count, x.dims)
    grad = g.fill(x.dims, scale, x.dt)
    return _divide(g, grad, x.dims[0]) if how == "batch" else grad


_MAKE_LOSS = CustomFunction("MakeLossLayer", _make_loss_forward, _make_loss_vjp)


@operator("MakeLoss", elementwise=True)
def make_loss(
    g: Builder,
    data: Tensor,
    *,
    grad_scale: float = 1.0,
    valid_thresh: float = 0.0,
    normalization: _Normalization = "null",
) -> Tensor:
    """MakeLoss(data, grad_scale=1, valid_thresh=0, normalization='null')

    `data` itself as a loss: its gradient is `grad_scale`, divided by the batch size ('batch') or by the number of
    elements above `valid_thresh` ('valid').
    """
    return g.custom(
        _MAKE_LOSS, data, grad_scale=grad_scale, valid_thresh=valid_thresh, normalization=normalization
    )[0]


# -- others --------------------------------------------------------------------------------------------------


def _picked(g: Builder, values: Tensor, label: Tensor) -> Tensor:
    """The value of each example's class: (batch, 1)."""
    return g.op("GatherElements", values, g.unsqueeze(g.cast(label, np.int64), 1), axis=1)


def _entropy_forward(g: Builder, data: Tensor, label: Tensor) -> Tensor:
    odds = g.op("Max", _picked(g, g.op("Softmax", data, axis=-1), label), 1e-8)
    return g.reshape(-g.reduce("Sum", g.op("Log", odds), [0, 1]), (1,))


def _entropy_vjp(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    x, label = map(tensor, n.inputs)

    def data() -> Tensor:
        hit = g.op("Equal", numbers(g, x.dims[1]), g.unsqueeze(g.cast(label, np.int64), 1))
        return (g.op("Softmax", x, axis=-1) - g.cast(hit, x.dt)) * dy

    return data, _zeros(g, label)


_ENTROPY = CustomFunction("SoftmaxCrossEntropy", _entropy_forward, _entropy_vjp)


@operator("softmax_cross_entropy")
def softmax_cross_entropy(g: Builder, data: Tensor, label: Tensor) -> Tensor:
    """softmax_cross_entropy(data, label)

    The cross-entropy of softmax(data) against classes, summed over the batch: shape (1,). `data` is (batch, classes),
    `label` (batch,). A probability below 1e-8 counts as that much; the gradient knows no such bound.
    """
    if data.ndim != 2 or label.dims != data.dims[:1]:
        raise ShapeError(
            f"expected data (batch, classes) and label (batch,), got {data.dims} and {label.dims}"
        )
    return g.custom(_ENTROPY, data, label)[0]


@softmax_cross_entropy.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    data = s["data"]
    if data is not None:
        s.set("label", data[:1])
    s.set(0, (1,))


def _sparse_forward(g: Builder, data: Tensor, average: Tensor, **a: Any) -> Tensor:
    return g.op("Identity", data)


def _sparse_vjp(g: Builder, n: ir.Node, dy: Tensor) -> tuple[Gradient, ...]:
    x, average = map(tensor, n.inputs)
    target, penalty = float(attribute(n, "sparseness_target")), float(attribute(n, "penalty"))
    slope = (1.0 - target) / (1.0 - average) - target / average
    return dy + g.reshape(slope * penalty, (1, x.dims[1], *(1,) * (x.ndim - 2))), _zeros(g, average)


_SPARSE = CustomFunction("IdentityAttachKLSparseReg", _sparse_forward, _sparse_vjp)


@operator("IdentityAttachKLSparseReg", aux=("moving_avg",), uses_train=True)
def identity_attach_kl_sparse_reg(
    g: Builder,
    data: Tensor,
    moving_avg: Tensor,
    *,
    sparseness_target: float = 0.1,
    penalty: float = 0.001,
    momentum: float = 0.9,
) -> Tensor:
    """IdentityAttachKLSparseReg(data, moving_avg, sparseness_target=0.1, penalty=0.001, momentum=0.9)

    `data`, sigmoid activations of shape (batch, units, ...). To its gradient is added that of `penalty` times the
    Kullback-Leibler divergence between `sparseness_target` and the moving average of each unit.
    """
    mean = g.reduce("Sum", data, [0, *range(2, data.ndim)])
    average = moving_avg * momentum + _divide(g, mean, data.dims[0]) * (1.0 - momentum)
    if g.train:
        g.update(moving_avg, average)
    return g.custom(_SPARSE, data, average, sparseness_target=sparseness_target, penalty=penalty)[0]


@identity_attach_kl_sparse_reg.infer_shape
def _(s: ShapeContext, a: Any) -> None:
    s.set("data", s[0])
    s.set(0, s["data"])
    data = s["data"]
    if data is not None and len(data) > 1:
        s.set("moving_avg", (data[1],))
